//! Comparison against brute force: every request of a small closed world is put to the evaluator, under every
//! circumstance that an owner may mean. No "within" is refuted, and every witness holds.

use byob_policy::{
    ActionElement, Circumstances, Conditions, Document, Effect, Guarded, Identity, Owner, PrincipalElement,
    Principals, Request, Requester, ResourceElement, Statement, Verdict, Version, changes, compare, evaluate,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::{access, generated};

const OWN: &str = "111111111111";

pub(crate) fn owners() -> [Owner; 3] {
    let account = Some(OWN.parse().expect("an id"));
    [
        Owner { guarded: Guarded::Bucket, account: None },
        Owner { guarded: Guarded::Bucket, account: account.clone() },
        Owner { guarded: Guarded::Key, account },
    ]
}

/// Every circumstance under which a requester may come, as far as the owner is known.
pub(crate) fn circumstances(owner: &Owner, requester: &Requester) -> Vec<Circumstances> {
    let new = |owner, identity| Circumstances::new(Guarded::Bucket, owner, identity);
    match &owner.account {
        None => {
            let mut all = vec![new(None, Identity::Everything), new(None, Identity::Nothing)];
            // As one of the owner's account: what its own side gives past the document does not count.
            if !matches!(requester, Requester::Root(_)) {
                all.push(new(requester.account(), Identity::Nothing));
            }
            all
        }
        Some(account) => [Identity::Everything, Identity::Nothing]
            .into_iter()
            .map(|identity| Circumstances::new(owner.guarded, Some(account.clone()), identity))
            .collect(),
    }
}

fn world() -> Vec<Request> {
    let mut all = Vec::new();
    for principal in [
        "anonymous",
        "arn:aws:iam::111111111111:root",
        "arn:aws:iam::111111111111:role/r",
        "arn:aws:iam::111111111111:role/q",
        "arn:aws:sts::111111111111:assumed-role/r/s",
        "arn:aws:iam::111111111111:user/b",
        "arn:aws:iam::222222222222:root",
        "arn:aws:iam::222222222222:role/r",
        "logging.s3.amazonaws.com",
        "CW:111111111111",
        "Unheard:of",
    ] {
        for action in ["s3:GetObject", "s3:PutObject", "s3:GetObjectAcl", "kms:Decrypt"] {
            for resource in ["arn:aws:s3:::b", "arn:aws:s3:::B", "arn:aws:s3:::b/b", "arn:aws:s3:::b/a/c"] {
                for context in contexts() {
                    let context = context.iter().map(|(key, values)| {
                        ((*key).to_owned(), values.iter().map(|one| (*one).to_owned()).collect())
                    });
                    let who = principal.parse().expect(principal);
                    all.push(Request::new(who, action, resource, context.collect::<Vec<_>>()));
                }
            }
        }
    }
    all
}

pub(crate) type Context = Vec<(&'static str, Vec<&'static str>)>;

pub(crate) fn contexts() -> Vec<Context> {
    vec![
        vec![],
        vec![("aws:SecureTransport", vec!["true"]), ("aws:SourceIp", vec!["10.1.2.3"])],
        vec![("aws:SecureTransport", vec!["false"]), ("aws:SourceIp", vec!["192.0.2.1"]), ("x:n", vec!["5"])],
        vec![("aws:SecureTransport", vec!["true"]), ("aws:SourceVpce", vec!["vpce-1"]), ("x:n", vec!["11"])],
        vec![("aws:SourceVpce", vec!["vpce-2"]), ("aws:TagKeys", vec!["a", "b"]), ("x:n", vec!["7.5"])],
        vec![("aws:TagKeys", vec!["a"]), ("aws:ResourceTag/Team", vec!["b"]), ("x:d", vec!["2026-01-01"])],
        vec![("aws:ResourceTag/Team", vec!["True"]), ("aws:ResourceTag/team", vec!["B"])],
        vec![("x:n", vec!["4", "12"]), ("aws:TagKeys", vec!["a", "b", "c"])],
        vec![("aws:TagKeys", vec!["c"]), ("aws:SourceIp", vec!["2001:db8::1"]), ("x:d", vec!["2025-12-31"])],
    ]
}

pub(crate) fn pick(pool: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(pool).prop_map(str::to_owned)
}

pub(crate) fn some(pool: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    vec(pick(pool), 1..3)
}

/// Conditions as people write them: each operator with keys and values that belong to it.
pub(crate) fn conditions() -> impl Strategy<Value = Conditions> {
    let one = |operators: &'static [&'static str], keys: &'static [&'static str], values| {
        (pick(operators), pick(keys), some(values)).boxed()
    };
    let any = prop_oneof![
        one(&["Bool", "BoolIfExists"], &["aws:SecureTransport"], &["true", "false"]),
        one(
            &["IpAddress", "NotIpAddress", "IpAddressIfExists", "NotIpAddressIfExists"],
            &["aws:SourceIp"],
            &["10.0.0.0/8", "10.1.0.0/16", "192.0.2.1", "0.0.0.0/0", "2001:db8::/32"]
        ),
        one(
            &[
                "StringEquals",
                "StringNotEquals",
                "StringEqualsIfExists",
                "StringNotEqualsIfExists",
                "StringLike",
                "StringNotLike"
            ],
            &["aws:SourceVpce", "aws:ResourceTag/Team"],
            &["vpce-1", "vpce-2", "vpce-*", "b", "?"]
        ),
        one(&["Null"], &["aws:SourceVpce", "aws:SourceIp", "x:n"], &["true", "false"]),
        one(
            &["NumericLessThan", "NumericGreaterThanEquals", "NumericEquals", "NumericNotEquals"],
            &["x:n"],
            &["5", "7", "10", "x"]
        ),
        one(&["DateLessThan", "DateGreaterThan"], &["x:d"], &["2026-01-01T00:00:00Z", "2025-06-30"]),
        one(
            &[
                "ForAllValues:StringEquals",
                "ForAnyValue:StringEquals",
                "ForAnyValue:StringLike",
                "ForAllValues:StringNotEquals",
                "StringEquals"
            ],
            &["aws:TagKeys"],
            &["a", "b", "*", "c"]
        ),
        one(
            &["ArnLike", "ArnNotLike", "StringLike", "ArnEquals", "StringNotEquals"],
            &["aws:PrincipalArn"],
            &["arn:aws:iam::111111111111:role/*", "arn:aws:iam::*:role/r", "arn:aws:iam::111111111111:root"]
        ),
        one(
            &["StringEquals", "StringNotEquals", "StringLike"],
            &["aws:PrincipalAccount"],
            &[OWN, "2*", "222222222222"]
        ),
        one(
            &["StringEquals"],
            &["aws:PrincipalType", "aws:username"],
            &["User", "AssumedRole", "b", "Account"]
        ),
    ];
    vec(any, 0..3).prop_map(|all| {
        let mut conditions = Conditions::new();
        for (operator, key, values) in all {
            conditions.entry(operator).or_default().insert(key, values);
        }
        conditions
    })
}

