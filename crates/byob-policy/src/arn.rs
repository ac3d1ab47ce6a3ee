//! ARNs, account ids and partitions: names of things in AWS, taken apart and put together. No judgement about what a
//! policy may do with them, and no `arn:aws:` written by hand: a partition follows from a region.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A partition: a part of AWS with its own accounts, regions and bucket names. Identities of one partition mean nothing
/// in another.
///
/// Source: `partitions.json` of the AWS SDKs (botocore).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partition {
    /// `aws`, the commercial regions.
    Aws,
    /// `aws-cn`, China.
    AwsCn,
    /// `aws-us-gov`, GovCloud.
    AwsUsGov,
    /// `aws-eusc`, the European Sovereign Cloud.
    AwsEusc,
    /// `aws-iso`, isolated (US).
    AwsIso,
    /// `aws-iso-b`, isolated (US, B).
    AwsIsoB,
    /// `aws-iso-e`, isolated (Europe).
    AwsIsoE,
    /// `aws-iso-f`, isolated (US, F).
    AwsIsoF,
}

impl Partition {
    /// Every partition, the commercial one first.
    pub const ALL: [Self; 8] = [
        Self::Aws,
        Self::AwsCn,
        Self::AwsUsGov,
        Self::AwsEusc,
        Self::AwsIso,
        Self::AwsIsoB,
        Self::AwsIsoE,
        Self::AwsIsoF,
    ];

    /// The partition that a region such as `eu-west-1` lies in; `None` if the name has no region's shape
    /// (`<geography>-<place>-<number>`) or its geography is unknown.
    pub fn from_region(region: &str) -> Option<Self> {
        // Longest prefixes first: `us-gov-west-1` also starts with `us-`.
        const PREFIXES: [(&str, Partition); 16] = [
            ("us-gov-", Partition::AwsUsGov),
            ("us-isob-", Partition::AwsIsoB),
            ("us-isof-", Partition::AwsIsoF),
            ("us-iso-", Partition::AwsIso),
            ("eu-isoe-", Partition::AwsIsoE),
            ("eusc-de-", Partition::AwsEusc),
            ("cn-", Partition::AwsCn),
            ("us-", Partition::Aws),
            ("eu-", Partition::Aws),
            ("ap-", Partition::Aws),
            ("sa-", Partition::Aws),
            ("ca-", Partition::Aws),
            ("me-", Partition::Aws),
            ("af-", Partition::Aws),
            ("il-", Partition::Aws),
            ("mx-", Partition::Aws),
        ];
        let (rest, partition) = PREFIXES
            .iter()
            .find_map(|(prefix, partition)| Some((region.strip_prefix(prefix)?, *partition)))?;
        let (place, number) = rest.split_once('-')?;
        let shaped = !place.is_empty()
            && place.bytes().all(|b| b.is_ascii_lowercase())
            && !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit());
        shaped.then_some(partition)
    }

    /// The name as it stands in ARNs, such as `aws-cn`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
            Self::AwsEusc => "aws-eusc",
            Self::AwsIso => "aws-iso",
            Self::AwsIsoB => "aws-iso-b",
            Self::AwsIsoE => "aws-iso-e",
            Self::AwsIsoF => "aws-iso-f",
        }
    }

    /// The domain under which the partition's endpoints stand, such as `amazonaws.com.cn`.
    pub fn dns_suffix(self) -> &'static str {
        match self {
            Self::Aws | Self::AwsUsGov => "amazonaws.com",
            Self::AwsCn => "amazonaws.com.cn",
            Self::AwsEusc => "amazonaws.eu",
            Self::AwsIso => "c2s.ic.gov",
            Self::AwsIsoB => "sc2s.sgov.gov",
            Self::AwsIsoE => "cloud.adc-e.uk",
            Self::AwsIsoF => "csp.hci.ic.gov",
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Partition {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        Self::ALL
            .into_iter()
            .find(|partition| partition.as_str() == text)
            .ok_or_else(|| ArnError::UnknownPartition { found: text.to_owned() })
    }
}

/// The id of an AWS account: twelve decimal digits, leading zeros kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(String);

impl AccountId {
    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text is an account id, without making one.
    pub fn is(text: &str) -> bool {
        text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
    }

