//! Virtual time and processes on one thread: time stands still while anything can run, and then jumps to the next moment
//! that somebody waits for. Who runs next is the caller's choice, so that a seed can make it.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// What became of a process.
#[derive(Debug)]
pub enum Ran<T> {
    /// It ended.
    Ended(T),
    /// It was killed.
    Crashed,
}

impl<T> Ran<T> {
    /// What it ended with.
    ///
    /// # Panics
    /// If it was killed.
    pub fn ended(self) -> T {
        match self {
            Self::Ended(value) => value,
            Self::Crashed => panic!("it crashed"),
        }
    }
}

#[derive(Debug, Default)]
struct Timers {
    now: Duration,
    waiting: Vec<(Duration, Waker)>,
}

/// Time.
#[derive(Debug, Clone, Default)]
pub struct Time(Rc<RefCell<Timers>>);

impl Time {
    /// Since the world began.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.0.borrow().now
    }

    /// Waits.
    pub async fn sleep(&self, time: Duration) {
        let until = self.now() + time;
        Sleep { time: self.clone(), until }.await;
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.0.borrow_mut().now += time;
    }

    /// Jumps to the next moment that somebody waits for, or to `or`, if that is earlier; false where there is none.
    fn jump(&self, or: Option<Duration>) -> bool {
        let mut timers = self.0.borrow_mut();
        let Some(next) = timers.waiting.iter().map(|(at, _)| *at).chain(or).min() else { return false };
        timers.now = timers.now.max(next);
        let (due, later): (Vec<_>, Vec<_>) = timers.waiting.drain(..).partition(|(at, _)| *at <= next);
        timers.waiting = later;
        drop(timers);
        due.into_iter().for_each(|(_, waker)| waker.wake());
        true
    }
}

struct Sleep {
    time: Time,
    until: Duration,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut timers = self.time.0.borrow_mut();
        if timers.now >= self.until {
            return Poll::Ready(());
        }
        timers.waiting.push((self.until, context.waker().clone()));
        Poll::Pending
    }
}

/// Something that happens once, and that somebody may wait for.
#[derive(Debug, Clone, Default)]
pub struct Signal(Rc<RefCell<(bool, Vec<Waker>)>>);

impl Signal {
    /// It happens.
    pub fn give(&self) {
        let waiting = {
            let mut signal = self.0.borrow_mut();
            signal.0 = true;
            std::mem::take(&mut signal.1)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether it has happened.
    #[must_use]
    pub fn given(&self) -> bool {
        self.0.borrow().0
    }

    /// It has not happened, after all.
    pub fn reset(&self) {
        self.0.borrow_mut().0 = false;
    }

    /// Waits for it.
    pub async fn wait(&self) {
        std::future::poll_fn(|context| {
            let mut signal = self.0.borrow_mut();
            if signal.0 {
                return Poll::Ready(());
            }
            signal.1.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Whether a process lives, how long it will, and whether it stands still.
#[derive(Debug, Clone, Default)]
pub struct Life(Rc<Lived>);

#[derive(Debug, Default)]
struct Lived {
    dead: Cell<bool>,
    /// It is killed when it has waited this many times more.
    waits_left: Cell<Option<usize>>,
    stands_until: Cell<Duration>,
    /// Calls that were sent and are not answered.
    calls: Cell<usize>,
}

impl Life {
    /// Kills the process: whoever awaits this never goes on.
    pub async fn die(&self) {
        self.0.dead.set(true);
        std::future::pending::<()>().await;
    }

    /// Whether it was killed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.dead.get()
    }

    /// Kills it when it has waited for something this many times more; `None`: never.
    pub fn dies_after_waits(&self, waits: Option<usize>) {
        self.0.waits_left.set(waits);
    }

    /// Lets it stand still, as a stopped process or a sleeping machine does: from when no call of its is on the way, since
    /// one that is arrives all the same, and here it would not.
    pub fn stands_until(&self, until: Duration) {
        self.0.stands_until.set(until);
    }

    /// One more call is on its way (or one less).
    pub(super) fn calls(&self, more: bool) {
        let calls = self.0.calls.get();
        self.0.calls.set(if more { calls + 1 } else { calls.saturating_sub(1) });
    }

    fn stands(&self, now: Duration) -> bool {
        self.0.stands_until.get() > now && self.0.calls.get() == 0
    }

    /// It waits for something. Whether it goes on living.
    fn waits(&self) -> bool {
        match self.0.waits_left.get() {
            Some(0) => self.0.dead.set(true),
            Some(left) => self.0.waits_left.set(Some(left - 1)),
            None => {}
        }
        !self.0.dead.get()
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

struct Process<'a, T> {
    life: Life,
    /// Gone when it has ended or was killed.
    future: Option<Pin<Box<dyn Future<Output = T> + 'a>>>,
    woken: Arc<Woken>,
    ran: Option<Ran<T>>,
}

/// Processes that run side by side.
pub struct Processes<'a, T> {
    time: Time,
    all: Vec<Process<'a, T>>,
}

impl<'a, T> Processes<'a, T> {
    /// None yet.
    #[must_use]
    pub fn new(time: &Time) -> Self {
        Self { time: time.clone(), all: Vec::new() }
    }

    /// One more.
    pub fn start(&mut self, life: &Life, process: impl Future<Output = T> + 'a) {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        self.all.push(Process { life: life.clone(), future: Some(Box::pin(process)), woken, ran: None });
    }

    /// Runs all to their ends, or to where they are killed. `pick` says which of so many goes on next, from 0.
    ///
    /// # Panics
    /// If nobody will ever go on.
    pub fn run(mut self, pick: &mut dyn FnMut(usize) -> usize) -> Vec<Ran<T>> {
        while self.all.iter().any(|process| process.future.is_some()) {
            let now = self.time.now();
            let stands = |process: &Process<'_, T>| process.life.stands(now);
            let woken = |process: &Process<'_, T>| process.woken.0.load(Ordering::SeqCst);
            let alive = || self.all.iter().enumerate().filter(|(_, process)| process.future.is_some());
            let ready: Vec<usize> =
                alive().filter(|(_, p)| woken(p) && !stands(p)).map(|(index, _)| index).collect();
            if ready.is_empty() {
                let standing = alive().filter(|(_, p)| woken(p)).map(|(_, p)| p.life.0.stands_until.get());
                let until = standing.min();
                assert!(self.time.jump(until), "nobody will ever go on");
                continue;
            }
            let chosen = ready[if ready.len() == 1 { 0 } else { pick(ready.len()) % ready.len() }];
            self.all[chosen].go_on();
        }
        self.all.into_iter().filter_map(|process| process.ran).collect()
    }
}

impl<T> Process<'_, T> {
    fn go_on(&mut self) {
        self.woken.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&self.woken));
        let Some(future) = &mut self.future else { return };
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => {
                self.future = None;
                self.ran = Some(Ran::Ended(value));
            }
            Poll::Pending if self.life.waits() => {}
            Poll::Pending => {
                // All that it held goes with it.
                self.future = None;
                self.ran = Some(Ran::Crashed);
            }
        }
    }
}

/// Runs one process by itself, to its end, or to where it is killed.
///
/// # Panics
/// If it will never go on.
pub fn run<T>(time: &Time, life: &Life, process: impl Future<Output = T>) -> Ran<T> {
    let mut processes = Processes::new(time);
    life.0.dead.set(false);
    processes.start(life, process);
    let ran = processes.run(&mut |_| 0).pop();
    ran.unwrap_or(Ran::Crashed)
}
