use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::Tools as _;
use crate::format;
use crate::journal::replay;
use crate::testing::{self, LINEAGE, a_record, block_on, lock_info};

const NO_TIME: Duration = Duration::ZERO;

fn store_in(folder: &TempDir) -> LocalStore {
    LocalStore::open(folder.path().join("state/byob.state.json")).unwrap()
}

fn take(store: &LocalStore, number: u128) -> Result<LocalGuard, StoreError> {
    block_on(store.lock(lock_info(number), NO_TIME, &mut |_| panic!("nobody is waited for")))
}

fn load(store: &LocalStore) -> Loaded {
    block_on(store.load()).unwrap()
}

fn save(store: &LocalStore, recorded: &mut Recorded) -> Result<(), StoreError> {
    block_on(store.save(recorded))
}

fn journal(store: &LocalStore, entries: &[Entry]) -> Result<(), StoreError> {
    block_on(store.journal(entries))
}

fn history(store: &LocalStore) -> Vec<crate::Kept> {
    block_on(store.history()).unwrap()
}

fn written(at: i64) -> Entry {
    Entry::Written { at }
}

/// A store that was saved `times` times, by a run that ended well; and its record.
fn saved(folder: &TempDir, times: u64) -> (LocalStore, Recorded) {
    let store = store_in(folder);
    let guard = take(&store, 1).unwrap();
    let mut recorded = a_record(0);
    for _ in 0..times {
        save(&store, &mut recorded).unwrap();
    }
    drop(guard);
    (store, recorded)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn reading_makes_nothing() {
    let folder = TempDir::new().unwrap();
    let store = store_in(&folder);
    assert_eq!(load(&store), Loaded { recorded: None, journalled: false, lock: None });
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_run_leaves_record_history_and_an_empty_lock() {
    let folder = TempDir::new().unwrap();
    let store = store_in(&folder);
    let guard = take(&store, 1).unwrap();
    let mut recorded = a_record(0);
    save(&store, &mut recorded).unwrap();
    journal(&store, &[written(5), written(6)]).unwrap();
    journal(&store, &[written(7)]).unwrap();
    let beside = load(&store);
    assert_eq!(beside.recorded, Some(Recorded { written_at: Some(7), ..recorded.clone() }));
    assert!(beside.journalled);
    recorded.written_at = Some(7);
    save(&store, &mut recorded).unwrap();
    block_on(guard.release()).unwrap();

    assert_eq!(recorded.serial, 2);
    assert_eq!(load(&store), Loaded { recorded: Some(recorded), journalled: false, lock: None });
    let state = folder.path().join("state");
    assert_eq!(names(&state), [".gitignore", "byob.state.json", "byob.state.json.lock", "history"]);
    assert_eq!(names(&state.join("history")), ["byob.state.json.000001-67e55044"]);
    for file in ["byob.state.json", "byob.state.json.lock", "history/byob.state.json.000001-67e55044"] {
        let mode = fs::metadata(state.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert_eq!(fs::metadata(state.join("byob.state.json.lock")).unwrap().len(), 0);
}

#[test]
fn a_folder_that_byob_makes_ignores_all_but_the_record() {
    let folder = TempDir::new().unwrap();
    let store = LocalStore::open(folder.path().join("a/b/my state[1].json")).unwrap();
    drop(take(&store, 1).unwrap());
    let text = fs::read_to_string(folder.path().join("a/b/.gitignore")).unwrap();
    assert!(text.ends_with("\n*\n!.gitignore\n!my\\ state\\[1\\].json\n"), "{text}");
    assert_eq!(names(&folder.path().join("a")), ["b"]);
}

#[test]
fn a_folder_that_was_there_gets_no_gitignore() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("state")).unwrap();
    let (_, _) = saved(&folder, 1);
    assert!(!folder.path().join("state/.gitignore").exists());
}

#[test]
fn history_keeps_the_newest_twenty_by_serial() {
    let folder = TempDir::new().unwrap();
    let (store, _) = saved(&folder, 25);
    let mut serials: Vec<u64> = history(&store).iter().filter_map(|kept| kept.serial).collect();
    serials.sort_unstable();
    assert_eq!(serials, (5..=25).collect::<Vec<_>>());
}

#[test]
fn another_lineage_does_not_push_out_the_history_of_this_one() {
    let folder = TempDir::new().unwrap();
    let (store, _) = saved(&folder, 30);
    fs::remove_file(store.path()).unwrap();
    let _guard = take(&store, 2).unwrap();
    let mut other = Recorded { lineage: Some(Uuid::from_u128(1 << 100)), ..a_record(0) };
    for _ in 0..3 {
        save(&store, &mut other).unwrap();
    }
    let kept = history(&store);
    let of = |lineage| kept.iter().filter(|kept| kept.lineage == Some(lineage)).count();
    assert_eq!((of(Uuid::from_u128(1 << 100)), of(LINEAGE)), (3, 20));
}

#[test]
fn a_crashed_runs_journal_is_replayed_and_its_torn_line_is_nothing() {
    let folder = TempDir::new().unwrap();
    let (store, recorded) = saved(&folder, 1);
    let guard = take(&store, 2).unwrap();
    load(&store);
    journal(&store, &[written(5)]).unwrap();
    drop(guard);
    let path = store.journal_path();
    let torn = [fs::read(&path).unwrap(), b"{\"entry\":{\"wri".to_vec()].concat();
    fs::write(&path, torn).unwrap();

    let found = load(&store);
    assert_eq!(
        (found.recorded.clone().unwrap().written_at, found.journalled, found.lock),
        (Some(5), true, None)
    );
    // The next run appends where the whole lines end.
    let _guard = take(&store, 3).unwrap();
    load(&store);
    journal(&store, &[written(6)]).unwrap();
    assert_eq!(load(&store).recorded, Some(Recorded { written_at: Some(6), ..recorded }));
}

#[test]
fn a_crash_between_saving_and_removing_the_journal_replays_nothing_twice() {
    let folder = TempDir::new().unwrap();
    let (store, mut recorded) = saved(&folder, 1);
    let guard = take(&store, 2).unwrap();
    load(&store);
    journal(&store, &[written(5)]).unwrap();
    let old = fs::read(store.journal_path()).unwrap();
    save(&store, &mut recorded).unwrap();
    fs::write(store.journal_path(), old).unwrap();
    drop(guard);
    let found = load(&store);
    assert_eq!((found.recorded, found.journalled), (Some(recorded), false));
    // And the next run's journal does not stand behind the old one's lines.
    let _guard = take(&store, 3).unwrap();
    load(&store);
    journal(&store, &[Entry::TombstoneGone { identity: "x".into() }]).unwrap();
    assert_eq!(load(&store).recorded.unwrap().written_at, None);
}

#[test]
fn a_damaged_record_names_the_newest_good_copy() {
    let folder = TempDir::new().unwrap();
    let (store, _) = saved(&folder, 4);
    let history = folder.path().join("state/history");
    fs::write(history.join("byob.state.json.000003-67e55044"), "{").unwrap();
    let text = fs::read_to_string(store.path()).unwrap();
    fs::write(store.path(), &text[..text.len() / 2]).unwrap();
    let error = block_on(store.load()).unwrap_err();
    assert!(error.to_string().contains("damaged: it ends too early"), "{error}");
    let help = error.help().unwrap();
    assert!(help.contains("history/byob.state.json.000002-67e55044; put it back with: cp "), "{help}");

    // No more is it saved over.
    let _guard = take(&store, 2).unwrap();
    let error = save(&store, &mut a_record(4)).unwrap_err();
    assert!(matches!(error, StoreError::NotRead { .. }), "{error}");
    assert_eq!(fs::read_to_string(store.path()).unwrap(), text[..text.len() / 2]);
}

#[test]
fn a_damaged_journal_is_an_error_and_stays() {
    let folder = TempDir::new().unwrap();
    let (store, _) = saved(&folder, 1);
    let guard = take(&store, 2).unwrap();
    load(&store);
    journal(&store, &[written(5), written(6)]).unwrap();
    drop(guard);
    let text = fs::read_to_string(store.journal_path()).unwrap().replace(":5}", ":4}");
    fs::write(store.journal_path(), &text).unwrap();
    let error = block_on(store.load()).unwrap_err();
    assert!(
        error.to_string().contains("byob.state.json.journal: line 2 of the journal is damaged"),
        "{error}"
    );
}

#[test]
fn a_deleted_record_with_a_journal_is_an_error_not_a_fresh_start() {
    let folder = TempDir::new().unwrap();
    let (store, _) = saved(&folder, 1);
    let guard = take(&store, 2).unwrap();
    load(&store);
    journal(&store, &[written(5)]).unwrap();
    drop(guard);
    fs::remove_file(store.path()).unwrap();
    let error = block_on(store.load()).unwrap_err();
    assert!(error.to_string().contains("not the record it belongs to"), "{error}");
}

#[test]
fn a_record_that_was_replaced_meanwhile_is_not_overwritten() {
    let folder = TempDir::new().unwrap();
    let (store, mut recorded) = saved(&folder, 2);
    let _guard = take(&store, 2).unwrap();
    load(&store);
    let pulled = format::write(&a_record(9), "0.1.0");
    fs::write(store.path(), &pulled).unwrap();
    let error = save(&store, &mut recorded).unwrap_err();
    assert!(error.to_string().contains("expected serial 2, found serial 9"), "{error}");
    assert_eq!(recorded.serial, 2);
    assert_eq!(fs::read_to_string(store.path()).unwrap(), pulled);
}

#[test]
fn links_and_other_things_are_refused_wherever_byob_writes() {
    for name in ["byob.state.json", "byob.state.json.journal", "byob.state.json.lock", "history"] {
        let folder = TempDir::new().unwrap();
        let state = folder.path().join("state");
        let elsewhere = folder.path().join("elsewhere");
        fs::create_dir(&state).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        let store = store_in(&folder);
        let run = || {
            let _guard = take(&store, 1)?;
            let mut recorded = block_on(store.load())?.recorded.unwrap_or_else(|| a_record(0));
            save(&store, &mut recorded)?;
            save(&store, &mut recorded)?;
            journal(&store, &[written(1)])
        };
        symlink(elsewhere.join("target"), state.join(name)).unwrap();
        assert!(matches!(run(), Err(StoreError::SymbolicLink { .. })), "{name}");
        assert_eq!(names(&elsewhere), [""; 0], "{name}");
        fs::remove_file(state.join(name)).unwrap();
        if name != "history" {
            fs::create_dir(state.join(name)).unwrap();
            assert!(matches!(run(), Err(StoreError::NotAFile { .. })), "{name}");
            fs::remove_dir(state.join(name)).unwrap();
        }
        run().unwrap();
    }
}

#[test]
fn a_record_that_is_gone_is_not_begun_anew_while_there_is_more_of_its_past() {
    let folder = TempDir::new().unwrap();
    let (store, _) = saved(&folder, 2);
    fs::remove_file(store.path()).unwrap();
    match block_on(store.load()) {
        Err(StoreError::Unusable { error: AssembleError::Gone, last_good: Some(good), .. }) => {
            assert!(good.command.starts_with("cp "), "{}", good.command);
        }
        other => panic!("{other:?}"),
    }
    // Nothing of a past is nothing lost.
    fs::remove_dir_all(folder.path().join("state/history")).unwrap();
    assert_eq!(load(&store).recorded, None);
}

/// `[state] path = "Cargo"` in a pull request.
#[test]
fn somebody_elses_file_where_the_lock_or_a_temporary_file_belongs_stays_as_it_is() {
    let folder = TempDir::new().unwrap();
    let store = LocalStore::open(folder.path().join("Cargo")).unwrap();
    for (name, text) in
        [("Cargo.lock", "version = 4\n"), ("Cargo.lock", "{\n  \"nodes\": {}\n}\n"), ("Cargo.tmp", "mine")]
    {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let taken = take(&store, 1).map(|_guard| save(&store, &mut a_record(0)).unwrap());
        assert_eq!(matches!(taken, Err(StoreError::NotALock { .. })), name == "Cargo.lock", "{taken:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        fs::remove_file(path).unwrap();
        let _ = fs::remove_file(store.path());
    }
    // What a crash left of a lock is one.
    for torn in ["", "{\"id\":\"67e5", "\0\0\0\0"] {
        fs::write(folder.path().join("Cargo.lock"), torn).unwrap();
        take(&store, 1).unwrap();
    }
}

#[test]
fn a_path_that_names_no_file_is_refused() {
    for path in ["", "/", "state/.."] {
        assert!(matches!(LocalStore::open(path), Err(StoreError::NotAFile { .. })), "{path}");
    }
}

#[test]
fn writing_needs_the_lock_and_having_read() {
    let folder = TempDir::new().unwrap();
    let (store, mut recorded) = saved(&folder, 1);
    assert!(matches!(save(&store, &mut recorded), Err(StoreError::NotLocked { .. })));
    assert!(matches!(journal(&store, &[written(1)]), Err(StoreError::NotLocked { .. })));
    let guard = take(&store, 2).unwrap();
    assert!(matches!(save(&store, &mut recorded), Err(StoreError::NotRead { .. })));
    assert!(matches!(journal(&store, &[written(1)]), Err(StoreError::NotRead { .. })));
    load(&store);
    save(&store, &mut recorded).unwrap();
    drop(guard);
    let fresh = LocalStore::open(folder.path().join("fresh.json")).unwrap();
    let _guard = take(&fresh, 3).unwrap();
    load(&fresh);
    assert!(matches!(journal(&fresh, &[written(1)]), Err(StoreError::NoRecord { .. })));
    let mut nobodys = Recorded::default();
    assert!(matches!(
        save(&fresh, &mut nobodys),
        Err(StoreError::NotSaved { error: SaveError::NoLineage, .. })
    ));
}

#[test]
fn a_held_lock_is_seen_by_readers_and_waited_for_by_writers() {
    let folder = TempDir::new().unwrap();
    let (mine, theirs) = (store_in(&folder), store_in(&folder));
    let guard = take(&mine, 1).unwrap();
    assert_eq!(load(&mine).lock, None);
    assert_eq!(load(&theirs).lock, Some(lock_info(1)));
    let error = take(&theirs, 2).unwrap_err();
    assert!(error.to_string().contains("is locked: `byob apply` by alice on ci-7"), "{error}");

    let mut told = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            drop(guard);
        });
        let mut tell = |waiting: Waiting<'_>| match waiting {
            Waiting::Holder(info) => told.push(info.clone()),
            Waiting::Answer { .. } => panic!("{waiting:?}"),
        };
        let got = block_on(theirs.lock(lock_info(2), Duration::from_secs(20), &mut tell)).unwrap();
        assert_eq!(got.info(), &lock_info(2));
        assert_eq!(load(&mine).lock, Some(lock_info(2)));
    });
    assert_eq!(told, [lock_info(1)]);
}

