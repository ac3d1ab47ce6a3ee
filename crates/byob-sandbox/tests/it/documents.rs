use aws_sdk_s3::primitives::Blob;
use aws_sdk_s3::types::{
    AbacStatus, AbortIncompleteMultipartUpload, BlockedEncryptionTypes, BucketAbacStatus, BucketCannedAcl,
    BucketLifecycleConfiguration, BucketLoggingStatus, BucketVersioningStatus, CorsConfiguration, CorsRule,
    EncryptionType, ExpirationStatus, LifecycleRule, LifecycleRuleFilter, LoggingEnabled, ObjectCannedAcl,
    ObjectLockConfiguration, ObjectLockEnabled, ObjectOwnership, OwnershipControls, OwnershipControlsRule,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging,
    TransitionDefaultMinimumObjectSize, VersioningConfiguration,
};

use super::{bucket, refusal, refused, s3, sandbox};

fn sse(
    algorithm: ServerSideEncryption,
    key: Option<&str>,
    blocked: Option<Vec<EncryptionType>>,
) -> ServerSideEncryptionConfiguration {
    let by_default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(algorithm)
        .set_kms_master_key_id(key.map(str::to_owned))
        .build()
        .unwrap();
    let blocked =
        blocked.map(|kinds| BlockedEncryptionTypes::builder().set_encryption_type(Some(kinds)).build());
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(by_default)
        .bucket_key_enabled(key.is_some())
        .set_blocked_encryption_types(blocked)
        .build();
    ServerSideEncryptionConfiguration::builder().rules(rule).build().unwrap()
}

async fn encryption(s3: &aws_sdk_s3::Client, bucket: &str) -> ServerSideEncryptionRule {
    let answer = s3.get_bucket_encryption().bucket(bucket).send().await.unwrap();
    answer.server_side_encryption_configuration().unwrap().rules()[0].clone()
}

fn blocked(rule: &ServerSideEncryptionRule) -> &[EncryptionType] {
    rule.blocked_encryption_types().unwrap().encryption_type()
}

#[tokio::test]
async fn a_fresh_bucket_is_encrypted_with_sse_s3_and_blocks_sse_c() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "fresh").await;
    let rule = encryption(&s3, "fresh").await;
    let by_default = rule.apply_server_side_encryption_by_default().unwrap();
    assert_eq!(by_default.sse_algorithm(), &ServerSideEncryption::Aes256);
    assert_eq!(rule.bucket_key_enabled(), Some(false));
    assert_eq!(blocked(&rule), [EncryptionType::SseC]);
}

#[tokio::test]
async fn blocked_encryption_types_stay_where_a_put_leaves_them_out() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "blocking").await;
    let put = |configuration| {
        s3.put_bucket_encryption()
            .bucket("blocking")
            .server_side_encryption_configuration(configuration)
            .send()
    };
    put(sse(ServerSideEncryption::Aes256, None, Some(vec![EncryptionType::None]))).await.unwrap();
    put(sse(ServerSideEncryption::AwsKms, Some("arn:aws:kms:us-east-1:123456789012:key/k"), None))
        .await
        .unwrap();
    let rule = encryption(&s3, "blocking").await;
    assert_eq!(blocked(&rule), [EncryptionType::None]);
    assert_eq!(rule.bucket_key_enabled(), Some(true));
    let empty = put(sse(ServerSideEncryption::Aes256, None, Some(vec![]))).await;
    assert_eq!(refusal(empty), refused(400, "MalformedXML"));
    s3.delete_bucket_encryption().bucket("blocking").send().await.unwrap();
    let rule = encryption(&s3, "blocking").await;
    let by_default = rule.apply_server_side_encryption_by_default().unwrap();
    assert_eq!(by_default.sse_algorithm(), &ServerSideEncryption::Aes256);
    assert_eq!(rule.bucket_key_enabled(), Some(false));
}

