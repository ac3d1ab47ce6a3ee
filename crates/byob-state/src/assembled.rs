//! Record and journal put together, and what may be saved over them: the rules that every store shares, over texts that
//! the store has read.

use byob_model::recorded::Recorded;
use uuid::Uuid;

use crate::format::{self, FormatError};
use crate::journal::{self, End, JournalError};
use crate::{BYOB_VERSION, Entry};

/// A record as its journal left it.
#[derive(Debug, Clone, PartialEq)]
pub struct Assembled {
    /// The record; `None` if there is none yet.
    pub recorded: Option<Recorded>,
    /// Where the open journal ends; `None` if none is open.
    pub end: Option<End>,
}

/// A record, or journal, that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// It is the record.
    #[error(transparent)]
    Record(#[from] FormatError),
    /// It is the journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// There is no record, and what is kept of its past says that there was one: begun anew, it would know nothing of what
    /// was forgotten, nor of the keys that data is under.
    #[error("the record is gone, and its past is still kept")]
    Gone,
}

/// Puts a record's text and its journal's bytes together. A journal older than its record is obsolete (a crash between
/// saving and the journal's removal), and as good as none.
///
/// # Errors
/// [`AssembleError`]: neither is ever used in part.
pub fn assemble(record: Option<&str>, journal: &[u8]) -> Result<Assembled, AssembleError> {
    let recorded = record.map(format::read).transpose()?;
    let journal = journal::parse(journal)?;
    let Some((serial, lineage)) = journal.begin() else { return Ok(Assembled { recorded, end: None }) };
    let Some(recorded) = recorded else { return Err(JournalError::Alone { serial, lineage }.into()) };
    if recorded.lineage != Some(lineage) || recorded.serial < serial {
        let (found_serial, found_lineage) = (recorded.serial, recorded.lineage);
        return Err(JournalError::OfAnother { serial, lineage, found_serial, found_lineage }.into());
    }
    if recorded.serial > serial {
        return Ok(Assembled { recorded: Some(recorded), end: None });
    }
    let recorded = journal::replay(recorded, &journal.entries);
    Ok(Assembled { recorded: Some(recorded), end: Some(journal.end) })
}

/// What the holder of a lock knows of what is stored: which record, and where its journal ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The stored record's serial.
    pub serial: u64,
    /// The stored record's lineage.
    pub lineage: Uuid,
    /// Where its open journal ends; `None` if none is open.
    pub end: Option<End>,
}

impl Base {
    /// Of what was read; `None` if there is no record, or one that was never saved.
    #[must_use]
    pub fn of(assembled: &Assembled) -> Option<Self> {
        let recorded = assembled.recorded.as_ref()?;
        Some(Self { serial: recorded.serial, lineage: recorded.lineage?, end: assembled.end.clone() })
    }

    /// The lines to append for entries, where they go, and the journal's end after them. A journal that is not open is
    /// begun, at 0.
    #[must_use]
    pub fn lines(&self, entries: &[Entry]) -> (String, u64, End) {
        let entries = entries.iter().filter(|entry| !matches!(entry, Entry::Begin { .. }));
        let start = self.end.clone().unwrap_or_default();
        let begin = Entry::Begin { serial: self.serial, lineage: self.lineage };
        let first = self.end.is_none().then_some(&begin);
        let (lines, end) = journal::encode(first.into_iter().chain(entries), &start);
        (lines, start.bytes, end)
    }
}

/// Why a record may not be saved over the stored one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SaveError {
    /// It has no lineage.
    #[error("a record without a lineage cannot be saved")]
    NoLineage,
    /// The stored one is not the one it was made from.
    #[error(
        "the record was replaced while this run held the lock: expected serial {expected}, found serial {found} of \
         lineage {}", lineage.map_or_else(|| "none".to_owned(), |lineage| lineage.to_string())
    )]
    Changed {
        /// The serial it was made from.
        expected: u64,
        /// The stored one's serial.
        found: u64,
        /// The stored one's lineage.
        lineage: Option<Uuid>,
    },
    /// The stored one cannot be read.
    #[error(transparent)]
    Stored(#[from] FormatError),
    /// It would not be read back as it is: a bug, found before it does harm.
    #[error("the record would not be read back as it is ({why}); the stored one stays")]
    NotItself {
        /// What reading it back said.
        why: String,
    },
}

