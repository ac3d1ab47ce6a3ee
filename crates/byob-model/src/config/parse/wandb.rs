//! `[wandb]`: which W&B it is, who it is, and where it comes from.
//!
//! Source: W&B documentation, "Bring your own bucket" (the two principals).

use std::collections::BTreeSet;

use byob_policy::arn::Partition;

use super::reader::Table;
use super::{Context, network, principal, shape};
use crate::config::{Deployment, Wandb};

const DEPLOYMENTS: [(&str, Deployment); 3] = [
    ("multi-tenant-cloud", Deployment::MultiTenantCloud),
    ("dedicated-cloud", Deployment::DedicatedCloud),
    ("self-managed", Deployment::SelfManaged),
];

/// W&B's own accounts are in the commercial partition.
fn default_principal(deployment: Deployment) -> Option<&'static str> {
    match deployment {
        Deployment::MultiTenantCloud => Some("arn:aws:iam::725579432336:role/WandbIntegration"),
        Deployment::DedicatedCloud => Some("arn:aws:iam::830241207209:root"),
        Deployment::SelfManaged => None,
    }
}

/// Sets the context's deployment, too.
pub(super) fn wandb(context: &mut Context<'_>, file: &mut Table<'_>) -> Wandb {
    let Context { report, partition, .. } = context;
    // What an error leaves behind; nobody sees it.
    let mut wandb = Wandb {
        deployment: Deployment::SelfManaged,
        principals: BTreeSet::new(),
        principals_given: false,
        egress: BTreeSet::new(),
    };
    let Some(mut table) = file.require(report, "wandb").and_then(|field| field.table(report, &shape::WANDB))
    else {
        return wandb;
    };
    let deployment = table.require(report, "deployment");
    let known = deployment.as_ref().and_then(|field| field.one_of(report, &DEPLOYMENTS));
    context.deployment = known;
    if let Some(field) = table.take(report, "principals") {
        wandb.principals_given = true;
        wandb.principals = principal::principals(&field, report, *partition);
        if field.value.as_array().is_some_and(|list| list.is_empty()) {
            let help = match known {
                Some(Deployment::MultiTenantCloud | Deployment::DedicatedCloud) => {
                    "leave it out to grant the deployment's own principal".to_owned()
                }
                _ => field.help(),
            };
            field.error(report, "`principals` is empty", "nobody would be granted access", help);
        }
    }
    if let (Some(field), Some(known)) = (deployment, known) {
        wandb.deployment = known;
        match default_principal(known) {
            _ if wandb.principals_given => {}
            None => {
                let role = format!("arn:{partition}:iam::123456789012:role/wandb");
                let help = format!("add `principals = [\"{role}\"]`: the role that your W&B runs as");
                field.error(report, "a self-managed W&B has no `principals`", "needs `principals`", help);
            }
            Some(_) if *partition != Partition::Aws => {
                let message = format!("W&B's own account cannot reach a bucket in {partition}");
                let help = format!("name your W&B's identity in {partition} in `principals`");
                field.error(report, message, "this W&B lives in the partition aws", help);
            }
            Some(principal) => wandb.principals = BTreeSet::from([principal.to_owned()]),
        }
    }
    if let Some(field) = table.take(report, "egress") {
        wandb.egress = network::networks(&field, report);
    }
    table.finish(report);
    wandb
}
