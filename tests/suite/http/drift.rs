//! Every aspect, changed and deleted behind byob's back: `drift` names it and nothing else, `apply` puts it back, and
//! then nothing drifts.
//!
//! Not deleted here, because AWS cannot delete it (versioning, object lock, a key's policy) or because what is left then
//! is the configuration (SSE-S3).

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};

use super::bucket_rows;
use super::harness::{Call, Customer, Endpoint, at_both_places, kms, s3};
use super::look;

at_both_places! {
    what_happens_to_a_bucket;
    what_happens_to_a_locked_bucket;
    what_happens_to_a_key;
    an_alias_on_another_key;
    foreign_tags_are_left_alone;
}

/// What happened behind byob's back, and what `drift` must say.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) calls: Vec<Call>,
    pub(crate) address: &'static str,
    /// `[path, recorded, live]` of every attribute; a policy's values are left out.
    pub(crate) changes: Value,
}

/// Rows that `moto_server` (5.2.5) cannot play, and why; the served sandbox plays them all.
const NOT_ON_MOTO: [(&str, &str); 2] = [
    ("SSE-C is allowed", "takes BlockedEncryptionTypes and never returns it"),
    ("rotation takes longer", "does not return the rotation period"),
];

/// Plays the rows one after the other on one customer; after a row that fails, on a new one, so that every row is heard.
fn play(
    endpoint: &'static Endpoint,
    setting: impl Fn() -> Customer,
    rows: impl Fn(&Customer) -> Vec<Row>,
    snapshot: impl Fn(&Customer) -> Value,
) {
    let mut customer = setting();
    let mut failed = Vec::new();
    let count = rows(&customer).len();
    for at in 0..count {
        let row = rows(&customer).remove(at);
        if endpoint.is_moto() && NOT_ON_MOTO.iter().any(|(name, _)| *name == row.name) {
            continue;
        }
        if catch_unwind(AssertUnwindSafe(|| run(&customer, &row, &snapshot))).is_err() {
            failed.push(row.name);
            customer = setting();
        }
    }
    assert!(failed.is_empty(), "{} of {count} rows failed at {}: {failed:#?}", failed.len(), endpoint.url);
}

fn run(customer: &Customer, row: &Row, snapshot: impl Fn(&Customer) -> Value) {
    let before = snapshot(customer);
    customer.boto(&row.calls);
    assert_ne!(snapshot(customer), before, "{}: boto3 changed nothing", row.name);
    drifts(customer, row);
    customer.byob("apply --auto-approve", 0);
    assert_eq!(snapshot(customer), before, "{}: after apply boto3 reads something else", row.name);
    customer.byob("drift", 0);
}

/// `drift` exits with 2 and names these attributes of this address, in JSON and in text, and nothing else.
fn drifts(customer: &Customer, row: &Row) {
    let name = row.name;
    let report = customer.byob("drift --format json", 2).json();
    let said: Vec<Value> = report["drift"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let leaf = |c: &Value| match c["path"].as_str() {
                Some("") => json!([""]),
                _ => json!([c["path"], c["before"], c["after"]]),
            };
            let changes: Vec<Value> = entry["changes"].as_array().unwrap().iter().map(leaf).collect();
            json!([entry["address"], changes])
        })
        .collect();
    assert_eq!(json!(said), json!([[row.address, row.changes]]), "{name}: drift says {report:#}");

    let text = customer.byob("drift", 2).stdout;
    let parts: Vec<&str> = row.address.splitn(3, '.').collect();
    let (root, aspect) = (parts[..2].join("."), parts.get(2).copied());
    let roots: BTreeSet<&str> = text
        .lines()
        .filter(|line| line.starts_with("bucket.") || line.starts_with("key."))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(roots, BTreeSet::from([root.as_str()]), "{name}: roots in\n{text}");
    let named: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("  ! ")?.split([' ', '.']).next()).collect();
    let expected: BTreeSet<&str> = match aspect {
        Some(aspect) => BTreeSet::from([aspect]),
        None => row.changes.as_array().unwrap().iter().map(|c| &c[0].as_str().unwrap()[1..]).collect(),
    };
    assert_eq!(named, expected, "{name}: aspects in\n{text}");
}

fn what_happens_to_a_bucket(endpoint: &'static Endpoint) {
    play(
        endpoint,
        || bucket_rows::setting(endpoint),
        bucket_rows::rows,
        |c| {
            let tags = look::bucket(c, &c.name("full"));
            json!([tags, look::key(c, &c.identity("key.k"))])
        },
    );
}