/// Statements as people write them, without `NotPrincipal` and variables.
pub(crate) fn plain_statements() -> impl Strategy<Value = Statement> {
    let principals = prop_oneof![
        1 => Just(Principals::anyone()),
        4 => some(&[
            OWN,
            "arn:aws:iam::222222222222:root",
            "arn:aws:iam::111111111111:role/r",
            "arn:aws:sts::111111111111:assumed-role/r/s",
            "arn:aws:iam::111111111111:user/b",
            "*",
        ]).prop_map(Principals::aws),
        1 => Just(Principals::of("Service", ["logging.s3.amazonaws.com"])),
        1 => Just(Principals::of("CW", [OWN])),
    ];
    let actions = (
        prop::bool::weighted(0.15),
        some(&["s3:GetObject", "s3:getobject*", "s3:Put*", "s3:*", "*", "kms:Decrypt"]),
    );
    let resources = (
        prop::bool::weighted(0.15),
        some(&["arn:aws:s3:::b", "arn:aws:s3:::b/*", "arn:aws:s3:::b/a/*", "arn:aws:s3:::?", "*"]),
    );
    let effect = prop_oneof![2 => Just(Effect::Allow), 1 => Just(Effect::Deny)];
    (effect, principals, actions, resources, conditions()).prop_map(
        |(effect, principals, (not_action, actions), (not_resource, resources), condition)| Statement {
            sid: None,
            effect,
            principal: Some(PrincipalElement::Is(principals)),
            action: if not_action { ActionElement::Not(actions) } else { ActionElement::Is(actions) },
            resource: Some(if not_resource {
                ResourceElement::Not(resources)
            } else {
                ResourceElement::Is(resources)
            }),
            condition,
        },
    )
}

