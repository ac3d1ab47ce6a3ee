//! `[bucket.*]`: puts together what the files of the single aspects read, and reads the rest: region, purpose,
//! protection, path, and which aspects are left alone.

use std::collections::BTreeSet;

use super::reader::{Field, Report, Table, nearest};
use super::{
    Context, access_block, cors, encryption, lifecycle, logging, naming, network, object_lock, policy,
    principal, region, shape, tags,
};
use crate::address::{BUCKET_ASPECTS, Kind, RootKind};
use crate::config::{BucketTable, Deployment, NameSource};
use crate::kind::{Purpose, SseC, VersioningStatus};

const PURPOSES: [(&str, Purpose); 2] = [("storage", Purpose::Storage), ("reference", Purpose::Reference)];
const SSE_C: [(&str, SseC); 2] = [("blocked", SseC::Blocked), ("allowed", SseC::Allowed)];
const OWNERSHIP: [(&str, &str); 3] = [
    ("BucketOwnerEnforced", "BucketOwnerEnforced"),
    ("BucketOwnerPreferred", "BucketOwnerPreferred"),
    ("ObjectWriter", "ObjectWriter"),
];
const TLS_VERSIONS: [(&str, &str); 2] = [("1.2", "1.2"), ("1.3", "1.3")];
const VERSIONING: [(&str, VersioningStatus); 2] =
    [("enabled", VersioningStatus::Enabled), ("suspended", VersioningStatus::Suspended)];

/// One table. `None` where it is no table, which is reported; what is wrong inside it is replaced by something that
/// nobody will see.
pub(super) fn bucket(context: &mut Context<'_>, field: &Field<'_>) -> Option<BucketTable> {
    let mut table = field.table(&mut context.report, &shape::BUCKET)?;
    let name = naming::name(&mut context.report, &mut table);
    let region = region(context, &mut table);
    let purpose = purpose(context, &mut table);
    let encryption = table
        .take(&mut context.report, "encryption")
        .and_then(|field| encryption::encryption(context, &field, region.as_deref()));
    let (extra_statements, foreign_statements) =
        policy::statements(context, &mut table, name.as_ref(), purpose);
    let logging =
        table.take(&mut context.report, "logging").and_then(|field| logging::logging(context, &field));

    let Context { report, partition, .. } = context;
    let partition = *partition;
    let versioning = table.take(report, "versioning").and_then(|field| versioning(&field, report));
    let object_lock_field = table.take(report, "object_lock");
    if let (Some(field), Some(VersioningStatus::Suspended)) = (&object_lock_field, versioning) {
        let help = "write `versioning = \"enabled\"`, or take one of the two out";
        report.error(
            field.key,
            "object lock needs versioning, which is suspended",
            "AWS refuses the two together",
            help,
        );
    }
    let force_destroy_field = table.take(report, "force_destroy");
    let force_destroy = force_destroy_field.as_ref().and_then(|field| field.boolean(report)).unwrap_or(false);
    if let (Some(field), true, Purpose::Reference) = (&force_destroy_field, force_destroy, purpose) {
        let help = "take `force_destroy` out: byob takes its statement and CORS rule out of the bucket and forgets it";
        field.error(report, "a reference bucket is never deleted", "there is nothing to force", help);
    }
    let mut bucket = BucketTable {
        name: name.unwrap_or(NameSource::Exact(String::new())),
        region: region.unwrap_or_default(),
        partition,
        purpose,
        wandb_access: boolean(report, &mut table, "wandb_access", true),
        encryption,
        sse_c: table.take(report, "sse_c").and_then(|field| field.one_of(report, &SSE_C)),
        cors_origins: None,
        public_access_block: table
            .take(report, "public_access_block")
            .and_then(|field| access_block::public_access_block(&field, report)),
        object_ownership: table
            .take(report, "object_ownership")
            .and_then(|field| field.one_of(report, &OWNERSHIP))
            .map(str::to_owned),
        tls_only: boolean(report, &mut table, "tls_only", false),
        min_tls_version: table
            .take(report, "min_tls_version")
            .and_then(|field| field.one_of(report, &TLS_VERSIONS))
            .map(str::to_owned),
        allowed_source_ips: set(report, &mut table, "allowed_source_ips", network::networks),
        allowed_vpc_endpoints: set(report, &mut table, "allowed_vpc_endpoints", network::vpc_endpoints),
        managers: set(report, &mut table, "managers", |field, report| {
            principal::principals(field, report, partition)
        }),
        extra_statements,
        foreign_statements,
        versioning,
        abort_incomplete_uploads_after_days: days(report, &mut table, "abort_incomplete_uploads_after_days"),
        noncurrent_expire_after_days: days(report, &mut table, "noncurrent_expire_after_days"),
        lifecycle: table
            .take(report, "lifecycle")
            .map(|field| lifecycle::rules(&field, report))
            .unwrap_or_default(),
        logging,
        object_lock: object_lock_field.and_then(|field| object_lock::object_lock(&field, report)),
        tags: tags::tags(report, &mut table),
        protect: boolean(report, &mut table, "protect", true),
        force_destroy,
        path: table.take(report, "path").and_then(|field| path(&field, report)),
        unmanaged: BTreeSet::new(),
    };
    bucket.cors_origins = table.take(report, "cors_origins").and_then(|field| cors::origins(&field, report));
    if let Some(field) = table.take(report, "unmanaged") {
        bucket.unmanaged = unmanaged(&field, report, &table.path, bucket.wandb_access);
    }
    table.finish(report);
    Some(bucket)
}

