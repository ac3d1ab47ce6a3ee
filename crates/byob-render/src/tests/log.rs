use byob_model::diagnostic::{Diagnostic, Span};
use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::json;

use super::progress::{events, outcome};
use super::*;
use crate::{
    Fields, Level, Outcome, SettledView, call_text, log_diagnostic, log_event, log_line, log_outcome,
};

const TIME: &str = "2026-11-20T14:02:11.123Z";

fn fields(value: &Value) -> Fields {
    value.as_object().unwrap().clone()
}

#[test]
fn each_event_of_an_apply_is_one_line_of_json() {
    let lines: Vec<String> = events()
        .iter()
        .map(log_event)
        .map(|(level, event, fields)| log_line(TIME, level, event, fields))
        .collect();
    assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_end_of_an_apply_is_one_line_of_json() {
    let failed = Outcome {
        failed: vec![("bucket.vision.policy".into(), "AWS refused".into(), vec!["mend it".into()])],
        not_started: vec!["bucket.vision.tags".into()],
        settled: SettledView::NotLookedAt,
        ..outcome()
    };
    let late = Outcome { settled: SettledView::NotYetSeen(vec!["bucket.vision.tags".into()]), ..outcome() };
    let lines: Vec<String> = [outcome(), failed, late]
        .iter()
        .map(log_outcome)
        .map(|(level, fields)| log_line(TIME, level, "apply_ended", fields))
        .collect();
    assert_snapshot!(lines.join("\n"));
}

#[test]
fn an_error_of_the_configuration_has_line_and_column() {
    let diagnostic = Diagnostic {
        message: "unknown field `encription`".into(),
        span: Some(Span { start: 15, end: 25 }),
        label: "did you mean `encryption`?".into(),
        help: "mend it".into(),
    };
    let found = log_diagnostic("byob.toml", "version = 1\nü encription = 2\n", &diagnostic);
    assert_eq!((&found["line"], &found["column"]), (&json!(2), &json!(3)));
    let nowhere = log_diagnostic("byob.toml", "", &Diagnostic { span: None, ..diagnostic });
    assert_eq!((&nowhere["line"], &nowhere["column"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_call_is_one_line_of_text() {
    let call = |event: &str, value: Value| call_text(event, &fields(&value));
    let whole = json!({
        "operation": "PutBucketPolicy", "resource": "acme\u{1b}[2J\u{202e}", "region": "eu-west-1", "attempt": 1,
        "status": 400, "code": "MalformedPolicy", "request_id": "7K2F", "elapsed_ms": 41,
    });
    let retried = json!({ "operation": "ListKeys", "region": "eu-west-1", "attempt": 2, "status": 503, "request_id": "R" });
    let silent = json!({ "operation": "HeadBucket", "resource": "acme", "attempt": 3, "elapsed_ms": 2500 });
    assert_snapshot!(
        [call("call", whole), call("call_retried", retried), call("call", silent)].join("\n"),
        @r"
    PutBucketPolicy on acme\u{1b}[2J\u{202e} (eu-west-1): 400 MalformedPolicy, request 7K2F, 41 ms
    ListKeys (eu-west-1): 503, request R, attempt 2, trying again
    HeadBucket on acme: no answer, attempt 3, 2500 ms
    "
    );
}

proptest! {
    /// Whatever a text is, it stays on its line, hides nothing, and is read back as it was.
    #[test]
    fn a_line_is_one_line_that_is_read_back(text in any::<String>()) {
        let line = log_line(TIME, Level::Info, "message", fields(&json!({ "message": text })));
        prop_assert!(!line.contains(crate::escape::is_escaped), "{line}");
        let read: Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(&read["message"], &json!(text));
        prop_assert_eq!(&read["time"], TIME);
    }
}
