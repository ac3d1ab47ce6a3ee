//! Why an apply stopped.

use byob_model::address::Address;
use byob_plan::event::Answer;
use byob_state::StoreError;

use crate::cloud::CloudError;

/// What ends an apply before its steps are all tried.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The record could not be written or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// AWS could not be read.
    #[error(transparent)]
    Cloud(#[from] CloudError),
}

/// Why one step failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// AWS's answer.
    #[error("{error}{tried}")]
    Cloud {
        /// The answer.
        error: CloudError,
        /// How long it was tried, in words; may be empty.
        tried: String,
    },
    /// Somebody changed the policy between plan and put: the approval does not cover what would be overwritten.
    #[error("the policy of {address} was changed since it was planned; nothing was overwritten")]
    PolicyChanged {
        /// Whose.
        address: Address,
    },
    /// A bucket of this name appeared between plan and create.
    #[error("`{name}` exists now, and nothing proves that byob made it")]
    NotOurs {
        /// Its name.
        name: String,
    },
    /// A key that should have been created by an earlier step has no ARN.
    #[error("{key} has no ARN yet")]
    NoArn {
        /// Which key.
        key: String,
    },
    /// Somebody asked to stop while a bucket was being emptied.
    #[error("{address} was not emptied to the end; what is deleted is gone, what is left is as it was")]
    Interrupted {
        /// Which bucket.
        address: Address,
    },
    /// The record's lock does not hold any more: somebody else may be writing.
    #[error("{why}; nothing more was written")]
    LockLost {
        /// What the store says.
        why: String,
    },
}

impl StepError {
    /// AWS's answer in its parts, where one ended the step.
    #[must_use]
    pub fn answer(&self) -> Option<Answer> {
        match self {
            Self::Cloud { error, .. } => Some(error.answer()),
            _ => None,
        }
    }
}

impl From<CloudError> for StepError {
    fn from(error: CloudError) -> Self {
        Self::Cloud { error, tried: String::new() }
    }
}
