//! Cryptography and everything else about keys that this crate does not know: a fresh emulator is given the one key
//! that the call is about, and answers.

use std::collections::HashMap;

use serde_json::Value;
use winterbaume_core::{MockService, StatefulService, default_account_id};
use winterbaume_kms::KmsService;
use winterbaume_kms::views::KmsStateView;

use super::key::{Key, emulator_request};
use super::lifecycle::{refuse_disabled, refuse_pending};
use super::{Reach, find_seen, not_found, text};
use crate::answer::{Answer, AwsError, Failure, Outcome};
use crate::error::SandboxError;
use crate::world::World;

/// An emulator that knows this key and nothing else.
pub(super) async fn emulator(region: &str, key: &Key) -> Result<KmsService, SandboxError> {
    let service = KmsService::new();
    let id = key.core.key_id.clone();
    let mut core = key.core.clone();
    core.key_rotation_enabled = key.rotation_days.is_some();
    let view = KmsStateView {
        keys: HashMap::from([(id.clone(), core)]),
        grants: key.grants.clone(),
        key_policies: HashMap::from([(id, key.policy.clone())]),
        ..KmsStateView::default()
    };
    service
        .restore(default_account_id(), region, view)
        .await
        .map_err(|error| SandboxError::Emulator(error.to_string()))?;
    Ok(service)
}

pub(super) async fn perform(world: &mut World, region: &str, operation: &str, body: &Value) -> Outcome {
    let reference = match text(body, "KeyId") {
        Some(reference) => Some(reference.to_owned()),
        None => text(body, "CiphertextBlob").and_then(key_of_ciphertext),
    };
    let Some(reference) = reference else {
        // GenerateRandom and the like need no key.
        let response = KmsService::new().handle(emulator_request(operation, region, body)).await;
        return Ok(Answer::from_emulator(response));
    };
    let key = match find_seen(world, region, &reference, Reach::AnyAccount, false) {
        Err(Failure::Aws(_)) if text(body, "KeyId").is_none() => {
            return Err(AwsError::new(400, "InvalidCiphertextException", "").into());
        }
        found => found?,
    };
    refuse_pending(&key)?;
    refuse_disabled(&key)?;
    let mut body = body.clone();
    if body.get("KeyId").is_some() {
        body["KeyId"] = Value::String(key.core.key_id.clone());
    }
    let service = emulator(region, &key).await?;
    let response = service.handle(emulator_request(operation, region, &body)).await;
    Ok(Answer::from_emulator(response))
}

/// The emulator's ciphertext begins with the id of its key.
fn key_of_ciphertext(base64: &str) -> Option<String> {
    let bytes = aws_smithy_types::base64::decode(base64).ok()?;
    let id = std::str::from_utf8(bytes.get(..36)?).ok()?;
    Some(id.trim_end_matches('\0').to_owned())
}

/// The key of an object's encryption, if it may be used: the codes are those that S3 hands on from KMS.
pub(crate) fn check_use(world: &mut World, region: &str, reference: &str) -> Result<(), Failure> {
    let key =
        find_seen(world, region, reference, Reach::AnyAccount, false).map_err(|failure| match failure {
            Failure::Aws(_) => {
                let AwsError { message, .. } = not_found(reference);
                Failure::Aws(AwsError::new(400, "KMS.NotFoundException", message))
            }
            Failure::Sandbox(error) => Failure::Sandbox(error),
        })?;
    if refuse_pending(&key).is_err() {
        let message = format!("{} is pending deletion.", key.core.arn);
        return Err(AwsError::new(400, "KMS.KMSInvalidStateException", message).into());
    }
    if refuse_disabled(&key).is_err() {
        return Err(
            AwsError::new(400, "KMS.DisabledException", format!("{} is disabled.", key.core.arn)).into()
        );
    }
    Ok(())
}

/// The ARN and the policy of the key of an object's encryption.
pub(crate) fn policy_of(
    world: &mut World,
    region: &str,
    reference: &str,
) -> Result<(String, String), Failure> {
    let key = find_seen(world, region, reference, Reach::AnyAccount, false)?;
    Ok((key.core.arn.clone(), key.policy.clone()))
}
