use byob_plan::DriftSeverity;
use byob_plan::drift::{DriftSummary, Report};
use insta::assert_snapshot;

use super::hostile::{corpus, hostile_report};
use super::*;
use crate::{Case, CaseOutcome, checks_junit, drift_junit};

#[test]
fn every_recorded_address_is_a_case_and_what_drifted_fails() {
    let drift = vec![
        drift("bucket.vision.tags", Some(tags(&[("Owner", "platform")])), Some(tags(&[]))),
        drift("bucket.vision.policy", Some(policy(&[wandb()])), Some(policy(&[wandb(), tls_only()]))),
    ];
    let summary = DriftSummary { drifted: 2, addresses: 4, attributes: 58 };
    let report = Report { summary, drift, ends: Vec::new() };
    let recorded = ["bucket.vision", "bucket.vision.policy", "bucket.vision.tags", "key.vision"].map(address);
    assert_snapshot!(drift_junit(&report, &recorded, &DriftSeverity::ALL.into()));
}

/// As `drift --fail-on` counts: what it leaves out fails nothing.
#[test]
fn drift_that_does_not_count_is_skipped_and_says_so() {
    let tags = drift("bucket.vision.tags", Some(tags(&[("Owner", "platform")])), Some(tags(&[])));
    let less = drift("bucket.vision.policy", Some(policy(&[wandb()])), Some(policy(&[wandb(), tls_only()])));
    let (other, breakage) = (tags.severity, less.severity);
    assert_eq!((other, breakage), (DriftSeverity::Other, DriftSeverity::Breakage));
    let summary = DriftSummary { drifted: 2, addresses: 2, attributes: 58 };
    let report = Report { summary, drift: vec![tags, less], ends: Vec::new() };
    let under = |fail_on: &[DriftSeverity]| {
        let xml = drift_junit(&report, [], &fail_on.iter().copied().collect());
        let suite = quick_junit::Report::deserialize_from_str(&xml).unwrap().test_suites.remove(0);
        (suite.failures, xml.matches("<skipped ").count(), xml)
    };
    let (failures, skipped, xml) = under(&[DriftSeverity::Exposure, DriftSeverity::Breakage]);
    assert_eq!((failures, skipped), (1, 1), "{xml}");
    assert!(
        xml.contains(
            "<skipped message=\"drifted, not counted: other is not among --fail-on exposure,breakage: "
        ),
        "{xml}"
    );
    let (failures, skipped, xml) = under(&[DriftSeverity::Exposure]);
    assert_eq!((failures, skipped), (0, 2), "{xml}");
    let (failures, skipped, xml) = under(&DriftSeverity::ALL);
    assert_eq!((failures, skipped), (2, 0), "{xml}");
}

#[test]
fn checks_pass_fail_or_are_skipped() {
    let case = |name: &str, outcome| Case { name: name.into(), classname: "bucket.vision".into(), outcome };
    let cases = [
        case("put", CaseOutcome::Passed),
        case(
            "decrypt",
            CaseOutcome::Failed {
                kind: "error".into(),
                message: "W&B may not decrypt".into(),
                text: "kms:Decrypt is not granted\nhelp: add it".into(),
            },
        ),
        case("CORS", CaseOutcome::Skipped { message: "no origin is configured".into() }),
    ];
    assert_snapshot!(checks_junit("byob verify", &cases));
}

#[test]
fn every_hostile_string_stays_text() {
    for text in corpus() {
        let cases = [Case {
            name: text.clone(),
            classname: text.clone(),
            outcome: CaseOutcome::Failed { kind: text.clone(), message: text.clone(), text: text.clone() },
        }];
        for xml in
            [checks_junit(&text, &cases), drift_junit(&hostile_report(&text), [], &DriftSeverity::ALL.into())]
        {
            assert!(!xml.contains(|c: char| c != '\n' && crate::escape::is_escaped(c)), "{text:?}\n{xml}");
            assert!(!xml.contains(['\u{fffe}', '\u{ffff}']), "{text:?}\n{xml}");
            let report = quick_junit::Report::deserialize_from_str(&xml).unwrap();
            assert_eq!(report.test_suites.len(), 1, "{text:?}\n{xml}");
        }
        let xml = checks_junit(&text, &cases);
        let read = quick_junit::Report::deserialize_from_str(&xml).unwrap();
        let seen =
            crate::escape::escape(&text).replace('\u{fffe}', "\\u{fffe}").replace('\u{ffff}', "\\u{ffff}");
        assert_eq!(read.test_suites[0].test_cases[0].name.as_str(), seen, "{xml}");
        // An entity of ours, never one of theirs.
        assert!(!xml.contains("<!"), "{xml}");
    }
}
