//! [`Batch`]: what one commit does.

use std::collections::HashSet;

use super::{Limit, Limits, Revision};
use crate::error::{Error, ErrorKind, Result};
use crate::json;
use crate::record::{Key, Record};

/// What must hold of a record for a commit to happen (C3).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expect {
    /// Nothing.
    Any,
    /// That it does not exist, else `AlreadyExists`.
    Absent,
    /// That it exists, else `NotFound`.
    Present,
    /// That it has this revision, else `Conflict`; `NotFound` when it does not exist.
    Revision(Revision),
}

impl Expect {
    /// That revision, or else just presence: what an update means by its optional revision.
    #[must_use]
    pub fn revision_or_present(revision: Option<&Revision>) -> Self {
        revision.map_or(Self::Present, |revision| Self::Revision(revision.clone()))
    }

    /// That revision, or else anything: what a delete means by its optional revision.
    #[must_use]
    pub fn revision_or_any(revision: Option<&Revision>) -> Self {
        revision.map_or(Self::Any, |revision| Self::Revision(revision.clone()))
    }

    /// Whether it can only hold of a record that exists. A put on such a condition makes no new record, and
    /// so no orphan (C6).
    #[must_use]
    pub fn requires_record(&self) -> bool {
        matches!(self, Self::Present | Self::Revision(_))
    }

    /// Judges the condition against `current`, the revision that the record has now: the whole of C3 for one
    /// operation.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `NotFound` or `Conflict`, naming the key.
    pub fn judge(&self, key: &Key, current: Option<&Revision>) -> Result<()> {
        match (self, current) {
            (Self::Any, _) | (Self::Absent, None) | (Self::Present, Some(_)) => Ok(()),
            (Self::Absent, Some(_)) => Err(Error::already_exists(key.clone())),
            (Self::Present | Self::Revision(_), None) => Err(Error::not_found(key.clone())),
            (Self::Revision(expected), Some(current)) if expected == current => Ok(()),
            (Self::Revision(_), Some(_)) => Err(Error::conflict(key.clone())),
        }
    }
}

/// One operation of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op {
    /// Writes the record, whole.
    Put(Record, Expect),
    /// Removes the record, and what it owns.
    Delete(Key, Expect),
    /// Changes nothing, and fails the batch if the condition does not hold.
    Check(Key, Expect),
}

impl Op {
    /// The record it is about.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::Put(record, _) => record.key(),
            Self::Delete(key, _) | Self::Check(key, _) => key.clone(),
        }
    }

    /// Its condition.
    #[must_use]
    pub fn expect(&self) -> &Expect {
        match self {
            Self::Put(_, expect) | Self::Delete(_, expect) | Self::Check(_, expect) => expect,
        }
    }
}

/// What an operation did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Effect {
    /// The revision before, if there was a record. Of a delete, `before.is_some()` says whether it removed
    /// anything.
    pub before: Option<Revision>,
    /// The revision after, if there is a record.
    pub after: Option<Revision>,
}

impl Effect {
    /// From this to that.
    #[must_use]
    pub fn new(before: Option<Revision>, after: Option<Revision>) -> Self {
        Self { before, after }
    }
}

/// Operations that are judged against one state and applied all or not at all (C2, C3).
///
/// # Examples
///
/// ```
/// use flags_core::storage::{Batch, Expect};
/// use flags_core::{Flag, FlagKey, Key};
///
/// let old = FlagKey::new("old")?;
/// let batch = Batch::new()
///     .put(Flag::new(FlagKey::new("new")?), Expect::Absent)
///     .delete(Key::Flag(old), Expect::Present);
/// assert_eq!(batch.len(), 2);
/// # Ok::<(), flags_core::InvalidName>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct Batch {
    ops: Vec<Op>,
}

impl Batch {
    /// A batch that does nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an [`Op::Put`].
    pub fn put(self, record: impl Into<Record>, expect: Expect) -> Self {
        self.with(Op::Put(record.into(), expect))
    }

    /// Adds an [`Op::Delete`].
    pub fn delete(self, key: Key, expect: Expect) -> Self {
        self.with(Op::Delete(key, expect))
    }

    /// Adds an [`Op::Check`].
    pub fn check(self, key: Key, expect: Expect) -> Self {
        self.with(Op::Check(key, expect))
    }

    /// Adds an operation.
    pub fn with(mut self, op: Op) -> Self {
        self.ops.push(op);
        self
    }

