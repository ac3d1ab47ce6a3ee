//! The whole way against the embedded AWS: what is written reads back equal, kind by kind.

use std::collections::{BTreeMap, BTreeSet};

use byob_apply::{Cloud, ErrorKind};
use byob_model::address::{BUCKET_ASPECTS, Kind};
use byob_model::call::{Call, Operation, Payload, Target};
use byob_model::kind::{
    Algorithm, Attributes, Cors, CorsRule, Encryption, Filter, KeyRef, KeyState, Lifecycle, LifecycleRule,
    Logging, Ownership, Policy, PublicAccessBlock, Rotation, SseC, Versioning, VersioningStatus,
};
use byob_model::live::{KeyFacts, LiveAspect, LiveBucket, LiveKey, Wanted, WantedBucket, WantedKey};
use byob_policy::Document;
use byob_sandbox::{Options, Sandbox};
use uuid::Uuid;

use crate::fake::ACCOUNT;
use crate::{AwsCloud, Connection, connect};

const REGION: &str = "eu-west-1";

async fn cloud() -> AwsCloud {
    let options = Options { account_id: ACCOUNT.to_owned(), ..Options::default() };
    let sandbox = Sandbox::open(options).await.unwrap();
    connect(&Connection {
        region: Some(REGION.to_owned()),
        in_process: Some((sandbox.http_client(), sandbox.credentials())),
        ..Connection::default()
    })
    .await
    .unwrap()
}

fn bucket(name: &str, operation: Operation, payload: Payload) -> Call {
    let target = Target::Bucket { name: name.into(), region: REGION.into(), account_id: ACCOUNT.into() };
    Call { operation, target, payload }
}

fn key(arn: &str, operation: Operation, payload: Payload) -> Call {
    let key = KeyRef::Arn(arn.into());
    Call {
        operation,
        target: Target::Key { key, region: REGION.into(), account_id: ACCOUNT.into() },
        payload,
    }
}

fn policy(text: &str) -> Policy {
    Policy { document: Document::parse(text).unwrap() }
}

fn key_policy() -> Policy {
    policy(&format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"ByobAccount","Effect":"Allow",
            "Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:root"}},"Action":"kms:*","Resource":"*"}}]}}"#
    ))
}

async fn make(cloud: &AwsCloud, name: &str) {
    let new = Payload::NewBucket { object_lock: false, intent: None };
    cloud.perform(&bucket(name, Operation::CreateBucket, new)).await.unwrap();
}

async fn make_key(cloud: &AwsCloud, intent: Uuid) -> String {
    let new = Payload::NewKey {
        description: "d".into(),
        policy: key_policy(),
        tags: BTreeMap::from([("Owner".to_owned(), "me".to_owned())]),
        intent: Some(intent),
    };
    cloud.perform(&key("arn:unknown", Operation::CreateKey, new)).await.unwrap().key_arn.unwrap()
}

