//! What is known of a root's aspects at one time: as they are, or as they will be. An aspect that is not here is not
//! known, and no rule may say anything of it.

use std::collections::BTreeMap;

use byob_model::address::Kind;
use byob_model::config::ForeignStatements;
use byob_model::desired::{DesiredAspect, DesiredRoot};
use byob_model::kind::{
    Attributes, Cors, CorsRule, Encryption, Lifecycle, LifecycleRule, OUR_CORS_RULE, OUR_RULE_PREFIX,
    Ownership, Policy, PublicAccessBlock, Rotation, VersioningStatus,
};
use byob_model::live::LiveAspect;
use byob_policy::Document;

use crate::aspect::beside_foreign;

/// The attributes by kind.
pub(super) struct Aspects(BTreeMap<Kind, Attributes>);

const NO_BLOCK: PublicAccessBlock = PublicAccessBlock {
    block_public_acls: false,
    ignore_public_acls: false,
    block_public_policy: false,
    restrict_public_buckets: false,
};

/// What a live answer says, absence included; `None` where it says nothing.
pub(super) fn known(kind: Kind, aspect: &LiveAspect) -> Option<Attributes> {
    match aspect {
        LiveAspect::Present(attributes) => Some(attributes.clone()),
        LiveAspect::Absent if kind == Kind::PublicAccessBlock => {
            Some(Attributes::PublicAccessBlock(NO_BLOCK))
        }
        LiveAspect::Absent => Attributes::when_absent(kind),
        LiveAspect::Unsupported { .. } | LiveAspect::Refused => None,
    }
}

impl Aspects {
    /// As they are.
    pub(super) fn live<'a>(all: impl Iterator<Item = (Kind, &'a LiveAspect)>) -> Self {
        Self(all.filter_map(|(kind, aspect)| Some((kind, known(kind, aspect)?))).collect())
    }

    /// Of a bucket that is made by this plan, where nobody manages them. Source: S3 user guide, "Default settings for new
    /// S3 buckets" (since April 2023); other endpoints may put no block. It has no policy.
    pub(super) fn new_bucket(endpoint: &str) -> Self {
        let block = if matches!(endpoint, "aws" | "sandbox") { PublicAccessBlock::ALL } else { NO_BLOCK };
        Self(BTreeMap::from([
            (Kind::PublicAccessBlock, Attributes::PublicAccessBlock(block)),
            (Kind::BucketPolicy, Attributes::Policy(Policy::empty())),
        ]))
    }

    /// As they will be: what is desired, with what stays of others'; of what is not managed, what is live, but for what
    /// the plan takes out.
    pub(super) fn end(
        root: &DesiredRoot,
        live: Option<&Self>,
        resolved: impl Fn(&Attributes) -> Attributes,
        taken_out: impl Fn(Kind) -> bool,
    ) -> Self {
        let mut all: BTreeMap<Kind, Attributes> = BTreeMap::new();
        for (kind, attributes) in live.iter().flat_map(|live| &live.0) {
            let gone = taken_out(*kind).then(|| Attributes::when_absent(*kind));
            match gone {
                Some(Some(absent)) => drop(all.insert(*kind, absent)),
                Some(None) => {}
                None => drop(all.insert(*kind, attributes.clone())),
            }
        }
        for (kind, aspect) in &root.aspects {
            let DesiredAspect::Managed(attributes) = aspect else { continue };
            let wanted = beside(root, resolved(attributes), live.and_then(|live| live.0.get(kind)));
            all.insert(*kind, wanted);
        }
        Self(all)
    }

    pub(super) fn of(&self, kind: Kind) -> Option<&Attributes> {
        self.0.get(&kind)
    }

    pub(super) fn policy(&self, kind: Kind) -> Option<&Document> {
        match self.0.get(&kind) {
            Some(Attributes::Policy(policy)) => Some(&policy.document),
            _ => None,
        }
    }

    pub(super) fn block(&self) -> Option<PublicAccessBlock> {
        match self.0.get(&Kind::PublicAccessBlock) {
            Some(Attributes::PublicAccessBlock(block)) => Some(*block),
            _ => None,
        }
    }

    pub(super) fn ownership(&self) -> Option<&str> {
        match self.0.get(&Kind::Ownership) {
            Some(Attributes::Ownership(Ownership { object_ownership })) => Some(object_ownership),
            _ => None,
        }
    }

    pub(super) fn encryption(&self) -> Option<&Encryption> {
        match self.0.get(&Kind::Encryption) {
            Some(Attributes::Encryption(encryption)) => Some(encryption),
            _ => None,
        }
    }

    pub(super) fn cors(&self) -> Option<&[CorsRule]> {
        match self.0.get(&Kind::Cors) {
            Some(Attributes::Cors(cors)) => Some(&cors.rules),
            _ => None,
        }
    }

    pub(super) fn lifecycle(&self) -> Option<&[LifecycleRule]> {
        match self.0.get(&Kind::Lifecycle) {
            Some(Attributes::Lifecycle(lifecycle)) => Some(&lifecycle.rules),
            _ => None,
        }
    }

    pub(super) fn versioning(&self) -> Option<VersioningStatus> {
        match self.0.get(&Kind::Versioning) {
            Some(Attributes::Versioning(versioning)) => Some(versioning.status),
            _ => None,
        }
    }

    pub(super) fn object_lock(&self) -> bool {
        self.0.contains_key(&Kind::ObjectLock)
    }

    pub(super) fn rotation(&self) -> Option<Rotation> {
        match self.0.get(&Kind::Rotation) {
            Some(Attributes::Rotation(rotation)) => Some(*rotation),
            _ => None,
        }
    }
}

/// What is wanted, and what of the live value stays beside it because it is others'.
fn beside(root: &DesiredRoot, wanted: Attributes, live: Option<&Attributes>) -> Attributes {
    match (wanted, live) {
        (Attributes::Policy(ours), Some(Attributes::Policy(live)))
            if root.foreign_statements == ForeignStatements::Keep =>
        {
            Attributes::Policy(beside_foreign(&ours, live))
        }
        (Attributes::Cors(ours), Some(Attributes::Cors(live))) if !ours.exclusive => {
            let theirs = live.rules.iter().filter(|r| r.id.as_deref() != Some(OUR_CORS_RULE));
            Attributes::Cors(Cors { rules: ours.rules.iter().chain(theirs).cloned().collect(), ..ours })
        }
        (Attributes::Lifecycle(ours), Some(Attributes::Lifecycle(live))) if !ours.exclusive => {
            let theirs = live.rules.iter().filter(|r| !r.id.starts_with(OUR_RULE_PREFIX));
            Attributes::Lifecycle(Lifecycle {
                rules: ours.rules.iter().chain(theirs).cloned().collect(),
                ..ours
            })
        }
        (wanted, _) => wanted,
    }
}
