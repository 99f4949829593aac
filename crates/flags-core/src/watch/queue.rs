//! One watch: a bounded queue that coalesces.

use std::collections::{HashSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use crate::record::Key;
use crate::storage::Change;

/// How many keys wait for a slow reader before they become one `Resync`.
pub const DEFAULT_BOUND: usize = 10_000;

/// A queue whose first item is [`Change::Resync`], and which holds at most `bound` keys (at least one).
#[must_use]
pub fn change_queue(bound: usize) -> (ChangeSender, ChangeStream) {
    let state = State { news: News::First, bound: bound.max(1), ..State::default() };
    let shared = Arc::new(Mutex::new(state));
    (ChangeSender { shared: Arc::clone(&shared) }, ChangeStream { shared })
}

/// What goes before the keys.
#[derive(Debug, Default, PartialEq, Eq)]
enum News {
    #[default]
    None,
    /// The `Resync` that every watch begins with was not read yet.
    First,
    /// Nor was it when the store was lost.
    FirstThenLost,
    /// `Lost` was not read yet.
    Lost,
    /// `Lost` was read; keys are not recorded until the resync.
    Following,
    /// `Lost` was read, and the watch follows again.
    Found,
    /// `Lost` was not read yet, and the watch follows again.
    LostThenResync,
    /// Anything may have changed while the store was followed: more keys waited than there is room for.
    Resync,
}

#[derive(Debug, Default)]
struct State {
    news: News,
    order: VecDeque<Key>,
    waiting: HashSet<Key>,
    bound: usize,
    /// The sender is gone.
    ended: bool,
    /// The stream is gone.
    abandoned: bool,
    reader: Option<Waker>,
}

impl State {
    fn forget_keys(&mut self) {
        self.order.clear();
        self.waiting.clear();
    }

    fn changed(&mut self, key: Key) {
        // Whoever must read everything again needs no single key, and whoever is gone needs none at all.
        if self.abandoned || self.news != News::None || !self.waiting.insert(key.clone()) {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > self.bound {
            self.forget_keys();
            self.news = News::Resync;
        }
    }

    fn next(&mut self) -> Option<Change> {
        match self.news {
            News::Lost => {
                self.news = News::Following;
                Some(Change::Lost)
            }
            News::LostThenResync => {
                self.news = News::Found;
                Some(Change::Lost)
            }
            News::FirstThenLost => {
                self.news = News::Lost;
                Some(Change::Resync)
            }
            News::First | News::Found | News::Resync => {
                self.news = News::None;
                Some(Change::Resync)
            }
            News::Following => None,
            News::None => {
                let key = self.order.pop_front()?;
                self.waiting.remove(&key);
                Some(Change::Changed(key))
            }
        }
    }
}

/// A poisoned lock is no reason to stop: every change of the state is complete before anything can panic.
fn lock(shared: &Mutex<State>) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The writing end of a watch. Dropping it ends the stream, after what waits.
#[derive(Debug)]
pub struct ChangeSender {
    shared: Arc<Mutex<State>>,
}

impl ChangeSender {
    /// The record under `key` changed.
    pub fn changed(&self, key: Key) {
        wake(self.record(key));
    }

    /// Records the change; the reader is woken by whoever holds no lock.
    pub(super) fn record(&self, key: Key) -> Option<Waker> {
        self.update(|state| state.changed(key))
    }

    /// The store is not followed any more. Call [`resync`](Self::resync) once it is followed again.
    pub fn lost(&self) {
        wake(self.record_lost());
    }

    pub(super) fn record_lost(&self) -> Option<Waker> {
        self.update(|state| {
            state.forget_keys();
            state.news = match state.news {
                News::First | News::FirstThenLost => News::FirstThenLost,
                // `Lost` that was read already is not said again before the resync.
                News::Following | News::Found => News::Following,
                News::None | News::Lost | News::LostThenResync | News::Resync => News::Lost,
            };
        })
    }

    /// The store is followed from here on, and anything may have changed before.
    pub fn resync(&self) {
        wake(self.record_resync());
    }

    pub(super) fn record_resync(&self) -> Option<Waker> {
        self.update(|state| {
            state.forget_keys();
            state.news = match state.news {
                News::First | News::FirstThenLost => News::First,
                News::Lost | News::LostThenResync => News::LostThenResync,
                News::Following | News::Found => News::Found,
                News::None | News::Resync => News::Resync,
            };
        })
    }

    /// Whether nobody reads any more.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        lock(&self.shared).abandoned
    }

    fn update(&self, change: impl FnOnce(&mut State)) -> Option<Waker> {
        let mut state = lock(&self.shared);
        change(&mut state);
        state.reader.take()
    }
}

/// Called while no lock is held: a waker may run anything.
fn wake(reader: Option<Waker>) {
    if let Some(reader) = reader {
        reader.wake();
    }
}

impl Drop for ChangeSender {
    fn drop(&mut self) {
        wake(self.update(|state| state.ended = true));
    }
}

/// The reading end of a watch.
#[derive(Debug)]
pub struct ChangeStream {
    shared: Arc<Mutex<State>>,
}

impl Stream for ChangeStream {
    type Item = Change;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Change>> {
        let mut state = lock(&self.shared);
        match state.next() {
            Some(change) => Poll::Ready(Some(change)),
            None if state.ended => Poll::Ready(None),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for ChangeStream {
    fn drop(&mut self) {
        let mut state = lock(&self.shared);
        state.abandoned = true;
        state.forget_keys();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt};

    use super::*;
    use crate::name::FlagKey;

    fn key(n: usize) -> Key {
        Key::Flag(FlagKey::new(n.to_string()).expect("a number is a key"))
    }

    fn drain(stream: &mut ChangeStream) -> Vec<Change> {
        std::iter::from_fn(|| stream.next().now_or_never().flatten()).collect()
    }

    #[test]
    fn coalesces_by_key_and_keeps_the_order() {
        let (sender, mut stream) = change_queue(10);
        assert_eq!(drain(&mut stream), [Change::Resync]);
        for n in [1, 2, 1, 3, 2] {
            sender.changed(key(n));
        }
        assert_eq!(drain(&mut stream), [1, 2, 3].map(|n| Change::Changed(key(n))));
        sender.changed(key(1));
        assert_eq!(drain(&mut stream), [Change::Changed(key(1))]);
    }

    #[test]
    fn past_the_bound_one_resync_stands_for_all() {
        let (sender, mut stream) = change_queue(3);
        drain(&mut stream);
        (0..5).for_each(|n| sender.changed(key(n)));
        assert_eq!(drain(&mut stream), [Change::Resync]);
        sender.changed(key(9));
        assert_eq!(drain(&mut stream), [Change::Changed(key(9))]);
    }

    #[test]
    fn lost_comes_before_resync_and_hides_single_changes() {
        let (sender, mut stream) = change_queue(3);
        drain(&mut stream);
        sender.changed(key(1));
        sender.lost();
        sender.changed(key(2));
        assert_eq!(drain(&mut stream), [Change::Lost]);
        sender.changed(key(3));
        assert_eq!(drain(&mut stream), []);
        sender.resync();
        assert_eq!(drain(&mut stream), [Change::Resync]);
        sender.lost();
        sender.resync();
        sender.lost();
        sender.resync();
        assert_eq!(drain(&mut stream), [Change::Lost, Change::Resync]);
        sender.lost();
        assert_eq!(drain(&mut stream), [Change::Lost]);
        sender.lost();
        assert_eq!(drain(&mut stream), [], "what comes after Lost is Resync");
    }

    #[test]
    fn the_first_item_is_resync_whatever_happened_before_it_was_read() {
        let (sender, mut stream) = change_queue(3);
        sender.lost();
        sender.changed(key(1));
        assert_eq!(drain(&mut stream), [Change::Resync, Change::Lost]);
        let (sender, mut stream) = change_queue(3);
        for _ in 0..2 {
            sender.lost();
            sender.lost();
            sender.resync();
        }
        assert_eq!(drain(&mut stream), [Change::Resync]);
        sender.changed(key(1));
        assert_eq!(drain(&mut stream), [Change::Changed(key(1))]);
    }

    #[test]
    fn what_comes_after_lost_is_resync_however_often_the_store_is_lost() {
        let (sender, mut stream) = change_queue(3);
        drain(&mut stream);
        sender.lost();
        assert_eq!(drain(&mut stream), [Change::Lost]);
        sender.resync();
        sender.lost();
        assert_eq!(drain(&mut stream), [], "nobody follows");
        sender.resync();
        assert_eq!(drain(&mut stream), [Change::Resync]);
        // The same where both were waiting.
        sender.lost();
        sender.resync();
        assert_eq!(stream.next().now_or_never(), Some(Some(Change::Lost)));
        sender.lost();
        assert_eq!(drain(&mut stream), []);
        sender.resync();
        assert_eq!(drain(&mut stream), [Change::Resync]);
        sender.lost();
        assert_eq!(drain(&mut stream), [Change::Lost]);
    }

    #[test]
    fn ends_after_what_waits() {
        let (sender, mut stream) = change_queue(3);
        sender.changed(key(1));
        drop(sender);
        assert_eq!(stream.next().now_or_never(), Some(Some(Change::Resync)));
        assert_eq!(stream.next().now_or_never(), Some(None));
    }
}
