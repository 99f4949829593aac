//! Watches: who may, what is seen, and what a break becomes (C12).

use std::time::Duration;

use anyhow::{Context as _, Result};
use flags_core::storage::{BoxStream, Capability, Change};
use flags_core::{ErrorKind, Record, Storage as _, Timestamp};
use flags_redis::{Driver, RedisStorage};
use flags_tests::proxy::Proxy;
use flags_tests::server::Server;
use flags_tests::wait::until;
use futures_util::StreamExt as _;
use redis::aio::MultiplexedConnection;

use crate::common::{change, driver, flag, patient, phase, put, raw, user};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

async fn open(server: &Server) -> Result<RedisStorage> {
    // Such a server is dead after a second.
    let builder = patient(&server.url())?.prefix("ff:").command_timeout(Duration::from_secs(1));
    Ok(builder.deadline(Duration::from_secs(5)).open().await?)
}

async fn next(watch: &mut BoxStream<'static, Change>) -> Result<Change> {
    let change = tokio::time::timeout(PATIENCE, watch.next()).await.context("nothing comes")?;
    change.context("the watch has ended")
}

/// The next change is that record's.
async fn sees(watch: &mut BoxStream<'static, Change>, record: impl Into<Record>) -> Result<()> {
    let key = record.into().key();
    assert_eq!(next(watch).await?, Change::Changed(key));
    Ok(())
}

/// Ends the connection that the store is followed by, or those that commands go by. There is one of the
/// former.
async fn kill(raw: &mut MultiplexedConnection, follows: bool) -> Result<()> {
    let list: String = redis::cmd("CLIENT").arg("LIST").query_async(raw).await?;
    let own: i64 = redis::cmd("CLIENT").arg("ID").query_async(raw).await?;
    for line in list.lines() {
        let fact = |name: &str| line.split(' ').find_map(|fact| fact.strip_prefix(name)?.strip_prefix('='));
        let (id, flags) = (fact("id").context("an id")?, fact("flags").context("flags")?);
        // B: it is told of changes. S: a replica.
        if id != own.to_string() && !flags.contains('S') && flags.contains('B') == follows {
            redis::cmd("CLIENT").arg(&["KILL", "ID", id]).query_async::<()>(raw).await?;
        }
    }
    Ok(())
}

/// The store is lost and found; what changed meanwhile is told by no key.
async fn is_lost_and_found(watch: &mut BoxStream<'static, Change>) -> Result<()> {
    assert_eq!(next(watch).await?, Change::Lost);
    assert_eq!(next(watch).await?, Change::Resync);
    Ok(())
}

#[tokio::test]
async fn a_user_may_watch_with_what_the_documentation_says_and_not_without() -> Result<()> {
    let docs = include_str!("../../../crates/flags-redis/src/lib.rs");
    assert!(docs.contains("needs `+client|tracking` as well"));
    assert!(docs.contains("`+client|id +subscribe &__redis__:invalidate`"));
    let server = Server::start(&[])?;
    let mut raw = raw(&server.url()).await?;
    let granted = ["+client|tracking", "+client|id", "+subscribe", "&__redis__:invalidate"];
    for (watches, rules) in [(true, &granted[..]), (false, &[])] {
        let mut user = redis::cmd("ACL");
        user.arg(&["SETUSER", "app", "reset", "on", ">pw", "~ff:*", "+@all", "-client", "-subscribe"]).arg(rules);
        user.query_async::<()>(&mut raw).await?;
        let store = patient(&server.url())?.credentials(Some("app"), "pw").prefix("ff:").open().await?;
        assert!(store.descriptor().has(Capability::Watch));
        match store.watch().await {
            Ok(mut watch) => {
                assert!(watches);
                assert_eq!(next(&mut watch).await?, Change::Resync);
                put(&store, flag("a")).await?;
                sees(&mut watch, flag("a")).await?;
            }
            Err(error) => {
                assert_eq!((watches, error.kind()), (false, ErrorKind::Denied), "{error:?}");
                assert!(error.to_string().contains("+client|tracking"), "{error}");
            }
        }
    }
    Ok(())
}

