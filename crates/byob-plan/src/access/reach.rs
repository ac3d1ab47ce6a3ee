//! Who reaches what at both ends of a plan or of drift, in classes of access: what a picture shows. What is gained and lost
//! was judged before; here it stands beside what stays.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::{RootAddress, RootKind};
use byob_model::kind::Policy;
use byob_policy::{
    AccountId, Document, Guarded, Held, Level, Owner, Proof as Shown, ResourceClass, Standing, real_actions,
    standing,
};

use super::comparison::{Pair, is_of_change, shape, under_block};
use super::{Access, Ends, Proof};

/// What one principal may do with one class of resources, at both ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The bucket or key.
    pub root: RootAddress,
    /// The bucket itself, its objects, or the key.
    pub class: ResourceClass,
    /// As the documents name it; `*` for whoever they do not name otherwise.
    pub principal: String,
    /// What becomes of each class of access.
    pub abilities: BTreeSet<(Ability, Becomes)>,
    /// On what terms each class of access is had before; absent: on none.
    pub before: BTreeMap<Ability, Terms>,
    /// The same after, and what need not hold any more, or is refused now.
    pub after: BTreeMap<Ability, Terms>,
}

/// On what terms access is had at one end, in words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Terms {
    /// What holds of all of it.
    pub of_all: BTreeSet<String>,
    /// What holds of some of it, and not of the rest.
    pub of_some: BTreeSet<String>,
}

impl Terms {
    /// Nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.of_all.is_empty() && self.of_some.is_empty()
    }

    /// The terms of all of these together.
    #[must_use]
    pub fn together<'a>(each: impl IntoIterator<Item = &'a Self>) -> Self {
        let each: Vec<&Self> = each.into_iter().collect();
        let of_all: BTreeSet<String> = match each.split_first() {
            Some((first, rest)) => {
                let common = |word: &&String| rest.iter().all(|one| one.of_all.contains(*word));
                first.of_all.iter().filter(common).cloned().collect()
            }
            None => BTreeSet::new(),
        };
        let said = each.iter().flat_map(|one| one.of_all.iter().chain(&one.of_some));
        let of_some = said.filter(|word| !of_all.contains(*word)).cloned().collect();
        Self { of_all, of_some }
    }
}

/// A class of access, the one to look at first first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ability {
    /// Say who else may do what.
    Permissions,
    /// Change or delete.
    Write,
    /// Tag.
    Tagging,
    /// Encrypt and decrypt under a key.
    Use,
    /// Read.
    Read,
    /// See what is there.
    List,
    /// Actions that byob has no table of, or that could not be told.
    Other,
}

impl Ability {
    /// In one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Permissions => "permissions",
            Self::Write => "write",
            Self::Tagging => "tagging",
            Self::Use => "use",
            Self::Read => "read",
            Self::List => "list",
            Self::Other => "other",
        }
    }

    /// The class of an action. Those that encrypt, decrypt or sign are the use of a key.
    ///
    /// Source: KMS developer guide, "Cryptographic operations".
    fn of(action: &str) -> Self {
        const USE: [&str; 9] = [
            "kms:Decrypt",
            "kms:DeriveSharedSecret",
            "kms:Encrypt",
            "kms:GenerateDataKey",
            "kms:GenerateMac",
            "kms:ReEncrypt",
            "kms:Sign",
            "kms:VerifyMac",
            "kms:Verify",
        ];
        if USE.iter().any(|start| action.starts_with(start)) {
            return Self::Use;
        }
        match real_actions().iter().find(|one| one.name == action).map(|one| one.level) {
            Some(Level::Permissions) => Self::Permissions,
            Some(Level::Write) => Self::Write,
            Some(Level::Tagging) => Self::Tagging,
            Some(Level::Read) => Self::Read,
            Some(Level::List) => Self::List,
            None => Self::Other,
        }
    }
}

/// What becomes of a class of access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Becomes {
    /// New, shown by a request.
    Gained(Extent),
    /// Perhaps new.
    MayGain,
    /// Not any more.
    Lost(Extent),
    /// Perhaps not any more.
    MayLose,
    /// At both ends the same.
    Stays,
    /// There from the start on what is made: its own account on a new key.
    Comes,
}

/// How much of a class of access is gained or lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// There was nothing of the class before (of lost: nothing is left).
    Whole,
    /// There were other actions of the class before (of lost: others are left).
    Part,
    /// The same actions, by fewer conditions than before (of lost: by more).
    Terms,
}

/// Who reaches what, and what could not be told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reached {
    /// Sorted by root, class and principal.
    pub all: Vec<Reach>,
    /// Roots of which it is not known, and why.
    pub unknown: BTreeMap<RootAddress, String>,
}

/// Root, class, principal.
type Place = (RootAddress, ResourceClass, String);

/// By class of access: the actions before, after, gained, perhaps gained, lost, perhaps lost.
type Parts = BTreeMap<Ability, [BTreeSet<String>; 6]>;

/// What is put together of one place.
#[derive(Default)]
struct Found {
    parts: Parts,
    /// On what terms each action is had, before and after.
    terms: [BTreeMap<String, Terms>; 2],
    /// The actions that may be had, before and after.
    perhaps: [BTreeSet<String>; 2],
}

