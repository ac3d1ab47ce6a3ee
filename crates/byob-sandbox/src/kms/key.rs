//! Keys: making, looking at, listing, describing, and their policies.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use byob_policy::{Document, KEY_POLICY_LIMIT};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use winterbaume_core::{MockRequest, MockService, StatefulService, default_account_id};
use winterbaume_kms::KmsService;
use winterbaume_kms::views::{GrantView, KeyView};

use super::lifecycle::refuse_pending;
use super::{Reach, empty, find, find_seen, invalid, lockout, page, required, seen, store, tags, text};
use crate::answer::{Answer, AwsError, Failure, Outcome};
use crate::policy::{principals_exist, stored};
use crate::route::partition;
use crate::world::World;

/// What a read can be stale in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Facet {
    /// Existence, state, description.
    Itself,
    Policy,
    Rotation,
    Tags,
}

impl Facet {
    pub(super) const ALL: [Self; 4] = [Self::Itself, Self::Policy, Self::Rotation, Self::Tags];
}

/// A key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Key {
    /// What the emulator needs to compute with it; state and description are kept here too.
    pub(crate) core: KeyView,
    pub(crate) policy: String,
    pub(crate) tags: BTreeMap<String, String>,
    /// Days between rotations, while rotation is on.
    pub(crate) rotation_days: Option<u32>,
    #[serde(default)]
    pub(crate) grants: HashMap<String, GrantView>,
}

impl Key {
    pub(super) fn is(&self, state: &str) -> bool {
        self.core.key_state == state
    }
}

pub(super) fn arn(region: &str, account: &str, id: &str) -> String {
    format!("arn:{}:kms:{region}:{account}:key/{id}", partition(region))
}

/// A new key of `account` with the policy that AWS gives to one without.
pub(super) async fn make(region: &str, account: &str, body: &Value) -> Result<Key, AwsError> {
    let mut request = body.clone();
    if let Some(members) = request.as_object_mut() {
        members.remove("Policy");
        members.remove("Tags");
    }
    let service = KmsService::new();
    let response = service.handle(emulator_request("CreateKey", region, &request)).await;
    if response.status != 200 {
        let error: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let member = |name| error.get(name).and_then(Value::as_str).unwrap_or_default();
        return Err(AwsError::new(response.status, member("__type"), member("message")));
    }
    let view = service.snapshot(default_account_id(), region).await;
    let mut core = view
        .keys
        .into_values()
        .next()
        .ok_or_else(|| AwsError::new(500, "KMSInternalException", "no key was made"))?;
    account.clone_into(&mut core.account_id);
    region.clone_into(&mut core.region);
    core.arn = arn(region, account, &core.key_id);
    core.tags.clear();
    let policy = json!({
        "Version": "2012-10-17", "Id": "key-default-1",
        "Statement": [{
            "Sid": "Enable IAM User Permissions", "Effect": "Allow",
            "Principal": {"AWS": format!("arn:{}:iam::{account}:root", partition(region))},
            "Action": "kms:*", "Resource": "*",
        }],
    });
    Ok(Key {
        core,
        policy: policy.to_string(),
        tags: BTreeMap::new(),
        rotation_days: None,
        grants: HashMap::new(),
    })
}

/// A request to a fresh emulator, whose only region is the one that the host names.
pub(super) fn emulator_request(operation: &str, region: &str, body: &Value) -> MockRequest {
    let mut headers = http::HeaderMap::new();
    if let Ok(target) = format!("TrentService.{operation}").parse() {
        headers.insert("x-amz-target", target);
    }
    MockRequest {
        method: "POST".to_owned(),
        uri: format!("https://kms.{region}.amazonaws.com/"),
        headers,
        body: body.to_string().into(),
    }
}

pub(super) async fn create(world: &mut World, region: &str, body: &Value) -> Outcome {
    let given_tags = tags::check(body.get("Tags"))?;
    if text(body, "Description").is_some_and(|text| text.chars().count() > 8192) {
        return Err(invalid("Description is longer than 8192 characters").into());
    }
    let policy = match text(body, "Policy") {
        Some(policy) => Some(check_policy(world, region, policy, body).await?),
        None => None,
    };
    let mut key = make(region, &world.account, body).await?;
    key.tags = given_tags;
    if let Some(policy) = policy {
        key.policy = policy;
    }
    let id = key.core.key_id.clone();
    let answer = Answer::json(&json!({ "KeyMetadata": metadata(&key) }));
    world.keys.put(&id, key)?;
    for facet in Facet::ALL {
        world.stale_keys.wrote((id.clone(), facet), None);
    }
    Ok(answer)
}

