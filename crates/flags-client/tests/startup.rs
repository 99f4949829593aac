//! Starting without a store, and a store that comes back empty.

mod common;

use std::time::Duration;

use common::{
    Faulty, LONG, anybody, builder, delete, flag, key, override_of, put, start, text_flag, until,
    until_fresh, user,
};
use flags_client::{Client, ClientEvent, Freshness, StaleCause, Startup};
use flags_core::storage::Change;
use flags_core::transfer::Document;
use flags_core::{ErrorKind, Key, Timestamp};

fn cause(client: &Client) -> Option<StaleCause> {
    match client.freshness() {
        Freshness::Stale { cause, .. } => Some(cause),
        _ => None,
    }
}

#[tokio::test]
async fn a_store_that_came_back_empty_leaves_the_last_flags_in_force() {
    let storage = Faulty::new();
    put(&*storage, flag("f", true)).await;
    let client = start(&storage).await;
    let mut events = client.subscribe();
    storage.set(&storage.is_empty, true);
    storage.inject(&Change::Lost);
    storage.inject(&Change::Resync);
    until("empty", || cause(&client) == Some(StaleCause::StoreEmptied)).await;
    while events.next().await != Some(ClientEvent::StoreEmptied) {}
    assert!(client.bool_value("f", false, &anybody()));

    // Flags appear: it is followed again, from the listing on.
    storage.set(&storage.is_empty, false);
    put(&*storage, flag("new", true)).await;
    until("followed", || client.bool_value("new", false, &anybody())).await;
    until_fresh(&client).await;
    assert!(client.bool_value("f", false, &anybody()), "it was in the listing");
}

#[tokio::test]
async fn an_empty_store_is_accepted_when_told() {
    let storage = Faulty::new();
    put(&*storage, flag("f", true)).await;
    let client = start(&storage).await;
    client.accept_empty().await;
    storage.set(&storage.is_empty, true);
    storage.inject(&Change::Resync);
    until("empty", || cause(&client) == Some(StaleCause::StoreEmptied)).await;
    assert!(client.bool_value("f", false, &anybody()), "what was said before does not count");
    // Another look at it changes nothing.
    storage.inject(&Change::Resync);
    let lists = Faulty::count(&storage.lists);
    until("another look", || Faulty::count(&storage.lists) > lists).await;
    client.accept_empty().await;
    until_fresh(&client).await;
    assert!(!client.bool_value("f", false, &anybody()));
    assert!(client.all(&anybody()).is_empty());
}

#[tokio::test]
async fn only_the_emptiness_that_was_told_is_accepted() {
    let storage = Faulty::new();
    put(&*storage, flag("f", true)).await;
    let client = start(&storage).await;
    storage.set(&storage.is_empty, true);
    storage.inject(&Change::Resync);
    until("emptied", || cause(&client) == Some(StaleCause::StoreEmptied)).await;
    // The flags come back before they are given up, and the store is emptied once more, later.
    storage.set(&storage.is_empty, false);
    client.accept_empty().await;
    until_fresh(&client).await;
    storage.set(&storage.is_empty, true);
    storage.inject(&Change::Resync);
    let noticed = || cause(&client) == Some(StaleCause::StoreEmptied) || client.all(&anybody()).is_empty();
    until("emptied again", noticed).await;
    assert!(client.bool_value("f", false, &anybody()), "nobody accepted this one");
}

#[tokio::test]
async fn flags_that_are_deleted_one_by_one_are_gone() {
    let storage = Faulty::new();
    for name in ["a", "b"] {
        put(&*storage, flag(name, true)).await;
    }
    let client = start(&storage).await;
    for name in ["a", "b"] {
        delete(&*storage, Key::Flag(key(name))).await;
    }
    until("none left", || client.all(&anybody()).is_empty()).await;
    until_fresh(&client).await;
    // And an empty store that is read anew is what is known.
    storage.inject(&Change::Resync);
    until_fresh(&client).await;
    assert_eq!(client.freshness(), Freshness::Fresh);
}

#[tokio::test]
async fn the_last_saved_state_is_served_while_the_store_is_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("flags.json");
    let last_saved = |deadline| Startup::LastSaved { path: path.clone(), deadline };
    let storage = Faulty::new();
    let mut one = text_flag("f", "1");
    put(&*storage, one.clone()).await;
    put(&*storage, override_of(one.id, "user", "u", true)).await;

    // Neither a store nor a file: that is an error, and says why.
    storage.set(&storage.reads_fail, true);
    let error = builder(&storage)
        .startup(last_saved(Duration::from_millis(20)))
        .start()
        .await
        .expect_err("nothing to serve");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, Some("start")));
    assert!(std::error::Error::source(&error).is_some());
    storage.set(&storage.reads_fail, false);

    // A run that saves.
    let save_often = |builder: flags_client::ClientBuilder| builder.save_interval(Duration::from_millis(1));
    let client = save_often(builder(&storage)).startup(last_saved(LONG)).start().await.expect("started");
    assert_eq!(client.freshness(), Freshness::Fresh);
    one.default_value = Some("2".into());
    put(&*storage, one.clone()).await;
    let saved = || std::fs::read(&path).ok().and_then(|json| Document::from_json(&json).ok());
    until("a save", || saved().is_some_and(|document| document.flags == [one.clone()])).await;
    assert_eq!(saved().expect("a document").overrides.len(), 1);
    // What changed last is saved when the client ends.
    one.default_value = Some("3".into());
    put(&*storage, one.clone()).await;
    until("the change", || common::text(&client, "f") == "3").await;
    client.close().await;
    assert_eq!(saved().expect("a document").flags, [one.clone()]);

    // A run without a store.
    let before = Timestamp::now();
    storage.set(&storage.reads_fail, true);
    one.default_value = Some("4".into());
    put(&*storage, one.clone()).await;
    let client = save_often(builder(&storage)).startup(last_saved(LONG)).start().await.expect("started");
    assert_eq!(common::text(&client, "f"), "3");
    let Freshness::Stale { since, cause } = client.freshness() else { panic!("{:?}", client.freshness()) };
    assert!(since <= before && cause == StaleCause::LastSaved);
    storage.set(&storage.reads_fail, false);
    until_fresh(&client).await;
    assert_eq!(common::text(&client, "f"), "4");

    // A store that hangs is waited for until the deadline.
    drop(client);
    let _held = storage.hold_list();
    let client =
        builder(&storage).startup(last_saved(Duration::from_millis(5))).start().await.expect("started");
    assert!(["3", "4"].contains(&&*common::text(&client, "f")));
    assert_eq!(cause_of(&client), StaleCause::LastSaved);
    // The file of an earlier run is no store: its flags outlive an empty one.
    assert_eq!(client.string_value("f", "d", &user("other")), common::text(&client, "f"));
}

fn cause_of(client: &Client) -> StaleCause {
    cause(client).expect("stale")
}
