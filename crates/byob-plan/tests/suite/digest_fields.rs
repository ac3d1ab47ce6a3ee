//! What a digest knows: every field of the configuration (by the parser's own list, so that a new one cannot be
//! forgotten), of the record and of live state, one at a time; and what it does not know: spelling, order, and whatever
//! says where something is kept or who plans.

use std::collections::BTreeSet;

use byob_model::address::RootKind;
use byob_model::config::{fields, parse};
use byob_model::desired::desired;
use byob_model::kind::Policy;
use byob_model::live::{LiveAspect, LiveBucket};
use byob_model::recorded::Recorded;
use byob_plan::{Input, Mode, Plan, plan, wanted};
use byob_policy::Document;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::converge::tamper;
use crate::scene::{Scene, file};
use crate::world::ACCOUNT;

/// A configuration with a place (`#a` and the like) in each table where a case may add to it.
const TABLES: &str = r##"#top
[aws]
region = "us-east-1"
#aws
[wandb]
deployment = "multi-tenant-cloud"
#wandb
#state
[tags]
Namespace = "WeightsBiases"
#tags
[bucket.a]
name = "acme-a"
encryption = { type = "sse-kms", key = "key.k", bucket_key = true }
allowed_source_ips = ["192.0.2.0/24"]
#a
[bucket.l]
name = "acme-l"
versioning = "enabled"
public_access_block = { block_public_acls = true, ignore_public_acls = true, block_public_policy = true, restrict_public_buckets = true }
logging = { target_bucket = "bucket.a", target_prefix = "l/", key_format = "simple" }
object_lock = { mode = "governance", days = 3 }
lifecycle = [
  { id = "x", enabled = true, filter = { prefix = "tmp/", tags = { k = "v" }, object_size_greater_than = 1, object_size_less_than = 9 }, expiration = { days = 30 }, transitions = [{ days = 20, storage_class = "GLACIER_IR" }] },
  { id = "y", noncurrent_version_expiration = { days = 9, newer_versions = 3 }, noncurrent_version_transitions = [{ days = 3, newer_versions = 2, storage_class = "GLACIER_IR" }] },
  { id = "z", abort_incomplete_multipart_upload_days = 5 },
]
#l
[bucket.p]
name_prefix = "acme"
#p
[key.k]
alias = "k"
#k
"##;

