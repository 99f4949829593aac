//! Looking for what is wrong with the way the records are kept: from the indexes to the records, then the
//! other way.
//!
//! Nothing is held still meanwhile, so a finding is what was seen at one moment. Mending is exact
//! nevertheless: each change is made by a script that judges again.

mod aliases;
mod entries;
mod mend;
mod values;

use std::collections::{HashSet, VecDeque};

use flags_core::storage::{BoxStream, Finding, Flaw, Remedy};
use flags_core::{Error, ErrorKind, FlagId, Key, Kind, Result};
use futures_util::stream::{self, StreamExt as _};

use super::RedisStorage;
use super::cursor::Cursor;
use crate::error::from_useless;
use crate::reply::{Command, Reply, Useless};
use mend::Mending;

/// How many members or keys one page asks for.
const PAGE: &str = "500";

/// A place to look at, and how far it was read.
#[derive(Debug, Clone)]
enum Step {
    /// The entries of an index: of all records of a kind, or of those of one flag.
    Entries { kind: Kind, owner: Option<FlagId>, cursor: Cursor },
    /// The hash from aliases to records.
    Aliases { kind: Kind, cursor: Cursor },
    /// Everything under the prefix.
    Values { cursor: Cursor },
}

struct Inspection<'a> {
    store: &'a RedisStorage,
    mends: bool,
    steps: VecDeque<Step>,
    ready: VecDeque<Finding>,
    /// Cursors may show an entry twice.
    seen: HashSet<(Flaw, String, Option<Key>)>,
}

/// What a page found, with how to mend it.
struct Found {
    finding: Finding,
    mending: Option<Mending>,
}

/// What one page came to: findings, and where to look next.
#[derive(Default)]
struct Page {
    found: Vec<Found>,
    then: Vec<Step>,
}

impl RedisStorage {
    /// Looks for index entries without records, records outside their indexes (the overrides that the origin
    /// writes, among others), aliases that lead nowhere and keys of another type. Reads every key under the
    /// prefix, page by page; each page has the [deadline](crate::RedisBuilder::deadline) to itself, and other
    /// clients go on meanwhile.
    ///
    /// With `mend`, what can be mended without losing anything is: entries are added or removed, each on the
    /// condition that its record is what it was when it was judged. No record is ever changed or deleted.
    ///
    /// # Errors
    ///
    /// The last item: whatever kept it from going on; `Denied` where this user may not use `SCAN`, `HSCAN`,
    /// `HGET`, `SISMEMBER`, `ZSCORE` or `TYPE`.
    ///
    /// # Cancellation
    ///
    /// May be dropped at any time; what was mended stays mended.
    pub fn inspect(&self, mend: bool) -> BoxStream<'_, Result<Finding>> {
        let inspection = Inspection::new(self, mend);
        stream::unfold(inspection, |mut inspection| async move {
            let item = inspection.next().await?;
            Some((item, inspection))
        })
        .fuse()
        .boxed()
    }
}

impl<'a> Inspection<'a> {
    fn new(store: &'a RedisStorage, mends: bool) -> Self {
        let entries = Kind::ALL.into_iter().map(|kind| Step::entries(kind, None));
        let aliases =
            [Kind::Flag, Kind::Segment].map(|kind| Step::Aliases { kind, cursor: Cursor::default() });
        let steps = entries.chain(aliases).chain([Step::Values { cursor: Cursor::default() }]).collect();
        Self { store, mends, steps, ready: VecDeque::new(), seen: HashSet::new() }
    }

    async fn next(&mut self) -> Option<Result<Finding>> {
        loop {
            if let Some(finding) = self.ready.pop_front() {
                return Some(Ok(finding));
            }
            // Taken off only once it is done: the future may be dropped in between.
            let step = self.steps.front().cloned()?;
            if let Err(error) = self.page(step).await {
                self.steps.clear();
                return Some(Err(explained(error)));
            }
        }
    }

    async fn page(&mut self, step: Step) -> Result<()> {
        let store = self.store;
        let page = store
            .reading(async {
                match step {
                    Step::Entries { kind, owner, cursor } => entries::page(store, kind, owner, cursor).await,
                    Step::Aliases { kind, cursor } => aliases::page(store, kind, cursor).await,
                    Step::Values { cursor } => values::page(store, cursor).await,
                }
            })
            .await?;
        let mut fresh = Vec::new();
        for found in page.found {
            let finding = &found.finding;
            if self.seen.insert((finding.flaw, finding.place.clone(), finding.key.clone())) {
                fresh.push(found);
            }
        }
        if self.mends {
            store.mend(&mut fresh).await?;
        }
        self.ready.extend(fresh.into_iter().map(|found| found.finding));
        self.steps.pop_front();
        page.then.into_iter().rev().for_each(|step| self.steps.push_front(step));
        Ok(())
    }
}

impl Step {
    fn entries(kind: Kind, owner: Option<FlagId>) -> Self {
        Self::Entries { kind, owner, cursor: Cursor::default() }
    }
}

impl Found {
    fn mendable(flaw: Flaw, place: String, key: Option<Key>, mending: Mending) -> Self {
        let finding = Finding::new(flaw, place, Remedy::Mendable).with_key(key);
        Self { finding, mending: Some(mending) }
    }

    fn by_hand(flaw: Flaw, place: String, key: Option<Key>) -> Self {
        Self { finding: Finding::new(flaw, place, Remedy::ByHand).with_key(key), mending: None }
    }
}

/// One page of an index, and the cursor of the next. `None` where the key holds another type.
async fn scanned(
    store: &RedisStorage,
    command: &str,
    key: &str,
    cursor: &Cursor,
) -> Result<Option<(Option<Cursor>, Vec<Vec<u8>>)>> {
    let command = Command::new(command).arg(key).arg(cursor.at()).args(["COUNT", PAGE]);
    match cursor.try_read(store, &[command]).await? {
        Ok((cursor, items)) => {
            let items =
                items.into_iter().map(Reply::bytes).collect::<Result<_, _>>().map_err(from_useless)?;
            Ok(Some((cursor, items)))
        }
        Err(Useless::Server(error)) if error.code == "WRONGTYPE" => Ok(None),
        Err(other) => Err(from_useless(other)),
    }
}

/// Opening a store does not ask for all of these permissions.
fn explained(error: Error) -> Error {
    if error.kind() != ErrorKind::Denied {
        return error;
    }
    let reason = "the server does not permit this user all of SCAN, HSCAN, HGET, SISMEMBER, ZSCORE and TYPE, which an inspection needs; \
                  grant them, or inspect as another user";
    Error::new(ErrorKind::Denied, reason).with_source(error)
}
