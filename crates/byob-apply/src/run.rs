//! The graph of an apply: what is ready runs, one bucket's steps in order, different roots side by side; a failure stops
//! what depends on it and nothing else. The record is journalled as steps finish, and saved once before the first and
//! once, by the caller, after the last, whatever their number.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use byob_model::address::{Address, Kind, RootAddress, RootKind};
use byob_model::call::{Operation, Target};
use byob_model::kind::{Attributes, Policy};
use byob_model::recorded::{Intent, Recorded};
use byob_plan::approval::{self, Standing};
use byob_plan::event::Event;
use byob_plan::plan::{Action, Plan, Step};
use byob_state::{Entry, Store, StoreError};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::cloud::{Clock, Cloud, now};
use crate::error::{ApplyError, StepError};
use crate::pace::Pace;
use crate::readback;
use crate::record;
use crate::step::StepContext;

/// How many roots are worked on at once: S3's and KMS's control planes answer far below their data planes' rates.
const ROOTS_AT_ONCE: usize = 16;

/// Everything an apply runs on.
pub struct Run<'a, C, S, K> {
    /// AWS.
    pub cloud: &'a C,
    /// The record's place; its lock is held.
    pub store: &'a S,
    /// Time.
    pub clock: &'a K,
    /// Waits.
    pub pace: Pace,
    /// How long a policy that is not as planned is read again, shortly after a write, before it is called changed.
    pub settle: Duration,
    /// Whether somebody asked to stop: running calls are finished, nothing new is started.
    pub interrupted: &'a dyn Fn() -> bool,
    /// Where events go.
    pub emit: &'a dyn Fn(Event),
    /// Makes UUIDs; a simulation's come from its seed.
    pub new_id: &'a dyn Fn() -> Uuid,
    /// The running approval is the recorded one, resumed.
    pub resumed: bool,
}

/// What happened.
#[derive(Debug, Default)]
pub struct Report {
    /// Ids of steps that are done.
    pub done: Vec<String>,
    /// Steps that failed.
    pub failed: Vec<StepFailure>,
    /// Ids of steps that were not started.
    pub not_started: Vec<String>,
    /// Somebody asked to stop.
    pub interrupted: bool,
    /// The journal could not be written, and nothing new was started after that. The record in memory knows everything
    /// that was done: saving it makes good for it.
    pub unrecorded: Option<StoreError>,
}

/// A step that failed, and why.
#[derive(Debug)]
pub struct StepFailure {
    /// Its id.
    pub step: String,
    /// Its address.
    pub address: Address,
    /// Why.
    pub error: StepError,
}

pub use crate::error::StepError as Failure;

impl Report {
    /// Whether everything was done.
    #[must_use]
    pub fn complete(&self) -> bool {
        let untroubled = !self.interrupted && self.unrecorded.is_none();
        self.failed.is_empty() && self.not_started.is_empty() && untroubled
    }

    /// Whether a policy had changed since it was planned: the approval is stale.
    #[must_use]
    pub fn stale(&self) -> bool {
        self.failed.iter().any(|f| matches!(f.error, StepError::PolicyChanged { .. }))
    }
}

/// Whether applying this plan is the recorded, unfinished approval going on, whoever asks for it.
#[must_use]
pub fn goes_on(plan: &Plan, recorded: &Recorded) -> bool {
    recorded.approval.as_ref().filter(|open| !open.finished).is_some_and(|open| {
        matches!(approval::standing(plan, &open.digest, Some(open)), Standing::Approved | Standing::Resumed)
    })
}

