//! First contact: region, profile, credentials and endpoint, each with its own words where it is missing. One
//! configuration, one HTTP client and one identity cache serve all services and regions.

use std::sync::Arc;
use std::time::Duration;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::identity::IdentityCache;
use aws_config::imds::{self, credentials::ImdsCredentialsProvider};
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileSet};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{ConnectorBuilder, tls};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::checksum_config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::service_config::ServiceConfigKey;
use byob_apply::{CloudError, ErrorKind};

use crate::cloud::{AwsCloud, Endpoint};
use crate::credentials::{Chain, METADATA_PATIENCE, Places, Shared, Source};
use crate::error::without_request;

/// How to reach AWS: what `[aws]` of `byob.toml` says, or the sandbox.
#[derive(Debug, Clone)]
pub struct Connection {
    /// `profile`: this one and nothing else; absent: the standard chain, in which `AWS_PROFILE` counts.
    pub profile: Option<String>,
    /// `region`; absent: `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's. Instance metadata is not asked.
    pub region: Option<String>,
    /// `assume_role`, on top of those credentials.
    pub assume_role: Option<AssumeRole>,
    /// The sandbox: requests stay in this process; profiles, environment and roles are not looked at.
    pub in_process: Option<(SharedHttpClient, SharedCredentialsProvider)>,
    /// How many requests may be in flight at once; 32 is a good number, above 200 name look-ups begin to fail.
    pub concurrency: usize,
}

impl Default for Connection {
    fn default() -> Self {
        Self { profile: None, region: None, assume_role: None, in_process: None, concurrency: 32 }
    }
}

/// A role to assume with the credentials found.
#[derive(Clone, PartialEq, Eq)]
pub struct AssumeRole {
    /// Full ARN.
    pub role_arn: String,
    /// What the role's trust policy may ask for.
    pub external_id: Option<String>,
    /// Shown in CloudTrail; absent: `byob`.
    pub session_name: Option<String>,
}

impl std::fmt::Debug for AssumeRole {
    /// Without the external id: it is shared with the other side alone.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AssumeRole")
            .field("role_arn", &self.role_arn)
            .field("session_name", &self.session_name)
            .finish_non_exhaustive()
    }
}

/// Below the 3 s in which first contact must have said something.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(2500);
const READ_TIMEOUT: Duration = Duration::from_secs(12);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(60);

/// Pinned: a newer one changes what requests look like.
fn behavior_version() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// Puts the clients together. Nothing is contacted yet; the first request is [`byob_apply::Cloud::caller`], which says
/// what is wrong with credentials, role or network.
///
/// # Errors
/// [`ErrorKind::NoRegion`]; [`ErrorKind::NoCredentials`] for a profile that is not there; [`ErrorKind::Invalid`] for
/// configuration files that cannot be read.
pub async fn connect(c: &Connection) -> Result<AwsCloud, CloudError> {
    if let Some((http_client, credentials)) = &c.in_process {
        return in_process(c, http_client.clone(), credentials.clone());
    }
    let (env, fs) = (Env::real(), Fs::real());
    let profiles = load_profiles(&env, &fs, c.profile.as_deref()).await?;
    let role_arn = c.assume_role.as_ref().map(|role| role.role_arn.as_str());
    let places = Places::look(&env, &profiles, c.profile.as_deref(), role_arn);
    check_profile(&places, &profiles)?;
    let region = region(c.region.as_deref(), &env, &profiles).ok_or_else(|| no_region(&places))?;

    let http_client = https_client(c.concurrency, ProxyConfig::from_env);
    let chain = Arc::new(Chain::new(places, standard_chain(c.profile.as_deref(), &region, &http_client)));
    let mut loader = aws_config::defaults(behavior_version())
        .region(Region::new(region.clone()))
        .credentials_provider(SharedCredentialsProvider::new(Shared(Arc::clone(&chain))))
        .identity_cache(IdentityCache::lazy().build())
        .http_client(http_client)
        .retry_config(RetryConfig::standard())
        .timeout_config(timeouts());
    if let Some(profile) = &c.profile {
        loader = loader.profile_name(profile);
    }
    let mut config = loader.load().await;
    check_endpoints(&config)?;
    let endpoint = endpoint(&config);
    if matches!(endpoint, Endpoint::Custom(_)) {
        config = config
            .to_builder()
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
    }
    if let Some(role) = &c.assume_role {
        let mut builder = AssumeRoleProvider::builder(&role.role_arn)
            .configure(&config)
            .session_name(role.session_name.as_deref().unwrap_or("byob"));
        if let Some(external_id) = &role.external_id {
            builder = builder.external_id(external_id);
        }
        let provider = builder.build().await;
        config = config.to_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build();
    }
    Ok(AwsCloud::new(config, endpoint, region, Some(chain), c.concurrency))
}

