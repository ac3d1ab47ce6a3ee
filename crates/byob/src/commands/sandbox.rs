//! `byob sandbox serve|reset`: the embedded AWS by itself.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use byob_sandbox::{Faults, Options, Sandbox, Seed};

use crate::cli::{Global, SandboxArgs, SandboxCommand};
use crate::failure::Failure;
use crate::session;
use crate::terminal;

pub(crate) async fn run(global: &Global, args: &SandboxArgs) -> Result<ExitCode, Failure> {
    let dir = global.sandbox.clone().unwrap_or_else(|| PathBuf::from(session::SANDBOX_DIR));
    match args.command {
        SandboxCommand::Reset => {
            Sandbox::reset(&dir)?;
            let record = dir.join("record");
            match std::fs::remove_dir_all(&record) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Failure::File { doing: "remove", path: record, source });
                }
                _ => {}
            }
            terminal::say(&format!("the sandbox in {} is empty again", dir.display()));
            Ok(ExitCode::SUCCESS)
        }
        SandboxCommand::Serve { port } => {
            // The account is the configuration's where there is one.
            let account_id = session::load(global)
                .ok()
                .and_then(|l| l.config.aws.account_id.map(|a| a.to_string()))
                .unwrap_or_else(|| "123456789012".to_owned());
            let faults = match std::env::var("BYOB_SANDBOX_FAULTS") {
                Ok(spec) if !spec.is_empty() => Faults::parse(&spec)?,
                _ => Faults::default(),
            };
            let options = Options { dir: Some(dir), account_id, seed: Seed::default(), faults };
            let sandbox = Sandbox::open(options).await?;
            let ready = |address: SocketAddr| {
                terminal::say("SANDBOX: an embedded stand-in for AWS; nothing here is real");
                terminal::print(&format!("http://{address}\n"));
                terminal::say(
                    "use it with AWS_ENDPOINT_URL, any credentials, and path-style addresses; interrupt to end it",
                );
            };
            let end = async {
                let _ = tokio::signal::ctrl_c().await;
            };
            sandbox.serve(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), ready, end).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
