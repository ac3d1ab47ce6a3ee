//! The requests that prove a bucket, in their order, each below a folder of this run alone. Between two of them an
//! interrupt is heeded; whatever happened, what they left is taken out again at the end.

use byob_model::kind::Purpose;
use byob_model::{Kind, RootAddress};
use byob_policy::{
    Circumstances, Document, Effect, Guarded, Identity, Reason, Request, Requester, Statement, evaluate,
};

use crate::FOLDER;
use crate::browser;
use crate::check::{Check, Outcome};
use crate::clean::{Left, Traces, clean};
use crate::probe::{Encrypted, Probe, Refused, Reply};
use crate::subject::Subject;

/// What the requests proved.
#[derive(Debug, Default)]
pub struct Proved {
    /// In their order.
    pub checks: Vec<Check>,
    /// What could not be removed.
    pub left: Vec<Left>,
    /// Somebody asked to stop: later checks are missing.
    pub interrupted: bool,
}

/// Makes the requests. `actor` is who is proved; `keeper`, with the caller's own rights, removes what that left; `role`
/// is the actor's name where it is not the caller; `run` is a name that no other run has.
pub async fn prove<P: Probe>(
    subject: &Subject<'_>,
    (actor, role): (&P, Option<&str>),
    keeper: &P,
    run: &str,
    stop: &dyn Fn() -> bool,
) -> Proved {
    let folder = format!("{}{FOLDER}/{run}/", subject.folder());
    let who = role.unwrap_or("this caller").to_owned();
    let mut run = Run {
        subject,
        actor,
        who,
        body: format!("byob verify {run}\n").into_bytes(),
        folder: folder.clone(),
        traces: Traces::default(),
        checks: Vec::new(),
        stop,
    };
    let interrupted = run.all().await.is_none();
    let Run { traces, mut checks, .. } = run;
    let mut left = Vec::new();
    if !traces.is_empty() {
        let (check, stays) = clean(subject, keeper, &folder, &traces).await;
        checks.push(check);
        left = stays;
    }
    Proved { checks, left, interrupted }
}

struct Run<'a, P> {
    subject: &'a Subject<'a>,
    actor: &'a P,
    /// Who makes the requests, in words.
    who: String,
    body: Vec<u8>,
    folder: String,
    traces: Traces,
    checks: Vec<Check>,
    stop: &'a dyn Fn() -> bool,
}

const UPLOAD: &str = "runs fail to upload";
const DOWNLOAD: &str = "files, media and artifacts do not open";

