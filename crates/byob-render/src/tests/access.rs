use byob_plan::access::{Access, Answer, Example, Proof};
use byob_plan::{Finding, Rule};
use byob_policy::{ResourceClass, actions_matching};
use insta::assert_snapshot;

use super::*;
use crate::plan_text;

const WANDB: &str = "arn:aws:iam::830241207209:root";

/// What some patterns give on a class.
pub(super) fn matching(class: ResourceClass, patterns: &[&str]) -> Vec<String> {
    let all = patterns.iter().flat_map(|pattern| actions_matching(pattern));
    let mut names: Vec<String> =
        all.filter(|one| one.classes.contains(&class)).map(|one| one.name.to_owned()).collect();
    names.sort();
    names
}

pub(super) fn gains(at: &str, class: ResourceClass, principal: &str, gained: Vec<String>) -> Access {
    Access {
        resource: address(at),
        class,
        principal: principal.to_owned(),
        gained,
        lost: Vec::new(),
        conditions: Vec::new(),
        proof: Proof::Witness,
        example: None,
    }
}

fn loses(access: Access) -> Access {
    Access { lost: access.gained.clone(), gained: Vec::new(), ..access }
}

/// What W&B gains by the first plan.
pub(super) fn first(at: &str) -> Vec<Access> {
    let all = byob_model::desired::STORAGE_ACTIONS;
    [ResourceClass::Bucket, ResourceClass::Objects]
        .map(|class| gains(at, class, WANDB, matching(class, &all)))
        .into()
}

/// On a bucket and its key.
pub(super) fn first_plan() -> Vec<Access> {
    let mut access = first("bucket.vision");
    let all = byob_model::desired::KEY_USE_ACTIONS;
    access.push(gains("key.vision", ResourceClass::Key, WANDB, matching(ResourceClass::Key, &all)));
    access
}

fn verdict(grows: Answer, not_checked: &[&str]) -> AccessVerdict {
    AccessVerdict {
        grows,
        not_checked: not_checked.iter().map(|&one| one.to_owned()).collect(),
        ..AccessVerdict::default()
    }
}

/// A change of the bucket's policy that comes to this.
fn changed(access: Vec<Access>, verdict: AccessVerdict) -> Plan {
    let step = step(
        "bucket.vision.policy",
        Action::Update,
        Some(policy(&[wandb()])),
        Some(policy(&[wandb(), tls_only()])),
    );
    let mut plan = plan(vec![step], Vec::new());
    plan.names.insert(byob_model::address::RootAddress::bucket("vision"), "acme-wandb-vision".into());
    (plan.access, plan.access_verdict) = (access, verdict);
    plan
}

/// The section, and the counts.
fn section(plan: &Plan, width: usize) -> String {
    let text = plan_text(plan, &header(), &Style { width, ..WIDE });
    assert_harmless(&text);
    let from = text.find("Access\n").unwrap_or(text.len());
    let to = text[from..].find("\n\n").map_or(text.len(), |at| from + at);
    let counts = text.lines().find(|line| line.contains(" to create")).unwrap_or_default();
    format!("{}\n{counts}", &text[from..to])
}

#[test]
fn a_first_plan_says_in_plain_words_what_wandb_gains() {
    let access = first_plan();
    let account = "identity policies of account 830241207209 (a policy grants that account)";
    assert_snapshot!(section(&changed(access, verdict(Answer::Yes, &[account])), 100));
}

#[test]
fn what_a_reviewer_must_stop_at_goes_by_its_name() {
    let beyond = |class: ResourceClass| {
        let had = matching(class, &byob_model::desired::STORAGE_ACTIONS);
        let all = matching(class, &["s3:*"]);
        all.into_iter().filter(|one| !had.contains(one)).collect::<Vec<_>>()
    };
    let mut access: Vec<Access> = [ResourceClass::Bucket, ResourceClass::Objects]
        .map(|class| gains("bucket.vision", class, WANDB, beyond(class)))
        .into();
    access[0].example = Some(Example {
        who: "arn:aws:iam::830241207209:role/any".into(),
        action: "s3:PutBucketPolicy".into(),
        resource: "arn:aws:s3:::acme-wandb-vision".into(),
    });
    let plan = changed(access, verdict(Answer::Yes, &[]));
    assert_snapshot!(section(&plan, 100));
    assert_snapshot!(section(&plan, 44));
}

