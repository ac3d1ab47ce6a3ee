//! Taking a live root that a table already describes into the record as it is. Nothing is written to AWS; what a plan
//! would then change is the plan's business.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::{Kind, RootAddress, RootKind};
use byob_model::desired::{Desired, DesiredAspect, DesiredRoot};
use byob_model::kind::{
    Attributes, BYOB_ADDRESS, BYOB_LINEAGE, BYOB_STACK, Bucket, Key, KeyRef, KeyState, Waivers,
};
use byob_model::live::{KeyFacts, Live, LiveAspect, LiveBucket, LiveKey};
use byob_model::recorded::{Recorded, RecordedResource};
use byob_policy::Effect;
use uuid::Uuid;

use crate::aspect;
use crate::plan::RecordChange;

/// Why a root cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// No table describes it.
    #[error("{0} has no table in byob.toml; an import takes the live root that a table already describes")]
    NoTable(RootAddress),
    /// The record has it.
    #[error("{0} is recorded already")]
    Recorded(RootAddress),
    /// The record has the same bucket or key elsewhere.
    #[error("`{identity}` is recorded already, as {at}")]
    RecordedAs {
        /// Name or ARN.
        identity: String,
        /// Where.
        at: RootAddress,
    },
    /// Another record made it, or has it.
    #[error("{address}: `{identity}` is recorded elsewhere: it carries {BYOB_LINEAGE} = {lineage}")]
    RecordedElsewhere {
        /// Which.
        address: RootAddress,
        /// Name or ARN.
        identity: String,
        /// The lineage it carries.
        lineage: String,
    },
    /// It does not exist.
    #[error("{address}: `{identity}` does not exist; byob apply would create it")]
    Absent {
        /// Which.
        address: RootAddress,
        /// Name or alias.
        identity: String,
    },
    /// It is somebody else's, or may not be read.
    #[error("{address}: AWS does not let this caller look at `{identity}`; it may belong to another account")]
    Forbidden {
        /// Which.
        address: RootAddress,
        /// Name or ARN.
        identity: String,
    },
    /// It is elsewhere.
    #[error("{address}: `{identity}` is in {live}, and the configuration says {desired}")]
    Region {
        /// Which.
        address: RootAddress,
        /// Its name.
        identity: String,
        /// Where it is.
        live: String,
        /// What the file says.
        desired: String,
    },
    /// A key that byob could not manage.
    #[error("{address}: `{identity}` is {what}")]
    Unusable {
        /// Which.
        address: RootAddress,
        /// Its ARN.
        identity: String,
        /// Why not.
        what: String,
    },
}

/// The key of a table: the one whose tag says so where `tagged` has one, else the one that its alias points at.
fn key_of<'a>(
    root: &DesiredRoot,
    address: &RootAddress,
    live: &'a Live,
    tagged: &'a Tagged,
) -> Option<&'a str> {
    tagged.get(address).map(String::as_str).or_else(|| aliased(root, live))
}

/// The key that a table's alias points at.
fn aliased<'a>(root: &DesiredRoot, live: &'a Live) -> Option<&'a str> {
    live.aliases.get(&(root.region.clone(), root.name.clone()))?.as_deref()
}

/// Whether another table's alias points at this key too.
fn is_shared(desired: &Desired, live: &Live, address: &RootAddress, arn: &str) -> bool {
    let mut keys = desired.roots.iter().filter(|(other, _)| other.kind == RootKind::Key && *other != address);
    keys.any(|(_, root)| aliased(root, live) == Some(arn))
}

/// Keys of this lineage and of the configuration's stack that the record does not name: `arn:… (byob:address = key.x)`.
#[must_use]
pub fn unclaimed(desired: &Desired, live: &Live, recorded: &Recorded, lineage: Uuid) -> Vec<String> {
    let known = |arn: &String| recorded.roots().any(|(_, root)| root.identity == *arn);
    let keys = live.keys.values().filter_map(|key| match key {
        LiveKey::Exists(facts)
            if facts.tags.get(BYOB_LINEAGE) == Some(&lineage.to_string())
                && is_of_stack(desired, &facts.tags)
                && facts.state != KeyState::PendingDeletion
                && !known(&facts.arn) =>
        {
            let address = facts.tags.get(BYOB_ADDRESS).map_or("", String::as_str);
            Some(format!("{} ({BYOB_ADDRESS} = {address})", facts.arn))
        }
        _ => None,
    });
    keys.collect()
}