/// Table, field, and an edit of [`TABLES`] that changes this field alone: it matters.
const MATTERS: &[(&str, &str, &str, &str)] = &[
    ("the file", "stack", "#top", "stack = \"other\""),
    ("the file", "aws", "us-east-1", "us-west-2"),
    ("the file", "wandb", "\"multi-tenant-cloud\"", "\"dedicated-cloud\""),
    ("the file", "tags", "#tags", "More = \"x\""),
    ("the file", "forget", "#top", "forget = [\"bucket.old\"]"),
    (
        "the file",
        "waive",
        "#k",
        "[[waive]]\nrule = \"BYOB029\"\naddress = \"bucket.a\"\nreason = \"r\"\nuntil = \"2026-12-31\"",
    ),
    ("the file", "bucket", "#k", "[bucket.more]\nname = \"acme-more\""),
    ("the file", "key", "#k", "[key.more]\nalias = \"more\""),
    ("`[aws]`", "region", "us-east-1", "us-west-2"),
    ("`[wandb]`", "deployment", "\"multi-tenant-cloud\"", "\"dedicated-cloud\""),
    ("`[wandb]`", "principals", "#wandb", "principals = [\"arn:aws:iam::725579432336:role/Other\"]"),
    ("`[wandb]`", "egress", "#wandb", "egress = [\"198.51.100.0/24\"]"),
    ("`[bucket.*]`", "name", "name = \"acme-a\"", "name = \"acme-b\""),
    ("`[bucket.*]`", "name_prefix", "name_prefix = \"acme\"", "name_prefix = \"acmf\""),
    ("`[bucket.*]`", "name_salt", "#p", "name_salt = \"x\""),
    ("`[bucket.*]`", "region", "#p", "region = \"eu-west-1\""),
    ("`[bucket.*]`", "purpose", "#p", "purpose = \"reference\""),
    ("`[bucket.*]`", "wandb_access", "#a", "wandb_access = false"),
    ("`[bucket.*]`", "encryption", "#p", "encryption = { type = \"sse-kms\", key = \"key.k\" }"),
    ("`[bucket.*]`", "sse_c", "#a", "sse_c = \"allowed\""),
    ("`[bucket.*]`", "cors_origins", "#a", "cors_origins = [\"https://a.example\"]"),
    ("`[bucket.*]`", "public_access_block", "#a", "public_access_block = { block_public_acls = false }"),
    ("`[bucket.*]`", "object_ownership", "#a", "object_ownership = \"BucketOwnerPreferred\""),
    ("`[bucket.*]`", "tls_only", "#a", "tls_only = true"),
    ("`[bucket.*]`", "min_tls_version", "#a", "min_tls_version = \"1.3\""),
    ("`[bucket.*]`", "allowed_source_ips", "192.0.2.0/24", "192.0.2.0/25"),
    ("`[bucket.*]`", "allowed_vpc_endpoints", "#a", "allowed_vpc_endpoints = [\"vpce-0123456789abcdef0\"]"),
    ("`[bucket.*]`", "managers", "#a", "managers = [\"arn:aws:iam::123456789012:role/m\"]"),
    (
        "`[bucket.*]`",
        "extra_statements",
        "#a",
        "extra_statements = [{ Sid = \"X\", Effect = \"Deny\", Principal = \"*\", Action = \"s3:PutBucketAcl\", Resource = \"arn:aws:s3:::acme-a\" }]",
    ),
    ("`[bucket.*]`", "policy_file", "#a", "policy_file = \"policy.json\""),
    ("`[bucket.*]`", "foreign_statements", "#a", "foreign_statements = \"keep\""),
    ("`[bucket.*]`", "versioning", "#a", "versioning = \"enabled\""),
    ("`[bucket.*]`", "abort_incomplete_uploads_after_days", "#a", "abort_incomplete_uploads_after_days = 7"),
    ("`[bucket.*]`", "noncurrent_expire_after_days", "#a", "noncurrent_expire_after_days = 7"),
    (
        "`[bucket.*]`",
        "lifecycle",
        "#a",
        "lifecycle = [{ id = \"x\", abort_incomplete_multipart_upload_days = 1 }]",
    ),
    ("`[bucket.*]`", "logging", "#p", "logging = { target_bucket = \"bucket.a\" }"),
    ("`[bucket.*]`", "object_lock", "days = 3 }\n", "days = 4 }\n"),
    ("`[bucket.*]`", "tags", "#a", "tags = { T = \"x\" }"),
    ("`[bucket.*]`", "protect", "#a", "protect = false"),
    ("`[bucket.*]`", "force_destroy", "#a", "force_destroy = true"),
    ("`[bucket.*]`", "unmanaged", "#p", "unmanaged = [\"cors\"]"),
    (
        "`encryption`",
        "type",
        "type = \"sse-kms\", key = \"key.k\", bucket_key = true",
        "type = \"dsse-kms\", key = \"key.k\"",
    ),
    ("`encryption`", "key", "key = \"key.k\"", "key = \"arn:aws:kms:us-east-1:999999999999:key/0000-9999\""),
    ("`encryption`", "bucket_key", "bucket_key = true", "bucket_key = false"),
    ("`public_access_block`", "block_public_acls", "block_public_acls = true", "block_public_acls = false"),
    (
        "`public_access_block`",
        "ignore_public_acls",
        "ignore_public_acls = true",
        "ignore_public_acls = false",
    ),
    (
        "`public_access_block`",
        "block_public_policy",
        "block_public_policy = true",
        "block_public_policy = false",
    ),
    (
        "`public_access_block`",
        "restrict_public_buckets",
        "restrict_public_buckets = true",
        "restrict_public_buckets = false",
    ),
    ("`logging`", "target_bucket", "target_bucket = \"bucket.a\"", "target_bucket = \"acme-x\""),
    ("`logging`", "target_prefix", "target_prefix = \"l/\"", "target_prefix = \"m/\""),
    ("`logging`", "key_format", "\"simple\"", "\"partitioned-by-event-time\""),
    ("`object_lock`", "mode", "\"governance\"", "\"compliance\""),
    ("`object_lock`", "days", "days = 3 }\n", "days = 4 }\n"),
    ("`object_lock`", "years", "days = 3 }\n", "years = 4 }\n"),
    ("a rule of `lifecycle`", "id", "id = \"x\"", "id = \"w\""),
    ("a rule of `lifecycle`", "enabled", "enabled = true", "enabled = false"),
    ("a rule of `lifecycle`", "filter", "prefix = \"tmp/\"", "prefix = \"t/\""),
    ("a rule of `lifecycle`", "abort_incomplete_multipart_upload_days", "upload_days = 5", "upload_days = 6"),
    ("a rule of `lifecycle`", "expiration", "expiration = { days = 30 }", "expiration = { days = 31 }"),
    ("a rule of `lifecycle`", "noncurrent_version_expiration", "{ days = 9,", "{ days = 8,"),
    ("a rule of `lifecycle`", "transitions", "{ days = 20,", "{ days = 21,"),
    ("a rule of `lifecycle`", "noncurrent_version_transitions", "{ days = 3, newer", "{ days = 2, newer"),
    ("`filter`", "prefix", "prefix = \"tmp/\"", "prefix = \"t/\""),
    ("`filter`", "tags", "{ k = \"v\" }", "{ k = \"w\" }"),
    ("`filter`", "object_size_greater_than", "greater_than = 1", "greater_than = 2"),
    ("`filter`", "object_size_less_than", "less_than = 9", "less_than = 8"),
    ("`expiration`", "days", "expiration = { days = 30 }", "expiration = { days = 31 }"),
    (
        "`expiration`",
        "date",
        "expiration = { days = 30 }, transitions = [{ days = 20, storage_class = \"GLACIER_IR\" }]",
        "expiration = { date = \"2027-01-31\" }",
    ),
    (
        "`expiration`",
        "expired_object_delete_marker",
        "{ id = \"z\",",
        "{ id = \"z\", expiration = { expired_object_delete_marker = true },",
    ),
    ("`noncurrent_version_expiration`", "days", "{ days = 9,", "{ days = 8,"),
    ("`noncurrent_version_expiration`", "newer_versions", "newer_versions = 3 }", "newer_versions = 4 }"),
    ("a transition", "days", "{ days = 20,", "{ days = 21,"),
    (
        "a transition",
        "date",
        "expiration = { days = 30 }, transitions = [{ days = 20, storage_class",
        "transitions = [{ date = \"2027-01-31\", storage_class",
    ),
    (
        "a transition",
        "storage_class",
        "20, storage_class = \"GLACIER_IR\"",
        "20, storage_class = \"INTELLIGENT_TIERING\"",
    ),
    ("a noncurrent transition", "days", "{ days = 3, newer", "{ days = 2, newer"),
    ("a noncurrent transition", "newer_versions", "newer_versions = 2,", "newer_versions = 1,"),
    (
        "a noncurrent transition",
        "storage_class",
        "2, storage_class = \"GLACIER_IR\"",
        "2, storage_class = \"INTELLIGENT_TIERING\"",
    ),
    ("`[key.*]`", "alias", "alias = \"k\"", "alias = \"l\""),
    ("`[key.*]`", "description", "#k", "description = \"d\""),
    ("`[key.*]`", "rotation_days", "#k", "rotation_days = 90"),
    ("`[key.*]`", "deletion_window_days", "#k", "deletion_window_days = 7"),
    ("`[key.*]`", "protect", "#k", "protect = false"),
    ("`[key.*]`", "managers", "#k", "managers = [\"arn:aws:iam::123456789012:role/m\"]"),
    ("`[key.*]`", "tags", "#k", "tags = { T = \"x\" }"),
];

