//! One step: its calls, in order, each tried as long as AWS asks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use byob_model::address::{Address, Kind, RootAddress};
use byob_model::call::{Call, Operation, Payload, Target};
use byob_model::kind::{Attributes, BYOB_INTENT, BYOB_LINEAGE, Encryption, KeyRef};
use byob_model::live::{BucketFacts, LiveAspect, LiveBucket, Wanted, WantedBucket};
use byob_model::recorded::Intent;
use byob_plan::event::Event;
use byob_plan::plan::{Action, Step};
use uuid::Uuid;

use crate::cloud::{Clock, Cloud, CloudError, Done, ErrorKind};
use crate::error::StepError;
use crate::pace::Pace;

/// What a step needs beside itself, as it was when the step began.
pub(crate) struct StepContext<'a, C, K> {
    pub cloud: &'a C,
    pub clock: &'a K,
    pub pace: Pace,
    pub lineage: Uuid,
    /// The open intent of this step's root.
    pub intent: Option<Intent>,
    /// Whether byob created this root (or is creating it): then its tags carry the proof.
    pub created: bool,
    /// The root was made in this very run: what AWS does not know yet, it will know soon.
    pub fresh: bool,
    /// ARNs of the keys of this configuration.
    pub arns: BTreeMap<RootAddress, String>,
    /// Live policies that may be overwritten besides the planned one: the recorded and the approved forms.
    pub known_policies: Vec<Attributes>,
    pub emit: &'a dyn Fn(Event),
}

