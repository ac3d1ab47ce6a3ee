//! What has to be read before anything can be compared: only what is managed or recorded.

use std::collections::BTreeSet;

use byob_model::address::{Kind, RootKind};
use byob_model::desired::{Desired, DesiredAspect};
use byob_model::kind::{Attributes, KeyRef};
use byob_model::live::{Wanted, WantedBucket};
use byob_model::recorded::Recorded;

use crate::matching::find_recorded;

/// The reads for a plan; with no desired state, those for `byob drift`.
#[must_use]
pub fn wanted(desired: Option<&Desired>, recorded: &Recorded) -> Wanted {
    let mut wanted = Wanted::default();
    for (address, resource) in recorded.roots() {
        let aspects: BTreeSet<Kind> = recorded.aspects(&address).map(|(kind, _)| kind).collect();
        match address.kind {
            RootKind::Bucket => {
                let bucket = wanted.buckets.entry(resource.identity.clone()).or_default();
                bucket.region.clone_from(&resource.region);
                bucket.recorded = true;
                bucket.aspects.extend(aspects);
            }
            RootKind::Key => {
                let key = wanted.keys.entry(resource.identity.clone()).or_default();
                key.aspects.extend(aspects.into_iter().filter(|kind| *kind != Kind::Alias));
            }
        }
    }
    let Some(desired) = desired else { return wanted };
    for (address, root) in &desired.roots {
        let managed = root
            .aspects
            .iter()
            .filter(|(_, aspect)| matches!(aspect, DesiredAspect::Managed(_)))
            .map(|(kind, _)| *kind);
        match address.kind {
            RootKind::Bucket => {
                let bucket = wanted.buckets.entry(root.name.clone()).or_insert_with(|| WantedBucket {
                    // Whose it is has to be proved: by its tags, or by there being nothing in it.
                    contents: true,
                    ..WantedBucket::default()
                });
                if bucket.region.is_empty() {
                    bucket.region.clone_from(&root.region);
                }
                bucket.aspects.extend(managed);
                // The key that it is on, whoever put it there, holds its data.
                let access = [Kind::PublicAccessBlock, Kind::Ownership, Kind::BucketPolicy, Kind::Encryption];
                bucket.beside = access.into_iter().filter(|kind| !bucket.aspects.contains(kind)).collect();
                if let Some(KeyRef::Arn(arn)) = root.encryption_key() {
                    wanted.keys.entry(arn.clone()).or_default();
                }
            }
            RootKind::Key => {
                wanted.aliases.insert((root.region.clone(), root.name.clone()));
                if let Some((_, known)) = find_recorded(desired, recorded, address, root) {
                    let key = wanted.keys.entry(known.identity.clone()).or_default();
                    key.aspects.extend(managed.filter(|kind| *kind != Kind::Alias));
                }
            }
        }
    }
    for intent in recorded.intents.iter().filter(|i| i.address.kind == RootKind::Key) {
        wanted.key_intents.insert((intent.region.clone(), intent.id));
    }
    for intent in &recorded.intents {
        if let Some(name) = &intent.name {
            let bucket = wanted.buckets.entry(name.clone()).or_default();
            if bucket.region.is_empty() {
                bucket.region.clone_from(&intent.region);
            }
            bucket.contents = true;
            bucket.aspects.insert(Kind::BucketPolicy);
            // What it was put on before its run died.
            bucket.beside.insert(Kind::Encryption);
        }
    }
    deletions(&mut wanted, desired, recorded);
    wanted
}

/// Whether buckets hold data matters where they, or keys they ever used, are to be deleted.
fn deletions(wanted: &mut Wanted, desired: &Desired, recorded: &Recorded) {
    let names: BTreeSet<&str> = desired.roots.values().map(|root| root.name.as_str()).collect();
    let mut orphaned_keys: BTreeSet<&str> = BTreeSet::new();
    for (address, resource) in recorded.roots() {
        let identity = match address.kind {
            RootKind::Bucket => resource.identity.as_str(),
            RootKind::Key => {
                match recorded.resources.get(&address.aspect(Kind::Alias)).and_then(|r| r.typed().ok()) {
                    Some(Attributes::Alias(alias)) if names.contains(alias.name.as_str()) => continue,
                    _ if desired.roots.contains_key(&address) => continue,
                    _ => {
                        orphaned_keys.insert(&resource.identity);
                        continue;
                    }
                }
            }
        };
        if !names.contains(identity)
            && let Some(bucket) = wanted.buckets.get_mut(identity)
        {
            bucket.contents = true;
            // A bucket that dies keeps its Denies to the end; one that stays loses only what is ours.
            bucket.aspects.insert(Kind::BucketPolicy);
            // What is locked cannot be emptied; and a key that it was put on by a run that died goes after it.
            bucket.beside.extend([Kind::ObjectLock, Kind::Encryption]);
        }
    }
    // Whose a key is that is to be deleted, its tags say.
    for arn in &orphaned_keys {
        if let Some(key) = wanted.keys.get_mut(*arn) {
            key.aspects.insert(Kind::KeyTags);
        }
    }
    let users = recorded
        .roots()
        .filter(|(_, r)| r.keys_used.iter().any(|arn| orphaned_keys.contains(arn.as_str())))
        .map(|(_, r)| (r.identity.clone(), r.region.clone()));
    let forgotten = recorded
        .tombstones
        .iter()
        .filter(|t| t.address.kind == RootKind::Bucket)
        .map(|t| (t.identity.clone(), t.region.clone()));
    for (name, region) in users.chain(forgotten) {
        let bucket = wanted.buckets.entry(name).or_insert_with(|| WantedBucket {
            region,
            brief: true,
            ..WantedBucket::default()
        });
        bucket.contents = true;
    }
    for tombstone in recorded.tombstones.iter().filter(|t| t.address.kind == RootKind::Key) {
        wanted.keys.entry(tombstone.identity.clone()).or_default();
    }
}
