//! Whether anybody gets in whom the configuration does not name, and whether the bucket is public.

use std::collections::BTreeSet;

use byob_model::address::Kind;
use byob_model::config::ForeignStatements;
use byob_model::kind::Ownership;
use byob_policy::{
    Document, Effect, Guarded, Owner, PrincipalElement, Publicity, Verdict, compare, is_public,
};

use crate::check::{Check, Outcome};
use crate::grants::{account_of, statement, words};
use crate::subject::Subject;

const HARMLESS_TO_WANDB: &str = "nothing: W&B works, and somebody else does too";

pub(crate) fn checks(subject: &Subject<'_>) -> Vec<Check> {
    vec![nobody_else(subject), not_public(subject)]
}

fn nobody_else(subject: &Subject<'_>) -> Check {
    let live = subject.live_policy();
    let stays = subject.root.foreign_statements == ForeignStatements::Keep;
    let outcome = match subject.desired_policy() {
        Some(desired) if !stays => beyond(subject, Guarded::Bucket, desired, &live),
        desired => match named(subject, &live, desired) {
            others if others.is_empty() => Outcome::PASSED,
            others if desired.is_some() => Outcome::skipped(format!(
                "foreign_statements = \"keep\" leaves other teams' statements as they are; they let in {others}"
            )),
            others => Outcome::failed(
                format!("the bucket policy lets in {others}"),
                format!(
                    "have their statements taken out, or let byob manage the policy: take \"policy\" out of `unmanaged` of [{}]",
                    subject.address
                ),
                HARMLESS_TO_WANDB,
            ),
        },
    };
    let proves = "the bucket policy lets in nobody whom byob.toml does not name";
    Check::new("nobody-else", &subject.address.aspect(Kind::BucketPolicy), proves, outcome)
}

/// What a document's Allows give beyond another's.
pub(crate) fn beyond(
    subject: &Subject<'_>,
    guarded: Guarded,
    desired: &Document,
    live: &Document,
) -> Outcome {
    // The Allows alone: whether a Deny is missing is asked where it matters, and takes nobody in.
    let owner = Owner { guarded, account: None };
    match compare(&allows(desired), &allows(live), &owner) {
        Verdict::Within => Outcome::PASSED,
        Verdict::Beyond(witness) => {
            let by = witness.allowed_by.first().map(|index| {
                let index =
                    live.statements.iter().enumerate().filter(|(_, s)| s.effect == Effect::Allow).nth(*index);
                index.map(|(index, _)| format!("; {} allows it", statement(live, index))).unwrap_or_default()
            });
            Outcome::failed(
                format!(
                    "{} may {} on {}{}",
                    words(subject, &witness.request.principal().to_string()),
                    witness.request.action(),
                    witness.request.resource(),
                    by.unwrap_or_default()
                ),
                "byob plan shows the statement, byob apply takes it out; find out who put it there",
                HARMLESS_TO_WANDB,
            )
        }
        Verdict::CannotTell { reason } => Outcome::skipped(format!("it cannot be told: {reason}")),
    }
}

fn allows(document: &Document) -> Document {
    let allows = document.statements.iter().filter(|one| one.effect == Effect::Allow);
    Document { statements: allows.cloned().collect(), ..document.clone() }
}

/// Whom the Allows name beside W&B, the owner's account, and whom the configuration's own statements name.
pub(crate) fn named(subject: &Subject<'_>, live: &Document, desired: Option<&Document>) -> String {
    let all = |document: &Document| -> BTreeSet<(String, String)> {
        let allows = document.statements.iter().filter(|one| one.effect == Effect::Allow);
        allows
            .flat_map(|one| match &one.principal {
                Some(PrincipalElement::Is(principals)) => principals
                    .0
                    .iter()
                    .flat_map(|(kind, values)| values.iter().map(|value| (kind.clone(), value.clone())))
                    .collect(),
                // Everybody but those whom it names.
                Some(PrincipalElement::Not(_)) | None => vec![("*".to_owned(), "*".to_owned())],
            })
            .collect()
    };
    let ours = desired.map(all).unwrap_or_default();
    let owner = subject.owner();
    let others = all(live).into_iter().filter(|(kind, value)| {
        let known = ours.contains(&(kind.clone(), value.clone()))
            || (subject.root.wandb_access && subject.wandb.principals.contains(value))
            || (kind == "AWS" && owner.is_some() && account_of(value) == owner);
        !known
    });
    let mut others = others.map(|(kind, value)| match kind.as_str() {
        "AWS" | "*" => words(subject, &value),
        kind => format!("{kind} {value}"),
    });
    let told: Vec<String> = others.by_ref().take(5).collect();
    match others.count() {
        0 => told.join(", "),
        more => format!("{} and {more} more", told.join(", ")),
    }
}

fn not_public(subject: &Subject<'_>) -> Check {
    let [_, ignores_acls, _, restricts] = subject.block();
    let live = subject.live_policy();
    let cure = "byob plan shows what makes it so, byob apply ends it; find out who did it, and what was read meanwhile";
    let outcome = match is_public(&live) {
        Publicity::Public { statement: index, why, .. } if restricts => Outcome::failed(
            format!(
                "{} of the policy is public ({why}); restrict_public_buckets cuts off every other account for it",
                statement(&live, index)
            ),
            cure,
            "403 on every request, where W&B's account is not the bucket's own",
        ),
        Publicity::Public { statement: index, why, .. } => Outcome::failed(
            format!("{} of the policy makes the bucket public ({why})", statement(&live, index)),
            cure,
            HARMLESS_TO_WANDB,
        ),
        Publicity::NotPublic => match subject.ownership() {
            Some(Ownership::ENFORCED) => Outcome::PASSED,
            _ if ignores_acls => Outcome::PASSED,
            ownership => Outcome::skipped(format!(
                "ACLs count on this bucket ({}), and each object has its own; object_ownership = \"{}\" ends that",
                ownership.unwrap_or("no ownership is set"),
                Ownership::ENFORCED
            )),
        },
    };
    let proves = "the bucket is not public, neither by its policy nor by ACLs";
    Check::new("not-public", &subject.address.aspect(Kind::BucketPolicy), proves, outcome)
}
