//! `byob drift`: live against recorded, whatever the configuration says. Writes nothing, takes no lock.

use std::collections::BTreeSet;
use std::process::ExitCode;

use byob_apply::settle;
use byob_model::live::Live;
use byob_plan::drift::{report, to_value, unfinished};
use byob_plan::{DriftSeverity, Mode, wanted};
use byob_state::Store;

use crate::cli::{DriftArgs, DriftFormat, Global};
use crate::contact;
use crate::failure::Failure;
use crate::github;
use crate::planning::header;
use crate::session;
use crate::terminal;
use crate::trail;

pub(crate) async fn run(global: &Global, args: &DriftArgs) -> Result<ExitCode, Failure> {
    let session = session::open(global).await?;
    let record = session.store.load().await?;
    // A fresh clone must never be green.
    let Some(recorded) = record.recorded.clone() else {
        return Err(Failure::said(
            format!("there is no record at {}, so nothing can be said about drift", session.store.location()),
            "`byob apply` makes the first record; where it exists already, bring it here, or correct [state] in byob.toml",
        ));
    };
    let wanted = wanted(None, &recorded);
    let drifted = |live: &Live| !report(&recorded, live).drift.is_empty();
    let live =
        settle(&session.cloud, &session.clock, session.pace, &wanted, &recorded, session.settle, &drifted)
            .await?;
    contact::refuse_unread(&live)?;
    let mut report = report(&recorded, &live);
    if let Some(text) = unfinished(&recorded, &live) {
        terminal::warn(&text);
    }
    if args.who {
        trail::trace(&session, &recorded, &mut report).await;
    }
    let fail_on: BTreeSet<DriftSeverity> = match args.fail_on.as_slice() {
        [] => DriftSeverity::ALL.into(),
        some => some.iter().copied().map(DriftSeverity::from).collect(),
    };
    let header = header(&session, &record, &Mode::default(), &live, None);
    if matches!(args.format, DriftFormat::Json | DriftFormat::Sarif | DriftFormat::Junit) {
        terminal::say_header(&header);
    }
    match args.format {
        DriftFormat::Text => {
            terminal::print(&byob_render::drift_text(&report, &header, &terminal::style(global)));
        }
        DriftFormat::Json => {
            let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            terminal::print_json(&to_value(&report, &now));
        }
        DriftFormat::Markdown => terminal::print(&byob_render::drift_markdown(&report, &header)),
        DriftFormat::Html => terminal::print(&byob_render::drift_html(&report, &header)?),
        DriftFormat::Sarif => github::with_file(&session.loaded, |file| {
            terminal::print_json(&byob_render::drift_sarif(&report, file));
        }),
        DriftFormat::Junit => {
            terminal::print(&byob_render::drift_junit(&report, recorded.resources.keys(), &fail_on));
        }
    }
    github::drift(&session, &report, &header);
    if let Some(text) = byob_render::not_counted(&report, &fail_on) {
        terminal::say(&text);
    }
    Ok(if report.counted(&fail_on) == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
