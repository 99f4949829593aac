//! Many schedulers, many changes, lost answers and schedulers that die: each change is applied once, in
//! order.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use flags_client::Scheduler;
use flags_core::storage::{Batch, BoxStream, Change, Descriptor, Effect, Expect, Health, Op, Query, Stored};
use flags_core::{
    ChangeType, Error, ErrorKind, Flag, FlagId, FlagKey, FlagStore, FlagType, Json, Key, Record, Result,
    ScheduledChange, ScheduledChangeId, Storage, Timestamp,
};
use flags_memory::MemoryStorage;

const FLAGS: usize = 50;
const CHANGES: usize = 2_000;
const SCHEDULERS: usize = 8;

/// A commit of a flag together with a change that is marked as executed.
#[derive(Debug)]
struct Audited {
    flag: FlagId,
    change: ScheduledChangeId,
    at: Timestamp,
}

/// Writes down every commit, in the order of commits; loses answers, and requests.
#[derive(Debug)]
struct Recording {
    inner: MemoryStorage,
    log: Mutex<Vec<Audited>>,
    committing: tokio::sync::Mutex<()>,
    lost_answers: Mutex<usize>,
}

fn audited(batch: &Batch) -> Option<Audited> {
    let records: Vec<&Record> = batch
        .ops()
        .iter()
        .filter_map(|op| if let Op::Put(record, _) = op { Some(record) } else { None })
        .collect();
    match records[..] {
        [Record::Flag(flag), Record::ScheduledChange(change)] => {
            assert!(change.executed && change.error.is_none() && change.flag_id == flag.id);
            Some(Audited { flag: flag.id, change: change.id, at: change.scheduled_at })
        }
        _ => None,
    }
}

#[async_trait]
impl Storage for Recording {
    fn descriptor(&self) -> &Descriptor {
        self.inner.descriptor()
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>> {
        self.inner.get(keys).await
    }

    fn list(&self, query: Query) -> BoxStream<'_, Result<Stored>> {
        self.inner.list(query)
    }

    async fn commit(&self, batch: Batch) -> Result<Vec<Effect>> {
        // Others get between a read and the commit that rests on it.
        tokio::task::yield_now().await;
        let fate = fastrand::usize(..20);
        if fate == 0 {
            return Err(Error::new(ErrorKind::Unavailable, "not sent, by order"));
        }
        let audited = audited(&batch);
        let one_at_a_time = self.committing.lock().await;
        let outcome = self.inner.commit(batch).await;
        if outcome.is_ok() {
            self.log.lock().expect("not poisoned").extend(audited);
        }
        drop(one_at_a_time);
        if fate == 1 {
            *self.lost_answers.lock().expect("not poisoned") += usize::from(outcome.is_ok());
            return Err(Error::new(ErrorKind::Indeterminate, "not answered, by order"));
        }
        outcome
    }

    async fn watch(&self) -> Result<BoxStream<'static, Change>> {
        self.inner.watch().await
    }

    async fn health(&self) -> Result<Health> {
        self.inner.health().await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

/// Flags, and what is planned for each, in order: value 0, then 1, and so on.
async fn fill(storage: &MemoryStorage) -> HashMap<FlagId, Vec<ScheduledChangeId>> {
    let mut planned = HashMap::new();
    for n in 0..FLAGS {
        let mut flag = Flag::new(FlagKey::new(format!("f{n}")).expect("a key"));
        flag.flag_type = FlagType::Number;
        storage.commit(Batch::new().put(flag.clone(), Expect::Absent)).await.expect("committed");
        let mut changes: Vec<ScheduledChange> = (0..CHANGES / FLAGS)
            .map(|place| {
                // Two at each instant: the id tells them apart.
                let at = Duration::from_secs(u64::try_from(place / 2).expect("small"));
                let at = Timestamp::UNIX_EPOCH.saturating_add(at);
                ScheduledChange::new(flag.id, ChangeType::UpdateValue, at)
            })
            .collect();
        changes.sort_by_key(|change| (change.scheduled_at, change.id));
        for (place, change) in changes.iter_mut().enumerate() {
            change.new_value = Some(Json::from(i64::try_from(place).expect("small")));
            storage.commit(Batch::new().put(change.clone(), Expect::Absent)).await.expect("committed");
        }
        planned.insert(flag.id, changes.iter().map(|change| change.id).collect());
    }
    planned
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_change_is_applied_once_and_in_order() {
    let inner = MemoryStorage::new();
    let planned = fill(&inner).await;
    let storage = Arc::new(Recording {
        inner,
        log: Mutex::default(),
        committing: tokio::sync::Mutex::default(),
        lost_answers: Mutex::default(),
    });
    let schedulers = (0..SCHEDULERS).map(|number| {
        let scheduler = Scheduler::builder(storage.clone())
            .retry_delays(Duration::from_micros(100), Duration::from_millis(2))
            .build();
        tokio::spawn(async move {
            let now = Timestamp::now();
            let mut runs = 0_usize;
            loop {
                runs += 1;
                if number % 2 == 0 && runs < 200 {
                    // This one dies in the middle of its work, and comes back.
                    let life = Duration::from_micros(fastrand::u64(..20_000));
                    if tokio::time::timeout(life, scheduler.run_due(now)).await.is_err() {
                        continue;
                    }
                }
                let report = scheduler.run_due(now).await.expect("a report");
                assert!(report.refused.is_empty());
                if report.is_empty() {
                    return;
                }
            }
        })
    });
    for scheduler in schedulers.collect::<Vec<_>>() {
        scheduler.await.expect("no panic");
    }

    let log = std::mem::take(&mut *storage.log.lock().expect("not poisoned"));
    assert_eq!(log.len(), CHANGES, "each once");
    assert_eq!(log.iter().map(|audited| audited.change).collect::<HashSet<_>>().len(), CHANGES);
    let mut by_flag: HashMap<FlagId, Vec<ScheduledChangeId>> = HashMap::new();
    let mut last: HashMap<FlagId, Timestamp> = HashMap::new();
    for audited in &log {
        by_flag.entry(audited.flag).or_default().push(audited.change);
        let before = last.insert(audited.flag, audited.at);
        assert!(before.is_none_or(|before| before <= audited.at));
    }
    assert_eq!(by_flag, planned, "in order");
    assert!(*storage.lost_answers.lock().expect("not poisoned") > 0, "the faults were there");
    let store = FlagStore::new(storage);
    for flag in store.get_all_flags().await.expect("listed").records {
        let last = Json::from(i64::try_from(CHANGES / FLAGS - 1).expect("small"));
        assert_eq!(flag.default_value, Some(last));
    }
}
