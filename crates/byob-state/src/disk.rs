//! The file-system operations of the local store, one place for all of them: nothing follows a symbolic link, every
//! error names its file, and tests can make any one of them fail, or be the last that the process did.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::store::StoreError;

/// The disk. Reading never fails by plan; every operation that changes something asks for leave first.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    #[cfg(test)]
    pub(crate) faults: std::sync::Arc<std::sync::Mutex<Faults>>,
}

/// Which operations fail, in tests.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Operations so far.
    pub(crate) done: usize,
    /// The operation that fails, counted from 0; a write gets half of its bytes out.
    pub(crate) at: Option<usize>,
    /// Whether all later ones fail too: the process is dead.
    pub(crate) crash: bool,
}

/// What [`Disk::leave`] says: go on, or do (of a write) half of it and fail.
enum Leave {
    Whole,
    #[cfg(test)]
    Half,
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.display().to_string();
    move |source| StoreError::Io { doing, path, source }
}

/// A path with something after its last component.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// The folder of a file.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `O_NOFOLLOW`, and no waiting for the writer of a named pipe.
fn careful() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
}

/// Refuses what is there and is not a file. Whether something is there.
pub(crate) fn is_file(path: &Path) -> Result<bool, StoreError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io("look at", path)(error)),
        Ok(found) if found.is_symlink() => Err(StoreError::SymbolicLink { path: path.display().to_string() }),
        Ok(found) if found.is_file() => Ok(true),
        Ok(_) => Err(StoreError::NotAFile { path: path.display().to_string() }),
    }
}

/// Whether a path still leads to an open file.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// A file's bytes; `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    if !is_file(path)? {
        return Ok(None);
    }
    let opened = OpenOptions::new().read(true).custom_flags(careful()).open(path);
    let bytes = opened.and_then(|mut file| {
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut file, &mut bytes)?;
        Ok(bytes)
    });
    match bytes {
        Ok(bytes) => Ok(Some(bytes)),
        // A run that ended in between took its journal away.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io("read", path)(error)),
    }
}

/// What a file is called while it is written: nobody else's files end so, and what a crash left may be removed.
pub(crate) const TEMPORARY: &str = ".byob.tmp";

impl Disk {
    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "what tests do with it")]
    fn leave(&self) -> io::Result<Leave> {
        Ok(Leave::Whole)
    }

    #[cfg(test)]
    fn leave(&self) -> io::Result<Leave> {
        let mut faults = self.faults.lock().unwrap();
        let number = faults.done;
        faults.done += 1;
        match faults.at {
            Some(at) if at == number => Ok(Leave::Half),
            Some(at) if faults.crash && at < number => Err(io::Error::other("the process is dead")),
            _ => Ok(Leave::Whole),
        }
    }

    /// Leave for an operation that cannot be half done.
    fn ask(&self) -> io::Result<()> {
        match self.leave()? {
            Leave::Whole => Ok(()),
            #[cfg(test)]
            Leave::Half => Err(io::Error::from(io::ErrorKind::StorageFull)),
        }
    }

    fn write_at(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        match self.leave()? {
            Leave::Whole => file.write_all_at(bytes, at),
            #[cfg(test)]
            Leave::Half => {
                file.write_all_at(&bytes[..bytes.len() / 2], at)?;
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
        }
    }

    /// Makes a folder and those above it. Whether it was not there before.
    pub(crate) fn make_folder(&self, path: &Path) -> Result<bool, StoreError> {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => return Ok(false),
            // A link to a folder is for the one who set it up to answer for; so is a folder above.
            Ok(_) if path.is_dir() => return Ok(false),
            Ok(_) => return Err(io("make the folder", path)(io::Error::from(io::ErrorKind::NotADirectory))),
            Err(_) => {}
        }
        let made = self.ask().and_then(|()| {
            fs::create_dir_all(folder(path))?;
            match fs::create_dir(path) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(error),
            }
        });
        made.map_err(io("make the folder", path))
    }

    /// Puts a file in the place of another, whole or not at all, for its owner's eyes only. Not durable before
    /// [`Disk::sync_folder`].
    pub(crate) fn put(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        is_file(path)?;
        let temporary = beside(path, TEMPORARY);
        // One that a crash left; whoever writes here holds the lock.
        self.remove(&temporary)?;
        let written = self.ask().and_then(|()| {
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            self.write_at(&file, bytes, 0)?;
            self.ask()?;
            file.sync_all()
        });
        let put = written.map_err(io("write", &temporary)).and_then(|()| {
            let renamed = self.ask().and_then(|()| fs::rename(&temporary, path));
            renamed.map_err(io("replace", path))
        });
        if put.is_err() {
            // The first error is the one to tell.
            let _ = self.remove(&temporary);
        }
        put
    }

    /// Makes durable which files a folder has.
    pub(crate) fn sync_folder(&self, path: &Path) -> Result<(), StoreError> {
        let synced = self.ask().and_then(|()| File::open(path)?.sync_all());
        synced.map_err(io("make durable the folder", path))
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), StoreError> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            _ => {}
        }
        match self.ask().and_then(|()| fs::remove_file(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io("remove", path)(error)),
            _ => Ok(()),
        }
    }

    /// Opens a file to be written in place, made if it is not there.
    pub(crate) fn open(&self, path: &Path) -> Result<File, StoreError> {
        is_file(path)?;
        let opened = self.ask().and_then(|()| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(careful());
            options.open(path)
        });
        opened.map_err(io("open", path))
    }

    /// Cuts a file at a length, writes there, and makes it durable.
    pub(crate) fn append(&self, file: &File, path: &Path, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let appended = file.metadata().and_then(|found| {
            if found.len() != at {
                self.ask()?;
                file.set_len(at)?;
            }
            self.write_at(file, bytes, at)?;
            self.ask()?;
            file.sync_data()
        });
        appended.map_err(io("append to", path))
    }

    /// Writes a small file in place, for others to look at; nothing depends on its being whole or durable.
    pub(crate) fn note(&self, file: &File, path: &Path, text: &str) -> Result<(), StoreError> {
        let noted = self.ask().and_then(|()| {
            file.set_len(0)?;
            self.write_at(file, text.as_bytes(), 0)
        });
        noted.map_err(io("write", path))
    }

    /// Writes a small new file, unless there is one.
    pub(crate) fn write_new(&self, path: &Path, text: &str) -> Result<(), StoreError> {
        let written =
            self.ask().and_then(|()| match OpenOptions::new().write(true).create_new(true).open(path) {
                Ok(mut file) => file.write_all(text.as_bytes()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                Err(error) => Err(error),
            });
        written.map_err(io("write", path))
    }
}
