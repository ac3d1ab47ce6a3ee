//! The judge: after every write to the account and to the record it looks at both, and says what must never be so. It
//! sees the truth, not what reads answer, and it shares nothing with what it judges but the model.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::{Kind, RootKind};
use byob_model::call::{Call, Operation, Payload, Target};
use byob_model::kind::{
    Attributes, BYOB_ADDRESS, BYOB_INTENT, BYOB_LINEAGE, KeyRef, KeyState, VersioningStatus,
};
use byob_model::recorded::Recorded;
use byob_plan::plan::{Action, Plan, Step};
use serde_json::Value;

use crate::access::{Door, Doors, json, said, strength};
use crate::world::{Account, Bucket, Watch};

/// Reads what is stored, as a process that begins now would.
pub type Stored<'a> = dyn Fn() -> Result<Option<Recorded>, String> + 'a;

/// What a process does, as far as it matters to the judge.
#[derive(Debug, Default)]
struct Running {
    /// It has the lock.
    locked: bool,
    /// Both ends of every bucket that it changes, and what was made of them by hand.
    ends: Vec<Doors>,
    /// The plan was made from answers that were not true any more.
    misled: bool,
    /// The plan names somebody who is interrupted.
    named: bool,
    /// Buckets that held something when it began.
    held: BTreeSet<String>,
    /// Somebody agreed to what it would do, rather than to anything.
    agreed: bool,
}

#[derive(Debug, Default)]
struct Seen {
    checks: BTreeMap<&'static str, u64>,
    failures: Vec<String>,
    running: BTreeMap<usize, Running>,
    /// Who took the lock last.
    latest: Option<usize>,
    serial: u64,
    lineage: Option<uuid::Uuid>,
    /// Every key that a bucket was ever on.
    used: BTreeMap<String, BTreeSet<String>>,
    /// Every policy and block that a bucket ever had, as they are recorded.
    had: BTreeSet<(String, Kind, String)>,
    /// Buckets that somebody deleted by hand.
    gone: BTreeSet<String>,
    /// Addresses that the team may forget.
    may_forget: BTreeSet<String>,
    /// What the record named last, by address, and what its intents made.
    recorded: BTreeSet<(String, String)>,
    /// Buckets and keys that went out of the record that way.
    forgotten: BTreeSet<String>,
}

/// The judge of one world.
#[derive(Debug, Default)]
pub struct Judge(RefCell<Seen>);

const EXCLUSIVE: &str = "locks are exclusive";
const READABLE: &str = "the record is readable, its serials grow by one, its lineage stays";
const EXISTS: &str = "what is recorded exists, or an approval says that it is being deleted";
const PUT: &str = "what is recorded of a policy or a block was put";
const ORPHAN: &str = "no key or bucket of ours is unknown to record, journal and intents";
const ONCE: &str = "no intent makes two keys";
const PROTECTED: &str = "nothing protected is deleted";
const EMPTIED: &str = "no bucket is emptied that nobody agreed to empty";
const KEYS: &str = "no key of stored data is scheduled for deletion";
const EXCESS: &str = "(a) nobody has what neither end gives";
const PUBLIC: &str = "(b) no bucket is public when neither end is";
const WEAKER: &str = "(c) no default encryption is weaker than both ends";
const INTERRUPTED: &str = "(d) nobody is interrupted, but whom the plan names";

/// Every check there is.
pub const CHECKS: [&str; 13] = [
    EXCLUSIVE,
    READABLE,
    EXISTS,
    PUT,
    ORPHAN,
    ONCE,
    PROTECTED,
    EMPTIED,
    KEYS,
    EXCESS,
    PUBLIC,
    WEAKER,
    INTERRUPTED,
];

impl Seen {
    fn check(&mut self, what: &'static str, good: bool, why: impl FnOnce() -> String) {
        *self.checks.entry(what).or_default() += 1;
        if !good {
            self.failures.push(format!("{what}: {}", why()));
        }
    }

