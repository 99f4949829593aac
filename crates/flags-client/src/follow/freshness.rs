//! How fresh the replica is, and since when it is not.

use flags_core::Timestamp;

use super::Follower;
use super::news::Link;
use crate::freshness::{Freshness, StaleCause};
use crate::on_demand::Trust;

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

impl Follower {
    pub(super) fn tell_freshness(&mut self) {
        let freshness = self.freshness();
        if let Some(on_demand) = &self.shared.on_demand {
            // First: whoever is told that it is fresh finds nothing older.
            on_demand.set_trust(match (freshness, self.link) {
                (Freshness::Fresh, Link::Following) => Trust::Followed,
                (Freshness::Fresh, _) => Trust::Timed,
                _ => Trust::Anything,
            });
        }
        self.shared.set_freshness(freshness);
    }

    fn freshness(&mut self) -> Freshness {
        let cause = if self.closed {
            Some(StaleCause::Closed)
        } else if self.store_emptied {
            Some(StaleCause::StoreEmptied)
        } else if !matches!(self.link, Link::Following | Link::Polling) || self.backoff.is_failing() {
            Some(StaleCause::Disconnected)
        } else if !self.synced {
            Some(StaleCause::Reloading)
        } else {
            None
        };
        let now = self.now();
        Staleness::update(&mut self.stale, cause, self.read, now);
        match self.stale {
            _ if !self.shared.state.load().loaded => Freshness::NeverLoaded,
            None => Freshness::Fresh,
            Some(Staleness { since, cause }) => Freshness::Stale { since, cause },
        }
    }
}
