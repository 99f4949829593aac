//! [`Context`]: what a case works with.

use std::time::Duration;

use flags_core::storage::Capability;
use flags_core::{Key, ManualClock, Record, StorageHandle, Timestamp};

use crate::Namespace;
use crate::harness::Offered;
use crate::stop::{Checked, Stop, harness_failed, unexpected};
use crate::store::Store;

/// A fresh namespace, and the store in it.
pub(crate) struct Context {
    namespace: Box<dyn Namespace>,
    pub(crate) store: Store,
}

impl Context {
    pub(crate) fn new(namespace: Box<dyn Namespace>) -> Self {
        let store = Store::new(namespace.storage());
        Self { namespace, store }
    }

    pub(crate) fn namespace(&self) -> &dyn Namespace {
        &*self.namespace
    }

    /// Ignores the case unless the backend declares the capability.
    pub(crate) fn requires(&self, capability: Capability) -> Checked {
        if self.store.handle.descriptor().has(capability) {
            return Ok(());
        }
        Err(Stop::Ignored(format!("the backend does not declare the capability `{capability}`")))
    }

    pub(crate) async fn second(&self) -> Checked<Store> {
        offered("a second handle", self.namespace.second_handle().await).map(Store::new)
    }

    pub(crate) async fn sibling(&self) -> Checked<Store> {
        offered("a sibling namespace", self.namespace.sibling().await).map(Store::new)
    }

    pub(crate) async fn reopen(&self) -> Checked<Store> {
        offered("reopening", self.namespace.reopen().await).map(Store::new)
    }

    /// Writes these bytes as a foreign writer would.
    pub(crate) async fn plant(&self, key: &Key, bytes: impl AsRef<[u8]>) -> Checked {
        offered("planting bytes", self.namespace.plant(key, bytes.as_ref()).await)
    }

    /// Writes these bytes as a foreign writer would, if the store has a way to hold them.
    pub(crate) async fn plants(&self, key: &Key, bytes: &[u8]) -> Checked<bool> {
        match self.namespace.plant(key, bytes).await {
            Ok(planted) => Ok(planted.is_some()),
            Err(error) => Err(harness_failed("plant bytes", &error)),
        }
    }

    /// Makes the record unreadable, as a foreign writer would: by these bytes or, where the store has no way
    /// to hold them, by a member of a wrong type.
    pub(crate) async fn spoil(&self, record: &Record, bytes: &str) -> Checked {
        if self.plants(&record.key(), bytes.as_bytes()).await? {
            return Ok(());
        }
        self.plant(&record.key(), mistyped(record)?).await
    }

    /// Writes this record as a foreign writer would.
    pub(crate) async fn plant_record(&self, record: &Record) -> Checked {
        let bytes = record.encode().map_err(|error| unexpected("encoding a record", &error))?;
        self.plant(&record.key(), bytes).await
    }

    /// The clock that the case may set.
    pub(crate) fn clock(&self) -> Checked<ManualClock> {
        offered("a clock that can be set", Ok(self.namespace.clock()))
    }

    /// The time by the store's clock.
    pub(crate) fn now(&self) -> Timestamp {
        use flags_core::Clock;
        self.namespace.clock().map_or_else(Timestamp::now, |clock| clock.now())
    }

    /// How far ahead an expiry lies that a case will wait for: by the system clock long enough for a slow
    /// machine to get there first, by one that is set anything.
    pub(crate) fn soon(&self) -> Duration {
        if self.namespace.clock().is_some() { Duration::from_secs(3_600) } else { Duration::from_secs(3) }
    }

    /// Returns once the store's clock has passed the instant.
    pub(crate) async fn pass(&self, instant: Timestamp) {
        if let Some(clock) = self.namespace.clock() {
            return clock.set(instant);
        }
        // The store's clock may be a little behind this one.
        let until = instant.saturating_add(Duration::from_millis(200));
        while Timestamp::now() < until {
            tokio::time::sleep(until.saturating_since(Timestamp::now()).max(Duration::from_millis(1))).await;
        }
    }

    /// Handles for tasks of their own.
    pub(crate) fn handle(&self) -> StorageHandle {
        StorageHandle::clone(&self.store.handle)
    }
}

/// The record's JSON, with an instant that is none.
fn mistyped(record: &Record) -> Checked<String> {
    let bytes = record.encode().map_err(|error| unexpected("encoding a record", &error))?;
    let text = String::from_utf8_lossy(&bytes);
    match text.split_once("\"created_at\":null") {
        Some((before, after)) => Ok(format!("{before}\"created_at\":\"soon\"{after}")),
        None => Err(Stop::failed("the suite's own record has a time of creation")),
    }
}

fn offered<T>(what: &str, offer: Offered<T>) -> Checked<T> {
    match offer {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(Stop::Ignored(format!("the harness does not offer {what}"))),
        Err(error) => Err(harness_failed(&format!("give {what}"), &error)),
    }
}
