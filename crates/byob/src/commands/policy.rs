//! `byob policy diff|compare|access|check`: the policy brain on files. Contacts nothing, reads no configuration.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::Path;
use std::process::ExitCode;

use byob_model::kind::{Policy, Purpose};
use byob_model::name::check_bucket_name;
use byob_plan::rules::Terms;
use byob_policy::{
    AccountId, Circumstances, Decision, Document, Guarded, Identity, Owner, Request, Requester, Verdict,
    compare, evaluate,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::{AccessArgs, CheckArgs, CheckFormat, Format, Global, PolicyArgs, PolicyCommand, PurposeArg};
use crate::failure::Failure;
use crate::terminal;

/// The answer "no".
const NO: u8 = 2;
/// The answer that could not be given.
const CANNOT_TELL: u8 = 3;

pub(crate) fn run(global: &Global, args: &PolicyArgs) -> Result<ExitCode, Failure> {
    match &args.command {
        PolicyCommand::Diff { a, b, format } => diff(global, a, b, *format),
        PolicyCommand::Compare { old, new, resource_account, format } => {
            compared(old, new, resource_account.as_deref(), *format)
        }
        PolicyCommand::Access(args) if args.batch => batch(),
        PolicyCommand::Access(args) => access(args),
        PolicyCommand::Check(args) => check(global, args),
    }
}

fn read(path: &Path) -> Result<Document, Failure> {
    read_with_text(path).map(|(document, _)| document)
}

fn read_with_text(path: &Path) -> Result<(Document, String), Failure> {
    let text = std::fs::read_to_string(path).map_err(|source| Failure::File {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    let document = Document::parse(&text).map_err(|error| {
        let place = format!("{}:{}:{}", path.display(), error.line, error.column);
        Failure::said(format!("{place}: {}", error.message()), error.help())
    })?;
    Ok((document, text))
}

fn check(global: &Global, args: &CheckArgs) -> Result<ExitCode, Failure> {
    if let Err(error) = check_bucket_name(&args.bucket) {
        return Err(Failure::said(
            format!("`{}` is no name of a bucket: {error}", args.bucket),
            "write --bucket acme-wandb",
        ));
    }
    let account = account(args.account.as_deref())?;
    let (document, text) = read_with_text(&args.file)?;
    let purpose = match args.purpose {
        PurposeArg::Storage => Purpose::Storage,
        PurposeArg::Reference => Purpose::Reference,
    };
    let path = args.path.as_deref().map(|path| path.trim_matches('/')).filter(|path| !path.is_empty());
    let terms = Terms { bucket: &args.bucket, account: account.as_ref(), purpose, path };
    let checked = byob_plan::rules::check(&document, &terms);
    let file = args.file.to_string_lossy();
    match args.format {
        CheckFormat::Text => {
            terminal::print(&byob_render::policy_checked(&file, &checked, &terminal::style(global)));
        }
        CheckFormat::Json => terminal::print_json(&checked),
        CheckFormat::Sarif => {
            let lines = Document::statement_lines(&text);
            terminal::print_json(&byob_render::policy_sarif(&file, &checked, &lines));
        }
    }
    Ok(if checked.has_errors() { ExitCode::from(NO) } else { ExitCode::SUCCESS })
}

fn diff(global: &Global, a: &Path, b: &Path, format: Format) -> Result<ExitCode, Failure> {
    let (a, b) = (read(a)?, read(b)?);
    let same = a.equals(&b);
    match format {
        Format::Json => {
            terminal::print_json(&json!({ "same": same, "a": a.canonical(), "b": b.canonical() }));
        }
        Format::Text if same => terminal::print("the same meaning\n"),
        Format::Text => {
            let (a, b) = (Policy { document: a }, Policy { document: b });
            terminal::print(&byob_render::policy_diff(&a, &b, &terminal::style(global)));
        }
    }
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::from(NO) })
}

fn account(text: Option<&str>) -> Result<Option<AccountId>, Failure> {
    let no_account = |text: &str| Failure::said(format!("`{text}` is no account id"), "it has twelve digits");
    text.map(|text| text.parse().map_err(|_| no_account(text))).transpose()
}

/// A policy hangs on a key if it speaks of keys, else on a bucket.
fn guarded(documents: &[&Document]) -> Guarded {
    let mut actions = documents.iter().flat_map(|d| &d.statements).flat_map(|s| s.action.actions());
    let of_keys =
        |action: &String| action.get(..4).is_some_and(|service| service.eq_ignore_ascii_case("kms:"));
    if actions.any(of_keys) { Guarded::Key } else { Guarded::Bucket }
}

fn compared(old: &Path, new: &Path, owner: Option<&str>, format: Format) -> Result<ExitCode, Failure> {
    let (old, new) = (read(old)?, read(new)?);
    let owner = Owner { guarded: guarded(&[&old, &new]), account: account(owner)? };
    let (word, witness, reason, code) = match compare(&old, &new, &owner) {
        Verdict::Within => ("no new access", Value::Null, Value::Null, 0),
        Verdict::Beyond(witness) => ("new access", json!(witness.request.to_string()), Value::Null, NO),
        Verdict::CannotTell { reason } => ("cannot tell", Value::Null, json!(reason), CANNOT_TELL),
    };
    match format {
        Format::Json => {
            terminal::print_json(&json!({ "verdict": word, "witness": witness, "reason": reason }));
        }
        Format::Text => {
            let more = [&witness, &reason].into_iter().find_map(Value::as_str);
            let line = match more {
                None => format!("{word}: proved\n"),
                Some(more) if code == NO => {
                    format!("{word}, for example: {}\n", byob_render::escape::escape(more))
                }
                Some(more) => format!("{word}: {}\n", byob_render::escape::escape(more)),
            };
            terminal::print(&line);
        }
    }
    Ok(ExitCode::from(code))
}

fn access(args: &AccessArgs) -> Result<ExitCode, Failure> {
    let (Some(file), Some(principal), Some(action), Some(resource)) =
        (&args.file, &args.principal, &args.action, &args.resource)
    else {
        return Err(Failure::said(
            "a policy file, --principal, --action and --resource are needed",
            "or --batch",
        ));
    };
    let document = read(file)?;
    let requester: Requester = principal.parse().map_err(|_| {
        Failure::said(
            format!("`{principal}` is nobody who could ask"),
            "an ARN, an account id, a service such as lambda.amazonaws.com, or `anonymous`",
        )
    })?;
    let mut context: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in &args.context {
        let (key, value) = entry.split_once('=').ok_or_else(|| {
            Failure::said(format!("`{entry}` is no context"), "write --context aws:SecureTransport=true")
        })?;
        context.entry(key.to_owned()).or_default().push(value.to_owned());
    }
    let request = Request::new(requester, action, resource, context);
    let identity = if args.identity_allows { Identity::Everything } else { Identity::Nothing };
    let owner = account(args.resource_account.as_deref())?;
    let decision =
        evaluate(&document, &request, &Circumstances::new(Guarded::by_action(action), owner, identity));
    terminal::print(&format!("{}\n{}\n", word(&decision), why(&document, &decision)));
    Ok(if decision.is_allowed() { ExitCode::SUCCESS } else { ExitCode::from(NO) })
}

fn word(decision: &Decision) -> &'static str {
    if decision.is_allowed() { "allow" } else { "deny" }
}

