//! README command 1, and what has to hold right after it.

use crate::common::{EXAMPLE, TestEnvironment};

use super::world::STRANGER;

#[test]
fn the_example_applies_and_nothing_is_left_to_do() {
    let env = TestEnvironment::new(EXAMPLE);
    let first = env.sandbox("apply --auto-approve").exits(0);
    insta::assert_snapshot!(first.data().split_once("\n\n").unwrap().0, @"");
    insta::assert_snapshot!(first.data().split_once("\nHand to").unwrap().1, @"");
    insta::assert_snapshot!(first.talk(), @"");

    let before = env.tree();
    let record = env.read(env.record_path());
    insta::assert_snapshot!(env.sandbox("apply --auto-approve").exits(0), @"");
    insta::assert_snapshot!(env.sandbox("plan --detailed-exitcode").exits(0), @"");
    insta::assert_snapshot!(env.sandbox("drift").exits(0), @"");
    assert_eq!(env.written(&before), [""; 0]);
    assert_eq!(env.read(env.record_path()), record, "an apply with nothing to do leaves the record alone");
}

#[test]
fn a_first_plan_exits_2_on_request_and_writes_nothing() {
    let env = TestEnvironment::new(EXAMPLE);
    env.sandbox("plan").exits(0);
    env.sandbox("plan --detailed-exitcode").exits(2);
    assert!(env.tree().is_empty());
    assert!(env.record().is_null());
}

#[test]
fn outputs_are_what_is_handed_to_wandb() {
    let env = TestEnvironment::new(EXAMPLE);
    insta::assert_snapshot!(env.sandbox("output").exits(1), @"");
    env.sandbox("apply --auto-approve").exits(0);
    insta::assert_snapshot!(env.sandbox("output").exits(0), @"");
    insta::assert_snapshot!(env.sandbox("output --format env").exits(0), @"");
    insta::assert_snapshot!(env.sandbox("output --format json").exits(0), @"");
}

#[test]
fn the_same_inputs_give_the_same_bytes_here_and_on_another_machine() {
    let (here, there) = (TestEnvironment::new(EXAMPLE), TestEnvironment::new(EXAMPLE));
    let bytes = |env: &TestEnvironment| env.sandbox("plan --format json").exits(0).stdout;
    assert_eq!(bytes(&here), bytes(&here));
    assert_eq!(bytes(&here), bytes(&there));

    // The same world and the same record, copied to another machine that has another home and another clock's past.
    here.sandbox("apply --auto-approve").exits(0);
    here.edit("tls_only = true", "tls_only = false");
    there.edit("tls_only = true", "tls_only = false");
    copy(&here.dir().join(".byob"), &there.dir().join(".byob"));
    let there = there.with("USER", "somebody").with("TZ", "Asia/Tokyo").with("LANG", "tr_TR.UTF-8");
    assert_eq!(bytes(&here), bytes(&here));
    assert_eq!(bytes(&here), bytes(&there));
    assert!(bytes(&here).contains("bucket.vision.policy#"));
    here.sandbox("plan --out plan.json").exits(0);
    assert_eq!(here.read("plan.json"), bytes(&here));
}

#[test]
fn another_order_and_other_comments_in_the_file_are_the_same_plan() {
    let digest = |env: &TestEnvironment| env.sandbox("plan --format json").json()["digest"].clone();
    let env = TestEnvironment::new(
        "version = 1\n[wandb]\ndeployment = \"dedicated-cloud\"\n[aws]\naccount_id = \"123456789012\"\nregion = \"us-east-1\"\n\
         [bucket.b]\nname = \"acme-b\"\n[bucket.a]\nname = \"acme-a\"\n",
    );
    let other = TestEnvironment::new(
        "# Ours.\nversion = 1\naws = { region = 'us-east-1', account_id = '123456789012' }\n\
         bucket.a.name = \"acme-a\"\nbucket.b = { name = \"acme-b\" }\n[wandb]\ndeployment = \"dedicated-cloud\"\n",
    );
    assert_eq!(digest(&env), digest(&other));
}

#[test]
fn the_sandbox_announces_itself_and_what_it_takes_to_exist() {
    let env = TestEnvironment::new(&format!(
        "{}encryption = {{ type = \"sse-kms\", key = \"arn:aws:kms:us-east-1:{STRANGER}:key/11111111-2222-3333-4444-555555555555\" }}\n\
         managers = [\"arn:aws:iam::123456789012:role/storage-admin\"]\n",
        super::ONE_BUCKET
    ));
    insta::assert_snapshot!(env.sandbox("plan").exits(0).talk(), @"");
    env.sandbox("apply --auto-approve").exits(0);
    env.is_settled();
}

#[test]
fn the_sandbox_is_reset_with_its_record_and_nothing_else() {
    let env = TestEnvironment::applied(super::ONE_BUCKET);
    env.write(".byob/sandbox/notes.txt", "mine");
    insta::assert_snapshot!(env.byob("sandbox reset").exits(0), @"");
    assert!(env.tree().is_empty());
    assert!(env.record().is_null());
    assert_eq!(env.read(".byob/sandbox/notes.txt"), "mine");
    env.sandbox("apply --auto-approve").exits(0);
}

#[test]
fn a_record_elsewhere_is_never_touched_by_the_sandbox() {
    let env = TestEnvironment::new(super::ONE_BUCKET);
    env.write("state/byob.state.json", "not even a record");
    env.sandbox("apply --auto-approve").exits(0);
    assert_eq!(env.read("state/byob.state.json"), "not even a record");
    let files: Vec<_> = std::fs::read_dir(env.dir().join("state")).unwrap().collect();
    assert_eq!(files.len(), 1);
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
