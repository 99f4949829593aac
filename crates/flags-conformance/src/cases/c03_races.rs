//! C3 under concurrency: a condition that is judged at one time and written at another is found out here.

use flags_core::storage::{Batch, Effect, Expect, Query};
use flags_core::{ErrorKind, Kind, Record, Result};
use tokio::task::JoinSet;

use crate::case::cases;
use crate::context::Context;
use crate::records::{edited, flag, override_of, segment, segment_name};
use crate::stop::{Checked, Stop, describe, ensure, equal, fail};

/// How many tasks race.
const RACERS: u32 = 12;
/// How often.
const ROUNDS: u32 = 8;

cases! { C3:
    c03_of_concurrent_creates_one_wins on threads,
    c03_of_concurrent_updates_by_revision_one_wins on threads,
    c03_of_concurrent_deletes_by_revision_one_wins on threads,
    c03_of_concurrent_takers_of_an_alias_one_wins on threads,
    c03_concurrent_increments_are_all_counted on threads,
    c03_no_orphan_survives_a_race_with_its_flag on threads,
}

/// Commits all the batches at once; gives what became of each.
async fn race(ctx: &Context, batches: Vec<Batch>) -> Checked<Vec<Result<Vec<Effect>>>> {
    let mut racers = JoinSet::new();
    for batch in batches {
        let handle = ctx.handle();
        racers.spawn(async move { handle.commit(batch).await });
    }
    let mut outcomes = Vec::new();
    while let Some(joined) = racers.join_next().await {
        outcomes.push(joined.map_err(|error| Stop::failed(format!("a racing commit panicked: {error}")))?);
    }
    Ok(outcomes)
}

/// Exactly one won, and the others were told why not.
fn one_winner(what: &str, outcomes: &[Result<Vec<Effect>>], loss: &[ErrorKind]) -> Checked {
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    equal(&format!("{what}: the number of commits that succeeded of {RACERS}"), &won, &1)?;
    for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        ensure!(
            loss.contains(&error.kind()),
            "{what}: expected the losers to get one of {loss:?}, came {}",
            describe(error)
        );
    }
    Ok(())
}

async fn c03_of_concurrent_creates_one_wins(ctx: &Context) -> Checked {
    for round in 0..ROUNDS {
        let flag = Record::from(flag(&format!("f{round}"))?);
        let batches = (0..RACERS).map(|n| Batch::new().put(edited(&flag, n), Expect::Absent)).collect();
        one_winner("creating one flag", &race(ctx, batches).await?, &[ErrorKind::AlreadyExists])?;
    }
    Ok(())
}

async fn c03_of_concurrent_updates_by_revision_one_wins(ctx: &Context) -> Checked {
    let flag = Record::from(flag("f")?);
    let mut revision = ctx.store.put(&flag, Expect::Absent).await?;
    for round in 0..ROUNDS {
        let batches = (0..RACERS)
            .map(|n| {
                Batch::new().put(edited(&flag, 1 + round * RACERS + n), Expect::Revision(revision.clone()))
            })
            .collect();
        let outcomes = race(ctx, batches).await?;
        one_winner("updating one revision", &outcomes, &[ErrorKind::Conflict])?;
        let after = outcomes.into_iter().find_map(|outcome| outcome.ok()?.into_iter().next()?.after);
        let Some(after) = after else { fail!("the effect of the winning update: expected a revision") };
        revision = after;
    }
    Ok(())
}

async fn c03_of_concurrent_deletes_by_revision_one_wins(ctx: &Context) -> Checked {
    for _ in 0..ROUNDS {
        let flag = Record::from(flag("f")?);
        let revision = ctx.store.put(&flag, Expect::Absent).await?;
        let batches = (0..RACERS)
            .map(|_| Batch::new().delete(flag.key(), Expect::Revision(revision.clone())))
            .collect();
        one_winner("deleting one revision", &race(ctx, batches).await?, &[ErrorKind::NotFound])?;
    }
    Ok(())
}

