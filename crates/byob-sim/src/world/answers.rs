//! What AWS answers: what is read, as an account holds it, and refusals.

use std::collections::{BTreeMap, BTreeSet};

use byob_apply::{CloudError, ErrorKind};
use byob_model::address::Kind;
use byob_model::call::{Call, Target};
use byob_model::kind::{
    Attributes, BYOB_INTENT, Cors, Encryption, KeyRef, KeyState, Lifecycle, Ownership, Policy, Tags,
    Versioning, VersioningStatus, is_system_tag,
};
use byob_model::live::{BucketFacts, KeyFacts, Live, LiveAspect, LiveBucket, LiveKey, Wanted, WantedBucket};
use byob_policy::Document;

use super::ACCOUNT;
use super::account::{Account, Bucket};

/// A refusal, as AWS words it.
pub(super) fn refused(call: &Call, kind: ErrorKind, code: &str) -> CloudError {
    let resource = match &call.target {
        Target::Bucket { name, .. } => name.clone(),
        Target::Key { key: KeyRef::Arn(arn), .. } => arn.clone(),
        Target::Key { .. } => String::new(),
    };
    CloudError {
        kind,
        operation: call.operation.as_str().to_owned(),
        iam_action: Some(call.operation.iam_action().to_owned()),
        resource,
        code: Some(code.to_owned()),
        status: None,
        message: String::new(),
        request_id: Some("R1".to_owned()),
        help: Vec::new(),
    }
}

fn none_if_empty(attributes: Attributes) -> LiveAspect {
    if attributes.is_empty() { LiveAspect::Absent } else { LiveAspect::Present(attributes) }
}

fn present(attributes: Option<Attributes>) -> LiveAspect {
    attributes.map_or(LiveAspect::Absent, LiveAspect::Present)
}

/// A policy as AWS gives it back: other order, other spelling, same meaning.
fn rewritten(policy: &Policy) -> Policy {
    let mut statements = policy.document.statements.clone();
    statements.reverse();
    let text = Document { statements, ..policy.document.clone() }.to_json().replace("[\"*\"]", "\"*\"");
    Policy { document: Document::parse(&text).expect("it was a policy") }
}

fn tags(all: &BTreeMap<String, String>) -> LiveAspect {
    let tags = all.iter().filter(|(key, _)| !is_system_tag(key));
    none_if_empty(Attributes::Tags(Tags { tags: tags.map(|(k, v)| (k.clone(), v.clone())).collect() }))
}

impl Account {
    /// What AWS answers for these reads.
    pub(super) fn read(&self, wanted: &Wanted) -> Live {
        let mut live = Live::default();
        for (name, wanted) in &wanted.buckets {
            live.buckets.insert(name.clone(), self.read_bucket(name, wanted));
        }
        let none = BTreeSet::new();
        for (region, alias) in &wanted.aliases {
            let found = self.aliases.get(&(region.clone(), alias.clone())).cloned();
            if let Some(arn) = &found {
                live.keys.insert(arn.clone(), self.read_key(arn, &none, true));
            }
            live.aliases.insert((region.clone(), alias.clone()), found);
        }
        let whole = BTreeSet::from([Kind::KeyPolicy, Kind::Rotation, Kind::KeyTags]);
        for (region, intent) in &wanted.key_intents {
            let tagged = self.keys.iter().find(|(_, key)| {
                key.region == *region && key.tags.get(BYOB_INTENT) == Some(&intent.to_string())
            });
            if let Some((arn, _)) = tagged {
                live.key_intents.insert(*intent, arn.clone());
                live.keys.insert(arn.clone(), self.read_key(arn, &whole, true));
            }
        }
        for (arn, wanted) in &wanted.keys {
            live.keys.insert(arn.clone(), self.read_key(arn, &wanted.aspects, !wanted.aspects.is_empty()));
        }
        live
    }

    fn read_bucket(&self, name: &str, wanted: &WantedBucket) -> LiveBucket {
        let Some(bucket) = self.buckets.get(name) else { return LiveBucket::Absent };
        if bucket.owner != ACCOUNT {
            return LiveBucket::Forbidden {
                region: Some(bucket.region.clone()),
                listed: wanted.recorded.then_some(false),
            };
        }
        let mut facts = BucketFacts { region: bucket.region.clone(), ..BucketFacts::default() };
        facts.aspects =
            wanted.aspects.union(&wanted.beside).map(|kind| (*kind, bucket_aspect(bucket, *kind))).collect();
        facts.has_policy = (wanted.contents || wanted.aspects.contains(&Kind::BucketPolicy))
            .then_some(bucket.policy.is_some());
        facts.holds_data = wanted.contents.then_some(bucket.objects > 0);
        if !wanted.brief {
            facts.tags = bucket.tags.clone();
            facts.versioning_enabled = bucket.versioning == Some(VersioningStatus::Enabled);
        }
        LiveBucket::Exists(Box::new(facts))
    }

    fn read_key(&self, arn: &str, wanted: &BTreeSet<Kind>, with_tags: bool) -> LiveKey {
        let Some(key) = self.keys.get(arn) else { return LiveKey::Absent };
        let aspects = wanted.iter().map(|kind| {
            let aspect = match kind {
                Kind::KeyPolicy => LiveAspect::Present(Attributes::Policy(rewritten(&key.policy))),
                Kind::Rotation if key.state == KeyState::PendingDeletion => LiveAspect::Absent,
                Kind::Rotation => LiveAspect::Present(Attributes::Rotation(key.rotation)),
                Kind::KeyTags => tags(&key.tags),
                _ => panic!("{kind:?} is not read of a key"),
            };
            (*kind, aspect)
        });
        let aliases = self.aliases.iter().filter(|(_, to)| *to == arn).map(|((_, name), _)| name.clone());
        LiveKey::Exists(Box::new(KeyFacts {
            arn: arn.to_owned(),
            state: key.state.clone(),
            description: key.description.clone(),
            usable: true,
            aspects: aspects.collect(),
            tags: if with_tags { key.tags.clone() } else { BTreeMap::new() },
            aliases: aliases.collect(),
        }))
    }
}

fn bucket_aspect(bucket: &Bucket, kind: Kind) -> LiveAspect {
    match kind {
        Kind::PublicAccessBlock => present(bucket.block.map(Attributes::PublicAccessBlock)),
        Kind::Ownership => {
            let ownership = bucket.ownership.clone();
            present(ownership.map(|o| Attributes::Ownership(Ownership { object_ownership: o })))
        }
        Kind::Encryption => {
            LiveAspect::Present(Attributes::Encryption(Encryption { ..bucket.encryption.clone() }))
        }
        Kind::Cors => none_if_empty(Attributes::Cors(Cors { rules: bucket.cors.clone(), exclusive: true })),
        Kind::Versioning => LiveAspect::Present(Attributes::Versioning(Versioning {
            status: bucket.versioning.unwrap_or(VersioningStatus::Disabled),
        })),
        Kind::Lifecycle => none_if_empty(Attributes::Lifecycle(Lifecycle {
            rules: bucket.lifecycle.clone(),
            exclusive: true,
        })),
        Kind::BucketTags => tags(&bucket.tags),
        Kind::Logging => present(bucket.logging.clone().map(Attributes::Logging)),
        Kind::ObjectLock => present(bucket.lock.map(Attributes::ObjectLock)),
        Kind::BucketPolicy => present(bucket.policy.as_ref().map(|p| Attributes::Policy(rewritten(p)))),
        _ => panic!("{kind:?} is no aspect of a bucket"),
    }
}
