//! `--refresh-only`: what somebody changed outside byob is accepted into the record as it is. Nothing is written to AWS, and
//! the configuration is not asked; where it wants something else, the next plan shows the way back. What vanished or
//! changed its owner is never accepted.

use std::collections::BTreeSet;

use byob_model::address::{Address, Kind};
use byob_model::kind::Attributes;
use byob_model::recorded::{Approval, Recorded, RecordedResource};
use serde_json::{Value, json};

use crate::compare::Planner;
use crate::drift::report;
use crate::finding::Rule;
use crate::plan::{Action, Drift, RecordChange, Step};

/// How the reason of every step that accepts begins.
const ACCEPT: &str = "accept: ";

/// Under this name an approval keeps what is accepted.
const ACCEPTED: &str = "accepted";

impl Step {
    /// Whether it takes drift into the record.
    #[must_use]
    pub fn accepts(&self) -> bool {
        self.calls.is_empty() && self.reason.starts_with(ACCEPT)
    }
}

/// Whether an approval is one to accept drift, and nothing else.
#[must_use]
pub fn accepts_drift(approval: &Approval) -> bool {
    approval.steps.iter().all(|step| step.document.get(ACCEPTED).is_some())
}

impl Planner<'_> {
    /// Puts the acceptance of all drift in the place of whatever else was planned.
    pub(crate) fn accept_drift(&mut self) {
        // What an unfinished run put is accepted like all else: this run's approval takes the place of that run's.
        let alone = Recorded { approval: None, ..self.recorded.clone() };
        let compared = std::mem::replace(&mut self.drift, report(&alone, self.live).drift);
        // Of other teams' statements that stay, the `Sid`s count too: there the plan sees more than the record alone tells.
        for drift in compared {
            let seen = self.drift.iter().any(|known| known.address == drift.address);
            if !seen && self.recorded.resources.contains_key(&drift.address) {
                self.drift.push(drift);
            }
        }
        self.drift.sort_by(|a, b| a.address.cmp(&b.address));
        self.steps = self.drift.iter().filter_map(|drift| self.accepted(drift)).collect();
        self.record.clear();
        self.already.clear();
        self.newly_public.clear();
        self.unsettled = self.drift.iter().map(|drift| drift.address.clone()).collect();
        let about_recorded = |address: &Address| {
            self.cases.iter().any(|case| case.recorded.is_some() && case.address == address.root())
        };
        let stays = [Rule::Vanished, Rule::NowAnothers, Rule::OwnedByAnother];
        self.findings.retain(|finding| stays.contains(&finding.rule) && about_recorded(&finding.address));
        self.accept_targets();
    }

    /// The step that takes one drift into the record; none for a root that vanished or changed its owner.
    fn accepted(&self, drift: &Drift) -> Option<Step> {
        let address = &drift.address;
        let root = self.recorded.root(&address.root())?;
        let put = |address: Address, resource| vec![RecordChange::Put(address, resource)];
        let (record, reason, live) = match self.recorded.resources.get(address) {
            Some(_) if address.kind.is_root() && drift.after.is_none() => return None,
            Some(known) => match drift.after.as_ref().map(Attributes::to_value).or_else(|| absent(known)) {
                Some(live) => {
                    let resource = RecordedResource { attributes: live.clone(), ..known.clone() };
                    let reason = match drift.after {
                        Some(_) => "from now on the record has what is live",
                        None => "it is gone, and the record says so",
                    };
                    (put(address.clone(), resource), reason, live)
                }
                None => {
                    let gone = vec![RecordChange::Remove(address.clone())];
                    (gone, "it is gone, and leaves the record", Value::Null)
                }
            },
            // Versioning that nobody manages and that was on once.
            None => {
                let resource = RecordedResource { versioning_seen: false, ..root.clone() };
                let reason = "from now on the record does not say that it was on";
                (put(address.root().address(), resource), reason, Value::Null)
            }
        };
        Some(Step {
            id: format!("{address}#1"),
            kind: address.kind,
            action: Action::Update,
            phase: 2,
            region: root.region.clone(),
            account_id: root.account_id.clone(),
            reason: format!("{ACCEPT}{reason}"),
            changes: drift
                .changes
                .iter()
                .map(|change| crate::plan::Change { unknown: Some(false), ..change.clone() })
                .collect(),
            calls: Vec::new(),
            depends_on: Vec::new(),
            from: None,
            identity: None,
            puts: Vec::new(),
            // Not the bare attributes: what is accepted was never put by byob, and may not pass for that later.
            document: json!({ ACCEPTED: live }),
            record,
            before: drift.before.clone(),
            after: drift.after.clone(),
            address: address.clone(),
        })
    }

    /// `--target`: the named addresses and nothing else, because what is accepted depends on nothing.
    fn accept_targets(&mut self) {
        let targets = &self.input.mode.target;
        if targets.is_empty() {
            return;
        }
        let named = |address: &Address| {
            targets.contains(&address.to_string()) || targets.contains(&address.root().to_string())
        };
        self.steps.retain(|step| named(&step.address));
        self.drift.retain(|drift| named(&drift.address));
        self.unsettled.retain(named);
        self.desired_addresses.retain(named);
        self.findings.retain(|finding| named(&finding.address));
        // What this run accepted as gone is read back under the same flags.
        let approved = self.recorded.approval.iter().filter(|approval| !approval.finished);
        let approved = approved.flat_map(|approval| &approval.steps).map(|step| step.address.clone());
        let known: BTreeSet<String> = self
            .recorded
            .resources
            .keys()
            .cloned()
            .chain(approved)
            .chain(self.drift.iter().map(|drift| drift.address.clone()))
            .flat_map(|address| [address.to_string(), address.root().to_string()])
            .collect();
        let missing: Vec<Address> =
            targets.iter().filter(|target| !known.contains(*target)).filter_map(|t| t.parse().ok()).collect();
        for address in missing {
            self.finding(
                Rule::NoSuchTarget,
                address,
                "--target names something that is not recorded, so nothing of it can have drifted",
                "byob state list says what is recorded",
            );
        }
    }
}

/// How the record keeps that there is nothing any more: watched on, where absence has a form of its own.
fn absent(known: &RecordedResource) -> Option<Value> {
    let mut value = Attributes::when_absent(known.kind)?.to_value();
    // Whose rules are whose does not change by it.
    if let (Kind::Cors | Kind::Lifecycle, Some(object), Some(exclusive)) =
        (known.kind, value.as_object_mut(), known.attributes.get("exclusive"))
    {
        object.insert("exclusive".to_owned(), exclusive.clone());
    }
    Some(value)
}