async fn acl(raw: &mut MultiplexedConnection, rules: &[&str]) -> Result<()> {
    Ok(redis::cmd("ACL").arg("SETUSER").arg(rules).query_async::<()>(raw).await?)
}

#[tokio::test]
async fn a_user_without_the_channel_is_never_left_with_a_blind_watch() -> Result<()> {
    let server = Server::start(&[])?;
    let mut raw = raw(&server.url()).await?;
    let open = async || {
        let builder = patient(&server.url())?.credentials(Some("app"), "pw").prefix("ff:");
        builder.open().await
    };
    acl(&mut raw, &["app", "reset", "on", ">pw", "~*", "resetchannels", "+@all"]).await?;
    // Whether the refusal or the next answer is faster is a matter of luck.
    for round in 0..20 {
        match (driver(), open().await?.watch().await) {
            // Under RESP3 there is no channel.
            (Driver::RedisRs, watch) => assert_eq!(next(&mut watch?).await?, Change::Resync),
            (_, Ok(_)) => anyhow::bail!("round {round}: a watch that is told nothing"),
            (_, Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
                assert!(error.to_string().contains("&__redis__:invalidate"), "{error}");
            }
        }
    }
    // It works as soon as it may, without being opened anew.
    let store = open().await?;
    acl(&mut raw, &["app", "&__redis__:invalidate"]).await?;
    let mut watch = store.watch().await?;
    assert_eq!(next(&mut watch).await?, Change::Resync);
    put(&store, flag("a")).await?;
    sees(&mut watch, flag("a")).await
}

