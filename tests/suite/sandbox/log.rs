//! What happens, as JSON lines on stderr: each line is one object, each step has its beginning and its end, each call to
//! AWS its request id; and nothing stands in it that is to be kept to oneself.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{BUCKET_AND_KEY, ONE_BUCKET};
use crate::common::{Output, TestEnvironment};

/// stderr as JSON, each line with a time, a level and an event.
#[track_caller]
fn lines(output: &Output) -> Vec<Value> {
    let line = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let time = value["time"].as_str().unwrap();
        assert!(time.len() == "2026-11-20T14:02:11.123Z".len() && time.ends_with('Z'), "{line}");
        assert!(["debug", "info", "warn", "error"].contains(&value["level"].as_str().unwrap()), "{line}");
        assert!(value["event"].is_string(), "{line}");
        value
    };
    let all: Vec<Value> = output.stderr.lines().map(line).collect();
    assert!(!all.is_empty(), "nothing was said");
    all
}

/// A field of each line of one event.
fn each<'a>(lines: &'a [Value], event: &str, field: &str) -> Vec<&'a str> {
    let of_event = lines.iter().filter(|line| line["event"] == event);
    of_event.map(|line| line[field].as_str().unwrap_or_else(|| panic!("no {field}: {line}"))).collect()
}

#[test]
fn each_step_of_an_apply_begins_and_ends_and_each_call_has_a_request_id() {
    let env = TestEnvironment::new(BUCKET_AND_KEY);
    let plan = env.sandbox("plan --format json").exits(0).json();
    let planned: BTreeSet<&str> =
        plan["steps"].as_array().unwrap().iter().map(|step| step["id"].as_str().unwrap()).collect();
    let output = env.sandbox("apply --auto-approve --log-format json").exits(0);
    let lines = lines(&output);
    for event in ["step_started", "step_done"] {
        let ids: Vec<&str> = each(&lines, event, "step");
        assert_eq!(ids.iter().copied().collect::<BTreeSet<_>>(), planned, "{event}");
        assert_eq!(ids.len(), planned.len(), "{event}: once each");
    }
    let ids = each(&lines, "call", "request_id");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "each call has its own");
    let put =
        lines.iter().find(|line| line["operation"] == "PutBucketPolicy" && line["event"] == "call").unwrap();
    assert_eq!(put["resource"], "acme-wandb-storage");
    assert_eq!(put["region"], "us-east-1");
    assert_eq!(put["step"], "bucket.storage.policy#1");
    assert_eq!(put["address"], "bucket.storage.policy");
    assert_eq!(put["attempt"], 1);
    assert!((200..300).contains(&put["status"].as_u64().unwrap()), "{put}");
    assert!(put["elapsed_ms"].is_u64(), "{put}");
    let asked: BTreeSet<&str> = each(&lines, "call", "operation").into_iter().collect();
    assert!(asked.is_superset(&BTreeSet::from([
        "GetCallerIdentity",
        "HeadBucket",
        "CreateKey",
        "CreateBucket"
    ])));
    let end = lines.iter().find(|line| line["event"] == "apply_ended").unwrap();
    assert_eq!((&end["done"], &end["read_back"]), (&Value::from(planned.len()), &Value::from("converged")));
}

#[test]
fn a_step_that_fails_names_aws_code_and_request_id() {
    let env = TestEnvironment::new(ONE_BUCKET);
    let output =
        env.sandbox_with("operation-aborted=100000", "apply --auto-approve --log-format json").exits(1);
    let lines = lines(&output);
    for event in ["step_retrying", "step_failed"] {
        let found = lines.iter().find(|line| line["event"] == event).unwrap();
        assert_eq!(found["operation"], "CreateBucket");
        assert_eq!(found["code"], "OperationAborted");
        assert_eq!(found["status"], 409);
        assert_eq!(found["step"], "bucket.storage#1");
        let id = found["request_id"].as_str().unwrap();
        let call = lines.iter().find(|line| line["event"] == "call" && line["request_id"] == id).unwrap();
        assert_eq!(call["code"], "OperationAborted", "the same answer stands among the calls");
    }
    assert_eq!(each(&lines, "step_not_started", "step").len(), 6);
    let end = lines.last().unwrap();
    assert_eq!((&end["event"], &end["level"]), (&"apply_ended".into(), &"error".into()));
}

#[test]
fn what_the_sdk_tries_again_is_told_try_by_try() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    let output = env.sandbox_with("throttle-every=3", "plan --log-format json").exits(0);
    let lines = lines(&output);
    // A call may use up its tries, and is made again by byob itself.
    let second = |line: &&Value| line["event"] == "call" && line["attempt"] == 2 && line["status"] == 200;
    let second = lines.iter().find(second).unwrap();
    let of_it = |line: &&Value| line["event"] == "call_retried" && line["operation"] == second["operation"];
    let first = lines.iter().find(of_it).unwrap();
    assert_eq!((&first["attempt"], &first["status"]), (&1.into(), &503.into()));
    assert_eq!((&first["region"], &first["resource"]), (&second["region"], &second["resource"]));
    assert!(first["request_id"].is_string() && first["request_id"] != second["request_id"]);
}

