//! The record's objects in S3: reads, conditional writes and versions, each one request. Whose protocol they make is
//! `byob_state::remote`.

use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::ServerSideEncryption;
use byob_apply::{CloudError, ErrorKind};
use byob_state::objects::{Object, ObjectError, Objects, Version, When};

use crate::cloud::AwsCloud;
use crate::error::About;

/// A record is some kilobytes, a journal some more: what is longer was put there by somebody else.
const LONGEST: i64 = 64 * 1024 * 1024;

/// Objects of one bucket.
#[derive(Debug)]
pub struct S3Objects {
    cloud: AwsCloud,
    bucket: String,
    region: String,
    kms_key: Option<String>,
    owner: Option<String>,
}

impl S3Objects {
    /// Of a bucket in a region; written with this KMS key, or as the bucket's default encryption says.
    #[must_use]
    pub fn new(cloud: AwsCloud, bucket: String, region: String, kms_key: Option<String>) -> Self {
        Self { cloud, bucket, region, kms_key, owner: None }
    }

    /// The same, but only where the bucket is this account's (12 digits): S3 refuses every request to another's, so that
    /// a bucket that was deleted, and made again by a stranger, gets no record and gives none.
    #[must_use]
    pub fn of_account(self, owner: Option<String>) -> Self {
        Self { owner, ..self }
    }

    /// The connection it uses.
    #[must_use]
    pub fn cloud(&self) -> &AwsCloud {
        &self.cloud
    }

    /// The bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The bucket's region, as the configuration says.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    fn about<'a>(&self, operation: &'static str, iam_action: &'static str, resource: &'a str) -> About<'a> {
        About { operation, iam_action, resource }
    }

    async fn body(
        &self,
        about: About<'_>,
        length: Option<i64>,
        body: ByteStream,
    ) -> Result<Vec<u8>, ObjectError> {
        if length.is_some_and(|length| length > LONGEST) {
            let message =
                format!("{} is {} bytes long: no record is", about.resource, length.unwrap_or_default());
            return Err(ObjectError::Refused { message, help: None });
        }
        let bytes = body.collect().await.map_err(|error| ObjectError::Lost(error.to_string()))?;
        Ok(bytes.into_bytes().to_vec())
    }

    /// From AWS's answer to what the record's protocol decides by.
    fn refused(&self, error: &CloudError) -> ObjectError {
        let right = |action: &str| {
            format!(
                "the caller needs {action} on it; reading what may not be there yet needs s3:ListBucket on {} as well, \
                 without which S3 answers 403 for it",
                self.bucket
            )
        };
        let help = match error.kind {
            _ if self.is_about_the_key(error) => Some(format!(
                "correct `kms_key` in [state] s3: {} has to exist in the bucket's region, be enabled, and let the caller \
                 use it (kms:GenerateDataKey, kms:Decrypt)",
                self.kms_key.as_deref().unwrap_or("the key of the bucket's default encryption")
            )),
            ErrorKind::NoSuchBucket => Some(format!(
                "byob state init makes the bucket {} (versioned, encrypted, TLS only, not public); or correct `bucket` \
                 and `region` in [state] s3",
                self.bucket
            )),
            ErrorKind::AccessDenied => error.iam_action.as_deref().map(|action| match &self.owner {
                None => right(action),
                Some(owner) => format!(
                    "{}; and S3 answers so for a bucket that is not account {owner}'s: one of another account needs \
                     `account_id` in [state] s3",
                    right(action)
                ),
            }),
            ErrorKind::WrongRegion => Some("correct `region` in [state] s3".to_owned()),
            _ => (!error.help.is_empty()).then(|| error.help.join("\n")),
        };
        ObjectError::Refused { message: error.to_string(), help }
    }

    /// Whether S3 says that the object's key is the matter, not the object: `KMS.NotFoundException` and its like.
    fn is_about_the_key(&self, error: &CloudError) -> bool {
        let code = error.code.as_deref().unwrap_or_default();
        code.starts_with("KMS.") || (error.kind == ErrorKind::AccessDenied && error.message.contains("kms:"))
    }

    fn classified(&self, error: &CloudError) -> ObjectError {
        match error.kind {
            ErrorKind::Network | ErrorKind::Internal | ErrorKind::Throttled => {
                ObjectError::Lost(error.to_string())
            }
            _ => self.refused(error),
        }
    }
}

