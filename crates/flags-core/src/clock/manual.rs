//! [`ManualClock`].

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;

use super::Clock;
use crate::time::Timestamp;

/// A clock that stands still until it is moved: for tests. Clones share the time.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use flags_core::{Clock, ManualClock, Timestamp};
///
/// let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().to_string(), "1970-01-01T00:01:00+00:00");
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    now: Timestamp,
    sleepers: Vec<Waker>,
}

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self { state: Arc::new(Mutex::new(State { now, sleepers: Vec::new() })) }
    }

    /// Moves the clock on.
    pub fn advance(&self, duration: Duration) {
        let now = self.lock().now.saturating_add(duration);
        self.set(now);
    }

    /// Sets the clock, on or back.
    pub fn set(&self, now: Timestamp) {
        let sleepers = {
            let mut state = self.lock();
            state.now = now;
            std::mem::take(&mut state.sleepers)
        };
        sleepers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.now().saturating_add(duration);
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.now >= until {
                return Poll::Ready(());
            }
            if !state.sleepers.iter().any(|sleeper| sleeper.will_wake(cx.waker())) {
                state.sleepers.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}
