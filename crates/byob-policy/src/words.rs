//! What a change of a policy means, in words: which principal gains and loses which actions on the bucket, its objects or
//! the key, under which conditions. The judgement is the comparison's; here it is asked once for each principal that a
//! document names, each class of resources, and each group of actions, and told.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::actions::{ResourceClass, real_actions};
use crate::arn::{AccountId, Arn, Partition};
use crate::canonical::{common_partition, has_variable, statement_meaning, with_root_arns};
use crate::compare::{Direction, Owner, Scope, Table, Verdict, Witness, overall};
use crate::document::{Conditions, Document, Effect, ResourceElement, Statement};
use crate::evaluate::{Guarded, Match, action_matches, one_principal, principal_match};
use crate::operator::{Comparison, Operator, Quantifier};
use crate::part::{Rule, resource_part};
use crate::request::Requester;

/// How sure a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proof {
    /// A request shows it.
    Witness,
    /// It may be so.
    CannotTell,
}

/// What one principal gains and loses on one class of resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The principal as the documents name it, account ids as root ARNs; `*`: whoever they do not name otherwise.
    pub principal: String,
    /// On what.
    pub class: ResourceClass,
    /// The actions gained, by name.
    pub gained: Vec<&'static str>,
    /// The actions lost, by name.
    pub lost: Vec<&'static str>,
    /// What must hold by whatever statement it comes (for gained: now; for lost: before), in words, sorted.
    pub conditions: Vec<String>,
    /// For gained: what each Deny that fell away refused (for lost: what each new one refuses), in words, one entry a Deny,
    /// sorted. Empty where one of them asked for nothing: what it refused hung on no condition.
    pub lifted: Vec<String>,
    /// How sure it is.
    pub proof: Proof,
    /// A request that shows it for one of the actions: let through after and not before (for lost: before and not
    /// after). None where [`Proof::CannotTell`].
    pub witness: Option<Box<Witness>>,
}

/// Who gains and loses what from `old` to `new`. Only real actions are told (the comparison itself knows no table: it
/// may say "beyond" for actions that AWS has yet to add). Empty exactly when, as far as real actions go, both
/// directions are proved "within"; with a document that cannot be compared, one change with
/// [`Proof::CannotTell`] for `*`.
pub fn changes(old: &Document, new: &Document, owner: &Owner) -> Vec<Change> {
    let partition = common_partition(&[old, new]);
    if old.equals_in(new, partition) {
        return Vec::new();
    }
    let (old, new) = (with_root_arns(old, partition), with_root_arns(new, partition));
    told(&Table::new(&old, &new, owner), (&old, &new), owner, partition)
}

/// [`crate::compare`] and [`changes`] of the same documents, for less than the two cost one after the other.
pub fn judge(old: &Document, new: &Document, owner: &Owner) -> (Verdict, Vec<Change>) {
    let partition = common_partition(&[old, new]);
    if old.equals_in(new, partition) {
        return (Verdict::Within, Vec::new());
    }
    let (full_old, full_new) = (with_root_arns(old, partition), with_root_arns(new, partition));
    let table = Table::new(&full_old, &full_new, owner);
    (overall(&table, (old, new)), told(&table, (&full_old, &full_new), owner, partition))
}

fn told(
    table: &Result<Table<'_>, String>,
    (old, new): (&Document, &Document),
    owner: &Owner,
    partition: Partition,
) -> Vec<Change> {
    let Ok(table) = table else { return undecided(owner) };
    let subjects = subjects(&[old, new], owner, partition);
    let both = [(Direction::Gained, (new, old)), (Direction::Lost, (old, new))];
    each(table, &subjects, owner.guarded, &both).into_iter().map(|(_, change)| change).collect()
}

