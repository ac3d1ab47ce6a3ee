//! The account behind the executor's traits: every call takes a little time, and any may fail, lose its answer, answer
//! with an older truth, or be where the process dies.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use byob_apply::{Caller, Clock, Cloud, CloudError, Done, ErrorKind, Needed};
use byob_model::call::{Call, Operation, Target};
use byob_model::kind::KeyRef;
use byob_model::live::{Live, Wanted};
use uuid::Uuid;

use super::ACCOUNT;
use super::account::Account;
use super::answers::refused;
use super::time::Time;

/// UTC seconds since 1970 when the world begins.
const EPOCH: i64 = 1_790_000_000;

/// Which writes a fault is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The write of this number in its run, from 1.
    Write(usize),
    /// Every write with this operation.
    Operation(Operation),
}

/// A write that fails.
#[derive(Debug, Clone)]
pub struct Fault {
    pub when: When,
    pub kind: ErrorKind,
    /// It had its effect all the same.
    pub effect: bool,
    /// How many times.
    pub times: usize,
}

/// What goes wrong in a world.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    pub writes: Vec<Fault>,
    /// The process dies at this tick of its run, from 1: before and after every write, read, wait, save and append.
    pub crash: Option<usize>,
    /// Reads answer with what was true this long ago.
    pub stale: Duration,
    /// Keys are listed, and found by their intent, this late.
    pub listed_after: Duration,
    /// A new bucket's first writes answer `NoSuchBucket`, and a new key's `NotFoundException`, for this long.
    pub late: Duration,
    /// From the read of this number in its run on, from 1, this many end in an error.
    pub reads_fail: Option<(usize, usize)>,
}

struct Inner {
    account: Account,
    history: Vec<(Duration, Account)>,
    born: BTreeMap<String, Duration>,
    busy: BTreeSet<String>,
    faults: Faults,
    ticks: usize,
    reads: usize,
    skew: i64,
    writes: Vec<Call>,
    in_flight: usize,
    most_in_flight: usize,
    ids: u128,
    before: Vec<Hook>,
    after: Vec<Hook>,
    at_save: Option<Change>,
}

type Change = Box<dyn FnOnce(&mut Account)>;
type Hook = (Operation, Change);

/// The world. Clones are the same world.
#[derive(Clone)]
pub struct World {
    pub time: Time,
    inner: Rc<RefCell<Inner>>,
}

impl Default for World {
    fn default() -> Self {
        let inner = Inner {
            account: Account::default(),
            history: vec![(Duration::ZERO, Account::default())],
            born: BTreeMap::new(),
            busy: BTreeSet::new(),
            faults: Faults::default(),
            ticks: 0,
            reads: 0,
            skew: 0,
            writes: Vec::new(),
            in_flight: 0,
            most_in_flight: 0,
            ids: 0,
            before: Vec::new(),
            after: Vec::new(),
            at_save: None,
        };
        Self { time: Time::default(), inner: Rc::new(RefCell::new(inner)) }
    }
}

