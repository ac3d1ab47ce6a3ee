//! The lock of a record that is kept in objects: what stands in it, how long it holds, and how it is told that its owner
//! is gone. Pure; the calls are made by [`crate::remote`].

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::json;
use crate::store::LockInfo;

/// How long a lock holds after the beginning of the call that made or renewed it.
pub const LEASE: Duration = Duration::from_secs(30);
/// How often a running command renews it.
pub const RENEWED_EVERY: Duration = Duration::from_secs(10);
/// The hard timeout of one call to AWS: none is begun unless more of the lease is left.
pub const LONGEST_CALL: Duration = Duration::from_secs(15);
/// The most bytes of a word that says who holds a lock: what is longer was put there by somebody else.
const LONGEST_WORD: usize = 512;
/// How often a waiter looks.
pub(crate) const LOOKED_AT_EVERY: Duration = Duration::from_secs(2);

/// The lock object's text. Every write of it differs from all others: by the holder's id, or by the renewal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LockFile {
    format_version: u32,
    /// `None`: nobody holds it.
    pub(crate) holder: Option<LockInfo>,
    /// How often it was renewed; of a lock that was given back, the last holder's count.
    pub(crate) renewal: u64,
    /// Whole seconds that the lock holds without being renewed.
    pub(crate) lease_seconds: u64,
    /// Who wrote this: no two writes are equal, so that one whose answer was lost is known again, and no ETag comes twice.
    pub(crate) by: Uuid,
}

impl LockFile {
    pub(crate) fn held(info: &LockInfo, renewal: u64) -> Self {
        let lease_seconds = LEASE.as_secs();
        Self { format_version: 1, holder: Some(info.clone()), renewal, lease_seconds, by: info.id }
    }

    /// Given back by this holder.
    pub(crate) fn free(info: &LockInfo, renewal: u64) -> Self {
        Self { holder: None, ..Self::held(info, renewal) }
    }

    pub(crate) fn text(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(&json::value(self)).unwrap_or_default();
        text.push(b'\n');
        text
    }

    /// `None` for bytes that no byob of this version wrote: a lock by somebody who cannot be asked who it is.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let file: Self = serde_json::from_slice(bytes).ok().filter(|file: &Self| file.format_version == 1)?;
        let plain = |text: &str| text.len() <= LONGEST_WORD && !text.contains(['\n', '\r']);
        let said = |info: &LockInfo| plain(&info.command) && plain(&info.user) && plain(&info.host);
        file.holder.as_ref().is_none_or(said).then_some(file)
    }

    /// How long it must be seen unchanged before its owner is known to be gone: the whole of its lease, and a call that
    /// its owner may have begun with the last of it.
    pub(crate) fn patience(&self) -> Duration {
        // No byob writes another one, and an edited lock must not be waited for for longer.
        LEASE + LONGEST_CALL
    }
}

/// What a waiter knows of the lock it waits for: since when, by its own clock, it has stood there unchanged.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    seen: Option<(String, Duration)>,
}

impl Watch {
    /// Takes in a look at a lock: its ETag, when the look was begun and when it had its answer. Whether its owner is gone.
    pub(crate) fn is_over(
        &mut self,
        etag: &str,
        patience: Duration,
        (began, answered): (Duration, Duration),
    ) -> bool {
        match &self.seen {
            Some((known, since)) if known == etag => began.saturating_sub(*since) >= patience,
            _ => {
                self.seen = Some((etag.to_owned(), answered));
                false
            }
        }
    }

    /// How long until a look can find that the owner is gone.
    pub(crate) fn to_go(&self, patience: Duration, now: Duration) -> Duration {
        self.seen.as_ref().map_or(patience, |(_, since)| (*since + patience).saturating_sub(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::lock_info;

    #[test]
    fn a_lock_is_read_as_it_was_written() {
        let held = LockFile::held(&lock_info(3), 7);
        assert_eq!(LockFile::read(&held.text()), Some(held));
        let free = LockFile::free(&lock_info(3), 7);
        assert_eq!(LockFile::read(&free.text()).unwrap().holder, None);
        assert_eq!(LockFile::read(b"{\"format_version\":2}"), None);
        assert_eq!(LockFile::read(b"{}"), None);
    }

    #[test]
    fn no_two_writes_are_equal() {
        let all = [
            LockFile::held(&lock_info(3), 0),
            LockFile::held(&lock_info(3), 1),
            LockFile::held(&lock_info(9), 0),
            LockFile::free(&lock_info(3), 1),
            LockFile::free(&lock_info(9), 0),
        ];
        let texts: std::collections::BTreeSet<Vec<u8>> = all.iter().map(LockFile::text).collect();
        assert_eq!(texts.len(), all.len());
    }

    #[test]
    fn an_owner_is_gone_after_its_lease_and_one_call_by_the_waiters_own_clock() {
        let patience = LockFile::held(&lock_info(3), 0).patience();
        assert_eq!(patience, LEASE + LONGEST_CALL);
        let at = Duration::from_secs;
        let mut watch = Watch::default();
        assert!(!watch.is_over("a", patience, (at(0), at(1))), "the first look");
        assert_eq!(watch.to_go(patience, at(11)), at(35));
        assert!(!watch.is_over("a", patience, (at(45), at(47))), "begun too soon");
        assert!(watch.is_over("a", patience, (at(46), at(47))));
        assert!(!watch.is_over("b", patience, (at(50), at(51))), "renewed meanwhile");
        assert!(!watch.is_over("b", patience, (at(95), at(96))));
        assert!(watch.is_over("b", patience, (at(96), at(97))));
    }

    #[test]
    fn an_edited_lock_is_waited_for_no_longer_and_is_no_essay() {
        let of = |lease_seconds| LockFile { lease_seconds, ..LockFile::held(&lock_info(3), 0) }.patience();
        assert_eq!((of(0), of(u64::MAX)), (LEASE + LONGEST_CALL, LEASE + LONGEST_CALL));
        for word in ["x".repeat(513), "byob apply\nhelp: rm -rf".to_owned()] {
            let info = LockInfo { command: word, ..lock_info(3) };
            assert_eq!(LockFile::read(&LockFile::held(&info, 0).text()), None);
        }
    }
}
