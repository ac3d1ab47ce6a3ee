//! What a resource says, in one line: for what is created or taken away as a whole. The JSON has every leaf; here stands
//! what a reviewer looks for. Policies have a room of their own (`statement`).

use std::collections::BTreeSet;

use byob_model::kind::{
    Attributes, Bucket, CorsRule, Encryption, Filter, Key, KeyFormat, KeyRef, LifecycleRule, Logging,
    ObjectLock, PublicAccessBlock, Purpose, RetentionMode, Rotation, SseC, Tags, Versioning,
    VersioningStatus, Waivers,
};

use crate::value::{list, word};

/// More tags than this are counted.
const TAGS: usize = 8;

/// One line; of rules, how many there are if there is not just one.
pub(crate) fn summary(attributes: &Attributes) -> String {
    match attributes {
        Attributes::Bucket(x) => bucket(x),
        Attributes::PublicAccessBlock(x) => public_access_block(*x),
        Attributes::Ownership(x) => word(&x.object_ownership),
        Attributes::Encryption(x) => encryption(x),
        Attributes::Cors(_) | Attributes::Lifecycle(_) => match rules(Some(attributes)).as_slice() {
            [] => "no rules".into(),
            [rule] => rule.clone(),
            rules => format!("{} rules", rules.len()),
        },
        Attributes::Versioning(x) => versioning(*x).into(),
        Attributes::Tags(x) => tags(x),
        Attributes::Logging(x) => logging(x),
        Attributes::ObjectLock(x) => object_lock(*x),
        Attributes::Policy(x) => count(x.document.statements.len(), "statement"),
        Attributes::Key(x) => key(x),
        Attributes::Rotation(x) => rotation(*x),
        Attributes::Alias(x) => word(&x.name),
    }
}

/// Each rule of a list of rules in a line.
pub(crate) fn rules(attributes: Option<&Attributes>) -> Vec<String> {
    match attributes {
        Some(Attributes::Cors(cors)) => cors.rules.iter().map(cors_rule).collect(),
        Some(Attributes::Lifecycle(lifecycle)) => lifecycle.rules.iter().map(lifecycle_rule).collect(),
        _ => Vec::new(),
    }
}

/// `1 bucket`, `2 buckets`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let s = match noun.as_bytes().last() {
        _ if number == 1 => "",
        Some(b's') => "es",
        _ => "s",
    };
    format!("{number} {noun}{s}")
}

fn protection(protect: bool) -> &'static str {
    if protect { "protected" } else { "not protected" }
}

fn bucket(bucket: &Bucket) -> String {
    let mut parts = vec![protection(bucket.protect)];
    if bucket.purpose == Purpose::Reference {
        parts.push("a reference bucket (W&B only reads)");
    }
    if bucket.force_destroy {
        parts.push("its deletion may empty it (force_destroy)");
    }
    let waivers = waivers(&bucket.waivers);
    parts.extend(waivers.iter().map(String::as_str));
    parts.join(", ")
}

/// `waives BYOB034 of bucket.scratch until 2027-01-31 ("only tests")`, one each.
fn waivers(waivers: &Waivers) -> Vec<String> {
    let each = waivers.iter().map(|(what, accepted)| {
        let what = match what.split_once(' ') {
            Some((address, rule)) => format!("{rule} of {address}"),
            None => what.clone(),
        };
        format!("waives {what} until {} ({})", accepted.until, quoted(&accepted.reason))
    });
    each.collect()
}

fn key(key: &Key) -> String {
    let days = count(key.deletion_window_days as usize, "day");
    let mut text = format!("ENCRYPT_DECRYPT, deletion window {days}, {}", protection(key.protect));
    if !key.description.is_empty() {
        text.push_str(&format!(", described as {}", quoted(&key.description)));
    }
    for waiver in waivers(&key.waivers) {
        text.push_str(&format!(", {waiver}"));
    }
    text
}

fn quoted(text: &str) -> String {
    let text = word(text);
    if text.starts_with('"') { text } else { format!("\"{text}\"") }
}

fn public_access_block(block: PublicAccessBlock) -> String {
    let settings = [
        ("block_public_acls", block.block_public_acls),
        ("ignore_public_acls", block.ignore_public_acls),
        ("block_public_policy", block.block_public_policy),
        ("restrict_public_buckets", block.restrict_public_buckets),
    ];
    let off: Vec<&str> = settings.iter().filter(|(_, on)| !on).map(|(name, _)| *name).collect();
    match off.len() {
        0 => "all four on".into(),
        4 => "ALL FOUR OFF".into(),
        _ => format!("OFF: {}; the others on", off.join(", ")),
    }
}

fn encryption(encryption: &Encryption) -> String {
    let mut parts = vec![encryption.algorithm.as_str().to_owned()];
    match &encryption.kms_key {
        Some(KeyRef::Arn(arn)) => parts.push(word(arn)),
        Some(KeyRef::Managed { arn_of }) => parts.push(format!("{arn_of} (arn known after apply)")),
        None if encryption.algorithm.as_str().starts_with("aws:kms") => {
            parts.push("AWS's own key aws/s3".into());
        }
        None => {}
    }
    if encryption.kms_key.is_some() {
        parts.push(if encryption.bucket_key { "bucket key on" } else { "bucket key off" }.into());
    }
    match encryption.sse_c {
        Some(SseC::Blocked) => parts.push("SSE-C blocked".into()),
        Some(SseC::Allowed) => parts.push("SSE-C allowed".into()),
        None => {}
    }
    parts.join(", ")
}

