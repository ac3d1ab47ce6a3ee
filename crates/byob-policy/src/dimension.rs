//! What a request can vary in, and for each such dimension the values that stand for all others: two values that every
//! element of both documents treats alike are one here. The judgement over the values is the evaluator's own; this room
//! only sees to it that no way of being judged is left out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ipnet::IpNet;

use crate::actions::{Action, real_actions};
use crate::arn::{AccountId, Arn, Partition};
use crate::canonical::common_partition;
use crate::condition::{date, date_text, has_variable, holds, language, network, number, widest};
use crate::document::{Document, Statement, Version};
use crate::evaluate::{Guarded, account_of_root};
use crate::operator::{Comparison, Operator, Quantifier};
use crate::pattern::{Class, Pattern, Token, TooLarge, representatives};
use crate::request::{Request, Requester};

/// Stands between a role's ARN and the name of a session, in the texts that stand for requesters.
const SEPARATOR: &str = "\u{1}";
/// The most sets of values of one key that are looked at.
const SET_LIMIT: usize = 600;

/// One condition: of this rule, with this operator, on this key, with these values.
pub(crate) struct Condition<'a> {
    pub(crate) rule: usize,
    pub(crate) operator: Operator,
    pub(crate) values: &'a [String],
    pub(crate) version: Version,
}

/// The principals, services and accounts that stand for all others.
pub(crate) fn requesters(
    documents: [&Document; 2],
    owner: Option<&AccountId>,
    conditions: &BTreeMap<String, Vec<Condition<'_>>>,
) -> Result<Vec<Requester>, TooLarge> {
    let mut identities = owner.map(|account| principal_languages(account.as_str())).unwrap_or_default();
    let mut services = vec![Pattern::new("x.amazonaws.com")];
    let mut others = BTreeSet::new();
    // Identities of a partition that nobody names mean nothing to the documents.
    let mut partitions = BTreeSet::from([common_partition(&documents)]);
    let principals = documents
        .iter()
        .flat_map(|document| &document.statements)
        .filter_map(|statement| statement.principal.as_ref())
        .flat_map(|element| &element.principals().0);
    for (kind, values) in principals {
        for value in values {
            match kind.as_str() {
                "AWS" => {
                    // Somebody who is no user, role or account, such as an origin access identity of CloudFront, or whom
                    // AWS knows by a unique id: asks all the same.
                    if value != "*" && !value.contains(['*', '?', '$']) && value.parse::<Requester>().is_err()
                    {
                        others.insert((kind.clone(), value.clone()));
                    }
                    partitions.extend(partition_of(value));
                    identities.extend(principal_languages(value));
                }
                "Service" => services.push(Pattern::ignoring_case(value)),
                "*" => {}
                kind => {
                    others.insert((kind.to_owned(), value.clone()));
                    others.insert((kind.to_owned(), "x".to_owned()));
                }
            }
        }
    }
    for (key, conditions) in conditions {
        for condition in conditions {
            for value in condition.values {
                partitions.extend(partition_of(value));
                let Some(pattern) = language(condition.operator.comparison, value, condition.version) else {
                    continue;
                };
                match key.as_str() {
                    "aws:principalarn" => identities.extend(with_sessions(&pattern)),
                    "aws:principalaccount" => {
                        identities.push(
                            text("arn:*:*:*:", ":").then(&narrowed(&pattern, ":\u{1}")).then(&text(":*", "")),
                        );
                    }
                    "aws:username" => {
                        let name = narrowed(&pattern, "/\u{1}");
                        identities.push(text("arn:*:iam::*:user/", ":").then(&name));
                        identities
                            .push(text("arn:*:iam::*:user/", ":").then(&text("*/", SEPARATOR)).then(&name));
                    }
                    "aws:principalservicename" => services.push(pattern),
                    _ => {}
                }
            }
        }
    }
    let universe: Vec<Pattern> = partitions.iter().flat_map(|partition| every_identity(*partition)).collect();
    let mut all: Vec<Requester> =
        representatives(&identities, &universe)?.iter().filter_map(|text| requester(text)).collect();
    all.extend(representatives(&services, &[])?.into_iter().map(Requester::Service));
    all.extend(others.into_iter().map(|(kind, value)| Requester::Other { kind, value }));
    all.push(Requester::Anonymous);
    // Somebody of a type that no document knows.
    all.push(Requester::Other { kind: "x".to_owned(), value: "x".to_owned() });
    Ok(all)
}

/// Text with wildcards; they take all characters but those of `without`.
fn text(text: &str, without: &'static str) -> Pattern {
    Pattern::within(text, Class::Not(without))
}

