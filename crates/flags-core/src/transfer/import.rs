//! Import.

use std::collections::{HashMap, HashSet};

use super::Document;
use super::plan::{Difference, ImportAction, ImportMode, ImportPlan};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{Alias, Key, Record};
use crate::storage::{Batch, Expect, Op, Stored};
use crate::store::{FlagStore, Retry};
use crate::time::Timestamp;

/// How much JSON one commit writes, in bytes: what a store takes well within its deadline, also on a slow
/// line.
const AT_ONCE: usize = 4 * 1024 * 1024;

/// How many records an import did what with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ImportReport {
    /// Records that were new.
    pub created: usize,
    /// Records that were replaced.
    pub updated: usize,
    /// Records that were removed.
    pub deleted: usize,
    /// Records that were stored just so, or had expired.
    pub unchanged: usize,
}

impl FlagStore {
    /// Brings a document into the store, verbatim, in batches: flags first, scheduled changes and rollout
    /// phases last, in order of time.
    ///
    /// Not one commit, but resumable: what is stored already is left alone, so an import that was interrupted
    /// is repeated. Every write is conditional on what was read; where another writer was faster the rest is
    /// planned again, until the deadline of [`with_modify_deadline`](Self::with_modify_deadline). So it may
    /// do more than an earlier plan said: where somebody agreed to a plan,
    /// [`apply_import`](Self::apply_import) does just that.
    ///
    /// # Errors
    ///
    /// Those of [`plan_import`](Self::plan_import), before anything is written; `Invalid` for a record past a
    /// limit; `Conflict` past the deadline; `Indeterminate`.
    ///
    /// # Cancellation
    ///
    /// May be dropped at any time. Each of its commits is then there wholly or not at all: what was written
    /// until then stays, and the same import again writes the rest.
    pub async fn import(&self, document: &Document, mode: ImportMode) -> Result<ImportReport> {
        self.import_all(document, mode).await.map_err(|e| e.in_operation("import"))
    }

    async fn import_all(&self, document: &Document, mode: ImportMode) -> Result<ImportReport> {
        let mut retry = Retry::new(self);
        let mut done = Done::default();
        loop {
            let plan = self.plan(document, mode).await?;
            match self.apply(&plan, &mut done).await {
                Ok(()) => return Ok(done.report(&plan)),
                Err(e) if is_race(e.kind()) && retry.may_go_on() => retry.wait().await,
                Err(e) => return Err(e),
            }
        }
    }

    /// Does what a plan of [`plan_import`](Self::plan_import) says and nothing else, each write on the
    /// condition that the record is as the plan saw it.
    ///
    /// All conditions are judged before the first write. Not one commit: where another writer comes between
    /// that and the last write, what was written until then stays, and a new plan has the rest. What the plan
    /// leaves alone is not looked at again. What somebody adds to a flag before the plan deletes it goes with
    /// the flag.
    ///
    /// # Errors
    ///
    /// `Conflict`, naming a record that is no longer as the plan saw it: plan again. `Invalid` for a record
    /// past a limit; `NotFound` for a record whose flag has gone; `Unavailable`, `Indeterminate`, `Denied`,
    /// `Closed`.
    ///
    /// # Cancellation
    ///
    /// As after a conflict.
    pub async fn apply_import(&self, plan: &ImportPlan) -> Result<ImportReport> {
        self.apply_exactly(plan).await.map_err(|e| as_conflict(e).in_operation("apply_import"))
    }

    async fn apply_exactly(&self, plan: &ImportPlan) -> Result<ImportReport> {
        let changes: Vec<&Difference> = plan.differences.iter().filter(|d| d.changes()).collect();
        let keys: Vec<Key> = changes.iter().map(|d| d.key.clone()).collect();
        for (difference, now) in changes.into_iter().zip(self.read_all(&keys).await?) {
            difference.check(now)?;
        }
        let mut done = Done::default();
        self.apply(plan, &mut done).await?;
        Ok(done.report(plan))
    }

    async fn apply(&self, plan: &ImportPlan, done: &mut Done) -> Result<()> {
        let in_the_way = plan.in_the_way();
        for difference in &in_the_way {
            self.remove(difference, done).await?;
        }
        let puts = plan.differences.iter().filter_map(|d| Some((d, d.put()?)));
        let mut puts: Vec<(&Difference, Op)> = puts.collect();
        // In the order of time, however it is cut: a scheduler may be at work.
        puts.sort_by_key(|(difference, _)| difference.after.as_ref().and_then(planned_at));
        let (written, ops): (Vec<&Difference>, Vec<Op>) = puts.into_iter().unzip();
        let mut written = written.into_iter();
        let mut limits = self.storage().descriptor().limits().clone();
        limits.batch_bytes = limits.batch_bytes.min(AT_ONCE);
        for batch in Batch::from_iter(ops).split(&limits) {
            let count = batch.len();
            self.storage().commit(batch).await?;
            written.by_ref().take(count).for_each(|difference| done.note(difference));
        }
        let first: HashSet<&Key> = in_the_way.iter().map(|d| &d.key).collect();
        for difference in plan.with_action(ImportAction::Delete).filter(|d| !first.contains(&d.key)) {
            self.remove(difference, done).await?;
        }
        Ok(())
    }

