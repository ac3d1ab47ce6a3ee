//! The bucket itself: whether it exists and where, what is in it, making it, emptying it, deleting it.

use std::error::Error;
use std::future::Future;

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, Delete, ObjectIdentifier};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use byob_apply::{CloudError, ErrorKind};

use crate::cloud::AwsCloud;
use crate::codes::kind_of_code;
use crate::error::About;

/// A bucket to ask about: with its owner, so that a name that has become somebody else's is refused by AWS itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) cloud: &'a AwsCloud,
    pub(crate) name: &'a str,
    pub(crate) region: &'a str,
    /// Sent as `ExpectedBucketOwner`; 12 digits.
    pub(crate) owner: &'a str,
}

impl<'a> At<'a> {
    /// The client to read with.
    pub(crate) fn s3(self) -> aws_sdk_s3::Client {
        self.cloud.s3(self.region)
    }

    /// The client to write with.
    pub(crate) fn s3_once(self) -> aws_sdk_s3::Client {
        self.cloud.s3_once(self.region)
    }

    pub(crate) fn about(self, operation: &'static str, iam_action: &'static str) -> About<'a> {
        About { operation, iam_action, resource: self.name }
    }

    /// Makes a request about this bucket.
    pub(crate) async fn ask<T, E>(
        self,
        operation: &'static str,
        iam_action: &'static str,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, CloudError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        self.cloud.ask(self.about(operation, iam_action), request).await
    }
}

/// What `HeadBucket` says: status and headers alone, for it has no body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Head {
    Absent,
    Forbidden { region: Option<String>, request_id: Option<String> },
    Exists { region: String },
}

/// Whether it exists, and in which region; one that answers from elsewhere is asked there.
pub(crate) async fn read(at: At<'_>) -> Result<Head, CloudError> {
    match head(at, at.region).await? {
        Answer::Final(head) => Ok(head),
        Answer::Elsewhere(region) => match head(at, &region).await? {
            Answer::Final(head) => Ok(head),
            Answer::Elsewhere(other) => Err(at.about("HeadBucket", "s3:ListBucket").error(
                ErrorKind::WrongRegion,
                format!("{} sent on to {region}, and that to {other}", at.region),
            )),
        },
    }
}

enum Answer {
    Final(Head),
    Elsewhere(String),
}

async fn head(at: At<'_>, region: &str) -> Result<Answer, CloudError> {
    let request = at.cloud.s3(region).head_bucket().bucket(at.name).expected_bucket_owner(at.owner).send();
    let about = at.about("HeadBucket", "s3:ListBucket");
    let error = match at.cloud.raw(about, request).await {
        Ok(found) => {
            let region = found.bucket_region().unwrap_or(region).to_owned();
            return Ok(Answer::Final(Head::Exists { region }));
        }
        Err(error) => error,
    };
    let found = at.cloud.explain(about, &error);
    let real =
        error.raw_response().and_then(|raw| raw.headers().get("x-amz-bucket-region")).map(str::to_owned);
    match (found.status, real) {
        (Some(404), _) => Ok(Answer::Final(Head::Absent)),
        (Some(301 | 307 | 400 | 403), Some(real)) if real != region => Ok(Answer::Elsewhere(real)),
        (Some(403), region) => Ok(Answer::Final(Head::Forbidden { region, request_id: found.request_id })),
        _ => Err(found),
    }
}

/// Whether this account's list of buckets has the name; for a bucket that answers 403.
pub(crate) async fn listed(at: At<'_>) -> Result<bool, CloudError> {
    let s3 = at.s3();
    let mut token = None;
    loop {
        let request =
            s3.list_buckets().prefix(at.name).max_buckets(1000).set_continuation_token(token).send();
        let about = About { operation: "ListBuckets", iam_action: "s3:ListAllMyBuckets", resource: "*" };
        let page = at.cloud.ask(about, request).await?;
        if page.buckets().iter().any(|bucket| bucket.name() == Some(at.name)) {
            return Ok(true);
        }
        token = page.continuation_token().map(str::to_owned);
        if token.is_none() {
            return Ok(false);
        }
    }
}

/// Whether a version, delete marker or unfinished upload is left: what stands against deletion.
pub(crate) async fn holds_data(at: At<'_>) -> Result<bool, CloudError> {
    let s3 = at.s3();
    let versions =
        s3.list_object_versions().bucket(at.name).expected_bucket_owner(at.owner).max_keys(1).send();
    let versions = at.ask("ListObjectVersions", "s3:ListBucketVersions", versions).await?;
    if !versions.versions().is_empty() || !versions.delete_markers().is_empty() {
        return Ok(true);
    }
    let uploads =
        s3.list_multipart_uploads().bucket(at.name).expected_bucket_owner(at.owner).max_uploads(1).send();
    let uploads = at.ask("ListMultipartUploads", "s3:ListBucketMultipartUploads", uploads).await?;
    Ok(!uploads.uploads().is_empty())
}

