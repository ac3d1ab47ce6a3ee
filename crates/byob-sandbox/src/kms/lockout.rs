//! The policy lockout safety check: a key policy must leave its caller able to put the next one.

use byob_policy::{Conditions, Document, Effect, PrincipalElement, Principals};

use crate::faults::matches_pattern;
use crate::route::partition;
use crate::world::World;

/// Whether the caller could not put another policy under this one. A statement with conditions lets nobody in for
/// sure, and keeps nobody out for sure; `kms:CallerAccount` alone is as good as none.
pub(super) fn locks_out(world: &World, region: &str, document: &Document) -> bool {
    let partition = partition(region);
    let account = &world.account;
    let callers = [
        account.clone(),
        format!("arn:{partition}:iam::{account}:root"),
        format!("arn:{partition}:iam::{account}:role/{}", crate::iam::CALLER_ROLE),
        world.caller_arn(region),
        "*".to_owned(),
    ];
    let names =
        |principals: &Principals| principals.0.values().flatten().any(|value| callers.contains(value));
    let concerns = |statement: &byob_policy::Statement| {
        let who = match &statement.principal {
            Some(PrincipalElement::Is(principals)) => names(principals),
            Some(PrincipalElement::Not(principals)) => !names(principals),
            None => false,
        };
        let what = match &statement.action {
            byob_policy::ActionElement::Is(actions) => puts_policy(actions),
            byob_policy::ActionElement::Not(actions) => !puts_policy(actions),
        };
        who && what && is_unconditional(&statement.condition)
    };
    let mut matching = document.statements.iter().filter(|statement| concerns(statement)).peekable();
    matching.peek().is_none() || matching.any(|statement| statement.effect == Effect::Deny)
}

fn puts_policy(actions: &[String]) -> bool {
    actions.iter().any(|action| matches_pattern(&action.to_lowercase(), "kms:putkeypolicy"))
}

fn is_unconditional(conditions: &Conditions) -> bool {
    conditions.values().flat_map(|keys| keys.keys()).all(|key| key.eq_ignore_ascii_case("kms:CallerAccount"))
}
