//! Overrides that are fetched for whom they are asked.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Faulty, LONG, anybody, builder, flag, key, override_of, put, until, user};
use flags_client::{Client, Hook, HookContext, Overrides, StaleCause};
use flags_core::storage::Change;
use flags_core::{BoxError, Clock as _, ErrorKind, Key, ManualClock, Timestamp};
use flags_engine::{ErrorCode, EvaluationContext};

const ON_DEMAND: Overrides = Overrides::OnDemand { capacity: 100, time_to_live: LONG };

async fn on_demand(storage: &Arc<Faulty>) -> Client {
    builder(storage).overrides(ON_DEMAND).start().await.expect("started")
}

fn not_ready(client: &Client, context: &EvaluationContext) -> bool {
    let details = client.bool_details("f", true, context);
    let refused = details.error_code == Some(ErrorCode::ProviderNotReady);
    assert!(!refused || details.value, "the caller's default");
    refused
}

#[tokio::test]
async fn one_call_fetches_a_context_and_the_next_one_none() {
    let storage = Faulty::new();
    let (f, g) = (flag("f", false), flag("g", false));
    for one in [&f, &g] {
        put(&*storage, one.clone()).await;
    }
    put(&*storage, override_of(f.id, "user", "u", true)).await;
    put(&*storage, override_of(g.id, "tenant", "t", true)).await;
    let client = on_demand(&storage).await;
    assert_eq!(Faulty::count(&storage.lists), 3, "overrides are not listed");

    let context = EvaluationContext::builder().user_id("u").tenant_id("t").build();
    assert!(not_ready(&client, &context), "never silently without overrides");
    assert!(client.all(&context).is_empty());
    assert!(!client.bool_value("f", true, &anybody()), "no entity, no override");
    let snapshot = client.prepare(&context).await.expect("prepared");
    assert_eq!((Faulty::count(&storage.gets), Faulty::count(&storage.keys_got)), (1, 4));
    for name in ["f", "g"] {
        assert!(snapshot.bool_details(name, false, &context).value);
        assert!(client.bool_value(name, false, &context));
    }
    // Part of it is cached, the absence of overrides too.
    client.prepare(&user("u")).await.expect("prepared");
    client.prepare(&context).await.expect("prepared");
    assert!(!client.bool_value("g", true, &user("u")));
    assert_eq!(Faulty::count(&storage.gets), 1);
    // A snapshot knows whom it was prepared for.
    let other = snapshot.bool_details("f", true, &user("other"));
    assert_eq!(other.error_code(), Some(ErrorCode::ProviderNotReady));
    assert!(not_ready(&client, &user("other")));
}

#[tokio::test]
async fn a_change_takes_an_entity_out_of_the_cache() {
    let storage = Faulty::new();
    let f = flag("f", false);
    put(&*storage, f.clone()).await;
    let client = on_demand(&storage).await;
    client.prepare(&user("u")).await.expect("prepared");
    assert!(!not_ready(&client, &user("u")));
    put(&*storage, override_of(f.id, "user", "u", true)).await;
    until("invalidated", || not_ready(&client, &user("u"))).await;
    let snapshot = client.prepare(&user("u")).await.expect("prepared");
    assert!(snapshot.bool_details("f", false, &user("u")).value);

    // A flag that is new may have overrides that nobody asked for yet.
    let g = flag("g", false);
    put(&*storage, g.clone()).await;
    until("the flag", || client.snapshot().ruleset().len() == 2).await;
    assert!(not_ready(&client, &user("u")));
}

#[tokio::test]
async fn a_fetch_that_a_change_overtook_is_repeated() {
    let storage = Faulty::new();
    let f = flag("f", false);
    put(&*storage, f.clone()).await;
    let client = on_demand(&storage).await;
    let mut events = client.subscribe();
    let mut held = storage.hold_get();
    let preparing = tokio::spawn({
        let client = client.clone();
        async move { client.prepare(&user("u")).await }
    });
    held.reached().await;
    // The held reply knows of no override.
    put(&*storage, override_of(f.id, "user", "u", true)).await;
    events.next().await.expect("the change was heard");
    held.release();
    let snapshot = preparing.await.expect("no panic").expect("prepared");
    assert!(snapshot.bool_details("f", false, &user("u")).value);
    assert!(client.bool_value("f", false, &user("u")));
}

