//! What the built-in rules say. The rules themselves, by number, are `byob-model`'s, whose waivers name them.

use byob_model::address::Address;
pub use byob_model::rule::{Rule, Severity};
use serde::Serialize;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which rule.
    pub rule: Rule,
    /// How bad.
    pub severity: Severity,
    /// About what.
    pub address: Address,
    /// What is the matter.
    pub message: String,
    /// What to do.
    pub help: String,
    /// The waiver that covers it.
    pub waived: Option<Waived>,
}

/// A waiver in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waived {
    /// Why.
    pub reason: String,
    /// `2027-01-31`.
    pub until: String,
}

impl Finding {
    /// A finding that nobody has waived.
    #[must_use]
    pub fn new(rule: Rule, address: Address, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            rule,
            severity: rule.severity(),
            address,
            message: message.into(),
            help: help.into(),
            waived: None,
        }
    }

    /// Whether it keeps a plan from being applied.
    #[must_use]
    pub fn blocks(&self) -> bool {
        self.severity == Severity::Error && self.waived.is_none()
    }
}
