//! The tools' part of the store in files.

use byob_model::recorded::Recorded;

use super::{Held, LocalStore, locked};
use crate::assembled::{self, AssembleError, Assembled};
use crate::disk::{self, folder};
use crate::format::{FormatError, text_of};
use crate::store::{Store, StoreError};
use crate::tools::{Destination, Kept, Tools};

impl LocalStore {
    /// Saves what an open journal says, where it can be read: then the journal may go before its record does, and no
    /// crash between the two loses it.
    fn fold(&self, held: &mut Held) -> Result<(), StoreError> {
        match self.read() {
            Ok(Assembled { recorded: Some(mut recorded), end: Some(_) }) => {
                held.read = true;
                self.save_held(held, &mut recorded)
            }
            Ok(_) | Err(StoreError::Unusable { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes the journal, so that it cannot be taken for one of whatever comes into its record's place. One that
    /// cannot be read, or not with its record, is kept in `history/`: only that, not that a crash right now leaves the
    /// record without it, is left to do for who has decided to replace them both.
    fn end_journal(&self) -> Result<(), StoreError> {
        let path = self.journal_path();
        let Some(journal) = disk::read(&path)? else { return Ok(()) };
        match self.read() {
            Ok(_)
            | Err(StoreError::Unusable { error: AssembleError::Record(FormatError::Moved { .. }), .. }) => {}
            Err(StoreError::Unusable { .. }) => self.keep_journal(&journal)?,
            Err(error) => return Err(error),
        }
        self.disk.remove(&path)?;
        self.disk.sync_folder(folder(&path))
    }

    /// The marker over the record that was read, and what is stored now.
    fn marker(&self, held: &Held, to: &str) -> Result<(String, Option<Vec<u8>>), StoreError> {
        let base = held.base.as_ref().ok_or_else(|| StoreError::NoRecord { location: self.location() })?;
        let stored = disk::read(&self.path)?;
        let text =
            stored.as_deref().map(text_of).transpose().map_err(|error| self.not_saved(error.into()))?;
        let marker = assembled::marker(base, text, to).map_err(|error| self.not_saved(error))?;
        Ok((marker, stored))
    }
}

impl Tools for LocalStore {
    async fn replace(&self, recorded: &mut Recorded) -> Result<(), StoreError> {
        let mut held = locked(&self.held);
        let held = self.held(&mut held)?;
        if !held.seen {
            return Err(StoreError::NotRead { location: self.location() });
        }
        self.fold(held)?;
        let stored = disk::read(&self.path)?;
        let text = stored.as_deref().and_then(|stored| text_of(stored).ok());
        let (text, base) = assembled::over(recorded, text).map_err(|error| self.not_saved(error))?;
        self.end_journal()?;
        let lineage = base.lineage;
        self.put(stored.as_deref(), &text, lineage, || {
            recorded.serial = base.serial;
            (held.read, held.base, held.journal) = (true, Some(base), None);
        })
    }

    async fn leave(&self, to: &str) -> Result<(), StoreError> {
        let mut held = locked(&self.held);
        let held = self.held(&mut held)?;
        if !held.read {
            return Err(StoreError::NotRead { location: self.location() });
        }
        self.marker(held, to)?;
        self.fold(held)?;
        let (text, stored) = self.marker(held, to)?;
        let lineage = held.base.as_ref().map(|base| base.lineage).unwrap_or_default();
        self.put(stored.as_deref(), &text, lineage, || {
            (held.read, held.base, held.journal) = (false, None, None);
        })
    }

    async fn destination(&self) -> Result<Destination, StoreError> {
        let destination = Destination::of(self.load().await)?;
        if let Some(held) = locked(&self.held).as_mut() {
            held.read = true;
        }
        Ok(destination)
    }

    async fn history(&self) -> Result<Vec<Kept>, StoreError> {
        let mut history = Vec::new();
        self.look_through(|kept, _| {
            history.push(kept);
            false
        })?;
        Ok(history)
    }

    async fn kept(&self, serial: u64) -> Result<Option<Recorded>, StoreError> {
        let mut found = None;
        self.look_through(|_, recorded| {
            found = recorded.filter(|recorded| recorded.serial == serial);
            found.is_some()
        })?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
