//! The log: what happens as JSON, one object a line, for `--log-format json`; and calls to AWS as text, for `--verbose`.
//! The fields are described in `docs/log-format.md`.

use std::fmt::Write as _;
use std::time::Duration;

use byob_model::diagnostic::Diagnostic;
use byob_plan::event::{Answer, Event};
use byob_plan::plan::visible;
use serde_json::{Map, Value, json};

use crate::escape::escape;
use crate::progress::{Outcome, SettledView};

/// The fields of a line.
pub type Fields = Map<String, Value>;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For who looks for a cause.
    Debug,
    /// What happens.
    Info,
    /// What to look at.
    Warn,
    /// What ends a step or the command.
    Error,
}

impl Level {
    /// As the JSON spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// One line, without its line break. `time` is RFC 3339 in UTC. Nothing in it steers a terminal.
#[must_use]
pub fn log_line(time: &str, level: Level, event: &str, fields: Fields) -> String {
    let mut line = fields;
    line.insert("time".to_owned(), time.into());
    line.insert("level".to_owned(), level.as_str().into());
    line.insert("event".to_owned(), event.into());
    visible(&Value::Object(line).to_string())
}

/// Level, name and fields of what happens during an apply.
#[must_use]
pub fn log_event(event: &Event) -> (Level, &'static str, Fields) {
    let of_step = |step: &String, address: &byob_model::Address| {
        Fields::from_iter([
            ("step".to_owned(), json!(step)),
            ("address".to_owned(), json!(address.to_string())),
        ])
    };
    match event {
        Event::Started { step, address, action, operations } => {
            let mut fields = of_step(step, address);
            fields.insert("action".to_owned(), action.as_str().into());
            fields.insert("operations".to_owned(), json!(operations));
            (Level::Info, "step_started", fields)
        }
        Event::Retrying { step, address, why, answer, tries, wait } => {
            let mut fields = of_step(step, address);
            fields.insert("message".to_owned(), json!(why));
            fields.insert("attempt".to_owned(), json!(tries));
            fields.insert("wait_ms".to_owned(), milliseconds(*wait));
            fields.extend(of_answer(answer));
            (Level::Warn, "step_retrying", fields)
        }
        Event::Done { step, address, took } => {
            let mut fields = of_step(step, address);
            fields.insert("elapsed_ms".to_owned(), milliseconds(*took));
            (Level::Info, "step_done", fields)
        }
        Event::Failed { step, address, why, answer, took } => {
            let mut fields = of_step(step, address);
            fields.insert("message".to_owned(), json!(why));
            fields.insert("elapsed_ms".to_owned(), milliseconds(*took));
            fields.extend(answer.iter().flat_map(of_answer));
            (Level::Error, "step_failed", fields)
        }
        Event::Skipped { step, address } => (Level::Warn, "step_not_started", of_step(step, address)),
        Event::ReadingBack { round, waiting } => {
            let fields = [("round".to_owned(), json!(round)), ("waiting".to_owned(), json!(waiting))];
            (Level::Info, "reading_back", Fields::from_iter(fields))
        }
    }
}

/// The fields that say which answer it was; what AWS did not say is left out.
#[must_use]
pub fn of_answer(answer: &Answer) -> Fields {
    let mut fields = Fields::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    put("operation", Some(&answer.operation).filter(|o| !o.is_empty()).map(|o| json!(o)));
    put("code", answer.code.as_ref().map(|code| json!(code)));
    put("status", answer.status.map(Value::from));
    put("request_id", answer.request_id.as_ref().map(|id| json!(id)));
    fields
}

/// Level and fields of the end of an apply.
#[must_use]
pub fn log_outcome(outcome: &Outcome) -> (Level, Fields) {
    let failed: Vec<Value> = outcome
        .failed
        .iter()
        .map(|(address, why, help)| json!({ "address": address, "message": why, "help": help }))
        .collect();
    let (settled, addresses) = match &outcome.settled {
        SettledView::Converged => ("converged", &[][..]),
        SettledView::NotYetSeen(addresses) => ("not_yet_seen", addresses.as_slice()),
        SettledView::Other(addresses) => ("other", addresses.as_slice()),
        SettledView::NotLookedAt => ("not_looked_at", &[][..]),
    };
    let level = if !outcome.failed.is_empty() || !outcome.not_started.is_empty() || !outcome.saved {
        Level::Error
    } else if outcome.interrupted || !addresses.is_empty() {
        Level::Warn
    } else {
        Level::Info
    };
    let fields = [
        ("done", json!(outcome.done)),
        ("failed", failed.into()),
        ("not_started", json!(outcome.not_started)),
        ("interrupted", json!(outcome.interrupted)),
        ("read_back", settled.into()),
        ("read_back_addresses", json!(addresses)),
        ("record_saved", json!(outcome.saved)),
        ("elapsed_ms", milliseconds(Duration::try_from_secs_f64(outcome.seconds).unwrap_or_default())),
    ];
    (level, fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The fields of one error of the configuration. Lines and columns count from 1, columns in characters.
#[must_use]
pub fn log_diagnostic(file: &str, source: &str, diagnostic: &Diagnostic) -> Fields {
    let place = diagnostic.span.and_then(|span| source.get(..span.start)).map(|before| {
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    });
    let fields = [
        ("message", json!(diagnostic.message)),
        ("label", json!(diagnostic.label)),
        ("help", if diagnostic.help.is_empty() { json!([]) } else { json!([diagnostic.help]) }),
        ("file", json!(file)),
        ("line", json!(place.map(|(line, _)| line))),
        ("column", json!(place.map(|(_, column)| column))),
        ("exit_code", json!(1)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A call to AWS, or one try of it, as one line of text.
#[must_use]
pub fn call_text(event: &str, fields: &Fields) -> String {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let number = |name: &str| fields.get(name).and_then(Value::as_u64);
    let mut line = text("operation").unwrap_or("?").to_owned();
    // Writing to a String cannot fail.
    if let Some(resource) = text("resource") {
        let _ = write!(line, " on {resource}");
    }
    if let Some(region) = text("region") {
        let _ = write!(line, " ({region})");
    }
    line.push_str(": ");
    match (text("code"), number("status")) {
        (Some(code), Some(status)) => {
            let _ = write!(line, "{status} {code}");
        }
        (Some(answer), None) => line.push_str(answer),
        (None, Some(status)) => line.push_str(&status.to_string()),
        (None, None) => line.push_str("no answer"),
    }
    if let Some(id) = text("request_id") {
        let _ = write!(line, ", request {id}");
    }
    if let Some(attempt) = number("attempt").filter(|attempt| *attempt > 1 || event != "call") {
        let _ = write!(line, ", attempt {attempt}");
    }
    if event != "call" {
        line.push_str(", trying again");
    }
    if let Some(elapsed) = number("elapsed_ms") {
        let _ = write!(line, ", {elapsed} ms");
    }
    escape(&line).into_owned()
}

fn milliseconds(time: Duration) -> Value {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).into()
}
