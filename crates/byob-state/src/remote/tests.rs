use std::time::Duration;

use byob_model::recorded::Recorded;

use super::*;
use crate::testing::world::{Fate, World};
use crate::testing::{a_record, block_on, lock_info};

type TestStore = RemoteStore<World, World>;
type TestGuard = RemoteGuard<World, World>;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn lock(store: &TestStore, number: u128, timeout: u64) -> Result<TestGuard, StoreError> {
    block_on(store.lock(lock_info(number), seconds(timeout), &mut |_| ()))
}

fn renew(guard: &TestGuard) -> Result<bool, StoreError> {
    block_on(guard.place.renew(&guard.info))
}

fn load(store: &TestStore) -> Loaded {
    block_on(store.load()).unwrap()
}

fn written(at: i64) -> Entry {
    Entry::Written { at }
}

/// A whole run: lock, load, save, journal, save, release. Answers with the record that others then read.
fn a_run(world: &World) -> Result<Recorded, StoreError> {
    let store = world.store();
    let guard = lock(&store, 1, 0)?;
    let mut recorded = block_on(store.load())?.recorded.unwrap_or_else(|| a_record(0));
    block_on(store.save(&mut recorded))?;
    world.pass(12);
    renew(&guard)?;
    block_on(store.journal(&[written(5)]))?;
    recorded.written_at = Some(5);
    let seen = block_on(world.store().load())?.recorded.unwrap();
    assert_eq!(seen.written_at, Some(5), "the journal counts at once");
    block_on(store.save(&mut recorded))?;
    block_on(guard.release())?;
    Ok(block_on(world.store().load())?.recorded.unwrap())
}

#[test]
fn a_run_is_seen_by_others_and_leaves_no_lock() {
    let world = World::default();
    let store = world.store();
    let guard = lock(&store, 1, 0).unwrap();
    assert_eq!(load(&store), Loaded { recorded: None, journalled: false, lock: None });
    let mut recorded = a_record(0);
    block_on(store.save(&mut recorded)).unwrap();
    assert_eq!(recorded.serial, 1);
    let seen = load(&world.store());
    assert_eq!((seen.recorded, seen.journalled, seen.lock), (Some(recorded), false, Some(lock_info(1))));
    block_on(guard.release()).unwrap();
    let seen = load(&world.store());
    assert_eq!((seen.recorded.unwrap().serial, seen.lock), (1, None));
    lock(&world.store(), 2, 0).unwrap();
}

#[test]
fn each_write_may_lose_its_answer_its_request_or_meet_its_own_first_try() {
    let plain = World::default();
    let expected = a_run(&plain).unwrap();
    let count = plain.writes().len();
    assert_eq!(count, 6, "lock, save, renewal, journal, save, release: {:?}", plain.writes());
    for fate in [Fate::LostAfter, Fate::LostBefore, Fate::Twice, Fate::Conflict] {
        for write in 0..count {
            let world = World::default();
            world.bucket.borrow_mut().fates.insert(write, fate);
            let found = a_run(&world).unwrap_or_else(|error| panic!("{fate:?} at {write}: {error}"));
            assert_eq!(found, expected, "{fate:?} at {write}");
            assert_eq!(load(&world.store()).lock, None, "{fate:?} at {write}");
        }
    }
}

/// A place that does not answer is said at once, not after the wait.
#[test]
fn a_silent_place_is_named_once_while_it_is_waited_for() {
    let world = World::default();
    world.bucket.borrow_mut().dead_from = Some(0);
    let mut told = Vec::new();
    let info = lock_info(1);
    let error = block_on(world.store().lock(info, seconds(120), &mut |waiting| {
        let Waiting::Answer { location, error } = waiting else { panic!("{waiting:?}") };
        told.push(format!("{location}: {error}"));
    }));
    assert!(matches!(error, Err(StoreError::Objects { .. })));
    assert_eq!(told, ["s3://acme-state/byob.state.json.lock: no route"]);
}

