//! What the executor and the commands ask of a place that keeps a record: read it, lock it, save it, journal what
//! happens. No runtime's types appear, so that a simulation can stand behind the same trait.

use std::fmt;
use std::io;
use std::time::Duration;

use byob_model::recorded::Recorded;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Entry;
use crate::assembled::{AssembleError, SaveError};
use crate::format::FormatError;
use crate::objects::ObjectError;

/// A place that keeps one record.
///
/// The order of a run: [`lock`](Self::lock), [`load`](Self::load), then any number of [`save`](Self::save) and
/// [`journal`](Self::journal), then [`Guard::release`]. Saving or journalling without the lock, or without having read
/// under it what is there, is refused.
#[expect(async_fn_in_trait, reason = "one thread runs everything; no future here need be Send")]
pub trait Store {
    /// The lock, held.
    type Guard: Guard;

    /// Reads the record. Takes no lock and writes nothing; beside a running apply it shows what that run has saved and
    /// journalled so far.
    ///
    /// # Errors
    /// [`StoreError`]; a damaged record or journal is never used, not even in part.
    async fn load(&self) -> Result<Loaded, StoreError>;

    /// Takes the lock, for `info`. While somebody else holds it, or the record's place does not answer, waits up to
    /// `timeout`, and calls `waiting` once for each that is waited for. Dropping the future gives up.
    ///
    /// # Errors
    /// [`StoreError::Locked`] after the timeout.
    async fn lock(
        &self,
        info: LockInfo,
        timeout: Duration,
        waiting: &mut dyn FnMut(Waiting<'_>),
    ) -> Result<Self::Guard, StoreError>;

    /// Saves the record, under the lock: its serial grows by one, what was stored is kept as history, and the journal
    /// ends (whatever it says must be in `recorded`).
    ///
    /// # Errors
    /// [`StoreError`]; what was stored is still there, and `recorded` as it was. Only where the very last step failed
    /// (making the new name durable) the record is the new one, and `recorded.serial` says so.
    async fn save(&self, recorded: &mut Recorded) -> Result<(), StoreError>;

    /// Appends entries to the journal, under the lock: durable when this returns, and one write for all of them.
    ///
    /// # Errors
    /// [`StoreError`]; any number of the first entries may have been written, which does no harm. Trying again, or
    /// going on with other entries, is possible.
    async fn journal(&self, entries: &[Entry]) -> Result<(), StoreError>;

    /// Waits until a call that writes may be begun: at once, but where the lock holds by a lease of which too little is
    /// left. Such a call must end within [`call_limit`](Self::call_limit).
    ///
    /// # Errors
    /// [`StoreError::LockLost`]: somebody else may write by now.
    async fn may_write(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// How long a call that writes may take; `None`: as long as it takes.
    fn call_limit(&self) -> Option<Duration> {
        None
    }

    /// Where it is, for people: `state/byob.state.json`.
    fn location(&self) -> String;
}

/// A held lock. Dropping it releases it too, or, where that takes a call, leaves it to end by itself.
#[expect(async_fn_in_trait, reason = "as for `Store`")]
pub trait Guard {
    /// For whom.
    fn info(&self) -> &LockInfo;

    /// Keeps it held for as long as this future is polled; it ends only when the lock is lost.
    async fn keep(&self) -> StoreError {
        std::future::pending().await
    }

    /// Gives the lock back.
    ///
    /// # Errors
    /// [`StoreError`] if it may still stand.
    async fn release(self) -> Result<(), StoreError>;
}

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The record, its open journal replayed; `None` if there is none yet.
    pub recorded: Option<Recorded>,
    /// There is an open journal: a run is under way, or one crashed.
    pub journalled: bool,
    /// Who else holds the lock right now.
    pub lock: Option<LockInfo>,
}

/// What a run waits for before it has the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting<'a> {
    /// Somebody who holds it.
    Holder(&'a LockInfo),
    /// An answer of the record's place.
    Answer {
        /// Where the lock is: `s3://bucket/key.lock`.
        location: &'a str,
        /// What came instead.
        error: &'a str,
    },
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockInfo {
    /// Of this taking of the lock.
    pub id: Uuid,
    /// `byob apply`; no arguments, which can hold secrets.
    pub command: String,
    /// The user's name.
    pub user: String,
    /// The host's name.
    pub host: String,
    /// The process id on that host.
    pub pid: u32,
    /// UTC seconds since 1970.
    pub since: i64,
    /// What tells that process from all others of the host; absent where the system does not say it, and in locks of
    /// byob 0.1.0's first builds.
    #[serde(default)]
    pub process: Option<ProcessMark>,
}

/// What tells one process of a host from all others, of other boots and of other containers on it too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessMark {
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// The namespace its process id is of: `pid:[4026531836]`.
    pub pid_namespace: String,
    /// When it began, in clock ticks since the boot (field 22 of `/proc/PID/stat`).
    pub started: u64,
}

impl ProcessMark {
    /// Of a running process of this machine and namespace; `None` where there is none, or no `/proc`.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        let pid_namespace = std::fs::read_link("/proc/self/ns/pid").ok()?.to_string_lossy().into_owned();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name of the program stands in parentheses, and may hold spaces and parentheses itself.
        let (_, rest) = stat.rsplit_once(')')?;
        let started = rest.split_whitespace().nth(19)?.parse().ok()?;
        Some(Self { boot_id, pid_namespace, started })
    }
}

