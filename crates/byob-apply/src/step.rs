//! One step: its calls, in order, each tried as long as AWS asks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use byob_model::address::{Address, Kind, RootAddress};
use byob_model::call::{Call, Operation, Payload, Target};
use byob_model::kind::{Attributes, BYOB_INTENT, BYOB_LINEAGE, Encryption, KeyRef, KeyState, Policy};
use byob_model::live::{BucketFacts, LiveAspect, LiveBucket, LiveKey, Wanted, WantedBucket, WantedKey};
use byob_model::recorded::Intent;
use byob_plan::event::Event;
use byob_plan::is_form;
use byob_plan::plan::{Action, Step};
use byob_state::Store;
use futures_util::future::{Either, select};
use uuid::Uuid;

use crate::cloud::{Clock, Cloud, CloudError, Done, ErrorKind};
use crate::error::StepError;
use crate::pace::Pace;
use crate::readback::read_in_run;

/// What a step needs beside itself, as it was when the step began.
pub(crate) struct StepContext<'a, C, S, K> {
    pub cloud: &'a C,
    /// Whose lock has to hold while a write is made.
    pub store: &'a S,
    pub clock: &'a K,
    pub pace: Pace,
    pub lineage: Uuid,
    /// The open intent of this step's root.
    pub intent: Option<Intent>,
    /// Whether byob created this root (or is creating it): then its tags carry the proof.
    pub created: bool,
    /// How long a policy that is not as planned is read again before it is called changed.
    pub settle: Duration,
    /// ARNs of the keys of this configuration.
    pub arns: BTreeMap<RootAddress, String>,
    /// Live policies that may be overwritten besides the planned one: the recorded and the approved forms.
    pub known_policies: Vec<Attributes>,
    /// Whether somebody asked to stop: what runs is finished, and not tried again.
    pub interrupted: &'a dyn Fn() -> bool,
    pub emit: &'a dyn Fn(Event),
}

