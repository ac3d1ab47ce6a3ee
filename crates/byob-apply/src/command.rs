//! One apply under the lock, from the reading of the record to its last saving: the order of it, which decides what a crash
//! or an interrupt finds, for everybody who runs one (the binary, the simulation). What is said on the way stands behind
//! [`Talk`]; what it came to is a value.

use std::pin::pin;
use std::time::Duration;

use byob_model::live::Live;
use byob_model::recorded::{Intent, Recorded};
use byob_plan::approval::{Standing, standing};
use byob_plan::event::Event;
use byob_plan::plan::Plan;
use byob_plan::recovery::with_keys_seen;
use byob_state::{Guard, Loaded, Store, StoreError};
use futures_util::future::{Either, select};
use uuid::Uuid;

use crate::cloud::{Clock, Cloud, now};
use crate::error::ApplyError;
use crate::pace::Pace;
use crate::readback::{Replan, Settled, read_back};
use crate::record;
use crate::recovery::{drop_unmade, wait_for_keys};
use crate::run::{Report, Run, goes_on};

/// Who agreed to what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// This digest, approved elsewhere, or shown and confirmed before the lock was taken.
    Digest(String),
    /// Whatever the plan is.
    Auto,
}

/// A plan, what was read for it, and the record it was made against as it was read.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What was read.
    pub live: &'a Live,
    /// The record.
    pub loaded: &'a Loaded,
}

/// What an apply needs of whoever runs it: the plan, checks of its own, and somebody to talk to.
#[allow(async_fn_in_trait, reason = "one runtime, one thread: no Send bounds are wanted")]
pub trait Talk: Replan {
    /// Why it was not gone on with.
    type Refusal: From<ApplyError>;

    /// The record was read, under the lock; it may be refused.
    ///
    /// # Errors
    /// The refusal.
    fn loaded(&self, loaded: &Loaded) -> Result<(), Self::Refusal>;

    /// An interrupted run may have made a key, which is waited for.
    fn waiting_for_key(&self, intent: &Intent);

    /// Reads AWS, with patience for what was written a moment ago, and plans.
    ///
    /// # Errors
    /// AWS could not be read, or not all that is needed.
    async fn make(&self, recorded: &Recorded) -> Result<(Plan, Live), Self::Refusal>;

    /// The plan is shown: it is agreed to already (`consented`), or it is not the approved one, or it is blocked.
    fn show(&self, made: Made<'_>, consented: bool);

    /// The approval was looked at, and this plan will be gone on with.
    fn agreed(&self, resumed: bool);

    /// The checks before the first write.
    ///
    /// # Errors
    /// The refusal: nothing is written.
    async fn before_first_write(&self, plan: &Plan, live: &Live) -> Result<(), Self::Refusal>;

    /// The steps begin.
    fn begin(&self, plan: &Plan);

    /// Something happened.
    fn event(&self, event: Event);

    /// No more events come.
    fn end(&self);

    /// Whether somebody asked to stop: running calls are finished, nothing new is started.
    fn interrupted(&self) -> bool;

    /// Ends when somebody asks to stop, at once if that was before.
    async fn interrupt(&self);
}

/// Everything one apply runs on.
pub struct Command<'a, C, S: Store, K, T> {
    /// AWS.
    pub cloud: &'a C,
    /// The record's place.
    pub store: &'a S,
    /// Its lock, which is kept held while the command runs; giving it back is the caller's.
    pub guard: &'a S::Guard,
    /// Time.
    pub clock: &'a K,
    /// Whoever runs it.
    pub talk: &'a T,
    /// Who agreed.
    pub consent: &'a Consent,
    /// Waits.
    pub pace: Pace,
    /// How long a live value that may just have been written is read again before it is believed.
    pub settle: Duration,
    /// How long a key that an interrupted run may have made is waited for.
    pub recovery_wait: Duration,
    /// Makes UUIDs.
    pub new_id: &'a dyn Fn() -> Uuid,
}

/// How an apply ended.
#[derive(Debug)]
pub enum Ended {
    /// Somebody asked to stop before anything was written.
    Interrupted,
    /// The approval was the last applied, and nothing is left to do.
    AlreadyApplied,
    /// The plan is another one than was approved; the steps that were not approved. Nothing was written.
    Stale(Box<Plan>, Vec<String>),
    /// A finding blocks the plan. Nothing was written.
    Blocked(Box<Plan>),
    /// This bucket would be emptied, which needs more than [`Consent::Auto`]. Nothing was written.
    Emptied(Box<Plan>, String),
    /// No step; the record is up to date.
    NothingToDo(Box<Plan>),
    /// The steps ran.
    Ran(Box<Ran>),
}

/// What came of the steps.
#[derive(Debug)]
pub struct Ran {
    /// What was run.
    pub plan: Plan,
    /// What was done and what was not.
    pub report: Report,
    /// What reading back came to; `None` where steps are left or somebody asked to stop.
    pub settled: Option<Settled>,
    /// The record as it is now, saved unless `unsaved` says otherwise.
    pub recorded: Recorded,
    /// The record could not be saved at the end.
    pub unsaved: Option<StoreError>,
}

impl Ran {
    /// Whether all was done and nothing reads as something else.
    #[must_use]
    pub fn good(&self) -> bool {
        self.report.complete() && matches!(self.settled, Some(Settled::Converged | Settled::NotYetSeen(_)))
    }
}

