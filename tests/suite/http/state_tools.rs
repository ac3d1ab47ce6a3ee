//! The record's own tools over HTTP: its bucket made, the record moved there and back, put back after damage, rebuilt after
//! a loss.

use serde_json::{Value, json};

use super::harness::{Customer, Endpoint, at_both_places, s3};
use super::proxy::{Proxy, Trouble};

const BUCKETS: &str = "[bucket.storage]\nname = \"UNIQUE-storage\"\nencryption = { type = \"sse-kms\", key = \
                       \"key.storage\" }\n[key.storage]\nalias = \"UNIQUE-storage\"\n";
const IN_S3: &str = "s3 = { bucket = \"UNIQUE-state\", key = \"byob.state.json\" }";
const IN_A_FILE: &str = "path = \"state/byob.state.json\"";

at_both_places! {
    the_bucket_of_the_record_is_made_once_and_looked_at_ever_after;
    a_record_moves_to_s3_and_back_without_a_gap;
    a_damaged_record_is_put_back_by_the_line_that_the_error_prints;
    a_lost_record_is_rebuilt_from_the_tags;
    a_lock_is_taken_away_by_its_id;
    what_is_pushed_is_looked_at_first;
}

fn customer(endpoint: &'static Endpoint, place: &str) -> Customer {
    Customer::new(endpoint, "dedicated-cloud", &format!("[state]\n{place}\n{BUCKETS}"))
}

/// With its record in a bucket that `state init` made, applied.
fn applied(endpoint: &'static Endpoint) -> Customer {
    let customer = customer(endpoint, IN_S3);
    customer.byob("state init", 0);
    customer.byob("apply --auto-approve", 0);
    customer
}

fn object(customer: &Customer, key: &str) -> Value {
    json!({ "Bucket": customer.name("state"), "Key": key })
}

fn the_bucket_of_the_record_is_made_once_and_looked_at_ever_after(endpoint: &'static Endpoint) {
    let customer = customer(endpoint, IN_S3);
    let missing = customer.byob("apply --auto-approve", 1);
    assert!(missing.stderr.contains("byob state init makes the bucket"), "{missing}");
    let made = customer.byob("state init", 0);
    for said in ["made the bucket", "versions are kept", "reached without TLS"] {
        assert!(made.stderr.contains(said), "{said}: {made}");
    }
    let bucket = json!({ "Bucket": customer.name("state") });
    let found = customer.boto(&[
        s3("get_bucket_versioning", bucket.clone()),
        s3("get_public_access_block", bucket.clone()),
        s3("get_bucket_encryption", bucket.clone()),
    ]);
    assert_eq!(found[0]["Status"], "Enabled");
    let block = found[1]["PublicAccessBlockConfiguration"].as_object().unwrap();
    assert!(block.len() == 4 && block.values().all(|on| *on == json!(true)), "{block:?}");
    let policy = customer.ask(&[s3("get_bucket_policy", bucket.clone())]);
    assert_eq!(policy[0], json!("NoSuchBucketPolicy"), "over plain HTTP it would lock everybody out");
    let again = customer.byob("state init", 0);
    assert!(again.stderr.contains("versioned, encrypted and not public"), "{again}");

    let unversioned = self::customer(endpoint, IN_S3);
    unversioned.boto(&[s3("create_bucket", json!({ "Bucket": unversioned.name("state") }))]);
    let applied = unversioned.byob("apply --auto-approve", 0);
    assert!(applied.stderr.contains("keeps no versions"), "{applied}");
    assert!(!unversioned.byob("apply --auto-approve", 0).stderr.contains("keeps no versions"), "said once");

    let off =
        json!({ "Bucket": customer.name("state"), "VersioningConfiguration": { "Status": "Suspended" } });
    customer.boto(&[s3("put_bucket_versioning", off)]);
    let warned = customer.byob("state init", 0);
    assert!(warned.stderr.contains("versioning is off") && warned.stderr.contains("--complete"), "{warned}");
    assert_eq!(customer.boto(&[s3("get_bucket_versioning", bucket.clone())])[0]["Status"], "Suspended");
    customer.byob("state init --complete", 0);
    assert_eq!(customer.boto(&[s3("get_bucket_versioning", bucket)])[0]["Status"], "Enabled");
}

