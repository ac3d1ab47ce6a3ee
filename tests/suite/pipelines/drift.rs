//! Drift on a schedule: one issue, which speaks once for each drift.

use serde_json::{Value, json};

use super::github::{BOT, Issue};
use super::runner::{Event, Job, Runner};
use super::{applied, repository};
use crate::sandbox::world::{World, wait};

const BUCKET: &str = "acme-wandb-storage";

fn hour(runner: &Runner) -> Job {
    runner.run("drift.yml", &Event::schedule()).remove("drift").unwrap()
}

/// Somebody takes CORS away.
fn tamper(runner: &Runner) {
    wait(async {
        let s3 = World::of(&runner.env).await.s3("us-east-1");
        s3.delete_bucket_cors().bucket(BUCKET).send().await.unwrap();
    });
}

/// Somebody takes the policy away too.
fn tamper_more(runner: &Runner) {
    wait(async {
        let s3 = World::of(&runner.env).await.s3("us-east-1");
        s3.delete_bucket_policy().bucket(BUCKET).send().await.unwrap();
    });
}

fn mend(runner: &Runner) {
    runner.byob("apply --auto-approve", 0);
}

/// What was written to GitHub since the last look.
fn writes(runner: &Runner) -> Vec<String> {
    let requests = std::mem::take(&mut runner.github.state().requests);
    let write = |request: &String| ["POST", "PATCH"].iter().any(|method| request.starts_with(method));
    requests.into_iter().filter(write).map(|request| request.replace("/repos/acme/storage", "")).collect()
}

fn issue(runner: &Runner) -> Issue {
    let issues = &runner.github.state().issues;
    assert_eq!(issues.values().filter(|issue| issue.author == BOT).count(), 1);
    issues.values().find(|issue| issue.author == BOT).unwrap().clone()
}

#[test]
fn one_issue_is_opened_kept_up_to_date_and_closed() {
    let Some(runner) = applied() else { return };
    let job = hour(&runner).is("success");
    assert_eq!(job.roles, ["drift"]);
    assert_eq!(writes(&runner), [""; 0]);

    tamper(&runner);
    let job = hour(&runner).is("failure");
    assert_eq!(job.code, Some(2));
    assert_eq!(writes(&runner), ["POST /labels", "POST /issues"]);
    let opened = issue(&runner);
    assert!(opened.body.starts_with("<!-- byob-action:drift:byob.toml -->\n"), "{}", opened.body);
    assert!(
        opened.body.contains("bucket.storage") && opened.title == "byob: drift of byob.toml",
        "{opened:?}"
    );
    assert!(job.summary.contains("bucket.storage"), "{}", job.summary);

    // The same drift was told.
    for _ in 0..2 {
        hour(&runner).is("success");
        assert_eq!(writes(&runner), [""; 0]);
    }

    // Another one is told, in the same issue.
    tamper_more(&runner);
    hour(&runner).is("failure");
    assert_eq!(writes(&runner), ["POST /issues/100/comments", "PATCH /issues/100"]);
    assert!(issue(&runner).body.contains("policy"), "{}", issue(&runner).body);

    mend(&runner);
    hour(&runner).is("success");
    assert_eq!(writes(&runner), ["POST /issues/100/comments", "PATCH /issues/100"]);
    assert!(!issue(&runner).open);
    hour(&runner).is("success");
    assert_eq!(writes(&runner), [""; 0]);

    // The very first drift comes back: it is news, and no second issue.
    tamper(&runner);
    hour(&runner).is("failure");
    assert_eq!(writes(&runner), ["POST /issues/100/comments", "PATCH /issues/100"]);
    assert!(issue(&runner).open);
    hour(&runner).is("success");
}

#[test]
fn an_issue_that_a_person_closed_speaks_again_for_another_drift_alone() {
    let Some(runner) = applied() else { return };
    tamper(&runner);
    hour(&runner).is("failure");
    runner.github.state().issues.get_mut(&100).unwrap().open = false;
    writes(&runner);
    let job = hour(&runner).is("success");
    assert!(job.log.contains("was closed by somebody for this very drift"), "{}", job.log);
    assert_eq!(writes(&runner), [""; 0]);
    tamper_more(&runner);
    hour(&runner).is("failure");
    assert!(issue(&runner).open);
}

