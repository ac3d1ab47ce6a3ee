use std::time::Duration;

use byob_model::recorded::Recorded;
use uuid::Uuid;

use crate::testing::world::{Fate, World};
use crate::testing::{a_record, block_on, lock_info};
use crate::{Destination, Entry, Guard as _, Kept, RemoteStore, Store as _, StoreError, Tools as _};

const TO: &str = "state/byob.state.json";

fn of_another() -> Recorded {
    Recorded { lineage: Some(Uuid::from_u128(1 << 100)), ..a_record(1) }
}

/// A record with an open journal, by a run that is gone.
fn crashed() -> World {
    let world = World::default();
    let store = world.store();
    std::mem::forget(block_on(store.lock(lock_info(1), Duration::ZERO, &mut |_| ())).unwrap());
    block_on(store.load()).unwrap();
    block_on(store.save(&mut a_record(0))).unwrap();
    world.pass(12);
    block_on(store.journal(&[Entry::Written { at: 5 }])).unwrap();
    world.pass(60);
    world.bucket.borrow_mut().writes.clear();
    world
}

type Taken = Result<(), StoreError>;

/// What a run does here: it takes the lock, looks, replaces the record, leaves the place.
fn a_run(world: &World, to: Option<Recorded>) -> Taken {
    let store = world.store();
    let guard = block_on(store.lock(lock_info(2), Duration::from_secs(120), &mut |_| ()))?;
    block_on(store.load())?;
    match to {
        Some(mut recorded) => block_on(store.replace(&mut recorded))?,
        None => block_on(store.leave(TO))?,
    }
    block_on(guard.release())
}

/// What others read then.
fn read(world: &World) -> Destination {
    match block_on(world.store().destination()).unwrap() {
        Destination::Taken(mut loaded) => {
            loaded.lock = None;
            loaded.journalled = false;
            if let Some(recorded) = &mut loaded.recorded {
                recorded.serial = 0;
            }
            Destination::Taken(loaded)
        }
        other => other,
    }
}

#[test]
fn each_write_may_lose_its_answer_its_request_or_meet_its_own_first_try() {
    for to in [Some(a_record(1)), Some(of_another()), None] {
        let plain = crashed();
        a_run(&plain, to.clone()).unwrap();
        let (expected, count) = (read(&plain), plain.writes().len());
        let journals = plain.writes().iter().filter(|key| key.ends_with(".journal")).count();
        assert_eq!(journals, usize::from(to.is_some()), "{:?}", plain.writes());
        let what = "lock, renewal, what was journalled, the record, release";
        assert_eq!(count - journals, 5, "{what}: {:?}", plain.writes());
        for fate in [Fate::LostAfter, Fate::LostBefore, Fate::Twice, Fate::Conflict] {
            for write in 0..count {
                let world = crashed();
                world.bucket.borrow_mut().fates.insert(write, fate);
                a_run(&world, to.clone()).unwrap_or_else(|error| panic!("{fate:?} at {write}: {error}"));
                assert_eq!(read(&world), expected, "{fate:?} at {write}");
            }
        }
    }
}

#[test]
fn a_crash_between_any_two_writes_leaves_what_was_there_or_what_was_to_be() {
    for to in [Some(a_record(1)), Some(of_another()), None] {
        let plain = crashed();
        let before = read(&plain);
        a_run(&plain, to.clone()).unwrap();
        let (wanted, count) = (read(&plain), plain.writes().len());
        for from in 0..count {
            let world = crashed();
            world.bucket.borrow_mut().dead_from = Some(from);
            let error = a_run(&world, to.clone()).unwrap_err();
            assert!(matches!(error, StoreError::Objects { .. }), "from {from}: {error}");
            world.bucket.borrow_mut().dead_from = None;
            let after = read(&world);
            assert!(after == before || after == wanted, "from {from}: {after:?}");
            if after != wanted {
                a_run(&world, to.clone()).unwrap();
            }
            assert_eq!(read(&world), wanted, "from {from}");
        }
    }
}

#[test]
fn a_run_whose_lock_was_taken_replaces_and_leaves_nothing() {
    for to in [Some(of_another()), None] {
        let world = crashed();
        let store = world.store();
        let _guard = block_on(store.lock(lock_info(2), Duration::from_secs(60), &mut |_| ())).unwrap();
        block_on(store.load()).unwrap();
        world.pass(60);
        let other = world.store();
        let _theirs = block_on(other.lock(lock_info(3), Duration::from_secs(60), &mut |_| ())).unwrap();
        let mut newer = block_on(other.load()).unwrap().recorded.unwrap();
        block_on(other.save(&mut newer)).unwrap();
        let error = match to {
            Some(mut recorded) => block_on(store.replace(&mut recorded)).unwrap_err(),
            None => block_on(store.leave(TO)).unwrap_err(),
        };
        assert!(matches!(error, StoreError::LockLost { .. }), "{error}");
        assert_eq!(block_on(other.load()).unwrap().recorded, Some(newer));
    }
}

#[test]
fn twenty_versions_are_looked_at() {
    let world = World::default();
    let store = world.store();
    let _guard = block_on(store.lock(lock_info(1), Duration::ZERO, &mut |_| ())).unwrap();
    let mut recorded = a_record(0);
    block_on(store.load()).unwrap();
    for _ in 0..25 {
        block_on(store.save(&mut recorded)).unwrap();
    }
    let history = block_on(store.history()).unwrap();
    let serials: Vec<_> = history.iter().map(|kept| kept.serial.unwrap()).collect();
    assert_eq!(serials, (6..=25).rev().collect::<Vec<_>>());
    assert_eq!(block_on(store.kept(6)).unwrap().unwrap().serial, 6);
    assert_eq!(block_on(store.kept(5)).unwrap(), None);
}

#[test]
fn a_place_without_versions_has_what_it_stores() {
    let world = World::default();
    a_run(&world, Some(a_record(1))).unwrap();
    world.bucket.borrow_mut().kept.clear();
    let store: RemoteStore<World, World> = world.store();
    let history = block_on(store.history()).unwrap();
    let location = "s3://acme-state/byob.state.json".to_owned();
    let lineage = a_record(1).lineage;
    let (at, version, moved_to) = (0, String::new(), None);
    let only =
        Kept { serial: Some(2), lineage, at, location, version, readable: true, moved_to, latest: true };
    assert_eq!(history, [only]);
    assert_eq!(block_on(store.kept(2)).unwrap(), Some(a_record(2)));
}
