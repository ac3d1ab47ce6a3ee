//! The grammar of the policy language: from a tree of JSON values to a [`Document`], with every rule that the text of
//! a policy can break. Rules about what a policy should say have no place here.
//!
//! Source: IAM user guide, "Grammar of the IAM JSON policy language" and "IAM JSON policy elements reference".

use std::collections::BTreeMap;

use crate::canonical;
use crate::document::{
    ActionElement, Conditions, Document, Effect, PrincipalElement, Principals, ResourceElement, Statement,
    Version,
};
use crate::error::{Fault, ParseError, Place, Problem};
use crate::json::{self, Entry, Json, Node};
use crate::operator::Operator;

pub(crate) fn parse(text: &str) -> Result<Document, ParseError> {
    json::read(text).and_then(document).map_err(|fault| fault.within(text))
}

pub(crate) fn from_value(value: &serde_json::Value) -> Result<Document, ParseError> {
    json::from_value(value).and_then(document).map_err(Fault::nowhere)
}

pub(crate) fn statement_from_value(value: &serde_json::Value) -> Result<Statement, ParseError> {
    json::from_value(value).and_then(statement).map_err(Fault::nowhere)
}

/// The byte at which each statement begins; nothing for what is no policy.
fn statement_places(text: &str) -> Vec<usize> {
    let Ok(Node { value: Json::Table(entries), .. }) = json::read(text) else { return Vec::new() };
    match entries.into_iter().find(|entry| entry.key == "Statement").map(|entry| entry.value) {
        Some(Node { value: Json::List(items), .. }) => items.into_iter().map(|item| item.at).collect(),
        Some(one) => vec![one.at],
        None => Vec::new(),
    }
}

/// The line, from 1, of each of them.
pub(crate) fn statement_lines(text: &str) -> Vec<usize> {
    let line = |at: usize| text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
    statement_places(text).into_iter().map(line).collect()
}

fn document(node: Node) -> Result<Document, Fault> {
    let at = node.at;
    let mut elements = Elements::of(node, Place::Document)?;
    let version = elements.take("Version").map_or(Ok(Version::V2008), version)?;
    let id = elements.take("Id").map(|node| text(node, "`Id`")).transpose()?;
    let statements = match elements.take("Statement") {
        None => {
            return Err(Fault::new(
                at,
                Problem::MissingElement { name: "Statement", place: Place::Document },
            ));
        }
        Some(Node { value: Json::List(items), .. }) => {
            items.into_iter().map(statement).collect::<Result<_, _>>()?
        }
        Some(one @ Node { value: Json::Table(_), .. }) => vec![statement(one)?],
        Some(other) => return Err(wrong(&other, "`Statement`", "an array of objects")),
    };
    Ok(Document { version, id, statements })
}

fn version(node: Node) -> Result<Version, Fault> {
    let at = node.at;
    match text(node, "`Version`")?.as_str() {
        "2012-10-17" => Ok(Version::V2012),
        "2008-10-17" => Ok(Version::V2008),
        found => Err(Fault::new(at, Problem::UnknownVersion { found: found.to_owned() })),
    }
}

fn statement(node: Node) -> Result<Statement, Fault> {
    let at = node.at;
    let mut elements = Elements::of(node, Place::Statement)?;
    let missing = |name| Fault::new(at, Problem::MissingElement { name, place: Place::Statement });
    let sid = elements.take("Sid").map(|node| text(node, "`Sid`")).transpose()?;
    let effect = effect(elements.take("Effect").ok_or_else(|| missing("Effect"))?)?;
    let principal = match elements.either("Principal", "NotPrincipal")? {
        None => None,
        Some((node, false)) => Some(PrincipalElement::Is(principals(node, "`Principal`")?)),
        Some((node, true)) => Some(PrincipalElement::Not(principals(node, "`NotPrincipal`")?)),
    };
    let action = match elements.either("Action", "NotAction")? {
        None => return Err(missing("Action")),
        Some((node, false)) => ActionElement::Is(texts(node, "`Action`")?),
        Some((node, true)) => ActionElement::Not(texts(node, "`NotAction`")?),
    };
    let resource = match elements.either("Resource", "NotResource")? {
        None => None,
        Some((node, false)) => Some(ResourceElement::Is(texts(node, "`Resource`")?)),
        Some((node, true)) => Some(ResourceElement::Not(texts(node, "`NotResource`")?)),
    };
    let condition = elements.take("Condition").map(conditions).transpose()?.unwrap_or_default();
    Ok(Statement { sid, effect, principal, action, resource, condition })
}

