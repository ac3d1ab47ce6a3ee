//! Writing: one call is one request, made once.

use std::collections::{BTreeMap, BTreeSet};

use byob_apply::{Cloud, CloudError, Done, ErrorKind};
use byob_model::address::RootAddress;
use byob_model::call::{Call, Operation, Payload, Target};
use byob_model::kind::{
    Algorithm, Attributes, Cors, CorsRule, Encryption, Filter, Key, KeyRef, KeyState, Lifecycle,
    LifecycleRule, Logging, OUR_CORS_RULE, ObjectLock, Ownership, Policy, PublicAccessBlock, Rotation, SseC,
    Versioning, VersioningStatus, Waivers,
};
use uuid::Uuid;

use crate::fake::{ACCOUNT, Answer, Fake};

const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/k-1";

fn on_bucket(region: &str, operation: Operation, payload: Payload) -> Call {
    let target = Target::Bucket { name: "b1".into(), region: region.into(), account_id: ACCOUNT.into() };
    Call { operation, target, payload }
}

fn on_key(operation: Operation, payload: Payload) -> Call {
    let key = KeyRef::Arn(KEY.into());
    Call {
        operation,
        target: Target::Key { key, region: "eu-west-1".into(), account_id: ACCOUNT.into() },
        payload,
    }
}

async fn perform(fake: &Fake, call: Call) -> Result<Done, CloudError> {
    fake.cloud().await.perform(&call).await
}

fn new_bucket(region: &str) -> Call {
    on_bucket(region, Operation::CreateBucket, Payload::NewBucket { object_lock: false, intent: None })
}

fn tags(set: &[(&str, &str)], remove: &[&str]) -> Payload {
    Payload::Tags {
        set: set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        remove: remove.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>(),
    }
}

#[tokio::test]
async fn a_new_bucket_names_its_region_everywhere_but_in_us_east_1() {
    let fake = Fake::new().on("HEAD", Answer::status(404)).on("PUT", Answer::status(200));
    perform(&fake, new_bucket("us-east-1")).await.unwrap();
    perform(&fake, new_bucket("eu-west-1")).await.unwrap();
    assert_eq!(fake.operations(), ["HEAD", "PUT", "HEAD", "PUT"]);
    let put = fake.asked("PUT");
    assert_eq!(put[0].body, "");
    assert!(put[1].body.contains("<LocationConstraint>eu-west-1</LocationConstraint>"), "{}", put[1].body);
    assert!(!put[1].headers.contains_key("x-amz-bucket-object-lock-enabled"));
}

