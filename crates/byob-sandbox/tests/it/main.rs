//! The sandbox as the AWS SDK sees it: each test pins one way in which AWS is stricter than the emulator underneath,
//! one fault, or one promise about the folder.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod buckets;
mod documents;
mod faults;
mod identity;
mod keys;
mod objects;
mod persistence;
mod policies;
mod served;

use std::path::PathBuf;

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::http::Response;
use byob_sandbox::{Faults, Options, Sandbox, Seed};

const ACCOUNT: &str = "123456789012";
const OTHER: &str = "999988887777";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"123456789012"},
    "Action":"sts:AssumeRole"}}"#;

fn options(dir: Option<PathBuf>) -> Options {
    Options { dir, account_id: ACCOUNT.into(), seed: Seed::default(), faults: Faults::default() }
}

async fn sandbox() -> Sandbox {
    Sandbox::open(options(None)).await.unwrap()
}

async fn with_faults(spec: &str) -> Sandbox {
    Sandbox::open(Options { faults: Faults::parse(spec).unwrap(), ..options(None) }).await.unwrap()
}

macro_rules! client {
    ($name:ident, $service:ident) => {
        fn $name(sandbox: &Sandbox, region: &'static str) -> $service::Client {
            $service::Client::from_conf(
                $service::Config::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .region(Region::new(region))
                    .retry_config(RetryConfig::disabled())
                    .credentials_provider(sandbox.credentials())
                    .http_client(sandbox.http_client())
                    .build(),
            )
        }
    };
}

client!(s3, aws_sdk_s3);
client!(kms, aws_sdk_kms);
client!(iam, aws_sdk_iam);
client!(sts, aws_sdk_sts);

/// Status and code of a refusal.
fn refusal<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    result: Result<T, SdkError<E, Response>>,
) -> (u16, String) {
    let error = result.expect_err("should have been refused");
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    (status, error.code().unwrap_or_default().to_owned())
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// A bucket in us-east-1, and a client for it.
async fn bucket(sandbox: &Sandbox, name: &str) -> aws_sdk_s3::Client {
    let s3 = s3(sandbox, "us-east-1");
    s3.create_bucket().bucket(name).send().await.unwrap();
    s3
}
