//! A bucket's versioning (`PutBucketVersioning`).

use serde::{Deserialize, Serialize};

/// Once enabled it can only be suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versioning {
    /// Whether new versions are kept.
    pub status: VersioningStatus,
}

/// As S3 spells it; `Disabled` (never enabled) is what an empty answer means and can never be asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum VersioningStatus {
    /// On.
    Enabled,
    /// Was on once.
    Suspended,
    /// Never was on.
    Disabled,
}