#[tokio::test]
async fn what_is_old_is_fetched_again_and_served_while_it_cannot_be() {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let storage = Faulty::unwatched(Arc::new(clock.clone()));
    let f = flag("f", false);
    put(&*storage, f.clone()).await;
    let client = builder(&storage)
        .clock(Arc::new(clock.clone()))
        .overrides(Overrides::OnDemand { capacity: 100, time_to_live: Duration::from_secs(5) })
        .start()
        .await
        .expect("started");
    client.prepare(&user("u")).await.expect("prepared");
    put(&*storage, override_of(f.id, "user", "u", true)).await;
    clock.set(Timestamp::UNIX_EPOCH.saturating_add(Duration::from_secs(4)));
    let within = client.prepare(&user("u")).await.expect("prepared");
    assert!(!within.bool_details("f", true, &user("u")).value);
    clock.set(clock.now().saturating_add(Duration::from_secs(1)));
    storage.set(&storage.reads_fail, true);
    let old = client.prepare(&user("u")).await.expect("what is old is better than nothing");
    assert!(!old.bool_details("f", true, &user("u")).value);
    assert!(client.diagnostics().store.is_some(), "it says why it is old");
    let error = client.prepare(&user("new")).await.expect_err("nothing is known");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, Some("prepare")));
    storage.set(&storage.reads_fail, false);
    let fresh = client.prepare(&user("u")).await.expect("prepared");
    assert!(fresh.bool_details("f", false, &user("u")).value);
    assert!(client.diagnostics().store.is_none());
}

#[tokio::test]
async fn after_a_loss_everything_is_asked_again() {
    let storage = Faulty::new();
    let f = flag("f", false);
    put(&*storage, f.clone()).await;
    let client = on_demand(&storage).await;
    client.prepare(&user("u")).await.expect("prepared");
    let gets = Faulty::count(&storage.gets);
    storage.inject(&Change::Lost);
    until("stale", || client.freshness() != flags_client::Freshness::Fresh).await;
    put(&*storage, override_of(f.id, "user", "u", true)).await;
    storage.inject(&Change::Resync);
    common::until_fresh(&client).await;
    let snapshot = client.prepare(&user("u")).await.expect("prepared");
    assert!(snapshot.bool_details("f", false, &user("u")).value);
    assert_eq!(Faulty::count(&storage.gets), gets + 1);
}

#[tokio::test]
async fn a_corrupt_override_is_reported_and_large_questions_are_split() {
    let storage = Faulty::new();
    for n in 0..1_200 {
        put(&*storage, flag(&format!("f{n}"), false)).await;
    }
    let f = flag("f", true);
    put(&*storage, f.clone()).await;
    let corrupt = Key::Override(f.id, "user".parse().expect("a type"), "u".parse().expect("an id"));
    storage.inner.insert_raw(&corrupt, b"{").expect("open");
    let client = on_demand(&storage).await;
    let snapshot = client.prepare(&user("u")).await.expect("prepared");
    assert!(snapshot.bool_details("f", false, &user("u")).value);
    assert_eq!((Faulty::count(&storage.gets), Faulty::count(&storage.keys_got)), (2, 1_201));
    let unreadable = client.diagnostics().unreadable;
    assert_eq!(unreadable.iter().filter_map(|e| e.key()).collect::<Vec<_>>(), [&corrupt]);
    assert!(client.all(&user("u")).contains_key(&key("f")));
}

#[tokio::test]
async fn an_edit_of_a_flag_leaves_the_cache_as_it_is() {
    let storage = Faulty::new();
    let mut f = flag("f", false);
    put(&*storage, f.clone()).await;
    put(&*storage, override_of(f.id, "user", "u", true)).await;
    let client = on_demand(&storage).await;
    client.prepare(&user("u")).await.expect("prepared");
    f.default_enabled = true;
    put(&*storage, f.clone()).await;
    until("the edit", || client.bool_value("f", false, &anybody())).await;
    assert!(!not_ready(&client, &user("u")));
    let gets = Faulty::count(&storage.gets);
    client.prepare(&user("u")).await.expect("prepared");
    assert_eq!(Faulty::count(&storage.gets), gets, "nothing is fetched again");
}

#[tokio::test]
async fn what_may_have_missed_changes_is_served_only_while_the_client_says_so() {
    let storage = Faulty::new();
    put(&*storage, flag("f", false)).await;
    let client = on_demand(&storage).await;
    client.prepare(&user("u")).await.expect("prepared");
    storage.inject(&Change::Lost);
    until("stale", || client.freshness() != flags_client::Freshness::Fresh).await;
    assert!(!not_ready(&client, &user("u")), "old, and said to be");
    storage.inject(&Change::Resync);
    common::until_fresh(&client).await;
    assert!(not_ready(&client, &user("u")), "whether an override is missing there, nobody knows");
}

