//! A bucket's lifecycle rules.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration,
    LifecycleRule as AwsRule, LifecycleRuleAndOperator, LifecycleRuleFilter, NoncurrentVersionExpiration,
    NoncurrentVersionTransition, Tag, Transition as AwsTransition, TransitionDefaultMinimumObjectSize,
    TransitionStorageClass,
};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::error::operation::BuildError;
use byob_apply::{CloudError, ErrorKind};
use byob_model::kind::{
    Attributes, Expiration, Filter, Lifecycle, LifecycleRule, NoncurrentExpiration, NoncurrentTransition,
    OUR_RULE_PREFIX, Transition, is_system_tag,
};
use byob_model::live::LiveAspect;

use crate::bucket::At;

const PUT_ACTION: &str = "s3:PutLifecycleConfiguration";

pub(crate) async fn read(at: At<'_>) -> Result<LiveAspect, CloudError> {
    let (live, _) = live_rules(at).await?;
    if live.is_empty() {
        return Ok(LiveAspect::Absent);
    }
    let mut rules: Vec<LifecycleRule> = live.iter().map(from_aws).collect();
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(LiveAspect::Present(Attributes::Lifecycle(Lifecycle { rules, exclusive: true })))
}

/// Puts the rules; where they are not to be the only ones, everybody else's stay. The last rule is removed by deleting
/// the configuration. What AWS says about small objects is sent back as it was.
pub(crate) async fn put(at: At<'_>, wanted: &Lifecycle) -> Result<(), CloudError> {
    let about = at.about("PutBucketLifecycleConfiguration", PUT_ACTION);
    let ours = wanted.rules.iter().map(to_aws).collect::<Result<Vec<_>, _>>().map_err(about.unbuildable())?;
    let (live, minimum_size) = match live_rules(at).await {
        Ok(live) => live,
        Err(error) if error.kind == ErrorKind::NotFound => (Vec::new(), None),
        Err(error) => return Err(error),
    };
    let mut rules: Vec<AwsRule> = if wanted.exclusive { Vec::new() } else { others(live) };
    rules.extend(ours);
    if rules.is_empty() {
        return remove(at).await;
    }
    let configuration = BucketLifecycleConfiguration::builder()
        .set_rules(Some(rules))
        .build()
        .map_err(about.unbuildable())?;
    let request = at
        .s3_once()
        .put_bucket_lifecycle_configuration()
        .bucket(at.name)
        .expected_bucket_owner(at.owner)
        .set_transition_default_minimum_object_size(minimum_size)
        .lifecycle_configuration(configuration)
        .send();
    at.cloud.ask(about, request).await.map(drop)
}

pub(crate) async fn remove(at: At<'_>) -> Result<(), CloudError> {
    let request =
        at.s3_once().delete_bucket_lifecycle().bucket(at.name).expected_bucket_owner(at.owner).send();
    match at.ask("DeleteBucketLifecycle", PUT_ACTION, request).await {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
        answer => answer.map(drop),
    }
}

async fn live_rules(
    at: At<'_>,
) -> Result<(Vec<AwsRule>, Option<TransitionDefaultMinimumObjectSize>), CloudError> {
    let request =
        at.s3().get_bucket_lifecycle_configuration().bucket(at.name).expected_bucket_owner(at.owner).send();
    let answer = at.ask("GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration", request).await?;
    Ok((answer.rules.unwrap_or_default(), answer.transition_default_minimum_object_size))
}

fn others(live: Vec<AwsRule>) -> Vec<AwsRule> {
    live.into_iter().filter(|rule| !rule.id().is_some_and(|id| id.starts_with(OUR_RULE_PREFIX))).collect()
}

/// An empty prefix equals none; a rule's own prefix (the old form) is a filter; AWS's tags are not ours to compare.
pub(crate) fn from_aws(rule: &AwsRule) -> LifecycleRule {
    let mut transitions: Vec<Transition> = rule
        .transitions()
        .iter()
        .map(|transition| Transition {
            days: number(transition.days()),
            date: transition.date().and_then(day),
            storage_class: class(transition.storage_class()),
        })
        .collect();
    transitions.sort_by(|a, b| (a.days, &a.date, &a.storage_class).cmp(&(b.days, &b.date, &b.storage_class)));
    let mut noncurrent_version_transitions: Vec<NoncurrentTransition> = rule
        .noncurrent_version_transitions()
        .iter()
        .map(|transition| NoncurrentTransition {
            days: number(transition.noncurrent_days()).unwrap_or(0),
            newer_versions: number(transition.newer_noncurrent_versions()),
            storage_class: class(transition.storage_class()),
        })
        .collect();
    noncurrent_version_transitions
        .sort_by(|a, b| (a.days, &a.storage_class).cmp(&(b.days, &b.storage_class)));
    LifecycleRule {
        id: rule.id().unwrap_or_default().to_owned(),
        enabled: rule.status() == &ExpirationStatus::Enabled,
        filter: filter_from_aws(rule),
        abort_incomplete_multipart_upload_days: rule
            .abort_incomplete_multipart_upload()
            .and_then(|abort| number(abort.days_after_initiation())),
        expiration: rule.expiration().map(|expiration| Expiration {
            days: number(expiration.days()),
            date: expiration.date().and_then(day),
            expired_object_delete_marker: expiration.expired_object_delete_marker().unwrap_or(false),
        }),
        noncurrent_version_expiration: rule.noncurrent_version_expiration().map(|expiration| {
            NoncurrentExpiration {
                days: number(expiration.noncurrent_days()).unwrap_or(0),
                newer_versions: number(expiration.newer_noncurrent_versions()),
            }
        }),
        transitions,
        noncurrent_version_transitions,
    }
}

