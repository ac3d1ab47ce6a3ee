//! One request against one resource policy: explicit deny, allow, or implicit deny, with the statements that decide.
//! The rules for the owner's account, for other accounts and for key policies stand here. What no document shows
//! (service control policies, session policies, KMS grants, access points, ACLs) is not looked at.
//!
//! Source: IAM user guide, "Policy evaluation logic", "Cross-account policy evaluation logic"; KMS developer guide,
//! "Key policies"; S3 user guide, "Blocking public access".

use std::fmt;

use crate::arn::{AccountId, Arn};
use crate::canonical::folded_key;
use crate::condition::{filled, holds};
use crate::document::{
    ActionElement, Document, Effect, PrincipalElement, ResourceElement, Statement, Version,
};
use crate::pattern::glob;
use crate::publicity::{Publicity, is_public};
use crate::request::{Request, Requester};

/// What the policy hangs on: it decides what an identity policy of the same account can do alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Guarded {
    /// A bucket: in the owner's account an identity policy suffices.
    Bucket,
    /// A KMS key: identity policies count only where the key policy lets them.
    Key,
}

impl Guarded {
    /// What a request is about, by its action: `kms:…` is a key, all else a bucket.
    pub fn by_action(action: &str) -> Self {
        match action.get(..4) {
            Some(service) if service.eq_ignore_ascii_case("kms:") => Self::Key,
            _ => Self::Bucket,
        }
    }
}

/// What the policies of the requester's own account give it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// Nothing.
    #[default]
    Nothing,
    /// Everything.
    Everything,
    /// What these identity policies allow, and do not deny.
    Policies(Vec<Document>),
}

/// What else decides beside the document and the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// What the policy hangs on.
    pub guarded: Guarded,
    /// The account that owns it; `None` if that is not known: then every requester is treated as one of another
    /// account, for which both sides must allow.
    pub owner: Option<AccountId>,
    /// The requester's own side. The root user of an account may do everything there; anonymous requests, services and
    /// principals of other stores have no such side.
    pub identity: Identity,
    /// Whether the bucket's public access block has `RestrictPublicBuckets` on.
    pub restrict_public_buckets: bool,
}

impl Circumstances {
    /// A bucket or key of `owner`, without a public access block, whose requester has `identity`.
    pub fn new(guarded: Guarded, owner: Option<AccountId>, identity: Identity) -> Self {
        Self { guarded, owner, identity, restrict_public_buckets: false }
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It goes through.
    Allow,
    /// A Deny refuses it.
    ExplicitDeny,
    /// Nothing lets it through.
    ImplicitDeny,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A Deny of the document matches.
    DeniedByStatement,
    /// A Deny of the requester's own policies matches.
    DeniedByIdentity,
    /// `RestrictPublicBuckets` cuts other accounts off, because a statement is public.
    CutOffAsPublic,
    /// The document names the requester (or anyone), which suffices.
    Granted,
    /// The document allows, and so does the requester's own side.
    BothAllow,
    /// The requester's own policies suffice in the account that owns the bucket.
    OwnIdentity,
    /// No statement allows.
    NoStatement,
    /// The document allows; the requester's own side does not, and would have to.
    IdentityMissing,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DeniedByStatement => "a Deny matches",
            Self::DeniedByIdentity => "a Deny of the requester's own policies matches",
            Self::CutOffAsPublic => {
                "a statement is public, and RestrictPublicBuckets cuts off whoever is not of the owner's account"
            }
            Self::Granted => "an Allow names the requester",
            Self::BothAllow => "an Allow matches, and the requester's own policies allow it too",
            Self::OwnIdentity => "the requester's own policies suffice in the owner's account",
            Self::NoStatement => "no Allow matches",
            Self::IdentityMissing => {
                "an Allow matches, but the requester's own policies would have to allow it too"
            }
        })
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What becomes of the request.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// The statements of the document that decide, by their index from 0: the Denies that match, or the Allows; for
    /// [`Reason::CutOffAsPublic`] the public one.
    pub deciding: Vec<usize>,
}

