//! The account behind the executor's traits: every call takes a little time, and any may fail, lose its answer, answer
//! with an older truth, or be where the process dies. Each process sees the world through a [`World`] of its own.

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use byob_apply::{Caller, Clock, Cloud, CloudError, Done, ErrorKind, Needed};
use byob_model::call::{Call, Operation, Target};
use byob_model::kind::KeyRef;
use byob_model::live::{Live, LiveBucket, Wanted};
use uuid::Uuid;

use super::ACCOUNT;
use super::account::Account;
use super::answers::refused;
use super::faults::{Faults, Injected, When};
use super::time::{Life, Time};

/// UTC seconds since 1970 when the world begins.
const EPOCH: i64 = 1_790_000_000;

/// What somebody who watches the account sees.
pub trait Watch {
    /// A process sent this write; it has not arrived.
    fn sent(&self, process: usize, call: &Call);
    /// A write arrived and had its effect.
    fn wrote(&self, process: usize, call: &Call, before: &Account, after: &Account);
    /// Somebody changed the account by hand.
    fn changed(&self, before: &Account, after: &Account);
}

struct Inner {
    account: Account,
    history: Vec<(Duration, Rc<Account>)>,
    born: BTreeMap<String, Duration>,
    skew: i64,
    ids: u128,
    processes: usize,
    before: Vec<Hook>,
    after: Vec<Hook>,
    at_save: Option<Change>,
    injected: Injected,
    /// Creations that were sent by a process that was killed then, and when they arrive.
    late: Vec<(Duration, Call)>,
    watch: Option<Rc<dyn Watch>>,
}

type Change = Box<dyn FnOnce(&mut Account)>;
type Hook = (Operation, Change);

/// What is a process's own.
#[derive(Default)]
struct Own {
    number: usize,
    life: Life,
    faults: RefCell<Faults>,
    ticks: Cell<usize>,
    reads: Cell<usize>,
    skew: Cell<i64>,
    busy: RefCell<BTreeSet<String>>,
    writes: RefCell<Vec<Call>>,
    in_flight: Cell<usize>,
    most_in_flight: Cell<usize>,
}

/// The world as one process sees it. Clones are the same process.
#[derive(Clone)]
pub struct World {
    /// Time, which is everybody's.
    pub time: Time,
    inner: Rc<RefCell<Inner>>,
    own: Rc<Own>,
}

impl Default for World {
    fn default() -> Self {
        let inner = Inner {
            account: Account::default(),
            history: vec![(Duration::ZERO, Rc::default())],
            born: BTreeMap::new(),
            skew: 0,
            ids: 0,
            processes: 0,
            before: Vec::new(),
            after: Vec::new(),
            at_save: None,
            injected: Injected::default(),
            late: Vec::new(),
            watch: None,
        };
        Self { time: Time::default(), inner: Rc::new(RefCell::new(inner)), own: Rc::default() }
    }
}

impl World {
    /// The same world as another process sees it, with faults of its own: none.
    #[must_use]
    pub fn another_process(&self) -> Self {
        let number = {
            let mut inner = self.inner.borrow_mut();
            inner.processes += 1;
            inner.processes
        };
        let own = Own { number, ..Own::default() };
        Self { time: self.time.clone(), inner: Rc::clone(&self.inner), own: Rc::new(own) }
    }

    /// Which process this is.
    #[must_use]
    pub fn process(&self) -> usize {
        self.own.number
    }

    /// Whether this process lives.
    #[must_use]
    pub fn life(&self) -> &Life {
        &self.own.life
    }

    /// Lets somebody watch.
    pub fn watched_by(&self, watch: Rc<dyn Watch>) {
        self.inner.borrow_mut().watch = Some(watch);
    }

