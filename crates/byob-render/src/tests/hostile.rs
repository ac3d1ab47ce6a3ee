//! Strings that are not what they seem, and plans and reports full of them.

use byob_plan::drift::{DriftSummary, Report};
use byob_plan::finding::{Finding, Rule, Waived};
use byob_policy::ResourceClass;

use super::*;

/// `tests/hostile/corpus.json`.
pub(super) fn corpus() -> Vec<String> {
    serde_json::from_str(include_str!("../../tests/hostile/corpus.json")).unwrap()
}

/// A plan in which everything that can come from outside is this text.
pub(super) fn hostile_plan(text: &str) -> Plan {
    let mut plan = first_plan();
    let statement = json!({
        "Sid": text, "Effect": "Allow", "Principal": { "AWS": [text, "*"] }, "Action": ["s3:*", text],
        "Resource": text, "Condition": { "StringLike": { text: [text] } },
    });
    let tagged = tags(&[(text, text), ("Owner", text)]);
    plan.steps.push(step(
        "bucket.other.tags",
        Action::Update,
        Some(tags(&[("a", "b")])),
        Some(tagged.clone()),
    ));
    plan.steps.push(step(
        "bucket.other.policy",
        Action::Update,
        Some(policy(&[wandb()])),
        Some(policy(&[wandb(), statement.clone()])),
    ));
    plan.steps.push(step("bucket.third.policy", Action::Create, None, Some(policy(&[statement]))));
    plan.steps.push(step(
        "bucket.third.lifecycle",
        Action::Update,
        Some(lifecycle(vec![lifecycle_rule("a", 1)])),
        Some(lifecycle(vec![lifecycle_rule(text, 2)])),
    ));
    let mut odd = step("key.odd.alias", Action::Adopt, None, None);
    (odd.reason, odd.region) = (text.to_owned(), text.to_owned());
    odd.after = Some(Attributes::Alias(Alias { name: text.to_owned() }));
    plan.steps.push(odd);
    plan.drift = vec![drift("bucket.other.tags", Some(tagged), Some(tags(&[("x", text)])))];
    plan.names.insert(byob_model::address::RootAddress::bucket("other"), text.to_owned());
    let mut gains = access::gains(
        "bucket.other",
        ResourceClass::Objects,
        text,
        vec!["s3:PutObjectAcl".into(), text.into()],
    );
    gains.conditions = vec![text.to_owned()];
    gains.example = Some(byob_plan::access::Example {
        who: text.to_owned(),
        action: text.to_owned(),
        resource: text.to_owned(),
    });
    plan.access.push(gains);
    plan.access_verdict.not_checked = vec![text.to_owned()];
    plan.findings = vec![
        Finding::new(Rule::AclsOn, address("bucket.other"), format!("{text} is `{text}` to {text}"), text),
        Finding {
            waived: Some(Waived { reason: text.to_owned(), until: text.to_owned() }),
            ..Finding::new(Rule::Public, address("bucket.third.policy"), text, text)
        },
        Finding::new(Rule::TooLarge, address("bucket.third"), text, text),
    ];
    plan
}

/// What stands above it.
pub(super) fn hostile_header(text: &str) -> Header {
    Header {
        config_file: text.to_owned(),
        stack: text.to_owned(),
        account_id: text.to_owned(),
        endpoint: text.to_owned(),
        running: Some(text.to_owned()),
        notes: vec![text.to_owned()],
        approve_flags: format!(" --config '{text}'"),
        ..header()
    }
}

/// A report in which everything that can come from outside is this text.
pub(super) fn hostile_report(text: &str) -> Report {
    let plan = hostile_plan(text);
    let mut gone = drift("bucket.other", None, None);
    gone.changes = vec![byob_plan::Change {
        path: format!("/{text}"),
        before: json!(text),
        after: json!({ text: [text] }),
        unknown: None,
    }];
    let changed = drift(
        "bucket.third.policy",
        plan.steps
            .iter()
            .find_map(|step| (step.id == "bucket.third.policy#1").then(|| step.after.clone()).flatten()),
        Some(policy(&[vendor()])),
    );
    let drift = plan.drift.into_iter().chain([gone, changed]).collect::<Vec<_>>();
    Report {
        summary: DriftSummary { drifted: drift.len(), addresses: 22, attributes: 58 },
        drift,
        ends: Vec::new(),
    }
}
