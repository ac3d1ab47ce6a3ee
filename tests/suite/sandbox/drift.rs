//! What somebody changed behind byob's back: how bad it is, who it was, and how it is accepted.

use serde_json::Value;

use crate::common::TestEnvironment;

use super::ONE_BUCKET;
use super::world::{World, wait};

const BUCKET: &str = "acme-wandb-storage";

fn open_block(env: &TestEnvironment) {
    let s3 = wait(World::of(env)).s3("us-east-1");
    let block = aws_sdk_s3::types::PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(false)
        .restrict_public_buckets(true)
        .build();
    wait(s3.put_public_access_block().bucket(BUCKET).public_access_block_configuration(block).send())
        .unwrap();
}

fn tag(env: &TestEnvironment) {
    let s3 = wait(World::of(env)).s3("us-east-1");
    let tags = wait(s3.get_bucket_tagging().bucket(BUCKET).send()).unwrap().tag_set;
    let left = tags.into_iter().filter(|tag| tag.key() != "byob:stack");
    let tagging = aws_sdk_s3::types::Tagging::builder().set_tag_set(Some(left.collect())).build().unwrap();
    wait(s3.put_bucket_tagging().bucket(BUCKET).tagging(tagging).send()).unwrap();
}

/// Every write that CloudTrail has seen in this world.
fn writes(env: &TestEnvironment) -> usize {
    env.read(".byob/sandbox/trail.jsonl").lines().count()
}

#[test]
fn drift_is_accepted_into_the_record_and_nothing_is_sent_to_aws() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    open_block(&env);
    let plan = env.sandbox("plan --refresh-only").exits(0);
    insta::assert_snapshot!(plan.data());
    let line = plan.stdout.lines().last().unwrap().to_owned();
    assert!(line.contains(" --refresh-only --sandbox"), "{line}");
    env.sandbox("plan --refresh-only --detailed-exitcode").exits(2);
    let (before, sent) = (env.tree(), writes(&env));
    env.byob(line.strip_prefix("byob ").unwrap()).exits(0);
    assert_eq!((env.written(&before), writes(&env)), (vec![], sent));
    env.sandbox("drift").exits(0);
    let recorded = &env.record()["resources"]["bucket.storage.public_access_block"]["attributes"];
    assert_eq!(
        (&recorded["block_public_policy"], &recorded["block_public_acls"]),
        (&Value::Bool(false), &Value::Bool(true))
    );
    insta::assert_snapshot!(env.byob(line.strip_prefix("byob ").unwrap()).exits(0), @"✓ already applied; nothing is left to do");
    insta::assert_snapshot!(env.sandbox("apply --refresh-only --auto-approve").exits(0).talk().lines().last().unwrap(), @"✓ nothing to accept: AWS matches the record");
    // The way back is an ordinary plan.
    let back = env.sandbox("plan --format json --detailed-exitcode").exits(2).json();
    let steps: Vec<&str> =
        back["steps"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap()).collect();
    assert_eq!(
        (steps, back["drift"].as_array().unwrap().len()),
        (vec!["bucket.storage.public_access_block#1"], 0)
    );
    env.sandbox("apply --auto-approve").exits(0);
    env.sandbox("drift").exits(0);
}

#[test]
fn a_plan_file_brings_refresh_only_along() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    open_block(&env);
    tag(&env);
    env.sandbox("plan --refresh-only --target bucket.storage.tags --out plan.json").exits(0);
    let sent = writes(&env);
    env.sandbox("apply --plan plan.json").exits(0);
    assert_eq!(writes(&env), sent);
    let left = env.sandbox("drift --format json").exits(2).json();
    assert_eq!(left["drift"].as_array().unwrap().len(), 1);
    assert_eq!(left["drift"][0]["address"], "bucket.storage.public_access_block");
    // A file that somebody changed into what no flags could say is none.
    let file = env.read("plan.json").replace("\"destroy\": false", "\"destroy\": true");
    env.write("plan.json", &file);
    let said = env.sandbox("apply --plan plan.json").exits(1);
    assert!(said.stderr.contains("is no plan"), "{said}");
}

