use std::fs;
use std::path::Path;
use std::time::Duration;

use byob_model::recorded::Recorded;
use tempfile::TempDir;
use uuid::Uuid;

use crate::assembled::{AssembleError, Base};
use crate::disk::Faults;
use crate::format::{self, FormatError};
use crate::local::{HISTORY, LocalGuard};
use crate::testing::{LINEAGE, a_record, block_on, lock_info};
use crate::{BYOB_VERSION, Entry, LocalStore, Store as _, StoreError, Tools as _};

const TO: &str = "s3://acme-state/byob.state.json";

fn store_in(folder: &TempDir) -> LocalStore {
    LocalStore::open(folder.path().join("byob.state.json")).unwrap()
}

fn take(store: &LocalStore) -> LocalGuard {
    block_on(store.lock(lock_info(1), Duration::ZERO, &mut |_| ())).unwrap()
}

fn text(recorded: &Recorded) -> String {
    format::write(recorded, BYOB_VERSION)
}

fn journal(serial: u64) -> String {
    Base { serial, lineage: LINEAGE, end: None }.lines(&[Entry::Written { at: 7 }]).0
}

fn of_another() -> Recorded {
    Recorded { lineage: Some(Uuid::from_u128(1 << 100)), ..a_record(1) }
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// What is read: a record without its serial, or a word for why there is none.
fn read(store: &LocalStore) -> Result<Option<Recorded>, &'static str> {
    match block_on(store.load()) {
        Ok(loaded) => Ok(loaded.recorded.map(|recorded| Recorded { serial: 0, ..recorded })),
        Err(StoreError::Unusable { error: AssembleError::Record(FormatError::Moved { .. }), .. }) => {
            Err("moved")
        }
        Err(StoreError::Unusable { error: AssembleError::Record(_), .. }) => Err("damaged record"),
        Err(StoreError::Unusable { error: AssembleError::Journal(_), .. }) => Err("damaged journal"),
        Err(other) => panic!("{other}"),
    }
}

/// Every operation on the disk of a replacement, or of leaving, fails in turn: the process dies there, or goes on. What
/// is read then is what was there before, its journal included, or what was to be; and trying again ends well.
#[test]
fn a_crash_or_a_failure_at_any_operation_leaves_what_was_there_or_what_was_to_be() {
    let mut tried = 0;
    let mine = Recorded { written_at: Some(99), ..a_record(1) };
    for (record, open) in [
        (None, None),
        (Some(text(&a_record(3))), None),
        (Some(text(&a_record(3))), Some(journal(3))),
        (Some(text(&a_record(3))), Some(journal(2))),
        (Some(text(&a_record(3))[..70].to_owned()), None),
        (Some(text(&a_record(3))[..70].to_owned()), Some(journal(3))),
        (Some(format::write_moved(TO, LINEAGE, 3)), Some(journal(2))),
    ] {
        for to in [Some(mine.clone()), Some(of_another()), None] {
            for (at, crash) in (0..60).flat_map(|at| [(at, true), (at, false)]) {
                let folder = TempDir::new().unwrap();
                let store = store_in(&folder);
                if let Some(record) = &record {
                    fs::write(store.path(), record).unwrap();
                }
                if let Some(journal) = &open {
                    fs::write(store.journal_path(), journal).unwrap();
                }
                let before = read(&store);
                let act = |store: &LocalStore| match to.clone() {
                    Some(mut recorded) => block_on(store.replace(&mut recorded)),
                    None => block_on(store.leave(TO)),
                };
                if to.is_none() && !matches!(before, Ok(Some(_))) {
                    continue;
                }
                let wanted = to.clone().map(|to| Some(Recorded { serial: 0, ..to })).ok_or("moved");
                let guard = take(&store);
                let _ = block_on(store.load());
                *store.disk.faults.lock().unwrap() = Faults { done: 0, at: Some(at), crash };
                let result = act(&store);
                let done = std::mem::take(&mut *store.disk.faults.lock().unwrap()).done;
                let after = read(&store_in(&folder));
                let what = format!("{record:?} {open:?} {to:?} at {at}, crash {crash}: {result:?}");
                assert!(after == wanted || (result.is_err() && after == before), "{what}: {after:?}");
                if done <= at {
                    break;
                }
                tried += 1;
                drop(guard);
                let store = store_in(&folder);
                let _guard = take(&store);
                let _ = block_on(store.load());
                if after != wanted {
                    act(&store).unwrap_or_else(|error| panic!("{what}: then {error}"));
                }
                assert_eq!(read(&store_in(&folder)), wanted, "{what}");
                assert!(
                    !names(folder.path()).iter().any(|name| name.ends_with(crate::disk::TEMPORARY)),
                    "{what}"
                );
            }
        }
    }
    assert!(tried > 300, "{tried}");
}

#[test]
fn what_cannot_be_read_is_kept_by_a_sum_over_it() {
    let folder = TempDir::new().unwrap();
    let store = store_in(&folder);
    fs::write(store.path(), "{").unwrap();
    fs::write(store.journal_path(), "nonsense\n").unwrap();
    let _guard = take(&store);
    block_on(store.load()).unwrap_err();
    block_on(store.replace(&mut a_record(1))).unwrap();
    let history = folder.path().join("history");
    let mut kept = names(&history);
    kept.sort();
    assert_eq!(kept, ["byob.state.json.damaged-021fb596", "byob.state.json.journal.damaged-2f9d23ef"]);
    assert_eq!(fs::read_to_string(history.join(&kept[0])).unwrap(), "{");
    assert_eq!(fs::read_to_string(history.join(&kept[1])).unwrap(), "nonsense\n");
    let history = block_on(store.history()).unwrap();
    let told: Vec<_> =
        history.iter().map(|kept| (kept.version.as_str(), kept.serial, kept.readable)).collect();
    let expected = [("byob.state.json", Some(2), true), ("byob.state.json.damaged-021fb596", None, false)];
    assert_eq!(told, expected);
}

#[test]
fn of_what_cannot_be_read_the_newest_twenty_are_kept() {
    let folder = TempDir::new().unwrap();
    let store = store_in(&folder);
    let _guard = take(&store);
    for number in 0..HISTORY + 5 {
        fs::write(store.path(), format!("damaged {number}")).unwrap();
        fs::write(store.journal_path(), format!("damaged {number}\n")).unwrap();
        block_on(store.load()).unwrap_err();
        block_on(store.replace(&mut a_record(1))).unwrap();
    }
    let kept = names(&folder.path().join("history"));
    let of = |start: &str| kept.iter().filter(|name| name.starts_with(start)).count();
    assert_eq!(of("byob.state.json.damaged-"), HISTORY);
    assert_eq!(of("byob.state.json.journal.damaged-"), HISTORY);
}

#[test]
fn an_edited_file_of_the_history_is_listed_as_what_its_name_says() {
    let folder = TempDir::new().unwrap();
    let store = store_in(&folder);
    let _guard = take(&store);
    let mut recorded = a_record(0);
    for _ in 0..3 {
        block_on(store.save(&mut recorded)).unwrap();
    }
    fs::write(folder.path().join("history/byob.state.json.000002-67e55044"), "{").unwrap();
    let history = block_on(store.history()).unwrap();
    let told: Vec<_> = history.iter().map(|kept| (kept.serial, kept.readable)).collect();
    assert!(told.contains(&(Some(2), false)) && told.contains(&(Some(1), true)), "{told:?}");
    assert_eq!(block_on(store.kept(2)).unwrap(), None);
}
