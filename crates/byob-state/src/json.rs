//! JSON as record and journal need it: reading that refuses a key that stands twice, writing with sorted keys whatever
//! features of `serde_json` the workspace happens to switch on, and the sums over it.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Reads one JSON value, and nothing after it. A key that stands twice in an object is an error.
pub(crate) fn parse(text: &str) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// The value of something that consists of strings, numbers, booleans, lists and string-keyed maps, which cannot fail.
pub(crate) fn value(of: &(impl Serialize + ?Sized)) -> Value {
    serde_json::to_value(of).unwrap_or(Value::Null)
}

/// Reads a value as a type, and insists that the type would be written exactly so: no field unknown, left out where
/// byob writes `null`, or written where byob leaves it out.
pub(crate) fn exactly<T: Serialize + for<'de> Deserialize<'de>>(value: &Value) -> Result<T, String> {
    let typed = T::deserialize(value).map_err(|e| e.to_string())?;
    match difference(value, &self::value(&typed), &mut String::new()) {
        None => Ok(typed),
        Some(at) => Err(format!("`{at}` is not as byob writes it")),
    }
}

/// The JSON Pointer of the first place where two values differ.
fn difference(a: &Value, b: &Value, at: &mut String) -> Option<String> {
    let length = at.len();
    let mut inner = |key: &str, x: Option<&Value>, y: Option<&Value>| {
        at.push('/');
        at.push_str(&key.replace('~', "~0").replace('/', "~1"));
        let found = match (x, y) {
            (Some(x), Some(y)) => difference(x, y, at),
            _ => Some(at.clone()),
        };
        at.truncate(length);
        found
    };
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            x.iter().find_map(|(key, v)| inner(key, Some(v), y.get(key))).or_else(|| {
                y.iter()
                    .filter(|(key, _)| !x.contains_key(*key))
                    .find_map(|(key, v)| inner(key, None, Some(v)))
            })
        }
        (Value::Array(x), Value::Array(y)) => {
            (0..x.len().max(y.len())).find_map(|i| inner(&i.to_string(), x.get(i), y.get(i)))
        }
        _ => (a != b).then(|| at.clone()),
    }
}

/// All keys in the order of their bytes.
pub(crate) fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = map.into_iter().collect();
            entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        other => other,
    }
}

/// One line, keys sorted, no white space: what sums are taken over (`jq -cS .` prints the same).
pub(crate) fn canonical(value: Value) -> String {
    sorted(value).to_string()
}

/// SHA-256 over the parts, as 64 hex digits.
pub(crate) fn sha256<P: AsRef<[u8]>>(parts: &[P]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        for digit in [byte >> 4, byte & 15] {
            hex.extend(char::from_digit(u32::from(digit), 16));
        }
        hex
    })
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(Self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key `{key}` stands twice")));
            }
            let value = access.next_value_seed(Self)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_stands_twice_is_refused_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"c":2,"a":3}}]"#, r#"{"a":1,"\u0061":2}"#] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains("the key `a` stands twice"), "{error}");
        }
    }

    #[test]
    fn canonical_text_has_sorted_keys_and_no_white_space() {
        let value = parse(r#" { "b": [1, {"z": null, "y": true}], "a": 1.5, "é": "\u00e9" } "#).unwrap();
        assert_eq!(canonical(value), r#"{"a":1.5,"b":[1,{"y":true,"z":null}],"é":"é"}"#);
    }

    #[test]
    fn sums_are_sha256_of_the_joined_parts() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&["a", "bc"]), abc);
    }

    #[test]
    fn a_difference_is_named_by_its_pointer() {
        let pair = |a: &str, b: &str| difference(&parse(a).unwrap(), &parse(b).unwrap(), &mut String::new());
        assert_eq!(pair(r#"{"a":{"b":[1,2]}}"#, r#"{"a":{"b":[1,3]}}"#).as_deref(), Some("/a/b/1"));
        assert_eq!(pair(r#"{"a":{}}"#, r#"{"a":{"x/y":1}}"#).as_deref(), Some("/a/x~1y"));
        assert_eq!(pair("[1]", "[]").as_deref(), Some("/0"));
        assert_eq!(pair("[1]", "[1]"), None);
    }
}