#[tokio::test]
async fn without_news_nothing_older_than_its_time_to_live_is_served_as_fresh() {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    for watched in [false, true] {
        let store_clock = Arc::new(clock.clone());
        let storage = if watched { Faulty::with_clock(store_clock) } else { Faulty::unwatched(store_clock) };
        put(&*storage, flag("f", false)).await;
        let client = builder(&storage)
            .clock(Arc::new(clock.clone()))
            .overrides(Overrides::OnDemand { capacity: 100, time_to_live: Duration::from_secs(5) })
            .start()
            .await
            .expect("started");
        client.prepare(&user("u")).await.expect("prepared");
        assert!(!not_ready(&client, &user("u")));
        clock.advance(Duration::from_secs(6));
        // Whoever is told of changes knows that there was none.
        assert_eq!(not_ready(&client, &user("u")), !watched);
    }
}

#[tokio::test]
async fn whoever_was_prepared_last_is_in_the_cache() {
    let storage = Faulty::new();
    put(&*storage, flag("f", true)).await;
    let client = on_demand(&storage).await;
    let hot: Vec<EvaluationContext> = (0..100).map(|n| user(&format!("hot-{n}"))).collect();
    for _ in 0..5 {
        for one in &hot {
            client.prepare(one).await.expect("prepared");
            assert!(!not_ready(&client, one));
        }
    }
    // The cache is full of those who were asked for often, and takes in whoever comes all the same.
    for n in 0..300 {
        let new = user(&format!("new-{n}"));
        client.prepare(&new).await.expect("prepared");
        for one in &hot {
            let _ = client.bool_value("f", true, one);
        }
        assert!(!not_ready(&client, &new), "{n}");
    }
}

#[tokio::test]
async fn nothing_outlives_its_time_to_live_by_a_clock_that_is_set_back() {
    let start = Timestamp::UNIX_EPOCH.saturating_add(Duration::from_secs(7_200));
    let clock = ManualClock::at(start);
    let storage = Faulty::unwatched(Arc::new(ManualClock::at(start)));
    let f = flag("f", false);
    put(&*storage, f.clone()).await;
    let client = builder(&storage)
        .clock(Arc::new(clock.clone()))
        .overrides(Overrides::OnDemand { capacity: 100, time_to_live: Duration::from_secs(5) })
        .start()
        .await
        .expect("started");
    client.prepare(&user("u")).await.expect("prepared");
    put(&*storage, override_of(f.id, "user", "u", true)).await;
    clock.set(Timestamp::UNIX_EPOCH.saturating_add(Duration::from_secs(3_600)));
    clock.advance(Duration::from_secs(600));
    let snapshot = client.prepare(&user("u")).await.expect("prepared");
    assert!(snapshot.bool_details("f", false, &user("u")).value);
}

#[tokio::test]
async fn a_large_question_is_asked_at_once() {
    let storage = Faulty::new();
    for n in 0..2_500 {
        put(&*storage, flag(&format!("f{n}"), false)).await;
    }
    let client = on_demand(&storage).await;
    let calls = [storage.hold_get(), storage.hold_get(), storage.hold_get()];
    let preparing = tokio::spawn(async move { client.prepare(&user("u")).await });
    let mut held = Vec::new();
    for mut call in calls {
        // Though none is answered yet.
        call.reached().await;
        held.push(call);
    }
    for call in held {
        call.release();
    }
    preparing.await.expect("no panic").expect("prepared");
}

#[tokio::test]
async fn an_id_that_a_context_names_twice_is_looked_up_once() {
    let storage = Faulty::new();
    let f = flag("f", false);
    put(&*storage, f.clone()).await;
    put(&*storage, override_of(f.id, "targeting_key", "u", true)).await;
    let client = on_demand(&storage).await;
    for (user_id, targeting_key, keys) in [("u", "u", 1), ("v", "", 1), ("w", "x", 2)] {
        let before = Faulty::count(&storage.keys_got);
        let context = EvaluationContext::builder().user_id(user_id).targeting_key(targeting_key).build();
        let snapshot = client.prepare(&context).await.expect("prepared");
        assert_eq!(Faulty::count(&storage.keys_got) - before, keys, "{targeting_key:?}");
        // As the engine has it, which does not look it up either.
        assert!(!snapshot.bool_details("f", true, &context).value);
        assert!(!not_ready(&client, &context));
    }
}

#[tokio::test]
async fn of_flags_that_are_new_only_their_overrides_are_fetched() {
    let storage = Faulty::new();
    let f = flag("f", false);
    put(&*storage, f.clone()).await;
    put(&*storage, override_of(f.id, "user", "u", true)).await;
    let client = on_demand(&storage).await;
    client.prepare(&user("u")).await.expect("prepared");
    for name in ["g", "h"] {
        let new = flag(name, false);
        put(&*storage, new.clone()).await;
        put(&*storage, override_of(new.id, "user", "u", true)).await;
    }
    until("the flags", || client.snapshot().ruleset().len() == 3).await;
    // The overrides were told of, too, and of those that are everything is asked for.
    client.prepare(&user("u")).await.expect("prepared");
    let new = flag("i", false);
    put(&*storage, new.clone()).await;
    until("the flag", || client.snapshot().ruleset().len() == 4).await;
    let before = Faulty::count(&storage.keys_got);
    let snapshot = client.prepare(&user("u")).await.expect("prepared");
    assert_eq!(Faulty::count(&storage.keys_got) - before, 1);
    for name in ["f", "g", "h"] {
        assert!(snapshot.bool_details(name, false, &user("u")).value, "{name}");
    }
    assert!(!snapshot.bool_details("i", true, &user("u")).value);
    assert!(!not_ready(&client, &user("u")));
}

