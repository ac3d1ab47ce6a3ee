//! Two policies side by side, as `byob policy diff` shows them.

use byob_model::kind::Policy;

use crate::layout::{Page, Paint, Style};
use crate::statement;

/// What tells two policies apart: a line that names the statements, then the line diff of their canonical forms.
#[must_use]
pub fn policy_diff(before: &Policy, after: &Policy, style: &Style) -> String {
    let mut page = Page::default();
    page.text(Paint::Bold, statement::difference(Some(before), Some(after)));
    page.extend(statement::diff(Some(before), Some(after)));
    page.print(style)
}
