//! [`Patience`]: how long a store that does not answer is asked again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use flags_core::{Clock, Error, ErrorKind, Result, Timestamp};

use super::Scheduler;
use crate::backoff::Backoff;

/// What the parts of one run share: a store that answers none of them is not asked by each of them
/// until its own patience ends.
#[derive(Debug, Default)]
pub(super) struct Run {
    successes: AtomicU64,
    over: AtomicBool,
}

impl Run {
    /// Whether nothing succeeded any more, so that the rest is left to the next run.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// Waits between attempts, until nothing has succeeded for as long as the deadline.
#[derive(Debug)]
pub(super) struct Patience<'a> {
    run: &'a Run,
    clock: Arc<dyn Clock>,
    backoff: Backoff,
    started: Timestamp,
    waited: Duration,
    deadline: Duration,
    /// The successes of the run when this part last had one.
    seen: u64,
}

impl<'a> Patience<'a> {
    pub(super) fn new(scheduler: &Scheduler, run: &'a Run) -> Self {
        Self {
            run,
            clock: Arc::clone(&scheduler.clock),
            backoff: Backoff::new(scheduler.retry),
            started: scheduler.clock.now(),
            waited: Duration::ZERO,
            deadline: scheduler.retry_deadline,
            seen: run.successes.load(Ordering::Relaxed),
        }
    }

    /// Waits before the next attempt; gives the error back where there is to be none.
    pub(super) async fn wait(&mut self, error: Error) -> Result<()> {
        if !may_pass(&error) || self.run.is_over() {
            return Err(error);
        }
        // The waits count by themselves, since clocks are set back.
        let passed = self.clock.now().saturating_since(self.started).max(self.waited);
        if passed >= self.deadline {
            if self.run.successes.load(Ordering::Relaxed) == self.seen {
                self.run.over.store(true, Ordering::Relaxed);
            }
            return Err(error);
        }
        let wait = self.backoff.next();
        self.waited += wait;
        self.clock.sleep(wait).await;
        Ok(())
    }

    pub(super) fn succeeded(&mut self) {
        self.backoff.reset();
        (self.started, self.waited) = (self.clock.now(), Duration::ZERO);
        self.seen = self.run.successes.fetch_add(1, Ordering::Relaxed) + 1;
    }
}

/// Whether asking again may help.
pub(super) fn may_pass(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Indeterminate)
}
