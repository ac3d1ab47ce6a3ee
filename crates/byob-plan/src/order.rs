//! The order of the steps: what has to have happened before what. Writes of one bucket are serial anyway; the graph says
//! only what depends on what.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::{Address, Kind, RootAddress, RootKind};
use byob_model::call::Target;
use byob_model::kind::Attributes;

use crate::plan::{Action, RecordChange, Step};

/// Fills in `depends_on` and sorts the steps so that each stands behind what it depends on.
pub(crate) fn order(steps: &mut Vec<Step>) {
    let ids: BTreeMap<Address, (String, Action)> =
        steps.iter().map(|s| (s.address.clone(), (s.id.clone(), s.action))).collect();
    let id = |address: Address| ids.get(&address).map(|(id, _)| id.clone());
    let made = |root: &RootAddress| {
        ids.get(&root.address()).filter(|(_, action)| *action != Action::Delete).map(|(id, _)| id.clone())
    };
    let fresh =
        |root: &RootAddress| ids.get(&root.address()).is_some_and(|(_, action)| *action == Action::Create);
    let existing: BTreeSet<String> = steps.iter().map(|s| s.id.clone()).collect();
    for step in steps.iter_mut() {
        let root = step.address.root();
        let mut on: BTreeSet<String> = step.depends_on.drain(..).collect();
        if !step.kind.is_root() && step.action != Action::Forget {
            on.extend(made(&root));
        }
        // A new bucket's tags first: they are the proof that it is ours.
        if root.kind == RootKind::Bucket
            && fresh(&root)
            && !step.kind.is_root()
            && step.kind != Kind::BucketTags
        {
            on.extend(id(root.aspect(Kind::BucketTags)));
        }
        match step.kind {
            Kind::BucketPolicy => {
                on.extend(id(root.aspect(Kind::PublicAccessBlock)));
                on.extend(id(root.aspect(Kind::Ownership)));
            }
            Kind::ObjectLock | Kind::Lifecycle => on.extend(id(root.aspect(Kind::Versioning))),
            Kind::Encryption => {
                if let Some(key) = key_of(step) {
                    on.extend(made(&key));
                    on.extend(id(key.aspect(Kind::KeyPolicy)));
                }
            }
            _ => {}
        }
        on.remove(&step.id);
        step.depends_on = on.into_iter().filter(|id| existing.contains(id)).collect();
    }
    // A log target that is made here comes first, and so does the policy that lets the logs in.
    let mut before_logs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for step in steps.iter() {
        let comes_first =
            matches!((step.kind, step.action), (Kind::Bucket, Action::Create) | (Kind::BucketPolicy, _));
        if let Some(Target::Bucket { name, .. }) = step.calls.first().map(|call| &call.target)
            && comes_first
        {
            before_logs.entry(name.clone()).or_default().push(step.id.clone());
        }
    }
    for step in steps.iter_mut() {
        if let Some(Attributes::Logging(logging)) = &step.after
            && let Some(first) = logging.target_bucket.as_ref().and_then(|name| before_logs.get(name))
        {
            let on: BTreeSet<String> = step.depends_on.drain(..).chain(first.iter().cloned()).collect();
            step.depends_on = on.into_iter().collect();
        }
    }
    sort(steps);
}

/// The key of this configuration that an encryption step points its bucket at.
pub(crate) fn key_of(step: &Step) -> Option<RootAddress> {
    step.document.pointer("/kms_key/arn_of").and_then(|v| v.as_str()?.parse().ok())
}

/// Roots whose labels change places. A record moves out of an address before anything else is recorded there. Where
/// addresses are exchanged in a ring nobody can be first: there the last step moves the records of all, when the tags
/// of all are written, and an apply that dies in between begins again with the same steps.
pub(crate) fn untangle(steps: &mut [Step]) {
    let leaving: BTreeMap<RootAddress, usize> =
        steps.iter().enumerate().filter_map(|(index, step)| Some((step.from.clone()?, index))).collect();
    let mut in_ring: BTreeSet<usize> = BTreeSet::new();
    for start in leaving.values().copied() {
        if in_ring.contains(&start) {
            continue;
        }
        let mut ring = vec![start];
        let mut next = leaving.get(&steps[start].address.root()).copied();
        while let Some(index) = next.filter(|index| !ring.contains(index)) {
            ring.push(index);
            next = leaving.get(&steps[index].address.root()).copied();
        }
        if next == Some(start) {
            in_ring.extend(&ring);
            close(steps, &ring);
        }
    }
    let ids: Vec<String> = steps.iter().map(|step| step.id.clone()).collect();
    for (index, step) in steps.iter_mut().enumerate() {
        let before = leaving.get(&step.address.root()).filter(|_| step.kind.is_root());
        if let Some(&before) = before.filter(|before| **before != index && !in_ring.contains(*before)) {
            step.depends_on.push(ids[before].clone());
        }
    }
}

/// Gives the last step of a ring the records of all.
fn close(steps: &mut [Step], ring: &[usize]) {
    let Some(&last) = ring.iter().max_by_key(|index| &steps[**index].address) else { return };
    let mut all = Vec::new();
    for &index in ring {
        all.append(&mut steps[index].record);
    }
    let (puts, removals): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|change| matches!(change, RecordChange::Put(..)));
    let others = ring.iter().filter(|index| **index != last).map(|index| steps[*index].id.clone()).collect();
    steps[last].record = removals.into_iter().chain(puts).collect();
    steps[last].depends_on = others;
    let id = steps[last].id.clone();
    let roots: BTreeSet<RootAddress> = ring.iter().map(|index| steps[*index].address.root()).collect();
    for step in steps.iter_mut().filter(|s| !s.kind.is_root() && roots.contains(&s.address.root())) {
        step.depends_on.push(id.clone());
    }
}

/// A stable topological order: among the steps that could come next, keys before buckets, deletions of buckets before
/// deletions of keys, then by address.
pub(crate) fn sort(steps: &mut Vec<Step>) {
    let mut rest: Vec<Step> = std::mem::take(steps);
    let fresh: BTreeSet<RootAddress> = rest
        .iter()
        .filter(|s| s.kind.is_root() && s.action == Action::Create)
        .map(|s| s.address.root())
        .collect();
    rest.sort_by_cached_key(|step| {
        let root = step.address.root();
        let rank = match (root.kind, step.kind.is_root() && step.action == Action::Delete) {
            (RootKind::Key, false) => 0,
            (RootKind::Bucket, false) => 1,
            (RootKind::Bucket, true) => 2,
            (RootKind::Key, true) => 3,
        };
        let tags_first = u8::from(!(step.kind == Kind::BucketTags && fresh.contains(&root)));
        let within = if step.kind.is_root() { 0 } else { 1 + tags_first };
        (rank, root, within, step.kind)
    });
    let mut rest: Vec<Option<Step>> = rest.into_iter().map(Some).collect();
    let mut waiting: Vec<usize> = (0..rest.len()).collect();
    let mut done: BTreeSet<String> = BTreeSet::new();
    while !waiting.is_empty() {
        // Dependencies follow kinds, which have no cycle; were there one, the steps are kept rather than lost.
        let ready = |at: &usize| {
            rest.get(*at)
                .and_then(Option::as_ref)
                .is_some_and(|s| s.depends_on.iter().all(|id| done.contains(id)))
        };
        let next = waiting.remove(waiting.iter().position(ready).unwrap_or(0));
        if let Some(step) = rest.get_mut(next).and_then(Option::take) {
            done.insert(step.id.clone());
            steps.push(step);
        }
    }
}
