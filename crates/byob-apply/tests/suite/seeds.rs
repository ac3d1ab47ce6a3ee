//! Whole histories from a seed: configurations come and go, runs fail, die, are interrupted and run out of disk, and reads
//! are stale; in the end, faults off, the last configuration stands, with one key, and nothing is left to do.
//!
//! `BYOB_SEEDS=10000 cargo test -p byob-apply seeds` tries more of them, `BYOB_SEED=17` one alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use byob_apply::ErrorKind;
use byob_model::address::{Kind, RootKind};

use crate::scene::Scene;
use crate::sweeps::{CHANGED, KMS, PLAIN, RENAMED, SWITCHED};
use byob_sim::{Dice, Fault, Faults, When};

/// How many seeds a run of the tests tries.
const SEEDS: u64 = 150;

fn faults(dice: &mut Dice) -> Faults {
    let kinds = [
        (ErrorKind::Network, true),
        (ErrorKind::Network, false),
        (ErrorKind::Internal, true),
        (ErrorKind::Conflict, false),
        (ErrorKind::Throttled, false),
        (ErrorKind::AccessDenied, false),
        (ErrorKind::ExpiredCredentials, false),
    ];
    let writes = (0..dice.size(4)).map(|_| {
        let (kind, effect) = dice.of(&kinds);
        Fault { when: When::Write(1 + dice.size(30)), kind, effect, times: 1 + dice.size(3) }
    });
    let writes = writes.collect();
    let lag = |dice: &mut Dice| Duration::from_secs(if dice.one_in(2) { dice.below(25) } else { 0 });
    Faults {
        writes,
        crash: dice.one_in(2).then(|| 1 + dice.size(150)),
        stale: lag(dice),
        listed_after: Duration::from_secs(dice.of(&[0, 10, 70, 120])),
        late: lag(dice),
        reads_fail: dice.one_in(6).then(|| (1 + dice.size(20), 1 + dice.size(3))),
        ..Faults::default()
    }
}

fn history(seed: u64) {
    let mut dice = Dice::new(seed);
    // A label and an alias that change at once make another key: that is refused, and not what is looked at here.
    let changed = CHANGED.replace("wandb-seeing", "wandb-vision");
    let files = [PLAIN, KMS, &changed, RENAMED, SWITCHED];
    // Taking a table out is refused while it is protected: the shorter file comes first.
    let mut scene = Scene::new(if dice.one_in(3) { PLAIN } else { KMS });
    for run in 0..2 + dice.size(5) {
        // A key that was recorded before its alias was is known by its label alone: a new label is refused for it.
        let recorded = scene.recorded();
        let aliases = recorded.resources.keys().filter(|a| a.kind == Kind::Alias).count();
        let keys = recorded.roots().filter(|(a, _)| a.kind == RootKind::Key).count();
        if dice.one_in(3) && aliases == keys {
            let next = dice.of(&files[1..]);
            scene = scene.with(next);
        }
        *scene.world.faults() = faults(&mut dice);
        scene.place.store.fail_after(dice.one_in(8).then(|| dice.size(20)));
        let mut command = scene.command();
        command.interrupt_after = dice.one_in(6).then(|| dice.size(20));
        let _ = scene.run(&command);
        drop(command);
        scene.place.store.fail_after(None);
        *scene.world.faults() = Faults::default();
        scene.assert_sound(&format!("after run {run}"));
        let pause = dice.of(&[0, 1, 30, 200, 3600]);
        scene.world.time.pass(Duration::from_secs(pause));
    }
    scene.assert_converges("in the end");
}

#[test]
fn every_history_ends_well() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("BYOB_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("BYOB_SEEDS").unwrap_or(SEEDS),
    };
    let failed: Vec<u64> =
        seeds.clone().filter(|seed| catch_unwind(AssertUnwindSafe(|| history(*seed))).is_err()).collect();
    println!("{} histories, {} failed", seeds.end - seeds.start, failed.len());
    assert!(failed.is_empty(), "replay with BYOB_SEED={}; all that failed: {failed:?}", failed[0]);
}
