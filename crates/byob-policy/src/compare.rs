//! Whether a new document gives more access than an old one: proved not to, with a request that shows that it does, or
//! neither. In each dimension of a request (who, action, resource, each condition key) [`crate::dimension`] finds the
//! values that stand for all others, [`crate::search`] looks through their combinations, and the evaluator confirms
//! what is found. What cannot be known (a policy variable, a reading of AWS's that its pages leave open) is let to go
//! either way: a "within" that holds for both ways is proved, a "beyond" that needs one of them is not shown.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::arn::AccountId;
use crate::canonical::{common_partition, folded_key, with_root_arns};
use crate::dimension::{Condition, Family, actions, is_truth, requesters, resources, values};
use crate::document::{Document, Effect};
use crate::evaluate::{Circumstances, Guarded, Identity, action_matches, evaluate};
use crate::operator::Operator;
use crate::part::{Part, Rule, Way, condition_part, principal_part, resource_part};
use crate::pattern::TooLarge;
use crate::request::{REQUESTER_KEYS, Request, Requester};
use crate::search::{Entry, Mask, Roles, search};

/// The most unknowns of one value that are tried both ways.
const UNKNOWN_LIMIT: usize = 6;
/// The most requests that are tried before none is shown.
const TRIES: usize = 200;

/// Whose the bucket or key is: it decides what counts as access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// What the documents hang on.
    pub guarded: Guarded,
    /// The account. `None`: not known. Then a requester may be of that account or of another, and access is what the
    /// document gives either (an Allow that names a role gives its own account's role more than an Allow to the account
    /// does); what identity policies of the owner's account give past the document does not count. With an account, it
    /// does: taking a Deny off a bucket gives that account's principals access.
    pub account: Option<AccountId>,
}

/// The answer to "is the access of the new document within that of the old one?"
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Proved: whatever request the new document lets through, the old one does.
    Within,
    /// Not so: this request shows it.
    Beyond(Box<Witness>),
    /// Neither is proved.
    CannotTell {
        /// Why, in one sentence without a full stop.
        reason: String,
    },
}

/// A request that the new document lets through and the old one does not, as [`evaluate`] has confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The request.
    pub request: Request,
    /// The circumstances under which it holds.
    pub circumstances: Circumstances,
    /// The statements of the new document that allow it, by index; none where the requester's own policies do.
    pub allowed_by: Vec<usize>,
    /// The statements of the old document that denied it, by index; none where nothing allowed it.
    pub denied_by: Vec<usize>,
}

/// Compares the access that two resource policies give: see [`Verdict`].
///
/// "Within" is proved over all requests: every principal of the partitions that the documents name (`aws`, if none),
/// every action, resource and context, keys absent or present in any
/// combination. Values that never come together in practice (a bucket's action on an object, a source address beside a
/// VPC endpoint) count as if they could, so the error is always towards "beyond". What follows from the principal
/// (`aws:PrincipalArn` and the like) follows; a bare account id is an account of the partition that the documents name.
pub fn compare(old: &Document, new: &Document, owner: &Owner) -> Verdict {
    // AWS puts the root ARN of the bucket's own partition for a bare account id.
    let partition = common_partition(&[old, new]);
    if old.equals_in(new, partition) {
        return Verdict::Within;
    }
    let (full_old, full_new) = (with_root_arns(old, partition), with_root_arns(new, partition));
    overall(&Table::new(&full_old, &full_new, owner), (old, new))
}

/// The verdict of a table over all requests, confirmed on the documents as they were written.
pub(crate) fn overall(table: &Result<Table<'_>, String>, (old, new): (&Document, &Document)) -> Verdict {
    let verdict = match table {
        Ok(table) => table.verdict(Direction::Gained, &Scope::default()),
        Err(reason) => Verdict::CannotTell { reason: reason.clone() },
    };
    match verdict {
        Verdict::Beyond(witness)
            if !evaluate(new, &witness.request, &witness.circumstances).is_allowed()
                || evaluate(old, &witness.request, &witness.circumstances).is_allowed() =>
        {
            Verdict::CannotTell {
                reason: "bare account ids stand beside ARNs of several partitions".to_owned(),
            }
        }
        verdict => verdict,
    }
}

