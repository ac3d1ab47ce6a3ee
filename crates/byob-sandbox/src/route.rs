//! From an HTTP request to a call: which service, which region, which bucket and key, which parameters. Believes the
//! credential scope of the signature (also of a presigned address); checks no signature.

use bytes::Bytes;
use http::HeaderMap;

/// The services there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    S3,
    Kms,
    Iam,
    Sts,
    CloudTrail,
}

impl Service {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "s3" => Some(Self::S3),
            "kms" => Some(Self::Kms),
            "iam" => Some(Self::Iam),
            "sts" => Some(Self::Sts),
            "cloudtrail" => Some(Self::CloudTrail),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Kms => "kms",
            Self::Iam => "iam",
            Self::Sts => "sts",
            Self::CloudTrail => "cloudtrail",
        }
    }

    /// The XML namespace of the query protocol.
    pub(crate) fn namespace(self) -> &'static str {
        match self {
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            _ => "https://iam.amazonaws.com/doc/2010-05-08/",
        }
    }
}

/// A request, the same for the in-process client and the HTTP server.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The host without port, empty if unknown.
    pub(crate) host: String,
    /// As sent, still percent-encoded, with its leading slash.
    pub(crate) path: String,
    /// As sent, without the question mark.
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether it came over TLS. Over HTTP on loopback it counts as if it had: there is no TLS to be had there.
    pub(crate) secure: bool,
}

impl Request {
    /// The access key that it is signed with, also in a pre-signed address.
    pub(crate) fn access_key(&self) -> Option<String> {
        self.scope()?.into_iter().next()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The credential scope's parts: access key, date, region, service.
    fn scope(&self) -> Option<Vec<String>> {
        let credential = match self.header("authorization") {
            Some(authorization) => {
                let from = authorization.find("Credential=")? + "Credential=".len();
                authorization.get(from..)?.split([',', ' ']).next()?.to_owned()
            }
            None => parameter(&parse_query(&self.query), "X-Amz-Credential")?.to_owned(),
        };
        let parts: Vec<String> = credential.split('/').map(str::to_owned).collect();
        (parts.len() >= 4).then_some(parts)
    }

    /// The service, by the signature, else by the host; an unsigned request to an unknown host is S3's.
    pub(crate) fn service(&self) -> Option<Service> {
        if let Some(scope) = self.scope() {
            return scope.get(3).and_then(|name| Service::from_name(name));
        }
        if let Some(target) = self.header("x-amz-target") {
            let trail = target.contains("CloudTrail");
            return Some(if trail { Service::CloudTrail } else { Service::Kms });
        }
        match self.host.split('.').next() {
            Some("kms") => Some(Service::Kms),
            Some("iam") => Some(Service::Iam),
            Some("sts") => Some(Service::Sts),
            _ => Some(Service::S3),
        }
    }

    /// The region, by the signature, else by the host, else us-east-1.
    pub(crate) fn region(&self) -> String {
        if let Some(region) = self.scope().and_then(|scope| scope.get(2).cloned())
            && !region.is_empty()
        {
            return region;
        }
        let is_region =
            |label: &&str| label.split('-').count() >= 3 && label.ends_with(|c: char| c.is_ascii_digit());
        self.host.split('.').find(is_region).unwrap_or("us-east-1").to_owned()
    }

    /// Bucket and key of an S3 request, decoded, in path or virtual-hosted style; empty where there is none.
    pub(crate) fn s3_target(&self) -> (String, String) {
        let path = self.path.trim_start_matches('/');
        let hosted = [".s3.", ".s3-"].iter().find_map(|mark| self.host.find(mark));
        if let Some(end) = hosted {
            return (self.host.get(..end).unwrap_or_default().to_owned(), percent_decode(path));
        }
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        (percent_decode(bucket), percent_decode(key))
    }

    /// The body without the chunk framing and trailers of a streamed upload.
    pub(crate) fn unframed(&self) -> Bytes {
        let streamed =
            self.header("x-amz-content-sha256").is_some_and(|value| value.starts_with("STREAMING-"));
        let chunked = self.header("content-encoding").is_some_and(|value| value.contains("aws-chunked"));
        if streamed || chunked {
            unframe(&self.body).unwrap_or_else(|| self.body.clone())
        } else {
            self.body.clone()
        }
    }
}

/// Chunks as `size[;signature]\r\n data \r\n`, ended by one of size 0.
fn unframe(body: &[u8]) -> Option<Bytes> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let line = std::str::from_utf8(rest.get(..end)?).ok()?;
        let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        rest = rest.get(end + 2..)?;
        if size == 0 {
            return Some(out.into());
        }
        out.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}

