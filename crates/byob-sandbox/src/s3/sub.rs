//! A bucket's sub-resources as documents: each has a name in the query, a default or an error where it is absent, and
//! a check before it is stored. One table; the checks live in the files beside.

use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::{Target, access, documents, encryption, locks, objects, policy, tags};
use crate::answer::{Answer, AwsError, Failure, Outcome};
use crate::world::World;
use crate::xml::S3_NAMESPACE;

/// What can hang on a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sub {
    Abac,
    Accelerate,
    Acl,
    Cors,
    Encryption,
    Lifecycle,
    Logging,
    Notification,
    ObjectLock,
    Ownership,
    Policy,
    PublicAccessBlock,
    Replication,
    RequestPayment,
    Tagging,
    Versioning,
    Website,
}

/// A stored document, as a read answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Document {
    /// XML, for a policy JSON.
    pub(crate) body: String,
    /// Of a lifecycle configuration: what a header carries beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) transition_minimum: Option<String>,
}

impl From<String> for Document {
    fn from(body: String) -> Self {
        Self { body, transition_minimum: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Put,
    Delete,
}

/// What a read answers where there is no document.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Absent {
    /// An error, its code and message.
    Error(&'static str, &'static str),
    /// An empty document: its root, and what is in it.
    Document(&'static str, &'static str),
    /// The ACL that every bucket has.
    OwnerOnly,
}

type Names = (&'static str, &'static str);

/// Names and habits of a sub-resource: operation and IAM action of each verb.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spec {
    pub(crate) query: &'static str,
    get: Names,
    put: Names,
    pub(crate) delete: Option<Names>,
    absent: Absent,
}

impl Sub {
    pub(crate) const ALL: [Self; 17] = [
        Self::Abac,
        Self::Accelerate,
        Self::Acl,
        Self::Cors,
        Self::Encryption,
        Self::Lifecycle,
        Self::Logging,
        Self::Notification,
        Self::ObjectLock,
        Self::Ownership,
        Self::Policy,
        Self::PublicAccessBlock,
        Self::Replication,
        Self::RequestPayment,
        Self::Tagging,
        Self::Versioning,
        Self::Website,
    ];

    pub(crate) fn names(self, verb: Verb) -> Names {
        let spec = self.spec();
        match verb {
            Verb::Get => spec.get,
            Verb::Put => spec.put,
            Verb::Delete => spec.delete.unwrap_or(("Unknown", "s3:Unknown")),
        }
    }