#[test]
fn what_does_not_go_with_refresh_only_is_a_usage_error() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    for arguments in [
        "plan --refresh-only --destroy",
        "plan --refresh-only --recreate bucket.storage",
        "apply --refresh-only --recreate bucket.storage --auto-approve",
        "destroy --refresh-only --auto-approve",
    ] {
        let before = env.tree();
        let said = env.sandbox(arguments).exits(1);
        assert!(said.stderr.contains("--refresh-only"), "{said}");
        assert_eq!(env.written(&before), [""; 0]);
    }
    let fresh = TestEnvironment::new(ONE_BUCKET);
    for arguments in ["plan --refresh-only", "apply --refresh-only --auto-approve"] {
        let said = fresh.sandbox(arguments).exits(1);
        assert!(said.stderr.contains("there is no record at"), "{said}");
        assert!(fresh.record().is_null());
    }
}

#[test]
fn a_bucket_that_vanished_is_not_accepted() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    let s3 = wait(World::of(&env)).s3("us-east-1");
    wait(s3.delete_bucket().bucket(BUCKET).send()).unwrap();
    for arguments in ["plan --refresh-only", "apply --refresh-only --auto-approve"] {
        let said = env.sandbox(arguments).exits(1);
        assert!(said.stdout.contains("error BYOB004 bucket.storage"), "{said}");
    }
    assert!(!env.record()["resources"]["bucket.storage"].is_null());
}

#[test]
fn only_the_severities_that_are_asked_for_are_a_no() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    tag(&env);
    env.sandbox("drift").exits(2);
    env.sandbox("drift --fail-on other").exits(2);
    let quiet = env.sandbox("drift --fail-on exposure,breakage").exits(0);
    assert!(quiet.stderr.ends_with("not counted: 1 other (--fail-on exposure,breakage)\n"), "{quiet}");
    assert!(quiet.stdout.contains("tags.byob:stack"), "{quiet}");
    open_block(&env);
    env.sandbox("drift --fail-on exposure,breakage").exits(2);
    env.sandbox("drift --fail-on breakage").exits(0);
    for wrong in ["drift --fail-on nonsense", "drift --fail-on exposure,", "drift --fail-on"] {
        env.sandbox(wrong).exits(1);
    }
}

/// What a run that broke off wrote is no drift to accept: its approval is still good for the rest.
#[test]
fn drift_is_not_accepted_over_an_apply_that_did_not_end() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    env.edit("[bucket.storage]", "[bucket.storage]\nversioning = \"enabled\"\ntags = { team = \"x\" }");
    let plan = env.sandbox("plan --format json").json();
    let digest = plan["digest"].as_str().unwrap();
    env.sandbox_with("crash-after=1", &format!("apply --approve {digest}")).exits(137);
    let record = env.record();
    let refused = env.sandbox("apply --refresh-only --auto-approve").exits(1);
    assert!(refused.stderr.contains(&format!("\n{digest}\n")), "{refused}");
    assert_eq!(env.record()["resources"], record["resources"]);
    let resumed = env.sandbox(&format!("apply --approve {digest}")).exits(0);
    assert!(resumed.stderr.contains("going on with the approved plan"), "{resumed}");
    env.sandbox("apply --refresh-only --auto-approve").exits(0);
    env.is_settled();

    // An approval whose configuration is gone is left behind by another apply.
    env.edit("team = \"x\"", "team = \"y\", area = \"z\"");
    env.edit("versioning = \"enabled\"", "versioning = \"suspended\"");
    env.sandbox_with("crash-after=1", "apply --auto-approve").exits(137);
    env.sandbox("apply --refresh-only --auto-approve").exits(1);
    env.edit("area = \"z\"", "area = \"w\"");
    env.sandbox("apply --auto-approve").exits(0);
    env.sandbox("apply --refresh-only --auto-approve").exits(0);
}

