//! Tighten, then loosen. Where the steps of a bucket and its key do both, they have two phases: in the first each
//! document that must not jump takes a form within both its ends (what both the old and the new one give), in the second
//! its new form. Between them nobody holds access that neither end gives, however the two documents play together, and
//! access that both give goes on. A single document is put in one write, which has no state in between.

mod own;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::{Address, Kind, RootAddress, RootKind};
use byob_model::call::{Call, Operation, Payload};
use byob_model::kind::{Attributes, Encryption, KeyRef, Ownership, Policy, PublicAccessBlock, SseC};
use byob_model::live::{LiveAspect, LiveBucket};
use byob_model::recorded::RecordedResource;
use byob_policy::{
    AccountId, BUCKET_POLICY_LIMIT, Document, Effect, Guarded, KEY_POLICY_LIMIT, Owner, Partition, Publicity,
    Verdict, compare, cut_off, is_public, meet, principal_in_words,
};

use serde_json::Value;

use crate::compare::Planner;
use crate::diff::leaves;
use crate::finding::{Finding, Rule};
use crate::order;
use crate::plan::{Action, Change, RecordChange, Step};
use own::keep_own;
pub(crate) use own::manages;

/// What a step does to access and protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Nobody has more than before.
    Tightens,
    /// Nobody has less than before.
    Loosens,
    /// Some have more and some have less; or it cannot be told.
    Both,
    /// Neither, or all at once and with no state in between that matters.
    Neither,
}

/// What is asked of all steps again and again.
struct Index {
    /// The steps as they were before any was split.
    at: BTreeMap<Address, usize>,
    /// Roots that are being made: by this plan, or by an open approval that has not put their policies yet. Once it has,
    /// they have an old form like any other.
    fresh: BTreeSet<RootAddress>,
}

impl Index {
    fn of(planner: &Planner<'_>) -> Self {
        let at = planner.steps.iter().enumerate().map(|(at, step)| (step.address.clone(), at)).collect();
        let made =
            |address: &Address, create: bool| (create && address.kind.is_root()).then(|| address.root());
        let here = planner.steps.iter().filter_map(|s| made(&s.address, s.action == Action::Create));
        let open = planner.recorded.approval.iter().filter(|approval| !approval.finished);
        let approved = open.flat_map(|approval| &approval.steps);
        let there = approved
            .filter_map(|s| made(&s.address, s.action == Action::Create.as_str()))
            .filter(|root| planner.has_no_policy(root));
        Self { at, fresh: here.chain(there).collect() }
    }
}

/// Where a step stands.
struct Place {
    id: String,
    address: Address,
    phase: u8,
    /// Of an encryption: the key that the bucket will be on.
    key: Option<RootAddress>,
}

impl Place {
    fn of(step: &Step) -> Self {
        let (id, address) = (step.id.clone(), step.address.clone());
        Self { id, address, phase: step.phase, key: order::key_of(step) }
    }
}

/// A form within both ends of a document.
enum Form {
    /// Neither end: the form, and who is interrupted until the second phase, and why.
    Middle(Attributes, BTreeSet<String>),
    /// The new form itself.
    New,
    /// The old form itself, or none that could be put: the document changes in the second phase alone.
    None,
}

