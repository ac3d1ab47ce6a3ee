//! Who gets in, by brute force over a small universe: every principal, action and circumstance that the generated
//! configurations can tell apart, asked one by one. Written for the judge alone, from AWS's rules of evaluation, and knowing
//! nothing of the policy brain that the plans are made with.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::kind::{Algorithm, KeyRef, Policy, SseC};
use serde_json::Value;

use crate::world::{ACCOUNT, Account, Bucket};

/// Who asks: an ARN (`None`: nobody who says who they are), and whether their own policies allow everything.
struct Requester {
    arn: Option<&'static str>,
    identity: bool,
}

const REQUESTERS: [Requester; 7] = [
    Requester { arn: Some("arn:aws:iam::725579432336:role/WandbIntegration"), identity: true },
    Requester { arn: Some("arn:aws:iam::111122223333:role/A"), identity: true },
    Requester { arn: Some("arn:aws:iam::111122223333:role/B"), identity: true },
    Requester { arn: Some("arn:aws:iam::444455556666:role/C"), identity: true },
    Requester { arn: Some("arn:aws:iam::123456789012:role/Admin"), identity: true },
    Requester { arn: Some("arn:aws:iam::123456789012:role/First"), identity: false },
    Requester { arn: None, identity: false },
];

/// Whether the request came by TLS.
const CIRCUMSTANCES: [bool; 2] = [true, false];

const ON_BUCKET: [(&str, &str); 5] = [
    ("s3:GetObject", "/x"),
    ("s3:PutObject", "/x"),
    ("s3:ListBucket", ""),
    ("s3:PutBucketPolicy", ""),
    ("s3:DeleteObject", "/x"),
];
const ON_KEY: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];

/// Something that somebody may do: who, by TLS or not, and what.
pub type Asked = (usize, bool, What);

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The action of this number on the bucket.
    Bucket(usize),
    /// Reading an object that is encrypted under a key: both policies have to allow it.
    Read(String),
    /// Writing an object under the default encryption.
    Write,
}

/// What decides access to a bucket, and how well it is protected.
#[derive(Debug, Clone, PartialEq)]
pub struct Door {
    /// The policy; `Null` for none.
    pub policy: Value,
    /// `restrict_public_buckets`.
    pub restricted: bool,
    /// The default key.
    pub key: Option<String>,
    /// How strong the default encryption is.
    pub strength: u8,
}

/// What decides access to everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Doors {
    /// By bucket.
    pub buckets: BTreeMap<String, Door>,
    /// Policies by key.
    pub keys: BTreeMap<String, Value>,
}

impl Door {
    /// Of a bucket.
    #[must_use]
    pub fn of(bucket: &Bucket) -> Self {
        Self {
            policy: bucket.policy.as_ref().map_or(Value::Null, json),
            restricted: bucket.block.is_some_and(|block| block.restrict_public_buckets),
            key: match &bucket.encryption.kms_key {
                Some(KeyRef::Arn(arn)) => Some(arn.clone()),
                _ => None,
            },
            strength: strength(bucket.encryption.algorithm, bucket.encryption.sse_c),
        }
    }

    /// Whether anybody at all gets in.
    #[must_use]
    pub fn is_public(&self) -> bool {
        !self.restricted && is_public(&self.policy)
    }
}

/// How strong a default encryption is; that others' keys are refused counts least.
#[must_use]
pub fn strength(algorithm: Algorithm, sse_c: Option<SseC>) -> u8 {
    let kind = match algorithm {
        Algorithm::Aes256 => 0,
        Algorithm::Kms => 2,
        Algorithm::KmsDsse => 4,
    };
    kind + u8::from(sse_c != Some(SseC::Allowed))
}

/// A policy as JSON.
#[must_use]
pub fn json(policy: &Policy) -> Value {
    serde_json::from_str(&policy.document.to_json()).unwrap_or(Value::Null)
}

