//! Two documents beside their public access blocks, compared: a pure function from both to what is gained and lost. Where
//! a block plays a part, the old side counts with the least that it may give, and the new one with the most; a block that
//! is not known and stays as it is counts as off on both sides, and as on on both.

use std::collections::BTreeMap;

use byob_model::kind::Policy;
use byob_policy::{
    AccountId, Change, Document, Guarded, Owner, Proof as Shown, ResourceClass, ResourceElement, Statement,
    Verdict, Witness, changes, conditions_in_words, cut_off, is_public, judge,
};

use super::{Answer, Example, Proof};

/// Two documents beside their public access blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair<'a> {
    pub old: &'a Document,
    pub new: &'a Document,
    /// `RestrictPublicBuckets` on either side; `None`: not known.
    pub old_restricts: Option<bool>,
    pub new_restricts: Option<bool>,
    /// No step changes the block: whatever it is, it is the same on both sides.
    pub one_block: bool,
    /// The root is new: nobody loses anything by it.
    pub born: bool,
}

/// What comparing came to.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub entries: Vec<Entry>,
    pub grows: Answer,
    /// Why the documents could not be compared.
    pub doubt: Option<String>,
}

/// What one principal gains or loses on one class of resources.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub principal: String,
    pub class: ResourceClass,
    pub lost: bool,
    pub actions: Vec<String>,
    pub conditions: Vec<String>,
    pub proof: Proof,
    pub example: Option<Example>,
}

impl Entry {
    fn of(change: &Change, lost: bool, actions: Vec<&'static str>, proof: Proof) -> Self {
        let mut conditions = change.conditions.clone();
        conditions.extend(if lost { now_denied(&change.lifted) } else { no_longer(&change.lifted) });
        let example = change.witness.as_ref().filter(|_| proof == Proof::Witness);
        Self {
            principal: change.principal.clone(),
            class: change.class,
            lost,
            actions: actions.into_iter().map(str::to_owned).collect(),
            conditions,
            proof,
            example: example.map(|witness| example_of(witness)),
        }
    }
}

fn example_of(witness: &Witness) -> Example {
    Example {
        who: witness.request.principal().to_string(),
        action: witness.request.action().to_owned(),
        resource: witness.request.resource().to_owned(),
    }
}

/// Compares them.
pub(super) fn compared(account: Option<&AccountId>, guarded: Guarded, pair: &Pair<'_>) -> Outcome {
    if pair.one_block && pair.old_restricts.is_none() && pair.new_restricts.is_none() {
        let under = |on| Pair { old_restricts: Some(on), new_restricts: Some(on), ..*pair };
        let off = compared(account, guarded, &under(false));
        // What is public for the same reason at both ends is cut off at both, or, where S3 thinks otherwise, at neither.
        let on = if public_part(pair.old).equals(&public_part(pair.new)) {
            let cut = |document| under_block(account, document, Some(true)).0;
            let (old, new) = (cut(pair.old), cut(pair.new));
            let mut on = compared(account, guarded, &Pair { old: &old, new: &new, ..under(false) });
            on.entries.iter_mut().filter(|one| one.principal == "*" && !one.lost).for_each(|entry| {
                entry.conditions.push(ONLY_ACCOUNT.to_owned());
            });
            on
        } else {
            compared(account, guarded, &under(true))
        };
        return either(off, on);
    }
    let owner = Owner { guarded, account: account.cloned() };
    let (least, was) = under_block(account, pair.old, pair.old_restricts);
    let (rest, is) = under_block(account, pair.new, pair.new_restricts);
    let (verdict, of_new) = judge(&least, pair.new, &owner);
    if pair.born && verdict == Verdict::Within {
        return Outcome { entries: Vec::new(), grows: Answer::No, doubt: None };
    }
    let back = |told: Vec<Change>| back_in(told, pair.old, &least);
    let may = back(of_new);
    // With the settings as they really are; nothing is sure where they are not known.
    let sure = match (was, is) {
        (true, true) if rest == *pair.new => may.clone(),
        (true, true) => narrowed(back(changes(&least, &rest, &owner))),
        _ => Vec::new(),
    };
    let mut entries = gains(&may, &sure);
    let shown = entries.iter().any(|entry| entry.proof == Proof::Witness);
    let listed = !entries.is_empty();
    if !pair.born {
        entries.extend(if was && is {
            losses(&sure, pair.new.is_empty())
        } else {
            losses(&doubted(changes(pair.old, &rest, &owner)), false)
        });
    }
    let (grows, doubt) = match verdict {
        Verdict::Within => (Answer::No, None),
        Verdict::Beyond(_) if shown => (Answer::Yes, None),
        Verdict::Beyond(_) if listed => (Answer::CannotTell, None),
        Verdict::Beyond(witness) => {
            let sure = was && is && rest == *pair.new;
            entries.push(unlisted(&witness, sure));
            (if sure { Answer::Yes } else { Answer::CannotTell }, None)
        }
        Verdict::CannotTell { reason } => {
            (if shown { Answer::Yes } else { Answer::CannotTell }, Some(reason))
        }
    };
    Outcome { entries, grows, doubt }
}

