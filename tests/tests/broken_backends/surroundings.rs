//! Faults of what surrounds the data: the clock, the namespace, the limits, closing, what is shown.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flags_core::storage::{Capability, Descriptor, Limits};
use flags_core::{Clock, ManualClock, Result, Timestamp};
use flags_memory::MemoryStorage;

use crate::broken::Fault;

#[derive(Debug)]
pub(crate) struct NoExpiry;

impl Fault for NoExpiry {
    fn build(&self, _clock: ManualClock) -> MemoryStorage {
        MemoryStorage::with_clock(Arc::new(ManualClock::at(Timestamp::MIN)))
    }
}

#[derive(Debug)]
pub(crate) struct WholeSeconds;

impl Fault for WholeSeconds {
    fn build(&self, clock: ManualClock) -> MemoryStorage {
        MemoryStorage::with_clock(Arc::new(Seconds(clock)))
    }
}

/// A clock that shows no fractions.
#[derive(Debug)]
struct Seconds(ManualClock);

#[async_trait]
impl Clock for Seconds {
    fn now(&self) -> Timestamp {
        let now = self.0.now();
        let fraction = now.unix_micros().rem_euclid(1_000_000).unsigned_abs();
        now.saturating_sub(Duration::from_micros(fraction))
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }
}

#[derive(Debug)]
pub(crate) struct OneNamespace;

impl Fault for OneNamespace {
    fn shares_namespaces(&self) -> bool {
        true
    }
}

#[derive(Debug)]
pub(crate) struct NeverClosed;

#[async_trait]
impl Fault for NeverClosed {
    async fn close(&self, _sound: &MemoryStorage) -> Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
#[allow(dead_code, reason = "read by Debug, which is the fault")]
pub(crate) struct Leaky {
    password: &'static str,
}

impl Default for Leaky {
    fn default() -> Self {
        Self { password: "hunter2" }
    }
}

impl Fault for Leaky {
    fn secrets(&self) -> Vec<String> {
        vec![self.password.to_owned()]
    }
}

#[derive(Debug)]
pub(crate) struct Unlimited;

impl Fault for Unlimited {
    fn build(&self, clock: ManualClock) -> MemoryStorage {
        let mut limits = Limits::default();
        limits.key_bytes = usize::MAX;
        limits.value_bytes = usize::MAX;
        limits.batch_ops = usize::MAX;
        limits.json_depth = usize::MAX;
        limits.owned_per_delete = usize::MAX;
        MemoryStorage::with_clock_and_limits(Arc::new(clock), limits)
    }

    fn descriptor<'a>(&'a self, _sound: &'a MemoryStorage) -> &'a Descriptor {
        static DECLARED: std::sync::LazyLock<Descriptor> =
            std::sync::LazyLock::new(|| Descriptor::new("memory").with(Capability::Watch));
        &DECLARED
    }
}