impl Doors {
    /// Of an account.
    #[must_use]
    pub fn of(account: &Account) -> Self {
        Self {
            buckets: account.buckets.iter().map(|(name, b)| (name.clone(), Door::of(b))).collect(),
            keys: account.keys.iter().map(|(arn, key)| (arn.clone(), json(&key.policy))).collect(),
        }
    }

    /// Everything that goes through at a bucket. `keys`: those that its data may be encrypted under.
    #[must_use]
    pub fn access(&self, bucket: &str, keys: &BTreeSet<String>) -> BTreeSet<Asked> {
        let mut all = BTreeSet::new();
        let Some(door) = self.buckets.get(bucket) else { return all };
        let public = is_public(&door.policy);
        for (who, requester) in REQUESTERS.iter().enumerate() {
            for tls in CIRCUMSTANCES {
                let may: Vec<bool> = ON_BUCKET
                    .iter()
                    .map(|(action, path)| {
                        let on = format!("arn:aws:s3:::{bucket}{path}");
                        let cut_off = door.restricted && public && !is_own(requester);
                        !cut_off && allows(&door.policy, requester, action, &on, tls, false)
                    })
                    .collect();
                let key = |arn: &str, action| {
                    self.keys.get(arn).is_some_and(|policy| allows(policy, requester, action, arn, tls, true))
                };
                all.extend((0..may.len()).filter(|at| may[*at]).map(|at| (who, tls, What::Bucket(at))));
                let read = keys.iter().filter(|arn| may[0] && key(arn, ON_KEY[0]));
                all.extend(read.map(|arn| (who, tls, What::Read(arn.clone()))));
                if may[1] && door.key.as_ref().is_none_or(|arn| key(arn, ON_KEY[1])) {
                    all.insert((who, tls, What::Write));
                }
            }
        }
        all
    }
}

/// In words, for whoever reads a failure.
#[must_use]
pub fn said((who, tls, what): &Asked) -> String {
    let who = REQUESTERS[*who].arn.unwrap_or("anybody");
    let how = if *tls { "" } else { " without TLS" };
    match what {
        What::Bucket(at) => format!("{who}{how}: {}", ON_BUCKET[*at].0),
        What::Read(key) => format!("{who}{how}: read under {key}"),
        What::Write => format!("{who}{how}: write"),
    }
}

fn is_own(requester: &Requester) -> bool {
    requester.arn.is_some_and(|arn| account_of(arn) == ACCOUNT)
}

fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or("")
}

/// AWS's evaluation: a Deny that matches ends it; within one account either side's Allow will do (of a key, its policy has
/// to let the account in); across accounts both are needed.
fn allows(policy: &Value, who: &Requester, action: &str, on: &str, tls: bool, key: bool) -> bool {
    let statements = || policy["Statement"].as_array().into_iter().flatten();
    let about = |s: &&Value| {
        matches(&s["Action"], action) && (key || matches(&s["Resource"], on)) && holds(&s["Condition"], tls)
    };
    let effect = |s: &&Value, wanted: &str| s["Effect"] == wanted;
    let denied = statements()
        .filter(|s| effect(s, "Deny"))
        .filter(about)
        .any(|s| names(&s["Principal"], who) != Named::Not);
    if denied {
        return false;
    }
    let mut named: Vec<Named> = Vec::new();
    named.extend(
        statements().filter(|s| effect(s, "Allow")).filter(about).map(|s| names(&s["Principal"], who)),
    );
    let own_policy_suffices = is_own(who) && !key;
    named.contains(&Named::Itself) && (is_own(who) || who.identity || who.arn.is_none())
        || named.contains(&Named::ItsAccount) && who.identity
        || own_policy_suffices && who.identity
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Not,
    /// Its account is, whose owner decides.
    ItsAccount,
    Itself,
}

fn names(principal: &Value, who: &Requester) -> Named {
    let anyone = |value: &Value| value == "*";
    if anyone(principal) {
        return Named::Itself;
    }
    let listed = match &principal["AWS"] {
        Value::Array(all) => all.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    };
    let mut named = Named::Not;
    for value in listed {
        let Some(text) = value.as_str() else { continue };
        if text == "*" || Some(text) == who.arn {
            return Named::Itself;
        }
        let account = who.arn.map(account_of);
        if Some(text) == account || text.ends_with(":root") && Some(account_of(text)) == account {
            named = Named::ItsAccount;
        }
    }
    named
}

