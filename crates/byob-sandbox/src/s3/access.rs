//! Who may at all: public access block, object ownership, ACLs.

use super::bucket::Bucket;
use super::sub::{Document, Sub};
use crate::answer::AwsError;
use crate::route::Request;
use crate::xml::{Element, S3_NAMESPACE};

const BLOCKS: [&str; 4] =
    ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];

fn block(switches: [bool; 4]) -> Document {
    let inside: String =
        BLOCKS.iter().zip(switches).map(|(name, on)| format!("<{name}>{on}</{name}>")).collect();
    format!(
        "<PublicAccessBlockConfiguration xmlns=\"{S3_NAMESPACE}\">{inside}</PublicAccessBlockConfiguration>"
    )
    .into()
}

/// What a bucket has from the start.
pub(super) fn all_blocked() -> Document {
    block([true; 4])
}

/// A switch that is left out is off.
pub(super) fn check_block(body: &[u8]) -> Result<Document, AwsError> {
    let root = Element::parse(body)
        .filter(|root| root.name == "PublicAccessBlockConfiguration")
        .ok_or_else(AwsError::malformed_xml)?;
    let mut switches = [false; 4];
    for (name, switch) in BLOCKS.iter().zip(&mut switches) {
        *switch = match root.value(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(AwsError::malformed_xml()),
        };
    }
    Ok(block(switches))
}

/// Whether one of the four switches is on.
pub(super) fn blocks(bucket: &Bucket, switch: &str) -> bool {
    bucket
        .documents
        .get(&Sub::PublicAccessBlock)
        .and_then(|document| Element::parse(document.body.as_bytes()))
        .is_some_and(|root| root.value(switch) == Some("true"))
}

pub(super) fn ownership(value: &str) -> Document {
    format!(
        "<OwnershipControls xmlns=\"{S3_NAMESPACE}\"><Rule><ObjectOwnership>{value}</ObjectOwnership></Rule>\
         </OwnershipControls>"
    )
    .into()
}

/// One of the three settings.
pub(super) fn check_ownership(value: &str) -> Result<Document, AwsError> {
    match value {
        "BucketOwnerEnforced" | "BucketOwnerPreferred" | "ObjectWriter" => Ok(ownership(value)),
        _ => Err(AwsError::malformed_xml()),
    }
}

pub(super) fn check_controls(bucket: &Bucket, body: &[u8]) -> Result<Document, AwsError> {
    let root = Element::parse(body)
        .filter(|root| root.name == "OwnershipControls")
        .ok_or_else(AwsError::malformed_xml)?;
    let rules: Vec<&Element> = root.all("Rule").collect();
    let [rule] = rules.as_slice() else { return Err(AwsError::malformed_xml()) };
    let value = rule.value("ObjectOwnership").unwrap_or_default();
    let document = check_ownership(value)?;
    // Only an ACL that grants others is ever stored.
    if value == "BucketOwnerEnforced" && bucket.documents.contains_key(&Sub::Acl) {
        return Err(AwsError::new(
            400,
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        ));
    }
    Ok(document)
}

pub(super) fn enforced(bucket: &Bucket) -> bool {
    bucket
        .documents
        .get(&Sub::Ownership)
        .is_some_and(|document| document.body.contains("BucketOwnerEnforced"))
}

/// The ACL that every bucket has: full control for its owner.
pub(super) fn owner_only(bucket: &Bucket) -> String {
    acl(bucket, "")
}

fn acl(bucket: &Bucket, further: &str) -> String {
    let owner = bucket.owner_id();
    format!(
        "<AccessControlPolicy xmlns=\"{S3_NAMESPACE}\"><Owner><ID>{owner}</ID></Owner><AccessControlList>{}{further}\
         </AccessControlList></AccessControlPolicy>",
        grant("CanonicalUser", &format!("<ID>{owner}</ID>"), "FULL_CONTROL")
    )
}

fn grant(kind: &str, inside: &str, permission: &str) -> String {
    format!(
        "<Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"{kind}\">{inside}\
         </Grantee><Permission>{permission}</Permission></Grant>"
    )
}

/// `None` is the owner's full control alone.
pub(super) fn check_acl(bucket: &Bucket, request: &Request) -> Result<Option<Document>, AwsError> {
    if enforced(bucket) {
        return Err(AwsError::new(400, "AccessControlListNotSupported", "The bucket does not allow ACLs"));
    }
    let group = |name: &str, permission: &str| {
        grant("Group", &format!("<URI>http://acs.amazonaws.com/groups/{name}</URI>"), permission)
    };
    let (further, public) = match request.header("x-amz-acl") {
        Some("private") => return Ok(None),
        Some("public-read") => (group("global/AllUsers", "READ"), true),
        Some("public-read-write") => {
            (group("global/AllUsers", "READ") + &group("global/AllUsers", "WRITE"), true)
        }
        Some("authenticated-read") => (group("global/AuthenticatedUsers", "READ"), true),
        Some("log-delivery-write") => {
            (group("s3/LogDelivery", "WRITE") + &group("s3/LogDelivery", "READ_ACP"), false)
        }
        Some(_) => return Err(AwsError::new(400, "InvalidArgument", "Invalid canned ACL")),
        None => read_grants(bucket, &request.unframed())?,
    };
    if public && blocks(bucket, "BlockPublicAcls") {
        return Err(AwsError::access_denied());
    }
    Ok((!further.is_empty()).then(|| acl(bucket, &further).into()))
}

/// The grants to others than the owner, and whether one of them is public.
fn read_grants(bucket: &Bucket, body: &[u8]) -> Result<(String, bool), AwsError> {
    let root = Element::parse(body)
        .filter(|root| root.name == "AccessControlPolicy")
        .ok_or_else(AwsError::malformed_xml)?;
    let list = root.child("AccessControlList").ok_or_else(AwsError::malformed_xml)?;
    let (mut further, mut public) = (String::new(), false);
    for entry in list.all("Grant") {
        let grantee = entry.child("Grantee").ok_or_else(AwsError::malformed_xml)?;
        let permission = entry.value("Permission").ok_or_else(AwsError::malformed_xml)?;
        if let Some(uri) = grantee.value("URI") {
            public |= uri.contains("/global/");
            further.push_str(&grant("Group", &format!("<URI>{uri}</URI>"), permission));
        } else if let Some(id) = grantee.value("ID").filter(|id| *id != bucket.owner_id()) {
            further.push_str(&grant("CanonicalUser", &format!("<ID>{id}</ID>"), permission));
        }
    }
    Ok((further, public))
}
