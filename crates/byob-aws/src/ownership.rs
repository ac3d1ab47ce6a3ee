//! A bucket's object ownership.

use aws_sdk_s3::types::{ObjectOwnership, OwnershipControls, OwnershipControlsRule};
use byob_apply::CloudError;
use byob_model::kind::{Attributes, Ownership};
use byob_model::live::LiveAspect;

use crate::bucket::At;

pub(crate) async fn read(at: At<'_>) -> Result<LiveAspect, CloudError> {
    let request =
        at.s3().get_bucket_ownership_controls().bucket(at.name).expected_bucket_owner(at.owner).send();
    let answer = at.ask("GetBucketOwnershipControls", "s3:GetBucketOwnershipControls", request).await?;
    let rules = answer.ownership_controls().map(OwnershipControls::rules).unwrap_or_default();
    Ok(match rules.first() {
        None => LiveAspect::Absent,
        Some(rule) => LiveAspect::Present(Attributes::Ownership(Ownership {
            object_ownership: rule.object_ownership().as_str().to_owned(),
        })),
    })
}

pub(crate) async fn put(at: At<'_>, wanted: &Ownership) -> Result<(), CloudError> {
    let about = at.about("PutBucketOwnershipControls", "s3:PutBucketOwnershipControls");
    let rule = OwnershipControlsRule::builder()
        .object_ownership(ObjectOwnership::from(wanted.object_ownership.as_str()))
        .build()
        .map_err(about.unbuildable())?;
    let controls = OwnershipControls::builder().rules(rule).build().map_err(about.unbuildable())?;
    let request = at
        .s3_once()
        .put_bucket_ownership_controls()
        .bucket(at.name)
        .expected_bucket_owner(at.owner)
        .ownership_controls(controls)
        .send();
    at.cloud.ask(about, request).await.map(drop)
}
