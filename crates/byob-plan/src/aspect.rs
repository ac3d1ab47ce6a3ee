//! One aspect, three ways: the table of the design as one function over values. Which calls an outcome needs stands here
//! too, so that a kind's meaning is in one place.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::Kind;
use byob_model::call::{Call, Operation, Payload, Target};
use byob_model::config::ForeignStatements;
use byob_model::kind::{
    Attributes, BYOB_ADDRESS, Cors, Lifecycle, Logging, OUR_CORS_RULE, OUR_RULE_PREFIX, Policy, Rotation,
    Tags, VersioningStatus, fields_not_always_reported, fields_without_live_side, is_proof_tag,
    is_system_tag,
};
use byob_model::live::{KeyFacts, LiveAspect};
use byob_model::recorded::RecordedResource;
use byob_policy::{Document, in_one_version};
use serde_json::Value;

use crate::diff::leaves;
use crate::plan::{Action, Change};
use crate::removal::cors_removal;

/// The three sides of one aspect.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sides<'a> {
    pub kind: Kind,
    /// What the configuration wants, keys resolved where they are known.
    pub desired: Want<'a>,
    pub recorded: Option<&'a RecordedResource>,
    pub live: &'a LiveAspect,
    pub foreign: ForeignStatements,
    /// The root's label changed: its `byob:address` tag is the adopt step's business.
    pub renamed: bool,
}

/// The desired side.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Want<'a> {
    /// byob sees to it.
    Managed(&'a Attributes),
    /// Listed in `unmanaged`.
    Left,
    /// The configuration says nothing.
    Nothing,
}

/// What comparing came to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    /// What to do, if anything.
    pub step: Option<Todo>,
    /// Recorded → live, where they differ and D differs from L.
    pub drift: Option<Difference>,
    /// Live is as desired; the record is not.
    pub record_only: bool,
    /// Recorded and live differ in any way.
    pub unsettled: bool,
    /// That difference, whatever the configuration says.
    pub difference: Option<Difference>,
    /// Why it cannot be taken out.
    pub cannot_take_out: bool,
    /// The endpoint does not offer what is asked for: its code.
    pub not_offered: Option<String>,
    /// The attributes to record, keys symbolic where not known.
    pub wanted: Option<Attributes>,
}

/// A step to be.
#[derive(Debug, Clone)]
pub(crate) struct Todo {
    pub action: Action,
    pub changes: Vec<Change>,
    pub before: Option<Attributes>,
    pub after: Option<Attributes>,
    /// Made without a call: only the record changes.
    pub silent: bool,
}

/// Two sides that differ.
#[derive(Debug, Clone)]
pub(crate) struct Difference {
    pub before: Option<Attributes>,
    pub after: Option<Attributes>,
    pub changes: Vec<Change>,
}

/// Typed attributes with the value they are compared by; `value` is null for what equals absence.
#[derive(Debug, Clone)]
struct Side {
    attributes: Option<Attributes>,
    value: Value,
}

impl Side {
    fn of(attributes: Option<Attributes>) -> Self {
        let value = match &attributes {
            Some(attributes) if !attributes.is_empty() => comparable(attributes),
            _ => Value::Null,
        };
        Self { attributes: attributes.filter(|_| !value.is_null()), value }
    }
}

/// The serialised form less what only byob keeps to tell whose rules are whose.
fn comparable(attributes: &Attributes) -> Value {
    let mut value = attributes.to_value();
    if let Some(object) = value.as_object_mut()
        && matches!(attributes, Attributes::Cors(_) | Attributes::Lifecycle(_))
    {
        object.remove("exclusive");
    }
    // Where nothing is said of the key format AWS uses the simple one, and may say so.
    if let Some(format @ Value::Null) = value.get_mut("key_format") {
        *format = Value::from("simple");
    }
    value
}

