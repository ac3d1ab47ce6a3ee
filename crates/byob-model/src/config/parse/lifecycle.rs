//! `lifecycle`: general rules, as [`LifecycleRule`] spells them.
//!
//! Source: S3 API reference, "LifecycleRule", "Transition"; S3 user guide, "Lifecycle configuration elements".

use std::ops::RangeInclusive;

use super::reader::{Field, Report, Table};
use super::{shape, tags};
use crate::kind::{
    Expiration, Filter, LifecycleRule, NoncurrentExpiration, NoncurrentTransition, OUR_RULE_PREFIX,
    Transition,
};

const MAX_RULES: usize = 1_000;
const DAYS: RangeInclusive<u32> = 1..=u32::MAX;
const NEWER_VERSIONS: RangeInclusive<u32> = 1..=100;
/// Storage classes that objects move to, with the least age in days.
const STORAGE_CLASSES: [(&str, (&str, u32)); 6] = [
    ("STANDARD_IA", ("STANDARD_IA", 30)),
    ("ONEZONE_IA", ("ONEZONE_IA", 30)),
    ("INTELLIGENT_TIERING", ("INTELLIGENT_TIERING", 0)),
    ("GLACIER_IR", ("GLACIER_IR", 0)),
    ("GLACIER", ("GLACIER", 0)),
    ("DEEP_ARCHIVE", ("DEEP_ARCHIVE", 0)),
];

/// The rules, in the order of the file.
pub(super) fn rules(field: &Field<'_>, report: &mut Report) -> Vec<LifecycleRule> {
    let elements = field.list(report).unwrap_or_default();
    if elements.len() > MAX_RULES {
        let message = format!("{} lifecycle rules are too many", elements.len());
        field.error(
            report,
            message,
            "at most 1,000 are allowed",
            "join rules that do the same, or take some out",
        );
    }
    let mut ids: Vec<String> = Vec::new();
    let mut rules = Vec::new();
    for element in elements {
        let Some(rule) = rule(&element, report) else { continue };
        if !rule.id.is_empty() && ids.contains(&rule.id) {
            let span = report.span(&format!("{}.id", element.path)).unwrap_or(element.span);
            let message = format!("two lifecycle rules have the id \"{}\"", rule.id);
            report.error(
                span,
                message,
                "stands here a second time",
                "give each rule of a bucket an id of its own",
            );
        }
        ids.push(rule.id.clone());
        rules.push(rule);
    }
    rules
}

fn rule(field: &Field<'_>, report: &mut Report) -> Option<LifecycleRule> {
    let mut table = field.table(report, &shape::LIFECYCLE_RULE)?;
    let id = table.require(report, "id").and_then(|field| id(&field, report)).unwrap_or_default();
    let enabled = table.take(report, "enabled").and_then(|field| field.boolean(report)).unwrap_or(true);
    let filter = table.take(report, "filter").and_then(|field| filter(&field, report)).unwrap_or_default();
    let abort = table.take(report, "abort_incomplete_multipart_upload_days");
    let expiration_field = table.take(report, "expiration");
    let noncurrent = table.take(report, "noncurrent_version_expiration");
    let transitions = table.take(report, "transitions");
    let noncurrent_transitions = table.take(report, "noncurrent_version_transitions");
    if let (Some(field), false) = (&abort, filter.tags.is_empty()) {
        let help =
            "unfinished uploads have no tags: give the abort a rule of its own, without `tags` in its filter";
        report.error(
            field.key,
            "a rule with a tag filter cannot abort uploads",
            "AWS refuses the two together",
            help,
        );
    }
    let is_idle = abort.is_none()
        && expiration_field.is_none()
        && noncurrent.is_none()
        && transitions.is_none()
        && noncurrent_transitions.is_none();
    if is_idle {
        let help = "add `expiration`, `transitions`, `noncurrent_version_expiration` or another action";
        field.error(report, "a lifecycle rule that does nothing", "no action is named", help);
    }
    let rule = LifecycleRule {
        id,
        enabled,
        abort_incomplete_multipart_upload_days: abort.and_then(|field| field.small_number(report, DAYS)),
        expiration: expiration_field.as_ref().and_then(|field| expiration(field, report, &filter)),
        noncurrent_version_expiration: noncurrent
            .as_ref()
            .and_then(|field| noncurrent_expiration(field, report)),
        transitions: elements(transitions.as_ref(), report, transition),
        noncurrent_version_transitions: elements(
            noncurrent_transitions.as_ref(),
            report,
            noncurrent_transition,
        ),
        filter,
    };
    table.finish(report);
    check_order(&rule, report, expiration_field.as_ref(), noncurrent.as_ref());
    check_mixture(&rule, report, field);
    check_classes(report, transitions.as_ref(), rule.transitions.iter().map(|t| &t.storage_class));
    let classes = rule.noncurrent_version_transitions.iter().map(|t| &t.storage_class);
    check_classes(report, noncurrent_transitions.as_ref(), classes);
    Some(rule)
}

