//! A configuration, a world that is as it says, and a bucket in memory that answers requests.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use byob_model::address::RootKind;
use byob_model::desired::{Desired, DesiredAspect, desired};
use byob_model::kind::{Algorithm, Attributes, Cors, CorsRule, KeyRef, KeyState, Policy};
use byob_model::live::{BucketFacts, KeyFacts, Live, LiveAspect, LiveBucket, LiveKey};
use byob_model::recorded::Recorded;
use byob_model::{Kind, RootAddress};
use byob_policy::Document;
use byob_verify::{
    Check, Encrypted, Head, Outcome, Probe, Proved, Refused, Reply, Subject, judge, prove, subjects,
};

pub(crate) const EXAMPLE: &str = include_str!("../../../../byob.toml.example");
pub(crate) const ACCOUNT: &str = "123456789012";

/// What a configuration wants.
pub(crate) fn wants(text: &str) -> Desired {
    let config = byob_model::config::parse(text, &|_| Err(String::new())).unwrap();
    desired(&config, ACCOUNT, &Recorded::default()).unwrap()
}

fn key_arn(address: &RootAddress, region: &str) -> String {
    format!("arn:aws:kms:{region}:{ACCOUNT}:key/of-{}", address.label)
}

/// A world that is as it is wanted.
pub(crate) fn world(desired: &Desired) -> Live {
    let mut live = Live::default();
    for (address, root) in &desired.roots {
        let aspects: BTreeMap<Kind, LiveAspect> = root
            .aspects
            .iter()
            .filter_map(|(kind, aspect)| match aspect {
                DesiredAspect::Managed(attributes) => {
                    Some((*kind, LiveAspect::Present(resolved(attributes, &root.region))))
                }
                DesiredAspect::Left => None,
            })
            .collect();
        match address.kind {
            RootKind::Bucket => {
                let facts = BucketFacts { region: root.region.clone(), aspects, ..BucketFacts::default() };
                live.buckets.insert(root.name.clone(), LiveBucket::Exists(Box::new(facts)));
            }
            RootKind::Key => {
                let arn = key_arn(address, &root.region);
                live.aliases.insert((root.region.clone(), root.name.clone()), Some(arn.clone()));
                let facts = KeyFacts {
                    arn: arn.clone(),
                    state: KeyState::Enabled,
                    description: String::new(),
                    usable: true,
                    aspects,
                    tags: BTreeMap::new(),
                    aliases: std::iter::once(root.name.clone()).collect(),
                };
                live.keys.insert(arn, LiveKey::Exists(Box::new(facts)));
            }
        }
    }
    live
}

fn resolved(attributes: &Attributes, region: &str) -> Attributes {
    match attributes {
        Attributes::Encryption(encryption) => {
            let mut encryption = encryption.clone();
            if let Some(KeyRef::Managed { arn_of }) = &encryption.kms_key {
                encryption.kms_key = Some(KeyRef::Arn(key_arn(arn_of, region)));
            }
            Attributes::Encryption(encryption)
        }
        other => other.clone(),
    }
}

/// A bucket's facts, to change them.
pub(crate) fn facts<'a>(live: &'a mut Live, bucket: &str) -> &'a mut BucketFacts {
    match live.buckets.get_mut(bucket) {
        Some(LiveBucket::Exists(facts)) => facts,
        other => panic!("{bucket}: {other:?}"),
    }
}

/// Changes the policy of a bucket or key behind byob's back.
pub(crate) fn repolicy(
    aspects: &mut BTreeMap<Kind, LiveAspect>,
    kind: Kind,
    change: impl Fn(&mut serde_json::Value),
) {
    let Some(LiveAspect::Present(Attributes::Policy(policy))) = aspects.get(&kind) else {
        panic!("no policy")
    };
    let mut value = policy.document.to_value();
    change(&mut value);
    let document = Document::from_value(&value).unwrap();
    aspects.insert(kind, LiveAspect::Present(Attributes::Policy(Policy { document })));
}

/// Keys with versions, the newest last; `None` is a delete marker.
type Objects = BTreeMap<String, Vec<(String, Option<Vec<u8>>)>>;

/// Parts by key and id.
type Uploads = BTreeMap<(String, String), Vec<u8>>;

/// A bucket in memory.
#[derive(Default)]
pub(crate) struct Bucket {
    pub(crate) versioned: bool,
    pub(crate) encrypted: Encrypted,
    pub(crate) cors: Vec<CorsRule>,
    pub(crate) tls: bool,
    /// Whether plain HTTP is refused.
    pub(crate) tls_only: bool,
    /// Operations that are denied to whoever asks.
    pub(crate) denied: Vec<&'static str>,
    /// The request (from 0) whose answer is lost behind its effect.
    pub(crate) loses: Option<u32>,
    pub(crate) requests: Cell<u32>,
    /// What is in it; other hands may hold it too.
    pub(crate) objects: Rc<RefCell<Objects>>,
    pub(crate) uploads: Rc<RefCell<Uploads>>,
    pub(crate) count: Cell<u32>,
}

