//! The rows of a bucket with every aspect but object lock: what happens to each behind byob's back, and what `drift` must
//! say of it.

use serde_json::{Value, json};

use super::drift::Row;
use super::harness::{Call, Customer, Endpoint, s3};
use super::look;

const BUCKET: &str = r#"
[bucket.full]
name = "UNIQUE-full"
encryption = { type = "sse-kms", key = "key.k" }
tls_only = true
versioning = "enabled"
abort_incomplete_uploads_after_days = 7
logging = { target_bucket = "UNIQUE-logs", target_prefix = "full/" }
tags = { Owner = "storage" }
[key.k]
alias = "UNIQUE-k"
"#;

pub(crate) fn setting(endpoint: &'static Endpoint) -> Customer {
    let customer = Customer::new(endpoint, "dedicated-cloud", BUCKET);
    let logs = customer.name("logs");
    // Where access logs go belongs to somebody else here; moto insists, rightly, that logs can be delivered there.
    let delivery = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "Service": "logging.s3.amazonaws.com" }, "Action": "s3:PutObject",
        "Resource": format!("arn:aws:s3:::{logs}/*"),
    }]});
    customer.boto(&[
        s3("create_bucket", json!({ "Bucket": logs })),
        s3("put_bucket_policy", json!({ "Bucket": logs, "Policy": delivery.to_string() })),
    ]);
    customer.byob("apply --auto-approve", 0);
    customer
}

fn encryption(bucket: &str, rule: &Value) -> Call {
    s3(
        "put_bucket_encryption",
        json!({ "Bucket": bucket, "ServerSideEncryptionConfiguration": { "Rules": [rule] } }),
    )
}