fn id(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let text = field.nonempty_text(report)?;
    if text.chars().count() > 255 {
        field.error(
            report,
            "the id of a lifecycle rule is too long",
            "at most 255 characters are allowed",
            "shorten it",
        );
    }
    if text.starts_with(OUR_RULE_PREFIX) {
        let label = format!("`{OUR_RULE_PREFIX}` is reserved for byob's own rules");
        field.error(
            report,
            format!("`{text}` cannot be the id of a rule"),
            label,
            "choose an id that begins differently",
        );
    }
    Some(text.to_owned())
}

fn filter(field: &Field<'_>, report: &mut Report) -> Option<Filter> {
    let mut table = field.table(report, &shape::FILTER)?;
    let prefix = table.take(report, "prefix").and_then(|field| field.text(report));
    let tags = table.take(report, "tags").map(|field| tags::entries(&field, report)).unwrap_or_default();
    let object_size_greater_than =
        table.take(report, "object_size_greater_than").and_then(|field| field.number(report, 0..=i64::MAX));
    let less = table.take(report, "object_size_less_than");
    let object_size_less_than = less.as_ref().and_then(|field| field.number(report, 1..=i64::MAX));
    if let (Some(greater), Some(less_than), Some(less)) =
        (object_size_greater_than, object_size_less_than, less)
        && greater >= less_than
    {
        let help = "`object_size_less_than` must be more than `object_size_greater_than`";
        less.error(report, "no object has such a size", format!("must be more than {greater}"), help);
    }
    table.finish(report);
    // An empty prefix equals none.
    let prefix = prefix.filter(|prefix| !prefix.is_empty()).map(str::to_owned);
    Some(Filter { prefix, tags, object_size_greater_than, object_size_less_than })
}

fn expiration(field: &Field<'_>, report: &mut Report, filter: &Filter) -> Option<Expiration> {
    let mut table = field.table(report, &shape::EXPIRATION)?;
    let [days, date, marker] =
        ["days", "date", "expired_object_delete_marker"].map(|name| table.take(report, name));
    let expired_object_delete_marker =
        marker.as_ref().and_then(|field| field.boolean(report)).unwrap_or(false);
    let given =
        usize::from(days.is_some()) + usize::from(date.is_some()) + usize::from(expired_object_delete_marker);
    if given != 1 && marker.as_ref().is_none_or(|field| field.value.is_bool()) {
        let label = if given == 0 { "none of them is here" } else { "more than one of them is here" };
        let help =
            "write one of `days = 30`, `date = \"2027-01-31\"` and `expired_object_delete_marker = true`";
        field.error(
            report,
            "`expiration` takes one of `days`, `date` and `expired_object_delete_marker`",
            label,
            help,
        );
    }
    if let (Some(field), true, false) = (&marker, expired_object_delete_marker, filter.tags.is_empty()) {
        let help = "delete markers have no tags: give them a rule without `tags` in its filter";
        report.error(
            field.key,
            "a rule with a tag filter cannot remove delete markers",
            "AWS refuses the two together",
            help,
        );
    }
    let expiration = Expiration {
        days: days.and_then(|field| field.small_number(report, DAYS)),
        date: date.and_then(|field| field.date(report)),
        expired_object_delete_marker,
    };
    table.finish(report);
    Some(expiration)
}

fn noncurrent_expiration(field: &Field<'_>, report: &mut Report) -> Option<NoncurrentExpiration> {
    let mut table = field.table(report, &shape::NONCURRENT_EXPIRATION)?;
    let days = table.require(report, "days").and_then(|field| field.small_number(report, DAYS));
    let newer_versions = newer_versions(&mut table, report);
    table.finish(report);
    Some(NoncurrentExpiration { days: days?, newer_versions })
}

fn newer_versions(table: &mut Table<'_>, report: &mut Report) -> Option<u32> {
    table.take(report, "newer_versions").and_then(|field| field.small_number(report, NEWER_VERSIONS))
}