/// The same for what does not matter: who plans, where the record is kept, and what is the same said otherwise.
const DOES_NOT: &[(&str, &str, &str, &str)] = &[
    // There is no other version of the file than 1.
    ("the file", "version", "#top", "#"),
    ("the file", "state", "#state", "[state]\npath = \"elsewhere/x.json\""),
    // A guard: another account than the caller's is refused before anything is planned.
    ("`[aws]`", "account_id", "#aws", "account_id = \"123456789012\""),
    ("`[aws]`", "profile", "#aws", "profile = \"other\""),
    (
        "`[aws]`",
        "assume_role",
        "#aws",
        "assume_role = { role_arn = \"arn:aws:iam::123456789012:role/byob\" }",
    ),
    (
        "`assume_role`",
        "role_arn",
        "#aws",
        "assume_role = { role_arn = \"arn:aws:iam::123456789012:role/c\" }",
    ),
    (
        "`assume_role`",
        "external_id",
        "#aws",
        "assume_role = { role_arn = \"arn:aws:iam::123456789012:role/c\", external_id = \"xx\" }",
    ),
    (
        "`assume_role`",
        "session_name",
        "#aws",
        "assume_role = { role_arn = \"arn:aws:iam::123456789012:role/c\", session_name = \"xx\" }",
    ),
    ("`[state]`", "path", "#state", "[state]\npath = \"elsewhere/x.json\""),
    ("`[state]`", "s3", "#state", "[state]\ns3 = { bucket = \"acme-state\", key = \"k\" }"),
    ("`s3` of `[state]`", "bucket", "#state", "[state]\ns3 = { bucket = \"acme-stated\", key = \"k\" }"),
    ("`s3` of `[state]`", "key", "#state", "[state]\ns3 = { bucket = \"acme-state\", key = \"l\" }"),
    (
        "`s3` of `[state]`",
        "region",
        "#state",
        "[state]\ns3 = { bucket = \"acme-state\", key = \"k\", region = \"eu-west-1\" }",
    ),
    (
        "`s3` of `[state]`",
        "profile",
        "#state",
        "[state]\ns3 = { bucket = \"acme-state\", key = \"k\", profile = \"x\" }",
    ),
    (
        "`s3` of `[state]`",
        "assume_role",
        "#state",
        "[state]\ns3 = { bucket = \"acme-state\", key = \"k\", assume_role = { role_arn = \"arn:aws:iam::123456789012:role/c\" } }",
    ),
    (
        "`s3` of `[state]`",
        "kms_key",
        "#state",
        "[state]\ns3 = { bucket = \"acme-state\", key = \"k\", kms_key = \"arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab\" }",
    ),
    (
        "`s3` of `[state]`",
        "account_id",
        "#state",
        "[state]\ns3 = { bucket = \"acme-state\", key = \"k\", account_id = \"123456789012\" }",
    ),
    // The region of the buckets on it, said.
    ("`[key.*]`", "region", "#k", "region = \"us-east-1\""),
];