#[test]
fn a_place_that_falls_silent_is_an_error_and_never_a_hang() {
    for from in 0..6 {
        let world = World::default();
        world.bucket.borrow_mut().dead_from = Some(from);
        let error = a_run(&world).unwrap_err();
        assert!(matches!(error, StoreError::Objects { .. }), "from {from}: {error}");
        assert!(error.to_string().contains("s3://acme-state/byob.state.json"), "{error}");
        assert!(error.help().is_some());
    }
}

#[test]
fn a_dead_owner_costs_a_waiter_its_lease_and_one_call() {
    let world = World::default();
    std::mem::forget(lock(&world.store(), 1, 0).unwrap());
    let began = world.elapsed();
    let mut told = Vec::new();
    let store = world.store();
    let guard =
        block_on(store.lock(lock_info(2), seconds(120), &mut |waiting| told.push(format!("{waiting:?}"))))
            .unwrap();
    let waited = world.elapsed() - began;
    assert!(waited >= seconds(45) && waited < seconds(46), "{waited:?}");
    assert_eq!(told, [format!("{:?}", Waiting::Holder(&lock_info(1)))]);
    block_on(guard.release()).unwrap();
}

#[test]
fn a_waiter_with_less_time_gives_up_and_says_who() {
    let world = World::default();
    let _guard = lock(&world.store(), 1, 0).unwrap();
    for timeout in [0, 30, 44] {
        match lock(&world.store(), 2, timeout) {
            Err(StoreError::Locked { holder, waited, .. }) => {
                assert_eq!(*holder, lock_info(1));
                assert_eq!(waited, seconds(timeout));
            }
            other => panic!("{other:?}"),
        }
        world.pass(100);
    }
}

#[test]
fn a_lock_that_is_renewed_is_never_taken() {
    let world = World::default();
    let owner = lock(&world.store(), 1, 0).unwrap();
    for _ in 0..20 {
        assert!(matches!(lock(&world.store(), 2, 12), Err(StoreError::Locked { .. })));
        assert!(renew(&owner).unwrap());
    }
}

#[test]
fn a_dead_process_of_this_machine_costs_nothing() {
    let world = World::default();
    let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
    let own = LockInfo::of_this_process(uuid::Uuid::from_u128(1), "byob apply", 0);
    let info = LockInfo { pid: child.id(), process: crate::ProcessMark::of(child.id()), ..own };
    assert!(info.process.is_some());
    std::mem::forget(block_on(world.store().lock(info.clone(), Duration::ZERO, &mut |_| ())).unwrap());
    assert!(matches!(lock(&world.store(), 2, 0), Err(StoreError::Locked { .. })), "it still runs");
    child.kill().unwrap();
    child.wait().unwrap();
    let elsewhere = LockInfo { host: "elsewhere".into(), ..info.clone() };
    assert!(!elsewhere.is_dead_here());
    let mark = info.process.clone().unwrap();
    let other_boot = crate::ProcessMark { boot_id: "other".into(), ..mark.clone() };
    assert!(!LockInfo { process: Some(other_boot), ..info.clone() }.is_dead_here());
    let container = crate::ProcessMark { pid_namespace: "pid:[1]".into(), ..mark };
    assert!(!LockInfo { process: Some(container), ..info.clone() }.is_dead_here());
    lock(&world.store(), 2, 0).unwrap();
}

#[test]
fn nothing_is_begun_that_could_outlast_the_lease() {
    let world = World::default();
    let store = world.store();
    let guard = lock(&store, 1, 0).unwrap();
    world.pass(14);
    block_on(store.may_write()).unwrap();
    assert_eq!(world.elapsed(), seconds(14), "at once");
    world.pass(2);
    // Nobody renews it: the wait ends, and with it the run.
    let error = block_on(store.may_write()).unwrap_err();
    assert!(matches!(error, StoreError::LockLost { .. }), "{error}");
    assert!(world.elapsed() >= seconds(45));
    // It was nobody else's meanwhile: renewed, it holds again.
    assert!(renew(&guard).unwrap());
    block_on(store.may_write()).unwrap();
}

