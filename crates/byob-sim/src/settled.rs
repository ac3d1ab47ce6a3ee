//! What has to hold when all is quiet: nothing is left to do, and record and account agree.

use std::collections::BTreeSet;

use byob_model::address::RootKind;
use byob_model::kind::{BYOB_ADDRESS, BYOB_LINEAGE, KeyRef, KeyState};
use byob_model::recorded::Recorded;
use byob_plan::Plan;

use crate::world::Account;

/// What does not hold, in words. `plan`: the next one; `forgotten`: what is there and is to be left alone.
#[must_use]
pub fn unsettled(
    plan: &Plan,
    recorded: &Recorded,
    account: &Account,
    forgotten: &BTreeSet<String>,
) -> Vec<String> {
    let mut all = Vec::new();
    let mut demand = |good: bool, why: String| {
        if !good {
            all.push(why);
        }
    };
    let steps: Vec<&String> = plan.steps.iter().map(|s| &s.id).collect();
    demand(steps.is_empty(), format!("steps are left: {steps:?}"));
    demand(!plan.blocked(), format!("it is blocked: {:#?}", plan.findings));
    demand(plan.drift.is_empty(), format!("drift: {:#?}", plan.drift));
    demand(plan.already.is_empty(), format!("already: {:?}", plan.already));
    demand(plan.record.is_empty(), format!("not recorded: {:#?}", plan.record));
    demand(recorded.intents.is_empty(), format!("open intents: {:?}", recorded.intents));
    let finished = recorded.approval.as_ref().is_none_or(|approval| approval.finished);
    demand(finished, "the approval is open".to_owned());
    let identities = |kind: RootKind| -> BTreeSet<String> {
        recorded.roots().filter(|(a, _)| a.kind == kind).map(|(_, r)| r.identity.clone()).collect()
    };
    let alive = account.keys.iter().filter(|(_, key)| key.state != KeyState::PendingDeletion);
    let recorded_keys = identities(RootKind::Key);
    let expected =
        |one: &&String, known: &BTreeSet<String>| !forgotten.contains(*one) || known.contains(*one);
    let alive: BTreeSet<String> =
        alive.map(|(arn, _)| arn).filter(|arn| expected(arn, &recorded_keys)).cloned().collect();
    demand(recorded_keys == alive, format!("keys recorded {recorded_keys:?}, there {alive:?}"));
    let recorded_buckets = identities(RootKind::Bucket);
    let buckets: BTreeSet<String> =
        account.buckets.keys().filter(|name| expected(name, &recorded_buckets)).cloned().collect();
    demand(recorded_buckets == buckets, format!("buckets recorded {recorded_buckets:?}, there {buckets:?}"));
    for (address, root) in recorded.roots() {
        let bucket = account.buckets.get(&root.identity);
        let tags = match address.kind {
            RootKind::Bucket => bucket.map(|bucket| &bucket.tags),
            RootKind::Key => account.keys.get(&root.identity).map(|key| &key.tags),
        };
        if let Some(tags) = tags.filter(|_| root.created) {
            let lineage = recorded.lineage.map(|l| l.to_string());
            demand(tags.get(BYOB_ADDRESS) == Some(&address.to_string()), format!("{address}: {tags:?}"));
            demand(tags.get(BYOB_LINEAGE) == lineage.as_ref(), format!("{address}: {tags:?}"));
        }
        if let Some(KeyRef::Arn(arn)) = bucket.and_then(|bucket| bucket.encryption.kms_key.as_ref()) {
            demand(root.keys_used.contains(arn), format!("{address}: {arn} is not among the keys it used"));
        }
    }
    all
}
