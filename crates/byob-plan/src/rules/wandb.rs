//! Whether W&B can work with a bucket as it will be: its actions, the key, CORS, its principals. And where it may more
//! than is meant.

use byob_model::address::Kind;
use byob_model::config::Deployment;
use byob_model::kind::{Algorithm, KeyRef, Purpose, WANDB_SID};
use byob_policy::{Arn, Document, Partition, Reason, principal_in_words};

use super::Ground;
use super::wandb_needs::{BucketAsked, Lack, cors_lacks, lacks_of_key, refusing};
use super::who::{DEDICATED, MULTI_TENANT, Who, account_of, allows, joined, principals, statement};
use crate::finding::Rule;

/// How many actions are told one by one.
const TOLD: usize = 5;

/// Whether one of W&B's principals is of another partition than the bucket.
pub(super) fn other_partition(who: &Who<'_>, partition: Partition) -> Option<String> {
    let mut all = who.wandb.principals.iter();
    let other = all.find(|p| p.parse::<Arn>().is_ok_and(|arn| arn.partition != partition))?;
    Some(format!("W&B cannot work: {other} is of another partition than the bucket ({partition})"))
}

/// What W&B lacks under this document, and why.
pub(super) fn cannot_work(document: &Document, lack: &Lack, who: &Who<'_>) -> String {
    format!(
        "W&B cannot work: {} lacks {}; {}",
        principal_in_words(&lack.principal, who.owner.as_ref()),
        lack.told(),
        refusing(document, lack)
    )
}

/// What is said of a statement that [`BucketAsked::refused_by_network`] finds.
pub(super) fn only_some_networks(document: &Document, index: usize) -> String {
    format!("{} lets only some networks in, and W&B's own are not known", statement(document, index))
}

/// What W&B may beyond reading the objects of a reference bucket, and the first of these actions.
pub(super) fn more_than_reading(
    asked: &BucketAsked<'_>,
    document: &Document,
) -> Option<(String, &'static str)> {
    let beyond: Vec<&'static str> = asked.beyond_reading(document).into_iter().collect();
    let first = *beyond.first()?;
    let told = match beyond.len() {
        n if n > TOLD => format!("{} and {} more", beyond[..TOLD].join(", "), n - TOLD),
        _ => joined(&beyond),
    };
    Some((format!("W&B is to read this bucket's objects, and may more: {told}"), first))
}

impl<'g> Ground<'g> {
    pub(super) fn wandb(&mut self) {
        if !self.root.wandb_access {
            self.taken_out();
            return;
        }
        self.principals_fit();
        self.actions();
        self.cors();
        self.key();
        self.old_keys();
        if self.purpose() == Purpose::Reference {
            self.more_than_reading();
        }
    }

