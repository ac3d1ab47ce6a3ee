//! Names and values as words: JSON Pointers shortened to what reads well, values so that a text can never be taken for a
//! marker such as `(none)`.

use byob_model::address::Kind;
use byob_model::kind::Attributes;
use byob_plan::plan::Change;
use serde_json::Value;

use crate::summary;

/// Lists longer than this, in characters, are shown by what is added and removed.
const LONG_LIST: usize = 60;

/// The name of a kind inside its root's group: `policy`, or `bucket`.
pub(crate) fn name(kind: Kind) -> &'static str {
    kind.aspect().unwrap_or(kind.root().as_str())
}

/// A text as it is where it is a plain word, else in quotes.
pub(crate) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-:/.@+=*?${}".contains(c);
    let looks_like_another = matches!(text, "true" | "false" | "null") || text.parse::<f64>().is_ok();
    if !text.is_empty() && text.chars().all(plain) && !looks_like_another {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A list of texts: `GET, HEAD`.
pub(crate) fn list<'a>(texts: impl IntoIterator<Item = &'a String>) -> String {
    texts.into_iter().map(|text| word(text)).collect::<Vec<_>>().join(", ")
}

/// A leaf.
fn leaf(value: &Value) -> String {
    match value {
        Value::String(text) => word(text),
        Value::Array(items) if items.is_empty() => "(empty)".into(),
        Value::Array(items) => items.iter().map(leaf).collect::<Vec<_>>().join(", "),
        Value::Object(object) if object.is_empty() => "(empty)".into(),
        other => other.to_string(),
    }
}

fn key_to_be(attributes: Option<&Attributes>, path: &str) -> Option<String> {
    let value = attributes?.to_value();
    Some(value.pointer(path)?.get("arn_of")?.as_str()?.to_owned())
}

/// `before → after`.
fn transition(change: &Change, after: Option<&Attributes>) -> String {
    if let (Value::Array(before), Value::Array(now)) = (&change.before, &change.after)
        && leaf(&change.before).len() + leaf(&change.after).len() > LONG_LIST
    {
        let missing_in = |from: &[Value], other: &[Value]| {
            let all: Vec<String> = from.iter().filter(|item| !other.contains(item)).map(leaf).collect();
            all.join(", ")
        };
        let (removed, added) = (missing_in(before, now), missing_in(now, before));
        let kept = before.iter().filter(|item| now.contains(item)).count();
        let mut parts = Vec::new();
        if !added.is_empty() {
            parts.push(format!("adds {added}"));
        }
        if !removed.is_empty() {
            parts.push(format!("removes {removed}"));
        }
        parts.push(format!("keeps {kept}"));
        return parts.join("; ");
    }
    let old = if change.before.is_null() { "(none)".into() } else { leaf(&change.before) };
    let new = match (&change.after, change.unknown) {
        (Value::Null, Some(true)) => match key_to_be(after, &change.path) {
            Some(key) => format!("{key} (arn known after apply)"),
            None => "(known after apply)".into(),
        },
        (Value::Null, _) if change.before.is_null() => "(none)".into(),
        (Value::Null, _) => "(removed)".into(),
        (value, _) => leaf(value),
    };
    format!("{old} → {new}")
}

/// Name and value of each difference. Rules that came or went are one row each.
pub(crate) fn rows(
    kind: Kind,
    changes: &[Change],
    before: Option<&Attributes>,
    after: Option<&Attributes>,
) -> Vec<(String, String)> {
    let (old, new) = (summary::rules(before), summary::rules(after));
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut whole: Option<usize> = None;
    for change in changes {
        if let Some((index, _)) = rule_of(&change.path) {
            if whole == Some(index) {
                continue;
            }
            let row = match (old.get(index), new.get(index)) {
                (None, Some(rule)) => Some(format!("(none) → {rule}")),
                (Some(rule), None) => Some(format!("{rule} → (removed)")),
                _ => None,
            };
            if let Some(row) = row {
                whole = Some(index);
                rows.push((format!("{}.rules[{index}]", name(kind)), row));
                continue;
            }
        }
        rows.push((label(kind, &change.path, before, after), transition(change, after)));
    }
    rows
}

