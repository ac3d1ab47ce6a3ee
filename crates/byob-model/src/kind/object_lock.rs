//! A bucket's object lock (`PutObjectLockConfiguration`). It cannot be turned off.

use serde::{Deserialize, Serialize};

/// Default retention mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RetentionMode {
    /// Privileged users may shorten it.
    Governance,
    /// Nobody may.
    Compliance,
}

/// Object lock is on; the default retention may be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectLock {
    /// Default retention mode, with `days` or `years`.
    pub mode: Option<RetentionMode>,
    /// Days of default retention.
    pub days: Option<u32>,
    /// Years of default retention.
    pub years: Option<u32>,
}
