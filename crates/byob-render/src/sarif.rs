//! What the rules say of a policy or a plan, and what drifted, as a SARIF log, for code scanning and editors.
//!
//! Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0"; GitHub's page on SARIF support for
//! code scanning (limits, and the fingerprint that it looks at).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use byob_plan::drift::Report;
use byob_plan::finding::{Finding, Rule, Severity};
use byob_plan::plan::{Drift, DriftSeverity, Plan};
use byob_plan::rules::{Checked, PolicyFinding};
use serde::Serialize;
use serde_json::json;
use serde_sarif::sarif::{
    ArtifactLocation, Invocation, Location, Message, MultiformatMessageString, Notification,
    PhysicalLocation, Region, ReportingDescriptor, Result as Found, ResultLevel, Run, RunAutomationDetails,
    Sarif, Suppression, Tool, ToolComponent,
};

use crate::drift::{in_words, meaning, sections};
use crate::escape::escape;
use crate::place::ConfigFile;
use crate::summary::count;

/// The schema that OASIS publishes for version 2.1.0 with its errata.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Of more results than this, code scanning keeps the first ones.
const KEPT: usize = 5_000;

/// The log of one policy. `file` is its path as it was named, `lines` the line (from 1) of each statement; what is about
/// no statement, or one whose line is not known, is on line 1. Notes that no rule gave are left out.
#[must_use]
pub fn policy_sarif(file: &str, checked: &Checked, lines: &[usize]) -> impl Serialize + use<> {
    let rules: BTreeSet<Rule> = checked.findings.iter().map(|f| f.rule).collect();
    let results: Vec<Found> = checked.findings.iter().map(|f| policy_finding(file, f, lines)).collect();
    log(rules.into_iter().map(described).collect(), results, None)
}

/// The findings of a plan, the worst first, at their lines of the configuration. What is waived is suppressed, not left
/// out.
#[must_use]
pub fn plan_sarif(plan: &Plan, file: &ConfigFile<'_>) -> impl Serialize + use<> {
    let mut findings: Vec<&Finding> = plan.findings.iter().collect();
    findings.sort_by_key(|f| f.severity);
    let rules: BTreeSet<Rule> = findings.iter().map(|f| f.rule).collect();
    let mut known = Known::default();
    let results = findings.iter().map(|finding| {
        let print = known.tell_apart(format!("{}:{}", finding.rule.id(), finding.address));
        let suppressions: Vec<Suppression> = finding
            .waived
            .iter()
            .map(|waived| {
                let why = format!("waived until {}: {}", escape(&waived.until), escape(&waived.reason));
                Suppression::builder().kind(json!("inSource")).justification(why).build()
            })
            .collect();
        Found {
            suppressions: Some(suppressions),
            ..found(
                finding.rule.id(),
                level(finding.severity),
                &[("", &format!("{}: {}", finding.address, finding.message)), ("help: ", &finding.help)],
                place(file.path, file.line_of(finding)),
                print,
            )
        }
    });
    let results = results.collect();
    let id = format!("byob-plan/{}/", file.config.stack);
    log(rules.into_iter().map(described).collect(), results, Some(id))
}

/// Everything that drifted, the worst first, at the lines that ask for it.
#[must_use]
pub fn drift_sarif(report: &Report, file: &ConfigFile<'_>) -> impl Serialize + use<> {
    let mut drift: Vec<&Drift> = sections(report, "").into_iter().flat_map(|section| section.drift).collect();
    drift.sort_by_key(|drift| drift.severity);
    let rule = |severity: DriftSeverity| format!("drift-{}", severity.as_str());
    let severities: BTreeSet<DriftSeverity> = drift.iter().map(|drift| drift.severity).collect();
    let rules = severities.into_iter().map(|severity| {
        let short = MultiformatMessageString::builder().text(severity.meaning()).build();
        ReportingDescriptor::builder().id(rule(severity)).short_description(short).build()
    });
    let mut known = Known::default();
    let results = drift.iter().map(|drift| {
        let level = match drift.severity {
            DriftSeverity::Exposure => ResultLevel::Error,
            DriftSeverity::Breakage => ResultLevel::Warning,
            DriftSeverity::Other => ResultLevel::Note,
        };
        let what = format!("{} changed outside byob: {}", drift.address, in_words(drift));
        found(
            &rule(drift.severity),
            level,
            &[("", &what), ("meaning: ", &meaning(drift))],
            place(file.path, file.line(&drift.address)),
            known.tell_apart(format!("drift:{}", drift.address)),
        )
    });
    let results = results.collect();
    log(rules.collect(), results, Some(format!("byob-drift/{}/", file.config.stack)))
}