/// The pattern, with wildcards that do not take the characters of `without` (which must hold `:` if the pattern's do).
fn narrowed(pattern: &Pattern, without: &'static str) -> Pattern {
    let narrow = |token: &Token| match token.class {
        Class::Any => Token { class: Class::Not(without), ..*token },
        Class::Not(_) => Token { class: Class::Not(":/\u{1}"), ..*token },
        _ => *token,
    };
    Pattern { tokens: pattern.tokens.iter().map(narrow).collect() }
}

/// A pattern of role ARNs, for roles and for their sessions.
fn with_sessions(pattern: &Pattern) -> [Pattern; 2] {
    let narrow = |token: &Token| match token.class {
        Class::Any => Token { class: Class::Not(SEPARATOR), ..*token },
        Class::Not(_) => Token { class: Class::Not(":\u{1}"), ..*token },
        _ => *token,
    };
    let role = Pattern { tokens: pattern.tokens.iter().map(narrow).collect() };
    [role.clone(), role.then(&Pattern::new("\u{1}*"))]
}

fn principal_languages(value: &str) -> Vec<Pattern> {
    if value == "*" {
        return Vec::new();
    }
    if let Some(account) = account_of_root(value) {
        let partition = account.partition.unwrap_or("*");
        return vec![
            text(&format!("arn:{partition}:*:*:"), ":").then(&text(&format!("{}:*", account.id), "")),
        ];
    }
    let mut all = with_sessions(&Pattern::new(value)).to_vec();
    if let Ok(arn) = value.parse::<Arn>() {
        let role = |name: &str, session: &str| {
            Pattern::new(&format!("arn:{}:iam::{}:role/{name}\u{1}{session}", arn.partition, arn.account))
        };
        if let Some((_, name)) = arn.resource.strip_prefix("role").and_then(|rest| rest.rsplit_once('/')) {
            all.push(role(name, "*"));
        }
        let session = arn.resource.strip_prefix("assumed-role/").and_then(|rest| rest.split_once('/'));
        all.extend(session.map(|(name, session)| role(name, session)));
    }
    all
}

fn partition_of(value: &str) -> Option<Partition> {
    value.strip_prefix("arn:")?.split(':').next()?.parse().ok()
}

fn every_identity(partition: Partition) -> Vec<Pattern> {
    let of = |service: &str, rest: &[Pattern]| {
        let mut pattern = Pattern::literal(&format!("arn:{partition}:{service}::"));
        pattern.tokens.extend([Token::one(Class::Digit); 12]);
        pattern.tokens.push(Token::one(Class::Just(':')));
        rest.iter().fold(pattern, Pattern::then)
    };
    let name = text("?*", "/\u{1}");
    vec![
        of("iam", &[Pattern::literal("role/"), text("?*", SEPARATOR)]),
        of("iam", &[Pattern::literal("user/"), text("?*", SEPARATOR)]),
        of("iam", &[Pattern::literal("role/"), name.clone(), Pattern::literal(SEPARATOR), name.clone()]),
        of("iam", &[Pattern::literal("root")]),
        of("sts", &[Pattern::literal("federated-user/"), name]),
    ]
}

fn requester(text: &str) -> Option<Requester> {
    match text.split_once(SEPARATOR) {
        None => text.parse().ok(),
        Some((role, session)) => {
            let role: Arn = role.parse().ok()?;
            let name = role.resource.strip_prefix("role/")?;
            let arn = format!("arn:{}:sts::{}:assumed-role/{name}/{session}", role.partition, role.account);
            arn.parse().ok()
        }
    }
}

/// The actions that stand for all others: real ones first, then made-up names that only the patterns tell apart.
pub(crate) fn actions<'a>(
    guarded: Guarded,
    statements: impl Iterator<Item = &'a Statement>,
) -> Result<Vec<String>, TooLarge> {
    let all: Vec<Pattern> = statements
        .flat_map(|statement| statement.action.actions())
        .map(String::as_str)
        .map(Pattern::ignoring_case)
        .collect();
    let mut real: Vec<&Action> = real_actions().iter().collect();
    real.sort_by_key(|action| action.guarded() != Some(guarded));
    let mut texts: Vec<String> = real.into_iter().map(|action| action.name.to_owned()).collect();
    let made_up = representatives(&all, &[])?;
    let (shaped, odd): (Vec<_>, Vec<_>) = made_up.into_iter().partition(|text| text.contains(':'));
    texts.extend(shaped.into_iter().chain(odd));
    Ok(texts)
}