#[test]
fn who_it_was_is_told_where_cloudtrail_knows() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    open_block(&env);
    let silent = env.sandbox("drift --format json").exits(2).json();
    assert_eq!((&silent["drift"][0]["who"], &silent["drift"][0]["who_note"]), (&Value::Null, &Value::Null));
    let told = env.sandbox("drift --who --format json").exits(2).json();
    let entry = &told["drift"][0];
    assert_eq!(
        (&entry["severity"], &entry["meaning"]),
        (&"exposure".into(), &"a public policy would now be accepted".into())
    );
    let who = &entry["who"];
    assert_eq!(who["event"], "PutBucketPublicAccessBlock");
    assert_eq!(who["identity"], "arn:aws:sts::123456789012:assumed-role/byob-sandbox/sandbox");
    assert_eq!((&who["source"], &who["byob"]), (&"127.0.0.1".into(), &Value::Bool(false)));
    assert!(who["user_agent"].as_str().unwrap().starts_with("[aws-sdk-rust/"), "{who}");
    assert!(who["time"].as_str().unwrap().ends_with('Z') && !who["event_id"].as_str().unwrap().is_empty());
    assert!(entry["who_note"].is_null());
    let text = env.sandbox("drift --who").exits(2).stdout;
    assert!(text.contains("PutBucketPublicAccessBlock  by assumed-role/byob-sandbox/sandbox"), "{text}");
    assert!(!text.contains("byob apply by"), "{text}");
}

#[test]
fn byobs_own_apply_is_no_stranger() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    open_block(&env);
    // What the other one did is not listed yet.
    let seen: Vec<String> = env.read(".byob/sandbox/trail.jsonl").lines().map(str::to_owned).collect();
    env.write(".byob/sandbox/trail.jsonl", &(seen[..seen.len() - 1].join("\n") + "\n"));
    let entry = env.sandbox("drift --who --format json").exits(2).json()["drift"][0].clone();
    assert_eq!(entry["who"]["byob"], true);
    assert!(entry["who_note"].as_str().unwrap().contains("15 minutes"), "{entry}");
    let text = env.sandbox("drift --who").exits(2).stdout;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("byob apply by assumed-role/byob-sandbox/sandbox"), "{text}");
    env.write(".byob/sandbox/trail.jsonl", "");
    let entry = env.sandbox("drift --who --format json").exits(2).json()["drift"][0].clone();
    assert!(entry["who"].is_null() && entry["who_note"].as_str().unwrap().contains("15 minutes"), "{entry}");
}

#[test]
fn a_trail_that_may_not_be_read_is_said_and_no_failure() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    open_block(&env);
    let told = env.sandbox_with("deny=cloudtrail:LookupEvents", "drift --who --format json").exits(2).json();
    let entry = &told["drift"][0];
    assert!(entry["who"].is_null());
    assert!(entry["who_note"].as_str().unwrap().contains("needs cloudtrail:LookupEvents"), "{entry}");
    env.sandbox_with("deny=cloudtrail:LookupEvents", "drift --who --fail-on breakage").exits(0);
}

#[test]
fn what_cloudtrail_says_stays_text() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    open_block(&env);
    let path = ".byob/sandbox/trail.jsonl";
    let hostile = "\u{1b}[31m\u{202e}x\r\nerror: all is well\u{2028}";
    let mut lines: Vec<Value> =
        env.read(path).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.last_mut().unwrap();
    last["userIdentity"]["arn"] = hostile.into();
    last["userAgent"] = hostile.into();
    last["sourceIPAddress"] = hostile.into();
    env.write(path, &lines.iter().map(|line| format!("{line}\n")).collect::<String>());
    for arguments in ["drift --who", "drift --who --format json", "drift --who --color always"] {
        let said = env.sandbox(arguments).exits(2).stdout;
        assert!(said.contains("all is well"), "{said:?}");
        assert!(
            !said.contains('\u{202e}')
                && !said.contains('\r')
                && !said.contains('\u{2028}')
                && !said.contains("\u{1b}[31mx"),
            "{said:?}"
        );
        assert!(!said.lines().any(|line| line.trim_start().starts_with("error: all is well")), "{said}");
    }
}

