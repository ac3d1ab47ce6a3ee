//! Policies: whole ones in words, statement by statement with nothing left out, and two of them as a line diff. Never
//! cut: a reviewer reads here who may do what.

use std::collections::BTreeMap;

use byob_model::kind::Policy;
use byob_policy::{
    ActionElement, Document, PrincipalElement, Principals, ResourceElement, Statement, Version,
};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::layout::Line;
use crate::value::{list, word};

/// Unchanged lines around changed ones.
const CONTEXT: usize = 3;

/// Every statement in words.
pub(crate) fn words(sign: char, document: &Document) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut push = |text: String| lines.push(Line::Diff { sign, text });
    if document.version == Version::V2008 {
        push("policy language 2008-10-17: ${…} is plain text".into());
    }
    for statement in &document.statements {
        let name = statement.sid.as_deref().map_or_else(|| "(no Sid)".to_owned(), word);
        push(format!("{} {name}", statement.effect.as_str()));
        for (what, text) in parts(statement) {
            push(format!("  {what:<5} {text}"));
        }
    }
    lines
}

fn parts(statement: &Statement) -> Vec<(&'static str, String)> {
    let mut parts = Vec::new();
    match &statement.principal {
        None => {}
        Some(PrincipalElement::Is(who)) => parts.push(("who", principals(who))),
        Some(PrincipalElement::Not(who)) => parts.push(("who", format!("everyone but {}", principals(who)))),
    }
    parts.push((
        "what",
        match &statement.action {
            ActionElement::Is(actions) => list(actions),
            ActionElement::Not(actions) => format!("everything but {}", list(actions)),
        },
    ));
    match &statement.resource {
        None => {}
        Some(ResourceElement::Is(resources)) => parts.push(("on", list(resources))),
        Some(ResourceElement::Not(resources)) => {
            parts.push(("on", format!("everything but {}", list(resources))))
        }
    }
    for (operator, keys) in &statement.condition {
        for (key, values) in keys {
            parts.push(("if", format!("{} {}: {}", word(operator), word(key), list(values))));
        }
    }
    parts
}

fn principals(who: &Principals) -> String {
    if who.is_anyone() {
        return "anyone (*)".into();
    }
    let each = who.0.iter().flat_map(|(kind, values)| {
        values.iter().map(move |value| match (kind.as_str(), value.as_str()) {
            ("AWS", "*") => "anyone (AWS *)".to_owned(),
            ("AWS", value) => word(value),
            (kind, value) => format!("{} {}", word(kind), word(value)),
        })
    });
    each.collect::<Vec<_>>().join(", ")
}

/// Which statements differ, by their `Sid`s.
pub(crate) fn difference(before: Option<&Policy>, after: Option<&Policy>) -> String {
    let statements = |policy: Option<&Policy>| -> Vec<Value> {
        let value = policy.map(|policy| policy.document.canonical());
        match value.as_ref().and_then(|value| value.get("Statement")) {
            Some(Value::Array(all)) => all.clone(),
            Some(one @ Value::Object(_)) => vec![one.clone()],
            _ => Vec::new(),
        }
    };
    let (old, new) = (statements(before), statements(after));
    let sid = |value: &Value| value.get("Sid").and_then(Value::as_str).map(str::to_owned);
    let only = |from: &[Value], other: &[Value]| -> Vec<Option<String>> {
        from.iter().filter(|statement| !other.contains(statement)).map(sid).collect()
    };
    let (removed, added) = (only(&old, &new), only(&new, &old));
    let in_both = |name: &&Option<String>, other: &[Option<String>]| name.is_some() && other.contains(name);
    let say = |verb: &str, names: Vec<&Option<String>>| {
        let mut counted: BTreeMap<String, usize> = BTreeMap::new();
        for name in names {
            *counted.entry(name.as_deref().map_or_else(|| "(no Sid)".into(), word)).or_default() += 1;
        }
        let names: Vec<String> = counted
            .into_iter()
            .map(|(name, n)| if n == 1 { name } else { format!("{n} × {name}") })
            .collect();
        (!names.is_empty()).then(|| format!("{verb} {}", names.join(", ")))
    };
    let parts: Vec<String> = [
        say("adds", added.iter().filter(|name| !in_both(name, &removed)).collect()),
        say("changes", added.iter().filter(|name| in_both(name, &removed)).collect()),
        say("removes", removed.iter().filter(|name| !in_both(name, &added)).collect()),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() { "changes the document".into() } else { parts.join("; ") }
}

/// The line diff of the canonical forms.
pub(crate) fn diff(before: Option<&Policy>, after: Option<&Policy>) -> Vec<Line> {
    let text = |policy: Option<&Policy>| match policy {
        Some(policy) if !policy.document.is_empty() => policy.document.canonical_pretty(),
        _ => String::new(),
    };
    let (old, new) = (text(before), text(after));
    let diff = TextDiff::from_lines(old.as_str(), new.as_str());
    let old_lines: Vec<&str> = old.lines().collect();
    let mut lines = Vec::new();
    for group in diff.grouped_ops(CONTEXT) {
        let start = group.first().map_or(0, |op| op.old_range().start);
        if start > 0 {
            lines.push(Line::Diff { sign: ' ', text: format!("⋮{}", place(&old_lines, start)) });
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Insert => '+',
                ChangeTag::Delete => '-',
                ChangeTag::Equal => ' ',
            };
            lines.push(Line::Diff { sign, text: change.value().trim_end_matches('\n').to_owned() });
        }
    }
    lines
}

/// Which statement a line of the old document is in, where its head stands above the lines that are shown.
fn place(lines: &[&str], start: usize) -> String {
    let begins = |line: &str, name: &str| line.trim_start().starts_with(name);
    let above = lines.get(..start).unwrap_or_default();
    // The statement's first element is `Sid`, or `Effect` where it has none.
    let Some(effect) = above.iter().rposition(|line| begins(line, "\"Effect\":")) else {
        return String::new();
    };
    // The next statement, or the end of the list, begins behind it.
    let indent = |line: &str| line.len() - line.trim_start().len();
    let depth = above.get(effect).map_or(0, |line| indent(line));
    if above.iter().skip(effect + 1).any(|line| indent(line) < depth) {
        return String::new();
    }
    let sid = effect.checked_sub(1).and_then(|at| above.get(at)).filter(|line| begins(line, "\"Sid\":"));
    let head = sid.into_iter().chain(above.get(effect));
    head.fold(String::new(), |text, line| format!("{text} {}", line.trim().trim_end_matches(',')))
}
