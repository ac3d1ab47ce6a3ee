//! The drift report as text: what somebody changed outside byob, and what that means, the worst first.

use std::collections::BTreeSet;

use byob_model::address::RootAddress;
use byob_plan::drift::Report;
use byob_plan::plan::{Drift, DriftSeverity};
use byob_plan::trail::Who;

use crate::group::{drifted, identity, policies};
use crate::header::{Header, header};
use crate::layout::{DETAIL, Page, Paint, Style};
use crate::statement;
use crate::summary::count;
use crate::value::{rows, word};

/// The whole report.
#[must_use]
pub fn drift_text(report: &Report, head: &Header, style: &Style) -> String {
    let mut page = Page::default();
    header(&mut page, head);
    for section in sections(report, &head.account_id) {
        page.gap();
        let mut head = vec![section.root.to_string()];
        head.extend(section.called.as_deref().map(word));
        page.text(Paint::Bold, head.join("   "));
        section.body(&mut page);
    }
    page.gap();
    page.text(Paint::Bold, sum(report));
    if !report.drift.is_empty() {
        page.text(Paint::Plain, WAY_BACK);
    }
    page.print(style)
}

/// What can be done about drift.
pub(crate) const WAY_BACK: &str = "byob plan shows the way back, byob apply goes it. byob apply --refresh-only accepts what is live into the record; to keep it, write it into byob.toml too.";

/// The drift of one root.
pub(crate) struct Section<'a> {
    pub(crate) root: RootAddress,
    /// A bucket's name; a key's alias, else its ARN.
    pub(crate) called: Option<String>,
    /// The worst first.
    pub(crate) drift: Vec<&'a Drift>,
    /// The account that all of it is in.
    account_id: &'a str,
}

impl Section<'_> {
    /// Its lines.
    pub(crate) fn body(&self, page: &mut Page) {
        for drift in &self.drift {
            drifted(page, drift, "");
            if let Some(who) = &drift.traced.who {
                page.indented(DETAIL, who_text(who, self.account_id));
            }
            if let Some(note) = &drift.traced.note {
                page.indented(DETAIL, format!("who: {note}"));
            }
            page.indented(DETAIL, format!("{}: {}", drift.severity.as_str(), drift.meaning));
        }
    }
}

/// Every root of this account that drifted, the worst first.
pub(crate) fn sections<'a>(report: &'a Report, account_id: &'a str) -> Vec<Section<'a>> {
    let mut drift: Vec<&Drift> = report.drift.iter().collect();
    drift.sort_by(|a, b| (a.severity, &a.address).cmp(&(b.severity, &b.address)));
    let mut sections: Vec<Section<'a>> = Vec::new();
    for drift in drift {
        let root = drift.address.root();
        match sections.iter_mut().find(|section| section.root == root) {
            Some(section) => section.drift.push(drift),
            None => sections.push(Section { root, called: None, drift: vec![drift], account_id }),
        }
    }
    for section in &mut sections {
        section.called = identity(&section.root, &[], &section.drift);
    }
    sections
}

/// How much drifted, of how much.
pub(crate) fn sum(report: &Report) -> String {
    let s = report.summary;
    let read = format!("{} read", count(s.attributes, "attribute"));
    if report.drift.is_empty() {
        return format!("No drift. AWS matches the record ({}, {read}).", count(s.addresses, "address"));
    }
    let drifted: BTreeSet<_> = report.drift.iter().map(|drift| &drift.address).collect();
    let each = by_severity(&report.drift.iter().collect::<Vec<_>>());
    format!("{} of {} drifted ({read}): {each}", drifted.len(), count(s.addresses, "recorded address"))
}

/// What drifted, in a line: recorded → live.
pub(crate) fn in_words(drift: &Drift) -> String {
    let (before, after) = (drift.before.as_ref(), drift.after.as_ref());
    if let Some((before, after)) = policies(before, after) {
        return statement::difference(before, after);
    }
    let rows = rows(drift.address.kind, &drift.changes, before, after);
    rows.into_iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join("; ")
}

/// What it means, and who did it as far as that is known.
pub(crate) fn meaning(drift: &Drift) -> String {
    match &drift.traced.who {
        Some(who) => format!("{} ({})", drift.meaning, who_text(who, "")),
        None => drift.meaning.clone(),
    }
}

/// `2 exposure, 1 other`: how many there are of each severity, the worst of each counting.
fn by_severity(all: &[&Drift]) -> String {
    let count = |severity| all.iter().filter(|drift| drift.severity == severity).count();
    let some =
        DriftSeverity::ALL.map(|severity| (count(severity), severity)).into_iter().filter(|(n, _)| *n > 0);
    some.map(|(n, severity)| format!("{n} {}", severity.as_str())).collect::<Vec<_>>().join(", ")
}

/// What `--fail-on` leaves out, if that is anything.
#[must_use]
pub fn not_counted(report: &Report, fail_on: &BTreeSet<DriftSeverity>) -> Option<String> {
    let left_out = report.drift.iter().filter(|drift| drift.severities.is_disjoint(fail_on));
    let left_out = by_severity(&left_out.collect::<Vec<_>>());
    let listed: Vec<&str> = fail_on.iter().map(|severity| severity.as_str()).collect();
    (!left_out.is_empty()).then(|| format!("not counted: {left_out} (--fail-on {})", listed.join(",")))
}

/// `2026-11-20 14:02:11 UTC  PutBucketPolicy  by assumed-role/Admin/alice  from 203.0.113.9 (AWS console)`.
fn who_text(who: &Who, account_id: &str) -> String {
    let when = who.time.replace('T', " ").replace('Z', " UTC");
    // Of this account the rest of an ARN says it all.
    let own = format!("::{account_id}:");
    let tail = who.identity.split_once(&own).map_or(who.identity.as_str(), |(_, tail)| tail);
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
