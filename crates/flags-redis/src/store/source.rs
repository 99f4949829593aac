//! [`Source`]: one place where a listing finds records, and how a page of it is read.

use std::sync::atomic::Ordering;

use flags_core::storage::{Query, Stored};
use flags_core::{Alias, FlagId, Key, Kind, Record, Result, Timestamp};
use futures_util::future::BoxFuture;

use super::RedisStorage;
use super::cursor::Cursor;
use super::get::now;
use super::list::Listing;
use crate::connection::Access;
use crate::deadline;
use crate::error::from_useless;
use crate::keyspace::{Keyspace, alias_field};
use crate::reply::{Command, Reply, Useless};

/// How many records one `SORT` reads at most: the server is busy for as long.
const SORTED: i64 = 10_000;
/// How many keys one page asks for.
const PAGE: usize = 500;
/// How many keys of the server one page of a scan looks at: a few milliseconds of its time.
const SCANNED: &str = "10000";

/// How many members are asked for where all are wanted; ten times as many is still a number to every server.
const WHOLE: &str = "100000000";

#[derive(Debug, Clone)]
pub(super) enum Source {
    /// An index with its records, by `SORT ... GET`: one round trip.
    Sorted { index: String, kind: Kind },
    /// An index by cursor, for one that is large or where `SORT` is refused.
    Paged { index: String, kind: Kind, cursor: Cursor },
    /// The overrides in the keyspace, for those that are in no index.
    Scanned { owner: Option<FlagId>, cursor: Cursor },
    /// The phases of every flag, for those that are in no common index.
    PhasesOfFlags,
    /// The record that the alias hash names, else the first of every record of that kind.
    Alias(Alias),
    /// Records by name.
    Keys(Vec<Key>),
    /// Members of an index that are no names.
    Nameless { kind: Kind, members: Vec<Vec<u8>> },
}

/// The record that a member of an index names, or the member where it is no name.
type Named = Result<Key, Vec<u8>>;

/// What was read: values by what named them, and what to read next.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) records: Vec<(Named, Vec<u8>)>,
    pub(super) now: Option<Timestamp>,
    pub(super) then: Vec<Source>,
}

impl Page {
    fn then(then: Vec<Source>) -> Self {
        Self { then, ..Self::default() }
    }
}

impl Source {
    pub(super) fn scan(owner: Option<FlagId>) -> Self {
        Self::Scanned { owner, cursor: Cursor::default() }
    }

    /// Boxed, since some sources are read by listing others.
    pub(super) fn read(self, store: &RedisStorage) -> BoxFuture<'_, Result<Page>> {
        Box::pin(async move {
            match self {
                Self::Sorted { index, kind } => sorted(store, index, kind).await,
                Self::Paged { index, kind, cursor } => paged(store, index, kind, cursor).await,
                Self::Scanned { owner, cursor } => {
                    let (cursor, keys) = store.scan_overrides(owner, cursor).await?;
                    let mut then = by_page(&keys);
                    then.extend(cursor.map(|cursor| Self::Scanned { owner, cursor }));
                    Ok(Page::then(then))
                }
                Self::PhasesOfFlags => phases(store).await,
                Self::Alias(alias) => by_alias(store, alias).await,
                Self::Keys(keys) => {
                    let (values, now) = store.fetch(&keys).await?;
                    let found = keys.into_iter().zip(values);
                    let records = found.filter_map(|(key, value)| Some((Ok(key), value?))).collect();
                    Ok(Page { records, now, then: Vec::new() })
                }
                Self::Nameless { kind, members } => nameless(store, kind, members).await,
            }
        })
    }
}