/// Which way two documents are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// What the new one gives and the old one does not.
    Gained,
    /// What the old one gives and the new one does not.
    Lost,
    /// What the new one gives, whatever the old one does.
    Given,
    /// What the old one gives, whatever the new one does.
    Gave,
}

/// Both documents, taken apart: what a request can vary in is the same whichever way they are compared.
pub(crate) struct Table<'a> {
    old: &'a Document,
    new: &'a Document,
    owner: &'a Owner,
    gained: Roles,
    lost: Roles,
    given: Roles,
    gave: Roles,
    requesters: Vec<(Requester, Way)>,
    actions: Vec<String>,
    resources: Vec<String>,
    /// The keys as they are written, with their values.
    keys: Vec<(String, Vec<Vec<String>>)>,
    /// One dimension each: requesters, actions, resources, keys. First what is known, then with unknowns both ways.
    known: Vec<Vec<Entry>>,
    open: Vec<Vec<Entry>>,
}

impl<'a> Table<'a> {
    pub(crate) fn new(old: &'a Document, new: &'a Document, owner: &'a Owner) -> Result<Self, String> {
        let rules: Vec<Rule<'a>> = [new, old]
            .into_iter()
            .flat_map(|document| {
                document.statements.iter().map(|statement| Rule { statement, version: document.version })
            })
            .collect();
        let of = |direction| roles(&rules, new.statements.len(), direction);
        let (conditions, spelled) = conditions(&rules)?;
        let mut table = Self {
            old,
            new,
            owner,
            gained: of(Direction::Gained),
            lost: of(Direction::Lost),
            given: of(Direction::Given),
            gave: of(Direction::Gave),
            requesters: Vec::new(),
            actions: Vec::new(),
            resources: Vec::new(),
            keys: Vec::new(),
            known: Vec::new(),
            open: Vec::new(),
        };
        table.fill(&rules, &conditions, &spelled).map_err(|error| error.to_string())?;
        Ok(table)
    }

