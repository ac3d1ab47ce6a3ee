//! Configurations from a seed: what one team wants of its buckets, and how that changes.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::Dice;

/// What is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    buckets: Vec<BucketTable>,
    key: Option<KeyTable>,
    /// Of a wide team.
    second: Option<KeyTable>,
    team: usize,
    /// How many labels there were.
    labels: usize,
    /// Addresses that are to be left alone; their tables are gone for good.
    forget: Vec<String>,
    /// Aliases that are not to be used any more: another stack's, as far as byob knows.
    lost: Vec<&'static str>,
}

#[derive(Debug, Clone)]
struct BucketTable {
    label: usize,
    present: bool,
    /// It was forgotten, and has no table any more.
    forgotten: bool,
    protect: bool,
    force_destroy: bool,
    /// Under the key, where there is one.
    under_key: bool,
    /// Under the second one, where there is one.
    under_second: bool,
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

#[derive(Debug, Clone, Default)]
struct KeyTable {
    /// 0: as its alias.
    label: usize,
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
            label: 0,
            protect: dice.one_in(2),
            rotation: dice.size(3),
            manager: dice.size(3),
        });
        let buckets = (0..1 + dice.size(3)).map(|label| BucketTable {
            label,
            present: true,
            forgotten: false,
            protect: dice.one_in(2),
            force_destroy: dice.one_in(3),
            under_key: key.is_some() && !dice.one_in(3),
            under_second: false,
            sse_c: dice.one_in(4),
            tls_only: dice.one_in(2),
            versioning: dice.size(3),
            cors: dice.one_in(3),
            lifecycle: dice.size(3),
            readers: dice.size(PUBLIC + 1),
            block: dice.size(3),
            wandb: !dice.one_in(6),
        });
        let buckets: Vec<BucketTable> = buckets.collect();
        let labels = buckets.len();
        let team = dice.size(3);
        Self { buckets, key, second: None, team, labels, forget: Vec::new(), lost: Vec::new() }
    }

    /// A wide team: with a second key, tables that get other labels and exchange them, and buckets and keys that are
    /// forgotten.
    #[must_use]
    pub(crate) fn widened(mut self, dice: &mut Dice) -> Self {
        match &mut self.second {
            None if dice.one_in(2) && !self.lost.contains(&"l") => {
                self.second = Some(KeyTable { protect: dice.one_in(3), ..KeyTable::default() });
            }
            Some(key) if !key.protect && dice.one_in(5) => self.second = None,
            Some(key) if dice.one_in(2) => {
                (key.protect, key.rotation, key.manager) = (dice.one_in(2), dice.size(3), dice.size(3));
            }
            _ => {}
        }
        if self.lost.contains(&"k") {
            self.key = None;
        }
        for bucket in self.buckets.iter_mut().filter(|_| dice.one_in(2)) {
            bucket.under_second = self.second.is_some() && !bucket.under_second;
        }
        self.label(dice);
        self.forget(dice);
        let (first, second) = (self.key.is_some(), self.second.is_some());
        for bucket in &mut self.buckets {
            bucket.present &= !bucket.forgotten;
            bucket.under_key &= first;
            bucket.under_second &= second;
        }
        self
    }

    /// New labels, and labels that go from one to another.
    fn label(&mut self, dice: &mut Dice) {
        for at in 0..self.buckets.len() {
            let other = dice.size(self.buckets.len());
            match dice.below(6) {
                0 if !self.buckets[at].forgotten => {
                    self.buckets[at].label = self.labels;
                    self.labels += 1;
                }
                1 if !self.buckets[at].forgotten && !self.buckets[other].forgotten => {
                    let label = self.buckets[other].label;
                    self.buckets[other].label = std::mem::replace(&mut self.buckets[at].label, label);
                }
                _ => {}
            }
        }
        for key in [&mut self.key, &mut self.second].into_iter().flatten().filter(|_| dice.one_in(6)) {
            key.label = self.labels;
            self.labels += 1;
        }
        // Two keys may exchange their labels too.
        if let (Some(one), Some(other)) = (&mut self.key, &mut self.second)
            && one.label > 0
            && other.label > 0
            && dice.one_in(3)
        {
            std::mem::swap(&mut one.label, &mut other.label);
        }
    }

    fn forget(&mut self, dice: &mut Dice) {
        let mut tables = self.buckets.iter().filter(|bucket| bucket.present && !bucket.forgotten).count();
        for bucket in &mut self.buckets {
            if bucket.present && !bucket.forgotten && tables > 1 && dice.one_in(10) {
                bucket.forgotten = true;
                self.forget.push(format!("bucket.b{}", bucket.label));
                tables -= 1;
            }
        }
        for (alias, key) in [("k", &mut self.key), ("l", &mut self.second)] {
            if dice.one_in(20)
                && let Some(table) = key.take()
            {
                self.forget.push(format!("key.{}", table.label(alias)));
                self.lost.push(alias);
            }
        }
    }

    /// What a wide team leaves alone.
    #[must_use]
    pub(crate) fn forgets(&self) -> &[String] {
        &self.forget
    }

    /// The same, with what is at these addresses left alone; a table that is there gets a label of its own.
    #[must_use]
    pub(crate) fn leaving(&self, addresses: &BTreeSet<String>) -> Self {
        let mut next = self.clone();
        // Not one of those of another configuration.
        next.labels = next.labels.max(1000);
        let labels = &mut next.labels;
        let mut fresh = |label: &mut usize, address: String| {
            if addresses.contains(&address) {
                *label = *labels;
                *labels += 1;
            }
        };
        for bucket in next.buckets.iter_mut().filter(|bucket| bucket.present) {
            let address = format!("bucket.b{}", bucket.label);
            fresh(&mut bucket.label, address);
        }
        for (alias, key) in [("k", &mut next.key), ("l", &mut next.second)] {
            if let Some(key) = key {
                let address = format!("key.{}", key.label(alias));
                fresh(&mut key.label, address);
            }
        }
        let more = addresses.iter().filter(|one| !self.forget.contains(one));
        next.forget.extend(more.cloned());
        next
    }

    fn addresses(&self) -> Vec<String> {
        let buckets = self.buckets.iter().filter(|bucket| bucket.present);
        let mut all: Vec<String> = buckets.map(|bucket| format!("bucket.b{}", bucket.label)).collect();
        let keys = [("k", &self.key), ("l", &self.second)];
        let keys = keys.into_iter().filter_map(|(alias, key)| Some((alias, key.as_ref()?)));
        all.extend(keys.map(|(alias, key)| format!("key.{}", key.label(alias))));
        all
    }

    /// One of the tables.
    #[must_use]
    pub(crate) fn any_address(&self, dice: &mut Dice) -> Option<String> {
        let mut all = self.addresses();
        (!all.is_empty()).then(|| all.swap_remove(dice.size(all.len())))
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
            None if dice.one_in(4) => next.key = Some(KeyTable::default()),
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
        next.key.iter_mut().chain(&mut next.second).for_each(|key| key.protect = false);
        next
    }

    /// The file.
    #[must_use]
    pub(crate) fn file(&self) -> String {
        let mut text = format!("version = 1\nforget = {:?}\n", self.forget);
        text.push_str("[aws]\nregion = \"us-east-1\"\n[wandb]\ndeployment = \"multi-tenant-cloud\"\n");
        text.push_str(TEAM[self.team]);
        for (number, bucket) in self.buckets.iter().enumerate().filter(|(_, bucket)| bucket.present) {
            let keys = [&self.key, &self.second].map(Option::as_ref);
            text.push_str(&bucket.table(number, keys));
        }
        for (alias, key) in [("k", &self.key), ("l", &self.second)] {
            let Some(key) = key else { continue };
            let (rotation, manager) = (ROTATION[key.rotation], MANAGER[key.manager]);
            let _ = write!(
                text,
                "[key.{}]\nalias = \"{alias}\"\nprotect = {}\n{rotation}{manager}",
                key.label(alias),
                key.protect
            );
        }
        text
    }
}