/// Pairs that nearly agree: that is where a comparison could go wrong.
pub(crate) fn pairs() -> impl Strategy<Value = (Document, Document)> {
    (vec(plain_statements(), 0..4), vec(plain_statements(), 0..3), any::<u8>()).prop_map(
        |(base, more, how)| {
            let mut new = base.clone();
            for (at, statement) in more.into_iter().enumerate() {
                match (how >> (2 * at)) & 3 {
                    0 if at < new.len() => new[at].condition = statement.condition,
                    1 if at < new.len() => new[at].action = statement.action,
                    2 if !new.is_empty() => {
                        new.remove(at % new.len());
                    }
                    _ => new.push(statement),
                }
            }
            let (old, new) = (Document::new(base), Document::new(new));
            if how & 128 == 0 { (old, new) } else { (new, old) }
        },
    )
}

#[derive(Default, Debug)]
struct Count {
    within: usize,
    beyond: usize,
    cannot_tell: usize,
}

/// A runner of `cases` cases (`BYOB_CASES` for more) from a seed, and the seed. It is printed, and `BYOB_SEED` plays it again;
/// without that it is the one that the gate fixes for all property tests, else a fresh one.
pub(crate) fn seeded(cases: u32) -> (TestRunner, u64) {
    let named = |name: &str| std::env::var(name).ok().and_then(|seed| seed.parse().ok());
    let seed = named("BYOB_SEED").or_else(|| named("PROPTEST_RNG_SEED")).unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        now.as_secs() ^ u64::from(now.subsec_nanos())
    });
    println!("BYOB_SEED={seed}");
    let cases = std::env::var("BYOB_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(cases);
    let mut bytes = [0_u8; 32];
    bytes[..8].copy_from_slice(&u64::to_le_bytes(seed));
    let config = Config { failure_persistence: None, ..Config::with_cases(cases) };
    (TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)), seed)
}

/// Runs pairs against the world.
fn against_the_world(strategy: &impl Strategy<Value = (Document, Document)>, cases: u32) -> Count {
    let (mut runner, seed) = seeded(cases);
    let world = world();
    let count = std::cell::RefCell::new(Count::default());
    let ran = runner.run(strategy, |(old, new)| {
        for owner in owners() {
            match compare(&old, &new, &owner) {
                Verdict::Within => {
                    count.borrow_mut().within += 1;
                    for request in &world {
                        for under in circumstances(&owner, request.principal()) {
                            let after = evaluate(&new, request, &under).is_allowed();
                            prop_assert!(
                                !after || evaluate(&old, request, &under).is_allowed(),
                                "seed {}: {} under {:?}\nold {}\nnew {}",
                                seed,
                                request,
                                under,
                                old.to_json(),
                                new.to_json()
                            );
                        }
                    }
                }
                Verdict::Beyond(witness) => {
                    count.borrow_mut().beyond += 1;
                    prop_assert!(evaluate(&new, &witness.request, &witness.circumstances).is_allowed());
                    prop_assert!(!evaluate(&old, &witness.request, &witness.circumstances).is_allowed());
                }
                Verdict::CannotTell { .. } => count.borrow_mut().cannot_tell += 1,
            }
        }
        Ok(())
    });
    if let Err(error) = ran {
        panic!("BYOB_SEED={seed}: {error}");
    }
    count.into_inner()
}

