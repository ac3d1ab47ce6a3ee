//! A world that keeps what is written to it as AWS does: puts replace, tags merge, a fresh bucket has AWS's defaults, a
//! policy comes back in another order. What AWS would refuse is a panic: a plan must not ask for it.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::{Kind, RootAddress};
use byob_model::call::{Call, Operation, Payload, Target};
use byob_model::kind::{
    Algorithm, Attributes, BYOB_INTENT, Cors, CorsRule, Encryption, KeyFormat, KeyRef, KeyState, Lifecycle,
    LifecycleRule, Logging, OUR_CORS_RULE, OUR_RULE_PREFIX, ObjectLock, Ownership, Policy, PublicAccessBlock,
    Rotation, SseC, Tags, Versioning, VersioningStatus, is_system_tag,
};
use byob_model::live::{
    BucketFacts, KeyFacts, Live, LiveAspect, LiveBucket, LiveKey, Refused, Wanted, WantedBucket,
};
use byob_policy::Document;

pub(crate) const ACCOUNT: &str = "123456789012";

/// In which ways an endpoint differs from AWS.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Quirks {
    /// A fresh bucket has no encryption, public access block or ownership (moto).
    pub(crate) bare: bool,
    /// `BlockedEncryptionTypes` is taken and never returned.
    pub(crate) hides_sse_c: bool,
    /// The rotation period is never returned.
    pub(crate) hides_period: bool,
    /// Logging without a key format comes back with the simple one.
    pub(crate) spells_simple: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Bucket {
    pub(crate) region: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) block: Option<PublicAccessBlock>,
    pub(crate) ownership: Option<String>,
    pub(crate) encryption: Option<Encryption>,
    pub(crate) policy: Option<Policy>,
    pub(crate) cors: Vec<CorsRule>,
    pub(crate) versioning: Option<VersioningStatus>,
    pub(crate) lifecycle: Vec<LifecycleRule>,
    pub(crate) logging: Option<Logging>,
    pub(crate) lock: Option<ObjectLock>,
    pub(crate) holds_data: bool,
    pub(crate) abac: bool,
    pub(crate) mfa_delete: bool,
    /// Answers 403; `Some(Some(false))`: and is not listed in this account.
    pub(crate) forbidden: Option<Option<bool>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) state: KeyState,
    pub(crate) description: String,
    pub(crate) policy: Policy,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) rotation: Rotation,
    pub(crate) usable: bool,
    pub(crate) forbidden: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) quirks: Quirks,
    pub(crate) buckets: BTreeMap<String, Bucket>,
    pub(crate) keys: BTreeMap<String, Key>,
    /// Region and name to ARN.
    pub(crate) aliases: BTreeMap<(String, String), String>,
    /// Kinds that the endpoint does not offer.
    pub(crate) unsupported: BTreeSet<Kind>,
    /// The caller may not read the versioning of any bucket.
    pub(crate) hides_versioning: bool,
    made: u32,
}

fn none_if_empty(attributes: Attributes) -> LiveAspect {
    if attributes.is_empty() { LiveAspect::Absent } else { LiveAspect::Present(attributes) }
}

/// A policy as AWS gives it back: other order, other spelling, same meaning.
fn rewritten(policy: &Policy) -> Policy {
    let mut statements = policy.document.statements.clone();
    statements.reverse();
    let text = Document { statements, ..policy.document.clone() }.to_json();
    let single: String = text.replace("[\"*\"]", "\"*\"");
    Policy { document: Document::parse(&single).unwrap() }
}

impl World {
    pub(crate) fn bucket(&mut self, name: &str) -> &mut Bucket {
        self.buckets.get_mut(name).unwrap_or_else(|| panic!("there is no bucket `{name}`"))
    }

    pub(crate) fn key(&mut self, arn: &str) -> &mut Key {
        self.keys.get_mut(arn).unwrap_or_else(|| panic!("there is no key `{arn}`"))
    }

    /// The key that an alias points at.
    pub(crate) fn arn(&self, region: &str, alias: &str) -> String {
        self.aliases[&(region.to_owned(), format!("alias/{alias}"))].clone()
    }