#[test]
fn what_a_dead_owner_left_in_the_lock_is_nothing() {
    let folder = TempDir::new().unwrap();
    let (store, _) = saved(&folder, 1);
    fs::write(store.lock_path(), serde_json::to_string(&lock_info(9)).unwrap()).unwrap();
    assert_eq!(load(&store).lock, None);
    let _guard = take(&store, 2).unwrap();
}

#[test]
fn a_lock_that_says_nothing_is_still_a_lock() {
    let folder = TempDir::new().unwrap();
    let (store, _) = saved(&folder, 1);
    let file = File::open(store.lock_path()).unwrap();
    flock(&file, FlockOperation::LockExclusive).unwrap();
    assert_eq!(load(&store).lock, Some(LockInfo::unknown()));
    assert!(matches!(take(&store, 2), Err(StoreError::Locked { .. })));
}

#[test]
fn readers_do_not_keep_writers_from_the_lock() {
    let folder = TempDir::new().unwrap();
    let (store, _) = saved(&folder, 1);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = || {
            let store = store_in(&folder);
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                load(&store);
            }
        };
        scope.spawn(reader);
        let mut quiet = |_: Waiting<'_>| ();
        let mut take = |number| block_on(store.lock(lock_info(number), Duration::from_secs(10), &mut quiet));
        let all: Vec<_> = (0..50).map(|number| take(number).map(drop)).collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        all.into_iter().for_each(|taken| taken.unwrap());
    });
}

