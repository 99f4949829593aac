//! Reading from the store: everything, or some keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use flags_core::storage::Query;
use flags_core::{ErrorKind, Key, Kind, Record, Result, StorageHandle};
use futures_util::StreamExt;

use crate::replica::{Found, Listed, Replica};

/// Reads everything that a replica holds, item by item.
pub(crate) async fn list(storage: StorageHandle, overrides: bool) -> Result<Listed> {
    let mut listed = Listed { unreadable: BTreeMap::new(), ..Listed::default() };
    for kind in Replica::kinds(overrides) {
        let mut items = storage.list(Query::All(kind));
        while let Some(item) = items.next().await {
            listed.flags += usize::from(kind == Kind::Flag);
            match item {
                Ok(stored) => drop(listed.records.put(stored.record)),
                Err(error) => match error.key() {
                    Some(key) if error.kind() == ErrorKind::Corrupt => {
                        listed.unreadable.insert(key.clone(), error);
                    }
                    // The listing goes on, and so it is one record that nobody can name.
                    None if error.kind() == ErrorKind::Corrupt => listed.nameless.push(Arc::new(error)),
                    _ => return Err(error),
                },
            }
        }
    }
    Ok(listed)
}

/// Reads the records under these keys, in one call.
pub(crate) async fn get(storage: StorageHandle, keys: Vec<Key>) -> Result<Vec<Found>> {
    let answers = storage.get(&keys).await?;
    let found = keys.into_iter().zip(answers).map(|(key, answer)| match answer {
        Ok(Some(stored)) if stored.record.key() == key => Found::Record(stored.record),
        Ok(_) => Found::Nothing(key),
        Err(error) => Found::Unreadable(key, error),
    });
    Ok(found.collect())
}

/// Whether decisions depend on records of that key's kind.
pub(crate) fn is_needed(key: &Key) -> bool {
    matches!(key, Key::Flag(_) | Key::Override(..) | Key::TimeSchedule(_) | Key::Segment(_))
}

/// The records of a saved file, as if they had been listed.
pub(crate) fn saved(records: Vec<Record>, overrides: bool) -> Listed {
    let needed = records
        .into_iter()
        .filter(|record| is_needed(&record.key()) && (overrides || record.kind() != Kind::Override));
    Listed { records: needed.collect(), ..Listed::default() }
}
