//! Who reaches what, put together for a page: roots that the same principals reach in the same way stand together, and what
//! is left is bounded; the table below the picture bounds nothing. Where each thing stands in the picture is decided elsewhere, and who reaches what by the plan.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::{RootAddress, RootKind};
use byob_plan::access::{Ability, Becomes, Extent, Reach, Reached, Terms};
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
    /// What is not drawn, and what is not known.
    pub left_out: Vec<LeftOut>,
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
    /// Each of several, where not all of them are named before.
    #[serde(skip)]
    pub all: Vec<String>,
}

/// Buckets, or keys, that the same principals reach in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Roots {
    /// `bucket.storage`, or `298 buckets`.
    pub title: String,
    /// What it is called, or which they are.
    pub names: String,
    /// Each of several, where not all of them are named before.
    #[serde(skip)]
    pub all: Vec<String>,
    pub is_key: bool,
}

/// A sentence about what is not in the picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct LeftOut {
    pub text: String,
    /// What it is about, where the sentence does not name all of it.
    pub all: Vec<String>,
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
    /// On what terms it is had after; where nothing is left of it, before.
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
    pub who: Cell,
    pub on: Cell,
    pub carrier: &'static str,
    pub before: Vec<Had>,
    pub after: Vec<Had>,
    pub mark: Mark,
    pub sign: &'static str,
}

/// Whom or what a row is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Cell {
    pub title: String,
    pub names: String,
    /// Each of several, where not all of them are named before.
    pub all: Vec<String>,
}

/// What is had at one end on the same terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Had {
    /// `objects: read, write`
    pub what: String,
    /// What must hold for it, what need not hold any more, what is refused now.
    pub terms: String,
}

/// What makes two roots the same here.
type Shape = (RootKind, BTreeMap<String, Vec<Part>>);

/// What becomes of one class of resources, and on what terms it is had.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    class: ResourceClass,
    abilities: BTreeSet<(Ability, Becomes)>,
    before: BTreeMap<Ability, Terms>,
    after: BTreeMap<Ability, Terms>,
}

impl Part {
    fn terms(&self, ability: Ability, after: bool) -> Terms {
        let all = if after { &self.after } else { &self.before };
        all.get(&ability).cloned().unwrap_or_default()
    }
}

/// Puts it together.
pub(super) fn graph(
    reached: &Reached,
    names: &BTreeMap<RootAddress, String>,
    own: Option<&AccountId>,
) -> Graph {
    let mut of_roots: BTreeMap<&RootAddress, BTreeMap<String, Vec<Part>>> = BTreeMap::new();
    for one in &reached.all {
        let Reach { root, class, principal, abilities, before, after } = one;
        let parts = of_roots.entry(root).or_default().entry(principal.clone()).or_default();
        let (abilities, before, after) = (abilities.clone(), before.clone(), after.clone());
        parts.push(Part { class: *class, abilities, before, after });
    }
    let mut shapes: BTreeMap<Shape, Vec<&RootAddress>> = BTreeMap::new();
    for (root, mut by_whom) in of_roots {
        // Objects before their bucket: data is what it is about.
        by_whom.values_mut().for_each(|parts| parts.sort_by_key(|part| part.class == ResourceClass::Bucket));
        shapes.entry((root.kind, by_whom)).or_default().push(root);
    }
    let mut groups: Vec<(Shape, Vec<&RootAddress>)> = shapes.into_iter().collect();
    let mark =
        |parts: &[Part]| Mark::of(parts.iter().flat_map(|part| part.abilities.iter().map(|one| one.1)));
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
            let carrier = if *kind == RootKind::Key { "key policy" } else { "bucket policy" };
            let edge = Edge {
                who: at,
                roots: graph.roots.len(),
                mark: mark(parts),
                lines: parts.iter().map(class_line).collect(),
                carrier,
                conditions: arrow_terms(parts),
            };
            if let Some(who) = who.get(at) {
                graph.rows.push(row(&edge, parts, &who.shown, &title));
            }
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
        let text = format!("{} not drawn{whole}; the table has them all.", arrows(dropped.1));
        graph.left_out.push(LeftOut { text, all: Vec::new() });
    }
    let mut unknown: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (root, why) in &reached.unknown {
        unknown.entry(why).or_default().push(root.to_string());
    }
    for (why, roots) in unknown {
        let (some, all) = some_of(roots);
        graph.left_out.push(LeftOut { text: format!("Not known for {some}: {why}."), all });
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
                Who { title, names, all: Vec::new() }
            }
            more => {
                let (names, cut) = some_of(more.iter().map(|one| word(one)).collect());
                let each = |one: &&str| {
                    let title = principal_in_words(one, own);
                    if title == **one || **one == *"*" { title } else { format!("{title}: {}", word(one)) }
                };
                let all = if cut.is_empty() { cut } else { more.iter().map(each).collect() };
                Who { title: count(more.len(), "principal"), names, all }
            }
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
            all: Vec::new(),
            is_key,
        },
        more => {
            let (names, all) = some_of(more.iter().map(ToString::to_string).collect());
            Roots { title: count(more.len(), if is_key { "key" } else { "bucket" }), names, all, is_key }
        }
    }
}