fn filter_from_aws(rule: &AwsRule) -> Filter {
    let filter = rule.filter();
    let and = filter.and_then(LifecycleRuleFilter::and);
    #[allow(deprecated, reason = "rules of the old form have their prefix here")]
    let old_prefix = rule.prefix();
    let prefix = filter
        .and_then(LifecycleRuleFilter::prefix)
        .or_else(|| and.and_then(LifecycleRuleAndOperator::prefix))
        .or(old_prefix)
        .filter(|prefix| !prefix.is_empty());
    let tags = filter
        .and_then(LifecycleRuleFilter::tag)
        .into_iter()
        .chain(and.map(LifecycleRuleAndOperator::tags).unwrap_or_default())
        .filter(|tag| !is_system_tag(tag.key()))
        .map(|tag| (tag.key().to_owned(), tag.value().to_owned()))
        .collect::<BTreeMap<_, _>>();
    Filter {
        prefix: prefix.map(str::to_owned),
        tags,
        object_size_greater_than: filter
            .and_then(LifecycleRuleFilter::object_size_greater_than)
            .or_else(|| and.and_then(LifecycleRuleAndOperator::object_size_greater_than)),
        object_size_less_than: filter
            .and_then(LifecycleRuleFilter::object_size_less_than)
            .or_else(|| and.and_then(LifecycleRuleAndOperator::object_size_less_than)),
    }
}

fn to_aws(rule: &LifecycleRule) -> Result<AwsRule, BuildError> {
    let expiration = rule
        .expiration
        .as_ref()
        .map(|expiration| {
            Ok::<_, BuildError>(
                LifecycleExpiration::builder()
                    .set_days(signed(expiration.days))
                    .set_date(midnight(expiration.date.as_deref())?)
                    // Given beside days or a date, AWS refuses it even as `false`.
                    .set_expired_object_delete_marker(expiration.expired_object_delete_marker.then_some(true))
                    .build(),
            )
        })
        .transpose()?;
    let transitions = rule
        .transitions
        .iter()
        .map(|transition| {
            Ok(AwsTransition::builder()
                .set_days(signed(transition.days))
                .set_date(midnight(transition.date.as_deref())?)
                .storage_class(TransitionStorageClass::from(transition.storage_class.as_str()))
                .build())
        })
        .collect::<Result<Vec<_>, BuildError>>()?;
    let noncurrent_transitions: Vec<_> = rule
        .noncurrent_version_transitions
        .iter()
        .map(|transition| {
            NoncurrentVersionTransition::builder()
                .set_noncurrent_days(signed(Some(transition.days)))
                .set_newer_noncurrent_versions(signed(transition.newer_versions))
                .storage_class(TransitionStorageClass::from(transition.storage_class.as_str()))
                .build()
        })
        .collect();
    AwsRule::builder()
        .id(&rule.id)
        .status(if rule.enabled { ExpirationStatus::Enabled } else { ExpirationStatus::Disabled })
        .filter(filter_to_aws(&rule.filter)?)
        .set_expiration(expiration)
        .set_abort_incomplete_multipart_upload(rule.abort_incomplete_multipart_upload_days.map(|days| {
            AbortIncompleteMultipartUpload::builder().set_days_after_initiation(signed(Some(days))).build()
        }))
        .set_noncurrent_version_expiration(rule.noncurrent_version_expiration.as_ref().map(|expiration| {
            NoncurrentVersionExpiration::builder()
                .set_noncurrent_days(signed(Some(expiration.days)))
                .set_newer_noncurrent_versions(signed(expiration.newer_versions))
                .build()
        }))
        .set_transitions((!transitions.is_empty()).then_some(transitions))
        .set_noncurrent_version_transitions(
            (!noncurrent_transitions.is_empty()).then_some(noncurrent_transitions),
        )
        .build()
}

