//! What an AWS account holds, and what each write does to it.

use std::collections::{BTreeMap, BTreeSet};

use byob_apply::{CloudError, ErrorKind};
use byob_model::call::{Call, Operation, Payload, Target};
use byob_model::kind::{
    Algorithm, Attributes, CorsRule, Encryption, KeyRef, KeyState, LifecycleRule, Logging, OUR_CORS_RULE,
    OUR_RULE_PREFIX, ObjectLock, Policy, PublicAccessBlock, Rotation, SseC, VersioningStatus,
};

use super::ACCOUNT;
use super::answers::refused;

/// A bucket.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "its aspects, as the model names them")]
pub struct Bucket {
    pub region: String,
    pub tags: BTreeMap<String, String>,
    pub block: Option<PublicAccessBlock>,
    pub ownership: Option<String>,
    pub encryption: Encryption,
    pub policy: Option<Policy>,
    pub cors: Vec<CorsRule>,
    pub versioning: Option<VersioningStatus>,
    pub lifecycle: Vec<LifecycleRule>,
    pub logging: Option<Logging>,
    pub lock: Option<ObjectLock>,
    /// How many objects, versions and uploads are in it.
    pub objects: usize,
    /// Whose it is.
    pub owner: String,
}

/// A key.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "its aspects, as the model names them")]
pub struct Key {
    pub region: String,
    pub state: KeyState,
    pub description: String,
    pub policy: Policy,
    pub tags: BTreeMap<String, String>,
    pub rotation: Rotation,
}

/// What is in the account.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Account {
    /// By name.
    pub buckets: BTreeMap<String, Bucket>,
    /// By ARN.
    pub keys: BTreeMap<String, Key>,
    /// Region and name to ARN.
    pub aliases: BTreeMap<(String, String), String>,
    keys_made: u32,
}

impl Bucket {
    /// With AWS's defaults.
    #[must_use]
    pub fn fresh(region: &str) -> Self {
        Self {
            region: region.to_owned(),
            tags: BTreeMap::new(),
            block: Some(PublicAccessBlock::ALL),
            ownership: Some("BucketOwnerEnforced".to_owned()),
            encryption: Encryption {
                algorithm: Algorithm::Aes256,
                kms_key: None,
                bucket_key: false,
                sse_c: Some(SseC::Blocked),
            },
            policy: None,
            cors: Vec::new(),
            versioning: None,
            lifecycle: Vec::new(),
            logging: None,
            lock: None,
            objects: 0,
            owner: ACCOUNT.to_owned(),
        }
    }
}

impl Account {
    /// The bucket of this name.
    ///
    /// # Panics
    /// If there is none.
    pub fn bucket(&mut self, name: &str) -> &mut Bucket {
        self.buckets.get_mut(name).unwrap_or_else(|| panic!("there is no bucket `{name}`"))
    }

    /// The one key that is not pending deletion.
    ///
    /// # Panics
    /// If there is none, or more than one.
    pub fn key(&mut self) -> (&String, &mut Key) {
        let mut alive = self.keys.iter_mut().filter(|(_, key)| key.state != KeyState::PendingDeletion);
        let key = alive.next().expect("a key");
        assert!(alive.next().is_none(), "two keys");
        key
    }

    /// The states of all keys.
    #[must_use]
    pub fn key_states(&self) -> Vec<KeyState> {
        self.keys.values().map(|key| key.state.clone()).collect()
    }

    /// How many keys are not pending deletion.
    #[must_use]
    pub fn alive(&self) -> usize {
        self.keys.values().filter(|key| key.state != KeyState::PendingDeletion).count()
    }

    pub(super) fn make_key(&mut self, region: &str, description: &str, policy: &Policy) -> String {
        self.keys_made += 1;
        let arn = format!("arn:aws:kms:{region}:{ACCOUNT}:key/00000000-{:04}", self.keys_made);
        let key = Key {
            region: region.to_owned(),
            state: KeyState::Enabled,
            description: description.to_owned(),
            policy: policy.clone(),
            tags: BTreeMap::new(),
            rotation: Rotation { enabled: false, period_days: None },
        };
        self.keys.insert(arn.clone(), key);
        arn
    }

    /// Makes one write. Returns the ARN of a key it made.
    pub(super) fn write(&mut self, call: &Call) -> Result<Option<String>, CloudError> {
        match &call.target {
            Target::Bucket { name, region, account_id } => {
                assert_eq!(account_id, ACCOUNT);
                self.write_bucket(name, region, call).map(|()| None)
            }
            Target::Key { key, region, account_id } => {
                assert_eq!(account_id, ACCOUNT);
                if let (Operation::CreateKey, Payload::NewKey { description, policy, tags, intent }) =
                    (call.operation, &call.payload)
                {
                    assert!(intent.is_some(), "a key without an intent cannot be found again");
                    let arn = self.make_key(region, description, policy);
                    if let Some(key) = self.keys.get_mut(&arn) {
                        key.tags.clone_from(tags);
                    }
                    return Ok(Some(arn));
                }
                let KeyRef::Arn(arn) = key else { panic!("a symbolic key reached AWS: {call:?}") };
                self.write_key(arn, region, call).map(|()| None)
            }
        }
    }

