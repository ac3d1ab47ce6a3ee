//! `byob apply` and `byob destroy`: plan again, insist on what was approved, make it real, read it back.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use byob_apply::command::{Command, Consent, Ended, Made, Ran, Talk};
use byob_apply::{CloudError, ErrorKind, Replan, Settled};
use byob_model::live::{Live, Wanted};
use byob_model::recorded::{Intent, Recorded};
use byob_plan::approved::{Approved, NotAPlan, is_digest};
use byob_plan::event::Event;
use byob_plan::{Mode, Plan};
use byob_render::{Header, Outcome, SettledView};
use byob_state::{Guard, Loaded, Store, Tools};
use uuid::Uuid;

use super::output::hand_over;
use crate::cli::{ApplyArgs, Global};
use crate::contact;
use crate::failure::Failure;
use crate::github;
use crate::log;
use crate::place::{self, RecordGuard, RecordStore};
use crate::planning::{Planned, Planner, header, mode};
use crate::progress::Progress;
use crate::session::{self, Session};
use crate::stop::{self, Stop};
use crate::terminal;

pub(crate) async fn run(global: &Global, args: &ApplyArgs, destroy: bool) -> Result<ExitCode, Failure> {
    let (given, mode) = given(args, destroy)?;
    if given.is_none() && !args.auto_approve && !terminal::can_ask(global) {
        return Err(Failure::said(
            "nobody approved this, and there is no terminal to ask on; nothing was contacted",
            if destroy {
                "byob plan --destroy prints the line with the digest: byob destroy --approve sha256:… (or --plan FILE, or --auto-approve)"
            } else {
                "byob plan prints the line with the digest: byob apply --approve sha256:… (or --plan FILE, or --auto-approve)"
            },
        ));
    }
    let session = session::open(global).await?;
    if mode.destroy || mode.refresh_only {
        refuse_without_record(&session, session.store.load().await?.recorded.as_ref(), &mode)?;
    }
    let planner = Planner::new(&session, mode.clone())?;
    let consent = match given {
        Some(digest) => Consent::Digest(digest),
        None if args.auto_approve => Consent::Auto,
        // Asked before the lock is taken: people take their time.
        None => match ask(global, args.notes, &session, &planner, &mode).await? {
            Some(digest) => Consent::Digest(digest),
            None => return Ok(ExitCode::FAILURE),
        },
    };
    let stop = Stop::listen();
    let command = if destroy { "byob destroy" } else { "byob apply" };
    let guard = place::lock(&session.store, command, args.lock_timeout, Some(&stop)).await?;
    let talk = Telling {
        global,
        args,
        session: &session,
        planner: &planner,
        mode: &mode,
        stop: &stop,
        progress: RefCell::new(None),
        first: Cell::new(false),
    };
    let outcome = talk.run(&consent, &guard).await;
    if talk.first.get()
        && outcome.is_ok()
        && matches!(session.store, RecordStore::S3(_))
        && let Ok(kept) = session.store.history().await
    {
        super::state::kept::warn_of_no_versions(&session.store, &kept);
    }
    let released = guard.release().await;
    let code = outcome?;
    released?;
    Ok(code)
}

/// What byob made, the record says: without one, destroying would do nothing and look like success, and there is nothing
/// that drift could be accepted into.
pub(super) fn refuse_without_record(
    session: &Session,
    recorded: Option<&Recorded>,
    mode: &Mode,
) -> Result<(), Failure> {
    let nothing = session.config().buckets.is_empty() && session.config().keys.is_empty();
    let location = session.store.location();
    if recorded.is_some() {
        return Ok(());
    }
    if mode.refresh_only {
        return Err(Failure::said(
            format!("there is no record at {location}, so there is nothing to accept drift into"),
            "`byob apply` makes the first record; where it exists already, bring it here, or correct [state] in byob.toml",
        ));
    }
    if !mode.destroy || nothing {
        return Ok(());
    }
    Err(Failure::said(
        format!(
            "there is no record at {location}, so nothing is known to be byob's to destroy; nothing was written",
        ),
        "where the record exists already, bring it here, or correct [state] in byob.toml; a bucket that was never \
         applied is taken into a record by byob import",
    ))
}

