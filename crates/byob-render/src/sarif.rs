//! What the rules say of a policy as a SARIF log, for code scanning and editors.
//!
//! Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".

use std::collections::BTreeSet;
use std::fmt::Write as _;

use byob_plan::finding::{Rule, Severity};
use byob_plan::rules::{Checked, PolicyFinding};
use serde::Serialize;
use serde_sarif::sarif::{
    ArtifactLocation, Location, Message, MultiformatMessageString, PhysicalLocation, Region,
    ReportingDescriptor, Result as Found, ResultLevel, Run, Sarif, Tool, ToolComponent,
};

/// The schema that OASIS publishes for version 2.1.0 with its errata.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The log of one policy. `file` is its path as it was named, `lines` the line (from 1) of each statement; what is about
/// no statement, or one whose line is not known, is on line 1. Notes that no rule gave are left out.
#[must_use]
pub fn policy_sarif(file: &str, checked: &Checked, lines: &[usize]) -> impl Serialize + use<> {
    let rules: BTreeSet<Rule> = checked.findings.iter().map(|f| f.rule).collect();
    let results: Vec<Found> = checked.findings.iter().map(|f| found(file, f, lines)).collect();
    let driver = ToolComponent::builder()
        .name("byob")
        .version(env!("CARGO_PKG_VERSION"))
        .rules(rules.into_iter().map(described).collect::<Vec<_>>())
        .build();
    let run = Run::builder().tool(Tool::builder().driver(driver).build()).results(results).build();
    Sarif::builder().schema(SCHEMA).version("2.1.0").runs(vec![run]).build()
}

fn described(rule: Rule) -> ReportingDescriptor {
    let short = MultiformatMessageString::builder().text(rule.short()).build();
    ReportingDescriptor::builder().id(rule.id()).short_description(short).build()
}

fn found(file: &str, finding: &PolicyFinding, lines: &[usize]) -> Found {
    let line = finding.statement.and_then(|place| lines.get(place.checked_sub(1)?)).copied().unwrap_or(1);
    let place = PhysicalLocation::builder()
        .artifact_location(ArtifactLocation::builder().uri(uri(file)).build())
        .region(Region::builder().start_line(i64::try_from(line).unwrap_or(1)).build())
        .build();
    let level = match finding.severity {
        Severity::Error => ResultLevel::Error,
        Severity::Warning => ResultLevel::Warning,
        Severity::Note => ResultLevel::Note,
    };
    Found::builder()
        .rule_id(finding.rule.id())
        .level(level)
        .message(Message::builder().text(format!("{}\nhelp: {}", finding.message, finding.help)).build())
        .locations(vec![Location::builder().physical_location(place).build()])
        .build()
}

/// A path as a URI reference: what has another meaning there is percent-encoded.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte.into());
            }
            // Writing to a String cannot fail.
            _ => drop(write!(uri, "%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_finding_is_a_result_at_its_statement() {
        let finding = |rule: Rule, statement| PolicyFinding {
            help: "mend it".into(),
            message: "wrong".into(),
            rule,
            severity: rule.severity(),
            statement,
        };
        let checked = Checked {
            findings: vec![finding(Rule::Public, Some(2)), finding(Rule::PlainHttp, None)],
            notes: vec!["not shown".into()],
            public: true,
        };
        let log = serde_json::to_value(policy_sarif("a b/p.json", &checked, &[3, 9])).unwrap();
        let result = |rule: &str, level: &str, line: usize| {
            json!({
                "ruleId": rule, "level": level, "message": { "text": "wrong\nhelp: mend it" },
                "locations": [{ "physicalLocation": {
                    "artifactLocation": { "uri": "a%20b/p.json" }, "region": { "startLine": line },
                } }],
            })
        };
        let expected = json!({
            "$schema": SCHEMA,
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "byob", "version": env!("CARGO_PKG_VERSION"),
                    "rules": [
                        { "id": "BYOB020", "shortDescription": { "text": "the bucket is public" } },
                        { "id": "BYOB043", "shortDescription": { "text": "TLS is not required" } },
                    ],
                } },
                "results": [result("BYOB020", "error", 9), result("BYOB043", "note", 1)],
            }],
        });
        assert_eq!(log, expected);
    }
}
