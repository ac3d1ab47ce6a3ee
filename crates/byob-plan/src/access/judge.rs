//! The judgement: both ends of each root compared, the answers put together. Never wrong towards "no": where a public
//! access block plays a part, the old end counts with the least it may give, the new one with the most.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::RootAddress;
use byob_model::kind::{Policy, PublicAccessBlock};
use byob_policy::{
    AccountId, ActionElement, Change, Document, Effect, Guarded, Owner, Partition, PrincipalElement,
    Principals, ResourceClass, ResourceElement, Statement, Verdict, Witness, changes, compare,
    conditions_in_words, cut_off, is_public,
};

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
    pub(super) unchecked: Unchecked,
}

/// Two documents beside their public access blocks.
struct Pair<'a> {
    old: &'a Document,
    new: &'a Document,
    /// `RestrictPublicBuckets` on either side; `None`: not known.
    old_restricts: Option<bool>,
    new_restricts: Option<bool>,
}

impl Judge {
    pub(super) fn new(account: &str) -> Self {
        Self {
            account: account.parse().ok(),
            entries: BTreeMap::new(),
            grows: Answer::No,
            public: Answer::No,
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
        let verdict =
            AccessVerdict { grows: self.grows, public: self.public, not_checked: self.unchecked.sentences() };
        (entries.collect(), verdict)
    }

    /// A desired bucket of which nothing can be said.
    pub(super) fn not_compared(&mut self, root: &RootAddress) {
        self.public = self.public.max(Answer::CannotTell);
        self.unchecked.of("everything", root);
    }

    fn grows(&mut self, answer: Answer) {
        self.grows = self.grows.max(answer);
    }

    pub(super) fn bucket(&mut self, ends: &BucketEnds<'_>) {
        let none = Policy::empty().document;
        match (&ends.before, &ends.after) {
            (Some(before), None) => match &before.policy {
                Some(policy) => self.all_lost(ends.address, Guarded::Bucket, policy),
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
                    self.compared(ends.address, Guarded::Bucket, &pair(&born, after, old, new), true);
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
                self.compared(ends.address, Guarded::Bucket, &pair(before, after, old, new), false);
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
                    self.grows(Answer::CannotTell);
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
                self.grows(Answer::CannotTell);
                self.unchecked.of("public policies that somebody may from now on put", ends.address);
            }
        }
        if acls {
            self.grows(Answer::CannotTell);
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
                Some(policy) => self.all_lost(root, guarded, policy),
                None => self.unchecked.of("policy", root),
            },
            (None, Some(after)) => {
                let born = match (&self.account, ends.partition) {
                    (Some(account), Some(partition)) => born_with(account, partition),
                    _ => Policy::empty().document,
                };
                if let Some(new) = &after.policy {
                    self.compared(root, guarded, &plain(&born, new), true);
                }
            }
            (Some(before), Some(after)) => {
                let woken = after.enabled && !before.enabled;
                match (&before.policy, &after.policy) {
                    _ if woken => match &after.policy {
                        Some(new) => self.unread(root, guarded, new),
                        None => {
                            self.unchecked.of("policy", root);
                            self.grows(Answer::CannotTell);
                        }
                    },
                    (Some(old), Some(new)) if old.equals(new) => return,
                    (Some(old), Some(new)) => self.compared(root, guarded, &plain(old, new), false),
                    (None, Some(new)) => {
                        self.unchecked.of("policy", root);
                        self.unread(root, guarded, new);
                    }
                    (_, None) => return,
                }
                self.unchecked.of("KMS grants", root);
            }
            (None, None) => {}
        }
    }

    /// Other teams' statements: as recorded, and as they are.
    pub(super) fn foreign(&mut self, root: &RootAddress, recorded: &Document, live: &Document) {
        self.compared(root, Guarded::Bucket, &plain(recorded, live), false);
    }

    fn owner(&self, guarded: Guarded) -> Owner {
        Owner { guarded, account: self.account.clone() }
    }

