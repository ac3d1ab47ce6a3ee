//! Answers on the wire: the three error shapes of S3, the query protocol and the JSON protocol, request ids, dates.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use crate::error::SandboxError;
use crate::route::Service;
use crate::xml::escape;

/// One HTTP answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    pub(crate) fn xml(body: &str) -> Self {
        let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}");
        Self { status: 200, headers: HeaderMap::new(), body: body.into() }
            .with("content-type", "application/xml")
    }

    pub(crate) fn json(value: &serde_json::Value) -> Self {
        Self { status: 200, headers: HeaderMap::new(), body: value.to_string().into() }
            .with("content-type", "application/x-amz-json-1.1")
    }

    /// Adds a header; a value that HTTP cannot carry is left out.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    pub(crate) fn from_emulator(response: winterbaume_core::MockResponse) -> Self {
        Self { status: response.status, headers: response.headers, body: response.body }
    }

    pub(crate) fn is_success(&self) -> bool {
        self.status < 300
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Completes the answer as `service` gives it: request ids, the clock, and no body for `HEAD` errors.
    pub(crate) fn complete(mut self, service: Service, head: bool) -> Self {
        let id = request_id();
        let date = jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&jiff::Timestamp::now())
            .unwrap_or_default();
        self = self.with("date", &date);
        if service == Service::S3 {
            let short: String = id.chars().filter(|c| *c != '-').take(16).collect();
            self = self
                .with("x-amz-request-id", &short.to_uppercase())
                .with("x-amz-id-2", &format!("{id}/sandbox="))
                .with("server", "byob-sandbox");
            if self.status >= 400 && self.headers.get(CONTENT_TYPE).is_none() {
                self = self.with("content-type", "application/xml");
            }
            if self.status >= 300 && !head {
                let text = self.text();
                if !text.contains("<RequestId>") && text.contains("</Error>") {
                    let with_id = format!("<RequestId>{}</RequestId></Error>", short.to_uppercase());
                    self.body = text.replacen("</Error>", &with_id, 1).into();
                }
            }
        } else {
            self = self.with("x-amzn-requestid", &id);
            let text = self.text();
            if self.status >= 300 && text.contains("00000000-0000-0000-0000-000000000000") {
                self.body = text.replace("00000000-0000-0000-0000-000000000000", &id).into();
            }
        }
        if head && self.status >= 300 {
            self.body = Bytes::new();
            self.headers.remove(CONTENT_TYPE);
        }
        self
    }
}

fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// An error as AWS answers it, before it is put into a protocol.
#[derive(Debug, Clone)]
pub(crate) struct AwsError {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl AwsError {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), headers: Vec::new() }
    }

    pub(crate) fn access_denied() -> Self {
        Self::new(403, "AccessDenied", "Access Denied")
    }

    pub(crate) fn malformed_xml() -> Self {
        Self::new(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The answer in the protocol of `service`.
    pub(crate) fn into_answer(self, service: Service) -> Answer {
        let mut answer = match service {
            Service::S3 => Answer::xml(&format!(
                "<Error><Code>{}</Code><Message>{}</Message></Error>",
                escape(&self.code),
                escape(&self.message)
            )),
            Service::Kms | Service::CloudTrail => Answer::json(&serde_json::json!({ "__type": self.code, "message": self.message }))
                .with("x-amzn-errortype", &self.code),
            Service::Iam | Service::Sts => Answer::xml(&format!(
                "<ErrorResponse xmlns=\"{}\"><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error>\
                 <RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>",
                service.namespace(),
                escape(&self.code),
                escape(&self.message)
            ))
            .with("content-type", "text/xml"),
        };
        answer.status = self.status;
        for (name, value) in &self.headers {
            answer = answer.with(name, value);
        }
        answer
    }
}

/// Why a call did not come to its normal answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// AWS would answer this error.
    Aws(AwsError),
    /// The sandbox itself failed; the caller sees a 500.
    Sandbox(SandboxError),
}

impl From<AwsError> for Failure {
    fn from(error: AwsError) -> Self {
        Self::Aws(error)
    }
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        Self::Sandbox(error)
    }
}

/// What a call comes to.
pub(crate) type Outcome = Result<Answer, Failure>;
