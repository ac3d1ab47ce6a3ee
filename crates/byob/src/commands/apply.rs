//! `byob apply` and `byob destroy`: plan again, insist on what was approved, make it real, read it back.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use byob_apply::recovery::wait_for_keys;
use byob_apply::{Report, Run, Settled, read_back};
use byob_model::recorded::{Intent, Recorded};
use byob_plan::approval::{Standing, standing};
use byob_plan::event::Event;
use byob_plan::plan::RecordChange;
use byob_plan::{Mode, Plan};
use byob_render::{Outcome, SettledView};
use byob_state::{Guard, LockInfo, Store};
use uuid::Uuid;

use super::output::hand_over;
use crate::cli::{ApplyArgs, Global};
use crate::contact;
use crate::failure::Failure;
use crate::planning::{Planned, Planner, header, mode};
use crate::progress::Progress;
use crate::session::{self, Session};
use crate::stop::Stop;
use crate::terminal;

/// Who agreed to what.
enum Consent {
    /// A digest that was approved elsewhere.
    Digest(String),
    /// Whatever the plan is.
    Auto,
    /// This digest, shown and confirmed on the terminal; with the names of buckets that were typed.
    Asked { digest: String },
}

pub(crate) async fn run(global: &Global, args: &ApplyArgs, destroy: bool) -> Result<ExitCode, Failure> {
    let (given, mode) = given(args, destroy)?;
    if given.is_none() && !args.auto_approve && !terminal::can_ask(global) {
        return Err(Failure::said(
            "nobody approved this, and there is no terminal to ask on; nothing was contacted",
            "byob plan prints the line with the digest: byob apply --approve sha256:… (or --plan FILE, or --auto-approve)",
        ));
    }
    let session = session::open(global).await?;
    let planner = Planner::new(&session, mode.clone())?;
    let consent = match given {
        Some(digest) => Consent::Digest(digest),
        None if args.auto_approve => Consent::Auto,
        // Asked before the lock is taken: people take their time.
        None => match ask(global, &session, &planner, &mode).await? {
            Some(digest) => Consent::Asked { digest },
            None => return Ok(ExitCode::FAILURE),
        },
    };
    let stop = Stop::listen();
    let command = if destroy { "byob destroy" } else { "byob apply" };
    let info = LockInfo::of_this_process(Uuid::new_v4(), command, jiff::Timestamp::now().as_second());
    let guard = stop.or(session.store.lock(info, args.lock_timeout, &mut super::import::waiting)).await??;
    let outcome = locked(global, args, &session, &planner, &mode, &consent, &stop).await;
    guard.release().await?;
    outcome
}

/// The digest that was given, and the mode it belongs to: `--plan FILE` brings its own along.
fn given(args: &ApplyArgs, destroy: bool) -> Result<(Option<String>, Mode), Failure> {
    let mode = mode(&args.select, destroy);
    if let Some(path) = &args.plan {
        let text = std::fs::read_to_string(path).map_err(|source| Failure::File {
            doing: "read",
            path: path.clone(),
            source,
        })?;
        let not_a_plan =
            || Failure::said(format!("{} is no plan", path.display()), "byob plan --out FILE writes one");
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|_| not_a_plan())?;
        let version = value.get("format_version").and_then(|v| v.as_str()).ok_or_else(not_a_plan)?;
        if version != byob_plan::plan::FORMAT_VERSION {
            return Err(Failure::said(
                format!(
                    "{} has plan format {version}; this byob knows {}",
                    path.display(),
                    byob_plan::plan::FORMAT_VERSION
                ),
                "plan again with this byob",
            ));
        }
        let digest = value.get("digest").and_then(|v| v.as_str()).ok_or_else(not_a_plan)?;
        let mode =
            value.get("mode").and_then(|m| serde_json::from_value(m.clone()).ok()).ok_or_else(not_a_plan)?;
        return Ok((Some(checked(digest)?), mode));
    }
    Ok((args.approve.as_deref().map(checked).transpose()?, mode))
}

fn checked(digest: &str) -> Result<String, Failure> {
    let hex = digest.strip_prefix("sha256:").unwrap_or("");
    if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        Ok(digest.to_owned())
    } else {
        Err(Failure::said(
            "that is no digest: it is `sha256:` and 64 hex digits, printed whole by byob plan",
            "copy the whole line that byob plan prints last",
        ))
    }
}

