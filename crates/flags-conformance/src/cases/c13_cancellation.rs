//! C13: whatever is dropped, a commit is applied wholly or not at all, and the next operation is unaffected.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use flags_core::storage::{Batch, Capability, Expect, Query};
use flags_core::{Key, Kind, Record};
use futures_util::StreamExt;

use crate::case::cases;
use crate::context::Context;
use crate::records::{edited, flag, flags, keys, one_of_each};
use crate::stop::{Checked, Stop, describe, ensure, fail, short};
use crate::store::{bounded, eventually};

/// No commit is polled more often than this before it is ready.
const MOST_POLLS: usize = 500;

cases! { C13:
    c13_a_commit_dropped_at_any_point_is_whole on threads,
    c13_a_cascade_dropped_at_any_point_is_whole,
    c13_dropped_commits_leave_no_lock,
    c13_reads_dropped_at_any_point_leave_nothing,
    c13_half_read_listings_leave_nothing,
    c13_dropped_watches_leave_nothing,
    c13_an_aborted_task_leaves_nothing on threads,
}

/// Polls the future at most so often, whenever it is woken, then drops it. `None`: it was not ready by then.
async fn poll_times<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// The records are as all of `old` or as all of `new`; `None` is an absent one.
async fn whole(
    ctx: &Context,
    what: &str,
    keys: &[Key],
    old: &[Option<Record>],
    new: &[Option<Record>],
) -> Checked {
    let mut now = Vec::new();
    for answer in ctx.store.get_all(keys).await? {
        match answer {
            Ok(stored) => now.push(stored.map(|stored| stored.record)),
            Err(error) => fail!("{what}: came {}", describe(&error)),
        }
    }
    ensure!(now == old || now == new, "{what}: expected all of it or nothing, came {}", short(&now));
    Ok(())
}

/// The next operations work as if nothing had been dropped.
async fn goes_on(ctx: &Context, name: &str) -> Checked {
    let record = Record::from(flag(&format!("after {name}"))?);
    ctx.store.put(&record, Expect::Any).await?;
    ctx.store.holds("after something was dropped", &record).await?;
    ctx.store.delete(&record.key(), Expect::Present).await.map(drop)
}

/// Drops a commit after 0, 1, 2 ... polls until it is ready first; for each, `make` gives what was there and
/// the batch.
async fn dropped_at_every_point(
    ctx: &Context,
    make: impl Fn(usize) -> Checked<(Vec<Record>, Batch, Vec<Key>, Vec<Option<Record>>)>,
) -> Checked {
    for polls in 0..MOST_POLLS {
        let (before, batch, keys, new) = make(polls)?;
        ctx.store.fill(&before).await?;
        let old: Vec<_> =
            keys.iter().map(|key| before.iter().find(|record| record.key() == *key).cloned()).collect();
        let what = format!("a commit of {} operations dropped after {polls} polls", batch.len());
        let ended = bounded(&what, poll_times(polls, ctx.store.handle.commit(batch))).await?;
        match ended {
            Some(Err(error)) => fail!("{what}: came {}", describe(&error)),
            // Ready before it could be dropped: there are no more points.
            Some(Ok(_)) => return whole(ctx, &what, &keys, &new, &new).await,
            None => {}
        }
        if polls == 0 {
            whole(ctx, &what, &keys, &old, &old).await?;
        }
        whole(ctx, &what, &keys, &old, &new).await?;
        goes_on(ctx, &polls.to_string()).await?;
        whole(ctx, &what, &keys, &old, &new).await?;
    }
    Err(Stop::failed(format!("a commit: expected it to be ready within {MOST_POLLS} polls")))
}

async fn c13_a_commit_dropped_at_any_point_is_whole(ctx: &Context) -> Checked {
    dropped_at_every_point(ctx, |n| {
        let (there, new) = (one_of_each(&format!("there {n}"))?, one_of_each(&format!("new {n}"))?);
        let mut batch = Batch::new();
        let mut after = Vec::new();
        for record in &there {
            // A record of each kind is updated, but for a segment that goes.
            if record.kind() == Kind::Segment {
                batch = batch.delete(record.key(), Expect::Present);
                after.push(None);
            } else {
                batch = batch.put(edited(record, 1), Expect::Present);
                after.push(Some(edited(record, 1)));
            }
        }
        for record in &new {
            batch = batch.put(record.clone(), Expect::Absent);
            after.push(Some(record.clone()));
        }
        let all = keys(&there).into_iter().chain(keys(&new)).collect();
        Ok((there, batch, all, after))
    })
    .await
}