/// A deletion that is agreed to and did not end excuses that the bucket goes, and nothing that somebody opens meanwhile.
#[test]
fn a_bucket_that_is_opened_while_its_deletion_is_unfinished_is_an_exposure() {
    let doomed =
        "[bucket.x]\nname = \"acme-doomed\"\nprotect = false\nforce_destroy = true\ntls_only = true\n";
    let env = TestEnvironment::applied(&format!("{ONE_BUCKET}{doomed}"));
    wait(async {
        let s3 = World::of(&env).await.s3("us-east-1");
        let body = aws_sdk_s3::primitives::ByteStream::from_static(b"x");
        s3.put_object().bucket("acme-doomed").key("x").body(body).send().await.unwrap();
    });
    env.write("byob.toml", ONE_BUCKET);
    let digest = env.sandbox("plan --format json").json()["digest"].as_str().unwrap().to_owned();
    // Its policy is narrowed to the Denies, which is what was agreed to: no drift.
    env.sandbox_with("crash-after=1", &format!("apply --approve {digest}")).exits(137);
    env.sandbox("drift").exits(0);
    wait(async {
        let s3 = World::of(&env).await.s3("us-east-1");
        s3.delete_public_access_block().bucket("acme-doomed").send().await.unwrap();
        let open = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*",
            "Resource":["arn:aws:s3:::acme-doomed","arn:aws:s3:::acme-doomed/*"]}]}"#;
        s3.put_bucket_policy().bucket("acme-doomed").policy(open).send().await.unwrap();
    });
    let report = env.sandbox("drift --format json").exits(2).json();
    let drifted: Vec<&str> =
        report["drift"].as_array().unwrap().iter().map(|one| one["address"].as_str().unwrap()).collect();
    assert_eq!(drifted, ["bucket.x.public_access_block", "bucket.x.policy"]);
    // What is written there now is not what was approved either.
    env.sandbox(&format!("apply --approve {digest}")).exits(2);
    let digest = env.sandbox("plan --format json").json()["digest"].as_str().unwrap().to_owned();
    env.sandbox(&format!("apply --approve {digest}")).exits(0);
    env.is_settled();
}

/// Somebody takes W&B's place in the policy: that is exposure, and breakage beside it.
#[test]
fn whoever_fails_on_breakage_alone_hears_of_what_is_worse_besides() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    wait(async {
        let s3 = World::of(&env).await.s3("us-east-1");
        let text = s3.get_bucket_policy().bucket("acme-wandb-storage").send().await.unwrap().policy.unwrap();
        let policy = text.replace("830241207209", "999999999999").replace("725579432336", "999999999999");
        assert_ne!(policy, text);
        s3.put_bucket_policy().bucket("acme-wandb-storage").policy(policy).send().await.unwrap();
    });
    let report = env.sandbox("drift --format json").exits(2).json();
    assert_eq!(report["drift"][0]["severity"], "exposure");
    assert_eq!(report["drift"][0]["severities"], serde_json::json!(["exposure", "breakage"]));
    for (severity, code) in [("exposure", 2), ("breakage", 2), ("other", 0)] {
        env.sandbox(&format!("drift --fail-on {severity}")).exits(code);
    }
}

/// The key that a digest names is the one that is deleted, not one that was made at its address since.
#[test]
fn an_approval_to_delete_one_key_deletes_no_other() {
    let key = "[key.one]\nalias = \"k-one\"\nprotect = false\n";
    let env = TestEnvironment::applied(&format!("{ONE_BUCKET}{key}"));
    env.write("byob.toml", ONE_BUCKET);
    let digest = env.sandbox("plan --format json").json()["digest"].as_str().unwrap().to_owned();
    env.sandbox(&format!("apply --approve {digest}")).exits(0);
    env.write("byob.toml", &format!("{ONE_BUCKET}{key}"));
    env.sandbox("apply --auto-approve").exits(0);
    env.write("byob.toml", ONE_BUCKET);
    let before = env.tree();
    env.sandbox(&format!("apply --approve {digest}")).exits(2);
    assert_eq!(env.written(&before), [""; 0]);
}

