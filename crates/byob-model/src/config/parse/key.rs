//! `[key.*]`.
//!
//! Source: KMS API reference, `CreateKey`, `CreateAlias`, `EnableKeyRotation`, `ScheduleKeyDeletion`.

use std::collections::BTreeSet;

use toml::de::DeValue;

use super::reader::{Field, Report};
use super::{Context, principal, region, shape, tags};
use crate::config::{KeyTable, RotationField};

const ALIAS_PREFIX: &str = "alias/";
const MAX_ALIAS: usize = 256;
const MAX_DESCRIPTION: usize = 8_192;
const DEFAULT_DELETION_WINDOW_DAYS: u32 = 30;

/// One table; the region of the buckets on it is filled in later, where all buckets are known.
pub(super) fn key(context: &mut Context<'_>, field: &Field<'_>) -> Option<KeyTable> {
    let Context { report, partition, .. } = context;
    let mut table = field.table(report, &shape::KEY)?;
    let alias = table.require(report, "alias").and_then(|field| alias(&field, report));
    let key = KeyTable {
        alias: alias.unwrap_or_default(),
        region: table.take(report, "region").and_then(|field| region::region(&field, report, *partition)),
        description: table.take(report, "description").and_then(|field| description(&field, report)),
        rotation: table.take(report, "rotation_days").and_then(|field| rotation(&field, report)),
        deletion_window_days: table
            .take(report, "deletion_window_days")
            .and_then(|field| field.small_number(report, 7..=30))
            .unwrap_or(DEFAULT_DELETION_WINDOW_DAYS),
        protect: table.take(report, "protect").and_then(|field| field.boolean(report)).unwrap_or(true),
        managers: table
            .take(report, "managers")
            .map_or_else(BTreeSet::new, |field| principal::principals(&field, report, *partition)),
        tags: tags::tags(report, &mut table),
    };
    table.finish(report);
    Some(key)
}

/// The alias with its prefix.
fn alias(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let text = field.nonempty_text(report)?;
    let name = text.strip_prefix(ALIAS_PREFIX).unwrap_or(text);
    let message = format!("`{text}` cannot be the alias of a key");
    if name.starts_with("aws/") {
        field.error(
            report,
            message,
            "`alias/aws/` is reserved by AWS",
            "choose a name that does not begin with `aws/`",
        );
        return None;
    }
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "/_-".contains(c);
    if name.is_empty() || !name.chars().all(is_allowed) {
        let plain: String = name.chars().map(|c| if is_allowed(c) { c } else { '-' }).collect();
        let plain = plain.trim_matches(['-', '/']);
        let help = if plain.is_empty() || text.starts_with("arn:") {
            field.help()
        } else {
            format!("`{plain}` would be valid")
        };
        field.error(report, message, "only letters, digits, `/`, `_` and `-` are allowed", help);
        return None;
    }
    let alias = format!("{ALIAS_PREFIX}{name}");
    if alias.len() > MAX_ALIAS {
        field.error(
            report,
            "the alias of a key is too long",
            "at most 250 characters are allowed",
            "shorten it",
        );
        return None;
    }
    Some(alias)
}

fn description(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let text = field.text(report)?;
    if text.chars().count() > MAX_DESCRIPTION {
        field.error(
            report,
            "the description of a key is too long",
            "at most 8,192 characters are allowed",
            "shorten it",
        );
    }
    Some(text.to_owned())
}

fn rotation(field: &Field<'_>, report: &mut Report) -> Option<RotationField> {
    match field.value {
        DeValue::Integer(_) => field.small_number(report, 90..=2_560).map(RotationField::Days),
        DeValue::String(text) if text == "off" => Some(RotationField::Off),
        DeValue::Boolean(false) => {
            field.error(report, "`rotation_days` cannot be false", "did you mean \"off\"?", field.help());
            None
        }
        _ => {
            let label = "neither a number of days nor \"off\"";
            field.error(report, "`rotation_days` must be a number or \"off\"", label, field.help());
            None
        }
    }
}
