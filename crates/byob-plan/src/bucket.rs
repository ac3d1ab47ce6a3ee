//! A bucket, three ways: existence and ownership come before equality.

use std::collections::BTreeSet;

use byob_model::address::{BUCKET_ASPECTS, Kind};
use byob_model::call::{Call, Operation, Payload, Target};
use byob_model::desired::DesiredRoot;
use byob_model::kind::{
    Attributes, BYOB_ADDRESS, BYOB_INTENT, BYOB_LINEAGE, KeyRef, Purpose, VersioningStatus,
};
use byob_model::live::{BucketFacts, LiveAspect, LiveBucket, LiveKey};
use byob_model::recorded::RecordedResource;
use serde_json::Value;

use crate::compare::{Case, Planner};
use crate::diff::leaves;
use crate::drift::versioning_off;
use crate::finding::Rule;
use crate::plan::{Action, RecordChange, Step};

impl Planner<'_> {
    /// Compares a bucket and its aspects.
    pub(crate) fn bucket(&mut self, case: &Case<'_>) {
        let name = match (case.desired, case.recorded) {
            (Some(d), _) => d.name.clone(),
            (None, Some(r)) => r.identity.clone(),
            (None, None) => return,
        };
        let live = self.live.buckets.get(&name).unwrap_or(&LiveBucket::Absent);
        match (case.desired, case.recorded) {
            (Some(desired), None) => self.unrecorded_bucket(case, desired, live),
            (Some(desired), Some(recorded)) => self.known_bucket(case, desired, recorded, live),
            (None, Some(recorded)) => self.orphaned_bucket(case, recorded, live),
            (None, None) => {}
        }
    }

    fn unrecorded_bucket(&mut self, case: &Case<'_>, desired: &DesiredRoot, live: &LiveBucket) {
        let address = case.address.address();
        let name = &desired.name;
        match live {
            LiveBucket::Absent => self.new_bucket(case, desired, "not there yet"),
            LiveBucket::Forbidden { .. } => self.finding(
                Rule::OwnedByAnother,
                address,
                format!("bucket `{name}` exists and AWS does not let this caller look at it: most likely it belongs to another account"),
                "bucket names are global: choose another name; if it is yours, the caller needs s3:ListBucket on it",
            ),
            LiveBucket::Exists(facts) => {
                if self.wrong_region(case, desired, facts) {
                    return;
                }
                if self.bucket_proof(name, facts).is_some() && self.abac(case, facts) {
                    return;
                }
                match self.bucket_proof(name, facts) {
                    Some(reason) => {
                        // One that was deleted a moment ago may still be seen, with the tags of its time, or as bare as
                        // it was; only the tag of the open intent tells that it is the one.
                        let intent = self.recorded.intents.iter().find(|i| i.name.as_ref() == Some(name));
                        let tag = facts.tags.get(BYOB_INTENT);
                        if intent.is_none_or(|intent| tag != Some(&intent.id.to_string())) {
                            self.unsettled.insert(address);
                        }
                        self.adopt_bucket(case, desired, facts, reason);
                        self.bucket_aspects(case, desired, Some(facts));
                    }
                    None => self.stranger(case, name, facts.tags.get(BYOB_LINEAGE)),
                }
            }
        }
    }

    fn stranger(&mut self, case: &Case<'_>, name: &str, lineage: Option<&String>) {
        let address = case.address.address();
        match lineage {
            Some(lineage) => self.finding(
                Rule::RecordedElsewhere,
                address,
                format!("`{name}` is recorded elsewhere: it carries {BYOB_LINEAGE} = {lineage}"),
                format!(
                    "find the record with that lineage (the tags byob:stack and {BYOB_ADDRESS} say which configuration \
                     made it) and use it; where it is lost for good: byob import {address_of} --from-lineage {lineage}",
                    address_of = case.address
                ),
            ),
            None => self.finding(
                Rule::NotOurs,
                address,
                format!("`{name}` exists already, and nothing proves that byob made it"),
                format!("to take it over as it is, and see what would change: byob import {}; else choose another name", case.address),
            ),
        }
    }

    /// Why an unrecorded bucket is ours, if it is.
    fn bucket_proof(&self, name: &str, facts: &BucketFacts) -> Option<&'static str> {
        let lineage = self.recorded.lineage.map(|l| l.to_string());
        if lineage.is_some() && facts.tags.get(BYOB_LINEAGE) == lineage.as_ref() {
            return Some("carries this record's lineage");
        }
        let intent = self.recorded.intents.iter().find(|i| i.name.as_deref() == Some(name))?;
        if facts.tags.get(BYOB_INTENT) == Some(&intent.id.to_string()) {
            return Some("made by an interrupted run of this record");
        }
        let bare =
            facts.tags.is_empty() && facts.has_policy == Some(false) && facts.holds_data == Some(false);
        bare.then_some("made by an interrupted run of this record")
    }

    /// Tags that are access are not byob's to write.
    fn abac(&mut self, case: &Case<'_>, facts: &BucketFacts) -> bool {
        if facts.abac {
            self.finding(
                Rule::Abac,
                case.address.address(),
                "attribute-based access control (ABAC) is on: the bucket's tags are access, and byob writes tags",
                "switch ABAC off for this bucket (s3api put-bucket-abac), or leave it to the tool that manages it",
            );
        }
        facts.abac
    }

    fn wrong_region(&mut self, case: &Case<'_>, desired: &DesiredRoot, facts: &BucketFacts) -> bool {
        if facts.region == desired.region {
            return false;
        }
        self.finding(
            Rule::CannotChange,
            case.address.address(),
            format!(
                "`{}` is in {} and the configuration says {}",
                desired.name, facts.region, desired.region
            ),
            format!("a bucket never changes its region: write region = \"{}\"", facts.region),
        );
        true
    }

    fn known_bucket(
        &mut self,
        case: &Case<'_>,
        desired: &DesiredRoot,
        recorded: &RecordedResource,
        live: &LiveBucket,
    ) {
        let address = case.address.address();
        let name = &desired.name;
        match live {
            LiveBucket::Absent => {
                self.unsettled.insert(address.clone());
                if self.input.mode.recreate.contains(&case.address.to_string()) {
                    self.new_bucket(case, desired, "--recreate: it was deleted outside byob");
                } else {
                    self.finding(
                        Rule::Vanished,
                        address,
                        format!("`{name}` was deleted outside byob; its data may be lost"),
                        format!("to make it again, empty: --recreate {}; to drop it: take out its table", case.address),
                    );
                }
            }
            LiveBucket::Forbidden { listed: Some(false), .. } => self.finding(
                Rule::NowAnothers,
                address,
                format!("`{name}` now belongs to another account: it was deleted outside byob and somebody else took the name"),
                "tell W&B and everybody who writes to it at once; then take out its table and use another name",
            ),
            LiveBucket::Forbidden { .. } => self.finding(
                Rule::OwnedByAnother,
                address,
                format!("AWS does not let this caller look at `{name}`"),
                "the caller needs s3:ListBucket on the bucket (and s3:ListAllMyBuckets to tell whether it is still ours)",
            ),
            LiveBucket::Exists(facts) => {
                self.may_be_gone(case);
                if self.wrong_region(case, desired, facts) || self.abac(case, facts) {
                    return;
                }
                self.bucket_root(case, desired, recorded, facts);
                self.bucket_aspects(case, desired, Some(facts));
            }
        }
    }

    /// What only byob knows of a bucket, desired against recorded; and a record that moves to another address.
    fn bucket_root(
        &mut self,
        case: &Case<'_>,
        desired: &DesiredRoot,
        recorded: &RecordedResource,
        facts: &BucketFacts,
    ) {
        let address = case.address.address();
        self.desired_addresses.insert(address.clone());
        let resource = self.bucket_resource(case, desired, Some(facts));
        let changes = leaves(&recorded.attributes, &resource.attributes);
        if let Some(from) = &case.from {
            let mut step = self.root_step(case, desired, Action::Adopt, format!("recorded as {from}"));
            step.changes = changes;
            step.from = Some(from.clone());
            step.record = self.moved(case, from, resource);
            if recorded.created
                && !matches!(
                    desired.aspects.get(&Kind::BucketTags),
                    Some(byob_model::desired::DesiredAspect::Left)
                )
            {
                step.calls = vec![Call {
                    operation: Operation::PutBucketTagging,
                    target: bucket_target(desired, &self.desired.account_id),
                    payload: Payload::Tags {
                        set: [(BYOB_ADDRESS.to_owned(), case.address.to_string())].into(),
                        remove: BTreeSet::new(),
                    },
                }];
            }
            self.steps.push(step);
        } else if !changes.is_empty() {
            let mut step = self.root_step(
                case,
                desired,
                Action::Update,
                "changed in byob.toml; AWS holds none of it".into(),
            );
            step.changes = changes;
            step.record = vec![RecordChange::Put(address, resource)];
            self.steps.push(step);
        } else if resource != *recorded {
            self.record.push(RecordChange::Put(address, resource));
        }
    }

    /// The record's changes when a root moves to another address: the recorded aspects move along.
    pub(crate) fn moved(
        &self,
        case: &Case<'_>,
        from: &byob_model::address::RootAddress,
        resource: RecordedResource,
    ) -> Vec<RecordChange> {
        let mut record =
            vec![RecordChange::Remove(from.address()), RecordChange::Put(case.address.address(), resource)];
        for (kind, aspect) in self.recorded.aspects(from) {
            let mut aspect = aspect.clone();
            if let Some(tag) = aspect.attributes.get_mut(BYOB_ADDRESS) {
                *tag = Value::String(case.address.to_string());
            }
            record.push(RecordChange::Remove(from.aspect(kind)));
            record.push(RecordChange::Put(case.address.aspect(kind), aspect));
        }
        record
    }

    fn new_bucket(&mut self, case: &Case<'_>, desired: &DesiredRoot, reason: &str) {
        let mut step = self.root_step(case, desired, Action::Create, reason.to_owned());
        step.changes = leaves(&Value::Null, &desired.attributes.to_value());
        step.calls = vec![Call {
            operation: Operation::CreateBucket,
            target: bucket_target(desired, &self.desired.account_id),
            payload: Payload::NewBucket {
                object_lock: desired.managed(Kind::ObjectLock).is_some(),
                intent: None,
            },
        }];
        if case.recorded.is_some() {
            step.record = self
                .recorded
                .aspects(case.recorded_at())
                .map(|(kind, _)| RecordChange::Remove(case.recorded_at().aspect(kind)))
                .collect();
        }
        // An imported bucket that is made again stays one: what is desired of it was made for that.
        let mut resource = self.bucket_resource(&Case { recorded: None, ..case.clone() }, desired, None);
        resource.created = desired.created;
        step.record.push(RecordChange::Put(case.address.address(), resource));
        self.desired_addresses.insert(case.address.address());
        self.steps.push(step);
        self.bucket_aspects(case, desired, None);
    }

    fn adopt_bucket(&mut self, case: &Case<'_>, desired: &DesiredRoot, facts: &BucketFacts, reason: &str) {
        let mut step = self.root_step(case, desired, Action::Adopt, reason.to_owned());
        let mut before = desired.attributes.to_value();
        if let Some(object) = before.as_object_mut() {
            object.retain(|key, _| key == "name" || key == "region");
        }
        step.changes = leaves(&before, &desired.attributes.to_value());
        let mut resource = self.bucket_resource(case, desired, Some(facts));
        resource.created = true;
        step.record = vec![RecordChange::Put(case.address.address(), resource)];
        self.desired_addresses.insert(case.address.address());
        self.steps.push(step);
    }

    fn bucket_aspects(&mut self, case: &Case<'_>, desired: &DesiredRoot, facts: Option<&BucketFacts>) {
        let fresh = facts.is_none();
        let target = bucket_target(desired, &self.desired.account_id);
        self.bucket_conflicts(case, desired, facts);
        for kind in BUCKET_ASPECTS {
            let recorded = self.recorded_aspect(case, kind).is_some();
            if !desired.aspects.contains_key(&kind) && (!recorded || fresh) {
                continue;
            }
            let live = match facts {
                None => &LiveAspect::Absent,
                Some(facts) => facts.aspects.get(&kind).unwrap_or(&LiveAspect::Absent),
            };
            self.aspect(case, kind, live, &target, fresh);
        }
        if let (Some(facts), Some(recorded)) = (facts, case.recorded)
            && recorded.versioning_seen
            && !facts.versioning_enabled
            && desired.managed(Kind::Versioning).is_none()
            && self.recorded_aspect(case, Kind::Versioning).is_none()
        {
            self.drift.push(versioning_off(case.address.aspect(Kind::Versioning)));
        }
    }

    fn bucket_conflicts(&mut self, case: &Case<'_>, desired: &DesiredRoot, facts: Option<&BucketFacts>) {
        let at = |kind| case.address.aspect(kind);
        let label = &case.address;

        if let Some(Attributes::Lifecycle(lifecycle)) = desired.managed(Kind::Lifecycle) {
            let storage =
                matches!(&desired.attributes, Attributes::Bucket(b) if b.purpose == Purpose::Storage);
            let expiring = lifecycle.rules.iter().filter(|rule| {
                rule.enabled && rule.expiration.as_ref().is_some_and(|e| e.days.is_some() || e.date.is_some())
            });
            let ids: Vec<String> = expiring.map(|rule| format!("`{}`", rule.id)).collect();
            if storage && !ids.is_empty() {
                self.finding(
                    Rule::ExpiresRuns,
                    at(Kind::Lifecycle),
                    format!("rule {} expires current objects: W&B's run files would be lost", ids.join(", ")),
                    "W&B warns against it; let W&B delete runs, and expire noncurrent versions only",
                );
            }
            if facts.is_some_and(|f| f.mfa_delete) && !lifecycle.rules.is_empty() {
                self.finding(
                    Rule::Conflict,
                    at(Kind::Lifecycle),
                    "MFA delete is on, and AWS does not combine it with lifecycle rules",
                    format!("take the rules out of [{label}], or let the account's root user switch MFA delete off"),
                );
            }
        }
        if desired.managed(Kind::ObjectLock).is_some()
            && facts.is_some_and(|f| !f.versioning_enabled)
            && !matches!(desired.managed(Kind::Versioning), Some(Attributes::Versioning(v)) if v.status == VersioningStatus::Enabled)
        {
            self.finding(
                Rule::Conflict,
                at(Kind::ObjectLock),
                "object lock needs versioning, and the bucket has it off",
                format!("write versioning = \"enabled\" into [{label}]"),
            );
        }

        self.encryption_key(case, desired);
    }

    /// A key that byob does not manage must be usable before a bucket is pointed at it.
    fn encryption_key(&mut self, case: &Case<'_>, desired: &DesiredRoot) {
        let Some(KeyRef::Arn(arn)) = desired.encryption_key() else { return };
        if self.arns.values().any(|known| known == arn) {
            return;
        }
        let trouble = match self.live.keys.get(arn) {
            // A key of another account may well be usable and yet not describable.
            None | Some(LiveKey::Forbidden) => return,
            Some(LiveKey::Absent) => "does not exist".to_owned(),
            Some(LiveKey::Exists(facts)) if !facts.usable => {
                "is not a customer's symmetric key for encryption and decryption".to_owned()
            }
            Some(LiveKey::Exists(facts)) if facts.state != byob_model::kind::KeyState::Enabled => {
                format!("is {}", facts.state)
            }
            Some(LiveKey::Exists(_)) => return,
        };
        self.finding(
            Rule::KeyUnusable,
            case.address.aspect(Kind::Encryption),
            format!("the key `{arn}` {trouble}: S3 could neither write nor read objects under it"),
            "let its owner enable it (or cancel its deletion), or name another key",
        );
    }

    fn bucket_resource(
        &self,
        case: &Case<'_>,
        desired: &DesiredRoot,
        facts: Option<&BucketFacts>,
    ) -> RecordedResource {
        let mut resource = self.resource(case, Kind::Bucket, &desired.attributes);
        let known = case.recorded;
        resource.created = known.map_or(desired.created, |r| r.created);
        resource.name_prefix.clone_from(&desired.name_prefix);
        resource.keys_used = self.recorded.keys_of(&desired.name).cloned().collect();
        if let Some(LiveAspect::Present(Attributes::Encryption(encryption))) =
            facts.and_then(|f| f.aspects.get(&Kind::Encryption))
            && let Some(KeyRef::Arn(arn)) = &encryption.kms_key
        {
            resource.keys_used.insert(arn.clone());
        }
        let asked_off = matches!(
            desired.managed(Kind::Versioning),
            Some(Attributes::Versioning(v)) if v.status != VersioningStatus::Enabled
        );
        let seen = known.is_some_and(|r| r.versioning_seen) || facts.is_some_and(|f| f.versioning_enabled);
        resource.versioning_seen = seen && !asked_off;
        resource
    }

    /// A step about a root, with nothing in it yet.
    pub(crate) fn root_step(
        &self,
        case: &Case<'_>,
        desired: &DesiredRoot,
        action: Action,
        reason: String,
    ) -> Step {
        let address = case.address.address();
        Step {
            id: format!("{address}#1"),
            kind: address.kind,
            action,
            phase: 2,
            region: desired.region.clone(),
            account_id: self.desired.account_id.clone(),
            reason,
            changes: Vec::new(),
            calls: Vec::new(),
            depends_on: Vec::new(),
            from: None,
            identity: None,
            puts: Vec::new(),
            document: desired.attributes.to_value(),
            record: Vec::new(),
            before: None,
            after: Some(desired.attributes.clone()),
            address,
        }
    }
}

/// A desired bucket as the target of a call.
pub(crate) fn bucket_target(desired: &DesiredRoot, account_id: &str) -> Target {
    Target::Bucket {
        name: desired.name.clone(),
        region: desired.region.clone(),
        account_id: account_id.to_owned(),
    }
}
