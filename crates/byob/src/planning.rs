//! From a session to a plan: read the record, resolve the configuration, read AWS, compare. Used by every command that
//! plans, before the lock and under it.

use std::time::Duration;

use byob_apply::{Replan, settle};
use byob_model::date::Date;
use byob_model::desired::{Desired, desired};
use byob_model::live::{Live, Wanted};
use byob_model::recorded::Recorded;
use byob_plan::recovery::with_keys_seen;
use byob_plan::{Input, Mode, Plan, plan, wanted};
use byob_render::Header;
use byob_state::Loaded as LoadedRecord;

use crate::cli::Select;
use crate::contact;
use crate::failure::Failure;
use crate::session::Session;

/// A plan and what it was made from.
pub(crate) struct Planned {
    pub plan: Plan,
    pub live: Live,
}

/// The flags as the plan holds them.
pub(crate) fn mode(select: &Select, destroy: bool) -> Mode {
    Mode {
        target: select.target.iter().map(ToString::to_string).collect(),
        recreate: select.recreate.iter().map(ToString::to_string).collect(),
        destroy,
        refresh_only: select.refresh_only,
    }
}

/// The flags as they have to stand behind `--approve`: the plan's own, and those that say of what it is the plan.
fn approve_flags(session: &Session, mode: &Mode) -> String {
    let target = mode.target.iter().map(|t| format!(" --target {t}"));
    let recreate = mode.recreate.iter().map(|r| format!(" --recreate {r}"));
    let refresh = mode.refresh_only.then(|| " --refresh-only".to_owned());
    target.chain(recreate).chain(refresh).chain([session.flags.clone()]).collect()
}

/// Resolves the configuration against a record.
pub(crate) fn resolve(session: &Session, recorded: &Recorded) -> Result<Desired, Failure> {
    desired(session.config(), &session.caller.account_id, recorded).map_err(|diagnostics| {
        Failure::Diagnostics {
            file: session.loaded.file.clone(),
            text: session.loaded.text.clone(),
            diagnostics,
        }
    })
}

/// Plans again for whatever the record and AWS say.
pub(crate) struct Planner<'a> {
    session: &'a Session,
    mode: Mode,
    meaning: Desired,
    partition: String,
    /// When the command began: a plan made again past midnight is still the same.
    today: Date,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(session: &'a Session, mode: Mode) -> Result<Self, Failure> {
        let meaning = resolve(session, &Recorded::default())?;
        let today = Date::of_unix_seconds(jiff::Timestamp::now().as_second());
        Ok(Self { session, mode, meaning, partition: session.partition(), today })
    }

    /// The configuration against this record. It resolved with no record, and a record only keeps names: should it not
    /// resolve now, the configuration's own meaning stands.
    fn desired(&self, recorded: &Recorded) -> Desired {
        resolve(self.session, recorded).unwrap_or_else(|_| self.meaning.clone())
    }

    fn compare(&self, desired: &Desired, recorded: &Recorded, live: &Live) -> Plan {
        plan(&Input {
            desired,
            recorded,
            live,
            mode: &self.mode,
            endpoint: &self.session.endpoint,
            partition: &self.partition,
            byob_version: env!("CARGO_PKG_VERSION"),
            meaning: &self.meaning,
            today: self.today,
        })
    }

    fn reads(&self, desired: &Desired, recorded: &Recorded) -> Wanted {
        if self.mode.destroy {
            wanted(Some(&desired.empty()), recorded)
        } else {
            wanted(Some(desired), recorded)
        }
    }

    /// Reads AWS, with patience for what was written a moment ago, and plans.
    pub(crate) async fn make(&self, recorded: &Recorded, patience: Duration) -> Result<Planned, Failure> {
        let desired = resolve(self.session, recorded)?;
        let wanted = self.reads(&desired, recorded);
        let unsettled = |live: &Live| !self.compare(&desired, recorded, live).unsettled.is_empty();
        let live = settle(
            &self.session.cloud,
            &self.session.clock,
            self.session.pace,
            &wanted,
            recorded,
            patience,
            &unsettled,
        )
        .await?;
        contact::refuse_unread(&live)?;
        let recorded = with_keys_seen(recorded, &live);
        let desired = resolve(self.session, &recorded)?;
        let plan = self.compare(&desired, &recorded, &live);
        Ok(Planned { plan, live })
    }
}

impl Replan for Planner<'_> {
    fn wanted(&self, recorded: &Recorded) -> Wanted {
        self.reads(&self.desired(recorded), recorded)
    }

    fn plan(&self, recorded: &Recorded, live: &Live) -> Plan {
        self.compare(&self.desired(recorded), recorded, live)
    }
}

/// What stands above a plan or a drift report.
pub(crate) fn header(
    session: &Session,
    record: &LoadedRecord,
    mode: &Mode,
    live: &Live,
    plan: Option<&Plan>,
) -> Header {
    let recorded = record.recorded.as_ref().filter(|r| r.serial > 0).map(|r| {
        let date = r.written_at.and_then(|at| jiff::Timestamp::from_second(at).ok());
        (
            match date {
                Some(date) => date.strftime("%Y-%m-%d").to_string(),
                None if r.resources.is_empty() => String::new(),
                None => "by import".to_owned(),
            },
            r.serial,
        )
    });
    let mut notes: Vec<String> = live.notes.clone();
    notes.extend(plan.map(|plan| contact::lockout_notes(session, plan)).unwrap_or_default());
    if record.journalled && record.lock.is_none() {
        notes.push(
            "the last run did not end by itself: its journal was read; the next apply completes the record"
                .to_owned(),
        );
    }
    Header {
        config_file: session.loaded.file.clone(),
        stack: session.config().stack.clone(),
        account_id: session.caller.account_id.clone(),
        buckets: session.config().buckets.len(),
        keys: session.config().keys.len(),
        endpoint: session.endpoint.clone(),
        recorded,
        running: record.lock.as_ref().filter(|lock| !lock.is_dead_here()).map(ToString::to_string),
        notes,
        approve_flags: approve_flags(session, mode),
        consented: false,
    }
}
