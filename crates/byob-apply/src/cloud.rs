//! What the executor needs of the outside: a cloud that reads and writes, and a clock. Traits, so that a simulation can
//! play both.

use std::fmt;
use std::time::Duration;

use byob_model::call::{Call, Target};
use byob_model::kind::KeyRef;
use byob_model::live::{Live, Wanted};
use byob_plan::event::Answer;

/// Who is asking, from `sts:GetCallerIdentity`, which needs no permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// 12 digits.
    pub account_id: String,
    /// `arn:aws:sts::123456789012:assumed-role/Admin/session`, or a user's or the root's ARN.
    pub arn: String,
}

/// The outcome of one write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// `CreateKey`: the new key's ARN.
    pub key_arn: Option<String>,
    /// `DeleteObjects`: something may be left, and the same call goes on with it. One call is a page, so that whoever makes
    /// it can stop, and lose the lock, between two.
    pub more: bool,
}

/// An IAM action on a resource that the caller will need.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Needed {
    /// `s3:PutBucketPolicy`.
    pub iam_action: String,
    /// ARN, or `*`.
    pub resource: String,
}

/// The cloud, as byob sees it.
#[allow(async_fn_in_trait, reason = "one runtime, one thread: no Send bounds are wanted")]
pub trait Cloud {
    /// Who is asking.
    ///
    /// # Errors
    /// No credentials, expired ones, no network.
    async fn caller(&self) -> Result<Caller, CloudError>;

    /// Reads all that is wanted, in parallel with a bound. Refused reads are collected in the answer, not returned.
    ///
    /// # Errors
    /// The first unexpected answer, with its request id.
    async fn read(&self, wanted: &Wanted) -> Result<Live, CloudError>;

    /// Makes one write. Never retries what cannot be repeated; the executor retries what AWS asks to retry.
    ///
    /// # Errors
    /// AWS's answer, classified.
    async fn perform(&self, call: &Call) -> Result<Done, CloudError>;

    /// Which of these the caller's own policies do not allow (`iam:SimulatePrincipalPolicy`).
    ///
    /// # Errors
    /// [`ErrorKind::AccessDenied`] where the caller may not ask.
    async fn denied(&self, caller: &Caller, needed: &[Needed]) -> Result<Vec<Needed>, CloudError>;

    /// Whether a role or user of the caller's own account exists (`iam:GetRole`, `iam:GetUser`).
    ///
    /// # Errors
    /// [`ErrorKind::AccessDenied`] where the caller may not ask.
    async fn principal_exists(&self, arn: &str) -> Result<bool, CloudError>;

    /// AWS's clock: the newest `Date` header seen, UTC seconds since 1970; `None` before the first answer.
    fn cloud_time(&self) -> Option<i64>;
}

/// Time, so that a simulation can own it.
#[allow(async_fn_in_trait, reason = "one runtime, one thread: no Send bounds are wanted")]
pub trait Clock {
    /// UTC seconds since 1970.
    fn now(&self) -> i64;
    /// Time that only grows, since some fixed moment.
    fn elapsed(&self) -> Duration;
    /// Waits.
    async fn sleep(&self, time: Duration);
}

/// What time it is: AWS's clock, which does not jump when this machine's is put right, or this machine's before AWS has
/// answered. UTC seconds since 1970.
pub(crate) fn now<C: Cloud, K: Clock>(cloud: &C, clock: &K) -> i64 {
    cloud.cloud_time().unwrap_or_else(|| clock.now())
}

/// What kind of answer an error is: the closed list that everything above decides by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// No credentials were found.
    NoCredentials,
    /// Credentials were found and are expired (SSO session, token).
    ExpiredCredentials,
    /// No region is known.
    NoRegion,
    /// The request may never have reached AWS, or its answer was lost: it may have had its effect.
    Network,
    /// 403.
    AccessDenied,
    /// The thing asked about is not there.
    NotFound,
    /// `NoSuchBucket`: after a create, not there yet.
    NoSuchBucket,
    /// `OperationAborted`, `ConditionalRequestConflict`: try again.
    Conflict,
    /// `SlowDown`, `ThrottlingException`, 503.
    Throttled,
    /// 500 and its like.
    Internal,
    /// `MalformedPolicy`, `MalformedPolicyDocumentException`: a document that cannot be, or a principal not known (yet).
    MalformedPolicy,
    /// `BucketAlreadyOwnedByYou`.
    AlreadyOwned,
    /// `BucketAlreadyExists`, `AlreadyExistsException`: somebody else's.
    AlreadyExists,
    /// `BucketNotEmpty`.
    NotEmpty,
    /// `KMSInvalidStateException`, `DisabledException`, `InvalidBucketState`.
    InvalidState,
    /// `NotImplemented`, `MethodNotAllowed`, …: not offered by this endpoint.
    Unsupported,
    /// 301, `AuthorizationHeaderMalformed`: the bucket is in another region.
    WrongRegion,
    /// Any other 4xx.
    Invalid,
    /// Anything else.
    Unexpected,
}