    /// A bucket with AWS's defaults.
    pub(crate) fn make_bucket(&mut self, name: &str, region: &str) -> &mut Bucket {
        let fresh = !self.quirks.bare;
        let bucket = Bucket {
            region: region.to_owned(),
            block: fresh.then_some(PublicAccessBlock::ALL),
            ownership: fresh.then(|| "BucketOwnerEnforced".to_owned()),
            encryption: fresh.then_some(Encryption {
                algorithm: Algorithm::Aes256,
                kms_key: None,
                bucket_key: false,
                sse_c: Some(SseC::Blocked),
            }),
            ..Bucket::default()
        };
        assert!(self.buckets.insert(name.to_owned(), bucket).is_none(), "`{name}` exists already");
        self.bucket(name)
    }

    /// A key of somebody's; returns its ARN.
    pub(crate) fn make_key(&mut self, region: &str, key: Key) -> String {
        self.made += 1;
        let arn = format!("arn:aws:kms:{region}:{ACCOUNT}:key/0000-{:04}", self.made);
        self.keys.insert(arn.clone(), key);
        arn
    }

    pub(crate) fn read(&self, wanted: &Wanted) -> Live {
        let mut live = Live::default();
        for (name, wanted) in &wanted.buckets {
            let mut bucket = self.read_bucket(name, wanted);
            if let (LiveBucket::Exists(facts), true) = (&mut bucket, self.hides_versioning) {
                facts.versioning_enabled = false;
                live.refused.push(Refused {
                    iam_action: "s3:GetBucketVersioning".into(),
                    resource: format!("arn:aws:s3:::{name}"),
                    request_id: None,
                });
            }
            live.buckets.insert(name.clone(), bucket);
        }
        for (region, alias) in &wanted.aliases {
            let found = self.aliases.get(&(region.clone(), alias.clone())).cloned();
            if let Some(arn) = &found
                && !wanted.keys.contains_key(arn)
            {
                live.keys.insert(arn.clone(), self.read_key(arn, &BTreeSet::new(), true));
            }
            live.aliases.insert((region.clone(), alias.clone()), found);
        }
        for (region, intent) in &wanted.key_intents {
            let tagged = |key: &Key| key.tags.get(BYOB_INTENT) == Some(&intent.to_string());
            let found =
                self.keys.iter().find(|(arn, key)| arn.contains(&format!(":{region}:")) && tagged(key));
            if let Some((arn, _)) = found {
                let whole = BTreeSet::from([Kind::KeyPolicy, Kind::Rotation, Kind::KeyTags]);
                live.key_intents.insert(*intent, arn.clone());
                live.keys.insert(arn.clone(), self.read_key(arn, &whole, true));
            }
        }
        for (arn, wanted) in &wanted.keys {
            let managed = !wanted.aspects.is_empty();
            live.keys.insert(arn.clone(), self.read_key(arn, &wanted.aspects, managed));
        }
        live
    }

    fn read_bucket(&self, name: &str, wanted: &WantedBucket) -> LiveBucket {
        let Some(bucket) = self.buckets.get(name) else { return LiveBucket::Absent };
        if let Some(listed) = bucket.forbidden {
            let region = Some(bucket.region.clone());
            return LiveBucket::Forbidden { region, listed: listed.filter(|_| wanted.recorded) };
        }
        let mut facts = BucketFacts { region: bucket.region.clone(), ..BucketFacts::default() };
        for kind in wanted.aspects.union(&wanted.beside) {
            let aspect = if self.unsupported.contains(kind) {
                LiveAspect::Unsupported { code: "NotImplemented".into() }
            } else {
                self.bucket_aspect(bucket, *kind)
            };
            facts.aspects.insert(*kind, aspect);
        }
        facts.has_policy = (wanted.contents || wanted.aspects.contains(&Kind::BucketPolicy))
            .then_some(bucket.policy.is_some());
        facts.holds_data = wanted.contents.then_some(bucket.holds_data);
        if !wanted.brief {
            facts.tags = bucket.tags.clone();
            facts.versioning_enabled = bucket.versioning == Some(VersioningStatus::Enabled);
            facts.mfa_delete = bucket.mfa_delete;
            facts.abac = bucket.abac;
        }
        LiveBucket::Exists(Box::new(facts))
    }

