//! The rules over one policy document without a plan.

use byob_model::kind::Purpose;
use byob_plan::rules::{Checked, Terms, check};
use byob_plan::{Plan, Rule, Severity};
use byob_policy::{AccountId, BUCKET_POLICY_LIMIT, Document};

use crate::scene::Scene;
use crate::world::ACCOUNT;

/// What byob's own statement gives W&B.
const NEEDED: &str = r#""s3:GetObject","s3:PutObject","s3:DeleteObject","s3:AbortMultipartUpload","s3:ListBucket",
    "s3:ListBucketMultipartUploads","s3:ListBucketVersions","s3:GetBucketVersioning","s3:GetBucketCORS",
    "s3:GetBucketLocation","s3:GetEncryptionConfiguration""#;

fn statement(effect: &str, principal: &str, actions: &str, more: &str) -> String {
    format!(
        r#"{{"Effect":"{effect}","Principal":{principal},"Action":[{actions}],
            "Resource":["arn:aws:s3:::acme-a","arn:aws:s3:::acme-a/*"]{more}}}"#
    )
}

fn wandb() -> String {
    statement("Allow", r#"{"AWS":"830241207209"}"#, NEEDED, "")
}

fn allow(principal: &str, action: &str) -> String {
    statement("Allow", principal, &format!("\"{action}\""), "")
}

fn document(statements: &[String]) -> Document {
    Document::parse(&format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))).unwrap()
}

fn checked(statements: &[String]) -> Checked {
    with(statements, Purpose::Storage, None)
}

fn with(statements: &[String], purpose: Purpose, path: Option<&str>) -> Checked {
    let account: AccountId = ACCOUNT.parse().unwrap();
    check(&document(statements), &Terms { bucket: "acme-a", account: Some(&account), purpose, path })
}

/// Rule and statement of what is worse than a note.
fn worse(checked: &Checked) -> Vec<(Rule, Option<usize>)> {
    let worse = checked.findings.iter().filter(|f| f.severity != Severity::Note);
    worse.map(|f| (f.rule, f.statement)).collect()
}

#[test]
fn what_byob_grants_wandb_gives_notes_alone() {
    let checked = checked(&[wandb()]);
    assert!(!checked.has_errors() && !checked.public && checked.notes.is_empty(), "{checked:#?}");
    let rules: Vec<Rule> = checked.findings.iter().map(|f| f.rule).collect();
    assert_eq!(rules, [Rule::PlainHttp, Rule::OldTls, Rule::WholeAccount]);
}

#[test]
fn a_document_is_judged_as_the_plan_that_puts_it_is() {
    // The same statements in `extra_statements` and in a file: the same rules with the same words.
    let anyone = r#"{ Effect = "Allow", Principal = "*", Action = "s3:GetObject", Resource = "arn:aws:s3:::acme-a/*" }"#;
    let other = r#"{ Effect = "Allow", Principal = { AWS = "111122223333" }, Action = "s3:GetObject", Resource = "arn:aws:s3:::acme-a/*" }"#;
    let no = r#"{ Sid = "No", Effect = "Deny", Principal = "*", Action = "s3:PutObject", Resource = "arn:aws:s3:::acme-a/*" }"#;
    let broken = r#"{ Effect = "Allow", Principal = { AWS = "AROAEXAMPLEEXAMPLE123" }, Action = "s3:GetObject", Resource = "arn:aws:s3:::acme-a/*" }"#;
    for (extra, rule) in [
        (anyone, Rule::Public),
        (other, Rule::ForeignAccount),
        (no, Rule::WandbLacksActions),
        (broken, Rule::BrokenPrincipal),
    ] {
        let scene = Scene::new(&format!(
            "[bucket.a]\nname = \"acme-a\"\npublic_access_block = false\nextra_statements = [{extra}]\n"
        ));
        let plan = scene.plan();
        let account: AccountId = ACCOUNT.parse().unwrap();
        let in_file = check(&put(&plan), &Terms { account: Some(&account), ..terms() });
        let said = plan.findings.iter().find(|f| f.rule == rule).unwrap_or_else(|| panic!("{rule:?}"));
        let found =
            in_file.findings.iter().find(|f| f.rule == rule).unwrap_or_else(|| panic!("{in_file:#?}"));
        assert_eq!(found.severity, said.severity);
        if rule != Rule::Public {
            assert_eq!(found.message, said.message);
        }
    }
}