/// The position in a list of rules, and what follows it.
fn rule_of(path: &str) -> Option<(usize, &str)> {
    let rest = path.strip_prefix("/rules/")?;
    let (index, rest) = rest.split_once('/').unwrap_or((rest, ""));
    Some((index.parse().ok()?, rest))
}

/// `tags.Owner`, `cors.allowed_methods`, `lifecycle.old-runs.enabled`, `protect`.
fn label(kind: Kind, path: &str, before: Option<&Attributes>, after: Option<&Attributes>) -> String {
    let parts = |path: &str| {
        let parts = path.split('/').filter(|part| !part.is_empty());
        parts.map(|part| word(&part.replace("~1", "/").replace("~0", "~"))).collect::<Vec<_>>()
    };
    let name = name(kind);
    if let Some((what, field)) = path.strip_prefix("/waivers/").and_then(|rest| rest.split_once('/')) {
        return format!("waiver of {what}, {field}");
    }
    if kind.is_root() {
        let parts = parts(path);
        return if parts.is_empty() { name.to_owned() } else { parts.join(".") };
    }
    if let Some((index, rest)) = rule_of(path) {
        let rule = match (before, after) {
            (Some(Attributes::Cors(b)), Some(Attributes::Cors(a)))
                if b.rules.len() == 1 && a.rules.len() == 1 =>
            {
                String::new()
            }
            (Some(Attributes::Lifecycle(b)), Some(Attributes::Lifecycle(a))) => {
                match (b.rules.get(index), a.rules.get(index)) {
                    (Some(b), Some(a)) if b.id == a.id => format!(".{}", word(&a.id)),
                    _ => format!(".rules[{index}]"),
                }
            }
            _ => format!(".rules[{index}]"),
        };
        return [&[format!("{name}{rule}")], parts(rest).as_slice()].concat().join(".");
    }
    match (kind, path) {
        // The one field says no more than the aspect.
        (Kind::Versioning, "/status") | (Kind::Ownership, "/object_ownership") | (Kind::Alias, "/name") => {
            name.to_owned()
        }
        _ => [&[name.to_owned()], parts(path).as_slice()].concat().join("."),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(path: &str, before: Value, after: Value) -> Change {
        Change { path: path.into(), before, after, unknown: Some(false) }
    }

    #[test]
    fn a_text_is_never_taken_for_a_marker_or_another_type() {
        for (text, shown) in [
            ("platform", "platform"),
            ("arn:aws:s3:::a/*", "arn:aws:s3:::a/*"),
            ("", "\"\""),
            ("(removed)", "\"(removed)\""),
            ("true", "\"true\""),
            ("12", "\"12\""),
            ("a → b", "\"a → b\""),
            ("a\"b\\c", "\"a\\\"b\\\\c\""),
        ] {
            assert_eq!(word(text), shown);
        }
    }

    #[test]
    fn paths_are_shortened() {
        let tag = change("/a~1b c", json!(null), json!("x"));
        assert_eq!(
            rows(Kind::BucketTags, &[tag], None, None),
            [("tags.\"a/b c\"".into(), "(none) → x".into())]
        );
        let status = change("/status", json!("Disabled"), json!("Enabled"));
        assert_eq!(
            rows(Kind::Versioning, &[status], None, None),
            [("versioning".into(), "Disabled → Enabled".into())]
        );
        let protect = change("/protect", json!(true), json!(false));
        assert_eq!(rows(Kind::Bucket, &[protect], None, None), [("protect".into(), "true → false".into())]);
        let gone = change("", json!("acme"), json!("absent"));
        assert_eq!(rows(Kind::Bucket, &[gone], None, None), [("bucket".into(), "acme → absent".into())]);
    }

    #[test]
    fn long_lists_say_what_comes_and_goes_and_hide_none_of_it() {
        let origins =
            |n: u8| Value::Array((0..n).map(|i| json!(format!("https://{i}.example.com"))).collect());
        let rows =
            rows(Kind::Cors, &[change("/rules/0/allowed_origins", origins(6), origins(7))], None, None);
        assert_eq!(
            rows,
            [("cors.rules[0].allowed_origins".into(), "adds https://6.example.com; keeps 6".into())]
        );
    }
}