#[test]
fn a_deleted_lock_file_is_taken_again_unless_somebody_else_has_it() {
    let folder = TempDir::new().unwrap();
    let (mine, theirs) = (store_in(&folder), store_in(&folder));
    let _guard = take(&mine, 1).unwrap();
    let mut recorded = a_record(0);
    fs::remove_file(mine.lock_path()).unwrap();
    save(&mine, &mut recorded).unwrap();
    assert!(matches!(take(&theirs, 2), Err(StoreError::Locked { .. })));
    fs::remove_file(mine.lock_path()).unwrap();
    let _other = take(&theirs, 3).unwrap();
    assert!(matches!(save(&mine, &mut recorded), Err(StoreError::LockLost { .. })));
    assert!(matches!(journal(&mine, &[written(1)]), Err(StoreError::LockLost { .. })));
}

#[test]
fn a_deleted_journal_is_noticed_and_made_good_by_saving() {
    let folder = TempDir::new().unwrap();
    let (store, mut recorded) = saved(&folder, 1);
    let _guard = take(&store, 2).unwrap();
    load(&store);
    journal(&store, &[written(5)]).unwrap();
    fs::remove_file(store.journal_path()).unwrap();
    assert!(matches!(journal(&store, &[written(6)]), Err(StoreError::JournalLost { .. })));
    save(&store, &mut recorded).unwrap();
    journal(&store, &[written(6)]).unwrap();
    assert_eq!(load(&store).recorded.unwrap().written_at, Some(6));
}

