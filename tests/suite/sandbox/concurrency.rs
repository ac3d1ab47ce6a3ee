//! Several at once on one record, and interrupts.

use std::process::Child;
use std::time::{Duration, Instant};

use crate::common::{EXAMPLE, TestEnvironment};

use super::faults::example_stands_once;

/// An apply that takes a few seconds, because AWS asks it to try again.
fn slow_apply(env: &TestEnvironment, times: u32) -> Child {
    let mut command = env.command("apply --sandbox --auto-approve --verbose");
    command.env("BYOB_SANDBOX_FAULTS", format!("operation-aborted={times}"));
    let child = command.spawn().unwrap();
    let began = Instant::now();
    // It has begun once it has recorded what it is going to do.
    while env.record().is_null() {
        assert!(began.elapsed() < Duration::from_secs(60), "it never begins");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

#[test]
fn thirty_two_applies_at_once_are_one() {
    let env = TestEnvironment::new(EXAMPLE);
    let start = || env.command("apply --sandbox --auto-approve").spawn().unwrap();
    let children: Vec<Child> = (0..32).map(|_| start()).collect();
    let outputs: Vec<_> = children.into_iter().map(|child| env.finish(child).exits(0)).collect();
    let workers = outputs.iter().filter(|output| output.stderr.contains("✓ applied 21 steps")).count();
    let idle = outputs.iter().filter(|output| output.stderr.contains("✓ nothing to do")).count();
    assert_eq!((workers, idle), (1, 31));
    assert_eq!(env.record()["serial"], 2);
    example_stands_once(&env);
}

#[test]
fn a_plan_beside_an_apply_says_that_one_is_running() {
    let env = TestEnvironment::new(EXAMPLE);
    let apply = slow_apply(&env, 60);
    let plan = env.sandbox("plan").exits(0);
    let drift = env.sandbox("drift");
    let waited = env.sandbox("apply --auto-approve --lock-timeout 0").exits(1);
    let apply = env.finish(apply).exits(0);
    assert!(plan.stdout.contains("An apply is running (`byob apply` by "), "{plan}");
    assert!(drift.stdout.contains("An apply is running (`byob apply` by "), "{drift}");
    assert!(waited.stderr.contains("is locked: `byob apply` by "), "{waited}");
    assert!(apply.stderr.contains("✓ applied 21 steps"), "{apply}");
    example_stands_once(&env);
}

#[test]
fn an_interrupt_finishes_what_runs_and_says_what_is_left() {
    let env = TestEnvironment::new(EXAMPLE);
    let apply = slow_apply(&env, 30);
    interrupt(&apply);
    let output = env.finish(apply).exits(1);
    assert!(
        output.stderr.contains("stopping: running calls are finished; interrupt again to stop at once"),
        "{output}"
    );
    assert!(
        output
            .stderr
            .contains("The record is saved; the same command, with the same approval, goes on from here."),
        "{output}"
    );
    assert!(output.stderr.contains("not started"), "{output}");
    let files: Vec<String> = std::fs::read_dir(env.record_path().parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(!files.iter().any(|name| name.ends_with(".journal")), "saved: {files:?}");
    env.sandbox("apply --auto-approve --lock-timeout 0").exits(0);
    example_stands_once(&env);
}

#[test]
fn a_second_interrupt_stops_at_once_and_the_record_stays_readable() {
    let env = TestEnvironment::new(EXAMPLE);
    let apply = slow_apply(&env, 100_000);
    // One right after the other: a first one alone ends the tries, and with them the apply.
    let both = format!("kill -INT {0}; kill -TERM {0}", apply.id());
    assert!(std::process::Command::new("sh").args(["-c", &both]).status().unwrap().success());
    let output = env.finish(apply).exits(1);
    assert!(output.stderr.contains("stopped at once"), "{output}");
    env.sandbox("plan").exits(0);
    env.sandbox("apply --auto-approve").exits(0);
    example_stands_once(&env);
}

fn interrupt(child: &Child) {
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
}
