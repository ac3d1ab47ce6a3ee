//! The checks of CORS, versioning, lifecycle, logging, and of the documents that only need to be well-formed.

use std::collections::BTreeSet;

use super::bucket::Bucket;
use super::locks;
use super::sub::{Document, Sub};
use crate::answer::{AwsError, Failure};
use crate::route::Request;
use crate::world::World;
use crate::xml::{Element, S3_NAMESPACE};

fn invalid_request(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "InvalidRequest", message)
}

fn invalid_argument(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "InvalidArgument", message)
}

fn read(root: &str, body: &[u8]) -> Result<Element, AwsError> {
    Element::parse(body).filter(|element| element.name == root).ok_or_else(AwsError::malformed_xml)
}

/// Well-formed, with the right root.
pub(super) fn check_plain(root: &str, body: &[u8]) -> Result<Document, AwsError> {
    Ok(read(root, body)?.to_document().into())
}

pub(super) fn check_cors(body: &[u8]) -> Result<Document, AwsError> {
    let root = read("CORSConfiguration", body)?;
    let rules: Vec<&Element> = root.all("CORSRule").collect();
    if rules.is_empty() || rules.len() != root.children.len() {
        return Err(AwsError::malformed_xml());
    }
    if rules.len() > 100 {
        return Err(invalid_request(
            "The number of CORS rules should not exceed allowed limit of 100 rules.",
        ));
    }
    for rule in rules {
        if rule.child("AllowedMethod").is_none() || rule.child("AllowedOrigin").is_none() {
            return Err(AwsError::malformed_xml());
        }
        for method in rule.all("AllowedMethod") {
            if !matches!(method.text.trim(), "GET" | "PUT" | "POST" | "DELETE" | "HEAD") {
                return Err(invalid_request(format!(
                    "Found unsupported HTTP method in CORS config. Unsupported method is {}",
                    method.text.trim()
                )));
            }
        }
        for origin in rule.all("AllowedOrigin") {
            if origin.text.matches('*').count() > 1 {
                return Err(invalid_request(format!(
                    "AllowedOrigin \"{}\" can not have more than one wildcard.",
                    origin.text.trim()
                )));
            }
        }
    }
    Ok(root.to_document().into())
}

pub(super) fn versioning(status: &str) -> Document {
    format!(
        "<VersioningConfiguration xmlns=\"{S3_NAMESPACE}\"><Status>{status}</Status></VersioningConfiguration>"
    )
    .into()
}

/// `Enabled`, `Suspended`, or never touched.
pub(super) fn versioning_status(bucket: &Bucket) -> Option<&'static str> {
    let body = &bucket.documents.get(&Sub::Versioning)?.body;
    Some(if body.contains("<Status>Enabled") { "Enabled" } else { "Suspended" })
}

pub(super) fn check_versioning(bucket: &Bucket, body: &[u8]) -> Result<Document, AwsError> {
    let root = read("VersioningConfiguration", body)?;
    match root.value("Status") {
        Some("Enabled") => Ok(versioning("Enabled")),
        Some("Suspended") if locks::is_enabled(bucket) => Err(AwsError::new(
            409,
            "InvalidBucketState",
            "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
        )),
        Some("Suspended") => Ok(versioning("Suspended")),
        _ => Err(AwsError::malformed_xml()),
    }
}

/// `None` turns logging off.
pub(super) fn check_logging(
    world: &mut World,
    bucket: &Bucket,
    body: &[u8],
) -> Result<Option<Document>, Failure> {
    let root = read("BucketLoggingStatus", body)?;
    let Some(enabled) = root.child("LoggingEnabled") else { return Ok(None) };
    let (Some(name), Some(_)) = (enabled.value("TargetBucket"), enabled.child("TargetPrefix")) else {
        return Err(AwsError::malformed_xml().into());
    };
    if enabled.child("TargetObjectKeyFormat").is_some_and(|format| format.children.len() != 1) {
        return Err(AwsError::malformed_xml().into());
    }
    let invalid = |message: &str| AwsError::new(400, "InvalidTargetBucketForLogging", message);
    let Some(target) = world.buckets.get(name)? else {
        return Err(invalid("The target bucket for logging does not exist").into());
    };
    if target.owner != bucket.owner {
        let message = "The owner for the bucket to be logged and the target bucket must be the same.";
        return Err(invalid(message).into());
    }
    if target.region != bucket.region {
        let message = "Cross S3 location logging not allowed.";
        return Err(AwsError::new(403, "CrossLocationLoggingProhibitted", message).into());
    }
    Ok(Some(root.to_document().into()))
}

