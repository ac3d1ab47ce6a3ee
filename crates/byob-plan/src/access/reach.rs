//! Who reaches what at both ends of a plan or of drift, in classes of access: what a picture shows. What is gained and lost
//! was judged before; here it stands beside what stays.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::{RootAddress, RootKind};
use byob_model::kind::Policy;
use byob_policy::{
    AccountId, Document, Guarded, Held, Level, Owner, Proof as Shown, ResourceClass, Standing, real_actions,
    standing,
};

use super::comparison::{Pair, shape, under_block};
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
    /// What must hold for what is had at either end, in words.
    pub conditions: BTreeSet<String>,
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
    let mut places: BTreeMap<Place, (Parts, BTreeSet<String>)> = BTreeMap::new();
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
                let (parts, conditions) = places.entry(place).or_default();
                for (end, held) in [(BEFORE, standing.before), (AFTER, standing.after)] {
                    held.into_iter().for_each(|held| enter(parts, conditions, end, held));
                }
            }),
            Err(why) => {
                reached.unknown.insert(one.root().clone(), why);
            }
        }
    }
    for one in access {
        let place = (one.resource.root(), one.class, one.principal.clone());
        let (parts, conditions) = places.entry(place).or_default();
        conditions.extend(one.conditions.iter().cloned());
        let sure = one.proof != Proof::CannotTell;
        let mut put = |actions: &[String], certain: usize, doubtful: usize| {
            let end = if sure { certain } else { doubtful };
            actions.iter().for_each(|action| note(parts, end, action));
        };
        put(&one.gained, GAINED, MAY_GAIN);
        put(&one.lost, LOST, MAY_LOSE);
        if one.gained.is_empty() && one.lost.is_empty() {
            note(parts, MAY_GAIN, "");
        }
    }
    let known: BTreeSet<&RootAddress> =
        ends.iter().map(Ends::root).filter(|root| !reached.unknown.contains_key(root)).collect();
    let all = places.into_iter().map(|((root, class, principal), (parts, conditions))| {
        let known = known.contains(&root);
        let abilities = parts.iter().flat_map(|(ability, parts)| {
            becomes(parts, known).into_iter().map(|becomes| (*ability, becomes)).collect::<Vec<_>>()
        });
        Reach { root, class, principal, abilities: abilities.collect(), conditions }
    });
    reached.all = all.filter(|one| !one.abilities.is_empty()).collect();
    reached
}

fn enter(parts: &mut Parts, conditions: &mut BTreeSet<String>, end: usize, held: Held) {
    conditions.extend(held.conditions);
    for action in held.actions {
        // What may be so at one end is no more than what may be gained or lost, which is told elsewhere.
        if held.proof == Shown::Witness {
            note(parts, end, action);
        }
    }
}

fn note(parts: &mut Parts, end: usize, action: &str) {
    if let Some(of) = parts.entry(Ability::of(action)).or_default().get_mut(end) {
        of.insert(action.to_owned());
    }
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