#[test]
fn every_error_is_json_whoever_it_comes_from() {
    let env = TestEnvironment::new(ONE_BUCKET);
    // The command line itself.
    for arguments in ["plan --log-format json --no-such-flag", "--log-format=json apply --approve"] {
        let found = lines(&env.byob(arguments).exits(1));
        assert_eq!((found.len(), &found[0]["level"]), (1, &"error".into()), "{arguments}");
        assert!(!found[0]["message"].as_str().unwrap().starts_with("error"), "{arguments}");
    }
    let help = env.byob("plan --log-format json --help").exits(0);
    assert!(help.stdout.contains("Usage") && help.stderr.is_empty());
    // A file that is not there, and one that is wrong.
    let missing = lines(&env.byob("validate --log-format json -c nothing.toml").exits(1));
    assert_eq!(missing[0]["message"], "there is no nothing.toml");
    env.write("bad.toml", &format!("{ONE_BUCKET}encription = 1\ncors_orgins = 1\n"));
    let wrong = lines(&env.byob("validate --log-format json -c bad.toml").exits(1));
    assert_eq!(wrong.len(), 2, "one line for each: {wrong:?}");
    assert_eq!((&wrong[0]["file"], &wrong[0]["line"]), (&"bad.toml".into(), &12.into()));
    // What is said before anything is asked, and what AWS says.
    let nobody = lines(&env.byob("apply --sandbox --log-format json").exits(1));
    assert!(nobody.last().unwrap()["help"][0].as_str().unwrap().contains("--approve"));
    let refused = env.sandbox_with("deny=s3:GetBucketPolicy", "plan --log-format json");
    lines(&refused);
    // A stale approval keeps its exit code, and its plan stays on stdout.
    let digest = format!("sha256:{}", "0".repeat(64));
    let stale = env.sandbox(&format!("apply --approve {digest} --log-format json")).exits(2);
    assert_eq!(lines(&stale).last().unwrap()["exit_code"], 2);
    assert!(stale.stdout.contains("bucket.storage"));
}

#[test]
fn text_says_each_call_with_verbose_and_none_without() {
    let env = TestEnvironment::new(ONE_BUCKET);
    let quiet = env.sandbox("apply --auto-approve").exits(0);
    assert!(!quiet.stderr.contains("request"), "{}", quiet.stderr);
    let output = env.sandbox("plan --verbose").exits(0);
    let call = output.stderr.lines().find(|line| line.starts_with("GetBucketPolicy on")).unwrap();
    assert!(call.starts_with("GetBucketPolicy on acme-wandb-storage (us-east-1): 200, request "), "{call}");
    assert!(call.ends_with(" ms"), "{call}");
}

/// The SDK logs key ids and headers for itself: they are not byob's, and not shown.
#[test]
fn no_planted_secret_stands_in_the_log() {
    let planted = [
        ("AWS_ACCESS_KEY_ID", "AKIAPLANTEDPLANTED08"),
        ("AWS_SECRET_ACCESS_KEY", "planted-secret-access-key-8"),
        ("AWS_SESSION_TOKEN", "planted-session-token-8"),
    ];
    const EXTERNAL_ID: &str = "planted-external-id-8";
    let role = format!(
        "[aws]\nassume_role = {{ role_arn = \"arn:aws:iam::123456789012:role/r\", external_id = \"{EXTERNAL_ID}\" }}"
    );
    let mut env = TestEnvironment::new(&ONE_BUCKET.replace("[aws]", &role));
    for (name, value) in planted {
        env = env.with(name, value);
    }
    // Everything that listens to the SDK's own names is asked for; byob listens to none of them.
    let env = env.with("RUST_LOG", "trace").with("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let runs = [
        env.sandbox("apply --auto-approve -v --log-format json").exits(0),
        env.sandbox("drift -v").exits(0),
        env.byob("plan -v --log-format json").exits(1),
        env.byob("plan -v").exits(1),
    ];
    for output in runs {
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(!said.is_empty());
        for secret in
            planted.iter().map(|(_, value)| *value).chain([EXTERNAL_ID, "Authorization", "Signature="])
        {
            assert!(!said.contains(secret), "{secret} stands in:\n{said}");
        }
    }
    let failed = env.byob("plan --log-format json").exits(1);
    assert_eq!(lines(&failed).last().unwrap()["event"], "error");
}
