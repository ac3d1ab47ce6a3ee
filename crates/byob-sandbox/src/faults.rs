//! Faults on order: what AWS does now and then and no emulator ever does. Counting only; what a fault looks like on
//! the wire is decided where the call is answered. Everything here is in memory and starts anew with the process.

use std::collections::HashMap;
use std::hash::Hash;

use crate::error::SandboxError;

/// Which faults to inject. All off by default; each is bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// After a write to a bucket, a sub-resource, a facet of a key or an alias, its next N reads answer the value
    /// from before the write: 404 for what was created, the thing still there for what was deleted. Writes, and the
    /// checks inside them, always see the truth.
    pub stale_reads: u32,
    /// The first N sub-resource calls after each `CreateBucket` answer `NoSuchBucket`.
    pub late_no_such_bucket: u32,
    /// The first N bucket writes of the process answer 409 `OperationAborted`.
    pub operation_aborted: u32,
    /// Every Nth call is throttled: S3 503 `SlowDown`, elsewhere `ThrottlingException`. 0 is never.
    pub throttle_every: u32,
    /// IAM actions that are refused, such as `s3:GetBucketPolicy`; `*` and `?` are wildcards, case does not count.
    pub deny: Vec<String>,
    /// The Nth call (from 1) of that operation takes effect, and its connection breaks before the answer.
    pub lose_answer: Option<(String, u32)>,
    /// The process ends with code 137, without cleaning up, once the Nth mutating call has taken effect.
    pub crash_after: Option<u32>,
    /// The process is sent SIGINT, as by Ctrl-C, once the Nth mutating call has taken effect.
    pub interrupt_after: Option<u32>,
    /// Buckets that answer as if another account owned them now, whoever made them.
    pub foreign_owner: Vec<String>,
}

impl Faults {
    /// Reads a specification such as
    /// `stale=20,late-no-such-bucket=3,operation-aborted=2,throttle-every=7,deny=s3:GetBucketPolicy+kms:DescribeKey,lose=PutBucketPolicy:1,crash-after=5,interrupt-after=3,foreign-owner=acme-old`;
    /// lists are joined by `+`. The empty string is no faults.
    ///
    /// # Errors
    /// [`SandboxError::Faults`] with the part that cannot be read.
    pub fn parse(spec: &str) -> Result<Self, SandboxError> {
        let mut faults = Self::default();
        for part in spec.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let wrong =
                |reason: &str| SandboxError::Faults { part: part.to_owned(), reason: reason.to_owned() };
            let (name, value) = part.split_once('=').ok_or_else(|| wrong("is not name=value"))?;
            let number = || value.parse::<u32>().map_err(|_| wrong("needs a number"));
            let list = || value.split('+').filter(|item| !item.is_empty()).map(str::to_owned).collect();
            match name {
                "stale" => faults.stale_reads = number()?,
                "late-no-such-bucket" => faults.late_no_such_bucket = number()?,
                "operation-aborted" => faults.operation_aborted = number()?,
                "throttle-every" => faults.throttle_every = number()?,
                "deny" => faults.deny = list(),
                "lose" => {
                    let (operation, nth) = value.split_once(':').unwrap_or((value, "1"));
                    let nth = nth.parse().map_err(|_| wrong("needs a number after the colon"))?;
                    faults.lose_answer = Some((operation.to_owned(), nth));
                }
                "crash-after" => faults.crash_after = Some(number()?),
                "interrupt-after" => faults.interrupt_after = Some(number()?),
                "foreign-owner" => faults.foreign_owner = list(),
                _ => {
                    return Err(wrong(
                        "is not known; known are stale, late-no-such-bucket, operation-aborted, throttle-every, \
                         deny, lose, crash-after, interrupt-after, foreign-owner",
                    ));
                }
            }
        }
        Ok(faults)
    }

    /// Whether this IAM action is refused.
    pub(crate) fn denies(&self, action: &str) -> bool {
        self.deny.iter().any(|pattern| matches_pattern(&pattern.to_lowercase(), &action.to_lowercase()))
    }
}