    /// The account as it is.
    #[must_use]
    pub fn account(&self) -> Ref<'_, Account> {
        Ref::map(self.inner.borrow(), |inner| &inner.account)
    }

    /// What was injected so far, by all faults of all processes.
    #[must_use]
    pub fn injected(&self) -> Injected {
        self.inner.borrow().injected.clone()
    }

    /// Counts a fault.
    pub fn count(&self, kind: &'static str) {
        self.inner.borrow_mut().injected.count(kind);
    }

    /// Changes something by hand; it is seen at once.
    pub fn by_hand(&self, change: impl FnOnce(&mut Account)) {
        let mut inner = self.inner.borrow_mut();
        change(&mut inner.account);
        let account = Rc::new(inner.account.clone());
        inner.history = vec![(Duration::ZERO, account)];
    }

    /// Changes something by hand; reads see it as late as any other write.
    pub fn behind_its_back(&self, change: impl FnOnce(&mut Account)) {
        self.arrive_late();
        let (watch, before, after) = {
            let mut inner = self.inner.borrow_mut();
            let before = inner.account.clone();
            change(&mut inner.account);
            let after = inner.account.clone();
            inner.history.push((self.time.now(), Rc::new(after.clone())));
            (inner.watch.clone(), before, after)
        };
        if let Some(watch) = watch {
            watch.changed(&before, &after);
        }
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

    /// Puts AWS's and everybody's clock on by so many seconds.
    pub fn skew(&self, seconds: i64) {
        self.inner.borrow_mut().skew = seconds;
    }

    /// Puts this process's clock on by so many seconds more.
    pub fn jump(&self, seconds: i64) {
        self.own.skew.set(self.own.skew.get() + seconds);
    }

    /// This process's faults.
    #[must_use]
    pub fn faults(&self) -> RefMut<'_, Faults> {
        self.own.faults.borrow_mut()
    }

    /// A new process begins in this one's place: nothing is counted and nothing runs.
    pub fn begin(&self) {
        let own = &self.own;
        for counter in [&own.ticks, &own.reads, &own.in_flight, &own.most_in_flight] {
            counter.set(0);
        }
        own.writes.borrow_mut().clear();
        own.busy.borrow_mut().clear();
    }

    /// The writes of this run that reached AWS, in order.
    #[must_use]
    pub fn writes(&self) -> Vec<Operation> {
        self.own.writes.borrow().iter().map(|call| call.operation).collect()
    }

    /// How many points there were so far at which this process could have died.
    #[must_use]
    pub fn ticks(&self) -> u64 {
        self.own.ticks.get() as u64
    }

    /// The most writes that ran side by side.
    #[must_use]
    pub fn most_in_flight(&self) -> usize {
        self.own.most_in_flight.get()
    }

    /// A UUID.
    #[must_use]
    pub fn new_id(&self) -> Uuid {
        let mut inner = self.inner.borrow_mut();
        inner.ids += 1;
        Uuid::from_u128(0x4000_8000_0000_0000_0000 + inner.ids)
    }

    /// A point between two operations: here the process may die, its clock jump, or it stand still for a while.
    pub async fn tick(&self) {
        self.arrive_late();
        let ticks = self.own.ticks.get() + 1;
        self.own.ticks.set(ticks);
        let (dies, jump, stand) = {
            let mut faults = self.own.faults.borrow_mut();
            let dies = faults.crash == Some(ticks);
            let jump = faults.clock_jumps.take_if(|(at, _)| *at <= ticks);
            (dies, jump, faults.stands_still.take_if(|(at, _)| *at <= ticks))
        };
        if let Some((_, seconds)) = jump {
            self.jump(seconds);
            self.count("the clock jumped");
        }
        if dies {
            self.count("killed between two operations");
            self.own.life.die().await;
        }
        if let Some((_, length)) = stand {
            self.count("stood still");
            self.own.life.stands_until(self.time.now() + length);
            // Whatever was awaited: it goes on only after that.
            self.time.sleep(Duration::from_millis(1)).await;
        }
    }

    /// An answer travels: different lengths, so that what may run side by side does.
    async fn travel(&self) {
        let length = 1 + self.own.ticks.get() % 7;
        self.time.sleep(Duration::from_millis(u64::try_from(length).unwrap_or(1))).await;
    }

    /// What goes wrong with the write of this number: with which answer, and whether it has its effect.
    fn fault(&self, number: usize, call: &Call) -> Option<(ErrorKind, bool)> {
        let mut faults = self.own.faults.borrow_mut();
        let is = |when: When| match when {
            When::Write(n) => n == number,
            When::Operation(operation) => operation == call.operation,
        };
        if let Some(found) = faults.writes.iter_mut().find(|f| f.times > 0 && is(f.when)) {
            found.times -= 1;
            return Some((found.kind, found.effect));
        }
        let (kind, effect, name) = faults.luck.as_mut()?.write()?;
        drop(faults);
        self.count(name);
        Some((kind, effect))
    }

    /// The news of a new bucket or key has not come everywhere.
    fn too_early(&self, call: &Call) -> Option<CloudError> {
        let late = self.own.faults.borrow().late;
        let (identity, kind, code) = match &call.target {
            Target::Bucket { name, .. } => (name, ErrorKind::NoSuchBucket, "NoSuchBucket"),
            Target::Key { key: KeyRef::Arn(arn), .. } => (arn, ErrorKind::NotFound, "NotFoundException"),
            Target::Key { .. } => return None,
        };
        if call.operation == Operation::CreateBucket {
            return None;
        }
        let born = *self.inner.borrow().born.get(identity)?;
        (self.time.now() < born + late).then(|| {
            self.count("not known everywhere yet");
            refused(call, kind, code)
        })
    }

    /// What dead processes sent, and is due, arrives.
    fn arrive_late(&self) {
        loop {
            let now = self.time.now();
            let arrived = {
                let mut inner = self.inner.borrow_mut();
                let due = inner.late.iter().position(|(at, _)| *at <= now);
                due.map(|at| inner.late.remove(at))
            };
            let Some((at, call)) = arrived else { return };
            // It came when nobody looked.
            let newest = self.inner.borrow().history.last().map_or(at, |(newest, _)| *newest);
            self.count("killed after its call was sent, which arrived");
            let (_, watch, before, after) = self.change(&call, at.max(newest));
            if let Some(watch) = watch {
                watch.changed(&before, &after);
            }
        }
    }

    fn effect(&self, call: &Call) -> Result<Done, CloudError> {
        let (answer, watch, before, after) = self.change(call, self.time.now());
        if let Some(watch) = watch.filter(|_| answer.is_ok()) {
            watch.wrote(self.process(), call, &before, &after);
        }
        let left = |name: &String| after.buckets.get(name).is_some_and(|bucket| bucket.objects > 0);
        let more = match (&call.target, call.operation) {
            (Target::Bucket { name, .. }, Operation::DeleteObjects) => left(name),
            _ => false,
        };
        answer.map(|key_arn| Done { key_arn, more })
    }

    fn change(&self, call: &Call, now: Duration) -> Changed {
        let (answer, watch, before, after) = {
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
            let account = inner.account.clone();
            let new_buckets = account.buckets.keys().filter(|name| !known.buckets.contains_key(*name));
            let new_keys = account.keys.keys().filter(|arn| !known.keys.contains_key(*arn));
            inner.born.extend(new_buckets.chain(new_keys).map(|identity| (identity.clone(), now)));
            inner.history.push((now, Rc::new(account.clone())));
            (answer, inner.watch.clone(), known, account)
        };
        (answer, watch, before, after)
    }
}

