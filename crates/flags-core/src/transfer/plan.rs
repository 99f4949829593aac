//! What an import would change.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::StreamExt;

use super::Document;
use crate::error::{Error, ErrorKind, Result};
use crate::name::FlagId;
use crate::record::{Alias, Key, Kind, Record};
use crate::storage::{Query, Revision};
use crate::store::FlagStore;

/// What an import does with what the document does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImportMode {
    /// Keeps it.
    Merge,
    /// Deletes it: afterwards the store holds what the document holds.
    Replace,
}

/// What an import does with one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ImportAction {
    /// It is new.
    Create,
    /// It differs from the stored one.
    Update,
    /// It differs in what a record keeps for life, so the stored one is deleted first, with what it owns.
    Recreate,
    /// It is stored, and not wanted.
    Delete,
    /// It is stored just so.
    Keep,
    /// It has expired, and is not stored.
    Skip,
}

/// One record, before and after an import.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Difference {
    /// The record.
    pub key: Key,
    /// What happens to it.
    pub action: ImportAction,
    /// As it is stored; `None` when it is not, or cannot be read.
    pub before: Option<Record>,
    /// As it will be.
    pub after: Option<Record>,
    /// The revision that the stored one has.
    pub(super) revision: Option<Revision>,
}

/// Everything that an import would do, in the order in which it would do it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ImportPlan {
    /// A difference for each record of the document and, when replacing, for each record to delete.
    pub differences: Vec<Difference>,
}

impl ImportPlan {
    /// The differences of that action.
    pub fn with_action(&self, action: ImportAction) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(move |difference| difference.action == action)
    }

    /// Whether the store is as the document wants it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.differences.iter().all(|d| matches!(d.action, ImportAction::Keep | ImportAction::Skip))
    }
}

impl FlagStore {
    /// Says what [`import`](Self::import) would do, and does nothing: the dry run.
    ///
    /// # Errors
    ///
    /// `Invalid` when the document holds a record or an alias twice; `NotFound` for a record whose flag is neither in it nor stored; `Conflict` for a
    /// record whose id or name the store binds to another, when merging; `Unavailable`, `Denied`, `Closed`.
    pub async fn plan_import(&self, document: &Document, mode: ImportMode) -> Result<ImportPlan> {
        self.plan(document, mode).await.map_err(|e| e.in_operation("plan_import"))
    }

    pub(super) async fn plan(&self, document: &Document, mode: ImportMode) -> Result<ImportPlan> {
        let wanted = Wanted::new(document)?;
        let stored = self.snapshot(&wanted, mode).await?;
        let planner = Planner { wanted, stored, mode, now: self.clock().now() };
        Ok(ImportPlan { differences: planner.differences()? })
    }

    /// What is stored and matters: all of it when replacing; else the flags and segments, for their aliases, and what the document names.
    async fn snapshot(&self, wanted: &Wanted, mode: ImportMode) -> Result<HashMap<Key, Before>> {
        let mut stored = HashMap::new();
        let mut add = |key: Key, before: Result<(Record, Revision)>| match before {
            Ok((record, revision)) => {
                stored.insert(key, Before { record: Some(record), revision: Some(revision) });
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                stored.insert(key, Before { record: None, revision: error.revision().cloned() });
                Ok(())
            }
            Err(error) => Err(error),
        };
        let (listed, named): (Vec<Kind>, Vec<Kind>) = Kind::ALL
            .into_iter()
            .partition(|kind| mode == ImportMode::Replace || !Kind::OWNED.contains(kind));
        for kind in listed {
            let mut items = self.storage().list(Query::All(kind));
            while let Some(item) = items.next().await {
                match item {
                    Ok(stored) => add(stored.record.key(), Ok((stored.record, stored.revision)))?,
                    Err(error) => match error.key().cloned() {
                        Some(key) => add(key, Err(error))?,
                        None => return Err(error),
                    },
                }
            }
        }
        let keys: Vec<Key> =
            wanted.records.keys().filter(|key| named.contains(&key.kind())).cloned().collect();
        for (key, answer) in keys.iter().zip(self.read_all(&keys).await?) {
            if let Some(item) = answer.transpose() {
                add(key.clone(), item.map(|stored| (stored.record, stored.revision)))?;
            }
        }
        Ok(stored)
    }
}

/// A stored record; one that cannot be read has none.
struct Before {
    record: Option<Record>,
    revision: Option<Revision>,
}

/// The document's records and whom they give their aliases to.
struct Wanted {
    records: BTreeMap<Key, Record>,
    aliases: HashMap<Alias, Key>,
}

