//! The record in memory, for tests of what uses a store: the same texts and rules as the files', counted, and able to
//! fail. Nothing ever waits: a lock that somebody holds is refused at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use byob_model::recorded::Recorded;

use crate::assembled::{self, AssembleError, Base};
use crate::format::{self, FormatError};
use crate::store::{Guard, Loaded, LockInfo, Store, StoreError, Waiting};
use crate::{BYOB_VERSION, Entry};

mod tools;

/// What has been asked of a [`MemoryStore`] so far, by all its processes; what failed is not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Loads.
    pub loads: usize,
    /// Locks taken.
    pub locks: usize,
    /// Saves.
    pub saves: usize,
    /// Appends to the journal, each of any number of entries.
    pub appends: usize,
    /// Entries appended.
    pub entries: usize,
}

/// A record in memory, as one process sees it.
#[derive(Debug, Default)]
pub struct MemoryStore {
    place: Arc<Mutex<Place>>,
    held: Arc<Mutex<Option<Held>>>,
}

#[derive(Debug, Default)]
struct Place {
    record: Option<String>,
    journal: Vec<u8>,
    lock: Option<LockInfo>,
    saved: Vec<Recorded>,
    /// What was replaced, the last replaced first.
    kept: Vec<String>,
    counters: Counters,
    writes_left: Option<usize>,
}

#[derive(Debug)]
struct Held {
    info: LockInfo,
    read: bool,
    seen: bool,
    base: Option<Base>,
}

/// The lock of a record in memory. Released when dropped.
#[derive(Debug)]
pub struct MemoryGuard {
    info: LockInfo,
    place: Arc<Mutex<Place>>,
    held: Arc<Mutex<Option<Held>>>,
}

fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryStore {
    /// A place without a record.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A place with this record, as it is.
    #[must_use]
    pub fn with(recorded: &Recorded) -> Self {
        let store = Self::default();
        open(&store.place).record = Some(format::write(recorded, BYOB_VERSION));
        store
    }

    /// The same place as another process sees it: it can wait for the lock, or look on.
    #[must_use]
    pub fn another_process(&self) -> Self {
        Self { place: Arc::clone(&self.place), held: Arc::default() }
    }

    /// What has been asked so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        open(&self.place).counters
    }

    /// Every record that was saved, the first first.
    #[must_use]
    pub fn saved(&self) -> Vec<Recorded> {
        open(&self.place).saved.clone()
    }

    /// Puts any text in the record's place, as somebody would who is not byob.
    pub fn overwrite(&self, text: &str) {
        open(&self.place).put(text.to_owned());
    }

    /// Puts any bytes in the journal's place.
    #[cfg(test)]
    pub(crate) fn overwrite_journal(&self, bytes: &[u8]) {
        open(&self.place).journal = bytes.to_vec();
    }

    /// After this many more saves and appends all fail, as on a full disk; `None`: none fails.
    pub fn fail_after(&self, writes: Option<usize>) {
        open(&self.place).writes_left = writes;
    }

    fn assembled(&self, place: &Place) -> Result<assembled::Assembled, StoreError> {
        let assembled = assembled::assemble(place.record.as_deref(), &place.journal).map_err(|error| {
            let damaged = matches!(error, AssembleError::Record(FormatError::Damaged { .. }));
            let last_good = if damaged { place.last_good() } else { None };
            StoreError::Unusable { location: self.location(), error, last_good }
        })?;
        match place.last_good().filter(|_| assembled.recorded.is_none()) {
            Some(good) => {
                let (location, error) = (self.location(), AssembleError::Gone);
                Err(StoreError::Unusable { location, error, last_good: Some(good) })
            }
            None => Ok(assembled),
        }
    }

    fn save_held(
        &self,
        place: &mut Place,
        held: &mut Held,
        recorded: &mut Recorded,
    ) -> Result<(), StoreError> {
        if place.record.is_some() && !held.read {
            return Err(StoreError::NotRead { location: self.location() });
        }
        let next = assembled::next(recorded, place.record.as_deref());
        let (text, base) = next.map_err(|error| StoreError::NotSaved { location: self.location(), error })?;
        place.write()?;
        place.put(text);
        place.journal.clear();
        recorded.serial = base.serial;
        place.saved.push(recorded.clone());
        place.counters.saves += 1;
        (held.read, held.base) = (true, Some(base));
        Ok(())
    }
}

impl Place {
    fn put(&mut self, text: String) {
        self.kept.splice(0..0, self.record.replace(text));
    }

