//! A bucket's server access logging.

use aws_sdk_s3::types::{
    BucketLoggingStatus, LoggingEnabled, PartitionDateSource, PartitionedPrefix, SimplePrefix,
    TargetObjectKeyFormat,
};
use byob_apply::CloudError;
use byob_model::kind::{Attributes, KeyFormat, Logging};
use byob_model::live::LiveAspect;

use crate::bucket::At;

pub(crate) async fn read(at: At<'_>) -> Result<LiveAspect, CloudError> {
    let request = at.s3().get_bucket_logging().bucket(at.name).expected_bucket_owner(at.owner).send();
    let answer = at.ask("GetBucketLogging", "s3:GetBucketLogging", request).await?;
    Ok(match answer.logging_enabled() {
        None => LiveAspect::Absent,
        Some(logging) => LiveAspect::Present(Attributes::Logging(from_aws(logging))),
    })
}

/// Off is the empty document: there is no delete call.
pub(crate) async fn put(at: At<'_>, wanted: &Logging) -> Result<(), CloudError> {
    let about = at.about("PutBucketLogging", "s3:PutBucketLogging");
    let enabled = match &wanted.target_bucket {
        None => None,
        Some(target) => Some(
            LoggingEnabled::builder()
                .target_bucket(target)
                .target_prefix(&wanted.target_prefix)
                .set_target_object_key_format(wanted.key_format.map(format_to_aws))
                .build()
                .map_err(about.unbuildable())?,
        ),
    };
    let request = at
        .s3_once()
        .put_bucket_logging()
        .bucket(at.name)
        .expected_bucket_owner(at.owner)
        .bucket_logging_status(BucketLoggingStatus::builder().set_logging_enabled(enabled).build())
        .send();
    at.cloud.ask(about, request).await.map(drop)
}

pub(crate) fn from_aws(logging: &LoggingEnabled) -> Logging {
    Logging {
        target_bucket: Some(logging.target_bucket().to_owned()),
        target_prefix: logging.target_prefix().to_owned(),
        key_format: logging.target_object_key_format().and_then(format_from_aws),
    }
}

fn format_from_aws(format: &TargetObjectKeyFormat) -> Option<KeyFormat> {
    if let Some(partitioned) = format.partitioned_prefix() {
        return Some(match partitioned.partition_date_source() {
            Some(PartitionDateSource::DeliveryTime) => KeyFormat::PartitionedByDeliveryTime,
            _ => KeyFormat::PartitionedByEventTime,
        });
    }
    format.simple_prefix().map(|_| KeyFormat::Simple)
}

fn format_to_aws(format: KeyFormat) -> TargetObjectKeyFormat {
    let partitioned = |source| {
        let prefix = PartitionedPrefix::builder().partition_date_source(source).build();
        TargetObjectKeyFormat::builder().partitioned_prefix(prefix).build()
    };
    match format {
        KeyFormat::Simple => {
            TargetObjectKeyFormat::builder().simple_prefix(SimplePrefix::builder().build()).build()
        }
        KeyFormat::PartitionedByEventTime => partitioned(PartitionDateSource::EventTime),
        KeyFormat::PartitionedByDeliveryTime => partitioned(PartitionDateSource::DeliveryTime),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_format_survives_the_way_to_aws_and_back() {
        for format in
            [KeyFormat::Simple, KeyFormat::PartitionedByEventTime, KeyFormat::PartitionedByDeliveryTime]
        {
            assert_eq!(format_from_aws(&format_to_aws(format)), Some(format));
        }
        assert_eq!(format_from_aws(&TargetObjectKeyFormat::builder().build()), None);
    }
}
