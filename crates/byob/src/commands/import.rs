//! `byob import`: live roots that tables already describe go into the record as they are. Writes nothing to AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use byob_apply::Cloud;
use byob_model::address::{Kind, RootAddress, RootKind};
use byob_model::desired::Desired;
use byob_model::kind::{Alias, Attributes, is_our_sid};
use byob_model::live::{Live, LiveAspect, LiveBucket, LiveKey};
use byob_model::recorded::{Recorded, RecordedResource};
use byob_plan::import::{ImportError, Tagged};
use byob_plan::plan::RecordChange;
use byob_plan::{Mode, import, wanted};
use byob_state::{AssembleError, FormatError, JournalError, Loaded, Store, StoreError, Tools, put_back};
use uuid::Uuid;

use crate::cli::{Global, ImportArgs};
use crate::contact;
use crate::failure::Failure;
use crate::place;
use crate::planning::{Planner, header, resolve};
use crate::session::{self, Session};
use crate::terminal;

pub(crate) async fn run(global: &Global, args: &ImportArgs) -> Result<ExitCode, Failure> {
    let session = session::open(global).await?;
    let work = locked(global, args, &session);
    place::under_lock(&session.store, "byob import", args.lock_timeout, work).await
}

async fn locked(global: &Global, args: &ImportArgs, session: &Session) -> Result<ExitCode, Failure> {
    let lost = Loaded { recorded: None, journalled: false, lock: None };
    let record = match session.store.load().await {
        // The record is gone, or cannot be read; what it left behind does not count.
        Err(StoreError::Unusable {
            error:
                AssembleError::Gone
                | AssembleError::Journal(JournalError::Alone { .. })
                | AssembleError::Record(FormatError::Damaged { .. }),
            ..
        }) if args.recover => lost,
        loaded => loaded?,
    };
    if args.recover && record.recorded.is_some() {
        return Err(Failure::said(
            format!("there is a record at {}; nothing was written", session.store.location()),
            "--recover is for a record that is lost; byob import ADDRESS takes what this one lacks",
        ));
    }
    let mut recorded = record.recorded.clone().unwrap_or_default();
    let mut addresses = args.addresses.clone();
    if args.recover {
        addresses = resolve(session, &recorded)?.roots.into_keys().collect();
    }
    let placed = placeholders(session, &recorded, &addresses, args.recover)?;
    let desired = resolve(session, &placed)?;
    let mut first = wanted(Some(&desired), &recorded);
    if args.recover {
        // A key whose alias is gone, or was never made, is known by its tags.
        let keys = desired.roots.iter().filter(|(address, _)| address.kind == RootKind::Key);
        first.key_lineages = keys.map(|(_, root)| root.region.clone()).collect();
        // One that may not be looked at is this account's or not.
        first.buckets.values_mut().for_each(|bucket| bucket.recorded = true);
    }
    let mut live = session.cloud.read(&first).await?;
    let (mut tagged, mut lost) = (Tagged::new(), None);
    // One that a run left without its alias, too.
    let without_alias = |address: &&RootAddress| {
        let root = desired.roots.get(*address).filter(|_| address.kind == RootKind::Key);
        root.filter(|root| live.aliases.get(&(root.region.clone(), root.name.clone())) == Some(&None))
            .is_some()
    };
    let looked_for: BTreeSet<String> =
        addresses.iter().filter(without_alias).map(|address| desired.roots[address].region.clone()).collect();
    let own = args.from_lineage.or(recorded.lineage);
    if let Some(own) = own.filter(|_| !args.recover && !looked_for.is_empty()) {
        first.key_lineages = looked_for;
        live = session.cloud.read(&first).await?;
        tagged = import::tagged(&desired, &live, &addresses, own).map_err(several_keys)?;
        all_looked_at(&desired, &live, &addresses, &tagged)?;
    }
    if args.recover {
        nothing_hidden(&desired, &live, &addresses)?;
        let lineage = lost_lineage(session, args, (&desired, &live), &addresses)?;
        tagged = import::tagged(&desired, &live, &addresses, lineage).map_err(several_keys)?;
        all_looked_at(&desired, &live, &addresses, &tagged)?;
        lost = Some(lineage);
    }
    // Which aspects and tags an imported key has is known only once its alias has led to it.
    let mut again = wanted(Some(&desired), &recorded);
    for (alias, arn) in &live.aliases {
        let root = desired.roots.iter().find(|(_, r)| (&r.region, &r.name) == (&alias.0, &alias.1));
        if let (Some((address, _)), Some(arn)) = (root, arn)
            && addresses.contains(address)
        {
            let key = again.keys.entry(arn.clone()).or_default();
            key.aspects.extend([Kind::KeyPolicy, Kind::Rotation, Kind::KeyTags]);
        }
    }
    for arn in tagged.values() {
        let key = again.keys.entry(arn.clone()).or_default();
        key.aspects.extend([Kind::KeyPolicy, Kind::Rotation, Kind::KeyTags]);
    }
    let live = session.cloud.read(&again).await?;
    contact::refuse_unread(&live)?;
    if let Some(lineage) = lost {
        recorded.lineage = Some(lineage);
        recorded.serial = past(session, args, lineage).await?;
        let (lost, others): (Vec<_>, Vec<_>) = addresses
            .into_iter()
            .partition(|address| import::made_by(&desired, &live, address, &tagged) == Some(lineage));
        addresses = lost;
        for address in others {
            terminal::note(&format!(
                "{address} does not carry byob:lineage = {lineage} (a key the configuration's byob:stack too): not \
                 taken; if it exists, byob{} import {address} takes it",
                session::flags(global)
            ));
        }
    }
    let for_wandb = import::keys_for_wandb(&desired, &live, &addresses, &tagged);
    for address in &addresses {
        match import::import(&desired, &recorded, &live, address, (args.from_lineage, &tagged)) {
            // One key is not two tables'.
            Ok(changes) => take(&mut recorded, changes),
            Err(error @ ImportError::RecordedElsewhere { .. }) => {
                let ImportError::RecordedElsewhere { lineage, .. } = &error else { continue };
                let help = format!(
                    "find the record with that lineage (the tags byob:stack and byob:address say which configuration \
                     made it) and use it: two records with one bucket change and delete behind each other's backs; \
                     where it is lost for good: byob import {address} --from-lineage {lineage}"
                );
                return Err(Failure::said(format!("{error}; nothing was recorded"), help));
            }
            Err(error) => {
                return Err(Failure::said(
                    format!("{error}; nothing was recorded"),
                    "byob plan says how each bucket and key of byob.toml stands now",
                ));
            }
        }
    }
    if recorded.lineage.is_none() {
        recorded.lineage = Some(Uuid::new_v4());
    }
    if args.recover {
        used_by_any(&mut recorded, &for_wandb);
        session.store.replace(&mut recorded).await?;
        terminal::warn(&format!(
            "what is not in AWS's tags did not come back: unfinished approvals, which keys a bucket used in former times \
             ({}), what was forgotten; and should a record of lineage {} still be somewhere else, two would now change the \
             same buckets",
            match for_wandb.len() {
                0 => "no recovered key lets W&B use it".to_owned(),
                _ => "each counts as used by every bucket of its region that lets W&B use it".to_owned(),
            },
            recorded.lineage.unwrap_or_default()
        ));
    } else {
        session.store.save(&mut recorded).await?;
    }
    if let Some(lineage) = args.from_lineage.filter(|_| !args.recover) {
        terminal::warn(&format!(
            "what carries byob:lineage = {lineage} keeps that tag; should the record with that lineage still \
             exist, it takes it for its own as before"
        ));
    }
    let names: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    terminal::say(&format!(
        "{} {} into {}; nothing was written to AWS",
        if args.recover { "recovered" } else { "imported" },
        names.join(", "),
        session.store.location()
    ));
    for bucket in with_our_statements(&live, &desired, &addresses).into_iter().filter(|_| !args.recover) {
        terminal::note(&format!(
            "the policy of {bucket} has statements under byob's names already (WandbAccountAccess, Byob…): they \
             are byob's from now on; take them out of the tool that put them, or the two undo each other's work"
        ));
    }
    let planner = Planner::new(session, Mode::default())?;
    let planned = planner.make(&recorded, session.settle).await?;
    let record = session.store.load().await?;
    let header = header(session, &record, &Mode::default(), &planned.live, Some(&planned.plan));
    terminal::print(&byob_render::plan_text(&planned.plan, &header, &terminal::style(global)));
    Ok(ExitCode::SUCCESS)
}