impl Bucket {
    /// One that is as the subject wants it.
    pub(crate) fn of(subject: &Subject<'_>) -> Self {
        let managed = |kind| subject.root.managed(kind);
        let encrypted = match managed(Kind::Encryption) {
            Some(Attributes::Encryption(encryption)) => Encrypted {
                algorithm: Some(encryption.algorithm.as_str().to_owned()),
                key: subject.key.as_ref().and_then(|key| key.arn.clone()),
                bucket_key: encryption.algorithm == Algorithm::Kms && encryption.bucket_key,
            },
            _ => Encrypted::default(),
        };
        let cors = match managed(Kind::Cors) {
            Some(Attributes::Cors(Cors { rules, .. })) => rules.clone(),
            _ => Vec::new(),
        };
        Self { encrypted, cors, tls: true, tls_only: true, versioned: true, ..Self::default() }
    }

    /// Whether nothing is in it: no object, no version, no marker, no upload.
    pub(crate) fn is_empty(&self) -> bool {
        self.objects.borrow().values().all(Vec::is_empty) && self.uploads.borrow().is_empty()
    }

    fn id(&self) -> String {
        self.count.set(self.count.get() + 1);
        format!("v{}", self.count.get())
    }

    fn denies(&self, operation: &'static str) -> Result<(), Refused> {
        if self.denied.contains(&operation) {
            return Err(refused(operation, true, false));
        }
        Ok(())
    }

    /// The answer, or its loss.
    fn answer<T>(&self, operation: &'static str, answer: T) -> Result<T, Refused> {
        let request = self.requests.get();
        self.requests.set(request + 1);
        if self.loses == Some(request) { Err(refused(operation, false, true)) } else { Ok(answer) }
    }

    fn store(&self, key: &str, body: Option<Vec<u8>>) -> Option<String> {
        let mut objects = self.objects.borrow_mut();
        let versions = objects.entry(key.to_owned()).or_default();
        if self.versioned {
            let id = self.id();
            versions.push((id.clone(), body));
            Some(id)
        } else {
            versions.clear();
            versions.extend(body.map(|body| ("null".to_owned(), Some(body))));
            None
        }
    }

    fn newest(&self, key: &str) -> Option<Vec<u8>> {
        self.objects.borrow().get(key)?.last()?.1.clone()
    }

    fn rule(&self, origin: &str, method: &str) -> Option<&CorsRule> {
        self.cors.iter().find(|rule| {
            rule.allowed_origins.iter().any(|one| byob_policy::pattern::glob(one, origin, false))
                && rule.allowed_methods.contains(method)
        })
    }

    fn page(&self, reply: &mut Reply, origin: Option<&str>, method: &str) {
        let Some(origin) = origin else { return };
        let Some(rule) = self.rule(origin, method) else { return };
        let list =
            |set: &std::collections::BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(", ");
        for (name, value) in [
            ("access-control-allow-origin", origin.to_owned()),
            ("access-control-allow-methods", list(&rule.allowed_methods)),
            ("access-control-allow-headers", list(&rule.allowed_headers)),
            ("access-control-expose-headers", list(&rule.expose_headers)),
        ] {
            reply.headers.insert(name.to_owned(), value);
        }
    }
}

fn refused(operation: &str, denied: bool, unsure: bool) -> Refused {
    Refused {
        operation: operation.to_owned(),
        iam_action: format!("s3:{operation}"),
        answer: if denied { "AccessDenied".to_owned() } else { "no answer".to_owned() },
        denied,
        absent: false,
        unsure,
    }
}

fn absent(operation: &str) -> Refused {
    Refused { absent: true, ..refused(operation, false, false) }
}

impl Probe for Bucket {
    async fn put(&self, key: &str, body: &[u8]) -> Result<Option<String>, Refused> {
        self.denies("PutObject")?;
        self.answer("PutObject", self.store(key, Some(body.to_vec())))
    }

    async fn head(&self, key: &str) -> Result<Head, Refused> {
        self.denies("GetObject")?;
        let body = self.newest(key).ok_or_else(|| absent("HeadObject"))?;
        self.answer("HeadObject", Head { length: body.len() as u64, encrypted: self.encrypted.clone() })
    }