#[test]
fn many_writers_at_once_make_serials_without_gaps() {
    let folder = TempDir::new().unwrap();
    std::thread::scope(|scope| {
        for number in 1..=16 {
            let folder = &folder;
            scope.spawn(move || {
                let store = store_in(folder);
                let mut quiet = |_: Waiting<'_>| ();
                let lock = store.lock(lock_info(number), Duration::from_secs(60), &mut quiet);
                let guard = block_on(lock).unwrap();
                let mut recorded = load(&store).recorded.unwrap_or_else(|| a_record(0));
                save(&store, &mut recorded).unwrap();
                block_on(guard.release()).unwrap();
            });
        }
    });
    let store = store_in(&folder);
    assert_eq!(load(&store).recorded.unwrap().serial, 16);
    assert_eq!(history(&store).len(), 16);
}

#[test]
fn a_reader_beside_a_run_always_sees_a_whole_record() {
    let folder = TempDir::new().unwrap();
    let (store, mut recorded) = saved(&folder, 1);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let store = store_in(&folder);
            let mut last = (0, 0);
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let found = load(&store).recorded.unwrap();
                let now = (found.serial, found.written_at.unwrap_or(0));
                assert!(now >= last, "{now:?} after {last:?}");
                last = now;
            }
        });
        let _guard = take(&store, 2).unwrap();
        load(&store);
        for at in 1..100 {
            journal(&store, &[written(at)]).unwrap();
            recorded.written_at = Some(at);
            if at % 3 == 0 {
                save(&store, &mut recorded).unwrap();
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        reader.join().unwrap();
    });
}