/// The reason, and the statements that decide, by `Sid` or by position (from 1).
fn why(document: &Document, decision: &Decision) -> String {
    let named = decision.deciding.iter().map(|&index| {
        let sid = document.statements.get(index).and_then(|statement| statement.sid.clone());
        sid.map_or_else(
            || format!("statement {}", index + 1),
            |sid| byob_render::escape::escape(&sid).into_owned(),
        )
    });
    let named: Vec<String> = named.collect();
    if named.is_empty() {
        format!("  {}", decision.reason)
    } else {
        format!("  {} ({})", decision.reason, named.join(", "))
    }
}

/// One line of `--batch`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Question {
    policy: Value,
    principal: String,
    action: String,
    resource: String,
    #[serde(default)]
    resource_account: Option<String>,
    #[serde(default)]
    identity_allows_all: bool,
    #[serde(default)]
    context: BTreeMap<String, Value>,
}

/// Answers every line; one that cannot be read is answered with `error`, and the rest go on.
fn batch() -> Result<ExitCode, Failure> {
    let failed = |source| Failure::File { doing: "read", path: "stdin".into(), source };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    // Many requests are asked of one policy: it is taken apart once.
    let mut last: Option<(Value, Document)> = None;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(failed)?;
        let answer = answer(&line, &mut last).unwrap_or("error");
        writeln!(out, "{answer}").map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}

fn answer(line: &str, last: &mut Option<(Value, Document)>) -> Option<&'static str> {
    let question: Question = serde_json::from_str(line).ok()?;
    let document = match last {
        Some((value, document)) if *value == question.policy => document,
        _ => {
            // A policy may stand there as an object or as its text.
            let document = match &question.policy {
                Value::String(text) => Document::parse(text).ok()?,
                value => Document::from_value(value).ok()?,
            };
            &mut last.insert((question.policy.clone(), document)).1
        }
    };
    let values = |value: Value| match value {
        Value::Array(values) => values.iter().map(text).collect::<Option<Vec<String>>>(),
        value => text(&value).map(|value| vec![value]),
    };
    let context: BTreeMap<String, Vec<String>> = question
        .context
        .into_iter()
        .map(|(key, value)| Some((key, values(value)?)))
        .collect::<Option<_>>()?;
    let owner: Option<AccountId> = match &question.resource_account {
        None => None,
        Some(account) => Some(account.parse().ok()?),
    };
    let identity = if question.identity_allows_all { Identity::Everything } else { Identity::Nothing };
    let guarded = Guarded::by_action(&question.action);
    let request =
        Request::new(question.principal.parse().ok()?, &question.action, &question.resource, context);
    Some(word(&evaluate(document, &request, &Circumstances::new(guarded, owner, identity))))
}

/// Strings, numbers and booleans are context values; anything else is none.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}
