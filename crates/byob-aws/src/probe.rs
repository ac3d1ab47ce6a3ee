//! The requests of `byob verify`: each once, with this connection's own rights, and what came back in words. What they
//! prove is `byob-verify`'s business.

use std::future::Future;
use std::time::Duration;

use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::checksum_config::RequestChecksumCalculation;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use byob_apply::{CloudError, ErrorKind};
use byob_verify::{ASKED_HEADER, Encrypted, Head, Probe, Refused, Reply};

use crate::cloud::{AwsCloud, Endpoint};
use crate::error::About;
use crate::ordinary::{Ordinary, apart, send};

/// How long a pre-signed URL is good: it is used at once.
const SIGNED_FOR: Duration = Duration::from_secs(300);

/// How often a write is made that AWS asks to make later: it has had no effect.
const TIMES: u32 = 4;

/// One bucket, as this connection's requests meet it.
#[derive(Debug, Clone, Copy)]
pub struct S3Probe<'a> {
    cloud: &'a AwsCloud,
    bucket: &'a str,
    region: &'a str,
    owner: &'a str,
}

impl<'a> S3Probe<'a> {
    /// Of a bucket in a region, which this account owns.
    #[must_use]
    pub fn new(cloud: &'a AwsCloud, bucket: &'a str, region: &'a str, owner: &'a str) -> Self {
        Self { cloud, bucket, region, owner }
    }

    fn about(&self, operation: &'static str, iam_action: &'static str) -> About<'a> {
        About { operation, iam_action, resource: self.bucket }
    }

    async fn ask<T, E>(
        &self,
        about: About<'a>,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Refused>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.cloud.ask(about, request).await.map_err(|error| refused(&error))
    }

    /// A write: the SDK does not retry it, because a lost answer may be that of a success.
    async fn write<T, E, F>(&self, about: About<'a>, request: impl Fn() -> F) -> Result<T, Refused>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        for time in 1.. {
            match self.cloud.ask(about, request()).await {
                Err(error)
                    if time < TIMES && matches!(error.kind, ErrorKind::Throttled | ErrorKind::Conflict) =>
                {
                    let pause = if self.cloud.endpoint() == Endpoint::Aws { 500 } else { 10 };
                    tokio::time::sleep(Duration::from_millis(pause << time)).await;
                }
                answer => return answer.map_err(|error| refused(&error)),
            }
        }
        Err(refused(&about.error(ErrorKind::Throttled, "")))
    }

    /// A client whose pre-signed requests ask for no checksum of a body that it does not know.
    fn signer(&self) -> aws_sdk_s3::Client {
        let config = self.cloud.s3(self.region).config().to_builder();
        aws_sdk_s3::Client::from_conf(
            config.request_checksum_calculation(RequestChecksumCalculation::WhenRequired).build(),
        )
    }

    fn signing(&self, about: About<'a>) -> Result<PresigningConfig, Refused> {
        PresigningConfig::expires_in(SIGNED_FOR)
            .map_err(|error| refused(&about.error(ErrorKind::Unexpected, error.to_string())))
    }

    async fn signed_url(&self, key: &str) -> Result<PresignedRequest, Refused> {
        let about = self.about("GetObject", "s3:GetObject");
        let config = self.signing(about)?;
        let request = self.signer().get_object().bucket(self.bucket).key(key).presigned(config);
        self.ask(about, request).await
    }

    /// Sends what needs no signing any more.
    async fn ordinary(&self, about: About<'a>, request: Ordinary) -> Result<Reply, Refused> {
        send(self.cloud, request).await.map_err(|message| refused(&about.error(ErrorKind::Network, message)))
    }
}

