//! Import.

use std::collections::HashSet;

use super::Document;
use super::plan::{Difference, ImportAction, ImportMode, ImportPlan};
use crate::error::{ErrorKind, Result};
use crate::record::{Alias, Key, Record};
use crate::storage::{Expect, Op};
use crate::store::FlagStore;

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
    /// Brings a document into the store: flags first, then what they own, then segments, verbatim, in batches.
    ///
    /// Not one commit, but resumable: what is stored already is left alone, so an import that was interrupted is repeated.
    /// Every write is conditional on what was read; where another writer was faster the rest is planned again, until
    /// the deadline of [`with_modify_deadline`](Self::with_modify_deadline).
    ///
    /// # Errors
    ///
    /// Those of [`plan_import`](Self::plan_import), before anything is written; `Invalid` for a record past a limit; `Conflict`
    /// past the deadline; `Indeterminate`.
    pub async fn import(&self, document: &Document, mode: ImportMode) -> Result<ImportReport> {
        self.import_all(document, mode).await.map_err(|e| e.in_operation("import"))
    }

    async fn import_all(&self, document: &Document, mode: ImportMode) -> Result<ImportReport> {
        let started = self.clock().now();
        let mut done = ImportReport::default();
        loop {
            let plan = self.plan(document, mode).await?;
            match self.apply(&plan, &mut done).await {
                Err(e) if is_race(e.kind()) && !self.out_of_time(started) => {}
                Err(e) => return Err(e),
                Ok(()) => {
                    let written = done.created + done.updated;
                    done.unchanged = document.len().saturating_sub(written);
                    return Ok(done);
                }
            }
        }
    }

    async fn apply(&self, plan: &ImportPlan, done: &mut ImportReport) -> Result<()> {
        let in_the_way = plan.in_the_way();
        for difference in &in_the_way {
            self.remove(difference).await?;
            // What is put back is an update in the end.
            done.deleted += usize::from(difference.after.is_none());
        }
        let puts = plan.differences.iter().filter_map(|d| Some((d, d.put()?)));
        let puts: Vec<(&Difference, Op)> = puts.collect();
        for chunk in puts.chunks(self.storage().descriptor().limits().batch_ops.max(1)) {
            self.storage().commit(chunk.iter().map(|(_, op)| op.clone()).collect()).await?;
            let created = chunk.iter().filter(|(d, _)| d.action == ImportAction::Create).count();
            done.created += created;
            done.updated += chunk.len() - created;
        }
        let first: HashSet<&Key> = in_the_way.iter().map(|d| &d.key).collect();
        for difference in plan.with_action(ImportAction::Delete).filter(|d| !first.contains(&d.key)) {
            done.deleted += usize::from(self.remove(difference).await?);
        }
        Ok(())
    }

    async fn remove(&self, difference: &Difference) -> Result<bool> {
        match &difference.key {
            Key::Flag(name) => self.delete_with_owned(name, difference.revision.as_ref()).await,
            // What a deleted flag owned is gone already, so nothing is expected of it.
            key => self.delete(key.clone(), None).await,
        }
    }
}

/// Whether another writer can be the reason.
fn is_race(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Conflict | ErrorKind::AlreadyExists | ErrorKind::NotFound)
}

impl ImportPlan {
    /// What must be gone before anything is written: what is recreated, and unwanted records whose alias another needs.
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
