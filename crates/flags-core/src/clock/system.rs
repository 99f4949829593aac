//! [`SystemClock`].

use std::time::Duration;

use async_trait::async_trait;
use futures_timer::Delay;

use super::Clock;
use crate::time::Timestamp;

/// The operating system's clock. Sleeps on a timer of its own, so that any async runtime will do.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep(&self, duration: Duration) {
        Delay::new(duration).await;
    }
}
