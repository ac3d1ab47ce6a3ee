//! Reading buckets.

use std::collections::BTreeSet;

use byob_apply::{Cloud, CloudError, ErrorKind};
use byob_model::address::{BUCKET_ASPECTS, Kind};
use byob_model::kind::{Algorithm, Attributes, Encryption, KeyRef, SseC};
use byob_model::live::{BucketFacts, Live, LiveAspect, LiveBucket, Wanted, WantedBucket};

use crate::fake::{ACCOUNT, Answer, Fake};

fn wanted(aspects: &[Kind]) -> WantedBucket {
    WantedBucket {
        region: "us-east-1".into(),
        aspects: aspects.iter().copied().collect::<BTreeSet<_>>(),
        ..WantedBucket::default()
    }
}

async fn read(fake: &Fake, bucket: WantedBucket) -> Result<Live, CloudError> {
    let wanted = Wanted { buckets: [("b1".to_owned(), bucket)].into(), ..Wanted::default() };
    fake.cloud().await.read(&wanted).await
}

async fn facts(fake: &Fake, bucket: WantedBucket) -> BucketFacts {
    match read(fake, bucket).await.unwrap().buckets.remove("b1") {
        Some(LiveBucket::Exists(facts)) => *facts,
        other => panic!("{other:?}"),
    }
}

/// A bucket that exists and has nothing.
fn bare() -> Fake {
    Fake::new()
        .on("HEAD", Answer::status(200).header("x-amz-bucket-region", "us-east-1"))
        .on("GET tagging", Answer::error(404, "NoSuchTagSet"))
        .on("GET versioning", Answer::ok("<VersioningConfiguration/>"))
        .on("GET abac", Answer::ok("<AbacStatus><Status>Disabled</Status></AbacStatus>"))
        .on("GET policy", Answer::error(404, "NoSuchBucketPolicy"))
        .on("GET cors", Answer::error(404, "NoSuchCORSConfiguration"))
        .on("GET encryption", Answer::error(404, "ServerSideEncryptionConfigurationNotFoundError"))
        .on("GET publicAccessBlock", Answer::error(404, "NoSuchPublicAccessBlockConfiguration"))
        .on("GET ownershipControls", Answer::error(404, "OwnershipControlsNotFoundError"))
        .on("GET lifecycle", Answer::error(404, "NoSuchLifecycleConfiguration"))
        .on("GET logging", Answer::ok("<BucketLoggingStatus/>"))
        .on("GET object-lock", Answer::error(404, "ObjectLockConfigurationNotFoundError"))
        .on("GET versions", Answer::ok("<ListVersionsResult/>"))
        .on("GET uploads", Answer::ok("<ListMultipartUploadsResult/>"))
}

#[tokio::test]
async fn every_call_about_a_bucket_names_its_owner() {
    let fake = bare();
    let all = WantedBucket { contents: true, recorded: true, ..wanted(&BUCKET_ASPECTS) };
    facts(&fake, all).await;
    let about_buckets: Vec<_> = fake.seen().into_iter().filter(|seen| seen.address.contains("/b1")).collect();
    assert_eq!(about_buckets.len(), 14, "{:?}", fake.operations());
    for seen in about_buckets {
        assert_eq!(
            seen.headers.get("x-amz-expected-bucket-owner").map(String::as_str),
            Some(ACCOUNT),
            "{}",
            seen.operation
        );
    }
}

#[tokio::test]
async fn what_aws_has_not_is_absent_in_either_spelling() {
    let absent = facts(&bare(), wanted(&BUCKET_ASPECTS)).await;
    for (kind, aspect) in &absent.aspects {
        match kind {
            Kind::Versioning => assert!(matches!(aspect, LiveAspect::Present(_))),
            _ => assert_eq!(aspect, &LiveAspect::Absent, "{kind:?}"),
        }
    }
    assert_eq!(absent.aspects.len(), 10);
    let other = bare()
        .on("GET tagging", Answer::error(404, "NoSuchTagSetError"))
        .on("GET object-lock", Answer::error(404, "ObjectLockConfigurationNotFound"));
    assert_eq!(facts(&other, wanted(&BUCKET_ASPECTS)).await, absent);
}

