use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketVersioningStatus, DefaultRetention, Delete, ObjectIdentifier, ObjectLockConfiguration,
    ObjectLockEnabled, ObjectLockRetention, ObjectLockRetentionMode, ObjectLockRule, ServerSideEncryption,
    VersioningConfiguration,
};

use super::{bucket, kms, refusal, refused, s3, sandbox};

async fn put(s3: &aws_sdk_s3::Client, bucket: &str, key: &str, body: &'static str) {
    s3.put_object()
        .bucket(bucket)
        .key(key)
        .body(ByteStream::from_static(body.as_bytes()))
        .send()
        .await
        .unwrap();
}

async fn versioning(s3: &aws_sdk_s3::Client, bucket: &str, status: BucketVersioningStatus) {
    let configuration = VersioningConfiguration::builder().status(status).build();
    s3.put_bucket_versioning().bucket(bucket).versioning_configuration(configuration).send().await.unwrap();
}

async fn all_versions(s3: &aws_sdk_s3::Client, bucket: &str) -> Vec<ObjectIdentifier> {
    let mut out = Vec::new();
    let (mut key, mut version) = (None, None);
    loop {
        let page = s3
            .list_object_versions()
            .bucket(bucket)
            .max_keys(2)
            .set_key_marker(key)
            .set_version_id_marker(version)
            .send()
            .await
            .unwrap();
        let entries = page.versions().iter().map(|v| (v.key(), v.version_id()));
        for (key, version) in entries.chain(page.delete_markers().iter().map(|m| (m.key(), m.version_id()))) {
            let id = ObjectIdentifier::builder().set_key(key.map(str::to_owned));
            out.push(id.set_version_id(version.map(str::to_owned)).build().unwrap());
        }
        if page.is_truncated() != Some(true) {
            return out;
        }
        key = page.next_key_marker().map(str::to_owned);
        version = page.next_version_id_marker().map(str::to_owned);
    }
}

#[tokio::test]
async fn a_bucket_with_a_version_a_marker_or_an_upload_is_not_empty() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "full").await;
    let delete = || s3.delete_bucket().bucket("full").send();
    let not_empty = refused(409, "BucketNotEmpty");
    put(&s3, "full", "a", "before versioning").await;
    assert_eq!(refusal(delete().await), not_empty);
    versioning(&s3, "full", BucketVersioningStatus::Enabled).await;
    put(&s3, "full", "a", "after").await;
    s3.delete_object().bucket("full").key("a").send().await.unwrap();
    put(&s3, "full", "a", "again").await;
    s3.delete_object().bucket("full").key("b").send().await.unwrap();
    let versions = all_versions(&s3, "full").await;
    assert_eq!(versions.len(), 5, "{versions:?}");
    assert!(versions.iter().any(|id| id.version_id() == Some("null")), "{versions:?}");
    let upload = s3.create_multipart_upload().bucket("full").key("up").send().await.unwrap();
    for id in versions {
        assert_eq!(refusal(delete().await), not_empty);
        let batch = Delete::builder().objects(id).build().unwrap();
        s3.delete_objects().bucket("full").delete(batch).send().await.unwrap();
    }
    assert!(all_versions(&s3, "full").await.is_empty());
    assert_eq!(refusal(delete().await), not_empty);
    let id = upload.upload_id().unwrap();
    s3.abort_multipart_upload().bucket("full").key("up").upload_id(id).send().await.unwrap();
    delete().await.unwrap();
}

#[tokio::test]
async fn held_versions_cannot_be_deleted() {
    let sandbox = sandbox().await;
    let s3 = s3(&sandbox, "us-east-1");
    s3.create_bucket().bucket("held").object_lock_enabled_for_bucket(true).send().await.unwrap();
    put(&s3, "held", "a", "x").await;
    let version = all_versions(&s3, "held").await[0].version_id().unwrap().to_owned();
    let until = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    let retention = ObjectLockRetention::builder()
        .mode(ObjectLockRetentionMode::Governance)
        .retain_until_date(until.into())
        .build();
    s3.put_object_retention().bucket("held").key("a").retention(retention).send().await.unwrap();
    let delete = || s3.delete_object().bucket("held").key("a").version_id(&version);
    assert_eq!(refusal(delete().send().await), refused(403, "AccessDenied"));
    let batch = Delete::builder()
        .objects(ObjectIdentifier::builder().key("a").version_id(&version).build().unwrap())
        .build()
        .unwrap();
    let answer = s3.delete_objects().bucket("held").delete(batch).send().await.unwrap();
    assert_eq!(answer.errors()[0].code(), Some("AccessDenied"));
    delete().bypass_governance_retention(true).send().await.unwrap();
}

#[tokio::test]
async fn conditional_puts_hold() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "conditional").await;
    let put = || {
        s3.put_object().bucket("conditional").key("k").if_none_match("*").body(ByteStream::from_static(b"1"))
    };
    put().send().await.unwrap();
    assert_eq!(refusal(put().send().await), refused(412, "PreconditionFailed"));
    let got = s3.get_object().bucket("conditional").key("k").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().into_bytes(), "1");
}

#[tokio::test]
async fn objects_are_copied_between_buckets() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "copy-from").await;
    bucket(&sandbox, "copy-to").await;
    put(&s3, "copy-from", "a b", "body").await;
    s3.copy_object().bucket("copy-to").key("c").copy_source("copy-from/a%20b").send().await.unwrap();
    let got = s3.get_object().bucket("copy-to").key("c").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().into_bytes(), "body");
}