/// Compares one aspect.
pub(crate) fn compare(sides: &Sides<'_>) -> Outcome {
    let recorded = sides.recorded.and_then(|r| r.typed().ok());
    let mut outcome = Outcome::default();
    if let LiveAspect::Unsupported { code } = sides.live
        && matches!(sides.desired, Want::Managed(attributes) if !attributes.is_empty())
    {
        outcome.not_offered = Some(code.clone());
        return outcome;
    }
    let live = match sides.live {
        LiveAspect::Present(attributes) => Some(attributes.clone()),
        LiveAspect::Absent | LiveAspect::Unsupported { .. } | LiveAspect::Refused => {
            Attributes::when_absent(sides.kind)
        }
    };
    let recorded = recorded.map(|attributes| retag(sides, attributes));
    let live = live.map(|attributes| retag(sides, attributes));

    let r = Side::of(recorded.clone());
    let l_r = like(
        sides,
        &r,
        Side::of(live.clone().map(|l| seen_by(l, recorded.as_ref(), None, recorded.as_ref()))),
    );
    let drifted = recorded.is_some() && r.value != l_r.value;
    outcome.unsettled = drifted;
    outcome.difference = drifted.then(|| Difference {
        before: r.attributes.clone(),
        after: l_r.attributes.clone(),
        changes: changes(&r, &l_r).into_iter().map(|c| Change { unknown: None, ..c }).collect(),
    });

    match sides.desired {
        Want::Managed(wanted) => {
            let wanted = with_foreign(sides, wanted, live.as_ref());
            let d = Side::of(Some(wanted.clone()));
            let l = live.map(|l| seen_by(l, Some(&wanted), recorded.as_ref(), recorded.as_ref()));
            let l = like(sides, &d, Side::of(l));
            outcome.wanted = Some(wanted.clone());
            if d.value != l.value {
                let action = match (d.value.is_null(), l.value.is_null()) {
                    (false, true) => Action::Create,
                    (true, _) => Action::Delete,
                    (false, false) => Action::Update,
                };
                outcome.step = Some(Todo {
                    action,
                    changes: changes(&l, &d),
                    before: l.attributes,
                    after: d.attributes,
                    silent: false,
                });
                outcome.drift.clone_from(&outcome.difference);
            } else if drifted && foreign_changed(sides, recorded.as_ref(), &l) {
                outcome.drift.clone_from(&outcome.difference);
                outcome.step = Some(Todo {
                    action: Action::Update,
                    changes: changes(&r, &d),
                    before: r.attributes.clone(),
                    after: d.attributes,
                    silent: true,
                });
            } else {
                outcome.record_only = recorded.as_ref() != Some(&wanted);
            }
        }
        Want::Left => {
            if recorded.is_some() {
                if !l_r.value.is_null() {
                    outcome.drift.clone_from(&outcome.difference);
                }
                outcome.step = Some(forget(&r));
            }
        }
        Want::Nothing => {
            if recorded.is_none() {
                return outcome;
            }
            if l_r.value.is_null() {
                outcome.step = Some(forget(&r));
                return outcome;
            }
            outcome.drift.clone_from(&outcome.difference);
            match sides.kind {
                // Suspended is as far out as it goes, and that was asked for.
                Kind::Versioning if r.value == l_r.value && is_suspended(&l_r) => {
                    outcome.step = Some(forget(&r));
                }
                Kind::Versioning | Kind::ObjectLock => outcome.cannot_take_out = true,
                Kind::Logging | Kind::Lifecycle | Kind::BucketTags | Kind::KeyTags | Kind::Cors => {
                    let nothing = Side { attributes: None, value: Value::Null };
                    outcome.step = Some(Todo {
                        action: Action::Delete,
                        changes: changes(&l_r, &nothing),
                        before: l_r.attributes.clone(),
                        after: None,
                        silent: false,
                    });
                }
                // Only a reference bucket can have these taken out, and its default is to leave them alone.
                _ => outcome.step = Some(forget(&r)),
            }
        }
    }
    outcome
}

fn is_suspended(side: &Side) -> bool {
    matches!(&side.attributes, Some(Attributes::Versioning(v)) if v.status == VersioningStatus::Suspended)
}

/// Whether what is live is this form, as far as the form says anything.
#[must_use]
pub fn is_form(kind: Kind, live: &LiveAspect, form: &Attributes) -> bool {
    let live = match live {
        LiveAspect::Present(attributes) => Some(attributes.clone()),
        LiveAspect::Absent | LiveAspect::Unsupported { .. } | LiveAspect::Refused => {
            Attributes::when_absent(kind)
        }
    };
    let form_side = Side::of(Some(form.clone()));
    let live_side = alike(&form_side, Side::of(live.map(|l| seen_by(l, Some(form), None, Some(form)))));
    form_side.value == live_side.value
}

/// Recorded against live alone.
pub(crate) fn drift(sides: &Sides<'_>) -> Option<Difference> {
    let outcome = compare(&Sides { desired: Want::Nothing, ..*sides });
    outcome.unsettled.then_some(outcome.difference).flatten()
}