fn terms() -> Terms<'static> {
    Terms { bucket: "acme-a", account: None, purpose: Purpose::Storage, path: None }
}

/// The policy that a plan puts.
fn put(plan: &Plan) -> Document {
    let step = plan.steps.iter().find(|s| s.address.to_string() == "bucket.a.policy").unwrap();
    match step.after.clone().unwrap() {
        byob_model::kind::Attributes::Policy(policy) => policy.document,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_else_is_let_in_is_found_at_its_statement() {
    let anyone = allow("\"*\"", "s3:GetObject");
    let found = checked(&[wandb(), anyone.clone()]);
    assert!(found.public && found.has_errors());
    assert_eq!(worse(&found), [(Rule::Public, Some(2))]);
    let narrow = anyone.replace(
        "]}",
        r#"],"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1","aws:SourceVpce":"vpce-1"}}}"#,
    );
    let found = checked(&[wandb(), narrow]);
    assert_eq!((found.public, worse(&found)), (false, vec![(Rule::WildcardPrincipal, Some(2))]));
    let found = checked(&[allow(r#"{"AWS":"111122223333"}"#, "s3:GetObject"), wandb()]);
    assert_eq!(worse(&found), [(Rule::ForeignAccount, Some(1))]);
    let found = checked(&[wandb(), allow(r#"{"AWS":"AROAEXAMPLEEXAMPLE123"}"#, "s3:GetObject")]);
    assert_eq!(worse(&found), [(Rule::BrokenPrincipal, Some(2))]);
}

#[test]
fn own_principals_are_told_apart_by_the_account() {
    let own = document(&[allow(&format!("{{\"AWS\":\"{ACCOUNT}\"}}"), "s3:GetObject")]);
    let account: AccountId = ACCOUNT.parse().unwrap();
    let found = check(&own, &Terms { account: Some(&account), ..terms() });
    assert_eq!(worse(&found), []);
    let found = check(&own, &terms());
    assert_eq!(worse(&found), [(Rule::ForeignAccount, Some(1))]);
    assert!(found.findings[0].help.contains("--account"), "{found:#?}");
    assert!(found.notes.iter().any(|note| note.contains("--account")), "{found:#?}");
}

#[test]
fn whether_wandb_could_work_is_judged_only_where_it_is_granted_something() {
    let nothing = checked(&[allow(&format!("{{\"AWS\":\"{ACCOUNT}\"}}"), "s3:GetObject")]);
    assert_eq!(worse(&nothing), []);
    assert!(nothing.notes.iter().any(|note| note.contains("not judged")), "{nothing:#?}");
    let reading = [allow(r#"{"AWS":"arn:aws:iam::725579432336:role/WandbIntegration"}"#, "s3:GetObject")];
    let lacks = checked(&reading);
    assert_eq!(worse(&lacks), [(Rule::WandbLacksActions, Some(1))]);
    assert!(lacks.findings[0].message.contains("s3:PutObject (runs cannot upload)"), "{lacks:#?}");
    // A reference bucket needs no more, and is to have no more.
    assert_eq!(worse(&with(&reading, Purpose::Reference, None)), []);
    let more = with(&[wandb()], Purpose::Reference, None);
    assert_eq!(worse(&more), [(Rule::ReferenceGrantsMore, Some(1))]);
}

#[test]
fn a_deny_that_takes_wandb_out_is_the_statement_that_is_named() {
    let no = statement("Deny", "\"*\"", "\"s3:PutObject\"", "");
    assert_eq!(worse(&checked(&[wandb(), no])), [(Rule::WandbLacksActions, Some(2))]);
    let network = r#","Condition":{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}"#;
    let network = statement("Deny", "\"*\"", "\"s3:*\"", network);
    assert_eq!(worse(&checked(&[wandb(), network])), [(Rule::NetworkWithoutWandb, Some(2))]);
}

#[test]
fn a_grant_below_a_path_suffices_for_that_path() {
    let below = wandb().replace("acme-a/*", "acme-a/runs/*");
    assert_eq!(worse(&with(std::slice::from_ref(&below), Purpose::Storage, Some("runs"))), []);
    assert_eq!(worse(&with(&[below], Purpose::Storage, None)), [(Rule::WandbLacksActions, Some(1))]);
}

#[test]
fn tls_is_judged_with_and_without_the_account() {
    let deny =
        |condition: &str| statement("Deny", "\"*\"", "\"s3:*\"", &format!(",\"Condition\":{condition}"));
    let both = [
        wandb(),
        deny(r#"{"Bool":{"aws:SecureTransport":"false"}}"#),
        deny(r#"{"NumericLessThan":{"s3:TlsVersion":"1.2"}}"#),
    ];
    let about_tls = |checked: &Checked| {
        checked.findings.iter().filter(|f| [Rule::PlainHttp, Rule::OldTls].contains(&f.rule)).count()
    };
    assert_eq!((about_tls(&checked(&both)), about_tls(&checked(&both[..1]))), (0, 2));
    let without = |statements: &[String]| about_tls(&check(&document(statements), &terms()));
    assert_eq!((without(&both), without(&both[..2]), without(&both[..1])), (0, 1, 2));
}

#[test]
fn what_aws_would_refuse_is_found() {
    let refused = |statements: &[String]| -> Vec<(Rule, Option<usize>)> { worse(&checked(statements)) };
    let elsewhere = wandb().replace("arn:aws:s3:::acme-a/*", "arn:aws:s3:::acme-ab/*");
    assert!(refused(&[elsewhere]).contains(&(Rule::PolicyInvalid, Some(1))));
    let nobody = r#"{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::acme-a"}"#.to_owned();
    assert!(refused(&[wandb(), nobody]).contains(&(Rule::PolicyInvalid, Some(2))));
    let nothing = r#"{"Effect":"Deny","Principal":"*","Action":"s3:PutBucketAcl"}"#.to_owned();
    assert_eq!(refused(&[wandb(), nothing]), [(Rule::PolicyInvalid, Some(2))]);
    let own = format!("{{\"AWS\":\"{ACCOUNT}\"}}");
    assert_eq!(refused(&[allow(&own, "kms:Decrypt")]), [(Rule::PolicyInvalid, Some(1))]);
    assert_eq!(refused(&[allow(&own, "s3:GetObjct")]), [(Rule::UnknownAction, Some(1))]);
    assert_eq!(refused(&[allow(&own, "S3:getobj*"), allow(&own, "*")]), []);
    assert_eq!(refused(&[]), [(Rule::PolicyInvalid, None)]);
    let twice = allow(&own, "s3:GetObject").replacen('{', "{\"Sid\":\"A\",", 1);
    assert_eq!(refused(&[twice.clone(), twice]), [(Rule::PolicyInvalid, Some(2))]);
}

#[test]
fn the_limit_counts_what_is_sent_not_how_it_is_laid_out() {
    let many: Vec<String> = (0..300).map(|n| format!("\"arn:aws:s3:::acme-a/{n:0>60}/*\"")).collect();
    let large = wandb().replace("\"arn:aws:s3:::acme-a/*\"", &many.join(", "));
    let found = with(std::slice::from_ref(&large), Purpose::Storage, None);
    assert!(worse(&found).contains(&(Rule::TooLarge, None)), "{found:#?}");
    let spaced = wandb().replace(',', &format!(",{}", " ".repeat(BUCKET_POLICY_LIMIT)));
    assert_eq!(worse(&checked(&[spaced])), []);
}

#[test]
fn principals_of_another_partition_than_the_bucket_cannot_work() {
    let china = wandb()
        .replace("arn:aws:s3", "arn:aws-cn:s3")
        .replace("830241207209", "arn:aws:iam::830241207209:root");
    assert!(worse(&checked(&[china])).contains(&(Rule::OtherPartition, Some(1))));
}

#[test]
fn who_may_change_the_policy_again_is_a_note() {
    let no = statement("Deny", r#"{"AWS":"*"}"#, "\"s3:PutBucketPolicy\"", "");
    let found = checked(&[wandb(), no]);
    assert_eq!(found.notes.len(), 1);
    assert!(found.notes[0].contains("from changing this policy again"), "{found:#?}");
}
