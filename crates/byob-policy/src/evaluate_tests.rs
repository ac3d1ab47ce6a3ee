//! What becomes of single requests.

use serde_json::{Value, json};

use super::*;

const OWNER: &str = "111111111111";
const ROLE: &str = "arn:aws:iam::222222222222:role/r";
const SESSION: &str = "arn:aws:sts::222222222222:assumed-role/r/s";
const OWN_ROLE: &str = "arn:aws:iam::111111111111:role/own";

fn policy(statements: &Value) -> Document {
    Document::from_value(&json!({"Version": "2012-10-17", "Statement": statements})).expect("a policy")
}

fn decide(
    document: &Document,
    who: &str,
    action: &str,
    identity: Identity,
    context: &[(&str, &str)],
) -> Decision {
    let resource = if action.starts_with("kms:") { "*" } else { "arn:aws:s3:::b/k" };
    let context = context.iter().map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()]));
    let request = Request::new(who.parse().expect(who), action, resource, context);
    let owner = OWNER.parse().expect("an id");
    evaluate(document, &request, &Circumstances::new(Guarded::by_action(action), Some(owner), identity))
}

fn allow(principal: &Value) -> Document {
    policy(&json!({"Effect": "Allow", "Principal": principal, "Action": "*", "Resource": "*"}))
}

#[test]
fn another_account_needs_both_sides() {
    for principal in ["222222222222", "arn:aws:iam::222222222222:root", ROLE, "*"] {
        let document = allow(&json!({"AWS": principal}));
        for who in [ROLE, SESSION] {
            let alone = decide(&document, who, "s3:GetObject", Identity::Nothing, &[]);
            assert_eq!(alone.reason, Reason::IdentityMissing, "{principal} {who}");
            let both = decide(&document, who, "s3:GetObject", Identity::Everything, &[]);
            assert_eq!((both.outcome, both.deciding), (Outcome::Allow, vec![0]), "{principal} {who}");
        }
    }
    let document = allow(&json!({"AWS": "222222222222"}));
    assert!(decide(&document, "222222222222", "s3:GetObject", Identity::Nothing, &[]).is_allowed());
    let other =
        decide(&document, "arn:aws:iam::333333333333:root", "s3:GetObject", Identity::Everything, &[]);
    assert_eq!(other.reason, Reason::NoStatement);
    let partition = "arn:aws-cn:iam::222222222222:role/r";
    let document = allow(&json!({"AWS": "arn:aws:iam::222222222222:root"}));
    assert!(!decide(&document, partition, "s3:GetObject", Identity::Everything, &[]).is_allowed());
}

#[test]
fn in_the_own_account_one_side_suffices_for_a_bucket() {
    let named = allow(&json!({"AWS": OWN_ROLE}));
    assert_eq!(decide(&named, OWN_ROLE, "s3:GetObject", Identity::Nothing, &[]).reason, Reason::Granted);
    let account = allow(&json!({"AWS": OWNER}));
    assert_eq!(
        decide(&account, OWN_ROLE, "s3:GetObject", Identity::Nothing, &[]).reason,
        Reason::IdentityMissing
    );
    let nothing = policy(&json!([]));
    assert_eq!(
        decide(&nothing, OWN_ROLE, "s3:GetObject", Identity::Everything, &[]).reason,
        Reason::OwnIdentity
    );
}

#[test]
fn a_key_policy_is_the_root_of_trust() {
    let nothing = policy(&json!([]));
    assert!(!decide(&nothing, OWN_ROLE, "kms:Decrypt", Identity::Everything, &[]).is_allowed());
    assert!(!decide(&nothing, OWNER, "kms:Decrypt", Identity::Everything, &[]).is_allowed());
    let account = allow(&json!({"AWS": OWNER}));
    assert!(decide(&account, OWN_ROLE, "kms:Decrypt", Identity::Everything, &[]).is_allowed());
    assert!(!decide(&account, OWN_ROLE, "kms:Decrypt", Identity::Nothing, &[]).is_allowed());
    assert!(decide(&account, OWNER, "kms:Decrypt", Identity::Nothing, &[]).is_allowed());
    let named = allow(&json!({"AWS": OWN_ROLE}));
    assert!(decide(&named, OWN_ROLE, "kms:Decrypt", Identity::Nothing, &[]).is_allowed());
}

