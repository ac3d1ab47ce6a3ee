//! What docs/ci has for GitLab, Kubernetes and systemd, run from those files.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use serde_json::Value;

use super::runner::{Runner, home, yaml};
use super::{applied, repository};
use crate::common::byob_binary;
use crate::sandbox::world::{World, wait};

/// A shell in which `byob` is on PATH, and a git that knows the head of the branch.
fn shell(runner: &Runner, script: &str, variables: &[(&str, &str)]) -> Output {
    let bin = runner.env.home().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let _ = std::os::unix::fs::symlink(byob_binary(), bin.join("byob"));
    let mut command = Command::new("bash");
    command.args(["-e", "-o", "pipefail", "-c", script]).current_dir(runner.env.dir()).env_clear();
    command.env("PATH", format!("{}:/usr/bin:/bin", bin.display())).env("HOME", runner.env.home());
    command.envs(runner.aws()).envs(variables.iter().copied());
    command.output().unwrap()
}

#[track_caller]
fn ends(output: &Output, code: i32) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(output.status.code(), Some(code), "{}\n{}", text(&output.stdout), text(&output.stderr));
}

fn tamper(runner: &Runner) {
    wait(async {
        let s3 = World::of(&runner.env).await.s3("us-east-1");
        s3.delete_bucket_cors().bucket("acme-wandb-storage").send().await.unwrap();
    });
}

/// The lines of a job of the GitLab file.
fn gitlab(job: &str) -> String {
    let file = yaml("docs/ci/gitlab-ci.yml");
    let lines = |of: &Value| -> Vec<String> { serde_json::from_value(of.clone()).unwrap() };
    let before = lines(&file[".byob"]["before_script"]);
    before.into_iter().chain(lines(&file[job]["script"])).collect::<Vec<String>>().join("\n")
}

#[test]
fn gitlab_plans_applies_that_digest_and_watches() {
    let Some(runner) = repository() else { return };
    let temporary = runner.env.home().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let common = [("BYOB_ID_TOKEN", "a.b.c"), ("TMPDIR", temporary.to_str().unwrap())];
    ends(&shell(&runner, &gitlab("plan"), &common), 0);
    let tokens: Vec<_> = std::fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(tokens.len(), 1, "{tokens:?}");
    assert_eq!(std::fs::read_to_string(&tokens[0]).unwrap(), "a.b.c");
    assert_eq!(tokens[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let counts: Value = serde_json::from_str(&runner.env.read("counts.json")).unwrap();
    let plan: Value = serde_json::from_str(&runner.env.read("plan.json")).unwrap();
    assert!(counts["create"].as_u64().unwrap() > 0);
    assert_eq!(counts["create"], plan["summary"]["create"]);
    assert_eq!(runner.env.read("digest.txt").trim_end(), plan["digest"]);
    let file = yaml("docs/ci/gitlab-ci.yml");
    assert_eq!(file["plan"]["artifacts"]["paths"], serde_json::json!(["digest.txt"]));
    assert_eq!(file["apply"]["needs"], serde_json::json!(["plan"]));

    // A git that answers as `ls-remote` does: the branch is where this pipeline's commit is, or has moved on.
    let git = runner.env.home().join("bin/git");
    let answer = |head: &str| {
        std::fs::write(&git, format!("#!/bin/sh\n[ \"$*\" = 'ls-remote origin refs/heads/main' ] || exit 9\nprintf '{head}\\trefs/heads/main\\n'\n")).unwrap();
        Command::new("chmod").arg("755").arg(&git).status().unwrap();
    };
    let apply: Vec<(&str, &str)> = common
        .into_iter()
        .chain([("CI_COMMIT_BRANCH", "main"), ("CI_COMMIT_SHA", "abc"), ("BYOB_DIGEST", "sha256:another")])
        .collect();
    answer("def");
    ends(&shell(&runner, &gitlab("apply"), &apply), 1);
    assert_eq!(runner.env.names("buckets").len(), 1, "only the record's bucket");
    answer("abc");
    ends(&shell(&runner, &gitlab("apply"), &apply), 0);
    ends(&shell(&runner, &gitlab("apply"), &apply), 0);

    ends(&shell(&runner, &gitlab("drift"), &common), 0);
    tamper(&runner);
    ends(&shell(&runner, &gitlab("drift"), &common), 2);
    let junit = runner.env.read("drift.xml");
    assert!(junit.contains("<failure") && junit.contains("bucket.storage.cors"), "{junit}");

    // An error in the file is no plan to approve.
    runner.env.edit("[bucket.storage]", "[bucket.storage]\nnome = \"x\"");
    ends(&shell(&runner, &gitlab("plan"), &common), 1);
    assert!(!runner.env.dir().join("digest.txt").exists());
}

/// Whatever ends byob, an older plan that lies there (committed by somebody, say) is not taken for its own.
#[test]
fn a_plan_that_byob_did_not_make_is_not_handed_on() {
    let Some(runner) = repository() else { return };
    let bin = runner.env.home().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    for code in [101, 127, 137] {
        for file in ["plan.json", "digest.txt", "counts.json"] {
            runner.env.write(file, "{\"digest\": \"sha256:forged\", \"summary\": {}}");
        }
        std::fs::write(bin.join("byob"), format!("#!/bin/sh\nexit {code}\n")).unwrap();
        Command::new("chmod").arg("755").arg(bin.join("byob")).status().unwrap();
        ends(&shell(&runner, &gitlab("plan"), &[("BYOB_ID_TOKEN", "a.b.c")]), 1);
        assert!(!runner.env.dir().join("digest.txt").exists(), "{code}");
    }
}

/// The command of the container: drift is 2, which fails the job without another try.
#[test]
fn the_cron_job_ends_with_2_on_drift() {
    let Some(runner) = applied() else { return };
    let job = yaml("docs/ci/cronjob.yaml");
    let spec = &job["spec"]["jobTemplate"]["spec"];
    assert_eq!(spec["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"], serde_json::json!([2]));
    let command: Vec<String> =
        serde_json::from_value(spec["template"]["spec"]["containers"][0]["command"].clone()).unwrap();
    watches(&runner, &command.join(" "));
}

#[test]
fn the_timers_service_fails_on_drift() {
    let Some(runner) = applied() else { return };
    let service = std::fs::read_to_string(home().join("docs/ci/systemd/byob-drift.service")).unwrap();
    let start = service.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/")).unwrap();
    watches(&runner, start);
}

/// Green while nothing drifts, then 2. Their files are elsewhere on those machines.
fn watches(runner: &Runner, command: &str) {
    assert!(command.contains("/etc/byob/byob.toml"), "{command}");
    let config = runner.env.dir().join("byob.toml");
    let command = command.replace("/etc/byob/byob.toml", config.to_str().unwrap());
    ends(&shell(runner, &command, &[]), 0);
    tamper(runner);
    ends(&shell(runner, &command, &[]), 2);
}
