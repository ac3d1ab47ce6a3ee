//! What `byob policy` shows of policy files: two side by side, or what the rules say of one.

use byob_model::kind::Policy;
use byob_plan::finding::Severity;
use byob_plan::rules::Checked;

use crate::layout::{Page, Paint, Style};
use crate::plan::severity;
use crate::statement;
use crate::summary::count;

/// Two policies side by side, as `byob policy diff` shows them: a line that names the statements, then the line diff of
/// their canonical forms.
#[must_use]
pub fn policy_diff(before: &Policy, after: &Policy, style: &Style) -> String {
    let mut page = Page::default();
    page.text(Paint::Bold, statement::difference(Some(before), Some(after)));
    page.extend(statement::diff(Some(before), Some(after)));
    page.print(style)
}

/// What the rules say of one policy, as `byob policy check` shows it: each finding as in a plan, what else is to be
/// known, and how many there are. `file` is how the file was named.
#[must_use]
pub fn policy_checked(file: &str, checked: &Checked, style: &Style) -> String {
    let mut page = Page::default();
    for finding in &checked.findings {
        let (word, paint) = severity(finding.severity);
        page.text(paint, format!("{word} {}: {}", finding.rule.id(), finding.message));
        if !finding.help.is_empty() {
            page.indented(2, format!("help: {}", finding.help));
        }
    }
    page.gap();
    for note in &checked.notes {
        page.text(Paint::Plain, format!("note: {note}"));
    }
    page.gap();
    let times = |severity: Severity| checked.findings.iter().filter(|f| f.severity == severity).count();
    let counts = [Severity::Error, Severity::Warning, Severity::Note]
        .map(|bad| (times(bad), severity(bad).0))
        .into_iter()
        .filter(|(times, _)| *times > 0)
        .map(|(times, word)| count(times, word))
        .collect::<Vec<_>>();
    let counts = if counts.is_empty() { "nothing found".to_owned() } else { counts.join(", ") };
    let public = if checked.public { "public" } else { "not public" };
    page.text(Paint::Bold, format!("{file}: {counts}; {public}"));
    page.print(style)
}
