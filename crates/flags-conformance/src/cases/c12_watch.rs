//! C12: every change is reported, whoever made it.

use flags_core::storage::{Batch, Capability, Change, Expect};
use flags_core::{ErrorKind, Key, Record};
use futures_util::{FutureExt, StreamExt};

use crate::case::cases;
use crate::context::Context;
use crate::records::{edited, flag, flags, keys, one_of_each, overrides};
use crate::stop::{Checked, describe, ensure, fail, unexpected};
use crate::store::{Store, bounded};

cases! { C12:
    c12_every_operation_is_reported,
    c12_every_operation_of_a_second_handle_is_reported,
    c12_a_foreign_write_is_reported,
    c12_a_cascade_names_every_record,
    c12_every_record_of_a_batch_is_reported,
    c12_every_watch_is_told,
    c12_a_change_made_while_reading_is_reported,
    c12_a_slow_reader_misses_nothing,
    c12_a_dropped_watch_disturbs_nobody,
    c12_a_watch_ends_when_the_store_is_closed,
    c12_an_undeclared_watch_is_unsupported,
}

/// Creates, updates, replaces, and deletes one of each kind by `writer`, while `ctx.store` is watched.
async fn every_operation(ctx: &Context, writer: &Store) -> Checked {
    ctx.requires(Capability::Watch)?;
    let mut watching = ctx.store.watch().await?;
    let records = one_of_each("a")?;
    for record in &records {
        let key = record.key();
        writer.put(record, Expect::Absent).await?;
        watching.reports(&format!("after creating {key}"), [&key]).await?;
        writer.put(&edited(record, 1), Expect::Present).await?;
        watching.reports(&format!("after updating {key}"), [&key]).await?;
        let revision = writer.put(&edited(record, 2), Expect::Any).await?;
        watching.reports(&format!("after replacing {key}"), [&key]).await?;
        writer.put(&edited(record, 3), Expect::Revision(revision)).await?;
        watching.reports(&format!("after updating a revision of {key}"), [&key]).await?;
    }
    for record in records.iter().rev() {
        let key = record.key();
        writer.delete(&key, Expect::Present).await?;
        watching.reports(&format!("after deleting {key}"), [&key]).await?;
    }
    Ok(())
}

async fn c12_every_operation_is_reported(ctx: &Context) -> Checked {
    every_operation(ctx, &ctx.store).await
}

async fn c12_every_operation_of_a_second_handle_is_reported(ctx: &Context) -> Checked {
    every_operation(ctx, &ctx.second().await?).await
}

async fn c12_a_foreign_write_is_reported(ctx: &Context) -> Checked {
    ctx.requires(Capability::Watch)?;
    let mut watching = ctx.store.watch().await?;
    for record in one_of_each("a")? {
        let key = record.key();
        ctx.plant_record(&record).await?;
        watching.reports(&format!("after a foreign write of {key}"), [&key]).await?;
        ctx.plant_record(&edited(&record, 1)).await?;
        watching.reports(&format!("after a foreign update of {key}"), [&key]).await?;
    }
    let broken = Record::from(flag("broken")?);
    ctx.spoil(&broken, "{").await?;
    watching.reports("after a foreign write of a corrupt record", [&broken.key()]).await?;
    Ok(())
}

async fn c12_a_cascade_names_every_record(ctx: &Context) -> Checked {
    ctx.requires(Capability::Watch)?;
    let owner = flag("f")?;
    let mut records = overrides(50, owner.id)?;
    records.extend(crate::records::one_of_each_owned(owner.id)?);
    records.insert(0, owner.into());
    ctx.store.fill(&records).await?;
    let mut watching = ctx.store.watch().await?;
    ctx.store.delete(&records[0].key(), Expect::Present).await?;
    watching.reports("after deleting a flag that owns some records", &keys(&records)).await?;
    Ok(())
}

async fn c12_every_record_of_a_batch_is_reported(ctx: &Context) -> Checked {
    ctx.requires(Capability::Watch)?;
    let (old, new) = (one_of_each("old")?, one_of_each("new")?);
    ctx.store.fill(&old).await?;
    let mut watching = ctx.store.watch().await?;
    let mut batch = new.iter().fold(Batch::new(), |batch, record| batch.put(record.clone(), Expect::Absent));
    for record in old.iter().skip(1) {
        batch = batch.delete(record.key(), Expect::Present);
    }
    batch = batch.put(edited(&old[0], 1), Expect::Present);
    ctx.store.commit("a batch of many changes", batch).await?;
    let changed: Vec<Key> = keys(&old).into_iter().chain(keys(&new)).collect();
    watching.reports("after a batch of many changes", &changed).await?;
    Ok(())
}

