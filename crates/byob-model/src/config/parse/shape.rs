//! Which fields each table takes, and what each of them is, in words for help lines. No parsing: a field that is listed
//! here and taken by nobody would be reported as unknown, and one that is taken but not listed fails a debug assertion.

/// The fields of one kind of table.
#[derive(Debug)]
pub(super) struct Shape {
    /// How messages call the table: `` `[bucket.*]` ``.
    pub(super) title: &'static str,
    /// Name, and what it is ("true or false; …").
    pub(super) fields: &'static [(&'static str, &'static str)],
    /// Fields that are known and not in this version, with what to do instead.
    pub(super) later: &'static [(&'static str, &'static str)],
}

impl Shape {
    /// What a field is.
    pub(super) fn what(&self, name: &str) -> &'static str {
        self.fields.iter().find(|(field, _)| *field == name).map_or("", |(_, what)| what)
    }
}

/// Every shape there is.
pub(super) const ALL: [&Shape; 19] = [
    &FILE,
    &WAIVE,
    &AWS,
    &ASSUME_ROLE,
    &WANDB,
    &STATE,
    &STATE_S3,
    &BUCKET,
    &ENCRYPTION,
    &PUBLIC_ACCESS_BLOCK,
    &LOGGING,
    &OBJECT_LOCK,
    &LIFECYCLE_RULE,
    &FILTER,
    &EXPIRATION,
    &NONCURRENT_EXPIRATION,
    &TRANSITION,
    &NONCURRENT_TRANSITION,
    &KEY,
];

pub(super) const FILE: Shape = Shape {
    title: "the file",
    fields: &[
        ("version", "1: the version of this file's format"),
        ("stack", "a name that tells two configurations in one account apart, 1 to 64 of A-Z a-z 0-9 _ -"),
        ("aws", "a table: `[aws]` with `region` and `account_id`"),
        ("wandb", "a table: `[wandb]` with `deployment`"),
        ("state", "a table: `[state]` with `path` or `s3`"),
        ("tags", "a table: `[tags]` with a string for each tag"),
        ("forget", "a list of addresses to leave alone and drop from the record, such as [\"bucket.old\"]"),
        ("waive", "made of tables: `[[waive]]`, each with `rule`, `address`, `reason` and `until`"),
        ("bucket", "made of tables: `[bucket.storage]`, where `storage` is a label of your own"),
        ("key", "made of tables: `[key.vision]`, where `vision` is a label of your own"),
    ],
    later: &[],
};

pub(super) const WAIVE: Shape = Shape {
    title: "`[[waive]]`",
    fields: &[
        ("rule", "the number of the finding's rule, such as \"BYOB020\" (docs/findings.md has them all)"),
        ("address", "the finding's own address, such as \"bucket.storage\" or \"bucket.storage.policy\""),
        ("reason", "why it is accepted, for whoever reads the plan"),
        ("until", "the last day it holds, such as \"2027-01-31\" (UTC)"),
    ],
    later: &[],
};

pub(super) const AWS: Shape = Shape {
    title: "`[aws]`",
    fields: &[
        ("region", "where buckets live unless they say otherwise, such as \"us-east-1\""),
        ("account_id", "twelve digits in quotes: any other account is refused"),
        ("profile", "the name of a profile of the AWS configuration files"),
        (
            "assume_role",
            "a table: { role_arn = \"arn:aws:iam::123456789012:role/byob\", external_id = \"…\", session_name = \"byob\" }",
        ),
    ],
    later: &[],
};

pub(super) const ASSUME_ROLE: Shape = Shape {
    title: "`assume_role`",
    fields: &[
        ("role_arn", "the ARN of the role, such as \"arn:aws:iam::123456789012:role/byob\""),
        ("external_id", "the id that the role's trust policy asks for, 2 to 1,224 characters"),
        ("session_name", "2 to 64 of A-Z a-z 0-9 _ + = , . @ -; \"byob\" where absent"),
    ],
    later: &[],
};

pub(super) const WANDB: Shape = Shape {
    title: "`[wandb]`",
    fields: &[
        ("deployment", "\"multi-tenant-cloud\", \"dedicated-cloud\" or \"self-managed\""),
        ("principals", "a list of ARNs of roles, users or account roots, or of account ids: who W&B is"),
        ("egress", "a list of W&B's own networks, such as [\"192.0.2.0/24\"]"),
    ],
    later: &[],
};

pub(super) const STATE: Shape = Shape {
    title: "`[state]`",
    fields: &[
        (
            "path",
            "the path of the state file, from the folder of `byob.toml`; \"state/byob.state.json\" where absent",
        ),
        (
            "s3",
            "a table: { bucket = \"acme-byob-state\", key = \"wandb/byob.state.json\", region = \"us-east-1\" }",
        ),
    ],
    later: &[],
};

