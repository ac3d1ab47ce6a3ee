//! The journal: what happened since the record was last saved, one JSON line an entry, only ever appended to. A line
//! carries a sum over itself and the line before, so a line that was changed, lost or moved is noticed; bytes after the
//! last line's end are an append that a crash cut short, and are nothing. Text and meaning only: no disk here.

use std::collections::HashMap;
use std::hash::Hash;

use byob_model::address::Address;
use byob_model::recorded::{Intent, Recorded, RecordedResource, Tombstone};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::json;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Entry {
    /// Which saved record the rest belongs to: the first line, and only the first. Stores write it themselves and skip
    /// it among entries handed to them.
    Begin {
        /// The record's serial.
        serial: u64,
        /// The record's lineage.
        lineage: Uuid,
    },
    /// Something is about to be created.
    Intent(Intent),
    /// A resource is now so.
    Put {
        /// Its address.
        address: Address,
        /// What is recorded of it.
        resource: RecordedResource,
    },
    /// A resource is not recorded any more.
    Remove {
        /// Its address.
        address: Address,
    },
    /// A root was forgotten or deleted.
    Tombstone(Tombstone),
    /// A tombstone is not needed any more.
    TombstoneGone {
        /// The root's identity.
        identity: String,
    },
    /// A creation's result is recorded, or known not to exist.
    IntentDone {
        /// The intent's id.
        id: Uuid,
    },
    /// Something was written to AWS.
    Written {
        /// UTC seconds since 1970.
        at: i64,
    },
}

/// A journal that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// A line was changed, lost or moved.
    #[error("line {line} of the journal is damaged: {why}")]
    Damaged {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The journal of a record that is not there: the record was deleted or put somewhere else.
    #[error("there is a journal of serial {serial} of lineage {lineage}, but not the record it belongs to")]
    Alone {
        /// The serial it belongs to.
        serial: u64,
        /// The lineage it belongs to.
        lineage: Uuid,
    },
    /// The record is older than its journal, or another one: it was replaced while a run was open.
    #[error(
        "the journal belongs to serial {serial} of lineage {lineage}, but the record is serial {found_serial} of \
         lineage {}", found_lineage.map_or_else(|| "none".to_owned(), |lineage| lineage.to_string())
    )]
    OfAnother {
        /// The serial the journal belongs to.
        serial: u64,
        /// The lineage the journal belongs to.
        lineage: Uuid,
        /// The record's serial.
        found_serial: u64,
        /// The record's lineage.
        found_lineage: Option<Uuid>,
    },
}

/// Where a journal's next line goes. The default is the start of a new one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    /// Bytes of whole lines before it.
    pub bytes: u64,
    /// The last line's sum; the next line's is over it too.
    sum: String,
}

/// A journal's text, read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Journal {
    /// Its entries, [`Entry::Begin`] first.
    pub entries: Vec<Entry>,
    /// Where its next line goes: bytes after that are torn.
    pub end: End,
}

impl Journal {
    /// The serial and lineage of the record it belongs to; `None` of a journal without a whole line.
    #[must_use]
    pub fn begin(&self) -> Option<(u64, Uuid)> {
        match self.entries.first() {
            Some(Entry::Begin { serial, lineage }) => Some((*serial, *lineage)),
            _ => None,
        }
    }
}

/// The lines of entries, to be put at an end; and the end after them.
#[must_use]
pub fn encode<'a>(entries: impl IntoIterator<Item = &'a Entry>, end: &End) -> (String, End) {
    let mut lines = String::new();
    let mut sum = end.sum.clone();
    for entry in entries {
        let entry = json::canonical(json::value(entry));
        sum = line_sum(&sum, &entry);
        lines.push_str("{\"entry\":");
        lines.push_str(&entry);
        lines.push_str(",\"sum\":\"");
        lines.push_str(&sum);
        lines.push_str("\"}\n");
    }
    let bytes = end.bytes + lines.len() as u64;
    (lines, End { bytes, sum })
}

/// 16 hex digits of SHA-256 over the sum of the line before and the entry's canonical text.
fn line_sum(before: &str, entry: &str) -> String {
    let mut sum = json::sha256(&[before, entry]);
    sum.truncate(16);
    sum
}

/// Reads a journal's bytes.
///
/// # Errors
/// [`JournalError::Damaged`] for a whole line that is not what byob wrote there.
pub fn parse(bytes: &[u8]) -> Result<Journal, JournalError> {
    let mut journal = Journal::default();
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if journal.end.bytes >= whole as u64 {
            break;
        }
        let (entry, sum) = parse_line(line, &journal.end.sum)
            .map_err(|why| JournalError::Damaged { line: index + 1, why })?;
        if matches!(entry, Entry::Begin { .. }) != (index == 0) {
            let why = if index == 0 { "it does not begin the journal" } else { "it begins another journal" };
            return Err(JournalError::Damaged { line: index + 1, why: why.to_owned() });
        }
        journal.entries.push(entry);
        journal.end = End { bytes: journal.end.bytes + line.len() as u64, sum };
    }
    Ok(journal)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    entry: serde_json::Value,
    sum: String,
}

