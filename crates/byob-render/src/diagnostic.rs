//! Diagnostics of the configuration as text: message, place, the line, the marked part with its label, help. What is
//! wrong was decided in `byob-model`; here it is only shown.

use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use byob_model::diagnostic::{Diagnostic, Span};

use crate::escape::{escape, is_escaped};

/// Narrower than this, help lines are not wrapped further.
const MIN_WIDTH: usize = 40;
/// What stands before a help line's text.
const HELP_INDENT: usize = 12;

/// Shows every diagnostic with its line of the file, and how many there are. `width` is that of the terminal, in
/// columns; control and format characters of the file and of the messages are escaped.
#[must_use]
pub fn render(
    file_name: &str,
    source: &str,
    diagnostics: &[Diagnostic],
    color: bool,
    width: usize,
) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Unicode).term_width(width.max(MIN_WIDTH));
    let file_name = escape(file_name);
    let source = Source::new(source);
    let mut text = String::new();
    for diagnostic in diagnostics {
        let message = escape(&diagnostic.message);
        let label = escape(&diagnostic.label);
        let help = wrap(&escape(&diagnostic.help), width.max(MIN_WIDTH) - HELP_INDENT);
        let mut group = Group::with_title(Level::ERROR.primary_title(&*message));
        match diagnostic.span {
            Some(span) => {
                let mark = AnnotationKind::Primary.span(source.line_part(span));
                let mark = if label.is_empty() { mark } else { mark.label(&*label) };
                group = group.element(Snippet::source(&source.text).path(&*file_name).annotation(mark));
            }
            None => group = group.element(Origin::path(&*file_name)),
        }
        if !help.is_empty() {
            group = group.element(Level::HELP.message(&*help));
        }
        text.push_str(renderer.render(&[group]).trim_end());
        text.push('\n');
    }
    let errors = if diagnostics.len() == 1 { "error" } else { "errors" };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n{} {errors} in {file_name}; nothing was contacted", diagnostics.len());
    text
}

/// The file with escapes for what must not reach a terminal, and the way from its places to the escaped text's.
struct Source {
    text: String,
    /// (byte of the file, byte of the text) after each escape.
    shifts: Vec<(usize, usize)>,
}

impl Source {
    fn new(source: &str) -> Self {
        let mut text = String::with_capacity(source.len());
        let mut shifts = Vec::new();
        let mut characters = source.char_indices().peekable();
        while let Some((at, c)) = characters.next() {
            let is_line_end =
                c == '\n' || (c == '\r' && characters.peek().is_some_and(|(_, next)| *next == '\n'));
            if is_line_end || c == '\t' || !is_escaped(c) {
                text.push(c);
            } else {
                text.extend(c.escape_default());
                shifts.push((at + c.len_utf8(), text.len()));
            }
        }
        Self { text, shifts }
    }

    fn place(&self, at: usize) -> usize {
        let index = self.shifts.partition_point(|(original, _)| *original <= at);
        let (original, shifted) =
            index.checked_sub(1).and_then(|index| self.shifts.get(index)).copied().unwrap_or((0, 0));
        let place = shifted.saturating_add(at - original).min(self.text.len());
        // A place inside an escaped character is its beginning.
        (0..=place).rev().find(|place| self.text.is_char_boundary(*place)).unwrap_or(0)
    }

    /// The part of a span that stands on its first line: a table's header says enough.
    fn line_part(&self, span: Span) -> Range<usize> {
        let start = self.place(span.start);
        let end = self.place(span.end).max(start);
        let marked = self.text.get(start..end).unwrap_or_default();
        let line = marked.split('\n').next().unwrap_or_default();
        start..start + line.trim_end_matches('\r').len()
    }
}

/// Breaks a text at spaces into lines of at most `width` characters, where its words allow it.
fn wrap(text: &str, width: usize) -> String {
    let mut wrapped = String::new();
    let mut length = 0;
    for word in text.split(' ') {
        let word_length = word.chars().count();
        if length > 0 && length + 1 + word_length > width {
            wrapped.push('\n');
            length = 0;
        } else if !wrapped.is_empty() {
            wrapped.push(' ');
            length += 1;
        }
        wrapped.push_str(word);
        length += word_length;
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn diagnostic(span: Option<Span>) -> Diagnostic {
        Diagnostic { message: "wrong".into(), span, label: "here".into(), help: "mend it".into() }
    }

    #[test]
    fn an_error_shows_its_line_marks_the_place_and_says_how_to_mend_it() {
        let source = "version = 1\nencription = 2\n";
        let shown = render("byob.toml", source, &[diagnostic(Some(Span { start: 12, end: 22 }))], false, 80);
        assert_eq!(
            shown,
            "\
error: wrong
  ╭▸ byob.toml:2:1
  │
2 │ encription = 2
  │ ━━━━━━━━━━ here
  │
  ╰ help: mend it

1 error in byob.toml; nothing was contacted
"
        );
    }

    #[test]
    fn an_error_without_a_place_names_the_file() {
        let shown = render("byob.toml", "", &[diagnostic(None), diagnostic(None)], false, 80);
        assert_eq!(
            shown,
            "\
error: wrong
 ╭▸ byob.toml
 ╰ help: mend it
error: wrong
 ╭▸ byob.toml
 ╰ help: mend it

2 errors in byob.toml; nothing was contacted
"
        );
    }

    #[test]
    fn control_characters_of_the_file_do_not_reach_the_terminal() {
        let source = "a = \"\u{1b}[31m\u{202e}\" # \u{9b}x\r\nb = 1\r\n";
        let shown =
            render("by\u{1b}ob.toml", source, &[diagnostic(Some(Span { start: 4, end: 14 }))], false, 80);
        assert!(!shown.contains(|c: char| c != '\n' && is_escaped(c)), "{shown:?}");
        assert_eq!(
            shown,
            "\
error: wrong
  ╭▸ by\\u{1b}ob.toml:1:5
  │
1 │ a = \"\\u{1b}[31m\\u{202e}\" # \\u{9b}x
  │     ━━━━━━━━━━━━━━━━━━━━ here
  │
  ╰ help: mend it

1 error in by\\u{1b}ob.toml; nothing was contacted
"
        );
    }

    #[test]
    fn places_beyond_the_text_or_inside_a_character_do_not_break_it() {
        for (start, end) in [(0, 0), (1, 2), (3, 1), (9, 99), (usize::MAX - 1, usize::MAX)] {
            for source in ["", "é\u{1b}é", "\n\n", "\r\n"] {
                let shown = render("byob.toml", source, &[diagnostic(Some(Span { start, end }))], true, 0);
                assert!(shown.contains("wrong"), "{start} {end} {source:?}");
            }
        }
    }

    #[test]
    fn help_is_wrapped_between_words() {
        assert_eq!(wrap("one two three", 7), "one two\nthree");
        assert_eq!(wrap("a-very-long-word b", 4), "a-very-long-word\nb");
        assert_eq!(wrap("", 4), "");
    }

    proptest! {
        #[test]
        fn no_text_and_no_place_breaks_it_or_reaches_the_terminal_raw(
            source in "(\\PC|[\r\n\t\u{1b}\u{202e}\u{200b}]){0,60}",
            start in 0..80_usize,
            length in 0..80_usize,
            width in 0..200_usize,
        ) {
            let shown = render("byob.toml", &source, &[diagnostic(Some(Span { start, end: start + length }))], false, width);
            prop_assert!(!shown.contains(|c: char| c != '\n' && is_escaped(c)), "{:?}", shown);
        }
    }
}
