//! Drift: live against recorded, whatever the configuration says.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::{Address, Kind, RootAddress, RootKind};
use byob_model::config::ForeignStatements;
use byob_model::kind::{Attributes, BYOB_ADDRESS, Key, KeyRef};
use byob_model::live::{Live, LiveAspect, LiveBucket, LiveKey};
use byob_model::recorded::Recorded;
use serde::Serialize;
use serde_json::{Value, json};

use crate::access::{Ends, drifted_ends};
use crate::approval::{open_forms, put_policy, writes_cors};
use crate::aspect::{self, Sides, Want, filled};
use crate::diff::leaves;
use crate::meaning::{self, Lost, Meaning, meaning};
use crate::plan::{Change, Drift, DriftSeverity};
use crate::recovery::dying;
use crate::trail::Traced;

/// What `byob drift` found.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Everything that differs.
    pub drift: Vec<Drift>,
    /// How much was looked at.
    pub summary: DriftSummary,
    /// What decides access, as recorded and as it is now: see [`crate::access::drifted()`] and
    /// [`crate::access::reach()`].
    pub ends: Vec<Ends>,
}

/// Counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct DriftSummary {
    /// Entries of `drift`.
    pub drifted: usize,
    /// Recorded addresses.
    pub addresses: usize,
    /// Attributes read.
    pub attributes: usize,
}

/// What an apply that did not end was to delete and does not count as drift, in words: that it is gone, or that W&B has less
/// of it, was agreed to, whoever did it. `None` where there is none.
#[must_use]
pub fn unfinished(recorded: &Recorded, live: &Live) -> Option<String> {
    let dying = dying(recorded);
    let roots = recorded.roots().filter(|(root, _)| dying.contains(root));
    let told: Vec<String> = roots
        .map(|(root, known)| {
            let gone = match root.kind {
                RootKind::Bucket => matches!(live.buckets.get(&known.identity), Some(LiveBucket::Absent)),
                RootKind::Key => matches!(live.keys.get(&known.identity), Some(LiveKey::Absent)),
            };
            if gone { format!("{root} (which is gone)") } else { root.to_string() }
        })
        .collect();
    (!told.is_empty()).then(|| {
        format!(
            "an apply that did not end was to delete {}: that these are gone, or that W&B has less of them, is not counted as \
             drift; byob apply goes on with it, and byob plan says what becomes of them by now",
            told.join(", ")
        )
    })
}

