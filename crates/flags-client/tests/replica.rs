//! The replica follows the store, through everything that can go wrong on the way.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{
    Faulty, LONG, anybody, builder, cause, delete, flag, key, override_of, put, start, text, text_flag,
    until, until_fresh, user,
};
use flags_client::{Freshness, StaleCause, Startup};
use flags_core::storage::{Change, Limits};
use flags_core::{
    Clock as _, Condition, ErrorKind, Key, ManualClock, Record, Rule, Segment, SegmentName, Storage,
    SystemClock, TimeSchedule, Timestamp,
};
use flags_engine::{ErrorCode, Reason};
use flags_memory::MemoryStorage;

/// Another library has no limit on the name of an entity.
#[tokio::test]
async fn a_record_whose_key_is_past_the_limit_is_followed_too() {
    let mut limits = Limits::default();
    limits.key_bytes = 100;
    let storage = Faulty::of(MemoryStorage::with_clock_and_limits(Arc::new(SystemClock), limits));
    let on = flag("on", true);
    put(&*storage, on.clone()).await;
    let name = "x".repeat(200);
    let insert = |enabled| {
        let record = Record::from(override_of(on.id, "user", &name, enabled));
        storage.inner.insert_raw(&record.key(), &record.encode().expect("JSON")).expect("open");
    };
    insert(false);
    let client = start(&storage).await;
    assert!(!client.bool_value("on", true, &user(&name)));
    insert(true);
    until("the edit", || client.bool_value("on", false, &user(&name))).await;
    until_fresh(&client).await;
}

#[tokio::test]
async fn every_kind_of_record_is_loaded_and_followed() {
    let storage = Faulty::new();
    let on = flag("on", true);
    put(&*storage, on.clone()).await;
    put(&*storage, override_of(on.id, "user", "u1", false)).await;
    let client = start(&storage).await;
    assert_eq!(client.freshness(), Freshness::Fresh);
    assert!(client.bool_value("on", false, &anybody()));
    assert!(!client.bool_value("on", true, &user("u1")));

    put(&*storage, override_of(on.id, "user", "u2", false)).await;
    until("an override", || !client.bool_value("on", true, &user("u2"))).await;
    delete(&*storage, Key::Override(on.id, "user".parse().unwrap(), "u2".parse().unwrap())).await;
    until("no override", || client.bool_value("on", false, &user("u2"))).await;

    // A segment, and a flag that asks for it.
    let mut dutch = Segment::new(SegmentName::new("dutch").unwrap());
    dutch.conditions.push(Condition::new("country", "eq", "NL"));
    let mut asking = flag("asking", false);
    asking.rules.push(Rule::new("dutch").when(Condition::new(
        "",
        "in_segment",
        dutch.id.to_string().as_str(),
    )));
    put(&*storage, asking).await;
    put(&*storage, dutch.clone()).await;
    let nl = flags_engine::EvaluationContext::builder().country("NL").build();
    until("a segment", || client.bool_value("asking", false, &nl)).await;
    dutch.enabled = false;
    put(&*storage, dutch).await;
    until("a disabled segment", || !client.bool_value("asking", true, &nl)).await;

    let mut schedule = TimeSchedule::new(on.id, "never", "09:00".parse().unwrap(), "17:00".parse().unwrap());
    schedule.valid_until = Some(Timestamp::UNIX_EPOCH);
    put(&*storage, schedule.clone()).await;
    until("a schedule", || client.bool_details("on", true, &anybody()).reason == Reason::Disabled).await;
    delete(&*storage, Key::TimeSchedule(schedule.id)).await;
    until("no schedule", || client.bool_value("on", false, &anybody())).await;

    delete(&*storage, Key::Flag(key("on"))).await;
    until("no flag", || {
        client.bool_details("on", false, &anybody()).error_code == Some(ErrorCode::FlagNotFound)
    })
    .await;
    assert_eq!(Faulty::count(&storage.lists), 4, "changes are fetched by key");
}

