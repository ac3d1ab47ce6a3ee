//! Drift: live against recorded, whatever the configuration says. And what drift of each kind means.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::{Address, Kind, RootAddress, RootKind};
use byob_model::config::ForeignStatements;
use byob_model::kind::{Attributes, Key, KeyRef, Policy, PublicAccessBlock};
use byob_model::live::{Live, LiveAspect, LiveBucket, LiveKey};
use byob_model::recorded::Recorded;
use byob_policy::{Guarded, Owner, Verdict, compare, is_public};
use serde::Serialize;
use serde_json::{Value, json};

use crate::access::{Ends, drifted_ends};
use crate::approval::open_forms;
use crate::aspect::{self, Sides, Want, filled};
use crate::diff::leaves;
use crate::plan::{Change, Drift, DriftSeverity};

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

/// What drift of a kind means, whichever way it went.
#[must_use]
pub fn severity(kind: Kind) -> DriftSeverity {
    match kind {
        Kind::PublicAccessBlock
        | Kind::Ownership
        | Kind::Encryption
        | Kind::BucketPolicy
        | Kind::KeyPolicy
        | Kind::ObjectLock
        | Kind::Versioning => DriftSeverity::Exposure,
        Kind::Bucket | Kind::Key | Kind::Alias | Kind::Cors | Kind::Lifecycle => DriftSeverity::Breakage,
        Kind::BucketTags | Kind::KeyTags | Kind::Logging | Kind::Rotation => DriftSeverity::Other,
    }
}

/// What drift from one form to another means. A policy that is proved to give nobody more than the recorded one is no
/// exposure: W&B may have lost what it needs. Nor is a block that blocks more.
#[must_use]
pub fn judged(
    kind: Kind,
    account_id: &str,
    recorded: Option<&Attributes>,
    live: Option<&Attributes>,
) -> DriftSeverity {
    let narrower = match kind {
        Kind::BucketPolicy | Kind::KeyPolicy => {
            let document = |side: Option<&Attributes>| match side {
                Some(Attributes::Policy(policy)) => policy.document.clone(),
                _ => Policy::empty().document,
            };
            let guarded = if kind == Kind::KeyPolicy { Guarded::Key } else { Guarded::Bucket };
            let owner = Owner { guarded, account: account_id.parse().ok() };
            let (old, new) = (document(recorded), document(live));
            // A public policy may have been cut off, and what is left of it not.
            !is_public(&old).is_public() && compare(&old, &new, &owner) == Verdict::Within
        }
        Kind::PublicAccessBlock => match (recorded, live) {
            (Some(Attributes::PublicAccessBlock(old)), Some(Attributes::PublicAccessBlock(new))) => {
                let kept = |setting: fn(&PublicAccessBlock) -> bool| !setting(old) || setting(new);
                kept(|one| one.block_public_acls)
                    && kept(|one| one.ignore_public_acls)
                    && kept(|one| one.block_public_policy)
                    && kept(|one| one.restrict_public_buckets)
            }
            _ => false,
        },
        _ => false,
    };
    if narrower { DriftSeverity::Breakage } else { severity(kind) }
}

/// Compares the record with live state.
#[must_use]
pub fn report(recorded: &Recorded, live: &Live) -> Report {
    let mut drift = Vec::new();
    // What an unfinished run was to delete, or to move to another address, is its own doing: the next run ends it.
    let open = recorded.approval.iter().filter(|approval| !approval.finished);
    let leaving: BTreeSet<RootAddress> = open
        .flat_map(|approval| &approval.steps)
        .filter(|step| step.address.kind.is_root())
        .filter_map(|step| match step.action.as_str() {
            "delete" | "forget" => Some(step.address.root()),
            _ => step.from.clone(),
        })
        .collect();
    for (root, resource) in recorded.roots().filter(|(root, _)| !leaving.contains(root)) {
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
                    let anothers = *listed == Some(false);
                    let now = if anothers { "another account's" } else { "not allowed to look" };
                    let drifted = gone(root.address(), &resource.identity, now);
                    let severity = if anothers { DriftSeverity::Exposure } else { drifted.severity };
                    drift.push(Drift { severity, ..drifted });
                    None
                }
                Some(LiveBucket::Absent) => {
                    drift.push(gone(root.address(), &resource.identity, "absent"));
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
                        if !open_forms(recorded, &address)
                            .any(|form| filled(after.clone(), Some(&form)) == form)
                        {
                            push(&mut drift, address, before, after);
                        }
                    }
                    aliases = Some(facts);
                    Some(&facts.aspects)
                }
                Some(LiveKey::Forbidden) => {
                    drift.push(gone(root.address(), &resource.identity, "not allowed"));
                    None
                }
                Some(LiveKey::Absent) => {
                    drift.push(gone(root.address(), &resource.identity, "absent"));
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
            if open_forms(recorded, &address)
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
                let (before, after) = (difference.before.as_ref(), difference.after.as_ref());
                drift.push(Drift {
                    severity: judged(kind, &resource.account_id, before, after),
                    address,
                    changes: difference.changes,
                    before: difference.before,
                    after: difference.after,
                });
            }
        }
    }
    drift.sort_by(|a, b| a.address.cmp(&b.address));
    let summary = DriftSummary {
        drifted: drift.len(),
        addresses: recorded.resources.len(),
        attributes: live.attributes,
    };
    let ends = drifted_ends(recorded, live, &drift);
    Report { drift, summary, ends }
}

/// Attributes with the ARNs of recorded keys put in.
fn resolved(recorded: &Recorded, attributes: Attributes) -> Attributes {
    let Attributes::Encryption(mut encryption) = attributes else { return attributes };
    if let Some(KeyRef::Managed { arn_of }) = &encryption.kms_key
        && let Some(key) = recorded.root(arn_of)
    {
        encryption.kms_key = Some(KeyRef::Arn(key.identity.clone()));
    }
    Attributes::Encryption(encryption)
}

/// Versioning that nobody manages was on once, and is not any more.
pub(crate) fn versioning_off(address: Address) -> Drift {
    Drift {
        severity: severity(Kind::Versioning),
        address,
        changes: vec![Change {
            path: "/status".into(),
            before: json!("Enabled"),
            after: json!("Suspended"),
            unknown: None,
        }],
        before: None,
        after: None,
    }
}

fn gone(address: Address, identity: &str, now: &str) -> Drift {
    Drift {
        severity: DriftSeverity::Breakage,
        address,
        changes: vec![Change {
            path: String::new(),
            before: json!(identity),
            after: json!(now),
            unknown: None,
        }],
        before: None,
        after: None,
    }
}

fn push(drift: &mut Vec<Drift>, address: Address, before: Attributes, after: Attributes) {
    let changes: Vec<Change> = leaves(&before.to_value(), &after.to_value())
        .into_iter()
        .map(|c| Change { unknown: None, ..c })
        .collect();
    if !changes.is_empty() {
        drift.push(Drift {
            severity: severity(address.kind),
            address,
            changes,
            before: Some(before),
            after: Some(after),
        });
    }
}

/// The JSON form of a report; `checked_at` is the only clock.
#[must_use]
pub fn to_value(report: &Report, checked_at: &str) -> Value {
    json!({ "drift": report.drift, "summary": report.summary, "checked_at": checked_at })
}
