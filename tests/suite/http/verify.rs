//! `byob verify` over the network: pre-signed URLs and preflights by an ordinary HTTP client, and nothing left behind, as
//! boto3 sees it.

use serde_json::{Value, json};

use super::harness::{Call, Customer, Endpoint, at_both_places, s3};

at_both_places! {
    what_was_applied_is_proved_and_nothing_is_left;
    what_was_changed_fails;
}

/// A customer who has applied that; at the served sandbox with TLS only. moto takes a Deny with a condition for one
/// without, and then lets nobody in.
fn customer(endpoint: &'static Endpoint) -> Customer {
    let tables = match endpoint.is_moto() {
        true => TABLES.to_owned(),
        false => TABLES.replacen("cors_origins", "tls_only = true\ncors_origins", 1),
    };
    let customer = Customer::new(endpoint, "dedicated-cloud", &tables);
    customer.byob("apply --auto-approve", 0);
    customer
}

/// Checks that `moto_server` (5.2.5) fails whatever its buckets hold: a preflight, which nobody signs, it asks the bucket
/// policy about.
const NOT_ON_MOTO: [&str; 1] = ["cors https://acme.wandb.io"];

const TABLES: &str = "[bucket.files]\nname = \"UNIQUE-files\"\nversioning = \"enabled\"\n\
    cors_origins = [\"https://acme.wandb.io\"]\nencryption = { type = \"sse-kms\", key = \"key.files\" }\n\
    [key.files]\nalias = \"UNIQUE-files\"\n";

fn failures(endpoint: &Endpoint, report: &Value) -> Vec<String> {
    let checks = report["checks"].as_array().unwrap().iter();
    let failed =
        checks.filter(|check| check["outcome"] == "failed").map(|check| check["id"].as_str().unwrap());
    let known = |id: &&str| !endpoint.is_moto() || !NOT_ON_MOTO.contains(id);
    failed.filter(known).map(str::to_owned).collect()
}

/// What failed, whole.
fn failed(report: &Value) -> String {
    let checks = report["checks"].as_array().unwrap().iter();
    checks.filter(|check| check["outcome"] == "failed").map(|check| format!("{check:#}\n")).collect()
}

fn verified(customer: &Customer) -> Value {
    let output = customer.env().byob("verify --format json");
    assert!(matches!(output.code, Some(0 | 2)), "{output}");
    output.json()
}

#[track_caller]
fn nothing_left(customer: &Customer) {
    let list =
        |operation: &'static str| -> Call { s3(operation, json!({ "Bucket": customer.name("files") })) };
    let answers = customer.boto(&[list("list_object_versions"), list("list_multipart_uploads")]);
    for (answer, name) in [(0, "Versions"), (0, "DeleteMarkers"), (1, "Uploads")] {
        assert!(answers[answer][name].as_array().is_none_or(Vec::is_empty), "{name}: {}", answers[answer]);
    }
}

fn what_was_applied_is_proved_and_nothing_is_left(endpoint: &'static Endpoint) {
    let customer = customer(endpoint);
    let report = verified(&customer);
    assert_eq!(failures(endpoint, &report), [""; 0], "{}", failed(&report));
    if !endpoint.is_moto() {
        let plain = report["checks"].as_array().unwrap().iter().find(|check| check["id"] == "plain-http");
        // There is no TLS on loopback; the embedded AWS proves it in its own process.
        assert_eq!(plain.unwrap()["outcome"], "skipped");
    }
    nothing_left(&customer);
    customer.byob("drift", 0);
}

fn what_was_changed_fails(endpoint: &'static Endpoint) {
    let customer = customer(endpoint);
    let rule = json!({ "ServerSideEncryptionConfiguration": { "Rules": [
        { "ApplyServerSideEncryptionByDefault": { "SSEAlgorithm": "AES256" } } ] }, "Bucket": customer.name("files") });
    customer.boto(&[s3("put_bucket_encryption", rule)]);
    let report = verified(&customer);
    assert_eq!(failures(endpoint, &report), ["default-encryption", "encryption"], "{}", failed(&report));
    let url_secrets = ["X-Amz-Signature", "X-Amz-Credential"];
    let said = customer.env().byob("verify -v");
    for secret in url_secrets {
        assert!(!said.stdout.contains(secret) && !said.stderr.contains(secret), "{said}");
    }
    nothing_left(&customer);
}