fn parse_line(line: &[u8], before: &str) -> Result<(Entry, String), String> {
    let text = std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())?;
    let value = json::parse(text).map_err(|error| error.to_string())?;
    let line: Line = json::exactly(&value)?;
    if line.sum != line_sum(before, &json::canonical(line.entry.clone())) {
        return Err("its sum does not fit it and the line before".to_owned());
    }
    Ok((json::exactly(&line.entry)?, line.sum))
}

/// A record as its journal left it. Serial and lineage stay as they are.
#[must_use]
pub fn replay(recorded: Recorded, entries: &[Entry]) -> Recorded {
    let Recorded { lineage, serial, mut resources, tombstones, approval, intents, mut written_at } = recorded;
    let mut tombstones = Slots::new(tombstones, |tombstone| tombstone.identity.clone());
    let mut intents = Slots::new(intents, |intent| intent.id);
    for entry in entries {
        match entry {
            Entry::Begin { .. } => {}
            Entry::Intent(intent) => intents.put(intent.id, intent.clone()),
            Entry::Put { address, resource } => {
                resources.insert(address.clone(), resource.clone());
            }
            Entry::Remove { address } => {
                resources.remove(address);
            }
            Entry::Tombstone(tombstone) => tombstones.put(tombstone.identity.clone(), tombstone.clone()),
            Entry::TombstoneGone { identity } => tombstones.remove(identity),
            Entry::IntentDone { id } => intents.remove(id),
            Entry::Written { at } => written_at = Some(*at),
        }
    }
    let (tombstones, intents) = (tombstones.into_vec(), intents.into_vec());
    Recorded { lineage, serial, resources, tombstones, approval, intents, written_at }
}

/// A list in its order, found by key, so that a long journal is not a walk over the list for every line.
struct Slots<K, V> {
    values: Vec<Option<V>>,
    places: HashMap<K, Vec<usize>>,
}

impl<K: Eq + Hash, V> Slots<K, V> {
    fn new(values: Vec<V>, key: impl Fn(&V) -> K) -> Self {
        let mut places: HashMap<K, Vec<usize>> = HashMap::new();
        for (place, value) in values.iter().enumerate() {
            places.entry(key(value)).or_default().push(place);
        }
        Self { values: values.into_iter().map(Some).collect(), places }
    }

    /// Puts a value at the end, instead of any under its key.
    fn put(&mut self, key: K, value: V) {
        self.remove(&key);
        self.places.insert(key, vec![self.values.len()]);
        self.values.push(Some(value));
    }

    fn remove(&mut self, key: &K) {
        for place in self.places.remove(key).unwrap_or_default() {
            if let Some(slot) = self.values.get_mut(place) {
                *slot = None;
            }
        }
    }