    /// What a bucket has now, to know it again.
    fn take_in(&mut self, account: &Account) {
        for (name, bucket) in &account.buckets {
            if let Some(KeyRef::Arn(arn)) = &bucket.encryption.kms_key {
                self.used.entry(name.clone()).or_default().insert(arn.clone());
            }
            if let Some(policy) = &bucket.policy {
                let text = policy.document.canonical().to_string();
                self.had.insert((name.clone(), Kind::BucketPolicy, text));
            }
            if let Some(block) = &bucket.block {
                let text = Attributes::PublicAccessBlock(*block).to_value().to_string();
                self.had.insert((name.clone(), Kind::PublicAccessBlock, text));
            }
        }
        self.used.retain(|name, _| account.buckets.contains_key(name));
    }

    /// Whether everything that is ours is known.
    fn orphans(&mut self, account: &Account, recorded: &Recorded) {
        let known: BTreeSet<String> = recorded
            .roots()
            .map(|(_, resource)| &resource.identity)
            .chain(recorded.tombstones.iter().map(|t| &t.identity))
            .chain(recorded.intents.iter().filter_map(|i| i.name.as_ref()))
            .chain(&self.forgotten)
            .cloned()
            .collect();
        let intents: BTreeSet<String> = recorded.intents.iter().map(|i| i.id.to_string()).collect();
        let intended =
            |tags: &BTreeMap<String, String>| tags.get(BYOB_INTENT).is_some_and(|id| intents.contains(id));
        let ours = |tags: &BTreeMap<String, String>| tags.contains_key(BYOB_LINEAGE);
        for (arn, key) in account.keys.iter().filter(|(_, key)| key.state != KeyState::PendingDeletion) {
            let good = !ours(&key.tags) || known.contains(arn) || intended(&key.tags);
            self.check(ORPHAN, good, || format!("{arn} {:?}", key.tags));
        }
        for (name, bucket) in &account.buckets {
            let good = !ours(&bucket.tags) || known.contains(name) || intended(&bucket.tags);
            self.check(ORPHAN, good, || format!("{name} {:?}", bucket.tags));
        }
    }

    /// Whether the state of every bucket lies within the ends of the run that made it.
    fn within(&mut self, process: usize, account: &Account) {
        let Some(run) = self.running.get(&process).filter(|run| !run.misled && !run.ends.is_empty()) else {
            return;
        };
        let (ends, named) = (run.ends.clone(), run.named);
        let now = Doors::of(account);
        for (name, door) in &now.buckets {
            let unchanged = ends.iter().all(|end| {
                let same_keys = |arn: &String| end.keys.get(arn) == now.keys.get(arn);
                end.buckets.get(name) == Some(door) && door.key.iter().all(same_keys)
            });
            if unchanged && ends[0].keys == now.keys {
                continue;
            }
            let keys: BTreeSet<String> =
                ends.iter().filter_map(|end| end.buckets.get(name)?.key.clone()).collect();
            let access = now.access(name, &keys);
            let given: Vec<_> = ends.iter().map(|end| end.access(name, &keys)).collect();
            let excess = access.iter().find(|asked| given.iter().all(|end| !end.contains(asked)));
            self.check(EXCESS, excess.is_none(), || {
                format!("{name}: {}", excess.map(said).unwrap_or_default())
            });
            let doors = || ends.iter().filter_map(|end| end.buckets.get(name));
            let public = door.is_public() && !doors().any(Door::is_public);
            self.check(PUBLIC, !public, || format!("{name}: {}", door.policy));
            let weakest = doors().map(|door| door.strength).min().unwrap_or(0);
            self.check(WEAKER, door.strength >= weakest, || format!("{name}: {} < {weakest}", door.strength));
            if !named {
                let lost = given[0]
                    .iter()
                    .find(|asked| given.iter().all(|end| end.contains(asked)) && !access.contains(asked));
                self.check(INTERRUPTED, lost.is_none(), || {
                    format!("{name}: {}", lost.map(said).unwrap_or_default())
                });
            }
        }
    }
}

