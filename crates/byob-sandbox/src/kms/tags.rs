//! Tags of keys: limits, unique keys, reserved prefix.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::key::{Facet, Key};
use super::lifecycle::refuse_pending;
use super::{Reach, empty, find, page, required, seen, store};
use crate::answer::{Answer, AwsError, Outcome};
use crate::world::World;

fn wrong(message: &str) -> AwsError {
    AwsError::new(400, "TagException", message)
}

/// Reads a list of `{TagKey, TagValue}`.
pub(super) fn check(tags: Option<&Value>) -> Result<BTreeMap<String, String>, AwsError> {
    let mut out = BTreeMap::new();
    for tag in tags.and_then(Value::as_array).into_iter().flatten() {
        let member = |name| tag.get(name).and_then(Value::as_str);
        let (Some(key), Some(value)) = (member("TagKey"), member("TagValue")) else {
            return Err(wrong("A tag needs a TagKey and a TagValue"));
        };
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(wrong("A tag is too long or has no key"));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(wrong("Tag keys must not begin with aws:"));
        }
        if out.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(wrong("Duplicate tag keys found"));
        }
    }
    if out.len() > 50 { Err(wrong("Too many tags")) } else { Ok(out) }
}

pub(super) fn tag(world: &mut World, region: &str, body: &Value) -> Outcome {
    let key = find(world, region, required(body, "KeyId")?, Reach::OwnAccount)?;
    refuse_pending(&key)?;
    let given = check(body.get("Tags"))?;
    let mut changed = Key::clone(&key);
    changed.tags.extend(given);
    if changed.tags.len() > 50 {
        return Err(wrong("Too many tags").into());
    }
    store(world, &key, changed, Facet::Tags)?;
    Ok(empty())
}

pub(super) fn untag(world: &mut World, region: &str, body: &Value) -> Outcome {
    let key = find(world, region, required(body, "KeyId")?, Reach::OwnAccount)?;
    refuse_pending(&key)?;
    let mut changed = Key::clone(&key);
    for name in body.get("TagKeys").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    {
        changed.tags.remove(name);
    }
    store(world, &key, changed, Facet::Tags)?;
    Ok(empty())
}

pub(super) fn list(world: &mut World, region: &str, body: &Value) -> Outcome {
    let key = find(world, region, required(body, "KeyId")?, Reach::OwnAccount)?;
    let key = seen(world, key, Facet::Tags)?;
    let tags = key.tags.iter().map(|(key, value)| json!({ "TagKey": key, "TagValue": value })).collect();
    let (tags, mut out) = page(tags, body, 50);
    out["Tags"] = Value::Array(tags);
    Ok(Answer::json(&out))
}