#[tokio::test]
async fn a_bucket_that_is_there_is_not_made_again() {
    let there = Fake::new().on("HEAD", Answer::status(200));
    assert_eq!(perform(&there, new_bucket("us-east-1")).await.unwrap_err().kind, ErrorKind::AlreadyOwned);
    assert_eq!(there.operations(), ["HEAD"]);
    let late =
        Fake::new().on("HEAD", Answer::status(404)).on("PUT", Answer::error(409, "BucketAlreadyOwnedByYou"));
    assert_eq!(perform(&late, new_bucket("eu-west-1")).await.unwrap_err().kind, ErrorKind::AlreadyOwned);
    let taken =
        Fake::new().on("HEAD", Answer::status(403)).on("PUT", Answer::error(409, "BucketAlreadyExists"));
    assert_eq!(perform(&taken, new_bucket("us-east-1")).await.unwrap_err().kind, ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn tags_are_put_with_everybody_elses_among_them() {
    let tag = |key: &str| format!("<Tag><Key>{key}</Key><Value>v</Value></Tag>");
    let live = [tag("aws:cloudformation:stack"), tag("foreign"), tag("old"), tag("byob:stack")].concat();
    let fake = Fake::new()
        .on("GET tagging", Answer::ok(format!("<Tagging><TagSet>{live}</TagSet></Tagging>")))
        .on("PUT tagging", Answer::status(204));
    let call = on_bucket("us-east-1", Operation::PutBucketTagging, tags(&[("byob:stack", "new")], &["old"]));
    perform(&fake, call).await.unwrap();
    let put = &fake.asked("PUT tagging")[0];
    for kept in ["aws:cloudformation:stack", "foreign", "<Key>byob:stack</Key><Value>new</Value>"] {
        assert!(put.body.contains(kept), "{}", put.body);
    }
    assert!(!put.body.contains("old"));
    assert_eq!(put.headers["x-amz-expected-bucket-owner"], ACCOUNT);
}

#[tokio::test]
async fn a_tag_set_is_deleted_only_where_nothing_would_remain() {
    let fake = Fake::new()
        .on(
            "GET tagging",
            Answer::ok("<Tagging><TagSet><Tag><Key>a</Key><Value>v</Value></Tag></TagSet></Tagging>"),
        )
        .on("DELETE tagging", Answer::status(204));
    perform(&fake, on_bucket("us-east-1", Operation::PutBucketTagging, tags(&[], &["a"]))).await.unwrap();
    assert_eq!(fake.operations(), ["GET tagging", "DELETE tagging"]);
}

fn cors(exclusive: bool, rules: Vec<CorsRule>) -> Payload {
    Payload::Attributes(Attributes::Cors(Cors { rules, exclusive }))
}

fn our_cors_rule() -> CorsRule {
    CorsRule {
        id: Some(OUR_CORS_RULE.into()),
        allowed_origins: ["https://wandb.ai".to_owned()].into(),
        allowed_methods: ["GET".to_owned()].into(),
        allowed_headers: BTreeSet::new(),
        expose_headers: BTreeSet::new(),
        max_age_seconds: 0,
    }
}

#[tokio::test]
async fn others_cors_rules_stay_where_ours_is_not_the_only_one() {
    let other = "<CORSRule><ID>theirs</ID><AllowedOrigin>x</AllowedOrigin><AllowedMethod>PUT</AllowedMethod></CORSRule>";
    let world = || {
        Fake::new()
            .on("GET cors", Answer::ok(format!("<CORSConfiguration>{other}</CORSConfiguration>")))
            .on("PUT cors", Answer::status(200))
            .on("DELETE cors", Answer::status(204))
    };
    let beside = world();
    perform(&beside, on_bucket("us-east-1", Operation::PutBucketCors, cors(false, vec![our_cors_rule()])))
        .await
        .unwrap();
    let body = &beside.asked("PUT cors")[0].body;
    assert!(body.contains("theirs") && body.contains(OUR_CORS_RULE), "{body}");

    let alone = world();
    perform(&alone, on_bucket("us-east-1", Operation::PutBucketCors, cors(true, vec![our_cors_rule()])))
        .await
        .unwrap();
    assert!(!alone.asked("PUT cors")[0].body.contains("theirs"));

    let leaving = world();
    perform(&leaving, on_bucket("us-east-1", Operation::DeleteBucketCors, cors(false, Vec::new())))
        .await
        .unwrap();
    assert!(leaving.asked("PUT cors")[0].body.contains("theirs"));
    assert!(leaving.asked("DELETE cors").is_empty());

    let last = world();
    perform(&last, on_bucket("us-east-1", Operation::DeleteBucketCors, Payload::None)).await.unwrap();
    assert_eq!(last.operations(), ["DELETE cors"]);
}

#[tokio::test]
async fn a_lifecycle_is_put_with_what_aws_says_about_small_objects_and_others_rules() {
    let rule = "<Rule><ID>theirs</ID><Status>Enabled</Status><Filter><Prefix/></Filter><Expiration><Days>9</Days></Expiration></Rule>";
    let fake = Fake::new()
        .on(
            "GET lifecycle",
            Answer::ok(format!("<LifecycleConfiguration>{rule}</LifecycleConfiguration>"))
                .header("x-amz-transition-default-minimum-object-size", "varies_by_storage_class"),
        )
        .on("PUT lifecycle", Answer::status(200));
    let ours = LifecycleRule {
        id: "byob-abort".into(),
        enabled: true,
        filter: Filter::default(),
        abort_incomplete_multipart_upload_days: Some(7),
        expiration: None,
        noncurrent_version_expiration: None,
        transitions: Vec::new(),
        noncurrent_version_transitions: Vec::new(),
    };
    let payload =
        Payload::Attributes(Attributes::Lifecycle(Lifecycle { rules: vec![ours], exclusive: false }));
    perform(&fake, on_bucket("us-east-1", Operation::PutBucketLifecycleConfiguration, payload))
        .await
        .unwrap();
    let put = &fake.asked("PUT lifecycle")[0];
    assert_eq!(put.headers["x-amz-transition-default-minimum-object-size"], "varies_by_storage_class");
    assert!(put.body.contains("theirs") && put.body.contains("byob-abort"), "{}", put.body);
}

#[tokio::test]
async fn encryption_says_only_what_is_to_change() {
    let fake = Fake::new().on("PUT encryption", Answer::status(200));
    let put = |algorithm, kms_key, sse_c| {
        let encryption = Encryption { algorithm, kms_key, bucket_key: true, sse_c };
        on_bucket(
            "eu-west-1",
            Operation::PutBucketEncryption,
            Payload::Attributes(Attributes::Encryption(encryption)),
        )
    };
    perform(&fake, put(Algorithm::Kms, Some(KeyRef::Arn(KEY.into())), Some(SseC::Blocked))).await.unwrap();
    perform(&fake, put(Algorithm::Aes256, None, None)).await.unwrap();
    let seen = fake.asked("PUT encryption");
    for part in [KEY, "<BucketKeyEnabled>true</BucketKeyEnabled>", "<EncryptionType>SSE-C</EncryptionType>"] {
        assert!(seen[0].body.contains(part), "{}", seen[0].body);
    }
    assert!(!seen[1].body.contains("BucketKey") && !seen[1].body.contains("Blocked"), "{}", seen[1].body);

    let symbolic = KeyRef::Managed { arn_of: RootAddress::key("vision") };
    let error = perform(&fake, put(Algorithm::Kms, Some(symbolic), None)).await.unwrap_err();
    assert_eq!(error.message, "the ARN of key.vision is not known yet");
    assert_eq!(fake.asked("PUT encryption").len(), 2);
}

#[tokio::test]
async fn object_lock_is_always_put_as_enabled() {
    let fake = Fake::new().on("PUT object-lock", Answer::status(200));
    let lock = Attributes::ObjectLock(ObjectLock { mode: None, days: None, years: None });
    perform(&fake, on_bucket("us-east-1", Operation::PutObjectLockConfiguration, Payload::Attributes(lock)))
        .await
        .unwrap();
    assert!(fake.asked("PUT object-lock")[0].body.contains("<ObjectLockEnabled>Enabled</ObjectLockEnabled>"));
}

#[tokio::test]
async fn a_write_is_made_once_and_a_lost_answer_is_said_to_be_lost() {
    for (answer, kind) in [
        (Answer::error(500, "InternalError"), ErrorKind::Internal),
        (Answer::error(503, "SlowDown"), ErrorKind::Throttled),
        (Answer::error(409, "OperationAborted"), ErrorKind::Conflict),
        (Answer::error(404, "NoSuchBucket"), ErrorKind::NoSuchBucket),
        (Answer::error(400, "MalformedPolicy"), ErrorKind::MalformedPolicy),
        (Answer::lost(), ErrorKind::Network),
    ] {
        let fake = Fake::new().on("PUT policy", answer);
        let payload = Payload::Attributes(Attributes::Policy(Policy::empty()));
        let error =
            perform(&fake, on_bucket("us-east-1", Operation::PutBucketPolicy, payload)).await.unwrap_err();
        assert_eq!(error.kind, kind);
        assert_eq!(error.operation, "PutBucketPolicy");
        assert_eq!(fake.asked("PUT policy").len(), 1);
    }
    let fake = Fake::new().on("CreateKey", Answer::lost());
    assert_eq!(perform(&fake, new_key()).await.unwrap_err().kind, ErrorKind::Network);
    assert_eq!(fake.asked("CreateKey").len(), 1);
}

#[tokio::test]
async fn an_error_reads_as_what_aws_said_with_its_request_id() {
    let fake = Fake::new().on("PUT policy", Answer::error(400, "MalformedPolicy"));
    let payload = Payload::Attributes(Attributes::Policy(Policy::empty()));
    let error =
        perform(&fake, on_bucket("us-east-1", Operation::PutBucketPolicy, payload)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "AWS refused PutBucketPolicy on b1: MalformedPolicy \"said\" (request REQ1)"
    );
    assert_eq!(error.iam_action.as_deref(), Some("s3:PutBucketPolicy"));
}

#[tokio::test]
async fn what_is_gone_already_counts_as_deleted_but_for_a_bucket() {
    let fake = Fake::new()
        .on("DELETE", Answer::error(404, "NoSuchBucket"))
        .on("DELETE policy", Answer::error(404, "NoSuchBucketPolicy"))
        .on("DeleteAlias", Answer::json_error("NotFoundException"))
        .on("ScheduleKeyDeletion", Answer::json_error("KMSInvalidStateException"))
        .on(
            "DescribeKey",
            Answer::ok(r#"{"KeyMetadata":{"KeyId":"k-1","Enabled":false,"KeyState":"PendingDeletion"}}"#),
        );
    let error =
        perform(&fake, on_bucket("us-east-1", Operation::DeleteBucket, Payload::None)).await.unwrap_err();
    assert_eq!(
        error.kind,
        ErrorKind::NoSuchBucket,
        "the executor decides whether it is gone or not seen yet"
    );
    perform(&fake, on_bucket("us-east-1", Operation::DeleteBucketPolicy, Payload::None)).await.unwrap();
    perform(&fake, on_key(Operation::DeleteAlias, Payload::Alias { name: "alias/a".into() })).await.unwrap();
    perform(&fake, on_key(Operation::ScheduleKeyDeletion, Payload::Window { days: 30 })).await.unwrap();
    let left = Fake::new().on("DELETE", Answer::error(409, "BucketNotEmpty"));
    let error =
        perform(&left, on_bucket("us-east-1", Operation::DeleteBucket, Payload::None)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotEmpty);
}

#[tokio::test]
async fn emptying_takes_versions_markers_and_uploads() {
    let page = |more: bool, key: &str| {
        Answer::ok(format!(
            "<ListVersionsResult><IsTruncated>{more}</IsTruncated><NextKeyMarker>{key}</NextKeyMarker>\
             <Version><Key>{key}</Key><VersionId>1</VersionId></Version>\
             <DeleteMarker><Key>{key}</Key><VersionId>2</VersionId></DeleteMarker></ListVersionsResult>"
        ))
    };
    let nothing = || Answer::ok("<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>");
    let fake = Fake::new()
        .each("GET versions", "", vec![page(true, "a"), page(false, "b"), nothing()])
        .on("POST delete", Answer::ok("<DeleteResult/>"))
        .on(
            "GET uploads",
            Answer::ok("<ListMultipartUploadsResult><Upload><Key>u</Key><UploadId>9</UploadId></Upload></ListMultipartUploadsResult>"),
        )
        .at("DELETE uploadId", "/u", Answer::status(204))
        .at("DELETE x-id", "uploadId=9", Answer::status(204));
    let empty = || perform(&fake, on_bucket("us-east-1", Operation::DeleteObjects, Payload::None));
    // One call is a page: whoever makes it can stop between two.
    for pages in 1..=2 {
        assert!(empty().await.unwrap().more);
        assert_eq!(fake.asked("POST delete").len(), pages);
    }
    assert!(empty().await.unwrap().more, "uploads may be left");
    let deletes = fake.asked("POST delete");
    assert_eq!(deletes.len(), 2);
    assert!(deletes[0].body.contains("<VersionId>2</VersionId>"));
    assert!(!deletes[0].headers.contains_key("x-amz-bypass-governance-retention"));
    assert!(fake.operations().last().unwrap().starts_with("DELETE"));

    let done = Fake::new()
        .on("GET versions", nothing())
        .on("GET uploads", Answer::ok("<ListMultipartUploadsResult></ListMultipartUploadsResult>"));
    let last = perform(&done, on_bucket("us-east-1", Operation::DeleteObjects, Payload::None)).await.unwrap();
    assert!(!last.more);

    let held = Fake::new().on("GET versions", page(false, "a")).on(
        "POST delete",
        Answer::ok("<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code><Message>locked</Message></Error></DeleteResult>"),
    );
    let error =
        perform(&held, on_bucket("us-east-1", Operation::DeleteObjects, Payload::None)).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::AccessDenied, Some("AccessDenied")));
}

fn new_key() -> Call {
    on_key(
        Operation::CreateKey,
        Payload::NewKey {
            description: "d".into(),
            policy: Policy::empty(),
            tags: BTreeMap::from([("byob:stack".to_owned(), "default".to_owned())]),
            intent: Some(Uuid::from_u128(7)),
        },
    )
}

#[tokio::test]
async fn a_new_key_carries_its_proof_from_its_first_moment() {
    let fake = Fake::new()
        .on("CreateKey", Answer::ok(format!(r#"{{"KeyMetadata":{{"KeyId":"k-1","Arn":"{KEY}"}}}}"#)));
    let done = perform(&fake, new_key()).await.unwrap();
    assert_eq!(done.key_arn.as_deref(), Some(KEY));
    let seen = &fake.asked("CreateKey")[0];
    for part in ["byob:stack", "byob:intent", &Uuid::from_u128(7).to_string(), r#""Description":"d""#] {
        assert!(seen.body.contains(part), "{}", seen.body);
    }
    assert!(!seen.body.contains("Bypass"));
}

#[tokio::test]
async fn keys_are_written_in_their_region_and_by_bare_id_where_other_stores_want_that() {
    let fake = Fake::new();
    let fake = [
        "EnableKey",
        "CancelKeyDeletion",
        "ScheduleKeyDeletion",
        "UpdateKeyDescription",
        "EnableKeyRotation",
        "UntagResource",
        "CreateAlias",
    ]
    .into_iter()
    .fold(fake, |fake, operation| fake.on(operation, Answer::ok("{}")));
    let key = Key {
        description: "new".into(),
        state: KeyState::Enabled,
        deletion_window_days: 30,
        protect: true,
        waivers: Waivers::new(),
    };
    let rotation = Rotation { enabled: true, period_days: Some(400) };
    for call in [
        on_key(Operation::EnableKey, Payload::None),
        on_key(Operation::CancelKeyDeletion, Payload::None),
        on_key(Operation::ScheduleKeyDeletion, Payload::Window { days: 9 }),
        on_key(Operation::UpdateKeyDescription, Payload::Attributes(Attributes::Key(key))),
        on_key(Operation::EnableKeyRotation, Payload::Attributes(Attributes::Rotation(rotation))),
        on_key(Operation::UntagResource, tags(&[], &["a"])),
        on_key(Operation::CreateAlias, Payload::Alias { name: "alias/a".into() }),
    ] {
        perform(&fake, call).await.unwrap();
    }
    for operation in ["EnableKey", "CancelKeyDeletion", "ScheduleKeyDeletion"] {
        assert!(fake.asked(operation)[0].body.contains(r#""KeyId":"k-1""#));
    }
    assert!(fake.asked("EnableKeyRotation")[0].body.contains(r#""RotationPeriodInDays":400"#));
    assert!(
        fake.seen()
            .iter()
            .skip(1)
            .filter(|seen| seen.operation != "GetCallerIdentity")
            .all(|seen| seen.address.starts_with("kms.eu-west-1."))
    );
}

#[tokio::test]
async fn nothing_is_written_into_another_account() {
    let fake = Fake::new();
    let mut call = new_bucket("us-east-1");
    call.target =
        Target::Bucket { name: "b1".into(), region: "us-east-1".into(), account_id: "999999999999".into() };
    let error = perform(&fake, call).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the credentials are of account 123456789012, and the write is meant for 999999999999"
    );
    assert!(fake.operations().is_empty());
}

#[tokio::test]
async fn every_write_about_a_bucket_names_its_owner() {
    let put = |attributes| Payload::Attributes(attributes);
    let encryption = Encryption {
        algorithm: Algorithm::Aes256,
        kms_key: None,
        bucket_key: false,
        sse_c: Some(SseC::Blocked),
    };
    let ownership = Ownership { object_ownership: "BucketOwnerEnforced".into() };
    let writes = [
        (
            "PUT publicAccessBlock",
            Operation::PutPublicAccessBlock,
            put(Attributes::PublicAccessBlock(PublicAccessBlock::ALL)),
        ),
        (
            "PUT ownershipControls",
            Operation::PutBucketOwnershipControls,
            put(Attributes::Ownership(ownership)),
        ),
        ("PUT encryption", Operation::PutBucketEncryption, put(Attributes::Encryption(encryption))),
        ("PUT cors", Operation::PutBucketCors, cors(true, vec![our_cors_rule()])),
        ("DELETE cors", Operation::DeleteBucketCors, Payload::None),
        (
            "PUT versioning",
            Operation::PutBucketVersioning,
            put(Attributes::Versioning(Versioning { status: VersioningStatus::Enabled })),
        ),
        ("DELETE lifecycle", Operation::DeleteBucketLifecycle, Payload::None),
        ("PUT logging", Operation::PutBucketLogging, put(Attributes::Logging(Logging::off()))),
        (
            "PUT object-lock",
            Operation::PutObjectLockConfiguration,
            put(Attributes::ObjectLock(ObjectLock { mode: None, days: None, years: None })),
        ),
        ("PUT policy", Operation::PutBucketPolicy, put(Attributes::Policy(Policy::empty()))),
        ("DELETE policy", Operation::DeleteBucketPolicy, Payload::None),
        ("DELETE", Operation::DeleteBucket, Payload::None),
    ];
    for (request, operation, payload) in writes {
        let fake = Fake::new().on(request, Answer::status(200));
        perform(&fake, on_bucket("eu-west-1", operation, payload)).await.unwrap();
        let seen = fake.asked(request);
        assert_eq!(seen.len(), 1, "{request}: {:?}", fake.operations());
        let owner = seen[0].headers.get("x-amz-expected-bucket-owner").map(String::as_str);
        assert_eq!(owner, Some(ACCOUNT), "{request}");
    }
}

#[tokio::test]
async fn logging_is_turned_off_by_the_empty_document() {
    let fake = Fake::new().on("PUT logging", Answer::status(200));
    let off = Payload::Attributes(Attributes::Logging(Logging::off()));
    perform(&fake, on_bucket("eu-west-1", Operation::PutBucketLogging, off)).await.unwrap();
    let body = &fake.asked("PUT logging")[0].body;
    assert!(body.contains("BucketLoggingStatus") && !body.contains("LoggingEnabled"), "{body}");
}
