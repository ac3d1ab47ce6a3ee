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
    insta::assert_snapshot!(fails_fast(&env, "plan"), @"");
    insta::assert_snapshot!(fails_fast(&env, "plan --sandbox"), @"");
    insta::assert_snapshot!(fails_fast(&env, "-c staging.toml apply --auto-approve"), @"");
}

#[test]
fn no_credentials() {
    // An address that nothing answers on stands for a machine without instance metadata.
    let env = TestEnvironment::new(ONE_BUCKET).with("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://192.0.2.1");
    insta::assert_snapshot!(fails_fast(&env, "plan"), @"");
    insta::assert_snapshot!(fails_fast(&env, "apply --auto-approve"), @"");
    insta::assert_snapshot!(fails_fast(&env, "drift"), @"");
}

#[test]
fn no_credentials_and_no_metadata_service_in_the_network() {
    let env = TestEnvironment::new(ONE_BUCKET);
    let output = fails_fast(&env, "plan");
    assert!(output.stderr.starts_with("error: no AWS credentials\n  looked in: environment, profile `default` (not there), web identity, container, instance metadata ("), "{}", output.stderr);
}

#[test]
fn no_credentials_where_metadata_is_switched_off() {
    let env = TestEnvironment::new(ONE_BUCKET).with("AWS_EC2_METADATA_DISABLED", "true");
    insta::assert_snapshot!(fails_fast(&env, "plan"), @"");
}

#[test]
fn half_a_key_in_the_environment() {
    let env = TestEnvironment::new(ONE_BUCKET)
        .with("AWS_EC2_METADATA_DISABLED", "true")
        .with("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    insta::assert_snapshot!(fails_fast(&env, "plan"), @"");
}

#[test]
fn no_region() {
    let env = TestEnvironment::new(
        "version = 1\n[aws]\naccount_id = \"123456789012\"\n[wandb]\ndeployment = \"dedicated-cloud\"\n\
         [bucket.storage]\nname = \"acme-wandb-storage\"\n",
    )
    .with("AWS_EC2_METADATA_DISABLED", "true");
    insta::assert_snapshot!(fails_fast(&env, "plan"), @"");
    insta::assert_snapshot!(fails_fast(&env, "plan --sandbox"), @"");
}

#[test]
fn a_profile_that_is_not_there() {
    let env = TestEnvironment::new(ONE_BUCKET).with("AWS_PROFILE", "storage-admin");
    insta::assert_snapshot!(fails_fast(&env, "plan"), @"");
    env.write(env.home().join(".aws/config"), "[profile dev]\nregion = eu-west-1\n[profile prod]\n");
    insta::assert_snapshot!(fails_fast(&env, "plan"), @"");
    env.edit("[aws]\n", "[aws]\nprofile = \"staging\"\n");
    insta::assert_snapshot!(fails_fast(&env, "plan"), @"");
}

#[test]
fn an_expired_sso_session() {
    let env = TestEnvironment::new(ONE_BUCKET).with("AWS_PROFILE", "acme");
    env.write(
        env.home().join(".aws/config"),
        "[profile acme]\nsso_session = acme\nsso_account_id = 123456789012\nsso_role_name = Admin\n\
         [sso-session acme]\nsso_region = us-east-1\nsso_start_url = https://acme.awsapps.com/start\n",
    );
    insta::assert_snapshot!(fails_fast(&env, "plan"), @"");
    // The cached token of a session is named after the SHA-1 of the session's name: `acme`.
    env.write(
        env.home().join(".aws/sso/cache/293abb6b76d7791c0732cc517d38c4b5c734b87f.json"),
        r#"{"startUrl":"https://acme.awsapps.com/start","region":"us-east-1","accessToken":"secret-token","expiresAt":"2020-01-01T00:00:00Z"}"#,
    );
    let output = fails_fast(&env, "plan");
    assert!(!output.stderr.contains("secret-token"));
    insta::assert_snapshot!(output, @"");
}

#[test]
fn one_missing_right() {
    let env = TestEnvironment::applied(super::BUCKET_AND_KEY);
    let before = env.tree();
    insta::assert_snapshot!(env.sandbox_with("deny=s3:GetBucketPolicy", "plan").exits(1), @"");
    insta::assert_snapshot!(env.sandbox_with("deny=s3:GetBucketCORS+s3:GetBucketPolicy+kms:GetKeyPolicy", "drift").exits(1), @"");
    insta::assert_snapshot!(env.sandbox_with("deny=s3:GetEncryptionConfiguration", "apply --auto-approve").exits(1), @"");
    insta::assert_snapshot!(env.sandbox_with("deny=s3:ListBucket", "plan").exits(1), @"");
    insta::assert_snapshot!(env.sandbox_with("deny=kms:DescribeKey", "plan").exits(1), @"");
    insta::assert_snapshot!(env.sandbox_with("deny=sts:GetCallerIdentity", "plan").exits(1), @"");
    assert_eq!(env.written(&before), [""; 0]);
}

#[test]
fn usage_errors_are_1() {
    let env = TestEnvironment::new(ONE_BUCKET);
    insta::assert_snapshot!(fails_fast(&env, "aply"), @"");
    insta::assert_snapshot!(fails_fast(&env, "apply --approve sha256:0 --auto-approve"), @"");
    insta::assert_snapshot!(fails_fast(&env, "plan --target bucket.storage.polcy"), @"");
    insta::assert_snapshot!(fails_fast(&env, "apply --lock-timeout soon"), @"");
}
