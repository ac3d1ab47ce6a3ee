//! Bucket tags: limits, unique keys, and the system tags (`aws:…`) that no caller may add, change or leave out.

use std::collections::BTreeSet;

use super::bucket::Bucket;
use super::sub::{Document, Sub};
use crate::answer::AwsError;
use crate::error::SandboxError;
use crate::world::World;
use crate::xml::{Element, S3_NAMESPACE, escape};

type Tag = (String, String);

fn invalid(message: &str) -> AwsError {
    AwsError::new(400, "InvalidTag", message)
}

fn read(root: &Element) -> Option<Vec<Tag>> {
    root.child("TagSet")?
        .children
        .iter()
        .map(|tag| {
            let key = tag.child("Key")?.text.clone();
            Some((key, tag.child("Value").map(|value| value.text.clone()).unwrap_or_default()))
        })
        .collect()
}

/// The tags of a bucket as it is.
fn of(bucket: &Bucket) -> Vec<Tag> {
    bucket
        .documents
        .get(&Sub::Tagging)
        .and_then(|document| Element::parse(document.body.as_bytes()))
        .and_then(|root| read(&root))
        .unwrap_or_default()
}

fn document(tags: &[Tag]) -> Option<Document> {
    if tags.is_empty() {
        return None;
    }
    let inside: String = tags
        .iter()
        .map(|(key, value)| format!("<Tag><Key>{}</Key><Value>{}</Value></Tag>", escape(key), escape(value)))
        .collect();
    Some(format!("<Tagging xmlns=\"{S3_NAMESPACE}\"><TagSet>{inside}</TagSet></Tagging>").into())
}

fn is_system(key: &str) -> bool {
    key.to_ascii_lowercase().starts_with("aws:")
}

pub(super) fn check_put(bucket: &Bucket, body: &[u8]) -> Result<Option<Document>, AwsError> {
    refuse_under_abac(bucket)?;
    let root =
        Element::parse(body).filter(|root| root.name == "Tagging").ok_or_else(AwsError::malformed_xml)?;
    check(Some(bucket), &root)
}

/// Checks a set against the one that is there; an empty set is none.
pub(super) fn check(bucket: Option<&Bucket>, root: &Element) -> Result<Option<Document>, AwsError> {
    let tags = read(root).ok_or_else(AwsError::malformed_xml)?;
    let mut keys = BTreeSet::new();
    for (key, value) in &tags {
        if !keys.insert(key) {
            return Err(invalid("Cannot provide multiple Tags with the same key"));
        }
        if key.is_empty() || key.chars().count() > 128 || !is_plain(key) {
            return Err(invalid("The TagKey you have provided is invalid"));
        }
        if value.chars().count() > 256 || !is_plain(value) {
            return Err(invalid("The TagValue you have provided is invalid"));
        }
    }
    let system =
        |tags: &[Tag]| -> BTreeSet<Tag> { tags.iter().filter(|(key, _)| is_system(key)).cloned().collect() };
    let (now, wanted) = (bucket.map(|bucket| system(&of(bucket))).unwrap_or_default(), system(&tags));
    if !wanted.is_subset(&now) {
        return Err(invalid("System tags cannot be added/updated by requester"));
    }
    if !now.is_subset(&wanted) {
        return Err(invalid("System tags cannot be removed by requester"));
    }
    if tags.len() - wanted.len() > 50 {
        return Err(AwsError::new(400, "BadRequest", "Bucket tag count cannot be greater than 50"));
    }
    Ok(document(&tags))
}

/// Letters, digits and spaces of any script, and `+ - = . _ : / @`.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c))
}

/// What a delete leaves.
pub(super) fn system_only(bucket: &Bucket) -> Option<Document> {
    let mut tags = of(bucket);
    tags.retain(|(key, _)| is_system(key));
    document(&tags)
}

/// With attribute-based access control on, tags go through S3 Control.
pub(super) fn refuse_under_abac(bucket: &Bucket) -> Result<(), AwsError> {
    let on = bucket.documents.get(&Sub::Abac).is_some_and(|document| document.body.contains("Enabled"));
    if on {
        return Err(AwsError::new(
            400,
            "InvalidRequest",
            "Attribute-based access control is enabled on this bucket: use TagResource and UntagResource",
        ));
    }
    Ok(())
}

/// Adds a tag as AWS itself does.
pub(crate) fn add_tag(world: &mut World, bucket: &str, key: &str, value: &str) -> Result<(), SandboxError> {
    let Some(record) = world.buckets.get(bucket)? else { return Ok(()) };
    let mut record = Bucket::clone(&record);
    let mut tags = of(&record);
    tags.retain(|(known, _)| known != key);
    tags.push((key.to_owned(), value.to_owned()));
    record.documents.extend(document(&tags).map(|document| (Sub::Tagging, document)));
    world.buckets.put(bucket, record)
}
