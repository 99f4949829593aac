//! Listing: sources of records, read one page at a time as the stream is polled.

use std::collections::{HashMap, HashSet, VecDeque};

use flags_core::storage::{BoxStream, Query, Stored};
use flags_core::{Error, ErrorKind, FlagId, FlagKey, Key, Kind, Record, Result, Timestamp};
use futures_util::stream::{self, StreamExt as _};

use super::RedisStorage;
use super::source::{Page, Source};
use crate::deadline;
use crate::options::Foreign;

/// How many characters an error shows of what is no name.
const SHOWN: usize = 64;

/// What a listing has yet to read, and what it has read and not yet yielded.
pub(super) struct Listing<'a> {
    pub(super) store: &'a RedisStorage,
    query: Query,
    sources: VecDeque<Source>,
    ready: VecDeque<Result<Stored>>,
    /// Sources overlap, and a cursor may show a member twice.
    seen: HashSet<Key>,
    /// The members that are no names.
    nameless: HashSet<Vec<u8>>,
}

impl RedisStorage {
    pub(super) fn list_records(&self, query: Query) -> BoxStream<'_, Result<Stored>> {
        let listing = Listing::new(self, query);
        stream::unfold(listing, |mut listing| async move {
            let item = listing.next().await?;
            Some((item, listing))
        })
        .fuse()
        .boxed()
    }

    /// The keys of the flags with those ids, by reading every flag once: for flags of another writer. Of
    /// several with one id it is the first.
    pub(super) async fn search_flags(&self, ids: &HashSet<FlagId>) -> Result<HashMap<FlagId, FlagKey>> {
        let mut found: HashMap<FlagId, FlagKey> = HashMap::new();
        let mut flags = Listing::new(self, Query::All(Kind::Flag));
        while let Some(item) = flags.step().await? {
            if let Ok(Stored { record: Record::Flag(flag), .. }) = item
                && ids.contains(&flag.id)
                && found.get(&flag.id).is_none_or(|first| flag.key < *first)
            {
                found.insert(flag.id, flag.key.clone());
            }
        }
        Ok(found)
    }
}

impl<'a> Listing<'a> {
    pub(super) fn new(store: &'a RedisStorage, query: Query) -> Self {
        let sources = sources(store, &query);
        Self { store, query, sources, ready: VecDeque::new(), seen: HashSet::new(), nameless: HashSet::new() }
    }

    /// The next item, within the deadline. An error of the store is the last.
    async fn next(&mut self) -> Option<Result<Stored>> {
        // What was read before the store was closed is not shown after.
        if self.ready.is_empty() && self.sources.is_empty() {
            return None;
        }
        let store = self.store;
        let outcome = store.reading(self.step()).await;
        outcome.unwrap_or_else(|error| {
            self.sources.clear();
            self.ready.clear();
            Some(Err(error))
        })
    }

    /// The next item; the outer error is the store's.
    pub(super) async fn step(&mut self) -> Result<Option<Result<Stored>>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(Some(item));
            }
            // Taken off only once it is read: the future may be dropped in between.
            let Some(source) = self.sources.front().cloned() else {
                return Ok(None);
            };
            let page = source.read(self.store).await?;
            deadline::put_off(false);
            self.sources.pop_front();
            self.take(page);
        }
    }

    fn take(&mut self, page: Page) {
        for (key, bytes) in page.records {
            match key {
                Ok(key) => self.add(key, &bytes, page.now),
                Err(member) => self.add_nameless(member),
            }
        }
        if matches!(self.query, Query::Alias(_)) && !self.ready.is_empty() {
            // An alias names one record.
            self.ready.truncate(1);
            self.sources.clear();
            return;
        }
        for mut next in page.then.into_iter().rev() {
            match &mut next {
                // Sources overlap: what one has shown is not read again for the next.
                Source::Keys(keys) => {
                    keys.retain(|key| !self.seen.contains(key));
                    if keys.is_empty() {
                        continue;
                    }
                }
                Source::Nameless { members, .. } => {
                    members.retain(|member| !self.nameless.contains(member));
                    if members.is_empty() {
                        continue;
                    }
                }
                _ => {}
            }
            self.sources.push_front(next);
        }
    }

    fn add_nameless(&mut self, member: Vec<u8>) {
        if !matches!(self.query, Query::Alias(_)) && !self.nameless.contains(&member) {
            self.ready.push_back(Err(stray(&member)));
            self.nameless.insert(member);
        }
    }

    fn add(&mut self, key: Key, bytes: &[u8], now: Option<Timestamp>) {
        if self.seen.contains(&key) {
            return;
        }
        match self.store.decode(&key, bytes, now) {
            Ok(Some(stored)) if self.query.matches(&stored.record) => self.ready.push_back(Ok(stored)),
            // An alias names one record, and a corrupt one is not known to be it.
            Err(error) if !matches!(self.query, Query::Alias(_)) => self.ready.push_back(Err(error)),
            _ => {}
        }
        self.seen.insert(key);
    }
}

/// A record of another writer, under what is no name here: too long, or not text.
fn stray(name: &[u8]) -> Error {
    let text = String::from_utf8_lossy(name);
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().count() > SHOWN {
        shown.push('…');
    }
    let reason =
        format!("an index names a record \"{shown}\", which is no name; rename or remove the record");
    Error::new(ErrorKind::Corrupt, reason)
}

fn sources(store: &RedisStorage, query: &Query) -> VecDeque<Source> {
    let mut sources = VecDeque::new();
    match query {
        Query::All(kind) => {
            sources.push_back(Source::Sorted { index: store.keyspace.all(*kind), kind: *kind });
            if store.foreign == Foreign::Scan {
                match kind {
                    Kind::Override => sources.push_back(Source::scan(None)),
                    Kind::RolloutPhase => sources.push_back(Source::PhasesOfFlags),
                    _ => {}
                }
            }
        }
        Query::Owned(kind, owner) if Kind::OWNED.contains(kind) => {
            sources.push_back(Source::Sorted { index: store.keyspace.owned(*kind, *owner), kind: *kind });
            if store.foreign == Foreign::Scan && *kind == Kind::Override {
                sources.push_back(Source::scan(Some(*owner)));
            }
        }
        Query::Alias(alias) => {
            sources.push_back(Source::Alias(alias.clone()));
        }
        // Nothing owns flags and segments, and a later kind of query finds nothing here.
        _ => {}
    }
    sources
}
