//! The whole comparison: matches desired roots with recorded ones (identity before address), compares each, orders the
//! steps and closes the plan with its counts and its digest.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::{Address, Kind, RootAddress, RootKind};
use byob_model::call::Target;
use byob_model::config::ForeignStatements;
use byob_model::date::Date;
use byob_model::desired::{Desired, DesiredAspect, DesiredRoot};
use byob_model::kind::{Attributes, BYOB_INTENT, BYOB_LINEAGE, Encryption, KeyRef, is_system_tag};
use byob_model::live::{Live, LiveAspect};
use byob_model::recorded::{Recorded, RecordedResource};
use byob_policy::{BUCKET_POLICY_LIMIT, Document, KEY_POLICY_LIMIT};
use serde_json::Value;

use crate::approval;
use crate::approval::open_forms;
use crate::aspect::{self, Sides, Want};
use crate::canonical::digest;
use crate::finding::{Finding, Rule};
use crate::matching::unrecorded_keys;
use crate::order;
use crate::plan::{
    Account, Action, Drift, FORMAT_VERSION, Mode, Plan, Put, RecordChange, StateRef, Step, Summary,
};
use crate::recovery;

/// S3's and KMS's limit for the tags of one bucket or key.
const TAG_LIMIT: usize = 50;

/// Everything a plan is made of.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// What should exist.
    pub desired: &'a Desired,
    /// What byob last applied.
    pub recorded: &'a Recorded,
    /// What AWS answers, for [`crate::wanted()`].
    pub live: &'a Live,
    /// Flags.
    pub mode: &'a Mode,
    /// `aws`, `sandbox`, or host and port.
    pub endpoint: &'a str,
    /// `aws`, `aws-cn`, ….
    pub partition: &'a str,
    /// This byob.
    pub byob_version: &'a str,
    /// The desired state that the same configuration has with no record: what its digest is made of.
    pub meaning: &'a Desired,
    /// Today in UTC, for waivers: the only clock.
    pub today: Date,
}

/// Makes the plan.
#[must_use]
pub fn plan(input: &Input<'_>) -> Plan {
    let empty = input.desired.empty();
    let desired = if input.mode.destroy { &empty } else { input.desired };
    let left = recovery::left_behind(desired, input.recorded, input.live);
    let gone = input.recorded.resources.keys().filter(|address| left.contains(&address.root()));
    let gone: Vec<Address> = gone.cloned().collect();
    let completed = recovery::completed(desired, input.recorded, input.live);
    let input = &Input { recorded: &completed, ..*input };
    let mut planner = Planner::new(input, desired);
    planner.unsettled.extend(gone.iter().filter(|address| address.kind.is_root()).cloned());
    planner.record.extend(gone.into_iter().map(RecordChange::Remove));
    for root in left {
        planner.finding(
            Rule::MadeAgain,
            root.address(),
            "it is gone: a run that did not end was to delete it, as was approved; its table wants a bucket here again, which \
             is made empty",
            "where that run did not get as far, somebody else deleted it, and what it held is lost: CloudTrail knows \
             (DeleteBucket)",
        );
    }
    planner.match_roots();
    planner.resolve_keys();
    let cases = std::mem::take(&mut planner.cases);
    for case in &cases {
        match case.address.kind {
            RootKind::Bucket => planner.bucket(case),
            RootKind::Key => planner.key(case),
        }
    }
    planner.judge(&cases);
    planner.cases = cases;
    planner.tombstones();
    planner.unseen_keys();
    planner.finish()
}

/// A root as it has to be compared.
#[derive(Debug, Clone)]
pub(crate) struct Case<'a> {
    /// Its desired address; of a root that D does not have, the recorded one.
    pub address: RootAddress,
    pub desired: Option<&'a DesiredRoot>,
    pub recorded: Option<&'a RecordedResource>,
    /// Where the record has it, if elsewhere.
    pub from: Option<RootAddress>,
}

impl Case<'_> {
    /// Where the record has it.
    pub(crate) fn recorded_at(&self) -> &RootAddress {
        self.from.as_ref().unwrap_or(&self.address)
    }
}

