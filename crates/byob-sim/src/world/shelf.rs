//! Where a record is kept: in memory under the rules of local files, or in objects under a lock with a lease.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use byob_model::recorded::Recorded;
use byob_state::memory::MemoryGuard;
use byob_state::remote::RemoteGuard;
use byob_state::{Entry, Guard, Loaded, LockInfo, RemoteStore, Store, StoreError, Waiting, assembled};

use super::objects::RecordBucket;
use super::place::{Place, Stored};
use super::{Bugs, World};

const KEY: &str = "byob.state.json";

/// A record's place, as one process sees it.
pub struct Shelf {
    kept: Kept,
    bugs: Bugs,
}

enum Kept {
    Here(Place),
    There(RemoteStore<RecordBucket, World>),
}

/// Its lock.
pub struct Held {
    of: Lock,
    bugs: Bugs,
}

enum Lock {
    Here(MemoryGuard),
    There(RemoteGuard<RecordBucket, World>),
}

impl Shelf {
    /// An empty one; in objects if `remote`.
    #[must_use]
    pub fn new(world: &World, remote: bool, bugs: Bugs) -> Self {
        let kept = if remote {
            Kept::There(RemoteStore::new(RecordBucket::new(world), world.clone(), KEY, false))
        } else {
            Kept::Here(Place::new(world))
        };
        Self { kept, bugs }
    }

    /// The same place as another process sees it.
    #[must_use]
    pub fn another_process(&self, world: &World) -> Self {
        let kept = match &self.kept {
            Kept::Here(place) => Kept::Here(place.another_process(world)),
            Kept::There(store) => {
                let objects = store.objects().another_process(world);
                Kept::There(RemoteStore::new(objects, world.clone(), KEY, false))
            }
        };
        Self { kept, bugs: self.bugs }
    }

    /// Lets somebody look after each write.
    pub fn watched_by(&self, stored: Stored) {
        match &self.kept {
            Kept::Here(place) => place.watched_by(stored),
            Kept::There(store) => store.objects().watched_by(stored),
        }
    }

    /// What is stored, as a process that begins now would read it; nothing waits and nothing fails.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn stored(&self) -> Result<Option<Recorded>, String> {
        match &self.kept {
            Kept::Here(place) => {
                let store = place.store.another_process();
                match pin!(store.load()).poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(loaded) => loaded.map(|l| l.recorded).map_err(|error| error.to_string()),
                    Poll::Pending => Err("it waits".to_owned()),
                }
            }
            Kept::There(store) => {
                let record = store.objects().bytes(KEY).map(String::from_utf8).transpose();
                let record = record.map_err(|error| error.to_string())?;
                let journal = store.objects().bytes(&format!("{KEY}.journal")).unwrap_or_default();
                let assembled = assembled::assemble(record.as_deref(), &journal);
                assembled.map(|a| a.recorded).map_err(|error| error.to_string())
            }
        }
    }
}

impl Store for Shelf {
    type Guard = Held;

    async fn load(&self) -> Result<Loaded, StoreError> {
        match &self.kept {
            Kept::Here(place) => place.load().await,
            Kept::There(store) => store.load().await,
        }
    }

    async fn lock(
        &self,
        info: LockInfo,
        timeout: Duration,
        waiting: &mut dyn FnMut(Waiting<'_>),
    ) -> Result<Held, StoreError> {
        let of = match &self.kept {
            Kept::Here(place) => Lock::Here(place.lock(info, timeout, waiting).await?),
            Kept::There(store) => Lock::There(store.lock(info, timeout, waiting).await?),
        };
        Ok(Held { of, bugs: self.bugs })
    }

    async fn save(&self, recorded: &mut Recorded) -> Result<(), StoreError> {
        match &self.kept {
            Kept::Here(place) => place.save(recorded).await?,
            Kept::There(store) => store.save(recorded).await?,
        }
        let too_early = self.bugs.too_early(recorded);
        if too_early.is_empty() { Ok(()) } else { self.journal(&too_early).await }
    }

    async fn journal(&self, entries: &[Entry]) -> Result<(), StoreError> {
        match &self.kept {
            Kept::Here(place) => place.journal(entries).await,
            Kept::There(store) => store.journal(entries).await,
        }
    }

    async fn may_write(&self) -> Result<(), StoreError> {
        match &self.kept {
            Kept::There(store) if !self.bugs.lock_not_renewed => store.may_write().await,
            _ => Ok(()),
        }
    }

    fn call_limit(&self) -> Option<Duration> {
        match &self.kept {
            Kept::Here(place) => place.call_limit(),
            Kept::There(store) => store.call_limit(),
        }
    }

    fn location(&self) -> String {
        match &self.kept {
            Kept::Here(place) => place.location(),
            Kept::There(store) => store.location(),
        }
    }
}

impl Guard for Held {
    fn info(&self) -> &LockInfo {
        match &self.of {
            Lock::Here(guard) => guard.info(),
            Lock::There(guard) => guard.info(),
        }
    }

    async fn keep(&self) -> StoreError {
        match &self.of {
            _ if self.bugs.lock_not_renewed => std::future::pending().await,
            Lock::Here(guard) => guard.keep().await,
            Lock::There(guard) => guard.keep().await,
        }
    }

    async fn release(self) -> Result<(), StoreError> {
        match self.of {
            Lock::Here(guard) => guard.release().await,
            Lock::There(guard) => guard.release().await,
        }
    }
}
