//! A bucket's default encryption (`PutBucketEncryption`).

use serde::{Deserialize, Serialize};

use crate::address::RootAddress;

/// Server-side encryption algorithm, spelled as S3 does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// SSE-S3.
    #[serde(rename = "AES256")]
    Aes256,
    /// SSE-KMS.
    #[serde(rename = "aws:kms")]
    Kms,
    /// DSSE-KMS (two layers).
    #[serde(rename = "aws:kms:dsse")]
    KmsDsse,
}

impl Algorithm {
    /// As S3 spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aes256 => "AES256",
            Self::Kms => "aws:kms",
            Self::KmsDsse => "aws:kms:dsse",
        }
    }
}

/// A KMS key: by its ARN, or a key of this configuration whose ARN is not looked up here.
///
/// The symbolic form is what desired state holds; the plan puts the ARN in where the key exists, and leaves the symbol
/// (shown as `(known after apply)`) where it does not yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KeyRef {
    /// A full key ARN.
    Arn(String),
    /// The ARN of a key of this configuration: `{"arn_of": "key.vision"}`.
    Managed {
        /// The key's address.
        arn_of: RootAddress,
    },
}

/// Whether S3 refuses writes encrypted with customer-provided keys (`BlockedEncryptionTypes`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SseC {
    /// `SSE-C` is in `BlockedEncryptionTypes`, the default of new buckets since April 2026.
    Blocked,
    /// `BlockedEncryptionTypes` is `NONE`.
    Allowed,
}

/// The one default-encryption rule of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encryption {
    /// Algorithm of the rule.
    pub algorithm: Algorithm,
    /// The key, where the algorithm uses one. `None` on a live KMS rule means the AWS managed key `aws/s3`.
    pub kms_key: Option<KeyRef>,
    /// S3 bucket key; false and missing are the same to AWS. Only SSE-KMS has one.
    pub bucket_key: bool,
    /// `None` where the endpoint does not report it.
    pub sse_c: Option<SseC>,
}
