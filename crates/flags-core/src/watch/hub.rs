//! Any number of watches on one store.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::{ChangeSender, ChangeStream, change_queue};
use crate::record::Key;

/// Feeds every watch of a store. Watches that nobody reads any more are forgotten.
///
/// Enough by itself where nobody else can write the store; otherwise it is fed from the store's own
/// notifications.
#[derive(Debug, Default)]
pub struct ChangeHub {
    senders: Mutex<Vec<ChangeSender>>,
}

/// Readers to wake, which happens when this is dropped.
///
/// A waker may run anything, also a call on the same store: whoever tells a hub of changes under a lock, to
/// keep their order, drops this after the lock.
#[derive(Debug, Default)]
pub struct Wake {
    readers: Vec<Waker>,
    ended: Vec<ChangeSender>,
}

impl Drop for Wake {
    fn drop(&mut self) {
        self.readers.drain(..).for_each(Waker::wake);
        // Dropping a sender wakes its reader.
        self.ended.clear();
    }
}

impl ChangeHub {
    /// A hub without watches.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A new watch that holds at most `bound` keys ([`DEFAULT_BOUND`](super::DEFAULT_BOUND) will do). Its
    /// first item is `Resync`; it sees what is published from now on.
    #[must_use]
    pub fn subscribe(&self, bound: usize) -> ChangeStream {
        let (sender, stream) = change_queue(bound);
        let mut senders = self.lock();
        senders.retain(|sender| !sender.is_abandoned());
        senders.push(sender);
        stream
    }

    /// Whether there is no watch to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().iter().all(ChangeSender::is_abandoned)
    }

    /// Tells every watch that these records changed.
    pub fn changed<'a>(&self, keys: impl IntoIterator<Item = &'a Key>) -> Wake {
        let mut senders = self.lock();
        senders.retain(|sender| !sender.is_abandoned());
        let mut wake = Wake::default();
        if !senders.is_empty() {
            for key in keys {
                wake.readers.extend(senders.iter().filter_map(|sender| sender.record(key.clone())));
            }
        }
        wake
    }

    /// Tells every watch that the store is not followed any more.
    pub fn lost(&self) -> Wake {
        self.tell(ChangeSender::record_lost)
    }

    /// Tells every watch that the store is followed again.
    pub fn resync(&self) -> Wake {
        self.tell(ChangeSender::record_resync)
    }

    /// Ends every watch.
    pub fn close(&self) -> Wake {
        Wake { readers: Vec::new(), ended: std::mem::take(&mut *self.lock()) }
    }

    fn tell(&self, record: impl Fn(&ChangeSender) -> Option<Waker>) -> Wake {
        Wake { readers: self.lock().iter().filter_map(record).collect(), ended: Vec::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<ChangeSender>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
