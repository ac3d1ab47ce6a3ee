//! The part of a plan that has the steps: one group a root, in it the drift and the steps, each drift right before what
//! cures it.

use std::collections::BTreeMap;

use byob_model::address::{Kind, RootAddress, RootKind};
use byob_model::call::{Call, Target};
use byob_model::kind::{Attributes, KeyRef};
use byob_plan::plan::{Action, Change, Drift, Plan, RecordChange, Step};
use serde_json::Value;

use crate::layout::{DETAIL, Line, Page, Paint};
use crate::statement;
use crate::summary::{rules, summary};
use crate::value::{self, name, word};

/// Prints every group.
pub(crate) fn groups(page: &mut Page, plan: &Plan) {
    for group in Group::all(plan) {
        page.gap();
        page.text(Paint::Bold, group.head().join("   "));
        group.body(page);
    }
}

/// One root of a plan, with its steps and its drift.
pub(crate) struct Group<'a> {
    pub(crate) root: RootAddress,
    /// A bucket's name; a key's alias, else its ARN.
    pub(crate) called: Option<String>,
    steps: Vec<&'a Step>,
    drift: Vec<&'a Drift>,
}

impl<'a> Group<'a> {
    /// Of every root that has steps or drift, in the order of the steps.
    pub(crate) fn all(plan: &'a Plan) -> Vec<Self> {
        let mut of: BTreeMap<RootAddress, (Vec<&Step>, Vec<&Drift>)> = BTreeMap::new();
        for step in &plan.steps {
            of.entry(step.address.root()).or_default().0.push(step);
        }
        for drift in &plan.drift {
            of.entry(drift.address.root()).or_default().1.push(drift);
        }
        let group = |root: RootAddress| {
            let (steps, drift) = of.remove(&root)?;
            let called = plan.names.get(&root).cloned().or_else(|| identity(&root, &steps, &drift));
            Some(Self { root, called, steps, drift })
        };
        // A root that is named again has been taken already.
        roots(plan).filter_map(group).collect()
    }

    /// Address, name and region.
    pub(crate) fn head(&self) -> Vec<String> {
        let mut head = vec![self.root.to_string()];
        head.extend(self.called.as_deref().map(word));
        head.extend(self.region().map(word));
        head
    }

    /// Where it is, as far as its steps say.
    pub(crate) fn region(&self) -> Option<&'a str> {
        self.steps.first().map(|step| step.region.as_str())
    }

    /// What happens to it, in a few words: each glyph with the names it stands before.
    pub(crate) fn marks(&self) -> Vec<(char, Vec<&'static str>)> {
        let drifted = self.drift.iter().map(|drift| ('!', name(drift.address.kind)));
        let stepped = self.steps.iter().map(|step| (step.action.glyph(), name(step.address.kind)));
        let mut marks: Vec<(char, Vec<&'static str>)> = Vec::new();
        for (glyph, name) in drifted.chain(stepped) {
            match marks.iter_mut().find(|(known, _)| *known == glyph) {
                Some((_, names)) if names.contains(&name) => {}
                Some((_, names)) => names.push(name),
                None => marks.push((glyph, vec![name])),
            }
        }
        marks
    }

    /// Its lines.
    pub(crate) fn body(&self, page: &mut Page) {
        let (steps, drift) = (&self.steps, &self.drift);
        for (n, step) in steps.iter().enumerate() {
            let other = |step: &Step, rest: &[&Step]| rest.iter().position(|s| s.address == step.address);
            let earlier = other(step, &steps[..n]).map(|at| steps[at]);
            // What takes two phases is shown once, where it ends: from what there is to what there will be.
            if other(step, &steps[n + 1..]).is_some() {
                continue;
            }
            // What is accepted is the drift itself.
            for drift in drift.iter().filter(|drift| drift.address == step.address && !step.accepts()) {
                drifted(page, drift, CHANGED);
            }
            match earlier {
                Some(first) => {
                    print(page, &in_one(first, step));
                    page.indented(DETAIL, format!("in two phases: {}", first.reason));
                }
                None => print(page, step),
            }
        }
        for drift in drift.iter().filter(|drift| !steps.iter().any(|step| step.address == drift.address)) {
            drifted(page, drift, CHANGED);
        }
    }
}

