//! Drift and checks as a JUnit report, for whatever shows test results: a case for each recorded address, or each check.

use std::collections::BTreeSet;

use byob_model::address::Address;
use byob_plan::drift::Report;
use byob_plan::plan::{Drift, DriftSeverity};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use crate::drift::meaning;
use crate::escape::escape;
use crate::group::drifted;
use crate::layout::Page;

/// One case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What was looked at.
    pub name: String,
    /// What it belongs to.
    pub classname: String,
    /// What came of it.
    pub outcome: CaseOutcome,
}

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseOutcome {
    /// It is as it should be.
    Passed,
    /// It is not.
    Failed {
        /// In a word: a severity.
        kind: String,
        /// In a sentence.
        message: String,
        /// All of it; may have several lines.
        text: String,
    },
    /// It was not looked at, or does not count.
    Skipped {
        /// Why.
        message: String,
    },
}

/// Cases as a report with one suite. Without times: the same cases are the same report.
#[must_use]
pub fn checks_junit(suite: &str, cases: &[Case]) -> String {
    let mut all = TestSuite::new(xml(suite));
    for case in cases {
        let status = match &case.outcome {
            CaseOutcome::Passed => TestCaseStatus::success(),
            CaseOutcome::Skipped { message } => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(xml(message));
                status
            }
            CaseOutcome::Failed { kind, message, text } => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                let text: Vec<String> = text.lines().map(xml).collect();
                status.set_type(xml(kind)).set_message(xml(message)).set_description(text.join("\n"));
                status
            }
        };
        let mut one = TestCase::new(xml(&case.name), status);
        one.set_classname(xml(&case.classname));
        all.add_test_case(one);
    }
    let mut report = quick_junit::Report::new("byob");
    report.add_test_suite(all);
    // Writing into memory cannot fail, and `xml` leaves nothing that XML does not take.
    report.to_string().unwrap_or_default()
}

/// The drift report: a case for each recorded address, failed where it drifted, skipped where `fail_on` has none of the
/// severities of what did.
#[must_use]
pub fn drift_junit<'a>(
    report: &Report,
    recorded: impl IntoIterator<Item = &'a Address>,
    fail_on: &BTreeSet<DriftSeverity>,
) -> String {
    let mut addresses: Vec<&Address> = recorded.into_iter().collect();
    // What is drift without being recorded by itself: versioning that is off, and was on.
    addresses.extend(report.drift.iter().map(|drift| &drift.address));
    addresses.sort();
    addresses.dedup();
    let cases: Vec<Case> = addresses
        .into_iter()
        .map(|address| Case {
            name: address.to_string(),
            classname: address.root().to_string(),
            outcome: outcome(report.drift.iter().filter(|drift| drift.address == *address), fail_on),
        })
        .collect();
    checks_junit("byob drift", &cases)
}

fn outcome<'a>(drift: impl Iterator<Item = &'a Drift>, fail_on: &BTreeSet<DriftSeverity>) -> CaseOutcome {
    let mut drift: Vec<&Drift> = drift.collect();
    drift.sort_by_key(|drift| drift.severity);
    let Some(worst) = drift.first() else { return CaseOutcome::Passed };
    let message = drift.iter().map(|drift| meaning(drift)).collect::<Vec<_>>().join("; ");
    // The exit code counts by the same.
    if drift.iter().all(|drift| drift.severities.is_disjoint(fail_on)) {
        let own: BTreeSet<DriftSeverity> =
            drift.iter().flat_map(|drift| &drift.severities).copied().collect();
        let own: Vec<&str> = own.iter().map(|severity| severity.as_str()).collect();
        let listed: Vec<&str> = fail_on.iter().map(|severity| severity.as_str()).collect();
        let (own, listed) = (own.join(", "), listed.join(","));
        return CaseOutcome::Skipped {
            message: format!("drifted, not counted: {own} is not among --fail-on {listed}: {message}"),
        };
    }
    let mut page = Page::default();
    drift.iter().for_each(|drift| drifted(&mut page, drift, ""));
    CaseOutcome::Failed { kind: worst.severity.as_str().to_owned(), message, text: page.fenced() }
}

/// A text that XML can hold, with nothing hidden in it.
fn xml(text: &str) -> String {
    let mut shown = String::new();
    for c in escape(text).chars() {
        match c {
            '\u{fffe}' | '\u{ffff}' => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}
