//! Who changed what: which of CloudTrail's events can have caused which drift, and what one event says. Pure; asking is
//! `byob-aws`'s. What an event says came from outside and is believed as little as anything from there: it is shown, and
//! decides nothing.

use std::collections::BTreeSet;

use byob_model::address::Kind;
use byob_model::kind::Attributes;
use serde::Serialize;
use serde_json::Value;

use crate::plan::Drift;

/// The word by which byob's own requests are known: the application id that its SDK sends in every user agent.
pub const OUR_AGENT: &str = "app/byob";

/// More of a string from outside than this is cut.
const LONGEST: usize = 256;

/// An event as CloudTrail lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `PutBucketPolicy`.
    pub name: String,
    /// When it happened, UTC seconds.
    pub time: i64,
    /// CloudTrail's own id of it.
    pub id: String,
    /// Names and ARNs of what it was about.
    pub resources: Vec<String>,
    /// The whole record as JSON text.
    pub record: String,
}

/// Who changed something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Who {
    /// `PutBucketPublicAccessBlock`, as CloudTrail names it.
    pub event: String,
    /// `2026-11-20T14:02:11Z`.
    pub time: String,
    /// An ARN where there is one.
    pub identity: String,
    /// An address, or the name of an AWS service.
    pub source: Option<String>,
    /// What the request said it was made with.
    pub user_agent: Option<String>,
    /// CloudTrail's id of the event.
    pub event_id: String,
    /// It says that it was byob.
    pub byob: bool,
    /// It was made in AWS's console; the JSON is without it.
    #[serde(skip)]
    pub console: bool,
}

/// What was found out about one drift.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traced {
    /// Who it was.
    pub who: Option<Who>,
    /// Why that is not known, or not sure.
    pub note: Option<String>,
}

/// The events that can have caused this drift, as CloudTrail names them. It does not always name them as the API does;
/// where documents differ, both are asked for.
///
/// Sources: S3 user guide, "Amazon S3 CloudTrail events"; KMS developer guide, "Logging AWS KMS API calls with AWS
/// CloudTrail".
#[must_use]
pub fn events(drift: &Drift) -> Vec<&'static str> {
    let changed = |path: &str| drift.changes.iter().any(|change| change.path == path);
    let names: &[&str] = match drift.address.kind {
        Kind::Bucket => &["DeleteBucket"],
        Kind::PublicAccessBlock => &["PutBucketPublicAccessBlock", "DeleteBucketPublicAccessBlock"],
        Kind::Ownership => &["PutBucketOwnershipControls", "DeleteBucketOwnershipControls"],
        Kind::Encryption => &["PutBucketEncryption", "DeleteBucketEncryption"],
        Kind::Cors => &["PutBucketCors", "DeleteBucketCors"],
        Kind::Versioning => &["PutBucketVersioning"],
        Kind::Lifecycle => {
            &["PutBucketLifecycle", "PutBucketLifecycleConfiguration", "DeleteBucketLifecycle"]
        }
        Kind::BucketTags => &["PutBucketTagging", "DeleteBucketTagging", "TagResource", "UntagResource"],
        Kind::Logging => &["PutBucketLogging"],
        Kind::ObjectLock => &["PutBucketObjectLockConfiguration", "PutObjectLockConfiguration"],
        Kind::BucketPolicy => &["PutBucketPolicy", "DeleteBucketPolicy"],
        Kind::Key if changed("/state") || changed("") => {
            &["ScheduleKeyDeletion", "DisableKey", "EnableKey", "CancelKeyDeletion", "DeleteKey"]
        }
        Kind::Key => &["UpdateKeyDescription"],
        Kind::KeyPolicy => &["PutKeyPolicy"],
        Kind::Rotation => &["EnableKeyRotation", "DisableKeyRotation"],
        Kind::KeyTags => &["TagResource", "UntagResource"],
        Kind::Alias => &["DeleteAlias", "UpdateAlias", "CreateAlias"],
    };
    names.to_vec()
}

/// What an event has to be about to have caused a drift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Its names, as CloudTrail has them.
    pub names: BTreeSet<&'static str>,
    /// The bucket's name or the key's ARN.
    identity: String,
    /// The alias that drifted; an event about another alias of the same key is none, and one that hands this alias to
    /// another key is.
    alias: Option<String>,
    /// The tags that drifted; empty where tags are not what drifted.
    tags: BTreeSet<String>,
}

impl Cause {
    /// What can have caused this drift of a root that is recorded with this name or ARN.
    #[must_use]
    pub fn of(drift: &Drift, identity: &str) -> Self {
        let alias = [&drift.before, &drift.after].into_iter().find_map(|attributes| match attributes {
            Some(Attributes::Alias(alias)) => Some(alias.name.clone()),
            _ => None,
        });
        let tags = match drift.address.kind {
            Kind::BucketTags | Kind::KeyTags => {
                drift.changes.iter().filter_map(|change| tag_key(&change.path)).collect()
            }
            _ => BTreeSet::new(),
        };
        Self { names: events(drift).into_iter().collect(), identity: identity.to_owned(), alias, tags }
    }

    /// Whether this event may be it.
    #[must_use]
    pub fn fits(&self, event: &Event) -> bool {
        if !self.names.contains(event.name.as_str()) {
            return false;
        }
        let record = serde_json::from_str::<Value>(&event.record).unwrap_or_default();
        let asked = &record["requestParameters"];
        if let Some(alias) = &self.alias {
            return asked["aliasName"] == **alias;
        }
        is_about(event, asked, &self.identity) && self.is_of_tags(asked)
    }