pub(super) const STATE_S3: Shape = Shape {
    title: "`s3` of `[state]`",
    fields: &[
        (
            "bucket",
            "the name of the bucket that keeps the record; `byob state init` makes it where it is missing",
        ),
        ("key", "the record's key in it, such as \"wandb/byob.state.json\""),
        ("region", "the region of that bucket; that of `[aws]` where absent"),
        ("profile", "the profile that may read and write it; that of `[aws]` where absent"),
        ("assume_role", "a role that may read and write it, as in `[aws]`; that of `[aws]` where absent"),
        (
            "kms_key",
            "the ARN of the KMS key that its objects are encrypted with; the bucket's default where absent",
        ),
        ("account_id", "the account that the bucket is of; that of whoever reads and writes it where absent"),
    ],
    later: &[],
};

pub(super) const BUCKET: Shape = Shape {
    title: "`[bucket.*]`",
    fields: &[
        ("name", "the bucket's exact name: 3 to 63 of a-z 0-9 . -, first and last a letter or digit"),
        (
            "name_prefix",
            "the beginning of a name that byob makes: `acme` becomes acme-file-storage-<two words>",
        ),
        ("name_salt", "any text; another one makes another name from the same `name_prefix`"),
        ("region", "where the bucket lives, such as \"eu-west-1\"; `[aws]` region where absent"),
        ("purpose", "\"storage\" (W&B keeps files in it) or \"reference\" (W&B reads objects, nothing else)"),
        ("wandb_access", "true or false; false takes W&B out and keeps the data"),
        (
            "encryption",
            "\"sse-s3\", { type = \"sse-kms\", key = \"key.vision\" } or { type = \"dsse-kms\", key = … }",
        ),
        ("sse_c", "\"blocked\" or \"allowed\""),
        ("cors_origins", "a list of origins, such as [\"https://acme.wandb.io\"], or [\"*\"]"),
        ("public_access_block", "true, false, or a table with the four settings"),
        ("object_ownership", "\"BucketOwnerEnforced\", \"BucketOwnerPreferred\" or \"ObjectWriter\""),
        ("tls_only", "true or false; true refuses requests without TLS"),
        ("min_tls_version", "\"1.2\" or \"1.3\", in quotes"),
        ("allowed_source_ips", "a list of networks, such as [\"192.0.2.0/24\", \"2001:db8::/32\"]"),
        ("allowed_vpc_endpoints", "a list of VPC endpoint ids, such as [\"vpce-0123456789abcdef0\"]"),
        (
            "managers",
            "a list of ARNs of roles, users or account roots that may do everything with the bucket",
        ),
        (
            "extra_statements",
            "a list of policy statements as AWS spells them: { Sid = \"…\", Effect = \"Allow\", Principal = { AWS = \"…\" }, Action = \"…\", Resource = \"…\" }",
        ),
        ("policy_file", "the path of a JSON policy below the folder of `byob.toml`"),
        (
            "foreign_statements",
            "\"remove\" or \"keep\": what becomes of statements that others put into the policy",
        ),
        ("versioning", "\"enabled\" or \"suspended\"; leave it out to leave versioning alone"),
        ("abort_incomplete_uploads_after_days", "a number of days, 1 or more"),
        ("noncurrent_expire_after_days", "a number of days, 1 or more"),
        (
            "lifecycle",
            "a list of rules: { id = \"…\", filter = { prefix = \"tmp/\" }, expiration = { days = 30 } }",
        ),
        ("logging", "a table: { target_bucket = \"bucket.logs\", target_prefix = \"s3/\" }"),
        ("object_lock", "a table: { mode = \"governance\", days = 30 }, or {} for no default retention"),
        ("tags", "a table with a string for each tag: { Owner = \"platform\" }"),
        ("protect", "true or false; deleting needs false, applied before"),
        ("force_destroy", "true or false; true lets a deletion empty the bucket"),
        ("path", "the sub-path that is given to W&B, such as \"teams/vision\""),
        (
            "unmanaged",
            "a list of aspects to leave alone: public_access_block, ownership, encryption, cors, versioning, lifecycle, tags, logging, object_lock, policy",
        ),
    ],
    later: &[
        ("account", "use one `byob.toml` for each account, with `[aws] account_id`"),
        ("assume_role", "set `assume_role` in `[aws]`; it holds for the whole file"),
        ("namespace", "leave it out: buckets are made in the global namespace"),
    ],
};

pub(super) const ENCRYPTION: Shape = Shape {
    title: "`encryption`",
    fields: &[
        ("type", "\"sse-s3\", \"sse-kms\" or \"dsse-kms\""),
        ("key", "\"key.<label>\" for a key of this file, or the full ARN of another"),
        ("bucket_key", "true or false; true cuts the number of calls to KMS, and only \"sse-kms\" has it"),
    ],
    later: &[],
};

