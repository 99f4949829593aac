//! [`Flags`]: the flags that something is planned for.

use std::collections::{HashMap, HashSet};

use flags_core::storage::{Query, Revision};
use flags_core::{Alias, Error, ErrorKind, Flag, FlagId, Kind, Record, Result, StorageHandle};
use futures_util::StreamExt;
use tokio::task::coop::consume_budget;

/// Up to how many are asked for one by one. More are found by one listing of all.
const FEW: usize = 8;

/// A flag as it was read.
pub(super) type Read = (Box<Flag>, Revision);

/// Those that were found of some.
#[derive(Debug, Default)]
pub(super) struct Flags {
    pub(super) found: HashMap<FlagId, Read>,
    /// One that cannot be read, where some were not found: it may be one of them.
    pub(super) unreadable: Option<Error>,
}

impl Flags {
    /// Looks for the flags with those ids. However many are missing, all flags are listed once: what is
    /// refused for want of a flag is not tried again, so that every flag's own word counts.
    pub(super) async fn find(storage: &StorageHandle, ids: impl IntoIterator<Item = FlagId>) -> Result<Self> {
        let mut flags = Self::default();
        let mut missing: HashSet<FlagId> = ids.into_iter().collect();
        if missing.len() <= FEW {
            for id in missing.clone() {
                let Some(read) = with_alias(storage, id).await? else { break };
                missing.remove(&id);
                flags.found.insert(id, read);
            }
        }
        if missing.is_empty() {
            return Ok(flags);
        }
        let mut twins = HashSet::new();
        let mut items = storage.list(Query::All(Kind::Flag));
        while let Some(item) = items.next().await {
            consume_budget().await;
            match item {
                Ok(stored) => {
                    if let Record::Flag(flag) = stored.record
                        && missing.contains(&flag.id)
                        && let Some((twin, _)) =
                            flags.found.insert(flag.id, (Box::new(Flag::clone(&flag)), stored.revision))
                    {
                        twins.insert(twin.id);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Corrupt => flags.unreadable = Some(error),
                Err(error) => return Err(error),
            }
        }
        // Of flags that a writer of another library left with one id, the one that has the alias owns
        // what is planned (C6).
        for id in twins {
            if let Some(read) = with_alias(storage, id).await? {
                flags.found.insert(id, read);
            }
        }
        if missing.iter().all(|id| flags.found.contains_key(id)) {
            flags.unreadable = None;
        }
        Ok(flags)
    }
}

async fn with_alias(storage: &StorageHandle, id: FlagId) -> Result<Option<Read>> {
    let mut items = storage.list(Query::Alias(Alias::FlagId(id)));
    while let Some(item) = items.next().await {
        match item {
            Ok(stored) => {
                if let Record::Flag(flag) = stored.record
                    && flag.id == id
                {
                    return Ok(Some((Box::new(Flag::clone(&flag)), stored.revision)));
                }
            }
            Err(error) if error.kind() == ErrorKind::Corrupt => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
