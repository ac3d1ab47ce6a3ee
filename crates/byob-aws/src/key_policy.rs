//! A key's policy, which is always called `default`.

use byob_apply::CloudError;
use byob_model::kind::{Attributes, Policy};
use byob_model::live::LiveAspect;

use crate::key::KeyAt;
use crate::policy::parse;

const NAME: &str = "default";
const READ: (&str, &str) = ("GetKeyPolicy", "kms:GetKeyPolicy");

pub(crate) async fn read(at: KeyAt<'_>) -> Result<LiveAspect, CloudError> {
    let request = at.kms().get_key_policy().key_id(at.arn).policy_name(NAME).send();
    let answer = at.ask(READ.0, READ.1, request).await?;
    match answer.policy() {
        None | Some("") => Ok(LiveAspect::Absent),
        Some(text) => Ok(LiveAspect::Present(Attributes::Policy(parse(at.about(READ.0, READ.1), text)?))),
    }
}

/// The check that the caller is not locked out is never bypassed.
pub(crate) async fn put(at: KeyAt<'_>, wanted: &Policy) -> Result<(), CloudError> {
    let request = at
        .kms_once()
        .put_key_policy()
        .key_id(at.arn)
        .policy_name(NAME)
        .policy(wanted.document.to_json())
        .send();
    at.ask("PutKeyPolicy", "kms:PutKeyPolicy", request).await.map(drop)
}
