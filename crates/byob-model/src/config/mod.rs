//! `byob.toml` as it was written, parsed and checked: every value typed, nothing defaulted that somebody may later need
//! to tell from the default. Desired state is made from it in [`crate::desired`].

use std::collections::{BTreeMap, BTreeSet};

use byob_policy::arn::{AccountId, Partition};

use crate::address::{Address, Kind, RootAddress};
use crate::date::Date;
use crate::diagnostic::{Diagnostic, Span};
use crate::kind::{
    CorsRule, KeyFormat, KeyRef, LifecycleRule, ObjectLock, PublicAccessBlock, Purpose, SseC,
    VersioningStatus,
};
use crate::rule::Rule;

/// The whole file.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// `stack`, "default" where absent.
    pub stack: String,
    /// `[aws]`.
    pub aws: Aws,
    /// `[wandb]`.
    pub wandb: Wandb,
    /// `[state]`.
    pub state: State,
    /// `[tags]`: on everything byob makes.
    pub tags: BTreeMap<String, String>,
    /// `forget = [...]`: roots to leave alone and drop from the record.
    pub forget: BTreeSet<RootAddress>,
    /// `[bucket.*]` by label.
    pub buckets: BTreeMap<String, BucketTable>,
    /// `[key.*]` by label.
    pub keys: BTreeMap<String, KeyTable>,
    /// `[[waive]]`, in the order of the file.
    pub waivers: Vec<Waiver>,
    /// Where each table and field stands in the file, by dotted path (`bucket.vision.encryption`).
    pub spans: BTreeMap<String, Span>,
}

/// `[aws]`.
#[derive(Debug, Clone)]
pub struct Aws {
    /// Where buckets live unless they say otherwise. Known to exist in a partition; `None` where every bucket and key
    /// says its own.
    pub region: Option<String>,
    /// Guard: any other account is refused.
    pub account_id: Option<AccountId>,
    /// Profile of the shared configuration.
    pub profile: Option<String>,
    /// Role to assume for everything.
    pub assume_role: Option<AssumeRole>,
}

/// `assume_role = { ... }`.
#[derive(Clone, PartialEq, Eq)]
pub struct AssumeRole {
    /// The role's ARN.
    pub role_arn: String,
    /// The other side's shared secret-like id; never logged or recorded.
    pub external_id: Option<String>,
    /// "byob" where absent.
    pub session_name: String,
}

impl std::fmt::Debug for AssumeRole {
    /// Without the external id: it is shared with the other side alone.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AssumeRole")
            .field("role_arn", &self.role_arn)
            .field("session_name", &self.session_name)
            .finish_non_exhaustive()
    }
}

/// Which W&B it is; decides who is granted access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deployment {
    /// SaaS; team level only; `arn:aws:iam::725579432336:role/WandbIntegration`.
    MultiTenantCloud,
    /// `arn:aws:iam::830241207209:root`, or the node role that W&B gives.
    DedicatedCloud,
    /// The customer's own identity.
    SelfManaged,
}

/// `[wandb]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wandb {
    /// `deployment`.
    pub deployment: Deployment,
    /// `principals`: ARNs (or account ids made root ARNs); never empty: the deployment's own where the file says none.
    pub principals: BTreeSet<String>,
    /// Whether `principals` stands in the file.
    pub principals_given: bool,
    /// `egress`: CIDRs in canonical form.
    pub egress: BTreeSet<String>,
}

/// `[state]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// A file, as written (relative to the folder of `byob.toml`).
    Path(String),
    /// `s3`: objects in a bucket.
    S3(ObjectState),
}

/// `[state] s3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectState {
    /// `bucket`.
    pub bucket: String,
    /// `key`: the record's; the journal and the lock stand beside it.
    pub key: String,
    /// `region`; `None`: `[aws]`'s.
    pub region: Option<String>,
    /// `profile`; `None`: `[aws]`'s, unless there is an `assume_role` here.
    pub profile: Option<String>,
    /// `assume_role`; `None`: `[aws]`'s, unless there is a `profile` here.
    pub assume_role: Option<AssumeRole>,
    /// `kms_key`: an ARN; `None`: the bucket's default encryption.
    pub kms_key: Option<String>,
    /// `account_id`: whose the bucket is.
    pub account_id: Option<AccountId>,
}

