//! A bucket's default encryption.

use aws_sdk_s3::types::{
    BlockedEncryptionTypes, EncryptionType, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
};
use byob_apply::{CloudError, ErrorKind};
use byob_model::kind::{Algorithm, Attributes, Encryption, KeyRef, SseC};
use byob_model::live::LiveAspect;

use crate::bucket::At;

const READ: (&str, &str) = ("GetBucketEncryption", "s3:GetEncryptionConfiguration");
const PUT: (&str, &str) = ("PutBucketEncryption", "s3:PutEncryptionConfiguration");

pub(crate) async fn read(at: At<'_>) -> Result<LiveAspect, CloudError> {
    let request = at.s3().get_bucket_encryption().bucket(at.name).expected_bucket_owner(at.owner).send();
    let answer = at.ask(READ.0, READ.1, request).await?;
    let rules = answer.server_side_encryption_configuration().map(ServerSideEncryptionConfiguration::rules);
    let Some(rule) = rules.unwrap_or_default().first() else { return Ok(LiveAspect::Absent) };
    let encryption = from_aws(rule).map_err(|algorithm| {
        at.about(READ.0, READ.1)
            .error(ErrorKind::Unexpected, format!("this version does not know the algorithm `{algorithm}`"))
    })?;
    Ok(LiveAspect::Present(Attributes::Encryption(encryption)))
}

pub(crate) async fn put(at: At<'_>, wanted: &Encryption) -> Result<(), CloudError> {
    let about = at.about(PUT.0, PUT.1);
    let key = match &wanted.kms_key {
        None => None,
        Some(KeyRef::Arn(arn)) => Some(arn.clone()),
        Some(KeyRef::Managed { arn_of }) => {
            return Err(about.error(ErrorKind::Unexpected, format!("the ARN of {arn_of} is not known yet")));
        }
    };
    let default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::from(wanted.algorithm.as_str()))
        .set_kms_master_key_id(key)
        .build()
        .map_err(about.unbuildable())?;
    // Leaving the blocked types out does not change them; an empty list is refused; `NONE` unblocks.
    let blocked = wanted.sse_c.map(|sse_c| {
        let value = match sse_c {
            SseC::Blocked => EncryptionType::SseC,
            SseC::Allowed => EncryptionType::None,
        };
        BlockedEncryptionTypes::builder().encryption_type(value).build()
    });
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(default)
        .set_bucket_key_enabled((wanted.algorithm == Algorithm::Kms).then_some(wanted.bucket_key))
        .set_blocked_encryption_types(blocked)
        .build();
    let configuration =
        ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(about.unbuildable())?;
    let request = at
        .s3_once()
        .put_bucket_encryption()
        .bucket(at.name)
        .expected_bucket_owner(at.owner)
        .server_side_encryption_configuration(configuration)
        .send();
    at.cloud.ask(about, request).await.map(drop)
}

/// `Err` with the algorithm where it is none that the model knows.
pub(crate) fn from_aws(rule: &ServerSideEncryptionRule) -> Result<Encryption, String> {
    let default = rule.apply_server_side_encryption_by_default();
    // A rule without a default encrypts as S3 does by itself.
    let algorithm = match default.map(|default| default.sse_algorithm().as_str()) {
        None | Some("AES256") => Algorithm::Aes256,
        Some("aws:kms") => Algorithm::Kms,
        Some("aws:kms:dsse") => Algorithm::KmsDsse,
        Some(other) => return Err(other.to_owned()),
    };
    let key = default.and_then(|default| default.kms_master_key_id()).filter(|key| !key.is_empty());
    let sse_c = rule.blocked_encryption_types().map(|blocked| {
        if blocked.encryption_type().contains(&EncryptionType::SseC) { SseC::Blocked } else { SseC::Allowed }
    });
    Ok(Encryption {
        algorithm,
        kms_key: key.map(|key| KeyRef::Arn(key.to_owned())),
        bucket_key: rule.bucket_key_enabled().unwrap_or(false),
        sse_c,
    })
}