    /// Whether a request that changes single tags changes one of these. (`PutBucketTagging` puts them all.)
    fn is_of_tags(&self, asked: &Value) -> bool {
        let listed = |name: &str| asked[name].as_array().into_iter().flatten();
        let put = listed("tags").filter_map(|tag| tag["tagKey"].as_str().or_else(|| tag["key"].as_str()));
        let mut named = put.chain(listed("tagKeys").filter_map(Value::as_str)).peekable();
        self.tags.is_empty() || named.peek().is_none() || named.any(|key| self.tags.contains(key))
    }
}

/// The tag that a change's JSON pointer names; `None` where all of them are meant.
fn tag_key(path: &str) -> Option<String> {
    path.strip_prefix('/').map(|key| key.replace("~1", "/").replace("~0", "~"))
}

/// Whether an event is about a bucket (by name) or key (by ARN).
fn is_about(event: &Event, asked: &Value, identity: &str) -> bool {
    let id = identity.rsplit_once(":key/").map(|(_, id)| id);
    let named = |resource: &str| {
        resource == identity
            || Some(resource) == id
            || resource
                .strip_prefix("arn:")
                .and_then(|arn| arn.rsplit_once(":::"))
                .is_some_and(|(_, name)| name == identity)
    };
    // Some events list no resource; the record itself has what was asked for.
    event.resources.iter().any(|resource| named(resource))
        || ["bucketName", "keyId", "targetKeyId", "resourceArn"]
            .iter()
            .any(|name| asked[name].as_str().is_some_and(named))
}

/// What an event came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// It was done, by this one.
    Done(Box<Who>),
    /// AWS refused it, or it only looked: it changed nothing.
    Nothing,
    /// Its record is not what CloudTrail's records are.
    Unreadable,
}

/// Reads one event.
#[must_use]
pub fn read(event: &Event) -> Read {
    let Ok(record) = serde_json::from_str::<Value>(&event.record) else { return Read::Unreadable };
    if !record.is_object() || !record["userIdentity"].is_object() {
        return Read::Unreadable;
    }
    if !record["errorCode"].is_null() || record["readOnly"] == true {
        return Read::Nothing;
    }
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(cut);
    let user_agent = text(&record["userAgent"]);
    let from_console = record["sessionCredentialFromConsole"] == "true"
        || user_agent
            .as_deref()
            .is_some_and(|agent| agent.contains("S3Console") || agent.contains("console.amazonaws.com"));
    // CloudTrail writes S3's user agents in brackets, and what is shown of one is cut.
    let words = record["userAgent"].as_str().unwrap_or_default().split_whitespace();
    let ours = words.map(|word| word.trim_matches(['[', ']'])).any(|word| word == OUR_AGENT);
    Read::Done(Box::new(Who {
        event: cut(&event.name),
        time: utc(event.time),
        identity: identity(&record["userIdentity"]),
        source: text(&record["sourceIPAddress"]),
        user_agent,
        event_id: cut(&event.id),
        byob: ours,
        console: from_console,
    }))
}

/// Who it was, by the best name that the record has.
fn identity(who: &Value) -> String {
    let at = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(cut);
    at(&who["arn"])
        .or_else(|| at(&who["invokedBy"]))
        .or_else(|| at(&who["sessionContext"]["sessionIssuer"]["arn"]))
        .or_else(|| at(&who["userName"]))
        .or_else(|| at(&who["accountId"]).map(|account| format!("account {account}")))
        .or_else(|| at(&who["principalId"]))
        .or_else(|| at(&who["type"]))
        .unwrap_or_else(|| "somebody whom the event does not name".to_owned())
}

/// The newest event that changed something with its time (UTC seconds), and how many records could not be read on the way.
#[must_use]
pub fn newest<'a>(events: impl Iterator<Item = &'a Event>) -> (Option<(i64, Who)>, usize) {
    let mut newest: Option<(i64, Box<Who>)> = None;
    let mut unreadable = 0;
    for event in events {
        match read(event) {
            Read::Done(who) if newest.as_ref().is_none_or(|(time, _)| event.time > *time) => {
                newest = Some((event.time, who));
            }
            Read::Done(_) | Read::Nothing => {}
            Read::Unreadable => unreadable += 1,
        }
    }
    (newest.map(|(time, who)| (time, *who)), unreadable)
}

/// What was found for one drift, in words where it is not what one hopes for. `written_at`: when byob last wrote to AWS,
/// UTC seconds.
#[must_use]
pub fn traced(
    (who, unreadable): (Option<(i64, Who)>, usize),
    all_seen: bool,
    written_at: Option<i64>,
) -> Traced {
    let older = who.as_ref().zip(written_at).is_some_and(|((at, _), written)| *at < written);
    let who = who.map(|(_, who)| who);
    let note = match &who {
        Some(who) if who.byob => Some(
            "the newest event that CloudTrail has is byob's own; what changed it since may be listed up to 15 minutes late"
                .to_owned(),
        ),
        Some(_) if older => Some(
            "the newest event that CloudTrail has is older than byob's last apply: unless that left the drift there, somebody \
             changed it since, and is listed up to 15 minutes late"
                .to_owned(),
        ),
        Some(_) => None,
        None if unreadable > 0 => {
            Some(format!("CloudTrail has events of it that cannot be read ({unreadable})"))
        }
        None if !all_seen => {
            Some("CloudTrail has more events than were looked through, and none of these is it".to_owned())
        }
        None => Some(
            "CloudTrail has no event of it: events come up to 15 minutes late, and go after 90 days".to_owned(),
        ),
    };
    Traced { who, note }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// `2026-11-20T14:02:11Z`.
fn utc(seconds: i64) -> String {
    let date = byob_model::date::Date::of_unix_seconds(seconds);
    let second = seconds.rem_euclid(86_400);
    format!("{date}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests;
