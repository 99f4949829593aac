//! [`Model`]: the contract at its plainest, to compare a store with.
//!
//! A map and a loop, slow and without indexes: what it answers can be checked by reading the clauses beside
//! it.

use std::collections::BTreeMap;

use flags_core::storage::{Expect, Op};
use flags_core::{Alias, ErrorKind, FlagId, Key, Record};

use crate::records::at;

/// What a store should hold, each record with a number that stands for its revision.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    records: BTreeMap<Key, (Record, u64)>,
    written: u64,
}

/// What a batch should be refused with, and for which record.
pub(crate) type Refusal = (ErrorKind, Key);

/// An operation, with its revision as the model's number.
#[derive(Debug, Clone)]
pub(crate) struct ModelOp {
    pub(crate) op: Op,
    /// Instead of the operation's own condition: this revision of the model's.
    pub(crate) revision: Option<u64>,
}

impl Model {
    /// The records that should be there.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values().map(|(record, _)| record)
    }

    /// The number of the record's revision now.
    pub(crate) fn revision(&self, key: &Key) -> Option<u64> {
        self.records.get(key).map(|(_, revision)| *revision)
    }

    fn record(&self, key: &Key) -> Option<&Record> {
        self.records.get(key).map(|(record, _)| record)
    }

    fn holder(&self, alias: &Alias) -> Option<&Key> {
        self.records().find(|record| record.alias().as_ref() == Some(alias)).and_then(|r| {
            // The map's own key, to be borrowed.
            self.records.get_key_value(&r.key()).map(|(key, _)| key)
        })
    }

    fn flag_exists(&self, id: FlagId) -> bool {
        self.holder(&Alias::FlagId(id)).is_some()
    }

    /// Writes the record as a foreign writer does, past every condition. The number of its revision.
    pub(crate) fn plant(&mut self, record: Record) -> u64 {
        self.written += 1;
        self.records.insert(record.key(), (record, self.written));
        self.written
    }

    /// Applies the batch, or says why it should be refused.
    pub(crate) fn commit(&mut self, batch: &[ModelOp]) -> Result<(), Refusal> {
        let mut after = self.clone();
        for ModelOp { op, .. } in batch {
            if let Op::Delete(key, _) = op {
                after.delete(key);
            }
        }
        for ModelOp { op, .. } in batch {
            if let Op::Put(record, _) = op {
                after.records.remove(&record.key());
            }
        }
        for ModelOp { op, .. } in batch {
            if let Op::Put(record, _) = op
                && !record.is_expired(at(0))
            {
                after.plant(record.clone());
            }
        }
        for op in batch {
            self.judge(op, &after)?;
        }
        *self = after;
        Ok(())
    }

    /// C6: what a flag owns goes with it.
    fn delete(&mut self, key: &Key) {
        if let Some((Record::Flag(flag), _)) = self.records.remove(key) {
            self.records.retain(|_, (record, _)| record.owner() != Some(flag.id));
        }
    }

    /// C3, C6 and C7 for one operation.
    fn judge(&self, ModelOp { op, revision }: &ModelOp, after: &Self) -> Result<(), Refusal> {
        let key = op.key();
        let refuse = |kind| Err((kind, key.clone()));
        match (op.expect(), revision, self.revision(&key)) {
            (_, Some(_), None) | (Expect::Present, None, None) => return refuse(ErrorKind::NotFound),
            (_, Some(expected), Some(current)) if *expected != current => return refuse(ErrorKind::Conflict),
            (Expect::Absent, None, Some(_)) => return refuse(ErrorKind::AlreadyExists),
            _ => {}
        }
        let Op::Put(record, _) = op else { return Ok(()) };
        if let Some(owner) = record.owner()
            && !after.flag_exists(owner)
        {
            let required = revision.is_some() || *op.expect() == Expect::Present;
            let orphan = !self.flag_exists(owner) && self.record(&key).and_then(Record::owner) == Some(owner);
            if !required || !orphan {
                return refuse(ErrorKind::NotFound);
            }
        }
        if let (Some(Record::Flag(before)), Record::Flag(flag)) = (self.record(&key), record)
            && before.id != flag.id
        {
            return refuse(ErrorKind::Conflict);
        }
        let holders =
            after.records().filter(|other| other.alias().is_some() && other.alias() == record.alias());
        if holders.count() > 1 { refuse(ErrorKind::Conflict) } else { Ok(()) }
    }
}