impl Judge {
    /// These addresses may go out of the record, and what they name stays.
    pub fn may_forget<'a>(&self, addresses: impl Iterator<Item = &'a String>) {
        self.0.borrow_mut().may_forget.extend(addresses.cloned());
    }

    /// What went out of the record that way.
    #[must_use]
    pub fn forgotten(&self) -> BTreeSet<String> {
        self.0.borrow().forgotten.clone()
    }

    /// A process took the lock.
    pub fn locked(&self, process: usize) {
        let mut seen = self.0.borrow_mut();
        seen.latest = Some(process);
        let run = seen.running.entry(process).or_default();
        *run = Running { locked: true, agreed: run.agreed, ..Running::default() };
    }

    /// Somebody saw what a process would do, and agreed to that.
    pub fn agreed(&self, process: usize) {
        self.0.borrow_mut().running.entry(process).or_default().agreed = true;
    }

    /// A process gives the lock back, or is dead.
    pub fn unlocked(&self, process: usize) {
        self.0.borrow_mut().running.remove(&process);
    }

    /// A process begins to run a plan.
    pub fn begins(&self, process: usize, plan: &Plan, account: &Account) {
        let mut seen = self.0.borrow_mut();
        seen.take_in(account);
        let old = Doors::of(account);
        let mut fresh = old.clone();
        for step in plan.steps.iter().filter(|s| s.action == Action::Create && s.kind == Kind::Bucket) {
            if let Some(Target::Bucket { name, region, .. }) = step.calls.first().map(|call| &call.target) {
                fresh.buckets.entry(name.clone()).or_insert_with(|| Door::of(&Bucket::fresh(region)));
            }
        }
        let mut new = fresh.clone();
        plan.steps.iter().for_each(|step| end(&mut new, step));
        let held = account.buckets.iter().filter(|(_, b)| b.objects > 0).map(|(name, _)| name.clone());
        let misled = plan.steps.iter().any(|step| misled(step, plan, account));
        let named = plan.steps.iter().any(|s| s.phase == 1 && s.reason.contains("interrupted"));
        if misled {
            *seen.checks.entry("(not judged: the plan was made from a stale answer)").or_default() += 1;
        }
        let run = seen.running.entry(process).or_default();
        (run.ends, run.held, run.misled, run.named) = (vec![fresh, new], held.collect(), misled, named);
    }

    /// The record was written by a process.
    pub fn stored(&self, stored: &Result<Option<Recorded>, String>, account: &Account) {
        let mut seen = self.0.borrow_mut();
        let recorded = match stored {
            Ok(recorded) => recorded,
            Err(why) => return seen.check(READABLE, false, || why.clone()),
        };
        let Some(recorded) = recorded else { return };
        let (serial, lineage) = (seen.serial, seen.lineage);
        let grows = recorded.serial == serial || recorded.serial == serial + 1;
        let stays = lineage.is_none() || lineage == recorded.lineage;
        seen.check(READABLE, grows && stays, || {
            format!(
                "serial {serial} then {}, lineage {lineage:?} then {:?}",
                recorded.serial, recorded.lineage
            )
        });
        (seen.serial, seen.lineage) = (recorded.serial, recorded.lineage);
        let now = named(recorded, account);
        let was = std::mem::replace(&mut seen.recorded, now.clone());
        let left = was.into_iter().filter(|(address, identity)| {
            seen.may_forget.contains(address) && !now.iter().any(|(_, known)| known == identity)
        });
        let left: Vec<String> = left.map(|(_, identity)| identity).collect();
        seen.forgotten.extend(left);
        let open = recorded.approval.as_ref().filter(|approval| !approval.finished);
        for (address, resource) in recorded.roots() {
            let there = match address.kind {
                RootKind::Bucket => account.buckets.contains_key(&resource.identity),
                RootKind::Key => account.keys.contains_key(&resource.identity),
            };
            let dying = open.is_some_and(|approval| {
                approval.steps.iter().any(|s| s.address == address.address() && s.document.is_null())
            });
            let by_hand = seen.gone.contains(&resource.identity);
            seen.check(EXISTS, there || dying || by_hand, || format!("{address} ({})", resource.identity));
        }
        let kinds = [Kind::BucketPolicy, Kind::PublicAccessBlock];
        for (address, resource) in recorded.resources.iter().filter(|(a, _)| kinds.contains(&a.kind)) {
            if resource.attributes != Value::Null {
                let text = resource.attributes.to_string();
                let had = seen.had.contains(&(resource.identity.clone(), address.kind, text));
                seen.check(PUT, had, || format!("{address}: {}", resource.attributes));
            }
        }
        seen.orphans(account, recorded);
    }

    /// A write to the account had its effect.
    pub fn written(
        &self,
        process: usize,
        call: &Call,
        stored: &Stored<'_>,
        (before, after): (&Account, &Account),
    ) {
        let mut seen = self.0.borrow_mut();
        let latest = seen.latest;
        let locked = seen.running.get(&process).is_some_and(|run| run.locked);
        seen.check(EXCLUSIVE, locked && latest == Some(process), || {
            format!("process {process} wrote {:?}, and {latest:?} took the lock last", call.operation)
        });
        let recorded = match stored() {
            Ok(recorded) => recorded.unwrap_or_default(),
            Err(why) => return seen.check(READABLE, false, || why),
        };
        seen.take_in(after);
        if call.operation == Operation::CreateKey {
            created(&mut seen, process, before, after);
        }
        seen.orphans(after, &recorded);
        let mut intents = BTreeSet::new();
        for (arn, key) in &after.keys {
            if let Some(id) = key.tags.get(BYOB_INTENT) {
                let new = intents.insert(id.clone());
                seen.check(ONCE, new, || format!("{arn}: {id}"));
            }
        }
        match (&call.target, call.operation) {
            (Target::Bucket { name, .. }, Operation::DeleteBucket | Operation::DeleteObjects) => {
                let root = recorded.roots().find(|(_, r)| r.identity == *name);
                let attributes = root.map_or(Value::Null, |(_, r)| r.attributes.clone());
                // One that an interrupted run made and nobody wants any more was never recorded, and goes only if empty.
                let never =
                    attributes.is_null() && recorded.intents.iter().any(|i| i.name.as_ref() == Some(name));
                let may = attributes["protect"] == false || never;
                seen.check(PROTECTED, may, || format!("{name}: {attributes}"));
                let held = before.buckets.get(name).is_some_and(|bucket| bucket.objects > 0);
                let agreed = seen.running.get(&process).is_some_and(|run| run.agreed);
                let may = attributes["force_destroy"] == true && agreed;
                seen.check(EMPTIED, !held || may, || format!("{name}: {attributes}"));
            }
            (Target::Key { key: KeyRef::Arn(arn), .. }, Operation::ScheduleKeyDeletion) => {
                let root = recorded.roots().find(|(_, r)| r.identity == *arn);
                let attributes = root.map_or(Value::Null, |(_, r)| r.attributes.clone());
                // A key that an interrupted run made and nobody wants any more was never recorded: nothing is under it.
                let never = attributes.is_null()
                    && recorded.intents.iter().any(|i| {
                        before.keys.get(arn).and_then(|key| key.tags.get(BYOB_INTENT))
                            == Some(&i.id.to_string())
                    });
                seen.check(PROTECTED, attributes["protect"] == false || never, || {
                    format!("{arn}: {attributes}")
                });
                let held = seen.running.get(&process).map(|run| run.held.clone()).unwrap_or_default();
                let under = held.iter().find(|name| {
                    before.buckets.get(*name).is_some_and(|bucket| bucket.objects > 0)
                        && seen.used.get(*name).is_some_and(|keys| keys.contains(arn))
                });
                let under = under.cloned();
                seen.check(KEYS, under.is_none(), || format!("{arn} of {under:?}"));
            }
            _ => {}
        }
        seen.within(process, after);
    }

    /// A write was sent.
    fn on_its_way(&self, process: usize, call: &Call) {
        let mut seen = self.0.borrow_mut();
        let latest = seen.latest;
        let locked = seen.running.get(&process).is_some_and(|run| run.locked);
        seen.check(EXCLUSIVE, locked && latest == Some(process), || {
            format!("process {process} sent {:?}, and {latest:?} took the lock last", call.operation)
        });
    }

    /// Somebody changed the account by hand: what runs is judged with that as one more end.
    fn by_hand(&self, before: &Account, after: &Account) {
        let mut seen = self.0.borrow_mut();
        seen.take_in(after);
        let gone = before.buckets.keys().filter(|name| !after.buckets.contains_key(*name)).cloned();
        seen.gone.extend(gone.collect::<Vec<_>>());
        let (was, is) = (Doors::of(before), Doors::of(after));
        for run in seen.running.values_mut() {
            let with = |end: &Doors| {
                let mut end = end.clone();
                for (name, door) in &is.buckets {
                    end.buckets.entry(name.clone()).or_insert_with(|| door.clone());
                    let (Some(old), Some(other)) = (was.buckets.get(name), end.buckets.get_mut(name)) else {
                        continue;
                    };
                    if door.policy != old.policy {
                        other.policy.clone_from(&door.policy);
                    }
                    if door.restricted != old.restricted {
                        other.restricted = door.restricted;
                    }
                    if (&door.key, door.strength) != (&old.key, old.strength) {
                        (other.key, other.strength) = (door.key.clone(), door.strength);
                    }
                }
                for (arn, policy) in is.keys.iter().filter(|(arn, _)| !was.keys.contains_key(*arn)) {
                    end.keys.insert(arn.clone(), policy.clone());
                }
                end
            };
            let more: Vec<Doors> = run.ends.iter().map(with).collect();
            run.ends.extend(more);
        }
    }

    /// How often each check was made.
    #[must_use]
    pub fn checks(&self) -> BTreeMap<&'static str, u64> {
        self.0.borrow().checks.clone()
    }

    /// What must never be so, and was.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        self.0.borrow().failures.clone()
    }

    /// Something that was found elsewhere.
    pub fn fail(&self, why: String) {
        self.0.borrow_mut().failures.push(why);
    }
}