impl ObjectState {
    /// Whose the bucket has to be, where that is known: as written here; else the account of the role that reads and writes
    /// it; else, where nobody of its own does, `[aws]`'s.
    #[must_use]
    pub fn owner(&self, aws: &Aws) -> Option<String> {
        let written = self.account_id.as_ref().map(ToString::to_string);
        let of_role = || self.assume_role.as_ref()?.role_arn.split(':').nth(4).map(str::to_owned);
        let of_aws = || aws.account_id.as_ref().filter(|_| self.profile.is_none()).map(ToString::to_string);
        written.or_else(|| if self.assume_role.is_some() { of_role() } else { of_aws() })
    }
}

/// `[bucket.<label>]`.
#[derive(Debug, Clone)]
pub struct BucketTable {
    /// `name` or `name_prefix`.
    pub name: NameSource,
    /// `region`, else `[aws]`'s.
    pub region: String,
    /// The region's partition.
    pub partition: Partition,
    /// `purpose`.
    pub purpose: Purpose,
    /// `wandb_access` (true).
    pub wandb_access: bool,
    /// `encryption`; `None` where absent.
    pub encryption: Option<EncryptionField>,
    /// `sse_c`; `None` where absent.
    pub sse_c: Option<SseC>,
    /// `cors_origins`; `None` where absent; `Some(empty)` for `[]`: no rule of ours.
    pub cors_origins: Option<BTreeSet<String>>,
    /// `public_access_block`: true, false or a table of the four; `None` where absent.
    pub public_access_block: Option<PublicAccessBlock>,
    /// `object_ownership`; `None` where absent.
    pub object_ownership: Option<String>,
    /// `tls_only` (false).
    pub tls_only: bool,
    /// `min_tls_version`: "1.2" or "1.3".
    pub min_tls_version: Option<String>,
    /// `allowed_source_ips`: CIDRs in canonical form.
    pub allowed_source_ips: BTreeSet<String>,
    /// `allowed_vpc_endpoints`: `vpce-…`.
    pub allowed_vpc_endpoints: BTreeSet<String>,
    /// `managers`: ARNs that may do everything with the bucket.
    pub managers: BTreeSet<String>,
    /// `extra_statements`, then those of `policy_file`, parsed.
    pub extra_statements: Vec<byob_policy::Statement>,
    /// `foreign_statements`; `None` where absent.
    pub foreign_statements: Option<ForeignStatements>,
    /// `versioning`: "enabled" or "suspended"; never `Disabled`.
    pub versioning: Option<VersioningStatus>,
    /// `abort_incomplete_uploads_after_days`.
    pub abort_incomplete_uploads_after_days: Option<u32>,
    /// `noncurrent_expire_after_days`.
    pub noncurrent_expire_after_days: Option<u32>,
    /// `lifecycle = [{...}]`: general rules; IDs as written.
    pub lifecycle: Vec<LifecycleRule>,
    /// `logging`.
    pub logging: Option<LoggingField>,
    /// `object_lock`.
    pub object_lock: Option<ObjectLock>,
    /// `tags` of this table alone.
    pub tags: BTreeMap<String, String>,
    /// `protect` (true).
    pub protect: bool,
    /// `force_destroy` (false).
    pub force_destroy: bool,
    /// `path`: the sub-path given to W&B, without leading or trailing slash.
    pub path: Option<String>,
    /// `unmanaged`: aspects left alone.
    pub unmanaged: BTreeSet<Kind>,
}

impl BucketTable {
    /// Why this table may not be that of the bucket that keeps the record, and what mends it. That one may be managed too,
    /// but is nobody else's to write to, and not to be emptied: whoever may write the record says what byob owns.
    pub(crate) fn unfit_for_record(&self, label: &str) -> Option<(String, &'static str)> {
        let (what, help) = if self.wandb_access {
            let help =
                "write `wandb_access = false` into its table, or keep the record in a bucket of its own";
            ("W&B would get access to it", help)
        } else if self.force_destroy {
            let help = "take `force_destroy` out, or keep the record in a bucket of its own";
            ("could be emptied with it", help)
        } else {
            return None;
        };
        Some((format!("`bucket.{label}` keeps byob's own record, and {what}"), help))
    }
}

