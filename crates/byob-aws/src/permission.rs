//! What can be asked before the first write: whether the caller may make it, and whether a principal exists.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{EvaluationResult, PolicyEvaluationDecisionType};
use byob_apply::cloud::Needed;
use byob_apply::{Caller, CloudError, ErrorKind};

use crate::cloud::AwsCloud;
use crate::error::About;

/// How many resources one question names.
const BATCH: usize = 50;

/// Which of these the caller's own policies do not allow. The account's root user is not asked about: it may all.
pub(crate) async fn denied(
    cloud: &AwsCloud,
    caller: &Caller,
    needed: &[Needed],
) -> Result<Vec<Needed>, CloudError> {
    let about = About {
        operation: "SimulatePrincipalPolicy",
        iam_action: "iam:SimulatePrincipalPolicy",
        resource: &caller.arn,
    };
    let Some(source) = source_of(cloud, caller).await? else { return Ok(Vec::new()) };
    // IAM answers for every action on every resource of a question, so what needs the same is asked together.
    let mut actions_of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for one in needed {
        actions_of.entry(&one.resource).or_default().insert(&one.iam_action);
    }
    let mut resources_of: BTreeMap<BTreeSet<&str>, Vec<&str>> = BTreeMap::new();
    for (resource, actions) in actions_of {
        resources_of.entry(actions).or_default().push(resource);
    }
    let mut denied = Vec::new();
    for (actions, resources) in &resources_of {
        for batch in resources.chunks(BATCH) {
            let mut marker = None;
            loop {
                let request = cloud
                    .iam()
                    .simulate_principal_policy()
                    .policy_source_arn(&source)
                    .set_action_names(Some(actions.iter().map(|&action| action.to_owned()).collect()))
                    .set_resource_arns(Some(batch.iter().map(|&resource| resource.to_owned()).collect()))
                    .set_marker(marker)
                    .send();
                let page = cloud.ask(about, request).await?;
                denied.extend(page.evaluation_results().iter().flat_map(|result| refusals(result, batch)));
                marker = page.marker().filter(|_| page.is_truncated()).map(str::to_owned);
                if marker.is_none() {
                    break;
                }
            }
        }
    }
    denied.sort();
    denied.dedup();
    denied.retain(|refused| needed.iter().any(|one| one == refused));
    Ok(denied)
}

fn refusals(result: &EvaluationResult, asked: &[&str]) -> Vec<Needed> {
    let needed = |resource: &str| Needed {
        iam_action: result.eval_action_name().to_owned(),
        resource: resource.to_owned(),
    };
    let refused =
        |decision: &PolicyEvaluationDecisionType| decision != &PolicyEvaluationDecisionType::Allowed;
    let specific = result.resource_specific_results();
    if !specific.is_empty() {
        return specific
            .iter()
            .filter(|one| refused(one.eval_resource_decision()))
            .map(|one| needed(one.eval_resource_name()))
            .collect();
    }
    if !refused(result.eval_decision()) {
        return Vec::new();
    }
    match result.eval_resource_name() {
        Some(resource) if asked.contains(&resource) => vec![needed(resource)],
        _ => asked.iter().map(|resource| needed(resource)).collect(),
    }
}

/// The user or role whose policies are asked about; `None` for the root user.
async fn source_of(cloud: &AwsCloud, caller: &Caller) -> Result<Option<String>, CloudError> {
    if caller.arn.ends_with(":root") {
        return Ok(None);
    }
    let Some((partition, role)) = assumed_role(&caller.arn) else { return Ok(Some(caller.arn.clone())) };
    let about = About { operation: "GetRole", iam_action: "iam:GetRole", resource: &caller.arn };
    // The session's ARN leaves out the role's path; only IAM knows it.
    match cloud.ask(about, cloud.iam().get_role().role_name(role).send()).await {
        Ok(answer) => {
            let known = answer.role().map(|role| role.arn().to_owned());
            Ok(known.or_else(|| Some(format!("arn:{partition}:iam::{}:role/{role}", caller.account_id))))
        }
        Err(error)
            if matches!(
                error.kind,
                ErrorKind::AccessDenied | ErrorKind::NotFound | ErrorKind::Unsupported
            ) =>
        {
            Ok(Some(format!("arn:{partition}:iam::{}:role/{role}", caller.account_id)))
        }
        Err(error) => Err(error),
    }
}

/// Partition and role name of `arn:aws:sts::123456789012:assumed-role/Admin/session`.
fn assumed_role(arn: &str) -> Option<(&str, &str)> {
    let (partition, rest) = arn.strip_prefix("arn:")?.split_once(":sts::")?;
    let (_, session) = rest.split_once(":assumed-role/")?;
    Some((partition, session.split('/').next()?))
}

/// Whether a role or user of the caller's own account exists; anything else is taken to.
pub(crate) async fn principal_exists(cloud: &AwsCloud, arn: &str) -> Result<bool, CloudError> {
    let Some((_, resource)) = arn.split_once(":iam::").and_then(|(_, rest)| rest.split_once(':')) else {
        return Ok(true);
    };
    let name = resource.rsplit('/').next().unwrap_or(resource);
    let found = if resource.starts_with("role/") {
        let about = About { operation: "GetRole", iam_action: "iam:GetRole", resource: arn };
        let answer = cloud.ask(about, cloud.iam().get_role().role_name(name).send()).await;
        answer.map(|answer| answer.role().map(|role| role.arn().to_owned()))
    } else if resource.starts_with("user/") {
        let about = About { operation: "GetUser", iam_action: "iam:GetUser", resource: arn };
        let answer = cloud.ask(about, cloud.iam().get_user().user_name(name).send()).await;
        answer.map(|answer| answer.user().map(|user| user.arn().to_owned()))
    } else {
        return Ok(true);
    };
    match found {
        // A name is unique, its path is not part of it: with another path it is another ARN.
        Ok(found) => Ok(found.as_deref() == Some(arn)),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sessions_arn_names_its_role() {
        assert_eq!(
            assumed_role("arn:aws-cn:sts::123456789012:assumed-role/Admin/me@example.com"),
            Some(("aws-cn", "Admin"))
        );
        assert_eq!(assumed_role("arn:aws:iam::123456789012:user/me"), None);
    }
}
