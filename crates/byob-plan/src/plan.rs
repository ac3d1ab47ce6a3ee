//! The plan as data: what `--format json` prints, what the text view shows, and what the executor runs. Nothing is
//! computed while printing.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::{Address, Kind, RootAddress};
use byob_model::call::{Call, Payload, Target};
use byob_model::kind::Attributes;
use byob_model::recorded::{RecordedResource, Tombstone};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use crate::access::{Access, AccessVerdict, Ends};
use crate::finding::Finding;
use crate::trail::Traced;

/// Version of the JSON form; a format change is a version change.
pub const FORMAT_VERSION: &str = "1.1";

/// A plan. Field order is that of `docs/plan-format.md`; the JSON has sorted keys.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// [`FORMAT_VERSION`].
    pub format_version: &'static str,
    /// The byob that made it.
    pub byob_version: String,
    /// The accounts it is about (one, in this version).
    pub accounts: Vec<Account>,
    /// `aws`, `sandbox`, or the custom endpoint's host and port.
    pub endpoint: String,
    /// The flags that select what is planned.
    pub mode: Mode,
    /// Over the configuration's meaning.
    pub config_digest: String,
    /// Which record it was compared with; `None` before the first apply.
    pub state: Option<StateRef>,
    /// Counts of addresses.
    pub summary: Summary,
    /// In an order in which they could run one after the other.
    pub steps: Vec<Step>,
    /// What somebody changed outside byob.
    pub drift: Vec<Drift>,
    /// Who gains and loses what. Not in the digest: it follows from the changes.
    pub access: Vec<Access>,
    /// The verdict over all access.
    pub access_verdict: AccessVerdict,
    /// What was judged: see [`crate::access::reach()`].
    #[serde(skip)]
    pub ends: Vec<Ends>,
    /// What the built-in rules say.
    pub findings: Vec<Finding>,
    /// `sha256:` and 64 hex digits.
    pub digest: String,
    /// Addresses whose live state is already as configured although the record differs: the next apply records them.
    #[serde(skip)]
    pub already: Vec<Address>,
    /// What brings the record up to date without any step.
    #[serde(skip)]
    pub record: Vec<RecordChange>,
    /// How many attributes were read.
    #[serde(skip)]
    pub attributes: usize,
    /// Addresses whose recorded value differs from the live one in any way (also where no drift is shown): what is read
    /// again shortly after a write.
    #[serde(skip)]
    pub unsettled: BTreeSet<Address>,
    /// What open intents made, as far as it is seen: a bucket's name, a key's ARN.
    #[serde(skip)]
    pub made: BTreeMap<Uuid, String>,
    /// What people call each desired root: a bucket's name, a key's alias.
    #[serde(skip)]
    pub names: BTreeMap<RootAddress, String>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// 12 digits.
    pub account_id: String,
    /// `aws`, `aws-cn`, ….
    pub partition: String,
}

/// The flags that select what is planned; part of the digest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mode {
    /// `--target`, sorted.
    pub target: BTreeSet<String>,
    /// `--recreate`, sorted.
    pub recreate: BTreeSet<String>,
    /// `--destroy`.
    pub destroy: bool,
    /// `--refresh-only`.
    pub refresh_only: bool,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StateRef {
    /// The record's UUID.
    pub lineage: String,
    /// Its serial.
    pub serial: u64,
}

/// Counts: addresses, not steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// Addresses to create.
    pub create: usize,
    /// Addresses to update.
    pub update: usize,
    /// Addresses to delete.
    pub delete: usize,
    /// Addresses to adopt.
    pub adopt: usize,
    /// Addresses to forget.
    pub forget: usize,
    /// Desired addresses without a step.
    pub unchanged: usize,
    /// Entries of `drift`.
    pub drifted: usize,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Make it.
    Create,
    /// Change it.
    Update,
    /// Take it away.
    Delete,
    /// Take an existing thing into the record.
    Adopt,
    /// Leave it, drop it from the record.
    Forget,
}

