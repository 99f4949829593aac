//! [`KnownFlags`]: which flag an id belongs to, as far as this handle has seen.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use flags_core::{FlagId, FlagKey, Record};

/// How many flags are remembered.
const CAPACITY: usize = 10_000;
/// How many flags of other writers one commit adopts at most.
const ADOPTED_AT_ONCE: usize = 64;

/// A bounded memory from ids to keys. Nothing is decided by it: whoever uses it has the script check the flag itself.
#[derive(Debug, Default)]
pub(super) struct KnownFlags {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    keys: HashMap<FlagId, FlagKey>,
    /// Read here, and perhaps not in the store's own hash of ids.
    unadopted: HashMap<FlagId, FlagKey>,
}

impl KnownFlags {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, id: FlagId) -> Option<FlagKey> {
        self.seen().keys.get(&id).cloned()
    }

    /// A record was read: if it is a flag not seen before, the next commit tells the store of its id (C7).
    pub(super) fn met(&self, record: &Record) {
        if let Record::Flag(flag) = record {
            let mut seen = self.seen();
            if seen.keys.get(&flag.id) != Some(&flag.key) {
                seen.keys.remove(&flag.id);
                seen.insert(flag.id, flag.key.clone());
                if seen.unadopted.len() < CAPACITY {
                    seen.unadopted.insert(flag.id, flag.key.clone());
                }
            }
        }
    }

    /// The store itself knows of this flag.
    pub(super) fn stored(&self, id: FlagId, key: &FlagKey) {
        let mut seen = self.seen();
        seen.unadopted.remove(&id);
        seen.insert(id, key.clone());
    }

    pub(super) fn forget(&self, id: FlagId) {
        let mut seen = self.seen();
        seen.keys.remove(&id);
        seen.unadopted.remove(&id);
    }

    /// Some of the flags that the next commit should tell the store of.
    pub(super) fn unadopted(&self) -> Vec<(FlagId, FlagKey)> {
        let seen = self.seen();
        seen.unadopted.iter().take(ADOPTED_AT_ONCE).map(|(id, key)| (*id, key.clone())).collect()
    }
}

impl Seen {
    fn insert(&mut self, id: FlagId, key: FlagKey) {
        if self.keys.len() >= CAPACITY
            && !self.keys.contains_key(&id)
            && let Some(any) = self.keys.keys().next().copied()
        {
            self.keys.remove(&any);
        }
        self.keys.insert(id, key);
    }
}
