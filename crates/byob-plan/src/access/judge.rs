//! The judgement: both ends of each root, the answers put together. "No" is said only where nothing is in doubt.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::RootAddress;
use byob_model::kind::{Policy, PublicAccessBlock};
use byob_policy::{
    AccountId, ActionElement, Document, Effect, Guarded, Partition, PrincipalElement, Principals,
    ResourceClass, ResourceElement, Statement, is_public,
};

use super::comparison::{Entry, Outcome, Pair, all_lost, compared, given, shape};
use super::ends::{BucketEnd, BucketEnds, KeyEnds};
use super::unchecked::Unchecked;
use super::{Access, AccessVerdict, Answer, Example, Proof};

/// What tells one entry from another: resource, principal, class, lost or gained, conditions, proof.
type Place = (RootAddress, String, ResourceClass, bool, Vec<String>, Proof);

/// Collects the answers.
pub(super) struct Judge {
    account: Option<AccountId>,
    entries: BTreeMap<Place, (BTreeSet<String>, Option<Example>)>,
    grows: Answer,
    public: Answer,
    all_told: bool,
    /// Outcomes by shape, each with the name of the bucket it was found for.
    known: BTreeMap<String, (String, Outcome)>,
    pub(super) unchecked: Unchecked,
}

impl Judge {
    pub(super) fn new(account: &str) -> Self {
        Self {
            account: account.parse().ok(),
            entries: BTreeMap::new(),
            grows: Answer::No,
            public: Answer::No,
            all_told: true,
            known: BTreeMap::new(),
            unchecked: Unchecked::default(),
        }
    }

    pub(super) fn end(self) -> (Vec<Access>, AccessVerdict) {
        let entries = self.entries.into_iter().map(|(place, (actions, example))| {
            let (root, principal, class, lost, conditions, proof) = place;
            let actions: Vec<String> = actions.into_iter().collect();
            let (gained, lost) = if lost { (Vec::new(), actions) } else { (actions, Vec::new()) };
            Access { resource: root.address(), class, principal, gained, lost, conditions, proof, example }
        });
        let verdict = AccessVerdict {
            grows: self.grows,
            public: self.public,
            not_checked: self.unchecked.sentences(),
            all_told: self.all_told,
        };
        (entries.collect(), verdict)
    }

    /// A desired bucket of which nothing can be said.
    pub(super) fn not_compared(&mut self, root: &RootAddress) {
        self.public = self.public.max(Answer::CannotTell);
        self.unchecked.of("everything", root);
    }

    /// Somebody may gain what is not listed.
    fn doubt(&mut self) {
        self.all_told = false;
        self.grows = self.grows.max(Answer::CannotTell);
    }

    pub(super) fn bucket(&mut self, ends: &BucketEnds<'_>) {
        let none = Policy::empty().document;
        match (&ends.before, &ends.after) {
            (Some(before), None) => match &before.policy {
                Some(policy) => self.gone(ends.address, Guarded::Bucket, policy),
                None => self.unchecked.of("policy", ends.address),
            },
            (None, Some(after)) => {
                let born = BucketEnd {
                    policy: Some(none),
                    block: Some(PublicAccessBlock::ALL),
                    acls_off: Some(true),
                };
                self.loosened(ends, &born, after);
                if let (Some(old), Some(new)) = (&born.policy, &after.policy) {
                    let pair = Pair { born: true, ..pair(&born, after, old, new) };
                    self.compared(ends.address, ends.name, Guarded::Bucket, &pair);
                }
            }
            (Some(before), Some(after)) => self.kept(ends, before, after),
            (None, None) => {}
        }
        if let Some(after) = ends.after.as_ref().filter(|_| ends.desired) {
            self.publicity(ends.address, after);
        }
    }

