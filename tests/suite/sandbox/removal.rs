//! Taking away: protected until somebody says otherwise, never by the way, never more than was asked.

use serde_json::{Value, json};

use crate::common::TestEnvironment;

use super::faults::unprotected;
use super::world::{ACCOUNT, World, wait};
use super::{BUCKET_AND_KEY, ONE_BUCKET};

const BUCKET: &str = "acme-wandb-storage";

fn put_object(env: &TestEnvironment) {
    let s3 = wait(World::of(env)).s3("us-east-1");
    wait(s3.put_object().bucket(BUCKET).key("runs/1").body(b"data".to_vec().into()).send()).unwrap();
}

/// The operations of a plan, by address.
fn calls(plan: &Value) -> Vec<String> {
    let steps = plan["steps"].as_array().unwrap().iter();
    steps
        .map(|step| {
            let calls: Vec<&str> = step["calls"]
                .as_array()
                .unwrap()
                .iter()
                .map(|call| call["operation"].as_str().unwrap())
                .collect();
            format!(
                "{} {}: {}",
                step["action"].as_str().unwrap(),
                step["address"].as_str().unwrap(),
                calls.join(", ")
            )
        })
        .collect()
}

#[test]
fn protection_goes_first_then_the_bucket_then_its_key() {
    let env = TestEnvironment::applied(BUCKET_AND_KEY);
    env.sandbox("destroy --auto-approve").exits(1);
    env.write("byob.toml", &unprotected(BUCKET_AND_KEY));
    insta::assert_snapshot!(env.sandbox("plan").exits(0), @"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket, 1 key   recorded <date>, serial 2
    Protection goes off: key.storage, bucket.storage

    warning BYOB034 bucket.storage: not protected: taking its table out deletes it
      help: protect = true in [bucket.storage], unless it is to be deleted
    warning BYOB034 key.storage: not protected: taking its table out deletes it
      help: protect = true in [key.storage], unless it is to be deleted

    key.storage   alias/acme-wandb   us-east-1
      ~ protect   true → false   (record only)

    bucket.storage   acme-wandb-storage   us-east-1
      ~ protect   true → false   (record only)

    6 notes: TLS is not required, old TLS is allowed, CORS allows any origin, versioning is off,
      unfinished uploads are kept, W&B's whole account is granted (byob plan --notes)

    0 to create, 2 to update, 0 to delete
    byob apply --approve sha256:<digest> --sandbox
    ");
    let before = env.tree();
    env.sandbox("apply --auto-approve").exits(0);
    assert_eq!(env.written(&before), [""; 0], "protection is the record's alone");

    let arn = env.key_arn();
    insta::assert_snapshot!(env.sandbox("plan --destroy").exits(0), @"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket, 1 key   recorded <date>, serial 4
    Destroy: everything byob has recorded is to go (--destroy).
    Key deletion: key.storage. What is encrypted under a deleted key can never be read again.

    Access
      W&B Dedicated Cloud (830241207209) loses
        on the objects of bucket.storage   read, write, delete, abort uploads
        on bucket.storage                  list objects, versions, uploads; read location, CORS,
          versioning, encryption
        on key.storage                     encrypt, decrypt, re-encrypt, make data keys, describe
      this account loses
        on key.storage
          permissions   kms:PutKeyPolicy, kms:CreateGrant, kms:RetireGrant, kms:RevokeGrant
          write         kms:ScheduleKeyDeletion, kms:CancelKeyDeletion, kms:CreateAlias and 26 more
          tagging       kms:TagResource, kms:UntagResource
          read          kms:GetKeyLastUsage, kms:GetKeyPolicy, kms:GetKeyRotationStatus and 3 more
          list          kms:ListGrants, kms:ListKeyPolicies, kms:ListKeyRotations, kms:ListResourceTags
      No new access.
            proved for bucket policy, key policy, ACL and public access block

    bucket.storage   acme-wandb-storage   us-east-1
      - bucket   byob destroy

    key.storage   alias/acme-wandb   us-east-1
      - key      byob destroy; AWS deletes it 30 days after it is scheduled

    0 to create, 0 to update, 2 to delete
    byob destroy --approve sha256:<digest> --sandbox
    ");
    insta::assert_debug_snapshot!(calls(&env.sandbox("plan --destroy --format json").json()), @r#"
    [
        "delete bucket.storage: DeleteBucket",
        "delete key.storage: DeleteAlias, ScheduleKeyDeletion",
    ]
    "#);
    insta::assert_snapshot!(env.sandbox("destroy --auto-approve").exits(0).talk(), @r"
    SANDBOX: an embedded stand-in for AWS, account 123456789012, kept in .byob/sandbox; nothing here is real
    ✓ bucket.storage   done
    ✓ key.storage   done
    ✓ applied 2 steps in <time> s, read back, converged
    ");
    assert!(env.names("buckets").is_empty());
    assert!(env.names("aliases").is_empty());
    let kms = wait(World::of(&env)).kms("us-east-1");
    let key = wait(kms.describe_key().key_id(&arn).send()).unwrap().key_metadata.unwrap();
    assert_eq!(key.key_state, Some(aws_sdk_kms::types::KeyState::PendingDeletion));
    assert_eq!(
        env.record()["tombstones"],
        json!([{ "account_id": ACCOUNT, "address": "key.storage", "deletion_ordered": true, "identity": arn, "region": "us-east-1" }])
    );
    // Nothing is left, and nothing is left to say.
    env.write("byob.toml", BUCKET_AND_KEY.split_once("[bucket.storage]").unwrap().0);
    insta::assert_snapshot!(env.sandbox("plan --detailed-exitcode").exits(0), @r"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   0 buckets   recorded <date>, serial 6

    No changes. AWS matches the configuration and the record (0 attributes read).
    ");
    insta::assert_snapshot!(env.sandbox("drift").exits(0), @r"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   0 buckets   recorded <date>, serial 6

    No drift. AWS matches the record (0 addresses, 0 attributes read).
    ");
}

#[test]
fn the_same_configuration_can_be_applied_again_after_a_destroy() {
    let env = TestEnvironment::applied(&unprotected(BUCKET_AND_KEY));
    env.sandbox("destroy --auto-approve").exits(0);
    env.sandbox("apply --auto-approve").exits(0);
    env.is_settled();
    assert_eq!(env.names("keys").len(), 2, "the old key is pending, the new one is another");
}

#[test]
fn a_table_that_is_taken_out_is_a_deletion() {
    let env = TestEnvironment::applied(&unprotected(BUCKET_AND_KEY));
    env.write("byob.toml", BUCKET_AND_KEY.split_once("[bucket.storage]").unwrap().0);
    insta::assert_debug_snapshot!(calls(&env.sandbox("plan --format json").exits(0).json()), @r#"
    [
        "delete bucket.storage: DeleteBucket",
        "delete key.storage: DeleteAlias, ScheduleKeyDeletion",
    ]
    "#);
    env.sandbox("apply --auto-approve").exits(0);
    assert!(env.names("buckets").is_empty());
    env.is_settled();
}

#[test]
fn a_bucket_that_holds_data_is_not_deleted() {
    let env = TestEnvironment::applied(&unprotected(ONE_BUCKET));
    put_object(&env);
    let before = env.tree();
    insta::assert_snapshot!(env.sandbox("destroy --auto-approve").exits(1), @r#"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket   recorded <date>, serial 2
    Destroy: everything byob has recorded is to go (--destroy).

    error BYOB016 bucket.storage: `acme-wandb-storage` still holds objects, versions, delete markers or
      unfinished uploads
      help: empty it, or force_destroy = true in [bucket.storage] and byob apply before; to keep it:
        forget = ["bucket.storage"]

    1 error: nothing can be applied
    error: nothing was written
      help: mend the errors above, then plan again
    [exit 1]
    "#);
    assert_eq!(env.written(&before), [""; 0]);
}

#[test]
fn a_bucket_is_emptied_only_by_an_approval_that_names_it() {
    let config = unprotected(ONE_BUCKET)
        .replace("protect = false", "protect = false\nforce_destroy = true\ntls_only = true");
    let env = TestEnvironment::applied(&config);
    put_object(&env);
    let before = env.tree();
    insta::assert_snapshot!(env.sandbox("plan --destroy").exits(0), @"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket   recorded <date>, serial 2
    Destroy: everything byob has recorded is to go (--destroy).
    ALL DATA in acme-wandb-storage will be deleted: every object, every version. Nothing brings it back.

    Access
      W&B Dedicated Cloud (830241207209) loses
        on the objects of bucket.storage   read, write, delete, abort uploads
        on bucket.storage                  list objects, versions, uploads; read location, CORS,
          versioning, encryption
      No new access.
            proved for bucket policy, key policy, ACL and public access block

    bucket.storage   acme-wandb-storage   us-east-1
      - bucket   byob destroy
          first emptied: every object, version, delete marker and unfinished upload, for good

    0 to create, 0 to update, 1 to delete
    byob destroy --approve sha256:<digest> --sandbox
    ");
    insta::assert_snapshot!(env.sandbox("destroy --auto-approve").exits(1).talk(), @r"
    SANDBOX: an embedded stand-in for AWS, account 123456789012, kept in .byob/sandbox; nothing here is real
    error: acme-wandb-storage would be emptied, and --auto-approve is not enough for that; nothing was
           written
      help: run it on a terminal and type the bucket's name, or --approve the digest that byob plan
            --destroy prints
    ");
    assert_eq!(env.written(&before), [""; 0]);
    let plan = env.sandbox("plan --destroy --format json").exits(0).json();
    insta::assert_debug_snapshot!(calls(&plan), @r#"
    [
        "delete bucket.storage: PutBucketPolicy, DeleteObjects, DeleteBucket",
    ]
    "#);
    let digest = plan["digest"].as_str().unwrap();
    // The first write leaves every Deny and no Allow.
    env.sandbox_with("crash-after=1", &format!("destroy --approve {digest}")).exits(137);
    let s3 = wait(World::of(&env)).s3("us-east-1");
    let policy = wait(s3.get_bucket_policy().bucket(BUCKET).send()).unwrap();
    let policy: Value = serde_json::from_str(policy.policy().unwrap()).unwrap();
    let effects: Vec<&Value> = policy["Statement"].as_array().unwrap().iter().map(|s| &s["Effect"]).collect();
    assert_eq!(effects, ["Deny"]);
    env.sandbox(&format!("destroy --approve {digest}")).exits(0);
    assert!(env.names("buckets").is_empty());
}

#[test]
fn a_dying_bucket_is_not_stripped() {
    let env = TestEnvironment::applied(
        &unprotected(ONE_BUCKET).replace("protect = false", "protect = false\ntls_only = true"),
    );
    insta::assert_debug_snapshot!(calls(&env.sandbox("plan --destroy --format json").json()), @r#"
    [
        "delete bucket.storage: DeleteBucket",
    ]
    "#);
    // Refused at the very end, it stands as it stood.
    let before = env.tree();
    insta::assert_snapshot!(env.sandbox_with("deny=s3:DeleteBucket+iam:*", "destroy --auto-approve").exits(1).talk(), @r#"
    SANDBOX: an embedded stand-in for AWS, account 123456789012, kept in .byob/sandbox; nothing here is real
    note: whether the caller has the rights for these steps could not be asked (iam:SimulatePrincipalPolicy); going on
    ✗ bucket.storage   failed: AWS refused DeleteBucket on acme-wandb-storage: AccessDenied "User: arn:aws:sts::123456789012:assumed-role/byob-sandbox/sandbox is not authorized to perform: s3:DeleteBucket because no identity-based policy allows the s3:DeleteBucket action" (request <id>)
      ✗ bucket.storage   AWS refused DeleteBucket on acme-wandb-storage: AccessDenied "User:
                         arn:aws:sts::123456789012:assumed-role/byob-sandbox/sandbox is not authorized
                         to perform: s3:DeleteBucket because no identity-based policy allows the
                         s3:DeleteBucket action" (request <id>)
        help: the caller needs s3:DeleteBucket on it, by an IAM policy of its own, and no Deny elsewhere
          that names it

    done 0, failed 1, not started 0 (<time> s)
    The record is saved; the same command, with the same approval, goes on from here.
    "#);
    assert_eq!(env.written(&before), [""; 0]);
    env.is_settled();
}

#[test]
fn a_forgotten_bucket_is_left_alone() {
    let env = TestEnvironment::applied(BUCKET_AND_KEY);
    env.write(
        "byob.toml",
        &format!(
            "forget = [\"bucket.storage\", \"key.storage\"]\n{}",
            BUCKET_AND_KEY.split_once("[bucket.storage]").unwrap().0
        ),
    );
    insta::assert_snapshot!(env.sandbox("plan").exits(0), @r"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   0 buckets   recorded <date>, serial 2

    key.storage   us-east-1
      < key      left as it is, dropped from the record: listed in `forget`

    bucket.storage   acme-wandb-storage   us-east-1
      < bucket   left as it is, dropped from the record: listed in `forget`

    0 to create, 0 to update, 0 to delete, 2 to forget
    byob apply --approve sha256:<digest> --sandbox
    ");
    let before = env.tree();
    env.sandbox("apply --auto-approve").exits(0);
    assert_eq!(env.written(&before), [""; 0]);
    assert_eq!(env.record()["resources"], json!({}));
    env.is_settled();
}

#[test]
fn wandb_is_taken_out_and_the_data_stays() {
    let env = TestEnvironment::applied(BUCKET_AND_KEY);
    put_object(&env);
    env.edit("[bucket.storage]", "[bucket.storage]\nwandb_access = false");
    insta::assert_snapshot!(env.sandbox("plan").exits(0), @r#"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket, 1 key   recorded <date>, serial 2

    Access
      W&B Dedicated Cloud (830241207209) loses
        on the objects of bucket.storage   read, write, delete, abort uploads
        on bucket.storage                  list objects, versions, uploads; read location, CORS,
          versioning, encryption
        on key.storage                     encrypt, decrypt, re-encrypt, make data keys, describe
      No new access; the bucket is not public.
            proved for bucket policy, key policy, ACL and public access block
            not checked: KMS grants of key.storage

    warning BYOB038 bucket.storage: W&B is taken out of this bucket (wandb_access = false): what is
      stored stays, and W&B reads none of it
      help: wandb_access = true lets it in again

    key.storage   alias/acme-wandb   us-east-1
      ~ policy   removes WandbAccountAccess
            ⋮
                  },
                  "Action": "kms:*",
                  "Resource": "*"
          -     },
          -     {
          -       "Sid": "WandbAccountAccess",
          -       "Effect": "Allow",
          -       "Principal": {
          -         "AWS": "arn:aws:iam::830241207209:root"
          -       },
          -       "Action": [
          -         "kms:Decrypt",
          -         "kms:Describe*",
          -         "kms:Encrypt",
          -         "kms:GenerateDataKey*",
          -         "kms:ReEncrypt*"
          -       ],
          -       "Resource": "*"
                }
              ]
            }

    bucket.storage   acme-wandb-storage   us-east-1
      - policy   1 statement
          - Allow WandbAccountAccess
          -   who   arn:aws:iam::830241207209:root
          -   what  s3:GetObject*, s3:GetEncryptionConfiguration, s3:ListBucket,
          -       s3:ListBucketMultipartUploads, s3:ListBucketVersions, s3:AbortMultipartUpload,
          -       s3:DeleteObject, s3:PutObject, s3:GetBucketCORS, s3:GetBucketLocation,
          -       s3:GetBucketVersioning
          -   on    arn:aws:s3:::acme-wandb-storage, arn:aws:s3:::acme-wandb-storage/*

    4 notes: TLS is not required, old TLS is allowed, CORS allows any origin, unfinished uploads are
      kept (byob plan --notes)

    0 to create, 1 to update, 1 to delete
    byob apply --approve sha256:<digest> --sandbox
    "#);
    env.sandbox("apply --auto-approve").exits(0);
    env.is_settled();
    let world = wait(World::of(&env));
    let key_policy = wait(world.kms("us-east-1").get_key_policy().key_id(env.key_arn()).send()).unwrap();
    assert!(!key_policy.policy().unwrap().contains("830241207209"), "W&B's use of the key goes with it");
    let head = wait(world.s3("us-east-1").head_object().bucket(BUCKET).key("runs/1").send());
    assert!(head.is_ok());
    env.edit("wandb_access = false", "wandb_access = true");
    env.sandbox("apply --auto-approve").exits(0);
    env.is_settled();
}

#[test]
fn a_reference_bucket_loses_what_is_ours_and_stays() {
    let config = ONE_BUCKET.replace("dedicated-cloud", "multi-tenant-cloud")
        + "\n[bucket.datasets]\nname = \"acme-datasets\"\npurpose = \"reference\"\n";
    let env = TestEnvironment::new(&config);
    env.sandbox("plan").exits(0);
    let s3 = wait(World::of(&env)).s3("us-east-1");
    wait(s3.create_bucket().bucket("acme-datasets").send()).unwrap();
    let theirs = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Theirs","Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::acme-datasets/*"}]}"#;
    wait(s3.put_bucket_policy().bucket("acme-datasets").policy(theirs).send()).unwrap();
    env.sandbox("import bucket.datasets").exits(0);
    env.sandbox("apply --auto-approve").exits(0);
    env.is_settled();
    let policy = || wait(s3.get_bucket_policy().bucket("acme-datasets").send()).unwrap().policy.unwrap();
    assert!(policy().contains("Theirs") && policy().contains("Wandb"), "{}", policy());
    let config = config.split_once("\n[bucket.datasets]").unwrap().0;
    env.write("byob.toml", config);
    insta::assert_snapshot!(env.sandbox("plan").exits(0), @"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket   recorded <date>, serial 3

    Access
      W&B Multi-tenant Cloud (725579432336, role WandbIntegration) loses
        on the objects of bucket.datasets   read
      No new access; the bucket is not public.
            proved for bucket policy, key policy, ACL and public access block

    bucket.datasets   acme-datasets   us-east-1
      < bucket   dropped from the record: a reference bucket is never deleted: ours goes, the bucket
                 stays
          writes to AWS: PutBucketPolicy, DeleteBucketCors

    0 to create, 0 to update, 0 to delete, 1 to forget
    byob apply --approve sha256:<digest> --sandbox
    ");
    env.sandbox("apply --auto-approve").exits(0);
    env.is_settled();
    let left: Value = serde_json::from_str(&policy()).unwrap();
    assert_eq!(left, serde_json::from_str::<Value>(theirs).unwrap());
    assert!(wait(s3.get_bucket_cors().bucket("acme-datasets").send()).is_err());
}

#[test]
fn a_key_whose_deletion_somebody_ordered_is_brought_back() {
    let env = TestEnvironment::applied(BUCKET_AND_KEY);
    let kms = wait(World::of(&env)).kms("us-east-1");
    wait(kms.schedule_key_deletion().key_id(env.key_arn()).send()).unwrap();
    insta::assert_snapshot!(env.sandbox("drift").exits(2), @r"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket, 1 key   recorded <date>, serial 2

    key.storage
      ! state   Enabled → PendingDeletion
          breakage: nothing under this key can be read, and soon never again: cancel the deletion

    1 of 13 recorded addresses drifted (27 attributes read): 1 breakage
    byob plan shows the way back, byob apply goes it. byob apply --refresh-only accepts what is live
      into the record; to keep it, write it into byob.toml too.
    [exit 2]
    ");
    env.sandbox("apply --auto-approve").exits(0);
    env.is_settled();
}

#[test]
fn a_key_is_not_a_way_to_delete_the_bucket_on_it() {
    let env = TestEnvironment::applied(&unprotected(BUCKET_AND_KEY));
    let before = env.tree();
    insta::assert_snapshot!(env.sandbox("destroy --auto-approve --target key.storage").exits(1), @"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket, 1 key   recorded <date>, serial 2
    Destroy: everything byob has recorded is to go (--destroy).
    Only key.storage and what it depends on (--target); nothing is said of the rest.

    error BYOB010 key.storage: bucket.storage is still on it, and is not among the targets: it would
      have to be deleted before
      help: to delete both: add --target bucket.storage; to delete neither: leave this target out

    1 error: nothing can be applied
    error: nothing was written
      help: mend the errors above, then plan again
    [exit 1]
    ");
    assert_eq!(env.written(&before), [""; 0]);
}

#[test]
fn a_targeted_deletion_is_read_back_as_done() {
    let env = TestEnvironment::applied(&unprotected(BUCKET_AND_KEY));
    insta::assert_snapshot!(env.sandbox("destroy --auto-approve --target bucket.storage").exits(0), @"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket, 1 key   recorded <date>, serial 2
    Destroy: everything byob has recorded is to go (--destroy).
    Only bucket.storage and what it depends on (--target); nothing is said of the rest.

    Access
      W&B Dedicated Cloud (830241207209) loses
        on the objects of bucket.storage   read, write, delete, abort uploads
        on bucket.storage                  list objects, versions, uploads; read location, CORS,
          versioning, encryption
      No new access.
            proved for bucket policy, key policy, ACL and public access block
            not checked: what --target leaves out

    bucket.storage   acme-wandb-storage   us-east-1
      - bucket   byob destroy

    0 to create, 0 to update, 1 to delete
    ✓ bucket.storage   done
    ✓ applied 1 step in <time> s, read back, converged
    ");
    assert!(env.names("buckets").is_empty());
    // The rest, by a digest that was planned elsewhere.
    let plan = env.sandbox("plan --destroy --target key.storage --format json").exits(0).json();
    let digest = plan["digest"].as_str().unwrap().to_owned();
    let approved = format!("destroy --target key.storage --approve {digest}");
    let said = env.sandbox(&approved).exits(0);
    assert!(said.talk().contains("read back, converged"), "{said}");
    assert!(env.sandbox(&approved).exits(0).talk().contains("already applied"));
}

#[test]
fn destroying_without_a_record_is_no_success() {
    let env = TestEnvironment::applied(&unprotected(ONE_BUCKET));
    let record = env.dir().join(".byob/sandbox/record");
    let kept = env.dir().join("kept");
    std::fs::rename(&record, &kept).unwrap();
    insta::assert_snapshot!(env.sandbox("destroy --auto-approve").exits(1), @"
    error: there is no record at .byob/sandbox/record/byob.state.json, so nothing is known to be byob's
           to destroy; nothing was written
      help: where the record exists already, bring it here, or correct [state] in byob.toml; a bucket
            that was never applied is taken into a record by byob import
    [exit 1]
    ");
    env.sandbox("plan --destroy").exits(1);
    assert_eq!(env.names("buckets").len(), 1);
    std::fs::rename(&kept, &record).unwrap();
    env.sandbox("destroy --auto-approve").exits(0);
    insta::assert_snapshot!(env.sandbox("destroy --auto-approve").exits(0), @"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket   recorded <date>, serial 4
    Destroy: everything byob has recorded is to go (--destroy).

    No changes. AWS matches the configuration and the record (0 attributes read).
    ✓ nothing to do: nothing that is recorded is left to destroy
    ");
}