#[tokio::test]
async fn a_read_that_a_change_overtook_is_never_installed() {
    let storage = Faulty::new();
    let mut one = text_flag("f", "1");
    put(&*storage, one.clone()).await;
    let client = start(&storage).await;

    let (mut first, mut second) = (storage.hold_get(), storage.hold_get());
    one.default_value = Some("2".into());
    put(&*storage, one.clone()).await;
    first.reached().await;
    // The held reply says "2". Before it comes, the flag changes again.
    one.default_value = Some("3".into());
    put(&*storage, one.clone()).await;
    first.release();
    second.reached().await;
    // The first reply was taken in before the second read began.
    assert_eq!(text(&client, "f"), "1");
    second.release();
    until("the last value", || text(&client, "f") == "3").await;
}

#[tokio::test]
async fn a_change_during_a_reload_is_applied_after_it() {
    let storage = Faulty::new();
    let (mut one, mut other) = (text_flag("f", "1"), text_flag("g", "1"));
    put(&*storage, one.clone()).await;
    put(&*storage, other.clone()).await;
    let client = start(&storage).await;
    storage.inject(&Change::Lost);
    until("stale", || client.freshness() != Freshness::Fresh).await;
    for each in [&mut one, &mut other] {
        each.default_value = Some("2".into());
        put(&*storage, each.clone()).await;
    }
    let (mut reload, mut fetch) = (storage.hold_list(), storage.hold_get());
    storage.inject(&Change::Resync);
    reload.reached().await;
    // The old state serves meanwhile.
    assert_eq!((text(&client, "f"), text(&client, "g")), ("1".into(), "1".into()));
    one.default_value = Some("3".into());
    put(&*storage, one).await;
    reload.release();
    fetch.reached().await;
    assert_eq!((text(&client, "f"), text(&client, "g")), ("1".into(), "2".into()));
    fetch.release();
    until("the last value", || text(&client, "f") == "3").await;
    until_fresh(&client).await;
}

#[tokio::test]
async fn changes_that_wait_are_fetched_in_one_call() {
    let storage = Faulty::new();
    put(&*storage, text_flag("f", "0")).await;
    let client = start(&storage).await;
    let mut held = storage.hold_get();
    put(&*storage, text_flag("first", "1")).await;
    held.reached().await;
    for n in 0..50 {
        put(&*storage, text_flag(&format!("more-{n}"), "1")).await;
    }
    held.release();
    until("all of them", || (0..50).all(|n| text(&client, &format!("more-{n}")) == "1")).await;
    assert_eq!((Faulty::count(&storage.gets), Faulty::count(&storage.keys_got)), (2, 51));
}

#[tokio::test]
async fn a_lost_watch_is_stale_until_everything_was_read_again() {
    let storage = Faulty::new();
    let mut one = text_flag("f", "1");
    put(&*storage, one.clone()).await;
    let client = start(&storage).await;
    let before = Timestamp::now();
    storage.inject(&Change::Lost);
    until("stale", || cause(&client) == Some(StaleCause::Disconnected)).await;
    let Freshness::Stale { since, .. } = client.freshness() else { panic!("stale") };
    assert!(since >= before && since <= Timestamp::now());
    one.default_value = Some("2".into());
    put(&*storage, one).await;
    put(&*storage, text_flag("g", "1")).await;
    assert_eq!(text(&client, "f"), "1");
    let mut reload = storage.hold_list();
    storage.inject(&Change::Resync);
    reload.reached().await;
    until("reloading", || cause(&client) == Some(StaleCause::Reloading)).await;
    let Freshness::Stale { since: still, .. } = client.freshness() else { panic!("stale") };
    assert_eq!(still, since, "another cause does not make it fresher");
    reload.release();
    until_fresh(&client).await;
    assert_eq!((text(&client, "f"), text(&client, "g")), ("2".into(), "1".into()));
}

#[tokio::test]
async fn a_watch_that_ends_is_taken_up_again() {
    let storage = Faulty::new();
    put(&*storage, text_flag("f", "1")).await;
    let client = start(&storage).await;
    storage.set(&storage.watch_fails, true);
    storage.end_watches();
    until("stale", || cause(&client) == Some(StaleCause::Disconnected)).await;
    until("attempts", || Faulty::count(&storage.watches) > 3).await;
    assert!(client.diagnostics().store.is_some());
    put(&*storage, text_flag("g", "1")).await;
    storage.set(&storage.watch_fails, false);
    until_fresh(&client).await;
    assert_eq!(text(&client, "g"), "1");
    assert!(client.diagnostics().is_empty());
}

