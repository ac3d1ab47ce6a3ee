//! Configurations that are right, and what parsing promises for every text. Those that are wrong, with their exact
//! diagnostics, are golden files in `byob-render/tests/bad_configurations`.

use std::collections::BTreeSet;

use byob_policy::arn::Partition;
use proptest::prelude::*;

use super::shape::{self, Shape};
use crate::address::{Kind, RootAddress};
use crate::config::{
    Configuration, Deployment, EncryptionField, ForeignStatements, LogTarget, NameSource, RotationField,
    State, parse,
};
use crate::diagnostic::Diagnostic;
use crate::kind::{KeyFormat, KeyRef, PublicAccessBlock, Purpose, RetentionMode, SseC, VersioningStatus};

const EXAMPLE: &str = include_str!("../../../../../byob.toml.example");

const MINIMAL: &str = r#"
version = 1
[aws]
region = "us-east-1"
[wandb]
deployment = "multi-tenant-cloud"
[bucket.storage]
name_prefix = "acme"
"#;

/// Every field of every table.
const EVERYTHING: &str = r#"
version = 1
stack = "acme-wandb"
forget = ["bucket.old", "key.old"]

[aws]
region = "us-east-1"
account_id = "123456789012"
profile = "storage-admin"
assume_role = { role_arn = "arn:aws:iam::123456789012:role/ops/byob", external_id = "acme:1", session_name = "ci" }

[wandb]
deployment = "multi-tenant-cloud"
principals = ["arn:aws:iam::111122223333:role/wandb-node", "222233334444"]
egress = ["192.0.2.0/24", "198.51.100.7"]

[state.s3]
bucket = "acme-byob-state"
key = "wandb/byob.state.json"
region = "eu-west-1"
profile = "state"
assume_role = { role_arn = "arn:aws:iam::444455556666:role/state", session_name = "ci" }
kms_key = "arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
account_id = "555566667777"

[tags]
Namespace = "WeightsBiases"
"Cost Center" = "42 - ü"

[bucket.logs]
name_prefix = "acme"
name_salt = "2"
purpose = "storage"
object_ownership = "BucketOwnerPreferred"
public_access_block = false

[bucket.media]
name = "acme.media"
purpose = "reference"
extra_statements = [
  { Sid = "ByobExtraBackup", Effect = "Allow", Principal = { AWS = "arn:aws:iam::111122223333:root" }, Action = ["s3:GetObject", "s3:ListBucket"], Resource = ["arn:aws:s3:::acme.media", "arn:aws:s3:::acme.media/*"], Condition = { Bool = { "aws:SecureTransport" = true } } },
]

[bucket.vision]
name = "acme-wandb-vision"
region = "eu-west-1"
wandb_access = false
encryption = { type = "sse-kms", key = "key.vision", bucket_key = false }
sse_c = "allowed"
cors_origins = ["https://acme.wandb.io", "http://localhost:*"]
public_access_block = { block_public_acls = true, ignore_public_acls = true, block_public_policy = true, restrict_public_buckets = false }
tls_only = true
min_tls_version = "1.3"
allowed_source_ips = ["203.0.113.0/24", "2001:DB8::/32"]
allowed_vpc_endpoints = ["vpce-0123456789abcdef0"]
managers = ["arn:aws:iam::123456789012:role/Admin"]
policy_file = "policies/extra.json"
foreign_statements = "remove"
versioning = "enabled"
abort_incomplete_uploads_after_days = 7
noncurrent_expire_after_days = 30
logging = { target_bucket = "acme-logs-elsewhere", target_prefix = "s3/", key_format = "partitioned-by-event-time" }
object_lock = { mode = "compliance", years = 1 }
tags = { Owner = "platform" }
protect = false
force_destroy = true
path = "teams/vision"
unmanaged = ["ownership"]

[[bucket.vision.lifecycle]]
id = "media"
enabled = false
filter = { prefix = "media/", tags = { kind = "tmp" }, object_size_greater_than = 1, object_size_less_than = 1_000_000 }
expiration = { days = 400 }
transitions = [{ days = 30, storage_class = "STANDARD_IA" }, { days = 90, storage_class = "GLACIER" }]

[[bucket.vision.lifecycle]]
id = "rest"
filter = { prefix = "" }
abort_incomplete_multipart_upload_days = 3
expiration = { expired_object_delete_marker = true }
noncurrent_version_expiration = { days = 90, newer_versions = 3 }
noncurrent_version_transitions = [{ days = 30, newer_versions = 2, storage_class = "GLACIER_IR" }]

