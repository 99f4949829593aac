//! What an operator does to a server while a store is open: each has a clear error of its own, or is
//! recovered from.

use anyhow::Result;
use flags_core::storage::Query;
use flags_core::{ErrorKind, Kind, Record, Storage as _};
use flags_redis::RedisStorage;
use flags_tests::proxy::Proxy;
use flags_tests::server::Server;
use redis::aio::MultiplexedConnection;

use crate::common::{flag, get, listed, patient, put, raw};

async fn open(server: &Server) -> Result<(RedisStorage, MultiplexedConnection)> {
    Ok((patient(&server.url())?.prefix("ff:").open().await?, raw(&server.url()).await?))
}

async fn run(raw: &mut MultiplexedConnection, words: &[&str]) -> Result<()> {
    let mut command = redis::Cmd::new();
    words.iter().for_each(|word| {
        command.arg(word);
    });
    Ok(command.query_async(raw).await?)
}

/// Flags are written and read.
async fn works(store: &RedisStorage, name: &str) -> Result<()> {
    put(store, flag(name)).await?;
    assert!(get(store, &Record::from(flag(name)).key()).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn forgotten_scripts_are_loaded_again_by_every_caller() -> Result<()> {
    let server = Server::start(&[])?;
    let (store, mut raw) = open(&server).await?;
    for round in 0..10 {
        run(&mut raw, &["SCRIPT", "FLUSH"]).await?;
        let names: Vec<String> = (0..16).map(|n| format!("f{round}-{n}")).collect();
        let writes = names.iter().map(|name| works(&store, name));
        futures_util::future::try_join_all(writes).await?;
    }
    assert_eq!(listed(&store, Query::All(Kind::Flag)).await?.len(), 160);
    Ok(())
}

#[tokio::test]
async fn a_connection_that_the_server_ends_is_made_anew() -> Result<()> {
    let server = Server::start(&[])?;
    let (store, mut raw) = open(&server).await?;
    for round in 0..10 {
        run(&mut raw, &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await?;
        // A write that meets the dead connection may be in doubt, and is never sent twice; the next one
        // works.
        match put(&store, flag(&format!("f{round}"))).await {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error:?}"),
        }
        works(&store, &format!("g{round}")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_emptied_database_is_a_store_without_flags() -> Result<()> {
    let server = Server::start(&[])?;
    let (store, mut raw) = open(&server).await?;
    works(&store, "a").await?;
    run(&mut raw, &["FLUSHDB"]).await?;
    assert_eq!(listed(&store, Query::All(Kind::Flag)).await?, []);
    works(&store, "a").await
}

#[tokio::test]
async fn a_primary_that_becomes_a_replica_refuses_writes_and_serves_reads() -> Result<()> {
    let (primary, server) = (Server::start(&[])?, Server::start(&[])?);
    let (store, mut raw) = open(&server).await?;
    works(&store, "a").await?;
    run(&mut raw, &["CONFIG", "SET", "replica-serve-stale-data", "yes"]).await?;
    run(&mut raw, &["REPLICAOF", "127.0.0.1", &primary.port().to_string()]).await?;
    let error = put(&store, flag("b")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("replica"), "{error}");
    assert!(store.health().await?.warnings.iter().any(|warning| warning.contains("replica")));
    run(&mut raw, &["REPLICAOF", "NO", "ONE"]).await?;
    works(&store, "c").await
}

#[tokio::test]
async fn a_name_that_leads_to_another_primary_is_followed() -> Result<()> {
    let (next, server) = (Server::start(&[])?, Server::start(&[])?);
    let proxy = Proxy::to(server.port()).await?;
    let store = patient(&proxy.url())?.prefix("ff:").open().await?;
    works(&store, "a").await?;
    // As services fail over: the former primary follows the new one, the name leads there, and connections
    // stay.
    let port = next.port().to_string();
    run(&mut raw(&server.url()).await?, &["REPLICAOF", "127.0.0.1", &port]).await?;
    proxy.point_to(next.port());
    let error = put(&store, flag("b")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    works(&store, "b").await
}

#[tokio::test]
async fn a_server_that_wants_replicas_refuses_writes_without_them() -> Result<()> {
    let server = Server::start(&[])?;
    let (store, mut raw) = open(&server).await?;
    run(&mut raw, &["CONFIG", "SET", "min-replicas-to-write", "1"]).await?;
    let error = put(&store, flag("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("replicas"), "{error}");
    assert!(get(&store, &Record::from(flag("a")).key()).await?.is_none());
    run(&mut raw, &["CONFIG", "SET", "min-replicas-to-write", "0"]).await?;
    works(&store, "a").await
}

#[tokio::test]
async fn a_password_that_changes_is_denied_once_the_connection_ends() -> Result<()> {
    let server = Server::start(&["--requirepass", "one"])?;
    let store = patient(&server.url())?.credentials(None, "one").prefix("ff:").open().await?;
    works(&store, "a").await?;
    let mut raw = raw(&server.url().replace("://", "://:one@")).await?;
    run(&mut raw, &["CONFIG", "SET", "requirepass", "two"]).await?;
    works(&store, "b").await?;
    run(&mut raw, &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await?;
    let denied = get(&store, &Record::from(flag("a")).key()).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Denied, "{denied:?}");
    assert!(!format!("{denied:?}").contains("one"), "{denied:?}");
    run(&mut raw, &["CONFIG", "SET", "requirepass", "one"]).await?;
    works(&store, "c").await
}

#[tokio::test]
async fn a_permission_that_is_taken_away_is_denied_by_name() -> Result<()> {
    let server = Server::start(&[])?;
    let mut raw = raw(&server.url()).await?;
    run(&mut raw, &["ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all"]).await?;
    let store = patient(&server.url())?.credentials(Some("app"), "pw").prefix("ff:").open().await?;
    works(&store, "a").await?;
    for command in ["mget", "evalsha"] {
        run(&mut raw, &["ACL", "SETUSER", "app", &format!("-{command}")]).await?;
        let denied = match command {
            "mget" => get(&store, &Record::from(flag("a")).key()).await.map(drop),
            _ => put(&store, flag("a")).await.map(drop),
        };
        assert_eq!(denied.unwrap_err().kind(), ErrorKind::Denied, "{command}");
        run(&mut raw, &["ACL", "SETUSER", "app", &format!("+{command}")]).await?;
    }
    works(&store, "b").await
}