/// Of a waiver each field matters, once there is one.
const WAIVER: &str =
    "[[waive]]\nrule = \"BYOB029\"\naddress = \"bucket.a\"\nreason = \"r\"\nuntil = \"2026-12-31\"";
const OF_A_WAIVER: &[(&str, &str, &str)] = &[
    ("rule", "BYOB029", "BYOB028"),
    ("address", "bucket.a\"\nreason", "bucket.l\"\nreason"),
    ("reason", "\"r\"", "\"s\""),
    ("until", "2026-12-31", "2026-12-30"),
];

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"F","Effect":"Deny","Principal":"*","Action":"s3:PutBucketAcl","Resource":"arn:aws:s3:::acme-a"}]}"#;

/// A whole file, not only its tables.
fn planned(text: &str, scene: &Scene) -> Plan {
    let text = format!("version = 1\n{text}");
    let configuration = parse(&text, &|_| Ok(POLICY.to_owned()));
    let configuration = configuration.unwrap_or_else(|errors| panic!("{errors:#?}\nin\n{text}"));
    let resolved = |recorded: &Recorded| {
        desired(&configuration, ACCOUNT, recorded).unwrap_or_else(|errors| panic!("{errors:#?}\nin\n{text}"))
    };
    let (wants, meaning) = (resolved(&scene.recorded), resolved(&Recorded::default()));
    let live = scene.world.read(&wanted(Some(&wants), &scene.recorded));
    plan(&Input {
        desired: &wants,
        recorded: &scene.recorded,
        live: &live,
        mode: &Mode::default(),
        endpoint: "aws",
        partition: "aws",
        byob_version: "0.1.0",
        meaning: &meaning,
        today: scene.today,
    })
}

