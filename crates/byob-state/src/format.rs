//! The record's file: meaning to text and back, and nothing that touches a disk. What is in it is said for people in
//! `docs/state-format.md`; pairs of files in `golden/` pin it. A file is read only if it says exactly what byob would
//! have written, white space and the order of keys aside.

use std::collections::BTreeMap;

use byob_model::address::Address;
use byob_model::recorded::{Approval, Intent, Recorded, RecordedResource, Tombstone};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::json;

/// The newest format of the record that this byob reads, and the one it writes. The journal's lines belong to it.
pub const FORMAT_VERSION: u64 = 1;

/// The greatest serial: every JSON reader can hold it.
const MAX_SERIAL: u64 = (1 << 53) - 1;

/// A record that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Written by a newer byob.
    #[error(
        "the record has format {found}{}; this byob knows formats up to {FORMAT_VERSION}",
        by(written_by)
    )]
    Newer {
        /// Its `format_version`.
        found: u64,
        /// Its `byob_version`, if it has one.
        written_by: Option<String>,
    },
    /// Not here any more: [`write_moved`] put a marker in its place.
    #[error("the record was moved to {to}")]
    Moved {
        /// Where it is: `s3://acme-state/byob.state.json`, or a path.
        to: String,
        /// The lineage of the record that was here.
        lineage: Uuid,
        /// Of the marker: one above that of the record that was here.
        serial: u64,
    },
    /// Cut off, edited, or never a record.
    #[error("the record is damaged: {why}")]
    Damaged {
        /// What is wrong with it.
        why: String,
    },
}

fn by(version: &Option<String>) -> String {
    version.as_ref().map(|version| format!(" (written by byob {version})")).unwrap_or_default()
}

fn damaged(why: impl Into<String>) -> FormatError {
    FormatError::Damaged { why: why.into() }
}

/// A record's bytes as text.
pub(crate) fn text_of(bytes: &[u8]) -> Result<&str, FormatError> {
    std::str::from_utf8(bytes).map_err(|_| damaged("it is not UTF-8"))
}

#[derive(Serialize, Deserialize)]
struct File {
    approval: Option<Approval>,
    byob_version: String,
    format_version: u64,
    intents: Vec<Intent>,
    lineage: Option<Uuid>,
    resources: BTreeMap<Address, RecordedResource>,
    serial: u64,
    tombstones: Vec<Tombstone>,
    written_at: Option<i64>,
}

/// What stands in a record's place after it was moved elsewhere.
#[derive(Serialize, Deserialize)]
struct Marker {
    format_version: u64,
    lineage: Uuid,
    moved_to: String,
    serial: u64,
}

/// Reads a record's file.
///
/// # Errors
/// [`FormatError`]; a newer format is found before anything else of the file is looked at. A marker that is as byob
/// writes it is [`FormatError::Moved`].
pub fn read(text: &str) -> Result<Recorded, FormatError> {
    let mut value = json::parse(text).map_err(|error| damaged(syntax(text, &error)))?;
    let format = value.get("format_version").and_then(Value::as_u64);
    let format = format.ok_or_else(|| damaged("it has no `format_version`, a whole number"))?;
    if format > FORMAT_VERSION {
        let written_by = value.get("byob_version").and_then(Value::as_str);
        return Err(FormatError::Newer { found: format, written_by: written_by.map(str::to_owned) });
    }
    // Formats older than today's are upgraded here, value to value, after their checksum; there is none yet.
    if format == 0 {
        return Err(damaged("there is no format 0"));
    }
    let sum = value.as_object_mut().and_then(|map| map.remove("checksum"));
    let sum = sum.ok_or_else(|| damaged("it has no `checksum`"))?;
    if sum != checksum(&value) {
        return Err(damaged("its checksum does not fit its content: something other than byob changed it"));
    }
    if value.get("moved_to").is_some() {
        return Err(moved(&value));
    }
    let file: File = json::exactly(&value).map_err(damaged)?;
    if let Some((address, resource)) = file.resources.iter().find(|(a, r)| a.kind != r.kind) {
        return Err(damaged(format!("`{address}` is recorded with the kind `{}`", resource.kind.name())));
    }
    if file.serial > MAX_SERIAL {
        return Err(damaged("its serial is out of range"));
    }
    if file.lineage.is_none() && file.serial > 0 {
        return Err(damaged("it has a serial, but no lineage"));
    }
    Ok(Recorded {
        lineage: file.lineage,
        serial: file.serial,
        resources: file.resources,
        tombstones: file.tombstones,
        approval: file.approval,
        intents: file.intents,
        written_at: file.written_at,
    })
}

