//! A bucket's object ownership (`PutBucketOwnershipControls`).

use serde::{Deserialize, Serialize};

/// `BucketOwnerEnforced`, `BucketOwnerPreferred` or `ObjectWriter`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ownership {
    /// The one rule's value, as AWS spells it.
    pub object_ownership: String,
}

impl Ownership {
    /// The value under which ACLs have no effect.
    pub const ENFORCED: &str = "BucketOwnerEnforced";
}
