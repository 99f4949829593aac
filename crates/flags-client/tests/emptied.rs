//! A store that is empty all of a sudden is not believed, however it shows; flags that are deleted
//! are gone.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{
    Faulty, anybody, builder, cause, delete, flag, key, override_of, put, start, text, text_flag, until,
    until_fresh, user,
};
use flags_client::{Client, ClientEvent, Freshness, StaleCause};
use flags_core::storage::{Batch, Change, Expect};
use flags_core::{
    Condition, EntityId, EntityType, Key, ManualClock, Rule, Segment, SegmentName, Storage as _, Timestamp,
};
use flags_engine::EvaluationContext;

const LAST_FLAG: Duration = Duration::from_secs(10);

/// From now on every read says that there is nothing; nobody is told.
fn empty(storage: &Faulty) {
    storage.set(&storage.gets_lag, true);
    storage.set(&storage.is_empty, true);
}

async fn until_emptied(client: &Client) {
    until("emptied", || cause(client) == Some(StaleCause::StoreEmptied)).await;
}

/// A client of a store with these flags, by a clock that stands still.
async fn following(names: &[&str]) -> (Arc<Faulty>, Client, ManualClock) {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let storage = Faulty::new();
    for name in names {
        put(&*storage, flag(name, true)).await;
    }
    let client = builder(&storage).clock(Arc::new(clock.clone())).start().await.expect("started");
    until_fresh(&client).await;
    (storage, client, clock)
}