impl<C: Cloud, S: Store, K: Clock> Run<'_, C, S, K> {
    /// Runs the steps. The record in memory is then as journalled; the caller reads back and saves it.
    ///
    /// # Errors
    /// The record could not be saved before the first write: nothing was written.
    pub async fn steps(&self, plan: &Plan, recorded: &mut Recorded) -> Result<Report, ApplyError> {
        let recent = readback::recent(recorded, now(self.cloud, self.clock));
        let settle = if recent { self.settle } else { Duration::ZERO };
        let mut arns = record::arns(recorded);
        // A key that is made again has no ARN until it is.
        for step in plan.steps.iter().filter(|s| s.kind.is_root() && s.action == Action::Create) {
            arns.remove(&step.address.root());
        }
        self.open(plan, recorded, &arns).await?;
        let mut graph = Graph::new(plan);
        let mut report = Report::default();
        let mut running = FuturesUnordered::new();
        let mut entries = Vec::new();
        loop {
            report.interrupted |= (self.interrupted)();
            if !report.interrupted && report.unrecorded.is_none() {
                while running.len() < ROOTS_AT_ONCE {
                    let Some(index) = graph.next() else { break };
                    let step = &plan.steps[index];
                    (self.emit)(started(step));
                    let context = self.context(plan, step, recorded, &arns, settle);
                    let began = self.clock.elapsed();
                    // What AWS is asked within a step says in the log for which.
                    let span = tracing::debug_span!("step", step = step.id, address = %step.address);
                    let performed = async move {
                        let outcome = context.perform(step).await;
                        (index, outcome, self.clock.elapsed().saturating_sub(began))
                    };
                    running.push(performed.instrument(span));
                }
            }
            let Some(first) = running.next().await else { break };
            let mut finished = vec![first];
            // Whatever else is finished by now goes into the same journal write.
            while let Some(Some(more)) = futures_util::FutureExt::now_or_never(running.next()) {
                finished.push(more);
            }
            for (index, outcome, took) in finished {
                let step = &plan.steps[index];
                match outcome {
                    Ok(arn) => {
                        if let Some(arn) = arn {
                            arns.insert(step.address.root(), arn);
                        }
                        let before = recorded.root(&step.address.root()).map(|root| root.identity.clone());
                        entries.extend(record::apply(recorded, &step.record, &arns));
                        entries.extend(self.intent_done(recorded, plan, step, before));
                        graph.done(index);
                        report.done.push(step.id.clone());
                        let (step, address) = (step.id.clone(), step.address.clone());
                        (self.emit)(Event::Done { step, address, took });
                    }
                    Err(error) => {
                        graph.failed(index);
                        (self.emit)(Event::Failed {
                            step: step.id.clone(),
                            address: step.address.clone(),
                            why: error.to_string(),
                            answer: error.answer(),
                            took,
                        });
                        report.failed.push(StepFailure {
                            step: step.id.clone(),
                            address: step.address.clone(),
                            error,
                        });
                    }
                }
            }
            entries.extend(record::uses(recorded, plan, &arns));
            let at = now(self.cloud, self.clock);
            recorded.written_at = Some(at);
            entries.push(Entry::Written { at });
            // What was running when the journal failed is finished, and tried to be journalled with it.
            match self.store.journal(&entries).await {
                Ok(()) => {
                    entries.clear();
                    report.unrecorded = None;
                }
                Err(error) => report.unrecorded = Some(error),
            }
        }
        for index in graph.not_started() {
            let step = &plan.steps[index];
            (self.emit)(Event::Skipped { step: step.id.clone(), address: step.address.clone() });
            report.not_started.push(step.id.clone());
        }
        Ok(report)
    }

    /// Before the first write: the approval, its steps, and every intent of the run, in one write.
    async fn open(
        &self,
        plan: &Plan,
        recorded: &mut Recorded,
        arns: &BTreeMap<RootAddress, String>,
    ) -> Result<(), ApplyError> {
        if recorded.lineage.is_none() {
            recorded.lineage = Some((self.new_id)());
        }
        // What needs no step may not wait for a run that ends well: a key that a bucket uses by now, above all.
        record::before_steps(recorded, plan);
        self.open_intents(plan, recorded);
        record::uses(recorded, plan, arns);
        match &mut recorded.approval {
            Some(approval) if self.resumed => approval::go_on(approval, plan),
            approval => *approval = Some(approval::open(plan)),
        }
        // From now on something may have been written, whatever becomes of this run.
        recorded.written_at = Some(now(self.cloud, self.clock));
        self.store.save(recorded).await?;
        Ok(())
    }

    /// The intents of everything that is to be created, and those of an earlier run that are still needed.
    fn open_intents(&self, plan: &Plan, recorded: &mut Recorded) {
        // A bucket or key may have another address than when it was made: what is adopted takes its intent along.
        for step in plan.steps.iter().filter(|s| s.action == Action::Adopt && s.kind.is_root()) {
            let (name, arn) = match &step.after {
                Some(Attributes::Bucket(bucket)) => (Some(&bucket.name), None),
                _ => (None, step.identity.as_ref()),
            };
            let its = |i: &Intent| match &i.name {
                Some(_) => i.name.as_ref() == name,
                None => arn.is_some() && plan.made.get(&i.id) == arn,
            };
            for intent in recorded.intents.iter_mut().filter(|i| its(i)) {
                intent.address = step.address.root();
            }
        }
        let at = now(self.cloud, self.clock);
        let deleted = byob_plan::recovery::dying(recorded);
        let mut intents = Vec::new();
        for step in &plan.steps {
            for call in &step.calls {
                let (region, name) = match (&call.operation, &call.target) {
                    (Operation::CreateBucket, Target::Bucket { name, region, .. }) => {
                        (region, Some(name.clone()))
                    }
                    (Operation::CreateKey, Target::Key { region, .. }) => (region, None),
                    _ => continue,
                };
                let address = step.address.root();
                let open = recorded.intents.iter().find(|i| i.name.is_some() && i.name == name);
                intents.push(match open {
                    // What a run that did not end may have deleted can still be seen, with that intent's tag.
                    Some(intent) if deleted.contains(&intent.address) => {
                        Intent { id: (self.new_id)(), address, at, ..intent.clone() }
                    }
                    // A bucket may exist under its first intent: that one goes on.
                    Some(intent) => Intent { address, ..intent.clone() },
                    None => Intent {
                        id: (self.new_id)(),
                        address,
                        account_id: step.account_id.clone(),
                        region: region.clone(),
                        name,
                        at,
                        keys_used: BTreeSet::new(),
                    },
                });
            }
        }
        // What an earlier run began stays known until it is recorded (and its tags with it), adopted or deleted; a key
        // that is made anew takes the place of one that was waited for in vain.
        let anew: BTreeSet<RootAddress> = intents.iter().map(|i| i.address.clone()).collect();
        let gone_on: BTreeSet<Uuid> = intents.iter().map(|i| i.id).collect();
        let to_come = |root: &RootAddress| {
            let comes = |s: &Step| matches!(s.action, Action::Create | Action::Adopt);
            plan.steps.iter().any(|s| s.address == root.address() && comes(s)) || tags_to_come(plan, root)
        };
        let done = |i: &Intent| {
            record::its_root(recorded, i, plan).is_some_and(|root| !to_come(&root) && !to_come(&i.address))
        };
        // What is seen of an intent stays known, whatever else is made at its address.
        let replaced = |i: &Intent| anew.contains(&i.address) && !plan.made.contains_key(&i.id);
        let kept = recorded.intents.iter().filter(|i| !replaced(i) && !gone_on.contains(&i.id) && !done(i));
        let kept: Vec<Intent> = kept.cloned().collect();
        intents.extend(kept);
        recorded.intents = intents;
    }

    /// A root that is recorded needs its intent no more, but for the tags that still have to carry it. `before` is what was
    /// recorded at the step's root until now.
    fn intent_done(
        &self,
        recorded: &mut Recorded,
        plan: &Plan,
        step: &Step,
        before: Option<String>,
    ) -> Vec<Entry> {
        let root = step.address.root();
        let by_tags = step.kind == Kind::BucketTags;
        let by_itself = step.kind.is_root() && (root.kind == RootKind::Key || !tags_to_come(plan, &root));
        let gone = step.kind.is_root() && matches!(step.action, Action::Delete | Action::Forget);
        if !(by_tags || by_itself || gone) {
            return Vec::new();
        }
        // What nothing claims is in no record.
        let known = recorded.root(&root).map(|root| root.identity.clone());
        let identity = known.or(before).or_else(|| step.identity.clone());
        let its = |i: &Intent| match &identity {
            Some(identity) => record::made(i, &root, identity, plan),
            None => i.address == root,
        };
        let (done, left): (Vec<Intent>, Vec<Intent>) =
            std::mem::take(&mut recorded.intents).into_iter().partition(its);
        recorded.intents = left;
        let mut entries = Vec::new();
        for intent in done {
            entries.push(Entry::IntentDone { id: intent.id });
            // A creation that a dead process sent may arrive after the deletion of what an earlier try made: a bucket's
            // intent stays until it is old. Not under its id, with which what was deleted can still be seen.
            if step.action == Action::Delete && intent.name.is_some() {
                let stays = Intent { id: (self.new_id)(), ..intent };
                entries.push(Entry::Intent(stays.clone()));
                recorded.intents.push(stays);
            }
        }
        entries
    }

    fn context<'b>(
        &'b self,
        plan: &Plan,
        step: &Step,
        recorded: &Recorded,
        arns: &BTreeMap<RootAddress, String>,
        settle: Duration,
    ) -> StepContext<'b, C, S, K> {
        let root = step.address.root();
        let made = plan.steps.iter().any(|s| s.address == root.address() && s.action == Action::Create);
        // Others may have been begun at this address, before labels changed.
        let name = step.calls.iter().find_map(|call| match &call.target {
            Target::Bucket { name, .. } => Some(name),
            Target::Key { .. } => None,
        });
        let arn = recorded.root(&root).map(|root| &root.identity).or(step.identity.as_ref());
        let its = |intent: &&Intent| match &intent.name {
            Some(_) => intent.name.as_ref() == name,
            None => match plan.made.get(&intent.id) {
                Some(found) => Some(found) == arn,
                None => intent.address == root,
            },
        };
        let mut known_policies = Vec::new();
        if let Some(known) = recorded.resources.get(&step.address).and_then(|r| r.typed().ok()) {
            known_policies.push(known);
        }
        let approved = recorded.approval.iter().flat_map(|a| &a.steps).filter(|s| s.address == step.address);
        known_policies.extend(approved.filter_map(|s| Attributes::from_value(step.kind, &s.document).ok()));
        // What the first phase replaced may still be read in the second.
        let earlier = plan.steps.iter().filter(|s| s.address == step.address && s.phase < step.phase);
        known_policies
            .extend(earlier.map(|s| s.before.clone().unwrap_or(Attributes::Policy(Policy::empty()))));
        StepContext {
            cloud: self.cloud,
            store: self.store,
            clock: self.clock,
            pace: self.pace,
            lineage: recorded.lineage.unwrap_or_default(),
            intent: recorded.intents.iter().find(its).cloned(),
            created: made || recorded.root(&root).is_some_and(|r| r.created),
            settle,
            arns: arns.clone(),
            known_policies,
            interrupted: self.interrupted,
            emit: self.emit,
        }
    }
}

