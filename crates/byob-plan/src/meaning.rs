//! What drift means, whichever way it went: a severity, and one sentence for people. A severity follows from the two sides
//! alone. Weaker access control or protection is exposure, and so is what cannot be told; what stops W&B is breakage.
//!
//! Rooms: `policy` asks the policy brain, `rules` looks at CORS and lifecycle rules; the other kinds stand here.

mod policy;
mod rules;

use std::collections::BTreeSet;

use byob_model::address::Kind;
use byob_model::kind::{
    Algorithm, Attributes, Encryption, Key, KeyRef, KeyState, Logging, ObjectLock, Ownership,
    PublicAccessBlock, RetentionMode, Rotation, SseC, Tags, VersioningStatus,
};
use byob_policy::Arn;

use crate::plan::DriftSeverity;

/// What two sides that differ mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub severity: DriftSeverity,
    pub sentence: String,
    /// Each of what was said; the worst is the severity.
    pub all: BTreeSet<DriftSeverity>,
}

/// Collects what is to be said.
#[derive(Debug, Default)]
struct Said(Vec<(DriftSeverity, String)>);

impl Said {
    fn exposure(&mut self, text: impl Into<String>) {
        self.0.push((DriftSeverity::Exposure, text.into()));
    }

    fn breakage(&mut self, text: impl Into<String>) {
        self.0.push((DriftSeverity::Breakage, text.into()));
    }

    fn other(&mut self, text: impl Into<String>) {
        self.0.push((DriftSeverity::Other, text.into()));
    }

    /// The worst first; where nothing was said, neither access nor W&B depends on it.
    fn end(mut self) -> Meaning {
        self.0.sort_by_key(|(severity, _)| *severity);
        let severity = self.0.first().map_or(DriftSeverity::Other, |(severity, _)| *severity);
        let all = self.0.iter().map(|(severity, _)| *severity).chain([severity]).collect();
        let sentences: Vec<String> = self.0.into_iter().map(|(_, text)| text).collect();
        let sentence =
            if sentences.is_empty() { severity.meaning().to_owned() } else { sentences.join("; ") };
        Meaning { severity, sentence, all }
    }
}

/// Judges what is recorded of a kind against what is live. A side that has nothing is `None`.
pub(crate) fn meaning(
    kind: Kind,
    account_id: &str,
    recorded: Option<&Attributes>,
    live: Option<&Attributes>,
) -> Meaning {
    use Attributes as A;
    let mut said = Said::default();
    match (kind, recorded, live) {
        (Kind::BucketPolicy | Kind::KeyPolicy, old, new) => {
            policy::policy(&mut said, kind, account_id, old, new);
        }
        (Kind::PublicAccessBlock, Some(A::PublicAccessBlock(old)), new) => {
            let new = match new {
                Some(A::PublicAccessBlock(new)) => Some(new),
                _ => None,
            };
            block(&mut said, old, new);
        }
        (Kind::Ownership, Some(A::Ownership(old)), Some(A::Ownership(new))) => {
            ownership(&mut said, &old.object_ownership, &new.object_ownership);
        }
        (Kind::Ownership, Some(_), None) => ownership(&mut said, "", "ObjectWriter"),
        (Kind::Encryption, Some(A::Encryption(old)), Some(A::Encryption(new))) => {
            encryption(&mut said, account_id, old, new);
        }
        (Kind::Encryption, Some(_), None) => {
            said.exposure("new objects are not encrypted as recorded any more");
        }
        (Kind::Versioning, Some(A::Versioning(_)), Some(A::Versioning(new))) => {
            versioning(&mut said, new.status);
        }
        (Kind::ObjectLock, old, new) => object_lock(&mut said, locked(old), locked(new)),
        (Kind::Cors, old, new) => rules::cors(&mut said, old, new),
        (Kind::Lifecycle, old, new) => rules::lifecycle(&mut said, old, new),
        (Kind::Logging, old, new) => logging(&mut said, &logs(old), &logs(new)),
        (Kind::Rotation, old, new) => rotation(&mut said, turning(old), turning(new)),
        (Kind::Key, Some(A::Key(old)), Some(A::Key(new))) => key(&mut said, old, new),
        (Kind::Alias, ..) => {
            said.other("byob and W&B go by the key's ARN, not by this alias; whoever goes by it finds no key, or another");
        }
        (Kind::BucketTags | Kind::KeyTags, old, new) => tags(&mut said, old, new),
        _ => said.exposure(DriftSeverity::Exposure.meaning()),
    }
    said.end()
}

/// Of a root that is gone, is somebody else's, or may not be looked at.
pub(crate) fn lost(kind: Kind, how: Lost) -> Meaning {
    let mut said = Said::default();
    match (kind, how) {
        (_, Lost::Another) => said.exposure(
            "it belongs to somebody else now: whoever still writes to this name gives them the data",
        ),
        (_, Lost::NotAllowed) => {
            said.exposure("byob cannot tell what became of it: this caller may not look at it");
        }
        (Kind::Key, Lost::Gone) => said.breakage("everything encrypted under it is unreadable for ever"),
        (_, Lost::Gone) => said.breakage("it was deleted outside byob, and its data with it"),
    }
    said.end()
}

