//! The server goes away, freezes, comes back, comes back empty: evaluations go on, and freshness says so.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use flags_client::{Client, ClientEvent, Events, Freshness, StaleCause};
use flags_core::{FlagKey, FlagStore};
use flags_engine::ErrorCode;
use flags_redis::Driver;
use flags_tests::live::{until_same, user};
use flags_tests::server::{Server, raw};
use flags_tests::wait::{BOUND, until};

use crate::common::{client, override_of, store, text_flag, wary};

/// A server that keeps what it was told, though it is killed.
const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

struct Bed {
    server: Server,
    client: Client,
    events: Events,
    driver: Driver,
}

impl Bed {
    async fn new(args: &[&str], driver: Driver) -> Result<Self> {
        let server = Server::start(args)?;
        let writer = FlagStore::new(store(&server.url(), driver).await?);
        let flag = writer.create_flag(text_flag("greeting", "hello")).await?;
        let mut over = override_of(flag.id, "ann");
        over.value = Some("hi".into());
        writer.create_override(over).await?;
        let client = client(wary(&server.url(), driver).await?).start().await?;
        let events = client.subscribe();
        let bed = Self { server, client, events, driver };
        bed.until(|freshness| freshness == Freshness::Fresh).await?;
        Ok(bed)
    }

    async fn until(&self, is: impl Fn(Freshness) -> bool) -> Result<()> {
        until("another freshness", async || {
            let freshness = self.client.freshness();
            ensure!(is(freshness), "it is {freshness:?}");
            Ok(true)
        })
        .await
    }

    async fn until_stale(&self, cause: StaleCause) -> Result<()> {
        self.until(|freshness| matches!(freshness, Freshness::Stale { cause: is, .. } if is == cause)).await
    }

    fn serves(&self, greeting: &str) {
        assert_eq!(self.client.string_value("greeting", "default", &user("ann")), "hi");
        assert_eq!(self.client.string_value("greeting", "default", &user("bob")), greeting);
    }

    /// The time of the fastest of some thousands of evaluations in a row: what they cost when nothing is in
    /// the way.
    fn fastest(&self) -> Duration {
        let bob = user("bob");
        let round = || {
            let begun = Instant::now();
            for _ in 0..1_000 {
                assert_eq!(self.client.string_value("greeting", "default", &bob).len(), 5);
            }
            begun.elapsed()
        };
        (0..50).map(|_| round()).min().unwrap_or_default()
    }

    /// A write by somebody else is seen.
    async fn follows(&self, greeting: &str) -> Result<()> {
        self.until(|freshness| freshness == Freshness::Fresh).await?;
        let writer = FlagStore::new(store(&self.server.url(), self.driver).await?);
        let key = FlagKey::new("greeting")?;
        writer
            .modify_flag(&key, |flag| {
                flag.default_value = Some(greeting.into());
                Ok(())
            })
            .await?;
        until("the write is seen", async || {
            Ok(self.client.string_value("greeting", "default", &user("bob")) == greeting)
        })
        .await?;
        until_same(&self.client, &**writer.storage(), &[user("ann"), user("bob")]).await
    }
}

async fn a_dead_store(driver: Driver) -> Result<()> {
    let mut bed = Bed::new(&DURABLE, driver).await?;
    let before = bed.fastest();
    bed.server.stop();
    bed.until_stale(StaleCause::Disconnected).await?;
    bed.serves("hello");
    let during = bed.fastest();
    println!("a thousand evaluations: {before:?} with a store, {during:?} without");
    // Far above any noise, far below anything that asks a server.
    ensure!(during < before * 20, "{during:?} against {before:?}");
    bed.server.run()?;
    bed.follows("hallo").await?;
    bed.serves("hallo");
    Ok(())
}

async fn a_frozen_store(driver: Driver) -> Result<()> {
    let bed = Bed::new(&[], driver).await?;
    let before = bed.fastest();
    bed.server.freeze()?;
    bed.until_stale(StaleCause::Disconnected).await?;
    bed.serves("hello");
    let during = bed.fastest();
    println!("a thousand evaluations: {before:?} with a store, {during:?} with a frozen one");
    ensure!(during < before * 20, "{during:?} against {before:?}");
    bed.server.thaw()?;
    bed.follows("hallo").await?;
    bed.serves("hallo");
    Ok(())
}

/// However it was emptied, the client keeps what it knew until it is told otherwise.
async fn an_empty_store(mut bed: Bed) -> Result<()> {
    bed.until_stale(StaleCause::StoreEmptied).await?;
    bed.serves("hello");
    let told = async {
        while let Some(event) = bed.events.next().await {
            if event == ClientEvent::StoreEmptied {
                return true;
            }
        }
        false
    };
    assert!(tokio::time::timeout(BOUND, told).await.context("nobody is told")?);
    bed.client.accept_empty().await;
    until("the store's word is taken", async || {
        let details = bed.client.string_details("greeting", "default", &user("ann"));
        Ok(details.error_code == Some(ErrorCode::FlagNotFound) && details.value == "default")
    })
    .await?;
    bed.until(|freshness| freshness == Freshness::Fresh).await?;
    let writer = FlagStore::new(store(&bed.server.url(), bed.driver).await?);
    writer.create_flag(text_flag("greeting", "again")).await?;
    until_same(&bed.client, &**writer.storage(), &[user("ann")]).await?;
    assert_eq!(bed.client.string_value("greeting", "default", &user("ann")), "again");
    Ok(())
}

async fn emptied_stores(driver: Driver) -> Result<()> {
    // Restarted without what it held.
    let mut bed = Bed::new(&[], driver).await?;
    bed.server.stop();
    bed.until_stale(StaleCause::Disconnected).await?;
    bed.server.run()?;
    an_empty_store(bed).await?;
    // Emptied while it is followed.
    let bed = Bed::new(&[], driver).await?;
    let _: () = redis::cmd("FLUSHALL").query_async(&mut raw(&bed.server.url()).await?).await?;
    an_empty_store(bed).await?;
    // Flags that come back are served without anybody's word.
    let bed = Bed::new(&[], driver).await?;
    let _: () = redis::cmd("FLUSHALL").query_async(&mut raw(&bed.server.url()).await?).await?;
    bed.until_stale(StaleCause::StoreEmptied).await?;
    let writer = FlagStore::new(store(&bed.server.url(), driver).await?);
    writer.create_flag(text_flag("other", "one")).await?;
    until_same(&bed.client, &**writer.storage(), &[user("ann")]).await
}

#[tokio::test]
async fn a_dead_store_is_told_and_survived_over_redis_rs() -> Result<()> {
    a_dead_store(Driver::RedisRs).await
}

#[tokio::test]
async fn a_dead_store_is_told_and_survived_over_fred() -> Result<()> {
    a_dead_store(Driver::Fred).await
}

#[tokio::test]
async fn a_frozen_store_is_told_and_survived_over_redis_rs() -> Result<()> {
    a_frozen_store(Driver::RedisRs).await
}

#[tokio::test]
async fn a_frozen_store_is_told_and_survived_over_fred() -> Result<()> {
    a_frozen_store(Driver::Fred).await
}

#[tokio::test]
async fn an_emptied_store_is_not_believed_over_redis_rs() -> Result<()> {
    emptied_stores(Driver::RedisRs).await
}

#[tokio::test]
async fn an_emptied_store_is_not_believed_over_fred() -> Result<()> {
    emptied_stores(Driver::Fred).await
}
