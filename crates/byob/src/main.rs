//! The binary: parses arguments, runs one command, and turns its end into an exit code. One file a command; what a
//! command prints is made in `byob-render`.

mod cli;
mod commands;
mod contact;
mod failure;
mod github;
mod log;
mod place;
mod planning;
mod progress;
mod session;
mod stop;
mod terminal;
mod trail;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers; everything else is a usage error, which is 1.
            let code = if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
            failure::usage(&error);
            return code;
        }
    };
    let global = cli.global;
    log::begin(&global);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let help = "the system gave no more resources; end what is not needed and run again";
            return failure::Failure::said(format!("no runtime: {error}"), help).report(&global);
        }
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Validate => commands::validate::run(&global),
            Command::Plan(args) => commands::plan::run(&global, &args).await,
            Command::Apply(args) => commands::apply::run(&global, &args, false).await,
            Command::Destroy(args) => commands::apply::run(&global, &args, true).await,
            Command::Drift(args) => commands::drift::run(&global, &args).await,
            Command::Verify(args) => commands::verify::run(&global, &args).await,
            Command::Output(args) => commands::output::run(&global, &args).await,
            Command::Import(args) => commands::import::run(&global, &args).await,
            Command::State(args) => commands::state::run(&global, &args).await,
            Command::Policy(args) => commands::policy::run(&global, &args),
            Command::Sandbox(args) => commands::sandbox::run(&global, &args).await,
        }
    });
    let code = match outcome {
        Ok(code) => code,
        Err(failure) => failure.report(&global),
    };
    match terminal::unwritten() {
        Some(error) => {
            let help = "what was to be done is done; the output is not whole: make room and run a command that only reads";
            failure::Failure::said(format!("the output could not be written: {error}"), help).report(&global)
        }
        None => code,
    }
}
