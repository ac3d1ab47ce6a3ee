//! First contact: what people read where something is missing.

use std::sync::Arc;
use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_runtime_api::client::result::ConnectorError;
use byob_apply::{Cloud, CloudError, ErrorKind};

use crate::cloud::{AwsCloud, Endpoint};
use crate::credentials::{Chain, Places, Shared, Source};
use crate::fake::{ACCOUNT, Answer, Fake, credentials};

type Say = fn() -> provider::Result;

#[derive(Debug)]
struct Scripted {
    after: Duration,
    say: Say,
}

impl ProvideCredentials for Scripted {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            tokio::time::sleep(self.after).await;
            (self.say)()
        })
    }
}

fn none() -> provider::Result {
    Err(CredentialsError::not_loaded("none"))
}

fn places() -> Places {
    Places {
        profile: "default".into(),
        profile_named: false,
        profile_exists: false,
        login: None,
        half_a_key: false,
        metadata_off: false,
        role_arn: None,
    }
}

fn source(source: Source, say: Say) -> (Source, SharedCredentialsProvider) {
    (source, SharedCredentialsProvider::new(Scripted { after: Duration::ZERO, say }))
}

fn cloud(fake: &Fake, places: Places, sources: Vec<(Source, SharedCredentialsProvider)>) -> AwsCloud {
    let chain = Arc::new(Chain::new(places, sources));
    AwsCloud::new(config(fake, &chain), Endpoint::Aws, "us-east-1".into(), Some(chain), 4)
}

fn config(fake: &Fake, chain: &Arc<Chain>) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Shared(Arc::clone(chain))))
        .identity_cache(aws_config::identity::IdentityCache::lazy().build())
        .http_client(fake.http_client())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SystemTimeSource::new())
        .build()
}

/// With a role on top of those sources.
async fn role_refusal(fake: &Fake, sources: Vec<(Source, SharedCredentialsProvider)>) -> CloudError {
    let role = format!("arn:aws:iam::{ACCOUNT}:role/byob");
    let chain = Arc::new(Chain::new(Places { role_arn: Some(role.clone()), ..places() }, sources));
    let config = config(fake, &chain);
    let provider = AssumeRoleProvider::builder(role).configure(&config).build().await;
    let config = config.to_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build();
    AwsCloud::new(config, Endpoint::Aws, "us-east-1".into(), Some(chain), 4).caller().await.unwrap_err()
}

async fn refusal(places: Places, sources: Vec<(Source, SharedCredentialsProvider)>) -> CloudError {
    cloud(&Fake::new(), places, sources).caller().await.unwrap_err()
}

#[tokio::test]
async fn without_credentials_byob_says_where_it_looked() {
    let slow = Scripted {
        after: Duration::from_millis(950),
        say: || Err(CredentialsError::provider_error("timed out")),
    };
    let sources = vec![
        source(Source::Environment, none),
        source(Source::Profile, none),
        source(Source::WebIdentity, none),
        source(Source::Container, none),
        (Source::InstanceMetadata, SharedCredentialsProvider::new(slow)),
    ];
    let error = refusal(places(), sources).await;
    assert_eq!(error.kind, ErrorKind::NoCredentials);
    assert_eq!(
        error.to_string(),
        "no AWS credentials\n  looked in: environment, profile `default` (not there), web identity, container, \
         instance metadata (no answer in 1 s)"
    );
    assert_eq!(
        error.help,
        ["`aws sso login`, or AWS_PROFILE=…; to try byob without an account: byob plan --sandbox"]
    );
}

#[tokio::test]
async fn half_a_key_a_bare_profile_and_metadata_switched_off_are_seen() {
    let places = Places {
        profile: "dev".into(),
        profile_exists: true,
        half_a_key: true,
        metadata_off: true,
        ..places()
    };
    let sources = [Source::Environment, Source::Profile, Source::InstanceMetadata]
        .map(|place| source(place, none))
        .into();
    assert_eq!(
        refusal(places, sources).await.message,
        "no AWS credentials\n  looked in: environment (one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is missing), \
         profile `dev` (has none), instance metadata (switched off by AWS_EC2_METADATA_DISABLED)"
    );
}

