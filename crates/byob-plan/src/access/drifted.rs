//! Who gained and lost which access by drift: the ends are the record and AWS as it is now, the judgement is the plan's.

use byob_model::address::{Address, Kind, RootKind};
use byob_model::kind::{Attributes, KeyState, Ownership, Policy};
use byob_model::live::{Live, LiveBucket, LiveKey};
use byob_model::recorded::Recorded;

use super::ends::{BucketEnds, KeyEnds, NO_BLOCK, leaves_key, live_bucket, live_key};
use super::judge::Judge;
use super::{Access, AccessVerdict, BucketEnd, Ends, KeyEnd};
use crate::plan::Drift;

/// The ends of each recorded root that was looked at. What did not drift was recorded as it is.
pub(crate) fn drifted_ends(recorded: &Recorded, live: &Live, drift: &[Drift]) -> Vec<Ends> {
    let mut all = Vec::new();
    for (root, resource) in recorded.roots() {
        let known = |kind| recorded.resources.get(&root.aspect(kind)).and_then(|one| one.typed().ok());
        let was =
            |kind| drift.iter().find(|one| one.address == root.aspect(kind)).map(|one| one.before.clone());
        match root.kind {
            RootKind::Bucket => {
                let Some(found) = live.buckets.get(&resource.identity) else { continue };
                let after = live_bucket(Some(found));
                let mut before = after.clone().unwrap_or_default();
                // What nobody may look at need not be as it was recorded.
                if after.is_none() || matches!(found, LiveBucket::Forbidden { .. }) {
                    put(&mut before, Kind::BucketPolicy, known(Kind::BucketPolicy).as_ref());
                    put(&mut before, Kind::PublicAccessBlock, known(Kind::PublicAccessBlock).as_ref());
                    put(&mut before, Kind::Ownership, known(Kind::Ownership).as_ref());
                }
                for kind in [Kind::BucketPolicy, Kind::PublicAccessBlock, Kind::Ownership] {
                    if let Some(recorded) = was(kind) {
                        put(&mut before, kind, recorded.as_ref());
                    }
                }
                let encryption = root.aspect(Kind::Encryption);
                all.push(Ends::Bucket {
                    root: root.clone(),
                    name: resource.identity.clone(),
                    before: Some(before),
                    after,
                    leaves_key: drift.iter().any(|one| one.address == encryption && leaves_key(one)),
                });
            }
            RootKind::Key => {
                let Some(found) = live.keys.get(&resource.identity) else { continue };
                let after = live_key(Some(found));
                let mut before = after.clone().unwrap_or_default();
                let policy = match was(Kind::KeyPolicy) {
                    Some(recorded) => Some(document(recorded.as_ref())),
                    None if after.is_none() => known(Kind::KeyPolicy).map(|known| document(Some(&known))),
                    None if *found == LiveKey::Forbidden => Some(document(known(Kind::KeyPolicy).as_ref())),
                    None => before.policy.take(),
                };
                let address: Address = root.address();
                let state = match drift.iter().find(|one| one.address == address) {
                    Some(drift) => drift.before.clone(),
                    None => resource.typed().ok(),
                };
                let enabled = match state {
                    Some(Attributes::Key(key)) => key.state == KeyState::Enabled,
                    _ => before.enabled || after.is_none(),
                };
                let before = Some(KeyEnd { policy, enabled });
                all.push(Ends::Key { root: root.clone(), before, after });
            }
        }
    }
    all
}

/// Absent: there was none.
fn document(attributes: Option<&Attributes>) -> byob_policy::Document {
    match attributes {
        Some(Attributes::Policy(policy)) => policy.document.clone(),
        _ => Policy::empty().document,
    }
}

fn put(end: &mut BucketEnd, kind: Kind, attributes: Option<&Attributes>) {
    match (kind, attributes) {
        (Kind::BucketPolicy, _) => end.policy = Some(document(attributes)),
        (Kind::PublicAccessBlock, Some(Attributes::PublicAccessBlock(block))) => end.block = Some(*block),
        (Kind::PublicAccessBlock, _) => end.block = Some(NO_BLOCK),
        (_, Some(Attributes::Ownership(ownership))) => {
            end.acls_off = Some(ownership.object_ownership == Ownership::ENFORCED);
        }
        _ => end.acls_off = Some(false),
    }
}

/// Who gained and lost what between two ends, and the verdict over all of it.
#[must_use]
pub fn drifted(ends: &[Ends], account_id: &str) -> (Vec<Access>, AccessVerdict) {
    let mut judge = Judge::new(account_id);
    for one in ends {
        match one {
            Ends::Bucket { root, name, before, after, leaves_key } => {
                let changed =
                    |part: fn(&BucketEnd) -> _| before.as_ref().map(part) != after.as_ref().map(part);
                judge.bucket(&BucketEnds {
                    address: root,
                    name,
                    before: before.clone(),
                    after: after.clone(),
                    desired: after.is_some(),
                    writes_policy: before.as_ref().map(|end| &end.policy)
                        != after.as_ref().map(|end| &end.policy),
                    writes_block: changed(|end| end.block),
                    writes_ownership: before.as_ref().map(|end| end.acls_off)
                        != after.as_ref().map(|end| end.acls_off),
                    leaves_key: *leaves_key,
                });
            }
            Ends::Key { root, before, after } => judge.key(&KeyEnds {
                address: root,
                partition: None,
                before: before.clone(),
                after: after.clone(),
            }),
        }
    }
    judge.end()
}
