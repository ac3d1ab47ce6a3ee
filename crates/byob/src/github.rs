//! What a job of GitHub Actions shows besides its log: annotations beside the lines of the change, and the job's summary.
//! Nothing of it happens elsewhere, and nothing of it can make a command fail.

use std::io::Write;
use std::path::{Path, PathBuf};

use byob_model::diagnostic::Diagnostic;
use byob_plan::Plan;
use byob_plan::drift::Report;
use byob_render::{ConfigFile, Header, Outcome};

use crate::session::{Loaded, Session};
use crate::terminal;

/// Where GitHub wants a job's summary, in Markdown.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Shows a plan there too.
pub(crate) fn plan(session: &Session, plan: &Plan, header: &Header) {
    if here() {
        summarize(&byob_render::plan_markdown(plan, header));
        with_file(&session.loaded, |file| terminal::say_lines(&byob_render::plan_annotations(plan, file)));
    }
}

/// Shows drift there too.
pub(crate) fn drift(session: &Session, report: &Report, header: &Header) {
    if here() {
        summarize(&byob_render::drift_markdown(report, header));
        with_file(&session.loaded, |file| terminal::say_lines(&byob_render::drift_annotations(report, file)));
    }
}

/// Shows there too how an apply ended.
pub(crate) fn outcome(session: &Session, outcome: &Outcome) {
    if here() {
        summarize(&byob_render::outcome_markdown(outcome));
        with_file(&session.loaded, |file| {
            terminal::say_lines(&byob_render::outcome_annotations(outcome, file));
        });
    }
}

/// Shows there too what is wrong with the configuration.
pub(crate) fn diagnostics(file: &str, text: &str, diagnostics: &[Diagnostic]) {
    if here() {
        let lines = byob_render::diagnostic_annotations(&in_repository(file), text, diagnostics);
        terminal::say_lines(&lines);
    }
}

/// Shows there too why a command did not do what it was to do.
pub(crate) fn failure(message: &str, details: &[String], help: &[String]) {
    if here() {
        terminal::say_lines(&byob_render::failure_annotation(message, details, help));
    }
}

/// Does something with the configuration, under the name by which the repository knows it.
pub(crate) fn with_file<T>(loaded: &Loaded, act: impl FnOnce(&ConfigFile<'_>) -> T) -> T {
    let path = in_repository(&loaded.file);
    act(&ConfigFile { path: &path, text: &loaded.text, config: &loaded.config })
}

fn here() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// From the top of the checked out repository, which need not be the folder that a step works in; as it was named where
/// it is not below.
fn in_repository(path: &str) -> String {
    let below = || {
        let top = Path::new(&std::env::var_os("GITHUB_WORKSPACE")?).canonicalize().ok()?;
        let path = Path::new(path).canonicalize().ok()?;
        Some(path.strip_prefix(top).ok()?.to_str()?.to_owned())
    };
    below().unwrap_or_else(|| path.strip_prefix("./").unwrap_or(path).to_owned())
}

/// Appends to the job's summary: other steps write there too.
fn summarize(markdown: &str) {
    let Some(path) = std::env::var_os(SUMMARY).filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return;
    };
    let file = std::fs::OpenOptions::new().append(true).create(true).open(&path);
    if let Err(error) = file.and_then(|mut file| file.write_all(format!("{markdown}\n").as_bytes())) {
        terminal::note(&format!("the job's summary could not be written: {error} ({})", path.display()));
    }
}
