//! Kinds and addresses: how byob names the things it manages. Nothing here knows what a kind contains.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The kind of a root: a resource that exists by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RootKind {
    /// An S3 bucket.
    Bucket,
    /// A KMS key.
    Key,
}

impl RootKind {
    /// `bucket` or `key`, as in addresses and in the table names of `byob.toml`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bucket => "bucket",
            Self::Key => "key",
        }
    }
}

/// Every kind of resource, roots and aspects alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A bucket itself: name, region, protection.
    Bucket,
    /// A bucket's public access block.
    PublicAccessBlock,
    /// A bucket's object ownership.
    Ownership,
    /// A bucket's default encryption.
    Encryption,
    /// A bucket's CORS rules.
    Cors,
    /// A bucket's versioning.
    Versioning,
    /// A bucket's lifecycle rules.
    Lifecycle,
    /// A bucket's tags.
    BucketTags,
    /// A bucket's server access logging.
    Logging,
    /// A bucket's object lock.
    ObjectLock,
    /// A bucket's policy.
    BucketPolicy,
    /// A KMS key itself: description, state, protection.
    Key,
    /// A key's policy.
    KeyPolicy,
    /// A key's automatic rotation.
    Rotation,
    /// A key's tags.
    KeyTags,
    /// A key's alias.
    Alias,
}

/// The aspects of a bucket.
pub const BUCKET_ASPECTS: [Kind; 10] = [
    Kind::PublicAccessBlock,
    Kind::Ownership,
    Kind::Encryption,
    Kind::Cors,
    Kind::Versioning,
    Kind::Lifecycle,
    Kind::BucketTags,
    Kind::Logging,
    Kind::ObjectLock,
    Kind::BucketPolicy,
];

/// The aspects of a key.
pub const KEY_ASPECTS: [Kind; 4] = [Kind::KeyPolicy, Kind::Rotation, Kind::KeyTags, Kind::Alias];

impl Kind {
    /// The root this kind is, or belongs to.
    #[must_use]
    pub fn root(self) -> RootKind {
        match self {
            Self::Key | Self::KeyPolicy | Self::Rotation | Self::KeyTags | Self::Alias => RootKind::Key,
            _ => RootKind::Bucket,
        }
    }

    /// The last part of an aspect's address (`policy`); `None` for roots.
    #[must_use]
    pub fn aspect(self) -> Option<&'static str> {
        Some(match self {
            Self::Bucket | Self::Key => return None,
            Self::PublicAccessBlock => "public_access_block",
            Self::Ownership => "ownership",
            Self::Encryption => "encryption",
            Self::Cors => "cors",
            Self::Versioning => "versioning",
            Self::Lifecycle => "lifecycle",
            Self::BucketTags | Self::KeyTags => "tags",
            Self::Logging => "logging",
            Self::ObjectLock => "object_lock",
            Self::BucketPolicy | Self::KeyPolicy => "policy",
            Self::Rotation => "rotation",
            Self::Alias => "alias",
        })
    }

    /// The aspect of a root by its name in an address.
    #[must_use]
    pub fn of_aspect(root: RootKind, name: &str) -> Option<Self> {
        let all: &[Self] = match root {
            RootKind::Bucket => &BUCKET_ASPECTS,
            RootKind::Key => &KEY_ASPECTS,
        };
        all.iter().copied().find(|kind| kind.aspect() == Some(name))
    }

    /// The kind as plan and record write it: `bucket`, `bucket.policy`, `key.rotation`.
    #[must_use]
    pub fn name(self) -> String {
        match self.aspect() {
            None => self.root().as_str().to_owned(),
            Some(aspect) => format!("{}.{aspect}", self.root().as_str()),
        }
    }

    /// Whether this kind is a root.
    #[must_use]
    pub fn is_root(self) -> bool {
        self.aspect().is_none()
    }
}

