//! Many tasks that write through one store, and remember what was acknowledged.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use flags_core::storage::{Batch, Expect};
use flags_core::{ErrorKind, FlagKey, Json, Key, Record, Storage as _};
use flags_redis::RedisStorage;
use flags_tests::wait::{BOUND, until};
use tokio::task::JoinSet;

use crate::common::flag;

pub(crate) struct Load {
    store: Arc<RedisStorage>,
    stop: Arc<AtomicBool>,
    /// By flag: the last number that was acknowledged, and the last that was tried.
    written: Arc<Mutex<HashMap<String, (u64, u64)>>>,
    acknowledged: Arc<AtomicUsize>,
    failed: Arc<Mutex<Vec<flags_core::Error>>>,
    tasks: JoinSet<()>,
}

impl Load {
    /// Half of the tasks change a flag of their own over and over, half of them create one after the other.
    pub(crate) fn start(store: RedisStorage, tasks: usize) -> Self {
        // Other loads may have been on the same servers.
        let run = uuid::Uuid::new_v4();
        let mut load = Self {
            store: Arc::new(store),
            stop: Arc::default(),
            written: Arc::default(),
            acknowledged: Arc::default(),
            failed: Arc::default(),
            tasks: JoinSet::new(),
        };
        for task in 0..tasks {
            let (store, stop) = (Arc::clone(&load.store), Arc::clone(&load.stop));
            let (written, acknowledged) = (Arc::clone(&load.written), Arc::clone(&load.acknowledged));
            let failed = Arc::clone(&load.failed);
            load.tasks.spawn(async move {
                let mut n = 0;
                while !stop.load(Ordering::Relaxed) {
                    n += 1;
                    let name = if task % 2 == 0 {
                        format!("own-{run}-{task}")
                    } else {
                        format!("new-{run}-{task}-{n}")
                    };
                    let mut flag = flag(&name);
                    flag.id = id(&name);
                    flag.metadata = Json::new(&n).expect("a number");
                    written.lock().unwrap().entry(name.clone()).or_default().1 = n;
                    let expect = if task % 2 == 0 { Expect::Any } else { Expect::Absent };
                    match store.commit(Batch::new().put(flag, expect)).await {
                        Ok(_) => {
                            written.lock().unwrap().entry(name).or_default().0 = n;
                            acknowledged.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => failed.lock().unwrap().push(error),
                    }
                    tokio::task::yield_now().await;
                }
            });
        }
        load
    }

    /// Waits for so many acknowledged writes from now on; says how long that took.
    pub(crate) async fn go_on(&self, writes: usize) -> Result<Duration> {
        let (begun, before) = (Instant::now(), self.acknowledged.load(Ordering::Relaxed));
        while self.acknowledged.load(Ordering::Relaxed) < before + writes {
            ensure!(begun.elapsed() < BOUND, "no more writes: {:?}", self.failed.lock().unwrap().last());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(begun.elapsed())
    }

    /// Waits for a write that fails.
    pub(crate) async fn fails(&self) -> Result<()> {
        until("a write fails", async || Ok(!self.failed.lock().unwrap().is_empty())).await
    }

    /// Stops the tasks; answers the errors that there were.
    pub(crate) async fn stop(&mut self) -> Result<Vec<flags_core::Error>> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = tokio::time::timeout(BOUND, self.tasks.join_next()).await? {
            ended?;
        }
        let failed = std::mem::take(&mut *self.failed.lock().unwrap());
        for error in &failed {
            let kind = error.kind();
            ensure!(matches!(kind, ErrorKind::Unavailable | ErrorKind::Indeterminate), "{error:?}");
        }
        Ok(failed)
    }

    /// How many acknowledged writes are not there. What was never written is not there either.
    pub(crate) async fn lost(&self, store: &RedisStorage) -> Result<usize> {
        let written = self.written.lock().unwrap().clone();
        let mut names: Vec<_> = written.into_iter().collect();
        names.sort();
        let mut lost = 0;
        for names in names.chunks(500) {
            let keys: Vec<Key> = names
                .iter()
                .map(|(name, _)| Ok(Key::Flag(FlagKey::new(name.as_str())?)))
                .collect::<Result<_>>()?;
            for (stored, (name, (acknowledged, tried))) in store.get(&keys).await?.into_iter().zip(names) {
                let number = match stored? {
                    Some(stored) => match &stored.record {
                        Record::Flag(flag) => flag.metadata.text().parse().context("a number")?,
                        other => anyhow::bail!("{other:?}"),
                    },
                    None => 0,
                };
                ensure!(number <= *tried, "{name} is {number}, and {tried} was the last");
                lost += usize::from(number < *acknowledged);
            }
        }
        Ok(lost)
    }

    pub(crate) fn store(&self) -> &RedisStorage {
        &self.store
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }
}

/// The same flag has the same id, whoever writes it again.
fn id(name: &str) -> flags_core::FlagId {
    let mut bytes = [0; 16];
    for (place, byte) in name.bytes().enumerate() {
        bytes[place % 16] ^= byte.rotate_left(u32::try_from(place / 16).unwrap_or_default());
    }
    uuid::Uuid::from_bytes(bytes).to_string().parse().expect("an id")
}