    fn fill(
        &mut self,
        rules: &[Rule<'_>],
        conditions: &BTreeMap<String, Vec<Condition<'_>>>,
        spelled: &BTreeMap<String, String>,
    ) -> Result<(), TooLarge> {
        let count = rules.len() + 2;
        for requester in requesters([self.old, self.new], self.owner.account.as_ref(), conditions)? {
            let ways = self.ways(&requester);
            self.requesters.extend(ways.iter().map(|way| (requester.clone(), *way)));
        }
        self.actions = actions(self.owner.guarded, rules.iter().map(|rule| rule.statement))?;
        self.resources = resources([self.old, self.new], self.owner.guarded)?;

        let of_requester: Vec<&str> =
            conditions.keys().map(String::as_str).filter(|key| REQUESTER_KEYS.contains(key)).collect();
        let requesters: Vec<(Request, Way)> =
            self.requesters.iter().map(|(who, way)| (Request::new(who.clone(), "", "", []), *way)).collect();
        let (known, open) = entries(requesters.len(), count, |value, rule| {
            let Some((request, way)) = requesters.get(value) else { return Vec::new() };
            let Some(own) = rules.get(rule) else { return vec![Part::known(*way == Way::Own)] };
            if *way == Way::Own && own.statement.effect == Effect::Allow {
                // What the document allows beside it makes no difference to whom its own side lets through.
                return vec![Part::known(false)];
            }
            let mut parts = vec![principal_part(own.statement, request.principal(), *way)];
            for key in &of_requester {
                let all = conditions.get(*key).map(Vec::as_slice).unwrap_or_default();
                parts.extend(all.iter().filter(|one| one.rule == rule).map(|one| {
                    let readable = Family::of(one.operator.comparison).is_none_or(|one| one == Family::Text);
                    condition_part(key, one, request.values(key).unwrap_or_default(), request, readable)
                }));
            }
            parts
        })?;
        self.known.push(known);
        self.open.push(open);

        let (known, open) = entries(self.actions.len(), count, |value, rule| {
            let matches = match (rules.get(rule), self.actions.get(value)) {
                (Some(rule), Some(action)) => action_matches(&rule.statement.action, action),
                _ => true,
            };
            vec![Part::known(matches)]
        })?;
        self.known.push(known);
        self.open.push(open);

        let (known, open) = entries(self.resources.len(), count, |value, rule| {
            match (rules.get(rule), self.resources.get(value)) {
                (Some(rule), Some(resource)) => vec![resource_part(rule, resource)],
                _ => vec![Part::known(true)],
            }
        })?;
        self.known.push(known);
        self.open.push(open);

        let nobody = Request::new(Requester::Anonymous, "", "", []);
        for (key, all) in conditions.iter().filter(|(key, _)| !REQUESTER_KEYS.contains(&key.as_str())) {
            let candidates = values(key, all, &nobody)?;
            let families: BTreeSet<Family> =
                all.iter().filter_map(|one| Family::of(one.operator.comparison)).collect();
            let first = families.first().copied();
            let (known, open) = entries(candidates.len(), count, |value, rule| {
                let there = candidates.get(value).map(Vec::as_slice).unwrap_or_default();
                all.iter()
                    .filter(|one| one.rule == rule)
                    .map(|one| {
                        let family = Family::of(one.operator.comparison);
                        let readable = family.is_none() || family == first || is_truth(key);
                        condition_part(key, one, there, &nobody, readable)
                    })
                    .collect()
            })?;
            self.known.push(known);
            self.open.push(open);
            self.keys.push((spelled.get(key).unwrap_or(key).clone(), candidates));
        }
        Ok(())
    }

    fn ways(&self, requester: &Requester) -> &'static [Way] {
        let account = requester.account();
        if account.is_none() {
            return &[Way::Any];
        }
        let root = matches!(requester, Requester::Root(_));
        match &self.owner.account {
            None if root => &[Way::Any],
            None => &[Way::Any, Way::Named],
            Some(owner) if account.as_ref() != Some(owner) => &[Way::Any],
            Some(_) => match (self.owner.guarded, root) {
                (Guarded::Bucket, true) => &[Way::Own],
                (Guarded::Bucket, false) => &[Way::Own, Way::Named],
                (Guarded::Key, true) => &[Way::Any],
                (Guarded::Key, false) => &[Way::Any, Way::Named],
            },
        }
    }

    /// The values of the dimension of actions, grouped: all of one group leave the same rules standing.
    pub(crate) fn action_groups(&self) -> Vec<Vec<usize>> {
        let mut groups: BTreeMap<&Mask, Vec<usize>> = BTreeMap::new();
        for entry in self.known.get(1).into_iter().flatten() {
            groups.entry(&entry.standing).or_default().push(entry.value);
        }
        groups.into_values().collect()
    }

    pub(crate) fn action(&self, index: usize) -> Option<&str> {
        self.actions.get(index).map(String::as_str)
    }

    pub(crate) fn resources(&self) -> impl Iterator<Item = &str> {
        self.resources.iter().map(String::as_str)
    }

