//! [`LastFlag`]: the only flag of a store is gone. Was it deleted, or was the store emptied?

use std::collections::HashSet;
use std::time::Duration;

use flags_core::{Key, Timestamp};

use crate::replica::Found;

/// Longer than any watch needs to notice that its connection is dead, or its store another one:
/// that of flags-redis tries a silent connection every second, and each of the up to three answers
/// that tell has two (its deadline, unless set otherwise); that of flags-file looks at its file
/// every two seconds.
const LONG_ENOUGH: Duration = Duration::from_secs(10);

/// What is gone with the last flag, while a watch may yet tell that the store was emptied. Where it
/// does, this is forgotten.
#[derive(Debug, Default)]
pub(super) struct LastFlag {
    gone: HashSet<Key>,
    until: Option<Timestamp>,
    /// A listing was taken in, but for what it did not show.
    owes_listing: bool,
}

impl LastFlag {
    /// Keeps back what is gone, and returns the rest. What follows does not put it off any further.
    pub(super) fn keep_back(&mut self, found: Vec<Found>, now: Timestamp) -> Vec<Found> {
        let (gone, rest): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|one| matches!(one, Found::Nothing(_)));
        self.gone.extend(gone.iter().map(Found::key));
        self.until.get_or_insert(now.saturating_add(LONG_ENOUGH));
        rest
    }

    pub(super) fn is_awaited(&self) -> bool {
        self.until.is_some()
    }

    /// When what is gone is believed to be.
    pub(super) fn until(&self) -> Option<Timestamp> {
        self.until
    }

    pub(super) fn until_mut(&mut self) -> Option<&mut Timestamp> {
        self.until.as_mut()
    }

    /// The record changed, and is read again.
    pub(super) fn forget(&mut self, key: &Key) {
        self.gone.remove(key);
    }

    /// Everything was read meanwhile, and shows no flag: what else it does not show is believed no
    /// sooner, and then asked for again.
    pub(super) fn owe_listing(&mut self) {
        self.owes_listing = true;
    }

    /// Ends the waiting, with what is gone, and whether everything is to be read again.
    pub(super) fn take(&mut self) -> (HashSet<Key>, bool) {
        let Self { gone, owes_listing, .. } = std::mem::take(self);
        (gone, owes_listing)
    }
}