#[tokio::test]
async fn without_a_watch_at_the_start_the_store_is_still_read() {
    let storage = Faulty::new();
    put(&*storage, text_flag("f", "1")).await;
    storage.set(&storage.watch_fails, true);
    let client = builder(&storage).poll_interval(Duration::from_millis(1)).start().await.expect("started");
    assert_eq!(text(&client, "f"), "1");
    assert!(cause(&client) == Some(StaleCause::Disconnected));
    put(&*storage, text_flag("f2", "1")).await;
    until("a poll", || text(&client, "f2") == "1").await;
}

#[tokio::test]
async fn a_failed_read_is_repeated_and_told() {
    let storage = Faulty::new();
    let mut one = text_flag("f", "1");
    put(&*storage, one.clone()).await;
    let client = start(&storage).await;
    storage.set(&storage.reads_fail, true);
    one.default_value = Some("2".into());
    put(&*storage, one).await;
    until("stale", || cause(&client) == Some(StaleCause::Disconnected)).await;
    until("attempts", || Faulty::count(&storage.gets) > 5).await;
    assert_eq!(text(&client, "f"), "1");
    assert!(cause(&client) == Some(StaleCause::Disconnected));
    assert_eq!(client.diagnostics().store.expect("an error").kind(), ErrorKind::Unavailable);
    storage.set(&storage.reads_fail, false);
    until_fresh(&client).await;
    until("the change", || text(&client, "f") == "2").await;
}

#[tokio::test]
async fn a_store_that_tells_this_user_of_no_changes_is_polled_until_it_does() {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let storage = Faulty::new();
    storage.set(&storage.watch_is_denied, true);
    put(&*storage, text_flag("f", "1")).await;
    let client = builder(&storage).clock(Arc::new(clock.clone())).start().await.expect("started");
    until_fresh(&client).await;
    let why = || client.diagnostics().store.map(|error| error.kind());
    until("why", || why() == Some(ErrorKind::Denied)).await;
    put(&*storage, text_flag("g", "1")).await;
    let (watches, lists) = (Faulty::count(&storage.watches), Faulty::count(&storage.lists));
    until("it is asked again and again", || {
        clock.advance(Duration::from_millis(10));
        Faulty::count(&storage.watches) > watches + 3
    })
    .await;
    assert_eq!((client.freshness(), Faulty::count(&storage.lists)), (Freshness::Fresh, lists));
    clock.advance(2 * LONG);
    until("a poll", || text(&client, "g") == "1").await;

    storage.set(&storage.watch_is_denied, false);
    until("it is followed", || {
        clock.advance(Duration::from_millis(10));
        why().is_none()
    })
    .await;
    put(&*storage, text_flag("h", "1")).await;
    until("the change", || text(&client, "h") == "1").await;
}

#[tokio::test]
async fn a_store_that_tells_of_no_changes_is_polled() {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let storage = Faulty::unwatched(Arc::new(clock.clone()));
    put(&*storage, text_flag("f", "1")).await;
    let interval = Duration::from_secs(10);
    let client = builder(&storage)
        .clock(Arc::new(clock.clone()))
        .poll_interval(interval)
        .start()
        .await
        .expect("started");
    until_fresh(&client).await;
    put(&*storage, text_flag("g", "1")).await;
    let lists = Faulty::count(&storage.lists);
    clock.advance(Duration::from_secs(8));
    // Nothing may happen now; what does happen, happens past the interval and its jitter.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(Faulty::count(&storage.lists), lists);
    until("a poll", || {
        clock.advance(Duration::from_millis(100));
        text(&client, "g") == "1"
    })
    .await;
    storage.set(&storage.reads_fail, true);
    until("a failed poll", || {
        clock.advance(Duration::from_secs(1));
        cause(&client) == Some(StaleCause::Disconnected)
    })
    .await;
    storage.set(&storage.reads_fail, false);
    until("a poll that succeeds", || {
        clock.advance(Duration::from_secs(1));
        client.freshness() == Freshness::Fresh
    })
    .await;
}

