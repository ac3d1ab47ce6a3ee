//! `byob import --recover`: whose the lost record was, what may not be looked at, and what a key counts as used by.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::{Kind, RootAddress, RootKind};
use byob_model::desired::Desired;
use byob_model::kind::BYOB_STACK;
use byob_model::live::{Live, LiveBucket, LiveKey};
use byob_model::recorded::Recorded;
use byob_plan::import::{self, Tagged};
use byob_state::{Store, Tools, put_back};
use uuid::Uuid;

use crate::cli::ImportArgs;
use crate::failure::Failure;
use crate::session::Session;
use crate::terminal;

/// The newest serial that the lost record is known to have had. A predecessor that can be read is better than what the
/// tags tell: it is refused to be passed over unless the lineage is named.
pub(super) async fn past(session: &Session, args: &ImportArgs, lineage: Uuid) -> Result<u64, Failure> {
    let kept = session.store.history().await?;
    let newest =
        kept.iter().filter(|kept| kept.lineage == Some(lineage)).filter_map(|kept| kept.serial).max();
    let readable = kept.iter().filter(|kept| kept.readable && kept.lineage == Some(lineage));
    if let (Some(serial), None) = (readable.filter_map(|kept| kept.serial).max(), args.from_lineage) {
        return Err(Failure::said(
            format!(
                "serial {serial} of the lost record is kept at {}, and knows more than the tags; nothing was recorded",
                session.store.location()
            ),
            format!(
                "put it back: {}; to rebuild it from the tags all the same: byob import --recover --from-lineage {lineage}",
                put_back(serial)
            ),
        ));
    }
    Ok(newest.unwrap_or_default())
}

/// Every key that lets W&B use it may hold data of any of its region's buckets: W&B keeps the use of it, and it is not deleted,
/// until those are empty.
pub(super) fn used_by_any(recorded: &mut Recorded, keys: &BTreeSet<String>) {
    for (address, resource) in &mut recorded.resources {
        if address.kind == Kind::Bucket {
            let here = keys.iter().filter(|arn| arn.split(':').nth(3) == Some(resource.region.as_str()));
            resource.keys_used.extend(here.cloned());
        }
    }
}

/// Insists that what a recovery finds may be looked at: what is hidden is not absent, and would be made again or left out.
pub(super) fn nothing_hidden(
    desired: &Desired,
    live: &Live,
    addresses: &[RootAddress],
) -> Result<(), Failure> {
    let hidden = |address: &&RootAddress| {
        let Some(root) = desired.roots.get(*address) else { return false };
        match address.kind {
            RootKind::Bucket => match live.buckets.get(&root.name) {
                Some(LiveBucket::Forbidden { listed, .. }) => *listed != Some(false),
                _ => false,
            },
            RootKind::Key => {
                let arn =
                    live.aliases.get(&(root.region.clone(), root.name.clone())).and_then(Option::as_ref);
                matches!(arn.and_then(|arn| live.keys.get(arn)), Some(LiveKey::Forbidden))
            }
        }
    };
    let Some(address) = addresses.iter().find(hidden) else { return Ok(()) };
    let (right, what) = match address.kind {
        RootKind::Bucket => ("s3:ListBucket and s3:GetBucketLocation", "another account's, or hidden"),
        RootKind::Key => ("kms:DescribeKey", "hidden"),
    };
    Err(Failure::said(
        format!("{address} is {what}: AWS does not let this caller look at it; nothing was recorded"),
        format!("give this caller {right}, or take its table out of byob.toml while the record is recovered"),
    ))
}