/// What a record names, and what its intents made, each with its address.
fn named(recorded: &Recorded, account: &Account) -> BTreeSet<(String, String)> {
    let roots = recorded.roots().map(|(address, root)| (address.to_string(), root.identity.clone()));
    let intents = recorded.intents.iter().flat_map(|intent| {
        let id = intent.id.to_string();
        let keys = account.keys.iter().filter(move |(_, key)| key.tags.get(BYOB_INTENT) == Some(&id));
        let made = keys.map(|(arn, _)| arn.clone()).chain(intent.name.clone());
        made.map(|identity| (intent.address.to_string(), identity))
    });
    roots.chain(intents).collect()
}

/// A key was made: from now on it stands where the ends have its symbol.
fn created(seen: &mut Seen, process: usize, before: &Account, after: &Account) {
    let made = after.keys.iter().find(|(arn, _)| !before.keys.contains_key(*arn));
    let (Some((arn, key)), Some(run)) = (made, seen.running.get_mut(&process)) else { return };
    let symbol = key.tags.get(BYOB_ADDRESS).cloned().unwrap_or_default();
    for end in &mut run.ends {
        // At the old end there is nothing under it.
        let policy = end.keys.remove(&symbol).unwrap_or_else(|| json(&key.policy));
        end.keys.insert(arn.clone(), policy);
        for door in end.buckets.values_mut().filter(|door| door.key.as_ref() == Some(&symbol)) {
            door.key = Some(arn.clone());
        }
    }
}