impl<C: Cloud, S: Store, K: Clock, T: Talk> Command<'_, C, S, K, T> {
    /// Runs it, under the lock.
    ///
    /// # Errors
    /// Before the steps: AWS or the record could not be read, or somebody refused; after them: AWS could not be read back
    /// (the record is saved), or the record could not be saved then.
    pub async fn run(&self) -> Result<Ended, T::Refusal> {
        match select(pin!(self.under_lock()), pin!(self.guard.keep())).await {
            Either::Left((ended, _)) => ended,
            // The lock is lost. What runs is finished, no write is begun, and the store saves nothing.
            Either::Right((_, rest)) => rest.await,
        }
    }

    async fn under_lock(&self) -> Result<Ended, T::Refusal> {
        let refused = |error: ApplyError| T::Refusal::from(error);
        let loaded = self.store.load().await.map_err(|error| refused(error.into()))?;
        self.talk.loaded(&loaded)?;
        let mut recorded = loaded.recorded.clone().unwrap_or_default();
        let mut waiting = |intent: &Intent| self.talk.waiting_for_key(intent);
        let wait = self.recovery_wait;
        let keys = wait_for_keys(self.cloud, self.clock, self.pace, &recorded, wait, &mut waiting);
        match self.unless_interrupted(keys).await {
            Some(waited) => waited.map_err(|error| refused(error.into()))?,
            None => return Ok(Ended::Interrupted),
        }
        let Some(made) = self.unless_interrupted(self.talk.make(&recorded)).await else {
            return Ok(Ended::Interrupted);
        };
        let (plan, live) = made?;
        recorded = with_keys_seen(&recorded, &live);
        drop_unmade(&mut recorded, &live, now(self.cloud, self.clock), wait);
        let made = Made { plan: &plan, live: &live, loaded: &loaded };

        let resumed = match self.consent {
            Consent::Auto => {
                self.talk.show(made, true);
                // The same steps as an unfinished approval's are that approval, going on.
                goes_on(&plan, &recorded)
            }
            Consent::Digest(digest) => {
                let resumed = match standing(&plan, digest, recorded.approval.as_ref()) {
                    Standing::Approved => false,
                    Standing::Resumed => true,
                    Standing::AlreadyApplied => return Ok(Ended::AlreadyApplied),
                    Standing::Stale(steps) => {
                        self.talk.show(made, false);
                        return Ok(Ended::Stale(Box::new(plan), steps));
                    }
                };
                self.talk.agreed(resumed);
                resumed
            }
        };
        if plan.blocked() {
            if *self.consent != Consent::Auto {
                self.talk.show(made, false);
            }
            return Ok(Ended::Blocked(Box::new(plan)));
        }
        let emptied = plan.emptied().next().map(str::to_owned);
        if let (Consent::Auto, Some(name)) = (self.consent, emptied) {
            return Ok(Ended::Emptied(Box::new(plan), name));
        }
        if plan.steps.is_empty() {
            self.nothing_to_do(&plan, &loaded, recorded).await.map_err(|error| refused(error.into()))?;
            return Ok(Ended::NothingToDo(Box::new(plan)));
        }
        self.talk.before_first_write(&plan, &live).await?;
        self.steps(plan, recorded, resumed).await.map_err(refused)
    }

    /// An apply without steps still brings the record up to date, and makes the first one.
    async fn nothing_to_do(
        &self,
        plan: &Plan,
        loaded: &Loaded,
        mut recorded: Recorded,
    ) -> Result<(), StoreError> {
        // Where there was only drift to be accepted, nothing is known of what another run left open.
        if !plan.mode.refresh_only {
            record::finish(&mut recorded, plan);
        }
        record::close(&mut recorded, plan, false);
        if loaded.recorded.as_ref() != Some(&recorded) || loaded.journalled {
            recorded.lineage.get_or_insert_with(self.new_id);
            self.store.save(&mut recorded).await?;
        }
        Ok(())
    }

    async fn steps(&self, plan: Plan, mut recorded: Recorded, resumed: bool) -> Result<Ended, ApplyError> {
        self.talk.begin(&plan);
        let emit = |event: Event| self.talk.event(event);
        let interrupted = || self.talk.interrupted();
        let run = Run {
            cloud: self.cloud,
            store: self.store,
            clock: self.clock,
            pace: self.pace,
            settle: self.settle,
            interrupted: &interrupted,
            emit: &emit,
            new_id: self.new_id,
            resumed,
        };
        let ran = run.steps(&plan, &mut recorded).await;
        let report = ran.inspect_err(|_| self.talk.end())?;
        let mut settled = None;
        if report.complete() {
            let read = read_back(self.cloud, self.clock, self.pace, self.talk, &recorded, &plan, &emit);
            match self.unless_interrupted(read).await {
                Some(Ok(read)) => settled = Some(read),
                // The steps are done and journalled; what was not read back is said by the caller, or the next plan.
                Some(Err(error)) => {
                    self.talk.end();
                    self.store.save(&mut recorded).await?;
                    return Err(error.into());
                }
                None => {}
            }
        }
        self.talk.end();
        if let Some((settled, last)) = &settled {
            record::finish(&mut recorded, last);
            // What reads as something else is gone on with under the same approval.
            if !matches!(settled, Settled::Other(_)) {
                record::close(&mut recorded, &plan, !resumed);
            }
        }
        let unsaved = self.store.save(&mut recorded).await.err();
        let settled = settled.map(|(settled, _)| settled);
        Ok(Ended::Ran(Box::new(Ran { plan, report, settled, recorded, unsaved })))
    }

    /// Waits for something that writes nothing and can be given up; `None`: somebody asked to stop.
    async fn unless_interrupted<R>(&self, wait: impl Future<Output = R>) -> Option<R> {
        if self.talk.interrupted() {
            return None;
        }
        match select(pin!(wait), pin!(self.talk.interrupt())).await {
            Either::Left((value, _)) => Some(value),
            Either::Right(_) => None,
        }
    }
}
