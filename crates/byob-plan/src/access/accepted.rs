//! Access under `--refresh-only`: recorded against live. Nothing changes in AWS; who holds more than the record says is what
//! the plan accepts.

use byob_model::address::{Kind, RootKind};
use byob_model::kind::{Attributes, KeyState, Ownership, Policy};
use byob_policy::Document;

use super::ends::{BucketEnds, KeyEnds, NO_BLOCK, leaves_key, live_bucket, live_key};
use super::judge::Judge;
use super::{Access, AccessVerdict, Ends};
use crate::compare::Planner;
use crate::plan::Drift;

impl Planner<'_> {
    pub(super) fn accepted_access(&self) -> (Vec<Access>, AccessVerdict, Vec<Ends>) {
        let mut all = Vec::new();
        let mut judge = Judge::new(&self.desired.account_id);
        for (root, recorded) in self.recorded.roots() {
            if !self.is_selected(&root) {
                judge.unchecked.left_out();
                continue;
            }
            let accepted: Vec<&Drift> =
                self.drift.iter().filter(|drift| drift.address.root() == root).collect();
            let kinds = |kind: Kind| accepted.iter().any(|drift| drift.address.kind == kind);
            match root.kind {
                RootKind::Bucket => {
                    let Some(after) = live_bucket(self.live.buckets.get(&recorded.identity)) else {
                        continue;
                    };
                    let mut before = after.clone();
                    for drift in &accepted {
                        match (drift.address.kind, &drift.before) {
                            (Kind::BucketPolicy, side) => before.policy = Some(document(side.as_ref())),
                            (Kind::PublicAccessBlock, Some(Attributes::PublicAccessBlock(block))) => {
                                before.block = Some(*block);
                            }
                            (Kind::PublicAccessBlock, _) => before.block = Some(NO_BLOCK),
                            (Kind::Ownership, Some(Attributes::Ownership(ownership))) => {
                                before.acls_off = Some(ownership.object_ownership == Ownership::ENFORCED);
                            }
                            _ => {}
                        }
                    }
                    let ends = BucketEnds {
                        address: &root,
                        name: &recorded.identity,
                        before: Some(before),
                        after: Some(after),
                        desired: self.desired.roots.contains_key(&root),
                        writes_policy: kinds(Kind::BucketPolicy),
                        writes_block: kinds(Kind::PublicAccessBlock),
                        writes_ownership: kinds(Kind::Ownership),
                        leaves_key: accepted.iter().any(|drift| leaves_key(drift)),
                    };
                    judge.bucket(&ends);
                    all.push(ends.into());
                }
                RootKind::Key => {
                    let Some(after) = live_key(self.live.keys.get(&recorded.identity)) else { continue };
                    let mut before = after.clone();
                    for drift in &accepted {
                        match &drift.before {
                            Some(Attributes::Policy(policy)) => before.policy = Some(policy.document.clone()),
                            Some(Attributes::Key(key)) => before.enabled = key.state == KeyState::Enabled,
                            _ => {}
                        }
                    }
                    let ends =
                        KeyEnds { address: &root, partition: None, before: Some(before), after: Some(after) };
                    judge.key(&ends);
                    all.push(ends.into());
                }
            }
        }
        let (access, verdict) = judge.end();
        (access, verdict, all)
    }
}

fn document(side: Option<&Attributes>) -> Document {
    match side {
        Some(Attributes::Policy(policy)) => policy.document.clone(),
        _ => Policy::empty().document,
    }
}
