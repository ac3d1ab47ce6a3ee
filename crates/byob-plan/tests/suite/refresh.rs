//! `--refresh-only`: what somebody changed is accepted into the record, and nothing is written to AWS.

use byob_model::kind::{KeyState, PublicAccessBlock, VersioningStatus};
use byob_model::recorded::Recorded;
use byob_plan::approval::{Standing, standing};
use byob_plan::{Action, Answer, Plan, Rule};
use byob_policy::Document;

use crate::scene::{Scene, assert_refused, drifted, step, steps};

const TABLES: &str = "[bucket.a]\nname = \"acme-a\"\nencryption = { type = \"sse-kms\", key = \"key.k\" }\n\
                      [bucket.b]\nname = \"acme-b\"\n[key.k]\nalias = \"k\"\n";

fn refreshed(scene: &Scene) -> Plan {
    let mut scene = scene.clone();
    scene.mode.refresh_only = true;
    scene.plan()
}

#[test]
fn where_nothing_drifted_there_is_nothing_to_accept_whatever_the_configuration_says() {
    let scene = Scene::applied(TABLES).with("[bucket.other]\nname = \"acme-other\"\ntls_only = true\n");
    let plan = refreshed(&scene);
    assert_eq!((steps(&plan), plan.findings.len()), (vec![], 0));
    assert!(plan.drift.is_empty() && plan.record.is_empty());
}

#[test]
fn each_drift_is_one_update_without_calls_and_counts() {
    let mut scene = Scene::applied(TABLES);
    let before = refreshed(&scene).digest;
    scene.world.bucket("acme-a").block =
        Some(PublicAccessBlock { block_public_policy: false, ..PublicAccessBlock::ALL });
    scene.world.bucket("acme-a").cors.clear();
    let plan = refreshed(&scene);
    assert_eq!(steps(&plan), ["update bucket.a.public_access_block", "update bucket.a.cors"]);
    assert!(plan.steps.iter().all(|s| s.calls.is_empty() && s.action == Action::Update && s.accepts()));
    assert_eq!((plan.summary.update, plan.summary.drifted), (2, 2));
    let block = step(&plan, "bucket.a.public_access_block");
    let change = &block.changes[0];
    assert_eq!(
        (change.path.as_str(), &change.before, &change.after),
        ("/block_public_policy", &true.into(), &false.into())
    );
    assert_eq!(plan.access_verdict.grows, Answer::CannotTell, "later public policies would be taken");
    assert_ne!(plan.digest, before);
    // What is accepted is not what the ordinary plan does.
    assert_ne!(plan.digest, scene.plan().digest);
    let world = format!("{:?}", scene.world);
    scene.accept();
    assert_eq!(format!("{:?}", scene.world), world);
    assert_eq!(scene.drift(), Vec::<String>::new());
    assert_eq!(steps(&scene.plan()), ["update bucket.a.public_access_block", "create bucket.a.cors"]);
    // A rule that comes later is seen: the record says that there is none.
    scene.world.bucket("acme-a").cors = Scene::applied(TABLES).world.bucket("acme-b").cors.clone();
    assert_eq!(scene.drift(), ["bucket.a.cors"]);
}

#[test]
fn what_was_removed_is_accepted_as_absent() {
    let mut scene = Scene::applied(TABLES);
    scene.world.bucket("acme-a").block = None;
    scene.world.bucket("acme-a").policy = None;
    scene.world.aliases.clear();
    let plan = scene.accept();
    assert_eq!(drifted(&plan), ["bucket.a.public_access_block", "bucket.a.policy", "key.k.alias"]);
    assert_eq!(scene.drift(), Vec::<String>::new());
    let back = scene.plan();
    let mut stepped = steps(&back);
    stepped.sort();
    assert_eq!(
        stepped,
        ["create bucket.a.policy", "create bucket.a.public_access_block", "create key.k.alias"]
    );
    scene.apply();
    scene.assert_settled();
}

