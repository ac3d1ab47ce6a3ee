//! Desired state: the configuration with every default filled in and every name resolved. A pure function of the
//! configuration, the account and the record (which knows the names that stand and which roots byob created).

mod bucket;
mod key;
mod statements;

use std::collections::{BTreeMap, BTreeSet};

use byob_policy::Partition;
use serde_json::{Value, json};

use crate::address::{Kind, RootAddress, RootKind};
use crate::config::{BucketTable, Configuration, ForeignStatements, NameSource, State, Waiver, Wandb};
use crate::diagnostic::Diagnostic;
use crate::kind::{Accepted, Attributes, KeyRef, Waivers};
use crate::recorded::{ApprovedStep, Recorded, RecordedResource};

pub use statements::{KEY_USE_ACTIONS, REFERENCE_ACTIONS, REFERENCE_KEY_ACTIONS, STORAGE_ACTIONS};

/// Everything that should exist.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// The configuration's name in the account.
    pub stack: String,
    /// 12 digits.
    pub account_id: String,
    /// By address.
    pub roots: BTreeMap<RootAddress, DesiredRoot>,
    /// Roots to leave alone and drop from the record.
    pub forget: BTreeSet<RootAddress>,
    /// `[[waive]]`.
    pub waivers: Vec<Waiver>,
    /// Who W&B is and where it comes from, for the rules: what it is granted stands in the policies.
    pub wandb: Wandb,
    /// The bucket that keeps the record: `[state] s3`'s.
    pub record_bucket: Option<String>,
}

/// One desired root with its aspects.
#[derive(Debug, Clone, PartialEq)]
pub struct DesiredRoot {
    /// `eu-west-1`.
    pub region: String,
    /// The region's partition.
    pub partition: Partition,
    /// What tells it from all others: a bucket's name, a key's alias (`alias/x`).
    pub name: String,
    /// Of a bucket named by a prefix: the prefix.
    pub name_prefix: Option<String>,
    /// The root's own attributes.
    pub attributes: Attributes,
    /// What is managed, and what is left alone on purpose; an aspect in neither is unmanaged by default.
    pub aspects: BTreeMap<Kind, DesiredAspect>,
    /// Whether other teams' policy statements stay.
    pub foreign_statements: ForeignStatements,
    /// Whether W&B is meant to have access.
    pub wandb_access: bool,
    /// Of a bucket: the sub-path that W&B is given, without leading or trailing slash. Only the rules look at it.
    pub path: Option<String>,
    /// Whether byob created it, or will; imported roots keep the tags and rules they have.
    pub created: bool,
}

/// One aspect of a desired root.
#[derive(Debug, Clone, PartialEq)]
pub enum DesiredAspect {
    /// byob sees to it.
    Managed(Attributes),
    /// Listed in `unmanaged`: a recorded one is forgotten, never removed.
    Left,
}

impl DesiredRoot {
    /// A managed aspect.
    #[must_use]
    pub fn managed(&self, kind: Kind) -> Option<&Attributes> {
        match self.aspects.get(&kind) {
            Some(DesiredAspect::Managed(attributes)) => Some(attributes),
            Some(DesiredAspect::Left) | None => None,
        }
    }

    /// The key its default encryption uses, symbolic or not.
    #[must_use]
    pub fn encryption_key(&self) -> Option<&KeyRef> {
        match self.managed(Kind::Encryption) {
            Some(Attributes::Encryption(encryption)) => encryption.kms_key.as_ref(),
            _ => None,
        }
    }
}

impl Desired {
    /// Nothing: what `byob destroy` wants. What is to be forgotten is still to be left alone.
    #[must_use]
    pub fn empty(&self) -> Self {
        Self { roots: BTreeMap::new(), ..self.clone() }
    }

    /// The meaning as JSON: what the configuration's digest is made of.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let roots: BTreeMap<String, Value> = self
            .roots
            .iter()
            .map(|(address, root)| {
                let aspects: BTreeMap<&str, Value> = root
                    .aspects
                    .iter()
                    .map(|(kind, aspect)| {
                        let value = match aspect {
                            DesiredAspect::Managed(attributes) => attributes.to_value(),
                            DesiredAspect::Left => json!("unmanaged"),
                        };
                        (kind.aspect().unwrap_or_default(), value)
                    })
                    .collect();
                let value = json!({
                    "region": root.region,
                    "name": root.name,
                    "attributes": root.attributes.to_value(),
                    "aspects": aspects,
                    "foreign_statements": root.foreign_statements == ForeignStatements::Keep,
                    "wandb_access": root.wandb_access,
                });
                (address.to_string(), value)
            })
            .collect();
        let waivers: Vec<Value> = self
            .waivers
            .iter()
            .map(|w| json!({"rule": w.rule, "address": w.address.to_string(), "reason": w.reason, "until": w.until}))
            .collect();
        json!({
            "stack": self.stack,
            "account_id": self.account_id,
            "roots": roots,
            "forget": self.forget.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "waivers": waivers,
        })
    }
}

