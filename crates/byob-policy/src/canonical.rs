//! The one form that every spelling of a document shares. What is folded here is what AWS is known not to tell apart;
//! everything else is left alone, so that two documents of different meaning never share a form. The rules stand at
//! [`Document::canonical_in`].

use std::collections::{BTreeMap, BTreeSet};

use crate::actions::{actions_matching, real_actions};
use crate::arn::{AccountId, Partition};
use crate::document::{
    ActionElement, Conditions, Document, PrincipalElement, Principals, ResourceElement, Statement, Version,
};
use crate::operator::{Comparison, Operator};

/// What becomes of the case of actions and condition keys, which has no meaning.
#[derive(Clone, Copy)]
enum Case {
    /// Folded to lower case: the canonical form.
    Folded,
    /// As first written: for people.
    Kept,
}

/// The canonical form. Account ids that stand alone belong to `partition`; `None`: to the one that the document names.
pub(crate) fn form(document: &Document, partition: Option<Partition>) -> Document {
    arranged(document, partition, Case::Folded)
}

/// The canonical form, but for the case of actions and condition keys; its statements stand in the same order.
pub(crate) fn spelled(document: &Document, partition: Option<Partition>) -> Document {
    arranged(document, partition, Case::Kept)
}

/// Condition keys that bucket and key policies use most, as AWS spells them.
const KEYS: [&str; 16] = [
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalOrgID",
    "aws:PrincipalServiceName",
    "aws:ResourceAccount",
    "aws:SecureTransport",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceIp",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "aws:ViaAWSService",
    "kms:CallerAccount",
    "kms:ViaService",
    "s3:TlsVersion",
];

/// A pattern of actions, its ends in the case of the first real action that it takes.
fn as_the_first_it_takes(pattern: &str) -> String {
    let Some(action) = actions_matching(pattern).next().map(|action| action.name) else {
        return pattern.to_owned();
    };
    let head = pattern.find(['*', '?']).unwrap_or(pattern.len());
    let tail = pattern.rfind(['*', '?']).map_or(0, |at| pattern.len() - at - 1);
    let (Some(first), Some(last), Some(middle)) = (
        action.get(..head),
        action.len().checked_sub(tail).and_then(|at| action.get(at..)),
        pattern.get(head..pattern.len() - tail),
    ) else {
        return pattern.to_owned();
    };
    format!("{first}{middle}{last}")
}

/// The document in the spelling of AWS's table of actions, else of `other`.
pub(crate) fn spelled_like(document: &Document, other: &Document) -> Document {
    let mut spellings: BTreeMap<String, &str> = BTreeMap::new();
    for statement in &other.statements {
        for action in statement.action.actions() {
            spellings.insert(action.to_ascii_lowercase(), action);
        }
        for key in statement.condition.values().flat_map(BTreeMap::keys) {
            spellings.insert(folded_key(key), key);
        }
    }
    let action = |text: &String| {
        let folded = text.to_ascii_lowercase();
        let real = real_actions().iter().find(|action| action.name.eq_ignore_ascii_case(&folded));
        match real.map(|action| action.name).or_else(|| spellings.get(&folded).copied()) {
            Some(spelling) => spelling.to_owned(),
            None => as_the_first_it_takes(text),
        }
    };
    let mut document = document.clone();
    for statement in &mut document.statements {
        let (ActionElement::Is(actions) | ActionElement::Not(actions)) = &mut statement.action;
        *actions = actions.iter().map(action).collect();
        for keys in statement.condition.values_mut() {
            for key in keys.keys().cloned().collect::<Vec<_>>() {
                let folded = folded_key(&key);
                let known = KEYS.iter().find(|known| known.eq_ignore_ascii_case(&folded)).copied();
                if let Some(spelling) = known.or_else(|| spellings.get(&folded).copied())
                    && !keys.contains_key(spelling)
                    && let Some(values) = keys.remove(&key)
                {
                    keys.insert(spelling.to_owned(), values);
                }
            }
        }
    }
    document
}

/// The canonical form without the names that have no meaning for access.
pub(crate) fn meaning(document: &Document, partition: Option<Partition>) -> Document {
    let mut nameless = document.clone();
    nameless.id = None;
    for statement in &mut nameless.statements {
        statement.sid = None;
    }
    form(&nameless, partition)
}

/// [`meaning`] of one statement; account ids that stand alone belong to `partition`.
pub(crate) fn statement_meaning(one: &Statement, partition: Partition) -> Statement {
    statement(&Statement { sid: None, ..one.clone() }, partition, Case::Folded)
}

