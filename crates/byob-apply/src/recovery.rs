//! After a crash: a `CreateKey` intent whose key is not listed yet is waited out before a second key is made.

use std::time::Duration;

use byob_model::live::Wanted;
use byob_model::recorded::{Intent, Recorded};

use crate::cloud::{Clock, Cloud, CloudError};
use crate::pace::Pace;

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
    loop {
        if open.is_empty() {
            return Ok(());
        }
        let wanted = Wanted {
            key_intents: open.iter().map(|i| (i.region.clone(), i.id)).collect(),
            ..Wanted::default()
        };
        let live = cloud.read(&wanted).await?;
        let now = cloud.cloud_time().unwrap_or_else(|| clock.now());
        let seconds = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
        open.retain(|i| !live.key_intents.contains_key(&i.id) && now.saturating_sub(i.at) < seconds);
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