    #[rustfmt::skip]
    pub(crate) fn spec(self) -> Spec {
        use Absent::{Document, Error, OwnerOnly};
        let spec = |query, get, put, delete, absent| Spec { query, get, put, delete, absent };
        match self {
            Self::Abac => spec("abac",
                ("GetBucketAbac", "s3:GetBucketAbac"), ("PutBucketAbac", "s3:PutBucketAbac"), None,
                Document("AbacStatus", "<Status>Disabled</Status>")),
            Self::Accelerate => spec("accelerate",
                ("GetBucketAccelerateConfiguration", "s3:GetAccelerateConfiguration"),
                ("PutBucketAccelerateConfiguration", "s3:PutAccelerateConfiguration"), None,
                Document("AccelerateConfiguration", "")),
            Self::Acl => spec("acl",
                ("GetBucketAcl", "s3:GetBucketAcl"), ("PutBucketAcl", "s3:PutBucketAcl"), None, OwnerOnly),
            Self::Cors => spec("cors",
                ("GetBucketCors", "s3:GetBucketCORS"), ("PutBucketCors", "s3:PutBucketCORS"),
                Some(("DeleteBucketCors", "s3:PutBucketCORS")),
                Error("NoSuchCORSConfiguration", "The CORS configuration does not exist")),
            Self::Encryption => spec("encryption",
                ("GetBucketEncryption", "s3:GetEncryptionConfiguration"),
                ("PutBucketEncryption", "s3:PutEncryptionConfiguration"),
                Some(("DeleteBucketEncryption", "s3:PutEncryptionConfiguration")),
                Error("ServerSideEncryptionConfigurationNotFoundError",
                    "The server side encryption configuration was not found")),
            Self::Lifecycle => spec("lifecycle",
                ("GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"),
                ("PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
                Some(("DeleteBucketLifecycle", "s3:PutLifecycleConfiguration")),
                Error("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")),
            Self::Logging => spec("logging",
                ("GetBucketLogging", "s3:GetBucketLogging"), ("PutBucketLogging", "s3:PutBucketLogging"), None,
                Document("BucketLoggingStatus", "")),
            Self::Notification => spec("notification",
                ("GetBucketNotificationConfiguration", "s3:GetBucketNotification"),
                ("PutBucketNotificationConfiguration", "s3:PutBucketNotification"), None,
                Document("NotificationConfiguration", "")),
            Self::ObjectLock => spec("object-lock",
                ("GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration"),
                ("PutObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration"), None,
                Error("ObjectLockConfigurationNotFoundError",
                    "Object Lock configuration does not exist for this bucket")),
            Self::Ownership => spec("ownershipControls",
                ("GetBucketOwnershipControls", "s3:GetBucketOwnershipControls"),
                ("PutBucketOwnershipControls", "s3:PutBucketOwnershipControls"),
                Some(("DeleteBucketOwnershipControls", "s3:PutBucketOwnershipControls")),
                Error("OwnershipControlsNotFoundError", "The bucket ownership controls were not found")),
            Self::Policy => spec("policy",
                ("GetBucketPolicy", "s3:GetBucketPolicy"), ("PutBucketPolicy", "s3:PutBucketPolicy"),
                Some(("DeleteBucketPolicy", "s3:DeleteBucketPolicy")),
                Error("NoSuchBucketPolicy", "The bucket policy does not exist")),
            Self::PublicAccessBlock => spec("publicAccessBlock",
                ("GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock"),
                ("PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
                Some(("DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock")),
                Error("NoSuchPublicAccessBlockConfiguration",
                    "The public access block configuration was not found")),
            Self::Replication => spec("replication",
                ("GetBucketReplication", "s3:GetReplicationConfiguration"),
                ("PutBucketReplication", "s3:PutReplicationConfiguration"),
                Some(("DeleteBucketReplication", "s3:PutReplicationConfiguration")),
                Error("ReplicationConfigurationNotFoundError", "The replication configuration was not found")),
            Self::RequestPayment => spec("requestPayment",
                ("GetBucketRequestPayment", "s3:GetBucketRequestPayment"),
                ("PutBucketRequestPayment", "s3:PutBucketRequestPayment"), None,
                Document("RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>")),
            Self::Tagging => spec("tagging",
                ("GetBucketTagging", "s3:GetBucketTagging"), ("PutBucketTagging", "s3:PutBucketTagging"),
                Some(("DeleteBucketTagging", "s3:PutBucketTagging")),
                Error("NoSuchTagSet", "The TagSet does not exist")),
            Self::Versioning => spec("versioning",
                ("GetBucketVersioning", "s3:GetBucketVersioning"),
                ("PutBucketVersioning", "s3:PutBucketVersioning"), None,
                Document("VersioningConfiguration", "")),
            Self::Website => spec("website",
                ("GetBucketWebsite", "s3:GetBucketWebsite"), ("PutBucketWebsite", "s3:PutBucketWebsite"),
                Some(("DeleteBucketWebsite", "s3:DeleteBucketWebsite")),
                Error("NoSuchWebsiteConfiguration",
                    "The specified bucket does not have a website configuration")),
        }
    }
}

/// Answers a read, stale where that was ordered.
pub(super) fn get(world: &mut World, bucket: &Bucket, sub: Sub) -> Outcome {
    let truth = bucket.documents.get(&sub).cloned();
    let seen = world.stale_documents.read(&(bucket.name.clone(), sub), truth);
    let Some(document) = seen else {
        return match sub.spec().absent {
            Absent::Error(code, message) => Err(AwsError::new(404, code, message).into()),
            Absent::Document(root, inside) => {
                Ok(Answer::xml(&format!("<{root} xmlns=\"{S3_NAMESPACE}\">{inside}</{root}>")))
            }
            Absent::OwnerOnly => Ok(Answer::xml(&access::owner_only(bucket))),
        };
    };
    if sub == Sub::Policy {
        let mut answer = Answer::empty(200).with("content-type", "application/json");
        answer.body = document.body.into();
        return Ok(answer);
    }
    let answer = Answer::xml(&document.body);
    Ok(match document.transition_minimum {
        Some(minimum) => answer.with("x-amz-transition-default-minimum-object-size", &minimum),
        None => answer,
    })
}

/// Checks and stores a document.
pub(super) async fn put(world: &mut World, target: &Target<'_>, bucket: &Bucket, sub: Sub) -> Outcome {
    let body = &target.request.unframed();
    let document = match sub {
        Sub::Encryption => Some(encryption::check(bucket, body)?),
        Sub::Policy => Some(policy::check(world, bucket, body).await?),
        Sub::PublicAccessBlock => Some(access::check_block(body)?),
        Sub::Ownership => Some(access::check_controls(bucket, body)?),
        Sub::Acl => access::check_acl(bucket, target.request)?,
        Sub::Tagging => tags::check_put(bucket, body)?,
        Sub::ObjectLock => Some(locks::check(bucket, body)?),
        Sub::Logging => documents::check_logging(world, bucket, body)?,
        Sub::Lifecycle => Some(documents::check_lifecycle(target.request, body)?),
        Sub::Cors => Some(documents::check_cors(body)?),
        Sub::Versioning => Some(documents::check_versioning(bucket, body)?),
        Sub::Abac => Some(documents::check_plain("AbacStatus", body)?),
        Sub::Accelerate => Some(documents::check_plain("AccelerateConfiguration", body)?),
        Sub::Notification => Some(documents::check_plain("NotificationConfiguration", body)?),
        Sub::Replication => Some(documents::check_plain("ReplicationConfiguration", body)?),
        Sub::RequestPayment => Some(documents::check_plain("RequestPaymentConfiguration", body)?),
        Sub::Website => Some(documents::check_plain("WebsiteConfiguration", body)?),
    };
    let minimum = document.as_ref().and_then(|document| document.transition_minimum.clone());
    store(world, bucket, sub, document)?;
    if sub == Sub::Versioning {
        objects::forward_versioning(world, target).await?;
    }
    let status = if matches!(sub, Sub::Policy | Sub::Tagging) { 204 } else { 200 };
    let answer = Answer::empty(status);
    Ok(match minimum {
        Some(minimum) => answer.with("x-amz-transition-default-minimum-object-size", &minimum),
        None => answer,
    })
}

/// Takes a document away; for some that means a default.
pub(super) fn delete(world: &mut World, bucket: &Bucket, sub: Sub) -> Outcome {
    let document = match sub {
        Sub::Encryption => Some(encryption::reset(bucket)),
        Sub::Tagging => {
            tags::refuse_under_abac(bucket)?;
            tags::system_only(bucket)
        }
        _ => None,
    };
    store(world, bucket, sub, document)?;
    Ok(Answer::empty(204))
}

fn store(world: &mut World, bucket: &Bucket, sub: Sub, document: Option<Document>) -> Result<(), Failure> {
    let mut changed = bucket.clone();
    let former = match document {
        Some(document) => changed.documents.insert(sub, document),
        None => changed.documents.remove(&sub),
    };
    world.buckets.put(&bucket.name, changed)?;
    world.stale_documents.wrote((bucket.name.clone(), sub), former);
    Ok(())
}

/// Computed from the policy that a read would see.
pub(super) fn policy_status(world: &mut World, bucket: &Bucket) -> Outcome {
    let truth = bucket.documents.get(&Sub::Policy).cloned();
    let seen = world.stale_documents.read(&(bucket.name.clone(), Sub::Policy), truth);
    let Some(document) = seen else {
        return Err(AwsError::new(404, "NoSuchBucketPolicy", "The bucket policy does not exist").into());
    };
    let public = crate::policy::is_public(&document.body);
    Ok(Answer::xml(&format!(
        "<PolicyStatus xmlns=\"{S3_NAMESPACE}\"><IsPublic>{public}</IsPublic></PolicyStatus>"
    )))
}
