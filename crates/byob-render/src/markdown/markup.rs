//! GitHub's Markdown, piece by piece. Every text that comes from outside passes through here: it stays text, whatever it
//! holds (backticks, pipes, HTML, mentions, references to issues and commits, links, `$`…`$`, `-->`).
//!
//! Source: GitHub Flavored Markdown Spec 0.29; GitHub's pages on autolinked references, mentions and mathematics. What
//! GitHub makes links of, it does not look for in code.

use std::fmt::Write as _;

use crate::escape::escape;

/// Longer texts from outside are cut.
pub(crate) const LONG: usize = 600;

/// The comment that tells one comment from all others, so that it is found again. `kind`: `plan` or `drift`.
pub(crate) fn marker(kind: &str, stack: &str) -> String {
    let mut name = String::new();
    for byte in stack.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => name.push(byte.into()),
            // Writing to a String cannot fail.
            _ => drop(write!(name, "%{byte:02X}")),
        }
    }
    format!("<!-- byob:{kind}:{name} -->")
}

/// A text as code, in a line.
pub(crate) fn code(text: &str) -> String {
    let text = shortened(&escape(text));
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let delimiter = "`".repeat(longest_run(&text) + 1);
    // One space on each side is not shown; without it a backtick would belong to the delimiter, and a space go missing.
    let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    format!("{delimiter}{pad}{text}{pad}{delimiter}")
}

/// A text as code in HTML, which a `<summary>` needs.
pub(crate) fn html_code(text: &str) -> String {
    format!("<code>{}</code>", html_text(text))
}

/// Words of ours as HTML.
pub(crate) fn html_text(text: &str) -> String {
    let mut html = String::new();
    for c in shortened(&escape(text)).chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            c => html.push(c),
        }
    }
    html
}

/// A sentence of ours with words from outside in it. What stands between backticks, and every word that could be more
/// than a word, is code.
pub(crate) fn prose(text: &str) -> String {
    let text = shortened(&escape(text));
    let mut line = Prose::default();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('`') {
        let Some((quoted, behind)) = after.split_once('`').filter(|(quoted, _)| !quoted.is_empty()) else {
            break;
        };
        line.words(before);
        line.code(quoted);
        rest = behind;
    }
    line.words(rest);
    line.finish()
}

/// Markup as a table's cell.
pub(crate) fn cell(markup: &str) -> String {
    let mut cell = String::new();
    let mut backslash = false;
    for c in markup.chars() {
        match c {
            // `\\|` is read in two ways: where a backslash stands before, the pipe is written as other hidden characters are.
            '|' if backslash => cell.push_str("u{7c}"),
            '|' => cell.push_str("\\|"),
            c => cell.push(c),
        }
        backslash = c == '\\';
    }
    cell
}

/// Lines as they are, in a fence that none of them can end.
pub(crate) fn fence(language: &str, body: &str) -> String {
    let fence = "`".repeat((longest_run(body) + 1).max(3));
    format!("{fence}{language}\n{}\n{fence}\n", body.trim_end_matches('\n'))
}

/// A part that is folded up; `summary` is HTML.
pub(crate) fn fold(summary: &str, body: &str) -> String {
    format!("<details><summary>{summary}</summary>\n\n{body}\n</details>\n\n")
}

