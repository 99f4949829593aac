//! Where the time comes from.

mod manual;
mod system;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

pub use manual::ManualClock;
pub use system::SystemClock;

use crate::time::Timestamp;

/// The time, and the passing of it.
///
/// Given to whatever needs it, so that nothing here needs an async runtime and tests need not wait.
#[async_trait]
pub trait Clock: Debug + Send + Sync + 'static {
    /// The instant now. It may go back: clocks are set.
    fn now(&self) -> Timestamp;

    /// Ends once so much time has passed. May be dropped at any time.
    async fn sleep(&self, duration: Duration);
}