fn effect(node: Node) -> Result<Effect, Fault> {
    let at = node.at;
    match text(node, "`Effect`")?.as_str() {
        "Allow" => Ok(Effect::Allow),
        "Deny" => Ok(Effect::Deny),
        found => Err(Fault::new(at, Problem::UnknownEffect { found: found.to_owned() })),
    }
}

fn principals(node: Node, element: &str) -> Result<Principals, Fault> {
    let at = node.at;
    let entries = match node.value {
        Json::Text(star) if star == "*" => return Ok(Principals::anyone()),
        Json::Text(found) => return Err(Fault::new(at, Problem::UntypedPrincipal { found })),
        Json::Table(entries) => entries,
        _ => return Err(wrong(&node, element, "\"*\" or an object")),
    };
    if entries.is_empty() {
        return Err(Fault::new(at, Problem::Empty { element: element.to_owned() }));
    }
    let mut kinds = BTreeMap::new();
    for Entry { at, key, value } in entries {
        // `{"*": …}` would be taken for `"*"`, which it is not.
        if key == "*" || key.is_empty() {
            return Err(Fault::new(at, Problem::UntypedPrincipal { found: key }));
        }
        let values = texts(value, &format!("`{key}`"))?;
        kinds.insert(key, values);
    }
    Ok(Principals(kinds))
}

fn conditions(node: Node) -> Result<Conditions, Fault> {
    let mut condition = Conditions::new();
    let mut operators = Spellings::default();
    for Entry { at, key: name, value } in table(node, "`Condition`")? {
        let operator: Operator =
            name.parse().map_err(|error| Fault::new(at, Problem::UnknownOperator(error)))?;
        operators.see(at, &name, operator.to_string())?;
        let mut keys = BTreeMap::new();
        let mut names = Spellings::default();
        for Entry { at, key, value } in table(value, &format!("`{name}`"))? {
            names.see(at, &key, canonical::folded_key(&key))?;
            let values = condition_values(value, &key)?;
            keys.insert(key, values);
        }
        condition.insert(name, keys);
    }
    Ok(condition)
}

/// One or many values of a condition key; numbers and booleans as they would be quoted. No values at all are allowed
/// here (and match nothing): `ForAllValues:` can be written so.
fn condition_values(node: Node, key: &str) -> Result<Vec<String>, Fault> {
    let one = |node: Node| match node.value {
        Json::Text(text) | Json::Number(text) => Ok(text),
        Json::Bool(truth) => Ok(truth.to_string()),
        _ => Err(wrong(&node, &format!("a value of `{key}`"), "a string, a number or a boolean")),
    };
    match node.value {
        Json::List(items) => items.into_iter().map(one).collect(),
        _ => Ok(vec![one(node)?]),
    }
}

fn text(node: Node, element: &str) -> Result<String, Fault> {
    match node.value {
        Json::Text(text) => Ok(text),
        _ => Err(wrong(&node, element, "a string")),
    }
}

/// One or many strings, one at least.
fn texts(node: Node, element: &str) -> Result<Vec<String>, Fault> {
    match node.value {
        Json::Text(text) => Ok(vec![text]),
        Json::List(items) if items.is_empty() => {
            Err(Fault::new(node.at, Problem::Empty { element: element.to_owned() }))
        }
        Json::List(items) => {
            items.into_iter().map(|item| text(item, &format!("a value of {element}"))).collect()
        }
        _ => Err(wrong(&node, element, "a string or an array of strings")),
    }
}

