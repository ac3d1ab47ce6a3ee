//! A world for the real planner, the real executor and the real record: an account of S3 and KMS with AWS's rules, virtual
//! time, faults and crashes, all on one thread and from one seed; and a judge that looks at it after every write. Not shipped:
//! whatever the executor may never do (a symbolic key in a call, two writes of one bucket at once) is a panic here, and a
//! panic is a finding.

pub mod access;
mod dice;
pub mod figures;
mod hand;
pub mod judge;
mod settled;
pub mod simulation;
mod wanted;
mod world;

pub use dice::Dice;
pub use settled::unsettled;
pub use world::{
    ACCOUNT, Account, Bucket, Bugs, Command, Consent, Ended, Fault, Faults, Happened, Held, Injected, Key,
    Life, Luck, Nobody, Onlooker, Place, Processes, Ran, RecordBucket, Refused, Shelf, Signal, Stored, Time,
    Watch, When, World, run,
};
