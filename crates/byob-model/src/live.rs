//! Live state: what AWS answers now, keyed by identity (names and ARNs), never by address. And what to ask for.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::address::Kind;
use crate::kind::{Attributes, KeyState};

/// What has to be read before anything can be compared. Only managed aspects are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// By bucket name.
    pub buckets: BTreeMap<String, WantedBucket>,
    /// By key ARN.
    pub keys: BTreeMap<String, WantedKey>,
    /// By region and alias name (`alias/x`).
    pub aliases: BTreeSet<(String, String)>,
    /// Keys made for these intents, to be found by their `byob:intent` tag: region and intent.
    pub key_intents: BTreeSet<(String, Uuid)>,
    /// Regions in which every key that carries `byob:lineage` is looked for.
    pub key_lineages: BTreeSet<String>,
}

/// What to read of a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WantedBucket {
    /// Where it is thought to be.
    pub region: String,
    /// Which aspects. Tags, versioning and the ABAC status are always read of a bucket that exists, unless `brief`.
    pub aspects: BTreeSet<Kind>,
    /// Aspects that nobody manages and that yet decide who gets in: read where the caller may, and else left out.
    pub beside: BTreeSet<Kind>,
    /// Whether objects, versions, markers or uploads are left has to be known (deletion, adoption, keys in use).
    pub contents: bool,
    /// Only the existence and the named aspects: no tags, no versioning, no ABAC status.
    pub brief: bool,
    /// The bucket is recorded: a 403 is looked up in `ListBuckets`, to tell "not allowed" from "not ours any more".
    pub recorded: bool,
}

/// What to read of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WantedKey {
    /// Which aspects; none for somebody else's key, of which only the state counts.
    pub aspects: BTreeSet<Kind>,
}

/// Everything that was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Live {
    /// By bucket name; every wanted one is here.
    pub buckets: BTreeMap<String, LiveBucket>,
    /// By key ARN; every wanted one is here, and those found by alias, intent or lineage.
    pub keys: BTreeMap<String, LiveKey>,
    /// By region and alias name: the ARN of the key it points at; `None` where there is no such alias.
    pub aliases: BTreeMap<(String, String), Option<String>>,
    /// Keys found by their intent tag.
    pub key_intents: BTreeMap<Uuid, String>,
    /// How many attributes were read (leaves of all present aspects), for people.
    pub attributes: usize,
    /// Reads that AWS refused.
    pub refused: Vec<Refused>,
    /// What the endpoint does not offer, in words, for people.
    pub notes: Vec<String>,
}

/// A read that was refused for want of a right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    /// `s3:GetBucketPolicy`.
    pub iam_action: String,
    /// ARN of what it was asked of.
    pub resource: String,
    /// AWS's request id.
    pub request_id: Option<String>,
}

/// A bucket name, as AWS answers for it.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveBucket {
    /// 404.
    Absent,
    /// 403 although not recorded, or still listed in this account: somebody else's, or not allowed.
    Forbidden {
        /// From `x-amz-bucket-region`.
        region: Option<String>,
        /// Whether `ListBuckets` of this account lists it; `None` where that was not asked or not allowed.
        listed: Option<bool>,
    },
    /// It exists and is this account's.
    Exists(Box<BucketFacts>),
}

/// What was read of an existing bucket.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BucketFacts {
    /// Its real region.
    pub region: String,
    /// The wanted aspects.
    pub aspects: BTreeMap<Kind, LiveAspect>,
    /// All tags, everybody's.
    pub tags: BTreeMap<String, String>,
    /// Whether versioning is `Enabled`.
    pub versioning_enabled: bool,
    /// MFA delete is on.
    pub mfa_delete: bool,
    /// Attribute-based access control is on: tags are access.
    pub abac: bool,
    /// Whether an object, version, marker or unfinished upload is left; `None` where not asked.
    pub holds_data: Option<bool>,
    /// Whether there is a bucket policy; `None` where not asked.
    pub has_policy: Option<bool>,
}

/// A key, as `DescribeKey` answers.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveKey {
    /// `NotFoundException`.
    Absent,
    /// `AccessDeniedException`: somebody else's, or not allowed.
    Forbidden,
    /// It exists.
    Exists(Box<KeyFacts>),
}

/// What was read of an existing key.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyFacts {
    /// Full ARN.
    pub arn: String,
    /// Its state.
    pub state: KeyState,
    /// Its description.
    pub description: String,
    /// `SYMMETRIC_DEFAULT` and `ENCRYPT_DECRYPT`, made by a customer: usable for buckets and manageable.
    pub usable: bool,
    /// The wanted aspects.
    pub aspects: BTreeMap<Kind, LiveAspect>,
    /// All tags; empty where not asked.
    pub tags: BTreeMap<String, String>,
    /// All aliases that point at it (`alias/x`); empty where not asked.
    pub aliases: BTreeSet<String>,
}

/// One aspect, as AWS answers for it.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveAspect {
    /// AWS says there is none.
    Absent,
    /// It is there.
    Present(Attributes),
    /// The endpoint does not offer it (`NotImplemented` and its like).
    Unsupported {
        /// AWS's code.
        code: String,
    },
    /// The caller may not read it (listed in [`Live::refused`]).
    Refused,
}