/// Reads a marker, its checksum taken off.
fn moved(value: &Value) -> FormatError {
    match json::exactly::<Marker>(value) {
        Err(why) => damaged(why),
        Ok(marker) if !is_place(&marker.moved_to) => damaged("its `moved_to` names no place"),
        Ok(marker) if marker.serial > MAX_SERIAL => damaged("its serial is out of range"),
        Ok(Marker { moved_to: to, lineage, serial, .. }) => FormatError::Moved { to, lineage, serial },
    }
}

/// Whether a record can be said to have moved there: the text is printed.
pub(crate) fn is_place(to: &str) -> bool {
    !to.trim().is_empty() && !to.chars().any(char::is_control)
}

/// Writes the marker that stands in the place of a record which was moved to `to`: what [`read`] answers with
/// [`FormatError::Moved`].
#[must_use]
pub fn write_moved(to: &str, lineage: Uuid, serial: u64) -> String {
    let marker = Marker { format_version: FORMAT_VERSION, lineage, moved_to: to.to_owned(), serial };
    sealed(json::value(&marker))
}

/// Writes a record's file: keys sorted, two spaces of indentation, a newline at the end. The same record gives the same
/// bytes.
#[must_use]
pub fn write(recorded: &Recorded, byob_version: &str) -> String {
    write_as(recorded, recorded.serial, byob_version)
}

/// [`write`] with another serial than the record's own.
pub(crate) fn write_as(recorded: &Recorded, serial: u64, byob_version: &str) -> String {
    sealed(serde_json::json!({
        "approval": json::value(&recorded.approval),
        "byob_version": byob_version,
        "format_version": FORMAT_VERSION,
        "intents": json::value(&recorded.intents),
        "lineage": json::value(&recorded.lineage),
        "resources": json::value(&recorded.resources),
        "serial": serial,
        "tombstones": json::value(&recorded.tombstones),
        "written_at": recorded.written_at,
    }))
}

/// The file's text, with its checksum.
fn sealed(mut value: Value) -> String {
    let sum = checksum(&value);
    if let Value::Object(map) = &mut value {
        map.insert("checksum".to_owned(), Value::String(sum));
    }
    format!("{:#}\n", json::sorted(value))
}

/// `sha256:` and 64 hex digits, over the canonical form of the file without its `checksum`.
fn checksum(rest: &Value) -> String {
    format!("sha256:{}", json::sha256(&[&json::canonical(rest.clone())]))
}