/// One run: read, save, journal twice, save. Returns what it told its caller, and the record as the run had it.
fn a_run(store: &LocalStore, states: &mut Vec<Recorded>) -> Result<(), StoreError> {
    let _guard = take(store, 2)?;
    let mut recorded = block_on(store.load())?.recorded.unwrap_or_else(|| a_record(0));
    recorded.written_at = None;
    states.push(Recorded { serial: recorded.serial + 1, ..recorded.clone() });
    save(store, &mut recorded)?;
    for batch in [vec![written(1), written(2)], vec![written(3)]] {
        for entry in &batch {
            recorded = replay(recorded, std::slice::from_ref(entry));
            states.push(recorded.clone());
        }
        journal(store, &batch)?;
    }
    states.push(Recorded { serial: recorded.serial + 1, ..recorded.clone() });
    save(store, &mut recorded)
}

/// The process dies at each of its operations on the disk in turn: what is read then is a state that the run had, never
/// older than the last one it was told is safe; and the next run ends well.
#[test]
fn a_crash_at_any_operation_leaves_a_readable_record_and_a_next_run_that_ends_well() {
    let mut crashes = 0;
    for earlier_saves in [0, 2] {
        for at in 0.. {
            let folder = TempDir::new().unwrap();
            let (store, before) = saved(&folder, earlier_saves);
            let before = (earlier_saves > 0).then_some(before);
            let mut states = Vec::new();
            *store.disk.faults.lock().unwrap() = disk::Faults { done: 0, at: Some(at), crash: true };
            let result = a_run(&store, &mut states);
            if store.disk.faults.lock().unwrap().done <= at {
                result.unwrap();
                break;
            }
            crashes += 1;
            let fresh = store_in(&folder);
            let found = load(&fresh).recorded;
            let allowed = states.iter().chain(&before).any(|state| found.as_ref() == Some(state));
            assert!(allowed || (found.is_none() && before.is_none()), "at {at}: {found:?}");
            let mut again = Vec::new();
            a_run(&fresh, &mut again).unwrap();
            assert_eq!(load(&fresh).recorded.as_ref(), again.last(), "at {at}");
            assert!(!names(&folder.path().join("state")).iter().any(|name| name.ends_with(disk::TEMPORARY)));
        }
    }
    assert!(crashes > 40, "{crashes}");
}

