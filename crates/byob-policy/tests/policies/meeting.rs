//! The meet of two documents against brute force: every request of a small closed world that it lets through both let
//! through, and what both let through it does, but for whom it names as left out.

use std::cell::RefCell;

use byob_policy::{
    ActionElement, Circumstances, Conditions, Document, Effect, Guarded, Identity, LeftOut, Owner,
    PrincipalElement, Principals, Request, Requester, ResourceElement, Statement, Verdict, compare, evaluate,
    is_public, is_unique_id, meet,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::comparison::{circumstances, contexts, owners, pairs, pick, plain_statements, seeded, some};
use crate::generated;

const WHO: &[&str] = &[
    "anonymous",
    "arn:aws:iam::111111111111:root",
    "arn:aws:iam::111111111111:role/r",
    "arn:aws:iam::111111111111:role/q",
    "arn:aws:iam::111111111111:role/p/r",
    "arn:aws:sts::111111111111:assumed-role/r/s",
    "arn:aws:sts::111111111111:assumed-role/r/t",
    "arn:aws:iam::111111111111:user/b",
    "arn:aws:sts::111111111111:federated-user/b",
    "arn:aws:iam::222222222222:root",
    "arn:aws:iam::222222222222:role/r",
    "arn:aws:sts::222222222222:assumed-role/r/s",
    "arn:aws-cn:iam::333333333333:role/r",
    "logging.s3.amazonaws.com",
    "CW:111111111111",
    "CanonicalUser:79a5",
];

/// A request of the world, and whether the action is one that the resource can take.
fn world() -> Vec<(Request, bool)> {
    let mut all = Vec::new();
    for principal in WHO {
        for (action, class) in [
            ("s3:GetObject", 1),
            ("s3:PutObject", 1),
            ("s3:GetObjectAcl", 1),
            ("s3:ListBucket", 0),
            ("kms:Decrypt", 2),
        ] {
            for (resource, own) in [
                ("arn:aws:s3:::b", 0),
                ("arn:aws:s3:::B", 0),
                ("arn:aws:s3:::b/b", 1),
                ("arn:aws:s3:::b/a/c", 1),
                ("arn:aws:kms:us-east-1:111111111111:key/k", 2),
            ] {
                for context in contexts() {
                    let context = context.iter().map(|(key, values)| {
                        ((*key).to_owned(), values.iter().map(|one| (*one).to_owned()).collect())
                    });
                    let who = principal.parse().expect(principal);
                    let request = Request::new(who, action, resource, context.collect::<Vec<_>>());
                    all.push((request, class == own));
                }
            }
        }
    }
    all
}

/// Whether one of those left out is the requester, or stands for it.
fn names(left_out: &[LeftOut], requester: &Requester) -> bool {
    let request = Request::new(requester.clone(), "s3:GetObject", "*", []);
    let under = Circumstances::new(Guarded::Bucket, None, Identity::Everything);
    left_out.iter().flat_map(|one| &one.principals).any(|principal| {
        ["AWS", "Service", "CW", "CanonicalUser"].into_iter().any(|kind| {
            let grant = Statement {
                sid: None,
                effect: Effect::Allow,
                principal: Some(PrincipalElement::Is(Principals::of(kind, [principal.as_str()]))),
                action: ActionElement::Is(vec!["*".to_owned()]),
                resource: None,
                condition: Conditions::new(),
            };
            evaluate(&Document::new(vec![grant]), &request, &under).is_allowed()
        })
    })
}

#[derive(Debug, Default)]
struct Count {
    exact: usize,
    left_out: usize,
    allowed: usize,
}

/// Runs pairs against the world; each pair against one request in `stride`, another one each time.
fn against_the_world(
    strategy: &impl Strategy<Value = (Document, Document)>,
    cases: u32,
    stride: usize,
) -> Count {
    let (mut runner, seed) = seeded(cases);
    let world = world();
    let count = RefCell::new(Count::default());
    let turn = RefCell::new(0_usize);
    let ran = runner.run(strategy, |(old, new)| {
        let met = meet(&old, &new);
        let told = format!(
            "seed {seed}\nold {}\nnew {}\nmeet {}\nleft out {:?}",
            old.to_json(),
            new.to_json(),
            met.document.to_json(),
            met.left_out
        );
        let read = Document::parse(&met.document.to_json());
        prop_assert_eq!(read.as_ref(), Ok(&met.document), "{}", told);
        prop_assert!(
            !is_public(&met.document).is_public()
                || is_public(&old).is_public()
                || is_public(&new).is_public(),
            "{told}"
        );
        let named =
            |document: &Document| document.statements.iter().filter_map(|one| one.sid.clone()).count();
        let mut sids: Vec<&String> =
            met.document.statements.iter().filter_map(|one| one.sid.as_ref()).collect();
        sids.retain(|sid| !sid.is_empty());
        let all = sids.len();
        sids.sort();
        sids.dedup();
        prop_assert!(sids.len() == all || all > named(&old) + named(&new), "{told}");
        for one in &met.left_out {
            for (document, at) in [(&old, one.old), (&new, one.new)] {
                prop_assert_eq!(document.statements.get(at).map(|one| one.effect), Some(Effect::Allow));
            }
            prop_assert!(!one.principals.is_empty() && !one.reason.ends_with('.'), "{told}");
        }
        let mut count = count.borrow_mut();
        if met.left_out.is_empty() {
            count.exact += 1;
        } else {
            count.left_out += 1;
        }
        *turn.borrow_mut() += 1;
        for (request, fits) in world.iter().skip(*turn.borrow() % stride).step_by(stride) {
            for owner in owners() {
                for under in circumstances(&owner, request.principal()) {
                    let lets = |document: &Document| evaluate(document, request, &under).is_allowed();
                    if lets(&met.document) {
                        count.allowed += 1;
                        prop_assert!(
                            lets(&old) && lets(&new),
                            "{} under {:?} is let in\n{}",
                            request,
                            under,
                            told
                        );
                    } else if *fits && lets(&old) && lets(&new) {
                        prop_assert!(
                            names(&met.left_out, request.principal()),
                            "{} under {:?} is cut off\n{}",
                            request,
                            under,
                            told
                        );
                    }
                }
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
fn what_people_write_is_met_exactly() {
    let count = against_the_world(&pairs(), 800, 41);
    println!("{count:?}");
    assert!(count.exact > 5 * count.left_out && count.allowed > 1000, "{count:?}");
}

#[test]
fn unrelated_documents_are_met_exactly() {
    let documents = || vec(plain_statements(), 1..4).prop_map(Document::new);
    let count = against_the_world(&(documents(), documents()), 800, 41);
    println!("{count:?}");
    assert!(count.exact > 2 * count.left_out && count.allowed > 500, "{count:?}");
}

#[test]
fn the_oddest_documents_are_never_widened() {
    let count = against_the_world(&(generated::documents(), generated::documents()), 800, 41);
    println!("{count:?}");
    assert!(count.exact > 100 && count.allowed > 500, "{count:?}");
}

/// One Allow to a few of many principals.
fn grants() -> impl Strategy<Value = Statement> {
    let principals = prop_oneof![
        1 => Just(Principals::anyone()),
        8 => some(&[
            "111111111111",
            "arn:aws:iam::111111111111:root",
            "arn:aws:iam::222222222222:root",
            "arn:aws:iam::111111111111:role/r",
            "arn:aws:iam::111111111111:role/p/r",
            "arn:aws:iam::111111111111:role/q",
            "arn:aws:sts::111111111111:assumed-role/r/s",
            "arn:aws:iam::111111111111:user/b",
            "arn:aws:sts::111111111111:federated-user/b",
            "arn:aws:iam::222222222222:role/r",
            "arn:aws:iam::111111111111:role/*",
            "AROAEXAMPLEEXAMPLE123",
        ]).prop_map(Principals::aws),
        1 => Just(Principals::of("CanonicalUser", ["79a5"])),
        1 => some(&["logging.s3.amazonaws.com", "*.amazonaws.com", "l*"])
            .prop_map(|all| Principals::of("Service", all)),
    ];
    let conditions = prop_oneof![
        2 => Just(Conditions::new()),
        1 => (pick(&["ArnLike", "ArnEquals", "StringLike"]), some(&["arn:aws:iam::*:role/?", "arn:aws:iam::111111111111:role/q"]))
            .prop_map(|(operator, values)| {
                Conditions::from([(operator, [("aws:PrincipalArn".to_owned(), values)].into())])
            }),
    ];
    (principals, prop::bool::weighted(0.1), conditions).prop_map(|(principals, not, condition)| Statement {
        sid: None,
        effect: Effect::Allow,
        principal: Some(if not {
            PrincipalElement::Not(principals)
        } else {
            PrincipalElement::Is(principals)
        }),
        action: ActionElement::Is(vec!["s3:GetObject".to_owned()]),
        resource: Some(ResourceElement::Is(vec!["arn:aws:s3:::b/*".to_owned()])),
        condition,
    })
}

#[test]
fn nobody_is_given_more_by_name_than_by_account() {
    let documents = || vec(grants(), 1..4).prop_map(Document::new);
    let count = against_the_world(&(documents(), documents()), 1000, 13);
    println!("{count:?}");
    assert!(count.exact > 500 && count.allowed > 500, "{count:?}");
}

/// The document without the principals that AWS has put unique ids for: of them `meet` keeps nothing that the old document
/// says, for nobody is behind them.
fn without_nobody(document: &Document) -> Document {
    let mut document = document.clone();
    document.statements.retain_mut(|statement| {
        let Some(element) = &mut statement.principal else { return true };
        let (PrincipalElement::Is(who) | PrincipalElement::Not(who)) = &mut *element;
        who.0.values_mut().for_each(|values| values.retain(|value| !is_unique_id(value)));
        who.0.retain(|_, values| !values.is_empty());
        let nobody = who.0.is_empty();
        if nobody && matches!(element, PrincipalElement::Not(_)) {
            *element = PrincipalElement::Is(Principals::anyone());
            return true;
        }
        !nobody
    });
    document
}

#[test]
fn the_comparison_never_finds_the_meet_beyond_an_end() {
    let grants = || vec(grants(), 1..4).prop_map(Document::new);
    let odd = (generated::documents(), generated::documents());
    let strategy = prop_oneof![pairs().boxed(), (grants(), grants()).boxed(), odd.boxed()];
    let (mut runner, seed) = seeded(300);
    let proved = RefCell::new(0);
    let ran = runner.run(&strategy, |(old, new)| {
        let met = meet(&old, &new).document;
        let somebodys = without_nobody(&old);
        for owner in owners() {
            for end in [&somebodys, &new] {
                match compare(end, &met, &owner) {
                    Verdict::Beyond(witness) => {
                        prop_assert!(
                            false,
                            "seed {seed}: {}\nold {}\nnew {}\nmeet {}",
                            witness.request,
                            old.to_json(),
                            new.to_json(),
                            met.to_json()
                        );
                    }
                    Verdict::Within => *proved.borrow_mut() += 1,
                    Verdict::CannotTell { .. } => {}
                }
            }
        }
        Ok(())
    });
    if let Err(error) = ran {
        panic!("BYOB_SEED={seed}: {error}");
    }
    assert!(*proved.borrow() > 500, "{}", proved.borrow());
}

#[test]
fn a_document_meets_itself_whole() {
    let (mut runner, seed) = seeded(300);
    let owner = Owner { guarded: Guarded::Bucket, account: None };
    let ran = runner.run(&generated::documents(), |document| {
        let met = meet(&document, &document);
        prop_assert_eq!(&met.document, &document, "seed {}", seed);
        let empty = meet(&document, &Document::new(Vec::new())).document;
        prop_assert_eq!(compare(&Document::new(Vec::new()), &empty, &owner), Verdict::Within);
        Ok(())
    });
    if let Err(error) = ran {
        panic!("BYOB_SEED={seed}: {error}");
    }
}
