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
    /// Goes on from what was known: another cause does not make it any fresher. What comes from a saved file
    /// is as old as the file, whatever the store does, until the store was `read`.
    pub(super) fn update(stale: &mut Option<Self>, found: Option<Self>, read: bool) {
        *stale = match (*stale, found) {
            (_, None) => None,
            (Some(saved), Some(found))
                if saved.cause == StaleCause::LastSaved
                    && !read
                    && matches!(found.cause, StaleCause::Disconnected | StaleCause::Reloading) =>
            {
                Some(saved)
            }
            (Some(before), Some(found)) => Some(Self { since: before.since, ..found }),
            (None, Some(found)) => Some(found),
        };
    }
}

impl Follower {
    pub(super) fn tell_freshness(&mut self) {
        let freshness = self.freshness();
        if let Some(on_demand) = &self.shared.on_demand {
            let is_in_step = match freshness {
                // Something else is old: of overrides no change is missed.
                Freshness::Stale { cause, .. } => {
                    matches!(cause, StaleCause::Overtaken | StaleCause::LastFlagGone)
                }
                _ => freshness == Freshness::Fresh,
            };
            // First: whoever is told that it is fresh finds nothing older.
            on_demand.set_trust(match (is_in_step, self.link) {
                _ if self.store_emptied => Trust::Kept,
                (true, Link::Following) => Trust::Followed,
                (true, _) => Trust::Timed,
                _ => Trust::Anything,
            });
        }
        self.shared.set_freshness(freshness);
    }

    fn freshness(&mut self) -> Freshness {
        let now = self.now();
        let cause = if self.closed {
            Some(StaleCause::Closed)
        } else if self.store_emptied {
            Some(StaleCause::StoreEmptied)
        } else if !matches!(self.link, Link::Following | Link::Polling) || self.backoff.is_failing() {
            Some(StaleCause::Disconnected)
        } else if !self.synced || self.overtaken.is_awaited(now) {
            Some(StaleCause::Reloading)
        } else if self.last_flag.is_awaited() {
            Some(StaleCause::LastFlagGone)
        } else {
            None
        };
        let found = cause.map(|cause| Staleness { since: now, cause });
        let overtaken = || {
            let since = self.overtaken.since(now).into_iter().chain(self.invalidated.since(now)).min();
            since.map(|since| Staleness { since, cause: StaleCause::Overtaken })
        };
        Staleness::update(&mut self.stale, found.or_else(overtaken), self.read);
        match self.stale {
            _ if !self.shared.state.load().loaded => Freshness::NeverLoaded,
            None => Freshness::Fresh,
            Some(Staleness { since, cause }) => Freshness::Stale { since, cause },
        }
    }
}
