//! Where credentials come from: the standard chain, put together here so that byob can say where it looked, and so
//! that a machine without instance metadata does not wait for it. Nothing here prints or keeps a secret.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_config::profile::ProfileSet;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_types::os_shim_internal::Env;
use byob_apply::{CloudError, ErrorKind};

use crate::error::{About, innermost, sources, without_request};

/// How long instance metadata may take to answer one request. Where it is, it answers within milliseconds.
pub(crate) const METADATA_PATIENCE: Duration = Duration::from_secs(1);

const WITHOUT_ACCOUNT: &str = "to try byob without an account: byob plan --sandbox";

/// A place where credentials can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Environment,
    Profile,
    WebIdentity,
    Container,
    InstanceMetadata,
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Self::Environment => "the environment",
            Self::Profile => "the profile",
            Self::WebIdentity => "web identity (AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN)",
            Self::Container => "the container's credential service",
            Self::InstanceMetadata => "instance metadata",
        }
    }
}

/// What can be known about those places without asking anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    /// Name of the selected profile.
    pub(crate) profile: String,
    /// Whether somebody named it, in `byob.toml` or `AWS_PROFILE`.
    pub(crate) profile_named: bool,
    /// Whether the configuration files have it.
    pub(crate) profile_exists: bool,
    /// The command that renews its session, where it has one.
    pub(crate) login: Option<&'static str>,
    /// `AWS_ACCESS_KEY_ID` is set without `AWS_SECRET_ACCESS_KEY`, or the other way round.
    pub(crate) half_a_key: bool,
    /// `AWS_EC2_METADATA_DISABLED`.
    pub(crate) metadata_off: bool,
    /// `assume_role` of `byob.toml`.
    pub(crate) role_arn: Option<String>,
}

impl Places {
    pub(crate) fn look(
        env: &Env,
        profiles: &ProfileSet,
        named: Option<&str>,
        role_arn: Option<&str>,
    ) -> Self {
        let set = |name: &str| env.get(name).is_ok_and(|value| !value.trim().is_empty());
        let profile = profiles.selected_profile().to_owned();
        Self {
            profile_named: named.is_some() || set("AWS_PROFILE"),
            profile_exists: profiles.get_profile(&profile).is_some(),
            login: login_command(profiles, &profile),
            half_a_key: set("AWS_ACCESS_KEY_ID") != set("AWS_SECRET_ACCESS_KEY"),
            metadata_off: env
                .get("AWS_EC2_METADATA_DISABLED")
                .is_ok_and(|value| value.eq_ignore_ascii_case("true")),
            role_arn: role_arn.map(str::to_owned),
            profile,
        }
    }

    fn words(&self, source: Source, tried: &Tried) -> String {
        match source {
            Source::Environment if self.half_a_key => {
                "environment (one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is missing)".to_owned()
            }
            Source::Environment => "environment".to_owned(),
            Source::Profile if self.profile_exists => format!("profile `{}` (has none)", self.profile),
            Source::Profile => format!("profile `{}` (not there)", self.profile),
            Source::WebIdentity => "web identity".to_owned(),
            Source::Container => "container".to_owned(),
            Source::InstanceMetadata if self.metadata_off => {
                "instance metadata (switched off by AWS_EC2_METADATA_DISABLED)".to_owned()
            }
            Source::InstanceMetadata if tried.took >= METADATA_PATIENCE.mul_f32(0.9) => {
                format!("instance metadata (no answer in {} s)", METADATA_PATIENCE.as_secs())
            }
            Source::InstanceMetadata => match &tried.said {
                Some(said) => format!("instance metadata ({said})"),
                None => "instance metadata (no answer)".to_owned(),
            },
        }
    }
}

/// A profile may get its credentials from another one; the session to renew is at the end of that road.
fn login_command(profiles: &ProfileSet, name: &str) -> Option<&'static str> {
    let mut name = name;
    for _ in 0..8 {
        let profile = profiles.get_profile(name)?;
        if profile.get("sso_session").is_some() || profile.get("sso_start_url").is_some() {
            return Some("aws sso login");
        }
        if profile.get("login_session").is_some() {
            return Some("aws login");
        }
        name = profile.get("source_profile")?;
    }
    None
}

