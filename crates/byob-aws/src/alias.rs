//! Aliases of keys. AWS has no call that asks for one, so those of a region are listed, once.

use std::collections::BTreeMap;

use byob_apply::{CloudError, ErrorKind};

use crate::cloud::AwsCloud;
use crate::error::About;
use crate::key::KeyAt;

/// All aliases of a region that point at a key: name to the key's ARN.
pub(crate) async fn read(cloud: &AwsCloud, region: &str) -> Result<BTreeMap<String, String>, CloudError> {
    let about = About { operation: "ListAliases", iam_action: "kms:ListAliases", resource: "*" };
    let kms = cloud.kms(region);
    let mut aliases = BTreeMap::new();
    let mut marker = None;
    loop {
        let page = cloud.ask(about, kms.list_aliases().limit(100).set_marker(marker).send()).await?;
        for entry in page.aliases() {
            if let (Some(name), Some(arn), Some(key)) =
                (entry.alias_name(), entry.alias_arn(), entry.target_key_id())
                && let Some(key) = key_arn(arn, key)
            {
                aliases.insert(name.to_owned(), key);
            }
        }
        marker = page.next_marker().filter(|_| page.truncated()).map(str::to_owned);
        if marker.is_none() {
            return Ok(aliases);
        }
    }
}

pub(crate) async fn put(at: KeyAt<'_>, name: &str) -> Result<(), CloudError> {
    let request = at.kms_once().create_alias().alias_name(name).target_key_id(at.id).send();
    at.cloud
        .ask(About { operation: "CreateAlias", iam_action: "kms:CreateAlias", resource: name }, request)
        .await
        .map(drop)
}

/// Takes it away; one that is gone already is gone.
pub(crate) async fn remove(cloud: &AwsCloud, region: &str, name: &str) -> Result<(), CloudError> {
    let request = cloud.kms_once(region).delete_alias().alias_name(name).send();
    let about = About { operation: "DeleteAlias", iam_action: "kms:DeleteAlias", resource: name };
    match cloud.ask(about, request).await {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
        answer => answer.map(drop),
    }
}

/// An alias and its key share partition, region and account.
fn key_arn(alias_arn: &str, key_id: &str) -> Option<String> {
    if key_id.starts_with("arn:") {
        return Some(key_id.to_owned());
    }
    let (place, _) = alias_arn.split_once(":alias/")?;
    Some(format!("{place}:key/{key_id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_an_alias_is_in_the_same_account_and_region() {
        assert_eq!(
            key_arn("arn:aws-cn:kms:cn-north-1:123456789012:alias/x", "mrk-1").as_deref(),
            Some("arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-1")
        );
    }
}
