//! [`Store`]: a storage handle whose every call is bounded and whose every surprise is a failure.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use flags_core::storage::{Batch, Capability, Effect, Expect, Limits, Query, Revision, Stored};
use flags_core::{Error, ErrorKind, Key, Kind, Record, Result, StorageHandle};
use futures_util::StreamExt;

use crate::stop::{Checked, Stop, describe, ensure, equal, fail, short, unexpected};
use crate::watching::Watching;

/// How long one call, or one item of a listing or watch, may take. Generous: it tells a hang from a slow
/// machine.
pub(crate) const BOUND: Duration = Duration::from_secs(10);

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(2);

/// The outcome of a call, if it came in time.
pub(crate) async fn bounded<T>(what: &str, call: impl Future<Output = T>) -> Checked<T> {
    tokio::time::timeout(BOUND, call)
        .await
        .map_err(|_| Stop::failed(format!("{what}: expected an answer within {BOUND:?}, came none")))
}

/// What a listing gave.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) records: Vec<Stored>,
    pub(crate) corrupt: Vec<Error>,
}

impl Listed {
    /// The keys of the records, sorted, each as often as it came.
    pub(crate) fn keys(&self) -> Vec<Key> {
        sorted(self.records.iter().map(|stored| stored.record.key()))
    }
}

/// Everything that the store holds.
pub(crate) type Contents = BTreeMap<Key, Stored>;

/// A handle on the store.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) handle: StorageHandle,
}

impl Store {
    pub(crate) fn new(handle: StorageHandle) -> Self {
        Self { handle }
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.handle.descriptor().limits()
    }

    fn lags(&self) -> bool {
        self.handle.descriptor().has(Capability::LaggingReads)
    }

    /// Commits, whatever comes of it.
    pub(crate) async fn try_commit(&self, what: &str, batch: Batch) -> Checked<Result<Vec<Effect>>> {
        bounded(what, self.handle.commit(batch)).await
    }

    /// Commits what must be accepted.
    pub(crate) async fn commit(&self, what: &str, batch: Batch) -> Checked<Vec<Effect>> {
        let ops = batch.len();
        let effects = self.try_commit(what, batch).await?.map_err(|error| unexpected(what, &error))?;
        ensure!(
            effects.len() == ops,
            "{what}: expected one effect for each of {ops} operations, came {effects:?}"
        );
        Ok(effects)
    }

    /// Commits one operation that must be accepted.
    pub(crate) async fn commit_one(&self, what: &str, batch: Batch) -> Checked<Effect> {
        let mut effects = self.commit(what, batch).await?;
        match (effects.pop(), effects.is_empty()) {
            (Some(effect), true) => Ok(effect),
            _ => Err(Stop::failed(format!("{what}: expected one effect"))),
        }
    }

    /// Writes a record, and gives its revision.
    pub(crate) async fn put(&self, record: &Record, expect: Expect) -> Checked<Revision> {
        let what = format!("putting {} with {expect:?}", record.key());
        let effect = self.commit_one(&what, Batch::new().put(record.clone(), expect)).await?;
        effect
            .after
            .ok_or_else(|| Stop::failed(format!("{what}: expected the effect to hold the new revision")))
    }

    /// Writes new records, in batches within the limits.
    pub(crate) async fn fill(&self, records: &[Record]) -> Checked {
        for chunk in records.chunks(self.limits().batch_ops.clamp(1, 1_000)) {
            let batch =
                chunk.iter().fold(Batch::new(), |batch, record| batch.put(record.clone(), Expect::Absent));
            self.commit("creating many records", batch).await?;
        }
        Ok(())
    }

    /// Removes a record, and gives the effect.
    pub(crate) async fn delete(&self, key: &Key, expect: Expect) -> Checked<Effect> {
        self.commit_one(&format!("deleting {key} with {expect:?}"), Batch::new().delete(key.clone(), expect))
            .await
    }

    /// Commits what must be refused, with that kind of error and naming that key, and must change nothing.
    pub(crate) async fn refused(
        &self,
        what: &str,
        batch: Batch,
        kind: ErrorKind,
        key: &Key,
    ) -> Checked<Error> {
        let error = self.refused_with(what, batch, kind).await?;
        equal(&format!("{what}: the key that the error names"), &error.key(), &Some(key))?;
        Ok(error)
    }

    /// Like [`refused`](Self::refused), of an error that need not name a key.
    pub(crate) async fn refused_with(&self, what: &str, batch: Batch, kind: ErrorKind) -> Checked<Error> {
        let before = self.contents().await?;
        let error = match self.try_commit(what, batch).await? {
            Err(error) if error.kind() == kind => error,
            Err(error) => fail!("{what}: expected the error `{kind}`, came {}", describe(&error)),
            Ok(effects) => fail!("{what}: expected the error `{kind}`, came success: {effects:?}"),
        };
        let after = self.contents().await?;
        let unchanged = |(key, stored): &(&Key, &Stored), other: &Contents| other.get(*key) == Some(*stored);
        let lost: Vec<_> = before.iter().filter(|entry| !unchanged(entry, &after)).collect();
        let new: Vec<_> = after.iter().filter(|entry| !unchanged(entry, &before)).collect();
        ensure!(
            lost.is_empty() && new.is_empty(),
            "{what}: it was refused, so nothing may change: expected still {}, came {}",
            short(&lost),
            short(&new)
        );
        Ok(error)
    }

