//! Faults of `commit`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use flags_core::storage::{Batch, Effect, Expect, Op, Query, Storage, Stored};
use flags_core::{Alias, Error, ErrorKind, Key, Kind, Record, Result};
use flags_memory::MemoryStorage;
use futures_util::StreamExt;

use crate::broken::Fault;

/// The batch with other conditions.
fn with_conditions(batch: &Batch, change: impl Fn(&Op) -> Expect) -> Batch {
    let ops = batch.ops().iter().map(|op| {
        let expect = change(op);
        match op {
            Op::Put(record, _) => Op::Put(record.clone(), expect),
            Op::Delete(key, _) => Op::Delete(key.clone(), expect),
            Op::Check(key, _) => Op::Check(key.clone(), expect),
            other => other.clone(),
        }
    });
    ops.collect()
}

/// Writes what the batch puts, past every check.
async fn force(sound: &MemoryStorage, batch: &Batch) -> Result<Vec<Effect>> {
    let mut effects = Vec::new();
    for op in batch.ops() {
        if let Op::Put(record, _) = op {
            sound.insert_raw(&record.key(), &record.encode()?)?;
        }
        let stored = sound.get(&[op.key()]).await?.pop().and_then(Result::ok).flatten();
        effects.push(Effect::new(None, stored.map(|stored| stored.revision)));
    }
    Ok(effects)
}

#[derive(Debug)]
pub(crate) struct OverwritingCreate;

#[async_trait]
impl Fault for OverwritingCreate {
    async fn commit(&self, sound: &MemoryStorage, batch: Batch) -> Result<Vec<Effect>> {
        let relaxed = with_conditions(&batch, |op| match op {
            Op::Put(_, Expect::Absent) => Expect::Any,
            other => other.expect().clone(),
        });
        sound.commit(relaxed).await
    }
}

#[derive(Debug)]
pub(crate) struct UpsertingUpdate;

#[async_trait]
impl Fault for UpsertingUpdate {
    async fn commit(&self, sound: &MemoryStorage, batch: Batch) -> Result<Vec<Effect>> {
        let relaxed = with_conditions(&batch, |op| match op {
            Op::Put(_, Expect::Present) => Expect::Any,
            other => other.expect().clone(),
        });
        sound.commit(relaxed).await
    }
}

#[derive(Debug)]
pub(crate) struct LastWriterWins;

#[async_trait]
impl Fault for LastWriterWins {
    async fn commit(&self, sound: &MemoryStorage, batch: Batch) -> Result<Vec<Effect>> {
        let relaxed = with_conditions(&batch, |op| match op.expect() {
            Expect::Revision(_) => Expect::Present,
            other => other.clone(),
        });
        sound.commit(relaxed).await
    }
}

#[derive(Debug)]
pub(crate) struct LastFailureWins;

#[async_trait]
impl Fault for LastFailureWins {
    async fn commit(&self, sound: &MemoryStorage, batch: Batch) -> Result<Vec<Effect>> {
        let mut effects = sound.commit(batch.ops().iter().rev().cloned().collect()).await?;
        effects.reverse();
        Ok(effects)
    }
}

/// Every operation is a commit of its own, until one is refused.
#[derive(Debug)]
pub(crate) struct OneByOne;

#[async_trait]
impl Fault for OneByOne {
    async fn commit(&self, sound: &MemoryStorage, batch: Batch) -> Result<Vec<Effect>> {
        let mut effects = Vec::new();
        for op in batch.ops() {
            effects.extend(sound.commit(Batch::new().with(op.clone())).await?);
        }
        Ok(effects)
    }
}

/// Like [`OneByOne`], and waits in between.
#[derive(Debug)]
pub(crate) struct Interruptible;

#[async_trait]
impl Fault for Interruptible {
    async fn commit(&self, sound: &MemoryStorage, batch: Batch) -> Result<Vec<Effect>> {
        let mut effects = Vec::new();
        for op in batch.ops() {
            effects.extend(sound.commit(Batch::new().with(op.clone())).await?);
            tokio::task::yield_now().await;
        }
        Ok(effects)
    }
}

#[derive(Debug)]
pub(crate) struct JudgedBeforeTheLock;

#[async_trait]
impl Fault for JudgedBeforeTheLock {
    async fn commit(&self, sound: &MemoryStorage, batch: Batch) -> Result<Vec<Effect>> {
        let keys: Vec<Key> = batch.ops().iter().map(Op::key).collect();
        for (op, answer) in batch.ops().iter().zip(sound.get(&keys).await?) {
            let current = match answer {
                Ok(stored) => stored.map(|stored| stored.revision),
                Err(corrupt) => corrupt.revision().cloned(),
            };
            op.expect().judge(&op.key(), current.as_ref())?;
        }
        tokio::task::yield_now().await;
        sound.commit(with_conditions(&batch, |_| Expect::Any)).await
    }
}

#[derive(Debug)]
pub(crate) struct NoCascade;

