use std::time::Duration;

use byob_plan::event::{Answer, Event};
use byob_plan::plan::Action;
use insta::assert_snapshot;

use super::*;
use crate::{Outcome, SettledView, error_text, event_line, outcome_text};

pub(super) fn outcome() -> Outcome {
    Outcome {
        done: 12,
        failed: Vec::new(),
        not_started: Vec::new(),
        interrupted: false,
        settled: SettledView::Converged,
        seconds: 6.23,
        nothing_to_do: false,
        saved: true,
    }
}

fn print(outcome: &Outcome) -> String {
    outcome_text(outcome, &WIDE)
}

/// One of each.
pub(super) fn events() -> Vec<Event> {
    let at = || ("bucket.vision.policy#1".to_owned(), address("bucket.vision.policy"));
    let why = || "MalformedPolicy \"Invalid principal\u{1b}[2J\nin policy\"".to_owned();
    let answer = || Answer {
        operation: "PutBucketPolicy".into(),
        code: Some("MalformedPolicy".into()),
        status: Some(400),
        request_id: Some("7K2F\u{202e}".into()),
    };
    let (wait, took) = (Duration::from_millis(200), Duration::from_millis(1234));
    let ((a, b), (c, d), (e, f), (g, h), (i, j)) = (at(), at(), at(), at(), at());
    vec![
        Event::Started { step: a, address: b, action: Action::Update, operations: vec!["PutBucketPolicy"] },
        Event::Retrying { step: c, address: d, why: why(), answer: answer(), tries: 2, wait },
        Event::Done { step: e, address: f, took },
        Event::Failed { step: g, address: h, why: why(), answer: Some(answer()), took },
        Event::Skipped { step: i, address: j },
        Event::ReadingBack { round: 1, waiting: 0 },
        Event::ReadingBack { round: 3, waiting: 2 },
    ]
}

#[test]
fn events_are_one_line_each() {
    let lines: Vec<String> = events().iter().filter_map(|event| event_line(event, &WIDE)).collect();
    lines.iter().for_each(|line| assert!(!line.contains('\n')));
    assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_end_says_what_was_done() {
    let late = SettledView::NotYetSeen(vec!["bucket.vision.tags".into()]);
    let other = SettledView::Other(vec!["bucket.vision.policy".into()]);
    let ends = [
        outcome(),
        Outcome { done: 0, nothing_to_do: true, ..outcome() },
        Outcome { settled: SettledView::NotLookedAt, ..outcome() },
        Outcome { settled: late, ..outcome() },
        Outcome { done: 1, settled: other.clone(), ..outcome() },
        Outcome { done: 0, nothing_to_do: true, settled: other, ..outcome() },
    ];
    assert_snapshot!(ends.iter().map(print).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_failure_says_what_to_do() {
    let failed = Outcome {
        done: 10,
        failed: vec![(
            "bucket.vision.policy".into(),
            "AWS refused PutBucketPolicy: MalformedPolicy \"Invalid principal in policy\"; request 7K2F, tried for 60 s, \
             because new roles take a while to be known"
                .into(),
            vec!["arn:aws:iam::111122223333:role/wandb-node does not exist (any more); correct `principals`".into()],
        )],
        not_started: vec!["bucket.vision.tags".into()],
        settled: SettledView::NotLookedAt,
        ..outcome()
    };
    let interrupted = Outcome { done: 3, failed: Vec::new(), interrupted: true, ..failed.clone() };
    assert_snapshot!([failed, interrupted].iter().map(print).collect::<Vec<_>>().join("\n"));
}

#[test]
fn an_error_says_what_was_tried_and_what_to_do() {
    let shown = error_text(
        "no AWS credentials",
        &["looked in: environment, profile `default` (not there), web identity, instance metadata (no answer in 1 s)".into()],
        &["`aws sso login`, or AWS_PROFILE=…".into(), "to try byob without an account: byob plan --sandbox\u{1b}".into()],
        &Style { width: 80, ..WIDE },
    );
    assert_snapshot!(shown);
}

#[test]
fn a_record_that_could_not_be_saved_is_not_said_to_be() {
    let cut_short = Outcome { interrupted: true, ..outcome() };
    assert!(print(&cut_short).contains("The record is saved;"));
    let unsaved = print(&Outcome { saved: false, ..cut_short });
    assert!(unsaved.contains("could not be saved") && !unsaved.contains("is saved"), "{unsaved}");
}
