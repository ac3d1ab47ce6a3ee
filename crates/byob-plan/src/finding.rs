//! What the built-in rules say. A rule has a number that never changes its meaning; `docs/findings.md` explains each.

use byob_model::address::Address;
use serde::{Serialize, Serializer};

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Blocks plan and apply.
    Error,
    /// To think about.
    Warning,
    /// To know.
    Note,
}

/// The rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// A bucket of this name exists and nothing proves that it is ours.
    NotOurs,
    /// The bucket's name belongs to another account, or this caller may not see it.
    OwnedByAnother,
    /// The root carries another record's lineage.
    RecordedElsewhere,
    /// A recorded root does not exist any more.
    Vanished,
    /// A recorded bucket now belongs to another account.
    NowAnothers,
    /// Deletion under protection.
    Protected,
    /// The name or region of an existing root was changed.
    CannotChange,
    /// The alias points at somebody else's key.
    AliasTaken,
    /// A key that a bucket is to use cannot be used.
    KeyUnusable,
    /// A key whose deletion would make data unreadable.
    KeyInUse,
    /// A bucket named by a prefix has another label now.
    PrefixMoved,
    /// The setting cannot be taken out.
    CannotTakeOut,
    /// Attribute-based access control is on: tags are access.
    Abac,
    /// Settings that AWS refuses together.
    Conflict,
    /// The document is over AWS's limit.
    TooLarge,
    /// A bucket to be deleted still holds data.
    NotEmpty,
    /// The endpoint does not offer what the configuration asks for.
    NotOffered,
    /// A lifecycle rule can expire W&B's run files.
    ExpiresRuns,
    /// A target that does not exist.
    NoSuchTarget,
}

impl Rule {
    /// All rules, by number.
    pub const ALL: [Self; 19] = [
        Self::NotOurs,
        Self::OwnedByAnother,
        Self::RecordedElsewhere,
        Self::Vanished,
        Self::NowAnothers,
        Self::Protected,
        Self::CannotChange,
        Self::AliasTaken,
        Self::KeyUnusable,
        Self::KeyInUse,
        Self::PrefixMoved,
        Self::CannotTakeOut,
        Self::Abac,
        Self::Conflict,
        Self::TooLarge,
        Self::NotEmpty,
        Self::NotOffered,
        Self::ExpiresRuns,
        Self::NoSuchTarget,
    ];

    /// `BYOB0nn`.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::NotOurs => "BYOB001",
            Self::OwnedByAnother => "BYOB002",
            Self::RecordedElsewhere => "BYOB003",
            Self::Vanished => "BYOB004",
            Self::NowAnothers => "BYOB005",
            Self::Protected => "BYOB006",
            Self::CannotChange => "BYOB007",
            Self::AliasTaken => "BYOB008",
            Self::KeyUnusable => "BYOB009",
            Self::KeyInUse => "BYOB010",
            Self::PrefixMoved => "BYOB011",
            Self::CannotTakeOut => "BYOB012",
            Self::Abac => "BYOB013",
            Self::Conflict => "BYOB014",
            Self::TooLarge => "BYOB015",
            Self::NotEmpty => "BYOB016",
            Self::NotOffered => "BYOB017",
            Self::ExpiresRuns => "BYOB018",
            Self::NoSuchTarget => "BYOB019",
        }
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::ExpiresRuns => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// Whether a waiver may name it: one that makes a plan impossible cannot be waived.
    #[must_use]
    pub fn waivable(self) -> bool {
        self.severity() != Severity::Error
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

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