    /// Two documents that were both read. Nobody loses anything by a root that is new.
    fn compared(&mut self, root: &RootAddress, guarded: Guarded, pair: &Pair<'_>, new: bool) {
        let owner = self.owner(guarded);
        let (least, was) = self.under_block(pair.old, pair.old_restricts);
        let (rest, is) = self.under_block(pair.new, pair.new_restricts);
        let verdict = compare(&least, pair.new, &owner);
        if new && verdict == Verdict::Within {
            return;
        }
        self.unchecked.delegations(pair.new, root);
        let told = |new: &Document| back_in(changes(&least, new, &owner), pair.old, &least);
        let may = told(pair.new);
        // With the settings as they really are; nothing is sure where they are not known.
        let sure = match (was, is) {
            (true, true) if rest == *pair.new => may.clone(),
            (true, true) => narrowed(told(&rest)),
            _ => Vec::new(),
        };
        let shown = self.gains(root, &may, &sure);
        let losses = if was && is { sure } else { doubted(changes(pair.old, &rest, &owner)) };
        if !new {
            for change in losses.iter().filter(|change| !change.lost.is_empty()) {
                let proof = match change.proof {
                    _ if pair.new.is_empty() => Proof::Proved,
                    byob_policy::Proof::Witness => Proof::Witness,
                    byob_policy::Proof::CannotTell => Proof::CannotTell,
                };
                self.enter(root, change, true, &change.lost, proof);
            }
        }
        match verdict {
            Verdict::Within => {}
            Verdict::Beyond(_) if shown => self.grows(Answer::Yes),
            Verdict::Beyond(witness) if may.iter().all(|change| change.gained.is_empty()) => {
                self.unlisted(root, &witness, was && is && rest == *pair.new);
            }
            Verdict::Beyond(_) => self.grows(Answer::CannotTell),
            Verdict::CannotTell { reason } => {
                self.unchecked.of(format!("policy ({reason})"), root);
                self.grows(if shown { Answer::Yes } else { Answer::CannotTell });
            }
        }
    }

    /// What a policy gives at least beside `RestrictPublicBuckets`, and whether that is what it really gives.
    fn under_block(&self, policy: &Document, restricts: Option<bool>) -> (Document, bool) {
        if restricts == Some(false) || !is_public(policy).is_public() {
            return (policy.clone(), true);
        }
        let cut = self.account.as_ref().map_or_else(|| Policy::empty().document, |own| cut_off(policy, own));
        (cut, restricts.is_some())
    }

    /// Enters what may be gained; whether any of it is sure.
    fn gains(&mut self, root: &RootAddress, may: &[Change], sure: &[Change]) -> bool {
        let mut shown = false;
        for change in may.iter().filter(|change| !change.gained.is_empty()) {
            let same = |other: &&Change| {
                other.principal == change.principal
                    && other.class == change.class
                    && other.proof == byob_policy::Proof::Witness
            };
            let mut doubtful = change.gained.clone();
            for other in sure.iter().filter(same) {
                let certain: Vec<&'static str> =
                    other.gained.iter().copied().filter(|action| change.gained.contains(action)).collect();
                doubtful.retain(|action| !certain.contains(action));
                shown |= !certain.is_empty();
                self.enter(root, other, false, &certain, Proof::Witness);
            }
            self.enter(root, change, false, &doubtful, Proof::CannotTell);
        }
        // Whether a document that cannot be compared gives anything is not known either.
        for change in may.iter().filter(|change| change.gained.is_empty() && change.lost.is_empty()) {
            self.place(root, change, false, Proof::CannotTell);
        }
        shown
    }

    /// New access by an action that the table of real ones does not have.
    fn unlisted(&mut self, root: &RootAddress, witness: &Witness, sure: bool) {
        let (answer, proof) =
            if sure { (Answer::Yes, Proof::Witness) } else { (Answer::CannotTell, Proof::CannotTell) };
        self.grows(answer);
        let request = &witness.request;
        let class =
            match (self.owner(witness.circumstances.guarded).guarded, request.resource().contains('/')) {
                (Guarded::Key, _) => ResourceClass::Key,
                (Guarded::Bucket, true) => ResourceClass::Objects,
                (Guarded::Bucket, false) => ResourceClass::Bucket,
            };
        let place = (root.clone(), request.principal().to_string(), class, false, Vec::new(), proof);
        let (actions, _) = self.entries.entry(place).or_default();
        actions.insert(request.action().to_owned());
    }