    async fn remove(&self, difference: &Difference, done: &mut Done) -> Result<()> {
        let expected = difference.revision.as_ref();
        let removed = match &difference.key {
            Key::Flag(name) => self.delete_with_owned(name, expected).await,
            key => self.delete(key.clone(), expected).await,
        };
        match removed {
            Ok(_) => done.note(difference),
            // Gone already: with the flag that owned it, or by another writer who wants the same.
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }
}

/// When something is to happen to a flag; `None` of what is no plan.
fn planned_at(record: &Record) -> Option<Timestamp> {
    match record {
        Record::ScheduledChange(change) => Some(change.scheduled_at),
        Record::RolloutPhase(phase) => Some(phase.scheduled_at),
        _ => None,
    }
}

/// What was done with each record, the first thing where a race made it several.
#[derive(Debug, Default)]
struct Done(HashMap<Key, ImportAction>);

impl Done {
    fn note(&mut self, difference: &Difference) {
        self.0.entry(difference.key.clone()).or_insert(difference.action);
    }

    /// The plan has a difference for each record of the document.
    fn report(&self, plan: &ImportPlan) -> ImportReport {
        let count = |action| self.0.values().filter(|done| **done == action).count();
        let wanted = plan.differences.iter().filter(|d| d.after.is_some());
        ImportReport {
            created: count(ImportAction::Create),
            updated: count(ImportAction::Update) + count(ImportAction::Recreate),
            deleted: count(ImportAction::Delete),
            unchanged: wanted.filter(|d| !self.0.contains_key(&d.key)).count(),
        }
    }
}

/// Whether another writer can be the reason.
fn is_race(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Conflict | ErrorKind::AlreadyExists | ErrorKind::NotFound)
}

/// A record that is there or is missing against the plan was written by somebody since, like one with another
/// revision.
fn as_conflict(error: Error) -> Error {
    match (error.kind(), error.field(), error.key()) {
        (ErrorKind::AlreadyExists | ErrorKind::NotFound, None, Some(key)) => {
            Error::conflict(key.clone()).with_source(error)
        }
        _ => error,
    }
}

impl ImportPlan {
    /// What must be gone before anything is written: what is recreated, and unwanted records whose alias
    /// another needs.
    fn in_the_way(&self) -> Vec<&Difference> {
        let taken: HashSet<Alias> =
            self.differences.iter().filter_map(|d| d.after.as_ref()?.alias()).collect();
        let in_the_way = |d: &Difference| match d.action {
            ImportAction::Recreate => true,
            ImportAction::Delete => {
                d.before.as_ref().and_then(Record::alias).is_some_and(|alias| taken.contains(&alias))
            }
            _ => false,
        };
        self.differences.iter().filter(|d| in_the_way(d)).collect()
    }
}

impl Difference {
    /// Whether anything is to be done.
    pub(super) fn changes(&self) -> bool {
        !matches!(self.action, ImportAction::Keep | ImportAction::Skip)
    }

    /// Refuses a record that is not as the plan saw it. One that is to be deleted may be gone.
    fn check(&self, now: Result<Option<Stored>>) -> Result<()> {
        let (there, revision) = match now {
            Ok(Some(stored)) => (true, Some(stored.revision)),
            Ok(None) => (false, None),
            Err(error) if error.kind() == ErrorKind::Corrupt => (true, error.revision().cloned()),
            Err(error) => return Err(error),
        };
        let as_seen = match self.action {
            ImportAction::Delete if !there => true,
            // Neither has a revision where a corrupt record has none.
            _ => revision == self.revision && there == self.was_there(),
        };
        if as_seen { Ok(()) } else { Err(Error::conflict(self.key.clone())) }
    }

    fn was_there(&self) -> bool {
        self.before.is_some() || self.revision.is_some() || self.action != ImportAction::Create
    }

    /// The write that brings it about.
    fn put(&self) -> Option<Op> {
        let expect = match (self.action, &self.revision) {
            (ImportAction::Create | ImportAction::Recreate, _) => Expect::Absent,
            (ImportAction::Update, Some(revision)) => Expect::Revision(revision.clone()),
            // A corrupt record without a revision is written over.
            (ImportAction::Update, None) => Expect::Any,
            _ => return None,
        };
        Some(Op::Put(self.after.clone()?, expect))
    }
}
