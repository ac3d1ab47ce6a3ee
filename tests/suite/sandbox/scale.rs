//! A hundred buckets.

use std::process::Command;

use crate::common::{TestEnvironment, byob_binary};

use super::ONE_BUCKET;

fn config(buckets: usize) -> String {
    let mut text = ONE_BUCKET.split_once("[bucket.storage]").unwrap().0.to_owned();
    for n in 0..buckets {
        text.push_str(&format!("[bucket.b{n:03}]\nname = \"acme-wandb-{n:03}\"\ntls_only = true\n"));
    }
    text
}

/// User and system time of one apply, in seconds, as the shell counts it for its children.
fn cpu_seconds_of_apply(buckets: usize) -> f64 {
    let env = TestEnvironment::new(&config(buckets));
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "\"$0\" apply --sandbox --auto-approve >out.txt 2>err.txt && times"])
        .arg(byob_binary());
    let output = command.current_dir(env.dir()).env_clear().env("HOME", env.home()).output().unwrap();
    assert!(output.status.success(), "{}", env.read("err.txt"));
    let times = String::from_utf8(output.stdout).unwrap();
    let children = times.lines().nth(1).unwrap();
    let seconds = |time: &str| {
        let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
        minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
    };
    children.split_whitespace().map(seconds).sum()
}

#[test]
fn the_work_grows_with_the_number_of_buckets_and_no_faster() {
    let least = |buckets| (0..3).map(|_| cpu_seconds_of_apply(buckets)).fold(f64::INFINITY, f64::min);
    let (ten, hundred) = (least(10), least(100));
    println!("CPU time: {ten:.2} s for 10 buckets, {hundred:.2} s for 100: {:.1} times", hundred / ten);
    assert!(hundred < 10.0 * 1.2 * ten, "{hundred:.2} s for 100 buckets, {ten:.2} s for 10");
}

#[test]
fn the_record_is_written_twice_whatever_the_number_of_buckets() {
    for buckets in [1, 100] {
        let env = TestEnvironment::applied(&config(buckets));
        assert_eq!(env.record()["serial"], 2);
        let history = std::fs::read_dir(env.dir().join(".byob/sandbox/record/history")).unwrap();
        assert_eq!(history.count(), 1);
        env.edit("tls_only = true", "tls_only = false");
        env.sandbox("apply --auto-approve").exits(0);
        assert_eq!(env.record()["serial"], 4);
    }
}

#[test]
fn one_more_bucket_is_the_steps_of_one_bucket() {
    let env = TestEnvironment::applied(&config(100));
    env.is_settled();
    env.write("byob.toml", &config(101));
    insta::assert_snapshot!(env.sandbox("plan").exits(0), @r#"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   101 buckets   recorded <date>, serial 2

    Access
      W&B Dedicated Cloud (830241207209) gains
        on the objects of bucket.b100   read, write, delete, abort uploads
        on bucket.b100                  list objects, versions, uploads; read location, CORS,
          versioning, encryption
      Nobody else gains access; no bucket is public.
            proved for bucket policy, key policy, ACL and public access block
            not checked: identity policies of account 830241207209 (a policy grants that account)

    bucket.b100   acme-wandb-100   us-east-1
      + bucket                protected
      + tags                  byob:*
      + public_access_block   all four on
      + ownership             BucketOwnerEnforced
      + encryption            AES256, SSE-C blocked
      + cors                  GET, HEAD, PUT from any origin (*); headers *; exposes ETag; 3000 s
      + policy                2 statements
          + Allow WandbAccountAccess
          +   who   arn:aws:iam::830241207209:root
          +   what  s3:GetObject*, s3:GetEncryptionConfiguration, s3:ListBucket,
          +       s3:ListBucketMultipartUploads, s3:ListBucketVersions, s3:AbortMultipartUpload,
          +       s3:DeleteObject, s3:PutObject, s3:GetBucketCORS, s3:GetBucketLocation,
          +       s3:GetBucketVersioning
          +   on    arn:aws:s3:::acme-wandb-100, arn:aws:s3:::acme-wandb-100/*
          + Deny ByobTlsOnly
          +   who   anyone (*)
          +   what  s3:*
          +   on    arn:aws:s3:::acme-wandb-100, arn:aws:s3:::acme-wandb-100/*
          +   if    Bool aws:SecureTransport: "false"

    5 notes: old TLS is allowed, CORS allows any origin, versioning is off, unfinished uploads are kept,
      W&B's whole account is granted (byob plan --notes)

    7 to create, 0 to update, 0 to delete; access grows
    byob apply --approve sha256:<digest> --sandbox
    "#);
    let plan = env.sandbox("plan --format json").exits(0).json();
    for step in plan["steps"].as_array().unwrap() {
        assert!(step["address"].as_str().unwrap().starts_with("bucket.b100"), "{step}");
    }
    let before = env.tree();
    env.sandbox("apply --auto-approve").exits(0);
    assert_eq!(env.written(&before), ["buckets/acme-wandb-100.json"]);
    env.is_settled();
}

#[test]
fn one_more_key_makes_no_other_policy_unknown() {
    let env = TestEnvironment::applied(super::BUCKET_AND_KEY);
    env.write(
        "byob.toml",
        &format!(
            "{}\n[bucket.vision]\nname = \"acme-wandb-vision\"\nencryption = {{ type = \"sse-kms\", key = \"key.vision\" }}\n\
             [key.vision]\nalias = \"acme-vision\"\n",
            super::BUCKET_AND_KEY
        ),
    );
    let plan = env.sandbox("plan --format json").exits(0).json();
    for step in plan["steps"].as_array().unwrap() {
        let address = step["address"].as_str().unwrap();
        assert!(address.contains(".vision"), "{step}");
        for change in step["changes"].as_array().unwrap().iter().filter(|change| change["unknown"] == true) {
            assert_eq!(address, "bucket.vision.encryption", "{change}");
        }
    }
}
