//! A world for the real planner and the real executor: an account of S3 and KMS with AWS's rules, virtual time, faults and
//! crashes, all on one thread and from one seed. No test stands here, and nothing here knows what a test wants.

mod account;
mod answers;
mod cloud;
mod command;
mod place;
mod time;

pub use account::Bucket;
pub use cloud::{Fault, Faults, When, World};
pub use command::{Command, Consent, Ended};
pub use place::Place;
pub use time::{Ran, run};

/// The account everything is in.
pub const ACCOUNT: &str = "123456789012";