[[bucket.vision.lifecycle]]
id = "dates"
expiration = { date = 2028-02-29 }
transitions = [{ date = "2027-01-31", storage_class = "DEEP_ARCHIVE" }]

[key.vision]
alias = "wandb-vision"
region = "eu-west-1"
description = "W&B vision"
rotation_days = "off"
deletion_window_days = 7
protect = false
managers = ["arn:aws:iam::123456789012:user/ops"]
tags = { Owner = "platform" }

[[waive]]
rule = "BYOB034"
address = "bucket.logs"
reason = "logs come and go"
until = 2027-01-31

[[waive]]
rule = "BYOB049"
address = "key.vision.rotation"
reason = "rotated by hand"
until = "2027-06-30"
"#;

const POLICY: &str = r#"{
  "Version": "2012-10-17",
  "Statement": {
    "Sid": "Backup", "Effect": "Allow", "Principal": {"AWS": "111122223333"},
    "Action": "s3:GetObject", "Resource": "arn:aws:s3:::acme-wandb-vision/*"
  }
}"#;

fn read_file(path: &str) -> Result<String, String> {
    if path == "policies/extra.json" { Ok(POLICY.to_owned()) } else { Err("no such file".to_owned()) }
}

fn good(text: &str) -> Configuration {
    parse(text, &read_file).unwrap_or_else(|diagnostics| panic!("{diagnostics:#?}"))
}

fn bad(text: &str) -> Vec<Diagnostic> {
    parse(text, &read_file).expect_err("an error")
}

fn set<const N: usize>(texts: [&str; N]) -> BTreeSet<String> {
    texts.into_iter().map(str::to_owned).collect()
}

#[test]
fn the_example_is_the_design_s_and_is_accepted() {
    let file = good(EXAMPLE);
    assert_eq!(file.stack, "default");
    assert_eq!(file.wandb.deployment, Deployment::DedicatedCloud);
    assert_eq!(file.wandb.principals, set(["arn:aws:iam::830241207209:root"]));
    assert!(!file.wandb.principals_given);
    assert_eq!(file.buckets["storage"].encryption, Some(EncryptionField::SseS3));
    let vision = &file.buckets["vision"];
    assert_eq!((vision.region.as_str(), vision.partition), ("eu-west-1", Partition::Aws));
    let key = KeyRef::Managed { arn_of: RootAddress::key("vision") };
    assert_eq!(vision.encryption, Some(EncryptionField::SseKms { key, bucket_key: true }));
    assert_eq!(file.keys["vision"].alias, "alias/wandb-vision");
    assert_eq!(file.keys["vision"].region.as_deref(), Some("eu-west-1"));
    assert_eq!(file.keys["vision"].rotation, Some(RotationField::Days(365)));
}

#[test]
fn a_bucket_with_a_prefix_alone_is_complete_and_nothing_is_defaulted_that_must_be_told_from_the_default() {
    let file = good(MINIMAL);
    assert_eq!(file.wandb.principals, set(["arn:aws:iam::725579432336:role/WandbIntegration"]));
    assert_eq!(file.state, State::Path("state/byob.state.json".into()));
    let bucket = &file.buckets["storage"];
    assert_eq!(bucket.name, NameSource::Prefix { prefix: "acme".into(), salt: None });
    assert_eq!((bucket.region.as_str(), bucket.purpose), ("us-east-1", Purpose::Storage));
    assert!(bucket.wandb_access && bucket.protect && !bucket.force_destroy && !bucket.tls_only);
    assert_eq!((&bucket.encryption, bucket.sse_c, &bucket.cors_origins), (&None, None, &None));
    assert_eq!((bucket.public_access_block, &bucket.object_ownership), (None, &None));
    assert_eq!((bucket.versioning, bucket.foreign_statements), (None, None));
}

/// Only what is certain: a profile of its own may be anybody's.
#[test]
fn the_bucket_of_the_record_is_of_whoever_uses_it_where_that_is_known() {
    let head = "version = 1\n[wandb]\ndeployment = \"dedicated-cloud\"\n[aws]\nregion = \"us-east-1\"\n";
    let role = "assume_role = { role_arn = \"arn:aws:iam::444455556666:role/state\" }";
    let account = "account_id = \"123456789012\"\n";
    for (aws, more, owner) in [
        ("", "", None),
        (account, "", Some("123456789012")),
        (account, "profile = \"state\"", None),
        (account, role, Some("444455556666")),
        ("", role, Some("444455556666")),
        (account, "account_id = \"555566667777\"", Some("555566667777")),
        ("", "profile = \"state\"\naccount_id = \"555566667777\"", Some("555566667777")),
    ] {
        let file = good(&format!("{head}{aws}[state.s3]\nbucket = \"acme-state\"\nkey = \"k\"\n{more}\n"));
        let State::S3(state) = &file.state else { panic!("{:?}", file.state) };
        assert_eq!(state.owner(&file.aws).as_deref(), owner, "{aws}{more}");
    }
}

