//! The world: an account with AWS's rules, the record's place, time, and commands that run in it. What goes wrong in it is
//! told it; nothing here knows what a test wants.

mod account;
mod answers;
mod bugs;
mod cloud;
mod command;
mod faults;
mod objects;
mod place;
mod shelf;
mod time;

pub use account::{Account, Bucket, Key};
pub use bugs::Bugs;
pub use cloud::{Watch, World};
pub use command::{Command, Consent, Ended, Nobody, Onlooker, Refused};
pub use faults::{Fault, Faults, Injected, Luck, When};
pub use objects::RecordBucket;
pub use place::{Happened, Place, Stored};
pub use shelf::{Held, Shelf};
pub use time::{Life, Processes, Ran, Signal, Time, run};

/// The account everything is in.
pub const ACCOUNT: &str = "123456789012";
