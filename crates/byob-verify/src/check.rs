//! One check: what it proves, and what came of it.

use serde_json::{Value, json};

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// `s3:PutObject`, `put`, `cors https://acme.wandb.io`: unique beside the address.
    pub id: String,
    /// What it is about: `bucket.storage`, `bucket.storage.policy`.
    pub address: String,
    /// What it proves, in one clause.
    pub proves: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is so.
    Passed {
        /// What was taken for given, if anything: `over TLS 1.3`.
        given: Option<String>,
    },
    /// It is not so.
    Failed {
        /// What was seen.
        seen: String,
        /// How to mend it.
        cure: String,
        /// What W&B would show, or fail to do.
        wandb: String,
    },
    /// It was not looked at.
    Skipped {
        /// Why.
        why: String,
    },
}

/// How many checks ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// It is so.
    pub passed: usize,
    /// It is not so.
    pub failed: usize,
    /// Not looked at.
    pub skipped: usize,
}

/// Counts outcomes.
#[must_use]
pub fn summary(checks: &[Check]) -> Summary {
    let mut summary = Summary::default();
    for check in checks {
        match check.outcome {
            Outcome::Passed { .. } => summary.passed += 1,
            Outcome::Failed { .. } => summary.failed += 1,
            Outcome::Skipped { .. } => summary.skipped += 1,
        }
    }
    summary
}

impl Outcome {
    /// It is so, whatever the circumstances.
    pub(crate) const PASSED: Self = Self::Passed { given: None };

    pub(crate) fn failed(seen: impl Into<String>, cure: impl Into<String>, wandb: impl Into<String>) -> Self {
        Self::Failed { seen: seen.into(), cure: cure.into(), wandb: wandb.into() }
    }

    pub(crate) fn skipped(why: impl Into<String>) -> Self {
        Self::Skipped { why: why.into() }
    }

    /// `passed`, `failed`, `skipped`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Passed { .. } => "passed",
            Self::Failed { .. } => "failed",
            Self::Skipped { .. } => "skipped",
        }
    }
}

impl Check {
    pub(crate) fn new(
        id: impl Into<String>,
        address: &impl ToString,
        proves: impl Into<String>,
        outcome: Outcome,
    ) -> Self {
        Self { id: id.into(), address: address.to_string(), proves: proves.into(), outcome }
    }

    /// The check as JSON: every member is always there, null where it says nothing.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let (mut given, mut seen, mut cure, mut wandb, mut why) = (None, None, None, None, None);
        match &self.outcome {
            Outcome::Passed { given: one } => given = one.as_deref(),
            Outcome::Failed { seen: a, cure: b, wandb: c } => {
                (seen, cure, wandb) = (Some(a.as_str()), Some(b.as_str()), Some(c.as_str()));
            }
            Outcome::Skipped { why: one } => why = Some(one.as_str()),
        }
        json!({
            "id": self.id,
            "address": self.address,
            "proves": self.proves,
            "outcome": self.outcome.as_str(),
            "given": given,
            "seen": seen,
            "cure": cure,
            "wandb": wandb,
            "why": why,
        })
    }
}

/// All checks of one bucket, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketChecks {
    /// `bucket.storage`.
    pub address: String,
    /// The bucket's name.
    pub name: String,
    /// Its region, as the configuration says.
    pub region: String,
    /// The checks.
    pub checks: Vec<Check>,
}
