//! Aliases: names of keys, unique in an account and region.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::key::epoch;
use super::lifecycle::refuse_pending;
use super::{Reach, empty, find, page, required, text};
use crate::answer::{Answer, AwsError, Failure, Outcome};
use crate::faults::Stale;
use crate::route::partition;
use crate::world::World;

/// An alias.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Alias {
    /// With its prefix: `alias/wandb`.
    pub(crate) name: String,
    pub(crate) region: String,
    /// The key's id.
    pub(crate) target: String,
    /// When, RFC 3339 in UTC.
    created: String,
    updated: String,
}

/// The name of the record.
pub(super) fn record_name(region: &str, alias: &str) -> String {
    format!("{region}/{alias}")
}

pub(super) fn arn(world: &World, region: &str, alias: &str) -> String {
    format!("arn:{}:kms:{region}:{}:{alias}", partition(region), world.account)
}

fn check_name(name: &str) -> Result<(), AwsError> {
    let rest = name.strip_prefix("alias/").unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_-".contains(c);
    if rest.is_empty() || name.len() > 256 || !rest.chars().all(plain) {
        return Err(AwsError::new(400, "InvalidAliasNameException", format!("Invalid alias name: {name}")));
    }
    if rest.starts_with("aws/") {
        return Err(AwsError::new(
            400,
            "NotAuthorizedException",
            "Aliases that begin with alias/aws/ are reserved",
        ));
    }
    Ok(())
}

fn existing(world: &mut World, region: &str, name: &str) -> Result<Arc<Alias>, Failure> {
    let found = world.aliases.get(&record_name(region, name))?;
    let arn = arn(world, region, name);
    Ok(found.ok_or_else(|| AwsError::new(400, "NotFoundException", format!("Alias {arn} is not found.")))?)
}

fn put(world: &mut World, alias: Alias, former: Option<Arc<Alias>>) -> Result<(), Failure> {
    let name = record_name(&alias.region, &alias.name);
    world.aliases.put(&name, alias)?;
    world.stale_aliases.wrote(name, former);
    Ok(())
}

pub(super) fn create(world: &mut World, region: &str, body: &Value) -> Outcome {
    let name = required(body, "AliasName")?;
    check_name(name)?;
    let key = find(world, region, required(body, "TargetKeyId")?, Reach::OwnAccount)?;
    if world.aliases.get(&record_name(region, name))?.is_some() {
        let message = format!("An alias with the name {} already exists", arn(world, region, name));
        return Err(AwsError::new(400, "AlreadyExistsException", message).into());
    }
    refuse_pending(&key)?;
    let now = jiff::Timestamp::now().to_string();
    let alias = Alias {
        name: name.to_owned(),
        region: region.to_owned(),
        target: key.core.key_id.clone(),
        created: now.clone(),
        updated: now,
    };
    put(world, alias, None)?;
    Ok(empty())
}

pub(super) fn update(world: &mut World, region: &str, body: &Value) -> Outcome {
    let name = required(body, "AliasName")?;
    check_name(name)?;
    let alias = existing(world, region, name)?;
    let key = find(world, region, required(body, "TargetKeyId")?, Reach::OwnAccount)?;
    refuse_pending(&key)?;
    let changed = Alias {
        target: key.core.key_id.clone(),
        updated: jiff::Timestamp::now().to_string(),
        ..Alias::clone(&alias)
    };
    put(world, changed, Some(alias))?;
    Ok(empty())
}

pub(super) fn delete(world: &mut World, region: &str, body: &Value) -> Outcome {
    let name = required(body, "AliasName")?;
    let alias = existing(world, region, name)?;
    let name = record_name(region, name);
    world.aliases.remove(&name)?;
    world.stale_aliases.wrote(name, Some(alias));
    Ok(empty())
}

pub(super) fn list(world: &mut World, region: &str, body: &Value) -> Outcome {
    let target = match text(body, "KeyId") {
        Some(reference) => Some(find(world, region, reference, Reach::OwnAccount)?.core.key_id.clone()),
        None => None,
    };
    let mut aliases = BTreeMap::new();
    for (name, alias) in world.aliases.all()? {
        aliases.insert(name, Some(alias));
    }
    let open: Vec<String> = Stale::open(&world.stale_aliases).cloned().collect();
    for name in open {
        let truth = aliases.remove(&name).flatten();
        let seen = world.stale_aliases.read(&name, truth);
        aliases.insert(name, seen);
    }
    let listed = aliases
        .into_values()
        .flatten()
        .filter(|alias| {
            alias.region == region && target.as_ref().is_none_or(|target| alias.target == *target)
        })
        .map(|alias| {
            json!({
                "AliasName": alias.name, "AliasArn": arn(world, region, &alias.name),
                "TargetKeyId": alias.target, "CreationDate": epoch(&alias.created),
                "LastUpdatedDate": epoch(&alias.updated),
            })
        })
        .collect();
    let (aliases, mut out) = page(listed, body, 50);
    out["Aliases"] = Value::Array(aliases);
    Ok(Answer::json(&out))
}