fn what_happens_to_a_locked_bucket(endpoint: &'static Endpoint) {
    let setting = || {
        let tables = "[bucket.locked]\nname = \"UNIQUE-locked\"\nversioning = \"enabled\"\n\
                      object_lock = { mode = \"governance\", days = 1 }\n";
        let customer = Customer::new(endpoint, "dedicated-cloud", tables);
        customer.byob("apply --auto-approve", 0);
        customer
    };
    let rows = |customer: &Customer| {
        let lock = |rule: Value| {
            let mut configuration = json!({ "ObjectLockEnabled": "Enabled" });
            if !rule.is_null() {
                configuration["Rule"] = json!({ "DefaultRetention": rule });
            }
            let params =
                json!({ "Bucket": customer.name("locked"), "ObjectLockConfiguration": configuration });
            vec![s3("put_object_lock_configuration", params)]
        };
        vec![
            Row {
                name: "retention takes longer",
                calls: lock(json!({ "Mode": "GOVERNANCE", "Days": 3 })),
                address: "bucket.locked.object_lock",
                changes: json!([["/days", 1, 3]]),
            },
            Row {
                name: "retention is counted in years",
                calls: lock(json!({ "Mode": "GOVERNANCE", "Years": 1 })),
                address: "bucket.locked.object_lock",
                changes: json!([["/days", 1, null], ["/years", null, 1]]),
            },
            Row {
                name: "retention by default is taken out",
                calls: lock(Value::Null),
                address: "bucket.locked.object_lock",
                changes: json!([["/days", 1, null], ["/mode", "GOVERNANCE", null]]),
            },
        ]
    };
    play(endpoint, setting, rows, |c| look::bucket(c, &c.name("locked")));
}

const KEY: &str = r#"
[key.k]
alias = "UNIQUE-k"
description = "storage of a test"
tags = { Owner = "storage" }
[bucket.b]
name = "UNIQUE-b"
encryption = { type = "sse-kms", key = "key.k" }
"#;

fn with_key(endpoint: &'static Endpoint) -> Customer {
    let customer = Customer::new(endpoint, "dedicated-cloud", KEY);
    customer.byob("apply --auto-approve", 0);
    customer
}

fn what_happens_to_a_key(endpoint: &'static Endpoint) {
    play(endpoint, || with_key(endpoint), rows_of_a_key, |c| look::key(c, &c.identity("key.k")));
}

fn rows_of_a_key(customer: &Customer) -> Vec<Row> {
    let arn = customer.identity("key.k");
    // The bare id: moto answers some of these calls with 500 for an ARN.
    let id = arn.rsplit('/').next().unwrap().to_owned();
    let k = |operation, more: Value| {
        let mut params = json!({ "KeyId": id });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        vec![kms(operation, params)]
    };
    let mut without_wandb = look::key(customer, &arn)["policy"].clone();
    without_wandb["Statement"].as_array_mut().unwrap().retain(|s| s["Sid"] != "WandbAccountAccess");
    let mut with_another = look::key(customer, &arn)["policy"].clone();
    with_another["Statement"].as_array_mut().unwrap().push(json!({
        "Sid": "Guest", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::444455556666:root" },
        "Action": "kms:Decrypt", "Resource": "*",
    }));
    let policy = |document: &Value| {
        k("put_key_policy", json!({ "PolicyName": "default", "Policy": document.to_string() }))
    };
    let alias = customer.name("k");
    let row = |name, address, calls, changes| Row { name, calls, address, changes };
    vec![
        row(
            "the description is changed",
            "key.k",
            k("update_key_description", json!({ "Description": "to be deleted" })),
            json!([["/description", "storage of a test", "to be deleted"]]),
        ),
        row(
            "the key is disabled",
            "key.k",
            k("disable_key", json!({})),
            json!([["/state", "Enabled", "Disabled"]]),
        ),
        row(
            "the key is scheduled for deletion",
            "key.k",
            k("schedule_key_deletion", json!({ "PendingWindowInDays": 7 })),
            json!([["/state", "Enabled", "PendingDeletion"]]),
        ),
        row("W&B is taken out of the key policy", "key.k.policy", policy(&without_wandb), json!([[""]])),
        row("somebody is put into the key policy", "key.k.policy", policy(&with_another), json!([[""]])),
        row(
            "rotation is switched off",
            "key.k.rotation",
            k("disable_key_rotation", json!({})),
            json!([["/enabled", true, null], ["/period_days", 365, null]]),
        ),
        row(
            "rotation takes longer",
            "key.k.rotation",
            k("enable_key_rotation", json!({ "RotationPeriodInDays": 2000 })),
            json!([["/period_days", 365, 2000]]),
        ),
        row(
            "a tag is changed",
            "key.k.tags",
            k("tag_resource", json!({ "Tags": [{ "TagKey": "Owner", "TagValue": "nobody" }] })),
            json!([["/Owner", "storage", "nobody"]]),
        ),
        row(
            "two tags are taken off",
            "key.k.tags",
            k("untag_resource", json!({ "TagKeys": ["Namespace", "byob:stack"] })),
            json!([["/Namespace", "WeightsBiases", null], ["/byob:stack", "default", null]]),
        ),
        row(
            "the alias is deleted",
            "key.k.alias",
            vec![kms("delete_alias", json!({ "AliasName": format!("alias/{alias}") }))],
            json!([["/name", format!("alias/{alias}"), null]]),
        ),
    ]
}

