//! `byob state list|show|mv`: the record's own tools, as far as this version has them. Contact nothing but the record.

use std::process::ExitCode;

use byob_model::RootAddress;
use byob_model::recorded::Recorded;
use byob_render::escape::escape;
use byob_state::Store;

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
    }
    Ok(ExitCode::SUCCESS)
}

async fn known(store: &RecordStore) -> Result<Recorded, Failure> {
    store.load().await?.recorded.ok_or_else(|| {
        Failure::said(
            format!("there is no record at {}", store.location()),
            "`byob apply` makes the first one",
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
