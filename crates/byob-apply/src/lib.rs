//! The executor: runs a plan against a [`Cloud`] and a `Store`, journals, and emits events. Everything that decides stands
//! in `byob-plan`; everything that talks to AWS stands behind [`Cloud`].

pub mod cloud;
pub mod command;
mod error;
mod pace;
pub mod readback;
pub mod record;
pub mod recovery;
pub mod run;
mod step;

pub use cloud::{Caller, Clock, Cloud, CloudError, Done, ErrorKind, Needed};
pub use error::{ApplyError, StepError as Failure};
pub use pace::Pace;
pub use readback::{Replan, Settled, read_back, settle};
pub use run::{Report, Run, StepFailure, goes_on};
