//! Who is who in a policy: the owner's account, W&B, and everybody else.
//!
//! Source of W&B's accounts: W&B documentation, "Bring your own bucket".

use std::collections::BTreeSet;

use byob_model::config::Wandb;
use byob_policy::{AccountId, Arn, Document, Effect, PrincipalElement, Statement};

/// W&B's account behind Multi-tenant Cloud.
pub(super) const MULTI_TENANT: &str = "725579432336";
/// W&B's account behind Dedicated Cloud.
pub(super) const DEDICATED: &str = "830241207209";

/// The owner and W&B.
pub(super) struct Who<'a> {
    /// `None` only where the account's id is none.
    pub(super) owner: Option<AccountId>,
    pub(super) wandb: &'a Wandb,
}

/// The account of a principal that names one.
pub(super) fn account_of(principal: &str) -> Option<AccountId> {
    principal.parse().ok().or_else(|| principal.parse::<Arn>().ok()?.account_id())
}

impl<'a> Who<'a> {
    pub(super) fn new(owner: &str, wandb: &'a Wandb) -> Self {
        Self { owner: owner.parse().ok(), wandb }
    }

    pub(super) fn is_owners(&self, account: &AccountId) -> bool {
        self.owner.as_ref() == Some(account)
    }

    /// Whether a principal is W&B: one of the configuration's, or of an account that is W&B's.
    pub(super) fn is_wandb(&self, principal: &str) -> bool {
        if self.wandb.principals.contains(principal) {
            return true;
        }
        let Some(account) = account_of(principal) else { return false };
        let configured = self.wandb.principals.iter().filter_map(|p| account_of(p));
        let theirs: BTreeSet<AccountId> = configured.filter(|a| !self.is_owners(a)).collect();
        theirs.contains(&account) || [MULTI_TENANT, DEDICATED].contains(&account.as_str())
    }
}

/// How people find a statement: by its `Sid`, else by its number from 1.
pub(super) fn statement(document: &Document, index: usize) -> String {
    match document.statements.get(index).and_then(|s| s.sid.as_deref()).filter(|sid| !sid.is_empty()) {
        Some(sid) => format!("statement `{sid}`"),
        None => format!("statement {}", index + 1),
    }
}

/// The AWS principals of a statement, whether meant or left out.
pub(super) fn principals(statement: &Statement) -> impl Iterator<Item = &str> {
    principals_of(statement, "AWS")
}

/// Those of another kind.
pub(super) fn principals_of<'a>(statement: &'a Statement, kind: &str) -> impl Iterator<Item = &'a str> {
    let all = statement.principal.iter().filter_map(|element| element.principals().0.get(kind));
    all.flatten().map(String::as_str)
}

/// The Allows with the principals they name, by index.
pub(super) fn allows(document: &Document) -> impl Iterator<Item = (usize, &Statement)> {
    document
        .statements
        .iter()
        .enumerate()
        .filter(|(_, s)| s.effect == Effect::Allow && matches!(s.principal, Some(PrincipalElement::Is(_))))
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn joined<T: AsRef<str>>(all: &[T]) -> String {
    match all {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}