fn table(node: Node, element: &str) -> Result<Vec<Entry>, Fault> {
    match node.value {
        Json::Table(entries) => Ok(entries),
        _ => Err(wrong(&node, element, "an object")),
    }
}

fn wrong(node: &Node, element: &str, expected: &'static str) -> Fault {
    Fault::new(
        node.at,
        Problem::WrongType { element: element.to_owned(), expected, found: node.value.kind() },
    )
}

/// The elements of a document or a statement, each taken once.
struct Elements(BTreeMap<&'static str, (usize, Node)>);

impl Elements {
    /// Takes an object apart; fails on the first element that the place does not have.
    fn of(node: Node, place: Place) -> Result<Self, Fault> {
        let mut elements = BTreeMap::new();
        for Entry { at, key, value } in table(node, &place.to_string())? {
            let Some(known) = place.elements().iter().copied().find(|known| *known == key) else {
                let nearest = nearest(&key, place.elements());
                return Err(Fault::new(at, Problem::UnknownElement { name: key, place, nearest }));
            };
            elements.insert(known, (at, value));
        }
        Ok(Self(elements))
    }

    fn take(&mut self, name: &str) -> Option<Node> {
        self.0.remove(name).map(|(_, node)| node)
    }

    /// One of two elements that exclude each other, and whether it is the negated one.
    fn either(&mut self, is: &'static str, not: &'static str) -> Result<Option<(Node, bool)>, Fault> {
        match (self.0.remove(is), self.0.remove(not)) {
            (None, None) => Ok(None),
            (Some((_, node)), None) => Ok(Some((node, false))),
            (None, Some((_, node))) => Ok(Some((node, true))),
            (Some((first, _)), Some((second, _))) => {
                Err(Fault::new(first.max(second), Problem::BothElements { first: is, second: not }))
            }
        }
    }
}

/// The known name that is spelled alike, if one is close.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    // No known name is longer: the rest of a long text need not be looked at.
    let lower = name.chars().take(20).collect::<String>().to_ascii_lowercase();
    let distance = |one: &str| strsim::osa_distance(&one.to_ascii_lowercase(), &lower);
    known
        .iter()
        .copied()
        .map(|one| (distance(one), one))
        .min()
        .filter(|(far, one)| *far <= 2 && far * 2 <= one.len())
        .map(|(_, one)| one)
}

/// Names that are the same in any case, each allowed once.
#[derive(Default)]
struct Spellings(BTreeMap<String, String>);

