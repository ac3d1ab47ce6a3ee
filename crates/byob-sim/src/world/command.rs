//! One `byob apply` (or `plan`), as the binary runs it, without its talk.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use byob_apply::command::{self, Made, Talk};
use byob_apply::{ApplyError, Clock, Pace, Replan, Report, Settled, settle};
use byob_model::Address;
use byob_model::config::{Configuration, parse};
use byob_model::desired::{Desired, desired};
use byob_model::live::{Live, Wanted};
use byob_model::recorded::{Intent, Recorded};
use byob_plan::event::Event;
use byob_plan::recovery::with_keys_seen;
use byob_plan::{Input, Mode, Plan, plan, wanted};
use byob_state::{Guard, Loaded, LockInfo, Store};

use super::time::Signal;
use super::{ACCOUNT, Place, World};

/// Who agreed to what.
#[derive(Debug, Clone)]
pub enum Consent {
    /// Whatever the plan is.
    Auto,
    /// A digest that was approved elsewhere.
    Digest(String),
    /// A plan is made and agreed to before the lock is taken, as on a terminal.
    Asked,
}

/// How it ended.
#[derive(Debug)]
#[allow(missing_docs, reason = "as `byob_apply::command::Ended`")]
pub enum Ended {
    Converged(Report),
    NotYetSeen(BTreeSet<Address>),
    Other(BTreeSet<Address>),
    /// Steps are left, or somebody asked to stop.
    Incomplete(Report),
    NothingToDo,
    AlreadyApplied,
    Stale(Vec<String>),
    Blocked(Vec<String>),
    /// It would empty a bucket, and nobody agreed to that.
    Emptied(String),
    /// Somebody asked to stop before anything was written.
    Interrupted,
    /// Before or beside the steps.
    Broken(String),
}

impl Ended {
    /// The command's exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Converged(_) | Self::NotYetSeen(_) | Self::NothingToDo | Self::AlreadyApplied => 0,
            Self::Stale(_) => 2,
            Self::Incomplete(report) if report.stale() => 2,
            _ => 1,
        }
    }

    /// What was done and what was not.
    ///
    /// # Panics
    /// If no step was to run.
    #[must_use]
    pub fn report(&self) -> &Report {
        match self {
            Self::Converged(report) | Self::Incomplete(report) => report,
            other => panic!("no report: {other:?}"),
        }
    }
}

impl From<command::Ended> for Ended {
    fn from(ended: command::Ended) -> Self {
        match ended {
            command::Ended::Interrupted => Self::Interrupted,
            command::Ended::AlreadyApplied => Self::AlreadyApplied,
            command::Ended::Stale(_, steps) => Self::Stale(steps),
            command::Ended::Blocked(plan) => {
                let blocking = plan.findings.iter().filter(|f| f.blocks());
                let said = |f: &byob_plan::Finding| format!("{} {:?}: {}", f.address, f.rule, f.message);
                Self::Blocked(blocking.map(said).collect())
            }
            command::Ended::Emptied(_, name) => Self::Emptied(name),
            command::Ended::NothingToDo(_) => Self::NothingToDo,
            command::Ended::Ran(ran) => match (ran.unsaved, ran.settled) {
                (Some(error), _) => Self::Broken(error.to_string()),
                (None, None) => Self::Incomplete(ran.report),
                (None, Some(Settled::Converged)) => Self::Converged(ran.report),
                (None, Some(Settled::NotYetSeen(left))) => Self::NotYetSeen(left),
                (None, Some(Settled::Other(left))) => Self::Other(left),
            },
        }
    }
}

/// What somebody who looks on is told of a command.
pub trait Onlooker {
    /// The lock is held from now on.
    fn locked(&self) {}
    /// The lock will be given back.
    fn releasing(&self) {}
    /// This was planned; it may still be changed, to plant a bug.
    fn planned(&self, _plan: &mut Plan) {}
    /// The steps of this plan will run.
    fn begins(&self, _plan: &Plan) {}
}

/// Nobody looks on.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl Onlooker for Nobody {}

/// One command.
pub struct Command<'a, S = Place> {
    /// Where it runs.
    pub world: &'a World,
    /// The record's place.
    pub place: &'a S,
    /// What is wanted.
    pub config: Configuration,
    /// Its flags.
    pub mode: Mode,
    /// Who agreed.
    pub consent: Consent,
    /// Waits.
    pub pace: Pace,
    /// `--settle`.
    pub settle: Duration,
    /// `--recovery-wait`.
    pub recovery_wait: Duration,
    /// `--lock-timeout`.
    pub lock_timeout: Duration,
    /// Somebody asks to stop when this many steps have ended.
    pub interrupt_after: Option<usize>,
    /// What happened.
    pub events: RefCell<Vec<Event>>,
    /// Whether the approval was found open, and gone on with.
    pub resumed: Cell<bool>,
    /// Who looks on.
    pub onlooker: &'a dyn Onlooker,
    ended: Cell<usize>,
    stop: Signal,
}

impl<'a, S: Store> Command<'a, S> {
    /// An apply of a configuration.
    ///
    /// # Panics
    /// If it is wrong.
    #[must_use]
    pub fn new(world: &'a World, place: &'a S, config: &str) -> Self {
        let config = parse(config, &|_| Err("no such file".into()))
            .unwrap_or_else(|errors| panic!("{errors:#?}\nin\n{config}"));
        Self {
            world,
            place,
            config,
            mode: Mode::default(),
            consent: Consent::Auto,
            pace: Pace::AWS,
            settle: Duration::from_secs(60),
            recovery_wait: Duration::from_secs(300),
            lock_timeout: Duration::ZERO,
            interrupt_after: None,
            events: RefCell::default(),
            resumed: Cell::default(),
            onlooker: &Nobody,
            ended: Cell::default(),
            stop: Signal::default(),
        }
    }

