//! What `plan`, `apply` and `drift` say to other readers than people at a terminal: comments, code scanning, test reports,
//! and the pages of GitHub Actions.

use serde_json::{Value, json};

use crate::common::{Output, TestEnvironment};

use super::ONE_BUCKET;
use super::world::{World, wait};

/// The configuration has a warning and notes; its bucket is applied, and somebody has opened it since.
fn drifted() -> TestEnvironment {
    let env = TestEnvironment::applied(&format!("{ONE_BUCKET}protect = false\n"));
    let s3 = wait(World::of(&env)).s3("us-east-1");
    wait(s3.delete_public_access_block().bucket("acme-wandb-storage").send()).unwrap();
    env
}

/// Nothing but the sandbox's own line on stderr.
#[track_caller]
fn quiet(output: Output) -> Output {
    let talk: Vec<&str> = output.stderr.lines().filter(|line| !line.starts_with("SANDBOX: an ")).collect();
    assert_eq!(talk, [""; 0], "{output}");
    output
}

#[test]
fn a_plan_is_a_comment() {
    let env = TestEnvironment::new(&ONE_BUCKET.replace("version = 1\n", "version = 1\nstack = \"team-a\"\n"));
    let output = quiet(env.sandbox("plan --format markdown --detailed-exitcode").exits(2));
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines[0], "<!-- byob:plan:team-a -->");
    assert_eq!(lines[1], "### byob: 7 to create · **access grows** · stack `team-a` · account 123456789012");
    let approve = lines.iter().find(|line| line.starts_with("byob apply --approve sha256:")).unwrap();
    env.byob(approve.strip_prefix("byob ").unwrap()).exits(0);
    let output = quiet(env.sandbox("plan --format markdown").exits(0));
    assert!(output.stdout.starts_with("<!-- byob:plan:team-a -->\n### byob: no changes · "), "{output}");
}

fn place(result: &Value) -> (&Value, &Value, &Value, &Value) {
    let place = &result["locations"][0]["physicalLocation"];
    (&result["ruleId"], &result["level"], &place["artifactLocation"]["uri"], &place["region"]["startLine"])
}

#[test]
fn findings_are_a_sarif_log_at_the_lines_of_the_configuration() {
    let env = TestEnvironment::new(&format!("{ONE_BUCKET}protect = false\n"));
    let log = quiet(env.sandbox("plan --format sarif").exits(0)).json();
    let results = log["runs"][0]["results"].as_array().unwrap();
    let warning = (&json!("BYOB034"), &json!("warning"), &json!("byob.toml"), &json!(10));
    assert_eq!(place(&results[0]), warning, "{log:#}");
}

