//! Documents made up by proptest. Values come from small pools, so that two documents often nearly agree: that is where
//! equality could go wrong.

use std::collections::BTreeMap;

use byob_policy::{
    ActionElement, Conditions, Document, Effect, PrincipalElement, Principals, ResourceElement, Statement,
    Version,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

pub(crate) fn documents() -> impl Strategy<Value = Document> {
    (select(&[Version::V2008, Version::V2012][..]), names(), vec(statements(), 0..4))
        .prop_map(|(version, id, statements)| Document { version, id, statements })
}

fn names() -> impl Strategy<Value = Option<String>> {
    option::of(select(&["", "a", "b \" \n é"][..]).prop_map(str::to_owned))
}

fn statements() -> impl Strategy<Value = Statement> {
    let effects = select(&[Effect::Allow, Effect::Deny][..]);
    let elements =
        (names(), effects, option::of(principals()), actions(), option::of(resources()), conditions());
    elements.prop_map(|(sid, effect, principal, action, resource, condition)| Statement {
        sid,
        effect,
        principal,
        action,
        resource,
        condition,
    })
}

fn some_of(pool: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    vec(select(pool).prop_map(str::to_owned), 1..4)
}

pub(crate) const PRINCIPALS: &[&str] = &[
    "*",
    "111111111111",
    "arn:aws:iam::111111111111:root",
    "arn:aws:iam::222222222222:root",
    "222222222222",
    "arn:aws:iam::111111111111:role/r",
    "arn:aws:sts::111111111111:assumed-role/r/s",
];

fn principals() -> impl Strategy<Value = PrincipalElement> {
    let kinds = prop_oneof![
        1 => Just(Principals::anyone()),
        3 => some_of(PRINCIPALS).prop_map(Principals::aws),
        1 => (some_of(PRINCIPALS), some_of(&["logging.s3.amazonaws.com", "111111111111"])).prop_map(|(aws, service)| {
            Principals(BTreeMap::from([("AWS".to_owned(), aws), ("Service".to_owned(), service)]))
        }),
        1 => some_of(PRINCIPALS).prop_map(|all| Principals::of("CW", all)),
    ];
    (any::<bool>(), kinds)
        .prop_map(|(not, kinds)| if not { PrincipalElement::Not(kinds) } else { PrincipalElement::Is(kinds) })
}

fn actions() -> impl Strategy<Value = ActionElement> {
    let all =
        some_of(&["s3:GetObject", "s3:getobject", "S3:Get*", "s3:PutObject", "s3:*", "*", "kms:Decrypt"]);
    (any::<bool>(), all)
        .prop_map(|(not, all)| if not { ActionElement::Not(all) } else { ActionElement::Is(all) })
}

fn resources() -> impl Strategy<Value = ResourceElement> {
    let all = some_of(&[
        "arn:aws:s3:::b",
        "arn:aws:s3:::b/*",
        "arn:aws:s3:::b/${aws:username}",
        "arn:aws:s3:::B",
        "*",
    ]);
    (any::<bool>(), all)
        .prop_map(|(not, all)| if not { ResourceElement::Not(all) } else { ResourceElement::Is(all) })
}

/// The operators that `access` can judge.
pub(crate) const OPERATORS: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIfExists",
    "StringEqualsIgnoreCase",
    "StringLike",
    "ForAllValues:StringEquals",
    "ForAnyValue:StringLike",
    "Bool",
    "BoolIfExists",
    "Null",
];

pub(crate) const KEYS: &[&str] =
    &["aws:SecureTransport", "aws:username", "aws:ResourceTag/Team", "aws:ResourceTag/team"];

pub(crate) const VALUES: &[&str] = &["true", "True", "false", "b", "B", "b*", "${aws:username}"];

fn conditions() -> impl Strategy<Value = Conditions> {
    let keys = btree_map(
        select(KEYS).prop_map(str::to_owned),
        vec(select(VALUES).prop_map(str::to_owned), 0..3),
        0..3,
    );
    prop_oneof![Just(Conditions::new()), btree_map(select(OPERATORS).prop_map(str::to_owned), keys, 0..3)]
}
