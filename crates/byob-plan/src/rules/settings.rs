//! Single settings: what should be thought about, and what a default leaves open.

use byob_model::address::{Kind, RootKind};
use byob_model::kind::{Algorithm, Attributes, LifecycleRule, SseC, VersioningStatus};
use byob_model::live::LiveBucket;
use byob_policy::{Document, principal_in_words};

use super::Ground;
use super::wandb_needs::BucketAsked;
use super::who::{Who, account_of};
use crate::finding::Rule;

/// How requests may come that are better refused.
pub(super) fn transport(asked: &BucketAsked<'_>, document: &Document) -> Vec<(Rule, &'static str)> {
    let refuses = |context: &[(&str, &str)]| asked.refuses_everybody_with(document, context);
    let mut said = Vec::new();
    if !refuses(&[("aws:SecureTransport", "false")]) {
        said.push((Rule::PlainHttp, "TLS is not required: the policy does not refuse plain HTTP"));
    }
    if !refuses(&[("aws:SecureTransport", "true"), ("s3:TlsVersion", "1.1")]) {
        said.push((Rule::OldTls, "old TLS is allowed: the policy does not refuse versions below 1.2"));
    }
    said
}

/// Whether one of W&B's principals is a whole account.
pub(super) fn whole_account(who: &Who<'_>) -> Option<String> {
    let root = who.wandb.principals.iter().find(|p| p.ends_with(":root") && account_of(p).is_some())?;
    let words = principal_in_words(root, who.owner.as_ref());
    Some(format!("{words} is granted as a whole account: every role there that its owner lets"))
}

impl Ground<'_> {
    pub(super) fn settings(&mut self) {
        self.unprotected();
        match self.case.address.kind {
            RootKind::Bucket => {
                self.encryption();
                self.transport();
                self.origins();
                if self.is_storage() {
                    self.versions();
                    self.uploads();
                }
                self.whole_account();
                self.dots();
            }
            RootKind::Key => self.rotation(),
        }
    }

    fn unprotected(&mut self) {
        let protect = match &self.root.attributes {
            // A reference bucket is never deleted.
            Attributes::Bucket(bucket) => bucket.protect || !self.is_storage(),
            Attributes::Key(key) => key.protect,
            _ => true,
        };
        if !protect {
            let help = format!("protect = true in [{}], unless it is to be deleted", self.table());
            self.say(
                Rule::Unprotected,
                self.case.address.address().kind,
                "not protected: taking its table out deletes it",
                help,
            );
        }
    }

    fn encryption(&mut self) {
        let Some(encryption) = self.end.encryption().cloned() else { return };
        let table = self.table().clone();
        if encryption.sse_c == Some(SseC::Allowed) {
            self.say(
                Rule::SseCOpen,
                Kind::Encryption,
                "SSE-C is open: who may write can encrypt objects with a key that only they have",
                format!("sse_c = \"blocked\" in [{table}]"),
            );
        }
        if encryption.algorithm == Algorithm::Kms && encryption.kms_key.is_some() && !encryption.bucket_key {
            self.say(
                Rule::BucketKeyOff,
                Kind::Encryption,
                "the bucket key is off: every object costs calls to KMS",
                format!("bucket_key = true in `encryption` of [{table}]"),
            );
        }
    }

    fn transport(&mut self) {
        let Some(document) = self.end.policy(Kind::BucketPolicy) else { return };
        let table = self.table().clone();
        for (rule, message) in transport(&self.asked(false), document) {
            let setting = match rule {
                Rule::PlainHttp => "tls_only = true",
                _ => "min_tls_version = \"1.2\"",
            };
            self.say(rule, Kind::BucketPolicy, message, format!("{setting} in [{table}]"));
        }
    }

    fn origins(&mut self) {
        let any =
            |rules: &[byob_model::kind::CorsRule]| rules.iter().any(|r| r.allowed_origins.contains("*"));
        if self.end.cors().is_some_and(any) {
            let help = format!(
                "name the origin of W&B's pages in `cors_origins` of [{}]: [\"https://wandb.ai\"] or your deployment's",
                self.table()
            );
            self.say(
                Rule::AnyOrigin,
                Kind::Cors,
                "CORS allows any origin: a page anywhere may use a pre-signed URL that it got hold of",
                help,
            );
        }
    }

    fn versions(&mut self) {
        let Some(on) = self.versioning_on() else { return };
        let table = self.table().clone();
        if !on {
            if self.root.wandb_access {
                self.say(
                    Rule::VersioningOff,
                    Kind::Versioning,
                    "versioning is off: W&B's artifact garbage collection frees nothing",
                    format!("versioning = \"enabled\" in [{table}], with noncurrent_expire_after_days"),
                );
            }
            return;
        }
        let expires = |rule: &LifecycleRule| rule.enabled && rule.noncurrent_version_expiration.is_some();
        if self.end.lifecycle().is_some_and(|rules| !rules.iter().any(expires)) {
            self.say(
                Rule::VersionsKept,
                Kind::Lifecycle,
                "noncurrent versions are kept for ever: what is deleted is paid for",
                format!("noncurrent_expire_after_days = 30 in [{table}], or another number"),
            );
        }
    }

    /// `None` where it is not known.
    fn versioning_on(&self) -> Option<bool> {
        if self.end.object_lock() {
            return Some(true);
        }
        if let Some(status) = self.end.versioning() {
            return Some(status == VersioningStatus::Enabled);
        }
        // Who may not look must find what everybody else finds: nothing.
        let unread = self.planner.live.refused.iter().any(|refused| {
            refused.iam_action == "s3:GetBucketVersioning"
                && refused.resource.rsplit(':').next() == Some(&self.root.name)
        });
        match self.planner.live.buckets.get(&self.root.name) {
            _ if unread => None,
            Some(LiveBucket::Exists(facts)) => Some(facts.versioning_enabled),
            // A fresh bucket never had it.
            Some(LiveBucket::Absent) | None => Some(false),
            Some(LiveBucket::Forbidden { .. }) => None,
        }
    }

    fn uploads(&mut self) {
        let aborts = |r: &LifecycleRule| r.enabled && r.abort_incomplete_multipart_upload_days.is_some();
        if self.end.lifecycle().is_some_and(|rules| !rules.iter().any(aborts)) {
            let help = format!("abort_incomplete_uploads_after_days = 7 in [{}]", self.table());
            self.say(
                Rule::UploadsKept,
                Kind::Lifecycle,
                "unfinished uploads are kept: their parts are paid for and never seen",
                help,
            );
        }
    }

    fn whole_account(&mut self) {
        if !self.root.wandb_access || self.root.managed(Kind::BucketPolicy).is_none() {
            return;
        }
        if let Some(message) = whole_account(&self.who) {
            self.say(
                Rule::WholeAccount,
                Kind::BucketPolicy,
                message,
                "name the role that W&B gives you in [wandb] principals",
            );
        }
    }

    fn dots(&mut self) {
        if self.root.name.contains('.') {
            self.say(
                Rule::DotsInName,
                self.case.address.address().kind,
                "the name has dots: TLS fails at its virtual-hosted address",
                "a name cannot change; for a new bucket choose one without dots",
            );
        }
    }

    fn rotation(&mut self) {
        if self.end.rotation().is_some_and(|rotation| !rotation.enabled) {
            let help = format!("take rotation_days = \"off\" out of [{}]", self.table());
            self.say(
                Rule::RotationOff,
                Kind::Rotation,
                "rotation is off: the key's material never changes",
                help,
            );
        }
    }
}
