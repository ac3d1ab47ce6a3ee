//! The tools' part of the store in objects. As with saving, each write says what it replaces: what was read under the
//! lock; and before the first of them the lock is renewed, so that a run that lost it replaces nothing.

use byob_model::recorded::Recorded;

use super::{Held, Place, RemoteStore, Written, assemble};
use crate::assembled::{self, Assembled};
use crate::format::text_of;
use crate::journal;
use crate::objects::{Object, Objects, Timer, When};
use crate::store::{Store, StoreError};
use crate::tools::{Destination, Kept, Tools};

impl<O: Objects, T: Timer> RemoteStore<O, T> {
    /// Makes sure that the lock is still this run's. A conditional write alone does not: what two runs save of a crashed
    /// one's journal is the same text, and looks like one's own.
    async fn still_held(&self) -> Result<(), StoreError> {
        let info = self.0.held.borrow().as_ref().map(|held| held.info.clone());
        let info = info.ok_or_else(|| StoreError::NotLocked { location: self.0.location() })?;
        while !self.0.renew(&info).await? {}
        Ok(())
    }

    /// Saves what an open journal says, where it can be read: then the journal may go before its record does, and no
    /// crash between the two loses it.
    async fn fold(&self) -> Result<(), StoreError> {
        let place = &self.0;
        place.flush().await?;
        let assembled = match &*place.held.borrow() {
            Some(held) => assemble(held.record.as_ref(), held.journal.as_ref()),
            None => return Err(StoreError::NotLocked { location: place.location() }),
        };
        match assembled {
            Ok(Assembled { recorded: Some(mut recorded), end: Some(_) }) => self.save(&mut recorded).await,
            _ => Ok(()),
        }
    }
}

impl<O: Objects, T: Timer> Place<O, T> {
    /// The record that the holder read, if `enough` was read.
    fn stored(&self, enough: impl FnOnce(&Held) -> bool) -> Result<Option<Object>, StoreError> {
        let location = self.location();
        match &*self.held.borrow() {
            None => Err(StoreError::NotLocked { location }),
            Some(held) if held.lost => Err(StoreError::LockLost { location }),
            Some(held) if !enough(held) => Err(StoreError::NotRead { location }),
            Some(held) => Ok(held.record.clone()),
        }
    }

    /// Writes a journal that says nothing, so that the old one cannot be taken for one of whatever comes into its
    /// record's place. It has no whole line, and is unlike any other, so that its ETag is too.
    async fn end_journal(&self) -> Result<(), StoreError> {
        let lost = || StoreError::LockLost { location: self.location() };
        let (journal, body) = match &*self.held.borrow() {
            None => return Err(lost()),
            Some(held) => {
                let serial = held.base.as_ref().map_or(0, |base| base.serial);
                let etag = held.journal.as_ref().map_or("", |journal| journal.etag.as_str());
                (held.journal.clone(), format!("ended by {} at serial {serial}, after {etag}", held.info.id))
            }
        };
        let Some(journal) = journal else { return Ok(()) };
        if journal::parse(&journal.body).is_ok_and(|journal| journal.begin().is_none()) {
            return Ok(());
        }
        let body = body.into_bytes();
        let written = self.write(&self.journal_key(), &body, When::Is(journal.etag)).await?;
        let mut held = self.held.borrow_mut();
        let held = held.as_mut().ok_or_else(lost)?;
        match written {
            Written::Ours(etag) | Written::Same(etag) => {
                held.journal = Some(Object { body, etag });
                Ok(())
            }
            Written::Theirs(None) => {
                held.journal = None;
                Ok(())
            }
            Written::Theirs(Some(_)) => {
                held.lost = true;
                Err(lost())
            }
        }
    }

    /// The marker over the record that was read, and what it replaces.
    fn marker(&self, to: &str) -> Result<(String, Option<Object>, u64), StoreError> {
        let stored = self.stored(|held| held.read)?;
        let base = self.held.borrow().as_ref().and_then(|held| held.base.clone());
        let base = base.ok_or_else(|| StoreError::NoRecord { location: self.location() })?;
        let text = stored.as_ref().map(|stored| text_of(&stored.body)).transpose();
        let text = text.map_err(|error| self.not_saved(error.into()))?;
        let marker = assembled::marker(&base, text, to).map_err(|error| self.not_saved(error))?;
        Ok((marker, stored, base.serial))
    }
}

impl<O: Objects, T: Timer> Tools for RemoteStore<O, T> {
    async fn replace(&self, recorded: &mut Recorded) -> Result<(), StoreError> {
        let place = &self.0;
        place.stored(|held| held.seen)?;
        self.still_held().await?;
        self.fold().await?;
        let stored = place.stored(|held| held.seen)?;
        let text = stored.as_ref().and_then(|stored| text_of(&stored.body).ok());
        let (text, base) = assembled::over(recorded, text).map_err(|error| place.not_saved(error))?;
        place.end_journal().await?;
        let record = place.put(stored.as_ref(), text, recorded.serial).await?;
        recorded.serial = base.serial;
        place.saved(record, base);
        Ok(())
    }

    async fn leave(&self, to: &str) -> Result<(), StoreError> {
        let place = &self.0;
        place.marker(to)?;
        self.still_held().await?;
        self.fold().await?;
        let (text, stored, expected) = place.marker(to)?;
        let marker = place.put(stored.as_ref(), text, expected).await?;
        if let Some(held) = place.held.borrow_mut().as_mut() {
            (held.read, held.record, held.base) = (false, Some(marker), None);
        }
        Ok(())
    }

    async fn destination(&self) -> Result<Destination, StoreError> {
        let destination = Destination::of(self.load().await)?;
        if let Some(held) = self.0.held.borrow_mut().as_mut() {
            held.read = true;
        }
        Ok(destination)
    }

    async fn history(&self) -> Result<Vec<Kept>, StoreError> {
        let mut history = Vec::new();
        let all = |kept, _| {
            history.push(kept);
            false
        };
        self.0.look_through(all).await?;
        Ok(history)
    }

    async fn kept(&self, serial: u64) -> Result<Option<Recorded>, StoreError> {
        let mut found = None;
        let is_it = |_, recorded: Option<Recorded>| {
            found = recorded.filter(|recorded| recorded.serial == serial);
            found.is_some()
        };
        self.0.look_through(is_it).await?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