#[derive(Debug, Clone)]
struct Tried {
    source: Source,
    took: Duration,
    /// What it said that was neither credentials nor that it has none.
    said: Option<String>,
}

/// The sources in the order in which they are asked; the first that has credentials wins, and one that has them and
/// cannot give them ends the search.
#[derive(Debug)]
pub(crate) struct Chain {
    places: Places,
    sources: Vec<(Source, SharedCredentialsProvider)>,
    tried: Mutex<Vec<Tried>>,
    /// The one being asked, for when nobody waits for its answer any longer.
    asking: Mutex<Option<Source>>,
}

impl Chain {
    pub(crate) fn new(places: Places, sources: Vec<(Source, SharedCredentialsProvider)>) -> Self {
        Self { places, sources, tried: Mutex::new(Vec::new()), asking: Mutex::new(None) }
    }

    async fn search(&self) -> provider::Result {
        let mut tried = Vec::with_capacity(self.sources.len());
        let mut answer = Err(CredentialsError::not_loaded_no_source());
        for (source, provider) in &self.sources {
            *self.asking.lock().unwrap_or_else(PoisonError::into_inner) = Some(*source);
            let start = Instant::now();
            let found = provider.provide_credentials().await;
            let took = start.elapsed();
            let said = match &found {
                Ok(_) | Err(CredentialsError::CredentialsNotLoaded(_)) => None,
                Err(error) => Some(innermost(error)),
            };
            tried.push(Tried { source: *source, took, said });
            match found {
                Err(CredentialsError::CredentialsNotLoaded(_)) => {}
                // Most machines are none of EC2's, and many have something else under that address.
                Err(_) if *source == Source::InstanceMetadata => {}
                decided => {
                    answer = decided;
                    break;
                }
            }
        }
        *self.tried.lock().unwrap_or_else(PoisonError::into_inner) = tried;
        answer
    }

    /// Says what a failure of credentials was, where byob looked, and what to do.
    pub(crate) fn diagnose(&self, cause: &CredentialsError) -> CloudError {
        // With a role to assume, its failure stands outside and the chain's, if that was it, inside.
        let inner = sources(cause)
            .filter_map(|source| source.downcast_ref::<CredentialsError>())
            .last()
            .unwrap_or(cause);
        if let (Some(role), Some(refusal)) = (&self.places.role_arn, assume_role_error(cause))
            && matches!(refusal, SdkError::ServiceError(_))
        {
            return role_refused(role, refusal);
        }
        if sources(inner).any(<dyn Error>::is::<ConnectorError>) {
            // One error alone is the role's: the chain had credentials to ask with.
            let asked = match &self.places.role_arn {
                Some(role) if std::ptr::eq(inner, cause) => format!("AWS, asked to assume {role},"),
                _ => self.asked(),
            };
            return without_request(
                ErrorKind::Network,
                format!("{asked} does not answer: {}", innermost(inner)),
                &["look at the network and, behind a proxy, at HTTPS_PROXY and NO_PROXY", WITHOUT_ACCOUNT],
            );
        }
        match inner {
            CredentialsError::CredentialsNotLoaded(_) => self.nowhere(),
            CredentialsError::InvalidConfiguration(_) => without_request(
                ErrorKind::NoCredentials,
                format!("the AWS configuration cannot be used: {}", innermost(inner)),
                &[
                    "mend it in ~/.aws/config or ~/.aws/credentials (AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE)",
                ],
            ),
            _ => self.failed(inner),
        }
    }

