//! Reading many records: sorted, the unreadable ones beside the others.

use std::collections::HashSet;

use feature_flags::storage::{Query, Stored};
use feature_flags::{Error, ErrorKind, FlagId, Key, Kind, Record};
use futures_util::StreamExt as _;

use super::Session;
use super::orphans::{Orphans, Why};
use crate::failure::{Exit, Failure};
use crate::output::{FlagNames, Progress};

/// Reads a listing record by record; those that cannot be read go to `corrupt`.
pub(super) async fn each(
    session: &Session,
    query: Query,
    progress: &Progress,
    mut record: impl FnMut(Stored) -> Result<(), Failure>,
    mut corrupt: impl FnMut(Error),
) -> Result<(), Failure> {
    let mut items = session.store.storage().list(query);
    while let Some(item) = items.next().await {
        progress.add(1);
        match item {
            Ok(stored) => record(stored)?,
            Err(error) if error.kind() == ErrorKind::Corrupt => corrupt(error),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Prints those records of a listing that are wanted; in the order of the typed API.
pub(super) async fn print(
    session: &Session,
    query: Query,
    wanted: impl Fn(&Record) -> bool,
) -> Result<Exit, Failure> {
    let kind = query.kind();
    let one_owner = matches!(query, Query::Owned(..));
    let mut records = Vec::new();
    let progress = Progress::counting("records read");
    let keep = |stored: Stored| {
        if wanted(&stored.record) {
            records.push(stored);
        }
        Ok(())
    };
    let mut unreadable = Vec::new();
    each(session, query, &progress, keep, |error| unreadable.push(error)).await?;
    drop(progress);
    let names = if one_owner { FlagNames::new() } else { owners(session, &records).await? };
    finish(session, kind, records, &names, unreadable)
}

/// Prints the records of a kind whose flag does not exist. They can be deleted by what is printed.
pub(super) async fn orphans(session: &Session, kind: Kind) -> Result<Exit, Failure> {
    let (mut suspects, mut records, mut unreadable) = (Orphans::default(), Vec::new(), Vec::new());
    let progress = Progress::counting("records read");
    let flag = |stored: Stored| {
        suspects.look(&stored.record);
        Ok(())
    };
    each(session, Query::All(Kind::Flag), &progress, flag, |error| unreadable.push(error)).await?;
    unreadable.iter().for_each(|error| suspects.unreadable(error));
    let suspect = |stored: Stored| {
        if !suspects.look(&stored.record) {
            records.push(stored);
        }
        Ok(())
    };
    each(session, Query::All(kind), &progress, suspect, |error| unreadable.push(error)).await?;
    drop(progress);
    let ownerless = suspects.found(session).await?;
    if ownerless.why == Why::Unknown {
        // What is listed here is going to be deleted.
        ownerless.keys.iter().for_each(|key| session.out.warning(&ownerless.why.about(key)));
        return finish(session, kind, Vec::new(), &FlagNames::new(), unreadable);
    }
    let found: HashSet<Key> = ownerless.keys.into_iter().collect();
    records.retain(|stored| found.contains(&stored.record.key()));
    let owners = records.iter().filter_map(|stored| stored.record.owner());
    let names = owners.map(|owner| (owner, owner.to_string())).collect();
    finish(session, kind, records, &names, unreadable)
}

/// Prints a listing, in the order of the typed API, and what could not be read.
fn finish(
    session: &Session,
    kind: Kind,
    mut records: Vec<Stored>,
    names: &FlagNames,
    unreadable: Vec<Error>,
) -> Result<Exit, Failure> {
    records.sort_by_cached_key(|stored| order(&stored.record));
    let printed = session.out.records(kind, &records, names);
    if unreadable.is_empty() {
        return printed;
    }
    for error in unreadable {
        session.out.failure(&error.into());
    }
    // What could not be read counts, also where nobody reads the rest.
    Ok(Exit::Failed)
}

/// What a listing is sorted by, as in the typed API.
fn order(record: &Record) -> (String, i64, String) {
    let key = record.key().to_string();
    match record {
        Record::Flag(flag) => (flag.key.to_string(), 0, String::new()),
        Record::Override(one) => (one.entity_type.to_string(), 0, one.entity_id.to_string()),
        Record::ScheduledChange(change) => (String::new(), change.scheduled_at.unix_micros(), key),
        Record::TimeSchedule(window) => (window.name.clone(), 0, key),
        Record::RolloutPhase(phase) => (phase.flag_id.to_string(), phase.phase_number, key),
        Record::Segment(segment) => (segment.name.to_string(), 0, key),
        _ => (key, 0, String::new()),
    }
}

/// So many flags are read one by one; of more, all are.
const FEW: usize = 20;

/// The keys of the flags that the records belong to: for people, programs have the ids.
pub(super) async fn owners(session: &Session, records: &[Stored]) -> Result<FlagNames, Failure> {
    let mut names = FlagNames::new();
    if session.out.is_json() {
        return Ok(names);
    }
    let ids: HashSet<FlagId> = records.iter().filter_map(|stored| stored.record.owner()).collect();
    if ids.len() > FEW {
        let name = |stored: Stored| {
            if let Record::Flag(flag) = &stored.record {
                names.insert(flag.id, flag.key.to_string());
            }
            Ok(())
        };
        // A flag that cannot be read has no name; its id stands for it.
        each(session, Query::All(Kind::Flag), &Progress::counting("flags read"), name, drop).await?;
        return Ok(names);
    }
    for id in ids {
        let flag = session.store.get_flag_by_id(id).await?;
        names.insert(id, flag.map_or_else(|| id.to_string(), |flag| flag.key.to_string()));
    }
    Ok(names)
}
