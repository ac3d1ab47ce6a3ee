//! Calls to AWS as spans: which operation on what, how often it was tried, and what came back, by AWS's request id. Whoever
//! listens to `tracing` sees them; names and answers stand in them, and never what is sent.

use aws_config::Region;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use tracing::Span;
use tracing::field::Empty;

use crate::error::{About, request_id};

/// The span of one call, its tries included. What is empty here is recorded when it is known.
pub(crate) fn call(about: About<'_>) -> Span {
    tracing::debug_span!(
        "call",
        operation = about.operation,
        resource = about.resource,
        region = Empty,
        attempt = Empty,
        status = Empty,
        code = Empty,
        request_id = Empty,
    )
}

/// Records on the span of a call what its last try came to, and tells of each try that was followed by another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempts;

/// What came of the try before.
#[derive(Debug, Default)]
struct Answered {
    status: Option<u16>,
    request_id: Option<String>,
}

impl Storable for Answered {
    type Storer = StoreReplace<Self>;
}

impl Answered {
    fn of(response: Option<&HttpResponse>) -> Self {
        Self {
            status: response.map(|response| response.status().as_u16()),
            request_id: response.and_then(request_id),
        }
    }
}

fn attempt(bag: &ConfigBag) -> u32 {
    bag.load::<RequestAttempts>().map_or(1, RequestAttempts::attempts)
}

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        Span::current().record("region", bag.load::<Region>().map(Region::as_ref));
        let now = attempt(bag);
        if now > 1 {
            let before = bag.load::<Answered>();
            tracing::debug!(
                name: "call_retried",
                attempt = now - 1,
                status = before.and_then(|before| before.status),
                request_id = before.and_then(|before| before.request_id.as_deref()),
            );
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answered = Answered::of(context.response());
        bag.interceptor_state().store_put(answered);
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (span, answered) = (Span::current(), Answered::of(context.response()));
        span.record("attempt", attempt(bag));
        span.record("status", answered.status);
        span.record("request_id", answered.request_id.as_deref());
        Ok(())
    }
}