/// The digest that was given, and the mode it belongs to: `--plan FILE` brings its own along.
fn given(args: &ApplyArgs, destroy: bool) -> Result<(Option<String>, Mode), Failure> {
    let mode = mode(&args.select, destroy);
    if destroy && mode.refresh_only {
        return Err(Failure::said(
            "--refresh-only accepts what is live into the record; byob destroy deletes it",
            "byob apply --refresh-only, or byob destroy without the flag",
        ));
    }
    if let Some(path) = &args.plan {
        let text = std::fs::read_to_string(path).map_err(|source| Failure::File {
            doing: "read",
            path: path.clone(),
            source,
        })?;
        let approved = Approved::read(&text).map_err(|error| {
            let help = match error {
                NotAPlan::Other => "byob plan --out FILE writes one",
                NotAPlan::Format(_) => "plan again with this byob",
                NotAPlan::Digest => "it was changed since byob plan --out wrote it: plan again",
            };
            Failure::said(format!("{} {error}", path.display()), help)
        })?;
        return Ok((Some(approved.digest), approved.mode));
    }
    Ok((args.approve.as_deref().map(checked).transpose()?, mode))
}

fn checked(digest: &str) -> Result<String, Failure> {
    if is_digest(digest) {
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
    notes: bool,
    session: &Session,
    planner: &Planner<'_>,
    mode: &Mode,
) -> Result<Option<String>, Failure> {
    let record = session.store.load().await?;
    let recorded = record.recorded.clone().unwrap_or_default();
    let Planned { plan, live, .. } = planner.make(&recorded, session.settle).await?;
    let header = header(session, &record, mode, &live, Some(&plan));
    terminal::print(&byob_render::plan_text(&plan, &header, &terminal::plan_style(global, notes)));
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

/// The apply as a terminal is told of it.
struct Telling<'a> {
    global: &'a Global,
    args: &'a ApplyArgs,
    session: &'a Session,
    planner: &'a Planner<'a>,
    mode: &'a Mode,
    stop: &'a Stop,
    /// While the steps run.
    progress: RefCell<Option<Progress>>,
    /// There was no record yet.
    first: Cell<bool>,
}

impl Telling<'_> {
    /// Runs it under the lock, and says how it ended.
    async fn run(&self, consent: &Consent, guard: &RecordGuard) -> Result<ExitCode, Failure> {
        let began = Instant::now();
        let session = self.session;
        let wait =
            self.args.recovery_wait.unwrap_or(Duration::from_secs(if session.is_aws() { 300 } else { 0 }));
        let command = Command {
            cloud: &session.cloud,
            store: &session.store,
            guard,
            clock: &session.clock,
            talk: self,
            consent,
            pace: session.pace,
            settle: session.settle,
            recovery_wait: wait,
            new_id: &Uuid::new_v4,
        };
        match command.run().await? {
            Ended::Interrupted => Err(stop::interrupted()),
            Ended::AlreadyApplied => {
                terminal::say("✓ already applied; nothing is left to do");
                Ok(ExitCode::SUCCESS)
            }
            Ended::Stale(plan, steps) => {
                // Only a digest can be another one's.
                let digest = match consent {
                    Consent::Digest(digest) => digest.as_str(),
                    Consent::Auto => "",
                };
                Err(stale(digest, &plan, &steps, self.args.plan.as_deref()))
            }
            Ended::Blocked(_) => {
                Err(Failure::said("nothing was written", "mend the errors above, then plan again"))
            }
            Ended::Emptied(plan, name) => Err(Failure::said(
                format!(
                    "{name} would be emptied, and --auto-approve is not enough for that; nothing was written"
                ),
                format!(
                    "run it on a terminal and type the bucket's name, or --approve the digest that byob plan{} prints",
                    if plan.mode.destroy { " --destroy" } else { "" }
                ),
            )),
            Ended::NothingToDo(plan) => {
                terminal::say(if plan.mode.destroy {
                    "✓ nothing to do: nothing that is recorded is left to destroy"
                } else if plan.mode.refresh_only && !plan.drift.is_empty() {
                    "✓ nothing to accept: what drifted is gone as a whole"
                } else if plan.mode.refresh_only {
                    "✓ nothing to accept: AWS matches the record"
                } else {
                    "✓ nothing to do: AWS matches the configuration"
                });
                Ok(ExitCode::SUCCESS)
            }
            Ended::Ran(ran) => {
                let mut ran = *ran;
                // What was done is said even where it could not be recorded.
                let code = end(self.global, session, &ran, began.elapsed());
                if let Some(error) = ran.unsaved.take().or(ran.report.unrecorded.take()) {
                    return Err(error.into());
                }
                Ok(code)
            }
        }
    }
}