/// The resources that stand for all others: buckets, objects and keys first.
pub(crate) fn resources(documents: [&Document; 2], guarded: Guarded) -> Result<Vec<String>, TooLarge> {
    let partition = common_partition(&documents);
    let s3 = Pattern::literal(&format!("arn:{partition}:s3:::"));
    let usual = match guarded {
        Guarded::Bucket => vec![
            s3.clone().then(&text("?*", "/")),
            s3.then(&text("?*", "/")).then(&text("/", "")).then(&text("?*", "")),
        ],
        Guarded::Key => vec![
            Pattern::literal(&format!("arn:{partition}:kms:us-east-1:"))
                .then(&Pattern { tokens: vec![Token::one(Class::Digit); 12] })
                .then(&Pattern::new(":key/?*")),
        ],
    };
    let mut all = usual.clone();
    for document in documents {
        for resource in document.statements.iter().filter_map(|statement| statement.resource.as_ref()) {
            all.extend(resource.resources().iter().map(|value| widest(value, document.version, true)));
        }
    }
    let mut texts = representatives(&all, &[])?;
    texts.sort_by_key(|text| !usual.iter().any(|pattern| pattern.matches(text)));
    Ok(texts)
}

/// What kind of values a comparison reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    Text,
    Address,
    Number,
    Date,
}

impl Family {
    /// `None` for `Null`, which reads none.
    pub(crate) fn of(comparison: Comparison) -> Option<Self> {
        use Comparison as C;
        match comparison {
            C::Null => None,
            C::IpAddress | C::NotIpAddress => Some(Self::Address),
            C::NumericEquals
            | C::NumericNotEquals
            | C::NumericLessThan
            | C::NumericLessThanEquals
            | C::NumericGreaterThan
            | C::NumericGreaterThanEquals => Some(Self::Number),
            C::DateEquals
            | C::DateNotEquals
            | C::DateLessThan
            | C::DateLessThanEquals
            | C::DateGreaterThan
            | C::DateGreaterThanEquals => Some(Self::Date),
            _ => Some(Self::Text),
        }
    }
}

/// Keys that are `true`, `false` or absent.
///
/// Source: IAM user guide, "AWS global condition context keys" (data type Boolean).
const TRUTHS: [&str; 4] =
    ["aws:securetransport", "aws:viaawsservice", "aws:multifactorauthpresent", "aws:principalisawsservice"];

/// Whether the key is `true`, `false` or absent.
pub(crate) fn is_truth(key: &str) -> bool {
    TRUTHS.contains(&key)
}

/// Keys that a request may carry with several values.
///
/// Source: IAM user guide, "AWS global condition context keys" (value type Multivalued); service authorization
/// reference of S3 and KMS (types `ArrayOf…`).
const SETS: [&str; 11] = [
    "aws:calledvia",
    "aws:principalorgpaths",
    "aws:principalservicenameslist",
    "aws:resourceorgpaths",
    "aws:sourceorgpaths",
    "aws:tagkeys",
    "aws:vpceorgpaths",
    "kms:encryptioncontextkeys",
    "kms:grantoperations",
    "kms:resourcealiases",
    "s3:requestobjecttagkeys",
];

/// Whether a request may carry the key (in folded spelling) with several values.
pub(crate) fn may_have_several(key: &str) -> bool {
    // Of keys of other services it is not known here how many values they have.
    let strange = !["aws:", "s3:", "kms:"].iter().any(|service| key.starts_with(service));
    strange || SETS.contains(&key)
}

