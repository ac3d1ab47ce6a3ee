//! Who reaches what, put together for a page: roots that the same principals reach in the same way stand together, and what
//! is left is bounded. Where each thing stands in the picture is decided elsewhere, and who reaches what by the plan.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::{RootAddress, RootKind};
use byob_plan::access::{Ability, Becomes, Extent, Reach, Reached};
use byob_policy::{AccountId, ResourceClass, principal_in_words};
use serde::Serialize;

use crate::summary::count;
use crate::value::word;

/// More arrows than this are counted.
const EDGES: usize = 24;
/// More roots of a group, or principals of one, than this are counted.
const NAMED: usize = 3;
/// With more principals than this, those that reach the same in the same way stand together.
const PRINCIPALS: usize = 8;

/// Who reaches what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Graph {
    pub who: Vec<Who>,
    pub roots: Vec<Roots>,
    /// In the order of the roots.
    pub edges: Vec<Edge>,
    /// What is not drawn, and what is not known, in sentences.
    pub left_out: Vec<String>,
    /// Somewhere only the conditions changed.
    pub has_terms: bool,
    /// A row for each arrow, those that are not drawn too.
    pub rows: Vec<Row>,
}

/// One principal, or several that reach the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Who {
    /// In words.
    pub title: String,
    /// As the policies name it.
    pub names: String,
}

/// Buckets, or keys, that the same principals reach in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Roots {
    /// `bucket.storage`, or `298 buckets`.
    pub title: String,
    /// What it is called, or which they are.
    pub names: String,
    pub is_key: bool,
}

/// One arrow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Edge {
    pub who: usize,
    pub roots: usize,
    pub mark: Mark,
    pub lines: Vec<ClassLine>,
    /// `bucket policy`
    pub carrier: &'static str,
    /// What must hold for some of it, or need not hold any more.
    pub conditions: String,
}

/// What becomes of an arrow as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mark {
    Gained,
    Both,
    Lost,
    Maybe,
    Stays,
    Comes,
}

impl Mark {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Gained => "+",
            Self::Both => "±",
            Self::Lost => "−",
            Self::Maybe => "?",
            Self::Stays | Self::Comes => "",
        }
    }

    fn of(all: impl Iterator<Item = Becomes>) -> Self {
        let (mut gained, mut lost, mut maybe, mut stays) = (false, false, false, false);
        for one in all {
            match one {
                Becomes::Gained(_) => gained = true,
                Becomes::Lost(_) => lost = true,
                Becomes::MayGain | Becomes::MayLose => maybe = true,
                Becomes::Stays => stays = true,
                Becomes::Comes => {}
            }
        }
        match (gained, lost, maybe) {
            (true, true, _) => Self::Both,
            (true, ..) => Self::Gained,
            (_, true, _) => Self::Lost,
            (_, _, true) => Self::Maybe,
            _ if stays => Self::Stays,
            _ => Self::Comes,
        }
    }
}

/// What one arrow means on one class of resources.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct ClassLine {
    /// `objects`, `bucket` or `key`.
    pub class: &'static str,
    pub chunks: Vec<Chunk>,
}

/// One class of access.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Chunk {
    /// `gained`, `lost`, `maybe` or `stays`.
    pub fate: &'static str,
    /// `+ write`
    pub text: String,
}

/// One arrow as a row of a table: what is true before, and what after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    pub who: String,
    pub on: String,
    pub carrier: &'static str,
    pub before: String,
    pub after: String,
    pub conditions: String,
    pub mark: Mark,
    pub sign: &'static str,
}

/// What makes two roots the same here.
type Shape = (RootKind, BTreeMap<String, Vec<Part>>);
/// A class with what becomes of it.
type Part = (ResourceClass, BTreeSet<(Ability, Becomes)>, BTreeSet<String>);

