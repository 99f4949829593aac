//! [`Counts`]: how often each flag was evaluated, and why it answered what it did.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use flags_core::FlagKey;
use flags_engine::{Reason, Ruleset};

const REASONS: [Reason; 7] = [
    Reason::Default,
    Reason::Static,
    Reason::TargetingMatch,
    Reason::Override,
    Reason::Split,
    Reason::Disabled,
    Reason::Error,
];

/// Threads are dealt over so many cache lines. A counter that all of them share would be what they wait for.
const SHARDS: usize = 4;

/// One cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard([AtomicU64; 8]);

/// The evaluations of one flag, by reason.
#[derive(Debug, Default)]
pub(crate) struct FlagCounts([Shard; SHARDS]);

impl FlagCounts {
    pub(crate) fn add(&self, reason: Reason) {
        let place = REASONS.iter().position(|known| *known == reason);
        let shard = self.0.get(shard());
        if let Some(counter) = place.and_then(|place| shard?.0.get(place)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn read(&self) -> ReasonCounts {
        let sum = |place: usize| {
            let counters = self.0.iter().filter_map(|shard| shard.0.get(place));
            counters.map(|counter| counter.load(Ordering::Relaxed)).sum::<u64>()
        };
        let counted = REASONS.iter().enumerate().map(|(place, reason)| (*reason, sum(place)));
        ReasonCounts(counted.filter(|(_, count)| *count > 0).collect())
    }
}

/// The shard of this thread.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: Cell<Option<usize>> = const { Cell::new(None) };
    }
    MINE.with(|mine| {
        mine.get().unwrap_or_else(|| {
            let next = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
            mine.set(Some(next));
            next
        })
    })
}

/// The counters of every flag. The table is replaced when flags are added; the counters in it live on.
#[derive(Debug, Clone, Default)]
pub(crate) struct CountTable {
    flags: Arc<HashMap<FlagKey, Arc<FlagCounts>>>,
    /// Those added last: few, so that adding one copies few.
    recent: Arc<HashMap<FlagKey, Arc<FlagCounts>>>,
    unknown: Arc<FlagCounts>,
    /// Of flags that were deleted, and are not counted one by one any more.
    deleted: Arc<ReasonCounts>,
}

/// So many deleted flags are counted one by one. Of more, half are counted together from then on.
const MOST_DELETED: usize = 10_000;

impl CountTable {
    /// The counters of that flag; of all unknown flags together where it is none.
    pub(crate) fn of(&self, key: &str) -> &FlagCounts {
        self.flags.get(key).or_else(|| self.recent.get(key)).unwrap_or(&self.unknown)
    }

    /// Makes counters for the flags that have none.
    pub(crate) fn extend<'a>(&mut self, keys: impl Iterator<Item = &'a FlagKey>) {
        let is_new = |key: &&FlagKey| !self.flags.contains_key(*key) && !self.recent.contains_key(*key);
        let new: Vec<&FlagKey> = keys.filter(is_new).collect();
        if new.is_empty() {
            return;
        }
        let recent = Arc::make_mut(&mut self.recent);
        recent.extend(new.into_iter().map(|key| (key.clone(), Arc::default())));
        // Of the square root of them all: then neither copying these nor moving them costs more than the
        // other.
        if recent.len() * recent.len() > self.flags.len() {
            Arc::make_mut(&mut self.flags).extend(std::mem::take(recent));
        }
    }

    /// Counts deleted flags together once there are too many of them; those that nobody asked for
    /// count nothing. Of a flag that was deleted long ago nothing is being counted any more, so
    /// none is lost.
    pub(crate) fn forget(&mut self, live: &Ruleset) {
        if self.flags.len() + self.recent.len() <= live.len() + MOST_DELETED {
            return;
        }
        let mut left = MOST_DELETED / 2;
        let deleted = Arc::make_mut(&mut self.deleted);
        let mut stays = |key: &FlagKey, counts: &Arc<FlagCounts>| {
            if live.flag(key.as_str()).is_some() {
                return true;
            }
            let counts = counts.read();
            let stays = left > 0 && counts.total() > 0;
            if stays {
                left -= 1;
            } else {
                deleted.add(&counts);
            }
            stays
        };
        Arc::make_mut(&mut self.flags).retain(|key, counts| stays(key, counts));
        Arc::make_mut(&mut self.recent).retain(|key, counts| stays(key, counts));
    }

    pub(crate) fn read(&self) -> Counts {
        let flags = self.flags.iter().chain(&*self.recent).map(|(key, counts)| (key.clone(), counts.read()));
        Counts {
            flags: flags.filter(|(_, counts)| counts.total() > 0).collect(),
            unknown: self.unknown.read(),
            deleted: ReasonCounts::clone(&self.deleted),
        }
    }
}