/// An answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudError {
    /// The class of it.
    pub kind: ErrorKind,
    /// `PutBucketPolicy`; empty where no request was made.
    pub operation: String,
    /// `s3:PutBucketPolicy`, where one is known.
    pub iam_action: Option<String>,
    /// Name or ARN of what it was about; empty where nothing is.
    pub resource: String,
    /// AWS's code.
    pub code: Option<String>,
    /// HTTP status.
    pub status: Option<u16>,
    /// AWS's message, or ours where no request was made. Never holds credentials.
    pub message: String,
    /// AWS's request id.
    pub request_id: Option<String>,
    /// How to mend it, one line each; empty where nothing is known.
    pub help: Vec<String>,
}

impl CloudError {
    /// Its parts, for a log.
    #[must_use]
    pub fn answer(&self) -> Answer {
        Answer {
            operation: self.operation.clone(),
            code: self.code.clone(),
            status: self.status,
            request_id: self.request_id.clone(),
        }
    }

    /// No answer came in time: the call may have had its effect.
    pub(crate) fn unanswered(call: &Call, limit: Duration) -> Self {
        let resource = match &call.target {
            Target::Bucket { name, .. } => name.clone(),
            Target::Key { key: KeyRef::Arn(arn), .. } => arn.clone(),
            Target::Key { .. } => String::new(),
        };
        Self {
            kind: ErrorKind::Network,
            operation: call.operation.as_str().to_owned(),
            iam_action: Some(call.operation.iam_action().to_owned()),
            resource,
            code: None,
            status: None,
            message: format!("within {} s", limit.as_secs()),
            request_id: None,
            help: Vec::new(),
        }
    }

    /// Whether AWS may have refused a policy because it does not know a principal yet: then the same policy may be taken
    /// a moment later. What it says of actions, resources or conditions stays true however often one asks.
    #[must_use]
    pub fn may_be_new_principal(&self) -> bool {
        const LASTING: [&str; 5] = [
            "invalid action",
            "invalid resource",
            "invalid condition",
            "does not apply to any resource",
            "syntax",
        ];
        let message = self.message.to_ascii_lowercase();
        self.kind == ErrorKind::MalformedPolicy && !LASTING.iter().any(|lasting| message.contains(lasting))
    }
}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.operation.is_empty() {
            return f.write_str(&self.message);
        }
        match self.kind {
            ErrorKind::Network => write!(f, "no answer came to {}", self.operation)?,
            _ => write!(f, "AWS refused {}", self.operation)?,
        }
        if !self.resource.is_empty() {
            write!(f, " on {}", self.resource)?;
        }
        match (&self.code, self.status) {
            (Some(code), _) => write!(f, ": {code}")?,
            (None, Some(status)) => write!(f, ": HTTP {status}")?,
            (None, None) => {}
        }
        if !self.message.is_empty() {
            write!(f, " \"{}\"", self.message)?;
        }
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CloudError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS's own sentences: S3's, KMS's and IAM's.
    #[test]
    fn only_what_may_be_about_a_principal_is_worth_waiting_for() {
        let error = |message: &str| CloudError {
            kind: ErrorKind::MalformedPolicy,
            operation: "PutBucketPolicy".to_owned(),
            iam_action: None,
            resource: String::new(),
            code: None,
            status: Some(400),
            message: message.to_owned(),
            request_id: None,
            help: Vec::new(),
        };
        for passing in [
            "Invalid principal in policy",
            "Policy contains a statement with one or more invalid principals.",
            "",
        ] {
            assert!(error(passing).may_be_new_principal(), "{passing}");
        }
        for lasting in [
            "Policy has invalid action",
            "Policy has invalid resource",
            "Action does not apply to any resource(s) in statement",
            "Policy has an invalid condition key",
            "Invalid policy syntax.",
        ] {
            assert!(!error(lasting).may_be_new_principal(), "{lasting}");
        }
    }
}
