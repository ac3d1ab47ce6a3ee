//! Drift of a policy, by the policy brain: exposure unless it is proved that nobody has more than recorded; breakage where
//! W&B has less.

use byob_model::address::Kind;
use byob_model::kind::{Attributes, Policy, WANDB_SID};
use byob_policy::{
    Document, Effect, Guarded, Owner, Statement, Verdict, Witness, compare, is_public, principal_in_words,
};

use super::Said;

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
    } else if said.0.is_empty() {
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

/// Whether something that byob's statement for W&B gave, under the Denies that stood beside it, is not given any more.
fn wandb_has_less(old: &Document, new: &Document, owner: &Owner) -> bool {
    let ours = |one: &&Statement| one.sid.as_deref() == Some(WANDB_SID) || one.effect == Effect::Deny;
    let statements: Vec<Statement> = old.statements.iter().filter(ours).cloned().collect();
    if statements.iter().all(|one| one.effect == Effect::Deny) {
        return false;
    }
    let needed = Document { statements, ..old.clone() };
    compare(new, &needed, owner) != Verdict::Within
}
