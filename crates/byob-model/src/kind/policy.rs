//! Bucket policies and key policies: one document a root, compared by meaning.

use byob_policy::{Document, Effect};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The `Sid` of W&B's statement, as in the public Terraform module.
pub const WANDB_SID: &str = "WandbAccountAccess";

/// Every other `Sid` of byob's own starts with this.
pub const OUR_SID_PREFIX: &str = "Byob";

/// Whether a statement is byob's: under `foreign_statements = "keep"` these are ours, whatever they say.
#[must_use]
pub fn is_our_sid(sid: Option<&str>) -> bool {
    sid.is_some_and(|sid| sid == WANDB_SID || sid.starts_with(OUR_SID_PREFIX))
}

/// A policy document. Serialises in canonical form, `Sid`s included; equality is equality of meaning, which `Sid`s have no
/// part in.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The document.
    pub document: Document,
}

impl Policy {
    /// No policy.
    #[must_use]
    pub fn empty() -> Self {
        Self { document: Document::new(Vec::new()) }
    }

    /// The statements that deny.
    #[must_use]
    pub fn denies(&self) -> Self {
        let denies = |s: &&byob_policy::Statement| s.effect == Effect::Deny;
        let statements = self.document.statements.iter().filter(denies).cloned().collect();
        Self { document: Document { statements, ..self.document.clone() } }
    }

    /// The statements whose `Sid` is not byob's.
    #[must_use]
    pub fn foreign(&self) -> Self {
        let statements =
            self.document.statements.iter().filter(|s| !is_our_sid(s.sid.as_deref())).cloned().collect();
        Self { document: Document { statements, ..self.document.clone() } }
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        self.document.equals(&other.document)
    }
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.document.is_empty() {
            Value::Null.serialize(serializer)
        } else {
            self.document.canonical().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.is_null() {
            return Ok(Self::empty());
        }
        Document::from_value(&value).map(|document| Self { document }).map_err(serde::de::Error::custom)
    }
}