/// The text to store next for a record, with the next serial, after looking at the text that is stored now.
///
/// # Errors
/// [`SaveError`]: the stored one stays as it is.
pub fn next(recorded: &Recorded, stored: Option<&str>) -> Result<(String, Base), SaveError> {
    let lineage = recorded.lineage.ok_or(SaveError::NoLineage)?;
    let expected = recorded.serial;
    let (fits, found, of) = match stored.map(format::read) {
        None => (true, 0, None),
        Some(Ok(Recorded { serial, lineage: of, .. })) => {
            (serial == expected && of.is_none_or(|of| of == lineage), serial, of)
        }
        // A record that was moved may move back, as what has become of it.
        Some(Err(FormatError::Moved { lineage: of, serial, .. })) => {
            (serial <= expected && of == lineage, serial, Some(of))
        }
        Some(Err(error)) => return Err(error.into()),
    };
    if !fits {
        return Err(SaveError::Changed { expected, found, lineage: of });
    }
    checked(recorded, lineage, expected)
}

/// The text to store for a record whatever is stored now: its serial is above both.
///
/// # Errors
/// [`SaveError`]: the stored one stays as it is.
pub fn over(recorded: &Recorded, stored: Option<&str>) -> Result<(String, Base), SaveError> {
    let lineage = recorded.lineage.ok_or(SaveError::NoLineage)?;
    let stored = match stored.map(format::read) {
        Some(Ok(Recorded { serial, .. }) | Err(FormatError::Moved { serial, .. })) => serial,
        // The serial of a damaged record is worth nothing: nobody could save over the greatest one.
        None | Some(Err(_)) => 0,
    };
    checked(recorded, lineage, recorded.serial.max(stored))
}

/// The marker to store in the place of the record that was read.
///
/// # Errors
/// [`SaveError`]: the stored one stays as it is.
pub fn marker(base: &Base, stored: Option<&str>, to: &str) -> Result<String, SaveError> {
    match stored.map(format::read).transpose()? {
        Some(stored) if (stored.serial, stored.lineage) == (base.serial, Some(base.lineage)) => {}
        stored => {
            let (expected, found) = (base.serial, stored.as_ref().map_or(0, |stored| stored.serial));
            let lineage = stored.and_then(|stored| stored.lineage);
            return Err(SaveError::Changed { expected, found, lineage });
        }
    }
    let text = format::write_moved(to, base.lineage, base.serial.saturating_add(1));
    match format::read(&text) {
        Err(FormatError::Moved { .. }) => Ok(text),
        Err(error) => Err(SaveError::NotItself { why: error.to_string() }),
        Ok(_) => Err(SaveError::NotItself { why: "it is a record".to_owned() }),
    }
}

/// A record's text under the serial after `serial`, read back.
fn checked(recorded: &Recorded, lineage: Uuid, serial: u64) -> Result<(String, Base), SaveError> {
    let serial = serial.saturating_add(1);
    let text = format::write_as(recorded, serial, BYOB_VERSION);
    match format::read(&text) {
        Ok(mut back) => {
            back.serial = recorded.serial;
            if back != *recorded {
                return Err(SaveError::NotItself { why: "it differs".to_owned() });
            }
        }
        Err(error) => return Err(SaveError::NotItself { why: error.to_string() }),
    }
    Ok((text, Base { serial, lineage, end: None }))
}

#[cfg(test)]
mod tests {
    use byob_model::address::RootAddress;

    use super::*;
    use crate::testing::{LINEAGE, a_record};

    fn text(serial: u64) -> String {
        format::write(&a_record(serial), BYOB_VERSION)
    }

    fn journal(serial: u64, lineage: Uuid) -> Vec<u8> {
        Base { serial, lineage, end: None }.lines(&[Entry::Written { at: 5 }]).0.into_bytes()
    }

    #[test]
    fn the_journal_of_this_record_is_replayed() {
        let got = assemble(Some(&text(3)), &journal(3, LINEAGE)).unwrap();
        assert_eq!(got.recorded, Some(Recorded { written_at: Some(5), ..a_record(3) }));
        assert!(got.end.is_some());
    }

    #[test]
    fn an_older_journal_is_obsolete() {
        let got = assemble(Some(&text(4)), &journal(3, LINEAGE)).unwrap();
        assert_eq!(got, Assembled { recorded: Some(a_record(4)), end: None });
    }

    #[test]
    fn a_journal_of_a_newer_another_or_no_record_is_an_error() {
        let other = Uuid::from_u128(1);
        for (record, journal) in [
            (Some(text(3)), journal(4, LINEAGE)),
            (Some(text(3)), journal(3, other)),
            (None, journal(3, LINEAGE)),
        ] {
            let error = assemble(record.as_deref(), &journal).unwrap_err();
            assert!(matches!(error, AssembleError::Journal(_)), "{error}");
        }
    }

