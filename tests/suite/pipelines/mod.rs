//! The shipped pipelines, run from their own files: the action, the workflows, and what docs/ci.md has for other places.
//! AWS is the served sandbox, GitHub a stand-in on loopback. Everything here needs bash, curl and jq; without them the
//! tests say that they are left out, and where CI is set that fails instead.

mod apply;
mod drift;
mod elsewhere;
mod expression;
mod github;
mod install;
mod lint;
mod plan;
mod release;
mod runner;

use std::io::Write as _;
use std::path::Path;
use std::sync::Once;

use self::runner::Runner;

/// A bucket, and the record in S3.
const CONFIG: &str = r#"version = 1

[aws]
region = "us-east-1"
account_id = "123456789012"

[wandb]
deployment = "dedicated-cloud"

[state.s3]
bucket = "acme-byob-state"
key = "wandb/byob.state.json"
region = "us-east-1"

[bucket.storage]
name = "acme-wandb-storage"
"#;

/// Whether the tools that the scripts need are here.
fn tools() -> bool {
    static SAID: Once = Once::new();
    let there = |tool: &&str| ["/usr/bin", "/bin"].iter().any(|folder| Path::new(folder).join(tool).exists());
    let missing: Vec<&str> =
        ["bash", "curl", "jq", "tar", "sha256sum"].into_iter().filter(|tool| !there(tool)).collect();
    if missing.is_empty() {
        return true;
    }
    let why = format!("the pipelines need {} in /usr/bin", missing.join(", "));
    assert!(std::env::var_os("CI").is_none(), "{why}, and CI is set");
    SAID.call_once(|| {
        // Past the test runner's capture, which shows nothing of tests that pass.
        let _ = writeln!(std::io::stderr(), "LEFT OUT: {why}");
    });
    false
}

/// A repository whose record has its bucket; nothing is applied yet.
fn repository() -> Option<Runner> {
    repository_of(CONFIG)
}

fn repository_of(config: &str) -> Option<Runner> {
    if !tools() {
        return None;
    }
    let runner = Runner::new(config);
    runner.byob("state init", 0);
    Some(runner)
}

/// The same, with everything applied.
fn applied() -> Option<Runner> {
    let runner = repository()?;
    runner.byob("apply --auto-approve", 0);
    Some(runner)
}
