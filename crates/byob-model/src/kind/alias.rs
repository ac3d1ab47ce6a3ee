//! A key's alias. It is ours exactly when it points at our key.

use serde::{Deserialize, Serialize};

/// Unique in an account and region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// With the prefix: `alias/wandb-vision`.
    pub name: String,
}
