//! What every store's tools must do, tried on all three.

use std::fs;
use std::time::Duration;

use byob_model::recorded::Recorded;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::Guard as _;
use crate::assembled::Base;
use crate::objects::{Objects as _, When};
use crate::testing::world::World;
use crate::testing::{LINEAGE, a_record, block_on, lock_info};
use crate::{BYOB_VERSION, Entry, LocalStore, MemoryStore, RemoteStore};

const TO: &str = "s3://acme-state/team/byob.state.json";

/// A place that can be looked at by any number of processes, and harmed.
trait Ground: Default {
    type Store: Tools;
    /// The place as another process sees it.
    fn process(&self) -> Self::Store;
    fn overwrite(&self, text: &str);
    fn overwrite_journal(&self, bytes: &[u8]);
}

struct Files(TempDir);

impl Default for Files {
    fn default() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("state")).unwrap();
        Self(folder)
    }
}

impl Ground for Files {
    type Store = LocalStore;

    fn process(&self) -> LocalStore {
        LocalStore::open(self.0.path().join("state/byob.state.json")).unwrap()
    }

    fn overwrite(&self, text: &str) {
        fs::write(self.0.path().join("state/byob.state.json"), text).unwrap();
    }

    fn overwrite_journal(&self, bytes: &[u8]) {
        fs::write(self.0.path().join("state/byob.state.json.journal"), bytes).unwrap();
    }
}

impl Ground for MemoryStore {
    type Store = Self;

    fn process(&self) -> Self {
        self.another_process()
    }

    fn overwrite(&self, text: &str) {
        self.overwrite(text);
    }

    fn overwrite_journal(&self, bytes: &[u8]) {
        self.overwrite_journal(bytes);
    }
}

impl World {
    fn put_over(&self, key: &str, body: &[u8]) {
        let when = When::of(self.bucket.borrow().now.get(key));
        block_on(self.put(key, body, &when)).unwrap();
    }
}

impl Ground for World {
    type Store = RemoteStore<Self, Self>;

    fn process(&self) -> Self::Store {
        self.store()
    }

    fn overwrite(&self, text: &str) {
        self.put_over("byob.state.json", text.as_bytes());
    }

    fn overwrite_journal(&self, bytes: &[u8]) {
        self.put_over("byob.state.json.journal", bytes);
    }
}

