//! `byob state migrate`: a record moves to the place that `[state]` names now. At no moment is there no record, and none
//! at two places that would both be used: the old place is left with a marker that says where the record went.

use std::path::Path;
use std::time::Duration;

use byob_model::config::{Configuration, ObjectState};
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
    let no_place =
        || Failure::said(format!("`{from}` is no place of a record"), "write a path, or s3://BUCKET/KEY");
    let Some(rest) = from.strip_prefix("s3://") else {
        if from.contains("://") {
            return Err(no_place());
        }
        let path = session::beside_config(global, Path::new(from));
        // Looked at before a lock is made beside it.
        if !path.is_file() {
            return Err(Failure::said(
                format!("there is no record at {}; nothing was written", path.display()),
                "--from names the place that the record is at now",
            ));
        }
        return Ok(RecordStore::Local(LocalStore::open(path)?));
    };
    let (bucket, key) = rest
        .split_once('/')
        .filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
        .ok_or_else(no_place)?;
    let state = ObjectState {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        region: None,
        profile: None,
        assume_role: None,
        kms_key: None,
        account_id: None,
    };
    // Whose bucket the old place is, nothing says.
    Ok(RecordStore::S3(place::objects(&state, &config.aws, None).await?))
}

/// Moves it, under the locks of both places.
pub(super) async fn run(to: &RecordStore, from: &RecordStore, timeout: Duration) -> Result<(), Failure> {
    if is_same(to, from) {
        return Err(Failure::said(
            format!("{} is where [state] says that the record is already", from.location()),
            "write the new place into [state] of byob.toml first, then: byob state migrate --from OLD",
        ));
    }
    let command = "byob state migrate";
    place::under_lock(from, command, timeout, place::under_lock(to, command, timeout, moved(to, from))).await
}

/// Whether two places are one, however they are spelled.
fn is_same(one: &RecordStore, other: &RecordStore) -> bool {
    let whole = |store: &RecordStore| match store {
        RecordStore::Local(store) => std::fs::canonicalize(store.location()).ok(),
        RecordStore::S3(_) => None,
    };
    one.location() == other.location() || (whole(one).is_some() && whole(one) == whole(other))
}

/// First the old place is left, then the new one is taken: whatever comes in between, no two places have a record that
/// would both be used. What was at the old place is kept in its history, and from there a later run takes it.
async fn moved(to: &RecordStore, from: &RecordStore) -> Result<(), Failure> {
    let nothing_there = || {
        Failure::said(
            format!("there is no record at {}; nothing was written", from.location()),
            "--from names the place that the record is at now",
        )
    };
    let mut recorded = match from.load().await {
        Ok(loaded) => {
            let recorded = loaded.recorded.ok_or_else(nothing_there)?;
            if let Destination::Taken(_) = to.destination().await? {
                return Err(Failure::said(
                    format!("there is a record at {} already; nothing was written", to.location()),
                    "byob state list and byob state history tell the two apart; the one that is right can be pushed \
                     over the other with byob state push --force",
                ));
            }
            keeps_its_past(from).await?;
            from.leave(&to.location()).await?;
            recorded
        }
        Err(StoreError::Unusable {
            error: AssembleError::Record(FormatError::Moved { to: went, serial, .. }),
            ..
        }) if went == to.location() => match to.destination().await? {
            Destination::Taken(_) => {
                terminal::say(&format!("✓ nothing to do: the record is at {} already", to.location()));
                return Ok(());
            }
            // An earlier run got as far as leaving.
            Destination::Empty | Destination::Left { .. } => {
                from.kept(serial.saturating_sub(1)).await?.ok_or_else(|| {
                    Failure::said(
                        format!(
                            "the record was on its way from {} to {}, and serial {} is not kept any more",
                            from.location(),
                            to.location(),
                            serial.saturating_sub(1)
                        ),
                        "byob import --recover rebuilds it",
                    )
                })?
            }
        },
        Err(error) => return Err(error.into()),
    };
    match to.destination().await? {
        Destination::Left { .. } => to.replace(&mut recorded).await?,
        _ => to.save(&mut recorded).await?,
    }
    terminal::say(&format!(
        "✓ the record is at {} now; {} says so to whoever still looks there",
        to.location(),
        from.location()
    ));
    Ok(())
}

/// Between leaving and arriving the record is in the old place's history alone.
async fn keeps_its_past(from: &RecordStore) -> Result<(), Failure> {
    let all = from.history().await?;
    let keeps = all.iter().any(|kept| !matches!(kept.version.as_str(), "" | "null"));
    if keeps || !matches!(from, RecordStore::S3(_)) {
        return Ok(());
    }
    Err(Failure::said(
        format!(
            "the bucket of {} keeps no versions, so a crash on the way could lose the record",
            from.location()
        ),
        "switch versioning on there first (byob state init --complete, while [state] names it), or pull the record into \
         a file and push it at the new place",
    ))
}
