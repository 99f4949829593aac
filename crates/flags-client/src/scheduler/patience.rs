//! [`Patience`]: how long a store that does not answer is asked again.

use std::sync::Arc;
use std::time::Duration;

use flags_core::{Clock, Error, ErrorKind, Result, Timestamp};

use super::Scheduler;
use crate::backoff::Backoff;

/// Waits between attempts, until a deadline.
#[derive(Debug)]
pub(super) struct Patience {
    clock: Arc<dyn Clock>,
    backoff: Backoff,
    started: Timestamp,
    waited: Duration,
    deadline: Duration,
}

impl Patience {
    pub(super) fn new(scheduler: &Scheduler) -> Self {
        Self {
            clock: Arc::clone(&scheduler.clock),
            backoff: Backoff::new(scheduler.retry),
            started: scheduler.clock.now(),
            waited: Duration::ZERO,
            deadline: scheduler.retry_deadline,
        }
    }

    /// Waits before the next attempt; gives the error back where there is to be none.
    pub(super) async fn wait(&mut self, error: Error) -> Result<()> {
        // The waits count by themselves, since clocks are set back.
        let passed = self.clock.now().saturating_since(self.started).max(self.waited);
        if !may_pass(&error) || passed >= self.deadline {
            return Err(error);
        }
        let wait = self.backoff.next();
        self.waited += wait;
        self.clock.sleep(wait).await;
        Ok(())
    }

    pub(super) fn succeeded(&mut self) {
        self.backoff.reset();
    }
}

/// Whether asking again may help.
pub(super) fn may_pass(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Indeterminate)
}