    fn kept(&mut self, ends: &BucketEnds<'_>, before: &BucketEnd, after: &BucketEnd) {
        self.loosened(ends, before, after);
        if ends.leaves_key {
            // Whom the bucket lets in and the key kept out may read what is written from now on.
            self.doubt();
            self.unchecked.of("whom the former key kept out", ends.address);
        }
        if !ends.writes_policy && !ends.writes_block {
            return;
        }
        match (&before.policy, &after.policy) {
            (Some(old), Some(new)) => {
                let restricts = |end: &BucketEnd| end.block.map(|block| block.restrict_public_buckets);
                // Spelling is not access, and a block matters to public policies alone.
                if old.equals(new) && (restricts(before) == restricts(after) || !is_public(old).is_public()) {
                    return;
                }
                self.compared(
                    ends.address,
                    ends.name,
                    Guarded::Bucket,
                    &Pair { one_block: !ends.writes_block, ..pair(before, after, old, new) },
                );
            }
            (None, Some(new)) => {
                self.unchecked.of("policy", ends.address);
                self.unread(ends.address, Guarded::Bucket, new);
            }
            // Nobody comes in because others are cut off.
            (_, None) => {
                self.unchecked.of("policy", ends.address);
                let on = |end: &BucketEnd| end.block.is_some_and(|block| block.restrict_public_buckets);
                if !on(after) {
                    self.doubt();
                }
            }
        }
    }

    /// What the comparison of policies does not see.
    fn loosened(&mut self, ends: &BucketEnds<'_>, before: &BucketEnd, after: &BucketEnd) {
        let acls_on = after.acls_off != Some(true);
        let mut acls = ends.writes_ownership && acls_on && before.acls_off != Some(false);
        if let Some(new) = after.block.filter(|_| ends.writes_block) {
            let goes_off = |setting: fn(&PublicAccessBlock) -> bool| {
                !setting(&new) && before.block.is_none_or(|old| setting(&old))
            };
            acls |=
                acls_on && (goes_off(|one| one.ignore_public_acls) || goes_off(|one| one.block_public_acls));
            if goes_off(|one| one.block_public_policy) {
                self.doubt();
                self.unchecked.of("later public policies", ends.address);
            }
        }
        if acls {
            self.doubt();
            self.unchecked.of("ACLs", ends.address);
        }
    }

    /// Whether a bucket is public at the end: by its policy, or by ACLs.
    fn publicity(&mut self, root: &RootAddress, end: &BucketEnd) {
        let restricts = end.block.map(|block| block.restrict_public_buckets);
        let by_policy = match (&end.policy, restricts) {
            (None, _) => Answer::CannotTell,
            (Some(policy), _) if !is_public(policy).is_public() => Answer::No,
            (Some(_), Some(true)) => Answer::No,
            (Some(_), Some(false)) => Answer::Yes,
            (Some(_), None) => Answer::CannotTell,
        };
        if end.acls_off == Some(false) {
            self.unchecked.of("ACLs", root);
        }
        let ignored = end.block.is_some_and(|block| block.ignore_public_acls);
        let by_acl = if end.acls_off == Some(true) || ignored { Answer::No } else { Answer::CannotTell };
        let unread: Vec<&str> = [
            (end.policy.is_none(), "policy"),
            (end.block.is_none(), "public access block"),
            (end.acls_off.is_none(), "ownership"),
        ]
        .iter()
        .filter_map(|(unread, what)| unread.then_some(*what))
        .collect();
        let by_reading = if unread.is_empty() { Answer::No } else { Answer::CannotTell };
        for what in unread {
            self.unchecked.of(what, root);
        }
        self.public = self.public.max(by_policy).max(by_acl).max(by_reading);
    }

    pub(super) fn key(&mut self, ends: &KeyEnds<'_>) {
        let (root, guarded) = (ends.address, Guarded::Key);
        match (&ends.before, &ends.after) {
            (Some(before), None) => match &before.policy {
                Some(policy) => self.gone(root, guarded, policy),
                None => self.unchecked.of("policy", root),
            },
            (None, Some(after)) => {
                let born = match (&self.account, ends.partition) {
                    (Some(account), Some(partition)) => born_with(account, partition),
                    _ => Policy::empty().document,
                };
                if let Some(new) = &after.policy {
                    self.compared(root, "", guarded, &Pair { born: true, ..plain(&born, new) });
                }
            }
            (Some(before), Some(after)) => {
                let woken = after.enabled && !before.enabled;
                match (&before.policy, &after.policy) {
                    _ if woken => match &after.policy {
                        Some(new) => self.unread(root, guarded, new),
                        None => {
                            self.unchecked.of("policy", root);
                            self.doubt();
                        }
                    },
                    (Some(old), Some(new)) if old.equals(new) => return,
                    (Some(old), Some(new)) => self.compared(root, "", guarded, &plain(old, new)),
                    (None, Some(new)) => {
                        self.unchecked.of("policy", root);
                        self.unread(root, guarded, new);
                    }
                    // Known before, and now nobody may look: whoever it lets in.
                    (Some(_), None) => {
                        self.unchecked.of("policy", root);
                        self.doubt();
                    }
                    (None, None) => return,
                }
                self.unchecked.of("KMS grants", root);
            }
            (None, None) => {}
        }
    }

