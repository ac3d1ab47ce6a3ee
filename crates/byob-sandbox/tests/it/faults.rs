use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{Tag, Tagging};
use byob_sandbox::{Faults, Options, Sandbox};

use super::{bucket, kms, options, refusal, refused, s3, with_faults};

fn tags(value: &str) -> Tagging {
    Tagging::builder().tag_set(Tag::builder().key("k").value(value).build().unwrap()).build().unwrap()
}

async fn seen(s3: &aws_sdk_s3::Client) -> String {
    match s3.get_bucket_tagging().bucket("faulty").send().await {
        Ok(answer) => answer.tag_set()[0].value().to_owned(),
        Err(error) => error.code().unwrap_or_default().to_owned(),
    }
}

#[tokio::test]
async fn after_a_write_the_former_value_is_read_a_counted_number_of_times() {
    let sandbox = with_faults("stale=2").await;
    let s3 = bucket(&sandbox, "faulty").await;
    let put = |value| s3.put_bucket_tagging().bucket("faulty").tagging(tags(value)).send();
    put("one").await.unwrap();
    assert_eq!([seen(&s3).await, seen(&s3).await, seen(&s3).await], ["NoSuchTagSet", "NoSuchTagSet", "one"]);
    put("two").await.unwrap();
    assert_eq!([seen(&s3).await, seen(&s3).await, seen(&s3).await], ["one", "one", "two"]);
    s3.delete_bucket_tagging().bucket("faulty").send().await.unwrap();
    assert_eq!([seen(&s3).await, seen(&s3).await, seen(&s3).await], ["two", "two", "NoSuchTagSet"]);
}

#[tokio::test]
async fn a_created_bucket_is_seen_late_and_a_deleted_one_long() {
    let sandbox = with_faults("stale=2").await;
    let s3 = bucket(&sandbox, "faulty").await;
    let head = || async { s3.head_bucket().bucket("faulty").send().await.is_ok() };
    assert_eq!([head().await, head().await, head().await], [false, false, true]);
    s3.delete_bucket().bucket("faulty").send().await.unwrap();
    // The truth decides about writes meanwhile.
    assert_eq!(refusal(s3.delete_bucket().bucket("faulty").send().await), refused(404, "NoSuchBucket"));
    assert_eq!([head().await, head().await, head().await], [true, true, false]);
}

#[tokio::test]
async fn a_created_key_and_its_alias_are_seen_late() {
    let sandbox = with_faults("stale=1").await;
    let kms = kms(&sandbox, "us-east-1");
    let id = kms.create_key().send().await.unwrap().key_metadata().unwrap().key_id().to_owned();
    kms.create_alias().alias_name("alias/late").target_key_id(&id).send().await.unwrap();
    assert!(kms.list_keys().send().await.unwrap().keys().is_empty());
    assert_eq!(kms.list_keys().send().await.unwrap().keys().len(), 1);
    assert_eq!(refusal(kms.get_key_policy().key_id(&id).send().await), refused(400, "NotFoundException"));
    kms.get_key_policy().key_id(&id).send().await.unwrap();
    assert!(kms.list_aliases().send().await.unwrap().aliases().is_empty());
    assert_eq!(kms.list_aliases().send().await.unwrap().aliases().len(), 1);
}

#[tokio::test]
async fn sub_resources_of_a_new_bucket_answer_no_such_bucket_at_first() {
    let sandbox = with_faults("late-no-such-bucket=2").await;
    let s3 = bucket(&sandbox, "faulty").await;
    let put = || s3.put_bucket_tagging().bucket("faulty").tagging(tags("x")).send();
    assert_eq!(refusal(put().await), refused(404, "NoSuchBucket"));
    s3.head_bucket().bucket("faulty").send().await.unwrap();
    assert_eq!(refusal(put().await), refused(404, "NoSuchBucket"));
    put().await.unwrap();
}

#[tokio::test]
async fn the_first_bucket_writes_are_aborted() {
    let sandbox = with_faults("operation-aborted=2").await;
    let s3 = s3(&sandbox, "us-east-1");
    let create = || s3.create_bucket().bucket("faulty").send();
    assert_eq!(refusal(create().await), refused(409, "OperationAborted"));
    assert_eq!(refusal(create().await), refused(409, "OperationAborted"));
    create().await.unwrap();
}

