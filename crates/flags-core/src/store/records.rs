//! What all kinds of records have in common: reading, listing, creating, updating, deleting.

use std::sync::Arc;

use futures_util::StreamExt;

use super::{FlagStore, Listing, Versioned};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{Key, Model};
use crate::storage::{Batch, Effect, Expect, Op, Query, Revision, Stored};
use crate::validate::{Validate, first_new};

impl FlagStore {
    /// Reads one record.
    pub(super) async fn read<T: Model>(&self, key: &Key) -> Result<Option<Versioned<T>>> {
        let answers = self.storage.get(std::slice::from_ref(key)).await?;
        match answers.into_iter().next() {
            Some(Ok(Some(stored))) => typed(key, stored).map(Some),
            Some(Ok(None)) => Ok(None),
            Some(Err(corrupt)) => Err(corrupt),
            None => Err(broken_backend(key)),
        }
    }

    /// Reads many records, as many in a call as a batch may hold.
    pub(crate) async fn read_all(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>> {
        let mut answers = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(self.storage.descriptor().limits().batch_ops.max(1)) {
            let mut answer = self.storage.get(chunk).await?;
            if answer.len() != chunk.len() {
                return Err(broken_backend(&chunk[0]));
            }
            answers.append(&mut answer);
        }
        Ok(answers)
    }

    /// Lists records, those that cannot be read beside the others.
    pub(super) async fn list<T: Model>(&self, query: Query) -> Result<Listing<T>> {
        let mut listing = Listing::new();
        for item in self.list_any(query).await? {
            listing.add(item)?;
        }
        Ok(listing)
    }

    /// Lists records of any type. The errors among them are each about one record; any other ends the
    /// listing.
    pub(crate) async fn list_any(&self, query: Query) -> Result<Vec<Result<Stored>>> {
        let mut items = self.storage.list(query);
        let mut listed = Vec::new();
        while let Some(item) = items.next().await {
            match item {
                Err(error) if error.kind() != ErrorKind::Corrupt => return Err(error),
                item => listed.push(item),
            }
        }
        Ok(listed)
    }

    /// The one record with an alias.
    pub(super) async fn find<T: Model>(&self, query: Query) -> Result<Option<Versioned<T>>> {
        let mut items = self.storage.list(query);
        match items.next().await {
            None => Ok(None),
            Some(item) => item.map(Versioned::from_stored),
        }
    }

    /// Writes a new record, stamping what is not stamped yet.
    pub(super) async fn create<T: Validate>(&self, mut record: T, expect: Expect) -> Result<Versioned<T>> {
        self.stamp_created(&mut record);
        refuse_problems(&record, None)?;
        self.write(record, expect, Vec::new()).await
    }

    /// Writes a record that exists, stamping the change.
    pub(super) async fn update<T: Validate>(
        &self,
        mut record: T,
        expected: Option<&Revision>,
    ) -> Result<Versioned<T>> {
        self.stamp_updated(&mut record);
        self.refuse_new_problems(&record).await?;
        self.write(record, Expect::revision_or_present(expected), Vec::new()).await
    }

    /// Deletes a record, telling whether there was one.
    pub(crate) async fn delete(&self, key: Key, expected: Option<&Revision>) -> Result<bool> {
        let effects =
            self.storage.commit(Batch::new().delete(key, Expect::revision_or_any(expected))).await?;
        Ok(effects.first().is_some_and(|effect| effect.before.is_some()))
    }

    /// Commits one record, provided that the checks hold too. One with a condition of its own and no checks
    /// is settled when the store does not answer.
    pub(super) async fn write<T: Model>(
        &self,
        record: T,
        expect: Expect,
        checks: Vec<Op>,
    ) -> Result<Versioned<T>> {
        let record = Arc::new(record);
        let alone = checks.is_empty();
        let put = Op::Put(Arc::clone(&record).into_record(), expect.clone());
        let batch: Batch = std::iter::once(put).chain(checks).collect();
        let effects = match self.storage.commit(batch).await {
            Err(unanswered) if alone && unanswered.kind() == ErrorKind::Indeterminate => {
                return self.settle(&record.into_record(), &expect, unanswered).await;
            }
            outcome => outcome?,
        };
        // A record that had expired already has no revision: it is answered as it was put.
        let after = effects.into_iter().next().and_then(|effect: Effect| effect.after);
        Ok(Versioned::new(record, after.unwrap_or_else(|| Revision::new(""))))
    }

    pub(super) fn stamp_created<T: Model>(&self, record: &mut T) {
        let now = self.clock.now();
        let (created_at, updated_at) = record.timestamps_mut();
        created_at.get_or_insert(now);
        updated_at.get_or_insert(now);
    }

    pub(super) fn stamp_updated<T: Model>(&self, record: &mut T) {
        let now = self.clock.now();
        *record.timestamps_mut().1 = Some(now);
    }

    /// Refuses what is wrong with the record and was not wrong before. The stored record is read only if
    /// something is wrong at all.
    pub(super) async fn refuse_new_problems<T: Validate>(&self, record: &T) -> Result<()> {
        if record.problems().is_empty() {
            return Ok(());
        }
        let before = match self.read::<T>(&record.key()).await {
            Ok(before) => before,
            // An unreadable record excuses nothing.
            Err(error) if error.kind() == ErrorKind::Corrupt => None,
            Err(error) => return Err(error),
        };
        refuse_problems(record, before.as_deref())
    }
}

/// Refuses what is wrong with a record and was not wrong before.
pub(super) fn refuse_problems<T: Validate>(record: &T, before: Option<&T>) -> Result<()> {
    let excused = before.map(T::problems).unwrap_or_default();
    match first_new(record.problems(), excused) {
        Some(problem) => Err(problem.into_error(record.key())),
        None => Ok(()),
    }
}

impl<T: Model> Listing<T> {
    /// Adds one item of a listing; an error that is not about one record ends it.
    pub(super) fn add(&mut self, item: Result<Stored>) -> Result<()> {
        match item {
            Ok(stored) => self.records.extend(Versioned::from_stored(stored)),
            Err(error) if error.kind() == ErrorKind::Corrupt => self.corrupt.push(error),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

pub(super) fn typed<T: Model>(key: &Key, stored: Stored) -> Result<Versioned<T>> {
    Versioned::from_stored(stored).ok_or_else(|| broken_backend(key))
}

fn broken_backend(key: &Key) -> Error {
    let reason =
        "the backend answered with a record of another kind, or with none (C5); report it to its author";
    Error::new(ErrorKind::Corrupt, reason).with_key(key.clone())
}
