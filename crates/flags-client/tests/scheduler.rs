//! What is planned happens when it is due, and once.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Faulty, LONG, flag, key, put, text_flag, until};
use flags_client::Scheduler;
use flags_client::scheduler::Report;
use flags_core::{
    ChangeType, Clock, ErrorKind, Flag, FlagId, FlagStatus, FlagStore, FlagType, Json, Key, ManualClock,
    Record, RolloutPhase, Rule, ScheduledChange, Storage, Timestamp,
};

const DUE: Timestamp = Timestamp::UNIX_EPOCH;

fn after(seconds: u64) -> Timestamp {
    DUE.saturating_add(Duration::from_secs(seconds))
}

fn change(flag: &Flag, change_type: ChangeType, at: Timestamp) -> ScheduledChange {
    ScheduledChange::new(flag.id, change_type, at)
}

fn new_value(flag: &Flag, value: &str, at: Timestamp) -> ScheduledChange {
    let mut change = change(flag, ChangeType::UpdateValue, at);
    change.new_value = Some(value.parse().expect("JSON"));
    change
}

fn scheduler(storage: &Arc<Faulty>) -> Scheduler {
    Scheduler::builder(storage.clone())
        .retry_delays(Duration::from_millis(1), Duration::from_millis(10))
        .retry_deadline(Duration::from_millis(50))
        .build()
}

async fn run_due(storage: &Arc<Faulty>) -> Report {
    scheduler(storage).run_due(after(1_000)).await.expect("a report")
}

fn store(storage: &Arc<Faulty>) -> FlagStore {
    FlagStore::new(storage.clone())
}

/// Writes a record as a writer does that keeps no contract.
fn insert(storage: &Faulty, record: &Record) {
    storage.inner.insert_raw(&record.key(), &record.encode().expect("JSON")).expect("open");
}

async fn read(storage: &Arc<Faulty>, name: &str) -> Flag {
    (*store(storage).get_flag(&key(name)).await.expect("read").expect("there")).clone()
}

async fn read_change(storage: &Arc<Faulty>, change: &ScheduledChange) -> ScheduledChange {
    (*store(storage).get_scheduled_change(change.id).await.expect("read").expect("there")).clone()
}