impl Decision {
    /// Whether the request goes through.
    pub fn is_allowed(&self) -> bool {
        self.outcome == Outcome::Allow
    }
}

/// How a `Principal` matches a requester.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Match {
    /// Not.
    None,
    /// By its account: identity policies of that account decide further.
    Account,
    /// By itself.
    Direct,
}

/// Decides one request.
///
/// The order is AWS's: a Deny anywhere wins; then the public access block; then, for a requester of the owner's
/// account, an Allow that names it suffices, and its own policies suffice for a bucket, but for a key only beside an
/// Allow to the account; for one of another account both sides must allow.
///
/// `NotPrincipal` matches whomever the same `Principal` would not (AWS's page warns that a Deny may then reach further
/// than it reads; comparison takes that into account). A value whose variable the request lacks matches nothing. A
/// `CanonicalUser` or `Federated` principal matches only a requester named that way.
pub fn evaluate(document: &Document, request: &Request, circumstances: &Circumstances) -> Decision {
    let mut denies = Vec::new();
    let mut allows = Vec::new();
    let mut best = Match::None;
    for (index, statement) in document.statements.iter().enumerate() {
        let who = principal_match(statement, request.principal());
        if who == Match::None || !matches_besides_principal(statement, document.version, request) {
            continue;
        }
        match statement.effect {
            Effect::Deny => denies.push(index),
            Effect::Allow => {
                best = best.max(who);
                allows.push(index);
            }
        }
    }
    let decide = |outcome, reason, deciding| Decision { outcome, reason, deciding };
    if !denies.is_empty() {
        return decide(Outcome::ExplicitDeny, Reason::DeniedByStatement, denies);
    }
    let identity = identity_allows(request, &circumstances.identity);
    if identity == Some(Effect::Deny) {
        return decide(Outcome::ExplicitDeny, Reason::DeniedByIdentity, Vec::new());
    }
    let account = request.principal().account();
    let own = account.is_some() && account == circumstances.owner;
    if circumstances.restrict_public_buckets
        && circumstances.guarded == Guarded::Bucket
        && !own
        && !matches!(request.principal(), Requester::Service(_))
        && let Publicity::Public { statement, .. } = is_public(document)
    {
        return decide(Outcome::ImplicitDeny, Reason::CutOffAsPublic, vec![statement]);
    }
    let identity = identity == Some(Effect::Allow);
    let has_identity = account.is_some();
    match best {
        Match::None if own && identity && circumstances.guarded == Guarded::Bucket => {
            decide(Outcome::Allow, Reason::OwnIdentity, Vec::new())
        }
        Match::None => decide(Outcome::ImplicitDeny, Reason::NoStatement, Vec::new()),
        Match::Direct if own || !has_identity => decide(Outcome::Allow, Reason::Granted, allows),
        Match::Direct | Match::Account if identity => decide(Outcome::Allow, Reason::BothAllow, allows),
        Match::Direct | Match::Account => decide(Outcome::ImplicitDeny, Reason::IdentityMissing, allows),
    }
}

/// What the requester's own side says; `None`: nothing.
fn identity_allows(request: &Request, identity: &Identity) -> Option<Effect> {
    if matches!(request.principal(), Requester::Root(_)) {
        return Some(Effect::Allow);
    }
    match identity {
        Identity::Nothing => None,
        Identity::Everything => Some(Effect::Allow),
        Identity::Policies(all) => {
            let says = |effect| {
                all.iter().any(|document| {
                    document.statements.iter().any(|one| {
                        one.effect == effect && matches_besides_principal(one, document.version, request)
                    })
                })
            };
            if says(Effect::Deny) { Some(Effect::Deny) } else { says(Effect::Allow).then_some(Effect::Allow) }
        }
    }
}

/// Whether action, resource and conditions match.
fn matches_besides_principal(statement: &Statement, version: Version, request: &Request) -> bool {
    action_matches(&statement.action, request.action())
        && statement.resource.as_ref().is_none_or(|element| resource_matches(element, version, request))
        && statement.condition.iter().all(|(name, keys)| {
            // No parsed document has an operator that is none.
            let Ok(operator) = name.parse() else { return false };
            keys.iter().all(|(key, values)| {
                holds(operator, values, version, request.values(&folded_key(key)), request)
            })
        })
}