impl LockInfo {
    /// Of this process.
    #[must_use]
    pub fn of_this_process(id: Uuid, command: &str, since: i64) -> Self {
        let user = ["USER", "LOGNAME"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
        let user = user.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let pid = std::process::id();
        Self { id, command: command.to_owned(), user, host, pid, since, process: ProcessMark::of(pid) }
    }

    /// Whether it certainly was a process of this very machine that has ended.
    #[must_use]
    pub fn is_dead_here(&self) -> bool {
        let (Some(mark), Some(own)) = (&self.process, ProcessMark::of(std::process::id())) else {
            return false;
        };
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let here =
            self.host == host && mark.boot_id == own.boot_id && mark.pid_namespace == own.pid_namespace;
        // A process that /proc does not show may yet live: it can be hidden from other users. So it is asked for by its
        // number. Another one may have that number by now; then it began at another time.
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw);
        let nobody = pid.is_some_and(|pid| {
            matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
        });
        here && (nobody || ProcessMark::of(self.pid).is_some_and(|now| now.started != mark.started))
    }

    /// Of a holder that did not say who it is.
    #[must_use]
    pub fn unknown() -> Self {
        let unknown = || "unknown".to_owned();
        Self {
            id: Uuid::nil(),
            command: unknown(),
            user: unknown(),
            host: unknown(),
            pid: 0,
            since: 0,
            process: None,
        }
    }
}

impl fmt::Display for LockInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.id.is_nil() {
            return f.write_str("a process that did not say who it is");
        }
        write!(f, "`{}` by {} on {}, process {}", self.command, self.user, self.host, self.pid)?;
        match jiff::Timestamp::from_second(self.since) {
            Ok(since) => write!(f, ", since {since}"),
            Err(_) => Ok(()),
        }
    }
}

/// Time since the machine was started, sleep included where the system counts it.
#[must_use]
pub fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    // macOS's monotonic clock goes on in sleep.
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(clock);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
}

/// Why a store did not do what it was asked. The text says what happened, [`StoreError::help`] what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Record or journal cannot be used.
    #[error("{location}: {error}")]
    Unusable {
        /// The file that is meant.
        location: String,
        /// What is wrong with it.
        error: AssembleError,
        /// Of a damaged record: the newest kept predecessor that can be read.
        last_good: Option<LastGood>,
    },
    /// A record may not be saved over what is stored.
    #[error("{location}: {error}")]
    NotSaved {
        /// The record's file.
        location: String,
        /// Why.
        error: SaveError,
    },
    /// The operating system refused.
    #[error("could not {doing} {path}: {source}")]
    Io {
        /// `read`, `write`, …
        doing: &'static str,
        /// The file or folder.
        path: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A symbolic link stands where byob writes.
    #[error("{path} is a symbolic link; byob does not follow links where it keeps a record")]
    SymbolicLink {
        /// The link.
        path: String,
    },
    /// Something else than a file stands where a record, a journal or a lock belongs.
    #[error("{path} is not a file")]
    NotAFile {
        /// What stands there.
        path: String,
    },
    /// Somebody else's file stands where the record's lock belongs.
    #[error("{path} is not a lock of byob: it was left as it is")]
    NotALock {
        /// What stands there.
        path: String,
    },
    /// The place that keeps the record's objects did not do what it was asked.
    #[error("could not {doing} {location}: {error}")]
    Objects {
        /// `read`, `write`, …
        doing: &'static str,
        /// The object.
        location: String,
        /// What the place said.
        error: ObjectError,
    },
    /// The place writes where it was told to write only over something else: two runs could not be kept apart.
    #[error(
        "the place of {location} ignores If-Match or If-None-Match on writes, so a lock there would hold nobody off"
    )]
    Unconditional {
        /// The object.
        location: String,
    },
    /// Somebody else held the lock until the timeout.
    #[error("{location} is locked: {holder}")]
    Locked {
        /// The record's file.
        location: String,
        /// Who.
        holder: Box<LockInfo>,
        /// How long was waited.
        waited: Duration,
    },
    /// The lock was taken away (its file was deleted, its lease ran out) and somebody else has it now.
    #[error("the lock of {location} was lost while this run held it")]
    LockLost {
        /// The record's file.
        location: String,
    },
    /// The journal was deleted while it was written. Saving makes good for it: the record in memory has what it said.
    #[error("{path} was deleted while this run wrote it")]
    JournalLost {
        /// The journal's file.
        path: String,
    },
    /// Saving or journalling without the lock: a bug.
    #[error("{location} was to be written without its lock")]
    NotLocked {
        /// The record's file.
        location: String,
    },
    /// Saving or journalling without having read, under the lock, what is stored: a bug.
    #[error("{location} was to be written without having been read under its lock")]
    NotRead {
        /// The record's file.
        location: String,
    },
    /// Journalling, or leaving the place, before the first save: a bug.
    #[error("{location} was to be journalled or left before it was first saved")]
    NoRecord {
        /// The record's file.
        location: String,
    },
}

