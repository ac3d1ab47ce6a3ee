//! `byob state …`: the record's own tools. They contact nothing but the record's place.

mod init;
pub(crate) mod kept;
mod migrate;

use std::process::ExitCode;

use byob_model::RootAddress;
use byob_model::config::State;
use byob_model::recorded::Recorded;
use byob_policy::AccountId;
use byob_render::escape::escape;
use byob_state::Store;
use uuid::Uuid;

use crate::cli::{Global, StateArgs, StateCommand};
use crate::failure::Failure;
use crate::place::{self, RecordStore};
use crate::session;
use crate::terminal;

pub(crate) async fn run(global: &Global, args: &StateArgs) -> Result<ExitCode, Failure> {
    let loaded = session::load(global)?;
    let store = place::open(global, &loaded.config).await?;
    match &args.command {
        StateCommand::List => {
            let recorded = known(&store).await?;
            for (address, resource) in &recorded.resources {
                let identity = if address.kind.is_root() { resource.identity.as_str() } else { "" };
                terminal::print(&format!("{address}  {}\n", escape(identity)).replace("  \n", "\n"));
            }
        }
        StateCommand::Show { address } => {
            let recorded = known(&store).await?;
            let Some(resource) = recorded.resources.get(address) else {
                return Err(Failure::said(
                    format!("{address} is not recorded"),
                    "byob state list says what is",
                ));
            };
            terminal::print_json(resource);
        }
        StateCommand::Mv { from, to, lock_timeout } => {
            place::under_lock(&store, "byob state mv", *lock_timeout, rename(&store, from, to)).await?;
            terminal::say(&format!("{from} is recorded as {to} now; nothing was written to AWS"));
        }
        StateCommand::Rm { address, lock_timeout } => {
            place::under_lock(&store, "byob state rm", *lock_timeout, take_out(&store, address)).await?;
        }
        StateCommand::Pull { serial } => kept::pull(&store, *serial).await?,
        StateCommand::Push { file, force, lock_timeout } => {
            let given = kept::given(file)?;
            let push = kept::push(&store, given, *force);
            place::under_lock(&store, "byob state push", *lock_timeout, push).await?;
        }
        StateCommand::History => kept::history(&store).await?,
        StateCommand::Unlock { id } => unlock(&store, *id).await?,
        StateCommand::Migrate { .. } if global.sandbox.is_some() => {
            return Err(Failure::said(
                "--sandbox has a record of its own, and no real one moves into it or out of it",
                "leave --sandbox out",
            ));
        }
        StateCommand::Migrate { from, lock_timeout } => {
            let from = migrate::source(global, &loaded.config, from).await?;
            migrate::run(&store, &from, *lock_timeout).await?;
        }
        StateCommand::Init { complete } => match (&store, &loaded.config.state) {
            (RecordStore::S3(store), State::S3(state)) => {
                let account = loaded.config.aws.account_id.as_ref().map(AccountId::as_str);
                let own_identity = state.profile.is_some() || state.assume_role.is_some();
                init::run(store, account.filter(|_| !own_identity), state.kms_key.as_deref(), *complete)
                    .await?;
            }
            _ => terminal::say(&format!(
                "✓ nothing to do: the record is a file, {}; the first byob apply makes it and its folder",
                store.location()
            )),
        },
    }
    Ok(ExitCode::SUCCESS)
}

/// Drops a root and its aspects from the record.
async fn take_out(store: &RecordStore, address: &RootAddress) -> Result<(), Failure> {
    let mut recorded = known(store).await?;
    let taken = recorded.take_out(address).map_err(|error| {
        Failure::said(format!("{error}; nothing was written"), "byob state list says what is recorded")
    })?;
    store.save(&mut recorded).await?;
    for address in &taken {
        terminal::print(&format!("{address}\n"));
    }
    terminal::say(&format!(
        "✓ {address} is not recorded any more; it stands in AWS as it was, and byob import {address} takes it back"
    ));
    Ok(())
}

/// Takes the lock away from a run that is gone.
async fn unlock(store: &RecordStore, id: Uuid) -> Result<(), Failure> {
    let RecordStore::S3(store) = store else {
        return Err(Failure::said(
            format!(
                "the lock of {} is the operating system's, and ends with the process that has it",
                store.location()
            ),
            "end that process; nothing else holds it",
        ));
    };
    if store.unlock(id).await? {
        terminal::say(&format!("✓ nobody holds the lock of {} any more", store.location()));
    } else {
        terminal::say(&format!("✓ nothing to do: nobody holds the lock of {}", store.location()));
    }
    Ok(())
}

async fn known(store: &RecordStore) -> Result<Recorded, Failure> {
    store.load().await?.recorded.ok_or_else(|| {
        Failure::said(
            format!("there is no record at {}", store.location()),
            "`byob apply` makes the first one; where there was one, byob state history says what is kept of it, and \
             byob import --recover rebuilds it",
        )
    })
}

async fn rename(store: &RecordStore, from: &RootAddress, to: &RootAddress) -> Result<(), Failure> {
    let mut recorded = known(store).await?;
    if from.kind != to.kind {
        return Err(Failure::said(
            format!("{from} cannot become {to}"),
            "a bucket stays a bucket, and a key a key",
        ));
    }
    if recorded.root(from).is_none() {
        return Err(Failure::said(format!("{from} is not recorded"), "byob state list says what is"));
    }
    if recorded.root(to).is_some() {
        return Err(Failure::said(format!("{to} is recorded already"), "move that one away first"));
    }
    let resources = std::mem::take(&mut recorded.resources);
    recorded.resources = resources
        .into_iter()
        .map(|(address, resource)| {
            let moved = if address.root() == *from { to.aspect(address.kind) } else { address };
            (moved, resource)
        })
        .collect();
    for intent in recorded.intents.iter_mut().filter(|intent| intent.address == *from) {
        intent.address = to.clone();
    }
    store.save(&mut recorded).await?;
    Ok(())
}
