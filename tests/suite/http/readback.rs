//! What boto3 reads back after an apply, value by value against the table of defaults, for both encryptions and both
//! purposes; and that nothing is left to change then, whatever fresh defaults the endpoint has.

use serde_json::{Value, json};

use super::harness::{Customer, Endpoint, at_both_places, kms, s3};
use super::look;

at_both_places! {
    a_storage_bucket_with_sse_s3;
    a_storage_bucket_with_sse_kms;
    an_imported_reference_bucket;
    an_imported_reference_bucket_with_a_key;
    created_roots_carry_the_proof;
}

const DEDICATED_CLOUD: &str = "arn:aws:iam::830241207209:root";
const MULTI_TENANT_CLOUD: &str = "arn:aws:iam::725579432336:role/WandbIntegration";

/// Applies, and insists that then nothing differs, nothing drifts, and a second apply does nothing.
fn apply(customer: &Customer) {
    customer.byob("apply --auto-approve", 0);
    customer.byob("plan --detailed-exitcode", 0);
    customer.byob("drift", 0);
    let again = customer.byob("apply --auto-approve", 0);
    assert!(again.stderr.contains("nothing to do"), "a second apply says:\n{}{}", again.stdout, again.stderr);
}

/// `BlockedEncryptionTypes` is never returned by moto.
fn encryption(customer: &Customer, default: &Value, bucket_key: bool) -> Value {
    let mut rule = json!({ "ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": bucket_key });
    if !customer.endpoint.is_moto() {
        rule["BlockedEncryptionTypes"] = json!({ "EncryptionType": ["SSE-C"] });
    }
    json!([rule])
}

/// The table of defaults for `purpose = "storage"`.
fn storage_defaults(name: &str, address: &str, encryption: &Value) -> Value {
    json!({
        "encryption": encryption,
        "policy": { "Version": "2012-10-17", "Statement": [{
            "Sid": "WandbAccountAccess", "Effect": "Allow", "Principal": { "AWS": [DEDICATED_CLOUD] },
            "Action": [
                "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetBucketCORS", "s3:GetBucketLocation",
                "s3:GetBucketVersioning", "s3:GetEncryptionConfiguration", "s3:GetObject*", "s3:ListBucket",
                "s3:ListBucketMultipartUploads", "s3:ListBucketVersions", "s3:PutObject",
            ],
            "Resource": [format!("arn:aws:s3:::{name}"), format!("arn:aws:s3:::{name}/*")],
        }]},
        "cors": [{
            "AllowedHeaders": ["*"], "AllowedMethods": ["GET", "HEAD", "PUT"], "AllowedOrigins": ["*"],
            "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 3000,
        }],
        "public_access_block": {
            "BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true,
            "RestrictPublicBuckets": true,
        },
        "ownership": "BucketOwnerEnforced",
        "tags": { "Namespace": "WeightsBiases", "byob:address": address, "byob:stack": "default" },
        "versioning": null,
        "lifecycle": null,
        "logging": null,
        "object_lock": null,
    })
}

fn wandb_on_key(principal: &str, actions: &[&str], account: &str) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [
        {
            "Sid": "ByobAccount", "Effect": "Allow",
            "Principal": { "AWS": [format!("arn:aws:iam::{account}:root")] },
            "Action": ["kms:*"], "Resource": ["*"],
        },
        {
            "Sid": "WandbAccountAccess", "Effect": "Allow", "Principal": { "AWS": [principal] },
            "Action": actions, "Resource": ["*"],
        },
    ]})
}

fn a_storage_bucket_with_sse_s3(endpoint: &'static Endpoint) {
    let tables = "[bucket.storage]\nname = \"UNIQUE-storage\"\n";
    let customer = Customer::new(endpoint, "dedicated-cloud", tables);
    apply(&customer);
    let name = customer.name("storage");
    let sse_s3 = encryption(&customer, &json!({ "SSEAlgorithm": "AES256" }), false);
    let expected = storage_defaults(&name, "bucket.storage", &sse_s3);
    assert_eq!(look::bucket(&customer, &name), expected);
}

