//! CORS as browsers meet it: the answer to a preflight, and what an answer to a page of another origin carries. The first
//! rule that matches counts.
//!
//! Facts: S3 user guide, "How CORS works", "Troubleshooting CORS"; API reference, "OPTIONS object".

use super::bucket::Bucket;
use super::sub::Sub;
use crate::answer::{Answer, AwsError, Outcome};
use crate::faults::matches_pattern;
use crate::route::Request;
use crate::xml::Element;

/// The rules of a bucket.
fn rules(bucket: &Bucket) -> Vec<Element> {
    let document = bucket.documents.get(&Sub::Cors);
    let root = document.and_then(|document| Element::parse(document.body.as_bytes()));
    root.map(|root| root.all("CORSRule").cloned().collect()).unwrap_or_default()
}

fn values<'a>(rule: &'a Element, name: &'a str) -> impl Iterator<Item = &'a str> {
    rule.all(name).map(|one| one.text.trim())
}

/// The first rule for a page of this origin that asks for this method and these headers.
fn rule<'a>(rules: &'a [Element], origin: &str, method: &str, headers: &[&str]) -> Option<&'a Element> {
    rules.iter().find(|rule| {
        let allows = |header: &&str| {
            let header = header.to_ascii_lowercase();
            values(rule, "AllowedHeader")
                .any(|pattern| matches_pattern(&pattern.to_ascii_lowercase(), &header))
        };
        values(rule, "AllowedOrigin").any(|pattern| matches_pattern(pattern, origin))
            && values(rule, "AllowedMethod").any(|allowed| allowed == method)
            && headers.iter().all(allows)
    })
}

