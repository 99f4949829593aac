//! Faults of `get`, `list` and `watch`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use flags_core::storage::{Batch, BoxStream, Change, Effect, Expect, Op, Query, Revision, Storage, Stored};
use flags_core::{Json, Key, Record, Result};
use flags_memory::MemoryStorage;
use futures_util::{StreamExt, stream};

use crate::broken::Fault;

/// The first read of a record after a commit answers what was there before.
#[derive(Debug, Default)]
pub(crate) struct Lagging {
    before: Mutex<HashMap<Key, Option<Stored>>>,
}

#[async_trait]
impl Fault for Lagging {
    async fn get(&self, sound: &MemoryStorage, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>> {
        let answers = sound.get(keys).await?;
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(keys.iter().zip(answers).map(|(key, answer)| before.remove(key).map_or(answer, Ok)).collect())
    }

    async fn commit(&self, sound: &MemoryStorage, batch: Batch) -> Result<Vec<Effect>> {
        for op in batch.ops() {
            let answer = sound.get(&[op.key()]).await.ok().and_then(|mut answers| answers.pop());
            if let Some(Ok(stored)) = answer {
                self.before.lock().unwrap_or_else(PoisonError::into_inner).insert(op.key(), stored);
            }
        }
        sound.commit(batch).await
    }
}

/// Numbers pass through 64 bits.
#[derive(Debug)]
pub(crate) struct Rounding;

#[async_trait]
impl Fault for Rounding {
    async fn get(&self, sound: &MemoryStorage, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>> {
        let round = |mut stored: Stored| {
            if let Record::Flag(flag) = &stored.record {
                let mut flag = (**flag).clone();
                flag.default_value = flag
                    .default_value
                    .map(|value| value.to::<f64>().map_or(value, |n| Json::new(&n).unwrap_or_default()));
                stored.record = flag.into();
            }
            stored
        };
        Ok(sound.get(keys).await?.into_iter().map(|answer| answer.map(|stored| stored.map(round))).collect())
    }
}

/// Each key is a read of its own.
#[derive(Debug)]
pub(crate) struct Torn;

#[async_trait]
impl Fault for Torn {
    async fn get(&self, sound: &MemoryStorage, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>> {
        let mut answers = Vec::new();
        for key in keys {
            answers.extend(sound.get(std::slice::from_ref(key)).await?);
            tokio::task::yield_now().await;
        }
        Ok(answers)
    }
}

/// A revision is the length of the value.
#[derive(Debug)]
pub(crate) struct CoarseRevisions;

fn coarse(mut stored: Stored) -> Stored {
    let length = stored.record.encode().map_or(0, |bytes| bytes.len());
    stored.revision = Revision::new(length.to_string());
    stored
}

#[async_trait]
impl Fault for CoarseRevisions {
    async fn get(&self, sound: &MemoryStorage, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>> {
        Ok(sound.get(keys).await?.into_iter().map(|answer| answer.map(|stored| stored.map(coarse))).collect())
    }

    fn list<'a>(&'a self, sound: &'a MemoryStorage, query: Query) -> BoxStream<'a, Result<Stored>> {
        sound.list(query).map(|item| item.map(coarse)).boxed()
    }

    async fn commit(&self, sound: &MemoryStorage, batch: Batch) -> Result<Vec<Effect>> {
        let mut ops = Vec::new();
        let mut effects = Vec::new();
        for op in batch.ops() {
            let stored = sound.get(&[op.key()]).await?.pop().and_then(Result::ok).flatten();
            let before = stored.clone().map(|stored| coarse(stored).revision);
            // A revision of ours that holds becomes the true one.
            let expect = match op.expect() {
                Expect::Revision(ours) if Some(ours) == before.as_ref() => {
                    stored.map_or(Expect::Present, |stored| Expect::Revision(stored.revision))
                }
                other => other.clone(),
            };
            let (op, after) = match op {
                Op::Put(record, _) => {
                    let length = record.encode()?.len().to_string();
                    (Op::Put(record.clone(), expect), Some(Revision::new(length)))
                }
                Op::Delete(key, _) => (Op::Delete(key.clone(), expect), None),
                Op::Check(key, _) => (Op::Check(key.clone(), expect), before.clone()),
                other => (other.clone(), None),
            };
            ops.push(op);
            effects.push(Effect::new(before, after));
        }
        sound.commit(ops.into_iter().collect()).await?;
        Ok(effects)
    }
}

#[derive(Debug)]
pub(crate) struct CorruptIsAbsent;

#[async_trait]
impl Fault for CorruptIsAbsent {
    async fn get(&self, sound: &MemoryStorage, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>> {
        Ok(sound.get(keys).await?.into_iter().map(|answer| Ok(answer.unwrap_or_default())).collect())
    }
}

#[derive(Debug)]
pub(crate) struct CorruptFailsAll;

#[async_trait]
impl Fault for CorruptFailsAll {
    async fn get(&self, sound: &MemoryStorage, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>> {
        sound.get(keys).await?.into_iter().map(|answer| answer.map(Ok)).collect()
    }
}

#[derive(Debug)]
pub(crate) struct ListingDies;

impl Fault for ListingDies {
    fn list<'a>(&'a self, sound: &'a MemoryStorage, query: Query) -> BoxStream<'a, Result<Stored>> {
        let mut dead = false;
        sound
            .list(query)
            .take_while(move |item| {
                let goes_on = !dead;
                dead |= item.is_err();
                std::future::ready(goes_on)
            })
            .boxed()
    }
}

/// The first record of a long listing comes again at its end, as of pages that overlap.
#[derive(Debug)]
pub(crate) struct ListingRepeats;

impl Fault for ListingRepeats {
    fn list<'a>(&'a self, sound: &'a MemoryStorage, query: Query) -> BoxStream<'a, Result<Stored>> {
        let read = async move {
            let mut items: Vec<Result<Stored>> = sound.list(query).collect().await;
            if items.len() > 1_000
                && let Some(Ok(first)) = items.first()
            {
                let again = first.clone();
                items.push(Ok(again));
            }
            stream::iter(items)
        };
        stream::once(read).flatten().boxed()
    }
}

/// Every third change is lost on its way.
#[derive(Debug)]
pub(crate) struct WatchDrops;

#[async_trait]
impl Fault for WatchDrops {
    async fn watch(&self, sound: &MemoryStorage) -> Result<BoxStream<'static, Change>> {
        let changes = sound.watch().await?.enumerate();
        Ok(changes.filter_map(|(n, change)| std::future::ready((n % 3 != 2).then_some(change))).boxed())
    }
}

/// A change whose record is gone by the time is not told.
#[derive(Debug)]
pub(crate) struct WatchMissesDeletions;

#[async_trait]
impl Fault for WatchMissesDeletions {
    async fn watch(&self, sound: &MemoryStorage) -> Result<BoxStream<'static, Change>> {
        let store = sound.clone();
        let changes = sound.watch().await?.filter_map(move |change| {
            let store = store.clone();
            async move {
                let Change::Changed(key) = &change else { return Some(change) };
                let answer = store.get(std::slice::from_ref(key)).await.ok()?.pop()?;
                match answer {
                    Ok(None) => None,
                    _ => Some(change),
                }
            }
        });
        Ok(changes.boxed())
    }
}