/// How often flags were evaluated since the client started. Read by
/// [`Client::counts`](crate::Client::counts).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Each flag that was evaluated, also one that is deleted by now.
    pub flags: HashMap<FlagKey, ReasonCounts>,
    /// The evaluations of flags that are not counted one by one any more, since they were deleted
    /// and thousands of others too.
    pub deleted: ReasonCounts,
    /// The evaluations of flags that do not exist, or did not yet.
    pub unknown: ReasonCounts,
}

/// Numbers of evaluations, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReasonCounts(HashMap<Reason, u64>);

impl ReasonCounts {
    /// How many had that reason.
    #[must_use]
    pub fn of(&self, reason: Reason) -> u64 {
        self.0.get(&reason).copied().unwrap_or_default()
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    fn add(&mut self, other: &Self) {
        for (reason, count) in other.iter() {
            *self.0.entry(reason).or_default() += count;
        }
    }

    /// The reasons that occurred.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> {
        self.0.iter().map(|(reason, count)| (*reason, *count))
    }
}

#[cfg(test)]
mod tests {
    use flags_core::Flag;
    use flags_engine::Semantics;

    use super::*;

    #[test]
    fn flags_that_come_and_go_are_bounded_and_no_count_is_lost() {
        let mut table = CountTable::default();
        let live =
            Ruleset::builder(Semantics::Compat).flag(Flag::new(FlagKey::new("live").expect("a key"))).build();
        table.extend([FlagKey::new("live").expect("a key")].iter());
        for n in 0..3 * MOST_DELETED {
            let key = FlagKey::new(format!("f{n}")).expect("a key");
            table.extend(std::iter::once(&key));
            // Every other one is asked for, and so is the one that stays.
            if n % 2 == 0 {
                table.of(key.as_str()).add(Reason::Static);
            }
            table.of("live").add(Reason::Default);
            table.forget(&live);
            assert!(table.flags.len() + table.recent.len() <= MOST_DELETED + 1);
        }
        let counts = table.read();
        let sum = counts.flags.values().chain([&counts.deleted]).map(|of| of.of(Reason::Static)).sum::<u64>();
        assert_eq!(sum, 3 * MOST_DELETED as u64 / 2);
        assert!(counts.deleted.total() > 0 && counts.flags.len() > MOST_DELETED / 2);
        let live = counts.flags.get("live").map(ReasonCounts::total);
        assert_eq!((live, counts.unknown.total()), (Some(3 * MOST_DELETED as u64), 0));
    }

    #[test]
    fn counters_live_on_when_flags_are_added() {
        let mut table = CountTable::default();
        let keys: Vec<FlagKey> = (0..1_000).filter_map(|n| FlagKey::new(format!("f{n}")).ok()).collect();
        for (n, key) in keys.iter().enumerate() {
            table.extend(std::iter::once(key));
            // Of the flag that is new, and of one that was there before.
            table.of(key.as_str()).add(Reason::Static);
            table.of(keys[n / 2].as_str()).add(Reason::Default);
            assert!(table.recent.len() <= 33);
        }
        let counts = table.read();
        assert_eq!((counts.flags.len(), counts.unknown.total()), (1_000, 0));
        assert!(counts.flags.values().all(|of_flag| of_flag.of(Reason::Static) == 1));
        assert_eq!(counts.flags.values().map(ReasonCounts::total).sum::<u64>(), 2_000);
    }
}
