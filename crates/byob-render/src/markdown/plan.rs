//! The plan as a comment on a pull request.

use byob_plan::access::Answer;
use byob_plan::finding::{Finding, Rule, Severity};
use byob_plan::plan::{Action, Plan, Step};
use byob_policy::principal_in_words;

use super::markup::{cell, code, fence, marker, prose};
use super::room::Comment;
use super::{Fold, above, folds, paragraphs, stack};
use crate::access::{Same, blocks, concerns, levels, own_account, plain, verdict};
use crate::group::{Group, turns};
use crate::header::Header;
use crate::layout::{Line, Page};
use crate::plan::{already, approve, danger, mode, no_changes, notes_in_one_line, severity};
use crate::summary::count;

/// Flags longer than this are not repeated behind the digest.
const FLAGS: usize = 8_000;

/// The whole comment, of fewer than 65,536 characters however they are counted. Headline, verdict, errors and digest are
/// always in it; details are left out first, and what is left out is said.
#[must_use]
pub fn plan_markdown(plan: &Plan, head: &Header) -> String {
    let end = end(plan, head);
    let mut comment = Comment::new(&end);
    comment.push(&format!("{}\n### byob: {}\n\n", marker("plan", &head.stack), headline(plan, head)));
    above(&mut comment, head);
    let mut page = Page::default();
    mode(&mut page, plan);
    danger(&mut page, plan);
    paragraphs(&mut comment, &page);
    if plan.steps.is_empty() && !plan.blocked() {
        comment.push(&format!("{}\n\n", prose(&no_changes(plan))));
    }
    let access = concerns(plan);
    if access {
        let lines = verdict_lines(&comment, plan);
        comment.push(&lines);
    }
    findings(&mut comment, plan, "Errors", Finding::blocks, 4);
    if access {
        tables(&mut comment, plan);
    }
    let warns = |finding: &Finding| finding.severity == Severity::Warning && finding.waived.is_none();
    findings(&mut comment, plan, "Warnings", warns, 2);
    let waived = |finding: &Finding| finding.severity != Severity::Note && finding.waived.is_some();
    findings(&mut comment, plan, "Waived", waived, 1);
    if let Some(notes) = notes_in_one_line(plan) {
        comment.gap();
        comment.push(&format!("{}\n\n", prose(&notes)));
    }
    let mut page = Page::default();
    already(&mut page, plan);
    comment.gap();
    paragraphs(&mut comment, &page);
    let all: Vec<Fold> = Group::all(plan).iter().map(fold).collect();
    folds(&mut comment, &all, "buckets and keys");
    let destroy = if plan.mode.destroy { " --destroy" } else { "" };
    let flags = if head.approve_flags.len() <= FLAGS { head.approve_flags.as_str() } else { "" };
    comment.finish(&code(&format!("byob plan{destroy}{flags}")), &end)
}

/// What somebody must know who reads nothing else.
fn headline(plan: &Plan, head: &Header) -> String {
    let s = plan.summary;
    let counts = [
        (s.create, "to create"),
        (s.update, "to update"),
        (s.delete, "to delete"),
        (s.adopt, "to adopt"),
        (s.forget, "to forget"),
        (s.drifted, "drifted"),
    ];
    let counts: Vec<String> =
        counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let mut parts = vec![if counts.is_empty() { "no changes".to_owned() } else { counts.join(", ") }];
    let errors = plan.findings.iter().filter(|f| f.blocks()).count();
    if errors > 0 {
        parts.push(format!("**{}: nothing can be applied**", count(errors, "error")));
    }
    let emptied = plan.emptied().count();
    if emptied > 0 {
        parts.push(format!("**ALL DATA of {} goes**", count(emptied, "bucket")));
    }
    let steps = |which: &dyn Fn(&&Step) -> bool| plan.steps.iter().filter(which).count();
    let keys = steps(&|step| step.kind == byob_model::address::Kind::Key && step.action == Action::Delete);
    if keys > 0 {
        parts.push(format!("**{} deleted for ever**", count(keys, "key")));
    }
    let off = steps(&|step| turns(step, "/protect", false));
    if off > 0 {
        parts.push(format!("**protection goes off ({off})**"));
    }
    let forced = steps(&|step| turns(step, "/force_destroy", true));
    if forced > 0 {
        parts.push(format!("**deletion may empty ({forced})**"));
    }
    match plan.access_verdict.public {
        Answer::Yes => parts.push("**PUBLIC**".into()),
        Answer::CannotTell if concerns(plan) => parts.push("may be public".into()),
        Answer::CannotTell | Answer::No => {}
    }
    match plan.access_verdict.grows {
        Answer::Yes => parts.push("**access grows**".into()),
        Answer::CannotTell => parts.push("**access may grow**".into()),
        Answer::No if concerns(plan) => parts.push("no new access".into()),
        Answer::No => {}
    }
    if plan.findings.iter().any(|f| f.rule == Rule::Interrupted) {
        parts.push("access is interrupted for a moment".into());
    }
    let of = |which: &dyn Fn(&&Finding) -> bool| plan.findings.iter().filter(which).count();
    let warnings = of(&|f| f.severity == Severity::Warning && f.waived.is_none());
    if warnings > 0 {
        parts.push(count(warnings, "warning"));
    }
    let waived = of(&|f| f.severity != Severity::Note && f.waived.is_some());
    if waived > 0 {
        parts.push(format!("{waived} waived"));
    }
    parts.extend(stack(head));
    parts.push(if head.account_id.is_empty() {
        "account not known".to_owned()
    } else {
        format!("account {}", prose(&head.account_id))
    });
    parts.join(" · ")
}

