//! Default encryption. Facts: the API reference of `PutBucketEncryption` ("Amazon S3 doesn't validate the KMS key ID
//! provided in PutBucketEncryption requests"): a key that is not there is found out when an object is put, by
//! `objects`. A key ARN of another region can never work and is refused here.

use super::bucket::Bucket;
use super::sub::{Document, Sub};
use crate::answer::AwsError;
use crate::route::arn_parts;
use crate::xml::{Element, S3_NAMESPACE, escape};

/// What is in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Encryption {
    pub(super) algorithm: String,
    pub(super) key: Option<String>,
    pub(super) bucket_key: bool,
    /// What may not be used: `SSE-C`, or `NONE`.
    pub(super) blocked: Vec<String>,
}

impl Encryption {
    fn fresh() -> Self {
        Self {
            algorithm: "AES256".to_owned(),
            key: None,
            bucket_key: false,
            blocked: vec!["SSE-C".to_owned()],
        }
    }

    /// The encryption of a bucket as it is.
    pub(super) fn of(bucket: &Bucket) -> Self {
        bucket
            .documents
            .get(&Sub::Encryption)
            .and_then(|document| Element::parse(document.body.as_bytes()))
            .and_then(|root| root.child("Rule").cloned())
            .map_or_else(Self::fresh, |rule| {
                let by_default = rule.child("ApplyServerSideEncryptionByDefault");
                Self {
                    algorithm: by_default
                        .and_then(|d| d.value("SSEAlgorithm"))
                        .unwrap_or("AES256")
                        .to_owned(),
                    key: by_default.and_then(|d| d.value("KMSMasterKeyID")).map(str::to_owned),
                    bucket_key: rule.value("BucketKeyEnabled") == Some("true"),
                    blocked: blocked(&rule).unwrap_or_default(),
                }
            })
    }

    fn document(&self) -> Document {
        let key = match &self.key {
            Some(key) => format!("<KMSMasterKeyID>{}</KMSMasterKeyID>", escape(key)),
            None => String::new(),
        };
        let types: String = self
            .blocked
            .iter()
            .map(|kind| format!("<EncryptionType>{}</EncryptionType>", escape(kind)))
            .collect();
        format!(
            "<ServerSideEncryptionConfiguration xmlns=\"{S3_NAMESPACE}\"><Rule>\
             <ApplyServerSideEncryptionByDefault><SSEAlgorithm>{}</SSEAlgorithm>{key}\
             </ApplyServerSideEncryptionByDefault><BucketKeyEnabled>{}</BucketKeyEnabled>\
             <BlockedEncryptionTypes>{types}</BlockedEncryptionTypes></Rule></ServerSideEncryptionConfiguration>",
            escape(&self.algorithm),
            self.bucket_key
        )
        .into()
    }
}

fn blocked(rule: &Element) -> Option<Vec<String>> {
    rule.child("BlockedEncryptionTypes")
        .map(|list| list.all("EncryptionType").map(|kind| kind.text.trim().to_owned()).collect())
}

/// What a bucket has from the start.
pub(super) fn fresh() -> Document {
    Encryption::fresh().document()
}

/// What is left after a delete: SSE-S3; what is blocked stays so.
pub(super) fn reset(bucket: &Bucket) -> Document {
    Encryption { blocked: Encryption::of(bucket).blocked, ..Encryption::fresh() }.document()
}

pub(super) fn check(bucket: &Bucket, body: &[u8]) -> Result<Document, AwsError> {
    let root = Element::parse(body)
        .filter(|root| root.name == "ServerSideEncryptionConfiguration")
        .ok_or_else(AwsError::malformed_xml)?;
    let rules: Vec<&Element> = root.all("Rule").collect();
    let [rule] = rules.as_slice() else { return Err(AwsError::malformed_xml()) };
    let now = Encryption::of(bucket);
    let mut wanted = now.clone();
    if let Some(by_default) = rule.child("ApplyServerSideEncryptionByDefault") {
        let algorithm = by_default.value("SSEAlgorithm").unwrap_or_default();
        let key = by_default.value("KMSMasterKeyID").filter(|key| !key.is_empty());
        match (algorithm, key) {
            ("AES256", Some(_)) => {
                return Err(AwsError::new(
                    400,
                    "InvalidArgument",
                    "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
                ));
            }
            ("AES256", None) | ("aws:kms" | "aws:kms:dsse", _) => {}
            _ => return Err(AwsError::malformed_xml()),
        }
        check_key_region(bucket, key)?;
        wanted.algorithm = algorithm.to_owned();
        wanted.key = key.map(str::to_owned);
    }
    wanted.bucket_key = match rule.value("BucketKeyEnabled") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(AwsError::malformed_xml()),
    };
    match blocked(rule) {
        None => {}
        Some(types) if types.is_empty() => return Err(AwsError::malformed_xml()),
        Some(types) if types.iter().any(|kind| kind != "SSE-C" && kind != "NONE") => {
            return Err(AwsError::malformed_xml());
        }
        Some(types) if types.len() > 1 => {
            return Err(invalid("NONE cannot stand beside other encryption types"));
        }
        Some(types) => wanted.blocked = types,
    }
    Ok(wanted.document())
}

fn invalid(message: &str) -> AwsError {
    AwsError::new(400, "InvalidArgument", message)
}

fn check_key_region(bucket: &Bucket, key: Option<&str>) -> Result<(), AwsError> {
    match key.and_then(arn_parts) {
        Some([_, _, "kms", region, _, _]) if region == bucket.region => Ok(()),
        Some(_) => Err(invalid("Invalid KMS key ARN: the key must be in the region of the bucket")),
        None => Ok(()),
    }
}