#[tokio::test]
async fn every_aspect_of_a_bucket_reads_back_as_it_was_put() {
    let cloud = cloud().await;
    make(&cloud, "bucket-1").await;
    make(&cloud, "log-bucket").await;
    let arn = make_key(&cloud, Uuid::from_u128(1)).await;
    let rule = LifecycleRule {
        id: "byob-abort".into(),
        enabled: true,
        filter: Filter { prefix: Some("tmp/".into()), object_size_less_than: Some(9), ..Filter::default() },
        abort_incomplete_multipart_upload_days: Some(7),
        expiration: None,
        noncurrent_version_expiration: None,
        transitions: Vec::new(),
        noncurrent_version_transitions: Vec::new(),
    };
    let cors = CorsRule {
        id: None,
        allowed_origins: ["https://acme.wandb.io".to_owned()].into(),
        allowed_methods: ["GET".to_owned(), "PUT".to_owned()].into(),
        allowed_headers: ["*".to_owned()].into(),
        expose_headers: ["ETag".to_owned()].into(),
        max_age_seconds: 3000,
    };
    let aspects = [
        (
            Kind::PublicAccessBlock,
            Operation::PutPublicAccessBlock,
            Attributes::PublicAccessBlock(PublicAccessBlock::ALL),
        ),
        (
            Kind::Ownership,
            Operation::PutBucketOwnershipControls,
            Attributes::Ownership(Ownership { object_ownership: "BucketOwnerPreferred".into() }),
        ),
        (
            Kind::Encryption,
            Operation::PutBucketEncryption,
            Attributes::Encryption(Encryption {
                algorithm: Algorithm::Kms,
                kms_key: Some(KeyRef::Arn(arn)),
                bucket_key: true,
                sse_c: Some(SseC::Blocked),
            }),
        ),
        (Kind::Cors, Operation::PutBucketCors, Attributes::Cors(Cors { rules: vec![cors], exclusive: true })),
        (
            Kind::Versioning,
            Operation::PutBucketVersioning,
            Attributes::Versioning(Versioning { status: VersioningStatus::Enabled }),
        ),
        (
            Kind::Lifecycle,
            Operation::PutBucketLifecycleConfiguration,
            Attributes::Lifecycle(Lifecycle { rules: vec![rule], exclusive: true }),
        ),
        (
            Kind::Logging,
            Operation::PutBucketLogging,
            Attributes::Logging(Logging {
                target_bucket: Some("log-bucket".into()),
                target_prefix: "logs/b1/".into(),
                key_format: None,
            }),
        ),
        (
            Kind::BucketPolicy,
            Operation::PutBucketPolicy,
            Attributes::Policy(policy(&format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"X","Effect":"Allow","Principal":{{"AWS":"{ACCOUNT}"}},
                    "Action":["s3:GetObject"],"Resource":["arn:aws:s3:::bucket-1/*"]}}]}}"#
            ))),
        ),
    ];
    let tags = Payload::Tags { set: [("Owner".to_owned(), "me".to_owned())].into(), remove: BTreeSet::new() };
    cloud.perform(&bucket("bucket-1", Operation::PutBucketTagging, tags)).await.unwrap();
    for (_, operation, attributes) in &aspects {
        let call = bucket("bucket-1", *operation, Payload::Attributes(attributes.clone()));
        cloud.perform(&call).await.unwrap();
    }

    let all = WantedBucket {
        region: REGION.into(),
        aspects: BUCKET_ASPECTS.into(),
        contents: true,
        recorded: true,
        ..WantedBucket::default()
    };
    let wanted = Wanted { buckets: [("bucket-1".to_owned(), all)].into(), ..Wanted::default() };
    let live = cloud.read(&wanted).await.unwrap();
    let LiveBucket::Exists(facts) = &live.buckets["bucket-1"] else { panic!("{live:?}") };
    for (kind, _, attributes) in aspects {
        assert_eq!(facts.aspects[&kind], LiveAspect::Present(attributes), "{kind:?}");
    }
    assert_eq!(facts.aspects[&Kind::ObjectLock], LiveAspect::Absent);
    assert_eq!((facts.region.as_str(), facts.tags["Owner"].as_str()), (REGION, "me"));
    assert_eq!(
        (facts.holds_data, facts.has_policy, facts.versioning_enabled),
        (Some(false), Some(true), true)
    );
    assert!(live.refused.is_empty(), "{:?}", live.refused);
    assert!(cloud.cloud_time().is_some());
}

#[tokio::test]
async fn aspects_that_are_taken_away_read_back_as_absent_and_a_bucket_goes() {
    let cloud = cloud().await;
    make(&cloud, "bucket-1").await;
    let wanted = || {
        let all =
            WantedBucket { region: REGION.into(), aspects: BUCKET_ASPECTS.into(), ..WantedBucket::default() };
        Wanted { buckets: [("bucket-1".to_owned(), all)].into(), ..Wanted::default() }
    };
    for operation in
        [Operation::DeleteBucketPolicy, Operation::DeleteBucketCors, Operation::DeleteBucketLifecycle]
    {
        cloud.perform(&bucket("bucket-1", operation, Payload::None)).await.unwrap();
    }
    let live = cloud.read(&wanted()).await.unwrap();
    let LiveBucket::Exists(facts) = &live.buckets["bucket-1"] else { panic!("{live:?}") };
    for kind in [Kind::BucketPolicy, Kind::Cors, Kind::Lifecycle, Kind::Logging, Kind::BucketTags] {
        assert_eq!(facts.aspects[&kind], LiveAspect::Absent, "{kind:?}");
    }
    let again = Payload::NewBucket { object_lock: false, intent: None };
    let error = cloud.perform(&bucket("bucket-1", Operation::CreateBucket, again)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AlreadyOwned);
    while cloud.perform(&bucket("bucket-1", Operation::DeleteObjects, Payload::None)).await.unwrap().more {}
    cloud.perform(&bucket("bucket-1", Operation::DeleteBucket, Payload::None)).await.unwrap();
    let again = cloud.perform(&bucket("bucket-1", Operation::DeleteBucket, Payload::None)).await.unwrap_err();
    assert_eq!(again.kind, ErrorKind::NoSuchBucket);
    assert_eq!(cloud.read(&wanted()).await.unwrap().buckets["bucket-1"], LiveBucket::Absent);
}