/// Every method gives `None` where somebody asked to stop.
impl<P: Probe> Run<'_, P> {
    async fn all(&mut self) -> Option<()> {
        if !self.subject.root.wandb_access {
            let why = "W&B is taken out of this bucket (wandb_access = false)";
            self.say("requests", format!("{} can work with the bucket", self.who), Outcome::skipped(why));
            return Some(());
        }
        match self.no_writes() {
            Some(why) => {
                let proves = format!("{} can write, read, list and delete objects", self.who);
                self.say("requests", proves, Outcome::skipped(why));
            }
            None => {
                self.objects().await?;
                self.multipart().await?;
                self.signed().await?;
            }
        }
        self.preflights().await?;
        if self.no_writes().is_none() {
            self.delete().await?;
        }
        Some(())
    }

    /// Why nothing is written into this bucket.
    fn no_writes(&self) -> Option<String> {
        if self.subject.purpose() == Purpose::Reference {
            return Some(
                "W&B only reads this bucket, and byob writes nothing into it; register it with one existing object, \
                 which W&B reads once"
                    .to_owned(),
            );
        }
        let lock = self.subject.object_lock()?;
        lock.mode.map(|_| {
            "object lock keeps every new object for its default retention: what verify wrote could not be removed"
                .to_owned()
        })
    }

    fn go(&self) -> Option<()> {
        (!(self.stop)()).then_some(())
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.folder)
    }

    fn say(&mut self, id: &str, proves: impl Into<String>, outcome: Outcome) {
        self.say_at(None, id, proves, outcome);
    }

    fn say_at(&mut self, kind: Option<Kind>, id: &str, proves: impl Into<String>, outcome: Outcome) {
        let address: &RootAddress = self.subject.address;
        let address = kind.map_or_else(|| address.address(), |kind| address.aspect(kind));
        self.checks.push(Check::new(id, &address, proves, outcome));
    }

    /// What a request that had no success means.
    fn refused(&mut self, refused: &Refused, wandb: &str) -> Outcome {
        self.traces.heard(refused);
        let cure = if refused.denied {
            let key = if self.subject.key.is_some() {
                "; on the bucket's key kms:GenerateDataKey and kms:Decrypt count too"
            } else {
                ""
            };
            format!(
                "either {} lacks {} below {}/{}{key}; or a Deny of the bucket's or the key's policy is in the way",
                self.who,
                refused.iam_action,
                self.subject.arn(),
                self.folder
            )
        } else if refused.unsure {
            "try again; if it stays, look at the network between here and S3".to_owned()
        } else {
            "AWS's own answer says what is wrong; byob plan shows what was changed".to_owned()
        };
        Outcome::failed(refused.to_string(), cure, wandb)
    }

    fn skip_all(&mut self, why: &str, checks: &[(&str, String)]) {
        for (id, proves) in checks {
            self.say(id, proves.clone(), Outcome::skipped(why));
        }
    }

    async fn objects(&mut self) -> Option<()> {
        self.go()?;
        let key = self.key("object");
        let proves = [
            ("head", format!("{} can look at it (HEAD)", self.who)),
            ("encryption", "a new object is encrypted as byob.toml says".to_owned()),
            ("get", format!("{} reads back what was written", self.who)),
            ("list", format!("{} finds it in the list of its folder", self.who)),
        ];
        let [head, encryption, get, list] = proves.clone().map(|(_, proves)| proves);
        let put = format!("{} can write an object", self.who);
        match self.actor.put(&key, &self.body).await {
            Ok(version) => {
                self.traces.objects.insert((key.clone(), version));
                self.say("put", put, Outcome::PASSED);
            }
            Err(refused) => {
                let outcome = self.refused(&refused, UPLOAD);
                self.say("put", put, outcome);
                self.skip_all("nothing could be written", &proves);
                return Some(());
            }
        }
        self.go()?;
        match self.actor.head(&key).await {
            Ok(found) => {
                let length = self.body.len() as u64;
                let outcome = if found.length == length {
                    Outcome::PASSED
                } else {
                    let seen = format!("{} bytes were written, and it has {}", length, found.length);
                    Outcome::failed(
                        seen,
                        "something rewrites what is stored: look between here and S3",
                        DOWNLOAD,
                    )
                };
                self.say("head", head, outcome);
                let outcome = self.encrypted(&found.encrypted);
                self.say_at(Some(Kind::Encryption), "encryption", encryption, outcome);
            }
            Err(refused) => {
                let outcome = self.refused(&refused, DOWNLOAD);
                self.say("head", head, outcome);
                let why = Outcome::skipped("its headers could not be read");
                self.say_at(Some(Kind::Encryption), "encryption", encryption, why);
            }
        }
        self.go()?;
        let outcome = match self.actor.get(&key).await {
            Ok(body) if body == self.body => Outcome::PASSED,
            Ok(body) => Outcome::failed(
                format!("{} other bytes came back", body.len()),
                "something rewrites what is stored: look between here and S3",
                DOWNLOAD,
            ),
            Err(refused) => self.refused(&refused, DOWNLOAD),
        };
        self.say("get", get, outcome);
        self.go()?;
        let outcome = match self.actor.list(&self.folder).await {
            Ok(keys) if keys.contains(&key) => Outcome::PASSED,
            Ok(keys) => Outcome::failed(
                format!("{} objects are listed, and it is not among them", keys.len()),
                "S3 itself lists at once: look between here and S3",
                "files are not found",
            ),
            Err(refused) => self.refused(&refused, "files are not found"),
        };
        self.say("list", list, outcome);
        Some(())
    }

    /// The headers of an object against the configuration.
    fn encrypted(&self, found: &Encrypted) -> Outcome {
        let Some(wanted) = self.subject.wants_encrypted() else {
            let told = found.algorithm.as_deref().unwrap_or("nothing");
            return Outcome::skipped(format!(
                "encryption is not byob's to manage here; the object says {told}"
            ));
        };
        if *found == wanted {
            return Outcome::PASSED;
        }
        Outcome::failed(
            format!("the object's headers say {}, and byob.toml {}", found.told(), wanted.told()),
            "byob plan shows the change, byob apply puts the default encryption back; what was written meanwhile stays \
             as it is",
            match (&found.key, &wanted.key) {
                (Some(found), Some(wanted)) if found != wanted => {
                    "403 on upload and download, where W&B may not use that key"
                }
                (Some(_), None) => "403 on upload and download: W&B was told of no key",
                _ => "nothing: W&B works, and what it writes is not encrypted as was agreed",
            },
        )
    }

    async fn multipart(&mut self) -> Option<()> {
        let key = self.key("multipart");
        let proves = format!("{} can upload in parts (create, one part, complete)", self.who);
        let large = "large files fail to upload";
        self.go()?;
        let upload = match self.actor.begin_upload(&key).await {
            Ok(upload) => upload,
            Err(refused) => {
                let outcome = self.refused(&refused, large);
                self.say("multipart", proves, outcome);
                return Some(());
            }
        };
        let open = (key.clone(), upload.clone());
        self.traces.uploads.insert(open.clone());
        self.go()?;
        let etag = match self.actor.upload_part(&key, &upload, &self.body).await {
            Ok(etag) => etag,
            Err(refused) => {
                let outcome = self.refused(&refused, large);
                self.say("multipart", proves, outcome);
                return Some(());
            }
        };
        self.go()?;
        let outcome = match self.actor.complete_upload(&key, &upload, &etag).await {
            Ok(version) => {
                self.traces.uploads.remove(&open);
                self.traces.objects.insert((key, version));
                Outcome::PASSED
            }
            Err(refused) => self.refused(&refused, large),
        };
        self.say("multipart", proves, outcome);
        Some(())
    }

    /// Pre-signed URLs, as W&B's clients and pages use them.
    async fn signed(&mut self) -> Option<()> {
        let key = self.key("signed");
        let origin =
            self.subject.desired_cors().and_then(|cors| browser::origins(&cors.rules).into_iter().next());
        let put = "a pre-signed PUT works with an ordinary HTTP client";
        let get = "a pre-signed GET works with an ordinary HTTP client";
        self.go()?;
        let written = match self.actor.signed_put(&key, &self.body, origin.as_deref()).await {
            Ok(reply) if reply.is_success() => {
                let version = reply.header("x-amz-version-id").map(str::to_owned);
                self.traces.objects.insert((key.clone(), version));
                self.say("signed-put", put, Outcome::PASSED);
                true
            }
            Ok(reply) => {
                self.traces.unsure |= reply.status >= 500;
                let outcome = url_refused(&reply, UPLOAD);
                self.say("signed-put", put, outcome);
                false
            }
            Err(refused) => {
                let outcome = self.refused(&refused, UPLOAD);
                self.say("signed-put", put, outcome);
                false
            }
        };
        let tls = "requests without TLS are refused";
        if !written {
            self.say("signed-get", get, Outcome::skipped("nothing could be written"));
            if self.tls_only() {
                self.say_at(
                    Some(Kind::BucketPolicy),
                    "plain-http",
                    tls,
                    Outcome::skipped("nothing could be written"),
                );
            }
            return Some(());
        }
        self.go()?;
        let mut readable = false;
        match self.actor.signed_get(&key, origin.as_deref(), false).await {
            Ok(reply) if reply.is_success() && reply.body == self.body => {
                readable = true;
                self.say("signed-get", get, Outcome::PASSED);
                if let Some(origin) = &origin {
                    self.checks.push(browser::shows_etag(self.subject, origin, &reply));
                }
            }
            Ok(reply) if reply.is_success() => {
                let seen = format!("{} other bytes came back", reply.body.len());
                let cure = "something rewrites what is stored: look between here and S3";
                self.say("signed-get", get, Outcome::failed(seen, cure, DOWNLOAD));
            }
            Ok(reply) => self.say("signed-get", get, url_refused(&reply, DOWNLOAD)),
            Err(refused) => {
                let outcome = self.refused(&refused, DOWNLOAD);
                self.say("signed-get", get, outcome);
            }
        }
        if self.tls_only() {
            self.go()?;
            let outcome = self.plain_http(&key, readable).await;
            self.say_at(Some(Kind::BucketPolicy), "plain-http", tls, outcome);
        }
        Some(())
    }

    /// The same pre-signed GET without TLS: that it works with TLS was seen before.
    async fn plain_http(&mut self, key: &str, readable: bool) -> Outcome {
        if !self.actor.speaks_tls() {
            return Outcome::skipped(
                "this endpoint is reached over plain HTTP alone, and a policy there cannot ask for TLS",
            );
        }
        if !readable {
            return Outcome::skipped("the object could not be read over TLS either");
        }
        match self.actor.signed_get(key, None, true).await {
            Ok(reply) if reply.status == 403 => Outcome::PASSED,
            Ok(reply) if reply.is_success() => Outcome::failed(
                "an object was handed out over plain HTTP",
                "byob plan shows the missing statement, byob apply puts it back",
                "nothing: W&B itself always uses TLS",
            ),
            Ok(reply) => Outcome::skipped(format!("it cannot be told: {reply}")),
            Err(refused) => {
                Outcome::skipped(format!("plain HTTP does not get through from here: {}", refused.answer))
            }
        }
    }

    /// Whether the policy is to refuse everybody who comes without TLS.
    fn tls_only(&self) -> bool {
        let live;
        let document = match self.subject.desired_policy() {
            Some(document) => document,
            None => {
                live = self.subject.live_policy();
                &live
            }
        };
        let root = format!("arn:{}:iam::{}:root", self.subject.root.partition, self.subject.account_id);
        let Ok(root) = root.parse() else { return false };
        let root: Requester = root;
        // The Denies that ask for TLS alone: another one may deny this request for another reason.
        let asks = |one: &&Statement| {
            let mut keys = one.condition.values().flat_map(|keys| keys.keys());
            one.effect == Effect::Deny && keys.any(|key| key.eq_ignore_ascii_case("aws:SecureTransport"))
        };
        let statements = document.statements.iter().filter(asks).cloned().collect();
        let document = Document { statements, ..document.clone() };
        let denied = |over_tls: &str| {
            let context = [("aws:SecureTransport".to_owned(), vec![over_tls.to_owned()])];
            let object = format!("{}/{}", self.subject.arn(), self.key("signed"));
            let request = Request::new(root.clone(), "s3:GetObject", object, context);
            let circumstances =
                Circumstances::new(Guarded::Bucket, self.subject.owner(), Identity::Everything);
            evaluate(&document, &request, &circumstances).reason == Reason::DeniedByStatement
        };
        denied("false") && !denied("true")
    }

    async fn preflights(&mut self) -> Option<()> {
        let Some(cors) = self.subject.desired_cors() else {
            self.checks.push(browser::unmanaged(self.subject));
            return Some(());
        };
        let key = self.key("signed");
        for origin in browser::origins(&cors.rules) {
            let mut refusals = Vec::new();
            for method in browser::methods(self.subject.purpose()) {
                self.go()?;
                match self.actor.preflight(&key, &origin, method).await {
                    Ok(reply) => refusals.extend(browser::refusal(&reply, &origin, method)),
                    Err(refused) => refusals.push(format!("{method}: {}", refused.answer)),
                }
            }
            self.checks.push(browser::from_ours(self.subject, &origin, &refusals));
        }
        let Some(foreign) = browser::foreign(&cors.rules) else {
            self.checks.push(browser::all_let_in(self.subject));
            return Some(());
        };
        self.go()?;
        let lets_in = match self.actor.preflight(&key, foreign, "GET").await {
            Ok(reply) => reply.is_success() && browser::lets_in(&reply, foreign),
            // Nothing is let in where nothing answers; that is told of the origins above.
            Err(_) => false,
        };
        self.checks.push(browser::from_foreign(self.subject, foreign, lets_in));
        Some(())
    }

    async fn delete(&mut self) -> Option<()> {
        let key = self.key("object");
        let proves = format!("{} can delete it", self.who);
        if !self.traces.objects.iter().any(|(written, _)| *written == key) {
            self.say("delete", proves, Outcome::skipped("nothing could be written"));
            return Some(());
        }
        self.go()?;
        let stays = "deleted runs and artifacts stay and cost";
        let outcome = match self.actor.delete(&key, None).await {
            Ok(marker) => {
                if marker.is_some() {
                    self.traces.objects.insert((key.clone(), marker));
                }
                match self.actor.list(&self.folder).await {
                    Ok(keys) if keys.contains(&key) => Outcome::failed(
                        "it is still listed",
                        "S3 itself lists at once: look between here and S3",
                        stays,
                    ),
                    // That it may not be listed was told before.
                    Ok(_) | Err(_) => Outcome::PASSED,
                }
            }
            Err(refused) => self.refused(&refused, stays),
        };
        self.say("delete", proves, outcome);
        Some(())
    }
}

fn url_refused(reply: &Reply, wandb: &str) -> Outcome {
    Outcome::failed(
        reply.to_string(),
        "a Deny of the bucket policy (s3:authType, s3:signatureAge, a network), a proxy between here and S3, or a right \
         that whoever signs lacks",
        format!("{wandb}: W&B hands out pre-signed URLs for every file"),
    )
}
