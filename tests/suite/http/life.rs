//! The rest of a bucket's life over HTTP: approved by somebody who cannot write, protected, and destroyed.

use serde_json::json;

use super::harness::{Customer, Endpoint, at_both_places, kms, s3, writer_and_reader};
use super::look;

at_both_places! {
    a_plan_of_a_colleague_is_what_gets_applied;
    another_account_than_the_file_names_is_refused_before_anything_is_read;
    protection_is_taken_off_before_anything_is_destroyed;
    a_bucket_with_objects_is_not_destroyed_and_its_key_neither;
}

const TABLES: &str = "[bucket.storage]\nname = \"UNIQUE-storage\"\n\
                      encryption = { type = \"sse-kms\", key = \"key.storage\" }\n\
                      [key.storage]\nalias = \"UNIQUE-storage\"\ndeletion_window_days = 7\n";

fn a_plan_of_a_colleague_is_what_gets_applied(endpoint: &'static Endpoint) {
    applied_as_reviewed(endpoint, endpoint);
}

fn another_account_than_the_file_names_is_refused_before_anything_is_read(endpoint: &'static Endpoint) {
    let customer = Customer::new(endpoint, "dedicated-cloud", TABLES);
    customer.env().edit(&format!("account_id = \"{}\"", endpoint.account), "account_id = \"999988887777\"");
    for command in ["plan", "apply --auto-approve", "drift"] {
        let refused = customer.byob(command, 1);
        assert!(refused.stderr.contains("wrong account"), "{command} says:\n{}", refused.stderr);
    }
    let missing = customer.ask(&[s3("head_bucket", json!({ "Bucket": customer.name("storage") }))]);
    assert_eq!(missing[0], json!("404"), "something was made in the wrong account");
    assert!(!customer.env().dir().join("state/byob.state.json").exists());
}

/// Only moto can be made to look at rights over HTTP.
#[test]
fn a_plan_of_somebody_who_may_only_read_is_what_gets_applied() {
    let Some([writer, reader]) = writer_and_reader() else { return };
    applied_as_reviewed(writer, reader);

    let customer = Customer::new(writer, "dedicated-cloud", TABLES);
    let refused = customer.colleague(reader).byob("apply --auto-approve", 1);
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(said.contains("kms:CreateKey") || said.contains("CreateKey"), "the reader could write:\n{said}");
}

/// A reviewer plans elsewhere, from the committed record, writes nothing, and hands over a digest.
fn applied_as_reviewed(writer: &'static Endpoint, reader: &'static Endpoint) {
    let customer = Customer::new(writer, "dedicated-cloud", TABLES);
    let digest_of = |reader: &Customer| {
        let plan = reader.byob("plan --format json", 0).json();
        plan["digest"].as_str().unwrap().to_owned()
    };

    let reviewer = customer.colleague(reader);
    let first = digest_of(&reviewer);
    assert!(!reviewer.env().dir().join("state").exists(), "plan made a record");
    let missing = customer.ask(&[s3("head_bucket", json!({ "Bucket": customer.name("storage") }))]);
    assert_eq!(missing[0], json!("404"), "plan made the bucket");
    customer.byob(&format!("apply --approve {first}"), 0);
    let repeated = customer.byob(&format!("apply --approve {first}"), 0);
    let said = format!("{}{}", repeated.stdout, repeated.stderr);
    assert!(said.contains("already applied"), "the same approval again says:\n{said}");

    customer.env().edit("name = \"", "versioning = \"enabled\"\nname = \"");
    let reviewer = customer.colleague(reader);
    let record = reviewer.record();
    let second = digest_of(&reviewer);
    assert_eq!(reviewer.record(), record, "plan wrote to the record");
    customer.byob(&format!("apply --approve {first}"), 2);
    assert_eq!(look::bucket(&customer, &customer.name("storage"))["versioning"], json!(null));
    customer.byob(&format!("apply --approve {second}"), 0);
    assert_eq!(look::bucket(&customer, &customer.name("storage"))["versioning"], json!("Enabled"));
}

fn protection_is_taken_off_before_anything_is_destroyed(endpoint: &'static Endpoint) {
    let customer = Customer::new(endpoint, "dedicated-cloud", TABLES);
    customer.byob("apply --auto-approve", 0);
    let (name, arn) = (customer.name("storage"), customer.identity("key.storage"));
    let id = arn.rsplit('/').next().unwrap().to_owned();
    let before = (look::bucket(&customer, &name), look::key(&customer, &arn));

    customer.byob("destroy --auto-approve", 1);
    customer.env().edit("deletion_window_days = 7", "deletion_window_days = 7\nprotect = false");
    customer.env().edit("name = \"", "protect = false\nname = \"");
    // In the file is not enough: it has to be applied first.
    customer.byob("destroy --auto-approve", 1);
    assert_eq!((look::bucket(&customer, &name), look::key(&customer, &arn)), before, "destroy wrote to AWS");

    customer.byob("apply --auto-approve", 0);
    customer.byob("destroy --auto-approve", 0);
    let left = customer.ask(&[
        s3("head_bucket", json!({ "Bucket": name })),
        kms("describe_key", json!({ "KeyId": id })),
        kms("list_aliases", json!({ "KeyId": id })),
    ]);
    assert_eq!(left[0], json!("404"), "the bucket is there");
    assert_eq!(left[1]["KeyMetadata"]["KeyState"], json!("PendingDeletion"));
    assert_eq!(left[2]["Aliases"], json!([]));
    let record = customer.record();
    assert_eq!(record["resources"], json!({}));
    let tombstones = record["tombstones"].to_string();
    assert!(tombstones.contains(&arn), "the key has no tombstone: {record:#}");

    let again = customer.byob("destroy --auto-approve", 0);
    assert!(again.stderr.contains("nothing to do"), "{}{}", again.stdout, again.stderr);
    // The key that byob ordered the end of counts as absent: the same configuration makes another one.
    customer.byob("apply --auto-approve", 0);
    assert_ne!(customer.identity("key.storage"), arn);
    customer.byob("plan --detailed-exitcode", 0);
    customer.byob("drift", 0);
}

fn a_bucket_with_objects_is_not_destroyed_and_its_key_neither(endpoint: &'static Endpoint) {
    let tables = TABLES.replace("name = ", "protect = false\nname = ");
    let tables = tables.replace("alias = ", "protect = false\nalias = ");
    let customer = Customer::new(endpoint, "dedicated-cloud", &tables);
    customer.byob("apply --auto-approve", 0);
    let (name, arn) = (customer.name("storage"), customer.identity("key.storage"));
    customer.boto(&[s3("put_object", json!({ "Bucket": name, "Key": "run/1", "Body": "history" }))]);
    let before = (look::bucket(&customer, &name), look::key(&customer, &arn));
    customer.byob("destroy --auto-approve", 1);
    assert_eq!((look::bucket(&customer, &name), look::key(&customer, &arn)), before, "it is stripped");

    customer.boto(&[s3("delete_object", json!({ "Bucket": name, "Key": "run/1" }))]);
    customer.byob("destroy --auto-approve", 0);
    let left = customer.ask(&[s3("head_bucket", json!({ "Bucket": name }))]);
    assert_eq!(left[0], json!("404"), "the bucket is there");
}