/// IAM's wildcards: `*` any characters, `?` one.
pub(crate) fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == '?' || text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after, from)) => {
                    p = after;
                    t = from + 1;
                    retry = Some((after, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

/// What happens to the process on order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As by `kill -9`.
    Crash,
    /// As by Ctrl-C.
    Interrupt,
}

/// What has been counted so far.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    calls: u32,
    aborted: u32,
    lost: u32,
    mutations: u32,
    late: HashMap<String, u32>,
}

impl Counters {
    /// Whether this call, counted now, is to be throttled.
    pub(crate) fn throttles(&mut self, faults: &Faults) -> bool {
        self.calls = self.calls.wrapping_add(1);
        faults.throttle_every > 0 && self.calls.is_multiple_of(faults.throttle_every)
    }

    /// Whether this bucket write is to be aborted.
    pub(crate) fn aborts(&mut self, faults: &Faults) -> bool {
        let aborts = self.aborted < faults.operation_aborted;
        self.aborted += u32::from(aborts);
        aborts
    }

    /// A bucket was created: its sub-resource calls are late from here.
    pub(crate) fn bucket_created(&mut self, faults: &Faults, bucket: &str) {
        if faults.late_no_such_bucket > 0 {
            self.late.insert(bucket.to_owned(), faults.late_no_such_bucket);
        }
    }

    /// Whether this sub-resource call comes too early.
    pub(crate) fn is_late(&mut self, bucket: &str) -> bool {
        match self.late.get_mut(bucket) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }

    /// Whether the answer of this call is to be lost.
    pub(crate) fn loses(&mut self, faults: &Faults, operation: &str) -> bool {
        match &faults.lose_answer {
            Some((name, nth)) if name == operation => {
                self.lost += 1;
                self.lost == *nth
            }
            _ => false,
        }
    }

    /// Counts a mutating call that has taken effect: what is to happen to the process after it.
    pub(crate) fn mutated(&mut self, faults: &Faults) -> Option<End> {
        self.mutations += 1;
        if faults.crash_after == Some(self.mutations) {
            return Some(End::Crash);
        }
        (faults.interrupt_after == Some(self.mutations)).then_some(End::Interrupt)
    }
}

/// Former values of things, each for a counted number of reads.
#[derive(Debug)]
pub(crate) struct Stale<K, V> {
    reads: u32,
    former: HashMap<K, (u32, V)>,
}

impl<K: Eq + Hash, V: Clone> Stale<K, V> {
    pub(crate) fn new(reads: u32) -> Self {
        Self { reads, former: HashMap::new() }
    }

    /// The thing was written; `former` is what it was before.
    pub(crate) fn wrote(&mut self, thing: K, former: V) {
        if self.reads > 0 {
            self.former.insert(thing, (self.reads, former));
        }
    }

    /// What a read of the thing sees: the former value while the window is open, else what is true.
    pub(crate) fn read(&mut self, thing: &K, truth: V) -> V {
        let Some((left, former)) = self.former.get_mut(thing) else { return truth };
        let former = former.clone();
        *left -= 1;
        if *left == 0 {
            self.former.remove(thing);
        }
        former
    }

    /// Closes the windows of things that are gone for good.
    pub(crate) fn forget(&mut self, gone: impl Fn(&K) -> bool) {
        self.former.retain(|thing, _| !gone(thing));
    }

    /// The things whose window is open.
    pub(crate) fn open(&self) -> impl Iterator<Item = &K> {
        self.former.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_can_be_ordered_in_one_line() {
        let faults = Faults::parse(
            "stale=20,late-no-such-bucket=3,operation-aborted=2,throttle-every=7,\
             deny=s3:GetBucketPolicy+kms:DescribeKey,lose=PutBucketPolicy:1,crash-after=5,\
             interrupt-after=3,foreign-owner=acme-old",
        )
        .unwrap();
        assert_eq!(
            faults,
            Faults {
                stale_reads: 20,
                late_no_such_bucket: 3,
                operation_aborted: 2,
                throttle_every: 7,
                deny: vec!["s3:GetBucketPolicy".into(), "kms:DescribeKey".into()],
                lose_answer: Some(("PutBucketPolicy".into(), 1)),
                crash_after: Some(5),
                interrupt_after: Some(3),
                foreign_owner: vec!["acme-old".into()],
            }
        );
        assert_eq!(Faults::parse("").unwrap(), Faults::default());
    }

    #[test]
    fn a_fault_that_cannot_be_read_is_named() {
        for wrong in ["stale", "stale=many", "stail=1", "lose=PutBucketPolicy:x"] {
            assert!(Faults::parse(wrong).unwrap_err().to_string().contains(wrong), "{wrong}");
        }
    }

    #[test]
    fn denied_actions_may_have_wildcards() {
        let faults = Faults { deny: vec!["s3:Get*".into(), "kms:?reateKey".into()], ..Faults::default() };
        assert!(faults.denies("s3:GetBucketPolicy"));
        assert!(faults.denies("kms:CreateKey"));
        assert!(!faults.denies("s3:PutBucketPolicy"));
    }

    #[test]
    fn a_former_value_is_seen_a_counted_number_of_times() {
        let mut stale = Stale::new(2);
        stale.wrote("a", Some(1));
        assert_eq!(stale.read(&"a", Some(2)), Some(1));
        assert_eq!(stale.read(&"b", None), None);
        assert_eq!(stale.read(&"a", Some(2)), Some(1));
        assert_eq!(stale.read(&"a", Some(2)), Some(2));
    }
}
