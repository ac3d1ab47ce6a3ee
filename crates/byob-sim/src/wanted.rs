//! Configurations from a seed: what one team wants of its buckets, and how that changes.

use std::fmt::Write;

use crate::Dice;

/// What is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    buckets: Vec<BucketTable>,
    key: Option<KeyTable>,
    team: usize,
}

#[derive(Debug, Clone)]
struct BucketTable {
    present: bool,
    protect: bool,
    force_destroy: bool,
    /// Under the key, where there is one.
    under_key: bool,
    sse_c: bool,
    tls_only: bool,
    /// 0: says nothing, now and later.
    versioning: usize,
    cors: bool,
    lifecycle: usize,
    readers: usize,
    block: usize,
    wandb: bool,
}

#[derive(Debug, Clone)]
struct KeyTable {
    protect: bool,
    rotation: usize,
    manager: usize,
}

const A: &str = "arn:aws:iam::111122223333:role/A";
const B: &str = "arn:aws:iam::111122223333:role/B";
const VERSIONING: [&str; 3] = ["", "versioning = \"enabled\"\n", "versioning = \"suspended\"\n"];
const LIFECYCLE: [&str; 3] =
    ["", "abort_incomplete_uploads_after_days = 7\n", "abort_incomplete_uploads_after_days = 9\n"];
const ROTATION: [&str; 3] = ["", "rotation_days = 365\n", "rotation_days = 400\n"];
const MANAGER: [&str; 3] = [
    "",
    "managers = [\"arn:aws:iam::123456789012:role/First\"]\n",
    "managers = [\"arn:aws:iam::123456789012:role/Second\"]\n",
];
const TEAM: [&str; 3] = ["", "[tags]\nTeam = \"ml\"\n", "[tags]\nTeam = \"data\"\nCost = \"7\"\n"];
/// Everybody may read, and the block lets the policy be put and restricts it.
const PUBLIC: usize = 4;

impl Wanted {
    /// What a team begins with.
    #[must_use]
    pub(crate) fn first(dice: &mut Dice) -> Self {
        let key = (!dice.one_in(3)).then(|| KeyTable {
            protect: dice.one_in(2),
            rotation: dice.size(3),
            manager: dice.size(3),
        });
        let buckets = (0..1 + dice.size(3)).map(|_| BucketTable {
            present: true,
            protect: dice.one_in(2),
            force_destroy: dice.one_in(3),
            under_key: key.is_some() && !dice.one_in(3),
            sse_c: dice.one_in(4),
            tls_only: dice.one_in(2),
            versioning: dice.size(3),
            cors: dice.one_in(3),
            lifecycle: dice.size(3),
            readers: dice.size(PUBLIC + 1),
            block: dice.size(3),
            wandb: !dice.one_in(6),
        });
        Self { buckets: buckets.collect(), key, team: dice.size(3) }
    }

    /// What it wants next.
    #[must_use]
    pub(crate) fn next(&self, dice: &mut Dice) -> Self {
        let mut next = self.clone();
        let tables = next.buckets.len();
        for bucket in &mut next.buckets {
            for _ in 0..1 + dice.size(4) {
                match dice.below(13) {
                    0 => bucket.protect = !bucket.protect,
                    1 => bucket.force_destroy = !bucket.force_destroy,
                    2 | 3 => bucket.under_key = next.key.is_some() && !bucket.under_key,
                    4 => bucket.sse_c = !bucket.sse_c,
                    5 => bucket.tls_only = !bucket.tls_only,
                    6 if bucket.versioning > 0 => bucket.versioning = 1 + dice.size(2),
                    7 => bucket.cors = !bucket.cors,
                    8 => bucket.lifecycle = dice.size(3),
                    9 | 10 => bucket.readers = dice.size(PUBLIC + 1),
                    11 => bucket.block = dice.size(3),
                    _ => bucket.wandb = !dice.one_in(4),
                }
            }
            // One that may go does, now and then; one that is protected seldom, which is refused.
            let goes = if bucket.protect { dice.one_in(12) } else { dice.one_in(4) };
            bucket.present = !(bucket.present && goes && tables > 1);
        }
        match &mut next.key {
            Some(key) if !key.protect && dice.one_in(5) => {
                next.key = None;
                next.buckets.iter_mut().for_each(|bucket| bucket.under_key = false);
            }
            Some(key) if dice.one_in(2) => {
                (key.protect, key.rotation, key.manager) = (dice.one_in(2), dice.size(3), dice.size(3));
            }
            None if dice.one_in(4) => next.key = Some(KeyTable { protect: false, rotation: 0, manager: 0 }),
            _ => {}
        }
        if dice.one_in(3) {
            next.team = dice.size(3);
        }
        next
    }

