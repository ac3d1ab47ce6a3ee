//! The record's place: byob's own store in memory, with the process able to die before and after each write to it, and its
//! disk able to be full.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use byob_model::recorded::Recorded;
use byob_state::memory::MemoryGuard;
use byob_state::{Entry, Loaded, LockInfo, MemoryStore, Store, StoreError, Waiting};

use super::cloud::World;

/// What happened at a record's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// A process took the lock.
    Locked,
    /// It wrote the record or its journal.
    Written,
}

/// Called with the process that did it.
pub type Stored = Rc<dyn Fn(usize, Happened)>;

/// The record's place, as one process sees it.
pub struct Place {
    /// What keeps it.
    pub store: MemoryStore,
    world: World,
    stored: Rc<RefCell<Option<Stored>>>,
}

impl Place {
    /// An empty one.
    #[must_use]
    pub fn new(world: &World) -> Self {
        Self { store: MemoryStore::new(), world: world.clone(), stored: Rc::default() }
    }

    /// The same place as another process sees it.
    #[must_use]
    pub fn another_process(&self, world: &World) -> Self {
        Self { store: self.store.another_process(), world: world.clone(), stored: Rc::clone(&self.stored) }
    }

    /// Lets somebody look after each write.
    pub fn watched_by(&self, stored: Stored) {
        *self.stored.borrow_mut() = Some(stored);
    }

    fn fails(&self) -> Result<(), StoreError> {
        let full = match &mut self.world.faults().disk {
            Some((one_in, dice)) => dice.one_in(*one_in),
            None => false,
        };
        if !full {
            return Ok(());
        }
        self.world.count("a full disk");
        let source = std::io::ErrorKind::StorageFull.into();
        Err(StoreError::Io { doing: "write", path: "memory".to_owned(), source })
    }

    fn happened(&self, what: Happened) {
        let stored = self.stored.borrow().clone();
        if let Some(stored) = stored {
            stored(self.world.process(), what);
        }
    }
}

impl Store for Place {
    type Guard = MemoryGuard;

    async fn load(&self) -> Result<Loaded, StoreError> {
        self.store.load().await
    }

    async fn lock(
        &self,
        info: LockInfo,
        timeout: Duration,
        waiting: &mut dyn FnMut(Waiting<'_>),
    ) -> Result<MemoryGuard, StoreError> {
        let began = self.world.time.now();
        loop {
            match self.store.lock(info.clone(), Duration::ZERO, waiting).await {
                Err(StoreError::Locked { location, holder, .. }) => {
                    let waited = self.world.time.now().saturating_sub(began);
                    if waited >= timeout {
                        return Err(StoreError::Locked { location, holder, waited });
                    }
                    self.world.time.sleep(Duration::from_millis(200)).await;
                }
                other => {
                    other.iter().for_each(|_| self.happened(Happened::Locked));
                    return other;
                }
            }
        }
    }

    async fn save(&self, recorded: &mut Recorded) -> Result<(), StoreError> {
        self.world.tick().await;
        self.world.saving();
        self.fails()?;
        self.store.save(recorded).await?;
        self.happened(Happened::Written);
        self.world.tick().await;
        Ok(())
    }

    async fn journal(&self, entries: &[Entry]) -> Result<(), StoreError> {
        self.world.tick().await;
        self.fails()?;
        self.store.journal(entries).await?;
        self.happened(Happened::Written);
        self.world.tick().await;
        Ok(())
    }

    fn location(&self) -> String {
        self.store.location()
    }
}