fn longest_run(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// Whether a text is cut.
pub(crate) fn is_long(text: &str) -> bool {
    escape(text).chars().nth(LONG).is_some()
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONG) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A line that is being written. Code that meets code becomes one: two delimiters side by side would be another one.
#[derive(Default)]
struct Prose {
    line: String,
    code: String,
}

impl Prose {
    fn code(&mut self, text: &str) {
        self.code.push_str(text);
    }

    fn plain(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.flush();
        // Without a semicolon it begins no entity.
        if text.contains(';') {
            self.line.push_str(&text.replace('&', "&amp;"));
        } else {
            self.line.push_str(text);
        }
    }

    fn words(&mut self, text: &str) {
        for word in text.split_inclusive(char::is_whitespace) {
            let core = word.trim_end();
            let space = word.get(core.len()..).unwrap_or_default();
            let inner = core.trim_start_matches(['(', '"', '“']);
            let before = core.get(..core.len() - inner.len()).unwrap_or_default();
            let inner = inner.trim_end_matches([',', '.', ';', ':', ')', '"', '”', '!', '?', '…']);
            let after = core.get(before.len() + inner.len()..).unwrap_or_default();
            if is_plain(inner) {
                self.plain(core);
            } else {
                self.plain(before);
                self.code(inner);
                self.plain(after);
            }
            self.plain(space);
        }
    }

    fn flush(&mut self) {
        if !self.code.is_empty() {
            let text = std::mem::take(&mut self.code);
            self.line.push_str(&code(&text));
        }
    }

    fn finish(mut self) -> String {
        self.flush();
        self.line.trim_end().to_owned()
    }
}

/// Whether a word is nothing but a word, wherever it stands in a line.
fn is_plain(word: &str) -> bool {
    let harmless = |c: char| c.is_alphanumeric() || "-'’.%+=→×·–&".contains(c);
    // Of tickets, such as GH-12; a date is none.
    let is_reference = || {
        word.rsplit_once('-').is_some_and(|(before, number)| {
            let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
            digits && before.contains(char::is_alphabetic)
        })
    };
    // An account id is too likely to be an account id.
    let is_commit = || {
        let is_account = word.len() == 12 && word.bytes().all(|b| b.is_ascii_digit());
        word.len() >= 7 && !is_account && word.bytes().all(|b| b.is_ascii_hexdigit())
    };
    let is_site = || word.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www."));
    word.chars().all(harmless) && !is_reference() && !is_commit() && !is_site()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_keeps_backticks_and_spaces_and_is_never_empty() {
        for (text, markup) in [
            ("a", "`a`"),
            ("a`b", "``a`b``"),
            ("```", "```` ``` ````"),
            (" a", "`  a `"),
            ("", "(empty)"),
            ("a\nb", "`a\\nb`"),
        ] {
            assert_eq!(code(text), markup);
        }
        assert!(code(&"x".repeat(5000)).len() < 700);
    }

    #[test]
    fn words_that_could_be_more_are_code() {
        for (text, markup) in [
            ("W&B may not &lt; use W&B;", "W&B may not &amp;lt; use W&amp;B;"),
            ("`a b` is protected, and would go.", "`a b` is protected, and would go."),
            ("by @team (see #12).", "by `@team` (see `#12`)."),
            ("GH-12 us-east-1 deadbeef1 123456789012", "`GH-12` `us-east-1` `deadbeef1` 123456789012"),
            ("until 2027-01-31", "until 2027-01-31"),
            (
                "see https://evil.example, or www.evil.example",
                "see `https://evil.example`, or `www.evil.example`",
            ),
            ("[a](b) <b> *c* _d_ ~e~ $f$ a|b", "`[a](b`) `<b>` `*c*` `_d_` `~e~` `$f$` `a|b`"),
            ("one ` backtick", "one `` ` `` backtick"),
            ("`a``b`", "`ab`"),
            ("``x` y", "``` ``x` ``` y"),
        ] {
            assert_eq!(prose(text), markup);
        }
    }

    #[test]
    fn a_cell_has_no_pipe_of_its_own() {
        assert_eq!(cell("`a|b`"), "`a\\|b`");
        assert_eq!(cell("`a\\|b`"), "`a\\u{7c}b`");
    }

    #[test]
    fn a_fence_is_longer_than_any_inside() {
        assert_eq!(fence("diff", "+ a\n"), "```diff\n+ a\n```\n");
        assert_eq!(fence("diff", "````"), "`````diff\n````\n`````\n");
    }

    #[test]
    fn a_marker_holds_no_end_of_a_comment() {
        assert_eq!(marker("plan", "default"), "<!-- byob:plan:default -->");
        assert_eq!(marker("drift", "a--> b"), "<!-- byob:drift:a--%3E%20b -->");
    }
}
