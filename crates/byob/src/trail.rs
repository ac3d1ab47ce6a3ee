//! `--who`: asks CloudTrail who made each drift. What cannot be found out is said beside the drift, and is no failure.

use std::collections::{BTreeMap, BTreeSet};

use byob_apply::{CloudError, ErrorKind};
use byob_aws::History;
use byob_model::recorded::Recorded;
use byob_plan::drift::Report;
use byob_plan::trail::{Cause, Event, Traced, newest, traced};

use crate::session::Session;

/// A drift to be traced.
struct Sought {
    /// Its place in the report.
    at: usize,
    cause: Cause,
}

impl Sought {
    fn of<'a>(&'a self, events: &'a [Event]) -> impl Iterator<Item = &'a Event> {
        events.iter().filter(|event| self.cause.fits(event))
    }
}

/// Puts what CloudTrail knows into a report.
pub(crate) async fn trace(session: &Session, recorded: &Recorded, report: &mut Report) {
    let mut regions: BTreeMap<String, Vec<Sought>> = BTreeMap::new();
    for (at, drift) in report.drift.iter().enumerate() {
        let Some(root) = recorded.root(&drift.address.root()) else { continue };
        let sought = Sought { at, cause: Cause::of(drift, &root.identity) };
        regions.entry(root.region.clone()).or_default().push(sought);
    }
    for (region, sought) in &regions {
        let names: BTreeSet<&'static str> =
            sought.iter().flat_map(|one| one.cause.names.iter().copied()).collect();
        let enough = |name: &str, seen: &[Event]| {
            let mut of_name = sought.iter().filter(|one| one.cause.names.contains(name));
            of_name.all(|one| newest(one.of(seen)).0.is_some())
        };
        let history = session.cloud.history(region, &names, &enough).await;
        for sought in sought {
            if let Some(drift) = report.drift.get_mut(sought.at) {
                drift.traced = match &history {
                    Ok(history) => found(sought, history, recorded.written_at),
                    Err(error) => Traced { who: None, note: Some(not_asked(region, error)) },
                };
            }
        }
    }
}

fn found(sought: &Sought, history: &History, written_at: Option<i64>) -> Traced {
    let all_seen = !sought.cause.names.iter().any(|name| history.cut.contains(*name));
    traced(newest(sought.of(&history.events)), all_seen, written_at)
}

fn not_asked(region: &str, error: &CloudError) -> String {
    match error.kind {
        ErrorKind::AccessDenied => {
            format!("CloudTrail in {region} does not answer this caller, who needs cloudtrail:LookupEvents")
        }
        _ => format!("CloudTrail in {region} could not be asked: {error}"),
    }
}