pub(crate) struct Planner<'a> {
    pub input: &'a Input<'a>,
    pub desired: &'a Desired,
    pub recorded: &'a Recorded,
    pub live: &'a Live,
    pub cases: Vec<Case<'a>>,
    /// Keys that are there and unrecorded, by the table that each is, and how that is known.
    pub unrecorded_keys: BTreeMap<RootAddress, (String, &'static str)>,
    /// Keys of this configuration whose ARN is known.
    pub arns: BTreeMap<RootAddress, String>,
    pub steps: Vec<Step>,
    pub drift: Vec<Drift>,
    pub findings: Vec<Finding>,
    pub already: Vec<Address>,
    pub record: Vec<RecordChange>,
    pub unsettled: BTreeSet<Address>,
    /// Desired addresses compared.
    pub desired_addresses: BTreeSet<Address>,
    /// Buckets that end public by statements that were not when the plan was last applied: these statements.
    pub newly_public: BTreeMap<RootAddress, String>,
}

impl<'a> Planner<'a> {
    fn new(input: &'a Input<'a>, desired: &'a Desired) -> Self {
        Self {
            input,
            desired,
            recorded: input.recorded,
            live: input.live,
            cases: Vec::new(),
            unrecorded_keys: unrecorded_keys(desired, input.recorded, input.live),
            arns: BTreeMap::new(),
            steps: Vec::new(),
            drift: Vec::new(),
            findings: Vec::new(),
            already: Vec::new(),
            record: Vec::new(),
            unsettled: BTreeSet::new(),
            desired_addresses: BTreeSet::new(),
            newly_public: BTreeMap::new(),
        }
    }

    /// The desired attributes with the ARNs of existing keys put in.
    pub(crate) fn resolved(&self, attributes: &Attributes) -> Attributes {
        match attributes {
            Attributes::Encryption(encryption) => {
                let kms_key = encryption.kms_key.clone().map(|key| match &key {
                    KeyRef::Managed { arn_of } => self.arns.get(arn_of).cloned().map_or(key, KeyRef::Arn),
                    KeyRef::Arn(_) => key,
                });
                Attributes::Encryption(Encryption { kms_key, ..encryption.clone() })
            }
            other => other.clone(),
        }
    }

    pub(crate) fn finding(
        &mut self,
        rule: Rule,
        address: Address,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.findings.push(Finding::new(rule, address, message, help));
    }

