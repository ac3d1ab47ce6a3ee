//! What goes: buckets that no table describes any more, and the record of roots that are forgotten or deleted. Nothing that
//! holds data is deleted by the way, and a dying bucket is not stripped first.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::{Address, Kind, RootAddress, RootKind};
use byob_model::call::{Call, Operation, Payload, Target};
use byob_model::kind::{Attributes, BYOB_LINEAGE, BYOB_STACK, Cors, Policy, Purpose, is_our_sid};
use byob_model::live::{BucketFacts, LiveAspect, LiveBucket};
use byob_model::recorded::RecordedResource;
use byob_policy::{Document, Effect, Guarded, Owner, Verdict, compare};
use serde_json::Value;

use crate::approval::open_forms;
use crate::aspect::is_form;
use crate::compare::{Case, Planner};
use crate::diff::leaves;
use crate::finding::{Finding, Rule};
use crate::import::foreign_lineage;
use crate::order;
use crate::plan::{Action, RecordChange, Step};
use crate::rules::joined;

impl Planner<'_> {
    /// A key's policy that lets more in waits until the buckets that go are gone: whoever gets in at their policies could read
    /// what is under the key for as long as they stand.
    pub(crate) fn open_keys_after_deletions(&mut self) {
        let dies = |step: &&Step| step.kind == Kind::Bucket && step.action == Action::Delete;
        let dying: Vec<(String, BTreeSet<&String>)> = self
            .steps
            .iter()
            .filter(dies)
            .map(|step| {
                let bucket = self.recorded.root(&step.address.root());
                let keys = bucket.into_iter().flat_map(|bucket| self.recorded.keys_of(&bucket.identity));
                (step.id.clone(), keys.collect())
            })
            .collect();
        let account = self.desired.account_id.parse().ok();
        let owner = Owner { guarded: Guarded::Key, account };
        for step in self.steps.iter_mut().filter(|s| s.kind == Kind::KeyPolicy && s.phase == 2) {
            let (Some(Attributes::Policy(old)), Some(Attributes::Policy(new)), Some(arn)) =
                (&step.before, &step.after, self.arns.get(&step.address.root()))
            else {
                continue;
            };
            if compare(&old.document, &new.document, &owner) != Verdict::Within {
                let under = dying.iter().filter(|(_, keys)| keys.contains(arn));
                step.depends_on.extend(under.map(|(id, _)| id.clone()));
            }
        }
        if !dying.is_empty() {
            order::sort(&mut self.steps);
        }
    }

    pub(crate) fn orphaned_bucket(
        &mut self,
        case: &Case<'_>,
        recorded: &RecordedResource,
        live: &LiveBucket,
    ) {
        let address = case.address.address();
        let name = &recorded.identity;
        let Ok(Attributes::Bucket(bucket)) = recorded.typed() else { return };
        if self.desired.forget.contains(&case.address) {
            self.forget_root(case, recorded, Vec::new(), "listed in `forget`");
            return;
        }
        let facts = match live {
            LiveBucket::Absent => {
                // One that was made a moment ago may not be seen yet: forgotten, it would be an orphan.
                self.unsettled.insert(address);
                self.forget_root(case, recorded, Vec::new(), "already gone");
                return;
            }
            LiveBucket::Forbidden { listed, .. } => {
                let rule = if *listed == Some(false) { Rule::NowAnothers } else { Rule::OwnedByAnother };
                self.finding(
                    rule,
                    address,
                    format!("`{name}` is to be deleted, and AWS does not let this caller look at it"),
                    format!("to drop it from the record and leave it alone: forget = [\"{}\"]", case.address),
                );
                return;
            }
            LiveBucket::Exists(facts) => facts,
        };
        // Its Denies stay until it is gone: a policy that was put a moment ago may not be seen yet, and one that a killed
        // run was to put may have been put.
        let policy = case.address.aspect(Kind::BucketPolicy);
        let known = self.recorded.resources.get(&policy).and_then(|recorded| recorded.typed().ok());
        let last = open_forms(self.recorded, &policy).last().or(known);
        if let (Some(last), Some(live)) = (last, facts.aspects.get(&Kind::BucketPolicy))
            && !is_form(Kind::BucketPolicy, live, &last)
        {
            self.unsettled.insert(policy);
        }
        let target = Target::Bucket {
            name: name.clone(),
            region: facts.region.clone(),
            account_id: recorded.account_id.clone(),
        };
        if bucket.purpose == Purpose::Reference {
            let calls = take_out_ours(facts, &target);
            self.forget_root(
                case,
                recorded,
                calls,
                "a reference bucket is never deleted: ours goes, the bucket stays",
            );
            return;
        }
        if bucket.protect {
            self.protected(case, name);
            return;
        }
        if self.desired.record_bucket.as_ref() == Some(name) {
            self.finding(
                Rule::Protected,
                address,
                format!("`{name}` keeps byob's own record, and would be deleted with it"),
                format!(
                    "move the record away first ([state] and byob state migrate), then this again; to keep the bucket and \
                     drop it from the record: forget = [\"{}\"]",
                    case.address
                ),
            );
            return;
        }
        if self.anothers(case, name, &facts.tags) {
            return;
        }
        let call = |operation, payload| Call { operation, target: target.clone(), payload };
        let mut calls = Vec::new();
        let locked = case_has_lock(self.recorded_aspect(case, Kind::ObjectLock).is_some(), facts);
        if bucket.force_destroy && locked && facts.holds_data == Some(true) {
            self.finding(
                Rule::NotEmpty,
                address,
                format!(
                    "`{name}` still holds data and has object lock: what is retained or held cannot be deleted, and the \
                     rest would be gone"
                ),
                format!(
                    "empty it by hand once nothing in it is retained or held, then this again; to keep it: \
                     forget = [\"{}\"]",
                    case.address
                ),
            );
            return;
        }
        if bucket.force_destroy {
            if let Some(LiveAspect::Present(Attributes::Policy(policy))) =
                facts.aspects.get(&Kind::BucketPolicy)
            {
                let denies: Vec<_> =
                    policy.document.statements.iter().filter(|s| s.effect == Effect::Deny).cloned().collect();
                let document = Document { statements: denies, ..policy.document.clone() };
                calls.push(if document.is_empty() {
                    call(Operation::DeleteBucketPolicy, Payload::None)
                } else {
                    let policy = Attributes::Policy(Policy { document });
                    call(Operation::PutBucketPolicy, Payload::Attributes(policy))
                });
            }
            calls.push(call(Operation::DeleteObjects, Payload::None));
        } else if facts.holds_data == Some(true) {
            self.finding(
                Rule::NotEmpty,
                address,
                format!("`{name}` still holds objects, versions, delete markers or unfinished uploads"),
                format!(
                    "empty it, or force_destroy = true in [{0}] and byob apply before; to keep it: forget = [\"{0}\"]",
                    case.address
                ),
            );
            return;
        }
        calls.push(call(Operation::DeleteBucket, Payload::None));
        let step = Step {
            action: Action::Delete,
            region: facts.region.clone(),
            reason: self.taken_out().to_owned(),
            changes: leaves(&recorded.attributes, &Value::Null),
            calls,
            record: self.removed(case),
            ..leaving(case, recorded)
        };
        self.steps.push(step);
    }

    /// Buckets that go while others' access logs go on going there. Judged once it is known which steps are left.
    pub(crate) fn logs_lost(&mut self) {
        let deleted: BTreeMap<&str, &Address> = self
            .steps
            .iter()
            .flat_map(|step| step.calls.iter().map(|call| (&step.address, call)))
            .filter_map(|(address, call)| match (call.operation, &call.target) {
                (Operation::DeleteBucket, Target::Bucket { name, .. }) => Some((name.as_str(), address)),
                _ => None,
            })
            .collect();
        let mut lost: BTreeMap<(&str, &Address), Vec<String>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (root, name) in self.buckets() {
            let target = self.log_target(&root, name);
            let gone = target.as_ref().and_then(|target| deleted.get_key_value(target.as_str()));
            if let Some((target, address)) = gone.filter(|_| seen.insert(name) && !deleted.contains_key(name))
            {
                lost.entry((target, address)).or_default().push(root.to_string());
            }
        }
        let found: Vec<Finding> = lost
            .into_iter()
            .map(|((target, address), from)| {
                let from = joined(&from);
                Finding::new(
                    Rule::LogsLost,
                    address.clone(),
                    format!("`{target}` receives the access logs of {from}: once it is gone they are lost"),
                    format!(
                        "have the `logging` of {from} name another bucket first, or take it out; to keep this one: \
                         forget = [\"{}\"]",
                        address.root()
                    ),
                )
            })
            .collect();
        self.findings.extend(found);
    }

    /// All buckets with their names: the desired ones, then the recorded ones.
    fn buckets(&self) -> impl Iterator<Item = (RootAddress, &str)> {
        let desired = self.desired.roots.iter().map(|(root, one)| (root.clone(), one.name.as_str()));
        let recorded = self.recorded.roots().map(|(root, one)| (root, one.identity.as_str()));
        desired.chain(recorded).filter(|(root, _)| root.kind == RootKind::Bucket)
    }

    /// Where a bucket's access logs go once the steps are done: where a step puts them, else where they go now.
    fn log_target(&self, root: &RootAddress, name: &str) -> Option<String> {
        let address = root.aspect(Kind::Logging);
        let step = self.steps.iter().rfind(|step| step.address == address && !step.calls.is_empty());
        let recorded = self.recorded.resources.get(&address).and_then(|one| one.typed().ok());
        let live = match self.live.buckets.get(name) {
            Some(LiveBucket::Exists(facts)) => facts.aspects.get(&Kind::Logging),
            _ => None,
        };
        let logging = match (step, live) {
            (Some(step), _) => step.after.clone(),
            (None, Some(LiveAspect::Present(logging))) => Some(logging.clone()),
            (None, Some(LiveAspect::Absent | LiveAspect::Unsupported { .. })) => None,
            (None, Some(LiveAspect::Refused) | None) => recorded,
        };
        match logging? {
            Attributes::Logging(logging) => logging.target_bucket,
            _ => None,
        }
    }

    /// Deletion under protection is refused.
    pub(crate) fn protected(&mut self, case: &Case<'_>, identity: &str) {
        self.finding(
            Rule::Protected,
            case.address.address(),
            format!("`{identity}` is protected and would be deleted"),
            format!(
                "to delete it: protect = false in [{0}], byob apply, then this again; to keep it and drop it from the \
                 record: forget = [\"{0}\"]",
                case.address
            ),
        );
    }

    /// What another record claims is not deleted from here, whatever this one says; says so.
    pub(crate) fn anothers(
        &mut self,
        case: &Case<'_>,
        identity: &str,
        tags: &BTreeMap<String, String>,
    ) -> bool {
        let Some(lineage) = foreign_lineage(self.recorded, tags) else {
            return self.another_stacks(case, identity, tags);
        };
        self.finding(
            Rule::RecordedElsewhere,
            case.address.address(),
            format!("`{identity}` would be deleted, and another record claims it: it carries {BYOB_LINEAGE} = {lineage}"),
            format!(
                "to keep it and drop it from this record: forget = [\"{}\"]; where that other record is lost for good, \
                 take its tag {BYOB_LINEAGE} off, then this again",
                case.address
            ),
        );
        true
    }

    /// A configuration deletes nothing of another one that shares its record; says so. Tags that nobody recorded are believed as
    /// they are.
    fn another_stacks(&mut self, case: &Case<'_>, identity: &str, tags: &BTreeMap<String, String>) -> bool {
        let own = &self.desired.stack;
        let kind = match case.address.kind {
            RootKind::Bucket => Kind::BucketTags,
            RootKind::Key => Kind::KeyTags,
        };
        let recorded = self.recorded_aspect(case, kind).and_then(|tags| tags.typed().ok());
        let recorded = match &recorded {
            Some(Attributes::Tags(recorded)) => &recorded.tags,
            _ => tags,
        };
        let Some(other) = recorded.get(BYOB_STACK).filter(|stack| *stack != own) else { return false };
        self.finding(
            Rule::RecordedElsewhere,
            case.address.address(),
            format!("`{identity}` would be deleted, and another stack made it: {other}, and this is the stack {own}"),
            format!(
                "a record is one stack's: give each a [state] of its own; where the stack was renamed: put [{0}] back, byob \
                 apply (which writes the tag), then this again; to keep it and drop it from this record: forget = [\"{0}\"]",
                case.address
            ),
        );
        true
    }

    /// A forget step: the root leaves the record; what must not be lost sight of stays as a tombstone.
    pub(crate) fn forget_root(
        &mut self,
        case: &Case<'_>,
        recorded: &RecordedResource,
        calls: Vec<Call>,
        reason: &str,
    ) {
        let mut record = self.removed(case);
        record.extend(recorded.tombstone(&case.address).map(RecordChange::Tombstone));
        let step = Step { reason: reason.to_owned(), calls, record, ..leaving(case, recorded) };
        self.steps.push(step);
    }

    /// The record without a root and its aspects; aspects first, so that a half-done removal still knows the root.
    pub(crate) fn removed(&self, case: &Case<'_>) -> Vec<RecordChange> {
        let at = case.recorded_at();
        let mut record: Vec<RecordChange> =
            self.recorded.aspects(at).map(|(kind, _)| RecordChange::Remove(at.aspect(kind))).collect();
        record.push(RecordChange::Remove(at.address()));
        record
    }
}

