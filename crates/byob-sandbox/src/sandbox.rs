//! The handle: opens a world, takes each call through the faults to the service that answers it, keeps the list of
//! calls. What a call means is the services' business.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::answer::{Answer, AwsError, Failure, Outcome};
use crate::client::Connector;
use crate::error::SandboxError;
use crate::faults::{End, Faults};
use crate::route::{Request, Service};
use crate::store::{self, WriteLock};
use crate::world::World;
use crate::{cloudtrail, iam, kms, s3, sts};

/// What a sandbox is opened with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The folder of the world, made if absent; `None` keeps everything in memory.
    pub dir: Option<PathBuf>,
    /// The sandbox's account: twelve digits.
    pub account_id: String,
    /// What exists from the start.
    pub seed: Seed,
    /// Faults to inject.
    pub faults: Faults,
}

/// What exists from the start, as somebody else's: nothing of it was made by the caller.
#[derive(Debug, Clone, Default)]
pub struct Seed {
    /// ARNs of KMS keys, of other accounts or of the sandbox's own. One that already exists stays as it is.
    pub foreign_keys: Vec<String>,
    /// ARNs of IAM roles of the sandbox's own account. One that already exists stays as it is.
    pub roles: Vec<String>,
}

/// One call that the sandbox has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// `s3`, `kms`, `iam`, `sts` or `cloudtrail`.
    pub service: String,
    /// As AWS names it: `PutBucketPolicy`.
    pub operation: String,
    /// The region that the call was sent to.
    pub region: String,
    /// The bucket, or `bucket/key` of an object, or the key id, alias or role; `None` where a call has none.
    pub resource: Option<String>,
    /// The HTTP status of the answer; 0 where the answer was lost on order.
    pub status: u16,
    /// Whether the operation writes.
    pub mutating: bool,
}

/// A call as far as the request alone tells.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) operation: String,
    /// The IAM action that AWS asks for: `s3:GetEncryptionConfiguration`.
    pub(crate) action: String,
    pub(crate) resource: Option<String>,
    pub(crate) region: String,
    pub(crate) mutating: bool,
}

/// The effect has happened, but nobody hears of it.
#[derive(Debug)]
pub(crate) struct LostAnswer;

/// One embedded AWS. Clones are handles to the same world.
#[derive(Clone)]
pub struct Sandbox {
    world: Arc<tokio::sync::Mutex<World>>,
    calls: Arc<Mutex<Vec<CallRecord>>>,
    dir: Option<Arc<Path>>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Opens the world in the folder, or makes it.
    ///
    /// # Errors
    /// The folder cannot be used, is another account's world, is written by a newer version, or the seed holds
    /// something else than ARNs of keys and roles.
    pub async fn open(options: Options) -> Result<Self, SandboxError> {
        let Options { dir, account_id, seed, faults } = options;
        if let Some(dir) = &dir {
            store::make_private(dir)?;
        }
        let lock = WriteLock::take(dir.as_deref()).await?;
        let mut world = World::open(dir.clone(), account_id, faults)?;
        kms::seed(&mut world, &seed.foreign_keys).await?;
        iam::seed(&mut world, &seed.roles).await?;
        drop(lock);
        Ok(Self {
            world: Arc::new(tokio::sync::Mutex::new(world)),
            calls: Arc::default(),
            dir: dir.map(Arc::from),
        })
    }