pub(crate) fn action_matches(element: &ActionElement, action: &str) -> bool {
    let any = |all: &[String]| all.iter().any(|pattern| glob(pattern, action, true));
    match element {
        ActionElement::Is(all) => any(all),
        ActionElement::Not(all) => !any(all),
    }
}

pub(crate) fn resource_matches(element: &ResourceElement, version: Version, request: &Request) -> bool {
    let any = |all: &[String]| {
        all.iter().any(|pattern| {
            filled(pattern, version, request).is_some_and(|value| value.like(request.resource()))
        })
    };
    match element {
        ResourceElement::Is(all) => any(all),
        ResourceElement::Not(all) => !any(all),
    }
}

/// How the statement's principal matches; [`Match::Direct`] where it has none.
pub(crate) fn principal_match(statement: &Statement, requester: &Requester) -> Match {
    let best = |element: &PrincipalElement| {
        let kinds = element.principals().0.iter();
        kinds
            .flat_map(|(kind, values)| values.iter().map(move |value| one_principal(kind, value, requester)))
            .max()
            .unwrap_or(Match::None)
    };
    match &statement.principal {
        None => Match::Direct,
        Some(element @ PrincipalElement::Is(_)) => best(element),
        Some(element @ PrincipalElement::Not(_)) => match best(element) {
            Match::None => Match::Direct,
            Match::Account | Match::Direct => Match::None,
        },
    }
}

/// How one value of a principal matches.
pub(crate) fn one_principal(kind: &str, value: &str, requester: &Requester) -> Match {
    let when = |matched: bool| if matched { Match::Direct } else { Match::None };
    match (kind, requester) {
        ("*", _) => Match::Direct,
        ("AWS", _) if value == "*" => Match::Direct,
        ("AWS", Requester::Other { kind: own, value: name }) => when(own == "AWS" && value == name),
        ("AWS", _) => aws_principal(value, requester),
        ("Service", Requester::Service(name)) => when(glob(value, name, true)),
        (_, Requester::Other { kind: own, value: name }) => when(kind == own && glob(value, name, false)),
        _ => Match::None,
    }
}

fn aws_principal(value: &str, requester: &Requester) -> Match {
    let Some(arn) = requester.arn() else { return Match::None };
    if let Some(account) = account_of_root(value) {
        let there = account.partition.is_none_or(|partition| partition == arn.partition.as_str());
        return match requester {
            _ if account.id != arn.account || !there => Match::None,
            Requester::Root(_) => Match::Direct,
            _ => Match::Account,
        };
    }
    if glob(value, &arn.to_string(), false) {
        return Match::Direct;
    }
    let Some((role, _)) = requester.session() else { return Match::None };
    // A session shows its role's name without the path.
    let own = value.parse::<Arn>().is_ok_and(|named| {
        named.service == "iam"
            && named.partition == arn.partition
            && named.account == arn.account
            && named.resource.starts_with("role/")
            && named.resource.rsplit('/').next() == Some(role)
    });
    if own || requester.principal_arn().is_some_and(|arn| glob(value, &arn, false)) {
        Match::Direct
    } else {
        Match::None
    }
}

/// A principal that is a whole account.
pub(crate) struct Account<'a> {
    pub(crate) id: &'a str,
    /// `None` for a bare account id.
    pub(crate) partition: Option<&'a str>,
}

/// The account that `123456789012` or `arn:<partition>:iam::123456789012:root` stands for.
pub(crate) fn account_of_root(value: &str) -> Option<Account<'_>> {
    if AccountId::is(value) {
        return Some(Account { id: value, partition: None });
    }
    let (partition, id) = value.strip_prefix("arn:")?.strip_suffix(":root")?.split_once(":iam::")?;
    (AccountId::is(id) && !partition.contains([':', '*', '?']))
        .then_some(Account { id, partition: Some(partition) })
}

#[cfg(test)]
#[path = "evaluate_tests.rs"]
mod tests;
