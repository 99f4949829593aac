//! Limits of time, and what is done once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use flags_core::storage::{Batch, Expect};
use flags_core::{ErrorKind, Record, Storage as _};
use flags_redis::RedisStorage;
use flags_tests::proxy::Proxy;
use flags_tests::server::{Server, unique_prefix};
use flags_tests::wait::BOUND;
use redis::aio::MultiplexedConnection;

use crate::common::{driver, flag, get, patient, put, raw};

#[tokio::test]
async fn with_its_default_limits_a_store_fails_soon_and_recovers_soon() -> Result<()> {
    let mut server = Server::start(&[])?;
    let store = RedisStorage::builder(&server.url())?.driver(driver()).prefix(unique_prefix()).open().await?;
    let a = flag("a");
    let key = Record::from(a.clone()).key();
    for (fate, limit) in [("killed", 2), ("frozen", 2)] {
        let frozen = fate == "frozen";
        if frozen { server.freeze()? } else { server.stop() }
        for _ in 0..3 {
            let begun = Instant::now();
            let read = get(&store, &key).await.unwrap_err();
            assert_eq!(read.kind(), ErrorKind::Unavailable, "{read:?}");
            let read = begun.elapsed();
            let begun = Instant::now();
            let written = put(&store, a.clone()).await.unwrap_err();
            println!("{fate}: a read failed after {read:?}, a write after {:?}", begun.elapsed());
            // What cannot have reached the server is not in doubt, and no connection is made to a frozen one.
            let kinds = [ErrorKind::Unavailable, ErrorKind::Indeterminate];
            assert!(kinds.contains(&written.kind()) && (frozen || written.kind() == kinds[0]), "{written:?}");
            // The limit, and what a busy machine adds.
            assert!(read.max(begun.elapsed()) < Duration::from_secs(limit + 8));
        }
        if frozen { server.thaw()? } else { server.run()? }
        let begun = Instant::now();
        while let Err(error) = put(&store, a.clone()).await {
            assert!(begun.elapsed() < BOUND, "{error:?}");
        }
        println!("{fate}: the first write {:?} after it was back", begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(1 + 8), "{:?}", begun.elapsed());
    }
    Ok(())
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_ran_once() -> Result<()> {
    let server = Server::start(&[])?;
    let proxy = Proxy::to(server.port()).await?;
    let prefix = unique_prefix();
    let store = patient(&proxy.url())?.prefix(&prefix).open().await?;
    let mut raw = raw(&server.url()).await?;
    for n in 0..20 {
        // On a connection that is there.
        assert!(get(&store, &Record::from(flag("none")).key()).await?.is_none());
        let before = scripts(&mut raw).await?;
        proxy.lose_an_answer();
        let create = Batch::new().put(flag(&n.to_string()), Expect::Absent);
        let error = store.commit(create).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error:?}");
        let key = format!("{prefix}flag:{n}");
        assert_eq!(redis::cmd("EXISTS").arg(key).query_async::<u64>(&mut raw).await?, 1);
        assert_eq!(scripts(&mut raw).await? - before, 1);
    }
    Ok(())
}

/// How many scripts the server has run.
async fn scripts(raw: &mut MultiplexedConnection) -> Result<u64> {
    let stats: String = redis::cmd("INFO").arg("commandstats").query_async(raw).await?;
    let calls = stats.lines().filter_map(|line| {
        let (name, facts) = line.split_once(":calls=")?;
        ["cmdstat_evalsha", "cmdstat_eval"].contains(&name).then(|| facts.split(',').next())?
    });
    calls.map(|calls| calls.parse::<u64>().context("a count")).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_dropped_calls_leave_nothing_and_mix_nothing_up() -> Result<()> {
    const TASKS: u64 = 40;
    const CALLS: u64 = 500;
    let server = Server::start(&[])?;
    let store = Arc::new(patient(&server.url())?.prefix(unique_prefix()).open().await?);
    for task in 0..TASKS {
        put(&store, flag(&format!("own-{task}"))).await?;
    }
    let (stop, right) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut readers = tokio::task::JoinSet::new();
    for reader in 0..4 {
        let (store, stop, right) = (Arc::clone(&store), Arc::clone(&stop), Arc::clone(&right));
        readers.spawn(async move {
            let key = Record::from(flag(&format!("own-{reader}"))).key();
            while !stop.load(Ordering::Relaxed) {
                let found = get(&store, &key).await.expect("a server").expect("a record");
                assert_eq!(found.record.key(), key, "the answer of another call");
                right.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let own = flag(&format!("own-{task}"));
            let key = Record::from(own.clone()).key();
            for n in 0..CALLS {
                // Given up after so many turns, wherever it is then.
                let turns = n % 4;
                if n % 2 == 0 {
                    let _ = polled(put(&store, own.clone()), turns).await;
                } else if let Some(found) = polled(get(&store, &key), turns).await {
                    let found = found.expect("a server").expect("a record");
                    assert_eq!(found.record.key(), key, "the answer of another call");
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = readers.join_next().await {
        ended?;
    }
    assert!(right.load(Ordering::Relaxed) > 0);
    put(&store, flag("last")).await?;
    let clients: String = redis::cmd("CLIENT").arg("LIST").query_async(&mut raw(&server.url()).await?).await?;
    assert_eq!(clients.lines().count(), 2, "{clients}");
    assert!(clients.lines().all(|client| client.contains(" omem=0 ")), "{clients}");
    Ok(())
}

/// Its outcome, if there is one after so many turns; else it is dropped.
async fn polled<T>(call: impl Future<Output = T>, turns: u64) -> Option<T> {
    let mut call = std::pin::pin!(call);
    for _ in 0..=turns {
        if let std::task::Poll::Ready(outcome) = futures_util::poll!(&mut call) {
            return Some(outcome);
        }
        tokio::task::yield_now().await;
    }
    None
}