#[tokio::test]
async fn every_nth_call_is_throttled() {
    let sandbox = with_faults("throttle-every=2").await;
    let (s3, kms) = (s3(&sandbox, "us-east-1"), kms(&sandbox, "us-east-1"));
    s3.list_buckets().send().await.unwrap();
    assert_eq!(refusal(s3.list_buckets().send().await), refused(503, "SlowDown"));
    s3.list_buckets().send().await.unwrap();
    assert_eq!(refusal(kms.list_keys().send().await), refused(400, "ThrottlingException"));
}

#[tokio::test]
async fn denied_actions_are_denied_by_their_iam_names() {
    let sandbox = with_faults("deny=s3:GetEncryptionConfiguration+kms:CreateKey").await;
    let s3 = bucket(&sandbox, "faulty").await;
    let get = s3.get_bucket_encryption().bucket("faulty").send().await;
    assert_eq!(refusal(get), refused(403, "AccessDenied"));
    let create = kms(&sandbox, "us-east-1").create_key().send().await;
    assert_eq!(refusal(create), refused(400, "AccessDeniedException"));
}

#[tokio::test]
async fn a_lost_answer_has_taken_effect() {
    let sandbox = with_faults("lose=CreateBucket:2").await;
    let s3 = bucket(&sandbox, "faulty").await;
    let lost = s3.create_bucket().bucket("lost").send().await.unwrap_err();
    assert!(matches!(lost, aws_sdk_s3::error::SdkError::DispatchFailure(_)), "{lost:?}");
    s3.head_bucket().bucket("lost").send().await.unwrap();
    assert_eq!(sandbox.calls()[1].status, 0);
}

#[tokio::test]
async fn a_bucket_can_become_somebody_elses() {
    let sandbox = with_faults("").await;
    let s3 = bucket(&sandbox, "faulty").await;
    sandbox.set_faults(Faults::parse("foreign-owner=faulty").unwrap()).await;
    assert_eq!(refusal(s3.head_bucket().bucket("faulty").send().await).0, 403);
    assert!(s3.list_buckets().send().await.unwrap().buckets().is_empty());
}

/// Not a test of its own: the body of the process that the next test lets crash.
#[tokio::test]
async fn crashing_process() {
    let Ok(dir) = std::env::var("BYOB_SANDBOX_TEST_CRASH_DIR") else { return };
    let faults = Faults::parse("crash-after=2").unwrap();
    let sandbox = Sandbox::open(Options { faults, ..options(Some(dir.into())) }).await.unwrap();
    for name in ["crash-one", "crash-two", "crash-three"] {
        bucket(&sandbox, name).await;
    }
}

#[tokio::test]
async fn a_crash_comes_after_the_effect_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "faults::crashing_process"])
        .env("BYOB_SANDBOX_TEST_CRASH_DIR", dir.path())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(137));
    let sandbox = Sandbox::open(options(Some(dir.path().into()))).await.unwrap();
    let listed = s3(&sandbox, "us-east-1").list_buckets().send().await.unwrap();
    let names: Vec<_> = listed.buckets().iter().filter_map(|bucket| bucket.name()).collect();
    assert_eq!(names, ["crash-one", "crash-two"]);
}

#[tokio::test]
async fn calls_are_recorded() {
    let sandbox = with_faults("").await;
    let s3 = bucket(&sandbox, "faulty").await;
    let _ = s3.get_bucket_policy().bucket("faulty").send().await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let calls: Vec<_> = sandbox
        .calls()
        .into_iter()
        .map(|call| (call.service, call.operation, call.resource, call.status, call.mutating))
        .collect();
    let faulty = Some("faulty".to_owned());
    assert_eq!(
        calls,
        [
            ("s3".to_owned(), "CreateBucket".to_owned(), faulty.clone(), 200, true),
            ("s3".to_owned(), "GetBucketPolicy".to_owned(), faulty, 404, false),
        ]
    );
}
