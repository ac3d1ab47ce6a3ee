//! Whether W&B is left all that it is given, whatever a request looks like: object names, roles of its account, addresses,
//! times, user agents. The checks of single actions try requests that stand for others; this proves it for all of them, by
//! the policy brain.

use byob_model::config::ForeignStatements;
use byob_policy::{Document, Effect, Guarded, Owner, PrincipalElement, Statement, Verdict, compare};
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

/// What a Deny of byob.toml, or of another team, is to W&B.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// It sets a part of the bucket aside, or says by which way and with what requests come: W&B may well meet it.
    Meant,
    /// It hangs on the clock or on who asks: it has to spare W&B, which can be proved.
    Decided,
    /// It hangs on what nobody here knows of W&B's requests.
    Unsure,
}

/// Condition keys of [`Class::Decided`].
const DECIDED: [&str; 5] =
    ["aws:CurrentTime", "aws:EpochTime", "aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalType"];

/// Condition keys of [`Class::Meant`]; a `/` or `-` at the end stands for all that begin so.
const MEANT: [&str; 18] = [
    "aws:PrincipalIsAWSService",
    "aws:SourceIp",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "aws:VpcSourceIp",
    "aws:SecureTransport",
    "s3:TlsVersion",
    "s3:signatureversion",
    "aws:RequestedRegion",
    "aws:ResourceAccount",
    "s3:ResourceAccount",
    "aws:ViaAWSService",
    "aws:SourceAccount",
    "aws:SourceArn",
    "s3:ExistingObjectTag/",
    "s3:RequestObjectTag/",
    "s3:x-amz-",
    "s3:object-lock-",
];

fn class(subject: &Subject<'_>, statement: &Statement) -> Class {
    let known = |list: &[&str], key: &str| {
        let key = key.to_ascii_lowercase();
        list.iter().map(|known| known.to_ascii_lowercase()).any(|known| match known.ends_with(['/', '-']) {
            true => key.starts_with(&known),
            false => key == known,
        })
    };
    let keys = || statement.condition.values().flat_map(|keys| keys.keys());
    // Who names W&B as the configuration does means W&B, and the single checks see to the rest.
    let known_as = |name: &String| name == "*" || subject.wandb.principals.contains(name);
    let plain = match &statement.principal {
        Some(PrincipalElement::Is(names)) => names.0.values().flatten().any(known_as),
        Some(PrincipalElement::Not(_)) | None => false,
    };
    if !plain || keys().any(|key| known(&DECIDED, key)) {
        Class::Decided
    } else if keys().all(|key| known(&MEANT, key)) {
        Class::Meant
    } else {
        Class::Unsure
    }
}

fn denies(subject: &Subject<'_>, document: &Document, classes: &[Class]) -> Vec<Statement> {
    let denies = document.statements.iter().filter(|one| one.effect == Effect::Deny);
    denies.filter(|one| classes.contains(&class(subject, one))).cloned().collect()
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
    let keep = guarded == Guarded::Bucket && subject.root.foreign_statements == ForeignStatements::Keep;
    // What W&B is given, with the Denies of these classes.
    let given = |classes: &[Class]| {
        let mut given = match desired {
            Some(desired) => {
                let statements = [gives(subject, desired), denies(subject, desired, classes)].concat();
                Document { statements, ..desired.clone() }
            }
            None => Document { statements: needed.into_iter().cloned().collect(), ..live.clone() },
        };
        // Other teams' Denies stay as they are.
        if keep || desired.is_none() {
            given.statements.extend(denies(subject, live, classes));
        }
        given
    };
    let held = match desired {
        Some(_) => live.clone(),
        None => {
            let all = denies(subject, live, &[Class::Meant, Class::Decided, Class::Unsure]);
            Document { statements: all.into_iter().chain(needed.cloned()).collect(), ..live.clone() }
        }
    };
    let proved = |classes: &[Class]| {
        let mut given = given(classes);
        for bound in circumstances(subject, about, [&given, &held]) {
            given.statements.extend(Statement::from_value(&bound).ok());
        }
        compare(&held, &given, &Owner { guarded, account: None })
    };
    if !given(&[]).statements.iter().any(|one| one.effect == Effect::Allow) {
        return None;
    }
    let without = "403 for these requests, whatever they are for";
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
    if proved(&[Class::Meant]) == Verdict::Within {
        return Some(Outcome::PASSED);
    }
    Some(match proved(&[Class::Meant, Class::Unsure]) {
        Verdict::Within => {
            let unsure = denies(subject, &held, &[Class::Unsure]);
            let place = live.statements.iter().position(|one| unsure.contains(one));
            let by = place.map_or_else(|| "a Deny".to_owned(), |index| statement(live, index));
            Outcome::skipped(format!(
                "{by} hangs on what nobody here knows of W&B's requests: see that it spares them"
            ))
        }
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