const BEFORE: usize = 0;
const AFTER: usize = 1;
const GAINED: usize = 2;
const MAY_GAIN: usize = 3;
const LOST: usize = 4;
const MAY_LOSE: usize = 5;

/// Who reaches what. `access` is what was gained and lost between the same ends. Bucket policies and key policies are
/// looked at, the former beside the public access block; not identity policies, ACLs and grants.
#[must_use]
pub fn reach(ends: &[Ends], access: &[Access], account_id: &str) -> Reached {
    let account: Option<AccountId> = account_id.parse().ok();
    let mut places: BTreeMap<Place, Found> = BTreeMap::new();
    let mut reached = Reached::default();
    let mut known: BTreeMap<String, Result<Vec<Standing>, String>> = BTreeMap::new();
    for one in ends {
        let told = match effective(one, account.as_ref()) {
            Ok((old, new)) => {
                let (guarded, name) = match one {
                    Ends::Bucket { name, .. } => (Guarded::Bucket, name.as_str()),
                    Ends::Key { .. } => (Guarded::Key, ""),
                };
                let pair = Pair {
                    old: &old,
                    new: &new,
                    old_restricts: None,
                    new_restricts: None,
                    one_block: true,
                    born: false,
                };
                let owner = Owner { guarded, account: account.clone() };
                known
                    .entry(shape(name, guarded, &pair))
                    .or_insert_with(|| standing(&old, &new, &owner))
                    .clone()
            }
            Err(why) => Err(why.to_owned()),
        };
        match told {
            Ok(all) => all.into_iter().for_each(|standing| {
                let place = (one.root().clone(), standing.class, standing.principal);
                let found = places.entry(place).or_default();
                for (end, held) in [(BEFORE, standing.before), (AFTER, standing.after)] {
                    held.into_iter().for_each(|held| found.enter(end, held));
                }
            }),
            Err(why) => {
                reached.unknown.insert(one.root().clone(), why);
            }
        }
    }
    for one in access {
        let place = (one.resource.root(), one.class, one.principal.clone());
        let found = places.entry(place).or_default();
        let sure = one.proof != Proof::CannotTell;
        found.change(&one.gained, if sure { GAINED } else { MAY_GAIN });
        found.change(&one.lost, if sure { LOST } else { MAY_LOSE });
        if one.gained.is_empty() && one.lost.is_empty() {
            found.change(&[String::new()], MAY_GAIN);
        }
    }
    // What is had at both ends was entered before: what holds of all that is gained or lost may hold of some of it alone.
    for one in access {
        let place = (one.resource.root(), one.class, one.principal.clone());
        places.entry(place).or_default().changed_terms(one);
    }
    let known: BTreeSet<&RootAddress> =
        ends.iter().map(Ends::root).filter(|root| !reached.unknown.contains_key(root)).collect();
    let all = places.into_iter().map(|((root, class, principal), found)| {
        let known = known.contains(&root);
        let abilities = found.parts.iter().flat_map(|(ability, parts)| {
            becomes(parts, known).into_iter().map(|becomes| (*ability, becomes)).collect::<Vec<_>>()
        });
        let abilities = abilities.collect();
        let [before, after] = found.terms.map(by_ability);
        Reach { root, class, principal, abilities, before, after }
    });
    reached.all = all.filter(|one| !one.abilities.is_empty()).collect();
    reached
}

impl Found {
    fn enter(&mut self, end: usize, held: Held) {
        // What may be so at one end is no more than what may be gained or lost, which is told elsewhere.
        if held.proof != Shown::Witness {
            if let Some(perhaps) = self.perhaps.get_mut(end) {
                perhaps.extend(held.actions.into_iter().map(str::to_owned));
            }
            return;
        }
        for action in held.actions {
            self.note(end, action);
            if let Some(terms) = self.terms.get_mut(end) {
                let of_all = held.conditions.iter().cloned().collect();
                terms.insert(action.to_owned(), Terms { of_all, of_some: BTreeSet::new() });
            }
        }
    }

    fn change(&mut self, actions: &[String], what: usize) {
        actions.iter().for_each(|action| self.note(what, action));
    }

    fn note(&mut self, what: usize, action: &str) {
        if let Some(of) = self.parts.entry(Ability::of(action)).or_default().get_mut(what) {
            of.insert(action.to_owned());
        }
    }

    fn has(&self, end: usize, action: &str) -> bool {
        let parts = self.parts.get(&Ability::of(action));
        parts.and_then(|parts| parts.get(end)).is_some_and(|of| of.contains(action))
    }

