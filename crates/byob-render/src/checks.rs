//! What `byob verify` proved, as text, JSON and JUnit: one line a check, and where it fails what was seen, the cure and what
//! W&B would show.

use byob_verify::{BucketChecks, Check, Outcome, Summary, summary};
use serde_json::{Value, json};

use crate::escape::escape;
use crate::header::{Header, header};
use crate::junit::{Case, CaseOutcome, checks_junit};
use crate::layout::{DETAIL, Page, Paint, Style};
use crate::summary::count;
use crate::value::word;

/// The version of the JSON.
const FORMAT_VERSION: &str = "1.0";

/// What a run of `byob verify` was.
#[derive(Debug, Clone, Copy)]
pub struct Verified<'a> {
    /// By bucket.
    pub buckets: &'a [BucketChecks],
    /// The role that was assumed for the requests; `None`: the caller's own rights.
    pub role: Option<&'a str>,
    /// Somebody asked to stop: later checks are missing.
    pub interrupted: bool,
}

impl Verified<'_> {
    fn summary(&self) -> Summary {
        let mut all = Summary::default();
        for bucket in self.buckets {
            let one = summary(&bucket.checks);
            all.passed += one.passed;
            all.failed += one.failed;
            all.skipped += one.skipped;
        }
        all
    }
}

/// The whole report.
#[must_use]
pub fn checks_text(verified: &Verified<'_>, head: &Header, style: &Style) -> String {
    let mut page = Page::default();
    header(&mut page, head);
    if let Some(role) = verified.role {
        page.text(Paint::Plain, format!("requests are made as {}", word(role)));
    }
    for bucket in verified.buckets {
        page.gap();
        let head = [bucket.address.clone(), word(&bucket.name), word(&bucket.region)];
        page.text(Paint::Bold, head.join("   "));
        for check in &bucket.checks {
            one(&mut page, check);
        }
    }
    page.gap();
    let Summary { passed, failed, skipped } = verified.summary();
    let left_out = if skipped > 0 { format!(", {skipped} not looked at") } else { String::new() };
    if verified.interrupted {
        page.text(
            Paint::Bold,
            format!("Interrupted: {passed} passed, {failed} failed{left_out}; later checks were not made."),
        );
    } else if failed > 0 {
        let all = count(passed + failed + skipped, "check");
        page.text(Paint::Bold, format!("{failed} of {all} failed, {passed} passed{left_out}"));
        page.text(
            Paint::Plain,
            "Do not create a team on this storage yet: its bucket cannot be changed afterwards.",
        );
    } else {
        page.text(Paint::Bold, format!("{} passed{left_out}", count(passed, "check")));
    }
    page.print(style)
}

fn one(page: &mut Page, check: &Check) {
    // The longest actions would make every line too long.
    let name = check.id.trim_start_matches("s3:");
    match &check.outcome {
        Outcome::Passed { given } => {
            let given = given.as_ref().map(|given| format!(", {given}")).unwrap_or_default();
            page.row('✓', name, format!("{}{given}", check.proves));
        }
        Outcome::Failed { seen, cure, wandb } => {
            page.row('✗', name, &check.proves);
            page.indented(DETAIL, format!("seen: {seen}"));
            page.indented(DETAIL, format!("cure: {cure}"));
            page.indented(DETAIL, format!("W&B would show: {wandb}"));
        }
        Outcome::Skipped { why } => {
            page.row('·', name, &check.proves);
            page.indented(DETAIL, format!("not looked at: {why}"));
        }
    }
}

/// The report as JSON. `at` is the time in UTC, RFC 3339; members are always there, null where they say nothing.
#[must_use]
pub fn checks_to_value(verified: &Verified<'_>, head: &Header, byob_version: &str, at: &str) -> Value {
    let Summary { passed, failed, skipped } = verified.summary();
    let buckets: Vec<Value> = verified
        .buckets
        .iter()
        .map(|bucket| json!({"address": bucket.address, "name": bucket.name, "region": bucket.region}))
        .collect();
    let checks: Vec<Value> =
        verified.buckets.iter().flat_map(|bucket| &bucket.checks).map(Check::to_value).collect();
    json!({
        "format_version": FORMAT_VERSION,
        "byob_version": byob_version,
        "account_id": head.account_id,
        "endpoint": head.endpoint,
        "role": verified.role,
        "interrupted": verified.interrupted,
        "checked_at": at,
        "summary": {"passed": passed, "failed": failed, "skipped": skipped},
        "buckets": buckets,
        "checks": checks,
    })
}

/// The report as JUnit: a case for each check.
#[must_use]
pub fn verified_junit(verified: &Verified<'_>) -> String {
    let checks = verified.buckets.iter().flat_map(|bucket| &bucket.checks);
    let cases: Vec<Case> = checks
        .map(|check| Case {
            name: check.id.clone(),
            classname: check.address.clone(),
            outcome: match &check.outcome {
                Outcome::Passed { .. } => CaseOutcome::Passed,
                Outcome::Skipped { why } => CaseOutcome::Skipped { message: why.clone() },
                Outcome::Failed { seen, cure, wandb } => CaseOutcome::Failed {
                    kind: "failed".to_owned(),
                    message: seen.clone(),
                    text: [
                        ("proves", &check.proves),
                        ("seen", seen),
                        ("cure", cure),
                        ("W&B would show", wandb),
                    ]
                    .map(|(name, line)| format!("{name}: {}", escape(line)))
                    .join("\n"),
                },
            },
        })
        .collect();
    checks_junit("byob verify", &cases)
}
