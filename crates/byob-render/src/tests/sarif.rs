use byob_model::config::Configuration;
use byob_plan::drift::{DriftSummary, Report};
use byob_plan::finding::{Finding, Rule, Waived};

use super::hostile::{corpus, hostile_plan, hostile_report};
use super::*;
use crate::{ConfigFile, drift_sarif, plan_sarif, policy_sarif};

pub(super) const FILE: &str = r#"version = 1
[aws]
region = "us-east-1"
[wandb]
deployment = "dedicated-cloud"
[bucket.vision]
name = "acme-wandb-vision"
managers = ["arn:aws:iam::123456789012:role/a"]
[[waive]]
rule = "BYOB020"
address = "bucket.vision.policy"
reason = "a test"
until = "2027-01-31"
"#;

pub(super) fn configuration() -> Configuration {
    byob_model::config::parse(FILE, &|_| Err(String::new())).unwrap()
}

/// OASIS' own schema, from `tests/sarif/`.
fn assert_valid(log: &Value) {
    static SCHEMA: std::sync::LazyLock<jsonschema::Validator> = std::sync::LazyLock::new(|| {
        let text = include_str!("../../tests/sarif/sarif-schema-2.1.0.json");
        // A bracket that nothing opens, in a property that is not written here: only JavaScript takes it.
        let schema = text.replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}$");
        jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap()
    });
    let errors: Vec<String> =
        SCHEMA.iter_errors(log).map(|e| format!("{e} at {}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{log:#}");
}

fn of_plan(plan: &Plan) -> Value {
    let config = configuration();
    let file = ConfigFile { path: "infra/byob.toml", text: FILE, config: &config };
    let log = serde_json::to_value(plan_sarif(plan, &file)).unwrap();
    assert_valid(&log);
    log
}

fn of_drift(report: &Report) -> Value {
    let config = configuration();
    let file = ConfigFile { path: "infra/byob.toml", text: FILE, config: &config };
    let log = serde_json::to_value(drift_sarif(report, &file)).unwrap();
    assert_valid(&log);
    log
}

fn without_version(mut log: Value) -> Value {
    log["runs"][0]["tool"]["driver"]["version"] = json!("[version]");
    log
}

fn results(log: &Value) -> &Vec<Value> {
    log["runs"][0]["results"].as_array().unwrap()
}

fn finding(rule: Rule, at: &str) -> Finding {
    Finding::new(rule, address(at), format!("what {} says", rule.id()), "mend it")
}

#[test]
fn each_finding_is_a_result_at_the_line_that_asks_for_it_the_worst_first() {
    let mut plan = plan(Vec::new(), Vec::new());
    let waived = Waived { reason: "a test".into(), until: "2027-01-31".into() };
    plan.findings = vec![
        finding(Rule::PlainHttp, "bucket.vision.policy"),
        finding(Rule::WaiverPastDate, "bucket.vision.policy"),
        Finding { waived: Some(waived), ..finding(Rule::Public, "bucket.vision.policy") },
        finding(Rule::NotOurs, "bucket.vision"),
        finding(Rule::Vanished, "bucket.elsewhere"),
    ];
    insta::assert_json_snapshot!(without_version(of_plan(&plan)));
}

#[test]
fn drift_is_a_result_an_address_with_its_meaning() {
    let shut = Attributes::PublicAccessBlock(PublicAccessBlock::ALL);
    let open = Attributes::PublicAccessBlock(PublicAccessBlock {
        block_public_policy: false,
        ..PublicAccessBlock::ALL
    });
    let drift = vec![
        drift("bucket.vision.policy", Some(policy(&[wandb()])), Some(policy(&[wandb(), vendor()]))),
        drift("bucket.vision.public_access_block", Some(shut), Some(open)),
        drift("bucket.vision.tags", Some(tags(&[("Owner", "platform")])), Some(tags(&[]))),
    ];
    let summary = DriftSummary { drifted: 3, addresses: 22, attributes: 58 };
    let report = Report { summary, drift, ends: Vec::new() };
    insta::assert_json_snapshot!(without_version(of_drift(&report)));
}

