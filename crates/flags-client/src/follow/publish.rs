//! Changing the replica, and publishing what became of it.

use std::sync::Arc;

use flags_core::{Error, ErrorKind, Timestamp};
use tokio::task::{JoinError, spawn_blocking};

use super::Follower;
use super::last_flag::LastFlag;
use crate::replica::{Replica, Touched};
use crate::state::State;

/// More work than this many records make is done on a thread of their own: the task must not keep others
/// waiting.
pub(super) const MANY: usize = 1_000;

impl Follower {
    /// Changes the replica, which is as much work as so many records are, and publishes what became of it.
    pub(super) async fn change(
        &mut self,
        weight: usize,
        change: impl FnOnce(&mut Replica, Timestamp) -> Touched + Send + 'static,
    ) {
        let now = self.now();
        // What has expired goes with it.
        let is_long = weight > MANY || self.replica.expired(now, MANY + 1) > MANY;
        if let Some(touched) = self.lend(is_long, move |replica| change(replica, now)).await {
            self.mishaps.reset();
            self.unpublished.merge(touched);
            let before = self.publish();
            if is_long {
                // To free what is not there any more takes long, too, and nobody waits for it.
                drop(spawn_blocking(move || drop(before)));
            }
        }
    }

    /// Lets the job have the replica; a long one on a thread of its own. `None` if it came to
    /// nothing.
    pub(super) async fn lend<T: Send + 'static>(
        &mut self,
        is_long: bool,
        job: impl FnOnce(&mut Replica) -> T + Send + 'static,
    ) -> Option<T> {
        let mut replica = std::mem::replace(&mut self.replica, Replica::new(self.settings.semantics));
        let job = move || {
            let done = job(&mut replica);
            (replica, done)
        };
        match if is_long { spawn_blocking(job).await } else { Ok(job()) } {
            Ok((replica, done)) => {
                self.replica = replica;
                Some(done)
            }
            Err(end) => {
                self.replica_is_lost(end);
                None
            }
        }
    }

    /// The replica is gone with the thread that had it. What is published stays, until everything
    /// was read again.
    fn replica_is_lost(&mut self, end: JoinError) {
        if !end.is_panic() {
            // The runtime is shutting down, and this task with it.
            self.closed = true;
            return;
        }
        let what = "taking in what was read ended in a panic; it is read again";
        let error = Error::new(ErrorKind::Unavailable, what).with_source(end);
        self.shared.store_error.store(Some(Arc::new(error)));
        (self.read, self.synced, self.wants_reload) = (false, false, true);
        self.last_flag = LastFlag::default();
        self.save_at = None;
        // What was read may well be what it panics of, each time.
        self.retry_at = Some(self.now().saturating_add(self.mishaps.next()));
    }

    /// Whether the first flags are held back: some of them changed while they were read, and what
    /// they are now is about to be known. Unknown is never "off", nor is half of a store the store.
    fn is_held_back(&self) -> bool {
        self.read && !self.shared.state.load().loaded && self.overtaken.is_awaited(self.now())
    }

    /// Tells whoever waits for the first load of its end.
    pub(super) fn release(&mut self) {
        if self.read && !self.is_held_back() {
            if !self.shared.state.load().loaded {
                self.publish();
            }
            self.started(Ok(()));
        }
    }

    /// Publishes what there is to publish, and returns what was there before.
    fn publish(&mut self) -> Arc<State> {
        let before = self.shared.state.load_full();
        if self.is_held_back() {
            return before;
        }
        let mut touched = std::mem::take(&mut self.unpublished);
        let rules_changed = !Arc::ptr_eq(&before.ruleset, self.replica.ruleset());
        if before.loaded && !rules_changed && !touched.unreadable {
            return before;
        }
        let ruleset = Arc::clone(self.replica.ruleset());
        let new_flags = std::mem::take(&mut touched.new_flags);
        let flag_set = before.flag_set + u64::from(!new_flags.is_empty());
        if let Some(on_demand) = &self.shared.on_demand {
            // First: whoever sees the set knows what is new in it.
            on_demand.flags_added(flag_set, new_flags);
        }
        let changed = touched.into_flags(&ruleset);
        let mut counts = before.counts.clone();
        counts.extend(changed.iter());
        counts.forget(&ruleset);
        let unreadable = self.replica.unreadable().cloned().collect();
        self.shared.publish(State { ruleset, loaded: true, counts, unreadable, flag_set }, changed);
        self.save_later();
        before
    }
}
