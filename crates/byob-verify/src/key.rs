//! Whether the key that a bucket is on lets W&B use it, and nobody else beyond what the configuration says.
//!
//! Source: KMS developer guide, "Allowing users in other accounts to use a KMS key"; W&B documentation, "Bring your own
//! bucket".

use byob_model::Kind;
use byob_model::desired::{KEY_USE_ACTIONS, REFERENCE_KEY_ACTIONS};
use byob_model::kind::{Algorithm, Attributes, KeyRef, KeyState, Purpose};
use byob_model::live::{KeyFacts, LiveAspect, LiveKey};
use byob_policy::{
    Circumstances, Document, Guarded, Reason, Request, ResourceClass, actions_matching, evaluate,
};

use crate::FOLDER;
use crate::check::{Check, Outcome};
use crate::grants::{after_single, own_side, requesters};
use crate::others::{beyond, guards, named};
use crate::probe::Encrypted;
use crate::subject::{Subject, UsedKey};
use crate::whole::{Named, left_whole, needed};
use crate::words::{account_of, statement, words};

/// What each action is for, and what W&B fails to do without it.
fn meaning(pattern: &str) -> (&'static str, &'static str) {
    match pattern {
        "kms:Decrypt" => {
            ("decrypt", "files do not open: 403 on download, although the bucket policy is right")
        }
        "kms:Describe*" => ("look at the key", "the check of the key fails when a team is made"),
        "kms:Encrypt" => ("encrypt", "runs cannot upload: 403 on upload"),
        "kms:ReEncrypt*" => ("re-encrypt", "copies inside the bucket fail with 403"),
        _ => ("make data keys", "runs cannot upload: 403 on upload, although the bucket policy is right"),
    }
}

pub(crate) fn checks(subject: &Subject<'_>) -> Vec<Check> {
    let mut checks: Vec<Check> = by_default(subject).into_iter().collect();
    checks.extend(of_key(subject));
    checks
}

/// Whether new objects are encrypted as the configuration says; without a request, so that it is known too where nothing may
/// be written.
fn by_default(subject: &Subject<'_>) -> Option<Check> {
    let wanted = subject.wants_encrypted()?;
    let found = match subject.facts()?.aspects.get(&Kind::Encryption)? {
        LiveAspect::Present(Attributes::Encryption(found)) => {
            let key = match &found.kms_key {
                Some(KeyRef::Arn(arn)) => Some(arn.as_str()),
                _ => None,
            };
            Encrypted::of(found, key)
        }
        _ => Encrypted::default(),
    };
    let outcome = if found == wanted {
        Outcome::PASSED
    } else {
        Outcome::failed(
            format!(
                "the bucket's default encryption is {}, and byob.toml wants {}",
                found.told(),
                wanted.told()
            ),
            "byob plan shows the change, byob apply puts it back; what was written meanwhile stays as it is",
            "403 on uploads and downloads, should the key keep it out",
        )
    };
    let proves = "new objects are encrypted by default as byob.toml says";
    Some(Check::new("default-encryption", &subject.address.aspect(Kind::Encryption), proves, outcome))
}

fn of_key(subject: &Subject<'_>) -> Vec<Check> {
    let Some(key) = &subject.key else { return aws_owned(subject).into_iter().collect() };
    // Two buckets may be on one key: what it is to them stands with each.
    let address = subject.address.aspect(Kind::Encryption);
    let usable =
        |outcome| Check::new("key", &address, format!("its key {} exists and is enabled", key.name), outcome);
    let broken = "403 or KMS.DisabledException on every upload and download";
    let facts: &KeyFacts = match (&key.arn, key.live) {
        (None, _) => {
            let seen = format!("no key has the alias of {}, as far as this caller may see", key.name);
            return vec![usable(Outcome::failed(
                seen,
                "byob plan shows what is missing, byob apply mends it",
                broken,
            ))];
        }
        (Some(arn), Some(LiveKey::Absent)) => {
            let seen = format!("there is no key {arn}");
            let cure = "name a key that exists in `encryption`; what was written under a deleted key is lost";
            return vec![usable(Outcome::failed(seen, cure, broken))];
        }
        (Some(_), Some(LiveKey::Exists(facts))) => facts,
        (Some(arn), None | Some(LiveKey::Forbidden)) => {
            return vec![usable(unread(subject, arn, "look at the key (kms:DescribeKey, kms:GetKeyPolicy)"))];
        }
    };
    let state = match &facts.state {
        KeyState::Enabled => Outcome::PASSED,
        state => Outcome::failed(
            format!("the key's state is {}", state.as_str()),
            "cancel its deletion and enable it (aws kms cancel-key-deletion, aws kms enable-key)",
            broken,
        ),
    };
    let mut checks = vec![usable(state)];
    let document = match facts.aspects.get(&Kind::KeyPolicy) {
        Some(LiveAspect::Present(Attributes::Policy(policy))) => &policy.document,
        _ => {
            let outcome = unread(subject, &facts.arn, "read the key's policy (kms:GetKeyPolicy)");
            let proves = format!("the policy of {} lets W&B use it, and nobody else", key.name);
            checks.push(Check::new("key-policy", &address, proves, outcome));
            return checks;
        }
    };
    if subject.root.wandb_access {
        let patterns: &[&str] = match subject.purpose() {
            Purpose::Storage => &KEY_USE_ACTIONS,
            Purpose::Reference => &REFERENCE_KEY_ACTIONS,
        };
        checks.extend(patterns.iter().map(|pattern| {
            let proves = format!("the policy of {} lets W&B {}", key.name, meaning(pattern).0);
            let outcome = grant(subject, key, facts, document, pattern);
            Check::new(*pattern, &address, proves, outcome)
        }));
        let needed = needed(subject, patterns, &["*".to_owned()]);
        let named = match subject.desired_encryption() {
            Some(encryption) if encryption.bucket_key => Named::Bucket,
            _ => Named::Objects,
        };
        let about = (Guarded::Key, &named);
        let whole = left_whole(subject, about, (key.desired, needed.as_ref()), document, None);
        checks.extend(whole.map(|outcome| {
            let proves = "W&B may do all of that whenever and as whichever of its roles it asks";
            Check::new("key-whole", &address, proves, after_single(&checks, outcome))
        }));
    }
    let outcome = match key.desired {
        Some(desired) => beyond(subject, Guarded::Key, desired, document),
        None => match named(subject, document, None) {
            others if others.is_empty() => Outcome::PASSED,
            others => {
                Outcome::skipped(format!("the key is not byob's to manage; its policy lets in {others} too"))
            }
        },
    };
    let proves = format!("the policy of {} lets in nobody whom byob.toml does not name", key.name);
    checks.push(Check::new("key-nobody-else", &address, proves, outcome));
    if let Some(outcome) = key.desired.and_then(|desired| guards(subject, Guarded::Key, desired, document)) {
        let proves = format!("the policy of {} still forbids all that byob.toml forbids", key.name);
        checks.push(Check::new("key-guards", &address, proves, outcome));
    }
    checks
}

