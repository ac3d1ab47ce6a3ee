//! How a command ends when it does not end well: every error of every room, turned into one message with help lines and
//! an exit code.

use std::path::PathBuf;
use std::process::ExitCode;

use byob_apply::{ApplyError, CloudError};
use byob_model::diagnostic::Diagnostic;
use byob_plan::event::Answer;
use byob_render::Level;
use byob_state::StoreError;

use crate::cli::Global;
use crate::github;
use crate::log;
use crate::session;
use crate::terminal;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The configuration file cannot be read.
    #[error("cannot read {path}: {source}")]
    Config {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The configuration is wrong.
    #[error("the configuration is wrong")]
    Diagnostics {
        /// Its name.
        file: String,
        /// Its text.
        text: String,
        /// What is wrong.
        diagnostics: Vec<Diagnostic>,
    },
    /// AWS said no, or could not be reached.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// The record.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sandbox.
    #[error(transparent)]
    Sandbox(#[from] byob_sandbox::SandboxError),
    /// A file to write or read.
    #[error("cannot {doing} {path}: {source}")]
    File {
        /// `write`, `read`.
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A page of HTML: a defect.
    #[error(transparent)]
    Page(#[from] byob_render::HtmlError),
    /// Anything that a sentence and help lines say.
    #[error("{message}")]
    Said {
        /// The sentence.
        message: String,
        /// More lines.
        details: Vec<String>,
        /// What to do.
        help: Vec<String>,
        /// Text to paste elsewhere, printed as it is behind the help.
        paste: String,
        /// 1 or 2.
        code: u8,
    },
}

impl From<ApplyError> for Failure {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Store(error) => Self::Store(error),
            ApplyError::Cloud(error) => Self::Cloud(error),
        }
    }
}

impl Failure {
    /// A sentence with one help line, exit code 1.
    pub(crate) fn said(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Said {
            message: message.into(),
            details: Vec::new(),
            help: vec![help.into()],
            paste: String::new(),
            code: 1,
        }
    }

    /// Says it and gives the exit code.
    pub(crate) fn report(self, global: &Global) -> ExitCode {
        let style = terminal::talk_style(global);
        if let Self::Diagnostics { file, text, diagnostics } = &self {
            if log::is_json() {
                for one in diagnostics {
                    log::write(Level::Error, "error", byob_render::log_diagnostic(file, text, one));
                }
            } else {
                let text = byob_render::diagnostic::render(file, text, diagnostics, style.color, style.width);
                terminal::line(text.trim_end());
            }
            github::diagnostics(file, text, diagnostics);
            return ExitCode::FAILURE;
        }
        let account = self.account(global);
        github::failure(&account.message, &account.details, &account.help);
        if log::is_json() {
            let mut fields = log::fields([
                ("message", account.message.into()),
                ("details", account.details.into()),
                ("help", account.help.into()),
                ("paste", Some(account.paste).filter(|paste| !paste.is_empty()).into()),
                ("exit_code", account.code.into()),
            ]);
            fields.extend(account.answer.iter().flat_map(byob_render::of_answer));
            log::write(Level::Error, "error", fields);
        } else {
            let text = byob_render::error_text(&account.message, &account.details, &account.help, &style);
            terminal::line(text.trim_end());
            if !account.paste.is_empty() {
                terminal::line(&account.paste);
            }
        }
        ExitCode::from(account.code)
    }

    fn account(self, global: &Global) -> Account {
        let message = match &self {
            Self::Config { path, source } if source.kind() == std::io::ErrorKind::NotFound => {
                format!("there is no {}", path.display())
            }
            _ => self.to_string(),
        };
        // The first line says what, the others say more.
        let mut lines = message.lines();
        let first = lines.next().unwrap_or_default().to_owned();
        let more = lines.map(|line| line.trim().to_owned()).collect();
        let mut account = Account { message: first, details: more, code: 1, ..Account::default() };
        match self {
            Self::Config { source, .. } => {
                let looked = std::env::current_dir().map(|d| format!("looked in {}", d.display()));
                account.details.extend(looked);
                if source.kind() == std::io::ErrorKind::NotFound {
                    account.help = vec![
                        "start from the example: cp byob.toml.example byob.toml".to_owned(),
                        "or name another file: byob -c FILE …".to_owned(),
                    ];
                }
            }
            Self::Cloud(error) => {
                account.answer = Some(error.answer());
                account.help = error.help;
            }
            Self::Store(error) => account.help = error.help().into_iter().collect(),
            Self::Said { details, help, paste, code, .. } => {
                account.details.extend(details);
                (account.help, account.paste, account.code) = (help, paste, code);
            }
            Self::Diagnostics { .. } | Self::Sandbox(_) | Self::File { .. } | Self::Page(_) => {}
        }
        // The command that mends it has to be about the same record.
        let flags = session::flags(global);
        for help in &mut account.help {
            for command in ["state", "import"] {
                *help = help.replace(&format!("byob {command} "), &format!("byob{flags} {command} "));
            }
        }
        account
    }
}

/// A failure as it is told.
#[derive(Debug, Default)]
struct Account {
    message: String,
    details: Vec<String>,
    help: Vec<String>,
    paste: String,
    code: u8,
    /// AWS's, where it was that.
    answer: Option<Answer>,
}

/// A command line that cannot be understood, or that asked for help: clap says it. Nothing is parsed, so how to talk is
/// looked up in the arguments as they are.
pub(crate) fn usage(error: &clap::Error) {
    log::begin_by_arguments();
    if error.use_stderr() && log::is_json() {
        let text = error.render().to_string();
        let message = text.trim().trim_start_matches("error: ");
        log::write(
            Level::Error,
            "error",
            log::fields([("message", message.into()), ("exit_code", 1.into())]),
        );
    } else {
        // A closed pipe is no error of ours.
        let _ = error.print();
    }
}