    /// Compares one aspect and takes in what comes of it. `live` is what AWS has for it.
    pub(crate) fn aspect(
        &mut self,
        case: &Case<'_>,
        kind: Kind,
        live: &LiveAspect,
        target: &Target,
        fresh: bool,
    ) {
        let address = case.address.aspect(kind);
        let resolved = match case.desired.and_then(|d| d.aspects.get(&kind)) {
            Some(DesiredAspect::Managed(attributes)) => Some(self.resolved(attributes)),
            Some(DesiredAspect::Left) | None => None,
        };
        let want = match (case.desired.and_then(|d| d.aspects.get(&kind)), &resolved) {
            (Some(DesiredAspect::Left), _) => Want::Left,
            (_, Some(attributes)) => Want::Managed(attributes),
            _ => Want::Nothing,
        };
        // What was recorded of a root that is made again says nothing about the new one.
        let recorded = if fresh { None } else { self.recorded_aspect(case, kind) };
        let sides = Sides {
            kind,
            desired: want,
            recorded,
            live,
            foreign: case.desired.map_or(ForeignStatements::Remove, |d| d.foreign_statements),
            renamed: case.from.is_some(),
        };
        let mut outcome = aspect::compare(&sides);
        if matches!(want, Want::Managed(_)) {
            self.desired_addresses.insert(address.clone());
        }
        if outcome.unsettled {
            self.unsettled.insert(address.clone());
        }
        if let Some(code) = &outcome.not_offered {
            let table = &case.address;
            self.finding(
                Rule::NotOffered,
                address,
                format!("this endpoint does not offer it ({code})"),
                format!(
                    "if that is acceptable, add \"{}\" to `unmanaged` of [{table}]",
                    kind.aspect().unwrap_or_default()
                ),
            );
            return;
        }
        if outcome.cannot_take_out {
            let (what, help) = match kind {
                Kind::Versioning => (
                    "versioning",
                    "AWS cannot go back to never versioned; write versioning = \"suspended\", or put it into `unmanaged`",
                ),
                _ => (
                    "object lock",
                    "AWS cannot turn object lock off; leave `object_lock` in, or put it into `unmanaged`",
                ),
            };
            self.finding(Rule::CannotTakeOut, address.clone(), format!("{what} cannot be taken out"), help);
        }
        self.too_large(&address, kind, &mut outcome);
        self.too_many_tags(case, &address, &outcome, live);
        // A live value that an open approval was to put is byob's own doing.
        if let Some(difference) = outcome.drift
            && !self.put_by_open_approval(&address, live)
        {
            let sides = (difference.before, difference.after);
            let account = &self.desired.account_id;
            self.drift.push(Drift::judged(address.clone(), account, difference.changes, sides));
        }
        // What is refused has no step.
        if self.findings.iter().any(|f| f.address == address && f.blocks()) {
            return;
        }
        let put = |attributes: &Attributes| {
            RecordChange::Put(address.clone(), self.resource(case, kind, attributes))
        };
        match outcome.step {
            Some(todo) => {
                let record = match (&outcome.wanted, todo.action) {
                    (Some(wanted), _) => vec![put(wanted)],
                    (None, _) => vec![RecordChange::Remove(address.clone())],
                };
                let recorded = recorded.and_then(|r| r.typed().ok());
                let calls = if todo.silent {
                    Vec::new()
                } else {
                    aspect::calls(
                        kind,
                        target,
                        outcome.wanted.as_ref(),
                        todo.before.as_ref(),
                        recorded.as_ref(),
                        match live {
                            LiveAspect::Present(attributes) => Some(attributes),
                            _ => None,
                        },
                    )
                };
                let reason =
                    reason(case, &want, recorded.as_ref(), live, &todo, (fresh, self.is_open(&address)));
                let document = case
                    .desired
                    .and_then(|d| d.managed(kind))
                    .map_or(Value::Null, |a| document(a, outcome.wanted.as_ref()));
                self.steps.push(Step {
                    id: format!("{address}#1"),
                    kind,
                    action: todo.action,
                    phase: 2,
                    region: region(target),
                    account_id: self.desired.account_id.clone(),
                    reason,
                    changes: todo.changes,
                    calls,
                    depends_on: Vec::new(),
                    from: None,
                    identity: None,
                    puts: Vec::new(),
                    document,
                    record,
                    before: todo.before,
                    after: todo.after,
                    address,
                });
            }
            None if outcome.record_only => {
                let Some(wanted) = &outcome.wanted else { return };
                let change = put(wanted);
                // What is recorded of a root that is only coming into the record comes with it.
                let root = case.address.address();
                let unrecorded = fresh || case.recorded.is_none();
                match self.steps.iter_mut().find(|s| unrecorded && s.address == root) {
                    Some(step) => step.record.push(change),
                    None => {
                        self.record.push(change);
                        if outcome.unsettled || (recorded.is_none() && !wanted.is_empty()) {
                            self.already.push(address);
                        }
                    }
                }
            }
            None => {}
        }
    }

    /// Whether an approval that is not finished has a step for this address.
    fn is_open(&self, address: &Address) -> bool {
        open_forms(self.recorded, address).next().is_some()
    }

