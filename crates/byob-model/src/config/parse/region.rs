//! Regions: which there are, and which partition the file lives in.

use byob_policy::arn::Partition;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::reader::{Field, Report, nearest};

/// Regions of November 2026, for "did you mean". A region that is not here is taken if it has the shape of one: AWS
/// opens new ones between two releases of byob.
///
/// Source: `partitions.json` of the AWS SDKs (botocore).
const REGIONS: [&str; 45] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "cn-north-1",
    "cn-northwest-1",
    "us-gov-east-1",
    "us-gov-west-1",
    "eusc-de-east-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "us-isob-west-1",
    "eu-isoe-west-1",
    "us-isof-south-1",
];

/// The places that AWS names regions by, between geography and number.
const PLACES: [&str; 9] =
    ["north", "south", "east", "west", "central", "northeast", "northwest", "southeast", "southwest"];

/// The partition of a region that exists or has the shape of one.
pub(super) fn partition_of(region: &str) -> Option<Partition> {
    let mut parts = region.rsplit('-');
    let number = parts.next()?;
    let place = parts.next()?;
    let is_shaped = number.len() == 1 && number != "0" && PLACES.contains(&place);
    Partition::from_region(region).filter(|_| is_shaped)
}

/// The partition of the first region the file names: `[aws]`'s, else a bucket's, else a key's, else the usual one.
pub(super) fn partition_of_file(document: &DeTable<'_>) -> Partition {
    let text = |table: &DeTable<'_>| table.get("region")?.get_ref().as_str().and_then(partition_of);
    let table = |name: &str| document.get(name).and_then(|value| value.get_ref().as_table());
    let first_of = |name: &str| {
        let mut tables: Vec<&Spanned<DeValue<'_>>> = table(name)?.values().collect();
        tables.sort_by_key(|table| table.span().start);
        tables.into_iter().find_map(|value| value.get_ref().as_table().and_then(text))
    };
    table("aws")
        .and_then(text)
        .or_else(|| first_of("bucket"))
        .or_else(|| first_of("key"))
        .unwrap_or(Partition::Aws)
}

/// A region of the file's partition.
pub(super) fn region(field: &Field<'_>, report: &mut Report, partition: Partition) -> Option<String> {
    let text = field.nonempty_text(report)?;
    let Some(own) = partition_of(text) else {
        let label = match nearest(text, REGIONS.into_iter()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "not the name of a region".to_owned(),
        };
        field.error(report, format!("AWS has no region \"{text}\""), label, field.help());
        return None;
    };
    if own != partition {
        let message = format!("\"{text}\" lies in another partition of AWS than the rest of the file");
        let label = format!("this is in {own}, the rest in {partition}");
        let help = format!("an account lives in one partition: write a file of its own for what is in {own}");
        field.error(report, message, label, help);
        return None;
    }
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_region_has_a_partition() {
        for region in REGIONS {
            assert!(partition_of(region).is_some(), "{region}");
        }
    }

    #[test]
    fn a_region_that_opens_tomorrow_is_taken_and_a_slip_is_not() {
        assert_eq!(partition_of("eu-north-2"), Some(Partition::Aws));
        assert_eq!(partition_of("us-gov-central-1"), Some(Partition::AwsUsGov));
        for region in
            ["us-est-1", "us-east-1a", "us-east", "us-east-0", "us-east-12", "mars-north-1", "eu_west_1", ""]
        {
            assert_eq!(partition_of(region), None, "{region}");
        }
    }
}
