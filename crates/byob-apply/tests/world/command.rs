//! One `byob apply` (or `plan`), as the binary runs it, without its talk.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use byob_apply::recovery::{self, wait_for_keys};
use byob_apply::{Clock, Pace, Replan, Report, Run, Settled, goes_on, read_back, record, settle};
use byob_model::Address;
use byob_model::config::{Configuration, parse};
use byob_model::desired::{Desired, desired};
use byob_model::live::{Live, Wanted};
use byob_model::recorded::Recorded;
use byob_plan::approval::{Standing, standing};
use byob_plan::event::Event;
use byob_plan::recovery::with_keys_seen;
use byob_plan::{Input, Mode, Plan, plan, wanted};
use byob_state::{LockInfo, Store};
use uuid::Uuid;

use super::{ACCOUNT, Place, World};

/// Who agreed to what.
#[derive(Debug, Clone)]
pub enum Consent {
    Auto,
    Digest(String),
}

/// How it ended.
#[derive(Debug)]
#[allow(dead_code, reason = "read by whoever reads a failure")]
pub enum Ended {
    Converged(Report),
    NotYetSeen(BTreeSet<Address>),
    Other(BTreeSet<Address>),
    /// All steps are done; AWS could not be read back.
    NotReadBack(String),
    Incomplete(Report),
    NothingToDo,
    AlreadyApplied,
    Stale(Vec<String>),
    Blocked(Vec<String>),
    /// Before or beside the steps.
    Broken(String),
}

impl Ended {
    /// The command's exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Converged(_) | Self::NotYetSeen(_) | Self::NothingToDo | Self::AlreadyApplied => 0,
            Self::Stale(_) => 2,
            Self::Incomplete(report) if report.stale() => 2,
            _ => 1,
        }
    }

    pub fn report(&self) -> &Report {
        match self {
            Self::Converged(report) | Self::Incomplete(report) => report,
            other => panic!("no report: {other:?}"),
        }
    }
}

/// One command.
pub struct Command<'a> {
    pub world: &'a World,
    pub place: &'a Place,
    pub config: Configuration,
    pub mode: Mode,
    pub consent: Consent,
    pub pace: Pace,
    pub settle: Duration,
    pub recovery_wait: Duration,
    /// Somebody asks to stop when this many steps have ended.
    pub interrupt_after: Option<usize>,
    pub events: RefCell<Vec<Event>>,
    /// Whether the approval was found open, and gone on with.
    pub resumed: Cell<bool>,
}

impl<'a> Command<'a> {
    pub fn new(world: &'a World, place: &'a Place, config: &str) -> Self {
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
            interrupt_after: None,
            events: RefCell::default(),
            resumed: Cell::default(),
        }
    }

    fn desired(&self, recorded: &Recorded) -> Desired {
        desired(&self.config, ACCOUNT, recorded).unwrap_or_else(|errors| panic!("{errors:#?}"))
    }

    async fn make(&self, recorded: &Recorded) -> Result<(Plan, Live), String> {
        let unsettled = |live: &Live| !Replan::plan(self, recorded, live).unsettled.is_empty();
        let reads = Replan::wanted(self, recorded);
        let live = settle(self.world, self.world, self.pace, &reads, recorded, self.settle, &unsettled)
            .await
            .map_err(|e| e.to_string())?;
        Ok((Replan::plan(self, &with_keys_seen(recorded, &live), &live), live))
    }

    /// `byob plan`.
    pub async fn plan(&self) -> Plan {
        let recorded = self.place.load().await.expect("readable").recorded.unwrap_or_default();
        self.make(&recorded).await.expect("readable").0
    }

    /// `byob apply`.
    pub async fn apply(&self) -> Ended {
        let info = LockInfo::of_this_process(self.world.new_id(), "byob apply", 0);
        let lock = self.place.lock(info, Duration::ZERO, &mut |_| ()).await;
        let _guard = match lock {
            Ok(guard) => guard,
            Err(error) => return Ended::Broken(error.to_string()),
        };
        self.locked().await.unwrap_or_else(Ended::Broken)
    }

    async fn locked(&self) -> Result<Ended, String> {
        let world = self.world;
        let loaded = self.place.load().await.map_err(|e| e.to_string())?;
        let mut recorded = loaded.recorded.clone().unwrap_or_default();
        wait_for_keys(world, world, self.pace, &recorded, self.recovery_wait, &mut |_| ())
            .await
            .map_err(|e| e.to_string())?;
        let (plan, live) = self.make(&recorded).await?;
        recorded = with_keys_seen(&recorded, &live);
        recovery::drop_unmade(&mut recorded, &live, world.now(), self.recovery_wait);
        let open = recorded.approval.as_ref();
        let resumed = match &self.consent {
            Consent::Auto => goes_on(&plan, &recorded),
            Consent::Digest(digest) => match standing(&plan, digest, open) {
                Standing::Approved => false,
                Standing::Resumed => true,
                Standing::AlreadyApplied => return Ok(Ended::AlreadyApplied),
                Standing::Stale(steps) => return Ok(Ended::Stale(steps)),
            },
        };
        self.resumed.set(resumed);
        if plan.blocked() {
            let blocking = plan.findings.iter().filter(|f| f.blocks());
            return Ok(Ended::Blocked(
                blocking.map(|f| format!("{} {:?}: {}", f.address, f.rule, f.message)).collect(),
            ));
        }
        if plan.steps.is_empty() {
            record::finish(&mut recorded, &plan);
            if Some(&recorded) != loaded.recorded.as_ref() || loaded.journalled {
                recorded.lineage.get_or_insert_with(|| world.new_id());
                self.place.save(&mut recorded).await.map_err(|e| e.to_string())?;
            }
            return Ok(Ended::NothingToDo);
        }
        self.steps(&plan, &mut recorded, resumed).await
    }

    async fn steps(&self, plan: &Plan, recorded: &mut Recorded, resumed: bool) -> Result<Ended, String> {
        let world = self.world;
        let ended = Cell::new(0);
        let emit = |event: Event| {
            if matches!(event, Event::Done { .. } | Event::Failed { .. }) {
                ended.set(ended.get() + 1);
            }
            self.events.borrow_mut().push(event);
        };
        let interrupted = || self.interrupt_after.is_some_and(|after| ended.get() >= after);
        let new_id: &dyn Fn() -> Uuid = &|| world.new_id();
        let run = Run {
            cloud: world,
            store: self.place,
            clock: world,
            pace: self.pace,
            settle: self.settle,
            interrupted: &interrupted,
            emit: &emit,
            new_id,
            resumed,
        };
        let report = run.steps(plan, recorded).await.map_err(|e| e.to_string())?;
        if !report.complete() {
            self.place.save(recorded).await.map_err(|e| e.to_string())?;
            return Ok(Ended::Incomplete(report));
        }
        let read = read_back(world, world, self.pace, self, recorded, plan, &emit).await;
        let ended = match read {
            Ok((settled, last)) => {
                record::finish(recorded, &last);
                match settled {
                    Settled::Converged => Ended::Converged(report),
                    Settled::NotYetSeen(left) => Ended::NotYetSeen(left),
                    Settled::Other(left) => Ended::Other(left),
                }
            }
            Err(error) => Ended::NotReadBack(error.to_string()),
        };
        self.place.save(recorded).await.map_err(|e| e.to_string())?;
        Ok(ended)
    }
}

impl Replan for Command<'_> {
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
