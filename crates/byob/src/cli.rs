//! Commands and flags. The doc comments are the help texts.

use std::path::PathBuf;
use std::time::Duration;

use byob_model::Address;
use byob_model::RootAddress;
use byob_plan::DriftSeverity;
use clap::{Args, Parser, Subcommand, ValueEnum};
use uuid::Uuid;

/// Owns the S3 storage that you bring to Weights & Biases: buckets, their encryption, and W&B's access to them.
///
/// byob compares byob.toml with what AWS has now and with what byob last applied, shows what would change, and makes
/// exactly that real.
///
/// Try it without an AWS account: byob plan --sandbox
#[derive(Debug, Parser)]
#[command(name = "byob", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The configuration
    #[arg(short, long, global = true, value_name = "FILE", default_value = "byob.toml")]
    pub config: PathBuf,
    /// Use the embedded AWS instead of the real one; it needs no credentials and keeps its world, and the record of
    /// what was applied to it, in DIR
    #[arg(long, global = true, value_name = "DIR", num_args = 0..=1, require_equals = true, default_missing_value = crate::session::SANDBOX_DIR)]
    pub sandbox: Option<PathBuf>,
    /// How long to read again what was written within the last five minutes before a difference is believed
    /// [default: 60s on AWS, 0 elsewhere]
    #[arg(long, global = true, value_name = "TIME", value_parser = time)]
    pub settle: Option<Duration>,
    /// When to use colour (NO_COLOR is respected)
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// Say more: every call to AWS, every retry, every round of reading back
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// How to talk on stderr: lines for people, or one JSON object a line
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Never ask
    #[arg(long, global = true)]
    pub no_input: bool,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// How to talk on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check the configuration without contacting AWS
    Validate,
    /// Show what would change; write nothing
    Plan(PlanArgs),
    /// Plan again, ask (or insist on what was approved), and make it real
    Apply(ApplyArgs),
    /// The same for an empty configuration: delete what is not protected
    Destroy(ApplyArgs),
    /// Show what somebody changed behind byob's back: live against recorded (exit 2 if anything)
    Drift(DriftArgs),
    /// Prove that the storage works for W&B and for nobody else, before a team is created on it (exit 2 if a check fails)
    Verify(VerifyArgs),
    /// Print what to hand to W&B: bucket, KMS key, region, storage address
    Output(OutputArgs),
    /// Take live buckets or keys that tables already describe into the record; write nothing to AWS
    Import(ImportArgs),
    /// Look at the record, or move what it holds to another address
    State(StateArgs),
    /// Ask what policy files mean: the same, more access, this one request, what the rules say
    Policy(PolicyArgs),
    /// The embedded AWS by itself
    Sandbox(SandboxArgs),
}

/// Flags that select what is planned.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Select {
    /// Only this address, and what it depends on
    #[arg(long, value_name = "ADDRESS")]
    pub target: Vec<Address>,
    /// Make this bucket or key again, although it was deleted outside byob
    #[arg(long, value_name = "ADDRESS")]
    pub recreate: Vec<RootAddress>,
    /// Accept what somebody changed outside byob into the record; nothing is written to AWS
    #[arg(long, conflicts_with = "recreate")]
    pub refresh_only: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Also write the plan as JSON to this file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub format: PlanFormat,
    /// Exit with 2 if there are steps of any kind
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Plan for an empty configuration
    #[arg(long, conflicts_with = "refresh_only")]
    pub destroy: bool,
    /// Show every note in full, not all in one line
    #[arg(long)]
    pub notes: bool,
    #[command(flatten)]
    pub select: Select,
}

/// How to show a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    Text,
    Json,
    /// A comment on a pull request: below 65,536 characters
    Markdown,
    /// A page that needs nothing else, with a picture of who reaches what
    Html,
    /// The findings, for code scanning
    Sarif,
}

/// How to show drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DriftFormat {
    Text,
    Json,
    /// A comment on an issue: below 65,536 characters
    Markdown,
    /// A page that needs nothing else, with a picture of who reaches what
    Html,
    /// For code scanning
    Sarif,
    /// A test case for each recorded address
    Junit,
}

/// How to show something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// Apply only if the plan is still the one in this file (from `byob plan --out`)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["approve", "auto_approve"])]
    pub plan: Option<PathBuf>,
    /// Apply only if the plan's digest is this one
    #[arg(long, value_name = "DIGEST", conflicts_with = "auto_approve")]
    pub approve: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub auto_approve: bool,
    /// How long to wait for somebody else's lock
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "2m")]
    pub lock_timeout: Duration,
    /// How long an interrupted creation of a key is waited for before another key is made
    /// [default: 5m on AWS, 0 elsewhere]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub recovery_wait: Option<Duration>,
    /// Show every note in full, not all in one line
    #[arg(long)]
    pub notes: bool,
    #[command(flatten)]
    pub select: Select,
}

