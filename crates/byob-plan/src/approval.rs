//! Approvals: what somebody agreed to, and whether what is left to do is among it. After a crash a create may have become
//! an adopt and a before may have changed; what counts is that the same address gets the same document.

use byob_model::address::{Address, RootAddress};
use byob_model::call::{Operation, Target};
use byob_model::kind::{Attributes, KeyRef};
use byob_model::recorded::{Approval, ApprovedStep, Recorded};
use byob_policy::Document;
use serde_json::{Value, json};

use crate::canonical::digest;
use crate::finding::Rule;
use crate::plan::{Action, Plan, Put, Step};

/// What consent is about (`docs/plan-format.md`): wording, calls, counts, lineage, serial and byob's version are not in
/// it.
pub(crate) fn plan_digest(plan: &Plan) -> String {
    let steps: Vec<Value> = plan
        .steps
        .iter()
        .map(|s| {
            json!({
                "id": s.id, "address": s.address, "from": s.from, "action": s.action,
                "region": s.region, "account_id": s.account_id, "changes": s.changes,
                "identity": s.identity, "puts": s.puts,
            })
        })
        .collect();
    let findings: Vec<Value> = plan
        .findings
        .iter()
        .map(|f| json!({"rule": f.rule, "severity": f.severity, "address": f.address, "waived": f.waived}))
        .collect();
    digest(&json!({
        "digest_version": 2,
        "accounts": plan.accounts,
        "endpoint": plan.endpoint,
        "mode": plan.mode,
        "config_digest": plan.config_digest,
        "steps": steps,
        "drift": plan.drift,
        "findings": findings,
    }))
}

/// The approval that applying this plan opens.
#[must_use]
pub fn open(plan: &Plan) -> Approval {
    let steps = plan.steps.iter().map(|step| approved(plan, step)).collect();
    Approval { digest: plan.digest.clone(), steps, finished: false, target: plan.mode.target.clone() }
}

/// Takes the forms that this plan puts in between into an approval that goes on: then they are known as byob's own.
pub fn go_on(approval: &mut Approval, plan: &Plan) {
    let between = plan.steps.iter().filter(|step| step.phase == 1 && !among(step, approval));
    let between: Vec<ApprovedStep> = between.map(|step| approved(plan, step)).collect();
    approval.steps.extend(between);
}

fn approved(plan: &Plan, step: &Step) -> ApprovedStep {
    let root = step.address.root();
    let made = plan.steps.iter().any(|s| s.address == root.address() && s.action == Action::Create);
    ApprovedStep {
        identity: step.identity.clone().filter(|_| !made),
        address: step.address.clone(),
        from: step.from.clone(),
        document: step.document.clone(),
        action: step.action.as_str().to_owned(),
        calls: writes(step),
    }
}

/// What a step without a document writes, and to what.
fn writes(step: &Step) -> Vec<String> {
    let calls = step.calls.iter().filter(|_| step.document.is_null());
    calls
        .map(|call| {
            let Put { operation, document } = Put::of(call);
            match &call.target {
                Target::Bucket { name, .. } => written(operation, name, &document),
                Target::Key { key: KeyRef::Arn(arn), .. } => written(operation, arn, &document),
                Target::Key { key: KeyRef::Managed { arn_of }, .. } => {
                    written(operation, &arn_of.to_string(), &document)
                }
            }
        })
        .collect()
}

/// One write, as an approval keeps it: the operation, what it is about, and the digest of what it puts, if it puts anything.
fn written(operation: &str, on: &str, document: &Value) -> String {
    let put = if document.is_null() { String::new() } else { format!(" {}", digest(document)) };
    format!("{operation} {on}{put}")
}

/// Whether the last approval's calls put this bucket policy at a root, or (`None`) took it away.
pub(crate) fn put_policy(recorded: &Recorded, root: &RootAddress, policy: Option<&Document>) -> bool {
    let Some(bucket) = recorded.root(root) else { return false };
    let written = match policy {
        Some(policy) => written("PutBucketPolicy", &bucket.identity, &policy.canonical()),
        None => written("DeleteBucketPolicy", &bucket.identity, &Value::Null),
    };
    calls_at(recorded, root).any(|call| *call == written)
}

