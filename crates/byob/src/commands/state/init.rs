//! `byob state init`: the bucket that keeps the record, made where it is missing: versioned, encrypted, TLS only, not
//! public. Of one that exists it is said what it lacks; only `--complete` puts that.

use std::collections::BTreeSet;
use std::time::Duration;

use byob_apply::{Clock, Cloud, CloudError, ErrorKind, Pace};
use byob_aws::AwsCloud;
use byob_model::address::Kind;
use byob_model::call::{Call, Operation, Payload, Target};
use byob_model::kind::{
    Algorithm, Attributes, Encryption, KeyRef, Ownership, Policy, PublicAccessBlock, Versioning,
    VersioningStatus,
};
use byob_model::live::{BucketFacts, LiveAspect, LiveBucket, Wanted, WantedBucket};
use byob_policy::Document;
use serde_json::json;

use crate::failure::Failure;
use crate::place::S3Store;
use crate::session::SystemClock;
use crate::terminal;

/// In the order in which they are put: nothing is ever open that is not to be.
const ASPECTS: [Kind; 5] =
    [Kind::PublicAccessBlock, Kind::Ownership, Kind::Versioning, Kind::Encryption, Kind::BucketPolicy];

pub(super) async fn run(
    store: &S3Store,
    account_id: Option<&str>,
    kms_key: Option<&str>,
    complete: bool,
) -> Result<(), Failure> {
    let (objects, cloud) = (store.objects(), store.objects().cloud());
    let caller = cloud.caller().await?;
    if let Some(expected) = account_id
        && expected != caller.account_id
    {
        return Err(Failure::said(
            format!(
                "wrong account: {} is account {}, and [aws] account_id says {expected}",
                caller.arn, caller.account_id
            ),
            "use credentials of the right account; a record in another account has a `profile` or `assume_role` of its \
             own in [state] s3",
        ));
    }
    let (name, region) = (objects.bucket(), objects.region());
    let partition = byob_model::partition_of(region).map_or_else(|| "aws".to_owned(), |p| p.to_string());
    let wanted = wanted_policy(name, &partition);
    let target = Target::Bucket {
        name: name.to_owned(),
        region: region.to_owned(),
        account_id: caller.account_id.clone(),
    };
    let made = match look(cloud, name, region).await? {
        LiveBucket::Exists(facts) if facts.region != region => {
            return Err(Failure::said(
                format!("the bucket {name} is in {}, not in {region}", facts.region),
                format!("write `region = \"{}\"` into [state] s3", facts.region),
            ));
        }
        LiveBucket::Exists(_) => false,
        LiveBucket::Forbidden { .. } => {
            return Err(Failure::said(
                format!(
                    "the bucket {name} is somebody else's, or the caller ({}) may not look at it",
                    caller.arn
                ),
                "name another bucket in [state] s3, or use credentials of its account",
            ));
        }
        LiveBucket::Absent => {
            let payload = Payload::NewBucket { object_lock: false, intent: None };
            put(cloud, Operation::CreateBucket, &target, payload).await?;
            terminal::say(&format!("✓ made the bucket {name} in {region}"));
            true
        }
    };
    let facts = match look(cloud, name, region).await? {
        LiveBucket::Exists(facts) => *facts,
        // Just made, and not to be seen yet: everything is put.
        _ => BucketFacts { region: region.to_owned(), ..BucketFacts::default() },
    };
    let mut left = 0;
    let plain = cloud.is_plain_http();
    if plain {
        terminal::note(
            "this endpoint is reached without TLS, so the bucket cannot refuse requests without it",
        );
    }
    for kind in ASPECTS.into_iter().filter(|kind| !plain || *kind != Kind::BucketPolicy) {
        let live = facts.aspects.get(&kind);
        if let Some(LiveAspect::Refused) = live {
            terminal::note(&format!("{name}: the caller may not look whether {}", done(kind)));
            continue;
        }
        let Some((lacks, operation, attributes)) = lacking(kind, live, kms_key, &wanted) else { continue };
        // Statements of others are not byob's to replace.
        let foreign = kind == Kind::BucketPolicy && matches!(live, Some(LiveAspect::Present(_)));
        if (made || complete) && !foreign {
            put(cloud, operation, &target, Payload::Attributes(attributes)).await?;
            terminal::say(&format!("✓ {name}: {}", done(kind)));
        } else {
            left += 1;
            terminal::warn(&format!("{name}: {lacks}"));
        }
    }
    if left > 0 && !complete {
        terminal::say("byob state init --complete puts what is missing; an existing policy stays as it is");
    } else if left == 0 && !made {
        let tls = if plain { "" } else { ", TLS only" };
        terminal::say(&format!("✓ {name} is versioned, encrypted{tls} and not public"));
    }
    terminal::say(&format!("the record is kept at {}", byob_state::Store::location(store)));
    Ok(())
}

async fn look(cloud: &AwsCloud, name: &str, region: &str) -> Result<LiveBucket, CloudError> {
    let bucket = WantedBucket {
        region: region.to_owned(),
        aspects: BTreeSet::from(ASPECTS),
        brief: true,
        ..WantedBucket::default()
    };
    let mut wanted = Wanted::default();
    wanted.buckets.insert(name.to_owned(), bucket);
    let mut live = cloud.read(&wanted).await?;
    Ok(live.buckets.remove(name).unwrap_or(LiveBucket::Absent))
}