/// What both answers carry.
fn with_rule(mut answer: Answer, rule: &Element, origin: &str) -> Answer {
    let any = values(rule, "AllowedOrigin").any(|pattern| pattern == "*");
    answer = answer.with("access-control-allow-origin", if any { "*" } else { origin });
    if !any {
        answer = answer.with("access-control-allow-credentials", "true");
    }
    let list = |name| values(rule, name).collect::<Vec<_>>().join(", ");
    answer = answer.with("access-control-allow-methods", &list("AllowedMethod"));
    let exposed = list("ExposeHeader");
    if !exposed.is_empty() {
        answer = answer.with("access-control-expose-headers", &exposed);
    }
    if let Some(age) = rule.value("MaxAgeSeconds") {
        answer = answer.with("access-control-max-age", age);
    }
    answer.with("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
}

/// What a browser asks before it sends a request.
pub(super) fn preflight(bucket: &Bucket, request: &Request) -> Outcome {
    let lacks = |header: &str| {
        let message = format!("Insufficient information. {header} request header needed.");
        AwsError::new(400, "BadRequest", message)
    };
    let origin = request.header("origin").ok_or_else(|| lacks("Origin"))?;
    let method = request
        .header("access-control-request-method")
        .ok_or_else(|| lacks("Access-Control-Request-Method"))?;
    let refused = |why: &str| AwsError::new(403, "AccessForbidden", format!("CORSResponse: {why}"));
    let rules = rules(bucket);
    if rules.is_empty() {
        return Err(refused("CORS is not enabled for this bucket.").into());
    }
    let asked = request.header("access-control-request-headers").unwrap_or_default();
    let asked: Vec<&str> = asked.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let Some(rule) = rule(&rules, origin, method, &asked) else {
        return Err(refused(
            "This CORS request is not allowed. This is usually because the evalution of Origin, request method / \
             Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's \
             CORS spec.",
        )
        .into());
    };
    let answer = with_rule(Answer::empty(200), rule, origin);
    Ok(if asked.is_empty() { answer } else { answer.with("access-control-allow-headers", &asked.join(", ")) })
}

/// An answer with what a page of the request's origin may see of it.
pub(super) fn shown(bucket: &Bucket, request: &Request, answer: Answer) -> Answer {
    let Some(origin) = request.header("origin") else { return answer };
    match rule(&rules(bucket), origin, &request.method, &[]) {
        Some(rule) => with_rule(answer, rule, origin),
        None => answer,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;
    use crate::answer::Failure;

    /// A bucket with W&B's rule for one origin, before it one for any page that only reads.
    fn bucket() -> Bucket {
        let mut bucket = Bucket::fresh("b", "us-east-1", "123456789012");
        let rules = "<CORSConfiguration><CORSRule><AllowedOrigin>https://*.example.com</AllowedOrigin>\
            <AllowedMethod>GET</AllowedMethod></CORSRule>\
            <CORSRule><AllowedOrigin>https://acme.wandb.io</AllowedOrigin><AllowedMethod>GET</AllowedMethod>\
            <AllowedMethod>PUT</AllowedMethod><AllowedHeader>x-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>\
            <MaxAgeSeconds>3000</MaxAgeSeconds></CORSRule></CORSConfiguration>";
        bucket.documents.insert(Sub::Cors, rules.to_owned().into());
        bucket
    }

    fn request(method: &str, headers: &[(&'static str, &str)]) -> Request {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Request {
            method: method.to_owned(),
            host: String::new(),
            path: "/b/k".to_owned(),
            query: String::new(),
            headers: map,
            body: Bytes::new(),
            secure: true,
        }
    }

    fn asked(origin: &str, method: &str, headers: &str) -> Request {
        let mut all = vec![("origin", origin), ("access-control-request-method", method)];
        if !headers.is_empty() {
            all.push(("access-control-request-headers", headers));
        }
        request("OPTIONS", &all)
    }

    fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
        answer.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn refusal(outcome: Outcome) -> (u16, String) {
        match outcome {
            Err(Failure::Aws(error)) => (error.status, error.code),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_preflight_is_answered_by_the_first_rule_that_matches() {
        let answer =
            preflight(&bucket(), &asked("https://acme.wandb.io", "PUT", "x-amz-date, X-Other")).unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(header(&answer, "access-control-allow-origin"), Some("https://acme.wandb.io"));
        assert_eq!(header(&answer, "access-control-allow-methods"), Some("GET, PUT"));
        assert_eq!(header(&answer, "access-control-allow-headers"), Some("x-amz-date, X-Other"));
        assert_eq!(header(&answer, "access-control-expose-headers"), Some("ETag"));
        assert_eq!(header(&answer, "access-control-max-age"), Some("3000"));
        let answer = preflight(&bucket(), &asked("https://a.example.com", "GET", "")).unwrap();
        assert_eq!(header(&answer, "access-control-expose-headers"), None);
    }

    #[test]
    fn what_no_rule_allows_is_refused() {
        let forbidden = (403, "AccessForbidden".to_owned());
        for (origin, method, headers) in [
            ("https://other.wandb.io", "GET", ""),
            ("https://acme.wandb.io", "DELETE", ""),
            ("https://acme.wandb.io", "PUT", "content-type"),
            ("http://a.example.com", "GET", ""),
        ] {
            let outcome = preflight(&bucket(), &asked(origin, method, headers));
            assert_eq!(refusal(outcome), forbidden, "{origin} {method} {headers}");
        }
        let bare = Bucket::fresh("b", "us-east-1", "123456789012");
        assert_eq!(refusal(preflight(&bare, &asked("https://acme.wandb.io", "GET", ""))), forbidden);
        let nobody = request("OPTIONS", &[("access-control-request-method", "GET")]);
        assert_eq!(refusal(preflight(&bucket(), &nobody)), (400, "BadRequest".to_owned()));
    }

    #[test]
    fn an_answer_shows_a_page_what_its_rule_exposes() {
        let from = |origin| request("GET", &[("origin", origin)]);
        let shown = |origin| shown(&bucket(), &from(origin), Answer::empty(200));
        assert_eq!(header(&shown("https://acme.wandb.io"), "access-control-expose-headers"), Some("ETag"));
        assert_eq!(header(&shown("https://other.wandb.io"), "access-control-allow-origin"), None);
    }
}
