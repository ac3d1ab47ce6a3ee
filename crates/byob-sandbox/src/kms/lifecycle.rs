//! The states of a key. Source: KMS developer guide, "Key states of AWS KMS keys": pending deletion refuses most
//! writes, cancelling leaves a key disabled.

use jiff::ToSpan;
use serde_json::{Value, json};

use super::key::{Facet, Key, epoch};
use super::{Reach, empty, find, invalid, required, store};
use crate::answer::{Answer, AwsError, Outcome};
use crate::world::World;

fn invalid_state(key: &Key, message: &str) -> AwsError {
    AwsError::new(400, "KMSInvalidStateException", format!("{} {message}", key.core.arn))
}

/// What may not be done to a key on its way out.
pub(super) fn refuse_pending(key: &Key) -> Result<(), AwsError> {
    if key.is("PendingDeletion") { Err(invalid_state(key, "is pending deletion.")) } else { Ok(()) }
}

/// What may not be done to a key that is off.
pub(super) fn refuse_disabled(key: &Key) -> Result<(), AwsError> {
    if key.is("Disabled") {
        return Err(AwsError::new(400, "DisabledException", format!("{} is disabled.", key.core.arn)));
    }
    Ok(())
}

fn set_state(world: &mut World, region: &str, body: &Value, state: &str) -> Outcome {
    let key = find(world, region, required(body, "KeyId")?, Reach::OwnAccount)?;
    refuse_pending(&key)?;
    let mut changed = Key::clone(&key);
    state.clone_into(&mut changed.core.key_state);
    changed.core.enabled = state == "Enabled";
    store(world, &key, changed, Facet::Itself)?;
    Ok(empty())
}

pub(super) fn enable(world: &mut World, region: &str, body: &Value) -> Outcome {
    set_state(world, region, body, "Enabled")
}

pub(super) fn disable(world: &mut World, region: &str, body: &Value) -> Outcome {
    set_state(world, region, body, "Disabled")
}

pub(super) fn schedule(world: &mut World, region: &str, body: &Value) -> Outcome {
    let key = find(world, region, required(body, "KeyId")?, Reach::OwnAccount)?;
    let days = match body.get("PendingWindowInDays") {
        None | Some(Value::Null) => 30,
        Some(days) => days.as_i64().unwrap_or(0),
    };
    if !(7..=30).contains(&days) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{days}' at 'pendingWindowInDays' failed to satisfy constraint: \
             Member must have value between 7 and 30"
        ))
        .into());
    }
    refuse_pending(&key)?;
    let until = jiff::Timestamp::now() + (days * 24).hours();
    let mut changed = Key::clone(&key);
    "PendingDeletion".clone_into(&mut changed.core.key_state);
    changed.core.enabled = false;
    changed.core.deletion_date = Some(until.to_string());
    let answer = json!({
        "KeyId": key.core.arn, "DeletionDate": epoch(&until.to_string()),
        "KeyState": "PendingDeletion", "PendingWindowInDays": days,
    });
    store(world, &key, changed, Facet::Itself)?;
    Ok(Answer::json(&answer))
}

pub(super) fn cancel(world: &mut World, region: &str, body: &Value) -> Outcome {
    let key = find(world, region, required(body, "KeyId")?, Reach::OwnAccount)?;
    if !key.is("PendingDeletion") {
        return Err(invalid_state(&key, "is not pending deletion.").into());
    }
    let mut changed = Key::clone(&key);
    "Disabled".clone_into(&mut changed.core.key_state);
    changed.core.deletion_date = None;
    let answer = json!({ "KeyId": key.core.arn });
    store(world, &key, changed, Facet::Itself)?;
    Ok(Answer::json(&answer))
}