/// A person closed the issue and the drift went: the very same drift is news when it comes again.
#[test]
fn what_was_closed_and_mended_is_news_when_it_comes_again() {
    let Some(runner) = applied() else { return };
    tamper(&runner);
    hour(&runner).is("failure");
    mend(&runner);
    runner.github.state().issues.get_mut(&100).unwrap().open = false;
    writes(&runner);
    hour(&runner).is("success");
    assert_eq!(writes(&runner), ["PATCH /issues/100"]);
    hour(&runner).is("success");
    assert_eq!(writes(&runner), [""; 0]);
    tamper(&runner);
    hour(&runner).is("failure");
    assert!(issue(&runner).open);
}

/// What only asks is asked again; what writes is not.
#[test]
fn a_question_that_a_gateway_swallows_is_asked_again() {
    let Some(runner) = applied() else { return };
    tamper(&runner);
    runner.github.state().bad_gateway = 1;
    hour(&runner).is("failure");
    assert!(issue(&runner).open);
    assert_eq!(runner.github.state().bad_gateway, 0);
}

/// Who found out what, and in which words, changes the text but is no news.
#[test]
fn the_same_drift_in_other_words_is_no_news() {
    let Some(runner) = applied() else { return };
    tamper(&runner);
    hour(&runner).is("failure");
    let said = issue(&runner).body;
    // Whatever ends lines with CR LF on the way.
    runner.github.state().issues.get_mut(&100).unwrap().body =
        said.replace('\n', "\r\n").replace("bucket", "thing");
    writes(&runner);
    hour(&runner).is("success");
    assert_eq!(writes(&runner), ["PATCH /issues/100"]);
    assert_eq!(issue(&runner).body, said);
}

/// What the issue says is known counts only on its own line, of a text that the token wrote last.
#[test]
fn a_text_that_somebody_else_wrote_makes_no_drift_known() {
    let Some(runner) = applied() else { return };
    tamper(&runner);
    hour(&runner).is("failure");
    let first = issue(&runner).body;
    // Further down the line is part of what was found, whoever wrote it.
    tamper_more(&runner);
    hour(&runner).is("failure");
    let second = issue(&runner).body;
    let line = |body: &str| body.lines().nth(1).unwrap().to_owned();
    assert_ne!(line(&first), line(&second));
    let both = format!("{first}\n{}\n", line(&second));
    runner.github.state().issues.get_mut(&100).unwrap().body = both;
    writes(&runner);
    hour(&runner).is("failure");
    assert_eq!(writes(&runner), ["POST /issues/100/comments", "PATCH /issues/100"]);
    hour(&runner).is("success");
    // The very line, by another hand; the issue is closed on top of it.
    for editor in ["mallory", "github-actions"] {
        let mut state = runner.github.state();
        let edited = state.issues.get_mut(&100).unwrap();
        edited.editor = Some(editor.to_owned());
        edited.open = false;
        drop(state);
        writes(&runner);
        hour(&runner).is("failure");
        assert_eq!(writes(&runner), ["POST /issues/100/comments", "PATCH /issues/100"]);
        let said = runner.github.state().comments.values().last().unwrap().body.clone();
        assert!(said.starts_with("The text of this issue was changed by somebody else"), "{said}");
        assert!(issue(&runner).open);
        hour(&runner).is("success");
    }
}

#[test]
fn a_strangers_issue_is_left_alone() {
    let Some(runner) = applied() else { return };
    tamper(&runner);
    let mut state = runner.github.state();
    state.labels.insert("byob-drift".to_owned());
    for number in 1..=120 {
        state.issues.insert(
            number,
            Issue {
                author: "mallory".to_owned(),
                editor: None,
                title: "byob: drift of byob.toml".to_owned(),
                body: "<!-- byob-action:drift:byob.toml -->\nall is well".to_owned(),
                open: number % 2 == 0,
                labels: vec!["byob-drift".to_owned()],
            },
        );
    }
    drop(state);
    hour(&runner).is("failure");
    assert_eq!(writes(&runner), ["POST /issues"]);
    hour(&runner).is("success");
    assert_eq!(writes(&runner), [""; 0]);
    let state = runner.github.state();
    assert!(
        state
            .issues
            .values()
            .filter(|issue| issue.author == "mallory")
            .all(|issue| issue.body.ends_with("all is well"))
    );
}