/// Compares the record with live state.
#[must_use]
pub fn report(recorded: &Recorded, live: &Live) -> Report {
    let mut drift = Vec::new();
    // What an unfinished run was to delete, or to move to another address, is its own doing: the next run ends it.
    let open = recorded.approval.iter().filter(|approval| !approval.finished);
    let (mut deleted, mut forgotten, mut moving) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    for step in open.flat_map(|approval| &approval.steps).filter(|step| step.address.kind.is_root()) {
        match step.action.as_str() {
            "delete" => drop(deleted.insert(step.address.root())),
            "forget" => drop(forgotten.insert(step.address.root())),
            _ => moving.extend(step.from.clone().map(|from| (from, step.address.root()))),
        }
    }
    // What the unfinished run may have put, at this address or at the one that it moves to.
    let forms = |address: &Address| -> Vec<Attributes> {
        let to = moving.get(&address.root()).map(|to: &RootAddress| {
            if address.kind.is_root() { to.address() } else { to.aspect(address.kind) }
        });
        std::iter::once(address).chain(&to).flat_map(|at| open_forms(recorded, at)).collect()
    };
    for (root, resource) in recorded.roots() {
        let mut aliases = None;
        let aspects: Option<&BTreeMap<Kind, LiveAspect>> = match root.kind {
            RootKind::Bucket => match live.buckets.get(&resource.identity) {
                Some(LiveBucket::Exists(facts)) => {
                    if resource.versioning_seen
                        && !facts.versioning_enabled
                        && !recorded.resources.contains_key(&root.aspect(Kind::Versioning))
                    {
                        drift.push(versioning_off(root.aspect(Kind::Versioning)));
                    }
                    Some(&facts.aspects)
                }
                Some(LiveBucket::Forbidden { listed, .. }) => {
                    // An alarm of its own: W&B may be writing to somebody else's bucket.
                    let (how, now) = match listed {
                        Some(false) => (Lost::Another, "another account's"),
                        _ => (Lost::NotAllowed, "not allowed to look"),
                    };
                    drift.push(lost(root.address(), &resource.identity, now, how));
                    None
                }
                Some(LiveBucket::Absent) => {
                    drift.push(lost(root.address(), &resource.identity, "absent", Lost::Gone));
                    None
                }
                None => None,
            },
            RootKind::Key => match live.keys.get(&resource.identity) {
                Some(LiveKey::Exists(facts)) => {
                    if let Ok(Attributes::Key(known)) = resource.typed() {
                        let now = Key {
                            description: facts.description.clone(),
                            state: facts.state.clone(),
                            ..known.clone()
                        };
                        let before = Attributes::Key(known);
                        let after = filled(Attributes::Key(now), Some(&before));
                        let address = root.address();
                        if !forms(&address).iter().any(|form| filled(after.clone(), Some(form)) == *form) {
                            push(&mut drift, address, &resource.account_id, before, after);
                        }
                    }
                    aliases = Some(facts);
                    Some(&facts.aspects)
                }
                Some(LiveKey::Forbidden) => {
                    drift.push(lost(root.address(), &resource.identity, "not allowed", Lost::NotAllowed));
                    None
                }
                Some(LiveKey::Absent) => {
                    drift.push(lost(root.address(), &resource.identity, "absent", Lost::Gone));
                    None
                }
                None => None,
            },
        };
        let Some(aspects) = aspects else { continue };
        for (kind, resource) in recorded.aspects(&root) {
            // An alias is found by what points at the key, not read by itself.
            let alias = aliases
                .filter(|_| kind == Kind::Alias)
                .map(|facts| aspect::live_alias(facts, None, Some(resource)));
            let Some(live) = alias.as_ref().or_else(|| aspects.get(&kind)) else { continue };
            let address = root.aspect(kind);
            // A renamed alias may be there under its new name alone.
            let renamed = |form: &Attributes| match (form, aliases) {
                (Attributes::Alias(alias), Some(facts)) => facts.aliases.contains(&alias.name),
                _ => false,
            };
            if forms(&address)
                .into_iter()
                .any(|form| renamed(&form) || aspect::is_form(kind, live, &resolved(recorded, form)))
            {
                continue;
            }
            let sides = Sides {
                kind,
                desired: Want::Nothing,
                recorded: Some(resource),
                live,
                foreign: ForeignStatements::Remove,
                renamed: false,
            };
            if let Some(difference) = aspect::drift(&sides) {
                let sides = (difference.before, difference.after);
                drift.push(Drift::judged(address, &resource.account_id, difference.changes, sides));
            }
        }
    }
    drift.retain(|drift| {
        let root = drift.address.root();
        if deleted.contains(&root) {
            return matters_of_deleted(drift) && !was_put(recorded, drift);
        }
        if forgotten.contains(&root) {
            return !was_put(recorded, drift);
        }
        // The one of byob's own tags that names the address.
        let own = |change: &Change| change.path == format!("/{BYOB_ADDRESS}");
        let tags = matches!(drift.address.kind, Kind::BucketTags | Kind::KeyTags);
        !(moving.contains_key(&root) && tags && drift.changes.iter().all(own))
    });
    drift.sort_by(|a, b| a.address.cmp(&b.address));
    let summary = DriftSummary {
        drifted: drift.len(),
        addresses: recorded.resources.len(),
        attributes: live.attributes,
    };
    let ends = drifted_ends(recorded, live, &drift);
    Report { drift, summary, ends }
}

/// Whether drift of a root that an unfinished run was to delete is somebody else's: what opens it is. That it is gone, or
/// that W&B has less of it, is what was agreed to.
fn matters_of_deleted(drift: &Drift) -> bool {
    let is_there = !(drift.address.kind.is_root() && drift.after.is_none());
    is_there && drift.severities.contains(&DriftSeverity::Exposure)
}

