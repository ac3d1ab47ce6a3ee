//! The events of a plan's execution. The executor emits them; every view (bars, lines, JSON) only consumes them.

use std::time::Duration;

use byob_model::address::Address;

use crate::plan::Action;

/// Something that happened during an apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A step begins.
    Started {
        /// Its id.
        step: String,
        /// Its address.
        address: Address,
        /// What it does.
        action: Action,
        /// The operations it calls, in order: `PutBucketPolicy`. Empty where it only changes the record.
        operations: Vec<&'static str>,
    },
    /// AWS asked to try again.
    Retrying {
        /// The step's id.
        step: String,
        /// Its address.
        address: Address,
        /// AWS's answer, in words.
        why: String,
        /// AWS's answer, in its parts.
        answer: Answer,
        /// How often the call was tried until now.
        tries: u32,
        /// How long is waited before the next try.
        wait: Duration,
    },
    /// A step is done.
    Done {
        /// Its id.
        step: String,
        /// Its address.
        address: Address,
        /// How long it took.
        took: Duration,
    },
    /// A step failed.
    Failed {
        /// Its id.
        step: String,
        /// Its address.
        address: Address,
        /// AWS's answer, in words.
        why: String,
        /// AWS's answer, in its parts; `None` where it was none of AWS's that ended the step.
        answer: Option<Answer>,
        /// How long it took.
        took: Duration,
    },
    /// A step was not started, because what it depends on failed or because of an interrupt.
    Skipped {
        /// Its id.
        step: String,
        /// Its address.
        address: Address,
    },
    /// Everything is read back.
    ReadingBack {
        /// Which time.
        round: u32,
        /// Addresses not yet seen as wanted.
        waiting: usize,
    },
}

/// The parts of an answer of AWS that was no success, for programs. Of the request it holds the operation alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// `PutBucketPolicy`; empty where no request was made.
    pub operation: String,
    /// AWS's code: `MalformedPolicy`.
    pub code: Option<String>,
    /// HTTP status; `None` where no answer came.
    pub status: Option<u16>,
    /// AWS's request id.
    pub request_id: Option<String>,
}
