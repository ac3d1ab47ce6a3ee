//! Texts that are not TOML: what the `toml` crate says of them, with help for the mistakes that people make.

use toml::de::Error;

use crate::diagnostic::{Diagnostic, Span};

const DUPLICATE: &str = "duplicate key";

/// One diagnostic a line: what follows on the same line is mostly an echo.
pub(super) fn diagnostics(text: &str, errors: &[Error]) -> Vec<Diagnostic> {
    let mut errors: Vec<(Span, &str)> =
        errors.iter().map(|error| (place(text, error), error.message())).collect();
    errors.sort_by_key(|(span, _)| span.start);
    let line = |span: Span| text.get(..span.start).unwrap_or_default().matches('\n').count();
    errors.dedup_by_key(|(span, _)| line(*span));
    drop_echoes(text, &mut errors);
    errors.into_iter().map(|(span, message)| diagnostic(span, message)).collect()
}

/// Every key under a header that stands twice is a duplicate, too, if the first table had it: that says nothing new.
fn drop_echoes(text: &str, errors: &mut Vec<(Span, &str)>) {
    let header = |span: Span| text.get(..span.start).and_then(|before| before.rfind("\n[")).map(|at| at + 1);
    let is_header = |span: Span| {
        let line_start = text.get(..span.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        text.get(line_start..).is_some_and(|line| line.starts_with('['))
    };
    let guilty: Vec<Option<usize>> = errors
        .iter()
        .filter(|(span, message)| *message == DUPLICATE && is_header(*span))
        .map(|(span, _)| header(*span))
        .collect();
    errors.retain(|(span, message)| {
        *message != DUPLICATE || is_header(*span) || !guilty.contains(&header(*span))
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
