//! One bucket of the configuration, with what was read of it and of the key it is on.

use byob_model::address::{Kind, RootAddress, RootKind};
use byob_model::config::Wandb;
use byob_model::desired::{Desired, DesiredRoot};
use byob_model::kind::{Attributes, Cors, Encryption, KeyRef, ObjectLock, Ownership, Purpose};
use byob_model::live::{BucketFacts, Live, LiveAspect, LiveBucket, LiveKey};
use byob_model::recorded::Recorded;
use byob_policy::{AccountId, Document};

use crate::probe::Encrypted;

/// A bucket that is to be proved.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// `bucket.storage`.
    pub address: &'a RootAddress,
    /// As the configuration wants it.
    pub root: &'a DesiredRoot,
    /// The account that is to own it; 12 digits.
    pub account_id: &'a str,
    /// Who W&B is.
    pub wandb: &'a Wandb,
    /// As AWS answers for it.
    pub live: &'a LiveBucket,
    /// The key that it is on; `None` where it is on none.
    pub key: Option<UsedKey<'a>>,
}

/// The key that a bucket is on.
#[derive(Debug, Clone)]
pub struct UsedKey<'a> {
    /// `key.vision`, or its ARN.
    pub name: String,
    /// Its ARN; `None` where no key has its alias.
    pub arn: Option<String>,
    /// As AWS answers for it; `None` where it was not asked.
    pub live: Option<&'a LiveKey>,
    /// The policy that the configuration gives it; `None` for a key that is not byob's to manage.
    pub desired: Option<&'a Document>,
}

/// The buckets of a configuration, with what was read of them ([`crate::buckets`] and [`crate::keys`] say what to read).
#[must_use]
pub fn subjects<'a>(desired: &'a Desired, live: &'a Live, recorded: &Recorded) -> Vec<Subject<'a>> {
    let buckets = desired.roots.iter().filter(|(address, _)| address.kind == RootKind::Bucket);
    buckets
        .map(|(address, root)| {
            let found = live.buckets.get(&root.name).unwrap_or(&LiveBucket::Absent);
            let key = used_key(root, found).map(|key| {
                let arn = arn_of(&key, desired, live, recorded);
                let own = match &key {
                    KeyRef::Managed { arn_of } => desired.roots.get(arn_of),
                    KeyRef::Arn(_) => None,
                };
                UsedKey {
                    name: match &key {
                        KeyRef::Managed { arn_of } => arn_of.to_string(),
                        KeyRef::Arn(arn) => arn.clone(),
                    },
                    live: arn.as_ref().and_then(|arn| live.keys.get(arn)),
                    arn,
                    desired: own.and_then(|root| policy(root.managed(Kind::KeyPolicy)?)),
                }
            });
            Subject {
                address,
                root,
                account_id: &desired.account_id,
                wandb: &desired.wandb,
                live: found,
                key,
            }
        })
        .collect()
}

/// The key that the configuration puts a bucket on; of a bucket whose encryption is not managed, the one it is on.
pub(crate) fn used_key(root: &DesiredRoot, live: &LiveBucket) -> Option<KeyRef> {
    if root.managed(Kind::Encryption).is_some() {
        return root.encryption_key().cloned();
    }
    let LiveBucket::Exists(facts) = live else { return None };
    match facts.aspects.get(&Kind::Encryption)? {
        LiveAspect::Present(Attributes::Encryption(encryption)) => encryption.kms_key.clone(),
        _ => None,
    }
}

/// The ARN of a key: of one of the configuration's own, where its alias points; where aliases may not be listed, as it is
/// recorded.
pub(crate) fn arn_of(key: &KeyRef, desired: &Desired, live: &Live, recorded: &Recorded) -> Option<String> {
    match key {
        KeyRef::Arn(arn) => Some(arn.clone()),
        KeyRef::Managed { arn_of } => {
            let root = desired.roots.get(arn_of)?;
            match live.aliases.get(&(root.region.clone(), root.name.clone())) {
                Some(found) => found.clone(),
                None => recorded.root(arn_of).map(|key| key.identity.clone()),
            }
        }
    }
}

fn policy(attributes: &Attributes) -> Option<&Document> {
    match attributes {
        Attributes::Policy(policy) => Some(&policy.document),
        _ => None,
    }
}

