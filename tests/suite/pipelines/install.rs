//! How the action gets byob: a release is unpacked and run only if its SHA-256 is the known one.

use std::process::Command;

use serde_json::{Value, json};

use super::runner::{Event, Job, Runner, commands, home};
use super::tools;
use crate::common::{TestEnvironment, byob_binary};
use crate::sandbox::ONE_BUCKET;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn archive(version: &str) -> String {
    format!("byob-v{version}-{}-unknown-linux-gnu.tar.gz", std::env::consts::ARCH)
}

/// A program that says which version it is, and leaves a trace when it is run.
fn release(env: &TestEnvironment) -> Vec<u8> {
    let trace = env.home().join("it-was-run");
    let text = format!(
        "#!/bin/sh\necho byob {VERSION}\n[ \"$1\" = --version ] || {{ touch {}; exit 1; }}\n",
        trace.display()
    );
    env.write("program", &text);
    Command::new("chmod").arg("755").arg(env.dir().join("program")).status().unwrap();
    pack(env, &env.dir().join("program"), &format!("v{VERSION}"))
}

/// Packs it as the release workflow does.
fn pack(env: &TestEnvironment, binary: &std::path::Path, tag: &str) -> Vec<u8> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let status = Command::new(home().join(".ci/pack"))
        .args([tag, &target])
        .arg(binary)
        .arg(env.dir().join("assets"))
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::read(env.dir().join("assets").join(archive(&tag[1..]))).unwrap()
}

fn sha256(runner: &Runner, bytes: &[u8]) -> String {
    let path = runner.env.dir().join("summed");
    std::fs::write(&path, bytes).unwrap();
    let output = Command::new("sha256sum").arg(&path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

/// Serves a release and asks for it.
fn install(runner: &Runner, served: &[u8], with: &Value) -> Job {
    let path = format!("/releases/v{VERSION}/{}", archive(VERSION));
    runner.github.state().files.insert(path, served.to_vec());
    let mut given =
        json!({ "command": "drift", "byob-path": "", "releases": format!("{}/releases", runner.github.url) });
    for (name, value) in with.as_object().unwrap() {
        given[name] = value.clone();
    }
    runner.action(&Event::schedule(), &given)
}

fn was_run(runner: &Runner) -> bool {
    runner.env.home().join("it-was-run").exists()
}

#[test]
fn a_release_with_the_known_sum_is_run() {
    if !tools() {
        return;
    }
    let runner = Runner::new(ONE_BUCKET);
    let release = release(&runner.env);
    let sum = sha256(&runner, &release);
    install(&runner, &release, &json!({ "version": format!("v{VERSION}"), "sha256": sum })).is("failure");
    assert!(was_run(&runner));
}

#[test]
fn a_release_that_was_replaced_is_neither_unpacked_nor_run() {
    if !tools() {
        return;
    }
    let runner = Runner::new(ONE_BUCKET);
    let release = release(&runner.env);
    let job =
        install(&runner, &release, &json!({ "version": VERSION, "sha256": "0".repeat(64) })).is("failure");
    assert!(job.log.contains("is not what was released"), "{}", job.log);
    assert!(!was_run(&runner), "{}", job.log);
    assert_eq!(commands(&job.log).len(), 1, "{}", job.log);
}

#[test]
fn a_release_that_this_commit_does_not_know_is_not_downloaded() {
    if !tools() {
        return;
    }
    let runner = Runner::new(ONE_BUCKET);
    let release = release(&runner.env);
    let job = install(&runner, &release, &json!({ "version": "999.0.0" })).is("failure");
    assert!(job.log.contains("does not know byob-v999.0.0-"), "{}", job.log);
    for version in ["1.0", "../../x", "1.0.0/../../x", "$(touch pwned)", "1.0.0\n2.0.0"] {
        let job = install(&runner, &release, &json!({ "version": version })).is("failure");
        assert!(job.log.contains("version is three numbers"), "{}", job.log);
    }
    for sum in ["x", "", "$(touch pwned)"] {
        let job = install(&runner, &release, &json!({ "version": VERSION, "sha256": sum })).is("failure");
        let why = if sum.is_empty() { "does not know" } else { "sha256 is 64 hex digits" };
        assert!(job.log.contains(why), "{}", job.log);
    }
    assert!(!was_run(&runner));
    assert!(!runner.env.dir().join("pwned").exists());
}

/// Until the first release is known, the default says so and does nothing.
#[test]
fn the_default_is_the_last_release_that_is_known() {
    if !tools() {
        return;
    }
    let runner = Runner::new(ONE_BUCKET);
    let release = release(&runner.env);
    let sums = std::fs::read_to_string(home().join("action/checksums.txt")).unwrap();
    let mine = format!("-{}-unknown-linux-gnu.tar.gz", std::env::consts::ARCH);
    let known = sums.lines().rfind(|line| line.ends_with(&mine));
    let job = install(&runner, &release, &json!({})).is("failure");
    match known {
        None => assert!(job.log.contains("this commit of the action knows no release"), "{}", job.log),
        Some(line) => {
            let name = line.split_once("  ").unwrap().1;
            assert!(job.log.contains(name), "{}", job.log);
        }
    }
    assert!(!was_run(&runner));
}

#[test]
fn a_binary_that_is_there_already_is_used_as_it_is() {
    if !tools() {
        return;
    }
    let runner = Runner::new(ONE_BUCKET);
    // Without a record it ends with 1; that it was this binary, its own words show.
    let job =
        runner.action(&Event::schedule(), &json!({ "command": "drift", "issue": "false" })).is("failure");
    assert!(job.log.contains("there is no record at"), "{}", job.log);
    let job = runner
        .action(&Event::schedule(), &json!({ "command": "drift", "byob-path": "not-there" }))
        .is("failure");
    assert!(job.log.contains("byob-path names no file"), "{}", job.log);
}

/// The archive of the release holds the real binary; a tag that is not its version packs nothing.
#[test]
fn what_the_release_packs_is_what_the_action_unpacks() {
    if !tools() {
        return;
    }
    let runner = Runner::new(ONE_BUCKET);
    let release = pack(&runner.env, byob_binary(), &format!("v{VERSION}"));
    assert!(
        release == pack(&runner.env, byob_binary(), &format!("v{VERSION}")),
        "the same binary, another archive"
    );
    let sum = sha256(&runner, &release);
    let job = install(&runner, &release, &json!({ "version": VERSION, "sha256": sum })).is("failure");
    assert!(job.log.contains("there is no record at"), "{}", job.log);

    let status = Command::new(home().join(".ci/pack"))
        .args(["v9.9.9", "x"])
        .arg(byob_binary())
        .arg(runner.env.dir().join("wrong"))
        .output()
        .unwrap();
    assert!(!status.status.success());
    assert!(!runner.env.dir().join("wrong").exists());
}
