//! Principals that two Allows both take. An Allow that names a role gives it more than one that names its account, in
//! that account: so a role and its account meet in the account, under a condition on the role's ARN, and never in the
//! role alone.

use std::collections::BTreeSet;

use super::what::{Relation, folded_texts};
use super::when::More;
use crate::arn::Arn;
use crate::document::{PrincipalElement, Principals};
use crate::evaluate::account_of_root;
use crate::operator::{Comparison, Operator};
use crate::words::is_unique_id;

/// What is common to two principal elements.
pub(super) struct Who {
    /// The element that both come to. `Some(None)`: it is missing in both.
    pub(super) direct: Option<Option<PrincipalElement>>,
    /// Users and roles that one side names, and the other by their account.
    through: BTreeSet<Arn>,
    /// Whose access cannot be written, and why.
    pub(super) lost: Vec<(Vec<String>, String)>,
}

/// What two principals have in common.
enum Common<'a> {
    Nobody,
    /// This one.
    Direct(&'a str),
    /// This one, as far as its account goes; there may be sessions of it that are not seen by its ARN.
    Through(Arn),
    /// That cannot be written.
    Lost(String),
}

impl Who {
    pub(super) fn is_nobody(&self) -> bool {
        self.direct.is_none() && self.through.is_empty() && self.lost.is_empty()
    }

    /// Everybody concerned.
    pub(super) fn names(&self) -> Vec<String> {
        let mut all = BTreeSet::new();
        match &self.direct {
            None => {}
            Some(Some(PrincipalElement::Is(who))) => all.extend(who.0.values().flatten().cloned()),
            Some(_) => drop(all.insert("*".to_owned())),
        }
        all.extend(self.through.iter().map(Arn::to_string));
        all.extend(self.lost.iter().flat_map(|(names, _)| names.iter().cloned()));
        all.into_iter().collect()
    }

    /// The accounts of those who are named on one side and by their account on the other, with the condition that
    /// singles them out.
    pub(super) fn through_account(&self) -> Option<(PrincipalElement, More)> {
        if self.through.is_empty() {
            return None;
        }
        let accounts: BTreeSet<String> = self
            .through
            .iter()
            .map(|arn| {
                Arn { resource: "root".to_owned(), service: "iam".to_owned(), ..arn.clone() }.to_string()
            })
            .collect();
        let operator = Operator { quantifier: None, comparison: Comparison::ArnEquals, if_exists: false };
        let arns = self.through.iter().map(Arn::to_string).collect();
        Some((PrincipalElement::Is(Principals::aws(accounts)), (operator, "aws:PrincipalArn", arns)))
    }
}

fn is_anyone(kind: &str, value: &str) -> bool {
    kind == "*" || (kind == "AWS" && value == "*")
}

fn takes_anyone(element: Option<&PrincipalElement>) -> bool {
    match element {
        None => true,
        Some(PrincipalElement::Is(who)) => {
            who.0.iter().any(|(kind, values)| values.iter().any(|value| is_anyone(kind, value)))
        }
        Some(PrincipalElement::Not(_)) => false,
    }
}

/// The principals that both elements take, each no more than either gives it.
pub(super) fn principals(old: Option<&PrincipalElement>, new: Option<&PrincipalElement>) -> Who {
    let of = |direct: Option<&PrincipalElement>| Who {
        direct: Some(direct.cloned()),
        through: BTreeSet::new(),
        lost: Vec::new(),
    };
    if takes_anyone(old) {
        return without_unique_ids(of(new.or(old)));
    }
    if takes_anyone(new) {
        return without_unique_ids(of(old));
    }
    let (Some(old), Some(new)) = (old, new) else { return of(None) };
    let (PrincipalElement::Is(olds), PrincipalElement::Is(news)) = (old, new) else {
        if same_sets(old, new) {
            return of(Some(new));
        }
        let names: BTreeSet<&String> = [old, new]
            .into_iter()
            .filter(|element| matches!(element, PrincipalElement::Is(_)))
            .flat_map(|element| element.principals().0.values().flatten())
            .collect();
        let mut names: Vec<String> = names.into_iter().cloned().collect();
        if names.is_empty() {
            names.push("*".to_owned());
        }
        let reason = "an Allow with `NotPrincipal` meets no other exactly".to_owned();
        return Who { direct: None, through: BTreeSet::new(), lost: vec![(names, reason)] };
    };
    let mut direct = Principals(std::collections::BTreeMap::new());
    let mut who = Who { direct: None, through: BTreeSet::new(), lost: Vec::new() };
    for (new_kind, new) in news.0.iter().flat_map(|(kind, all)| all.iter().map(move |value| (kind, value))) {
        for (old_kind, old) in
            olds.0.iter().flat_map(|(kind, all)| all.iter().map(move |value| (kind, value)))
        {
            match common((old_kind, old), (new_kind, new)) {
                Common::Nobody => {}
                Common::Direct(value) => {
                    let values = direct.0.entry(new_kind.clone()).or_default();
                    if !values.iter().any(|one| one == value) {
                        values.push(value.to_owned());
                    }
                }
                Common::Through(arn) => drop(who.through.insert(arn)),
                Common::Lost(reason) => {
                    let named = if account_of_root(new).is_some() { old } else { new };
                    who.lost.push((vec![named.clone()], reason));
                }
            }
        }
    }
    // Whom the meet names, or whose account, needs no condition.
    let values = direct.0.get("AWS").map(Vec::as_slice).unwrap_or_default();
    who.through.retain(|arn| {
        !values.iter().any(|value| {
            *value == arn.to_string()
                || account_of_root(value).is_some_and(|account| {
                    account.id == arn.account
                        && account.partition.is_none_or(|partition| partition == arn.partition.as_str())
                })
        })
    });
    // The ARN of a session shows no path.
    for arn in who.through.iter().filter(|arn| is_role_with_path(arn)) {
        let reason = "sessions of a role with a path may not be seen by its ARN where the other document names the \
                      account";
        who.lost.push((vec![arn.to_string()], reason.to_owned()));
    }
    who.direct = (!direct.0.is_empty()).then_some(Some(PrincipalElement::Is(direct)));
    who
}

