//! [`Pulse`]: the life of the task that drives a connection.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Knows of the end of a task, whatever ends it: itself, an abort, the end of the runtime that it lives in.
///
/// The task ends with its pulse.
pub(super) struct Pulse {
    killed: AtomicBool,
    /// Its sender is in the task.
    beats: watch::Receiver<()>,
    task: AbortHandle,
}

impl Pulse {
    /// Spawns the task. `last` is dropped when it is known to have ended.
    pub(super) fn of(task: impl Future<Output = ()> + Send + 'static, last: impl Send + 'static) -> Self {
        let (beating, beats) = watch::channel(());
        let task = tokio::spawn(async move {
            // Dropped in the opposite order, also by an abort.
            let _last = last;
            let _beating = beating;
            task.await;
        });
        Self { killed: AtomicBool::new(false), beats, task: task.abort_handle() }
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.killed.load(Ordering::Acquire) && self.beats.has_changed().is_ok()
    }

    /// Returns when the task has ended.
    #[cfg(feature = "fred")]
    pub(super) fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut beats = self.beats.clone();
        async move { while beats.changed().await.is_ok() {} }
    }

    pub(super) fn kill(&self) {
        self.killed.store(true, Ordering::Release);
        self.task.abort();
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pulse").field("alive", &self.is_alive()).finish_non_exhaustive()
    }
}

/// A task that ends when nobody waits for it any more.
#[cfg(feature = "fred")]
pub(super) struct Owned<T>(pub(super) tokio::task::JoinHandle<T>);

#[cfg(feature = "fred")]
impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