#[tokio::test]
async fn a_key_of_another_region_is_refused() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "near").await;
    let far = sse(ServerSideEncryption::AwsKms, Some("arn:aws:kms:eu-west-1:123456789012:key/k"), None);
    let put = s3.put_bucket_encryption().bucket("near").server_side_encryption_configuration(far);
    assert_eq!(refusal(put.send().await), refused(400, "InvalidArgument"));
}

#[tokio::test]
async fn a_fresh_bucket_blocks_all_public_access_until_that_is_deleted() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "closed").await;
    let get = || s3.get_public_access_block().bucket("closed").send();
    let block = get().await.unwrap().public_access_block_configuration().unwrap().clone();
    let all = PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(true)
        .build();
    assert_eq!(block, all);
    s3.delete_public_access_block().bucket("closed").send().await.unwrap();
    assert_eq!(refusal(get().await), refused(404, "NoSuchPublicAccessBlockConfiguration"));
}

fn controls(ownership: ObjectOwnership) -> OwnershipControls {
    let rule = OwnershipControlsRule::builder().object_ownership(ownership).build().unwrap();
    OwnershipControls::builder().rules(rule).build().unwrap()
}

#[tokio::test]
async fn ownership_is_enforced_until_deleted_and_not_while_an_acl_grants_others() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "owner").await;
    let get = || s3.get_bucket_ownership_controls().bucket("owner").send();
    let put = |o| s3.put_bucket_ownership_controls().bucket("owner").ownership_controls(controls(o)).send();
    let acl = |acl| s3.put_bucket_acl().bucket("owner").acl(acl).send();
    let rules = get().await.unwrap().ownership_controls().unwrap().rules().to_vec();
    assert_eq!(rules[0].object_ownership(), &ObjectOwnership::BucketOwnerEnforced);
    assert_eq!(refusal(acl(BucketCannedAcl::Private).await), refused(400, "AccessControlListNotSupported"));
    put(ObjectOwnership::ObjectWriter).await.unwrap();
    assert_eq!(refusal(acl(BucketCannedAcl::PublicRead).await), refused(403, "AccessDenied"));
    s3.delete_public_access_block().bucket("owner").send().await.unwrap();
    acl(BucketCannedAcl::PublicRead).await.unwrap();
    assert_eq!(s3.get_bucket_acl().bucket("owner").send().await.unwrap().grants().len(), 2);
    let result = put(ObjectOwnership::BucketOwnerEnforced).await;
    assert_eq!(refusal(result), refused(400, "InvalidBucketAclWithObjectOwnership"));
    acl(BucketCannedAcl::Private).await.unwrap();
    put(ObjectOwnership::BucketOwnerEnforced).await.unwrap();
    s3.delete_bucket_ownership_controls().bucket("owner").send().await.unwrap();
    assert_eq!(refusal(get().await), refused(404, "OwnershipControlsNotFoundError"));
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

#[tokio::test]
async fn tags_are_limited_unique_and_keep_the_systems_own() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "tagged").await;
    let put = |tags: Vec<Tag>| {
        let tagging = Tagging::builder().set_tag_set(Some(tags)).build().unwrap();
        s3.put_bucket_tagging().bucket("tagged").tagging(tagging).send()
    };
    let get = || s3.get_bucket_tagging().bucket("tagged").send();
    assert_eq!(refusal(get().await), refused(404, "NoSuchTagSet"));
    put(vec![tag("empty", "")]).await.unwrap();
    assert_eq!(get().await.unwrap().tag_set(), [tag("empty", "")]);
    assert_eq!(refusal(put(vec![tag("a", "1"), tag("a", "2")]).await), refused(400, "InvalidTag"));
    assert_eq!(refusal(put(vec![tag("aws:x", "1")]).await), refused(400, "InvalidTag"));
    let many = (0..51).map(|n| tag(&format!("k{n}"), "v")).collect();
    assert_eq!(refusal(put(many).await), refused(400, "BadRequest"));
    sandbox.add_system_tag("tagged", "aws:cloudformation:stack-name", "s").await.unwrap();
    assert_eq!(refusal(put(vec![tag("a", "1")]).await), refused(400, "InvalidTag"));
    let system = tag("aws:cloudformation:stack-name", "s");
    put(vec![tag("a", "1"), system.clone()]).await.unwrap();
    s3.delete_bucket_tagging().bucket("tagged").send().await.unwrap();
    assert_eq!(get().await.unwrap().tag_set(), [system]);
}

