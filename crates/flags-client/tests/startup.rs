//! Starting without a store.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Faulty, LONG, builder, cause, override_of, put, text, text_flag, until, until_fresh, user};
use flags_client::{ClientEvent, Freshness, StaleCause, Startup};
use flags_core::transfer::Document;
use flags_core::{Error, ErrorKind, ManualClock, Storage as _, Timestamp};

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
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let starting = builder(&storage).clock(Arc::new(clock.clone())).startup(last_saved(LONG)).start();
    let starting = tokio::spawn(starting);
    // Once it is asked again, it is known to have failed.
    until("a second attempt", || {
        clock.advance(Duration::from_millis(1));
        Faulty::count(&storage.lists) > 1
    })
    .await;
    clock.advance(LONG);
    let error = starting.await.expect("no panic").expect_err("nothing to serve");
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
    until("the change", || text(&client, "f") == "3").await;
    client.close().await;
    assert_eq!(saved().expect("a document").flags, [one.clone()]);

    // A run without a store.
    let before = Timestamp::now();
    storage.set(&storage.reads_fail, true);
    one.default_value = Some("4".into());
    put(&*storage, one.clone()).await;
    let client = save_often(builder(&storage)).startup(last_saved(LONG)).start().await.expect("started");
    assert_eq!(text(&client, "f"), "3");
    let Freshness::Stale { since, cause: why } = client.freshness() else {
        panic!("{:?}", client.freshness())
    };
    assert!(since <= before && why == StaleCause::LastSaved);
    storage.set(&storage.reads_fail, false);
    until_fresh(&client).await;
    assert_eq!(text(&client, "f"), "4");

    // A store that hangs is waited for until the deadline.
    drop(client);
    let _held = storage.hold_list();
    let client =
        builder(&storage).startup(last_saved(Duration::from_millis(5))).start().await.expect("started");
    assert!(["3", "4"].contains(&&*text(&client, "f")));
    assert_eq!(cause(&client), Some(StaleCause::LastSaved));
    // The file of an earlier run is no store: its flags outlive an empty one.
    assert_eq!(client.string_value("f", "d", &user("other")), text(&client, "f"));
}

#[tokio::test]
async fn the_saved_flags_are_served_and_kept_where_the_store_came_back_empty_before_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("flags.json");
    let start = |storage: &Arc<Faulty>| {
        let startup = Startup::LastSaved { path: path.clone(), deadline: LONG };
        builder(storage).startup(startup).save_interval(Duration::from_millis(1)).start()
    };
    let saved = || {
        let json = std::fs::read(&path).expect("a file");
        Document::from_json(&json).expect("a document").flags.len()
    };
    let storage = Faulty::new();
    put(&*storage, text_flag("f", "1")).await;
    let client = start(&storage).await.expect("started");
    client.close().await;
    assert_eq!(saved(), 1);
    let before = Timestamp::now();

    let storage = Faulty::new();
    let client = start(&storage).await.expect("started");
    let Freshness::Stale { since, cause: why } = client.freshness() else { panic!("it is empty") };
    assert!(since <= before && why == StaleCause::StoreEmptied);
    assert_eq!(text(&client, "f"), "1");
    client.close().await;
    assert_eq!(saved(), 1);

    // Told to accept it, it does.
    let client = start(&storage).await.expect("started");
    client.accept_empty().await;
    until_fresh(&client).await;
    assert_eq!(text(&client, "f"), "default");
    client.close().await;
    assert_eq!(saved(), 0);
    // And there is nothing to fall back to from then on.
    let client = start(&storage).await.expect("started");
    until_fresh(&client).await;
    // Flags that come are followed, as ever.
    let mut events = client.subscribe();
    put(&*storage, text_flag("g", "1")).await;
    while !matches!(events.next().await, Some(ClientEvent::FlagsChanged(_))) {}
    assert_eq!(text(&client, "g"), "1");
}

