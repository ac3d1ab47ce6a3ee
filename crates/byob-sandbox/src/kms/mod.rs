//! KMS: keys, their states and facets, aliases. Answered here; the emulator underneath makes key material and does
//! the cryptography, one key at a time.

mod alias;
mod crypto;
mod grants;
mod key;
mod lifecycle;
mod lockout;
mod rotation;
mod tags;

pub(crate) use alias::Alias;
pub(crate) use crypto::{check_use, policy_of};
pub(crate) use key::{Facet, Key};

use std::sync::Arc;

use serde_json::Value;

use crate::answer::{Answer, AwsError, Failure, Outcome};
use crate::error::SandboxError;
use crate::route::{Request, Service, arn_parts};
use crate::sandbox::Call;
use crate::world::World;

/// Names the call.
pub(crate) fn identify(request: &Request) -> Call {
    let operation = request
        .header("x-amz-target")
        .and_then(|target| target.rsplit('.').next())
        .unwrap_or("Unknown")
        .to_owned();
    let reads = ["Describe", "Get", "List"].iter().any(|prefix| operation.starts_with(prefix));
    let computes = ["Encrypt", "Decrypt", "ReEncrypt", "Generate", "Sign", "Verify", "Derive", "Unknown"]
        .iter()
        .any(|prefix| operation.starts_with(prefix));
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let resource = ["AliasName", "KeyId", "TargetKeyId"].iter().find_map(|name| text(&body, name));
    Call {
        service: Service::Kms,
        action: format!("kms:{operation}"),
        resource: resource.map(str::to_owned),
        region: request.region(),
        mutating: !reads && !computes,
        operation,
    }
}

/// Answers the call.
pub(crate) async fn perform(world: &mut World, call: &Call, request: &Request) -> Outcome {
    let body: Value = match request.body.as_ref() {
        b"" => Value::Object(serde_json::Map::new()),
        bytes => serde_json::from_slice(bytes)
            .map_err(|_| AwsError::new(400, "SerializationException", "The body is not JSON"))?,
    };
    let region = call.region.as_str();
    match call.operation.as_str() {
        "CreateKey" => key::create(world, region, &body).await,
        "DescribeKey" => key::describe(world, region, &body),
        "ListKeys" => key::list(world, region, &body),
        "UpdateKeyDescription" => key::update_description(world, region, &body),
        "GetKeyPolicy" => key::get_policy(world, region, &body),
        "PutKeyPolicy" => key::put_policy(world, region, &body).await,
        "ListKeyPolicies" => key::list_policies(world, region, &body),
        "EnableKey" => lifecycle::enable(world, region, &body),
        "DisableKey" => lifecycle::disable(world, region, &body),
        "ScheduleKeyDeletion" => lifecycle::schedule(world, region, &body),
        "CancelKeyDeletion" => lifecycle::cancel(world, region, &body),
        "EnableKeyRotation" => rotation::enable(world, region, &body),
        "DisableKeyRotation" => rotation::disable(world, region, &body),
        "GetKeyRotationStatus" => rotation::status(world, region, &body),
        "TagResource" => tags::tag(world, region, &body),
        "UntagResource" => tags::untag(world, region, &body),
        "ListResourceTags" => tags::list(world, region, &body),
        "CreateAlias" => alias::create(world, region, &body),
        "UpdateAlias" => alias::update(world, region, &body),
        "DeleteAlias" => alias::delete(world, region, &body),
        "ListAliases" => alias::list(world, region, &body),
        "CreateGrant" | "ListGrants" | "RevokeGrant" => {
            grants::perform(world, region, &call.operation, &body).await
        }
        _ => crypto::perform(world, region, &call.operation, &body).await,
    }
}

/// Keys that exist from the start and were not made by the caller.
pub(crate) async fn seed(world: &mut World, arns: &[String]) -> Result<(), SandboxError> {
    for arn in arns {
        let wrong = || SandboxError::Seed(arn.clone(), "KMS key");
        let [_, _, service, region, account, resource] = arn_parts(arn).ok_or_else(wrong)?;
        let id = resource.strip_prefix("key/").filter(|id| !id.is_empty()).ok_or_else(wrong)?;
        if service != "kms" || region.is_empty() || account.len() != 12 {
            return Err(wrong());
        }
        if world.keys.get(id)?.is_none() {
            let mut made = key::make(region, account, &serde_json::json!({}))
                .await
                .map_err(|error| SandboxError::Emulator(error.message))?;
            id.clone_into(&mut made.core.key_id);
            arn.clone_into(&mut made.core.arn);
            world.keys.put(id, made)?;
        }
    }
    Ok(())
}

/// A member that is a non-empty string.
pub(crate) fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name)?.as_str().filter(|text| !text.is_empty())
}

