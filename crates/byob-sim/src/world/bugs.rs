//! Bugs that a test plants, to see that the simulation finds them. They stand in the simulation's own wrappers, never in what
//! is simulated.

use std::collections::BTreeSet;

use byob_model::address::Kind;
use byob_model::kind::{Attributes, Bucket, Purpose, Waivers};
use byob_model::recorded::{Recorded, RecordedResource};
use byob_plan::Plan;
use byob_state::Entry;

/// Which are planted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bugs {
    /// What is to be created is recorded before the call that creates it.
    pub state_before_call: bool,
    /// The lock's lease is not renewed, and its owner goes on as if it were.
    pub lock_not_renewed: bool,
    /// A bucket's policy is put before its public access block.
    pub policy_before_block: bool,
}

impl Bugs {
    /// What is recorded before it is so, where the bug is planted: the buckets that are to be made.
    pub(super) fn too_early(self, recorded: &Recorded) -> Vec<Entry> {
        let planted = recorded.intents.iter().filter(|_| self.state_before_call);
        let new = planted.filter(|intent| recorded.root(&intent.address).is_none());
        new.filter_map(|intent| {
            let bucket = Bucket {
                name: intent.name.clone()?,
                region: intent.region.clone(),
                purpose: Purpose::Storage,
                protect: true,
                force_destroy: false,
                waivers: Waivers::new(),
            };
            let resource = RecordedResource {
                kind: Kind::Bucket,
                account_id: intent.account_id.clone(),
                region: intent.region.clone(),
                identity: bucket.name.clone(),
                attributes: Attributes::Bucket(bucket).to_value(),
                created: true,
                name_prefix: None,
                keys_used: BTreeSet::new(),
                versioning_seen: false,
            };
            Some(Entry::Put { address: intent.address.address(), resource })
        })
        .collect()
    }

    /// Turns round what a plan says of policies and blocks, where the bug is planted.
    pub fn turn_round(self, plan: &mut Plan) {
        if !self.policy_before_block {
            return;
        }
        let is = |kind: Kind| move |step: &&byob_plan::Step| step.kind == kind && !step.calls.is_empty();
        let blocks: Vec<_> = plan
            .steps
            .iter()
            .filter(is(Kind::PublicAccessBlock))
            .map(|s| (s.id.clone(), s.address.root()))
            .collect();
        for (block, root) in blocks {
            let Some(policy) = plan.steps.iter().rposition(|s| {
                s.kind == Kind::BucketPolicy && s.address.root() == root && !s.calls.is_empty()
            }) else {
                continue;
            };
            let Some(at) = plan.steps.iter().position(|s| s.id == block) else { continue };
            if at > policy {
                continue;
            }
            let step = plan.steps.remove(at);
            plan.steps.insert(policy, step);
            let policy_id = plan.steps[policy - 1].id.clone();
            for other in &mut plan.steps {
                other.depends_on.retain(|id| *id != block);
            }
            plan.steps[policy].depends_on.push(policy_id);
        }
    }
}