/// Shows the plan and asks. `None`: declined, or nothing could be applied.
async fn ask(
    global: &Global,
    session: &Session,
    planner: &Planner<'_>,
    mode: &Mode,
) -> Result<Option<String>, Failure> {
    let record = session.store.load().await?;
    let recorded = record.recorded.clone().unwrap_or_default();
    let Planned { plan, live, .. } = planner.make(&recorded, session.settle).await?;
    let header = header(session, &record, mode, Some(&live));
    terminal::print(&byob_render::plan_text(&plan, &header, &terminal::style(global, false)));
    if plan.blocked() {
        return Ok(None);
    }
    if plan.steps.is_empty() {
        return Ok(Some(plan.digest));
    }
    let failed = |source| Failure::File { doing: "read", path: "the terminal".into(), source };
    for name in plan.emptied() {
        let typed = terminal::ask(&format!(
            "Every object in {name} will be deleted for ever. Type the bucket's name:"
        ));
        if typed.map_err(failed)? != name {
            terminal::say("declined; nothing was written");
            return Ok(None);
        }
    }
    let answer = terminal::ask("Apply this? Only `yes` is yes:").map_err(failed)?;
    if answer != "yes" {
        terminal::say("declined; nothing was written");
        return Ok(None);
    }
    Ok(Some(plan.digest))
}

#[expect(clippy::too_many_arguments, reason = "one command's whole context, used once")]
async fn locked(
    global: &Global,
    args: &ApplyArgs,
    session: &Session,
    planner: &Planner<'_>,
    mode: &Mode,
    consent: &Consent,
    stop: &Stop,
) -> Result<ExitCode, Failure> {
    let began = Instant::now();
    let record = session.store.load().await?;
    let first = record.recorded.is_none();
    let mut recorded = record.recorded.clone().unwrap_or_default();
    let wait = args.recovery_wait.unwrap_or(Duration::from_secs(if session.is_aws() { 300 } else { 0 }));
    let mut waiting = |intent: &Intent| {
        terminal::say(&format!(
            "an interrupted run may have made a key for {}; waiting until AWS would list it",
            intent.address
        ));
    };
    stop.or(wait_for_keys(&session.cloud, &session.clock, session.pace, &recorded, wait, &mut waiting))
        .await??;
    let Planned { plan, live, .. } = stop.or(planner.make(&recorded, session.settle)).await??;
    // What was waited for in vain was never made.
    recorded.intents.retain(|intent| byob_plan::recovery::exists(intent, &live));
    let header = header(session, &record, mode, Some(&live));
    let style = terminal::style(global, false);

    let resumed = match consent {
        Consent::Auto => {
            terminal::print(&byob_render::plan_text(&plan, &header, &style));
            // The same steps as an unfinished approval's are that approval, going on.
            false
        }
        Consent::Digest(digest) | Consent::Asked { digest } => {
            match standing(&plan, digest, recorded.approval.as_ref()) {
                Standing::Approved => {
                    terminal::say("✓ plan is the approved one");
                    false
                }
                Standing::Resumed => {
                    terminal::say("✓ going on with the approved plan");
                    true
                }
                Standing::AlreadyApplied => {
                    terminal::say("✓ already applied; nothing is left to do");
                    return Ok(ExitCode::SUCCESS);
                }
                Standing::Stale(steps) => {
                    terminal::print(&byob_render::plan_text(&plan, &header, &style));
                    return Err(stale(digest, &plan, &steps));
                }
            }
        }
    };
    if plan.blocked() {
        if !matches!(consent, Consent::Auto) {
            terminal::print(&byob_render::plan_text(&plan, &header, &style));
        }
        return Err(Failure::said("nothing was written", "mend the errors above, then plan again"));
    }
    if matches!(consent, Consent::Auto)
        && let Some(name) = plan.emptied().next()
    {
        return Err(Failure::said(
            format!(
                "{name} would be emptied, and --auto-approve is not enough for that; nothing was written"
            ),
            "run it on a terminal and type the bucket's name, or --approve the digest that byob plan prints",
        ));
    }
    if plan.steps.is_empty() {
        return nothing_to_do(session, &plan, &mut recorded, first || record.journalled).await;
    }
    contact::before_first_write(session, &plan).await?;

    let progress = Progress::new(global, &plan);
    let emit = |event: Event| progress.show(&event);
    let interrupted = || stop.asked();
    let run = Run {
        cloud: &session.cloud,
        store: &session.store,
        clock: &session.clock,
        pace: session.pace,
        interrupted: &interrupted,
        emit: &emit,
        new_id: &Uuid::new_v4,
        resumed,
    };
    let report = match run.steps(&plan, &mut recorded).await {
        Ok(report) => report,
        Err(error) => {
            progress.end();
            return Err(error.into());
        }
    };
    let settled = if report.complete() {
        let read = read_back(&session.cloud, &session.clock, session.pace, planner, &recorded, &plan, &emit);
        match stop.or(read).await {
            Ok(Ok(read)) => Some(read),
            // The steps are done and journalled; what was not read back is said below, or by the next plan.
            Ok(Err(error)) => {
                progress.end();
                session.store.save(&mut recorded).await?;
                return Err(error.into());
            }
            Err(_) => None,
        }
    } else {
        None
    };
    progress.end();
    if let Some((_, last)) = &settled {
        bring_up_to_date(&mut recorded, &last.record);
        if let Some(approval) = &mut recorded.approval {
            approval.finished = true;
        }
    }
    session.store.save(&mut recorded).await?;
    Ok(end(global, session, &recorded, report, settled.map(|(settled, _)| settled), began.elapsed()))
}

