//! README command 1, and what has to hold right after it.

use crate::common::{EXAMPLE, TestEnvironment};

use super::world::STRANGER;

#[test]
fn the_example_applies_and_nothing_is_left_to_do() {
    let env = TestEnvironment::new(EXAMPLE);
    let first = env.sandbox("apply --auto-approve").exits(0);
    insta::assert_snapshot!(first.data().split_once("\n\n").unwrap().0, @r"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   2 buckets, 1 key   nothing recorded yet
    ");
    insta::assert_snapshot!(first.data().split_once("
Hand to ").unwrap().1, @r"
    W&B (byob output)
      bucket.storage
        bucket           acme-file-storage-oasis-insight
        region           us-east-1
        storage address  s3://s3.us-east-1.amazonaws.com/acme-file-storage-oasis-insight?region=us-east-1
      bucket.vision
        bucket           acme-wandb-vision
        region           eu-west-1
        KMS key          arn:aws:kms:eu-west-1:123456789012:key/<uuid>
        storage address  s3://s3.eu-west-1.amazonaws.com/acme-wandb-vision?region=eu-west-1
    ");
    insta::assert_snapshot!(first.talk(), @r"
    SANDBOX: an embedded stand-in for AWS, account 123456789012, kept in .byob/sandbox; nothing here is real
    ✓ bucket.storage   done
    ✓ bucket.vision   done
    ✓ key.vision   done
    ✓ bucket.storage.tags   done
    ✓ bucket.vision.tags   done
    ✓ key.vision.policy   done
    ✓ bucket.storage.public_access_block   done
    ✓ bucket.vision.public_access_block   done
    ✓ key.vision.rotation   done
    ✓ bucket.storage.ownership   done
    ✓ bucket.vision.ownership   done
    ✓ key.vision.tags   done
    ✓ bucket.storage.encryption   done
    ✓ bucket.vision.encryption   done
    ✓ key.vision.alias   done
    ✓ bucket.storage.cors   done
    ✓ bucket.vision.cors   done
    ✓ bucket.storage.policy   done
    ✓ bucket.vision.versioning   done
    ✓ bucket.vision.lifecycle   done
    ✓ bucket.vision.policy   done
    ✓ applied 21 steps in <time> s, read back, converged
    ");

    let before = env.tree();
    let record = env.read(env.record_path());
    insta::assert_snapshot!(env.sandbox("apply --auto-approve").exits(0), @"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   2 buckets, 1 key   recorded <date>, serial 2

    No changes. AWS matches the configuration and the record (58 attributes read).
    ✓ nothing to do: AWS matches the configuration
    ");
    insta::assert_snapshot!(env.sandbox("plan --detailed-exitcode").exits(0), @"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   2 buckets, 1 key   recorded <date>, serial 2

    No changes. AWS matches the configuration and the record (58 attributes read).
    ");
    insta::assert_snapshot!(env.sandbox("drift").exits(0), @r"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   2 buckets, 1 key   recorded <date>, serial 2

    No drift. AWS matches the record (22 addresses, 58 attributes read).
    ");
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
    insta::assert_snapshot!(env.sandbox("output").exits(1), @r"
    error: not recorded: bucket.storage, bucket.vision
      help: byob apply makes and records them; only what is recorded is handed to W&B
    [exit 1]
    ");
    env.sandbox("apply --auto-approve").exits(0);
    insta::assert_snapshot!(env.sandbox("output").exits(0), @r"
    bucket.storage
      bucket           acme-file-storage-oasis-insight
      region           us-east-1
      storage address  s3://s3.us-east-1.amazonaws.com/acme-file-storage-oasis-insight?region=us-east-1
    bucket.vision
      bucket           acme-wandb-vision
      region           eu-west-1
      KMS key          arn:aws:kms:eu-west-1:123456789012:key/<uuid>
      storage address  s3://s3.eu-west-1.amazonaws.com/acme-wandb-vision?region=eu-west-1
    ");
    insta::assert_snapshot!(env.sandbox("output --format env").exits(0), @r"
    BYOB_STORAGE_BUCKET=acme-file-storage-oasis-insight
    BYOB_STORAGE_REGION=us-east-1
    BYOB_STORAGE_KMS_KEY_ARN=
    BYOB_STORAGE_STORAGE_ADDRESS='s3://s3.us-east-1.amazonaws.com/acme-file-storage-oasis-insight?region=us-east-1'
    BYOB_VISION_BUCKET=acme-wandb-vision
    BYOB_VISION_REGION=eu-west-1
    BYOB_VISION_KMS_KEY_ARN=arn:aws:kms:eu-west-1:123456789012:key/<uuid>
    BYOB_VISION_STORAGE_ADDRESS='s3://s3.eu-west-1.amazonaws.com/acme-wandb-vision?region=eu-west-1'
    ");
    insta::assert_snapshot!(env.sandbox("output --format json").exits(0), @r#"
    {
      "buckets": [
        {
          "address": "bucket.storage",
          "bucket": "acme-file-storage-oasis-insight",
          "kms_key_arn": null,
          "path": null,
          "purpose": "storage",
          "region": "us-east-1",
          "storage_address": "s3://s3.us-east-1.amazonaws.com/acme-file-storage-oasis-insight?region=us-east-1"
        },
        {
          "address": "bucket.vision",
          "bucket": "acme-wandb-vision",
          "kms_key_arn": "arn:aws:kms:eu-west-1:123456789012:key/<uuid>",
          "path": null,
          "purpose": "storage",
          "region": "eu-west-1",
          "storage_address": "s3://s3.eu-west-1.amazonaws.com/acme-wandb-vision?region=eu-west-1"
        }
      ]
    }
    "#);
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
    insta::assert_snapshot!(env.sandbox("plan").exits(0).talk(), @r"
    SANDBOX: an embedded stand-in for AWS, account 123456789012, kept in .byob/sandbox; nothing here is real
    SANDBOX: taken to exist already, because byob.toml names them: arn:aws:iam::123456789012:role/storage-admin, arn:aws:kms:us-east-1:999988887777:key/<uuid>
    ");
    env.sandbox("apply --auto-approve").exits(0);
    env.is_settled();
}

#[test]
fn the_sandbox_is_reset_with_its_record_and_nothing_else() {
    let env = TestEnvironment::applied(super::ONE_BUCKET);
    env.write(".byob/sandbox/notes.txt", "mine");
    insta::assert_snapshot!(env.byob("sandbox reset").exits(0), @"the sandbox in .byob/sandbox is empty again");
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