#[async_trait]
impl Fault for NoCascade {
    async fn commit(&self, sound: &MemoryStorage, batch: Batch) -> Result<Vec<Effect>> {
        let mut owned: HashMap<Key, Record> = HashMap::new();
        for kind in Kind::OWNED {
            let records: Vec<Result<Stored>> = sound.list(Query::All(kind)).collect().await;
            owned.extend(records.into_iter().flatten().map(|stored| (stored.record.key(), stored.record)));
        }
        let named: Vec<Key> = batch.ops().iter().map(Op::key).collect();
        let effects = sound.commit(batch).await?;
        for (key, record) in owned.into_iter().filter(|(key, _)| !named.contains(key)) {
            let gone = matches!(sound.get(std::slice::from_ref(&key)).await?.pop(), Some(Ok(None)));
            if gone {
                sound.insert_raw(&key, &record.encode()?)?;
            }
        }
        Ok(effects)
    }
}

/// Commits, and writes all the same if that is what it was refused for.
async fn unless(sound: &MemoryStorage, batch: Batch, refused: fn(&Error) -> bool) -> Result<Vec<Effect>> {
    match sound.commit(batch.clone()).await {
        Err(error) if refused(&error) => force(sound, &batch).await,
        outcome => outcome,
    }
}

#[derive(Debug)]
pub(crate) struct Orphans;

#[async_trait]
impl Fault for Orphans {
    async fn commit(&self, sound: &MemoryStorage, batch: Batch) -> Result<Vec<Effect>> {
        unless(sound, batch, |error| error.field() == Some("flag_id")).await
    }
}

#[derive(Debug)]
pub(crate) struct HandedOnToNoFlag;

#[async_trait]
impl Fault for HandedOnToNoFlag {
    async fn commit(&self, sound: &MemoryStorage, batch: Batch) -> Result<Vec<Effect>> {
        let required = batch.ops().iter().all(|op| op.expect().requires_record());
        unless(sound, batch, if required { |error| error.field() == Some("flag_id") } else { |_| false })
            .await
    }
}

#[derive(Debug)]
pub(crate) struct UntouchableOrphans;

#[async_trait]
impl Fault for UntouchableOrphans {
    async fn commit(&self, sound: &MemoryStorage, batch: Batch) -> Result<Vec<Effect>> {
        for op in batch.ops() {
            let (Op::Put(record, _), key) = (op, op.key()) else { continue };
            let Some(owner) = record.owner() else { continue };
            let flags: Vec<_> = sound.list(Query::Alias(Alias::FlagId(owner))).collect().await;
            let stored = sound.get(std::slice::from_ref(&key)).await?.pop();
            if flags.is_empty() && matches!(stored, Some(Ok(Some(_)))) {
                return Err(Error::owner_not_found(key));
            }
        }
        sound.commit(batch).await
    }
}

#[derive(Debug)]
pub(crate) struct SharedAliases;

#[async_trait]
impl Fault for SharedAliases {
    async fn commit(&self, sound: &MemoryStorage, batch: Batch) -> Result<Vec<Effect>> {
        unless(sound, batch, |error| error.kind() == ErrorKind::Conflict && error.field().is_some()).await
    }
}

/// A cache in front of the store that believes in every write.
#[derive(Debug, Default)]
pub(crate) struct EagerCache {
    cache: Mutex<HashMap<Key, Record>>,
}

#[async_trait]
impl Fault for EagerCache {
    async fn get(&self, sound: &MemoryStorage, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>> {
        let answers = sound.get(keys).await?;
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = |mut stored: Stored| {
            if let Some(record) = cache.get(&stored.record.key()) {
                stored.record = record.clone();
            }
            stored
        };
        Ok(answers.into_iter().map(|answer| answer.map(|stored| stored.map(cached))).collect())
    }

    async fn commit(&self, sound: &MemoryStorage, batch: Batch) -> Result<Vec<Effect>> {
        for op in batch.ops() {
            if let Op::Put(record, _) = op {
                self.cache
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(record.key(), record.clone());
            }
        }
        sound.commit(batch).await
    }
}

/// A lock that only a commit that ran to its end gives back.
#[derive(Debug, Default)]
pub(crate) struct LeakedLock {
    taken: AtomicBool,
}

#[async_trait]
impl Fault for LeakedLock {
    async fn commit(&self, sound: &MemoryStorage, batch: Batch) -> Result<Vec<Effect>> {
        while self.taken.swap(true, Ordering::AcqRel) {
            tokio::task::yield_now().await;
        }
        tokio::task::yield_now().await;
        let outcome = sound.commit(batch).await;
        self.taken.store(false, Ordering::Release);
        outcome
    }
}

/// Of two operations on one key, the last one counts.
#[derive(Debug)]
pub(crate) struct LastOfTwo;

#[async_trait]
impl Fault for LastOfTwo {
    async fn commit(&self, sound: &MemoryStorage, batch: Batch) -> Result<Vec<Effect>> {
        let ops = batch.ops();
        let counts = |n: &usize| !ops[n + 1..].iter().any(|later| later.key() == ops[*n].key());
        let kept: Vec<usize> = (0..ops.len()).filter(counts).collect();
        let effects = sound.commit(kept.iter().map(|n| ops[*n].clone()).collect()).await?;
        let effect_of = |op: &Op| {
            let found = kept.iter().position(|n| ops[*n].key() == op.key());
            found.map_or(Effect::new(None, None), |n| effects[n].clone())
        };
        Ok(ops.iter().map(effect_of).collect())
    }
}
