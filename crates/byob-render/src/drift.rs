//! The drift report as text: what somebody changed outside byob, and what that means, the worst first.

use std::collections::BTreeSet;

use byob_model::address::RootAddress;
use byob_plan::drift::Report;
use byob_plan::plan::{Drift, DriftSeverity};

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
            page.indented(DETAIL, format!("meaning: {}", drift.meaning));
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