/// What a step makes of the doors in the end; of a document with two phases the second comes last.
fn end(doors: &mut Doors, step: &Step) {
    let empty = Value::Null;
    let policy = || match &step.after {
        Some(Attributes::Policy(policy)) if !policy.document.is_empty() => json(policy),
        _ => empty.clone(),
    };
    if step.kind == Kind::Key && step.action == Action::Create {
        if let Some(Payload::NewKey { policy, .. }) = step.calls.first().map(|call| &call.payload) {
            doors.keys.insert(step.address.to_string(), json(policy));
        }
        return;
    }
    match step.calls.first().map(|call| &call.target) {
        Some(Target::Bucket { name, .. }) if step.kind == Kind::Bucket && step.action == Action::Delete => {
            doors.buckets.remove(name);
        }
        Some(Target::Bucket { name, .. }) => {
            let Some(door) = doors.buckets.get_mut(name) else { return };
            match (step.kind, &step.after) {
                (Kind::BucketPolicy, _) => door.policy = policy(),
                (Kind::PublicAccessBlock, Some(Attributes::PublicAccessBlock(block))) => {
                    door.restricted = block.restrict_public_buckets;
                }
                (Kind::Encryption, Some(Attributes::Encryption(wanted))) => {
                    door.key = wanted.kms_key.as_ref().map(|key| match key {
                        KeyRef::Arn(arn) => arn.clone(),
                        KeyRef::Managed { arn_of } => arn_of.to_string(),
                    });
                    door.strength = strength(wanted.algorithm, wanted.sse_c);
                }
                _ => {}
            }
        }
        Some(Target::Key { key: KeyRef::Arn(arn), .. }) if step.kind == Kind::KeyPolicy => {
            doors.keys.insert(arn.clone(), policy());
        }
        _ => {}
    }
}