/// A write's answer, who watches, and the account before and after.
type Changed = (Result<Option<String>, CloudError>, Option<Rc<dyn Watch>>, Account, Account);

/// A call that is on its way, until it is answered or given up.
struct OnItsWay {
    world: World,
    call: Call,
    arrived: Cell<bool>,
}

impl OnItsWay {
    fn new(world: &World, call: &Call) -> Self {
        let own = &world.own;
        own.life.calls(true);
        own.in_flight.set(own.in_flight.get() + 1);
        own.most_in_flight.set(own.most_in_flight.get().max(own.in_flight.get()));
        let alone = call.operation == Operation::CreateKey || own.busy.borrow_mut().insert(identity(call));
        assert!(alone, "two writes of {} at once: OperationAborted", identity(call));
        Self { world: world.clone(), call: call.clone(), arrived: Cell::new(false) }
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        let own = &self.world.own;
        own.life.calls(false);
        own.in_flight.set(own.in_flight.get().saturating_sub(1));
        own.busy.borrow_mut().remove(&identity(&self.call));
        let creates = matches!(self.call.operation, Operation::CreateKey | Operation::CreateBucket);
        let sent = own.faults.borrow().arrives_late.filter(|_| creates && !self.arrived.get());
        if let Some(after) = sent.filter(|_| own.life.is_over()) {
            let at = self.world.time.now() + after;
            self.world.inner.borrow_mut().late.push((at, self.call.clone()));
        }
    }
}

