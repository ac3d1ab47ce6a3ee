//! How principals and statements are called, and whose account a principal is of.

use byob_policy::{AccountId, Arn, Document, Statement, principal_in_words};

use crate::subject::Subject;

/// The account of a principal that names one.
pub(crate) fn account_of(principal: &str) -> Option<AccountId> {
    principal.parse().ok().or_else(|| principal.parse::<Arn>().ok()?.account_id())
}

/// A principal, as people know it.
pub(crate) fn words(subject: &Subject<'_>, principal: &str) -> String {
    principal_in_words(principal, subject.owner().as_ref())
}

/// The AWS principals of a statement.
pub(crate) fn principals(statement: &Statement) -> impl Iterator<Item = &str> {
    let all = statement.principal.iter().filter_map(|element| element.principals().0.get("AWS"));
    all.flatten().map(String::as_str)
}

/// How people find a statement: by its `Sid`, else by its number from 1.
pub(crate) fn statement(document: &Document, index: usize) -> String {
    match document.statements.get(index).and_then(|s| s.sid.as_deref()).filter(|sid| !sid.is_empty()) {
        Some(sid) => format!("statement `{sid}`"),
        None => format!("statement {}", index + 1),
    }
}
