//! What others say of the shipped files: actionlint, zizmor and shellcheck, from the venv that tests/run makes. Without it
//! the tests say that they are left out, and where CI is set that fails instead. And what docs/ci.md says of roles.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use serde_json::Value;

use super::runner::{home, yaml};
use crate::common::TestEnvironment;

const WORKFLOWS: [&str; 4] = [
    ".github/workflows/release.yml",
    "docs/ci/github/apply.yml",
    "docs/ci/github/drift.yml",
    "docs/ci/github/plan.yml",
];

/// The folder with the linters.
fn linters() -> Option<PathBuf> {
    static SAID: Once = Once::new();
    let python = std::env::var_os("BYOB_TEST_PYTHON").filter(|value| !value.is_empty());
    let folder = python.and_then(|python| Path::new(&python).parent().map(Path::to_owned));
    let whole = |folder: &PathBuf| {
        ["actionlint", "zizmor", "shellcheck"].iter().all(|tool| folder.join(tool).exists())
    };
    let found = folder.filter(whole);
    if found.is_none() {
        let why = "the linters of the pipelines need BYOB_TEST_PYTHON, in the venv that tests/run makes";
        assert!(std::env::var_os("CI").is_none(), "{why}, and CI is set");
        SAID.call_once(|| {
            let _ = writeln!(std::io::stderr(), "LEFT OUT: {why}");
        });
    }
    found
}

#[track_caller]
fn passes(command: &mut Command) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}{}", text(&output.stdout), text(&output.stderr));
}

/// In a repository where the action stands beside the workflows, so that inputs and outputs are checked against it.
#[test]
fn actionlint_passes() {
    let Some(tools) = linters() else { return };
    let env = TestEnvironment::bare();
    std::fs::create_dir(env.dir().join(".git")).unwrap();
    env.write("action.yml", &std::fs::read_to_string(home().join("action.yml")).unwrap());
    let lint = |env: &TestEnvironment| {
        let mut command = Command::new(tools.join("actionlint"));
        command.arg("-no-color").arg("-shellcheck").arg(tools.join("shellcheck")).current_dir(env.dir());
        command
    };
    for workflow in WORKFLOWS {
        let text = std::fs::read_to_string(home().join(workflow)).unwrap();
        let text = text.replace(&format!("OWNER/byob@{}", "0".repeat(40)), "./");
        env.write(Path::new(".github/workflows").join(Path::new(workflow).file_name().unwrap()), &text);
    }
    passes(&mut lint(&env));
    // It does look at the action: an input that is not there is seen.
    let text = env.read(".github/workflows/plan.yml");
    env.write(".github/workflows/plan.yml", &text.replace("command: plan", "comand: plan"));
    assert!(!lint(&env).output().unwrap().status.success());
}

#[test]
fn zizmor_passes() {
    let Some(tools) = linters() else { return };
    let mut command = Command::new(tools.join("zizmor"));
    command.args(["--quiet", "--offline", "--persona=pedantic", "--no-config", "--strict-collection"]);
    passes(command.args(WORKFLOWS).arg("action.yml").current_dir(home()));
}

#[test]
fn shellcheck_passes() {
    let Some(tools) = linters() else { return };
    let scripts = ["action/apply.sh", "action/drift.sh", "action/install.sh", "action/plan.sh"];
    let mut command = Command::new(tools.join("shellcheck"));
    passes(
        command
            .arg("--external-sources")
            .args(scripts)
            .args([".ci/pack", ".ci/run", "tests/run"])
            .current_dir(home()),
    );
}

/// Every action of others is named by a full commit SHA, with its version beside it; no script holds an expression.
#[test]
fn nothing_that_can_be_moved_is_used() {
    for workflow in WORKFLOWS {
        let text = std::fs::read_to_string(home().join(workflow)).unwrap();
        for line in
            text.lines().filter(|line| line.trim_start().trim_start_matches("- ").starts_with("uses:"))
        {
            let (sha, version) = line.split_once('@').and_then(|(_, rest)| rest.split_once(" # v")).unwrap();
            assert!(sha.len() == 40 && sha.chars().all(|c| c.is_ascii_hexdigit()), "{line}");
            assert!(version.split('.').count() == 3, "{line}");
        }
        let file = yaml(workflow);
        assert_eq!(file["permissions"], serde_json::json!({}), "{workflow}");
        for job in file["jobs"].as_object().unwrap().values() {
            for step in job["steps"].as_array().unwrap() {
                assert!(!step["run"].as_str().unwrap_or_default().contains("${{"), "{workflow}: {step}");
            }
        }
    }
}

/// The trust policies of docs/ci.md: exact subjects, an exact audience, the number of the repository.
#[test]
fn the_roles_trust_exactly() {
    let page = std::fs::read_to_string(home().join("docs/ci.md")).unwrap();
    let blocks: Vec<Value> = page
        .split("```json\n")
        .skip(1)
        .map(|rest| serde_json::from_str(rest.split_once("```").unwrap().0).unwrap())
        .collect();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        let statements = block["Statement"].as_array().unwrap();
        assert_eq!(statements.len(), 1);
        let conditions = statements[0]["Condition"].as_object().unwrap();
        assert_eq!(conditions.keys().collect::<Vec<_>>(), ["StringEquals"]);
        let claim = |name: &str| {
            conditions["StringEquals"][format!("token.actions.githubusercontent.com:{name}")].clone()
        };
        assert_eq!(claim("aud"), "sts.amazonaws.com");
        assert_eq!(claim("repository_id"), "456789");
        let subjects: Vec<String> = match claim("sub") {
            Value::String(one) => vec![one],
            many => serde_json::from_value(many).unwrap(),
        };
        assert!(
            subjects.iter().all(|subject| subject.starts_with("repo:acme") && !subject.contains(['*', '?']))
        );
        // Whoever trusts pull requests trusts no workflow that may write.
        let pull_requests = subjects.iter().any(|subject| subject.ends_with(":pull_request"));
        assert!(pull_requests || claim("job_workflow_ref").as_str().unwrap().ends_with("@refs/heads/main"));
    }
}