#[tokio::test]
async fn a_saved_file_that_cannot_be_read_is_not_replaced_by_an_empty_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("flags.json");
    std::fs::write(&path, "{ broken").expect("written");
    let storage = Faulty::new();
    let startup = Startup::LastSaved { path: path.clone(), deadline: LONG };
    let client = builder(&storage).startup(startup).start().await.expect("started");
    assert!(client.diagnostics().file.is_some());
    client.close().await;
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), "{ broken");

    let startup = Startup::LastSaved { path: path.clone(), deadline: LONG };
    let client = builder(&storage).startup(startup).start().await.expect("started");
    put(&*storage, text_flag("f", "1")).await;
    until("the flag", || text(&client, "f") == "1").await;
    client.close().await;
    assert!(Document::from_json(&std::fs::read(&path).expect("a file")).is_ok());
}

#[tokio::test]
async fn saving_rests_for_longer_than_it_took() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("flags.json");
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let storage = Faulty::new();
    let mut f = text_flag("f", "0");
    put(&*storage, f.clone()).await;
    let startup = Startup::LastSaved { path: path.clone(), deadline: LONG };
    let client = builder(&storage)
        .clock(Arc::new(clock.clone()))
        .startup(startup)
        .save_interval(Duration::ZERO)
        .start()
        .await
        .expect("started");
    let saved = || {
        let json = std::fs::read(&path).ok()?;
        let flag = Document::from_json(&json).expect("a document").flags.pop()?;
        flag.default_value.map(|value| value.text().to_owned())
    };
    until("the first save", || saved().is_some()).await;
    // The clock stands still, and so the rest does not end, however often something changes.
    for n in 1..=20 {
        f.default_value = Some(n.to_string().as_str().into());
        put(&*storage, f.clone()).await;
        until("the change", || text(&client, "f") == n.to_string()).await;
    }
    assert_eq!(saved().as_deref(), Some("\"0\""));
    clock.advance(Duration::from_secs(3_600));
    until("the next save", || saved().as_deref() == Some("\"20\"")).await;
}

/// Starting, by a clock that stands still: no deadline ever passes.
async fn start_error(storage: &Arc<Faulty>, startup: Startup) -> Error {
    let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
    let starting = builder(storage).clock(clock).startup(startup).start();
    tokio::time::timeout(LONG, starting).await.expect("it is not waited for").expect_err("nothing to serve")
}

#[tokio::test]
async fn a_store_that_refuses_is_not_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let startups = [
        Startup::Wait { deadline: LONG },
        Startup::LastSaved { path: folder.path().join("f"), deadline: LONG },
    ];
    for startup in startups {
        let storage = Faulty::new();
        storage.set(&storage.reads_are_denied, true);
        let error = start_error(&storage, startup.clone()).await;
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, Some("start")));
        let cause = std::error::Error::source(&error).expect("it says why").to_string();
        assert!(cause.contains("not for you"), "{cause}");

        let storage = Faulty::new();
        storage.close().await.expect("closed");
        let error = start_error(&storage, startup).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(std::error::Error::source(&error).is_some());
    }
    // One that fails may answer yet.
    let storage = Faulty::new();
    put(&*storage, text_flag("f", "1")).await;
    storage.set(&storage.reads_are_denied, true);
    let client = builder(&storage).startup(Startup::ServeDefaults).start().await.expect("started");
    client.wait_ready(LONG).await.expect_err("it is denied");
    storage.set(&storage.reads_are_denied, false);
    until_fresh(&client).await;
    client.wait_ready(LONG).await.expect("it is loaded");
}

#[tokio::test]
async fn a_load_that_takes_long_is_not_said_to_have_failed() {
    let storage = Faulty::new();
    let _held = storage.hold_list();
    let wait = Startup::Wait { deadline: Duration::from_millis(20) };
    let error = builder(&storage).startup(wait).start().await.expect_err("not loaded yet");
    assert!(error.to_string().contains("nothing failed"), "{error}");
    assert!(std::error::Error::source(&error).is_none());
}
