//! What an import would change.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Document;
use super::export::flag_id;
use crate::error::{Error, ErrorKind, Result};
use crate::name::FlagId;
use crate::record::{Alias, Key, Kind, Record};
use crate::storage::{Query, Revision, Stored};
use crate::store::FlagStore;

/// What an import does with what the document does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
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
        !self.differences.iter().any(Difference::changes)
    }
}

impl FlagStore {
    /// Says what [`import`](Self::import) would do, and does nothing: the dry run.
    ///
    /// # Errors
    ///
    /// `Invalid` when the document holds a record or an alias twice; `NotFound` for a record whose flag is
    /// neither in it nor stored; `Conflict` for a record whose id or name the store binds to another, when
    /// merging; `Unavailable`, `Denied`, `Closed`.
    ///
    /// # Cancellation
    ///
    /// May be dropped at any time: it only reads.
    pub async fn plan_import(&self, document: &Document, mode: ImportMode) -> Result<ImportPlan> {
        self.plan(document, mode).await.map_err(|e| e.in_operation("plan_import"))
    }

    pub(super) async fn plan(&self, document: &Document, mode: ImportMode) -> Result<ImportPlan> {
        let wanted = Wanted::new(document)?;
        let stored = self.snapshot(&wanted, mode).await?;
        let planner = Planner { wanted, stored, mode, now: self.clock().now() };
        Ok(ImportPlan { differences: planner.differences()? })
    }

    /// What is stored and matters: all of it when replacing; else the flags and segments, for their aliases,
    /// and what the document names.
    async fn snapshot(&self, wanted: &Wanted, mode: ImportMode) -> Result<HashMap<Key, Before>> {
        let mut stored = HashMap::new();
        let mut add = |key: Option<Key>, item: Result<Stored>| {
            let before = match item {
                Ok(stored) => Before { revision: Some(stored.revision), record: Some(stored.record) },
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    Before { revision: error.revision().cloned(), record: None }
                }
                Err(error) => return Err(error),
            };
            // An unreadable entry without a key names no record that a document could hold.
            let key = key.or_else(|| before.record.as_ref().map(Record::key));
            stored.extend(key.map(|key| (key, before)));
            Ok(())
        };
        let (listed, named): (Vec<Kind>, Vec<Kind>) = Kind::ALL
            .into_iter()
            .partition(|kind| mode == ImportMode::Replace || !Kind::OWNED.contains(kind));
        for kind in listed {
            for item in self.list_any(Query::All(kind)).await? {
                add(item.as_ref().err().and_then(Error::key).cloned(), item)?;
            }
        }
        let keys: Vec<Key> =
            wanted.records.keys().filter(|key| named.contains(&key.kind())).cloned().collect();
        for (key, answer) in keys.iter().zip(self.read_all(&keys).await?) {
            if let Some(item) = answer.transpose() {
                add(Some(key.clone()), item)?;
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
        let unwanted = self.unwanted();
        // The flags that are gone, with what they own, before anything is written.
        let first = recreated.iter().chain(unwanted.iter().copied().filter(|key| self.is_in_the_way(key)));
        let gone: HashSet<FlagId> = first.filter_map(|key| self.stored_id(key)).collect();
        let owners = self.owners(&gone);
        let mut differences = Vec::with_capacity(self.wanted.records.len() + unwanted.len());
        for (key, record) in &self.wanted.records {
            // C6, before anything is written.
            if record.owner().is_some_and(|owner| !owners.contains(&owner)) {
                return Err(Error::owner_not_found(key.clone()));
            }
            let action = if recreated.contains(key) {
                ImportAction::Recreate
            } else {
                let before = self.stored.get(key);
                self.action(record, before.filter(|b| b.owner().is_none_or(|owner| !gone.contains(&owner))))
            };
            differences.push(self.difference(key, action, Some(record.clone())));
        }
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

    /// Stored, and not in the document that replaces the store.
    fn unwanted(&self) -> Vec<&Key> {
        if self.mode == ImportMode::Merge {
            return Vec::new();
        }
        let mut unwanted: Vec<&Key> =
            self.stored.keys().filter(|key| !self.wanted.records.contains_key(key)).collect();
        unwanted.sort_unstable();
        unwanted
    }

    /// Whether the document gives the stored record's alias to another record.
    fn is_in_the_way(&self, key: &Key) -> bool {
        let alias = self.stored.get(key).and_then(|before| before.record.as_ref()?.alias());
        alias.is_some_and(|alias| self.wanted.aliases.get(&alias).is_some_and(|taker| taker != key))
    }

    /// The document's records that can only be written once their stored selves are gone: flags under another
    /// id, and those whose alias the document gives to another record.
    fn recreated(&self) -> Result<HashSet<Key>> {
        let mut recreated = HashSet::new();
        for (key, before) in &self.stored {
            let Some(alias) = before.record.as_ref().and_then(Record::alias) else { continue };
            let wanted = self.wanted.records.get(key);
            let rebound = matches!(alias, Alias::FlagId(_))
                && wanted.is_some_and(|record| record.alias().as_ref() != Some(&alias));
            if !rebound && !self.is_in_the_way(key) {
                continue;
            }
            // Merging never deletes a flag, nor anything that the document does not name.
            let allowed =
                self.mode == ImportMode::Replace || (key.kind() == Kind::Segment && wanted.is_some());
            if !allowed {
                let taker = self.wanted.aliases.get(&alias).unwrap_or(key);
                return Err(Error::alias_conflict(taker.clone()));
            }
            if wanted.is_some() {
                recreated.insert(key.clone());
            }
        }
        Ok(recreated)
    }

    fn stored_id(&self, key: &Key) -> Option<FlagId> {
        flag_id(self.stored.get(key)?.record.as_ref()?)
    }

    /// The flags that there are once the import is through.
    fn owners(&self, gone: &HashSet<FlagId>) -> HashSet<FlagId> {
        let stored = self.stored.keys().filter(|_| self.mode == ImportMode::Merge);
        let stay = stored.filter_map(|key| self.stored_id(key)).filter(|id| !gone.contains(id));
        stay.chain(self.wanted.records.values().filter_map(flag_id)).collect()
    }
}

impl Before {
    fn owner(&self) -> Option<FlagId> {
        self.record.as_ref()?.owner()
    }
}