/// The sandbox: nothing of the environment counts.
fn in_process(
    c: &Connection,
    http_client: SharedHttpClient,
    credentials: SharedCredentialsProvider,
) -> Result<AwsCloud, CloudError> {
    let region = c.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
    let config = SdkConfig::builder()
        .behavior_version(behavior_version())
        .region(Region::new(region.clone()))
        .credentials_provider(credentials)
        .identity_cache(IdentityCache::lazy().build())
        .http_client(http_client)
        // In the same process nobody needs the SDK's usual second between tries.
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(10)))
        .timeout_config(timeouts())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(aws_smithy_async::time::SystemTimeSource::new())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build();
    Ok(AwsCloud::new(config, Endpoint::Sandbox, region, None, c.concurrency))
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

/// As the SDK's own default, proxies of the environment included, but one for all services, and with no more idle
/// connections to a host than can have been in use.
fn https_client(concurrency: usize, proxy: fn() -> ProxyConfig) -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = ConnectorBuilder::default()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
            .pool_max_idle_per_host(concurrency.max(1))
            .proxy_config(proxy());
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.build()
    })
}

/// The standard order. A profile named in `byob.toml` stands alone: credentials that happen to be in the environment
/// must not take its place.
fn standard_chain(
    profile: Option<&str>,
    region: &str,
    http_client: &SharedHttpClient,
) -> Vec<(Source, SharedCredentialsProvider)> {
    let config = ProviderConfig::without_region()
        .with_region(Some(Region::new(region.to_owned())))
        .with_behavior_version(Some(behavior_version()))
        .with_http_client(http_client.clone())
        .with_timeout_config(timeouts());
    let mut profile_builder = ProfileFileCredentialsProvider::builder().configure(&config);
    if let Some(profile) = profile {
        profile_builder = profile_builder.profile_name(profile);
    }
    let profile_source = (Source::Profile, SharedCredentialsProvider::new(profile_builder.build()));
    if profile.is_some() {
        return vec![profile_source];
    }
    // Metadata and container services are on this machine: a proxy would answer for itself.
    let local = config.clone().with_http_client(https_client(1, ProxyConfig::disabled));
    let metadata = imds::Client::builder()
        .configure(&local)
        .max_attempts(1)
        .connect_timeout(METADATA_PATIENCE)
        .read_timeout(METADATA_PATIENCE)
        .operation_attempt_timeout(METADATA_PATIENCE)
        .operation_timeout(METADATA_PATIENCE)
        .build();
    vec![
        (Source::Environment, SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new())),
        profile_source,
        (
            Source::WebIdentity,
            SharedCredentialsProvider::new(
                WebIdentityTokenCredentialsProvider::builder().configure(&config).build(),
            ),
        ),
        (
            Source::Container,
            SharedCredentialsProvider::new(EcsCredentialsProvider::builder().configure(&local).build()),
        ),
        (
            Source::InstanceMetadata,
            SharedCredentialsProvider::new(
                ImdsCredentialsProvider::builder().configure(&local).imds_client(metadata).build(),
            ),
        ),
    ]
}

async fn load_profiles(env: &Env, fs: &Fs, profile: Option<&str>) -> Result<ProfileSet, CloudError> {
    let selected = profile.map(|name| name.to_owned().into());
    aws_config::profile::load(fs, env, &Default::default(), selected).await.map_err(|error| {
        without_request(
            ErrorKind::Invalid,
            format!("the AWS configuration files cannot be read: {}", crate::error::innermost(&error)),
            &["mend ~/.aws/config or ~/.aws/credentials, or point AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE elsewhere"],
        )
    })
}

