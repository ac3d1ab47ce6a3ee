//! The conditions of two statements, joined so that all must hold. One operator can ask one key once, and of its values
//! one suffices; so where both statements ask the same, values are met, or one of them is asked by another operator that
//! means the same there.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::what::{Relation, between};
use crate::canonical::folded_key;
use crate::condition::{date, has_variable, is_odd_arn, language, network, number};
use crate::dimension::{Family, may_have_several};
use crate::document::{Conditions, Version};
use crate::operator::{Comparison, Operator, Quantifier};

/// What becomes of the conditions of two statements.
pub(super) enum Joined {
    /// These hold where all of both hold.
    Both(Conditions),
    /// They never hold together.
    Never,
    /// They cannot be written together, for this reason.
    Unwritten(String),
}

/// One condition more: operator, key, values.
pub(super) type More = (Operator, &'static str, Vec<String>);

/// What is asked so far: by operator and folded key, the key as it is written and the values.
type Asked = BTreeMap<(Operator, String), (String, Vec<String>)>;

/// Why a condition could not be added.
enum Refused {
    Never,
    Unwritten(String),
}

/// The conditions of both statements, and one more.
pub(super) fn joined(old: &Conditions, new: &Conditions, more: Option<&More>, version: Version) -> Joined {
    let mut asked = Asked::new();
    let mut add_all = || -> Result<(), Refused> {
        for (name, keys) in old.iter().chain(new) {
            // An operator that is none holds for no request.
            let Ok(operator) = name.parse::<Operator>() else {
                if keys.is_empty() {
                    continue;
                }
                return Err(Refused::Never);
            };
            for (key, values) in keys {
                add(&mut asked, operator, key, values, version)?;
            }
        }
        more.map_or(Ok(()), |(operator, key, values)| add(&mut asked, *operator, key, values, version))
    };
    match add_all() {
        Err(Refused::Never) => Joined::Never,
        Err(Refused::Unwritten(reason)) => Joined::Unwritten(reason),
        Ok(()) => {
            let mut all = Conditions::new();
            for ((operator, _), (key, values)) in asked {
                all.entry(operator.to_string()).or_default().insert(key, values);
            }
            Joined::Both(all)
        }
    }
}

fn add(
    asked: &mut Asked,
    operator: Operator,
    key: &str,
    values: &[String],
    version: Version,
) -> Result<(), Refused> {
    let folded = folded_key(key);
    let slot = (operator, folded.clone());
    let Some((spelled, there)) = asked.get(&slot) else {
        asked.insert(slot, (key.to_owned(), values.to_vec()));
        return Ok(());
    };
    if operator.comparison == Comparison::Null {
        let both = null_values(there, values);
        if both.is_empty() {
            return Err(Refused::Never);
        }
        asked.insert(slot, (key.to_owned(), both));
        return Ok(());
    }
    let negated = operator.comparison.is_negated();
    let relation = |one: &String, other: &String| relation(operator.comparison, one, other, version);
    let takes_all = |inner: &[String], outer: &[String]| {
        inner.iter().all(|one| outer.iter().any(|other| relation(one, other) == Relation::Within))
    };
    // Where one takes no more than the other, the one that lets fewer requests pass says it all.
    let (less, more) = (takes_all(values, there), takes_all(there, values));
    if less || more {
        if less && !negated || more && negated {
            asked.insert(slot, (key.to_owned(), values.to_vec()));
        }
        return Ok(());
    }
    if negated && operator.quantifier != Some(Quantifier::ForAnyValue) {
        let mut all = there.clone();
        all.extend(values.iter().filter(|value| !there.contains(value)).cloned());
        let spelled = spelled.clone();
        asked.insert(slot, (spelled, all));
        return Ok(());
    }
    // Each value of the request must be one of both: so with `ForAllValues:`, and where it has one value at most.
    let singly = match operator.quantifier {
        Some(Quantifier::ForAllValues) => true,
        Some(Quantifier::ForAnyValue) => false,
        None => !may_have_several(&folded),
    };
    if !negated
        && singly
        && let Some(both) = common_values(there, values, relation)
    {
        if !both.is_empty() {
            asked.insert(slot, (key.to_owned(), both));
            return Ok(());
        }
        if operator.if_exists || operator.quantifier == Some(Quantifier::ForAllValues) {
            // Only a request without the key passes both.
            asked.remove(&slot);
            let null = Operator { quantifier: None, comparison: Comparison::Null, if_exists: false };
            return add(asked, null, key, &["true".to_owned()], version);
        }
        return Err(Refused::Never);
    }
    let unwritten = format!(
        "both ask {operator} of `{key}`, and no values say what {there:?} and {values:?} have in common"
    );
    for spare in same_meaning(operator, values) {
        if let Entry::Vacant(free) = asked.entry((spare, folded.clone())) {
            free.insert((key.to_owned(), values.to_vec()));
            return Ok(());
        }
    }
    Err(Refused::Unwritten(unwritten))
}

fn null_values(one: &[String], other: &[String]) -> Vec<String> {
    let says = |all: &[String], truth: &str| all.iter().any(|value| value.eq_ignore_ascii_case(truth));
    let both = ["true", "false"].into_iter().filter(|truth| says(one, truth) && says(other, truth));
    both.map(str::to_owned).collect()
}

/// The values that take what one of each side takes; `None` if that is not known.
fn common_values(
    there: &[String],
    values: &[String],
    relation: impl Fn(&String, &String) -> Relation,
) -> Option<Vec<String>> {
    let mut all: Vec<String> = Vec::new();
    for (value, other) in values.iter().flat_map(|value| there.iter().map(move |other| (value, other))) {
        let both = match relation(value, other) {
            Relation::Within => value,
            Relation::Contains => other,
            Relation::Apart => continue,
            Relation::Unclear => return None,
        };
        if !all.contains(both) {
            all.push(both.clone());
        }
    }
    Some(all)
}

/// Other operators that say the same of these values, beside a condition with this operator on the same key.
fn same_meaning(operator: Operator, values: &[String]) -> Vec<Operator> {
    use Comparison as C;
    let plain = !values.iter().any(|value| value.contains(['*', '?']));
    let other = match operator.comparison {
        C::StringEquals if plain => Some(C::StringLike),
        C::StringLike if plain => Some(C::StringEquals),
        C::StringNotEquals if plain => Some(C::StringNotLike),
        C::StringNotLike if plain => Some(C::StringNotEquals),
        // Source: IAM user guide, "ARN condition operators": they behave identically.
        C::ArnEquals => Some(C::ArnLike),
        C::ArnLike => Some(C::ArnEquals),
        C::ArnNotEquals => Some(C::ArnNotLike),
        C::ArnNotLike => Some(C::ArnNotEquals),
        _ => None,
    };
    let mut all: Vec<Operator> =
        other.map(|comparison| Operator { comparison, ..operator }).into_iter().collect();
    // A request without the key: with `IfExists` it passes. Without, either the condition that stands there refuses it,
    // or it passes as well. Taking `IfExists` away is the same only where it passes without.
    let passes = match operator.quantifier {
        Some(Quantifier::ForAllValues) => true,
        Some(Quantifier::ForAnyValue) => false,
        None => operator.comparison.is_negated(),
    };
    if !operator.if_exists || passes {
        let if_exists = !operator.if_exists;
        all.push(Operator { if_exists, ..operator });
        all.extend(other.map(|comparison| Operator { comparison, if_exists, ..operator }));
    }
    all
}

/// How what one value of a condition takes lies to what another takes.
fn relation(comparison: Comparison, one: &str, other: &str, version: Version) -> Relation {
    use Comparison as C;
    if one == other {
        return Relation::Within;
    }
    let (one_open, other_open) = (has_variable(one, version), has_variable(other, version));
    if Family::of(comparison) == Some(Family::Text) {
        let (Some(a), Some(b)) = (language(comparison, one, version), language(comparison, other, version))
        else {
            return Relation::Unclear;
        };
        let odd = |value: &str| comparison.as_str().starts_with("Arn") && is_odd_arn(value);
        return between(&a, one_open || odd(one), &b, other_open || odd(other));
    }
    if one_open || other_open {
        return Relation::Unclear;
    }
    let order = match Family::of(comparison) {
        Some(Family::Address) => {
            return match (network(one), network(other)) {
                (Some(one), Some(other)) if other.contains(&one) => Relation::Within,
                (Some(one), Some(other)) if one.contains(&other) => Relation::Contains,
                (Some(_), Some(_)) => Relation::Apart,
                _ => Relation::Unclear,
            };
        }
        Some(Family::Number) => {
            number(one).zip(number(other)).and_then(|(one, other)| one.partial_cmp(&other))
        }
        Some(Family::Date) => date(one).zip(date(other)).map(|(one, other)| one.cmp(&other)),
        _ => None,
    };
    let Some(order) = order else { return Relation::Unclear };
    let within = match comparison {
        C::NumericLessThan | C::NumericLessThanEquals | C::DateLessThan | C::DateLessThanEquals => {
            order.is_le()
        }
        C::NumericGreaterThan
        | C::NumericGreaterThanEquals
        | C::DateGreaterThan
        | C::DateGreaterThanEquals => order.is_ge(),
        _ if order.is_eq() => true,
        _ => return Relation::Apart,
    };
    if within { Relation::Within } else { Relation::Contains }
}
