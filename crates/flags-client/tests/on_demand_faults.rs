//! Overrides that are fetched for whom they are asked, where the store fails, or answers late.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Faulty, LONG, builder, cause, delete, flag, override_of, put, until, until_fresh, user};
use flags_client::{Client, Freshness, Overrides, StaleCause};
use flags_core::storage::Change;
use flags_core::{ErrorKind, Key, ManualClock, Timestamp};
use flags_engine::{ErrorCode, EvaluationContext};

async fn on_demand(storage: &Arc<Faulty>) -> Client {
    let overrides = Overrides::OnDemand { capacity: 100, time_to_live: LONG };
    builder(storage).overrides(overrides).start().await.expect("started")
}

/// A client of a store that tells of no changes, which looks every ten seconds what flags there are.
async fn polling(storage: &Arc<Faulty>, clock: &ManualClock) -> Client {
    builder(storage)
        .clock(Arc::new(clock.clone()))
        .poll_interval(Duration::from_secs(10))
        .overrides(Overrides::OnDemand { capacity: 100, time_to_live: Duration::from_secs(3_600) })
        .start()
        .await
        .expect("started")
}

fn not_ready(client: &Client, context: &EvaluationContext) -> bool {
    client.bool_details("f", true, context).error_code == Some(ErrorCode::ProviderNotReady)
}

#[tokio::test]
async fn what_is_known_to_have_changed_is_not_served_where_the_store_does_not_answer() {
    let storage = Faulty::new();
    let f = flag("f", false);
    put(&*storage, f.clone()).await;
    put(&*storage, override_of(f.id, "user", "u", true)).await;
    let client = on_demand(&storage).await;
    client.prepare(&user("u")).await.expect("prepared");
    put(&*storage, override_of(f.id, "user", "u", false)).await;
    until("told", || not_ready(&client, &user("u"))).await;
    for (fault, kind) in
        [(&storage.reads_are_denied, ErrorKind::Denied), (&storage.reads_fail, ErrorKind::Unavailable)]
    {
        storage.set(fault, true);
        for _ in 0..2 {
            let error = client.prepare(&user("u")).await.expect_err("nobody knows");
            assert_eq!((error.kind(), error.operation()), (kind, Some("prepare")));
            assert!(std::error::Error::source(&error).is_some(), "it says why");
            assert!(not_ready(&client, &user("u")), "as the methods of the client have it");
            assert_eq!(client.freshness(), Freshness::Fresh, "of the flags no change is missed");
            assert_eq!(client.diagnostics().store.map(|error| error.kind()), Some(kind));
        }
        storage.set(fault, false);
    }
    let snapshot = client.prepare(&user("u")).await.expect("prepared");
    assert!(!snapshot.bool_details("f", true, &user("u")).value);
    assert!(client.diagnostics().is_empty(), "it answers again");
}

#[tokio::test]
async fn what_may_have_missed_changes_is_prepared_only_while_the_client_says_so() {
    let storage = Faulty::new();
    let f = flag("f", false);
    put(&*storage, f.clone()).await;
    let client = on_demand(&storage).await;
    client.prepare(&user("u")).await.expect("prepared");
    put(&*storage, override_of(f.id, "user", "u", true)).await;
    until("told", || not_ready(&client, &user("u"))).await;
    storage.inject(&Change::Lost);
    until("stale", || cause(&client) == Some(StaleCause::Disconnected)).await;
    storage.set(&storage.reads_fail, true);
    let old = client.prepare(&user("u")).await.expect("old, and said to be");
    assert!(!old.bool_details("f", true, &user("u")).value);
    assert!(!client.bool_value("f", true, &user("u")), "as the methods of the client have it");
    assert!(client.diagnostics().store.is_some(), "it says why it is old");
    storage.set(&storage.reads_fail, false);
    storage.inject(&Change::Resync);
    until_fresh(&client).await;
    assert!(client.diagnostics().store.is_none(), "the store was read");
    client.prepare(&user("u")).await.expect("prepared");
    storage.inject(&Change::Resync);
    let prepares_anew = || not_ready(&client, &user("u")) && client.freshness() == Freshness::Fresh;
    until("fresh again", prepares_anew).await;
    storage.set(&storage.reads_fail, true);
    let error = client.prepare(&user("u")).await.expect_err("whether it changed nobody knows");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(not_ready(&client, &user("u")));
}

#[tokio::test]
async fn what_the_task_finds_wrong_with_the_store_is_not_taken_back_by_a_fetch() {
    let storage = Faulty::new();
    put(&*storage, flag("f", false)).await;
    let client = on_demand(&storage).await;
    storage.set(&storage.watch_fails, true);
    storage.end_watches();
    until("the loss", || client.diagnostics().store.is_some()).await;
    client.prepare(&user("u")).await.expect("prepared");
    assert!(client.diagnostics().store.is_some(), "changes are still not followed");
    storage.set(&storage.reads_fail, true);
    client.prepare(&user("new")).await.expect_err("it does not answer");
    storage.set(&storage.reads_fail, false);
    client.prepare(&user("new")).await.expect("prepared");
    assert!(client.diagnostics().store.is_some(), "changes are still not followed");
}

