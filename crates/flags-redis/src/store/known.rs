//! [`Known`]: which record an alias belongs to, as far as this handle has seen.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use flags_core::{Alias, FlagId, FlagKey, Key, Record};

/// How many aliases are remembered.
const CAPACITY: usize = 10_000;
/// How many records of other writers one commit adopts at most.
const ADOPTED_AT_ONCE: usize = 64;
/// How many it offers without asking the store whether it knows of them.
const ADOPTED_UNASKED: usize = 8;

/// A bounded memory from aliases to keys. Nothing is decided by it: whoever uses it has the script check the
/// record itself.
#[derive(Debug, Default)]
pub(super) struct Known {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    keys: HashMap<Alias, Holder>,
    /// Read here, and perhaps not in the store's own hashes.
    unadopted: HashMap<Alias, Key>,
    /// How many of those were added since the store was asked about them.
    unasked: usize,
}

/// Who is taken to have an alias.
#[derive(Debug, Clone)]
pub(super) struct Holder {
    pub(super) key: Key,
    /// The store says so, or all were looked at. Otherwise it is one that claims the alias, and others may as
    /// well.
    pub(super) sure: bool,
}

impl Known {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, alias: &Alias) -> Option<Key> {
        self.holder(alias).map(|holder| holder.key)
    }

    pub(super) fn holder(&self, alias: &Alias) -> Option<Holder> {
        self.seen().keys.get(alias).cloned()
    }

    pub(super) fn flag(&self, id: FlagId) -> Option<FlagKey> {
        match self.get(&Alias::FlagId(id)) {
            Some(Key::Flag(key)) => Some(key),
            _ => None,
        }
    }

    /// A record was read: if its alias was not seen before, the next commit tells the store of it (C7).
    pub(super) fn met(&self, record: &Record) {
        if let Some(alias) = record.alias() {
            let (key, mut seen) = (record.key(), self.seen());
            // Another that claims it changes nothing while the one that has it is there.
            if seen.keys.get(&alias).is_none_or(|holder| !holder.sure && holder.key != key) {
                seen.offer(&alias, &key);
                seen.insert(alias, key, false);
            }
        }
    }

    /// Of all records that claim the alias, of which the store itself knows none, this is the first.
    pub(super) fn first(&self, alias: Alias, key: Key) {
        let mut seen = self.seen();
        seen.unadopted.remove(&alias);
        seen.offer(&alias, &key);
        seen.insert(alias, key, true);
    }

    /// The store itself knows of this record.
    pub(super) fn stored(&self, alias: Alias, key: Key) {
        let mut seen = self.seen();
        seen.unadopted.remove(&alias);
        seen.insert(alias, key, true);
    }

    pub(super) fn forget(&self, alias: &Alias) {
        let mut seen = self.seen();
        seen.keys.remove(alias);
        seen.unadopted.remove(alias);
    }

    /// All of them, where they are many and the store was not asked yet: a listing meets what the store has
    /// long known.
    pub(super) fn to_ask(&self) -> Vec<(Alias, Key)> {
        let mut seen = self.seen();
        if seen.unadopted.len().min(seen.unasked) <= ADOPTED_UNASKED {
            return Vec::new();
        }
        seen.unasked = 0;
        seen.unadopted.iter().map(|(alias, key)| (alias.clone(), key.clone())).collect()
    }

    /// Some of the records that the next commit should tell the store of.
    pub(super) fn unadopted(&self) -> Vec<(Alias, Key)> {
        let seen = self.seen();
        seen.unadopted.iter().take(ADOPTED_AT_ONCE).map(|(alias, key)| (alias.clone(), key.clone())).collect()
    }
}

impl Seen {
    /// Of several that were met the first in order is offered, in whatever order they were met.
    fn offer(&mut self, alias: &Alias, key: &Key) {
        let full = self.unadopted.len() >= CAPACITY;
        match self.unadopted.get_mut(alias) {
            Some(offered) if *offered > *key => *offered = key.clone(),
            None if !full => {
                self.unadopted.insert(alias.clone(), key.clone());
                self.unasked += 1;
            }
            Some(_) | None => {}
        }
    }

    fn insert(&mut self, alias: Alias, key: Key, sure: bool) {
        if self.keys.len() >= CAPACITY
            && !self.keys.contains_key(&alias)
            && let Some(any) = self.keys.keys().next().cloned()
        {
            self.keys.remove(&any);
        }
        self.keys.insert(alias, Holder { key, sure });
    }
}
