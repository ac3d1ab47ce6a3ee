//! A world for the real planner, the real executor and the real record: an account of S3 and KMS with AWS's rules, virtual
//! time, faults and crashes, all on one thread and from one seed. Not shipped: whatever the executor may never do (a symbolic
//! key in a call, two writes of one bucket at once) is a panic here, and a panic is a finding.

mod dice;
mod world;

pub use dice::Dice;
pub use world::{
    ACCOUNT, Account, Bucket, Command, Consent, Ended, Fault, Faults, Injected, Key, Life, Luck, Nobody,
    Onlooker, Place, Processes, Ran, Refused, Signal, Stored, Time, Watch, When, World, run,
};