impl Talk for Telling<'_> {
    type Refusal = Failure;

    fn loaded(&self, loaded: &Loaded) -> Result<(), Failure> {
        self.first.set(loaded.recorded.is_none());
        let approval = loaded.recorded.as_ref().and_then(|recorded| recorded.approval.as_ref());
        let open = approval.filter(|approval| !approval.finished && !byob_plan::accepts_drift(approval));
        if let Some(open) = open.filter(|_| self.mode.refresh_only) {
            return Err(Failure::Said {
                message: "an apply did not end, and what it wrote would be taken for somebody else's"
                    .to_owned(),
                details: vec!["nothing was recorded".to_owned()],
                help: vec![
                    "let it go on first: repeat the command that was interrupted, with the flags it had (destroy, \
                     --target, --recreate) and --approve with the digest below; or plan anew (byob plan), and apply that"
                        .to_owned(),
                ],
                paste: open.digest.clone(),
                code: 1,
            });
        }
        refuse_without_record(self.session, loaded.recorded.as_ref(), self.mode)
    }

    fn waiting_for_key(&self, intent: &Intent) {
        terminal::say(&format!(
            "an interrupted run may have made a key for {}; waiting until AWS would list it",
            intent.address
        ));
    }

    async fn make(&self, recorded: &Recorded) -> Result<(Plan, Live), Failure> {
        let Planned { plan, live, .. } = self.planner.make(recorded, self.session.settle).await?;
        Ok((plan, live))
    }

    fn show(&self, made: Made<'_>, consented: bool) {
        let header = header(self.session, made.loaded, self.mode, made.live, Some(made.plan));
        let header = Header { consented, ..header };
        let style = terminal::plan_style(self.global, self.args.notes);
        terminal::print(&byob_render::plan_text(made.plan, &header, &style));
        github::plan(self.session, made.plan, &header);
    }

    fn agreed(&self, resumed: bool) {
        terminal::say(if resumed {
            "✓ going on with the approved plan"
        } else {
            "✓ plan is the approved one"
        });
    }

    async fn before_first_write(&self, plan: &Plan, live: &Live) -> Result<(), Failure> {
        contact::before_first_write(self.session, plan, live).await
    }

    fn begin(&self, plan: &Plan) {
        self.progress.replace(Some(Progress::new(self.global, plan)));
    }

    fn event(&self, event: Event) {
        if let Some(progress) = &*self.progress.borrow() {
            progress.show(&event);
        }
    }

    fn end(&self) {
        if let Some(progress) = &*self.progress.borrow() {
            progress.end();
        }
    }

    fn interrupted(&self) -> bool {
        self.stop.asked()
    }

    async fn interrupt(&self) {
        self.stop.wait().await;
    }
}

impl Replan for Telling<'_> {
    fn wanted(&self, recorded: &Recorded) -> Wanted {
        self.planner.wanted(recorded)
    }

    fn plan(&self, recorded: &Recorded, live: &Live) -> Plan {
        self.planner.plan(recorded, live)
    }
}

/// What to do about AWS's answer; where the answer itself does not know, what a missing right is called.
fn cloud_help(error: &CloudError) -> Vec<String> {
    if error.help.is_empty() && error.kind == ErrorKind::MalformedPolicy && !error.may_be_new_principal() {
        return vec!["byob plan shows the policy; correct that statement in byob.toml".to_owned()];
    }
    if error.help.is_empty() && error.code.as_deref() == Some("InvalidBucketAclWithObjectOwnership") {
        return vec![
            "its ACL lets others in, which BucketOwnerEnforced does not allow: reset it (aws s3api put-bucket-acl --acl \
             private), or write another `object_ownership`"
                .to_owned(),
        ];
    }
    if !error.help.is_empty() || error.kind != ErrorKind::AccessDenied {
        return error.help.clone();
    }
    let right = error.iam_action.as_ref().map(|action| {
        format!("the caller needs {action} on it, by an IAM policy of its own, and no Deny elsewhere that names it")
    });
    // AWS's answer is the same 403, and the account's own block is seen by nobody from here.
    let block = (error.operation == "PutBucketPolicy").then(|| {
        "AWS answers the same where it takes the policy for public and public access is blocked, for the bucket or for \
         the whole account"
            .to_owned()
    });
    right.into_iter().chain(block).collect()
}

