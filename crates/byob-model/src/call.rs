//! The writes byob makes, as data: one [`Call`] is one AWS request that changes something. Which IAM action each needs
//! is from AWS's service authorization reference (S3, KMS).

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::kind::{Attributes, KeyRef};

/// Every AWS operation byob writes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum Operation {
    CreateBucket,
    DeleteBucket,
    DeleteObjects,
    PutPublicAccessBlock,
    PutBucketOwnershipControls,
    PutBucketEncryption,
    PutBucketCors,
    DeleteBucketCors,
    PutBucketVersioning,
    PutBucketLifecycleConfiguration,
    DeleteBucketLifecycle,
    PutBucketTagging,
    DeleteBucketTagging,
    PutBucketLogging,
    PutObjectLockConfiguration,
    PutBucketPolicy,
    DeleteBucketPolicy,
    CreateKey,
    UpdateKeyDescription,
    EnableKey,
    CancelKeyDeletion,
    ScheduleKeyDeletion,
    PutKeyPolicy,
    EnableKeyRotation,
    DisableKeyRotation,
    CreateAlias,
    DeleteAlias,
    TagResource,
    UntagResource,
}

impl Operation {
    /// As AWS names the API operation.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateBucket => "CreateBucket",
            Self::DeleteBucket => "DeleteBucket",
            Self::DeleteObjects => "DeleteObjects",
            Self::PutPublicAccessBlock => "PutPublicAccessBlock",
            Self::PutBucketOwnershipControls => "PutBucketOwnershipControls",
            Self::PutBucketEncryption => "PutBucketEncryption",
            Self::PutBucketCors => "PutBucketCors",
            Self::DeleteBucketCors => "DeleteBucketCors",
            Self::PutBucketVersioning => "PutBucketVersioning",
            Self::PutBucketLifecycleConfiguration => "PutBucketLifecycleConfiguration",
            Self::DeleteBucketLifecycle => "DeleteBucketLifecycle",
            Self::PutBucketTagging => "PutBucketTagging",
            Self::DeleteBucketTagging => "DeleteBucketTagging",
            Self::PutBucketLogging => "PutBucketLogging",
            Self::PutObjectLockConfiguration => "PutObjectLockConfiguration",
            Self::PutBucketPolicy => "PutBucketPolicy",
            Self::DeleteBucketPolicy => "DeleteBucketPolicy",
            Self::CreateKey => "CreateKey",
            Self::UpdateKeyDescription => "UpdateKeyDescription",
            Self::EnableKey => "EnableKey",
            Self::CancelKeyDeletion => "CancelKeyDeletion",
            Self::ScheduleKeyDeletion => "ScheduleKeyDeletion",
            Self::PutKeyPolicy => "PutKeyPolicy",
            Self::EnableKeyRotation => "EnableKeyRotation",
            Self::DisableKeyRotation => "DisableKeyRotation",
            Self::CreateAlias => "CreateAlias",
            Self::DeleteAlias => "DeleteAlias",
            Self::TagResource => "TagResource",
            Self::UntagResource => "UntagResource",
        }
    }

    /// The IAM action that allows it (not always the operation's name).
    #[must_use]
    pub fn iam_action(self) -> &'static str {
        match self {
            Self::CreateBucket => "s3:CreateBucket",
            Self::DeleteBucket => "s3:DeleteBucket",
            Self::DeleteObjects => "s3:DeleteObjectVersion",
            Self::PutPublicAccessBlock => "s3:PutBucketPublicAccessBlock",
            Self::PutBucketOwnershipControls => "s3:PutBucketOwnershipControls",
            Self::PutBucketEncryption => "s3:PutEncryptionConfiguration",
            Self::PutBucketCors | Self::DeleteBucketCors => "s3:PutBucketCORS",
            Self::PutBucketVersioning => "s3:PutBucketVersioning",
            Self::PutBucketLifecycleConfiguration | Self::DeleteBucketLifecycle => {
                "s3:PutLifecycleConfiguration"
            }
            Self::PutBucketTagging | Self::DeleteBucketTagging => "s3:PutBucketTagging",
            Self::PutBucketLogging => "s3:PutBucketLogging",
            Self::PutObjectLockConfiguration => "s3:PutBucketObjectLockConfiguration",
            Self::PutBucketPolicy => "s3:PutBucketPolicy",
            Self::DeleteBucketPolicy => "s3:DeleteBucketPolicy",
            Self::CreateKey => "kms:CreateKey",
            Self::UpdateKeyDescription => "kms:UpdateKeyDescription",
            Self::EnableKey => "kms:EnableKey",
            Self::CancelKeyDeletion => "kms:CancelKeyDeletion",
            Self::ScheduleKeyDeletion => "kms:ScheduleKeyDeletion",
            Self::PutKeyPolicy => "kms:PutKeyPolicy",
            Self::EnableKeyRotation => "kms:EnableKeyRotation",
            Self::DisableKeyRotation => "kms:DisableKeyRotation",
            Self::CreateAlias => "kms:CreateAlias",
            Self::DeleteAlias => "kms:DeleteAlias",
            Self::TagResource => "kms:TagResource",
            Self::UntagResource => "kms:UntagResource",
        }
    }
}

/// What a call is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A bucket; `account_id` is sent as `ExpectedBucketOwner`.
    Bucket {
        /// Its name.
        name: String,
        /// Its region.
        region: String,
        /// 12 digits.
        account_id: String,
    },
    /// A key.
    Key {
        /// By ARN, or symbolic until it is created; the executor resolves it before the call.
        key: KeyRef,
        /// Its region.
        region: String,
        /// 12 digits.
        account_id: String,
    },
}

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Which operation.
    pub operation: Operation,
    /// On what.
    pub target: Target,
    /// With what.
    pub payload: Payload,
}

/// What a call carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// Nothing: deletes, `EnableKey`, `CancelKeyDeletion`.
    None,
    /// The attributes to put; key references symbolic until the executor resolves them. For CORS and lifecycle that are
    /// not exclusive, others' rules are read and kept.
    Attributes(Attributes),
    /// `CreateBucket`.
    NewBucket {
        /// Switch object lock on at creation (which turns versioning on).
        object_lock: bool,
        /// The intent this creation was journalled under.
        intent: Option<Uuid>,
    },
    /// `CreateKey`: description, policy and tags go into the one call.
    NewKey {
        /// The key's description.
        description: String,
        /// The policy document, whole.
        policy: crate::kind::Policy,
        /// Tags to create it with; the executor adds the proof tags.
        tags: std::collections::BTreeMap<String, String>,
        /// The intent this creation was journalled under.
        intent: Option<Uuid>,
    },
    /// Tags: set these, remove those of ours that are not wanted any more, and leave everybody else's alone.
    Tags {
        /// To set; proof tags are added by the executor on created roots.
        set: std::collections::BTreeMap<String, String>,
        /// To remove.
        remove: BTreeSet<String>,
    },
    /// `ScheduleKeyDeletion`.
    Window {
        /// 7 to 30.
        days: u32,
    },
    /// `CreateAlias`, `DeleteAlias`.
    Alias {
        /// `alias/x`.
        name: String,
    },
}