    /// Other teams' statements: as recorded, and as they are.
    pub(super) fn foreign(&mut self, root: &RootAddress, name: &str, recorded: &Document, live: &Document) {
        self.compared(root, name, Guarded::Bucket, &plain(recorded, live));
    }

    /// Two documents that were both read.
    fn compared(&mut self, root: &RootAddress, name: &str, guarded: Guarded, pair: &Pair<'_>) {
        let account = self.account.as_ref();
        let shape = shape(name, guarded, pair);
        let outcome = match self.known.get(&shape) {
            Some((known, outcome)) => outcome.renamed(known, name),
            None => compared(account, guarded, pair),
        };
        if outcome.grows != Answer::No {
            self.unchecked.delegations(pair.new, root);
        }
        self.grows = self.grows.max(outcome.grows);
        match &outcome.doubt {
            // It may hang on the very name.
            Some(reason) => {
                self.all_told = false;
                self.unchecked.of(format!("policy ({reason})"), root);
            }
            None => {
                self.known.entry(shape).or_insert_with(|| (name.to_owned(), outcome.clone()));
            }
        }
        self.enter(root, outcome.entries);
    }

    /// A new document where the old one is not known: all that it gives may be new.
    fn unread(&mut self, root: &RootAddress, guarded: Guarded, new: &Document) {
        self.doubt();
        self.unchecked.delegations(new, root);
        self.enter(root, given(self.account.as_ref(), guarded, new));
    }

    /// A root that goes.
    fn gone(&mut self, root: &RootAddress, guarded: Guarded, old: &Document) {
        self.enter(root, all_lost(self.account.as_ref(), guarded, old));
    }

    fn enter(&mut self, root: &RootAddress, entries: Vec<Entry>) {
        for entry in entries {
            let Entry { principal, class, lost, actions, conditions, proof, example } = entry;
            let place = (root.clone(), principal, class, lost, conditions, proof);
            // A key's policy speaks of the key it hangs on, whatever resource a request names.
            let example = example.map(|example| match class {
                ResourceClass::Key => Example { resource: root.to_string(), ..example },
                _ => example,
            });
            let (all, shown) = self.entries.entry(place).or_default();
            all.extend(actions);
            *shown = shown.take().or(example);
        }
    }
}

fn plain<'a>(old: &'a Document, new: &'a Document) -> Pair<'a> {
    Pair { old, new, old_restricts: Some(false), new_restricts: Some(false), one_block: true, born: false }
}

fn pair<'a>(before: &BucketEnd, after: &BucketEnd, old: &'a Document, new: &'a Document) -> Pair<'a> {
    let restricts = |end: &BucketEnd| end.block.map(|block| block.restrict_public_buckets);
    Pair {
        old,
        new,
        old_restricts: restricts(before),
        new_restricts: restricts(after),
        one_block: false,
        born: false,
    }
}

/// What an account has on a key that it makes: AWS's own default key policy. That is no news on a key that the plan
/// makes.
///
/// Source: KMS developer guide, "Default key policy".
fn born_with(account: &AccountId, partition: Partition) -> Document {
    Document::new(vec![Statement {
        sid: None,
        effect: Effect::Allow,
        principal: Some(PrincipalElement::Is(Principals::aws([account.root_arn(partition).to_string()]))),
        action: ActionElement::Is(vec!["kms:*".to_owned()]),
        resource: Some(ResourceElement::Is(vec!["*".to_owned()])),
        condition: BTreeMap::new(),
    }])
}