async fn c12_every_watch_is_told(ctx: &Context) -> Checked {
    ctx.requires(Capability::Watch)?;
    let record = Record::from(flag("f")?);
    let mut watches = Vec::new();
    for n in 0..10 {
        watches.push(ctx.store.watch().await?);
        ctx.store.put(&edited(&record, n), Expect::Any).await?;
        for watching in &mut watches {
            watching.reports("one of several watches", [&record.key()]).await?;
        }
    }
    Ok(())
}

/// Whoever reads the store after a report sees the change that was reported: a cache that follows is never
/// stale for good.
async fn c12_a_change_made_while_reading_is_reported(ctx: &Context) -> Checked {
    ctx.requires(Capability::Watch)?;
    const COMMITS: u32 = 200;
    let record = Record::from(flag("f")?);
    ctx.store.put(&edited(&record, 0), Expect::Absent).await?;
    let mut watching = ctx.store.watch().await?;
    let (handle, versions) = (ctx.handle(), record.clone());
    let writing = tokio::spawn(async move {
        for n in 1..=COMMITS {
            handle.commit(Batch::new().put(edited(&versions, n), Expect::Present)).await?;
            tokio::task::yield_now().await;
        }
        Ok::<(), flags_core::Error>(())
    });
    let last = edited(&record, COMMITS);
    loop {
        let Some(_) = watching.next("the watch during commits, until the last was read").await? else {
            fail!("the watch during commits: expected changes, came its end")
        };
        if ctx.store.get(&record.key()).await?.is_some_and(|stored| stored.record == last) {
            break;
        }
    }
    match writing.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => fail!("a commit during a watch: came {}", describe(&error)),
        Err(error) => fail!("a commit during a watch panicked: {error}"),
    }
}

async fn c12_a_slow_reader_misses_nothing(ctx: &Context) -> Checked {
    ctx.requires(Capability::Watch)?;
    const CHANGES: usize = 20_000;
    let mut watching = ctx.store.watch().await?;
    let records = flags(CHANGES, "f")?;
    ctx.store.fill(&records).await?;
    watching.reports(&format!("{CHANGES} changes that nobody read meanwhile"), &keys(&records)).await?;
    // And it still follows.
    ctx.store.put(&edited(&records[0], 1), Expect::Present).await?;
    watching.reports("a change after many that nobody read", [&records[0].key()]).await?;
    Ok(())
}

async fn c12_a_dropped_watch_disturbs_nobody(ctx: &Context) -> Checked {
    ctx.requires(Capability::Watch)?;
    let mut kept = ctx.store.watch().await?;
    let record = Record::from(flag("f")?);
    for n in 0..50 {
        drop(ctx.store.watch().await?);
        let unread = bounded("watch", ctx.store.handle.watch()).await?;
        ctx.store.put(&edited(&record, n), Expect::Any).await?;
        drop(unread);
        kept.reports("a watch beside dropped ones", [&record.key()]).await?;
    }
    Ok(())
}

async fn c12_a_watch_ends_when_the_store_is_closed(ctx: &Context) -> Checked {
    ctx.requires(Capability::Watch)?;
    let (mut read, mut unread) = (ctx.store.watch().await?, ctx.store.watch().await?);
    ctx.store.put(&flag("f")?.into(), Expect::Absent).await?;
    // One reader waits already, the other comes later.
    let waiting = tokio::spawn(async move { read.ends("a reader that waits").await });
    tokio::task::yield_now().await;
    ctx.store.handle.close().await.map_err(|error| unexpected("close", &error))?;
    unread.ends("after close").await?;
    match waiting.await {
        Ok(ended) => ended,
        Err(error) => fail!("reading a watch panicked: {error}"),
    }
}

async fn c12_an_undeclared_watch_is_unsupported(ctx: &Context) -> Checked {
    let declared = ctx.store.handle.descriptor().has(Capability::Watch);
    let what = if declared { "watch, which is declared" } else { "watch, which is not declared" };
    match bounded(what, ctx.store.handle.watch()).await? {
        Ok(mut stream) if declared => {
            let first = bounded("the first item of a watch", stream.next()).await?;
            ensure!(
                first == Some(Change::Resync),
                "the first item of a watch: expected a resync, came {first:?}"
            );
            // Nothing has happened, so nothing else can be due, unless the backend says more than it must.
            let more = stream.next().now_or_never();
            ensure!(more != Some(None), "a watch of an open store: expected it to go on, came its end");
            Ok(())
        }
        Err(error) if !declared && error.kind() == ErrorKind::Unsupported => Ok(()),
        Ok(_) => fail!("{what}: expected `unsupported`, came a watch"),
        Err(error) => fail!("{what}: came {}", describe(&error)),
    }
}