impl<C: Cloud, K: Clock> StepContext<'_, C, K> {
    /// Makes the step's calls. Returns the ARN of a key it created.
    pub(crate) async fn perform(&self, step: &Step) -> Result<Option<String>, StepError> {
        let mut arn = None;
        for call in &step.calls {
            let call = self.complete(call)?;
            let done = match call.operation {
                Operation::CreateBucket => self.create_bucket(step, &call).await?,
                Operation::CreateKey => self.create_key(step, &call).await?,
                Operation::PutBucketPolicy | Operation::DeleteBucketPolicy => {
                    if !self.fresh && step.action != Action::Delete {
                        self.check_policy(step, &call).await?;
                    }
                    self.tried(step, &call).await?
                }
                _ => self.tried(step, &call).await?,
            };
            arn = done.key_arn.or(arn);
        }
        Ok(arn)
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

    /// Tries a call that can be repeated.
    async fn tried(&self, step: &Step, call: &Call) -> Result<Done, StepError> {
        let began = self.clock.elapsed();
        let mut tries: u32 = 0;
        loop {
            let error = match self.cloud.perform(call).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            tries += 1;
            let spent = self.clock.elapsed().saturating_sub(began);
            let wait = self.pace.wait(tries);
            match self.patience(call, &error) {
                Some(limit) if spent + wait <= limit => {
                    (self.emit)(Event::Retrying {
                        step: step.id.clone(),
                        address: step.address.clone(),
                        why: error.to_string(),
                    });
                    self.clock.sleep(wait).await;
                }
                _ => return Err(StepError::Cloud { tried: tried_for(tries, spent, &error), error }),
            }
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
            ErrorKind::NoSuchBucket | ErrorKind::NotFound if call.operation == Operation::DeleteBucket => {
                None
            }
            // Right after a create, and while its news travels.
            ErrorKind::NoSuchBucket => Some(self.pace.call),
            ErrorKind::NotFound if fresh_key => Some(self.pace.call),
            // A principal that AWS does not know may be new.
            ErrorKind::MalformedPolicy => Some(self.pace.principal),
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
        loop {
            match self.look(name, region).await? {
                LiveBucket::Absent => {}
                LiveBucket::Exists(facts) if self.proves_itself(&facts) => return Ok(Done::default()),
                LiveBucket::Exists(_) | LiveBucket::Forbidden { .. } => {
                    return Err(StepError::NotOurs { name: name.clone() });
                }
            }
            let error = match self.cloud.perform(call).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            tries += 1;
            let spent = self.clock.elapsed().saturating_sub(began);
            let wait = self.pace.wait(tries);
            let again = match error.kind {
                // A lost answer, or one's own create answered late: the next look decides.
                ErrorKind::AlreadyOwned | ErrorKind::Network => true,
                ErrorKind::Conflict | ErrorKind::Throttled | ErrorKind::Internal => true,
                _ => false,
            };
            if !again || spent + wait > self.pace.call {
                return Err(StepError::Cloud { tried: tried_for(tries, spent, &error), error });
            }
            (self.emit)(Event::Retrying {
                step: step.id.clone(),
                address: step.address.clone(),
                why: error.to_string(),
            });
            self.clock.sleep(wait).await;
        }
    }

    async fn look(&self, name: &str, region: &str) -> Result<LiveBucket, CloudError> {
        let bucket = WantedBucket {
            region: region.to_owned(),
            aspects: BTreeSet::from([Kind::BucketPolicy]),
            contents: true,
            brief: false,
            recorded: false,
        };
        let wanted = Wanted { buckets: [(name.to_owned(), bucket)].into(), ..Wanted::default() };
        let live = self.cloud.read(&wanted).await?;
        Ok(live.buckets.get(name).cloned().unwrap_or(LiveBucket::Absent))
    }

    /// Made under this intent: its tag, or nothing in it at all.
    fn proves_itself(&self, facts: &BucketFacts) -> bool {
        let Some(intent) = &self.intent else { return false };
        let bare =
            facts.tags.is_empty() && facts.has_policy == Some(false) && facts.holds_data == Some(false);
        facts.tags.get(BYOB_INTENT) == Some(&intent.id.to_string()) || bare
    }

    /// `CreateKey` has no idempotency token: after a lost answer the key is looked for by its intent tag, and never
    /// made a second time here.
    async fn create_key(&self, step: &Step, call: &Call) -> Result<Done, StepError> {
        let Target::Key { region, .. } = &call.target else { return Ok(Done::default()) };
        let began = self.clock.elapsed();
        let mut tries: u32 = 0;
        loop {
            let error = match self.cloud.perform(call).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            tries += 1;
            let spent = self.clock.elapsed().saturating_sub(began);
            let wait = self.pace.wait(tries);
            let limit = match error.kind {
                ErrorKind::Throttled | ErrorKind::Conflict => Some(self.pace.call),
                ErrorKind::MalformedPolicy => Some(self.pace.principal),
                _ => None,
            };
            if matches!(error.kind, ErrorKind::Network | ErrorKind::Internal | ErrorKind::Unexpected)
                && let Some(intent) = &self.intent
                && let Some(arn) = self.find_key(region, intent.id).await?
            {
                return Ok(Done { key_arn: Some(arn) });
            }
            match limit {
                Some(limit) if spent + wait <= limit => {
                    (self.emit)(Event::Retrying {
                        step: step.id.clone(),
                        address: step.address.clone(),
                        why: error.to_string(),
                    });
                    self.clock.sleep(wait).await;
                }
                _ => return Err(StepError::Cloud { tried: tried_for(tries, spent, &error), error }),
            }
        }
    }

    async fn find_key(&self, region: &str, intent: Uuid) -> Result<Option<String>, CloudError> {
        let wanted = Wanted { key_intents: [(region.to_owned(), intent)].into(), ..Wanted::default() };
        let began = self.clock.elapsed();
        let mut tries = 0;
        loop {
            let live = self.cloud.read(&wanted).await?;
            if let Some(arn) = live.key_intents.get(&intent) {
                return Ok(Some(arn.clone()));
            }
            tries += 1;
            let wait = self.pace.wait(tries);
            if self.clock.elapsed().saturating_sub(began) + wait > self.pace.principal {
                return Ok(None);
            }
            self.clock.sleep(wait).await;
        }
    }

    /// S3 has no conditional put for policies: the policy is read right before, and overwritten only where it is what
    /// was planned, recorded, or put by this very approval.
    async fn check_policy(&self, step: &Step, call: &Call) -> Result<(), StepError> {
        let Target::Bucket { name, region, .. } = &call.target else { return Ok(()) };
        let bucket = WantedBucket {
            region: region.clone(),
            aspects: BTreeSet::from([Kind::BucketPolicy]),
            contents: false,
            brief: true,
            recorded: false,
        };
        let wanted = Wanted { buckets: [(name.clone(), bucket)].into(), ..Wanted::default() };
        let live = self.cloud.read(&wanted).await?;
        let live = match live.buckets.get(name) {
            Some(LiveBucket::Exists(facts)) => match facts.aspects.get(&Kind::BucketPolicy) {
                Some(LiveAspect::Present(attributes)) => Some(attributes.clone()),
                _ => None,
            },
            _ => None,
        };
        let Some(live) = live.filter(|l| !l.is_empty()) else { return Ok(()) };
        let planned = step.before.iter().filter(|_| step.kind == Kind::BucketPolicy);
        if planned.chain(&self.known_policies).any(|known| *known == live) || step.action == Action::Forget {
            return Ok(());
        }
        Err(StepError::PolicyChanged { address: policy_address(step) })
    }
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