fn boolean(report: &mut Report, table: &mut Table<'_>, name: &'static str, default: bool) -> bool {
    table.take(report, name).and_then(|field| field.boolean(report)).unwrap_or(default)
}

fn days(report: &mut Report, table: &mut Table<'_>, name: &'static str) -> Option<u32> {
    table.take(report, name).and_then(|field| field.small_number(report, 1..=u32::MAX))
}

fn set(
    report: &mut Report,
    table: &mut Table<'_>,
    name: &'static str,
    parse: impl Fn(&Field<'_>, &mut Report) -> BTreeSet<String>,
) -> BTreeSet<String> {
    table.take(report, name).map(|field| parse(&field, report)).unwrap_or_default()
}

fn region(context: &mut Context<'_>, table: &mut Table<'_>) -> Option<String> {
    let report = &mut context.report;
    if let Some(field) = table.take(report, "region") {
        return region::region(&field, report, context.partition);
    }
    // A wrong region of `[aws]` has its own error.
    if context.region.is_none() && report.span("aws.region").is_none() {
        let help = "add `region = \"us-east-1\"` here, or under `[aws]` for all buckets";
        report.error(table.span, "the bucket has no region", "neither this table nor `[aws]` says one", help);
    }
    context.region.clone()
}

fn purpose(context: &mut Context<'_>, table: &mut Table<'_>) -> Purpose {
    let Context { report, deployment, .. } = context;
    let Some(field) = table.take(report, "purpose") else { return Purpose::Storage };
    let purpose = field.one_of(report, &PURPOSES).unwrap_or_default();
    let is_refused = matches!(deployment, Some(Deployment::DedicatedCloud | Deployment::SelfManaged));
    if purpose == Purpose::Reference && is_refused {
        let help = "take `purpose` out where W&B stores files, or set `deployment = \"multi-tenant-cloud\"`";
        let label = "this `deployment` has no reference buckets";
        field.error(report, "reference buckets exist in Multi-tenant Cloud alone", label, help);
    }
    purpose
}

fn versioning(field: &Field<'_>, report: &mut Report) -> Option<VersioningStatus> {
    let text = field.text(report)?;
    if ["disabled", "off", "unversioned"].contains(&text.to_ascii_lowercase().as_str()) {
        let help = "write \"suspended\", or take `versioning` out to leave it alone";
        field.error(
            report,
            "versioning cannot be disabled",
            "once enabled, a bucket can only be suspended",
            help,
        );
        return None;
    }
    field.one_of(report, &VERSIONING)
}

/// A sub-path without slashes at its ends.
fn path(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let text = field.nonempty_text(report)?;
    let parts: Vec<&str> =
        text.split('/').filter(|part| !part.is_empty() && *part != "." && *part != "..").collect();
    let plain = parts.join("/");
    let label = if text.starts_with('/') || text.ends_with('/') {
        "a path has no slash at its ends"
    } else if plain != text {
        "a path has no empty parts, and none that is `.` or `..`"
    } else if text.chars().any(char::is_control) || text.len() > 512 {
        "at most 512 bytes, and no control characters"
    } else {
        return Some(text.to_owned());
    };
    let is_better = !plain.is_empty() && plain != text;
    let help = if is_better { format!("\"{plain}\" would be valid") } else { field.help() };
    field.error(report, format!("`path` cannot be \"{text}\""), label, help);
    None
}

/// The fields that ask for something of an aspect of a bucket.
pub(in crate::config) fn fields_of(aspect: Kind) -> &'static [&'static str] {
    match aspect {
        Kind::PublicAccessBlock => &["public_access_block"],
        Kind::Ownership => &["object_ownership"],
        Kind::Encryption => &["encryption", "sse_c"],
        Kind::Cors => &["cors_origins"],
        Kind::Versioning => &["versioning"],
        Kind::Lifecycle => {
            &["abort_incomplete_uploads_after_days", "noncurrent_expire_after_days", "lifecycle"]
        }
        Kind::BucketTags => &["tags"],
        Kind::Logging => &["logging"],
        Kind::ObjectLock => &["object_lock"],
        Kind::BucketPolicy => &[
            "tls_only",
            "min_tls_version",
            "allowed_source_ips",
            "allowed_vpc_endpoints",
            "managers",
            "extra_statements",
            "policy_file",
            "foreign_statements",
        ],
        _ => &[],
    }
}

