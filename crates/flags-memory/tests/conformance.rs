//! The conformance suite against the reference backend.

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use flags_conformance::{Harness, Namespace, Offered};
use flags_core::{BoxError, Key, ManualClock, StorageHandle, Timestamp};
use flags_memory::MemoryStorage;

struct Memory;

#[derive(Debug)]
struct Fresh {
    storage: MemoryStorage,
    clock: ManualClock,
}

#[async_trait]
impl Harness for Memory {
    async fn open(&self) -> Result<Box<dyn Namespace>, BoxError> {
        let clock = ManualClock::at(Timestamp::now());
        let storage = MemoryStorage::with_clock(Arc::new(clock.clone()));
        Ok(Box::new(Fresh { storage, clock }))
    }
}

#[async_trait]
impl Namespace for Fresh {
    fn storage(&self) -> StorageHandle {
        Arc::new(self.storage.clone())
    }

    fn clock(&self) -> Option<ManualClock> {
        Some(self.clock.clone())
    }

    async fn second_handle(&self) -> Offered<StorageHandle> {
        Ok(Some(self.storage()))
    }

    async fn sibling(&self) -> Offered<StorageHandle> {
        Ok(Some(Arc::new(MemoryStorage::with_clock(Arc::new(self.clock.clone())))))
    }

    async fn plant(&self, key: &Key, bytes: &[u8]) -> Offered<()> {
        self.storage.insert_raw(key, bytes)?;
        Ok(Some(()))
    }
}

fn main() -> ExitCode {
    flags_conformance::main(Memory)
}
