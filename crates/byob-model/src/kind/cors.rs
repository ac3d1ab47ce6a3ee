//! A bucket's CORS rules (`PutBucketCors`).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The ID of byob's own rule on buckets whose other rules it leaves alone.
pub const OUR_CORS_RULE: &str = "byob-wandb";

/// One rule; AWS treats the lists as sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorsRule {
    /// The rule's `ID`.
    pub id: Option<String>,
    /// `https://wandb.ai`, or `*`.
    pub allowed_origins: BTreeSet<String>,
    /// `GET`, `HEAD`, `PUT`, `POST`, `DELETE`.
    pub allowed_methods: BTreeSet<String>,
    /// Request headers.
    pub allowed_headers: BTreeSet<String>,
    /// Response headers that scripts may read.
    pub expose_headers: BTreeSet<String>,
    /// Seconds; 0 and missing are the same.
    pub max_age_seconds: u32,
}

/// The rules byob manages on a bucket, in order (the first that matches counts).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// At most 100.
    pub rules: Vec<CorsRule>,
    /// True: these are the only rules. False: only the rule named [`OUR_CORS_RULE`] is byob's, others stay. No live side.
    pub exclusive: bool,
}
