use aws_sdk_iam::types::PolicyEvaluationDecisionType as Decision;
use byob_sandbox::{Faults, Options, Sandbox, Seed};

use super::{ACCOUNT, iam, options, refusal, refused, sandbox, sts};

#[tokio::test]
async fn the_caller_is_a_session_in_the_sandboxs_account() {
    let sandbox = sandbox().await;
    let caller = sts(&sandbox, "us-east-1").get_caller_identity().send().await.unwrap();
    assert_eq!(caller.account(), Some(ACCOUNT));
    assert_eq!(caller.arn(), Some("arn:aws:sts::123456789012:assumed-role/byob-sandbox/sandbox"));
}

#[tokio::test]
async fn the_account_is_the_options_own() {
    let account_id = "210987654321".to_owned();
    let role = format!("arn:aws:iam::{account_id}:role/mine");
    let seed = Seed { roles: vec![role.clone()], ..Seed::default() };
    let sandbox =
        Sandbox::open(Options { account_id: account_id.clone(), seed, ..options(None) }).await.unwrap();
    let caller = sts(&sandbox, "us-east-1").get_caller_identity().send().await.unwrap();
    assert_eq!(caller.account(), Some(account_id.as_str()));
    let got = iam(&sandbox, "us-east-1").get_role().role_name("mine").send().await.unwrap();
    assert_eq!(got.role().unwrap().arn(), role);
}

#[tokio::test]
async fn seeded_roles_exist_and_others_do_not() {
    let seed = Seed { roles: vec!["arn:aws:iam::123456789012:role/team/node".into()], ..Seed::default() };
    let sandbox = Sandbox::open(Options { seed, ..options(None) }).await.unwrap();
    let iam = iam(&sandbox, "us-east-1");
    let role = iam.get_role().role_name("node").send().await.unwrap().role().unwrap().clone();
    assert_eq!((role.path(), role.arn()), ("/team/", "arn:aws:iam::123456789012:role/team/node"));
    assert!(role.assume_role_policy_document().unwrap().starts_with("%7B"));
    let missing = iam.get_role().role_name("nobody").send().await;
    assert_eq!(refusal(missing), refused(404, "NoSuchEntity"));
    let broken = iam.create_role().role_name("made").assume_role_policy_document("{}").send().await;
    assert_eq!(refusal(broken), refused(400, "MalformedPolicyDocument"));
    iam.create_role().role_name("made").assume_role_policy_document(super::TRUST).send().await.unwrap();
    iam.get_role().role_name("made").send().await.unwrap();
}

#[tokio::test]
async fn a_simulation_allows_everything_but_what_is_denied() {
    let faults = Faults::parse("deny=s3:PutBucket*").unwrap();
    let sandbox = Sandbox::open(Options { faults, ..options(None) }).await.unwrap();
    let iam = iam(&sandbox, "us-east-1");
    let simulate = |source: &str| {
        iam.simulate_principal_policy()
            .policy_source_arn(source)
            .action_names("s3:CreateBucket")
            .action_names("s3:PutBucketPolicy")
            .send()
    };
    let answer = simulate("arn:aws:iam::123456789012:role/byob-sandbox").await.unwrap();
    let decisions: Vec<_> = answer
        .evaluation_results()
        .iter()
        .map(|result| (result.eval_action_name(), result.eval_decision()))
        .collect();
    assert_eq!(
        decisions,
        [("s3:CreateBucket", &Decision::Allowed), ("s3:PutBucketPolicy", &Decision::ImplicitDeny)]
    );
    let session = simulate("arn:aws:sts::123456789012:assumed-role/byob-sandbox/sandbox").await;
    assert_eq!(refusal(session), refused(400, "InvalidInput"));
    assert_eq!(refusal(simulate("arn:aws:iam::123456789012:role/x").await), refused(404, "NoSuchEntity"));
}

/// A client of S3 with the credentials of an assumed role.
async fn as_role(sandbox: &Sandbox, role: &str) -> aws_sdk_s3::Client {
    let answer = sts(sandbox, "us-east-1")
        .assume_role()
        .role_arn(role)
        .role_session_name("test")
        .send()
        .await
        .unwrap();
    let given = answer.credentials().unwrap();
    let credentials = aws_sdk_s3::config::Credentials::new(
        given.access_key_id(),
        given.secret_access_key(),
        Some(given.session_token().to_owned()),
        None,
        "test",
    );
    let config = super::s3(sandbox, "us-east-1").config().to_builder().credentials_provider(credentials);
    aws_sdk_s3::Client::from_conf(config.build())
}

#[tokio::test]
async fn an_assumed_role_may_what_the_bucket_policy_gives_it_and_no_more() {
    let role = "arn:aws:iam::123456789012:role/node";
    let seed = Seed { roles: vec![role.into()], ..Seed::default() };
    let sandbox = Sandbox::open(Options { seed, ..options(None) }).await.unwrap();
    let own = super::bucket(&sandbox, "acme").await;
    let node = as_role(&sandbox, role).await;
    let put = |s3: &aws_sdk_s3::Client| s3.put_object().bucket("acme").key("k").send();
    assert_eq!(refusal(put(&node).await), refused(403, "AccessDenied"));
    put(&own).await.unwrap();
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject",
        "Principal":{"AWS":"arn:aws:iam::123456789012:role/node"},"Resource":"arn:aws:s3:::acme/*"}]}"#;
    own.put_bucket_policy().bucket("acme").policy(policy).send().await.unwrap();
    put(&node).await.unwrap();
    assert_eq!(refusal(node.get_object().bucket("acme").key("k").send().await), refused(403, "AccessDenied"));
    assert_eq!(refusal(node.delete_bucket().bucket("acme").send().await), refused(403, "AccessDenied"));
}

#[tokio::test]
async fn a_role_that_does_not_exist_cannot_be_assumed() {
    let sandbox = sandbox().await;
    let sts = sts(&sandbox, "us-east-1");
    let assume = |role: &str| sts.assume_role().role_arn(role).role_session_name("test").send();
    let missing = assume("arn:aws:iam::123456789012:role/nobody").await;
    assert_eq!(refusal(missing), refused(403, "AccessDenied"));
    assert_eq!(refusal(assume("arn:aws:iam::123456789012:user/byob").await), refused(403, "AccessDenied"));
    // Those of other accounts are not this sandbox's to know.
    assume("arn:aws:iam::999988887777:role/theirs").await.unwrap();
}
