//! What others wrote never moves the reader's cursor: control and format characters are escaped, the values stay.

use serde_json::json;

use crate::common::TestEnvironment;

use super::ONE_BUCKET;
use super::world::{World, wait};

#[test]
fn a_live_value_cannot_paint_over_the_plan() {
    let env = TestEnvironment::applied(super::BUCKET_AND_KEY);
    let world = wait(World::of(&env));
    let evil = "\u{1b}[2Kours\u{202e}\u{200b}\r\n0 to create";
    wait(world.kms("us-east-1").update_key_description().key_id(env.key_arn()).description(evil).send())
        .unwrap();
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject",
        "Resource": "arn:aws:s3:::acme-wandb-storage/*", "Condition": { "StringEquals": { "aws:UserAgent": evil } },
    }] });
    let s3 = world.s3("us-east-1");
    wait(s3.put_bucket_policy().bucket("acme-wandb-storage").policy(policy.to_string()).send()).unwrap();

    for command in [
        "plan",
        "drift",
        "plan --format json",
        "drift --format json",
        "plan --format html",
        "drift --format html",
        "plan --format markdown",
        "drift --format markdown",
        "plan --format sarif",
        "drift --format sarif",
        "drift --format junit",
        "plan --color always",
    ] {
        let stdout = env.sandbox(command).stdout;
        // With colour, our own escape sequences are for colour alone.
        let text = match command.contains("always") {
            true => stdout
                .split('\u{1b}')
                .map(|part| part.trim_start_matches(|c: char| "[;m".contains(c) || c.is_ascii_digit()))
                .collect(),
            false => stdout.clone(),
        };
        let dirty = |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{200b}' | '\u{202e}'));
        assert!(!text.contains(dirty), "{command}: {stdout:?}");
        assert!(!stdout.contains("\u{1b}[2K"), "{command}: {stdout:?}");
    }
    insta::assert_snapshot!(env.sandbox("plan").exits(0), @r#"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket, 1 key   recorded <date>, serial 2

    Access
      W&B Dedicated Cloud (830241207209) gains
        on the objects of bucket.storage   read, write, delete, abort uploads
        on bucket.storage                  list objects, versions, uploads; read location, CORS,
          versioning, encryption
      this account gains
        on the objects of bucket.storage   delete   (no longer denied: only if aws:UserAgent is
          \u{1b}[2Kours\u{202e}\u{200b}\r\n0 to create)
      Nobody else gains access; the bucket is not public.
            proved for bucket policy, key policy, ACL and public access block
            not checked: identity policies of account 830241207209 (a policy grants that account)

    warning BYOB042 bucket.storage.policy: W&B cannot work now: W&B Dedicated Cloud (830241207209) lacks
      s3:GetObject (files cannot be read), s3:PutObject (runs cannot upload), s3:DeleteObject (deleting
      runs frees nothing) and 8 more; no statement allows it
      help: this plan gives it back

    key.storage   alias/acme-wandb   us-east-1
      ! description   "Encrypts storage for Weights & Biases (byob stack default)" →
                      "\u{1b}[2Kours\u{202e}\u{200b}\r\n0 to create"   (changed outside byob)
      ~ description   "\u{1b}[2Kours\u{202e}\u{200b}\r\n0 to create" → "Encrypts storage for Weights &
                      Biases (byob stack default)"

    bucket.storage   acme-wandb-storage   us-east-1
      ! policy        adds Theirs; removes WandbAccountAccess   (changed outside byob)
            {
              "Version": "2012-10-17",
              "Statement": [
                {
          -       "Sid": "WandbAccountAccess",
          -       "Effect": "Allow",
          +       "Sid": "Theirs",
          +       "Effect": "Deny",
                  "Principal": {
          -         "AWS": "arn:aws:iam::830241207209:root"
          +         "AWS": "*"
                  },
          -       "Action": [
          -         "s3:AbortMultipartUpload",
          -         "s3:DeleteObject",
          -         "s3:GetBucketCORS",
          -         "s3:GetBucketLocation",
          -         "s3:GetBucketVersioning",
          -         "s3:GetEncryptionConfiguration",
          -         "s3:GetObject*",
          -         "s3:ListBucket",
          -         "s3:ListBucketMultipartUploads",
          -         "s3:ListBucketVersions",
          -         "s3:PutObject"
          -       ],
          -       "Resource": [
          -         "arn:aws:s3:::acme-wandb-storage",
          -         "arn:aws:s3:::acme-wandb-storage/*"
          -       ]
          +       "Action": "s3:DeleteObject",
          +       "Resource": "arn:aws:s3:::acme-wandb-storage/*",
          +       "Condition": {
          +         "StringEquals": {
          +           "aws:UserAgent": "\u001b[2Kours\u{202e}\u{200b}\r\n0 to create"
          +         }
          +       }
                }
              ]
            }
      ~ policy        adds WandbAccountAccess; removes Theirs   (put back)
            {
              "Version": "2012-10-17",
              "Statement": [
                {
          -       "Sid": "Theirs",
          -       "Effect": "Deny",
          +       "Sid": "WandbAccountAccess",
          +       "Effect": "Allow",
                  "Principal": {
          -         "AWS": "*"
          +         "AWS": "arn:aws:iam::830241207209:root"
                  },
          -       "Action": "s3:DeleteObject",
          -       "Resource": "arn:aws:s3:::acme-wandb-storage/*",
          -       "Condition": {
          -         "StringEquals": {
          -           "aws:UserAgent": "\u001b[2Kours\u{202e}\u{200b}\r\n0 to create"
          -         }
          -       }
          +       "Action": [
          +         "s3:AbortMultipartUpload",
          +         "s3:DeleteObject",
          +         "s3:GetBucketCORS",
          +         "s3:GetBucketLocation",
          +         "s3:GetBucketVersioning",
          +         "s3:GetEncryptionConfiguration",
          +         "s3:GetObject*",
          +         "s3:ListBucket",
          +         "s3:ListBucketMultipartUploads",
          +         "s3:ListBucketVersions",
          +         "s3:PutObject"
          +       ],
          +       "Resource": [
          +         "arn:aws:s3:::acme-wandb-storage",
          +         "arn:aws:s3:::acme-wandb-storage/*"
          +       ]
                }
              ]
            }

    6 notes: TLS is not required, old TLS is allowed, CORS allows any origin, versioning is off,
      unfinished uploads are kept, W&B's whole account is granted (byob plan --notes)

    0 to create, 2 to update, 0 to delete, 2 drifted; access grows
    byob apply --approve sha256:<digest> --sandbox
    "#);
    insta::assert_snapshot!(env.sandbox("drift").exits(2), @r#"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket, 1 key   recorded <date>, serial 2

    bucket.storage
      ! policy        adds Theirs; removes WandbAccountAccess
            {
              "Version": "2012-10-17",
              "Statement": [
                {
          -       "Sid": "WandbAccountAccess",
          -       "Effect": "Allow",
          +       "Sid": "Theirs",
          +       "Effect": "Deny",
                  "Principal": {
          -         "AWS": "arn:aws:iam::830241207209:root"
          +         "AWS": "*"
                  },
          -       "Action": [
          -         "s3:AbortMultipartUpload",
          -         "s3:DeleteObject",
          -         "s3:GetBucketCORS",
          -         "s3:GetBucketLocation",
          -         "s3:GetBucketVersioning",
          -         "s3:GetEncryptionConfiguration",
          -         "s3:GetObject*",
          -         "s3:ListBucket",
          -         "s3:ListBucketMultipartUploads",
          -         "s3:ListBucketVersions",
          -         "s3:PutObject"
          -       ],
          -       "Resource": [
          -         "arn:aws:s3:::acme-wandb-storage",
          -         "arn:aws:s3:::acme-wandb-storage/*"
          -       ]
          +       "Action": "s3:DeleteObject",
          +       "Resource": "arn:aws:s3:::acme-wandb-storage/*",
          +       "Condition": {
          +         "StringEquals": {
          +           "aws:UserAgent": "\u001b[2Kours\u{202e}\u{200b}\r\n0 to create"
          +         }
          +       }
                }
              ]
            }
          breakage: W&B has less access than it was given

    key.storage
      ! description   "Encrypts storage for Weights & Biases (byob stack default)" →
                      "\u{1b}[2Kours\u{202e}\u{200b}\r\n0 to create"
          other: a description is for people: neither access nor W&B's work depends on it

    2 of 13 recorded addresses drifted (29 attributes read): 1 breakage, 1 other
    byob plan shows the way back, byob apply goes it. byob apply --refresh-only accepts what is live
      into the record; to keep it, write it into byob.toml too.
    [exit 2]
    "#);
    let drift = env.sandbox("drift --format json").json();
    let entries = drift["drift"].as_array().unwrap();
    let changes = &entries.iter().find(|entry| entry["address"] == "key.storage").unwrap()["changes"];
    assert_eq!(changes[0]["after"], json!(evil), "the JSON holds the value itself");
    env.sandbox("apply --auto-approve").exits(0);
    env.is_settled();
}

#[test]
fn a_configuration_cannot_either() {
    let env =
        TestEnvironment::new(&ONE_BUCKET.replace("\"acme-wandb-storage\"", "\"acme\\u001b[31m\\u202e\""));
    insta::assert_snapshot!(env.sandbox("plan").exits(1), @r#"
    error: bucket name `acme\u{1b}[31m\u{202e}` cannot exist in AWS
       ╭▸ byob.toml:11:8
       │
    11 │ name = "acme\u001b[31m\u202e"
       │        ━━━━━━━━━━━━━━━━━━━━━━ `\u{1b}`, `[` and `\u{202e}` are not allowed
       │
       ╰ help: `acme-31m` would be valid

    1 error in byob.toml; nothing was contacted
    [exit 1]
    "#);
}