#[test]
fn no_within_is_refuted_and_every_witness_holds() {
    let count = against_the_world(&pairs(), 150);
    println!("{count:?}");
    assert!(count.within > 50 && count.beyond > 25, "{count:?}");
    assert!(count.cannot_tell * 50 < count.within + count.beyond, "{count:?}");
}

#[test]
fn variables_and_not_principal_never_make_a_wrong_within() {
    let count = against_the_world(&(generated::documents(), generated::documents()), 150);
    println!("{count:?}");
    assert!(count.within > 10 && count.beyond > 10, "{count:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_document_is_within_itself_and_its_canonical_form(document in generated::documents()) {
        let canonical = Document::from_value(&document.canonical()).expect("a policy");
        for owner in owners() {
            for (old, new) in [(&document, &document), (&document, &canonical), (&canonical, &document)] {
                let verdict = compare(old, new, &owner);
                prop_assert!(!matches!(verdict, Verdict::Beyond(_)), "{:?}", verdict);
            }
        }
    }

    #[test]
    fn nothing_is_told_where_both_directions_are_within((old, new) in pairs()) {
        for owner in owners() {
            let within = |a: &Document, b: &Document| compare(a, b, &owner) == Verdict::Within;
            let told = changes(&old, &new, &owner);
            let gains = told.iter().any(|one| !one.gained.is_empty());
            let losses = told.iter().any(|one| !one.lost.is_empty());
            prop_assert!(!(gains && within(&old, &new)), "{:?}", told);
            prop_assert!(!(losses && within(&new, &old)), "{:?}", told);
        }
    }

    /// The other judge of this suite was written without a look at the crate.
    #[test]
    fn the_slow_judge_agrees_with_within(old in generated::documents(), new in generated::documents()) {
        if compare(&old, &new, &owners()[0]) == Verdict::Within {
            let mut requests = access::requests();
            requests.retain(|request| !request.is_session());
            let (before, after) = (access::decisions(&old, &requests), access::decisions(&new, &requests));
            for (before, after) in before.iter().zip(&after) {
                prop_assert!(*after != Some(Effect::Allow) || *before == Some(Effect::Allow));
            }
        }
    }
}

pub(crate) fn document(text: &str) -> Document {
    Document::parse(text).expect("a policy")
}

fn any_owner(old: &Document, new: &Document) -> Verdict {
    compare(old, new, &owners()[0])
}

pub(crate) fn statement(principal: &str, action: &str, condition: &str) -> String {
    format!(
        r#"{{"Effect": "Allow", "Principal": {principal}, "Action": {action}, "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"], "Condition": {condition}}}"#
    )
}

