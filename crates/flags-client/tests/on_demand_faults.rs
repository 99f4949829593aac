//! Overrides that are fetched for whom they are asked, where the store fails, or answers late.

mod common;

use std::sync::Arc;

use common::{Faulty, LONG, builder, cause, flag, override_of, put, until, until_fresh, user};
use flags_client::{Client, Freshness, Overrides, StaleCause};
use flags_core::ErrorKind;
use flags_core::storage::Change;
use flags_engine::{ErrorCode, EvaluationContext};

async fn on_demand(storage: &Arc<Faulty>) -> Client {
    let overrides = Overrides::OnDemand { capacity: 100, time_to_live: LONG };
    builder(storage).overrides(overrides).start().await.expect("started")
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