/// Puts it together.
pub(super) fn graph(
    reached: &Reached,
    names: &BTreeMap<RootAddress, String>,
    own: Option<&AccountId>,
) -> Graph {
    let mut of_roots: BTreeMap<&RootAddress, BTreeMap<String, Vec<Part>>> = BTreeMap::new();
    for one in &reached.all {
        let Reach { root, class, principal, abilities, conditions } = one;
        let parts = of_roots.entry(root).or_default().entry(principal.clone()).or_default();
        parts.push((*class, abilities.clone(), conditions.clone()));
    }
    let mut shapes: BTreeMap<Shape, Vec<&RootAddress>> = BTreeMap::new();
    for (root, mut by_whom) in of_roots {
        // Objects before their bucket: data is what it is about.
        by_whom.values_mut().for_each(|parts| parts.sort_by_key(|part| part.0 == ResourceClass::Bucket));
        shapes.entry((root.kind, by_whom)).or_default().push(root);
    }
    let mut groups: Vec<(Shape, Vec<&RootAddress>)> = shapes.into_iter().collect();
    let mark = |parts: &[Part]| Mark::of(parts.iter().flat_map(|part| part.1.iter().map(|one| one.1)));
    groups.sort_by_key(|((_, by_whom), roots)| {
        (by_whom.values().map(|parts| mark(parts)).min(), roots.first().map(|root| (*root).clone()))
    });
    let who = principals(&groups, own);
    let terms = |one: &Reach| {
        let of_terms =
            |one: &Becomes| matches!(one, Becomes::Gained(Extent::Terms) | Becomes::Lost(Extent::Terms));
        one.abilities.iter().any(|(_, becomes)| of_terms(becomes))
    };
    let mut graph = Graph { has_terms: reached.all.iter().any(terms), ..Graph::default() };
    let mut dropped: (usize, usize) = (0, 0);
    for ((kind, by_whom), roots) in &groups {
        let title = titled(*kind, roots, names);
        let mut arrows: Vec<(usize, &Vec<Part>)> = Vec::new();
        for (principal, parts) in by_whom {
            let at =
                who.iter().position(|one| one.principals.contains(&principal.as_str())).unwrap_or_default();
            if !arrows.iter().any(|(known, _)| *known == at) {
                arrows.push((at, parts));
            }
        }
        arrows.sort_by_key(|(at, parts)| (mark(parts), *at));
        let mut drawn = false;
        for (at, parts) in arrows {
            let title_of = who.get(at).map(|one| one.shown.title.clone()).unwrap_or_default();
            let carrier = if *kind == RootKind::Key { "key policy" } else { "bucket policy" };
            let edge = Edge {
                who: at,
                roots: graph.roots.len(),
                mark: mark(parts),
                lines: parts.iter().map(class_line).collect(),
                carrier,
                conditions: conditions(parts),
            };
            graph.rows.push(row(&edge, parts, title_of, &title));
            if graph.edges.len() < EDGES {
                graph.edges.push(edge);
                drawn = true;
            } else {
                dropped.1 += 1;
            }
        }
        if drawn {
            graph.roots.push(title);
        } else {
            dropped.0 += roots.len();
        }
    }
    keep_drawn(&mut graph, who);
    if dropped.1 > 0 {
        let whole = match dropped.0 {
            0 => String::new(),
            1 => ", nor is 1 bucket or key that only they lead to".to_owned(),
            more => format!(", nor are {more} buckets and keys that only they lead to"),
        };
        graph.left_out.push(format!("{} not drawn{whole}; the table has them all.", arrows(dropped.1)));
    }
    let mut unknown: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (root, why) in &reached.unknown {
        unknown.entry(why).or_default().push(root.to_string());
    }
    for (why, roots) in unknown {
        graph.left_out.push(format!("Not known for {}: {why}.", some_of(roots)));
    }
    graph
}

fn arrows(number: usize) -> String {
    if number == 1 { "1 more arrow is".into() } else { format!("{number} more arrows are") }
}

/// The principals that an arrow starts from, and their places in the order of the arrows.
fn keep_drawn(graph: &mut Graph, all: Vec<Principals<'_>>) {
    let mut places: BTreeMap<usize, usize> = BTreeMap::new();
    let mut who: Vec<Who> = Vec::new();
    for (at, one) in all.into_iter().enumerate() {
        if graph.edges.iter().any(|edge| edge.who == at) {
            places.insert(at, who.len());
            who.push(one.shown);
        }
    }
    for edge in &mut graph.edges {
        edge.who = places.get(&edge.who).copied().unwrap_or_default();
    }
    graph.who = who;
}

/// Principals that stand in one box.
struct Principals<'a> {
    principals: Vec<&'a str>,
    shown: Who,
}

/// Anyone first, this account last.
fn principals<'a>(groups: &'a [(Shape, Vec<&RootAddress>)], own: Option<&AccountId>) -> Vec<Principals<'a>> {
    /// In which groups, and how.
    type Reaches<'p> = Vec<(usize, &'p Vec<Part>)>;
    let mut reaches: BTreeMap<&str, Reaches<'_>> = BTreeMap::new();
    for (at, ((_, by_whom), _)) in groups.iter().enumerate() {
        for (principal, parts) in by_whom {
            reaches.entry(principal).or_default().push((at, parts));
        }
    }
    let few = reaches.len() <= PRINCIPALS;
    let mut together: Vec<(Vec<&str>, Reaches<'_>)> = Vec::new();
    for (principal, reached) in reaches {
        match together.iter_mut().find(|(_, known)| !few && *known == reached) {
            Some((all, _)) => all.push(principal),
            None => together.push((vec![principal], reached)),
        }
    }
    let is_own = |name: &str| own.is_some_and(|own| name.contains(own.as_str()));
    together.sort_by_key(|(all, _)| {
        let first = all.first().copied().unwrap_or_default();
        (first != "*", is_own(first), first)
    });
    let shown = |(principals, _): (Vec<&'a str>, _)| {
        let shown = match principals.as_slice() {
            [one] => {
                let title = principal_in_words(one, own);
                let names = if title == *one || *one == "*" { String::new() } else { word(one) };
                Who { title, names }
            }
            more => Who {
                title: count(more.len(), "principal"),
                names: some_of(more.iter().map(|one| word(one)).collect()),
            },
        };
        Principals { principals, shown }
    };
    together.into_iter().map(shown).collect()
}

