//! What a crashed run left behind. A creation whose table is still there is adopted (by `bucket` and `key`); one that no
//! table describes any more is completed in memory, as if it had been recorded, so that it is deleted and not orphaned.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::{Kind, RootAddress, RootKind};
use byob_model::kind::{Attributes, BYOB_INTENT, Bucket, Encryption, Key, KeyRef, Purpose, Waivers};
use byob_model::live::{Live, LiveAspect, LiveBucket, LiveKey};
use byob_model::recorded::{Intent, Recorded, RecordedResource};

use byob_model::desired::Desired;

use uuid::Uuid;

use crate::matching::{find_recorded, unrecorded_keys};
use crate::plan::Action;

/// The record, with what open intents made and no desired root claims, and without what an open approval deleted and a
/// table wants again.
pub(crate) fn completed(desired: &Desired, recorded: &Recorded, live: &Live) -> Recorded {
    let mut completed = recorded.clone();
    let gone = left_behind(desired, recorded, live);
    completed.resources.retain(|address, _| !gone.contains(&address.root()));
    let keys = unrecorded_keys(desired, &completed, live);
    for intent in &recorded.intents {
        let Some((identity, attributes)) = made(intent, live) else { continue };
        let known = completed.roots().any(|(_, r)| r.identity == identity);
        let table = keys.iter().find(|(_, (arn, _))| *arn == identity).map(|(address, _)| address);
        // A key made in place of one that is gone: the record of that one says nothing about it.
        let replaced = table.and_then(|address| {
            let (at, key) = find_recorded(desired, &completed, address, desired.roots.get(address)?)?;
            matches!(live.keys.get(&key.identity), Some(LiveKey::Absent)).then_some(at)
        });
        if let Some(replaced) = replaced {
            completed.resources.retain(|at, _| at.root() != replaced);
            continue;
        }
        let named = desired.roots.values().any(|root| root.name == identity);
        if known || table.is_some() || named {
            continue;
        }
        completed.resources.insert(
            free(&intent.address, desired, &completed).address(),
            RecordedResource {
                kind: match intent.address.kind {
                    RootKind::Bucket => Kind::Bucket,
                    RootKind::Key => Kind::Key,
                },
                account_id: intent.account_id.clone(),
                region: intent.region.clone(),
                attributes: attributes.to_value(),
                created: true,
                name_prefix: None,
                keys_used: intent.keys_used.clone(),
                versioning_seen: false,
                identity,
            },
        );
    }
    completed
}

/// The roots that an unfinished approval was to delete: what a look too old still shows of them may be gone.
#[must_use]
pub fn dying(recorded: &Recorded) -> BTreeSet<RootAddress> {
    let open = recorded.approval.iter().filter(|approval| !approval.finished);
    let steps = open.flat_map(|approval| &approval.steps);
    steps
        .filter(|step| step.address.kind.is_root() && step.action == Action::Delete.as_str())
        .map(|step| step.address.root())
        .collect()
}

/// Recorded buckets that an unfinished approval deleted, the run being killed before it could say so, and that a table
/// wants again, or wants another one in the place of: nobody deleted them outside byob.
pub(crate) fn left_behind(desired: &Desired, recorded: &Recorded, live: &Live) -> BTreeSet<RootAddress> {
    let buckets = dying(recorded).into_iter().filter(|root| root.kind == RootKind::Bucket);
    buckets
        .filter(|root| {
            let Some(bucket) = recorded.root(root) else { return false };
            let gone = matches!(live.buckets.get(&bucket.identity), Some(LiveBucket::Absent));
            let wanted = desired.roots.contains_key(root)
                || desired.roots.values().any(|wanted| wanted.name == bucket.identity);
            gone && wanted
        })
        .collect()
}

/// An address for what an intent made and nothing claims: its own, or, where that is another one's by now, the next that is
/// nobody's.
fn free(address: &RootAddress, desired: &Desired, recorded: &Recorded) -> RootAddress {
    let taken = |root: &RootAddress| desired.roots.contains_key(root) || recorded.root(root).is_some();
    // A label is at most 64 ASCII characters.
    let stem: String = address.label.chars().take(54).collect();
    let mut root = address.clone();
    let mut number = 2;
    while taken(&root) {
        root.label = format!("{stem}-{number}");
        number += 1;
    }
    root
}

/// What open intents made, as far as it is seen: a bucket's name, a key's ARN.
pub(crate) fn seen(recorded: &Recorded, live: &Live) -> BTreeMap<Uuid, String> {
    let made = recorded.intents.iter().map(|intent| (intent.id, made(intent, live)));
    made.filter_map(|(id, made)| Some((id, made?.0))).collect()
}

/// The record, with the key that each bucket of it (or of an open intent) uses by now among those it ever used: a run that
/// died right after putting it could not record it, and what W&B may do with a key depends on it.
#[must_use]
pub fn with_keys_seen(recorded: &Recorded, live: &Live) -> Recorded {
    let mut seen = recorded.clone();
    for (address, resource) in recorded.roots().filter(|(address, _)| address.kind == RootKind::Bucket) {
        if let Some(arn) = key_in_use(live.buckets.get(&resource.identity))
            && let Some(bucket) = seen.resources.get_mut(&address.address())
        {
            bucket.keys_used.insert(arn.clone());
        }
    }
    for intent in &mut seen.intents {
        let bucket = intent.name.as_ref().and_then(|name| live.buckets.get(name));
        intent.keys_used.extend(key_in_use(bucket).cloned());
    }
    seen
}

/// The key of a live bucket's default encryption.
fn key_in_use(bucket: Option<&LiveBucket>) -> Option<&String> {
    let Some(LiveBucket::Exists(facts)) = bucket else { return None };
    match facts.aspects.get(&Kind::Encryption) {
        Some(LiveAspect::Present(Attributes::Encryption(Encryption {
            kms_key: Some(KeyRef::Arn(arn)),
            ..
        }))) => Some(arn),
        _ => None,
    }
}

/// Whether AWS has what an intent was to make, as far as it can be proved.
#[must_use]
pub fn exists(intent: &Intent, live: &Live) -> bool {
    made(intent, live).is_some()
}

fn made(intent: &Intent, live: &Live) -> Option<(String, Attributes)> {
    match intent.address.kind {
        RootKind::Key => {
            let arn = live.key_intents.get(&intent.id)?;
            let Some(LiveKey::Exists(facts)) = live.keys.get(arn) else { return None };
            if facts.state == byob_model::kind::KeyState::PendingDeletion {
                return None;
            }
            let key = Key {
                description: facts.description.clone(),
                state: facts.state.clone(),
                deletion_window_days: 30,
                // It was never used: nothing was encrypted under it.
                protect: false,
                waivers: Waivers::new(),
            };
            Some((arn.clone(), Attributes::Key(key)))
        }
        RootKind::Bucket => {
            let name = intent.name.as_ref()?;
            let Some(LiveBucket::Exists(facts)) = live.buckets.get(name) else { return None };
            let bare =
                facts.tags.is_empty() && facts.has_policy == Some(false) && facts.holds_data == Some(false);
            if !bare && facts.tags.get(BYOB_INTENT) != Some(&intent.id.to_string()) {
                return None;
            }
            let bucket = Bucket {
                name: name.clone(),
                region: facts.region.clone(),
                purpose: Purpose::Storage,
                // Without `force_destroy` it goes only while it is empty.
                protect: false,
                force_destroy: false,
                waivers: Waivers::new(),
            };
            Some((name.clone(), Attributes::Bucket(bucket)))
        }
    }
}