    /// A new document where the old one is not known: all that it gives may be new.
    fn unread(&mut self, root: &RootAddress, guarded: Guarded, new: &Document) {
        self.grows(Answer::CannotTell);
        self.unchecked.delegations(new, root);
        let given = changes(&Policy::empty().document, new, &self.owner(guarded));
        self.gains(root, &given, &[]);
    }

    /// A root that goes.
    fn all_lost(&mut self, root: &RootAddress, guarded: Guarded, old: &Document) {
        let told = changes(old, &Policy::empty().document, &self.owner(guarded));
        for change in told.iter().filter(|change| !change.lost.is_empty()) {
            self.enter(root, change, true, &change.lost, Proof::Proved);
        }
    }

    fn enter(
        &mut self,
        root: &RootAddress,
        change: &Change,
        lost: bool,
        actions: &[&'static str],
        proof: Proof,
    ) {
        if actions.is_empty() {
            return;
        }
        let (all, example) = self.place(root, change, lost, proof);
        all.extend(actions.iter().map(|&action| action.to_owned()));
        if proof == Proof::Witness && example.is_none() {
            *example = change.witness.as_ref().map(|witness| Example {
                who: witness.request.principal().to_string(),
                action: witness.request.action().to_owned(),
                resource: witness.request.resource().to_owned(),
            });
        }
    }

    fn place(
        &mut self,
        root: &RootAddress,
        change: &Change,
        lost: bool,
        proof: Proof,
    ) -> &mut (BTreeSet<String>, Option<Example>) {
        let mut conditions = change.conditions.clone();
        conditions.extend((!lost).then(|| no_longer(&change.lifted)).flatten());
        let place = (root.clone(), change.principal.clone(), change.class, lost, conditions, proof);
        self.entries.entry(place).or_default()
    }
}

fn plain<'a>(old: &'a Document, new: &'a Document) -> Pair<'a> {
    Pair { old, new, old_restricts: Some(false), new_restricts: Some(false) }
}

fn pair<'a>(before: &BucketEnd, after: &BucketEnd, old: &'a Document, new: &'a Document) -> Pair<'a> {
    let restricts = |end: &BucketEnd| end.block.map(|block| block.restrict_public_buckets);
    Pair { old, new, old_restricts: restricts(before), new_restricts: restricts(after) }
}

/// Under `RestrictPublicBuckets`, whom "anyone" stands for.
fn narrowed(mut changes: Vec<Change>) -> Vec<Change> {
    for change in changes.iter_mut().filter(|change| change.principal == "*" && !change.gained.is_empty()) {
        change.conditions.push("only for this account and AWS services (RestrictPublicBuckets)".to_owned());
    }
    changes
}

/// Of those whom `RestrictPublicBuckets` cut off at the old end, that in place of the conditions that stood for it.
fn back_in(mut changes: Vec<Change>, old: &Document, least: &Document) -> Vec<Change> {
    let Some(cut) = least.statements.get(old.statements.len()) else { return changes };
    let words = conditions_in_words(&cut.condition);
    for change in changes.iter_mut().filter(|one| words.iter().all(|word| one.lifted.contains(word))) {
        change.lifted.retain(|word| !words.contains(word));
        change.conditions.push("no longer cut off by RestrictPublicBuckets".to_owned());
    }
    changes
}

fn doubted(mut changes: Vec<Change>) -> Vec<Change> {
    changes.iter_mut().for_each(|change| change.proof = byob_policy::Proof::CannotTell);
    changes
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

/// What a Deny that fell away asked for: of a single condition the reverse, else what it refused.
fn no_longer(lifted: &[String]) -> Option<String> {
    let [one] = lifted else {
        return (!lifted.is_empty()).then(|| format!("no longer denied: {}", lifted.join(", and ")));
    };
    let reverse = match one.as_str() {
        "only without TLS" => Some("only over TLS".to_owned()),
        "only over TLS" => Some("only without TLS".to_owned()),
        _ => None,
    };
    Some(match reverse {
        Some(reverse) => format!("no longer: {reverse}"),
        None => format!("no longer denied: {one}"),
    })
}
