//! Which recorded root a desired one is: identity goes before address, and what looks like a new bucket because only its
//! label moved is refused.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::{RootAddress, RootKind};
use byob_model::desired::{Desired, DesiredRoot, approved_alias, recorded_by_name, recorded_key};
use byob_model::kind::{BYOB_LINEAGE, BYOB_STACK, KeyState};
use byob_model::live::{Live, LiveKey};
use byob_model::recorded::{Intent, Recorded, RecordedResource};

use crate::compare::{Case, Planner};
use crate::finding::{Finding, Rule};

impl Planner<'_> {
    /// Identity goes before address.
    pub(crate) fn match_roots(&mut self) {
        let mut taken: BTreeSet<RootAddress> = BTreeSet::new();
        for (address, root) in &self.desired.roots {
            let found = find_recorded(self.desired, self.recorded, address, root);
            if let Some((at, _)) = &found {
                taken.insert(at.clone());
            }
            let from = found.as_ref().map(|(at, _)| at.clone()).filter(|at| at != address);
            self.cases.push(Case {
                address: address.clone(),
                desired: Some(root),
                recorded: found.map(|(_, r)| r),
                from,
            });
        }
        for (address, resource) in self.recorded.roots() {
            if taken.contains(&address) {
                continue;
            }
            // A desired root at this very address with another identity: the name or region was changed, or another
            // root's table was given this label and this root's own is gone.
            if let Some(case) = self.cases.iter().find(|c| c.address == address)
                && let Some(root) = case.desired
            {
                let finding = changed_identity(&address, root, resource, case.recorded);
                self.findings.push(finding);
                self.cases.retain(|c| c.address != address);
                continue;
            }
            self.cases.push(Case { address, desired: None, recorded: Some(resource), from: None });
        }
        self.moved_prefixes();
    }

    /// A bucket named by a prefix gets another name under another label: never silently.
    fn moved_prefixes(&mut self) {
        let orphans: Vec<(RootAddress, String, String)> = self
            .cases
            .iter()
            .filter(|c| c.desired.is_none() && !self.desired.forget.contains(&c.address))
            .filter_map(|c| {
                let r = c.recorded?;
                Some((c.address.clone(), r.name_prefix.clone()?, r.identity.clone()))
            })
            .collect();
        let mut blocked = BTreeSet::new();
        for case in self.cases.iter().filter(|c| c.recorded.is_none()) {
            let Some(prefix) = case.desired.and_then(|d| d.name_prefix.as_ref()) else { continue };
            let Some((old, _, name)) = orphans.iter().find(|(_, p, _)| p == prefix) else { continue };
            self.findings.push(Finding::new(
                Rule::PrefixMoved,
                case.address.address(),
                format!("`{old}` is `{name}`, made from the prefix `{prefix}`; under `{}` it would be a new bucket", case.address),
                format!("if it is the same bucket: byob state mv {old} {}; if it is a new one, give it another prefix or a name", case.address),
            ));
            blocked.insert(case.address.clone());
            blocked.insert(old.clone());
        }
        self.cases.retain(|c| !blocked.contains(&c.address));
    }

    pub(crate) fn resolve_keys(&mut self) {
        for case in &self.cases {
            if case.address.kind == RootKind::Key
                && let Some(arn) = self.key_arn(case)
            {
                self.arns.insert(case.address.clone(), arn);
            }
        }
    }
}

/// The recorded root a desired one is: by identity, wherever it stands.
pub(crate) fn find_recorded<'a>(
    desired: &Desired,
    recorded: &'a Recorded,
    address: &RootAddress,
    root: &DesiredRoot,
) -> Option<(RootAddress, &'a RecordedResource)> {
    match address.kind {
        RootKind::Bucket => recorded_by_name(recorded, &root.name),
        RootKind::Key => recorded_key(recorded, address, &root.name, Some(&root.region), |alias, region| {
            desired.roots.iter().any(|(other, key)| {
                other != address && other.kind == RootKind::Key && key.name == alias && key.region == region
            })
        })
        .filter(|(_, key)| key.region == root.region),
    }
}

