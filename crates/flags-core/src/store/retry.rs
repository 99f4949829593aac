//! When to try again, and when no more.

use std::time::Duration;

use super::FlagStore;
use crate::time::Timestamp;

/// The first wait is at most this long; later ones grow up to the last.
const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// Waits of random length, so that rivals do not meet again, until a deadline.
///
/// Random over the whole range: with 64 writers on one record this is three times as fast as no wait at all.
#[derive(Debug)]
pub(crate) struct Retry<'a> {
    store: &'a FlagStore,
    started: Timestamp,
    waited: Duration,
    longest: Duration,
}

impl<'a> Retry<'a> {
    pub(crate) fn new(store: &'a FlagStore) -> Self {
        Self { store, started: store.clock.now(), waited: Duration::ZERO, longest: FIRST_WAIT }
    }

    /// Whether there is time for another attempt. The waits count by themselves, since clocks are set back.
    pub(crate) fn may_go_on(&self) -> bool {
        let passed = self.store.clock.now().saturating_since(self.started);
        passed.max(self.waited) < self.store.modify_deadline
    }

    /// Waits before the next attempt.
    pub(crate) async fn wait(&mut self) {
        let wait = self.longest.mul_f64(fastrand::f64());
        self.waited += wait;
        self.longest = (self.longest * 2).min(LONGEST_WAIT);
        self.store.clock.sleep(wait).await;
    }
}