fn a_storage_bucket_with_sse_kms(endpoint: &'static Endpoint) {
    let tables = "[bucket.storage]\nname = \"UNIQUE-storage\"\n\
                  encryption = { type = \"sse-kms\", key = \"key.storage\" }\n\
                  [key.storage]\nalias = \"UNIQUE-storage\"\n";
    let customer = Customer::new(endpoint, "dedicated-cloud", tables);
    apply(&customer);
    let (name, arn) = (customer.name("storage"), customer.identity("key.storage"));
    let sse_kms = encryption(&customer, &json!({ "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn }), true);
    let expected = storage_defaults(&name, "bucket.storage", &sse_kms);
    assert_eq!(look::bucket(&customer, &name), expected);
    assert_eq!(
        look::key(&customer, &arn),
        json!({
            "description": "Encrypts storage for Weights & Biases (byob stack default)",
            "state": "Enabled",
            "usage": "ENCRYPT_DECRYPT",
            "policy": wandb_on_key(
                DEDICATED_CLOUD,
                &["kms:Decrypt", "kms:Describe*", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
                &endpoint.account,
            ),
            "rotation": true,
            "period": period(endpoint),
            "tags": { "Namespace": "WeightsBiases", "byob:address": "key.storage", "byob:stack": "default" },
            "aliases": [format!("alias/{}", customer.name("storage"))],
        })
    );
}

/// moto takes the rotation period and never returns it.
fn period(endpoint: &Endpoint) -> Value {
    if endpoint.is_moto() { Value::Null } else { json!(365) }
}

/// A bucket that others made and use, with a statement, a CORS rule, a lifecycle and a tag of theirs.
fn their_bucket(customer: &Customer) -> String {
    let name = customer.name("media");
    let statement = json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": "Analysts", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::444455556666:root" },
        "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{name}/*"),
    }]});
    let cors = json!({ "CORSRules": [{
        "ID": "portal", "AllowedMethods": ["GET"], "AllowedOrigins": ["https://portal.example.com"],
    }]});
    let lifecycle = json!({ "Rules": [{
        "ID": "old", "Status": "Enabled", "Filter": { "Prefix": "raw/" }, "Expiration": { "Days": 900 },
    }]});
    customer.boto(&[
        s3("create_bucket", json!({ "Bucket": name })),
        s3("put_bucket_policy", json!({ "Bucket": name, "Policy": statement.to_string() })),
        s3("put_bucket_cors", json!({ "Bucket": name, "CORSConfiguration": cors })),
        s3(
            "put_bucket_lifecycle_configuration",
            json!({ "Bucket": name, "LifecycleConfiguration": lifecycle }),
        ),
        s3(
            "put_bucket_tagging",
            json!({ "Bucket": name, "Tagging": { "TagSet": [{ "Key": "Team", "Value": "vision" }] } }),
        ),
    ]);
    name
}