async fn sorted(store: &RedisStorage, index: String, kind: Kind) -> Result<Page> {
    let from_start = |index| Source::Paged { index, kind, cursor: Cursor::default() };
    // SORT may store what it finds, and so is refused wherever a write is.
    if store.sort_refused.load(Ordering::Relaxed) || store.unwritable.load(Ordering::Relaxed) {
        return Ok(Page::then(vec![from_start(index)]));
    }
    let sort = Command::new("SORT")
        .arg(index.as_str())
        .args(["BY", "nosort", "LIMIT", "0"])
        .arg(SORTED.to_string())
        // Nothing, for each member: what has no asterisk names no key. So the answer does not begin with
        // stored bytes, which `driver::Link::send` forbids.
        .args(["GET", index.as_str(), "GET"])
        .arg(store.keyspace.sort_pattern(kind))
        .args(["GET", "#"]);
    let card = if kind == Kind::Override { "ZCARD" } else { "SCARD" };
    let mut commands = vec![sort, Command::new(card).arg(index.as_str())];
    if kind == Kind::Override {
        commands.push(Command::new("TIME"));
    }
    let mut replies = store.read_whole(&commands, Access::Cursor(None)).await?.replies.into_iter();
    let mut next = || replies.next().unwrap_or(Reply::Nil);
    let found = match next().list() {
        Ok(found) => found,
        Err(Useless::Server(error)) if error.is_denial() || error.is_unknown_command() => {
            store.sort_refused.store(true, Ordering::Relaxed);
            return Ok(Page::then(vec![from_start(index)]));
        }
        Err(Useless::Server(error)) if error.takes_no_writes() => {
            store.unwritable.store(true, Ordering::Relaxed);
            return Ok(Page::then(vec![from_start(index)]));
        }
        Err(other) => return Err(from_useless(other)),
    };
    let more = next().int().map_err(from_useless)? > SORTED;
    let now = now(replies.next())?;
    let mut records = Vec::with_capacity(found.len() / 3);
    let mut found = found.into_iter();
    while let (Some(_), Some(value), Some(member)) = (found.next(), found.next(), found.next()) {
        // An index may name what was deleted by another writer.
        if let Some(value) = value.optional().map_err(from_useless)? {
            records.push((named(kind, member.bytes().map_err(from_useless)?), value));
        }
    }
    Ok(Page { records, now, then: if more { vec![from_start(index)] } else { Vec::new() } })
}

async fn paged(store: &RedisStorage, index: String, kind: Kind, cursor: Cursor) -> Result<Page> {
    let command = if kind == Kind::Override { "ZSCAN" } else { "SSCAN" };
    let command =
        Command::new(command).arg(index.as_str()).arg(cursor.at()).arg("COUNT").arg(PAGE.to_string());
    let (cursor, items) = cursor.read(store, &[command]).await?;
    // ZSCAN gives each member with its score.
    let step = if kind == Kind::Override { 2 } else { 1 };
    let mut then = by_name(kind, items.into_iter().step_by(step))?;
    then.extend(cursor.map(|cursor| Source::Paged { index, kind, cursor }));
    Ok(Page::then(then))
}

fn named(kind: Kind, member: Vec<u8>) -> Named {
    Keyspace::parse_member(kind, &member).ok_or(member)
}

/// Those of the members under which there is something: an index may name what was deleted.
async fn nameless(store: &RedisStorage, kind: Kind, members: Vec<Vec<u8>>) -> Result<Page> {
    let keys = members.iter().map(|member| store.keyspace.named(kind, member));
    let values = one(store.read(&[Command::mget(keys)]).await?);
    let values = values.values(members.len()).map_err(from_useless)?;
    let found = members.into_iter().zip(values);
    let records = found.filter_map(|(member, value)| Some((Err(member), value?))).collect();
    Ok(Page { records, ..Page::default() })
}

async fn phases(store: &RedisStorage) -> Result<Page> {
    let mut flags = Listing::new(store, Query::All(Kind::Flag));
    let mut indexes = Vec::new();
    while let Some(item) = flags.step().await? {
        // The owner of a corrupt flag's phases is unknown; they are in our index or nowhere.
        if let Ok(stored) = item
            && let Record::Flag(flag) = stored.record
        {
            indexes.push((Kind::RolloutPhase, store.keyspace.owned(Kind::RolloutPhase, flag.id)));
        }
    }
    let mut members = Vec::new();
    for indexes in indexes.chunks(PAGE) {
        members.extend(store.members(indexes).await?.into_iter().flatten());
    }
    Ok(Page::then(by_name(Kind::RolloutPhase, members)?))
}

