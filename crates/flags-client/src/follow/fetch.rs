//! Reading from the store: everything, or some keys.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use flags_core::storage::Query;
use flags_core::{ErrorKind, Key, Kind, Record, Result, StorageHandle};
use flags_engine::Ruleset;
use futures_util::StreamExt;
use tokio::task::coop::consume_budget;

use crate::emptied::holds_others;
use crate::replica::{Found, Listed, Replica};

/// Reads everything that a replica holds, item by item.
pub(crate) async fn list(storage: StorageHandle, overrides: bool) -> Result<Listed> {
    let mut listed = Listed { unreadable: BTreeMap::new(), ..Listed::default() };
    for kind in Replica::kinds(overrides) {
        let mut items = storage.list(Query::All(kind));
        while let Some(item) = items.next().await {
            // A store in memory never waits, and would keep the thread until it is read.
            consume_budget().await;
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
    // A store that is closed meanwhile may end its listings without a word, but answers no call.
    storage.get(&[]).await?;
    Ok(listed)
}

/// What is known of the records that are asked for.
pub(crate) struct Known {
    /// The keys of those that are in force.
    pub(crate) in_force: HashSet<Key>,
    /// All flags, of which some are asked for as well where it comes to that.
    pub(crate) ruleset: Arc<Ruleset>,
}

/// What is under some keys.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) found: Vec<Found>,
    pub(crate) losses: Losses,
}

/// What to make of it that something is gone that was in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Losses {
    /// Nothing is.
    None,
    /// It was deleted: the store has shown a flag since.
    Deleted,
    /// The store has shown no flag: it may have been emptied.
    Doubtful,
}

/// Reads the records under these keys, in one call; where something is gone that was in force,
/// perhaps with another one.
pub(crate) async fn get(storage: StorageHandle, keys: Vec<Key>, known: Known) -> Result<Fetched> {
    let answers = storage.get(&keys).await?;
    let found = keys.into_iter().zip(answers).map(|(key, answer)| match answer {
        Ok(Some(stored)) if stored.record.key() == key => Found::Record(stored.record),
        Ok(_) => Found::Nothing(key),
        Err(error) => Found::Unreadable(key, error),
    });
    let found: Vec<Found> = found.collect();
    let is_lost = |one: &Found| one.is_nothing() && known.in_force.contains(&one.key());
    let asked = || found.iter().filter_map(Found::flag_key).collect();
    let losses = if !found.iter().any(is_lost) {
        Losses::None
    } else if found.iter().any(Found::is_a_flag) || holds_others(&storage, &known.ruleset, &asked()).await? {
        Losses::Deleted
    } else {
        Losses::Doubtful
    };
    Ok(Fetched { found, losses })
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
