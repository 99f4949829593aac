//! What happens to the replica where only the task sees it.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use flags_core::storage::{Batch, Expect};
use flags_core::watch::DEFAULT_BOUND;
use flags_core::{
    Clock as _, Condition, EntityId, EntityType, Flag, FlagKey, Key, ManualClock, Override, Record, Rule,
    StorageHandle, Timestamp,
};
use flags_memory::MemoryStorage;
use futures_util::FutureExt as _;
use tokio::sync::mpsc;

use super::*;
use crate::freshness::{Freshness, StaleCause};
use crate::link::News;
use crate::replica::Found;

/// A follower of a store with nothing in it, which is taken to be in step with it.
fn follower(clock: &ManualClock) -> Follower {
    let (clock, storage) = (Arc::new(clock.clone()), Arc::new(MemoryStorage::new()));
    let shared = Shared::new(storage, clock, Semantics::Compat, Vec::new(), None);
    let settings = Settings {
        semantics: Semantics::Compat,
        poll_interval: Duration::from_secs(10),
        save_interval: Duration::from_secs(1),
        retry: Pace::default(),
        file: None,
    };
    let (_, commands) = mpsc::channel(1);
    let mut follower = Follower::new(Arc::new(shared), settings, commands, None);
    (follower.link, follower.read, follower.synced) = (Link::Following, true, true);
    follower
}

fn flag() -> Flag {
    Flag::new(FlagKey::new("f").expect("a key"))
}

async fn take_in(follower: &mut Follower, records: Vec<Record>) {
    let found: Vec<Found> = records.into_iter().map(Found::Record).collect();
    follower.change(Found::weight(&found), |replica, now| replica.apply(found, now)).await;
}

fn freshness(follower: &mut Follower) -> Freshness {
    follower.tell_freshness();
    *follower.shared.freshness.borrow()
}

#[tokio::test]
async fn a_panic_costs_the_replica_and_nothing_that_is_served() {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let mut follower = follower(&clock);
    take_in(&mut follower, vec![flag().into()]).await;
    assert_eq!(freshness(&mut follower), Freshness::Fresh);
    let mut pauses = Vec::new();
    for _ in 0..6 {
        follower.change(usize::MAX, |_, _| panic!("by order")).await;
        let Freshness::Stale { cause, .. } = freshness(&mut follower) else { panic!("not in step") };
        assert_eq!(cause, StaleCause::Reloading);
        assert_eq!(follower.shared.state.load().ruleset.len(), 1, "what is served stays");
        assert!(follower.shared.store_error.load().is_some());
        // Everything is read again, but not at once.
        assert!(follower.next_work().is_none());
        pauses.push(follower.retry_at.expect("a pause").saturating_since(clock.now()));
        clock.advance(Duration::from_secs(10));
        assert!(matches!(follower.next_work().expect("a read").await, Done::Listed(..)));
    }
    assert!(pauses[5] > 4 * pauses[0], "{pauses:?}");
    // The store is empty: that is judged by what is served.
    follower.wants_reload = true;
    let read = follower.next_work().expect("a read").await;
    follower.take_in(read).await;
    assert!(follower.store_emptied);
}

#[tokio::test]
async fn many_overrides_that_end_together_keep_nobody_waiting() {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    for (count, elsewhere) in [(10, false), (2_000, true)] {
        let mut follower = follower(&clock);
        let flag = flag();
        let mut records: Vec<Record> = vec![flag.clone().into()];
        for n in 0..count {
            let (user, id) = (EntityType::new("user"), EntityId::new(n.to_string()));
            let mut one = Override::new(flag.id, user.expect("a type"), id.expect("an id"), true);
            one.expires_at = Some(clock.now().saturating_add(Duration::from_secs(60)));
            records.push(one.into());
        }
        take_in(&mut follower, records).await;
        clock.advance(Duration::from_secs(3_600));
        let (told, was) = std::sync::mpsc::channel();
        let sweep = move |replica: &mut Replica, now| {
            told.send(thread::current().id()).expect("somebody listens");
            replica.apply(Vec::new(), now)
        };
        follower.change(0, sweep).await;
        assert_eq!(was.recv().expect("it ran") != thread::current().id(), elsewhere);
        assert_eq!(follower.replica.len(), 1, "they are gone");
    }
}

#[tokio::test]
async fn patterns_are_compiled_where_they_keep_nobody_waiting() {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    for (operator, elsewhere) in [("eq", false), ("matches", true)] {
        let mut follower = follower(&clock);
        let mut flag = flag();
        flag.rules.push(Rule::new("r").when(Condition::new("email", operator, ".*@example.com")));
        let found = vec![Found::Record(flag.into())];
        let weight = Found::weight(&found);
        let (told, was) = std::sync::mpsc::channel();
        let apply = move |replica: &mut Replica, now| {
            told.send(thread::current().id()).expect("somebody listens");
            replica.apply(found, now)
        };
        follower.change(weight, apply).await;
        assert_eq!(was.recv().expect("it ran") != thread::current().id(), elsewhere, "{operator}");
    }
}

#[tokio::test]
async fn more_changes_than_are_remembered_are_read_all_at_once() {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let mut follower = follower(&clock);
    take_in(&mut follower, vec![flag().into()]).await;
    let changed = |n: usize| News::Changed(Key::Flag(FlagKey::new(n.to_string()).expect("a key")));
    (0..DEFAULT_BOUND).for_each(|n| follower.hear(changed(n)));
    let fetch = follower.next_work().expect("a read").await;
    assert!(matches!(fetch, Done::Fetched(..)));
    (DEFAULT_BOUND..2 * DEFAULT_BOUND + 1).for_each(|n| follower.hear(changed(n)));
    let Freshness::Stale { cause, .. } = freshness(&mut follower) else { panic!("not in step") };
    assert_eq!(cause, StaleCause::Reloading);
    follower.take_in(fetch).await;
    assert!(matches!(follower.next_work().expect("a read").await, Done::Listed(..)));
}

#[tokio::test]
async fn a_store_that_never_waits_is_read_bit_by_bit() {
    let storage: StorageHandle = Arc::new(MemoryStorage::new());
    for some in 0..10 {
        let flags = (0..100).map(|n| Flag::new(FlagKey::new(format!("{some}-{n}")).expect("a key")));
        let batch = flags.fold(Batch::new(), |batch, flag| batch.put(flag, Expect::Absent));
        storage.commit(batch).await.expect("committed");
    }
    let mut list = Box::pin(fetch::list(storage, true));
    assert!((&mut list).now_or_never().is_none(), "others have their turn");
    assert_eq!(list.await.expect("listed").flags, 1_000);
}