    /// The principal that stands for the whole account: `arn:<partition>:iam::<id>:root`.
    pub fn root_arn(&self, partition: Partition) -> Arn {
        Arn {
            partition,
            service: "iam".to_owned(),
            region: String::new(),
            account: self.0.clone(),
            resource: "root".to_owned(),
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for AccountId {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        if Self::is(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ArnError::BadAccount { found: text.to_owned() })
        }
    }
}

/// An Amazon Resource Name: `arn:<partition>:<service>:<region>:<account>:<resource>`.
///
/// Region and account may be empty (`arn:aws:s3:::bucket`), the account may be a word (`aws`, `cloudfront`), and the
/// resource keeps its colons and slashes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn {
    /// The partition.
    pub partition: Partition,
    /// The service, such as `iam`; never empty.
    pub service: String,
    /// The region, or empty.
    pub region: String,
    /// The account as it is written, or empty; [`Arn::account_id`] for the twelve digits.
    pub account: String,
    /// All that follows the fifth colon; never empty.
    pub resource: String,
}

impl Arn {
    /// The account, if the ARN has one of twelve digits.
    pub fn account_id(&self) -> Option<AccountId> {
        self.account.parse().ok()
    }

    /// Whether this is the principal that stands for a whole account.
    pub fn is_account_root(&self) -> bool {
        self.service == "iam" && self.resource == "root" && AccountId::is(&self.account)
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let bad = || ArnError::BadShape { found: text.to_owned() };
        let mut parts = text.splitn(6, ':');
        if parts.next() != Some("arn") {
            return Err(bad());
        }
        let (Some(partition), Some(service), Some(region), Some(account), Some(resource)) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(bad());
        };
        if service.is_empty() || resource.is_empty() {
            return Err(bad());
        }
        Ok(Self {
            partition: partition.parse()?,
            service: service.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            resource: resource.to_owned(),
        })
    }
}

/// Why a text is not an ARN, an account id or a partition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArnError {
    /// Not six parts after `arn`, or an empty service or resource.
    #[error("`{found}` is not an ARN; one looks like `arn:aws:iam::123456789012:role/name`")]
    BadShape {
        /// The whole text.
        found: String,
    },
    /// The second part is none of the known partitions.
    #[error("`{found}` is not a partition of AWS; the usual one is `aws`")]
    UnknownPartition {
        /// What stands where the partition should.
        found: String,
    },
    /// Not twelve digits.
    #[error("`{found}` is not an account id; one has twelve digits")]
    BadAccount {
        /// The whole text.
        found: String,
    },
}

macro_rules! serde_as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

serde_as_text!(Partition, AccountId, Arn);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_names_its_partition() {
        for (region, partition) in [
            ("us-east-1", Some(Partition::Aws)),
            ("eu-central-2", Some(Partition::Aws)),
            ("ap-southeast-7", Some(Partition::Aws)),
            ("mx-central-1", Some(Partition::Aws)),
            ("cn-north-1", Some(Partition::AwsCn)),
            ("us-gov-west-1", Some(Partition::AwsUsGov)),
            ("eusc-de-east-1", Some(Partition::AwsEusc)),
            ("us-iso-east-1", Some(Partition::AwsIso)),
            ("us-isob-east-1", Some(Partition::AwsIsoB)),
            ("eu-isoe-west-1", Some(Partition::AwsIsoE)),
            ("us-isof-south-1", Some(Partition::AwsIsoF)),
            ("us-east", None),
            ("us-east-", None),
            ("us--1", None),
            ("mars-north-1", None),
            ("us-isox-east-1", None),
            ("US-EAST-1", None),
            ("us-east-1a", None),
            ("", None),
        ] {
            assert_eq!(Partition::from_region(region), partition, "{region}");
        }
    }

    #[test]
    fn an_arn_is_taken_apart_and_put_together() {
        for text in [
            "arn:aws:s3:::bucket/key:with:colons",
            "arn:aws-cn:iam::123456789012:root",
            "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1",
            "arn:aws:kms:eu-west-1:123456789012:key/1234",
        ] {
            let arn: Arn = text.parse().expect(text);
            assert_eq!(arn.to_string(), text);
            let json = serde_json::to_string(&arn).expect("serialises");
            assert_eq!(serde_json::from_str::<Arn>(&json).expect("deserialises"), arn);
        }
    }

    #[test]
    fn what_is_no_arn_is_refused() {
        for text in
            ["", "arn", "arn:aws:s3", "arn:aws:s3:::", "arn:aws::::x", "arn:mars:s3:::b", "urn:aws:s3:::b"]
        {
            assert!(text.parse::<Arn>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_account_id_is_twelve_digits() {
        assert!("001234567890".parse::<AccountId>().is_ok());
        for text in ["", "12345678901", "1234567890123", "12345678901a", "１２３４５６７８９０１２"]
        {
            assert!(text.parse::<AccountId>().is_err(), "{text}");
        }
        let id: AccountId = "001234567890".parse().expect("an id");
        assert_eq!(id.root_arn(Partition::AwsCn).to_string(), "arn:aws-cn:iam::001234567890:root");
        assert!(id.root_arn(Partition::Aws).is_account_root());
    }
}
