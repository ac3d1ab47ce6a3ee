//! Plays seeds: one, with a trace of what happened, or many, with their figures.

use std::ops::Range;
use std::process::ExitCode;

use byob_sim::Bugs;
use byob_sim::figures::Figures;
use byob_sim::simulation::{Outcome, is_remote, play};

const HELP: &str = "byob-sim --seed N          plays one seed and prints what happened
byob-sim --seeds FROM..TO  plays many and prints the figures
--bug state-before-call | lock-not-renewed | policy-before-block   plants a bug";

#[allow(clippy::print_stdout, reason = "this is the binary")]
fn main() -> ExitCode {
    let mut bugs = Bugs::default();
    let mut seeds: Option<(Range<u64>, bool)> = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        match (argument.as_str(), value.as_str()) {
            ("--seed", text) => seeds = text.parse().ok().map(|seed: u64| (seed..seed + 1, true)),
            ("--seeds", text) => {
                let ends = text.split_once("..");
                let range = ends.and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
                seeds = range.map(|range| (range, false));
            }
            ("--bug", "state-before-call") => bugs.state_before_call = true,
            ("--bug", "lock-not-renewed") => bugs.lock_not_renewed = true,
            ("--bug", "policy-before-block") => bugs.policy_before_block = true,
            _ => seeds = None,
        }
    }
    let Some((seeds, traced)) = seeds else {
        println!("{HELP}");
        return ExitCode::from(2);
    };
    // A panic is told with the seed it came of.
    std::panic::set_hook(Box::new(|_| ()));
    let figures = Figures::of(seeds, |seed| {
        let outcome = play(seed, bugs, traced);
        if traced {
            tell(seed, &outcome);
        }
        outcome
    });
    println!("{figures}");
    ExitCode::from(u8::from(!figures.failed.is_empty()))
}

#[allow(clippy::print_stdout, reason = "this is the binary")]
fn tell(seed: u64, outcome: &Outcome) {
    println!("seed {seed}, the record is kept in {}", if is_remote(seed) { "objects" } else { "files" });
    outcome.trace.iter().for_each(|line| println!("{line}"));
    outcome.failures.iter().for_each(|line| println!("FAILED: {line}"));
    println!();
}
