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