/// An alias that somebody put on another key is drift, and nothing that byob takes back by itself.
fn an_alias_on_another_key(endpoint: &'static Endpoint) {
    let customer = with_key(endpoint);
    let alias = format!("alias/{}", customer.name("k"));
    let ours = customer.identity("key.k").rsplit('/').next().unwrap().to_owned();
    let theirs = customer.boto(&[kms("create_key", json!({}))])[0]["KeyMetadata"]["KeyId"].clone();
    let point = |key: &Value| kms("update_alias", json!({ "AliasName": alias, "TargetKeyId": key }));
    customer.boto(&[point(&theirs)]);
    let moved = Row {
        name: "the alias is put on another key",
        calls: Vec::new(),
        address: "key.k.alias",
        changes: json!([["/name", alias, null]]),
    };
    drifts(&customer, &moved);
    let refused = customer.byob("apply --auto-approve", 1);
    let all = format!("{}{}", refused.stdout, refused.stderr);
    assert!(all.contains(&alias), "apply does not name the alias:\n{all}");
    let aliases = customer.boto(&[kms("list_aliases", json!({ "KeyId": theirs }))]).remove(0);
    assert_eq!(aliases["Aliases"][0]["AliasName"], json!(alias), "byob took the alias: {aliases}");
    customer.boto(&[point(&json!(ours))]);
    customer.byob("drift", 0);
    customer.byob("plan --detailed-exitcode", 0);
}

/// Tags of other people are no drift, and they are still there after ours were put back.
fn foreign_tags_are_left_alone(endpoint: &'static Endpoint) {
    let customer = with_key(endpoint);
    let (bucket, key) = (customer.name("b"), customer.identity("key.k"));
    let put = |tags: &serde_json::Map<String, Value>| {
        let set: Vec<Value> = tags.iter().map(|(k, v)| json!({ "Key": k, "Value": v })).collect();
        customer.boto(&[s3("put_bucket_tagging", json!({ "Bucket": bucket, "Tagging": { "TagSet": set } }))]);
    };
    let tag_key = |key_, value: &str| {
        let tags = json!([{ "TagKey": key_, "TagValue": value }]);
        customer.boto(&[kms("tag_resource", json!({ "KeyId": key, "Tags": tags }))]);
    };
    let mut tags = look::bucket_tags(&customer, &bucket);
    tags.insert("CostCenter".into(), json!("4711"));
    put(&tags);
    tag_key("CostCenter", "4711");
    customer.byob("drift", 0);
    customer.byob("plan --detailed-exitcode", 0);

    let bucket_before = look::bucket_tags(&customer, &bucket);
    let key_before = look::key_tags(&customer, &key);
    tags.insert("Namespace".into(), json!("else"));
    put(&tags);
    tag_key("Namespace", "else");
    let report = customer.byob("drift --format json", 2).json();
    let addresses: Vec<&Value> = report["drift"].as_array().unwrap().iter().map(|d| &d["address"]).collect();
    assert_eq!(json!(addresses), json!(["bucket.b.tags", "key.k.tags"]), "{report:#}");
    customer.byob("apply --auto-approve", 0);
    assert_eq!(look::bucket_tags(&customer, &bucket), bucket_before);
    assert_eq!(look::key_tags(&customer, &key), key_before);
    customer.byob("drift", 0);
}
