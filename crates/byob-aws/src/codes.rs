//! Every error code that byob knows, in one place. Sources: the API references of S3, KMS, IAM and STS; where two
//! spellings stand beside each other, both have been seen (`aws-lessons.md`).

use byob_apply::ErrorKind;

/// A sub-resource, key, alias or principal that is not there.
const ABSENT: &[&str] = &[
    "KMS.NotFoundException",
    "NoSuchBucketPolicy",
    "NoSuchCORSConfiguration",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchTagSet",
    "NoSuchTagSetError",
    "NoSuchEntity",
    "NoSuchEntityException",
    "NoSuchKey",
    "NoSuchUpload",
    "NoSuchVersion",
    "NotFound",
    "NotFoundException",
    "ObjectLockConfigurationNotFound",
    "ObjectLockConfigurationNotFoundError",
    "OwnershipControlsNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
];

const NO_SUCH_BUCKET: &[&str] = &["NoSuchBucket"];

const DENIED: &[&str] =
    &["AccessDenied", "AccessDeniedException", "AllAccessDisabled", "Forbidden", "UnauthorizedOperation"];

/// What was once a credential. A secret that does not fit its key id counts here too: it has to be renewed as well.
const NOT_VALID_ANY_MORE: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
];

const NO_CREDENTIALS: &[&str] = &["MissingAuthenticationToken", "MissingAuthenticationTokenException"];

/// `TemporaryRedirect`: the name of a bucket made a moment ago is not everywhere yet.
const TRY_AGAIN: &[&str] = &[
    "ConcurrentModification",
    "ConcurrentModificationException",
    "ConditionalRequestConflict",
    "ConflictException",
    "OperationAborted",
    "TemporaryRedirect",
];

const THROTTLED: &[&str] = &[
    "LimitExceededThrottling",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequests",
    "TooManyRequestsException",
];

const INTERNAL: &[&str] = &[
    "DependencyTimeoutException",
    "InternalError",
    "InternalFailure",
    "KMSInternalException",
    "KeyUnavailableException",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceFailure",
];

const MALFORMED_POLICY: &[&str] =
    &["MalformedPolicy", "MalformedPolicyDocument", "MalformedPolicyDocumentException"];

const ALREADY_OWNED: &[&str] = &["BucketAlreadyOwnedByYou"];

const ALREADY_EXISTS: &[&str] = &["AlreadyExistsException", "BucketAlreadyExists", "EntityAlreadyExists"];

const NOT_EMPTY: &[&str] = &["BucketNotEmpty"];

const INVALID_STATE: &[&str] = &[
    "DisabledException",
    "InvalidBucketState",
    "KMS.DisabledException",
    "KMS.KMSInvalidStateException",
    "KMSInvalidStateException",
    "KmsInvalidStateException",
];

/// Isolated partitions and other stores.
const UNSUPPORTED: &[&str] = &[
    "MethodNotAllowed",
    "NotImplemented",
    "UnsupportedArgument",
    "UnsupportedOperation",
    "UnsupportedOperationException",
    "XNotImplemented",
];

/// `AuthorizationHeaderMalformed` names the real region when a taken name is created from another one.
const WRONG_REGION: &[&str] = &["AuthorizationHeaderMalformed", "PermanentRedirect"];

/// The request is wrong, whatever the status says.
const INVALID: &[&str] = &["RequestTimeTooSkewed"];

/// The class of a code; `None` for a code that is not in the tables.
pub(crate) fn kind_of_code(code: &str) -> Option<ErrorKind> {
    const TABLE: &[(&[&str], ErrorKind)] = &[
        (ABSENT, ErrorKind::NotFound),
        (NO_SUCH_BUCKET, ErrorKind::NoSuchBucket),
        (DENIED, ErrorKind::AccessDenied),
        (NOT_VALID_ANY_MORE, ErrorKind::ExpiredCredentials),
        (NO_CREDENTIALS, ErrorKind::NoCredentials),
        (TRY_AGAIN, ErrorKind::Conflict),
        (THROTTLED, ErrorKind::Throttled),
        (INTERNAL, ErrorKind::Internal),
        (MALFORMED_POLICY, ErrorKind::MalformedPolicy),
        (ALREADY_OWNED, ErrorKind::AlreadyOwned),
        (ALREADY_EXISTS, ErrorKind::AlreadyExists),
        (NOT_EMPTY, ErrorKind::NotEmpty),
        (INVALID_STATE, ErrorKind::InvalidState),
        (UNSUPPORTED, ErrorKind::Unsupported),
        (WRONG_REGION, ErrorKind::WrongRegion),
        (INVALID, ErrorKind::Invalid),
    ];
    TABLE.iter().find(|(codes, _)| codes.contains(&code)).map(|(_, kind)| *kind)
}

