//! What the scheduler makes of edits meanwhile, of answers that are lost, and of much at once.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::{Faulty, LONG, flag, key, put, until};
use flags_client::Scheduler;
use flags_client::scheduler::Report;
use flags_core::storage::{Batch, BoxStream, Change, Descriptor, Effect, Expect, Health, Query, Stored};
use flags_core::{
    ChangeType, Clock, Error, ErrorKind, Flag, FlagId, FlagStore, FlagType, Key, ManualClock, Record, Result,
    RolloutPhase, Rule, ScheduledChange, Storage, StorageHandle, Timestamp,
};

const DUE: Timestamp = Timestamp::UNIX_EPOCH;
const NO_FLAG: &str = "its flag does not exist";

fn after(seconds: u64) -> Timestamp {
    DUE.saturating_add(Duration::from_secs(seconds))
}

fn enable(flag: &Flag, at: Timestamp) -> ScheduledChange {
    ScheduledChange::new(flag.id, ChangeType::Enable, at)
}

/// A change of a flag that another library has deleted.
fn orphan(storage: &Faulty) -> ScheduledChange {
    let orphan = ScheduledChange::new(FlagId::new(), ChangeType::Enable, DUE);
    let record = Record::from(orphan.clone());
    storage.inner.insert_raw(&record.key(), &record.encode().expect("JSON")).expect("open");
    orphan
}

async fn is_on(storage: &Arc<Faulty>, name: &str) -> bool {
    read(storage, name).await.default_enabled
}

async fn read(storage: &Arc<Faulty>, name: &str) -> Flag {
    let store = FlagStore::new(storage.clone());
    (*store.get_flag(&key(name)).await.expect("read").expect("there")).clone()
}

async fn read_change(storage: &Arc<Faulty>, change: &ScheduledChange) -> ScheduledChange {
    let store = FlagStore::new(storage.clone());
    (*store.get_scheduled_change(change.id).await.expect("read").expect("there")).clone()
}

fn quick(storage: StorageHandle) -> flags_client::scheduler::SchedulerBuilder {
    Scheduler::builder(storage).retry_delays(Duration::from_millis(1), Duration::from_millis(10))
}

async fn run_due(storage: StorageHandle) -> Report {
    quick(storage).build().run_due(after(1_000)).await.expect("a report")
}

/// Applies commits and loses the first answer; takes a second by the clock for each, and drops some before
/// they are applied.
#[derive(Debug)]
struct Unreliable {
    inner: Arc<Faulty>,
    clock: Option<ManualClock>,
    commits: AtomicUsize,
    /// Which commit is applied and not answered.
    loses: Option<usize>,
    /// Which one is not applied.
    drops: Option<usize>,
}

impl Unreliable {
    fn losing(inner: &Arc<Faulty>, commit: usize) -> Arc<Self> {
        let inner = Arc::clone(inner);
        Arc::new(Self { inner, clock: None, commits: AtomicUsize::new(0), loses: Some(commit), drops: None })
    }
}

