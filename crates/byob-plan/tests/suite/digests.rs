//! The plan's machine-readable form and its digest.

use std::collections::BTreeSet;

use byob_model::recorded::{Approval, ApprovedStep};
use serde_json::Value;

use crate::scene::{OTHER_LINEAGE, Scene};

const TABLES: &str = "[tags]\nOwner = \"ml\"\n[bucket.a]\nname = \"acme-a\"\nencryption = { type = \"sse-kms\", key = \"key.k\" }\n\
                      [key.k]\nalias = \"k\"\n";

fn json(scene: &Scene) -> Value {
    serde_json::from_str(&scene.plan().to_json()).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let mut drifted = Scene::applied(TABLES);
    drifted.world.bucket("acme-a").cors.clear();
    for scene in [Scene::new(TABLES), drifted] {
        let text = scene.plan().to_json();
        assert_eq!(text, scene.clone().plan().to_json());
        assert!(text.ends_with("}\n"));
    }
}

#[test]
fn the_digest_does_not_know_lineage_serial_version_wording_or_the_record() {
    let mut scene = Scene::applied(TABLES);
    scene.tables = TABLES.replace("Owner = \"ml\"", "Owner = \"ops\"");
    scene.world.bucket("acme-a").cors.clear();
    let digest = scene.plan().digest;
    assert!(digest.starts_with("sha256:") && digest.len() == 71);
    let mut other = scene.clone();
    other.recorded.serial += 7;
    other.recorded.lineage = Some(OTHER_LINEAGE);
    other.recorded.written_at = Some(1);
    other.recorded.approval =
        Some(Approval { digest: "sha256:0".into(), steps: vec![], finished: true, target: BTreeSet::new() });
    assert_eq!(other.plan().digest, digest);
    // Another spelling of the same configuration.
    let mut spelled = scene.clone();
    spelled.tables = format!("{}protect = true\nrotation_days = 365\n# a word\n", scene.tables);
    assert_eq!(spelled.plan().digest, digest);
}

#[test]
fn the_digest_knows_every_change_the_drift_the_mode_and_where() {
    let mut scene = Scene::applied(TABLES);
    scene.world.bucket("acme-a").cors.clear();
    let mut digests = vec![scene.plan().digest];
    let mut also = |change: &dyn Fn(&mut Scene)| {
        let mut other = scene.clone();
        change(&mut other);
        digests.push(other.plan().digest);
    };
    also(&|s| s.world.bucket("acme-a").policy = None);
    also(&|s| s.world.bucket("acme-a").tags.extend([("Owner".into(), "y".into())]));
    also(&|s| s.tables = TABLES.replace("Owner = \"ml\"", "Owner = \"ops\""));
    also(&|s| s.tables = format!("{TABLES}protect = false\n"));
    also(&|s| s.mode.target = ["bucket.a".to_owned()].into());
    also(&|s| s.mode.recreate = ["bucket.a".to_owned()].into());
    also(&|s| s.mode.destroy = true);
    also(&|s| s.endpoint = "sandbox");
    // The same step for another reason: no drift, the configuration changed.
    also(&|s| s.world = Scene::applied(TABLES).world);
    let count = digests.len();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), count);
}

#[test]
fn what_is_already_as_configured_is_in_neither_counts_nor_digest() {
    let mut scene = Scene::applied(TABLES);
    scene.tables = TABLES.replace("Owner = \"ml\"", "Owner = \"ops\"");
    let mut already = scene.clone();
    already.world.bucket("acme-a").tags.insert("Owner".into(), "ops".into());
    let arn = already.world.arn("us-east-1", "k");
    already.world.key(&arn).tags.insert("Owner".into(), "ops".into());
    let plan = already.plan();
    assert_eq!(
        plan.already.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["bucket.a.tags", "key.k.tags"]
    );
    assert_eq!((plan.summary.update, plan.summary.drifted), (0, 0));
    let written = plan.record.len();
    assert_eq!(written, 2);
    already.bring_up_to_date();
    assert_eq!(already.plan().digest, plan.digest);
    already.assert_settled();
}

#[test]
fn a_description_that_somebody_changed_as_the_configuration_does_now_is_already_as_configured() {
    let mut scene = Scene::applied(TABLES);
    let arn = scene.world.arn("us-east-1", "k");
    scene.world.key(&arn).description = "ours".into();
    scene.tables = format!("{TABLES}description = \"ours\"\n");
    let plan = scene.plan();
    assert_eq!(plan.already.iter().map(ToString::to_string).collect::<Vec<_>>(), ["key.k"]);
    assert!(plan.steps.is_empty() && plan.drift.is_empty());
}

