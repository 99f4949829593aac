//! The typed API, written once over any storage.
//!
//! [`FlagStore`] has the method names of the origin, so that whoever knows the origin finds all of it. It
//! adds what every backend then need not know: timestamps, validation, sorting, read-modify-write.

mod flags;
mod listing;
mod modify;
mod overrides;
mod records;
mod retry;
mod rollout_phases;
mod scheduled_changes;
mod segments;
mod settle;
mod time_schedules;

use std::sync::Arc;
use std::time::Duration;

pub use listing::{Listing, Versioned};
pub(crate) use retry::Retry;
pub use scheduled_changes::Pending;

use crate::clock::{Clock, SystemClock};
use crate::error::Result;
use crate::storage::{Health, StorageHandle};

/// How long [`modify_flag`](FlagStore::modify_flag) goes on retrying conflicts, unless told otherwise.
pub const DEFAULT_MODIFY_DEADLINE: Duration = Duration::from_secs(30);

/// Flags and what belongs to them, typed, in a store of any backend.
///
/// Clones share the store. Every method that fails says so with an [`Error`](crate::Error) that names the
/// method, the record and, where there is one, the member.
///
/// A future may be dropped at any time. What is one commit is then written wholly or not at all, and that is
/// every write but three, which may take several commits and can be repeated to do the rest:
/// [`import`](Self::import), [`apply_import`](Self::apply_import), and [`delete_flag`](Self::delete_flag) of
/// a flag that owns more than one commit can delete.
///
/// Every method that takes or makes a key answers [`Invalid`](crate::ErrorKind::Invalid) where it is longer
/// than the backend takes (C15).
///
/// Methods that take `expected` write only if the record still has that revision, else
/// [`Conflict`](crate::ErrorKind::Conflict); `None` writes over whatever is there.
///
/// A write of one record that has a condition (a `create`, `modify_flag`, an `update` with `expected`) and is
/// not answered is settled: the record is read back, and is written once more, under the same condition,
/// where it is still as it was. Only where the store does not answer again, another writer came between, or
/// more was asked than that the write is applied ([`Error::is_unconfirmed`](crate::Error::is_unconfirmed)),
/// is the outcome [`Indeterminate`](crate::ErrorKind::Indeterminate).
///
/// # Examples
///
/// ```
/// # use std::sync::Arc;
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # let storage: flags_core::StorageHandle = Arc::new(flags_memory::MemoryStorage::new());
/// use flags_core::{ErrorKind, Flag, FlagKey, FlagStore};
///
/// let store = FlagStore::new(storage);
/// let key = FlagKey::new("new-checkout")?;
/// let first = store.create_flag(Flag::new(key.clone())).await?;
///
/// let mut edit = (*first).clone();
/// edit.default_enabled = true;
/// store.update_flag(edit.clone(), Some(first.revision())).await?;
///
/// // The revision is stale now, so a second writer cannot undo what it never saw.
/// let refused = store.update_flag(edit, Some(first.revision())).await.unwrap_err();
/// assert_eq!(refused.kind(), ErrorKind::Conflict);
/// # Ok::<(), flags_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct FlagStore {
    storage: StorageHandle,
    clock: Arc<dyn Clock>,
    modify_deadline: Duration,
}

impl FlagStore {
    /// The typed API over that storage, by the system clock.
    #[must_use]
    pub fn new(storage: StorageHandle) -> Self {
        Self { storage, clock: Arc::new(SystemClock), modify_deadline: DEFAULT_MODIFY_DEADLINE }
    }

    /// Takes timestamps, and waits between retries, by that clock: one that stands still lets a conflict wait
    /// for ever.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Lets [`modify_flag`](Self::modify_flag) retry conflicts for so long.
    #[must_use]
    pub fn with_modify_deadline(self, modify_deadline: Duration) -> Self {
        Self { modify_deadline, ..self }
    }

    /// The storage underneath.
    #[must_use]
    pub fn storage(&self) -> &StorageHandle {
        &self.storage
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Asks the store how it is.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from answering.
    pub async fn health_check(&self) -> Result<Health> {
        self.storage.health().await.map_err(|error| error.in_operation("health_check"))
    }

    /// Closes the store, for every handle on it. Idempotent.
    ///
    /// # Errors
    ///
    /// When closing could not be completed; it is closed nevertheless.
    pub async fn close(&self) -> Result<()> {
        self.storage.close().await.map_err(|error| error.in_operation("close"))
    }
}
