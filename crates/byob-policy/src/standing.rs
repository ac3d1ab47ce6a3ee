//! Who may what by two documents, each taken by itself but told in the same words: under the principals that either of
//! them names, so that what both give stands beside what one of them gives. The judgement is the comparison's.

use std::collections::BTreeMap;

use crate::actions::ResourceClass;
use crate::canonical::{common_partition, with_root_arns};
use crate::compare::{Direction, Owner, Table};
use crate::document::Document;
use crate::words::{Proof, each, subjects};

/// What one principal may on one class of resources, by either document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The principal as the documents name it, account ids as root ARNs; `*`: whoever they do not name otherwise.
    pub principal: String,
    /// On what.
    pub class: ResourceClass,
    /// By the old document.
    pub before: Vec<Held>,
    /// By the new one.
    pub after: Vec<Held>,
}

/// Actions that a document gives under the same conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// By name, sorted.
    pub actions: Vec<&'static str>,
    /// What must hold, in words, sorted.
    pub conditions: Vec<String>,
    /// How sure it is.
    pub proof: Proof,
}

/// Who may what by `old` and by `new`, of real actions; sorted. What identity policies of the owner's account give past
/// the documents is not in it.
///
/// # Errors
///
/// Why the documents could not be taken apart, in one sentence without a full stop.
pub fn standing(old: &Document, new: &Document, owner: &Owner) -> Result<Vec<Standing>, String> {
    let partition = common_partition(&[old, new]);
    let (old, new) = (with_root_arns(old, partition), with_root_arns(new, partition));
    let subjects = subjects(&[&old, &new], owner, partition);
    let nothing = Document::new(Vec::new());
    // Of two documents that mean the same one is enough.
    let same = old.equals_in(&new, partition);
    let table = Table::new(if same { &nothing } else { &old }, &new, owner)?;
    let both = [(Direction::Given, (&new, &nothing)), (Direction::Gave, (&old, &nothing))];
    let directions = both.get(..if same { 1 } else { 2 }).unwrap_or(&both);
    let mut all: BTreeMap<(String, ResourceClass), [Vec<Held>; 2]> = BTreeMap::new();
    for (direction, change) in each(&table, &subjects, owner.guarded, directions) {
        let of_old = direction == Direction::Gave;
        let actions = if of_old { change.lost } else { change.gained };
        let held = Held { actions, conditions: change.conditions, proof: change.proof };
        let [before, after] = all.entry((change.principal, change.class)).or_default();
        if of_old || same {
            before.push(held.clone());
        }
        if !of_old {
            after.push(held);
        }
    }
    let all = all.into_iter();
    Ok(all
        .map(|((principal, class), [before, after])| Standing { principal, class, before, after })
        .collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::evaluate::Guarded;

    const ROLE: &str = "arn:aws:iam::222222222222:role/reader";
    const OWN: &str = "arn:aws:iam::123456789012:role/admin";

    fn policy(statements: &[Value]) -> Document {
        Document::from_value(&json!({"Version": "2012-10-17", "Statement": statements})).unwrap()
    }

    fn allow(who: &str, actions: &[&str]) -> Value {
        json!({"Sid": "A", "Effect": "Allow", "Principal": {"AWS": who}, "Action": actions, "Resource": "arn:aws:s3:::b/*"})
    }

    fn of(old: &Document, new: &Document) -> Vec<Standing> {
        let owner = Owner { guarded: Guarded::Bucket, account: Some("123456789012".parse().unwrap()) };
        standing(old, new, &owner).unwrap()
    }

    /// `who before → after`, of what is certain.
    fn said(all: &[Standing]) -> Vec<String> {
        let actions = |held: &[Held]| {
            let all: Vec<&str> = held.iter().flat_map(|one| one.actions.iter().copied()).collect();
            all.join(",")
        };
        all.iter()
            .map(|one| format!("{} {} → {}", one.principal, actions(&one.before), actions(&one.after)))
            .collect()
    }

    #[test]
    fn what_both_give_stands_beside_what_one_gives() {
        let old = policy(&[allow(ROLE, &["s3:GetObject", "s3:DeleteObject"])]);
        let new = policy(&[allow(ROLE, &["s3:GetObject", "s3:PutObject"])]);
        let all = of(&old, &new);
        assert_eq!(said(&all), [format!("{ROLE} s3:DeleteObject,s3:GetObject → s3:GetObject,s3:PutObject")]);
        assert_eq!(all[0].class, ResourceClass::Objects);
        // Of one document both sides are the same.
        let all = of(&old, &old);
        assert_eq!((all.len(), &all[0].before), (1, &all[0].after));
    }

    #[test]
    fn who_is_named_by_one_document_alone_is_told_under_that_name_in_both() {
        let old = policy(&[allow(ROLE, &["s3:GetObject"])]);
        let new = policy(&[allow("*", &["s3:GetObject"])]);
        // What anyone may, the owner's account may too, whatever its identity policies say.
        assert_eq!(
            said(&of(&old, &new)),
            [
                "*  → s3:GetObject".to_owned(),
                "arn:aws:iam::123456789012:root  → s3:GetObject".to_owned(),
                format!("{ROLE} s3:GetObject → s3:GetObject"),
            ]
        );
    }

    #[test]
    fn what_is_denied_is_not_held_and_what_only_some_may_is_said_with_its_condition() {
        let mut only_tls = allow(ROLE, &["s3:GetObject"]);
        only_tls["Condition"] = json!({"Bool": {"aws:SecureTransport": "true"}});
        let deny = json!({"Sid": "D", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/*"});
        let new = policy(&[only_tls, allow(OWN, &["s3:PutObject", "s3:GetObject"]), deny]);
        let all = of(&Document::new(Vec::new()), &new);
        assert_eq!(said(&all), [format!("{OWN}  → s3:GetObject"), format!("{ROLE}  → s3:GetObject")]);
        assert_eq!(all[1].after[0].conditions, ["only over TLS"]);
    }
}
