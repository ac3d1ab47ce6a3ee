//! The KMS key itself: what it is and in which state, making it, switching it on, ordering its end.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;

use aws_sdk_kms::types::{KeyManagerType, KeyMetadata, KeySpec, KeyUsageType};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use byob_apply::{CloudError, ErrorKind};
use byob_model::kind::{KeyState, Policy};
use byob_model::live::KeyFacts;

use crate::cloud::AwsCloud;
use crate::error::{About, without_request};
use crate::tags;

/// A key to ask about, in its own region.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyAt<'a> {
    pub(crate) cloud: &'a AwsCloud,
    /// Full ARN.
    pub(crate) arn: &'a str,
    /// The last part of it.
    pub(crate) id: &'a str,
    pub(crate) region: &'a str,
}

impl<'a> KeyAt<'a> {
    /// The key of `arn:aws:kms:eu-west-1:123456789012:key/…`.
    pub(crate) fn new(cloud: &'a AwsCloud, arn: &'a str) -> Result<Self, CloudError> {
        let mut parts = arn.split(':');
        let (service, region, resource) = (parts.nth(2), parts.next(), parts.nth(1));
        match (service, region, resource.and_then(|resource| resource.strip_prefix("key/"))) {
            (Some("kms"), Some(region), Some(id)) if !region.is_empty() && !id.is_empty() => {
                Ok(Self { cloud, arn, id, region })
            }
            _ => {
                Err(without_request(ErrorKind::Invalid, format!("`{arn}` is not the ARN of a KMS key"), &[]))
            }
        }
    }

    /// The client to read with.
    pub(crate) fn kms(self) -> aws_sdk_kms::Client {
        self.cloud.kms(self.region)
    }

    /// The client to write with.
    pub(crate) fn kms_once(self) -> aws_sdk_kms::Client {
        self.cloud.kms_once(self.region)
    }

    pub(crate) fn about(self, operation: &'static str, iam_action: &'static str) -> About<'a> {
        About { operation, iam_action, resource: self.arn }
    }

    /// Makes a request about this key.
    pub(crate) async fn ask<T, E>(
        self,
        operation: &'static str,
        iam_action: &'static str,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, CloudError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        self.cloud.ask(self.about(operation, iam_action), request).await
    }
}

/// What it is; aspects, tags and aliases are left for others to fill in.
pub(crate) async fn read(at: KeyAt<'_>) -> Result<KeyFacts, CloudError> {
    let request = at.kms().describe_key().key_id(at.arn).send();
    let answer = at.ask("DescribeKey", "kms:DescribeKey", request).await?;
    let metadata = answer.key_metadata().ok_or_else(|| {
        at.about("DescribeKey", "kms:DescribeKey").error(ErrorKind::Unexpected, "the answer describes no key")
    })?;
    Ok(from_aws(at.arn, metadata))
}

/// The ARNs of all keys of a region.
pub(crate) async fn list(cloud: &AwsCloud, region: &str) -> Result<Vec<String>, CloudError> {
    let about = About { operation: "ListKeys", iam_action: "kms:ListKeys", resource: "*" };
    let kms = cloud.kms(region);
    let mut arns = Vec::new();
    let mut marker = None;
    loop {
        let page = cloud.ask(about, kms.list_keys().limit(1000).set_marker(marker).send()).await?;
        arns.extend(page.keys().iter().filter_map(|key| key.key_arn()).map(str::to_owned));
        marker = page.next_marker().filter(|_| page.truncated()).map(str::to_owned);
        if marker.is_none() {
            return Ok(arns);
        }
    }
}

