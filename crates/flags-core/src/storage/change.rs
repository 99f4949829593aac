//! [`Change`].

use crate::record::Key;

/// What a watch reports (C12).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Change {
    /// The record under this key was written or removed, perhaps more than once.
    Changed(Key),
    /// The watch no longer follows the store. The next item is [`Change::Resync`].
    Lost,
    /// The watch follows the store from here on, and anything may have changed before: read everything again.
    Resync,
}