/// The digest, and the line that approves it, if it can be approved.
fn end(plan: &Plan, head: &Header) -> String {
    if plan.steps.is_empty() || plan.blocked() || head.consented {
        return format!("Digest: {}\n", code(&plan.digest));
    }
    if head.approve_flags.len() > FLAGS {
        let line = approve(plan, &Header::default());
        return format!("Approve, with the flags of this plan behind it:\n\n{}", fence("sh", &line));
    }
    format!("Approve:\n\n{}", fence("sh", &crate::escape::escape(&approve(plan, head))))
}

/// What is said of everybody, proved or not.
fn verdict_lines(comment: &Comment, plan: &Plan) -> String {
    let lines =
        verdict(plan, "Nobody gains access but those below").into_iter().filter_map(|line| match line {
            Line::Text { text, .. } => Some(format!("- {}\n", comment.text(&text))),
            _ => None,
        });
    format!("**Access**\n\n{}", lines.collect::<String>())
}

/// A table for each verb: who, what, on what.
fn tables(comment: &mut Comment, plan: &Plan) {
    let own = own_account(plan);
    let blocks = blocks(plan);
    for verb in ["gains", "may gain", "loses", "may lose"] {
        let mut rows = Vec::new();
        let mut example = None;
        for block in blocks.iter().filter(|block| block.verb == verb) {
            let who = match block.principal {
                "*" => "**anyone**".to_owned(),
                name => prose(&principal_in_words(name, own.as_ref())),
            };
            for same in &block.all {
                rows.push(row(comment, &who, same));
                if verb == "gains" && plain(same.actions).is_none() {
                    example = example.or(same.entries.first().and_then(|one| one.example.as_ref()));
                }
            }
        }
        comment.gap();
        let head = format!("| who | {verb} | on |\n| --- | --- | --- |\n");
        let more = |more| format!("| and {more} more | | |\n");
        comment.items(&head, &rows, 3, more, &format!("rows of who {verb}"));
        if let Some(example) = example {
            let (who, action, on) = (code(&example.who), code(&example.action), code(&example.resource));
            comment.offer(&format!("\ne.g. {who} could now {action} on {on}\n"), 3, "an example");
        }
    }
}

fn row(comment: &Comment, who: &str, same: &Same<'_>) -> String {
    let what = plain(same.actions).unwrap_or_else(|| {
        let levels = levels(same.actions).into_iter().map(|(title, names)| format!("{title}: {names}"));
        levels.collect::<Vec<_>>().join("; ")
    });
    let mut what = comment.text(&what);
    if !same.conditions.is_empty() {
        what += &format!(" ({})", comment.text(&same.conditions.join("; ")));
    }
    let on = same.on(|address| code(&address));
    format!("| {} | {} | {} |\n", cell(who), cell(&what), cell(&on))
}

fn findings(
    comment: &mut Comment,
    plan: &Plan,
    title: &str,
    wanted: impl Fn(&Finding) -> bool,
    parts: usize,
) {
    let found: Vec<&Finding> = plan.findings.iter().filter(|f| wanted(f)).collect();
    if found.is_empty() {
        return;
    }
    comment.gap();
    let head = format!("**{title}**\n\n");
    let mut items: Vec<String> = found.iter().map(|finding| item(comment, finding, true)).collect();
    if items.iter().map(String::len).sum::<usize>() + head.len() > comment.room(parts) {
        items = found.iter().map(|finding| item(comment, finding, false)).collect();
        comment.leave_out(format!("the help for {}", title.to_lowercase()));
    }
    let what = title.to_lowercase();
    comment.items(&head, &items, parts, |more| format!("- and {more} more {what}\n"), &what);
}

fn item(comment: &Comment, finding: &Finding, help: bool) -> String {
    let (rule, address) = (finding.rule.id(), code(&finding.address.to_string()));
    let severity =
        if finding.waived.is_some() { format!("{} ", severity(finding.severity).0) } else { String::new() };
    let mut item = format!("- **{severity}{rule}** {address}: {}\n", comment.text(&finding.message));
    if let Some(waived) = &finding.waived {
        item += &format!("  - waived until {}: {}\n", prose(&waived.until), comment.text(&waived.reason));
    }
    if help && !finding.help.is_empty() {
        item += &format!("  - help: {}\n", comment.text(&finding.help));
    }
    item
}

fn fold(group: &Group<'_>) -> Fold {
    let marks = group.marks().into_iter().map(|(glyph, names)| format!("{glyph} {}", names.join(", ")));
    let mut page = Page::default();
    group.body(&mut page);
    let called = [group.called.as_deref(), group.region()];
    Fold::new(&group.root, &called, &marks.collect::<Vec<_>>().join(" · "), &page)
}
