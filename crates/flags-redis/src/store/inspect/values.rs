//! From the records to the indexes that have to name them.

use flags_core::storage::Flaw;
use flags_core::{Key, Kind, Record, Result, Timestamp};

use super::super::RedisStorage;
use super::super::cursor::Cursor;
use super::super::get::now;
use super::super::plan::last_millisecond;
use super::super::source::one;
use super::mend::{Mending, redis_key};
use super::{Found, PAGE, Page, Step};
use crate::error::{from_server, from_useless};
use crate::keyspace::{Keyspace, Place, alias_field, member};
use crate::reply::{Command, Reply};

pub(super) async fn page(store: &RedisStorage, cursor: Cursor) -> Result<Page> {
    let scan = Command::new("SCAN").arg(cursor.at()).arg("MATCH").arg(store.keyspace.pattern());
    let (cursor, items) = cursor.read(store, &[scan.args(["COUNT", PAGE])]).await?;
    let (mut page, mut keys) = (Page::default(), Vec::new());
    for item in items {
        // What is neither belongs to another store whose prefix begins with ours.
        match store.keyspace.place(&item.bytes().map_err(from_useless)?) {
            Some(Place::Record(key)) => keys.push(key),
            Some(Place::Index(kind, owner)) => page.then.push(Step::entries(kind, Some(owner))),
            None => {}
        }
    }
    page.then.extend(cursor.map(|cursor| Step::Values { cursor }));
    if keys.is_empty() {
        return Ok(page);
    }
    let commands = [Command::mget(keys.iter().map(|key| store.keyspace.record(key))), Command::new("TIME")];
    let mut replies = store.read(&commands).await?.into_iter();
    let values = replies.next().unwrap_or(Reply::Nil).values(keys.len()).map_err(from_useless)?;
    let now = now(replies.next())?;
    let mut kept = Vec::new();
    for (key, value) in keys.into_iter().zip(values) {
        match value {
            Some(value) => kept.extend(Kept::new(key, value, now)),
            None => page.found.extend(of_wrong_type(store, key).await?),
        }
    }
    page.found.extend(unindexed(store, &kept).await?);
    Ok(page)
}

/// A record that decodes and has not expired. What is wrong with the others, listings tell.
struct Kept {
    key: Key,
    value: Vec<u8>,
    record: Record,
}

impl Kept {
    fn new(key: Key, value: Vec<u8>, now: Option<Timestamp>) -> Option<Self> {
        let record = Record::decode(&key, &value).ok()?;
        let alive = !now.is_some_and(|now| record.is_expired(now));
        alive.then_some(Self { key, value, record })
    }

    fn in_index(&self, store: &RedisStorage, index: String) -> Entry<'_> {
        let name = member(&self.key);
        let mending = Mending::with(redis_key(store, &self.key), &self.value, &index);
        let (ask, mending) = match self.record.expires_at() {
            _ if self.key.kind() != Kind::Override => ("SISMEMBER", mending.by("SADD", [name.clone()])),
            None => ("ZSCORE", mending.by("ZADD", ["+inf".to_owned(), name.clone()])),
            Some(at) => ("ZSCORE", mending.by("ZADD", [last_millisecond(at).to_string(), name.clone()])),
        };
        let question = Command::new(ask).arg(index.as_str()).arg(name);
        Entry { kept: self, place: index, question, mending, wanted: None }
    }

    /// Every entry that has to be there.
    fn entries(&self, store: &RedisStorage) -> Vec<Entry<'_>> {
        let kind = self.key.kind();
        let indexes = std::iter::once(store.keyspace.all(kind))
            .chain(self.record.owner().map(|owner| store.keyspace.owned(kind, owner)));
        let mut entries: Vec<_> = indexes.map(|index| self.in_index(store, index)).collect();
        if let Some(alias) = self.record.alias() {
            let (hash, field, name) = (store.keyspace.aliases(kind), alias_field(&alias), member(&self.key));
            let mending = Mending::with(redis_key(store, &self.key), &self.value, &hash);
            let mending = mending.by("HSETNX", [field.as_str(), name.as_str()]);
            let question = Command::new("HGET").arg(hash.as_str()).arg(field.as_str());
            let place = format!("{hash} {field}");
            entries.push(Entry { kept: self, place, question, mending, wanted: Some(name) });
        }
        entries
    }
}

/// An entry that a record has to have, and how to ask for it.
struct Entry<'a> {
    kept: &'a Kept,
    place: String,
    question: Command,
    mending: Mending,
    /// What the alias has to lead to.
    wanted: Option<String>,
}

async fn unindexed(store: &RedisStorage, kept: &[Kept]) -> Result<Vec<Found>> {
    let entries: Vec<_> = kept.iter().flat_map(|kept| kept.entries(store)).collect();
    let questions: Vec<_> = entries.iter().map(|entry| entry.question.clone()).collect();
    let mut found = Vec::new();
    if questions.is_empty() {
        return Ok(found);
    }
    for (entry, answer) in entries.into_iter().zip(store.read(&questions).await?) {
        let key = entry.kept.key.clone();
        let flaw = match answer {
            Reply::Nil | Reply::Int(0) => Flaw::Unindexed,
            // Who bears it is told by the record that the alias leads to; one that does not is found there.
            Reply::Bytes(other)
                if entry.wanted.as_ref().is_some_and(|wanted| wanted.as_bytes() != other)
                    && is_shared(store, entry.kept, &other).await? =>
            {
                Flaw::SharedAlias
            }
            Reply::Int(_) | Reply::Bytes(_) | Reply::List(_) | Reply::Odd => continue,
            // An index of another type is found as such.
            Reply::Error(error) if error.code == "WRONGTYPE" => continue,
            Reply::Error(error) => return Err(from_server(error)),
        };
        found.push(match flaw {
            Flaw::Unindexed => Found::mendable(flaw, entry.place, Some(key), entry.mending),
            _ => Found::by_hand(flaw, entry.place, Some(key)),
        });
    }
    Ok(found)
}

/// Whether the record that the alias leads to bears it as well.
async fn is_shared(store: &RedisStorage, kept: &Kept, other: &[u8]) -> Result<bool> {
    let kind = kept.key.kind();
    let value = one(store.read(&[Command::new("GET").arg(store.keyspace.named(kind, other))]).await?);
    let Ok(Some(value)) = value.optional() else { return Ok(false) };
    let other = Keyspace::parse_member(kind, other);
    let record = other.and_then(|other| Record::decode(&other, &value).ok());
    Ok(record.is_some_and(|record| record.alias() == kept.record.alias()))
}

/// `MGET` answers nothing for a key of another type, as for one that is gone.
async fn of_wrong_type(store: &RedisStorage, key: Key) -> Result<Option<Found>> {
    let place = store.keyspace.record(&key);
    let kind = one(store.read(&[Command::new("TYPE").arg(place.as_str())]).await?);
    let wrong = !matches!(kind.text().map_err(from_useless)?.as_str(), "none" | "string");
    Ok(wrong.then(|| Found::by_hand(Flaw::WrongType, place, Some(key))))
}
