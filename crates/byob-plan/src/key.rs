//! A KMS key, three ways. Deleting one can make data unreadable for ever, so deletion is judged here by every bucket that
//! ever used the key.

use std::collections::BTreeSet;

use byob_model::address::{KEY_ASPECTS, Kind, RootKind};
use byob_model::call::{Call, Operation, Payload, Target};
use byob_model::desired::{DesiredRoot, approved_alias};
use byob_model::kind::{
    Attributes, BYOB_ADDRESS, BYOB_LINEAGE, BYOB_STACK, Key, KeyRef, KeyState, Policy, Waivers,
};
use byob_model::live::{KeyFacts, LiveAspect, LiveBucket, LiveKey};
use byob_model::recorded::{RecordedResource, Tombstone};
use serde_json::Value;

use crate::approval::open_forms;
use crate::aspect::{self, filled};
use crate::compare::{Case, Planner};
use crate::diff::leaves;
use crate::finding::Rule;
use crate::plan::{Action, Change, Drift, RecordChange, Step};
use crate::removal::leaving;

impl Planner<'_> {
    /// The ARN of a desired key, if it exists: as recorded, or proved by its intent or its lineage.
    pub(crate) fn key_arn(&self, case: &Case<'_>) -> Option<String> {
        let recreate = self.input.mode.recreate.contains(&case.address.to_string());
        if let Some(recorded) = case.recorded {
            let gone = matches!(self.live.keys.get(&recorded.identity), Some(LiveKey::Absent));
            return (!(gone && recreate)).then(|| recorded.identity.clone());
        }
        case.desired?;
        self.proved_key(case).map(|(arn, _)| arn)
    }

    fn proved_key(&self, case: &Case<'_>) -> Option<(String, &'static str)> {
        self.unrecorded_keys.get(&case.address).cloned()
    }

    /// Compares a key and its aspects.
    pub(crate) fn key(&mut self, case: &Case<'_>) {
        match (case.desired, case.recorded) {
            (Some(desired), None) => self.unrecorded_key(case, desired),
            (Some(desired), Some(recorded)) => self.known_key(case, desired, recorded),
            (None, Some(recorded)) => self.orphaned_key(case, recorded),
            (None, None) => {}
        }
    }

    fn unrecorded_key(&mut self, case: &Case<'_>, desired: &DesiredRoot) {
        if let Some((arn, reason)) = self.proved_key(case)
            && let Some(LiveKey::Exists(facts)) = self.live.keys.get(&arn)
        {
            // One whose deletion was ordered a moment ago may still be seen alive; one that was just made has an intent.
            if !self.recorded.intents.iter().any(|i| i.address == case.address) {
                self.unsettled.insert(case.address.address());
            }
            let mut step = self.root_step(case, desired, Action::Adopt, reason.to_owned());
            let live = live_key(facts, &desired.attributes);
            step.changes = leaves(&live.to_value(), &desired.attributes.to_value());
            step.calls = self.key_calls(case, desired, &live);
            let mut resource = self.resource(case, Kind::Key, &desired.attributes);
            resource.created = true;
            step.record = vec![RecordChange::Put(case.address.address(), resource)];
            self.desired_addresses.insert(case.address.address());
            self.steps.push(step);
            self.key_aspects(case, desired, Some(facts));
            return;
        }
        if self.alias_is_taken(case, desired, None) {
            return;
        }
        self.new_key(case, desired, "not there yet");
    }

    /// Whether the wanted alias points at a key that is not ours; says so.
    fn alias_is_taken(&mut self, case: &Case<'_>, desired: &DesiredRoot, ours: Option<&str>) -> bool {
        let Some(Some(arn)) = self.live.aliases.get(&(desired.region.clone(), desired.name.clone())) else {
            return false;
        };
        if ours == Some(arn.as_str()) {
            return false;
        }
        // Of this record: a key is one table's.
        if let Some((owner, _)) = self.recorded.roots().find(|(_, key)| key.identity == *arn) {
            self.finding(
                Rule::AliasTaken,
                case.address.aspect(Kind::Alias),
                format!("`{}` points at `{arn}`, which is {owner}", desired.name),
                format!(
                    "a key is one table's: choose another alias, or delete this one (aws kms delete-alias); a bucket is put \
                     on that key by key = \"{owner}\""
                ),
            );
            return true;
        }
        let lineage = match self.live.keys.get(arn) {
            Some(LiveKey::Exists(facts)) => facts.tags.get(BYOB_LINEAGE),
            _ => None,
        };
        let (rule, address) = match lineage {
            Some(_) if ours.is_none() => (Rule::RecordedElsewhere, case.address.address()),
            _ => (Rule::AliasTaken, case.address.aspect(Kind::Alias)),
        };
        if let Some(LiveKey::Exists(facts)) = self.live.keys.get(arn)
            && facts.state == KeyState::PendingDeletion
            && ours.is_none()
        {
            self.finding(
                Rule::AliasTaken,
                case.address.aspect(Kind::Alias),
                format!("`{}` points at `{arn}`, which is pending deletion", desired.name),
                format!(
                    "take the alias off that key (aws kms delete-alias --alias-name {}), or choose another alias",
                    desired.name
                ),
            );
            return true;
        }
        let stack = match self.live.keys.get(arn) {
            Some(LiveKey::Exists(facts)) => {
                facts.tags.get(BYOB_STACK).filter(|stack| **stack != self.desired.stack)
            }
            _ => None,
        };
        let stack = stack.map(|stack| format!(" and {BYOB_STACK} = {stack}")).unwrap_or_default();
        let whose =
            lineage.map(|l| format!(", which carries {BYOB_LINEAGE} = {l}{stack}")).unwrap_or_default();
        let from = lineage.map(|l| format!(" --from-lineage {l}")).unwrap_or_default();
        self.finding(
            rule,
            address,
            format!("`{}` already points at `{arn}`{whose}", desired.name),
            match ours {
                Some(ours) => format!(
                    "it was moved off our key `{ours}` outside byob: point it back (aws kms update-alias), or choose \
                     another alias"
                ),
                None => format!(
                    "choose another alias; to take that key over as it is: byob import {}{from}; to use it without managing \
                     it: encryption = {{ type = \"sse-kms\", key = \"{arn}\" }}",
                    case.address
                ),
            },
        );
        true
    }

    fn new_key(&mut self, case: &Case<'_>, desired: &DesiredRoot, reason: &str) {
        let mut step = self.root_step(case, desired, Action::Create, reason.to_owned());
        step.changes = leaves(&Value::Null, &desired.attributes.to_value());
        let description = match &desired.attributes {
            Attributes::Key(key) => key.description.clone(),
            _ => String::new(),
        };
        let policy = match desired.managed(Kind::KeyPolicy) {
            Some(Attributes::Policy(policy)) => policy.clone(),
            _ => Policy::empty(),
        };
        let tags = match desired.managed(Kind::KeyTags) {
            Some(Attributes::Tags(tags)) => tags.tags.clone(),
            _ => std::collections::BTreeMap::new(),
        };
        step.calls = vec![Call {
            operation: Operation::CreateKey,
            target: self.key_target(case, desired),
            payload: Payload::NewKey { description, policy, tags, intent: None },
        }];
        if case.recorded.is_some() {
            step.record = self
                .recorded
                .aspects(case.recorded_at())
                .map(|(kind, _)| RecordChange::Remove(case.recorded_at().aspect(kind)))
                .collect();
        }
        let mut resource = self.resource(case, Kind::Key, &desired.attributes);
        resource.created = desired.created;
        step.record.push(RecordChange::Put(case.address.address(), resource));
        self.desired_addresses.insert(case.address.address());
        self.steps.push(step);
        self.key_aspects(case, desired, None);
    }

    fn known_key(&mut self, case: &Case<'_>, desired: &DesiredRoot, recorded: &RecordedResource) {
        let address = case.address.address();
        let arn = &recorded.identity;
        let facts = match self.live.keys.get(arn) {
            None | Some(LiveKey::Absent) => {
                self.unsettled.insert(address.clone());
                if self.input.mode.recreate.contains(&case.address.to_string()) {
                    if !self.alias_is_taken(case, desired, Some(arn)) {
                        self.new_key(case, desired, "--recreate: it was deleted outside byob");
                    }
                } else {
                    self.finding(
                        Rule::Vanished,
                        address,
                        format!("`{arn}` does not exist any more; every object under it is unreadable"),
                        format!(
                            "to make a new key (which does not bring the objects back): --recreate {}",
                            case.address
                        ),
                    );
                }
                return;
            }
            Some(LiveKey::Forbidden) => {
                self.finding(
                    Rule::OwnedByAnother,
                    address,
                    format!("AWS does not let this caller look at `{arn}`"),
                    "the caller needs kms:DescribeKey on it, by the key's policy or by IAM",
                );
                return;
            }
            Some(LiveKey::Exists(facts)) => facts,
        };
        if facts.state != KeyState::PendingDeletion {
            self.may_be_gone(case);
        }
        self.desired_addresses.insert(address.clone());
        let known = recorded.typed().ok();
        let live = live_key(facts, known.as_ref().unwrap_or(&desired.attributes));
        let live = filled(live, known.as_ref());
        let mut resource = self.resource(case, Kind::Key, &desired.attributes);
        resource.created = recorded.created;
        let changes = leaves(&live.to_value(), &desired.attributes.to_value());
        let drifted = leaves(&recorded.attributes, &live.to_value());
        let unsettled = !drifted.is_empty();
        if unsettled {
            self.unsettled.insert(address.clone());
        }
        let put_by_us =
            open_forms(self.recorded, &address).any(|form| filled(live.clone(), Some(&form)) == form);
        if unsettled && !changes.is_empty() && !put_by_us {
            let changes = drifted.into_iter().map(|c| Change { unknown: None, ..c }).collect();
            let (account, sides) = (&self.desired.account_id, (known, Some(live.clone())));
            self.drift.push(Drift::judged(address.clone(), account, changes, sides));
        }
        if let Some(from) = &case.from {
            let mut step = self.root_step(case, desired, Action::Adopt, format!("recorded as {from}"));
            step.changes = changes;
            step.from = Some(from.clone());
            step.calls = self.key_calls(case, desired, &live);
            if recorded.created {
                step.calls.push(Call {
                    operation: Operation::TagResource,
                    target: self.key_target(case, desired),
                    payload: Payload::Tags {
                        set: [(BYOB_ADDRESS.to_owned(), case.address.to_string())].into(),
                        remove: BTreeSet::new(),
                    },
                });
            }
            step.record = self.moved(case, from, resource);
            self.steps.push(step);
        } else if !changes.is_empty() {
            let mut step = self.root_step(case, desired, Action::Update, "differs from byob.toml".into());
            step.changes = changes;
            step.calls = self.key_calls(case, desired, &live);
            step.before = Some(live);
            step.record = vec![RecordChange::Put(address, resource)];
            self.steps.push(step);
        } else if resource != *recorded {
            if unsettled {
                self.already.push(address.clone());
            }
            self.record.push(RecordChange::Put(address, resource));
        }
        self.key_aspects(case, desired, Some(facts));
    }

    /// The writes that make a key's own attributes as wanted. A disabled key cannot be changed: enable it first.
    fn key_calls(&self, case: &Case<'_>, desired: &DesiredRoot, live: &Attributes) -> Vec<Call> {
        let (Attributes::Key(wanted), Attributes::Key(live)) = (&desired.attributes, live) else {
            return Vec::new();
        };
        let target = self.key_target(case, desired);
        let call = |operation, payload| Call { operation, target: target.clone(), payload };
        let mut calls = Vec::new();
        if live.state == KeyState::PendingDeletion {
            calls.push(call(Operation::CancelKeyDeletion, Payload::None));
        }
        if live.state != KeyState::Enabled {
            calls.push(call(Operation::EnableKey, Payload::None));
        }
        if live.description != wanted.description {
            calls
                .push(call(Operation::UpdateKeyDescription, Payload::Attributes(desired.attributes.clone())));
        }
        calls
    }

    fn key_aspects(&mut self, case: &Case<'_>, desired: &DesiredRoot, facts: Option<&KeyFacts>) {
        let target = self.key_target(case, desired);

        let fresh = facts.is_none();
        for kind in KEY_ASPECTS {
            let recorded = self.recorded_aspect(case, kind);
            if !desired.aspects.contains_key(&kind) && (recorded.is_none() || fresh) {
                continue;
            }
            let alias;
            let live = match (facts, kind) {
                (None, _) => &LiveAspect::Absent,
                (Some(facts), Kind::Alias) => {
                    if self.alias_is_taken(case, desired, Some(&facts.arn)) {
                        continue;
                    }
                    alias = aspect::live_alias(facts, desired.managed(kind), recorded);
                    &alias
                }
                (Some(facts), _) => facts.aspects.get(&kind).unwrap_or(&LiveAspect::Absent),
            };
            self.aspect(case, kind, live, &target, fresh);
        }
        if let (Some(facts), Some(Attributes::Alias(alias))) = (facts, desired.managed(Kind::Alias))
            && facts.aliases.contains(&alias.name)
        {
            // A renaming that was interrupted: the new one is there, the old one has still to go.
            let steps = self.steps.iter_mut().filter(|s| s.address == case.address.aspect(Kind::Alias));
            steps.for_each(|s| s.calls.retain(|call| call.operation != Operation::CreateAlias));
        }
        if fresh {
            // `CreateKey` carries policy and tags: their steps make no call of their own.
            for step in &mut self.steps {
                if step.address.root() == case.address && matches!(step.kind, Kind::KeyPolicy | Kind::KeyTags)
                {
                    step.calls.clear();
                }
            }
        }
    }

    fn key_target(&self, case: &Case<'_>, desired: &DesiredRoot) -> Target {
        let symbolic = KeyRef::Managed { arn_of: case.address.clone() };
        Target::Key {
            key: self.arns.get(&case.address).cloned().map_or(symbolic, KeyRef::Arn),
            region: desired.region.clone(),
            account_id: self.desired.account_id.clone(),
        }
    }

    fn orphaned_key(&mut self, case: &Case<'_>, recorded: &RecordedResource) {
        let address = case.address.address();
        let arn = &recorded.identity;
        let Ok(Attributes::Key(key)) = recorded.typed() else { return };
        if self.desired.forget.contains(&case.address) {
            self.forget_root(case, recorded, Vec::new(), "listed in `forget`");
            return;
        }
        let facts = match self.live.keys.get(arn) {
            None | Some(LiveKey::Absent) => {
                // One that was made a moment ago may not be seen yet: forgotten, it would be an orphan.
                self.unsettled.insert(address);
                self.forget_root(case, recorded, Vec::new(), "already gone");
                return;
            }
            Some(LiveKey::Forbidden) => {
                self.finding(
                    Rule::OwnedByAnother,
                    address,
                    format!("`{arn}` is to be deleted, and AWS does not let this caller look at it"),
                    format!("to drop it from the record and leave it alone: forget = [\"{}\"]", case.address),
                );
                return;
            }
            Some(LiveKey::Exists(facts)) => facts,
        };
        let ordered = self.recorded.tombstones.iter().any(|t| t.identity == *arn && t.deletion_ordered);
        if facts.state == KeyState::PendingDeletion && ordered {
            self.forget_root(case, recorded, Vec::new(), "its deletion is scheduled already");
            return;
        }
        if key.protect {
            self.protected(case, arn);
            return;
        }
        if self.anothers(case, arn, &facts.tags) {
            return;
        }
        let (blocking, after) = self.users_of(arn);
        if !blocking.is_empty() {
            self.finding(
                Rule::KeyInUse,
                address,
                format!(
                    "objects in {} were encrypted under `{arn}`, or are to be; without it they are unreadable for ever",
                    blocking.join(", ")
                ),
                format!("to keep the key and drop it from the record: forget = [\"{}\"]", case.address),
            );
            return;
        }
        self.delete_key(case, recorded, &key, facts, after);
    }

    fn delete_key(
        &mut self,
        case: &Case<'_>,
        recorded: &RecordedResource,
        key: &Key,
        facts: &KeyFacts,
        after: Vec<String>,
    ) {
        let target = Target::Key {
            key: KeyRef::Arn(recorded.identity.clone()),
            region: recorded.region.clone(),
            account_id: recorded.account_id.clone(),
        };
        let call = |operation, payload| Call { operation, target: target.clone(), payload };
        let alias =
            self.recorded.resources.get(&case.recorded_at().aspect(Kind::Alias)).and_then(|r| r.typed().ok());
        // Of a key that a run did not finish nothing may say which alias it got. Where an alias goes on pointing at a key that
        // is to be deleted, no other one can have it.
        let approved = approved_alias(self.recorded, case.recorded_at(), &recorded.identity);
        let ours = |name: &&String| match &alias {
            Some(Attributes::Alias(alias)) => alias.name == **name || approved == Some(name),
            _ => recorded.created,
        };
        let aliases = facts.aliases.iter().filter(ours).cloned();
        let mut calls: Vec<Call> =
            aliases.map(|name| call(Operation::DeleteAlias, Payload::Alias { name })).collect();
        let days = key.deletion_window_days;
        calls.push(call(Operation::ScheduleKeyDeletion, Payload::Window { days }));
        let mut record = self.removed(case);
        record.push(RecordChange::Tombstone(Tombstone {
            address: case.address.clone(),
            identity: recorded.identity.clone(),
            account_id: recorded.account_id.clone(),
            region: recorded.region.clone(),
            keys_used: BTreeSet::new(),
            deletion_ordered: true,
        }));
        let step = Step {
            action: Action::Delete,
            reason: format!("{}; AWS deletes it {days} days after it is scheduled", self.taken_out()),
            changes: leaves(&recorded.attributes, &Value::Null),
            calls,
            depends_on: after,
            record,
            ..leaving(case, recorded)
        };
        self.steps.push(step);
    }

    /// Who still needs a key: buckets that ever used it, exist, and are not empty; and the ids of the steps that have to
    /// come before its deletion (those that delete such buckets, or move their default encryption away).
    fn users_of(&self, arn: &str) -> (Vec<String>, Vec<String>) {
        let mut blocking: Vec<String> =
            self.encrypted_by(arn).iter().map(|name| format!("`{name}`")).collect();
        let mut after = Vec::new();
        let known = self.recorded.users_of(arn).into_iter();
        let forgotten = self.recorded.tombstones.iter().filter(|t| t.keys_used.contains(arn));
        let users = known
            .map(|(name, address)| (Some(address), name))
            .chain(forgotten.map(|t| (None, t.identity.clone())));
        for (address, name) in users {
            if let Some(address) = &address {
                let step =
                    self.steps.iter().find(|s| s.address == address.address() && s.action == Action::Delete);
                if let Some(step) = step {
                    after.push(step.id.clone());
                    continue;
                }
                // Wherever its table stands by now.
                let table =
                    self.desired.roots.iter().find(|(a, d)| a.kind == RootKind::Bucket && d.name == name);
                let address = table.map_or(address, |(address, _)| address);
                after.push(format!("{}#1", address.aspect(Kind::Encryption)));
            }
            let unneeded = match self.live.buckets.get(&name) {
                Some(LiveBucket::Absent) => true,
                Some(LiveBucket::Exists(facts)) => facts.holds_data == Some(false),
                None | Some(LiveBucket::Forbidden { .. }) => false,
            };
            if !unneeded {
                blocking.push(format!("`{name}`"));
            }
        }
        blocking.sort();
        blocking.dedup();
        (blocking, after)
    }

    /// Buckets whose default encryption will go on using a key, empty or not: without it nothing can be written there.
    fn encrypted_by(&self, arn: &str) -> BTreeSet<String> {
        let uses = |attributes: &Attributes| match attributes {
            Attributes::Encryption(encryption) => encryption.kms_key == Some(KeyRef::Arn(arn.to_owned())),
            _ => false,
        };
        let wanted = self.desired.roots.values().filter(|root| {
            root.managed(Kind::Encryption).is_some_and(|attributes| uses(&self.resolved(attributes)))
        });
        let leaves = |name: &str| {
            self.steps.iter().flat_map(|step| &step.calls).any(|call| {
                matches!(call.operation, Operation::DeleteBucket | Operation::PutBucketEncryption)
                    && matches!(&call.target, Target::Bucket { name: target, .. } if target == name)
            })
        };
        let live = self.live.buckets.iter().filter(|(name, bucket)| match bucket {
            LiveBucket::Exists(facts) => {
                matches!(facts.aspects.get(&Kind::Encryption), Some(LiveAspect::Present(found)) if uses(found))
                    && !leaves(name)
            }
            LiveBucket::Absent | LiveBucket::Forbidden { .. } => false,
        });
        wanted.map(|root| root.name.clone()).chain(live.map(|(name, _)| name.clone())).collect()
    }
}

/// The key's live attributes; what AWS does not hold is taken from `basis`.
fn live_key(facts: &KeyFacts, basis: &Attributes) -> Attributes {
    let (deletion_window_days, protect) = match basis {
        Attributes::Key(key) => (key.deletion_window_days, key.protect),
        _ => (30, true),
    };
    Attributes::Key(Key {
        description: facts.description.clone(),
        state: facts.state.clone(),
        deletion_window_days,
        protect,
        waivers: Waivers::new(),
    })
}
