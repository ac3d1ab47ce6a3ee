//! What kind of terminal this is, and the few things that are printed outside renderers.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use byob_render::{Header, Level, Style};

use crate::cli::{Color, Global};
use crate::log;

/// How to print on stdout.
pub(crate) fn style(global: &Global) -> Style {
    Style { color: color(global, std::io::stdout().is_terminal()), width: width(), notes: false }
}

/// How to print a plan on stdout: with its notes in full, or all in one line.
pub(crate) fn plan_style(global: &Global, notes: bool) -> Style {
    Style { notes, ..style(global) }
}

/// How to print on stderr.
pub(crate) fn talk_style(global: &Global) -> Style {
    Style { color: color(global, std::io::stderr().is_terminal()), width: width(), notes: false }
}

fn color(global: &Global, terminal: bool) -> bool {
    match global.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
    }
}

fn width() -> usize {
    match terminal_size::terminal_size() {
        Some((terminal_size::Width(columns), _)) => usize::from(columns).clamp(40, 140),
        None => 100,
    }
}

/// Whether a person can be asked.
pub(crate) fn can_ask(global: &Global) -> bool {
    !global.no_input && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Why data did not come out.
static UNWRITTEN: OnceLock<String> = OnceLock::new();

/// Data: to stdout. A closed pipe is no error of ours; any other is told in the end, see [`unwritten`].
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush())
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        let _ = UNWRITTEN.set(error.to_string());
    }
}

/// Why what was printed did not come out whole: a full disk, say. Whoever reads it would take a part for all.
pub(crate) fn unwritten() -> Option<&'static str> {
    UNWRITTEN.get().map(String::as_str)
}

/// Data as JSON: to stdout, with nothing in it that steers a terminal.
pub(crate) fn print_json(value: &impl serde::Serialize) {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    print(&format!("{}\n", byob_plan::plan::visible(&text)));
}

/// Talk: to stderr.
pub(crate) fn say(text: &str) {
    tell(Level::Info, "", text);
}

/// Talk about something to know.
pub(crate) fn note(text: &str) {
    tell(Level::Info, "note: ", text);
}

/// Talk about something to look at.
pub(crate) fn warn(text: &str) {
    tell(Level::Warn, "warning: ", text);
}

fn tell(level: Level, kind: &str, text: &str) {
    if log::is_json() {
        log::write(level, "message", log::fields([("message", text.into())]));
    } else {
        line(&format!("{kind}{text}"));
    }
}

/// A line on stderr, as it is.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "{text}");
}

/// Talk that has its line breaks already, if it has any line.
pub(crate) fn say_lines(text: &str) {
    // Lines of their own are no JSON: whoever asked for that reads the events.
    if !text.is_empty() && !log::is_json() {
        say(text.trim_end_matches('\n'));
    }
}

/// What stands above a plan or a report, where the format has no place for it: to stderr.
pub(crate) fn say_header(header: &Header) {
    if let Some(who) = &header.running {
        let who = byob_render::escape::escape(who);
        note(&format!("an apply is running ({who}): what it has not done yet is shown as still to do"));
    }
    header.notes.iter().for_each(|text| note(&byob_render::escape::escape(text)));
}

/// Asks on stderr and reads one line.
pub(crate) fn ask(question: &str) -> std::io::Result<String> {
    if log::is_json() {
        log::write(Level::Info, "question", log::fields([("message", question.into())]));
    } else {
        let mut out = std::io::stderr().lock();
        write!(out, "{question} ")?;
        out.flush()?;
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}