/// What is so in one of two worlds, and it is not known in which we are: sure is what is so in both.
fn either(one: Outcome, other: Outcome) -> Outcome {
    type Place = (String, ResourceClass, bool, Vec<String>);
    type Told = (BTreeMap<String, [Option<Proof>; 2]>, [Option<Example>; 2]);
    let grows = if one.grows == other.grows { one.grows } else { Answer::CannotTell };
    let mut told: BTreeMap<Place, Told> = BTreeMap::new();
    for (world, entries) in [one.entries, other.entries].into_iter().enumerate() {
        for entry in entries {
            let place = (entry.principal, entry.class, entry.lost, entry.conditions);
            let (actions, examples) = told.entry(place).or_default();
            for action in entry.actions {
                actions.entry(action).or_default()[world] = Some(entry.proof);
            }
            examples[world] = examples[world].take().or(entry.example);
        }
    }
    let mut entries = Vec::new();
    for ((principal, class, lost, conditions), (actions, [example, other])) in told {
        let example = example.filter(|example| other.as_ref() == Some(example));
        let mut by_proof: BTreeMap<Proof, Vec<String>> = BTreeMap::new();
        for (action, proofs) in &actions {
            let proof = proofs.iter().map(|proof| proof.unwrap_or(Proof::CannotTell)).max();
            by_proof.entry(proof.unwrap_or(Proof::CannotTell)).or_default().push(action.clone());
        }
        if actions.is_empty() {
            by_proof.insert(Proof::CannotTell, Vec::new());
        }
        entries.extend(by_proof.into_iter().map(|(proof, actions)| Entry {
            principal: principal.clone(),
            class,
            lost,
            actions,
            conditions: conditions.clone(),
            proof,
            example: example.clone().filter(|_| proof == Proof::Witness),
        }));
    }
    Outcome { entries, grows, doubt: one.doubt.or(other.doubt) }
}

/// A new document where the old one is not known: all that it gives may be new.
pub(super) fn given(account: Option<&AccountId>, guarded: Guarded, new: &Document) -> Vec<Entry> {
    let owner = Owner { guarded, account: account.cloned() };
    gains(&changes(&Policy::empty().document, new, &owner), &[])
}

/// A root that goes, with all that its policy gave.
pub(super) fn all_lost(account: Option<&AccountId>, guarded: Guarded, old: &Document) -> Vec<Entry> {
    let owner = Owner { guarded, account: account.cloned() };
    losses(&changes(old, &Policy::empty().document, &owner), true)
}

/// What a policy gives at least beside `RestrictPublicBuckets`, and whether that is what it really gives.
pub(super) fn under_block(
    account: Option<&AccountId>,
    policy: &Document,
    restricts: Option<bool>,
) -> (Document, bool) {
    if restricts == Some(false) || !is_public(policy).is_public() {
        return (policy.clone(), true);
    }
    let cut = account.map_or_else(|| Policy::empty().document, |own| cut_off(policy, own));
    (cut, restricts.is_some())
}

/// What may be gained, and what of it is sure.
fn gains(may: &[Change], sure: &[Change]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for change in may.iter().filter(|change| !change.gained.is_empty()) {
        let mut doubtful = change.gained.clone();
        let same = |other: &&Change| {
            other.principal == change.principal
                && other.class == change.class
                && other.proof == Shown::Witness
        };
        for other in sure.iter().filter(same) {
            let is_told = |action: &&str| change.gained.contains(action);
            let certain: Vec<&'static str> = other.gained.iter().copied().filter(is_told).collect();
            doubtful.retain(|action| !certain.contains(action));
            entries.push(Entry::of(other, false, certain, Proof::Witness));
        }
        entries.push(Entry::of(change, false, doubtful, Proof::CannotTell));
    }
    entries.retain(|entry| !entry.actions.is_empty());
    // Whether a document that cannot be compared gives anything is not known either.
    let nothing = may.iter().filter(|change| change.gained.is_empty() && change.lost.is_empty());
    entries.extend(nothing.map(|change| Entry::of(change, false, Vec::new(), Proof::CannotTell)));
    entries
}