/// Whether the last approval's calls change the CORS rules of a root that leaves.
pub(crate) fn writes_cors(recorded: &Recorded, root: &RootAddress) -> bool {
    let operations = [Operation::PutBucketCors, Operation::DeleteBucketCors];
    calls_at(recorded, root)
        .any(|call| operations.iter().any(|operation| call.starts_with(operation.as_str())))
}

fn calls_at<'a>(recorded: &'a Recorded, root: &'a RootAddress) -> impl Iterator<Item = &'a String> {
    let steps = recorded.approval.iter().flat_map(|approval| &approval.steps);
    steps.filter(|step| step.address.root() == *root).flat_map(|step| &step.calls)
}

/// What an approved digest means for a plan made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The plan is the approved one.
    Approved,
    /// The approved one was begun, and what is left is among its steps.
    Resumed,
    /// The approved one was the last applied, and nothing is left to do.
    AlreadyApplied,
    /// Something else would happen now: the steps that were not approved.
    Stale(Vec<String>),
}

/// Judges `approve` against the plan made now and the last recorded approval.
#[must_use]
pub fn standing(plan: &Plan, approve: &str, last: Option<&Approval>) -> Standing {
    if plan.digest == approve {
        return Standing::Approved;
    }
    let stale = |approval: Option<&Approval>| {
        let steps = plan.steps.iter().filter(|step| !approval.is_some_and(|a| agreed(plan, step, a)));
        Standing::Stale(steps.map(|step| step.id.clone()).collect())
    };
    match last.filter(|approval| approval.digest == approve) {
        Some(approval) if approval.finished && plan.steps.is_empty() && !troubled(plan) => {
            Standing::AlreadyApplied
        }
        Some(approval)
            if !approval.finished
                && !plan.blocked()
                && plan.steps.iter().all(|s| agreed(plan, s, approval)) =>
        {
            Standing::Resumed
        }
        other => stale(other.filter(|approval| !approval.finished)),
    }
}

/// The forms that the open approval, if one is open, was to put at an address; keys symbolic.
pub(crate) fn open_forms<'a>(
    recorded: &'a Recorded,
    address: &'a Address,
) -> impl Iterator<Item = Attributes> + 'a {
    let open = recorded.approval.as_ref().filter(|approval| !approval.finished);
    open.into_iter()
        .flat_map(|approval| &approval.steps)
        .filter(move |step| step.address == *address)
        .filter_map(move |step| Attributes::from_value(address.kind, &step.document).ok())
}

/// Whether anything stands against saying that all is done. What `--recreate` names has not vanished any more.
fn troubled(plan: &Plan) -> bool {
    plan.findings.iter().any(|finding| finding.blocks() && finding.rule != Rule::NoSuchTarget)
}

/// Whether a step was agreed to: it is among the approval's, or the form on the way to one that is. (Within both its ends,
/// such a form gives nobody what the approved one does not; which forms there are hangs on what is left to do.)
fn agreed(plan: &Plan, step: &Step, approval: &Approval) -> bool {
    let leads_to =
        |last: &Step| last.address == step.address && last.phase > step.phase && among(last, approval);
    among(step, approval) || plan.steps.iter().any(leads_to)
}

/// Whether a step is among an approval's. One without a document is so by what it writes: a deletion of which a part is
/// done has less to write, and a thing that was to be left alone has nothing that may be written.
fn among(step: &Step, approval: &Approval) -> bool {
    let gone = |action: &str| action == Action::Delete.as_str() || action == Action::Forget.as_str();
    approval.steps.iter().any(|approved| {
        approved.address == step.address
            && approved.document == step.document
            // What stands there by now may be another one.
            && (approved.identity.is_none() || step.identity.is_none() || approved.identity == step.identity)
            && (!step.document.is_null()
                || (gone(&approved.action) == gone(step.action.as_str())
                    && writes(step).iter().all(|write| approved.calls.contains(write))))
    })
}
