//! Reading back: against what was wanted, repeated with a bound, because one successful read after a write proves
//! nothing on AWS. And settling: what differs from a value written a moment ago is read again before it is believed.

use std::collections::BTreeSet;
use std::time::Duration;

use byob_model::address::Address;
use byob_model::live::{Live, Wanted};
use byob_model::recorded::Recorded;
use byob_plan::event::Event;
use byob_plan::finding::Rule;
use byob_plan::plan::{Action, Plan};

use crate::cloud::{Clock, Cloud, CloudError, ErrorKind, now};
use crate::pace::Pace;

/// Makes the plan again: what the executor needs of the command that runs it.
pub trait Replan {
    /// What to read.
    fn wanted(&self, recorded: &Recorded) -> Wanted;
    /// The plan for what was read.
    fn plan(&self, recorded: &Recorded, live: &Live) -> Plan;
}

/// What reading back came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// Everything reads as wanted.
    Converged,
    /// These still read as they were before the apply: not seen yet.
    NotYetSeen(BTreeSet<Address>),
    /// These read as something else.
    Other(BTreeSet<Address>),
}

/// Reads, and reads again where AWS asks for patience (throttling, 5xx) longer than the SDK had any: a reading of hundreds
/// of aspects must not fail for one of them.
///
/// # Errors
/// AWS could not be read.
pub(crate) async fn read<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    pace: Pace,
    wanted: &Wanted,
) -> Result<Live, CloudError> {
    read_on(cloud, clock, pace, wanted, &[ErrorKind::Throttled, ErrorKind::Internal]).await
}

/// Reads in the middle of a run, which a lost connection must not end either. (Before it, one that cannot be had is said
/// at once.)
///
/// # Errors
/// AWS could not be read.
pub(crate) async fn read_in_run<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    pace: Pace,
    wanted: &Wanted,
) -> Result<Live, CloudError> {
    let passing = [ErrorKind::Throttled, ErrorKind::Internal, ErrorKind::Network, ErrorKind::Conflict];
    read_on(cloud, clock, pace, wanted, &passing).await
}

async fn read_on<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    pace: Pace,
    wanted: &Wanted,
    passing: &[ErrorKind],
) -> Result<Live, CloudError> {
    let began = clock.elapsed();
    let mut tries = 0;
    loop {
        let error = match cloud.read(wanted).await {
            Ok(live) => return Ok(live),
            Err(error) => error,
        };
        tries += 1;
        let wait = pace.wait(tries);
        let spent = clock.elapsed().saturating_sub(began);
        if !passing.contains(&error.kind) || spent + wait > pace.call {
            return Err(error);
        }
        clock.sleep(wait).await;
    }
}

/// Reads everything back after `applied` ran. Returns the last plan, whose `record` brings the record up to date.
///
/// # Errors
/// AWS could not be read.
pub async fn read_back<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    pace: Pace,
    replan: &dyn Replan,
    recorded: &Recorded,
    applied: &Plan,
    emit: &dyn Fn(Event),
) -> Result<(Settled, Plan), CloudError> {
    let began = clock.elapsed();
    let mut round = 0;
    loop {
        let live = read_in_run(cloud, clock, pace, &replan.wanted(recorded)).await?;
        let plan = replan.plan(recorded, &live);
        let mut left: BTreeSet<Address> = plan.steps.iter().map(|s| s.address.clone()).collect();
        left.extend(plan.findings.iter().filter(|f| f.blocks()).map(|f| f.address.clone()));
        round += 1;
        if left.is_empty() {
            return Ok((Settled::Converged, plan));
        }
        let wait = pace.wait(round);
        if clock.elapsed().saturating_sub(began) + wait > pace.read_back {
            let other: BTreeSet<Address> =
                left.iter().filter(|address| !as_before(applied, &plan, address)).cloned().collect();
            let settled = if other.is_empty() { Settled::NotYetSeen(left) } else { Settled::Other(other) };
            return Ok((settled, plan));
        }
        emit(Event::ReadingBack { round, waiting: left.len() });
        clock.sleep(wait).await;
    }
}

/// Whether an address still differs exactly as it did before the apply, or what the apply made still reads as absent.
fn as_before(applied: &Plan, now: &Plan, address: &Address) -> bool {
    let made = applied.steps.iter().any(|s| s.address == *address && s.action == Action::Create);
    let absent = now.findings.iter().any(|f| f.address == *address && f.rule == Rule::Vanished);
    if made && absent {
        return true;
    }
    let changes = |plan: &Plan| {
        let steps = plan.steps.iter().filter(|s| s.address == *address);
        steps.flat_map(|s| s.changes.iter().map(|c| (c.path.clone(), c.before.clone()))).collect::<Vec<_>>()
    };
    let (before, left) = (changes(applied), changes(now));
    // Of an address with several writes some may be seen already.
    !left.is_empty() && left.iter().all(|change| before.contains(change))
}

/// How long after a write AWS may still answer with what was before it.
const RECENT: u64 = 300;

/// Whether something may have been written so recently that reads need not agree with it yet. `now` is UTC seconds.
pub(crate) fn recent(recorded: &Recorded, now: i64) -> bool {
    recorded.written_at.is_some_and(|at| now.abs_diff(at) < RECENT)
}

/// Reads for a plan. Where something was written within the last five minutes and live state does not agree with it,
/// reads again until it does, for at most `settle`.
///
/// # Errors
/// AWS could not be read.
pub async fn settle<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    pace: Pace,
    wanted: &Wanted,
    recorded: &Recorded,
    settle: Duration,
    unsettled: &dyn Fn(&Live) -> bool,
) -> Result<Live, CloudError> {
    let began = clock.elapsed();
    let mut tries = 0;
    loop {
        let live = read(cloud, clock, pace, wanted).await?;
        tries += 1;
        let wait = pace.wait(tries);
        let spent = clock.elapsed().saturating_sub(began);
        if !recent(recorded, now(cloud, clock)) || spent + wait > settle || !unsettled(&live) {
            return Ok(live);
        }
        clock.sleep(wait).await;
    }
}
