//! `byob policy` on files: what two policies mean, and what one lets through.

use std::io::Write;

use crate::common::TestEnvironment;

const WANDB: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"WandbAccountAccess","Effect":"Allow",
"Principal":{"AWS":"830241207209"},"Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::acme/*"}]}"#;

fn files() -> TestEnvironment {
    let env = TestEnvironment::bare();
    env.write("a.json", WANDB);
    let spelled = WANDB.replace("\"830241207209\"", "[\"arn:aws:iam::830241207209:root\"]");
    env.write("respelled.json", &spelled.replace("s3:PutObject", "s3:putobject"));
    env.write("more.json", &WANDB.replace("\"s3:GetObject\",\"s3:PutObject\"", "\"s3:*\""));
    env.write("broken.json", "{\"Version\":1}");
    env
}

#[test]
fn a_respelled_policy_is_the_same_and_a_wider_one_is_not() {
    let env = files();
    assert_eq!(env.byob("policy diff a.json respelled.json").exits(0).stdout, "the same meaning\n");
    insta::assert_snapshot!(env.byob("policy diff a.json more.json"), @r#"
    changes WandbAccountAccess
            ⋮ "Sid": "WandbAccountAccess", "Effect": "Allow"
                  "Principal": {
                    "AWS": "arn:aws:iam::830241207209:root"
                  },
          -       "Action": [
          -         "s3:GetObject",
          -         "s3:PutObject"
          -       ],
          +       "Action": "s3:*",
                  "Resource": "arn:aws:s3:::acme/*"
                }
              ]
    [exit 2]
    "#);
    let json = env.byob("policy diff a.json more.json --format json").exits(2).json();
    assert_eq!(
        (json["same"].as_bool(), json["b"]["Statement"][0]["Action"].as_str()),
        (Some(false), Some("s3:*"))
    );
}

