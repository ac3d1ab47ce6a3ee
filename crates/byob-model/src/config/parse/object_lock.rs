//! `object_lock`: on, perhaps with a default retention.
//!
//! Source: S3 API reference, "DefaultRetention": a mode and either days or years.

use super::reader::{Field, Report};
use super::shape;
use crate::kind::{ObjectLock, RetentionMode};

const MODES: [(&str, RetentionMode); 2] =
    [("governance", RetentionMode::Governance), ("compliance", RetentionMode::Compliance)];

pub(super) fn object_lock(field: &Field<'_>, report: &mut Report) -> Option<ObjectLock> {
    let mut table = field.table(report, &shape::OBJECT_LOCK)?;
    let [mode, days, years] = ["mode", "days", "years"].map(|name| table.take(report, name));
    match (&mode, &days, &years) {
        (_, Some(days), Some(years)) => {
            let later = days.key.start.max(years.key.start);
            let later = if days.key.start == later { days } else { years };
            report.error(
                later.key,
                "`days` and `years` together",
                "one of them too many",
                "keep one of them",
            );
        }
        (Some(mode), None, None) => {
            let help = "add `days = 30` or `years = 1`, or take `mode` out for no default retention";
            report.error(mode.key, "`mode` without a time", "for how long?", help);
        }
        (None, Some(time), None) | (None, None, Some(time)) => {
            let help = "add `mode = \"governance\"` (privileged users may shorten it) or \"compliance\" (nobody may)";
            report.error(time.key, format!("`{}` without a mode", time.name), "`mode` is missing", help);
        }
        _ => {}
    }
    table.finish(report);
    Some(ObjectLock {
        mode: mode.and_then(|field| field.one_of(report, &MODES)),
        days: days.and_then(|field| field.small_number(report, 1..=36_500)),
        years: years.and_then(|field| field.small_number(report, 1..=100)),
    })
}