impl<C: Cloud, S: Store, K: Clock> StepContext<'_, C, S, K> {
    /// Makes the step's calls. Returns the ARN of a key it created.
    pub(crate) async fn perform(&self, step: &Step) -> Result<Option<String>, StepError> {
        let mut arn = None;
        // An earlier run may have deleted it, and the plan been made from a stale answer.
        if deletes_bucket(step)
            && let Some(call) = step.calls.first()
            && self.is_gone(call).await?
        {
            return Ok(None);
        }
        for call in &step.calls {
            let call = self.complete(call)?;
            let done = match call.operation {
                Operation::CreateBucket => self.create_bucket(step, &call).await?,
                Operation::CreateKey => self.create_key(step, &call).await?,
                Operation::DeleteBucket => self.delete_bucket(step, &call).await?,
                _ => self.tried(step, &call).await?,
            };
            arn = done.key_arn.or(arn);
        }
        if step.phase == 1 {
            self.seen(step).await?;
        }
        Ok(arn)
    }

    /// Reads the form of a first phase back before anything is built on it. AWS has accepted it; where it is not seen in
    /// time, the whole is read back at the end.
    async fn seen(&self, step: &Step) -> Result<(), StepError> {
        let Some(call) = step.calls.first().map(|call| self.complete(call)).transpose()? else {
            return Ok(());
        };
        let nothing = Attributes::Policy(Policy::empty());
        let form = step.after.as_ref().unwrap_or(&nothing);
        let began = self.clock.elapsed();
        let mut tries = 0;
        loop {
            match self.aspect(&call.target, step.kind).await?.0 {
                Some(live) if live != LiveAspect::Refused && !is_form(step.kind, &live, form) => {}
                _ => return Ok(()),
            }
            tries += 1;
            let wait = self.pace.wait(tries);
            if self.clock.elapsed().saturating_sub(began) + wait > self.pace.read_back || (self.interrupted)()
            {
                return Ok(());
            }
            self.clock.sleep(wait).await;
        }
    }

    /// One aspect as it is live, `None` where its root is not there (yet, or any more); and the id of a read that was
    /// refused.
    async fn aspect(
        &self,
        target: &Target,
        kind: Kind,
    ) -> Result<(Option<LiveAspect>, Option<String>), CloudError> {
        let mut wanted = Wanted::default();
        match target {
            Target::Bucket { name, region, .. } => {
                let bucket = WantedBucket {
                    region: region.clone(),
                    aspects: BTreeSet::from([kind]),
                    brief: true,
                    ..WantedBucket::default()
                };
                wanted.buckets.insert(name.clone(), bucket);
            }
            Target::Key { key: KeyRef::Arn(arn), .. } => {
                wanted.keys.entry(arn.clone()).or_default().aspects.insert(kind);
            }
            Target::Key { .. } => return Ok((None, None)),
        }
        let live = read_in_run(self.cloud, self.clock, self.pace, &wanted).await?;
        let bucket = live.buckets.into_values().find_map(|bucket| match bucket {
            LiveBucket::Exists(mut facts) => facts.aspects.remove(&kind),
            LiveBucket::Absent | LiveBucket::Forbidden { .. } => None,
        });
        let key = live.keys.into_values().find_map(|key| match key {
            LiveKey::Exists(mut facts) => facts.aspects.remove(&kind),
            LiveKey::Absent | LiveKey::Forbidden => None,
        });
        Ok((bucket.or(key), live.refused.into_iter().next().and_then(|refused| refused.request_id)))
    }

    /// The call with ARNs, proof tags and intent filled in.
    fn complete(&self, call: &Call) -> Result<Call, StepError> {
        let resolve = |key: &KeyRef| match key {
            KeyRef::Arn(arn) => Ok(KeyRef::Arn(arn.clone())),
            KeyRef::Managed { arn_of } => {
                let missing = || StepError::NoArn { key: arn_of.to_string() };
                self.arns.get(arn_of).cloned().map(KeyRef::Arn).ok_or_else(missing)
            }
        };
        let proof = |tags: &BTreeMap<String, String>| {
            let mut tags = tags.clone();
            if self.created {
                tags.insert(BYOB_LINEAGE.to_owned(), self.lineage.to_string());
                if let Some(intent) = &self.intent {
                    tags.insert(BYOB_INTENT.to_owned(), intent.id.to_string());
                }
            }
            tags
        };
        let target = match &call.target {
            Target::Key { key, region, account_id } if call.operation != Operation::CreateKey => {
                Target::Key { key: resolve(key)?, region: region.clone(), account_id: account_id.clone() }
            }
            other => other.clone(),
        };
        let id = self.intent.as_ref().map(|intent| intent.id);
        let payload = match &call.payload {
            Payload::Attributes(Attributes::Encryption(encryption)) => {
                let kms_key = encryption.kms_key.as_ref().map(resolve).transpose()?;
                Payload::Attributes(Attributes::Encryption(Encryption { kms_key, ..encryption.clone() }))
            }
            Payload::NewBucket { object_lock, .. } => {
                Payload::NewBucket { object_lock: *object_lock, intent: id }
            }
            Payload::NewKey { description, policy, tags, .. } => Payload::NewKey {
                description: description.clone(),
                policy: policy.clone(),
                tags: proof(tags),
                intent: id,
            },
            Payload::Tags { set, remove } if !set.is_empty() || remove.is_empty() => {
                Payload::Tags { set: proof(set), remove: remove.clone() }
            }
            other => other.clone(),
        };
        Ok(Call { operation: call.operation, target, payload })
    }

    /// Waits until the lock holds for as long as a write may take.
    async fn may_write(&self) -> Result<(), StepError> {
        self.store.may_write().await.map_err(|error| StepError::LockLost { why: error.to_string() })
    }

    /// Makes one write, while the lock holds: it is begun only where the lock holds for as long as it may take, and it is
    /// given up, as one whose answer was lost, when it takes longer.
    async fn send(&self, call: &Call) -> Result<Result<Done, CloudError>, StepError> {
        self.may_write().await?;
        let answer = pin!(self.cloud.perform(call));
        let Some(limit) = self.store.call_limit() else { return Ok(answer.await) };
        Ok(match select(answer, pin!(self.clock.sleep(limit))).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(CloudError::unanswered(call, limit)),
        })
    }

    /// Tries a call that can be repeated.
    async fn tried(&self, step: &Step, call: &Call) -> Result<Done, StepError> {
        let began = self.clock.elapsed();
        let mut tries: u32 = 0;
        loop {
            if matches!(call.operation, Operation::PutBucketPolicy | Operation::DeleteBucketPolicy) {
                // Waited for now, so that nothing comes between the look and the put.
                self.may_write().await?;
                self.check_policy(step, call).await?;
            }
            let error = match self.send(call).await? {
                Ok(done) if done.more && (self.interrupted)() => {
                    return Err(StepError::Interrupted { address: step.address.clone() });
                }
                Ok(done) if done.more => continue,
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if self.is_done(step, call, &error).await? {
                return Ok(Done::default());
            }
            tries += 1;
            let spent = self.clock.elapsed().saturating_sub(began);
            self.again(step, tries, spent, self.patience(call, &error), error).await?;
        }
    }

    /// Waits for the next try; an error where there is none. `limit`: how long the answer is worth trying again.
    async fn again(
        &self,
        step: &Step,
        tries: u32,
        spent: Duration,
        limit: Option<Duration>,
        error: CloudError,
    ) -> Result<(), StepError> {
        let wait = self.pace.wait(tries);
        if limit.is_none_or(|limit| spent + wait > limit) || (self.interrupted)() {
            return Err(StepError::Cloud { tried: tried_for(tries, spent, &error), error });
        }
        (self.emit)(Event::Retrying {
            step: step.id.clone(),
            address: step.address.clone(),
            why: error.to_string(),
            answer: error.answer(),
            tries,
            wait,
        });
        self.clock.sleep(wait).await;
        Ok(())
    }

    /// Whether an answer that is no success says that what was asked for is so: after a lost answer the second call finds
    /// the effect of the first.
    async fn is_done(&self, step: &Step, call: &Call, error: &CloudError) -> Result<bool, CloudError> {
        Ok(match (call.operation, error.kind) {
            // A bucket that is to be deleted needs neither another policy nor to be emptied.
            (_, ErrorKind::NoSuchBucket) if deletes_bucket(step) => self.is_gone(call).await?,
            (Operation::CreateAlias, ErrorKind::AlreadyExists) => self.alias_is_put(call).await?,
            (Operation::DeleteAlias, ErrorKind::NotFound) => true,
            (Operation::CancelKeyDeletion, ErrorKind::InvalidState) => {
                self.key_state(call).await?.is_some_and(|state| state != KeyState::PendingDeletion)
            }
            (Operation::ScheduleKeyDeletion, ErrorKind::InvalidState) => {
                self.key_state(call).await? == Some(KeyState::PendingDeletion)
            }
            _ => false,
        })
    }

    async fn key_state(&self, call: &Call) -> Result<Option<KeyState>, CloudError> {
        let Target::Key { key: KeyRef::Arn(arn), .. } = &call.target else { return Ok(None) };
        let wanted = Wanted { keys: [(arn.clone(), WantedKey::default())].into(), ..Wanted::default() };
        let live = read_in_run(self.cloud, self.clock, self.pace, &wanted).await?;
        Ok(match live.keys.get(arn) {
            Some(LiveKey::Exists(facts)) => Some(facts.state.clone()),
            _ => None,
        })
    }

    /// Whether the bucket of a call is not there (any more). Shortly after a write it has to be so for a while.
    async fn is_gone(&self, call: &Call) -> Result<bool, CloudError> {
        let Target::Bucket { name, region, .. } = &call.target else { return Ok(false) };
        let began = self.clock.elapsed();
        let mut tries = 0;
        while self.look(name, region).await? == LiveBucket::Absent {
            tries += 1;
            let wait = self.pace.wait(tries);
            if self.clock.elapsed().saturating_sub(began) + wait > self.settle {
                return Ok(true);
            }
            self.clock.sleep(wait).await;
        }
        Ok(false)
    }

    /// `DeleteBucket`. Where the step empties the bucket, what arrives while it does is deleted too; and a bucket is gone
    /// when it is not found any more, not when one call, right after its creation, does not know it yet.
    async fn delete_bucket(&self, step: &Step, call: &Call) -> Result<Done, StepError> {
        let empty = step.calls.iter().find(|c| c.operation == Operation::DeleteObjects);
        let began = self.clock.elapsed();
        let mut tries: u32 = 0;
        loop {
            let error = match self.send(call).await? {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let unknown = matches!(error.kind, ErrorKind::NoSuchBucket | ErrorKind::NotFound);
            if unknown && self.is_gone(call).await? {
                return Ok(Done::default());
            }
            tries += 1;
            let spent = self.clock.elapsed().saturating_sub(began);
            let limit = if unknown { Some(self.pace.call) } else { self.patience(call, &error) };
            let filled = error.kind == ErrorKind::NotEmpty;
            self.again(step, tries, spent, limit, error).await?;
            if let Some(empty) = empty.filter(|_| filled) {
                self.tried(step, empty).await?;
            }
        }
    }

    /// After a lost answer `CreateAlias` finds its own alias: it is put if it points at the very key. It may not be listed
    /// yet.
    async fn alias_is_put(&self, call: &Call) -> Result<bool, CloudError> {
        let name = match &call.payload {
            Payload::Alias { name } => name,
            Payload::Attributes(Attributes::Alias(alias)) => &alias.name,
            _ => return Ok(false),
        };
        let Target::Key { key: KeyRef::Arn(arn), region, .. } = &call.target else { return Ok(false) };
        let alias = (region.clone(), name.clone());
        let wanted = Wanted { aliases: [alias.clone()].into(), ..Wanted::default() };
        let began = self.clock.elapsed();
        let mut tries = 0;
        loop {
            let live = read_in_run(self.cloud, self.clock, self.pace, &wanted).await?;
            if let Some(Some(found)) = live.aliases.get(&alias) {
                return Ok(found == arn);
            }
            tries += 1;
            let wait = self.pace.wait(tries);
            let spent = self.clock.elapsed().saturating_sub(began);
            if spent + wait > self.pace.call || (self.interrupted)() {
                return Ok(false);
            }
            self.clock.sleep(wait).await;
        }
    }

    /// How long such an answer is worth trying again; `None`: not at all.
    fn patience(&self, call: &Call, error: &CloudError) -> Option<Duration> {
        let fresh_key = matches!(&call.payload, Payload::Attributes(Attributes::Encryption(_)))
            || matches!(call.target, Target::Key { .. });
        match error.kind {
            ErrorKind::Conflict | ErrorKind::Throttled | ErrorKind::Internal | ErrorKind::Network => {
                Some(self.pace.call)
            }
            // Right after a create, and while its news travels.
            ErrorKind::NoSuchBucket => Some(self.pace.call),
            ErrorKind::NotFound if fresh_key => Some(self.pace.call),
            // A principal that AWS does not know may be new.
            ErrorKind::MalformedPolicy => error.may_be_new_principal().then_some(self.pace.principal),
            // Objects that arrive while a bucket is emptied, and deletes that are not seen yet.
            ErrorKind::NotEmpty => Some(self.pace.principal),
            _ => None,
        }
    }

    /// `CreateBucket` answers 200 in us-east-1 for a bucket one has: look right before, and after a lost answer.
    async fn create_bucket(&self, step: &Step, call: &Call) -> Result<Done, StepError> {
        let Target::Bucket { name, region, .. } = &call.target else { return Ok(Done::default()) };
        let began = self.clock.elapsed();
        let mut tries: u32 = 0;
        let mut owned = false;
        loop {
            self.may_write().await?;
            match self.look(name, region).await? {
                LiveBucket::Absent => {}
                LiveBucket::Exists(facts) if self.is_of_this_intent(&facts) => return Ok(Done::default()),
                // One that was deleted a moment ago may still be seen, with all that proved it ours: only what AWS says
                // to the creation itself counts.
                LiveBucket::Exists(facts) if self.proves_itself(&facts) => {
                    if owned {
                        return Ok(Done::default());
                    }
                }
                LiveBucket::Exists(_) | LiveBucket::Forbidden { .. } => {
                    return Err(StepError::NotOurs { name: name.clone() });
                }
            }
            let error = match self.send(call).await? {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            tries += 1;
            owned = error.kind == ErrorKind::AlreadyOwned;
            let spent = self.clock.elapsed().saturating_sub(began);
            let limit = match error.kind {
                // A lost answer, or one's own create answered late: the next look decides.
                ErrorKind::AlreadyOwned | ErrorKind::Network => Some(self.pace.call),
                ErrorKind::Conflict | ErrorKind::Throttled | ErrorKind::Internal => Some(self.pace.call),
                _ => None,
            };
            self.again(step, tries, spent, limit, error).await?;
        }
    }

    async fn look(&self, name: &str, region: &str) -> Result<LiveBucket, CloudError> {
        let bucket = WantedBucket {
            region: region.to_owned(),
            aspects: BTreeSet::from([Kind::BucketPolicy]),
            contents: true,
            ..WantedBucket::default()
        };
        let wanted = Wanted { buckets: [(name.to_owned(), bucket)].into(), ..Wanted::default() };
        let live = read_in_run(self.cloud, self.clock, self.pace, &wanted).await?;
        Ok(live.buckets.get(name).cloned().unwrap_or(LiveBucket::Absent))
    }

    fn is_of_this_intent(&self, facts: &BucketFacts) -> bool {
        let intent = self.intent.as_ref().map(|intent| intent.id.to_string());
        intent.is_some() && facts.tags.get(BYOB_INTENT) == intent.as_ref()
    }

    /// Made by this record: its lineage, the tag of this intent, or nothing in it at all.
    fn proves_itself(&self, facts: &BucketFacts) -> bool {
        if facts.tags.get(BYOB_LINEAGE) == Some(&self.lineage.to_string()) {
            return true;
        }
        let bare =
            facts.tags.is_empty() && facts.has_policy == Some(false) && facts.holds_data == Some(false);
        self.is_of_this_intent(facts) || (self.intent.is_some() && bare)
    }

    /// `CreateKey` has no idempotency token: after a lost answer the key is looked for by its intent tag, and never
    /// made a second time here.
    async fn create_key(&self, step: &Step, call: &Call) -> Result<Done, StepError> {
        let Target::Key { region, .. } = &call.target else { return Ok(Done::default()) };
        let began = self.clock.elapsed();
        let mut tries: u32 = 0;
        loop {
            let error = match self.send(call).await? {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            tries += 1;
            let spent = self.clock.elapsed().saturating_sub(began);
            let limit = match error.kind {
                ErrorKind::Throttled | ErrorKind::Conflict => Some(self.pace.call),
                ErrorKind::MalformedPolicy => error.may_be_new_principal().then_some(self.pace.principal),
                _ => None,
            };
            if matches!(error.kind, ErrorKind::Network | ErrorKind::Internal | ErrorKind::Unexpected)
                && let Some(intent) = &self.intent
                && let Some(arn) = self.find_key(region, intent.id).await?
            {
                return Ok(Done { key_arn: Some(arn), more: false });
            }
            self.again(step, tries, spent, limit, error).await?;
        }
    }

    async fn find_key(&self, region: &str, intent: Uuid) -> Result<Option<String>, CloudError> {
        let wanted = Wanted { key_intents: [(region.to_owned(), intent)].into(), ..Wanted::default() };
        let began = self.clock.elapsed();
        let mut tries = 0;
        loop {
            let live = read_in_run(self.cloud, self.clock, self.pace, &wanted).await?;
            if let Some(arn) = live.key_intents.get(&intent) {
                return Ok(Some(arn.clone()));
            }
            tries += 1;
            let wait = self.pace.wait(tries);
            let spent = self.clock.elapsed().saturating_sub(began);
            if spent + wait > self.pace.principal || (self.interrupted)() {
                return Ok(None);
            }
            self.clock.sleep(wait).await;
        }
    }

    /// S3 has no conditional put for policies: the policy is read right before each try, and overwritten only where it is
    /// what was planned, recorded, or put by this very approval. Shortly after a write an older one may still be read.
    async fn check_policy(&self, step: &Step, call: &Call) -> Result<(), StepError> {
        let began = self.clock.elapsed();
        let mut tries = 0;
        loop {
            match self.live_policy(call).await? {
                Some(live) if !self.may_replace(step, call, &live) => {}
                _ => return Ok(()),
            }
            tries += 1;
            let wait = self.pace.wait(tries);
            let spent = self.clock.elapsed().saturating_sub(began);
            if spent + wait > self.settle || (self.interrupted)() {
                return Err(StepError::PolicyChanged { address: policy_address(step) });
            }
            self.clock.sleep(wait).await;
        }
    }

    /// The policy of the bucket that a call is about, empty where it has none; `None` where there is no bucket (yet, or
    /// any more).
    async fn live_policy(&self, call: &Call) -> Result<Option<Policy>, StepError> {
        let Target::Bucket { name, .. } = &call.target else { return Ok(None) };
        let (aspect, request_id) = self.aspect(&call.target, Kind::BucketPolicy).await?;
        match aspect {
            Some(LiveAspect::Present(Attributes::Policy(policy))) => Ok(Some(policy)),
            Some(LiveAspect::Refused) => Err(StepError::from(CloudError {
                kind: ErrorKind::AccessDenied,
                operation: "GetBucketPolicy".to_owned(),
                iam_action: Some("s3:GetBucketPolicy".to_owned()),
                resource: name.clone(),
                code: None,
                status: Some(403),
                message: "it has to be read right before it is put".to_owned(),
                request_id,
                help: Vec::new(),
            })),
            Some(_) => Ok(Some(Policy::empty())),
            None => Ok(None),
        }
    }

    /// Whether this live policy may be replaced by what the call puts.
    fn may_replace(&self, step: &Step, call: &Call, live: &Policy) -> bool {
        let put = match &call.payload {
            Payload::Attributes(Attributes::Policy(policy)) => policy.clone(),
            _ => Policy::empty(),
        };
        match step.action {
            // Of a dying bucket every Deny stays: one that came since would be lost.
            Action::Delete if step.kind.is_root() => live.denies() == put,
            // Of a bucket that is left alone every other statement stays.
            Action::Forget => live.foreign() == put,
            _ => {
                let nothing = Policy::empty();
                let policy = |attributes: &Attributes| match attributes {
                    Attributes::Policy(policy) => Some(policy.clone()),
                    _ => None,
                };
                let planned = step.before.as_ref().and_then(policy).unwrap_or_else(|| nothing.clone());
                let recorded = self.known_policies.iter().filter_map(policy);
                *live == planned || *live == put || recorded.into_iter().any(|known| known == *live)
            }
        }
    }
}

fn deletes_bucket(step: &Step) -> bool {
    step.action == Action::Delete && step.kind == Kind::Bucket
}

fn policy_address(step: &Step) -> Address {
    step.address.root().aspect(Kind::BucketPolicy)
}

fn tried_for(tries: u32, spent: Duration, error: &CloudError) -> String {
    if tries < 2 {
        return String::new();
    }
    let why = match error.kind {
        ErrorKind::MalformedPolicy => ", because new roles take a while to be known",
        _ => "",
    };
    format!("; tried {tries} times over {:.1} s{why}", spent.as_secs_f64())
}
