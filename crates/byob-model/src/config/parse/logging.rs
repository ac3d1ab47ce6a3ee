//! `logging`: where a bucket's server access logs go.

use super::naming;
use super::reader::{Field, nearest};
use super::{Context, shape};
use crate::config::{LogTarget, LoggingField};
use crate::kind::KeyFormat;

const FORMATS: [(&str, KeyFormat); 3] = [
    ("simple", KeyFormat::Simple),
    ("partitioned-by-event-time", KeyFormat::PartitionedByEventTime),
    ("partitioned-by-delivery-time", KeyFormat::PartitionedByDeliveryTime),
];

pub(super) fn logging(context: &mut Context<'_>, field: &Field<'_>) -> Option<LoggingField> {
    let mut table = field.table(&mut context.report, &shape::LOGGING)?;
    let target =
        table.require(&mut context.report, "target_bucket").and_then(|field| target(context, &field));
    let report = &mut context.report;
    let prefix = table.take(report, "target_prefix").and_then(|field| field.text(report)).unwrap_or_default();
    let key_format = table.take(report, "key_format").and_then(|field| field.one_of(report, &FORMATS));
    table.finish(report);
    Some(LoggingField { target_bucket: target?, target_prefix: prefix.to_owned(), key_format })
}

fn target(context: &mut Context<'_>, field: &Field<'_>) -> Option<LogTarget> {
    let text = field.text(&mut context.report)?;
    let Some(label) = text.strip_prefix("bucket.") else {
        naming::check_name(field, &mut context.report, text)?;
        return Some(LogTarget::Name(text.to_owned()));
    };
    if !context.bucket_labels.iter().any(|known| known == label) {
        let mark = match nearest(label, context.bucket_labels.iter().map(String::as_str)) {
            Some(near) => format!("did you mean \"bucket.{near}\"?"),
            None => format!("there is no `[bucket.{label}]`"),
        };
        let help = format!("add a table `[bucket.{label}]`, or give the name of a bucket that exists");
        field.error(&mut context.report, format!("`bucket.{label}` is not in this file"), mark, help);
        return None;
    }
    Some(LogTarget::Label(label.to_owned()))
}
