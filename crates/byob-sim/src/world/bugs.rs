//! Bugs that a test plants, to see that the simulation finds them. They stand in the simulation's own wrappers, never in what
//! is simulated.

use byob_model::address::Kind;
use byob_plan::Plan;

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
            for other in plan.steps.iter_mut().filter(|s| s.address.root() == root) {
                other.depends_on.retain(|id| *id != block);
            }
            plan.steps[policy].depends_on.push(policy_id);
        }
    }
}