/// The values (none: the key is absent) of a condition key that stand for all others. Exact as long as all conditions
/// on the key read one family of values; else each family has its own, and not all combinations.
pub(crate) fn values(
    key: &str,
    conditions: &[Condition<'_>],
    anyone: &Request,
) -> Result<Vec<Vec<String>>, TooLarge> {
    let mut singles: Vec<String> = Vec::new();
    if is_truth(key) {
        singles.extend(["true".to_owned(), "false".to_owned()]);
    } else {
        let families: BTreeSet<Family> =
            conditions.iter().filter_map(|one| Family::of(one.operator.comparison)).collect();
        for family in families {
            singles.extend(match family {
                Family::Text => texts(conditions)?,
                Family::Number => numbers(conditions),
                Family::Date => dates(conditions),
                Family::Address => addresses(conditions),
            });
        }
        if singles.is_empty() {
            singles.push("x".to_owned());
        }
    }
    let several = may_have_several(key) || conditions.iter().any(|one| one.operator.quantifier.is_some());
    let mut all = vec![Vec::new()];
    all.extend(if several {
        sets(&singles, conditions, anyone)?
    } else {
        singles.into_iter().map(|value| vec![value]).collect()
    });
    Ok(all)
}

fn texts(conditions: &[Condition<'_>]) -> Result<Vec<String>, TooLarge> {
    let mut all = Vec::new();
    for condition in conditions {
        let of = |value: &String| language(condition.operator.comparison, value, condition.version);
        all.extend(condition.values.iter().filter_map(of));
    }
    representatives(&all, &[])
}

fn of_family<'a>(conditions: &'a [Condition<'_>], family: Family) -> impl Iterator<Item = &'a String> {
    conditions
        .iter()
        .filter(move |one| Family::of(one.operator.comparison) == Some(family))
        .flat_map(|one| one.values.iter().filter(|value| !has_variable(value, one.version)))
}

fn numbers(conditions: &[Condition<'_>]) -> Vec<String> {
    let mut cuts: Vec<f64> =
        of_family(conditions, Family::Number).filter_map(|value| number(value)).collect();
    cuts.sort_by(f64::total_cmp);
    cuts.dedup();
    let mut all = vec!["x".to_owned()];
    let mut add = |value: f64| {
        if value.is_finite() {
            all.push(value.to_string());
        }
    };
    for (index, cut) in cuts.iter().enumerate() {
        if index == 0 {
            add((cut - cut.abs() - 1.0).max(f64::MIN));
        }
        add(*cut);
        match cuts.get(index + 1) {
            Some(next) => {
                let middle = cut / 2.0 + next / 2.0;
                add(if *cut < middle && middle < *next { middle } else { cut.next_up() });
            }
            None => add((cut + cut.abs() + 1.0).min(f64::MAX)),
        }
    }
    if cuts.is_empty() {
        add(0.0);
    }
    all
}

fn dates(conditions: &[Condition<'_>]) -> Vec<String> {
    let cuts: BTreeSet<i128> = of_family(conditions, Family::Date).filter_map(|value| date(value)).collect();
    let near: BTreeSet<i128> = cuts.iter().flat_map(|cut| [cut - 1, *cut, cut + 1]).chain([0]).collect();
    let mut all = vec!["x".to_owned()];
    all.extend(near.into_iter().map(date_text));
    // Beyond the years that can be written, whole seconds are all there is.
    all.extend(
        cuts.iter()
            .flat_map(|cut| [cut - 1000, *cut, cut + 1000])
            .map(|one| one.div_euclid(1000).to_string()),
    );
    all
}

fn addresses(conditions: &[Condition<'_>]) -> Vec<String> {
    let mut v4 = BTreeSet::from([0_u32]);
    // The IPv4 addresses that are written in IPv6 are a gap in IPv6.
    let mut v6 = BTreeSet::from([0_u128, 0xffff_0000_0000, 0x1_0000_0000_0000]);
    for value in of_family(conditions, Family::Address) {
        match network(value) {
            Some(IpNet::V4(net)) => {
                v4.insert(net.network().to_bits());
                v4.extend(net.broadcast().to_bits().checked_add(1));
            }
            Some(IpNet::V6(net)) => {
                v6.insert(net.network().to_bits());
                v6.extend(net.broadcast().to_bits().checked_add(1));
            }
            None => {}
        }
    }
    let mut all: Vec<String> =
        v4.into_iter().map(|bits| std::net::Ipv4Addr::from_bits(bits).to_string()).collect();
    all.extend(v6.into_iter().map(|bits| std::net::Ipv6Addr::from_bits(bits).to_string()));
    all.push("x".to_owned());
    all
}

/// The sets of values that stand for all others: what counts of a set is which conditions one of its values meets, and
/// which all of them do.
fn sets(
    singles: &[String],
    conditions: &[Condition<'_>],
    anyone: &Request,
) -> Result<Vec<Vec<String>>, TooLarge> {
    let meets = |value: &String| -> Vec<bool> {
        let one = |condition: &Condition<'_>| {
            let operator = Operator { quantifier: Some(Quantifier::ForAnyValue), ..condition.operator };
            let there = std::slice::from_ref(value);
            holds(operator, condition.values, condition.version, Some(there), anyone)
        };
        conditions.iter().map(one).collect()
    };
    let singles: Vec<(Vec<bool>, &String)> = singles.iter().map(|value| (meets(value), value)).collect();
    let mut seen: HashMap<(Vec<bool>, Vec<bool>), ()> = HashMap::new();
    let mut all: Vec<(Vec<bool>, Vec<bool>, Vec<String>)> = Vec::new();
    for (bits, value) in &singles {
        // Singles stay, each as it is: they are what most requests have.
        seen.insert((bits.clone(), bits.clone()), ());
        all.push((bits.clone(), bits.clone(), vec![(*value).clone()]));
    }
    let mut at = 0;
    while let Some((any, every, set)) = all.get(at).cloned() {
        at += 1;
        for (bits, value) in &singles {
            let any: Vec<bool> = any.iter().zip(bits).map(|(a, b)| *a || *b).collect();
            let every: Vec<bool> = every.iter().zip(bits).map(|(a, b)| *a && *b).collect();
            if seen.insert((any.clone(), every.clone()), ()).is_none() {
                if all.len() >= SET_LIMIT {
                    return Err(TooLarge);
                }
                let mut set = set.clone();
                set.push((*value).clone());
                all.push((any, every, set));
            }
        }
    }
    Ok(all.into_iter().map(|(_, _, set)| set).collect())
}