/// Whether this is what the unfinished run's own calls wrote as the root leaves: its policy, or the CORS rules that it leaves.
fn was_put(recorded: &Recorded, drift: &Drift) -> bool {
    let root = drift.address.root();
    match (drift.address.kind, &drift.after) {
        (Kind::BucketPolicy, Some(Attributes::Policy(policy))) if !policy.document.is_empty() => {
            put_policy(recorded, &root, Some(&policy.document))
        }
        (Kind::BucketPolicy, _) => put_policy(recorded, &root, None),
        (Kind::Cors, _) => {
            writes_cors(recorded, &root) && !drift.severities.contains(&DriftSeverity::Exposure)
        }
        _ => false,
    }
}

/// What the open approval puts, with the ARNs of its keys put in: as it knows them by its own labels, which may be moving;
/// else as they are recorded.
fn resolved(recorded: &Recorded, attributes: Attributes) -> Attributes {
    let Attributes::Encryption(mut encryption) = attributes else { return attributes };
    if let Some(KeyRef::Managed { arn_of }) = &encryption.kms_key {
        let open = recorded.approval.iter().filter(|approval| !approval.finished);
        let mut steps = open.flat_map(|approval| &approval.steps);
        let approved = steps.find(|step| step.address == arn_of.address()).and_then(|s| s.identity.clone());
        let arn = approved.or_else(|| recorded.root(arn_of).map(|key| key.identity.clone()));
        if let Some(arn) = arn {
            encryption.kms_key = Some(KeyRef::Arn(arn));
        }
    }
    Attributes::Encryption(encryption)
}

impl Drift {
    /// What differs, and what it means.
    #[must_use]
    pub fn judged(
        address: Address,
        account_id: &str,
        changes: Vec<Change>,
        (before, after): (Option<Attributes>, Option<Attributes>),
    ) -> Self {
        let meaning = meaning(address.kind, account_id, before.as_ref(), after.as_ref());
        Self { before, after, ..Self::meant(address, changes, meaning) }
    }

    fn meant(address: Address, changes: Vec<Change>, meaning: Meaning) -> Self {
        let Meaning { severity, sentence, all } = meaning;
        let (severities, meaning) = (all, sentence);
        Self {
            address,
            severity,
            severities,
            changes,
            meaning,
            traced: Traced::default(),
            before: None,
            after: None,
        }
    }
}

/// Versioning that nobody manages was on once, and is not any more.
pub(crate) fn versioning_off(address: Address) -> Drift {
    let change = one_change("/status", json!("Enabled"), json!("Suspended"));
    Drift::meant(address, change, meaning::versioning_off())
}

/// A root that is not there any more, or not ours.
fn lost(address: Address, identity: &str, now: &str, how: Lost) -> Drift {
    let meaning = meaning::lost(address.kind, how);
    Drift::meant(address, one_change("", json!(identity), json!(now)), meaning)
}

fn one_change(path: &str, before: Value, after: Value) -> Vec<Change> {
    vec![Change { path: path.to_owned(), before, after, unknown: None }]
}

fn push(drift: &mut Vec<Drift>, address: Address, account_id: &str, before: Attributes, after: Attributes) {
    let changes: Vec<Change> = leaves(&before.to_value(), &after.to_value())
        .into_iter()
        .map(|c| Change { unknown: None, ..c })
        .collect();
    if !changes.is_empty() {
        drift.push(Drift::judged(address, account_id, changes, (Some(before), Some(after))));
    }
}

impl Report {
    /// How many entries have one of these severities, be it beside a worse one.
    #[must_use]
    pub fn counted(&self, severities: &BTreeSet<DriftSeverity>) -> usize {
        self.drift.iter().filter(|drift| !drift.severities.is_disjoint(severities)).count()
    }
}

/// The JSON form of a report; `checked_at` is the only clock.
#[must_use]
pub fn to_value(report: &Report, checked_at: &str) -> Value {
    let entries = report.drift.iter().map(|drift| {
        json!({
            "address": drift.address,
            "severity": drift.severity,
            "severities": drift.severities,
            "meaning": drift.meaning,
            "changes": drift.changes,
            "who": drift.traced.who,
            "who_note": drift.traced.note,
        })
    });
    let entries: Vec<Value> = entries.collect();
    json!({ "drift": entries, "summary": report.summary, "checked_at": checked_at })
}