    fn write_bucket(&mut self, name: &str, region: &str, call: &Call) -> Result<(), CloudError> {
        if let (Operation::CreateBucket, Payload::NewBucket { object_lock, intent }) =
            (call.operation, &call.payload)
        {
            assert!(intent.is_some());
            return self.make_bucket(name, region, *object_lock);
        }
        let logs_to = match &call.payload {
            Payload::Attributes(Attributes::Logging(logging)) => logging.target_bucket.as_ref(),
            _ => None,
        };
        if logs_to.is_some_and(|target| !self.buckets.contains_key(target)) {
            return Err(refused(call, ErrorKind::Invalid, "InvalidTargetBucketForLogging"));
        }
        let Some(bucket) = self.buckets.get_mut(name) else {
            return Err(refused(call, ErrorKind::NoSuchBucket, "NoSuchBucket"));
        };
        if bucket.owner != ACCOUNT {
            return Err(refused(call, ErrorKind::AccessDenied, "AccessDenied"));
        }
        assert_eq!(bucket.region, region, "wrong region for `{name}`");
        match (call.operation, &call.payload) {
            (Operation::DeleteBucket, _) => {
                if bucket.objects > 0 {
                    return Err(refused(call, ErrorKind::NotEmpty, "BucketNotEmpty"));
                }
                self.buckets.remove(name);
            }
            // One call is a page.
            (Operation::DeleteObjects, _) => bucket.objects = bucket.objects.saturating_sub(2),
            (Operation::PutPublicAccessBlock, Payload::Attributes(Attributes::PublicAccessBlock(block))) => {
                bucket.block = Some(*block);
            }
            (Operation::PutBucketOwnershipControls, Payload::Attributes(Attributes::Ownership(wanted))) => {
                bucket.ownership = Some(wanted.object_ownership.clone());
            }
            (Operation::PutBucketEncryption, Payload::Attributes(Attributes::Encryption(wanted))) => {
                match &wanted.kms_key {
                    Some(KeyRef::Managed { arn_of }) => panic!("the ARN of {arn_of} is not known yet"),
                    Some(KeyRef::Arn(arn)) => assert!(arn.contains(&format!(":{region}:")), "{arn}"),
                    None => {}
                }
                let sse_c = wanted.sse_c.or(bucket.encryption.sse_c);
                bucket.encryption = Encryption { sse_c, ..wanted.clone() };
            }
            (
                Operation::PutBucketCors | Operation::DeleteBucketCors,
                Payload::Attributes(Attributes::Cors(cors)),
            ) => {
                let others = bucket.cors.iter().filter(|r| r.id.as_deref() != Some(OUR_CORS_RULE)).cloned();
                let others: Vec<_> = if cors.exclusive { Vec::new() } else { others.collect() };
                bucket.cors = cors.rules.iter().cloned().chain(others).collect();
            }
            (Operation::DeleteBucketCors, Payload::None) => bucket.cors.clear(),
            (Operation::PutBucketVersioning, Payload::Attributes(Attributes::Versioning(wanted))) => {
                assert_ne!(wanted.status, VersioningStatus::Disabled, "MalformedXML");
                bucket.versioning = Some(wanted.status);
            }
            (
                Operation::PutBucketLifecycleConfiguration,
                Payload::Attributes(Attributes::Lifecycle(wanted)),
            ) => {
                let others = bucket.lifecycle.iter().filter(|r| !r.id.starts_with(OUR_RULE_PREFIX)).cloned();
                let others: Vec<_> = if wanted.exclusive { Vec::new() } else { others.collect() };
                bucket.lifecycle = wanted.rules.iter().cloned().chain(others).collect();
                bucket.lifecycle.sort_by(|a, b| a.id.cmp(&b.id));
                let ids: BTreeSet<&String> = bucket.lifecycle.iter().map(|r| &r.id).collect();
                assert_eq!(ids.len(), bucket.lifecycle.len(), "rule IDs must be unique");
            }
            (Operation::DeleteBucketLifecycle, Payload::None) => bucket.lifecycle.clear(),
            (Operation::PutBucketTagging, Payload::Tags { set, remove }) => {
                bucket.tags.retain(|key, _| !remove.contains(key));
                bucket.tags.extend(set.clone());
            }
            (Operation::PutBucketLogging, Payload::Attributes(Attributes::Logging(logging))) => {
                bucket.logging = logging.target_bucket.is_some().then(|| logging.clone());
            }
            (Operation::PutObjectLockConfiguration, Payload::Attributes(Attributes::ObjectLock(lock))) => {
                if bucket.versioning != Some(VersioningStatus::Enabled) {
                    return Err(refused(call, ErrorKind::InvalidState, "InvalidBucketState"));
                }
                bucket.lock = Some(*lock);
            }
            (Operation::PutBucketPolicy, Payload::Attributes(Attributes::Policy(policy))) => {
                assert!(!policy.document.is_empty(), "MalformedPolicy");
                bucket.policy = Some(policy.clone());
            }
            (Operation::DeleteBucketPolicy, Payload::None) => bucket.policy = None,
            other => panic!("no such write of a bucket: {other:?}"),
        }
        Ok(())
    }