    fn bucket_aspect(&self, bucket: &Bucket, kind: Kind) -> LiveAspect {
        let present =
            |attributes: Option<Attributes>| attributes.map_or(LiveAspect::Absent, LiveAspect::Present);
        match kind {
            Kind::PublicAccessBlock => present(bucket.block.map(Attributes::PublicAccessBlock)),
            Kind::Ownership => present(
                bucket.ownership.clone().map(|o| Attributes::Ownership(Ownership { object_ownership: o })),
            ),
            Kind::Encryption => present(bucket.encryption.clone().map(|encryption| {
                let sse_c = encryption.sse_c.filter(|_| !self.quirks.hides_sse_c);
                Attributes::Encryption(Encryption { sse_c, ..encryption })
            })),
            Kind::Cors => {
                none_if_empty(Attributes::Cors(Cors { rules: bucket.cors.clone(), exclusive: true }))
            }
            Kind::Versioning => LiveAspect::Present(Attributes::Versioning(Versioning {
                status: bucket.versioning.unwrap_or(VersioningStatus::Disabled),
            })),
            Kind::Lifecycle => none_if_empty(Attributes::Lifecycle(Lifecycle {
                rules: bucket.lifecycle.clone(),
                exclusive: true,
            })),
            Kind::BucketTags => tags(&bucket.tags),
            Kind::Logging => present(bucket.logging.clone().map(|logging| {
                let simple = self.quirks.spells_simple.then_some(KeyFormat::Simple);
                Attributes::Logging(Logging { key_format: logging.key_format.or(simple), ..logging })
            })),
            Kind::ObjectLock => present(bucket.lock.map(Attributes::ObjectLock)),
            Kind::BucketPolicy => present(bucket.policy.as_ref().map(|p| Attributes::Policy(rewritten(p)))),
            _ => panic!("{kind:?} is no aspect of a bucket"),
        }
    }

    fn read_key(&self, arn: &str, wanted: &BTreeSet<Kind>, with_tags: bool) -> LiveKey {
        let Some(key) = self.keys.get(arn) else { return LiveKey::Absent };
        if key.forbidden {
            return LiveKey::Forbidden;
        }
        let pending = key.state == KeyState::PendingDeletion;
        let aspects = wanted.iter().map(|kind| {
            let aspect = match kind {
                Kind::KeyPolicy => LiveAspect::Present(Attributes::Policy(rewritten(&key.policy))),
                // `GetKeyRotationStatus` is `KMSInvalidStateException` then, which reads as nothing.
                Kind::Rotation if pending => LiveAspect::Absent,
                Kind::Rotation => LiveAspect::Present(Attributes::Rotation(Rotation {
                    period_days: key.rotation.period_days.filter(|_| !self.quirks.hides_period),
                    ..key.rotation
                })),
                Kind::KeyTags => tags(&key.tags),
                _ => panic!("{kind:?} is not read of a key"),
            };
            (*kind, aspect)
        });
        LiveKey::Exists(Box::new(KeyFacts {
            arn: arn.to_owned(),
            state: key.state.clone(),
            description: key.description.clone(),
            usable: key.usable,
            aspects: aspects.collect(),
            tags: if with_tags { key.tags.clone() } else { BTreeMap::new() },
            aliases: self
                .aliases
                .iter()
                .filter(|(_, to)| *to == arn)
                .map(|((_, name), _)| name.clone())
                .collect(),
        }))
    }

    /// Makes one write, its symbols resolved. Returns the ARN of a key it made.
    pub(crate) fn perform(&mut self, call: &Call, arns: &BTreeMap<RootAddress, String>) -> Option<String> {
        match &call.target {
            Target::Bucket { name, region, account_id } => {
                assert_eq!(account_id, ACCOUNT);
                self.write_bucket(name, region, call, arns);
                None
            }
            Target::Key { key, region, account_id } => {
                assert_eq!(account_id, ACCOUNT);
                if let (Operation::CreateKey, Payload::NewKey { description, policy, tags, .. }) =
                    (call.operation, &call.payload)
                {
                    return Some(self.make_key(region, new_key(description, policy, tags)));
                }
                self.write_key(&resolve(key, arns), region, call);
                None
            }
        }
    }