impl Planner<'_> {
    /// Whether a bucket is there and nobody is let in by a policy of it. A key is made with its policy.
    fn has_no_policy(&self, root: &RootAddress) -> bool {
        let live = self.live_name(root).and_then(|name| self.live.buckets.get(name));
        let Some(LiveBucket::Exists(facts)) = live else { return root.kind == RootKind::Bucket };
        match facts.aspects.get(&Kind::BucketPolicy) {
            Some(LiveAspect::Present(policy)) => policy.is_empty(),
            aspect => aspect == Some(&LiveAspect::Absent),
        }
    }

    /// The name that a bucket has, or will have.
    fn live_name(&self, bucket: &RootAddress) -> Option<&String> {
        let desired = self.desired.roots.get(bucket).map(|root| &root.name);
        desired.or_else(|| self.recorded.root(bucket).map(|recorded| &recorded.identity))
    }

    /// Gives the steps of each bucket and its keys two phases, where they both tighten and loosen.
    pub(crate) fn split_phases(&mut self) {
        let index = Index::of(self);
        let mut groups: Vec<Vec<usize>> =
            self.groups(&index).into_iter().filter(|group| group.len() > 1).collect();
        let mut renamed: BTreeMap<String, String> = BTreeMap::new();
        for group in &mut groups {
            let turns: Vec<(usize, Turn)> =
                group.iter().map(|at| (*at, self.turn(&self.steps[*at], &index))).collect();
            let any = |wanted: &[Turn]| turns.iter().any(|(_, turn)| wanted.contains(turn));
            if any(&[Turn::Tightens, Turn::Both]) && any(&[Turn::Loosens, Turn::Both]) {
                let first = self.two_phases(&turns, &index, &mut renamed);
                group.extend(self.steps.len()..self.steps.len() + first.len());
                self.steps.extend(first);
            }
        }
        for id in self.steps.iter_mut().flat_map(|step| &mut step.depends_on) {
            if let Some(new) = renamed.get(id) {
                id.clone_from(new);
            }
        }
        for group in &groups {
            self.in_order(group, &index);
            self.restrict_after_policy(group);
        }
        order::sort(&mut self.steps);
    }

    /// A block that begins to restrict public policies cuts everybody off while the policy is public, those too who are
    /// let in before and after. Where the policy changes as well, it goes first.
    fn restrict_after_policy(&mut self, group: &[usize]) {
        for &at in group {
            let step = &self.steps[at];
            if step.kind != Kind::PublicAccessBlock
                || block(step.before.as_ref()).restrict_public_buckets
                || !block(step.after.as_ref()).restrict_public_buckets
            {
                continue;
            }
            let policy = step.address.root().aspect(Kind::BucketPolicy);
            let is_policy = |s: &Step| s.address == policy && s.phase == step.phase;
            let Some(&policy) = group.iter().find(|other| is_policy(&self.steps[**other])) else { continue };
            if is_public(&document(self.steps[policy].before.as_ref())).is_public() {
                let (block, first) = (self.steps[at].id.clone(), self.steps[policy].id.clone());
                self.steps[policy].depends_on.retain(|id| *id != block);
                self.steps[at].depends_on.push(first);
                self.steps[at].depends_on.sort();
            }
        }
    }

    /// The steps that decide access and protection, by the buckets and keys that belong together.
    fn groups(&self, index: &Index) -> Vec<Vec<usize>> {
        let decides = |step: &Step| {
            matches!(
                step.kind,
                Kind::PublicAccessBlock
                    | Kind::Ownership
                    | Kind::BucketPolicy
                    | Kind::Encryption
                    | Kind::KeyPolicy
            ) && !step.calls.is_empty()
        };
        let mut roots: BTreeMap<RootAddress, Vec<usize>> = BTreeMap::new();
        for (index, step) in self.steps.iter().enumerate().filter(|(_, step)| decides(step)) {
            roots.entry(step.address.root()).or_default().push(index);
        }
        // Each root begins as a group of its own; a bucket takes its keys' groups in.
        let mut group: BTreeMap<&RootAddress, usize> =
            roots.keys().enumerate().map(|(number, root)| (root, number)).collect();
        for bucket in roots.keys().filter(|root| root.kind == RootKind::Bucket) {
            for key in self.keys_of(bucket, index) {
                if let (Some(&one), Some(&other)) = (group.get(bucket), group.get(&key)) {
                    group.values_mut().filter(|number| **number == other).for_each(|number| *number = one);
                }
            }
        }
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (root, steps) in &roots {
            if let Some(number) = group.get(root) {
                groups.entry(*number).or_default().extend(steps);
            }
        }
        groups.into_values().collect()
    }

    /// The keys of this configuration that a bucket is on, is to be on, or once was.
    fn keys_of(&self, bucket: &RootAddress, index: &Index) -> BTreeSet<RootAddress> {
        let wanted = self.desired.roots.get(bucket).and_then(|root| root.encryption_key());
        let step = index.at.get(&bucket.aspect(Kind::Encryption)).map(|at| &self.steps[*at]);
        let before = step.into_iter().filter_map(|step| match &step.before {
            Some(Attributes::Encryption(encryption)) => encryption.kms_key.as_ref(),
            _ => None,
        });
        let name = self.live_name(bucket);
        let used = name.into_iter().flat_map(|name| self.recorded.keys_of(name));
        let by_arn =
            |arn: &str| self.arns.iter().find(|(_, known)| *known == arn).map(|(key, _)| key.clone());
        let named = wanted.into_iter().chain(before).filter_map(|key| match key {
            KeyRef::Managed { arn_of } => Some(arn_of.clone()),
            KeyRef::Arn(arn) => by_arn(arn),
        });
        named.chain(used.filter_map(|arn| by_arn(arn))).collect()
    }

    fn turn(&self, step: &Step, index: &Index) -> Turn {
        if index.fresh.contains(&step.address.root()) {
            // What is made has no old form; its policy is new access, and all else of it comes before.
            return if step.kind == Kind::BucketPolicy { Turn::Loosens } else { Turn::Neither };
        }
        match (&step.before, &step.after) {
            (Some(Attributes::Encryption(old)), Some(Attributes::Encryption(new))) => {
                encryption_turn(old, new)
            }
            (_, Some(Attributes::PublicAccessBlock(new))) => block_turn(block(step.before.as_ref()), *new),
            (_, Some(Attributes::Ownership(new))) if new.object_ownership == Ownership::ENFORCED => {
                Turn::Tightens
            }
            (_, Some(Attributes::Ownership(_))) => Turn::Loosens,
            _ if matches!(step.kind, Kind::BucketPolicy | Kind::KeyPolicy) => self.policy_turn(step, index),
            _ => Turn::Neither,
        }
    }

    fn policy_turn(&self, step: &Step, index: &Index) -> Turn {
        let (old, new) = (document(step.before.as_ref()), document(step.after.as_ref()));
        let owner = self.owner(step);
        let cut = self.cut(step, index, (&old, &new));
        let within = |outer: &Document, inner: &Document| compare(outer, inner, &owner) == Verdict::Within;
        let (mut tightens, mut loosens) = (within(&old, &new), within(&new, &old));
        if let ((true, _) | (_, true), Some(account)) = (cut, &owner.account) {
            // It has to be so as it stands, because the block may change before it, and as it has effect.
            let effective = |document: &Document, cut: bool| match cut {
                true => cut_off(document, account),
                false => document.clone(),
            };
            let (old, new) = (effective(&old, cut.0), effective(&new, cut.1));
            (tightens, loosens) = (tightens && within(&old, &new), loosens && within(&new, &old));
        }
        // S3 asks what a policy says, not whom its Denies leave: one that begins or ceases to be public is never "neither".
        match (is_public(&old).is_public(), is_public(&new).is_public()) {
            (true, false) => loosens = false,
            (false, true) => tightens = false,
            _ => {}
        }
        match (tightens, loosens) {
            (true, true) => Turn::Neither,
            (true, false) => Turn::Tightens,
            (false, true) => Turn::Loosens,
            (false, false) => Turn::Both,
        }
    }

    fn owner(&self, step: &Step) -> Owner {
        let guarded = if step.kind == Kind::KeyPolicy { Guarded::Key } else { Guarded::Bucket };
        Owner { guarded, account: self.desired.account_id.parse().ok() }
    }

    /// Whether everybody but the owner's account and AWS's services is cut off at either end of a policy: by a public
    /// access block that restricts a public policy. A block that was not looked at counts as one that does.
    fn cut(&self, step: &Step, index: &Index, (old, new): (&Document, &Document)) -> (bool, bool) {
        if step.kind != Kind::BucketPolicy {
            return (false, false);
        }
        let blocks = self.block_ends(&step.address.root(), index);
        let restricts =
            |block: Option<PublicAccessBlock>| block.is_none_or(|block| block.restrict_public_buckets);
        (restricts(blocks.0) && is_public(old).is_public(), restricts(blocks.1) && is_public(new).is_public())
    }

    /// The public access block of a bucket before and after; `None`: not known.
    fn block_ends(
        &self,
        bucket: &RootAddress,
        index: &Index,
    ) -> (Option<PublicAccessBlock>, Option<PublicAccessBlock>) {
        let address = bucket.aspect(Kind::PublicAccessBlock);
        let step = index.at.get(&address).map(|at| &self.steps[*at]);
        if let Some(step) = step.filter(|step| !step.calls.is_empty()) {
            return (Some(block(step.before.as_ref())), Some(block(step.after.as_ref())));
        }
        let Some(name) = self.live_name(bucket) else { return (None, None) };
        let live = match self.live.buckets.get(name) {
            Some(LiveBucket::Exists(facts)) => match facts.aspects.get(&Kind::PublicAccessBlock) {
                Some(LiveAspect::Present(attributes)) => Some(block(Some(attributes))),
                Some(LiveAspect::Absent) => Some(block(None)),
                _ => None,
            },
            _ => None,
        };
        (live, live)
    }

    /// Puts each step into its phase. Returns the first phase's steps of the documents that take two; `renamed`: what the
    /// steps of the second are called from now on.
    fn two_phases(
        &mut self,
        turns: &[(usize, Turn)],
        index: &Index,
        renamed: &mut BTreeMap<String, String>,
    ) -> Vec<Step> {
        let mut first: Vec<Step> = Vec::new();
        // All are found before any step is changed: one document's form hangs on the others' ends.
        let left = self.left_keys(turns);
        let forms: Vec<(usize, Form)> = turns
            .iter()
            .map(|&(at, turn)| match turn {
                // Until the bucket has left it what is written there goes under this key.
                _ if left.contains(&self.steps[at].address.root()) => (at, Form::None),
                Turn::Tightens => (at, Form::New),
                Turn::Both => (at, self.within(&self.steps[at], index)),
                Turn::Loosens | Turn::Neither => (at, Form::None),
            })
            .collect();
        for (at, form) in forms {
            let step = &mut self.steps[at];
            match form {
                Form::None => {}
                Form::New => step.phase = 1,
                Form::Middle(middle, interrupted) => {
                    let earlier = earlier(step, middle, &interrupted);
                    self.findings.extend(interruption(&step.address, &interrupted));
                    let id = std::mem::replace(&mut step.id, format!("{}#2", step.address));
                    step.action = Action::between(earlier.after.as_ref(), step.after.as_ref());
                    step.changes = changes(earlier.after.as_ref(), step.after.as_ref());
                    step.before.clone_from(&earlier.after);
                    renamed.insert(id, step.id.clone());
                    first.push(earlier);
                }
            }
        }
        first
    }

    /// Keys that a bucket leaves and none comes to.
    fn left_keys(&self, turns: &[(usize, Turn)]) -> BTreeSet<RootAddress> {
        let steps =
            || turns.iter().map(|(index, _)| &self.steps[*index]).filter(|s| s.kind == Kind::Encryption);
        let joined: BTreeSet<RootAddress> = steps().filter_map(order::key_of).collect();
        let before = steps().filter_map(|step| match &step.before {
            Some(Attributes::Encryption(Encryption { kms_key: Some(KeyRef::Arn(arn)), .. })) => Some(arn),
            _ => None,
        });
        let left = before.filter_map(|arn| self.arns.iter().find(|(_, known)| *known == arn));
        left.map(|(key, _)| key.clone()).filter(|key| !joined.contains(key)).collect()
    }

    /// What comes before what in one group: the first phase before the second; in each the keys' policies that the
    /// default encryption needs before it, then the encryption, the block, the ownership, and the bucket's policy last.
    fn in_order(&mut self, group: &[usize], index: &Index) {
        let steps: Vec<Place> = group.iter().map(|at| Place::of(&self.steps[*at])).collect();
        let joined: BTreeSet<&RootAddress> = steps.iter().filter_map(|s| s.key.as_ref()).collect();
        for &at in group {
            let step = &mut self.steps[at];
            let root = step.address.root();
            let mut on: BTreeSet<String> = step.depends_on.drain(..).collect();
            for other in steps.iter().filter(|other| other.id != step.id) {
                let own = other.address.root() == root && !index.fresh.contains(&root);
                let before = match other.phase.cmp(&step.phase) {
                    Ordering::Less => true,
                    Ordering::Greater => {
                        on.remove(&other.id);
                        false
                    }
                    Ordering::Equal => match (other.address.kind, step.kind) {
                        (Kind::Encryption, Kind::PublicAccessBlock | Kind::Ownership) => own,
                        (
                            Kind::Encryption | Kind::PublicAccessBlock | Kind::Ownership,
                            Kind::BucketPolicy,
                        ) => own,
                        (Kind::KeyPolicy, Kind::BucketPolicy) => true,
                        (Kind::KeyPolicy, Kind::PublicAccessBlock | Kind::Ownership) => {
                            !index.fresh.contains(&root)
                        }
                        // A key that buckets leave waits until they have left; one that a bucket comes to does not.
                        (Kind::Encryption, Kind::KeyPolicy) => !joined.contains(&root),
                        _ => false,
                    },
                };
                if before {
                    on.insert(other.id.clone());
                }
            }
            step.depends_on = on.into_iter().collect();
        }
    }

    /// The form within both ends of a step's document.
    fn within(&self, step: &Step, index: &Index) -> Form {
        if let (Some(Attributes::PublicAccessBlock(old)), Some(Attributes::PublicAccessBlock(new))) =
            (&step.before, &step.after)
        {
            return Form::Middle(Attributes::PublicAccessBlock(either(*old, *new)), BTreeSet::new());
        }
        let own = self.desired.account_id.parse::<AccountId>().ok();
        let in_words = |principal: &String| principal_in_words(principal, own.as_ref());
        let (old, new) = (document(step.before.as_ref()), document(step.after.as_ref()));
        let met = meet(&old, &new);
        let mut document = met.document;
        let mut interrupted: BTreeSet<String> = BTreeSet::new();
        if let ((true, _) | (_, true), Some(own)) = (self.cut(step, index, (&old, &new)), &own) {
            // Others are cut off at one end; a form that is not public any more would let them in.
            if keep_own(&mut document, own) {
                interrupted
                    .insert("this account's principals that a statement for anyone lets in".to_owned());
            }
        } else {
            for left in &met.left_out {
                let who: Vec<String> = left.principals.iter().map(in_words).collect();
                interrupted.insert(format!("{} ({})", who.join(", "), left.reason));
            }
        }
        let mut leave_out = |document: &mut Document, index: usize, why: &str| {
            let statement = document.statements.remove(index);
            let principals = statement.principal.iter().flat_map(|one| one.principals().0.values().flatten());
            let who: Vec<String> = principals.map(in_words).collect();
            interrupted.insert(format!("{} ({why})", who.join(", ")));
        };
        while self.refuses_public(step, index)
            && let Publicity::Public { statement, .. } = is_public(&document)
        {
            leave_out(&mut document, statement, "public access is still blocked then");
        }
        let limit = if step.kind == Kind::KeyPolicy { KEY_POLICY_LIMIT } else { BUCKET_POLICY_LIMIT };
        while document.to_json().len() > limit
            && let Some(index) = document.statements.iter().rposition(|s| s.effect == Effect::Allow)
        {
            leave_out(&mut document, index, "both forms together are over AWS's limit");
        }
        if document.to_json().len() > limit {
            // Nothing is allowed by now; what only the new form denies waits for it.
            document = Policy { document: old.clone() }.denies().document;
        }
        let partition = self.input.partition.parse().unwrap_or(Partition::Aws);
        if step.kind == Kind::KeyPolicy && !manages(&document, own.as_ref(), partition) {
            return Form::None;
        }
        let policy = Policy { document };
        if policy == (Policy { document: old }) {
            Form::None
        } else if policy == (Policy { document: new }) {
            Form::New
        } else {
            Form::Middle(Attributes::Policy(policy), interrupted)
        }
    }

    /// Whether a policy that is public would be refused in the first phase.
    fn refuses_public(&self, step: &Step, index: &Index) -> bool {
        step.kind == Kind::BucketPolicy
            && match self.block_ends(&step.address.root(), index) {
                (Some(old), Some(new)) => either(old, new).block_public_policy,
                _ => true,
            }
    }
}

