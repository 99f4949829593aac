//! [`Records`].

use std::hash::BuildHasher;

use flags_core::{Key, Record};
use hashbrown::{DefaultHashBuilder, HashTable};

/// Records by their keys. A record is its own key, so an entry costs two words: there may be a million
/// overrides.
#[derive(Debug, Default)]
pub(crate) struct Records {
    table: HashTable<Record>,
    hasher: DefaultHashBuilder,
}

impl Records {
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Record> {
        self.table.find(self.hasher.hash_one(key), |record| record.key() == *key)
    }

    /// Puts a record, returning the one under the same key before.
    pub(crate) fn put(&mut self, record: Record) -> Option<Record> {
        let key = record.key();
        let before = self.remove(&key);
        let Self { table, hasher } = self;
        let hash = |record: &Record| hasher.hash_one(record.key());
        table.insert_unique(hasher.hash_one(&key), record, hash);
        before
    }

    pub(crate) fn remove(&mut self, key: &Key) -> Option<Record> {
        let found = self.table.find_entry(self.hasher.hash_one(key), |record| record.key() == *key);
        found.ok().map(|entry| entry.remove().0)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.table.iter()
    }
}

impl FromIterator<Record> for Records {
    fn from_iter<I: IntoIterator<Item = Record>>(records: I) -> Self {
        let mut all = Self::default();
        for record in records {
            all.put(record);
        }
        all
    }
}
