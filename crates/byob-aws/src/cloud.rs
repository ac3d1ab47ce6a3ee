//! The clients, one set a region, made on demand over one HTTP client and one identity cache; the bound on requests in
//! flight; AWS's clock; and the one way on which every request goes.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::sts::AssumeRoleProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use byob_apply::cloud::Needed;
use byob_apply::{Caller, Cloud, CloudError, Done, ErrorKind};
use byob_model::call::Call;
use byob_model::live::{Live, Wanted};
use byob_plan::trail::OUR_AGENT;
use tokio::sync::{OnceCell, Semaphore};
use tracing::Instrument as _;

use crate::credentials::Chain;
use crate::error::{About, credentials_error, credentials_timed_out, without_request};
use crate::trace::Attempts;

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// AWS itself, private endpoints in its own domains included.
    Aws,
    /// Another one, as `host:port`.
    Custom(String),
    /// The embedded AWS, in this process.
    Sandbox,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aws => f.write_str("aws"),
            Self::Custom(host) => f.write_str(host),
            Self::Sandbox => f.write_str("sandbox"),
        }
    }
}

/// What CloudTrail shows of an assumed role.
const ROLE_SESSION: &str = "byob-verify";

/// How many requests of an assumed role may be in flight at once.
const CONCURRENCY_OF_A_ROLE: usize = 32;

/// AWS, through its SDK. Made by [`crate::connect`].
pub struct AwsCloud {
    config: SdkConfig,
    endpoint: Endpoint,
    region: String,
    chain: Option<Arc<Chain>>,
    regions: Mutex<BTreeMap<String, Clients>>,
    iam: aws_sdk_iam::Client,
    caller: OnceCell<Caller>,
    gate: Semaphore,
    clock: CloudClock,
}

/// The clients of one region. The SDK retries reads; writes are made once, because a retry behind a lost answer would
/// hide that the first one may have had its effect.
#[derive(Debug, Clone)]
struct Clients {
    s3: aws_sdk_s3::Client,
    s3_once: aws_sdk_s3::Client,
    kms: aws_sdk_kms::Client,
    kms_once: aws_sdk_kms::Client,
}

