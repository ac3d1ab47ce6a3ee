//! Tags, of the file and of single tables.
//!
//! Source: S3 and KMS API references, "Tag" and tagging restrictions.

use std::collections::BTreeMap;

use super::reader::{Field, Report, Table};
use crate::kind::is_system_tag;

/// What AWS allows, less byob's own four (`byob:stack`, `byob:address`, `byob:lineage`, `byob:intent`).
pub(super) const MAX_TAGS: usize = 50 - 4;
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 256;

/// `tags` of a table; empty where absent.
pub(super) fn tags(report: &mut Report, table: &mut Table<'_>) -> BTreeMap<String, String> {
    let Some(field) = table.take(report, "tags") else { return BTreeMap::new() };
    let tags = entries(&field, report);
    if tags.len() > MAX_TAGS {
        let message = format!("{} tags are too many", tags.len());
        let label = format!("at most {MAX_TAGS} are allowed");
        field.error(report, message, label, "AWS allows 50 tags, and byob adds 4 of its own: take some out");
    }
    tags
}

/// The tags of a table, each within AWS's limits.
pub(super) fn entries(field: &Field<'_>, report: &mut Report) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for entry in field.entries(report, "a text of at most 256 characters").unwrap_or_default() {
        check_key(&entry, report);
        let Some(value) = entry.text(report) else { continue };
        if value.chars().count() > MAX_VALUE {
            let label = format!("{} characters; at most {MAX_VALUE} are allowed", value.chars().count());
            entry.error(
                report,
                format!("the value of the tag `{}` is too long", entry.name),
                label,
                "shorten it",
            );
        } else if let Some(c) = foreign_character(value) {
            let message = format!("the value of the tag `{}` cannot hold `{c}`", entry.name);
            entry.error(report, message, LABEL, HELP);
        }
        tags.insert(entry.name.to_owned(), value.to_owned());
    }
    tags
}

const LABEL: &str = "AWS does not take this character";
const HELP: &str = "use letters, digits, spaces and + - = . _ : / @";

fn check_key(entry: &Field<'_>, report: &mut Report) {
    let (key, length) = (entry.name, entry.name.chars().count());
    let mut error = |message: String, label: &str, help: &str| report.error(entry.key, message, label, help);
    if length == 0 {
        error("a tag has no name".to_owned(), "nothing stands here", "name the tag, or take it out");
    } else if length > MAX_KEY {
        error("the name of a tag is too long".to_owned(), "at most 128 characters are allowed", "shorten it");
    } else if let Some(c) = foreign_character(key) {
        error(format!("the name of a tag cannot hold `{c}`"), LABEL, HELP);
    } else if is_system_tag(key) {
        error(
            format!("`{key}` cannot be set"),
            "`aws:` is reserved by AWS",
            "choose a name that does not begin with `aws:`",
        );
    } else if key.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("byob:")) {
        error(
            format!("`{key}` cannot be set"),
            "`byob:` is reserved by byob",
            "choose a name that does not begin with `byob:`",
        );
    }
}

/// The first character that a tag may not hold.
fn foreign_character(text: &str) -> Option<char> {
    text.chars().find(|c| !(c.is_alphanumeric() || *c == ' ' || "+-=._:/@".contains(*c)))
}