#[test]
fn drift_is_a_comment_a_sarif_log_and_a_test_report() {
    let env = drifted();
    let markdown = quiet(env.sandbox("drift --format markdown").exits(2)).stdout;
    let head = "<!-- byob:drift:default -->\n### byob drift: 1 of 8 recorded addresses drifted · **1 may expose something**";
    assert!(markdown.starts_with(head), "{markdown}");
    assert!(markdown.contains("\n| exposure | `bucket.storage.public_access_block` | "), "{markdown}");

    let log = quiet(env.sandbox("drift --format sarif").exits(2)).json();
    let exposed = (&json!("drift-exposure"), &json!("error"), &json!("byob.toml"), &json!(10));
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert_eq!((results.len(), place(&results[0])), (1, exposed), "{log:#}");

    let junit = quiet(env.sandbox("drift --format junit").exits(2)).stdout;
    assert!(
        junit.contains(r#"<testsuite name="byob drift" tests="8" skipped="0" errors="0" failures="1">"#),
        "{junit}"
    );

    env.sandbox("apply --auto-approve").exits(0);
    assert!(
        quiet(env.sandbox("drift --format markdown").exits(0)).stdout.contains("### byob drift: no drift · ")
    );
    assert_eq!(quiet(env.sandbox("drift --format sarif").exits(0)).json()["runs"][0]["results"], json!([]));
    assert!(quiet(env.sandbox("drift --format junit").exits(0)).stdout.contains(r#"failures="0""#));
}

#[test]
fn notes_that_have_no_place_in_a_format_are_told_on_stderr() {
    let own = r#"extra_statements = [{ Sid = "NoChange", Effect = "Deny", Principal = "*", Action = "s3:PutBucketPolicy", Resource = "arn:aws:s3:::acme-wandb-storage" }]
"#;
    let env = TestEnvironment::new(&format!("{ONE_BUCKET}{own}"));
    for format in ["json", "sarif"] {
        let output = env.sandbox(&format!("plan --format {format}"));
        assert!(output.stderr.contains("note: bucket.storage.policy: "), "{output}");
    }
}

/// A job of GitHub Actions that works in a subfolder of what it checked out.
fn job(env: TestEnvironment) -> TestEnvironment {
    let root = env.dir().parent().unwrap().display().to_string();
    let summary = env.dir().join("summary.md").display().to_string();
    let env = env.with("GITHUB_ACTIONS", "true").with("GITHUB_STEP_SUMMARY", &summary);
    env.with("GITHUB_WORKSPACE", &root)
}

fn annotations(output: &Output) -> Vec<&str> {
    output.stderr.lines().filter(|line| line.starts_with("::")).collect()
}

#[test]
fn in_github_actions_plan_apply_and_drift_write_the_summary_and_annotations() {
    let env = job(TestEnvironment::new(&format!("{ONE_BUCKET}protect = false\n")));
    env.write("summary.md", "of an earlier step\n");
    let plan = env.sandbox("plan").exits(0);
    let said = annotations(&plan);
    assert!(
        said[0].starts_with("::warning file=work/byob.toml,line=10,title=BYOB034 bucket.storage::"),
        "{plan}"
    );
    assert!(said.iter().any(|line| line.starts_with("::notice ")), "{plan}");
    assert!(plan.stdout.starts_with("SANDBOX: this is not AWS\n"), "{plan}");

    env.sandbox("apply --auto-approve").exits(0);
    let s3 = wait(World::of(&env)).s3("us-east-1");
    wait(s3.delete_public_access_block().bucket("acme-wandb-storage").send()).unwrap();
    let drift = env.sandbox("drift").exits(2);
    let said = annotations(&drift);
    assert_eq!(said.len(), 1, "{drift}");
    assert!(
        said[0].starts_with(
            "::error file=work/byob.toml,line=10,title=drift (exposure) bucket.storage.public_access_block::"
        ),
        "{drift}"
    );

    let summary = env.read("summary.md");
    let heads: Vec<&str> = summary
        .lines()
        .filter(|line| line.starts_with("### "))
        .map(|line| line.split(" · ").next().unwrap())
        .collect();
    assert_eq!(
        heads,
        [
            "### byob: 7 to create",
            "### byob: 7 to create",
            "### byob apply: applied",
            "### byob drift: 1 of 8 recorded addresses drifted",
        ]
    );
    assert!(summary.starts_with("of an earlier step\n<!-- byob:plan:default -->\n"), "{summary}");
}

#[test]
fn a_step_that_fails_is_annotated_and_a_summary_that_cannot_be_written_is_told() {
    let typo = "extra_statements = [{ Sid = \"Typo\", Effect = \"Deny\", Principal = { AWS = \
                \"arn:aws:iam::111122223333:root\" }, Action = \"s3:GetObjct\", Resource = \
                \"arn:aws:s3:::acme-wandb-storage/*\" }]\n";
    let env = job(TestEnvironment::new(&format!("{ONE_BUCKET}{typo}")));
    let env = env.with("GITHUB_STEP_SUMMARY", "/nowhere/summary.md");
    let output = env.sandbox("apply --auto-approve").exits(1);
    let failed = annotations(&output).into_iter().find(|line| line.contains("title=byob apply"));
    let failed = failed.unwrap_or_else(|| panic!("{output}"));
    let place = "::error file=work/byob.toml,line=12,title=byob apply bucket.storage.policy::AWS refused ";
    assert!(failed.starts_with(place), "{output}");
    assert!(output.stderr.contains("note: the job's summary could not be written: "), "{output}");
}

#[test]
fn outside_of_github_actions_nothing_of_it_happens() {
    let env = job(TestEnvironment::new(ONE_BUCKET)).with("GITHUB_ACTIONS", "false");
    let output = env.sandbox("plan").exits(0);
    assert_eq!(annotations(&output), [""; 0]);
    assert!(!env.dir().join("summary.md").exists());
}

/// Why there is no plan stands beside the change too, at its line where it has one.
#[test]
fn in_github_actions_an_error_is_an_annotation() {
    let env = job(TestEnvironment::new(&ONE_BUCKET.replace("name =", "nome =")));
    let output = env.sandbox("plan").exits(1);
    let said = annotations(&output);
    let wanted =
        "::error file=work/byob.toml,line=11,title=byob::unknown field `nome`%0Adid you mean `name`?%0A";
    assert!(said[1].starts_with(wanted), "{output}");
    env.write("byob.toml", ONE_BUCKET);
    let output = env.sandbox("drift").exits(1);
    let said = annotations(&output);
    assert_eq!(said.len(), 1, "{output}");
    assert!(said[0].starts_with("::error title=byob::there is no record at "), "{output}");
    let stale = format!("apply --approve sha256:{}", "0".repeat(64));
    let output = env.sandbox(&stale).exits(2);
    assert!(
        annotations(&output).iter().any(|line| line.contains("not the one that was approved")),
        "{output}"
    );
}
