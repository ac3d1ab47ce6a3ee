//! What bounds W&B's requests: none that is outside of it is W&B's.

use byob_model::desired::{REFERENCE_ACTIONS, STORAGE_ACTIONS};
use byob_policy::{Document, Guarded, ResourceClass, Statement, actions_matching};
use serde_json::{Value, json};

use super::Named;
use crate::grants::requesters;
use crate::subject::Subject;
use crate::words::account_of;

/// A bound, as a Deny of what is outside of it.
struct Bound {
    /// The condition key that it is about.
    key: &'static str,
    /// `Action` or `NotAction`, and the actions; all where it says nothing.
    actions: Option<(&'static str, &'static [&'static str])>,
    condition: Value,
}

/// The keys that every signed request has (IAM user guide, "AWS global condition context keys"; S3 user guide, "Bucket policy
/// examples using condition keys", authentication).
pub(super) const ALWAYS: [&str; 3] = ["aws:UserAgent", "aws:userid", "s3:signatureAge"];

/// They come over TLS 1.3, signed with version 4 in a header or, of objects, in a URL, from W&B's own addresses where these are
/// known, for no service of AWS, with no header of their own about encryption or ACLs, and ask for a key through S3 alone.
fn bounds(subject: &Subject<'_>, guarded: Guarded, named: &Named) -> Vec<Bound> {
    let when = |key: &'static str, condition: Value| Bound { key, actions: None, condition };
    let is = |key: &'static str, value: &str| when(key, json!({"StringNotEquals": {key: value}}));
    let none = |key: &'static str| when(key, json!({"Null": {key: "false"}}));
    let some = |key: &'static str| when(key, json!({"Null": {key: "true"}}));
    let mut bounds = vec![
        when("aws:SecureTransport", json!({"Bool": {"aws:SecureTransport": "false"}})),
        some("aws:SecureTransport"),
        is("aws:ResourceAccount", &resource_account(subject, guarded)),
        is("aws:RequestedRegion", subject.region()),
        // Nobody at W&B is a federated user.
        when("aws:PrincipalArn", json!({"StringLike": {"aws:PrincipalArn": "*:federated-user/*"}})),
        none("aws:SourceAccount"),
        none("aws:SourceArn"),
        some("aws:UserAgent"),
        some("aws:userid"),
    ];
    match guarded {
        Guarded::Bucket => {
            let egress = &subject.wandb.egress;
            if !egress.is_empty() {
                bounds.push(when("aws:SourceIp", json!({"NotIpAddress": {"aws:SourceIp": egress}})));
                bounds.push(some("aws:SourceIp"));
                bounds.extend(["aws:VpcSourceIp", "aws:SourceVpc", "aws:SourceVpce"].map(none));
            }
            bounds.extend([
                when("aws:ViaAWSService", json!({"Bool": {"aws:ViaAWSService": "true"}})),
                when("s3:TlsVersion", json!({"NumericLessThan": {"s3:TlsVersion": "1.3"}})),
                some("s3:TlsVersion"),
                is("s3:signatureversion", "AWS4-HMAC-SHA256"),
                when("s3:signatureAge", json!({"NumericLessThan": {"s3:signatureAge": "0"}})),
                some("s3:signatureAge"),
                when(AUTH, json!({"StringNotEquals": {AUTH: ["REST-HEADER", "REST-QUERY-STRING"]}})),
                // Of what W&B hands out signed URLs for.
                Bound {
                    actions: Some(("NotAction", &["s3:GetObject*", "s3:PutObject"])),
                    ..is(AUTH, "REST-HEADER")
                },
                is("s3:ResourceAccount", subject.account_id),
                none("s3:x-amz-server-side-encryption"),
                none("s3:x-amz-server-side-encryption-aws-kms-key-id"),
                none("s3:x-amz-server-side-encryption-customer-algorithm"),
                none("s3:x-amz-acl"),
                none("s3:x-amz-storage-class"),
            ]);
        }
        Guarded::Key => {
            let service = format!("s3.{}.{}", subject.region(), subject.root.partition.dns_suffix());
            bounds.push(is("kms:ViaService", &service));
            bounds.push(when("aws:ViaAWSService", json!({"Bool": {"aws:ViaAWSService": "false"}})));
            bounds.push(some("aws:ViaAWSService"));
            for account in requesters(subject).iter().filter_map(|(_, who)| who.account()) {
                let account = account.to_string();
                bounds.push(when(
                    "kms:CallerAccount",
                    json!({"StringEquals": {"aws:PrincipalAccount": account}, "StringNotEquals": {"kms:CallerAccount": account}}),
                ));
            }
            // Looking at a key has no context; every use that S3 makes of it has one, of this name alone.
            let of_use = |bound: Bound| Bound { actions: Some(("NotAction", &["kms:Describe*"])), ..bound };
            let of_look = |bound: Bound| Bound { actions: Some(("Action", &["kms:Describe*"])), ..bound };
            let (operator, what) = match named {
                Named::Bucket => ("StringNotEquals", subject.arn()),
                Named::Objects => ("StringNotLike", format!("{}/*", subject.arn())),
            };
            bounds.push(of_use(when(CONTEXT, json!({operator: {CONTEXT: what}}))));
            bounds.push(of_look(none(CONTEXT)));
            let others = json!({"ForAnyValue:StringNotEquals": {CONTEXT_KEYS: "aws:s3:arn"}});
            bounds.push(of_use(when(CONTEXT_KEYS, others)));
            bounds.push(of_use(some(CONTEXT_KEYS)));
            bounds.push(of_look(none(CONTEXT_KEYS)));
        }
    }
    bounds
}

const AUTH: &str = "s3:authType";
const CONTEXT: &str = "kms:EncryptionContext:aws:s3:arn";
const CONTEXT_KEYS: &str = "kms:EncryptionContextKeys";

/// Whose bucket or key it is: a key may be another account's.
fn resource_account(subject: &Subject<'_>, guarded: Guarded) -> String {
    let key = subject.key.as_ref().and_then(|key| key.arn.as_deref()).and_then(account_of);
    match key {
        Some(account) if guarded == Guarded::Key => account.to_string(),
        _ => subject.account_id.to_owned(),
    }
}

/// Whether W&B's requests are known by this condition key; not where only that they have it is.
pub(super) fn known(subject: &Subject<'_>, (guarded, named): (Guarded, &Named), key: &str) -> bool {
    let is = |known: &str| known.eq_ignore_ascii_case(key);
    !ALWAYS.iter().any(|known| is(known)) && bounds(subject, guarded, named).iter().any(|bound| is(bound.key))
}

/// The bounds that anything in these documents asks for, as Denies: what nobody asks for would only widen the search.
pub(super) fn circumstances(
    subject: &Subject<'_>,
    (guarded, named): (Guarded, &Named),
    documents: [&Document; 2],
) -> Vec<Statement> {
    let every = if guarded == Guarded::Key { "kms:*" } else { "s3:*" };
    let statements = || documents.into_iter().flat_map(|document| &document.statements);
    let asked = |key: &str| {
        let mut keys = statements().flat_map(|one| one.condition.values()).flat_map(|keys| keys.keys());
        keys.any(|known| known.eq_ignore_ascii_case(key))
    };
    let bounds = bounds(subject, guarded, named).into_iter().filter(|bound| asked(bound.key));
    let mut all: Vec<Statement> = bounds
        .filter_map(|bound| {
            let mut deny =
                json!({"Effect": "Deny", "Principal": "*", "Resource": "*", "Condition": bound.condition});
            match bound.actions {
                Some((element, actions)) => deny[element] = json!(actions),
                None => deny["Action"] = json!(every),
            }
            Statement::from_value(&deny).ok()
        })
        .collect();
    if guarded == Guarded::Bucket {
        all.extend(never_together(subject));
        all.extend(outside_the_folder(subject));
    }
    all
}

/// Of a bucket with a folder for W&B, its requests stay below it.
fn outside_the_folder(subject: &Subject<'_>) -> Option<Statement> {
    let folder = Some(subject.folder()).filter(|folder| !folder.is_empty())?;
    let inside = [subject.arn(), format!("{}/{folder}*", subject.arn())];
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "NotResource": inside});
    Statement::from_value(&deny).ok()
}

/// W&B's actions on objects never come with the bucket itself, nor those on the bucket with an object.
fn never_together(subject: &Subject<'_>) -> impl Iterator<Item = Statement> {
    let of = |class: ResourceClass| {
        let all = STORAGE_ACTIONS.into_iter().chain(REFERENCE_ACTIONS);
        let only = move |pattern: &&str| {
            actions_matching(pattern).flat_map(|action| &action.classes).all(|known| *known == class)
        };
        all.filter(only).collect::<Vec<_>>()
    };
    let deny = |actions: Vec<&str>, resource: String| json!({"Effect": "Deny", "Principal": "*", "Action": actions, "Resource": resource});
    let both = [
        deny(of(ResourceClass::Objects), subject.arn()),
        deny(of(ResourceClass::Bucket), format!("{}/*", subject.arn())),
    ];
    both.into_iter().filter_map(|one| Statement::from_value(&one).ok())
}
