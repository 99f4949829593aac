//! Reads of the store: which one is next, and what is installed from it.

use std::sync::Arc;

use flags_core::{Error, ErrorKind, Key, Result, Timestamp};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::news::Link;
use super::{Follower, fetch};
use crate::events::ClientEvent;
use crate::replica::{Found, Listed};

/// More changes than this are compiled on a thread of their own: the task must not keep others waiting.
const MANY: usize = 1_000;

/// When a read of the store began: by the clock, and by what was heard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    at: Timestamp,
    resyncs: u64,
}

/// What a read of the store came to.
pub(super) enum Done {
    Listed(Begun, Result<Listed>),
    Fetched(Begun, Vec<Key>, Result<Vec<Found>>),
}

/// The read under way, or never.
pub(super) async fn under_way(work: &mut Option<BoxFuture<'static, Done>>) -> Done {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

impl Follower {
    /// The next read, if there is one to make and it may be made.
    pub(super) fn next_work(&mut self) -> Option<BoxFuture<'static, Done>> {
        if self.closed || self.retry_at.is_some_and(|at| at > self.now()) {
            return None;
        }
        let storage = Arc::clone(&self.shared.storage);
        let begun = Begun { at: self.now(), resyncs: self.resyncs };
        if self.wants_reload {
            self.wants_reload = false;
            // What changed before is in what is read now.
            self.invalidated.clear();
            let overrides = self.shared.on_demand.is_none();
            return Some(async move { Done::Listed(begun, fetch::list(storage, overrides).await) }.boxed());
        }
        let most = storage.descriptor().limits().batch_ops.max(1);
        let keys: Vec<Key> = self.invalidated.iter().take(most).cloned().collect();
        for key in &keys {
            self.invalidated.remove(key);
        }
        (!keys.is_empty()).then(|| {
            async move { Done::Fetched(begun, keys.clone(), fetch::get(storage, keys).await) }.boxed()
        })
    }

    pub(super) async fn take_in(&mut self, done: Done) {
        match done {
            Done::Listed(begun, Ok(listed)) => {
                self.succeeded();
                self.synced =
                    begun.resyncs == self.resyncs && matches!(self.link, Link::Following | Link::Polling);
                self.take_in_all(listed).await;
                self.poll_later();
            }
            Done::Listed(_, Err(error)) => {
                self.wants_reload = true;
                self.failed(error).await;
            }
            Done::Fetched(begun, _, Ok(found)) => {
                self.succeeded();
                let found = found.into_iter().filter(|one| self.is_in_time(&one.key(), begun.at)).collect();
                self.take_in_some(found).await;
            }
            Done::Fetched(_, keys, Err(error)) => {
                self.invalidated.extend(keys);
                self.failed(error).await;
            }
        }
    }

    /// Whether no change overtook the fetch of that key. Otherwise it is read again, and never installed from before the change.
    fn is_in_time(&mut self, key: &Key, began: Timestamp) -> bool {
        let in_time = !self.invalidated.contains(key);
        if in_time {
            self.overtaken.read(key);
        } else {
            self.overtaken.fetch(key, began);
        }
        in_time
    }

    async fn take_in_all(&mut self, listed: Listed) {
        // Accepted or not, it was about this listing: a later emptiness is another one.
        let accepts_empty = std::mem::take(&mut self.accepts_empty);
        if listed.flags == 0 && self.replica.has_flags() && !accepts_empty {
            if !std::mem::replace(&mut self.store_emptied, true) {
                self.shared.events.tell(&ClientEvent::StoreEmptied);
            }
            return;
        }
        self.store_emptied = false;
        self.read = true;
        // Of these the listing may show an older value than there is, also where none is known yet.
        let invalidated = self.invalidated.clone();
        self.overtaken.listing(&invalidated, self.now());
        let many = listed.records.len() > MANY;
        self.change(many, move |replica, now| replica.take_over(listed, &invalidated, now)).await;
    }

    async fn take_in_some(&mut self, found: Vec<Found>) {
        if self.store_emptied {
            // Of a store that lost everything single records say nothing, until there is a flag again.
            let is_flag =
                |one: &Found| matches!(one.key(), Key::Flag(_)) && !matches!(one, Found::Nothing(_));
            self.wants_reload |= found.iter().any(is_flag);
            return;
        }
        let many = found.len() > MANY;
        self.change(many, move |replica, now| replica.apply(found, now)).await;
    }

    fn succeeded(&mut self) {
        self.backoff.reset();
        self.retry_at = None;
        if self.link != Link::Lost {
            self.shared.store_error.store(None);
        }
    }

    async fn failed(&mut self, error: Error) {
        self.closed |= error.kind() == ErrorKind::Closed;
        self.shared.store_error.store(Some(Arc::new(error)));
        self.retry_at = Some(self.now().saturating_add(self.backoff.next()));
        self.serve_saved(self.now()).await;
    }
}