/// What a bucket for a record lacks, in words, and the call that ends it.
fn lacking(
    kind: Kind,
    live: Option<&LiveAspect>,
    kms_key: Option<&str>,
    policy: &Policy,
) -> Option<(&'static str, Operation, Attributes)> {
    let live = match live {
        Some(LiveAspect::Present(attributes)) => Some(attributes),
        _ => None,
    };
    match (kind, live) {
        (Kind::PublicAccessBlock, Some(Attributes::PublicAccessBlock(block)))
            if *block == PublicAccessBlock::ALL =>
        {
            None
        }
        (Kind::PublicAccessBlock, _) => Some((
            "public access is not blocked",
            Operation::PutPublicAccessBlock,
            Attributes::PublicAccessBlock(PublicAccessBlock::ALL),
        )),
        (Kind::Ownership, Some(Attributes::Ownership(o))) if o.object_ownership == Ownership::ENFORCED => {
            None
        }
        (Kind::Ownership, _) => Some((
            "ACLs count: access that no policy shows",
            Operation::PutBucketOwnershipControls,
            Attributes::Ownership(Ownership { object_ownership: Ownership::ENFORCED.to_owned() }),
        )),
        (Kind::Versioning, Some(Attributes::Versioning(v))) if v.status == VersioningStatus::Enabled => None,
        (Kind::Versioning, _) => Some((
            "versioning is off: nothing of the record's past is kept, and a record that is overwritten is lost",
            Operation::PutBucketVersioning,
            Attributes::Versioning(Versioning { status: VersioningStatus::Enabled }),
        )),
        (Kind::Encryption, Some(Attributes::Encryption(found)))
            if kms_key.is_none() || found.kms_key == kms_key.map(|key| KeyRef::Arn(key.to_owned())) =>
        {
            None
        }
        (Kind::Encryption, _) => {
            let algorithm = if kms_key.is_some() { Algorithm::Kms } else { Algorithm::Aes256 };
            let kms_key = kms_key.map(|key| KeyRef::Arn(key.to_owned()));
            let bucket_key = kms_key.is_some();
            Some((
                "its default encryption is another than [state] s3 says",
                Operation::PutBucketEncryption,
                Attributes::Encryption(Encryption { algorithm, kms_key, bucket_key, sse_c: None }),
            ))
        }
        (Kind::BucketPolicy, Some(Attributes::Policy(found))) if has_statement(found, policy) => None,
        (Kind::BucketPolicy, _) => Some((
            "its policy does not refuse requests without TLS",
            Operation::PutBucketPolicy,
            Attributes::Policy(policy.clone()),
        )),
        _ => None,
    }
}

/// What stands now, in words.
fn done(kind: Kind) -> &'static str {
    match kind {
        Kind::PublicAccessBlock => "public access is blocked",
        Kind::Ownership => "ACLs are off",
        Kind::Versioning => "versions are kept",
        Kind::Encryption => "it is encrypted by default",
        _ => "requests without TLS are refused",
    }
}

/// Whether a policy has the statement, under whatever name.
fn has_statement(found: &Policy, wanted: &Policy) -> bool {
    let alone = |statement: &byob_policy::Statement| Document {
        statements: vec![byob_policy::Statement { sid: None, ..statement.clone() }],
        ..found.document.clone()
    };
    let wanted = wanted.document.statements.first().map(alone);
    wanted.is_some_and(|wanted| found.document.statements.iter().any(|one| alone(one).equals(&wanted)))
}

fn wanted_policy(bucket: &str, partition: &str) -> Policy {
    let on = [format!("arn:{partition}:s3:::{bucket}"), format!("arn:{partition}:s3:::{bucket}/*")];
    let text = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "ByobTlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": on,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }]});
    let document = Document::from_value(&text).unwrap_or_else(|_| Policy::empty().document);
    Policy { document }
}

/// Makes one call, again and again where AWS asks for it: a bucket made a moment ago is not known everywhere.
async fn put(
    cloud: &AwsCloud,
    operation: Operation,
    target: &Target,
    payload: Payload,
) -> Result<(), CloudError> {
    let call = Call { operation, target: target.clone(), payload };
    let clock = SystemClock::default();
    let mut tries = 0;
    loop {
        let error = match cloud.perform(&call).await {
            Ok(_) => return Ok(()),
            // A try whose answer was lost had made it.
            Err(error) if error.kind == ErrorKind::AlreadyOwned => return Ok(()),
            Err(error) => error,
        };
        tries += 1;
        let again = matches!(
            error.kind,
            ErrorKind::Conflict
                | ErrorKind::NoSuchBucket
                | ErrorKind::Throttled
                | ErrorKind::Internal
                | ErrorKind::Network
        );
        if !again || clock.elapsed() > Duration::from_secs(60) {
            return Err(error);
        }
        clock.sleep(Pace::AWS.wait(tries)).await;
    }
}