#[tokio::test]
async fn a_put_under_a_key_that_is_missing_or_off_fails() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "sealed").await;
    let kms = kms(&sandbox, "us-east-1");
    let arn = kms.create_key().send().await.unwrap().key_metadata().unwrap().arn().unwrap().to_owned();
    let put = |key: &str| {
        let put = s3.put_object().bucket("sealed").key("k").body(ByteStream::from_static(b"1"));
        put.server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(key).send()
    };
    let answer = put(&arn).await.unwrap();
    assert_eq!(answer.ssekms_key_id(), Some(arn.as_str()));
    let missing = arn.rsplit_once('/').unwrap().0.to_owned() + "/none";
    assert_eq!(refusal(put(&missing).await), refused(400, "KMS.NotFoundException"));
    kms.disable_key().key_id(&arn).send().await.unwrap();
    assert_eq!(refusal(put(&arn).await), refused(400, "KMS.DisabledException"));
}

#[tokio::test]
async fn keys_in_any_script_are_listed_and_deleted() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "scripts").await;
    for key in ["a&b <c>", "ü/漢字 🗝"] {
        put(&s3, "scripts", key, "x").await;
    }
    let listed = s3.list_objects_v2().bucket("scripts").send().await.unwrap();
    let keys: Vec<_> = listed.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(keys, ["a&b <c>", "ü/漢字 🗝"]);
    let prefixed = s3.list_objects_v2().bucket("scripts").prefix("ü/").send().await.unwrap();
    assert_eq!(prefixed.contents().len(), 1);
    let all = all_versions(&s3, "scripts").await;
    assert_eq!(all.iter().map(ObjectIdentifier::key).collect::<Vec<_>>(), keys);
    let batch = Delete::builder().set_objects(Some(all)).build().unwrap();
    s3.delete_objects().bucket("scripts").delete(batch).send().await.unwrap();
    s3.delete_bucket().bucket("scripts").send().await.unwrap();
}

#[tokio::test]
async fn more_than_a_thousand_versions_come_in_pages() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "crowded").await;
    for n in 0..1005 {
        put(&s3, "crowded", &format!("k{n:04}"), "x").await;
    }
    let page = s3.list_object_versions().bucket("crowded").send().await.unwrap();
    assert_eq!((page.versions().len(), page.is_truncated()), (1000, Some(true)));
    let rest =
        s3.list_object_versions().bucket("crowded").set_key_marker(page.next_key_marker().map(str::to_owned));
    let rest =
        rest.set_version_id_marker(page.next_version_id_marker().map(str::to_owned)).send().await.unwrap();
    assert_eq!((rest.versions().len(), rest.is_truncated()), (5, Some(false)));
}

#[tokio::test]
async fn a_default_retention_holds_new_versions() {
    let sandbox = sandbox().await;
    let s3 = s3(&sandbox, "us-east-1");
    s3.create_bucket().bucket("retained").object_lock_enabled_for_bucket(true).send().await.unwrap();
    let default = DefaultRetention::builder().mode(ObjectLockRetentionMode::Compliance).days(1).build();
    let lock = ObjectLockConfiguration::builder()
        .object_lock_enabled(ObjectLockEnabled::Enabled)
        .rule(ObjectLockRule::builder().default_retention(default).build())
        .build();
    s3.put_object_lock_configuration()
        .bucket("retained")
        .object_lock_configuration(lock)
        .send()
        .await
        .unwrap();
    put(&s3, "retained", "a", "x").await;
    let version = all_versions(&s3, "retained").await[0].version_id().unwrap().to_owned();
    let delete =
        s3.delete_object().bucket("retained").key("a").version_id(version).bypass_governance_retention(true);
    assert_eq!(refusal(delete.send().await), refused(403, "AccessDenied"));
}

#[tokio::test]
async fn an_objects_headers_tell_how_it_is_encrypted() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "told").await;
    let key = kms(&sandbox, "us-east-1").create_key().send().await.unwrap();
    let arn = key.key_metadata().unwrap().arn().unwrap().to_owned();
    put(&s3, "told", "before", "x").await;
    let by_default = aws_sdk_s3::types::ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::AwsKms)
        .kms_master_key_id(&arn)
        .build()
        .unwrap();
    let rule = aws_sdk_s3::types::ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(by_default)
        .bucket_key_enabled(true)
        .build();
    let encryption =
        aws_sdk_s3::types::ServerSideEncryptionConfiguration::builder().rules(rule).build().unwrap();
    s3.put_bucket_encryption()
        .bucket("told")
        .server_side_encryption_configuration(encryption)
        .send()
        .await
        .unwrap();
    put(&s3, "told", "after", "x").await;
    let head = s3.head_object().bucket("told").key("after").send().await.unwrap();
    assert_eq!(head.server_side_encryption(), Some(&ServerSideEncryption::AwsKms));
    assert_eq!(head.ssekms_key_id(), Some(arn.as_str()));
    assert_eq!(head.bucket_key_enabled(), Some(true));
    assert_eq!(head.metadata().map(std::collections::HashMap::len).unwrap_or_default(), 0);
    // What was there keeps its own.
    let got = s3.get_object().bucket("told").key("before").send().await.unwrap();
    assert_eq!(got.server_side_encryption(), Some(&ServerSideEncryption::Aes256));
    assert_eq!((got.ssekms_key_id(), got.bucket_key_enabled()), (None, None));
    assert_eq!(got.metadata().map(std::collections::HashMap::len).unwrap_or_default(), 0);
}
