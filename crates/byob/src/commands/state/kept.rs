//! `byob state pull|push|history`: the record as text, and what it was before.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use byob_model::recorded::Recorded;
use byob_render::escape::escape;
use byob_state::{AssembleError, BYOB_VERSION, FormatError, Kept, Store, StoreError, Tools, format};

use crate::failure::Failure;
use crate::place::RecordStore;
use crate::terminal;

/// Longer than any record: somebody's mistake.
const LONGEST: u64 = 64 * 1024 * 1024;

/// Prints the record, its open journal included, or a kept predecessor.
pub(super) async fn pull(store: &RecordStore, serial: Option<u64>) -> Result<(), Failure> {
    let recorded = match serial {
        None => super::known(store).await?,
        Some(serial) => store.kept(serial).await?.ok_or_else(|| {
            Failure::said(
                format!("no record of serial {serial} is kept at {}", store.location()),
                "byob state history says which are",
            )
        })?,
    };
    // The sum is over the values: as text the record may be spelt so that nothing in it steers a terminal.
    terminal::print(&byob_plan::plan::visible(&format::write(&recorded, BYOB_VERSION)));
    Ok(())
}

/// Reads a record that is to be pushed; `-` is standard input.
pub(super) fn given(path: &Path) -> Result<Recorded, Failure> {
    let failed = |source| Failure::File { doing: "read", path: path.to_owned(), source };
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(LONGEST).read_to_string(&mut text).map_err(failed)?;
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(LONGEST).read_to_string(&mut text).map_err(failed)?;
    }
    format::read(&text).map_err(|error| {
        Failure::said(
            format!("{} is no record that can be pushed: {error}; nothing was written", path.display()),
            "byob state pull writes one; byob state history lists those that are kept",
        )
    })
}

