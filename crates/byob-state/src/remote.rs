//! The record in objects of a store with conditional writes, such as S3: KEY, KEY.journal and KEY.lock. Every write says
//! what it replaces, so a run that lost its lock cannot save over another's record. The lock is an object with a lease:
//! see [`crate::lease`]. What AWS itself is asked to change cannot be fenced that way: a call is begun only while more of
//! the lease is left than it may take.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use byob_model::address::Kind;
use byob_model::recorded::Recorded;

use crate::Entry;
use crate::assembled::{self, AssembleError, Assembled, Base, SaveError};
use crate::format::{self, text_of};
use crate::lease::{LEASE, LONGEST_CALL, LOOKED_AT_EVERY, LockFile, RENEWED_EVERY, Watch};
use crate::objects::{Object, ObjectError, Objects, Timer, When};
use crate::store::{Guard, Loaded, LockInfo, Store, StoreError, Waiting};

mod history;
mod tools;

/// How often a write is tried whose answer was lost, or that met another one.
const TRIES: u32 = 5;
/// The wait after the first try; it doubles.
const PAUSE: Duration = Duration::from_millis(200);
/// The least time between two journal writes of one run; it doubles with each, up to [`LONGEST_GAP`]. What a crash loses
/// of the journal is found again by name, by tag, or by being as the approval wanted it.
const FIRST_GAP: Duration = Duration::from_secs(10);
/// The longest time between two journal writes of one run.
const LONGEST_GAP: Duration = Duration::from_secs(60);
/// A record in objects.
#[derive(Debug)]
pub struct RemoteStore<O, T>(Rc<Place<O, T>>);

#[derive(Debug)]
struct Place<O, T> {
    objects: O,
    timer: T,
    key: String,
    /// Whether conditional writes are known to be honoured.
    trusted: bool,
    held: RefCell<Option<Held>>,
}

/// What the holder of the lock has.
#[derive(Debug)]
struct Held {
    info: LockInfo,
    /// The lock's object.
    etag: String,
    renewal: u64,
    /// Until when it certainly holds.
    until: Duration,
    /// Somebody else has it.
    lost: bool,
    /// The record was read since the lock was taken.
    read: bool,
    /// That was tried, and what is there was seen, usable or not: `record` and `journal`.
    seen: bool,
    record: Option<Object>,
    journal: Option<Object>,
    base: Option<Base>,
    /// Not journalled yet.
    pending: Vec<Entry>,
    journalled_at: Duration,
    gap: Duration,
}

/// The lock of a record in objects. Dropped without being released, it ends with its lease.
#[derive(Debug)]
pub struct RemoteGuard<O, T> {
    info: LockInfo,
    place: Rc<Place<O, T>>,
}

/// What became of a conditional write.
enum Written {
    /// It is there, under this ETag.
    Ours(String),
    /// These very bytes are there: put by a try of ours whose answer was lost, or, where two runs may write the same, by
    /// another run.
    Same(String),
    /// Something else is there.
    Theirs(Option<Object>),
}

impl<O: Objects, T: Timer> RemoteStore<O, T> {
    /// The store at a key. Nothing is looked at, let alone written. `trusted`: the place is known to honour conditions
    /// on writes; otherwise that is tried out each time the lock is taken.
    pub fn new(objects: O, timer: T, key: impl Into<String>, trusted: bool) -> Self {
        Self(Rc::new(Place { objects, timer, key: key.into(), trusted, held: RefCell::default() }))
    }

    /// The objects it is kept in.
    pub fn objects(&self) -> &O {
        &self.0.objects
    }

    /// The record's key.
    pub fn key(&self) -> &str {
        &self.0.key
    }

    /// Who holds the lock, whether its lease still runs or not; `None` if nobody does.
    ///
    /// # Errors
    /// [`StoreError::Objects`].
    pub async fn holder(&self) -> Result<Option<LockInfo>, StoreError> {
        self.0.holder().await
    }

    /// Takes the lock away from the holder with this id, for people who know that it is gone.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if somebody else holds it by now; [`StoreError::Objects`].
    pub async fn unlock(&self, id: uuid::Uuid) -> Result<bool, StoreError> {
        let place = &self.0;
        let key = place.lock_key();
        let Some(found) = place.read(&key).await? else { return Ok(false) };
        let Some(holder) = LockFile::read(&found.body).map_or(Some(LockInfo::unknown()), |file| file.holder)
        else {
            return Ok(false);
        };
        let taken = if holder.id == id {
            let renewal = LockFile::read(&found.body).map_or(0, |file| file.renewal);
            let body = LockFile::free(&holder, renewal).text();
            matches!(
                place.write(&key, &body, When::Is(found.etag)).await?,
                Written::Ours(_) | Written::Same(_)
            )
        } else {
            false
        };
        if taken {
            return Ok(true);
        }
        let holder = Box::new(holder);
        Err(StoreError::Locked { location: place.location(), holder, waited: Duration::ZERO })
    }
}

