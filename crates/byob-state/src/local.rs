//! The record in local files: the JSON, and beside it `.journal`, `.lock` and `history/`. Written whole to a temporary
//! file, made durable, renamed; locked by the operating system (`flock`), so that a dead owner's lock is free at once.
//! Nothing is read or written through a symbolic link. File operations block the calling thread for the moment they
//! take; only waiting for the lock does not.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use byob_model::recorded::Recorded;
use rustix::fs::{FlockOperation, flock};
use uuid::Uuid;

use crate::Entry;
use crate::assembled::{self, AssembleError, Assembled, Base, SaveError};
use crate::disk::{self, Disk, beside, folder};
use crate::format::{FormatError, text_of};
use crate::store::{Guard, Loaded, LockInfo, Store, StoreError, Waiting};

mod history;
mod tools;

pub use history::HISTORY;

/// The first tries for the lock come fast: a reader that looks whether it is held has it for microseconds.
const QUICK_TRIES: u32 = 5;
const QUICK: Duration = Duration::from_millis(10);
const SLOW: Duration = Duration::from_millis(100);

/// How often a reader begins again because a run saved meanwhile; a run saves twice.
const READS: usize = 100;

/// A record in local files.
#[derive(Debug)]
pub struct LocalStore {
    path: PathBuf,
    disk: Disk,
    held: Arc<Mutex<Option<Held>>>,
}

/// What the holder of the lock has.
#[derive(Debug)]
struct Held {
    info: LockInfo,
    lock: File,
    /// The record was read since the lock was taken.
    read: bool,
    /// That was tried, and what is there was seen, usable or not.
    seen: bool,
    base: Option<Base>,
    journal: Option<File>,
}

/// The lock of a local record. Released when dropped.
#[derive(Debug)]
pub struct LocalGuard {
    info: LockInfo,
    held: Arc<Mutex<Option<Held>>>,
}

