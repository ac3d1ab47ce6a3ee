//! `byob state migrate`: a record moves to the place that `[state]` names now. At no moment is there no record, and none
//! at two places that would both be used: the old place is left with a marker that says where the record went.

use std::path::Path;
use std::time::Duration;

use byob_model::config::{Configuration, ObjectState};
use byob_model::recorded::Recorded;
use byob_state::{AssembleError, Destination, FormatError, LocalStore, Store, StoreError, Tools};

use crate::cli::Global;
use crate::failure::Failure;
use crate::place::{self, RecordStore};
use crate::session;
use crate::terminal;

/// Opens the place that a record is to come from: a file, or `s3://BUCKET/KEY`.
pub(super) async fn source(
    global: &Global,
    config: &Configuration,
    from: &str,
) -> Result<RecordStore, Failure> {
    let Some(rest) = from.strip_prefix("s3://") else {
        let path = session::beside_config(global, Path::new(from));
        return Ok(RecordStore::Local(LocalStore::open(path)?));
    };
    let (bucket, key) =
        rest.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty()).ok_or_else(
            || Failure::said(format!("`{from}` is no place of a record"), "write a path, or s3://BUCKET/KEY"),
        )?;
    let state = ObjectState {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        region: None,
        profile: None,
        assume_role: None,
        kms_key: None,
    };
    Ok(RecordStore::S3(place::objects(&state, &config.aws).await?))
}

/// Moves it, under the locks of both places.
pub(super) async fn run(to: &RecordStore, from: &RecordStore, timeout: Duration) -> Result<(), Failure> {
    if to.location() == from.location() {
        return Err(Failure::said(
            format!("{} is where [state] says that the record is already", from.location()),
            "write the new place into [state] of byob.toml first, then: byob state migrate --from OLD",
        ));
    }
    let command = "byob state migrate";
    place::under_lock(from, command, timeout, place::under_lock(to, command, timeout, moved(to, from))).await
}

async fn moved(to: &RecordStore, from: &RecordStore) -> Result<(), Failure> {
    let old = match from.load().await {
        Ok(loaded) => loaded.recorded.ok_or_else(|| {
            Failure::said(
                format!("there is no record at {}; nothing was written", from.location()),
                "--from names the place that the record is at now",
            )
        })?,
        Err(StoreError::Unusable {
            error: AssembleError::Record(FormatError::Moved { to: went, .. }),
            ..
        }) if went == to.location() => {
            terminal::say(&format!("✓ nothing to do: the record is at {} already", to.location()));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    match to.destination().await? {
        Destination::Empty | Destination::Left { .. } => {
            let mut recorded = old;
            to.save(&mut recorded).await?;
        }
        // An earlier migration got as far as this.
        Destination::Taken(loaded) if loaded.recorded.as_ref().is_some_and(|new| is_copy(new, &old)) => {}
        Destination::Taken(_) => {
            return Err(Failure::said(
                format!("there is a record at {} already; nothing was written", to.location()),
                "byob state show and byob state history tell the two apart; the one that is right can be pushed over \
                 the other with byob state push --force",
            ));
        }
    }
    from.leave(&to.location()).await?;
    terminal::say(&format!(
        "✓ the record is at {} now; {} says so to whoever still looks there",
        to.location(),
        from.location()
    ));
    Ok(())
}

/// Whether a record is what another became by being saved elsewhere.
fn is_copy(new: &Recorded, old: &Recorded) -> bool {
    let copy = Recorded { serial: old.serial, ..new.clone() };
    copy == *old
}