/// Buckets whose live policy has statements that byob takes for its own: another configuration, or the Terraform module,
/// may have put them.
fn with_our_statements(live: &Live, desired: &Desired, addresses: &[RootAddress]) -> Vec<String> {
    let named = addresses.iter().filter_map(|address| desired.roots.get(address)).map(|root| &root.name);
    let ours = |name: &&String| match live.buckets.get(*name) {
        Some(LiveBucket::Exists(facts)) => match facts.aspects.get(&Kind::BucketPolicy) {
            Some(LiveAspect::Present(Attributes::Policy(policy))) => {
                policy.document.statements.iter().any(|s| is_our_sid(s.sid.as_deref()))
            }
            _ => false,
        },
        _ => false,
    };
    named.filter(ours).cloned().collect()
}

/// The newest serial that the lost record is known to have had. A predecessor that can be read is better than what the
/// tags tell: it is refused to be passed over unless the lineage is named.
async fn past(session: &Session, args: &ImportArgs, lineage: Uuid) -> Result<u64, Failure> {
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

fn take(recorded: &mut Recorded, changes: Vec<RecordChange>) {
    for change in changes {
        if let RecordChange::Put(address, resource) = change {
            recorded.resources.insert(address, resource);
        }
    }
}

/// Every key that lets W&B use it may hold data of any of its region's buckets: W&B keeps the use of it, and it is not deleted,
/// until those are empty.
fn used_by_any(recorded: &mut Recorded, keys: &BTreeSet<String>) {
    for (address, resource) in &mut recorded.resources {
        if address.kind == Kind::Bucket {
            let here = keys.iter().filter(|arn| arn.split(':').nth(3) == Some(resource.region.as_str()));
            resource.keys_used.extend(here.cloned());
        }
    }
}

/// Insists that what a recovery finds may be looked at: what is hidden is not absent, and would be made again or left out.
fn nothing_hidden(desired: &Desired, live: &Live, addresses: &[RootAddress]) -> Result<(), Failure> {
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
fn all_looked_at(
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
fn lost_lineage(
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
    let mut all = found.iter();
    match (all.next(), all.next()) {
        (Some((lineage, _)), None) => Ok(*lineage),
        (None, _) if !offered.is_empty() => said(
            format!("nothing that {} describes is found by its name or alias", session.loaded.file),
            "should one of these keys be this configuration's: byob import --recover --from-lineage UUID",
        ),
        (None, _) => said(
            format!("nothing that {} describes exists and carries the tag byob:lineage", session.loaded.file),
            "byob made nothing of it, or its tags are gone; byob import ADDRESS takes what exists",
        ),
        (Some(_), Some(_)) => {
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

fn several_keys((address, arns): (RootAddress, Vec<String>)) -> Failure {
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

/// The record as if these roots were imported already, so that the configuration resolves as it will then.
fn placeholders(
    session: &Session,
    recorded: &Recorded,
    addresses: &[RootAddress],
    created: bool,
) -> Result<Recorded, Failure> {
    let desired = resolve(session, recorded)?;
    let mut placed = recorded.clone();
    for address in addresses {
        let Some(root) = desired.roots.get(address) else { continue };
        if recorded.root(address).is_some() {
            continue;
        }
        let resource = |kind: Kind, attributes: &Attributes| RecordedResource {
            kind,
            account_id: desired.account_id.clone(),
            region: root.region.clone(),
            identity: root.name.clone(),
            attributes: attributes.to_value(),
            created: created && kind.is_root(),
            name_prefix: root.name_prefix.clone(),
            keys_used: BTreeSet::new(),
            versioning_seen: false,
        };
        placed.resources.insert(address.address(), resource(address.address().kind, &root.attributes));
        if address.kind == RootKind::Key {
            let alias = Attributes::Alias(Alias { name: root.name.clone() });
            placed.resources.insert(address.aspect(Kind::Alias), resource(Kind::Alias, &alias));
        }
    }
    Ok(placed)
}