#[tokio::test]
async fn a_404_is_absence_and_nothing_more_is_asked() {
    let fake = Fake::new().on("HEAD", Answer::status(404));
    let live = read(&fake, wanted(&[Kind::Cors])).await.unwrap();
    assert_eq!(live.buckets["b1"], LiveBucket::Absent);
    assert_eq!(fake.operations(), ["HEAD"]);
}

#[tokio::test]
async fn a_403_is_looked_up_only_where_the_bucket_is_recorded() {
    let refused = || {
        bare()
            .on(
                "HEAD",
                Answer::status(403)
                    .header("x-amz-bucket-region", "us-east-1")
                    .header("x-amz-request-id", "H1"),
            )
            .on("GET cors", Answer::error(403, "AccessDenied"))
    };
    let region = Some("us-east-1".to_owned());
    let live = read(&refused(), wanted(&[Kind::Cors])).await.unwrap();
    assert_eq!(live.buckets["b1"], LiveBucket::Forbidden { region: region.clone(), listed: None });
    assert!(live.refused.is_empty());

    let recorded = || WantedBucket { recorded: true, ..wanted(&[Kind::Cors]) };
    let list = |names: &str| {
        Answer::ok(format!("<ListAllMyBucketsResult><Buckets>{names}</Buckets></ListAllMyBucketsResult>"))
    };
    let gone = refused().on("GET max-buckets", list("<Bucket><Name>b10</Name></Bucket>"));
    let live = read(&gone, recorded()).await.unwrap();
    assert_eq!(live.buckets["b1"], LiveBucket::Forbidden { region: region.clone(), listed: Some(false) });
    // What its aspects answered was said of somebody else's bucket.
    assert!(live.refused.is_empty());

    let ours = refused().on("GET max-buckets", list("<Bucket><Name>b1</Name></Bucket>"));
    let live = read(&ours, recorded()).await.unwrap();
    assert_eq!(live.buckets["b1"], LiveBucket::Forbidden { region, listed: Some(true) });
    assert_eq!(live.refused[0].iam_action, "s3:ListBucket");
    assert_eq!(live.refused[0].request_id.as_deref(), Some("H1"));
}

#[tokio::test]
async fn a_bucket_elsewhere_is_read_where_it_is() {
    for recorded in [false, true] {
        let fake = bare()
            .at("HEAD", "s3.us-east-1", Answer::status(301).header("x-amz-bucket-region", "eu-west-1"))
            .at("HEAD", "s3.eu-west-1", Answer::status(200).header("x-amz-bucket-region", "eu-west-1"))
            .at("GET cors", "s3.us-east-1", Answer::error(301, "PermanentRedirect"));
        let found = facts(&fake, WantedBucket { recorded, ..wanted(&[Kind::Cors]) }).await;
        assert_eq!(found.region, "eu-west-1");
        assert_eq!(found.aspects[&Kind::Cors], LiveAspect::Absent);
        assert!(fake.asked("GET cors").last().unwrap().address.starts_with("s3.eu-west-1"));
    }
}

#[tokio::test]
async fn a_refused_read_is_listed_with_the_right_it_needs() {
    let fake = bare()
        .on("GET encryption", Answer::error(403, "AccessDenied"))
        .on("GET publicAccessBlock", Answer::error(403, "AccessDenied"));
    let aspects = wanted(&[Kind::Encryption, Kind::PublicAccessBlock, Kind::Cors]);
    let live = read(&fake, aspects).await.unwrap();
    let LiveBucket::Exists(facts) = &live.buckets["b1"] else { panic!() };
    assert_eq!(facts.aspects[&Kind::Encryption], LiveAspect::Refused);
    let refused: Vec<_> = live.refused.iter().map(|r| (r.iam_action.as_str(), r.resource.as_str())).collect();
    assert_eq!(
        refused,
        [
            ("s3:GetBucketPublicAccessBlock", "arn:aws:s3:::b1"),
            ("s3:GetEncryptionConfiguration", "arn:aws:s3:::b1")
        ]
    );
    assert_eq!(live.refused[0].request_id.as_deref(), Some("REQ1"));
}

#[tokio::test]
async fn what_the_endpoint_does_not_offer_is_said_and_is_no_error() {
    let fake = bare().on("GET logging", Answer::error(501, "NotImplemented"));
    let live = read(&fake, wanted(&[Kind::Logging])).await.unwrap();
    let LiveBucket::Exists(facts) = &live.buckets["b1"] else { panic!() };
    assert_eq!(facts.aspects[&Kind::Logging], LiveAspect::Unsupported { code: "NotImplemented".into() });
    assert_eq!(live.notes, ["GetBucketLogging is not offered here (NotImplemented)"]);
}