    fn desired(&self, recorded: &Recorded) -> Desired {
        desired(&self.config, ACCOUNT, recorded).unwrap_or_else(|errors| panic!("{errors:#?}"))
    }

    /// `byob plan`.
    ///
    /// # Panics
    /// If record or cloud cannot be read.
    pub async fn plan(&self) -> Plan {
        self.try_plan().await.expect("readable")
    }

    /// `byob plan`, where reads may fail.
    ///
    /// # Errors
    /// Record or cloud cannot be read.
    pub async fn try_plan(&self) -> Result<Plan, String> {
        let loaded = self.place.load().await.map_err(|e| e.to_string())?;
        let made = self.make(&loaded.recorded.unwrap_or_default()).await;
        Ok(made.map_err(|Refused(why)| why)?.0)
    }

    /// `byob apply`.
    pub async fn apply(&self) -> Ended {
        self.ended.set(0);
        self.stop.reset();
        let consent = match &self.consent {
            Consent::Auto => command::Consent::Auto,
            Consent::Digest(digest) => command::Consent::Digest(digest.clone()),
            Consent::Asked => match self.try_plan().await {
                Ok(plan) => command::Consent::Digest(plan.digest),
                Err(why) => return Ended::Broken(why),
            },
        };
        let info = LockInfo::of_this_process(self.world.new_id(), "byob apply", self.world.now());
        let guard = match self.place.lock(info, self.lock_timeout, &mut |_| ()).await {
            Ok(guard) => guard,
            Err(error) => return Ended::Broken(error.to_string()),
        };
        self.onlooker.locked();
        let outcome = command::Command {
            cloud: self.world,
            store: self.place,
            guard: &guard,
            clock: self.world,
            talk: self,
            consent: &consent,
            pace: self.pace,
            settle: self.settle,
            recovery_wait: self.recovery_wait,
            new_id: &|| self.world.new_id(),
        };
        let outcome = outcome.run().await;
        self.onlooker.releasing();
        let released = guard.release().await;
        match (outcome, released) {
            (Ok(_), Err(error)) => Ended::Broken(error.to_string()),
            (Ok(ended), Ok(())) => ended.into(),
            (Err(Refused(why)), _) => Ended::Broken(why),
        }
    }
}

/// Why a command was not gone on with.
#[derive(Debug)]
pub struct Refused(String);

impl From<ApplyError> for Refused {
    fn from(error: ApplyError) -> Self {
        Self(error.to_string())
    }
}

impl<S: Store> Talk for Command<'_, S> {
    type Refusal = Refused;

    fn loaded(&self, _: &Loaded) -> Result<(), Refused> {
        Ok(())
    }

    fn waiting_for_key(&self, _: &Intent) {}

    async fn make(&self, recorded: &Recorded) -> Result<(Plan, Live), Refused> {
        let unsettled = |live: &Live| !Replan::plan(self, recorded, live).unsettled.is_empty();
        let reads = Replan::wanted(self, recorded);
        let live = settle(self.world, self.world, self.pace, &reads, recorded, self.settle, &unsettled)
            .await
            .map_err(|e| Refused(e.to_string()))?;
        let mut plan = Replan::plan(self, &with_keys_seen(recorded, &live), &live);
        self.onlooker.planned(&mut plan);
        Ok((plan, live))
    }

    fn show(&self, _: Made<'_>, _: bool) {}

    fn agreed(&self, resumed: bool) {
        self.resumed.set(resumed);
    }

    async fn before_first_write(&self, _: &Plan, _: &Live) -> Result<(), Refused> {
        Ok(())
    }

    fn begin(&self, plan: &Plan) {
        self.onlooker.begins(plan);
        self.asks_to_stop();
    }

    fn event(&self, event: Event) {
        if matches!(event, Event::Done { .. } | Event::Failed { .. }) {
            self.ended.set(self.ended.get() + 1);
            self.asks_to_stop();
        }
        self.events.borrow_mut().push(event);
    }

    fn end(&self) {}

    fn interrupted(&self) -> bool {
        self.stop.given()
    }

    async fn interrupt(&self) {
        self.stop.wait().await;
    }
}

impl<S: Store> Command<'_, S> {
    /// Whether somebody asked it to stop.
    #[must_use]
    pub fn was_interrupted(&self) -> bool {
        self.stop.given()
    }

    fn asks_to_stop(&self) {
        if self.interrupt_after.is_some_and(|after| self.ended.get() >= after) {
            self.stop.give();
        }
    }
}

impl<S: Store> Replan for Command<'_, S> {
    fn wanted(&self, recorded: &Recorded) -> Wanted {
        let desired = self.desired(recorded);
        let desired = if self.mode.destroy { desired.empty() } else { desired };
        wanted(Some(&desired), recorded)
    }

    fn plan(&self, recorded: &Recorded, live: &Live) -> Plan {
        plan(&Input {
            desired: &self.desired(recorded),
            recorded,
            live,
            mode: &self.mode,
            endpoint: "aws",
            partition: "aws",
            byob_version: "0.1.0",
            meaning: &self.desired(&Recorded::default()),
            today: byob_model::date::Date::of_unix_seconds(0),
        })
    }
}
