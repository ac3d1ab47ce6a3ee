//! Records and journals that somebody forged: right ones, spoilt in a few places that bytes choose, with sums that fit.

use byob_state::format;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A record with something of everything.
pub(crate) const FULL: &str = include_str!("__fuzz__/record/corpus/full.json");
const ENTRIES: &str = include_str!("__fuzz__/journal/corpus/every-entry.jsonl");

/// The bytes that are left; past their end there are zeros.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn below(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % count.max(1)
    }

    fn value(&mut self) -> Value {
        let pool = [
            Value::Null,
            json!(true),
            json!(0),
            json!(-1),
            json!(u64::MAX),
            json!(1u64 << 53),
            json!(1.5),
            json!(1e300),
            json!(""),
            json!("bucket"),
            json!("key"),
            json!("bucket.storage"),
            json!("bucket.storage.policy"),
            json!("key.vision"),
            json!("67e55044-10b1-426f-9247-bb680e5fe0c8"),
            json!("\u{1b}[2J\u{202e}ü"),
            json!([]),
            json!([[], {}, "a"]),
            json!({}),
            json!({"arn_of": "key.vision"}),
        ];
        pool[self.below(pool.len())].clone()
    }

    /// Spoils a value somewhere within, at `depth` below the top, which stays what it is.
    fn spoil(&mut self, value: &mut Value, depth: usize) {
        match value {
            Value::Object(map) if depth < 2 || self.below(8) != 7 => {
                let keys: Vec<String> = map.keys().cloned().collect();
                let Some(key) = keys.get(self.below(keys.len())) else {
                    map.insert("new".to_owned(), self.value());
                    return;
                };
                match self.below(8) {
                    0 => drop(map.remove(key)),
                    1 => drop(map.insert("new".to_owned(), self.value())),
                    2 => {
                        let moved = map.remove(key).unwrap_or_default();
                        map.insert(["bucket.a", "key.a.alias", "a", ""][self.below(4)].to_owned(), moved);
                    }
                    _ => self.spoil(map.entry(key.clone()).or_insert(Value::Null), depth + 1),
                }
            }
            Value::Array(items) if !items.is_empty() && self.below(8) != 7 => {
                let at = self.below(items.len());
                match self.below(4) {
                    0 => drop(items.remove(at)),
                    1 => items.push(items[at].clone()),
                    _ => self.spoil(&mut items[at], depth + 1),
                }
            }
            other => *other = self.value(),
        }
    }
}

/// Keys sorted, whatever features of `serde_json` are on.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        other => other.clone(),
    }
}

fn sum(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A record's file, or a marker, that the bytes spoil.
pub(crate) fn a_record(bytes: &[u8]) -> String {
    let mut choices = Choices(bytes);
    let marker = choices.below(8) == 7;
    let marked = format::write_moved("s3://acme-state/byob.state.json", uuid::Uuid::from_u128(7), 4);
    let text = if marker { marked.as_str() } else { FULL };
    let mut value: Value = serde_json::from_str(text).expect("JSON");
    for _ in 0..choices.below(4) {
        choices.spoil(&mut value, 0);
    }
    if let Some(map) = value.as_object_mut() {
        map.remove("checksum");
        let sum = sum(&sorted(&Value::Object(map.clone())).to_string());
        map.insert("checksum".to_owned(), format!("sha256:{sum}").into());
    }
    value.to_string()
}

/// A journal that the bytes spoil.
pub(crate) fn a_journal(bytes: &[u8]) -> Vec<u8> {
    let mut choices = Choices(bytes);
    let entry = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["entry"].clone();
    let mut entries: Vec<Value> = ENTRIES.lines().map(entry).collect();
    for _ in 0..choices.below(4) {
        let (at, from) = (choices.below(entries.len()), choices.below(entries.len()));
        match choices.below(6) {
            0 => drop(entries.remove(at)),
            1 => entries.insert(at, entries[from].clone()),
            2 => entries.swap(at, from),
            _ => choices.spoil(&mut entries[at], 0),
        }
        if entries.is_empty() {
            break;
        }
    }
    let mut before = String::new();
    let mut lines = String::new();
    for entry in entries {
        let text = sorted(&entry).to_string();
        before = sum(&format!("{before}{text}"));
        before.truncate(16);
        lines.push_str(&format!("{{\"entry\":{text},\"sum\":\"{before}\"}}\n"));
    }
    lines.into_bytes()
}
