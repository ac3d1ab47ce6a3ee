//! The events of a plan's execution. The executor emits them; every view (bars, lines, JSON) only consumes them.

use byob_model::address::Address;

/// Something that happened during an apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A step begins.
    Started {
        /// Its id.
        step: String,
        /// Its address.
        address: Address,
    },
    /// AWS asked to try again.
    Retrying {
        /// The step's id.
        step: String,
        /// Its address.
        address: Address,
        /// AWS's answer, in words.
        why: String,
    },
    /// A step is done.
    Done {
        /// Its id.
        step: String,
        /// Its address.
        address: Address,
    },
    /// A step failed.
    Failed {
        /// Its id.
        step: String,
        /// Its address.
        address: Address,
        /// AWS's answer, in words.
        why: String,
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