    /// What to do when credentials that were found are not accepted any more.
    pub(crate) fn renew(&self) -> Vec<String> {
        match (self.last(), self.places.login) {
            (Some(Source::Profile), Some(login)) => {
                vec![format!("{login} --profile {}", self.places.profile)]
            }
            (Some(Source::Environment), _) => {
                vec!["renew AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; they come before any profile"
                    .to_owned()]
            }
            (Some(_), _) => vec![format!("renew the credentials of {}", self.asked())],
            (None, _) => Vec::new(),
        }
    }

    /// The SDK waits for credentials only so long, and does not say for which.
    pub(crate) fn too_slow(&self) -> CloudError {
        let place =
            self.asking.lock().unwrap_or_else(PoisonError::into_inner).map_or("the chain", Source::name);
        without_request(
            ErrorKind::NoCredentials,
            format!("no AWS credentials: {place} did not answer in time (profile `{}`)", self.places.profile),
            &["look at the network and, behind a proxy, at HTTPS_PROXY and NO_PROXY", WITHOUT_ACCOUNT],
        )
    }

    fn nowhere(&self) -> CloudError {
        let tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let looked: Vec<String> = tried.iter().map(|tried| self.places.words(tried.source, tried)).collect();
        let login = match (self.places.login, self.places.profile_named) {
            (Some(login), _) => format!("`{login} --profile {}`; {WITHOUT_ACCOUNT}", self.places.profile),
            (None, _) => format!("`aws sso login`, or AWS_PROFILE=…; {WITHOUT_ACCOUNT}"),
        };
        without_request(
            ErrorKind::NoCredentials,
            format!("no AWS credentials\n  looked in: {}", looked.join(", ")),
            &[&login],
        )
    }

    fn failed(&self, cause: &CredentialsError) -> CloudError {
        let said = innermost(cause);
        let profile = &self.places.profile;
        match (self.last(), self.places.login) {
            (Some(Source::Profile), Some(login)) if !said.contains("Forbidden") => {
                let session = if login == "aws login" { "login" } else { "SSO" };
                without_request(
                    ErrorKind::ExpiredCredentials,
                    format!(
                        "the {session} session of profile `{profile}` has expired, or was never begun ({said})"
                    ),
                    &[&format!("{login} --profile {profile}")],
                )
            }
            _ => {
                let kind = if said.contains("ExpiredToken") || said.contains("expired") {
                    ErrorKind::ExpiredCredentials
                } else {
                    ErrorKind::NoCredentials
                };
                without_request(
                    kind,
                    format!("no AWS credentials: {} answered \"{said}\"", self.asked()),
                    &[WITHOUT_ACCOUNT],
                )
            }
        }
    }

    fn last(&self) -> Option<Source> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner).last().map(|tried| tried.source)
    }

    /// The source asked last, in words.
    fn asked(&self) -> String {
        match self.last() {
            Some(Source::Environment) => "the environment".to_owned(),
            Some(Source::Profile) | None => format!("profile `{}`", self.places.profile),
            Some(Source::WebIdentity) => {
                "web identity (AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN)".to_owned()
            }
            Some(Source::Container) => "the container's credential service".to_owned(),
            Some(Source::InstanceMetadata) => "instance metadata".to_owned(),
        }
    }
}

fn assume_role_error(cause: &CredentialsError) -> Option<&SdkError<AssumeRoleError, HttpResponse>> {
    sources(cause).find_map(|source| source.downcast_ref())
}

fn role_refused(role: &str, refusal: &SdkError<AssumeRoleError, HttpResponse>) -> CloudError {
    let about = About { operation: "AssumeRole", iam_action: "sts:AssumeRole", resource: role };
    let mut error = about.classify(refusal);
    if error.kind == ErrorKind::AccessDenied {
        error.help = vec![
            "the role's trust policy must name the caller (and the `external_id`, if it asks for one), and the caller must be allowed sts:AssumeRole on it".to_owned(),
        ];
    }
    error
}

/// The chain as the SDK wants it; shared with what diagnoses its failures.
#[derive(Debug)]
pub(crate) struct Shared(pub(crate) std::sync::Arc<Chain>);

impl ProvideCredentials for Shared {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.0.search())
    }
}
