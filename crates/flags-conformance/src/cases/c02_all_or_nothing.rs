//! C2: a commit applies every operation or none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flags_core::storage::{Batch, Capability, Expect, Op, Query, Revision};
use flags_core::{ErrorKind, Key, Kind, Record};

use crate::case::cases;
use crate::context::Context;
use crate::records::{at, edited, flag, flags, keys, one_of_each, owned, segment};
use crate::stop::{Checked, Stop, ensure, equal, fail, short, unexpected};

cases! { C2:
    c02_one_refused_operation_refuses_all,
    c02_a_refused_batch_leaves_no_alias,
    c02_a_refused_batch_is_not_watched,
    c02_a_large_batch_appears_at_once,
    c02_a_reader_never_sees_half_of_a_commit on threads,
    c02_a_reader_never_sees_half_of_a_cascade on threads,
}

/// A batch of every kind of operation that succeeds, on the records of `one_of_each("a")`.
fn good_operations(records: &[Record]) -> Checked<Vec<Op>> {
    let (flag_a, rest) = records.split_first().ok_or_else(|| Stop::failed("the suite made no record"))?;
    let mut ops =
        vec![Op::Put(edited(flag_a, 7), Expect::Present), Op::Put(flag("new")?.into(), Expect::Absent)];
    for record in rest {
        ops.push(match record.kind() {
            Kind::Override | Kind::Segment => Op::Delete(record.key(), Expect::Present),
            _ => Op::Put(edited(record, 7), Expect::Any),
        });
    }
    ops.push(Op::Put(segment("new")?.into(), Expect::Any));
    ops.push(Op::Check(flag("nobody")?.into_key(), Expect::Absent));
    Ok(ops)
}

trait IntoKey {
    fn into_key(self) -> Key;
}

impl<T: Into<Record>> IntoKey for T {
    fn into_key(self) -> Key {
        self.into().key()
    }
}

async fn c02_one_refused_operation_refuses_all(ctx: &Context) -> Checked {
    let records = one_of_each("a")?;
    ctx.store.fill(&records).await?;
    let bystander = Record::from(flag("bystander")?);
    ctx.store.put(&bystander, Expect::Absent).await?;
    let missing = Record::from(flag("missing")?);
    let unowned = owned(Kind::TimeSchedule, flag("no flag")?.id)?;
    let bad = [
        (Op::Put(edited(&bystander, 1), Expect::Absent), ErrorKind::AlreadyExists),
        (Op::Put(missing.clone(), Expect::Present), ErrorKind::NotFound),
        (Op::Put(edited(&bystander, 1), Expect::Revision(Revision::new("stale"))), ErrorKind::Conflict),
        (Op::Delete(missing.key(), Expect::Present), ErrorKind::NotFound),
        (Op::Delete(bystander.key(), Expect::Revision(Revision::new("stale"))), ErrorKind::Conflict),
        (Op::Check(bystander.key(), Expect::Absent), ErrorKind::AlreadyExists),
        (Op::Check(missing.key(), Expect::Present), ErrorKind::NotFound),
        (Op::Put(unowned.clone(), Expect::Any), ErrorKind::NotFound),
    ];
    let good = good_operations(&records)?;
    for (op, kind) in bad {
        for place in [0, good.len() / 2, good.len()] {
            let mut ops = good.clone();
            ops.insert(place, op.clone());
            let what = format!("a good batch with {} at place {place}", short(&op));
            // `refused` compares the contents before and after.
            ctx.store.refused(&what, ops.into_iter().collect(), kind, &op.key()).await?;
        }
    }
    ctx.store.commit("the good batch alone", good.into_iter().collect()).await?;
    Ok(())
}

async fn c02_a_refused_batch_leaves_no_alias(ctx: &Context) -> Checked {
    let (new_flag, new_segment) = (flag("new")?, segment("new")?);
    let phase = owned(Kind::RolloutPhase, new_flag.id)?;
    let failing = Batch::new()
        .put(new_flag.clone(), Expect::Absent)
        .put(new_segment.clone(), Expect::Absent)
        .put(phase.clone(), Expect::Absent)
        .check(flag("missing")?.into_key(), Expect::Present);
    let key = flag("missing")?.into_key();
    ctx.store.refused("creating records beside a failing check", failing, ErrorKind::NotFound, &key).await?;
    let (new_flag, new_segment) = (Record::from(new_flag), Record::from(new_segment));
    for record in [&new_flag, &new_segment, &phase] {
        ctx.store.absent("after a refused batch", &record.key()).await?;
    }
    for alias in [new_flag.alias(), new_segment.alias()].into_iter().flatten() {
        ctx.store.lists("after a refused batch", Query::Alias(alias), []).await?;
    }
    // Were the flag's id taken, its owner found or the name held, one of these would tell.
    let orphan = Batch::new().put(phase.clone(), Expect::Any);
    ctx.store
        .refused("a phase of the flag that was refused", orphan, ErrorKind::NotFound, &phase.key())
        .await?;
    let Record::Flag(former) = &new_flag else { fail!("the suite's own flag is none") };
    let mut other = flag("other")?;
    other.id = former.id;
    ctx.store.put(&other.into(), Expect::Absent).await?;
    ctx.store.put(&segment("new")?.into(), Expect::Absent).await?;
    Ok(())
}