    /// The bucket as requests meet it under this public access block.
    pub(super) fn asked(&self, restrict_public_buckets: bool) -> BucketAsked<'_> {
        BucketAsked {
            who: &self.who,
            arn: format!("arn:{}:s3:::{}", self.root.partition, self.root.name),
            path: self.root.path.as_deref(),
            region: Some(&self.root.region),
            purpose: self.purpose(),
            restrict_public_buckets,
        }
    }

    fn words(&self, principal: &str) -> String {
        principal_in_words(principal, self.who.owner.as_ref())
    }

    fn taken_out(&mut self) {
        self.say(
            Rule::WandbTakenOut,
            self.case.address.address().kind,
            "W&B is taken out of this bucket (wandb_access = false): what is stored stays, and W&B reads none of it",
            "wandb_access = true lets it in again",
        );
        let Some(document) = self.end.policy(Kind::BucketPolicy).cloned() else { return };
        let stays = allows(&document).find_map(|(index, allow)| {
            principals(allow).find(|p| self.who.is_wandb(p)).map(|p| (index, p.to_owned()))
        });
        if let Some((index, principal)) = stays {
            self.say(
                Rule::WandbStays,
                Kind::BucketPolicy,
                format!(
                    "W&B keeps access although wandb_access is false: {} allows {}",
                    statement(&document, index),
                    self.words(&principal)
                ),
                self.mend(&document, index),
            );
        }
    }

    fn principals_fit(&mut self) {
        let wandb = self.who.wandb;
        if let Some(message) = other_partition(&self.who, self.root.partition) {
            self.say(
                Rule::OtherPartition,
                Kind::BucketPolicy,
                message,
                "nobody reaches across partitions: name W&B's identity of this one in [wandb] principals",
            );
        }
        let own = self.who.owner.as_ref().map(byob_policy::AccountId::as_str);
        let foreign = wandb.principals.iter().find(|p| {
            let Some(account) = account_of(p) else { return false };
            let account = account.as_str();
            // W&B's known accounts are those of one partition.
            let known = self.root.partition == Partition::Aws;
            match wandb.deployment {
                Deployment::MultiTenantCloud => known && account != MULTI_TENANT,
                Deployment::DedicatedCloud => account == MULTI_TENANT || Some(account) == own,
                Deployment::SelfManaged => [MULTI_TENANT, DEDICATED].contains(&account),
            }
        });
        if let Some(principal) = foreign {
            let (deployment, help) = match wandb.deployment {
                Deployment::MultiTenantCloud => {
                    ("multi-tenant-cloud", "leave `principals` out of [wandb], or correct `deployment`")
                }
                Deployment::DedicatedCloud => (
                    "dedicated-cloud",
                    "name what W&B gave you, or leave `principals` out of [wandb], or correct `deployment`",
                ),
                Deployment::SelfManaged => {
                    ("self-managed", "name the role that your own W&B runs as, or correct `deployment`")
                }
            };
            self.say(
                Rule::WrongDeployment,
                Kind::BucketPolicy,
                format!("W&B cannot work: {} is not who asks from \"{deployment}\"", self.words(principal)),
                help,
            );
        }
    }

    fn actions(&mut self) {
        let Some(document) = self.end.policy(Kind::BucketPolicy).cloned() else { return };
        let policy = self.case.address.aspect(Kind::BucketPolicy);
        // What AWS refuses to take cuts nobody off.
        let refused = self.said(Rule::PublicRefused, &policy);
        let restrict = !refused && self.end.block().is_some_and(|b| b.restrict_public_buckets);
        if let Some(lack) = self.asked(restrict).lacks(&document) {
            let (message, help) = self.lacking(&document, &lack);
            self.say(Rule::WandbLacksActions, Kind::BucketPolicy, message, help);
        } else {
            self.broken_until_applied();
        }
        self.network(&document);
    }

    fn lacking(&self, document: &Document, lack: &Lack) -> (String, String) {
        let message = cannot_work(document, lack, &self.who);
        let help = match (lack.reason, lack.deciding) {
            (Reason::DeniedByStatement, Some(index)) => {
                format!("{}, so that W&B is not among those it denies", self.mend(document, index))
            }
            (Reason::CutOffAsPublic, Some(index)) => self.mend(document, index),
            _ => format!(
                "take \"policy\" out of `unmanaged` of [{}], or have statement `{WANDB_SID}` put into the policy",
                self.table()
            ),
        };
        (message, help)
    }

    /// Somebody took W&B's access away, and the plan gives it back.
    fn broken_until_applied(&mut self) {
        let cured = self.cured(Kind::BucketPolicy) || self.cured(Kind::PublicAccessBlock);
        let Some(live) = self.live.as_ref().filter(|_| cured) else { return };
        let Some(document) = live.policy(Kind::BucketPolicy).cloned() else { return };
        let restrict = live.block().is_some_and(|b| b.restrict_public_buckets);
        if let Some(lack) = self.asked(restrict).lacks(&document) {
            let message = format!(
                "W&B cannot work now: {} lacks {}; {}",
                self.words(&lack.principal),
                lack.told(),
                refusing(&document, &lack)
            );
            self.say(Rule::WandbBrokenNow, Kind::BucketPolicy, message, "this plan gives it back");
        }
    }

    fn network(&mut self, document: &Document) {
        let Some(index) = self.asked(false).refused_by_network(document) else { return };
        let by_endpoint = document.statements.get(index).is_some_and(|s| {
            s.condition
                .values()
                .flat_map(|keys| keys.keys())
                .any(|k| k.eq_ignore_ascii_case("aws:SourceVpce"))
        });
        // The customer's own W&B may come through the customer's own endpoint.
        if self.who.wandb.deployment == Deployment::SelfManaged && by_endpoint {
            return;
        }
        self.say(
            Rule::NetworkWithoutWandb,
            Kind::BucketPolicy,
            only_some_networks(document, index),
            "write the addresses that W&B comes from into [wandb] egress; byob lets them in too",
        );
    }

    fn cors(&mut self) {
        let purpose = self.purpose();
        let Some(lacks) = self.end.cors().map(|rules| cors_lacks(rules, purpose)) else { return };
        if !lacks.is_empty() {
            let help = match self.root.managed(Kind::Cors) {
                Some(_) => format!("name the origins of W&B's pages in `cors_origins` of [{}]", self.table()),
                None => format!("take \"cors\" out of `unmanaged` of [{}]", self.table()),
            };
            self.say(
                Rule::WandbLacksCors,
                Kind::Cors,
                format!(
                    "W&B cannot work in browsers: CORS lacks {}, which pre-signed URLs need",
                    joined(&lacks)
                ),
                help,
            );
            return;
        }
        let live = self.live.as_ref().filter(|_| self.cured(Kind::Cors));
        let now =
            live.and_then(|live| live.cors()).map(|rules| cors_lacks(rules, purpose)).unwrap_or_default();
        if !now.is_empty() {
            self.say(
                Rule::WandbBrokenNow,
                Kind::Cors,
                format!("W&B cannot work in browsers now: CORS lacks {}", joined(&now)),
                "this plan gives it back",
            );
        }
    }

    fn key(&mut self) {
        let Some(encryption) = self.end.encryption().filter(|e| e.algorithm != Algorithm::Aes256).cloned()
        else {
            return;
        };
        let Some(key) = encryption.kms_key else {
            let elsewhere = self
                .who
                .wandb
                .principals
                .iter()
                .find(|p| account_of(p).is_some_and(|account| !self.who.is_owners(&account)));
            if let Some(principal) = elsewhere {
                let message = format!(
                    "W&B cannot work: the bucket is encrypted with AWS's own key aws/s3, which {} can never use",
                    self.words(principal)
                );
                self.say(
                    Rule::WandbLacksKey,
                    Kind::Encryption,
                    message,
                    format!("write `encryption` into [{}]: \"sse-s3\", or a key of your own", self.table()),
                );
            }
            return;
        };
        let reading = self.purpose() == Purpose::Reference;
        let encrypted = self.encrypted(encryption.bucket_key);
        let lacks = |document: Option<Document>| {
            lacks_of_key(&self.who, &document?, &arn(&key), (&self.root.region, &encrypted), reading)
        };
        let named = key_name(&key);
        if let Some(lack) = lacks(self.planner.key_policy_in_the_end(&key)) {
            let message = format!(
                "W&B cannot work: the policy of {named} does not give {} {}",
                self.words(&lack.principal),
                lack.told()
            );
            self.say(
                Rule::WandbLacksKey,
                Kind::Encryption,
                message,
                "a bucket policy alone gives 403: have W&B's use put into the key's policy, or let byob manage the key \
                 (a [key.*] table and byob import)",
            );
            return;
        }
        let Some(address) = self.planner.own_key(&key).map(|root| root.aspect(Kind::KeyPolicy)) else {
            return;
        };
        let drifted = self.planner.drift.iter().any(|d| d.address == address);
        if let Some(lack) = lacks(self.planner.live_key_policy(&key)).filter(|_| drifted) {
            let message = format!(
                "W&B cannot work now: the key's policy does not give {} {}",
                self.words(&lack.principal),
                lack.told()
            );
            self.say_at(Rule::WandbBrokenNow, address, message, "this plan gives it back");
        }
    }

    /// What S3 names to KMS where it uses the bucket's key: the bucket under a bucket key, else each object.
    fn encrypted(&self, bucket_key: bool) -> String {
        let folder = self.root.path.as_ref().map(|path| format!("{path}/")).unwrap_or_default();
        let bucket = format!("arn:{}:s3:::{}", self.root.partition, self.root.name);
        if bucket_key { bucket } else { format!("{bucket}/{folder}byob-rules-ask-for-this") }
    }

    /// Keys that the bucket once used: what was written then can be read with them alone.
    fn old_keys(&mut self) {
        let now = self.end.encryption().and_then(|e| e.kms_key.as_ref()).map(arn);
        for used in self.planner.recorded.keys_of(&self.root.name) {
            if now.as_ref() == Some(used) {
                continue;
            }
            let key = KeyRef::Arn(used.clone());
            let Some(document) = self.planner.key_policy_in_the_end(&key) else { continue };
            let place = (self.root.region.as_str(), &*self.encrypted(false));
            let Some(lack) = lacks_of_key(&self.who, &document, used, place, true) else {
                continue;
            };
            let own = self.planner.own_key(&key);
            let address = own.map_or_else(
                || self.case.address.aspect(Kind::Encryption),
                |root| root.aspect(Kind::KeyPolicy),
            );
            let message = format!(
                "W&B could not read any more what {} holds under {}: its policy does not give {} kms:Decrypt",
                self.table(),
                key_name(&key),
                self.words(&lack.principal)
            );
            let help = format!(
                "leave kms:Decrypt with W&B while the bucket may hold objects from then; or wandb_access = false in [{}]",
                self.table()
            );
            self.say_at(Rule::Unreadable, address, message, help);
        }
    }

    fn more_than_reading(&mut self) {
        let Some(document) = self.end.policy(Kind::BucketPolicy).cloned() else { return };
        let Some((message, first)) = more_than_reading(&self.asked(false), &document) else { return };
        let giving = allows(&document).find(|(_, allow)| {
            allow.sid.as_deref() != Some(WANDB_SID)
                && principals(allow).any(|p| p == "*" || self.who.is_wandb(p))
        });
        let help = giving.map_or_else(
            || format!("W&B needs s3:GetObject alone, not {first}"),
            |(index, _)| format!("W&B needs s3:GetObject alone: {}", self.mend(&document, index)),
        );
        self.say(Rule::ReferenceGrantsMore, Kind::BucketPolicy, message, help);
    }
}

fn arn(key: &KeyRef) -> String {
    match key {
        KeyRef::Arn(arn) => arn.clone(),
        KeyRef::Managed { .. } => "*".to_owned(),
    }
}

fn key_name(key: &KeyRef) -> String {
    match key {
        KeyRef::Arn(arn) => format!("`{arn}`"),
        KeyRef::Managed { arn_of } => arn_of.to_string(),
    }
}