impl<O: Objects, T: Timer> Place<O, T> {
    fn location(&self) -> String {
        self.objects.location(&self.key)
    }

    fn lock_key(&self) -> String {
        format!("{}.lock", self.key)
    }

    fn journal_key(&self) -> String {
        format!("{}.journal", self.key)
    }

    fn error(&self, doing: &'static str, key: &str, error: ObjectError) -> StoreError {
        StoreError::Objects { doing, location: self.objects.location(key), error }
    }

    async fn read(&self, key: &str) -> Result<Option<Object>, StoreError> {
        self.objects.get(key).await.map_err(|error| self.error("read", key, error))
    }

    /// Writes, and finds out what became of it where the answer does not say: an answer that was lost, or a try again
    /// (ours or the network's) that met what the first try had written. `body`: see [`Written::Same`].
    async fn write(&self, key: &str, body: &[u8], when: When) -> Result<Written, StoreError> {
        let mut last = ObjectError::Conflict;
        for attempt in 0..TRIES {
            match self.objects.put(key, body, &when).await {
                Ok(etag) => return Ok(Written::Ours(etag)),
                Err(error @ ObjectError::Refused { .. }) => return Err(self.error("write", key, error)),
                Err(error @ ObjectError::Conflict) => last = error,
                Err(ObjectError::NotAsExpected) => {
                    return Ok(match self.read(key).await? {
                        Some(found) if found.body == body => Written::Same(found.etag),
                        found => Written::Theirs(found),
                    });
                }
                Err(error @ ObjectError::Lost(_)) => {
                    last = error;
                    match self.objects.get(key).await {
                        Ok(Some(found)) if found.body == body => return Ok(Written::Same(found.etag)),
                        Ok(found) if When::of(found.as_ref()) != when => return Ok(Written::Theirs(found)),
                        // Not there, or not known: the same write again has its effect at most once.
                        _ => {}
                    }
                }
            }
            self.timer.sleep(PAUSE * 2_u32.pow(attempt)).await;
        }
        Err(self.error("write", key, last))
    }

    /// Writes what another run could write letter for letter, a record or a journal: only the lock tells whose it is.
    async fn write_held(&self, key: &str, body: &[u8], when: When) -> Result<Written, StoreError> {
        let written = self.write(key, body, when).await?;
        if let Written::Same(_) = written {
            let info = self.held.borrow().as_ref().map(|held| held.info.clone());
            let info = info.ok_or_else(|| StoreError::LockLost { location: self.location() })?;
            while !self.renew(&info).await? {}
        }
        Ok(written)
    }

    async fn holder(&self) -> Result<Option<LockInfo>, StoreError> {
        let found = self.read(&self.lock_key()).await?;
        Ok(found.and_then(|found| {
            LockFile::read(&found.body).map_or(Some(LockInfo::unknown()), |file| file.holder)
        }))
    }

    /// Record and journal, as they stood at one moment; a holder of the lock knows them from then on. The journal is read
    /// first: a record is never older than a journal of it that was read before.
    async fn look(&self) -> Result<Assembled, StoreError> {
        let journal = self.read(&self.journal_key()).await?;
        let record = self.read(&self.key).await?;
        let assembled = assemble(record.as_ref(), journal.as_ref());
        if let Some(held) = self.held.borrow_mut().as_mut() {
            (held.read, held.seen) = (assembled.is_ok(), true);
            held.base = assembled.as_ref().ok().and_then(Base::of);
            (held.record, held.journal) = (record, journal);
            held.pending.clear();
        }
        match assembled {
            Ok(assembled) if assembled.recorded.is_some() => Ok(assembled),
            // Where versions may not be listed, or are not kept, nothing is known of a past.
            Ok(assembled) => match self.last_good().await {
                Some(good) => {
                    let (location, error) = (self.location(), AssembleError::Gone);
                    Err(StoreError::Unusable { location, error, last_good: Some(good) })
                }
                None => Ok(assembled),
            },
            Err(error) => Err(self.unusable(error).await),
        }
    }

    fn not_saved(&self, error: SaveError) -> StoreError {
        StoreError::NotSaved { location: self.location(), error }
    }

