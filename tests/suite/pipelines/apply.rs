//! From the merge to the apply: the digest goes from the job that plans to the job that applies, and nothing else does.

use serde_json::json;

use super::applied;
use super::repository;
use super::runner::{COMMIT, Event, commands};
use crate::sandbox::world::{World, wait};

/// A new commit on `main`.
const NEWER: &str = "2222222222222222222222222222222222222222";

#[test]
fn exactly_the_approved_digest_is_applied() {
    let Some(runner) = repository() else { return };
    let jobs = runner.run("apply.yml", &Event::push());
    let (plan, apply) = (&jobs["plan"], &jobs["apply"]);
    assert_eq!((plan.result, apply.result), ("success", "success"), "{}\n{}", plan.log, apply.log);
    assert_eq!(
        (plan.roles.as_slice(), apply.roles.as_slice()),
        (&["plan".to_owned()][..], &["apply".to_owned()][..])
    );
    let digest = plan.output("digest");
    assert!(digest.starts_with("sha256:"), "{digest}");
    assert!(plan.summary.contains(&digest), "a reviewer does not see the digest:\n{}", plan.summary);
    assert!(apply.log.contains("✓ applied"), "{}", apply.log);
    // Planning and applying wrote nothing to GitHub.
    let requests = runner.github.state().requests.clone();
    assert_eq!(requests, ["GET /repos/acme/storage/git/ref/heads/main"]);

    // Nothing to do: nobody is asked.
    let jobs = runner.run("apply.yml", &Event::push());
    assert_eq!((jobs["plan"].result, jobs["apply"].result), ("success", "skipped"), "{}", jobs["plan"].log);
    assert_eq!(jobs["plan"].output("has-changes"), "false");
}

#[test]
fn a_job_that_is_repeated_ends_well_and_writes_nothing() {
    let Some(runner) = repository() else { return };
    let jobs = runner.run("apply.yml", &Event::push());
    let before = runner.env.tree();
    let again = runner.run_again("apply.yml", "apply", &Event::push(), &jobs).is("success");
    assert!(again.log.contains("already applied"), "{}", again.log);
    let written: Vec<String> =
        runner.env.written(&before).into_iter().filter(|path| !path.contains("acme-byob-state")).collect();
    assert_eq!(written, [""; 0]);
}

#[test]
fn a_stale_approval_is_the_commands_own_no() {
    let Some(runner) = applied() else { return };
    runner.env.edit("[bucket.storage]", "[bucket.storage]\nversioning = \"enabled\"");
    let jobs = runner.run("apply.yml", &Event::push());
    assert_eq!(jobs["apply"].result, "success");

    // A plan is approved, and then somebody changes the bucket.
    runner.env.edit("versioning = \"enabled\"", "versioning = \"suspended\"");
    let plan = runner.action(&Event::push(), &json!({ "command": "plan", "comment": "false" })).is("success");
    wait(async {
        let s3 = World::of(&runner.env).await.s3("us-east-1");
        s3.delete_bucket_cors().bucket("acme-wandb-storage").send().await.unwrap();
    });
    let before = runner.env.tree();
    let approve = json!({ "command": "apply", "approve": plan.output("digest") });
    let job = runner.action(&Event::push(), &approve).is("failure");
    assert_eq!(
        (job.code, job.output("exitcode").as_str(), job.output("digest").as_str()),
        (Some(2), "2", "")
    );
    assert!(job.log.contains("the plan is not the one that was approved"), "{}", job.log);
    assert!(
        commands(&job.log).iter().any(|line| line.contains("not the approved one any more")),
        "{}",
        job.log
    );
    let written: Vec<String> =
        runner.env.written(&before).into_iter().filter(|path| !path.contains("acme-byob-state")).collect();
    assert_eq!(written, [""; 0]);
}