/// What each subject has in some directions; each comes with what is after and what is before.
pub(crate) fn each(
    table: &Table<'_>,
    subjects: &BTreeSet<Subject>,
    guarded: Guarded,
    directions: &[(Direction, (&Document, &Document))],
) -> Vec<(Direction, Change)> {
    let classes: &[ResourceClass] = match guarded {
        Guarded::Bucket => &[ResourceClass::Bucket, ResourceClass::Objects],
        Guarded::Key => &[ResourceClass::Key],
    };
    let parts: Vec<Part> = classes.iter().map(|class| Part::new(table, *class)).collect();
    let requesters: Vec<&Requester> = table.requesters().collect();
    let mut all = Vec::new();
    for subject in subjects {
        let who = Who {
            listed: requesters.iter().map(|requester| is_of(subject, subjects, requester)).collect(),
            requesters: &requesters,
        };
        for part in &parts {
            for (direction, between) in directions {
                let told = one_direction(table, *between, &who, part, *direction);
                let named = |change| (*direction, Change { principal: subject.1.clone(), ..change });
                all.extend(told.into_iter().map(named));
            }
        }
    }
    all
}

/// The requesters that one subject stands for.
struct Who<'t> {
    requesters: &'t [&'t Requester],
    /// One for each requester.
    listed: Vec<bool>,
}

impl<'t> Who<'t> {
    fn iter(&self) -> impl Iterator<Item = &'t Requester> {
        self.requesters.iter().zip(&self.listed).filter(|(_, listed)| **listed).map(|(who, _)| *who)
    }
}