#[test]
fn every_field_reaches_its_place() {
    let file = good(EVERYTHING);
    assert_eq!(file.stack, "acme-wandb");
    assert_eq!(file.forget, BTreeSet::from([RootAddress::bucket("old"), RootAddress::key("old")]));
    let State::S3(state) = &file.state else { panic!("{:?}", file.state) };
    assert_eq!((state.bucket.as_str(), state.key.as_str()), ("acme-byob-state", "wandb/byob.state.json"));
    // The role of the record may be in another account than `[aws]`'s.
    let role = state.assume_role.as_ref().map(|role| role.role_arn.as_str());
    assert_eq!(role, Some("arn:aws:iam::444455556666:role/state"));
    assert_eq!((state.region.as_deref(), state.profile.as_deref()), (Some("eu-west-1"), Some("state")));
    assert!(state.kms_key.as_ref().is_some_and(|key| key.starts_with("arn:aws:kms:eu-west-1:444455556666:")));
    assert_eq!(state.owner(&file.aws).as_deref(), Some("555566667777"));
    let waivers: Vec<String> = file
        .waivers
        .iter()
        .map(|w| format!("{} of {} until {}: {}", w.rule.id(), w.address, w.until, w.reason))
        .collect();
    let expected = [
        "BYOB034 of bucket.logs until 2027-01-31: logs come and go",
        "BYOB049 of key.vision.rotation until 2027-06-30: rotated by hand",
    ];
    assert_eq!(waivers, expected);
    assert_eq!(file.tags["Cost Center"], "42 - ü");
    let role = file.aws.assume_role.as_ref().expect("a role");
    assert_eq!((role.session_name.as_str(), role.external_id.as_deref()), ("ci", Some("acme:1")));
    let principals = ["arn:aws:iam::111122223333:role/wandb-node", "arn:aws:iam::222233334444:root"];
    assert_eq!(file.wandb.principals, set(principals));
    assert_eq!(file.wandb.egress, set(["192.0.2.0/24", "198.51.100.7/32"]));

    let logs = &file.buckets["logs"];
    assert_eq!(logs.name, NameSource::Prefix { prefix: "acme".into(), salt: Some("2".into()) });
    assert!(
        logs.public_access_block
            .is_some_and(|block| !block.block_public_acls && !block.restrict_public_buckets)
    );
    assert_eq!(logs.object_ownership.as_deref(), Some("BucketOwnerPreferred"));
    let media = &file.buckets["media"];
    assert_eq!((media.purpose, media.extra_statements.len()), (Purpose::Reference, 1));

    let vision = &file.buckets["vision"];
    assert!(matches!(vision.encryption, Some(EncryptionField::SseKms { bucket_key: false, .. })));
    assert_eq!((vision.sse_c, vision.wandb_access), (Some(SseC::Allowed), false));
    assert_eq!(vision.cors_origins, Some(set(["https://acme.wandb.io", "http://localhost:*"])));
    let block = PublicAccessBlock { restrict_public_buckets: false, ..PublicAccessBlock::ALL };
    assert_eq!(vision.public_access_block, Some(block));
    assert_eq!(vision.min_tls_version.as_deref(), Some("1.3"));
    assert_eq!(vision.allowed_source_ips, set(["203.0.113.0/24", "2001:db8::/32"]));
    assert_eq!(vision.extra_statements[0].sid.as_deref(), Some("Backup"));
    assert_eq!(vision.foreign_statements, Some(ForeignStatements::Remove));
    assert_eq!(vision.versioning, Some(VersioningStatus::Enabled));
    let logging = vision.logging.as_ref().expect("logging");
    assert_eq!(logging.target_bucket, LogTarget::Name("acme-logs-elsewhere".into()));
    assert_eq!(logging.key_format, Some(KeyFormat::PartitionedByEventTime));
    let lock = vision.object_lock.expect("object lock");
    assert_eq!((lock.mode, lock.days, lock.years), (Some(RetentionMode::Compliance), None, Some(1)));
    assert_eq!(vision.unmanaged, BTreeSet::from([Kind::Ownership]));
    assert_eq!(vision.path.as_deref(), Some("teams/vision"));

    let [media, rest, dates] = &vision.lifecycle[..] else { panic!("{:#?}", vision.lifecycle) };
    assert!(!media.enabled && rest.enabled);
    assert_eq!((media.filter.object_size_less_than, media.transitions.len()), (Some(1_000_000), 2));
    assert_eq!((&rest.filter.prefix, rest.abort_incomplete_multipart_upload_days), (&None, Some(3)));
    assert_eq!(rest.noncurrent_version_expiration.as_ref().and_then(|e| e.newer_versions), Some(3));
    assert_eq!(dates.expiration.as_ref().and_then(|e| e.date.as_deref()), Some("2028-02-29"));

    assert_eq!(file.keys["vision"].rotation, Some(RotationField::Off));
    assert_eq!(file.keys["vision"].deletion_window_days, 7);
}