    fn make_bucket(&mut self, name: &str, region: &str, object_lock: bool) -> Result<(), CloudError> {
        let error = |kind, code| {
            let target =
                Target::Bucket { name: name.into(), region: region.into(), account_id: ACCOUNT.into() };
            let call = Call { operation: Operation::CreateBucket, target, payload: Payload::None };
            Err(refused(&call, kind, code))
        };
        match self.buckets.get_mut(name) {
            Some(known) if known.owner != ACCOUNT => {
                return error(ErrorKind::AlreadyExists, "BucketAlreadyExists");
            }
            // The legacy quirk; elsewhere it is 409.
            Some(_) if region == "us-east-1" => return Ok(()),
            Some(_) => return error(ErrorKind::AlreadyOwned, "BucketAlreadyOwnedByYou"),
            None => {}
        }
        let mut bucket = Bucket::fresh(region);
        if object_lock {
            bucket.versioning = Some(VersioningStatus::Enabled);
            bucket.lock = Some(ObjectLock { mode: None, days: None, years: None });
        }
        self.buckets.insert(name.to_owned(), bucket);
        Ok(())
    }

    fn write_key(&mut self, arn: &str, region: &str, call: &Call) -> Result<(), CloudError> {
        let at = |name: &str| (region.to_owned(), name.to_owned());
        assert!(arn.contains(&format!(":{region}:")), "{arn} is not in {region}");
        let invalid = || Err(refused(call, ErrorKind::InvalidState, "KMSInvalidStateException"));
        let Some(key) = self.keys.get_mut(arn) else {
            return Err(refused(call, ErrorKind::NotFound, "NotFoundException"));
        };
        let pending = key.state == KeyState::PendingDeletion;
        match (call.operation, &call.payload) {
            (Operation::DeleteAlias, Payload::Alias { name }) => {
                return match self.aliases.remove(&at(name)) {
                    None => Err(refused(call, ErrorKind::NotFound, "NotFoundException")),
                    Some(of) => {
                        assert_eq!(of, arn, "somebody else's alias");
                        Ok(())
                    }
                };
            }
            (Operation::CancelKeyDeletion, Payload::None) => {
                if !pending {
                    return invalid();
                }
                key.state = KeyState::Disabled;
                return Ok(());
            }
            (Operation::PutKeyPolicy, Payload::Attributes(Attributes::Policy(policy))) => {
                assert!(!policy.document.is_empty());
                key.policy = policy.clone();
                return Ok(());
            }
            _ if pending => return invalid(),
            (Operation::CreateAlias, Payload::Alias { name }) => {
                if self.aliases.contains_key(&at(name)) {
                    return Err(refused(call, ErrorKind::AlreadyExists, "AlreadyExistsException"));
                }
                self.aliases.insert(at(name), arn.to_owned());
            }
            (Operation::UpdateKeyDescription, Payload::Attributes(Attributes::Key(wanted))) => {
                key.description.clone_from(&wanted.description);
            }
            (Operation::EnableKey, Payload::None) => key.state = KeyState::Enabled,
            (Operation::ScheduleKeyDeletion, Payload::Window { days }) => {
                assert!((7..=30).contains(days));
                key.state = KeyState::PendingDeletion;
            }
            (Operation::EnableKeyRotation | Operation::DisableKeyRotation, _)
                if key.state != KeyState::Enabled =>
            {
                return Err(refused(call, ErrorKind::InvalidState, "DisabledException"));
            }
            (Operation::EnableKeyRotation, Payload::Attributes(Attributes::Rotation(rotation))) => {
                key.rotation = Rotation { enabled: true, period_days: rotation.period_days.or(Some(365)) };
            }
            (Operation::DisableKeyRotation, Payload::None) => {
                key.rotation = Rotation { enabled: false, period_days: None };
            }
            (Operation::TagResource, Payload::Tags { set, remove }) => {
                assert!(remove.is_empty() && !set.is_empty());
                key.tags.extend(set.clone());
            }
            (Operation::UntagResource, Payload::Tags { set, remove }) => {
                assert!(set.is_empty() && !remove.is_empty());
                key.tags.retain(|name, _| !remove.contains(name));
            }
            other => panic!("no such write of a key: {other:?}"),
        }
        Ok(())
    }
}