/// Makes desired state.
///
/// # Errors
/// What can only be seen once names are resolved: two addresses with one identity, a key whose region cannot be told.
pub fn desired(
    config: &Configuration,
    account_id: &str,
    recorded: &Recorded,
) -> Result<Desired, Vec<Diagnostic>> {
    let mut errors = Vec::new();
    let mut roots = BTreeMap::new();
    let names: BTreeMap<String, String> = config
        .buckets
        .iter()
        .map(|(label, table)| (label.clone(), bucket_name(config, account_id, recorded, label, &table.name)))
        .collect();
    for (label, table) in &config.buckets {
        let address = RootAddress::bucket(label);
        let name = names.get(label).cloned().unwrap_or_default();
        let created = recorded_by_name(recorded, &name).is_none_or(|(_, r)| r.created);
        match bucket::desired(config, &address, table, &names, created) {
            Ok(root) => {
                roots.insert(address, root);
            }
            Err(error) => errors.push(error),
        }
    }
    for (label, table) in &config.keys {
        let address = RootAddress::key(label);
        match key::desired(config, account_id, recorded, &names, &address, table) {
            Ok(root) => {
                roots.insert(address, root);
            }
            Err(error) => errors.push(error),
        }
    }
    errors.extend(two_addresses_one_identity(config, &roots));
    errors.extend(unfit_for_record(config, &names));
    if errors.is_empty() {
        Ok(Desired {
            stack: config.stack.clone(),
            account_id: account_id.to_owned(),
            roots,
            forget: config.forget.clone(),
            waivers: config.waivers.clone(),
            wandb: config.wandb.clone(),
            record_bucket: match &config.state {
                State::S3(state) => Some(state.bucket.clone()),
                State::Path(_) => None,
            },
        })
    } else {
        Err(errors)
    }
}

/// The bucket that keeps the record, if it is one whose name byob makes: such a name is known here alone.
fn unfit_for_record(config: &Configuration, names: &BTreeMap<String, String>) -> Vec<Diagnostic> {
    let State::S3(state) = &config.state else { return Vec::new() };
    let made = |table: &BucketTable| matches!(table.name, NameSource::Prefix { .. });
    let own = config.buckets.iter().filter(|(label, _)| names.get(*label) == Some(&state.bucket));
    own.filter(|(_, table)| made(table))
        .filter_map(|(label, table)| {
            let (message, help) = table.unfit_for_record(label)?;
            let places = [format!("bucket.{label}.name_prefix"), format!("bucket.{label}")];
            Some(Diagnostic {
                message,
                span: places.iter().find_map(|place| config.spans.get(place)).copied(),
                label: "[state] s3 names the bucket that this is".into(),
                help: help.into(),
            })
        })
        .collect()
}

/// The waivers of a root and its aspects, as its attributes hold them.
fn waivers(config: &Configuration, root: &RootAddress) -> Waivers {
    let own = config.waivers.iter().filter(|w| w.address.root() == *root);
    own.map(|w| {
        let accepted = Accepted { reason: w.reason.clone(), until: w.until };
        (format!("{} {}", w.address, w.rule.id()), accepted)
    })
    .collect()
}

/// A bucket's name. One made from a prefix is kept as recorded while its prefix stands.
fn bucket_name(
    config: &Configuration,
    account_id: &str,
    recorded: &Recorded,
    label: &str,
    source: &NameSource,
) -> String {
    match source {
        NameSource::Exact(name) => name.clone(),
        NameSource::Prefix { prefix, salt } => {
            let kept = recorded
                .root(&RootAddress::bucket(label))
                .filter(|r| r.name_prefix.as_ref() == Some(prefix))
                .map(|r| r.identity.clone());
            kept.unwrap_or_else(|| {
                crate::name::generate(account_id, &config.stack, label, prefix, salt.as_deref())
            })
        }
    }
}