/// Aspects to leave alone. An aspect whose fields the table sets cannot be one of them.
fn unmanaged(field: &Field<'_>, report: &mut Report, path: &str, wandb_access: bool) -> BTreeSet<Kind> {
    let mut aspects = BTreeSet::new();
    for (element, text) in field.texts(report) {
        let Some(aspect) = Kind::of_aspect(RootKind::Bucket, text) else {
            let names = BUCKET_ASPECTS.iter().filter_map(|kind| kind.aspect());
            let owner = BUCKET_ASPECTS.into_iter().find(|kind| fields_of(*kind).contains(&text));
            let label = match owner.and_then(Kind::aspect).or_else(|| nearest(text, names)) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "a bucket has no such aspect".to_owned(),
            };
            element.error(report, format!("`{text}` is not an aspect of a bucket"), label, element.help());
            continue;
        };
        let set = fields_of(aspect).iter().find(|name| report.span(&format!("{path}.{name}")).is_some());
        let grants = (aspect == Kind::BucketPolicy && wandb_access)
            .then(|| report.span(&format!("{path}.wandb_access")).map(|_| &"wandb_access"))
            .flatten();
        if let Some(name) = set.or(grants) {
            let message = format!("`{text}` is to be left alone, and `{name}` is set");
            let help = format!("take \"{text}\" out of `unmanaged`, or take `{name}` out");
            element.error(report, message, format!("`{name}` asks for something here"), help);
        }
        aspects.insert(aspect);
    }
    aspects
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse::shape;

    #[test]
    fn every_aspect_has_fields_and_every_such_field_exists() {
        for aspect in BUCKET_ASPECTS {
            assert!(!fields_of(aspect).is_empty(), "{aspect:?}");
            for name in fields_of(aspect) {
                assert!(shape::BUCKET.fields.iter().any(|(field, _)| field == name), "{name}");
            }
        }
    }
}