#[tokio::test]
async fn an_expired_sso_session_is_told_with_its_cure() {
    let places =
        Places { profile: "dev".into(), profile_exists: true, login: Some("aws sso login"), ..places() };
    let expired: Say = || Err(CredentialsError::provider_error("the token has expired"));
    let error =
        refusal(places, vec![source(Source::Environment, none), source(Source::Profile, expired)]).await;
    assert_eq!(error.kind, ErrorKind::ExpiredCredentials);
    assert_eq!(
        error.to_string(),
        "the SSO session of profile `dev` has expired, or was never begun (the token has expired)"
    );
    assert_eq!(error.help, ["aws sso login --profile dev"]);
}

#[tokio::test]
async fn a_credential_source_without_network_is_no_lack_of_credentials() {
    let places =
        Places { profile: "dev".into(), profile_exists: true, login: Some("aws sso login"), ..places() };
    let dead: Say = || Err(CredentialsError::provider_error(ConnectorError::io("connection refused".into())));
    let error = refusal(places, vec![source(Source::Profile, dead)]).await;
    assert_eq!(
        (error.kind, error.message.as_str()),
        (ErrorKind::Network, "profile `dev` does not answer: connection refused")
    );
}

#[tokio::test]
async fn expired_keys_of_the_environment_are_told_with_their_cure() {
    let fake = Fake::new().on("GetCallerIdentity", Answer::query_error(403, "ExpiredToken"));
    let keys = vec![(Source::Environment, credentials())];
    let error = cloud(&fake, places(), keys).caller().await.unwrap_err();
    assert_eq!((error.kind, error.request_id.as_deref()), (ErrorKind::ExpiredCredentials, Some("REQ1")));
    assert!(error.help[0].starts_with("renew AWS_ACCESS_KEY_ID"), "{:?}", error.help);
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_is_asked_once_and_named() {
    let fake = Fake::new().on("GetCallerIdentity", Answer::lost());
    let keys = vec![(Source::Environment, credentials())];
    let error = cloud(&fake, places(), keys).caller().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Network);
    assert_eq!(error.to_string(), "AWS in us-east-1 does not answer: the connection broke");
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn the_caller_is_asked_once_and_its_answer_sets_the_clock() {
    let fake = Fake::new();
    let cloud = fake.cloud().await;
    assert_eq!(cloud.cloud_time(), None);
    assert_eq!(cloud.caller().await.unwrap().account_id, ACCOUNT);
    cloud.caller().await.unwrap();
    assert_eq!(fake.seen().len(), 1);
    assert_eq!(cloud.cloud_time(), Some(1_795_183_331));
    assert_eq!(cloud.endpoint(), Endpoint::Sandbox);
}

#[tokio::test]
async fn no_secret_is_shown_by_debug() {
    let cloud = Fake::new().cloud().await;
    assert!(!format!("{cloud:?}").contains("secret"));
}

#[tokio::test]
async fn a_role_that_may_not_be_assumed_is_told_from_credentials_that_are_not_there() {
    let fake = Fake::new().on("AssumeRole", Answer::query_error(403, "AccessDenied"));
    let error = role_refusal(&fake, vec![(Source::Environment, credentials())]).await;
    assert_eq!(error.kind, ErrorKind::AccessDenied);
    assert_eq!(
        error.to_string(),
        "AWS refused AssumeRole on arn:aws:iam::123456789012:role/byob: AccessDenied \"said\" (request REQ1)"
    );
    assert!(error.help[0].contains("trust policy"), "{:?}", error.help);

    let error = role_refusal(&Fake::new(), vec![source(Source::Environment, none)]).await;
    assert_eq!(error.message, "no AWS credentials\n  looked in: environment");

    let fake = Fake::new().on("AssumeRole", Answer::lost());
    let error = role_refusal(&fake, vec![(Source::Environment, credentials())]).await;
    assert_eq!(error.kind, ErrorKind::Network);
    assert!(error.message.starts_with("AWS, asked to assume arn:"), "{}", error.message);
}
