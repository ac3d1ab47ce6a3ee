//! A bucket's versioning.

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use byob_apply::{CloudError, ErrorKind};
use byob_model::kind::{Attributes, Versioning, VersioningStatus};
use byob_model::live::LiveAspect;

use crate::bucket::At;
use crate::cloud::Endpoint;

/// What AWS says about versioning, with what stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) status: VersioningStatus,
    pub(crate) mfa_delete: bool,
}

impl Found {
    pub(crate) fn aspect(self) -> LiveAspect {
        LiveAspect::Present(Attributes::Versioning(Versioning { status: self.status }))
    }
}

pub(crate) async fn read(at: At<'_>) -> Result<Found, CloudError> {
    let request = at.s3().get_bucket_versioning().bucket(at.name).expected_bucket_owner(at.owner).send();
    let about = at.about("GetBucketVersioning", "s3:GetBucketVersioning");
    let error = match at.cloud.raw(about, request).await {
        Ok(answer) => {
            return Ok(Found {
                status: from_aws(answer.status().map(BucketVersioningStatus::as_str)),
                mfa_delete: answer.mfa_delete().is_some_and(|mfa| mfa.as_str() == "Enabled"),
            });
        }
        Err(error) => error,
    };
    match error.raw_response().and_then(misnamed) {
        Some(found) if at.cloud.endpoint() != Endpoint::Aws => Ok(found),
        _ => Err(at.cloud.explain(about, &error)),
    }
}

/// moto answers with `GetBucketVersioningResponse` in the place of `VersioningConfiguration`, which the SDK refuses to
/// read; what stands in it is right.
fn misnamed(answer: &HttpResponse) -> Option<Found> {
    let text = std::str::from_utf8(answer.body().bytes()?).ok()?;
    let (_, inside) =
        text.split_once("<GetBucketVersioningResponse").filter(|_| answer.status().is_success())?;
    let of = |element: &str| {
        let (_, rest) = inside.split_once(&format!("<{element}>"))?;
        rest.split('<').next()
    };
    Some(Found { status: from_aws(of("Status")), mfa_delete: of("MfaDelete") == Some("Enabled") })
}

pub(crate) async fn put(at: At<'_>, wanted: &Versioning) -> Result<(), CloudError> {
    let about = at.about("PutBucketVersioning", "s3:PutBucketVersioning");
    let status = match wanted.status {
        VersioningStatus::Enabled => BucketVersioningStatus::Enabled,
        VersioningStatus::Suspended => BucketVersioningStatus::Suspended,
        VersioningStatus::Disabled => {
            return Err(
                about.error(ErrorKind::Unexpected, "versioning that was never on cannot be asked for")
            );
        }
    };
    let request = at
        .s3_once()
        .put_bucket_versioning()
        .bucket(at.name)
        .expected_bucket_owner(at.owner)
        .versioning_configuration(VersioningConfiguration::builder().status(status).build())
        .send();
    at.cloud.ask(about, request).await.map(drop)
}

/// An empty answer means that versioning never was on.
fn from_aws(status: Option<&str>) -> VersioningStatus {
    match status {
        Some("Enabled") => VersioningStatus::Enabled,
        Some("Suspended") => VersioningStatus::Suspended,
        _ => VersioningStatus::Disabled,
    }
}