#[test]
fn a_run_whose_lock_was_taken_saves_nothing() {
    let world = World::default();
    let (store, other) = (world.store(), world.store());
    let guard = lock(&store, 1, 0).unwrap();
    let mut recorded = a_record(0);
    load(&store);
    block_on(store.save(&mut recorded)).unwrap();
    world.pass(60);
    let theirs = lock(&other, 2, 60).unwrap();
    let mut newer = load(&other).recorded.unwrap();
    newer.written_at = Some(77);
    block_on(other.save(&mut newer)).unwrap();
    let not_saved = block_on(store.save(&mut recorded)).unwrap_err();
    assert!(matches!(not_saved, StoreError::NotSaved { error: SaveError::Changed { found: 2, .. }, .. }));
    assert!(matches!(block_on(guard.keep()), StoreError::LockLost { .. }));
    assert!(matches!(block_on(store.may_write()), Err(StoreError::LockLost { .. })));
    assert!(matches!(block_on(store.journal(&[written(1)])), Err(StoreError::LockLost { .. })));
    block_on(guard.release()).unwrap();
    assert_eq!(load(&world.store()).lock, Some(lock_info(2)), "what is theirs stays theirs");
    block_on(other.save(&mut newer)).unwrap();
    block_on(theirs.release()).unwrap();
    assert_eq!(newer.serial, 3);
}

#[test]
fn another_runs_save_of_the_very_same_text_is_not_taken_for_ones_own() {
    let world = World::default();
    let (store, other) = (world.store(), world.store());
    let _guard = lock(&store, 1, 0).unwrap();
    load(&store);
    let mut recorded = a_record(0);
    block_on(store.save(&mut recorded)).unwrap();
    world.pass(60);
    let _theirs = lock(&other, 2, 60).unwrap();
    let mut same = load(&other).recorded.unwrap();
    block_on(other.save(&mut same)).unwrap();
    let lost = block_on(store.save(&mut recorded)).unwrap_err();
    assert!(matches!(lost, StoreError::LockLost { .. }), "{lost}");
    assert_eq!(recorded.serial, 1);
}

#[test]
fn a_renewal_that_nobody_waited_for_is_ours() {
    let world = World::default();
    let guard = lock(&world.store(), 1, 0).unwrap();
    // It had its effect, and the future that made it was dropped.
    let body = LockFile::held(&lock_info(1), 50).text();
    let etag = world.bucket.borrow().now["byob.state.json.lock"].etag.clone();
    block_on(world.put("byob.state.json.lock", &body, &When::Is(etag))).unwrap();
    assert!(!renew(&guard).unwrap());
    assert!(renew(&guard).unwrap());
    let body = LockFile::held(&lock_info(1), 90).text();
    let etag = world.bucket.borrow().now["byob.state.json.lock"].etag.clone();
    block_on(world.put("byob.state.json.lock", &body, &When::Is(etag))).unwrap();
    block_on(guard.release()).unwrap();
    assert_eq!(load(&world.store()).lock, None);
}

#[test]
fn a_place_without_conditions_is_refused_before_the_first_write_of_the_record() {
    let world = World::default();
    world.bucket.borrow_mut().unconditional = true;
    let store = RemoteStore::new(world.clone(), world.clone(), "byob.state.json", false);
    let error = lock(&store, 1, 0).unwrap_err();
    assert!(matches!(error, StoreError::Unconditional { .. }), "{error}");
    assert!(!world.writes().contains(&"byob.state.json".to_owned()));
    assert_eq!(load(&world.store()).lock, None, "no lock is left behind");
    let world = World::default();
    let store = RemoteStore::new(world.clone(), world.clone(), "byob.state.json", false);
    lock(&store, 1, 0).unwrap();
    assert_eq!(world.writes().len(), 3, "the lock, and a try of each condition");
}

#[test]
fn an_apply_of_many_steps_writes_the_journal_a_bounded_number_of_times() {
    let world = World::default();
    let store = world.store();
    let guard = lock(&store, 1, 0).unwrap();
    load(&store);
    let mut recorded = a_record(0);
    block_on(store.save(&mut recorded)).unwrap();
    // A thousand steps, three a second.
    for step in 0..1000 {
        world.now.set(world.elapsed() + Duration::from_millis(333));
        block_on(store.journal(&[written(step)])).unwrap();
    }
    let journal = world.writes().iter().filter(|key| key.ends_with(".journal")).count();
    assert!((2..=8).contains(&journal), "{journal} writes in 333 s");
    let seen = load(&world.store());
    assert!(seen.journalled && seen.recorded.unwrap().written_at.unwrap() > 700);
    recorded.written_at = Some(999);
    block_on(store.save(&mut recorded)).unwrap();
    block_on(guard.release()).unwrap();
    let seen = load(&world.store());
    assert_eq!((seen.journalled, seen.recorded.unwrap().written_at), (false, Some(999)));
}