/// What became of a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    Gone,
    Another,
    NotAllowed,
}

/// Versioning that nobody manages was on once, and is not any more.
pub(crate) fn versioning_off() -> Meaning {
    let mut said = Said::default();
    versioning(&mut said, VersioningStatus::Suspended);
    said.end()
}

fn block(said: &mut Said, old: &PublicAccessBlock, new: Option<&PublicAccessBlock>) {
    let Some(new) = new else {
        said.exposure("there is no block any more: public policies and public ACLs would now be accepted");
        return;
    };
    let off = |setting: fn(&PublicAccessBlock) -> bool| setting(old) && !setting(new);
    let on = |setting: fn(&PublicAccessBlock) -> bool| !setting(old) && setting(new);
    if off(|one| one.block_public_policy) {
        said.exposure("a public policy would now be accepted");
    }
    if off(|one| one.restrict_public_buckets) {
        said.exposure("a public policy would now let everybody in");
    }
    if off(|one| one.block_public_acls) {
        said.exposure("a public ACL would now be accepted");
    }
    if off(|one| one.ignore_public_acls) {
        said.exposure("public ACLs now count");
    }
    if on(|one| one.restrict_public_buckets) {
        said.breakage("while the policy is public, other accounts are cut off, W&B's too");
    }
    if on(|one| one.block_public_policy)
        || on(|one| one.block_public_acls)
        || on(|one| one.ignore_public_acls)
    {
        said.other("more is blocked than recorded");
    }
}

fn ownership(said: &mut Said, old: &str, new: &str) {
    // The stricter, the further on: who writes owns; the bucket's owner owns what asks for it; ACLs are off.
    let strict = |value: &str| match value {
        "ObjectWriter" => Some(0),
        "BucketOwnerPreferred" => Some(1),
        Ownership::ENFORCED => Some(2),
        _ => None,
    };
    match (strict(old), strict(new)) {
        (Some(old), Some(new)) if new > old => {
            said.other("fewer ACLs count than recorded; W&B comes in by the policy");
        }
        (_, Some(0)) => said.exposure(
            "ACLs count, and whoever writes an object owns it: this account may not be able to read what W&B writes",
        ),
        _ => said.exposure("ACLs count: whoever one names comes in past the policy"),
    }
}

fn encryption(said: &mut Said, account_id: &str, old: &Encryption, new: &Encryption) {
    let strength = |one: &Encryption| match one.algorithm {
        Algorithm::Aes256 => 0,
        Algorithm::Kms => 1,
        Algorithm::KmsDsse => 2,
    };
    let (was, is) = (old.algorithm.as_str(), new.algorithm.as_str());
    let others = |key: &Option<KeyRef>| match key {
        Some(_) => "whoever may use that key reads them, and W&B may not be allowed to",
        None => "no other account can use that key, so W&B can neither read nor write",
    };
    let strangers = new.kms_key.as_ref().and_then(|key| not_of(account_id, key));
    if strength(new) < strength(old) {
        let guard = if new.algorithm == Algorithm::Aes256 { ", and no key policy guards them" } else { "" };
        said.exposure(format!("new objects are encrypted less strongly, {was} → {is}{guard}"));
    } else if strength(old) == 0 && strength(new) > 0 && strangers.is_none() {
        let who = match new.kms_key {
            Some(_) => "a KMS key, which W&B may not be allowed to use",
            None => "AWS's own KMS key, which no other account can use: W&B can neither read nor write",
        };
        said.breakage(format!("new objects are encrypted under {who}"));
    } else if strength(new) > strength(old) {
        said.other(format!("new objects are encrypted more strongly, {was} → {is}"));
    }
    if let Some(whose) = strangers.filter(|_| old.kms_key != new.kms_key) {
        said.exposure(format!(
            "new objects are encrypted under {whose}: it decides who reads them, and can make them unreadable for ever"
        ));
        said.breakage("W&B may not be allowed to use that key");
    } else if strength(old) > 0 && strength(new) > 0 && old.kms_key != new.kms_key {
        said.exposure(format!("new objects are encrypted under another key: {}", others(&new.kms_key)));
    }
    match (old.sse_c, new.sse_c) {
        (Some(SseC::Blocked), Some(SseC::Allowed) | None) => said.exposure(
            "objects encrypted with a key that only the writer has (SSE-C) are accepted again: whoever may write can lock data away",
        ),
        (Some(SseC::Allowed) | None, Some(SseC::Blocked)) => {
            said.other("uploads with customer-provided keys (SSE-C) are refused; W&B makes none");
        }
        _ => {}
    }
    if old.bucket_key != new.bucket_key {
        said.other(if new.bucket_key {
            "an S3 bucket key is used: KMS is asked less often"
        } else {
            "no S3 bucket key is used: KMS is asked for every object, and that costs"
        });
    }
}