    #[test]
    fn a_journal_without_a_whole_line_is_none() {
        let bytes = journal(3, LINEAGE);
        let got = assemble(None, &bytes[..20]).unwrap();
        assert_eq!(got, Assembled { recorded: None, end: None });
    }

    #[test]
    fn only_the_record_that_was_read_is_replaced() {
        let record = a_record(3);
        assert_eq!(next(&record, Some(&text(3))).unwrap().1.serial, 4);
        assert_eq!(next(&record, None).unwrap().1.serial, 4);
        assert!(matches!(
            next(&record, Some(&text(4))),
            Err(SaveError::Changed { expected: 3, found: 4, .. })
        ));
        let other = Recorded { lineage: Some(Uuid::from_u128(1)), ..record.clone() };
        assert!(matches!(next(&other, Some(&text(3))), Err(SaveError::Changed { .. })));
        assert!(matches!(next(&record, Some("{")), Err(SaveError::Stored(_))));
        assert_eq!(next(&Recorded::default(), None), Err(SaveError::NoLineage));
    }

    #[test]
    fn a_record_moves_back_over_its_own_marker_only_and_never_as_an_older_one() {
        let marker = |lineage| format::write_moved("s3://acme-state/byob.state.json", lineage, 4);
        for serial in [4, 9] {
            assert_eq!(next(&a_record(serial), Some(&marker(LINEAGE))).unwrap().1.serial, serial + 1);
        }
        for (serial, lineage) in [(3, LINEAGE), (4, Uuid::from_u128(1))] {
            let error = next(&a_record(serial), Some(&marker(lineage))).unwrap_err();
            assert!(matches!(error, SaveError::Changed { found: 4, .. }), "{error}");
        }
    }

    #[test]
    fn whatever_is_stored_the_new_serial_is_above_it_and_above_the_given_one() {
        let other = Recorded { lineage: Some(Uuid::from_u128(1)), ..a_record(30) };
        let moved = format::write_moved("s3://acme-state/byob.state.json", LINEAGE, 8);
        for (given, stored, serial) in [
            (3, None, 4),
            (3, Some(text(3)), 4),
            (3, Some(text(20)), 21),
            (20, Some(text(3)), 21),
            (3, Some(format::write(&other, BYOB_VERSION)), 31),
            (3, Some(moved), 9),
            (3, Some(text(20).replace("acme", "evil")), 4),
            (3, Some("{".to_owned()), 4),
            (3, Some(r#"{"format_version":2}"#.to_owned()), 4),
        ] {
            let (text, base) = over(&a_record(given), stored.as_deref()).unwrap();
            assert_eq!(base, Base { serial, lineage: LINEAGE, end: None });
            assert_eq!(format::read(&text).unwrap(), a_record(serial));
        }
        assert_eq!(over(&Recorded::default(), None), Err(SaveError::NoLineage));
    }

    #[test]
    fn a_marker_is_put_over_the_record_that_was_read_only() {
        let base = Base { serial: 3, lineage: LINEAGE, end: None };
        let to = "s3://acme-state/byob.state.json";
        let text_of = marker(&base, Some(&text(3)), to).unwrap();
        let read = format::read(&text_of).unwrap_err();
        assert_eq!(read, FormatError::Moved { to: to.to_owned(), lineage: LINEAGE, serial: 4 });
        assert!(matches!(marker(&base, Some(&text(4)), to), Err(SaveError::Changed { found: 4, .. })));
        assert!(matches!(marker(&base, None, to), Err(SaveError::Changed { found: 0, .. })));
        assert!(matches!(marker(&base, Some(&text_of), to), Err(SaveError::Stored(_))));
        assert!(matches!(marker(&base, Some(&text(3)), "a\nb"), Err(SaveError::NotItself { .. })));
    }

    #[test]
    fn a_record_that_could_not_be_read_again_is_not_saved() {
        let mut record = a_record(3);
        let bucket = record.resources[&RootAddress::bucket("storage").address()].clone();
        record.resources.insert(RootAddress::key("k").address(), bucket);
        assert!(matches!(next(&record, None), Err(SaveError::NotItself { .. })));
        let record = Recorded { serial: (1 << 53) - 1, ..a_record(3) };
        assert!(matches!(next(&record, None), Err(SaveError::NotItself { .. })));
    }
}
