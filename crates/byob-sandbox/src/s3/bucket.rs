//! Buckets themselves: create, look, list, delete. Names are global across regions and accounts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sub::{Document, Sub};
use super::{Target, check_reach, encryption, no_such_bucket, objects, tags};
use crate::answer::{Answer, AwsError, Outcome};
use crate::faults::Stale;
use crate::store;
use crate::world::World;
use crate::xml::{Element, S3_NAMESPACE, escape};

/// A bucket with its documents.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Bucket {
    pub(crate) name: String,
    pub(crate) region: String,
    /// The owner's account id.
    pub(crate) owner: String,
    /// When, RFC 3339 in UTC.
    pub(crate) created: String,
    pub(crate) documents: BTreeMap<Sub, Document>,
}

impl Bucket {
    /// A bucket as AWS makes one since April 2026: SSE-S3 with SSE-C blocked, all public access blocked, ACLs off.
    pub(crate) fn fresh(name: &str, region: &str, owner: &str) -> Self {
        let documents = BTreeMap::from([
            (Sub::Encryption, encryption::fresh()),
            (Sub::PublicAccessBlock, super::access::all_blocked()),
            (Sub::Ownership, super::access::ownership("BucketOwnerEnforced")),
        ]);
        Self {
            name: name.to_owned(),
            region: region.to_owned(),
            owner: owner.to_owned(),
            created: now(),
            documents,
        }
    }

    /// The canonical user that S3 shows as the owner.
    pub(crate) fn owner_id(&self) -> String {
        canonical_id(&self.owner)
    }
}

