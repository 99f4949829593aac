//! [`FlagSets`]: which flags are new since an entity was asked for.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use flags_core::FlagId;

/// So many new flags are remembered. Whoever was asked for before all of those is asked for anew.
const REMEMBERED: usize = 1_000;

/// The sets of flags are numbered; each has all of the one before that were not deleted, and more.
#[derive(Debug, Default)]
pub(super) struct FlagSets(Mutex<Log>);

#[derive(Debug, Default)]
struct Log {
    /// By the number of the set in which they were new, the last one last.
    added: VecDeque<(u64, FlagId)>,
    /// What was new in this set, or before, is not remembered.
    forgotten: u64,
}

impl FlagSets {
    pub(super) fn add(&self, set: u64, new: Vec<FlagId>) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if new.len() > REMEMBERED {
            log.added.clear();
            log.forgotten = set;
            return;
        }
        log.added.extend(new.into_iter().map(|id| (set, id)));
        while log.added.len() > REMEMBERED
            && let Some((oldest, _)) = log.added.pop_front()
        {
            log.forgotten = oldest;
        }
    }

    /// The flags of the set `now` that the set `then` did not have; `None` where nobody remembers.
    pub(super) fn between(&self, then: u64, now: u64) -> Option<Vec<FlagId>> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = log.added.iter().filter(|(set, _)| *set > then && *set <= now);
        (then >= log.forgotten).then(|| new.map(|(_, id)| *id).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_remembered_up_to_a_bound() {
        let sets = FlagSets::default();
        let ids: Vec<FlagId> = (0..REMEMBERED as u64 + 10).map(|_| FlagId::new()).collect();
        for (set, id) in (1..).zip(&ids) {
            sets.add(set, vec![*id]);
        }
        let last = ids.len() as u64;
        assert_eq!(sets.between(last, last), Some(Vec::new()));
        assert_eq!(sets.between(last - 2, last), Some(ids[ids.len() - 2..].to_vec()));
        assert_eq!(sets.between(last - 2, last - 1), Some(vec![ids[ids.len() - 2]]));
        assert_eq!(sets.between(10, last).map(|new| new.len()), Some(REMEMBERED));
        assert_eq!(sets.between(9, last), None);
        sets.add(last + 1, vec![ids[0]; REMEMBERED + 1]);
        assert_eq!(
            (sets.between(last, last + 1), sets.between(last + 1, last + 1)),
            (None, Some(Vec::new()))
        );
    }
}
