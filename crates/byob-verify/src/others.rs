//! Whether anybody gets in whom the configuration does not name, whether whom it keeps out is kept out, and whether the
//! bucket is public.

use std::collections::BTreeSet;

use byob_model::address::Kind;
use byob_model::config::ForeignStatements;
use byob_model::kind::Ownership;
use byob_policy::{
    Document, Effect, Guarded, Owner, PrincipalElement, Publicity, Statement, Verdict, compare, evaluate,
    is_public,
};
use serde_json::json;

use crate::check::{Check, Outcome};
use crate::subject::Subject;
use crate::words::{account_of, statement, words};

const HARMLESS_TO_WANDB: &str = "nothing: W&B works, and somebody else does too";

pub(crate) fn checks(subject: &Subject<'_>) -> Vec<Check> {
    let guards = subject.desired_policy().and_then(|desired| {
        let address = subject.address.aspect(Kind::BucketPolicy);
        let outcome = guards(subject, Guarded::Bucket, desired, &subject.live_policy())?;
        let proves = "the bucket policy still forbids all that byob.toml forbids";
        Some(Check::new("guards", &address, proves, outcome))
    });
    let mut checks = vec![nobody_else(subject)];
    checks.extend(guards);
    checks.push(not_public(subject));
    checks
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
    // The Allows alone: what the Denies keep out is the check beside this one.
    let owner = Owner { guarded, account: None };
    let (desired, given) = (allows(desired), allows(live));
    if desired.canonical() == given.canonical() {
        return Outcome::PASSED;
    }
    match compare(&desired, &given, &owner) {
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
        // Whoever brings the values can make it so: what is not proved is no yes.
        Verdict::CannotTell { reason } => Outcome::failed(
            format!("it cannot be proved that nobody else is let in: {reason}"),
            "byob plan shows the statement, byob apply takes it out; or write it without what cannot be known",
            HARMLESS_TO_WANDB,
        ),
    }
}

fn allows(document: &Document) -> Document {
    only(document, Effect::Allow)
}

fn only(document: &Document, effect: Effect) -> Document {
    let statements = document.statements.iter().filter(|one| one.effect == effect);
    Document { statements: statements.cloned().collect(), ..document.clone() }
}

/// Whether a document's Denies forbid whatever another's do; `None` where that has none.
///
/// They are compared below a statement that allows everybody everything, so that nothing but a Deny decides: what it
/// keeps out is mostly let in by policies of users and roles, which stand nowhere here.
pub(crate) fn guards(
    subject: &Subject<'_>,
    guarded: Guarded,
    desired: &Document,
    live: &Document,
) -> Option<Outcome> {
    let (wanted, found) = (only(desired, Effect::Deny), only(live, Effect::Deny));
    if wanted.is_empty() {
        return None;
    }
    if wanted.canonical() == found.canonical() {
        return Some(Outcome::PASSED);
    }
    let (action, resources) = match guarded {
        Guarded::Bucket => ("s3:*", vec![subject.arn(), format!("{}/*", subject.arn())]),
        Guarded::Key => ("kms:*", vec!["*".to_owned()]),
    };
    let everything = json!({"Effect": "Allow", "Principal": "*", "Action": action, "Resource": resources});
    let below = |denies: &Document| {
        // A statement of byob's own text is one.
        let everything = Statement::from_value(&everything).ok()?;
        let statements = denies.statements.iter().cloned().chain([everything]).collect();
        Some(Document { statements, ..denies.clone() })
    };
    let (wanted, found) = (below(&wanted)?, below(&found)?);
    let cure = "byob plan shows what was changed, byob apply puts it back; find out who did it, and what was done meanwhile";
    Some(match compare(&wanted, &found, &Owner { guarded, account: None }) {
        Verdict::Within => Outcome::PASSED,
        Verdict::Beyond(witness) => {
            let decided = evaluate(&wanted, &witness.request, &witness.circumstances).deciding;
            let by = decided.first().map(|index| statement(&wanted, *index));
            Outcome::failed(
                format!(
                    "{} of byob.toml forbids {} on {} to {}, and no statement of AWS's does",
                    by.unwrap_or_else(|| "a Deny".to_owned()),
                    witness.request.action(),
                    witness.request.resource(),
                    words(subject, &witness.request.principal().to_string()),
                ),
                cure,
                HARMLESS_TO_WANDB,
            )
        }
        Verdict::CannotTell { reason } => Outcome::failed(
            format!(
                "the Denies in AWS are not byob.toml's, and whether they forbid as much cannot be proved: {reason}"
            ),
            cure,
            HARMLESS_TO_WANDB,
        ),
    })
}

/// Whom the Allows name that are not the configuration's own statements. Of a policy that is not byob's to manage, W&B and
/// the owner's account are no news.
pub(crate) fn named(subject: &Subject<'_>, live: &Document, desired: Option<&Document>) -> String {
    let all = |statements: &[&Statement]| -> BTreeSet<(String, String)> {
        statements
            .iter()
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
    let form = |statement: &Statement| Document::new(vec![statement.clone()]).canonical();
    let ours: Vec<_> = desired.iter().flat_map(|desired| &desired.statements).map(form).collect();
    let theirs =
        live.statements.iter().filter(|one| one.effect == Effect::Allow && !ours.contains(&form(one)));
    let theirs: Vec<&Statement> = theirs.collect();
    let owner = subject.owner();
    let others = all(&theirs).into_iter().filter(|(kind, value)| {
        // Where byob writes the policy, it has written down what these get; what they get beside that is told.
        let known = desired.is_none()
            && ((subject.root.wandb_access && subject.wandb.principals.contains(value))
                || (kind == "AWS" && owner.is_some() && account_of(value) == owner));
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
            // Public grants are ignored under the block, and those that name an account are not.
            ownership if subject.wants_acls_off() => Outcome::failed(
                format!(
                    "ACLs count on this bucket ({}) and its objects, and byob.toml switches them off: whoever they name is let \
                     in",
                    ownership.unwrap_or("no ownership is set")
                ),
                cure,
                HARMLESS_TO_WANDB,
            ),
            ownership if ignores_acls => Outcome::Passed {
                given: Some(format!(
                    "that no ACL names an account: they count here ({})",
                    ownership.unwrap_or("no ownership is set")
                )),
            },
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
