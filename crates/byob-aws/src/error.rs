//! From the SDK's errors to [`CloudError`]. Codes, statuses and headers decide; AWS's messages are only shown.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::error::operation::BuildError;
use byob_apply::{CloudError, ErrorKind};

use crate::codes::{kind_of_code, kind_of_status};

/// What a request is about, for the error that may come of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    /// `PutBucketPolicy`.
    pub(crate) operation: &'static str,
    /// `s3:PutBucketPolicy`; empty where none is needed.
    pub(crate) iam_action: &'static str,
    /// Name or ARN.
    pub(crate) resource: &'a str,
}

impl About<'_> {
    /// An error of this request.
    pub(crate) fn error(self, kind: ErrorKind, message: impl Into<String>) -> CloudError {
        CloudError {
            kind,
            operation: self.operation.to_owned(),
            iam_action: (!self.iam_action.is_empty()).then(|| self.iam_action.to_owned()),
            resource: self.resource.to_owned(),
            code: None,
            status: None,
            message: message.into(),
            request_id: None,
            help: Vec::new(),
        }
    }

    /// A request that could not be built: a defect of byob, or an answer of AWS that lacks what it always has.
    pub(crate) fn unbuildable(self) -> impl FnOnce(BuildError) -> CloudError {
        move |error| self.error(ErrorKind::Unexpected, format!("the request cannot be made: {error}"))
    }

    /// Classifies an answer that is no success, or the lack of one.
    pub(crate) fn classify<E>(self, error: &SdkError<E, HttpResponse>) -> CloudError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let mut found = self.error(ErrorKind::Unexpected, "");
        if let Some(raw) = error.raw_response() {
            found.status = Some(raw.status().as_u16());
            found.request_id = request_id(raw);
        }
        match error {
            // An answer that is none of AWS's: a proxy's page, a truncated body, another store's idea of the format. A
            // write that was answered with success has had its effect.
            SdkError::ServiceError(_) | SdkError::ResponseError(_)
                if found.status.is_none_or(|status| (200..300).contains(&status)) =>
            {
                found.kind = ErrorKind::Network;
                found.message = format!("an answer that cannot be read: {}", innermost(error));
            }
            SdkError::ServiceError(context) => {
                let err = context.err();
                found.code = err.code().map(str::to_owned);
                found.message = err.message().unwrap_or_default().to_owned();
                found.kind = kind(found.code.as_deref(), found.status);
            }
            SdkError::ResponseError(_) => {
                found.kind = kind(None, found.status);
                found.message = format!("an answer that cannot be read: {}", innermost(error));
            }
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => {
                found.kind = kind_without_answer(error);
                found.message = match found.kind {
                    ErrorKind::Network => format!("no answer: {}", innermost(error)),
                    _ => innermost(error),
                };
            }
            _ => found.message = innermost(error),
        }
        found
    }
}

/// AWS's name for a request, S3's and the other services'.
pub(crate) fn request_id(answer: &HttpResponse) -> Option<String> {
    let names = ["x-amz-request-id", "x-amzn-requestid"];
    names.iter().find_map(|name| answer.headers().get(*name)).map(str::to_owned)
}

fn kind(code: Option<&str>, status: Option<u16>) -> ErrorKind {
    code.and_then(kind_of_code).or_else(|| status.map(kind_of_status)).unwrap_or(ErrorKind::Unexpected)
}

/// A dispatch failure is not a network signal: missing credentials and a missing region look the same from outside.
fn kind_without_answer<E: Error + 'static>(error: &SdkError<E, HttpResponse>) -> ErrorKind {
    if let Some(credentials) = credentials_error(error) {
        return match credentials {
            CredentialsError::ProviderTimedOut(_) | CredentialsError::ProviderError(_) => {
                ErrorKind::ExpiredCredentials
            }
            _ => ErrorKind::NoCredentials,
        };
    }
    // The type behind it is private to the SDK's plumbing; its text has been the same in all SDKs for years.
    if sources(error).any(|source| source.to_string().contains("Missing Region")) {
        return ErrorKind::NoRegion;
    }
    match error {
        SdkError::ConstructionFailure(_) => ErrorKind::Unexpected,
        SdkError::DispatchFailure(failure) if failure.is_user() => ErrorKind::Unexpected,
        _ => ErrorKind::Network,
    }
}

/// What the credentials chain said, where an error came of that.
pub(crate) fn credentials_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CredentialsError> {
    sources(error).find_map(|source| source.downcast_ref::<CredentialsError>())
}

/// Whether the SDK gave up waiting for credentials. It says so in words alone.
pub(crate) fn credentials_timed_out<E: Error + 'static>(error: &SdkError<E, HttpResponse>) -> bool {
    matches!(
        error,
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) | SdkError::ConstructionFailure(_)
    ) && sources(error).any(|source| source.to_string().contains("identity resolver timed out"))
}

/// An error and everything it comes from, outermost first.
pub(crate) fn sources<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'a (dyn Error + 'static) = *error;
        error.source()
    })
}

/// The words of the innermost source: the one that says what happened.
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> String {
    sources(error).map(ToString::to_string).filter(|text| !text.is_empty()).last().unwrap_or_default()
}

/// An error without a request: first contact, or a call that byob itself has built wrongly.
pub(crate) fn without_request(kind: ErrorKind, message: impl Into<String>, help: &[&str]) -> CloudError {
    CloudError {
        kind,
        operation: String::new(),
        iam_action: None,
        resource: String::new(),
        code: None,
        status: None,
        message: message.into(),
        request_id: None,
        help: help.iter().map(|&line| line.to_owned()).collect(),
    }
}