/// What is lost; all of it where nothing is left.
fn losses(told: &[Change], all: bool) -> Vec<Entry> {
    let proof = |change: &Change| match change.proof {
        Shown::Witness if all => Proof::Proved,
        Shown::Witness => Proof::Witness,
        Shown::CannotTell => Proof::CannotTell,
    };
    let lost = told.iter().filter(|change| !change.lost.is_empty());
    lost.map(|change| Entry::of(change, true, change.lost.clone(), proof(change))).collect()
}

/// New access by an action that the table of real ones does not have.
fn unlisted(witness: &Witness, sure: bool) -> Entry {
    let request = &witness.request;
    let object = request.resource().splitn(6, ':').nth(5).is_some_and(|name| name.contains('/'));
    let class = match (witness.circumstances.guarded, object) {
        (Guarded::Key, _) => ResourceClass::Key,
        (Guarded::Bucket, true) => ResourceClass::Objects,
        (Guarded::Bucket, false) => ResourceClass::Bucket,
    };
    Entry {
        principal: request.principal().to_string(),
        class,
        lost: false,
        actions: vec![request.action().to_owned()],
        conditions: Vec::new(),
        proof: if sure { Proof::Witness } else { Proof::CannotTell },
        example: sure.then(|| example_of(witness)),
    }
}

/// Whether words of a change's conditions say what is different after it, and not what has to hold for it.
pub(super) fn is_of_change(words: &str) -> bool {
    words == NOT_CUT_OFF
        || [NOW_DENIED, NO_LONGER, NO_LONGER_DENIED].iter().any(|start| words.starts_with(start))
}

const NOT_CUT_OFF: &str = "no longer cut off by RestrictPublicBuckets";
const NOW_DENIED: &str = "now denied: ";
const NO_LONGER: &str = "no longer: ";
const NO_LONGER_DENIED: &str = "no longer denied: ";

/// Whom "anyone" stands for under `RestrictPublicBuckets`.
const ONLY_ACCOUNT: &str = "only for this account and AWS services (RestrictPublicBuckets)";

/// The statements for which S3 may call a policy public.
fn public_part(document: &Document) -> Document {
    let alone = |one: &Statement| Document { statements: vec![one.clone()], ..document.clone() };
    let public = document.statements.iter().filter(|one| is_public(&alone(one)).is_public());
    Document { statements: public.cloned().collect(), ..document.clone() }
}

fn narrowed(mut changes: Vec<Change>) -> Vec<Change> {
    for change in changes.iter_mut().filter(|change| change.principal == "*" && !change.gained.is_empty()) {
        change.conditions.push(ONLY_ACCOUNT.to_owned());
    }
    changes
}

/// Of those whom `RestrictPublicBuckets` cut off at the old end, that in place of the conditions that stood for it.
fn back_in(mut changes: Vec<Change>, old: &Document, least: &Document) -> Vec<Change> {
    let Some(cut) = least.statements.get(old.statements.len()) else { return changes };
    let words = conditions_in_words(&cut.condition).join(", and ");
    for change in changes.iter_mut().filter(|one| one.lifted.contains(&words)) {
        change.lifted.retain(|word| *word != words);
        change.conditions.push(NOT_CUT_OFF.to_owned());
    }
    changes
}

fn doubted(mut changes: Vec<Change>) -> Vec<Change> {
    changes.iter_mut().for_each(|change| change.proof = Shown::CannotTell);
    changes
}

/// Of what is lost to a new Deny: what that one refuses. All else goes on.
fn now_denied(fallen: &[String]) -> Option<String> {
    (!fallen.is_empty()).then(|| format!("{NOW_DENIED}{}", fallen.join("; and: ")))
}

