//! [`Broken`]: the reference backend with one [`Fault`].

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use flags_conformance::{Harness, Namespace, Offered};
use flags_core::storage::{Batch, BoxStream, Change, Descriptor, Effect, Health, Query, Storage, Stored};
use flags_core::{BoxError, Key, ManualClock, Result, StorageHandle, Timestamp};
use flags_memory::MemoryStorage;

/// What is wrong: each method that a fault does not replace is the reference backend's.
#[async_trait]
pub(crate) trait Fault: Debug + Send + Sync + 'static {
    fn build(&self, clock: ManualClock) -> MemoryStorage {
        MemoryStorage::with_clock(Arc::new(clock))
    }

    fn descriptor<'a>(&'a self, sound: &'a MemoryStorage) -> &'a Descriptor {
        sound.descriptor()
    }

    async fn get(&self, sound: &MemoryStorage, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>> {
        sound.get(keys).await
    }

    fn list<'a>(&'a self, sound: &'a MemoryStorage, query: Query) -> BoxStream<'a, Result<Stored>> {
        sound.list(query)
    }

    async fn commit(&self, sound: &MemoryStorage, batch: Batch) -> Result<Vec<Effect>> {
        sound.commit(batch).await
    }

    async fn watch(&self, sound: &MemoryStorage) -> Result<BoxStream<'static, Change>> {
        sound.watch().await
    }

    async fn close(&self, sound: &MemoryStorage) -> Result<()> {
        sound.close().await
    }

    /// Whether the sibling namespace is this one.
    fn shares_namespaces(&self) -> bool {
        false
    }

    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }
}

/// No fault.
#[derive(Debug)]
pub(crate) struct Sound;

impl Fault for Sound {}

#[derive(Debug)]
pub(crate) struct Broken<F> {
    sound: MemoryStorage,
    fault: F,
}

#[async_trait]
impl<F: Fault> Storage for Broken<F> {
    fn descriptor(&self) -> &Descriptor {
        self.fault.descriptor(&self.sound)
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>> {
        self.fault.get(&self.sound, keys).await
    }

    fn list(&self, query: Query) -> BoxStream<'_, Result<Stored>> {
        self.fault.list(&self.sound, query)
    }

    async fn commit(&self, batch: Batch) -> Result<Vec<Effect>> {
        self.fault.commit(&self.sound, batch).await
    }

    async fn watch(&self) -> Result<BoxStream<'static, Change>> {
        self.fault.watch(&self.sound).await
    }

    async fn health(&self) -> Result<Health> {
        self.sound.health().await
    }

    async fn close(&self) -> Result<()> {
        self.fault.close(&self.sound).await
    }
}

impl<F: Fault> Broken<F> {
    pub(crate) fn harness(fault: fn() -> F) -> impl Harness {
        Opener(fault)
    }

    fn open(fault: F, clock: &ManualClock) -> Arc<Self> {
        Arc::new(Self { sound: fault.build(clock.clone()), fault })
    }
}

struct Opener<F>(fn() -> F);

#[async_trait]
impl<F: Fault> Harness for Opener<F> {
    async fn open(&self) -> Result<Box<dyn Namespace>, BoxError> {
        let clock = ManualClock::at(Timestamp::now());
        let store = Broken::open((self.0)(), &clock);
        Ok(Box::new(Opened { store, clock, fault: self.0 }))
    }
}

struct Opened<F> {
    store: Arc<Broken<F>>,
    clock: ManualClock,
    fault: fn() -> F,
}

#[async_trait]
impl<F: Fault> Namespace for Opened<F> {
    fn storage(&self) -> StorageHandle {
        Arc::<Broken<F>>::clone(&self.store)
    }

    fn clock(&self) -> Option<ManualClock> {
        Some(self.clock.clone())
    }

    async fn second_handle(&self) -> Offered<StorageHandle> {
        Ok(Some(self.storage()))
    }

    async fn sibling(&self) -> Offered<StorageHandle> {
        if self.store.fault.shares_namespaces() {
            return Ok(Some(self.storage()));
        }
        Ok(Some(Broken::open((self.fault)(), &self.clock)))
    }

    async fn plant(&self, key: &Key, bytes: &[u8]) -> Offered<()> {
        self.store.sound.insert_raw(key, bytes)?;
        Ok(Some(()))
    }

    fn secrets(&self) -> Vec<String> {
        self.store.fault.secrets()
    }
}
