//! What a Deny of byob.toml, or of another team, is to W&B: meant, to be decided, or hanging on what nobody here knows.

use byob_policy::{
    Arn, Document, Guarded, Owner, PrincipalElement, ResourceElement, Statement, Verdict, compare, reach,
};
use serde_json::json;

use super::Named;
use super::bounds::{ALWAYS, circumstances, known};
use crate::subject::Subject;
use crate::words::account_of;

/// A Deny that W&B may meet.
#[derive(Clone)]
pub(super) struct Met {
    /// What of it is taken for given.
    pub given: Statement,
    /// As it stands.
    pub whole: Statement,
    pub why: Why,
}

/// Why it is taken for given.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// It sets these parts of the bucket aside.
    Aside(Vec<String>),
    /// It says from where requests come, and that is not known of W&B.
    Network,
    /// It says what objects or headers it refuses.
    Requests,
    /// It hangs on what nobody here knows of W&B's requests.
    Unsure,
}

/// Condition keys of objects and of headers that W&B may well meet; a `/` or `-` at the end stands for all that begin so.
const OF_REQUESTS: [&str; 5] = [
    "s3:ExistingObjectTag/",
    "s3:RequestObjectTag/",
    "s3:RequestObjectTagKeys",
    "s3:x-amz-",
    "s3:object-lock-",
];

/// What begins so and is of every request: whether the payload is signed, which it is not behind a signed URL.
const NOT_OF_REQUESTS: [&str; 1] = ["s3:x-amz-content-sha256"];

/// Condition keys that follow from who asks and from the clock: they have to spare W&B, which can be proved.
const DECIDED: [&str; 7] = [
    "aws:CurrentTime",
    "aws:EpochTime",
    "aws:PrincipalArn",
    "aws:PrincipalAccount",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalServiceName",
    "aws:PrincipalType",
];

fn is_of(list: &[&str], key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    list.iter().map(|known| known.to_ascii_lowercase()).any(|known| match known.ends_with(['/', '-']) {
        true => key.starts_with(&known),
        false => key == known,
    })
}

/// What of a Deny is taken for given, and why; `None`: it has to spare W&B. `theirs`: of another team.
pub(super) fn met(
    subject: &Subject<'_>,
    about: (Guarded, &Named),
    statement: &Statement,
    theirs: bool,
) -> Option<Met> {
    let bucket = about.0 == Guarded::Bucket;
    let asked = without_void(subject, about, statement);
    let as_it_is = |why| Some(Met { given: statement.clone(), whole: statement.clone(), why });
    if bucket && subject.wandb.egress.is_empty() && reach::is_network_deny(&asked) {
        return as_it_is(Why::Network);
    }
    // Another team's that names W&B is about W&B.
    let meant = bucket && !(theirs && names(subject, statement));
    let aside = Some(statement).filter(|_| meant).and_then(|one| set_aside(subject, one));
    let aside = aside.map(|(given, parts)| Met { given, whole: statement.clone(), why: Why::Aside(parts) });
    if aside.as_ref().is_some_and(|aside| aside.given == *statement) {
        return aside;
    }
    let of_requests =
        |key: &str| is_of(&OF_REQUESTS, key) && !is_of(&NOT_OF_REQUESTS, key) && !known(subject, about, key);
    let asked = of_plain_requests(asked, of_requests);
    let keys = || asked.condition.values().flat_map(|keys| keys.keys());
    if meant && keys().any(|key| of_requests(key)) {
        return as_it_is(Why::Requests);
    }
    let decided = |key: &String| is_of(&DECIDED, key) || known(subject, about, key);
    if keys().all(decided) { aside } else { as_it_is(Why::Unsure) }
}

/// A Deny without the conditions that hold of a request just because it lacks such a tag or header: most of W&B's do, so what
/// is left has to spare them.
fn of_plain_requests(mut statement: Statement, of_requests: impl Fn(&str) -> bool) -> Statement {
    for (operator, keys) in &mut statement.condition {
        keys.retain(|key, values| !(of_requests(key) && holds_without(operator, values)));
    }
    statement.condition.retain(|_, keys| !keys.is_empty());
    statement
}

