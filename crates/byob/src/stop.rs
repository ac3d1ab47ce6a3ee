//! Interrupts: once finishes the running calls, saves and says what is left; twice stops now.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
        let stop = Self::default();
        let asked = Arc::clone(&stop.0);
        tokio::spawn(async move {
            while signal().await {
                if asked.flag.swap(true, Ordering::SeqCst) {
                    crate::terminal::say(
                        "stopped at once; what was done is in the journal, and the next run goes on from there",
                    );
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

    /// Waits for something that writes nothing and can be given up.
    pub(crate) async fn or<T>(&self, wait: impl Future<Output = T>) -> Result<T, Failure> {
        let asked = self.0.notify.notified();
        tokio::pin!(asked);
        asked.as_mut().enable();
        if self.asked() {
            return Err(interrupted());
        }
        tokio::select! {
            value = wait => Ok(value),
            () = asked => Err(interrupted()),
        }
    }
}

fn interrupted() -> Failure {
    Failure::said(
        "interrupted; nothing more was written",
        "the same command, with the same approval, goes on from here",
    )
}

/// Waits for a signal; false if none can be listened to.
async fn signal() -> bool {
    let Ok(mut term) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
        return tokio::signal::ctrl_c().await.is_ok();
    };
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt.is_ok(),
        end = term.recv() => end.is_some(),
    }
}
