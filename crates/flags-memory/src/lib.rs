//! The reference backend: the storage contract of [`flags_core::storage::Storage`], kept in memory.
//!
//! The whole store is one immutable [`State`] behind one atomic pointer. A reader takes the pointer and never
//! waits. A writer encodes and checks its batch before it takes the writers' lock, judges the batch against
//! the current state, derives the next one (persistent maps share what did not change) and swaps the pointer:
//! so all of a batch appears at once, a listing is a snapshot, and a batch that is refused leaves nothing
//! behind.
//!
//! [`State`] is public for backends that hold their whole store in memory and keep it elsewhere: it is the
//! contract without the storing.
//!
//! # Examples
//!
//! ```
//! use flags_core::storage::{Batch, Expect, Storage};
//! use flags_core::{Flag, FlagKey};
//! use flags_memory::MemoryStorage;
//!
//! # futures_util::FutureExt::now_or_never(async {
//! let storage = MemoryStorage::new();
//! let flag = Flag::new(FlagKey::new("new-checkout")?);
//! storage.commit(Batch::new().put(flag, Expect::Absent)).await?;
//! # Ok::<(), flags_core::Error>(()) }).expect("memory never waits")?;
//! # Ok::<(), flags_core::Error>(())
//! ```

mod apply;
mod entry;
mod state;
mod storage;

pub use apply::Applied;
pub use entry::Entry;
pub use state::State;
pub use storage::MemoryStorage;
