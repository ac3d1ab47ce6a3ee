//! The drift report as text: what somebody changed outside byob, and what that means, the worst first.

use std::collections::BTreeSet;

use byob_model::address::{Kind, RootAddress};
use byob_plan::drift::Report;
use byob_plan::plan::{Drift, DriftSeverity};
use serde_json::Value;

use crate::group::{drifted, identity};
use crate::header::{Header, header};
use crate::layout::{DETAIL, Page, Paint, Style};
use crate::summary::count;
use crate::value::word;

/// The whole report.
#[must_use]
pub fn drift_text(report: &Report, head: &Header, style: &Style) -> String {
    let mut page = Page::default();
    header(&mut page, head);
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
            page.indented(DETAIL, format!("meaning: {}", meaning(drift)));
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
    let exposed = drift.iter().filter(|drift| drift.severity == DriftSeverity::Exposure).count();
    let exposed = if exposed > 0 { format!("; {exposed} may expose something") } else { String::new() };
    page.text(
        Paint::Bold,
        format!("{} of {} drifted ({read}){exposed}", drifted.len(), count(s.addresses, "recorded address")),
    );
    page.text(Paint::Plain, "byob plan shows the way back, byob apply goes it; to keep what is live now, write it into byob.toml.");
    page.print(style)
}

/// What it means, as exactly as the leaves say it.
fn meaning(drift: &Drift) -> String {
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