fn titled(kind: RootKind, roots: &[&RootAddress], names: &BTreeMap<RootAddress, String>) -> Roots {
    let is_key = kind == RootKind::Key;
    match roots {
        [one] => Roots {
            title: one.to_string(),
            names: names.get(one).map(|name| word(name)).unwrap_or_default(),
            is_key,
        },
        more => Roots {
            title: count(more.len(), if is_key { "key" } else { "bucket" }),
            names: some_of(more.iter().map(ToString::to_string).collect()),
            is_key,
        },
    }
}

/// `a, b and 3 more`
fn some_of(mut all: Vec<String>) -> String {
    let more = all.len().saturating_sub(NAMED);
    if more > 1 {
        all.truncate(NAMED);
        return format!("{} and {more} more", all.join(", "));
    }
    all.join(", ")
}

fn class_line((class, abilities, _): &Part) -> ClassLine {
    let chunks = abilities.iter().map(|(ability, becomes)| {
        let word = ability.as_str();
        let (fate, text) = match becomes {
            Becomes::Gained(Extent::Whole) => ("gained", format!("+ {word}")),
            Becomes::Gained(Extent::Part) => ("gained", format!("+ more {word}")),
            Becomes::Gained(Extent::Terms) => ("gained", format!("+ wider {word}")),
            Becomes::Lost(Extent::Whole) => ("lost", format!("− {word}")),
            Becomes::Lost(Extent::Part) => ("lost", format!("− some {word}")),
            Becomes::Lost(Extent::Terms) => ("lost", format!("− narrower {word}")),
            Becomes::MayGain => ("maybe", format!("+? {word}")),
            Becomes::MayLose => ("maybe", format!("−? {word}")),
            Becomes::Stays | Becomes::Comes => ("stays", word.to_owned()),
        };
        Chunk { fate, text }
    });
    let class = match class {
        ResourceClass::Objects => "objects",
        ResourceClass::Bucket => "bucket",
        ResourceClass::Key => "key",
    };
    ClassLine { class, chunks: chunks.collect() }
}

fn row(edge: &Edge, parts: &[Part], who: String, on: &Roots) -> Row {
    let side = |after: bool| {
        let classes = parts.iter().zip(&edge.lines).filter_map(|((_, abilities, _), line)| {
            let words: Vec<String> =
                abilities.iter().filter_map(|(ability, becomes)| at_end(*ability, *becomes, after)).collect();
            (!words.is_empty()).then(|| format!("{}: {}", line.class, words.join(", ")))
        });
        let all: Vec<String> = classes.collect();
        if all.is_empty() { "nothing".to_owned() } else { all.join("; ") }
    };
    Row {
        who,
        on: if on.names.is_empty() { on.title.clone() } else { format!("{} ({})", on.title, on.names) },
        carrier: edge.carrier,
        before: side(false),
        after: side(true),
        conditions: edge.conditions.clone(),
        mark: edge.mark,
        sign: edge.mark.sign(),
    }
}

fn conditions(parts: &[Part]) -> String {
    let all: BTreeSet<&str> = parts.iter().flat_map(|part| part.2.iter().map(String::as_str)).collect();
    all.into_iter().collect::<Vec<_>>().join("; ")
}

/// What is true of a class of access at one end; `None`: it is not there.
fn at_end(ability: Ability, becomes: Becomes, after: bool) -> Option<String> {
    let word = ability.as_str();
    let words = |less: &str, more: &str| Some(format!("{}{word}", if after { more } else { less }));
    match becomes {
        Becomes::Stays => Some(word.to_owned()),
        Becomes::Comes | Becomes::Gained(Extent::Whole) => after.then(|| word.to_owned()),
        Becomes::Lost(Extent::Whole) => (!after).then(|| word.to_owned()),
        Becomes::Gained(Extent::Part) => words("some ", "more "),
        Becomes::Lost(Extent::Part) => words("more ", "some "),
        Becomes::Gained(Extent::Terms) => words("", "wider "),
        Becomes::Lost(Extent::Terms) => words("", "narrower "),
        Becomes::MayGain => after.then(|| format!("perhaps {word}")),
        Becomes::MayLose => (!after).then(|| format!("perhaps {word}")),
    }
}