#[tokio::test]
async fn each_type_of_change_and_a_phase() {
    let storage = Faulty::new();
    let mut one = text_flag("f", "old");
    one.rules = vec![Rule::new("a"), Rule::new("b")];
    put(&*storage, one.clone()).await;
    let mut rollout = change(&one, ChangeType::UpdateRollout, after(3));
    rollout.new_rollout_percentage = Some(25);
    let phase = RolloutPhase::new(one.id, 1, 50, after(4));
    let changes =
        [change(&one, ChangeType::Disable, after(1)), new_value(&one, r#""new""#, after(2)), rollout];
    for change in &changes {
        put(&*storage, change.clone()).await;
    }
    put(&*storage, phase.clone()).await;
    put(&*storage, change(&one, ChangeType::Enable, after(5))).await;

    // One instant after the other.
    let scheduler = scheduler(&storage);
    let nothing = scheduler.run_due(DUE).await.expect("a report");
    assert!(nothing.is_empty());
    assert_eq!(nothing.next_due, Some(after(1)));
    scheduler.run_due(after(1)).await.expect("a report");
    let off = read(&storage, "f").await;
    assert_eq!((off.status, off.default_enabled), (FlagStatus::Inactive, false));
    assert_eq!(off.updated_at, Some(after(1)));
    scheduler.run_due(after(2)).await.expect("a report");
    assert_eq!(read(&storage, "f").await.default_value, Some(Json::from("new")));
    let percentages = async || {
        let rules = read(&storage, "f").await.rules;
        rules.iter().map(|rule| rule.rollout_percentage).collect::<Vec<_>>()
    };
    scheduler.run_due(after(3)).await.expect("a report");
    assert_eq!(percentages().await, [Some(25), Some(25)]);
    let report = scheduler.run_due(after(9)).await.expect("a report");
    assert_eq!(report.applied.len(), 2);
    assert_eq!(percentages().await, [Some(50), Some(50)]);
    let on = read(&storage, "f").await;
    assert_eq!((on.status, on.default_enabled), (FlagStatus::Active, true));
    for change in &changes {
        let done = read_change(&storage, change).await;
        assert!(done.executed && done.executed_at.is_some() && done.error.is_none());
    }
    let phases = store(&storage).get_rollout_phases(one.id).await.expect("read").records;
    assert!(phases[0].executed && phases[0].executed_at == Some(after(9)));
    let again = scheduler.run_due(after(9)).await.expect("a report");
    assert!(again.is_empty() && again.next_due.is_none());
}

#[tokio::test]
async fn what_cannot_be_applied_is_marked_and_blocks_nothing() {
    let storage = Faulty::new();
    let mut one = flag("f", false);
    one.flag_type = FlagType::Number;
    one.description = Some("long ".repeat(500));
    put(&*storage, one.clone()).await;
    let mut too_much = change(&one, ChangeType::UpdateRollout, after(2));
    too_much.new_rollout_percentage = Some(101);
    let bad = [
        new_value(&one, r#""text""#, after(1)),
        too_much,
        change(&one, ChangeType::UpdateRollout, after(3)),
        change(&one, ChangeType::UpdateValue, after(4)),
        // Fits the flag, and not the store.
        new_value(&one, &"1".repeat(1024 * 1024 - 1_500), after(5)),
    ];
    for change in &bad {
        put(&*storage, change.clone()).await;
    }
    put(&*storage, new_value(&one, "7", after(6))).await;
    let report = run_due(&storage).await;
    assert_eq!((report.refused.len(), report.applied.len()), (5, 1), "{report:?}");
    for change in &bad {
        let done = read_change(&storage, change).await;
        assert!(done.executed && done.executed_at == Some(after(1_000)));
        assert!(done.error.is_some_and(|error| !error.is_empty()), "it says why");
    }
    let now = read(&storage, "f").await;
    assert_eq!(now.default_value.map(|value| value.to_string()).as_deref(), Some("7"));
    assert!(run_due(&storage).await.is_empty());
}

#[tokio::test]
async fn what_belongs_to_no_flag_is_marked_and_what_belongs_to_an_unreadable_one_stays() {
    let storage = Faulty::new();
    let good = flag("good", false);
    put(&*storage, good.clone()).await;
    let nobodys = ScheduledChange::new(FlagId::new(), ChangeType::Enable, DUE);
    let phase = RolloutPhase::new(nobodys.flag_id, 1, 50, DUE);
    insert(&storage, &nobodys.clone().into());
    insert(&storage, &phase.clone().into());
    let enable = change(&good, ChangeType::Enable, DUE);
    put(&*storage, enable).await;
    let unreadable = Key::ScheduledChange(flags_core::ScheduledChangeId::new());
    storage.inner.insert_raw(&unreadable, b"{}").expect("open");
    // While a flag cannot be read nobody knows that it is not the owner.
    storage.inner.insert_raw(&Key::Flag(key("bad")), b"{}").expect("open");
    let report = run_due(&storage).await;
    assert_eq!((report.applied.len(), report.refused.len()), (1, 0));
    let kinds: Vec<_> = report.errors.iter().map(|e| (e.kind(), e.key().map(Key::kind))).collect();
    assert_eq!(kinds.len(), 2, "{report:?}");
    assert!(kinds.iter().all(|(kind, _)| *kind == ErrorKind::Corrupt));
    assert!(read(&storage, "good").await.default_enabled);

    common::delete(&*storage, Key::Flag(key("bad"))).await;
    let report = run_due(&storage).await;
    assert_eq!(report.refused.len(), 2, "{report:?}");
    assert!(report.refused.iter().all(|refused| refused.flag.is_none()));
    let done = read_change(&storage, &nobodys).await;
    assert_eq!((done.executed, done.executed_at), (true, Some(after(1_000))));
    assert_eq!(done.error.as_deref(), Some("its flag does not exist"));
    let phases = store(&storage).get_rollout_phases(phase.flag_id).await.expect("read").records;
    assert!(phases[0].executed && phases[0].error.is_some());
    assert!(run_due(&storage).await.refused.is_empty(), "it is not tried again");
}

/// Runs until `over` is told to end; the reports' changes, all together.
struct Running {
    over: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<flags_core::Result<()>>,
}

fn spawn(scheduler: Scheduler) -> Running {
    let (over, is_over) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(async move { scheduler.run(async { drop(is_over.await) }).await });
    Running { over, task }
}

impl Running {
    async fn end(self) {
        self.over.send(()).expect("still running");
        self.task.await.expect("no panic").expect("no error");
    }
}

/// Waits until the flag is on.
async fn until_on(storage: &Arc<Faulty>, name: &str, mut meanwhile: impl FnMut()) {
    let deadline = std::time::Instant::now() + LONG;
    while !read(storage, name).await.default_enabled {
        assert!(std::time::Instant::now() < deadline, "{name} is never on");
        meanwhile();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn it_sleeps_until_something_is_due_and_is_woken_by_plans() {
    let clock = ManualClock::at(DUE);
    let storage = Faulty::with_clock(Arc::new(clock.clone()));
    let (one, other) = (flag("one", false), flag("other", false));
    put(&*storage, one.clone()).await;
    put(&*storage, other.clone()).await;
    put(&*storage, change(&one, ChangeType::Enable, after(60))).await;
    let running = spawn(Scheduler::builder(storage.clone()).clock(Arc::new(clock.clone())).build());
    // The start, and the first word of the watch.
    until("two looks", || Faulty::count(&storage.lists) >= 4).await;
    clock.set(after(59));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!read(&storage, "one").await.default_enabled);
    // The clock stands; the plan is new, and due.
    put(&*storage, change(&other, ChangeType::Enable, after(58))).await;
    until_on(&storage, "other", || {}).await;
    assert!(!read(&storage, "one").await.default_enabled);
    clock.set(after(60));
    until_on(&storage, "one", || {}).await;
    running.end().await;
}

#[tokio::test]
async fn without_news_it_looks_now_and_then() {
    let clock = ManualClock::at(DUE);
    let storage = Faulty::unwatched(Arc::new(clock.clone()));
    let one = flag("one", false);
    put(&*storage, one.clone()).await;
    let running = spawn(Scheduler::builder(storage.clone()).clock(Arc::new(clock.clone())).build());
    until("a look", || Faulty::count(&storage.lists) >= 2).await;
    put(&*storage, change(&one, ChangeType::Enable, DUE)).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!read(&storage, "one").await.default_enabled);
    until_on(&storage, "one", || clock.advance(Duration::from_secs(1))).await;
    assert!(clock.now() >= after(30));
    running.end().await;
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_asked_again() {
    let storage = Faulty::new();
    let one = flag("one", false);
    put(&*storage, one.clone()).await;
    put(&*storage, change(&one, ChangeType::Enable, DUE)).await;
    storage.reads_fail.store(true, Ordering::SeqCst);
    let error = scheduler(&storage).run_due(after(1)).await.expect_err("nothing can be read");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, Some("run_due")));
    let running = spawn(scheduler(&storage));
    let before = Faulty::count(&storage.lists);
    until("attempts", || Faulty::count(&storage.lists) > before + 5).await;
    storage.reads_fail.store(false, Ordering::SeqCst);
    until_on(&storage, "one", || {}).await;
    running.end().await;

    let running = spawn(scheduler(&storage));
    storage.close().await.expect("closed");
    let error = running.task.await.expect("no panic").expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_commit_that_the_store_will_never_have_ends_with_its_reason() {
    for kind in [ErrorKind::Conflict, ErrorKind::NotFound] {
        let storage = Faulty::new();
        let (stuck, other) = (flag("stuck", false), flag("other", false));
        for one in [&stuck, &other] {
            put(&*storage, one.clone()).await;
            put(&*storage, change(one, ChangeType::Enable, DUE)).await;
        }
        *storage.refused.lock().expect("not poisoned") = Some((Some(Key::Flag(key("stuck"))), kind));
        let report = tokio::time::timeout(LONG, run_due(&storage)).await.expect("it ends");
        assert_eq!((report.applied.len(), report.errors.len()), (1, 1), "{report:?}");
        assert_eq!(report.errors[0].kind(), kind);
        *storage.refused.lock().expect("not poisoned") = None;
        assert_eq!(run_due(&storage).await.applied.len(), 1, "it is still pending");
    }
}

#[tokio::test]
async fn what_not_even_its_mark_fits_blocks_nothing() {
    let storage = Faulty::new();
    let mut one = flag("f", false);
    one.flag_type = FlagType::Json;
    put(&*storage, one.clone()).await;
    let mut full = new_value(&one, "1", after(1));
    let limit = storage.descriptor().limits().value_bytes;
    let length = serde_json::to_vec(&full).expect("JSON").len();
    full.new_value = Some("1".repeat(limit - length + 1).parse().expect("JSON"));
    put(&*storage, full.clone()).await;
    put(&*storage, change(&one, ChangeType::Enable, after(2))).await;
    let report = run_due(&storage).await;
    assert_eq!((report.applied.len(), report.errors.len()), (1, 1), "{report:?}");
    assert_eq!(report.errors[0].key(), Some(&Key::ScheduledChange(full.id)));
    assert!(read(&storage, "f").await.default_enabled);
}

#[tokio::test]
async fn many_changes_of_no_flag_are_marked_at_once() {
    let storage = Faulty::new();
    let nobody = FlagId::new();
    for _ in 0..50 {
        insert(&storage, &ScheduledChange::new(nobody, ChangeType::Enable, DUE).into());
    }
    let report = run_due(&storage).await;
    assert_eq!(report.refused.len(), 50);
    assert!(Faulty::count(&storage.lists) <= 4, "every flag is looked at once, not once a change");
}

#[tokio::test]
async fn more_of_no_flag_than_a_commit_holds_is_marked_in_portions() {
    let storage = Faulty::new();
    let limits = storage.descriptor().limits().clone();
    let (nobody, size) = (FlagId::new(), limits.value_bytes - 1_000);
    let count = limits.batch_bytes / size + 1;
    let mut largest = ScheduledChange::new(nobody, ChangeType::UpdateValue, DUE);
    for n in 0..=count {
        let mut one = ScheduledChange::new(nobody, ChangeType::UpdateValue, DUE);
        // The last is so large that the mark itself is past a limit.
        let length = if n == count {
            limits.value_bytes - serde_json::to_vec(&one).expect("JSON").len()
        } else {
            size
        };
        one.new_value = Some("1".repeat(length).parse().expect("JSON"));
        insert(&storage, &one.clone().into());
        largest = one;
    }
    let report = run_due(&storage).await;
    assert_eq!((report.refused.len(), report.errors.len()), (count, 1));
    assert_eq!(report.errors[0].key(), Some(&Key::ScheduledChange(largest.id)));
    assert!(!read_change(&storage, &largest).await.executed);
}

#[tokio::test]
async fn what_is_executed_or_far_away_is_not_looked_through_again() {
    let storage = Faulty::new();
    let one = flag("one", false);
    put(&*storage, one.clone()).await;
    let running = spawn(scheduler(&storage));
    until("the start, and the first word of the watch", || Faulty::count(&storage.lists) >= 4).await;
    let lists = Faulty::count(&storage.lists);
    for n in 0..50 {
        let gets = Faulty::count(&storage.gets);
        let mut far = change(&one, ChangeType::Disable, Timestamp::now().saturating_add(LONG * 60));
        far.executed = n % 2 == 0;
        put(&*storage, far).await;
        until("a look at it", || Faulty::count(&storage.gets) > gets).await;
    }
    assert_eq!(Faulty::count(&storage.lists), lists);
    put(&*storage, change(&one, ChangeType::Enable, DUE)).await;
    until_on(&storage, "one", || {}).await;
    running.end().await;
}
