//! Any number of watches on one store.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{ChangeSender, ChangeStream, change_queue};
use crate::record::Key;

/// Feeds every watch of a store. Watches that nobody reads any more are forgotten.
#[derive(Debug, Default)]
pub struct ChangeHub {
    senders: Mutex<Vec<ChangeSender>>,
}

impl ChangeHub {
    /// A hub without watches.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A new watch that holds at most `bound` keys; it sees what is published from now on.
    #[must_use]
    pub fn subscribe(&self, bound: usize) -> ChangeStream {
        let (sender, stream) = change_queue(bound);
        let mut senders = self.lock();
        senders.retain(|sender| !sender.is_abandoned());
        senders.push(sender);
        stream
    }

    /// Tells every watch that these records changed.
    pub fn changed<'a>(&self, keys: impl IntoIterator<Item = &'a Key>) {
        let senders = self.lock();
        if senders.is_empty() {
            return;
        }
        for key in keys {
            senders.iter().for_each(|sender| sender.changed(key.clone()));
        }
    }

    /// Tells every watch that the store is not followed any more.
    pub fn lost(&self) {
        self.lock().iter().for_each(ChangeSender::lost);
    }

    /// Tells every watch that the store is followed again.
    pub fn resync(&self) {
        self.lock().iter().for_each(ChangeSender::resync);
    }

    /// Ends every watch.
    pub fn close(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<ChangeSender>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
