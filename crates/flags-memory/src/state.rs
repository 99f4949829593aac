//! [`State`]: everything that the store holds, at one moment.

use flags_core::storage::Query;
use flags_core::{Alias, FlagId, Key, Kind, Timestamp};
use rpds::{HashTrieMapSync, HashTrieSetSync, RedBlackTreeMapSync, RedBlackTreeSetSync};

use crate::entry::Entry;

type Entries = HashTrieMapSync<Key, Entry>;

/// The store at one moment: the records, and indexes that always agree with them.
///
/// Cloning costs a few pointers, and a clone that is changed shares what did not change.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    by_kind: RedBlackTreeMapSync<Kind, Entries>,
    by_alias: HashTrieMapSync<Alias, Key>,
    by_owner: HashTrieMapSync<FlagId, HashTrieSetSync<Key>>,
    by_expiry: RedBlackTreeSetSync<(Timestamp, Key)>,
    /// Counts commits; revisions are made from it.
    pub(crate) version: u64,
    pub(crate) closed: bool,
}

impl State {
    /// The record under that key, expired or not.
    pub(crate) fn by_key(&self, key: &Key) -> Option<&Entry> {
        self.by_kind.get(&key.kind())?.get(key)
    }

    /// The record under that key, unless it has expired.
    pub(crate) fn get(&self, key: &Key, now: Timestamp) -> Option<&Entry> {
        self.by_key(key).filter(|entry| !entry.is_expired(now))
    }

    /// The key of the record with that alias.
    pub(crate) fn key_of(&self, alias: &Alias) -> Option<&Key> {
        self.by_alias.get(alias)
    }

    /// The keys of what the flag owns, expired records too.
    pub(crate) fn owned_by(&self, owner: FlagId) -> impl Iterator<Item = &Key> {
        self.by_owner.get(&owner).into_iter().flat_map(HashTrieSetSync::iter)
    }

    /// The keys of the records that a query is about.
    pub(crate) fn keys(&self, query: &Query) -> Vec<Key> {
        match query {
            Query::All(kind) => self.by_kind.get(kind).into_iter().flat_map(Entries::keys).cloned().collect(),
            Query::Owned(kind, owner) => {
                self.owned_by(*owner).filter(|key| key.kind() == *kind).cloned().collect()
            }
            Query::Alias(alias) => self.key_of(alias).into_iter().cloned().collect(),
            // A kind of query that this backend does not know finds nothing it could know.
            _ => Vec::new(),
        }
    }

    pub(crate) fn insert(&mut self, key: &Key, entry: Entry) {
        self.remove(key);
        // An alias that another record holds stays with it; the writer is refused, or is foreign.
        if let Some(alias) = entry.alias()
            && !self.by_alias.contains_key(&alias)
        {
            self.by_alias.insert_mut(alias, key.clone());
        }
        if let Some(owner) = entry.owner() {
            let mut owned = self.by_owner.get(&owner).cloned().unwrap_or_default();
            owned.insert_mut(key.clone());
            self.by_owner.insert_mut(owner, owned);
        }
        if let Some(at) = entry.expires_at() {
            self.by_expiry.insert_mut((at, key.clone()));
        }
        let mut entries = self.by_kind.get(&key.kind()).cloned().unwrap_or_default();
        entries.insert_mut(key.clone(), entry);
        self.by_kind.insert_mut(key.kind(), entries);
    }

    /// Removes the record and its index entries, and nothing that it owns.
    pub(crate) fn remove(&mut self, key: &Key) {
        let Some(entry) = self.by_key(key).cloned() else {
            return;
        };
        if let Some(alias) = entry.alias()
            // A foreign writer's duplicate never held it.
            && self.by_alias.get(&alias) == Some(key)
        {
            self.by_alias.remove_mut(&alias);
        }
        if let Some(owner) = entry.owner()
            && let Some(mut owned) = self.by_owner.get(&owner).cloned()
        {
            owned.remove_mut(key);
            if owned.is_empty() {
                self.by_owner.remove_mut(&owner);
            } else {
                self.by_owner.insert_mut(owner, owned);
            }
        }
        if let Some(at) = entry.expires_at() {
            self.by_expiry.remove_mut(&(at, key.clone()));
        }
        if let Some(mut entries) = self.by_kind.get(&key.kind()).cloned() {
            entries.remove_mut(key);
            self.by_kind.insert_mut(key.kind(), entries);
        }
    }

    /// A store that was closed. What it held is freed; readers that hold a snapshot keep theirs.
    pub(crate) fn closed() -> Self {
        Self { closed: true, ..Self::default() }
    }

    /// Removes what has expired: no reader sees it any more, and it should not take up memory for ever.
    pub(crate) fn trim(&mut self, now: Timestamp) {
        while let Some((at, key)) = self.by_expiry.first().cloned() {
            if at > now {
                return;
            }
            self.remove(&key);
        }
    }
}