impl KeyTable {
    fn label(&self, alias: &str) -> String {
        if self.label == 0 { alias.to_owned() } else { format!("k{}", self.label) }
    }
}

impl BucketTable {
    fn table(&self, number: usize, keys: [Option<&KeyTable>; 2]) -> String {
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
        let key = match (keys, self.under_key, self.under_second) {
            ([_, Some(second)], _, true) => Some(second.label("l")),
            ([Some(first), _], true, _) => Some(first.label("k")),
            _ => None,
        };
        let encryption = key.map_or_else(
            || "\"sse-s3\"".to_owned(),
            |label| format!("{{ type = \"sse-kms\", key = \"key.{label}\", bucket_key = true }}"),
        );
        format!(
            "[bucket.b{}]\nname = \"acme-{number}\"\nprotect = {}\nforce_destroy = {}\nencryption = {encryption}\n\
             sse_c = \"{}\"\ntls_only = {}\n{}{}{}{block}wandb_access = {}\nextra_statements = [{readers}]\n",
            self.label,
            self.protect,
            self.force_destroy,
            if self.sse_c { "allowed" } else { "blocked" },
            self.tls_only,
            VERSIONING[self.versioning],
            if self.cors { "cors_origins = [\"https://acme.example\"]\n" } else { "" },
            LIFECYCLE[self.lifecycle],
            self.wandb && self.readers != PUBLIC,
        )
    }
}