async fn c02_a_refused_batch_is_not_watched(ctx: &Context) -> Checked {
    ctx.requires(Capability::Watch)?;
    let records = one_of_each("a")?;
    ctx.store.fill(&records).await?;
    let mut watching = ctx.store.watch().await?;
    let missing = flag("missing")?.into_key();
    let mut ops = good_operations(&records)?;
    ops.push(Op::Check(missing.clone(), Expect::Present));
    let touched: Vec<Key> = ops.iter().map(Op::key).collect();
    ctx.store
        .refused("a batch with a failing check", ops.into_iter().collect(), ErrorKind::NotFound, &missing)
        .await?;
    let marker = Record::from(flag("marker")?);
    ctx.store.put(&marker, Expect::Absent).await?;
    let seen = watching.reports("after a refused batch and a good one", [&marker.key()]).await?;
    let wrong: Vec<&Key> = touched.iter().filter(|key| seen.keys.contains(key)).collect();
    ensure!(wrong.is_empty(), "a refused batch: expected the watch to report none of it, came {wrong:?}");
    Ok(())
}

async fn c02_a_large_batch_appears_at_once(ctx: &Context) -> Checked {
    let records = flags(ctx.store.limits().batch_ops.min(1_000), "f")?;
    let (all, handle) = (keys(&records), ctx.handle());
    let writing = tokio::spawn({
        let batch =
            records.iter().fold(Batch::new(), |batch, record| batch.put(record.clone(), Expect::Absent));
        async move { handle.commit(batch).await }
    });
    loop {
        let done = writing.is_finished();
        let found =
            ctx.store.get_all(&all).await?.into_iter().filter(|answer| matches!(answer, Ok(Some(_)))).count();
        ensure!(
            found == 0 || found == all.len(),
            "one get during a commit of {} flags: expected none or all, came {found}",
            all.len()
        );
        if done {
            break;
        }
        tokio::task::yield_now().await;
    }
    match writing.await {
        Ok(Ok(_)) => ctx.store.lists("after it", Query::All(Kind::Flag), all).await,
        Ok(Err(error)) => Err(unexpected("creating many flags", &error)),
        Err(error) => Err(Stop::failed(format!("creating many flags panicked: {error}"))),
    }
}

async fn c02_a_reader_never_sees_half_of_a_commit(ctx: &Context) -> Checked {
    // One record of each kind, all with the same number in every commit.
    let records = one_of_each("a")?;
    ctx.store.fill(&records.iter().map(|record| edited(record, 0)).collect::<Vec<_>>()).await?;
    let versions = move |n: u32| records.iter().map(|record| edited(record, n)).collect::<Vec<_>>();
    never_half(ctx, 150, versions).await
}

async fn c02_a_reader_never_sees_half_of_a_cascade(ctx: &Context) -> Checked {
    let records = one_of_each("a")?;
    let all = keys(&records[..records.len() - 1]);
    let create = records[..records.len() - 1]
        .iter()
        .fold(Batch::new(), |batch, record| batch.put(record.clone(), Expect::Absent));
    let delete = Batch::new().delete(all[0].clone(), Expect::Present);
    let (handle, stop) = (ctx.handle(), Arc::new(AtomicBool::new(false)));
    let writing = tokio::spawn({
        let stop = Arc::clone(&stop);
        async move {
            let mut outcome = Ok(());
            for n in 0..200 {
                let batch = if n % 2 == 0 { create.clone() } else { delete.clone() };
                outcome = handle.commit(batch).await.map(drop);
                if outcome.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            stop.store(true, Ordering::Release);
            outcome
        }
    });
    while !stop.load(Ordering::Acquire) {
        let answers = ctx.store.get_all(&all).await?;
        let found = answers.iter().filter(|answer| matches!(answer, Ok(Some(_)))).count();
        ensure!(
            found == 0 || found == all.len(),
            "one get while a flag is created and deleted with what it owns: expected none or all of {}, came {found}",
            all.len()
        );
        tokio::task::yield_now().await;
    }
    finished(writing.await)
}

/// Commits version after version of the same records while reading all of them by one `get`.
async fn never_half(
    ctx: &Context,
    rounds: u32,
    versions: impl Fn(u32) -> Vec<Record> + Send + 'static,
) -> Checked {
    let all = keys(&versions(0));
    let (handle, stop) = (ctx.handle(), Arc::new(AtomicBool::new(false)));
    let writing = tokio::spawn({
        let stop = Arc::clone(&stop);
        async move {
            let mut outcome = Ok(());
            for n in 1..=rounds {
                let batch =
                    versions(n).into_iter().fold(Batch::new(), |batch, r| batch.put(r, Expect::Present));
                outcome = handle.commit(batch).await.map(drop);
                if outcome.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            stop.store(true, Ordering::Release);
            outcome
        }
    });
    while !stop.load(Ordering::Acquire) {
        let mut seen = Vec::new();
        for answer in ctx.store.get_all(&all).await? {
            match answer {
                Ok(Some(stored)) => seen.push(version_of(&stored.record)),
                other => fail!("one get of records that are only ever updated: came {}", short(&other)),
            }
        }
        equal("the versions that one get sees during commits", &seen, &vec![seen[0]; seen.len()])?;
        tokio::task::yield_now().await;
    }
    finished(writing.await)
}

/// Which `edited` version this is.
fn version_of(record: &Record) -> i64 {
    let updated_at = match record {
        Record::Flag(r) => r.updated_at,
        Record::Override(r) => r.updated_at,
        Record::ScheduledChange(r) => r.updated_at,
        Record::TimeSchedule(r) => r.updated_at,
        Record::RolloutPhase(r) => r.updated_at,
        Record::Segment(r) => r.updated_at,
        _ => None,
    };
    updated_at.map_or(-1, |instant| instant.saturating_since(at(1_700_000_000)).as_secs().cast_signed())
}

fn finished(joined: Result<flags_core::Result<()>, tokio::task::JoinError>) -> Checked {
    match joined {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(unexpected("the writer's commits", &error)),
        Err(error) => Err(Stop::failed(format!("the writer panicked: {error}"))),
    }
}
