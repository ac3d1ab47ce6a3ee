//! Fuzz targets: any bytes as a record's file and as a journal, and such with fitting sums, so that what stands behind
//! the sums is tried too. `cargo test` plays the corpus (`__fuzz__/<target>/corpus`) and some random inputs, bounded by
//! their number; `cargo bolero test <target>` (nightly) runs a real fuzzer and keeps what it finds there. A failure prints
//! its input and `BOLERO_RANDOM_SEED`.

mod forged;

use bolero::check;
use byob_model::recorded::Recorded;
use byob_state::assembled::assemble;
use byob_state::journal::{End, encode};
use byob_state::{FormatError, format, journal, replay};
use serde_json::Value;

use forged::{FULL, a_journal, a_record};

/// A record that is read is one that byob would have written just so.
fn assert_read_or_refused(text: &str) -> Option<Recorded> {
    match format::read(text) {
        Ok(recorded) => {
            let value: Value = serde_json::from_str(text).expect("JSON");
            let by = value["byob_version"].as_str().expect("a text");
            let written = format::write(&recorded, by);
            assert_eq!(serde_json::from_str::<Value>(&written).expect("JSON"), value);
            assert_eq!(format::read(&written).expect("what is written is read"), recorded);
            Some(recorded)
        }
        Err(FormatError::Moved { to, lineage, serial }) => {
            let written = format::write_moved(&to, lineage, serial);
            assert_eq!(
                serde_json::from_str::<Value>(&written).expect("JSON"),
                serde_json::from_str::<Value>(text).expect("JSON")
            );
            assert!(!to.chars().any(char::is_control), "{to:?} is printed");
            None
        }
        Err(FormatError::Damaged { why }) => {
            // What is wrong is said in words about it, not by it.
            assert!(!why.is_empty() && why.len() <= 512 + 2 * text.len(), "{} bytes", why.len());
            None
        }
        Err(FormatError::Newer { .. }) => None,
    }
}

/// A journal that is read is one that byob would have written, and replays over any record, once or twice.
fn assert_parsed_or_refused(bytes: &[u8], over: &Recorded) {
    let Ok(parsed) = journal::parse(bytes) else { return };
    assert!(parsed.end.bytes <= bytes.len() as u64);
    let (lines, _) = encode(&parsed.entries, &End::default());
    let again = journal::parse(lines.as_bytes()).expect("what is written is read");
    assert_eq!(again.entries, parsed.entries);
    let once = replay(over.clone(), &parsed.entries);
    assert_eq!(replay(once.clone(), &parsed.entries), once);
    let written = format::write(&once, "0.1.0");
    // A resource under an address of another kind is found out when the record is read back, before it is saved.
    if let Ok(back) = format::read(&written) {
        assert_eq!(back, once);
    }
}

/// Any text, and a forged file, read as a record.
#[test]
fn record() {
    let journal = a_journal(&[]);
    check!().with_iterations(1500).for_each(|bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        assert_read_or_refused(&text);
        let forged = a_record(bytes);
        assert_read_or_refused(&forged);
        let _ = assemble(Some(&text), &journal);
        let _ = assemble(Some(&forged), &journal);
    });
}

/// Any bytes, and a forged journal, read as a journal.
#[test]
fn journal() {
    let full = format::read(FULL).expect("a record");
    check!().with_iterations(600).for_each(|bytes: &[u8]| {
        for bytes in [bytes, &a_journal(bytes)] {
            assert_parsed_or_refused(bytes, &full);
            assert_parsed_or_refused(bytes, &Recorded::default());
            let _ = assemble(Some(FULL), bytes);
            let _ = assemble(None, bytes);
        }
    });
}

/// The forger's art suffices to get behind the sums: else the targets would try nothing there.
#[test]
fn what_is_forged_fits_its_sums() {
    assert_eq!(format::read(&a_record(&[])), format::read(FULL));
    assert!(format::read(FULL).is_ok());
    assert!(journal::parse(&a_journal(&[])).expect("a journal").entries.len() > 1);
}

/// What is deep, long or much, beyond what a corpus should hold.
#[test]
fn large_files_are_answered() {
    let deep = 50_000;
    for text in [
        "[".repeat(deep),
        format!("{{\"format_version\":1,\"a\":{}", "{\"a\":".repeat(deep)),
        format!("{{\"format_version\":1,\"a\":{}{}}}", "[".repeat(deep), "]".repeat(deep)),
        format!("{{\"format_version\":1,\"serial\":{}}}", "9".repeat(deep)),
        format!("{{\"format_version\":1,\"serial\":0.{}e{}}}", "1".repeat(deep), "9".repeat(deep)),
        format!("{{\"format_version\":1,\"a\":\"{}", "\\u0000".repeat(deep)),
        format!("{{\"format_version\":1{}}}", (0..deep).map(|n| format!(",\"{n}\":{n}")).collect::<String>()),
        "\n".repeat(deep),
    ] {
        assert_read_or_refused(&text);
        assert_parsed_or_refused(text.as_bytes(), &Recorded::default());
        assert_parsed_or_refused(format!("{text}\n").as_bytes(), &Recorded::default());
    }
    // A long journal that begins as it should.
    let full = format::read(FULL).expect("a record");
    let start = journal::parse(&a_journal(&[])).expect("a journal");
    let entries: Vec<_> =
        start.entries[..1].iter().chain(start.entries[1..].iter().cycle().take(5_000)).cloned().collect();
    let (lines, _) = encode(&entries, &End::default());
    assert_parsed_or_refused(lines.as_bytes(), &full);
}