    /// Why a root goes.
    pub(crate) fn taken_out(&self) -> &'static str {
        if self.input.mode.destroy { "byob destroy" } else { "taken out of byob.toml" }
    }

    fn put_by_open_approval(&self, address: &Address, live: &LiveAspect) -> bool {
        open_forms(self.recorded, address)
            .any(|form| aspect::is_form(address.kind, live, &self.resolved(&form)))
    }

    /// An aspect as the record has it for this case's root; of a root that is not recorded, nothing, even where
    /// another one was recorded at its address.
    pub(crate) fn recorded_aspect(&self, case: &Case<'_>, kind: Kind) -> Option<&'a RecordedResource> {
        case.recorded?;
        self.recorded.resources.get(&case.recorded_at().aspect(kind))
    }

    /// AWS's limit counts the whole document, other teams' statements with it.
    fn too_large(&mut self, address: &Address, kind: Kind, outcome: &mut aspect::Outcome) {
        let help = match kind {
            Kind::BucketPolicy => "fewer or shorter `extra_statements`, or wildcards in place of lists",
            Kind::KeyPolicy => "fewer `managers`",
            _ => return,
        };
        let (Some(Attributes::Policy(policy)), Some(_)) = (&outcome.wanted, &outcome.step) else { return };
        if let Some(message) = over_limit(&policy.document, kind) {
            self.finding(Rule::TooLarge, address.clone(), message, help);
        }
    }

    /// AWS's limit counts everybody's tags but its own, byob's proof among them.
    fn too_many_tags(
        &mut self,
        case: &Case<'_>,
        address: &Address,
        outcome: &aspect::Outcome,
        live: &LiveAspect,
    ) {
        let (Some(Attributes::Tags(wanted)), Some(todo)) = (&outcome.wanted, &outcome.step) else { return };
        let mut keys: BTreeSet<&str> = match live {
            LiveAspect::Present(Attributes::Tags(live)) => live.tags.keys().map(String::as_str).collect(),
            _ => BTreeSet::new(),
        };
        keys.retain(|key| !is_system_tag(key));
        if let Some(Attributes::Tags(ours)) = &todo.before {
            keys.retain(|key| !ours.tags.contains_key(*key));
        }
        keys.extend(wanted.tags.keys().map(String::as_str));
        if case.recorded.map_or_else(|| case.desired.is_some_and(|d| d.created), |recorded| recorded.created)
        {
            keys.extend([BYOB_LINEAGE, BYOB_INTENT]);
        }
        if keys.len() > TAG_LIMIT {
            self.finding(
                Rule::TooLarge,
                address.clone(),
                format!("it would have {} tags, other teams' among them; AWS takes {TAG_LIMIT}", keys.len()),
                "fewer `tags`, or take some of the others off",
            );
        }
    }

    /// How the record will hold an aspect of this case's root.
    pub(crate) fn resource(&self, case: &Case<'_>, kind: Kind, attributes: &Attributes) -> RecordedResource {
        let region =
            case.desired.map(|d| d.region.clone()).or_else(|| case.recorded.map(|r| r.region.clone()));
        let identity = match case.address.kind {
            RootKind::Bucket => case.desired.map(|d| d.name.clone()),
            RootKind::Key => Some(self.arns.get(&case.address).cloned().unwrap_or_default()),
        };
        RecordedResource {
            kind,
            account_id: self.desired.account_id.clone(),
            region: region.unwrap_or_default(),
            identity: identity.or_else(|| case.recorded.map(|r| r.identity.clone())).unwrap_or_default(),
            attributes: attributes.to_value(),
            created: false,
            name_prefix: None,
            keys_used: BTreeSet::new(),
            versioning_seen: false,
        }
    }

    /// A root that an open approval was to delete, and that is still seen, may be gone: it is looked at again.
    pub(crate) fn may_be_gone(&mut self, case: &Case<'_>) {
        if recovery::dying(self.recorded).contains(case.recorded_at()) {
            self.unsettled.insert(case.address.address());
        }
    }

    /// Tombstones of buckets that are gone have done their work.
    fn tombstones(&mut self) {
        for tombstone in &self.recorded.tombstones {
            let gone = match tombstone.address.kind {
                RootKind::Bucket => {
                    matches!(
                        self.live.buckets.get(&tombstone.identity),
                        Some(byob_model::live::LiveBucket::Absent)
                    )
                }
                RootKind::Key => {
                    matches!(self.live.keys.get(&tombstone.identity), Some(byob_model::live::LiveKey::Absent))
                }
            };
            if gone {
                self.unsettled.insert(tombstone.address.address());
                self.record.push(RecordChange::TombstoneGone(tombstone.identity.clone()));
            }
        }
    }

    /// A key that an interrupted run may have made, and that is not seen: it was waited for, and one look too old would have
    /// it made a second time.
    fn unseen_keys(&mut self) {
        let of_keys = self.recorded.intents.iter().filter(|intent| intent.address.kind == RootKind::Key);
        let unseen = of_keys.filter(|intent| !self.live.key_intents.contains_key(&intent.id));
        self.unsettled.extend(unseen.map(|intent| intent.address.address()));
    }

    fn finish(mut self) -> Plan {
        if self.input.mode.refresh_only {
            self.accept_drift();
        } else {
            order::untangle(&mut self.steps);
            order::order(&mut self.steps);
            self.check_recreate();
            self.select_targets();
            self.keep_recorded();
            self.logs_lost();
            self.split_phases();
            self.open_keys_after_deletions();
            self.waive();
        }
        self.drift.sort_by(|a, b| a.address.cmp(&b.address));
        self.already.sort();
        self.findings.sort_by(|a, b| (a.severity, &a.address, a.rule).cmp(&(b.severity, &b.address, b.rule)));
        let mut summary = Summary { drifted: self.drift.len(), ..Summary::default() };
        let mut stepped: BTreeSet<&Address> = BTreeSet::new();
        for step in &self.steps {
            if !stepped.insert(&step.address) {
                continue;
            }
            match whole_action(&self.steps, step) {
                Action::Create => summary.create += 1,
                Action::Update => summary.update += 1,
                Action::Delete => summary.delete += 1,
                Action::Adopt => summary.adopt += 1,
                Action::Forget => summary.forget += 1,
            }
        }
        summary.unchanged = self.desired_addresses.iter().filter(|a| !stepped.contains(a)).count();
        let (access, access_verdict, ends) = self.access();
        let input = self.input;
        let mut plan = Plan {
            format_version: FORMAT_VERSION,
            byob_version: input.byob_version.to_owned(),
            accounts: vec![Account {
                account_id: input.desired.account_id.clone(),
                partition: input.partition.to_owned(),
            }],
            endpoint: input.endpoint.to_owned(),
            mode: input.mode.clone(),
            config_digest: digest(&input.meaning.to_value()),
            state: self
                .recorded
                .lineage
                .map(|lineage| StateRef { lineage: lineage.to_string(), serial: self.recorded.serial }),
            summary,
            steps: self.steps,
            drift: self.drift,
            access,
            access_verdict,
            ends,
            findings: self.findings,
            digest: String::new(),
            already: self.already,
            record: self.record,
            attributes: self.live.attributes,
            unsettled: self.unsettled,
            made: recovery::seen(self.recorded, self.live),
            names: self.input.desired.roots.iter().map(|(a, root)| (a.clone(), root.name.clone())).collect(),
        };
        for step in &mut plan.steps {
            // Where labels change places, what is recorded at an address is another one.
            let root = step.address.root();
            let recorded = match self.cases.iter().find(|case| case.address == root) {
                Some(case) => case.recorded,
                None => self.recorded.root(&root),
            };
            let arn = || self.arns.get(&root).cloned();
            step.identity = recorded.map(|root| root.identity.clone()).or_else(arn);
            if step.document.is_null() {
                step.puts = step.calls.iter().map(Put::of).collect();
            }
        }
        plan.digest = approval::plan_digest(&plan);
        plan
    }
}

