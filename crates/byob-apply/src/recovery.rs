//! After a crash: a `CreateKey` intent whose key is not listed yet is waited out before a second key is made; and intents
//! that nothing came of are dropped.

use std::time::Duration;

use byob_model::live::{Live, Wanted};
use byob_model::recorded::{Intent, Recorded};

use crate::cloud::{Clock, Cloud, CloudError, now};
use crate::pace::Pace;
use crate::readback::read;

/// Waits until every open key intent has found its key or is old enough (by AWS's clock) that it never will. Calls
/// `waiting` once for each intent that is waited for.
///
/// # Errors
/// AWS could not be read.
pub async fn wait_for_keys<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    pace: Pace,
    recorded: &Recorded,
    limit: Duration,
    waiting: &mut dyn FnMut(&Intent),
) -> Result<(), CloudError> {
    let mut open: Vec<Intent> = recorded.intents.iter().filter(|i| i.name.is_none()).cloned().collect();
    let mut said = false;
    let mut tries = 0;
    let began = clock.elapsed();
    loop {
        if open.is_empty() {
            return Ok(());
        }
        let wanted = Wanted {
            key_intents: open.iter().map(|i| (i.region.clone(), i.id)).collect(),
            ..Wanted::default()
        };
        let live = read(cloud, clock, pace, &wanted).await?;
        let now = now(cloud, clock);
        let seconds = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
        open.retain(|i| !live.key_intents.contains_key(&i.id) && now.saturating_sub(i.at) < seconds);
        // A clock that was put back must not make anybody wait for longer than that.
        if clock.elapsed().saturating_sub(began) >= limit {
            return Ok(());
        }
        if open.is_empty() {
            return Ok(());
        }
        if !said {
            open.iter().for_each(&mut *waiting);
            said = true;
        }
        tries += 1;
        clock.sleep(pace.wait(tries)).await;
    }
}

/// Drops the intents that nothing came of: keys that were waited for in vain, and buckets that are absent so long after
/// the call (by AWS's clock) that it was never made, or the bucket is gone again. `limit` is how long AWS may need.
pub fn drop_unmade(recorded: &mut Recorded, live: &Live, now: i64, limit: Duration) {
    let seconds = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
    recorded.intents.retain(|intent| {
        let early = intent.name.is_some() && now.saturating_sub(intent.at) < seconds;
        early || byob_plan::recovery::exists(intent, live)
    });
}
