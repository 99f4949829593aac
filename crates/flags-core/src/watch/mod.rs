//! What backends build their watches from (C12).
//!
//! [`change_queue`] connects one writer with one reader: changes coalesce by key, and past a bound they
//! become one [`Resync`](crate::storage::Change::Resync), so that a slow reader costs bounded memory and
//! misses nothing. [`ChangeHub`] feeds any number of queues.

mod hub;
mod queue;

pub use hub::{ChangeHub, Wake};
pub use queue::{ChangeSender, ChangeStream, DEFAULT_BOUND, change_queue};