#[test]
fn who_may_come_without_tls_and_who_only_may() {
    let tls = |mut one: Access| {
        one.conditions = vec!["no longer: only over TLS".into()];
        one
    };
    let own = "arn:aws:iam::123456789012:root";
    let mut access: Vec<Access> = first("bucket.vision").into_iter().map(tls).collect();
    let all = matching(ResourceClass::Objects, &["s3:*"]);
    access.push(tls(gains("bucket.vision", ResourceClass::Objects, own, all)));
    let mut anyone = gains("bucket.vision", ResourceClass::Objects, "*", vec!["s3:GetObject".into()]);
    anyone.proof = Proof::CannotTell;
    access.push(anyone);
    let verdict = AccessVerdict {
        public: Answer::CannotTell,
        all_told: false,
        ..verdict(Answer::Yes, &["ACLs of bucket.vision"])
    };
    assert_snapshot!(section(&changed(access, verdict), 100));
}

#[test]
fn who_is_interrupted_for_a_moment_stands_under_access_and_beside_the_counts() {
    let mut plan = changed(Vec::new(), verdict(Answer::No, &[]));
    plan.findings.push(Finding::new(
        Rule::Interrupted,
        address("bucket.vision.policy"),
        "without access between the two phases: W&B Dedicated Cloud (830241207209) (both forms together are over AWS's \
         limit)",
        "apply the changes of bucket.vision one after the other",
    ));
    assert_snapshot!(section(&plan, 100));
    assert_eq!(
        crate::counts(&plan),
        "0 to create, 1 to update, 0 to delete; access is interrupted for a moment"
    );
    // Said once, and wherever the steps are shown.
    let text = plan_text(&plan, &header(), &WIDE);
    assert_eq!(text.matches("BYOB058").count(), 1, "{text}");
    assert!(crate::plan_details(&plan, &WIDE).contains("BYOB058"));
}

#[test]
fn a_plan_that_only_loses_says_that_nobody_gains() {
    let access = first("bucket.vision").into_iter().map(loses).collect();
    assert_snapshot!(section(&changed(access, verdict(Answer::No, &[])), 100));
}

#[test]
fn what_is_the_same_on_many_buckets_is_said_once() {
    let access = (0..100).flat_map(|n| first(&format!("bucket.b{n:03}"))).collect();
    assert_snapshot!(section(&changed(access, verdict(Answer::Yes, &[])), 100));
}

#[test]
fn a_public_bucket_is_said_in_capitals() {
    let anyone = gains("bucket.vision", ResourceClass::Objects, "*", vec!["s3:GetObject".into()]);
    let verdict = AccessVerdict { public: Answer::Yes, ..verdict(Answer::Yes, &[]) };
    assert_snapshot!(section(&changed(vec![anyone], verdict), 100));
}

#[test]
fn doubt_is_no_no() {
    let verdict =
        AccessVerdict { all_told: false, ..verdict(Answer::CannotTell, &["ACLs of bucket.vision"]) };
    assert_snapshot!(section(&changed(Vec::new(), verdict), 100));
}

#[test]
fn without_a_change_of_access_there_is_no_section() {
    let plan = plan(Vec::new(), Vec::new());
    assert!(!plan_text(&plan, &header(), &WIDE).contains("ccess"));
}

#[test]
fn nothing_in_a_principal_or_condition_steers_the_terminal() {
    let mut strange =
        gains("bucket.vision", ResourceClass::Objects, "a\u{1b}[2Jb\u{202e}", vec!["x:\u{9b}y".into()]);
    strange.conditions = vec!["only from \u{1b}]0;\u{7}".into()];
    let text =
        section(&changed(vec![strange], verdict(Answer::Yes, &["policy (\u{200b}) of bucket.x"])), 100);
    assert!(text.contains("\\u{1b}") && text.contains("\\u{9b}"), "{text}");
}
