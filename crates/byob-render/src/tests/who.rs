use byob_plan::DriftSeverity;
use byob_plan::drift::{DriftSummary, Report};
use byob_plan::trail::{Traced, Who};
use insta::assert_snapshot;

use super::*;
use crate::{drift_text, not_counted};

fn who() -> Who {
    Who {
        event: "PutBucketPublicAccessBlock".into(),
        time: "2026-11-20T14:02:11Z".into(),
        identity: "arn:aws:sts::123456789012:assumed-role/Admin/alice".into(),
        source: Some("203.0.113.9".into()),
        user_agent: Some("[S3Console/0.4, aws-internal/3]".into()),
        event_id: "e".into(),
        byob: false,
        console: true,
    }
}

fn report(traced: Vec<Traced>) -> Report {
    let open = PublicAccessBlock { block_public_policy: false, ..PublicAccessBlock::ALL };
    let drift: Vec<Drift> = traced
        .into_iter()
        .map(|traced| Drift {
            traced,
            ..drift(
                "bucket.vision.public_access_block",
                Some(Attributes::PublicAccessBlock(PublicAccessBlock::ALL)),
                Some(Attributes::PublicAccessBlock(open)),
            )
        })
        .collect();
    let summary = DriftSummary { drifted: drift.len(), addresses: 57, attributes: 812 };
    Report { drift, summary, ends: Vec::new() }
}

#[test]
fn who_did_it_stands_below_what_was_done() {
    let of = |who: Who| Traced { who: Some(who), note: None };
    let all = vec![
        of(who()),
        of(Who {
            identity: "arn:aws:iam::444455556666:user/eve".into(),
            console: false,
            user_agent: Some("aws-cli/2.31.0 md/awscrt#0.27".into()),
            ..who()
        }),
        Traced {
            note: Some("the newest event that CloudTrail has is byob's own".into()),
            ..of(Who { byob: true, source: None, user_agent: None, console: false, ..who() })
        },
        Traced { who: None, note: Some("CloudTrail has no event of it".into()) },
    ];
    assert_snapshot!(drift_text(&report(all), &header(), &WIDE));
}

#[test]
fn nothing_that_cloudtrail_answers_steers_the_terminal() {
    for hostile in [
        "\u{1b}[2J\u{1b}]0;x\u{7}",
        "a\r\nbyob apply by root",
        "\u{202e}nimda",
        "\u{200b}\u{feff}",
        "::error::x",
        "<img src=x>",
        "`|*_[x](y)",
        "\u{2028}",
        "\u{e0041}",
        "\"",
        "",
    ] {
        let text = || hostile.to_owned();
        let who = Who {
            event: text(),
            time: text(),
            identity: text(),
            source: Some(text()),
            user_agent: Some(text()),
            event_id: text(),
            byob: false,
            console: false,
        };
        let traced = Traced { who: Some(who), note: Some(text()) };
        let report = report(vec![traced]);
        let shown = drift_text(&report, &header(), &WIDE);
        assert_harmless(&shown);
        // No line of its own.
        assert!(
            !shown.lines().any(|line| line.starts_with("byob apply by root") || line.starts_with("::")),
            "{shown}"
        );
        let value = byob_plan::drift::to_value(&report, "now");
        let json = byob_plan::plan::visible(&value.to_string());
        assert_harmless(&json);
        let back: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(back["drift"][0]["who"]["identity"], hostile);
    }
}

#[test]
fn what_does_not_count_is_said() {
    let report = report(vec![Traced::default(), Traced::default()]);
    let said = |list: &[DriftSeverity]| not_counted(&report, &list.iter().copied().collect());
    assert_eq!(said(&DriftSeverity::ALL), None);
    assert_eq!(said(&[DriftSeverity::Exposure]), None);
    let other = [DriftSeverity::Other, DriftSeverity::Breakage];
    assert_eq!(said(&other).unwrap(), "not counted: 2 exposure (--fail-on breakage,other)");
    assert_eq!(report.counted(&other.into()), 0);
    assert_eq!(report.counted(&DriftSeverity::ALL.into()), 2);
}
