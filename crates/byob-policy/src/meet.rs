//! What two documents both give, as one document: the form that phase 1 of an apply puts, so that nobody holds access
//! which neither end gives, and access that both ends give goes on. Allows are met pair by pair; Denies are kept, all of
//! both. What cannot be written exactly is left out and named, never widened.
//!
//! `who`, `what` and `when` meet principals, actions and resources, and conditions; here the pieces become a document.

mod what;
mod when;
mod who;

use std::collections::{BTreeMap, BTreeSet};

use crate::canonical::{common_partition, has_variable, statement_meaning};
use crate::compare::{Owner, Verdict, compare};
use crate::document::{Document, Effect, PrincipalElement, Principals, ResourceElement, Statement, Version};
use crate::evaluate::Guarded;
use crate::words::is_unique_id;

/// A document within two others: see [`meet`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meet {
    /// The document. Without a statement where nothing is common and nothing is denied: then there is to be no policy.
    pub document: Document,
    /// What both documents may give, and this one does not.
    pub left_out: Vec<LeftOut>,
}

/// Access that two Allows may both give and that no statement can say exactly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeftOut {
    /// The Allow of the old document, by its index from 0.
    pub old: usize,
    /// The Allow of the new document, by its index from 0.
    pub new: usize,
    /// Whose access it is, as the documents name them; `*`: anyone.
    pub principals: Vec<String>,
    /// Why it cannot be written, in one sentence without a full stop.
    pub reason: String,
}

/// The document that lies within both: whatever request it lets through, under whatever circumstances, `old` and `new`
/// both do; and whatever both let through it does, but for [`Meet::left_out`], for actions that the table of real
/// actions lacks, and for actions that no resource of a statement can take (S3 refuses to hold such). Public access
/// blocks are not looked at: a document that is not public may be the meet of two that are.
///
/// It has the Denies of both, and the meet of each old Allow with each new one: principals, actions and resources that
/// both take, under the conditions of both. An Allow that stands in both is kept as the new document has it; one that
/// is a meet whole keeps its `Sid`; any other meet has the `Sid` of the new Allow if that is free, else none. Where one
/// document is proved to be within the other (for owners of every account), it is that one, with the other's Denies.
/// Principals that AWS has put unique ids for are nobody any more, and AWS takes no document that names them: what `old`
/// says of them is not kept.
///
/// The size is not looked at: it may be over AWS's limit even where both documents are not.
pub fn meet(old: &Document, new: &Document) -> Meet {
    let partition = common_partition(&[old, new]);
    if old.equals_in(new, partition) {
        return Meet { document: new.clone(), left_out: Vec::new() };
    }
    let (mut old, new) = in_one_version(old, new);
    old.statements.iter_mut().for_each(forget_unique_ids);
    let ends = Ends {
        old_forms: old.statements.iter().map(|one| statement_meaning(one, partition)).collect(),
        new_forms: new.statements.iter().map(|one| statement_meaning(one, partition)).collect(),
        old,
        new,
    };
    // Denies aside, access does not hang on who owns it: see `compare`. With the Denies of both nor does all else.
    let nobody = Owner { guarded: Guarded::Bucket, account: None };
    let within = |outer: &Document, inner: &Document| compare(outer, inner, &nobody) == Verdict::Within;
    if within(&ends.old, &ends.new) {
        let kept = ends.allows(&ends.new).map(|at| Piece::new(at, &ends)).collect();
        return Meet { document: ends.assembled(kept), left_out: Vec::new() };
    }
    if within(&ends.new, &ends.old) {
        let kept = ends.allows(&ends.old).map(|at| Piece::old(at, &ends)).collect();
        return Meet { document: ends.assembled(kept), left_out: Vec::new() };
    }
    ends.met(|one| statement_meaning(one, partition))
}

/// Both documents, in one version of the language, with what each statement means.
struct Ends {
    old: Document,
    new: Document,
    old_forms: Vec<Statement>,
    new_forms: Vec<Statement>,
}

/// Where a statement comes from; in this order they claim their `Sid`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    New,
    Old,
    Made,
}

/// A statement of the document to be.
struct Piece {
    origin: Origin,
    form: Statement,
    statement: Statement,
    /// Statements stand in the order of the new document, then of the old one.
    place: (Origin, usize),
}

impl Piece {
    fn new(at: usize, ends: &Ends) -> Option<Self> {
        let (form, statement) = (ends.new_forms.get(at)?.clone(), ends.new.statements.get(at)?.clone());
        Some(Self { origin: Origin::New, form, statement, place: (Origin::New, at) })
    }