fn stale(digest: &str, plan: &Plan, steps: &[String]) -> Failure {
    let details = if steps.is_empty() {
        vec!["the steps are the same; drift, findings, configuration or flags differ".to_owned()]
    } else {
        steps.iter().map(|id| format!("not approved: {id}")).collect()
    };
    Failure::Said {
        message: format!("the plan is not the one that was approved ({digest}); nothing was written"),
        details,
        help: vec![format!("review what is printed above; then byob apply --approve {}", plan.digest)],
        paste: String::new(),
        code: 2,
    }
}

/// An apply without steps still brings the record up to date, and makes the first one.
async fn nothing_to_do(
    session: &Session,
    plan: &Plan,
    recorded: &mut Recorded,
    incomplete: bool,
) -> Result<ExitCode, Failure> {
    let before = recorded.clone();
    bring_up_to_date(recorded, &plan.record);
    if let Some(approval) = &mut recorded.approval {
        approval.finished = true;
    }
    if *recorded != before || incomplete {
        if recorded.lineage.is_none() {
            recorded.lineage = Some(Uuid::new_v4());
        }
        session.store.save(recorded).await?;
    }
    terminal::say("✓ nothing to do: AWS matches the configuration");
    Ok(ExitCode::SUCCESS)
}

fn bring_up_to_date(recorded: &mut Recorded, changes: &[RecordChange]) {
    for change in changes {
        match change {
            RecordChange::Put(address, resource) => {
                recorded.resources.insert(address.clone(), resource.clone());
            }
            RecordChange::Remove(address) => {
                recorded.resources.remove(address);
            }
            RecordChange::Tombstone(tombstone) => recorded.tombstones.push(tombstone.clone()),
            RecordChange::TombstoneGone(identity) => recorded.tombstones.retain(|t| t.identity != *identity),
        }
    }
}

/// Says what was done, what was not, and what to do.
fn end(
    global: &Global,
    session: &Session,
    recorded: &Recorded,
    report: Report,
    settled: Option<Settled>,
    time: Duration,
) -> ExitCode {
    let names =
        |set: std::collections::BTreeSet<byob_model::Address>| set.iter().map(ToString::to_string).collect();
    let stale = report.stale();
    let settled = match settled {
        None => SettledView::NotLookedAt,
        Some(Settled::Converged) => SettledView::Converged,
        Some(Settled::NotYetSeen(left)) => SettledView::NotYetSeen(names(left)),
        Some(Settled::Other(left)) => SettledView::Other(names(left)),
    };
    let good = report.complete() && matches!(settled, SettledView::Converged | SettledView::NotYetSeen(_));
    let outcome = Outcome {
        done: report.done.len(),
        failed: report
            .failed
            .iter()
            .map(|f| {
                let help = match &f.error {
                    byob_apply::run::Failure::Cloud { error, .. } => error.help.clone(),
                    byob_apply::run::Failure::PolicyChanged { .. } => {
                        vec![
                            "byob plan shows what it is now; approve that plan, or put the policy back"
                                .to_owned(),
                        ]
                    }
                    byob_apply::run::Failure::NotOurs { .. } => {
                        vec!["byob plan says whose it is and what can be done".to_owned()]
                    }
                    byob_apply::run::Failure::NoArn { .. } => Vec::new(),
                };
                (f.address.to_string(), f.error.to_string(), help)
            })
            .collect(),
        not_started: report.not_started.clone(),
        interrupted: report.interrupted,
        settled,
        seconds: time.as_secs_f64(),
        nothing_to_do: false,
    };
    terminal::say(byob_render::outcome_text(&outcome, &terminal::talk_style(global)).trim_end());
    if good {
        terminal::print(&hand_over(recorded, session.config()));
        ExitCode::SUCCESS
    } else if stale {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}