#[test]
fn only_the_head_of_the_branch_is_applied() {
    let Some(runner) = repository() else { return };
    let plan = runner.action(&Event::push(), &json!({ "command": "plan", "comment": "false" })).is("success");
    let approve = json!({ "command": "apply", "approve": plan.output("digest") });
    let before = runner.env.tree();

    runner.github.state().heads.insert("main".to_owned(), NEWER.to_owned());
    let job = runner.action(&Event::push(), &approve).is("failure");
    assert!(job.log.contains(&format!("the branch has moved on to {NEWER}")), "{}", job.log);

    // A branch that is gone, or that has a hostile name.
    for branch in ["gone", "$(touch pwned)", "`touch pwned`", "a b", "x?per_page=1#", "../../issues"] {
        let job = runner.action(&Event::push().branch(branch), &approve).is("failure");
        assert!(job.log.contains("GitHub answered 404"), "{}", job.log);
    }
    let hostile = "feature/$(touch pwned) `x` ü";
    runner.github.state().heads.insert(hostile.to_owned(), NEWER.to_owned());
    let job = runner.action(&Event::push().branch(hostile), &approve).is("failure");
    assert!(job.log.contains("the branch has moved on"), "{}", job.log);

    // A pull request is no branch.
    let event = Event::pull_request(7, "topic", "title", COMMIT);
    let job = runner.action(&event, &approve).is("failure");
    assert!(job.log.contains("apply runs for a branch"), "{}", job.log);

    assert_eq!(runner.env.written(&before), [""; 0]);
    assert!(!runner.env.dir().join("pwned").exists());

    runner.github.state().heads.insert("main".to_owned(), COMMIT.to_owned());
    let job = runner.action(&Event::push(), &approve).is("success");
    assert_eq!(job.output("digest"), plan.output("digest"));
}

#[test]
fn what_is_no_digest_is_refused_before_anything_is_asked() {
    let Some(runner) = repository() else { return };
    let before = runner.env.tree();
    let digest = format!("sha256:{}", "0".repeat(64));
    let upper = digest.to_uppercase();
    let spoilt = [
        "",
        "yes",
        "sha256:",
        &upper,
        &format!("{digest} --auto-approve"),
        &format!("{digest}\n--auto-approve"),
        "$(touch pwned)",
    ];
    for approve in spoilt {
        let job =
            runner.action(&Event::push(), &json!({ "command": "apply", "approve": approve })).is("failure");
        assert!(job.log.contains("approve must be the digest"), "{}", job.log);
    }
    let job =
        runner.action(&Event::push(), &json!({ "command": "destroy", "approve": digest })).is("failure");
    assert!(job.log.contains("command is plan, apply or drift"), "{}", job.log);
    assert_eq!(runner.env.written(&before), [""; 0]);
    assert_eq!(runner.github.state().requests, [""; 0]);
    assert!(!runner.env.dir().join("pwned").exists());
}

/// A blocked plan gives no digest, and nobody is asked to approve it.
#[test]
fn a_plan_with_an_error_is_not_offered_for_approval() {
    let Some(runner) = applied() else { return };
    runner.env.edit("[bucket.storage]\nname = \"acme-wandb-storage\"\n", "");
    let jobs = runner.run("apply.yml", &Event::push());
    assert_eq!((jobs["plan"].result, jobs["apply"].result), ("failure", "skipped"), "{}", jobs["plan"].log);
    assert_eq!(jobs["plan"].output("digest"), "");
    assert!(jobs["plan"].summary.contains("BYOB006"), "{}", jobs["plan"].summary);
}

/// The runner tells only the step's own process. byob hears of it, and ends in its own time.
#[test]
fn a_cancelled_job_lets_byob_end_by_itself() {
    let Some(mut runner) = repository() else { return };
    let sign = runner.env.dir().join("it-runs");
    runner.env.write(
        "slow-byob",
        "#!/usr/bin/env bash\nasked=0\ntrap 'asked=$((asked + 1))' INT TERM\ntouch it-runs\n\
         for _ in {1..600}; do [ $asked = 0 ] || break; sleep 0.1; done\n\
         for _ in {1..20}; do sleep 0.1; done\n\
         echo \"finishing the running calls, asked $asked times\"; exit 1\n",
    );
    std::process::Command::new("chmod").arg("755").arg(runner.env.dir().join("slow-byob")).status().unwrap();
    runner.cancel = Some(sign);
    let approve = format!("sha256:{}", "0".repeat(64));
    // The first step, which only installs, must not be what is cancelled.
    let with = json!({ "command": "apply", "approve": approve, "byob-path": "slow-byob" });
    let job = runner.action(&Event::push(), &with).is("failure");
    // The second signal would mean "stop at once" to byob.
    assert!(job.log.contains("finishing the running calls, asked 1 times"), "{}", job.log);
    assert_eq!(job.output("exitcode"), "1");
}
