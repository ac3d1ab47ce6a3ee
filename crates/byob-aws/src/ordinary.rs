//! An HTTP client that signs nothing and knows nothing of S3, over the connection's own connector: as browsers and W&B's
//! clients use pre-signed URLs. An address is a secret as long as it is good: it stands in no error and no log.

use std::convert::Infallible;
use std::fmt;

use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::timeout::TimeoutConfig;
use byob_verify::Reply;

use crate::cloud::AwsCloud;
use crate::error::innermost;

/// A request as it is.
#[derive(Clone)]
pub(crate) struct Ordinary {
    pub(crate) method: &'static str,
    /// Whole, with its query.
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl fmt::Debug for Ordinary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ordinary").field("method", &self.method).finish_non_exhaustive()
    }
}

/// Sends it once.
///
/// # Errors
/// No answer, and why.
pub(crate) async fn send(cloud: &AwsCloud, request: Ordinary) -> Result<Reply, String> {
    let config = cloud.config();
    let Some(client) = config.http_client() else { return Err("there is no HTTP client".to_owned()) };
    let Some((server, _)) = apart(&request.url) else {
        return Err("the address cannot be read".to_owned());
    };
    let mut operation = Operation::builder()
        .service_name("ordinary")
        .operation_name("Request")
        .http_client(client)
        .endpoint_url(server)
        .no_auth()
        .no_retry()
        .timeout_config(config.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled));
    if let Some(sleep) = config.sleep_impl() {
        operation = operation.sleep_impl(sleep);
    }
    let operation = operation.serializer(to_http).deserializer(from_http).build();
    Box::pin(operation.invoke(request)).await.map_err(|error| match &error {
        SdkError::TimeoutError(_) => "no answer in time".to_owned(),
        error => format!("no answer: {}", innermost(error)),
    })
}

/// `https://host:port` and what stands behind it.
pub(crate) fn apart(url: &str) -> Option<(&str, &str)> {
    let start = url.find("://")? + "://".len();
    let end = url.get(start..)?.find('/').map_or(url.len(), |at| start + at);
    Some((url.get(..end)?, url.get(end..)?))
}

fn to_http(request: Ordinary) -> Result<HttpRequest, BoxError> {
    let (_, path) = apart(&request.url).unwrap_or_default();
    let mut http = HttpRequest::new(SdkBody::from(request.body.clone()));
    http.set_method(request.method)?;
    http.set_uri(path)?;
    if !request.body.is_empty() {
        http.headers_mut().insert("content-length", request.body.len().to_string());
    }
    for (name, value) in request.headers {
        http.headers_mut().insert(name, value);
    }
    Ok(http)
}

fn from_http(response: &HttpResponse) -> Result<Reply, OrchestratorError<Infallible>> {
    Ok(Reply {
        status: response.status().as_u16(),
        headers: response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        body: response.body().bytes().unwrap_or_default().to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_behind_its_port() {
        assert_eq!(
            apart("https://b.s3.eu-west-1.amazonaws.com/k?x=1"),
            Some(("https://b.s3.eu-west-1.amazonaws.com", "/k?x=1"))
        );
        assert_eq!(apart("http://127.0.0.1:5000/b/k"), Some(("http://127.0.0.1:5000", "/b/k")));
        assert_eq!(apart("http://127.0.0.1:5000"), Some(("http://127.0.0.1:5000", "")));
        assert_eq!(apart("nothing"), None);
    }

    #[test]
    fn an_address_stands_in_no_log() {
        let request = Ordinary {
            method: "GET",
            url: "https://h/k?X-Amz-Signature=abc".to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        assert!(!format!("{request:?}").contains("abc"));
    }
}
