//! The typed resources, one file a kind. One struct serves desired, recorded and live state alike; its serialised form
//! is what is compared, shown, recorded and digested, so every struct is normalised when it is made (sets sorted,
//! defaults written out). Registration of a kind: one line in each table of this file.

mod alias;
mod bucket;
mod cors;
mod encryption;
mod key;
mod lifecycle;
mod logging;
mod object_lock;
mod ownership;
mod policy;
mod public_access_block;
mod rotation;
mod tags;
mod versioning;
mod waiver;

pub use alias::Alias;
pub use bucket::{Bucket, Purpose};
pub use cors::{Cors, CorsRule, OUR_CORS_RULE};
pub use encryption::{Algorithm, Encryption, KeyRef, SseC};
pub use key::{Key, KeyState};
pub use lifecycle::{
    Expiration, Filter, Lifecycle, LifecycleRule, NoncurrentExpiration, NoncurrentTransition,
    OUR_RULE_PREFIX, Transition,
};
pub use logging::{KeyFormat, Logging};
pub use object_lock::{ObjectLock, RetentionMode};
pub use ownership::Ownership;
pub use policy::{OUR_SID_PREFIX, Policy, WANDB_SID, is_our_sid};
pub use public_access_block::PublicAccessBlock;
pub use rotation::Rotation;
pub use tags::{BYOB_ADDRESS, BYOB_INTENT, BYOB_LINEAGE, BYOB_STACK, Tags, is_proof_tag, is_system_tag};
pub use versioning::{Versioning, VersioningStatus};
pub use waiver::{Accepted, Waivers};

use serde_json::Value;

use crate::address::Kind;

/// What a resource of any kind says.
#[derive(Debug, Clone, PartialEq)]
pub enum Attributes {
    /// [`Kind::Bucket`]
    Bucket(Bucket),
    /// [`Kind::PublicAccessBlock`]
    PublicAccessBlock(PublicAccessBlock),
    /// [`Kind::Ownership`]
    Ownership(Ownership),
    /// [`Kind::Encryption`]
    Encryption(Encryption),
    /// [`Kind::Cors`]
    Cors(Cors),
    /// [`Kind::Versioning`]
    Versioning(Versioning),
    /// [`Kind::Lifecycle`]
    Lifecycle(Lifecycle),
    /// [`Kind::BucketTags`] and [`Kind::KeyTags`]
    Tags(Tags),
    /// [`Kind::Logging`]
    Logging(Logging),
    /// [`Kind::ObjectLock`]
    ObjectLock(ObjectLock),
    /// [`Kind::BucketPolicy`] and [`Kind::KeyPolicy`]
    Policy(Policy),
    /// [`Kind::Key`]
    Key(Key),
    /// [`Kind::Rotation`]
    Rotation(Rotation),
    /// [`Kind::Alias`]
    Alias(Alias),
}

impl Attributes {
    /// The serialised form: a JSON object, policies in canonical form.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let value = match self {
            Self::Bucket(x) => serde_json::to_value(x),
            Self::PublicAccessBlock(x) => serde_json::to_value(x),
            Self::Ownership(x) => serde_json::to_value(x),
            Self::Encryption(x) => serde_json::to_value(x),
            Self::Cors(x) => serde_json::to_value(x),
            Self::Versioning(x) => serde_json::to_value(x),
            Self::Lifecycle(x) => serde_json::to_value(x),
            Self::Tags(x) => serde_json::to_value(x),
            Self::Logging(x) => serde_json::to_value(x),
            Self::ObjectLock(x) => serde_json::to_value(x),
            Self::Policy(x) => serde_json::to_value(x),
            Self::Key(x) => serde_json::to_value(x),
            Self::Rotation(x) => serde_json::to_value(x),
            Self::Alias(x) => serde_json::to_value(x),
        };
        // Structs of strings, numbers, booleans and string-keyed maps cannot fail to serialise.
        value.unwrap_or(Value::Null)
    }

    /// Reads a serialised form back (record and journal).
    ///
    /// # Errors
    /// What serde says of a value that is not of this kind.
    pub fn from_value(kind: Kind, value: &Value) -> Result<Self, serde_json::Error> {
        let value = value.clone();
        Ok(match kind {
            Kind::Bucket => Self::Bucket(serde_json::from_value(value)?),
            Kind::PublicAccessBlock => Self::PublicAccessBlock(serde_json::from_value(value)?),
            Kind::Ownership => Self::Ownership(serde_json::from_value(value)?),
            Kind::Encryption => Self::Encryption(serde_json::from_value(value)?),
            Kind::Cors => Self::Cors(serde_json::from_value(value)?),
            Kind::Versioning => Self::Versioning(serde_json::from_value(value)?),
            Kind::Lifecycle => Self::Lifecycle(serde_json::from_value(value)?),
            Kind::BucketTags | Kind::KeyTags => Self::Tags(serde_json::from_value(value)?),
            Kind::Logging => Self::Logging(serde_json::from_value(value)?),
            Kind::ObjectLock => Self::ObjectLock(serde_json::from_value(value)?),
            Kind::BucketPolicy | Kind::KeyPolicy => Self::Policy(serde_json::from_value(value)?),
            Kind::Key => Self::Key(serde_json::from_value(value)?),
            Kind::Rotation => Self::Rotation(serde_json::from_value(value)?),
            Kind::Alias => Self::Alias(serde_json::from_value(value)?),
        })
    }

    /// What AWS has where it reports nothing for this kind: the value that an absent sub-resource equals. `None` where
    /// absence is a state of its own that no configuration asks for.
    #[must_use]
    pub fn when_absent(kind: Kind) -> Option<Self> {
        Some(match kind {
            Kind::Cors => Self::Cors(Cors { rules: Vec::new(), exclusive: true }),
            Kind::Lifecycle => Self::Lifecycle(Lifecycle { rules: Vec::new(), exclusive: true }),
            Kind::BucketTags | Kind::KeyTags => Self::Tags(Tags::default()),
            Kind::Logging => Self::Logging(Logging::off()),
            Kind::BucketPolicy => Self::Policy(Policy::empty()),
            Kind::Rotation => Self::Rotation(Rotation { enabled: false, period_days: None }),
            _ => return None,
        })
    }

    /// Whether this says nothing: equals what AWS has where it reports nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Cors(cors) => cors.rules.is_empty(),
            Self::Lifecycle(lifecycle) => lifecycle.rules.is_empty(),
            Self::Tags(tags) => tags.tags.is_empty(),
            Self::Logging(logging) => logging.target_bucket.is_none(),
            Self::Policy(policy) => policy.document.is_empty(),
            Self::Rotation(rotation) => !rotation.enabled,
            _ => false,
        }
    }
}

/// The fields of a kind that AWS does not hold: they are compared desired against recorded.
#[must_use]
pub fn fields_without_live_side(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Bucket => &["purpose", "protect", "force_destroy", "waivers"],
        Kind::Key => &["deletion_window_days", "protect", "waivers"],
        Kind::Cors | Kind::Lifecycle => &["exclusive"],
        _ => &[],
    }
}

/// The fields of a kind that some endpoints do not report (`null` in the live value): compared desired against recorded
/// where that is so.
#[must_use]
pub fn fields_not_always_reported(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Encryption => &["sse_c"],
        Kind::Rotation => &["period_days"],
        _ => &[],
    }
}
