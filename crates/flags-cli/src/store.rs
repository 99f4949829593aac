//! Opening the store; creating, updating and deleting a record of any kind.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use feature_flags::storage::{Batch, Expect, Revision, Stored};
use feature_flags::{
    Error, ErrorKind, Flag, FlagKey, FlagStore, Key, Model, Override, Record, Result, Timestamp, Versioned,
    connect,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::args::{Command, Global};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::place::Place;

/// The store where none is named: a file in the current directory, which the first write creates.
const EMBEDDED: &str = "file:flags.json";
const EMBEDDED_FILE: &str = "flags.json";

/// Opens the store that the options name; its URL, the prefix included, comes with it.
pub(crate) async fn open(
    global: &Global,
    command: &Command,
    out: Output,
) -> Result<(FlagStore, String), Failure> {
    let url = global.store.as_deref().filter(|url| !url.is_empty()).unwrap_or_else(|| {
        // Whoever forgot to name the store would look for the flag where it is not.
        if !Path::new(EMBEDDED_FILE).exists() {
            out.note("no store is named: this is ./flags.json, which the first write creates");
        } else if command.is_about_all() && io::stderr().is_terminal() {
            out.note("no store is named: this is ./flags.json");
        }
        EMBEDDED
    });
    if global.prefix_is_asked_for && Place::of(Some(url)) != Place::Server {
        return Err(Failure::usage(
            "--prefix is about keys in Redis: a store in a file or in memory has none",
            "leave it out, or name a store in Redis with --store",
        ));
    }
    let url = with_prefix(url, global.prefix.as_deref());
    match connect(&url).await {
        Ok(storage) => Ok((FlagStore::new(storage), url)),
        Err(error) => {
            // What a document holds is no mistake on the command line.
            let document = url.strip_prefix("memory:").is_some_and(|path| !path.is_empty());
            let wrong_url = matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Unsupported) && !document;
            let mut failure = Failure::from(error);
            if wrong_url {
                failure.exit = Exit::Usage;
            }
            Err(failure)
        }
    }
}

/// The URL with the prefix as its parameter. A store in memory or in a file has no prefix.
fn with_prefix(url: &str, prefix: Option<&str>) -> String {
    match prefix {
        Some(prefix) if url.starts_with("redis") => {
            let separator = if url.contains('?') { '&' } else { '?' };
            format!("{url}{separator}prefix={}", utf8_percent_encode(prefix, NON_ALPHANUMERIC))
        }
        _ => url.to_owned(),
    }
}

/// The flag of that key, which has to exist.
pub(crate) async fn flag(store: &FlagStore, key: &FlagKey) -> Result<Versioned<Flag>> {
    let missing = || Error::not_found(Key::Flag(key.clone()));
    store.get_flag(key).await?.ok_or_else(missing)
}

/// The record of that key, if there is one.
pub(crate) async fn read(store: &FlagStore, key: &Key) -> Result<Option<Stored>> {
    store.storage().get(std::slice::from_ref(key)).await?.pop().unwrap_or(Ok(None))
}

/// A typed record as one of any kind.
pub(crate) fn stored<T: Model>(versioned: &Versioned<T>) -> Stored {
    Stored::new(versioned.value().clone().into_record(), versioned.revision().clone())
}

/// Creates a record.
pub(crate) async fn create(store: &FlagStore, record: Record) -> Result<Stored> {
    Ok(match record {
        Record::Flag(flag) => stored(&store.create_flag((*flag).clone()).await?),
        Record::Override(one) => put_override(store, &one, Expect::Absent).await?,
        Record::ScheduledChange(change) => stored(&store.create_scheduled_change((*change).clone()).await?),
        Record::TimeSchedule(window) => stored(&store.create_time_schedule((*window).clone()).await?),
        Record::RolloutPhase(phase) => stored(&store.create_rollout_phase((*phase).clone()).await?),
        Record::Segment(segment) => stored(&store.create_segment((*segment).clone()).await?),
        other => return Err(unknown(&other.key())),
    })
}

/// Replaces a record, if it still has that revision.
pub(crate) async fn update(store: &FlagStore, record: Record, expected: Option<&Revision>) -> Result<Stored> {
    Ok(match record {
        Record::Flag(flag) => stored(&store.update_flag((*flag).clone(), expected).await?),
        Record::Override(one) => put_override(store, &one, Expect::revision_or_present(expected)).await?,
        Record::ScheduledChange(change) => {
            stored(&store.update_scheduled_change((*change).clone(), expected).await?)
        }
        Record::TimeSchedule(window) => {
            stored(&store.update_time_schedule((*window).clone(), expected).await?)
        }
        Record::RolloutPhase(phase) => stored(&store.update_rollout_phase((*phase).clone(), expected).await?),
        Record::Segment(segment) => stored(&store.update_segment((*segment).clone(), expected).await?),
        other => return Err(unknown(&other.key())),
    })
}

/// Writes an override on a condition, which the typed API has no method for.
async fn put_override(store: &FlagStore, one: &Override, expect: Expect) -> Result<Stored> {
    let mut one = one.clone();
    let now = Timestamp::now();
    one.created_at.get_or_insert(now);
    one.updated_at = Some(now);
    let record = Record::from(one);
    let effects = store.storage().commit(Batch::new().put(record.clone(), expect)).await?;
    // One that had expired already has no revision.
    let after = effects.into_iter().next().and_then(|effect| effect.after);
    Ok(Stored::new(record, after.unwrap_or_else(|| Revision::new(""))))
}

/// Deletes a record, if it still has that revision; `NotFound` if there is none.
pub(crate) async fn delete(store: &FlagStore, key: &Key, expected: Option<&Revision>) -> Result<()> {
    let deleted = match key {
        Key::Flag(name) => store.delete_flag(name, expected).await?,
        Key::Override(flag, entity_type, id) => {
            store.delete_override(*flag, entity_type, id, expected).await?
        }
        Key::ScheduledChange(id) => store.delete_scheduled_change(*id, expected).await?,
        Key::TimeSchedule(id) => store.delete_time_schedule(*id, expected).await?,
        Key::RolloutPhase(id) => store.delete_rollout_phase(*id, expected).await?,
        Key::Segment(id) => store.delete_segment(*id, expected).await?,
        other => return Err(unknown(other)),
    };
    if deleted { Ok(()) } else { Err(Error::not_found(key.clone())) }
}

/// A kind of record that a later version of the library adds.
pub(crate) fn unknown(key: &Key) -> Error {
    Error::unsupported("this version of flags cannot do that with a record of this kind")
        .with_key(key.clone())
}

#[cfg(test)]
mod tests {
    use super::with_prefix;

    #[test]
    fn a_prefix_becomes_a_parameter_of_redis_alone() {
        assert_eq!(with_prefix("redis://h", None), "redis://h");
        assert_eq!(with_prefix("redis://h", Some("a b:")), "redis://h?prefix=a%20b%3A");
        assert_eq!(
            with_prefix("rediss://h/1?foreign=index", Some("p")),
            "rediss://h/1?foreign=index&prefix=p"
        );
        assert_eq!(with_prefix("memory:", Some("p")), "memory:");
        assert_eq!(with_prefix("file:f.json", Some("p")), "file:f.json");
    }
}
