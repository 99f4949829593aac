//! [`Invalidated`]: records that changed since they were read, and are to be read again.

use std::time::Duration;

use flags_core::watch::DEFAULT_BOUND;
use flags_core::{Key, Timestamp};
use indexmap::IndexMap;

use super::overtaken::is_long_ago;

/// The longest queue, and no more than a watch holds for a reader who is slow: past it everything
/// is read again, which is no more work.
const BOUND: usize = DEFAULT_BOUND;

/// First come, first read: a record that changes all the time keeps no other from being read.
#[derive(Debug, Default)]
pub(super) struct Invalidated {
    /// Since when each of them waits.
    waiting: IndexMap<Key, Timestamp>,
    /// Since when the first of those waits that are being read.
    asked: Option<Timestamp>,
}

impl Invalidated {
    /// The record changed. It keeps its place where it waits already. Tells whether there is room;
    /// without, none is remembered, and everything is to be read again.
    #[must_use]
    pub(super) fn add(&mut self, key: Key, now: Timestamp) -> bool {
        self.waiting.entry(key).or_insert(now);
        let has_room = self.waiting.len() <= BOUND;
        if !has_room {
            self.forget();
        }
        has_room
    }

    /// Everything is read again, from now on.
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
    }

    /// Those that wait longest, to be read.
    pub(super) fn take(&mut self, most: usize) -> Vec<Key> {
        let taken = self.waiting.drain(..most.min(self.waiting.len()));
        let (keys, since): (Vec<Key>, Vec<Timestamp>) = taken.unzip();
        self.asked = since.into_iter().min();
        keys
    }

    /// Those that were taken last were read, or are not wanted any more.
    pub(super) fn answered(&mut self) {
        self.asked = None;
    }

    /// Those that were taken last could not be read, and are again the first.
    pub(super) fn put_back(&mut self, keys: Vec<Key>, now: Timestamp) {
        let since = self.asked.take().unwrap_or(now);
        let later = std::mem::take(&mut self.waiting);
        self.waiting = keys.into_iter().map(|key| (key, since)).collect();
        for (key, since) in later {
            self.waiting.entry(key).or_insert(since);
        }
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.waiting.contains_key(key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.waiting.keys()
    }

    /// Since when one of them waits, if that is long ago.
    pub(super) fn since(&self, now: Timestamp) -> Option<Timestamp> {
        self.first().filter(|since| is_long_ago(*since, now))
    }

    /// When the first of them will have waited for long.
    pub(super) fn turns_at(&self, now: Timestamp) -> Option<Timestamp> {
        let first = self.first().filter(|since| !is_long_ago(*since, now));
        first.map(|since| since.saturating_add(super::overtaken::PATIENCE))
    }

    fn first(&self) -> Option<Timestamp> {
        let waits = self.waiting.first().map(|(_, since)| *since);
        self.asked.into_iter().chain(waits).min()
    }

    /// The clock was set back by so much.
    pub(super) fn set_back(&mut self, back: Duration) {
        let times = self.waiting.values_mut().chain(&mut self.asked);
        times.for_each(|at| *at = at.saturating_sub(back));
    }
}

#[cfg(test)]
mod tests {
    use flags_core::FlagKey;

    use super::*;

    fn key(n: usize) -> Key {
        Key::Flag(FlagKey::new(n.to_string()).expect("a key"))
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH.saturating_add(Duration::from_secs(seconds))
    }

    #[test]
    fn whoever_waits_longest_is_read_first_also_after_a_failure() {
        let mut queue = Invalidated::default();
        for n in 0..5 {
            assert!(queue.add(key(n), at(n as u64)));
        }
        assert!(queue.add(key(0), at(9)), "it keeps its place");
        assert_eq!(queue.take(2), [key(0), key(1)]);
        assert!(queue.add(key(1), at(9)));
        queue.put_back(vec![key(0), key(1)], at(9));
        assert_eq!(queue.since(at(9)), Some(at(0)));
        assert_eq!(queue.take(9), [key(0), key(1), key(2), key(3), key(4)]);
        assert_eq!(queue.since(at(9)), Some(at(0)), "it is still not read");
        queue.answered();
        assert_eq!(queue.since(at(9)), None);
    }

    #[test]
    fn past_the_bound_none_is_remembered() {
        let mut queue = Invalidated::default();
        assert!((0..BOUND).all(|n| queue.add(key(n), at(0))));
        assert!(!queue.add(key(BOUND), at(0)));
        assert!(queue.take(1).is_empty());
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nobody_wait_longer() {
        let mut queue = Invalidated::default();
        assert!(queue.add(key(0), at(100)));
        queue.set_back(Duration::from_secs(90));
        assert_eq!(queue.turns_at(at(10)), Some(at(11)));
        assert_eq!(queue.since(at(11)), Some(at(10)));
    }
}