    /// The operations, in order.
    #[must_use]
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// How many operations there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether there is none. Committing an empty batch does nothing, successfully.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Cuts the batch, in order, into ones that are each within the limits of a batch (C15), for what need
    /// not be one commit. An operation that is past a limit by itself is a batch of its own, and will be
    /// refused alone.
    #[must_use]
    pub fn split(self, limits: &Limits) -> Vec<Self> {
        let mut batches: Vec<Self> = Vec::new();
        // How much more the last one takes; `None` where it holds what will be refused.
        let mut left: Option<usize> = None;
        for op in self.ops {
            let size = Prepared::new(op.clone(), limits).ok().map(|prepared| prepared.size());
            match (batches.last_mut(), left.zip(size)) {
                (Some(last), Some((room, size))) if size <= room && last.len() < limits.batch_ops => {
                    last.ops.push(op);
                    left = Some(room - size);
                }
                _ => {
                    batches.push(Self { ops: vec![op] });
                    left = size.map(|size| limits.batch_bytes.saturating_sub(size));
                }
            }
        }
        batches
    }

    /// Checks the batch against C15 and encodes its records: what every backend does first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`], naming the key: past a limit, a key twice, or a record without a JSON form.
    pub fn prepare(self, limits: &Limits) -> Result<Vec<Prepared>> {
        if self.ops.len() > limits.batch_ops {
            return Err(Error::over_limit(Limit::BatchOps, self.ops.len(), limits.batch_ops));
        }
        let mut seen = HashSet::with_capacity(self.ops.len());
        let mut bytes = 0;
        self.ops
            .into_iter()
            .map(|op| {
                let prepared = Prepared::new(op, limits)?;
                bytes += prepared.size();
                if bytes > limits.batch_bytes {
                    let error = Error::over_limit(Limit::BatchBytes, bytes, limits.batch_bytes);
                    return Err(error.with_key(prepared.key));
                }
                if seen.insert(prepared.key.clone()) {
                    Ok(prepared)
                } else {
                    Err(Error::new(
                        ErrorKind::Invalid,
                        "the batch names this key twice; merge the operations",
                    )
                    .with_key(prepared.key))
                }
            })
            .collect()
    }
}

impl FromIterator<Op> for Batch {
    fn from_iter<I: IntoIterator<Item = Op>>(ops: I) -> Self {
        Self { ops: ops.into_iter().collect() }
    }
}

/// An operation within the limits, its record encoded.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Prepared {
    /// The record it is about.
    pub key: Key,
    /// Its condition.
    pub expect: Expect,
    /// What it does if the batch is committed.
    pub action: Action,
}

/// What a [`Prepared`] operation does.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Action {
    /// Writes the record.
    Put {
        /// The record.
        record: Record,
        /// Its JSON.
        bytes: Vec<u8>,
    },
    /// Removes the record.
    Delete,
    /// Changes nothing.
    Check,
}

impl Prepared {
    /// The length of its record's JSON, in bytes.
    fn size(&self) -> usize {
        match &self.action {
            Action::Put { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }

    fn new(op: Op, limits: &Limits) -> Result<Self> {
        let key = op.key();
        check_key(&key, limits)?;
        let (action, expect) = match op {
            Op::Put(record, expect) => {
                let bytes = record.encode()?;
                check_value(&key, &bytes, limits)?;
                (Action::Put { record, bytes }, expect)
            }
            Op::Delete(_, expect) => (Action::Delete, expect),
            Op::Check(_, expect) => (Action::Check, expect),
        };
        Ok(Self { key, expect, action })
    }
}

/// Checks keys that are to be read against C15.
///
/// # Errors
///
/// [`ErrorKind::Invalid`], naming the first key that is too long.
pub fn check_keys(keys: &[Key], limits: &Limits) -> Result<()> {
    keys.iter().try_for_each(|key| check_key(key, limits))
}

fn check_key(key: &Key, limits: &Limits) -> Result<()> {
    match key.text_len() {
        long if long > limits.key_bytes => {
            Err(Error::over_limit(Limit::KeyBytes, long, limits.key_bytes).with_key(key.clone()))
        }
        _ => Ok(()),
    }
}

fn check_value(key: &Key, bytes: &[u8], limits: &Limits) -> Result<()> {
    if bytes.len() > limits.value_bytes {
        let error = Error::over_limit(Limit::ValueBytes, bytes.len(), limits.value_bytes);
        return Err(error.with_key(key.clone()));
    }
    // What serde_json writes is UTF-8.
    let depth = std::str::from_utf8(bytes).map_or(0, json::depth);
    if depth > limits.json_depth {
        let error = Error::over_limit(Limit::JsonDepth, depth, limits.json_depth);
        return Err(error.with_key(key.clone()));
    }
    Ok(())
}
