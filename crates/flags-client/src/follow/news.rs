//! What is heard of the store.

use std::sync::Arc;

use flags_core::{ErrorKind, Key};
use futures_util::{FutureExt, StreamExt};

use super::last_flag::LastFlag;
use super::{Follower, fetch};
use crate::link::News;
use crate::on_demand::Entity;

/// So many changes are heard before anything is done about them.
const DRAINED_AT_ONCE: usize = 10_000;

/// Whether changes are heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Connecting,
    Following,
    Lost,
    /// There is no news: everything is read again and again.
    Polling,
}

impl Follower {
    /// Hears what is waiting, up to a bound.
    pub(super) fn hear_ready(&mut self, news: &mut (impl futures_core::Stream<Item = News> + Unpin)) {
        for _ in 0..DRAINED_AT_ONCE {
            match news.next().now_or_never() {
                Some(Some(one)) => self.hear(one),
                _ => return,
            }
        }
    }

    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::Changed(key) => self.invalidate(key),
            News::Resync => {
                self.link = Link::Following;
                self.unwatched = None;
                self.last_flag = LastFlag::default();
                self.resyncs += 1;
                self.synced = false;
                self.wants_reload = true;
                self.poll_at = None;
                // The store answers again: no reason to wait any longer.
                self.retry_at = None;
                if let Some(on_demand) = &self.shared.on_demand {
                    on_demand.resync();
                }
            }
            News::Lost(error) => {
                self.link = Link::Lost;
                self.last_flag = LastFlag::default();
                self.synced = false;
                // Without news there is still the asking; at once, if there is nothing to serve yet.
                self.wants_reload |= !self.shared.state.load().loaded;
                // Told again, it does not put off what is to be asked.
                if self.poll_at.is_none() {
                    self.poll_later();
                }
                if let Some(error) = error {
                    let is_closed = error.kind() == ErrorKind::Closed;
                    self.shared.store_error.store(Some(Arc::new(error)));
                    if is_closed {
                        self.closed = true;
                        // Last, so that whoever waits finds out why.
                        self.shared.refuses.send_replace(true);
                    }
                }
            }
            News::Unwatched(why) => {
                self.unwatched = why.map(Arc::new);
                // Told again, it changes nothing.
                if self.link != Link::Polling {
                    self.link = Link::Polling;
                    self.last_flag = LastFlag::default();
                    self.wants_reload = true;
                }
            }
        }
    }

    fn invalidate(&mut self, key: Key) {
        if let (Some(on_demand), Key::Override(_, entity_type, entity_id)) = (&self.shared.on_demand, &key) {
            on_demand.invalidate(&Entity::new(entity_type.clone(), entity_id.clone()));
            self.shared.tell_changed(self.replica.owner_of(&key).cloned().into_iter().collect());
            return;
        }
        if !fetch::is_needed(&key) {
            return;
        }
        if key.text_len() > self.shared.storage.descriptor().limits().key_bytes {
            // Another library may write it, and listings show it, though nobody can ask for it by its key.
            self.synced = false;
            self.wants_reload = true;
            return;
        }
        self.last_flag.forget(&key);
        self.await_read(key);
    }

    /// The record is to be read again.
    pub(super) fn await_read(&mut self, key: Key) {
        if !self.invalidated.add(key, self.now()) {
            // What is being read now may be older than what was just forgotten.
            self.resyncs += 1;
            self.synced = false;
            self.wants_reload = true;
        }
    }
}