/// The steps of both phases of one document, taken together.
fn in_one(first: &Step, last: &Step) -> Step {
    let mut changes: Vec<Change> = Vec::new();
    for change in first.changes.iter().chain(&last.changes) {
        match changes.iter_mut().find(|known| known.path == change.path) {
            Some(known) => known.after.clone_from(&change.after),
            None => changes.push(change.clone()),
        }
    }
    changes.retain(|change| change.before != change.after);
    let action = Action::between(first.before.as_ref(), last.after.as_ref());
    Step { before: first.before.clone(), action, changes, ..last.clone() }
}

/// Who is to be told from a change of the configuration.
const CHANGED: &str = "changed outside byob";

/// Roots in the order of the steps, then those that only drifted, keys first; any of them may come more than once.
fn roots(plan: &Plan) -> impl Iterator<Item = RootAddress> {
    let mut drifted: Vec<RootAddress> = plan.drift.iter().map(|drift| drift.address.root()).collect();
    drifted.sort_by_key(|root| (root.kind == RootKind::Bucket, root.label.clone()));
    plan.steps.iter().map(|step| step.address.root()).chain(drifted)
}

/// A bucket's name; a key's alias, else its ARN.
pub(crate) fn identity(root: &RootAddress, steps: &[&Step], drift: &[&Drift]) -> Option<String> {
    let sides = steps
        .iter()
        .flat_map(|step| [step.after.as_ref(), step.before.as_ref()])
        .chain(drift.iter().flat_map(|drift| [drift.before.as_ref(), drift.after.as_ref()]));
    let said = sides.flatten().find_map(|attributes| match attributes {
        Attributes::Bucket(bucket) => Some(bucket.name.clone()),
        Attributes::Alias(alias) => Some(alias.name.clone()),
        _ => None,
    });
    let called = || {
        steps.iter().flat_map(|step| &step.calls).find_map(|call| match &call.target {
            Target::Bucket { name, .. } => Some(name.clone()),
            Target::Key { key: KeyRef::Arn(arn), .. } => Some(arn.clone()),
            Target::Key { .. } => None,
        })
    };
    let recorded = || {
        steps.iter().flat_map(|step| &step.record).find_map(|change| match change {
            RecordChange::Put(address, resource)
                if address.root() == *root && !resource.identity.is_empty() =>
            {
                Some(resource.identity.clone())
            }
            RecordChange::Tombstone(tombstone) => Some(tombstone.identity.clone()),
            _ => None,
        })
    };
    said.or_else(called).or_else(recorded)
}

/// What drifted, recorded → live. `why` ends its first line.
pub(crate) fn drifted(page: &mut Page, drift: &Drift, why: &str) {
    let policy = policies(drift.before.as_ref(), drift.after.as_ref());
    if let Some((before, after)) = policy {
        page.row('!', name(drift.address.kind), aside(&statement::difference(before, after), why));
        page.extend(statement::diff(before, after));
        return;
    }
    let kind = drift.address.kind;
    let rows = value::rows(kind, &drift.changes, drift.before.as_ref(), drift.after.as_ref());
    for (n, (name, value)) in rows.into_iter().enumerate() {
        page.row('!', name, if n == 0 { aside(&value, why) } else { value });
    }
}

fn print(page: &mut Page, step: &Step) {
    let glyph = step.action.glyph();
    let aspect = name(step.address.kind);
    match step.action {
        Action::Create => whole(page, step, step.after.as_ref(), &why(step)),
        Action::Delete => match &step.before {
            Some(_) if !step.kind.is_root() => whole(page, step, step.before.as_ref(), &why(step)),
            _ => page.row(glyph, aspect, in_full(step)),
        },
        Action::Update => update(page, step),
        Action::Adopt => {
            page.row(glyph, aspect, format!("taken into the record: {}", in_full(step)));
            for (name, value) in
                value::rows(step.kind, &step.changes, step.before.as_ref(), step.after.as_ref())
            {
                page.row(' ', name, value);
            }
        }
        Action::Forget => {
            let left = if step.calls.is_empty() { "left as it is, " } else { "" };
            page.row(glyph, aspect, format!("{left}dropped from the record: {}", in_full(step)));
        }
    }
    consequences(page, step);
}