#[test]
fn the_json_has_every_field_of_the_contract_and_leaves_no_null_out() {
    let first = json(&Scene::new(TABLES));
    let top = [
        "access",
        "access_verdict",
        "accounts",
        "byob_version",
        "config_digest",
        "digest",
        "drift",
        "endpoint",
        "findings",
        "format_version",
        "mode",
        "state",
        "steps",
        "summary",
    ];
    assert_eq!(keys(&first), top);
    assert!(first["state"].is_null());
    let entry = ["class", "conditions", "gained", "lost", "principal", "proof", "resource"];
    assert_eq!(keys(&first["access"][0]), entry);
    assert_eq!(keys(&first["access_verdict"]), ["grows", "not_checked", "public"]);
    assert_eq!(first["format_version"], "1.1");
    assert_eq!(keys(&first["accounts"][0]), ["account_id", "partition"]);
    assert_eq!(keys(&first["mode"]), ["destroy", "recreate", "refresh_only", "target"]);
    assert_eq!(
        keys(&first["summary"]),
        ["adopt", "create", "delete", "drifted", "forget", "unchanged", "update"]
    );
    for step in first["steps"].as_array().unwrap() {
        let all = [
            "account_id",
            "action",
            "address",
            "calls",
            "changes",
            "depends_on",
            "from",
            "id",
            "identity",
            "kind",
            "phase",
            "puts",
            "reason",
            "region",
        ];
        assert_eq!(keys(step), all);
        assert!(step["from"].is_null());
        for change in step["changes"].as_array().unwrap() {
            assert_eq!(keys(change), ["after", "before", "path", "unknown"]);
        }
        for call in step["calls"].as_array().unwrap() {
            assert_eq!(keys(call), ["iam_action", "operation"]);
        }
    }
    let unknown = first["steps"].as_array().unwrap().iter().flat_map(|s| s["changes"].as_array().unwrap());
    let unknown: Vec<&Value> = unknown.filter(|c| c["unknown"] == true).collect();
    assert_eq!(unknown.len(), 1);
    assert!(unknown[0]["after"].is_null() && unknown[0]["path"] == "/kms_key");

    let mut scene = Scene::applied(TABLES);
    scene.world.bucket("acme-a").cors.clear();
    let drifted = json(&scene);
    assert_eq!(keys(&drifted["state"]), ["lineage", "serial"]);
    assert_eq!(keys(&drifted["drift"][0]), ["address", "changes", "severity"]);
    assert_eq!(keys(&drifted["drift"][0]["changes"][0]), ["after", "before", "path"]);
    scene.world.buckets.clear();
    let refused = json(&scene);
    assert_eq!(keys(&refused["findings"][0]), ["address", "help", "message", "rule", "severity", "waived"]);
    assert_eq!(refused["findings"][0]["rule"], "BYOB004");
}

#[test]
fn a_policy_is_one_leaf_in_canonical_form() {
    let plan = Scene::new(TABLES).plan();
    let step = plan.steps.iter().find(|s| s.address.to_string() == "bucket.a.policy").unwrap();
    assert_eq!(step.changes.len(), 1);
    assert_eq!(step.changes[0].path, "");
    assert_eq!(step.changes[0].after["Version"], "2012-10-17");
}

#[test]
fn control_and_format_characters_are_escaped_in_the_json_and_still_mean_themselves() {
    let mut scene = Scene::applied(TABLES);
    let arn = scene.world.arn("us-east-1", "k");
    scene.world.key(&arn).description = "a\u{202e}b\u{7f}\u{e0041}ü".into();
    let text = scene.plan().to_json();
    assert!(text.contains("a\\u202eb\\u007f\\udb40\\udc41ü"), "{text}");
    let hidden = |c: char| c != '\n' && (c.is_control() || ['\u{202e}', '\u{e0041}'].contains(&c));
    assert!(!text.contains(hidden));
    let value: Value = serde_json::from_str(&text).unwrap();
    assert!(value.to_string().contains("a\u{202e}b\u{7f}\u{e0041}ü"));
}

#[test]
fn an_approved_step_of_another_address_means_nothing() {
    let mut scene = Scene::applied(TABLES);
    scene.world.bucket("acme-a").cors.clear();
    let digest = scene.plan().digest;
    let step = ApprovedStep {
        address: "bucket.b.cors".parse().unwrap(),
        from: None,
        document: Value::Null,
        action: "create".into(),
        identity: None,
        calls: Vec::new(),
    };
    scene.recorded.approval = Some(Approval {
        digest: "sha256:1".into(),
        steps: vec![step],
        finished: false,
        target: BTreeSet::new(),
    });
    assert_eq!(scene.plan().digest, digest);
}