fn without_unique_ids(mut who: Who) -> Who {
    if let Some(Some(PrincipalElement::Is(all))) = &mut who.direct {
        all.0.values_mut().for_each(|values| values.retain(|value| !is_unique_id(value)));
        all.0.retain(|_, values| !values.is_empty());
        if all.0.is_empty() {
            who.direct = None;
        }
    }
    who
}

fn same_sets(one: &PrincipalElement, other: &PrincipalElement) -> bool {
    let sets = |element: &PrincipalElement| -> BTreeSet<(String, String)> {
        let all = element.principals().0.iter();
        all.flat_map(|(kind, values)| values.iter().map(move |value| (kind.clone(), value.clone()))).collect()
    };
    let both_not = matches!((one, other), (PrincipalElement::Not(_), PrincipalElement::Not(_)));
    both_not && sets(one) == sets(other)
}

fn is_role_with_path(arn: &Arn) -> bool {
    arn.resource.strip_prefix("role/").is_some_and(|name| name.contains('/'))
}

/// What two principals, neither of them anyone, have in common.
fn common<'a>(old: (&str, &'a str), new: (&str, &'a str)) -> Common<'a> {
    let ((old_kind, old), (new_kind, new)) = (old, new);
    if old_kind != new_kind {
        let stands_for_another = |kind: &str| matches!(kind, "CanonicalUser" | "Federated");
        let identity = |kind: &str| kind == "AWS" || stands_for_another(kind);
        if identity(old_kind) && identity(new_kind) {
            return Common::Lost(format!(
                "it is not known whether `{old}` ({old_kind}) and `{new}` ({new_kind}) are the same principal"
            ));
        }
        return Common::Nobody;
    }
    if old == new {
        return Common::Direct(new);
    }
    match new_kind {
        "AWS" => aws(old, new),
        "Service" => match folded_texts(new, old) {
            Relation::Within => Common::Direct(new),
            Relation::Contains => Common::Direct(old),
            Relation::Apart => Common::Nobody,
            Relation::Unclear => wildcards(old, new),
        },
        _ if old.contains(['*', '?']) || new.contains(['*', '?']) => wildcards(old, new),
        _ => Common::Nobody,
    }
}

fn wildcards<'a>(old: &str, new: &str) -> Common<'a> {
    Common::Lost(format!("it is not known whom both `{old}` and `{new}` name"))
}

fn aws<'a>(old: &'a str, new: &'a str) -> Common<'a> {
    if is_unique_id(old) || is_unique_id(new) {
        return Common::Nobody;
    }
    let (one, other) = match (account_of_root(old), account_of_root(new)) {
        (Some(one), Some(other)) => {
            return match (one.partition, other.partition) {
                _ if one.id != other.id => Common::Nobody,
                (_, None) => Common::Direct(old),
                (None, Some(_)) => Common::Direct(new),
                // Both are ARNs, and not the same.
                (Some(_), Some(_)) => Common::Nobody,
            };
        }
        (Some(account), None) => (account, new),
        (None, Some(account)) => (account, old),
        (None, None) => return identities(old, new),
    };
    if other.contains(['*', '?', '$']) {
        return wildcards(old, new);
    }
    let Ok(arn) = other.parse::<Arn>() else { return Common::Nobody };
    if arn.account != one.id || one.partition.is_some_and(|partition| partition != arn.partition.as_str()) {
        return Common::Nobody;
    }
    let by_its_arn = ["user/", "role/"].iter().any(|kind| arn.resource.starts_with(kind));
    if arn.service == "iam" && arn.region.is_empty() && by_its_arn {
        return Common::Through(arn);
    }
    Common::Lost(format!("no condition singles `{other}` out in its account"))
}

/// Two principals that are no accounts.
fn identities<'a>(old: &'a str, new: &'a str) -> Common<'a> {
    if old.contains(['*', '?', '$']) || new.contains(['*', '?', '$']) {
        return wildcards(old, new);
    }
    let (Ok(one), Ok(other)) = (old.parse::<Arn>(), new.parse::<Arn>()) else { return Common::Nobody };
    if (one.partition, &one.account) != (other.partition, &other.account) {
        return Common::Nobody;
    }
    let role = |arn: &Arn| -> Option<String> {
        let name = arn.resource.strip_prefix("role/").filter(|_| arn.service == "iam")?;
        name.rsplit('/').next().map(str::to_owned)
    };
    let role_of_session = |arn: &Arn| -> Option<String> {
        let session = arn.resource.strip_prefix("assumed-role/").filter(|_| arn.service == "sts")?;
        session.split_once('/').map(|(role, _)| role.to_owned())
    };
    match (role(&one), role(&other)) {
        (Some(one), Some(other)) if one == other => {
            Common::Lost(format!("a session does not show whether its role is `{old}` or `{new}`"))
        }
        (Some(role), None) if role_of_session(&other).as_ref() == Some(&role) => Common::Direct(new),
        (None, Some(role)) if role_of_session(&one).as_ref() == Some(&role) => Common::Direct(old),
        _ => Common::Nobody,
    }
}
