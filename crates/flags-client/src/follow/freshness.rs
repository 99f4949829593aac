//! [`Staleness`].

use flags_core::Timestamp;

use crate::freshness::StaleCause;

/// Since when, and why, what is served may be old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Staleness {
    pub(super) since: Timestamp,
    pub(super) cause: StaleCause,
}

impl Staleness {
    /// Goes on from what was known: another cause does not make it any fresher. What comes from a saved file is as old as
    /// the file, whatever the store does, until the store was `read`.
    pub(super) fn update(stale: &mut Option<Self>, cause: Option<StaleCause>, read: bool, now: Timestamp) {
        *stale = match (*stale, cause) {
            (_, None) => None,
            (Some(saved), Some(cause))
                if saved.cause == StaleCause::LastSaved
                    && !read
                    && matches!(cause, StaleCause::Disconnected | StaleCause::Reloading) =>
            {
                Some(saved)
            }
            (before, Some(cause)) => Some(Self { since: before.map_or(now, |before| before.since), cause }),
        };
    }
}