impl fmt::Debug for AwsCloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsCloud")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl AwsCloud {
    pub(crate) fn new(
        config: SdkConfig,
        endpoint: Endpoint,
        region: String,
        chain: Option<Arc<Chain>>,
        concurrency: usize,
    ) -> Self {
        let clock = CloudClock::default();
        let iam = aws_sdk_iam::Client::from_conf(
            aws_sdk_iam::config::Builder::from(&config)
                .interceptor(clock.clone())
                .interceptor(Attempts)
                .build(),
        );
        Self {
            config,
            endpoint,
            region,
            chain,
            regions: Mutex::new(BTreeMap::new()),
            iam,
            caller: OnceCell::new(),
            gate: Semaphore::new(concurrency.max(1)),
            clock,
        }
    }

    /// Where requests go.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    /// Whether S3 is reached without TLS, as no AWS is but a stand-in may be.
    #[must_use]
    pub fn is_plain_http(&self) -> bool {
        crate::connect::endpoint_url(&self.config).is_some_and(|url| url.starts_with("http://"))
    }

    /// The region that nothing more specific was said for.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The same connection as another role, which the caller assumes.
    ///
    /// # Errors
    /// The role cannot be assumed.
    pub async fn assuming(&self, role_arn: &str) -> Result<Self, CloudError> {
        // Once by hand: a provider of credentials hides what STS said in words of its own.
        let about = About { operation: "AssumeRole", iam_action: "sts:AssumeRole", resource: role_arn };
        let config = aws_sdk_sts::config::Builder::from(&self.config).interceptor(self.clock.clone()).build();
        let request = aws_sdk_sts::Client::from_conf(config)
            .assume_role()
            .role_arn(role_arn)
            .role_session_name(ROLE_SESSION)
            .send();
        self.ask(about, request).await?;
        let provider =
            AssumeRoleProvider::builder(role_arn).configure(&self.config).session_name(ROLE_SESSION).build();
        let credentials = SharedCredentialsProvider::new(provider.await);
        let config = self.config.to_builder().credentials_provider(credentials).build();
        Ok(Self::new(config, self.endpoint.clone(), self.region.clone(), None, CONCURRENCY_OF_A_ROLE))
    }

    /// What an HTTP client that signs nothing is made of.
    pub(crate) fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Reads of S3 in a region.
    pub(crate) fn s3(&self, region: &str) -> aws_sdk_s3::Client {
        self.clients(region).s3
    }

    /// Writes of S3 in a region.
    pub(crate) fn s3_once(&self, region: &str) -> aws_sdk_s3::Client {
        self.clients(region).s3_once
    }

    /// Reads of KMS in a region.
    pub(crate) fn kms(&self, region: &str) -> aws_sdk_kms::Client {
        self.clients(region).kms
    }

    /// Writes of KMS in a region.
    pub(crate) fn kms_once(&self, region: &str) -> aws_sdk_kms::Client {
        self.clients(region).kms_once
    }

    /// Reads of IAM, which has one endpoint a partition.
    pub(crate) fn iam(&self) -> &aws_sdk_iam::Client {
        &self.iam
    }

    /// CloudTrail's event history of a region.
    pub(crate) fn cloudtrail(&self, region: &str) -> aws_sdk_cloudtrail::Client {
        let config = self.config.to_builder().region(Region::new(region.to_owned())).build();
        aws_sdk_cloudtrail::Client::from_conf(
            aws_sdk_cloudtrail::config::Builder::from(&config).interceptor(self.clock.clone()).build(),
        )
    }

    fn clients(&self, region: &str) -> Clients {
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(clients) = regions.get(region) {
            return clients.clone();
        }
        let clients = self.new_clients(region);
        regions.insert(region.to_owned(), clients.clone());
        clients
    }

    fn new_clients(&self, region: &str) -> Clients {
        let config = self.config.to_builder().region(Region::new(region.to_owned())).build();
        // Other stores have no virtual-hosted addresses; they are found under one host name.
        let path_style = self.endpoint != Endpoint::Aws;
        let s3 = aws_sdk_s3::config::Builder::from(&config)
            .force_path_style(path_style)
            .interceptor(self.clock.clone())
            .interceptor(Attempts)
            .build();
        let kms = aws_sdk_kms::config::Builder::from(&config)
            .interceptor(self.clock.clone())
            .interceptor(Attempts)
            .build();
        let s3_once = s3.to_builder().retry_config(RetryConfig::disabled()).build();
        let kms_once = kms.to_builder().retry_config(RetryConfig::disabled()).build();
        Clients {
            s3: aws_sdk_s3::Client::from_conf(s3),
            s3_once: aws_sdk_s3::Client::from_conf(s3_once),
            kms: aws_sdk_kms::Client::from_conf(kms),
            kms_once: aws_sdk_kms::Client::from_conf(kms_once),
        }
    }

    /// Makes a request when there is room for one more, and hands its answer on as it is.
    ///
    /// Boxed, because the SDK's futures are large and a hundred buckets make a thousand of them.
    pub(crate) async fn raw<T, E>(
        &self,
        about: About<'_>,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, SdkError<E, HttpResponse>>
    where
        E: ProvideErrorMetadata,
    {
        let request = Box::pin(request);
        // The gate is never closed; if it were, the request would go without waiting.
        let _room = self.gate.acquire().await.ok();
        let span = crate::trace::call(about);
        let answer = request.instrument(span.clone()).await;
        span.record("code", answer.as_ref().err().and_then(ProvideErrorMetadata::code));
        answer
    }

    /// Makes a request and classifies what is no success.
    pub(crate) async fn ask<T, E>(
        &self,
        about: About<'_>,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, CloudError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        self.raw(about, request).await.map_err(|error| self.explain(about, &error))
    }

    /// Classifies, and where it was for want of credentials says where byob looked.
    pub(crate) fn explain<E>(&self, about: About<'_>, error: &SdkError<E, HttpResponse>) -> CloudError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if let Some(chain) = &self.chain {
            if let Some(cause) = credentials_error(error) {
                return chain.diagnose(cause);
            }
            if credentials_timed_out(error) {
                return chain.too_slow();
            }
        }
        let mut found = about.classify(error);
        if found.kind == ErrorKind::ExpiredCredentials && found.help.is_empty() {
            found.help = self.chain.as_ref().map(|chain| chain.renew()).unwrap_or_default();
        }
        found
    }

    async fn who(&self) -> Result<Caller, CloudError> {
        let once = aws_sdk_sts::config::Builder::from(&self.config)
            .retry_config(RetryConfig::disabled())
            .interceptor(self.clock.clone())
            .interceptor(Attempts)
            .build();
        match self.who_by(aws_sdk_sts::Client::from_conf(once)).await {
            // The first contact is made once, so that nobody waits long to hear that nothing is there.
            Err(error) if matches!(error.kind, ErrorKind::Throttled | ErrorKind::Internal) => {
                let config = aws_sdk_sts::config::Builder::from(&self.config)
                    .interceptor(self.clock.clone())
                    .interceptor(Attempts)
                    .build();
                self.who_by(aws_sdk_sts::Client::from_conf(config)).await
            }
            answer => answer,
        }
    }

    async fn who_by(&self, sts: aws_sdk_sts::Client) -> Result<Caller, CloudError> {
        let about = About { operation: "GetCallerIdentity", iam_action: "", resource: "" };
        let answer = self
            .ask(about, sts.get_caller_identity().send())
            .await
            .map_err(|error| self.unreachable(error))?;
        match (answer.account(), answer.arn()) {
            (Some(account), Some(arn)) => Ok(Caller { account_id: account.to_owned(), arn: arn.to_owned() }),
            _ => Err(about.error(ErrorKind::Unexpected, "the answer names no account")),
        }
    }

    /// First contact failed for want of a network: says what was tried to be reached.
    fn unreachable(&self, error: CloudError) -> CloudError {
        if let (None, None, Some(status)) = (&error.code, &error.request_id, error.status) {
            return without_request(
                ErrorKind::Network,
                format!("{} answers, but not as AWS does: HTTP {status}", self.place()),
                &[
                    "something in between answers in its place: look at HTTPS_PROXY, NO_PROXY and AWS_ENDPOINT_URL",
                ],
            );
        }
        // Without an operation the chain has spoken: it was a source of credentials that did not answer.
        if error.kind != ErrorKind::Network || error.operation.is_empty() {
            return error;
        }
        let help: &[&str] = match &self.endpoint {
            Endpoint::Custom(_) => &[
                "AWS_ENDPOINT_URL, or `endpoint_url` of the profile, points there; unset it to reach AWS itself",
            ],
            _ => &[
                "look at the network and, behind a proxy, at HTTPS_PROXY and NO_PROXY; a misspelt region has no address either",
                "to try byob without an account: byob plan --sandbox",
            ],
        };
        let cause = error.message.strip_prefix("no answer: ").unwrap_or(&error.message);
        without_request(ErrorKind::Network, format!("{} does not answer: {cause}", self.place()), help)
    }

    fn place(&self) -> String {
        match &self.endpoint {
            Endpoint::Custom(host) => format!("the endpoint {host}"),
            _ => format!("AWS in {}", self.region),
        }
    }
}