/// A create or delete: what there will be, or is no more, as a whole.
fn whole(page: &mut Page, step: &Step, attributes: Option<&Attributes>, why: &str) {
    let glyph = step.action.glyph();
    let aspect = name(step.address.kind);
    let Some(attributes) = attributes else {
        page.row(glyph, aspect, aside("", why));
        for (name, value) in value::rows(step.kind, &step.changes, None, None) {
            page.row(' ', name, value);
        }
        return;
    };
    page.row(glyph, aspect, aside(&summary(attributes), why));
    match attributes {
        Attributes::Policy(policy) => page.extend(statement::words(glyph, &policy.document)),
        _ => {
            let rules = rules(Some(attributes));
            if rules.len() > 1 {
                page.extend(rules.into_iter().map(|text| Line::Diff { sign: glyph, text }));
            }
        }
    }
}

fn update(page: &mut Page, step: &Step) {
    let glyph = step.action.glyph();
    let why = why(step);
    // What AWS does not hold, or what is accepted as it is.
    let always = if step.calls.is_empty() && !step.accepts() { "record only" } else { "" };
    let why = match (always, why.as_str()) {
        ("", _) => why,
        (_, "") => always.to_owned(),
        _ => format!("{always}: {why}"),
    };
    if let Some((before, after)) = policies(step.before.as_ref(), step.after.as_ref()) {
        page.row(glyph, name(step.address.kind), aside(&statement::difference(before, after), &why));
        page.extend(statement::diff(before, after));
        return;
    }
    let rows = value::rows(step.kind, &step.changes, step.before.as_ref(), step.after.as_ref());
    if rows.is_empty() {
        page.row(glyph, name(step.address.kind), aside("", &why));
    }
    for (n, (name, value)) in rows.into_iter().enumerate() {
        page.row(glyph, name, aside(&value, if n == 0 { &why } else { always }));
    }
}

/// What a step does beyond its words: data that is gone, and writes of a step that does not say so itself.
fn consequences(page: &mut Page, step: &Step) {
    use byob_model::call::Operation;
    let does = |operation| step.calls.iter().any(|call: &Call| call.operation == operation);
    if does(Operation::DeleteObjects) {
        page.indented(
            DETAIL,
            "first emptied: every object, version, delete marker and unfinished upload, for good",
        );
    }
    if does(Operation::CancelKeyDeletion) {
        page.indented(DETAIL, "its scheduled deletion is cancelled");
    }
    if matches!(step.action, Action::Adopt | Action::Forget) && !step.calls.is_empty() {
        let mut names: Vec<&str> = step.calls.iter().map(|call| call.operation.as_str()).collect();
        names.dedup();
        page.indented(DETAIL, format!("writes to AWS: {}", names.join(", ")));
    }
}

/// Both policies, where one of the two sides is a policy.
#[allow(clippy::type_complexity, reason = "two sides of which either may be missing")]
pub(crate) fn policies<'a>(
    before: Option<&'a Attributes>,
    after: Option<&'a Attributes>,
) -> Option<(Option<&'a byob_model::kind::Policy>, Option<&'a byob_model::kind::Policy>)> {
    let policy = |side: Option<&'a Attributes>| match side {
        Some(Attributes::Policy(policy)) => Some(policy),
        _ => None,
    };
    let sides = (policy(before), policy(after));
    (sides.0.is_some() || sides.1.is_some()).then_some(sides)
}

/// The reason of a create, update or delete, where it says more than that somebody edited the file.
fn why(step: &Step) -> String {
    match step.reason.as_str() {
        "not there yet" | "part of a new root" | "changed in byob.toml" | "differs from byob.toml" => {
            String::new()
        }
        "changed in byob.toml; AWS holds none of it" => String::new(),
        "changed outside byob: put back" => "put back".into(),
        reason => reason.to_owned(),
    }
}

/// The reason of a step whose reason is what matters.
fn in_full(step: &Step) -> String {
    match &step.from {
        Some(from) => format!("recorded as {from} until now"),
        None => step.reason.clone(),
    }
}

fn aside(value: &str, why: &str) -> String {
    match (value.is_empty(), why.is_empty()) {
        (_, true) => value.to_owned(),
        (true, false) => why.to_owned(),
        (false, false) => format!("{value}   ({why})"),
    }
}

/// Whether a step turns a boolean of its root the given way.
pub(crate) fn turns(step: &Step, path: &str, to: bool) -> bool {
    let changed = |change: &Change| {
        change.path == path && change.before == Value::Bool(!to) && change.after == Value::Bool(to)
    };
    matches!(step.kind, Kind::Bucket | Kind::Key)
        && matches!(step.action, Action::Update | Action::Adopt)
        && step.changes.iter().any(changed)
}
