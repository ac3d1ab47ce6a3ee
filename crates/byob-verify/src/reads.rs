//! What has to be known of AWS before anything can be judged: first of the buckets, then of the keys that they are on.

use std::collections::BTreeSet;

use byob_model::address::{Kind, RootKind};
use byob_model::desired::Desired;
use byob_model::live::{Live, LiveBucket, Wanted, WantedBucket, WantedKey};
use byob_model::recorded::Recorded;

use crate::subject::{arn_of, used_key};

/// The aspects of a bucket that decide who gets in and what a request meets.
const ASPECTS: [Kind; 7] = [
    Kind::PublicAccessBlock,
    Kind::Ownership,
    Kind::Encryption,
    Kind::Cors,
    Kind::Versioning,
    Kind::ObjectLock,
    Kind::BucketPolicy,
];

/// The first reads: the buckets, and where the aliases of the configuration's keys point.
#[must_use]
pub fn buckets(desired: &Desired) -> Wanted {
    let mut wanted = Wanted::default();
    for (address, root) in &desired.roots {
        match address.kind {
            RootKind::Bucket => {
                let bucket = WantedBucket {
                    region: root.region.clone(),
                    aspects: BTreeSet::from(ASPECTS),
                    brief: true,
                    ..WantedBucket::default()
                };
                wanted.buckets.insert(root.name.clone(), bucket);
            }
            RootKind::Key => {
                wanted.aliases.insert((root.region.clone(), root.name.clone()));
            }
        }
    }
    wanted
}

/// The second reads: the keys that the buckets are on, with their policies.
#[must_use]
pub fn keys(desired: &Desired, live: &Live, recorded: &Recorded) -> Wanted {
    let mut wanted = Wanted::default();
    for (_, root) in desired.roots.iter().filter(|(address, _)| address.kind == RootKind::Bucket) {
        let found = live.buckets.get(&root.name).unwrap_or(&LiveBucket::Absent);
        if let Some(arn) = used_key(root, found).and_then(|key| arn_of(&key, desired, live, recorded)) {
            wanted.keys.insert(arn, WantedKey { aspects: BTreeSet::from([Kind::KeyPolicy]) });
        }
    }
    wanted
}
