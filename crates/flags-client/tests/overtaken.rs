//! A read that a change overtook is never installed, be it a fetch or a listing, and what comes of
//! that is told.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{
    Faulty, anybody, builder, cause, delete, flag, key, put, start, text, text_flag, until, until_fresh,
};
use flags_client::{Freshness, StaleCause, Startup};
use flags_core::storage::Change;
use flags_core::{Clock as _, Key, ManualClock, Timestamp};
use flags_engine::ErrorCode;

#[tokio::test]
async fn a_flag_that_is_new_is_not_installed_from_a_listing_begun_before_it_changed() {
    let storage = Faulty::new();
    put(&*storage, text_flag("f", "1")).await;
    let client = start(&storage).await;
    storage.inject(&Change::Lost);
    until("stale", || client.freshness() != Freshness::Fresh).await;
    let mut g = text_flag("g", "1");
    put(&*storage, g.clone()).await;
    let (mut reload, mut fetch) = (storage.hold_list(), storage.hold_get());
    storage.inject(&Change::Resync);
    reload.reached().await;
    g.default_value = Some("2".into());
    put(&*storage, g).await;
    reload.release();
    // Taken in, since the fetch begins after it.
    fetch.reached().await;
    assert_eq!(text(&client, "g"), "default");
    until("not in step yet", || cause(&client) == Some(StaleCause::Reloading)).await;
    fetch.release();
    until_fresh(&client).await;
    assert_eq!(text(&client, "g"), "2");
}

#[tokio::test]
async fn a_flag_that_is_deleted_while_it_is_first_listed_is_never_served() {
    let storage = Faulty::new();
    for name in ["kept", "kill"] {
        put(&*storage, flag(name, true)).await;
    }
    let (mut load, mut fetch) = (storage.hold_list(), storage.hold_get());
    let client = builder(&storage).startup(Startup::ServeDefaults).start().await.expect("started");
    load.reached().await;
    delete(&*storage, Key::Flag(key("kill"))).await;
    load.release();
    fetch.reached().await;
    // What is not known yet is not "off" either.
    let details = client.bool_details("kept", false, &anybody());
    assert_eq!(details.error_code, Some(ErrorCode::ProviderNotReady));
    assert_eq!(client.freshness(), Freshness::NeverLoaded);
    fetch.release();
    until_fresh(&client).await;
    assert!(client.bool_value("kept", false, &anybody()));
    assert!(!client.bool_value("kill", false, &anybody()));
}

#[tokio::test]
async fn starting_waits_for_what_overtook_the_first_listing_but_not_for_ever() {
    for overtaken_again in [false, true] {
        let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
        let storage = Faulty::new();
        let mut hot = text_flag("hot", "0");
        put(&*storage, hot.clone()).await;
        put(&*storage, text_flag("f", "1")).await;
        let (mut load, mut fetch) = (storage.hold_list(), storage.hold_get());
        let starting = tokio::spawn(builder(&storage).clock(Arc::new(clock.clone())).start());
        load.reached().await;
        hot.default_value = Some("1".into());
        put(&*storage, hot.clone()).await;
        load.release();
        fetch.reached().await;
        assert!(!starting.is_finished());
        if overtaken_again {
            clock.advance(Duration::from_secs(1));
            let client = starting.await.expect("no panic").expect("started");
            assert_eq!(cause(&client), Some(StaleCause::Overtaken));
            assert_eq!((text(&client, "f"), text(&client, "hot")), ("1".into(), "default".into()));
            fetch.release();
            until_fresh(&client).await;
            assert_eq!(text(&client, "hot"), "1");
        } else {
            fetch.release();
            let client = starting.await.expect("no panic").expect("started");
            assert_eq!((text(&client, "f"), text(&client, "hot")), ("1".into(), "1".into()));
            until_fresh(&client).await;
        }
    }
}

#[tokio::test]
async fn a_flag_that_changes_faster_than_it_can_be_read_is_told() {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let storage = Faulty::new();
    let mut hot = text_flag("hot", "0");
    put(&*storage, hot.clone()).await;
    let client = builder(&storage).clock(Arc::new(clock.clone())).start().await.expect("started");
    until_fresh(&client).await;
    let mut fetch = storage.hold_get();
    hot.default_value = Some("1".into());
    put(&*storage, hot.clone()).await;
    fetch.reached().await;
    for n in 2..5 {
        let mut next = storage.hold_get();
        hot.default_value = Some(n.to_string().as_str().into());
        put(&*storage, hot.clone()).await;
        clock.advance(Duration::from_millis(499));
        fetch.release();
        next.reached().await;
        assert_eq!(text(&client, "hot"), "0");
        // The last of them is the first after a second.
        let late = n == 4;
        until("it is told", || late == (cause(&client) == Some(StaleCause::Overtaken))).await;
        fetch = next;
    }
    let Freshness::Stale { since, .. } = client.freshness() else { panic!("{:?}", client.freshness()) };
    assert_eq!(since, Timestamp::UNIX_EPOCH, "when the first of the reads began");
    fetch.release();
    until_fresh(&client).await;
    assert_eq!(text(&client, "hot"), "4");
    assert!(clock.now() > since);
}

#[tokio::test]
async fn a_change_that_takes_long_to_be_read_is_told() {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let storage = Faulty::new();
    let mut f = text_flag("f", "1");
    put(&*storage, f.clone()).await;
    put(&*storage, text_flag("g", "1")).await;
    let client = builder(&storage).clock(Arc::new(clock.clone())).start().await.expect("started");
    until_fresh(&client).await;
    let mut fetch = storage.hold_get();
    f.default_value = Some("2".into());
    put(&*storage, f).await;
    fetch.reached().await;
    assert_eq!(client.freshness(), Freshness::Fresh);
    clock.advance(Duration::from_secs(1));
    until("it is told", || cause(&client) == Some(StaleCause::Overtaken)).await;
    assert_eq!((text(&client, "f"), text(&client, "g")), ("1".into(), "1".into()));
    fetch.release();
    until_fresh(&client).await;
    assert_eq!(text(&client, "f"), "2");
}
