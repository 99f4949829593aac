//! A batch, judged against one state and applied to it.

use std::collections::HashSet;

use flags_core::storage::{Action, Effect, Limit, Limits, Prepared, Revision};
use flags_core::{Alias, Error, FlagId, Key, Record, Result, Timestamp};

use crate::entry::Entry;
use crate::state::State;

/// What a batch comes to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Applied {
    /// The state that it leaves behind.
    pub state: State,
    /// What each operation did, in the order of the batch.
    pub effects: Vec<Effect>,
    /// The records whose revision is another one now, or which are gone, those of a cascade too.
    pub changed: Vec<Key>,
    /// Records that had expired, and were removed. No reader saw them any more.
    pub expired: Vec<Key>,
}

impl State {
    /// Derives the state that the batch would leave behind, and judges the batch by both (C2, C3, C6, C7,
    /// C8). This state stays as it is. `revise` gives the revision of a record that the batch writes, by its
    /// key; the one that it has already where writing it changes nothing.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `NotFound`, `Conflict`, or `Invalid` past [`Limits::owned_per_delete`], of the first
    /// operation that is refused.
    pub fn apply(
        &self,
        batch: &[Prepared],
        now: Timestamp,
        limits: &Limits,
        revise: impl FnMut(&Key) -> Revision,
    ) -> Result<Applied> {
        let mut next = self.clone();
        let expired = next.trim(now);
        let trimmed = next.clone();
        let mut changed = remove(&mut next, batch);
        write(&mut next, batch, now, revise);

        let mut judge = Judge { current: &trimmed, next: &next, now, limits, cascaded: 0 };
        batch.iter().try_for_each(|op| judge.op(op))?;

        let mut effects = Vec::with_capacity(batch.len());
        for op in batch {
            let before = revision(self, &op.key, now);
            let after = revision(&next, &op.key, now);
            if before != after {
                changed.push(op.key.clone());
            }
            effects.push(Effect::new(before, after));
        }
        Ok(Applied { state: next, effects, changed, expired })
    }
}

fn revision(state: &State, key: &Key, now: Timestamp) -> Option<Revision> {
    state.get(key, now).map(|entry| entry.revision().clone())
}

/// The id of the flag under that key. A corrupt flag's id is unknown.
fn flag_id(state: &State, key: &Key) -> Option<FlagId> {
    match state.by_key(key)?.alias()? {
        Alias::FlagId(id) => Some(id),
        _ => None,
    }
}

/// What goes with the record when it is deleted: of two flags that a foreign writer left with one id, the one
/// that has the alias owns it.
fn owned<'a>(state: &'a State, key: &Key) -> impl Iterator<Item = &'a Key> {
    let id = flag_id(state, key).filter(|id| state.key_of(&Alias::FlagId(*id)) == Some(key));
    id.into_iter().flat_map(|id| state.owned_by(id))
}

/// Removes what the batch deletes, with everything it owns (C6). Returns the keys of the owned.
fn remove(next: &mut State, batch: &[Prepared]) -> Vec<Key> {
    let named: HashSet<&Key> = batch.iter().map(|op| &op.key).collect();
    let mut cascaded = Vec::new();
    for op in batch.iter().filter(|op| matches!(op.action, Action::Delete)) {
        let owned: Vec<Key> = owned(next, &op.key).cloned().collect();
        next.take(&op.key);
        owned.iter().for_each(|key| next.take(key));
        cascaded.extend(owned.into_iter().filter(|key| !named.contains(key)));
    }
    next.adopt();
    cascaded
}

/// Writes what the batch puts. One that has already expired is a delete (C8).
fn write(next: &mut State, batch: &[Prepared], now: Timestamp, mut revise: impl FnMut(&Key) -> Revision) {
    let puts = || {
        batch.iter().filter_map(|op| match &op.action {
            Action::Put { record, .. } => Some((&op.key, record)),
            _ => None,
        })
    };
    // All aliases are given up before any is taken, so that two records can swap theirs.
    puts().for_each(|(key, _)| next.take(key));
    for (key, record) in puts() {
        if !record.is_expired(now) {
            next.put(key, Entry::new(record.clone(), revise(key)));
        }
    }
    next.adopt();
}

/// The states before and after a batch.
struct Judge<'a> {
    current: &'a State,
    next: &'a State,
    now: Timestamp,
    limits: &'a Limits,
    /// How many owned records the operations so far delete.
    cascaded: usize,
}

impl Judge<'_> {
    /// Everything that one operation can be refused for.
    fn op(&mut self, op: &Prepared) -> Result<()> {
        op.expect.judge(&op.key, revision(self.current, &op.key, self.now).as_ref())?;
        match &op.action {
            Action::Put { record, .. } => self.put(op, record),
            Action::Delete => self.cascade(&op.key),
            _ => Ok(()),
        }
    }

    fn put(&self, op: &Prepared, record: &Record) -> Result<()> {
        let key = &op.key;
        if let Some(owner) = record.owner()
            && self.next.key_of(&Alias::FlagId(owner)).is_none()
            && !self.rewrites_orphan(op, owner)
        {
            return Err(Error::owner_not_found(key.clone()));
        }
        let former = flag_id(self.current, key);
        let rebound = matches!(record, Record::Flag(flag) if former.is_some_and(|id| id != flag.id));
        // Whoever holds an alias keeps it: a put that could not take its own has lost it to another.
        // It may also have been faster than one that claimed it before.
        let lost = record.alias().is_some_and(|alias| {
            self.next.key_of(&alias) != Some(key)
                || (self.next.has_twins_of(&alias) && self.current.key_of(&alias) != Some(key))
        });
        if rebound || lost { Err(Error::alias_conflict(key.clone())) } else { Ok(()) }
    }

    /// Whether the record is one of that owner and was so before, when the owner was not there either.
    fn rewrites_orphan(&self, op: &Prepared, owner: FlagId) -> bool {
        op.expect.requires_record()
            && self.current.key_of(&Alias::FlagId(owner)).is_none()
            && self.current.get(&op.key, self.now).and_then(Entry::owner) == Some(owner)
    }

    fn cascade(&mut self, key: &Key) -> Result<()> {
        self.cascaded += owned(self.current, key).count();
        let (owned, allowed) = (self.cascaded, self.limits.owned_per_delete);
        if owned > allowed {
            return Err(Error::over_limit(Limit::OwnedPerDelete, owned, allowed).with_key(key.clone()));
        }
        Ok(())
    }
}
