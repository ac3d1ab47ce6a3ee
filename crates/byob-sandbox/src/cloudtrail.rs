//! CloudTrail: the writes of buckets and keys that the sandbox has seen, and `LookupEvents` over them. As in AWS's event
//! history, objects are not in it, and an answer that was lost on order is: it had its effect. Unlike there, an event can
//! be looked up at once, and reads are left out.
//!
//! A line each in `trail.jsonl`; when it is full it becomes `trail.old.jsonl`, in the place of the one before. So what is
//! kept is bounded, and a write costs a line.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::answer::{Answer, AwsError, Failure, Outcome};
use crate::error::SandboxError;
use crate::kms;
use crate::route::{Request, Service};
use crate::sandbox::Call;
use crate::store;
use crate::world::World;

/// Bytes after which a new file is begun; some 1,000 events.
const FULL: u64 = 1_000_000;

/// The newest and the one before.
pub(crate) const FILES: [&str; 2] = ["trail.jsonl", "trail.old.jsonl"];

/// Events of a page, at most, as in AWS.
const PAGE: usize = 50;

/// The trail's files, or its memory.
#[derive(Debug)]
pub(crate) struct Trail {
    files: Option<[PathBuf; 2]>,
    memory: Vec<Value>,
}

impl Trail {
    pub(crate) fn new(dir: Option<&PathBuf>) -> Self {
        Self { files: dir.map(|dir| FILES.map(|name| dir.join(name))), memory: Vec::new() }
    }

    fn append(&mut self, event: Value) -> Result<(), SandboxError> {
        let Some([path, old]) = &self.files else {
            self.memory.push(event);
            let more = self.memory.len().saturating_sub(1_000);
            self.memory.drain(..more);
            return Ok(());
        };
        let failed = |source| SandboxError::Io { what: "write", path: path.clone(), source };
        if fs::metadata(path).is_ok_and(|meta| meta.len() > FULL) {
            fs::rename(path, old).map_err(failed)?;
        }
        let mut options = fs::OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failed)?;
        file.write_all(format!("{event}\n").as_bytes()).map_err(failed)
    }

    /// All events, the newest first. A line that a crash cut off is no event.
    fn newest_first(&self) -> Result<Vec<Value>, SandboxError> {
        let mut events = self.memory.clone();
        for path in self.files.iter().flatten().rev() {
            match fs::read_to_string(path) {
                Ok(text) => events.extend(text.lines().filter_map(|line| serde_json::from_str(line).ok())),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(SandboxError::Io { what: "read", path: path.clone(), source }),
            }
        }
        events.reverse();
        Ok(events)
    }
}

/// Names the call.
pub(crate) fn identify(request: &Request) -> Call {
    let operation = request.header("x-amz-target").and_then(|target| target.rsplit('.').next());
    let operation = operation.unwrap_or("Unknown").to_owned();
    Call {
        service: Service::CloudTrail,
        action: format!("cloudtrail:{operation}"),
        resource: None,
        region: request.region(),
        mutating: false,
        operation,
    }
}