/// Decodes `a=1&b` into pairs, a plus sign being a space.
pub(crate) fn parse_query(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode(&name.replace('+', " ")), percent_decode(&value.replace('+', " ")))
        })
        .collect()
}

/// The first parameter of that name.
pub(crate) fn parameter<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Decodes `%XX`; what is not a code stays as it is.
pub(crate) fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while let Some(byte) = bytes.get(i) {
        let code = bytes.get(i + 1..i + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        match code.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(decoded) if *byte == b'%' => {
                out.push(decoded);
                i += 3;
            }
            _ => {
                out.push(*byte);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Encodes everything but unreserved characters and slashes.
pub(crate) fn percent_encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'/') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The partition of a region.
pub(crate) fn partition(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ if region.starts_with("eusc-") => "aws-eusc",
        _ if region.starts_with("us-iso-") => "aws-iso",
        _ if region.starts_with("us-isob-") => "aws-iso-b",
        _ if region.starts_with("us-isof-") => "aws-iso-f",
        _ if region.starts_with("eu-isoe-") => "aws-iso-e",
        _ => "aws",
    }
}

/// The six parts of an ARN: `arn`, partition, service, region, account, resource.
pub(crate) fn arn_parts(arn: &str) -> Option<[&str; 6]> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let parts: [&str; 6] = parts.try_into().ok()?;
    (parts.first() == Some(&"arn")).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(host: &str, path: &str, authorization: Option<&str>) -> Request {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert("authorization", value.parse().unwrap());
        }
        Request {
            method: "GET".into(),
            host: host.into(),
            path: path.into(),
            query: String::new(),
            headers,
            body: Bytes::new(),
            secure: true,
        }
    }

    #[test]
    fn the_signature_says_service_and_region() {
        let signed = request(
            "127.0.0.1",
            "/",
            Some("AWS4-HMAC-SHA256 Credential=A/20260101/eu-west-1/kms/aws4_request, S"),
        );
        assert_eq!((signed.service(), signed.region()), (Some(Service::Kms), "eu-west-1".to_owned()));
        let mut presigned = request("127.0.0.1", "/b/k", None);
        presigned.query = "X-Amz-Credential=A%2F20260101%2Fus-west-2%2Fs3%2Faws4_request".into();
        assert_eq!((presigned.service(), presigned.region()), (Some(Service::S3), "us-west-2".to_owned()));
        let other =
            request("x", "/", Some("AWS4-HMAC-SHA256 Credential=A/20260101/eu-west-1/ec2/aws4_request, S"));
        assert_eq!(other.service(), None);
    }

    #[test]
    fn buckets_are_found_in_path_and_host() {
        let target = |host, path| request(host, path, None).s3_target();
        let expect = ("bucket".to_owned(), "a b/c".to_owned());
        assert_eq!(target("bucket.s3.eu-west-1.amazonaws.com", "/a%20b/c"), expect);
        assert_eq!(target("s3.eu-west-1.amazonaws.com", "/bucket/a%20b/c"), expect);
        assert_eq!(target("127.0.0.1", "/bucket/a%20b/c"), expect);
        assert_eq!(target("s3.us-east-1.amazonaws.com", "/"), (String::new(), String::new()));
    }

    #[test]
    fn streamed_bodies_lose_their_framing() {
        let body = b"5;chunk-signature=x\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:x\r\n\r\n";
        assert_eq!(unframe(body).unwrap(), "hello world");
    }
}