#[async_trait]
impl Storage for Unreliable {
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
        let number = Some(self.commits.fetch_add(1, Ordering::SeqCst));
        if let Some(clock) = &self.clock {
            clock.advance(Duration::from_secs(1));
        }
        if number == self.drops {
            return Err(Error::new(ErrorKind::Unavailable, "dropped, by order"));
        }
        let outcome = self.inner.commit(batch).await;
        if number == self.loses {
            outcome?;
            return Err(Error::new(ErrorKind::Indeterminate, "lost, by order"));
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

#[tokio::test]
async fn a_change_that_is_given_to_another_flag_meanwhile_is_that_ones() {
    let storage = Faulty::new();
    let (a, b) = (flag("a", false), flag("b", false));
    put(&*storage, a.clone()).await;
    put(&*storage, b.clone()).await;
    let change = enable(&a, DUE);
    put(&*storage, change.clone()).await;
    // What is planned was listed; the flags are being looked for.
    for _ in 0..9 {
        put(&*storage, flag(&format!("other{}", flags_core::ScheduledChangeId::new()), false)).await;
    }
    let mut held = storage.hold_list();
    let run = tokio::spawn(run_due(storage.clone()));
    held.reached().await;
    let mut moved = change.clone();
    moved.flag_id = b.id;
    FlagStore::new(storage.clone()).update_scheduled_change(moved, None).await.expect("updated");
    held.release();
    let report = run.await.expect("no panic");
    assert!(report.applied.is_empty(), "{report:?}");
    assert!(!is_on(&storage, "a").await && !is_on(&storage, "b").await);
    let report = run_due(storage.clone()).await;
    assert_eq!(report.applied.len(), 1);
    assert!(!is_on(&storage, "a").await && is_on(&storage, "b").await);
}

#[tokio::test]
async fn what_was_deleted_meanwhile_was_not_executed() {
    let storage = Faulty::new();
    let a = flag("a", false);
    put(&*storage, a.clone()).await;
    let change = enable(&a, DUE);
    put(&*storage, change.clone()).await;
    *storage.refused.lock().expect("not poisoned") = Some((None, ErrorKind::Indeterminate));
    let before = Faulty::count(&storage.commits);
    let run = tokio::spawn(run_due(storage.clone()));
    until("a commit", || Faulty::count(&storage.commits) > before).await;
    let delete = Batch::new().delete(Key::ScheduledChange(change.id), Expect::Present);
    storage.inner.commit(delete).await.expect("deleted");
    *storage.refused.lock().expect("not poisoned") = None;
    let report = run.await.expect("no panic");
    assert!(report.is_empty(), "nobody executed it: {report:?}");
}

#[tokio::test]
async fn what_was_executed_without_an_answer_is_told_as_what_became_of_it() {
    let storage = Faulty::new();
    for _ in 0..20 {
        orphan(&storage);
    }
    let report = run_due(Unreliable::losing(&storage, 0)).await;
    assert_eq!((report.refused.len(), report.settled.len()), (20, 0), "{report:?}");
    assert!(report.refused.iter().all(|refused| refused.reason == NO_FLAG));

    let a = flag("a", false);
    put(&*storage, a.clone()).await;
    put(&*storage, ScheduledChange::new(a.id, ChangeType::UpdateValue, DUE)).await;
    let report = run_due(Unreliable::losing(&storage, 0)).await;
    assert_eq!(report.refused.len(), 1, "{report:?}");
    assert_eq!(report.refused[0].flag, Some(a.key.clone()));
    put(&*storage, enable(&a, DUE)).await;
    let report = run_due(Unreliable::losing(&storage, 0)).await;
    assert_eq!((report.settled.len(), report.applied.len()), (1, 0), "{report:?}");
}

#[tokio::test]
async fn however_many_flags_are_gone_the_others_are_listed_once() {
    let storage = Faulty::new();
    put(&*storage, flag("there", false)).await;
    for _ in 0..100 {
        orphan(&storage);
    }
    // Nobody knows whose they are while one cannot be read.
    storage.inner.insert_raw(&Key::Flag(key("bad")), b"{}").expect("open");
    for _ in 0..2 {
        let before = Faulty::count(&storage.lists);
        let report = run_due(storage.clone()).await;
        assert_eq!((report.refused.len(), report.errors.len()), (0, 1), "{report:?}");
        assert_eq!(Faulty::count(&storage.lists) - before, 3, "changes, phases, flags");
    }
    common::delete(&*storage, Key::Flag(key("bad"))).await;
    let before = Faulty::count(&storage.commits);
    assert_eq!(run_due(storage.clone()).await.refused.len(), 100);
    assert_eq!(Faulty::count(&storage.commits) - before, 1);
}

#[tokio::test]
async fn phases_of_one_instant_run_in_the_order_of_their_numbers() {
    let storage = Faulty::new();
    for n in 0..20 {
        let mut one = flag(&format!("f{n}"), false);
        one.rules = vec![Rule::new("r")];
        put(&*storage, one.clone()).await;
        put(&*storage, RolloutPhase::new(one.id, 2, 50, DUE)).await;
        put(&*storage, RolloutPhase::new(one.id, 1, 10, DUE)).await;
    }
    assert_eq!(run_due(storage.clone()).await.applied.len(), 40);
    for n in 0..20 {
        assert_eq!(read(&storage, &format!("f{n}")).await.rules[0].rollout_percentage, Some(50));
    }
}

#[tokio::test]
async fn a_store_that_takes_nothing_is_not_asked_for_each_flag() {
    let storage = Faulty::new();
    for n in 0..160 {
        let one = flag(&format!("f{n}"), false);
        put(&*storage, one.clone()).await;
        put(&*storage, enable(&one, DUE)).await;
    }
    // The disk of the server is full, say: reads are answered.
    *storage.refused.lock().expect("not poisoned") = Some((None, ErrorKind::Unavailable));
    let before = Faulty::count(&storage.commits);
    let scheduler = quick(storage.clone()).retry_deadline(Duration::ZERO).build();
    let report = scheduler.run_due(after(1)).await.expect("a report");
    assert!(!report.errors.is_empty());
    let tried = Faulty::count(&storage.commits) - before;
    assert!(tried <= 16, "as many as are worked on at a time, not {tried}");
    *storage.refused.lock().expect("not poisoned") = None;
    assert_eq!(run_due(storage.clone()).await.applied.len(), 160, "nothing is lost");
}

#[tokio::test]
async fn the_deadline_counts_from_the_last_success() {
    let inner = Faulty::new();
    let a = flag("a", false);
    put(&*inner, a.clone()).await;
    for n in 0..60 {
        put(&*inner, enable(&a, after(n))).await;
    }
    let clock = ManualClock::at(after(1_000));
    let storage = Arc::new(Unreliable {
        inner,
        clock: Some(clock.clone()),
        commits: AtomicUsize::new(0),
        loses: None,
        // After more seconds than the deadline has.
        drops: Some(40),
    });
    let scheduler = quick(storage).clock(Arc::new(clock.clone())).build();
    let run = tokio::spawn(async move { scheduler.run_due(after(1_000)).await });
    until("the end of the run", || {
        clock.advance(Duration::from_millis(1));
        run.is_finished()
    })
    .await;
    let report = run.await.expect("no panic").expect("a report");
    assert_eq!((report.applied.len(), report.errors.len()), (60, 0), "{report:?}");
}

#[tokio::test]
async fn members_that_a_change_does_not_use_are_no_reason_to_refuse_it() {
    let storage = Faulty::new();
    let a = flag("a", false);
    put(&*storage, a.clone()).await;
    let mut odd = enable(&a, DUE);
    odd.new_rollout_percentage = Some(150);
    put(&*storage, odd).await;
    let report = run_due(storage.clone()).await;
    assert_eq!((report.applied.len(), report.refused.len()), (1, 0), "{report:?}");
}

#[tokio::test]
async fn what_has_a_time_of_execution_was_executed() {
    let storage = Faulty::new();
    let a = flag("a", false);
    put(&*storage, a.clone()).await;
    let mut done = enable(&a, DUE);
    done.executed_at = Some(after(1));
    put(&*storage, done).await;
    assert!(run_due(storage.clone()).await.is_empty());
    assert!(!is_on(&storage, "a").await);
}

#[tokio::test]
async fn a_mark_that_does_not_fit_with_its_reason_is_made_without() {
    let storage = Faulty::new();
    let mut a = flag("a", false);
    a.flag_type = FlagType::Number;
    put(&*storage, a.clone()).await;
    let limit = storage.descriptor().limits().value_bytes;
    let mut full = ScheduledChange::new(a.id, ChangeType::UpdateValue, DUE);
    // With the instant of the execution there is room for a few letters more.
    let room = limit - serde_json::to_vec(&full).expect("JSON").len() - 60;
    full.new_value = Some(format!("\"{}\"", "x".repeat(room)).parse().expect("JSON"));
    put(&*storage, full.clone()).await;
    let mut orphan = full.clone();
    (orphan.id, orphan.flag_id) = (flags_core::ScheduledChangeId::new(), FlagId::new());
    let record = Record::from(orphan.clone());
    storage.inner.insert_raw(&record.key(), &record.encode().expect("JSON")).expect("open");
    let report = run_due(storage.clone()).await;
    assert_eq!((report.refused.len(), report.errors.len()), (2, 0), "{:?}", report.errors);
    for change in [full, orphan] {
        let done = read_change(&storage, &change).await;
        assert!(done.executed && done.executed_at.is_some() && done.error.is_none());
    }
}

#[tokio::test]
async fn a_flag_that_is_mended_gets_what_was_due_soon() {
    let clock = ManualClock::at(after(1));
    let storage = Faulty::with_clock(Arc::new(clock.clone()));
    let a = flag("a", false);
    put(&*storage, a.clone()).await;
    put(&*storage, enable(&a, DUE)).await;
    storage.inner.insert_raw(&Key::Flag(key("a")), b"{}").expect("open");
    let runs = Arc::new(Mutex::new(0_usize));
    let scheduler = quick(storage.clone()).clock(Arc::new(clock.clone())).build();
    let counted = Arc::clone(&runs);
    let running = tokio::spawn(async move {
        let observe = |_: &Result<Report>| *counted.lock().expect("not poisoned") += 1;
        scheduler.run_observed(std::future::pending(), observe).await
    });
    // The start, and the first word of the watch.
    until("two runs", || *runs.lock().expect("not poisoned") >= 2).await;
    put(&*storage, a.clone()).await;
    let deadline = std::time::Instant::now() + LONG;
    while !is_on(&storage, "a").await {
        assert!(std::time::Instant::now() < deadline, "it is never on");
        clock.advance(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(clock.now() < after(100), "at {}", clock.now());
    running.abort();
}