    fn write_bucket(&mut self, name: &str, region: &str, call: &Call, arns: &BTreeMap<RootAddress, String>) {
        if let (Operation::CreateBucket, Payload::NewBucket { object_lock, .. }) =
            (call.operation, &call.payload)
        {
            let bucket = self.make_bucket(name, region);
            if *object_lock {
                bucket.versioning = Some(VersioningStatus::Enabled);
                bucket.lock = Some(ObjectLock { mode: None, days: None, years: None });
            }
            return;
        }
        assert_eq!(self.bucket(name).region, region, "wrong region for `{name}`");
        if let Payload::Attributes(Attributes::Encryption(Encryption { kms_key: Some(key), .. })) =
            &call.payload
        {
            let arn = resolve(key, arns);
            assert!(arn.contains(&format!(":{region}:")), "{arn} is not in the bucket's region");
        }
        if let Payload::Attributes(Attributes::Logging(Logging { target_bucket: Some(target), .. })) =
            &call.payload
        {
            assert!(self.buckets.contains_key(target), "logs of `{name}` would go nowhere");
        }
        let bucket = self.bucket(name);
        assert!(bucket.forbidden.is_none() && !bucket.abac);
        match (call.operation, &call.payload) {
            (Operation::DeleteBucket, _) => {
                assert!(!bucket.holds_data, "BucketNotEmpty: {name}");
                self.buckets.remove(name);
            }
            (Operation::DeleteObjects, _) => bucket.holds_data = false,
            (Operation::PutPublicAccessBlock, Payload::Attributes(Attributes::PublicAccessBlock(block))) => {
                bucket.block = Some(*block);
            }
            (
                Operation::PutBucketOwnershipControls,
                Payload::Attributes(Attributes::Ownership(ownership)),
            ) => {
                bucket.ownership = Some(ownership.object_ownership.clone());
            }
            (Operation::PutBucketEncryption, Payload::Attributes(Attributes::Encryption(encryption))) => {
                let kept = bucket.encryption.as_ref().and_then(|e| e.sse_c);
                let kms_key = encryption.kms_key.as_ref().map(|key| KeyRef::Arn(resolve(key, arns)));
                bucket.encryption =
                    Some(Encryption { kms_key, sse_c: encryption.sse_c.or(kept), ..encryption.clone() });
            }
            (
                Operation::PutBucketCors | Operation::DeleteBucketCors,
                Payload::Attributes(Attributes::Cors(cors)),
            ) => {
                let mut rules = cors.rules.clone();
                if !cors.exclusive {
                    let others = bucket.cors.iter().filter(|r| r.id.as_deref() != Some(OUR_CORS_RULE));
                    rules.extend(others.cloned());
                }
                bucket.cors = rules;
            }
            (Operation::DeleteBucketCors, Payload::None) => bucket.cors.clear(),
            (Operation::PutBucketVersioning, Payload::Attributes(Attributes::Versioning(versioning))) => {
                assert_ne!(versioning.status, VersioningStatus::Disabled, "MalformedXML");
                assert!(bucket.lock.is_none() || versioning.status == VersioningStatus::Enabled);
                bucket.versioning = Some(versioning.status);
            }
            (
                Operation::PutBucketLifecycleConfiguration,
                Payload::Attributes(Attributes::Lifecycle(lifecycle)),
            ) => {
                let mut rules = lifecycle.rules.clone();
                if !lifecycle.exclusive {
                    rules.extend(
                        bucket.lifecycle.iter().filter(|r| !r.id.starts_with(OUR_RULE_PREFIX)).cloned(),
                    );
                }
                rules.sort_by(|a, b| a.id.cmp(&b.id));
                bucket.lifecycle = rules;
                let ids: BTreeSet<&String> = bucket.lifecycle.iter().map(|r| &r.id).collect();
                assert_eq!(ids.len(), bucket.lifecycle.len(), "rule IDs must be unique");
            }
            (Operation::DeleteBucketLifecycle, Payload::None) => bucket.lifecycle.clear(),
            (Operation::PutBucketTagging, Payload::Tags { set, remove }) => {
                bucket.tags.retain(|key, _| !remove.contains(key));
                bucket.tags.extend(set.clone());
                assert!(bucket.tags.len() <= 50);
            }
            (Operation::PutBucketLogging, Payload::Attributes(Attributes::Logging(logging))) => {
                bucket.logging = logging.target_bucket.is_some().then(|| logging.clone());
            }
            (Operation::PutObjectLockConfiguration, Payload::Attributes(Attributes::ObjectLock(lock))) => {
                assert_eq!(bucket.versioning, Some(VersioningStatus::Enabled), "InvalidBucketState");
                bucket.lock = Some(*lock);
            }
            (Operation::PutBucketPolicy, Payload::Attributes(Attributes::Policy(policy))) => {
                assert!(!policy.document.is_empty(), "MalformedPolicy");
                assert!(policy.document.to_json().len() <= 20 * 1024, "policy too large");
                bucket.policy = Some(policy.clone());
            }
            (Operation::DeleteBucketPolicy, Payload::None) => bucket.policy = None,
            other => panic!("no such write of a bucket: {other:?}"),
        }
    }