#[test]
fn a_deny_wins_over_everything() {
    let document = policy(&json!([
        {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    ]));
    for who in ["anonymous", OWN_ROLE, ROLE, OWNER, "logging.s3.amazonaws.com"] {
        let plain =
            decide(&document, who, "s3:GetObject", Identity::Everything, &[("aws:securetransport", "false")]);
        assert_eq!((plain.outcome, plain.deciding), (Outcome::ExplicitDeny, vec![1]), "{who}");
        assert!(decide(&document, who, "s3:GetObject", Identity::Everything, &[]).is_allowed(), "{who}");
    }
    let identity = Identity::Policies(vec![policy(&json!([
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"},
    ]))]);
    assert!(decide(&document, ROLE, "s3:GetObject", identity.clone(), &[]).is_allowed());
    assert_eq!(decide(&document, ROLE, "s3:DeleteObject", identity, &[]).reason, Reason::DeniedByIdentity);
}

#[test]
fn one_public_statement_cuts_off_other_accounts() {
    let document = policy(&json!([
        {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "s3:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/public/*"},
    ]));
    let mut circumstances =
        Circumstances::new(Guarded::Bucket, Some(OWNER.parse().expect("an id")), Identity::Everything);
    circumstances.restrict_public_buckets = true;
    let of = |document: &Document, who: &str| {
        let request = Request::new(who.parse().expect(who), "s3:GetObject", "arn:aws:s3:::b/k", []);
        evaluate(document, &request, &circumstances)
    };
    assert_eq!((of(&document, ROLE).reason, of(&document, ROLE).deciding), (Reason::CutOffAsPublic, vec![1]));
    assert!(of(&document, OWN_ROLE).is_allowed());
    let mut narrow = document;
    narrow.statements.pop();
    assert!(of(&narrow, ROLE).is_allowed());
}

#[test]
fn principals_match_by_kind() {
    for (principal, who, expected) in [
        (json!({"AWS": ROLE}), SESSION, Match::Direct),
        (json!({"AWS": "arn:aws:iam::222222222222:role/path/r"}), SESSION, Match::Direct),
        (json!({"AWS": SESSION}), SESSION, Match::Direct),
        (json!({"AWS": SESSION}), ROLE, Match::None),
        (json!({"AWS": "arn:aws:sts::222222222222:assumed-role/r/t"}), SESSION, Match::None),
        (json!({"AWS": "arn:aws:iam::222222222222:user/r"}), SESSION, Match::None),
        (json!({"AWS": "AROAEXAMPLEID"}), ROLE, Match::None),
        (json!({"AWS": "*"}), "anonymous", Match::Direct),
        (json!("*"), "logging.s3.amazonaws.com", Match::Direct),
        (json!({"Service": "logging.s3.amazonaws.com"}), "logging.s3.amazonaws.com", Match::Direct),
        (json!({"Service": "logging.s3.amazonaws.com"}), ROLE, Match::None),
        (json!({"CanonicalUser": "79a5"}), "CanonicalUser:79a5", Match::Direct),
        (json!({"CW": "x"}), "CanonicalUser:x", Match::None),
        (json!({"AWS": "222222222222"}), "arn:aws:sts::222222222222:federated-user/f", Match::Account),
    ] {
        let document = allow(&principal);
        let found = principal_match(&document.statements[0], &who.parse().expect(who));
        assert_eq!(found, expected, "{principal} {who}");
    }
}

#[test]
fn what_is_not_named_is_what_the_element_leaves() {
    let document = policy(&json!({"Effect": "Allow", "NotPrincipal": {"AWS": ROLE}, "NotAction": "S3:put*",
        "NotResource": "arn:aws:s3:::b/no*"}));
    assert!(!decide(&document, SESSION, "s3:GetObject", Identity::Everything, &[]).is_allowed());
    assert!(decide(&document, "anonymous", "s3:GetObject", Identity::Nothing, &[]).is_allowed());
    assert!(!decide(&document, "anonymous", "s3:PutObject", Identity::Nothing, &[]).is_allowed());
}

#[test]
fn a_resource_with_a_variable_is_the_requesters_own() {
    let document = policy(&json!({"Effect": "Allow", "Principal": "*", "Action": "s3:*",
        "Resource": "arn:aws:s3:::b/${aws:username}*"}));
    let user = |name: &str| format!("arn:aws:iam::111111111111:user/{name}");
    assert!(decide(&document, &user("k"), "s3:GetObject", Identity::Nothing, &[]).is_allowed());
    assert!(!decide(&document, &user("l"), "s3:GetObject", Identity::Nothing, &[]).is_allowed());
    assert!(!decide(&document, "anonymous", "s3:GetObject", Identity::Nothing, &[]).is_allowed());
    let old = Document { version: Version::V2008, ..document };
    assert!(!decide(&old, &user("k"), "s3:GetObject", Identity::Nothing, &[]).is_allowed());
}