impl Objects for S3Objects {
    async fn get(&self, key: &str) -> Result<Option<Object>, ObjectError> {
        let resource = self.location(key);
        let about = self.about("GetObject", "s3:GetObject", &resource);
        let request = self.cloud.s3(&self.region).get_object().bucket(&self.bucket).key(key);
        let request = request.set_expected_bucket_owner(self.owner.clone()).send();
        match self.cloud.ask(about, request).await {
            Ok(answer) => {
                let Some(etag) = answer.e_tag().map(str::to_owned) else {
                    return Err(ObjectError::Lost(format!("the answer for {resource} has no ETag")));
                };
                let body = self.body(about, answer.content_length(), answer.body).await?;
                Ok(Some(Object { body, etag }))
            }
            Err(error) if error.kind == ErrorKind::NotFound && !self.is_about_the_key(&error) => Ok(None),
            Err(error) => Err(self.classified(&error)),
        }
    }

    async fn put(&self, key: &str, body: &[u8], when: &When) -> Result<String, ObjectError> {
        let resource = self.location(key);
        let about = self.about("PutObject", "s3:PutObject", &resource);
        let mut request = self
            .cloud
            .s3_once(&self.region)
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .set_expected_bucket_owner(self.owner.clone())
            .content_type(if key.ends_with(".journal") { "application/jsonl" } else { "application/json" })
            .body(ByteStream::from(body.to_vec()));
        if let Some(key) = &self.kms_key {
            request = request.server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(key);
        }
        let request = match when {
            When::Absent => request.if_none_match("*"),
            When::Is(etag) => request.if_match(etag),
        };
        match self.cloud.ask(about, request.send()).await {
            Ok(answer) => match answer.e_tag() {
                Some(etag) => Ok(etag.to_owned()),
                None => Err(ObjectError::Lost(format!("the answer for {resource} has no ETag"))),
            },
            // If-Match on a key without an object is 404.
            Err(error) if self.is_about_the_key(&error) => Err(self.classified(&error)),
            Err(error) if error.status == Some(412) => Err(ObjectError::NotAsExpected),
            Err(error) if error.kind == ErrorKind::NotFound && matches!(when, When::Is(_)) => {
                Err(ObjectError::NotAsExpected)
            }
            Err(error) if error.kind == ErrorKind::Conflict => Err(ObjectError::Conflict),
            Err(error) => Err(self.classified(&error)),
        }
    }

    async fn versions(&self, key: &str) -> Result<Vec<Version>, ObjectError> {
        let resource = self.location(key);
        let about = self.about("ListObjectVersions", "s3:ListBucketVersions", &resource);
        let mut all = Vec::new();
        let (mut key_marker, mut id_marker) = (None, None);
        loop {
            let request = self
                .cloud
                .s3(&self.region)
                .list_object_versions()
                .bucket(&self.bucket)
                .prefix(key)
                .set_expected_bucket_owner(self.owner.clone())
                .set_key_marker(key_marker.take())
                .set_version_id_marker(id_marker.take());
            let answer =
                self.cloud.ask(about, request.send()).await.map_err(|error| self.classified(&error))?;
            for version in answer.versions().iter().filter(|version| version.key() == Some(key)) {
                let Some(id) = version.version_id() else {
                    continue;
                };
                all.push(Version {
                    id: id.to_owned(),
                    at: version.last_modified().map_or(0, DateTime::secs),
                    latest: version.is_latest() == Some(true),
                });
            }
            // The key's own versions come first: longer keys with this prefix sort behind it.
            let others = answer.versions().iter().any(|version| version.key() != Some(key));
            if answer.is_truncated() != Some(true) || others {
                return Ok(all);
            }
            key_marker = answer.next_key_marker().map(str::to_owned);
            id_marker = answer.next_version_id_marker().map(str::to_owned);
            if key_marker.is_none() {
                return Ok(all);
            }
        }
    }

    async fn version(&self, key: &str, id: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        let resource = self.location(key);
        let about = self.about("GetObject", "s3:GetObjectVersion", &resource);
        let request = self.cloud.s3(&self.region).get_object().bucket(&self.bucket).key(key).version_id(id);
        let request = request.set_expected_bucket_owner(self.owner.clone()).send();
        match self.cloud.ask(about, request).await {
            Ok(answer) => self.body(about, answer.content_length(), answer.body).await.map(Some),
            Err(error) if error.kind == ErrorKind::NotFound && !self.is_about_the_key(&error) => Ok(None),
            Err(error) => Err(self.classified(&error)),
        }
    }

    fn location(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }
}