/// What comes of a key that this caller may not read. Another account's key policy can be read by nobody here (KMS has
/// no GetKeyPolicy across accounts), so that is told; in this account it is a right that is missing, and no yes.
fn unread(subject: &Subject<'_>, arn: &str, what: &str) -> Outcome {
    if account_of(arn) == subject.owner() {
        Outcome::failed(
            format!("this caller may not {what}: who may use it is not proved"),
            "give this caller the rights of byob plan (docs/commands.md), and verify again",
            "403 on every upload and download, should the key keep it out",
        )
    } else {
        Outcome::skipped(format!(
            "this caller may not {what}, as is usual for a key of another account: that W&B may use it is proved by \
             --as with a role of W&B's alone, and who else may by that account's owner"
        ))
    }
}

fn grant(
    subject: &Subject<'_>,
    key: &UsedKey<'_>,
    facts: &KeyFacts,
    document: &Document,
    pattern: &str,
) -> Outcome {
    let owner = account_of(&facts.arn).or_else(|| subject.owner());
    let encrypted = encrypted(subject);
    let actions = actions_matching(pattern).filter(|action| action.classes.contains(&ResourceClass::Key));
    for action in actions {
        for (name, who) in requesters(subject) {
            let identity = own_side(&who, owner.as_ref(), key.desired.is_some());
            let place = (subject.region(), encrypted.as_str());
            let request = Request::of_key_by_s3(who, action.name, facts.arn.clone(), place);
            let decision =
                evaluate(document, &request, &Circumstances::new(Guarded::Key, owner.clone(), identity));
            if decision.is_allowed() {
                continue;
            }
            let why = match (decision.reason, decision.deciding.first()) {
                (Reason::DeniedByStatement, Some(index)) => {
                    format!("{} denies it", statement(document, *index))
                }
                (Reason::IdentityMissing, _) => "its account is let in, and it is not named".to_owned(),
                _ => "no statement allows it".to_owned(),
            };
            let cure = match key.desired {
                Some(_) => "byob plan shows what was changed, byob apply puts byob's own key policy back",
                None => {
                    "have W&B's use put into the key's policy by whoever owns it: a bucket policy alone gives 403"
                }
            };
            let seen = format!("{} may not {} on the key: {why}", words(subject, &name), action.name);
            return Outcome::failed(seen, cure, meaning(pattern).1);
        }
    }
    Outcome::PASSED
}

/// What S3 names to KMS where it uses the key: the bucket under a bucket key, else each object.
fn encrypted(subject: &Subject<'_>) -> String {
    match subject.desired_encryption() {
        Some(encryption) if encryption.bucket_key => subject.arn(),
        _ => format!("{}/{}{FOLDER}", subject.arn(), subject.folder()),
    }
}

/// A bucket on AWS's own key `aws/s3`, whose policy nobody can change.
fn aws_owned(subject: &Subject<'_>) -> Option<Check> {
    let LiveAspect::Present(Attributes::Encryption(encryption)) =
        subject.facts()?.aspects.get(&Kind::Encryption)?
    else {
        return None;
    };
    if encryption.algorithm == Algorithm::Aes256 || encryption.kms_key.is_some() || !subject.root.wandb_access
    {
        return None;
    }
    let owner = subject.owner();
    let (name, _) = requesters(subject).into_iter().find(|(_, who)| who.account() != owner)?;
    Some(Check::new(
        "key",
        &subject.address.aspect(Kind::Encryption),
        "W&B may use the key that the bucket is on",
        Outcome::failed(
            format!(
                "the bucket is encrypted with AWS's own key aws/s3, which {} can never use",
                words(subject, &name)
            ),
            format!("write `encryption` into [{}]: \"sse-s3\", or a key of your own", subject.address),
            "403 on every upload and download",
        ),
    ))
}