/// What reviewers are told of those whom the first phase's form leaves out.
fn interruption(address: &Address, interrupted: &BTreeSet<String>) -> Option<Finding> {
    let who: Vec<&str> = interrupted.iter().map(String::as_str).collect();
    let root = address.root();
    (!who.is_empty()).then(|| {
        Finding::new(
            Rule::Interrupted,
            address.clone(),
            format!("without access between the two phases of the apply: {}", who.join("; ")),
            format!("to avoid it, apply the change of this policy by itself, and the other changes of {root} before or after"),
        )
    })
}

/// The first phase's step of a document that takes two.
fn earlier(step: &Step, middle: Attributes, interrupted: &BTreeSet<String>) -> Step {
    let middle = Some(middle).filter(|attributes| !attributes.is_empty());
    let call = |operation, payload| {
        step.calls.first().map(|call| Call { operation, payload, target: call.target.clone() })
    };
    let calls = match (&middle, step.kind) {
        (None, _) => call(Operation::DeleteBucketPolicy, Payload::None),
        (Some(form), Kind::PublicAccessBlock) => {
            call(Operation::PutPublicAccessBlock, Payload::Attributes(form.clone()))
        }
        (Some(form), Kind::KeyPolicy) => call(Operation::PutKeyPolicy, Payload::Attributes(form.clone())),
        (Some(form), _) => call(Operation::PutBucketPolicy, Payload::Attributes(form.clone())),
    };
    let recorded = |resource: &RecordedResource| {
        let attributes = middle.as_ref().map_or(Value::Null, Attributes::to_value);
        RecordedResource { attributes, ..resource.clone() }
    };
    let record = step.record.iter().map(|change| match change {
        RecordChange::Put(address, resource) if *address == step.address => {
            RecordChange::Put(address.clone(), recorded(resource))
        }
        other => other.clone(),
    });
    let mut reason = "first what both the old and the new one give".to_owned();
    if !interrupted.is_empty() {
        let who: Vec<&str> = interrupted.iter().map(String::as_str).collect();
        reason = format!("{reason}; interrupted until the second phase: {}", who.join("; "));
    }
    Step {
        id: format!("{}#1", step.address),
        phase: 1,
        action: Action::between(step.before.as_ref(), middle.as_ref()),
        reason,
        changes: changes(step.before.as_ref(), middle.as_ref()),
        calls: calls.into_iter().collect(),
        document: middle.as_ref().map_or(Value::Null, Attributes::to_value),
        record: record.collect(),
        after: middle,
        ..step.clone()
    }
}

