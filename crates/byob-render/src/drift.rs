//! The drift report as text: what somebody changed outside byob, and what that means, the worst first.

use std::collections::BTreeSet;

use byob_model::address::RootAddress;
use byob_plan::drift::Report;
use byob_plan::plan::{Drift, DriftSeverity};
use byob_plan::trail::Who;

use crate::group::{drifted, identity};
use crate::header::{Header, header};
use crate::layout::{DETAIL, Page, Paint, Style};
use crate::summary::count;
use crate::value::word;

/// The whole report.
#[must_use]
pub fn drift_text(report: &Report, head_of: &Header, style: &Style) -> String {
    let mut page = Page::default();
    header(&mut page, head_of);
    let mut drift: Vec<&Drift> = report.drift.iter().collect();
    drift.sort_by(|a, b| (a.severity, &a.address).cmp(&(b.severity, &b.address)));
    let mut roots: Vec<RootAddress> = Vec::new();
    for drift in &drift {
        if !roots.contains(&drift.address.root()) {
            roots.push(drift.address.root());
        }
    }
    for root in &roots {
        page.gap();
        let drift: Vec<&Drift> =
            drift.iter().copied().filter(|drift| drift.address.root() == *root).collect();
        let mut head = vec![root.to_string()];
        head.extend(identity(root, &[], &drift).map(|text| word(&text)));
        page.text(Paint::Bold, head.join("   "));
        for drift in drift {
            drifted(&mut page, drift, "");
            if let Some(who) = &drift.traced.who {
                page.indented(DETAIL, who_text(who, &head_of.account_id));
            }
            if let Some(note) = &drift.traced.note {
                page.indented(DETAIL, format!("who: {note}"));
            }
            page.indented(DETAIL, format!("{}: {}", drift.severity.as_str(), drift.meaning));
        }
    }
    page.gap();
    let s = report.summary;
    let read = format!("{} read", count(s.attributes, "attribute"));
    if drift.is_empty() {
        page.text(
            Paint::Bold,
            format!("No drift. AWS matches the record ({}, {read}).", count(s.addresses, "address")),
        );
        return page.print(style);
    }
    let drifted: BTreeSet<_> = drift.iter().map(|drift| &drift.address).collect();
    let each = by_severity(report, &BTreeSet::from(DriftSeverity::ALL));
    page.text(
        Paint::Bold,
        format!("{} of {} drifted ({read}): {each}", drifted.len(), count(s.addresses, "recorded address")),
    );
    page.text(Paint::Plain, "byob plan shows the way back, byob apply goes it. byob apply --refresh-only accepts what is live into the record; to keep it, write it into byob.toml too.");
    page.print(style)
}

/// `2 exposure, 1 other`: how many there are of each of these severities.
fn by_severity(report: &Report, severities: &BTreeSet<DriftSeverity>) -> String {
    let count = |severity: &DriftSeverity| report.counted(&BTreeSet::from([*severity]));
    let some = severities.iter().map(|severity| (count(severity), severity)).filter(|(n, _)| *n > 0);
    some.map(|(n, severity)| format!("{n} {}", severity.as_str())).collect::<Vec<_>>().join(", ")
}

/// What `--fail-on` leaves out, if that is anything.
#[must_use]
pub fn not_counted(report: &Report, fail_on: &BTreeSet<DriftSeverity>) -> Option<String> {
    let others: BTreeSet<DriftSeverity> =
        DriftSeverity::ALL.into_iter().filter(|severity| !fail_on.contains(severity)).collect();
    let left_out = by_severity(report, &others);
    let listed: Vec<&str> = fail_on.iter().map(|severity| severity.as_str()).collect();
    (!left_out.is_empty()).then(|| format!("not counted: {left_out} (--fail-on {})", listed.join(",")))
}

/// `2026-11-20 14:02:11 UTC  PutBucketPolicy  by assumed-role/Admin/alice  from 203.0.113.9 (AWS console)`.
fn who_text(who: &Who, account_id: &str) -> String {
    let when = who.time.replace('T', " ").replace('Z', " UTC");
    // Of this account the rest of an ARN says it all.
    let (_, tail) = who.identity.split_once(&format!("::{account_id}:")).unwrap_or(("", &who.identity));
    let by = if who.byob { "byob apply by" } else { "by" };
    let with = match (who.console, &who.user_agent) {
        (true, _) => Some("AWS console".to_owned()),
        (false, Some(agent)) => agent.trim_start_matches('[').split([' ', ']']).next().map(word),
        (false, None) => None,
    };
    let from = who.source.as_ref().map(|source| format!("  from {}", word(source))).unwrap_or_default();
    let with = with.filter(|text| !text.is_empty()).map(|text| format!(" ({text})")).unwrap_or_default();
    format!("{}  {}  {by} {}{from}{with}", when, word(&who.event), word(tail))
}
