//! What can go wrong with the sandbox itself. Errors that AWS would answer are answers, and live in `answer`.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the sandbox could not be opened, kept, served or reset.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A file or folder of the world could not be read or written.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// What was tried, a verb: `read`, `write`, `remove`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the world does not hold what it should.
    #[error("{path} is not a file of this sandbox: {reason}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The world was written by a newer version.
    #[error("{path} has format {found}, this version knows up to {known}")]
    NewerFormat {
        /// The file that says so.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// The folder is the world of another account.
    #[error("the sandbox in {path} belongs to account {found}, not {wanted}")]
    OtherAccount {
        /// The folder.
        path: PathBuf,
        /// Its account.
        found: String,
        /// The account that was asked for.
        wanted: String,
    },
    /// The folder holds something, but not a sandbox.
    #[error("{path} is not a sandbox, and not empty")]
    NotASandbox {
        /// The folder.
        path: PathBuf,
    },
    /// The account is not twelve digits.
    #[error("{0:?} is not an account id: twelve digits are needed")]
    AccountId(String),
    /// A key or role in the seed is not an ARN of the right kind.
    #[error("{0:?} in the seed is not the ARN of a {1}")]
    Seed(String, &'static str),
    /// The fault specification cannot be read.
    #[error("{part:?} in the fault specification {reason}")]
    Faults {
        /// The part that cannot be read.
        part: String,
        /// Why.
        reason: String,
    },
    /// The sandbox answers on loopback only: it checks no signatures.
    #[error("{0} is not a loopback address: the sandbox checks no signatures and must not be reachable")]
    NotLoopback(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The emulator underneath refused to take back what it gave.
    #[error("the emulator underneath cannot take its state back: {0}")]
    Emulator(String),
}