    /// Puts a text in the place of the record that was read.
    async fn put(&self, stored: Option<&Object>, text: String, expected: u64) -> Result<Object, StoreError> {
        let body = text.into_bytes();
        match self.write_held(&self.key, &body, When::of(stored)).await? {
            Written::Ours(etag) | Written::Same(etag) => Ok(Object { body, etag }),
            Written::Theirs(found) => {
                let found = found.and_then(|found| text_of(&found.body).and_then(format::read).ok());
                let lineage = found.as_ref().and_then(|found| found.lineage);
                let found = found.map_or(0, |found| found.serial);
                Err(self.not_saved(SaveError::Changed { expected, found, lineage }))
            }
        }
    }

    /// A record was put in its place.
    fn saved(&self, record: Object, base: Base) {
        if let Some(held) = self.held.borrow_mut().as_mut() {
            (held.read, held.record, held.base) = (true, Some(record), Some(base));
            held.pending.clear();
            held.journalled_at = self.timer.elapsed();
        }
    }

    /// Makes sure that the place does as conditions say: whatever can be shown with the lock just taken.
    async fn try_conditions(&self, info: &LockInfo, body: &[u8]) -> Result<(), StoreError> {
        let key = self.lock_key();
        let other = LockFile::held(info, u64::MAX).text();
        for when in [When::Absent, When::Is("\"00000000000000000000000000000000\"".to_owned())] {
            let mut tries = 0;
            loop {
                tries += 1;
                match self.objects.put(&key, &other, &when).await {
                    Err(ObjectError::NotAsExpected | ObjectError::Conflict) => break,
                    // If it had an effect after all, the lock is not what it was, which is seen below.
                    Err(ObjectError::Lost(_)) if tries < TRIES => {
                        self.timer.sleep(PAUSE * 2_u32.pow(tries)).await;
                    }
                    Err(error) => return Err(self.error("try conditional writes of", &key, error)),
                    Ok(_) => {
                        let location = self.objects.location(&key);
                        return Err(StoreError::Unconditional { location });
                    }
                }
            }
        }
        match self.read(&key).await? {
            Some(found) if found.body == body => Ok(()),
            _ => Err(StoreError::Unconditional { location: self.objects.location(&key) }),
        }
    }

    /// One renewal of the lock. `Ok(false)`: an earlier one, that nobody waited for, had its effect; once more.
    async fn renew(&self, info: &LockInfo) -> Result<bool, StoreError> {
        let lost = || StoreError::LockLost { location: self.location() };
        let (etag, renewal) = match self.held.borrow_mut().as_mut() {
            Some(held) if held.info.id == info.id && !held.lost => {
                // No two tries are alike, whatever becomes of this one: an older one that had its effect must not be
                // taken for a renewal that has only now begun.
                held.renewal += 1;
                (held.etag.clone(), held.renewal)
            }
            _ => return Err(lost()),
        };
        let began = self.timer.elapsed();
        let body = LockFile::held(info, renewal).text();
        let written = self.write(&self.lock_key(), &body, When::Is(etag)).await?;
        let mut held = self.held.borrow_mut();
        let Some(held) = held.as_mut().filter(|held| held.info.id == info.id) else { return Err(lost()) };
        match written {
            Written::Ours(etag) | Written::Same(etag) => {
                (held.etag, held.until) = (etag, began + LEASE);
                Ok(true)
            }
            Written::Theirs(found) => match ours(found, info) {
                Some((etag, renewal)) => {
                    (held.etag, held.renewal) = (etag, renewal.max(held.renewal));
                    Ok(false)
                }
                None => {
                    held.lost = true;
                    Err(lost())
                }
            },
        }
    }

    /// Writes what is pending to the journal.
    async fn flush(&self) -> Result<(), StoreError> {
        let (entries, base, journal) = match &*self.held.borrow() {
            Some(Held { pending, base: Some(base), journal, .. }) if !pending.is_empty() => {
                (pending.clone(), base.clone(), journal.clone())
            }
            _ => return Ok(()),
        };
        let (lines, at, end) = base.lines(&entries);
        let mut bytes = journal.as_ref().map(|journal| journal.body.clone()).unwrap_or_default();
        bytes.truncate(usize::try_from(at).unwrap_or(usize::MAX));
        bytes.extend_from_slice(lines.as_bytes());
        let key = self.journal_key();
        let written = self.write_held(&key, &bytes, When::of(journal.as_ref())).await?;
        let mut held = self.held.borrow_mut();
        let lost = || StoreError::LockLost { location: self.location() };
        let held = held.as_mut().ok_or_else(lost)?;
        match written {
            Written::Ours(etag) | Written::Same(etag) => {
                held.pending.drain(..entries.len().min(held.pending.len()));
                held.journal = Some(Object { body: bytes, etag });
                held.base = Some(Base { end: Some(end), ..base });
                held.journalled_at = self.timer.elapsed();
                held.gap = (held.gap * 2).min(LONGEST_GAP);
                Ok(())
            }
            Written::Theirs(None) => {
                Err(StoreError::JournalLost { path: self.objects.location(&self.journal_key()) })
            }
            Written::Theirs(Some(_)) => {
                held.lost = true;
                Err(lost())
            }
        }
    }
}

