//! S3: what a request asks for, and who in this folder answers it. Buckets and their documents are answered here;
//! objects by the emulator underneath, one per bucket.

mod access;
mod bucket;
mod cors;
mod documents;
mod encryption;
mod guard;
mod locks;
mod objects;
mod operation;
mod policy;
mod spelling;
mod sub;
mod tags;
mod uploads;
mod versions;

pub(crate) use bucket::Bucket;
pub(crate) use objects::ObjectStore;
pub(crate) use sub::{Document, Sub};
pub(crate) use tags::add_tag;

use std::sync::Arc;

use crate::answer::{AwsError, Failure, Outcome};
use crate::route::{Request, Service, parameter, parse_query};
use crate::sandbox::Call;
use crate::world::World;
use operation::Operation;
use sub::Verb;

/// A request with its target and parameters taken apart.
pub(crate) struct Target<'a> {
    pub(crate) request: &'a Request,
    pub(crate) region: &'a str,
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) query: Vec<(String, String)>,
}

impl Target<'_> {
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        parameter(&self.query, name)
    }
}

/// Names the call.
pub(crate) fn identify(request: &Request) -> Call {
    let (bucket, key) = request.s3_target();
    let query = parse_query(&request.query);
    let operation = Operation::of(request, &bucket, &key, &query);
    let resource = match (bucket.is_empty(), key.is_empty()) {
        (true, _) => None,
        (false, true) => Some(bucket),
        (false, false) => Some(format!("{bucket}/{key}")),
    };
    Call {
        service: Service::S3,
        operation: operation.name().to_owned(),
        action: operation.action().to_owned(),
        resource,
        region: request.region(),
        mutating: operation.is_mutating(),
    }
}

/// Answers the call.
pub(crate) async fn perform(world: &mut World, call: &Call, request: &Request) -> Outcome {
    let (bucket, key) = request.s3_target();
    let query = parse_query(&request.query);
    let operation = Operation::of(request, &bucket, &key, &query);
    let target = Target { request, region: &call.region, bucket, key, query };
    let faults = world.faults.clone();
    if operation.writes_bucket() && world.counters.aborts(&faults) {
        return Err(aborted().into());
    }
    match operation {
        Operation::ListBuckets => return bucket::list(world, &target),
        Operation::CreateBucket => return bucket::create(world, &target),
        Operation::HeadBucket => return bucket::head(world, &target),
        _ => {}
    }
    if matches!(operation, Operation::Document(..) | Operation::PolicyStatus)
        && world.counters.is_late(&target.bucket)
    {
        return Err(no_such_bucket(&target.bucket).into());
    }
    // A preflight is not signed, and over HTTP its host says no region.
    let any_region = matches!(operation, Operation::GetBucketLocation | Operation::Preflight);
    let record = reach(world, &target, any_region)?;
    if operation == Operation::Preflight {
        return cors::preflight(&record, request);
    }
    guard::check(world, &target, &record, operation)?;
    match operation {
        Operation::DeleteBucket => bucket::delete(world, &target, &record).await,
        Operation::GetBucketLocation => Ok(bucket::location(&record)),
        Operation::PolicyStatus => sub::policy_status(world, &record),
        Operation::Document(sub, Verb::Get) => sub::get(world, &record, sub),
        Operation::Document(sub, Verb::Put) => sub::put(world, &target, &record, sub).await,
        Operation::Document(sub, Verb::Delete) => sub::delete(world, &record, sub),
        _ => {
            let answer = objects::perform(world, &target, &record, operation).await?;
            Ok(cors::shown(&record, request, answer))
        }
    }
}

/// The bucket of a request, if it is there, in this region, and the caller's.
fn reach(world: &mut World, target: &Target<'_>, any_region: bool) -> Result<Arc<Bucket>, Failure> {
    let record = world.buckets.get(&target.bucket)?.ok_or_else(|| no_such_bucket(&target.bucket))?;
    check_reach(world, target, &record, any_region)?;
    Ok(record)
}

/// The gates before any bucket: region, owner, expected owner.
fn check_reach(
    world: &World,
    target: &Target<'_>,
    bucket: &Bucket,
    any_region: bool,
) -> Result<(), AwsError> {
    if bucket.region != target.region && !any_region {
        let message = format!(
            "The bucket you are attempting to access must be addressed using the specified endpoint. Please send \
             all future requests to this endpoint: s3.{}.amazonaws.com",
            bucket.region
        );
        return Err(
            AwsError::new(301, "PermanentRedirect", message).header("x-amz-bucket-region", &bucket.region)
        );
    }
    let foreign = bucket.owner != world.account || world.faults.foreign_owner.contains(&bucket.name);
    let expected = target.request.header("x-amz-expected-bucket-owner");
    if foreign || expected.is_some_and(|owner| owner != bucket.owner) {
        return Err(AwsError::access_denied().header("x-amz-bucket-region", &bucket.region));
    }
    Ok(())
}

pub(crate) fn no_such_bucket(bucket: &str) -> AwsError {
    AwsError::new(404, "NoSuchBucket", format!("The specified bucket does not exist: {bucket}"))
}

fn aborted() -> AwsError {
    AwsError::new(
        409,
        "OperationAborted",
        "A conflicting conditional operation is currently in progress against this resource. Please try again.",
    )
}