/// Answers the call.
pub(crate) fn perform(world: &mut World, call: &Call, request: &Request) -> Outcome {
    if call.operation != "LookupEvents" {
        let message = format!("the sandbox does not answer {}", call.operation);
        return Err(AwsError::new(400, "UnsupportedOperationException", message).into());
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let wanted = &body["LookupAttributes"][0];
    let value = wanted["AttributeValue"].as_str().unwrap_or_default();
    let fits = |event: &Value| match wanted["AttributeKey"].as_str() {
        None => true,
        Some("EventName") => event["eventName"] == value,
        Some("ResourceName") => {
            event["resources"].as_array().into_iter().flatten().any(|one| one["ARN"] == value)
        }
        Some(_) => false,
    };
    let skip = match body["NextToken"].as_str().map(str::parse::<usize>) {
        None => 0,
        Some(Ok(skip)) => skip,
        Some(Err(_)) => return Err(AwsError::new(400, "InvalidNextTokenException", "Invalid token").into()),
    };
    let most = body["MaxResults"].as_u64().and_then(|most| usize::try_from(most).ok()).unwrap_or(PAGE);
    let most = most.clamp(1, PAGE);
    let all = world.trail.newest_first()?;
    let of_region = all.iter().filter(|event| event["awsRegion"] == *call.region && fits(event));
    let mut rest = of_region.skip(skip);
    let page: Vec<Value> = rest.by_ref().take(most).map(listed).collect();
    let next = rest.next().map(|_| (skip + most).to_string());
    Ok(Answer::json(&match next {
        Some(next) => json!({ "Events": page, "NextToken": next }),
        None => json!({ "Events": page }),
    }))
}

/// An event as the list has it.
fn listed(event: &Value) -> Value {
    let time = event["eventTime"].as_str().and_then(|time| time.parse::<jiff::Timestamp>().ok());
    let resources = event["resources"].as_array().into_iter().flatten();
    let resources: Vec<Value> =
        resources.map(|one| json!({ "ResourceType": one["type"], "ResourceName": one["ARN"] })).collect();
    json!({
        "EventId": event["eventID"], "EventName": event["eventName"], "EventSource": event["eventSource"],
        "EventTime": time.map(jiff::Timestamp::as_second), "ReadOnly": "false", "Username": "sandbox",
        "Resources": resources, "CloudTrailEvent": event.to_string(),
    })
}

/// What a call was about, as CloudTrail will name it; `None` where CloudTrail's event history leaves it out. Asked before
/// the call, because afterwards an alias may point nowhere.
pub(crate) fn subject(world: &mut World, call: &Call, request: &Request) -> Option<(Value, Value)> {
    let changes = call.mutating && call.operation != "DeleteObjects";
    match call.service {
        Service::S3 if changes => {
            let (bucket, key) = request.s3_target();
            (key.is_empty() && !bucket.is_empty()).then(|| {
                let resources = json!([{ "type": "AWS::S3::Bucket", "ARN": bucket }]);
                (resources, json!({ "bucketName": bucket }))
            })
        }
        Service::Kms if changes => {
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let named = ["KeyId", "TargetKeyId", "AliasName"].iter().find_map(|name| kms::text(&body, name));
            let arn = named.and_then(|named| kms::arn_of(world, &call.region, named));
            let resources = arn.iter().map(|arn| json!({ "type": "AWS::KMS::Key", "ARN": arn }));
            let resources: Vec<Value> = resources.collect();
            let tags = body["Tags"].as_array().into_iter().flatten();
            let tags: Vec<Value> =
                tags.map(|tag| json!({ "tagKey": tag["TagKey"], "tagValue": tag["TagValue"] })).collect();
            let parameters = json!({
                "keyId": arn, "aliasName": body["AliasName"], "tags": tags, "tagKeys": body["TagKeys"],
            });
            Some((Value::Array(resources), parameters))
        }
        _ => None,
    }
}

/// Puts a call on the trail.
pub(crate) fn record(
    world: &mut World,
    call: &Call,
    request: &Request,
    (resources, parameters): (Value, Value),
    outcome: &Outcome,
) -> Result<(), SandboxError> {
    let error = match outcome {
        Ok(answer) if answer.is_success() => Value::Null,
        Ok(answer) => json!(answer.status.to_string()),
        Err(Failure::Aws(error)) => json!(error.code),
        Err(Failure::Sandbox(_)) => return Ok(()),
    };
    let caller = world.caller_arn(&call.region);
    // So does AWS, for S3 alone.
    let user_agent = match call.service {
        Service::S3 => request.header("user-agent").map(|agent| format!("[{agent}]")),
        _ => request.header("user-agent").map(str::to_owned),
    };
    let event = json!({
        "eventVersion": "1.11",
        "userIdentity": { "type": "AssumedRole", "arn": caller, "accountId": world.account },
        "eventTime": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "eventSource": format!("{}.amazonaws.com", call.service.name()),
        "eventName": event_name(&call.operation),
        "awsRegion": call.region,
        "sourceIPAddress": "127.0.0.1",
        "userAgent": user_agent,
        "errorCode": error,
        "requestParameters": parameters,
        "readOnly": false,
        "resources": resources,
        "eventID": uuid::Uuid::new_v4().to_string(),
        "managementEvent": true,
    });
    world.trail.append(event)
}

/// CloudTrail does not name every operation as S3's API does.
fn event_name(operation: &str) -> &str {
    match operation {
        "PutPublicAccessBlock" => "PutBucketPublicAccessBlock",
        "DeletePublicAccessBlock" => "DeleteBucketPublicAccessBlock",
        "PutBucketLifecycleConfiguration" => "PutBucketLifecycle",
        "PutObjectLockConfiguration" => "PutBucketObjectLockConfiguration",
        other => other,
    }
}

impl World {
    /// Removes the trail's files.
    pub(crate) fn forget_trail(dir: &std::path::Path) -> Result<(), SandboxError> {
        FILES.iter().try_for_each(|name| store::remove_file(&dir.join(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trail_is_bounded_and_newest_first() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().to_path_buf();
        let mut trail = Trail::new(Some(&dir));
        let long = "x".repeat(100_000);
        for n in 0..40 {
            trail.append(json!({ "n": n, "long": long })).unwrap();
        }
        let events = trail.newest_first().unwrap();
        let numbers: Vec<u64> = events.iter().map(|event| event["n"].as_u64().unwrap()).collect();
        assert!(numbers.len() < 30 && numbers[0] == 39, "{numbers:?}");
        assert!(numbers.windows(2).all(|pair| pair[0] == pair[1] + 1), "{numbers:?}");
        // A line that was cut off.
        fs::write(dir.join(FILES[0]), "{\"n\":40}\n{\"n\":").unwrap();
        assert_eq!(trail.newest_first().unwrap()[0]["n"], 40);

        let mut memory = Trail::new(None);
        (0..1_100).for_each(|n| memory.append(json!(n)).unwrap());
        assert_eq!(memory.newest_first().unwrap().len(), 1_000);
    }
}
