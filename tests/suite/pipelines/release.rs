//! The release: what the steps of its workflow build, sum up and publish, with stand-ins for the compiler and for `gh`.

use std::path::Path;
use std::process::{Command, Output};

use super::runner::{home, yaml};
use super::tools;
use crate::common::{TestEnvironment, byob_binary};

const TAG: &str = concat!("v", env!("CARGO_PKG_VERSION"));
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Runs a step of a job by its name, as the runner does, with these programs before all others.
fn step(env: &TestEnvironment, job: &str, name: &str, tag: &str) -> Output {
    let file = yaml(".github/workflows/release.yml");
    let steps = file["jobs"][job]["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["name"] == name).unwrap();
    let script = env.home().join("step.sh");
    std::fs::write(&script, step["run"].as_str().unwrap()).unwrap();
    let mut command = Command::new("bash");
    command
        .args(["--noprofile", "--norc", "-e", "-o", "pipefail"])
        .arg(&script)
        .current_dir(env.dir())
        .env_clear();
    command.env("PATH", format!("{}:/usr/bin:/bin", env.dir().join("bin").display()));
    command.env("TAG", tag).env("TARGET", TARGET).env("GITHUB_STEP_SUMMARY", env.dir().join("summary.md"));
    command.env("BYOB", byob_binary()).output().unwrap()
}

fn program(env: &TestEnvironment, name: &str, text: &str) {
    let path = Path::new("bin").join(name);
    env.write(&path, text);
    Command::new("chmod").arg("755").arg(env.dir().join(path)).status().unwrap();
}

#[test]
fn a_tag_becomes_archives_sums_and_an_immutable_release() {
    if !tools() {
        return;
    }
    let env = TestEnvironment::bare();
    for file in [".ci/pack", "LICENSE", "README.md"] {
        env.write(file, "");
        std::fs::copy(home().join(file), env.dir().join(file)).unwrap();
    }
    program(&env, "rustup", "#!/bin/sh\n[ \"$*\" = 'toolchain install 1.2.3 --profile minimal' ]\n");
    program(
        &env,
        "cargo",
        "#!/bin/sh\ncase \"$*\" in\n\
         'metadata --locked --no-deps --format-version 1') echo '{\"packages\": [{\"name\": \"byob\", \"rust_version\": \"1.2.3\"}]}' ;;\n\
         '+1.2.3 build --locked --release --package byob') mkdir -p target/release && cp \"$BYOB\" target/release/byob ;;\n\
         *) exit 9 ;;\nesac\n",
    );
    program(&env, "gh", "#!/bin/sh\necho \"$*\" >>gh.log\n");

    let wrong = step(&env, "build", "Build", "v9.9.9");
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("the tag is v9.9.9"), "{wrong:?}");
    assert!(!wrong.status.success() && !env.dir().join("assets").exists());
    let built = step(&env, "build", "Build", TAG);
    assert!(built.status.success(), "{built:?}");

    assert!(step(&env, "publish", "Sum up", TAG).status.success());
    let archive = format!("byob-{TAG}-{TARGET}.tar.gz");
    let sums = env.read("assets/SHA256SUMS");
    let (sum, name) = sums.trim_end().split_once("  ").unwrap();
    assert_eq!((sum.len(), name), (64, archive.as_str()));
    assert!(env.read("summary.md").contains(sums.trim_end()));

    assert!(step(&env, "publish", "Publish", TAG).status.success());
    assert!(step(&env, "publish", "Verify that it is immutable", TAG).status.success());
    let asked: Vec<String> = env.read("gh.log").lines().map(str::to_owned).collect();
    assert_eq!(asked.len(), 3);
    assert!(asked[0].starts_with(&format!("release create {TAG} --draft --verify-tag ")), "{}", asked[0]);
    assert!(asked[0].ends_with(&format!("assets/SHA256SUMS assets/{archive}")), "{}", asked[0]);
    assert_eq!(asked[1..], [format!("release edit {TAG} --draft=false"), format!("release verify {TAG}")]);
}