fn edited(old: &str, new: &str) -> String {
    // A place is a whole line.
    let end = if old.starts_with('#') { "\n" } else { "" };
    let (old, new) = (format!("{old}{end}"), format!("{new}{end}"));
    assert!(TABLES.contains(&old), "{old}");
    TABLES.replacen(&old, &new, 1)
}

#[test]
fn every_field_of_the_configuration_is_in_the_digest_or_has_a_reason_not_to_be() {
    let scene = Scene::new("");
    let base = planned(TABLES, &scene).digest;
    let mut known: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (table, field, old, new) in MATTERS {
        known.insert((table, field));
        assert_ne!(planned(&edited(old, new), &scene).digest, base, "{table} {field}: {new}");
    }
    for (table, field, old, new) in DOES_NOT {
        known.insert((table, field));
        assert_eq!(planned(&edited(old, new), &scene).digest, base, "{table} {field}: {new}");
    }
    let waived = edited("#k", WAIVER);
    let with_waiver = planned(&waived, &scene).digest;
    for (field, old, new) in OF_A_WAIVER {
        known.insert(("`[[waive]]`", field));
        let other = waived.replacen(old, new, 1);
        assert_ne!(other, waived);
        assert_ne!(planned(&other, &scene).digest, with_waiver, "waive {field}");
    }
    // A sub-path is what W&B is told; nothing of it stands in AWS, and only rules look at it.
    known.insert(("`[bucket.*]`", "path"));
    let all: BTreeSet<(&str, &str)> = fields().collect();
    assert_eq!(known, all, "a field of the configuration has no case here, or a case has no field");
}

#[test]
fn the_content_of_a_policy_file_counts_and_its_name_does_not() {
    let scene = Scene::new("");
    let named = |name: &str| planned(&edited("#a", &format!("policy_file = \"{name}\"")), &scene).digest;
    assert_eq!(named("a.json"), named("b/c.json"));
}

#[test]
fn the_day_counts_with_a_waiver_that_ends_and_not_without() {
    let on = |text: &str, day: &str| {
        planned(text, &Scene { today: day.parse().unwrap(), ..Scene::new("") }).digest
    };
    assert_eq!(on(TABLES, "2026-11-20"), on(TABLES, "2027-06-01"));
    let findings = planned(TABLES, &Scene::new("")).findings;
    let covered = findings.iter().find(|finding| finding.rule.waivable()).unwrap();
    let waiver = WAIVER
        .replace("BYOB029", covered.rule.id())
        .replace("address = \"bucket.a\"", &format!("address = \"{}\"", covered.address));
    let waived = edited("#k", &waiver);
    assert_eq!(on(&waived, "2026-11-20"), on(&waived, "2026-12-31"));
    assert_ne!(on(&waived, "2026-12-31"), on(&waived, "2027-01-01"));
}

/// Blocks of lines, and the lines of each that may stand in any order.
fn blocks() -> Vec<(String, Vec<String>)> {
    let mut blocks: Vec<(String, Vec<String>)> = Vec::new();
    let mut value = String::new();
    for line in TABLES.lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix('[') {
            Some(_) if !line.contains('=') => blocks.push((line.to_owned(), Vec::new())),
            _ => {
                value.push_str(line);
                value.push('\n');
                // A value over several lines is one.
                if value.matches('[').count() == value.matches(']').count() {
                    blocks.last_mut().unwrap().1.push(std::mem::take(&mut value));
                }
            }
        }
    }
    blocks
}

/// A configuration and a world that was changed behind its back, in every aspect that can be.
fn tampered() -> Scene {
    let tables = "[bucket.a]\nname = \"acme-a\"\ntls_only = true\nversioning = \"enabled\"\nlogging = { target_bucket = \"acme-logs\" }\n\
                  object_lock = { mode = \"governance\", days = 3 }\nencryption = { type = \"sse-kms\", key = \"key.k\" }\n\
                  [key.k]\nalias = \"k\"\ndescription = \"d\"\n";
    let mut scene = Scene::new(tables);
    scene.world.make_bucket("acme-logs", "us-east-1");
    scene.apply();
    scene
}