impl<'a> Subject<'a> {
    /// What was read of it; `None` where it is not there, or not to be looked at.
    #[must_use]
    pub fn facts(&self) -> Option<&'a BucketFacts> {
        match self.live {
            LiveBucket::Exists(facts) => Some(facts),
            LiveBucket::Absent | LiveBucket::Forbidden { .. } => None,
        }
    }

    /// `arn:aws:s3:::acme-wandb`.
    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:{}:s3:::{}", self.root.partition, self.root.name)
    }

    /// Where it is: by AWS, else by the configuration.
    #[must_use]
    pub fn region(&self) -> &'a str {
        match self.facts() {
            Some(facts) if !facts.region.is_empty() => &facts.region,
            _ => &self.root.region,
        }
    }

    /// What W&B is to do with it.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        match &self.root.attributes {
            Attributes::Bucket(bucket) => bucket.purpose,
            _ => Purpose::Storage,
        }
    }

    /// The folder that W&B is given, with a slash at its end; empty for the whole bucket.
    pub(crate) fn folder(&self) -> String {
        self.root.path.as_ref().map(|path| format!("{path}/")).unwrap_or_default()
    }

    pub(crate) fn owner(&self) -> Option<AccountId> {
        self.account_id.parse().ok()
    }

    fn live_aspect(&self, kind: Kind) -> Option<&'a Attributes> {
        match self.facts()?.aspects.get(&kind)? {
            LiveAspect::Present(attributes) => Some(attributes),
            LiveAspect::Absent | LiveAspect::Unsupported { .. } | LiveAspect::Refused => None,
        }
    }

    /// The bucket's policy in AWS; an empty one where there is none.
    pub(crate) fn live_policy(&self) -> Document {
        self.live_aspect(Kind::BucketPolicy)
            .and_then(policy)
            .cloned()
            .unwrap_or_else(|| Document::new(Vec::new()))
    }

    /// The policy that the configuration gives it; `None` where it is not byob's to manage.
    pub(crate) fn desired_policy(&self) -> Option<&'a Document> {
        policy(self.root.managed(Kind::BucketPolicy)?)
    }

    /// The four switches as they are.
    pub(crate) fn block(&self) -> [bool; 4] {
        match self.live_aspect(Kind::PublicAccessBlock) {
            Some(Attributes::PublicAccessBlock(block)) => [
                block.block_public_acls,
                block.ignore_public_acls,
                block.block_public_policy,
                block.restrict_public_buckets,
            ],
            _ => [false; 4],
        }
    }

    /// As AWS spells it; `None` where nothing is set, and ACLs count.
    pub(crate) fn ownership(&self) -> Option<&'a str> {
        match self.live_aspect(Kind::Ownership)? {
            Attributes::Ownership(ownership) => Some(&ownership.object_ownership),
            _ => None,
        }
    }

    /// Whether the configuration switches ACLs off.
    pub(crate) fn wants_acls_off(&self) -> bool {
        match self.root.managed(Kind::Ownership) {
            Some(Attributes::Ownership(ownership)) => ownership.object_ownership == Ownership::ENFORCED,
            _ => false,
        }
    }

    /// The default encryption that the configuration gives it.
    pub(crate) fn desired_encryption(&self) -> Option<&'a Encryption> {
        match self.root.managed(Kind::Encryption)? {
            Attributes::Encryption(encryption) => Some(encryption),
            _ => None,
        }
    }

    /// How new objects are to be encrypted, with the key's ARN.
    pub(crate) fn wants_encrypted(&self) -> Option<Encrypted> {
        let wanted = self.desired_encryption()?;
        let key = match &wanted.kms_key {
            Some(KeyRef::Arn(arn)) => Some(arn.as_str()),
            Some(KeyRef::Managed { .. }) => self.key.as_ref().and_then(|key| key.arn.as_deref()),
            None => None,
        };
        Some(Encrypted::of(wanted, key))
    }

    /// The CORS rules that the configuration gives it.
    pub(crate) fn desired_cors(&self) -> Option<&'a Cors> {
        match self.root.managed(Kind::Cors)? {
            Attributes::Cors(cors) => Some(cors),
            _ => None,
        }
    }

    /// The object lock as it is.
    pub(crate) fn object_lock(&self) -> Option<&'a ObjectLock> {
        match self.live_aspect(Kind::ObjectLock)? {
            Attributes::ObjectLock(lock) => Some(lock),
            _ => None,
        }
    }
}
