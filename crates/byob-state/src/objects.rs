//! What a record that is kept in objects asks of the place that keeps them: reads, and writes that say what they are to
//! replace. Whose protocol these calls make is [`crate::remote`]; which store answers them is not known here.

use std::time::Duration;

/// Objects under keys, one writer at a time seeing to it by conditional writes. A read sees every write that was answered
/// before it began (S3 has been strongly consistent since 2020).
#[expect(async_fn_in_trait, reason = "one thread runs everything; no future here need be Send")]
pub trait Objects {
    /// Reads an object; `None` if there is none.
    ///
    /// # Errors
    /// [`ObjectError`]; never [`ObjectError::NotAsExpected`].
    async fn get(&self, key: &str) -> Result<Option<Object>, ObjectError>;

    /// Writes an object if what is there is as `when` says, and answers with its new ETag. One request: what cannot be
    /// known to have failed is [`ObjectError::Lost`], never tried again in secret.
    ///
    /// # Errors
    /// [`ObjectError`].
    async fn put(&self, key: &str, body: &[u8], when: &When) -> Result<String, ObjectError>;

    /// What an object was, newest first, its present version included; empty where the place keeps no versions.
    ///
    /// # Errors
    /// [`ObjectError`].
    async fn versions(&self, key: &str) -> Result<Vec<Version>, ObjectError>;

    /// Reads one version of an object; `None` if it is not there any more.
    ///
    /// # Errors
    /// [`ObjectError`].
    async fn version(&self, key: &str, id: &str) -> Result<Option<Vec<u8>>, ObjectError>;

    /// An object for people: `s3://acme-state/byob.state.json`.
    fn location(&self, key: &str) -> String;
}

/// Time, so that a simulation can own it.
#[expect(async_fn_in_trait, reason = "as for `Objects`")]
pub trait Timer {
    /// Time that only grows, since some fixed moment, sleep of the machine included.
    fn elapsed(&self) -> Duration;

    /// Waits.
    async fn sleep(&self, time: Duration);
}

/// An object as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its bytes.
    pub body: Vec<u8>,
    /// What stands for exactly these bytes at this place, quotes included if the place has them.
    pub etag: String,
}

/// What a write is to replace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// Nothing: `If-None-Match: *`.
    Absent,
    /// The object with this ETag: `If-Match`.
    Is(String),
}

impl When {
    /// What was read, as what is to be replaced.
    #[must_use]
    pub fn of(object: Option<&Object>) -> Self {
        object.map_or(Self::Absent, |object| Self::Is(object.etag.clone()))
    }
}

/// One kept version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The place's name for it.
    pub id: String,
    /// When it was written, UTC seconds since 1970.
    pub at: i64,
    /// It is what the key holds now.
    pub latest: bool,
}

/// Why an object was not read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// What is there is not what the write was to replace: 412, or 404 for `If-Match` on a key without an object.
    #[error("somebody else wrote it meanwhile")]
    NotAsExpected,
    /// Another conditional write is under way: 409. It had no effect, and may be tried again.
    #[error("another conditional write was under way")]
    Conflict,
    /// No answer, or one that does not say whether there was an effect (timeouts, 5xx).
    #[error("{0}")]
    Lost(String),
    /// The place said no.
    #[error("{message}")]
    Refused {
        /// What it said, with its request id.
        message: String,
        /// What to do about it.
        help: Option<String>,
    },
}