fn locked(held: &Mutex<Option<Held>>) -> MutexGuard<'_, Option<Held>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LocalStore {
    /// The store at a path. Nothing is looked at, let alone made.
    ///
    /// # Errors
    /// [`StoreError::NotAFile`] for a path that cannot be a file's (`/`, `a/..`).
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        if path.file_name().is_none() {
            return Err(StoreError::NotAFile { path: path.display().to_string() });
        }
        Ok(Self { path, disk: Disk::default(), held: Arc::default() })
    }

    /// The record's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    fn journal_path(&self) -> PathBuf {
        beside(&self.path, ".journal")
    }

    fn lock_path(&self) -> PathBuf {
        beside(&self.path, ".lock")
    }

    /// Record and journal, as they stood at one moment.
    fn read(&self) -> Result<Assembled, StoreError> {
        let mut record = disk::read(&self.path)?;
        let mut journal = disk::read(&self.journal_path())?;
        for _ in 0..READS {
            let again = disk::read(&self.path)?;
            if again == record {
                break;
            }
            record = again;
            journal = disk::read(&self.journal_path())?;
        }
        let text = record.as_deref().map(text_of).transpose();
        let assembled = text
            .map_err(AssembleError::from)
            .and_then(|text| assembled::assemble(text, journal.as_deref().unwrap_or_default()));
        let assembled = assembled.map_err(|error| self.unusable(error))?;
        if assembled.recorded.is_none()
            && let Some(good) = self.last_good()
        {
            let (location, error) = (self.location(), AssembleError::Gone);
            return Err(StoreError::Unusable { location, error, last_good: Some(good) });
        }
        Ok(assembled)
    }

    fn unusable(&self, error: AssembleError) -> StoreError {
        match error {
            AssembleError::Journal(_) => StoreError::Unusable {
                location: self.journal_path().display().to_string(),
                error,
                last_good: None,
            },
            AssembleError::Record(FormatError::Newer { .. } | FormatError::Moved { .. }) => {
                StoreError::Unusable { location: self.location(), error, last_good: None }
            }
            AssembleError::Record(FormatError::Damaged { .. }) | AssembleError::Gone => {
                StoreError::Unusable { location: self.location(), error, last_good: self.last_good() }
            }
        }
    }

    /// Who else holds the lock right now, found out without taking it from anybody for longer than a moment.
    async fn holder(&self) -> Result<Option<LockInfo>, StoreError> {
        if locked(&self.held).is_some() {
            return Ok(None);
        }
        let path = self.lock_path();
        if !disk::is_file(&path)? {
            return Ok(None);
        }
        // A holder writes who it is right after it has the lock.
        for _ in 0..QUICK_TRIES {
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(source) => return Err(self.lock_error("open", source)),
            };
            match flock(&file, FlockOperation::NonBlockingLockShared) {
                Ok(()) => return Ok(None),
                Err(rustix::io::Errno::WOULDBLOCK) => {}
                Err(error) => return Err(self.lock_error("look at the lock", error.into())),
            }
            if let Some(info) = self.noted() {
                return Ok(Some(info));
            }
            pause(QUICK).await;
        }
        Ok(Some(LockInfo::unknown()))
    }

    /// Who the lock's file says has it; true only while it is held.
    fn noted(&self) -> Option<LockInfo> {
        serde_json::from_slice(&disk::read(&self.lock_path()).ok()??).ok()
    }

    fn lock_error(&self, doing: &'static str, source: io::Error) -> StoreError {
        StoreError::Io { doing, path: self.lock_path().display().to_string(), source }
    }

    /// The lock's file, locked, and still the one that has the lock's name.
    fn try_lock(&self, info: &LockInfo) -> Result<Option<File>, StoreError> {
        let path = self.lock_path();
        let file = self.disk.open(&path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(self.lock_error("lock", error.into())),
        }
        if !disk::is_at(&file, &path) {
            return Ok(None);
        }
        if !is_lock(&disk::read(&path)?.unwrap_or_default()) {
            return Err(StoreError::NotALock { path: path.display().to_string() });
        }
        let mut text = serde_json::to_string(info).unwrap_or_default();
        text.push('\n');
        self.disk.note(&file, &path, &text)?;
        Ok(Some(file))
    }

    /// Makes sure that the lock is still ours: somebody may have deleted its file (`git clean`), and somebody else made
    /// another. If nobody did, it is taken again.
    fn still_held(&self, held: &mut Held) -> Result<(), StoreError> {
        if !disk::is_at(&held.lock, &self.lock_path()) {
            let again = self.try_lock(&held.info)?;
            held.lock = again.ok_or_else(|| StoreError::LockLost { location: self.location() })?;
        }
        Ok(())
    }

    fn make_folder(&self) -> Result<(), StoreError> {
        let folder = folder(&self.path);
        if self.disk.make_folder(folder)? {
            let text = format!(
                "# Made by byob: of what is here, only the record itself may be committed.\n*\n!.gitignore\n!{}\n",
                escaped(&self.name())
            );
            self.disk.write_new(&folder.join(".gitignore"), &text)?;
            self.disk.sync_folder(disk::folder(folder))?;
        }
        Ok(())
    }

    fn not_saved(&self, error: SaveError) -> StoreError {
        StoreError::NotSaved { location: self.location(), error }
    }

    /// What the holder of the lock has, if it still holds.
    fn held<'a>(&self, held: &'a mut Option<Held>) -> Result<&'a mut Held, StoreError> {
        let held = held.as_mut().ok_or_else(|| StoreError::NotLocked { location: self.location() })?;
        self.still_held(held)?;
        Ok(held)
    }

    fn save_held(&self, held: &mut Held, recorded: &mut Recorded) -> Result<(), StoreError> {
        let stored = disk::read(&self.path)?;
        if stored.is_some() && !held.read {
            return Err(StoreError::NotRead { location: self.location() });
        }
        let text =
            stored.as_deref().map(text_of).transpose().map_err(|error| self.not_saved(error.into()))?;
        let (text, base) = assembled::next(recorded, text).map_err(|error| self.not_saved(error))?;
        let lineage = base.lineage;
        self.put(stored.as_deref(), &text, lineage, || {
            recorded.serial = base.serial;
            (held.read, held.base, held.journal) = (true, Some(base), None);
        })
    }

    /// Keeps what is stored and puts a text in its place; `there` is called as soon as it is.
    fn put(
        &self,
        stored: Option<&[u8]>,
        text: &str,
        lineage: Uuid,
        there: impl FnOnce(),
    ) -> Result<(), StoreError> {
        if let Some(stored) = stored {
            self.keep(stored)?;
        }
        self.disk.put(&self.path, text.as_bytes())?;
        there();
        self.disk.sync_folder(folder(&self.path))?;
        // Obsolete now by its serial, removed or not.
        let _ = self.disk.remove(&self.journal_path());
        self.prune(lineage);
        Ok(())
    }
}

/// Whether a file is a lock of byob, and not somebody's `Cargo.lock`: a record's path may come out of a pull request. One
/// that a crash cut short is one too.
fn is_lock(bytes: &[u8]) -> bool {
    let begins = |whole: &[u8]| bytes.iter().zip(whole).all(|(found, byte)| found == byte);
    begins(b"{\"id\":\"") || bytes.iter().all(|byte| *byte == 0)
}

/// A name as a pattern of `.gitignore` that means nothing else.
fn escaped(name: &str) -> String {
    name.chars()
        .flat_map(|c| (!c.is_alphanumeric() && !"._-".contains(c)).then_some('\\').into_iter().chain([c]))
        .collect()
}

impl Store for LocalStore {
    type Guard = LocalGuard;