#[tokio::test]
async fn a_corrupt_record_keeps_its_last_good_state() {
    let storage = Faulty::new();
    let one = text_flag("f", "1");
    put(&*storage, one.clone()).await;
    let mut other = text_flag("g", "1");
    put(&*storage, other.clone()).await;
    storage.inner.insert_raw(&Key::Flag(key("never-good")), b"{").expect("open");
    let client = start(&storage).await;
    let unreadable = |n: usize| client.diagnostics().unreadable.len() == n;
    assert!(unreadable(1));
    assert_eq!(
        client.string_details("never-good", "d", &anybody()).error_code,
        Some(ErrorCode::FlagNotFound)
    );

    storage.inner.insert_raw(&Key::Flag(key("f")), b"{\"id\": 1}").expect("open");
    until("a report", || unreadable(2)).await;
    assert_eq!(text(&client, "f"), "1");
    // A whole reload says the same.
    other.default_value = Some("2".into());
    put(&*storage, other).await;
    storage.inject(&Change::Lost);
    storage.inject(&Change::Resync);
    until("the reload", || text(&client, "g") == "2").await;
    until_fresh(&client).await;
    assert_eq!(text(&client, "f"), "1");
    assert!(unreadable(2));
    let keys: Vec<String> =
        client.diagnostics().unreadable.iter().filter_map(|e| e.key()).map(ToString::to_string).collect();
    assert_eq!(keys, ["flag:f", "flag:never-good"]);

    let mut repaired = one;
    repaired.default_value = Some("2".into());
    put(&*storage, repaired).await;
    delete(&*storage, Key::Flag(key("never-good"))).await;
    until("the repair", || text(&client, "f") == "2" && unreadable(0)).await;
}

#[tokio::test]
async fn an_override_expires_by_the_clients_clock() {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let storage = Faulty::with_clock(Arc::new(clock.clone()));
    let one = flag("f", false);
    put(&*storage, one.clone()).await;
    let mut expiring = override_of(one.id, "user", "u", true);
    expiring.expires_at = Some(clock.now().saturating_add(Duration::from_secs(60)));
    put(&*storage, expiring).await;
    let client = builder(&storage).clock(Arc::new(clock.clone())).start().await.expect("started");
    assert!(client.bool_value("f", false, &user("u")));
    clock.advance(Duration::from_micros(59_999_999));
    assert!(client.bool_value("f", false, &user("u")));
    clock.advance(Duration::from_micros(1));
    assert!(!client.bool_value("f", true, &user("u")));
    // Long after, it is not even held any more.
    clock.advance(Duration::from_secs(3600));
    let back = client.snapshot().with_instant(Timestamp::UNIX_EPOCH);
    assert!(back.bool_details("f", false, &user("u")).value, "a snapshot stays what it is");
    until("forgotten", || {
        !client.snapshot().with_instant(Timestamp::UNIX_EPOCH).bool_details("f", true, &user("u")).value
    })
    .await;
}

#[tokio::test]
async fn nothing_loaded_is_not_off() {
    let storage = Faulty::new();
    put(&*storage, flag("f", true)).await;
    storage.set(&storage.reads_fail, true);
    let client = builder(&storage).startup(Startup::ServeDefaults).start().await.expect("started");
    assert_eq!(client.freshness(), Freshness::NeverLoaded);
    for default in [true, false] {
        let details = client.bool_details("f", default, &anybody());
        assert_eq!((details.value, details.reason), (default, Reason::Error));
        assert_eq!(details.error_code, Some(ErrorCode::ProviderNotReady));
    }
    assert!(client.all(&anybody()).is_empty());
    let error = client.wait_ready(Duration::from_millis(1)).await.expect_err("not loaded");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    storage.set(&storage.reads_fail, false);
    client.wait_ready(LONG).await.expect("ready");
    assert!(client.bool_value("f", false, &anybody()));
    assert_eq!(client.all(&anybody()).len(), 1);

    storage.set(&storage.reads_fail, true);
    let wait = Startup::Wait { deadline: Duration::from_millis(20) };
    let error = builder(&storage).startup(wait).start().await.expect_err("not loaded");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, Some("start")));
    assert!(std::error::Error::source(&error).is_some(), "it says why");
}