/// ARNs of keys that their tags lead to, where no alias does.
pub type Tagged = BTreeMap<RootAddress, String>;

/// The keys among these tables' that only their tags lead to: which carry this `byob:lineage`, the stack as `byob:stack` and
/// the table's address as `byob:address`, and are not pending deletion, where the table's alias leads to none that does. Tags
/// alone never say which record is lost: two stacks may have the same labels.
///
/// # Errors
/// The table, and the ARNs of several keys that say to be its.
pub fn tagged(
    desired: &Desired,
    live: &Live,
    addresses: &[RootAddress],
    lost: Uuid,
) -> Result<Tagged, (RootAddress, Vec<String>)> {
    let mut tagged = Tagged::new();
    for address in addresses.iter().filter(|address| address.kind == RootKind::Key) {
        let Some(root) = desired.roots.get(address) else { continue };
        let said = said_to_be(desired, root, address, live);
        let of_record = |facts: &&KeyFacts| facts.tags.get(BYOB_LINEAGE) == Some(&lost.to_string());
        let arns: Vec<String> = said.filter(of_record).map(|facts| facts.arn.clone()).collect();
        // An alias goes before a label, unless it is not this table's alone.
        let aliased = aliased(root, live).is_some_and(|arn| match live.keys.get(arn) {
            Some(LiveKey::Exists(facts)) => {
                let ours = of_record(&&**facts) && is_of_stack(desired, &facts.tags);
                arns.iter().any(|one| one == arn) || (ours && !is_shared(desired, live, address, arn))
            }
            _ => false,
        });
        match arns.as_slice() {
            _ if aliased => {}
            [] => {}
            [arn] => drop(tagged.insert(address.clone(), arn.clone())),
            _ => return Err((address.clone(), arns)),
        }
    }
    Ok(tagged)
}

/// The keys whose tags say that they are this table's, whichever record made them.
fn said_to_be<'a>(
    desired: &'a Desired,
    root: &'a DesiredRoot,
    address: &RootAddress,
    live: &'a Live,
) -> impl Iterator<Item = &'a KeyFacts> {
    let address = address.to_string();
    live.keys.values().filter_map(move |key| match key {
        LiveKey::Exists(facts)
            if facts.tags.contains_key(BYOB_LINEAGE)
                && facts.tags.get(BYOB_ADDRESS) == Some(&address)
                && is_of_stack(desired, &facts.tags)
                && facts.state != KeyState::PendingDeletion
                && region_of(&facts.arn) == Some(&root.region) =>
        {
            Some(&**facts)
        }
        _ => None,
    })
}

/// For people, where nothing else says which record is lost: `key.k: arn:… carries byob:lineage = …`.
#[must_use]
pub fn offered(desired: &Desired, live: &Live, addresses: &[RootAddress]) -> Vec<String> {
    let roots = addresses.iter().filter_map(|address| Some((address, desired.roots.get(address)?)));
    let keys = roots.flat_map(|(address, root)| {
        said_to_be(desired, root, address, live).map(move |facts| {
            let lineage = facts.tags.get(BYOB_LINEAGE).map_or("", String::as_str);
            format!("{address}: {} carries {BYOB_LINEAGE} = {lineage}", facts.arn)
        })
    });
    keys.collect()
}

/// Whether a key's tags name the stack of the configuration.
fn is_of_stack(desired: &Desired, tags: &BTreeMap<String, String>) -> bool {
    tags.get(BYOB_STACK) == Some(&desired.stack)
}

/// The keys among these roots that let W&B use them, as AWS has their policies: which bucket's data is under which of them,
/// no tag says.
#[must_use]
pub fn keys_for_wandb(
    desired: &Desired,
    live: &Live,
    addresses: &[RootAddress],
    tagged: &Tagged,
) -> BTreeSet<String> {
    let roots = addresses.iter().filter_map(|address| Some((address, desired.roots.get(address)?)));
    let keys = roots.filter(|(address, _)| address.kind == RootKind::Key);
    let arns = keys.filter_map(|(address, root)| key_of(root, address, live, tagged));
    let wandb = &desired.wandb.principals;
    let lets_in = |arn: &&str| match live.keys.get(*arn) {
        Some(LiveKey::Exists(facts)) => match facts.aspects.get(&Kind::KeyPolicy) {
            Some(LiveAspect::Present(Attributes::Policy(policy))) => {
                policy.document.statements.iter().any(|statement| {
                    let names =
                        statement.principal.iter().flat_map(|who| who.principals().0.values().flatten());
                    statement.effect == Effect::Allow && names.into_iter().any(|name| wandb.contains(name))
                })
            }
            _ => false,
        },
        _ => false,
    };
    arns.filter(lets_in).map(str::to_owned).collect()
}

