//! The record in S3, by the real binary: kill -9 at every request of an apply, the answer of every write lost, and many
//! applies at once.

use serde_json::{Value, json};

use super::harness::{Customer, Endpoint, Place, at_both_places, endpoint, kms, s3};
use super::proxy::{Proxy, Trouble};
use crate::common::Output;

const TABLES: &str = r#"
[state.s3]
bucket = "UNIQUE-state"
key = "wandb/byob.state.json"
[bucket.vision]
name = "UNIQUE-vision"
encryption = { type = "sse-kms", key = "key.vision", bucket_key = true }
tls_only = true
[key.vision]
alias = "UNIQUE-vision"
"#;

const KEY: &str = "wandb/byob.state.json";

at_both_places! {
    the_record_and_its_lock_are_objects_in_s3;
    every_answer_of_a_write_may_be_lost;
    thirty_two_applies_at_once_make_it_once;
}

/// A customer whose record is in a versioned bucket of its own.
fn customer(endpoint: &'static Endpoint) -> Customer {
    customer_of(endpoint, TABLES)
}

fn customer_of(endpoint: &'static Endpoint, tables: &str) -> Customer {
    let customer = Customer::new(endpoint, "dedicated-cloud", tables);
    let bucket = customer.name("state");
    customer.boto(&[
        s3("create_bucket", json!({ "Bucket": bucket })),
        s3(
            "put_bucket_versioning",
            json!({ "Bucket": bucket, "VersioningConfiguration": { "Status": "Enabled" } }),
        ),
    ]);
    customer
}

/// The arguments of an apply that somebody agreed to. A digest holds for one address of the endpoint: the proxy's.
fn consented(customer: &Customer, proxy: &Proxy, approve: bool) -> String {
    if !approve {
        return "apply --auto-approve".to_owned();
    }
    // By somebody who only reads.
    let colleague = customer.colleague(customer.endpoint);
    let plan = through(&colleague, proxy, Trouble::None, "plan --format json").exits(0).json();
    format!("apply --approve {}", plan["digest"].as_str().unwrap())
}

fn through(customer: &Customer, proxy: &Proxy, trouble: Trouble, arguments: &str) -> Output {
    proxy.order(trouble);
    let child = proxy.spawn(customer.env().command(arguments));
    customer.env().finish(child)
}