/// What differs from what was approved, as far as it is known: of a digest alone nothing is, unless the record has it.
fn stale(digest: &str, plan: &Plan, steps: &[String], file: Option<&Path>) -> Failure {
    let approved =
        file.and_then(|path| std::fs::read_to_string(path).ok()).and_then(|text| Approved::read(&text).ok());
    let details = match approved {
        Some(approved) => approved.differences(plan),
        None => {
            let mut details: Vec<String> = match steps.len() {
                0 => vec!["the steps are the same; drift, findings, configuration or flags differ".to_owned()],
                all if all == plan.steps.len() => vec![
                    "nothing of what is printed above is known to have been approved (--plan FILE would say more)"
                        .to_owned(),
                ],
                _ => steps.iter().map(|id| format!("not approved: {id}")).collect(),
            };
            let drifted = |drift: &byob_plan::Drift| {
                format!("changed outside byob, maybe since: {} ({})", drift.address, drift.severity.as_str())
            };
            details.extend(plan.drift.iter().map(drifted));
            details
        }
    };
    Failure::Said {
        message: format!("the plan is not the one that was approved ({digest}); nothing was written"),
        details,
        help: vec!["review what is printed above; the line that approves it is its last".to_owned()],
        paste: String::new(),
        code: 2,
    }
}

/// Says what was done, what was not, and what to do.
fn end(global: &Global, session: &Session, ran: &Ran, time: Duration) -> ExitCode {
    let names =
        |set: &std::collections::BTreeSet<byob_model::Address>| set.iter().map(ToString::to_string).collect();
    let report = &ran.report;
    let settled = match &ran.settled {
        None => SettledView::NotLookedAt,
        Some(Settled::Converged) => SettledView::Converged,
        Some(Settled::NotYetSeen(left)) => SettledView::NotYetSeen(names(left)),
        Some(Settled::Other(left)) => SettledView::Other(names(left)),
    };
    let outcome = Outcome {
        done: report.done.len(),
        failed: report
            .failed
            .iter()
            .map(|f| {
                let help = match &f.error {
                    byob_apply::run::Failure::Cloud { error, .. } => cloud_help(error),
                    byob_apply::run::Failure::PolicyChanged { .. } => {
                        vec![
                            "byob plan shows what it is now; approve that plan, or put the policy back"
                                .to_owned(),
                        ]
                    }
                    byob_apply::run::Failure::NotOurs { .. } => {
                        vec!["byob plan says whose it is and what can be done".to_owned()]
                    }
                    byob_apply::run::Failure::NoArn { .. } | byob_apply::run::Failure::Interrupted { .. } => {
                        Vec::new()
                    }
                    byob_apply::run::Failure::LockLost { .. } => {
                        vec!["let the other run end, then run again".to_owned()]
                    }
                };
                (f.address.to_string(), f.error.to_string(), help)
            })
            .collect(),
        not_started: report
            .not_started
            .iter()
            .map(|id| id.split_once('#').map_or(id.as_str(), |(address, _)| address).to_owned())
            .collect(),
        interrupted: report.interrupted,
        settled,
        seconds: time.as_secs_f64(),
        nothing_to_do: false,
        saved: ran.unsaved.is_none(),
    };
    if log::is_json() {
        let (level, fields) = byob_render::log_outcome(&outcome);
        log::write(level, "apply_ended", fields);
    } else {
        terminal::line(byob_render::outcome_text(&outcome, &terminal::talk_style(global)).trim_end());
    }
    github::outcome(session, &outcome);
    if ran.good() {
        terminal::print(&hand_over(&ran.recorded, session.config()));
        ExitCode::SUCCESS
    } else if report.stale() {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}
