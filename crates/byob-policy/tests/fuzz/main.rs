//! Fuzz targets: bytes in, no panic and no lie out. `cargo test` plays the corpus (`__fuzz__/<target>/corpus`) and some
//! random inputs, bounded by their number; `cargo bolero test <target>` (nightly) runs a real fuzzer and keeps what it
//! finds there. A failure prints its input and `BOLERO_RANDOM_SEED`.

mod documents;

use bolero::check;
use byob_policy::{
    Circumstances, Document, Guarded, Owner, Partition, Verdict, changes, compare, evaluate, is_public, meet,
};

use documents::{circumstances, one, requests, two};

fn owner(bytes: &[u8]) -> Owner {
    let account = "111111111111".parse().expect("an id");
    match bytes.first().map_or(0, |byte| byte % 3) {
        0 => Owner { guarded: Guarded::Bucket, account: None },
        1 => Owner { guarded: Guarded::Bucket, account: Some(account) },
        _ => Owner { guarded: Guarded::Key, account: Some(account) },
    }
}

/// What must hold for every document that is read.
fn assert_stable(document: &Document) {
    let json = document.to_json();
    let again = Document::parse(&json).expect("what is written is read");
    assert_eq!(again.to_json(), json);
    assert!(again.equals(document) && document.equals(&again), "{json}");
    assert_eq!(Document::from_value(&document.to_value()).expect("a policy"), again);
    let canonical = document.canonical();
    let read = Document::from_value(&canonical).expect("the canonical form is a policy");
    assert_eq!(read.canonical(), canonical);
    assert!(read.equals(document), "{json}");
    assert_eq!(Document::parse(&document.canonical_pretty()).expect("a policy").canonical(), canonical);
}

/// Any text, read as a policy.
#[test]
fn parser() {
    check!().with_iterations(4000).for_each(|bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        match Document::parse(&text) {
            Ok(document) => assert_stable(&document),
            Err(error) => {
                let lines = text.split('\n').count();
                assert!((1..=lines).contains(&error.line) && error.column >= 1, "{error} in {text:?}");
            }
        }
        // Few bytes are a policy: so they also choose one.
        assert_stable(&one(bytes));
    });
}

/// Two policies: what is called equal is judged alike.
#[test]
fn equality() {
    check!().with_iterations(1000).for_each(|bytes: &[u8]| {
        let (one, other) = two(bytes);
        assert!(one.equals(&one) && other.equals(&other));
        assert_eq!(one.equals(&other), other.equals(&one));
        let partition = Partition::Aws;
        assert_eq!(one.equals_in(&other, partition), other.equals_in(&one, partition));
        if one.equals(&other) {
            assert_eq!(is_public(&one).is_public(), is_public(&other).is_public());
            for (request, under) in requests().iter().flat_map(|one| circumstances(one, &owner(bytes))) {
                let judge = |document: &Document| evaluate(document, request, &under).outcome;
                assert_eq!(
                    judge(&one),
                    judge(&other),
                    "{request} in {} and {}",
                    one.to_json(),
                    other.to_json()
                );
            }
        }
    });
}

/// Two policies, the old and the new: no "within" is refuted, every witness holds, the meet is within both.
#[test]
fn comparison() {
    check!().with_iterations(250).for_each(|bytes: &[u8]| {
        let (old, new) = two(bytes);
        let owner = owner(bytes);
        let met = meet(&old, &new);
        let told =
            || format!("old {}\nnew {}\nmeet {}", old.to_json(), new.to_json(), met.document.to_json());
        let verdict = compare(&old, &new, &owner);
        if let Verdict::Beyond(witness) = &verdict {
            let lets = |document| evaluate(document, &witness.request, &witness.circumstances).is_allowed();
            assert!(lets(&new) && !lets(&old), "{} in\n{}", witness.request, told());
        }
        if verdict == Verdict::Within {
            assert!(changes(&old, &new, &owner).iter().all(|change| change.gained.is_empty()), "{}", told());
        }
        let all = requests();
        for (request, under) in all.iter().flat_map(|one| circumstances(one, &owner)) {
            let lets =
                |document: &Document, under: &Circumstances| evaluate(document, request, under).is_allowed();
            let (before, after) = (lets(&old, &under), lets(&new, &under));
            assert!(verdict != Verdict::Within || before || !after, "{request} in\n{}", told());
            assert!(!lets(&met.document, &under) || (before && after), "{request} in the meet\n{}", told());
        }
    });
}