/// What KMS refuses before it stores a policy; the policy as it is stored.
async fn check_policy(
    world: &mut World,
    region: &str,
    policy: &str,
    body: &Value,
) -> Result<String, Failure> {
    let malformed = |message: String| AwsError::new(400, "MalformedPolicyDocumentException", message);
    if policy.len() > KEY_POLICY_LIMIT {
        let message = "The policy is larger than the limit for key policies";
        return Err(AwsError::new(400, "LimitExceededException", message).into());
    }
    let document = Document::parse(policy).map_err(|error| malformed(error.to_string()))?;
    if document
        .statements
        .iter()
        .any(|statement| statement.principal.is_none() || statement.resource.is_none())
    {
        return Err(
            malformed("Policy contains a statement with no principal or no resource.".to_owned()).into()
        );
    }
    let foreign_action = document
        .statements
        .iter()
        .flat_map(|statement| statement.action.actions())
        .any(|action| action != "*" && !action.to_lowercase().starts_with("kms:"));
    if foreign_action {
        return Err(
            malformed("Policy contains a statement with one or more invalid actions.".to_owned()).into()
        );
    }
    crate::iam::refresh(world).await?;
    if !principals_exist(world, &document, region)? {
        let message = "Policy contains a statement with one or more invalid principals.";
        return Err(malformed(message.to_owned()).into());
    }
    let bypass = body.get("BypassPolicyLockoutSafetyCheck").and_then(Value::as_bool) == Some(true);
    if !bypass && lockout::locks_out(world, region, &document) {
        let message = "The new key policy will not allow you to update the key policy in the future.";
        return Err(malformed(message.to_owned()).into());
    }
    Ok(stored(policy, region))
}

/// Seconds since 1970, as the JSON protocol wants a time.
pub(super) fn epoch(rfc3339: &str) -> f64 {
    rfc3339.parse::<jiff::Timestamp>().map_or(0.0, |time| time.as_duration().as_secs_f64())
}

fn metadata(key: &Key) -> Value {
    let core = &key.core;
    let mut out = json!({
        "AWSAccountId": core.account_id, "KeyId": core.key_id, "Arn": core.arn,
        "CreationDate": epoch(&core.creation_date), "Enabled": core.key_state == "Enabled",
        "Description": core.description, "KeyUsage": core.key_usage, "KeyState": core.key_state,
        "Origin": core.origin, "KeyManager": "CUSTOMER", "CustomerMasterKeySpec": core.key_spec,
        "KeySpec": core.key_spec, "MultiRegion": core.multi_region,
    });
    if let Some(date) = &core.deletion_date {
        out["DeletionDate"] = json!(epoch(date));
    }
    if core.key_spec == "SYMMETRIC_DEFAULT" {
        out["EncryptionAlgorithms"] = json!(["SYMMETRIC_DEFAULT"]);
    }
    out
}

pub(super) fn describe(world: &mut World, region: &str, body: &Value) -> Outcome {
    let key = find_seen(world, region, required(body, "KeyId")?, Reach::AnyAccount, true)?;
    let key = seen(world, key, Facet::Itself)?;
    Ok(Answer::json(&json!({ "KeyMetadata": metadata(&key) })))
}

pub(super) fn list(world: &mut World, region: &str, body: &Value) -> Outcome {
    let mut listed = Vec::new();
    for (id, key) in world.keys.all()? {
        let own = key.core.region == region && key.core.account_id == world.account;
        if own && let Some(key) = world.stale_keys.read(&(id, Facet::Itself), Some(key)) {
            listed.push(json!({ "KeyId": key.core.key_id, "KeyArn": key.core.arn }));
        }
    }
    let (keys, mut out) = page(listed, body, 100);
    out["Keys"] = Value::Array(keys);
    Ok(Answer::json(&out))
}

pub(super) fn update_description(world: &mut World, region: &str, body: &Value) -> Outcome {
    let key = find(world, region, required(body, "KeyId")?, Reach::OwnAccount)?;
    refuse_pending(&key)?;
    let mut changed = Key::clone(&key);
    changed.core.description = body.get("Description").and_then(Value::as_str).unwrap_or_default().to_owned();
    store(world, &key, changed, Facet::Itself)?;
    Ok(empty())
}

fn check_policy_name(body: &Value) -> Result<(), AwsError> {
    match text(body, "PolicyName") {
        None | Some("default") => Ok(()),
        Some(_) => Err(AwsError::new(400, "NotFoundException", "No such policy exists")),
    }
}

pub(super) fn get_policy(world: &mut World, region: &str, body: &Value) -> Outcome {
    let key = find(world, region, required(body, "KeyId")?, Reach::OwnAccount)?;
    check_policy_name(body)?;
    let key = seen(world, key, Facet::Policy)?;
    Ok(Answer::json(&json!({ "Policy": key.policy, "PolicyName": "default" })))
}

pub(super) async fn put_policy(world: &mut World, region: &str, body: &Value) -> Outcome {
    let key: Arc<Key> = find(world, region, required(body, "KeyId")?, Reach::OwnAccount)?;
    check_policy_name(body)?;
    let policy = check_policy(world, region, required(body, "Policy")?, body).await?;
    let changed = Key { policy, ..Key::clone(&key) };
    store(world, &key, changed, Facet::Policy)?;
    Ok(empty())
}

pub(super) fn list_policies(world: &mut World, region: &str, body: &Value) -> Outcome {
    find(world, region, required(body, "KeyId")?, Reach::OwnAccount)?;
    Ok(Answer::json(&json!({ "PolicyNames": ["default"], "Truncated": false })))
}