fn object(customer: &Customer, key: &str) -> Value {
    let what = json!({ "Bucket": customer.name("state"), "Key": key });
    let answer = customer.boto(&[s3("get_object", what)]).remove(0);
    let body = answer["Body"].as_str().unwrap_or_else(|| panic!("{answer}"));
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

/// Everything stands, once, and is recorded; nobody holds the lock.
#[track_caller]
fn stands_once(customer: &Customer, what: &str) {
    let record = object(customer, KEY);
    let arn = record["resources"]["key.vision"]["identity"].as_str().unwrap_or_else(|| panic!("{record:#}"));
    let lineage = record["lineage"].as_str().unwrap();
    let keys = customer.boto(&[kms("list_keys", json!({ "Limit": 1000 }))]).remove(0);
    let ids: Vec<&str> =
        keys["Keys"].as_array().unwrap().iter().filter_map(|k| k["KeyId"].as_str()).collect();
    let tags: Vec<_> = ids.iter().map(|id| kms("list_resource_tags", json!({ "KeyId": id }))).collect();
    let is_ours = |tags: &Value| {
        let all = tags["Tags"].as_array().into_iter().flatten();
        all.into_iter().any(|tag| tag["TagKey"] == "byob:lineage" && tag["TagValue"] == lineage)
    };
    let answers = customer.boto(&tags);
    let ours: Vec<&str> =
        ids.iter().zip(&answers).filter(|(_, tags)| is_ours(tags)).map(|(id, _)| *id).collect();
    assert_eq!(ours.len(), 1, "{what}: keys {ours:?}");
    assert!(arn.ends_with(ours[0]), "{what}: {arn}");
    assert_eq!(object(customer, &format!("{KEY}.lock"))["holder"], Value::Null, "{what}");
    customer.byob("plan --detailed-exitcode", 0);
    customer.byob("drift", 0);
}

fn the_record_and_its_lock_are_objects_in_s3(endpoint: &'static Endpoint) {
    let customer = customer(endpoint);
    customer.byob("drift", 1);
    customer.byob("apply --auto-approve", 0);
    stands_once(&customer, "first run");
    assert!(!customer.env().dir().join("state").exists(), "nothing is left in files");
    // Another machine has nothing but the file.
    let colleague = customer.colleague(endpoint);
    colleague.byob("plan --detailed-exitcode", 0);
    assert!(colleague.byob("state list", 0).stdout.contains("key.vision.alias"));
    let serial = object(&customer, KEY)["serial"].clone();
    colleague.byob("apply --auto-approve", 0);
    assert_eq!(object(&customer, KEY)["serial"], serial, "nothing to do is nothing to write");
    let versions = customer
        .boto(&[s3("list_object_versions", json!({ "Bucket": customer.name("state"), "Prefix": KEY }))]);
    let kept = versions[0]["Versions"].as_array().unwrap().iter().filter(|v| v["Key"] == KEY).count();
    assert_eq!(serial, json!(kept), "each save keeps its predecessor");
}

fn every_answer_of_a_write_may_be_lost(endpoint: &'static Endpoint) {
    for approve in [false, true] {
        let mut write = 0;
        loop {
            write += 1;
            let customer = customer(endpoint);
            let proxy = Proxy::start(&endpoint.url);
            let apply = consented(&customer, &proxy, approve);
            let output = through(&customer, &proxy, Trouble::LoseWrite(write), &apply);
            if !proxy.troubled() {
                assert_eq!(output.code, Some(0), "without trouble: {output}");
                break;
            }
            let what = format!("write {write} lost, approve: {approve}; {:?}\n{output}", proxy.writes());
            assert_eq!(output.code, Some(0), "{what}");
            stands_once(&customer, &what);
        }
        assert!(write > 15, "only {write} writes");
    }
}

/// Kill -9 once the Nth request has had its effect, for each N: the next apply converges, with exactly one key.
fn killed_at_every_request(approve: bool) {
    let Some(endpoint) = endpoint(Place::Moto) else { return };
    let mut request = 0;
    let mut converged = 0;
    loop {
        request += 1;
        let customer = customer(endpoint);
        let proxy = Proxy::start(&endpoint.url);
        let apply = consented(&customer, &proxy, approve);
        let output = through(&customer, &proxy, Trouble::Kill(request), &apply);
        if !proxy.troubled() {
            assert_eq!(output.code, Some(0), "without trouble: {output}");
            break;
        }
        assert_eq!(output.code, None, "killed at {request}: {output}");
        let again = through(&customer, &proxy, Trouble::None, &apply);
        assert_eq!(again.code, Some(0), "after kill -9 at request {request}, approve: {approve}: {again}");
        stands_once(&customer, &format!("after kill -9 at request {request}, approve: {approve}"));
        converged += 1;
    }
    println!("kill -9 at each of {} requests, approve: {approve}: {converged} converged", request - 1);
    assert_eq!(converged, request - 1);
    assert!(converged > 40, "only {converged} requests");
}

#[test]
fn a_run_that_is_killed_at_any_request_is_taken_up_by_the_next() {
    killed_at_every_request(false);
}

#[test]
fn an_approved_run_that_is_killed_at_any_request_is_taken_up_by_the_next() {
    killed_at_every_request(true);
}

/// Killed on another machine, about which nobody can know whether it still runs: the lease is waited out, within the two
/// minutes that a run waits unless it is told otherwise.
#[test]
fn a_run_that_is_killed_elsewhere_is_waited_out_and_taken_up() {
    let Some(endpoint) = endpoint(Place::Sandbox) else { return };
    std::thread::scope(|scope| {
        for approve in [false, true] {
            scope.spawn(move || killed_elsewhere(endpoint, approve));
        }
    });
}

fn killed_elsewhere(endpoint: &'static Endpoint, approve: bool) {
    let customer = customer(endpoint);
    let proxy = Proxy::start(&endpoint.url);
    let apply = consented(&customer, &proxy, approve);
    let killed = through(&customer, &proxy, Trouble::Kill(30), &apply);
    assert_eq!(killed.code, None, "{killed}");
    let mut lock = object(&customer, &format!("{KEY}.lock"));
    assert!(lock["holder"]["pid"].is_u64(), "{lock:#}");
    (lock["holder"]["host"], lock["holder"]["process"]) = ("ci-7".into(), Value::Null);
    let body =
        json!({ "Bucket": customer.name("state"), "Key": format!("{KEY}.lock"), "Body": lock.to_string() });
    customer.boto(&[s3("put_object", body)]);
    let locked = customer.byob("apply --auto-approve --lock-timeout 20s", 1);
    assert!(locked.stderr.contains("is locked"), "{locked}");
    let again = through(&customer, &proxy, Trouble::None, &apply).exits(0);
    assert!(again.stderr.contains("waiting for `byob apply` by"), "{again}");
    stands_once(&customer, &format!("after the lease, approve: {approve}"));
}

fn thirty_two_applies_at_once_make_it_once(endpoint: &'static Endpoint) {
    let customer = customer(endpoint);
    let proxy = Proxy::start(&endpoint.url);
    let apply = || customer.env().command("apply --auto-approve --lock-timeout 10m");
    let runs: Vec<_> = (0..32).map(|_| proxy.spawn(apply())).collect();
    let outputs: Vec<Output> = runs.into_iter().map(|run| customer.env().finish(run)).collect();
    for output in &outputs {
        assert_eq!(output.code, Some(0), "{output}");
    }
    let applied = outputs.iter().filter(|output| output.stderr.contains("✓ applied")).count();
    let idle = outputs.iter().filter(|output| output.stderr.contains("✓ nothing to do")).count();
    assert_eq!((applied, idle), (1, 31));
    stands_once(&customer, "32 at once");
    assert_eq!(object(&customer, KEY)["serial"], json!(2), "one run saved, twice");
}

/// The record and its journal together; the lock's writes are as many as the time takes.
#[test]
fn an_apply_of_a_hundred_buckets_writes_the_record_ten_times_at_most_and_once_for_each_key() {
    let Some(endpoint) = endpoint(Place::Sandbox) else { return };
    let buckets: String = (0..99).map(|n| format!("[bucket.b{n}]\nname = \"UNIQUE-b{n}\"\n")).collect();
    let customer = customer_of(endpoint, &format!("{TABLES}{buckets}"));
    let proxy = Proxy::start(&endpoint.url);
    through(&customer, &proxy, Trouble::None, "apply --auto-approve").exits(0);
    let of_record = |write: &&String| write.contains(KEY) && !write.contains(".lock");
    let writes: Vec<String> = proxy.writes().iter().filter(of_record).cloned().collect();
    println!("{} writes of record and journal for 100 buckets and 1 key", writes.len());
    assert!((2..=11).contains(&writes.len()), "{writes:#?}");
    customer.byob("plan --detailed-exitcode", 0);
}
