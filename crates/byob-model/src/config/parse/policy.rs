//! What `extra_statements` and `policy_file` add to a bucket's policy, and `foreign_statements`.

use byob_policy::arn::{Arn, Partition};
use byob_policy::operator::UnknownOperator;
use byob_policy::{Document, PrincipalElement, Problem, ResourceElement, Statement, Version};
use serde_json::json;

use super::Context;
use super::reader::{Field, Report, Table, find_text};
use crate::config::{ForeignStatements, NameSource};
use crate::kind::{Purpose, WANDB_SID, is_our_sid};
use crate::refused::{Reading, Refused};

/// What the `Sid`s of further statements begin with where byob must tell them from other teams'.
const EXTRA_SID_PREFIX: &str = "ByobExtra";

/// How messages call a statement that the mark itself shows.
const INLINE: &str = "the statement";

const FOREIGN: [(&str, ForeignStatements); 2] =
    [("remove", ForeignStatements::Remove), ("keep", ForeignStatements::Keep)];

/// What statements are held against.
struct Rules<'a> {
    partition: Partition,
    name: Option<&'a NameSource>,
    keeps_foreign: bool,
    reading: Reading,
}

/// `extra_statements`, then those of `policy_file`; and `foreign_statements`.
pub(super) fn statements(
    context: &mut Context<'_>,
    table: &mut Table<'_>,
    name: Option<&NameSource>,
    purpose: Purpose,
) -> (Vec<Statement>, Option<ForeignStatements>) {
    let Context { report, read_file, partition, .. } = context;
    let foreign = table.take(report, "foreign_statements").and_then(|field| field.one_of(report, &FOREIGN));
    let keeps_foreign = match foreign {
        Some(foreign) => foreign == ForeignStatements::Keep,
        None => purpose == Purpose::Reference,
    };
    let mut rules = Rules { partition: *partition, name, keeps_foreign, reading: Reading::new(*partition) };
    let mut statements = Vec::new();
    if let Some(field) = table.take(report, "extra_statements") {
        for element in field.list(report).unwrap_or_default() {
            if let Some(statement) = inline(&element, report) {
                rules.check(&statement, report, &element, INLINE);
                statements.push(statement);
            }
        }
    }
    if let Some(field) = table.take(report, "policy_file")
        && let Some((path, document)) = file(&field, report, *read_file)
    {
        for (index, statement) in document.statements.into_iter().enumerate() {
            rules.check(&statement, report, &field, &format!("statement {} of `{path}`", index + 1));
            statements.push(statement);
        }
    }
    (statements, foreign)
}

fn inline(field: &Field<'_>, report: &mut Report) -> Option<Statement> {
    if !field.value.is_table() {
        field.error(report, "`extra_statements` must be a list of tables", "this is no table", field.help());
        return None;
    }
    match Document::from_value(&json!({ "Version": "2012-10-17", "Statement": [field.json()] })) {
        Ok(document) => document.statements.into_iter().next(),
        Err(error) => {
            let guilty = match &error.problem {
                Problem::UnknownElement { name: text, .. }
                | Problem::UnknownEffect { found: text }
                | Problem::UntypedPrincipal { found: text }
                | Problem::UnknownOperator(UnknownOperator { found: text, .. }) => Some(text.as_str()),
                Problem::BothElements { second, .. } => Some(*second),
                _ => None,
            };
            let span = guilty.and_then(|text| find_text(field.value, text)).unwrap_or(field.span);
            report.error(span, error.message(), "not in the policy language", error.help());
            None
        }
    }
}

/// Reads the policy of `policy_file`. What is wrong inside it is said with its own line and column.
fn file<'t>(
    field: &Field<'t>,
    report: &mut Report,
    read_file: &super::ReadFile<'_>,
) -> Option<(&'t str, Document)> {
    let path = field.nonempty_text(report)?;
    let is_absolute = path.starts_with(['/', '\\']) || path.get(1..2) == Some(":");
    if is_absolute || path.split(['/', '\\']).any(|part| part == "..") {
        let help = "put the file into the folder of `byob.toml` or one below it, and name it from there";
        field.error(
            report,
            "`policy_file` must lie below the folder of `byob.toml`",
            "this leads elsewhere",
            help,
        );
        return None;
    }
    let text = match read_file(path) {
        Ok(text) => text,
        Err(reason) => {
            let help = "the path is relative to the folder of `byob.toml`";
            field.error(report, format!("`{path}` cannot be read: {reason}"), "named here", help);
            return None;
        }
    };
    match Document::parse(&text) {
        Ok(document) => {
            written_variables(&document, path, field, report);
            Some((path, document))
        }
        Err(error) => {
            let message = format!("{path}:{}:{}: {}", error.line, error.column, error.message());
            field.error(report, message, "this file is not a policy", error.help());
            None
        }
    }
}

/// byob puts policies of 2012-10-17, in which `${` begins a variable. In 2008-10-17, and in a file without a `Version`, it
/// is text: which of the two is meant has to be said.
///
/// Source: IAM user guide, "IAM policy elements: Version", "Policy variables".
fn written_variables(document: &Document, path: &str, field: &Field<'_>, report: &mut Report) {
    if document.version == Version::V2012 {
        return;
    }
    for (index, statement) in document.statements.iter().enumerate() {
        let resources = statement.resource.iter().flat_map(ResourceElement::resources);
        let values = statement.condition.values().flat_map(|keys| keys.values()).flatten();
        let Some(value) = resources.chain(values).find(|value| value.contains("${")) else { continue };
        let message = format!(
            "statement {} of `{path}`: `${{` in `{value}` is plain text in version 2008-10-17, and byob puts 2012-10-17",
            index + 1
        );
        let help = "write \"Version\": \"2012-10-17\" into the file; where `${` is to be text, write `${$}{`";
        field.error(report, message, "a variable, or text?", help);
    }
}

