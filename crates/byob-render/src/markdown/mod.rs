//! Plan, drift and the end of an apply as a comment on a pull request, an issue, or a job's summary: a headline that is
//! enough by itself, access as a table, one fold a root, the digest. What is said comes from the rooms of the text; here
//! it is only put into Markdown, and made to fit.
//!
//! Rooms: `markup` writes the pieces, and keeps texts from outside texts; `room` says what fits; `plan` and `drift` are
//! the comments.

mod drift;
mod markup;
mod plan;
mod room;

use byob_model::address::RootAddress;

pub use drift::drift_markdown;
pub use plan::plan_markdown;

use crate::header::Header;
use crate::layout::{Line, Page, Style};
use crate::progress::{Outcome, outcome_text};
use crate::summary::count;
use markup::{code, fence, fold, html_code, html_text, prose};
use room::{Comment, LIMIT, SHARE, fitting};

/// Of what was found out before, more than this is left out.
const NOTES: usize = 10;

/// The end of an apply: what was done, what was not, and what to do, as the text says it.
#[must_use]
pub fn outcome_markdown(outcome: &Outcome) -> String {
    let failed = !outcome.failed.is_empty() || !outcome.not_started.is_empty() || outcome.interrupted;
    let how = match (failed, outcome.interrupted) {
        (_, true) => "**interrupted**",
        (true, false) => "**failed**",
        (false, false) if outcome.nothing_to_do => "nothing to do",
        (false, false) => "applied",
    };
    let mut lines = vec![count(outcome.done, "step") + " done"];
    if failed {
        lines.push(format!("{} failed", outcome.failed.len()));
        lines.push(format!("{} not started", outcome.not_started.len()));
    }
    let text = outcome_text(outcome, &Style::default());
    let text: Vec<String> = text.lines().map(|line| format!("{line}\n")).collect();
    let more = |more| format!("… and {}\n", count(more, "more line"));
    let fits = fitting(&text, LIMIT - 2 * SHARE, &more);
    let rest = if fits < text.len() { more(text.len() - fits) } else { String::new() };
    let shown = text.iter().take(fits).cloned().collect::<String>() + &rest;
    format!("### byob apply: {how} · {}\n\n{}", lines.join(", "), fence("text", &shown))
}

/// Lines of a page as paragraphs, as many as there is room for.
fn paragraphs(comment: &mut Comment, page: &Page) {
    let texts = page.lines().iter().filter_map(|line| match line {
        Line::Text { text, .. } | Line::Whole { text, .. } => Some(comment.text(text) + "\n\n"),
        _ => None,
    });
    let lines: Vec<String> = texts.collect();
    let more = |more| format!("And {}.\n\n", count(more, "more line"));
    comment.items("", &lines, 5, more, "lines of warning");
}

/// What stands right below the headline: what it is about, that this is not AWS, what runs, what was found out before.
fn above(comment: &mut Comment, head: &Header) {
    let recorded = match &head.recorded {
        None => "nothing recorded yet".to_owned(),
        Some((date, _)) if date.is_empty() => "begun, and nothing written yet".to_owned(),
        Some((date, serial)) => format!("recorded {}, serial {serial}", prose(date)),
    };
    let keys = if head.keys > 0 { format!(", {}", count(head.keys, "key")) } else { String::new() };
    let buckets = count(head.buckets, "bucket");
    comment.push(&format!("{} · {buckets}{keys} · {recorded}\n\n", code(&head.config_file)));
    match head.endpoint.as_str() {
        "aws" => {}
        "sandbox" => comment.push("**SANDBOX: this is not AWS**\n\n"),
        endpoint => comment.push(&format!("**ENDPOINT {}: this is not AWS**\n\n", code(endpoint))),
    }
    if let Some(who) = &head.running {
        comment.push(&format!(
            "An apply is running ({}): what it has not done yet is shown as still to do.\n\n",
            code(who)
        ));
    }
    let notes: Vec<String> =
        head.notes.iter().map(|note| format!("- note: {}\n", comment.text(note))).collect();
    comment.some("", &notes, NOTES, 5, |more| format!("- and {}\n", count(more, "more note")), "notes");
    comment.gap();
}

/// ` · stack …` where there is more than one to tell apart.
fn stack(head: &Header) -> Option<String> {
    (!head.stack.is_empty() && head.stack != "default").then(|| format!("stack {}", code(&head.stack)))
}

/// One root, folded up.
struct Fold {
    /// As HTML.
    summary: String,
    /// As Markdown.
    line: String,
    body: String,
}

impl Fold {
    /// `what` is our own words.
    fn new(root: &RootAddress, called: &[Option<&str>], what: &str, page: &Page) -> Self {
        let names: Vec<&str> = called.iter().flatten().copied().collect();
        let head = |write: &dyn Fn(&str) -> String| {
            let all = std::iter::once(root.to_string()).chain(names.iter().map(|&name| name.to_owned()));
            all.map(|name| write(&name)).collect::<Vec<_>>().join(" ")
        };
        Self {
            summary: format!("{} · {}", head(&html_code), html_text(what)),
            line: format!("- {} · {}\n", head(&code), what.replace('~', "\\~").replace('<', "\\<")),
            body: fence("diff", &page.fenced()),
        }
    }
}

/// Folds as long as there is room, then the heads of the others, as long as there is room.
fn folds(comment: &mut Comment, folds: &[Fold], what: &str) {
    comment.gap();
    let whole: Vec<String> = folds.iter().map(|one| fold(&one.summary, &one.body)).collect();
    let heads: usize = folds.iter().map(|one| one.line.len()).sum();
    let mut room = comment.room(0);
    if whole.iter().map(String::len).sum::<usize>() <= room {
        whole.iter().for_each(|fold| comment.push(fold));
        return;
    }
    // Every head first, as far as a list of them goes; then bodies, in their order, with what is left.
    room = room.saturating_sub(heads.min(room / 2) + SHARE);
    let mut closed: Vec<String> = Vec::new();
    for (fold, whole) in folds.iter().zip(&whole) {
        match room.checked_sub(whole.len()) {
            Some(rest) => {
                room = rest;
                comment.push(whole);
            }
            None => closed.push(fold.line.clone()),
        }
    }
    comment.leave_out(format!("the details of {} of {} {what}", closed.len(), folds.len()));
    comment.gap();
    let head = format!("<details><summary>{} without their details</summary>\n\n", closed.len());
    let more = |more| format!("- and {more} more\n");
    comment.items(&head, &closed, 0, more, "of those not even by name");
    comment.push("\n</details>\n");
}
