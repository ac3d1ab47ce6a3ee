//! The bucket itself.

use serde::{Deserialize, Serialize};

use super::Waivers;

/// What a bucket is for; decides every default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// W&B stores files in it.
    #[default]
    Storage,
    /// W&B reads objects from it and nothing else (Weave reference buckets).
    Reference,
}

impl Purpose {
    /// As written in `byob.toml`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Reference => "reference",
        }
    }
}

/// A bucket: what cannot change (name, region), and what only byob knows (the rest).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// The bucket's global name.
    pub name: String,
    /// AWS region, `eu-west-1`.
    pub region: String,
    /// What it is for. No live side.
    pub purpose: Purpose,
    /// Refuses deletion while true. No live side.
    pub protect: bool,
    /// Whether deletion may empty it. No live side.
    pub force_destroy: bool,
    /// The waivers of it and its aspects. No live side.
    #[serde(default, skip_serializing_if = "Waivers::is_empty")]
    pub waivers: Waivers,
}
