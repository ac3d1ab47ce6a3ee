//! Which operation an S3 request is, by method, target and parameters, and the IAM action that AWS asks for it. A
//! table, nothing else.

use super::sub::{Sub, Verb};
use crate::route::{Request, parameter};

/// An operation of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    ListBuckets,
    CreateBucket,
    HeadBucket,
    DeleteBucket,
    GetBucketLocation,
    PolicyStatus,
    /// What a browser asks before a request from a page of another origin.
    Preflight,
    Document(Sub, Verb),
    /// An operation on objects or on what this crate does not know: name and IAM action.
    Object(&'static str, &'static str),
}

impl Operation {
    pub(crate) fn of(request: &Request, bucket: &str, key: &str, query: &[(String, String)]) -> Self {
        let has = |name: &str| parameter(query, name).is_some();
        let method = request.method.as_str();
        if bucket.is_empty() {
            return Self::ListBuckets;
        }
        if method == "OPTIONS" {
            return Self::Preflight;
        }
        if !key.is_empty() {
            let copies = request.headers.contains_key("x-amz-copy-source");
            let (name, action) = object_operation(method, copies, &has);
            return Self::Object(name, action);
        }
        if let Some(sub) = Sub::ALL.into_iter().find(|sub| has(sub.spec().query)) {
            match method {
                "GET" => return Self::Document(sub, Verb::Get),
                "PUT" => return Self::Document(sub, Verb::Put),
                "DELETE" if sub.spec().delete.is_some() => return Self::Document(sub, Verb::Delete),
                _ => return Self::Object("Unknown", "s3:Unknown"),
            }
        }
        match method {
            "GET" if has("location") => Self::GetBucketLocation,
            "GET" if has("policyStatus") => Self::PolicyStatus,
            "GET" if has("versions") => Self::Object("ListObjectVersions", "s3:ListBucketVersions"),
            "GET" if has("uploads") => Self::Object("ListMultipartUploads", "s3:ListBucketMultipartUploads"),
            "GET" if has("list-type") => Self::Object("ListObjectsV2", "s3:ListBucket"),
            "GET" if !has_sub_resource(query) => Self::Object("ListObjects", "s3:ListBucket"),
            "POST" if has("delete") => Self::Object("DeleteObjects", "s3:DeleteObject"),
            "HEAD" => Self::HeadBucket,
            "PUT" if !has_sub_resource(query) => Self::CreateBucket,
            "DELETE" if !has_sub_resource(query) => Self::DeleteBucket,
            "GET" => Self::Object("GetOther", "s3:GetOther"),
            "PUT" => Self::Object("PutOther", "s3:PutOther"),
            "DELETE" => Self::Object("DeleteOther", "s3:DeleteOther"),
            _ => Self::Object("Unknown", "s3:Unknown"),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ListBuckets => "ListBuckets",
            Self::CreateBucket => "CreateBucket",
            Self::HeadBucket => "HeadBucket",
            Self::DeleteBucket => "DeleteBucket",
            Self::GetBucketLocation => "GetBucketLocation",
            Self::PolicyStatus => "GetBucketPolicyStatus",
            Self::Preflight => "OPTIONS",
            Self::Document(sub, verb) => sub.names(verb).0,
            Self::Object(name, _) => name,
        }
    }

    pub(crate) fn action(self) -> &'static str {
        match self {
            Self::ListBuckets => "s3:ListAllMyBuckets",
            Self::CreateBucket => "s3:CreateBucket",
            Self::HeadBucket => "s3:ListBucket",
            Self::DeleteBucket => "s3:DeleteBucket",
            Self::GetBucketLocation => "s3:GetBucketLocation",
            Self::PolicyStatus => "s3:GetBucketPolicyStatus",
            // Needs no right, and a bucket policy cannot refuse it.
            Self::Preflight => "",
            Self::Document(sub, verb) => sub.names(verb).1,
            Self::Object(_, action) => action,
        }
    }

    pub(crate) fn is_mutating(self) -> bool {
        match self {
            Self::Object(name, _) => {
                !["Get", "List", "Head", "Select", "Unknown"].iter().any(|p| name.starts_with(p))
            }
            _ => self.writes_bucket(),
        }
    }

    /// A write to the bucket itself or one of its documents: what AWS may answer with `OperationAborted`.
    pub(crate) fn writes_bucket(self) -> bool {
        match self {
            Self::CreateBucket | Self::DeleteBucket => true,
            Self::Document(_, verb) => verb != Verb::Get,
            _ => false,
        }
    }
}

/// Parameters that every request may carry say nothing about a sub-resource.
fn has_sub_resource(query: &[(String, String)]) -> bool {
    const LISTING: [&str; 7] =
        ["prefix", "delimiter", "marker", "max-keys", "encoding-type", "x-id", "allow-unordered"];
    query.iter().any(|(name, _)| !LISTING.contains(&name.as_str()) && !name.starts_with("X-Amz-"))
}

fn object_operation(method: &str, copies: bool, has: &dyn Fn(&str) -> bool) -> (&'static str, &'static str) {
    match method {
        "GET" if has("acl") => ("GetObjectAcl", "s3:GetObjectAcl"),
        "GET" if has("tagging") => ("GetObjectTagging", "s3:GetObjectTagging"),
        "GET" if has("legal-hold") => ("GetObjectLegalHold", "s3:GetObjectLegalHold"),
        "GET" if has("retention") => ("GetObjectRetention", "s3:GetObjectRetention"),
        "GET" if has("attributes") => ("GetObjectAttributes", "s3:GetObjectAttributes"),
        "GET" if has("uploadId") => ("ListParts", "s3:ListMultipartUploadParts"),
        "GET" if has("versionId") => ("GetObject", "s3:GetObjectVersion"),
        "GET" => ("GetObject", "s3:GetObject"),
        "HEAD" if has("versionId") => ("HeadObject", "s3:GetObjectVersion"),
        "HEAD" => ("HeadObject", "s3:GetObject"),
        "PUT" if has("uploadId") && copies => ("UploadPartCopy", "s3:PutObject"),
        "PUT" if has("uploadId") => ("UploadPart", "s3:PutObject"),
        "PUT" if has("acl") => ("PutObjectAcl", "s3:PutObjectAcl"),
        "PUT" if has("tagging") => ("PutObjectTagging", "s3:PutObjectTagging"),
        "PUT" if has("legal-hold") => ("PutObjectLegalHold", "s3:PutObjectLegalHold"),
        "PUT" if has("retention") => ("PutObjectRetention", "s3:PutObjectRetention"),
        "PUT" if copies => ("CopyObject", "s3:PutObject"),
        "PUT" => ("PutObject", "s3:PutObject"),
        "DELETE" if has("uploadId") => ("AbortMultipartUpload", "s3:AbortMultipartUpload"),
        "DELETE" if has("tagging") => ("DeleteObjectTagging", "s3:DeleteObjectTagging"),
        "DELETE" if has("versionId") => ("DeleteObject", "s3:DeleteObjectVersion"),
        "DELETE" => ("DeleteObject", "s3:DeleteObject"),
        "POST" if has("uploads") => ("CreateMultipartUpload", "s3:PutObject"),
        "POST" if has("uploadId") => ("CompleteMultipartUpload", "s3:PutObject"),
        _ => ("Unknown", "s3:Unknown"),
    }
}
