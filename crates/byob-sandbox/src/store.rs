//! The folder: records on shelves, one file each, so that a call writes only what it touched. Knows nothing of what
//! the records mean.
//!
//! A file is written beside its place and renamed over it, mode 0600. The rename survives `kill -9`; there is no
//! `fsync`, because a sandbox need not survive a power cut. A record in memory is trusted only while its file is the
//! one it was read from (inode, length and time), so another process's writes are seen at the next look.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::SandboxError;

/// What tells one version of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stamp {
    inode: u64,
    length: u64,
    modified: Option<std::time::SystemTime>,
}

impl Stamp {
    /// The stamp of the file at `path`; `None` where there is none.
    pub(crate) fn of(path: &Path) -> Result<Option<Self>, SandboxError> {
        match fs::metadata(path) {
            Ok(meta) => {
                #[cfg(unix)]
                let inode = std::os::unix::fs::MetadataExt::ino(&meta);
                #[cfg(not(unix))]
                let inode = 0;
                Ok(Some(Self { inode, length: meta.len(), modified: meta.modified().ok() }))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SandboxError::Io { what: "read", path: path.to_owned(), source }),
        }
    }
}

/// Records of one kind by name, in a folder or in memory only.
#[derive(Debug)]
pub(crate) struct Shelf<T> {
    dir: Option<PathBuf>,
    records: BTreeMap<String, (Stamp, Arc<T>)>,
}

impl<T: Serialize + DeserializeOwned> Shelf<T> {
    /// A shelf in `dir`, which is made at the first write, or in memory.
    pub(crate) fn new(dir: Option<PathBuf>) -> Self {
        Self { dir, records: BTreeMap::new() }
    }

    /// The record of that name.
    pub(crate) fn get(&mut self, name: &str) -> Result<Option<Arc<T>>, SandboxError> {
        let Some(dir) = &self.dir else {
            return Ok(self.records.get(name).map(|(_, record)| Arc::clone(record)));
        };
        let path = dir.join(file_name(name));
        let Some(stamp) = Stamp::of(&path)? else {
            self.records.remove(name);
            return Ok(None);
        };
        if let Some((known, record)) = self.records.get(name)
            && *known == stamp
        {
            return Ok(Some(Arc::clone(record)));
        }
        let Some(record) = read_json(&path)? else { return Ok(None) };
        let record = Arc::new(record);
        self.records.insert(name.to_owned(), (stamp, Arc::clone(&record)));
        Ok(Some(record))
    }

    /// Puts a record into its place, on disk first.
    pub(crate) fn put(&mut self, name: &str, record: T) -> Result<(), SandboxError> {
        let mut stamp = Stamp::default();
        if let Some(dir) = &self.dir {
            let path = dir.join(file_name(name));
            write_json(&path, &record)?;
            stamp = Stamp::of(&path)?.unwrap_or_default();
        }
        self.records.insert(name.to_owned(), (stamp, Arc::new(record)));
        Ok(())
    }

    /// Takes a record away; none there is fine.
    pub(crate) fn remove(&mut self, name: &str) -> Result<(), SandboxError> {
        self.records.remove(name);
        match &self.dir {
            Some(dir) => remove_file(&dir.join(file_name(name))),
            None => Ok(()),
        }
    }

    /// All names, sorted.
    pub(crate) fn names(&self) -> Result<Vec<String>, SandboxError> {
        let Some(dir) = &self.dir else { return Ok(self.records.keys().cloned().collect()) };
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(SandboxError::Io { what: "read", path: dir.clone(), source }),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry =
                entry.map_err(|source| SandboxError::Io { what: "read", path: dir.clone(), source })?;
            if let Some(name) = entry.file_name().to_str().and_then(record_name) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// All records with their names, sorted by name.
    pub(crate) fn all(&mut self) -> Result<Vec<(String, Arc<T>)>, SandboxError> {
        let mut all = Vec::new();
        for name in self.names()? {
            if let Some(record) = self.get(&name)? {
                all.push((name, record));
            }
        }
        Ok(all)
    }
}

/// A record's file: characters outside a small set are written `%XX`.
fn file_name(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out.push_str(".json");
    out
}

fn record_name(file: &str) -> Option<String> {
    let name = file.strip_suffix(".json")?;
    Some(crate::route::percent_decode(name))
}

/// Reads a JSON file; `None` where there is none.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, SandboxError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(SandboxError::Io { what: "read", path: path.to_owned(), source }),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| SandboxError::Corrupt { path: path.to_owned(), reason: error.to_string() })
}

