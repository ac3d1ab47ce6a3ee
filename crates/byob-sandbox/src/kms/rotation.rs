//! Automatic rotation: off by default, 365 days where no period is given, 90 to 2560.

use jiff::ToSpan;
use serde_json::{Value, json};

use super::key::{Facet, Key, epoch};
use super::lifecycle::{refuse_disabled, refuse_pending};
use super::{Reach, empty, find, invalid, required, seen, store};
use crate::answer::{Answer, AwsError, Outcome};
use crate::world::World;

fn refuse_unfit(key: &Key) -> Result<(), AwsError> {
    refuse_pending(key)?;
    refuse_disabled(key)?;
    if key.core.key_spec != "SYMMETRIC_DEFAULT" {
        let message = format!("{} is not a symmetric encryption key", key.core.arn);
        return Err(AwsError::new(400, "UnsupportedOperationException", message));
    }
    Ok(())
}

pub(super) fn enable(world: &mut World, region: &str, body: &Value) -> Outcome {
    let key = find(world, region, required(body, "KeyId")?, Reach::OwnAccount)?;
    refuse_unfit(&key)?;
    let days = match body.get("RotationPeriodInDays") {
        None | Some(Value::Null) => 365,
        Some(days) => days.as_u64().and_then(|days| u32::try_from(days).ok()).unwrap_or(0),
    };
    if !(90..=2560).contains(&days) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{days}' at 'rotationPeriodInDays' failed to satisfy constraint: \
             Member must have value between 90 and 2560"
        ))
        .into());
    }
    let changed = Key { rotation_days: Some(days), ..Key::clone(&key) };
    store(world, &key, changed, Facet::Rotation)?;
    Ok(empty())
}

pub(super) fn disable(world: &mut World, region: &str, body: &Value) -> Outcome {
    let key = find(world, region, required(body, "KeyId")?, Reach::OwnAccount)?;
    refuse_unfit(&key)?;
    let changed = Key { rotation_days: None, ..Key::clone(&key) };
    store(world, &key, changed, Facet::Rotation)?;
    Ok(empty())
}

pub(super) fn status(world: &mut World, region: &str, body: &Value) -> Outcome {
    let key = find(world, region, required(body, "KeyId")?, Reach::AnyAccount)?;
    let pending = key.is("PendingDeletion");
    let key = seen(world, key, Facet::Rotation)?;
    // While a key is pending deletion its rotation is off; what was set comes back when that is cancelled.
    let Some(days) = key.rotation_days.filter(|_| !pending) else {
        return Ok(Answer::json(&json!({ "KeyId": key.core.arn, "KeyRotationEnabled": false })));
    };
    let next = jiff::Timestamp::now() + (i64::from(days) * 24).hours();
    Ok(Answer::json(&json!({
        "KeyId": key.core.arn, "KeyRotationEnabled": true, "RotationPeriodInDays": days,
        "NextRotationDate": epoch(&next.to_string()),
    })))
}
