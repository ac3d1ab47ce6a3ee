//! The first thing a user meets: no credentials, no region, no file. Each is said at once, says where byob looked and
//! what to do, and writes nothing. How fast, is bounded by a watchdog: no machine that answers is slower than this.

use std::time::{Duration, Instant};

use crate::common::{Output, TestEnvironment};

use super::ONE_BUCKET;

/// What the issue asks for is 3 s; metadata services are given 1 s, everything else answers at once. A machine that runs
/// all tests at once is given twice as long.
const PATIENCE: Duration = Duration::from_secs(6);

/// Runs a command that must end soon, fail, and leave nothing behind.
#[track_caller]
fn fails_fast(env: &TestEnvironment, arguments: &str) -> Output {
    let before = listing(env);
    let began = Instant::now();
    let output = env.byob(arguments).exits(1);
    let took = began.elapsed();
    assert!(took < PATIENCE, "took {took:?}");
    assert_eq!(listing(env), before);
    output
}

fn listing(env: &TestEnvironment) -> Vec<String> {
    let entries = std::fs::read_dir(env.dir()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn no_configuration() {
    let env = TestEnvironment::bare();
    insta::assert_snapshot!(fails_fast(&env, "plan"), @r"
    error: there is no byob.toml
      looked in $ROOT/work
      help: start from the example: cp byob.toml.example byob.toml
      help: or name another file: byob -c FILE …
    [exit 1]
    ");
    insta::assert_snapshot!(fails_fast(&env, "plan --sandbox"), @r"
    error: there is no byob.toml
      looked in $ROOT/work
      help: start from the example: cp byob.toml.example byob.toml
      help: or name another file: byob -c FILE …
    [exit 1]
    ");
    insta::assert_snapshot!(fails_fast(&env, "-c staging.toml apply --auto-approve"), @r"
    error: there is no staging.toml
      looked in $ROOT/work
      help: start from the example: cp byob.toml.example byob.toml
      help: or name another file: byob -c FILE …
    [exit 1]
    ");
}

#[test]
fn no_credentials() {
    // An address that takes connections and never answers: the worst that a network can do.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let env = TestEnvironment::new(ONE_BUCKET).with("AWS_EC2_METADATA_SERVICE_ENDPOINT", &address);
    insta::assert_snapshot!(fails_fast(&env, "plan"), @r"
    error: no AWS credentials
      looked in: environment, profile `default` (not there), web identity, container, instance metadata
        (no answer in 1 s)
      help: `aws sso login`, or AWS_PROFILE=…; to try byob without an account: byob plan --sandbox
    [exit 1]
    ");
    insta::assert_snapshot!(fails_fast(&env, "apply --auto-approve"), @r"
    error: no AWS credentials
      looked in: environment, profile `default` (not there), web identity, container, instance metadata
        (no answer in 1 s)
      help: `aws sso login`, or AWS_PROFILE=…; to try byob without an account: byob plan --sandbox
    [exit 1]
    ");
    insta::assert_snapshot!(fails_fast(&env, "drift"), @r"
    error: no AWS credentials
      looked in: environment, profile `default` (not there), web identity, container, instance metadata
        (no answer in 1 s)
      help: `aws sso login`, or AWS_PROFILE=…; to try byob without an account: byob plan --sandbox
    [exit 1]
    ");
}

#[test]
fn no_credentials_whatever_this_network_says_of_metadata() {
    let env = TestEnvironment::new(ONE_BUCKET);
    let output = fails_fast(&env, "plan");
    assert!(output.stderr.contains("no AWS credentials"), "{output}");
    assert!(
        output.stderr.contains("looked in: environment, profile `default` (not there), web identity"),
        "{output}"
    );
    assert!(output.stderr.contains("to try byob without an account: byob plan --sandbox"), "{output}");
}

#[test]
fn no_credentials_where_metadata_is_switched_off() {
    let env = TestEnvironment::new(ONE_BUCKET).with("AWS_EC2_METADATA_DISABLED", "true");
    insta::assert_snapshot!(fails_fast(&env, "plan"), @r"
    error: no AWS credentials
      looked in: environment, profile `default` (not there), web identity, container, instance metadata
        (switched off by AWS_EC2_METADATA_DISABLED)
      help: `aws sso login`, or AWS_PROFILE=…; to try byob without an account: byob plan --sandbox
    [exit 1]
    ");
}

#[test]
fn half_a_key_in_the_environment() {
    let env = TestEnvironment::new(ONE_BUCKET)
        .with("AWS_EC2_METADATA_DISABLED", "true")
        .with("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    insta::assert_snapshot!(fails_fast(&env, "plan"), @r"
    error: no AWS credentials
      looked in: environment (one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is missing), profile
        `default` (not there), web identity, container, instance metadata (switched off by
        AWS_EC2_METADATA_DISABLED)
      help: `aws sso login`, or AWS_PROFILE=…; to try byob without an account: byob plan --sandbox
    [exit 1]
    ");
}

#[test]
fn no_region() {
    let env = TestEnvironment::new(
        "version = 1\n[aws]\naccount_id = \"123456789012\"\n[wandb]\ndeployment = \"dedicated-cloud\"\n\
         [bucket.storage]\nname = \"acme-wandb-storage\"\n",
    )
    .with("AWS_EC2_METADATA_DISABLED", "true");
    insta::assert_snapshot!(fails_fast(&env, "plan"), @r#"
    error: the bucket has no region
      ╭▸ byob.toml:6:1
      │
    6 │ [bucket.storage]
      │ ━━━━━━━━━━━━━━━━ neither this table nor `[aws]` says one
      │
      ╰ help: add `region = "us-east-1"` here, or under `[aws]` for all buckets

    1 error in byob.toml; nothing was contacted
    [exit 1]
    "#);
    insta::assert_snapshot!(fails_fast(&env, "plan --sandbox"), @r#"
    error: the bucket has no region
      ╭▸ byob.toml:6:1
      │
    6 │ [bucket.storage]
      │ ━━━━━━━━━━━━━━━━ neither this table nor `[aws]` says one
      │
      ╰ help: add `region = "us-east-1"` here, or under `[aws]` for all buckets

    1 error in byob.toml; nothing was contacted
    [exit 1]
    "#);
}

#[test]
fn a_profile_that_is_not_there() {
    let env = TestEnvironment::new(ONE_BUCKET).with("AWS_PROFILE", "storage-admin");
    insta::assert_snapshot!(fails_fast(&env, "plan"), @r"
    error: AWS profile `storage-admin` does not exist
      help: there is no profile in ~/.aws/config or ~/.aws/credentials; `aws configure sso` makes one
      help: it is named by `profile` in byob.toml or by AWS_PROFILE
    [exit 1]
    ");
    env.write(env.home().join(".aws/config"), "[profile dev]\nregion = eu-west-1\n[profile prod]\n");
    insta::assert_snapshot!(fails_fast(&env, "plan"), @r"
    error: AWS profile `storage-admin` does not exist
      help: profiles there: dev, prod
      help: it is named by `profile` in byob.toml or by AWS_PROFILE
    [exit 1]
    ");
    env.edit("[aws]\n", "[aws]\nprofile = \"staging\"\n");
    insta::assert_snapshot!(fails_fast(&env, "plan"), @r"
    error: AWS profile `staging` does not exist
      help: profiles there: dev, prod
      help: it is named by `profile` in byob.toml or by AWS_PROFILE
    [exit 1]
    ");
}

#[test]
fn an_expired_sso_session() {
    let env = TestEnvironment::new(ONE_BUCKET).with("AWS_PROFILE", "acme");
    env.write(
        env.home().join(".aws/config"),
        "[profile acme]\nsso_session = acme\nsso_account_id = 123456789012\nsso_role_name = Admin\n\
         [sso-session acme]\nsso_region = us-east-1\nsso_start_url = https://acme.awsapps.com/start\n",
    );
    insta::assert_snapshot!(fails_fast(&env, "plan"), @r"
    error: the SSO session of profile `acme` has expired, or was never begun (failed to load the cached
           SSO token)
      help: aws sso login --profile acme
    [exit 1]
    ");
    // The cached token of a session is named after the SHA-1 of the session's name: `acme`.
    env.write(
        env.home().join(".aws/sso/cache/293abb6b76d7791c0732cc517d38c4b5c734b87f.json"),
        r#"{"startUrl":"https://acme.awsapps.com/start","region":"us-east-1","accessToken":"secret-token","expiresAt":"2020-01-01T00:00:00Z"}"#,
    );
    let output = fails_fast(&env, "plan");
    assert!(!output.stderr.contains("secret-token"));
    insta::assert_snapshot!(output, @r"
    error: the SSO session of profile `acme` has expired, or was never begun (the SSO token has expired
           and cannot be refreshed)
      help: aws sso login --profile acme
    [exit 1]
    ");
}

#[test]
fn one_missing_right() {
    let env = TestEnvironment::applied(super::BUCKET_AND_KEY);
    let before = env.tree();
    insta::assert_snapshot!(env.sandbox_with("deny=s3:GetBucketPolicy", "plan").exits(1), @r#"
    error: AWS refused reads that a comparison needs
      s3:GetBucketPolicy on arn:aws:s3:::acme-wandb-storage (request <id>)
      help: give the caller this statement, in an IAM policy of its own:
    {
      "Action": [
        "s3:GetBucketPolicy"
      ],
      "Effect": "Allow",
      "Resource": [
        "arn:aws:s3:::acme-wandb-storage"
      ]
    }
    [exit 1]
    "#);
    insta::assert_snapshot!(env.sandbox_with("deny=s3:GetBucketCORS+s3:GetBucketPolicy+kms:GetKeyPolicy", "drift").exits(1), @r#"
    error: AWS refused reads that a comparison needs
      kms:GetKeyPolicy on arn:aws:kms:us-east-1:123456789012:key/<uuid>
        (request <uuid>)
      s3:GetBucketCORS on arn:aws:s3:::acme-wandb-storage (request <id>)
      s3:GetBucketPolicy on arn:aws:s3:::acme-wandb-storage (request <id>)
      help: give the caller this statement, in an IAM policy of its own:
    {
      "Action": [
        "kms:GetKeyPolicy",
        "s3:GetBucketCORS",
        "s3:GetBucketPolicy"
      ],
      "Effect": "Allow",
      "Resource": [
        "arn:aws:kms:us-east-1:123456789012:key/<uuid>",
        "arn:aws:s3:::acme-wandb-storage"
      ]
    }
    [exit 1]
    "#);
    insta::assert_snapshot!(env.sandbox_with("deny=s3:GetEncryptionConfiguration", "apply --auto-approve").exits(1), @r#"
    error: AWS refused reads that a comparison needs
      s3:GetEncryptionConfiguration on arn:aws:s3:::acme-wandb-storage (request <id>)
      help: give the caller this statement, in an IAM policy of its own:
    {
      "Action": [
        "s3:GetEncryptionConfiguration"
      ],
      "Effect": "Allow",
      "Resource": [
        "arn:aws:s3:::acme-wandb-storage"
      ]
    }
    [exit 1]
    "#);
    insta::assert_snapshot!(env.sandbox_with("deny=s3:ListBucket", "plan").exits(1), @r"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket, 1 key   recorded <date>, serial 2

    error BYOB002 bucket.storage: AWS does not let this caller look at `acme-wandb-storage`
      help: the caller needs s3:ListBucket on the bucket (and s3:ListAllMyBuckets to tell whether it is
        still ours)

    1 error: nothing can be applied
    [exit 1]
    ");
    insta::assert_snapshot!(env.sandbox_with("deny=kms:DescribeKey", "plan").exits(1), @"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket, 1 key   recorded <date>, serial 2

    error BYOB002 key.storage: AWS does not let this caller look at
      `arn:aws:kms:us-east-1:123456789012:key/<uuid>`
      help: the caller needs kms:DescribeKey on it, by the key's policy or by IAM

    1 error: nothing can be applied
    [exit 1]
    ");
    assert_eq!(env.written(&before), [""; 0]);
}

#[test]
fn usage_errors_are_1() {
    let env = TestEnvironment::new(ONE_BUCKET);
    insta::assert_snapshot!(fails_fast(&env, "aply"), @r"
    error: unrecognized subcommand 'aply'

      tip: some similar subcommands exist: 'policy', 'apply'

    Usage: byob [OPTIONS] <COMMAND>

    For more information, try '--help'.
    [exit 1]
    ");
    insta::assert_snapshot!(fails_fast(&env, "apply --approve sha256:0 --auto-approve"), @r"
    error: the argument '--approve <DIGEST>' cannot be used with '--auto-approve'

    Usage: byob apply --approve <DIGEST>

    For more information, try '--help'.
    [exit 1]
    ");
    insta::assert_snapshot!(fails_fast(&env, "plan --target bucket.storage.polcy"), @r"
    error: invalid value 'bucket.storage.polcy' for '--target <ADDRESS>': `bucket.storage.polcy` is not an address; addresses look like `bucket.storage`, `bucket.storage.policy` or `key.vision`

    For more information, try '--help'.
    [exit 1]
    ");
    insta::assert_snapshot!(fails_fast(&env, "apply --lock-timeout soon"), @r"
    error: invalid value 'soon' for '--lock-timeout <TIME>': `soon` is no time; write 30s, 5m or 1h

    For more information, try '--help'.
    [exit 1]
    ");
}