    /// One call of `get`, which must be answered.
    pub(crate) async fn get_all(&self, keys: &[Key]) -> Checked<Vec<Result<Option<Stored>>>> {
        let what = format!("get of {}", short(keys));
        let answers =
            bounded(&what, self.handle.get(keys)).await?.map_err(|error| unexpected(&what, &error))?;
        ensure!(
            answers.len() == keys.len(),
            "{what}: expected {} answers, came {}",
            keys.len(),
            answers.len()
        );
        Ok(answers)
    }

    /// What `get` answers for one key, which must not be corrupt.
    pub(crate) async fn get(&self, key: &Key) -> Checked<Option<Stored>> {
        let mut answers = self.get_all(std::slice::from_ref(key)).await?;
        answers
            .pop()
            .ok_or_else(|| Stop::failed(format!("get of {key}: no answer")))?
            .map_err(|error| unexpected(&format!("get of {key}"), &error))
    }

    /// The error that `get` answers for a record that must be corrupt.
    pub(crate) async fn corrupt(&self, key: &Key) -> Checked<Error> {
        match self.get_all(std::slice::from_ref(key)).await?.pop() {
            Some(Err(error)) if error.kind() == ErrorKind::Corrupt => Ok(error),
            other => Err(Stop::failed(format!(
                "get of {key}, whose bytes are no such record: expected `corrupt`, came {}",
                short(&other)
            ))),
        }
    }

    /// The store holds nothing under that key.
    pub(crate) async fn absent(&self, what: &str, key: &Key) -> Checked {
        self.settles(async || {
            let stored = self.get(key).await?;
            ensure!(stored.is_none(), "{what}: expected {key} to be absent, came {}", short(&stored));
            Ok(())
        })
        .await
    }

    /// The store holds exactly this record.
    pub(crate) async fn holds(&self, what: &str, record: &Record) -> Checked<Stored> {
        let key = record.key();
        self.settles(async || match self.get(&key).await? {
            Some(stored) if stored.record == *record => Ok(stored),
            other => Err(Stop::failed(format!("{what}: expected {}, came {}", short(record), short(&other)))),
        })
        .await
    }

    /// Reads a listing to its end.
    pub(crate) async fn list(&self, query: Query) -> Checked<Listed> {
        let what = format!("listing {query:?}");
        let mut stream = self.handle.list(query);
        let mut listed = Listed::default();
        while let Some(item) = bounded(&what, stream.next()).await? {
            match item {
                Ok(stored) => listed.records.push(stored),
                Err(error) if error.kind() == ErrorKind::Corrupt => listed.corrupt.push(error),
                Err(error) => return Err(unexpected(&what, &error)),
            }
        }
        Ok(listed)
    }

    /// The listing yields exactly these records, once each.
    pub(crate) async fn lists(
        &self,
        what: &str,
        query: Query,
        keys: impl IntoIterator<Item = Key>,
    ) -> Checked {
        let keys = sorted(keys);
        self.settles(async || {
            let listed = self.list(query.clone()).await?;
            ensure!(
                listed.corrupt.is_empty(),
                "{what}: listing {query:?}: came corrupt: {:?}",
                listed.corrupt
            );
            // How much more often a key was expected than it came.
            let mut owed: BTreeMap<&Key, isize> = BTreeMap::new();
            keys.iter().for_each(|key| *owed.entry(key).or_default() += 1);
            let came = listed.keys();
            came.iter().for_each(|key| *owed.entry(key).or_default() -= 1);
            let missing: Vec<_> = owed.iter().filter(|(_, owed)| **owed > 0).map(|(key, _)| key).collect();
            let surplus: Vec<_> = owed.iter().filter(|(_, owed)| **owed < 0).map(|(key, _)| key).collect();
            ensure!(
                missing.is_empty() && surplus.is_empty(),
                "{what}: listing {query:?}: expected each of {} records once, came without {} and with, besides, {}",
                keys.len(),
                short(&missing),
                short(&surplus)
            );
            Ok(())
        })
        .await
    }

    /// Everything that listings show and that is not corrupt.
    pub(crate) async fn contents(&self) -> Checked<Contents> {
        let mut contents = Contents::new();
        for kind in Kind::ALL {
            for stored in self.list(Query::All(kind)).await?.records {
                contents.insert(stored.record.key(), stored);
            }
        }
        Ok(contents)
    }

    /// A watch that follows: its first `Resync` was read.
    pub(crate) async fn watch(&self) -> Checked<Watching> {
        let stream =
            bounded("watch", self.handle.watch()).await?.map_err(|error| unexpected("watch", &error))?;
        Watching::new(stream).await
    }

    /// The check holds; of a backend whose reads may lag, before long.
    async fn settles<T>(&self, check: impl AsyncFn() -> Checked<T>) -> Checked<T> {
        if self.lags() { eventually(check).await } else { check().await }
    }
}

/// The check holds before long; otherwise the last failure.
pub(crate) async fn eventually<T>(check: impl AsyncFn() -> Checked<T>) -> Checked<T> {
    let deadline = tokio::time::Instant::now() + BOUND;
    loop {
        match check().await {
            Err(Stop::Failed(_)) if tokio::time::Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            outcome => return outcome,
        }
    }
}

fn sorted(keys: impl IntoIterator<Item = Key>) -> Vec<Key> {
    let mut keys: Vec<Key> = keys.into_iter().collect();
    keys.sort();
    keys
}
