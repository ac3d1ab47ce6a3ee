//! What changes of W&B's policies are told as.

use serde_json::{Value, json};

use super::*;

const WANDB: &str = "arn:aws:iam::830241207209:root";

fn owner() -> Owner {
    Owner { guarded: Guarded::Bucket, account: Some("123456789012".parse().expect("an id")) }
}

fn policy(statements: &Value) -> Document {
    Document::from_value(&json!({"Version": "2012-10-17", "Statement": statements})).expect("a policy")
}

fn wandb(actions: &Value) -> Value {
    json!({"Effect": "Allow", "Principal": {"AWS": WANDB}, "Action": actions,
        "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]})
}

fn tls_only() -> Value {
    json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}}})
}

#[test]
fn a_new_action_is_gained_by_its_principal_and_class_alone() {
    let old = policy(&json!([wandb(&json!(["s3:GetObject", "s3:ListBucket"])), tls_only()]));
    let new = policy(&json!([wandb(&json!(["s3:GetObject", "s3:PutObject", "s3:ListBucket"])), tls_only()]));
    let told = changes(&old, &new, &owner());
    assert_eq!(told.len(), 1, "{told:?}");
    let change = &told[0];
    assert_eq!((change.principal.as_str(), change.class), (WANDB, ResourceClass::Objects));
    assert_eq!((change.gained.as_slice(), change.lost.as_slice()), (&["s3:PutObject"][..], &[][..]));
    assert_eq!(change.proof, Proof::Witness);
    let request = &change.witness.as_ref().expect("a witness").request;
    assert_eq!(
        (request.action(), request.principal().account()),
        ("s3:PutObject", WANDB.parse::<Arn>().expect("an ARN").account_id())
    );
    let back = changes(&new, &old, &owner());
    assert_eq!((back.len(), back[0].lost.as_slice()), (1, &["s3:PutObject"][..]));
}

#[test]
fn a_wildcard_is_told_as_the_actions_it_adds() {
    let old = policy(&wandb(&json!(["s3:GetObject*", "s3:PutObject"])));
    let new = policy(&wandb(&json!("s3:*")));
    let told = changes(&old, &new, &owner());
    let gained = |class| told.iter().find(|one| one.class == class).expect("a change").gained.clone();
    assert!(gained(ResourceClass::Bucket).contains(&"s3:PutBucketPolicy"));
    assert!(gained(ResourceClass::Objects).contains(&"s3:DeleteObject"));
    assert!(!gained(ResourceClass::Objects).contains(&"s3:GetObject"));
    assert!(told.iter().all(|one| one.principal == WANDB && one.lost.is_empty()));
}

#[test]
fn a_respelled_policy_changes_nothing() {
    let old = policy(&json!([wandb(&json!(["s3:GetObject", "s3:ListBucket"])), tls_only()]));
    let mut again = wandb(&json!(["S3:listbucket", "s3:GetObject", "s3:getObject"]));
    again["Principal"]["AWS"] = json!("830241207209");
    assert_eq!(changes(&old, &policy(&json!([tls_only(), again])), &owner()), []);
}

#[test]
fn who_may_come_without_tls_is_told() {
    let old = policy(&json!([wandb(&json!("s3:GetObject")), tls_only()]));
    let new = policy(&wandb(&json!("s3:GetObject")));
    let told = changes(&old, &new, &owner());
    let who: BTreeSet<&str> = told.iter().map(|one| one.principal.as_str()).collect();
    assert_eq!(who, BTreeSet::from([WANDB, "arn:aws:iam::123456789012:root"]));
    assert!(told.iter().all(|one| one.lifted == ["only without TLS"]), "{told:?}");
}

/// [`tls_only`] as a record holds it: in another order, by other names, in another case.
fn tls_only_respelled() -> Value {
    json!({"Sid": "Recorded", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": ["S3:*"],
        "Resource": ["arn:aws:s3:::b/*", "arn:aws:s3:::b"], "Condition": {"Bool": {"AWS:securetransport": ["FALSE"]}}})
}

fn cut_off(resource: &Value) -> Value {
    json!({"Effect": "Deny", "Principal": {"AWS": WANDB}, "Action": "s3:*", "Resource": resource})
}

#[test]
fn a_deny_that_is_spelled_otherwise_neither_came_nor_went() {
    let whole = cut_off(&json!(["arn:aws:s3:::b", "arn:aws:s3:::b/*"]));
    let read = wandb(&json!(["s3:GetObject", "s3:ListBucket"]));
    let open = policy(&json!([read, tls_only_respelled()]));
    let shut = policy(&json!([read, tls_only(), whole]));
    for (old, new) in [(&open, &shut), (&shut, &open)] {
        let told = changes(old, new, &owner());
        assert!(!told.is_empty() && told.iter().all(|one| one.principal == WANDB), "{told:?}");
        assert!(told.iter().all(|one| one.lifted.is_empty() && one.conditions.is_empty()), "{told:?}");
    }
}