/// The actions and resources of a table that are of one class.
struct Part {
    class: ResourceClass,
    /// Real actions that every rule treats alike: the place of one in the table, and the names of all.
    groups: Vec<(usize, Vec<&'static str>)>,
    /// One for each resource of the table.
    resources: Vec<bool>,
}

impl Part {
    fn new(table: &Table<'_>, class: ResourceClass) -> Self {
        let real: HashMap<&str, &'static str> = real_actions()
            .iter()
            .filter(|action| action.classes.contains(&class))
            .map(|action| (action.name, action.name))
            .collect();
        // A real action may stand in the table once more, as what a pattern was found to match.
        let named = |group: Vec<usize>| {
            let places = group.into_iter().filter_map(|at| Some((*real.get(table.action(at)?)?, at)));
            let named: BTreeMap<&'static str, usize> = places.collect();
            let first = *named.values().next()?;
            Some((first, named.into_keys().collect()))
        };
        Self {
            class,
            groups: table.action_groups().into_iter().filter_map(named).collect(),
            resources: table.resources().map(|resource| is_in(class, resource)).collect(),
        }
    }
}

fn undecided(owner: &Owner) -> Vec<Change> {
    let class = match owner.guarded {
        Guarded::Bucket => ResourceClass::Bucket,
        Guarded::Key => ResourceClass::Key,
    };
    vec![Change {
        principal: "*".to_owned(),
        class,
        gained: Vec::new(),
        lost: Vec::new(),
        conditions: Vec::new(),
        lifted: Vec::new(),
        proof: Proof::CannotTell,
        witness: None,
    }]
}

/// A principal of a document: its type and value.
pub(crate) type Subject = (String, String);

pub(crate) fn subjects(documents: &[&Document], owner: &Owner, partition: Partition) -> BTreeSet<Subject> {
    let mut all = BTreeSet::from([("*".to_owned(), "*".to_owned())]);
    all.extend(owner.account.iter().map(|id| ("AWS".to_owned(), id.root_arn(partition).to_string())));
    let elements = documents
        .iter()
        .flat_map(|document| &document.statements)
        .filter_map(|statement| statement.principal.as_ref());
    for (kind, values) in elements.flat_map(|element| &element.principals().0) {
        all.extend(values.iter().filter(|value| *value != "*").map(|value| (kind.clone(), value.clone())));
    }
    all
}

/// Whether a requester is told under this subject: the one that names it most closely.
fn is_of(subject: &Subject, subjects: &BTreeSet<Subject>, requester: &Requester) -> bool {
    let close = |one: &Subject| match one_principal(&one.0, &one.1, requester) {
        Match::None => 0,
        _ if one.1 == "*" => 1,
        Match::Account => 2,
        Match::Direct => 3,
    };
    let own = close(subject);
    own > 0 && subjects.iter().all(|other| close(other) <= own)
}

fn is_in(class: ResourceClass, resource: &str) -> bool {
    let object = resource.splitn(6, ':').nth(5).is_some_and(|name| name.contains('/'));
    match class {
        ResourceClass::Bucket => !object,
        ResourceClass::Objects => object,
        ResourceClass::Key => true,
    }
}

/// What these requesters may after and not before; whose it is the caller says.
fn one_direction(
    table: &Table<'_>,
    (after, before): (&Document, &Document),
    who: &Who<'_>,
    part: &Part,
    direction: Direction,
) -> Vec<Change> {
    /// How sure, what must hold, what was lifted.
    type Told = (Proof, Vec<String>, Vec<String>);
    let mut found: BTreeMap<Told, (Vec<&'static str>, Option<Box<Witness>>)> = BTreeMap::new();
    let partition = common_partition(&[after, before]);
    let resources: Vec<&str> =
        table.resources().zip(&part.resources).filter(|(_, of)| **of).map(|(resource, _)| resource).collect();
    for (first, named) in &part.groups {
        let scope = Scope { who: Some(&who.listed), action: Some(*first), on: Some(&part.resources) };
        let verdict = table.verdict(direction, &scope);
        let action = table.action(*first).unwrap_or_default();
        let asked = Asked { who, action, resources: &resources, class: part.class, partition };
        let (key, witness) = match verdict {
            Verdict::Within => continue,
            Verdict::CannotTell { .. } => ((Proof::CannotTell, Vec::new(), Vec::new()), None),
            Verdict::Beyond(witness) => {
                let lifted = asked.alternatives(before, &fallen((after, before), &asked, &witness.denied_by));
                let ways = ways_in((after, before), &asked, witness.denied_by.is_empty());
                ((Proof::Witness, in_all(after, &ways), lifted), Some(witness))
            }
        };
        let (actions, shown) = found.entry(key).or_default();
        actions.extend(named);
        *shown = shown.take().or(witness);
    }
    found
        .into_iter()
        .map(|((proof, conditions, lifted), (mut actions, witness))| {
            actions.sort_unstable();
            let (gained, lost) = match direction {
                Direction::Gained | Direction::Given => (actions, Vec::new()),
                Direction::Lost | Direction::Gave => (Vec::new(), actions),
            };
            Change {
                principal: String::new(),
                class: part.class,
                gained,
                lost,
                conditions,
                lifted,
                proof,
                witness,
            }
        })
        .collect()
}

/// What is looked at when it is told by what a change comes.
struct Asked<'a> {
    who: &'a Who<'a>,
    action: &'a str,
    /// Those of the table that are of the class.
    resources: &'a [&'a str],
    class: ResourceClass,
    partition: Partition,
}

impl Asked<'_> {
    /// Whether a statement may be about one of these requesters, this action and one of these resources.
    fn is_about(&self, document: &Document, statement: &Statement) -> bool {
        let rule = Rule { statement, version: document.version };
        let may_take = |resource: &&str| {
            let part = resource_part(&rule, resource);
            !part.unknowns.is_empty() || part.yes != part.negated
        };
        action_matches(&statement.action, self.action)
            && self.who.iter().any(|requester| principal_match(statement, requester) != Match::None)
            && self.resources.iter().any(may_take)
    }

    /// What each of these statements asks for, in words, one entry a statement; nothing where one of them asks for nothing
    /// and is about all of the resources, since what that one refuses hangs on no condition.
    fn alternatives(&self, document: &Document, statements: &[usize]) -> Vec<String> {
        let mut said = BTreeSet::new();
        for statement in statements.iter().filter_map(|index| document.statements.get(*index)) {
            match conditions_in_words(&statement.condition).join(", and ") {
                words if !words.is_empty() => drop(said.insert(words)),
                _ if takes_whole(statement, self.class) => return Vec::new(),
                _ => drop(said.insert("on a part of it, always".to_owned())),
            }
        }
        said.into_iter().collect()
    }

    /// Whether `other` has a statement that means the same, whatever its name and its spelling.
    fn stays(&self, other: &Document, document: &Document, statement: &Statement) -> bool {
        let meaning = statement_meaning(statement, self.partition);
        (document.version == other.version || !has_variable(statement))
            && other.statements.iter().any(|one| statement_meaning(one, self.partition) == meaning)
    }
}