#[tokio::test]
async fn of_a_flag_that_is_back_what_was_just_read_counts() {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let storage = Faulty::unwatched(Arc::new(clock.clone()));
    let (f, g) = (flag("f", false), flag("g", false));
    for one in [&f, &g] {
        put(&*storage, one.clone()).await;
        put(&*storage, override_of(one.id, "user", "u", true)).await;
    }
    let client = polling(&storage, &clock).await;
    let flags = |count: usize| {
        clock.advance(Duration::from_secs(12));
        let client = client.clone();
        until("the next poll", move || client.snapshot().ruleset().len() == count)
    };
    let serves = async |name: &str| {
        let before = Faulty::count(&storage.keys_got);
        let snapshot = client.prepare(&user("u")).await.expect("prepared");
        let asked = Faulty::count(&storage.keys_got) - before;
        let served = snapshot.bool_details(name, false, &user("u")).value;
        assert_eq!(client.bool_value(name, false, &user("u")), served);
        (served, asked)
    };
    assert_eq!(serves("f").await, (true, 2));
    // Restored with the same id, as by an import, and its override with another value.
    delete(&*storage, Key::Flag(f.key.clone())).await;
    flags(1).await;
    put(&*storage, f.clone()).await;
    put(&*storage, override_of(f.id, "user", "u", false)).await;
    flags(2).await;
    assert_eq!(serves("f").await, (false, 1), "just that one was asked for");
    assert!(serves("g").await.0, "of the others what is known counts");

    // Restored without it; and one that cannot be read stays as it was.
    delete(&*storage, Key::Flag(g.key.clone())).await;
    flags(1).await;
    put(&*storage, g.clone()).await;
    flags(2).await;
    assert!(!serves("g").await.0);
    delete(&*storage, Key::Flag(f.key.clone())).await;
    flags(1).await;
    let mut on = f.clone();
    on.default_enabled = true;
    put(&*storage, on).await;
    let corrupt = Key::Override(f.id, "user".parse().expect("a type"), "u".parse().expect("an id"));
    storage.inner.insert_raw(&corrupt, b"{").expect("open");
    flags(2).await;
    assert!(!serves("f").await.0);
    assert_eq!(client.diagnostics().unreadable.len(), 1);
    // Nor is it unreadable for ever.
    delete(&*storage, Key::Flag(f.key.clone())).await;
    flags(1).await;
    put(&*storage, f.clone()).await;
    put(&*storage, override_of(f.id, "user", "u", true)).await;
    flags(2).await;
    assert!(serves("f").await.0);
    assert!(client.diagnostics().is_empty());
}

/// Prepares the user "u", with an answer that is held back until it is let go; and what is served then.
async fn late(client: &Client, storage: &Faulty) -> (impl FnOnce(), tokio::task::JoinHandle<bool>) {
    let mut held = storage.hold_get();
    let client = client.clone();
    let preparing = tokio::spawn(async move {
        let snapshot = client.prepare(&user("u")).await.expect("prepared");
        snapshot.bool_details("f", false, &user("u")).value
    });
    held.reached().await;
    (move || held.release(), preparing)
}

#[tokio::test]
async fn who_was_prepared_with_the_new_flags_stays_in_the_cache() {
    let storage = Faulty::new();
    let f = flag("f", false);
    put(&*storage, f.clone()).await;
    put(&*storage, override_of(f.id, "user", "u", true)).await;
    let client = on_demand(&storage).await;
    let (let_go, preparing) = late(&client, &storage).await;
    put(&*storage, flag("g", true)).await;
    until("the flag", || client.snapshot().ruleset().len() == 2).await;
    client.prepare(&user("u")).await.expect("prepared");
    let_go();
    assert!(preparing.await.expect("no panic"), "it has what it asked for all the same");
    assert!(!not_ready(&client, &user("u")), "the later one was prepared");
    assert!(client.bool_value("f", false, &user("u")));
}

#[tokio::test]
async fn an_answer_that_comes_late_does_not_replace_a_newer_one() {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let storage = Faulty::unwatched(Arc::new(clock.clone()));
    let f = flag("f", false);
    put(&*storage, f.clone()).await;
    let client = polling(&storage, &clock).await;
    let (let_go, preparing) = late(&client, &storage).await;
    put(&*storage, override_of(f.id, "user", "u", true)).await;
    client.prepare(&user("u")).await.expect("prepared");
    let_go();
    assert!(!preparing.await.expect("no panic"), "as it was when it was asked");
    assert!(client.bool_value("f", false, &user("u")));
    clock.advance(Duration::from_secs(1));
    assert!(client.prepare(&user("u")).await.is_ok_and(|s| s.bool_details("f", false, &user("u")).value));
}