#[test]
fn a_record_may_be_a_file_of_another_name() {
    let file = good(&format!("{MINIMAL}[state]\npath = \"records/byob.json\"\n"));
    assert_eq!(file.state, State::Path("records/byob.json".into()));
    assert!(file.spans.contains_key("state.path"));
}

#[test]
fn every_field_that_help_lines_promise_is_taken_and_has_a_span() {
    let file = good(EVERYTHING);
    let tables: [(&Shape, &[&str]); 18] = [
        (&shape::FILE, &[""]),
        (&shape::AWS, &["aws."]),
        (&shape::ASSUME_ROLE, &["aws.assume_role."]),
        (&shape::WANDB, &["wandb."]),
        (&shape::STATE, &["state."]),
        (&shape::STATE_S3, &["state.s3."]),
        (&shape::BUCKET, &["bucket.vision.", "bucket.logs.", "bucket.media."]),
        (&shape::ENCRYPTION, &["bucket.vision.encryption."]),
        (&shape::PUBLIC_ACCESS_BLOCK, &["bucket.vision.public_access_block."]),
        (&shape::LOGGING, &["bucket.vision.logging."]),
        (&shape::OBJECT_LOCK, &["bucket.vision.object_lock."]),
        (&shape::LIFECYCLE_RULE, &["bucket.vision.lifecycle.0.", "bucket.vision.lifecycle.1."]),
        (&shape::FILTER, &["bucket.vision.lifecycle.0.filter."]),
        (
            &shape::EXPIRATION,
            &[
                "bucket.vision.lifecycle.0.expiration.",
                "bucket.vision.lifecycle.1.expiration.",
                "bucket.vision.lifecycle.2.expiration.",
            ],
        ),
        (&shape::NONCURRENT_EXPIRATION, &["bucket.vision.lifecycle.1.noncurrent_version_expiration."]),
        (&shape::NONCURRENT_TRANSITION, &["bucket.vision.lifecycle.1.noncurrent_version_transitions.0."]),
        (&shape::KEY, &["key.vision."]),
        (&shape::WAIVE, &["waive.0."]),
    ];
    for (shape, paths) in tables {
        for (field, _) in shape.fields {
            // Mutually exclusive with `years`.
            if shape.title == shape::OBJECT_LOCK.title && *field == "days" {
                continue;
            }
            // And with `s3`.
            if shape.title == shape::STATE.title && *field == "path" {
                continue;
            }
            let found = paths.iter().find_map(|path| file.spans.get(&format!("{path}{field}")));
            assert!(found.is_some(), "{}: {field}", shape.title);
        }
    }
    let span = file.spans["bucket.vision.alias".replace("bucket", "key").as_str()];
    assert_eq!(&EVERYTHING[span.start..span.end], "\"wandb-vision\"");
    let span = file.spans["bucket.logs"];
    assert_eq!(&EVERYTHING[span.start..span.end], "[bucket.logs]");
}