    fn write_key(&mut self, arn: &str, region: &str, call: &Call) {
        let at = |name: &str| (region.to_owned(), name.to_owned());
        assert!(arn.contains(&format!(":{region}:")), "{arn} is not in {region}");
        let state = self.key(arn).state.clone();
        let alive = state != KeyState::PendingDeletion;
        match (call.operation, &call.payload) {
            (Operation::CreateAlias, Payload::Alias { name }) => {
                assert!(alive, "KMSInvalidStateException");
                let before = self.aliases.insert(at(name), arn.to_owned());
                assert_eq!(before, None, "AlreadyExistsException: {name}");
                return;
            }
            (Operation::DeleteAlias, Payload::Alias { name }) => {
                assert_eq!(self.aliases.remove(&at(name)).as_deref(), Some(arn), "somebody else's alias");
                return;
            }
            _ => {}
        }
        let key = self.key(arn);
        match (call.operation, &call.payload) {
            (Operation::UpdateKeyDescription, Payload::Attributes(Attributes::Key(wanted))) => {
                assert!(alive, "KMSInvalidStateException");
                key.description.clone_from(&wanted.description);
            }
            (Operation::EnableKey, Payload::None) => {
                assert!(alive, "KMSInvalidStateException");
                key.state = KeyState::Enabled;
            }
            (Operation::CancelKeyDeletion, Payload::None) => {
                assert!(!alive, "KMSInvalidStateException");
                key.state = KeyState::Disabled;
            }
            (Operation::ScheduleKeyDeletion, Payload::Window { days }) => {
                assert!((7..=30).contains(days));
                key.state = KeyState::PendingDeletion;
            }
            (Operation::PutKeyPolicy, Payload::Attributes(Attributes::Policy(policy))) => {
                assert!(!policy.document.is_empty());
                key.policy = policy.clone();
            }
            (Operation::EnableKeyRotation, Payload::Attributes(Attributes::Rotation(rotation))) => {
                assert_eq!(state, KeyState::Enabled, "DisabledException");
                key.rotation = Rotation { enabled: true, period_days: rotation.period_days.or(Some(365)) };
            }
            (Operation::DisableKeyRotation, Payload::None) => {
                assert_eq!(state, KeyState::Enabled, "DisabledException");
                key.rotation = Rotation { enabled: false, period_days: None };
            }
            (Operation::TagResource, Payload::Tags { set, remove }) => {
                assert!(alive && remove.is_empty() && !set.is_empty());
                key.tags.extend(set.clone());
            }
            (Operation::UntagResource, Payload::Tags { set, remove }) => {
                assert!(alive && set.is_empty() && !remove.is_empty());
                key.tags.retain(|name, _| !remove.contains(name));
            }
            other => panic!("no such write of a key: {other:?}"),
        }
    }
}

fn tags(all: &BTreeMap<String, String>) -> LiveAspect {
    let tags =
        all.iter().filter(|(key, _)| !is_system_tag(key)).map(|(k, v)| (k.clone(), v.clone())).collect();
    none_if_empty(Attributes::Tags(Tags { tags }))
}

/// A key with AWS's defaults.
pub(crate) fn new_key(description: &str, policy: &Policy, tags: &BTreeMap<String, String>) -> Key {
    Key {
        state: KeyState::Enabled,
        description: description.to_owned(),
        policy: policy.clone(),
        tags: tags.clone(),
        rotation: Rotation { enabled: false, period_days: None },
        usable: true,
        forbidden: false,
    }
}

/// Somebody else's key.
pub(crate) fn strange_key() -> Key {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:root"}},"Action":"kms:*","Resource":"*"}}]}}"#
    );
    let policy = Policy { document: Document::parse(&text).unwrap() };
    new_key("somebody's", &policy, &BTreeMap::new())
}

fn resolve(key: &KeyRef, arns: &BTreeMap<RootAddress, String>) -> String {
    match key {
        KeyRef::Arn(arn) => arn.clone(),
        KeyRef::Managed { arn_of } => {
            arns.get(arn_of).cloned().unwrap_or_else(|| panic!("the ARN of {arn_of} is not known yet"))
        }
    }
}

impl World {
    /// The same world, in which nothing says who made this bucket.
    pub(crate) fn without_proof(mut self, name: &str) -> Self {
        self.bucket(name).tags.retain(|key, _| key != byob_model::kind::BYOB_LINEAGE);
        self
    }
}
