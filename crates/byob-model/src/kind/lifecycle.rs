//! A bucket's lifecycle rules (`PutBucketLifecycleConfiguration`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// IDs of byob's own rules start with this.
pub const OUR_RULE_PREFIX: &str = "byob-";

/// The rules byob manages on a bucket, sorted by ID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    /// At most 1,000.
    pub rules: Vec<LifecycleRule>,
    /// True: these are the only rules. False: only rules whose ID starts with [`OUR_RULE_PREFIX`] are byob's. No live side.
    pub exclusive: bool,
}

/// One rule. Absent parts are `None` or empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LifecycleRule {
    /// At most 255 characters.
    pub id: String,
    /// `Enabled` or `Disabled`.
    pub enabled: bool,
    /// Which objects.
    pub filter: Filter,
    /// Days after which an unfinished multipart upload is aborted.
    pub abort_incomplete_multipart_upload_days: Option<u32>,
    /// What happens to current objects.
    pub expiration: Option<Expiration>,
    /// What happens to noncurrent versions.
    pub noncurrent_version_expiration: Option<NoncurrentExpiration>,
    /// Moves of current objects, by days or date.
    pub transitions: Vec<Transition>,
    /// Moves of noncurrent versions.
    pub noncurrent_version_transitions: Vec<NoncurrentTransition>,
}

/// Which objects a rule covers; everything absent or empty covers all. An empty prefix equals none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Key prefix; never empty.
    pub prefix: Option<String>,
    /// All of these tags.
    pub tags: BTreeMap<String, String>,
    /// Bytes.
    pub object_size_greater_than: Option<i64>,
    /// Bytes.
    pub object_size_less_than: Option<i64>,
}

/// Of current objects: exactly one is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expiration {
    /// Days after creation.
    pub days: Option<u32>,
    /// `2027-01-01`: midnight UTC of that day.
    pub date: Option<String>,
    /// Remove delete markers with no versions left.
    pub expired_object_delete_marker: bool,
}

/// Of noncurrent versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoncurrentExpiration {
    /// Days after becoming noncurrent.
    pub days: u32,
    /// How many newer noncurrent versions are kept, 1 to 100.
    pub newer_versions: Option<u32>,
}

/// A move to another storage class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    /// Days after creation.
    pub days: Option<u32>,
    /// `2027-01-01`.
    pub date: Option<String>,
    /// `STANDARD_IA`, `GLACIER`, ….
    pub storage_class: String,
}

/// A move of noncurrent versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoncurrentTransition {
    /// Days after becoming noncurrent.
    pub days: u32,
    /// How many newer noncurrent versions stay.
    pub newer_versions: Option<u32>,
    /// `STANDARD_IA`, `GLACIER`, ….
    pub storage_class: String,
}
