//! A bucket's object lock.

use aws_sdk_s3::types::{
    DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetentionMode, ObjectLockRule,
};
use byob_apply::CloudError;
use byob_model::kind::{Attributes, ObjectLock, RetentionMode};
use byob_model::live::LiveAspect;

use crate::bucket::At;

pub(crate) async fn read(at: At<'_>) -> Result<LiveAspect, CloudError> {
    let request =
        at.s3().get_object_lock_configuration().bucket(at.name).expected_bucket_owner(at.owner).send();
    let answer = at.ask("GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration", request).await?;
    Ok(match answer.object_lock_configuration().and_then(from_aws) {
        None => LiveAspect::Absent,
        Some(lock) => LiveAspect::Present(Attributes::ObjectLock(lock)),
    })
}

/// `ObjectLockEnabled` is always sent: without it AWS refuses the document.
pub(crate) async fn put(at: At<'_>, wanted: &ObjectLock) -> Result<(), CloudError> {
    let rule = wanted.mode.map(|mode| {
        let mode = match mode {
            RetentionMode::Governance => ObjectLockRetentionMode::Governance,
            RetentionMode::Compliance => ObjectLockRetentionMode::Compliance,
        };
        let number = |value: Option<u32>| value.map(|value| i32::try_from(value).unwrap_or(i32::MAX));
        let retention = DefaultRetention::builder()
            .mode(mode)
            .set_days(number(wanted.days))
            .set_years(number(wanted.years))
            .build();
        ObjectLockRule::builder().default_retention(retention).build()
    });
    let configuration = ObjectLockConfiguration::builder()
        .object_lock_enabled(ObjectLockEnabled::Enabled)
        .set_rule(rule)
        .build();
    let request = at
        .s3_once()
        .put_object_lock_configuration()
        .bucket(at.name)
        .expected_bucket_owner(at.owner)
        .object_lock_configuration(configuration)
        .send();
    at.ask("PutObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration", request).await.map(drop)
}

/// `None` where object lock is not on.
pub(crate) fn from_aws(configuration: &ObjectLockConfiguration) -> Option<ObjectLock> {
    if configuration.object_lock_enabled()? != &ObjectLockEnabled::Enabled {
        return None;
    }
    let retention = configuration.rule().and_then(ObjectLockRule::default_retention);
    let number =
        |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok()).filter(|&value| value > 0);
    Some(ObjectLock {
        mode: retention.and_then(DefaultRetention::mode).map(|mode| match mode.as_str() {
            "GOVERNANCE" => RetentionMode::Governance,
            _ => RetentionMode::Compliance,
        }),
        days: number(retention.and_then(DefaultRetention::days)),
        years: number(retention.and_then(DefaultRetention::years)),
    })
}
