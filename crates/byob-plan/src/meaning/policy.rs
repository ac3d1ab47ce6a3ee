//! Drift of a policy, by the policy brain: exposure unless it is proved that nobody has more than recorded; breakage where
//! W&B has less, and where nobody can change a key's policy any more.

use byob_model::address::Kind;
use byob_model::kind::{Attributes, Policy, WANDB_SID};
use byob_policy::{
    AccountId, Arn, Document, Effect, Guarded, Owner, Partition, PrincipalElement, Requester, Statement,
    Verdict, Witness, compare, is_public, principal_in_words,
};
use serde_json::{Value, json};

use super::Said;
use crate::phases::manages;

pub(super) fn policy(
    said: &mut Said,
    kind: Kind,
    account_id: &str,
    recorded: Option<&Attributes>,
    live: Option<&Attributes>,
) {
    let (old, new) = (document(recorded), document(live));
    let guarded = if kind == Kind::KeyPolicy { Guarded::Key } else { Guarded::Bucket };
    let owner = Owner { guarded, account: account_id.parse().ok() };
    if is_public(&new).is_public() && !is_public(&old).is_public() {
        said.exposure("the policy is public now: whoever it does not name may come in");
    }
    match compare(&old, &new, &owner) {
        Verdict::Beyond(witness) => said.exposure(gained(&witness, &owner)),
        Verdict::CannotTell { reason } => {
            said.exposure(format!(
                "whether somebody has more access than recorded cannot be told ({reason})"
            ));
        }
        // A public policy may have been cut off, and what is left of it not.
        Verdict::Within if is_public(&old).is_public() && !is_public(&new).is_public() => {
            said.exposure("the policy is not public any more, so nothing cuts off those whom it still names");
        }
        Verdict::Within => {}
    }
    if wandb_has_less(&old, &new, &owner) {
        said.breakage("W&B has less access than it was given");
    }
    if guarded == Guarded::Key {
        managed(said, &old, &new, &owner);
    }
    if said.0.is_empty() {
        said.other("nobody has more access than recorded, and W&B has what it had");
    }
}

fn document(side: Option<&Attributes>) -> Document {
    match side {
        Some(Attributes::Policy(policy)) => policy.document.clone(),
        _ => Policy::empty().document,
    }
}

/// The request that shows it, in words.
fn gained(witness: &Witness, owner: &Owner) -> String {
    let request = &witness.request;
    let who = principal_in_words(&request.principal().to_string(), owner.account.as_ref());
    format!("{who} may do more than recorded, e.g. {} on {}", request.action(), request.resource())
}

/// Whether something that byob's statement for W&B gave, under the Denies that stood beside it, is not given any more. What
/// identity policies of the owner's account give is not W&B's, and no Deny of it takes anything from W&B.
fn wandb_has_less(old: &Document, new: &Document, owner: &Owner) -> bool {
    let ours = |one: &&Statement| one.sid.as_deref() == Some(WANDB_SID) || one.effect == Effect::Deny;
    let statements: Vec<Statement> = old.statements.iter().filter(ours).cloned().collect();
    let mut given = statements.iter().filter(|one| one.effect == Effect::Allow).peekable();
    if given.peek().is_none() {
        return false;
    }
    let principals = given.filter_map(|one| one.principal.as_ref()).map(PrincipalElement::principals);
    let mut accounts = principals.flat_map(|all| all.0.values().flatten()).map(|name| account_of(name));
    let inside = owner.account.is_none() || accounts.any(|account| account == owner.account);
    let mut needed = Document { statements, ..old.clone() };
    let owner = if inside {
        // W&B is one of the owner's own: what its own side gives it past the document is not what byob gave.
        Owner { account: None, ..owner.clone() }
    } else {
        needed.statements.extend(outside_of(owner));
        owner.clone()
    };
    compare(new, &needed, &owner) != Verdict::Within
}

/// The account of a principal that names one.
fn account_of(name: &str) -> Option<AccountId> {
    name.parse().ok().or_else(|| name.parse::<Arn>().ok()?.account_id())
}

/// A Deny for everybody of the owner's account.
fn outside_of(owner: &Owner) -> Option<Statement> {
    let own = owner.account.as_ref()?.to_string();
    everybody(owner.guarded, &json!({"StringEquals": {"aws:PrincipalAccount": own}}))
}

fn everybody(guarded: Guarded, condition: &Value) -> Option<Statement> {
    let action = if guarded == Guarded::Key { "kms:*" } else { "s3:*" };
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*", "Condition": condition});
    Statement::from_value(&deny).ok()
}

/// Whether this account can still change the policy of its key. AWS: a key that nobody can is "unmanageable", and only AWS
/// Support mends it (KMS developer guide, "Default key policy").
fn managed(said: &mut Said, old: &Document, new: &Document, owner: &Owner) {
    let Some(own) = &owner.account else { return };
    // Whoever of the account may put the policy; KMS takes one from nobody else.
    let putters = |document: &Document| {
        let mut all = document.clone();
        let strangers = json!({"StringNotEquals": {"aws:PrincipalAccount": own.to_string()}});
        all.statements.extend(everybody(Guarded::Key, &strangers));
        let rest =
            json!({"Effect": "Deny", "Principal": "*", "NotAction": "kms:PutKeyPolicy", "Resource": "*"});
        all.statements.extend(Statement::from_value(&rest).ok());
        all
    };
    let nobody = Document { statements: Vec::new(), ..new.clone() };
    let by_whom = |document: &Document| compare(&nobody, &putters(document), owner);
    if by_whom(old) == Verdict::Within {
        return;
    }
    match by_whom(new) {
        Verdict::Within => said.breakage(
            "nobody in this account can change the key's policy any more, byob neither: the key is unmanageable, and \
             only AWS Support can mend it",
        ),
        // Somebody whom the policy names, or whom a Deny spares.
        Verdict::Beyond(witness) => {
            let who = witness.request.principal();
            let partition = who.arn().map_or(Partition::Aws, |arn| arn.partition);
            let by_iam = |document: &Document| manages(document, Some(own), partition);
            let conditional = matches!(who, Requester::Root(_));
            if by_iam(old) && !by_iam(new) && !conditional {
                said.other(format!(
                    "the account as such cannot change the key's policy any more; {} still may",
                    principal_in_words(&who.to_string(), Some(own))
                ));
            }
        }
        Verdict::CannotTell { .. } => {}
    }
}