fn forget(recorded: &Side) -> Todo {
    Todo {
        action: Action::Forget,
        changes: Vec::new(),
        before: recorded.attributes.clone(),
        after: None,
        silent: true,
    }
}

/// The leaves at which two sides differ; a policy is one leaf.
fn changes(before: &Side, after: &Side) -> Vec<Change> {
    let policy = [before, after].iter().any(|s| matches!(s.attributes, Some(Attributes::Policy(_))));
    if policy {
        return vec![Change {
            path: String::new(),
            before: before.value.clone(),
            after: after.value.clone(),
            unknown: Some(false),
        }];
    }
    leaves(&before.value, &after.value)
}

/// Meaning where it is not structure: a live policy that means the same as the other side takes its spelling. Where
/// others' statements stay, the `Sid`s say whose is whose and count too.
fn like(sides: &Sides<'_>, other: &Side, live: Side) -> Side {
    if sides.kind == Kind::BucketPolicy && sides.foreign == ForeignStatements::Keep {
        return live;
    }
    alike(other, live)
}

fn alike(other: &Side, live: Side) -> Side {
    match (&other.attributes, &live.attributes) {
        (Some(Attributes::Policy(a)), Some(Attributes::Policy(b))) if a == b => other.clone(),
        _ => live,
    }
}

/// The live side as far as it is byob's: its own tags and rules, with what AWS does not hold or report filled in from
/// the record. `basis` and `also` say what is byob's.
pub(crate) fn seen_by(
    live: Attributes,
    basis: Option<&Attributes>,
    also: Option<&Attributes>,
    recorded: Option<&Attributes>,
) -> Attributes {
    let live = match live {
        Attributes::Tags(live) => {
            let ours: BTreeSet<&String> =
                [basis, also].into_iter().flatten().filter_map(tag_keys).flatten().collect();
            let tags = live
                .tags
                .iter()
                .filter(|(key, _)| ours.contains(key) && !is_proof_tag(key) && !is_system_tag(key))
                .map(|(key, value)| (key.clone(), value.clone()));
            Attributes::Tags(Tags { tags: tags.collect() })
        }
        Attributes::Cors(live) => match basis {
            Some(Attributes::Cors(Cors { exclusive: false, .. })) => Attributes::Cors(Cors {
                rules: live.rules.into_iter().filter(|r| r.id.as_deref() == Some(OUR_CORS_RULE)).collect(),
                exclusive: false,
            }),
            _ => Attributes::Cors(Cors { exclusive: true, ..live }),
        },
        Attributes::Lifecycle(live) => match basis {
            Some(Attributes::Lifecycle(Lifecycle { exclusive: false, .. })) => {
                Attributes::Lifecycle(Lifecycle {
                    rules: live.rules.into_iter().filter(|r| r.id.starts_with(OUR_RULE_PREFIX)).collect(),
                    exclusive: false,
                })
            }
            _ => Attributes::Lifecycle(Lifecycle { exclusive: true, ..live }),
        },

        other => other,
    };
    filled(live, recorded)
}

fn tag_keys(attributes: &Attributes) -> Option<impl Iterator<Item = &String>> {
    match attributes {
        Attributes::Tags(tags) => Some(tags.tags.keys()),
        _ => None,
    }
}

/// Fills fields without a live side, and fields that this endpoint does not report, from the record.
pub(crate) fn filled(live: Attributes, recorded: Option<&Attributes>) -> Attributes {
    let kind = match &live {
        Attributes::Bucket(_) => Kind::Bucket,
        Attributes::Key(_) => Kind::Key,
        Attributes::Encryption(_) => Kind::Encryption,
        Attributes::Rotation(_) => Kind::Rotation,
        _ => return live,
    };
    // A rotation that is off has no period, whatever was recorded while it was on.
    if matches!(&live, Attributes::Rotation(Rotation { enabled: false, .. })) {
        return live;
    }
    let Some(recorded) = recorded.map(Attributes::to_value) else { return live };
    let mut value = live.to_value();
    if let Some(object) = value.as_object_mut() {
        for field in fields_without_live_side(kind) {
            if let Some(known) = recorded.get(field) {
                object.insert((*field).to_owned(), known.clone());
            }
        }
        for field in fields_not_always_reported(kind) {
            if object.get(*field).is_none_or(Value::is_null)
                && let Some(known) = recorded.get(field)
            {
                object.insert((*field).to_owned(), known.clone());
            }
        }
    }
    Attributes::from_value(kind, &value).unwrap_or(live)
}