/// Insists that a key that was not found was looked for: without the right to, another one would be made.
pub(super) fn all_looked_at(
    desired: &Desired,
    live: &Live,
    addresses: &[RootAddress],
    tagged: &Tagged,
) -> Result<(), Failure> {
    let missing = |address: &&RootAddress| {
        address.kind == RootKind::Key && import::lineage(desired, live, address, tagged).is_none()
    };
    let Some(missing) = addresses.iter().find(missing) else { return Ok(()) };
    let refused = |action: &str| live.refused.iter().filter(|one| one.iam_action == action).count();
    if refused("kms:ListKeys") > 0 || refused("kms:ListAliases") > 0 {
        return Err(Failure::said(
            format!(
                "{missing} cannot be looked for: AWS refuses kms:ListKeys or kms:ListAliases; nothing was recorded"
            ),
            "give this caller both, or let somebody recover the record who has them",
        ));
    }
    let of_keys = ["kms:ListResourceTags", "kms:DescribeKey"];
    let unread = live.refused.iter().filter(|one| of_keys.contains(&one.iam_action.as_str()));
    let unread = unread.map(|one| &one.resource).collect::<BTreeSet<_>>().len();
    if unread > 0 {
        terminal::warn(&format!(
            "{} may not be looked at (kms:DescribeKey, kms:ListResourceTags): should {missing} be one of them, byob \
             import {missing} takes it, with those rights, before an apply makes another",
            if unread == 1 { "one key".to_owned() } else { format!("{unread} keys") }
        ));
    }
    Ok(())
}

/// The lineage that the lost record had: the one that what it made carries, as far as names and aliases lead to it. Tags
/// alone do not say it, and are shown.
pub(super) fn lost_lineage(
    session: &Session,
    args: &ImportArgs,
    (desired, live): (&Desired, &Live),
    addresses: &[RootAddress],
) -> Result<Uuid, Failure> {
    let none = Tagged::new();
    let carried = |address: &RootAddress| import::made_by(desired, live, address, &none);
    let found: BTreeMap<Uuid, String> =
        addresses.iter().filter_map(|address| Some((carried(address)?, address.to_string()))).collect();
    let offered = import::offered(desired, live, addresses);
    let said = |message: String, help: &str| {
        Err(Failure::Said {
            message: format!("{message}; nothing was recorded"),
            details: offered.clone(),
            help: vec![help.to_owned()],
            paste: String::new(),
            code: 1,
        })
    };
    if let Some(lineage) = args.from_lineage {
        if found.contains_key(&lineage) || offered.iter().any(|one| one.ends_with(&lineage.to_string())) {
            return Ok(lineage);
        }
        return said(
            format!("nothing that {} describes carries byob:lineage = {lineage}", session.loaded.file),
            "byob import --recover without --from-lineage says what is carried",
        );
    }
    let another = another_stack(desired, live);
    let mut all = found.iter();
    match (all.next(), all.next(), another) {
        (Some((lineage, _)), None, _) => Ok(*lineage),
        (None, ..) if !offered.is_empty() => said(
            format!("nothing that {} describes is found by its name or alias", session.loaded.file),
            "should one of these keys be this configuration's: byob import --recover --from-lineage UUID",
        ),
        (None, _, Some(stack)) => said(
            format!("what {} describes was made by another stack: {stack}", session.loaded.file),
            "if this stack was renamed: put that `stack` back, byob import --recover, byob apply, and rename it then",
        ),
        (None, ..) => said(
            format!("nothing that {} describes exists and carries the tag byob:lineage", session.loaded.file),
            "byob made nothing of it, or its tags are gone; byob import ADDRESS takes what exists",
        ),
        (Some(_), Some(_), _) => {
            let each: Vec<String> =
                found.iter().map(|(lineage, address)| format!("{lineage} ({address})")).collect();
            said(
                format!(
                    "what {} describes was made by several records: {}",
                    session.loaded.file,
                    each.join(", ")
                ),
                "say which of them is lost: byob import --recover --from-lineage UUID",
            )
        }
    }
}

/// The stack that made a bucket of this name, where that is another one.
fn another_stack(desired: &Desired, live: &Live) -> Option<String> {
    desired.roots.values().find_map(|root| match live.buckets.get(&root.name)? {
        LiveBucket::Exists(facts) => {
            facts.tags.get(BYOB_STACK).filter(|stack| **stack != desired.stack).cloned()
        }
        LiveBucket::Absent | LiveBucket::Forbidden { .. } => None,
    })
}

pub(super) fn several_keys((address, arns): (RootAddress, Vec<String>)) -> Failure {
    Failure::Said {
        message: format!("several keys say that they are {address}; nothing was recorded"),
        details: arns,
        help: vec![
            "find out which of them holds data; let the alias of that table point at it (aws kms create-alias), and \
             take the tag byob:address off the others"
                .to_owned(),
        ],
        paste: String::new(),
        code: 1,
    }
}