/// Whether a step was planned from an answer that is not true (any more).
fn misled(step: &Step, plan: &Plan, account: &Account) -> bool {
    // The second phase's before is the first phase's form.
    if plan.steps.iter().any(|s| s.address == step.address && s.phase < step.phase) {
        return false;
    }
    match step.calls.first().map(|call| &call.target) {
        Some(Target::Bucket { name, .. }) => {
            let bucket = account.buckets.get(name);
            let Some(bucket) = bucket else {
                return step.kind == Kind::Bucket && step.action != Action::Create;
            };
            match (step.kind, &step.before) {
                (Kind::Bucket, _) => step.action == Action::Create,
                (Kind::BucketPolicy, Some(Attributes::Policy(before))) => {
                    bucket.policy.as_ref().map_or(!before.document.is_empty(), |policy| policy != before)
                }
                (Kind::BucketPolicy, _) => bucket.policy.is_some(),
                (Kind::PublicAccessBlock, Some(Attributes::PublicAccessBlock(before))) => {
                    bucket.block.as_ref() != Some(before)
                }
                (Kind::Encryption, Some(Attributes::Encryption(before))) => {
                    (&bucket.encryption.algorithm, &bucket.encryption.kms_key, &bucket.encryption.sse_c)
                        != (&before.algorithm, &before.kms_key, &before.sse_c)
                }
                (Kind::Versioning, Some(Attributes::Versioning(before))) => {
                    bucket.versioning.unwrap_or(VersioningStatus::Disabled) != before.status
                }
                _ => false,
            }
        }
        Some(Target::Key { key: KeyRef::Arn(arn), .. }) => {
            match (account.keys.get(arn), step.kind, &step.before) {
                (None, _, _) => true,
                (Some(key), Kind::KeyPolicy, Some(Attributes::Policy(before))) => key.policy != *before,
                _ => false,
            }
        }
        _ => false,
    }
}

/// The judge, watching an account beside a record.
pub struct Watching {
    /// Who judges.
    pub judge: std::rc::Rc<Judge>,
    /// Reads the record.
    pub stored: Box<Stored<'static>>,
}

impl Watch for Watching {
    fn sent(&self, process: usize, call: &Call) {
        self.judge.on_its_way(process, call);
    }

    fn wrote(&self, process: usize, call: &Call, before: &Account, after: &Account) {
        self.judge.written(process, call, &*self.stored, (before, after));
    }

    fn changed(&self, before: &Account, after: &Account) {
        self.judge.by_hand(before, after);
    }
}
