//! What was approved, and nothing else, is applied.

use crate::common::{EXAMPLE, TestEnvironment};

use super::ONE_BUCKET;
use super::world::{World, wait};

fn digest(env: &TestEnvironment, flags: &str) -> String {
    env.sandbox(&format!("plan --format json {flags}")).json()["digest"].as_str().unwrap().to_owned()
}

#[test]
fn the_line_that_plan_prints_applies_it_and_may_be_repeated() {
    let env = TestEnvironment::new(ONE_BUCKET);
    let plan = env.sandbox("plan").exits(0);
    let line = plan.stdout.lines().last().unwrap().to_owned();
    assert!(line.starts_with("byob apply --approve sha256:") && line.ends_with(" --sandbox"), "{line}");
    let apply = env.byob(line.strip_prefix("byob ").unwrap()).exits(0);
    insta::assert_snapshot!(apply, @r"

    Hand to W&B (byob output)
      bucket.storage
        bucket           acme-wandb-storage
        region           us-east-1
        storage address  s3://s3.us-east-1.amazonaws.com/acme-wandb-storage?region=us-east-1
    ✓ plan is the approved one
    ✓ bucket.storage   done
    ✓ bucket.storage.tags   done
    ✓ bucket.storage.public_access_block   done
    ✓ bucket.storage.ownership   done
    ✓ bucket.storage.encryption   done
    ✓ bucket.storage.cors   done
    ✓ bucket.storage.policy   done
    ✓ applied 7 steps in <time> s, read back, converged
    ");
    let before = env.tree();
    insta::assert_snapshot!(env.byob(line.strip_prefix("byob ").unwrap()).exits(0), @"✓ already applied; nothing is left to do");
    assert_eq!(env.written(&before), [""; 0]);
}

#[test]
fn a_configuration_that_changed_after_planning_is_stale() {
    let env = TestEnvironment::new(ONE_BUCKET);
    let digest = digest(&env, "");
    env.edit("name = \"acme-wandb-storage\"", "name = \"acme-wandb-storage\"\ntls_only = true");
    let output = env.sandbox(&format!("apply --approve {digest}")).exits(2);
    assert!(output.stdout.contains("ByobTlsOnly"), "the difference is shown: {output}");
    insta::assert_snapshot!(output.talk(), @r"
    SANDBOX: an embedded stand-in for AWS, account 123456789012, kept in .byob/sandbox; nothing here is real
    error: the plan is not the one that was approved
           (sha256:<digest>); nothing was
           written
      nothing of what is printed above is known to have been approved (--plan FILE would say more)
      help: review what is printed above; the line that approves it is its last
    ");
    assert!(env.tree().is_empty());
    assert!(env.record().is_null());
}

#[test]
fn a_world_that_changed_after_planning_is_stale() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    env.edit("name = \"acme-wandb-storage\"", "name = \"acme-wandb-storage\"\ntls_only = true");
    let digest = digest(&env, "");
    let s3 = wait(World::of(&env)).s3("us-east-1");
    wait(s3.delete_bucket_cors().bucket("acme-wandb-storage").send()).unwrap();
    let before = env.tree();
    insta::assert_snapshot!(env.sandbox(&format!("apply --approve {digest}")).exits(2), @r#"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket   recorded <date>, serial 2

    Access
      W&B Dedicated Cloud (830241207209) loses
        on the objects of bucket.storage   read, write, delete, abort uploads   (now denied: only
          without TLS)
        on bucket.storage                  list objects, versions, uploads; read location, CORS,
          versioning, encryption   (now denied: only without TLS)
      this account loses
        on the objects of bucket.storage   (now denied: only without TLS)
          permissions   s3:BypassGovernanceRetention, s3:PutObjectAcl,
                        s3:ObjectOwnerOverrideToBucketOwner, s3:PutObjectVersionAcl
          write         s3:DeleteObjectVersion, s3:DeleteObjectAnnotation,
                        s3:DeleteObjectVersionAnnotation and 13 more
          tagging       s3:DeleteObjectTagging, s3:DeleteObjectVersionTagging, s3:PutObjectTagging and 2
                        more
          read          s3:GetObject, s3:GetObjectAcl, s3:GetObjectAnnotation and 13 more
          list          s3:ListMultipartUploadParts, s3:ListObjectAnnotations,
                        s3:ListObjectVersionAnnotations
        on bucket.storage   (now denied: only without TLS)
          permissions   s3:PutBucketPolicy, s3:DeleteBucketPolicy, s3:PutBucketAcl and 2 more
          write         s3:DeleteBucket, s3:PutLifecycleConfiguration, s3:CreateBucket and 22 more
          tagging       s3:PutBucketTagging, s3:TagResource, s3:UntagResource
          read          s3:AllowVendedLogDeliveryForResource, s3:GetAccelerateConfiguration,
                        s3:GetAnalyticsConfiguration and 22 more
          list          s3:ListTagsForResource, s3:ListBucket, s3:ListBucketMultipartUploads,
                        s3:ListBucketVersions
      No new access; the bucket is not public.
            proved for bucket policy, key policy, ACL and public access block

    warning BYOB042 bucket.storage.cors: W&B cannot work in browsers now: CORS lacks GET, HEAD, PUT and
      the exposed header ETag
      help: this plan gives it back

    bucket.storage   acme-wandb-storage   us-east-1
      ! cors.rules[0]   GET, HEAD, PUT from any origin (*); headers *; exposes ETag; 3000 s → (removed)
                         (changed outside byob)
      + cors            GET, HEAD, PUT from any origin (*); headers *; exposes ETag; 3000 s   (put back)
      ~ policy          adds ByobTlsOnly
            {
              "Version": "2012-10-17",
              "Statement": [
          +     {
          +       "Sid": "ByobTlsOnly",
          +       "Effect": "Deny",
          +       "Principal": {
          +         "AWS": "*"
          +       },
          +       "Action": "s3:*",
          +       "Resource": [
          +         "arn:aws:s3:::acme-wandb-storage",
          +         "arn:aws:s3:::acme-wandb-storage/*"
          +       ],
          +       "Condition": {
          +         "Bool": {
          +           "aws:SecureTransport": "false"
          +         }
          +       }
          +     },
                {
                  "Sid": "WandbAccountAccess",
                  "Effect": "Allow",

    5 notes: old TLS is allowed, CORS allows any origin, versioning is off, unfinished uploads are kept,
      W&B's whole account is granted (byob plan --notes)

    1 to create, 1 to update, 0 to delete, 1 drifted
    byob apply --approve sha256:<digest> --sandbox
    error: the plan is not the one that was approved
           (sha256:<digest>); nothing was
           written
      nothing of what is printed above is known to have been approved (--plan FILE would say more)
      changed outside byob, maybe since: bucket.storage.cors (breakage)
      help: review what is printed above; the line that approves it is its last
    [exit 2]
    "#);
    assert_eq!(env.written(&before), [""; 0]);
}

#[test]
fn other_flags_are_another_plan() {
    let env = TestEnvironment::new(EXAMPLE);
    let whole = digest(&env, "");
    insta::assert_snapshot!(env.sandbox(&format!("apply --target bucket.storage --approve {whole}")).exits(2).talk(), @r"
    SANDBOX: an embedded stand-in for AWS, account 123456789012, kept in .byob/sandbox; nothing here is real
    error: the plan is not the one that was approved
           (sha256:<digest>); nothing was
           written
      nothing of what is printed above is known to have been approved (--plan FILE would say more)
      help: review what is printed above; the line that approves it is its last
    ");
}

#[test]
fn an_approval_that_was_overtaken_is_stale() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    env.edit("name = \"acme-wandb-storage\"", "name = \"acme-wandb-storage\"\ntls_only = true");
    let first = digest(&env, "");
    env.sandbox(&format!("apply --approve {first}")).exits(0);
    env.edit("tls_only = true", "tls_only = false");
    env.sandbox("apply --auto-approve").exits(0);
    insta::assert_snapshot!(env.sandbox(&format!("apply --approve {first}")).exits(2), @"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket   recorded <date>, serial 6

    No changes. AWS matches the configuration and the record (21 attributes read).
    error: the plan is not the one that was approved
           (sha256:<digest>); nothing was
           written
      the steps are the same; drift, findings, configuration or flags differ
      help: review what is printed above; the line that approves it is its last
    [exit 2]
    ");
}

#[test]
fn a_plan_file_brings_its_mode_along() {
    let env = TestEnvironment::new(EXAMPLE);
    env.sandbox("plan --target bucket.storage --out plan.json").exits(0);
    env.sandbox("apply --plan plan.json").exits(0);
    assert_eq!(env.names("buckets").len(), 1);
    assert!(env.names("keys").is_empty());
    insta::assert_snapshot!(env.sandbox("apply --plan plan.json").exits(0), @"✓ already applied; nothing is left to do");

    let env = TestEnvironment::applied(&super::faults::unprotected(ONE_BUCKET));
    env.sandbox("plan --destroy --out plan.json").exits(0);
    env.sandbox("apply --plan plan.json").exits(0);
    assert!(env.names("buckets").is_empty());
}

#[test]
fn what_is_no_plan_and_no_digest_is_said() {
    let env = TestEnvironment::new(ONE_BUCKET);
    env.write("notes.txt", "hello");
    env.write("newer.json", r#"{"format_version":"7.0","digest":"sha256:0"}"#);
    insta::assert_snapshot!(env.sandbox("apply --plan notes.txt").exits(1), @r"
    error: notes.txt is no plan
      help: byob plan --out FILE writes one
    [exit 1]
    ");
    insta::assert_snapshot!(env.sandbox("apply --plan newer.json").exits(1), @r"
    error: newer.json has plan format 7.0; this byob knows 1.1
      help: plan again with this byob
    [exit 1]
    ");
    insta::assert_snapshot!(env.sandbox("apply --plan missing.json").exits(1), @r"
    error: cannot read missing.json: No such file or directory (os error 2)
    [exit 1]
    ");
    insta::assert_snapshot!(env.sandbox("apply --approve 25e60a4c").exits(1), @r"
    error: that is no digest: it is `sha256:` and 64 hex digits, printed whole by byob plan
      help: copy the whole line that byob plan prints last
    [exit 1]
    ");
    insta::assert_snapshot!(env.sandbox("apply --approve sha256:25e60a4c").exits(1), @r"
    error: that is no digest: it is `sha256:` and 64 hex digits, printed whole by byob plan
      help: copy the whole line that byob plan prints last
    [exit 1]
    ");
    assert!(!env.dir().join(".byob").exists(), "nothing was contacted");
}

#[test]
fn a_plan_with_an_absent_key_is_applied_as_it_was_approved() {
    let env = TestEnvironment::new(EXAMPLE);
    let (first, text) = (digest(&env, ""), env.sandbox("plan").stdout);
    assert!(text.contains("known after apply"));
    env.sandbox(&format!("apply --approve {first}")).exits(0);
    super::faults::example_stands_once(&env);
}

#[test]
fn a_policy_that_somebody_changes_while_the_plan_is_reviewed_is_never_overwritten() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    env.edit("name = \"acme-wandb-storage\"", "name = \"acme-wandb-storage\"\ntls_only = true");
    let digest = digest(&env, "");
    let s3 = wait(World::of(&env)).s3("us-east-1");
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Theirs","Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::acme-wandb-storage/*"}]}"#;
    wait(s3.put_bucket_policy().bucket("acme-wandb-storage").policy(policy).send()).unwrap();
    env.sandbox(&format!("apply --approve {digest}")).exits(2);
    let live = wait(s3.get_bucket_policy().bucket("acme-wandb-storage").send()).unwrap();
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(json(live.policy().unwrap()), json(policy));
}

#[test]
fn a_stale_plan_file_says_what_is_different() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    env.edit(
        "name = \"acme-wandb-storage\"",
        "name = \"acme-wandb-storage\"\ntls_only = true\nversioning = \"enabled\"\ncors_origins = [\"https://a.example\"]",
    );
    env.sandbox("plan --out plan.json").exits(0);
    env.edit("tls_only = true\n", "");
    env.edit("https://a.example", "https://b.example");
    env.edit(
        "versioning = \"enabled\"",
        "versioning = \"enabled\"\nobject_ownership = \"BucketOwnerPreferred\"",
    );
    let before = env.tree();
    insta::assert_snapshot!(env.sandbox("apply --plan plan.json").exits(2).talk(), @"
    SANDBOX: an embedded stand-in for AWS, account 123456789012, kept in .byob/sandbox; nothing here is real
    error: the plan is not the one that was approved
           (sha256:<digest>); nothing was
           written
      approved, but otherwise: bucket.storage.cors#1
      not approved: bucket.storage.ownership#1
      approved, and gone: bucket.storage.policy#1
      the configuration is another one
      the findings are others
      help: review what is printed above; the line that approves it is its last
    ");
    assert_eq!(env.written(&before), [""; 0]);
}