/// Puts a record in the place of the stored one.
pub(super) async fn push(store: &RecordStore, mut given: Recorded, force: bool) -> Result<(), Failure> {
    let refused = |message: String| {
        Failure::said(
            format!("{message}; nothing was written"),
            "compare the two first (byob state pull, byob state history); --force puts it in the stored one's place \
             all the same, and keeps that",
        )
    };
    if force {
        match store.load().await {
            Err(StoreError::Unusable {
                error: AssembleError::Record(FormatError::Moved { to, .. }), ..
            }) => {
                terminal::warn(&format!(
                    "the record was moved from here to {}; if that one is still used, two would now change the \
                     same buckets",
                    escape(&to)
                ));
            }
            // What cannot be read is what this is for.
            Ok(_) | Err(StoreError::Unusable { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        store.replace(&mut given).await?;
    } else {
        let stored = store.load().await?;
        if let Some(now) = &stored.recorded {
            if now.lineage != given.lineage {
                return Err(refused(format!(
                    "the record at {} is of another lineage ({}, this one's is {})",
                    store.location(),
                    lineage(now),
                    lineage(&given)
                )));
            }
            if given.serial < now.serial {
                return Err(refused(format!(
                    "the record at {} is newer: serial {}, this one's is {}",
                    store.location(),
                    now.serial,
                    given.serial
                )));
            }
            let lacking: Vec<String> =
                known(now).difference(&known(&given)).map(ToString::to_string).collect();
            if !lacking.is_empty() {
                return Err(refused(format!(
                    "this record does not know of {}, and the stored one does",
                    lacking.join(", ")
                )));
            }
            let lacking: Vec<String> =
                keys(now).difference(&keys(&given)).map(|(name, key)| format!("{key} of {name}")).collect();
            if !lacking.is_empty() {
                return Err(refused(format!(
                    "this record does not know that data may be under {}, which the stored one keeps from being deleted",
                    lacking.join(", ")
                )));
            }
            if stored.journalled {
                return Err(refused(format!(
                    "the last run on {} did not end by itself, and its journal says what this record lacks",
                    store.location()
                )));
            }
            given.serial = now.serial;
        }
        store.save(&mut given).await?;
    }
    terminal::say(&format!(
        "✓ pushed to {}, as serial {}; nothing was written to AWS's buckets and keys",
        store.location(),
        given.serial
    ));
    Ok(())
}

/// What a record knows: its roots, those that it forgot and keeps in mind, and what was begun.
fn known(recorded: &Recorded) -> BTreeSet<String> {
    let roots = recorded.roots().map(|(_, root)| root.identity.clone());
    let forgotten = recorded.tombstones.iter().map(|tombstone| tombstone.identity.clone());
    let begun =
        recorded.intents.iter().map(|intent| format!("the unfinished creation of {}", intent.address));
    roots.chain(forgotten).chain(begun).collect()
}

/// The keys that each bucket of a record uses or once used, of those too that it has forgotten.
fn keys(recorded: &Recorded) -> BTreeSet<(&String, &String)> {
    let recorded_ones = recorded.resources.values().map(|one| (&one.identity, &one.keys_used));
    let forgotten = recorded.tombstones.iter().map(|one| (&one.identity, &one.keys_used));
    let begun = recorded.intents.iter().filter_map(|one| Some((one.name.as_ref()?, &one.keys_used)));
    let all = recorded_ones.chain(forgotten).chain(begun);
    all.flat_map(|(name, keys)| keys.iter().map(move |key| (name, key))).collect()
}

fn lineage(recorded: &Recorded) -> String {
    recorded.lineage.map_or_else(|| "none".to_owned(), |lineage| lineage.to_string())
}

/// Lists what is kept, newest first.
pub(super) async fn history(store: &RecordStore) -> Result<(), Failure> {
    let all = store.history().await?;
    if all.is_empty() {
        return Err(Failure::said(
            format!("there is no record at {}", store.location()),
            "`byob apply` makes the first one",
        ));
    }
    let mut text = String::new();
    for kept in &all {
        let serial = kept.serial.map_or_else(|| "?".to_owned(), |serial| serial.to_string());
        let lineage =
            kept.lineage.map_or_else(|| "?".repeat(8), |lineage| lineage.to_string()[..8].to_owned());
        let when = jiff::Timestamp::from_second(kept.at).map_or_else(|_| "?".to_owned(), |at| at.to_string());
        let now = kept.latest.then(|| "stored now".to_owned());
        let state = match (&kept.moved_to, kept.readable) {
            (Some(to), _) => Some(format!("the record was moved to {}", escape(to))),
            (None, true) => None,
            (None, false) => Some("no record that can be read".to_owned()),
        };
        let what = now.into_iter().chain(state).collect::<Vec<_>>().join(", ");
        let version =
            if kept.version.is_empty() { String::new() } else { format!("  {}", escape(&kept.version)) };
        let line = format!("{serial:>6}  {when}  lineage {lineage}…{version}  {what}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    terminal::print(&text);
    warn_of_no_versions(store, &all);
    Ok(())
}

/// Says that nothing of the record's past is kept, where that is so.
pub(crate) fn warn_of_no_versions(store: &RecordStore, all: &[Kept]) {
    let unversioned = all.iter().all(|kept| matches!(kept.version.as_str(), "" | "null"));
    if matches!(store, RecordStore::S3(_)) && unversioned {
        terminal::warn(
            "the bucket of the record keeps no versions, so nothing of its past is kept; byob state init \
             --complete switches versioning on",
        );
    }
}

#[cfg(test)]
mod tests {
    use byob_model::RootAddress;
    use byob_model::recorded::Tombstone;

    use super::*;

    #[test]
    fn the_keys_of_a_record_are_those_of_forgotten_buckets_too() {
        let tombstone = Tombstone {
            address: RootAddress::bucket("old"),
            identity: "acme-old".into(),
            account_id: "123456789012".into(),
            region: "eu-west-1".into(),
            keys_used: BTreeSet::from(["arn:aws:kms:eu-west-1:123456789012:key/1".to_owned()]),
            deletion_ordered: false,
        };
        let now = Recorded { tombstones: vec![tombstone], ..Recorded::default() };
        assert_eq!(keys(&now).len(), 1);
        assert_eq!(
            keys(&now).difference(&keys(&Recorded::default())).count(),
            1,
            "what a push must not lose"
        );
        // That another bucket uses the key does not say that this one did.
        let mut other = now.clone();
        other.tombstones[0].identity = "acme-other".into();
        assert_eq!(keys(&now).difference(&keys(&other)).count(), 1);
        assert_eq!(known(&now).difference(&known(&other)).collect::<Vec<_>>(), ["acme-old"]);
    }
}
