//! The page of a drift report: what somebody changed outside byob and what that means, the worst first, and who reaches
//! what, as recorded and now.

use std::collections::BTreeMap;

use byob_model::address::RootAddress;
use byob_plan::access::{Answer, Ends, drifted, reach};
use byob_plan::drift::Report;
use byob_plan::plan::DriftSeverity;
use byob_policy::AccountId;
use serde::Serialize;

use super::page::{Element, elements};
use super::plan::{AccessRow, Badge, Fact, ReachView, drawn, rows};
use super::reach::graph;
use super::{HtmlError, printed};
use crate::access::blocks_of;
use crate::drift::{Section, WAY_BACK, sections, sum};
use crate::header::{Header, facts, warnings};
use crate::value::word;

#[derive(Debug, Serialize)]
struct GroupView {
    head: Vec<String>,
    class: &'static str,
    severity: &'static str,
    body: Vec<Element>,
}

#[derive(Debug, Serialize)]
struct DriftView {
    title: String,
    headline: String,
    badges: Vec<Badge>,
    warnings: Vec<Element>,
    facts: Vec<Fact>,
    groups: Vec<GroupView>,
    access: Vec<AccessRow>,
    not_checked: Vec<String>,
    reach: Option<ReachView>,
    way_back: Option<&'static str>,
}

/// The whole report as one page.
///
/// # Errors
///
/// A template cannot be rendered: a defect.
pub fn drift_html(report: &Report, head: &Header) -> Result<String, HtmlError> {
    printed("drift.html", &view(report, head))
}

fn view(report: &Report, head: &Header) -> DriftView {
    let own: Option<AccountId> = head.account_id.parse().ok();
    let (access, verdict) = drifted(&report.ends, &head.account_id);
    let names: BTreeMap<RootAddress, String> = report
        .ends
        .iter()
        .filter_map(|ends| match ends {
            Ends::Bucket { root, name, .. } => Some((root.clone(), name.clone())),
            Ends::Key { .. } => None,
        })
        .collect();
    let headline = sum(report);
    DriftView {
        title: format!("byob drift: {headline}"),
        badges: badges(report, (verdict.grows, verdict.public)),
        warnings: elements(|page| warnings(page, head)),
        facts: facts(head, None),
        groups: sections(report, &head.account_id).iter().map(group).collect(),
        access: blocks_of(&access, own.as_ref())
            .into_iter()
            .flat_map(|block| rows(block, own.as_ref()))
            .collect(),
        not_checked: if report.drift.is_empty() { Vec::new() } else { verdict.not_checked },
        reach: drawn(
            graph(&reach(&report.ends, &access, &head.account_id), &names, own.as_ref()),
            ["recorded", "now"],
        ),
        headline,
        way_back: (!report.drift.is_empty()).then_some(WAY_BACK),
    }
}

fn group(section: &Section<'_>) -> GroupView {
    let worst = section.drift.iter().map(|drift| drift.severity).min().unwrap_or(DriftSeverity::Other);
    let mut head = vec![section.root.to_string()];
    head.extend(section.called.as_deref().map(word));
    GroupView {
        head,
        class: class_of(worst),
        severity: worst.as_str(),
        body: elements(|page| section.body(page)),
    }
}

fn class_of(severity: DriftSeverity) -> &'static str {
    match severity {
        DriftSeverity::Exposure => "bad",
        DriftSeverity::Breakage => "warn",
        DriftSeverity::Other => "note",
    }
}

fn badges(report: &Report, (grows, public): (Answer, Answer)) -> Vec<Badge> {
    if report.drift.is_empty() {
        return vec![Badge::new("good", "no drift")];
    }
    let of = |severity| report.drift.iter().filter(|drift| drift.severity == severity).count();
    let mut badges = Vec::new();
    for severity in [DriftSeverity::Exposure, DriftSeverity::Breakage, DriftSeverity::Other] {
        match of(severity) {
            0 => {}
            number => {
                badges.push(Badge::new(class_of(severity), format!("{number} × {}", severity.as_str())));
            }
        }
    }
    match public {
        Answer::Yes => badges.push(Badge::new("bad", "public")),
        Answer::CannotTell | Answer::No => {}
    }
    match grows {
        Answer::Yes => badges.push(Badge::new("bad", "access grew")),
        Answer::CannotTell => badges.push(Badge::new("warn", "access may have grown")),
        Answer::No => badges.push(Badge::new("good", "no new access")),
    }
    badges
}
