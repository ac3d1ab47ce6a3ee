//! The drift report as a comment on an issue.

use std::collections::BTreeSet;

use byob_plan::drift::Report;
use byob_plan::plan::DriftSeverity;

use super::markup::{cell, code, marker, prose};
use super::room::Comment;
use super::{Fold, above, folds, stack};
use crate::drift::{Section, WAY_BACK, meaning, sections, sum};
use crate::header::Header;
use crate::layout::Page;
use crate::summary::count;
use crate::value::name;

/// The whole report, of fewer than 65,536 characters however they are counted: details are left out first, and what is
/// left out is said.
#[must_use]
pub fn drift_markdown(report: &Report, head: &Header) -> String {
    let end = if report.drift.is_empty() { String::new() } else { format!("{}\n", prose(WAY_BACK)) };
    let mut comment = Comment::new(&end);
    comment.push(&format!(
        "{}\n### byob drift: {}\n\n",
        marker("drift", &head.stack),
        headline(report, head)
    ));
    above(&mut comment, head);
    if report.drift.is_empty() {
        comment.push(&format!("{}\n", prose(&sum(report))));
    }
    comment.gap();
    let all = sections(report, &head.account_id);
    let rows: Vec<String> = all
        .iter()
        .flat_map(|section| &section.drift)
        .map(|drift| {
            let what = code(&drift.address.to_string());
            format!("| {} | {} | {} |\n", drift.severity.as_str(), cell(&what), cell(&prose(&meaning(drift))))
        })
        .collect();
    let table = "| severity | what | meaning |\n| --- | --- | --- |\n";
    comment.items(table, &rows, 1, |more| format!("| | and {more} more | |\n"), "rows of what drifted");
    let all: Vec<Fold> = all.iter().map(fold).collect();
    folds(&mut comment, &all, "buckets and keys");
    comment.finish(&code("byob drift"), &end)
}

fn headline(report: &Report, head: &Header) -> String {
    let drifted: BTreeSet<_> = report.drift.iter().map(|drift| &drift.address).collect();
    let mut parts = vec![if drifted.is_empty() {
        "no drift".to_owned()
    } else {
        format!("{} of {} drifted", drifted.len(), count(report.summary.addresses, "recorded address"))
    }];
    let of = |wanted: DriftSeverity| report.drift.iter().filter(|drift| drift.severity == wanted).count();
    for (severity, what) in
        [(DriftSeverity::Exposure, "may expose something"), (DriftSeverity::Breakage, "may break W&B's work")]
    {
        if of(severity) > 0 {
            parts.push(format!("**{} {what}**", of(severity)));
        }
    }
    parts.extend(stack(head));
    parts.push(format!("account {}", prose(&head.account_id)));
    parts.join(" · ")
}

fn fold(section: &Section<'_>) -> Fold {
    let names: Vec<&str> = section.drift.iter().map(|drift| name(drift.address.kind)).collect();
    let mut page = Page::default();
    section.body(&mut page);
    Fold::new(&section.root, &[section.called.as_deref()], &format!("! {}", names.join(", ")), &page)
}
