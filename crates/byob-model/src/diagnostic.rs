//! What is wrong with an input, as data: message, place, help. How it looks is the renderer's business.

use serde::Serialize;

/// A byte range of the configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl From<std::ops::Range<usize>> for Span {
    fn from(range: std::ops::Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

/// One error in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// What is wrong, lower-case start, no full stop: ``unknown field `encription` ``.
    pub message: String,
    /// Where; `None` for what no line of the file is guilty of.
    pub span: Option<Span>,
    /// What to write under the marked text: ``did you mean `encryption`?``; may be empty.
    pub label: String,
    /// How to mend it.
    pub help: String,
}