/// A condition key in the form in which keys are compared: lower case up to the first `/`. What follows it is the name
/// of a tag or the like; AWS's pages disagree on whether its case counts, so it does here.
pub(crate) fn folded_key(key: &str) -> String {
    match key.split_once('/') {
        Some((name, rest)) => format!("{}/{rest}", name.to_ascii_lowercase()),
        None => key.to_ascii_lowercase(),
    }
}

fn arranged(document: &Document, partition: Option<Partition>, case: Case) -> Document {
    let partition = partition.unwrap_or_else(|| named_partition(document));
    let mut statements: Vec<(Statement, Statement)> = document
        .statements
        .iter()
        .map(|one| (statement(one, partition, Case::Folded), statement(one, partition, case)))
        .collect();
    // The sort is stable, so that of equal statements the first spelling stays.
    statements.sort_by(|a, b| a.0.cmp(&b.0));
    statements.dedup_by(|a, b| a.0 == b.0);
    let statements: Vec<Statement> = statements.into_iter().map(|(_, shown)| shown).collect();
    let version = if statements.iter().any(has_variable) { document.version } else { Version::V2012 };
    Document { version, id: name(document.id.as_deref()), statements }
}

/// The document with account ids as the root ARNs that they stand for, all else as it is.
pub(crate) fn with_root_arns(document: &Document, partition: Partition) -> Document {
    let mut document = document.clone();
    for element in document.statements.iter_mut().filter_map(|statement| statement.principal.as_mut()) {
        *element = match element {
            PrincipalElement::Is(who) if who.is_anyone() => continue,
            PrincipalElement::Is(who) => PrincipalElement::Is(principals(who, partition)),
            PrincipalElement::Not(who) => PrincipalElement::Not(principals(who, partition)),
        };
    }
    document
}

fn named_partition(document: &Document) -> Partition {
    common_partition(&[document])
}

/// The one partition that the ARNs of principals and resources name; the commercial one if they name none or several.
pub(crate) fn common_partition(documents: &[&Document]) -> Partition {
    let mut named = BTreeSet::new();
    let mut see = |text: &str| {
        let partition = text.strip_prefix("arn:").and_then(|rest| rest.split(':').next());
        named.extend(partition.and_then(|partition| partition.parse::<Partition>().ok()));
    };
    for statement in documents.iter().flat_map(|document| &document.statements) {
        if let Some(principal) = &statement.principal {
            principal.principals().0.values().flatten().for_each(|text| see(text));
        }
        if let Some(resource) = &statement.resource {
            resource.resources().iter().for_each(|text| see(text));
        }
    }
    match (named.pop_first(), named.pop_first()) {
        (Some(one), None) => one,
        _ => Partition::Aws,
    }
}

/// Whether a `${` stands anywhere but in the statement's name: where it does, the version changes the meaning.
pub(crate) fn has_variable(statement: &Statement) -> bool {
    let holds = |text: &String| text.contains("${");
    statement.principal.as_ref().is_some_and(|one| one.principals().0.values().flatten().any(holds))
        || statement.action.actions().iter().any(holds)
        || statement.resource.as_ref().is_some_and(|one| one.resources().iter().any(holds))
        || statement.condition.values().flatten().any(|(key, values)| holds(key) || values.iter().any(holds))
}

fn statement(statement: &Statement, partition: Partition, case: Case) -> Statement {
    Statement {
        sid: name(statement.sid.as_deref()),
        effect: statement.effect,
        principal: statement.principal.as_ref().map(|one| principal(one, partition)),
        action: match &statement.action {
            ActionElement::Is(all) => ActionElement::Is(actions(all, case)),
            ActionElement::Not(all) => ActionElement::Not(actions(all, case)),
        },
        resource: statement.resource.as_ref().map(|one| match one {
            ResourceElement::Is(all) => ResourceElement::Is(set(all.iter().cloned())),
            ResourceElement::Not(all) => ResourceElement::Not(set(all.iter().cloned())),
        }),
        condition: conditions(&statement.condition, case),
    }
}

fn name(name: Option<&str>) -> Option<String> {
    name.filter(|name| !name.is_empty()).map(str::to_owned)
}

fn set(values: impl Iterator<Item = String>) -> Vec<String> {
    values.collect::<BTreeSet<_>>().into_iter().collect()
}

fn principal(element: &PrincipalElement, partition: Partition) -> PrincipalElement {
    match element {
        PrincipalElement::Is(who) if who.is_anyone() => PrincipalElement::Is(Principals::aws(["*"])),
        PrincipalElement::Is(who) => PrincipalElement::Is(principals(who, partition)),
        // AWS says nothing of `"*"` against `{"AWS": "*"}` in `NotPrincipal`: they stay apart.
        PrincipalElement::Not(who) => PrincipalElement::Not(principals(who, partition)),
    }
}

