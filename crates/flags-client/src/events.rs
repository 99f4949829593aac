//! [`Events`]: what listeners of a client are told.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use flags_core::FlagKey;
use futures_core::Stream;

use crate::freshness::Freshness;

/// So many keys wait for a slow listener; beyond, it is told that any flag may have changed.
const MOST_KEYS: usize = 10_000;

/// Something that happened to what a client serves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The first flags are there; evaluations are real from here on.
    Ready,
    /// The freshness is another one now. What came between and is over is not told.
    Freshness(Freshness),
    /// These flags may decide otherwise than before. The passing of time (an expiry, a time schedule) is no
    /// such event.
    FlagsChanged(ChangedFlags),
    /// The store came back without a single flag, or lost all of them at one stroke, and the flags
    /// known last are served.
    StoreEmptied,
}

/// Which flags changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangedFlags {
    /// These.
    Keys(BTreeSet<FlagKey>),
    /// More than a listener is kept waiting for: look at whatever you care about.
    Any,
}

/// The events of a client, for one listener. A stream: what a slow listener has not read yet is coalesced, so
/// that it always fits in bounded memory. Ends when the client is closed or gone.
#[derive(Debug)]
pub struct Events(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    ready: bool,
    freshness: Option<Freshness>,
    emptied: bool,
    changed: Option<ChangedFlags>,
    ended: bool,
    listener: Option<Waker>,
}

impl Waiting {
    fn next(&mut self) -> Option<ClientEvent> {
        if std::mem::take(&mut self.ready) {
            return Some(ClientEvent::Ready);
        }
        if let Some(changed) = self.changed.take() {
            return Some(ClientEvent::FlagsChanged(changed));
        }
        if std::mem::take(&mut self.emptied) {
            return Some(ClientEvent::StoreEmptied);
        }
        // Last: whoever is told that it is fresh knows of the changes that made it so.
        self.freshness.take().map(ClientEvent::Freshness)
    }

    fn add(&mut self, event: &ClientEvent) {
        match event {
            ClientEvent::Ready => self.ready = true,
            ClientEvent::Freshness(freshness) => self.freshness = Some(*freshness),
            ClientEvent::StoreEmptied => self.emptied = true,
            ClientEvent::FlagsChanged(more) => {
                let waiting = self.changed.take();
                self.changed = Some(together(waiting, more));
            }
        }
    }
}

fn together(waiting: Option<ChangedFlags>, more: &ChangedFlags) -> ChangedFlags {
    match (waiting, more) {
        (Some(ChangedFlags::Any), _) | (_, ChangedFlags::Any) => ChangedFlags::Any,
        (waiting, ChangedFlags::Keys(more)) => {
            let mut keys = match waiting {
                Some(ChangedFlags::Keys(keys)) => keys,
                _ => BTreeSet::new(),
            };
            keys.extend(more.iter().cloned());
            if keys.len() > MOST_KEYS { ChangedFlags::Any } else { ChangedFlags::Keys(keys) }
        }
    }
}

/// A panic of a waker cannot leave what waits half changed.
fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Events {
    /// The next event; `None` once there will be none.
    ///
    /// # Cancellation
    ///
    /// May be dropped at any time: no event is lost by it.
    pub async fn next(&mut self) -> Option<ClientEvent> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Events {
    type Item = ClientEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        let mut waiting = lock(&self.0);
        if let Some(event) = waiting.next() {
            return Poll::Ready(Some(event));
        }
        if waiting.ended {
            return Poll::Ready(None);
        }
        waiting.listener = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Tells every listener. Listeners that are gone are forgotten.
#[derive(Debug, Default)]
pub(crate) struct EventHub {
    listeners: Mutex<Hub>,
}

#[derive(Debug, Default)]
struct Hub {
    listeners: Vec<Weak<Mutex<Waiting>>>,
    ended: bool,
}

impl EventHub {
    pub(crate) fn subscribe(&self) -> Events {
        let mut hub = self.lock();
        let waiting = Arc::new(Mutex::new(Waiting { ended: hub.ended, ..Waiting::default() }));
        // Not at every call, so that it costs no more than the pushing.
        if hub.listeners.len() == hub.listeners.capacity() {
            hub.listeners.retain(|listener| listener.strong_count() > 0);
        }
        hub.listeners.push(Arc::downgrade(&waiting));
        Events(waiting)
    }

    pub(crate) fn tell(&self, event: &ClientEvent) {
        self.each(|waiting| waiting.add(event));
    }

    /// Ends every stream, after what waits.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.each(|waiting| waiting.ended = true);
    }

    fn each(&self, change: impl Fn(&mut Waiting)) {
        let mut wakers = Vec::new();
        self.lock().listeners.retain(|listener| {
            let Some(waiting) = listener.upgrade() else { return false };
            let mut waiting = lock(&waiting);
            change(&mut waiting);
            wakers.extend(waiting.listener.take());
            true
        });
        // A waker may run anything: no lock is held here.
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Hub> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_that_are_gone_are_forgotten_though_nothing_happens() {
        let hub = EventHub::default();
        let kept: Vec<Events> = (0..10).map(|_| hub.subscribe()).collect();
        (0..10_000).for_each(|_| drop(hub.subscribe()));
        assert!(hub.lock().listeners.len() < 100);
        hub.tell(&ClientEvent::Ready);
        assert!(kept.iter().all(|events| lock(&events.0).ready));
    }
}
