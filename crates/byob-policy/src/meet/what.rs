//! Actions and resources that two statements both take, in patterns of one of them or in real actions.

use crate::actions::{ResourceClass, real_actions};
use crate::condition::{has_variable, widest};
use crate::document::{ActionElement, ResourceElement, Version};
use crate::pattern::{Pattern, common, glob, outside};

/// How what one value takes lies to what another takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// The other takes all of it (and may take nothing else).
    Within,
    /// It takes all of the other's, and more.
    Contains,
    /// Nothing is taken by both.
    Apart,
    /// Something may be taken by both, and neither is known to take all of the other's.
    Unclear,
}

/// How two patterns lie to each other. One that is `open` takes its pattern's texts at most.
pub(super) fn between(one: &Pattern, one_open: bool, other: &Pattern, other_open: bool) -> Relation {
    let within = |inner: &Pattern, outer: &Pattern| {
        matches!(outside(std::slice::from_ref(inner), std::slice::from_ref(outer)), Ok(None))
    };
    if !other_open && within(one, other) {
        Relation::Within
    } else if !one_open && within(other, one) {
        Relation::Contains
    } else if matches!(common(one, other), Ok(None)) {
        Relation::Apart
    } else {
        Relation::Unclear
    }
}

/// What is common to two elements.
pub(super) struct Met<T> {
    /// What could be written; `None`: nothing.
    pub(super) written: Option<T>,
    /// What could not, and why.
    pub(super) lost: Vec<String>,
}

impl<T> Met<T> {
    pub(super) fn is_nothing(&self) -> bool {
        self.written.is_none() && self.lost.is_empty()
    }
}