    /// The verdict over the requests of a scope.
    pub(crate) fn verdict(&self, direction: Direction, scope: &Scope<'_>) -> Verdict {
        let (known, open) = (chosen(&self.known, scope), chosen(&self.open, scope));
        let roles = match direction {
            Direction::Gained => &self.gained,
            Direction::Lost => &self.lost,
            Direction::Given => &self.given,
            Direction::Gave => &self.gave,
        };
        let mut shown = None;
        let mut doubted = false;
        let mut tries = 0;
        let ended = search(&known, roles, |picks| {
            shown = self.witness(direction, picks);
            doubted |= shown.is_none();
            tries += 1;
            shown.is_none() && tries < TRIES
        });
        if let Some(witness) = shown {
            return Verdict::Beyond(Box::new(witness));
        }
        if let Err(error) = ended {
            return Verdict::CannotTell { reason: error.to_string() };
        }
        // Where nothing is unknown, the second search would go the way of the first.
        let standing = |one: &&Entry, other: &&Entry| one.standing == other.standing;
        let alike = known.iter().zip(&open).all(|(one, other)| {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| standing(a, b))
        });
        if !doubted && alike {
            return Verdict::Within;
        }
        let mut assumed: Option<Vec<String>> = None;
        let open = search(&open, roles, |picks| {
            assumed = Some(picks.iter().flat_map(|entry| entry.assumed.iter().cloned()).collect());
            false
        });
        match (open, assumed) {
            (Err(error), _) => Verdict::CannotTell { reason: error.to_string() },
            (Ok(()), Some(assumed)) if !assumed.is_empty() => {
                Verdict::CannotTell { reason: format!("it hangs on {}", assumed.join(", and on ")) }
            }
            (Ok(()), Some(_)) => Verdict::CannotTell {
                reason: "what the documents differ in could not be shown by one request".to_owned(),
            },
            (Ok(()), None) if doubted => Verdict::CannotTell {
                reason: "what the documents differ in could not be shown by one request".to_owned(),
            },
            (Ok(()), None) => Verdict::Within,
        }
    }

    /// The requesters that stand for all others.
    pub(crate) fn requesters(&self) -> impl Iterator<Item = &Requester> {
        self.requesters.iter().map(|(requester, _)| requester)
    }

    /// The request that entries of all dimensions make, if the evaluator agrees that it shows new access.
    fn witness(&self, direction: Direction, picks: &[&Entry]) -> Option<Witness> {
        let mut picks = picks.iter();
        let (requester, way) = self.requesters.get(picks.next()?.value)?;
        let action = self.actions.get(picks.next()?.value)?;
        let resource = self.resources.get(picks.next()?.value)?;
        let context: Vec<(String, Vec<String>)> = self
            .keys
            .iter()
            .zip(picks)
            .filter_map(|((key, values), entry)| Some((key.clone(), values.get(entry.value)?.clone())))
            .collect();
        let request = Request::new(requester.clone(), action, resource, context);
        let (owner, identity) = match way {
            Way::Any | Way::Own => (self.owner.account.clone(), Identity::Everything),
            Way::Named => (requester.account(), Identity::Nothing),
        };
        let circumstances = Circumstances::new(self.owner.guarded, owner, identity);
        let nothing = Document::new(Vec::new());
        let (before, after) = match direction {
            Direction::Gained => (self.old, self.new),
            Direction::Lost => (self.new, self.old),
            Direction::Given => (&nothing, self.new),
            Direction::Gave => (&nothing, self.old),
        };
        let after = evaluate(after, &request, &circumstances);
        let before = evaluate(before, &request, &circumstances);
        (after.is_allowed() && !before.is_allowed()).then_some(Witness {
            request,
            circumstances,
            allowed_by: after.deciding,
            denied_by: if before.outcome == crate::evaluate::Outcome::ExplicitDeny {
                before.deciding
            } else {
                Vec::new()
            },
        })
    }
}

/// Which requesters, actions and resources a verdict is over, by their places in the table; `None`: all.
#[derive(Clone, Copy, Default)]
pub(crate) struct Scope<'s> {
    /// One for each requester.
    pub(crate) who: Option<&'s [bool]>,
    /// This one alone.
    pub(crate) action: Option<usize>,
    /// One for each resource.
    pub(crate) on: Option<&'s [bool]>,
}

/// The entries of a scope. Of those that leave the same rules standing one suffices: the first.
fn chosen<'e>(dimensions: &'e [Vec<Entry>], scope: &Scope<'_>) -> Vec<Vec<&'e Entry>> {
    let is_in = |places: Option<&[bool]>, at: usize| {
        places.is_none_or(|places| places.get(at).copied().unwrap_or_default())
    };
    let keep = |dimension: usize, entry: &Entry| match dimension {
        0 => is_in(scope.who, entry.value),
        1 => scope.action.is_none_or(|action| action == entry.value),
        2 => is_in(scope.on, entry.value),
        _ => true,
    };
    let some = |(dimension, entries): (usize, &'e Vec<Entry>)| {
        let mut seen: HashSet<&Mask> = HashSet::new();
        let kept = entries.iter().filter(|entry| keep(dimension, entry) && seen.insert(&entry.standing));
        kept.collect()
    };
    dimensions.iter().enumerate().map(some).collect()
}

