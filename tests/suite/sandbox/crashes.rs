//! A crash after every single write, and a lost answer of every single operation: a readable record, no orphan, and a
//! next run that converges.

use crate::common::{EXAMPLE, TestEnvironment};

use super::faults::{example_stands_once, unprotected};

/// The number of writes in a run that does not crash: found by asking for ever later crashes.
fn sweep(mut run: impl FnMut(u32) -> bool) -> u32 {
    for crash in 1..100 {
        if !run(crash) {
            return crash - 1;
        }
    }
    panic!("it never ends");
}

#[test]
fn an_apply_that_crashes_after_any_write_is_taken_up_by_the_next() {
    let writes = sweep(|crash| {
        let env = TestEnvironment::new(EXAMPLE);
        let output = env.sandbox_with(&format!("crash-after={crash}"), "apply --auto-approve");
        if output.code == Some(0) {
            return false;
        }
        output.exits(137);
        // A plan beside the ruins reads, reports and writes nothing.
        let (before, record) = (env.tree(), env.record());
        let plan = env.sandbox("plan").exits(0);
        assert!(
            plan.stdout.contains("the last run did not end by itself")
                || record["approval"]["finished"] == false,
            "{plan}"
        );
        assert_eq!(env.written(&before), [""; 0]);
        assert_eq!(env.record(), record);
        env.sandbox("apply --auto-approve").exits(0);
        example_stands_once(&env);
        true
    });
    assert!(writes >= 18, "only {writes} writes");
}

#[test]
fn an_approved_apply_that_crashes_is_resumed_under_the_same_approval() {
    sweep(|crash| {
        let env = TestEnvironment::new(EXAMPLE);
        let digest = env.sandbox("plan --format json").json()["digest"].as_str().unwrap().to_owned();
        let apply = format!("apply --approve {digest}");
        let output = env.sandbox_with(&format!("crash-after={crash}"), &apply);
        if output.code == Some(0) {
            return false;
        }
        output.exits(137);
        let resumed = env.sandbox(&apply).exits(0);
        assert!(resumed.stderr.contains("✓ going on with the approved plan"), "{resumed}");
        example_stands_once(&env);
        let again = env.sandbox(&apply).exits(0);
        assert!(again.stderr.contains("✓ already applied; nothing is left to do"), "{again}");
        true
    });
}

#[test]
fn an_apply_may_crash_again_and_again() {
    let env = TestEnvironment::new(EXAMPLE);
    let mut runs = 0;
    while env.sandbox_with("crash-after=1", "apply --auto-approve").code != Some(0) {
        runs += 1;
        assert!(runs < 60, "it never ends");
    }
    example_stands_once(&env);
}

#[test]
fn a_destroy_that_crashes_after_any_write_is_taken_up_by_the_next() {
    let writes = sweep(|crash| {
        let env = TestEnvironment::applied(&unprotected(EXAMPLE));
        let output = env.sandbox_with(&format!("crash-after={crash}"), "destroy --auto-approve");
        if output.code == Some(0) {
            return false;
        }
        output.exits(137);
        env.sandbox("plan --destroy").exits(0);
        env.sandbox("destroy --auto-approve").exits(0);
        assert_eq!(env.names("buckets"), [""; 0]);
        assert_eq!(env.names("aliases"), [""; 0]);
        assert_eq!(env.record()["resources"], serde_json::json!({}));
        env.sandbox("plan --destroy --detailed-exitcode").exits(0);
        true
    });
    // Two buckets, an alias, a key: nothing is stripped before it dies.
    assert_eq!(writes, 4);
}

#[test]
fn an_update_that_crashes_after_any_write_is_taken_up_by_the_next() {
    let writes = sweep(|crash| {
        let env = TestEnvironment::applied(EXAMPLE);
        env.edit("tls_only = true", "tls_only = false");
        env.edit("rotation_days = 365", "rotation_days = 400");
        env.edit("https://acme.wandb.io", "https://acme.example");
        env.edit("Namespace = \"WeightsBiases\"", "Team = \"ml\"");
        let digest = env.sandbox("plan --format json").json()["digest"].as_str().unwrap().to_owned();
        let apply = format!("apply --approve {digest}");
        let output = env.sandbox_with(&format!("crash-after={crash}"), &apply);
        if output.code == Some(0) {
            return false;
        }
        output.exits(137);
        env.sandbox(&apply).exits(0);
        env.is_settled();
        true
    });
    assert!(writes >= 5, "only {writes} writes");
}

#[test]
fn any_answer_may_be_lost() {
    for operation in [
        "CreateBucket",
        "PutBucketTagging",
        "PutPublicAccessBlock",
        "PutBucketOwnershipControls",
        "PutBucketEncryption",
        "PutBucketCors",
        "PutBucketVersioning",
        "PutBucketLifecycleConfiguration",
        "PutBucketPolicy",
        "CreateKey",
        "EnableKeyRotation",
        "CreateAlias",
        "HeadBucket",
        "DescribeKey",
    ] {
        for nth in [1, 2] {
            let env = TestEnvironment::new(EXAMPLE);
            let output = env.sandbox_with(&format!("lose={operation}:{nth}"), "apply --auto-approve");
            assert_eq!(output.code, Some(0), "{operation}:{nth}: {output}");
            example_stands_once(&env);
        }
    }
}

#[test]
fn an_answer_may_be_lost_while_a_world_is_taken_down() {
    for operation in ["DeleteBucket", "DeleteAlias", "ScheduleKeyDeletion"] {
        let env = TestEnvironment::applied(&unprotected(EXAMPLE));
        let output = env.sandbox_with(&format!("lose={operation}:1"), "destroy --auto-approve");
        assert_eq!(output.code, Some(0), "{operation}: {output}");
        assert_eq!(env.record()["resources"], serde_json::json!({}), "{operation}");
        env.sandbox("plan --destroy --detailed-exitcode").exits(0);
    }
}