pub(super) fn check_lifecycle(request: &Request, body: &[u8]) -> Result<Document, AwsError> {
    let mut root = read("LifecycleConfiguration", body)?;
    if root.children.is_empty() || root.children.iter().any(|child| child.name != "Rule") {
        return Err(AwsError::malformed_xml());
    }
    if root.children.len() > 1000 {
        return Err(AwsError::malformed_xml());
    }
    let mut ids = BTreeSet::new();
    for rule in &mut root.children {
        check_rule(rule)?;
        if rule.value("ID").is_none_or(str::is_empty) {
            rule.children.retain(|child| child.name != "ID");
            let id =
                Element { name: "ID".to_owned(), text: uuid::Uuid::new_v4().to_string(), children: vec![] };
            rule.children.insert(0, id);
        }
        if !ids.insert(rule.value("ID").unwrap_or_default().to_owned()) {
            return Err(invalid_argument("Rule ID must be unique. Found same ID for more than one rule"));
        }
    }
    let minimum =
        request.header("x-amz-transition-default-minimum-object-size").unwrap_or("all_storage_classes_128K");
    if !matches!(minimum, "all_storage_classes_128K" | "varies_by_storage_class") {
        return Err(invalid_argument("Invalid x-amz-transition-default-minimum-object-size"));
    }
    Ok(Document { body: root.to_document(), transition_minimum: Some(minimum.to_owned()) })
}

const ACTIONS: [&str; 5] = [
    "Expiration",
    "Transition",
    "NoncurrentVersionExpiration",
    "NoncurrentVersionTransition",
    "AbortIncompleteMultipartUpload",
];

fn check_rule(rule: &Element) -> Result<(), AwsError> {
    if !matches!(rule.value("Status"), Some("Enabled" | "Disabled")) {
        return Err(AwsError::malformed_xml());
    }
    if rule.value("ID").is_some_and(|id| id.chars().count() > 255) {
        return Err(invalid_argument("ID length should not exceed allowed limit of 255"));
    }
    let filter = rule.child("Filter");
    match (filter, rule.child("Prefix")) {
        (Some(filter), None) if filter.children.len() <= 1 => {}
        (None, Some(_)) => {}
        _ => return Err(AwsError::malformed_xml()),
    }
    let tagged = filter.is_some_and(|filter| {
        filter.child("Tag").is_some() || filter.child("And").is_some_and(|and| and.child("Tag").is_some())
    });
    if tagged && rule.child("AbortIncompleteMultipartUpload").is_some() {
        return Err(invalid_request("AbortIncompleteMultipartUpload cannot be specified with Tags."));
    }
    let actions: Vec<&Element> =
        rule.children.iter().filter(|child| ACTIONS.contains(&child.name.as_str())).collect();
    if actions.is_empty() {
        return Err(invalid_request("At least one action needs to be specified in a rule"));
    }
    for action in actions {
        for name in ["Days", "NoncurrentDays", "DaysAfterInitiation"] {
            let zero_is_fine = action.name.ends_with("Transition");
            let days = action.value(name).map(str::parse::<i64>);
            match days {
                None => {}
                Some(Ok(days)) if days > 0 || (zero_is_fine && days == 0) => {}
                Some(_) => {
                    return Err(invalid_argument(format!(
                        "'{name}' for {} action must be a positive integer",
                        action.name
                    )));
                }
            }
        }
    }
    Ok(())
}