fn started(step: &Step) -> Event {
    Event::Started {
        step: step.id.clone(),
        address: step.address.clone(),
        action: step.action,
        operations: step.calls.iter().map(|call| call.operation.as_str()).collect(),
    }
}

/// Whether a plan still writes a bucket's tags.
fn tags_to_come(plan: &Plan, root: &RootAddress) -> bool {
    plan.steps.iter().any(|s| s.kind == Kind::BucketTags && s.address.root() == *root && !s.calls.is_empty())
}

/// Which steps can run.
struct Graph<'a> {
    steps: &'a [Step],
    index: BTreeMap<&'a str, usize>,
    state: Vec<Progress>,
    /// Steps of each root, in order; the first that has not ended is the root's next.
    queues: BTreeMap<RootAddress, Vec<usize>>,
    busy: BTreeSet<RootAddress>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Waiting,
    Running,
    Done,
    Failed,
    Skipped,
}

impl<'a> Graph<'a> {
    fn new(plan: &'a Plan) -> Self {
        let steps = plan.steps.as_slice();
        let mut queues: BTreeMap<RootAddress, Vec<usize>> = BTreeMap::new();
        for (index, step) in steps.iter().enumerate().rev() {
            queues.entry(step.address.root()).or_default().push(index);
        }
        Self {
            steps,
            index: steps.iter().enumerate().map(|(i, s)| (s.id.as_str(), i)).collect(),
            state: vec![Progress::Waiting; steps.len()],
            queues,
            busy: BTreeSet::new(),
        }
    }