fn a_record_moves_to_s3_and_back_without_a_gap(endpoint: &'static Endpoint) {
    let customer = customer(endpoint, IN_A_FILE);
    customer.byob("apply --auto-approve", 0);
    let unique = customer.name("");
    let in_s3 = IN_S3.replace("UNIQUE-", &unique);
    customer.env().edit(IN_A_FILE, &in_s3);
    customer.byob("state init", 0);
    // Before it has moved there is none where it is looked for, and what it made is not taken for a stranger's.
    customer.byob("drift", 1);
    let moved = customer.byob("state migrate --from state/byob.state.json", 0);
    assert!(moved.stderr.contains("the record is at s3://"), "{moved}");
    customer.byob("plan --detailed-exitcode", 0);
    customer.byob("drift", 0);
    let again = customer.byob("state migrate --from state/byob.state.json", 0);
    assert!(again.stderr.contains("nothing to do"), "{again}");
    customer.byob("state migrate --sandbox --from state/byob.state.json", 1);
    customer.byob("state migrate --from nowhere/byob.state.json", 1);
    assert!(!customer.env().dir().join("nowhere").exists(), "nothing is made where nothing is");

    // Who still looks at the file is told where the record is.
    customer.env().edit(&in_s3, IN_A_FILE);
    for command in ["plan", "drift", "apply --auto-approve", "state list"] {
        let told = customer.byob(command, 1);
        assert!(told.stderr.contains("s3://") && told.stderr.contains("moved"), "{command}: {told}");
    }
    let from = format!("state migrate --from s3://{unique}state/byob.state.json");
    customer.byob(&from, 0);
    customer.byob("plan --detailed-exitcode", 0);
    customer.byob("drift", 0);
    // Two records are never made one.
    let stranger = Customer::new(endpoint, "dedicated-cloud", &format!("[state]\n{IN_A_FILE}\n{BUCKETS}"));
    stranger.byob("apply --auto-approve", 0);
    let theirs = stranger.env().dir().join("state/byob.state.json");
    let refused = customer.byob(&format!("state migrate --from {}", theirs.display()), 1);
    assert!(refused.stderr.contains("there is a record at"), "{refused}");
    customer.byob("plan --detailed-exitcode", 0);
}

fn a_damaged_record_is_put_back_by_the_line_that_the_error_prints(endpoint: &'static Endpoint) {
    let customer = applied(endpoint);
    let mut torn = object(&customer, "byob.state.json");
    torn["Body"] = json!("{\"format_version\": 1, \"line");
    customer.boto(&[s3("put_object", torn)]);
    for command in ["plan", "drift", "apply --auto-approve", "state list", "state mv bucket.storage bucket.x"]
    {
        let damaged = customer.byob(command, 1);
        let said = damaged.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = "byob state pull --serial 2 >good.json && byob state push --force good.json";
        assert!(said.contains(line), "{command}: {damaged}");
    }
    let good = customer.byob("state pull --serial 2", 0);
    customer.env().write("good.json", &good.stdout);
    customer.byob("state push good.json", 1);
    customer.byob("state push --force good.json", 0);
    customer.byob("plan --detailed-exitcode", 0);
    customer.byob("drift", 0);
    let history = customer.byob("state history", 0).stdout;
    assert!(history.lines().count() == 4, "two saves, the torn one, and the new one:\n{history}");
    assert!(history.contains("no record that can be read"), "{history}");
}

fn a_lost_record_is_rebuilt_from_the_tags(endpoint: &'static Endpoint) {
    let customer = applied(endpoint);
    let refused = customer.byob("import --recover", 1);
    assert!(refused.stderr.contains("there is a record at"), "{refused}");
    let pulled = customer.byob("state pull", 0).stdout;
    let record: Value = serde_json::from_str(&pulled).unwrap();
    customer.env().write("now.json", &pulled);
    // The object alone is gone: what it left behind is no reason to give up, and its versions know more than tags.
    customer.boto(&[s3("delete_object", object(&customer, "byob.state.json"))]);
    for command in ["plan", "apply --auto-approve", "state list"] {
        let lost = customer.byob(command, 1);
        let said = lost.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            said.contains("byob state pull --serial 2 >good.json && byob state push --force"),
            "{command}: {lost}"
        );
    }
    let kept = customer.byob("import --recover", 1);
    assert!(kept.stderr.contains("serial 2 of the lost record is kept"), "{kept}");

    let names = ["byob.state.json.journal", "byob.state.json.lock"];
    customer.boto(&names.map(|name| s3("delete_object", object(&customer, name))));
    customer.byob("drift", 1);
    // Nothing is begun anew, and nothing is taken, without being asked for: what it forgot, only its versions know.
    for command in ["plan", "apply --auto-approve", "import key.storage", "state push now.json"] {
        let lost = customer.byob(command, 1);
        let said = lost.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("byob state pull --serial 2 >good.json"), "{command}: {lost}");
    }
    customer.byob("import --recover", 1);
    let lineage = record["lineage"].as_str().unwrap();
    let recovered = customer.byob(&format!("import --recover --from-lineage {lineage}"), 0);
    assert!(recovered.stderr.contains("recovered bucket.storage, key.storage"), "{recovered}");
    let serial = |text: &str| serde_json::from_str::<Value>(text).unwrap()["serial"].as_u64().unwrap();
    assert_eq!(serial(&customer.byob("state pull", 0).stdout), 3, "serials go on where they were");
    customer.byob("drift", 0);
    // What the endpoint does not report, the record cannot know again: it is put once more.
    let left = customer.byob("plan --format json", 0).json();
    for step in left["steps"].as_array().unwrap() {
        let unreported = ["/sse_c", "/period_days"];
        for change in step["changes"].as_array().unwrap() {
            let path = change["path"].as_str().unwrap();
            assert!(endpoint.is_moto() && unreported.contains(&path), "{step:#}");
        }
    }
    // It is as good as the lost one: what it made is its own to change.
    customer.env().edit("[key.storage]", "[key.storage]\nrotation_days = 400");
    customer.byob("apply --auto-approve", 0);
    customer.byob("plan --detailed-exitcode", 0);
}