#[tokio::test]
async fn a_user_who_may_not_ping_connects_and_watches() -> Result<()> {
    let server = Server::start(&[])?;
    let mut raw = raw(&server.url()).await?;
    acl(&mut raw, &["app", "reset", "on", ">pw", "~*", "&*", "+@all", "-ping"]).await?;
    acl(&mut raw, &["default", "-ping"]).await?;
    let seen = flag("a");
    for login in [Some("app"), None] {
        let builder = patient(&server.url())?.prefix("ff:");
        let builder = if login.is_some() { builder.credentials(login, "pw") } else { builder };
        let store = builder.open().await?;
        let mut watch = store.watch().await?;
        assert_eq!(next(&mut watch).await?, Change::Resync);
        // Longer than some heartbeats.
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_millis(2_500) {
            put(&store, seen.clone()).await?;
            sees(&mut watch, seen.clone()).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_cannot_tell_of_changes_is_told_from_a_user_who_may_not_hear() -> Result<()> {
    let server = Server::start(&["--rename-command", "CLIENT", ""])?;
    let store = open(&server).await?;
    assert!(!store.descriptor().has(Capability::Watch));
    assert_eq!(store.watch().await.err().context("a watch")?.kind(), ErrorKind::Unsupported);
    put(&store, flag("a")).await?;
    // What is taken away later is named as well.
    let server = Server::start(&[])?;
    let mut raw = raw(&server.url()).await?;
    acl(&mut raw, &["app", "reset", "on", ">pw", "~*", "&*", "+@all"]).await?;
    let store = patient(&server.url())?.credentials(Some("app"), "pw").prefix("ff:").open().await?;
    acl(&mut raw, &["app", "-client|tracking"]).await?;
    let error = store.watch().await.err().context("a watch")?;
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    assert!(error.to_string().contains("+client|tracking"), "{error}");
    Ok(())
}

#[tokio::test]
async fn every_writer_is_seen_and_indexes_make_no_noise() -> Result<()> {
    let server = Server::start(&[])?;
    let (store, mut raw) = (open(&server).await?, raw(&server.url()).await?);
    let mut watch = store.watch().await?;
    assert_eq!(next(&mut watch).await?, Change::Resync);
    let owner = flag("a");
    put(&store, owner.clone()).await?;
    sees(&mut watch, owner.clone()).await?;
    for record in [Record::from(change(owner.id)), phase(owner.id).into(), user(owner.id, "x").into()] {
        put(&store, record.clone()).await?;
        sees(&mut watch, record).await?;
    }
    // A writer that knows nothing of us, an expiry, and what is none of our records.
    let place = format!("ff:override:{}:user:x", owner.id);
    redis::cmd("SADD").arg("ff:flags").arg("other").query_async::<()>(&mut raw).await?;
    redis::cmd("SET").arg("gg:flag:a").arg("{}").query_async::<()>(&mut raw).await?;
    redis::cmd("PEXPIRE").arg(&place).arg(1).query_async::<()>(&mut raw).await?;
    sees(&mut watch, user(owner.id, "x")).await?;
    until("the override is gone", async || {
        let left: i64 = redis::cmd("EXISTS").arg(&place).query_async(&mut raw.clone()).await?;
        Ok(left == 0)
    })
    .await?;
    redis::cmd("DEL").arg("ff:flag:a").query_async::<()>(&mut raw).await?;
    loop {
        // The expiry may be told once more.
        match next(&mut watch).await? {
            Change::Changed(key) if key == Record::from(user(owner.id, "x")).key() => {}
            other => {
                assert_eq!(other, Change::Changed(Record::from(owner).key()));
                return Ok(());
            }
        }
    }
}

#[tokio::test]
async fn an_emptied_server_is_a_resync() -> Result<()> {
    let server = Server::start(&[])?;
    let (store, mut raw) = (open(&server).await?, raw(&server.url()).await?);
    put(&store, flag("a")).await?;
    let mut watch = store.watch().await?;
    assert_eq!(next(&mut watch).await?, Change::Resync);
    for command in ["FLUSHDB", "FLUSHALL"] {
        redis::cmd(command).query_async::<()>(&mut raw).await?;
        is_lost_and_found(&mut watch).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_broken_connection_is_lost_and_found() -> Result<()> {
    let mut server = Server::start(&[])?;
    let store = open(&server).await?;
    let mut watch = store.watch().await?;
    assert_eq!(next(&mut watch).await?, Change::Resync);
    for round in 0..5 {
        let mut raw = raw(&server.url()).await?;
        let mut kill = redis::cmd("CLIENT");
        kill.arg(&["KILL", "SKIPME", "yes", "USER", "default"]).query_async::<()>(&mut raw).await?;
        is_lost_and_found(&mut watch).await?;
        let one = flag(&format!("f{round}"));
        // The other connection was killed as well, which a write that meets it says.
        if put(&store, one.clone()).await.is_err() {
            put(&store, one.clone()).await?;
        }
        sees(&mut watch, one).await?;
    }
    server.stop();
    assert_eq!(next(&mut watch).await?, Change::Lost);
    let error = store.watch().await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    server.run()?;
    assert_eq!(next(&mut watch).await?, Change::Resync);
    put(&store, flag("later")).await?;
    sees(&mut watch, flag("later")).await
}

#[tokio::test]
async fn a_name_that_leads_to_another_server_is_followed_there() -> Result<()> {
    let former = Server::start(&[])?;
    let proxy = Proxy::to(former.port()).await?;
    let store = patient(&proxy.url())?.prefix("ff:").open().await?;
    let heir = Server::start(&["--replicaof", "127.0.0.1", &former.port().to_string()])?;
    let mut raw = (raw(&former.url()).await?, raw(&heir.url()).await?);
    until("the heir has everything", async || {
        let marked: i64 = redis::cmd("EXISTS").arg("ff:meta").query_async(&mut raw.1.clone()).await?;
        Ok(marked == 1)
    })
    .await?;
    let mut watch = store.watch().await?;
    assert_eq!(next(&mut watch).await?, Change::Resync);
    redis::cmd("REPLICAOF").arg(&["NO", "ONE"]).query_async::<()>(&mut raw.1).await?;
    // The former server lives on, and so does whatever leads to it already.
    proxy.point_to(heir.port());
    kill(&mut raw.0, false).await?;
    is_lost_and_found(&mut watch).await?;
    redis::cmd("SET").arg("ff:flag:a").arg("{}").query_async::<()>(&mut raw.1).await?;
    sees(&mut watch, flag("a")).await?;
    put(&store, flag("b")).await?;
    sees(&mut watch, flag("b")).await
}

#[tokio::test]
async fn a_frozen_server_is_lost_and_found() -> Result<()> {
    let server = Server::start(&[])?;
    let store = open(&server).await?;
    let mut watch = store.watch().await?;
    assert_eq!(next(&mut watch).await?, Change::Resync);
    server.freeze()?;
    assert_eq!(next(&mut watch).await?, Change::Lost);
    server.thaw()?;
    assert_eq!(next(&mut watch).await?, Change::Resync);
    put(&store, flag("a")).await?;
    sees(&mut watch, flag("a")).await
}

#[tokio::test]
async fn watches_share_a_connection_that_ends_with_the_last_of_them() -> Result<()> {
    let server = Server::start(&[])?;
    let store = open(&server).await?;
    let connections = async || -> Result<usize> {
        let mut raw = raw(&server.url()).await?;
        let list: String = redis::cmd("CLIENT").arg("LIST").query_async(&mut raw).await?;
        // But for the one that asks.
        Ok(list.lines().count() - 1)
    };
    until("opening leaves one", async || Ok(connections().await? == 1)).await?;
    let mut watches = Vec::new();
    for _ in 0..10 {
        let mut watch = store.watch().await?;
        assert_eq!(next(&mut watch).await?, Change::Resync);
        watches.push(watch);
    }
    assert_eq!(connections().await?, 2);
    put(&store, flag("a")).await?;
    for watch in &mut watches {
        sees(watch, flag("a")).await?;
    }
    drop(watches);
    until("nobody watches", async || Ok(connections().await? == 1)).await?;
    let mut watch = store.watch().await?;
    assert_eq!(next(&mut watch).await?, Change::Resync);
    store.close().await?;
    assert!(tokio::time::timeout(PATIENCE, watch.next()).await?.is_none());
    until("the store is closed", async || Ok(connections().await? == 0)).await
}

#[tokio::test]
async fn a_watch_that_begins_while_the_store_is_lost_begins_once_it_is_found() -> Result<()> {
    let mut server = Server::start(&[])?;
    let store = open(&server).await?;
    let mut first = store.watch().await?;
    assert_eq!(next(&mut first).await?, Change::Resync);
    for round in 0..5 {
        server.stop();
        assert_eq!(next(&mut first).await?, Change::Lost);
        let error = store.watch().await.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        server.run()?;
        // What an earlier attempt has found is no answer.
        let mut second = store.watch().await.with_context(|| format!("round {round}"))?;
        assert_eq!(next(&mut second).await?, Change::Resync);
        assert_eq!(next(&mut first).await?, Change::Resync);
        put(&store, flag("a")).await?;
        for watch in [&mut first, &mut second] {
            sees(watch, flag("a")).await?;
        }
    }
    server.stop();
    assert_eq!(next(&mut first).await?, Change::Lost);
    store.close().await?;
    assert!(tokio::time::timeout(PATIENCE, first.next()).await?.is_none());
    Ok(())
}

#[test]
fn a_watch_outlives_the_runtime_that_another_was_begun_in() -> Result<()> {
    let server = Server::start(&[])?;
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let here = runtime()?;
    for round in 0..50 {
        let there = runtime()?;
        let store = here.block_on(open(&server))?;
        let mut first = there.block_on(store.watch())?;
        // Somebody begins to watch while that runtime ends.
        let ending = std::thread::spawn(move || drop(there));
        for _ in 0..10 {
            let begun = here.block_on(store.watch()).map(drop);
            begun.with_context(|| format!("round {round}"))?;
        }
        ending.join().expect("it ends");
        here.block_on(async {
            while tokio::time::timeout(PATIENCE, first.next()).await?.is_some() {}
            let mut second = store.watch().await?;
            assert_eq!(next(&mut second).await?, Change::Resync);
            let one = flag(&format!("f{round}"));
            put(&store, one.clone()).await?;
            sees(&mut second, one).await
        })?;
    }
    Ok(())
}

#[tokio::test]
async fn a_follow_connection_that_ends_alone_is_lost_and_found() -> Result<()> {
    let server = Server::start(&[])?;
    let (store, mut raw) = (open(&server).await?, raw(&server.url()).await?);
    let mut watch = store.watch().await?;
    assert_eq!(next(&mut watch).await?, Change::Resync);
    for round in 0..3 {
        kill(&mut raw, true).await?;
        is_lost_and_found(&mut watch).await?;
        // Commands have a connection of their own.
        let one = flag(&format!("f{round}"));
        put(&store, one.clone()).await?;
        sees(&mut watch, one).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_record_that_expires_is_told() -> Result<()> {
    let server = Server::start(&[])?;
    let store = open(&server).await?;
    let owner = flag("a");
    put(&store, owner.clone()).await?;
    let mut watch = store.watch().await?;
    assert_eq!(next(&mut watch).await?, Change::Resync);
    let mut over = user(owner.id, "x");
    over.expires_at = Timestamp::from_unix_micros(Timestamp::now().unix_micros() + 3_000_000);
    put(&store, over.clone()).await?;
    sees(&mut watch, over.clone()).await?;
    // By the server, of its own accord: nobody asks for it.
    sees(&mut watch, over).await
}

#[tokio::test]
async fn a_flag_that_the_server_evicts_is_told() -> Result<()> {
    for policy in ["volatile-lru", "allkeys-lru"] {
        let server = Server::start(&["--maxmemory-policy", policy])?;
        let (store, mut raw) = (open(&server).await?, raw(&server.url()).await?);
        put(&store, flag("a")).await?;
        redis::cmd("EXPIRE").arg("ff:flag:a").arg(1_000).query_async::<()>(&mut raw).await?;
        let mut watch = store.watch().await?;
        assert_eq!(next(&mut watch).await?, Change::Resync);
        redis::cmd("CONFIG").arg(&["SET", "maxmemory", "1"]).query_async::<()>(&mut raw).await?;
        // Whatever takes memory makes room, or finds that there is none to be made.
        let _ = redis::cmd("SET").arg("other").arg("x").query_async::<()>(&mut raw).await;
        match next(&mut watch).await? {
            // Where all keys may go, so may the marker, and a store without it has been emptied.
            Change::Lost if policy == "allkeys-lru" => assert_eq!(next(&mut watch).await?, Change::Resync),
            change => assert_eq!(change, Change::Changed(Record::from(flag("a")).key()), "{policy}"),
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_put_in_the_place_of_another_is_a_resync() -> Result<()> {
    let server = Server::start(&[])?;
    let (store, mut raw) = (open(&server).await?, raw(&server.url()).await?);
    put(&store, flag("a")).await?;
    let mut watch = store.watch().await?;
    assert_eq!(next(&mut watch).await?, Change::Resync);
    // One without a store, then the one that was.
    for _ in 0..2 {
        redis::cmd("SWAPDB").arg(&["0", "1"]).query_async::<()>(&mut raw).await?;
        is_lost_and_found(&mut watch).await?;
    }
    put(&store, flag("b")).await?;
    sees(&mut watch, flag("b")).await
}
