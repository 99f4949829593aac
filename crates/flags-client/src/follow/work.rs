//! Reads of the store: which one is next, and what is installed from it.

use std::collections::HashSet;
use std::sync::Arc;

use flags_core::{Error, ErrorKind, Key, Result, Timestamp};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::fetch::{Fetched, Losses};
use super::last_flag::LastFlag;
use super::news::Link;
use super::{Follower, fetch};
use crate::events::ClientEvent;
use crate::replica::{Found, Listed, Unsure};
use crate::stage::Stage;

/// When a read of the store began: by the clock, and by what was heard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    at: Timestamp,
    link: Link,
    resyncs: u64,
}

/// What a read of the store came to.
pub(super) enum Done {
    /// Everything; with whether it may be nothing.
    Listed(Begun, bool, Result<Listed>),
    Fetched(Begun, Vec<Key>, Result<Fetched>),
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
        let begun = Begun { at: self.now(), link: self.link, resyncs: self.resyncs };
        if self.wants_reload {
            self.wants_reload = false;
            // What changed before is in what is read now.
            self.invalidated.forget();
            let overrides = self.shared.on_demand.is_none();
            // About this listing, which begins after it was said: a later emptiness is another one.
            let accepts_empty = std::mem::take(&mut self.accepts_empty);
            let stage = if self.read { Stage::Reload } else { Stage::Load };
            let list = stage.begin(self.shared.provider).of(fetch::list(storage, overrides));
            return Some(async move { Done::Listed(begun, accepts_empty, list.await) }.boxed());
        }
        if self.link != Link::Following {
            // Of a store that is lost single records say nothing: it may be about to come back
            // empty.
            return None;
        }
        let most = storage.descriptor().limits().batch_ops.max(1);
        let keys = self.invalidated.take(most);
        if keys.is_empty() {
            return None;
        }
        let in_force = keys.iter().filter(|key| self.replica.is_in_force(key, begun.at)).cloned().collect();
        let known = fetch::Known { in_force, ruleset: Arc::clone(self.replica.ruleset()) };
        let stage = Stage::Fetch(keys.len()).begin(self.shared.provider);
        let get = stage.of(fetch::get(storage, keys.clone(), known));
        Some(async move { Done::Fetched(begun, keys, get.await) }.boxed())
    }

    /// Whether the store was followed without a break since then, or not at all.
    fn is_unbroken_since(&self, begun: Begun) -> bool {
        self.link == begun.link && self.resyncs == begun.resyncs
    }

    pub(super) async fn take_in(&mut self, done: Done) {
        match done {
            Done::Listed(begun, accepts_empty, Ok(listed)) => {
                self.succeeded();
                let unbroken = self.is_unbroken_since(begun);
                self.synced = unbroken && matches!(self.link, Link::Following | Link::Polling);
                self.take_in_all(listed, unbroken, accepts_empty).await;
                self.poll_later();
            }
            Done::Listed(_, accepts_empty, Err(error)) => {
                self.accepts_empty |= accepts_empty;
                self.wants_reload = true;
                self.failed(error).await;
            }
            Done::Fetched(begun, _, Ok(mut fetched)) => {
                self.succeeded();
                self.invalidated.answered();
                // Otherwise everything is read again, and who knows which store has answered.
                if self.is_unbroken_since(begun) {
                    fetched.found.retain(|one| self.is_in_time(&one.key(), begun.at));
                    self.take_in_some(fetched).await;
                }
            }
            Done::Fetched(_, keys, Err(error)) => {
                self.invalidated.put_back(keys, self.now());
                self.failed(error).await;
            }
        }
    }

    /// Whether no change overtook the fetch of that key. Otherwise it is read again, and never
    /// installed from before the change.
    fn is_in_time(&mut self, key: &Key, began: Timestamp) -> bool {
        let in_time = !self.invalidated.contains(key);
        if in_time {
            self.overtaken.read(key);
        } else {
            self.overtaken.fetch(key, began);
        }
        in_time
    }

    async fn take_in_all(&mut self, listed: Listed, unbroken: bool, accepts_empty: bool) {
        if listed.flags == 0 && self.knows_flags() && !(accepts_empty && unbroken) {
            // Broken off, it is begun again.
            self.accepts_empty |= accepts_empty;
            if unbroken && self.last_flag.is_awaited() {
                // That is known already, and what it means will be. The rest is news.
                self.last_flag.owe_listing();
                self.install(listed, true).await;
                return;
            }
            if !std::mem::replace(&mut self.store_emptied, true) {
                self.shared.events.tell(&ClientEvent::StoreEmptied);
            }
            return;
        }
        if listed.flags == 0 && !self.read && !accepts_empty && self.serves_saved_instead().await {
            return;
        }
        self.store_emptied = false;
        self.read = true;
        self.last_flag = LastFlag::default();
        self.install(listed, !unbroken).await;
    }

    /// Takes in what was listed, all but what changed meanwhile; what it does not show is gone, or else
    /// `absences` mean nothing.
    async fn install(&mut self, listed: Listed, absences: bool) {
        let keys: HashSet<Key> = self.invalidated.keys().cloned().collect();
        self.overtaken.listing(&keys, self.now());
        let unsure = Unsure { keys, absences };
        let weight = listed.weight().max(self.replica.len());
        self.change(weight, move |replica, now| replica.take_over(listed, &unsure, now)).await;
    }

    /// Whether there are flags to lose.
    fn knows_flags(&self) -> bool {
        self.replica.has_flags() || !self.shared.state.load().ruleset.is_empty()
    }

    async fn take_in_some(&mut self, Fetched { mut found, losses }: Fetched) {
        let shows_a_flag = found.iter().any(Found::is_a_flag);
        if self.store_emptied {
            // Of a store that lost everything single records say nothing, until there is a flag again.
            self.wants_reload |= shows_a_flag;
            return;
        }
        match (losses, self.replica.ruleset().len()) {
            // Without a flag nothing decides, and nothing is lost.
            (_, 0) => {}
            (Losses::Doubtful, 1) => found = self.last_flag.keep_back(found, self.now()),
            (Losses::Doubtful, _) => {
                // A listing shows whether there is anything at all.
                self.synced = false;
                self.wants_reload = true;
                return;
            }
            // The store was not emptied: what was kept back is asked for again, to be sure.
            _ if losses == Losses::Deleted || shows_a_flag => {
                self.end_wait_for_last_flag().into_iter().for_each(|key| self.await_read(key));
            }
            _ => {}
        }
        self.change(Found::weight(&found), move |replica, now| replica.apply(found, now)).await;
    }

    /// What is gone with the last flag, if it is. What a listing did not show meanwhile may be gone too.
    pub(super) fn end_wait_for_last_flag(&mut self) -> HashSet<Key> {
        let (gone, owes_listing) = self.last_flag.take();
        if owes_listing {
            self.synced = false;
            self.wants_reload = true;
        }
        gone
    }

    fn succeeded(&mut self) {
        self.backoff.reset();
        self.retry_at = None;
        self.shared.refuses.send_if_modified(|refuses| std::mem::replace(refuses, false));
        if self.link != Link::Lost {
            self.shared.store_error.store(self.unwatched.clone());
        }
    }

    async fn failed(&mut self, error: Error) {
        self.closed |= error.kind() == ErrorKind::Closed;
        let refuses = matches!(error.kind(), ErrorKind::Closed | ErrorKind::Denied);
        self.shared.store_error.store(Some(Arc::new(error)));
        self.retry_at = Some(self.now().saturating_add(self.backoff.next()));
        // Last, so that whoever waits finds out why.
        self.shared.refuses.send_replace(refuses);
        self.serve_saved(self.now()).await;
    }
}
