//! Annotations: what GitHub shows beside the lines of a change when a job prints it.
//!
//! Source: GitHub's page on workflow commands, and its runner, which shows ten of a kind a step and drops the rest.

use std::fmt::Write as _;

use byob_model::diagnostic::Diagnostic;
use byob_plan::drift::Report;
use byob_plan::finding::{Finding, Severity};
use byob_plan::plan::{DriftSeverity, Plan};

use crate::drift::{in_words, meaning, sections};
use crate::escape::escape;
use crate::place::ConfigFile;
use crate::plan::notes_in_one_line;
use crate::progress::Outcome;
use crate::summary::count;

/// As many of a kind as are shown.
const SHOWN: usize = 10;

/// One annotation.
struct Annotation {
    /// `error`, `warning` or `notice`.
    kind: &'static str,
    line: usize,
    title: String,
    message: String,
}

/// The findings, each at its line; notes all in one. What is waived is left out.
#[must_use]
pub fn plan_annotations(plan: &Plan, file: &ConfigFile<'_>) -> String {
    let told = plan.findings.iter().filter(|f| f.waived.is_none());
    let mut all: Vec<Annotation> = told
        .filter_map(|finding| {
            let kind = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => return None,
            };
            Some(Annotation {
                kind,
                line: file.line_of(finding),
                title: format!("{} {}", finding.rule.id(), finding.address),
                message: with_help(finding),
            })
        })
        .collect();
    all.extend(notes_in_one_line(plan).map(|message| Annotation {
        kind: "notice",
        line: 1,
        title: "byob plan".into(),
        message,
    }));
    print(&all, file, "byob plan")
}

/// Everything that drifted, each at the line that asks for it.
#[must_use]
pub fn drift_annotations(report: &Report, file: &ConfigFile<'_>) -> String {
    let all: Vec<Annotation> = sections(report, "")
        .iter()
        .flat_map(|section| &section.drift)
        .map(|drift| Annotation {
            kind: match drift.severity {
                DriftSeverity::Exposure => "error",
                DriftSeverity::Breakage => "warning",
                DriftSeverity::Other => "notice",
            },
            line: file.line(&drift.address),
            title: format!("drift ({}) {}", drift.severity.as_str(), drift.address),
            message: format!("{}\nmeaning: {}", in_words(drift), meaning(drift)),
        })
        .collect();
    print(&all, file, "byob drift")
}

/// The steps of an apply that failed.
#[must_use]
pub fn outcome_annotations(outcome: &Outcome, file: &ConfigFile<'_>) -> String {
    let all: Vec<Annotation> = outcome
        .failed
        .iter()
        .map(|(address, why, help)| Annotation {
            kind: "error",
            line: address.parse().map_or(1, |address| file.line(&address)),
            title: format!("byob apply {address}"),
            message: help.iter().fold(why.clone(), |text, help| format!("{text}\nhelp: {help}")),
        })
        .collect();
    print(&all, file, "byob apply")
}

/// What is wrong with the configuration, each at its line.
#[must_use]
pub fn diagnostic_annotations(path: &str, text: &str, diagnostics: &[Diagnostic]) -> String {
    let all: Vec<Annotation> = diagnostics
        .iter()
        .map(|one| {
            let before = one.span.and_then(|span| text.get(..span.start));
            let said =
                [(&*one.label, ""), (&*one.help, "help: ")].into_iter().filter(|(said, _)| !said.is_empty());
            Annotation {
                kind: "error",
                line: before.map_or(1, |before| before.matches('\n').count() + 1),
                title: "byob".into(),
                message: said.fold(one.message.clone(), |text, (said, kind)| format!("{text}\n{kind}{said}")),
            }
        })
        .collect();
    lines(&all, path, "byob")
}

/// Why a command ended without what it was to do.
#[must_use]
pub fn failure_annotation(message: &str, details: &[String], help: &[String]) -> String {
    let details = details.iter().map(|detail| format!("\n{detail}"));
    let help = help.iter().map(|help| format!("\nhelp: {help}"));
    let text: String = std::iter::once(message.to_owned()).chain(details).chain(help).collect();
    format!("::error title=byob::{}\n", data(&text))
}

fn with_help(finding: &Finding) -> String {
    if finding.help.is_empty() {
        return finding.message.clone();
    }
    format!("{}\nhelp: {}", finding.message, finding.help)
}

fn print(all: &[Annotation], file: &ConfigFile<'_>, command: &str) -> String {
    lines(all, file.path, command)
}

/// A line each; where there are more of a kind than are shown, the last one says how many are left out.
fn lines(all: &[Annotation], path: &str, command: &str) -> String {
    let path = property(path);
    let mut text = String::new();
    for kind in ["error", "warning", "notice"] {
        let of: Vec<&Annotation> = all.iter().filter(|one| one.kind == kind).collect();
        let shown = if of.len() > SHOWN { SHOWN - 1 } else { of.len() };
        for one in of.iter().take(shown) {
            let (title, message) = (property(&one.title), data(&one.message));
            // Writing to a String cannot fail.
            let _ = writeln!(text, "::{kind} file={path},line={},title={title}::{message}", one.line);
        }
        if of.len() > shown {
            let more = count(of.len() - shown, &format!("more {kind}"));
            let _ = writeln!(text, "::{kind} title={command}::and {more}: {command} prints all of them");
        }
    }
    text
}

/// A message: line breaks of ours are kept, everything else that is hidden is escaped.
fn data(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| escape(line).replace('%', "%25")).collect();
    lines.join("%0A")
}

/// A property's value.
fn property(text: &str) -> String {
    escape(text).replace('%', "%25").replace(':', "%3A").replace(',', "%2C")
}