/// `arn:aws:kms:eu-west-1:…`: `eu-west-1`.
fn region_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(3)
}

/// The lineage of the record that made a root, as a recovery believes it: of a bucket, whose name is its own, the tag, unless
/// it is another stack's; of a key, since an alias may be pointed anywhere, only beside the configuration's own stack, and
/// where its tags do not name another table whose alias points at it too. A key that is pending deletion is none.
#[must_use]
pub fn made_by(desired: &Desired, live: &Live, address: &RootAddress, tagged: &Tagged) -> Option<Uuid> {
    let root = desired.roots.get(address)?;
    match address.kind {
        RootKind::Bucket => {
            let LiveBucket::Exists(facts) = live.buckets.get(&root.name)? else { return None };
            if facts.tags.get(BYOB_STACK).is_some_and(|stack| *stack != desired.stack) {
                return None;
            }
        }
        RootKind::Key => {
            let arn = key_of(root, address, live, tagged)?;
            let LiveKey::Exists(facts) = live.keys.get(arn)? else { return None };
            let said = facts.tags.get(BYOB_ADDRESS).and_then(|said| said.parse::<RootAddress>().ok());
            let anothers =
                said.is_some_and(|said| said != *address && is_shared(desired, live, address, arn));
            if !is_of_stack(desired, &facts.tags) || anothers || facts.state == KeyState::PendingDeletion {
                return None;
            }
        }
    }
    lineage(desired, live, address, tagged)?.parse().ok()
}

/// The lineage that a live root carries, found by its name, its alias or (`tagged`) its tags; `None` where there is no
/// root, or no such tag.
#[must_use]
pub fn lineage(desired: &Desired, live: &Live, address: &RootAddress, tagged: &Tagged) -> Option<String> {
    let root = desired.roots.get(address)?;
    let tags = match address.kind {
        RootKind::Bucket => match live.buckets.get(&root.name)? {
            LiveBucket::Exists(facts) => &facts.tags,
            LiveBucket::Absent | LiveBucket::Forbidden { .. } => return None,
        },
        RootKind::Key => match live.keys.get(key_of(root, address, live, tagged)?)? {
            LiveKey::Exists(facts) => &facts.tags,
            LiveKey::Absent | LiveKey::Forbidden => return None,
        },
    };
    tags.get(BYOB_LINEAGE).cloned()
}

