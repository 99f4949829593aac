//! What became of a commit that was not answered.

use super::records::typed;
use super::{FlagStore, Versioned};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{Key, Model, Record};
use crate::storage::{Batch, Expect, Op, Revision};

/// A write of one record that can be repeated without harm: once it was applied, its condition holds no more.
#[derive(Debug)]
struct Write<'a> {
    key: Key,
    record: &'a Record,
    expect: &'a Expect,
}

/// What is stored now, seen from a write that may have been applied.
#[derive(Debug)]
enum Found<T> {
    /// What it wrote.
    New(Versioned<T>),
    /// What was there before.
    Old,
    /// Something else: another writer came after it, or before it.
    Other,
}

impl FlagStore {
    /// Finds out what became of a write whose commit was `Indeterminate`, where that can be known: what is
    /// stored is what it wrote, or what was there before. In the latter case it is sent once more, since it
    /// may still be on its way: whichever of the two comes second finds its condition broken.
    ///
    /// Answers `unanswered` where it cannot be known.
    pub(super) async fn settle<T: Model>(
        &self,
        record: &Record,
        expect: &Expect,
        unanswered: Error,
    ) -> Result<Versioned<T>> {
        if unanswered.is_unconfirmed() || !matches!(expect, Expect::Absent | Expect::Revision(_)) {
            return Err(unanswered);
        }
        let write = Write { key: record.key(), record, expect };
        match self.found::<T>(&write).await {
            Some(Found::New(versioned)) => return Ok(versioned),
            Some(Found::Old) => {}
            Some(Found::Other) | None => return Err(unanswered),
        }
        let again = Op::Put(record.clone(), expect.clone());
        if let Err(error) = self.storage.commit(Batch::new().with(again)).await
            && !matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::Conflict | ErrorKind::NotFound)
        {
            return Err(unanswered);
        }
        // Whether this one was applied or the first came late, the record says.
        match self.found::<T>(&write).await {
            Some(Found::New(versioned)) => Ok(versioned),
            _ => Err(unanswered),
        }
    }

    /// Nothing where the store does not answer.
    async fn found<T: Model>(&self, write: &Write<'_>) -> Option<Found<T>> {
        let answer = self.storage.get(std::slice::from_ref(&write.key)).await.ok()?.into_iter().next()?;
        let stored = match answer {
            Ok(Some(stored)) => stored,
            Ok(None) => return Some(Found::of(write.expect == &Expect::Absent)),
            Err(corrupt) => return Some(Found::of(write.expects(corrupt.revision()))),
        };
        if stored.record == *write.record {
            return typed(&write.key, stored).ok().map(Found::New);
        }
        Some(Found::of(write.expects(Some(&stored.revision))))
    }
}

impl Write<'_> {
    fn expects(&self, revision: Option<&Revision>) -> bool {
        matches!((self.expect, revision), (Expect::Revision(expected), Some(found)) if expected == found)
    }
}

impl<T> Found<T> {
    fn of(old: bool) -> Self {
        if old { Self::Old } else { Self::Other }
    }
}
