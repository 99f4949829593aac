//! Changing the replica, and publishing and saving what became of it.

use std::sync::Arc;

use flags_core::{Error, ErrorKind, Result, Timestamp};
use tokio::task::{JoinHandle, spawn_blocking};

use super::Follower;
use crate::replica::{Replica, Touched};
use crate::state::State;

/// A save under way.
pub(super) type Saving = JoinHandle<Result<()>>;

/// The end of the save under way, or never.
pub(super) async fn saved(saving: &mut Option<Saving>) -> Result<()> {
    match saving {
        Some(saving) => saving.await.unwrap_or_else(|e| {
            Err(Error::new(ErrorKind::Unavailable, "saving was cut short").with_source(e))
        }),
        None => std::future::pending().await,
    }
}

impl Follower {
    /// Changes the replica, and publishes what became of it.
    pub(super) async fn change(
        &mut self,
        many: bool,
        change: impl FnOnce(&mut Replica, Timestamp) -> Touched + Send + 'static,
    ) {
        let now = self.now();
        let mut replica = std::mem::replace(&mut self.replica, Replica::new(self.settings.semantics));
        let job = move || {
            let touched = change(&mut replica, now);
            (replica, touched)
        };
        let done = if many { spawn_blocking(job).await.ok() } else { Some(job()) };
        let Some((replica, touched)) = done else {
            // The runtime is shutting down, and this task with it. What is published stays.
            self.wants_reload = true;
            return;
        };
        self.replica = replica;
        self.unpublished.merge(touched);
        self.publish();
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

    fn publish(&mut self) {
        if self.is_held_back() {
            return;
        }
        let touched = std::mem::take(&mut self.unpublished);
        let before = self.shared.state.load_full();
        let rules_changed = !Arc::ptr_eq(&before.ruleset, self.replica.ruleset());
        if before.loaded && !rules_changed && !touched.unreadable {
            return;
        }
        let ruleset = Arc::clone(self.replica.ruleset());
        let flag_set = before.flag_set + u64::from(touched.new_flags);
        let changed = touched.into_flags(&ruleset);
        let mut counts = before.counts.clone();
        counts.extend(changed.iter());
        let unreadable = self.replica.unreadable().cloned().collect();
        self.shared.publish(State { ruleset, loaded: true, counts, unreadable, flag_set }, changed);
        self.spares_file &= !self.replica.has_flags();
        if self.settings.file.is_some() && self.read && !self.spares_file && self.save_at.is_none() {
            self.save_at = Some(self.now().saturating_add(self.settings.save_interval));
        }
    }

    pub(super) fn save(&self) -> Option<Saving> {
        let file = self.settings.file.clone()?;
        let (records, now) = (self.replica.to_vec(), self.now());
        Some(spawn_blocking(move || file.write(records, now)))
    }
}