/// What is wrong with a text that is not JSON, in the words of its likely story.
fn syntax(text: &str, error: &serde_json::Error) -> String {
    if text.trim().is_empty() {
        return "it is empty".to_owned();
    }
    if let Some(line) = text.lines().position(|line| line.starts_with("<<<<<<<")) {
        return format!("line {} begins an unresolved merge", line + 1);
    }
    match error.classify() {
        serde_json::error::Category::Eof => format!("it ends too early, in line {}", error.line()),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::{self, a_record};

    /// Every `golden/x.in`, read and written, is `x.out`; or its error is `x.err`. `BLESS=1` writes them.
    #[test]
    fn golden_files_are_read_and_written_as_they_are() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden");
        let mut seen = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            let input = entry.unwrap().path();
            if input.extension().is_none_or(|extension| extension != "in") {
                continue;
            }
            seen += 1;
            let (output, extension) = match read(&std::fs::read_to_string(&input).unwrap()) {
                Ok(recorded) => (write(&recorded, "0.1.0"), "out"),
                Err(error) => (format!("{error}\n"), "err"),
            };
            let expected = input.with_extension(extension);
            if std::env::var_os("BLESS").is_some() {
                std::fs::write(&expected, &output).unwrap();
            }
            let wanted =
                std::fs::read_to_string(&expected).unwrap_or_else(|_| panic!("no {}", expected.display()));
            assert_eq!(output, wanted, "{}", input.display());
        }
        assert!(seen >= 10, "{seen}");
    }

    #[test]
    fn a_newer_format_is_named_before_the_checksum_is_looked_at() {
        let newer = |text: &str| match read(text) {
            Err(FormatError::Newer { found, written_by }) => (found, written_by),
            other => panic!("{other:?}"),
        };
        assert_eq!(newer(r#"{"format_version":2,"checksum":"nonsense"}"#), (2, None));
        let text = r#"{"format_version":7,"byob_version":"3.1.0"}"#;
        assert_eq!(newer(text), (7, Some("3.1.0".to_owned())));
        assert_eq!(
            read(text).unwrap_err().to_string(),
            "the record has format 7 (written by byob 3.1.0); this byob knows formats up to 1"
        );
    }

    #[test]
    fn a_file_that_was_edited_is_refused() {
        let text = write(&a_record(3), "0.1.0");
        let edited = text.replace("acme-wandb-storage", "acme-wandb-evilest");
        assert_ne!(text, edited);
        let error = read(&edited).unwrap_err().to_string();
        assert!(error.contains("checksum does not fit"), "{error}");
    }

    #[test]
    fn every_truncation_of_a_file_is_refused() {
        let text = write(&a_record(3), "0.1.0");
        for length in 0..text.trim_end().len() {
            let Some(cut) = text.get(..length) else { continue };
            assert!(matches!(read(cut), Err(FormatError::Damaged { .. })), "{length}");
        }
    }

    #[test]
    fn another_order_of_keys_and_other_white_space_are_the_same_record() {
        let recorded = a_record(3);
        let text = write(&recorded, "0.1.0");
        assert_eq!(read(&text.replace('\n', "\r\n")).unwrap(), recorded);
        let compact: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read(&compact.to_string()).unwrap(), recorded);
    }

    /// The strict rules, behind a checksum that fits: only a bug or a forger gets this far.
    #[test]
    fn a_file_that_byob_would_not_have_written_is_refused_though_its_checksum_fits() {
        let why = |change: &dyn Fn(&mut Value)| {
            let mut value: Value = serde_json::from_str(&write(&a_record(3), "0.1.0")).unwrap();
            value.as_object_mut().unwrap().remove("checksum");
            change(&mut value);
            let sum = checksum(&value);
            value["checksum"] = sum.into();
            match read(&value.to_string()) {
                Err(FormatError::Damaged { why }) => why,
                other => panic!("{other:?}"),
            }
        };
        let bucket = "bucket.storage";
        let cases = [
            why(&|v| v["extra"] = 1.into()),
            why(&|v| v["resources"][bucket]["extra"] = 1.into()),
            why(&|v| v["resources"][bucket]["versioning_seen"] = false.into()),
            why(&|v| v["resources"][bucket]["kind"] = "bucket.policy".into()),
            why(&|v| v["intents"][0].as_object_mut().unwrap().remove("name").map_or((), drop)),
            why(&|v| v.as_object_mut().unwrap().remove("approval").map_or((), drop)),
            why(&|v| v["tombstones"][0]["keys_used"] = serde_json::json!(["b", "a"])),
            why(&|v| v["serial"] = (1u64 << 53).into()),
            why(&|v| v["serial"] = (-1).into()),
            why(&|v| v["lineage"] = Value::Null),
            why(&|v| v["lineage"] = "67E55044-10B1-426F-9247-BB680E5FE0C8".into()),
            why(&|v| v["resources"]["role.x"] = v["resources"][bucket].clone()),
            why(&|v| v["format_version"] = 0.into()),
            why(&|v| v["format_version"] = "1".into()),
        ];
        let expected = [
            "`/extra` is not as byob writes it",
            "`/resources/bucket.storage/extra` is not as byob writes it",
            "`/resources/bucket.storage/versioning_seen` is not as byob writes it",
            "`bucket.storage` is recorded with the kind `bucket.policy`",
            "`/intents/0/name` is not as byob writes it",
            "`/approval` is not as byob writes it",
            "`/tombstones/0/keys_used/0` is not as byob writes it",
            "its serial is out of range",
            "invalid value: integer `-1`, expected u64",
            "it has a serial, but no lineage",
            "`/lineage` is not as byob writes it",
            "`role.x` is not an address; addresses look like `bucket.storage`, `bucket.storage.policy` or `key.vision`",
            "there is no format 0",
            "it has no `format_version`, a whole number",
        ];
        assert_eq!(cases, expected);
    }

    #[test]
    fn a_key_that_stands_twice_is_refused() {
        let text = write(&a_record(3), "0.1.0").replacen("{\n", "{\n  \"serial\": 3,\n", 1);
        let error = read(&text).unwrap_err().to_string();
        assert!(error.contains("the key `serial` stands twice"), "{error}");
    }

    #[test]
    fn a_marker_says_where_the_record_is() {
        let to = "s3://acme-state/byob.state.json";
        let text = write_moved(to, testing::LINEAGE, 4);
        let error = read(&text).unwrap_err();
        assert_eq!(error, FormatError::Moved { to: to.to_owned(), lineage: testing::LINEAGE, serial: 4 });
        assert_eq!(error.to_string(), "the record was moved to s3://acme-state/byob.state.json");
    }

    #[test]
    fn a_marker_that_was_edited_or_that_byob_would_not_have_written_is_damaged() {
        let text = write_moved("s3://acme-state/byob.state.json", testing::LINEAGE, 4);
        let why = |text: &str| match read(text) {
            Err(FormatError::Damaged { why }) => why,
            other => panic!("{other:?}"),
        };
        assert!(why(&text.replace("acme-state", "evil-state")).contains("checksum does not fit"));
        for length in 0..text.trim_end().len() {
            why(&text[..length]);
        }
        let mut value: Value = serde_json::from_str(&text).unwrap();
        value.as_object_mut().unwrap().remove("checksum");
        value["extra"] = 1.into();
        assert_eq!(why(&sealed(value)), "`/extra` is not as byob writes it");
        assert_eq!(why(&write_moved(" ", testing::LINEAGE, 4)), "its `moved_to` names no place");
        assert_eq!(
            why(&write_moved("s3://a\u{1b}[2J", testing::LINEAGE, 4)),
            "its `moved_to` names no place"
        );
        assert_eq!(why(&write_moved("s3://a", testing::LINEAGE, 1 << 53)), "its serial is out of range");
    }

    #[test]
    fn an_empty_record_survives_too() {
        let recorded = Recorded::default();
        assert_eq!(read(&write(&recorded, "0.1.0")).unwrap(), recorded);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(recorded in testing::records()) {
            let text = write(&recorded, "0.1.0");
            prop_assert_eq!(read(&text).unwrap(), recorded.clone());
            prop_assert_eq!(write(&read(&text).unwrap(), "0.1.0"), text);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = read(&text);
            let _ = read(&format!("{{\"format_version\":1,{text}"));
        }

        /// One byte changed anywhere: refused, or the same record (white space).
        #[test]
        fn a_changed_byte_is_noticed(recorded in testing::records(), at in any::<prop::sample::Index>(), to in 0u8..128) {
            let mut bytes = write(&recorded, "0.1.0").into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Ok(text) = String::from_utf8(bytes) && let Ok(back) = read(&text) {
                prop_assert_eq!(back, recorded);
            }
        }
    }
}
