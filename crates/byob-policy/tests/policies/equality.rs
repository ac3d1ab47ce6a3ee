//! Equality and canonical form over generated documents.

use byob_policy::{Document, Partition};
use proptest::prelude::*;

use crate::access::{decisions, requests};
use crate::generated::documents;
use crate::spelling::{Choices, respelled};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// One element changed, dropped or doubled by chance; now and then into something that means the same.
fn disturbed(document: &Document, choices: &mut Choices) -> Document {
    use byob_policy::{ActionElement, Effect, PrincipalElement, ResourceElement, Version};

    let mut other = document.clone();
    let count = other.statements.len();
    if count == 0 || choices.below(8) == 0 {
        other.version = if other.version == Version::V2008 { Version::V2012 } else { Version::V2008 };
        return other;
    }
    let one = &mut other.statements[choices.below(count)];
    match choices.below(9) {
        0 => one.effect = if one.effect == Effect::Allow { Effect::Deny } else { Effect::Allow },
        1 => match &mut one.action {
            ActionElement::Is(all) | ActionElement::Not(all) => all.push("s3:PutObject".to_owned()),
        },
        2 => match one.resource.take() {
            Some(ResourceElement::Is(all)) => one.resource = Some(ResourceElement::Not(all)),
            Some(ResourceElement::Not(all)) => one.resource = Some(ResourceElement::Is(all)),
            None => one.resource = Some(ResourceElement::Is(vec!["*".to_owned()])),
        },
        3 => match &mut one.principal {
            Some(PrincipalElement::Is(who) | PrincipalElement::Not(who)) => {
                who.0.remove("*");
                who.0.entry("AWS".to_owned()).or_default().push("111111111111".to_owned());
            }
            None => one.principal = Some(PrincipalElement::Is(byob_policy::Principals::anyone())),
        },
        4 => drop(one.condition.pop_first()),
        5 => {
            if let Some(keys) = one.condition.values_mut().next() {
                keys.pop_first();
            }
        }
        6 => {
            if let Some(values) = one.condition.values_mut().next().and_then(|keys| keys.values_mut().next())
            {
                values.push("true".to_owned());
            }
        }
        7 => drop(other.statements.pop()),
        _ => {
            let twin = other.statements[choices.below(count)].clone();
            other.statements.push(twin);
        }
    }
    other
}

proptest! {
    #![proptest_config(config(4000))]

    #[test]
    fn what_is_written_reads_back_as_the_same_document(document in documents()) {
        prop_assert_eq!(&Document::parse(&document.to_json()).expect("reads back"), &document);
        prop_assert_eq!(&Document::from_value(&document.to_value()).expect("reads back"), &document);
        let text: serde_json::Value = serde_json::from_str(&document.to_json()).expect("JSON");
        prop_assert_eq!(text, document.to_value());
    }

    #[test]
    fn the_canonical_form_is_a_policy_of_the_same_meaning_and_its_own_canonical_form(document in documents()) {
        let form = document.canonical();
        let again = Document::from_value(&form).expect("a policy");
        prop_assert_eq!(again.canonical(), form);
        prop_assert!(again.equals(&document));
        let pretty = Document::parse(&document.canonical_pretty()).expect("a policy");
        prop_assert_eq!(pretty.canonical(), document.canonical());
        prop_assert_eq!(pretty.canonical_pretty(), document.canonical_pretty());
        let requests = requests();
        prop_assert_eq!(decisions(&again, &requests), decisions(&document, &requests));
    }

    #[test]
    fn every_spelling_is_equal(document in documents(), seed in any::<u64>()) {
        let text = respelled(&document, &mut Choices(seed));
        let other = Document::parse(&text).expect(&text);
        prop_assert!(other.equals(&document), "{}", text);
        prop_assert!(document.equals(&other), "{}", text);
        prop_assert!(document.equals_in(&other, Partition::Aws));
        prop_assert_eq!(other.canonical(), document.canonical());
        prop_assert_eq!(other.canonical_in(Partition::Aws), document.canonical_in(Partition::Aws));
    }

    #[test]
    fn names_have_no_meaning_but_stand_in_the_canonical_form(document in documents(), at in any::<prop::sample::Index>()) {
        let mut other = document.clone();
        other.id = Some("another".to_owned());
        prop_assert!(other.equals(&document));
        prop_assert_ne!(other.canonical(), document.canonical());
        if !document.is_empty() {
            let mut other = document.clone();
            let count = other.statements.len();
            other.statements[at.index(count)].sid = Some("another".to_owned());
            prop_assert!(other.equals(&document));
            prop_assert_ne!(other.canonical(), document.canonical());
        }
    }

    #[test]
    fn equal_documents_decide_every_request_alike(document in documents(), seed in any::<u64>()) {
        let mut choices = Choices(seed);
        let mut other = disturbed(&document, &mut choices);
        if choices.below(2) == 0 {
            other = Document::parse(&respelled(&other, &mut choices)).expect("a policy");
        }
        if document.equals(&other) {
            let requests = requests();
            prop_assert_eq!(decisions(&document, &requests), decisions(&other, &requests), "{}", other.to_json());
        }
    }

    #[test]
    fn equality_is_an_equivalence(a in documents(), seeds in any::<[u64; 3]>()) {
        let mut choices = Choices(seeds[0]);
        let b = Document::parse(&respelled(&disturbed(&a, &mut choices), &mut Choices(seeds[1]))).expect("a policy");
        let c = Document::parse(&respelled(&disturbed(&b, &mut choices), &mut Choices(seeds[2]))).expect("a policy");
        let all = [&a, &b, &c];
        let equal = all.map(|x| all.map(|y| x.equals(y)));
        for x in 0..3 {
            prop_assert!(equal[x][x]);
            for y in 0..3 {
                prop_assert_eq!(equal[x][y], equal[y][x]);
                for z in 0..3 {
                    prop_assert!(!(equal[x][y] && equal[y][z]) || equal[x][z]);
                }
            }
        }
    }

    #[test]
    fn a_torn_or_altered_text_never_breaks_the_parser(
        document in documents(),
        cut in any::<prop::sample::Index>(),
        put in "[\\[\\]{},:\"\\\\*$a0é\u{0}]{0,3}",
    ) {
        let text = document.to_json();
        let at = (0..=cut.index(text.len() + 1)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let (head, tail) = text.split_at(at);
        for text in [head.to_owned(), format!("{head}{put}{tail}")] {
            if let Err(error) = Document::parse(&text) {
                let lines: Vec<&str> = text.split('\n').collect();
                prop_assert!((1..=lines.len()).contains(&error.line));
                prop_assert!((1..=lines[error.line - 1].chars().count() + 1).contains(&error.column));
                prop_assert!(!error.message().is_empty() && !error.help().is_empty());
            }
        }
    }
}
