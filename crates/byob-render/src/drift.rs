//! The drift report as text: what somebody changed outside byob, and what that means, the worst first.

use std::collections::BTreeSet;

use byob_model::address::{Kind, RootAddress};
use byob_plan::drift::Report;
use byob_plan::plan::{Drift, DriftSeverity};
use serde_json::Value;

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
    for section in sections(report) {
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
pub(crate) const WAY_BACK: &str =
    "byob plan shows the way back, byob apply goes it; to keep what is live now, write it into byob.toml.";

/// The drift of one root.
pub(crate) struct Section<'a> {
    pub(crate) root: RootAddress,
    /// A bucket's name; a key's alias, else its ARN.
    pub(crate) called: Option<String>,
    /// The worst first.
    pub(crate) drift: Vec<&'a Drift>,
}

impl Section<'_> {
    /// Its lines.
    pub(crate) fn body(&self, page: &mut Page) {
        for drift in &self.drift {
            drifted(page, drift, "");
            page.indented(DETAIL, format!("meaning: {}", meaning(drift)));
        }
    }
}

/// Every root that drifted, the worst first.
pub(crate) fn sections(report: &Report) -> Vec<Section<'_>> {
    let mut drift: Vec<&Drift> = report.drift.iter().collect();
    drift.sort_by(|a, b| (a.severity, &a.address).cmp(&(b.severity, &b.address)));
    let mut sections: Vec<Section<'_>> = Vec::new();
    for drift in drift {
        let root = drift.address.root();
        match sections.iter_mut().find(|section| section.root == root) {
            Some(section) => section.drift.push(drift),
            None => sections.push(Section { root, called: None, drift: vec![drift] }),
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
    let exposed = report.drift.iter().filter(|drift| drift.severity == DriftSeverity::Exposure).count();
    let exposed = if exposed > 0 { format!("; {exposed} may expose something") } else { String::new() };
    format!("{} of {} drifted ({read}){exposed}", drifted.len(), count(s.addresses, "recorded address"))
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

/// What it means, as exactly as the leaves say it.
pub(crate) fn meaning(drift: &Drift) -> String {
    let to = |path: &str, value: &Value| drift.changes.iter().any(|c| c.path == path && c.after == *value);
    let off = |path: &str| to(path, &Value::Bool(false));
    let gone = to("", &Value::String("absent".into()));
    let mut meanings: Vec<&str> = Vec::new();
    match drift.address.kind {
        Kind::PublicAccessBlock => {
            let settings = [
                ("/block_public_policy", "a public policy would now be accepted"),
                ("/block_public_acls", "a public ACL would now be accepted"),
                ("/ignore_public_acls", "public ACLs now count"),
                ("/restrict_public_buckets", "a public policy would now let everybody in"),
            ];
            meanings.extend(settings.iter().filter(|(path, _)| off(path)).map(|(_, meaning)| *meaning));
            if drift.changes.iter().all(|c| c.path.is_empty() || c.after.is_null()) {
                meanings.push("public policies and public ACLs would now be accepted");
            }
        }
        Kind::Versioning if to("/status", &Value::String("Suspended".into())) => {
            meanings.push("what is overwritten or deleted from now on is lost");
        }
        Kind::Key if to("/state", &Value::String("PendingDeletion".into())) => {
            meanings.push("nothing under this key can be read, and soon never again: cancel the deletion");
        }
        Kind::Key if to("/state", &Value::String("Disabled".into())) => {
            meanings.push("nothing under this key can be read or written until it is enabled");
        }
        Kind::Bucket if gone => meanings.push("it was deleted outside byob, and its data with it"),
        Kind::Key if gone => meanings.push("everything encrypted under it is unreadable for ever"),
        Kind::Bucket | Kind::Key if to("", &Value::String("not allowed".into())) => {
            meanings.push("byob cannot tell: this caller may not look at it");
        }
        Kind::Bucket if drift.changes.iter().any(|c| c.path.is_empty()) => {
            meanings.push("it may belong to somebody else now, or this caller may not look at it");
        }
        Kind::Rotation if off("/enabled") => meanings.push("the key's material is not renewed any more"),
        _ => {}
    }
    if meanings.is_empty() { drift.severity.meaning().to_owned() } else { meanings.join("; ") }
}
