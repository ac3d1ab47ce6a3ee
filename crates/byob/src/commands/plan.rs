//! `byob plan`: shows what would change; writes nothing but `--out`.

use std::process::ExitCode;

use byob_state::Store;

use crate::cli::{Global, PlanArgs, PlanFormat};
use crate::failure::Failure;
use crate::github;
use crate::planning::{Planner, header, mode};
use crate::session;
use crate::terminal;

pub(crate) async fn run(global: &Global, args: &PlanArgs) -> Result<ExitCode, Failure> {
    let session = session::open(global).await?;
    let record = session.store.load().await?;
    let recorded = record.recorded.clone().unwrap_or_default();
    let mode = mode(&args.select, args.destroy);
    super::apply::refuse_without_record(&session, record.recorded.as_ref(), &mode)?;
    if let Some(path) = &args.out {
        replaces_only_plans(path)?;
    }
    let planner = Planner::new(&session, mode.clone())?;
    let planned = planner.make(&recorded, session.settle).await?;
    let plan = &planned.plan;
    if let Some(path) = &args.out {
        write_private(path, &plan.to_json()).map_err(|source| Failure::File {
            doing: "write",
            path: path.clone(),
            source,
        })?;
    }
    let header = header(&session, &record, &mode, &planned.live, Some(plan));
    if matches!(args.format, PlanFormat::Json | PlanFormat::Sarif) {
        terminal::say_header(&header);
    }
    match args.format {
        PlanFormat::Text => {
            let style = terminal::plan_style(global, args.notes);
            terminal::print(&byob_render::plan_text(plan, &header, &style));
        }
        PlanFormat::Json => terminal::print(&plan.to_json()),
        PlanFormat::Markdown => terminal::print(&byob_render::plan_markdown(plan, &header)),
        PlanFormat::Html => terminal::print(&byob_render::plan_html(plan, &header)?),
        PlanFormat::Sarif => github::with_file(&session.loaded, |file| {
            terminal::print_json(&byob_render::plan_sarif(plan, file));
        }),
    }
    github::plan(&session, plan, &header);
    Ok(if plan.blocked() {
        ExitCode::FAILURE
    } else if args.detailed_exitcode && !plan.steps.is_empty() {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    })
}

/// A plan takes the place of an earlier plan and of nothing else: not of the record, the configuration or whatever was meant by
/// a slip.
fn replaces_only_plans(path: &std::path::Path) -> Result<(), Failure> {
    let regular = path.metadata().is_ok_and(|file| file.is_file() && file.len() > 0);
    let text = if regular { std::fs::read(path).unwrap_or_default() } else { return Ok(()) };
    let is_plan = serde_json::from_slice::<serde_json::Value>(&text)
        .is_ok_and(|value| value["digest"].is_string() && value["steps"].is_array());
    if is_plan {
        return Ok(());
    }
    Err(Failure::said(
        format!("`{}` is there already and is no plan; nothing was written", path.display()),
        "name another file with --out, or move that one away",
    ))
}

/// A plan names accounts, keys and policies: for its owner alone.
fn write_private(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