fn serves(client: &Client, name: &str) -> bool {
    client.bool_value(name, false, &anybody())
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
async fn an_emptiness_that_was_found_before_it_was_accepted_is_not_what_was_accepted() {
    let (storage, client, _) = following(&["f"]).await;
    storage.set(&storage.is_empty, true);
    storage.inject(&Change::Resync);
    until_emptied(&client).await;
    // Another look is under way, from when it was empty.
    let (mut before, mut after) = (storage.hold_list(), storage.hold_list());
    storage.inject(&Change::Resync);
    before.reached().await;
    client.accept_empty().await;
    before.release();
    after.reached().await;
    assert!(serves(&client, "f"), "the store was not asked again yet");
    storage.set(&storage.is_empty, false);
    after.release();
    until_fresh(&client).await;
    assert!(serves(&client, "f"));
}

#[tokio::test]
async fn a_store_that_comes_back_empty_while_a_change_waits_to_be_read_is_not_believed() {
    let storage = Faulty::new();
    let mut a = text_flag("a", "1");
    put(&*storage, a.clone()).await;
    put(&*storage, text_flag("b", "1")).await;
    let client = start(&storage).await;
    storage.set(&storage.reads_fail, true);
    a.default_value = Some("2".into());
    put(&*storage, a).await;
    until("stale", || cause(&client) == Some(StaleCause::Disconnected)).await;
    storage.set(&storage.watch_fails, true);
    storage.end_watches();
    // It answers again, with nothing, some time before it can be followed.
    let watches = Faulty::count(&storage.watches);
    until("the loss is heard", || Faulty::count(&storage.watches) > watches).await;
    empty(&storage);
    storage.set(&storage.reads_fail, false);
    until("some time", || Faulty::count(&storage.watches) > watches + 5).await;
    storage.set(&storage.watch_fails, false);
    until_emptied(&client).await;
    assert_eq!((text(&client, "a"), text(&client, "b")), ("1".into(), "1".into()));
}

#[tokio::test]
async fn what_was_asked_for_before_a_loss_is_not_believed_after_it() {
    let (storage, client, _) = following(&["a", "b"]).await;
    let mut held = storage.hold_get();
    empty(&storage);
    storage.inject(&Change::Changed(Key::Flag(key("a"))));
    held.reached().await;
    storage.inject(&Change::Lost);
    storage.inject(&Change::Resync);
    until("heard", || client.freshness() != Freshness::Fresh).await;
    held.release();
    until_emptied(&client).await;
    assert!(serves(&client, "a") && serves(&client, "b"));
}

#[tokio::test]
async fn a_read_that_knows_of_the_emptiness_before_the_watch_is_not_believed() {
    for names in [&["a", "b"][..], &["a", "b", "c", "d"]] {
        let (storage, client, _) = following(names).await;
        empty(&storage);
        storage.inject(&Change::Changed(Key::Flag(key("a"))));
        until_emptied(&client).await;
        assert!(names.iter().all(|name| serves(&client, name)));
    }
}

#[tokio::test]
async fn flags_that_are_deleted_at_one_stroke_are_kept_until_somebody_says_so() {
    let (storage, client, _) = following(&["a", "b", "c"]).await;
    let all = ["a", "b", "c"].map(|name| Key::Flag(key(name)));
    let batch = all.into_iter().fold(Batch::new(), |batch, one| batch.delete(one, Expect::Present));
    storage.commit(batch).await.expect("committed");
    until_emptied(&client).await;
    assert!(["a", "b", "c"].iter().all(|name| serves(&client, name)));
    client.accept_empty().await;
    until_fresh(&client).await;
    assert!(client.all(&anybody()).is_empty());
}

#[tokio::test]
async fn flags_that_are_deleted_one_by_one_are_gone() {
    let (storage, client, clock) = following(&["a", "b", "c"]).await;
    for name in ["a", "b"] {
        delete(&*storage, Key::Flag(key(name))).await;
        until("it is gone", || !serves(&client, name)).await;
        assert_eq!(client.freshness(), Freshness::Fresh);
    }
    // The last one might as well be the store that is gone, of which the watch would tell.
    delete(&*storage, Key::Flag(key("c"))).await;
    until("told", || cause(&client) == Some(StaleCause::LastFlagGone)).await;
    clock.advance(LAST_FLAG - Duration::from_micros(1));
    assert!(serves(&client, "c"));
    clock.advance(Duration::from_micros(1));
    until_fresh(&client).await;
    assert!(client.all(&anybody()).is_empty());
    // And an empty store that is read anew is what is known.
    storage.inject(&Change::Resync);
    let lists = Faulty::count(&storage.lists);
    until("read anew", || Faulty::count(&storage.lists) > lists + 3).await;
    until_fresh(&client).await;
}

#[tokio::test]
async fn the_last_flag_is_kept_where_the_store_turns_out_to_be_lost() {
    let (storage, client, clock) = following(&["a"]).await;
    empty(&storage);
    storage.inject(&Change::Changed(Key::Flag(key("a"))));
    until("told", || cause(&client) == Some(StaleCause::LastFlagGone)).await;
    storage.inject(&Change::Lost);
    storage.inject(&Change::Resync);
    until_emptied(&client).await;
    clock.advance(LAST_FLAG);
    // Another read, after the time is over.
    let lists = Faulty::count(&storage.lists);
    storage.inject(&Change::Resync);
    until("read", || Faulty::count(&storage.lists) > lists).await;
    until_emptied(&client).await;
    assert!(serves(&client, "a"));
}

#[tokio::test]
async fn the_last_flag_is_gone_at_once_where_another_appears_and_back_where_it_does() {
    let (storage, client, clock) = following(&["a"]).await;
    put(&*storage, override_of(flag_id(&client, "a"), "user", "u", false)).await;
    until("the override", || !client.bool_value("a", true, &user("u"))).await;
    delete(&*storage, Key::Flag(key("a"))).await;
    until("told", || cause(&client) == Some(StaleCause::LastFlagGone)).await;
    assert!(!client.bool_value("a", true, &user("u")), "its override is as much in doubt");
    put(&*storage, flag("b", true)).await;
    until_fresh(&client).await;
    assert!(serves(&client, "b") && client.all(&anybody()).len() == 1);

    delete(&*storage, Key::Flag(key("b"))).await;
    until("told", || cause(&client) == Some(StaleCause::LastFlagGone)).await;
    put(&*storage, flag("b", false)).await;
    until_fresh(&client).await;
    assert!(!serves(&client, "b") && client.all(&anybody()).len() == 1);
    clock.advance(LAST_FLAG);
    put(&*storage, flag("c", true)).await;
    until("another", || serves(&client, "c")).await;
    assert_eq!(client.all(&anybody()).len(), 2, "nothing was left to be removed");
}

fn flag_id(client: &Client, name: &str) -> flags_core::FlagId {
    client.snapshot().ruleset().flag(name).expect("a flag").id
}

#[tokio::test]
async fn overrides_are_lost_with_the_store_no_more_than_flags() {
    let (storage, client, clock) = following(&["a"]).await;
    let id = flag_id(&client, "a");
    for name in ["u", "v"] {
        put(&*storage, override_of(id, "user", name, false)).await;
        until("the override", || !client.bool_value("a", true, &user(name))).await;
    }
    // One that is deleted is gone, since the flag is there.
    let of = |name: &str| Key::Override(id, "user".parse().unwrap(), name.parse().unwrap());
    delete(&*storage, of("u")).await;
    until("it is gone", || client.bool_value("a", false, &user("u"))).await;
    empty(&storage);
    delete(&*storage, of("v")).await;
    until("told", || cause(&client) == Some(StaleCause::LastFlagGone)).await;
    storage.inject(&Change::Lost);
    storage.inject(&Change::Resync);
    until_emptied(&client).await;
    clock.advance(LAST_FLAG);
    assert!(!client.bool_value("a", true, &user("v")));
}

#[tokio::test]
async fn a_listing_that_a_loss_cut_into_removes_nothing() {
    let (storage, client, _) = following(&["a", "b"]).await;
    let (mut first, mut second) = (storage.hold_list(), storage.hold_list());
    storage.inject(&Change::Lost);
    until("stale", || client.freshness() != Freshness::Fresh).await;
    delete(&*storage, Key::Flag(key("b"))).await;
    put(&*storage, flag("c", true)).await;
    storage.inject(&Change::Resync);
    first.reached().await;
    // While it was read the store was lost: who knows whether what it did not show was gone before.
    storage.inject(&Change::Lost);
    storage.inject(&Change::Resync);
    first.release();
    second.reached().await;
    assert!(serves(&client, "b") && serves(&client, "c"));
    second.release();
    until_fresh(&client).await;
    assert!(!serves(&client, "b") && serves(&client, "c"));
}

#[tokio::test]
async fn what_changes_while_the_last_flag_is_waited_for_is_not_lost() {
    let (storage, client, clock) = following(&["f"]).await;
    let mut segment = Segment::new(SegmentName::new("s").expect("a name"));
    segment.conditions = vec![Condition::new("country", "eq", "NL")];
    put(&*storage, segment.clone()).await;
    until_fresh(&client).await;
    let mut fetch = storage.hold_get();
    delete(&*storage, Key::Flag(key("f"))).await;
    fetch.reached().await;
    segment.conditions = vec![Condition::new("country", "eq", "BE")];
    put(&*storage, segment.clone()).await;
    // Nobody can ask for it by its key, so that everything is read again.
    let (user, id) = (EntityType::new("user"), EntityId::new("x".repeat(600)));
    let long = Key::Override(flag("f", true).id, user.expect("a type"), id.expect("an id"));
    let lists = Faulty::count(&storage.lists);
    storage.inject(&Change::Changed(long));
    fetch.release();
    until("read again", || {
        Faulty::count(&storage.lists) > lists && cause(&client) == Some(StaleCause::LastFlagGone)
    })
    .await;

    clock.advance(LAST_FLAG);
    until("the flag is gone", || client.snapshot().ruleset().is_empty()).await;
    until_fresh(&client).await;
    let mut rule = Rule::new("r").when(Condition::new("segment", "in_segment", segment.id.to_string()));
    rule.serve_enabled = true;
    let mut other = flag("g", false);
    other.rules.push(rule);
    put(&*storage, other).await;
    until("the other flag", || client.snapshot().ruleset().len() == 1).await;
    let from = |country| EvaluationContext::builder().targeting_key("a").country(country).build();
    assert!(client.bool_value("g", false, &from("BE")));
    assert!(!client.bool_value("g", false, &from("NL")));
}
