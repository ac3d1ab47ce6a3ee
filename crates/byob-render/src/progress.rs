//! An apply as text where there is no terminal: a line for each event that matters, and the account of the whole at the
//! end. And errors that are no diagnostics of the configuration.

use byob_plan::event::Event;

use crate::layout::{Line, Page, Paint, Style};
use crate::summary::count;

/// A plain line for an event, without its line break; `None` for events that the next one makes superfluous.
#[must_use]
pub fn event_line(event: &Event, style: &Style) -> Option<String> {
    let (glyph, name, value) = match event {
        Event::Started { .. } => return None,
        Event::Retrying { address, why, .. } => ('…', address.to_string(), format!("trying again: {why}")),
        Event::Done { address, .. } => ('✓', address.to_string(), "done".to_owned()),
        Event::Failed { address, why, .. } => ('✗', address.to_string(), format!("failed: {why}")),
        Event::Skipped { address, .. } => ('·', address.to_string(), "not started".to_owned()),
        Event::ReadingBack { waiting: 0, .. } => ('…', "reading back".to_owned(), String::new()),
        Event::ReadingBack { round, waiting } => {
            let waiting = count(*waiting, "address");
            ('…', "reading back".to_owned(), format!("{waiting} not yet seen as wanted (round {round})"))
        }
    };
    let mut page = Page::default();
    page.row(glyph, name, value);
    // A log has no right edge: one event, one line.
    let style = Style { width: usize::MAX / 2, ..*style };
    Some(page.print(&style).trim().to_owned())
}

/// What came of an apply.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Steps done.
    pub done: usize,
    /// Address, AWS's answer in words, and what to do, of each failed step.
    pub failed: Vec<(String, String, Vec<String>)>,
    /// Addresses of steps that were not started.
    pub not_started: Vec<String>,
    /// Somebody pressed Ctrl-C.
    pub interrupted: bool,
    /// What reading back came to.
    pub settled: SettledView,
    /// How long it took.
    pub seconds: f64,
    /// There was no step.
    pub nothing_to_do: bool,
    /// The record is saved.
    pub saved: bool,
}

/// What reading back came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettledView {
    /// Everything reads as configured.
    Converged,
    /// These addresses did not yet read as configured when the time was up.
    NotYetSeen(Vec<String>),
    /// These read as something else: neither what was nor what was put.
    Other(Vec<String>),
    /// It was not read back.
    NotLookedAt,
}

/// The end of an apply.
#[must_use]
pub fn outcome_text(outcome: &Outcome, style: &Style) -> String {
    let mut page = Page::default();
    for (address, why, help) in &outcome.failed {
        page.row('✗', address.clone(), why.clone());
        for help in help {
            page.indented(4, format!("help: {help}"));
        }
    }
    for address in &outcome.not_started {
        page.row('·', address.clone(), "not started");
    }
    page.gap();
    let time = format!("{:.1} s", outcome.seconds.max(0.0));
    let steps = count(outcome.done, "step");
    if !outcome.failed.is_empty() || !outcome.not_started.is_empty() || outcome.interrupted {
        let (failed, waiting) = (outcome.failed.len(), outcome.not_started.len());
        let interrupted = if outcome.interrupted { "interrupted: " } else { "" };
        page.text(
            Paint::Red,
            format!("{interrupted}done {}, failed {failed}, not started {waiting} ({time})", outcome.done),
        );
        page.text(
            Paint::Plain,
            if outcome.saved {
                "The record is saved; the same command, with the same approval, goes on from here."
            } else {
                "The record could not be saved: what its journal lacks, the next run looks for."
            },
        );
        settled_aside(&mut page, &outcome.settled);
        return page.print(style);
    }
    match &outcome.settled {
        SettledView::Converged if outcome.nothing_to_do => {
            page.text(Paint::Green, "✓ nothing to do: AWS matches the configuration, and the record says so");
        }
        SettledView::Converged => {
            page.text(Paint::Green, format!("✓ applied {steps} in {time}, read back, converged"));
        }
        SettledView::NotLookedAt if outcome.nothing_to_do => page.text(Paint::Green, "✓ nothing to do"),
        SettledView::NotLookedAt => {
            page.text(Paint::Yellow, format!("applied {steps} in {time}; not read back"));
        }
        SettledView::NotYetSeen(_) | SettledView::Other(_) if outcome.nothing_to_do => {
            page.text(Paint::Yellow, "no step to do, but it does not read back as configured");
        }
        SettledView::NotYetSeen(_) => {
            page.text(Paint::Yellow, format!("✓ applied {steps} in {time}; AWS does not show all of it yet"));
        }
        SettledView::Other(_) => {
            page.text(
                Paint::Yellow,
                format!("applied {steps} in {time}, but it does not read back as configured"),
            );
        }
    }
    settled_aside(&mut page, &outcome.settled);
    page.print(style)
}

fn settled_aside(page: &mut Page, settled: &SettledView) {
    match settled {
        SettledView::Converged | SettledView::NotLookedAt => {}
        SettledView::NotYetSeen(addresses) => {
            page.indented(2, format!("not seen yet: {}", addresses.join(", ")));
            page.indented(
                2,
                "help: AWS may show a write late; byob plan in a minute tells whether it arrived",
            );
        }
        SettledView::Other(addresses) => {
            page.indented(2, format!("neither as it was nor as it was put: {}", addresses.join(", ")));
            page.indented(2, "help: somebody else writes there too; byob plan shows what it is now");
        }
    }
}

/// `error: …`, details below it, then what to do.
#[must_use]
pub fn error_text(message: &str, details: &[String], help: &[String], style: &Style) -> String {
    let mut page = Page::default();
    page.push(Line::Text { indent: 0, hang: 7, paint: Paint::Red, text: format!("error: {message}") });
    for detail in details {
        page.indented(2, detail.clone());
    }
    for help in help {
        page.push(Line::Text { indent: 2, hang: 8, paint: Paint::Plain, text: format!("help: {help}") });
    }
    page.print(style)
}