/// A step by which a root leaves the record, with nothing in it yet: a forget.
pub(crate) fn leaving(case: &Case<'_>, recorded: &RecordedResource) -> Step {
    let address = case.address.address();
    Step {
        id: format!("{address}#1"),
        kind: recorded.kind,
        action: Action::Forget,
        phase: 2,
        region: recorded.region.clone(),
        account_id: recorded.account_id.clone(),
        reason: String::new(),
        changes: Vec::new(),
        calls: Vec::new(),
        depends_on: Vec::new(),
        from: None,
        identity: None,
        puts: Vec::new(),
        document: Value::Null,
        record: Vec::new(),
        before: recorded.typed().ok(),
        after: None,
        address,
    }
}

/// Whether object lock is on, as far as it is known.
fn case_has_lock(recorded: bool, facts: &BucketFacts) -> bool {
    recorded || matches!(facts.aspects.get(&Kind::ObjectLock), Some(LiveAspect::Present(_)))
}

/// What takes byob's statement and CORS rule off a bucket that stays.
fn take_out_ours(facts: &BucketFacts, target: &Target) -> Vec<Call> {
    let call = |operation, payload| Call { operation, target: target.clone(), payload };
    let mut calls = Vec::new();
    if let Some(LiveAspect::Present(Attributes::Policy(policy))) = facts.aspects.get(&Kind::BucketPolicy)
        && policy.document.statements.iter().any(|s| is_our_sid(s.sid.as_deref()))
    {
        let rest = policy.foreign();
        calls.push(if rest.document.is_empty() {
            call(Operation::DeleteBucketPolicy, Payload::None)
        } else {
            call(Operation::PutBucketPolicy, Payload::Attributes(Attributes::Policy(rest)))
        });
    }
    if let Some(LiveAspect::Present(Attributes::Cors(cors))) = facts.aspects.get(&Kind::Cors)
        && cors.rules.iter().any(|r| r.id.as_deref() == Some(byob_model::kind::OUR_CORS_RULE))
    {
        let none = Cors { rules: Vec::new(), exclusive: false };
        calls.push(call(cors_removal(cors), Payload::Attributes(Attributes::Cors(none))));
    }
    calls
}

/// The write that takes byob's rule off and leaves everybody else's: where nothing is left AWS knows no empty document.
/// What others added meanwhile stays in either case: the rules are read again right before.
pub(crate) fn cors_removal(live: &Cors) -> Operation {
    if live.rules.iter().any(|rule| rule.id.as_deref() != Some(byob_model::kind::OUR_CORS_RULE)) {
        Operation::PutBucketCors
    } else {
        Operation::DeleteBucketCors
    }
}
