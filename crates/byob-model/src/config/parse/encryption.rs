//! `encryption`: the default encryption of a bucket, and the key it names.

use byob_policy::arn::{Arn, Partition};

use super::reader::{Field, Report, nearest};
use super::{Context, principal, shape};
use crate::address::RootAddress;
use crate::config::EncryptionField;
use crate::kind::KeyRef;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    SseS3,
    SseKms,
    DsseKms,
}

const TYPES: [(&str, Type); 3] =
    [("sse-s3", Type::SseS3), ("sse-kms", Type::SseKms), ("dsse-kms", Type::DsseKms)];
/// As S3 spells them, for "did you mean".
const AWS_SPELLING: [(&str, &str); 3] =
    [("aes256", "sse-s3"), ("aws:kms", "sse-kms"), ("aws:kms:dsse", "dsse-kms")];

/// The field, for a bucket in a region (`None` where that is wrong).
pub(super) fn encryption(
    context: &mut Context<'_>,
    field: &Field<'_>,
    region: Option<&str>,
) -> Option<EncryptionField> {
    if field.value.as_str().is_some() {
        return match kind(field, &mut context.report)? {
            Type::SseS3 => Some(EncryptionField::SseS3),
            Type::SseKms | Type::DsseKms => {
                let text = field.text(&mut context.report)?;
                let example = context.key_labels.first().map_or("<label>", String::as_str);
                let help = format!(
                    "write `encryption = {{ type = \"{text}\", key = \"key.{example}\" }}`, or the ARN of a key"
                );
                field.error(&mut context.report, format!("\"{text}\" needs a key"), "no key is named", help);
                None
            }
        };
    }
    if !field.value.is_table() {
        field.wrong_type(&mut context.report, "a string or a table");
        return None;
    }
    let mut table = field.table(&mut context.report, &shape::ENCRYPTION)?;
    let report = &mut context.report;
    let kind_field = table.require(report, "type");
    let kind = kind_field.as_ref().and_then(|field| kind(field, report));
    let key_field = table.take(report, "key");
    let bucket_key_field = table.take(report, "bucket_key");
    let bucket_key = bucket_key_field.as_ref().map(|field| field.boolean(report));
    if let (Some(field), Some(Type::SseS3)) = (&key_field, kind) {
        let help = "take `key` out, or write `type = \"sse-kms\"`";
        report.error(field.key, "\"sse-s3\" has no key of yours", "S3 has its own keys here", help);
    }
    if let (Some(field), Some(Type::SseS3 | Type::DsseKms)) = (&bucket_key_field, kind) {
        let help = "take `bucket_key` out, or write `type = \"sse-kms\"`";
        report.error(field.key, "only \"sse-kms\" has a bucket key", "does not belong here", help);
    }
    if let (None, Some(Type::SseKms | Type::DsseKms)) = (&key_field, kind) {
        table.require(report, "key");
    }
    table.finish(report);
    let key = key_field.filter(|_| kind != Some(Type::SseS3)).and_then(|field| key(context, &field, region));
    match kind? {
        Type::SseS3 => Some(EncryptionField::SseS3),
        Type::SseKms => {
            Some(EncryptionField::SseKms { key: key?, bucket_key: bucket_key.flatten().unwrap_or(true) })
        }
        Type::DsseKms => Some(EncryptionField::DsseKms { key: key? }),
    }
}

fn kind(field: &Field<'_>, report: &mut Report) -> Option<Type> {
    let text = field.text(report)?;
    let lower = text.to_ascii_lowercase();
    if let Some((_, ours)) = AWS_SPELLING.iter().find(|(theirs, _)| *theirs == lower) {
        let message = format!("`{}` cannot be \"{text}\"", field.name);
        field.error(report, message, format!("did you mean \"{ours}\"?"), field.help());
        return None;
    }
    field.one_of(report, &TYPES)
}

fn key(context: &mut Context<'_>, field: &Field<'_>, region: Option<&str>) -> Option<KeyRef> {
    let text = field.nonempty_text(&mut context.report)?;
    if let Some(label) = text.strip_prefix("key.") {
        return managed(context, field, label);
    }
    let report = &mut context.report;
    if text.starts_with("alias/") || text.contains(":alias/") {
        let help =
            "an alias is looked up in the account of whoever writes, which is W&B's: give the key's ARN";
        field.error(report, format!("`{text}` is an alias"), "must be a key", help);
        return None;
    }
    if !text.starts_with("arn:") {
        let label = match nearest(text, context.key_labels.iter().map(String::as_str)) {
            Some(label) => format!("did you mean \"key.{label}\"?"),
            None => "neither \"key.<label>\" nor an ARN".to_owned(),
        };
        field.error(report, format!("`{text}` is not a key"), label, field.help());
        return None;
    }
    let arn = key_arn(field, report, text, context.partition)?;
    if let Some(region) = region
        && arn.region != region
    {
        let label = format!("this key is in {}, the bucket in {region}", arn.region);
        let help = format!("S3 takes keys of the bucket's own region only: name one in {region}");
        field.error(report, "the key is in another region than the bucket", label, help);
        return None;
    }
    Some(KeyRef::Arn(text.to_owned()))
}

/// The ARN of a KMS key (not of an alias); `None` where it is another, which is reported.
pub(super) fn key_arn(
    field: &Field<'_>,
    report: &mut Report,
    text: &str,
    partition: Partition,
) -> Option<Arn> {
    let arn = principal::arn(field, report, text, partition)?;
    let id = arn.resource.strip_prefix("key/").unwrap_or_default();
    let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if arn.service != "kms" || arn.account_id().is_none() || !is_id {
        let label = format!("must look like arn:{partition}:kms:<region>:<account id>:key/<id>");
        field.error(report, format!("`{text}` is not the ARN of a KMS key"), label, field.help());
        return None;
    }
    Some(arn)
}

fn managed(context: &mut Context<'_>, field: &Field<'_>, label: &str) -> Option<KeyRef> {
    let labels = &context.key_labels;
    if labels.iter().any(|known| known == label) {
        return Some(KeyRef::Managed { arn_of: RootAddress::key(label) });
    }
    let mark = match nearest(label, labels.iter().map(String::as_str)) {
        Some(near) => format!("did you mean \"key.{near}\"?"),
        None => format!("there is no `[key.{label}]`"),
    };
    let help = format!("add a table `[key.{label}]` with an `alias`, or give the ARN of a key that exists");
    field.error(&mut context.report, format!("`key.{label}` is not in this file"), mark, help);
    None
}
