use byob_plan::finding::{Finding, Rule, Waived};
use insta::assert_snapshot;

use super::hostile::{corpus, hostile_plan, hostile_report};
use super::sarif::{FILE, configuration};
use super::*;
use crate::progress::{Outcome, SettledView};
use crate::{ConfigFile, drift_annotations, outcome_annotations, plan_annotations};

fn with<T>(act: impl FnOnce(&ConfigFile<'_>) -> T) -> T {
    let config = configuration();
    act(&ConfigFile { path: "infra/byob.toml", text: FILE, config: &config })
}

fn finding(rule: Rule, at: &str) -> Finding {
    Finding::new(rule, address(at), format!("100% {}:\nwrong, really", rule.id()), "mend it")
}

#[test]
fn findings_stand_at_their_lines_and_notes_in_one() {
    let mut plan = plan(
        vec![step("bucket.vision.tags", Action::Update, Some(tags(&[])), Some(tags(&[("a", "b")])))],
        Vec::new(),
    );
    plan.findings = vec![
        finding(Rule::NotOurs, "bucket.vision"),
        finding(Rule::AclsOn, "bucket.vision.policy"),
        Finding {
            waived: Some(Waived { reason: "so".into(), until: "2027-01-31".into() }),
            ..finding(Rule::Public, "bucket.vision.policy")
        },
        finding(Rule::PlainHttp, "bucket.vision.policy"),
        finding(Rule::VersioningOff, "bucket.vision.versioning"),
    ];
    assert_snapshot!(with(|file| plan_annotations(&plan, file)));
}

#[test]
fn drift_and_failed_steps_stand_there_too() {
    let drift = vec![
        drift("bucket.vision.tags", Some(tags(&[("Owner", "platform")])), Some(tags(&[]))),
        drift("bucket.vision.policy", Some(policy(&[wandb()])), Some(policy(&[wandb(), vendor()]))),
    ];
    let summary = byob_plan::drift::DriftSummary { drifted: 2, addresses: 4, attributes: 58 };
    let report = byob_plan::drift::Report { drift, summary, ends: Vec::new() };
    let outcome = Outcome {
        done: 1,
        failed: vec![("bucket.vision.policy".into(), "AWS refused it".into(), vec!["mend it".into()])],
        not_started: Vec::new(),
        interrupted: false,
        settled: SettledView::NotLookedAt,
        seconds: 1.0,
        nothing_to_do: false,
        saved: true,
    };
    assert_snapshot!(with(|file| drift_annotations(&report, file) + &outcome_annotations(&outcome, file)));
}

#[test]
fn more_than_ten_of_a_kind_are_counted() {
    let mut plan = plan(Vec::new(), Vec::new());
    plan.findings = (0..11).map(|_| finding(Rule::AclsOn, "bucket.vision")).collect();
    let text = with(|file| plan_annotations(&plan, file));
    assert_eq!(text.lines().count(), 10);
    assert!(
        text.ends_with("\n::warning title=byob plan::and 2 more warnings: byob plan prints all of them\n")
    );
    plan.findings.pop();
    let text = with(|file| plan_annotations(&plan, file));
    assert_eq!((text.lines().count(), text.contains("more")), (10, false));
}

#[test]
fn no_hostile_string_is_a_command_or_a_property() {
    for text in corpus() {
        let config = configuration();
        let file = ConfigFile { path: &text, text: FILE, config: &config };
        let all =
            plan_annotations(&hostile_plan(&text), &file) + &drift_annotations(&hostile_report(&text), &file);
        assert_harmless(&all);
        assert!(!all.is_empty());
        for line in all.lines() {
            let (head, _) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
            let (kind, properties) = head.split_once(' ').unwrap();
            assert!(["error", "warning", "notice"].contains(&kind), "{line}");
            let names: Vec<&str> = properties.split(',').map(|one| one.split('=').next().unwrap()).collect();
            assert!(names == ["file", "line", "title"] || names == ["title"], "{text:?}: {line}");
        }
    }
}

#[test]
fn hostile_errors_stay_one_annotation() {
    for text in corpus() {
        let said = crate::failure_annotation(&text, std::slice::from_ref(&text), std::slice::from_ref(&text));
        assert_eq!(said.lines().count(), 1, "{said:?}");
        assert!(said.starts_with("::error title=byob::") && said.matches("%0A").count() >= 2, "{said:?}");
        let diagnostic = byob_model::diagnostic::Diagnostic {
            message: text.clone(),
            span: None,
            label: text.clone(),
            help: text.clone(),
        };
        let said = crate::diagnostic_annotations(&text, FILE, &[diagnostic]);
        assert_eq!(said.lines().count(), 1, "{said:?}");
    }
}
