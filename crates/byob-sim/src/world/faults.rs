//! What goes wrong for a process: named one by one, or by chance from a seed; and how often it did.

use std::collections::BTreeMap;
use std::time::Duration;

use byob_apply::ErrorKind;
use byob_model::call::Operation;

use crate::Dice;

/// Which writes a fault is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The write of this number in its run, from 1.
    Write(usize),
    /// Every write with this operation.
    Operation(Operation),
}

/// A write that fails.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Which.
    pub when: When,
    /// With which answer.
    pub kind: ErrorKind,
    /// It had its effect all the same.
    pub effect: bool,
    /// How many times.
    pub times: usize,
}

/// What goes wrong for a process.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Writes that fail.
    pub writes: Vec<Fault>,
    /// The process dies at this tick of its run, from 1: before and after every write, read, wait, save and append.
    pub crash: Option<usize>,
    /// Reads answer with what was true this long ago; where there is [`Luck`], at most this long.
    pub stale: Duration,
    /// Keys are listed, and found by their intent, this late.
    pub listed_after: Duration,
    /// A new bucket's first writes answer `NoSuchBucket`, and a new key's `NotFoundException`, for this long.
    pub late: Duration,
    /// A creation that was on its way when the process died arrives so long after; `None`: never.
    pub arrives_late: Option<Duration>,
    /// From the read of this number in its run on, from 1, this many end in an error.
    pub reads_fail: Option<(usize, usize)>,
    /// At this tick the process's clock jumps by so many seconds.
    pub clock_jumps: Option<(usize, i64)>,
    /// At this tick the process stands still for so long, as a stopped one does.
    pub stands_still: Option<(usize, Duration)>,
    /// Saves and appends of the record fail by chance, one in so many.
    pub disk: Option<(u64, Dice)>,
    /// What fails by chance.
    pub luck: Option<Luck>,
}

/// Calls that fail by chance.
#[derive(Debug, Clone)]
pub struct Luck {
    dice: Dice,
    /// One call in so many fails.
    one_in: u64,
    /// Whether what fails may be for good (a right is missing, credentials are expired).
    lasting: bool,
}

impl Luck {
    /// One call in so many fails; where `lasting`, some for good.
    #[must_use]
    pub fn new(dice: Dice, one_in: u64, lasting: bool) -> Self {
        Self { dice, one_in, lasting }
    }

    pub(super) fn write(&mut self) -> Option<(ErrorKind, bool, &'static str)> {
        const PASSING: [(ErrorKind, bool, &str); 6] = [
            (ErrorKind::Network, true, "an answer was lost after its effect"),
            (ErrorKind::Network, true, "an answer was lost after its effect"),
            (ErrorKind::Network, false, "a request was lost"),
            (ErrorKind::Internal, true, "an internal error after the effect"),
            (ErrorKind::Conflict, false, "OperationAborted"),
            (ErrorKind::Throttled, false, "a throttled write"),
        ];
        const LASTING: [(ErrorKind, bool, &str); 2] = [
            (ErrorKind::AccessDenied, false, "a write was denied"),
            (ErrorKind::ExpiredCredentials, false, "credentials expired"),
        ];
        if !self.dice.one_in(self.one_in) {
            return None;
        }
        let lasting = self.lasting && self.dice.one_in(4);
        Some(if lasting { self.dice.of(&LASTING) } else { self.dice.of(&PASSING) })
    }

    pub(super) fn read(&mut self) -> Option<(ErrorKind, &'static str)> {
        const KINDS: [(ErrorKind, &str); 3] = [
            (ErrorKind::Network, "a read failed"),
            (ErrorKind::Throttled, "a throttled read"),
            (ErrorKind::Internal, "a read failed"),
        ];
        self.dice.one_in(self.one_in).then(|| self.dice.of(&KINDS))
    }

    /// How long a call takes to arrive; `None`: as long as any.
    pub(super) fn slow(&mut self) -> Option<Duration> {
        self.dice.one_in(self.one_in).then(|| Duration::from_secs(self.dice.of(&[4, 9, 14, 20, 40])))
    }

    pub(super) fn object(&mut self) -> Option<&'static str> {
        const KINDS: [&str; 4] = [
            "a write of the record's bucket lost its answer",
            "a write of the record's bucket was lost",
            "a write of the record's bucket arrived twice",
            "409: another conditional write was under way",
        ];
        self.dice.one_in(self.one_in).then(|| self.dice.of(&KINDS))
    }

    /// How old the answer to a read is.
    pub(super) fn lag(&mut self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(if most > 0 && self.dice.one_in(2) { self.dice.below(most) } else { 0 })
    }
}

/// How often each kind of fault was injected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Injected(pub BTreeMap<&'static str, u64>);

impl Injected {
    pub(super) fn count(&mut self, kind: &'static str) {
        *self.0.entry(kind).or_default() += 1;
    }
}