/// Makes a key, with description, policy and tags in the one call: it cannot be made twice by a retry, and what proves
/// it ours is on it from its first moment.
pub(crate) async fn create(
    cloud: &AwsCloud,
    region: &str,
    description: &str,
    policy: &Policy,
    wanted_tags: &BTreeMap<String, String>,
) -> Result<String, CloudError> {
    let about = About { operation: "CreateKey", iam_action: "kms:CreateKey", resource: "" };
    let tags = tags::to_aws_key(wanted_tags).map_err(about.unbuildable())?;
    let request = cloud
        .kms_once(region)
        .create_key()
        .key_usage(KeyUsageType::EncryptDecrypt)
        .description(description)
        .set_policy((!policy.document.is_empty()).then(|| policy.document.to_json()))
        .set_tags((!tags.is_empty()).then_some(tags))
        .send();
    let answer = cloud.ask(about, request).await?;
    answer
        .key_metadata()
        .and_then(KeyMetadata::arn)
        .map(str::to_owned)
        // The key exists: found again by its intent, as after a lost answer.
        .ok_or_else(|| about.error(ErrorKind::Network, "the answer names no key"))
}

pub(crate) async fn put_description(at: KeyAt<'_>, description: &str) -> Result<(), CloudError> {
    let request = at.kms_once().update_key_description().key_id(at.arn).description(description).send();
    at.ask("UpdateKeyDescription", "kms:UpdateKeyDescription", request).await.map(drop)
}

// The next three take the bare id, which AWS takes as well in the key's own account and region: moto answers 500 for an
// ARN there.

pub(crate) async fn enable(at: KeyAt<'_>) -> Result<(), CloudError> {
    let request = at.kms_once().enable_key().key_id(at.id).send();
    at.ask("EnableKey", "kms:EnableKey", request).await.map(drop)
}

pub(crate) async fn cancel_deletion(at: KeyAt<'_>) -> Result<(), CloudError> {
    let request = at.kms_once().cancel_key_deletion().key_id(at.id).send();
    at.ask("CancelKeyDeletion", "kms:CancelKeyDeletion", request).await.map(drop)
}

/// Orders the deletion. Ordered already, by a call whose answer was lost, is done.
pub(crate) async fn remove(at: KeyAt<'_>, window_days: u32) -> Result<(), CloudError> {
    let days = i32::try_from(window_days).unwrap_or(i32::MAX);
    let request = at.kms_once().schedule_key_deletion().key_id(at.id).pending_window_in_days(days).send();
    match at.ask("ScheduleKeyDeletion", "kms:ScheduleKeyDeletion", request).await {
        Err(error) if error.kind == ErrorKind::InvalidState => match read(at).await?.state {
            KeyState::PendingDeletion => Ok(()),
            _ => Err(error),
        },
        answer => answer.map(drop),
    }
}

fn from_aws(asked: &str, metadata: &KeyMetadata) -> KeyFacts {
    let state = match metadata.key_state() {
        Some(state) => KeyState::from(state.as_str()),
        None if metadata.enabled() => KeyState::Enabled,
        None => KeyState::Disabled,
    };
    let is = |value: Option<&str>, wanted: &str| value.is_none_or(|value| value == wanted);
    #[allow(deprecated, reason = "older stores answer with the old name alone")]
    let spec = metadata.key_spec().map(KeySpec::as_str).or_else(|| {
        metadata.customer_master_key_spec().map(aws_sdk_kms::types::CustomerMasterKeySpec::as_str)
    });
    KeyFacts {
        arn: metadata.arn().unwrap_or(asked).to_owned(),
        state,
        description: metadata.description().unwrap_or_default().to_owned(),
        usable: is(metadata.key_manager().map(KeyManagerType::as_str), "CUSTOMER")
            && is(spec, "SYMMETRIC_DEFAULT")
            && is(metadata.key_usage().map(KeyUsageType::as_str), "ENCRYPT_DECRYPT"),
        aspects: BTreeMap::new(),
        tags: BTreeMap::new(),
        aliases: std::collections::BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_customers_symmetric_encryption_key_is_usable() {
        let built = || {
            KeyMetadata::builder()
                .key_id("k")
                .key_manager(KeyManagerType::Customer)
                .key_spec(KeySpec::SymmetricDefault)
                .key_usage(KeyUsageType::EncryptDecrypt)
        };
        assert!(from_aws("a", &built().build().unwrap()).usable);
        for other in [
            built().key_manager(KeyManagerType::Aws),
            built().key_spec(KeySpec::Rsa2048),
            built().key_usage(KeyUsageType::SignVerify),
        ] {
            assert!(!from_aws("a", &other.build().unwrap()).usable);
        }
    }
}
