//! What reads return.

use std::ops::Deref;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::record::Model;
use crate::storage::{Revision, Stored};

/// A record with the revision it was read or written at. Derefs to the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    value: Arc<T>,
    revision: Revision,
}

impl<T> Versioned<T> {
    pub(super) fn new(value: Arc<T>, revision: Revision) -> Self {
        Self { value, revision }
    }

    /// The revision, to make a later write conditional on.
    #[must_use]
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// The record, shared.
    #[must_use]
    pub fn value(&self) -> &Arc<T> {
        &self.value
    }
}

impl<T: Clone> Versioned<T> {
    /// The record, to be edited.
    #[must_use]
    pub fn into_value(self) -> T {
        Arc::unwrap_or_clone(self.value)
    }
}

impl<T: Model> Versioned<T> {
    /// `None` when the record is of another kind, which a keeper of C5 never answers.
    pub(super) fn from_stored(stored: Stored) -> Option<Self> {
        T::from_record(stored.record).map(|value| Self::new(value, stored.revision))
    }
}

impl<T> Deref for Versioned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// The records that a listing found and, beside them, those that could not be read.
///
/// Iterates over the readable ones.
#[derive(Debug)]
#[non_exhaustive]
pub struct Listing<T> {
    /// What could be read, in the order that the method promises.
    pub records: Vec<Versioned<T>>,
    /// One [`Corrupt`](crate::ErrorKind::Corrupt) error for each record that could not, naming its key.
    pub corrupt: Vec<Error>,
}

impl<T> Listing<T> {
    pub(super) fn new() -> Self {
        Self { records: Vec::new(), corrupt: Vec::new() }
    }

    /// The records, or the first of those that could not be read.
    ///
    /// # Errors
    ///
    /// The first corrupt record's.
    pub fn into_result(self) -> Result<Vec<Versioned<T>>> {
        match self.corrupt.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(self.records),
        }
    }
}

impl<T> Deref for Listing<T> {
    type Target = [Versioned<T>];

    fn deref(&self) -> &[Versioned<T>] {
        &self.records
    }
}

impl<T> IntoIterator for Listing<T> {
    type Item = Versioned<T>;
    type IntoIter = std::vec::IntoIter<Versioned<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.records.into_iter()
    }
}
