//! Structural difference of two serialised attribute sets, at leaves. Objects are walked by key, lists of objects by
//! position; a list of plain values is one leaf, because it is a set. Meaning beyond structure (policies) is decided
//! before this is called.

use serde_json::Value;

use crate::plan::Change;

/// What a symbolic key looks like in serialised attributes (see `KeyRef::Managed`).
#[must_use]
pub fn is_unknown(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.len() == 1 && object.contains_key("arn_of"))
}

/// The leaves at which two values differ; `before` or `after` null means that side has nothing there.
#[must_use]
pub fn leaves(before: &Value, after: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    walk(&mut String::new(), before, after, &mut changes);
    changes
}

fn walk(path: &mut String, before: &Value, after: &Value, changes: &mut Vec<Change>) {
    if before == after {
        return;
    }
    let deep = |value: &Value| match value {
        Value::Object(object) => !object.is_empty() && !is_unknown(value),
        Value::Array(items) => items.iter().any(Value::is_object),
        _ => false,
    };
    if !deep(before) && !deep(after) {
        let unknown = is_unknown(after);
        let after = if unknown { Value::Null } else { after.clone() };
        changes.push(Change { path: path.clone(), before: before.clone(), after, unknown: Some(unknown) });
        return;
    }
    let mut parts: Vec<Part> = Vec::new();
    for side in [before, after] {
        match side {
            Value::Object(object) if !is_unknown(side) => parts.extend(object.keys().cloned().map(Part::Key)),
            Value::Array(items) => parts.extend((0..items.len()).map(Part::Index)),
            _ => {}
        }
    }
    parts.sort();
    parts.dedup();
    for part in parts {
        let length = path.len();
        path.push('/');
        match &part {
            Part::Index(index) => path.push_str(&index.to_string()),
            Part::Key(key) => path.push_str(&key.replace('~', "~0").replace('/', "~1")),
        }
        let at = |side: &Value| match &part {
            Part::Index(index) => side.get(index).cloned(),
            Part::Key(key) if !is_unknown(side) => side.get(key).cloned(),
            Part::Key(_) => None,
        };
        walk(path, &at(before).unwrap_or(Value::Null), &at(after).unwrap_or(Value::Null), changes);
        path.truncate(length);
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Index(usize),
    Key(String),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(before: &Value, after: &Value) -> Vec<String> {
        leaves(before, after).into_iter().map(|c| c.path).collect()
    }

    #[test]
    fn equal_values_have_no_leaves() {
        assert!(leaves(&json!({"a": [1, {"b": 2}]}), &json!({"a": [1, {"b": 2}]})).is_empty());
    }

    #[test]
    fn objects_are_walked_and_plain_lists_are_leaves() {
        let before = json!({"rules": [{"m": ["GET"], "s": 1}], "x": true});
        let after = json!({"rules": [{"m": ["GET", "PUT"], "s": 1}, {"m": [], "s": 2}], "x": true});
        assert_eq!(paths(&before, &after), ["/rules/0/m", "/rules/1/m", "/rules/1/s"]);
    }

    #[test]
    fn slashes_and_tildes_in_keys_are_escaped_as_json_pointers() {
        assert_eq!(paths(&json!({"a/b~c": 1}), &json!({})), ["/a~1b~0c"]);
    }

    #[test]
    fn a_symbolic_key_is_an_unknown_leaf_with_no_after() {
        let changes = leaves(&json!({"k": null}), &json!({"k": {"arn_of": "key.a"}}));
        assert_eq!(changes.len(), 1);
        assert_eq!((changes[0].unknown, &changes[0].after), (Some(true), &Value::Null));
    }

    #[test]
    fn a_numeric_object_key_of_eight_digits_keeps_its_zeros() {
        // A tag key may look like a list position, and "0" may not be taken for one.
        assert_eq!(paths(&json!({"t": {"0": "a"}}), &json!({"t": [{"x": 1}]})), ["/t/0/x", "/t/0"]);
        assert_eq!(paths(&json!({"t": {"00000001": "a"}}), &json!({"t": {}})), ["/t/00000001"]);
    }
}
