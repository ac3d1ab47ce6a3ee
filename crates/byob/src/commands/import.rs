//! `byob import`: live roots that tables already describe go into the record as they are. Writes nothing to AWS.

mod recovery;

use std::collections::BTreeSet;
use std::process::ExitCode;

use byob_apply::Cloud;
use byob_model::address::{Kind, RootAddress, RootKind};
use byob_model::desired::Desired;
use byob_model::kind::{Alias, Attributes, is_our_sid};
use byob_model::live::{Live, LiveAspect, LiveBucket};
use byob_model::recorded::{Recorded, RecordedResource};
use byob_plan::import::{ImportError, Tagged};
use byob_plan::plan::RecordChange;
use byob_plan::{Mode, import, wanted};
use byob_state::{AssembleError, FormatError, JournalError, Loaded, Store, StoreError, Tools};
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
        tagged = import::tagged(&desired, &live, &addresses, own).map_err(recovery::several_keys)?;
        recovery::all_looked_at(&desired, &live, &addresses, &tagged)?;
    }
    if args.recover {
        recovery::nothing_hidden(&desired, &live, &addresses)?;
        let lineage = recovery::lost_lineage(session, args, (&desired, &live), &addresses)?;
        tagged = import::tagged(&desired, &live, &addresses, lineage).map_err(recovery::several_keys)?;
        recovery::all_looked_at(&desired, &live, &addresses, &tagged)?;
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
    let found = live;
    let live = session.cloud.read(&again).await?;
    contact::refuse_unread(&live)?;
    if let Some(lineage) = lost {
        recorded.lineage = Some(lineage);
        recorded.serial = recovery::past(session, args, lineage).await?;
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
    if let Some(lineage) = recorded.lineage.filter(|_| args.recover) {
        for key in import::unclaimed(&desired, &found, &recorded, lineage) {
            terminal::warn(&format!(
                "{key} is this stack's and no table's: it may hold data, and no record knows it. Give it a table whose alias \
                 points at it, and byob import that"
            ));
        }
    }
    if args.recover {
        recovery::used_by_any(&mut recorded, &for_wandb);
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

fn take(recorded: &mut Recorded, changes: Vec<RecordChange>) {
    for change in changes {
        if let RecordChange::Put(address, resource) = change {
            recorded.resources.insert(address, resource);
        }
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