impl Rules<'_> {
    fn check(&mut self, statement: &Statement, report: &mut Report, place: &Field<'_>, subject: &str) {
        let is_bucket = |name: &str| self.name.is_some_and(|source| may_be(source, name));
        // A name that is missing or wrong has its own error.
        let is_bucket: Option<&dyn Fn(&str) -> bool> = self.name.is_some().then_some(&is_bucket);
        let refused = self.reading.next(statement, is_bucket);
        self.check_sid(statement.sid.as_deref(), &refused, report, place, subject);
        if let Some(principal) = &statement.principal {
            self.check_principal(principal, report, place, subject);
        }
        let at = |text: &str| find_text(place.value, text).unwrap_or(place.span);
        for one in refused {
            match one {
                Refused::NoPrincipal => {
                    let help = "a bucket policy says to whom: add `Principal = { AWS = \"arn:…\" }`";
                    report.error(place.span, format!("{subject} has no `Principal`"), "for whom?", help);
                }
                Refused::ActionOfOthers(action) => report.error(
                    at(action),
                    format!("{}`{action}` is not an action of S3", within(subject)),
                    "AWS would refuse the policy",
                    "a bucket policy is about actions of S3, such as `s3:GetObject`",
                ),
                Refused::NoResource => {
                    let help = format!("say on what: {}", self.resources());
                    report.error(place.span, format!("{subject} has no `Resource`"), "on what?", help);
                }
                Refused::OtherResource(resource) => report.error(
                    at(resource),
                    format!("{}`{resource}` is neither this bucket nor its objects", within(subject)),
                    "AWS would refuse the policy",
                    format!("write {}", self.resources()),
                ),
                // Said with what else is wrong with it.
                Refused::SidTwice(_) => {}
            }
        }
    }

    fn check_sid(
        &self,
        sid: Option<&str>,
        refused: &[Refused<'_>],
        report: &mut Report,
        place: &Field<'_>,
        subject: &str,
    ) {
        let sid = sid.unwrap_or_default();
        let span = find_text(place.value, sid).unwrap_or(place.span);
        let is_extra = sid.starts_with(EXTRA_SID_PREFIX);
        if sid == WANDB_SID || (is_our_sid(Some(sid)) && !is_extra) {
            let label = format!("`{WANDB_SID}` and `Byob…` are reserved for byob's own statements");
            let help = format!("choose another `Sid`, such as `{EXTRA_SID_PREFIX}Backup`");
            report.error(span, format!("{subject} cannot have the `Sid` `{sid}`"), label, help);
        } else if self.keeps_foreign && !is_extra {
            let message = format!("{subject} needs a `Sid` that begins with `{EXTRA_SID_PREFIX}`");
            let help = "others' statements stay here (`foreign_statements` is \"keep\"): byob knows its own by the `Sid`";
            let plain: String = sid.chars().filter(char::is_ascii_alphanumeric).collect();
            let suggestion = if plain.is_empty() { "Backup" } else { &plain };
            report.error(span, message, format!("such as `{EXTRA_SID_PREFIX}{suggestion}`"), help);
        } else if refused.contains(&Refused::SidTwice(sid)) {
            let help = "AWS takes each `Sid` once in a policy: choose another";
            report.error(
                span,
                format!("two statements have the `Sid` `{sid}`"),
                "stands here a second time",
                help,
            );
        }
    }

    fn check_principal(
        &self,
        principal: &PrincipalElement,
        report: &mut Report,
        place: &Field<'_>,
        subject: &str,
    ) {
        for value in principal.principals().0.values().flatten() {
            if let Ok(arn) = value.parse::<Arn>()
                && arn.partition != self.partition
            {
                let within = within(subject);
                let message =
                    format!("{within}`{value}` is in another partition of AWS than the rest of the file");
                let label = format!("this names {}, the rest is in {}", arn.partition, self.partition);
                let help = format!(
                    "write `arn:{}:…`: what lies in one partition cannot be reached from another",
                    self.partition
                );
                let span = find_text(place.value, value).unwrap_or(place.span);
                report.error(span, message, label, help);
            }
        }
    }

    /// What a `Resource` may be.
    fn resources(&self) -> String {
        let name = match self.name {
            Some(NameSource::Exact(name)) => name.clone(),
            Some(NameSource::Prefix { prefix, .. }) => format!("{prefix}-file-storage-<two words>"),
            None => "<name>".to_owned(),
        };
        let arn = format!("arn:{}:s3:::{name}", self.partition);
        format!("\"{arn}\" for the bucket, \"{arn}/*\" for its objects")
    }
}

/// Whether a bucket may have this name.
fn may_be(source: &NameSource, name: &str) -> bool {
    match source {
        NameSource::Exact(exact) => name == exact,
        NameSource::Prefix { prefix, .. } => name.starts_with(&format!("{prefix}-file-storage-")),
    }
}

/// Says which statement a message is about, where the mark cannot show it.
fn within(subject: &str) -> String {
    if subject == INLINE { String::new() } else { format!("{subject}: ") }
}