impl Action {
    /// The glyph the plan prints.
    #[must_use]
    pub fn glyph(self) -> char {
        match self {
            Self::Create => '+',
            Self::Update => '~',
            Self::Delete => '-',
            Self::Adopt => '>',
            Self::Forget => '<',
        }
    }

    /// What leads from one form to another, nothing being no form.
    #[must_use]
    pub fn between(before: Option<&Attributes>, after: Option<&Attributes>) -> Self {
        let there = |side: Option<&Attributes>| side.is_some_and(|form| !form.is_empty());
        match (there(before), there(after)) {
            (false, _) => Self::Create,
            (true, true) => Self::Update,
            (true, false) => Self::Delete,
        }
    }

    /// As the JSON spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Adopt => "adopt",
            Self::Forget => "forget",
        }
    }
}

/// One step.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// `bucket.vision.policy#1`.
    pub id: String,
    /// What it is about.
    pub address: Address,
    /// `bucket.policy`.
    pub kind: Kind,
    /// What it does.
    pub action: Action,
    /// 1: a form within both ends; 2: the new form. Always 2 until plans have two phases.
    pub phase: u8,
    /// AWS region.
    pub region: String,
    /// 12 digits.
    pub account_id: String,
    /// Why, in words.
    pub reason: String,
    /// Leaf by leaf.
    pub changes: Vec<Change>,
    /// The AWS writes it makes, in order.
    #[serde(serialize_with = "calls")]
    pub calls: Vec<Call>,
    /// Ids of steps that must have succeeded before.
    pub depends_on: Vec<String>,
    /// Of an adopt: the address the record moves from.
    pub from: Option<RootAddress>,
    /// The bucket's name or the key's ARN that it is about; null while that is still to be made.
    pub identity: Option<String>,
    /// Of a delete or forget: what its calls put, in order. What others put is in `changes`.
    pub puts: Vec<Put>,
    /// The whole desired document with keys to be created symbolic; null for deletes and forgets.
    #[serde(skip)]
    pub document: Value,
    /// What the record says once the step has succeeded.
    #[serde(skip)]
    pub record: Vec<RecordChange>,
    /// The live attributes before, typed.
    #[serde(skip)]
    pub before: Option<Attributes>,
    /// The desired attributes, typed.
    #[serde(skip)]
    pub after: Option<Attributes>,
}

/// What one call of a delete or forget writes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Put {
    /// `PutBucketPolicy`.
    pub operation: &'static str,
    /// What it puts, a policy in its canonical form; null where it takes away.
    pub document: Value,
}

impl Put {
    /// Of a call.
    #[must_use]
    pub fn of(call: &Call) -> Self {
        let document = match &call.payload {
            Payload::Attributes(Attributes::Policy(policy)) => policy.document.canonical(),
            Payload::Attributes(attributes) => attributes.to_value(),
            _ => Value::Null,
        };
        Self { operation: call.operation.as_str(), document }
    }
}

/// A change to the record.
#[derive(Debug, Clone, PartialEq)]
pub enum RecordChange {
    /// Record this. Attributes may hold symbolic keys and the identity may be empty: the executor fills in what the
    /// creation answered.
    Put(Address, RecordedResource),
    /// Drop this.
    Remove(Address),
    /// Remember this root although it is not managed any more.
    Tombstone(Tombstone),
    /// The root of this identity was seen gone.
    TombstoneGone(String),
}

/// One leaf.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// JSON Pointer into the attributes; empty for a policy, which is one leaf.
    pub path: String,
    /// Live (of drift: recorded).
    pub before: Value,
    /// Desired (of drift: live).
    pub after: Value,
    /// Known after apply only; `after` is then null. Absent in drift.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<bool>,
}

/// Something that was changed outside byob.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drift {
    /// What.
    pub address: Address,
    /// What it means.
    pub severity: DriftSeverity,
    /// Leaf by leaf: recorded → live.
    pub changes: Vec<Change>,
    /// All that it means: who is swapped for W&B is exposure and breakage. The worst is `severity`.
    #[serde(skip)]
    pub severities: BTreeSet<DriftSeverity>,
    /// What it means, in one sentence. Wording, so no plan's digest knows it.
    #[serde(skip)]
    pub meaning: String,
    /// Who did it, as far as `byob drift --who` found out.
    #[serde(skip)]
    pub traced: Traced,
    /// The recorded attributes, typed.
    #[serde(skip)]
    pub before: Option<Attributes>,
    /// The live attributes, typed.
    #[serde(skip)]
    pub after: Option<Attributes>,
}

