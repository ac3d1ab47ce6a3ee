//! The page of a plan: what must stop a reviewer first, then access as a table and as a picture, the findings, a fold for
//! each root, and the line to approve.

use byob_model::address::RootKind;
use byob_plan::access::{Answer, reach};
use byob_plan::finding::{Finding, Severity};
use byob_plan::plan::{Action, Plan};
use byob_policy::AccountId;
use serde::Serialize;

use super::page::{Element, elements, of_lines};
use super::picture::{Picture, narrow, wide};
use super::reach::{Graph, graph};
use super::{HtmlError, printed};
use crate::access::{Block, blocks, concerns, levels, own_account, plain, verdict};
use crate::group::{Group, turns};
use crate::header::{Header, facts, warnings};
use crate::layout::Style;
use crate::plan::{already, counts, danger, end, mode, severity};
use crate::summary::count;

/// With more roots than this their folds are closed at first.
const OPEN: usize = 6;

/// A fact of the header: what, and what it is.
pub(super) type Fact = (&'static str, String);

/// A word at the top: how it looks, a sign that says the same without colour, and the words.
#[derive(Debug, Serialize)]
pub(super) struct Badge {
    pub class: &'static str,
    pub sign: &'static str,
    pub text: String,
}

impl Badge {
    pub(super) fn new(class: &'static str, text: impl Into<String>) -> Self {
        let sign = match class {
            "bad" => "✗",
            "warn" => "!",
            "good" => "✓",
            _ => "·",
        };
        Self { class, sign, text: text.into() }
    }
}

/// A row of the access table.
#[derive(Debug, Serialize)]
pub(super) struct AccessRow {
    pub who: String,
    pub name: String,
    pub verb: &'static str,
    pub class: &'static str,
    pub on: String,
    /// Level and names; of what has plain words no level.
    pub what: Vec<(String, String)>,
    pub conditions: Vec<String>,
    pub example: String,
}

/// Who reaches what.
#[derive(Debug, Serialize)]
pub(super) struct ReachView {
    pub graph: Graph,
    pub wide: Picture,
    pub narrow: Picture,
    /// What the two ends are called: `before` and `after`.
    pub ends: [&'static str; 2],
}

#[derive(Debug, Serialize)]
struct FindingView {
    class: &'static str,
    severity: &'static str,
    rule: String,
    address: String,
    message: String,
    help: String,
    waived: Option<(String, String)>,
}

#[derive(Debug, Serialize)]
struct GroupView {
    head: Vec<String>,
    marks: Vec<(char, String)>,
    body: Vec<Element>,
    open: bool,
}

#[derive(Debug, Serialize)]
struct PlanView {
    title: String,
    headline: String,
    badges: Vec<Badge>,
    warnings: Vec<Element>,
    facts: Vec<Fact>,
    danger: Vec<Element>,
    concerns_access: bool,
    verdict: Vec<Element>,
    access: Vec<AccessRow>,
    reach: Option<ReachView>,
    findings: Vec<FindingView>,
    notes: Vec<FindingView>,
    groups: Vec<GroupView>,
    already: Vec<Element>,
    end: Vec<Element>,
    digest: Option<String>,
    byob_version: String,
}

/// The whole plan as one page.
///
/// # Errors
///
/// A template cannot be rendered: a defect.
pub fn plan_html(plan: &Plan, head: &Header) -> Result<String, HtmlError> {
    printed("plan.html", &view(plan, head))
}

fn view(plan: &Plan, head: &Header) -> PlanView {
    let own = own_account(plan);
    let style = Style { notes: true, ..Style::default() };
    let end = elements(|page| end(page, plan, head, &style));
    let headline = match end.first() {
        Some(Element::Text { text, .. }) if plan.steps.is_empty() => text.clone(),
        _ => counts(plan),
    };
    let mut shown: Vec<&Finding> = plan.findings.iter().collect();
    shown.sort_by_key(|finding| finding.severity);
    let (notes, findings): (Vec<&Finding>, Vec<&Finding>) =
        shown.into_iter().partition(|finding| finding.severity == Severity::Note);
    let groups = Group::all(plan);
    let open = groups.len() <= OPEN;
    PlanView {
        title: format!("byob plan: {headline}"),
        badges: badges(plan),
        warnings: elements(|page| {
            warnings(page, head);
            mode(page, plan);
        }),
        facts: facts(head, plan.state.as_ref().map(|state| state.lineage.as_str())),
        danger: elements(|page| danger(page, plan)),
        concerns_access: concerns(plan),
        verdict: of_lines(&verdict(plan, "Nobody gains access but those below")),
        access: blocks(plan).into_iter().flat_map(|block| rows(block, own.as_ref())).collect(),
        reach: reached(plan, own.as_ref()),
        findings: findings.into_iter().map(finding).collect(),
        notes: notes.into_iter().map(finding).collect(),
        groups: groups
            .iter()
            .map(|group| GroupView {
                head: group.head(),
                marks: group.marks().into_iter().map(|(glyph, names)| (glyph, names.join(", "))).collect(),
                body: elements(|page| group.body(page)),
                open,
            })
            .collect(),
        already: elements(|page| already(page, plan)),
        digest: (!plan.steps.is_empty() && !plan.blocked()).then(|| plan.digest.clone()),
        byob_version: plan.byob_version.clone(),
        headline,
        end,
    }
}

fn reached(plan: &Plan, own: Option<&AccountId>) -> Option<ReachView> {
    let account = plan.accounts.first().map(|account| account.account_id.as_str()).unwrap_or_default();
    let graph = graph(&reach(&plan.ends, &plan.access, account), &plan.names, own);
    drawn(graph, ["before", "after"])
}

/// Nothing where nobody reaches anything.
pub(super) fn drawn(graph: Graph, ends: [&'static str; 2]) -> Option<ReachView> {
    (!graph.rows.is_empty() || !graph.left_out.is_empty()).then(|| ReachView {
        wide: wide(&graph),
        narrow: narrow(&graph),
        graph,
        ends,
    })
}

/// What one principal gains or loses: a row for each set of roots.
pub(super) fn rows(block: Block<'_>, own: Option<&AccountId>) -> Vec<AccessRow> {
    let Block { principal, verb, all } = block;
    let who = byob_policy::principal_in_words(principal, own);
    let name = if who == principal || principal == "*" { String::new() } else { principal.to_owned() };
    let class = match verb {
        "gains" => "gained",
        "loses" => "lost",
        _ => "maybe",
    };
    let row = |same: crate::access::Same<'_>| {
        let what = match plain(same.actions) {
            Some(words) => vec![(String::new(), words)],
            None => levels(same.actions),
        };
        let example = same.entries.first().and_then(|one| one.example.as_ref()).filter(|_| verb == "gains");
        let example = example.filter(|_| plain(same.actions).is_none());
        AccessRow {
            who: who.clone(),
            name: name.clone(),
            verb,
            class,
            on: same.on(|address| address),
            what,
            conditions: same.conditions.to_vec(),
            example: example.map(crate::access::for_example).unwrap_or_default(),
        }
    };
    all.into_iter().map(row).collect()
}

fn finding(finding: &Finding) -> FindingView {
    let (word, _) = severity(finding.severity);
    FindingView {
        class: match finding.severity {
            Severity::Error => "bad",
            Severity::Warning => "warn",
            Severity::Note => "note",
        },
        severity: word,
        rule: finding.rule.id().to_string(),
        address: finding.address.to_string(),
        message: finding.message.clone(),
        help: finding.help.clone(),
        waived: finding.waived.as_ref().map(|waived| (waived.until.clone(), waived.reason.clone())),
    }
}

/// What is to be seen before anything is read.
fn badges(plan: &Plan) -> Vec<Badge> {
    let mut badges = Vec::new();
    let errors = plan.findings.iter().filter(|finding| finding.blocks()).count();
    if errors > 0 {
        badges.push(Badge::new("bad", format!("{}: nothing can be applied", count(errors, "error"))));
    }
    if plan.emptied().next().is_some() {
        badges.push(Badge::new("bad", "deletes data"));
    }
    if plan.steps.iter().any(|step| step.kind.is_root() && step.action == Action::Delete) {
        badges.push(Badge::new("bad", "deletes buckets or keys"));
    }
    if plan.steps.iter().any(|step| turns(step, "/protect", false)) {
        badges.push(Badge::new("bad", "protection goes off"));
    }
    let buckets = plan.names.keys().any(|root| root.kind == RootKind::Bucket) && !plan.mode.destroy;
    match plan.access_verdict.public {
        Answer::Yes => badges.push(Badge::new("bad", "public")),
        Answer::CannotTell if buckets => badges.push(Badge::new("warn", "whether public: cannot be told")),
        Answer::No if buckets => badges.push(Badge::new("good", "not public")),
        Answer::CannotTell | Answer::No => {}
    }
    badges.push(match plan.access_verdict.grows {
        Answer::Yes => Badge::new("warn", "access grows"),
        Answer::CannotTell => Badge::new("warn", "access may grow"),
        Answer::No => Badge::new("good", "no new access"),
    });
    if !plan.drift.is_empty() {
        badges.push(Badge::new("warn", format!("{} drifted", plan.drift.len())));
    }
    let warnings =
        plan.findings.iter().filter(|f| f.severity == Severity::Warning && f.waived.is_none()).count();
    if warnings > 0 {
        badges.push(Badge::new("warn", count(warnings, "warning")));
    }
    badges
}
