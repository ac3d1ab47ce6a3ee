//! The two ends of a root, as far as they decide access: what AWS has now, and what it will have once the steps have
//! made their calls. What was not read is `None`, never empty.

use std::collections::BTreeMap;

use byob_model::address::{Address, Kind, RootAddress};
use byob_model::call::{Call, Operation, Payload};
use byob_model::config::ForeignStatements;
use byob_model::kind::{Attributes, KeyState, Ownership, Policy, PublicAccessBlock};
use byob_model::live::{LiveAspect, LiveBucket, LiveKey};
use byob_policy::{Document, Partition, Statement};

use crate::compare::{Case, Planner};
use crate::plan::Drift;

/// What decides access to a bucket. What was not read is `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BucketEnd {
    /// Empty: there is none.
    pub policy: Option<Document>,
    /// The public access block.
    pub block: Option<PublicAccessBlock>,
    /// `BucketOwnerEnforced`: ACLs have no effect.
    pub acls_off: Option<bool>,
}

/// A bucket at both ends; an end is `None` where it does not exist.
#[derive(Debug)]
pub(super) struct BucketEnds<'a> {
    pub address: &'a RootAddress,
    pub name: &'a str,
    pub before: Option<BucketEnd>,
    pub after: Option<BucketEnd>,
    /// Whether it is to be in the state that the plan ends in.
    pub desired: bool,
    pub writes_policy: bool,
    pub writes_block: bool,
    pub writes_ownership: bool,
    /// New objects are encrypted under another key than before, or under none.
    pub leaves_key: bool,
}

/// What decides access to a key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeyEnd {
    /// `None`: not read.
    pub policy: Option<Document>,
    /// Neither disabled nor to be deleted.
    pub enabled: bool,
}

/// A key at both ends.
#[derive(Debug)]
pub(super) struct KeyEnds<'a> {
    pub address: &'a RootAddress,
    pub partition: Option<Partition>,
    pub before: Option<KeyEnd>,
    pub after: Option<KeyEnd>,
}

/// A root at both ends, to be kept; an end is `None` where it does not exist.
#[derive(Debug, Clone, PartialEq)]
pub enum Ends {
    /// A bucket.
    Bucket {
        /// Its address.
        root: RootAddress,
        /// Its name.
        name: String,
        /// What is, or was recorded.
        before: Option<BucketEnd>,
        /// What will be, or is now.
        after: Option<BucketEnd>,
        /// New objects are encrypted under another key than before, or under none.
        leaves_key: bool,
    },
    /// A key.
    Key {
        /// Its address.
        root: RootAddress,
        /// What is, or was recorded.
        before: Option<KeyEnd>,
        /// What will be, or is now.
        after: Option<KeyEnd>,
    },
}

impl Ends {
    /// Whose they are.
    #[must_use]
    pub fn root(&self) -> &RootAddress {
        match self {
            Self::Bucket { root, .. } | Self::Key { root, .. } => root,
        }
    }
}

impl From<BucketEnds<'_>> for Ends {
    fn from(ends: BucketEnds<'_>) -> Self {
        let (root, name) = (ends.address.clone(), ends.name.to_owned());
        Self::Bucket { root, name, before: ends.before, after: ends.after, leaves_key: ends.leaves_key }
    }
}

impl From<KeyEnds<'_>> for Ends {
    fn from(ends: KeyEnds<'_>) -> Self {
        Self::Key { root: ends.address.clone(), before: ends.before, after: ends.after }
    }
}

/// What AWS says of a bucket now.
pub(super) fn live_bucket(live: Option<&LiveBucket>) -> Option<BucketEnd> {
    match live {
        None | Some(LiveBucket::Absent) => None,
        Some(LiveBucket::Forbidden { .. }) => Some(BucketEnd::default()),
        Some(LiveBucket::Exists(facts)) => Some(BucketEnd {
            policy: match facts.has_policy {
                Some(false) => Some(Policy::empty().document),
                _ => policy(&facts.aspects, Kind::BucketPolicy),
            },
            block: match facts.aspects.get(&Kind::PublicAccessBlock) {
                Some(LiveAspect::Present(Attributes::PublicAccessBlock(block))) => Some(*block),
                // AWS: none is all four off; an endpoint without it has none.
                Some(LiveAspect::Absent | LiveAspect::Unsupported { .. }) => Some(NO_BLOCK),
                _ => None,
            },
            acls_off: match facts.aspects.get(&Kind::Ownership) {
                Some(LiveAspect::Present(Attributes::Ownership(ownership))) => {
                    Some(ownership.object_ownership == Ownership::ENFORCED)
                }
                Some(LiveAspect::Absent) => Some(false),
                _ => None,
            },
        }),
    }
}

