//! `byob output`: what to hand to W&B. From the record and the configuration; contacts nothing.

use std::process::ExitCode;

use byob_model::RootAddress;
use byob_model::kind::{Attributes, KeyRef};
use byob_model::recorded::Recorded;
use byob_state::Store;
use serde::Serialize;

use crate::cli::{Global, OutputArgs, OutputFormat};
use crate::failure::Failure;
use crate::session;
use crate::terminal;

/// One bucket, as W&B's forms ask for it.
#[derive(Debug, Serialize)]
struct Output {
    address: String,
    bucket: String,
    kms_key_arn: Option<String>,
    path: Option<String>,
    purpose: String,
    region: String,
    storage_address: String,
}

pub(crate) async fn run(global: &Global, args: &OutputArgs) -> Result<ExitCode, Failure> {
    let loaded = session::load(global)?;
    let store = crate::place::open(global, &loaded.config).await?;
    let recorded = store.load().await?.recorded.unwrap_or_default();
    let outputs: Vec<Output> = loaded
        .config
        .buckets
        .iter()
        // What W&B was taken out of is not handed to it.
        .filter(|(_, table)| table.wandb_access)
        .filter_map(|(label, table)| output(&recorded, label, table.path.as_deref()))
        .collect();
    let missing: Vec<String> = loaded
        .config
        .buckets
        .keys()
        .map(|label| RootAddress::bucket(label))
        .filter(|address| recorded.root(address).is_none())
        .map(|address| address.to_string())
        .collect();
    if !missing.is_empty() {
        return Err(Failure::said(
            format!("not recorded: {}", missing.join(", ")),
            "byob apply makes and records them; only what is recorded is handed to W&B",
        ));
    }
    match args.format {
        OutputFormat::Json => {
            terminal::print_json(&serde_json::json!({ "buckets": outputs }));
        }
        OutputFormat::Text => terminal::print(&text(&outputs)),
        OutputFormat::Env => terminal::print(&env(&outputs)),
    }
    Ok(ExitCode::SUCCESS)
}

/// What to hand over after an apply; empty where nothing is recorded.
pub(crate) fn hand_over(recorded: &Recorded, config: &byob_model::config::Configuration) -> String {
    let outputs: Vec<Output> = config
        .buckets
        .iter()
        .filter(|(_, table)| table.wandb_access)
        .filter_map(|(label, table)| output(recorded, label, table.path.as_deref()))
        .collect();
    if outputs.is_empty() {
        String::new()
    } else {
        format!("\nHand to W&B (byob output)\n{}", text(&outputs))
    }
}

fn output(recorded: &Recorded, label: &str, path: Option<&str>) -> Option<Output> {
    let address = RootAddress::bucket(label);
    let resource = recorded.root(&address)?;
    let Ok(Attributes::Bucket(bucket)) = resource.typed() else { return None };
    let encryption = recorded.resources.get(&address.aspect(byob_model::Kind::Encryption));
    let kms_key_arn = match encryption.and_then(|r| r.typed().ok()) {
        Some(Attributes::Encryption(encryption)) => match encryption.kms_key {
            Some(KeyRef::Arn(arn)) => Some(arn),
            _ => None,
        },
        _ => None,
    };
    let suffix = byob_model::partition_of(&bucket.region).map_or("amazonaws.com", |p| p.dns_suffix());
    let below = path.map(|p| format!("/{p}")).unwrap_or_default();
    Some(Output {
        address: address.to_string(),
        storage_address: format!("s3://s3.{0}.{suffix}/{1}{below}?region={0}", bucket.region, bucket.name),
        bucket: bucket.name,
        kms_key_arn,
        path: path.map(str::to_owned),
        purpose: bucket.purpose.as_str().to_owned(),
        region: bucket.region,
    })
}

fn text(outputs: &[Output]) -> String {
    let mut text = String::new();
    for output in outputs {
        text.push_str(&format!("  {}\n", output.address));
        let mut row = |name: &str, value: &str| text.push_str(&format!("    {name:<16} {value}\n"));
        row("bucket", &output.bucket);
        row("region", &output.region);
        if let Some(arn) = &output.kms_key_arn {
            row("KMS key", arn);
        }
        if let Some(path) = &output.path {
            row("path", path);
        }
        if output.purpose == "storage" {
            row("storage address", &output.storage_address);
        }
    }
    text
}

/// `BYOB_VISION_BUCKET=acme-wandb-vision`: names and ARNs need no quoting in a shell.
fn env(outputs: &[Output]) -> String {
    let mut text = String::new();
    for output in outputs {
        let label = output.address.trim_start_matches("bucket.").to_ascii_uppercase().replace('-', "_");
        let mut row = |name: &str, value: &str| text.push_str(&format!("BYOB_{label}_{name}={value}\n"));
        row("BUCKET", &output.bucket);
        row("REGION", &output.region);
        row("KMS_KEY_ARN", output.kms_key_arn.as_deref().unwrap_or(""));
        row("STORAGE_ADDRESS", &format!("'{}'", output.storage_address));
    }
    text
}
