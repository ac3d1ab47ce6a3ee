//! Who gains and loses which access by a plan, and what could not be looked at. Made from what the planner has: live
//! state before, and after it what the steps' own calls put. The judgement on two documents is `byob-policy`'s.
//!
//! Rooms: `ends` has the two ends of a root, `comparison` compares two documents, `judge` puts the answers together,
//! `unchecked` collects what was not looked at; `reach` says who reaches what at both ends, `drifted` who gained and lost
//! what by drift; `accepted` has the ends of what is only accepted into the record.

mod accepted;
mod comparison;
mod drifted;
mod ends;
mod judge;
mod reach;
mod unchecked;

pub use drifted::drifted;
pub(crate) use drifted::drifted_ends;
pub use ends::{BucketEnd, Ends, KeyEnd};
pub use reach::{Ability, Becomes, Extent, Reach, Reached, Terms, reach};

use byob_model::address::{Address, RootKind};
use byob_policy::ResourceClass;
use serde::{Serialize, Serializer};

use crate::compare::Planner;
use judge::Judge;

/// What one principal gains or loses on one class of resources. An entry has either `gained` or `lost`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Access {
    /// The bucket or key.
    pub resource: Address,
    /// The bucket itself, its objects, or the key.
    #[serde(serialize_with = "class")]
    pub class: ResourceClass,
    /// As the documents name it: an ARN (of an account: its root's), a service, or `*` for whoever they do not name
    /// otherwise.
    pub principal: String,
    /// Actions by name, sorted.
    pub gained: Vec<String>,
    /// Actions by name, sorted.
    pub lost: Vec<String>,
    /// What must hold (for gained: now; for lost: before), and what need not hold any more ("no longer: only over
    /// TLS").
    pub conditions: Vec<String>,
    /// How sure it is.
    pub proof: Proof,
    /// A request that shows it; the JSON is without it.
    #[serde(skip)]
    pub example: Option<Example>,
}

/// How sure an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Proof {
    /// Nothing at all is left of it: the document is gone.
    #[serde(rename = "proved")]
    Proved,
    /// For each action a request was found that is let through at one end and not at the other.
    #[serde(rename = "witness")]
    Witness,
    /// It may be so.
    #[serde(rename = "cannot tell")]
    CannotTell,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Who, as an ARN.
    pub who: String,
    /// `s3:PutBucketPolicy`.
    pub action: String,
    /// An ARN.
    pub resource: String,
}

/// The verdict over all access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessVerdict {
    /// Whether anybody gains access by the plan.
    pub grows: Answer,
    /// Whether a desired bucket is public once the plan is applied.
    pub public: Answer,
    /// What could not be looked at, in short sentences, sorted.
    pub not_checked: Vec<String>,
    /// Nobody gains anything but what is listed, and that is proved; the JSON is without it, and has what is in doubt.
    #[serde(skip)]
    pub all_told: bool,
}

impl Default for AccessVerdict {
    fn default() -> Self {
        Self { grows: Answer::No, public: Answer::No, not_checked: Vec::new(), all_told: true }
    }
}

/// `no` is said only of what is proved, `yes` only of what a request shows. In the order in which one outweighs another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Answer {
    /// Proved not to be so.
    #[serde(rename = "no")]
    No,
    /// Neither is proved.
    #[serde(rename = "cannot tell")]
    CannotTell,
    /// It is so.
    #[serde(rename = "yes")]
    Yes,
}

impl Answer {
    /// As the JSON spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::CannotTell => "cannot tell",
            Self::Yes => "yes",
        }
    }
}

fn class<S: Serializer>(class: &ResourceClass, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(class.as_str())
}

impl Planner<'_> {
    /// Judges the steps that the flags left, and says which ends were judged.
    pub(crate) fn access(&self) -> (Vec<Access>, AccessVerdict, Vec<Ends>) {
        if self.input.mode.refresh_only {
            return self.accepted_access();
        }
        let mut judge = Judge::new(&self.desired.account_id);
        let mut all = Vec::new();
        for case in &self.cases {
            if !self.is_selected(&case.address) {
                judge.unchecked.left_out();
                continue;
            }
            match case.address.kind {
                RootKind::Bucket => {
                    let name = case.desired.map(|desired| desired.name.as_str());
                    if let Some(ends) = self.bucket_ends(case) {
                        judge.bucket(&ends);
                        all.push(ends.into());
                    }
                    if let (Some((recorded, live)), Some(name)) = (self.foreign_drift(case), name) {
                        judge.foreign(&case.address, name, &recorded, &live);
                    }
                }
                RootKind::Key => {
                    if let Some(ends) = self.key_ends(case) {
                        judge.key(&ends);
                        all.push(ends.into());
                    }
                }
            }
        }
        // What was refused before it could be compared.
        for address in self.desired.roots.keys() {
            let compared = self.cases.iter().any(|case| case.address == *address);
            if address.kind == RootKind::Bucket && !compared {
                judge.not_compared(address);
            }
        }
        let (access, verdict) = judge.end();
        (access, verdict, all)
    }
}
