//! What a finished step does to the record: symbolic keys and identities filled in with what the creations answered. And
//! what needs no step: a record that is brought up to date.

use std::collections::BTreeMap;

use byob_model::address::{Kind, RootAddress, RootKind};
use byob_model::kind::{Attributes, KeyRef};
use byob_model::recorded::{Intent, Recorded, RecordedResource};
use byob_plan::accepts_drift;
use byob_plan::plan::{Action, Plan, RecordChange};
use byob_state::Entry;
use serde_json::Value;

/// Everything is read back: the record is brought up to date with what needed no step, and roots that are recorded need
/// their intents no more.
pub fn finish(recorded: &mut Recorded, last: &Plan) {
    let arns = arns(recorded);
    apply(recorded, &last.record, &arns);
    let intents = std::mem::take(&mut recorded.intents);
    recorded.intents =
        intents.into_iter().filter(|intent| its_root(recorded, intent, last).is_none()).collect();
}

/// Everything that a plan was about is done: so is everything that was approved, if that is no more than the plan was
/// about. `own`: the approval is the plan's own.
pub(crate) fn close(recorded: &mut Recorded, plan: &Plan, own: bool) {
    if let Some(approval) = &mut recorded.approval {
        let covered = plan.mode.target.is_empty() || plan.mode.target == approval.target;
        let alike = !plan.mode.refresh_only || accepts_drift(approval);
        approval.finished |= own || (covered && alike);
    }
}

/// Whether an intent made what is recorded at this root, under whatever address it was begun: labels change.
pub(crate) fn made(intent: &Intent, root: &RootAddress, identity: &str, plan: &Plan) -> bool {
    match (&intent.name, plan.made.get(&intent.id)) {
        (Some(name), _) => root.kind == RootKind::Bucket && name == identity,
        (None, Some(arn)) => arn == identity,
        (None, None) => intent.address == *root,
    }
}

/// What an intent made, if it is recorded.
pub(crate) fn its_root(recorded: &Recorded, intent: &Intent, plan: &Plan) -> Option<RootAddress> {
    let mut roots = recorded.roots();
    roots.find(|(root, known)| made(intent, root, &known.identity, plan)).map(|(root, _)| root)
}

/// What needs no step, of the roots that are there: recorded before the first step, because a run may end badly.
pub(crate) fn before_steps(recorded: &mut Recorded, plan: &Plan) {
    let made = |root: &RootAddress| {
        plan.steps.iter().any(|s| s.address == root.address() && s.action == Action::Create)
    };
    let there = |change: &&RecordChange| match change {
        RecordChange::Put(address, _) => recorded.root(&address.root()).is_some() && !made(&address.root()),
        RecordChange::Remove(_) | RecordChange::Tombstone(_) | RecordChange::TombstoneGone(_) => true,
    };
    let changes: Vec<RecordChange> = plan.record.iter().filter(there).cloned().collect();
    let arns = arns(recorded);
    apply(recorded, &changes, &arns);
}

/// The recorded keys.
pub(crate) fn arns(recorded: &Recorded) -> BTreeMap<RootAddress, String> {
    let keys = recorded.roots().filter(|(address, _)| address.kind == RootKind::Key);
    keys.map(|(address, r)| (address, r.identity.clone())).collect()
}

/// Applies changes to the record in memory and returns them as journal entries.
pub(crate) fn apply(
    recorded: &mut Recorded,
    changes: &[RecordChange],
    arns: &BTreeMap<RootAddress, String>,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    for change in changes {
        match change {
            RecordChange::Put(address, resource) => {
                let mut resource = resource.clone();
                if resource.identity.is_empty() && address.kind.root() == RootKind::Key {
                    resource.identity = arns.get(&address.root()).cloned().unwrap_or_default();
                }
                resolve(&mut resource.attributes, arns);
                if address.kind == Kind::Bucket
                    && let Some(known) = recorded.resources.get(address)
                {
                    resource.keys_used.extend(known.keys_used.iter().cloned());
                }
                put(recorded, &mut entries, address.clone(), resource.clone());
                let arn = resource.attributes.get("kms_key").and_then(Value::as_str);
                if let Some(arn) = arn.filter(|_| address.kind == Kind::Encryption) {
                    remember_key(recorded, &mut entries, &address.root(), arn);
                }
            }
            RecordChange::Remove(address) => {
                if recorded.resources.remove(address).is_some() {
                    entries.push(Entry::Remove { address: address.clone() });
                }
            }
            RecordChange::Tombstone(tombstone) => {
                entries.push(Entry::Tombstone(recorded.bury(tombstone.clone()).clone()));
            }
            RecordChange::TombstoneGone(identity) => {
                recorded.tombstones.retain(|t| t.identity != *identity);
                entries.push(Entry::TombstoneGone { identity: identity.clone() });
            }
        }
    }
    entries
}

fn put(
    recorded: &mut Recorded,
    entries: &mut Vec<Entry>,
    address: byob_model::Address,
    resource: RecordedResource,
) {
    recorded.resources.insert(address.clone(), resource.clone());
    entries.push(Entry::Put { address, resource });
}

/// The keys that buckets are about to be put on, as far as both are known by now: in the record before the write, because
/// what dies right after it cannot say so any more. Returns them as journal entries.
pub(crate) fn uses(recorded: &mut Recorded, plan: &Plan, arns: &BTreeMap<RootAddress, String>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for step in plan.steps.iter().filter(|step| !step.calls.is_empty()) {
        let Some(Attributes::Encryption(encryption)) = &step.after else { continue };
        let arn = match &encryption.kms_key {
            Some(KeyRef::Arn(arn)) => Some(arn),
            Some(KeyRef::Managed { arn_of }) => arns.get(arn_of),
            None => None,
        };
        if let Some(arn) = arn {
            let root = step.address.root();
            remember_key(recorded, &mut entries, &root, arn);
            for intent in recorded.intents.iter_mut().filter(|intent| intent.address == root) {
                if intent.keys_used.insert(arn.clone()) {
                    entries.push(Entry::Intent(intent.clone()));
                }
            }
        }
    }
    entries
}

/// A bucket's record keeps every key its default encryption ever used.
fn remember_key(recorded: &mut Recorded, entries: &mut Vec<Entry>, root: &RootAddress, arn: &str) {
    let Some(bucket) = recorded.resources.get(&root.address()) else { return };
    if !bucket.keys_used.contains(arn) {
        let mut bucket = bucket.clone();
        bucket.keys_used.insert(arn.to_owned());
        put(recorded, entries, root.address(), bucket);
    }
}

/// Puts ARNs in where attributes hold symbolic keys.
fn resolve(value: &mut Value, arns: &BTreeMap<RootAddress, String>) {
    match value {
        Value::Object(object) => {
            let symbol = (object.len() == 1)
                .then(|| object.get("arn_of").and_then(Value::as_str))
                .flatten()
                .and_then(|text| text.parse::<RootAddress>().ok());
            if let Some(arn) = symbol.and_then(|address| arns.get(&address)) {
                *value = Value::String(arn.clone());
            } else {
                for inner in object.values_mut() {
                    resolve(inner, arns);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| resolve(item, arns)),
        _ => {}
    }
}
