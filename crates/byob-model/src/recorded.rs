//! Recorded state: what byob's record says it last applied. The file format is `byob-state`'s business.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::address::{Address, Kind, RootAddress};
use crate::kind::Attributes;

/// The record's meaning.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recorded {
    /// Whose record it is; `None` before the first apply.
    pub lineage: Option<Uuid>,
    /// Grows by one with every write; 0 before the first.
    pub serial: u64,
    /// Everything recorded.
    pub resources: BTreeMap<Address, RecordedResource>,
    /// What was forgotten or deleted and must not be lost sight of.
    pub tombstones: Vec<Tombstone>,
    /// The last approval.
    pub approval: Option<Approval>,
    /// Intents of creations whose result is not recorded.
    pub intents: Vec<Intent>,
    /// When something was last written to AWS by an apply of this record: UTC seconds since 1970.
    pub written_at: Option<i64>,
}

/// One recorded resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedResource {
    /// Its kind.
    pub kind: Kind,
    /// 12 digits.
    pub account_id: String,
    /// AWS region.
    pub region: String,
    /// A bucket's name, a key's ARN; of an aspect, its root's.
    pub identity: String,
    /// The serialised form of its [`Attributes`], keys resolved to ARNs.
    pub attributes: Value,
    /// Of a root: whether byob created it (rather than imported it).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub created: bool,
    /// Of a bucket named by a prefix: the prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_prefix: Option<String>,
    /// Of a bucket: the ARN of every key its default encryption ever used.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub keys_used: BTreeSet<String>,
    /// Of a bucket whose versioning was ever seen `Enabled`: then not `Enabled` is drift, managed or not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub versioning_seen: bool,
}

impl RecordedResource {
    /// The attributes, typed.
    ///
    /// # Errors
    /// What serde says of a value that is not of this kind.
    pub fn typed(&self) -> Result<Attributes, serde_json::Error> {
        Attributes::from_value(self.kind, &self.attributes)
    }
}

/// A root that byob forgot or deleted: its bucket keeps using its keys until it is seen gone; its key is pending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// Where it stood.
    pub address: RootAddress,
    /// A bucket's name, a key's ARN.
    pub identity: String,
    /// 12 digits.
    pub account_id: String,
    /// AWS region.
    pub region: String,
    /// Of a bucket: every key it ever used.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub keys_used: BTreeSet<String>,
    /// Of a key: byob ordered its deletion.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deletion_ordered: bool,
}

/// A creation that cannot prove itself, journalled before the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Written as the tag `byob:intent`.
    pub id: Uuid,
    /// What is to be created.
    pub address: RootAddress,
    /// 12 digits.
    pub account_id: String,
    /// AWS region.
    pub region: String,
    /// Of a bucket: its name. Of a key: nothing yet.
    pub name: Option<String>,
    /// AWS's clock before the call (`Date` of an answer): UTC seconds since 1970.
    pub at: i64,
}

/// What somebody agreed to, stored before the first write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// `sha256:` and 64 hex digits.
    pub digest: String,
    /// Its steps.
    pub steps: Vec<ApprovedStep>,
    /// Whether all of them were done and read back.
    pub finished: bool,
}

/// One step of an approval: enough to know it again after a crash, when a create may have become an adopt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApprovedStep {
    /// Its address.
    pub address: Address,
    /// Where the record moves from, for a renamed label.
    pub from: Option<RootAddress>,
    /// The whole desired document, keys to be created symbolic; `null` for a delete or forget.
    pub document: Value,
    /// What it did, as the plan spells actions; only to say so.
    pub action: String,
}

impl Recorded {
    /// The record of a root.
    #[must_use]
    pub fn root(&self, address: &RootAddress) -> Option<&RecordedResource> {
        self.resources.get(&address.address())
    }

    /// All recorded roots.
    pub fn roots(&self) -> impl Iterator<Item = (RootAddress, &RecordedResource)> {
        self.resources
            .iter()
            .filter(|(address, _)| address.kind.is_root())
            .map(|(address, r)| (address.root(), r))
    }

    /// The recorded aspects of a root.
    pub fn aspects<'a>(
        &'a self,
        root: &'a RootAddress,
    ) -> impl Iterator<Item = (Kind, &'a RecordedResource)> {
        self.resources
            .iter()
            .filter(move |(address, _)| !address.kind.is_root() && address.root() == *root)
            .map(|(address, r)| (address.kind, r))
    }
}
