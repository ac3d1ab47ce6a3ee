//! Recorded state: what byob's record says it last applied. The file format is `byob-state`'s business.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::address::{Address, Kind, RootAddress, RootKind};
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

    /// What must not be lost sight of once this root, recorded at `address`, is not recorded any more: of a bucket, the
    /// keys that its objects need. Nothing of a bucket that never used a key, and nothing of a key: byob did not order
    /// its deletion, and schedules none that it has not recorded.
    #[must_use]
    pub fn tombstone(&self, address: &RootAddress) -> Option<Tombstone> {
        (!self.keys_used.is_empty()).then(|| Tombstone {
            address: address.clone(),
            identity: self.identity.clone(),
            account_id: self.account_id.clone(),
            region: self.region.clone(),
            keys_used: self.keys_used.clone(),
            deletion_ordered: false,
        })
    }
}

/// What was to be taken out of a record is not in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not recorded")]
pub struct NotRecorded(pub RootAddress);

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
    /// Of a bucket: the ARN of every key that it was to be put on, or was seen on. Left out where there is none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub keys_used: BTreeSet<String>,
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
    /// The addresses that `--target` named; left out where it named none, and the approval is of everything.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub target: BTreeSet<String>,
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
    /// What stood at the address: a bucket's name, a key's ARN. `None` where it was still to be made, and in records of
    /// earlier builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Of a step without a document: its writes, each as the operation and what it is about (`DeleteBucket acme-a`). To leave
    /// something alone is not to delete it, and what stands at an address may have become something else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<String>,
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

    /// The keys that a bucket of this name ever used: what its record says, the intent of a run that did not end, and what
    /// is left of a time when it was recorded before.
    pub fn keys_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a String> {
        let recorded = self.buckets().filter(move |(_, r)| r.identity == name).map(|(_, r)| &r.keys_used);
        let made = self.intents.iter().filter(move |i| i.name.as_deref() == Some(name)).map(|i| &i.keys_used);
        let before = self.tombstones.iter().filter(move |t| t.identity == name).map(|t| &t.keys_used);
        recorded.chain(made).chain(before).flatten()
    }

    /// Remembers a root that is not recorded any more. It may have been forgotten before, with other keys: those stay.
    /// Answers with the tombstone as it stands now.
    pub fn bury(&mut self, mut tombstone: Tombstone) -> &Tombstone {
        self.tombstones.retain(|known| {
            let same = known.identity == tombstone.identity;
            if same {
                tombstone.keys_used.extend(known.keys_used.iter().cloned());
                tombstone.deletion_ordered |= known.deletion_ordered;
            }
            !same
        });
        let place = self.tombstones.len();
        self.tombstones.push(tombstone);
        &self.tombstones[place]
    }

    /// The buckets that ever used a key, with their names: the recorded ones, and those that a run made that did not end.
    #[must_use]
    pub fn users_of(&self, arn: &str) -> BTreeMap<String, RootAddress> {
        let made = self.intents.iter().filter(|intent| intent.keys_used.contains(arn));
        let made = made.filter_map(|intent| Some((intent.name.clone()?, intent.address.clone())));
        let recorded = self.buckets().filter(|(_, r)| r.keys_used.contains(arn));
        made.chain(recorded.map(|(address, r)| (r.identity.clone(), address))).collect()
    }

    fn buckets(&self) -> impl Iterator<Item = (RootAddress, &RecordedResource)> {
        self.roots().filter(|(address, _)| address.kind == RootKind::Bucket)
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

    /// Takes a root and its aspects out of the record, AWS untouched; what must not be lost sight of stays as a
    /// tombstone. Answers with the addresses that were taken out, the root's last.
    ///
    /// # Errors
    /// [`NotRecorded`]; the record is as it was.
    pub fn take_out(&mut self, root: &RootAddress) -> Result<Vec<Address>, NotRecorded> {
        let recorded = self.root(root).ok_or_else(|| NotRecorded(root.clone()))?;
        let name = recorded.identity.clone();
        let mut known = recorded.clone();
        known.keys_used.extend(self.keys_of(&name).cloned());
        let tombstone = known.tombstone(root);
        let mut gone: Vec<Address> = self.aspects(root).map(|(kind, _)| root.aspect(kind)).collect();
        gone.push(root.address());
        self.resources.retain(|address, _| !gone.contains(address));
        // Whoever leaves it alone does not want what an interrupted run made to be cleared away either.
        self.intents.retain(|intent| intent.name.as_ref() != Some(&name));
        if let Some(tombstone) = tombstone {
            self.bury(tombstone);
        }
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    fn resource(kind: Kind, identity: &str) -> RecordedResource {
        RecordedResource {
            kind,
            account_id: "123456789012".into(),
            region: "eu-west-1".into(),
            identity: identity.into(),
            attributes: Value::Null,
            created: kind.is_root(),
            name_prefix: None,
            keys_used: BTreeSet::new(),
            versioning_seen: false,
        }
    }

    /// Two buckets, one under a key, and the key.
    fn a_record() -> Recorded {
        let (storage, other, key) =
            (RootAddress::bucket("storage"), RootAddress::bucket("other"), RootAddress::key("storage"));
        let under_key = RecordedResource {
            keys_used: BTreeSet::from([KEY.to_owned()]),
            ..resource(Kind::Bucket, "acme-storage")
        };
        Recorded {
            serial: 3,
            resources: [
                (storage.address(), under_key),
                (storage.aspect(Kind::BucketTags), resource(Kind::BucketTags, "acme-storage")),
                (storage.aspect(Kind::Encryption), resource(Kind::Encryption, "acme-storage")),
                (other.address(), resource(Kind::Bucket, "acme-other")),
                (other.aspect(Kind::Cors), resource(Kind::Cors, "acme-other")),
                (key.address(), resource(Kind::Key, KEY)),
                (key.aspect(Kind::Alias), resource(Kind::Alias, KEY)),
            ]
            .into(),
            ..Recorded::default()
        }
    }

    fn names(addresses: impl IntoIterator<Item = Address>) -> Vec<String> {
        addresses.into_iter().map(|address| address.to_string()).collect()
    }

    #[test]
    fn a_bucket_that_is_taken_out_leaves_its_keys_behind() {
        let mut recorded = a_record();
        let storage = RootAddress::bucket("storage");
        let gone = names(recorded.take_out(&storage).unwrap());
        assert_eq!(gone.last().unwrap(), "bucket.storage");
        assert_eq!(gone.len(), 3, "{gone:?}");
        let left = names(recorded.resources.keys().cloned());
        assert_eq!(left.len(), 4, "{left:?}");
        assert!(!left.iter().any(|address| address.starts_with("bucket.storage")), "{left:?}");
        let [tombstone] = recorded.tombstones.as_slice() else { panic!("{:?}", recorded.tombstones) };
        assert_eq!((&tombstone.address, tombstone.identity.as_str()), (&storage, "acme-storage"));
        assert_eq!(tombstone.keys_used, BTreeSet::from([KEY.to_owned()]));
        assert!(!tombstone.deletion_ordered);
        assert_eq!(recorded.serial, 3);
    }

    #[test]
    fn keys_of_an_older_tombstone_of_the_same_bucket_stay() {
        let mut recorded = a_record();
        let storage = RootAddress::bucket("storage");
        let older = Tombstone {
            keys_used: BTreeSet::from(["older".to_owned()]),
            ..recorded.root(&storage).unwrap().tombstone(&RootAddress::bucket("before")).unwrap()
        };
        let another = Tombstone { identity: "acme-another".into(), ..older.clone() };
        recorded.tombstones = vec![older, another.clone()];
        recorded.take_out(&storage).unwrap();
        assert_eq!(recorded.tombstones.len(), 2);
        assert_eq!(recorded.tombstones[0], another);
        let both = BTreeSet::from([KEY.to_owned(), "older".to_owned()]);
        assert_eq!((&recorded.tombstones[1].address, &recorded.tombstones[1].keys_used), (&storage, &both));
    }

    #[test]
    fn of_a_key_or_a_bucket_without_one_nothing_is_left() {
        for root in [RootAddress::key("storage"), RootAddress::bucket("other")] {
            let mut recorded = a_record();
            let gone = names(recorded.take_out(&root).unwrap());
            assert_eq!(gone.len(), 2, "{gone:?}");
            assert_eq!(recorded.tombstones, []);
            assert!(recorded.root(&root).is_none() && recorded.aspects(&root).count() == 0);
            // The other root of that label is another one.
            assert_eq!(recorded.resources.len(), 5);
        }
    }

    #[test]
    fn what_is_not_recorded_is_an_error_and_changes_nothing() {
        let mut recorded = a_record();
        let error = recorded.take_out(&RootAddress::key("other")).unwrap_err();
        assert_eq!(error.to_string(), "key.other is not recorded");
        assert_eq!(recorded, a_record());
    }
}
