//! From an index to the records that it names.

use flags_core::storage::Flaw;
use flags_core::{FlagId, Key, Kind, Record, Result, Timestamp};

use super::super::RedisStorage;
use super::super::cursor::Cursor;
use super::super::get::now;
use super::super::source::one;
use super::mend::Mending;
use super::{Found, Page, Step, scanned};
use crate::error::from_useless;
use crate::keyspace::Keyspace;
use crate::reply::{Command, Reply};

pub(super) async fn page(
    store: &RedisStorage,
    kind: Kind,
    owner: Option<FlagId>,
    cursor: Cursor,
) -> Result<Page> {
    let sorted = kind == Kind::Override;
    let index = match owner {
        Some(owner) => store.keyspace.owned(kind, owner),
        None => store.keyspace.all(kind),
    };
    let Some((cursor, items)) =
        scanned(store, if sorted { "ZSCAN" } else { "SSCAN" }, &index, &cursor).await?
    else {
        return Ok(Page { found: vec![Found::by_hand(Flaw::WrongType, index, None)], then: Vec::new() });
    };
    let mut page = Page::default();
    if let Some(cursor) = cursor {
        page.then.push(Step::Entries { kind, owner, cursor });
    }
    let entries = entries(items, sorted);
    if entries.is_empty() {
        return Ok(page);
    }
    let keys: Vec<Vec<u8>> = entries.iter().map(|entry| store.keyspace.named(kind, &entry.member)).collect();
    let commands = [Command::mget(keys.iter().cloned()), Command::new("TIME")];
    let mut replies = store.read(&commands).await?.into_iter();
    let values = replies.next().unwrap_or(Reply::Nil).values(keys.len()).map_err(from_useless)?;
    let now = now(replies.next())?;
    let leave = if sorted { "ZREM" } else { "SREM" };
    for ((entry, record), value) in entries.into_iter().zip(keys).zip(values) {
        let key = Keyspace::parse_member(kind, &entry.member);
        let (flaw, mending) = match value {
            // The next write of an override trims what has expired.
            None if entry.has_expired(now) => continue,
            None if exists(store, &record).await? => continue,
            None => (Flaw::Dangling, Mending::without(record, &index)),
            Some(value) if is_anothers(key.as_ref(), &value, owner) => {
                (Flaw::Misplaced, Mending::with(record, &value, &index))
            }
            Some(_) => continue,
        };
        // A member that is no name tells itself by its place.
        let place = match &key {
            Some(_) => index.clone(),
            None => format!("{index} {}", String::from_utf8_lossy(&entry.member)),
        };
        page.found.push(Found::mendable(flaw, place, key, mending.by(leave, [entry.member])));
    }
    Ok(page)
}

struct Entry {
    member: Vec<u8>,
    /// Of an override: the last millisecond at which it is alive.
    score: Option<f64>,
}

impl Entry {
    fn has_expired(&self, now: Option<Timestamp>) -> bool {
        // Millisecond scores are exact in a float.
        #[allow(clippy::cast_precision_loss, reason = "milliseconds since the epoch are far below 2^53")]
        let now = now.map(|now| now.unix_micros().div_euclid(1_000) as f64);
        matches!((self.score, now), (Some(score), Some(now)) if score <= now)
    }
}

/// `ZSCAN` gives each member with its score.
fn entries(items: Vec<Vec<u8>>, sorted: bool) -> Vec<Entry> {
    let mut items = items.into_iter();
    let mut entries = Vec::new();
    while let Some(member) = items.next() {
        let score = if sorted { items.next() } else { None };
        let score = score.and_then(|score| std::str::from_utf8(&score).ok()?.parse().ok());
        entries.push(Entry { member, score });
    }
    entries
}

/// `MGET` answers nothing for a key of another type; that is found where the keys are looked at.
async fn exists(store: &RedisStorage, record: &[u8]) -> Result<bool> {
    let kind = one(store.read(&[Command::new("TYPE").arg(record)]).await?);
    Ok(kind.text().map_err(from_useless)? != "none")
}

/// Whether the index of a flag names what another flag owns. A corrupt record's owner is unknown.
fn is_anothers(key: Option<&Key>, value: &[u8], owner: Option<FlagId>) -> bool {
    let (Some(key), Some(owner)) = (key, owner) else { return false };
    Record::decode(key, value).is_ok_and(|record| record.owner().is_some_and(|actual| actual != owner))
}
