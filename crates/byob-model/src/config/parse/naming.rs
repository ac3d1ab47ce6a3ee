//! `name`, `name_prefix` and `name_salt`.

use super::reader::{Field, Report, Table};
use crate::config::NameSource;
use crate::name::{self, NameError};

/// The name, or what it is made from. `None` where it is missing or wrong, which is reported.
pub(super) fn name(report: &mut Report, table: &mut Table<'_>) -> Option<NameSource> {
    let exact = table.take(report, "name");
    let prefix = table.take(report, "name_prefix");
    let salt = table.take(report, "name_salt");
    if let (Some(salt), None) = (&salt, &prefix) {
        let help =
            "`name_salt` changes the words that follow `name_prefix`: take it out, or use `name_prefix`";
        report.error(salt.key, "`name_salt` without `name_prefix`", "there is no name to make", help);
    }
    let salt = salt.and_then(|field| field.nonempty_text(report)).map(str::to_owned);
    match (exact, prefix) {
        (Some(exact), None) => {
            let text = exact.text(report)?;
            check_name(&exact, report, text)?;
            Some(NameSource::Exact(text.to_owned()))
        }
        (None, Some(prefix)) => {
            let text = prefix.text(report)?;
            checked(&prefix, report, text, name::check_prefix(text))?;
            Some(NameSource::Prefix { prefix: text.to_owned(), salt })
        }
        (Some(exact), Some(prefix)) => {
            let later = if exact.key.start > prefix.key.start { &exact } else { &prefix };
            let help = "keep `name` for an exact name, or `name_prefix` to have one made";
            report.error(later.key, "`name` and `name_prefix` together", "one of them too many", help);
            None
        }
        (None, None) => {
            let help = "add `name = \"exact-name\"`, or `name_prefix = \"acme\"` to have one made";
            report.error(table.span, "the bucket has no name", "`name` or `name_prefix` is missing", help);
            None
        }
    }
}

/// The name of a bucket, of this file or not; `None` where it is reported.
pub(super) fn check_name(field: &Field<'_>, report: &mut Report, text: &str) -> Option<()> {
    checked(field, report, text, name::check_bucket_name(text))
}

fn checked(field: &Field<'_>, report: &mut Report, text: &str, result: Result<(), NameError>) -> Option<()> {
    let Err(NameError { problem, suggestion }) = result else { return Some(()) };
    let what = if field.name == "name_prefix" { "name prefix" } else { "bucket name" };
    let help = suggestion.map_or_else(|| field.help(), |name| format!("`{name}` would be valid"));
    field.error(report, format!("{what} `{text}` cannot exist in AWS"), problem.to_string(), help);
    None
}
