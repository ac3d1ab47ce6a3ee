//! A key's table → the key and its aspects. Which buckets are on it decides what W&B may do with it.

use std::collections::BTreeMap;

use byob_policy::{Document, Partition};

use super::{DesiredAspect, DesiredRoot, bucket::tags, recorded_key, statements, waivers};
use crate::address::{Kind, RootAddress};
use crate::config::{
    BucketTable, Configuration, EncryptionField, ForeignStatements, KeyTable, RotationField,
};
use crate::diagnostic::Diagnostic;
use crate::kind::{Alias, Attributes, Key, KeyRef, KeyState, Policy, Purpose, Rotation, WANDB_SID};
use crate::recorded::{Recorded, RecordedResource};

/// Days between rotations where the file says nothing.
const ROTATION_DAYS: u32 = 365;

pub(super) fn desired(
    config: &Configuration,
    account_id: &str,
    recorded: &Recorded,
    names: &BTreeMap<String, String>,
    address: &RootAddress,
    table: &KeyTable,
) -> Result<DesiredRoot, Diagnostic> {
    let another_tables = |alias: &str, region: &str| {
        config.keys.iter().any(|(label, other)| {
            *label != address.label
                && other.alias == alias
                && other.region.as_deref().is_none_or(|own| own == region)
        })
    };
    let known = recorded_key(recorded, address, &table.alias, table.region.as_deref(), another_tables)
        .map(|(_, r)| r);
    let region = table
        .region
        .clone()
        .or_else(|| known.map(|r| r.region.clone()))
        .or_else(|| config.aws.region.clone());
    let missing = || Diagnostic {
        message: format!("`{address}` has no region"),
        span: config.spans.get(&address.to_string()).copied(),
        label: "no bucket is on this key".into(),
        help: "write `region` here or in [aws]".into(),
    };
    let region = region.ok_or_else(missing)?;
    let partition = Partition::from_region(&region).ok_or_else(missing)?;
    let created = known.is_none_or(|r| r.created);
    let wandb = wandb_use(config, recorded, names, address, known.map(|r| r.identity.as_str()));
    let rotation = match table.rotation {
        None => Rotation { enabled: true, period_days: Some(ROTATION_DAYS) },
        Some(RotationField::Days(days)) => Rotation { enabled: true, period_days: Some(days) },
        Some(RotationField::Off) => Rotation { enabled: false, period_days: None },
    };
    let document = Document::new(statements::key(
        partition,
        account_id,
        table.managers.iter().cloned(),
        wandb.map(|purpose| (purpose, config.wandb.principals.iter().cloned().collect())),
    ));
    let mut aspects = BTreeMap::from([
        (Kind::KeyPolicy, DesiredAspect::Managed(Attributes::Policy(Policy { document }))),
        (Kind::Rotation, DesiredAspect::Managed(Attributes::Rotation(rotation))),
        (Kind::Alias, DesiredAspect::Managed(Attributes::Alias(Alias { name: table.alias.clone() }))),
    ]);
    if let Some(tags) = tags(&config.stack, &config.tags, &table.tags, address, created) {
        aspects.insert(Kind::KeyTags, DesiredAspect::Managed(Attributes::Tags(tags)));
    }
    let description = table
        .description
        .clone()
        .unwrap_or_else(|| format!("Encrypts storage for Weights & Biases (byob stack {})", config.stack));
    Ok(DesiredRoot {
        region,
        partition,
        name: table.alias.clone(),
        name_prefix: None,
        attributes: Attributes::Key(Key {
            description,
            state: KeyState::Enabled,
            deletion_window_days: table.deletion_window_days,
            protect: table.protect,
            waivers: waivers(config, address),
        }),
        aspects,
        foreign_statements: ForeignStatements::Remove,
        wandb_access: wandb.is_some(),
        path: None,
        created,
    })
}

/// What a forgotten bucket (or one that is to be forgotten) goes on needing the key for. No table says so any more;
/// what the key's recorded policy gives W&B today does, so that forgetting never changes who has access.
fn forgotten_use(
    config: &Configuration,
    recorded: &Recorded,
    names: &BTreeMap<String, String>,
    arn: &str,
) -> Option<Purpose> {
    let stays = |address: &RootAddress, bucket: &RecordedResource| {
        config.forget.contains(address)
            && bucket.keys_used.contains(arn)
            && !names.values().any(|name| *name == bucket.identity)
    };
    let forgotten = recorded.tombstones.iter().any(|t| t.keys_used.contains(arn))
        || recorded.roots().any(|(address, bucket)| stays(&address, bucket));
    let (key, _) = recorded.roots().find(|(_, r)| forgotten && r.identity == arn)?;
    let Ok(Attributes::Policy(policy)) = recorded.resources.get(&key.aspect(Kind::KeyPolicy))?.typed() else {
        return None;
    };
    let statement = policy.document.statements.iter().find(|s| s.sid.as_deref() == Some(WANDB_SID))?;
    let writes = statement.action.actions().iter().any(|a| a.eq_ignore_ascii_case("kms:Encrypt"));
    Some(if writes { Purpose::Storage } else { Purpose::Reference })
}

/// What W&B needs the key for: a bucket is on it when its `encryption` names it, or the record says it once did and it
/// still exists (a forgotten one too: its objects stay encrypted under the key). `None`: nothing.
fn wandb_use(
    config: &Configuration,
    recorded: &Recorded,
    names: &BTreeMap<String, String>,
    address: &RootAddress,
    arn: Option<&str>,
) -> Option<Purpose> {
    let named = |table: &BucketTable| {
        let key = match &table.encryption {
            Some(EncryptionField::SseKms { key, .. } | EncryptionField::DsseKms { key }) => key,
            Some(EncryptionField::SseS3) | None => return false,
        };
        match key {
            KeyRef::Managed { arn_of } => arn_of == address,
            KeyRef::Arn(key) => Some(key.as_str()) == arn,
        }
    };
    let used = |label: &str| {
        let name = names.get(label)?;
        arn.filter(|arn| recorded.keys_of(name).any(|used| used == arn))
    };
    let mut purposes: Vec<Purpose> = config
        .buckets
        .iter()
        .filter(|(label, table)| table.wandb_access && (named(table) || used(label).is_some()))
        .map(|(_, table)| table.purpose)
        .collect();
    if let Some(arn) = arn {
        purposes.extend(forgotten_use(config, recorded, names, arn));
    }
    if purposes.contains(&Purpose::Storage) { Some(Purpose::Storage) } else { purposes.first().copied() }
}
