//! Object lock: the bucket's configuration, and the check that holds back the deletion of a locked version.

use super::bucket::Bucket;
use super::spelling;
use super::sub::{Document, Sub};
use crate::answer::AwsError;
use crate::route::Request;
use crate::xml::{Element, S3_NAMESPACE, escape};
use jiff::ToSpan;
use winterbaume_s3::views::BucketStateView;

/// Object lock on, without a default retention.
pub(super) fn enabled() -> Document {
    format!(
        "<ObjectLockConfiguration xmlns=\"{S3_NAMESPACE}\"><ObjectLockEnabled>Enabled</ObjectLockEnabled>\
         </ObjectLockConfiguration>"
    )
    .into()
}

pub(super) fn is_enabled(bucket: &Bucket) -> bool {
    bucket.documents.contains_key(&Sub::ObjectLock)
}

pub(super) fn check(bucket: &Bucket, body: &[u8]) -> Result<Document, AwsError> {
    let root = Element::parse(body)
        .filter(|root| root.name == "ObjectLockConfiguration")
        .ok_or_else(AwsError::malformed_xml)?;
    if root.value("ObjectLockEnabled") != Some("Enabled") {
        return Err(AwsError::malformed_xml());
    }
    if let Some(rule) = root.child("Rule") {
        let default = rule.child("DefaultRetention").ok_or_else(AwsError::malformed_xml)?;
        let mode = matches!(default.value("Mode"), Some("GOVERNANCE" | "COMPLIANCE"));
        let period = match (default.value("Days"), default.value("Years")) {
            (Some(number), None) | (None, Some(number)) => number.parse::<i64>().ok(),
            _ => None,
        };
        match period {
            Some(period) if mode && period > 0 => {}
            Some(_) if mode => {
                let message = "Default retention period must be a positive integer value.";
                return Err(AwsError::new(400, "InvalidArgument", message));
            }
            _ => return Err(AwsError::malformed_xml()),
        }
    }
    if super::documents::versioning_status(bucket) != Some("Enabled") {
        return Err(AwsError::new(
            409,
            "InvalidBucketState",
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
        ));
    }
    Ok(root.to_document().into())
}

/// The default retention of a bucket, from now: mode, and until when (RFC 3339 in UTC).
pub(super) fn default_retention(bucket: &Bucket) -> Option<(String, String)> {
    let root = Element::parse(bucket.documents.get(&Sub::ObjectLock)?.body.as_bytes())?;
    let default = root.child("Rule")?.child("DefaultRetention")?;
    let number = |name: &str| default.value(name).and_then(|n| n.parse::<i64>().ok());
    let days = number("Days").or_else(|| number("Years").map(|years| years * 365))?;
    let until = jiff::Timestamp::now() + (days * 24).hours();
    Some((default.value("Mode")?.to_owned(), until.to_string()))
}

/// Whether a version is held: by legal hold, or by retention that the request does not bypass.
fn is_held(view: &BucketStateView, request: &Request, key: &str, version: &str) -> bool {
    let key = &spelling::theirs(key);
    let current = view.objects.get(key).filter(|object| object.version_id == version);
    let found = view.object_history.get(key).and_then(|all| all.iter().find(|one| one.version_id == version));
    let bypasses =
        request.header("x-amz-bypass-governance-retention").is_some_and(|v| v.eq_ignore_ascii_case("true"));
    [current, found].into_iter().flatten().any(|object| {
        let until = object.retain_until_date.as_deref().and_then(|date| date.parse::<jiff::Timestamp>().ok());
        let retained = until.is_some_and(|until| until > jiff::Timestamp::now());
        let governance = object.retention_mode.as_deref() == Some("GOVERNANCE");
        object.legal_hold_status.as_deref() == Some("ON") || (retained && !(governance && bypasses))
    })
}

const HELD: &str = "Access Denied because object protected by object lock.";

/// Refuses the deletion of a held version.
pub(super) fn check_delete(
    view: &BucketStateView,
    request: &Request,
    key: &str,
    version: &str,
) -> Result<(), AwsError> {
    if is_held(view, request, key, version) { Err(AwsError::new(403, "AccessDenied", HELD)) } else { Ok(()) }
}

/// Takes the held versions out of a `DeleteObjects` body: the rest, and the `Error` elements for those taken out.
pub(super) fn hold_back(view: &BucketStateView, request: &Request) -> Result<(String, String), AwsError> {
    let mut root = Element::parse(&request.unframed())
        .filter(|root| root.name == "Delete")
        .ok_or_else(AwsError::malformed_xml)?;
    let count = root.all("Object").count();
    if count == 0 || count > 1000 {
        return Err(AwsError::malformed_xml());
    }
    let mut errors = String::new();
    root.children.retain(|child| {
        let key = child.child("Key").map(|key| key.text.as_str());
        let (Some(key), Some(version)) = (key, child.value("VersionId")) else { return true };
        let held = is_held(view, request, key, version);
        if held {
            errors.push_str(&format!(
                "<Error><Key>{}</Key><VersionId>{version}</VersionId><Code>AccessDenied</Code>\
                 <Message>{HELD}</Message></Error>",
                escape(key)
            ));
        }
        !held
    });
    Ok((root.to_document(), errors))
}
