//! A key's automatic rotation (`EnableKeyRotation`, `DisableKeyRotation`).

use serde::{Deserialize, Serialize};

/// Off by default in AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// Whether AWS rotates the key's material.
    pub enabled: bool,
    /// 90 to 2,560 days; `None` when off, or where the endpoint does not report it.
    pub period_days: Option<u32>,
}