/// One operation fails (a full disk) and the process goes on: the caller is told, or nothing is lost by it; what was
/// saved can be read; and trying again works.
#[test]
fn a_failed_operation_leaves_what_was_saved_and_can_be_tried_again() {
    for at in 0.. {
        let folder = TempDir::new().unwrap();
        let (store, before) = saved(&folder, 2);
        let _guard = take(&store, 2).unwrap();
        load(&store);
        let mut recorded = Recorded { written_at: Some(1), ..before.clone() };
        *store.disk.faults.lock().unwrap() = disk::Faults { done: 0, at: Some(at), crash: false };
        let first = save(&store, &mut recorded);
        if let Err(error) = &first {
            assert!(matches!(error, StoreError::Io { .. }), "{error}");
            assert_eq!(load(&store).recorded.unwrap().serial, recorded.serial, "at {at}");
            if recorded.serial == before.serial {
                assert_eq!(load(&store).recorded.as_ref(), Some(&before), "at {at}");
            }
            save(&store, &mut recorded).unwrap();
        }
        let appended = journal(&store, &[written(2), written(3)]);
        if appended.is_err() {
            let found = load(&store_in(&folder)).recorded.unwrap().written_at;
            assert!([Some(1), Some(2), Some(3)].contains(&found), "at {at}: {found:?}");
            journal(&store, &[written(2), written(3)]).unwrap();
        }
        let done = std::mem::take(&mut *store.disk.faults.lock().unwrap()).done;
        journal(&store, &[written(4)]).unwrap();
        assert_eq!(load(&store).recorded, Some(Recorded { written_at: Some(4), ..recorded }), "at {at}");
        if done <= at {
            assert!(at > 12, "{at}");
            break;
        }
    }
}

#[test]
fn an_unwritable_history_fails_the_save_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let (store, mut recorded) = saved(&folder, 1);
    fs::write(folder.path().join("state/history"), "in the way").unwrap();
    let _guard = take(&store, 2).unwrap();
    load(&store);
    let error = save(&store, &mut recorded).unwrap_err();
    assert!(error.to_string().contains("could not make the folder"), "{error}");
    assert_eq!(load(&store).recorded, Some(recorded));
}

#[test]
fn an_apply_costs_a_fixed_number_of_operations_beside_its_appends() {
    let folder = TempDir::new().unwrap();
    let (store, mut recorded) = saved(&folder, 1);
    let _guard = take(&store, 2).unwrap();
    load(&store);
    let count = |appends: i64, recorded: &mut Recorded| {
        let before = store.disk.faults.lock().unwrap().done;
        save(&store, recorded).unwrap();
        for at in 0..appends {
            journal(&store, &[written(at)]).unwrap();
        }
        save(&store, recorded).unwrap();
        store.disk.faults.lock().unwrap().done - before
    };
    // The first makes the folder of the history.
    count(0, &mut recorded);
    let (few, many) = (count(10, &mut recorded), count(110, &mut recorded));
    assert_eq!(many - few, 100 * 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_was_saved_and_journalled_is_loaded(record in testing::records(), batches in prop::collection::vec(testing::entries(), 0..4)) {
        let folder = TempDir::new().unwrap();
        let store = store_in(&folder);
        let _guard = take(&store, 1).unwrap();
        let mut record = Recorded { serial: record.serial.min(1 << 52), ..record };
        save(&store, &mut record).unwrap();
        for batch in &batches {
            journal(&store, batch).unwrap();
        }
        prop_assert_eq!(record.lineage, Some(LINEAGE));
        let expected = replay(record, &batches.concat());
        prop_assert_eq!(load(&store).recorded, Some(expected));
    }
}