#[test]
fn a_file_that_is_no_policy_is_an_error_at_its_place() {
    let env = files();
    insta::assert_snapshot!(env.byob("policy diff a.json broken.json"), @"
    error: broken.json:1:12: `Version` is a number where a string should stand
      help: put the value in quotes
    [exit 1]
    ");
    env.byob("policy compare broken.json a.json").exits(1);
    env.byob("policy access broken.json --principal * --action s3:GetObject --resource *").exits(1);
    env.byob("policy diff a.json nowhere.json").exits(1);
}

#[test]
fn new_access_is_shown_by_a_request_and_less_access_is_proved() {
    let env = files();
    assert_eq!(env.byob("policy compare more.json a.json").exits(0).stdout, "no new access: proved\n");
    let json = env.byob("policy compare a.json more.json --format json").exits(2).json();
    let witness = json["witness"].as_str().unwrap();
    assert!(witness.contains("830241207209") && witness.contains("arn:aws:s3:::acme/"), "{witness}");
    // What fills a variable is not known: below everything it fits in, beside one value it cannot be told.
    env.write("variable.json", &WANDB.replace("acme/*", "acme/${aws:username}/*"));
    env.write("one.json", &WANDB.replace("acme/*", "acme/x/*"));
    env.byob("policy compare a.json variable.json").exits(0);
    insta::assert_snapshot!(env.byob("policy compare one.json variable.json"), @"
    cannot tell: it hangs on what fills `arn:aws:s3:::acme/${aws:username}/*`
    [exit 3]
    ");
}

#[test]
fn one_request_is_decided_with_the_statements_that_decide() {
    let env = files();
    let ask = |more: &str| {
        let who = "--principal arn:aws:iam::830241207209:role/x --resource arn:aws:s3:::acme/k";
        env.byob(&format!("policy access a.json {who} {more}"))
    };
    insta::assert_snapshot!(ask("--action s3:GetObject --identity-allows"), @"
    allow
      an Allow matches, and the requester's own policies allow it too (WandbAccountAccess)
    ");
    insta::assert_snapshot!(ask("--action s3:GetObject"), @"
    deny
      an Allow matches, but the requester's own policies would have to allow it too (WandbAccountAccess)
    [exit 2]
    ");
    ask("--action s3:DeleteObject --identity-allows").exits(2);
    ask("--action s3:GetObject --context nonsense").exits(1);
}

/// Somebody else is let in on line 2, anybody on line 3, in another bucket.
const OPEN: &str = r#"{"Version":"2012-10-17","Statement":[
{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::acme/*"},
{"Sid":"Open","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::other/*"}]}"#;

#[test]
fn a_file_is_checked_by_the_rules_for_its_bucket() {
    let env = files();
    env.write("open.json", OPEN);
    insta::assert_snapshot!(env.byob("policy check open.json --bucket acme"), @"
    error BYOB020: the policy is public: statement `Open` makes it so (it allows anyone, without a
      condition)
      help: take statement `Open` out, or narrow it; block_public_policy makes AWS refuse it,
        restrict_public_buckets leaves the bucket's account alone in
    error BYOB055: AWS would refuse the policy: `arn:aws:s3:::other/*` of statement `Open` is neither
      this bucket nor its objects
      help: write arn:aws:s3:::acme for the bucket, arn:aws:s3:::acme/* for its objects
    warning BYOB029: account 111122223333 beside W&B let in (statement 1)
      help: if it is the bucket's own account, say so with --account; if it is not meant: take statement
        1 out, or narrow it
    note BYOB043: TLS is not required: the policy does not refuse plain HTTP
      help: add a Deny for everybody with the condition \"Bool\": {\"aws:SecureTransport\": \"false\"}
    note BYOB044: old TLS is allowed: the policy does not refuse versions below 1.2
      help: add a Deny for everybody with the condition \"NumericLessThan\": {\"s3:TlsVersion\": \"1.2\"}

    note: W&B's accounts are not named in it: whether W&B could work is not judged
    note: the bucket's account was not said (--account): its own principals count as others'

    open.json: 2 errors, 1 warning, 2 notes; public
    [exit 2]
    ");
    let json = env.byob("policy check open.json --bucket acme --format json").exits(2).json();
    let first = &json["findings"][0];
    assert_eq!(
        (json["public"].as_bool(), first["rule"].as_str(), first["statement"].as_u64()),
        (Some(true), Some("BYOB020"), Some(2))
    );
    let sarif = env.byob("policy check open.json --bucket acme --format sarif").exits(2).json();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let lines: Vec<u64> = results
        .iter()
        .map(|r| r["locations"][0]["physicalLocation"]["region"]["startLine"].as_u64().unwrap())
        .collect();
    assert_eq!((sarif["version"].as_str(), lines), (Some("2.1.0"), vec![3, 3, 2, 1, 1]));
}

#[test]
fn what_a_check_answers_hangs_on_what_the_bucket_is_for() {
    let env = files();
    env.write("reading.json", &WANDB.replace("\"s3:GetObject\",\"s3:PutObject\"", "\"s3:GetObject\""));
    env.byob("policy check reading.json --bucket acme").exits(2);
    env.byob("policy check reading.json --bucket acme --purpose reference").exits(0);
    let json =
        env.byob("policy check a.json --bucket acme --purpose reference --format json").exits(0).json();
    assert_eq!(json["findings"][0]["rule"].as_str(), Some("BYOB035"));
    // No policy, no name of a bucket, no account, no name at all.
    env.byob("policy check broken.json --bucket acme --format sarif").exits(1);
    env.byob("policy check a.json --bucket Acme").exits(1);
    env.byob("policy check a.json --bucket acme --account 12").exits(1);
    env.byob("policy check a.json").exits(1);
}

#[test]
fn a_batch_answers_each_line_and_goes_on_after_one_it_cannot_read() {
    let env = files();
    let question = |action: &str| {
        format!(
            "{{\"policy\":{},\"principal\":\"arn:aws:iam::830241207209:role/x\",\"action\":\"{action}\",\
             \"resource\":\"arn:aws:s3:::acme/k\",\"identityAllowsAll\":true,\"context\":{{\"aws:SecureTransport\":true}}}}",
            WANDB.replace('\n', "")
        )
    };
    let mut command = env.command("policy access --batch");
    command.stdin(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = format!("{}\nnonsense\n{}\n", question("s3:GetObject"), question("s3:DeleteObject"));
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert_eq!(env.finish(child).exits(0).stdout, "allow\nerror\ndeny\n");
}