/// The SDK goes on to the next source where a named profile is not there, and could end up as somebody else.
fn check_profile(places: &Places, profiles: &ProfileSet) -> Result<(), CloudError> {
    if places.profile_exists || !places.profile_named {
        return Ok(());
    }
    let mut names: Vec<&str> = profiles.profiles().collect();
    names.sort_unstable();
    let known = if names.is_empty() {
        "there is no profile in ~/.aws/config or ~/.aws/credentials; `aws configure sso` makes one".to_owned()
    } else {
        format!("profiles there: {}", names.join(", "))
    };
    Err(without_request(
        ErrorKind::NoCredentials,
        format!("AWS profile `{}` does not exist", places.profile),
        &[&known, "it is named by `profile` in byob.toml or by AWS_PROFILE"],
    ))
}

fn region(given: Option<&str>, env: &Env, profiles: &ProfileSet) -> Option<String> {
    let of_env = |name: &str| env.get(name).ok().filter(|value| !value.trim().is_empty());
    given
        .map(str::to_owned)
        .or_else(|| of_env("AWS_REGION"))
        .or_else(|| of_env("AWS_DEFAULT_REGION"))
        .or_else(|| profiles.get("region").map(str::to_owned))
}

fn no_region(places: &Places) -> CloudError {
    without_request(
        ErrorKind::NoRegion,
        format!(
            "no AWS region\n  looked in: `[aws] region` of byob.toml, AWS_REGION, AWS_DEFAULT_REGION, profile `{}`{}",
            places.profile,
            if places.profile_exists { " (has none)" } else { " (not there)" }
        ),
        &[
            "write `region = \"us-east-1\"` under `[aws]`, so that everybody who runs this file means the same place",
        ],
    )
}

/// Where S3 goes: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` and their like in the profile.
fn endpoint(config: &SdkConfig) -> Endpoint {
    endpoint_url(config).map_or(Endpoint::Aws, |url| endpoint_of_url(&url))
}

/// The address that S3 was given; `None`: AWS's own.
pub(crate) fn endpoint_url(config: &SdkConfig) -> Option<String> {
    endpoint_url_of("S3", config)
}

fn endpoint_url_of(service_id: &str, config: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(service_id);
    let key = key.env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let of_service = key.ok().and_then(|key| config.service_config()?.load_config(key));
    of_service.or_else(|| config.endpoint_url().map(str::to_owned))
}

/// An address that the SDK could not use it would repeat whole, and one with a password in it is a secret.
fn check_endpoints(config: &SdkConfig) -> Result<(), CloudError> {
    ["S3", "KMS", "STS", "IAM"]
        .iter()
        .filter_map(|service| Some((service, endpoint_url_of(service, config)?)))
        .find_map(|(service, url)| Some((service, wrong_endpoint(&url)?)))
        .map_or(Ok(()), |(service, wrong)| {
            Err(without_request(
                ErrorKind::Invalid,
                format!("the endpoint for {service} cannot be used: {wrong}"),
                &["correct AWS_ENDPOINT_URL (or AWS_ENDPOINT_URL_… of one service, or `endpoint_url` of the profile): \
                   http://HOST:PORT or https://HOST"],
            ))
        })
}

/// What is wrong with an endpoint, in words that repeat nothing of it.
fn wrong_endpoint(url: &str) -> Option<&'static str> {
    let Ok(uri) = url.parse::<http::Uri>() else { return Some("it is no URL") };
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(authority)) if authority.as_str().contains('@') => {
            Some("a user or password stands in it, which AWS's services do not know; requests are signed")
        }
        (Some("http" | "https"), Some(_)) => None,
        _ => Some("it does not begin with http:// or https:// and a host"),
    }
}

/// A private endpoint in one of AWS's own domains is AWS.
fn endpoint_of_url(url: &str) -> Endpoint {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let authority = authority.rsplit('@').next().unwrap_or(authority).to_ascii_lowercase();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            (host, port.to_owned())
        }
        _ => (authority.as_str(), if scheme == "http" { "80".to_owned() } else { "443".to_owned() }),
    };
    let of_aws = [".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws"];
    if of_aws.iter().any(|domain| host.ends_with(domain)) {
        return Endpoint::Aws;
    }
    Endpoint::Custom(format!("{host}:{port}"))
}

#[cfg(test)]
#[path = "connect_tests.rs"]
mod tests;