#[derive(Debug, Args)]
pub(crate) struct DriftArgs {
    /// How to show it
    #[arg(long, value_enum, default_value_t = DriftFormat::Text)]
    pub format: DriftFormat,
    /// Ask CloudTrail who made each change (needs cloudtrail:LookupEvents; without it that is said, and no failure)
    #[arg(long)]
    pub who: bool,
    /// Which drift is a "no" (exit 2), in a list with commas [default: any]
    #[arg(long, value_enum, value_name = "SEVERITY", value_delimiter = ',')]
    pub fail_on: Vec<SeverityArg>,
}

/// What drift means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SeverityArg {
    /// Access or protection is weaker now, or it cannot be told
    Exposure,
    /// W&B stops working, or may
    Breakage,
    /// Neither
    Other,
}

impl From<SeverityArg> for DriftSeverity {
    fn from(severity: SeverityArg) -> Self {
        match severity {
            SeverityArg::Exposure => Self::Exposure,
            SeverityArg::Breakage => Self::Breakage,
            SeverityArg::Other => Self::Other,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Make the requests as this role, which the caller may assume: for Self-Managed, W&B's own
    #[arg(long = "as", value_name = "ROLE_ARN", value_parser = role)]
    pub role: Option<String>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = VerifyFormat::Text)]
    pub format: VerifyFormat,
}

/// How to show what was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyFormat {
    Text,
    Json,
    /// A test case for each check
    Junit,
}

/// The ARN of a role.
fn role(text: &str) -> Result<String, String> {
    let arn: byob_policy::Arn = text.parse().map_err(|_| format!("`{text}` is no ARN"))?;
    if arn.service == "iam" && arn.account_id().is_some() && arn.resource.starts_with("role/") {
        Ok(text.to_owned())
    } else {
        Err("name a role by its ARN: arn:aws:iam::123456789012:role/NAME".to_owned())
    }
}

#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// How to show it
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    pub format: OutputFormat,
}

