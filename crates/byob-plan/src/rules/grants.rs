//! Who is let in that may not be meant: other accounts, wildcards, persons, and grants that are broken. For the policies
//! of buckets and of keys alike.

use std::collections::BTreeSet;

use byob_model::address::{Kind, RootKind};
use byob_policy::{Arn, Document, Effect, PrincipalElement, Statement, is_unique_id};

use super::Ground;
use super::who::{Who, account_of, allows, joined, principals, principals_of, statement};
use crate::finding::Rule;

/// The actions with which a key's policy is mended.
const MENDS_KEY: [&str; 3] = ["kms:PutKeyPolicy", "kms:*", "*"];

/// What a rule says of a document alone. How to mend it depends on where the document comes from.
pub(super) struct Said {
    pub(super) rule: Rule,
    /// The first statement that it is about, from 0.
    pub(super) statement: usize,
    pub(super) message: String,
}

/// The accounts let in beside W&B and the owner.
pub(super) fn foreign_accounts(document: &Document, who: &Who<'_>) -> Option<Said> {
    let mut accounts = BTreeSet::new();
    let mut canonical = 0;
    let mut where_ = BTreeSet::new();
    for (index, allow) in allows(document) {
        let federated = principals_of(allow, "Federated");
        for account in principals(allow).chain(federated).filter(|p| !who.is_wandb(p)).filter_map(account_of)
        {
            if !who.is_owners(&account) {
                accounts.insert(account.to_string());
                where_.insert(index);
            }
        }
        let unknown = principals_of(allow, "CanonicalUser").count();
        canonical += unknown;
        where_.extend((unknown > 0).then_some(index));
    }
    let first = *where_.first()?;
    let mut let_in: Vec<String> = Vec::new();
    if !accounts.is_empty() {
        let noun = if accounts.len() == 1 { "account" } else { "accounts" };
        let beside = if who.owner.is_some() { "W&B and the owner" } else { "W&B" };
        let accounts: Vec<String> = accounts.into_iter().collect();
        let_in.push(format!("{noun} {} beside {beside}", joined(&accounts)));
    }
    match canonical {
        0 => {}
        1 => let_in.push("an S3 canonical user whose account byob cannot tell".to_owned()),
        n => let_in.push(format!("{n} S3 canonical users whose accounts byob cannot tell")),
    }
    let statements: Vec<String> = where_.iter().map(|index| statement(document, *index)).collect();
    Some(Said {
        rule: Rule::ForeignAccount,
        statement: first,
        message: format!("{} let in ({})", joined(&let_in), joined(&statements)),
    })
}

/// An Allow whose principal is a wildcard.
pub(super) fn wildcard(document: &Document) -> Option<Said> {
    let wild = |s: &Statement| {
        s.effect == Effect::Allow
            && match &s.principal {
                Some(PrincipalElement::Not(_)) => true,
                Some(PrincipalElement::Is(all)) => {
                    all.is_anyone() || principals(s).any(|p| p.contains(['*', '?']))
                }
                None => false,
            }
    };
    let index = document.statements.iter().position(wild)?;
    let narrowed = document.statements.get(index).is_some_and(|s| !s.condition.is_empty());
    let only = if narrowed { ": its conditions alone keep others out" } else { "" };
    Some(Said {
        rule: Rule::WildcardPrincipal,
        statement: index,
        message: format!("{} allows a principal by wildcard{only}", statement(document, index)),
    })
}

/// A deleted principal: AWS put its unique id in its place, and a new one of the same name has another.
pub(super) fn broken(document: &Document) -> Option<Said> {
    let index = document.statements.iter().position(|s| principals(s).any(is_unique_id))?;
    let all: BTreeSet<&str> =
        document.statements.iter().flat_map(principals).filter(|p| is_unique_id(p)).collect();
    let ids: Vec<String> = all.into_iter().map(|id| format!("`{id}`")).collect();
    Some(Said {
        rule: Rule::BrokenPrincipal,
        statement: index,
        message: format!(
            "the policy names {}, what AWS leaves of a deleted user or role: the grant is broken",
            joined(&ids)
        ),
    })
}

impl Ground<'_> {
    pub(super) fn grants(&mut self) {
        let kind = self.policy_kind();
        if let Some(document) = self.end.policy(kind).cloned() {
            self.foreign_accounts(&document);
            self.wildcards(&document);
        }
        self.broken(kind);
        if self.case.address.kind == RootKind::Key {
            self.one_person();
        }
    }

    fn foreign_accounts(&mut self, document: &Document) {
        if let Some(said) = foreign_accounts(document, &self.who) {
            let help = format!("if it is not meant: {}", self.mend(document, said.statement));
            self.say(said.rule, self.policy_kind(), said.message, help);
        }
    }

    fn wildcards(&mut self, document: &Document) {
        let address = self.case.address.aspect(self.policy_kind());
        if [Rule::Public, Rule::PublicRefused].iter().any(|rule| self.said(*rule, &address)) {
            return;
        }
        if let Some(said) = wildcard(document) {
            let help = format!("name the principals in full; {}", self.mend(document, said.statement));
            self.say(said.rule, self.policy_kind(), said.message, help);
        }
    }

    /// In the end or as it is.
    fn broken(&mut self, kind: Kind) {
        let stays = self.end.policy(kind).and_then(broken);
        let now = self.live.as_ref().and_then(|live| live.policy(kind)).and_then(broken);
        let (found, help) = if stays.is_some() {
            (
                stays,
                "make the role or user again and name it by its ARN; byob apply then puts the policy again; or take the id out",
            )
        } else {
            (
                now,
                "make the role or user again under the name that the configuration gives; byob apply then puts the policy again",
            )
        };
        if let Some(said) = found {
            self.say(said.rule, kind, said.message, help);
        }
    }

    /// In the end or as it is: nobody but users of IAM may change the key's policy.
    fn one_person(&mut self) {
        let document = |d: Option<&Document>| d.and_then(hangs_on);
        let found = document(self.end.policy(Kind::KeyPolicy))
            .or_else(|| document(self.live.as_ref().and_then(|live| live.policy(Kind::KeyPolicy))));
        if let Some(users) = found {
            self.say(
                Rule::OnePerson,
                Kind::KeyPolicy,
                format!("only {} may change this key's policy: without them it is nobody's", joined(&users)),
                "let the account's root have kms:*, as byob's own key policy does",
            );
        }
    }
}

/// The users on whom a key policy hangs, if it does: nobody else may change it.
fn hangs_on(document: &Document) -> Option<Vec<String>> {
    let mends = |s: &&Statement| {
        s.effect == Effect::Allow
            && s.action.actions().iter().any(|a| MENDS_KEY.iter().any(|m| m.eq_ignore_ascii_case(a)))
    };
    let mut users = Vec::new();
    for statement in document.statements.iter().filter(mends) {
        for principal in principals(statement) {
            match principal.parse::<Arn>() {
                Ok(arn) if arn.service == "iam" && arn.resource.starts_with("user/") => {
                    users.push(format!("`{principal}`"));
                }
                // A deleted one mends nothing.
                _ if is_unique_id(principal) => {}
                _ => return None,
            }
        }
    }
    users.sort();
    users.dedup();
    (!users.is_empty()).then_some(users)
}
