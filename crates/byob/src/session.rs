//! One command's view of the world: the configuration, the cloud it talks to, and the record's place.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use byob_apply::{Caller, Clock, Cloud, Pace};
use byob_aws::{AwsCloud, Connection, Endpoint};
use byob_model::config::{Configuration, EncryptionField, State};
use byob_model::kind::KeyRef;
use byob_sandbox::{Faults, Options, Sandbox, Seed};

use crate::cli::Global;
use crate::failure::Failure;
use crate::place::{self, RecordStore};
use crate::terminal;

/// The account of a sandbox whose configuration names none.
const SANDBOX_ACCOUNT: &str = "123456789012";

/// Where `--sandbox` without a folder keeps its world.
pub(crate) const SANDBOX_DIR: &str = ".byob/sandbox";

/// A configuration that was read and found right.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// As named on the command line.
    pub file: String,
    /// Its text.
    pub text: String,
    /// What it says.
    pub config: Configuration,
}

/// Everything a command that contacts AWS needs.
pub(crate) struct Session {
    pub loaded: Loaded,
    pub cloud: AwsCloud,
    pub store: RecordStore,
    pub caller: Caller,
    /// `aws`, `sandbox`, or host and port.
    pub endpoint: String,
    pub pace: Pace,
    pub settle: Duration,
    pub clock: SystemClock,
    /// `--config` and `--sandbox` as another command line needs them to mean the same, each after a space.
    pub flags: String,
}

impl Session {
    /// Whether the endpoint is AWS itself, whose reads lag behind its writes.
    pub(crate) fn is_aws(&self) -> bool {
        self.endpoint == "aws"
    }

    /// The configuration.
    pub(crate) fn config(&self) -> &Configuration {
        &self.loaded.config
    }

    /// The partition of the configuration's regions.
    pub(crate) fn partition(&self) -> String {
        let region = self.cloud.region();
        byob_model::partition_of(region).map_or_else(|| "aws".to_owned(), |p| p.to_string())
    }
}

/// Reads and checks the configuration; contacts nothing.
pub(crate) fn load(global: &Global) -> Result<Loaded, Failure> {
    let path = &global.config;
    let text =
        std::fs::read_to_string(path).map_err(|source| Failure::Config { path: path.clone(), source })?;
    let folder = folder_of(path);
    let read = |name: &str| read_below(&folder, name);
    let file = path.display().to_string();
    match byob_model::config::parse(&text, &read) {
        Ok(config) => Ok(Loaded { file, text, config }),
        Err(diagnostics) => Err(Failure::Diagnostics { file, text, diagnostics }),
    }
}

/// A `policy_file` must lie below the folder of the configuration, symbolic links resolved.
fn read_below(folder: &Path, name: &str) -> Result<String, String> {
    let root = folder.canonicalize().map_err(|e| e.to_string())?;
    let path = root.join(name).canonicalize().map_err(|e| e.to_string())?;
    if !path.starts_with(&root) {
        return Err("lies outside the folder of the configuration".to_owned());
    }
    // A pipe or a device may never end.
    if !path.metadata().map_err(|e| e.to_string())?.is_file() {
        return Err("not a regular file".to_owned());
    }
    std::fs::read_to_string(&path).map_err(|e| e.to_string())
}