/// What AWS says of a key now.
pub(super) fn live_key(live: Option<&LiveKey>) -> Option<KeyEnd> {
    match live {
        None | Some(LiveKey::Absent) => None,
        // Not known to be enabled, nor not to be: the more is taken for it.
        Some(LiveKey::Forbidden) => Some(KeyEnd { policy: None, enabled: true }),
        Some(LiveKey::Exists(facts)) => Some(KeyEnd {
            policy: policy(&facts.aspects, Kind::KeyPolicy),
            enabled: facts.state == KeyState::Enabled,
        }),
    }
}

/// New objects are encrypted under another key than recorded, or under none.
pub(super) fn leaves_key(drift: &Drift) -> bool {
    is_another_key(drift.before.as_ref(), drift.after.as_ref())
}

fn is_another_key(before: Option<&Attributes>, after: Option<&Attributes>) -> bool {
    let key = |side: Option<&Attributes>| match side {
        Some(Attributes::Encryption(encryption)) => encryption.kms_key.clone(),
        _ => None,
    };
    let before = key(before);
    before.is_some() && before != key(after)
}

/// A policy with other teams' statements as they are recorded, and the live one.
pub(super) type Foreign = (Document, Document);

impl Planner<'_> {
    /// Whether the flags leave this root in the plan.
    pub(super) fn is_selected(&self, root: &RootAddress) -> bool {
        let targets = &self.input.mode.target;
        targets.is_empty()
            || targets.iter().any(|text| text.parse::<Address>().is_ok_and(|address| address.root() == *root))
            || self.steps.iter().any(|step| step.address.root() == *root)
    }

    fn calls(&self, root: &RootAddress) -> impl Iterator<Item = &Call> {
        self.steps.iter().filter(move |step| step.address.root() == *root).flat_map(|step| &step.calls)
    }

    /// `None` where there is nothing at either end.
    pub(super) fn bucket_ends<'a>(&self, case: &'a Case<'_>) -> Option<BucketEnds<'a>> {
        let name = match (case.desired, case.recorded) {
            (Some(desired), _) => &desired.name,
            (None, recorded) => &recorded?.identity,
        };
        let before = live_bucket(self.live.buckets.get(name));
        let mut ends = BucketEnds {
            address: &case.address,
            name,
            after: before.clone(),
            before,
            desired: case.desired.is_some(),
            writes_policy: false,
            writes_block: false,
            writes_ownership: false,
            leaves_key: self.leaves_key(&case.address),
        };
        for call in self.calls(&case.address) {
            self.put_on_bucket(&mut ends, call);
        }
        (ends.before.is_some() || ends.after.is_some()).then_some(ends)
    }

    fn leaves_key(&self, bucket: &RootAddress) -> bool {
        let address = bucket.aspect(Kind::Encryption);
        let mut steps = self.steps.iter().filter(|step| step.address == address && !step.calls.is_empty());
        steps.any(|step| is_another_key(step.before.as_ref(), step.after.as_ref()))
    }

    fn put_on_bucket(&self, ends: &mut BucketEnds<'_>, call: &Call) {
        match (call.operation, &call.payload) {
            (Operation::CreateBucket, _) => {
                // Source: S3 user guide, "Default settings for new S3 buckets" (since April 2023); other endpoints differ.
                let known = matches!(self.input.endpoint, "aws" | "sandbox");
                ends.after = Some(BucketEnd {
                    policy: Some(Policy::empty().document),
                    block: known.then_some(PublicAccessBlock::ALL),
                    acls_off: known.then_some(true),
                });
            }
            (Operation::DeleteBucket, _) => ends.after = None,
            _ => {}
        }
        let Some(after) = &mut ends.after else { return };
        match (call.operation, &call.payload) {
            (Operation::PutBucketPolicy, Payload::Attributes(Attributes::Policy(policy))) => {
                after.policy = Some(policy.document.clone());
                ends.writes_policy = true;
            }
            (Operation::DeleteBucketPolicy, _) => {
                after.policy = Some(Policy::empty().document);
                ends.writes_policy = true;
            }
            (Operation::PutPublicAccessBlock, Payload::Attributes(Attributes::PublicAccessBlock(block))) => {
                after.block = Some(*block);
                ends.writes_block = true;
            }
            (
                Operation::PutBucketOwnershipControls,
                Payload::Attributes(Attributes::Ownership(ownership)),
            ) => {
                after.acls_off = Some(ownership.object_ownership == Ownership::ENFORCED);
                ends.writes_ownership = true;
            }
            _ => {}
        }
    }

    /// `None` where there is nothing at either end, or where nothing is known of a key that stays as it is.
    pub(super) fn key_ends<'a>(&self, case: &'a Case<'_>) -> Option<KeyEnds<'a>> {
        let arn = self.arns.get(&case.address).or(case.recorded.map(|recorded| &recorded.identity));
        let before = live_key(arn.and_then(|arn| self.live.keys.get(arn)));
        let mut after = before.clone();
        for call in self.calls(&case.address) {
            match (call.operation, &call.payload, &mut after) {
                (Operation::CreateKey, Payload::NewKey { policy, .. }, _) => {
                    after = Some(KeyEnd { policy: Some(policy.document.clone()), enabled: true });
                }
                (Operation::ScheduleKeyDeletion, ..) => after = None,
                (Operation::EnableKey, _, Some(key)) => key.enabled = true,
                (Operation::PutKeyPolicy, Payload::Attributes(Attributes::Policy(policy)), Some(key)) => {
                    key.policy = Some(policy.document.clone());
                }
                _ => {}
            }
        }
        (before.is_some() || after.is_some()).then_some(KeyEnds {
            address: &case.address,
            partition: case.desired.map(|desired| desired.partition),
            before,
            after,
        })
    }

    /// Where other teams' statements stay and are not the recorded ones: the live policy with the recorded ones in
    /// their place, and as it is.
    pub(super) fn foreign_drift(&self, case: &Case<'_>) -> Option<Foreign> {
        case.desired.filter(|desired| desired.foreign_statements == ForeignStatements::Keep)?;
        let address = case.address.aspect(Kind::BucketPolicy);
        let drift = self.drift.iter().find(|drift| drift.address == address)?;
        let side = |attributes: &Option<Attributes>| match attributes {
            Some(Attributes::Policy(policy)) => policy.clone(),
            _ => Policy::empty(),
        };
        let (recorded, live) = (side(&drift.before), side(&drift.after));
        let foreign = recorded.foreign().document;
        if foreign.canonical() == live.foreign().document.canonical() {
            return None;
        }
        let is_ours = |one: &&Statement| byob_model::kind::is_our_sid(one.sid.as_deref());
        let mut statements: Vec<Statement> =
            live.document.statements.iter().filter(is_ours).cloned().collect();
        statements.extend(foreign.statements);
        Some((Document { statements, ..foreign_version(&recorded, &live) }, live.document))
    }
}

/// The document that the recorded statements stood in; where there was none, the live one.
fn foreign_version(recorded: &Policy, live: &Policy) -> Document {
    let from = if recorded.document.is_empty() { live } else { recorded };
    from.document.clone()
}

/// No public access block.
pub(super) const NO_BLOCK: PublicAccessBlock = PublicAccessBlock {
    block_public_acls: false,
    ignore_public_acls: false,
    block_public_policy: false,
    restrict_public_buckets: false,
};

fn policy(aspects: &BTreeMap<Kind, LiveAspect>, kind: Kind) -> Option<Document> {
    match aspects.get(&kind)? {
        LiveAspect::Present(Attributes::Policy(policy)) => Some(policy.document.clone()),
        LiveAspect::Absent | LiveAspect::Unsupported { .. } => Some(Policy::empty().document),
        LiveAspect::Present(_) | LiveAspect::Refused => None,
    }
}