/// How to show outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    Text,
    Json,
    Env,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Which buckets and keys: `bucket.storage`, `key.vision`
    #[arg(required_unless_present = "recover", value_name = "ADDRESS")]
    pub addresses: Vec<RootAddress>,
    /// Rebuild a lost record from byob.toml and the byob:* tags of what it made
    #[arg(long, conflicts_with = "addresses")]
    pub recover: bool,
    /// Also take what carries this lineage, because the record that it belongs to is lost for good
    #[arg(long, value_name = "UUID")]
    pub from_lineage: Option<Uuid>,
    /// How long to wait for somebody else's lock
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "2m")]
    pub lock_timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    #[command(subcommand)]
    pub command: StateCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// Make the bucket that keeps the record in S3, where it is missing; else say what it lacks
    Init {
        /// Put what an existing bucket lacks (versioning, public access block, …); its policy is only made, never changed
        #[arg(long)]
        complete: bool,
    },
    /// Print every recorded address
    List,
    /// Print one recorded resource as JSON
    Show {
        /// `bucket.storage`, `bucket.storage.policy`
        #[arg(value_name = "ADDRESS")]
        address: Address,
    },
    /// Record a bucket or key under another address; the table in byob.toml has to have that name
    Mv {
        /// Where it is recorded
        #[arg(value_name = "FROM")]
        from: RootAddress,
        /// Where it is to be recorded
        #[arg(value_name = "TO")]
        to: RootAddress,
        /// How long to wait for somebody else's lock
        #[arg(long, value_name = "TIME", value_parser = time, default_value = "2m")]
        lock_timeout: Duration,
    },
    /// Drop a bucket or key from the record and leave it alone in AWS (reviewable: `forget` in byob.toml)
    Rm {
        /// `bucket.storage`, `key.vision`
        #[arg(value_name = "ADDRESS")]
        address: RootAddress,
        /// How long to wait for somebody else's lock
        #[arg(long, value_name = "TIME", value_parser = time, default_value = "2m")]
        lock_timeout: Duration,
    },
    /// Print the record
    Pull {
        /// A kept predecessor (byob state history lists them)
        #[arg(long, value_name = "N")]
        serial: Option<u64>,
    },
    /// Put a record that was pulled in the stored one's place, under the next serial
    Push {
        /// The record; `-` reads standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Also over a newer record, one of another lineage, or a damaged one; what is replaced is kept
        #[arg(long)]
        force: bool,
        /// How long to wait for somebody else's lock
        #[arg(long, value_name = "TIME", value_parser = time, default_value = "2m")]
        lock_timeout: Duration,
    },
    /// List the record and what is kept of its past, newest first
    History,
    /// Move the record to the place that [state] names now
    Migrate {
        /// Where it is: a path (from the folder of byob.toml), or s3://BUCKET/KEY
        #[arg(long, value_name = "PLACE")]
        from: String,
        /// How long to wait for somebody else's lock
        #[arg(long, value_name = "TIME", value_parser = time, default_value = "2m")]
        lock_timeout: Duration,
    },
    /// Take the lock of a record in S3 away from a run that is certainly gone
    Unlock {
        /// The lock's id, as printed by whoever waits for it
        #[arg(value_name = "ID")]
        id: Uuid,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    pub command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Whether two policies mean the same (0) or not (2); a file that is no policy is 1
    Diff {
        /// One policy
        a: PathBuf,
        /// The other
        b: PathBuf,
        /// How to show it
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Whether NEW gives no access that OLD does not (0), gives more, with a request that shows it (2), or that cannot
    /// be told (3)
    Compare {
        /// The policy that stands
        old: PathBuf,
        /// The policy that is to take its place
        new: PathBuf,
        /// Account of the bucket or key: its own principals' access past the policy counts then too
        #[arg(long, value_name = "ACCOUNT_ID")]
        resource_account: Option<String>,
        /// How to show it
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Whether a policy lets one request through (0) or not (2), and why
    Access(AccessArgs),
    /// What the rules say of a bucket policy by itself: an error (2), no error (0), a file that is no policy (1)
    Check(CheckArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The policy
    pub file: PathBuf,
    /// Name of the bucket that it is to hang on
    #[arg(long, value_name = "NAME")]
    pub bucket: String,
    /// Account of the bucket; left out, its own principals count as others'
    #[arg(long, value_name = "ACCOUNT_ID")]
    pub account: Option<String>,
    /// What W&B is to do with the bucket: store its files, or read what is there
    #[arg(long, value_enum, default_value_t = PurposeArg::Storage)]
    pub purpose: PurposeArg,
    /// Folder of the bucket that W&B is given
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub format: CheckFormat,
}

/// What W&B is to do with a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PurposeArg {
    Storage,
    Reference,
}

/// How to show what the rules say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    Text,
    Json,
    Sarif,
}

#[derive(Debug, Args)]
pub(crate) struct AccessArgs {
    /// The policy of the bucket or key
    #[arg(required_unless_present = "batch")]
    pub file: Option<PathBuf>,
    /// Who: an ARN, an account id, `lambda.amazonaws.com`, or `anonymous`
    #[arg(long, required_unless_present = "batch")]
    pub principal: Option<String>,
    /// What: `s3:GetObject`
    #[arg(long, required_unless_present = "batch")]
    pub action: Option<String>,
    /// On what: an ARN
    #[arg(long, required_unless_present = "batch")]
    pub resource: Option<String>,
    /// Account of the bucket or key; left out, the requester is taken to be of another one
    #[arg(long, value_name = "ACCOUNT_ID")]
    pub resource_account: Option<String>,
    /// The requester's own policies allow everything
    #[arg(long)]
    pub identity_allows: bool,
    /// A key of the request's context; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub context: Vec<String>,
    /// Read requests as JSON lines from stdin ({"policy", "principal", "action", "resource", "resourceAccount",
    /// "identityAllowsAll", "context"}) and answer each with one word: allow, deny or error
    #[arg(long, conflicts_with_all = ["file", "principal", "action", "resource", "resource_account", "identity_allows", "context"])]
    pub batch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SandboxArgs {
    #[command(subcommand)]
    pub command: SandboxCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SandboxCommand {
    /// Serve the embedded AWS over HTTP on loopback, for other tools to look at
    Serve {
        /// Loopback port; 0 takes a free one
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// Throw the sandbox's world and its record away
    Reset,
}

/// `30s`, `5m`, `0`, `1h30m`.
fn time(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let span: jiff::SignedDuration =
        text.parse().map_err(|_| format!("`{text}` is no time; write 30s, 5m or 1h"))?;
    Duration::try_from(span).map_err(|_| "a time is not negative".to_owned())
}