/// Whether a condition holds of a request that lacks its key.
///
/// Source: IAM user guide, "IAM JSON policy elements: Condition operators" (`Null`, `...IfExists`, negated operators) and
/// "Single-valued vs. multivalued context keys" (`ForAllValues`).
fn holds_without(operator: &str, values: &[String]) -> bool {
    let operator = operator.to_ascii_lowercase();
    if operator == "null" {
        return values.iter().any(|value| value.eq_ignore_ascii_case("true"));
    }
    operator.ends_with("ifexists")
        || operator.starts_with("forallvalues:")
        || (operator.contains("not") && !operator.starts_with("foranyvalue:"))
}

/// The part of a Deny that is about parts of the bucket which were set aside, if there is one. Of a bucket with a folder for
/// W&B none is: what is below it is W&B's, and what is not is none of its.
fn set_aside(subject: &Subject<'_>, statement: &Statement) -> Option<(Statement, Vec<String>)> {
    let Some(ResourceElement::Is(all)) = &statement.resource else { return None };
    let arn = subject.arn();
    let aside = |one: &&String| subject.folder().is_empty() && reach::is_set_aside(one, &arn);
    let parts: Vec<String> = all.iter().filter(aside).cloned().collect();
    if parts.is_empty() {
        return None;
    }
    let resource = Some(ResourceElement::Is(parts.clone()));
    let names = parts.iter().map(|one| one.strip_prefix(&format!("{arn}/")).unwrap_or(one).to_owned());
    Some((Statement { resource, ..statement.clone() }, names.collect()))
}

/// Whether a statement's `Principal` names W&B: its account, whichever way that is written, or somebody of it.
fn names(subject: &Subject<'_>, statement: &Statement) -> bool {
    let Some(PrincipalElement::Is(all)) = &statement.principal else { return false };
    let owner = subject.owner();
    let mut all = all.0.values().flatten();
    all.any(|name| {
        subject.wandb.principals.iter().any(|known| {
            // Where W&B runs in the bucket's own account, that account is not W&B.
            let same = account_of(name).is_some() && account_of(name) == account_of(known);
            let whole = |one: &str| one.parse::<Arn>().map_or(true, |arn| arn.resource == "root");
            name == known
                || (same && whole(name) && whole(known))
                || (same && account_of(name) != owner && (whole(name) || whole(known)))
        })
    })
}

/// A Deny without conditions that hold for every request, such as a user agent of `*`: then they say nothing.
fn without_void(subject: &Subject<'_>, about: (Guarded, &Named), statement: &Statement) -> Statement {
    let mut left = statement.clone();
    let networks: &[&str] = if subject.wandb.egress.is_empty() { &["aws:SourceIp"] } else { &[] };
    for key in ALWAYS.iter().chain(networks) {
        let mut without = left.clone();
        for keys in without.condition.values_mut() {
            keys.retain(|known, _| !known.eq_ignore_ascii_case(key));
        }
        without.condition.retain(|_, keys| !keys.is_empty());
        if without.condition != left.condition && as_much(subject, about, (&left, &without), key) {
            left = without;
        }
    }
    left
}

/// Whether the one Deny keeps all out that the other does, of requests that have the key.
fn as_much(
    subject: &Subject<'_>,
    about: (Guarded, &Named),
    (narrow, wide): (&Statement, &Statement),
    key: &str,
) -> bool {
    let action = if about.0 == Guarded::Key { "kms:*" } else { "s3:*" };
    let has = match key {
        "aws:SourceIp" => json!({"IpAddress": {key: ["0.0.0.0/0", "::/0"]}}),
        "s3:signatureAge" => json!({"NumericGreaterThanEquals": {key: "0"}}),
        _ => json!({"Null": {key: "false"}}),
    };
    let all = json!({"Effect": "Allow", "Principal": {"AWS": subject.wandb.principals}, "Action": action,
        "Resource": "*", "Condition": has});
    let Ok(all) = Statement::from_value(&all) else { return false };
    let with = |one: &Statement| Document::new(vec![all.clone(), one.clone()]);
    let (mut narrow, wide) = (with(narrow), with(wide));
    let bounds = circumstances(subject, about, [&narrow, &wide]);
    narrow.statements.extend(bounds);
    compare(&wide, &narrow, &Owner { guarded: about.0, account: None }) == Verdict::Within
}