impl World {
    pub fn account(&self) -> Ref<'_, Account> {
        Ref::map(self.inner.borrow(), |inner| &inner.account)
    }

    /// Changes something by hand; it is seen at once.
    pub fn by_hand(&self, change: impl FnOnce(&mut Account)) {
        let mut inner = self.inner.borrow_mut();
        change(&mut inner.account);
        let account = inner.account.clone();
        inner.history = vec![(Duration::ZERO, account)];
    }

    /// Changes something by hand right before the first write of this operation arrives.
    pub fn before(&self, operation: Operation, change: impl FnOnce(&mut Account) + 'static) {
        self.inner.borrow_mut().before.push((operation, Box::new(change)));
    }

    /// Changes something by hand right after the first write of this operation had its effect.
    pub fn after(&self, operation: Operation, change: impl FnOnce(&mut Account) + 'static) {
        self.inner.borrow_mut().after.push((operation, Box::new(change)));
    }

    /// Changes something by hand when the record is next saved: between a plan and its first write.
    pub fn at_save(&self, change: impl FnOnce(&mut Account) + 'static) {
        self.inner.borrow_mut().at_save = Some(Box::new(change));
    }

    /// The record is being saved.
    pub fn saving(&self) {
        let change = self.inner.borrow_mut().at_save.take();
        if let Some(change) = change {
            self.by_hand(change);
        }
    }

    /// Puts AWS's and this machine's clock on by so many seconds.
    pub fn skew(&self, seconds: i64) {
        self.inner.borrow_mut().skew = seconds;
    }

    pub fn faults(&self) -> RefMut<'_, Faults> {
        RefMut::map(self.inner.borrow_mut(), |inner| &mut inner.faults)
    }

    /// A new process begins: nothing is counted and nothing runs.
    pub fn begin(&self) {
        let mut inner = self.inner.borrow_mut();
        (inner.ticks, inner.reads, inner.in_flight, inner.most_in_flight) = (0, 0, 0, 0);
        inner.writes.clear();
        inner.busy.clear();
    }

    /// The writes of this run that reached AWS, in order.
    pub fn writes(&self) -> Vec<Operation> {
        self.inner.borrow().writes.iter().map(|call| call.operation).collect()
    }

    /// The most writes that ran side by side.
    pub fn most_in_flight(&self) -> usize {
        self.inner.borrow().most_in_flight
    }

    pub fn new_id(&self) -> Uuid {
        let mut inner = self.inner.borrow_mut();
        inner.ids += 1;
        Uuid::from_u128(0x4000_8000_0000_0000_0000 + inner.ids)
    }

    /// A point at which the process may die.
    pub async fn tick(&self) {
        let dies = {
            let mut inner = self.inner.borrow_mut();
            inner.ticks += 1;
            inner.faults.crash == Some(inner.ticks)
        };
        if dies {
            self.time.crash().await;
        }
    }

    /// An answer travels: different lengths, so that what may run side by side does.
    async fn travel(&self) {
        let length = 1 + self.inner.borrow().ticks % 7;
        self.time.sleep(Duration::from_millis(u64::try_from(length).unwrap_or(1))).await;
    }

    fn fault(&self, number: usize, call: &Call) -> Option<Fault> {
        let mut inner = self.inner.borrow_mut();
        let is = |when: When| match when {
            When::Write(n) => n == number,
            When::Operation(operation) => operation == call.operation,
        };
        let found = inner.faults.writes.iter_mut().find(|f| f.times > 0 && is(f.when))?;
        found.times -= 1;
        Some(found.clone())
    }

    /// The news of a new bucket or key has not come everywhere.
    fn too_early(&self, call: &Call) -> Option<CloudError> {
        let inner = self.inner.borrow();
        let (identity, kind, code) = match &call.target {
            Target::Bucket { name, .. } => (name, ErrorKind::NoSuchBucket, "NoSuchBucket"),
            Target::Key { key: KeyRef::Arn(arn), .. } => (arn, ErrorKind::NotFound, "NotFoundException"),
            Target::Key { .. } => return None,
        };
        if call.operation == Operation::CreateBucket {
            return None;
        }
        let born = inner.born.get(identity)?;
        (self.time.now() < *born + inner.faults.late).then(|| refused(call, kind, code))
    }

    fn effect(&self, call: &Call) -> Result<Done, CloudError> {
        let mut inner = self.inner.borrow_mut();
        while let Some(at) = inner.before.iter().position(|(operation, _)| *operation == call.operation) {
            let (_, change) = inner.before.remove(at);
            change(&mut inner.account);
        }
        let known = inner.account.clone();
        let answer = inner.account.write(call);
        while let Some(at) = inner.after.iter().position(|(operation, _)| *operation == call.operation) {
            let (_, change) = inner.after.remove(at);
            change(&mut inner.account);
        }
        let now = self.time.now();
        let account = inner.account.clone();
        let new_buckets = account.buckets.keys().filter(|name| !known.buckets.contains_key(*name));
        let new_keys = account.keys.keys().filter(|arn| !known.keys.contains_key(*arn));
        inner.born.extend(new_buckets.chain(new_keys).map(|identity| (identity.clone(), now)));
        inner.history.push((now, account));
        answer.map(|key_arn| Done { key_arn })
    }
}

