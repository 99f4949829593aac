//! [`Entry`]: one stored record.

use std::sync::Arc;

use flags_core::storage::{Revision, Stored};
use flags_core::{Alias, FlagId, Key, Record, Result, Timestamp};

/// A record as a [`State`](crate::State) holds it, readable or not. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Entry {
    revision: Revision,
    value: Value,
}

#[derive(Debug, Clone)]
enum Value {
    Record(Record),
    /// Bytes that are no record, put there by a foreign writer.
    Corrupt(Arc<[u8]>),
}

impl Entry {
    /// A record, and which of its values this is.
    #[must_use]
    pub fn new(record: Record, revision: Revision) -> Self {
        Self { revision, value: Value::Record(record) }
    }

    /// What a foreign writer's bytes under that key make: corrupt unless they are the record of that key.
    #[must_use]
    pub fn from_bytes(key: &Key, bytes: &[u8], revision: Revision) -> Self {
        let value = match Record::decode(key, bytes) {
            Ok(record) => Value::Record(record),
            Err(_) => Value::Corrupt(bytes.into()),
        };
        Self { revision, value }
    }

    /// Which of the record's values this is.
    #[must_use]
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// The record; `None` of a corrupt one.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
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
    ///
    /// # Errors
    ///
    /// `Corrupt`, with the key and the revision.
    pub fn read(&self, key: &Key) -> Result<Stored> {
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
