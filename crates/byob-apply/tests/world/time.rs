//! Virtual time on one thread: time stands still while anything can run, and then jumps to the next moment that somebody
//! waits for.

use std::cell::RefCell;
use std::pin::{Pin, pin};
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
    crashed: bool,
}

/// Time, and whether the running process was killed.
#[derive(Debug, Clone, Default)]
pub struct Time(Rc<RefCell<Timers>>);

impl Time {
    pub fn now(&self) -> Duration {
        self.0.borrow().now
    }

    pub async fn sleep(&self, time: Duration) {
        let until = self.now() + time;
        Sleep { time: self.clone(), until }.await;
    }

    /// Kills the process: whoever awaits this never goes on.
    pub async fn crash(&self) {
        self.0.borrow_mut().crashed = true;
        std::future::pending::<()>().await;
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.0.borrow_mut().now += time;
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

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Runs a process to its end, or to where it is killed.
pub fn run<T>(time: &Time, process: impl Future<Output = T>) -> Ran<T> {
    *time.0.borrow_mut() = Timers { now: time.now(), ..Timers::default() };
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut process = pin!(process);
    loop {
        woken.0.store(false, Ordering::SeqCst);
        if let Poll::Ready(value) = process.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Ran::Ended(value);
        }
        if time.0.borrow().crashed {
            return Ran::Crashed;
        }
        if woken.0.load(Ordering::SeqCst) {
            continue;
        }
        let mut timers = time.0.borrow_mut();
        let next = timers.waiting.iter().map(|(at, _)| *at).min().expect("nobody will ever go on");
        timers.now = timers.now.max(next);
        let (due, later): (Vec<_>, Vec<_>) = timers.waiting.drain(..).partition(|(at, _)| *at <= next);
        timers.waiting = later;
        drop(timers);
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }
}
