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
            parts.push(("on", format!("everything but {}", list(resources))));
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
    // A recorded document is in canonical form, which keeps no case: one casing on both sides, or every line differs.
    let empty = Document::new(Vec::new());
    let document = |policy: Option<&Policy>| policy.map_or_else(|| empty.clone(), |p| p.document.clone());
    let new = document(after).spelled_like(&empty);
    let old = document(before).spelled_like(&new);
    let text = |document: &Document| match document.is_empty() {
        false => document.canonical_pretty(),
        true => String::new(),
    };
    // Whether a text ends with a line break is no difference.
    let (old, new) = (text(&old), text(&new));
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let diff = TextDiff::from_slices(&old, &new);
    let mut all: Vec<(char, &str)> = diff
        .iter_all_changes()
        .map(|change| {
            let sign = match change.tag() {
                ChangeTag::Insert => '+',
                ChangeTag::Delete => '-',
                ChangeTag::Equal => ' ',
            };
            (sign, change.value())
        })
        .collect();
    slide(&mut all);
    let mut lines = Vec::new();
    let mut end = 0;
    for (start, stop) in hunks(&all) {
        if start > end {
            lines.push(Line::Diff { sign: ' ', text: format!("⋮{}", place(&all, start)) });
        }
        let shown = all.get(start..stop).unwrap_or_default();
        lines.extend(shown.iter().map(|(sign, line)| Line::Diff { sign: *sign, text: (*line).to_owned() }));
        end = stop;
    }
    lines
}

/// Moves blocks that came or went so that they begin where a statement begins: of two equal readings the one that people
/// see.
fn slide(lines: &mut [(char, &str)]) {
    let mut at = 0;
    while at < lines.len() {
        let sign = sign_at(lines, at);
        let end = (at..lines.len()).find(|n| sign_at(lines, *n) != sign).unwrap_or(lines.len());
        let (mut start, mut last) = (at, end - 1);
        let begins = |line: usize| lines.get(line).is_some_and(|(_, text)| text.trim() == "{");
        while sign != ' '
            && !begins(start)
            && start > 0
            && sign_at(lines, start - 1) == ' '
            && lines.get(start - 1).map(|(_, text)| text) == lines.get(last).map(|(_, text)| text)
        {
            (start, last) = (start - 1, last - 1);
        }
        if begins(start) && start < at {
            for (n, line) in lines.iter_mut().enumerate().take(end).skip(start) {
                line.0 = if n <= last { sign } else { ' ' };
            }
        }
        at = end;
    }
}

fn sign_at(lines: &[(char, &str)], at: usize) -> char {
    lines.get(at).map_or(' ', |(sign, _)| *sign)
}

/// The ranges of lines to show.
fn hunks(lines: &[(char, &str)]) -> Vec<(usize, usize)> {
    let mut hunks: Vec<(usize, usize)> = Vec::new();
    for (at, _) in lines.iter().enumerate().filter(|(_, (sign, _))| *sign != ' ') {
        let (start, stop) = (at.saturating_sub(CONTEXT), (at + CONTEXT + 1).min(lines.len()));
        match hunks.last_mut() {
            // What would hide a line or two is shown instead.
            Some(last) if start <= last.1 + 2 => last.1 = stop,
            _ => hunks.push((if start <= 2 { 0 } else { start }, stop)),
        }
    }
    hunks
}

/// Which statement the first change behind `start` is in, where the statement's head stands above what is shown.
fn place(lines: &[(char, &str)], start: usize) -> String {
    let begins = |line: &str, name: &str| line.trim_start().starts_with(name);
    let indent = |line: &str| line.len() - line.trim_start().len();
    let changed = (start..lines.len()).find(|at| sign_at(lines, *at) != ' ').unwrap_or(start);
    let above: Vec<&str> = lines.iter().take(changed).map(|(_, line)| *line).collect();
    // A statement's first element is `Sid`, or `Effect` where it has none.
    let Some(effect) = above.iter().rposition(|line| begins(line, "\"Effect\":")) else {
        return String::new();
    };
    let depth = above.get(effect).map_or(0, |line| indent(line));
    let left = lines.iter().take(changed + 1).skip(effect + 1).any(|(_, line)| indent(line) < depth);
    if effect >= start || left {
        return String::new();
    }
    let sid = effect.checked_sub(1).and_then(|at| above.get(at)).filter(|line| begins(line, "\"Sid\":"));
    let head = sid.into_iter().chain(above.get(effect));
    let text: Vec<&str> = head.map(|line| line.trim().trim_end_matches(',')).collect();
    format!(" {}", text.join(", "))
}

