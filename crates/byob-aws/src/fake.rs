//! A scripted AWS behind the SDK's HTTP client: answers by what is asked, and keeps what was asked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use crate::{AwsCloud, Connection, connect};

pub(crate) const ACCOUNT: &str = "123456789012";

/// One request that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// `GET cors`, `HEAD`, `DescribeKey`, `GetCallerIdentity`.
    pub(crate) operation: String,
    /// Host and path.
    pub(crate) address: String,
    pub(crate) query: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    lost: bool,
}

impl Answer {
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into(), lost: false }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::ok("") }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// An error of S3, IAM or STS (XML, the latter two one level deeper).
    pub(crate) fn error(status: u16, code: &str) -> Self {
        let error = format!("<Code>{code}</Code><Message>said</Message>");
        Self { status, ..Self::ok(format!("<Error>{error}<Error>{error}</Error></Error>")) }
            .header("x-amz-request-id", "REQ1")
    }

    /// An error of IAM or STS.
    pub(crate) fn query_error(status: u16, code: &str) -> Self {
        let error = format!("<Code>{code}</Code><Message>said</Message>");
        Self { status, ..Self::ok(format!("<ErrorResponse><Error>{error}</Error></ErrorResponse>")) }
            .header("x-amzn-requestid", "REQ1")
    }

    /// An error of KMS.
    pub(crate) fn json_error(code: &str) -> Self {
        Self { status: 400, ..Self::ok(format!(r#"{{"__type":"{code}","message":"said"}}"#)) }
            .header("x-amzn-requestid", "REQ1")
    }

    /// The connection breaks before the answer.
    pub(crate) fn lost() -> Self {
        Self { lost: true, ..Self::ok("") }
    }
}

#[derive(Debug)]
struct Rule {
    operation: String,
    place: String,
    answers: Vec<Answer>,
}

#[derive(Debug, Default)]
struct World {
    rules: Mutex<Vec<Rule>>,
    seen: Mutex<Vec<Seen>>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Fake(Arc<World>);

impl Fake {
    /// A world in which the caller is known and nothing else.
    pub(crate) fn new() -> Self {
        Self::default().on(
            "GetCallerIdentity",
            Answer::ok(format!(
                "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:user/me</Arn>\
                 <Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
            )),
        )
    }

    pub(crate) fn on(self, operation: &str, answer: Answer) -> Self {
        self.at(operation, "", answer)
    }

    /// Where host, path or query contains `place`. Later rules come first.
    pub(crate) fn at(self, operation: &str, place: &str, answer: Answer) -> Self {
        self.each(operation, place, vec![answer])
    }

    /// One answer after the other; the last one stays.
    pub(crate) fn each(self, operation: &str, place: &str, answers: Vec<Answer>) -> Self {
        let rule = Rule { operation: operation.to_owned(), place: place.to_owned(), answers };
        self.0.rules.lock().unwrap().insert(0, rule);
        self
    }

    pub(crate) async fn cloud(&self) -> AwsCloud {
        connect(&Connection {
            region: Some("us-east-1".to_owned()),
            in_process: Some((self.http_client(), credentials())),
            concurrency: 4,
            ..Connection::default()
        })
        .await
        .unwrap()
    }

    pub(crate) fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.0.seen.lock().unwrap().clone()
    }

    /// The requests of one operation.
    pub(crate) fn asked(&self, operation: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.operation == operation).collect()
    }

    /// All operations but first contact, in order.
    pub(crate) fn operations(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.operation).filter(|op| op != "GetCallerIdentity").collect()
    }

    pub(crate) fn most_in_flight(&self) -> usize {
        self.0.most_in_flight.load(Ordering::SeqCst)
    }

    fn answer(&self, seen: &Seen) -> Answer {
        let mut rules = self.0.rules.lock().unwrap();
        let rule = rules.iter_mut().find(|rule| {
            rule.operation == seen.operation
                && (seen.address.contains(&rule.place)
                    || seen.query.contains(&rule.place)
                    || seen.body.contains(&rule.place))
        });
        match rule {
            Some(rule) if rule.answers.len() > 1 => rule.answers.remove(0),
            Some(rule) => rule.answers[0].clone(),
            None => Answer::error(418, &format!("Unscripted: {} {}", seen.operation, seen.address)),
        }
    }
}

pub(crate) fn credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("AKIAEXAMPLE", "secret", None, None, "fake"))
}

impl HttpClient for Fake {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Fake {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let seen = see(&request);
        let answer = self.answer(&seen);
        self.0.seen.lock().unwrap().push(seen);
        let world = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            let now = world.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
            world.most_in_flight.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(1)).await;
            world.in_flight.fetch_sub(1, Ordering::SeqCst);
            if answer.lost {
                return Err(ConnectorError::io("the connection broke".into()));
            }
            let mut response =
                HttpResponse::new(StatusCode::try_from(answer.status).unwrap(), SdkBody::from(answer.body));
            response.headers_mut().insert("date", "Fri, 20 Nov 2026 14:02:11 GMT");
            for (name, value) in answer.headers {
                response.headers_mut().insert(name, value);
            }
            Ok(response)
        })
    }
}

fn see(request: &HttpRequest) -> Seen {
    let headers: BTreeMap<_, _> =
        request.headers().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let body = String::from_utf8(request.body().bytes().unwrap_or_default().to_vec()).unwrap();
    let (address, query) = request.uri().split_once('?').unwrap_or((request.uri(), ""));
    let address = address.trim_start_matches("https://").to_owned();
    let of_query = body.strip_prefix("Action=").and_then(|rest| rest.split('&').next()).map(str::to_owned);
    let operation = match (headers.get("x-amz-target"), of_query) {
        (Some(target), _) => target.rsplit('.').next().unwrap().to_owned(),
        (None, Some(action)) => action,
        (None, None) => {
            let sub = ["versions", "uploads", "delete", "max-buckets"];
            let first = query.split(['&', '=']).next().unwrap_or_default();
            let sub =
                sub.iter().find(|sub| query.split(['&', '=']).any(|part| part == **sub)).unwrap_or(&first);
            format!("{} {sub}", request.method()).trim().to_owned()
        }
    };
    Seen { operation, address, query: query.to_owned(), headers, body }
}