macro_rules! on_each_ground {
    ($($test:ident)*) => {
        mod files { $(#[test] fn $test() { super::$test(&super::Files::default()); })* }
        mod memory { $(#[test] fn $test() { super::$test(&super::MemoryStore::new()); })* }
        mod objects { $(#[test] fn $test() { super::$test(&super::World::default()); })* }
    };
}

on_each_ground! {
    a_record_is_put_over_whatever_is_stored
    what_an_open_journal_said_is_kept_when_its_record_is_replaced
    an_unusable_journal_is_gone_with_the_record_that_is_replaced
    nothing_is_replaced_or_left_unseen_or_without_the_lock
    a_place_that_was_left_says_where_the_record_is
    a_record_moves_back
    a_marker_of_another_record_is_replaced_only_by_force
    what_an_open_journal_said_is_part_of_what_is_left
    a_place_is_not_left_for_nowhere
    history_is_newest_first_and_what_it_lists_can_be_had
    a_serial_of_several_lineages_is_of_the_newest
    a_damaged_record_names_the_way_back
}

fn lock<S: Store>(store: &S, number: u128) -> S::Guard {
    block_on(store.lock(lock_info(number), Duration::from_secs(120), &mut |_| ())).unwrap()
}

fn load<G: Ground>(ground: &G) -> Loaded {
    let loaded = block_on(ground.process().load()).unwrap();
    Loaded { lock: None, ..loaded }
}

fn exactly(recorded: &Recorded) -> Loaded {
    Loaded { recorded: Some(recorded.clone()), journalled: false, lock: None }
}

fn text(recorded: &Recorded) -> String {
    format::write(recorded, BYOB_VERSION)
}

fn of_another(serial: u64) -> Recorded {
    Recorded { lineage: Some(Uuid::from_u128(1 << 100)), ..a_record(serial) }
}

/// A run that saves this many times, and journals after that.
fn a_run<G: Ground>(ground: &G, saves: u64, journalled: &[Entry]) -> Recorded {
    let store = ground.process();
    let guard = lock(&store, 1);
    block_on(store.load()).unwrap();
    let mut recorded = a_record(0);
    for _ in 0..saves {
        block_on(store.save(&mut recorded)).unwrap();
    }
    for entry in journalled {
        block_on(store.journal(std::slice::from_ref(entry))).unwrap();
    }
    block_on(guard.release()).unwrap();
    recorded
}

/// An entry that every store writes at once.
fn a_key() -> Entry {
    let resource =
        crate::testing::a_resource(byob_model::address::Kind::Key, "arn:aws:kms:x", serde_json::json!({}));
    Entry::Put { address: byob_model::address::RootAddress::key("vision").address(), resource }
}

fn has_key(recorded: &Recorded) -> bool {
    recorded.root(&byob_model::address::RootAddress::key("vision")).is_some()
}

fn a_record_is_put_over_whatever_is_stored<G: Ground>(ground: &G) {
    let damaged = text(&a_record(20)).replace("acme", "evil");
    let mut serial = 3;
    for (stored, known) in [
        (text(&a_record(serial)), Some(serial)),
        (text(&a_record(20)), Some(20)),
        (text(&of_another(30)), Some(30)),
        (damaged, None),
        ("{".to_owned(), None),
        (String::new(), None),
        (r#"{"format_version":2}"#.to_owned(), None),
        (format::write_moved(TO, LINEAGE, 40), Some(40)),
        (format::write_moved(TO, Uuid::from_u128(1), 50), Some(50)),
    ] {
        ground.overwrite(&stored);
        let store = ground.process();
        let guard = lock(&store, 2);
        let _ = block_on(store.load());
        let mut recorded = a_record(serial);
        let newer = serial.max(known.unwrap_or(0)) + 1;
        block_on(store.replace(&mut recorded)).unwrap();
        assert_eq!(recorded.serial, newer, "{stored}");
        assert_eq!(load(ground), exactly(&recorded));
        let readable = format::read(&stored).is_ok();
        if readable || known.is_none() {
            let is_it = |kept: &Kept| !kept.latest && (kept.serial, kept.readable) == (known, readable);
            let history = block_on(store.history()).unwrap();
            assert!(history.iter().any(is_it), "{stored} is kept: {history:?}");
        }
        // What goes on from there is as after any save.
        block_on(store.journal(&[a_key()])).unwrap();
        assert!(has_key(&load(ground).recorded.unwrap()));
        block_on(store.save(&mut recorded)).unwrap();
        assert_eq!(load(ground), exactly(&recorded));
        drop(guard);
        serial = recorded.serial;
    }
}

fn what_an_open_journal_said_is_kept_when_its_record_is_replaced<G: Ground>(_: &G) {
    for (mut recorded, serial) in [(a_record(1), 4), (of_another(9), 10)] {
        let ground = &G::default();
        a_run(ground, 2, &[a_key()]);
        let store = ground.process();
        let _guard = lock(&store, 2);
        assert!(has_key(&block_on(store.load()).unwrap().recorded.unwrap()));
        block_on(store.replace(&mut recorded)).unwrap();
        assert_eq!(recorded.serial, serial);
        assert_eq!(load(ground), exactly(&recorded));
        let kept = block_on(store.kept(3)).unwrap().unwrap();
        assert!(has_key(&kept) && kept.lineage == Some(LINEAGE));
    }
}

fn an_unusable_journal_is_gone_with_the_record_that_is_replaced<G: Ground>(ground: &G) {
    let journal = |serial, lineage| {
        Base { serial, lineage, end: None }.lines(&[a_key(), Entry::Written { at: 7 }]).0.into_bytes()
    };
    let mut damaged = journal(1, LINEAGE);
    damaged[3] = b'x';
    for (stored, bytes) in [
        (text(&a_record(1)), damaged.clone()),
        (text(&a_record(1)), journal(90, LINEAGE)),
        (text(&a_record(1)), journal(1, Uuid::from_u128(1))),
        ("{".to_owned(), journal(1, LINEAGE)),
        ("{".to_owned(), damaged),
        (format::write_moved(TO, LINEAGE, 2), journal(1, LINEAGE)),
    ] {
        for mut recorded in [a_record(1), of_another(1)] {
            ground.overwrite(&stored);
            ground.overwrite_journal(&bytes);
            let store = ground.process();
            let _guard = lock(&store, 2);
            block_on(store.load()).unwrap_err();
            block_on(store.replace(&mut recorded)).unwrap();
            assert_eq!(load(ground), exactly(&recorded));
            block_on(store.journal(&[a_key()])).unwrap();
            assert!(has_key(&load(ground).recorded.unwrap()));
        }
    }
}

fn nothing_is_replaced_or_left_unseen_or_without_the_lock<G: Ground>(ground: &G) {
    let before = a_run(ground, 1, &[]);
    let store = ground.process();
    block_on(store.load()).unwrap();
    let mut recorded = a_record(5);
    assert!(matches!(block_on(store.replace(&mut recorded)), Err(StoreError::NotLocked { .. })));
    assert!(matches!(block_on(store.leave(TO)), Err(StoreError::NotLocked { .. })));
    let guard = lock(&store, 2);
    assert!(matches!(block_on(store.replace(&mut recorded)), Err(StoreError::NotRead { .. })));
    assert!(matches!(block_on(store.leave(TO)), Err(StoreError::NotRead { .. })));
    drop(guard);
    assert_eq!((load(ground), recorded), (exactly(&before), a_record(5)));
    ground.overwrite("{");
    let _guard = lock(&store, 3);
    block_on(store.load()).unwrap_err();
    assert!(matches!(block_on(store.leave(TO)), Err(StoreError::NotRead { .. })));
    let mut nobodys = Recorded::default();
    assert!(matches!(block_on(store.replace(&mut nobodys)), Err(StoreError::NotSaved { .. })));
    block_on(store.load()).unwrap_err();
}

fn a_place_that_was_left_says_where_the_record_is<G: Ground>(ground: &G) {
    let left = a_run(ground, 2, &[]);
    let store = ground.process();
    let guard = lock(&store, 2);
    block_on(store.load()).unwrap();
    block_on(store.leave(TO)).unwrap();
    // The run that left it has no record any more.
    assert!(matches!(block_on(store.save(&mut left.clone())), Err(StoreError::NotRead { .. })));
    assert!(matches!(block_on(store.journal(&[a_key()])), Err(StoreError::NotRead { .. })));
    drop(guard);
    let error = block_on(ground.process().load()).unwrap_err();
    assert!(
        error.to_string().ends_with("the record was moved to s3://acme-state/team/byob.state.json"),
        "{error}"
    );
    assert_eq!(error.help().unwrap(), "let [state] in byob.toml name that place");
    let history = block_on(ground.process().history()).unwrap();
    let told: Vec<_> = history.iter().map(|kept| (kept.serial, kept.readable, kept.latest)).collect();
    assert_eq!(told[..2], [(Some(3), false, true), (Some(2), true, false)], "{history:?}");
    assert!(history.iter().all(|kept| kept.lineage == Some(LINEAGE)));
    let went: Vec<_> = history.iter().filter(|kept| kept.moved_to.as_deref() == Some(TO)).collect();
    assert!(went.len() == 1 && went[0].latest && !went[0].readable, "{history:?}");
    assert_eq!(block_on(ground.process().kept(2)).unwrap(), Some(left));
}

fn a_record_moves_back<G: Ground>(ground: &G) {
    assert_eq!(block_on(ground.process().destination()).unwrap(), Destination::Empty);
    let mut recorded = a_run(ground, 2, &[]);
    let taken = Destination::Taken(Box::new(exactly(&recorded)));
    assert_eq!(block_on(ground.process().destination()).unwrap(), taken);
    let store = ground.process();
    let guard = lock(&store, 2);
    block_on(store.load()).unwrap();
    block_on(store.leave(TO)).unwrap();
    drop(guard);
    let store = ground.process();
    let _guard = lock(&store, 3);
    let left = Destination::Left { to: TO.to_owned(), lineage: LINEAGE, serial: 3 };
    assert_eq!(block_on(store.destination()).unwrap(), left);
    assert!(
        matches!(block_on(store.save(&mut recorded)), Err(StoreError::NotSaved { .. })),
        "it is older than what left"
    );
    recorded.serial = 8;
    block_on(store.save(&mut recorded)).unwrap();
    assert_eq!((load(ground), recorded.serial), (exactly(&recorded), 9));
}

fn a_marker_of_another_record_is_replaced_only_by_force<G: Ground>(ground: &G) {
    ground.overwrite(&format::write_moved(TO, LINEAGE, 3));
    let store = ground.process();
    let _guard = lock(&store, 2);
    block_on(store.destination()).unwrap();
    let mut other = of_another(7);
    assert!(matches!(block_on(store.save(&mut other)), Err(StoreError::NotSaved { .. })));
    block_on(store.replace(&mut other)).unwrap();
    assert_eq!(load(ground), exactly(&other));
}

fn what_an_open_journal_said_is_part_of_what_is_left<G: Ground>(ground: &G) {
    a_run(ground, 2, &[a_key()]);
    let store = ground.process();
    let guard = lock(&store, 2);
    block_on(store.load()).unwrap();
    block_on(store.leave(TO)).unwrap();
    let left = Destination::Left { to: TO.to_owned(), lineage: LINEAGE, serial: 4 };
    assert_eq!(block_on(store.destination()).unwrap(), left);
    assert!(has_key(&block_on(store.kept(3)).unwrap().unwrap()));
    // The old journal is nothing to what comes there next.
    let mut other = of_another(0);
    block_on(store.replace(&mut other)).unwrap();
    assert_eq!(load(ground), exactly(&other));
    drop(guard);
}

fn a_place_is_not_left_for_nowhere<G: Ground>(ground: &G) {
    let store = ground.process();
    let guard = lock(&store, 1);
    block_on(store.load()).unwrap();
    assert!(matches!(block_on(store.leave(TO)), Err(StoreError::NoRecord { .. })));
    drop(guard);
    let recorded = a_run(ground, 1, &[]);
    let _guard = lock(&store, 2);
    block_on(store.load()).unwrap();
    for to in ["", " ", "a\nb", "\u{1b}[2J"] {
        assert!(matches!(block_on(store.leave(to)), Err(StoreError::NotSaved { .. })), "{to:?}");
    }
    assert_eq!(load(ground), exactly(&recorded));
}

fn history_is_newest_first_and_what_it_lists_can_be_had<G: Ground>(ground: &G) {
    assert_eq!(block_on(ground.process().history()).unwrap(), []);
    a_run(ground, 6, &[]);
    let store = ground.process();
    let history = block_on(store.history()).unwrap();
    let serials: Vec<u64> = history.iter().map(|kept| kept.serial.unwrap()).collect();
    assert_eq!(serials, [6, 5, 4, 3, 2, 1]);
    assert!(history.iter().all(|kept| kept.readable && kept.lineage == Some(LINEAGE)));
    assert_eq!(history.iter().map(|kept| kept.latest).collect::<Vec<_>>()[..3], [true, false, false]);
    let versions: std::collections::BTreeSet<_> = history.iter().map(|kept| &kept.version).collect();
    assert_eq!(versions.len(), 6, "each can be told from the others");
    for serial in 1..=6 {
        assert_eq!(block_on(store.kept(serial)).unwrap(), Some(a_record(serial)));
    }
    assert_eq!(block_on(store.kept(7)).unwrap(), None);
}

fn a_serial_of_several_lineages_is_of_the_newest<G: Ground>(ground: &G) {
    a_run(ground, 3, &[]);
    let store = ground.process();
    let _guard = lock(&store, 2);
    block_on(store.load()).unwrap();
    let mut other = of_another(0);
    block_on(store.replace(&mut other)).unwrap();
    assert_eq!(other.serial, 4);
    ground.overwrite(&text(&of_another(2)));
    assert_eq!(block_on(store.kept(2)).unwrap(), Some(of_another(2)));
    assert_eq!(block_on(store.kept(3)).unwrap(), Some(a_record(3)));
}

fn a_damaged_record_names_the_way_back<G: Ground>(ground: &G) {
    let damaged = |ground: &G| match block_on(ground.process().load()).unwrap_err() {
        StoreError::Unusable { last_good, .. } => last_good,
        other => panic!("{other}"),
    };
    ground.overwrite("{");
    assert_eq!(damaged(ground), None);
    let help = block_on(ground.process().load()).unwrap_err().help().unwrap();
    assert!(help.contains("there is none in its history"), "{help}");
    ground.overwrite(&text(&a_record(1)));
    let store = ground.process();
    let guard = lock(&store, 1);
    block_on(store.load()).unwrap();
    let mut recorded = a_record(1);
    block_on(store.save(&mut recorded)).unwrap();
    drop(guard);
    ground.overwrite(&text(&recorded)[..90]);
    let error = block_on(ground.process().load()).unwrap_err();
    let good = damaged(ground).unwrap();
    let help = error.help().unwrap();
    let expected = format!("the newest good copy is {}; put it back with: {}", good.location, good.command);
    assert_eq!(help, expected);
}