/// Under `foreign_statements = "keep"` the wanted document is byob's statements and everybody else's as they are live.
fn with_foreign(sides: &Sides<'_>, wanted: &Attributes, live: Option<&Attributes>) -> Attributes {
    match (sides.kind, sides.foreign, wanted, live) {
        (
            Kind::BucketPolicy,
            ForeignStatements::Keep,
            Attributes::Policy(ours),
            Some(Attributes::Policy(live)),
        ) => Attributes::Policy(beside_foreign(ours, live)),
        _ => wanted.clone(),
    }
}

/// byob's statements, then everybody else's as they are live: in the version of the language in which the others mean
/// what they mean, and under the others' `Id`.
pub(crate) fn beside_foreign(ours: &Policy, live: &Policy) -> Policy {
    let (ours, others) = in_one_version(&ours.document, &live.foreign().document);
    let mut statements = ours.statements;
    statements.extend(others.statements);
    Policy { document: Document { version: ours.version, id: others.id.or(ours.id), statements } }
}

fn foreign_changed(sides: &Sides<'_>, recorded: Option<&Attributes>, live: &Side) -> bool {
    if sides.kind != Kind::BucketPolicy || sides.foreign != ForeignStatements::Keep {
        return false;
    }
    let foreign = |side: Option<&Attributes>| match side {
        Some(Attributes::Policy(policy)) => policy.foreign(),
        _ => Policy::empty(),
    };
    foreign(recorded).document.canonical() != foreign(live.attributes.as_ref()).document.canonical()
}

/// A renamed root: its address tag is put right by the adopt step, so both other sides read as if it were.
fn retag(sides: &Sides<'_>, attributes: Attributes) -> Attributes {
    let Want::Managed(Attributes::Tags(wanted)) = sides.desired else { return attributes };
    match (attributes, wanted.tags.get(BYOB_ADDRESS)) {
        (Attributes::Tags(mut tags), Some(address)) if sides.renamed => {
            if let Some(value) = tags.tags.get_mut(BYOB_ADDRESS) {
                value.clone_from(address);
            }
            Attributes::Tags(tags)
        }
        (attributes, _) => attributes,
    }
}