#[cfg(test)]
mod tests {
    use byob_policy::Document;
    use serde_json::json;

    use super::*;

    fn policy(sids: &[&str]) -> Policy {
        let statements: Vec<Value> = sids
            .iter()
            .map(|sid| json!({ "Sid": sid, "Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*" }))
            .collect();
        Policy { document: Document::from_value(&json!({ "Statement": statements })).unwrap() }
    }

    /// The lines of one side, as a diff without its context would say them.
    fn side(lines: &[(char, &str)], without: char) -> Vec<String> {
        lines.iter().filter(|(sign, _)| *sign != without).map(|(_, line)| (*line).to_owned()).collect()
    }

    #[test]
    fn sliding_moves_signs_and_changes_neither_side() {
        for sign in ['+', '-'] {
            let before =
                [(' ', "["), (' ', "{"), (sign, "a"), (sign, "},"), (sign, "{"), (' ', "b"), (' ', "}")];
            let mut after = before;
            slide(&mut after);
            assert_eq!(
                after.map(|(sign, _)| sign).iter().collect::<String>(),
                format!(" {sign}{sign}{sign}   ")
            );
            assert_eq!(side(&after, '+'), side(&before, '+'));
            assert_eq!(side(&after, '-'), side(&before, '-'));
        }
        // What cannot begin a statement stays where it is.
        let mut list = [(' ', "x,"), ('+', "y,"), ('+', "x,"), (' ', "z")];
        slide(&mut list);
        assert_eq!(list.map(|(sign, _)| sign), [' ', '+', '+', ' ']);
    }

    #[test]
    fn every_changed_line_is_shown_however_many() {
        let names: Vec<String> = (0..200).map(|n| format!("S{n:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let lines = diff(Some(&policy(&["S000"])), Some(&policy(&names)));
        let added = lines.iter().filter(|line| matches!(line, Line::Diff { sign: '+', .. })).count();
        assert!(added >= 199 * 7, "{added}");
    }

    #[test]
    fn the_case_that_the_record_does_not_keep_is_no_difference() {
        let text = r#"{ "Statement": { "Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:List*"],
            "Resource": "*", "Condition": { "Bool": { "aws:SecureTransport": "true" } } } }"#;
        let live = Policy { document: Document::parse(text).unwrap() };
        let recorded = Policy { document: Document::from_value(&live.document.canonical()).unwrap() };
        assert!(recorded.document.to_json().contains("s3:list*"), "{}", recorded.document.to_json());
        for (before, after) in [(&recorded, &live), (&live, &recorded)] {
            assert!(diff(Some(before), Some(after)).is_empty());
        }
        // Also where there is nothing beside it.
        let alone = format!("{:?}", diff(Some(&recorded), None));
        assert!(alone.contains("s3:List*") && alone.contains("aws:SecureTransport"), "{alone}");
    }

    #[test]
    fn the_difference_names_statements_and_counts_those_without_a_name() {
        assert_eq!(difference(Some(&policy(&["A", "B"])), Some(&policy(&["B", "C"]))), "adds C; removes A");
        assert_eq!(difference(None, Some(&policy(&["A"]))), "adds A");
        assert_eq!(difference(Some(&policy(&["A"])), Some(&policy(&["A"]))), "changes the document");
        let unnamed = json!({ "Statement": [
            { "Effect": "Allow", "Principal": "*", "Action": "s3:a", "Resource": "*" },
            { "Effect": "Allow", "Principal": "*", "Action": "s3:b", "Resource": "*" },
        ] });
        let unnamed = Policy { document: Document::from_value(&unnamed).unwrap() };
        assert_eq!(difference(Some(&unnamed), None), "removes 2 × (no Sid)");
    }
}
