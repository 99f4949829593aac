//! What is planned, and the flags it is planned for, as the store has them.

use std::collections::HashMap;

use flags_core::storage::{Query, Revision};
use flags_core::{Alias, Error, ErrorKind, Flag, FlagId, Kind, Record, Result, StorageHandle, Timestamp};
use futures_util::StreamExt;

use super::planned::Planned;

/// Everything that is planned.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// What is due, in order, by flag.
    pub(super) due: HashMap<FlagId, Vec<Planned>>,
    /// When the next of the others is.
    pub(super) next_due: Option<Timestamp>,
    /// Records that cannot be read.
    pub(super) unreadable: Vec<Error>,
}

impl Plan {
    /// Of every flag.
    pub(super) async fn read(storage: &StorageHandle, now: Timestamp) -> Result<Self> {
        let mut plan = Self::default();
        for kind in [Kind::ScheduledChange, Kind::RolloutPhase] {
            let mut items = storage.list(Query::All(kind));
            while let Some(item) = items.next().await {
                match item {
                    Ok(stored) => plan.add(Planned::new(stored), now),
                    Err(error) if error.kind() == ErrorKind::Corrupt => plan.unreadable.push(error),
                    Err(error) => return Err(error),
                }
            }
        }
        plan.due.values_mut().for_each(|of_flag| of_flag.sort_by_key(Planned::order));
        Ok(plan)
    }

    fn add(&mut self, planned: Option<Planned>, now: Timestamp) {
        let Some(planned) = planned else { return };
        let at = planned.scheduled_at();
        if at <= now {
            self.due.entry(planned.flag_id()).or_default().push(planned);
        } else {
            self.next_due = Some(self.next_due.map_or(at, |next| next.min(at)));
        }
    }
}

/// The flag of that id.
#[derive(Debug)]
pub(super) enum Lookup {
    Found(Box<Flag>, Revision),
    Gone,
    /// It cannot be read, or nobody can tell whether it is the one that cannot be read.
    Unknown(Error),
}

pub(super) async fn look_up(storage: &StorageHandle, id: FlagId) -> Result<Lookup> {
    if let Some(found) = search(storage, Query::Alias(Alias::FlagId(id)), id).await? {
        return Ok(found);
    }
    // What is refused for want of a flag is not tried again: be sure that none has the id, by every flag's own word.
    Ok(search(storage, Query::All(Kind::Flag), id).await?.unwrap_or(Lookup::Gone))
}

async fn search(storage: &StorageHandle, query: Query, id: FlagId) -> Result<Option<Lookup>> {
    let mut items = storage.list(query);
    let mut unreadable = None;
    while let Some(item) = items.next().await {
        match item {
            Ok(stored) => {
                if let Record::Flag(flag) = stored.record
                    && flag.id == id
                {
                    let flag = Box::new(Flag::clone(&flag));
                    return Ok(Some(Lookup::Found(flag, stored.revision)));
                }
            }
            Err(error) if error.kind() == ErrorKind::Corrupt => unreadable = Some(error),
            Err(error) => return Err(error),
        }
    }
    Ok(unreadable.map(Lookup::Unknown))
}