/// Whether a statement is about all of its bucket's objects, or of what else is of the class, by the way it is written.
fn takes_whole(statement: &Statement, class: ResourceClass) -> bool {
    let all = match &statement.resource {
        None => return true,
        Some(ResourceElement::Is(all)) => all,
        Some(ResourceElement::Not(_)) => return false,
    };
    all.iter().any(|one| match (class, one.split_once('/')) {
        (ResourceClass::Key, _) => true,
        (ResourceClass::Objects, Some((_, key))) => key == "*",
        (ResourceClass::Objects, None) => one.ends_with('*'),
        (ResourceClass::Bucket, key) => key.is_none(),
    })
}

/// The Allows by which what is gained may come: the new ones; where a Deny fell away, all.
fn ways_in((after, before): (&Document, &Document), asked: &Asked<'_>, new: bool) -> Vec<usize> {
    let all = after.statements.iter().enumerate();
    all.filter(|(_, one)| {
        one.effect == Effect::Allow && asked.is_about(after, one) && !(new && asked.stays(before, after, one))
    })
    .map(|(index, _)| index)
    .collect()
}

/// The Denies that fell away, if the one that refused the witness did.
fn fallen((after, before): (&Document, &Document), asked: &Asked<'_>, denied_by: &[usize]) -> Vec<usize> {
    if denied_by.is_empty() {
        return Vec::new();
    }
    let all = before.statements.iter().enumerate();
    all.filter(|(index, one)| {
        one.effect == Effect::Deny
            && (denied_by.contains(index)
                || (asked.is_about(before, one) && !asked.stays(after, before, one)))
    })
    .map(|(index, _)| index)
    .collect()
}

/// What all of these statements ask for, in words: what only some ask for is no condition of what is gained.
fn in_all(document: &Document, statements: &[usize]) -> Vec<String> {
    let mut each = statements
        .iter()
        .filter_map(|index| document.statements.get(*index))
        .map(|statement| conditions_in_words(&statement.condition).into_iter().collect::<BTreeSet<String>>());
    let Some(first) = each.next() else { return Vec::new() };
    each.fold(first, |common, words| common.intersection(&words).cloned().collect()).into_iter().collect()
}

/// Each condition of a statement in words, such as "only over TLS" or "only from VPC endpoint vpce-1". They hold
/// together.
pub fn conditions_in_words(conditions: &Conditions) -> Vec<String> {
    let mut all = Vec::new();
    for (name, keys) in conditions {
        for (key, values) in keys {
            all.push(match name.parse() {
                Ok(operator) => condition_in_words(operator, key, values),
                Err(_) => format!("{name} of {key}: {}", values.join(" or ")),
            });
        }
    }
    all
}