#[tokio::test]
async fn the_task_ends_with_the_last_handle_or_when_it_is_closed() {
    let storage = Faulty::new();
    put(&*storage, flag("f", true)).await;
    let client = start(&storage).await;
    let (other, mut events) = (client.clone(), client.subscribe());
    drop(client);
    put(&*storage, flag("g", true)).await;
    until("still followed", || other.bool_value("g", false, &anybody())).await;
    drop(other);
    until("the task is gone", || Arc::strong_count(&storage) == 1).await;
    while events.next().await.is_some() {}

    let client = start(&storage).await;
    client.close().await;
    client.clone().close().await;
    assert!(cause(&client) == Some(StaleCause::Closed));
    put(&*storage, flag("h", true)).await;
    assert!(client.bool_value("f", false, &anybody()));
    assert!(!client.bool_value("h", false, &anybody()));
    assert!(client.subscribe().next().await.is_none());

    let client = start(&storage).await;
    storage.close().await.expect("closed");
    until("the store is closed", || cause(&client) == Some(StaleCause::Closed)).await;
    assert!(client.bool_value("f", false, &anybody()));
}

#[tokio::test]
async fn a_record_without_a_name_is_reported_and_hides_nothing() {
    let storage = Faulty::new();
    put(&*storage, text_flag("f", "1")).await;
    storage.set(&storage.has_nameless, true);
    let client = start(&storage).await;
    assert_eq!((client.freshness(), &*text(&client, "f")), (Freshness::Fresh, "1"));
    let unreadable = client.diagnostics().unreadable;
    assert_eq!(unreadable.len(), 1);
    assert!(unreadable[0].kind() == ErrorKind::Corrupt && unreadable[0].key().is_none());
    // It stays reported when something else changes, until a listing does not show it any more.
    put(&*storage, text_flag("g", "2")).await;
    until("a change", || text(&client, "g") == "2").await;
    assert_eq!(client.diagnostics().unreadable.len(), 1);
    storage.set(&storage.has_nameless, false);
    storage.inject(&Change::Resync);
    until("mended", || client.diagnostics().is_empty()).await;
}

#[tokio::test]
async fn a_store_whose_reads_lag_is_read_again_after_a_while() {
    let storage = Faulty::lagging();
    put(&*storage, text_flag("f", "1")).await;
    let client = builder(&storage).poll_interval(Duration::from_millis(5)).start().await.expect("started");
    storage.set(&storage.gets_lag, true);
    put(&*storage, text_flag("g", "2")).await;
    // The read that followed the change knew nothing of it, and no other change comes.
    until("the flag", || text(&client, "g") == "2").await;
}

#[test]
fn a_client_whose_runtime_is_gone_is_not_fresh() {
    let storage = Faulty::new();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let first = runtime();
    let (client, mut events) = first.block_on(async {
        put(&*storage, text_flag("f", "1")).await;
        let client = start(&storage).await;
        let events = client.subscribe();
        (client, events)
    });
    assert_eq!(client.freshness(), Freshness::Fresh);
    drop(first);
    assert!(cause(&client) == Some(StaleCause::Closed), "nobody follows the store any more");
    assert_eq!(text(&client, "f"), "1");
    let rest = async { while events.next().await.is_some() {} };
    runtime().block_on(async { tokio::time::timeout(LONG, rest).await }).expect("the events end");
}

#[tokio::test]
async fn a_watch_that_cannot_be_had_again_and_again_does_not_put_off_the_polling() {
    let storage = Faulty::new();
    storage.set(&storage.watch_fails, true);
    let client = builder(&storage).poll_interval(Duration::from_millis(500)).start().await.expect("started");
    let watches = Faulty::count(&storage.watches);
    put(&*storage, text_flag("f", "1")).await;
    until("the flag", || text(&client, "f") == "1").await;
    until("more attempts", || Faulty::count(&storage.watches) > watches + 5).await;
    assert!(cause(&client) == Some(StaleCause::Disconnected));
}

#[tokio::test]
async fn a_listing_that_the_closing_of_the_store_cuts_short_is_not_taken_for_all_of_it() {
    // Without a watch, which would end as well.
    let storage = Faulty::unwatched(Arc::new(SystemClock));
    for name in ["a", "b", "c"] {
        put(&*storage, flag(name, true)).await;
    }
    let client = builder(&storage).poll_interval(Duration::from_millis(5)).start().await.expect("started");
    storage.set(&storage.closes_at_listing, true);
    until("the store is closed", || cause(&client) == Some(StaleCause::Closed)).await;
    assert!(["a", "b", "c"].iter().all(|name| client.bool_value(name, false, &anybody())));
}