fn any_or(values: &BTreeSet<String>, any: &str) -> String {
    if values.iter().eq(["*"]) { any.to_owned() } else { list(values) }
}

fn cors_rule(rule: &CorsRule) -> String {
    let mut parts = vec![format!(
        "{} from {}",
        list(&rule.allowed_methods),
        any_or(&rule.allowed_origins, "any origin (*)")
    )];
    if !rule.allowed_headers.is_empty() {
        parts.push(format!("headers {}", list(&rule.allowed_headers)));
    }
    if !rule.expose_headers.is_empty() {
        parts.push(format!("exposes {}", list(&rule.expose_headers)));
    }
    if rule.max_age_seconds > 0 {
        parts.push(format!("{} s", rule.max_age_seconds));
    }
    parts.join("; ")
}

fn versioning(versioning: Versioning) -> &'static str {
    match versioning.status {
        VersioningStatus::Enabled => "enabled",
        VersioningStatus::Suspended => "suspended",
        VersioningStatus::Disabled => "never enabled",
    }
}

fn tags(tags: &Tags) -> String {
    let (ours, theirs): (Vec<_>, Vec<_>) = tags.tags.iter().partition(|(key, _)| key.starts_with("byob:"));
    let mut parts: Vec<String> =
        theirs.iter().take(TAGS).map(|(key, value)| format!("{} = {}", word(key), word(value))).collect();
    if theirs.len() > TAGS {
        parts.push(format!("and {} more", theirs.len() - TAGS));
    }
    if !ours.is_empty() {
        parts.push("byob:*".into());
    }
    if parts.is_empty() { "none".into() } else { parts.join(", ") }
}

fn logging(logging: &Logging) -> String {
    let Some(bucket) = &logging.target_bucket else { return "off".into() };
    let form = match logging.key_format {
        None | Some(KeyFormat::Simple) => "",
        Some(KeyFormat::PartitionedByEventTime) => ", partitioned by event time",
        Some(KeyFormat::PartitionedByDeliveryTime) => ", partitioned by delivery time",
    };
    format!("to {}{form}", word(&format!("{bucket}/{}", logging.target_prefix)))
}

fn object_lock(lock: ObjectLock) -> String {
    let time = match (lock.days, lock.years) {
        (Some(days), _) => count(days as usize, "day"),
        (None, Some(years)) => count(years as usize, "year"),
        (None, None) => return "on, no default retention; it can never be turned off".into(),
    };
    let mode = match lock.mode {
        Some(RetentionMode::Governance) => "GOVERNANCE",
        Some(RetentionMode::Compliance) => "COMPLIANCE",
        None => "no mode",
    };
    format!("on, {mode} for {time} by default; it can never be turned off")
}

fn rotation(rotation: Rotation) -> String {
    match (rotation.enabled, rotation.period_days) {
        (false, _) => "off".into(),
        (true, Some(days)) => format!("every {}", count(days as usize, "day")),
        (true, None) => "on".into(),
    }
}

fn lifecycle_rule(rule: &LifecycleRule) -> String {
    let days = |days: u32| count(days as usize, "day");
    let newer = |newer: Option<u32>| newer.map(|n| format!(", {n} newer kept")).unwrap_or_default();
    let when = |d: Option<u32>, date: &Option<String>| match (d, date) {
        (Some(d), _) => format!("after {}", days(d)),
        (None, Some(date)) => format!("on {}", word(date)),
        (None, None) => "at no time".into(),
    };
    let mut parts = Vec::new();
    if let Some(expiration) = &rule.expiration {
        if expiration.days.is_some() || expiration.date.is_some() {
            parts.push(format!("DELETES current objects {}", when(expiration.days, &expiration.date)));
        }
        if expiration.expired_object_delete_marker {
            parts.push("removes lone delete markers".into());
        }
    }
    if let Some(n) = &rule.noncurrent_version_expiration {
        parts.push(format!("deletes noncurrent versions after {}{}", days(n.days), newer(n.newer_versions)));
    }
    if let Some(d) = rule.abort_incomplete_multipart_upload_days {
        parts.push(format!("aborts unfinished uploads after {}", days(d)));
    }
    for t in &rule.transitions {
        parts.push(format!("moves objects to {} {}", word(&t.storage_class), when(t.days, &t.date)));
    }
    for t in &rule.noncurrent_version_transitions {
        let class = word(&t.storage_class);
        parts.push(format!(
            "moves noncurrent versions to {class} after {}{}",
            days(t.days),
            newer(t.newer_versions)
        ));
    }
    if parts.is_empty() {
        parts.push("does nothing".into());
    }
    let state = if rule.enabled { "" } else { " (disabled)" };
    format!("{}{state}: {}{}", word(&rule.id), parts.join("; "), filter(&rule.filter))
}

fn filter(filter: &Filter) -> String {
    let mut parts = Vec::new();
    if let Some(prefix) = &filter.prefix {
        parts.push(format!("under {}", word(prefix)));
    }
    parts.extend(filter.tags.iter().map(|(key, value)| format!("tagged {} = {}", word(key), word(value))));
    if let Some(bytes) = filter.object_size_greater_than {
        parts.push(format!("over {bytes} bytes"));
    }
    if let Some(bytes) = filter.object_size_less_than {
        parts.push(format!("under {bytes} bytes"));
    }
    if parts.is_empty() { String::new() } else { format!("; only {}", parts.join(", ")) }
}