#[test]
fn principals_and_arns_are_of_the_partition_of_the_regions() {
    let text = r#"
version = 1
[wandb]
deployment = "self-managed"
principals = ["111122223333"]
[bucket.storage]
region = "us-gov-west-1"
name = "acme-gov"
encryption = { type = "dsse-kms", key = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1234" }
"#;
    let file = good(text);
    assert_eq!(file.buckets["storage"].partition, Partition::AwsUsGov);
    assert_eq!(file.wandb.principals, set(["arn:aws-us-gov:iam::111122223333:root"]));
}

#[test]
fn a_key_that_no_bucket_names_has_the_region_it_says_or_none() {
    let with = |field: &str| {
        good(&format!("{MINIMAL}[key.spare]\nalias = \"spare\"\n{field}\n")).keys["spare"].region.clone()
    };
    assert_eq!(with(""), None);
    assert_eq!(with("region = \"eu-west-1\"").as_deref(), Some("eu-west-1"));
}

#[test]
fn an_empty_list_of_origins_is_not_an_absent_one() {
    assert_eq!(
        good(&format!("{MINIMAL}cors_origins = []\n")).buckets["storage"].cors_origins,
        Some(BTreeSet::new())
    );
}

#[test]
fn a_file_without_buckets_is_a_configuration() {
    let file = good("version = 1\n[wandb]\ndeployment = \"dedicated-cloud\"\n");
    assert!(file.buckets.is_empty() && file.keys.is_empty() && file.aws.region.is_none());
}

#[test]
fn secrets_of_the_other_side_are_not_repeated_in_messages() {
    let text = MINIMAL.replace(
        "region = \"us-east-1\"",
        "region = \"us-east-1\"\nassume_role = { role_arn = \"arn:aws:iam::123456789012:role/x\", external_id = \"top secret\" }",
    );
    let shown = format!("{:?}", bad(&text));
    assert!(shown.contains("external_id") && !shown.contains("top secret"), "{shown}");
}

#[test]
fn diagnostics_come_in_the_order_of_the_file() {
    let diagnostics = bad(&EVERYTHING.replace("true", "\"true\"").replace("[\"", "[7, \""));
    assert!(diagnostics.len() > 10);
    let starts: Vec<_> = diagnostics.iter().map(|d| d.span.map_or(usize::MAX, |span| span.start)).collect();
    assert!(starts.is_sorted(), "{diagnostics:#?}");
}

/// A text that was right before some of it was cut out, doubled, or replaced.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (
        any::<prop::sample::Index>(),
        0..40_usize,
        "\\PC{0,6}|[\\[\\]{}\"'=.,\n#0-9a-z]{0,6}",
        any::<bool>(),
    );
    (prop::sample::select(vec![EVERYTHING, EXAMPLE, MINIMAL]), prop::collection::vec(edit, 1..4)).prop_map(
        |(text, edits)| {
            let mut characters: Vec<char> = text.chars().collect();
            for (place, length, insert, is_double) in edits {
                let start = place.index(characters.len() + 1);
                let end = (start + length).min(characters.len());
                let cut: Vec<char> = characters[start..end].to_vec();
                let kept = if is_double { [cut.clone(), cut].concat() } else { Vec::new() };
                characters.splice(start..end, insert.chars().chain(kept));
            }
            characters.into_iter().collect()
        },
    )
}

fn promises(text: &str) -> Result<(), TestCaseError> {
    let result = parse(text, &read_file);
    let again = parse(text, &read_file);
    prop_assert_eq!(format!("{result:?}"), format!("{again:?}"));
    let spans: Vec<_> = match &result {
        Ok(file) => file.spans.values().copied().collect(),
        Err(diagnostics) => {
            prop_assert!(!diagnostics.is_empty());
            for diagnostic in diagnostics {
                prop_assert!(!diagnostic.message.is_empty() && !diagnostic.help.is_empty());
            }
            diagnostics.iter().filter_map(|diagnostic| diagnostic.span).collect()
        }
    };
    for span in spans {
        prop_assert!(text.get(span.start..span.end).is_some(), "{:?} in {} bytes", span, text.len());
    }
    Ok(())
}

proptest! {
    #[test]
    fn parsing_a_mutated_file_never_panics_and_is_deterministic(text in mutated()) {
        promises(&text)?;
    }

    #[test]
    fn parsing_any_text_never_panics(text in "\\PC{0,200}|[\\[\\]{}\"'=.,\n a-z0-9_]{0,200}") {
        promises(&text)?;
    }
}

#[test]
fn the_external_id_is_in_no_debug_output() {
    let text = "version = 1\n[aws]\nregion = \"eu-west-1\"\n\
                assume_role = { role_arn = \"arn:aws:iam::123456789012:role/byob\", external_id = \"planted-value\" }\n\
                [wandb]\ndeployment = \"dedicated-cloud\"\n";
    let file = good(text);
    assert_eq!(file.aws.assume_role.as_ref().unwrap().external_id.as_deref(), Some("planted-value"));
    assert!(!format!("{file:?}").contains("planted"));
}