/// Keys that are there, and that nothing is recorded of: which table's each is. The one that its alias leads to, or that an
/// unfinished run was to give its alias; else the one at whose address it was begun.
pub(crate) fn unrecorded_keys(
    desired: &Desired,
    recorded: &Recorded,
    live: &Live,
) -> BTreeMap<RootAddress, (String, &'static str)> {
    let alive = |arn: &str| match live.keys.get(arn) {
        Some(LiveKey::Exists(facts)) => facts.state != KeyState::PendingDeletion,
        _ => false,
    };
    let known: BTreeSet<&String> = recorded.roots().map(|(_, root)| &root.identity).collect();
    let free = |arn: &str| alive(arn) && !known.contains(&arn.to_owned());
    let tables: Vec<(&RootAddress, &DesiredRoot)> = desired
        .roots
        .iter()
        .filter(|(address, root)| {
            address.kind == RootKind::Key
                && find_recorded(desired, recorded, address, root).is_none_or(|(_, key)| {
                    matches!(live.keys.get(&key.identity), None | Some(LiveKey::Absent))
                })
        })
        .collect();
    let begun: Vec<(&Intent, &String)> = recorded
        .intents
        .iter()
        .filter(|intent| intent.address.kind == RootKind::Key)
        .filter_map(|intent| Some((intent, live.key_intents.get(&intent.id)?)))
        .filter(|(_, arn)| free(arn))
        .collect();
    let lineage = recorded.lineage.map(|lineage| lineage.to_string());
    let ours = |arn: &str| match live.keys.get(arn) {
        Some(LiveKey::Exists(facts)) => {
            let anothers = facts.tags.get(BYOB_STACK).is_some_and(|stack| *stack != desired.stack);
            lineage.is_some() && facts.tags.get(BYOB_LINEAGE) == lineage.as_ref() && !anothers
        }
        _ => false,
    };
    let live_alias = |root: &DesiredRoot| {
        let found = live.aliases.get(&(root.region.clone(), root.name.clone()))?.as_ref()?;
        (free(found) && ours(found)).then_some(found)
    };
    let of_another = |address: &RootAddress, (intent, arn): &(&Intent, &String)| {
        desired.roots.iter().any(|(other, root)| {
            other.kind == RootKind::Key
                && other != address
                && root.region == intent.region
                && (approved_alias(recorded, &intent.address, arn) == Some(&root.name)
                    || live_alias(root) == Some(*arn))
        })
    };
    let mut found = BTreeMap::new();
    let mut taken: BTreeSet<&String> = BTreeSet::new();
    const INTERRUPTED: &str = "made by an interrupted run of this record";
    // By the alias that it was to get; by the intent at the address; by the alias that it has.
    for (address, root) in &tables {
        let mut begun = begun.iter().filter(|(intent, _)| intent.region == root.region);
        let was_to_get = |intent: &Intent, arn: &str| approved_alias(recorded, &intent.address, arn);
        let meant = begun.clone().find(|(intent, arn)| was_to_get(intent, arn) == Some(&root.name));
        let here = || begun.find(|begun| begun.0.address == **address && !of_another(address, begun));
        let by_intent = meant.or_else(here).map(|(_, arn)| (*arn, INTERRUPTED));
        let by_alias = || live_alias(root).map(|arn| (arn, "carries this record's lineage"));
        if let Some((arn, why)) = by_intent.or_else(by_alias)
            && taken.insert(arn)
        {
            found.insert((*address).clone(), (arn.clone(), why));
        }
    }
    found
}

fn changed_identity(
    address: &RootAddress,
    root: &DesiredRoot,
    resource: &RecordedResource,
    moved_here: Option<&RecordedResource>,
) -> Finding {
    let (what, old, new) = match (address.kind, moved_here) {
        (RootKind::Bucket, _) => ("name", resource.identity.as_str(), root.name.as_str()),
        (RootKind::Key, None) if resource.region != root.region => {
            ("region", resource.region.as_str(), root.region.as_str())
        }
        (RootKind::Key, None) => ("identity", resource.identity.as_str(), root.name.as_str()),
        (RootKind::Key, Some(other)) => ("identity", resource.identity.as_str(), other.identity.as_str()),
    };
    Finding::new(
        Rule::CannotChange,
        address.address(),
        format!("the {what} cannot change: it is `{old}` and would become `{new}`"),
        format!(
            "a {} keeps its {what} for life; put the old one back, or give the new one a table of its own \
             (and take the old one out with forget = [\"{address}\"], or protect = false and byob destroy)",
            address.kind.as_str()
        ),
    )
}
