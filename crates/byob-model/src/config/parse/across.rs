//! What concerns several tables: names and aliases that collide, the region of a key, where logs go, how many tags come
//! together. Runs last, over parsed tables; what is wrong in one of them leaves it out here.

use std::collections::{BTreeMap, BTreeSet};

use super::reader::Report;
use super::tags::MAX_TAGS;
use crate::config::{BucketTable, Configuration, EncryptionField, LogTarget, NameSource, State};
use crate::diagnostic::Span;
use crate::kind::KeyRef;

/// Checks, and fills in the regions of keys.
pub(super) fn check(configuration: &mut Configuration, report: &mut Report) {
    key_regions(configuration, report);
    names(configuration, report);
    aliases(configuration, report);
    log_targets(configuration, report);
    state_bucket(configuration, report);
    tag_counts(configuration, report);
}

/// Labels in the order of the file.
fn in_file_order<'c, T>(
    tables: &'c BTreeMap<String, T>,
    kind: &str,
    report: &Report,
) -> Vec<(&'c String, &'c T)> {
    let mut tables: Vec<_> = tables.iter().collect();
    tables.sort_by_key(|(label, _)| report.span(&format!("{kind}.{label}")).map(|span| span.start));
    tables
}

/// The bucket that keeps the record, if it is one of these; one whose name byob makes is looked for by `desired`.
fn state_bucket(configuration: &mut Configuration, report: &mut Report) {
    let State::S3(state) = &configuration.state else { return };
    let is_it = |table: &BucketTable| matches!(&table.name, NameSource::Exact(name) if *name == state.bucket);
    for (label, table) in in_file_order(&configuration.buckets, "bucket", report) {
        if let Some((message, help)) = is_it(table).then(|| table.unfit_for_record(label)).flatten() {
            let place = span(report, &[format!("bucket.{label}.name"), format!("bucket.{label}")]);
            report.error(place, message, "[state] s3 names this bucket", help);
        }
    }
}

fn span(report: &Report, paths: &[String]) -> Option<Span> {
    paths.iter().find_map(|path| report.span(path))
}

fn key_regions(configuration: &mut Configuration, report: &mut Report) {
    let mut found: BTreeMap<String, (String, String)> = BTreeMap::new();
    for (label, bucket) in in_file_order(&configuration.buckets, "bucket", report) {
        let (Some(EncryptionField::SseKms { key, .. } | EncryptionField::DsseKms { key }), false) =
            (&bucket.encryption, bucket.region.is_empty())
        else {
            continue;
        };
        let KeyRef::Managed { arn_of } = key else { continue };
        let region = &bucket.region;
        let place =
            span(report, &[format!("bucket.{label}.encryption.key"), format!("bucket.{label}.encryption")]);
        let help = "S3 takes keys of the bucket's own region only: give each region a key of its own";
        if let Some(own) = configuration.keys.get(&arn_of.label).and_then(|key| key.region.as_ref()) {
            if own != region {
                let message = format!("`{arn_of}` is in another region than the bucket");
                report.error(place, message, format!("this key is in {own}, the bucket in {region}"), help);
            }
            continue;
        }
        match found.get(&arn_of.label) {
            Some((other, first)) if other != region => {
                let message = format!("`{arn_of}` would have to be in two regions");
                let label = format!("in {region} for this bucket, in {other} for `bucket.{first}`");
                report.error(place, message, label, help);
            }
            Some(_) => {}
            None => {
                found.insert(arn_of.label.clone(), (region.clone(), label.clone()));
            }
        }
    }
    for (label, (region, _)) in found {
        if let Some(key) = configuration.keys.get_mut(&label) {
            key.region = Some(region);
        }
    }
}

