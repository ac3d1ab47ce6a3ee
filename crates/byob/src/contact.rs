//! What can be found out about rights before the first write: refused reads, listed all at once as one IAM statement to
//! paste; rights that the steps will need; principals that do not exist; a policy that would lock its own caller out.

use std::collections::{BTreeMap, BTreeSet};

use byob_apply::{Cloud, ErrorKind, Needed};
use byob_model::Kind;
use byob_model::call::{Call, Operation, Payload, Target};
use byob_model::kind::{Alias, Attributes, KeyRef};
use byob_model::live::{Live, LiveAspect, LiveBucket, LiveKey};
use byob_plan::Plan;
use byob_plan::lockout::{allows_by_name, locks_out, who_may_mend};
use serde_json::json;

use crate::failure::Failure;
use crate::session::Session;
use crate::terminal;

/// What stands above a statement to paste.
const GIVE: &str = "give the caller this statement, in an IAM policy of its own:";

/// An aspect that may not be read cannot be compared: all such rights, in one statement.
pub(crate) fn refuse_unread(live: &Live) -> Result<(), Failure> {
    let buckets = live.buckets.values().filter_map(|b| match b {
        LiveBucket::Exists(facts) => Some(&facts.aspects),
        _ => None,
    });
    let keys = live.keys.values().filter_map(|k| match k {
        LiveKey::Exists(facts) => Some(&facts.aspects),
        _ => None,
    });
    let unread = buckets.chain(keys).flat_map(|aspects| aspects.values()).any(|a| *a == LiveAspect::Refused);
    if !unread {
        return Ok(());
    }
    let details = live
        .refused
        .iter()
        .map(|r| {
            let id = r.request_id.as_ref().map(|id| format!(" (request {id})")).unwrap_or_default();
            format!("{} on {}{id}", r.iam_action, r.resource)
        })
        .collect();
    let actions: BTreeSet<&str> = live.refused.iter().map(|r| r.iam_action.as_str()).collect();
    let resources: BTreeSet<&str> = live.refused.iter().map(|r| r.resource.as_str()).collect();
    let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": resources });
    let text = serde_json::to_string_pretty(&statement).unwrap_or_default();
    Err(Failure::Said {
        message: "AWS refused reads that a comparison needs".into(),
        details,
        help: vec![GIVE.to_owned()],
        paste: text,
        code: 1,
    })
}

/// Who besides the account's root could change a policy again that the plan is to put. It depends on who asks, so it is
/// a note beside the plan, and neither finding nor part of the digest.
pub(crate) fn lockout_notes(session: &Session, plan: &Plan) -> Vec<String> {
    let mut notes = Vec::new();
    for step in plan.steps.iter().filter(|s| s.kind == Kind::BucketPolicy && !s.calls.is_empty()) {
        let Some(Attributes::Policy(policy)) = &step.after else { continue };
        for sentence in who_may_mend(&policy.document) {
            notes.push(format!("{}: {sentence}; the root user of the account always can", step.address));
        }
        if let Some(statement) = locks_out(&policy.document, &session.caller.arn) {
            notes.push(format!(
                "{}: {statement} would keep {} from changing this policy again; byob apply refuses to put it as that \
                 caller",
                step.address, session.caller.arn
            ));
        }
    }
    notes
}

/// The checks before the first write.
pub(crate) async fn before_first_write(session: &Session, plan: &Plan, live: &Live) -> Result<(), Failure> {
    for step in &plan.steps {
        if let Some(Attributes::Policy(policy)) = &step.after
            && !step.calls.is_empty()
            && step.kind == Kind::BucketPolicy
            && let Some(statement) = locks_out(&policy.document, &session.caller.arn)
        {
            return Err(Failure::said(
                format!(
                    "{}: {statement} would deny {} itself the reading, putting or deleting of this policy; nothing was written",
                    step.address, session.caller.arn
                ),
                "only the account's root user could mend that; leave the caller out of the Deny",
            ));
        }
    }
    rights(session, plan, live).await?;
    principals(session, plan).await
}