fn principals(principals: &Principals, partition: Partition) -> Principals {
    let who = |kind: &str, value: &String| match value.parse::<AccountId>() {
        Ok(account) if kind == "AWS" => account.root_arn(partition).to_string(),
        _ => value.clone(),
    };
    let kinds = principals.0.iter();
    Principals(
        kinds.map(|(kind, all)| (kind.clone(), set(all.iter().map(|value| who(kind, value))))).collect(),
    )
}

fn actions(all: &[String], case: Case) -> Vec<String> {
    let mut folded: BTreeMap<String, &String> = BTreeMap::new();
    for action in all {
        folded.entry(action.to_ascii_lowercase()).or_insert(action);
    }
    match case {
        Case::Folded => folded.into_keys().collect(),
        Case::Kept => folded.into_values().cloned().collect(),
    }
}

fn conditions(conditions: &Conditions, case: Case) -> Conditions {
    let spelled =
        |name: &str| name.parse().map_or_else(|_| name.to_owned(), |operator: Operator| operator.to_string());
    let mut all = Conditions::new();
    for (name, keys) in renamed(conditions, spelled) {
        let truth = name.parse().is_ok_and(|operator: Operator| operator.comparison == Comparison::Bool);
        let value = |value: &String| if truth { folded_truth(value) } else { value.clone() };
        let key_name = |key: &str| match case {
            Case::Folded => folded_key(key),
            Case::Kept => key.to_owned(),
        };
        let keys: BTreeMap<_, _> =
            renamed(keys, key_name).into_iter().map(|(key, all)| (key, set(all.iter().map(value)))).collect();
        // An operator without keys asks for nothing.
        if !keys.is_empty() {
            all.insert(name, keys);
        }
    }
    all
}

fn folded_truth(value: &str) -> String {
    if value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false") {
        value.to_ascii_lowercase()
    } else {
        value.to_owned()
    }
}

