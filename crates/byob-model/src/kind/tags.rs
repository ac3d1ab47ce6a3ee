//! Tags of a bucket or a key. byob compares and writes only the keys it owns; everybody else's survive.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Says which configuration made a root. For people; proves nothing.
pub const BYOB_STACK: &str = "byob:stack";
/// Says which table made a root. For people; proves nothing.
pub const BYOB_ADDRESS: &str = "byob:address";
/// The record's UUID: proof that a root is ours.
pub const BYOB_LINEAGE: &str = "byob:lineage";
/// The UUID of the journalled intent that made a root: proof after a crash.
pub const BYOB_INTENT: &str = "byob:intent";

/// Whether AWS itself reserves this tag: never ours, never drift, sent back on every put.
#[must_use]
pub fn is_system_tag(key: &str) -> bool {
    key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}

/// Whether this tag is proof: written and kept, but part of no desired state.
#[must_use]
pub fn is_proof_tag(key: &str) -> bool {
    key == BYOB_LINEAGE || key == BYOB_INTENT
}

/// The tags byob owns on a root. At most 50 a bucket, together with everybody else's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags {
    /// Key to value.
    pub tags: BTreeMap<String, String>,
}
