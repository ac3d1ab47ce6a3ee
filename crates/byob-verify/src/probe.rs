//! The requests that prove a bucket, as a trait: whoever implements it makes each of them once and says what came back.

use std::collections::BTreeMap;
use std::fmt;

use byob_model::kind::{Algorithm, Encryption};

/// One bucket's live side. Keys are whole, from the bucket's root.
#[allow(async_fn_in_trait, reason = "one runtime, one thread: no Send bounds are wanted")]
pub trait Probe {
    /// `PutObject` without any encryption of its own. The version it made, in a bucket with versions.
    ///
    /// # Errors
    /// As for all of these: what came back instead.
    async fn put(&self, key: &str, body: &[u8]) -> Result<Option<String>, Refused>;

    /// `HeadObject`.
    async fn head(&self, key: &str) -> Result<Head, Refused>;

    /// `GetObject`.
    async fn get(&self, key: &str) -> Result<Vec<u8>, Refused>;

    /// `ListObjectsV2`: the keys below a prefix.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, Refused>;

    /// `ListObjectVersions`: keys and ids of the versions and delete markers below a prefix.
    async fn versions(&self, prefix: &str) -> Result<Vec<(String, String)>, Refused>;

    /// `ListMultipartUploads`: keys and ids of the unfinished uploads below a prefix.
    async fn uploads(&self, prefix: &str) -> Result<Vec<(String, String)>, Refused>;

    /// `CreateMultipartUpload`: the upload's id.
    async fn begin_upload(&self, key: &str) -> Result<String, Refused>;

    /// `UploadPart`, the first: its ETag.
    async fn upload_part(&self, key: &str, upload: &str, body: &[u8]) -> Result<String, Refused>;

    /// `CompleteMultipartUpload` with that one part: the version it made.
    async fn complete_upload(&self, key: &str, upload: &str, etag: &str) -> Result<Option<String>, Refused>;

    /// `AbortMultipartUpload`.
    async fn abort_upload(&self, key: &str, upload: &str) -> Result<(), Refused>;

    /// `DeleteObject`: of a version, or of the key; then the delete marker that this made, in a bucket with versions.
    async fn delete(&self, key: &str, version: Option<&str>) -> Result<Option<String>, Refused>;

    /// A PUT to a pre-signed URL by an ordinary HTTP client, as from a page of this origin.
    async fn signed_put(&self, key: &str, body: &[u8], origin: Option<&str>) -> Result<Reply, Refused>;

    /// A GET of a pre-signed URL by an ordinary HTTP client, as from a page of this origin; over plain HTTP where that is
    /// asked.
    async fn signed_get(&self, key: &str, origin: Option<&str>, plain: bool) -> Result<Reply, Refused>;

    /// What a browser asks before it sends a request of this method from a page of this origin (`OPTIONS`).
    async fn preflight(&self, key: &str, origin: &str, method: &str) -> Result<Reply, Refused>;

    /// Whether the endpoint is reached over TLS.
    fn speaks_tls(&self) -> bool;
}

/// What `HeadObject` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Bytes.
    pub length: u64,
    /// How it is encrypted.
    pub encrypted: Encrypted,
}

/// How something is encrypted: what an object's headers say, or a bucket's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encrypted {
    /// `AES256`, `aws:kms`, `aws:kms:dsse`; `None` where no header says any.
    pub algorithm: Option<String>,
    /// The key's ARN.
    pub key: Option<String>,
    /// Whether an S3 bucket key is used.
    pub bucket_key: bool,
}

impl Encrypted {
    /// What a default encryption comes to, with the key that its reference leads to.
    pub(crate) fn of(encryption: &Encryption, key: Option<&str>) -> Self {
        Self {
            algorithm: Some(encryption.algorithm.as_str().to_owned()),
            key: key.map(str::to_owned),
            bucket_key: encryption.algorithm == Algorithm::Kms && encryption.bucket_key,
        }
    }

    /// `aws:kms with arn:…, bucket key on`.
    pub(crate) fn told(&self) -> String {
        let mut text = self.algorithm.clone().unwrap_or_else(|| "nothing".to_owned());
        if let Some(key) = &self.key {
            text.push_str(&format!(" with {key}"));
        }
        if self.bucket_key {
            text.push_str(", bucket key on");
        }
        text
    }
}

/// The answer to a request by an ordinary HTTP client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// By name in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

/// A request that had no success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {answer}")]
pub struct Refused {
    /// `PutObject`.
    pub operation: String,
    /// The right that it needs: `s3:PutObject`.
    pub iam_action: String,
    /// What came back, for people, with AWS's request id.
    pub answer: String,
    /// 403.
    pub denied: bool,
    /// 404.
    pub absent: bool,
    /// The request may have had its effect all the same: no answer, or none that can be trusted.
    pub unsure: bool,
}

impl Reply {
    /// 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Whether a header with a list of values has this one, or `*`.
    pub(crate) fn lists(&self, name: &str, value: &str) -> bool {
        let values = self.header(name).unwrap_or_default().split(',').map(str::trim);
        values.into_iter().any(|one| one == "*" || one.eq_ignore_ascii_case(value))
    }
}

impl fmt::Display for Reply {
    /// `HTTP 403 (AccessDenied)`: S3's own code where the body has one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status)?;
        let text = String::from_utf8_lossy(&self.body);
        let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
        match code {
            Some((code, _)) if code.len() < 64 => write!(f, " ({code})"),
            _ => Ok(()),
        }
    }
}