fn status(status: BucketVersioningStatus) -> VersioningConfiguration {
    VersioningConfiguration::builder().status(status).build()
}

#[tokio::test]
async fn versioning_cannot_be_unset_nor_suspended_under_object_lock() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "versions").await;
    let put = |configuration| {
        s3.put_bucket_versioning().bucket("versions").versioning_configuration(configuration).send()
    };
    let lock =
        |lock| s3.put_object_lock_configuration().bucket("versions").object_lock_configuration(lock).send();
    let on = ObjectLockConfiguration::builder().object_lock_enabled(ObjectLockEnabled::Enabled).build();
    let get = || s3.get_object_lock_configuration().bucket("versions").send();
    assert_eq!(s3.get_bucket_versioning().bucket("versions").send().await.unwrap().status(), None);
    assert_eq!(refusal(get().await), refused(404, "ObjectLockConfigurationNotFoundError"));
    let empty = VersioningConfiguration::builder().build();
    assert_eq!(refusal(put(empty).await), refused(400, "MalformedXML"));
    assert_eq!(refusal(lock(on.clone()).await), refused(409, "InvalidBucketState"));
    put(status(BucketVersioningStatus::Suspended)).await.unwrap();
    put(status(BucketVersioningStatus::Enabled)).await.unwrap();
    lock(on).await.unwrap();
    let suspend = put(status(BucketVersioningStatus::Suspended)).await;
    assert_eq!(refusal(suspend), refused(409, "InvalidBucketState"));
    let off = ObjectLockConfiguration::builder().build();
    assert_eq!(refusal(lock(off).await), refused(400, "MalformedXML"));
    assert!(get().await.unwrap().object_lock_configuration().is_some());
}

#[tokio::test]
async fn object_lock_at_creation_turns_versioning_on() {
    let sandbox = sandbox().await;
    let s3 = s3(&sandbox, "us-east-1");
    s3.create_bucket().bucket("locked").object_lock_enabled_for_bucket(true).send().await.unwrap();
    let versioning = s3.get_bucket_versioning().bucket("locked").send().await.unwrap();
    assert_eq!(versioning.status(), Some(&BucketVersioningStatus::Enabled));
}

fn rule(id: &str, filter: LifecycleRuleFilter) -> LifecycleRule {
    LifecycleRule::builder()
        .id(id)
        .status(ExpirationStatus::Enabled)
        .filter(filter)
        .abort_incomplete_multipart_upload(
            AbortIncompleteMultipartUpload::builder().days_after_initiation(7).build(),
        )
        .build()
        .unwrap()
}

#[tokio::test]
async fn lifecycle_refuses_aborts_by_tag_and_returns_the_transition_minimum() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "life").await;
    let put = |rules: Vec<LifecycleRule>| {
        let configuration = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().unwrap();
        s3.put_bucket_lifecycle_configuration().bucket("life").lifecycle_configuration(configuration).send()
    };
    let get = || s3.get_bucket_lifecycle_configuration().bucket("life").send();
    let plain = || LifecycleRuleFilter::builder().prefix("").build();
    let tagged = LifecycleRuleFilter::builder().tag(tag("a", "b")).build();
    assert_eq!(refusal(get().await), refused(404, "NoSuchLifecycleConfiguration"));
    assert_eq!(refusal(put(vec![rule("t", tagged)]).await), refused(400, "InvalidRequest"));
    let same = put(vec![rule("a", plain()), rule("a", plain())]).await;
    assert_eq!(refusal(same), refused(400, "InvalidArgument"));
    assert_eq!(refusal(put(vec![]).await), refused(400, "MalformedXML"));
    put(vec![rule("a", plain())]).await.unwrap();
    let answer = get().await.unwrap();
    assert_eq!(answer.rules(), [rule("a", plain())]);
    let minimum = TransitionDefaultMinimumObjectSize::AllStorageClasses128K;
    assert_eq!(answer.transition_default_minimum_object_size(), Some(&minimum));
    s3.delete_bucket_lifecycle().bucket("life").send().await.unwrap();
    assert_eq!(refusal(get().await), refused(404, "NoSuchLifecycleConfiguration"));
}

