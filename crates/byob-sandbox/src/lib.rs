//! The embedded AWS: an emulator made stricter, persisted to a folder, with fault injection.
//!
//! It stands on the `winterbaume-*` crates for what they do well (objects, cryptography, IAM entities) and answers
//! itself wherever AWS is stricter than they are: buckets and their sub-resources, KMS keys and aliases, the few IAM
//! and STS calls that byob makes. What may not enter: anything about byob's own record, plans or configuration.
//!
//! [`Sandbox`] is one world. [`Sandbox::http_client`] is an HTTP client for the AWS SDK that never leaves the
//! process; [`Sandbox::serve`] answers the same over HTTP on loopback. With [`Options::dir`] the world lives in a
//! folder: each bucket, key and alias is a file of its own, written before the call is answered (temporary file,
//! then rename), and read again when another process has changed it. So several processes may use one folder, also
//! at once: writes exclude each other by a lock for the length of one call.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on fails"))]

mod answer;
mod client;
mod cloudtrail;
mod error;
mod faults;
mod iam;
mod kms;
mod policy;
mod route;
mod s3;
mod sandbox;
mod serve;
mod store;
mod sts;
mod world;
mod xml;

pub use error::SandboxError;
pub use faults::Faults;
pub use sandbox::{CallRecord, Options, Sandbox, Seed};