/// The record that the hash names has the alias. Where that is another by now, or none, it is the first of
/// all that claim it: a writer of another library may have given it to several, and which of them is met
/// first, and by which handle, must not matter.
async fn by_alias(store: &RedisStorage, alias: Alias) -> Result<Page> {
    let kind = alias.kind();
    let bears = |key: &Key, bytes: &[u8]| {
        Record::decode(key, bytes).is_ok_and(|record| record.alias().as_ref() == Some(&alias))
    };
    let found = |key: Key, bytes: Vec<u8>| Page { records: vec![(Ok(key), bytes)], ..Page::default() };
    // What this handle has seen is most often what the hash says; both are asked at once.
    let seen = store.known.holder(&alias);
    let mut asked = vec![Command::new("HGET").arg(store.keyspace.aliases(kind)).arg(alias_field(&alias))];
    asked.extend(seen.iter().map(|seen| Command::new("MGET").arg(store.keyspace.record(&seen.key))));
    let mut replies = store.read(&asked).await?.into_iter();
    let hint = replies.next().unwrap_or(Reply::Nil).optional().map_err(from_useless)?;
    let hint = hint.as_deref().and_then(|member| Keyspace::parse_member(kind, member));
    let seen = match (seen, replies.next()) {
        (Some(holder), Some(values)) => {
            let value = one(values.list().map_err(from_useless)?).optional().map_err(from_useless)?;
            value.filter(|bytes| bears(&holder.key, bytes)).map(|bytes| (holder, bytes))
        }
        _ => None,
    };
    match (hint, seen) {
        (Some(key), Some((holder, bytes))) if holder.key == key => return Ok(found(key, bytes)),
        (Some(key), seen) => {
            let (values, _) = store.fetch(std::slice::from_ref(&key)).await?;
            if let Some(bytes) = values.into_iter().next().flatten().filter(|bytes| bears(&key, bytes)) {
                return Ok(found(key, bytes));
            }
            if let Some((holder, bytes)) = seen.filter(|(holder, _)| holder.sure) {
                return Ok(found(holder.key, bytes));
            }
        }
        (None, Some((holder, bytes))) if holder.sure => return Ok(found(holder.key, bytes)),
        (None, _) => {}
    }
    let (mut all, mut first): (_, Option<Key>) = (Listing::new(store, Query::All(kind)), None);
    while let Some(item) = all.step().await? {
        if let Ok(Stored { record, .. }) = item
            && record.alias().as_ref() == Some(&alias)
        {
            let key = record.key();
            if first.as_ref().is_none_or(|first| key < *first) {
                first = Some(key);
            }
        }
    }
    let Some(first) = first else { return Ok(Page::default()) };
    store.known.first(alias, first.clone());
    Ok(Page::then(vec![Source::Keys(vec![first])]))
}

impl RedisStorage {
    /// What each of the indexes names: one round trip. Of overrides each is followed by when it expires, in
    /// milliseconds.
    ///
    /// By cursor, though all at once: a list of members would begin with stored bytes, which
    /// `driver::Link::send` forbids.
    pub(super) async fn members(&self, indexes: &[(Kind, String)]) -> Result<Vec<Vec<Reply>>> {
        let scan = |(kind, index): &(Kind, String), cursor: &Cursor| {
            let command = if *kind == Kind::Override { "ZSCAN" } else { "SSCAN" };
            Command::new(command).arg(index.as_str()).arg(cursor.at()).args(["COUNT", WHOLE])
        };
        let begin = Cursor::default();
        let commands: Vec<Command> = indexes.iter().map(|index| scan(index, &begin)).collect();
        let answer = self.asked(&commands, Access::Read).await?;
        let mut all = Vec::with_capacity(indexes.len());
        for (index, reply) in indexes.iter().zip(answer.replies) {
            let (mut cursor, mut members) = Cursor::page(reply, answer.link).map_err(from_useless)?;
            // No server that is known stops before the end.
            while let Some(at) = cursor {
                let more;
                (cursor, more) = at.read(self, &[scan(index, &at)]).await?;
                members.extend(more);
            }
            all.push(members);
        }
        Ok(all)
    }

    /// One page of the overrides in the keyspace, and the cursor of the next.
    pub(super) async fn scan_overrides(
        &self,
        owner: Option<FlagId>,
        cursor: Cursor,
    ) -> Result<(Option<Cursor>, Vec<Key>)> {
        let command = Command::new("SCAN")
            .arg(cursor.at())
            .arg("MATCH")
            .arg(self.keyspace.override_pattern(owner))
            .args(["COUNT", SCANNED]);
        // However many keys there are, each page has the deadline to itself.
        deadline::put_off(true);
        let (cursor, items) = cursor.read(self, &[command]).await?;
        let mut keys = Vec::with_capacity(items.len());
        for item in items {
            // What does not parse belongs to another store whose prefix begins with ours.
            keys.extend(self.keyspace.parse_override(&item.bytes().map_err(from_useless)?));
        }
        Ok((cursor, keys))
    }
}

fn by_page(keys: &[Key]) -> Vec<Source> {
    keys.chunks(PAGE).map(|keys| Source::Keys(keys.to_vec())).collect()
}

/// The records that members of indexes name, and apart from them what is no name.
fn by_name(kind: Kind, members: impl IntoIterator<Item = Reply>) -> Result<Vec<Source>> {
    let (mut keys, mut names) = (Vec::new(), Vec::new());
    for member in members {
        let member = member.bytes().map_err(from_useless)?;
        match Keyspace::parse_member(kind, &member) {
            Some(key) => keys.push(key),
            None => names.push(member),
        }
    }
    let mut sources = by_page(&keys);
    sources.extend(names.chunks(PAGE).map(|names| Source::Nameless { kind, members: names.to_vec() }));
    Ok(sources)
}

pub(super) fn one(replies: Vec<Reply>) -> Reply {
    replies.into_iter().next().unwrap_or(Reply::Nil)
}
