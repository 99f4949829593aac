//! A store with faults to order, and what tests do with it.

#![allow(dead_code, reason = "each test binary uses some of it")]

mod faulty;

use std::sync::Arc;
use std::time::Duration;

use flags_client::{Client, ClientBuilder, Freshness, StaleCause};
use flags_core::storage::{Batch, Expect};
use flags_core::{
    EntityId, EntityType, Flag, FlagId, FlagKey, FlagType, Json, Key, Override, Record, Storage,
};
use flags_engine::EvaluationContext;

pub(crate) use faulty::Faulty;

/// Longer than anything takes on the busiest machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) fn key(name: &str) -> FlagKey {
    FlagKey::new(name).expect("a flag key")
}

/// A boolean flag with that default.
pub(crate) fn flag(name: &str, on: bool) -> Flag {
    let mut flag = Flag::new(key(name));
    flag.default_enabled = on;
    flag
}

/// A string flag with that default.
pub(crate) fn text_flag(name: &str, value: &str) -> Flag {
    let mut flag = Flag::new(key(name));
    flag.flag_type = FlagType::String;
    flag.default_value = Some(Json::from(value));
    flag
}

pub(crate) fn override_of(flag_id: FlagId, entity_type: &str, id: &str, enabled: bool) -> Override {
    let entity = (EntityType::new(entity_type).expect("a type"), EntityId::new(id).expect("an id"));
    Override::new(flag_id, entity.0, entity.1, enabled)
}

pub(crate) fn anybody() -> EvaluationContext {
    EvaluationContext::default()
}

pub(crate) fn user(id: &str) -> EvaluationContext {
    EvaluationContext::builder().user_id(id).build()
}

/// Writes over whatever is there.
pub(crate) async fn put(storage: &dyn Storage, record: impl Into<Record>) {
    storage.commit(Batch::new().put(record, Expect::Any)).await.expect("committed");
}

pub(crate) async fn delete(storage: &dyn Storage, key: Key) {
    storage.commit(Batch::new().delete(key, Expect::Any)).await.expect("committed");
}

/// Quick to retry, and not by polling unless a test asks for it.
pub(crate) fn builder(storage: &Arc<Faulty>) -> ClientBuilder {
    Client::builder(storage.clone())
        .retry_delays(Duration::from_millis(1), Duration::from_millis(10))
        .poll_interval(LONG)
}

pub(crate) async fn start(storage: &Arc<Faulty>) -> Client {
    builder(storage).start().await.expect("started")
}

/// Waits until that holds; fails the test if it never does.
#[track_caller]
pub(crate) fn until(what: &str, holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    let what = what.to_owned();
    let mut holds = holds;
    async move {
        let deadline = std::time::Instant::now() + LONG;
        while !holds() {
            assert!(std::time::Instant::now() < deadline, "{place}: never came: {what}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

pub(crate) async fn until_fresh(client: &Client) {
    until("fresh", || client.freshness() == Freshness::Fresh).await;
}

/// Why what is served may be old, if it may be.
pub(crate) fn cause(client: &Client) -> Option<StaleCause> {
    match client.freshness() {
        Freshness::Stale { cause, .. } => Some(cause),
        _ => None,
    }
}

/// What a string flag answers.
pub(crate) fn text(client: &Client, name: &str) -> String {
    client.string_value(name, "default", &anybody())
}