pub(super) const PUBLIC_ACCESS_BLOCK: Shape = Shape {
    title: "`public_access_block`",
    fields: &[
        ("block_public_acls", "true or false; true where absent"),
        ("ignore_public_acls", "true or false; true where absent"),
        ("block_public_policy", "true or false; true where absent"),
        ("restrict_public_buckets", "true or false; true where absent"),
    ],
    later: &[],
};

pub(super) const LOGGING: Shape = Shape {
    title: "`logging`",
    fields: &[
        ("target_bucket", "the name of a bucket, or \"bucket.<label>\" for one of this file"),
        ("target_prefix", "what the log objects' keys begin with; empty where absent"),
        ("key_format", "\"simple\", \"partitioned-by-event-time\" or \"partitioned-by-delivery-time\""),
    ],
    later: &[],
};

pub(super) const OBJECT_LOCK: Shape = Shape {
    title: "`object_lock`",
    fields: &[
        ("mode", "\"governance\" or \"compliance\", together with `days` or `years`"),
        ("days", "the default retention in days, 1 to 36,500"),
        ("years", "the default retention in years, 1 to 100"),
    ],
    later: &[],
};

pub(super) const LIFECYCLE_RULE: Shape = Shape {
    title: "a rule of `lifecycle`",
    fields: &[
        ("id", "the rule's name, 1 to 255 characters, once in a bucket"),
        ("enabled", "true or false; true where absent"),
        (
            "filter",
            "a table: { prefix = \"tmp/\", tags = { … }, object_size_greater_than = …, object_size_less_than = … }",
        ),
        ("abort_incomplete_multipart_upload_days", "a number of days, 1 or more"),
        ("expiration", "a table with one of `days`, `date` and `expired_object_delete_marker`"),
        ("noncurrent_version_expiration", "a table: { days = 30, newer_versions = 3 }"),
        ("transitions", "a list: [{ days = 30, storage_class = \"STANDARD_IA\" }]"),
        (
            "noncurrent_version_transitions",
            "a list: [{ days = 30, storage_class = \"GLACIER\", newer_versions = 3 }]",
        ),
    ],
    later: &[],
};

pub(super) const FILTER: Shape = Shape {
    title: "`filter`",
    fields: &[
        ("prefix", "what the objects' keys begin with"),
        ("tags", "a table with a string for each tag; objects must have all of them"),
        ("object_size_greater_than", "a number of bytes"),
        ("object_size_less_than", "a number of bytes"),
    ],
    later: &[],
};

pub(super) const EXPIRATION: Shape = Shape {
    title: "`expiration`",
    fields: &[
        ("days", "a number of days after creation, 1 or more"),
        ("date", "a day such as \"2027-01-31\" (midnight UTC)"),
        ("expired_object_delete_marker", "true: delete markers without versions are removed"),
    ],
    later: &[],
};

pub(super) const NONCURRENT_EXPIRATION: Shape = Shape {
    title: "`noncurrent_version_expiration`",
    fields: &[
        ("days", "a number of days after becoming noncurrent, 1 or more"),
        ("newer_versions", "how many newer noncurrent versions are kept, 1 to 100"),
    ],
    later: &[],
};

pub(super) const TRANSITION: Shape = Shape {
    title: "a transition",
    fields: &[
        ("days", "a number of days after creation; 30 or more for STANDARD_IA and ONEZONE_IA"),
        ("date", "a day such as \"2027-01-31\" (midnight UTC)"),
        (
            "storage_class",
            "STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING, GLACIER_IR, GLACIER or DEEP_ARCHIVE",
        ),
    ],
    later: &[],
};

pub(super) const NONCURRENT_TRANSITION: Shape = Shape {
    title: "a noncurrent transition",
    fields: &[
        ("days", "a number of days after becoming noncurrent; 30 or more for STANDARD_IA and ONEZONE_IA"),
        ("newer_versions", "how many newer noncurrent versions stay, 1 to 100"),
        (
            "storage_class",
            "STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING, GLACIER_IR, GLACIER or DEEP_ARCHIVE",
        ),
    ],
    later: &[],
};

pub(super) const KEY: Shape = Shape {
    title: "`[key.*]`",
    fields: &[
        ("alias", "the key's name, such as \"wandb-vision\": letters, digits, `/`, `_` and `-`"),
        ("region", "where the key lives; the region of the buckets on it where absent"),
        ("description", "a text of at most 8,192 characters"),
        ("rotation_days", "90 to 2,560, or \"off\"; 365 where absent"),
        ("deletion_window_days", "7 to 30; 30 where absent"),
        ("protect", "true or false; deleting needs false, applied before"),
        ("managers", "a list of ARNs of roles, users or account roots that may do everything with the key"),
        ("tags", "a table with a string for each tag: { Owner = \"platform\" }"),
    ],
    later: &[],
};
