//! The plan as text: what must stop a reviewer first, then the findings, the steps, the counts, and the line to approve.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::{Kind, RootAddress};
use byob_plan::access::Answer;
use byob_plan::finding::{Finding, Rule, Severity};
use byob_plan::plan::{Action, Plan, Step};

use crate::access::access;
use crate::group::{groups, turns};
use crate::header::{Header, header};
use crate::layout::{Line, Page, Paint, Style};
use crate::summary::count;
use crate::value::word;

/// The whole plan.
#[must_use]
pub fn plan_text(plan: &Plan, head: &Header, style: &Style) -> String {
    let mut page = Page::default();
    header(&mut page, head);
    mode(&mut page, plan);
    danger(&mut page, plan);
    access(&mut page, plan);
    findings(&mut page, plan, style);
    groups(&mut page, plan);
    already(&mut page, plan);
    end(&mut page, plan, head, style);
    page.print(style)
}

/// The steps alone, with what must stop a reviewer above them: what `apply` shows before it asks.
#[must_use]
pub fn plan_details(plan: &Plan, style: &Style) -> String {
    let mut page = Page::default();
    danger(&mut page, plan);
    access(&mut page, plan);
    groups(&mut page, plan);
    page.print(style)
}

/// The counts: `12 to create, 0 to update, 0 to delete; access grows`.
#[must_use]
pub fn counts(plan: &Plan) -> String {
    let s = plan.summary;
    let mut parts = vec![
        format!("{} to create", s.create),
        format!("{} to update", s.update),
        format!("{} to delete", s.delete),
    ];
    let more = [(s.adopt, "to adopt"), (s.forget, "to forget"), (s.drifted, "drifted")];
    parts.extend(more.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
    let grows = match plan.access_verdict.grows {
        Answer::No => "",
        Answer::CannotTell => "; access may grow",
        Answer::Yes => "; access grows",
    };
    let interrupts = plan.findings.iter().any(|f| f.rule == Rule::Interrupted);
    let interrupts = if interrupts { "; access is interrupted for a moment" } else { "" };
    format!("{}{grows}{interrupts}", parts.join(", "))
}

/// What the flags make of it.
pub(crate) fn mode(page: &mut Page, plan: &Plan) {
    let listed = |set: &BTreeSet<String>| set.iter().map(|item| word(item)).collect::<Vec<_>>().join(", ");
    if plan.mode.destroy {
        page.text(Paint::Red, "Destroy: everything byob has recorded is to go (--destroy).");
    }
    if plan.mode.refresh_only {
        page.text(
            Paint::Bold,
            "Record only: what was changed outside byob is accepted; nothing is written to AWS (--refresh-only).",
        );
    }
    if !plan.mode.target.is_empty() {
        let targets = listed(&plan.mode.target);
        page.text(
            Paint::Bold,
            format!("Only {targets} and what it depends on (--target); nothing is said of the rest."),
        );
    }
    if !plan.mode.recreate.is_empty() {
        page.text(
            Paint::Bold,
            format!("Made again where gone: {} (--recreate).", listed(&plan.mode.recreate)),
        );
    }
}

/// What nobody may approve by accident.
pub(crate) fn danger(page: &mut Page, plan: &Plan) {
    let roots = |which: &dyn Fn(&Step) -> bool| -> Vec<String> {
        plan.steps.iter().filter(|step| which(step)).map(|step| step.address.root().to_string()).collect()
    };
    let emptied: BTreeSet<String> = plan.emptied().map(word).collect();
    for name in &emptied {
        page.text(
            Paint::Red,
            format!(
                "ALL DATA in {name} will be deleted: every object, every version. Nothing brings it back."
            ),
        );
    }
    let keys = roots(&|step| step.kind == Kind::Key && step.action == Action::Delete);
    if !keys.is_empty() {
        page.text(
            Paint::Red,
            format!(
                "Key deletion: {}. What is encrypted under a deleted key can never be read again.",
                keys.join(", ")
            ),
        );
    }
    let off = roots(&|step| turns(step, "/protect", false));
    if !off.is_empty() {
        page.text(Paint::Red, format!("Protection goes off: {}", off.join(", ")));
    }
    let forced = roots(&|step| turns(step, "/force_destroy", true));
    if !forced.is_empty() {
        page.text(
            Paint::Red,
            format!("From now on deletion may empty (force_destroy): {}", forced.join(", ")),
        );
    }
}

/// How bad, in a word and a colour.
pub(crate) fn severity(severity: Severity) -> (&'static str, Paint) {
    match severity {
        Severity::Error => ("error", Paint::Red),
        Severity::Warning => ("warning", Paint::Yellow),
        Severity::Note => ("note", Paint::Cyan),
    }
}

fn findings(page: &mut Page, plan: &Plan, style: &Style) {
    // Who is interrupted is told under access.
    let told = |f: &&Finding| (style.notes || f.severity != Severity::Note) && f.rule != Rule::Interrupted;
    let mut shown: Vec<&Finding> = plan.findings.iter().filter(told).collect();
    shown.sort_by_key(|f| f.severity);
    if !shown.is_empty() {
        page.gap();
    }
    for finding in shown {
        tell(page, finding, 0);
    }
}

/// One finding, with what is to be done.
pub(crate) fn tell(page: &mut Page, finding: &Finding, indent: usize) {
    let (severity, paint) = severity(finding.severity);
    let (rule, address) = (finding.rule.id(), &finding.address);
    let text = format!("{severity} {rule} {address}: {}", finding.message);
    page.push(Line::Text { indent, hang: indent + 2, paint, text });
    if let Some(waived) = &finding.waived {
        page.indented(indent + 2, format!("waived until {}: {}", waived.until, waived.reason));
    }
    if !finding.help.is_empty() {
        page.indented(indent + 2, format!("help: {}", finding.help));
    }
}

pub(crate) fn already(page: &mut Page, plan: &Plan) {
    if plan.already.is_empty() {
        return;
    }
    let addresses: Vec<String> = plan.already.iter().map(ToString::to_string).collect();
    page.gap();
    page.text(
        Paint::Plain,
        format!(
            "Already as configured, but not as recorded; the next apply records it: {}",
            addresses.join(", ")
        ),
    );
}

/// `2 notes: versioning is off, unfinished uploads are kept (byob plan --notes)`; of many, how often each. Of roots in
/// which nothing happens nothing is said, and those that somebody waived are not told again.
pub(crate) fn notes_in_one_line(plan: &Plan) -> Option<String> {
    let stepped = plan.steps.iter().map(|step| step.address.root());
    let touched: BTreeSet<RootAddress> =
        stepped.chain(plan.drift.iter().map(|drift| drift.address.root())).collect();
    let notes = plan.findings.iter().filter(|f| {
        f.severity == Severity::Note && f.waived.is_none() && touched.contains(&f.address.root())
    });
    let mut each: BTreeMap<Rule, usize> = BTreeMap::new();
    notes.for_each(|note| *each.entry(note.rule).or_default() += 1);
    let all: usize = each.values().sum();
    let short: Vec<String> = each
        .into_iter()
        .map(|(rule, times)| match times {
            1 => rule.short().to_owned(),
            _ => format!("{} ({times} times)", rule.short()),
        })
        .collect();
    (all > 0).then(|| format!("{}: {} (byob plan --notes)", count(all, "note"), short.join(", ")))
}

/// What it comes to, and what to do.
pub(crate) fn end(page: &mut Page, plan: &Plan, head: &Header, style: &Style) {
    page.gap();
    if let Some(notes) = notes_in_one_line(plan).filter(|_| !style.notes) {
        page.text(Paint::Plain, notes);
        page.gap();
    }
    let errors = plan.findings.iter().filter(|f| f.blocks()).count();
    if errors > 0 {
        if !plan.steps.is_empty() {
            page.text(Paint::Bold, counts(plan));
        }
        page.text(Paint::Red, format!("{}: nothing can be applied", count(errors, "error")));
        return;
    }
    if !plan.steps.is_empty() {
        page.text(Paint::Bold, counts(plan));
        if head.consented {
            return;
        }
        let text = approve(plan, head);
        page.push(Line::Whole { paint: Paint::Plain, text });
        return;
    }
    page.text(Paint::Bold, no_changes(plan));
    if !plan.drift.is_empty() {
        page.text(Paint::Plain, "byob drift says what that means.");
    }
}

/// The line that approves it, whole.
pub(crate) fn approve(plan: &Plan, head: &Header) -> String {
    let command = if plan.mode.destroy { "destroy" } else { "apply" };
    format!("byob {command} --approve {}{}", plan.digest, head.approve_flags)
}

/// That there is nothing to do, and what that was found from.
pub(crate) fn no_changes(plan: &Plan) -> String {
    let subject = if plan.mode.target.is_empty() { "" } else { " to what --target names" };
    let read = count(plan.attributes, "attribute");
    if plan.mode.refresh_only && plan.drift.is_empty() {
        return format!("Nothing to accept{subject}. AWS matches the record ({read} read).");
    }
    let what = match (plan.drift.is_empty(), plan.already.is_empty()) {
        (false, _) => format!("AWS differs from the record in {}", count(plan.drift.len(), "place")),
        (true, false) => "AWS matches the configuration".into(),
        (true, true) => "AWS matches the configuration and the record".into(),
    };
    format!("No changes{subject}. {what} ({read} read).")
}