impl Spellings {
    fn see(&mut self, at: usize, name: &str, folded: String) -> Result<(), Fault> {
        match self.0.insert(folded, name.to_owned()) {
            None => Ok(()),
            Some(first) => {
                Err(Fault::new(at, Problem::DuplicateIgnoringCase { key: name.to_owned(), first }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement_with(elements: &str) -> String {
        format!("{{\"Statement\": {{\n  {elements}}}}}")
    }

    #[test]
    fn statements_have_the_line_on_which_they_begin() {
        let one = r#"{"Effect": "Allow", "Action": "a:b"}"#;
        assert_eq!(statement_lines(&format!("{{\n\"Statement\": [\n\n{one},\n  {one}, {one}]}}")), [4, 5, 5]);
        assert_eq!(statement_lines(&format!("{{\"Statement\":\n{one}}}")), [2]);
        for none in ["", "[]", "{}", "{\"Statement\": [", "{\"Statement\": []}"] {
            assert_eq!(statement_lines(none), Vec::<usize>::new(), "{none}");
        }
    }

    #[test]
    fn every_element_is_read_single_or_as_an_array() {
        let document = parse(
            r#"{"Version": "2008-10-17", "Id": "", "Statement": [
                {"Sid": "", "Effect": "Allow", "NotPrincipal": {"AWS": ["1", "2"], "CW": "x"}, "NotAction": "a:b",
                 "NotResource": ["*"], "Condition": {"NumericEqualsIfExists": {"a:n": [3, -1.50, true, "x"]}, "Null": {}}},
                {"Effect": "Deny", "Principal": "*", "Action": ["a:b", "a:c"], "Resource": "r", "Condition": {}}]}"#,
        )
        .expect("a policy");
        assert_eq!(document.version, Version::V2008);
        assert_eq!(document.id.as_deref(), Some(""));
        let [first, second] = document.statements.as_slice() else { panic!("two statements") };
        let kinds = [("AWS", vec!["1", "2"]), ("CW", vec!["x"])];
        let kinds = kinds.map(|(kind, all)| (kind.to_owned(), all.into_iter().map(str::to_owned).collect()));
        assert_eq!(first.principal, Some(PrincipalElement::Not(Principals(BTreeMap::from(kinds)))));
        assert_eq!(first.action, ActionElement::Not(vec!["a:b".to_owned()]));
        assert_eq!(first.resource, Some(ResourceElement::Not(vec!["*".to_owned()])));
        assert_eq!(first.condition["NumericEqualsIfExists"]["a:n"], ["3", "-1.50", "true", "x"]);
        assert!(first.condition["Null"].is_empty());
        assert_eq!(second.sid, None);
        assert_eq!(second.principal, Some(PrincipalElement::Is(Principals::anyone())));
        assert!(second.condition.is_empty());
        assert_eq!(parse("{\"Statement\": []}").expect("a policy").version, Version::V2008);
    }

    /// The text without its mark `¦`, and line and column of the mark.
    fn marked(text: &str) -> (String, usize, usize) {
        let (before, after) = text.split_once('¦').expect("a mark");
        let line = before.rsplit('\n').next().unwrap_or_default();
        (format!("{before}{after}"), before.matches('\n').count() + 1, line.chars().count() + 1)
    }

    fn assert_broken(cases: &[(&str, &str, &str)], wrap: impl Fn(&str) -> String) {
        for (text, message, help) in cases {
            let (text, line, column) = marked(&wrap(text));
            let error = parse(&text).expect_err(&text);
            assert_eq!(
                (error.line, error.column, error.message().as_str()),
                (line, column, *message),
                "{text}"
            );
            assert!(error.help().contains(help), "{text}: {}", error.help());
            assert!(
                error.to_string().starts_with(&format!("line {line}, column {column}: {message} (")),
                "{error}"
            );
        }
    }

    #[test]
    fn each_broken_rule_of_the_document_is_told_with_its_place_and_cure() {
        let cases = [
            ("¦", "the policy ends where a value should stand", "cut off"),
            ("¦[]", "the policy is an array where an object should stand", "an object"),
            (" ¦{}", "the policy has no `Statement`", "add `Statement`"),
            (
                "{\n ¦\"Statment\": []}",
                "`Statment` is not an element of the policy",
                "did you mean `Statement`?",
            ),
            (
                r#"{"Id": "é", ¦"é": 1}"#,
                "`é` is not an element of the policy",
                "takes Version, Id, Statement",
            ),
            (
                r#"{"Version": ¦"2012-10-18"}"#,
                "\"2012-10-18\" is not a version of the policy language",
                "2012-10-17",
            ),
            (r#"{"Version": ¦2012}"#, "`Version` is a number where a string should stand", "in quotes"),
            (
                r#"{"Statement": ¦"x"}"#,
                "`Statement` is a string where an array of objects should stand",
                "an array",
            ),
            (r#"{"Statement": [¦1]}"#, "the statement is a number where an object should stand", "an object"),
            (r#"{"Id": "é", ¦"Id": ""}"#, "the key `Id` stands here a second time", "join them"),
        ];
        assert_broken(&cases, str::to_owned);
    }

    #[test]
    fn each_broken_rule_of_a_statement_is_told_with_its_place_and_cure() {
        let effect_or_action = [
            (r#"¦{"Action": "s3:*"}"#, "the statement has no `Effect`", "Allow"),
            (r#"¦{"Effect": "Allow"}"#, "the statement has no `Action`", "`NotAction`"),
            (r#"{"Effect": ¦"allow"}"#, "\"allow\" is not an effect", "Deny"),
            (r#"{"Effect": ¦true}"#, "`Effect` is a boolean where a string should stand", "quotes"),
        ];
        assert_broken(&effect_or_action, |text| format!("{{\"Statement\":\n[{text}]}}"));
        let rest = [
            (r#"¦"NotAction": "x:y""#, "`Action` and `NotAction` stand in one statement", "NotAction"),
            (
                r#""NotResource": "*", ¦"Resource": "*""#,
                "`Resource` and `NotResource` stand in one statement",
                "NotResource",
            ),
            (
                r#""Principal": "*", ¦"NotPrincipal": "*""#,
                "`Principal` and `NotPrincipal` stand in one statement",
                "NotPrincipal",
            ),
            (
                r#"¦"Resources": "*""#,
                "`Resources` is not an element of the statement",
                "did you mean `Resource`?",
            ),
            (r#"¦"effect": "Deny""#, "`effect` is not an element of the statement", "did you mean `Effect`?"),
            (r#"¦"Reason": "x""#, "`Reason` is not an element of the statement", "the statement takes Sid, "),
            (r#""Resource": ¦[]"#, "`Resource` is empty", "one value at least"),
            (
                r#""Resource": ["a", ¦1]"#,
                "a value of `Resource` is a number where a string should stand",
                "quotes",
            ),
            (
                r#""Resource": ¦null"#,
                "`Resource` is null where a string or an array of strings should stand",
                "put a string",
            ),
            (
                r#""Principal": ¦"123456789012""#,
                "the principal \"123456789012\" has no type",
                "{\"AWS\": \"123456789012\"}",
            ),
            (r#""Principal": {¦"*": "*"}"#, "the principal \"*\" has no type", "AWS"),
            (r#""Principal": ¦{}"#, "`Principal` is empty", "one value"),
            (r#""Principal": {"AWS": ¦[]}"#, "`AWS` is empty", "one value"),
            (
                r#""Principal": {"AWS": ¦123456789012}"#,
                "`AWS` is a number where a string or an array of strings should stand",
                "quotes",
            ),
            (r#""Condition": ¦[]"#, "`Condition` is an array where an object should stand", "an object"),
            (
                r#""Condition": {¦"StringEqual": {}}"#,
                "`StringEqual` is not a condition operator",
                "did you mean `StringEquals`?",
            ),
            (
                r#""Condition": {"Bool": ¦true}"#,
                "`Bool` is a boolean where an object should stand",
                "an object",
            ),
            (
                r#""Condition": {"Bool": {"aws:X": [¦null]}}"#,
                "a value of `aws:X` is null where a string, a number or a boolean should stand",
                "a string",
            ),
            (
                r#""Condition": {"Bool": {}, ¦"BOOL": {}}"#,
                "`BOOL` stands here a second time as `Bool` (case does not matter)",
                "under `Bool`",
            ),
            (
                r#""Condition": {"Bool": {"aws:X": 1, ¦"AWS:x": 1}}"#,
                "`AWS:x` stands here a second time as `aws:X` (case does not matter)",
                "under `aws:X`",
            ),
        ];
        assert_broken(&rest, |text| {
            statement_with(&format!(r#""Effect": "Allow", "Action": "s3:*", {text}"#))
        });
    }

    #[test]
    fn tag_keys_that_differ_in_case_are_two_keys() {
        let text = statement_with(
            r#""Effect": "Allow", "Action": "s3:*", "Condition": {"StringEquals": {"s3:ExistingObjectTag/A": "1", "s3:ExistingObjectTag/a": "1"}}"#,
        );
        assert!(parse(&text).is_ok());
    }

    #[test]
    fn a_value_breaks_the_same_rules_without_a_place() {
        let error =
            from_value(&serde_json::json!({"Statement": [{"Effect": "Allow"}]})).expect_err("no action");
        assert_eq!((error.line, error.column), (0, 0));
        assert_eq!(error.message(), "the statement has no `Action`");
        assert_eq!(error.to_string(), "the statement has no `Action` (add `Action` or `NotAction`)");
    }
}