#[test]
fn a_root_that_vanished_or_is_anothers_is_refused_as_ever_and_the_rest_can_be_targeted() {
    let mut scene = Scene::applied(TABLES);
    scene.world.bucket("acme-b").cors.clear();
    scene.world.buckets.remove("acme-a");
    let same = |rule: Rule| {
        let said = |plan: Plan| plan.findings.into_iter().find(|f| f.rule == rule).unwrap();
        assert_eq!(said(refreshed(&scene)), said(scene.plan()));
    };
    same(Rule::Vanished);
    assert_refused(&refreshed(&scene), Rule::Vanished, "bucket.a");
    // Without its table there is no error, and nothing that could be accepted either.
    let taken_out = scene.with("[bucket.b]\nname = \"acme-b\"\n[key.k]\nalias = \"k\"\n");
    let plan = refreshed(&taken_out);
    assert_eq!((steps(&plan), plan.blocked()), (vec!["update bucket.b.cors".into()], false));
    assert_eq!(drifted(&plan), ["bucket.a", "bucket.b.cors"]);
    scene.mode.target = ["bucket.b".to_owned()].into();
    scene.accept();
    assert_eq!(scene.drift(), ["bucket.a"]);

    let mut scene = Scene::applied(TABLES);
    scene.world.bucket("acme-a").forbidden = Some(Some(false));
    assert_refused(&refreshed(&scene), Rule::NowAnothers, "bucket.a");
    let mut scene = Scene::applied(TABLES);
    scene.world.keys.clear();
    scene.world.aliases.clear();
    assert_refused(&refreshed(&scene), Rule::Vanished, "key.k");
}

#[test]
fn a_target_takes_its_own_drift_alone_and_must_be_recorded() {
    let mut scene = Scene::applied(TABLES);
    scene.world.bucket("acme-a").cors.clear();
    scene.world.bucket("acme-b").cors.clear();
    scene.world.bucket("acme-b").block = None;
    scene.mode.target = ["bucket.b.public_access_block".to_owned()].into();
    let plan = scene.accept();
    assert_eq!(
        (steps(&plan), drifted(&plan)),
        (vec!["update bucket.b.public_access_block".into()], vec!["bucket.b.public_access_block".into()])
    );
    assert_eq!(scene.drift(), ["bucket.a.cors", "bucket.b.cors"]);
    scene.mode.target = ["bucket.nobody".to_owned()].into();
    assert_refused(&refreshed(&scene), Rule::NoSuchTarget, "bucket.nobody");
}

#[test]
fn versioning_that_nobody_manages_is_accepted_as_off() {
    let mut scene = Scene::applied(TABLES);
    scene.world.bucket("acme-b").versioning = Some(VersioningStatus::Enabled);
    scene.apply();
    scene.world.bucket("acme-b").versioning = Some(VersioningStatus::Suspended);
    assert_eq!(scene.drift(), ["bucket.b.versioning"]);
    let plan = scene.accept();
    assert_eq!(steps(&plan), ["update bucket.b.versioning"]);
    scene.assert_settled();
    // On and off once more is drift once more.
    scene.world.bucket("acme-b").versioning = Some(VersioningStatus::Enabled);
    scene.apply();
    scene.world.bucket("acme-b").versioning = Some(VersioningStatus::Suspended);
    assert_eq!(scene.drift(), ["bucket.b.versioning"]);
}

#[test]
fn other_teams_statements_are_accepted_and_who_comes_in_by_them_is_told() {
    let mut scene = Scene::applied("[bucket.a]\nname = \"acme-a\"\nforeign_statements = \"keep\"\n");
    let vendor = |sid: &str| {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"{sid}","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::444455556666:root"}},
               "Action":"s3:GetObject","Resource":"arn:aws:s3:::acme-a/*"}}]}}"#
        );
        Document::parse(&text).unwrap().statements.remove(0)
    };
    scene.world.bucket("acme-a").policy.as_mut().unwrap().document.statements.push(vendor("Vendor"));
    let plan = refreshed(&scene);
    assert_eq!(steps(&plan), ["update bucket.a.policy"]);
    let gains: Vec<_> = plan.access.iter().map(|a| (a.principal.as_str(), a.gained.join(","))).collect();
    assert_eq!(gains, [("arn:aws:iam::444455556666:root", "s3:GetObject".to_owned())]);
    assert_eq!(plan.access_verdict.grows, Answer::Yes);
    scene.accept();
    scene.assert_settled();
    // A `Sid` alone says whose a statement is, where others' stay.
    let policy = scene.world.bucket("acme-a").policy.as_mut().unwrap();
    *policy.document.statements.last_mut().unwrap() = vendor("Other");
    assert_eq!(steps(&refreshed(&scene)), ["update bucket.a.policy"]);
    scene.accept();
    scene.assert_settled();
}

