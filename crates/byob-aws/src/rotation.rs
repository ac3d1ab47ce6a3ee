//! A key's automatic rotation.

use byob_apply::CloudError;
use byob_model::kind::{Attributes, Rotation};
use byob_model::live::LiveAspect;

use crate::key::KeyAt;

pub(crate) async fn read(at: KeyAt<'_>) -> Result<LiveAspect, CloudError> {
    let request = at.kms().get_key_rotation_status().key_id(at.arn).send();
    let answer = at.ask("GetKeyRotationStatus", "kms:GetKeyRotationStatus", request).await?;
    let enabled = answer.key_rotation_enabled();
    let period = answer.rotation_period_in_days().and_then(|days| u32::try_from(days).ok());
    Ok(LiveAspect::Present(Attributes::Rotation(Rotation {
        enabled,
        period_days: period.filter(|&days| enabled && days > 0),
    })))
}

pub(crate) async fn put(at: KeyAt<'_>, wanted: &Rotation) -> Result<(), CloudError> {
    let days = wanted.period_days.map(|days| i32::try_from(days).unwrap_or(i32::MAX));
    let request = at.kms_once().enable_key_rotation().key_id(at.arn).set_rotation_period_in_days(days).send();
    at.ask("EnableKeyRotation", "kms:EnableKeyRotation", request).await.map(drop)
}

pub(crate) async fn remove(at: KeyAt<'_>) -> Result<(), CloudError> {
    let request = at.kms_once().disable_key_rotation().key_id(at.arn).send();
    at.ask("DisableKeyRotation", "kms:DisableKeyRotation", request).await.map(drop)
}
