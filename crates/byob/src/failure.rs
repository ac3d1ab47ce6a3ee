//! How a command ends when it does not end well: every error of every room, turned into one message with help lines and
//! an exit code.

use std::path::PathBuf;
use std::process::ExitCode;

use byob_apply::{ApplyError, CloudError};
use byob_model::diagnostic::Diagnostic;
use byob_state::StoreError;

use crate::cli::Global;
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

    /// Prints it and gives the exit code.
    pub(crate) fn report(self, global: &Global) -> ExitCode {
        let style = terminal::talk_style(global);
        let message = self.to_string();
        let mut pasted = String::new();
        let (mut details, help, code) = match self {
            Self::Diagnostics { file, text, diagnostics } => {
                let text =
                    byob_render::diagnostic::render(&file, &text, &diagnostics, style.color, style.width);
                terminal::say(text.trim_end());
                return ExitCode::FAILURE;
            }
            Self::Config { path, source } => {
                let help = if source.kind() == std::io::ErrorKind::NotFound {
                    vec![
                        "start from the example: cp byob.toml.example byob.toml".to_owned(),
                        "or name another file: byob -c FILE …".to_owned(),
                    ]
                } else {
                    Vec::new()
                };
                let message = if source.kind() == std::io::ErrorKind::NotFound {
                    format!("there is no {}", path.display())
                } else {
                    format!("cannot read {}: {source}", path.display())
                };
                let looked = std::env::current_dir().map(|d| format!("looked in {}", d.display()));
                terminal::say(
                    byob_render::error_text(&message, &looked.into_iter().collect::<Vec<_>>(), &help, &style)
                        .trim_end(),
                );
                return ExitCode::FAILURE;
            }
            Self::Cloud(error) => (Vec::new(), error.help, 1),
            // The command that mends it has to be about the same record.
            Self::Store(error) => {
                let own = format!("byob{} state ", session::flags(global));
                (
                    Vec::new(),
                    error.help().map(|help| help.replace("byob state ", &own)).into_iter().collect(),
                    1,
                )
            }
            Self::Said { details, help, paste, code, .. } => {
                pasted = paste;
                (details, help, code)
            }
            Self::Sandbox(_) | Self::File { .. } | Self::Page(_) => (Vec::new(), Vec::new(), 1),
        };
        // The first line says what, the others say more.
        let mut lines = message.lines();
        let first = lines.next().unwrap_or_default().to_owned();
        details.splice(0..0, lines.map(|line| line.trim().to_owned()));
        terminal::say(byob_render::error_text(&first, &details, &help, &style).trim_end());
        if !pasted.is_empty() {
            terminal::say(&pasted);
        }
        ExitCode::from(code)
    }
}