fn matches(patterns: &Value, text: &str) -> bool {
    match patterns {
        Value::String(pattern) => glob(pattern.as_bytes(), text.as_bytes()),
        Value::Array(all) => all.iter().any(|pattern| matches(pattern, text)),
        _ => false,
    }
}

/// `*` is any number of characters, `?` one; letters count alike whatever their case.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            glob(rest, text) || text.split_first().is_some_and(|(_, later)| glob(pattern, later))
        }
        (Some((b'?', rest)), Some((_, later))) => glob(rest, later),
        (Some((one, rest)), Some((other, later))) => one.eq_ignore_ascii_case(other) && glob(rest, later),
        _ => false,
    }
}

/// Whether all conditions hold. What the universe does not have is as AWS has it: a key that is not there fails a plain
/// operator, and passes one that negates.
fn holds(conditions: &Value, tls: bool) -> bool {
    let Some(operators) = conditions.as_object() else { return true };
    operators.iter().all(|(operator, keys)| {
        keys.as_object().into_iter().flatten().all(|(key, wanted)| {
            if key.eq_ignore_ascii_case("aws:SecureTransport") {
                let value = if tls { "true" } else { "false" };
                return matches(wanted, value);
            }
            operator.contains("Not") || operator.ends_with("IfExists")
        })
    })
}

/// S3's sense of it, for the policies that are generated: an Allow for anyone without a condition.
fn is_public(policy: &Value) -> bool {
    policy["Statement"].as_array().into_iter().flatten().any(|s| {
        let unconditional = s["Condition"].as_object().is_none_or(serde_json::Map::is_empty);
        let stranger = Requester { arn: None, identity: false };
        s["Effect"] == "Allow" && unconditional && names(&s["Principal"], &stranger) == Named::Itself
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn may(policy: &Value, who: usize, action: &str, tls: bool) -> bool {
        allows(policy, &REQUESTERS[who], action, "arn:aws:s3:::b/x", tls, false)
    }

    #[test]
    fn others_need_both_sides_and_owners_one() {
        let none = json!({ "Statement": [] });
        assert!(may(&none, 4, "s3:GetObject", true) && !may(&none, 5, "s3:GetObject", true));
        let a = json!({ "Statement": [{ "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::111122223333:root" },
            "Action": ["s3:Get*"], "Resource": "arn:aws:s3:::b/*" }] });
        assert!(
            may(&a, 1, "s3:GetObject", true)
                && !may(&a, 1, "s3:PutObject", true)
                && !may(&a, 3, "s3:GetObject", true)
        );
    }

    #[test]
    fn a_deny_ends_it_where_its_condition_holds() {
        let tls = json!({ "Statement": [{ "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
            "Condition": { "Bool": { "aws:SecureTransport": "false" } } }] });
        assert!(may(&tls, 4, "s3:GetObject", true) && !may(&tls, 4, "s3:GetObject", false));
        assert!(!is_public(&tls));
    }

    #[test]
    fn anyone_is_public() {
        let all = json!({ "Statement": [{ "Effect": "Allow", "Principal": { "AWS": ["*"] }, "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::b/*" }] });
        assert!(is_public(&all) && may(&all, 6, "s3:GetObject", true) && !may(&all, 6, "s3:PutObject", true));
    }

    #[test]
    fn a_key_lets_in_whom_its_policy_lets_in() {
        let root = json!({ "Statement": [{ "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::123456789012:root" },
            "Action": "kms:*", "Resource": "*" }] });
        let none = json!({ "Statement": [] });
        let decrypts = |policy: &Value, who: usize| {
            allows(policy, &REQUESTERS[who], "kms:Decrypt", "arn:aws:kms:x", true, true)
        };
        assert!(decrypts(&root, 4) && !decrypts(&root, 5) && !decrypts(&root, 1) && !decrypts(&none, 4));
    }
}