#[test]
fn without_the_issue_every_run_ends_as_byob_does() {
    let Some(runner) = applied() else { return };
    tamper(&runner);
    for _ in 0..2 {
        let job =
            runner.action(&Event::schedule(), &json!({ "command": "drift", "issue": "false" })).is("failure");
        assert_eq!((job.code, job.output("exitcode").as_str()), (Some(2), "2"));
        assert_eq!(job.output("has-changes"), "true");
    }
    assert_eq!(runner.github.state().requests, [""; 0]);
}

/// Severities that do not count are told all the same, in green.
#[test]
fn fail_on_chooses_what_is_red() {
    let Some(runner) = applied() else { return };
    tamper(&runner);
    let with = |severity: &str| json!({ "command": "drift", "fail-on": severity });
    let job = runner.action(&Event::schedule(), &with("exposure")).is("success");
    assert_eq!((job.output("exitcode").as_str(), job.output("has-changes").as_str()), ("0", "true"));
    assert_eq!(writes(&runner), ["POST /labels", "POST /issues"]);
    let job = runner
        .action(&Event::schedule(), &json!({ "command": "drift", "fail-on": "breakage", "issue": "false" }));
    assert_eq!(job.is("failure").code, Some(2));
    let job = runner.action(&Event::schedule(), &with("$(touch pwned)")).is("failure");
    assert_eq!(job.code, Some(1));
    assert!(!runner.env.dir().join("pwned").exists());
}

/// An error is no drift, and no "no drift" either.
#[test]
fn an_error_is_red_and_leaves_the_issue_alone() {
    let Some(runner) = repository() else { return };
    let job = hour(&runner).is("failure");
    assert_eq!(job.code, Some(1));
    assert!(job.log.contains("there is no record at"), "{}", job.log);
    assert_eq!(runner.github.state().requests, [""; 0]);
}

#[test]
fn a_token_that_may_not_write_issues_is_told_what_it_lacks() {
    let Some(runner) = applied() else { return };
    tamper(&runner);
    runner.github.state().read_only = true;
    let job = hour(&runner).is("failure");
    assert!(job.log.contains("permissions: {issues: write}"), "{}", job.log);
}

/// Two configurations in one repository have an issue each.
#[test]
fn every_configuration_has_its_own_issue() {
    let Some(runner) = applied() else { return };
    tamper(&runner);
    hour(&runner).is("failure");
    runner.env.write("second/byob.toml", &runner.env.read("byob.toml"));
    let with = json!({ "command": "drift", "working-directory": "second" });
    runner.action(&Event::schedule(), &with).is("failure");
    let bodies: Vec<String> = runner
        .github
        .state()
        .issues
        .values()
        .map(|issue| issue.body.lines().next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        bodies,
        ["<!-- byob-action:drift:byob.toml -->", "<!-- byob-action:drift:second%2Fbyob.toml -->"]
    );
    let drift: Value = serde_json::from_str(&runner.byob("drift --format json", 2)).unwrap();
    assert_eq!(drift["summary"]["drifted"], 1);
}

/// Drift is accepted as everything else is: by the digest of a plan with the same flag. The issue is closed.
#[test]
fn accepted_drift_is_drift_no_more() {
    let Some(runner) = applied() else { return };
    tamper(&runner);
    hour(&runner).is("failure");
    let plan = json!({ "command": "plan", "comment": "false", "refresh-only": "true" });
    let digest = runner.action(&Event::push(), &plan).is("success").output("digest");
    let without = json!({ "command": "apply", "approve": digest });
    assert_eq!(runner.action(&Event::push(), &without).is("failure").code, Some(2));
    let with = json!({ "command": "apply", "approve": digest, "refresh-only": "true" });
    runner.action(&Event::push(), &with).is("success");
    hour(&runner).is("success");
    assert!(!issue(&runner).open);
}
