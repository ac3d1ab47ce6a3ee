//! What a record in objects was: the versions that its place keeps. Where it keeps none, there is only what is stored now.

use byob_model::recorded::Recorded;

use super::Place;
use crate::assembled::AssembleError;
use crate::format::FormatError;
use crate::journal::JournalError;
use crate::objects::{Objects, Timer};
use crate::store::{LastGood, StoreError};
use crate::tools::{Kept, put_back};

/// How many versions are looked at: each is a read.
const LOOKED_AT: usize = 20;

impl<O: Objects, T: Timer> Place<O, T> {
    /// The versions of the record, newest first, until `found` has what it looks for.
    pub(super) async fn look_through(
        &self,
        mut found: impl FnMut(Kept, Option<Recorded>) -> bool,
    ) -> Result<(), StoreError> {
        let listed = self.objects.versions(&self.key).await;
        let versions = listed.map_err(|error| self.error("list the versions of", &self.key, error))?;
        if versions.is_empty()
            && let Some(record) = self.read(&self.key).await?
        {
            let (kept, recorded) = Kept::of(&record.body, 0, self.location(), String::new(), true);
            found(kept, recorded);
        }
        for version in versions.into_iter().take(LOOKED_AT) {
            let read = self.objects.version(&self.key, &version.id).await;
            let read = read.map_err(|error| self.error("read a version of", &self.key, error))?;
            // Gone meanwhile: a lifecycle rule's doing.
            let Some(body) = read else { continue };
            let (kept, recorded) = Kept::of(&body, version.at, self.location(), version.id, version.latest);
            if found(kept, recorded) {
                break;
            }
        }
        Ok(())
    }

    pub(super) async fn unusable(&self, error: AssembleError) -> StoreError {
        match &error {
            // In objects an obsolete journal stays: it is the record that is gone.
            AssembleError::Journal(JournalError::Alone { .. }) => {
                let last_good = self.last_good().await;
                StoreError::Unusable { location: self.location(), error, last_good }
            }
            AssembleError::Journal(_) => StoreError::Unusable {
                location: self.objects.location(&self.journal_key()),
                error,
                last_good: None,
            },
            AssembleError::Record(FormatError::Newer { .. } | FormatError::Moved { .. }) => {
                StoreError::Unusable { location: self.location(), error, last_good: None }
            }
            AssembleError::Record(FormatError::Damaged { .. }) | AssembleError::Gone => {
                let last_good = self.last_good().await;
                StoreError::Unusable { location: self.location(), error, last_good }
            }
        }
    }

    /// The newest version of the record that can be read.
    pub(super) async fn last_good(&self) -> Option<LastGood> {
        let mut good = None;
        let is_good = |kept: Kept, recorded: Option<Recorded>| {
            good = recorded.filter(|_| !kept.latest).map(|recorded| (recorded.serial, kept.version));
            good.is_some()
        };
        // What is wrong with the record is to be told, not with its history.
        self.look_through(is_good).await.ok()?;
        let (serial, version) = good?;
        let location = format!("serial {serial}, version {version} of {}", self.location());
        Some(LastGood { location, command: put_back(serial) })
    }
}