/// What theirs is to be once W&B may read it: everything as it was, and our statement and our rule beside theirs.
fn with_wandb(theirs: &Value, name: &str) -> Value {
    let mut expected = theirs.clone();
    expected["policy"]["Statement"].as_array_mut().unwrap().push(json!({
        "Sid": "WandbAccountAccess", "Effect": "Allow", "Principal": { "AWS": [MULTI_TENANT_CLOUD] },
        "Action": ["s3:GetObject"], "Resource": [format!("arn:aws:s3:::{name}/*")],
    }));
    expected["cors"].as_array_mut().unwrap().push(json!({
        "ID": "byob-wandb", "AllowedHeaders": ["*"], "AllowedMethods": ["GET", "HEAD"],
        "AllowedOrigins": ["https://wandb.ai"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 3000,
    }));
    sorted(expected)
}

/// In which order statements and rules of different owners stand says nothing here: by their names.
fn sorted(mut bucket: Value) -> Value {
    for (list, name) in [("/policy/Statement", "Sid"), ("/cors", "ID")] {
        if let Some(list) = bucket.pointer_mut(list).and_then(Value::as_array_mut) {
            list.sort_by_key(|entry| entry[name].to_string());
        }
    }
    bucket
}

fn an_imported_reference_bucket(endpoint: &'static Endpoint) {
    let tables = "[bucket.media]\nname = \"UNIQUE-media\"\npurpose = \"reference\"\n";
    let customer = Customer::new(endpoint, "multi-tenant-cloud", tables);
    let name = their_bucket(&customer);
    let theirs = look::bucket(&customer, &name);
    customer.byob("import bucket.media", 0);
    assert_eq!(look::bucket(&customer, &name), theirs, "import wrote to AWS");
    apply(&customer);
    assert_eq!(sorted(look::bucket(&customer, &name)), with_wandb(&theirs, &name));
}

fn an_imported_reference_bucket_with_a_key(endpoint: &'static Endpoint) {
    let tables = "[bucket.media]\nname = \"UNIQUE-media\"\npurpose = \"reference\"\n\
                  encryption = { type = \"sse-kms\", key = \"key.media\" }\n\
                  [key.media]\nalias = \"UNIQUE-media\"\nrotation_days = \"off\"\n";
    let customer = Customer::new(endpoint, "multi-tenant-cloud", tables);
    let name = their_bucket(&customer);
    // The key is theirs as well, with a policy that lets its account in and nobody else.
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": "Theirs", "Effect": "Allow",
        "Principal": { "AWS": format!("arn:aws:iam::{}:root", endpoint.account) },
        "Action": "kms:*", "Resource": "*",
    }]});
    let made = customer.boto(&[kms(
        "create_key",
        json!({ "Policy": policy.to_string(), "Description": "media", "Tags": [{ "TagKey": "Team", "TagValue": "vision" }] }),
    )]);
    let arn = made[0]["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
    customer.boto(&[
        kms(
            "create_alias",
            json!({ "AliasName": format!("alias/{}", customer.name("media")), "TargetKeyId": arn }),
        ),
        s3(
            "put_bucket_encryption",
            json!({ "Bucket": name, "ServerSideEncryptionConfiguration": { "Rules": [{
                "ApplyServerSideEncryptionByDefault": { "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn },
                "BucketKeyEnabled": true,
            }]}}),
        ),
    ]);
    let theirs = look::bucket(&customer, &name);
    let their_key = look::key(&customer, &arn);
    customer.byob("import bucket.media key.media", 0);
    assert_eq!(look::bucket(&customer, &name), theirs, "import wrote to AWS");
    assert_eq!(look::key(&customer, &arn), their_key, "import wrote to AWS");
    apply(&customer);

    let mut expected = with_wandb(&theirs, &name);
    let bucket = sorted(look::bucket(&customer, &name));
    // Encryption is managed here; whether SSE-C was blocked before is the endpoint's default.
    let sse_kms = json!({ "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn });
    expected["encryption"] = encryption(&customer, &sse_kms, true);
    assert_eq!(bucket, expected);
    assert_eq!(customer.identity("key.media"), arn);
    let key = look::key(&customer, &arn);
    assert_eq!(key["policy"], wandb_on_key(MULTI_TENANT_CLOUD, &["kms:Decrypt"], &endpoint.account));
    assert_eq!(key["tags"], json!({ "Team": "vision" }), "an imported key keeps the tags it has");
    assert_eq!(key["state"], json!("Enabled"));
}

/// What byob creates says who made it, when, and for which table; what it imports does not.
fn created_roots_carry_the_proof(endpoint: &'static Endpoint) {
    let tables = "[bucket.storage]\nname = \"UNIQUE-storage\"\n\
                  encryption = { type = \"sse-kms\", key = \"key.storage\" }\n\
                  [key.storage]\nalias = \"UNIQUE-storage\"\n";
    let customer = Customer::new(endpoint, "dedicated-cloud", tables);
    apply(&customer);
    let lineage = customer.record()["lineage"].clone();
    assert!(is_uuid(&lineage), "{lineage}");
    let bucket = look::bucket_tags(&customer, &customer.name("storage"));
    let key = look::key_tags(&customer, &customer.identity("key.storage"));
    for (tags, address) in [(&bucket, "bucket.storage"), (&key, "key.storage")] {
        assert_eq!(tags["byob:lineage"], lineage, "{address}");
        assert!(is_uuid(&tags["byob:intent"]), "{address}: {tags:?}");
        assert_eq!(tags["byob:address"], json!(address));
        assert_eq!(tags["byob:stack"], json!("default"));
    }
    assert_ne!(bucket["byob:intent"], key["byob:intent"]);
}

fn is_uuid(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.len() == 36 && text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
}
