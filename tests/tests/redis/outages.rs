//! Servers that go away, freeze, come back empty.

use std::time::{Duration, Instant};

use anyhow::Result;
use flags_core::storage::{Batch, Expect, Query};
use flags_core::{ErrorKind, Kind, Record, Storage as _};
use flags_redis::RedisStorage;
use flags_tests::proxy::Proxy;
use flags_tests::server::{Server, unique_prefix};

use crate::common::{flag, get, list, listed, patient, put, raw, user};

async fn open(server: &Server) -> Result<RedisStorage> {
    Ok(patient(&server.url())?.prefix(unique_prefix()).open().await?)
}

#[tokio::test]
async fn no_server_is_unavailable_at_once() -> Result<()> {
    let mut server = Server::start(&[])?;
    let store = open(&server).await?;
    let key = Record::from(flag("a")).key();
    server.stop();
    let begun = Instant::now();
    assert_eq!(get(&store, &key).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let error = put(&store, flag("a")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unavailable), "{error:?}");
    assert!(error.is_retryable());
    // Two calls of up to 10 s each.
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    let listed = list(&store, Query::All(Kind::Flag)).await;
    assert!(matches!(&listed[..], [Err(error)] if error.kind() == ErrorKind::Unavailable));
    assert!(patient(&server.url())?.open().await.is_err());

    server.run()?;
    put(&store, flag("a")).await?;
    assert!(get(&store, &key).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn a_frozen_server_leaves_a_commit_in_doubt() -> Result<()> {
    let server = Server::start(&[])?;
    let second = Duration::from_secs(1);
    let builder = patient(&server.url())?.connect_timeout(second).command_timeout(second);
    let store = builder.prefix(unique_prefix()).open().await?;
    let key = Record::from(flag("a")).key();
    server.signal("STOP")?;
    let begun = Instant::now();
    let error = put(&store, flag("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error:?}");
    assert_eq!(get(&store, &key).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(get(&store, &key).await.unwrap_err().kind(), ErrorKind::Unavailable);
    // Three calls of up to 1 s each, against 10 s of the deadline.
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    server.signal("CONT")?;
    // Whatever became of it, the store works, and a late answer reaches nobody else.
    let mut attempt = 1;
    while let Err(error) = store.commit(Batch::new().put(flag("b"), Expect::Any)).await {
        assert!(attempt < 10, "{error:?}");
        attempt += 1;
    }
    let found = get(&store, &Record::from(flag("b")).key()).await?;
    assert_eq!(found.map(|stored| stored.record.key()), Some(Record::from(flag("b")).key()));
    Ok(())
}

#[tokio::test]
async fn a_dropped_call_harms_nothing() -> Result<()> {
    let server = Server::start(&[])?;
    let store = open(&server).await?;
    for n in 0..200 {
        let commit = put(&store, flag(&format!("f{n}")));
        let _ = tokio::time::timeout(Duration::from_micros(n * 3), commit).await;
    }
    put(&store, flag("last")).await?;
    let mut raw = raw(&server.url()).await?;
    let clients: String = redis::cmd("CLIENT").arg("LIST").query_async(&mut raw).await?;
    assert_eq!(clients.lines().count(), 2, "{clients}");
    // Value and index agree whatever became of each.
    let flags: usize = redis::cmd("DBSIZE").query_async(&mut raw).await?;
    assert_eq!(list(&store, Query::All(Kind::Flag)).await.len() + 3, flags);
    Ok(())
}

#[tokio::test]
async fn a_store_that_was_emptied_is_noticed() -> Result<()> {
    let server = Server::start(&[])?;
    let store = open(&server).await?;
    // The servers of tests keep nothing on disk, and say no more than that.
    let warnings = store.health().await?.warnings;
    assert!(matches!(&warnings[..], [one] if one.contains("on disk")), "{warnings:?}");
    let mut raw = raw(&server.url()).await?;
    let _: () = redis::cmd("FLUSHALL").query_async(&mut raw).await?;
    let health = store.health().await?;
    assert!(health.warnings.iter().any(|warning| warning.contains("emptied")), "{health:?}");
    assert!(health.facts.iter().any(|fact| fact.name == "role" && fact.value == "master"));
    Ok(())
}

#[tokio::test]
async fn a_full_server_changes_nothing() -> Result<()> {
    let server = Server::start(&[])?;
    let store = open(&server).await?;
    put(&store, flag("old")).await?;
    let mut raw = raw(&server.url()).await?;
    let _: () = redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg("1").query_async(&mut raw).await?;
    let error = put(&store, flag("new")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("memory"), "{error}");
    assert_eq!(list(&store, Query::All(Kind::Flag)).await.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_closed_store_stays_closed() -> Result<()> {
    let server = Server::start(&[])?;
    let store = open(&server).await?;
    store.close().await?;
    store.close().await?;
    assert_eq!(put(&store, flag("a")).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(store.health().await.unwrap_err().kind(), ErrorKind::Closed);
    assert!(
        matches!(&list(&store, Query::All(Kind::Flag)).await[..], [Err(e)] if e.kind() == ErrorKind::Closed)
    );
    Ok(())
}

#[tokio::test]
async fn a_unix_socket_is_a_url() -> Result<()> {
    let server = Server::start(&[])?;
    let store = patient(&format!("redis+unix://{}?db=3", server.socket()))?.open().await?;
    put(&store, flag("a")).await?;
    let mut raw = raw(&format!("{}/3", server.url())).await?;
    let set: Vec<String> = redis::cmd("SMEMBERS").arg("feature_flags:flags").query_async(&mut raw).await?;
    assert_eq!(set, ["a"]);
    Ok(())
}

#[test]
fn a_store_outlives_the_runtime_that_opened_it() -> Result<()> {
    let server = Server::start(&[])?;
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let opening = runtime()?;
    let store = opening.block_on(open(&server))?;
    drop(opening);
    // Nothing is in doubt, since nothing was sent on the connection that is gone.
    runtime()?.block_on(async {
        put(&store, flag("a")).await?;
        assert!(get(&store, &Record::from(flag("a")).key()).await?.is_some());
        Ok(())
    })
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_in_doubt_and_a_read_is_repeated() -> Result<()> {
    let server = Server::start(&[])?;
    let proxy = Proxy::to(server.port()).await?;
    let store = patient(&proxy.url())?.prefix(unique_prefix()).open().await?;
    proxy.lose_an_answer();
    let error = put(&store, flag("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error:?}");
    assert!(!error.is_retryable());
    // As it says: it was applied.
    let key = Record::from(flag("a")).key();
    assert!(get(&store, &key).await?.is_some());
    proxy.lose_an_answer();
    assert!(get(&store, &key).await?.is_some());
    proxy.take();
    let absent = Batch::new().put(flag("a"), Expect::Absent);
    assert_eq!(store.commit(absent).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(proxy.take(), 1);
    Ok(())
}

#[tokio::test]
async fn opening_ends_at_the_deadline_however_many_steps_it_takes() -> Result<()> {
    let server = Server::start(&[])?;
    let proxy = Proxy::to(server.port()).await?;
    let deadline = Duration::from_secs(4);
    // Each step is well within the deadline, all of them are not.
    proxy.delay(deadline / 4);
    let begun = Instant::now();
    let error = patient(&proxy.url())?.prefix(unique_prefix()).deadline(deadline).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    println!("opening failed after {:?}", begun.elapsed());
    Ok(())
}

#[tokio::test]
async fn a_long_scan_is_not_one_call() -> Result<()> {
    let server = Server::start(&[])?;
    let proxy = Proxy::to(server.port()).await?;
    let builder = patient(&proxy.url())?.prefix(unique_prefix()).deadline(Duration::from_secs(2));
    let store = builder.open().await?;
    let owner = flag("a");
    put(&store, owner.clone()).await?;
    put(&store, user(owner.id, "x")).await?;
    let fill = "for n = 1, 200000 do redis.call('SET', 'other:' .. n, '') end";
    let _: () = redis::cmd("EVAL").arg(fill).arg(0).query_async(&mut raw(&server.url()).await?).await?;

    proxy.take();
    assert_eq!(listed(&store, Query::Owned(Kind::Override, owner.id)).await?.len(), 1);
    let pages = u32::try_from(proxy.take())?;
    assert!((10..100).contains(&pages), "{pages} round trips over 200,000 keys");
    // Each page is well within the deadline, all of them are not.
    proxy.delay(Duration::from_secs(3) / pages);
    assert_eq!(listed(&store, Query::All(Kind::Override)).await?.len(), 1);
    store.commit(Batch::new().delete(Record::from(owner).key(), Expect::Present)).await?;

    // What does not answer ends at the deadline as ever.
    proxy.delay(Duration::from_secs(60));
    let begun = Instant::now();
    let listed = list(&store, Query::All(Kind::Override)).await;
    let [Err(error)] = &listed[..] else { panic!("it answered") };
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    Ok(())
}
