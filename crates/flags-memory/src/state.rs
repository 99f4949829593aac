//! [`State`]: everything that the store holds, at one moment.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use flags_core::storage::{Query, Stored};
use flags_core::{Alias, Clock, FlagId, Key, Kind, Result, Timestamp};
use futures_util::stream::{self, Stream};
use rpds::{HashTrieMapSync, HashTrieSetSync, RedBlackTreeMapSync, RedBlackTreeSetSync};

use crate::entry::Entry;

type Entries = HashTrieMapSync<Key, Entry>;

/// The store at one moment: the records, and indexes that always agree with them.
///
/// Cloning costs a few pointers, and a clone that is changed shares what did not change. Backends that hold
/// all of their store in memory are built on it: [`apply`](Self::apply) judges a batch, [`read`](Self::read)
/// and [`list`](Self::list) are what readers get.
#[derive(Debug, Clone, Default)]
pub struct State {
    by_kind: RedBlackTreeMapSync<Kind, Entries>,
    by_alias: HashTrieMapSync<Alias, Key>,
    /// Records that claim an alias which another one has, as a foreign writer may leave them
    /// behind.
    twins: RedBlackTreeMapSync<Alias, RedBlackTreeSetSync<Key>>,
    by_owner: HashTrieMapSync<FlagId, HashTrieSetSync<Key>>,
    by_expiry: RedBlackTreeSetSync<(Timestamp, Key)>,
}

impl State {
    /// The record under that key, expired or not.
    #[must_use]
    pub fn by_key(&self, key: &Key) -> Option<&Entry> {
        self.by_kind.get(&key.kind())?.get(key)
    }

    /// The record under that key, unless it has expired.
    #[must_use]
    pub fn get(&self, key: &Key, now: Timestamp) -> Option<&Entry> {
        self.by_key(key).filter(|entry| !entry.is_expired(now))
    }

    /// What [`Storage::get`](flags_core::Storage::get) answers.
    #[must_use]
    pub fn read(&self, keys: &[Key], now: Timestamp) -> Vec<Result<Option<Stored>>> {
        keys.iter().map(|key| self.get(key, now).map(|entry| entry.read(key)).transpose()).collect()
    }

    /// What [`Storage::list`](flags_core::Storage::list) yields: a snapshot, of which each record is left out
    /// that has expired by the time it is its turn.
    pub fn list(
        self: Arc<Self>,
        query: &Query,
        clock: Arc<dyn Clock>,
    ) -> impl Stream<Item = Result<Stored>> + Send + 'static {
        let keys = self.keys(query);
        stream::iter(
            keys.into_iter().filter_map(move |key| self.get(&key, clock.now()).map(|entry| entry.read(&key))),
        )
    }

    /// The key of the record with that alias.
    #[must_use]
    pub fn key_of(&self, alias: &Alias) -> Option<&Key> {
        self.by_alias.get(alias)
    }

    /// The keys of what the flag owns, expired records too.
    pub(crate) fn owned_by(&self, owner: FlagId) -> impl Iterator<Item = &Key> {
        self.by_owner.get(&owner).into_iter().flat_map(HashTrieSetSync::iter)
    }

    /// The keys of the records that a query is about.
    fn keys(&self, query: &Query) -> Vec<Key> {
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

    /// Whether two records claim one alias.
    #[must_use]
    pub fn has_twins(&self) -> bool {
        !self.twins.is_empty()
    }

    /// Each record that claims an alias which another one has, by its key, and that other one.
    pub fn twins(&self) -> impl Iterator<Item = (&Key, &Key)> {
        self.twins.iter().flat_map(|(alias, keys)| {
            let holder = self.key_of(alias);
            keys.iter().filter_map(move |key| Some((key, holder?)))
        })
    }

    pub(crate) fn has_twins_of(&self, alias: &Alias) -> bool {
        self.twins.contains_key(alias)
    }

    /// Puts a record under that key, unjudged, as a foreign writer does. An alias that another record holds
    /// stays with it.
    pub fn insert(&mut self, key: &Key, entry: Entry) {
        self.put(key, entry);
        self.adopt();
    }

    /// Removes the record and its index entries, and nothing that it owns. Where others claim its
    /// alias, the first of them has it from then on.
    pub fn remove(&mut self, key: &Key) {
        self.take(key);
        self.adopt();
    }

    /// Like [`insert`](Self::insert), but an alias that becomes free stays so.
    pub(crate) fn put(&mut self, key: &Key, entry: Entry) {
        self.take(key);
        if let Some(alias) = entry.alias() {
            if self.by_alias.contains_key(&alias) {
                // The writer is refused, or is foreign.
                let mut twins = self.twins.get(&alias).cloned().unwrap_or_default();
                twins.insert_mut(key.clone());
                self.twins.insert_mut(alias, twins);
            } else {
                self.by_alias.insert_mut(alias, key.clone());
            }
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

    /// Like [`remove`](Self::remove), but an alias that becomes free stays so.
    pub(crate) fn take(&mut self, key: &Key) {
        let Some(entry) = self.by_key(key).cloned() else {
            return;
        };
        if let Some(alias) = entry.alias() {
            if self.by_alias.get(&alias) == Some(key) {
                self.by_alias.remove_mut(&alias);
            } else {
                self.forget_twin(&alias, key);
            }
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

    fn forget_twin(&mut self, alias: &Alias, key: &Key) {
        if let Some(mut twins) = self.twins.get(alias).cloned() {
            twins.remove_mut(key);
            if twins.is_empty() {
                self.twins.remove_mut(alias);
            } else {
                self.twins.insert_mut(alias.clone(), twins);
            }
        }
    }

    /// Gives each alias that nobody holds to the first record that claims it.
    pub(crate) fn adopt(&mut self) {
        let free = |alias: &Alias| self.key_of(alias).is_none();
        let heirs = self.twins.iter().filter(|(alias, _)| free(alias));
        let heirs: Vec<(Alias, Key)> =
            heirs.filter_map(|(alias, keys)| Some((alias.clone(), keys.first()?.clone()))).collect();
        for (alias, key) in heirs {
            self.forget_twin(&alias, &key);
            self.by_alias.insert_mut(alias, key);
        }
    }

    /// Removes what has expired, and says what: no reader sees it any more, and it should not take up memory
    /// for ever.
    pub(crate) fn trim(&mut self, now: Timestamp) -> Vec<Key> {
        let mut expired = Vec::new();
        while let Some((at, key)) = self.by_expiry.first().cloned()
            && at <= now
        {
            // No record that expires has an alias.
            self.take(&key);
            expired.push(key);
        }
        expired
    }
}
