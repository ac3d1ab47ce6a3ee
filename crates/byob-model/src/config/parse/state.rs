//! `[state]`: where the record is.

use super::reader::{Field, Report, Table};
use super::{Context, aws, encryption, naming, region, shape};
use crate::config::{ObjectState, State};

const DEFAULT_PATH: &str = "state/byob.state.json";
/// A key of S3 has at most 1,024 bytes; the journal's ends in `.journal`.
const LONGEST_KEY: usize = 1024 - ".journal".len();

pub(super) fn state(context: &mut Context<'_>, file: &mut Table<'_>) -> State {
    let default = State::Path(DEFAULT_PATH.to_owned());
    let Some(field) = file.take(&mut context.report, "state") else { return default };
    let Some(mut table) = field.table(&mut context.report, &shape::STATE) else { return default };
    let (path, s3) = (table.take(&mut context.report, "path"), table.take(&mut context.report, "s3"));
    table.finish(&mut context.report);
    match (path, s3) {
        (None, None) => default,
        (Some(field), None) => path_of(&field, &mut context.report).map_or(default, State::Path),
        (None, Some(field)) => objects(context, &field).map_or(default, State::S3),
        (Some(path), Some(s3)) => {
            let later = if path.key.start > s3.key.start { &path } else { &s3 };
            let help = "keep one; `byob state migrate` moves a record from the one to the other";
            context.report.error(later.key, "`path` and `s3` together", "there is one record", help);
            default
        }
    }
}

fn path_of(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let text = field.nonempty_text(report)?;
    if text.ends_with(['/', '\\']) {
        let help = format!("add a file name: `path = \"{text}byob.state.json\"`");
        field.error(report, "`path` names a folder", "the state is one file", help);
    }
    Some(text.to_owned())
}

fn objects(context: &mut Context<'_>, field: &Field<'_>) -> Option<ObjectState> {
    let mut table = field.table(&mut context.report, &shape::STATE_S3)?;
    let bucket = table.require(&mut context.report, "bucket").and_then(|field| {
        let text = field.text(&mut context.report)?;
        naming::check_name(&field, &mut context.report, text).map(|()| text.to_owned())
    });
    let key = table.require(&mut context.report, "key").and_then(|field| key(&field, &mut context.report));
    let role = table.take(&mut context.report, "assume_role");
    let assume_role = role.and_then(|field| aws::assume_role(context, &field, None));
    let Context { report, partition, .. } = context;
    let region = table.take(report, "region").and_then(|field| region::region(&field, report, *partition));
    let profile = table.take(report, "profile").and_then(|field| field.nonempty_text(report));
    let profile = profile.map(str::to_owned);
    let kms_key = table.take(report, "kms_key").and_then(|field| {
        let text = field.text(report)?;
        let arn = encryption::key_arn(&field, report, text, *partition)?;
        if region.as_ref().is_some_and(|region| *region != arn.region) {
            let message = "the key is in another region than the bucket";
            field.error(report, message, format!("this key is in {}", arn.region), field.help());
        }
        Some(text.to_owned())
    });
    let account_id = table.take(report, "account_id").and_then(|field| aws::account_id(&field, report));
    table.finish(report);
    Some(ObjectState { bucket: bucket?, key: key?, region, profile, assume_role, kms_key, account_id })
}

fn key(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let text = field.nonempty_text(report)?;
    let problem = if text.len() > LONGEST_KEY {
        Some("a key has at most 1016 bytes here: the journal's name is eight longer")
    } else if text.ends_with(".lock") || text.ends_with(".journal") {
        Some("`.lock` and `.journal` are what byob's lock and journal of another record end in")
    } else if text.ends_with('/') {
        Some("this names a folder, and the record is one object")
    } else if text.starts_with('/') || text.split('/').any(|part| matches!(part, "" | "." | "..")) {
        Some("must have no empty part, no `.` and no `..`")
    } else if text.chars().any(char::is_control) {
        Some("must have no control characters")
    } else {
        None
    };
    if let Some(problem) = problem {
        field.error(report, "`key` is not one that every store takes", problem, field.help());
        return None;
    }
    Some(text.to_owned())
}
