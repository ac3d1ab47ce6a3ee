//! Lines on a page: indents, columns, wrapping, colour. Everything printed passes through here, and here is where control
//! and format characters are escaped, so no view can forget it. What a line says is decided elsewhere.

use crate::escape::escape;

/// How text is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether to use ANSI colours; no meaning depends on them.
    pub color: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// Whether notes are shown in full, not all in one line.
    pub notes: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { color: false, width: 100, notes: false }
    }
}

/// Narrower than this, lines are not made narrower.
const MIN_WIDTH: usize = 30;
/// Where the glyph of a row stands.
const ROW_INDENT: usize = 2;
/// Spaces between a name and its value.
const GAP: usize = 3;
/// The widest name that others are aligned with.
const MAX_NAME: usize = 28;
/// Less room than this for values, and they get a line of their own.
const MIN_VALUE: usize = 34;
/// Columns of a fence: what a comment shows without scrolling sideways.
const FENCE_WIDTH: usize = 100;
/// Where lines below a row begin.
pub(crate) const DETAIL: usize = 6;

/// A colour or weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Plain,
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Magenta,
    Cyan,
}

impl Paint {
    /// The colour of a glyph or sign.
    pub(crate) fn of(glyph: char) -> Self {
        match glyph {
            '+' | '✓' => Self::Green,
            '-' | '✗' => Self::Red,
            '~' | '…' => Self::Yellow,
            '!' => Self::Magenta,
            '>' | '<' => Self::Cyan,
            '·' => Self::Dim,
            _ => Self::Plain,
        }
    }

    fn code(self) -> Option<&'static str> {
        Some(match self {
            Self::Plain => return None,
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Magenta => "35",
            Self::Cyan => "36",
        })
    }
}

/// One line of meaning; it becomes several where the page is narrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// Nothing.
    Blank,
    /// Words, wrapped between words.
    Text { indent: usize, hang: usize, paint: Paint, text: String },
    /// Words that somebody copies: never wrapped.
    Whole { paint: Paint, text: String },
    /// Glyph, name, value; the values of a page are aligned. A glyph of a space continues the row above.
    Row { glyph: char, name: String, value: String },
    /// A line of a document; the sign is repeated where it is wrapped.
    Diff { sign: char, text: String },
}

/// Lines of a page, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    lines: Vec<Line>,
}

impl Page {
    pub(crate) fn push(&mut self, line: Line) {
        self.lines.push(line);
    }

    pub(crate) fn extend(&mut self, lines: impl IntoIterator<Item = Line>) {
        self.lines.extend(lines);
    }

    /// An empty line, unless there is one or nothing yet.
    pub(crate) fn gap(&mut self) {
        if !matches!(self.lines.last(), None | Some(Line::Blank)) {
            self.lines.push(Line::Blank);
        }
    }

    /// The lines as they are.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Words at the left edge.
    pub(crate) fn text(&mut self, paint: Paint, text: impl Into<String>) {
        self.push(Line::Text { indent: 0, hang: 2, paint, text: text.into() });
    }

    /// Words that are indented.
    pub(crate) fn indented(&mut self, indent: usize, text: impl Into<String>) {
        self.push(Line::Text { indent, hang: indent + 2, paint: Paint::Plain, text: text.into() });
    }

    /// `glyph name  value`.
    pub(crate) fn row(&mut self, glyph: char, name: impl Into<String>, value: impl Into<String>) {
        self.push(Line::Row { glyph, name: name.into(), value: value.into() });
    }

    /// The page as text, each line ended.
    pub(crate) fn print(&self, style: &Style) -> String {
        self.print_at(style, ROW_INDENT)
    }

    /// The page as the body of a `diff` fence: glyphs and signs stand first in their lines, and nothing else does that is
    /// not ours.
    pub(crate) fn fenced(&self) -> String {
        self.print_at(&Style { color: false, width: FENCE_WIDTH, notes: false }, 0)
    }

    /// `margin`: where glyphs stand.
    fn print_at(&self, style: &Style, margin: usize) -> String {
        let width = style.width.max(MIN_WIDTH);
        let longest = self.lines.iter().filter_map(|line| match line {
            Line::Row { name, .. } => Some(length(&escape(name))),
            _ => None,
        });
        let longest = longest.filter(|length| *length <= MAX_NAME).max().unwrap_or(0);
        let column = margin + 2 + longest + GAP;
        let mut out = String::new();
        for line in &self.lines {
            match line {
                Line::Blank => out.push('\n'),
                Line::Text { indent, hang, paint, text } => {
                    print_text(&mut out, style, width, (*indent, *hang), *paint, &escape(text));
                }
                Line::Whole { paint, text } => finish(&mut out, style, *paint, &escape(text)),
                Line::Row { glyph, name, value } => {
                    print_row(
                        &mut out,
                        style,
                        width,
                        (margin, column),
                        (*glyph, &escape(name), &escape(value)),
                    );
                }
                Line::Diff { sign, text } => {
                    print_diff(&mut out, style, (width, margin), *sign, &escape(text));
                }
            }
        }
        out
    }
}

