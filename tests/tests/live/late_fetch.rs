//! A fetch that begins before an invalidation is never installed after it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use flags_client::{Client, Freshness};
use flags_core::storage::{Batch, BoxStream, Change, Expect};
use flags_core::{ChangeType, Json, Key, ScheduledChange, Storage as _, Timestamp};
use flags_redis::{Driver, RedisStorage};
use flags_tests::live::user;
use flags_tests::proxy::{At, Fault, Proxy};
use flags_tests::server::Server;
use flags_tests::wait::{BOUND, until};
use futures_util::StreamExt as _;

use crate::common::{client, number_flag, store};

/// How often the reply of a fetch has to be caught.
const CAUGHT: usize = 5;
/// For what the server tells; where the connection that it tells it on is held, nothing comes.
const A_WHILE: Duration = Duration::from_secs(2);

async fn tells(watch: &mut BoxStream<'static, Change>) -> Result<bool> {
    match tokio::time::timeout(A_WHILE, watch.next()).await {
        Err(_) => Ok(false),
        Ok(Some(Change::Changed(_))) => Ok(true),
        Ok(other) => bail!("{other:?}"),
    }
}

fn served(client: &Client) -> i64 {
    client.integer_value("n", -1, &user("ann"))
}

async fn put(storage: &RedisStorage, n: i64, flag: &flags_core::Flag) -> Result<()> {
    let mut flag = flag.clone();
    flag.default_value = Some(Json::from(n));
    storage.commit(Batch::new().put(flag, Expect::Any)).await?;
    Ok(())
}

async fn a_late_reply_is_not_installed(driver: Driver) -> Result<()> {
    let server = Server::start(&[])?;
    let proxy = Proxy::to(server.port()).await?;
    let (writer, followed) = (store(&server.url(), driver).await?, store(&proxy.url(), driver).await?);
    let flag = number_flag("n", 0);
    put(&writer, 0, &flag).await?;
    let client = client(followed.clone()).start().await?;
    // By the connection that tells the client.
    let mut watch = followed.watch().await?;
    assert_eq!(watch.next().await, Some(Change::Resync));
    until("it follows", async || Ok(client.freshness() == Freshness::Fresh)).await?;

    let (mut caught, mut n) = (0, 0);
    for _ in 0..20 * CAUGHT {
        let (before, old, new) = (n, n + 1, n + 2);
        n = new;
        // Under RESP2, which the other driver is told in, the server's news of `old` looks like a reply.
        proxy.inject(Fault::Hold, At::Reply(if driver == Driver::Fred { 2 } else { 1 }));
        put(&writer, old, &flag).await?;
        tokio::time::timeout(BOUND, proxy.held()).await.context("nothing is fetched")?;
        // Nothing but the client's fetch, which has read `old`, or a heartbeat before it.
        let held_fetch = tells(&mut watch).await? && served(&client) == before;
        put(&writer, new, &flag).await?;
        if held_fetch && tells(&mut watch).await? {
            // The client knows of `new` while what it fetched, `old`, arrives. What it fetches next is held
            // too.
            proxy.inject(Fault::Hold, At::Reply(1));
            proxy.release();
            tokio::time::timeout(BOUND, proxy.held()).await.context("nothing is fetched again")?;
            assert_ne!(served(&client), old, "an old reply was installed");
            caught += 1;
        }
        proxy.heal().await?;
        proxy.release();
        until("the newest is served", async || {
            proxy.release();
            assert_ne!(served(&client), old, "an old reply was installed");
            Ok(served(&client) == new)
        })
        .await?;
        // What is told next round is of the next round. A client has no use for this record, and fetches
        // nothing.
        let fence = ScheduledChange::new(flag.id, ChangeType::Enable, Timestamp::UNIX_EPOCH);
        writer.commit(Batch::new().put(fence.clone(), Expect::Absent)).await?;
        let told =
            async { while watch.next().await != Some(Change::Changed(Key::ScheduledChange(fence.id))) {} };
        tokio::time::timeout(BOUND, told).await.context("the watch tells nothing")?;
        if caught == CAUGHT {
            return Ok(());
        }
    }
    bail!("only {caught} fetches were caught")
}

#[tokio::test]
async fn a_late_reply_is_not_installed_over_redis_rs() -> Result<()> {
    a_late_reply_is_not_installed(Driver::RedisRs).await
}

#[tokio::test]
async fn a_late_reply_is_not_installed_over_fred() -> Result<()> {
    a_late_reply_is_not_installed(Driver::Fred).await
}
