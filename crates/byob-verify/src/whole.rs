//! Whether W&B is left all that it is given, whatever a request looks like: object names, roles of its account, addresses,
//! times, user agents. The checks of single actions try requests that stand for others; this proves it for all of them, by
//! the policy brain.

use byob_policy::{Document, Effect, Guarded, Owner, Statement, Verdict, compare, reach};
use serde_json::{Value, json};

use crate::check::Outcome;
use crate::grants::{principals, statement, words};
use crate::subject::Subject;

/// What S3 names to KMS where it uses a key.
pub(crate) enum Encrypted {
    /// The bucket, under a bucket key.
    Bucket,
    /// Each object.
    Objects,
}

/// A document's statements that let W&B in, as far as it names W&B at all.
fn gives(subject: &Subject<'_>, desired: &Document) -> Vec<Statement> {
    let named = |one: &&Statement| {
        one.effect == Effect::Allow
            && principals(one).any(|name| subject.wandb.principals.iter().any(|known| known == name))
    };
    desired.statements.iter().filter(named).cloned().collect()
}

/// What bounds W&B's requests: they come over TLS 1.3, from its own addresses where these are known, and ask for a key
/// through S3 alone.
fn circumstances(subject: &Subject<'_>, guarded: Guarded, encrypted: &Encrypted) -> Vec<Value> {
    let mut conditions = vec![
        json!({"Bool": {"aws:SecureTransport": "false"}}),
        json!({"Null": {"aws:SecureTransport": "true"}}),
    ];
    let egress = &subject.wandb.egress;
    match guarded {
        Guarded::Bucket => {
            conditions.push(json!({"NumericLessThan": {"s3:TlsVersion": "1.3"}}));
            conditions.push(json!({"Null": {"s3:TlsVersion": "true"}}));
            if !egress.is_empty() {
                conditions.push(json!({"NotIpAddress": {"aws:SourceIp": egress}}));
                conditions.push(json!({"Null": {"aws:SourceIp": "true"}}));
            }
        }
        Guarded::Key => {
            let partition = subject.root.partition;
            let service = format!("s3.{}.{}", subject.region(), partition.dns_suffix());
            conditions.push(json!({"StringNotEquals": {"kms:ViaService": service}}));
            let (operator, named) = match encrypted {
                Encrypted::Bucket => ("StringNotEquals", subject.arn()),
                Encrypted::Objects => ("StringNotLike", format!("{}/*", subject.arn())),
            };
            conditions.push(json!({operator: {"kms:EncryptionContext:aws:s3:arn": named}}));
        }
    }
    let action = if guarded == Guarded::Key { "kms:*" } else { "s3:*" };
    conditions
        .into_iter()
        .map(|condition| {
            json!({"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*", "Condition": condition})
        })
        .collect()
}

/// Whether a live document leaves W&B all that is given: by the configuration's document, or (`asked`) by a statement that
/// asks for no more than W&B needs. `None` where nothing is given by name.
pub(crate) fn left_whole(
    subject: &Subject<'_>,
    (guarded, encrypted): (Guarded, &Encrypted),
    desired: Option<&Document>,
    asked: &Value,
    live: &Document,
) -> Option<Outcome> {
    let (mut statements, version) = match desired {
        Some(desired) => {
            let denies = desired.statements.iter().filter(|one| one.effect == Effect::Deny).cloned();
            let gives = gives(subject, desired);
            (gives.iter().cloned().chain(denies).collect::<Vec<_>>(), desired.version)
        }
        None => (vec![Statement::from_value(asked).ok()?], live.version),
    };
    if !statements.iter().any(|one| one.effect == Effect::Allow) {
        return None;
    }
    for bound in circumstances(subject, guarded, encrypted) {
        statements.push(Statement::from_value(&bound).ok()?);
    }
    let given = Document { version, ..Document::new(statements) };
    // Whose addresses are not known may come from one that the policy lets in; the single checks say so.
    let by_network = desired.is_none()
        && subject.wandb.egress.is_empty()
        && live.statements.iter().any(reach::asks_for_network);
    let without = "whatever these requests are for fails: 403";
    let cure = match desired {
        Some(_) => "byob plan shows what was changed, byob apply puts byob's own policy back",
        None => "have that statement corrected by whoever owns the policy",
    };
    Some(match compare(live, &given, &Owner { guarded, account: None }) {
        Verdict::Within => Outcome::PASSED,
        _ if by_network => Outcome::skipped(
            "the policy asks where requests come from, and W&B's addresses are not known ([wandb] egress)",
        ),
        Verdict::Beyond(witness) => {
            let request = &witness.request;
            let when: Vec<String> = request
                .context()
                .iter()
                .filter(|(key, _)| !["aws:securetransport", "s3:tlsversion"].contains(&&*key.to_lowercase()))
                .map(|(key, values)| format!("{key} = {}", values.join(" and ")))
                .collect();
            let when = if when.is_empty() { String::new() } else { format!(" with {}", when.join(", ")) };
            let why = match witness.denied_by.first() {
                Some(index) => format!("{} denies it", statement(live, *index)),
                None => "no statement allows it".to_owned(),
            };
            let who = words(subject, &request.principal().to_string());
            let seen = format!("{who} may not {} on {}{when}: {why}", request.action(), request.resource());
            Outcome::failed(seen, cure, without)
        }
        Verdict::CannotTell { reason } => {
            Outcome::failed(format!("it cannot be proved: {reason}"), cure, without)
        }
    })
}