/// A bucket's name is global in a partition.
fn names(configuration: &Configuration, report: &mut Report) {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (label, bucket) in in_file_order(&configuration.buckets, "bucket", report) {
        let NameSource::Exact(name) = &bucket.name else { continue };
        if name.is_empty() {
            continue;
        }
        if let Some(first) = seen.get(name.as_str()) {
            let place = report.span(&format!("bucket.{label}.name"));
            let message = format!("`bucket.{first}` and `bucket.{label}` have the same name");
            let help = "a bucket's name exists once: give one of them another, or join the two tables";
            report.error(place, message, format!("also the name of `bucket.{first}`"), help);
            continue;
        }
        seen.insert(name, label);
    }
}

/// An alias is unique in an account and region. A key without a region is in `[aws]`'s, as far as the file says.
fn aliases(configuration: &Configuration, report: &mut Report) {
    let mut seen: BTreeMap<(&str, Option<&str>), &str> = BTreeMap::new();
    for (label, key) in in_file_order(&configuration.keys, "key", report) {
        if key.alias.is_empty() {
            continue;
        }
        let region = key.region.as_deref().or(configuration.aws.region.as_deref());
        if let Some(first) = seen.get(&(key.alias.as_str(), region)) {
            let place = report.span(&format!("key.{label}.alias"));
            let message = format!("`key.{first}` and `key.{label}` have the same alias");
            let help = "an alias exists once in a region: give one of them another, or join the two tables";
            report.error(place, message, format!("also the alias of `key.{first}`"), help);
            continue;
        }
        seen.insert((&key.alias, region), label);
    }
}

fn log_targets(configuration: &Configuration, report: &mut Report) {
    for (label, bucket) in &configuration.buckets {
        let Some(logging) = &bucket.logging else { continue };
        let place = report.span(&format!("bucket.{label}.logging.target_bucket"));
        let has_name = |table: &BucketTable, name: &str| table.name == NameSource::Exact(name.to_owned());
        let target = match &logging.target_bucket {
            LogTarget::Label(target) => configuration.buckets.get_key_value(target),
            LogTarget::Name(name) => configuration.buckets.iter().find(|(_, table)| has_name(table, name)),
        };
        // A bucket outside the file is AWS's to judge.
        let Some((target, table)) = target else { continue };
        if target == label {
            let help = "name another bucket: each written log would be logged again";
            report.error(place, "a bucket cannot log to itself", "this is the bucket itself", help);
            continue;
        }
        if !table.region.is_empty() && !bucket.region.is_empty() && table.region != bucket.region {
            let mark = format!("`bucket.{target}` is in {}, this bucket in {}", table.region, bucket.region);
            let help = format!("AWS delivers logs within a region: name a bucket in {}", bucket.region);
            report.error(place, "logs cannot go to another region", mark, help);
        }
        if table.object_lock.is_some_and(|lock| lock.mode.is_some()) {
            let mark = format!("`bucket.{target}` has a default retention");
            let help = "AWS does not deliver logs there: name a bucket without `mode` in `object_lock`";
            report.error(place, "logs cannot go to a bucket with a default retention", mark, help);
        }
    }
}

/// The tags of the file and those of a table meet on one root.
fn tag_counts(configuration: &Configuration, report: &mut Report) {
    let buckets =
        configuration.buckets.iter().map(|(label, table)| (format!("bucket.{label}.tags"), &table.tags));
    let keys = configuration.keys.iter().map(|(label, table)| (format!("key.{label}.tags"), &table.tags));
    for (path, own) in buckets.chain(keys) {
        let all: BTreeSet<&String> = configuration.tags.keys().chain(own.keys()).collect();
        // Either table alone has its own error.
        if all.len() > MAX_TAGS && own.len() <= MAX_TAGS && configuration.tags.len() <= MAX_TAGS {
            let message = format!("{} tags are too many", all.len());
            let label = format!("with those of `[tags]` at most {MAX_TAGS} are allowed");
            let help = "AWS allows 50 tags, and byob adds 4 of its own: take some out";
            report.error(report.span(&path), message, label, help);
        }
    }
}
