//! Where the record is: a local file or objects in S3, behind one type; and the lock around whatever writes it.

use std::pin::pin;
use std::time::Duration;

use byob_aws::{Connection, Endpoint, S3Objects};
use byob_model::config::{AssumeRole, Aws, Configuration, ObjectState, State};
use byob_model::recorded::Recorded;
use byob_render::escape::escape;
use byob_state::local::LocalGuard;
use byob_state::remote::RemoteGuard;
use byob_state::{
    Destination, Entry, Guard, Kept, Loaded, LocalStore, LockInfo, RemoteStore, Store, StoreError, Timer,
    Tools, Waiting,
};
use uuid::Uuid;

use crate::cli::Global;
use crate::failure::Failure;
use crate::session;
use crate::stop::Stop;
use crate::terminal;

/// A record in S3.
pub(crate) type S3Store = RemoteStore<S3Objects, BootClock>;

/// The record's place, as `[state]` says.
#[derive(Debug)]
pub(crate) enum RecordStore {
    Local(LocalStore),
    S3(S3Store),
}

/// Its lock, held.
#[derive(Debug)]
pub(crate) enum RecordGuard {
    Local(LocalGuard),
    S3(RemoteGuard<S3Objects, BootClock>),
}

/// Opens the place that the configuration names. A file is not looked at, S3 not contacted.
pub(crate) async fn open(global: &Global, config: &Configuration) -> Result<RecordStore, Failure> {
    match &config.state {
        State::S3(state) if global.sandbox.is_none() => {
            Ok(RecordStore::S3(objects(state, &config.aws, state.owner(&config.aws)).await?))
        }
        _ => Ok(RecordStore::Local(LocalStore::open(session::record_path(global, config))?)),
    }
}

/// The record in S3 that a `[state] s3` names; `owner`: whose the bucket has to be.
pub(crate) async fn objects(
    state: &ObjectState,
    aws: &Aws,
    owner: Option<String>,
) -> Result<S3Store, Failure> {
    let cloud = byob_aws::connect(&connection(state, aws)).await?;
    let region = state.region.clone().unwrap_or_else(|| cloud.region().to_owned());
    let trusted = cloud.endpoint() == Endpoint::Aws;
    let objects = S3Objects::new(cloud, state.bucket.clone(), region, state.kms_key.clone());
    let objects = objects.of_account(owner);
    Ok(RemoteStore::new(objects, BootClock, state.key.clone(), trusted))
}

/// As whom the record is kept: as `[state] s3` says, else as `[aws]` does. One that is named here stands alone.
fn connection(state: &ObjectState, aws: &Aws) -> Connection {
    let own = state.profile.is_some() || state.assume_role.is_some();
    let (profile, role) =
        if own { (&state.profile, &state.assume_role) } else { (&aws.profile, &aws.assume_role) };
    Connection {
        profile: profile.clone(),
        region: state.region.clone().or_else(|| aws.region.clone()),
        assume_role: role.as_ref().map(assume_role),
        ..Connection::default()
    }
}

/// A role as the configuration writes it, for the connection.
pub(crate) fn assume_role(role: &AssumeRole) -> byob_aws::AssumeRole {
    byob_aws::AssumeRole {
        role_arn: role.role_arn.clone(),
        external_id: role.external_id.clone(),
        session_name: Some(role.session_name.clone()),
    }
}

impl Store for RecordStore {
    type Guard = RecordGuard;

    async fn load(&self) -> Result<Loaded, StoreError> {
        match self {
            Self::Local(store) => store.load().await,
            Self::S3(store) => store.load().await,
        }
    }

    async fn lock(
        &self,
        info: LockInfo,
        timeout: Duration,
        waiting: &mut dyn FnMut(Waiting<'_>),
    ) -> Result<RecordGuard, StoreError> {
        Ok(match self {
            Self::Local(store) => RecordGuard::Local(store.lock(info, timeout, waiting).await?),
            Self::S3(store) => RecordGuard::S3(store.lock(info, timeout, waiting).await?),
        })
    }

    async fn save(&self, recorded: &mut Recorded) -> Result<(), StoreError> {
        match self {
            Self::Local(store) => store.save(recorded).await,
            Self::S3(store) => store.save(recorded).await,
        }
    }

    async fn journal(&self, entries: &[Entry]) -> Result<(), StoreError> {
        match self {
            Self::Local(store) => store.journal(entries).await,
            Self::S3(store) => store.journal(entries).await,
        }
    }

    async fn may_write(&self) -> Result<(), StoreError> {
        match self {
            Self::Local(store) => store.may_write().await,
            Self::S3(store) => store.may_write().await,
        }
    }

    fn call_limit(&self) -> Option<Duration> {
        match self {
            Self::Local(store) => store.call_limit(),
            Self::S3(store) => store.call_limit(),
        }
    }

    fn location(&self) -> String {
        match self {
            Self::Local(store) => store.location(),
            Self::S3(store) => store.location(),
        }
    }
}

impl Tools for RecordStore {
    async fn replace(&self, recorded: &mut Recorded) -> Result<(), StoreError> {
        match self {
            Self::Local(store) => store.replace(recorded).await,
            Self::S3(store) => store.replace(recorded).await,
        }
    }