/// What a Deny that fell away asked for: of a single condition the reverse, else what it refused.
fn no_longer(lifted: &[String]) -> Option<String> {
    let [one] = lifted else {
        return (!lifted.is_empty()).then(|| format!("{NO_LONGER_DENIED}{}", lifted.join("; nor: ")));
    };
    let reverse = match one.as_str() {
        "only without TLS" => Some("only over TLS".to_owned()),
        "only over TLS" => Some("only without TLS".to_owned()),
        _ => None,
    };
    Some(match reverse {
        Some(reverse) => format!("{NO_LONGER}{reverse}"),
        None => format!("{NO_LONGER_DENIED}{one}"),
    })
}

/// The pair with the bucket's name taken out of it, where that is sound: buckets of one shape have one outcome, and a
/// plan of a thousand buckets compares a few. Names are taken out where all resources are this bucket or in it, so that
/// no pattern can tell one name from another.
pub(super) fn shape(name: &str, guarded: Guarded, pair: &Pair<'_>) -> String {
    let mut documents = [pair.old.clone(), pair.new.clone()];
    let mut named: Vec<&mut String> = Vec::new();
    let mut all = guarded == Guarded::Bucket && !name.is_empty();
    for statement in documents.iter_mut().flat_map(|document| &mut document.statements) {
        let Some(ResourceElement::Is(values) | ResourceElement::Not(values)) = &mut statement.resource else {
            all = false;
            continue;
        };
        for value in values {
            all &= of_bucket(value, name).is_some();
            named.push(value);
        }
    }
    if all {
        for value in named {
            if let Some((start, rest)) = of_bucket(value, name) {
                *value = format!("{start}\u{0}{rest}");
            }
        }
    }
    let [old, new] = documents.map(|document| document.to_json());
    let settings = (guarded, pair.old_restricts, pair.new_restricts, pair.one_block, pair.born);
    format!("{settings:?} {old} {new}")
}

/// An ARN of this bucket, or in it, without the name.
fn of_bucket<'a>(arn: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let at = arn.find(":::")? + 3;
    let (start, rest) = (arn.get(..at)?, arn.get(at..)?.strip_prefix(name)?);
    (rest.is_empty() || rest.starts_with('/')).then_some((start, rest))
}

impl Outcome {
    /// The same outcome for another bucket of the same shape.
    pub(super) fn renamed(&self, from: &str, to: &str) -> Self {
        let mut outcome = self.clone();
        for example in outcome.entries.iter_mut().filter_map(|entry| entry.example.as_mut()) {
            if let Some((start, rest)) = of_bucket(&example.resource, from) {
                example.resource = format!("{start}{to}{rest}");
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use byob_policy::{Circumstances, Identity, Request, evaluate};
    use serde_json::json;

    use super::*;

    fn shape_of(name: &str, resources: &[String]) -> String {
        let new = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*",
            "Action": "s3:GetObject", "Resource": resources}});
        let (old, new) = (Policy::empty().document, Document::from_value(&new).unwrap());
        let pair = Pair {
            old: &old,
            new: &new,
            old_restricts: None,
            new_restricts: None,
            one_block: false,
            born: true,
        };
        shape(name, Guarded::Bucket, &pair)
    }

    #[test]
    fn a_name_is_taken_out_only_where_no_pattern_can_tell_it_from_another() {
        let own = |name: &str| vec![format!("arn:aws:s3:::{name}"), format!("arn:aws:s3:::{name}/*")];
        assert_eq!(shape_of("a", &own("a")), shape_of("ab", &own("ab")));
        assert_ne!(shape_of("a", &own("a")), shape_of("ab", &own("a")));
        let near = |name: &str| [own(name), vec!["arn:aws:s3:::a*".to_owned()]].concat();
        assert_ne!(shape_of("a", &near("a")), shape_of("b", &near("b")));
        let any = |name: &str| [own(name), vec!["*".to_owned()]].concat();
        assert_ne!(shape_of("a", &any("a")), shape_of("b", &any("b")));
    }

    #[test]
    fn what_fell_away_is_said_as_what_need_not_be_any_more() {
        let said = |lifted: &[&str]| no_longer(&lifted.iter().map(|&one| one.to_owned()).collect::<Vec<_>>());
        assert_eq!(said(&[]), None);
        assert_eq!(said(&["only without TLS"]).as_deref(), Some("no longer: only over TLS"));
        assert_eq!(said(&["not from 10.0.0.0/8"]).as_deref(), Some("no longer denied: not from 10.0.0.0/8"));
        assert_eq!(said(&["x", "y"]).as_deref(), Some("no longer denied: x; nor: y"));
    }