/// `a, b and 3 more`, and, where it says that there are more, all of them.
fn some_of(all: Vec<String>) -> (String, Vec<String>) {
    match all.get(..NAMED) {
        Some(some) if all.len() > NAMED + 1 => {
            (format!("{} and {} more", some.join(", "), all.len() - NAMED), all)
        }
        _ => (all.join(", "), Vec::new()),
    }
}

fn class_line(part: &Part) -> ClassLine {
    let chunks = part.abilities.iter().map(|(ability, becomes)| {
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
    let class = match part.class {
        ResourceClass::Objects => "objects",
        ResourceClass::Bucket => "bucket",
        ResourceClass::Key => "key",
    };
    ClassLine { class, chunks: chunks.collect() }
}

fn row(edge: &Edge, parts: &[Part], who: &Who, on: &Roots) -> Row {
    let side = |after: bool| {
        let all: Vec<Had> =
            parts.iter().zip(&edge.lines).flat_map(|(part, line)| had(part, line.class, after)).collect();
        let nothing = || vec![Had { what: "nothing".to_owned(), terms: String::new() }];
        if all.is_empty() { nothing() } else { all }
    };
    Row {
        who: Cell { title: who.title.clone(), names: who.names.clone(), all: who.all.clone() },
        on: Cell { title: on.title.clone(), names: on.names.clone(), all: on.all.clone() },
        carrier: edge.carrier,
        before: side(false),
        after: side(true),
        mark: edge.mark,
        sign: edge.mark.sign(),
    }
}

/// What is had of a class of resources at one end: together what is had on the same terms.
fn had(part: &Part, class: &str, after: bool) -> Vec<Had> {
    let mut groups: Vec<(Terms, Vec<String>)> = Vec::new();
    for (ability, becomes) in &part.abilities {
        let Some(words) = at_end(*ability, *becomes, after) else { continue };
        let terms = part.terms(*ability, after);
        match groups.iter_mut().find(|(known, _)| *known == terms) {
            Some((_, all)) => all.push(words),
            None => groups.push((terms, vec![words])),
        }
    }
    let had = |(terms, words): (Terms, Vec<String>)| {
        let what = format!("{class}: {}", words.join(", "));
        Had { what, terms: in_words(&terms) }
    };
    groups.into_iter().map(had).collect()
}

/// The terms of an arrow as a whole: of what is there after; of what is not, those of before.
fn arrow_terms(parts: &[Part]) -> String {
    let mut is_left = false;
    let mut each: Vec<Terms> = Vec::new();
    for part in parts {
        for (ability, becomes) in &part.abilities {
            let after = at_end(*ability, *becomes, true).is_some();
            is_left |= after;
            each.push(part.terms(*ability, after));
        }
    }
    let words = in_words(&Terms::together(&each));
    if is_left || words.is_empty() { words } else { format!("was: {words}") }
}

fn in_words(terms: &Terms) -> String {
    let some = terms.of_some.iter().enumerate().map(|(at, words)| {
        let start = if at == 0 { "for some of it" } else { "for some" };
        format!("{start}: {words}")
    });
    terms.of_all.iter().cloned().chain(some).collect::<Vec<_>>().join("; ")
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
