//! What is asked before the first write.

use byob_apply::cloud::Needed;
use byob_apply::{Caller, Cloud, ErrorKind};

use crate::fake::{ACCOUNT, Answer, Fake};

fn needed(action: &str, bucket: &str) -> Needed {
    Needed { iam_action: action.into(), resource: format!("arn:aws:s3:::{bucket}") }
}

fn session() -> Caller {
    Caller { account_id: ACCOUNT.into(), arn: format!("arn:aws:sts::{ACCOUNT}:assumed-role/Admin/me") }
}

#[tokio::test]
async fn a_session_is_asked_about_by_its_role_and_what_needs_the_same_is_asked_together() {
    let fake = Fake::new()
        .on(
            "GetRole",
            Answer::ok(format!(
                "<GetRoleResponse><GetRoleResult><Role><Path>/ops/</Path><RoleName>Admin</RoleName><RoleId>R</RoleId>\
                 <Arn>arn:aws:iam::{ACCOUNT}:role/ops/Admin</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></Role></GetRoleResult></GetRoleResponse>"
            )),
        )
        .on(
            "SimulatePrincipalPolicy",
            Answer::ok(
                "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults>\
                 <member><EvalActionName>s3:PutBucketCORS</EvalActionName><EvalDecision>implicitDeny</EvalDecision><ResourceSpecificResults>\
                 <member><EvalResourceName>arn:aws:s3:::a</EvalResourceName><EvalResourceDecision>allowed</EvalResourceDecision></member>\
                 <member><EvalResourceName>arn:aws:s3:::b</EvalResourceName><EvalResourceDecision>implicitDeny</EvalResourceDecision></member>\
                 </ResourceSpecificResults></member>\
                 <member><EvalActionName>s3:PutBucketTagging</EvalActionName><EvalResourceName>*</EvalResourceName>\
                 <EvalDecision>allowed</EvalDecision></member>\
                 </EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>",
            ),
        );
    let all: Vec<_> = ["a", "b"]
        .iter()
        .flat_map(|bucket| [needed("s3:PutBucketCORS", bucket), needed("s3:PutBucketTagging", bucket)])
        .collect();
    let denied = fake.cloud().await.denied(&session(), &all).await.unwrap();
    assert_eq!(denied, [needed("s3:PutBucketCORS", "b")]);
    let asked = fake.asked("SimulatePrincipalPolicy");
    assert_eq!(asked.len(), 1);
    assert!(asked[0].body.contains("role%2Fops%2FAdmin"), "{}", asked[0].body);
}

#[tokio::test]
async fn who_may_not_ask_is_told_so() {
    let fake = Fake::new()
        .on("GetRole", Answer::query_error(403, "AccessDenied"))
        .on("SimulatePrincipalPolicy", Answer::query_error(403, "AccessDenied"));
    let error = fake.cloud().await.denied(&session(), &[needed("s3:PutBucketCORS", "a")]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AccessDenied);
    assert!(fake.asked("SimulatePrincipalPolicy")[0].body.contains("role%2FAdmin"));
    let root = Caller { account_id: ACCOUNT.into(), arn: format!("arn:aws:iam::{ACCOUNT}:root") };
    assert_eq!(fake.cloud().await.denied(&root, &[needed("s3:PutBucketCORS", "a")]).await.unwrap(), []);
}

#[tokio::test]
async fn a_principal_exists_under_its_whole_arn_only() {
    let fake = Fake::new()
        .on("GetRole", Answer::query_error(404, "NoSuchEntity"))
        .on(
            "GetUser",
            Answer::ok(format!(
                "<GetUserResponse><GetUserResult><User><Path>/</Path><UserName>me</UserName><UserId>U</UserId>\
                 <Arn>arn:aws:iam::{ACCOUNT}:user/me</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></User></GetUserResult></GetUserResponse>"
            )),
        );
    let cloud = fake.cloud().await;
    let exists = |resource: &str| {
        let arn = format!("arn:aws:iam::{ACCOUNT}:{resource}");
        let cloud = &cloud;
        async move { cloud.principal_exists(&arn).await.unwrap() }
    };
    assert!(!exists("role/gone").await);
    assert!(exists("user/me").await);
    assert!(!exists("user/team/me").await);
    assert!(exists("root").await);
}
