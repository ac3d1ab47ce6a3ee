use aws_sdk_s3::Client;
use byob_sandbox::{Options, Sandbox, Seed};
use serde_json::{Value, json};

use super::{ACCOUNT, bucket, options, refusal, refused, sandbox};

fn policy(principal: &Value, action: &str, resource: &str) -> String {
    let statement =
        json!({"Effect": "Allow", "Principal": principal, "Action": [action], "Resource": [resource]});
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

async fn put(s3: &Client, policy: &str) -> Result<(), (u16, String)> {
    match s3.put_bucket_policy().bucket("policy").policy(policy).send().await {
        Ok(_) => Ok(()),
        refused => Err(refusal(refused)),
    }
}

const MALFORMED: &str = "MalformedPolicy";
const OBJECTS: &str = "arn:aws:s3:::policy/*";

#[tokio::test]
async fn what_is_no_policy_for_this_bucket_is_malformed() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "policy").await;
    let someone = json!({"AWS": "111122223333"});
    let padding = "x".repeat(21 * 1024);
    let no_principal = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": OBJECTS}]});
    let same_sid = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "a", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": OBJECTS},
        {"Sid": "a", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": OBJECTS}]});
    for broken in [
        "{".to_owned(),
        "[]".to_owned(),
        policy(&someone, "s3:GetObject", "arn:aws:s3:::other/*"),
        policy(&someone, "s3:GetObject", "arn:aws-cn:s3:::policy/*"),
        policy(&someone, "s3:GetObject", "*"),
        policy(&someone, "s3:GetObject", "arn:aws:s3:::policy"),
        policy(&someone, "s3:ListBucket", OBJECTS),
        policy(&someone, "kms:Decrypt", OBJECTS),
        policy(&json!({"AWS": "nobody"}), "s3:GetObject", OBJECTS),
        policy(&someone, "s3:GetObject", OBJECTS).replace("2012-10-17", "2012-10-18"),
        policy(&someone, "s3:GetObject", &format!("{OBJECTS}{padding}")),
        no_principal.to_string(),
        same_sid.to_string(),
    ] {
        assert_eq!(
            put(&s3, &broken).await,
            Err(refused(400, MALFORMED)),
            "{}",
            &broken[..broken.len().min(300)]
        );
    }
    let missing = s3.get_bucket_policy().bucket("policy").send().await;
    assert_eq!(refusal(missing), refused(404, "NoSuchBucketPolicy"));
}

#[tokio::test]
async fn principals_of_the_own_account_must_exist() {
    let role = "arn:aws:iam::123456789012:role/path/reader";
    let seed = Seed { roles: vec![role.into()], ..Seed::default() };
    let sandbox = Sandbox::open(Options { seed, ..options(None) }).await.unwrap();
    let s3 = bucket(&sandbox, "policy").await;
    let grant = |who: &str| policy(&json!({"AWS": who}), "s3:GetObject", OBJECTS);
    put(&s3, &grant(role)).await.unwrap();
    put(&s3, &grant(&format!("arn:aws:iam::{ACCOUNT}:root"))).await.unwrap();
    put(&s3, &grant("arn:aws:iam::111122223333:role/whoever")).await.unwrap();
    for nobody in ["role/reader", "role/nobody", "user/nobody"] {
        let result = put(&s3, &grant(&format!("arn:aws:iam::{ACCOUNT}:{nobody}"))).await;
        assert_eq!(result, Err(refused(400, MALFORMED)), "{nobody}");
    }
}

#[tokio::test]
async fn a_deleted_role_becomes_its_unique_id() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "policy").await;
    let iam = super::iam(&sandbox, "us-east-1");
    let made =
        iam.create_role().role_name("gone").assume_role_policy_document(super::TRUST).send().await.unwrap();
    let (arn, id) = (made.role().unwrap().arn().to_owned(), made.role().unwrap().role_id().to_owned());
    put(&s3, &policy(&json!({"AWS": arn}), "s3:GetObject", OBJECTS)).await.unwrap();
    iam.delete_role().role_name("gone").send().await.unwrap();
    let got = s3.get_bucket_policy().bucket("policy").send().await.unwrap();
    let got: Value = serde_json::from_str(got.policy().unwrap()).unwrap();
    assert_eq!(got["Statement"][0]["Principal"]["AWS"], id);
    let again = put(&s3, &got.to_string()).await;
    assert_eq!(again, Err(refused(400, MALFORMED)));
}

#[tokio::test]
async fn a_stored_policy_comes_back_rewritten() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "policy").await;
    put(&s3, &policy(&json!({"AWS": ["111122223333"]}), "s3:GetObject", OBJECTS)).await.unwrap();
    let got = s3.get_bucket_policy().bucket("policy").send().await.unwrap();
    let got: Value = serde_json::from_str(got.policy().unwrap()).unwrap();
    let statement = &got["Statement"][0];
    assert_eq!(statement["Principal"]["AWS"], "arn:aws:iam::111122223333:root");
    assert_eq!(statement["Action"], "s3:GetObject");
    assert_eq!(statement["Resource"], OBJECTS);
    s3.delete_bucket_policy().bucket("policy").send().await.unwrap();
    s3.delete_bucket_policy().bucket("policy").send().await.unwrap();
}

#[tokio::test]
async fn a_public_policy_needs_the_block_off_and_is_called_public() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "policy").await;
    let public = policy(&json!("*"), "s3:GetObject", OBJECTS);
    let status = || async {
        let answer = s3.get_bucket_policy_status().bucket("policy").send().await?;
        Ok::<_, aws_sdk_s3::Error>(
            answer.policy_status().and_then(aws_sdk_s3::types::PolicyStatus::is_public),
        )
    };
    assert!(status().await.is_err());
    assert_eq!(put(&s3, &public).await, Err(refused(403, "AccessDenied")));
    put(&s3, &policy(&json!({"AWS": "111122223333"}), "s3:GetObject", OBJECTS)).await.unwrap();
    assert_eq!(status().await.unwrap(), Some(false));
    s3.delete_public_access_block().bucket("policy").send().await.unwrap();
    put(&s3, &public).await.unwrap();
    assert_eq!(status().await.unwrap(), Some(true));
}