fn identity(call: &Call) -> String {
    match &call.target {
        Target::Bucket { name, .. } => name.clone(),
        Target::Key { key: KeyRef::Arn(arn), .. } => arn.clone(),
        Target::Key { .. } => "a new key".to_owned(),
    }
}

fn unread(kind: ErrorKind) -> CloudError {
    CloudError {
        kind,
        operation: "HeadBucket".to_owned(),
        iam_action: None,
        resource: String::new(),
        code: None,
        status: None,
        message: "injected".to_owned(),
        request_id: None,
        help: Vec::new(),
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
        let number = self.own.reads.get() + 1;
        self.own.reads.set(number);
        let (failed, stale, late) = {
            let mut faults = self.own.faults.borrow_mut();
            let listed =
                faults.reads_fail.is_some_and(|(first, times)| (first..first + times).contains(&number));
            let lucky = faults.luck.as_mut().and_then(super::faults::Luck::read);
            let failed = if listed { Some((ErrorKind::Network, "a read failed")) } else { lucky };
            let most = faults.stale;
            let stale = faults.luck.as_mut().map_or(most, |luck| luck.lag(most));
            (failed, stale, faults.listed_after)
        };
        if let Some((kind, name)) = failed {
            self.count(name);
            return Err(unread(kind));
        }
        let now = self.time.now();
        let at = now.saturating_sub(stale);
        let mut inner = self.inner.borrow_mut();
        let truth = inner.history.iter().rev().find(|(when, _)| *when <= at).or(inner.history.first());
        let truth = Rc::clone(&truth.expect("the world began").1);
        if inner.history.last().is_some_and(|(_, newest)| !Rc::ptr_eq(newest, &truth)) {
            inner.injected.count("a stale read");
        }
        let mut live = truth.read(wanted);
        // What a bucket holds is never stale: S3's listings are strongly consistent, its buckets' settings are not.
        for (name, bucket) in &mut live.buckets {
            if let (LiveBucket::Exists(facts), Some(now)) = (bucket, inner.account.buckets.get(name)) {
                facts.holds_data = facts.holds_data.map(|_| now.objects > 0);
            }
        }
        let found = live.key_intents.len();
        live.key_intents.retain(|_, arn| inner.born.get(arn).is_none_or(|born| now >= *born + late));
        if live.key_intents.len() < found {
            inner.injected.count("a key not listed yet");
        }
        Ok(live)
    }

    async fn perform(&self, call: &Call) -> Result<Done, CloudError> {
        let number = {
            let mut writes = self.own.writes.borrow_mut();
            writes.push(call.clone());
            writes.len()
        };
        let on_its_way = OnItsWay::new(self, call);
        let watch = self.inner.borrow().watch.clone();
        if let Some(watch) = watch {
            watch.sent(self.process(), call);
        }
        self.tick().await;
        self.travel().await;
        let slow = self.own.faults.borrow_mut().luck.as_mut().and_then(super::faults::Luck::slow);
        if let Some(slow) = slow {
            self.count("a slow call");
            self.time.sleep(slow).await;
        }
        on_its_way.arrived.set(true);
        let answer = match self.fault(number, call) {
            Some((kind, false)) => Err(refused(call, kind, "Injected")),
            Some((kind, true)) => self.effect(call).and(Err(refused(call, kind, "Injected"))),
            None => match self.too_early(call) {
                Some(error) => Err(error),
                None => self.effect(call),
            },
        };
        self.travel().await;
        self.tick().await;
        answer
    }

    async fn denied(&self, _: &Caller, _: &[Needed]) -> Result<Vec<Needed>, CloudError> {
        Ok(Vec::new())
    }

    async fn principal_exists(&self, _: &str) -> Result<bool, CloudError> {
        Ok(true)
    }

    fn cloud_time(&self) -> Option<i64> {
        let passed = i64::try_from(self.time.now().as_secs()).unwrap_or(i64::MAX);
        Some(EPOCH + self.inner.borrow().skew + passed)
    }
}

impl Clock for World {
    fn now(&self) -> i64 {
        self.cloud_time().unwrap_or(EPOCH) + self.own.skew.get()
    }

    fn elapsed(&self) -> Duration {
        self.time.now()
    }

    async fn sleep(&self, time: Duration) {
        self.tick().await;
        self.time.sleep(time).await;
    }
}
