//! Whether W&B is left all that it is given, whatever a request looks like: object names, roles of its account, addresses,
//! times, user agents. The checks of single actions try requests that stand for others; this proves it for all of them, by
//! the policy brain.

use byob_model::config::ForeignStatements;
use byob_policy::{Document, Effect, Guarded, Owner, Statement, Verdict, compare};
use serde_json::{Value, json};

use crate::check::Outcome;
use crate::subject::Subject;
use crate::words::{principals, statement, words};

/// What S3 names to KMS where it uses a key.
pub(crate) enum Named {
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

/// Condition keys by which a Deny may keep W&B out without anybody noticing: the clock, what a client calls itself, who asks.
const SUSPECT: [&str; 10] = [
    "aws:CurrentTime",
    "aws:EpochTime",
    "aws:TokenIssueTime",
    "aws:UserAgent",
    "aws:Referer",
    "aws:userid",
    "aws:username",
    "aws:PrincipalArn",
    "aws:PrincipalAccount",
    "aws:PrincipalType",
];

/// Whether a Deny of byob.toml or of another team is one that W&B may well meet: it sets a part of the bucket aside, or says
/// by which way and with what requests come. One that hangs on the clock or on who asks has to spare W&B.
fn is_meant(statement: &Statement) -> bool {
    let mut keys = statement.condition.values().flat_map(|keys| keys.keys());
    statement.effect == Effect::Deny
        && !keys.any(|key| SUSPECT.iter().any(|suspect| key.eq_ignore_ascii_case(suspect)))
}

/// What bounds W&B's requests, by condition key: none that is outside of it is W&B's. They come over TLS 1.3, signed with
/// version 4, from its own addresses where these are known, with no header of their own about encryption or ACLs, and ask for
/// a key through S3 alone.
fn bounds(subject: &Subject<'_>, guarded: Guarded, named: &Named) -> Vec<(&'static str, Value)> {
    let is = |key: &'static str, value: &str| (key, json!({"StringNotEquals": {key: value}}));
    let none = |key: &'static str| (key, json!({"Null": {key: "false"}}));
    let mut bounds = vec![
        ("aws:SecureTransport", json!({"Bool": {"aws:SecureTransport": "false"}})),
        ("aws:SecureTransport", json!({"Null": {"aws:SecureTransport": "true"}})),
        is("aws:ResourceAccount", subject.account_id),
        is("aws:RequestedRegion", subject.region()),
        // Nobody at W&B is a federated user.
        ("aws:PrincipalArn", json!({"StringLike": {"aws:PrincipalArn": "*:federated-user/*"}})),
    ];
    let egress = &subject.wandb.egress;
    if !egress.is_empty() && guarded == Guarded::Bucket {
        bounds.push(("aws:SourceIp", json!({"NotIpAddress": {"aws:SourceIp": egress}})));
        bounds.push(("aws:SourceIp", json!({"Null": {"aws:SourceIp": "true"}})));
    }
    match guarded {
        Guarded::Bucket => bounds.extend([
            ("aws:ViaAWSService", json!({"Bool": {"aws:ViaAWSService": "true"}})),
            ("s3:TlsVersion", json!({"NumericLessThan": {"s3:TlsVersion": "1.3"}})),
            ("s3:TlsVersion", json!({"Null": {"s3:TlsVersion": "true"}})),
            is("s3:signatureversion", "AWS4-HMAC-SHA256"),
            is("s3:ResourceAccount", subject.account_id),
            none("s3:x-amz-server-side-encryption"),
            none("s3:x-amz-server-side-encryption-aws-kms-key-id"),
            none("s3:x-amz-server-side-encryption-customer-algorithm"),
            none("s3:x-amz-acl"),
            none("s3:x-amz-storage-class"),
        ]),
        Guarded::Key => {
            let service = format!("s3.{}.{}", subject.region(), subject.root.partition.dns_suffix());
            bounds.push(is("kms:ViaService", &service));
            let key = "kms:EncryptionContext:aws:s3:arn";
            let (operator, what) = match named {
                Named::Bucket => ("StringNotEquals", subject.arn()),
                Named::Objects => ("StringNotLike", format!("{}/*", subject.arn())),
            };
            bounds.push((key, json!({operator: {key: what}})));
        }
    }
    bounds
}

/// The bounds that anything in these documents asks for, as Denies: what nobody asks for would only widen the search.
fn circumstances(
    subject: &Subject<'_>,
    (guarded, named): (Guarded, &Named),
    documents: [&Document; 2],
) -> Vec<Value> {
    let action = if guarded == Guarded::Key { "kms:*" } else { "s3:*" };
    let statements = || documents.into_iter().flat_map(|document| &document.statements);
    let asked = |key: &str| {
        let mut keys = statements().flat_map(|one| one.condition.values()).flat_map(|keys| keys.keys());
        keys.any(|known| known.eq_ignore_ascii_case(key))
    };
    bounds(subject, guarded, named)
        .into_iter()
        .filter(|(key, _)| asked(key))
        .map(|(_, condition)| {
            json!({"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*", "Condition": condition})
        })
        .collect()
}

/// What W&B needs, as a statement.
pub(crate) fn needed(subject: &Subject<'_>, actions: &[&str], resources: &[String]) -> Option<Statement> {
    let statement = json!({"Effect": "Allow", "Principal": {"AWS": subject.wandb.principals}, "Action": actions,
        "Resource": resources});
    Statement::from_value(&statement).ok()
}

/// Whether a live document leaves W&B all that is given: by the configuration's document; or, of a document that others
/// write, by `needed`, on which only its Denies are held (who lets W&B in, the single checks say). `None` where nothing is
/// given by name.
pub(crate) fn left_whole(
    subject: &Subject<'_>,
    about: (Guarded, &Named),
    desired: Option<&Document>,
    needed: Option<&Statement>,
    live: &Document,
) -> Option<Outcome> {
    let guarded = about.0;
    let known = |one: &&Statement| desired.is_some_and(|desired| desired.statements.contains(one));
    let theirs = live.statements.iter().filter(|one| !known(one) && is_meant(one)).cloned();
    let (mut given, held) = match desired {
        Some(desired) => {
            let mut statements = gives(subject, desired);
            statements.extend(desired.statements.iter().filter(|one| is_meant(one)).cloned());
            // Other teams' Denies stay as they are, so they are meant too.
            if guarded == Guarded::Bucket && subject.root.foreign_statements == ForeignStatements::Keep {
                statements.extend(theirs);
            }
            (Document { statements, ..desired.clone() }, live.clone())
        }
        None => {
            let with = |denies: Vec<Statement>| Document {
                statements: denies.into_iter().chain(needed.cloned()).collect(),
                ..live.clone()
            };
            let denies = live.statements.iter().filter(|one| one.effect == Effect::Deny).cloned().collect();
            (with(theirs.collect()), with(denies))
        }
    };
    if !given.statements.iter().any(|one| one.effect == Effect::Allow) {
        return None;
    }
    for bound in circumstances(subject, about, [&given, &held]) {
        given.statements.push(Statement::from_value(&bound).ok()?);
    }
    let without = "whatever these requests are for fails: 403";
    let others = desired.is_none() || subject.root.foreign_statements == ForeignStatements::Keep;
    let cure = match desired {
        Some(desired) if desired.canonical() == live.canonical() => {
            "byob.toml itself keeps W&B out: correct that statement, and apply"
        }
        _ if others => {
            "byob plan shows what is byob's; another team's statement has to be corrected by that team"
        }
        _ => "byob plan shows what was changed, byob apply puts byob's own policy back",
    };
    Some(match compare(&held, &given, &Owner { guarded, account: None }) {
        Verdict::Within => Outcome::PASSED,
        Verdict::Beyond(witness) => {
            let request = &witness.request;
            let when: Vec<String> = request
                .context()
                .iter()
                .filter(|(key, _)| !["aws:securetransport", "s3:tlsversion"].contains(&&*key.to_lowercase()))
                .map(|(key, values)| format!("{key} = {}", values.join(" and ")))
                .collect();
            let when = if when.is_empty() { String::new() } else { format!(" with {}", when.join(", ")) };
            // By its place in the document that AWS has.
            let denied_by = witness.denied_by.first().and_then(|index| held.statements.get(*index));
            let place = denied_by.and_then(|one| live.statements.iter().position(|other| other == one));
            let why = match place {
                Some(index) => format!("{} denies it", statement(live, index)),
                None => "no statement allows it".to_owned(),
            };
            let who = words(subject, &request.principal().to_string());
            let on = if guarded == Guarded::Key { "the key" } else { request.resource() };
            let seen = format!("{who} may not {} on {on}{when}: {why}", request.action());
            Outcome::failed(seen, cure, without)
        }
        Verdict::CannotTell { reason } => {
            Outcome::failed(format!("it cannot be proved: {reason}"), cure, without)
        }
    })
}