pub(crate) fn policy(statements: &[String]) -> Document {
    document(&format!(r#"{{"Version": "2012-10-17", "Statement": [{}]}}"#, statements.join(",")))
}

#[test]
fn what_is_known_to_be_narrower_is_proved() {
    let role = r#"{"AWS": "arn:aws:iam::222222222222:role/r"}"#;
    let none = "{}";
    for (old, new) in [
        (
            statement(role, r#""s3:Get*""#, none),
            statement(role, r#"["s3:GetObject", "s3:GetObjectAcl"]"#, none),
        ),
        (statement(r#""*""#, r#""s3:*""#, none), statement(role, r#""s3:Put*""#, none)),
        (
            statement(
                role,
                r#""s3:*""#,
                r#"{"IpAddress": {"aws:SourceIp": ["10.0.0.0/9", "10.128.0.0/9"]}}"#,
            ),
            statement(role, r#""s3:*""#, r#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#),
        ),
        (
            statement(role, r#""s3:*""#, r#"{"StringEqualsIfExists": {"aws:SourceVpce": "vpce-1"}}"#),
            statement(role, r#""s3:*""#, r#"{"StringEquals": {"aws:SourceVpce": "vpce-1"}}"#),
        ),
        (
            statement(r#""*""#, r#""s3:*""#, r#"{"StringEquals": {"aws:PrincipalAccount": "222222222222"}}"#),
            statement(role, r#""s3:*""#, none),
        ),
        (
            statement(
                r#""*""#,
                r#""s3:*""#,
                r#"{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::222222222222:role/*"}}"#,
            ),
            statement(role, r#""s3:*""#, none),
        ),
        (
            statement(role, r#""s3:*""#, r#"{"StringLike": {"s3:prefix": "home/*"}}"#),
            statement(role, r#""s3:*""#, r#"{"StringLike": {"s3:prefix": "home/${aws:username}/*"}}"#),
        ),
        (
            statement(role, r#""s3:*""#, r#"{"NumericLessThan": {"s3:max-keys": "100"}}"#),
            statement(role, r#""s3:*""#, r#"{"NumericLessThanEquals": {"s3:max-keys": "99"}}"#),
        ),
    ] {
        let (old, new) = (policy(&[old]), policy(&[new]));
        assert_eq!(any_owner(&old, &new), Verdict::Within, "{}", new.to_json());
    }
}

#[test]
fn what_is_wider_is_shown_by_a_request() {
    let role = r#"{"AWS": "arn:aws:iam::222222222222:role/r"}"#;
    let none = "{}";
    for (old, new, shown) in [
        (
            statement(role, r#""s3:GetObject""#, none),
            statement(role, r#"["s3:GetObject", "s3:PutObject"]"#, none),
            "arn:aws:iam::222222222222:role/r s3:PutObject on arn:aws:s3:::b",
        ),
        (
            statement(role, r#""s3:GetObject""#, r#"{"Bool": {"aws:SecureTransport": "true"}}"#),
            statement(role, r#""s3:GetObject""#, none),
            "arn:aws:iam::222222222222:role/r s3:GetObject on arn:aws:s3:::b",
        ),
        (
            statement(role, r#""s3:GetObject""#, r#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/9"}}"#),
            statement(role, r#""s3:GetObject""#, r#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#),
            "arn:aws:iam::222222222222:role/r s3:GetObject on arn:aws:s3:::b, aws:SourceIp = 10.128.0.0",
        ),
    ] {
        match any_owner(&policy(&[old]), &policy(&[new])) {
            Verdict::Beyond(witness) => assert_eq!(witness.request.to_string(), shown),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_deny_taken_off_counts_for_the_owner_of_a_bucket() {
    let deny = r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}"#;
    let (old, new) = (policy(&[deny.to_owned()]), Document { version: Version::V2012, ..policy(&[]) });
    let [unknown, bucket, key] = owners();
    assert_eq!(compare(&old, &new, &unknown), Verdict::Within);
    assert_eq!(compare(&old, &new, &key), Verdict::Within);
    match compare(&old, &new, &bucket) {
        Verdict::Beyond(witness) => {
            assert_eq!(witness.request.context()["aws:SecureTransport"], ["false"]);
            assert_eq!(witness.denied_by, [0]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_variable_that_decides_is_named_rather_than_guessed() {
    let old = policy(&[]);
    let new = document(
        r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/${aws:PrincipalTag/team}/*"}}"#,
    );
    match any_owner(&old, &new) {
        Verdict::CannotTell { reason } => assert!(reason.contains("${aws:PrincipalTag/team}"), "{reason}"),
        other => panic!("{other:?}"),
    }
}