fn folder_of(config: &Path) -> PathBuf {
    match config.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// A path as `byob.toml` means it: from its own folder.
pub(crate) fn beside_config(global: &Global, path: &Path) -> PathBuf {
    folder_of(&global.config).join(path)
}

/// Where a record in files is.
pub(crate) fn record_path(global: &Global, config: &Configuration) -> PathBuf {
    match &global.sandbox {
        // The sandbox keeps a record of its own, so that the real one is never touched.
        Some(dir) => dir.join("record").join("byob.state.json"),
        None => match &config.state {
            State::Path(path) => folder_of(&global.config).join(path),
            // Nothing asks for one where the record is in S3.
            State::S3(state) => folder_of(&global.config).join(&state.key),
        },
    }
}

/// Reads the configuration, connects, and checks the account.
pub(crate) async fn open(global: &Global) -> Result<Session, Failure> {
    let loaded = load(global)?;
    let config = &loaded.config;
    let in_process = match &global.sandbox {
        Some(dir) => {
            let sandbox = sandbox(dir, config).await?;
            Some((sandbox.http_client(), sandbox.credentials()))
        }
        None => None,
    };
    let sandboxed = in_process.is_some();
    let first_region = || config.buckets.values().map(|b| b.region.clone()).next();
    let connection = Connection {
        profile: config.aws.profile.clone().filter(|_| !sandboxed),
        region: config.aws.region.clone().or_else(first_region),
        assume_role: config.aws.assume_role.as_ref().filter(|_| !sandboxed).map(place::assume_role),
        in_process,
        ..Connection::default()
    };
    let cloud = byob_aws::connect(&connection).await?;
    let caller = cloud.caller().await?;
    if let Some(account) = &config.aws.account_id
        && account.as_str() != caller.account_id
    {
        return Err(Failure::said(
            format!(
                "wrong account: {} is account {}, and [aws] account_id says {account}",
                caller.arn, caller.account_id
            ),
            "use credentials of the right account (AWS_PROFILE, `profile` or `assume_role` in [aws]), or correct account_id",
        ));
    }
    let endpoint = match cloud.endpoint() {
        Endpoint::Aws => "aws".to_owned(),
        Endpoint::Sandbox => "sandbox".to_owned(),
        Endpoint::Custom(host) => host,
    };
    let aws = endpoint == "aws";
    let store = place::open(global, config).await?;
    Ok(Session {
        pace: if aws { Pace::AWS } else { Pace::LOCAL },
        settle: global.settle.unwrap_or(if aws { Duration::from_secs(60) } else { Duration::ZERO }),
        cloud,
        store,
        caller,
        endpoint,
        flags: flags(global),
        clock: SystemClock::default(),
        loaded,
    })
}

/// What has to stand on the next command line too, quoted for a shell; defaults are left out.
pub(crate) fn flags(global: &Global) -> String {
    let mut flags = String::new();
    if global.config != Path::new("byob.toml") {
        flags.push_str(&format!(" --config {}", quoted(&global.config)));
    }
    match &global.sandbox {
        None => {}
        Some(dir) if dir == Path::new(SANDBOX_DIR) => flags.push_str(" --sandbox"),
        Some(dir) => flags.push_str(&format!(" --sandbox={}", quoted(dir))),
    }
    flags
}

fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Opens the sandbox's world, with what the configuration names as somebody else's in it.
async fn sandbox(dir: &Path, config: &Configuration) -> Result<Sandbox, Failure> {
    let account_id = config.aws.account_id.as_ref().map_or(SANDBOX_ACCOUNT, |a| a.as_str()).to_owned();
    let seed = seed(config, &account_id);
    terminal::say(&format!(
        "SANDBOX: an embedded stand-in for AWS, account {account_id}, kept in {}; nothing here is real",
        dir.display()
    ));
    let mut named: Vec<&str> = seed.foreign_keys.iter().chain(&seed.roles).map(String::as_str).collect();
    named.sort_unstable();
    if !named.is_empty() {
        terminal::say(&format!(
            "SANDBOX: taken to exist already, because byob.toml names them: {}",
            named.join(", ")
        ));
    }
    let faults = match std::env::var("BYOB_SANDBOX_FAULTS") {
        Ok(spec) if !spec.is_empty() => Faults::parse(&spec)?,
        _ => Faults::default(),
    };
    Ok(Sandbox::open(Options { dir: Some(dir.to_owned()), account_id, seed, faults }).await?)
}

fn seed(config: &Configuration, account_id: &str) -> Seed {
    let mut keys = BTreeSet::new();
    let mut roles: BTreeSet<String> = BTreeSet::new();
    for bucket in config.buckets.values() {
        if let Some(
            EncryptionField::SseKms { key: KeyRef::Arn(arn), .. }
            | EncryptionField::DsseKms { key: KeyRef::Arn(arn) },
        ) = &bucket.encryption
        {
            keys.insert(arn.clone());
        }
        roles.extend(bucket.managers.iter().cloned());
        let named = bucket.extra_statements.iter().filter_map(|s| s.principal.as_ref());
        roles.extend(named.filter_map(|p| p.principals().0.get("AWS")).flatten().cloned());
    }
    roles.extend(config.wandb.principals.iter().cloned());
    roles.extend(config.keys.values().flat_map(|k| k.managers.iter().cloned()));
    let own = format!(":{account_id}:");
    roles.retain(|arn| arn.contains(&own) && arn.contains(":role/"));
    Seed { foreign_keys: keys.into_iter().collect(), roles: roles.into_iter().collect() }
}

/// The machine's clock.
#[derive(Debug)]
pub(crate) struct SystemClock {
    began: std::time::Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { began: std::time::Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        jiff::Timestamp::now().as_second()
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
