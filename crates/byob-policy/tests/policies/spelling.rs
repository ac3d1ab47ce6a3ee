//! The many spellings of one document: a writer that, from a seed, chooses among all ways to write the same.

use byob_policy::{
    ActionElement, Conditions, Document, PrincipalElement, Principals, ResourceElement, Statement, Version,
};

/// A small generator of choices (SplitMix64): the same seed, the same spelling.
pub(crate) struct Choices(pub(crate) u64);

impl Choices {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    fn case(&mut self, text: &str) -> String {
        let one = |c: char| if self.coin() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        text.chars().map(one).collect()
    }
}

/// The text of a document that means the same, written otherwise. Names (`Sid`, `Id`) keep their meaning too.
pub(crate) fn respelled(document: &Document, choices: &mut Choices) -> String {
    let mut members = Vec::new();
    let variable = document.to_json().contains("${");
    let version = match choices.below(3) {
        _ if variable => Some(document.version.as_str()),
        0 => None,
        1 => Some(Version::V2008.as_str()),
        _ => Some(Version::V2012.as_str()),
    };
    members.extend(version.map(|version| ("Version", quoted(version))));
    members.extend(name(document.id.as_deref(), choices).map(|id| ("Id", id)));
    let mut statements: Vec<String> = document.statements.iter().map(|one| statement(one, choices)).collect();
    for one in &document.statements {
        if choices.below(4) == 0 {
            statements.push(statement(one, choices));
        }
    }
    choices.shuffle(&mut statements);
    let statements = match statements.as_slice() {
        [one] if choices.coin() => one.clone(),
        many => format!("[{}]", many.join(" , ")),
    };
    members.push(("Statement", statements));
    object(members, choices)
}

fn statement(one: &Statement, choices: &mut Choices) -> String {
    let mut members = vec![("Effect", quoted(one.effect.as_str()))];
    members.extend(name(one.sid.as_deref(), choices).map(|sid| ("Sid", sid)));
    match &one.principal {
        None => {}
        Some(PrincipalElement::Is(who)) => {
            let star = *who == Principals::anyone() || *who == Principals::aws(["*"]);
            let text = match choices.below(3) {
                0 if star => quoted("*"),
                1 if star => "{\"AWS\": [\"*\", \"*\"]}".to_owned(),
                _ => principals(who, choices),
            };
            members.push(("Principal", text));
        }
        Some(PrincipalElement::Not(who)) => members.push(("NotPrincipal", principals(who, choices))),
    }
    let (key, all) = match &one.action {
        ActionElement::Is(all) => ("Action", all),
        ActionElement::Not(all) => ("NotAction", all),
    };
    let all: Vec<String> = all.iter().map(|action| choices.case(action)).collect();
    members.push((key, values(&all, choices)));
    match &one.resource {
        None => {}
        Some(ResourceElement::Is(all)) => members.push(("Resource", values(all, choices))),
        Some(ResourceElement::Not(all)) => members.push(("NotResource", values(all, choices))),
    }
    if !one.condition.is_empty() || choices.coin() {
        members.push(("Condition", conditions(&one.condition, choices)));
    }
    object(members, choices)
}

fn name(name: Option<&str>, choices: &mut Choices) -> Option<String> {
    match name {
        None | Some("") => choices.coin().then(|| quoted("")),
        Some(name) => Some(quoted(name)),
    }
}

fn principals(who: &Principals, choices: &mut Choices) -> String {
    if who.is_anyone() {
        return quoted("*");
    }
    let mut members = Vec::new();
    for (kind, all) in &who.0 {
        let mut other = |value: &String| match value.strip_prefix("arn:aws:iam::") {
            Some(rest) if kind == "AWS" && rest.ends_with(":root") && choices.coin() => rest[..12].to_owned(),
            None if kind == "AWS" && value.len() == 12 && choices.coin() => {
                format!("arn:aws:iam::{value}:root")
            }
            _ => value.clone(),
        };
        let all: Vec<String> = all.iter().map(&mut other).collect();
        members.push((kind.as_str(), values(&all, choices)));
    }
    object(members, choices)
}

fn conditions(conditions: &Conditions, choices: &mut Choices) -> String {
    let mut members = Vec::new();
    for (operator, keys) in conditions {
        let mut inner = Vec::new();
        for (key, all) in keys {
            let key = match key.split_once('/') {
                Some((name, tag)) => format!("{}/{tag}", choices.case(name)),
                None => choices.case(key),
            };
            let truth = operator.starts_with("Bool");
            let mut all: Vec<String> = all
                .iter()
                .map(|value| match value.to_ascii_lowercase().as_str() {
                    truth_value @ ("true" | "false") if truth && choices.coin() => truth_value.to_owned(),
                    "true" | "false" if truth => quoted(&choices.case(value)),
                    _ => quoted_or_bare(value, choices),
                })
                .collect();
            inner.push((key, array(&mut all, choices)));
        }
        let inner = inner.iter().map(|(key, all)| (key.as_str(), all.clone())).collect();
        members.push((choices.case(operator), object(inner, choices)));
    }
    if choices.below(4) == 0 && !conditions.contains_key("DateLessThan") {
        members.push(("DateLessThan".to_owned(), "{}".to_owned()));
    }
    object(members.iter().map(|(key, all)| (key.as_str(), all.clone())).collect(), choices)
}

/// Booleans and numbers may stand without quotes, where that is how JSON writes them.
fn quoted_or_bare(value: &str, choices: &mut Choices) -> String {
    let number = value.parse::<u32>().is_ok_and(|number| number.to_string() == value);
    if (number || value == "true" || value == "false") && choices.coin() {
        value.to_owned()
    } else {
        quoted(value)
    }
}

fn values(all: &[String], choices: &mut Choices) -> String {
    let mut all: Vec<String> = all.iter().map(|value| quoted(value)).collect();
    array(&mut all, choices)
}

fn array(all: &mut Vec<String>, choices: &mut Choices) -> String {
    if !all.is_empty() && choices.below(3) == 0 {
        all.push(all[choices.below(all.len())].clone());
    }
    choices.shuffle(all);
    match all.as_slice() {
        [one] if choices.coin() => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}

fn object(mut members: Vec<(&str, String)>, choices: &mut Choices) -> String {
    choices.shuffle(&mut members);
    let members: Vec<String> =
        members.iter().map(|(key, value)| format!("{}:\n {value}", quoted(key))).collect();
    format!("{{{}}}", members.join(",\t"))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