#[test]
fn what_is_denied_without_a_condition_is_never_told_with_that_of_another_deny() {
    let read = wandb(&json!(["s3:GetObject", "s3:ListBucket"]));
    let whole = cut_off(&json!(["arn:aws:s3:::b", "arn:aws:s3:::b/*"]));
    let (open, shut) = (policy(&json!([read])), policy(&json!([read, tls_only(), whole])));
    for (old, new) in [(&open, &shut), (&shut, &open)] {
        let told = changes(old, new, &owner());
        let wandb: Vec<&Change> = told.iter().filter(|one| one.principal == WANDB).collect();
        assert!(wandb.len() == 2 && wandb.iter().all(|one| one.lifted.is_empty()), "{told:?}");
    }
    // Beside one that takes a part alone, the other's condition is the rest's.
    let shut = policy(&json!([read, tls_only(), cut_off(&json!("arn:aws:s3:::b/private/*"))]));
    for (old, new) in [(&open, &shut), (&shut, &open)] {
        for one in changes(old, new, &owner()).iter().filter(|one| one.principal == WANDB) {
            let objects = one.class == ResourceClass::Objects;
            let both = ["on a part of it, always", "only without TLS"];
            assert_eq!(one.lifted, if objects { &both[..] } else { &both[1..] }, "{one:?}");
        }
    }
    // One that takes the bucket alone says nothing of the objects.
    let shut = policy(&json!([read, tls_only(), cut_off(&json!("arn:aws:s3:::b"))]));
    for (old, new) in [(&open, &shut), (&shut, &open)] {
        for one in changes(old, new, &owner()).iter().filter(|one| one.principal == WANDB) {
            let only_tls = one.class == ResourceClass::Objects;
            assert_eq!(one.lifted, if only_tls { vec!["only without TLS"] } else { Vec::new() }, "{one:?}");
        }
    }
}

#[test]
fn a_deny_with_a_variable_means_another_thing_in_another_version() {
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*",
        "Condition": {"StringNotEquals": {"aws:SourceVpce": "${aws:username}"}}});
    let new = policy(&json!([wandb(&json!("s3:GetObject")), deny]));
    let old = Document { version: crate::document::Version::V2008, ..new.clone() };
    let asked = |other: &Document| {
        let who = Who { requesters: &[], listed: Vec::new() };
        let asked = Asked {
            who: &who,
            action: "",
            resources: &[],
            class: ResourceClass::Objects,
            partition: Partition::Aws,
        };
        new.statements.iter().map(|one| asked.stays(other, &new, one)).collect::<Vec<_>>()
    };
    assert_eq!((asked(&old), asked(&new)), (vec![true, false], vec![true, true]));
}

#[test]
fn a_public_grant_is_told_as_anyones() {
    let new = policy(&json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::b/*", "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}));
    let told = changes(&policy(&json!([])), &new, &owner());
    let anyone = told.iter().find(|one| one.principal == "*").expect("a change");
    assert_eq!(anyone.gained, ["s3:GetObject"]);
    assert_eq!(anyone.conditions, ["only from 192.0.2.0/24"]);
}

#[test]
fn conditions_and_principals_have_words() {
    for (condition, words) in [
        (json!({"Bool": {"aws:SecureTransport": "true"}}), "only over TLS"),
        (json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}}), "only from VPC endpoint vpce-1"),
        (
            json!({"NotIpAddressIfExists": {"aws:SourceIp": "10.0.0.0/8"}}),
            "not from 10.0.0.0/8, or without aws:SourceIp",
        ),
        (json!({"Null": {"x:y": "true"}}), "only without x:y"),
        (json!({"NumericLessThan": {"s3:TlsVersion": 1.2}}), "only if s3:TlsVersion is less than 1.2"),
        (
            json!({"ForAnyValue:StringLike": {"aws:TagKeys": ["a", "b*"]}}),
            "only if some aws:TagKeys is like a or b*",
        ),
    ] {
        let mut statement = tls_only();
        statement["Condition"] = condition;
        assert_eq!(conditions_in_words(&policy(&statement).statements[0].condition), [words]);
    }
    let own: AccountId = "123456789012".parse().expect("an id");
    for (principal, words) in [
        ("*", "anyone"),
        ("830241207209", "W&B Dedicated Cloud (830241207209)"),
        (WANDB, "W&B Dedicated Cloud (830241207209)"),
        (
            "arn:aws:iam::725579432336:role/WandbIntegration",
            "W&B Multi-tenant Cloud (725579432336, role WandbIntegration)",
        ),
        ("arn:aws:iam::123456789012:root", "this account"),
        ("arn:aws:iam::111122223333:root", "account 111122223333"),
        ("logging.s3.amazonaws.com", "logging.s3.amazonaws.com"),
    ] {
        assert_eq!(principal_in_words(principal, Some(&own)), words);
    }
    assert!(is_unique_id("AROAIOSFODNN7EXAMPLE") && !is_unique_id("AROA"));
}

#[test]
fn a_provider_of_an_account_lets_that_accounts_sessions_in_at_most() {
    let told = |provider: &str| {
        let allow = json!({"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::b/*"});
        let told = changes(&policy(&json!([])), &policy(&json!([allow])), &owner());
        told.into_iter().map(|change| (change.principal, change.proof)).collect::<BTreeSet<_>>()
    };
    let own = "arn:aws:iam::123456789012:saml-provider/okta";
    let of = |principal: &str, proof| (principal.to_owned(), proof);
    let account = "arn:aws:iam::123456789012:root";
    assert_eq!(told(own), BTreeSet::from([of(own, Proof::Witness), of(account, Proof::CannotTell)]));
    let web = "cognito-identity.amazonaws.com";
    let anybody = [of(web, Proof::Witness), of(account, Proof::CannotTell), of("*", Proof::CannotTell)];
    assert_eq!(told(web), BTreeSet::from(anybody));
}
