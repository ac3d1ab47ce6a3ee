//! The outside: live reads and writes through the AWS SDK. Implements [`byob_apply::Cloud`].
//!
//! Rooms: `connect` makes first contact (region, profile, credentials, endpoint) and says in words what is missing;
//! `credentials` is the chain of sources it asks; `cloud` holds the clients, the bound on requests in flight and the
//! way every request goes; `codes` and `error` turn AWS's answers into the closed list that everything above decides
//! by; `read` and `perform` are the two halves of the trait; then one file a kind, named as in `byob-model`, each with
//! `read`, `put` and `remove` in that order where AWS has them; `objects`, where a record is kept; `probe`, the requests of
//! `byob verify`; `ordinary`, an HTTP client that signs nothing; `trail`, who changed what; `trace` tells of every call. What
//! may not enter: comparing, deciding, retrying
//! writes, and words about plans.

#![allow(
    clippy::result_large_err,
    reason = "an error ends a request of milliseconds; its size is no cost here"
)]

mod alias;
mod bucket;
mod cloud;
mod codes;
mod connect;
mod cors;
mod credentials;
mod encryption;
mod error;
mod key;
mod key_policy;
mod lifecycle;
mod logging;
mod object_lock;
mod objects;
mod ordinary;
mod ownership;
mod perform;
mod permission;
mod policy;
mod probe;
mod public_access_block;
mod read;
mod rotation;
mod tags;
mod trace;
mod trail;
mod versioning;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

pub use cloud::{AwsCloud, Endpoint};
pub use connect::{AssumeRole, Connection, connect};
pub use objects::S3Objects;
pub use probe::S3Probe;
pub use trail::History;