    async fn get(&self, key: &str) -> Result<Vec<u8>, Refused> {
        self.denies("GetObject")?;
        let body = self.newest(key).ok_or_else(|| absent("GetObject"))?;
        self.answer("GetObject", body)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Refused> {
        self.denies("ListBucket")?;
        let objects = self.objects.borrow();
        let keys = objects.keys().filter(|key| key.starts_with(prefix) && self.newest(key).is_some());
        self.answer("ListObjectsV2", keys.cloned().collect())
    }

    async fn versions(&self, prefix: &str) -> Result<Vec<(String, String)>, Refused> {
        self.denies("ListBucketVersions")?;
        let objects = self.objects.borrow();
        let below = objects.iter().filter(|(key, _)| key.starts_with(prefix));
        let all = below.flat_map(|(key, versions)| versions.iter().map(|(id, _)| (key.clone(), id.clone())));
        self.answer("ListObjectVersions", all.collect())
    }

    async fn uploads(&self, prefix: &str) -> Result<Vec<(String, String)>, Refused> {
        self.denies("ListBucketMultipartUploads")?;
        let uploads = self.uploads.borrow();
        let below = uploads.keys().filter(|(key, _)| key.starts_with(prefix));
        self.answer("ListMultipartUploads", below.cloned().collect())
    }

    async fn begin_upload(&self, key: &str) -> Result<String, Refused> {
        self.denies("PutObject")?;
        let id = self.id();
        self.uploads.borrow_mut().insert((key.to_owned(), id.clone()), Vec::new());
        self.answer("CreateMultipartUpload", id)
    }

    async fn upload_part(&self, key: &str, upload: &str, body: &[u8]) -> Result<String, Refused> {
        self.denies("UploadPart")?;
        let mut uploads = self.uploads.borrow_mut();
        let part =
            uploads.get_mut(&(key.to_owned(), upload.to_owned())).ok_or_else(|| absent("UploadPart"))?;
        *part = body.to_vec();
        self.answer("UploadPart", "etag".to_owned())
    }

    async fn complete_upload(&self, key: &str, upload: &str, _: &str) -> Result<Option<String>, Refused> {
        let body = self.uploads.borrow_mut().remove(&(key.to_owned(), upload.to_owned()));
        let body = body.ok_or_else(|| absent("CompleteMultipartUpload"))?;
        self.answer("CompleteMultipartUpload", self.store(key, Some(body)))
    }

    async fn abort_upload(&self, key: &str, upload: &str) -> Result<(), Refused> {
        self.denies("AbortMultipartUpload")?;
        let gone = self.uploads.borrow_mut().remove(&(key.to_owned(), upload.to_owned()));
        gone.map(drop).ok_or_else(|| absent("AbortMultipartUpload"))
    }

    async fn delete(&self, key: &str, version: Option<&str>) -> Result<Option<String>, Refused> {
        let Some(version) = version else {
            self.denies("DeleteObject")?;
            return self.answer("DeleteObject", self.store(key, None));
        };
        self.denies("DeleteObjectVersion")?;
        if let Some(versions) = self.objects.borrow_mut().get_mut(key) {
            versions.retain(|(id, _)| id != version);
        }
        Ok(None)
    }

    async fn signed_put(&self, key: &str, body: &[u8], origin: Option<&str>) -> Result<Reply, Refused> {
        if self.denied.contains(&"PutObject") {
            return Ok(Reply { status: 403, ..Reply::default() });
        }
        let mut reply = Reply { status: 200, ..Reply::default() };
        let version = self.store(key, Some(body.to_vec()));
        reply.headers.extend(version.map(|version| ("x-amz-version-id".to_owned(), version)));
        self.page(&mut reply, origin, "PUT");
        self.answer("PutObject", reply)
    }

    async fn signed_get(&self, key: &str, origin: Option<&str>, plain: bool) -> Result<Reply, Refused> {
        if plain && self.tls_only || self.denied.contains(&"GetObject") {
            return Ok(Reply { status: 403, ..Reply::default() });
        }
        let mut reply = Reply { status: 200, body: self.newest(key).unwrap_or_default(), ..Reply::default() };
        self.page(&mut reply, origin, "GET");
        self.answer("GetObject", reply)
    }

    async fn preflight(&self, _: &str, origin: &str, method: &str) -> Result<Reply, Refused> {
        let mut reply = Reply { status: 200, ..Reply::default() };
        self.page(&mut reply, Some(origin), method);
        if reply.headers.is_empty() {
            reply.status = 403;
        }
        self.answer("OPTIONS", reply)
    }

    fn speaks_tls(&self) -> bool {
        self.tls
    }
}

/// Runs what never waits.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

/// One bucket, from its configuration to its checks.
pub(crate) fn verify(
    text: &str,
    label: &str,
    change_world: impl FnOnce(&mut Live),
    change_bucket: impl FnOnce(&mut Bucket),
) -> Vec<Check> {
    let desired = wants(text);
    let mut live = world(&desired);
    change_world(&mut live);
    let all = subjects(&desired, &live, &Recorded::default());
    let subject = all.iter().find(|subject| subject.address.label == label).unwrap();
    let mut bucket = Bucket::of(subject);
    change_bucket(&mut bucket);
    let mut checks = judge(subject);
    checks.extend(run(subject, &bucket, &|| false).checks);
    assert!(
        bucket.is_empty() || checks.iter().any(|c| c.id == "clean" && failed(c)),
        "something is left and not told"
    );
    checks
}

pub(crate) fn run(subject: &Subject<'_>, bucket: &Bucket, stop: &dyn Fn() -> bool) -> Proved {
    now(prove(subject, (bucket, None), bucket, "run", stop))
}

pub(crate) fn failed(check: &Check) -> bool {
    matches!(check.outcome, Outcome::Failed { .. })
}

/// The ids of the checks that failed.
pub(crate) fn failures(checks: &[Check]) -> Vec<&str> {
    checks.iter().filter(|check| failed(check)).map(|check| check.id.as_str()).collect()
}