/// The leaves at which two forms differ; a policy is one leaf.
fn changes(before: Option<&Attributes>, after: Option<&Attributes>) -> Vec<Change> {
    let value = |side: Option<&Attributes>| side.map_or(Value::Null, Attributes::to_value);
    let (before_value, after_value) = (value(before), value(after));
    if [before, after].iter().any(|side| matches!(side, Some(Attributes::Policy(_)))) {
        let path = String::new();
        return vec![Change { path, before: before_value, after: after_value, unknown: Some(false) }];
    }
    leaves(&before_value, &after_value)
}

fn document(side: Option<&Attributes>) -> Document {
    match side {
        Some(Attributes::Policy(policy)) => policy.document.clone(),
        _ => Policy::empty().document,
    }
}

/// AWS: where there is no block, all four are off.
fn block(side: Option<&Attributes>) -> PublicAccessBlock {
    match side {
        Some(Attributes::PublicAccessBlock(block)) => *block,
        _ => PublicAccessBlock {
            block_public_acls: false,
            ignore_public_acls: false,
            block_public_policy: false,
            restrict_public_buckets: false,
        },
    }
}

/// What blocks whatever one of the two blocks.
fn either(old: PublicAccessBlock, new: PublicAccessBlock) -> PublicAccessBlock {
    PublicAccessBlock {
        block_public_acls: old.block_public_acls || new.block_public_acls,
        ignore_public_acls: old.ignore_public_acls || new.ignore_public_acls,
        block_public_policy: old.block_public_policy || new.block_public_policy,
        restrict_public_buckets: old.restrict_public_buckets || new.restrict_public_buckets,
    }
}

fn block_turn(old: PublicAccessBlock, new: PublicAccessBlock) -> Turn {
    let all = either(old, new);
    match (all == new, all == old) {
        (true, true) => Turn::Neither,
        (true, false) => Turn::Tightens,
        (false, true) => Turn::Loosens,
        (false, false) => Turn::Both,
    }
}

/// Default encryption goes from one form to the other in one write, so that it is never weaker than both. Under another
/// key others may read and write: that waits until all that tightens is done, and for the key's policy.
fn encryption_turn(old: &Encryption, new: &Encryption) -> Turn {
    let opens = old.sse_c == Some(SseC::Blocked) && new.sse_c == Some(SseC::Allowed);
    let moves = (&old.algorithm, &old.kms_key) != (&new.algorithm, &new.kms_key);
    if opens || moves { Turn::Loosens } else { Turn::Neither }
}