fn is_wild(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Two texts as patterns without variables.
fn plain_texts(one: &str, other: &str, ignore_case: bool) -> Relation {
    match (is_wild(one), is_wild(other)) {
        (_, false) if glob(one, other, ignore_case) => {
            if is_wild(one) {
                Relation::Contains
            } else {
                Relation::Within
            }
        }
        (false, true) if glob(other, one, ignore_case) => Relation::Within,
        (false, _) | (_, false) => Relation::Apart,
        (true, true) => {
            let pattern = if ignore_case { Pattern::ignoring_case } else { Pattern::new };
            between(&pattern(one), false, &pattern(other), false)
        }
    }
}

/// How two patterns of actions, or of service principals, lie to each other.
pub(super) fn folded_texts(one: &str, other: &str) -> Relation {
    plain_texts(one, other, true)
}

fn resource_texts(one: &str, other: &str, version: Version) -> Relation {
    let (one_open, other_open) = (has_variable(one, version), has_variable(other, version));
    if one == other {
        Relation::Within
    } else if one_open || other_open {
        between(&widest(one, version, true), one_open, &widest(other, version, true), other_open)
    } else {
        plain_texts(one, other, false)
    }
}

fn push(all: &mut Vec<String>, value: &str) {
    if !all.iter().any(|one| one == value) {
        all.push(value.to_owned());
    }
}

fn union(old: &[String], new: &[String]) -> Vec<String> {
    let mut all = new.to_vec();
    old.iter().for_each(|value| push(&mut all, value));
    all
}

/// The actions that both elements take.
pub(super) fn actions(old: &ActionElement, new: &ActionElement) -> Met<ActionElement> {
    let (mut all, mut real, mut lost) = (Vec::new(), Vec::new(), Vec::new());
    let (is, not) = match (old, new) {
        (ActionElement::Not(old), ActionElement::Not(new)) => {
            return Met { written: Some(ActionElement::Not(union(old, new))), lost };
        }
        (ActionElement::Is(is), ActionElement::Not(not))
        | (ActionElement::Not(not), ActionElement::Is(is)) => (is, not),
        (ActionElement::Is(old), ActionElement::Is(new)) => {
            for (other, one) in new.iter().flat_map(|new| old.iter().map(move |old| (new, old))) {
                match folded_texts(other, one) {
                    Relation::Within => push(&mut all, other),
                    Relation::Contains => push(&mut all, one),
                    Relation::Apart => {}
                    Relation::Unclear => {
                        let both = concrete(|name| glob(one, name, true) && glob(other, name, true));
                        if both.is_empty() && !is_known(one) && !is_known(other) {
                            lost.push(format!(
                                "it is not known which actions both `{one}` and `{other}` match"
                            ));
                        }
                        real.extend(both);
                    }
                }
            }
            return Met { written: listed(all, &real).map(ActionElement::Is), lost };
        }
    };
    for one in is {
        let relations: Vec<Relation> = not.iter().map(|other| folded_texts(one, other)).collect();
        if relations.contains(&Relation::Within) {
            continue;
        }
        if relations.iter().all(|relation| *relation == Relation::Apart) {
            push(&mut all, one);
            continue;
        }
        let left = concrete(|name| glob(one, name, true) && !not.iter().any(|other| glob(other, name, true)));
        if left.is_empty() && !is_known(one) {
            lost.push(format!("it is not known which actions `{one}` matches beside those of `NotAction`"));
        }
        real.extend(left);
    }
    Met { written: listed(all, &real).map(ActionElement::Is), lost }
}

/// Whether the table has all actions that a pattern matches.
fn is_known(pattern: &str) -> bool {
    let service = pattern.split_once(':').map_or("", |(service, _)| service);
    ["s3", "kms"].iter().any(|known| service.eq_ignore_ascii_case(known))
}

/// The real actions that a bucket or key policy can grant and that are matched.
fn concrete(matches: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let granted = real_actions().iter().filter(|action| !action.classes.is_empty());
    granted.map(|action| action.name).filter(|name| matches(name)).collect()
}

/// The patterns, and the actions that none of them matches.
fn listed(mut all: Vec<String>, real: &[&str]) -> Option<Vec<String>> {
    let patterns = all.len();
    for name in real {
        if !all.iter().take(patterns).any(|pattern| glob(pattern, name, true)) {
            push(&mut all, name);
        }
    }
    (!all.is_empty()).then_some(all)
}

/// The resources that both elements take. `Some(None)`: the element is missing in both.
pub(super) fn resources(
    old: Option<&ResourceElement>,
    new: Option<&ResourceElement>,
    version: Version,
) -> Met<Option<ResourceElement>> {
    use ResourceElement as R;
    let (old, new) = match (old, new) {
        (None, other) | (other, None) => return Met { written: Some(other.cloned()), lost: Vec::new() },
        (Some(old), Some(new)) => (old, new),
    };
    let (mut all, mut lost) = (Vec::new(), Vec::new());
    match (old, new) {
        (R::Not(old), R::Not(new)) => all = union(old, new),
        (R::Is(old), R::Is(new)) => {
            for (other, one) in new.iter().flat_map(|new| old.iter().map(move |old| (new, old))) {
                match resource_texts(other, one, version) {
                    Relation::Within => push(&mut all, other),
                    Relation::Contains => push(&mut all, one),
                    Relation::Apart => {}
                    Relation::Unclear => lost.push(format!(
                        "no one pattern says which resources both `{one}` and `{other}` match"
                    )),
                }
            }
        }
        (R::Is(is), R::Not(not)) | (R::Not(not), R::Is(is)) => {
            for one in is {
                let relations: Vec<Relation> =
                    not.iter().map(|other| resource_texts(one, other, version)).collect();
                if relations.iter().all(|relation| *relation == Relation::Apart) {
                    push(&mut all, one);
                } else if !relations.contains(&Relation::Within) {
                    lost.push(format!("no one pattern says what `NotResource` leaves of `{one}`"));
                }
            }
        }
    }
    let both_not = matches!((old, new), (R::Not(_), R::Not(_)));
    let written = match both_not {
        true => Some(Some(R::Not(all))),
        false => (!all.is_empty()).then_some(Some(R::Is(all))),
    };
    Met { written, lost }
}

/// The actions without those that none of the resources can take, which S3 would refuse to hold ("Action does not
/// apply to any resource(s) in statement"). Nothing is known of resources other than buckets and objects.
pub(super) fn fitting(actions: ActionElement, resources: Option<&ResourceElement>) -> Option<ActionElement> {
    let (ActionElement::Is(all), Some(ResourceElement::Is(resources))) = (&actions, resources) else {
        return Some(actions);
    };
    let (mut buckets, mut objects) = (false, false);
    for resource in resources {
        let Some((head, name)) = resource.split_once(":s3:::") else { return Some(actions) };
        if !head.starts_with("arn:") {
            return Some(actions);
        }
        let wild = name.contains(['*', '?', '$']);
        buckets |= !name.contains('/');
        objects |= name.contains('/') || wild;
    }
    let fits = |class: &ResourceClass| match class {
        ResourceClass::Bucket => buckets,
        ResourceClass::Objects => objects,
        ResourceClass::Key => false,
    };
    let kept = all.iter().filter(|pattern| {
        let mut matched = real_actions().iter().filter(|action| glob(pattern, action.name, true)).peekable();
        matched.peek().is_none()
            || matched.any(|action| action.classes.is_empty() || action.classes.iter().any(fits))
    });
    let kept: Vec<String> = kept.cloned().collect();
    (!kept.is_empty()).then_some(ActionElement::Is(kept))
}