impl FromStr for Kind {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (root, aspect) = match text.split_once('.') {
            None => (text, None),
            Some((root, aspect)) => (root, Some(aspect)),
        };
        let root = match root {
            "bucket" => RootKind::Bucket,
            "key" => RootKind::Key,
            _ => return Err(AddressError(text.to_owned())),
        };
        match aspect {
            None => Ok(match root {
                RootKind::Bucket => Self::Bucket,
                RootKind::Key => Self::Key,
            }),
            Some(aspect) => Self::of_aspect(root, aspect).ok_or_else(|| AddressError(text.to_owned())),
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The address of a root: `bucket.vision`. The label is the name of the TOML table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootAddress {
    /// Bucket or key.
    pub kind: RootKind,
    /// The name of the TOML table.
    pub label: String,
}

impl RootAddress {
    /// The address of a bucket's table.
    #[must_use]
    pub fn bucket(label: &str) -> Self {
        Self { kind: RootKind::Bucket, label: label.to_owned() }
    }

    /// The address of a key's table.
    #[must_use]
    pub fn key(label: &str) -> Self {
        Self { kind: RootKind::Key, label: label.to_owned() }
    }

    /// The address of the root as a resource.
    #[must_use]
    pub fn address(&self) -> Address {
        let kind = match self.kind {
            RootKind::Bucket => Kind::Bucket,
            RootKind::Key => Kind::Key,
        };
        Address { label: self.label.clone(), kind }
    }

    /// The address of one of its aspects.
    #[must_use]
    pub fn aspect(&self, kind: Kind) -> Address {
        Address { label: self.label.clone(), kind }
    }
}

impl fmt::Display for RootAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind.as_str(), self.label)
    }
}

impl FromStr for RootAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address: Address = text.parse()?;
        if address.kind.is_root() { Ok(address.root()) } else { Err(AddressError(text.to_owned())) }
    }
}

impl Serialize for RootAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RootAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The address of any resource: `bucket.vision` or `bucket.vision.policy`. Ordered by root, label and kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// The name of the TOML table.
    pub label: String,
    /// What it is.
    pub kind: Kind,
}

impl Address {
    /// The root it is, or belongs to.
    #[must_use]
    pub fn root(&self) -> RootAddress {
        RootAddress { kind: self.kind.root(), label: self.label.clone() }
    }
}

impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Address {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.kind.root(), &self.label, self.kind).cmp(&(other.kind.root(), &other.label, other.kind))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind.root().as_str(), self.label)?;
        match self.kind.aspect() {
            None => Ok(()),
            Some(aspect) => write!(f, ".{aspect}"),
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || AddressError(text.to_owned());
        let mut parts = text.split('.');
        let root = parts.next().ok_or_else(error)?;
        let label = parts.next().filter(|label| is_label(label)).ok_or_else(error)?;
        let kind = match parts.next() {
            None => root.parse::<Kind>(),
            Some(aspect) => format!("{root}.{aspect}").parse(),
        };
        let kind = kind.map_err(|_| error())?;
        if parts.next().is_some() {
            return Err(error());
        }
        Ok(Self { label: label.to_owned(), kind })
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Whether a text can be a label: 1 to 64 of `a-z A-Z 0-9 _ -`, first a letter or digit (a TOML bare key).
#[must_use]
pub fn is_label(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphanumeric())
        && text.len() <= 64
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an address; addresses look like `bucket.storage`, `bucket.storage.policy` or `key.vision`"
)]
pub struct AddressError(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_its_name_and_its_address() {
        for kind in BUCKET_ASPECTS.into_iter().chain(KEY_ASPECTS).chain([Kind::Bucket, Kind::Key]) {
            assert_eq!(kind.name().parse(), Ok(kind));
            let address = Address { label: "a-1".into(), kind };
            assert_eq!(address.to_string().parse(), Ok(address));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "bucket",
            "bucket.",
            "bucket.a.rotation",
            "key.a.cors",
            "bucket.a.policy.x",
            "role.a",
            "bucket..policy",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
