//! The waivers of a root: findings that somebody accepts for a time. AWS holds nothing of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::date::Date;

/// By what is waived: the finding's whole address and its rule, `bucket.storage.policy BYOB020`.
pub type Waivers = BTreeMap<String, Accepted>;

/// Why, and how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// Why.
    pub reason: String,
    /// The last day it holds.
    pub until: Date,
}
