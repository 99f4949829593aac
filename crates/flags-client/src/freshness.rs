//! [`Freshness`].

use flags_core::Timestamp;

/// How far what the client serves can be trusted to be what the store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Freshness {
    /// Loaded, and every change is followed; or, where the store tells of none, the last poll succeeded.
    Fresh,
    /// Served as it was known last.
    Stale {
        /// When the client noticed, by its clock; of a saved file, when that was saved; of what is
        /// [overtaken](StaleCause::Overtaken), when the first change was told that is not read yet, or the
        /// first of the reads began that came too late. Changes may have been missed from a little earlier
        /// on: that a connection is dead takes a watch some seconds to find out.
        since: Timestamp,
        /// Why.
        cause: StaleCause,
    },
    /// Nothing was loaded yet: every evaluation answers the caller's default, with PROVIDER_NOT_READY.
    NeverLoaded,
}

impl Freshness {
    /// Whether there is something to evaluate.
    #[must_use]
    pub fn is_loaded(self) -> bool {
        self != Self::NeverLoaded
    }
}

/// Why a client serves what may be old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StaleCause {
    /// The store does not answer, or does not tell of its changes for now.
    Disconnected,
    /// Changes may have been missed, and everything is being read again.
    Reloading,
    /// Something is known to have changed, and could not be read for more than a second: reads take
    /// that long, or each of them was overtaken by another change. It is served as it was known
    /// before. Everything else is as the store has it.
    Overtaken,
    /// The only flag of the store is gone, and it is not known yet whether it was deleted or the
    /// store was emptied. It is served for some ten seconds more, within which a watch tells of a
    /// store that was lost.
    LastFlagGone,
    /// The store came back without a single flag, or lost all of them at one stroke. The flags
    /// known last are served until flags appear, or until
    /// [`Client::accept_empty`](crate::Client::accept_empty). Flags that are deleted one by one are
    /// no such loss, as long as the client can follow each.
    StoreEmptied,
    /// Served from the file of [`Startup::LastSaved`](crate::Startup::LastSaved): the store did not answer
    /// yet.
    LastSaved,
    /// The client, or the store's handle, was closed.
    Closed,
}
