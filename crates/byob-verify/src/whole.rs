//! Whether W&B is left all that it is given, whatever a request looks like: object names, roles of its account, addresses,
//! times, user agents. The checks of single actions try requests that stand for others; this proves it for all of them, by
//! the policy brain.

use byob_policy::{AccountId, Document, Effect, Guarded, Owner, Statement, Verdict, compare, reach};
use serde_json::{Value, json};

use crate::check::Outcome;
use crate::subject::Subject;
use crate::words::{account_of, principals, statement, words};

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

/// Whether a Deny of the configuration is one that W&B is meant to meet: it sets a part of the bucket aside, or says by which
/// way requests come. One that hangs on anything else (a time, a user agent, who asks) may keep W&B out by mistake.
fn is_meant(statement: &Statement) -> bool {
    let tls = |key: &String| {
        ["aws:SecureTransport", "s3:TlsVersion"].iter().any(|tls| key.eq_ignore_ascii_case(tls))
    };
    let mut keys = statement.condition.values().flat_map(|keys| keys.keys());
    statement.effect == Effect::Deny && (reach::asks_for_network(statement) || keys.all(tls))
}

/// What bounds W&B's requests, by condition key: none that is outside of it is W&B's. They come over TLS 1.3, signed with
/// version 4, from its own addresses where these are known, with no header of their own about encryption or ACLs, and ask for
/// a key through S3 alone.
fn bounds(subject: &Subject<'_>, guarded: Guarded, encrypted: &Encrypted) -> Vec<(&'static str, Value)> {
    let is = |key: &'static str, value: &str| (key, json!({"StringNotEquals": {key: value}}));
    let none = |key: &'static str| (key, json!({"Null": {key: "false"}}));
    let mut bounds = vec![
        ("aws:SecureTransport", json!({"Bool": {"aws:SecureTransport": "false"}})),
        ("aws:SecureTransport", json!({"Null": {"aws:SecureTransport": "true"}})),
        is("aws:ResourceAccount", subject.account_id),
        is("aws:RequestedRegion", subject.region()),
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
            let (operator, named) = match encrypted {
                Encrypted::Bucket => ("StringNotEquals", subject.arn()),
                Encrypted::Objects => ("StringNotLike", format!("{}/*", subject.arn())),
            };
            bounds.push((key, json!({operator: {key: named}})));
        }
    }
    bounds
}

/// The bounds that anything in these documents asks for, as Denies: what nobody asks for would only widen the search.
fn circumstances(
    subject: &Subject<'_>,
    (guarded, encrypted): (Guarded, &Encrypted),
    documents: [&Document; 2],
) -> Vec<Value> {
    let action = if guarded == Guarded::Key { "kms:*" } else { "s3:*" };
    let statements = || documents.into_iter().flat_map(|document| &document.statements);
    let asked = |key: &str| {
        let mut keys = statements().flat_map(|one| one.condition.values()).flat_map(|keys| keys.keys());
        keys.any(|known| known.eq_ignore_ascii_case(key))
    };
    bounds(subject, guarded, encrypted)
        .into_iter()
        .filter(|(key, _)| asked(key))
        .map(|(_, condition)| {
            json!({"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*", "Condition": condition})
        })
        .collect()
}

/// What W&B needs, as a statement: of principals that are not the owner's own, whom policies of their own may let in.
pub(crate) fn needed(
    subject: &Subject<'_>,
    owner: Option<&AccountId>,
    actions: &[&str],
    resources: &[String],
) -> Option<Statement> {
    let foreign = |name: &&String| account_of(name).as_ref() != owner;
    let principals: Vec<&String> = subject.wandb.principals.iter().filter(foreign).collect();
    let statement = json!({"Effect": "Allow", "Principal": {"AWS": principals}, "Action": actions,
        "Resource": resources});
    if principals.is_empty() { None } else { Statement::from_value(&statement).ok() }
}

/// Whether a live document leaves W&B all that is given: by the configuration's document, or else by `needed`. `None` where
/// nothing is given by name.
pub(crate) fn left_whole(
    subject: &Subject<'_>,
    about: (Guarded, &Encrypted),
    desired: Option<&Document>,
    needed: Option<Statement>,
    live: &Document,
) -> Option<Outcome> {
    let guarded = about.0;
    let mut given = match desired {
        Some(desired) => {
            let denies = desired.statements.iter().filter(|one| is_meant(one)).cloned();
            let statements = gives(subject, desired).into_iter().chain(denies).collect();
            Document { statements, ..desired.clone() }
        }
        None => Document { version: live.version, ..Document::new(needed.into_iter().collect()) },
    };
    if !given.statements.iter().any(|one| one.effect == Effect::Allow) {
        return None;
    }
    for bound in circumstances(subject, about, [&given, live]) {
        given.statements.push(Statement::from_value(&bound).ok()?);
    }
    // Whose addresses are not known may come from one that the policy lets in; the single checks say so.
    let by_network = desired.is_none()
        && subject.wandb.egress.is_empty()
        && live.statements.iter().any(reach::asks_for_network);
    let without = "whatever these requests are for fails: 403";
    let cure = match desired {
        Some(desired) if desired.canonical() == live.canonical() => {
            "byob.toml itself keeps W&B out: correct that statement, and apply"
        }
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
