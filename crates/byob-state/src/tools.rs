//! What the record's own tools (`byob state …`) ask of a place beyond what a run asks: what was kept, a record put over
//! whatever stands there, and a place left for another. A run needs none of it.

use byob_model::recorded::Recorded;
use uuid::Uuid;

use crate::assembled::AssembleError;
use crate::format::{self, FormatError};
use crate::store::{Loaded, Store, StoreError};

/// A place that keeps one record, for those who repair or move it.
#[expect(async_fn_in_trait, reason = "as for `Store`")]
pub trait Tools: Store {
    /// Saves a record over whatever is stored, under the lock: damaged, of another lineage, of any serial, of a newer
    /// format, or a marker. Its serial becomes one above both its own and the stored one's. What was stored is kept,
    /// damaged or not, and so is what its journal said; afterwards [`load`](Store::load) gives exactly this record.
    ///
    /// # Errors
    /// [`StoreError::NotRead`] unless [`load`](Store::load) or [`destination`](Self::destination) was tried under the
    /// lock, in vain or not; else as for [`save`](Store::save). A crash leaves what was stored or the new record.
    async fn replace(&self, recorded: &mut Recorded) -> Result<(), StoreError>;

    /// Puts a marker in the place of the record that was read under the lock: the record is at `to` now. Whatever the
    /// journal says is kept as part of what is left; the marker's serial is one above that.
    ///
    /// # Errors
    /// [`StoreError::NoRecord`] where there is none; [`StoreError::NotSaved`] if it is not the one that was read, or if
    /// `to` cannot be a place; else as for [`save`](Store::save).
    async fn leave(&self, to: &str) -> Result<(), StoreError>;

    /// What stands where a record is to move to. Under the lock it counts as having read, so that a record may be saved
    /// there even where a marker stands.
    ///
    /// # Errors
    /// As for [`load`](Store::load), but that a marker is none.
    async fn destination(&self) -> Result<Destination, StoreError>;

    /// The record that is stored (without its open journal) and what was kept of its predecessors, newest first. Takes
    /// no lock. In objects: the 20 newest versions, each read; in files: 20 of each lineage and 20 damaged ones.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be listed or read; one that is damaged is no error.
    async fn history(&self) -> Result<Vec<Kept>, StoreError>;

    /// Of what [`history`](Self::history) lists, the newest record with this serial.
    ///
    /// # Errors
    /// As for [`history`](Self::history).
    async fn kept(&self, serial: u64) -> Result<Option<Recorded>, StoreError>;
}

/// What stands where a record is to move to.
#[derive(Debug, Clone, PartialEq)]
pub enum Destination {
    /// Nothing.
    Empty,
    /// The marker of a record that was here once.
    Left {
        /// Where it went.
        to: String,
        /// Its lineage.
        lineage: Uuid,
        /// The marker's serial.
        serial: u64,
    },
    /// A record.
    Taken(Box<Loaded>),
}

impl Destination {
    /// Of what a load answered.
    pub(crate) fn of(loaded: Result<Loaded, StoreError>) -> Result<Self, StoreError> {
        match loaded {
            Ok(loaded) if loaded.recorded.is_none() => Ok(Self::Empty),
            Ok(loaded) => Ok(Self::Taken(Box::new(loaded))),
            Err(StoreError::Unusable {
                error: AssembleError::Record(FormatError::Moved { to, lineage, serial }),
                ..
            }) => Ok(Self::Left { to, lineage, serial }),
            Err(error) => Err(error),
        }
    }
}

/// One entry of a record's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its serial; of an unreadable file in `history/` what the file's name says, otherwise `None`.
    pub serial: Option<u64>,
    /// Its lineage; `None` if it cannot be read.
    pub lineage: Option<Uuid>,
    /// UTC seconds since 1970, by the place's clock: when it was written; of a predecessor in a local file: replaced.
    pub at: i64,
    /// Where it is: a file, or the object.
    pub location: String,
    /// What tells it from the others there: the file's name, or the object's version.
    pub version: String,
    /// It is a record that can be read (a marker is not).
    pub readable: bool,
    /// It is the marker of a record that went there.
    pub moved_to: Option<String>,
    /// It is what is stored now.
    pub latest: bool,
}

impl Kept {
    /// Of these bytes, and the record in them.
    pub(crate) fn of(
        bytes: &[u8],
        at: i64,
        location: String,
        version: String,
        latest: bool,
    ) -> (Self, Option<Recorded>) {
        let read = format::text_of(bytes).and_then(format::read);
        let (serial, lineage, moved_to) = match &read {
            Ok(recorded) => (Some(recorded.serial), recorded.lineage, None),
            Err(FormatError::Moved { serial, lineage, to }) => {
                (Some(*serial), Some(*lineage), Some(to.clone()))
            }
            Err(FormatError::Newer { .. } | FormatError::Damaged { .. }) => (None, None, None),
        };
        let readable = read.is_ok();
        (Self { serial, lineage, at, location, version, readable, moved_to, latest }, read.ok())
    }
}

/// The commands that take a kept record, found by its serial, and put it in the stored one's place.
#[must_use]
pub fn put_back(serial: u64) -> String {
    format!("byob state pull --serial {serial} >good.json && byob state push --force good.json")
}

#[cfg(test)]
mod tests;