/// A filter holds one criterion or one `And`; covering everything is an empty prefix.
fn filter_to_aws(filter: &Filter) -> Result<LifecycleRuleFilter, BuildError> {
    let mut tags = filter
        .tags
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect::<Result<Vec<_>, _>>()?;
    let criteria = usize::from(filter.prefix.is_some())
        + tags.len()
        + usize::from(filter.object_size_greater_than.is_some())
        + usize::from(filter.object_size_less_than.is_some());
    let built = LifecycleRuleFilter::builder();
    if criteria > 1 {
        let and = LifecycleRuleAndOperator::builder()
            .set_prefix(filter.prefix.clone())
            .set_tags((!tags.is_empty()).then_some(tags))
            .set_object_size_greater_than(filter.object_size_greater_than)
            .set_object_size_less_than(filter.object_size_less_than)
            .build();
        return Ok(built.and(and).build());
    }
    let prefix = if criteria == 0 { Some(String::new()) } else { filter.prefix.clone() };
    Ok(built
        .set_prefix(prefix)
        .set_tag(tags.pop())
        .set_object_size_greater_than(filter.object_size_greater_than)
        .set_object_size_less_than(filter.object_size_less_than)
        .build())
}

fn number(value: Option<i32>) -> Option<u32> {
    value.and_then(|value| u32::try_from(value).ok())
}

fn signed(value: Option<u32>) -> Option<i32> {
    value.map(|value| i32::try_from(value).unwrap_or(i32::MAX))
}

fn class(class: Option<&TransitionStorageClass>) -> String {
    class.map(TransitionStorageClass::as_str).unwrap_or_default().to_owned()
}

/// `2027-01-01` of midnight UTC of that day.
fn day(date: &DateTime) -> Option<String> {
    date.fmt(Format::DateTime).ok()?.get(..10).map(str::to_owned)
}

fn midnight(day: Option<&str>) -> Result<Option<DateTime>, BuildError> {
    day.map(|day| DateTime::from_str(&format!("{day}T00:00:00Z"), Format::DateTime))
        .transpose()
        .map_err(|error| BuildError::invalid_field("Date", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> LifecycleRule {
        LifecycleRule {
            id: "byob-all".into(),
            enabled: true,
            filter: Filter::default(),
            abort_incomplete_multipart_upload_days: Some(7),
            expiration: Some(Expiration {
                days: None,
                date: Some("2027-01-01".into()),
                expired_object_delete_marker: false,
            }),
            noncurrent_version_expiration: Some(NoncurrentExpiration { days: 30, newer_versions: Some(3) }),
            transitions: vec![Transition { days: Some(30), date: None, storage_class: "STANDARD_IA".into() }],
            noncurrent_version_transitions: vec![NoncurrentTransition {
                days: 60,
                newer_versions: None,
                storage_class: "GLACIER".into(),
            }],
        }
    }

    #[test]
    fn a_rule_survives_the_way_to_aws_and_back() {
        let tag = |key: &str| (key.to_owned(), "v".to_owned());
        for filter in [
            Filter::default(),
            Filter { prefix: Some("logs/".into()), ..Filter::default() },
            Filter { tags: [tag("a")].into(), ..Filter::default() },
            Filter { object_size_less_than: Some(5), ..Filter::default() },
            Filter {
                prefix: Some("x".into()),
                tags: [tag("a"), tag("b")].into(),
                object_size_greater_than: Some(1),
                object_size_less_than: Some(5),
            },
        ] {
            let rule = LifecycleRule { filter, ..rule() };
            assert_eq!(from_aws(&to_aws(&rule).unwrap()), rule);
        }
    }

    #[test]
    fn more_than_one_criterion_is_one_and() {
        let filter = Filter { prefix: Some("x".into()), object_size_less_than: Some(5), ..Filter::default() };
        let aws = filter_to_aws(&filter).unwrap();
        assert!(aws.prefix().is_none() && aws.object_size_less_than().is_none());
        assert_eq!(aws.and().unwrap().prefix(), Some("x"));
    }

    #[test]
    #[allow(deprecated, reason = "the old form is what is tested")]
    fn an_empty_prefix_is_none_and_a_rules_own_prefix_is_a_filter() {
        let built = || AwsRule::builder().id("x").status(ExpirationStatus::Enabled);
        assert_eq!(from_aws(&built().prefix("").build().unwrap()).filter, Filter::default());
        assert_eq!(from_aws(&built().prefix("old/").build().unwrap()).filter.prefix.as_deref(), Some("old/"));
        let empty = LifecycleRuleFilter::builder().prefix("").build();
        assert_eq!(from_aws(&built().filter(empty).build().unwrap()).filter, Filter::default());
    }

    #[test]
    fn awss_own_tags_are_no_part_of_a_filter() {
        let tag = |key: &str| Tag::builder().key(key).value("v").build().unwrap();
        let and = LifecycleRuleAndOperator::builder().tags(tag("aws:x")).tags(tag("mine")).build();
        let rule = AwsRule::builder()
            .id("x")
            .status(ExpirationStatus::Disabled)
            .filter(LifecycleRuleFilter::builder().and(and).build())
            .build()
            .unwrap();
        assert_eq!(from_aws(&rule).filter.tags.into_keys().collect::<Vec<_>>(), ["mine"]);
    }
}
