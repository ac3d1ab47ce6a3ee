//! Reading back: against what was wanted, repeated with a bound, because one successful read after a write proves
//! nothing on AWS. And settling: what differs from a value written a moment ago is read again before it is believed.

use std::collections::BTreeSet;
use std::time::Duration;

use byob_model::address::Address;
use byob_model::live::{Live, Wanted};
use byob_model::recorded::Recorded;
use byob_plan::event::Event;
use byob_plan::plan::Plan;

use crate::cloud::{Clock, Cloud, CloudError};
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
        let live = cloud.read(&replan.wanted(recorded)).await?;
        let plan = replan.plan(recorded, &live);
        let mut left: BTreeSet<Address> = plan.steps.iter().map(|s| s.address.clone()).collect();
        left.extend(plan.findings.iter().filter(|f| f.blocks()).map(|f| f.address.clone()));
        round += 1;
        if left.is_empty() {
            return Ok((Settled::Converged, plan));
        }
        let wait = pace.wait(round);
        if clock.elapsed().saturating_sub(began) + wait > pace.read_back {
            let stale = |address: &Address| as_before(applied, &plan, address);
            let settled =
                if left.iter().all(stale) { Settled::NotYetSeen(left) } else { Settled::Other(left) };
            return Ok((settled, plan));
        }
        emit(Event::ReadingBack { round, waiting: left.len() });
        clock.sleep(wait).await;
    }
}

/// Whether an address still differs exactly as it did before the apply.
fn as_before(applied: &Plan, now: &Plan, address: &Address) -> bool {
    let changes = |plan: &Plan| {
        let steps = plan.steps.iter().filter(|s| s.address == *address);
        steps.flat_map(|s| s.changes.iter().map(|c| (c.path.clone(), c.before.clone()))).collect::<Vec<_>>()
    };
    let before = changes(applied);
    !before.is_empty() && changes(now) == before
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
    const RECENT: i64 = 300;
    let recent = |now: i64| recorded.written_at.is_some_and(|at| (now - at).abs() < RECENT);
    let began = clock.elapsed();
    let mut tries = 0;
    loop {
        let live = cloud.read(wanted).await?;
        tries += 1;
        let wait = pace.wait(tries);
        let spent = clock.elapsed().saturating_sub(began);
        if !recent(clock.now()) || spent + wait > settle || !unsettled(&live) {
            return Ok(live);
        }
        clock.sleep(wait).await;
    }
}