/// What the names of unfinished files begin with.
const TEMPORARY: &str = ".byob-sandbox-";

/// Writes a JSON file: beside its place, mode 0600, then renamed over it.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), SandboxError> {
    let bytes = serde_json::to_vec(value)
        .map_err(|error| SandboxError::Corrupt { path: path.to_owned(), reason: error.to_string() })?;
    write_file(path, &bytes)
}

/// Writes a file: beside its place, mode 0600, then renamed over it.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), SandboxError> {
    let failed = |source| SandboxError::Io { what: "write", path: path.to_owned(), source };
    let dir = path.parent().unwrap_or(Path::new("."));
    // tempfile makes its files with mode 0600.
    let mut file = match tempfile::NamedTempFile::with_prefix_in(TEMPORARY, dir) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make_private(dir)?;
            tempfile::NamedTempFile::with_prefix_in(TEMPORARY, dir).map_err(failed)?
        }
        Err(error) => return Err(failed(error)),
    };
    file.write_all(bytes).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Makes a folder, with those above it, that only its owner can look into.
pub(crate) fn make_private(dir: &Path) -> Result<(), SandboxError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|source| SandboxError::Io { what: "create", path: dir.to_owned(), source })
}

/// Removes a file; none there is fine.
pub(crate) fn remove_file(path: &Path) -> Result<(), SandboxError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(SandboxError::Io { what: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Removes a folder with what is in it; none there is fine.
pub(crate) fn remove_dir(path: &Path) -> Result<(), SandboxError> {
    match fs::remove_dir_all(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(SandboxError::Io { what: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Holds the folder's lock while it lives: one call's writes of one process.
#[derive(Debug)]
pub(crate) struct WriteLock(#[expect(dead_code, reason = "held for its drop")] Option<fs::File>);

impl WriteLock {
    /// Waits for the lock; without a folder there is nobody to wait for. Never blocks the runtime: the holder may be
    /// another handle on the same thread.
    pub(crate) async fn take(dir: Option<&Path>) -> Result<Self, SandboxError> {
        let Some(dir) = dir else { return Ok(Self(None)) };
        let path = dir.join("lock");
        let failed = |source| SandboxError::Io { what: "lock", path: path.clone(), source };
        let file = open_lock(&path)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(Some(file))),
                Err(fs::TryLockError::WouldBlock) => {
                    tokio::task::yield_now().await;
                    std::thread::sleep(std::time::Duration::from_micros(200));
                }
                Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
    }

    /// The same for a caller that is not asynchronous.
    pub(crate) fn wait(dir: &Path) -> Result<Self, SandboxError> {
        let path = dir.join("lock");
        let file = open_lock(&path)?;
        file.lock().map_err(|source| SandboxError::Io { what: "lock", path, source })?;
        Ok(Self(Some(file)))
    }
}

fn open_lock(path: &Path) -> Result<fs::File, SandboxError> {
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|source| SandboxError::Io { what: "lock", path: path.to_owned(), source })
}

/// Removes temporary files that a crash has left in `dir` itself.
pub(crate) fn sweep(dir: &Path) -> Result<(), SandboxError> {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(TEMPORARY)) {
            remove_file(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_written_by_another_process_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let mut mine: Shelf<String> = Shelf::new(Some(dir.path().to_owned()));
        let mut theirs: Shelf<String> = Shelf::new(Some(dir.path().to_owned()));
        mine.put("alias/a", "one".to_owned()).unwrap();
        assert_eq!(theirs.get("alias/a").unwrap().as_deref().map(String::as_str), Some("one"));
        theirs.put("alias/a", "two!".to_owned()).unwrap();
        assert_eq!(mine.get("alias/a").unwrap().as_deref().map(String::as_str), Some("two!"));
        assert_eq!(mine.names().unwrap(), ["alias/a"]);
        theirs.remove("alias/a").unwrap();
        assert!(mine.get("alias/a").unwrap().is_none());
    }

    #[test]
    fn files_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        write_json(&dir.path().join("deep/down.json"), &1).unwrap();
        let mode = fs::metadata(dir.path().join("deep/down.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