pub(crate) fn rows(customer: &Customer) -> Vec<Row> {
    let name = customer.name("full");
    let logs = customer.name("logs");
    let key = customer.identity("key.k");
    let other_key = format!("{}0000", &key[..key.len() - 4]);
    let b = |operation, more: Value| {
        let mut params = json!({ "Bucket": name });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        s3(operation, params)
    };
    let sse = |algorithm: &str, key: Option<&str>, bucket_key: bool, blocked: &str| {
        let mut default = json!({ "SSEAlgorithm": algorithm });
        if let Some(key) = key {
            default["KMSMasterKeyID"] = json!(key);
        }
        let rule = json!({
            "ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": bucket_key,
            "BlockedEncryptionTypes": { "EncryptionType": [blocked] },
        });
        vec![encryption(&name, &rule)]
    };
    let ours = look::bucket(customer, &name)["policy"].clone();
    let policy = |document: &Value| vec![b("put_bucket_policy", json!({ "Policy": document.to_string() }))];
    let mut without_tls = ours.clone();
    without_tls["Statement"].as_array_mut().unwrap().retain(|s| s["Sid"] != "ByobTlsOnly");
    let mut without_put = ours.clone();
    for statement in without_put["Statement"].as_array_mut().unwrap() {
        if let Some(actions) = statement["Action"].as_array_mut() {
            actions.retain(|action| action != "s3:PutObject");
        }
    }
    let mut with_another = ours.clone();
    with_another["Statement"].as_array_mut().unwrap().push(json!({
        "Sid": "Guest", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::444455556666:root" },
        "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{name}/*"),
    }));
    let cors = |change: &dyn Fn(&mut Value)| {
        let mut rules = look::bucket(customer, &name)["cors"].clone();
        change(&mut rules);
        vec![b("put_bucket_cors", json!({ "CORSConfiguration": { "CORSRules": rules } }))]
    };
    let block = |acls: bool, policy: bool| {
        let block = json!({
            "BlockPublicAcls": acls, "IgnorePublicAcls": true, "BlockPublicPolicy": policy,
            "RestrictPublicBuckets": true,
        });
        vec![b("put_public_access_block", json!({ "PublicAccessBlockConfiguration": block }))]
    };
    let abort = |days: u32| {
        json!({ "ID": "byob-abort-incomplete-uploads", "Status": "Enabled", "Filter": { "Prefix": "" },
                "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": days } })
    };
    let lifecycle = |rules: Value| {
        vec![b("put_bucket_lifecycle_configuration", json!({ "LifecycleConfiguration": { "Rules": rules } }))]
    };
    let tags = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
        let mut tags = look::bucket_tags(customer, &name);
        change(&mut tags);
        let set: Vec<Value> = tags.iter().map(|(k, v)| json!({ "Key": k, "Value": v })).collect();
        vec![b("put_bucket_tagging", json!({ "Tagging": { "TagSet": set } }))]
    };
    let logging = |status: Value| vec![b("put_bucket_logging", json!({ "BucketLoggingStatus": status }))];
    let delete = |operation| vec![b(operation, json!({}))];
    let row = |name, address, calls, changes| Row { name, calls, address, changes };

    vec![
        row(
            "encryption is weakened to SSE-S3",
            "bucket.full.encryption",
            sse("AES256", None, false, "SSE-C"),
            json!([
                ["/algorithm", "aws:kms", "AES256"],
                ["/bucket_key", true, false],
                ["/kms_key", key, null]
            ]),
        ),
        row(
            "encryption is put on another key",
            "bucket.full.encryption",
            sse("aws:kms", Some(&other_key), true, "SSE-C"),
            json!([["/kms_key", key, other_key]]),
        ),
        row(
            "the bucket key is switched off",
            "bucket.full.encryption",
            sse("aws:kms", Some(&key), false, "SSE-C"),
            json!([["/bucket_key", true, false]]),
        ),
        row(
            "SSE-C is allowed",
            "bucket.full.encryption",
            sse("aws:kms", Some(&key), true, "NONE"),
            json!([["/sse_c", "blocked", "allowed"]]),
        ),
        row(
            "encryption is deleted",
            "bucket.full.encryption",
            delete("delete_bucket_encryption"),
            // What is left on AWS is SSE-S3; on moto nothing.
            if customer.endpoint.is_moto() {
                json!([
                    ["/algorithm", "aws:kms", null],
                    ["/bucket_key", true, null],
                    ["/kms_key", key, null],
                    ["/sse_c", "blocked", null],
                ])
            } else {
                json!([
                    ["/algorithm", "aws:kms", "AES256"],
                    ["/bucket_key", true, false],
                    ["/kms_key", key, null]
                ])
            },
        ),
        row("a statement is taken out", "bucket.full.policy", policy(&without_tls), json!([[""]])),
        row("an action is taken out", "bucket.full.policy", policy(&without_put), json!([[""]])),
        row("a statement is put in", "bucket.full.policy", policy(&with_another), json!([[""]])),
        row("the policy is deleted", "bucket.full.policy", delete("delete_bucket_policy"), json!([[""]])),
        row(
            "one setting of the public access block is switched off",
            "bucket.full.public_access_block",
            block(true, false),
            json!([["/block_public_policy", true, false]]),
        ),
        row(
            "two settings of the public access block are switched off",
            "bucket.full.public_access_block",
            block(false, false),
            json!([["/block_public_acls", true, false], ["/block_public_policy", true, false]]),
        ),
        row(
            "the public access block is deleted",
            "bucket.full.public_access_block",
            delete("delete_public_access_block"),
            json!([
                ["/block_public_acls", true, null],
                ["/block_public_policy", true, null],
                ["/ignore_public_acls", true, null],
                ["/restrict_public_buckets", true, null],
            ]),
        ),
        row(
            "ownership is loosened",
            "bucket.full.ownership",
            vec![b(
                "put_bucket_ownership_controls",
                json!({ "OwnershipControls": { "Rules": [{ "ObjectOwnership": "BucketOwnerPreferred" }] } }),
            )],
            json!([["/object_ownership", "BucketOwnerEnforced", "BucketOwnerPreferred"]]),
        ),
        row(
            "ownership controls are deleted",
            "bucket.full.ownership",
            delete("delete_bucket_ownership_controls"),
            json!([["/object_ownership", "BucketOwnerEnforced", null]]),
        ),
        row(
            "uploads are taken out of CORS",
            "bucket.full.cors",
            cors(&|rules| rules[0]["AllowedMethods"] = json!(["GET", "HEAD"])),
            json!([["/rules/0/allowed_methods", ["GET", "HEAD", "PUT"], ["GET", "HEAD"]]]),
        ),
        row(
            "ETag is no longer exposed",
            "bucket.full.cors",
            cors(&|rules| drop(rules[0].as_object_mut().unwrap().remove("ExposeHeaders"))),
            json!([["/rules/0/expose_headers", ["ETag"], []]]),
        ),
        row(
            "CORS is deleted",
            "bucket.full.cors",
            delete("delete_bucket_cors"),
            json!([
                ["/rules/0/allowed_headers", ["*"], null],
                ["/rules/0/allowed_methods", ["GET", "HEAD", "PUT"], null],
                ["/rules/0/allowed_origins", ["*"], null],
                ["/rules/0/expose_headers", ["ETag"], null],
                ["/rules/0/max_age_seconds", 3000, null],
            ]),
        ),
        row(
            "versioning is suspended",
            "bucket.full.versioning",
            vec![b("put_bucket_versioning", json!({ "VersioningConfiguration": { "Status": "Suspended" } }))],
            json!([["/status", "Enabled", "Suspended"]]),
        ),
        row(
            "our lifecycle rule is changed",
            "bucket.full.lifecycle",
            lifecycle(json!([abort(9)])),
            json!([["/rules/0/abort_incomplete_multipart_upload_days", 7, 9]]),
        ),
        row(
            "a lifecycle rule that destroys runs is added by hand",
            "bucket.full.lifecycle",
            lifecycle(json!([
                abort(7),
                { "ID": "tidy", "Status": "Enabled", "Filter": { "Prefix": "tmp/" }, "Expiration": { "Days": 1 } },
            ])),
            json!([
                ["/rules/1/enabled", null, true],
                ["/rules/1/expiration/days", null, 1],
                ["/rules/1/expiration/expired_object_delete_marker", null, false],
                ["/rules/1/filter/prefix", null, "tmp/"],
                ["/rules/1/filter/tags", null, {}],
                ["/rules/1/id", null, "tidy"],
                ["/rules/1/noncurrent_version_transitions", null, []],
                ["/rules/1/transitions", null, []],
            ]),
        ),
        row(
            "the lifecycle is deleted",
            "bucket.full.lifecycle",
            delete("delete_bucket_lifecycle"),
            json!([
                ["/rules/0/abort_incomplete_multipart_upload_days", 7, null],
                ["/rules/0/enabled", true, null],
                ["/rules/0/filter/tags", {}, null],
                ["/rules/0/id", "byob-abort-incomplete-uploads", null],
                ["/rules/0/noncurrent_version_transitions", [], null],
                ["/rules/0/transitions", [], null],
            ]),
        ),
        row(
            "a tag is changed",
            "bucket.full.tags",
            tags(&|tags| drop(tags.insert("Owner".into(), json!("nobody")))),
            json!([["/Owner", "storage", "nobody"]]),
        ),
        row(
            "a tag is taken off",
            "bucket.full.tags",
            tags(&|tags| drop(tags.remove("Namespace"))),
            json!([["/Namespace", "WeightsBiases", null]]),
        ),
        row(
            "all tags are deleted",
            "bucket.full.tags",
            delete("delete_bucket_tagging"),
            json!([
                ["/Namespace", "WeightsBiases", null],
                ["/Owner", "storage", null],
                ["/byob:address", "bucket.full", null],
                ["/byob:stack", "default", null],
            ]),
        ),
        row(
            "access logs go elsewhere",
            "bucket.full.logging",
            logging(json!({ "LoggingEnabled": { "TargetBucket": logs, "TargetPrefix": "elsewhere/" } })),
            json!([["/target_prefix", "full/", "elsewhere/"]]),
        ),
        row(
            "logging is switched off",
            "bucket.full.logging",
            logging(json!({})),
            json!([
                ["/key_format", "simple", null],
                ["/target_bucket", logs, null],
                ["/target_prefix", "full/", null]
            ]),
        ),
    ]
}
