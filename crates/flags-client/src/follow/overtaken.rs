//! [`Overtaken`]: records that changed while they were read, of which nobody knows yet what they
//! are now.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use flags_core::{Key, Timestamp};

/// A change is read within milliseconds. A record that changes again and again before it is read
/// stays as it was known for as long as that goes on, and past this everybody is told.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Overtaken {
    keys: HashMap<Key, Since>,
}

#[derive(Debug, Clone, Copy)]
struct Since {
    at: Timestamp,
    /// A listing passed it over: what is served is not the store as it was at any time, before it
    /// is read.
    owed: bool,
}

impl Overtaken {
    /// A fetch of that record, begun then, came too late.
    pub(super) fn fetch(&mut self, key: &Key, began: Timestamp) {
        self.keys.entry(key.clone()).or_insert(Since { at: began, owed: false });
    }

    /// A listing passed these over, and showed all others as they are.
    pub(super) fn listing(&mut self, passed_over: &HashSet<Key>, now: Timestamp) {
        self.keys.retain(|key, _| passed_over.contains(key));
        for key in passed_over {
            self.keys.entry(key.clone()).or_insert(Since { at: now, owed: true }).owed = true;
        }
    }

    /// The record was read in time.
    pub(super) fn read(&mut self, key: &Key) {
        self.keys.remove(key);
    }

    /// Whether what a listing passed over is about to be read. Not waited for once it had its
    /// chance.
    pub(super) fn is_awaited(&self, now: Timestamp) -> bool {
        self.keys.values().any(|since| since.owed && !is_long_ago(since.at, now))
    }

    /// Since when one of them could not be read, if that is long ago.
    pub(super) fn since(&self, now: Timestamp) -> Option<Timestamp> {
        let long_ago = self.keys.values().filter(|since| is_long_ago(since.at, now));
        long_ago.map(|since| since.at).min()
    }

    /// When the next of them will have been waited for long enough.
    pub(super) fn turns_at(&self, now: Timestamp) -> Option<Timestamp> {
        let waiting = self.keys.values().filter(|since| !is_long_ago(since.at, now));
        waiting.map(|since| since.at.saturating_add(PATIENCE)).min()
    }

    /// The clock was set back by so much.
    pub(super) fn set_back(&mut self, back: Duration) {
        self.keys.values_mut().for_each(|since| since.at = since.at.saturating_sub(back));
    }
}

/// Whether that is longer ago than a change takes to be read.
pub(super) fn is_long_ago(at: Timestamp, now: Timestamp) -> bool {
    now.saturating_since(at) >= PATIENCE
}