/// What could not be written is no report.
#[test]
fn output_that_does_not_come_out_is_an_error() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    for arguments in ["plan --format json", "drift --format junit", "verify --format json"] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = env.command(&format!("--sandbox {arguments}"));
        let child = command.stdout(full).spawn().unwrap();
        let output = env.finish(child);
        assert_eq!(output.code, Some(1), "{output}");
        assert!(output.stderr.contains("the output could not be written"), "{output}");
    }
}

/// A table that is on its way to another label is watched all the same.
#[test]
fn a_bucket_that_is_changed_while_it_is_renamed_is_drift() {
    let env = TestEnvironment::applied(&format!("{ONE_BUCKET}tags = {{ cost = \"42\" }}\n"));
    env.write(
        "byob.toml",
        &ONE_BUCKET
            .replace("[bucket.storage]", "[bucket.renamed]\ntls_only = true\ntags = { cost = \"42\" }"),
    );
    let digest = env.sandbox("plan --format json").json()["digest"].as_str().unwrap().to_owned();
    env.sandbox_with("crash-after=1", &format!("apply --approve {digest}")).exits(137);
    assert_eq!(env.record()["approval"]["finished"], false);
    // What byob itself put so far is none.
    env.sandbox("drift").exits(0);
    wait(async {
        let s3 = World::of(&env).await.s3("us-east-1");
        s3.delete_public_access_block().bucket(BUCKET).send().await.unwrap();
        s3.delete_bucket_cors().bucket(BUCKET).send().await.unwrap();
        let tags = s3.get_bucket_tagging().bucket(BUCKET).send().await.unwrap().tag_set;
        let others = tags.into_iter().filter(|tag| tag.key() != "cost").collect();
        let tagging = aws_sdk_s3::types::Tagging::builder().set_tag_set(Some(others)).build().unwrap();
        s3.put_bucket_tagging().bucket(BUCKET).tagging(tagging).send().await.unwrap();
    });
    let report = env.sandbox("drift --format json").exits(2).json();
    let told = report["drift"].as_array().unwrap().iter().map(|one| {
        let aspect = one["address"].as_str().unwrap().rsplit('.').next().unwrap();
        format!("{aspect} {}", one["severity"].as_str().unwrap())
    });
    let mut told: Vec<String> = told.collect();
    told.sort();
    assert_eq!(told, ["cors breakage", "public_access_block exposure", "tags other"]);
}

/// To be forgotten is to be left alone in AWS: what becomes of it there until then is drift.
#[test]
fn a_root_that_an_unfinished_run_forgets_is_watched() {
    let old = "[bucket.old]\nname = \"acme-old\"\nprotect = false\n";
    let env = TestEnvironment::applied(&format!("{ONE_BUCKET}{old}"));
    let fresh = "[bucket.fresh]\nname = \"acme-fresh\"\n";
    let forget = ONE_BUCKET.replacen("version = 1", "version = 1\nforget = [\"bucket.old\"]", 1);
    env.write("byob.toml", &format!("{forget}{fresh}"));
    env.sandbox_with("crash-after=1", "apply --auto-approve").exits(137);
    if !env.record()["resources"]["bucket.old"].is_object() {
        panic!("it is forgotten already: {:#}", env.record());
    }
    env.sandbox("drift").exits(0);
    let s3 = wait(World::of(&env)).s3("us-east-1");
    wait(s3.delete_bucket().bucket("acme-old").send()).unwrap();
    let report = env.sandbox("drift --format json").exits(2).json();
    assert_eq!(report["drift"][0]["address"], "bucket.old");
    assert_eq!(report["drift"][0]["severity"], "breakage");
}
