//! The tools' part of the store in memory.

use byob_model::recorded::Recorded;

use super::{Held, MemoryStore, Place, open};
use crate::assembled::{self, Assembled, SaveError};
use crate::store::{LastGood, Store, StoreError};
use crate::tools::{Destination, Kept, Tools, put_back};

impl Place {
    /// What is stored and what was replaced, newest first.
    fn history(&self) -> impl Iterator<Item = (Kept, Option<Recorded>)> {
        let latest = self.record.iter().map(|text| (text, true));
        let texts = latest.chain(self.kept.iter().map(|text| (text, false))).enumerate();
        texts.map(|(age, (text, latest))| {
            Kept::of(text.as_bytes(), 0, "memory".to_owned(), age.to_string(), latest)
        })
    }

    pub(super) fn last_good(&self) -> Option<LastGood> {
        let (_, good) = self.history().filter(|(kept, _)| !kept.latest).find(|(kept, _)| kept.readable)?;
        Some(LastGood { location: "memory".to_owned(), command: put_back(good?.serial) })
    }
}

impl MemoryStore {
    fn not_saved(&self, error: SaveError) -> StoreError {
        StoreError::NotSaved { location: self.location(), error }
    }

    /// Saves what an open journal says, where it can be read.
    fn fold(&self, place: &mut Place, held: &mut Held) -> Result<(), StoreError> {
        match self.assembled(place) {
            Ok(Assembled { recorded: Some(mut recorded), end: Some(_) }) => {
                held.read = true;
                self.save_held(place, held, &mut recorded)
            }
            _ => Ok(()),
        }
    }
}

impl Tools for MemoryStore {
    async fn replace(&self, recorded: &mut Recorded) -> Result<(), StoreError> {
        let mut place = open(&self.place);
        let mut held = open(&self.held);
        let held = held.as_mut().ok_or_else(|| StoreError::NotLocked { location: self.location() })?;
        if !held.seen {
            return Err(StoreError::NotRead { location: self.location() });
        }
        self.fold(&mut place, held)?;
        let over = assembled::over(recorded, place.record.as_deref());
        let (text, base) = over.map_err(|error| self.not_saved(error))?;
        place.write()?;
        place.put(text);
        place.journal.clear();
        recorded.serial = base.serial;
        place.saved.push(recorded.clone());
        place.counters.saves += 1;
        (held.read, held.base) = (true, Some(base));
        Ok(())
    }

    async fn leave(&self, to: &str) -> Result<(), StoreError> {
        let mut place = open(&self.place);
        let mut held = open(&self.held);
        let location = self.location();
        let Some(held) = held.as_mut() else { return Err(StoreError::NotLocked { location }) };
        if !held.read {
            return Err(StoreError::NotRead { location });
        }
        let marker = |place: &Place, held: &Held| {
            let base =
                held.base.as_ref().ok_or_else(|| StoreError::NoRecord { location: location.clone() })?;
            assembled::marker(base, place.record.as_deref(), to).map_err(|error| self.not_saved(error))
        };
        marker(&place, held)?;
        self.fold(&mut place, held)?;
        let text = marker(&place, held)?;
        place.write()?;
        place.put(text);
        place.journal.clear();
        (held.read, held.base) = (false, None);
        Ok(())
    }

    async fn destination(&self) -> Result<Destination, StoreError> {
        let destination = Destination::of(self.load().await)?;
        if let Some(held) = open(&self.held).as_mut() {
            held.read = true;
        }
        Ok(destination)
    }

    async fn history(&self) -> Result<Vec<Kept>, StoreError> {
        Ok(open(&self.place).history().map(|(kept, _)| kept).collect())
    }

    async fn kept(&self, serial: u64) -> Result<Option<Recorded>, StoreError> {
        let place = open(&self.place);
        let mut found = place.history().filter_map(|(_, recorded)| recorded);
        Ok(found.find(|recorded| recorded.serial == serial))
    }
}