fn kinds(scene: &Scene) -> Vec<(byob_model::Address, String)> {
    let desired = scene.desired();
    let mut all = Vec::new();
    for (address, root) in &desired.roots {
        let identity = scene.recorded.root(address).unwrap().identity.clone();
        let aspects = root.aspects.keys().map(|kind| address.aspect(*kind)).chain([address.address()]);
        all.extend(aspects.map(|at| (at, identity.clone())));
    }
    all
}

fn tampered_at(scene: &Scene, at: &byob_model::Address, identity: &str) -> Option<Scene> {
    let desired = scene.desired();
    let root = &desired.roots[&at.root()];
    let mut changed = scene.clone();
    tamper(&mut changed.world, at, root, identity, root.managed(at.kind)).then_some(changed)
}

#[test]
fn every_aspect_of_live_state_that_changed_gives_a_digest_of_its_own() {
    let scene = tampered();
    let mut digests = BTreeSet::from([scene.plan().digest]);
    let mut changed = 0;
    for (at, identity) in kinds(&scene) {
        let Some(other) = tampered_at(&scene, &at, &identity) else { continue };
        changed += 1;
        assert!(digests.insert(other.plan().digest), "{at}");
    }
    assert!(changed >= 13, "{changed}");
}

#[test]
fn what_is_not_ours_in_live_state_gives_no_other_digest() {
    let scene = tampered();
    let digest = scene.plan().digest;
    let same = |change: &dyn Fn(&mut Scene)| {
        let mut other = scene.clone();
        change(&mut other);
        assert_eq!(other.plan().digest, digest);
    };
    same(&|s| drop(s.world.bucket("acme-a").tags.insert("Theirs".into(), "x".into())));
    same(&|s| s.world.bucket("acme-a").holds_data = true);
    same(&|s| s.world.bucket("acme-logs").cors.clear());
    same(&|s| s.world.make_bucket("somebodys", "eu-west-1").holds_data = true);
    same(&|s| drop(s.world.aliases.insert(("us-east-1".into(), "alias/theirs".into()), "x".into())));
    let arn = scene.world.arn("us-east-1", "k");
    same(&|s| drop(s.world.key(&arn).tags.insert("Theirs".into(), "x".into())));
}

#[test]
fn what_only_the_record_is_about_gives_no_other_digest() {
    let scene = tampered();
    let digest = scene.plan().digest;
    let same = |change: &dyn Fn(&mut Recorded)| {
        let mut other = scene.clone();
        change(&mut other.recorded);
        assert_eq!(other.plan().digest, digest);
    };
    same(&|r| r.serial += 1);
    same(&|r| r.lineage = Some(crate::scene::OTHER_LINEAGE));
    same(&|r| r.written_at = Some(7));
    same(&|r| r.approval = None);
    same(&|r| r.approval.as_mut().unwrap().digest = "sha256:0".into());
    let bucket: byob_model::Address = "bucket.a".parse().unwrap();
    let key = || "arn:aws:kms:us-east-1:123456789012:key/x".to_owned();
    same(&|r| r.resources.get_mut(&bucket).unwrap().keys_used.extend([key()]));
}