impl Wanted {
    fn new(document: &Document) -> Result<Self> {
        let (mut records, mut aliases) = (BTreeMap::new(), HashMap::new());
        for record in document.records() {
            let key = record.key();
            if let Some(alias) = record.alias()
                && let Some(other) = aliases.insert(alias, key.clone())
                && other != key
            {
                let reason = format!("the document gives its id or name to {other} as well");
                return Err(Error::new(ErrorKind::Invalid, reason).with_key(key));
            }
            if records.insert(key.clone(), record).is_some() {
                return Err(
                    Error::new(ErrorKind::Invalid, "the document holds this record twice").with_key(key)
                );
            }
        }
        Ok(Self { records, aliases })
    }
}

struct Planner {
    wanted: Wanted,
    stored: HashMap<Key, Before>,
    mode: ImportMode,
    now: crate::time::Timestamp,
}

impl Planner {
    fn differences(self) -> Result<Vec<Difference>> {
        let recreated = self.recreated()?;
        let gone: HashSet<FlagId> = recreated.iter().filter_map(|key| self.stored_id(key)).collect();
        let mut differences = Vec::with_capacity(self.wanted.records.len());
        for (key, record) in &self.wanted.records {
            self.check_owner(key, record, &gone)?;
            let before = self.stored.get(key);
            let action = if recreated.contains(key) {
                ImportAction::Recreate
            } else {
                // What a recreated flag owned goes with it.
                let before = before.filter(|b| !b.owner().is_some_and(|owner| gone.contains(&owner)));
                self.action(record, before)
            };
            differences.push(self.difference(key, action, Some(record.clone())));
        }
        // A record that is in the way of another goes first; `apply` sees to it by these coming before.
        let mut unwanted: Vec<&Key> = match self.mode {
            ImportMode::Merge => Vec::new(),
            ImportMode::Replace => {
                self.stored.keys().filter(|k| !self.wanted.records.contains_key(k)).collect()
            }
        };
        unwanted.sort_unstable();
        differences.extend(unwanted.into_iter().map(|key| self.difference(key, ImportAction::Delete, None)));
        Ok(differences)
    }

    fn difference(&self, key: &Key, action: ImportAction, after: Option<Record>) -> Difference {
        let before = self.stored.get(key);
        Difference {
            key: key.clone(),
            action,
            before: before.and_then(|before| before.record.clone()),
            after,
            revision: before.and_then(|before| before.revision.clone()),
        }
    }

    fn action(&self, record: &Record, before: Option<&Before>) -> ImportAction {
        match (before, record.is_expired(self.now)) {
            (None, true) => ImportAction::Skip,
            (Some(_), true) => ImportAction::Delete,
            (None, false) => ImportAction::Create,
            (Some(before), false) if before.record.as_ref() == Some(record) => ImportAction::Keep,
            (Some(_), false) => ImportAction::Update,
        }
    }

    /// The document's records that can only be written once their stored selves are gone: flags under another id, and
    /// those whose alias the document gives to another record.
    fn recreated(&self) -> Result<HashSet<Key>> {
        let mut recreated = HashSet::new();
        for (key, before) in &self.stored {
            let Some(alias) = before.record.as_ref().and_then(Record::alias) else { continue };
            let wanted = self.wanted.records.get(key);
            let rebound = matches!(alias, Alias::FlagId(_))
                && wanted.is_some_and(|record| record.alias().as_ref() != Some(&alias));
            let taker = self.wanted.aliases.get(&alias).filter(|taker| *taker != key);
            if !rebound && taker.is_none() {
                continue;
            }
            // Merging never deletes a flag, nor anything that the document does not name.
            let allowed =
                self.mode == ImportMode::Replace || (key.kind() == Kind::Segment && wanted.is_some());
            if !allowed {
                return Err(Error::alias_conflict(taker.unwrap_or(key).clone()));
            }
            if wanted.is_some() {
                recreated.insert(key.clone());
            }
        }
        Ok(recreated)
    }

    fn stored_id(&self, key: &Key) -> Option<FlagId> {
        match self.stored.get(key)?.record.as_ref()? {
            Record::Flag(flag) => Some(flag.id),
            _ => None,
        }
    }

    /// C6, before anything is written.
    fn check_owner(&self, key: &Key, record: &Record, gone: &HashSet<FlagId>) -> Result<()> {
        let Some(owner) = record.owner() else { return Ok(()) };
        let in_document = self.wanted.aliases.contains_key(&Alias::FlagId(owner));
        let stays = self.mode == ImportMode::Merge
            && !gone.contains(&owner)
            && self.stored.keys().any(|flag| self.stored_id(flag) == Some(owner));
        if in_document || stays { Ok(()) } else { Err(Error::owner_not_found(key.clone())) }
    }
}

impl Before {
    fn owner(&self) -> Option<FlagId> {
        self.record.as_ref()?.owner()
    }
}
