use serde_json::{Value, json};

use super::*;
use crate::{Circumstances, Identity, Request, evaluate};

fn policy(statements: &Value) -> Document {
    Document::from_value(&json!({"Version": "2012-10-17", "Statement": statements})).expect("a policy")
}

/// An Allow of `s3:GetObject` on `b/*`, but for these elements.
fn allow(elements: &Value) -> Value {
    let mut statement = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"});
    for (key, value) in elements.as_object().expect("an object") {
        let element = statement.as_object_mut().expect("an object");
        if let Some(is) = key.strip_prefix("Not") {
            element.remove(is);
        }
        element.insert(key.clone(), value.clone());
    }
    statement
}

const A: &str = "arn:aws:iam::111111111111:role/a";
const B: &str = "arn:aws:iam::222222222222:role/b";
const C: &str = "arn:aws:iam::333333333333:role/c";

/// What two Allows meet in, beside another one on each side, without which one document might be within the other.
fn met(old: &Value, new: &Value) -> (Vec<Value>, Vec<LeftOut>) {
    let apart = |service: &str| json!({"Effect": "Allow", "Principal": {"Service": service}, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::c/*"});
    let old = policy(&json!([allow(old), apart("a.amazonaws.com")]));
    let new = policy(&json!([allow(new), apart("b.amazonaws.com")]));
    let met = meet(&old, &new);
    (met.document.statements.iter().map(Statement::to_value).collect(), met.left_out)
}

fn assert_met(old: &Value, new: &Value, expected: &Value) {
    for (old, new) in [(old, new), (new, old)] {
        let (all, left_out) = met(old, new);
        let expected = match expected {
            Value::Null => Vec::new(),
            one => vec![allow(one)],
        };
        let document = |all: &[Value]| policy(&json!(all));
        assert!(document(&all).equals(&document(&expected)), "{old} {new}: {all:?}");
        assert_eq!(left_out, [], "{old} {new}");
    }
}

fn assert_left_out(old: &Value, new: &Value, principals: &[&str], reason: &str) {
    let (_, left_out) = met(old, new);
    let [one] = left_out.as_slice() else { panic!("{left_out:?}") };
    assert_eq!((one.old, one.new), (0, 0));
    assert_eq!(one.principals, principals);
    assert!(one.reason.contains(reason), "{}", one.reason);
}

#[test]
fn of_a_and_b_becoming_b_and_c_b_stays() {
    let of = |who: [&str; 2]| json!({"Principal": {"AWS": who}});
    assert_met(&of([A, B]), &of([B, C]), &json!({"Principal": {"AWS": B}}));
    assert_met(&json!({"Principal": {"AWS": A}}), &json!({"Principal": {"AWS": C}}), &Value::Null);
}

#[test]
fn a_role_and_its_account_meet_in_the_account_under_the_roles_arn() {
    let account = json!({"Principal": {"AWS": "222222222222"}});
    let role = json!({"Principal": {"AWS": B}});
    let both = json!({
        "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
        "Condition": {"ArnEquals": {"aws:PrincipalArn": B}},
    });
    // The role needs its own policies at one end: it must not go without in between.
    assert_met(&account, &role, &both);
    assert_met(&json!({"Principal": {"AWS": ["222222222222", B]}}), &role, &role);
    assert_met(&json!({"Principal": {"AWS": "111111111111"}}), &role, &Value::Null);
}

#[test]
fn principals_meet_as_the_evaluator_matches_them() {
    let of = |kind: &str, who: &str| json!({"Principal": {kind: who}});
    let session = "arn:aws:sts::222222222222:assumed-role/b/s";
    assert_met(&of("AWS", B), &of("AWS", session), &of("AWS", session));
    assert_met(
        &of("AWS", "222222222222"),
        &of("AWS", "arn:aws:iam::222222222222:root"),
        &of("AWS", "222222222222"),
    );
    assert_met(&of("AWS", "*"), &of("CanonicalUser", "79a5"), &of("CanonicalUser", "79a5"));
    assert_met(&of("Service", "x.amazonaws.com"), &of("AWS", B), &Value::Null);
    assert_met(&json!({}), &json!({"NotPrincipal": {"AWS": B}}), &json!({"NotPrincipal": {"AWS": B}}));
    // Nobody is behind a unique id, and AWS takes no policy that names one.
    assert_met(&json!({"Principal": {"AWS": ["AROAEXAMPLEEXAMPLE123", B]}}), &json!({}), &of("AWS", B));
}

#[test]
fn whose_access_cannot_be_written_is_named() {
    let of = |kind: &str, who: &str| json!({"Principal": {kind: who}});
    let session = "arn:aws:sts::222222222222:assumed-role/b/s";
    let path = "arn:aws:iam::222222222222:role/p/b";
    for (old, new, who, reason) in [
        (of("AWS", "222222222222"), of("AWS", session), session, "no condition singles"),
        (of("AWS", B), of("AWS", path), path, "a session does not show"),
        (of("AWS", "222222222222"), of("AWS", path), path, "sessions of a role with a path"),
        (of("AWS", B), of("CanonicalUser", "79a5"), "79a5", "the same principal"),
        (of("AWS", B), json!({"NotPrincipal": {"AWS": A}}), B, "`NotPrincipal`"),
        (of("CW", "x*"), of("CW", "xy"), "xy", "not known whom"),
    ] {
        assert_left_out(&old, &new, &[who], reason);
    }
}

#[test]
fn actions_meet_in_patterns_or_in_real_actions() {
    let is = |all: &[&str]| json!({"Action": all});
    let not = |all: &[&str]| json!({"NotAction": all});
    assert_met(
        &is(&["s3:Get*", "s3:DeleteObject"]),
        &is(&["s3:getobject*", "s3:Put*"]),
        &is(&["s3:GetObject*"]),
    );
    assert_met(&is(&["s3:*Version"]), &is(&["s3:Delete*"]), &is(&["s3:DeleteObjectVersion"]));
    assert_met(&not(&["s3:Delete*"]), &not(&["s3:Put*"]), &not(&["s3:Delete*", "s3:Put*"]));
    assert_met(&is(&["s3:GetObject", "s3:PutObject"]), &not(&["s3:Put*"]), &is(&["s3:GetObject"]));
    assert_met(&is(&["s3:GetObjectT*"]), &not(&["s3:*Torrent"]), &is(&["s3:GetObjectTagging"]));
    assert_met(&is(&["s3:Get*"]), &not(&["s3:*"]), &Value::Null);
    assert_left_out(&is(&["s3-x:*a"]), &is(&["s3-x:b*"]), &["*"], "not known which actions");
}

#[test]
fn actions_that_no_resource_can_take_are_not_said() {
    let old = json!({"Action": "s3:*"});
    let both = ["arn:aws:s3:::b", "arn:aws:s3:::b/*"];
    let new = json!({"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": both});
    assert_met(&old, &new, &json!({"Action": "s3:GetObject"}));
    assert_met(
        &json!({"Resource": both}),
        &json!({"Action": "s3:*", "Resource": "arn:aws:s3:::b"}),
        &Value::Null,
    );
}

#[test]
fn resources_meet_in_patterns() {
    let is = |all: &[&str]| json!({"Resource": all});
    let not = |all: &[&str]| json!({"NotResource": all});
    let (all, home) = ("arn:aws:s3:::b/*", "arn:aws:s3:::b/home/${aws:username}/*");
    assert_met(&is(&[all]), &is(&["arn:aws:s3:::b/x/*", "arn:aws:s3:::c/*"]), &is(&["arn:aws:s3:::b/x/*"]));
    assert_met(&is(&[all]), &is(&[home]), &is(&[home]));
    assert_met(
        &not(&["arn:aws:s3:::b/x"]),
        &not(&["arn:aws:s3:::b/y"]),
        &not(&["arn:aws:s3:::b/x", "arn:aws:s3:::b/y"]),
    );
    assert_met(&is(&["arn:aws:s3:::b/x/*"]), &not(&["arn:aws:s3:::b/y/*"]), &is(&["arn:aws:s3:::b/x/*"]));
    assert_left_out(&is(&["arn:aws:s3:::b/*x"]), &is(&["arn:aws:s3:::b/a*"]), &["*"], "no one pattern");
    assert_left_out(&is(&[all]), &not(&[home]), &["*"], "`NotResource` leaves");
    assert_left_out(&is(&[home]), &is(&["arn:aws:s3:::b/home/${aws:userid}/*"]), &["*"], "no one pattern");
}

#[test]
fn conditions_are_joined() {
    let of = |all: Value| json!({"Condition": all});
    for (old, new, both) in [
        (
            json!({"Bool": {"aws:SecureTransport": "true"}}),
            json!({"StringEquals": {"aws:SourceVpce": "v-1"}}),
            json!({"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"aws:SourceVpce": "v-1"}}),
        ),
        (
            json!({"StringEquals": {"aws:SourceVpce": ["v-1", "v-2"]}}),
            json!({"stringequals": {"AWS:SourceVpce": ["v-2", "v-3"]}}),
            json!({"StringEquals": {"aws:SourceVpce": "v-2"}}),
        ),
        (
            json!({"StringNotEquals": {"aws:SourceVpce": "v-1"}}),
            json!({"StringNotEquals": {"aws:SourceVpce": "v-2"}}),
            json!({"StringNotEquals": {"aws:SourceVpce": ["v-1", "v-2"]}}),
        ),
        (
            json!({"StringEqualsIfExists": {"aws:SourceVpce": "v-1"}}),
            json!({"StringEqualsIfExists": {"aws:SourceVpce": "v-2"}}),
            json!({"Null": {"aws:SourceVpce": "true"}}),
        ),
        (
            json!({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.0/24"]}}),
            json!({"IpAddress": {"aws:SourceIp": ["10.1.0.0/16", "198.51.100.0/24"]}}),
            json!({"IpAddress": {"aws:SourceIp": "10.1.0.0/16"}}),
        ),
        (
            json!({"NumericLessThan": {"s3:max-keys": "5"}}),
            json!({"NumericLessThan": {"s3:max-keys": ["3", "9"]}}),
            json!({"NumericLessThan": {"s3:max-keys": "5"}}),
        ),
        (
            json!({"ForAllValues:StringLike": {"aws:TagKeys": ["a*", "c"]}}),
            json!({"ForAllValues:StringLike": {"aws:TagKeys": ["ab", "b"]}}),
            json!({"ForAllValues:StringLike": {"aws:TagKeys": "ab"}}),
        ),
    ] {
        assert_met(&of(old), &of(new), &of(both));
    }
    assert_met(
        &of(json!({"Bool": {"aws:SecureTransport": "true"}})),
        &of(json!({"Bool": {"aws:SecureTransport": "false"}})),
        &Value::Null,
    );
}

#[test]
fn values_that_cannot_be_met_are_asked_by_another_operator() {
    let (all, left_out) = met(
        &json!({"Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": "a"}}}),
        &json!({"Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": "b"}}}),
    );
    let both = json!({"ForAnyValue:StringEquals": {"aws:TagKeys": "a"}, "ForAnyValue:StringLike": {"aws:TagKeys": "b"}});
    assert_eq!((&all[0]["Condition"], left_out.len()), (&both, 0));
    let (all, left_out) = met(
        &json!({"Condition": {"StringLike": {"s3:prefix": "a*"}}}),
        &json!({"Condition": {"StringLike": {"s3:prefix": "*b"}}}),
    );
    let both = json!({"StringLike": {"s3:prefix": "a*"}, "StringLikeIfExists": {"s3:prefix": "*b"}});
    assert_eq!((&all[0]["Condition"], left_out.len()), (&both, 0));
    assert_left_out(
        &json!({"Condition": {"StringLikeIfExists": {"s3:prefix": "a*"}}}),
        &json!({"Condition": {"StringLikeIfExists": {"s3:prefix": "*b"}}}),
        &["*"],
        "both ask StringLikeIfExists of `s3:prefix`",
    );
}

#[test]
fn denies_of_both_stay_once() {
    let deny = |action: &str, sid: &str| json!({"Sid": sid, "Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*"});
    let grant = |who: &str| allow(&json!({"Principal": {"AWS": who}}));
    let old = policy(&json!([grant(A), deny("s3:Put*", "Put"), deny("s3:Delete*", "Same")]));
    let new = policy(&json!([deny("s3:PUT*", "Puts"), grant(C), deny("s3:List*", "Same")]));
    let document = meet(&old, &new).document;
    let told: Vec<(Option<&str>, &str)> = document
        .statements
        .iter()
        .map(|one| (one.sid.as_deref(), one.action.actions()[0].as_str()))
        .collect();
    assert_eq!(told, [(Some("Puts"), "s3:PUT*"), (Some("Same"), "s3:List*"), (None, "s3:Delete*")]);
}

#[test]
fn a_deny_taken_off_stays_even_where_the_new_document_is_within_the_old_one() {
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:Put*", "Resource": "*"});
    let old = policy(&json!([allow(&json!({"Action": "s3:Get*"})), deny]));
    let new = policy(&json!([allow(&json!({"Sid": "New"}))]));
    for (old, new) in [(&old, &new), (&new, &old)] {
        let document = meet(old, new).document;
        assert_eq!(document.statements.len(), 2);
        // For a user of the owner's account, whose own policies allow all, the Deny is what counts.
        let who = "arn:aws:iam::111111111111:user/u".parse().expect("a user");
        let request = Request::new(who, "s3:PutObject", "arn:aws:s3:::b/k", []);
        let owner = Some("111111111111".parse().expect("an id"));
        let under = Circumstances::new(Guarded::Bucket, owner, Identity::Everything);
        assert!(!evaluate(&document, &request, &under).is_allowed());
    }
}

#[test]
fn what_stands_in_both_keeps_its_name_and_spelling() {
    let foreign =
        json!({"Sid": "Theirs", "Principal": {"AWS": A}, "Action": ["s3:GetObject", "s3:PutObject"]});
    let again = json!({"Sid": "Ours", "Principal": {"AWS": A}, "Action": ["s3:PutObject", "S3:GetObject"]});
    let old = policy(&json!([allow(&foreign), allow(&json!({"Principal": {"AWS": [B, C]}, "Sid": "Old"}))]));
    let new = policy(&json!([
        allow(&again),
        allow(&json!({"Principal": {"AWS": B}, "Action": "s3:*", "Sid": "Wide"})),
        allow(
            &json!({"Principal": {"AWS": [C, B]}, "Action": ["s3:Get*", "s3:List*"], "Resource": "arn:aws:s3:::b/x/*", "Sid": "Deep"})
        ),
    ]));
    let met = meet(&old, &new);
    assert_eq!(met.left_out, []);
    let all: Vec<Value> = met.document.statements.iter().map(Statement::to_value).collect();
    assert_eq!(all[0], policy(&json!([allow(&again)])).statements[0].to_value());
    let sids: Vec<&str> = all.iter().filter_map(|one| one["Sid"].as_str()).collect();
    assert_eq!(sids, ["Ours", "Wide", "Deep"]);
    // An old Allow that a new one holds whole is kept as it is.
    let narrow = policy(&json!([
        allow(&json!({"Sid": "Mine", "Principal": {"AWS": B}})),
        allow(&json!({"Principal": {"AWS": A}, "Action": "s3:Put*"}))
    ]));
    let met = meet(&narrow, &new);
    let mine = met.document.statements.iter().find(|one| one.sid.as_deref() == Some("Mine"));
    assert_eq!(mine, narrow.statements.first());
}

#[test]
fn one_version_speaks_for_both() {
    let in_2008 =
        |statement: Value| Document::from_value(&json!({"Statement": [statement]})).expect("a policy");
    let text = json!({"Resource": ["arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::b/x"], "Principal": {"AWS": [A, B]}});
    let (old, plain) =
        (in_2008(allow(&text)), policy(&json!([allow(&json!({"Principal": {"AWS": [B, C]}}))])));
    let met = meet(&old, &plain).document;
    assert_eq!((met.version, met.statements.len()), (Version::V2008, 1));
    let variable = policy(&json!([
        allow(&json!({"Principal": {"AWS": [B, C]}})),
        allow(&json!({"Resource": "arn:aws:s3:::b/${aws:userid}", "Principal": {"AWS": C}})),
    ]));
    let met = meet(&old, &variable).document;
    assert_eq!(met.version, Version::V2012);
    let under = Circumstances::new(Guarded::Bucket, None, Identity::Everything);
    for (key, expected) in [("${aws:username}", true), ("b", false), ("x", true)] {
        let request = Request::new(
            B.parse().expect("a role"),
            "s3:GetObject",
            format!("arn:aws:s3:::b/{key}"),
            [("aws:username".to_owned(), vec!["b".to_owned()])],
        );
        assert_eq!(evaluate(&met, &request, &under).is_allowed(), expected, "{key}");
        assert_eq!(evaluate(&old, &request, &under).is_allowed(), expected, "{key}");
    }
}

#[test]
fn equal_documents_meet_in_the_new_one_and_a_narrower_one_is_the_meet() {
    let wide = policy(&json!([allow(&json!({"Sid": "a", "Action": ["s3:Get*", "s3:Put*"]}))]));
    let narrow = policy(&json!([allow(&json!({"Sid": "b"}))]));
    let spelled = policy(&json!([allow(&json!({"Sid": "c", "Action": ["s3:Put*", "s3:get*"]}))]));
    assert_eq!(meet(&wide, &spelled).document, spelled);
    assert_eq!(meet(&wide, &narrow).document, narrow);
    assert_eq!(meet(&narrow, &wide).document, narrow);
}

#[test]
fn with_no_policy_at_one_end_only_denies_are_left() {
    let none = policy(&json!([]));
    assert!(meet(&none, &policy(&json!([allow(&json!({}))]))).document.is_empty());
    let nobody = policy(
        &json!([{"Effect": "Deny", "Principal": {"AWS": "AROAEXAMPLEEXAMPLE123"}, "Action": "*", "Resource": "*"}]),
    );
    assert!(meet(&nobody, &none).document.is_empty());
    let all_but_nobody = policy(&json!([allow(&json!({"NotPrincipal": {"AWS": "AROAEXAMPLEEXAMPLE123"}}))]));
    let anyone = policy(&json!([allow(&json!({"Action": "s3:*"}))]));
    assert!(meet(&all_but_nobody, &anyone).document.equals(&policy(&json!([allow(&json!({}))]))));
}
