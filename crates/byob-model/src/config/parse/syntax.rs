//! Texts that are not TOML: what the `toml` crate says of them, with help for the mistakes that people make.

use std::collections::BTreeSet;

use toml::de::Error;

use crate::diagnostic::{Diagnostic, Span};

const DUPLICATE: &str = "duplicate key";

/// One diagnostic a line: what follows on the same line is mostly an echo.
pub(super) fn diagnostics(text: &str, errors: &[Error]) -> Vec<Diagnostic> {
    let lines = Lines::of(text);
    let mut errors: Vec<(Span, &str)> =
        errors.iter().map(|error| (place(text, error), error.message())).collect();
    errors.sort_by_key(|(span, _)| span.start);
    errors.dedup_by_key(|(span, _)| lines.number(*span));
    drop_echoes(&lines, &mut errors);
    errors.into_iter().map(|(span, message)| diagnostic(span, message)).collect()
}

/// Where lines begin: a file of nothing but errors must not be walked through for each of them.
struct Lines {
    /// The first byte of every line.
    all: Vec<usize>,
    /// Of those that begin a table.
    headers: Vec<usize>,
}

impl Lines {
    fn of(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let all: Vec<usize> = std::iter::once(0).chain(breaks).collect();
        let is_header = |at: &usize| text.get(*at..).is_some_and(|line| line.starts_with('['));
        let headers = all.iter().copied().filter(is_header).collect();
        Self { all, headers }
    }

    fn number(&self, span: Span) -> usize {
        self.all.partition_point(|start| *start <= span.start)
    }

    /// The header above a place, or at it.
    fn header(&self, span: Span) -> Option<usize> {
        let above = self.headers.partition_point(|start| *start <= span.start);
        self.headers.get(above.checked_sub(1)?).copied()
    }

    fn is_header(&self, span: Span) -> bool {
        let start = self.all.get(self.number(span).saturating_sub(1));
        start.is_some_and(|start| self.headers.binary_search(start).is_ok())
    }
}

/// Every key under a header that stands twice is a duplicate, too, if the first table had it: that says nothing new.
fn drop_echoes(lines: &Lines, errors: &mut Vec<(Span, &str)>) {
    let guilty: BTreeSet<Option<usize>> = errors
        .iter()
        .filter(|(span, message)| *message == DUPLICATE && lines.is_header(*span))
        .map(|(span, _)| lines.header(*span))
        .collect();
    errors.retain(|(span, message)| {
        *message != DUPLICATE || lines.is_header(*span) || !guilty.contains(&lines.header(*span))
    });
}

fn place(text: &str, error: &Error) -> Span {
    let span = error.span().unwrap_or_default();
    let end = span.end.min(text.len());
    Span { start: span.start.min(end), end }
}

fn diagnostic(span: Span, message: &str) -> Diagnostic {
    let (what, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    let label = match expected {
        "" | "nothing" => String::new(),
        // What the crate expects where a bare word stands.
        "literal string" => "this needs quotes".to_owned(),
        expected => format!("expected {expected}"),
    };
    let help = if what == DUPLICATE {
        "a key stands once in a table, and a table once in the file: join them, or take one out"
    } else if what.contains("string values must be quoted") || what.contains("invalid boolean") {
        "put text in quotes: \"text\"; true, false and numbers stand without"
    } else if what.contains("unclosed table") {
        "write the header as `[bucket.storage]`, on a line of its own"
    } else if what.contains("unclosed") || what.contains("missing comma") {
        "close every bracket, and put commas between the elements"
    } else if what.contains("unquoted key") {
        "a key is made of letters, digits, `_` and `-`; put any other in quotes"
    } else if what.contains("escape") {
        "in \"…\" a backslash begins an escape; write '…' to have it as it is"
    } else if what.contains("string") {
        "close the string with the quote that opened it"
    } else if what.contains("cannot extend value") {
        "the same name is a value elsewhere in the file: take one of them out"
    } else {
        "the file is TOML: `key = value` lines under `[table]` headers; see https://toml.io"
    };
    Diagnostic { message: format!("not valid TOML: {what}"), span: Some(span), label, help: help.to_owned() }
}
