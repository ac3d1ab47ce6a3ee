//! A bucket's public access block.

use aws_sdk_s3::types::PublicAccessBlockConfiguration;
use byob_apply::CloudError;
use byob_model::kind::{Attributes, PublicAccessBlock};
use byob_model::live::LiveAspect;

use crate::bucket::At;

pub(crate) async fn read(at: At<'_>) -> Result<LiveAspect, CloudError> {
    let request = at.s3().get_public_access_block().bucket(at.name).expected_bucket_owner(at.owner).send();
    let answer = at.ask("GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", request).await?;
    Ok(match answer.public_access_block_configuration() {
        None => LiveAspect::Absent,
        Some(block) => LiveAspect::Present(Attributes::PublicAccessBlock(from_aws(block))),
    })
}

pub(crate) async fn put(at: At<'_>, wanted: &PublicAccessBlock) -> Result<(), CloudError> {
    let block = PublicAccessBlockConfiguration::builder()
        .block_public_acls(wanted.block_public_acls)
        .ignore_public_acls(wanted.ignore_public_acls)
        .block_public_policy(wanted.block_public_policy)
        .restrict_public_buckets(wanted.restrict_public_buckets)
        .build();
    let request = at
        .s3_once()
        .put_public_access_block()
        .bucket(at.name)
        .expected_bucket_owner(at.owner)
        .public_access_block_configuration(block)
        .send();
    at.ask("PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock", request).await.map(drop)
}

/// A setting that is not in the answer is off.
pub(crate) fn from_aws(block: &PublicAccessBlockConfiguration) -> PublicAccessBlock {
    PublicAccessBlock {
        block_public_acls: block.block_public_acls().unwrap_or(false),
        ignore_public_acls: block.ignore_public_acls().unwrap_or(false),
        block_public_policy: block.block_public_policy().unwrap_or(false),
        restrict_public_buckets: block.restrict_public_buckets().unwrap_or(false),
    }
}