    fn into_vec(self) -> Vec<V> {
        self.values.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{self, a_record};

    fn begin() -> Entry {
        Entry::Begin { serial: 3, lineage: testing::LINEAGE }
    }

    /// A journal of six lines, one of each sort that matters.
    fn some() -> Vec<Entry> {
        let record = a_record(3);
        let (address, resource) = record.resources.first_key_value().unwrap();
        vec![
            begin(),
            Entry::Intent(record.intents[0].clone()),
            Entry::Put { address: address.clone(), resource: resource.clone() },
            Entry::IntentDone { id: record.intents[0].id },
            Entry::Written { at: 1_790_000_000 },
            Entry::Remove { address: address.clone() },
        ]
    }

    fn why(bytes: &[u8]) -> (usize, String) {
        match parse(bytes) {
            Err(JournalError::Damaged { line, why }) => (line, why),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_lines_are_what_they_are() {
        let entries = [begin(), Entry::Written { at: 7 }, Entry::TombstoneGone { identity: "acme".into() }];
        let (lines, _) = encode(&entries, &End::default());
        let expected = r#"{"entry":{"begin":{"lineage":"67e55044-10b1-426f-9247-bb680e5fe0c8","serial":3}},"sum":"24327f174bccba79"}
{"entry":{"written":{"at":7}},"sum":"36b38c9ee3339dac"}
{"entry":{"tombstone_gone":{"identity":"acme"}},"sum":"a828b4f7376c3e51"}
"#;
        assert_eq!(lines, expected);
    }

    #[test]
    fn appended_lines_are_those_written_at_once() {
        let entries = some();
        let (once, end) = encode(&entries, &End::default());
        let (first, middle) = encode(&entries[..2], &End::default());
        let (second, last) = encode(&entries[2..], &middle);
        assert_eq!(first + &second, once);
        assert_eq!(last, end);
        assert_eq!(parse(once.as_bytes()).unwrap(), Journal { entries, end });
    }

    #[test]
    fn a_torn_last_line_is_ignored_whatever_it_holds() {
        let (lines, end) = encode(&some(), &End::default());
        for tail in [&b"{\"entry\":{\"wri"[..], b"\0\0\0\0", b"\xff\xfe", b"{}"] {
            let journal = parse(&[lines.as_bytes(), tail].concat()).unwrap();
            assert_eq!((journal.entries.len(), &journal.end), (6, &end));
        }
    }

    #[test]
    fn a_line_that_was_changed_lost_moved_or_repeated_is_an_error() {
        let (text, _) = encode(&some(), &End::default());
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let sum = "its sum does not fit it and the line before";
        let joined = |order: &[usize]| order.iter().map(|i| lines[*i]).collect::<String>().into_bytes();
        assert_eq!(why(text.replace("1790000000", "1790000001").as_bytes()), (5, sum.to_owned()));
        assert_eq!(why(&joined(&[0, 1, 3, 4, 5])), (3, sum.to_owned()));
        assert_eq!(why(&joined(&[0, 2, 1, 3, 4, 5])), (2, sum.to_owned()));
        assert_eq!(why(&joined(&[0, 1, 2, 3, 4, 5, 5])), (7, sum.to_owned()));
        assert_eq!(why(&joined(&[1, 2, 3, 4, 5])), (1, sum.to_owned()));
        assert_eq!(why(&[joined(&[0, 1]), b"\n".to_vec(), joined(&[2])].concat()).0, 3);
        assert_eq!(why(&[joined(&[0, 1]), b"<<<<<<< HEAD\n".to_vec()].concat()).0, 3);
    }

    #[test]
    fn a_journal_begins_once() {
        let (lines, _) = encode(&[Entry::Written { at: 7 }], &End::default());
        assert_eq!(why(lines.as_bytes()), (1, "it does not begin the journal".to_owned()));
        let (lines, _) = encode(&[begin(), begin()], &End::default());
        assert_eq!(why(lines.as_bytes()), (2, "it begins another journal".to_owned()));
    }

    #[test]
    fn a_field_that_byob_does_not_write_is_an_error() {
        let entry = r#"{"written":{"at":7,"by":"me"}}"#;
        let (first, end) = encode(&[begin()], &End::default());
        let sum = line_sum(&end.sum, entry);
        let line = format!("{first}{{\"entry\":{entry},\"sum\":\"{sum}\"}}\n");
        assert_eq!(why(line.as_bytes()).0, 2);
    }

    #[test]
    fn replay_does_what_the_entries_say() {
        let before = a_record(3);
        let tombstone = Tombstone { identity: "gone-bucket".into(), ..before.tombstones[0].clone() };
        let mut entries = some();
        entries.push(Entry::Tombstone(tombstone.clone()));
        entries.push(Entry::TombstoneGone { identity: before.tombstones[0].identity.clone() });
        let after = replay(before.clone(), &entries);
        assert_eq!(after.resources.len(), before.resources.len() - 1);
        assert_eq!(after.intents, []);
        assert_eq!(after.written_at, Some(1_790_000_000));
        assert_eq!(after.tombstones, [tombstone]);
        assert_eq!((after.serial, after.lineage, &after.approval), (3, before.lineage, &before.approval));
    }

    #[test]
    fn a_tombstone_or_intent_put_again_replaces_the_first() {
        let before = a_record(3);
        let intent = Intent { at: 99, ..before.intents[0].clone() };
        let tombstone = Tombstone { deletion_ordered: true, ..before.tombstones[0].clone() };
        let after = replay(before, &[Entry::Intent(intent.clone()), Entry::Tombstone(tombstone.clone())]);
        assert_eq!((after.intents, after.tombstones), (vec![intent], vec![tombstone]));
    }

    proptest! {
        #[test]
        fn any_prefix_of_the_bytes_is_a_prefix_of_the_entries(
            record in testing::records(), entries in testing::entries(), at in any::<prop::sample::Index>(),
        ) {
            let entries: Vec<Entry> = [begin()].into_iter().chain(entries).collect();
            let (lines, _) = encode(&entries, &End::default());
            let cut = &lines.as_bytes()[..at.index(lines.len() + 1)];
            let journal = parse(cut).unwrap();
            let whole = cut.iter().filter(|byte| **byte == b'\n').count();
            prop_assert_eq!(&journal.entries, &entries[..whole]);
            prop_assert_eq!(replay(record.clone(), &journal.entries), replay(record, &entries[..whole]));
            // And what is appended there is read as if nothing had been torn.
            let (more, _) = encode(&entries[whole..], &journal.end);
            let kept = &lines[..usize::try_from(journal.end.bytes).unwrap()];
            prop_assert_eq!(format!("{kept}{more}"), lines);
        }

        #[test]
        fn replaying_in_pieces_is_replaying_at_once(
            record in testing::records(), entries in testing::entries(), at in any::<prop::sample::Index>(),
        ) {
            let (a, b) = entries.split_at(at.index(entries.len() + 1));
            prop_assert_eq!(replay(replay(record.clone(), a), b), replay(record, &entries));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn a_changed_byte_is_noticed_or_torn(
            entries in testing::entries(), at in any::<prop::sample::Index>(), to in any::<u8>(),
        ) {
            let entries: Vec<Entry> = [begin()].into_iter().chain(entries).collect();
            let mut bytes = encode(&entries, &End::default()).0.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Ok(journal) = parse(&bytes) {
                prop_assert_eq!(&journal.entries[..], &entries[..journal.entries.len()]);
            }
        }
    }
}