    /// The same, with nothing protected.
    #[must_use]
    pub(crate) fn unprotected(&self) -> Self {
        let mut next = self.clone();
        next.buckets.iter_mut().for_each(|bucket| (bucket.protect, bucket.force_destroy) = (false, true));
        next.key.iter_mut().for_each(|key| key.protect = false);
        next
    }

    /// The file.
    #[must_use]
    pub(crate) fn file(&self) -> String {
        let mut text =
            "version = 1\n[aws]\nregion = \"us-east-1\"\n[wandb]\ndeployment = \"multi-tenant-cloud\"\n"
                .to_owned();
        text.push_str(TEAM[self.team]);
        for (number, bucket) in self.buckets.iter().enumerate().filter(|(_, bucket)| bucket.present) {
            text.push_str(&bucket.table(number));
        }
        if let Some(key) = &self.key {
            let (rotation, manager) = (ROTATION[key.rotation], MANAGER[key.manager]);
            let _ = write!(text, "[key.k]\nalias = \"k\"\nprotect = {}\n{rotation}{manager}", key.protect);
        }
        text
    }
}

impl BucketTable {
    fn table(&self, number: usize) -> String {
        let statement = |sid: &str, who: &[&str], actions: &[&str]| {
            format!(
                "{{ Sid = \"{sid}\", Effect = \"Allow\", Principal = {{ AWS = {who:?} }}, Action = {actions:?}, \
                 Resource = [\"arn:aws:s3:::acme-{number}\", \"arn:aws:s3:::acme-{number}/*\"] }}"
            )
        };
        let readers = match self.readers {
            0 => String::new(),
            1 => statement("ReadA", &[A], &["s3:GetObject"]),
            2 => statement("ReadB", &[B], &["s3:GetObject", "s3:ListBucket"]),
            3 => statement("ReadBoth", &[A, B], &["s3:Get*"]),
            _ => statement("ReadAll", &["*"], &["s3:GetObject"]),
        };
        let block = match (self.readers, self.block) {
            (PUBLIC, _) => "public_access_block = { block_public_policy = false }\n",
            (_, 1) => "public_access_block = { restrict_public_buckets = false }\n",
            (_, 2) => {
                "public_access_block = { block_public_policy = false, restrict_public_buckets = false }\n"
            }
            _ => "",
        };
        format!(
            "[bucket.b{number}]\nname = \"acme-{number}\"\nprotect = {}\nforce_destroy = {}\nencryption = {}\n\
             sse_c = \"{}\"\ntls_only = {}\n{}{}{}{block}wandb_access = {}\nextra_statements = [{readers}]\n",
            self.protect,
            self.force_destroy,
            if self.under_key {
                "{ type = \"sse-kms\", key = \"key.k\", bucket_key = true }"
            } else {
                "\"sse-s3\""
            },
            if self.sse_c { "allowed" } else { "blocked" },
            self.tls_only,
            VERSIONING[self.versioning],
            if self.cors { "cors_origins = [\"https://acme.example\"]\n" } else { "" },
            LIFECYCLE[self.lifecycle],
            self.wandb && self.readers != PUBLIC,
        )
    }
}