    fn old(at: usize, ends: &Ends) -> Option<Self> {
        let (form, statement) = (ends.old_forms.get(at)?.clone(), ends.old.statements.get(at)?.clone());
        Some(Self { origin: Origin::Old, form, statement, place: (Origin::Old, at) })
    }
}

impl Ends {
    fn allows<'a>(&self, document: &'a Document) -> impl Iterator<Item = usize> + use<'a> {
        let all = document.statements.iter().enumerate();
        all.filter(|(_, one)| one.effect == Effect::Allow).map(|(at, _)| at)
    }

    /// The meets of all pairs.
    fn met(&self, meaning: impl Fn(&Statement) -> Statement) -> Meet {
        let (mut kept, mut made, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        let (mut whole_old, mut whole_new) = (BTreeSet::new(), BTreeSet::new());
        let of_old: BTreeMap<&Statement, usize> =
            self.allows(&self.old).filter_map(|at| Some((self.old_forms.get(at)?, at))).collect();
        for at in self.allows(&self.new) {
            if let Some(other) = self.new_forms.get(at).and_then(|form| of_old.get(form)) {
                whole_old.insert(*other);
                whole_new.insert(at);
                kept.push(Piece::new(at, self));
            }
        }
        for old in self.allows(&self.old) {
            for new in self.allows(&self.new) {
                // What stands whole holds all its meets.
                if whole_old.contains(&old) || whole_new.contains(&new) {
                    continue;
                }
                let (Some(one), Some(other)) = (self.old.statements.get(old), self.new.statements.get(new))
                else {
                    continue;
                };
                let (statements, lost) = pair(one, other, self.new.version);
                for statement in statements {
                    let form = meaning(&statement);
                    if self.new_forms.get(new) == Some(&form) {
                        whole_new.insert(new);
                        kept.push(Piece::new(new, self));
                    } else if self.old_forms.get(old) == Some(&form) {
                        whole_old.insert(old);
                        kept.push(Piece::old(old, self));
                    } else {
                        let place = (Origin::New, new);
                        made.push((old, new, Piece { origin: Origin::Made, form, statement, place }));
                    }
                }
                left_out.extend(lost.into_iter().map(|(principals, reason)| LeftOut {
                    old,
                    new,
                    principals,
                    reason,
                }));
            }
        }
        let moot = |old: usize, new: usize| whole_old.contains(&old) || whole_new.contains(&new);
        left_out.retain(|one| !moot(one.old, one.new));
        kept.extend(
            made.into_iter().filter(|(old, new, _)| !moot(*old, *new)).map(|(.., piece)| Some(piece)),
        );
        Meet { document: self.assembled(kept), left_out }
    }

    /// The document of these Allows and the Denies of both.
    fn assembled(&self, allows: Vec<Option<Piece>>) -> Document {
        let denies = |document: &Document| -> Vec<usize> {
            let all = document.statements.iter().enumerate();
            all.filter(|(_, one)| one.effect == Effect::Deny).map(|(at, _)| at).collect()
        };
        let mut all: Vec<Piece> = allows.into_iter().flatten().collect();
        all.extend(denies(&self.new).into_iter().filter_map(|at| Piece::new(at, self)));
        all.extend(denies(&self.old).into_iter().filter_map(|at| Piece::old(at, self)));
        all.retain(|piece| !names_nobody(&piece.statement));
        // An old statement that the new document has too is the new one.
        for piece in &mut all {
            if piece.origin == Origin::Old
                && let Some(at) = self.new_forms.iter().position(|form| *form == piece.form)
                && let Some(new) = Piece::new(at, self)
            {
                *piece = new;
            }
        }
        all.sort_by_key(|piece| piece.origin);
        let (mut seen, mut names) = (BTreeSet::new(), BTreeSet::new());
        all.retain_mut(|piece| {
            let first = seen.insert(piece.form.clone());
            if first
                && !piece.statement.sid.as_ref().is_none_or(|sid| sid.is_empty() || names.insert(sid.clone()))
            {
                piece.statement.sid = None;
            }
            first
        });
        all.sort_by_key(|piece| piece.place);
        Document {
            version: self.new.version,
            id: self.new.id.clone(),
            statements: all.into_iter().map(|piece| piece.statement).collect(),
        }
    }
}

