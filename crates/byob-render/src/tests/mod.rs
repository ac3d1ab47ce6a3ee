//! What users see, pinned. Plans are made by hand here, so that this crate's tests say nothing of the comparison.

mod access;
mod checks;
mod drift;
mod github;
mod hostile;
mod html;
mod junit;
mod log;
mod markdown;
mod plan;
mod policy;
mod progress;
mod sarif;
mod who;

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::Address;
use byob_model::call::{Call, Operation, Payload, Target};
use byob_model::kind::{
    Algorithm, Alias, Attributes, Bucket, Cors, CorsRule, Encryption, Key, KeyRef, KeyState, Lifecycle,
    LifecycleRule, Ownership, Policy, PublicAccessBlock, Purpose, Rotation, SseC, Tags, Waivers,
};
use byob_plan::access::AccessVerdict;
use byob_plan::diff::leaves;
use byob_plan::plan::{Account, Action, Drift, Mode, Plan, Step, Summary};
use byob_policy::Document;
use serde_json::{Value, json};

use crate::{Header, Style};

const WIDE: Style = Style { color: false, width: 100, notes: false };

fn header() -> Header {
    Header {
        config_file: "byob.toml".into(),
        stack: "default".into(),
        account_id: "123456789012".into(),
        buckets: 1,
        keys: 1,
        endpoint: "aws".into(),
        recorded: Some(("2026-11-20".into(), 41)),
        ..Header::default()
    }
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// A plan of these steps and this drift.
fn plan(steps: Vec<Step>, drift: Vec<Drift>) -> Plan {
    let number = |action| steps.iter().filter(|s| s.action == action).count();
    Plan {
        format_version: byob_plan::plan::FORMAT_VERSION,
        byob_version: "0.1.0".into(),
        accounts: vec![Account { account_id: "123456789012".into(), partition: "aws".into() }],
        endpoint: "aws".into(),
        mode: Mode::default(),
        config_digest: String::new(),
        state: None,
        summary: Summary {
            create: number(Action::Create),
            update: number(Action::Update),
            delete: number(Action::Delete),
            adopt: number(Action::Adopt),
            forget: number(Action::Forget),
            unchanged: 0,
            drifted: drift.len(),
        },
        steps,
        drift,
        access: Vec::new(),
        access_verdict: AccessVerdict::default(),
        ends: Vec::new(),
        findings: Vec::new(),
        digest: "sha256:3f9c0d6a5e1b7784920a6c1f5d3e8b9074a2c6d8e0f1a3b5c7d9e1f3a5b7c9d1".into(),
        already: Vec::new(),
        record: Vec::new(),
        attributes: 812,
        unsettled: BTreeSet::new(),
        made: BTreeMap::new(),
        names: BTreeMap::new(),
    }
}

/// A step as the comparison makes it: leaves between two sides, a call unless it has none.
fn step(at: &str, action: Action, before: Option<Attributes>, after: Option<Attributes>) -> Step {
    let at = address(at);
    let value = |side: &Option<Attributes>| side.as_ref().map_or(Value::Null, Attributes::to_value);
    Step {
        id: format!("{at}#1"),
        kind: at.kind,
        action,
        phase: 2,
        region: "eu-west-1".into(),
        account_id: "123456789012".into(),
        reason: match action {
            Action::Create => "part of a new root".into(),
            Action::Delete => "taken out of byob.toml".into(),
            _ => "changed in byob.toml".into(),
        },
        changes: leaves(&value(&before), &value(&after)),
        calls: vec![call(Operation::PutBucketTagging)],
        depends_on: Vec::new(),
        from: None,
        identity: None,
        puts: Vec::new(),
        document: Value::Null,
        record: Vec::new(),
        before,
        after,
        address: at,
    }
}

fn call(operation: Operation) -> Call {
    let target = Target::Bucket {
        name: "acme-wandb-vision".into(),
        region: "eu-west-1".into(),
        account_id: "123456789012".into(),
    };
    Call { operation, target, payload: Payload::None }
}

fn drift(at: &str, before: Option<Attributes>, after: Option<Attributes>) -> Drift {
    let at = address(at);
    let value = |side: &Option<Attributes>| side.as_ref().map_or(Value::Null, Attributes::to_value);
    let changes = leaves(&value(&before), &value(&after));
    Drift::judged(at, "123456789012", changes, (before, after))
}

fn bucket(protect: bool) -> Attributes {
    Attributes::Bucket(Bucket {
        name: "acme-wandb-vision".into(),
        region: "eu-west-1".into(),
        purpose: Purpose::Storage,
        protect,
        force_destroy: false,
        waivers: Waivers::new(),
    })
}

fn key() -> Attributes {
    Attributes::Key(Key {
        description: String::new(),
        state: KeyState::Enabled,
        deletion_window_days: 30,
        protect: true,
        waivers: Waivers::new(),
    })
}

fn tags(pairs: &[(&str, &str)]) -> Attributes {
    Attributes::Tags(Tags { tags: pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect() })
}

fn set(items: &[&str]) -> BTreeSet<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn cors(origins: &[&str]) -> CorsRule {
    CorsRule {
        id: Some("byob-wandb".into()),
        allowed_origins: set(origins),
        allowed_methods: set(&["GET", "HEAD", "PUT"]),
        allowed_headers: set(&["*"]),
        expose_headers: set(&["ETag"]),
        max_age_seconds: 3000,
    }
}

fn rules(rules: Vec<CorsRule>) -> Attributes {
    Attributes::Cors(Cors { rules, exclusive: true })
}

fn lifecycle(rules: Vec<LifecycleRule>) -> Attributes {
    Attributes::Lifecycle(Lifecycle { rules, exclusive: true })
}

fn lifecycle_rule(id: &str, days: u32) -> LifecycleRule {
    LifecycleRule {
        id: id.into(),
        enabled: true,
        filter: byob_model::kind::Filter::default(),
        abort_incomplete_multipart_upload_days: Some(days),
        expiration: None,
        noncurrent_version_expiration: None,
        transitions: Vec::new(),
        noncurrent_version_transitions: Vec::new(),
    }
}

fn encryption(kms_key: Option<KeyRef>) -> Attributes {
    Attributes::Encryption(Encryption {
        algorithm: if kms_key.is_some() { Algorithm::Kms } else { Algorithm::Aes256 },
        bucket_key: kms_key.is_some(),
        kms_key,
        sse_c: Some(SseC::Blocked),
    })
}

fn policy(statements: &[Value]) -> Attributes {
    let document = json!({ "Version": "2012-10-17", "Statement": statements });
    Attributes::Policy(Policy { document: Document::from_value(&document).unwrap() })
}

fn wandb() -> Value {
    json!({
        "Sid": "WandbAccountAccess", "Effect": "Allow",
        "Principal": { "AWS": "arn:aws:iam::830241207209:root" },
        "Action": [
            "s3:GetObject*", "s3:GetEncryptionConfiguration", "s3:ListBucket", "s3:ListBucketMultipartUploads",
            "s3:ListBucketVersions", "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:PutObject",
            "s3:GetBucketCORS", "s3:GetBucketLocation", "s3:GetBucketVersioning",
        ],
        "Resource": ["arn:aws:s3:::acme-wandb-vision", "arn:aws:s3:::acme-wandb-vision/*"],
    })
}

fn tls_only() -> Value {
    json!({
        "Sid": "ByobTlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": ["arn:aws:s3:::acme-wandb-vision", "arn:aws:s3:::acme-wandb-vision/*"],
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    })
}

fn vendor() -> Value {
    json!({
        "Sid": "VendorAdmin", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::830241207209:root" },
        "Action": "s3:*", "Resource": ["arn:aws:s3:::acme-wandb-vision", "arn:aws:s3:::acme-wandb-vision/*"],
    })
}

/// A key and a bucket on it, both new.
fn first_plan() -> Plan {
    let create = |at: &str, after| step(at, Action::Create, None, Some(after));
    let key_policy = policy(&[
        json!({
            "Sid": "ByobAccount", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::123456789012:root" },
            "Action": "kms:*", "Resource": "*",
        }),
        json!({
            "Sid": "WandbAccountAccess", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::830241207209:root" },
            "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
            "Resource": "*",
        }),
    ]);
    let labels =
        [("Namespace", "WeightsBiases"), ("byob:address", "bucket.vision"), ("byob:stack", "default")];
    let mut plan = plan(
        vec![
            create("key.vision", key()),
            create("key.vision.policy", key_policy),
            create(
                "key.vision.rotation",
                Attributes::Rotation(Rotation { enabled: true, period_days: Some(365) }),
            ),
            create("key.vision.tags", tags(&labels)),
            create("key.vision.alias", Attributes::Alias(Alias { name: "alias/wandb-vision".into() })),
            create("bucket.vision", bucket(true)),
            create("bucket.vision.tags", tags(&labels)),
            create(
                "bucket.vision.public_access_block",
                Attributes::PublicAccessBlock(PublicAccessBlock::ALL),
            ),
            create(
                "bucket.vision.ownership",
                Attributes::Ownership(Ownership { object_ownership: "BucketOwnerEnforced".into() }),
            ),
            create(
                "bucket.vision.encryption",
                encryption(Some(KeyRef::Managed { arn_of: byob_model::address::RootAddress::key("vision") })),
            ),
            create("bucket.vision.cors", rules(vec![cors(&["https://acme.wandb.io"])])),
            create("bucket.vision.policy", policy(&[wandb(), tls_only()])),
        ],
        Vec::new(),
    );
    plan.access = access::first_plan();
    plan.access_verdict.grows = byob_plan::access::Answer::Yes;
    plan
}

/// No escape, no format character, whatever stands in any value.
fn assert_harmless(text: &str) {
    assert!(!text.contains(|c: char| c != '\n' && crate::escape::is_escaped(c)), "{text:?}");
}