#[tokio::test]
async fn cors_has_a_hundred_rules_at_most_and_known_methods_only() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "cors").await;
    let rule = |method: &str| {
        CorsRule::builder()
            .allowed_origins("*")
            .allowed_methods(method)
            .max_age_seconds(3000)
            .build()
            .unwrap()
    };
    let put = |rules: Vec<CorsRule>| {
        let configuration = CorsConfiguration::builder().set_cors_rules(Some(rules)).build().unwrap();
        s3.put_bucket_cors().bucket("cors").cors_configuration(configuration).send()
    };
    let get = || s3.get_bucket_cors().bucket("cors").send();
    assert_eq!(refusal(get().await), refused(404, "NoSuchCORSConfiguration"));
    assert_eq!(refusal(put(vec![rule("GET"); 101]).await), refused(400, "InvalidRequest"));
    assert_eq!(refusal(put(vec![rule("PATCH")]).await), refused(400, "InvalidRequest"));
    put(vec![rule("GET"); 100]).await.unwrap();
    put(vec![rule("GET")]).await.unwrap();
    assert_eq!(get().await.unwrap().cors_rules(), [rule("GET")]);
    s3.delete_bucket_cors().bucket("cors").send().await.unwrap();
    assert_eq!(refusal(get().await), refused(404, "NoSuchCORSConfiguration"));
}

#[tokio::test]
async fn logging_needs_a_target_of_ones_own_in_the_region() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "logged").await;
    let put = |target: &str| {
        let enabled = LoggingEnabled::builder().target_bucket(target).target_prefix("p/").build().unwrap();
        let status = BucketLoggingStatus::builder().logging_enabled(enabled).build();
        s3.put_bucket_logging().bucket("logged").bucket_logging_status(status).send()
    };
    let get = || async {
        s3.get_bucket_logging().bucket("logged").send().await.unwrap().logging_enabled().cloned()
    };
    assert_eq!(get().await, None);
    assert_eq!(refusal(put("nowhere").await), refused(400, "InvalidTargetBucketForLogging"));
    put("logged").await.unwrap();
    assert_eq!(get().await.unwrap().target_prefix(), "p/");
    let off = BucketLoggingStatus::builder().build();
    s3.put_bucket_logging().bucket("logged").bucket_logging_status(off).send().await.unwrap();
    assert_eq!(get().await, None);
}

#[tokio::test]
async fn a_put_with_sse_c_is_refused_while_blocked() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "no-sse-c").await;
    let key = aws_smithy_types::base64::encode([7; 32]);
    let put = s3
        .put_object()
        .bucket("no-sse-c")
        .key("k")
        .acl(ObjectCannedAcl::Private)
        .sse_customer_algorithm("AES256")
        .sse_customer_key(key)
        .sse_customer_key_md5(aws_smithy_types::base64::encode(Blob::new([0; 16]).as_ref()));
    assert_eq!(refusal(put.send().await), refused(403, "AccessDenied"));
}

#[tokio::test]
async fn under_abac_bucket_tags_are_refused() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "abac").await;
    let get = || async {
        s3.get_bucket_abac().bucket("abac").send().await.unwrap().abac_status().cloned().unwrap()
    };
    assert_eq!(get().await.status(), Some(&BucketAbacStatus::Disabled));
    let on = AbacStatus::builder().status(BucketAbacStatus::Enabled).build();
    s3.put_bucket_abac().bucket("abac").abac_status(on.clone()).send().await.unwrap();
    assert_eq!(get().await, on);
    let tagging = Tagging::builder().tag_set(tag("a", "b")).build().unwrap();
    let put = s3.put_bucket_tagging().bucket("abac").tagging(tagging).send().await;
    assert_eq!(refusal(put), refused(400, "InvalidRequest"));
}