/// What each rule does in one direction; the first `new` rules are the new document's. Behind the rules stand two for
/// what the owner's account may by its identity policies, with the new document and with the old one.
fn roles(rules: &[Rule<'_>], new: usize, direction: Direction) -> Roles {
    let count = rules.len() + 2;
    let (own_new, own_old) = (rules.len(), rules.len() + 1);
    let forward = matches!(direction, Direction::Gained | Direction::Given);
    let beside_the_other = matches!(direction, Direction::Gained | Direction::Lost);
    let mut roles = Roles {
        new_allows: Vec::new(),
        old_allows: Mask::none(count),
        new_denies: Mask::none(count),
        old_denies: Vec::new(),
    };
    for (index, rule) in rules.iter().enumerate() {
        match ((index < new) == forward, rule.statement.effect) {
            (true, Effect::Allow) => roles.new_allows.push(index),
            (true, Effect::Deny) => roles.new_denies.insert(index),
            (false, _) if !beside_the_other => {}
            (false, Effect::Allow) => roles.old_allows.insert(index),
            (false, Effect::Deny) => roles.old_denies.push(index),
        }
    }
    let (own_after, own_before) = if forward { (own_new, own_old) } else { (own_old, own_new) };
    roles.new_allows.push(own_after);
    roles.old_allows.insert(own_before);
    roles
}

type ByKey<'a> = (BTreeMap<String, Vec<Condition<'a>>>, BTreeMap<String, String>);

/// All conditions by folded key, and how each key was first written.
fn conditions<'a>(rules: &[Rule<'a>]) -> Result<ByKey<'a>, String> {
    let mut all: BTreeMap<String, Vec<Condition<'a>>> = BTreeMap::new();
    let mut spelled = BTreeMap::new();
    for (index, rule) in rules.iter().enumerate() {
        for (name, keys) in &rule.statement.condition {
            let operator: Operator =
                name.parse().map_err(|_| format!("`{name}` is not a condition operator"))?;
            for (key, values) in keys {
                let folded = folded_key(key);
                spelled.entry(folded.clone()).or_insert_with(|| key.clone());
                let condition = Condition { rule: index, operator, values, version: rule.version };
                all.entry(folded).or_default().push(condition);
            }
        }
    }
    Ok((all, spelled))
}

/// The entries of a dimension of `values` values and `rules` rules, known ones and with every unknown both ways.
fn entries(
    values: usize,
    rules: usize,
    parts: impl Fn(usize, usize) -> Vec<Part>,
) -> Result<(Vec<Entry>, Vec<Entry>), TooLarge> {
    let mut known: Vec<Entry> = Vec::new();
    let mut open: Vec<Entry> = Vec::new();
    for value in 0..values {
        let all: Vec<Vec<Part>> = (0..rules).map(|rule| parts(value, rule)).collect();
        let unknowns: Vec<&String> = all
            .iter()
            .flatten()
            .flat_map(|part| &part.unknowns)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        if unknowns.len() > UNKNOWN_LIMIT {
            return Err(TooLarge);
        }
        let mut read = Mask::none(rules);
        for (rule, parts) in all.iter().enumerate() {
            if parts.iter().all(|part| part.reading) {
                read.insert(rule);
            }
        }
        known.push(Entry { standing: read, value, assumed: Vec::new() });
        for assumption in 0_u32..1 << unknowns.len() {
            let assumed: Vec<&String> = unknowns
                .iter()
                .enumerate()
                .filter(|(at, _)| assumption & (1 << at) != 0)
                .map(|(_, what)| *what)
                .collect();
            let mut standing = Mask::none(rules);
            for (rule, parts) in all.iter().enumerate() {
                let holds = |part: &Part| {
                    (part.yes || part.unknowns.iter().any(|what| assumed.contains(&what))) != part.negated
                };
                if parts.iter().all(holds) {
                    standing.insert(rule);
                }
            }
            let named: Vec<String> = unknowns.iter().map(|what| (*what).clone()).collect();
            open.push(Entry { standing, value, assumed: named });
        }
    }
    Ok((known, open))
}