/// What is put on a bucket that goes, or that is left alone, hangs on what stands there: whoever agreed to one did not agree
/// to the other.
#[test]
fn what_is_put_where_a_root_goes_counts() {
    let reference = "[bucket.k]\nname = \"acme-k\"\n[bucket.a]\nname = \"acme-a\"\npurpose = \"reference\"\n";
    let doomed = "[bucket.k]\nname = \"acme-k\"\n[bucket.a]\nname = \"acme-a\"\nprotect = false\nforce_destroy = true\ntls_only = true\n";
    let strange = json!({"Sid": "Theirs", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999999999999:root"},
        "Action": "s3:*", "Resource": "arn:aws:s3:::acme-a/*"});
    let deny = json!({"Sid": "No", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": "arn:aws:s3:::acme-a/*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
    for tables in [reference, doomed] {
        let mut scene = Scene::new(tables);
        if tables == reference {
            scene.world.make_bucket("acme-a", "us-east-1");
            scene.import("bucket.a");
        }
        scene.apply();
        let scene = scene.with("[bucket.k]\nname = \"acme-k\"\n");
        let with = |more: &[&Value]| {
            let mut other = scene.clone();
            let bucket = other.world.bucket("acme-a");
            let mut text =
                bucket.policy.as_ref().map_or_else(|| json!({"Statement": []}), |p| p.document.to_value());
            text["Statement"].as_array_mut().unwrap().extend(more.iter().map(|one| (*one).clone()));
            bucket.policy = Some(Policy { document: Document::from_value(&text).unwrap() });
            other.plan()
        };
        let (none, denied, both) = (with(&[]), with(&[&deny]), with(&[&strange, &deny]));
        assert_ne!(none.digest, denied.digest, "{tables}");
        assert!(tables == doomed || denied.digest != both.digest, "{tables}");
        let put =
            denied.steps.iter().flat_map(|step| &step.puts).find(|put| put.operation == "PutBucketPolicy");
        assert!(put.unwrap().document.to_string().contains("aws:securetransport"), "{:#?}", denied.steps);
        assert!(denied.steps.iter().any(|step| step.identity.as_deref() == Some("acme-a")));
        // An open approval of the one is none of the other.
        let open = byob_plan::approval::open(&none);
        let standing = byob_plan::approval::standing(&denied, &none.digest, Some(&open));
        assert!(matches!(standing, byob_plan::approval::Standing::Stale(_)), "{tables}: {standing:?}");
    }
}

/// A key that was made again at the same address is another key.
#[test]
fn to_delete_another_key_is_another_plan() {
    let tables = "[bucket.a]\nname = \"acme-a\"\n[key.k]\nalias = \"k\"\nprotect = false\n";
    let scene = Scene::applied(tables);
    let plan = scene.with("[bucket.a]\nname = \"acme-a\"\n").plan();
    let arn = scene.world.arn("us-east-1", "k");
    assert_eq!(plan.steps[0].identity, Some(arn.clone()));
    let mut other = scene.clone();
    let of_key = other.recorded.resources.values_mut().filter(|resource| resource.identity == arn);
    of_key.for_each(|resource| resource.identity = format!("{arn}-2"));
    let key = other.world.keys.remove(&arn).unwrap();
    other.world.keys.insert(format!("{arn}-2"), key);
    other.world.aliases.values_mut().for_each(|to| *to = format!("{arn}-2"));
    let again = other.with("[bucket.a]\nname = \"acme-a\"\n").plan();
    assert_eq!(again.steps[0].changes, plan.steps[0].changes);
    assert_ne!(again.digest, plan.digest);
}

/// Every leaf of a document, as a JSON Pointer.
fn leaves_of(value: &Value, at: &str, all: &mut Vec<String>) {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(object) if !object.is_empty() => {
            object.iter().for_each(|(key, inner)| leaves_of(inner, &format!("{at}/{}", escaped(key)), all));
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().enumerate().for_each(|(n, inner)| leaves_of(inner, &format!("{at}/{n}"), all));
        }
        _ => all.push(at.to_owned()),
    }
}

/// Another value that the same field can have.
fn other(value: &Value) -> Value {
    match value {
        Value::Bool(known) => (!known).into(),
        Value::Number(known) => (known.as_u64().unwrap() + 1).into(),
        Value::Array(items) => Value::Array(items.iter().skip(1).cloned().chain(["other".into()]).collect()),
        Value::String(known) => match known.as_str() {
            "Enabled" => "Suspended".into(),
            "GOVERNANCE" => "COMPLIANCE".into(),
            "aws:kms" => "AES256".into(),
            "blocked" => "allowed".into(),
            "storage" => "reference".into(),
            "BucketOwnerEnforced" => "ObjectWriter".into(),
            known => format!("{known}-x").into(),
        },
        _ => Value::Null,
    }
}

#[test]
fn every_recorded_leaf_counts_where_live_state_differs_and_none_where_it_is_as_configured() {
    let scene = tampered();
    let settled = scene.plan().digest;
    let mut counted = 0;
    for (at, identity) in kinds(&scene) {
        let Some(changed) = tampered_at(&scene, &at, &identity) else { continue };
        let before = changed.plan().digest;
        let mut leaves = Vec::new();
        leaves_of(&changed.recorded.resources[&at].attributes, "", &mut leaves);
        for leaf in leaves {
            let perturbed = |scene: &Scene| {
                let mut scene = scene.clone();
                let value = scene.at(&at.to_string()).attributes.pointer_mut(&leaf).unwrap();
                let new = other(value);
                if new == *value {
                    return None;
                }
                *value = new;
                // What is no document of its kind is no record that could be read.
                scene.recorded.resources[&at].typed().ok().map(|_| scene.plan())
            };
            let Some(plan) = perturbed(&changed) else { continue };
            let whose = leaf.ends_with("/exclusive");
            if whose {
                continue;
            }
            counted += 1;
            assert_ne!(plan.digest, before, "{at}{leaf}");
            // Where live state is as configured the record is only brought up to date; what AWS does not hold is compared
            // with the record itself.
            let held = at.kind != byob_model::Kind::Bucket && at.kind != byob_model::Kind::Key;
            if let Some(plan) = perturbed(&scene).filter(|_| held) {
                assert_eq!(plan.digest, settled, "{at}{leaf}");
            }
        }
    }
    assert!(counted > 25, "{counted}");
}

#[test]
fn who_owns_and_what_is_not_seen_counts() {
    let scene = tampered();
    let settled = scene.plan().digest;
    let live = scene.world.read(&wanted(Some(&scene.desired()), &scene.recorded));
    for (name, bucket) in &live.buckets {
        assert!(
            matches!(bucket, LiveBucket::Exists(facts) if !facts.aspects.values().any(|a| *a == LiveAspect::Refused)),
            "{name}"
        );
    }
    for change in [
        (|s: &mut Scene| drop(s.world.buckets.remove("acme-a"))) as fn(&mut Scene),
        |s| s.world.bucket("acme-a").forbidden = Some(Some(false)),
        |s| s.world.keys.values_mut().for_each(|key| key.forbidden = true),
        |s| s.world.bucket("acme-a").abac = true,
        |s| s.recorded.resources.retain(|at, _| at.root().kind == RootKind::Key),
    ] {
        let mut other = scene.clone();
        change(&mut other);
        assert_ne!(other.plan().digest, settled);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn order_white_space_and_comments_are_not_in_the_digest(
        blocks in Just(blocks()).prop_shuffle(), seed in any::<u64>(),
    ) {
        let mut random = seed;
        let mut next = |n: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(random >> 33).unwrap() % n.max(1)
        };
        let mut text = String::new();
        for (head, lines) in &blocks {
            let mut lines = lines.clone();
            (1..lines.len()).rev().for_each(|n| lines.swap(n, next(n + 1)));
            text.push_str(&format!("{}{head}{}\n", " ".repeat(next(3)), ["", " # a word", "\t"][next(3)]));
            for line in lines {
                let space = " ".repeat(1 + next(3));
                text.push_str(&line.replacen(" = ", &format!("{space}={space}"), 1));
                text.push_str(["", "\n", "# another\n"][next(3)]);
            }
        }
        let scene = Scene::new("");
        prop_assert_eq!(planned(&text, &scene).digest, planned(TABLES, &scene).digest, "{}", text);
    }

    #[test]
    fn two_different_changes_never_have_one_digest(first in 0..MATTERS.len(), second in 0..MATTERS.len()) {
        let ((.., old, new), (.., other_old, other_new)) = (MATTERS[first], MATTERS[second]);
        let (one, two) = (edited(old, new), edited(other_old, other_new));
        let scene = Scene::new("");
        let same = planned(&one, &scene).digest == planned(&two, &scene).digest;
        prop_assert_eq!(same, one == two, "{}\n{}", new, other_new);
    }
}

#[test]
fn the_harness_reads_what_scenes_read() {
    // The same as a scene's own file, where there is nothing but tables.
    let tables = "[bucket.a]\nname = \"acme-a\"\n";
    let text = file(tables).replacen("version = 1\n", "", 1);
    assert_eq!(planned(&text, &Scene::new("")).digest, Scene::new(tables).plan().digest);
}