/// The writes that make an aspect as wanted. `wanted` is `None` where it is taken out; `before` is what of `live` is
/// byob's.
pub(crate) fn calls(
    kind: Kind,
    target: &Target,
    wanted: Option<&Attributes>,
    before: Option<&Attributes>,
    recorded: Option<&Attributes>,
    live: Option<&Attributes>,
) -> Vec<Call> {
    let call = |operation, payload| Call { operation, target: target.clone(), payload };
    let put =
        |operation| wanted.map(|w| call(operation, Payload::Attributes(w.clone()))).into_iter().collect();
    if let (Some(Attributes::Cors(wanted)), Some(Attributes::Cors(recorded)), Some(Attributes::Cors(all))) =
        (wanted, recorded, live)
        && !wanted.exclusive
        && recorded.exclusive
    {
        // All recorded rules were ours, and none of them carries our ID: they go by name.
        let others = all.rules.iter().filter(|r| !recorded.rules.contains(r) && !wanted.rules.contains(r));
        let rules: Vec<_> = others.chain(&wanted.rules).cloned().collect();
        if rules.is_empty() {
            return vec![call(Operation::DeleteBucketCors, Payload::None)];
        }
        let whole = Attributes::Cors(Cors { rules, exclusive: true });
        return vec![call(Operation::PutBucketCors, Payload::Attributes(whole))];
    }
    let empty = wanted.is_none_or(Attributes::is_empty);
    let exclusive = match wanted.or(recorded) {
        Some(Attributes::Cors(cors)) => cors.exclusive,
        Some(Attributes::Lifecycle(lifecycle)) => lifecycle.exclusive,
        _ => true,
    };
    match kind {
        Kind::PublicAccessBlock => put(Operation::PutPublicAccessBlock),
        Kind::Ownership => put(Operation::PutBucketOwnershipControls),
        Kind::Encryption => put(Operation::PutBucketEncryption),
        Kind::Versioning => put(Operation::PutBucketVersioning),
        Kind::ObjectLock => put(Operation::PutObjectLockConfiguration),
        Kind::Cors if empty && exclusive => vec![call(Operation::DeleteBucketCors, Payload::None)],
        Kind::Cors => {
            let none = Attributes::Cors(Cors { rules: Vec::new(), exclusive: false });
            let operation = match live {
                Some(Attributes::Cors(all)) if empty => cors_removal(all),
                _ => Operation::PutBucketCors,
            };
            vec![call(operation, Payload::Attributes(wanted.cloned().unwrap_or(none)))]
        }
        Kind::Lifecycle if empty && exclusive => vec![call(Operation::DeleteBucketLifecycle, Payload::None)],
        Kind::Lifecycle => {
            let none = Attributes::Lifecycle(Lifecycle { rules: Vec::new(), exclusive: false });
            let payload = Payload::Attributes(wanted.cloned().unwrap_or(none));
            vec![call(Operation::PutBucketLifecycleConfiguration, payload)]
        }
        Kind::Logging => {
            let off = Attributes::Logging(Logging::off());
            vec![call(Operation::PutBucketLogging, Payload::Attributes(wanted.cloned().unwrap_or(off)))]
        }
        Kind::BucketPolicy if empty => vec![call(Operation::DeleteBucketPolicy, Payload::None)],
        Kind::BucketPolicy => put(Operation::PutBucketPolicy),
        Kind::KeyPolicy => put(Operation::PutKeyPolicy),
        Kind::Rotation => match wanted {
            Some(Attributes::Rotation(Rotation { enabled: false, .. })) | None => {
                vec![call(Operation::DisableKeyRotation, Payload::None)]
            }
            Some(_) => put(Operation::EnableKeyRotation),
        },
        Kind::BucketTags => {
            let (set, remove) = tag_changes(wanted, recorded, before);
            vec![call(Operation::PutBucketTagging, Payload::Tags { set, remove })]
        }
        Kind::KeyTags => {
            let (set, remove) = tag_changes(wanted, recorded, before);
            let mut calls = Vec::new();
            if !set.is_empty() {
                calls.push(call(Operation::TagResource, Payload::Tags { set, remove: BTreeSet::new() }));
            }
            if !remove.is_empty() {
                calls.push(call(Operation::UntagResource, Payload::Tags { set: BTreeMap::new(), remove }));
            }
            calls
        }
        Kind::Alias => {
            let name = |side: Option<&Attributes>| match side {
                Some(Attributes::Alias(alias)) => Some(alias.name.clone()),
                _ => None,
            };
            let mut calls = Vec::new();
            let (new, old) = (name(wanted), name(before));
            if let Some(name) = new.clone() {
                calls.push(call(Operation::CreateAlias, Payload::Alias { name }));
            }
            if let Some(name) = old.filter(|old| Some(old) != new.as_ref()) {
                calls.push(call(Operation::DeleteAlias, Payload::Alias { name }));
            }
            calls
        }
        Kind::Bucket | Kind::Key => Vec::new(),
    }
}

fn tag_changes(
    wanted: Option<&Attributes>,
    recorded: Option<&Attributes>,
    before: Option<&Attributes>,
) -> (BTreeMap<String, String>, BTreeSet<String>) {
    let tags = |side: Option<&Attributes>| match side {
        Some(Attributes::Tags(tags)) => tags.tags.clone(),
        _ => BTreeMap::new(),
    };
    let set = tags(wanted);
    let owned: BTreeSet<String> = tags(recorded).into_keys().chain(tags(before).into_keys()).collect();
    let remove = owned.into_iter().filter(|key| !set.contains_key(key)).collect();
    (set, remove)
}

/// The alias as it is live: the recorded one as long as it points at the key (a renaming has then not ended), else the
/// wanted one if it does.
pub(crate) fn live_alias(
    facts: &KeyFacts,
    wanted: Option<&Attributes>,
    recorded: Option<&RecordedResource>,
) -> LiveAspect {
    let recorded = recorded.and_then(|r| r.typed().ok());
    let found = [recorded.as_ref(), wanted].into_iter().flatten().find_map(|attributes| match attributes {
        Attributes::Alias(alias) if facts.aliases.contains(&alias.name) => Some(alias.clone()),
        _ => None,
    });
    found.map_or(LiveAspect::Absent, |alias| LiveAspect::Present(Attributes::Alias(alias)))
}
