//! What the flags select: `--target` with what its steps depend on, and `--recreate` of what has really vanished.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::{Address, Kind, RootAddress, RootKind};
use byob_model::kind::{Attributes, KeyRef};
use byob_model::live::{LiveBucket, LiveKey};

use crate::compare::Planner;
use crate::finding::Rule;
use crate::order;
use crate::plan::{Action, RecordChange, Step};

impl Planner<'_> {
    /// `--recreate` is about roots that vanished, and nothing else.
    pub(crate) fn check_recreate(&mut self) {
        for text in &self.input.mode.recreate {
            let Ok(root) = text.parse::<RootAddress>() else { continue };
            let address = root.address();
            let made = self.steps.iter().any(|s| s.address == address && s.action == Action::Create);
            // Made under the open approval: it is read back, or gone on with, under the same flags.
            let open = self.recorded.approval.iter().filter(|approval| !approval.finished);
            let approved = open.flat_map(|approval| &approval.steps);
            let made = made
                || approved
                    .filter(|s| s.address == address)
                    .any(|s| s.action == Action::Create.as_str() || s.action == Action::Adopt.as_str());
            if !made && !self.findings.iter().any(|f| f.address == address && f.blocks()) {
                self.finding(
                    Rule::NoSuchTarget,
                    address,
                    "--recreate names something that did not vanish",
                    "leave --recreate out; it is for a recorded bucket or key that was deleted outside byob",
                );
            }
        }
    }

    /// `--target`: the named addresses, and what their steps depend on.
    pub(crate) fn select_targets(&mut self) {
        let targets = &self.input.mode.target;
        if targets.is_empty() {
            return;
        }
        let named = |address: &Address| {
            targets.contains(&address.to_string()) || targets.contains(&address.root().to_string())
        };
        let configured = self.desired.roots.iter().flat_map(|(address, root)| {
            root.aspects.keys().map(|kind| address.aspect(*kind)).chain([address.address()])
        });
        // What the open approval was to do is read back, and gone on with, under the same flags: what it deleted is
        // neither configured nor recorded any more.
        let approved = self.recorded.approval.iter().filter(|approval| !approval.finished);
        let approved = approved.flat_map(|approval| &approval.steps).map(|step| step.address.clone());
        let known: BTreeSet<String> = configured
            .chain(self.recorded.resources.keys().cloned())
            .chain(approved)
            .flat_map(|a| [a.to_string(), a.root().to_string()])
            .collect();
        let missing: Vec<String> = targets.iter().filter(|t| !known.contains(*t)).cloned().collect();
        let going = self.going_whole(targets);
        let mut keep: BTreeSet<String> =
            self.steps.iter().filter(|s| named(&s.address)).map(|s| s.id.clone()).collect();
        let mut unasked: BTreeMap<Address, Address> = BTreeMap::new();
        loop {
            let mut more: Vec<String> = Vec::new();
            for step in self.steps.iter().filter(|s| keep.contains(&s.id)) {
                for on in self.steps.iter().filter(|on| step.depends_on.contains(&on.id)) {
                    if on.address.kind.is_root() && on.action == Action::Delete && !named(&on.address) {
                        unasked.insert(step.address.clone(), on.address.clone());
                    } else if !keep.contains(&on.id) {
                        more.push(on.id.clone());
                    }
                }
                // Who reads a bucket has to be able to use its key.
                let key = Some(step).filter(|s| s.kind == Kind::BucketPolicy).and_then(|s| {
                    match self.desired.roots.get(&s.address.root())?.encryption_key()? {
                        KeyRef::Managed { arn_of } => Some(arn_of.aspect(Kind::KeyPolicy)),
                        KeyRef::Arn(_) => None,
                    }
                });
                let policies = self.steps.iter().filter(|s| Some(&s.address) == key.as_ref());
                more.extend(policies.map(|s| s.id.clone()).filter(|id| !keep.contains(id)));
            }
            if more.is_empty() {
                break;
            }
            keep.extend(more);
        }
        // A target brings what is made for it; it never brings a deletion that nobody named.
        keep.retain(|id| !self.steps.iter().any(|s| s.id == *id && unasked.contains_key(&s.address)));
        for (address, on) in unasked {
            self.finding(
                Rule::KeyInUse,
                address,
                format!(
                    "{on} is still on it, and is not among the targets: it would have to be deleted before"
                ),
                format!("to delete both: add --target {on}; to delete neither: leave this target out"),
            );
        }
        self.steps.retain(|s| keep.contains(&s.id));
        let mut touched: BTreeSet<RootAddress> = self.steps.iter().map(|s| s.address.root()).collect();
        touched.extend(self.steps.iter().filter_map(order::key_of));
        touched.extend(self.steps.iter().filter_map(|s| self.log_target_of(s)));
        self.drift.retain(|d| named(&d.address));
        self.findings.retain(|f| named(&f.address) || touched.contains(&f.address.root()));
        self.desired_addresses.retain(named);
        for address in going {
            let root = address.root();
            self.finding(
                Rule::NoSuchTarget,
                address,
                format!("it has no step of its own: {root} goes, or moves, as a whole"),
                format!("--target {root}"),
            );
        }
        for target in missing {
            if let Ok(address) = target.parse::<Address>() {
                self.finding(
                    Rule::NoSuchTarget,
                    address,
                    "--target names something that is neither configured nor recorded",
                    "byob state list and byob.toml say what there is",
                );
            }
        }
    }

    /// What is recorded at an address is not written over: what stands there has to move out or go by the same plan. A target
    /// may have left that out, or an error keeps it where it is.
    pub(crate) fn keep_recorded(&mut self) {
        let changes = || self.steps.iter().flat_map(|step| &step.record);
        let leaves = |address: &Address| {
            changes().any(|change| matches!(change, RecordChange::Remove(removed) if removed == address))
        };
        let over = |step: &&Step| {
            step.record.iter().find_map(|change| match change {
                RecordChange::Put(address, new) if address.kind.is_root() => {
                    let known = self.recorded.resources.get(address)?;
                    let gone = match address.kind.root() {
                        RootKind::Bucket => {
                            matches!(self.live.buckets.get(&known.identity), Some(LiveBucket::Absent))
                        }
                        RootKind::Key => matches!(self.live.keys.get(&known.identity), Some(LiveKey::Absent)),
                    };
                    (known.identity != new.identity && !gone && !leaves(address))
                        .then(|| (address.clone(), known.identity.clone()))
                }
                _ => None,
            })
        };
        let found: Vec<(Address, String)> = self.steps.iter().filter_map(|step| over(&step)).collect();
        for (address, identity) in found {
            self.steps.retain(|step| step.address.root() != address.root());
            self.finding(
                Rule::CannotChange,
                address.clone(),
                format!("`{identity}` is recorded here, and nothing of this plan moves it: it would not be known any more"),
                "the errors beside this one say what keeps it here; where there are none, byob plan without --target shows \
                 where it goes"
                    .to_owned(),
            );
        }
    }

    /// Targets that are aspects of recorded roots which no table describes any more: those go, or stay, with their root.
    fn going_whole(&self, targets: &BTreeSet<String>) -> Vec<Address> {
        let parsed = targets.iter().filter_map(|target| target.parse::<Address>().ok());
        parsed
            .filter(|address| {
                let root = address.root();
                !address.kind.is_root()
                    && self.recorded.root(&root).is_some()
                    && !self.desired.roots.contains_key(&root)
            })
            .collect()
    }

    /// The desired bucket that a logging step sends logs to.
    fn log_target_of(&self, step: &Step) -> Option<RootAddress> {
        let Some(Attributes::Logging(logging)) = &step.after else { return None };
        let target = logging.target_bucket.as_ref()?;
        let mut roots = self.desired.roots.iter();
        roots
            .find(|(address, root)| address.kind == RootKind::Bucket && root.name == *target)
            .map(|(a, _)| a.clone())
    }
}