#[test]
fn a_key_is_journalled_at_once() {
    let world = World::default();
    let store = world.store();
    let _guard = lock(&store, 1, 0).unwrap();
    load(&store);
    block_on(store.save(&mut a_record(0))).unwrap();
    let address = byob_model::address::RootAddress::key("vision").address();
    let resource = crate::testing::a_resource(Kind::Key, "arn:aws:kms:x", serde_json::json!({}));
    block_on(store.journal(&[Entry::Put { address: address.clone(), resource }])).unwrap();
    assert!(load(&world.store()).recorded.unwrap().resources.contains_key(&address));
}

#[test]
fn a_run_goes_on_with_the_journal_of_a_crashed_one() {
    let world = World::default();
    let store = world.store();
    std::mem::forget(lock(&store, 1, 0).unwrap());
    load(&store);
    block_on(store.save(&mut a_record(0))).unwrap();
    world.pass(11);
    block_on(store.journal(&[written(5)])).unwrap();
    let store = world.store();
    let _guard = lock(&store, 2, 60).unwrap();
    assert_eq!(load(&store).recorded.unwrap().written_at, Some(5));
    world.pass(11);
    block_on(store.journal(&[written(6)])).unwrap();
    let seen = load(&world.store());
    assert_eq!((seen.journalled, seen.recorded.unwrap().written_at), (true, Some(6)));
}

#[test]
fn a_damaged_record_is_not_used_and_its_last_good_version_is_named() {
    let world = World::default();
    let recorded = a_run(&world).unwrap();
    let good = world.bucket.borrow().now["byob.state.json"].clone();
    let etag = good.etag.clone();
    let torn = &good.body[..good.body.len() / 2];
    block_on(world.put("byob.state.json", torn, &When::Is(good.etag.clone()))).unwrap();
    match block_on(world.store().load()).unwrap_err() {
        StoreError::Unusable { location, last_good, .. } => {
            assert_eq!(location, "s3://acme-state/byob.state.json");
            let good = last_good.unwrap();
            assert_eq!(good.location, format!("serial 2, version {etag} of s3://acme-state/byob.state.json"));
            let command = "byob state pull --serial 2 >good.json && byob state push --force good.json";
            assert_eq!(good.command, command);
        }
        other => panic!("{other}"),
    }
    assert_eq!(recorded.serial, 2);
}

#[test]
fn a_record_that_is_gone_is_not_begun_anew_while_its_versions_are_kept() {
    let world = World::default();
    a_run(&world).unwrap();
    world.bucket.borrow_mut().now.remove("byob.state.json");
    world.bucket.borrow_mut().now.remove("byob.state.json.journal");
    match block_on(world.store().load()) {
        Err(StoreError::Unusable { error: AssembleError::Gone, last_good, .. }) => {
            let put_back = "byob state pull --serial 2 >good.json && byob state push --force good.json";
            assert_eq!(last_good.unwrap().command, put_back);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_person_takes_the_lock_away_from_who_they_mean_only() {
    let world = World::default();
    let store = world.store();
    assert!(!block_on(store.unlock(lock_info(1).id)).unwrap(), "there is none");
    let guard = lock(&store, 1, 0).unwrap();
    let error = block_on(world.store().unlock(lock_info(2).id)).unwrap_err();
    assert!(matches!(error, StoreError::Locked { holder, .. } if *holder == lock_info(1)));
    assert!(block_on(world.store().unlock(lock_info(1).id)).unwrap());
    let _theirs = lock(&world.store(), 3, 0).unwrap();
    assert!(matches!(block_on(guard.keep()), StoreError::LockLost { .. }));
}