/// From now on every read says that there is nothing; nobody is told.
fn empty(storage: &Faulty) {
    storage.set(&storage.gets_lag, true);
    storage.set(&storage.is_empty, true);
}

#[tokio::test]
async fn what_is_cached_outlives_a_store_that_was_emptied() {
    let storage = Faulty::new();
    let f = flag("f", true);
    put(&*storage, f.clone()).await;
    for id in ["u", "told"] {
        put(&*storage, override_of(f.id, "user", id, false)).await;
    }
    let client = on_demand(&storage).await;
    for id in ["u", "told", "none"] {
        client.prepare(&user(id)).await.expect("prepared");
    }
    let serves = async |id: &str, wanted: bool| {
        let snapshot = client.prepare(&user(id)).await.expect("prepared");
        assert_eq!(snapshot.bool_details("f", !wanted, &user(id)).value, wanted, "{id}");
    };
    empty(&storage);
    // The store has nothing any more, and the watch has told of one override only, as it does of a
    // file that is edited.
    storage.inject(&Change::Changed(Key::Override(f.id, "user".parse().unwrap(), "told".parse().unwrap())));
    until("told", || not_ready(&client, &user("told"))).await;
    serves("told", false).await;
    storage.inject(&Change::Lost);
    until("stale", || client.freshness() != flags_client::Freshness::Fresh).await;
    let error = client.prepare(&user("new")).await.expect_err("who knows");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, Some("prepare")));
    storage.inject(&Change::Resync);
    until("emptied", || common::cause(&client) == Some(StaleCause::StoreEmptied)).await;
    let gets = Faulty::count(&storage.gets);
    for (id, wanted) in [("u", false), ("told", false), ("none", true)] {
        serves(id, wanted).await;
        assert_eq!(client.bool_value("f", !wanted, &user(id)), wanted, "{id}");
    }
    let error = client.prepare(&user("new")).await.expect_err("the store knows nothing");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(Faulty::count(&storage.gets), gets, "it is not asked");

    storage.set(&storage.gets_lag, false);
    storage.set(&storage.is_empty, false);
    storage.inject(&Change::Resync);
    common::until_fresh(&client).await;
    for (id, wanted) in [("u", false), ("told", false), ("none", true), ("new", true)] {
        serves(id, wanted).await;
    }
}

#[tokio::test]
async fn an_override_that_becomes_unreadable_stays_as_it_was() {
    let storage = Faulty::new();
    let f = flag("f", true);
    put(&*storage, f.clone()).await;
    put(&*storage, override_of(f.id, "user", "u", false)).await;
    let client = on_demand(&storage).await;
    client.prepare(&user("u")).await.expect("prepared");
    let corrupt = Key::Override(f.id, "user".parse().expect("a type"), "u".parse().expect("an id"));
    storage.inner.insert_raw(&corrupt, b"{").expect("open");
    until("heard", || not_ready(&client, &user("u"))).await;
    for _ in 0..2 {
        let snapshot = client.prepare(&user("u")).await.expect("prepared");
        assert!(!snapshot.bool_details("f", true, &user("u")).value);
        assert_eq!(client.diagnostics().unreadable.len(), 1);
        storage.inject(&Change::Resync);
        common::until_fresh(&client).await;
    }
}

/// Evaluates for somebody else than was asked for.
#[derive(Debug)]
struct Instead(&'static str);

impl Hook for Instead {
    fn before(&self, _: &HookContext<'_>) -> Result<Option<EvaluationContext>, BoxError> {
        Ok(Some(user(self.0)))
    }
}

#[tokio::test]
async fn whom_a_hook_evaluates_for_is_whose_overrides_count() {
    let storage = Faulty::new();
    let f = flag("f", false);
    put(&*storage, f.clone()).await;
    put(&*storage, override_of(f.id, "user", "u", true)).await;
    let client = builder(&storage).overrides(ON_DEMAND).hook(Instead("u")).start().await.expect("started");
    assert!(not_ready(&client, &anybody()), "nobody prepared whom it is about");
    let snapshot = client.prepare(&user("u")).await.expect("prepared");
    assert!(client.bool_value("f", false, &anybody()));
    assert!(client.bool_details("f", false, &anybody()).value);
    assert!(snapshot.bool_details("f", false, &anybody()).value);
}