/// The entries of a map under new names; names that would collide stay as they are. (No parsed document has such.)
fn renamed<V>(map: &BTreeMap<String, V>, rename: impl Fn(&str) -> String) -> Vec<(String, &V)> {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for name in map.keys() {
        *count.entry(rename(name)).or_default() += 1;
    }
    let once = |name: &String| count.get(name) == Some(&1);
    map.iter()
        .map(|(name, value)| (Some(rename(name)).filter(once).unwrap_or_else(|| name.clone()), value))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A policy of one statement, which has these elements besides effect, action and resource.
    fn with(elements: &Value) -> Document {
        let mut statement =
            json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"});
        for (key, value) in elements.as_object().expect("an object") {
            statement[key] = value.clone();
        }
        Document::from_value(&json!({"Version": "2012-10-17", "Statement": [statement]})).expect("a policy")
    }

    fn assert_equal(one: &Value, other: &Value, equal: bool) {
        assert_eq!(with(one).equals(&with(other)), equal, "{one} {other}");
    }

    #[test]
    fn anyone_is_any_aws_principal_but_in_not_principal() {
        for effect in ["Allow", "Deny"] {
            let one = json!({"Effect": effect, "Principal": "*"});
            assert_equal(&one, &json!({"Effect": effect, "Principal": {"AWS": "*"}}), true);
        }
        assert_equal(&json!({"NotPrincipal": "*"}), &json!({"NotPrincipal": {"AWS": "*"}}), false);
        assert_equal(&json!({"Principal": "*"}), &json!({"Principal": {"Service": "*"}}), false);
        assert_equal(&json!({"Principal": "*"}), &json!({}), false);
    }

    #[test]
    fn an_account_id_is_its_root_and_nothing_else() {
        let id = json!({"Principal": {"AWS": "123456789012"}});
        for (other, equal) in [
            (json!({"AWS": "arn:aws:iam::123456789012:root"}), true),
            (json!({"AWS": ["arn:aws:iam::123456789012:root", "123456789012"]}), true),
            (json!({"AWS": "arn:aws:iam::123456789012:role/root"}), false),
            (json!({"AWS": "arn:aws:iam::123456789012:user/root"}), false),
            (json!({"AWS": "arn:aws:sts::123456789012:root"}), false),
            (json!({"CW": "123456789012"}), false),
            (json!({"Service": "arn:aws:iam::123456789012:root"}), false),
        ] {
            assert_equal(&id, &json!({"Principal": other}), equal);
        }
    }

    #[test]
    fn a_session_is_not_its_role() {
        assert_equal(
            &json!({"Principal": {"AWS": "arn:aws:sts::123456789012:assumed-role/R/S"}}),
            &json!({"Principal": {"AWS": "arn:aws:iam::123456789012:role/R"}}),
            false,
        );
    }

    #[test]
    fn an_account_id_takes_the_partition_only_where_one_is_named() {
        let policy = |resources: Value| {
            let document = with(&json!({"Principal": {"AWS": "123456789012"}, "Resource": resources}));
            form(&document, None).statements[0].principal.clone().expect("a principal").principals().0["AWS"]
                [0]
            .clone()
        };
        assert_eq!(policy(json!("arn:aws-cn:s3:::b")), "arn:aws-cn:iam::123456789012:root");
        assert_eq!(policy(json!(["arn:aws-cn:s3:::b", "arn:aws:s3:::b"])), "arn:aws:iam::123456789012:root");
        assert_eq!(
            policy(json!(["arn:*:s3:::b", "*", "arn:aws-mars:s3:::b"])),
            "arn:aws:iam::123456789012:root"
        );
    }

    #[test]
    fn conditions_fold_what_has_no_meaning_and_keep_the_rest() {
        let condition = |value: Value| json!({"Condition": value});
        for (one, other, equal) in [
            (
                json!({"Bool": {"aws:SecureTransport": false}}),
                json!({"bool": {"AWS:securetransport": ["False"]}}),
                true,
            ),
            (json!({"BoolIfExists": {"a:b": true}}), json!({"BoolIfExists": {"a:b": "TRUE"}}), true),
            (json!({"NumericLessThan": {"a:b": 3}}), json!({"NumericLessThan": {"a:b": "3"}}), true),
            (json!({}), json!({"StringEquals": {}}), true),
            (
                json!({"StringEquals": {"a:b": ["y", "x", "y"]}}),
                json!({"StringEquals": {"a:b": ["x", "y"]}}),
                true,
            ),
            (json!({"Bool": {"a:b": "true"}}), json!({"BoolIfExists": {"a:b": "true"}}), false),
            (json!({"StringEquals": {"a:b": "True"}}), json!({"StringEquals": {"a:b": "true"}}), false),
            (json!({"Null": {"a:b": "True"}}), json!({"Null": {"a:b": "true"}}), false),
            (json!({"StringEquals": {"a:b/K": "x"}}), json!({"StringEquals": {"a:b/k": "x"}}), false),
            (json!({"StringEquals": {"a:b": []}}), json!({"StringEquals": {}}), false),
            (json!({"StringEquals": {"a:b": []}}), json!({"StringEquals": {"a:b": ""}}), false),
            (json!({"ArnLike": {"a:b": "x"}}), json!({"ArnEquals": {"a:b": "x"}}), false),
            (json!({"ForAnyValue:StringLike": {"a:b": "x"}}), json!({"StringLike": {"a:b": "x"}}), false),
            (
                json!({"ForAnyValue:StringLike": {"a:b": "x"}}),
                json!({"ForAllValues:StringLike": {"a:b": "x"}}),
                false,
            ),
        ] {
            assert_equal(&condition(one), &condition(other), equal);
        }
    }

    #[test]
    fn the_version_counts_only_beside_a_variable() {
        for (resource, equal) in [("arn:aws:s3:::b/*", true), ("arn:aws:s3:::b/${aws:username}", false)] {
            let new = with(&json!({"Resource": resource}));
            let old = Document { version: Version::V2008, ..new.clone() };
            assert_eq!(new.equals(&old), equal, "{resource}");
        }
        let new = with(&json!({"Sid": "${x}"}));
        assert!(new.equals(&Document { version: Version::V2008, ..new.clone() }));
    }

    #[test]
    fn names_that_would_collide_stay_apart() {
        let keys =
            |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), vec!["x".to_owned()])).collect();
        let mut document = with(&json!({}));
        document.statements[0].condition = Conditions::from([
            ("StringEquals".to_owned(), keys(&["a:b", "A:B"])),
            ("stringequals".to_owned(), keys(&["c:d"])),
            ("no operator".to_owned(), keys(&["a:b"])),
        ]);
        assert_eq!(form(&document, None).statements[0].condition, document.statements[0].condition);
    }

    #[test]
    fn people_see_the_case_that_was_first_written() {
        let document = with(&json!({
            "Action": ["s3:GetBucketCORS", "s3:getbucketcors", "S3:AbortMultipartUpload"],
            "Condition": {"bool": {"aws:SecureTransport": "TRUE"}},
        }));
        let shown = spelled(&document, None);
        assert_eq!(shown.statements[0].action.actions(), ["S3:AbortMultipartUpload", "s3:GetBucketCORS"]);
        assert_eq!(shown.statements[0].condition["Bool"]["aws:SecureTransport"], ["true"]);
        let folded = form(&document, None);
        assert_eq!(folded.statements[0].action.actions(), ["s3:abortmultipartupload", "s3:getbucketcors"]);
        assert_eq!(folded.statements[0].condition["Bool"]["aws:securetransport"], ["true"]);
    }
}
