//! [`SchedulerBuilder`].

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use flags_core::{Clock, StorageHandle, SystemClock};

use super::Scheduler;
use crate::backoff::{Pace, SHORTEST};

/// Configures a [`Scheduler`]. Every setting has a default.
#[derive(Debug)]
#[must_use = "build it"]
pub struct SchedulerBuilder {
    storage: StorageHandle,
    clock: Arc<dyn Clock>,
    poll_interval: Duration,
    concurrency: NonZeroUsize,
    retry: Pace,
    retry_deadline: Duration,
}

impl SchedulerBuilder {
    pub(super) fn new(storage: StorageHandle) -> Self {
        Self {
            storage,
            clock: Arc::new(SystemClock),
            poll_interval: Duration::from_secs(30),
            concurrency: const { NonZeroUsize::new(16).unwrap() },
            retry: Pace::default(),
            retry_deadline: Duration::from_secs(30),
        }
    }

    /// The clock that decides what is due. The system's, unless set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// How often the store is looked through where it tells of no changes, or does not for now: every 30
    /// seconds, unless set. Less than a millisecond counts as one.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval.max(SHORTEST);
        self
    }

    /// How many flags are worked on at a time: 16, unless set. What is due of one flag is always executed one
    /// by one.
    pub fn concurrency(mut self, flags: NonZeroUsize) -> Self {
        self.concurrency = flags;
        self
    }

    /// How long to wait after a failure before the store is asked again: at most `first`, doubled with each
    /// failure up to `longest`, and random within that. 100 milliseconds and 10 seconds, unless set; less
    /// than a millisecond counts as one.
    pub fn retry_delays(mut self, first: Duration, longest: Duration) -> Self {
        self.retry = Pace::new(first, longest);
        self
    }

    /// How long one run asks again where the store does not answer, since it last took something: 30 seconds,
    /// unless set. What is due then still is left to the next run.
    pub fn retry_deadline(mut self, deadline: Duration) -> Self {
        self.retry_deadline = deadline;
        self
    }

    /// The scheduler.
    #[must_use]
    pub fn build(self) -> Scheduler {
        let Self { storage, clock, poll_interval, concurrency, retry, retry_deadline } = self;
        Scheduler { storage, clock, poll_interval, concurrency, retry, retry_deadline }
    }
}
