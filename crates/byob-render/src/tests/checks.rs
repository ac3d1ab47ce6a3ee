//! What `byob verify` prints.

use byob_verify::{BucketChecks, Check, Outcome};

use crate::{Header, Style, Verified, checks_text, checks_to_value, verified_junit};

fn buckets() -> Vec<BucketChecks> {
    let check = |id: &str, outcome| Check {
        id: id.to_owned(),
        address: "bucket.vision.policy".to_owned(),
        proves: format!("{id} is so"),
        outcome,
    };
    let checks = vec![
        check("region", Outcome::Passed { given: None }),
        check("s3:PutObject", Outcome::Passed { given: Some("over TLS 1.3".to_owned()) }),
        check(
            "put",
            Outcome::Failed {
                seen: "PutObject: AccessDenied \"\u{1b}[2Jno\"".to_owned(),
                cure: "mend it".to_owned(),
                wandb: "runs fail to upload".to_owned(),
            },
        ),
        check("get", Outcome::Skipped { why: "nothing could be written".to_owned() }),
    ];
    vec![BucketChecks {
        address: "bucket.vision".to_owned(),
        name: "acme\u{202e}".to_owned(),
        region: "eu-west-1".to_owned(),
        checks,
    }]
}

fn head() -> Header {
    Header {
        config_file: "byob.toml".to_owned(),
        account_id: "123456789012".to_owned(),
        buckets: 1,
        endpoint: "aws".to_owned(),
        ..Header::default()
    }
}

#[test]
fn one_line_a_check_and_what_to_do_where_it_fails() {
    let buckets = buckets();
    let verified = Verified { buckets: &buckets, role: None, interrupted: false };
    insta::assert_snapshot!(checks_text(&verified, &head(), &Style::default()), @r#"
    byob.toml   account 123456789012   1 bucket   nothing recorded yet

    bucket.vision   "acme\u{202e}"   eu-west-1
      ✓ region      region is so
      ✓ PutObject   s3:PutObject is so, over TLS 1.3
      ✗ put         put is so
          seen: PutObject: AccessDenied "\u{1b}[2Jno"
          cure: mend it
          W&B would show: runs fail to upload
      · get         get is so
          not looked at: nothing could be written

    1 of 4 checks failed, 2 passed, 1 not looked at
    Do not create a team on this storage yet: its bucket cannot be changed afterwards.
    "#);
    let stopped = Verified { interrupted: true, role: Some("arn:aws:iam::1:role/r"), ..verified };
    let text = checks_text(&stopped, &head(), &Style::default());
    assert!(
        text.contains("Interrupted: 2 passed, 1 failed, 1 not looked at; later checks were not made."),
        "{text}"
    );
    assert!(text.contains("requests are made as arn:aws:iam::1:role/r"), "{text}");
}

#[test]
fn the_json_has_every_member_always() {
    let buckets = buckets();
    let verified = Verified { buckets: &buckets, role: None, interrupted: false };
    let value = checks_to_value(&verified, &head(), "0.1.0", "2026-11-28T00:00:00Z");
    assert_eq!(value["summary"], serde_json::json!({"passed": 2, "failed": 1, "skipped": 1}));
    for check in value["checks"].as_array().unwrap() {
        let members: Vec<&str> = check.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["address", "cure", "given", "id", "outcome", "proves", "seen", "wandb", "why"]);
    }
    assert_eq!(value["checks"][1]["given"], "over TLS 1.3");
    assert_eq!(value["checks"][3]["why"], "nothing could be written");
    assert_eq!(value["role"], serde_json::Value::Null);
}

#[test]
fn in_junit_each_check_is_a_case_and_hidden_characters_are_shown() {
    let buckets = buckets();
    let text = verified_junit(&Verified { buckets: &buckets, role: None, interrupted: false });
    let report = quick_junit::Report::deserialize_from_str(&text).unwrap();
    let suite = &report.test_suites[0];
    assert_eq!((suite.tests, suite.failures, suite.skipped), (4, 1, 1));
    let names: Vec<&str> = suite.test_cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names, ["region", "s3:PutObject", "put", "get"]);
    assert!(!text.contains('\u{1b}') && text.contains("W&amp;B would show: runs fail to upload"), "{text}");
}