/// What drift means, so that nobody mutes the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DriftSeverity {
    /// Access or protection may be weaker now.
    Exposure,
    /// W&B may stop working.
    Breakage,
    /// Neither.
    Other,
}

impl DriftSeverity {
    /// All there are, the worst first.
    pub const ALL: [Self; 3] = [Self::Exposure, Self::Breakage, Self::Other];

    /// As the JSON spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exposure => "exposure",
            Self::Breakage => "breakage",
            Self::Other => "other",
        }
    }

    /// One sentence that says what it means.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Exposure => "access or protection is weaker than recorded, or it cannot be told",
            Self::Breakage => "W&B stops working, or may",
            Self::Other => "neither access nor W&B's work depends on it",
        }
    }
}

/// JSON text in which no character hides or steers a terminal: control and format characters (Unicode's Cc and Cf, and
/// the line and paragraph separators) as JSON's own escapes. They stand in strings only, but for the line breaks
/// between values.
#[must_use]
pub fn visible(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_hidden(c) {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}")));
        } else {
            text.push(c);
        }
    }
    text
}

/// Whether a character steers a terminal or hides in a review: Unicode's categories Cc and Cf, and U+2028, U+2029.
///
/// Source: `DerivedGeneralCategory.txt` of Unicode 16.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    const FORMAT: [(char, char); 21] = [
        ('\u{ad}', '\u{ad}'),
        ('\u{600}', '\u{605}'),
        ('\u{61c}', '\u{61c}'),
        ('\u{6dd}', '\u{6dd}'),
        ('\u{70f}', '\u{70f}'),
        ('\u{890}', '\u{891}'),
        ('\u{8e2}', '\u{8e2}'),
        ('\u{180e}', '\u{180e}'),
        ('\u{200b}', '\u{200f}'),
        ('\u{2028}', '\u{202e}'),
        ('\u{2060}', '\u{2064}'),
        ('\u{2066}', '\u{206f}'),
        ('\u{feff}', '\u{feff}'),
        ('\u{fff9}', '\u{fffb}'),
        ('\u{110bd}', '\u{110bd}'),
        ('\u{110cd}', '\u{110cd}'),
        ('\u{13430}', '\u{1343f}'),
        ('\u{1bca0}', '\u{1bca3}'),
        ('\u{1d173}', '\u{1d17a}'),
        ('\u{e0001}', '\u{e0001}'),
        ('\u{e0020}', '\u{e007f}'),
    ];
    c.is_control() || FORMAT.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// The public view of calls: operation and IAM action.
fn calls<S: Serializer>(calls: &[Call], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct View {
        operation: &'static str,
        iam_action: &'static str,
    }
    serializer.collect_seq(
        calls.iter().map(|c| View { operation: c.operation.as_str(), iam_action: c.operation.iam_action() }),
    )
}

impl Plan {
    /// Whether any finding makes it impossible or blocks it.
    #[must_use]
    pub fn blocked(&self) -> bool {
        self.findings.iter().any(Finding::blocks)
    }

    /// The whole JSON form, keys sorted, with a trailing newline: byte-identical for the same inputs.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Through `Value`, whose maps are sorted; a plan is strings, numbers, booleans and string-keyed maps only.
        let value = serde_json::to_value(self).unwrap_or(Value::Null);
        let mut text = visible(&serde_json::to_string_pretty(&value).unwrap_or_default());
        text.push('\n');
        text
    }

    /// Steps whose calls empty a bucket.
    pub fn emptied(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().flat_map(|step| &step.calls).filter_map(|call| {
            match (&call.operation, &call.target) {
                (byob_model::call::Operation::DeleteObjects, Target::Bucket { name, .. }) => {
                    Some(name.as_str())
                }
                _ => None,
            }
        })
    }
}