async fn c13_a_cascade_dropped_at_any_point_is_whole(ctx: &Context) -> Checked {
    dropped_at_every_point(ctx, |n| {
        let there = one_of_each(&format!("f{n}"))?;
        let new = Record::from(flag(&format!("new {n}"))?);
        let mut all = keys(&there);
        let segment = there.last().cloned();
        let mut after: Vec<Option<Record>> = vec![None; there.len() - 1];
        after.push(segment);
        after.push(Some(new.clone()));
        all.push(new.key());
        let batch = Batch::new().delete(there[0].key(), Expect::Present).put(new, Expect::Absent);
        Ok((there, batch, all, after))
    })
    .await
}

async fn c13_dropped_commits_leave_no_lock(ctx: &Context) -> Checked {
    let record = Record::from(flag("f")?);
    ctx.store.put(&record, Expect::Absent).await?;
    for n in 0..100_u32 {
        let batch = Batch::new().put(edited(&record, n), Expect::Any);
        poll_times(n as usize % 4, ctx.store.handle.commit(batch)).await;
    }
    goes_on(ctx, "many dropped commits").await?;
    // A commit that was sent may be applied yet; once this one is, none that was dropped may come after it
    // for ever.
    let last = edited(&record, 1_000);
    eventually(async || {
        ctx.store.put(&last, Expect::Any).await?;
        ctx.store.holds("after many dropped commits", &last).await.map(drop)
    })
    .await
}

async fn c13_reads_dropped_at_any_point_leave_nothing(ctx: &Context) -> Checked {
    let records = one_of_each("a")?;
    ctx.store.fill(&records).await?;
    let all = keys(&records);
    for polls in 0..50 {
        poll_times(polls, ctx.store.handle.get(&all)).await;
        poll_times(polls, ctx.store.handle.health()).await;
        let mut listing = ctx.store.handle.list(Query::All(Kind::Flag));
        poll_times(polls, listing.next()).await;
        drop(listing);
        // Answers must not get mixed up: each read gets its own.
        for record in &records {
            ctx.store.holds("after dropped reads", record).await?;
        }
    }
    goes_on(ctx, "dropped reads").await
}

async fn c13_half_read_listings_leave_nothing(ctx: &Context) -> Checked {
    let records = flags(1_500, "f")?;
    ctx.store.fill(&records).await?;
    // Kept half read while others are made, then dropped together.
    let mut held = Vec::new();
    for (n, record) in records.iter().take(40).enumerate() {
        let mut listing = ctx.store.handle.list(Query::All(Kind::Flag));
        for _ in 0..n * 5 {
            bounded("a listing that is read in part", listing.next()).await?;
        }
        held.push(listing);
        ctx.store.holds("beside half-read listings", record).await?;
    }
    goes_on(ctx, "half-read listings are held").await?;
    drop(held);
    ctx.store.lists("after half-read listings were dropped", Query::All(Kind::Flag), keys(&records)).await?;
    goes_on(ctx, "half-read listings").await
}

async fn c13_dropped_watches_leave_nothing(ctx: &Context) -> Checked {
    ctx.requires(Capability::Watch)?;
    for n in 0..300 {
        poll_times(n % 5, ctx.store.handle.watch()).await;
        if n % 50 == 0 {
            goes_on(ctx, &format!("{n} dropped watches")).await?;
        }
    }
    let mut watching = ctx.store.watch().await?;
    let record = Record::from(flag("f")?);
    ctx.store.put(&record, Expect::Absent).await?;
    watching.reports("a watch after many dropped ones", [&record.key()]).await?;
    goes_on(ctx, "dropped watches").await
}

async fn c13_an_aborted_task_leaves_nothing(ctx: &Context) -> Checked {
    for n in 0..50 {
        let records = one_of_each(&format!("f{n}"))?;
        let all = keys(&records);
        let batch =
            records.iter().fold(Batch::new(), |batch, record| batch.put(record.clone(), Expect::Absent));
        let handle = ctx.handle();
        let task = tokio::spawn(async move { handle.commit(batch).await });
        for _ in 0..n % 5 {
            tokio::task::yield_now().await;
        }
        task.abort();
        // Either outcome is right; only half of one is not.
        let _ = task.await;
        let (old, new) = (vec![None; all.len()], records.into_iter().map(Some).collect::<Vec<_>>());
        whole(ctx, "a commit whose task was aborted", &all, &old, &new).await?;
        goes_on(ctx, &format!("{n} aborted tasks")).await?;
        whole(ctx, "a commit whose task was aborted", &all, &old, &new).await?;
    }
    Ok(())
}