/// The recorded bucket of this name, under whatever address.
#[must_use]
pub fn recorded_by_name<'a>(
    recorded: &'a Recorded,
    name: &str,
) -> Option<(RootAddress, &'a RecordedResource)> {
    recorded.roots().find(|(address, r)| address.kind == RootKind::Bucket && r.identity == name)
}

/// The alias that the open approval gives a key, or was to give it: by what stood at the step's address (`arn`), else, for a
/// key that was still to be made, by its address.
#[must_use]
pub fn approved_alias<'a>(recorded: &'a Recorded, address: &RootAddress, arn: &str) -> Option<&'a str> {
    let approval = recorded.approval.as_ref().filter(|approval| !approval.finished)?;
    let is_its = |step: &&ApprovedStep| step.identity.as_deref() == Some(arn);
    let alias = |step: &'a ApprovedStep| step.document.get("name").and_then(Value::as_str);
    let mut aliases = approval.steps.iter().filter(|step| step.address.kind == Kind::Alias);
    if let Some(step) = aliases.clone().find(is_its) {
        return alias(step);
    }
    // What was to come to this address was another one, and so was what was to be made there, if this one was there before.
    let comes = |step: &ApprovedStep| {
        step.address == address.address() && step.from.is_some() && step.identity.is_none()
    };
    if approval.steps.iter().any(|step| is_its(&step) || comes(step)) {
        return None;
    }
    let made = |step: &&ApprovedStep| step.address == address.aspect(Kind::Alias) && step.identity.is_none();
    alias(aliases.rfind(made)?)
}

fn recorded_alias<'a>(recorded: &'a Recorded, address: &RootAddress) -> Option<&'a str> {
    let alias = recorded.resources.get(&address.aspect(Kind::Alias))?;
    alias.attributes.get("name").and_then(Value::as_str)
}

/// The alias of a recorded key: as recorded; else, where the run that gives it one did not end, as its approval says.
fn alias_of<'a>(recorded: &'a Recorded, address: &RootAddress, key: &RecordedResource) -> Option<&'a str> {
    match recorded.resources.contains_key(&address.aspect(Kind::Alias)) {
        true => recorded_alias(recorded, address),
        false => approved_alias(recorded, address, &key.identity),
    }
}

/// The recorded key with this alias in this region (any, where it is not known), under whatever address.
#[must_use]
pub fn recorded_by_alias<'a>(
    recorded: &'a Recorded,
    alias: &str,
    region: Option<&str>,
) -> Option<(RootAddress, &'a RecordedResource)> {
    let keys = || {
        recorded.roots().filter(|(address, key)| {
            address.kind == RootKind::Key && region.is_none_or(|region| region == key.region)
        })
    };
    let by_record = keys().find(|(address, _)| recorded_alias(recorded, address) == Some(alias));
    by_record.or_else(|| keys().find(|(address, key)| alias_of(recorded, address, key) == Some(alias)))
}

/// The recorded key that a table means: the one with its alias, under whatever address; else the one at its address,
/// whose alias is then renamed, unless that alias is by now another table's (`wanted` says so, by alias and region).
#[must_use]
pub fn recorded_key<'a>(
    recorded: &'a Recorded,
    address: &RootAddress,
    alias: &str,
    region: Option<&str>,
    wanted: impl Fn(&str, &str) -> bool,
) -> Option<(RootAddress, &'a RecordedResource)> {
    recorded_by_alias(recorded, alias, region).or_else(|| {
        let here = recorded.root(address)?;
        let elsewhere = alias_of(recorded, address, here).is_some_and(|name| wanted(name, &here.region));
        (!elsewhere).then(|| (address.clone(), here))
    })
}

fn two_addresses_one_identity(
    config: &Configuration,
    roots: &BTreeMap<RootAddress, DesiredRoot>,
) -> Vec<Diagnostic> {
    let mut seen: BTreeMap<(RootKind, Option<&str>, &str), &RootAddress> = BTreeMap::new();
    let mut errors = Vec::new();
    for (address, root) in roots {
        // A bucket's name is global in its partition, an alias is unique in a region.
        let region = (address.kind == RootKind::Key).then_some(root.region.as_str());
        if let Some(first) = seen.insert((address.kind, region, &root.name), address) {
            errors.push(Diagnostic {
                message: format!("`{first}` and `{address}` are both `{}`", root.name),
                span: config.spans.get(&address.to_string()).copied(),
                label: String::new(),
                help: "one bucket or key has one table; take one of the two out".into(),
            });
        }
    }
    errors
}
