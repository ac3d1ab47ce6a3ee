//! Interrupts: once finishes the running calls, saves and says what is left; twice stops now.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use crate::failure::Failure;

/// Whether somebody asked to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<Asked>);

#[derive(Debug, Default)]
struct Asked {
    flag: AtomicBool,
    notify: Notify,
}

impl Stop {
    /// Listens to SIGINT and SIGTERM from now on. Not before a prompt: there an interrupt just ends the process.
    pub(crate) fn listen() -> Self {
        Self::listen_and_say(
            "stopped at once; what was done is in the journal, and the next run goes on from there",
        )
    }

    /// The same, with what is to be said where somebody stops at once.
    pub(crate) fn listen_and_say(stopped: &'static str) -> Self {
        let stop = Self::default();
        // Both at once, not in the task: a signal that comes before its first turn must not end the process.
        let (Ok(mut interrupt), Ok(mut end)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return stop;
        };
        let asked = Arc::clone(&stop.0);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = end.recv() => {}
                }
                if asked.flag.swap(true, Ordering::SeqCst) {
                    crate::terminal::say(stopped);
                    std::process::exit(1);
                }
                asked.notify.notify_waiters();
                crate::terminal::say("stopping: running calls are finished; interrupt again to stop at once");
            }
        });
        stop
    }

    /// Whether somebody asked to stop.
    pub(crate) fn asked(&self) -> bool {
        self.0.flag.load(Ordering::SeqCst)
    }

    /// Waits until somebody asks to stop; at once if that was before.
    pub(crate) async fn wait(&self) {
        let asked = self.0.notify.notified();
        tokio::pin!(asked);
        asked.as_mut().enable();
        if !self.asked() {
            asked.await;
        }
    }

    /// Waits for something that writes nothing and can be given up.
    pub(crate) async fn or<T>(&self, wait: impl Future<Output = T>) -> Result<T, Failure> {
        if self.asked() {
            return Err(interrupted());
        }
        tokio::select! {
            value = wait => Ok(value),
            () = self.wait() => Err(interrupted()),
        }
    }
}

/// How a command ends that somebody stopped before it wrote anything more.
pub(crate) fn interrupted() -> Failure {
    Failure::said(
        "interrupted; nothing more was written",
        "the same command, with the same approval, goes on from here",
    )
}