fn required<'a>(body: &'a Value, name: &str) -> Result<&'a str, AwsError> {
    text(body, name).ok_or_else(|| {
        let lower = name.chars().take(1).map(|c| c.to_ascii_lowercase()).chain(name.chars().skip(1));
        invalid(format!(
            "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null",
            lower.collect::<String>()
        ))
    })
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "ValidationException", message)
}

fn not_found(arn: &str) -> AwsError {
    AwsError::new(400, "NotFoundException", format!("Key '{arn}' does not exist"))
}

/// What an operation may be asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Keys of any account, by id, ARN or alias.
    AnyAccount,
    /// Keys of this account, by id or ARN.
    OwnAccount,
}

/// The ARN of the key that an id, ARN or alias names, if there is one.
pub(crate) fn arn_of(world: &mut World, region: &str, reference: &str) -> Option<String> {
    find(world, region, reference, Reach::AnyAccount).ok().map(|key| key.core.arn.clone())
}

/// The key that `KeyId` names, as it truly is.
fn find(world: &mut World, region: &str, reference: &str, reach: Reach) -> Result<Arc<Key>, Failure> {
    let key = find_seen(world, region, reference, reach, false)?;
    Ok(key)
}

/// The key that `KeyId` names; with `stale` an alias is looked up as a read sees it.
fn find_seen(
    world: &mut World,
    region: &str,
    reference: &str,
    reach: Reach,
    stale: bool,
) -> Result<Arc<Key>, Failure> {
    let parts = arn_parts(reference);
    if let Some([_, _, service, given, _, _]) = parts
        && (service != "kms" || given != region)
    {
        return Err(AwsError::new(400, "NotFoundException", format!("Invalid arn {given}")).into());
    }
    let resource = parts.map_or(reference, |[_, _, _, _, _, resource]| resource);
    let id = if resource.starts_with("alias/") {
        if reach == Reach::OwnAccount {
            return Err(AwsError::new(400, "NotFoundException", format!("Invalid keyId {reference}")).into());
        }
        let name = alias::record_name(region, resource);
        let truth = world.aliases.get(&name)?;
        let seen = if stale { world.stale_aliases.read(&name, truth) } else { truth };
        let missing = || {
            let arn = alias::arn(world, region, resource);
            AwsError::new(400, "NotFoundException", format!("Alias {arn} is not found."))
        };
        seen.ok_or_else(missing)?.target.clone()
    } else {
        resource.strip_prefix("key/").unwrap_or(resource).to_owned()
    };
    let shown = || match parts {
        Some(_) => reference.to_owned(),
        None => key::arn(region, &world.account, &id),
    };
    let missing = not_found(&shown());
    let key = world.keys.get(&id)?.ok_or_else(|| missing.clone())?;
    let named_account = parts.map_or(world.account.as_str(), |[_, _, _, _, account, _]| account);
    if key.core.region != region || key.core.account_id != named_account {
        return Err(missing.into());
    }
    if key.core.account_id != world.account && reach == Reach::OwnAccount {
        let message = format!(
            "User: {} is not authorized to access this resource: {}",
            world.caller_arn(region),
            key.core.arn
        );
        return Err(AwsError::new(400, "AccessDeniedException", message).into());
    }
    Ok(key)
}

/// A facet of a key as a read sees it.
fn seen(world: &mut World, key: Arc<Key>, facet: Facet) -> Result<Arc<Key>, AwsError> {
    let arn = key.core.arn.clone();
    let id = key.core.key_id.clone();
    world.stale_keys.read(&(id, facet), Some(key)).ok_or_else(|| not_found(&arn))
}

/// Puts a changed key into its place; reads of the facet see the former one for a while.
fn store(world: &mut World, former: &Arc<Key>, changed: Key, facet: Facet) -> Result<(), SandboxError> {
    let id = former.core.key_id.clone();
    world.keys.put(&id, changed)?;
    world.stale_keys.wrote((id, facet), Some(Arc::clone(former)));
    Ok(())
}

fn empty() -> Answer {
    let mut answer = Answer::json(&Value::Null);
    answer.body = bytes::Bytes::from_static(b"{}");
    answer
}

/// A page of `items` as `Limit` and `Marker` ask for it: the page, and the members that say how to go on.
fn page(items: Vec<Value>, body: &Value, default: usize) -> (Vec<Value>, Value) {
    let limit =
        body.get("Limit").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(default);
    let from: usize = text(body, "Marker").and_then(|marker| marker.parse().ok()).unwrap_or(0);
    let total = items.len();
    let page: Vec<Value> = items.into_iter().skip(from).take(limit.max(1)).collect();
    let next = from + page.len();
    let mut end = serde_json::json!({ "Truncated": next < total });
    if next < total {
        end["NextMarker"] = Value::String(next.to_string());
    }
    (page, end)
}