    /// Statements that differ in who, in what and in when.
    fn pool() -> Vec<Statement> {
        let on = "arn:aws:s3:::b/*";
        [
            json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": on}),
            json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::222222222222:role/w"},
                "Action": ["s3:GetObject", "s3:PutObject"], "Resource": on}),
            json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:role/r"},
                "Action": "s3:PutObject", "Resource": on}),
            json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": on,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}}}),
        ]
        .iter()
        .map(|one| Statement::from_value(one).unwrap())
        .collect()
    }

    /// What is let through under a block, of every request that the pool can tell from another.
    fn let_through(document: &Document, restricts: bool, own: &AccountId) -> Vec<bool> {
        let mut all = Vec::new();
        for who in [
            "anonymous",
            "logging.s3.amazonaws.com",
            "arn:aws:iam::111111111111:role/r",
            "arn:aws:iam::111111111111:role/other",
            "arn:aws:iam::222222222222:role/w",
            "arn:aws:iam::333333333333:role/x",
        ] {
            for action in ["s3:GetObject", "s3:PutObject"] {
                for tls in ["true", "false"] {
                    for identity in [Identity::Nothing, Identity::Everything] {
                        let context = [("aws:SecureTransport".to_owned(), vec![tls.to_owned()])];
                        let request = Request::new(who.parse().unwrap(), action, "arn:aws:s3:::b/x", context);
                        let under = Circumstances {
                            restrict_public_buckets: restricts,
                            ..Circumstances::new(Guarded::Bucket, Some(own.clone()), identity)
                        };
                        all.push(evaluate(document, &request, &under).is_allowed());
                    }
                }
            }
        }
        all
    }

    /// By brute force, over all pairs of small policies and all settings, known or not.
    #[test]
    fn no_is_never_refuted_and_yes_always_shown() {
        let own: AccountId = "111111111111".parse().unwrap();
        let pool = pool();
        let sets = (0_u32..1 << pool.len()).filter(|bits| bits.count_ones() <= 2);
        let documents: Vec<Document> = sets
            .map(|bits| {
                let chosen = pool.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
                Document::new(chosen.map(|(_, one)| one.clone()).collect())
            })
            .collect();
        let answers: Vec<[Vec<bool>; 2]> =
            documents.iter().map(|one| [false, true].map(|on| let_through(one, on, &own))).collect();
        let settings = [None, Some(false), Some(true)];
        let of_two = settings.iter().flat_map(|one| settings.iter().map(move |other| (*one, *other, false)));
        let blocks: Vec<_> = of_two.chain([(None, None, true)]).collect();
        let mut said = [0; 3];
        for (from, old) in documents.iter().enumerate() {
            for (to, new) in documents.iter().enumerate() {
                for &(old_restricts, new_restricts, one_block) in &blocks {
                    let public = is_public(old).is_public() || is_public(new).is_public();
                    if !public && old_restricts.or(new_restricts).is_some() {
                        continue;
                    }
                    let pair = Pair { old, new, old_restricts, new_restricts, one_block, born: false };
                    let outcome = compared(Some(&own), Guarded::Bucket, &pair);
                    let possible = |one: Option<bool>| one.map_or(vec![false, true], |one| vec![one]);
                    let worlds = possible(old_restricts)
                        .into_iter()
                        .flat_map(|was| possible(new_restricts).into_iter().map(move |is| (was, is)))
                        .filter(|(was, is)| !one_block || was == is);
                    let grows: Vec<bool> = worlds
                        .map(|(was, is)| {
                            let (before, after) =
                                (&answers[from][usize::from(was)], &answers[to][usize::from(is)]);
                            before.iter().zip(after).any(|(before, after)| *after && !before)
                        })
                        .collect();
                    let what = || {
                        format!(
                            "{} → {}, {old_restricts:?} → {new_restricts:?} (one block: {one_block})",
                            old.to_json(),
                            new.to_json()
                        )
                    };
                    match outcome.grows {
                        Answer::No => assert!(!grows.contains(&true), "{}", what()),
                        Answer::Yes => assert!(!grows.contains(&false), "{}", what()),
                        Answer::CannotTell => {}
                    }
                    let gained = outcome.entries.iter().any(|entry| !entry.lost);
                    assert_eq!(gained, outcome.grows != Answer::No, "{}", what());
                    said[outcome.grows as usize] += 1;
                }
            }
        }
        assert!(said.iter().all(|number| *number > 0), "{said:?}");
    }
}