#[test]
fn a_key_that_somebody_disabled_is_accepted_and_enabled_by_the_next_plan() {
    let mut scene = Scene::applied(TABLES);
    let arn = scene.world.arn("us-east-1", "k");
    for state in [KeyState::Disabled, KeyState::PendingDeletion] {
        scene.world.key(&arn).state = state;
        // Rotation cannot be read of a key that is going.
        let plan = scene.accept();
        assert_eq!(steps(&plan)[0], "update key.k");
        assert_eq!(scene.drift(), Vec::<String>::new());
        assert_eq!(steps(&scene.plan())[0], "update key.k");
        scene.apply();
        scene.apply();
        scene.assert_settled();
    }
}

#[test]
fn an_encryption_that_is_accepted_keeps_its_key_in_sight() {
    let mut scene = Scene::applied(TABLES);
    scene.world.bucket("acme-b").encryption = scene.world.bucket("acme-a").encryption.clone();
    let arn = scene.world.arn("us-east-1", "k");
    scene.accept();
    assert!(scene.at("bucket.b").keys_used.contains(&arn));
}

#[test]
fn what_was_accepted_is_resumed_and_something_else_at_the_same_place_is_not() {
    let mut scene = Scene::applied(TABLES);
    scene.world.bucket("acme-a").cors.clear();
    let other = PublicAccessBlock { block_public_acls: false, ..PublicAccessBlock::ALL };
    scene.world.bucket("acme-b").block = Some(other);
    scene.mode.refresh_only = true;
    let plan = scene.plan();
    scene.perform(&plan, 1);
    let stands = |scene: &Scene| standing(&scene.plan(), &plan.digest, scene.recorded.approval.as_ref());
    assert_eq!(stands(&scene), Standing::Resumed);
    // byob never put it, so it is still drift for everybody else.
    assert_eq!(scene.drift(), ["bucket.b.public_access_block"]);
    scene.world.bucket("acme-b").block = Some(PublicAccessBlock { restrict_public_buckets: false, ..other });
    assert_eq!(stands(&scene), Standing::Stale(vec!["bucket.b.public_access_block#1".into()]));
    scene.world.bucket("acme-b").block = Some(other);
    let rest = scene.plan();
    scene.perform(&rest, usize::MAX);
    let mut finished = scene.recorded.approval.clone().unwrap();
    finished.finished = true;
    finished.digest.clone_from(&plan.digest);
    assert_eq!(standing(&scene.plan(), &plan.digest, Some(&finished)), Standing::AlreadyApplied);
}

#[test]
fn what_an_unfinished_apply_put_is_accepted_too() {
    let mut scene = Scene::applied(TABLES)
        .with(&TABLES.replace("name = \"acme-b\"", "name = \"acme-b\"\ntls_only = true"));
    let plan = scene.plan();
    scene.perform(&plan, 0);
    let arns = std::collections::BTreeMap::new();
    for call in plan.steps.iter().flat_map(|s| &s.calls) {
        scene.world.perform(call, &arns);
    }
    assert_eq!(scene.drift(), Vec::<String>::new(), "its own doing");
    scene.accept();
    assert_eq!(scene.drift(), Vec::<String>::new());
    scene.assert_settled();
}

#[test]
fn a_record_of_nothing_has_nothing_to_accept() {
    let mut scene = Scene::applied(TABLES);
    scene.recorded = Recorded { lineage: scene.recorded.lineage, ..Recorded::default() };
    assert_eq!(steps(&refreshed(&scene)), Vec::<String>::new());
}
