//! What a local store keeps of what it replaces: files in `history/`, beside the record. A record's is named by serial and
//! lineage, that of something which cannot be read by a sum over it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use byob_model::recorded::Recorded;
use uuid::Uuid;

use super::LocalStore;
use crate::disk::{self, folder};
use crate::format::{self, FormatError, text_of};
use crate::json;
use crate::store::{LastGood, Store as _, StoreError, quoted};
use crate::tools::Kept;

/// How many predecessors of one lineage are kept; and how many of those that cannot be read, journals apart.
pub const HISTORY: usize = 20;

/// How the name of something begins that was replaced and cannot be read.
const DAMAGED: &str = "damaged-";

/// A file in `history/`, by its name.
#[derive(Debug)]
pub(super) struct Past {
    path: PathBuf,
    name: String,
    whose: Whose,
    /// Seconds and nanoseconds since 1970, by the file system's clock.
    replaced_at: (i64, i64),
}

/// What a file's name says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Whose {
    /// A record's: its serial, and the first eight hex digits of its lineage.
    Record(u64, String),
    /// What stood in a record's place.
    Damaged,
    /// What stood in a journal's place.
    DamagedJournal,
}

impl Whose {
    fn of(rest: &str) -> Option<Self> {
        let hex = |text: &str| text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(sum) = rest.strip_prefix(DAMAGED) {
            return hex(sum).then_some(Self::Damaged);
        }
        if let Some(sum) = rest.strip_prefix("journal.").and_then(|rest| rest.strip_prefix(DAMAGED)) {
            return hex(sum).then_some(Self::DamagedJournal);
        }
        let (serial, lineage) = rest.split_once('-')?;
        hex(lineage).then_some(Self::Record(serial.parse().ok()?, lineage.to_owned()))
    }
}

impl LocalStore {
    fn folder_of_history(&self) -> PathBuf {
        folder(&self.path).join("history")
    }

    /// The files in `history/`, the last replaced first.
    pub(super) fn past(&self) -> Result<Vec<Past>, StoreError> {
        let folder = self.folder_of_history();
        let error = |source| StoreError::Io { doing: "read", path: folder.display().to_string(), source };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(other) => return Err(error(other)),
        };
        let prefix = format!("{}.", self.name());
        let mut past = Vec::new();
        for entry in entries {
            let entry = entry.map_err(error)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(whose) = name.strip_prefix(&prefix).and_then(Whose::of) else { continue };
            // Gone meanwhile: pruned by a run.
            let Ok(found) = entry.metadata() else { continue };
            if found.is_file() {
                let replaced_at = (found.mtime(), found.mtime_nsec());
                past.push(Past { path: entry.path(), name, whose, replaced_at });
            }
        }
        let serial = |past: &Past| match past.whose {
            Whose::Record(serial, _) => serial,
            Whose::Damaged | Whose::DamagedJournal => u64::MAX,
        };
        past.sort_by_key(|past| std::cmp::Reverse((past.replaced_at, serial(past))));
        Ok(past)
    }

    /// The stored record and its predecessors, the last replaced first, until `found` has what it looks for.
    pub(super) fn look_through(
        &self,
        mut found: impl FnMut(Kept, Option<Recorded>) -> bool,
    ) -> Result<(), StoreError> {
        if let Some(bytes) = disk::read(&self.path)? {
            let at = fs::symlink_metadata(&self.path).map_or(0, |found| found.mtime());
            let (kept, recorded) = Kept::of(&bytes, at, self.location(), self.name(), true);
            if found(kept, recorded) {
                return Ok(());
            }
        }
        for past in self.past()?.into_iter().filter(|past| past.whose != Whose::DamagedJournal) {
            let Some(bytes) = disk::read(&past.path)? else { continue };
            let location = past.path.display().to_string();
            let (mut kept, recorded) = Kept::of(&bytes, past.replaced_at.0, location, past.name, false);
            if let (None, Whose::Record(serial, _)) = (kept.serial, past.whose) {
                kept.serial = Some(serial);
            }
            if found(kept, recorded) {
                return Ok(());
            }
        }
        Ok(())
    }

    pub(super) fn last_good(&self) -> Option<LastGood> {
        let mut good = None;
        let is_good = |kept: Kept, _| {
            let is_good = kept.readable && !kept.latest;
            good = is_good.then_some(kept.location);
            is_good
        };
        self.look_through(is_good).ok()?;
        let location = good?;
        let command = format!("cp {} {}", quoted(&location), quoted(&self.location()));
        Some(LastGood { location, command })
    }

    /// Keeps what is about to be replaced; of a marker there is nothing to keep.
    pub(super) fn keep(&self, stored: &[u8]) -> Result<(), StoreError> {
        let rest = match text_of(stored).and_then(format::read) {
            Ok(recorded) => {
                format!("{:06}-{}", recorded.serial, short(recorded.lineage.unwrap_or_default()))
            }
            Err(FormatError::Moved { .. }) => return Ok(()),
            Err(FormatError::Damaged { .. } | FormatError::Newer { .. }) => damaged(stored),
        };
        self.keep_as(&rest, stored)
    }

    /// Keeps a journal that cannot be read, or not together with its record.
    pub(super) fn keep_journal(&self, journal: &[u8]) -> Result<(), StoreError> {
        self.keep_as(&format!("journal.{}", damaged(journal)), journal)
    }

    fn keep_as(&self, rest: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let folder = self.folder_of_history();
        if fs::symlink_metadata(&folder).is_ok_and(|found| found.is_symlink()) {
            return Err(StoreError::SymbolicLink { path: folder.display().to_string() });
        }
        if self.disk.make_folder(&folder)? {
            self.disk.sync_folder(disk::folder(&folder))?;
        }
        self.disk.put(&folder.join(format!("{}.{rest}", self.name())), bytes)?;
        self.disk.sync_folder(&folder)
    }

    /// Removes all but the newest. What cannot be removed now is tried again after the next save.
    pub(super) fn prune(&self, lineage: Uuid) {
        let lineage = short(lineage);
        let past = self.past().unwrap_or_default();
        let mut of_lineage: Vec<(u64, &Path)> = past
            .iter()
            .filter_map(|past| match &past.whose {
                Whose::Record(serial, whose) if *whose == lineage => Some((*serial, past.path.as_path())),
                _ => None,
            })
            .collect();
        of_lineage.sort_by_key(|(serial, _)| std::cmp::Reverse(*serial));
        let damaged = |what: Whose| past.iter().filter(move |past| past.whose == what).skip(HISTORY);
        let damaged = damaged(Whose::Damaged).chain(damaged(Whose::DamagedJournal));
        let old = of_lineage.iter().skip(HISTORY).map(|(_, path)| *path);
        for path in old.chain(damaged.map(|past| past.path.as_path())) {
            let _ = self.disk.remove(path);
        }
    }
}

fn damaged(bytes: &[u8]) -> String {
    let mut sum = json::sha256(&[bytes]);
    sum.truncate(8);
    format!("{DAMAGED}{sum}")
}

fn short(lineage: Uuid) -> String {
    let mut text = lineage.simple().to_string();
    text.truncate(8);
    text
}
