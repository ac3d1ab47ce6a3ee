//! The lines that the text views print, as elements: rows with what stands below them, sentences, lines to copy.

use serde::Serialize;

use crate::layout::{DETAIL, Line, Page, Paint};

/// One element.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub(super) enum Element {
    /// A sentence.
    Text { paint: &'static str, text: String },
    /// Words to copy.
    Whole { text: String },
    /// Rows that stand together.
    Rows { rows: Vec<Row> },
    /// Lines of a document.
    Diff { lines: Vec<DiffLine> },
}

/// Glyph, name, value, and what stands below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    pub glyph: char,
    /// The glyph for those who do not see it; empty where it continues the row above.
    pub word: &'static str,
    pub name: String,
    pub value: String,
    pub below: Vec<Element>,
}

/// One line of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct DiffLine {
    pub sign: char,
    /// `added`, `removed`, `kept` or `changed`.
    pub class: &'static str,
    pub text: String,
}

/// What a view prints, as elements.
pub(super) fn elements(print: impl FnOnce(&mut Page)) -> Vec<Element> {
    let mut page = Page::default();
    print(&mut page);
    of_lines(page.lines())
}

pub(super) fn of_lines(lines: &[Line]) -> Vec<Element> {
    let mut all: Vec<Element> = Vec::new();
    for line in lines {
        match line {
            Line::Blank => {}
            Line::Whole { text, .. } => all.push(Element::Whole { text: text.clone() }),
            Line::Text { indent, paint, text, .. } => {
                let text = Element::Text { paint: class_of(*paint), text: text.clone() };
                match last_row(&mut all).filter(|_| *indent >= DETAIL) {
                    Some(row) => row.below.push(text),
                    None => all.push(text),
                }
            }
            Line::Row { glyph, name, value } => {
                let row = Row {
                    glyph: *glyph,
                    word: word_of(*glyph),
                    name: name.clone(),
                    value: value.clone(),
                    below: Vec::new(),
                };
                match all.last_mut() {
                    Some(Element::Rows { rows }) => rows.push(row),
                    _ => all.push(Element::Rows { rows: vec![row] }),
                }
            }
            Line::Diff { sign, text } => {
                let line = DiffLine { sign: *sign, class: sign_of(*sign), text: text.clone() };
                let below = match last_row(&mut all) {
                    Some(row) => &mut row.below,
                    None => &mut all,
                };
                match below.last_mut() {
                    Some(Element::Diff { lines }) => lines.push(line),
                    _ => below.push(Element::Diff { lines: vec![line] }),
                }
            }
        }
    }
    all
}

fn last_row(all: &mut [Element]) -> Option<&mut Row> {
    match all.last_mut() {
        Some(Element::Rows { rows }) => rows.last_mut(),
        _ => None,
    }
}

fn class_of(paint: Paint) -> &'static str {
    match paint {
        Paint::Plain => "plain",
        Paint::Bold => "strong",
        Paint::Dim => "dim",
        Paint::Red => "bad",
        Paint::Green => "good",
        Paint::Yellow | Paint::Magenta => "warn",
        Paint::Cyan => "note",
    }
}

fn word_of(glyph: char) -> &'static str {
    match glyph {
        '+' => "create",
        '~' => "update",
        '-' => "delete",
        '>' => "adopt",
        '<' => "forget",
        '!' => "drifted",
        _ => "",
    }
}

fn sign_of(sign: char) -> &'static str {
    match sign {
        '+' => "added",
        '-' => "removed",
        ' ' => "kept",
        _ => "changed",
    }
}
