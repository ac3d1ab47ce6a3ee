//! What AWS does now and then and no emulator ever does: reads that lag behind, buckets that are not known yet, writes
//! that have to be tried again, throttling. Apply, resume and destroy live through all of it, and make nothing twice.

use std::sync::OnceLock;

use serde_json::Value;

use crate::common::{EXAMPLE, TestEnvironment};

const STALE: &str = "stale=20";
const LATE: &str = "late-no-such-bucket=5";
const ABORTED: &str = "operation-aborted=3";
const THROTTLED: &str = "throttle-every=5";
const ALL: &str = "stale=20,late-no-such-bucket=5,operation-aborted=3,throttle-every=5";

/// What a run without faults records.
pub(crate) fn good_resources() -> &'static Value {
    static GOOD: OnceLock<Value> = OnceLock::new();
    GOOD.get_or_init(|| TestEnvironment::applied(EXAMPLE).resources())
}

/// Insists that the example stands, once, and that nothing is left to do.
#[track_caller]
pub(crate) fn example_stands_once(env: &TestEnvironment) {
    assert_eq!(env.names("keys").len(), 1, "one key");
    assert_eq!(env.names("aliases").len(), 1, "one alias");
    assert_eq!(env.names("buckets").len(), 2, "two buckets");
    assert_eq!(env.resources(), *good_resources());
    let record = env.record();
    assert_eq!(record["intents"], serde_json::json!([]), "no intent is left open");
    assert_eq!(record["approval"]["finished"], true);
    env.is_settled();
}

fn apply(faults: &str) {
    let env = TestEnvironment::new(EXAMPLE);
    env.sandbox_with(faults, "apply --auto-approve").exits(0);
    example_stands_once(&env);
}

fn resume(faults: &str) {
    for crash in [2, 6, 11] {
        let env = TestEnvironment::new(EXAMPLE);
        env.sandbox_with(&format!("{faults},crash-after={crash}"), "apply --auto-approve").exits(137);
        env.sandbox_with(faults, "apply --auto-approve").exits(0);
        example_stands_once(&env);
    }
}

fn destroy(faults: &str) {
    let env = TestEnvironment::applied(&unprotected(EXAMPLE));
    env.sandbox_with(faults, "destroy --auto-approve").exits(0);
    assert_eq!(env.names("buckets"), [""; 0]);
    assert_eq!(env.names("aliases"), [""; 0]);
    assert_eq!(env.record()["resources"], serde_json::json!({}));
    env.sandbox("plan --destroy --detailed-exitcode").exits(0);
}

/// The same configuration with nothing protected.
pub(crate) fn unprotected(config: &str) -> String {
    let open = |line: &str| match line.starts_with("[bucket.") || line.starts_with("[key.") {
        true => format!("{line}\nprotect = false\n"),
        false => format!("{line}\n"),
    };
    config.lines().map(open).collect()
}

macro_rules! under {
    ($($module:ident: $faults:expr;)*) => {$(
        mod $module {
            #[test]
            fn apply_passes() {
                super::apply($faults);
            }
            #[test]
            fn resume_passes() {
                super::resume($faults);
            }
            #[test]
            fn destroy_passes() {
                super::destroy($faults);
            }
        }
    )*};
}

under! {
    stale_reads: super::STALE;
    late_buckets: super::LATE;
    aborted_operations: super::ABORTED;
    throttling: super::THROTTLED;
    all_of_it: super::ALL;
}

#[test]
fn a_bucket_that_stays_unknown_fails_with_what_to_do() {
    let env = TestEnvironment::new(super::ONE_BUCKET);
    let output = env.sandbox_with("operation-aborted=100000", "apply --auto-approve").exits(1);
    insta::assert_snapshot!(masked_tries(&output.talk()), @r#"
    SANDBOX: an embedded stand-in for AWS, account 123456789012, kept in .byob/sandbox; nothing here is real
    ✗ bucket.storage   failed: AWS refused CreateBucket on acme-wandb-storage: OperationAborted "A conflicting conditional operation is currently in progress against this resource. Please try again." (request <id>); tried <n> times over <time> s
      ✗ bucket.storage              AWS refused CreateBucket on acme-wandb-storage: OperationAborted "A
      · bucket.storage.tags         not started
      · bucket.storage.public_access_block   not started
      · bucket.storage.ownership    not started
      · bucket.storage.encryption   not started
      · bucket.storage.cors         not started
      · bucket.storage.policy       not started

    done 0, failed 1, not started 6 (<time> s)
    The record is saved; the same command, with the same approval, goes on from here.
    "#);
    env.sandbox("apply --auto-approve").exits(0);
    env.is_settled();
}

/// How often something was tried within a time depends on the machine, and so does where its line is wrapped: without
/// numbers of tries and without continued lines.
fn masked_tries(talk: &str) -> String {
    let lines = talk.lines().filter(|line| !line.starts_with("          "));
    let masked = lines.map(|line| match line.split_once("; tried ") {
        Some((before, after)) => {
            format!("{before}; tried <n>{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        None => line.to_owned(),
    });
    masked.collect::<Vec<_>>().join("\n")
}
