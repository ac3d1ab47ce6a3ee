//! The figures of many seeds.

use std::collections::BTreeMap;
use std::fmt;

use crate::simulation::Outcome;

/// The sums.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// How many seeds were played.
    pub seeds: u64,
    /// Points at which a process could have died.
    pub steps: u64,
    /// Writes that were sent to the account.
    pub writes: u64,
    /// How commands ended.
    pub ended: BTreeMap<&'static str, u64>,
    /// What was injected, by kind.
    pub injected: BTreeMap<&'static str, u64>,
    /// How often each check was made.
    pub checks: BTreeMap<&'static str, u64>,
    /// Seeds that failed, each with the first thing that was found.
    pub failed: Vec<(u64, String)>,
}

impl Figures {
    /// Those of a range of seeds, played side by side on as many threads as there are cores; the same whatever their
    /// number.
    ///
    /// # Panics
    /// If a history does: that is a finding.
    #[must_use]
    pub fn of(seeds: std::ops::Range<u64>, play: impl Fn(u64) -> Outcome + Sync) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let next = std::sync::atomic::AtomicU64::new(seeds.start);
        let some = || {
            let mut figures = Self::default();
            loop {
                let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if seed >= seeds.end {
                    return figures;
                }
                figures.add(seed, &play(seed));
            }
        };
        let mut all = Self::default();
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(some)).collect();
            for one in running {
                all.merge(one.join().expect("a history panicked"));
            }
        });
        all.failed.sort();
        all
    }

    fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.writes += other.writes;
        let sums = [
            (&mut self.ended, other.ended),
            (&mut self.injected, other.injected),
            (&mut self.checks, other.checks),
        ];
        for (all, more) in sums {
            for (name, count) in more {
                *all.entry(name).or_default() += count;
            }
        }
        self.failed.extend(other.failed);
    }

    /// One more seed.
    pub fn add(&mut self, seed: u64, outcome: &Outcome) {
        self.seeds += 1;
        self.steps += outcome.steps;
        self.writes += outcome.writes;
        let sums = [
            (&mut self.ended, &outcome.ended),
            (&mut self.injected, &outcome.injected.0),
            (&mut self.checks, &outcome.checks),
        ];
        for (all, one) in sums {
            for (name, count) in one {
                *all.entry(name).or_default() += count;
            }
        }
        if let Some(first) = outcome.failures.first() {
            self.failed.push((seed, first.clone()));
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} seeds, {} steps, {} writes sent", self.seeds, self.steps, self.writes)?;
        let tables = [
            ("commands ended", &self.ended),
            ("faults injected", &self.injected),
            ("checks made", &self.checks),
        ];
        for (title, table) in tables {
            writeln!(f, "\n{title}")?;
            for (name, count) in table {
                writeln!(f, "  {count:>9}  {name}")?;
            }
        }
        writeln!(f, "\n{} failed", self.failed.len())?;
        for (seed, why) in &self.failed {
            let line = why.lines().next().unwrap_or_default();
            writeln!(f, "  cargo run -p byob-sim -- --seed {seed}   # {line}")?;
        }
        Ok(())
    }
}
