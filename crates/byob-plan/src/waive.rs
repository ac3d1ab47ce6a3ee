//! Waivers: what somebody accepted for a time does not block. Past its date a waiver holds on for a while, with a warning,
//! so that nobody is stopped by a day that nobody watched.

use std::collections::BTreeSet;

use byob_model::address::RootAddress;
use byob_model::config::Waiver;
use byob_model::kind::{Accepted, Attributes};
use byob_model::recorded::Recorded;

use crate::compare::Planner;
use crate::finding::{Finding, Rule, Waived};

/// Days for which a waiver past its date still holds.
const GRACE: u32 = 30;

/// Days for which a waiver may hold without a word: a year.
const LONG: u32 = 366;

impl Planner<'_> {
    /// Marks what is waived, and says which waivers are past their date or cover nothing.
    pub(crate) fn waive(&mut self) {
        let today = self.input.today;
        let targeted = !self.input.mode.target.is_empty();
        // What is refused as a whole is not judged, so its waivers cannot find what they cover.
        let unjudged: BTreeSet<RootAddress> = self
            .findings
            .iter()
            .filter(|f| f.address.kind.is_root() && f.rule.impossible())
            .map(|f| f.address.root())
            .collect();
        let desired = self.desired;
        for waiver in &desired.waivers {
            let root = waiver.address.root();
            if !desired.roots.contains_key(&root) {
                continue;
            }
            let mut covered =
                self.findings.iter_mut().filter(|f| f.rule == waiver.rule && f.address == waiver.address);
            let Some(finding) = covered.next() else {
                if !targeted && !unjudged.contains(&root) {
                    self.findings.push(idle(waiver));
                }
                continue;
            };
            let applied = accepted(self.recorded, waiver);
            // Grace is for a waiver that ran out, not for one that begins past its date.
            let known = applied.as_ref().is_some_and(|one| one.until == waiver.until);
            let holds = today <= waiver.until || (known && today <= waiver.until.plus_days(GRACE));
            // What somebody looked at then is covered, not what came since.
            let unchanged = known && applied.is_some_and(|one| one.reason == waiver.reason);
            let since = self.newly_public.get(&root).filter(|_| unchanged && waiver.rule == Rule::Public);
            if let Some(which) = since {
                finding.message +=
                    &format!("; the waiver does not cover {which}, which it was not written for");
                finding.help += "; or look at the waiver again, and write another `reason` or `until`";
            } else if holds && finding.rule.waivable() {
                finding.waived =
                    Some(Waived { reason: waiver.reason.clone(), until: waiver.until.to_string() });
            }
            if today > waiver.until {
                self.findings.push(past_date(waiver, holds));
            } else if waiver.until > today.plus_days(LONG) {
                self.findings.push(long(waiver));
            }
        }
    }
}

/// The waiver of the same, as it was last applied.
fn accepted(recorded: &Recorded, waiver: &Waiver) -> Option<Accepted> {
    let mut waivers = match recorded.root(&waiver.address.root())?.typed().ok()? {
        Attributes::Bucket(bucket) => bucket.waivers,
        Attributes::Key(key) => key.waivers,
        _ => return None,
    };
    waivers.remove(&format!("{} {}", waiver.address, waiver.rule.id()))
}

fn idle(waiver: &Waiver) -> Finding {
    Finding::new(
        Rule::WaiverIdle,
        waiver.address.clone(),
        format!("the waiver of {} covers nothing: there is no such finding", waiver.rule.id()),
        "take it out of byob.toml, so that it does not hide what comes later",
    )
}

fn long(waiver: &Waiver) -> Finding {
    Finding::new(
        Rule::WaiverLong,
        waiver.address.clone(),
        format!(
            "the waiver of {} holds until {}, for more than a year: nobody has to look at it before",
            waiver.rule.id(),
            waiver.until
        ),
        "write an `until` within a year, and look at it again then",
    )
}

fn past_date(waiver: &Waiver, holds: bool) -> Finding {
    let end = waiver.until.plus_days(GRACE);
    let then = if holds { format!("it holds until {end}") } else { "it does not hold".to_owned() };
    Finding::new(
        Rule::WaiverPastDate,
        waiver.address.clone(),
        format!("the waiver of {} is past its date ({}): {then}", waiver.rule.id(), waiver.until),
        "mend what it covers; or look at it again, and write a later `until`",
    )
}