    async fn leave(&self, to: &str) -> Result<(), StoreError> {
        match self {
            Self::Local(store) => store.leave(to).await,
            Self::S3(store) => store.leave(to).await,
        }
    }

    async fn destination(&self) -> Result<Destination, StoreError> {
        match self {
            Self::Local(store) => store.destination().await,
            Self::S3(store) => store.destination().await,
        }
    }

    async fn history(&self) -> Result<Vec<Kept>, StoreError> {
        match self {
            Self::Local(store) => store.history().await,
            Self::S3(store) => store.history().await,
        }
    }

    async fn kept(&self, serial: u64) -> Result<Option<Recorded>, StoreError> {
        match self {
            Self::Local(store) => Tools::kept(store, serial).await,
            Self::S3(store) => store.kept(serial).await,
        }
    }
}

impl Guard for RecordGuard {
    fn info(&self) -> &LockInfo {
        match self {
            Self::Local(guard) => guard.info(),
            Self::S3(guard) => guard.info(),
        }
    }

    async fn keep(&self) -> StoreError {
        match self {
            Self::Local(guard) => guard.keep().await,
            Self::S3(guard) => guard.keep().await,
        }
    }

    async fn release(self) -> Result<(), StoreError> {
        match self {
            Self::Local(guard) => guard.release().await,
            Self::S3(guard) => guard.release().await,
        }
    }
}

/// Takes the lock, and says for whom it waits. An interrupt gives up the wait.
pub(crate) async fn lock(
    store: &RecordStore,
    command: &str,
    timeout: Duration,
    stop: Option<&Stop>,
) -> Result<RecordGuard, Failure> {
    let id = Uuid::new_v4();
    let info = LockInfo::of_this_process(id, command, jiff::Timestamp::now().as_second());
    let mut waiting = |waiting: Waiting<'_>| match waiting {
        Waiting::Holder(holder) => terminal::say(&format!("waiting for {}", escape(&holder.to_string()))),
        Waiting::Answer { location, error } => terminal::say(&format!(
            "{} does not answer; asked again for up to {} s: {}",
            escape(location),
            timeout.as_secs(),
            escape(error)
        )),
    };
    let lock = store.lock(info, timeout, &mut waiting);
    let Some(stop) = stop else { return Ok(lock.await?) };
    match stop.or(lock).await {
        Ok(guard) => Ok(guard?),
        Err(interrupted) => {
            // The call that takes the lock may have been on its way.
            if let RecordStore::S3(store) = store {
                let _ = store.unlock(id).await;
            }
            Err(interrupted)
        }
    }
}

/// Does some short work under the lock, which is kept held meanwhile and given back whatever becomes of the work. An
/// interrupt ends the wait for the lock; later the work is finished first.
pub(crate) async fn under_lock<T>(
    store: &RecordStore,
    command: &str,
    timeout: Duration,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let stop = Stop::listen();
    let guard = lock(store, command, timeout, Some(&stop)).await?;
    let outcome = {
        let (mut work, keep) = (pin!(work), pin!(guard.keep()));
        tokio::select! {
            outcome = &mut work => outcome,
            // The store saves nothing from here on.
            lost = keep => {
                terminal::warn(&lost.to_string());
                work.await
            }
        }
    };
    let released = guard.release().await;
    let value = outcome?;
    released.map_err(|error| still_locked(command, &error))?;
    Ok(value)
}

/// The work is done and saved, and the lock could not be given back.
fn still_locked(command: &str, error: &StoreError) -> Failure {
    Failure::Said {
        message: format!("what {command} was to do is done and saved, but its lock may still stand: {error}"),
        details: Vec::new(),
        help: vec!["it ends by itself within 45 s; do not run the command again".to_owned()],
        paste: String::new(),
        code: 1,
    }
}

/// Time that a sleeping machine counts too: a lease runs out while its owner's lid is closed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BootClock;

impl Timer for BootClock {
    fn elapsed(&self) -> Duration {
        byob_state::since_boot()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