    /// The next step that may start, marked as running.
    fn next(&mut self) -> Option<usize> {
        loop {
            let mut skipped = false;
            let mut found = None;
            for (root, queue) in &mut self.queues {
                if self.busy.contains(root) {
                    continue;
                }
                let Some(&index) = queue.last() else { continue };
                let step = &self.steps[index];
                let states: Vec<Progress> = step
                    .depends_on
                    .iter()
                    .filter_map(|id| self.index.get(id.as_str()))
                    .map(|&i| self.state[i])
                    .collect();
                if states.iter().any(|s| matches!(s, Progress::Failed | Progress::Skipped)) {
                    self.state[index] = Progress::Skipped;
                    queue.pop();
                    skipped = true;
                    break;
                }
                if states.iter().all(|s| *s == Progress::Done) {
                    queue.pop();
                    found = Some((root.clone(), index));
                    break;
                }
            }
            if let Some((root, index)) = found {
                self.busy.insert(root);
                self.state[index] = Progress::Running;
                return Some(index);
            }
            if !skipped {
                return None;
            }
        }
    }

    fn done(&mut self, index: usize) {
        self.end(index, Progress::Done);
    }

    fn failed(&mut self, index: usize) {
        self.end(index, Progress::Failed);
    }

    fn end(&mut self, index: usize, progress: Progress) {
        self.state[index] = progress;
        self.busy.remove(&self.steps[index].address.root());
    }

    fn not_started(&self) -> Vec<usize> {
        let waiting = |s: &Progress| matches!(s, Progress::Waiting | Progress::Skipped);
        self.state.iter().enumerate().filter(|(_, s)| waiting(s)).map(|(i, _)| i).collect()
    }
}
