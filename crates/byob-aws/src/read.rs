//! Everything that is wanted, read in parallel: roots beside their aspects where the root is expected to be there.
//! Refused and unsupported reads are collected; any other answer ends the reading.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use byob_apply::{Cloud, CloudError, ErrorKind};
use byob_model::address::Kind;
use byob_model::kind::{Alias, Attributes, BYOB_INTENT, BYOB_LINEAGE, KeyState, Tags, is_system_tag};
use byob_model::live::{BucketFacts, Live, LiveAspect, LiveBucket, LiveKey, Refused, Wanted, WantedBucket};
use byob_policy::Partition;
use futures_util::future::{join_all, try_join, try_join_all};
use serde_json::Value;
use uuid::Uuid;

use crate::bucket::{self, At, Head};
use crate::cloud::{AwsCloud, Endpoint};
use crate::key::{self, KeyAt};
use crate::{
    alias, cors, encryption, key_policy, lifecycle, logging, object_lock, ownership, policy,
    public_access_block, rotation, tags, versioning,
};

type Reading<'a> = Pin<Box<dyn Future<Output = Result<LiveAspect, CloudError>> + 'a>>;

/// The registration of a bucket's aspects. Tags and versioning are not here: they are facts of the bucket too.
fn bucket_aspect(at: At<'_>, kind: Kind) -> Option<Reading<'_>> {
    Some(match kind {
        Kind::PublicAccessBlock => Box::pin(public_access_block::read(at)),
        Kind::Ownership => Box::pin(ownership::read(at)),
        Kind::Encryption => Box::pin(encryption::read(at)),
        Kind::Cors => Box::pin(cors::read(at)),
        Kind::Lifecycle => Box::pin(lifecycle::read(at)),
        Kind::Logging => Box::pin(logging::read(at)),
        Kind::ObjectLock => Box::pin(object_lock::read(at)),
        Kind::BucketPolicy => Box::pin(policy::read(at)),
        _ => return None,
    })
}

/// The registration of a key's aspects; tags are facts of the key too, and its aliases are listed by region.
fn key_aspect(at: KeyAt<'_>, kind: Kind) -> Option<Reading<'_>> {
    Some(match kind {
        Kind::KeyPolicy => Box::pin(key_policy::read(at)),
        Kind::Rotation => Box::pin(rotation::read(at)),
        _ => return None,
    })
}

/// Reads all that is wanted.
pub(crate) async fn read(cloud: &AwsCloud, wanted: &Wanted) -> Result<Live, CloudError> {
    let caller = cloud.caller().await?;
    let buckets = try_join_all(wanted.buckets.iter().map(|(name, wanted)| {
        let read = Box::pin(read_bucket(cloud, &caller.account_id, name, wanted));
        async move { Ok((name.clone(), read.await?)) }
    }));
    let (buckets, keys) = Box::pin(try_join(buckets, read_keys(cloud, wanted))).await?;

    let mut live = Live { aliases: keys.aliases, key_intents: keys.intents, ..Live::default() };
    let mut beside = keys.beside;
    for (name, (bucket, said)) in buckets {
        beside.take(said);
        live.buckets.insert(name, bucket);
    }
    live.keys = keys.keys;
    live.attributes = leaves_of(&live);
    live.refused = beside.refused.into_iter().collect();
    live.notes = beside.notes.into_iter().collect();
    Ok(live)
}

/// What is said beside the values. Sets, because a hundred buckets say the same thing.
#[derive(Debug, Default)]
struct Beside {
    refused: BTreeSet<Refused>,
    notes: BTreeSet<String>,
}

impl Beside {
    fn take(&mut self, other: Self) {
        self.refused.extend(other.refused);
        self.notes.extend(other.notes);
    }

    fn refuse(&mut self, error: &CloudError, arn: &str) {
        self.refused.insert(Refused {
            iam_action: error.iam_action.clone().unwrap_or_else(|| error.operation.clone()),
            resource: if error.resource == "*" { error.resource.clone() } else { arn.to_owned() },
            request_id: error.request_id.clone(),
        });
    }

    fn not_offered(&mut self, error: &CloudError) -> String {
        let code = error
            .code
            .clone()
            .unwrap_or_else(|| error.status.map_or_else(String::new, |s| format!("HTTP {s}")));
        self.notes.insert(format!("{} is not offered here ({code})", error.operation));
        code
    }

    /// A value, or nothing where AWS has none, does not offer it or does not let it be read; the rest is an error.
    fn value<T>(&mut self, answer: Result<T, CloudError>, arn: &str) -> Result<Option<T>, CloudError> {
        match answer {
            Ok(value) => Ok(Some(value)),
            Err(error) => match error.kind {
                ErrorKind::NotFound => Ok(None),
                ErrorKind::AccessDenied => {
                    self.refuse(&error, arn);
                    Ok(None)
                }
                ErrorKind::Unsupported => {
                    self.not_offered(&error);
                    Ok(None)
                }
                _ => Err(error),
            },
        }
    }

    fn aspect(
        &mut self,
        answer: Result<LiveAspect, CloudError>,
        arn: &str,
    ) -> Result<LiveAspect, CloudError> {
        match answer {
            Ok(aspect) => Ok(aspect),
            Err(error) => match error.kind {
                // A key in a state in which it cannot be asked has nothing to compare.
                ErrorKind::NotFound | ErrorKind::InvalidState => Ok(LiveAspect::Absent),
                ErrorKind::AccessDenied => {
                    self.refuse(&error, arn);
                    Ok(LiveAspect::Refused)
                }
                ErrorKind::Unsupported => Ok(LiveAspect::Unsupported { code: self.not_offered(&error) }),
                _ => Err(error),
            },
        }
    }
}

/// How often a bucket is asked that is there by `HeadBucket` and not there by its other calls.
const TIMES: u32 = 3;

async fn read_bucket(
    cloud: &AwsCloud,
    owner: &str,
    name: &str,
    wanted: &WantedBucket,
) -> Result<(LiveBucket, Beside), CloudError> {
    let region = if wanted.region.is_empty() { cloud.region() } else { &wanted.region };
    let at = At { cloud, name, region, owner };
    let (head, mut read) = if wanted.recorded {
        let (head, read) = tokio::join!(Box::pin(bucket::read(at)), Box::pin(read_facts(at, wanted)));
        (head?, Some(read))
    } else {
        (Box::pin(bucket::read(at)).await?, None)
    };
    let real = match head {
        Head::Absent => return Ok((LiveBucket::Absent, Beside::default())),
        Head::Forbidden { region, request_id } => return forbidden(at, wanted, region, request_id).await,
        Head::Exists { region } => region,
    };
    let at = At { region: &real, ..at };
    if real != region {
        read = None;
    }
    for time in 1.. {
        let answer = match read.take() {
            Some(answer) => answer,
            None => Box::pin(read_facts(at, wanted)).await,
        };
        match answer {
            Ok((facts, beside)) => return Ok((LiveBucket::Exists(Box::new(facts)), beside)),
            // `HeadBucket` can still find a bucket that is deleted.
            Err(error) if error.kind == ErrorKind::NoSuchBucket && time < TIMES => {
                let pause = if cloud.endpoint() == Endpoint::Aws { 500 } else { 20 };
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            Err(error) if error.kind == ErrorKind::NoSuchBucket => break,
            Err(error) => return Err(error),
        }
    }
    Ok((LiveBucket::Absent, Beside::default()))
}

/// 403: not allowed, or not ours (any more). Of a recorded bucket the account's own list tells which.
async fn forbidden(
    at: At<'_>,
    wanted: &WantedBucket,
    region: Option<String>,
    request_id: Option<String>,
) -> Result<(LiveBucket, Beside), CloudError> {
    let mut beside = Beside::default();
    let mut listed = None;
    if wanted.recorded {
        listed = beside.value(bucket::listed(at).await, "*")?;
        if listed == Some(true) {
            beside.refused.insert(Refused {
                iam_action: "s3:ListBucket".to_owned(),
                resource: bucket_arn(at.name, at.region),
                request_id,
            });
        }
    }
    Ok((LiveBucket::Forbidden { region, listed }, beside))
}

async fn read_facts(at: At<'_>, wanted: &WantedBucket) -> Result<(BucketFacts, Beside), CloudError> {
    let aspects = join_all(wanted.aspects.iter().filter_map(|&kind| {
        let reading = bucket_aspect(at, kind)?;
        Some(async move { (kind, reading.await) })
    }));
    let by_the_way = join_all(wanted.beside.difference(&wanted.aspects).filter_map(|&kind| {
        let reading = bucket_aspect(at, kind)?;
        Some(async move { (kind, reading.await) })
    }));
    let asked = |kind| wanted.aspects.contains(&kind);
    let tags = when(!wanted.brief || asked(Kind::BucketTags), || tags::read(at));
    let versioning = when(!wanted.brief || asked(Kind::Versioning), || versioning::read(at));
    let abac = when(!wanted.brief, || bucket::abac(at));
    let holds_data = when(wanted.contents, || bucket::holds_data(at));
    // Whether a bucket is bare is part of the proof that it is ours.
    let policy = when(wanted.contents && !wanted.brief && !asked(Kind::BucketPolicy), || policy::read(at));
    let (aspects, by_the_way, tags, versioning, abac, holds_data, policy) =
        tokio::join!(aspects, by_the_way, tags, versioning, abac, holds_data, policy);

    let arn = bucket_arn(at.name, at.region);
    let mut beside = Beside::default();
    let mut facts = BucketFacts { region: at.region.to_owned(), ..BucketFacts::default() };
    for (kind, answer) in aspects {
        facts.aspects.insert(kind, beside.aspect(answer, &arn)?);
    }
    for (kind, answer) in by_the_way {
        // The plan names what was not looked at.
        if !matches!(&answer, Err(error) if error.kind == ErrorKind::AccessDenied) {
            facts.aspects.insert(kind, beside.aspect(answer, &arn)?);
        }
    }
    if let Some(answer) = tags {
        let aspect = beside.aspect(answer.map(|tags| tags_aspect(&mut facts.tags, tags)), &arn)?;
        if asked(Kind::BucketTags) {
            facts.aspects.insert(Kind::BucketTags, aspect);
        }
    }
    if let Some(answer) = versioning {
        if let Ok(found) = &answer {
            facts.mfa_delete = found.mfa_delete;
            facts.versioning_enabled = found.status == byob_model::kind::VersioningStatus::Enabled;
        }
        let aspect = beside.aspect(answer.map(versioning::Found::aspect), &arn)?;
        if asked(Kind::Versioning) {
            facts.aspects.insert(Kind::Versioning, aspect);
        }
    }
    facts.abac = read_abac(abac, &mut beside)?;
    if let Some(answer) = holds_data {
        facts.holds_data = beside.value(answer, &arn)?;
    }
    let policy = match policy {
        Some(answer) => Some(beside.aspect(answer, &arn)?),
        None => facts.aspects.get(&Kind::BucketPolicy).cloned(),
    };
    facts.has_policy = match policy {
        Some(LiveAspect::Present(_)) => Some(true),
        Some(LiveAspect::Absent | LiveAspect::Unsupported { .. }) => Some(false),
        Some(LiveAspect::Refused) | None => None,
    };
    Ok((facts, beside))
}

/// Few may ask, and many endpoints cannot answer: then tags are taken for mere tags, and that is said.
fn read_abac(answer: Option<Result<bool, CloudError>>, beside: &mut Beside) -> Result<bool, CloudError> {
    match answer {
        None => Ok(false),
        Some(Ok(on)) => Ok(on),
        Some(Err(error)) if error.kind == ErrorKind::AccessDenied => {
            let action = error.iam_action.unwrap_or_default();
            beside.notes.insert(format!(
                "whether tags are access (attribute-based access control) was not looked at: {action} is not allowed"
            ));
            Ok(false)
        }
        // Endpoints that do not know the question: what they do not know cannot be switched on. moto answers with the
        // list of objects.
        Some(Err(error))
            if matches!(error.kind, ErrorKind::Unsupported | ErrorKind::NotFound | ErrorKind::Invalid)
                || error.status == Some(200) =>
        {
            Ok(false)
        }
        Some(Err(error)) => Err(error),
    }
}

/// Puts all tags into the facts; the aspect is those that are not AWS's own.
fn tags_aspect(all: &mut BTreeMap<String, String>, tags: BTreeMap<String, String>) -> LiveAspect {
    let ours: BTreeMap<_, _> = tags
        .iter()
        .filter(|(key, _)| !is_system_tag(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    *all = tags;
    if ours.is_empty() {
        LiveAspect::Absent
    } else {
        LiveAspect::Present(Attributes::Tags(Tags { tags: ours }))
    }
}

fn bucket_arn(name: &str, region: &str) -> String {
    let partition = Partition::from_region(region).map_or("aws", Partition::as_str);
    format!("arn:{partition}:s3:::{name}")
}

/// Reads where it is asked for; boxed, because the SDK's futures are large.
async fn when<T, F: Future<Output = T>>(asked: bool, read: impl FnOnce() -> F) -> Option<T> {
    if asked { Some(Box::pin(read()).await) } else { None }
}

#[derive(Debug, Default)]
struct Keys {
    keys: BTreeMap<String, LiveKey>,
    aliases: BTreeMap<(String, String), Option<String>>,
    intents: BTreeMap<Uuid, String>,
    beside: Beside,
}

/// Aliases by region: name to key ARN; `None` where they may not be listed.
type Aliases = BTreeMap<String, Option<BTreeMap<String, String>>>;

async fn read_keys(cloud: &AwsCloud, wanted: &Wanted) -> Result<Keys, CloudError> {
    let managed: BTreeSet<&str> =
        wanted.keys.iter().filter(|(_, key)| !key.aspects.is_empty()).map(|(arn, _)| arn.as_str()).collect();
    let mut alias_regions: BTreeSet<&str> =
        wanted.aliases.iter().map(|(region, _)| region.as_str()).collect();
    for arn in &managed {
        alias_regions.insert(KeyAt::new(cloud, arn)?.region);
    }
    // One that is to be deleted takes its alias along.
    alias_regions.extend(wanted.key_intents.iter().map(|(region, _)| region.as_str()));
    let aliases = try_join_all(alias_regions.into_iter().map(|region| async move {
        let mut beside = Beside::default();
        let answer = Box::pin(alias::read(cloud, region)).await;
        let aliases = beside.value(answer, "*")?;
        Ok::<_, CloudError>((region.to_owned(), aliases, beside))
    }));
    let mut intents: BTreeMap<&str, BTreeSet<Uuid>> = BTreeMap::new();
    for (region, intent) in &wanted.key_intents {
        intents.entry(region).or_default().insert(*intent);
    }
    let intents = try_join_all(
        intents.into_iter().map(|(region, intents)| Box::pin(read_intents(cloud, region, intents))),
    );
    let lineages =
        try_join_all(wanted.key_lineages.iter().map(|region| Box::pin(read_lineages(cloud, region))));
    let keys = try_join_all(
        wanted
            .keys
            .iter()
            .map(|(arn, key)| Box::pin(read_key(cloud, arn, &key.aspects, !key.aspects.is_empty()))),
    );
    let (aliases, (intents, (lineages, keys))) =
        try_join(aliases, try_join(intents, try_join(lineages, keys))).await?;

    let mut found = Keys::default();
    let mut by_region: Aliases = BTreeMap::new();
    for (region, aliases, beside) in aliases {
        found.beside.take(beside);
        by_region.insert(region, aliases);
    }
    for (intents, beside) in intents {
        found.beside.take(beside);
        found.intents.extend(intents);
    }
    for (arn, key, beside) in keys {
        found.beside.take(beside);
        found.keys.insert(arn, key);
    }
    let mut carried = BTreeSet::new();
    for (arns, beside) in lineages {
        found.beside.take(beside);
        carried.extend(arns);
    }
    for (region, name) in &wanted.aliases {
        if let Some(Some(aliases)) = by_region.get(region) {
            found.aliases.insert((region.clone(), name.clone()), aliases.get(name).cloned());
        }
    }
    read_found(cloud, &mut found, &carried).await?;
    set_aliases(&mut found.keys, &by_region, wanted);
    Ok(found)
}

/// The keys that only an alias, an intent or (`carried`) a lineage led to. One with our intent is ours, and one that a record
/// made may be, if an alias leads to it: read whole, so that taking it over says what is left to do, or is changed, and
/// nothing else.
async fn read_found(
    cloud: &AwsCloud,
    found: &mut Keys,
    carried: &BTreeSet<String>,
) -> Result<(), CloudError> {
    let ours: BTreeSet<String> = found.intents.values().cloned().collect();
    let whole = BTreeSet::from([Kind::KeyPolicy, Kind::Rotation, Kind::KeyTags]);
    let facts_only = BTreeSet::new();
    let new: BTreeSet<String> = found
        .aliases
        .values()
        .flatten()
        .chain(&ours)
        .chain(carried)
        .filter(|arn| !found.keys.contains_key(*arn))
        .cloned()
        .collect();
    let read = try_join_all(new.iter().map(|arn| {
        let aspects = if ours.contains(arn) { &whole } else { &facts_only };
        Box::pin(read_key(cloud, arn, aspects, true))
    }))
    .await?;
    let aliased: BTreeSet<&String> = found.aliases.values().flatten().collect();
    let made = |arn: &String, key: &LiveKey| match key {
        LiveKey::Exists(facts) => facts.tags.contains_key(BYOB_LINEAGE) && aliased.contains(arn),
        LiveKey::Absent | LiveKey::Forbidden => false,
    };
    let (again, read): (Vec<_>, Vec<_>) =
        read.into_iter().partition(|(arn, key, _)| made(arn, key) && !ours.contains(arn));
    let again = again.iter().map(|(arn, ..)| Box::pin(read_key(cloud, arn, &whole, true)));
    let again = try_join_all(again).await?;
    for (arn, key, beside) in read.into_iter().chain(again) {
        found.beside.take(beside);
        found.keys.insert(arn, key);
    }
    Ok(())
}

async fn read_key(
    cloud: &AwsCloud,
    arn: &str,
    wanted: &BTreeSet<Kind>,
    with_tags: bool,
) -> Result<(String, LiveKey, Beside), CloudError> {
    let at = KeyAt::new(cloud, arn)?;
    let aspects = join_all(wanted.iter().filter_map(|&kind| {
        let reading = key_aspect(at, kind)?;
        Some(async move { (kind, reading.await) })
    }));
    let tags = when(with_tags, || tags::read_key(at));
    let (facts, aspects, tags) = tokio::join!(Box::pin(key::read(at)), aspects, tags);
    let mut beside = Beside::default();
    let mut facts = match facts {
        Ok(facts) => facts,
        Err(error) if error.kind == ErrorKind::NotFound => {
            return Ok((arn.to_owned(), LiveKey::Absent, beside));
        }
        Err(error) if error.kind == ErrorKind::AccessDenied => {
            // Of somebody else's key this is an answer; of one that is managed it is a right that is missing.
            if with_tags {
                beside.refuse(&error, arn);
            }
            return Ok((arn.to_owned(), LiveKey::Forbidden, beside));
        }
        Err(error) => return Err(error),
    };
    for (kind, answer) in aspects {
        // Of a key pending deletion AWS says that rotation is off, whatever was set and comes back on cancelling: no
        // answer (KMS developer guide, "Rotate AWS KMS keys", on pending deletion).
        if kind == Kind::Rotation && facts.state == KeyState::PendingDeletion {
            continue;
        }
        facts.aspects.insert(kind, beside.aspect(answer, arn)?);
    }
    if let Some(answer) = tags {
        let aspect = beside.aspect(answer.map(|tags| tags_aspect(&mut facts.tags, tags)), arn)?;
        if wanted.contains(&Kind::KeyTags) {
            facts.aspects.insert(Kind::KeyTags, aspect);
        }
    }
    Ok((arn.to_owned(), LiveKey::Exists(Box::new(facts)), beside))
}

/// The keys of a region whose tags this caller may read, by ARN, with those tags; first what refuses the list itself, then
/// what refuses single keys.
async fn tagged_keys(
    cloud: &AwsCloud,
    region: &str,
) -> Result<(Vec<(String, BTreeMap<String, String>)>, Beside, Beside), CloudError> {
    let (mut list, mut single) = (Beside::default(), Beside::default());
    let arns = list.value(key::list(cloud, region).await, "*")?.unwrap_or_default();
    let tagged = join_all(arns.iter().map(|arn| {
        Box::pin(async move { (arn, async { tags::read_key(KeyAt::new(cloud, arn)?).await }.await) })
    }));
    let mut keys = Vec::new();
    for (arn, answer) in tagged.await {
        if let Some(tags) = single.value(answer, arn)? {
            keys.push((arn.clone(), tags));
        }
    }
    Ok((keys, list, single))
}

/// Looks through all keys of a region for those that some record made. Which could not be looked at is told.
async fn read_lineages(cloud: &AwsCloud, region: &str) -> Result<(Vec<String>, Beside), CloudError> {
    let (keys, mut list, single) = tagged_keys(cloud, region).await?;
    list.take(single);
    let carried = keys.into_iter().filter(|(_, tags)| tags.contains_key(BYOB_LINEAGE));
    Ok((carried.map(|(arn, _)| arn).collect(), list))
}

/// Looks through all keys of a region for those that were made under these intents.
async fn read_intents(
    cloud: &AwsCloud,
    region: &str,
    intents: BTreeSet<Uuid>,
) -> Result<(BTreeMap<Uuid, String>, Beside), CloudError> {
    let (keys, mut beside, unreadable) = tagged_keys(cloud, region).await?;
    let mut found = BTreeMap::new();
    for (arn, tags) in keys {
        if let Some(intent) = tags.get(BYOB_INTENT).and_then(|text| text.parse::<Uuid>().ok())
            && intents.contains(&intent)
        {
            found.entry(intent).or_insert(arn);
        }
    }
    // Somebody else's keys need not be readable, unless ours may be among them.
    if found.len() < intents.len() {
        beside.take(unreadable);
    }
    Ok((found, beside))
}

fn set_aliases(keys: &mut BTreeMap<String, LiveKey>, by_region: &Aliases, wanted: &Wanted) {
    let mut by_key: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for aliases in by_region.values().flatten() {
        for (name, arn) in aliases {
            by_key.entry(arn).or_default().insert(name.clone());
        }
    }
    for (arn, key) in keys {
        let LiveKey::Exists(facts) = key else { continue };
        facts.aliases = by_key.remove(arn.as_str()).unwrap_or_default();
        if wanted.keys.get(arn).is_some_and(|key| key.aspects.contains(&Kind::Alias)) {
            let aspect = match facts.aliases.first() {
                Some(name) => LiveAspect::Present(Attributes::Alias(Alias { name: name.clone() })),
                None => LiveAspect::Absent,
            };
            facts.aspects.insert(Kind::Alias, aspect);
        }
    }
}

fn leaves_of(live: &Live) -> usize {
    let of_buckets = live.buckets.values().filter_map(|bucket| match bucket {
        LiveBucket::Exists(facts) => Some(&facts.aspects),
        _ => None,
    });
    let of_keys = live.keys.values().filter_map(|key| match key {
        LiveKey::Exists(facts) => Some(&facts.aspects),
        _ => None,
    });
    of_buckets
        .chain(of_keys)
        .flat_map(BTreeMap::values)
        .map(|aspect| match aspect {
            // A policy is one leaf.
            LiveAspect::Present(Attributes::Policy(_)) => 1,
            LiveAspect::Present(attributes) => leaves(&attributes.to_value()),
            _ => 0,
        })
        .sum()
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Array(values) => values.iter().map(leaves).sum(),
        Value::Object(values) => values.values().map(leaves).sum(),
        _ => 1,
    }
}