fn a_lock_is_taken_away_by_its_id(endpoint: &'static Endpoint) {
    let customer = applied(endpoint);
    let id = "0f4f9ba1-7a5b-4c39-8b29-2b5f6c4f7a11";
    // Of another machine, so that nobody can know whether it runs.
    let lock = json!({
        "by": id, "format_version": 1, "lease_seconds": 30, "renewal": 3,
        "holder": { "id": id, "command": "byob apply", "user": "alice", "host": "ci-7", "pid": 4711,
            "since": 1_790_000_000, "process": null },
    });
    let mut put = object(&customer, "byob.state.json.lock");
    put["Body"] = json!(lock.to_string());
    customer.boto(&[s3("put_object", put)]);
    let plan = customer.byob("plan", 0);
    assert!(plan.stdout.contains("An apply is running (`byob apply` by alice on ci-7"), "{plan}");
    let locked = customer.byob("apply --auto-approve --lock-timeout 0", 1);
    let said = locked.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(&format!("byob state unlock {id}")), "{locked}");
    customer.byob("state unlock 00000000-0000-4000-8000-000000000000", 1);
    customer.byob(&format!("state unlock {id}"), 0);
    customer.byob("apply --auto-approve --lock-timeout 0", 0);
    customer.byob(&format!("state unlock {id}"), 0);
}

fn what_is_pushed_is_looked_at_first(endpoint: &'static Endpoint) {
    let customer = applied(endpoint);
    let first = customer.byob("state pull --serial 1", 0).stdout;
    let now = customer.byob("state pull", 0).stdout;
    customer.env().write("first.json", &first);
    customer.env().write("now.json", &now);
    customer.env().write("torn.json", &now[..now.len() / 2]);
    let older = customer.byob("state push first.json", 1);
    assert!(older.stderr.contains("is newer"), "{older}");
    customer.byob("state push torn.json", 1);
    customer.byob("state push --force torn.json", 1);
    customer.byob("state push now.json", 0);
    customer.byob("plan --detailed-exitcode", 0);
    // Taken out of the record it stands in AWS, and comes back as what byob made.
    customer.byob("state rm bucket.storage", 0);
    customer.byob("state rm bucket.storage", 1);
    customer.byob("plan", 0);
    customer.byob("apply --auto-approve", 0);
    customer.byob("plan --detailed-exitcode", 0);
    let serials: Vec<String> = customer
        .byob("state history", 0)
        .stdout
        .lines()
        .map(|line| line.split_whitespace().next().unwrap_or_default().to_owned())
        .collect();
    assert!(
        serials.windows(2).all(|two| two[0].parse::<u32>().unwrap() == two[1].parse::<u32>().unwrap() + 1)
    );
}

/// Kill -9 at each request of a move from S3 to a file and of one from a file to S3: at no moment do two places have a
/// record that would be used, and the next run ends the move.
#[test]
fn a_move_that_is_killed_at_any_request_leaves_one_record_and_is_ended_by_the_next() {
    let Some(endpoint) = super::harness::endpoint(super::harness::Place::Sandbox) else { return };
    let mut moves = 0;
    for to_s3 in [true, false] {
        let mut request = 0;
        loop {
            request += 1;
            let customer = customer(endpoint, if to_s3 { IN_A_FILE } else { IN_S3 });
            let in_s3 = IN_S3.replace("UNIQUE-", &customer.name(""));
            if !to_s3 {
                customer.byob("state init", 0);
            }
            customer.byob("apply --auto-approve", 0);
            let from = if to_s3 {
                customer.env().edit(IN_A_FILE, &in_s3);
                customer.byob("state init", 0);
                "state/byob.state.json".to_owned()
            } else {
                customer.env().edit(&in_s3, IN_A_FILE);
                format!("s3://{}state/byob.state.json", customer.name(""))
            };
            let (old, new) = if to_s3 { (IN_A_FILE, in_s3.as_str()) } else { (in_s3.as_str(), IN_A_FILE) };
            let migrate = format!("state migrate --from {from}");
            let proxy = Proxy::start(&endpoint.url);
            proxy.order(Trouble::Kill(request));
            let output = customer.env().finish(proxy.spawn(customer.env().command(&migrate)));
            let ended = !proxy.troubled();
            let at_new = customer.env().byob("state list").code == Some(0);
            customer.env().edit(new, old);
            let at_old = customer.env().byob("state list").code == Some(0);
            customer.env().edit(old, new);
            let what = format!("to S3: {to_s3}, killed at {request}: {output}");
            assert!(!(at_old && at_new), "two records: {what}");
            if ended {
                assert_eq!(output.code, Some(0), "{what}");
                break;
            }
            customer.byob(&migrate, 0);
            customer.byob("plan --detailed-exitcode", 0);
            customer.byob("drift", 0);
            moves += 1;
        }
    }
    assert!(moves > 10, "only {moves}");
}