fn print_text(
    out: &mut String,
    style: &Style,
    width: usize,
    (indent, hang): (usize, usize),
    paint: Paint,
    text: &str,
) {
    for (n, part) in wrap(text, width.saturating_sub(indent), width.saturating_sub(hang)).iter().enumerate() {
        spaces(out, if n == 0 { indent } else { hang });
        finish(out, style, paint, part);
    }
}

fn print_row(
    out: &mut String,
    style: &Style,
    width: usize,
    (margin, column): (usize, usize),
    (glyph, name, value): (char, &str, &str),
) {
    spaces(out, margin);
    add(out, style, Paint::of(glyph), &glyph.to_string());
    out.push(' ');
    add(out, style, Paint::Plain, name);
    if value.is_empty() {
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
        return;
    }
    let used = margin + 2 + length(name);
    let start = column.max(used + GAP);
    // Where columns leave no room, the value stands below its name.
    if width < column + MIN_VALUE || width < start + length(value) && start > column {
        if used + GAP + length(value) <= width {
            spaces(out, GAP);
            finish(out, style, Paint::Plain, value);
            return;
        }
        out.push('\n');
        print_text(out, style, width, (DETAIL, DETAIL + 2), Paint::Plain, value);
        return;
    }
    spaces(out, start - used);
    for (n, part) in wrap(value, width - start, width - column).iter().enumerate() {
        if n > 0 {
            spaces(out, column);
        }
        finish(out, style, Paint::Plain, part);
    }
}

fn print_diff(out: &mut String, style: &Style, (width, margin): (usize, usize), sign: char, text: &str) {
    let body = text.trim_start_matches(' ');
    let lead = text.len() - body.len();
    let room = width.saturating_sub(DETAIL + 2 + lead);
    for (n, part) in wrap(body, room, room.saturating_sub(4)).iter().enumerate() {
        // In a fence the sign stands first, and the text where it would stand anyway.
        let gap = if margin == 0 { DETAIL } else { 0 };
        spaces(out, DETAIL - gap);
        let line = format!("{sign} {}{part}", " ".repeat(gap + if n == 0 { lead } else { lead + 4 }));
        finish(out, style, if sign == ' ' { Paint::Dim } else { Paint::of(sign) }, line.trim_end());
    }
}

fn add(out: &mut String, style: &Style, paint: Paint, text: &str) {
    match paint.code().filter(|_| style.color && !text.is_empty()) {
        Some(code) => {
            out.push_str("\u{1b}[");
            out.push_str(code);
            out.push('m');
            out.push_str(text);
            out.push_str("\u{1b}[0m");
        }
        None => out.push_str(text),
    }
}

fn finish(out: &mut String, style: &Style, paint: Paint, text: &str) {
    add(out, style, paint, text);
    out.push('\n');
}

fn spaces(out: &mut String, count: usize) {
    out.extend(std::iter::repeat_n(' ', count));
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// Breaks a text behind white space (of any kind, so that none can move what follows to a line's start unseen); a word
/// that is too long stays whole, because it is copied.
fn wrap(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut room = first;
    for word in text.split_inclusive(char::is_whitespace) {
        if !line.trim().is_empty() && length(&line) + length(word.trim_end()) > room {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            room = rest;
        }
        line.push_str(word);
    }
    lines.push(line.trim_end().to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_long_words_stay_whole() {
        assert_eq!(wrap("one two three", 7, 7), ["one two", "three"]);
        assert_eq!(wrap("a-long-word b", 4, 4), ["a-long-word", "b"]);
        assert_eq!(wrap("a b c d", 1, 3), ["a", "b c", "d"]);
        assert_eq!(wrap("", 4, 4), [""]);
        // A space that is no ASCII space is one too.
        assert_eq!(wrap("aaaa\u{2003}bbbb", 5, 5), ["aaaa", "bbbb"]);
    }

    #[test]
    fn values_are_aligned_and_stand_below_where_the_page_is_narrow() {
        let mut page = Page::default();
        page.row('+', "policy", "two statements");
        page.row('~', "public_access_block", "all four on");
        let wide = Style { color: false, width: 80, notes: false };
        insta::assert_snapshot!(format!("|\n{}|", page.print(&wide)), @r"
        |
          + policy                two statements
          ~ public_access_block   all four on
        |
        ");
        let narrow = Style { width: 34, ..wide };
        insta::assert_snapshot!(format!("|\n{}|", page.print(&narrow)), @r"
        |
          + policy   two statements
          ~ public_access_block
              all four on
        |
        ");
    }

    #[test]
    fn colour_stands_around_and_takes_no_room() {
        let mut page = Page::default();
        page.row('+', "policy", "x");
        let style = Style { color: true, width: 80, notes: false };
        assert_eq!(page.print(&style), "  \u{1b}[32m+\u{1b}[0m policy   x\n");
    }
}
