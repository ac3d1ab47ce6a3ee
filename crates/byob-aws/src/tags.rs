//! Tags of buckets and keys. A bucket's are put whole, so they are read, merged and put with everybody else's in them,
//! AWS's own included; a key's are set and removed one by one.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::types::{Tag, Tagging};
use byob_apply::{CloudError, ErrorKind};

use crate::bucket::At;
use crate::key::KeyAt;

/// All tags of a bucket; empty where there are none.
pub(crate) async fn read(at: At<'_>) -> Result<BTreeMap<String, String>, CloudError> {
    let request = at.s3().get_bucket_tagging().bucket(at.name).expected_bucket_owner(at.owner).send();
    match at.ask("GetBucketTagging", "s3:GetBucketTagging", request).await {
        Ok(answer) => {
            Ok(answer.tag_set().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect())
        }
        Err(error) if error.kind == ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

/// Sets and removes our tags of a bucket and leaves all others.
pub(crate) async fn put(
    at: At<'_>,
    set: &BTreeMap<String, String>,
    remove: &BTreeSet<String>,
) -> Result<(), CloudError> {
    let about = at.about("PutBucketTagging", "s3:PutBucketTagging");
    let mut tags = read(at).await?;
    tags.retain(|key, _| !remove.contains(key));
    tags.extend(set.iter().map(|(key, value)| (key.clone(), value.clone())));
    if tags.is_empty() {
        let request =
            at.s3_once().delete_bucket_tagging().bucket(at.name).expected_bucket_owner(at.owner).send();
        return at.ask("DeleteBucketTagging", "s3:PutBucketTagging", request).await.map(drop);
    }
    let tags = tags
        .into_iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect::<Result<Vec<_>, _>>()
        .map_err(about.unbuildable())?;
    let tagging = Tagging::builder().set_tag_set(Some(tags)).build().map_err(about.unbuildable())?;
    let request = at
        .s3_once()
        .put_bucket_tagging()
        .bucket(at.name)
        .expected_bucket_owner(at.owner)
        .tagging(tagging)
        .send();
    at.cloud.ask(about, request).await.map(drop)
}

/// All tags of a key.
pub(crate) async fn read_key(at: KeyAt<'_>) -> Result<BTreeMap<String, String>, CloudError> {
    let kms = at.kms();
    let mut tags = BTreeMap::new();
    let mut marker = None;
    loop {
        let request = kms.list_resource_tags().key_id(at.arn).set_marker(marker).send();
        let page = at.ask("ListResourceTags", "kms:ListResourceTags", request).await?;
        tags.extend(page.tags().iter().map(|tag| (tag.tag_key().to_owned(), tag.tag_value().to_owned())));
        marker = page.next_marker().filter(|_| page.truncated()).map(str::to_owned);
        if marker.is_none() {
            return Ok(tags);
        }
    }
}

/// Sets tags of a key.
pub(crate) async fn put_key(at: KeyAt<'_>, set: &BTreeMap<String, String>) -> Result<(), CloudError> {
    let about = at.about("TagResource", "kms:TagResource");
    let tags = to_aws_key(set).map_err(about.unbuildable())?;
    let request = at.kms_once().tag_resource().key_id(at.arn).set_tags(Some(tags)).send();
    at.cloud.ask(about, request).await.map(drop)
}

/// Removes tags of a key.
pub(crate) async fn remove_key(at: KeyAt<'_>, keys: &BTreeSet<String>) -> Result<(), CloudError> {
    let keys = keys.iter().cloned().collect();
    let request = at.kms_once().untag_resource().key_id(at.arn).set_tag_keys(Some(keys)).send();
    at.ask("UntagResource", "kms:UntagResource", request).await.map(drop)
}

/// Tags as KMS wants them.
pub(crate) fn to_aws_key(
    tags: &BTreeMap<String, String>,
) -> Result<Vec<aws_sdk_kms::types::Tag>, aws_smithy_types::error::operation::BuildError> {
    tags.iter()
        .map(|(key, value)| aws_sdk_kms::types::Tag::builder().tag_key(key).tag_value(value).build())
        .collect()
}
