//! The record's place: byob's own store in memory, with the process able to die before and after each write to it.

use std::time::Duration;

use byob_model::recorded::Recorded;
use byob_state::memory::MemoryGuard;
use byob_state::{Entry, Loaded, LockInfo, MemoryStore, Store, StoreError};

use super::cloud::World;

/// The record's place.
pub struct Place {
    pub store: MemoryStore,
    world: World,
}

impl Place {
    pub fn new(world: &World) -> Self {
        Self { store: MemoryStore::new(), world: world.clone() }
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
        waiting: &mut dyn FnMut(&LockInfo),
    ) -> Result<MemoryGuard, StoreError> {
        self.store.lock(info, timeout, waiting).await
    }

    async fn save(&self, recorded: &mut Recorded) -> Result<(), StoreError> {
        self.world.tick().await;
        self.world.saving();
        self.store.save(recorded).await?;
        self.world.tick().await;
        Ok(())
    }

    async fn journal(&self, entries: &[Entry]) -> Result<(), StoreError> {
        self.world.tick().await;
        self.store.journal(entries).await?;
        self.world.tick().await;
        Ok(())
    }

    fn location(&self) -> String {
        self.store.location()
    }
}
