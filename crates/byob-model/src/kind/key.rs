//! The KMS key itself.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Waivers;

/// `DescribeKey`'s `KeyState`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// Usable.
    Enabled,
    /// Not usable until enabled.
    Disabled,
    /// Deletion is scheduled; most writes are refused.
    PendingDeletion,
    /// Any other state, as AWS spells it (`PendingImport`, `Unavailable`, …).
    Other(String),
}

impl KeyState {
    /// As AWS spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion => "PendingDeletion",
            Self::Other(other) => other,
        }
    }
}

impl From<&str> for KeyState {
    fn from(text: &str) -> Self {
        match text {
            "Enabled" => Self::Enabled,
            "Disabled" => Self::Disabled,
            "PendingDeletion" => Self::PendingDeletion,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for KeyState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for KeyState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(String::deserialize(deserializer)?.as_str()))
    }
}

/// A symmetric `ENCRYPT_DECRYPT` key. Its ARN is its identity, not an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// At most 8,192 characters.
    pub description: String,
    /// Desired is always `Enabled`.
    pub state: KeyState,
    /// Days between scheduling and deletion, 7 to 30. No live side.
    pub deletion_window_days: u32,
    /// Refuses deletion while true. No live side.
    pub protect: bool,
    /// The waivers of it and its aspects. No live side.
    #[serde(default, skip_serializing_if = "Waivers::is_empty")]
    pub waivers: Waivers,
}
