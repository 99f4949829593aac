//! [`Entry`]: one stored record.

use std::sync::Arc;

use flags_core::storage::{Revision, Stored};
use flags_core::{Alias, FlagId, Key, Record, Result, Timestamp};

/// A record as the state holds it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) revision: Revision,
    value: Value,
}

#[derive(Debug, Clone)]
enum Value {
    Record(Record),
    /// Bytes that are no record, put there by [`insert_raw`](crate::MemoryStorage::insert_raw).
    Corrupt(Arc<[u8]>),
}

impl Entry {
    pub(crate) fn new(record: Record, revision: Revision) -> Self {
        Self { revision, value: Value::Record(record) }
    }

    /// The entry that a foreign writer's bytes make.
    pub(crate) fn from_bytes(key: &Key, bytes: &[u8], revision: Revision) -> Self {
        let value = match Record::decode(key, bytes) {
            Ok(record) => Value::Record(record),
            Err(_) => Value::Corrupt(bytes.into()),
        };
        Self { revision, value }
    }

    fn record(&self) -> Option<&Record> {
        match &self.value {
            Value::Record(record) => Some(record),
            Value::Corrupt(_) => None,
        }
    }

    pub(crate) fn alias(&self) -> Option<Alias> {
        self.record()?.alias()
    }

    pub(crate) fn owner(&self) -> Option<FlagId> {
        self.record()?.owner()
    }

    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        self.record()?.expires_at()
    }

    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.record().is_some_and(|record| record.is_expired(now))
    }

    /// What a reader gets.
    pub(crate) fn read(&self, key: &Key) -> Result<Stored> {
        let record = match &self.value {
            Value::Record(record) => record.clone(),
            // Decoding again gives each reader the error with its cause; errors cannot be cloned.
            Value::Corrupt(bytes) => {
                Record::decode(key, bytes).map_err(|error| error.with_revision(self.revision.clone()))?
            }
        };
        Ok(Stored::new(record, self.revision.clone()))
    }
}
