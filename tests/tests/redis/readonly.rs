//! Servers that take no writes, or none of this user: there is still the reading, and a write says why it
//! cannot be.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use flags_core::storage::{Batch, Change, Expect, Query};
use flags_core::{ErrorKind, Kind, Record, Storage as _};
use flags_redis::RedisStorage;
use flags_tests::server::Server;
use flags_tests::wait::until;
use futures_util::StreamExt as _;

use crate::common::{flag, get, listed, patient, put, raw, user};

const PATIENCE: Duration = Duration::from_secs(30);

async fn run(server: &Server, words: &[&str]) -> Result<()> {
    let mut command = redis::Cmd::new();
    command.arg(words);
    Ok(command.query_async(&mut raw(&server.url()).await?).await?)
}

async fn open(server: &Server) -> flags_core::Result<RedisStorage> {
    patient(&server.url())?.prefix("ff:").open().await
}

/// A flag and what belongs to it, and who wrote them.
async fn filled(server: &Server) -> Result<(Vec<Record>, RedisStorage)> {
    let store = open(server).await?;
    let owner = flag("a");
    let records = vec![Record::from(owner.clone()), user(owner.id, "x").into()];
    for record in &records {
        put(&store, record.clone()).await?;
    }
    Ok((records, store))
}

/// Everything but writing works, more than once, and writing is refused so, in those words.
async fn reads_and_refuses(
    store: &RedisStorage,
    records: &[Record],
    kind: ErrorKind,
    words: &str,
) -> Result<()> {
    for _ in 0..2 {
        for record in records {
            let read = get(store, &record.key()).await?.with_context(|| format!("no {}", record.key()))?;
            assert_eq!(read.record, *record);
            assert_eq!(listed(store, Query::All(record.kind())).await?, [record.key()]);
        }
        let mut watch = store.watch().await?;
        let first = tokio::time::timeout(PATIENCE, watch.next()).await?;
        assert_eq!(first, Some(Change::Resync));
        let health = store.health().await?;
        assert!(!health.warnings.iter().any(|warning| warning.contains("emptied")), "{health:?}");
        let error = put(store, flag("b")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
    Ok(())
}

async fn writes(store: &RedisStorage) -> Result<()> {
    put(store, flag("b")).await?;
    assert_eq!(listed(store, Query::All(Kind::Flag)).await?.len(), 2);
    store.commit(Batch::new().delete(Record::from(flag("b")).key(), Expect::Present)).await?;
    Ok(())
}

#[tokio::test]
async fn a_replica_that_was_named_is_read() -> Result<()> {
    let (primary, replica) = (Server::start(&[])?, Server::start(&[])?);
    let (records, _store) = filled(&primary).await?;
    run(&replica, &["REPLICAOF", "127.0.0.1", &primary.port().to_string()]).await?;
    until("the replica has the flags", async || {
        let mut raw = raw(&replica.url()).await?;
        Ok(redis::cmd("EXISTS").arg("ff:flag:a").query_async::<bool>(&mut raw).await.unwrap_or(false))
    })
    .await?;
    let store = open(&replica).await?;
    reads_and_refuses(&store, &records, ErrorKind::Unavailable, "read-only replica").await?;
    // What the primary is told, the replica tells.
    let mut watch = store.watch().await?;
    assert_eq!(watch.next().await, Some(Change::Resync));
    let told = flag("c");
    put(&open(&primary).await?, told.clone()).await?;
    let change = tokio::time::timeout(PATIENCE, watch.next()).await?;
    assert_eq!(change, Some(Change::Changed(Record::from(told.clone()).key())));
    // It is promoted.
    run(&replica, &["REPLICAOF", "NO", "ONE"]).await?;
    store.commit(Batch::new().delete(Record::from(told).key(), Expect::Present)).await?;
    writes(&store).await
}

#[tokio::test]
async fn a_server_that_wants_replicas_is_read_without_them() -> Result<()> {
    let server = Server::start(&[])?;
    let (records, before) = filled(&server).await?;
    run(&server, &["CONFIG", "SET", "min-replicas-to-write", "1"]).await?;
    let after = open(&server).await?;
    for store in [&before, &after] {
        reads_and_refuses(store, &records, ErrorKind::Unavailable, "too few replicas").await?;
    }
    run(&server, &["CONFIG", "SET", "min-replicas-to-write", "0"]).await?;
    writes(&before).await?;
    writes(&after).await
}

#[tokio::test]
async fn a_server_that_cannot_save_is_read() -> Result<()> {
    let server = Server::start(&["--dbfilename", "taken.rdb"])?;
    let (records, before) = filled(&server).await?;
    run(&server, &["CONFIG", "SET", "save", "3600 1"]).await?;
    // There is no room for a snapshot where a directory is.
    let socket = server.socket();
    std::fs::create_dir(Path::new(&socket).with_file_name("taken.rdb"))?;
    run(&server, &["BGSAVE"]).await?;
    until("the server refuses writes", async || {
        Ok(run(&server, &["SET", "other", "x"]).await.is_err_and(|error| error.to_string().contains("MISCONF")))
    })
    .await?;
    let after = open(&server).await?;
    for store in [&before, &after] {
        reads_and_refuses(store, &records, ErrorKind::Unavailable, "cannot persist").await?;
    }
    run(&server, &["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"]).await?;
    writes(&before).await?;
    writes(&after).await
}

#[tokio::test]
async fn a_server_without_memory_is_read_and_takes_what_makes_room() -> Result<()> {
    let server = Server::start(&[])?;
    let (records, before) = filled(&server).await?;
    run(&server, &["CONFIG", "SET", "maxmemory", "1"]).await?;
    let after = open(&server).await?;
    for store in [&before, &after] {
        reads_and_refuses(store, &records, ErrorKind::Unavailable, "out of memory").await?;
    }
    after.commit(Batch::new().delete(records[1].key(), Expect::Present)).await?;
    assert!(get(&before, &records[1].key()).await?.is_none());
    run(&server, &["CONFIG", "SET", "maxmemory", "0"]).await?;
    writes(&before).await?;
    writes(&after).await
}

#[tokio::test]
async fn a_user_who_may_only_read_reads() -> Result<()> {
    let server = Server::start(&[])?;
    let (records, _store) = filled(&server).await?;
    let watching = ["+client", "+subscribe", "&*", "+time", "+info"];
    let documented = "+time +mget +hget +scard +zcard +sscan +zscan +scan";
    assert!(include_str!("../../../crates/flags-redis/src/lib.rs").contains(documented));
    let documented: Vec<&str> = ["~ff:*", "-@all"].into_iter().chain(documented.split(' ')).collect();
    for rules in [
        &documented[..],
        &["~*", "-@all", "+@read", "+scan"][..],
        &["~*", "+@all", "-@write", "+sort"],
        &["~*", "+@all", "-@write"],
        &["%R~*", "+@all"],
    ] {
        let user = ["ACL", "SETUSER", "app", "reset", "on", ">pw"];
        run(&server, &[&user, rules, &watching].concat()).await?;
        let builder = patient(&server.url())?.credentials(Some("app"), "pw").prefix("ff:");
        let store = builder.open().await.with_context(|| format!("{rules:?}"))?;
        reads_and_refuses(&store, &records, ErrorKind::Denied, "does not permit").await?;
        // As soon as the user may.
        run(&server, &["ACL", "SETUSER", "app", "~*", "+@all"]).await?;
        writes(&store).await?;
    }
    Ok(())
}