/// Whose key it is, where it is not this account's.
fn not_of(account_id: &str, key: &KeyRef) -> Option<String> {
    let KeyRef::Arn(name) = key else { return None };
    match name.parse::<Arn>() {
        Ok(arn) if arn.account == account_id => None,
        Ok(arn) => Some(format!("a key of account {}", arn.account)),
        // KMS looks up a bare id or alias in the account of whoever writes (S3 user guide, "Setting default server-side
        // encryption behavior").
        Err(_) => Some(format!("`{name}`, a key of the account of whoever writes")),
    }
}

fn versioning(said: &mut Said, new: VersioningStatus) {
    match new {
        VersioningStatus::Enabled => {
            said.other("what is overwritten or deleted is kept from now on, and paid for");
        }
        VersioningStatus::Suspended | VersioningStatus::Disabled => {
            said.exposure("what is overwritten or deleted from now on is lost");
        }
    }
}

fn locked(side: Option<&Attributes>) -> Option<&ObjectLock> {
    match side {
        Some(Attributes::ObjectLock(lock)) => Some(lock),
        _ => None,
    }
}

fn object_lock(said: &mut Said, old: Option<&ObjectLock>, new: Option<&ObjectLock>) {
    // AWS counts 365 days a year here.
    let days = |lock: &ObjectLock| lock.years.unwrap_or(0) * 365 + lock.days.unwrap_or(0);
    let mode = |lock: &ObjectLock| match lock.mode {
        None => 0,
        Some(RetentionMode::Governance) => 1,
        Some(RetentionMode::Compliance) => 2,
    };
    match (old, new) {
        (_, None) => said.exposure("objects are not locked any more"),
        (Some(old), Some(new)) if mode(new) < mode(old) || days(new) < days(old) => {
            said.exposure("new objects are locked less strictly, or for a shorter time");
        }
        (None, Some(_)) => {
            said.breakage("new objects are locked, and uploads without a checksum are refused");
        }
        (Some(old), Some(new)) if mode(old) == 0 && mode(new) > 0 => {
            said.breakage("new objects are locked, and uploads without a checksum are refused");
        }
        (Some(_), Some(_)) => said.other("new objects are locked more strictly, or for a longer time"),
    }
}

fn logs(side: Option<&Attributes>) -> Logging {
    match side {
        Some(Attributes::Logging(logging)) => logging.clone(),
        _ => Logging::off(),
    }
}

/// Access logs are how a break-in is found, and whoever breaks in switches them off first.
fn logging(said: &mut Said, old: &Logging, new: &Logging) {
    match (&old.target_bucket, &new.target_bucket) {
        (Some(_), None) => said.exposure("who reads and writes is not logged any more"),
        (Some(old), Some(new)) if old != new => {
            said.exposure("access logs go to another bucket, where nobody may look for them");
        }
        (None, Some(_)) => said.other("who reads and writes is logged now"),
        _ => said.other("access logs are named otherwise"),
    }
}

fn turning(side: Option<&Attributes>) -> Rotation {
    match side {
        Some(Attributes::Rotation(rotation)) => *rotation,
        _ => Rotation { enabled: false, period_days: None },
    }
}

fn rotation(said: &mut Said, old: Rotation, new: Rotation) {
    match (old.enabled, new.enabled) {
        (true, false) => said.exposure("the key's material is not renewed any more"),
        (false, true) => said.other("the key's material is renewed now"),
        _ if new.period_days > old.period_days => said.exposure("the key's material is renewed less often"),
        _ => said.other("the key's material is renewed more often"),
    }
}

fn key(said: &mut Said, old: &Key, new: &Key) {
    match (&old.state, &new.state) {
        (old, new) if old == new => {}
        (_, KeyState::PendingDeletion) => {
            said.breakage("nothing under this key can be read, and soon never again: cancel the deletion");
        }
        (_, KeyState::Disabled) => {
            said.breakage("nothing under this key can be read or written until it is enabled");
        }
        (_, KeyState::Other(_)) => {
            said.breakage("nothing under this key can be read or written in this state");
        }
        (_, KeyState::Enabled) => said.exposure("whoever its policy lets in can use the key again"),
    }
    if old.description != new.description {
        said.other("a description is for people: neither access nor W&B's work depends on it");
    }
}

fn tags(said: &mut Said, old: Option<&Attributes>, new: Option<&Attributes>) {
    let of = |side: Option<&Attributes>| match side {
        Some(Attributes::Tags(tags)) => tags.clone(),
        _ => Tags::default(),
    };
    let (old, new) = (of(old), of(new));
    let mut changed = old.tags.iter().filter(|(key, value)| new.tags.get(*key) != Some(value));
    said.other(if changed.any(|(key, _)| key.starts_with("byob:")) {
        "people cannot tell by its tags any more which configuration it belongs to; byob can, by its record"
    } else {
        "costs and reports may go by these tags; access does not, unless an IAM policy asks for them"
    });
}

#[cfg(test)]
mod tests;