/// A canonical user id as stable as the account id it stands for.
pub(crate) fn canonical_id(account: &str) -> String {
    format!("{account:0>64}")
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

pub(super) fn create(world: &mut World, target: &Target<'_>) -> Outcome {
    check_name(&target.bucket)?;
    let (constraint, given_tags) = read_configuration(&target.request.body)?;
    check_constraint(target.region, constraint.as_deref())?;
    if let Some(existing) = world.buckets.get(&target.bucket)? {
        let foreign = existing.owner != world.account || world.faults.foreign_owner.contains(&existing.name);
        if foreign {
            return Err(AwsError::new(
                409,
                "BucketAlreadyExists",
                "The requested bucket name is not available. The bucket namespace is shared by all users of the \
                 system. Please select a different name and try again.",
            )
            .into());
        }
        if existing.region == "us-east-1" && target.region == "us-east-1" {
            // The legacy quirk: success, and the ACL is reset.
            let mut bucket = Bucket::clone(&existing);
            bucket.documents.remove(&Sub::Acl);
            world.buckets.put(&target.bucket, bucket)?;
            return Ok(created(&target.bucket));
        }
        return Err(AwsError::new(
            409,
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
        )
        .into());
    }
    let mut bucket = Bucket::fresh(&target.bucket, target.region, &world.account);
    if let Some(ownership) = target.request.header("x-amz-object-ownership") {
        bucket.documents.insert(Sub::Ownership, super::access::check_ownership(ownership)?);
    }
    let grants = target.request.header("x-amz-acl").is_some_and(|acl| acl != "private");
    if grants && super::access::enforced(&bucket) {
        return Err(AwsError::new(
            400,
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        )
        .into());
    }
    if grants {
        let document = super::access::check_acl(&bucket, target.request)?;
        bucket.documents.extend(document.map(|document| (Sub::Acl, document)));
    }
    if let Some(given) = given_tags {
        let document = tags::check(None, &given)?;
        bucket.documents.extend(document.map(|document| (Sub::Tagging, document)));
    }
    if target
        .request
        .header("x-amz-bucket-object-lock-enabled")
        .is_some_and(|v| v.eq_ignore_ascii_case("true"))
    {
        bucket.documents.insert(Sub::ObjectLock, super::locks::enabled());
        bucket.documents.insert(Sub::Versioning, super::documents::versioning("Enabled"));
    }
    world.buckets.put(&target.bucket, bucket)?;
    world.stale_buckets.wrote(target.bucket.clone(), None);
    let faults = world.faults.clone();
    world.counters.bucket_created(&faults, &target.bucket);
    Ok(created(&target.bucket))
}

fn created(name: &str) -> Answer {
    Answer::empty(200).with("location", &format!("/{name}"))
}

/// The location constraint and the tags of a `CreateBucketConfiguration`.
fn read_configuration(body: &[u8]) -> Result<(Option<String>, Option<Element>), AwsError> {
    if body.is_empty() {
        return Ok((None, None));
    }
    let root = Element::parse(body)
        .filter(|root| root.name == "CreateBucketConfiguration")
        .ok_or_else(AwsError::malformed_xml)?;
    let constraint = root.value("LocationConstraint").filter(|value| !value.is_empty()).map(str::to_owned);
    let tags = root.child("Tags").cloned().map(|set| Element {
        name: "Tagging".to_owned(),
        text: String::new(),
        children: vec![Element { name: "TagSet".to_owned(), ..set }],
    });
    Ok((constraint, tags))
}

fn check_constraint(region: &str, constraint: Option<&str>) -> Result<(), AwsError> {
    let incompatible = |constraint: &str| {
        let message = format!(
            "The {constraint} location constraint is incompatible for the region specific endpoint this request \
             was sent to."
        );
        Err(AwsError::new(400, "IllegalLocationConstraintException", message))
    };
    match (region, constraint) {
        ("us-east-1", None) | ("eu-west-1", Some("EU")) => Ok(()),
        ("us-east-1", Some("us-east-1")) => Err(AwsError::new(
            400,
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid",
        )),
        (_, None) => incompatible("unspecified"),
        (region, Some(constraint)) if region == constraint => Ok(()),
        (_, Some(constraint)) => incompatible(constraint),
    }
}

/// The naming rules of general purpose buckets.
fn check_name(name: &str) -> Result<(), AwsError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let valid = (3..=63).contains(&name.len())
        && name.chars().all(|c| plain(c) || c == '.' || c == '-')
        && name.starts_with(plain)
        && name.ends_with(plain)
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
        && !["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|prefix| name.starts_with(prefix))
        && !["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"]
            .iter()
            .any(|suffix| name.ends_with(suffix));
    if valid {
        Ok(())
    } else {
        Err(AwsError::new(400, "InvalidBucketName", "The specified bucket is not valid."))
    }
}

pub(super) fn head(world: &mut World, target: &Target<'_>) -> Outcome {
    let truth = world.buckets.get(&target.bucket)?;
    let seen = world.stale_buckets.read(&target.bucket, truth);
    let bucket = seen.ok_or_else(|| no_such_bucket(&target.bucket))?;
    check_reach(world, target, &bucket, false)?;
    Ok(Answer::empty(200)
        .with("x-amz-bucket-region", &bucket.region)
        .with("x-amz-access-point-alias", "false")
        .with("content-type", "application/xml"))
}

pub(super) fn location(bucket: &Bucket) -> Answer {
    let region = if bucket.region == "us-east-1" { "" } else { &bucket.region };
    Answer::xml(&format!("<LocationConstraint xmlns=\"{S3_NAMESPACE}\">{region}</LocationConstraint>"))
}

pub(super) fn list(world: &mut World, target: &Target<'_>) -> Outcome {
    let mut buckets = BTreeMap::new();
    for (name, bucket) in world.buckets.all()? {
        buckets.insert(name, Some(bucket));
    }
    // A deleted bucket may still be listed, a created one not yet.
    let open: Vec<String> = Stale::open(&world.stale_buckets).cloned().collect();
    for name in open {
        let truth = buckets.remove(&name).flatten();
        let seen = world.stale_buckets.read(&name, truth);
        buckets.insert(name, seen);
    }
    let prefix = target.parameter("prefix").unwrap_or_default();
    let after = target.parameter("continuation-token").unwrap_or_default();
    let region = target.parameter("bucket-region");
    let limit = target.parameter("max-buckets").and_then(|n| n.parse().ok()).unwrap_or(10_000_usize);
    let mut listed = buckets.into_values().flatten().filter(|bucket| {
        bucket.owner == world.account
            && !world.faults.foreign_owner.contains(&bucket.name)
            && bucket.name.starts_with(prefix)
            && bucket.name.as_str() > after
            && region.is_none_or(|region| bucket.region == region)
    });
    let mut entries = String::new();
    let mut last = String::new();
    for bucket in listed.by_ref().take(limit) {
        entries.push_str(&format!(
            "<Bucket><Name>{}</Name><CreationDate>{}</CreationDate><BucketRegion>{}</BucketRegion></Bucket>",
            bucket.name, bucket.created, bucket.region
        ));
        last.clone_from(&bucket.name);
    }
    let token = match listed.next() {
        Some(_) => format!("<ContinuationToken>{}</ContinuationToken>", escape(&last)),
        None => String::new(),
    };
    Ok(Answer::xml(&format!(
        "<ListAllMyBucketsResult xmlns=\"{S3_NAMESPACE}\"><Owner><ID>{}</ID></Owner>\
         <Buckets>{entries}</Buckets>{token}<Prefix>{}</Prefix></ListAllMyBucketsResult>",
        canonical_id(&world.account),
        escape(prefix)
    )))
}

pub(super) async fn delete(world: &mut World, target: &Target<'_>, record: &Bucket) -> Outcome {
    if !objects::is_empty(world, record).await? {
        return Err(
            AwsError::new(409, "BucketNotEmpty", "The bucket you tried to delete is not empty").into()
        );
    }
    let former = world.buckets.get(&target.bucket)?;
    world.buckets.remove(&target.bucket)?;
    world.objects.remove(&target.bucket);
    if let Some(dir) = &world.dir {
        store::remove_dir(&dir.join("objects").join(&target.bucket))?;
    }
    world.stale_buckets.wrote(target.bucket.clone(), former);
    world.stale_documents.forget(|(bucket, _)| *bucket == target.bucket);
    Ok(Answer::empty(204))
}