    /// An HTTP client for the SDK's configuration; its requests never leave the process.
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(Connector(self.clone()))
    }

    /// Credentials to sign with. The sandbox checks no signatures.
    pub fn credentials(&self) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(Credentials::new(
            "AKIABYOBSANDBOX00000",
            "not-a-secret",
            None,
            None,
            "byob-sandbox",
        ))
    }

    /// Makes sure that the folder holds the world. Every mutating call has written what it touched before it was
    /// answered, so there is nothing left to do; the method is the place to wait for a call that still runs.
    ///
    /// # Errors
    /// None today.
    pub async fn save(&self) -> Result<(), SandboxError> {
        drop(self.world.lock().await);
        Ok(())
    }

    /// Every call seen by this handle and its clones, in order.
    pub fn calls(&self) -> Vec<CallRecord> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a bucket of another account into the world.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub async fn add_foreign_bucket(
        &self,
        name: &str,
        region: &str,
        owner: &str,
    ) -> Result<(), SandboxError> {
        let mut world = self.world.lock().await;
        let _lock = WriteLock::take(world.dir.as_deref()).await?;
        world.buckets.put(name, s3::Bucket::fresh(name, region, owner))
    }

    /// Puts a system tag (`aws:…`) on a bucket, as CloudFormation does; no call can.
    ///
    /// # Errors
    /// The folder cannot be written. A bucket that is not there is left so.
    pub async fn add_system_tag(&self, bucket: &str, key: &str, value: &str) -> Result<(), SandboxError> {
        let mut world = self.world.lock().await;
        let _lock = WriteLock::take(world.dir.as_deref()).await?;
        s3::add_tag(&mut world, bucket, key, value)
    }

    /// Replaces the faults from here on; counters start anew, open windows of stale reads close.
    pub async fn set_faults(&self, faults: Faults) {
        let mut world = self.world.lock().await;
        world.set_faults(faults);
    }

    /// Removes the world in `dir`: the files that a sandbox makes, and the folder if nothing else is in it.
    ///
    /// # Errors
    /// [`SandboxError::NotASandbox`] where something is there, but no world.
    pub fn reset(dir: &Path) -> Result<(), SandboxError> {
        let entries = match std::fs::read_dir(dir) {
            Ok(entries) => entries.count(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(SandboxError::Io { what: "read", path: dir.to_owned(), source }),
        };
        if !dir.join("world.json").exists() {
            return if entries == 0 {
                Ok(())
            } else {
                Err(SandboxError::NotASandbox { path: dir.to_owned() })
            };
        }
        let lock = WriteLock::wait(dir)?;
        for folder in ["buckets", "objects", "keys", "aliases"] {
            store::remove_dir(&dir.join(folder))?;
        }
        store::sweep(dir)?;
        World::forget_trail(dir)?;
        // The head goes last: until then the rest is still known as a sandbox's own.
        for file in ["iam.json", "world.json", "lock"] {
            store::remove_file(&dir.join(file))?;
        }
        drop(lock);
        // Fails where something else lives there, and then it should.
        let _ = std::fs::remove_dir(dir);
        Ok(())
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request) -> Result<Answer, LostAnswer> {
        let head = request.method == "HEAD";
        let Some(service) = request.service() else {
            let error = AwsError::new(
                501,
                "NotImplemented",
                "the sandbox answers for s3, kms, iam, sts and cloudtrail only",
            );
            return Ok(error.into_answer(Service::S3).complete(Service::S3, head));
        };
        let mut world = self.world.lock().await;
        let call = match service {
            Service::S3 => s3::identify(&request),
            Service::Kms => kms::identify(&request),
            Service::Iam => iam::identify(&request),
            Service::Sts => sts::identify(&request),
            Service::CloudTrail => cloudtrail::identify(&request),
        };
        let answer = match world.perform(&call, &request).await {
            Ok(answer) => answer,
            Err(Failure::Aws(error)) => error.into_answer(service),
            Err(Failure::Sandbox(error)) => {
                AwsError::new(500, "InternalError", format!("the sandbox failed: {error}"))
                    .into_answer(service)
            }
        };
        let faults = world.faults.clone();
        let end = (call.mutating && answer.is_success()).then(|| world.counters.mutated(&faults)).flatten();
        if end == Some(End::Crash) {
            // No destructors, no flushing, as after `kill -9`.
            std::process::exit(137);
        }
        let lost = world.counters.loses(&faults, &call.operation);
        drop(world);
        if end == Some(End::Interrupt) {
            interrupt().await;
        }
        let record = CallRecord {
            service: service.name().to_owned(),
            operation: call.operation,
            region: call.region,
            resource: call.resource,
            status: if lost { 0 } else { answer.status },
            mutating: call.mutating,
        };
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(record);
        if lost { Err(LostAnswer) } else { Ok(answer.complete(service, head)) }
    }
}

impl World {
    /// Takes a call through the faults that come before any effect, then to its service.
    async fn perform(&mut self, call: &Call, request: &Request) -> Outcome {
        let faults = self.faults.clone();
        if self.counters.throttles(&faults) {
            return Err(throttled(call.service).into());
        }
        if faults.denies(&call.action) {
            return Err(self.denied(call).into());
        }
        let _lock = WriteLock::take(if call.mutating { self.dir.as_deref() } else { None }).await?;
        let subject = cloudtrail::subject(self, call, request);
        let outcome = match call.service {
            Service::S3 => s3::perform(self, call, request).await,
            Service::Kms => kms::perform(self, call, request).await,
            Service::Iam => iam::perform(self, call, request).await,
            Service::Sts => sts::perform(self, call, request).await,
            Service::CloudTrail => cloudtrail::perform(self, call, request),
        };
        if let Some(subject) = subject {
            cloudtrail::record(self, call, request, subject, &outcome)?;
        }
        outcome
    }

    fn denied(&self, call: &Call) -> AwsError {
        let message = format!(
            "User: {} is not authorized to perform: {} because no identity-based policy allows the {} action",
            self.caller_arn(&call.region),
            call.action,
            call.action
        );
        match call.service {
            Service::Kms | Service::CloudTrail => AwsError::new(400, "AccessDeniedException", message),
            _ => AwsError::new(403, "AccessDenied", message),
        }
    }

    fn set_faults(&mut self, faults: Faults) {
        use crate::faults::{Counters, Stale};
        self.counters = Counters::default();
        self.stale_buckets = Stale::new(faults.stale_reads);
        self.stale_documents = Stale::new(faults.stale_reads);
        self.stale_keys = Stale::new(faults.stale_reads);
        self.stale_aliases = Stale::new(faults.stale_reads);
        self.faults = faults;
    }
}

/// Sends this process SIGINT, and waits until whoever listens has heard it.
async fn interrupt() {
    use rustix::process::{Signal, getpid, kill_process};
    if kill_process(getpid(), Signal::INT).is_ok() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

fn throttled(service: Service) -> AwsError {
    match service {
        Service::S3 => AwsError::new(503, "SlowDown", "Please reduce your request rate."),
        Service::Kms | Service::CloudTrail => AwsError::new(400, "ThrottlingException", "Rate exceeded"),
        Service::Iam | Service::Sts => AwsError::new(400, "Throttling", "Rate exceeded"),
    }
}