/// The record's changes that import one root. One that carries this record's own lineage was made by it, and counts as
/// created. `desired` must have been made as if the root were imported. A root that carries another record's lineage is
/// taken only where `from` names that very lineage: two records with one bucket delete each other's data. `tagged` has the
/// keys that only their tags lead to.
///
/// # Errors
/// [`ImportError`]
pub fn import(
    desired: &Desired,
    recorded: &Recorded,
    live: &Live,
    address: &RootAddress,
    (from, tagged): (Option<Uuid>, &Tagged),
) -> Result<Vec<RecordChange>, ImportError> {
    let root = desired.roots.get(address).ok_or_else(|| ImportError::NoTable(address.clone()))?;
    if recorded.root(address).is_some() {
        return Err(ImportError::Recorded(address.clone()));
    }
    let own = recorded.lineage.map(|lineage| lineage.to_string());
    let created = own.is_some() && lineage(desired, live, address, tagged) == own;
    let absent = || ImportError::Absent { address: address.clone(), identity: root.name.clone() };
    let forbidden =
        |identity: &str| ImportError::Forbidden { address: address.clone(), identity: identity.to_owned() };
    let resource = |kind: Kind, identity: &str, attributes: &Attributes| RecordedResource {
        kind,
        account_id: desired.account_id.clone(),
        region: root.region.clone(),
        identity: identity.to_owned(),
        attributes: attributes.to_value(),
        created: created && kind.is_root(),
        name_prefix: None,
        keys_used: BTreeSet::new(),
        versioning_seen: false,
    };
    let mut changes = Vec::new();
    let (identity, aspects, alias) = match address.kind {
        RootKind::Bucket => {
            let facts = match live.buckets.get(&root.name) {
                None | Some(LiveBucket::Absent) => return Err(absent()),
                Some(LiveBucket::Forbidden { .. }) => return Err(forbidden(&root.name)),
                Some(LiveBucket::Exists(facts)) => facts,
            };
            if facts.region != root.region {
                return Err(ImportError::Region {
                    address: address.clone(),
                    identity: root.name.clone(),
                    live: facts.region.clone(),
                    desired: root.region.clone(),
                });
            }
            elsewhere(recorded, &root.name)?;
            not_anothers(recorded, address, &root.name, &facts.tags, from)?;
            let purpose = match &root.attributes {
                Attributes::Bucket(bucket) => bucket.purpose,
                _ => byob_model::kind::Purpose::default(),
            };
            let attributes = Attributes::Bucket(Bucket {
                name: root.name.clone(),
                region: facts.region.clone(),
                purpose,
                protect: true,
                force_destroy: false,
                waivers: Waivers::new(),
            });
            let mut bucket = resource(Kind::Bucket, &root.name, &attributes);
            bucket.name_prefix.clone_from(&root.name_prefix);
            bucket.versioning_seen = facts.versioning_enabled;
            if let Some(LiveAspect::Present(Attributes::Encryption(encryption))) =
                facts.aspects.get(&Kind::Encryption)
                && let Some(KeyRef::Arn(arn)) = &encryption.kms_key
            {
                bucket.keys_used.insert(arn.clone());
            }
            changes.push(RecordChange::Put(address.address(), bucket));
            (root.name.clone(), &facts.aspects, None)
        }
        RootKind::Key => {
            let arn = key_of(root, address, live, tagged).ok_or_else(absent)?;
            let facts = match live.keys.get(arn) {
                None | Some(LiveKey::Absent) => return Err(absent()),
                Some(LiveKey::Forbidden) => return Err(forbidden(arn)),
                Some(LiveKey::Exists(facts)) => facts,
            };
            let unusable = |what: &str| ImportError::Unusable {
                address: address.clone(),
                identity: arn.to_owned(),
                what: what.to_owned(),
            };
            if !facts.usable {
                return Err(unusable("not a customer's symmetric key for encryption and decryption"));
            }
            if facts.state == KeyState::PendingDeletion {
                return Err(unusable("pending deletion; cancel that first"));
            }
            elsewhere(recorded, arn)?;
            not_anothers(recorded, address, arn, &facts.tags, from)?;
            let attributes = Attributes::Key(Key {
                description: facts.description.clone(),
                state: facts.state.clone(),
                deletion_window_days: 30,
                protect: true,
                waivers: Waivers::new(),
            });
            changes.push(RecordChange::Put(address.address(), resource(Kind::Key, arn, &attributes)));
            (arn.to_owned(), &facts.aspects, Some(aspect::live_alias(facts, root.managed(Kind::Alias), None)))
        }
    };
    for (kind, wanted) in &root.aspects {
        let DesiredAspect::Managed(wanted) = wanted else { continue };
        let live = match (&alias, kind) {
            (Some(alias), Kind::Alias) => alias,
            _ => aspects.get(kind).unwrap_or(&LiveAspect::Absent),
        };
        if let LiveAspect::Present(attributes) = live {
            let seen = aspect::seen_by(attributes.clone(), Some(wanted), None, None);
            changes.push(RecordChange::Put(address.aspect(*kind), resource(*kind, &identity, &seen)));
        }
    }
    Ok(changes)
}

fn elsewhere(recorded: &Recorded, identity: &str) -> Result<(), ImportError> {
    match recorded.roots().find(|(_, r)| r.identity == identity) {
        Some((at, _)) => Err(ImportError::RecordedAs { identity: identity.to_owned(), at }),
        None => Ok(()),
    }
}

fn not_anothers(
    recorded: &Recorded,
    address: &RootAddress,
    identity: &str,
    tags: &BTreeMap<String, String>,
    from: Option<Uuid>,
) -> Result<(), ImportError> {
    match foreign_lineage(recorded, tags)
        .filter(|lineage| from.is_none_or(|from| from.to_string() != *lineage))
    {
        Some(lineage) => Err(ImportError::RecordedElsewhere {
            address: address.clone(),
            identity: identity.to_owned(),
            lineage: lineage.to_owned(),
        }),
        None => Ok(()),
    }
}

/// The lineage of another record that these tags carry.
pub(crate) fn foreign_lineage<'a>(
    recorded: &Recorded,
    tags: &'a BTreeMap<String, String>,
) -> Option<&'a str> {
    let ours = recorded.lineage.map(|lineage| lineage.to_string());
    tags.get(BYOB_LINEAGE).filter(|lineage| Some(*lineage) != ours.as_ref()).map(String::as_str)
}
