//! A bucket's policy.

use byob_apply::{CloudError, ErrorKind};
use byob_model::kind::{Attributes, Policy};
use byob_model::live::LiveAspect;
use byob_policy::Document;

use crate::bucket::At;
use crate::error::About;

const READ: (&str, &str) = ("GetBucketPolicy", "s3:GetBucketPolicy");

pub(crate) async fn read(at: At<'_>) -> Result<LiveAspect, CloudError> {
    let request = at.s3().get_bucket_policy().bucket(at.name).expected_bucket_owner(at.owner).send();
    let answer = at.ask(READ.0, READ.1, request).await?;
    match answer.policy() {
        None | Some("") => Ok(LiveAspect::Absent),
        Some(text) => Ok(LiveAspect::Present(Attributes::Policy(parse(at.about(READ.0, READ.1), text)?))),
    }
}

pub(crate) async fn put(at: At<'_>, wanted: &Policy) -> Result<(), CloudError> {
    let request = at
        .s3_once()
        .put_bucket_policy()
        .bucket(at.name)
        .expected_bucket_owner(at.owner)
        .policy(wanted.document.to_json())
        .send();
    at.ask("PutBucketPolicy", "s3:PutBucketPolicy", request).await.map(drop)
}

pub(crate) async fn remove(at: At<'_>) -> Result<(), CloudError> {
    let request = at.s3_once().delete_bucket_policy().bucket(at.name).expected_bucket_owner(at.owner).send();
    match at.ask("DeleteBucketPolicy", "s3:DeleteBucketPolicy", request).await {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
        answer => answer.map(drop),
    }
}

/// A policy that cannot be read cannot be compared either, and nobody could say who has access: an error, not a guess.
pub(crate) fn parse(about: About<'_>, text: &str) -> Result<Policy, CloudError> {
    Document::parse(text).map(|document| Policy { document }).map_err(|error| {
        let mut error = about.error(
            ErrorKind::Unexpected,
            format!("the policy of {} cannot be read: {error}", about.resource),
        );
        error.operation = String::new();
        error.help =
            vec!["look at it in the AWS console; byob reads policies strictly and does not guess".to_owned()];
        error
    })
}