/// What both Allows give, as statements; and whose access cannot be written, and why.
fn pair(old: &Statement, new: &Statement, version: Version) -> (Vec<Statement>, Vec<(Vec<String>, String)>) {
    let who = who::principals(old.principal.as_ref(), new.principal.as_ref());
    let nothing = (Vec::new(), Vec::new());
    if who.is_nobody() {
        return nothing;
    }
    let resources = what::resources(old.resource.as_ref(), new.resource.as_ref(), version);
    if resources.is_nothing() {
        return nothing;
    }
    let actions = what::actions(&old.action, &new.action);
    if actions.is_nothing() {
        return nothing;
    }
    let unsaid: Vec<String> = actions.lost.into_iter().chain(resources.lost).collect();
    let written = resources.written.zip(actions.written).and_then(|(resource, actions)| {
        let action = what::fitting(actions, resource.as_ref())?;
        Some((resource, action))
    });
    if written.is_none() && unsaid.is_empty() {
        return nothing;
    }
    let conditions = when::joined(&old.condition, &new.condition, None, version);
    if matches!(conditions, when::Joined::Never) {
        return nothing;
    }
    let named = who.names();
    let mut lost: Vec<(Vec<String>, String)> = who.lost.clone();
    let mut lose = |reason: String| lost.push((named.clone(), reason));
    unsaid.into_iter().for_each(&mut lose);
    let mut statements = Vec::new();
    if let Some((resource, action)) = written {
        let mut make = |principal: Option<PrincipalElement>, conditions: when::Joined| match conditions {
            when::Joined::Both(condition) => statements.push(Statement {
                sid: new.sid.clone(),
                effect: Effect::Allow,
                principal,
                action: action.clone(),
                resource: resource.clone(),
                condition,
            }),
            when::Joined::Never => {}
            when::Joined::Unwritten(reason) => lose(reason),
        };
        if let Some(principal) = &who.direct {
            make(principal.clone(), conditions);
        }
        if let Some((accounts, more)) = who.through_account() {
            make(Some(accounts), when::joined(&old.condition, &new.condition, Some(&more), version));
        }
    } else if let when::Joined::Unwritten(reason) = conditions {
        lose(reason);
    }
    (statements, lost)
}

/// Both documents in one version. Where that cannot be without a change, the text `${` of 2008-10-17 is written as
/// 2012-10-17 has it.
pub fn in_one_version(old: &Document, new: &Document) -> (Document, Document) {
    let (mut old, mut new) = (old.clone(), new.clone());
    if old.version != new.version {
        let in_old = old.statements.iter().any(has_variable);
        let in_new = new.statements.iter().any(has_variable);
        match (in_old, in_new) {
            (false, _) => old.version = new.version,
            (true, false) => new.version = old.version,
            (true, true) => [&mut old, &mut new].into_iter().for_each(upgrade),
        }
    }
    (old, new)
}

/// Writes a document of 2008-10-17 in 2012-10-17.
///
/// Source: IAM user guide, "Policy variables", `${$}` for a dollar sign.
fn upgrade(document: &mut Document) {
    if document.version == Version::V2012 {
        return;
    }
    document.version = Version::V2012;
    for statement in &mut document.statements {
        let resources = match &mut statement.resource {
            Some(ResourceElement::Is(all) | ResourceElement::Not(all)) => all.as_mut_slice(),
            None => &mut [],
        };
        let values = statement.condition.values_mut().flat_map(BTreeMap::values_mut).flatten();
        for value in resources.iter_mut().chain(values) {
            *value = value.replace("${", "${$}{");
        }
    }
}

/// Takes out principals that are nobody any more.
fn forget_unique_ids(statement: &mut Statement) {
    let Some(element) = &mut statement.principal else { return };
    let (PrincipalElement::Is(who) | PrincipalElement::Not(who)) = &mut *element;
    if let Some(values) = who.0.get_mut("AWS") {
        values.retain(|value| !is_unique_id(value));
        if values.is_empty() {
            who.0.remove("AWS");
        }
    }
    // All but nobody is anyone.
    if who.0.is_empty() && matches!(element, PrincipalElement::Not(_)) {
        *element = PrincipalElement::Is(Principals::anyone());
    }
}

/// Whether a statement is about nobody at all: AWS takes none that names no principal.
fn names_nobody(statement: &Statement) -> bool {
    match &statement.principal {
        Some(PrincipalElement::Is(who)) => who.0.values().all(Vec::is_empty),
        _ => false,
    }
}

#[cfg(test)]
#[path = "meet_tests.rs"]
mod tests;