impl Probe for S3Probe<'_> {
    async fn put(&self, key: &str, body: &[u8]) -> Result<Option<String>, Refused> {
        let s3 = self.cloud.s3_once(self.region);
        let answer = self
            .write(self.about("PutObject", "s3:PutObject"), || {
                s3.put_object()
                    .bucket(self.bucket)
                    .key(key)
                    .expected_bucket_owner(self.owner)
                    .content_type("text/plain")
                    .body(ByteStream::from(body.to_vec()))
                    .send()
            })
            .await?;
        Ok(answer.version_id)
    }

    async fn head(&self, key: &str) -> Result<Head, Refused> {
        let s3 = self.cloud.s3(self.region);
        let request = s3.head_object().bucket(self.bucket).key(key).expected_bucket_owner(self.owner).send();
        let answer = self.ask(self.about("HeadObject", "s3:GetObject"), request).await?;
        Ok(Head {
            length: answer.content_length().and_then(|length| u64::try_from(length).ok()).unwrap_or_default(),
            encrypted: Encrypted {
                algorithm: answer.server_side_encryption().map(|one| one.as_str().to_owned()),
                key: answer.ssekms_key_id().map(str::to_owned),
                bucket_key: answer.bucket_key_enabled() == Some(true),
            },
        })
    }

    async fn get(&self, key: &str) -> Result<Vec<u8>, Refused> {
        let about = self.about("GetObject", "s3:GetObject");
        let s3 = self.cloud.s3(self.region);
        let request = s3.get_object().bucket(self.bucket).key(key).expected_bucket_owner(self.owner).send();
        let answer = self.ask(about, request).await?;
        let body = answer.body.collect().await;
        let body = body.map_err(|error| refused(&about.error(ErrorKind::Network, error.to_string())))?;
        Ok(body.into_bytes().to_vec())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Refused> {
        let s3 = self.cloud.s3(self.region);
        let request =
            s3.list_objects_v2().bucket(self.bucket).prefix(prefix).expected_bucket_owner(self.owner).send();
        let answer = self.ask(self.about("ListObjectsV2", "s3:ListBucket"), request).await?;
        // A run writes three objects: one page has them all.
        Ok(answer.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect())
    }

    async fn versions(&self, prefix: &str) -> Result<Vec<(String, String)>, Refused> {
        let s3 = self.cloud.s3(self.region);
        let request = s3
            .list_object_versions()
            .bucket(self.bucket)
            .prefix(prefix)
            .expected_bucket_owner(self.owner)
            .send();
        let answer = self.ask(self.about("ListObjectVersions", "s3:ListBucketVersions"), request).await?;
        let versions = answer.versions().iter().map(|one| (one.key(), one.version_id()));
        let markers = answer.delete_markers().iter().map(|one| (one.key(), one.version_id()));
        Ok(versions
            .chain(markers)
            .filter_map(|(key, version)| Some((key?.to_owned(), version?.to_owned())))
            .collect())
    }

    async fn uploads(&self, prefix: &str) -> Result<Vec<(String, String)>, Refused> {
        let s3 = self.cloud.s3(self.region);
        let request = s3
            .list_multipart_uploads()
            .bucket(self.bucket)
            .prefix(prefix)
            .expected_bucket_owner(self.owner)
            .send();
        let about = self.about("ListMultipartUploads", "s3:ListBucketMultipartUploads");
        let answer = self.ask(about, request).await?;
        let uploads = answer.uploads().iter();
        Ok(uploads.filter_map(|one| Some((one.key()?.to_owned(), one.upload_id()?.to_owned()))).collect())
    }

    async fn begin_upload(&self, key: &str) -> Result<String, Refused> {
        let about = self.about("CreateMultipartUpload", "s3:PutObject");
        let s3 = self.cloud.s3_once(self.region);
        let answer = self
            .write(about, || {
                s3.create_multipart_upload()
                    .bucket(self.bucket)
                    .key(key)
                    .expected_bucket_owner(self.owner)
                    .send()
            })
            .await?;
        let nameless = || refused(&about.error(ErrorKind::Network, "the answer names no upload"));
        answer.upload_id.ok_or_else(nameless)
    }

    async fn upload_part(&self, key: &str, upload: &str, body: &[u8]) -> Result<String, Refused> {
        let about = self.about("UploadPart", "s3:PutObject");
        let s3 = self.cloud.s3_once(self.region);
        let answer = self
            .write(about, || {
                s3.upload_part()
                    .bucket(self.bucket)
                    .key(key)
                    .upload_id(upload)
                    .part_number(1)
                    .expected_bucket_owner(self.owner)
                    .body(ByteStream::from(body.to_vec()))
                    .send()
            })
            .await?;
        let nameless = || refused(&about.error(ErrorKind::Network, "the answer has no ETag"));
        answer.e_tag.ok_or_else(nameless)
    }

    async fn complete_upload(&self, key: &str, upload: &str, etag: &str) -> Result<Option<String>, Refused> {
        let part = CompletedPart::builder().part_number(1).e_tag(etag).build();
        let parts = CompletedMultipartUpload::builder().parts(part).build();
        let s3 = self.cloud.s3_once(self.region);
        let answer = self
            .write(self.about("CompleteMultipartUpload", "s3:PutObject"), || {
                s3.complete_multipart_upload()
                    .bucket(self.bucket)
                    .key(key)
                    .upload_id(upload)
                    .multipart_upload(parts.clone())
                    .expected_bucket_owner(self.owner)
                    .send()
            })
            .await?;
        Ok(answer.version_id)
    }

    async fn abort_upload(&self, key: &str, upload: &str) -> Result<(), Refused> {
        // May be repeated: what is gone stays gone.
        let s3 = self.cloud.s3(self.region);
        let request = s3
            .abort_multipart_upload()
            .bucket(self.bucket)
            .key(key)
            .upload_id(upload)
            .expected_bucket_owner(self.owner)
            .send();
        self.ask(self.about("AbortMultipartUpload", "s3:AbortMultipartUpload"), request).await.map(drop)
    }

    async fn delete(&self, key: &str, version: Option<&str>) -> Result<Option<String>, Refused> {
        let action = if version.is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" };
        // Of a version it may be repeated; of a key each time makes a delete marker of its own.
        let s3 = if version.is_some() { self.cloud.s3(self.region) } else { self.cloud.s3_once(self.region) };
        let answer = self
            .write(self.about("DeleteObject", action), || {
                s3.delete_object()
                    .bucket(self.bucket)
                    .key(key)
                    .set_version_id(version.map(str::to_owned))
                    .expected_bucket_owner(self.owner)
                    .send()
            })
            .await?;
        Ok(answer.version_id.filter(|_| version.is_none() && answer.delete_marker == Some(true)))
    }

    async fn signed_put(&self, key: &str, body: &[u8], origin: Option<&str>) -> Result<Reply, Refused> {
        let about = self.about("PutObject", "s3:PutObject");
        let config = self.signing(about)?;
        let request = self.signer().put_object().bucket(self.bucket).key(key).presigned(config);
        let signed = self.ask(about, request).await?;
        let request = Ordinary {
            method: "PUT",
            url: signed.uri().to_owned(),
            headers: headers(&signed, origin),
            body: body.to_vec(),
        };
        self.ordinary(about, request).await
    }

    async fn signed_get(&self, key: &str, origin: Option<&str>, plain: bool) -> Result<Reply, Refused> {
        let signed = self.signed_url(key).await?;
        // The signature covers the host's name, and not how it is reached.
        let url = match signed.uri().strip_prefix("https://") {
            Some(rest) if plain => format!("http://{rest}"),
            _ => signed.uri().to_owned(),
        };
        let request = Ordinary { method: "GET", url, headers: headers(&signed, origin), body: Vec::new() };
        self.ordinary(self.about("GetObject", "s3:GetObject"), request).await
    }

    async fn preflight(&self, key: &str, origin: &str, method: &str) -> Result<Reply, Refused> {
        let signed = self.signed_url(key).await?;
        let (server, path) = apart(signed.uri()).unwrap_or_default();
        // A preflight is not signed, and S3 does not look at the signature of what is to come.
        let path = path.split('?').next().unwrap_or_default();
        let request = Ordinary {
            method: "OPTIONS",
            url: format!("{server}{path}"),
            headers: vec![
                ("origin".to_owned(), origin.to_owned()),
                ("access-control-request-method".to_owned(), method.to_owned()),
                ("access-control-request-headers".to_owned(), ASKED_HEADER.to_owned()),
            ],
            body: Vec::new(),
        };
        self.ordinary(self.about("OPTIONS", ""), request).await
    }

    fn speaks_tls(&self) -> bool {
        !self.cloud.is_plain_http()
    }
}

/// What has to be sent beside a pre-signed URL, and where the page is that sends it.
fn headers(signed: &PresignedRequest, origin: Option<&str>) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> =
        signed.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    all.extend(origin.map(|origin| ("origin".to_owned(), origin.to_owned())));
    all
}

fn refused(error: &CloudError) -> Refused {
    let mut answer = match (&error.code, error.status) {
        (Some(code), _) => code.clone(),
        (None, Some(status)) => format!("HTTP {status}"),
        (None, None) => String::new(),
    };
    if !error.message.is_empty() {
        let quoted =
            if answer.is_empty() { error.message.clone() } else { format!(" \"{}\"", error.message) };
        answer.push_str(&quoted);
    }
    if let Some(id) = &error.request_id {
        answer.push_str(&format!(" (request {id})"));
    }
    Refused {
        operation: error.operation.clone(),
        iam_action: error.iam_action.clone().unwrap_or_default(),
        answer,
        denied: error.kind == ErrorKind::AccessDenied,
        absent: matches!(error.kind, ErrorKind::NotFound | ErrorKind::NoSuchBucket),
        unsure: matches!(error.kind, ErrorKind::Network | ErrorKind::Internal | ErrorKind::Unexpected),
    }
}
