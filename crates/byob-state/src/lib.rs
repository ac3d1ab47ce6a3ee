//! The record: format, journal, lock and the local store.
//!
//! What a record means is `byob_model::recorded`; here is how it is kept. [`mod@format`] and [`journal`] turn it into text
//! and back, [`assembled`] puts the two together and says what may be stored next (all three pure, and shared by every
//! store); [`store`] is what the executor and the commands ask of a place that keeps records, [`tools`] what the commands
//! that repair or move one ask besides; [`local`] is such a place in files, [`remote`] one in [`objects`], [`memory`] one
//! for tests. No AWS and no runtime here.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod assembled;
mod disk;
pub mod format;
pub mod journal;
mod json;
pub mod lease;
pub mod local;
pub mod memory;
pub mod objects;
pub mod remote;
pub mod store;
#[cfg(test)]
mod testing;
pub mod tools;

pub use assembled::AssembleError;
pub use format::{FORMAT_VERSION, FormatError};
pub use journal::{Entry, JournalError, replay};
pub use local::LocalStore;
pub use memory::MemoryStore;
pub use objects::{ObjectError, Objects, Timer};
pub use remote::RemoteStore;
pub use store::{Guard, LastGood, Loaded, LockInfo, ProcessMark, Store, StoreError, Waiting, since_boot};
pub use tools::{Destination, Kept, Tools, put_back};

/// The version that is written into records.
pub const BYOB_VERSION: &str = env!("CARGO_PKG_VERSION");