    async fn load(&self) -> Result<Loaded, StoreError> {
        let lock = self.holder().await?;
        let assembled = self.read();
        if let Some(held) = locked(&self.held).as_mut() {
            held.read = assembled.is_ok();
            held.seen |= matches!(assembled, Ok(_) | Err(StoreError::Unusable { .. }));
            held.base = assembled.as_ref().ok().and_then(Base::of);
            held.journal = None;
        }
        let assembled = assembled?;
        // The run whose journal this is may have begun since.
        let lock = if lock.is_none() && assembled.end.is_some() { self.holder().await? } else { lock };
        Ok(Loaded { recorded: assembled.recorded, journalled: assembled.end.is_some(), lock })
    }

    async fn lock(
        &self,
        info: LockInfo,
        timeout: Duration,
        waiting: &mut dyn FnMut(Waiting<'_>),
    ) -> Result<LocalGuard, StoreError> {
        self.make_folder()?;
        let start = Instant::now();
        let mut told = None;
        let mut tries = 0;
        loop {
            if let Some(lock) = self.try_lock(&info)? {
                let (read, seen, base, journal) = (false, false, None, None);
                let held = Held { info: info.clone(), lock, read, seen, base, journal };
                *locked(&self.held) = Some(held);
                return Ok(LocalGuard { info, held: Arc::clone(&self.held) });
            }
            tries += 1;
            let waited = start.elapsed();
            let mut step = QUICK;
            if tries >= QUICK_TRIES {
                // Who has only just taken it has not said so yet: that one is told of at the next try.
                let holder = self.noted();
                if waited >= timeout {
                    let holder = Box::new(holder.unwrap_or_else(LockInfo::unknown));
                    return Err(StoreError::Locked { location: self.location(), holder, waited });
                }
                let holder =
                    if tries > 2 * QUICK_TRIES { holder.or(Some(LockInfo::unknown())) } else { holder };
                if let Some(holder) = holder
                    && told != Some(holder.id)
                {
                    waiting(Waiting::Holder(&holder));
                    told = Some(holder.id);
                }
                step = SLOW.min(timeout.saturating_sub(waited));
            }
            pause(step).await;
        }
    }

    async fn save(&self, recorded: &mut Recorded) -> Result<(), StoreError> {
        let mut held = locked(&self.held);
        self.save_held(self.held(&mut held)?, recorded)
    }

    async fn journal(&self, entries: &[Entry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut held = locked(&self.held);
        let held = self.held(&mut held)?;
        let path = self.journal_path();
        let Some(base) = &mut held.base else {
            let location = self.location();
            return Err(if held.read {
                StoreError::NoRecord { location }
            } else {
                StoreError::NotRead { location }
            });
        };
        let (lines, at, end) = base.lines(entries);
        match &held.journal {
            Some(file) if !disk::is_at(file, &path) => {
                return Err(StoreError::JournalLost { path: path.display().to_string() });
            }
            Some(file) => self.disk.append(file, &path, at, lines.as_bytes())?,
            None => {
                let file = self.disk.open(&path)?;
                self.disk.append(&file, &path, at, lines.as_bytes())?;
                self.disk.sync_folder(folder(&path))?;
                held.journal = Some(file);
            }
        }
        base.end = Some(end);
        Ok(())
    }

    fn location(&self) -> String {
        self.path.display().to_string()
    }
}

impl LocalGuard {
    fn give_back(&self) -> Result<(), io::Error> {
        let mut held = locked(&self.held);
        match held.take_if(|held| held.info.id == self.info.id) {
            // The file stays, empty; closing it, in any case, gives the lock back.
            Some(held) => held.lock.set_len(0),
            None => Ok(()),
        }
    }
}

impl Guard for LocalGuard {
    fn info(&self) -> &LockInfo {
        &self.info
    }

    async fn release(self) -> Result<(), StoreError> {
        // A holder's name left in a lock that nobody holds is nothing.
        let _ = self.give_back();
        Ok(())
    }
}

impl Drop for LocalGuard {
    fn drop(&mut self) {
        let _ = self.give_back();
    }
}

/// Waits, whatever runtime there is (a thread wakes it), so that an interrupt can end the waiting.
async fn pause(time: Duration) {
    let alarm: Arc<Mutex<(bool, Option<Waker>)>> = Arc::default();
    let theirs = Arc::clone(&alarm);
    let spawned = std::thread::Builder::new().name("byob-pause".to_owned()).spawn(move || {
        std::thread::sleep(time);
        let mut alarm = theirs.lock().unwrap_or_else(PoisonError::into_inner);
        alarm.0 = true;
        if let Some(waker) = alarm.1.take() {
            waker.wake();
        }
    });
    if spawned.is_err() {
        // No thread to be had: then this one waits.
        return std::thread::sleep(time);
    }
    std::future::poll_fn(|context| {
        let mut alarm = alarm.lock().unwrap_or_else(PoisonError::into_inner);
        if alarm.0 {
            return Poll::Ready(());
        }
        alarm.1 = Some(context.waker().clone());
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests;