#[tokio::test]
async fn whether_tags_are_access_may_stay_unknown_and_is_then_said() {
    let fake = bare().on("GET abac", Answer::error(403, "AccessDenied"));
    let live = read(&fake, wanted(&[])).await.unwrap();
    assert!(live.refused.is_empty());
    assert!(live.notes[0].contains("s3:GetBucketAbac is not allowed"), "{:?}", live.notes);
    let on = bare().on("GET abac", Answer::ok("<AbacStatus><Status>Enabled</Status></AbacStatus>"));
    assert!(facts(&on, wanted(&[])).await.abac);
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_is_an_error_that_names_the_bucket() {
    let fake =
        bare().on("GET policy", Answer::ok(r#"{"Version":"2012-10-17","Statement":[{"Effect":"Maybe"}]}"#));
    let error = read(&fake, wanted(&[Kind::BucketPolicy])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unexpected);
    assert!(error.to_string().starts_with("the policy of b1 cannot be read: "), "{error}");
}

#[tokio::test]
async fn a_bucket_that_only_head_still_sees_is_absent() {
    let fake = bare().on("GET versioning", Answer::error(404, "NoSuchBucket"));
    let live = read(&fake, wanted(&[])).await.unwrap();
    assert_eq!(live.buckets["b1"], LiveBucket::Absent);
    let slow = bare().each(
        "GET versioning",
        "",
        vec![Answer::error(404, "NoSuchBucket"), Answer::ok("<VersioningConfiguration/>")],
    );
    facts(&slow, wanted(&[])).await;
}

#[tokio::test]
async fn encryption_is_normalised() {
    let answer = |rule: &str| {
        Answer::ok(format!(
            "<ServerSideEncryptionConfiguration><Rule>{rule}</Rule></ServerSideEncryptionConfiguration>"
        ))
    };
    let default = |rest: &str| {
        format!("<ApplyServerSideEncryptionByDefault>{rest}</ApplyServerSideEncryptionByDefault>")
    };
    let key = "arn:aws:kms:us-east-1:123456789012:key/k";
    for (rule, expected) in [
        (
            default("<SSEAlgorithm>AES256</SSEAlgorithm>"),
            Encryption { algorithm: Algorithm::Aes256, kms_key: None, bucket_key: false, sse_c: None },
        ),
        (
            default(&format!("<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>{key}</KMSMasterKeyID>"))
                + "<BucketKeyEnabled>true</BucketKeyEnabled>\
                   <BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>",
            Encryption {
                algorithm: Algorithm::Kms,
                kms_key: Some(KeyRef::Arn(key.into())),
                bucket_key: true,
                sse_c: Some(SseC::Blocked),
            },
        ),
        (
            default("<SSEAlgorithm>aws:kms:dsse</SSEAlgorithm>")
                + "<BlockedEncryptionTypes><EncryptionType>NONE</EncryptionType></BlockedEncryptionTypes>",
            Encryption {
                algorithm: Algorithm::KmsDsse,
                kms_key: None,
                bucket_key: false,
                sse_c: Some(SseC::Allowed),
            },
        ),
    ] {
        let found = facts(&bare().on("GET encryption", answer(&rule)), wanted(&[Kind::Encryption])).await;
        assert_eq!(found.aspects[&Kind::Encryption], LiveAspect::Present(Attributes::Encryption(expected)));
    }
}

#[tokio::test]
async fn awss_own_tags_are_facts_and_no_part_of_the_aspect() {
    let tag = |key: &str| format!("<Tag><Key>{key}</Key><Value>v</Value></Tag>");
    let fake = bare().on(
        "GET tagging",
        Answer::ok(format!(
            "<Tagging><TagSet>{}{}</TagSet></Tagging>",
            tag("aws:cloudformation:x"),
            tag("mine")
        )),
    );
    let live = read(&fake, wanted(&[Kind::BucketTags])).await.unwrap();
    let LiveBucket::Exists(facts) = &live.buckets["b1"] else { panic!() };
    assert_eq!(facts.tags.len(), 2);
    let LiveAspect::Present(Attributes::Tags(tags)) = &facts.aspects[&Kind::BucketTags] else { panic!() };
    assert_eq!(tags.tags.keys().collect::<Vec<_>>(), ["mine"]);
    assert_eq!(live.attributes, 1);
}

#[tokio::test]
async fn whether_a_bucket_is_bare_is_asked_where_its_contents_matter() {
    let contents = || WantedBucket { contents: true, ..wanted(&[]) };
    let found = facts(&bare(), contents()).await;
    assert_eq!((found.holds_data, found.has_policy), (Some(false), Some(false)));
    let marker = bare().on(
        "GET versions",
        Answer::ok("<ListVersionsResult><DeleteMarker><Key>k</Key></DeleteMarker></ListVersionsResult>"),
    );
    assert_eq!(facts(&marker, contents()).await.holds_data, Some(true));
    let upload = bare().on(
        "GET uploads",
        Answer::ok("<ListMultipartUploadsResult><Upload><Key>k</Key></Upload></ListMultipartUploadsResult>"),
    );
    assert_eq!(facts(&upload, contents()).await.holds_data, Some(true));
    let brief = WantedBucket { brief: true, ..contents() };
    let fake = bare();
    assert_eq!(facts(&fake, brief).await.has_policy, None);
    assert_eq!(fake.operations(), ["HEAD", "GET versions", "GET uploads"]);
}

#[tokio::test]
async fn no_more_requests_are_in_flight_than_agreed() {
    let fake = bare();
    let buckets =
        (0..20).map(|n| (format!("b{n}"), WantedBucket { recorded: true, ..wanted(&BUCKET_ASPECTS) }));
    let wanted = Wanted { buckets: buckets.collect(), ..Wanted::default() };
    let live = fake.cloud().await.read(&wanted).await.unwrap();
    assert_eq!(live.buckets.len(), 20);
    assert_eq!(fake.most_in_flight(), 4);
}

#[tokio::test]
async fn reads_are_repeated_where_aws_asks_for_it() {
    let answers = vec![Answer::error(503, "SlowDown"), Answer::error(404, "NoSuchCORSConfiguration")];
    let fake = bare().each("GET cors", "", answers);
    facts(&fake, wanted(&[Kind::Cors])).await;
    assert_eq!(fake.asked("GET cors").len(), 2);
}

#[tokio::test]
async fn answers_of_other_stores_that_the_sdk_cannot_read_are_understood() {
    let root = |inside: &str| {
        Answer::ok(format!(
            r#"<GetBucketVersioningResponse xmlns="x">{inside}</GetBucketVersioningResponse>"#
        ))
    };
    let fake = bare()
        .on("GET versioning", root("<Status>Enabled</Status>"))
        .on("GET abac", Answer::ok("<ListBucketResult/>"));
    let found = facts(&fake, wanted(&[])).await;
    assert!(found.versioning_enabled && !found.abac && !found.mfa_delete);
    let fake = bare().on("GET versioning", root(""));
    assert!(!facts(&fake, wanted(&[])).await.versioning_enabled);
    let fake = bare().on("GET versioning", Answer::ok("<html/>"));
    let error = read(&fake, wanted(&[])).await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::Network, Some(200)));
}

#[tokio::test]
async fn what_nobody_manages_is_read_where_the_caller_may_and_else_left_out() {
    let fake = bare()
        .on("GET publicAccessBlock", Answer::error(403, "AccessDenied"))
        .on("GET ownershipControls", Answer::error(404, "OwnershipControlsNotFoundError"));
    let bucket = WantedBucket {
        beside: [Kind::PublicAccessBlock, Kind::Ownership, Kind::Cors].into(),
        ..wanted(&[Kind::Cors])
    };
    let live = read(&fake, bucket).await.unwrap();
    assert!(live.refused.is_empty(), "no right is missing: {:?}", live.refused);
    let Some(LiveBucket::Exists(facts)) = live.buckets.get("b1") else { panic!("{live:?}") };
    let read: Vec<Kind> = facts.aspects.keys().copied().collect();
    assert!(!read.contains(&Kind::PublicAccessBlock) && read.contains(&Kind::Ownership), "{read:?}");
    assert_eq!(facts.aspects[&Kind::Ownership], LiveAspect::Absent);
    assert_eq!(fake.operations().iter().filter(|operation| *operation == "GET cors").count(), 1);
}
