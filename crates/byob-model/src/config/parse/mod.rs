//! From the text of `byob.toml` to [`Configuration`]: one file an aspect, each taking its own fields from the spanned
//! TOML table; what concerns several tables stands in `across`. Every rule that AWS has for a value is checked here,
//! before any call.

mod access_block;
mod across;
mod aws;
mod bucket;
mod cors;
mod encryption;
mod forget;
mod key;
mod lifecycle;
mod logging;
mod naming;
mod network;
mod object_lock;
mod policy;
mod principal;
mod reader;
mod region;
mod shape;
mod state;
mod syntax;
mod tags;
mod waive;
mod wandb;

use std::collections::BTreeMap;

use byob_policy::arn::Partition;
use toml::de::{DeTable, DeValue};

pub(super) use self::bucket::fields_of;
use self::reader::{Field, Report, Table};
use self::shape::Shape;
use super::{Configuration, Deployment, ReadFile};
use crate::address::is_label;
use crate::diagnostic::Diagnostic;

/// The version of the format that is read here.
const VERSION: i64 = 1;
const DEFAULT_STACK: &str = "default";

/// What parsers of single tables need to know of the rest of the file.
struct Context<'a> {
    report: Report,
    read_file: &'a ReadFile<'a>,
    /// Of the whole file: an account lives in one partition.
    partition: Partition,
    /// `[aws]` region.
    region: Option<String>,
    /// `None` where it is missing or wrong.
    deployment: Option<Deployment>,
    bucket_labels: Vec<String>,
    key_labels: Vec<String>,
}

/// See [`super::parse`].
pub(super) fn parse(text: &str, read_file: &ReadFile<'_>) -> Result<Configuration, Vec<Diagnostic>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(syntax::diagnostics(text, &errors));
    }
    let document = document.into_inner();
    let mut context = Context {
        report: Report::default(),
        read_file,
        partition: region::partition_of_file(&document),
        region: None,
        deployment: None,
        bucket_labels: labels(&document, "bucket"),
        key_labels: labels(&document, "key"),
    };
    let mut file = Table::new(String::new(), None, &shape::FILE, &document);
    if let Err(newer) = version(&mut context.report, &mut file) {
        // Whatever else a newer file holds would be misread.
        return Err(vec![newer]);
    }
    let stack = stack(&mut context.report, &mut file);
    let aws = aws::aws(&mut context, &mut file);
    context.region.clone_from(&aws.region);
    let wandb = wandb::wandb(&mut context, &mut file);
    let state = state::state(&mut context, &mut file);
    let tags = tags::tags(&mut context.report, &mut file);
    let buckets = tables(&mut context, &mut file, "bucket", &shape::BUCKET, bucket::bucket);
    let keys = tables(&mut context, &mut file, "key", &shape::KEY, key::key);
    let forget = forget::forget(&mut context, &mut file);
    let waivers = waive::waivers(&mut context, &mut file);
    file.finish(&mut context.report);

    let Context { mut report, .. } = context;
    let spans = BTreeMap::new();
    let mut configuration =
        Configuration { stack, aws, wandb, state, tags, forget, buckets, keys, waivers, spans };
    across::check(&mut configuration, &mut report);
    configuration.spans = report.finish()?;
    Ok(configuration)
}

/// `version = 1`; the error of a newer one comes back by itself.
fn version(report: &mut Report, file: &mut Table<'_>) -> Result<(), Diagnostic> {
    let Some(field) = file.require(report, "version") else { return Ok(()) };
    match field.value {
        DeValue::Integer(integer) if integer.as_str().parse().is_ok_and(|number: i64| number > VERSION) => {
            Err(Diagnostic {
                message: format!("`version = {integer}` is newer than this byob"),
                span: Some(field.span),
                label: format!("this byob reads version {VERSION}"),
                help: "install a newer byob, or write the file for version 1".to_owned(),
            })
        }
        _ => {
            field.number(report, VERSION..=VERSION);
            Ok(())
        }
    }
}

fn stack(report: &mut Report, file: &mut Table<'_>) -> String {
    let default = || DEFAULT_STACK.to_owned();
    let Some(field) = file.take(report, "stack") else { return default() };
    let Some(text) = field.nonempty_text(report) else { return default() };
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if text.len() > 64 || !text.chars().all(is_allowed) {
        let message = format!("`stack` cannot be \"{text}\"");
        field.error(report, message, "must be 1 to 64 of A-Z a-z 0-9 _ -", suggest_plain(text, 64));
    }
    text.to_owned()
}

/// `[bucket.*]` or `[key.*]`, by label.
fn tables<T>(
    context: &mut Context<'_>,
    file: &mut Table<'_>,
    name: &'static str,
    shape: &'static Shape,
    parse: impl Fn(&mut Context<'_>, &Field<'_>) -> Option<T>,
) -> BTreeMap<String, T> {
    let mut tables = BTreeMap::new();
    let Some(field) = file.take(&mut context.report, name) else { return tables };
    let entries = field.entries(&mut context.report, "a table with a label of your own").unwrap_or_default();
    let is_field = |entry: &Field<'_>| !entry.value.is_table() && !shape.what(entry.name).is_empty();
    if entries.iter().any(is_field) {
        let help = format!("`{name}` is {}", field.what);
        field.error(&mut context.report, format!("`[{name}]` has no label"), format!("which {name}?"), help);
        return tables;
    }
    for entry in entries {
        if !is_label(entry.name) {
            let message = format!("`{}` cannot be a label", entry.name);
            let label = "must be 1 to 64 of A-Z a-z 0-9 _ -, first a letter or digit";
            context.report.error(entry.key, message, label, suggest_plain(entry.name, 64));
        }
        if !entry.value.is_table() {
            let help = format!("write a header `[{name}.{}]`, and its fields below it", entry.name);
            let message = format!("`{name}.{}` must be a table", entry.name);
            entry.error(&mut context.report, message, "this is no table", help);
            continue;
        }
        if let Some(table) = parse(context, &entry) {
            tables.insert(entry.name.to_owned(), table);
        }
    }
    tables
}

/// The labels of `[bucket.*]` or `[key.*]`, whatever stands in the tables.
fn labels(document: &DeTable<'_>, name: &str) -> Vec<String> {
    match document.get(name).map(toml::Spanned::get_ref) {
        Some(DeValue::Table(table)) => table.keys().map(|key| key.get_ref().to_string()).collect(),
        _ => Vec::new(),
    }
}

/// Help for a text that should consist of letters, digits, `_` and `-`.
fn suggest_plain(text: &str, limit: usize) -> String {
    let plain: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
        .take(limit)
        .collect();
    let plain = plain.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if plain.is_empty() {
        "choose another, such as `storage`".to_owned()
    } else {
        format!("`{plain}` would be valid")
    }
}

/// Every field of every table.
pub(super) fn fields() -> impl Iterator<Item = (&'static str, &'static str)> {
    shape::ALL.into_iter().flat_map(|shape| shape.fields.iter().map(|(name, _)| (shape.title, *name)))
}

#[cfg(test)]
mod tests;
