//! What one part of a rule (principal, resource, one condition) says to one value of a request: yes, no, or that it hangs
//! on what cannot be known (a policy variable, a reading of AWS's that its pages leave open), which is named. What
//! follows for two documents is not known here.

use std::collections::{BTreeMap, BTreeSet};

use crate::arn::Arn;
use crate::condition::{has_variable, holds, is_odd_arn, language, widest};
use crate::dimension::Condition;
use crate::document::{Effect, PrincipalElement, ResourceElement, Statement, Version};
use crate::evaluate::{Match, account_of_root, one_principal};
use crate::operator::Operator;
use crate::pattern::Pattern;
use crate::request::{Request, Requester};

/// How the requester comes to its access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By any Allow; its own side allows everything.
    Any,
    /// By an Allow that names it; its own side allows nothing.
    Named,
    /// By its own side, in the owner's account.
    Own,
}

/// What one part of a rule says to one value: `(yes or one of the unknowns) != negated`.
pub(crate) struct Part {
    pub(crate) yes: bool,
    pub(crate) unknowns: Vec<String>,
    pub(crate) negated: bool,
    /// What the evaluator makes of it.
    pub(crate) reading: bool,
}

impl Part {
    pub(crate) fn known(yes: bool) -> Self {
        Self { yes, unknowns: Vec::new(), negated: false, reading: yes }
    }

    fn unknown(what: String, reading: bool) -> Self {
        Self { yes: false, unknowns: vec![what], negated: false, reading }
    }
}

/// One statement, in its version of the language.
pub(crate) struct Rule<'a> {
    pub(crate) statement: &'a Statement,
    pub(crate) version: Version,
}

pub(crate) fn principal_part(statement: &Statement, requester: &Requester, way: Way) -> Part {
    let Some(element) = &statement.principal else { return Part::known(true) };
    let named = way == Way::Named && statement.effect == Effect::Allow;
    let reaches = |found: Match| if named { found == Match::Direct } else { found != Match::None };
    let mut unknowns = Vec::new();
    let mut yes = false;
    let mut account_listed = false;
    let mut best = Match::None;
    for (kind, values) in &element.principals().0 {
        for value in values {
            let found = one_principal(kind, value, requester);
            best = best.max(found);
            let anyone = value == "*" || kind == "*";
            account_listed |= found != Match::None && (anyone || account_of_root(value).is_some());
            // A role's sessions come in by providers of the role's own account alone (IAM user guide, "Identity providers
            // and federation"); a provider without an ARN is everybody's.
            let of_its_account = || {
                let provider = value.parse::<Arn>().ok().filter(|arn| arn.service == "iam");
                provider.is_none_or(|provider| requester.account() == provider.account_id())
            };
            let hidden = match kind.as_str() {
                "CanonicalUser" => requester.arn().is_some(),
                "Federated" => requester.arn().is_some() && of_its_account(),
                _ => false,
            };
            // AWS refuses wildcards in the ARNs of principals; what another store makes of them is not known.
            let refused = kind != "Service"
                && !anyone
                && value.contains(['*', '?', '$'])
                && (requester.arn().is_some() || matches!(requester, Requester::Other { .. }));
            if hidden || refused {
                let how = if named { "by itself" } else { "at all" };
                unknowns.push(format!("whether the principal `{value}` ({kind}) matches {how}"));
            } else {
                yes |= reaches(found);
            }
        }
    }
    match element {
        PrincipalElement::Is(_) => Part { yes, unknowns, negated: false, reading: reaches(best) },
        PrincipalElement::Not(all) => {
            // AWS's page: a Deny that leaves out a user, and not its account, may still reach the user; one that leaves
            // out the account may still reach its users.
            let reading = best == Match::None;
            if best == Match::None || (best == Match::Direct && account_listed) {
                return Part { yes: best != Match::None, unknowns, negated: true, reading };
            }
            let sorted: BTreeMap<&String, BTreeSet<&String>> =
                all.0.iter().map(|(kind, values)| (kind, values.iter().collect())).collect();
            Part {
                yes: false,
                unknowns: vec![format!("whom `NotPrincipal` {sorted:?} leaves out in AWS")],
                negated: true,
                reading,
            }
        }
    }
}

pub(crate) fn resource_part(rule: &Rule<'_>, resource: &str) -> Part {
    let (all, negated) = match &rule.statement.resource {
        None => return Part::known(true),
        Some(ResourceElement::Is(all)) => (all, false),
        Some(ResourceElement::Not(all)) => (all, true),
    };
    let mut part = Part { yes: false, unknowns: Vec::new(), negated, reading: false };
    for value in all {
        let variable = has_variable(value, rule.version);
        if variable && widest(value, rule.version, true).matches(resource) {
            part.unknowns.push(format!("what fills `{value}`"));
        } else if !variable {
            part.yes |= crate::pattern::glob(value, resource, false);
        }
    }
    part.reading = part.yes != negated;
    part
}

/// What a condition says to these values of its key. `readable`: the values that stand for all others were made for
/// what it compares.
pub(crate) fn condition_part(
    key: &str,
    condition: &Condition<'_>,
    there: &[String],
    request: &Request,
    readable: bool,
) -> Part {
    let Condition { operator, values, version, .. } = *condition;
    let certain = |values: &[String]| holds(operator, values, version, Some(there), request);
    // `${` is a variable in one version and text in the other.
    let dated =
        |text: String| if text.contains("${") { format!("{text} in {}", version.as_str()) } else { text };
    let whole = || {
        let what = format!("what {operator} of `{key}` with {values:?} says");
        Part::unknown(dated(what), certain(values))
    };
    if there.is_empty() {
        return Part::known(certain(values));
    }
    if !readable {
        return whole();
    }
    let doubtful = |value: &String| {
        has_variable(value, version) || (operator.comparison.as_str().starts_with("Arn") && is_odd_arn(value))
    };
    if !values.iter().any(doubtful) {
        return Part::known(certain(values));
    }
    let [there] = there else { return whole() };
    let negated = operator.comparison.is_negated();
    let (open, plain): (Vec<String>, Vec<String>) = values.iter().cloned().partition(doubtful);
    let mut part =
        Part { yes: certain(&plain) != negated, unknowns: Vec::new(), negated, reading: certain(values) };
    for value in open {
        let may = language(operator.comparison, &value, version).unwrap_or_else(|| Pattern::new("*"));
        if may.matches(there) {
            let what = format!("what {} of `{key}` with `{value}` takes", text_of(operator));
            part.unknowns.push(dated(what));
        }
    }
    part
}

/// The operator without what makes no difference to a value that is there.
fn text_of(operator: Operator) -> &'static str {
    use crate::operator::Comparison as C;
    match operator.comparison {
        C::StringNotEquals => C::StringEquals,
        C::StringNotEqualsIgnoreCase => C::StringEqualsIgnoreCase,
        C::StringNotLike => C::StringLike,
        C::ArnEquals | C::ArnNotEquals | C::ArnNotLike => C::ArnLike,
        other => other,
    }
    .as_str()
}
