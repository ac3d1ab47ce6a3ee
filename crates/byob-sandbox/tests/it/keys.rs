use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeyState, Tag};
use byob_sandbox::{Options, Sandbox, Seed};
use serde_json::{Value, json};

use super::{ACCOUNT, kms, options, refusal, refused, sandbox};

const INVALID_STATE: &str = "KMSInvalidStateException";

fn key_policy(principal: &str, action: &str) -> String {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, "Resource": "*"}]})
    .to_string()
}

async fn key(kms: &Client) -> String {
    kms.create_key().send().await.unwrap().key_metadata().unwrap().arn().unwrap().to_owned()
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().tag_key(key).tag_value(value).build().unwrap()
}

#[tokio::test]
async fn a_key_is_made_with_the_policy_tags_and_description_given() {
    let sandbox = sandbox().await;
    let kms = kms(&sandbox, "eu-west-1");
    let create = kms.create_key().policy(key_policy(ACCOUNT, "kms:*")).tags(tag("a", "")).description("d");
    let made = create.send().await.unwrap().key_metadata().unwrap().clone();
    let arn = made.arn().unwrap();
    assert_eq!(arn, format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/{}", made.key_id()));
    assert_eq!(made.description(), Some("d"));
    let policy = kms.get_key_policy().key_id(arn).send().await.unwrap();
    let policy: Value = serde_json::from_str(policy.policy().unwrap()).unwrap();
    assert_eq!(policy["Statement"][0]["Principal"]["AWS"], format!("arn:aws:iam::{ACCOUNT}:root"));
    assert_eq!(kms.list_resource_tags().key_id(arn).send().await.unwrap().tags(), [tag("a", "")]);
}

#[tokio::test]
async fn a_policy_that_locks_its_caller_out_is_refused() {
    let sandbox = sandbox().await;
    let kms = kms(&sandbox, "us-east-1");
    let arn = key(&kms).await;
    let put = |policy: String| kms.put_key_policy().key_id(&arn).policy(policy).send();
    let malformed = refused(400, "MalformedPolicyDocumentException");
    let other = "arn:aws:iam::111122223333:root";
    assert_eq!(refusal(put(key_policy(other, "kms:*")).await), malformed);
    assert_eq!(refusal(put(key_policy(ACCOUNT, "kms:Decrypt")).await), malformed);
    assert_eq!(refusal(put(key_policy("arn:aws:iam::123456789012:role/nobody", "kms:*")).await), malformed);
    assert_eq!(refusal(put("{".to_owned()).await), malformed);
    let create = kms.create_key().policy(key_policy(other, "kms:*")).send().await;
    assert_eq!(refusal(create), malformed);
    put(key_policy(ACCOUNT, "kms:Put*")).await.unwrap();
}

#[tokio::test]
async fn rotation_keeps_its_period() {
    let sandbox = sandbox().await;
    let kms = kms(&sandbox, "us-east-1");
    let arn = key(&kms).await;
    let status = || async {
        let status = kms.get_key_rotation_status().key_id(&arn).send().await.unwrap();
        (status.key_rotation_enabled(), status.rotation_period_in_days())
    };
    assert_eq!(status().await, (false, None));
    kms.enable_key_rotation().key_id(&arn).send().await.unwrap();
    assert_eq!(status().await, (true, Some(365)));
    kms.enable_key_rotation().key_id(&arn).rotation_period_in_days(90).send().await.unwrap();
    assert_eq!(status().await, (true, Some(90)));
    let short = kms.enable_key_rotation().key_id(&arn).rotation_period_in_days(89).send().await;
    assert_eq!(refusal(short), refused(400, "ValidationException"));
    kms.disable_key_rotation().key_id(&arn).send().await.unwrap();
    assert_eq!(status().await, (false, None));
}

#[tokio::test]
async fn a_key_pending_deletion_refuses_most_writes() {
    let sandbox = sandbox().await;
    let kms = kms(&sandbox, "us-east-1");
    let arn = key(&kms).await;
    kms.create_alias().alias_name("alias/old").target_key_id(&arn).send().await.unwrap();
    for days in [6, 31] {
        let result = kms.schedule_key_deletion().key_id(&arn).pending_window_in_days(days).send().await;
        assert_eq!(refusal(result), refused(400, "ValidationException"));
    }
    kms.schedule_key_deletion().key_id(&arn).pending_window_in_days(7).send().await.unwrap();
    let invalid = refused(400, INVALID_STATE);
    assert_eq!(refusal(kms.schedule_key_deletion().key_id(&arn).send().await), invalid);
    assert_eq!(refusal(kms.create_alias().alias_name("alias/new").target_key_id(&arn).send().await), invalid);
    assert_eq!(refusal(kms.tag_resource().key_id(&arn).tags(tag("a", "b")).send().await), invalid);
    assert_eq!(refusal(kms.enable_key().key_id(&arn).send().await), invalid);
    assert_eq!(refusal(kms.enable_key_rotation().key_id(&arn).send().await), invalid);
    kms.put_key_policy().key_id(&arn).policy(key_policy(ACCOUNT, "kms:*")).send().await.unwrap();
    let described = kms.describe_key().key_id("alias/old").send().await.unwrap();
    let metadata = described.key_metadata().unwrap();
    assert_eq!(metadata.key_state(), Some(&KeyState::PendingDeletion));
    assert!(metadata.deletion_date().is_some());
    kms.delete_alias().alias_name("alias/old").send().await.unwrap();
    kms.cancel_key_deletion().key_id(&arn).send().await.unwrap();
    let described = kms.describe_key().key_id(&arn).send().await.unwrap();
    assert_eq!(described.key_metadata().unwrap().key_state(), Some(&KeyState::Disabled));
    assert_eq!(refusal(kms.cancel_key_deletion().key_id(&arn).send().await), invalid);
}

#[tokio::test]
async fn a_disabled_key_cannot_be_rotated_or_used() {
    let sandbox = sandbox().await;
    let kms = kms(&sandbox, "us-east-1");
    let arn = key(&kms).await;
    let sealed = kms.encrypt().key_id(&arn).plaintext(Blob::new("secret")).send().await.unwrap();
    let sealed = sealed.ciphertext_blob().unwrap().clone();
    kms.disable_key().key_id(&arn).send().await.unwrap();
    let disabled = refused(400, "DisabledException");
    assert_eq!(refusal(kms.enable_key_rotation().key_id(&arn).send().await), disabled);
    assert_eq!(refusal(kms.decrypt().ciphertext_blob(sealed.clone()).send().await), disabled);
    kms.enable_key().key_id(&arn).send().await.unwrap();
    let opened = kms.decrypt().ciphertext_blob(sealed).send().await.unwrap();
    assert_eq!(opened.plaintext().unwrap().as_ref(), b"secret");
    assert_eq!(opened.key_id(), Some(arn.as_str()));
}

#[tokio::test]
async fn aliases_are_unique_and_none_is_listed_that_nobody_made() {
    let sandbox = sandbox().await;
    let kms = kms(&sandbox, "us-east-1");
    let (one, two) = (key(&kms).await, key(&kms).await);
    assert!(kms.list_aliases().send().await.unwrap().aliases().is_empty());
    let create = |name: &str, key: &str| kms.create_alias().alias_name(name).target_key_id(key).send();
    create("alias/a", &one).await.unwrap();
    assert_eq!(refusal(create("alias/a", &two).await), refused(400, "AlreadyExistsException"));
    assert_eq!(refusal(create("alias/aws/s3", &two).await), refused(400, "NotAuthorizedException"));
    assert_eq!(refusal(create("a", &two).await), refused(400, "InvalidAliasNameException"));
    kms.update_alias().alias_name("alias/a").target_key_id(&two).send().await.unwrap();
    let of = |key: String| async { kms.list_aliases().key_id(key).send().await.unwrap().aliases().len() };
    assert_eq!((of(one).await, of(two).await), (0, 1));
    kms.delete_alias().alias_name("alias/a").send().await.unwrap();
    assert_eq!(refusal(kms.describe_key().key_id("alias/a").send().await), refused(400, "NotFoundException"));
}

#[tokio::test]
async fn keys_live_in_their_region() {
    let sandbox = sandbox().await;
    let arn = key(&kms(&sandbox, "us-east-1")).await;
    let elsewhere = kms(&sandbox, "eu-west-1");
    assert_eq!(
        refusal(elsewhere.describe_key().key_id(&arn).send().await),
        refused(400, "NotFoundException")
    );
    let id = arn.rsplit('/').next().unwrap();
    assert_eq!(refusal(elsewhere.describe_key().key_id(id).send().await), refused(400, "NotFoundException"));
    assert!(elsewhere.list_keys().send().await.unwrap().keys().is_empty());
}

#[tokio::test]
async fn a_key_of_another_account_can_be_described_and_not_written() {
    let theirs = "arn:aws:kms:us-east-1:999988887777:key/11111111-2222-3333-4444-555555555555";
    let ours = "arn:aws:kms:us-east-1:123456789012:key/99999999-2222-3333-4444-555555555555";
    let seed = Seed { foreign_keys: vec![theirs.into(), ours.into()], ..Seed::default() };
    let sandbox = Sandbox::open(Options { seed, ..options(None) }).await.unwrap();
    let kms = kms(&sandbox, "us-east-1");
    let described = kms.describe_key().key_id(theirs).send().await.unwrap();
    assert_eq!(described.key_metadata().unwrap().arn(), Some(theirs));
    assert_eq!(described.key_metadata().unwrap().aws_account_id(), Some("999988887777"));
    let denied = refused(400, "AccessDeniedException");
    let put = kms.put_key_policy().key_id(theirs).policy(key_policy(ACCOUNT, "kms:*")).send().await;
    assert_eq!(refusal(put), denied);
    assert_eq!(refusal(kms.disable_key().key_id(theirs).send().await), denied);
    kms.disable_key().key_id(ours).send().await.unwrap();
    let listed = kms.list_keys().send().await.unwrap();
    assert_eq!(listed.keys().iter().filter_map(|key| key.key_arn()).collect::<Vec<_>>(), [ours]);
}

#[tokio::test]
async fn grants_are_listed_until_revoked() {
    let sandbox = sandbox().await;
    let kms = kms(&sandbox, "us-east-1");
    let arn = key(&kms).await;
    let grant = kms
        .create_grant()
        .key_id(&arn)
        .grantee_principal("arn:aws:iam::111122223333:root")
        .operations(aws_sdk_kms::types::GrantOperation::Decrypt)
        .send()
        .await
        .unwrap();
    let count = || async { kms.list_grants().key_id(&arn).send().await.unwrap().grants().len() };
    assert_eq!(count().await, 1);
    kms.revoke_grant().key_id(&arn).grant_id(grant.grant_id().unwrap()).send().await.unwrap();
    assert_eq!(count().await, 0);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let sandbox = sandbox().await;
    let kms = kms(&sandbox, "us-east-1");
    for n in 0..5 {
        let arn = key(&kms).await;
        kms.create_alias().alias_name(format!("alias/{n}")).target_key_id(arn).send().await.unwrap();
    }
    let pages: Vec<usize> = {
        let mut pages = Vec::new();
        let mut stream = kms.list_aliases().into_paginator().page_size(2).send();
        while let Some(page) = stream.next().await {
            pages.push(page.unwrap().aliases().len());
        }
        pages
    };
    assert_eq!(pages, [2, 2, 1]);
}
