//! Tighten, then loosen, in the real binary: two teams change places while the block loosens and the key changes hands.

use serde_json::Value;

use crate::common::TestEnvironment;

use super::BUCKET_AND_KEY;

const STALE: &str = "stale=20";

/// The bucket's readers and the key's managers.
fn shared(reader: &str, manager: &str, block: &str) -> String {
    let statement = format!(
        "extra_statements = [{{ Sid = \"Readers\", Effect = \"Allow\", Principal = {{ AWS = \"arn:aws:iam::{reader}:root\" }}, \
         Action = \"s3:GetObject\", Resource = \"arn:aws:s3:::acme-wandb-storage/*\" }}]\n"
    );
    BUCKET_AND_KEY
        .replace("[bucket.storage]\n", &format!("[bucket.storage]\n{block}{statement}"))
        .replace("[key.storage]\n", &format!("[key.storage]\nmanagers = [\"arn:aws:iam::{manager}:root\"]\n"))
}

fn before() -> String {
    shared("444455556666", "444455556666", "")
}

fn after() -> String {
    shared("777788889999", "777788889999", "public_access_block = { restrict_public_buckets = false }\n")
}

fn steps(plan: &Value) -> Vec<String> {
    let steps = plan["steps"].as_array().unwrap().iter();
    steps.map(|s| format!("{} {}", s["phase"], s["id"].as_str().unwrap())).collect()
}

#[test]
fn what_both_ends_give_is_put_first_and_the_new_forms_after_it() {
    let env = TestEnvironment::applied(&before());
    env.write("byob.toml", &after());
    let plan = env.sandbox("plan --format json").exits(0).json();
    assert_eq!(
        steps(&plan),
        [
            "1 key.storage.policy#1",
            "1 bucket.storage.policy#1",
            "2 key.storage.policy#2",
            "2 bucket.storage.public_access_block#1",
            "2 bucket.storage.policy#2",
        ]
    );
    assert_eq!(plan["summary"]["update"], 3, "addresses, not steps");
    assert_eq!(plan["access_verdict"]["grows"], "yes");
    insta::assert_snapshot!(env.sandbox("plan").exits(0), @r#"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket, 1 key   recorded <date>, serial 2

    Access
      account 444455556666 loses
        on the objects of bucket.storage   read
        on key.storage
          permissions   kms:PutKeyPolicy, kms:CreateGrant, kms:RetireGrant, kms:RevokeGrant
          write         kms:ScheduleKeyDeletion, kms:CancelKeyDeletion, kms:CreateAlias and 26 more
          tagging       kms:TagResource, kms:UntagResource
          read          kms:GetKeyLastUsage, kms:GetKeyPolicy, kms:GetKeyRotationStatus and 3 more
          list          kms:ListGrants, kms:ListKeyPolicies, kms:ListKeyRotations, kms:ListResourceTags
      account 777788889999 gains
        on the objects of bucket.storage   read
        on key.storage
          permissions   kms:PutKeyPolicy, kms:CreateGrant, kms:RetireGrant, kms:RevokeGrant
          write         kms:ScheduleKeyDeletion, kms:CancelKeyDeletion, kms:CreateAlias and 26 more
          tagging       kms:TagResource, kms:UntagResource
          read          kms:GetKeyLastUsage, kms:GetKeyPolicy, kms:GetKeyRotationStatus and 3 more
          list          kms:ListGrants, kms:ListKeyPolicies, kms:ListKeyRotations, kms:ListResourceTags
        e.g. arn:aws:iam::777788889999:root could now  kms:CancelKeyDeletion  on key.storage
      Nobody else gains access; the bucket is not public.
            proved for bucket policy, key policy, ACL and public access block
            not checked: KMS grants of key.storage; identity policies of account 123456789012 (a policy
              grants that account); identity policies of account 777788889999 (a policy grants that
              account); identity policies of account 830241207209 (a policy grants that account)

    warning BYOB029 bucket.storage.policy: account 777788889999 beside W&B and the owner let in
      (statement `Readers`)
      help: if it is not meant: take statement `Readers` out of `extra_statements` or `policy_file` of
        [bucket.storage], or narrow it
    warning BYOB029 key.storage.policy: account 777788889999 beside W&B and the owner let in (statement
      `ByobManagers`)
      help: if it is not meant: correct `managers` of [key.storage]

    key.storage   alias/acme-wandb   us-east-1
      ~ policy   changes ByobManagers
            ⋮
                  "Sid": "ByobManagers",
                  "Effect": "Allow",
                  "Principal": {
          -         "AWS": "arn:aws:iam::444455556666:root"
          +         "AWS": "arn:aws:iam::777788889999:root"
                  },
                  "Action": "kms:*",
                  "Resource": "*"
          in two phases: first what both the old and the new one give

    bucket.storage   acme-wandb-storage   us-east-1
      ~ public_access_block.restrict_public_buckets   true → false
      ~ policy   changes Readers
            ⋮
                  "Sid": "Readers",
                  "Effect": "Allow",
                  "Principal": {
          -         "AWS": "arn:aws:iam::444455556666:root"
          +         "AWS": "arn:aws:iam::777788889999:root"
                  },
                  "Action": "s3:GetObject",
                  "Resource": "arn:aws:s3:::acme-wandb-storage/*"
          in two phases: first what both the old and the new one give

    6 notes: TLS is not required, old TLS is allowed, CORS allows any origin, versioning is off,
      unfinished uploads are kept, W&B's whole account is granted (byob plan --notes)

    0 to create, 3 to update, 0 to delete; access grows
    byob apply --approve sha256:<digest> --sandbox
    "#);
    env.sandbox("apply --auto-approve").exits(0);
    env.is_settled();
}

/// Crashes after every write, with a digest that a read-only caller planned, and without one.
fn crashes(faults: &str, approved: bool) {
    for crash in 1..20 {
        let env = TestEnvironment::applied(&before());
        env.write("byob.toml", &after());
        let apply = match approved {
            true => {
                let plan = env.sandbox("plan --format json").exits(0).json();
                format!("apply --approve {}", plan["digest"].as_str().unwrap())
            }
            false => "apply --auto-approve".to_owned(),
        };
        let output = env.sandbox_with(&format!("crash-after={crash}{faults}"), &apply);
        if output.code == Some(0) {
            assert!(crash > 5, "only {crash} writes");
            return;
        }
        output.exits(137);
        env.sandbox_with(faults.trim_start_matches(','), &apply).exits(0);
        env.is_settled();
    }
    panic!("it never ends");
}

#[test]
fn a_crash_between_the_phases_is_taken_up_by_the_next_run() {
    crashes("", false);
}

#[test]
fn a_crash_between_the_phases_is_resumed_under_the_same_approval() {
    crashes("", true);
}

#[test]
fn a_crash_between_the_phases_while_reads_are_stale() {
    crashes(&format!(",{STALE}"), false);
    crashes(&format!(",{STALE}"), true);
}