/// What becomes of an address whose first step this is: the steps of both phases, taken together.
fn whole_action(steps: &[Step], first: &Step) -> Action {
    match steps.iter().rfind(|step| step.address == first.address) {
        Some(last) if last.id != first.id => Action::between(first.before.as_ref(), last.after.as_ref()),
        _ => first.action,
    }
}

/// The document an approval keeps: symbolic, and with other teams' statements as they were when it was planned.
fn document(symbolic: &Attributes, wanted: Option<&Attributes>) -> Value {
    match wanted {
        Some(policy @ Attributes::Policy(_)) => policy.to_value(),
        _ => symbolic.to_value(),
    }
}

fn region(target: &Target) -> String {
    match target {
        Target::Bucket { region, .. } | Target::Key { region, .. } => region.clone(),
    }
}

fn reason(
    case: &Case<'_>,
    want: &Want<'_>,
    recorded: Option<&Attributes>,
    live: &LiveAspect,
    todo: &aspect::Todo,
    (fresh, interrupted): (bool, bool),
) -> String {
    let text = match (want, todo.action) {
        (Want::Left, _) => "listed in `unmanaged`: left alone from now on",
        (Want::Nothing, Action::Forget) if matches!(live, LiveAspect::Present(_)) => {
            "taken out of byob.toml: left alone from now on"
        }
        (Want::Nothing, Action::Forget) => "taken out of byob.toml; AWS has none of ours left",
        (Want::Nothing, _) => "taken out of byob.toml",
        (Want::Managed(_), _) if todo.silent => "statements of other teams changed: accepted into the record",
        (Want::Managed(_), _) if fresh || case.recorded.is_none() => "part of a new root",
        (Want::Managed(wanted), _) => match recorded {
            None if interrupted => "left from an interrupted run",
            None => "managed from now on",
            Some(recorded) if recorded == *wanted => "changed outside byob: put back",
            Some(_) => "changed in byob.toml",
        },
    };
    text.to_owned()
}

/// What is said of a policy that is longer than AWS takes.
pub(crate) fn over_limit(document: &Document, kind: Kind) -> Option<String> {
    let (service, limit) = match kind {
        Kind::KeyPolicy => ("KMS", KEY_POLICY_LIMIT),
        _ => ("S3", BUCKET_POLICY_LIMIT),
    };
    let bytes = document.to_json().len();
    (bytes > limit).then(|| format!("the policy would have {bytes} bytes; {service} takes {limit}"))
}
