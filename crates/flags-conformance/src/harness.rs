//! [`Harness`] and [`Namespace`]: what a backend author gives to the suite.

use async_trait::async_trait;
use flags_core::{BoxError, Key, ManualClock, StorageHandle};

/// What an optional method of a [`Namespace`] answers: `Ok(None)` says that it is not offered, and the cases
/// that need it show as ignored; an error fails them.
pub type Offered<T> = Result<Option<T>, BoxError>;

/// Opens the stores that the suite examines.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// Opens a fresh and empty namespace that no other case shares. Called once for each case, inside the
    /// case's own runtime.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from opening; the case fails with it.
    async fn open(&self) -> Result<Box<dyn Namespace>, BoxError>;
}

/// One fresh store, and what else the suite may do with its data.
///
/// A bare [`StorageHandle`] is a namespace that offers nothing more. Each optional method that is implemented
/// lets more cases run.
#[async_trait]
pub trait Namespace: Send + Sync + 'static {
    /// The store. The same handle each time.
    fn storage(&self) -> StorageHandle;

    /// The clock that the store tells expiry by, if the suite may set it. Without it the exact expiry cases
    /// are ignored, and the others wait for short expiries by the system clock, which the store's clock must
    /// then agree with to some 100 ms.
    fn clock(&self) -> Option<ManualClock> {
        None
    }

    /// Another handle on the same data, as another part of the program or another process would open it; of a
    /// backend that one process has to itself, a clone will do.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from opening.
    async fn second_handle(&self) -> Offered<StorageHandle> {
        Ok(None)
    }

    /// A handle on another, empty namespace on the same server (or disk, or process), whose name begins with
    /// the name of this one: where this is `app:`, the sibling is `app:x:`.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from opening.
    async fn sibling(&self) -> Offered<StorageHandle> {
        Ok(None)
    }

    /// A handle on the same data once everything was dropped or the process ended. Called after the suite has
    /// closed [`storage`](Self::storage). Backends that declare `Durable` should offer it.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from opening.
    async fn reopen(&self) -> Offered<StorageHandle> {
        Ok(None)
    }

    /// Stores these bytes as the value of that record, as a writer would that knows neither this library nor
    /// its contract (and a store that declares `Watch` then reports it): nothing is checked, and what it
    /// wrote to find the record again (an index, a directory) is written too. `Ok(None)` also for bytes that
    /// the store has no way to hold: all its records are one JSON document, and these are no JSON.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from writing.
    async fn plant(&self, key: &Key, bytes: &[u8]) -> Offered<()> {
        let _ = (key, bytes);
        Ok(None)
    }

    /// Passwords and the like that the store was opened with, none of which may ever be shown.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// Removes the data. Called once after each case, also when it failed or panicked; the store may be
    /// closed by then.
    async fn clean_up(&self) {}
}

#[async_trait]
impl Namespace for StorageHandle {
    fn storage(&self) -> StorageHandle {
        Self::clone(self)
    }
}