fn condition_in_words(operator: Operator, key: &str, values: &[String]) -> String {
    use Comparison as C;
    let list = values.join(" or ");
    let folded = key.to_ascii_lowercase();
    let negated = operator.comparison.is_negated();
    let only = if negated { "not" } else { "only" };
    let absent = if operator.if_exists { format!(", or without {key}") } else { String::new() };
    if operator.quantifier.is_none() {
        let truth = operator.comparison == C::Bool && values.len() == 1;
        let equal = matches!(
            operator.comparison,
            C::StringEquals | C::StringNotEquals | C::StringLike | C::StringNotLike
        );
        let address = matches!(operator.comparison, C::IpAddress | C::NotIpAddress);
        let arn = matches!(operator.comparison, C::ArnEquals | C::ArnLike | C::ArnNotEquals | C::ArnNotLike);
        match folded.as_str() {
            "aws:securetransport" if truth => {
                let how =
                    if list.eq_ignore_ascii_case("true") { "only over TLS" } else { "only without TLS" };
                return format!("{how}{absent}");
            }
            "aws:sourceip" if address => return format!("{only} from {list}{absent}"),
            "aws:sourcevpce" if equal => return format!("{only} from VPC endpoint {list}{absent}"),
            "aws:sourcevpc" if equal => return format!("{only} from VPC {list}{absent}"),
            "aws:principalorgid" if equal => return format!("{only} from organization {list}{absent}"),
            "aws:principalaccount" | "aws:sourceaccount" if equal => {
                return format!("{only} for account {list}{absent}");
            }
            "aws:principalarn" if equal || arn => return format!("{only} for {list}{absent}"),
            "s3:prefix" if equal => return format!("{only} for names that start like {list}{absent}"),
            _ => {}
        }
    }
    let some = match operator.quantifier {
        None => "",
        Some(Quantifier::ForAllValues) => "every ",
        Some(Quantifier::ForAnyValue) => "some ",
    };
    let is = match operator.comparison {
        C::Null => {
            let present = values.iter().any(|value| value.eq_ignore_ascii_case("false"));
            return format!("only {} {key}", if present { "with" } else { "without" });
        }
        C::NumericLessThan | C::DateLessThan => "is less than",
        C::NumericLessThanEquals | C::DateLessThanEquals => "is at most",
        C::NumericGreaterThan | C::DateGreaterThan => "is more than",
        C::NumericGreaterThanEquals | C::DateGreaterThanEquals => "is at least",
        C::StringLike | C::ArnLike | C::ArnEquals => "is like",
        C::StringNotLike | C::ArnNotLike | C::ArnNotEquals => "is not like",
        C::IpAddress => "is in",
        C::NotIpAddress => "is not in",
        _ if negated => "is not",
        _ => "is",
    };
    format!("only if {some}{key} {is} {list}{absent}")
}

/// A principal by a name that a reviewer knows, such as "W&B Dedicated Cloud (830241207209)", "this account" or
/// "anyone"; else as it is written. `own` is the account whose bucket or key it is.
///
/// Source of W&B's principals: W&B documentation, "Bring your own bucket".
pub fn principal_in_words(principal: &str, own: Option<&AccountId>) -> String {
    if principal == "*" {
        return "anyone".to_owned();
    }
    let whole = principal.parse::<AccountId>().ok();
    let arn = principal.parse::<Arn>().ok();
    let root = whole.or_else(|| arn.as_ref().filter(|arn| arn.is_account_root()).and_then(Arn::account_id));
    match (root, arn) {
        (Some(account), _) if Some(&account) == own => "this account".to_owned(),
        (Some(account), _) if account.as_str() == "830241207209" => {
            "W&B Dedicated Cloud (830241207209)".to_owned()
        }
        (Some(account), _) => format!("account {account}"),
        (None, Some(arn)) if arn.account == "725579432336" && arn.resource == "role/WandbIntegration" => {
            "W&B Multi-tenant Cloud (725579432336, role WandbIntegration)".to_owned()
        }
        (None, Some(arn)) if arn.account == "830241207209" => {
            format!("W&B Dedicated Cloud (830241207209, {})", arn.resource)
        }
        _ if is_unique_id(principal) => {
            format!("{principal} (a deleted user or role: it grants nothing any more)")
        }
        _ => principal.to_owned(),
    }
}

/// Whether a principal is the unique id that AWS puts in the place of a deleted user or role.
pub fn is_unique_id(principal: &str) -> bool {
    principal.len() >= 16
        && ["AROA", "AIDA"].iter().any(|prefix| principal.starts_with(prefix))
        && principal.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