    /// Adds what holds of what was gained (after) or lost (before), and what is different after.
    fn changed_terms(&mut self, access: &Access) {
        let lost = !access.lost.is_empty();
        let (of_change, conditions): (BTreeSet<String>, BTreeSet<String>) =
            access.conditions.iter().cloned().partition(|one| is_of_change(one));
        let (own, other) = if lost { (BEFORE, AFTER) } else { (AFTER, BEFORE) };
        let nameless = [String::new()];
        let actions = match (access.lost.as_slice(), access.gained.as_slice()) {
            ([], []) => &nameless[..],
            ([], gained) => gained,
            (lost, _) => lost,
        };
        for action in actions {
            // All that is had of it, or a part beside what is had at the other end too.
            let perhaps = self.perhaps.get(other).is_some_and(|perhaps| perhaps.contains(action));
            let whole = !perhaps && !self.has(other, action);
            let of_all = if whole { conditions.clone() } else { BTreeSet::new() };
            let of_some = if whole { BTreeSet::new() } else { conditions.clone() };
            let stands = self.has(own, action);
            // What is had for sure asks for nothing that what may be had does.
            if !stands || access.proof != Proof::CannotTell {
                self.add(own, action, stands, Terms { of_all, of_some });
            }
            if !of_change.is_empty() {
                let of_all = of_change.clone();
                self.add(AFTER, action, true, Terms { of_all, of_some: BTreeSet::new() });
            }
        }
    }

    /// `beside`: these hold beside the terms that are known; else either may be so.
    fn add(&mut self, end: usize, action: &str, beside: bool, more: Terms) {
        let Some(known) = self.terms.get_mut(end) else { return };
        let terms = match known.get(action) {
            None => more,
            Some(known) if beside => {
                let of_all: BTreeSet<String> = known.of_all.union(&more.of_all).cloned().collect();
                let of_some =
                    known.of_some.union(&more.of_some).filter(|one| !of_all.contains(*one)).cloned();
                Terms { of_some: of_some.collect(), of_all }
            }
            Some(known) => Terms::together([known, &more]),
        };
        known.insert(action.to_owned(), terms);
    }
}

fn by_ability(of_actions: BTreeMap<String, Terms>) -> BTreeMap<Ability, Terms> {
    let mut by: BTreeMap<Ability, Vec<Terms>> = BTreeMap::new();
    for (action, terms) in of_actions {
        by.entry(Ability::of(&action)).or_default().push(terms);
    }
    let together = by.into_iter().map(|(ability, each)| (ability, Terms::together(&each)));
    together.filter(|(_, terms)| !terms.is_empty()).collect()
}

/// `known`: whether what the documents give was told.
fn becomes(parts: &[BTreeSet<String>; 6], known: bool) -> Vec<Becomes> {
    let [before, after, gained, may_gain, lost, may_lose] = parts;
    // What the documents give at both ends, or at neither (a Deny that came or went, and identity policies beside it),
    // changed in its conditions alone.
    let extent = |changed: &BTreeSet<String>, own: &BTreeSet<String>, other: &BTreeSet<String>| {
        if changed.iter().all(|action| other.contains(action) || known && !own.contains(action)) {
            Extent::Terms
        } else if other.is_empty() {
            Extent::Whole
        } else {
            Extent::Part
        }
    };
    let mut all = Vec::new();
    if !gained.is_empty() {
        all.push(Becomes::Gained(extent(gained, after, before)));
    } else if !may_gain.is_empty() {
        all.push(Becomes::MayGain);
    }
    if !lost.is_empty() {
        all.push(Becomes::Lost(extent(lost, before, after)));
    } else if !may_lose.is_empty() {
        all.push(Becomes::MayLose);
    }
    if all.is_empty() {
        match (before.is_empty(), after.is_empty()) {
            (false, false) => all.push(Becomes::Stays),
            (true, false) => all.push(Becomes::Comes),
            // What the judgement does not call lost is not: another name of the same principal has it.
            (_, true) => {}
        }
    }
    all
}

/// What the documents give at both ends beside everything else that is known: nothing where there is no root, or where
/// its key is not enabled.
fn effective(ends: &Ends, account: Option<&AccountId>) -> Result<(Document, Document), &'static str> {
    let nothing = || Policy::empty().document;
    let (before, after) = match ends {
        Ends::Bucket { before, after, .. } => {
            let of = |end: &Option<super::BucketEnd>| match end {
                None => Ok(nothing()),
                Some(end) => {
                    let policy = end.policy.as_ref().ok_or("its policy was not read")?;
                    let restricts = end.block.map(|block| block.restrict_public_buckets);
                    let (document, sure) = under_block(account, policy, restricts);
                    if sure { Ok(document) } else { Err("its public access block was not read") }
                }
            };
            (of(before)?, of(after)?)
        }
        Ends::Key { before, after, .. } => {
            let of = |end: &Option<super::KeyEnd>| match end {
                None => Ok(nothing()),
                Some(end) if !end.enabled => Ok(nothing()),
                Some(end) => end.policy.clone().ok_or("its policy was not read"),
            };
            (of(before)?, of(after)?)
        }
    };
    Ok((before, after))
}

impl Reach {
    /// Whether anything becomes of it.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.abilities.iter().any(|(_, becomes)| !matches!(becomes, Becomes::Stays | Becomes::Comes))
    }

    /// What carries it.
    #[must_use]
    pub fn carrier(&self) -> &'static str {
        match self.root.kind {
            RootKind::Bucket => "bucket policy",
            RootKind::Key => "key policy",
        }
    }
}