impl Cloud for AwsCloud {
    async fn caller(&self) -> Result<Caller, CloudError> {
        self.caller.get_or_try_init(|| Box::pin(self.who())).await.cloned()
    }

    async fn read(&self, wanted: &Wanted) -> Result<Live, CloudError> {
        Box::pin(crate::read::read(self, wanted)).await
    }

    async fn perform(&self, call: &Call) -> Result<Done, CloudError> {
        Box::pin(crate::perform::perform(self, call)).await
    }

    async fn denied(&self, caller: &Caller, needed: &[Needed]) -> Result<Vec<Needed>, CloudError> {
        Box::pin(crate::permission::denied(self, caller, needed)).await
    }

    async fn principal_exists(&self, arn: &str) -> Result<bool, CloudError> {
        Box::pin(crate::permission::principal_exists(self, arn)).await
    }

    fn cloud_time(&self) -> Option<i64> {
        self.clock.now()
    }
}

/// The newest `Date` of any answer; AWS's clock, whatever the machine's says.
#[derive(Debug, Clone)]
struct CloudClock(Arc<AtomicI64>);

const NEVER: i64 = i64::MIN;

impl Default for CloudClock {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(NEVER)))
    }
}

impl CloudClock {
    fn now(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|&seconds| seconds != NEVER)
    }

    fn see(&self, date: &str) {
        if let Ok(date) = DateTime::from_str(date, Format::HttpDate) {
            self.0.fetch_max(date.secs(), Ordering::Relaxed);
        }
    }
}

impl Intercept for CloudClock {
    fn name(&self) -> &'static str {
        "CloudClock"
    }

    /// Every request says that it is byob's, so that CloudTrail can tell (`byob drift --who`). The header is not signed.
    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request_mut().headers_mut();
        let agent = headers.get("user-agent").unwrap_or_default().to_owned();
        if !agent.split_whitespace().any(|word| word == OUR_AGENT) {
            headers.insert("user-agent", format!("{agent} {OUR_AGENT}").trim_start().to_owned());
        }
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.see(date);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clouds_clock_is_the_newest_date_seen() {
        let clock = CloudClock::default();
        assert_eq!(clock.now(), None);
        clock.see("not a date");
        assert_eq!(clock.now(), None);
        clock.see("Fri, 20 Nov 2026 14:02:11 GMT");
        clock.see("Fri, 20 Nov 2026 14:02:10 GMT");
        assert_eq!(clock.now(), Some(1_795_183_331));
    }
}
