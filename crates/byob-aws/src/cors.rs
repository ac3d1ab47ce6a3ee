//! A bucket's CORS rules.

use std::collections::BTreeSet;

use aws_sdk_s3::types::{CorsConfiguration, CorsRule as AwsRule};
use byob_apply::{CloudError, ErrorKind};
use byob_model::kind::{Attributes, Cors, CorsRule, OUR_CORS_RULE};
use byob_model::live::LiveAspect;

use crate::bucket::At;

const PUT_ACTION: &str = "s3:PutBucketCORS";

pub(crate) async fn read(at: At<'_>) -> Result<LiveAspect, CloudError> {
    let rules: Vec<CorsRule> = live_rules(at).await?.iter().map(from_aws).collect();
    if rules.is_empty() {
        return Ok(LiveAspect::Absent);
    }
    Ok(LiveAspect::Present(Attributes::Cors(Cors { rules, exclusive: true })))
}

/// Puts the rules. Where they are not to be the only ones, everybody else's stay as and where they are.
pub(crate) async fn put(at: At<'_>, wanted: &Cors) -> Result<(), CloudError> {
    let about = at.about("PutBucketCors", PUT_ACTION);
    let ours = wanted.rules.iter().map(to_aws).collect::<Result<Vec<_>, _>>().map_err(about.unbuildable())?;
    let rules = if wanted.exclusive {
        ours
    } else {
        match live_rules(at).await {
            Ok(live) => merge(live, ours),
            Err(error) if error.kind == ErrorKind::NotFound => ours,
            Err(error) => return Err(error),
        }
    };
    if rules.is_empty() {
        return remove(at).await;
    }
    let configuration =
        CorsConfiguration::builder().set_cors_rules(Some(rules)).build().map_err(about.unbuildable())?;
    let request = at
        .s3_once()
        .put_bucket_cors()
        .bucket(at.name)
        .expected_bucket_owner(at.owner)
        .cors_configuration(configuration)
        .send();
    at.cloud.ask(about, request).await.map(drop)
}

pub(crate) async fn remove(at: At<'_>) -> Result<(), CloudError> {
    let request = at.s3_once().delete_bucket_cors().bucket(at.name).expected_bucket_owner(at.owner).send();
    match at.ask("DeleteBucketCors", PUT_ACTION, request).await {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
        answer => answer.map(drop),
    }
}

async fn live_rules(at: At<'_>) -> Result<Vec<AwsRule>, CloudError> {
    let request = at.s3().get_bucket_cors().bucket(at.name).expected_bucket_owner(at.owner).send();
    let answer = at.ask("GetBucketCors", "s3:GetBucketCORS", request).await?;
    Ok(answer.cors_rules.unwrap_or_default())
}

/// Our rules take the place of the one that was ours, else the last place: the first rule that matches counts.
fn merge(live: Vec<AwsRule>, mut ours: Vec<AwsRule>) -> Vec<AwsRule> {
    let mut merged = Vec::with_capacity(live.len() + ours.len());
    for rule in live {
        if rule.id() == Some(OUR_CORS_RULE) {
            merged.append(&mut ours);
        } else {
            merged.push(rule);
        }
    }
    merged.append(&mut ours);
    merged
}

pub(crate) fn from_aws(rule: &AwsRule) -> CorsRule {
    let set = |values: &[String]| values.iter().cloned().collect::<BTreeSet<_>>();
    CorsRule {
        id: rule.id().filter(|id| !id.is_empty()).map(str::to_owned),
        allowed_origins: set(rule.allowed_origins()),
        allowed_methods: set(rule.allowed_methods()),
        allowed_headers: set(rule.allowed_headers()),
        expose_headers: set(rule.expose_headers()),
        max_age_seconds: rule.max_age_seconds().and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(0),
    }
}

fn to_aws(rule: &CorsRule) -> Result<AwsRule, aws_smithy_types::error::operation::BuildError> {
    let list =
        |values: &BTreeSet<String>| (!values.is_empty()).then(|| values.iter().cloned().collect::<Vec<_>>());
    AwsRule::builder()
        .set_id(rule.id.clone())
        .set_allowed_origins(list(&rule.allowed_origins))
        .set_allowed_methods(list(&rule.allowed_methods))
        .set_allowed_headers(list(&rule.allowed_headers))
        .set_expose_headers(list(&rule.expose_headers))
        .set_max_age_seconds(
            (rule.max_age_seconds > 0).then(|| i32::try_from(rule.max_age_seconds).unwrap_or(i32::MAX)),
        )
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: Option<&str>, origin: &str) -> AwsRule {
        AwsRule::builder()
            .set_id(id.map(str::to_owned))
            .allowed_origins(origin)
            .allowed_methods("GET")
            .build()
            .unwrap()
    }

    #[test]
    fn lists_are_sets_and_a_missing_age_is_zero() {
        let live = AwsRule::builder()
            .allowed_origins("b")
            .allowed_origins("a")
            .allowed_methods("PUT")
            .allowed_methods("GET")
            .build()
            .unwrap();
        let rule = from_aws(&live);
        assert_eq!(rule.allowed_origins.iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(rule.max_age_seconds, 0);
        assert_eq!(rule.id, None);
        assert_eq!(from_aws(&to_aws(&rule).unwrap()), rule);
    }

    #[test]
    fn our_rule_takes_its_own_place_beside_others_rules() {
        let live = vec![rule(Some("a"), "a"), rule(Some(OUR_CORS_RULE), "old"), rule(None, "z")];
        let merged = merge(live, vec![rule(Some(OUR_CORS_RULE), "new")]);
        let origins: Vec<_> = merged.iter().flat_map(|rule| rule.allowed_origins().to_vec()).collect();
        assert_eq!(origins, ["a", "new", "z"]);
        let merged = merge(vec![rule(Some("a"), "a")], vec![rule(Some(OUR_CORS_RULE), "new")]);
        assert_eq!(merged.len(), 2);
        assert!(merge(vec![rule(Some(OUR_CORS_RULE), "old")], Vec::new()).is_empty());
    }
}
