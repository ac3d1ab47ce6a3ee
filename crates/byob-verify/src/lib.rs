//! The checks that prove the access to a bucket: pure judgements over a `Probe` trait.
//!
//! Rooms: `check` is one check and what came of it; `reads` says what has to be known of AWS first; `subject` is one
//! bucket with what was read of it, `words` names people and statements; `place`, `grants`, `whole`, `others` and `key` judge
//! that, by the policy brain alone; `probe` is the trait through which requests are made, `live` the requests in their
//! order, `browser` those that a browser makes, and `clean` takes out again what they left. What may not enter: the SDK, a
//! runtime, a clock.

mod browser;
mod check;
mod clean;
mod grants;
mod key;
mod live;
mod others;
mod place;
mod probe;
mod reads;
mod subject;
mod whole;
mod words;

pub use browser::ASKED_HEADER;
pub use check::{BucketChecks, Check, Outcome, Summary, summary};
pub use clean::Left;
pub use live::{Proved, prove};
pub use probe::{Encrypted, Head, Probe, Refused, Reply};
pub use reads::{buckets, keys};
pub use subject::{Subject, UsedKey, subjects};

/// The folder below a bucket's `path` that the requests of one run stay in, each run in one of its own.
pub const FOLDER: &str = ".byob-verify";

/// What AWS's answers and the policies prove without a request for an object.
#[must_use]
pub fn judge(subject: &Subject<'_>) -> Vec<Check> {
    let mut checks = place::checks(subject);
    if subject.facts().is_some() {
        checks.extend(grants::checks(subject));
        checks.extend(others::checks(subject));
        checks.extend(key::checks(subject));
    }
    checks
}
