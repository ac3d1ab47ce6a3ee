//! What `RestrictPublicBuckets` does, as a document: so that two policies can be compared as they work beside a public
//! access block.
//!
//! Source: S3 user guide, "Blocking public access to your Amazon S3 storage".

use std::collections::BTreeMap;

use crate::arn::AccountId;
use crate::document::{
    ActionElement, Document, Effect, PrincipalElement, Principals, ResourceElement, Statement,
};

/// The document with everybody cut off but the principals of `owner`'s account and AWS's own services: how S3 takes a
/// public bucket policy while `RestrictPublicBuckets` is on. Whether the policy is public is the caller's to ask
/// ([`crate::is_public`]).
///
/// A request gets the same answer from this document as [`crate::evaluate`] gives with
/// [`restrict_public_buckets`](crate::Circumstances::restrict_public_buckets) for a public one.
pub fn cut_off(document: &Document, owner: &AccountId) -> Document {
    let one = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), vec![value.to_owned()])]);
    let others = Statement {
        sid: None,
        effect: Effect::Deny,
        principal: Some(PrincipalElement::Is(Principals::anyone())),
        action: ActionElement::Is(vec!["*".to_owned()]),
        resource: Some(ResourceElement::Is(vec!["*".to_owned()])),
        // Both hold for whoever has no account; a service has none, and says that it is one.
        condition: BTreeMap::from([
            ("StringNotEquals".to_owned(), one("aws:PrincipalAccount", owner.as_str())),
            ("BoolIfExists".to_owned(), one("aws:PrincipalIsAWSService", "false")),
        ]),
    };
    let mut statements = document.statements.clone();
    statements.push(others);
    Document { statements, ..document.clone() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Circumstances, Guarded, Identity, Owner, Request, Verdict, compare, evaluate};

    fn own() -> AccountId {
        "111111111111".parse().expect("an id")
    }

    fn document(statements: &serde_json::Value) -> Document {
        Document::from_value(&json!({"Version": "2012-10-17", "Statement": statements})).expect("a policy")
    }

    fn public() -> Document {
        document(&json!([
            {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"},
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::222222222222:role/w"}, "Action": "s3:PutObject",
                "Resource": "arn:aws:s3:::b/*"},
        ]))
    }

    #[test]
    fn a_document_that_is_cut_off_answers_as_the_evaluator_does_under_the_block() {
        let (policy, cut) = (public(), cut_off(&public(), &own()));
        for who in [
            "anonymous",
            "logging.s3.amazonaws.com",
            "arn:aws:iam::111111111111:role/r",
            "arn:aws:iam::111111111111:root",
            "arn:aws:iam::222222222222:role/w",
            "arn:aws:sts::222222222222:assumed-role/w/s",
            "CanonicalUser:79a5",
        ] {
            for action in ["s3:GetObject", "s3:PutObject"] {
                for identity in [Identity::Nothing, Identity::Everything] {
                    let request = Request::new(who.parse().expect(who), action, "arn:aws:s3:::b/x", []);
                    let open = Circumstances::new(Guarded::Bucket, Some(own()), identity);
                    let shut = Circumstances { restrict_public_buckets: true, ..open.clone() };
                    assert_eq!(
                        evaluate(&cut, &request, &open).is_allowed(),
                        evaluate(&policy, &request, &shut).is_allowed(),
                        "{who} {action}"
                    );
                }
            }
        }
    }

    #[test]
    fn taking_the_public_statement_off_lets_others_back_in() {
        let owner = Owner { guarded: Guarded::Bucket, account: Some(own()) };
        let mut narrow = public();
        narrow.statements.remove(0);
        assert_eq!(compare(&public(), &narrow, &owner), Verdict::Within);
        let Verdict::Beyond(witness) = compare(&cut_off(&public(), &own()), &narrow, &owner) else {
            panic!("others come back in");
        };
        assert_eq!(witness.request.action(), "s3:PutObject");
        assert_eq!(compare(&public(), &cut_off(&public(), &own()), &owner), Verdict::Within);
    }
}