/// The newest kept predecessor of a damaged record that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastGood {
    /// Where it is, for people.
    pub location: String,
    /// What to type to put it in the damaged one's place.
    pub command: String,
}

impl StoreError {
    /// What to do about it; nothing for bugs and for what the text says already.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Unusable { error: AssembleError::Record(FormatError::Newer { .. }), .. } => {
                "use the byob that wrote it, or a newer one; records are not taken back to older formats"
                    .to_owned()
            }
            Self::Unusable { error: AssembleError::Record(FormatError::Moved { .. }), .. } => {
                "let [state] in byob.toml name that place".to_owned()
            }
            Self::Unusable { last_good: Some(LastGood { location, command }), error, .. } => {
                let anew = match error {
                    AssembleError::Gone => "; to begin anew all the same, let [state] name another place",
                    _ => "",
                };
                format!("the newest good copy is {location}; put it back with: {command}{anew}")
            }
            Self::Unusable { error: AssembleError::Record(_), .. } => {
                "put back a good copy (your version control, a backup): byob state push --force COPY; there is none in \
                 its history"
                    .to_owned()
            }
            Self::Unusable { error: AssembleError::Gone, .. } => return None,
            Self::Unusable { location, error: AssembleError::Journal(_), .. } => format!(
                "it says what a run did after its last save, resources it created included; put back the record that \
                 it belongs to: byob state push --force COPY, which keeps this journal aside (byob state history lists \
                 copies); or, if that is gone for good, move {location} away and look at AWS for what the record lacks"
            ),
            Self::NotSaved { error: SaveError::Changed { expected, .. }, .. } => format!(
                "something replaced the record during the run (a checkout, a sync?); put serial {expected} back from \
                 history/ and run again, so that the journal beside it can be read"
            ),
            Self::Locked { location, holder, .. } if location.starts_with("s3://") => format!(
                "wait for it to end, or give more time with --lock-timeout; a run that is certainly gone holds it no \
                 longer than 45 s, or until: byob state unlock {}",
                holder.id
            ),
            Self::Locked { .. } => "wait for it to end, or give more time with --lock-timeout".to_owned(),
            Self::Objects { error: ObjectError::Refused { help, .. }, .. } => return help.clone(),
            Self::Objects { .. } => "what was saved before is intact; run again".to_owned(),
            Self::Unconditional { .. } => {
                "keep the record in S3, or in a store with conditional writes (MinIO, Ceph and R2 have them in their \
                 newer versions), or in a file"
                    .to_owned()
            }
            Self::NotALock { path } => format!(
                "the lock of a record stands beside it, as its name and `.lock`: let `[state] path` name a file of its own; \
                 if {path} is of no use to anybody, remove it"
            ),
            Self::SymbolicLink { .. } => "let `[state] path` name the file itself".to_owned(),
            Self::LockLost { .. } => "let the other run end, then run again".to_owned(),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "make room on that disk and run again: what was saved before is intact".to_owned()
            }
            Self::Io { .. }
            | Self::NotSaved { .. }
            | Self::NotAFile { .. }
            | Self::JournalLost { .. }
            | Self::NotLocked { .. }
            | Self::NotRead { .. }
            | Self::NoRecord { .. } => return None,
        })
    }
}

/// A path as a shell takes it.
pub(crate) fn quoted(path: &str) -> String {
    if path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c)) && !path.starts_with('-') {
        return path.to_owned();
    }
    let path = path.replace('\'', r"'\''");
    if path.starts_with('-') { format!("'./{path}'") } else { format!("'{path}'") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::lock_info;

    #[test]
    fn a_holder_is_said_in_one_line() {
        let said = lock_info(1).to_string();
        assert_eq!(said, "`byob apply` by alice on ci-7, process 4711, since 2026-09-21T14:13:20Z");
        assert_eq!(LockInfo::unknown().to_string(), "a process that did not say who it is");
    }

    #[test]
    fn a_path_in_a_command_is_one_word() {
        assert_eq!(quoted("state/byob.state.json"), "state/byob.state.json");
        assert_eq!(quoted("my state/$(x)'s"), r"'my state/$(x)'\''s'");
        assert_eq!(quoted("-r"), "'./-r'");
    }

    #[test]
    fn this_process_has_a_user_and_a_host() {
        let info = LockInfo::of_this_process(Uuid::from_u128(1), "byob apply", 0);
        assert!(!info.user.is_empty() && !info.host.is_empty());
        assert_eq!(info.pid, std::process::id());
    }
}
