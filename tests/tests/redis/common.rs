//! A store of its own for every test, and a plain client beside it.

use anyhow::Result;
use flags_core::storage::{Batch, Effect, Expect, Query, Stored};
use flags_core::{
    EntityId, EntityType, Flag, FlagId, FlagKey, Key, Override, Record, RolloutPhase, ScheduledChange,
    Storage,
};
use flags_redis::{Driver, Foreign, RedisBuilder, RedisStorage};
pub(crate) use flags_tests::server::raw;
use flags_tests::server::{self, Shared, unique_prefix};
use futures_util::StreamExt as _;
use redis::aio::MultiplexedConnection;

/// The driver of this test program: the same tests are built once for each.
pub(crate) fn driver() -> Driver {
    server::driver_of(env!("CARGO_CRATE_NAME"))
}

/// A store at that URL, over the driver of this test program, that waits for long.
pub(crate) fn patient(url: &str) -> flags_core::Result<RedisBuilder> {
    Ok(server::patient(url)?.driver(driver()))
}

pub(crate) struct Fixture {
    pub(crate) server: Shared,
    pub(crate) prefix: String,
    pub(crate) store: RedisStorage,
    pub(crate) raw: MultiplexedConnection,
}

impl Fixture {
    pub(crate) async fn new() -> Result<Self> {
        Self::with_prefix(unique_prefix()).await
    }

    pub(crate) async fn with_prefix(prefix: String) -> Result<Self> {
        let server = Shared::get()?;
        let store = patient(&server.url())?.prefix(&prefix).open().await?;
        let raw = raw(&server.url()).await?;
        Ok(Self { server, prefix, store, raw })
    }

    /// Another handle on the same store.
    pub(crate) async fn another(&self) -> Result<RedisStorage> {
        Ok(patient(&self.server.url())?.prefix(&self.prefix).open().await?)
    }

    pub(crate) async fn indexed(&self) -> Result<RedisStorage> {
        let builder = patient(&self.server.url())?.prefix(&self.prefix);
        Ok(builder.foreign(Foreign::Index).open().await?)
    }

    /// A raw command; `P` at the beginning of an argument stands for the prefix.
    pub(crate) async fn raw<T: redis::FromRedisValue>(&self, words: &[&str]) -> Result<T> {
        let mut cmd = redis::Cmd::new();
        for word in words {
            match word.strip_prefix("P ") {
                Some(rest) => cmd.arg(format!("{}{rest}", self.prefix)),
                None => cmd.arg(word),
            };
        }
        Ok(cmd.query_async(&mut self.raw.clone()).await?)
    }

    /// Every key under the prefix, without the prefix, in order.
    pub(crate) async fn keys(&self) -> Result<Vec<String>> {
        let all: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut self.raw.clone()).await?;
        let mut own: Vec<String> =
            all.iter().filter_map(|key| key.strip_prefix(&self.prefix)).map(str::to_owned).collect();
        own.sort();
        Ok(own)
    }
}

pub(crate) fn flag(key: &str) -> Flag {
    Flag::new(FlagKey::new(key).expect("a flag key"))
}

pub(crate) fn user(owner: FlagId, entity: &str) -> Override {
    let (kind, id) = (EntityType::new("user"), EntityId::new(entity));
    Override::new(owner, kind.expect("an entity type"), id.expect("an entity id"), true)
}

pub(crate) fn change(owner: FlagId) -> ScheduledChange {
    ScheduledChange::new(owner, flags_core::ChangeType::Enable, flags_core::Timestamp::UNIX_EPOCH)
}

pub(crate) fn phase(owner: FlagId) -> RolloutPhase {
    RolloutPhase::new(owner, 1, 10, flags_core::Timestamp::UNIX_EPOCH)
}

pub(crate) async fn put(store: &RedisStorage, record: impl Into<Record>) -> flags_core::Result<Effect> {
    let effects = store.commit(Batch::new().put(record, Expect::Any)).await?;
    Ok(effects.into_iter().next().expect("one effect"))
}

pub(crate) async fn get(store: &RedisStorage, key: &Key) -> flags_core::Result<Option<Stored>> {
    store.get(std::slice::from_ref(key)).await?.pop().expect("one answer")
}

pub(crate) async fn list(store: &RedisStorage, query: Query) -> Vec<flags_core::Result<Stored>> {
    store.list(query).collect().await
}

/// The keys of what is listed; an error fails the test.
pub(crate) async fn listed(store: &RedisStorage, query: Query) -> Result<Vec<Key>> {
    let mut keys = Vec::new();
    for item in list(store, query).await {
        keys.push(item?.record.key());
    }
    keys.sort();
    Ok(keys)
}
