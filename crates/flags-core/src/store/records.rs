//! What all kinds of records have in common: reading, listing, creating, updating, deleting.

use std::sync::Arc;

use futures_util::StreamExt;

use super::{FlagStore, Listing, Versioned};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{Key, Model};
use crate::storage::{Batch, Effect, Expect, Op, Query, Revision, Stored};
use crate::validate::Validate;

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
            answers.append(&mut self.storage.get(chunk).await?);
        }
        Ok(answers)
    }

    /// Lists records, those that cannot be read beside the others.
    pub(super) async fn list<T: Model>(&self, query: Query) -> Result<Listing<T>> {
        let mut listing = Listing::new();
        let mut items = self.storage.list(query);
        while let Some(item) = items.next().await {
            listing.add(item)?;
        }
        Ok(listing)
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
    pub(super) async fn create<T: Model + Validate>(
        &self,
        mut record: T,
        expect: Expect,
    ) -> Result<Versioned<T>> {
        self.stamp_created(&mut record);
        let record = Arc::new(record);
        self.refuse_problems(&record, None).await?;
        self.write(record, expect).await
    }

    /// Writes a record that exists, stamping the change.
    pub(super) async fn update<T: Model + Validate>(
        &self,
        mut record: T,
        expected: Option<&Revision>,
    ) -> Result<Versioned<T>> {
        self.stamp_updated(&mut record);
        let record = Arc::new(record);
        let key = Arc::clone(&record).into_record().key();
        self.refuse_problems(&record, Some(&key)).await?;
        self.write(record, Expect::revision_or_present(expected)).await
    }

    /// Deletes a record, telling whether there was one.
    pub(crate) async fn delete(&self, key: Key, expected: Option<&Revision>) -> Result<bool> {
        let effects =
            self.storage.commit(Batch::new().delete(key, Expect::revision_or_any(expected))).await?;
        Ok(effects.first().is_some_and(|effect| effect.before.is_some()))
    }

    /// Commits one record.
    pub(super) async fn write<T: Model>(&self, record: Arc<T>, expect: Expect) -> Result<Versioned<T>> {
        self.write_if(record, expect, Vec::new()).await
    }

    /// Commits one record, provided that the checks hold too.
    pub(super) async fn write_if<T: Model>(
        &self,
        record: Arc<T>,
        expect: Expect,
        checks: Vec<Op>,
    ) -> Result<Versioned<T>> {
        let put = Op::Put(Arc::clone(&record).into_record(), expect);
        let batch: Batch = std::iter::once(put).chain(checks).collect();
        let effects = self.storage.commit(batch).await?;
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

    /// Refuses what is wrong with the record, except what was wrong before.
    ///
    /// The stored record, under `stored`, is read only if something is wrong at all.
    pub(super) async fn refuse_problems<T: Model + Validate>(
        &self,
        record: &Arc<T>,
        stored: Option<&Key>,
    ) -> Result<()> {
        let problems = record.problems();
        if problems.is_empty() {
            return Ok(());
        }
        let before = match stored {
            None => None,
            Some(key) => match self.read::<T>(key).await {
                Ok(before) => before,
                // An unreadable record excuses nothing.
                Err(error) if error.kind() == ErrorKind::Corrupt => None,
                Err(error) => return Err(error),
            },
        };
        let excused = before.map(|before| before.problems()).unwrap_or_default();
        match problems.into_iter().find(|problem| !excused.contains(problem)) {
            Some(problem) => Err(problem.into_error(Arc::clone(record).into_record().key())),
            None => Ok(()),
        }
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