/// Where a bucket's name comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameSource {
    /// `name`.
    Exact(String),
    /// `name_prefix`, with `name_salt`.
    Prefix {
        /// What the name begins with.
        prefix: String,
        /// `name_salt`.
        salt: Option<String>,
    },
}

/// `encryption`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EncryptionField {
    /// `"sse-s3"`.
    SseS3,
    /// `{ type = "sse-kms", key = …, bucket_key = true }`; `bucket_key` is true where absent.
    SseKms {
        /// A key of this file (which exists in it, and is in the bucket's region where both are known) or an ARN.
        key: KeyRef,
        /// S3 bucket key.
        bucket_key: bool,
    },
    /// `{ type = "dsse-kms", key = … }`.
    DsseKms {
        /// As above.
        key: KeyRef,
    },
}

/// `foreign_statements`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignStatements {
    /// The policy is byob's alone.
    Remove,
    /// Statements that other teams put there stay.
    Keep,
}

/// `logging = { target_bucket, target_prefix, key_format }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggingField {
    /// A bucket name, or `bucket.<label>` of this file.
    pub target_bucket: LogTarget,
    /// Empty where absent.
    pub target_prefix: String,
    /// `key_format`.
    pub key_format: Option<KeyFormat>,
}

/// Where logs go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// By name.
    Name(String),
    /// A bucket of this file, by label.
    Label(String),
}

/// `[key.<label>]`.
#[derive(Debug, Clone)]
pub struct KeyTable {
    /// `alias`, with the prefix: `alias/wandb-vision`.
    pub alias: String,
    /// `region`, where the table says it (it may: then the buckets on it must agree); else that of the buckets whose
    /// `encryption` names it (two are an error, reported here); `None` where no bucket names it and the table is silent.
    pub region: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `rotation_days`: `None` where absent.
    pub rotation: Option<RotationField>,
    /// `deletion_window_days` (30).
    pub deletion_window_days: u32,
    /// `protect` (true).
    pub protect: bool,
    /// `managers`: ARNs that may do everything with the key.
    pub managers: BTreeSet<String>,
    /// `tags` of this table alone.
    pub tags: BTreeMap<String, String>,
}

/// `rotation_days`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationField {
    /// `"off"`.
    Off,
    /// 90 to 2,560.
    Days(u32),
}

/// `[[waive]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// One that can be waived.
    pub rule: Rule,
    /// Which address it is for: a configured root, or an aspect of one.
    pub address: Address,
    /// Why; not empty.
    pub reason: String,
    /// The last day it holds.
    pub until: Date,
}

/// What reading the configuration needs from outside: the text of `policy_file`s, by path as written. Pure code cannot
/// read files, so the caller hands in a function.
pub type ReadFile<'a> = dyn Fn(&str) -> Result<String, String> + 'a;

/// A rule of CORS made from the origins, for both purposes.
#[must_use]
pub fn cors_rule(purpose: Purpose, origins: BTreeSet<String>, id: Option<String>) -> CorsRule {
    let methods: &[&str] = match purpose {
        Purpose::Storage => &["GET", "HEAD", "PUT"],
        Purpose::Reference => &["GET", "HEAD"],
    };
    CorsRule {
        id,
        allowed_origins: origins,
        allowed_methods: methods.iter().map(|&m| m.to_owned()).collect(),
        allowed_headers: BTreeSet::from(["*".to_owned()]),
        expose_headers: BTreeSet::from(["ETag".to_owned()]),
        max_age_seconds: 3000,
    }
}

/// Parses and checks a configuration. Errors are collected, not returned one at a time, in the order of the file.
///
/// # Errors
/// Every error of the file; never empty.
pub fn parse(text: &str, read_file: &ReadFile<'_>) -> Result<Configuration, Vec<Diagnostic>> {
    parse::parse(text, read_file)
}

/// Every field that a configuration may have, by its table as messages call it (`` `[bucket.*]` ``).
pub fn fields() -> impl Iterator<Item = (&'static str, &'static str)> {
    parse::fields()
}

mod parse;
mod place;
