//! `byob validate`: the configuration without AWS.

use std::process::ExitCode;

use crate::cli::Global;
use crate::failure::Failure;
use crate::session;
use crate::terminal;

pub(crate) fn run(global: &Global) -> Result<ExitCode, Failure> {
    let loaded = session::load(global)?;
    let (buckets, keys) = (loaded.config.buckets.len(), loaded.config.keys.len());
    terminal::print(&format!(
        "{} is valid: {}, {}\n",
        loaded.file,
        count(buckets, "bucket"),
        count(keys, "key")
    ));
    Ok(ExitCode::SUCCESS)
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