    fn write(&mut self) -> Result<(), StoreError> {
        match &mut self.writes_left {
            None => Ok(()),
            Some(0) => Err(StoreError::Io {
                doing: "write",
                path: "memory".to_owned(),
                source: std::io::ErrorKind::StorageFull.into(),
            }),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

impl Store for MemoryStore {
    type Guard = MemoryGuard;

    async fn load(&self) -> Result<Loaded, StoreError> {
        let mut place = open(&self.place);
        let assembled = self.assembled(&place);
        let mut held = open(&self.held);
        if let Some(held) = held.as_mut() {
            (held.read, held.seen) = (assembled.is_ok(), true);
            held.base = assembled.as_ref().ok().and_then(Base::of);
        }
        let assembled = assembled?;
        place.counters.loads += 1;
        let lock = if held.is_some() { None } else { place.lock.clone() };
        Ok(Loaded { recorded: assembled.recorded, journalled: assembled.end.is_some(), lock })
    }

    async fn lock(
        &self,
        info: LockInfo,
        timeout: Duration,
        waiting: &mut dyn FnMut(Waiting<'_>),
    ) -> Result<MemoryGuard, StoreError> {
        let mut place = open(&self.place);
        if let Some(holder) = place.lock.clone() {
            if !timeout.is_zero() {
                waiting(Waiting::Holder(&holder));
            }
            let holder = Box::new(holder);
            return Err(StoreError::Locked { location: self.location(), holder, waited: timeout });
        }
        place.lock = Some(info.clone());
        place.counters.locks += 1;
        *open(&self.held) = Some(Held { info: info.clone(), read: false, seen: false, base: None });
        Ok(MemoryGuard { info, place: Arc::clone(&self.place), held: Arc::clone(&self.held) })
    }

    async fn save(&self, recorded: &mut Recorded) -> Result<(), StoreError> {
        let mut place = open(&self.place);
        let mut held = open(&self.held);
        let held = held.as_mut().ok_or_else(|| StoreError::NotLocked { location: self.location() })?;
        self.save_held(&mut place, held, recorded)
    }

    async fn journal(&self, entries: &[Entry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut place = open(&self.place);
        let mut held = open(&self.held);
        let location = self.location();
        let Some(held) = held.as_mut() else { return Err(StoreError::NotLocked { location }) };
        let Some(base) = &mut held.base else {
            return Err(if held.read {
                StoreError::NoRecord { location }
            } else {
                StoreError::NotRead { location }
            });
        };
        let (lines, at, end) = base.lines(entries);
        place.write()?;
        place.journal.truncate(usize::try_from(at).unwrap_or(usize::MAX));
        place.journal.extend_from_slice(lines.as_bytes());
        place.counters.appends += 1;
        place.counters.entries += entries.len();
        base.end = Some(end);
        Ok(())
    }

    fn location(&self) -> String {
        "memory".to_owned()
    }
}

impl Guard for MemoryGuard {
    fn info(&self) -> &LockInfo {
        &self.info
    }

    async fn release(self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Drop for MemoryGuard {
    fn drop(&mut self) {
        open(&self.place).lock.take_if(|lock| lock.id == self.info.id);
        open(&self.held).take_if(|held| held.info.id == self.info.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{a_record, block_on, lock_info};

    const NO_TIME: Duration = Duration::ZERO;

    fn take(store: &MemoryStore, number: u128) -> Result<MemoryGuard, StoreError> {
        block_on(store.lock(lock_info(number), NO_TIME, &mut |_| ()))
    }

    #[test]
    fn a_run_is_counted_and_seen_by_others() {
        let (store, mut recorded) = (MemoryStore::new(), a_record(0));
        let other = store.another_process();
        let guard = take(&store, 1).unwrap();
        block_on(store.save(&mut recorded)).unwrap();
        block_on(store.journal(&[Entry::Written { at: 5 }, Entry::Written { at: 6 }])).unwrap();
        let seen = block_on(other.load()).unwrap();
        let recorded_now = Recorded { written_at: Some(6), ..recorded.clone() };
        assert_eq!(seen, Loaded { recorded: Some(recorded_now), journalled: true, lock: Some(lock_info(1)) });
        assert!(matches!(take(&other, 2), Err(StoreError::Locked { .. })));
        block_on(store.save(&mut recorded)).unwrap();
        block_on(guard.release()).unwrap();
        assert_eq!(store.counters(), Counters { loads: 1, locks: 1, saves: 2, appends: 1, entries: 2 });
        assert_eq!(store.saved().iter().map(|record| record.serial).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(block_on(other.load()).unwrap().lock, None);
        let _guard = take(&other, 3).unwrap();
    }

    #[test]
    fn it_has_the_rules_of_the_files() {
        let store = MemoryStore::with(&a_record(3));
        assert!(matches!(block_on(store.save(&mut a_record(3))), Err(StoreError::NotLocked { .. })));
        let _guard = take(&store, 1).unwrap();
        assert!(matches!(block_on(store.save(&mut a_record(3))), Err(StoreError::NotRead { .. })));
        block_on(store.load()).unwrap();
        assert!(matches!(block_on(store.save(&mut a_record(2))), Err(StoreError::NotSaved { .. })));
        block_on(store.save(&mut a_record(3))).unwrap();
    }

    #[test]
    fn it_fails_when_told_to() {
        let (store, mut recorded) = (MemoryStore::new(), a_record(0));
        let _guard = take(&store, 1).unwrap();
        store.fail_after(Some(1));
        block_on(store.save(&mut recorded)).unwrap();
        assert!(matches!(block_on(store.journal(&[Entry::Written { at: 5 }])), Err(StoreError::Io { .. })));
        assert!(matches!(block_on(store.save(&mut recorded)), Err(StoreError::Io { .. })));
        store.fail_after(None);
        block_on(store.save(&mut recorded)).unwrap();
        assert_eq!(recorded.serial, 2);
    }
}
