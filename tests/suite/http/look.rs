//! What boto3 sees of a bucket or a key, as one JSON value a root. What two right answers may spell differently is made
//! equal here (a list of one and its element, the order of a set, what is absent and what is empty), and nothing else.

use serde_json::{Map, Value, json};

use super::harness::{Customer, kms, s3};

/// Codes that say that a bucket has no such thing.
const ABSENT: [&str; 9] = [
    "NoSuchBucketPolicy",
    "NoSuchCORSConfiguration",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchTagSet",
    "ObjectLockConfigurationNotFoundError",
    "OwnershipControlsNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
    "NoSuchConfiguration",
];

/// What proves that byob made a root; compared by the test that is about it alone.
const PROOF: [&str; 2] = ["byob:lineage", "byob:intent"];

/// A bucket's aspects, by their names in byob.
pub(crate) fn bucket(customer: &Customer, name: &str) -> Value {
    let get = |operation| s3(operation, json!({ "Bucket": name }));
    let answers = customer.ask(&[
        get("get_public_access_block"),
        get("get_bucket_ownership_controls"),
        get("get_bucket_encryption"),
        get("get_bucket_cors"),
        get("get_bucket_versioning"),
        get("get_bucket_lifecycle_configuration"),
        get("get_bucket_tagging"),
        get("get_bucket_logging"),
        get("get_object_lock_configuration"),
        get("get_bucket_policy"),
    ]);
    let answers: Vec<Value> =
        answers
            .into_iter()
            .map(|answer| {
                if answer.as_str().is_some_and(|code| ABSENT.contains(&code)) { Value::Null } else { answer }
            })
            .collect();
    json!({
        "public_access_block": answers[0]["PublicAccessBlockConfiguration"],
        "ownership": answers[1]["OwnershipControls"]["Rules"][0]["ObjectOwnership"],
        "encryption": answers[2]["ServerSideEncryptionConfiguration"]["Rules"],
        "cors": answers[3]["CORSRules"],
        "versioning": answers[4]["Status"],
        "lifecycle": lifecycle(&answers[5]["Rules"]),
        "tags": tags(&answers[6]["TagSet"], ["Key", "Value"]),
        "logging": answers[7]["LoggingEnabled"],
        "object_lock": object_lock(&answers[8]["ObjectLockConfiguration"]),
        "policy": policy(&answers[9]["Policy"]),
    })
}

/// A key's attributes and aspects, by their names in byob.
pub(crate) fn key(customer: &Customer, arn: &str) -> Value {
    let id = arn.rsplit('/').next().unwrap();
    let get = |operation| kms(operation, json!({ "KeyId": id }));
    let answers = customer.boto(&[
        get("describe_key"),
        kms("get_key_policy", json!({ "KeyId": id, "PolicyName": "default" })),
        get("get_key_rotation_status"),
        get("list_resource_tags"),
        get("list_aliases"),
    ]);
    let metadata = &answers[0]["KeyMetadata"];
    let aliases: Vec<&Value> =
        answers[4]["Aliases"].as_array().into_iter().flatten().map(|alias| &alias["AliasName"]).collect();
    json!({
        "description": metadata["Description"],
        "state": metadata["KeyState"],
        "usage": metadata["KeyUsage"],
        "policy": policy(&answers[1]["Policy"]),
        "rotation": answers[2]["KeyRotationEnabled"],
        "period": answers[2]["RotationPeriodInDays"],
        "tags": tags(&answers[3]["Tags"], ["TagKey", "TagValue"]),
        "aliases": aliases,
    })
}

/// All tags of a bucket, those that prove with the rest.
pub(crate) fn bucket_tags(customer: &Customer, name: &str) -> Map<String, Value> {
    all_tags(
        &customer.boto(&[s3("get_bucket_tagging", json!({ "Bucket": name }))])[0]["TagSet"],
        ["Key", "Value"],
    )
}

/// All tags of a key, those that prove with the rest.
pub(crate) fn key_tags(customer: &Customer, arn: &str) -> Map<String, Value> {
    let answer = customer.boto(&[kms("list_resource_tags", json!({ "KeyId": arn }))]).remove(0);
    all_tags(&answer["Tags"], ["TagKey", "TagValue"])
}

fn all_tags(list: &Value, [key, value]: [&str; 2]) -> Map<String, Value> {
    let tags = list.as_array().into_iter().flatten();
    tags.map(|tag| (tag[key].as_str().unwrap().to_owned(), tag[value].clone())).collect()
}

fn tags(list: &Value, names: [&str; 2]) -> Value {
    let mut tags = all_tags(list, names);
    tags.retain(|key, _| !PROOF.contains(&key.as_str()));
    if tags.is_empty() { Value::Null } else { Value::Object(tags) }
}

/// An empty filter and an empty prefix are one thing.
fn lifecycle(rules: &Value) -> Value {
    let mut rules = rules.clone();
    for rule in rules.as_array_mut().into_iter().flatten() {
        if rule["Filter"] == json!({}) || rule["Filter"] == json!({ "Prefix": "" }) {
            rule.as_object_mut().unwrap().remove("Filter");
        }
    }
    rules
}

/// No days and 0 days are one thing.
fn object_lock(lock: &Value) -> Value {
    let mut lock = lock.clone();
    if let Some(retention) = lock.pointer_mut("/Rule/DefaultRetention").and_then(Value::as_object_mut) {
        retention.retain(|_, value| *value != json!(0));
    }
    lock
}

/// The document, with its sets as sorted lists.
pub(crate) fn policy(text: &Value) -> Value {
    let Some(text) = text.as_str() else { return Value::Null };
    let mut document: Value = serde_json::from_str(text).unwrap();
    for statement in document["Statement"].as_array_mut().into_iter().flatten() {
        for set in ["/Action", "/Resource", "/Principal/AWS", "/Principal/Service"] {
            let Some(set) = statement.pointer_mut(set) else { continue };
            let mut all = match set.take() {
                Value::Array(all) => all,
                one => vec![one],
            };
            all.sort_by_key(ToString::to_string);
            *set = Value::Array(all);
        }
    }
    document
}