/// A log with one run. `id` tells the run from others of the same commit.
fn log(rules: Vec<ReportingDescriptor>, mut results: Vec<Found>, id: Option<String>) -> Sarif {
    let driver =
        ToolComponent::builder().name("byob").version(env!("CARGO_PKG_VERSION")).rules(rules).build();
    let left_out = results.len().saturating_sub(KEPT);
    results.truncate(KEPT);
    let mut run = Run::builder().tool(Tool::builder().driver(driver).build()).results(results).build();
    run.automation_details = id.map(|id| RunAutomationDetails::builder().id(id).build());
    if left_out > 0 {
        let text = format!("{} of the least severe are left out", count(left_out, "result"));
        let told = Notification::builder().message(Message::builder().text(text).build()).build();
        let invocation = Invocation::builder().execution_successful(true);
        run.invocations = Some(vec![invocation.tool_execution_notifications(vec![told]).build()]);
    }
    Sarif::builder().schema(SCHEMA).version("2.1.0").runs(vec![run]).build()
}

/// Fingerprints that were given already.
#[derive(Default)]
struct Known(BTreeMap<String, usize>);

impl Known {
    /// The same for the same thing in every run, whatever line it is on; the second of a kind is told from the first.
    fn tell_apart(&mut self, print: String) -> String {
        let times = self.0.entry(print.clone()).or_default();
        *times += 1;
        if *times == 1 { print } else { format!("{print}:{times}") }
    }
}

fn described(rule: Rule) -> ReportingDescriptor {
    let short = MultiformatMessageString::builder().text(rule.short()).build();
    ReportingDescriptor::builder().id(rule.id()).short_description(short).build()
}

fn level(severity: Severity) -> ResultLevel {
    match severity {
        Severity::Error => ResultLevel::Error,
        Severity::Warning => ResultLevel::Warning,
        Severity::Note => ResultLevel::Note,
    }
}

fn policy_finding(file: &str, finding: &PolicyFinding, lines: &[usize]) -> Found {
    let line = finding.statement.and_then(|place| lines.get(place.checked_sub(1)?)).copied().unwrap_or(1);
    Found::builder()
        .rule_id(finding.rule.id())
        .level(level(finding.severity))
        .message(message(&[("", &finding.message), ("help: ", &finding.help)]))
        .locations(vec![place(file, line)])
        .build()
}

fn found(rule: &str, level: ResultLevel, text: &[(&str, &str)], at: Location, print: String) -> Found {
    // The first is the name that code scanning looks for.
    let prints = [("primaryLocationLineHash", print.clone()), ("byob/v1", print)];
    Found::builder()
        .rule_id(rule)
        .level(level)
        .message(message(text))
        .locations(vec![at])
        .partial_fingerprints(
            prints.map(|(name, print)| (name.to_owned(), print)).into_iter().collect::<BTreeMap<_, _>>(),
        )
        .build()
}

fn place(file: &str, line: usize) -> Location {
    let place = PhysicalLocation::builder()
        .artifact_location(ArtifactLocation::builder().uri(uri(file)).build())
        .region(Region::builder().start_line(i64::try_from(line).unwrap_or(1)).build())
        .build();
    Location::builder().physical_location(place).build()
}

/// Lines of text, each behind a word of ours; empty ones are left out.
fn message(lines: &[(&str, &str)]) -> Message {
    let lines = lines.iter().filter(|(_, text)| !text.is_empty());
    let text: Vec<String> = lines.map(|(word, text)| format!("{word}{}", literal(text))).collect();
    Message::builder().text(text.join("\n")).build()
}

/// A text that means itself: braces would be placeholders (§3.11.5), and `[…](…)` a link (§3.11.6).
fn literal(text: &str) -> String {
    let text = escape(text).replace('{', "{{").replace('}', "}}");
    if !text.contains("](") {
        return text;
    }
    text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]")
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