async fn c03_of_concurrent_takers_of_an_alias_one_wins(ctx: &Context) -> Checked {
    for round in 0..ROUNDS {
        let id = flag("f")?.id;
        let mut by_id = Vec::new();
        let mut by_name = Vec::new();
        for n in 0..RACERS {
            let mut taker = flag(&format!("f{round}-{n}"))?;
            taker.id = id;
            by_id.push(Batch::new().put(taker, Expect::Any));
            by_name.push(Batch::new().put(segment(&format!("s{round}"))?, Expect::Any));
        }
        one_winner("taking one flag id", &race(ctx, by_id).await?, &[ErrorKind::Conflict])?;
        one_winner("taking one segment name", &race(ctx, by_name).await?, &[ErrorKind::Conflict])?;
        let name = flags_core::Alias::SegmentName(segment_name(&format!("s{round}"))?);
        let found = ctx.store.list(Query::Alias(name)).await?.records.len();
        equal("how many segments bear the name", &found, &1)?;
    }
    Ok(())
}

async fn c03_concurrent_increments_are_all_counted(ctx: &Context) -> Checked {
    const EACH: u32 = 5;
    /// Far more than any fair store needs.
    const TRIES: u32 = 5_000;
    let record = Record::from(flag("counter")?);
    ctx.store.put(&count(&record, 0)?, Expect::Absent).await?;
    let mut racers = JoinSet::new();
    for _ in 0..RACERS {
        let (store, key) = (ctx.handle(), record.key());
        racers.spawn(async move {
            let (mut done, mut tries) = (0, 0);
            while done < EACH {
                tries += 1;
                if tries > TRIES {
                    return Err(Stop::failed("an increment by revision never succeeded"));
                }
                let read = store.get(std::slice::from_ref(&key)).await.map(|mut answers| answers.pop());
                let Ok(Some(Ok(Some(stored)))) = read else {
                    return Err(Stop::failed(format!("reading the counter: came {read:?}")));
                };
                let next = count(&stored.record, priority(&stored.record) + 1)?;
                match store.commit(Batch::new().put(next, Expect::Revision(stored.revision))).await {
                    Ok(_) => done += 1,
                    Err(error) if error.kind() == ErrorKind::Conflict => {}
                    Err(error) => {
                        return Err(Stop::failed(format!("an increment: came {}", describe(&error))));
                    }
                }
            }
            Ok(())
        });
    }
    while let Some(joined) = racers.join_next().await {
        joined.map_err(|error| Stop::failed(format!("a racing task panicked: {error}")))??;
    }
    let stored = ctx.store.holds("after all increments", &count(&record, i64::from(RACERS * EACH))?).await?;
    equal("the counter", &priority(&stored.record), &i64::from(RACERS * EACH))
}

/// The flag with this number for a default value.
fn count(record: &Record, n: i64) -> Checked<Record> {
    let Record::Flag(flag) = record else { fail!("the suite's own counter is no flag") };
    let mut flag = (**flag).clone();
    flag.default_value = Some(n.into());
    Ok(flag.into())
}

fn priority(record: &Record) -> i64 {
    match record {
        Record::Flag(flag) => flag.default_value.as_ref().and_then(|value| value.to().ok()).unwrap_or(-1),
        _ => -1,
    }
}

async fn c03_no_orphan_survives_a_race_with_its_flag(ctx: &Context) -> Checked {
    for round in 0..ROUNDS {
        let owner = flag(&format!("f{round}"))?;
        let id = owner.id;
        let owner = Record::from(owner);
        ctx.store.put(&owner, Expect::Absent).await?;
        let mut batches: Vec<Batch> = Vec::new();
        for n in 0..RACERS {
            if n == RACERS / 2 {
                batches.push(Batch::new().delete(owner.key(), Expect::Present));
            }
            batches.push(Batch::new().put(override_of(id, "user", &n.to_string())?, Expect::Any));
        }
        for error in race(ctx, batches).await?.iter().filter_map(|outcome| outcome.as_ref().err()) {
            ensure!(
                error.kind() == ErrorKind::NotFound,
                "overrides racing with the deletion of their flag: expected success or `not_found`, came {}",
                describe(error)
            );
        }
        ctx.store.absent("after its deletion", &owner.key()).await?;
        ctx.store.lists("after the deletion of their flag", Query::All(Kind::Override), []).await?;
    }
    Ok(())
}