fn elements<T>(
    field: Option<&Field<'_>>,
    report: &mut Report,
    parse: impl Fn(&Field<'_>, &mut Report) -> Option<T>,
) -> Vec<T> {
    let elements = field.and_then(|field| field.list(report)).unwrap_or_default();
    elements.iter().filter_map(|element| parse(element, report)).collect()
}

fn transition(field: &Field<'_>, report: &mut Report) -> Option<Transition> {
    let mut table = field.table(report, &shape::TRANSITION)?;
    let [days, date] = ["days", "date"].map(|name| table.take(report, name));
    if days.is_some() == date.is_some() {
        let label = if days.is_some() { "both are here" } else { "neither is here" };
        field.error(
            report,
            "a transition takes one of `days` and `date`",
            label,
            "write `days = 30`, or `date = \"2027-01-31\"`",
        );
    }
    let class = storage_class(&mut table, report);
    let days = days.and_then(|field| age(&field, report, class));
    let date = date.and_then(|field| field.date(report));
    table.finish(report);
    Some(Transition { days, date, storage_class: class?.0.to_owned() })
}

fn noncurrent_transition(field: &Field<'_>, report: &mut Report) -> Option<NoncurrentTransition> {
    let mut table = field.table(report, &shape::NONCURRENT_TRANSITION)?;
    let days = table.require(report, "days");
    let class = storage_class(&mut table, report);
    let days = days.and_then(|field| age(&field, report, class));
    let newer_versions = newer_versions(&mut table, report);
    table.finish(report);
    Some(NoncurrentTransition { days: days?, newer_versions, storage_class: class?.0.to_owned() })
}

fn storage_class(table: &mut Table<'_>, report: &mut Report) -> Option<(&'static str, u32)> {
    table.require(report, "storage_class").and_then(|field| field.one_of(report, &STORAGE_CLASSES))
}

fn age(field: &Field<'_>, report: &mut Report, class: Option<(&'static str, u32)>) -> Option<u32> {
    field.small_number(report, class.map_or(0, |(_, least)| least)..=u32::MAX)
}

/// AWS: what is moved is moved before it expires.
fn check_order(
    rule: &LifecycleRule,
    report: &mut Report,
    expiration: Option<&Field<'_>>,
    noncurrent: Option<&Field<'_>>,
) {
    let mut check = |field: Option<&Field<'_>>, expires: Option<u32>, moves: Option<u32>| {
        let (Some(field), Some(expires), Some(moves)) = (field, expires, moves) else { return };
        if expires <= moves {
            let span = report.span(&format!("{}.days", field.path)).unwrap_or(field.span);
            let message = format!("objects would expire after {expires} days and move after {moves}");
            report.error(
                span,
                message,
                format!("must be more than {moves}"),
                "let objects move first, or take the move out",
            );
        }
    };
    let expires = rule.expiration.as_ref().and_then(|expiration| expiration.days);
    check(expiration, expires, rule.transitions.iter().filter_map(|transition| transition.days).max());
    let expires = rule.noncurrent_version_expiration.as_ref().map(|expiration| expiration.days);
    check(
        noncurrent,
        expires,
        rule.noncurrent_version_transitions.iter().map(|transition| transition.days).max(),
    );
}

/// AWS: one rule counts in days or in dates.
fn check_mixture(rule: &LifecycleRule, report: &mut Report, field: &Field<'_>) {
    let of_expiration = rule.expiration.iter().map(|expiration| (expiration.days, expiration.date.as_ref()));
    let of_transitions =
        rule.transitions.iter().map(|transition| (transition.days, transition.date.as_ref()));
    let all: Vec<_> = of_expiration.chain(of_transitions).collect();
    let is_well_formed = all.iter().all(|(days, date)| days.is_none() || date.is_none());
    if is_well_formed
        && all.iter().any(|(days, _)| days.is_some())
        && all.iter().any(|(_, date)| date.is_some())
    {
        let help = "write all of them as `days` or all as `date`, or make two rules";
        field.error(
            report,
            "a lifecycle rule counts in days and in dates",
            "AWS refuses the two together",
            help,
        );
    }
}

/// AWS: one move a storage class.
fn check_classes<'r>(
    report: &mut Report,
    field: Option<&Field<'_>>,
    classes: impl Iterator<Item = &'r String>,
) {
    let Some(field) = field else { return };
    let mut seen: Vec<&String> = Vec::new();
    for class in classes {
        if seen.contains(&class) {
            let message = format!("a lifecycle rule moves objects to {class} twice");
            field.error(report, message, "one move to each storage class is allowed", "take one of them out");
        }
        seen.push(class);
    }
}