/// Whether attribute-based access control is switched on.
pub(crate) async fn abac(at: At<'_>) -> Result<bool, CloudError> {
    let request = at.s3().get_bucket_abac().bucket(at.name).expected_bucket_owner(at.owner).send();
    let answer = at.ask("GetBucketAbac", "s3:GetBucketAbac", request).await?;
    Ok(answer
        .abac_status()
        .and_then(|status| status.status())
        .is_some_and(|status| status.as_str() == "Enabled"))
}

/// Makes it. Looks first, because in us-east-1 a bucket that one has already answers 200 and loses its ACL.
pub(crate) async fn create(at: At<'_>, object_lock: bool) -> Result<(), CloudError> {
    let about = at.about("CreateBucket", "s3:CreateBucket");
    if let Head::Exists { region } = read(at).await? {
        return Err(about.error(ErrorKind::AlreadyOwned, format!("the bucket exists already, in {region}")));
    }
    let place = (at.region != "us-east-1").then(|| {
        CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(at.region))
            .build()
    });
    let request = at
        .s3_once()
        .create_bucket()
        .bucket(at.name)
        .set_create_bucket_configuration(place)
        // Fields that are not needed break creation somewhere.
        .set_object_lock_enabled_for_bucket(object_lock.then_some(true))
        .send();
    at.cloud.ask(about, request).await.map(drop)
}

/// Deletes it. `NoSuchBucket` is an answer of its own: within seconds of a create it proves nothing, so the executor looks
/// again before it believes it.
pub(crate) async fn remove(at: At<'_>) -> Result<(), CloudError> {
    let request = at.s3_once().delete_bucket().bucket(at.name).expected_bucket_owner(at.owner).send();
    at.ask("DeleteBucket", "s3:DeleteBucket", request).await.map(drop)
}

/// How many unfinished uploads are ended in one page: each is a request.
const UPLOADS: i32 = 50;

/// Deletes a page of versions and delete markers or, where there are none, of unfinished uploads; retention and legal hold
/// are respected. Whether something may be left. May be repeated: what is gone stays gone, so the SDK may retry here.
pub(crate) async fn empty(at: At<'_>) -> Result<bool, CloudError> {
    let request =
        at.s3().list_object_versions().bucket(at.name).expected_bucket_owner(at.owner).max_keys(1000).send();
    let page = at.ask("ListObjectVersions", "s3:ListBucketVersions", request).await?;
    let versions = page.versions().iter().map(|version| (version.key(), version.version_id()));
    let markers = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
    let objects: Vec<ObjectIdentifier> = versions
        .chain(markers)
        .filter_map(|(key, version)| {
            ObjectIdentifier::builder().key(key?).set_version_id(version.map(str::to_owned)).build().ok()
        })
        .collect();
    if objects.is_empty() {
        return empty_uploads(at).await;
    }
    for batch in objects.chunks(1000) {
        delete_batch(at, batch).await?;
    }
    Ok(true)
}

async fn delete_batch(at: At<'_>, batch: &[ObjectIdentifier]) -> Result<(), CloudError> {
    let about = at.about("DeleteObjects", "s3:DeleteObjectVersion");
    let delete = Delete::builder()
        .set_objects(Some(batch.to_vec()))
        .quiet(true)
        .build()
        .map_err(about.unbuildable())?;
    let request =
        at.s3().delete_objects().bucket(at.name).expected_bucket_owner(at.owner).delete(delete).send();
    let answer = at.cloud.ask(about, request).await?;
    let Some(first) = answer.errors().iter().find(|error| error.code() != Some("NoSuchVersion")) else {
        return Ok(());
    };
    let mut error = about.error(
        first.code().and_then(kind_of_code).unwrap_or(ErrorKind::Invalid),
        format!(
            "{} ({} of {} objects of one call, the first `{}`)",
            first.message().unwrap_or_default(),
            answer.errors().len(),
            batch.len(),
            first.key().unwrap_or_default()
        ),
    );
    error.code = first.code().map(str::to_owned);
    Err(error)
}

async fn empty_uploads(at: At<'_>) -> Result<bool, CloudError> {
    let request = at
        .s3()
        .list_multipart_uploads()
        .bucket(at.name)
        .expected_bucket_owner(at.owner)
        .max_uploads(UPLOADS)
        .send();
    let page = at.ask("ListMultipartUploads", "s3:ListBucketMultipartUploads", request).await?;
    for upload in page.uploads() {
        let request = at
            .s3()
            .abort_multipart_upload()
            .bucket(at.name)
            .expected_bucket_owner(at.owner)
            .set_key(upload.key().map(str::to_owned))
            .set_upload_id(upload.upload_id().map(str::to_owned))
            .send();
        match at.ask("AbortMultipartUpload", "s3:AbortMultipartUpload", request).await {
            Err(error) if error.kind != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(!page.uploads().is_empty())
}