/// The class of an answer without a known code (HEAD has no body, hence no code).
pub(crate) fn kind_of_status(status: u16) -> ErrorKind {
    match status {
        301 => ErrorKind::WrongRegion,
        307 => ErrorKind::Conflict,
        401 | 403 => ErrorKind::AccessDenied,
        404 => ErrorKind::NotFound,
        405 | 501 => ErrorKind::Unsupported,
        429 | 503 => ErrorKind::Throttled,
        500 | 502 | 504 => ErrorKind::Internal,
        400..=499 => ErrorKind::Invalid,
        _ => ErrorKind::Unexpected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_decides_before_a_status() {
        for (code, kind) in [
            ("NoSuchTagSet", ErrorKind::NotFound),
            ("NoSuchTagSetError", ErrorKind::NotFound),
            ("ObjectLockConfigurationNotFound", ErrorKind::NotFound),
            ("ObjectLockConfigurationNotFoundError", ErrorKind::NotFound),
            ("ServerSideEncryptionConfigurationNotFoundError", ErrorKind::NotFound),
            ("NotFoundException", ErrorKind::NotFound),
            ("NoSuchBucket", ErrorKind::NoSuchBucket),
            ("AccessDenied", ErrorKind::AccessDenied),
            ("AccessDeniedException", ErrorKind::AccessDenied),
            ("ExpiredToken", ErrorKind::ExpiredCredentials),
            ("ExpiredTokenException", ErrorKind::ExpiredCredentials),
            ("SignatureDoesNotMatch", ErrorKind::ExpiredCredentials),
            ("OperationAborted", ErrorKind::Conflict),
            ("ConditionalRequestConflict", ErrorKind::Conflict),
            ("SlowDown", ErrorKind::Throttled),
            ("Throttling", ErrorKind::Throttled),
            ("ThrottlingException", ErrorKind::Throttled),
            ("InternalError", ErrorKind::Internal),
            ("MalformedPolicy", ErrorKind::MalformedPolicy),
            ("MalformedPolicyDocumentException", ErrorKind::MalformedPolicy),
            ("BucketAlreadyOwnedByYou", ErrorKind::AlreadyOwned),
            ("BucketAlreadyExists", ErrorKind::AlreadyExists),
            ("AlreadyExistsException", ErrorKind::AlreadyExists),
            ("BucketNotEmpty", ErrorKind::NotEmpty),
            ("KMSInvalidStateException", ErrorKind::InvalidState),
            ("InvalidBucketState", ErrorKind::InvalidState),
            ("MethodNotAllowed", ErrorKind::Unsupported),
            ("NotImplemented", ErrorKind::Unsupported),
            ("XNotImplemented", ErrorKind::Unsupported),
            ("UnsupportedOperation", ErrorKind::Unsupported),
            ("UnsupportedArgument", ErrorKind::Unsupported),
            ("PermanentRedirect", ErrorKind::WrongRegion),
            ("AuthorizationHeaderMalformed", ErrorKind::WrongRegion),
        ] {
            assert_eq!(kind_of_code(code), Some(kind), "{code}");
        }
        assert_eq!(kind_of_code("SomethingNew"), None);
    }

    #[test]
    fn without_a_code_the_status_decides_and_only_404_is_absence() {
        for (status, kind) in [
            (301, ErrorKind::WrongRegion),
            (307, ErrorKind::Conflict),
            (400, ErrorKind::Invalid),
            (403, ErrorKind::AccessDenied),
            (404, ErrorKind::NotFound),
            (405, ErrorKind::Unsupported),
            (409, ErrorKind::Invalid),
            (412, ErrorKind::Invalid),
            (500, ErrorKind::Internal),
            (503, ErrorKind::Throttled),
            (200, ErrorKind::Unexpected),
        ] {
            assert_eq!(kind_of_status(status), kind, "{status}");
        }
    }
}