#[test]
fn a_fingerprint_outlives_a_change_of_lines_and_is_given_once() {
    let mut plan = plan(Vec::new(), Vec::new());
    plan.findings = vec![finding(Rule::AclsOn, "bucket.vision"), finding(Rule::AclsOn, "bucket.vision")];
    let prints = |log: &Value| -> Vec<Value> {
        results(log).iter().map(|result| result["partialFingerprints"].clone()).collect()
    };
    let before = prints(&of_plan(&plan));
    assert_ne!(before[0], before[1]);
    let text = FILE.replace("[bucket", "# a comment\n\n[bucket");
    let config = byob_model::config::parse(&text, &|_| Err(String::new())).unwrap();
    let moved = ConfigFile { path: "infra/byob.toml", text: &text, config: &config };
    let after = serde_json::to_value(plan_sarif(&plan, &moved)).unwrap();
    assert_eq!(prints(&after), before);
    let line =
        |log: &Value| results(log)[0]["locations"][0]["physicalLocation"]["region"]["startLine"].clone();
    assert_eq!((line(&of_plan(&plan)), line(&after)), (json!(6), json!(8)));
}

#[test]
fn more_than_code_scanning_keeps_is_left_out_and_said() {
    let mut plan = plan(Vec::new(), Vec::new());
    plan.findings = (0..5100).map(|_| finding(Rule::PlainHttp, "bucket.vision")).collect();
    plan.findings.push(finding(Rule::NotOurs, "bucket.vision"));
    let log = of_plan(&plan);
    assert_eq!((results(&log).len(), &results(&log)[0]["level"]), (5000, &json!("error")));
    let told = &log["runs"][0]["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"];
    assert_eq!(told, "101 results of the least severe are left out");
}

/// What a reader of SARIF makes of a message: placeholders, then links.
fn means(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    let escapes = text.contains("\\[");
    while let Some(c) = chars.next() {
        match c {
            '{' | '}' => assert_eq!(chars.next(), Some(c), "a placeholder in {text:?}"),
            '[' if escapes => panic!("a link in {text:?}"),
            '\\' if escapes => {
                out.extend(chars.next());
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
    assert!(escapes || !out.contains("]("), "{text:?}");
    out
}

#[test]
fn every_hostile_string_stays_text_in_a_message() {
    for text in corpus() {
        let seen = crate::escape::escape(&text);
        let log = of_plan(&hostile_plan(&text));
        let shown: Vec<String> =
            results(&log).iter().map(|result| means(result["message"]["text"].as_str().unwrap())).collect();
        // The one that says it as its whole message, with itself as help.
        let help = if text.is_empty() { String::new() } else { format!("\nhelp: {seen}") };
        assert!(shown.contains(&format!("bucket.third: {seen}{help}")), "{text:?}: {shown:#?}");
        assert!(shown.iter().all(|text| !text.contains(|c| c != '\n' && crate::escape::is_escaped(c))));
        for result in results(&of_drift(&hostile_report(&text))) {
            means(result["message"]["text"].as_str().unwrap());
        }
    }
}

#[test]
fn the_log_of_a_policy_file_is_valid_too() {
    let checked = byob_plan::rules::Checked {
        findings: vec![byob_plan::rules::PolicyFinding {
            help: "mend {0} [it](https://evil.example)".into(),
            message: "wrong".into(),
            rule: Rule::Public,
            severity: Rule::Public.severity(),
            statement: Some(1),
        }],
        notes: Vec::new(),
        public: true,
    };
    let log = serde_json::to_value(policy_sarif("p.json", &checked, &[3])).unwrap();
    assert_valid(&log);
    assert_eq!(results(&log)[0]["message"]["text"], "wrong\nhelp: mend {{0}} \\[it\\](https://evil.example)");
}
