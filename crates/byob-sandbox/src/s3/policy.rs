//! Bucket policies: what S3 refuses before it stores one. Messages are S3's own.

use byob_policy::{BUCKET_POLICY_LIMIT, Document as Policy, Statement};

use super::access;
use super::bucket::Bucket;
use super::sub::Document;
use crate::answer::{AwsError, Failure};
use crate::faults::matches_pattern;
use crate::policy::{is_public, principals_exist, stored};
use crate::route::partition;
use crate::world::World;

fn malformed(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "MalformedPolicy", message)
}

pub(super) async fn check(world: &mut World, bucket: &Bucket, body: &[u8]) -> Result<Document, Failure> {
    let text = std::str::from_utf8(body).map_err(|_| malformed("Policies must be valid UTF-8"))?;
    if text.len() > BUCKET_POLICY_LIMIT {
        return Err(malformed("Policy exceeds the maximum allowed document size.").into());
    }
    if !text.trim_start().starts_with('{') {
        return Err(malformed("Policies must be valid JSON and the first byte must be '{'").into());
    }
    let policy = Policy::parse(text).map_err(|error| malformed(format!("Invalid policy syntax: {error}")))?;
    if policy.statements.is_empty() {
        return Err(malformed("Could not parse the policy: Statement is empty!").into());
    }
    let mut sids: Vec<&str> =
        policy.statements.iter().filter_map(|s| s.sid.as_deref()).filter(|sid| !sid.is_empty()).collect();
    sids.sort_unstable();
    if sids.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(malformed("Statement IDs (SID) in a single policy must be unique.").into());
    }
    for statement in &policy.statements {
        check_statement(bucket, statement)?;
    }
    crate::iam::refresh(world).await?;
    if !principals_exist(world, &policy, &bucket.region)? {
        return Err(malformed("Invalid principal in policy").into());
    }
    if is_public(text) && access::blocks(bucket, "BlockPublicPolicy") {
        let message = format!(
            "User: {} is not authorized to perform: s3:PutBucketPolicy on resource: \"arn:{}:s3:::{}\" because \
             public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.",
            world.caller_arn(&bucket.region),
            partition(&bucket.region),
            bucket.name
        );
        return Err(AwsError::new(403, "AccessDenied", message).into());
    }
    Ok(stored(text, &bucket.region).into())
}

fn check_statement(bucket: &Bucket, statement: &Statement) -> Result<(), AwsError> {
    if statement.principal.is_none() {
        return Err(malformed("Missing required field Principal"));
    }
    let resources =
        statement.resource.as_ref().ok_or_else(|| malformed("Missing required field Resource"))?.resources();
    let arn = format!("arn:{}:s3:::{}", partition(&bucket.region), bucket.name);
    let objects = format!("{arn}/");
    let belongs = |resource: &String| *resource == arn || resource.starts_with(&objects);
    if !resources.iter().all(belongs) {
        return Err(malformed("Policy has invalid resource"));
    }
    let on_bucket = resources.contains(&arn);
    let on_objects = resources.iter().any(|resource| resource.starts_with(&objects));
    for action in statement.action.actions() {
        let lower = action.to_lowercase();
        let Some(name) = (if lower == "*" { Some("*") } else { lower.strip_prefix("s3:") }) else {
            return Err(malformed("Policy has invalid action"));
        };
        if name.is_empty() {
            return Err(malformed("Policy has invalid action"));
        }
        let applies = name.contains(['*', '?']) || if is_for_objects(name) { on_objects } else { on_bucket };
        if !applies {
            return Err(malformed("Action does not apply to any resource(s) in statement"));
        }
    }
    for key in statement.condition.values().flat_map(|keys| keys.keys()) {
        let known =
            ["aws:", "s3:", "saml:", "kms:"].iter().any(|prefix| key.to_lowercase().starts_with(prefix));
        if !known {
            return Err(malformed("Policy has an invalid condition key"));
        }
    }
    Ok(())
}

/// Whether an action, in lower case and without `s3:`, is about objects. From the service authorization reference:
/// object actions speak of objects, parts, uploads of one object, or restoring; the exceptions are on the bucket.
fn is_for_objects(name: &str) -> bool {
    const BUCKET: [&str; 3] = ["*bucketobjectlockconfiguration", "listbucket*", "*bucket*"];
    const OBJECT: [&str; 6] = [
        "*object*",
        "abortmultipartupload",
        "listmultipartuploadparts",
        "bypassgovernanceretention",
        "initiatereplication",
        "replicate*",
    ];
    !BUCKET.iter().any(|pattern| matches_pattern(pattern, name))
        && OBJECT.iter().any(|pattern| matches_pattern(pattern, name))
}