/// Asks IAM whether the caller may do what the steps need, where it may ask.
async fn rights(session: &Session, plan: &Plan, live: &Live) -> Result<(), Failure> {
    let named = resources_that_name(session, live);
    // IAM's simulation knows the caller's own policies; a bucket or key whose policy names the caller may give more.
    let needed: BTreeSet<Needed> = plan
        .steps
        .iter()
        .flat_map(|s| &s.calls)
        .flat_map(|c| needed(session, c))
        .filter(|n| !named.contains(n.resource.trim_end_matches("/*")))
        .collect();
    if needed.is_empty() {
        return Ok(());
    }
    let needed: Vec<Needed> = needed.into_iter().collect();
    match session.cloud.denied(&session.caller, &needed).await {
        Ok(denied) if denied.is_empty() => Ok(()),
        Ok(denied) => {
            let details = denied.iter().map(|d| format!("{} on {}", d.iam_action, d.resource)).collect();
            let actions: BTreeSet<&str> = denied.iter().map(|d| d.iam_action.as_str()).collect();
            let resources: BTreeSet<&str> = denied.iter().map(|d| d.resource.as_str()).collect();
            let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": resources });
            let text = serde_json::to_string_pretty(&statement).unwrap_or_default();
            Err(Failure::Said {
                message: format!(
                    "{} lacks rights that the steps need; nothing was written",
                    session.caller.arn
                ),
                details,
                help: vec![GIVE.to_owned()],
                paste: text,
                code: 1,
            })
        }
        Err(error) if may_not_ask(error.kind) => {
            terminal::note(
                "whether the caller has the rights for these steps could not be asked (iam:SimulatePrincipalPolicy); going on",
            );
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// ARNs of the buckets and keys whose live policy has an Allow for the caller by name.
fn resources_that_name(session: &Session, live: &Live) -> BTreeSet<String> {
    let caller = &session.caller.arn;
    let names = |aspect: Option<&LiveAspect>| match aspect {
        Some(LiveAspect::Present(Attributes::Policy(policy))) => allows_by_name(&policy.document, caller),
        _ => false,
    };
    let partition = session.partition();
    let buckets = live.buckets.iter().filter_map(|(name, bucket)| match bucket {
        LiveBucket::Exists(facts) if names(facts.aspects.get(&Kind::BucketPolicy)) => {
            Some(format!("arn:{partition}:s3:::{name}"))
        }
        _ => None,
    });
    let keys = live.keys.iter().filter_map(|(arn, key)| match key {
        LiveKey::Exists(facts) if names(facts.aspects.get(&Kind::KeyPolicy)) => Some(arn.clone()),
        _ => None,
    });
    buckets.chain(keys).collect()
}

/// Asking is a courtesy: an endpoint without IAM, or a caller without the right, goes on.
fn may_not_ask(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::AccessDenied
            | ErrorKind::Unsupported
            | ErrorKind::NotFound
            | ErrorKind::Invalid
            | ErrorKind::Internal
            | ErrorKind::Unexpected
    )
}

/// What a call needs beside its own action: `CreateKey` with tags is two rights, emptying a bucket is several.
fn needed(session: &Session, call: &Call) -> Vec<Needed> {
    let partition = session.partition();
    let resource = match &call.target {
        Target::Bucket { name, .. } => format!("arn:{partition}:s3:::{name}"),
        Target::Key { key: KeyRef::Arn(arn), .. } => arn.clone(),
        // A key that does not exist yet has no ARN to ask about; its alias has one, and needs the right as well.
        Target::Key { region, account_id, .. } => match (&call.operation, &call.payload) {
            (Operation::CreateKey, _) => "*".to_owned(),
            (
                Operation::CreateAlias,
                Payload::Alias { name } | Payload::Attributes(Attributes::Alias(Alias { name })),
            ) => format!("arn:{partition}:kms:{region}:{account_id}:{name}"),
            _ => return Vec::new(),
        },
    };
    let action = call.operation.iam_action();
    let rights: Vec<(&str, String)> = match call.operation {
        Operation::CreateKey => vec![(action, resource.clone()), ("kms:TagResource", resource)],
        Operation::DeleteObjects => vec![
            (action, format!("{resource}/*")),
            ("s3:DeleteObject", format!("{resource}/*")),
            ("s3:AbortMultipartUpload", format!("{resource}/*")),
        ],
        _ => vec![(action, resource)],
    };
    rights.into_iter().map(|(action, resource)| Needed { iam_action: action.to_owned(), resource }).collect()
}

/// A principal of one's own account that does not exist would make AWS refuse the policy after a minute of trying.
async fn principals(session: &Session, plan: &Plan) -> Result<(), Failure> {
    let mut named: BTreeMap<String, String> = BTreeMap::new();
    let own = format!(":{}:", session.caller.account_id);
    for step in &plan.steps {
        let Some(Attributes::Policy(policy)) = &step.after else { continue };
        for statement in &policy.document.statements {
            let arns = statement.principal.iter().filter_map(|p| p.principals().0.get("AWS")).flatten();
            for arn in
                arns.filter(|arn| arn.contains(&own) && arn.contains(":iam:") && !arn.ends_with(":root"))
            {
                named.entry(arn.clone()).or_insert_with(|| step.address.to_string());
            }
        }
    }
    for (arn, address) in named {
        match session.cloud.principal_exists(&arn).await {
            Ok(true) => {}
            Ok(false) => {
                return Err(Failure::said(
                    format!(
                        "{address} names {arn}, which does not exist in this account; nothing was written"
                    ),
                    "correct it in byob.toml (`principals`, `managers` or a statement), or create it first",
                ));
            }
            Err(error) if may_not_ask(error.kind) => {
                terminal::note(
                    "whether the named principals exist could not be asked (iam:GetRole); going on",
                );
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