async fn key_facts(cloud: &AwsCloud, arn: &str) -> KeyFacts {
    let all = WantedKey { aspects: [Kind::KeyPolicy, Kind::Rotation, Kind::KeyTags, Kind::Alias].into() };
    let wanted = Wanted { keys: [(arn.to_owned(), all)].into(), ..Wanted::default() };
    match cloud.read(&wanted).await.unwrap().keys.remove(arn) {
        Some(LiveKey::Exists(facts)) => *facts,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_key_reads_back_as_it_was_made_and_is_found_by_intent_and_alias() {
    let cloud = cloud().await;
    let intent = Uuid::from_u128(7);
    let arn = make_key(&cloud, intent).await;
    let rotation = Rotation { enabled: true, period_days: Some(400) };
    let alias = || Payload::Alias { name: "alias/a".into() };
    for (operation, payload) in [
        (Operation::EnableKeyRotation, Payload::Attributes(Attributes::Rotation(rotation))),
        (Operation::CreateAlias, alias()),
        (
            Operation::TagResource,
            Payload::Tags { set: [("More".to_owned(), String::new())].into(), remove: BTreeSet::new() },
        ),
        (
            Operation::UntagResource,
            Payload::Tags { set: BTreeMap::new(), remove: ["Owner".to_owned()].into() },
        ),
    ] {
        cloud.perform(&key(&arn, operation, payload)).await.unwrap();
    }
    let facts = key_facts(&cloud, &arn).await;
    assert!(facts.usable);
    assert_eq!((&facts.state, facts.description.as_str()), (&KeyState::Enabled, "d"));
    assert_eq!(facts.aspects[&Kind::KeyPolicy], LiveAspect::Present(Attributes::Policy(key_policy())));
    assert_eq!(facts.aspects[&Kind::Rotation], LiveAspect::Present(Attributes::Rotation(rotation)));
    assert_eq!(facts.tags.keys().collect::<Vec<_>>(), ["More", "byob:intent"]);
    assert!(facts.aliases.contains("alias/a"));

    let place = (REGION.to_owned(), "alias/a".to_owned());
    let wanted = Wanted {
        aliases: [place.clone()].into(),
        key_intents: [(REGION.to_owned(), intent)].into(),
        ..Wanted::default()
    };
    let live = cloud.read(&wanted).await.unwrap();
    assert_eq!(live.aliases[&place].as_deref(), Some(arn.as_str()));
    assert_eq!(live.key_intents[&intent], arn);

    for _ in 0..2 {
        cloud.perform(&key(&arn, Operation::DeleteAlias, alias())).await.unwrap();
        cloud.perform(&key(&arn, Operation::ScheduleKeyDeletion, Payload::Window { days: 7 })).await.unwrap();
    }
    let facts = key_facts(&cloud, &arn).await;
    assert_eq!(facts.state, KeyState::PendingDeletion);
    assert!(facts.aliases.is_empty());
    for operation in [Operation::CancelKeyDeletion, Operation::EnableKey, Operation::DisableKeyRotation] {
        cloud.perform(&key(&arn, operation, Payload::None)).await.unwrap();
    }
    let facts = key_facts(&cloud, &arn).await;
    assert_eq!(facts.state, KeyState::Enabled);
    let off = Rotation { enabled: false, period_days: None };
    assert_eq!(facts.aspects[&Kind::Rotation], LiveAspect::Present(Attributes::Rotation(off)));
}