/// The lock that was found, if it is this holder's.
fn ours(found: Option<Object>, info: &LockInfo) -> Option<(String, u64)> {
    let found = found?;
    let file = LockFile::read(&found.body)?;
    (file.by == info.id && file.holder.is_some()).then_some((found.etag, file.renewal))
}

fn assemble(record: Option<&Object>, journal: Option<&Object>) -> Result<Assembled, AssembleError> {
    let text = record.map(|record| text_of(&record.body)).transpose()?;
    assembled::assemble(text, journal.map(|journal| journal.body.as_slice()).unwrap_or_default())
}

impl<O: Objects, T: Timer> Store for RemoteStore<O, T> {
    type Guard = RemoteGuard<O, T>;

    async fn load(&self) -> Result<Loaded, StoreError> {
        let place = &self.0;
        let own = place.held.borrow().as_ref().map(|held| held.info.id);
        let lock = if own.is_some() { None } else { place.holder().await? };
        let assembled = place.look().await?;
        // The run whose journal this is may have begun since.
        let look_again = lock.is_none() && own.is_none() && assembled.end.is_some();
        let lock = if look_again { place.holder().await? } else { lock };
        Ok(Loaded { recorded: assembled.recorded, journalled: assembled.end.is_some(), lock })
    }

    async fn lock(
        &self,
        info: LockInfo,
        timeout: Duration,
        waiting: &mut dyn FnMut(Waiting<'_>),
    ) -> Result<RemoteGuard<O, T>, StoreError> {
        let place = &self.0;
        let key = place.lock_key();
        let start = place.timer.elapsed();
        let mut watch = Watch::default();
        let mut told = None;
        let mut unanswered = false;
        loop {
            let began = place.timer.elapsed();
            let waited = began.saturating_sub(start);
            let found = match place.objects.get(&key).await {
                Ok(found) => found,
                Err(ObjectError::Lost(error)) if waited < timeout => {
                    if !unanswered {
                        let location = place.objects.location(&key);
                        waiting(Waiting::Answer { location: &location, error: &error });
                        unanswered = true;
                    }
                    place.timer.sleep(LOOKED_AT_EVERY.min(timeout - waited)).await;
                    continue;
                }
                Err(error) => return Err(place.error("read", &key, error)),
            };
            unanswered = false;
            let answered = place.timer.elapsed();
            let file = found.as_ref().map(|found| LockFile::read(&found.body));
            let patience = file.iter().flatten().next().map_or(LEASE + LONGEST_CALL, LockFile::patience);
            let holder = match &file {
                None => None,
                Some(None) => Some(LockInfo::unknown()),
                Some(Some(file)) => file.holder.clone(),
            };
            let stands = |holder: &&LockInfo| {
                let etag = found.as_ref().map_or("", |found| found.etag.as_str());
                !holder.is_dead_here() && !watch.is_over(etag, patience, (began, answered))
            };
            let Some(holder) = holder.as_ref().filter(stands) else {
                let body = LockFile::held(&info, 0).text();
                let asked = place.timer.elapsed();
                match place.write(&key, &body, When::of(found.as_ref())).await? {
                    Written::Theirs(_) => continue,
                    Written::Ours(etag) | Written::Same(etag) => {
                        if !place.trusted
                            && let Err(error) = place.try_conditions(&info, &body).await
                        {
                            let free = LockFile::free(&info, 0).text();
                            let _ = place.objects.put(&key, &free, &When::Is(etag)).await;
                            return Err(error);
                        }
                        *place.held.borrow_mut() = Some(Held {
                            info: info.clone(),
                            etag,
                            renewal: 0,
                            until: asked + LEASE,
                            lost: false,
                            read: false,
                            seen: false,
                            record: None,
                            journal: None,
                            base: None,
                            pending: Vec::new(),
                            journalled_at: asked,
                            gap: FIRST_GAP,
                        });
                        return Ok(RemoteGuard { info, place: Rc::clone(place) });
                    }
                }
            };
            let waited = answered.saturating_sub(start);
            if waited >= timeout {
                let holder = Box::new(holder.clone());
                return Err(StoreError::Locked { location: place.location(), holder, waited });
            }
            if told != Some(holder.id) {
                waiting(Waiting::Holder(holder));
                told = Some(holder.id);
            }
            let to_go = watch.to_go(patience, answered).max(PAUSE);
            place.timer.sleep(LOOKED_AT_EVERY.min(timeout - waited).min(to_go)).await;
        }
    }

    async fn save(&self, recorded: &mut Recorded) -> Result<(), StoreError> {
        let place = &self.0;
        let location = place.location();
        let stored = match &*place.held.borrow() {
            None => return Err(StoreError::NotLocked { location }),
            Some(held) if held.lost => return Err(StoreError::LockLost { location }),
            Some(held) if !held.read => return Err(StoreError::NotRead { location }),
            Some(held) => held.record.clone(),
        };
        let text = stored.as_ref().map(|stored| text_of(&stored.body)).transpose();
        let text = text.map_err(|error| place.not_saved(error.into()))?;
        let (text, base) = assembled::next(recorded, text).map_err(|error| place.not_saved(error))?;
        let record = place.put(stored.as_ref(), text, recorded.serial).await?;
        recorded.serial = base.serial;
        place.saved(record, base);
        Ok(())
    }

    async fn journal(&self, entries: &[Entry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let place = &self.0;
        let location = place.location();
        let due = match place.held.borrow_mut().as_mut() {
            None => return Err(StoreError::NotLocked { location }),
            Some(held) if held.lost => return Err(StoreError::LockLost { location }),
            Some(held) if held.base.is_none() => {
                return Err(if held.read {
                    StoreError::NoRecord { location }
                } else {
                    StoreError::NotRead { location }
                });
            }
            Some(held) => {
                held.pending.extend_from_slice(entries);
                // A key has no name of its own to be found by.
                let key =
                    |entry: &Entry| matches!(entry, Entry::Put { address, .. } if address.kind == Kind::Key);
                entries.iter().any(key)
                    || place.timer.elapsed().saturating_sub(held.journalled_at) >= held.gap
            }
        };
        if due { place.flush().await } else { Ok(()) }
    }

    async fn may_write(&self) -> Result<(), StoreError> {
        let place = &self.0;
        loop {
            let now = place.timer.elapsed();
            match &*place.held.borrow() {
                None => return Err(StoreError::NotLocked { location: place.location() }),
                // Nobody renewed it for so long that somebody may have taken it.
                Some(held) if held.lost || now > held.until + LONGEST_CALL => {
                    return Err(StoreError::LockLost { location: place.location() });
                }
                Some(held) if held.until.saturating_sub(now) > LONGEST_CALL => return Ok(()),
                Some(_) => {}
            }
            place.timer.sleep(PAUSE).await;
        }
    }

    fn call_limit(&self) -> Option<Duration> {
        Some(LONGEST_CALL)
    }

    fn location(&self) -> String {
        self.0.location()
    }
}

impl<O: Objects, T: Timer> Guard for RemoteGuard<O, T> {
    fn info(&self) -> &LockInfo {
        &self.info
    }

    async fn keep(&self) -> StoreError {
        loop {
            self.place.timer.sleep(RENEWED_EVERY).await;
            loop {
                match self.place.renew(&self.info).await {
                    Ok(true) => break,
                    Ok(false) => {}
                    Err(lost @ StoreError::LockLost { .. }) => return lost,
                    // The place does not answer, or said no for once: nobody else has the lock for that.
                    Err(_) => self.place.timer.sleep(PAUSE).await,
                }
            }
        }
    }

    async fn release(self) -> Result<(), StoreError> {
        let held = self.place.held.borrow_mut().take_if(|held| held.info.id == self.info.id);
        let Some(held) = held.filter(|held| !held.lost) else { return Ok(()) };
        let key = self.place.lock_key();
        let (mut etag, mut renewal) = (held.etag, held.renewal);
        loop {
            let body = LockFile::free(&self.info, renewal).text();
            match self.place.write(&key, &body, When::Is(etag)).await? {
                Written::Ours(_) | Written::Same(_) => return Ok(()),
                // A renewal that nobody waited for any more came before.
                Written::Theirs(found) => match ours(found, &self.info) {
                    Some((newer, count)) => (etag, renewal) = (newer, count),
                    None => return Ok(()),
                },
            }
        }
    }
}

impl<O, T> Drop for RemoteGuard<O, T> {
    fn drop(&mut self) {
        self.place.held.borrow_mut().take_if(|held| held.info.id == self.info.id);
    }
}

#[cfg(test)]
mod tests;