fn identity(call: &Call) -> String {
    match &call.target {
        Target::Bucket { name, .. } => name.clone(),
        Target::Key { key: KeyRef::Arn(arn), .. } => arn.clone(),
        Target::Key { .. } => "a new key".to_owned(),
    }
}

impl Cloud for World {
    async fn caller(&self) -> Result<Caller, CloudError> {
        let arn = format!("arn:aws:iam::{ACCOUNT}:user/alice");
        Ok(Caller { account_id: ACCOUNT.to_owned(), arn })
    }

    async fn read(&self, wanted: &Wanted) -> Result<Live, CloudError> {
        self.tick().await;
        self.travel().await;
        let mut inner = self.inner.borrow_mut();
        inner.reads += 1;
        let number = inner.reads;
        if inner.faults.reads_fail.is_some_and(|(first, times)| (first..first + times).contains(&number)) {
            return Err(CloudError {
                kind: ErrorKind::Network,
                operation: "HeadBucket".to_owned(),
                iam_action: None,
                resource: String::new(),
                code: None,
                status: None,
                message: "connection reset".to_owned(),
                request_id: None,
                help: Vec::new(),
            });
        }
        let now = self.time.now();
        let at = now.saturating_sub(inner.faults.stale);
        let truth = inner.history.iter().rev().find(|(when, _)| *when <= at).or(inner.history.first());
        let mut live = truth.expect("the world began").1.read(wanted);
        let late = inner.faults.listed_after;
        live.key_intents.retain(|_, arn| inner.born.get(arn).is_none_or(|born| now >= *born + late));
        Ok(live)
    }

    async fn perform(&self, call: &Call) -> Result<Done, CloudError> {
        let number = {
            let mut inner = self.inner.borrow_mut();
            inner.writes.push(call.clone());
            inner.in_flight += 1;
            inner.most_in_flight = inner.most_in_flight.max(inner.in_flight);
            let alone = call.operation == Operation::CreateKey || inner.busy.insert(identity(call));
            assert!(alone, "two writes of {} at once: OperationAborted", identity(call));
            inner.writes.len()
        };
        self.tick().await;
        self.travel().await;
        let answer = match self.fault(number, call) {
            Some(fault) if !fault.effect => Err(refused(call, fault.kind, "Injected")),
            Some(fault) => self.effect(call).and(Err(refused(call, fault.kind, "Injected"))),
            None => match self.too_early(call) {
                Some(error) => Err(error),
                None => self.effect(call),
            },
        };
        self.travel().await;
        self.tick().await;
        let mut inner = self.inner.borrow_mut();
        inner.in_flight -= 1;
        inner.busy.remove(&identity(call));
        answer
    }

    async fn denied(&self, _: &Caller, _: &[Needed]) -> Result<Vec<Needed>, CloudError> {
        Ok(Vec::new())
    }

    async fn principal_exists(&self, _: &str) -> Result<bool, CloudError> {
        Ok(true)
    }

    fn cloud_time(&self) -> Option<i64> {
        Some(self.now())
    }
}

impl Clock for World {
    fn now(&self) -> i64 {
        EPOCH + self.inner.borrow().skew + i64::try_from(self.time.now().as_secs()).unwrap_or(i64::MAX)
    }

    fn elapsed(&self) -> Duration {
        self.time.now()
    }

    async fn sleep(&self, time: Duration) {
        self.tick().await;
        self.time.sleep(time).await;
    }
}
