//! The simulation over many seeds: nothing fails, everything that can go wrong did, everything that is to be checked was; and
//! each of three planted bugs is found.
//!
//! `BYOB_SEEDS=10000` plays more of them (or fewer; of wide teams half as many), `BYOB_SEED=7` one. A seed that fails is replayed, with all that happened
//! in it, by `cargo run -p byob-sim -- --seed N`.

use byob_sim::Bugs;
use byob_sim::figures::Figures;
use byob_sim::judge::CHECKS;
use byob_sim::simulation::{WIDE, play};

/// How many seeds a run of the tests plays.
const SEEDS: u64 = 1000;

/// Within how many a planted bug must be found.
const BOUND: u64 = 1000;

/// Every kind of fault there is.
const FAULTS: [&str; 27] = [
    "409: another conditional write was under way",
    "412: somebody else wrote the object meanwhile",
    "OperationAborted",
    "a full disk",
    "a key not listed yet",
    "a read failed",
    "a read of the record's bucket got no answer",
    "a request was lost",
    "a slow call",
    "a stale read",
    "a throttled read",
    "a throttled write",
    "a write of the record's bucket arrived twice",
    "a write of the record's bucket lost its answer",
    "a write of the record's bucket was lost",
    "a write was denied",
    "an answer was lost after its effect",
    "an internal error after the effect",
    "credentials expired",
    "killed after its call was sent, which arrived",
    "killed between two operations",
    "killed while it waited for something",
    "not known everywhere yet",
    "somebody asked to stop",
    "somebody changed something by hand",
    "stood still",
    "the clock jumped",
];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn every_seed_comes_to_a_good_end() {
    let one = number("BYOB_SEED");
    let seeds = one.map_or(0..number("BYOB_SEEDS").unwrap_or(SEEDS), |seed| seed..seed + 1);
    let figures = Figures::of(seeds, |seed| play(seed, Bugs::default(), false));
    println!("{figures}");
    assert!(figures.failed.is_empty(), "{figures}");
    if one.is_none() && figures.seeds >= SEEDS {
        for fault in FAULTS {
            assert!(figures.injected.contains_key(fault), "never injected: {fault}");
        }
        assert!(figures.injected.keys().all(|kind| FAULTS.contains(kind)), "a kind that nobody named");
        for check in CHECKS {
            assert!(figures.checks.contains_key(check), "never made: {check}");
        }
    }
}

/// Teams with a second key, changing labels, forgotten tables and targets.
#[test]
fn every_wide_seed_comes_to_a_good_end() {
    if number("BYOB_SEED").is_some() {
        return;
    }
    let seeds = WIDE..WIDE + number("BYOB_SEEDS").unwrap_or(SEEDS) / 2;
    let figures = Figures::of(seeds, |seed| play(seed, Bugs::default(), false));
    println!("{figures}");
    assert!(figures.failed.is_empty(), "{figures}");
}

/// Seeds beyond those that found something when they were first played; see docs/reliability.md.
#[test]
fn what_was_found_once_stays_mended() {
    for seed in [
        1816, 2096, 2410, 3209, 4109, 6242, 21799, 1_000_119, 1_000_167, 1_000_309, 1_000_816, 1_000_943,
        1_001_964, 1_003_403, 1_007_535, 1_040_199,
    ] {
        assert_eq!(play(seed, Bugs::default(), false).failures, [""; 0], "seed {seed}");
    }
}

#[test]
fn a_seed_is_played_the_same_way_twice() {
    for seed in [3, 8] {
        let (first, second) = (play(seed, Bugs::default(), true), play(seed, Bugs::default(), true));
        assert_eq!(first.trace, second.trace);
        assert_eq!(
            (first.steps, first.checks, first.injected),
            (second.steps, second.checks, second.injected)
        );
    }
}

/// The first seed in which a planted bug shows, and how.
fn found(bugs: Bugs) -> (u64, String) {
    let shows = |seed| Some((seed, play(seed, bugs, false).failures.into_iter().next()?));
    (0..BOUND).find_map(shows).expect("it is found")
}

#[test]
fn state_that_is_written_before_the_call_is_found() {
    let (seed, how) = found(Bugs { state_before_call: true, ..Bugs::default() });
    assert!(how.starts_with("what is recorded exists"), "seed {seed}: {how}");
}

#[test]
fn a_lock_that_is_not_renewed_is_found() {
    let (seed, how) = found(Bugs { lock_not_renewed: true, ..Bugs::default() });
    assert!(how.starts_with("locks are exclusive"), "seed {seed}: {how}");
}

#[test]
fn a_policy_that_is_put_before_the_block_is_found() {
    let (seed, how) = found(Bugs { policy_before_block: true, ..Bugs::default() });
    assert!(how.starts_with("(a)") || how.starts_with("(b)"), "seed {seed}: {how}");
}
