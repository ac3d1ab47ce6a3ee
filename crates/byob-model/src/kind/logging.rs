//! A bucket's server access logging (`PutBucketLogging`).

use serde::{Deserialize, Serialize};

/// Where access logs go; off is `target_bucket: None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logging {
    /// The bucket that receives the logs.
    pub target_bucket: Option<String>,
    /// Prefix of the log objects' keys; may be empty.
    pub target_prefix: String,
    /// `None` where nothing was said: AWS then uses the simple form.
    pub key_format: Option<KeyFormat>,
}

impl Logging {
    /// No logging.
    #[must_use]
    pub fn off() -> Self {
        Self { target_bucket: None, target_prefix: String::new(), key_format: None }
    }
}

/// `TargetObjectKeyFormat`: one or the other, never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyFormat {
    /// `SimplePrefix`.
    Simple,
    /// `PartitionedPrefix` with `PartitionDateSource = EventTime`.
    PartitionedByEventTime,
    /// `PartitionedPrefix` with `PartitionDateSource = DeliveryTime`.
    PartitionedByDeliveryTime,
}
