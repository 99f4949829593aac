//! C3: the whole table of conditions, and which failure wins.

use flags_core::storage::{Batch, Expect, Op, Revision};
use flags_core::{Error, ErrorKind, Key, Record};

use crate::case::cases;
use crate::context::Context;
use crate::records::{edited, flag, one_of_each};
use crate::stop::{Checked, describe, equal, fail};

cases! { C3:
    c03_the_whole_table_holds_for_every_kind,
    c03_create_of_an_existing_record_is_refused,
    c03_update_of_a_missing_record_is_refused,
    c03_a_stale_revision_is_a_conflict,
    c03_the_first_failing_operation_gives_the_error,
    c03_conditions_see_the_state_before_the_batch,
    c03_effects_come_in_the_order_of_the_batch,
    c03_a_corrupt_record_counts_as_present,
    c03_a_check_changes_nothing,
}

/// What the table says, written down once more: an error, or none.
fn verdict(expect: &Expect, current: Option<&Revision>) -> Option<ErrorKind> {
    match (expect, current) {
        (Expect::Absent, Some(_)) => Some(ErrorKind::AlreadyExists),
        (Expect::Present | Expect::Revision(_), None) => Some(ErrorKind::NotFound),
        (Expect::Revision(wanted), Some(current)) if wanted != current => Some(ErrorKind::Conflict),
        _ => None,
    }
}

async fn c03_the_whole_table_holds_for_every_kind(ctx: &Context) -> Checked {
    let records = one_of_each("a")?;
    ctx.store.fill(&records).await?;
    for record in &records {
        for present in [true, false] {
            for which in 0..5 {
                for what in ["put", "delete", "check"] {
                    table_entry(ctx, record, present, which, what).await?;
                }
            }
        }
        ctx.store.put(record, Expect::Any).await?;
        // The flag took them with it.
        for owned in records.iter().filter(|other| other.owner().is_some()) {
            ctx.store.put(owned, Expect::Any).await?;
        }
    }
    Ok(())
}

async fn table_entry(ctx: &Context, record: &Record, present: bool, which: u32, op: &str) -> Checked {
    let key = record.key();
    let current = if present {
        Some(ctx.store.put(&edited(record, which), Expect::Any).await?)
    } else {
        ctx.store.delete(&key, Expect::Any).await?;
        None
    };
    let expect = match which {
        0 => Expect::Any,
        1 => Expect::Absent,
        2 => Expect::Present,
        3 => Expect::Revision(current.clone().unwrap_or_else(|| Revision::new("1"))),
        _ => Expect::Revision(Revision::new("no such revision")),
    };
    let changed = edited(record, 100 + which);
    let batch = match op {
        "put" => Batch::new().put(changed.clone(), expect.clone()),
        "delete" => Batch::new().delete(key.clone(), expect.clone()),
        _ => Batch::new().check(key.clone(), expect.clone()),
    };
    let state = if present { "a present" } else { "an absent" };
    let what = format!("{op} of {state} {} with {expect:?}", record.kind());
    if let Some(kind) = verdict(&expect, current.as_ref()) {
        ctx.store.refused(&what, batch, kind, &key).await?;
        return Ok(());
    }
    let effect = ctx.store.commit_one(&what, batch).await?;
    equal(&format!("{what}: the effect's `before`"), &effect.before, &current)?;
    match op {
        "put" => {
            let stored = ctx.store.holds(&what, &changed).await?;
            equal(&format!("{what}: the effect's `after`"), &effect.after, &Some(stored.revision))
        }
        "delete" => {
            equal(&format!("{what}: the effect's `after`"), &effect.after, &None)?;
            ctx.store.absent(&what, &key).await
        }
        _ => equal(&format!("{what}: the effect's `after`"), &effect.after, &current),
    }
}

async fn c03_create_of_an_existing_record_is_refused(ctx: &Context) -> Checked {
    for record in one_of_each("a")? {
        ctx.store.put(&record, Expect::Absent).await?;
        for again in [record.clone(), edited(&record, 1)] {
            let batch = Batch::new().put(again, Expect::Absent);
            let what = format!("creating {} again", record.key());
            ctx.store.refused(&what, batch, ErrorKind::AlreadyExists, &record.key()).await?;
            ctx.store.holds(&what, &record).await?;
        }
    }
    Ok(())
}

async fn c03_update_of_a_missing_record_is_refused(ctx: &Context) -> Checked {
    let records = one_of_each("a")?;
    ctx.store.put(&records[0], Expect::Absent).await?;
    for record in one_of_each("b")?.into_iter().take(1).chain(records.into_iter().skip(1)) {
        for expect in [Expect::Present, Expect::Revision(Revision::new("1"))] {
            let what = format!("updating the missing {} with {expect:?}", record.key());
            let batch = Batch::new().put(record.clone(), expect);
            ctx.store.refused(&what, batch, ErrorKind::NotFound, &record.key()).await?;
            ctx.store.absent(&what, &record.key()).await?;
        }
    }
    Ok(())
}

async fn c03_a_stale_revision_is_a_conflict(ctx: &Context) -> Checked {
    for record in one_of_each("a")? {
        let first = ctx.store.put(&record, Expect::Absent).await?;
        let second = ctx.store.put(&edited(&record, 1), Expect::Revision(first.clone())).await?;
        for batch in [
            Batch::new().put(edited(&record, 2), Expect::Revision(first.clone())),
            Batch::new().delete(record.key(), Expect::Revision(first.clone())),
            Batch::new().check(record.key(), Expect::Revision(first.clone())),
        ] {
            let what = format!("{:?} after an update", batch.ops().first().map(Op::expect));
            ctx.store.refused(&what, batch, ErrorKind::Conflict, &record.key()).await?;
        }
        ctx.store.put(&edited(&record, 2), Expect::Revision(second)).await?;
    }
    Ok(())
}

/// Three operations that fail, each in its own way.
async fn failing(ctx: &Context) -> Checked<Vec<(Op, ErrorKind)>> {
    let there = Record::from(flag("there")?);
    let stale = Record::from(flag("stale")?);
    for record in [&there, &stale] {
        ctx.store.put(record, Expect::Absent).await?;
    }
    let missing = Record::from(flag("missing")?);
    Ok(vec![
        (Op::Put(edited(&there, 1), Expect::Absent), ErrorKind::AlreadyExists),
        (Op::Delete(stale.key(), Expect::Revision(Revision::new("stale"))), ErrorKind::Conflict),
        (Op::Check(missing.key(), Expect::Present), ErrorKind::NotFound),
    ])
}

async fn c03_the_first_failing_operation_gives_the_error(ctx: &Context) -> Checked {
    let failing = failing(ctx).await?;
    for first in 0..failing.len() {
        for second in (0..failing.len()).filter(|second| *second != first) {
            let good = Op::Put(flag(&format!("good {first} {second}"))?.into(), Expect::Absent);
            let ((op, kind), (later, _)) = (&failing[first], &failing[second]);
            let batch: Batch = [good, op.clone(), later.clone()].into_iter().collect();
            let what = format!("a good operation, then one that fails as `{kind}`, then another that fails");
            ctx.store.refused(&what, batch, *kind, &op.key()).await?;
        }
    }
    Ok(())
}

async fn c03_conditions_see_the_state_before_the_batch(ctx: &Context) -> Checked {
    // The flag is deleted by the first operation, yet the second one's record was there before.
    let records = one_of_each("a")?;
    ctx.store.fill(&records).await?;
    let gone: Vec<Key> = records[1..records.len() - 1].iter().map(Record::key).collect();
    let batch = gone.iter().fold(Batch::new().delete(records[0].key(), Expect::Present), |batch, key| {
        batch.check(key.clone(), Expect::Present)
    });
    ctx.store.commit("deleting a flag, and checking that what it owns was there", batch).await?;
    // And what the batch creates was not there before.
    ctx.store.absent("after the cascade", &gone[0]).await?;
    let created = Record::from(flag("created")?);
    let batch = Batch::new().put(created.clone(), Expect::Present);
    ctx.store.refused("creating with Present", batch, ErrorKind::NotFound, &created.key()).await?;
    Ok(())
}

async fn c03_effects_come_in_the_order_of_the_batch(ctx: &Context) -> Checked {
    let records = one_of_each("a")?;
    let batch = records.iter().fold(Batch::new(), |batch, record| batch.put(record.clone(), Expect::Absent));
    let created = ctx.store.commit("creating one of each", batch).await?;
    let batch =
        records.iter().rev().fold(Batch::new(), |batch, record| batch.check(record.key(), Expect::Any));
    let checked = ctx.store.commit("checking them in reverse", batch).await?;
    for ((record, made), seen) in records.iter().zip(&created).zip(checked.iter().rev()) {
        let stored = ctx.store.holds("after creating it", record).await?;
        equal("the revision before a create", &made.before, &None)?;
        equal(&format!("the revision after creating {}", record.key()), &made.after, &Some(stored.revision))?;
        equal(&format!("the revision at a check of {}", record.key()), &seen.before, &made.after)?;
    }
    Ok(())
}

async fn c03_a_corrupt_record_counts_as_present(ctx: &Context) -> Checked {
    for record in one_of_each("a")? {
        ctx.store.put(&record, Expect::Absent).await?;
        // A corrupt flag owns nothing that could be checked, so flags go last.
        if record.kind() == flags_core::Kind::Flag {
            continue;
        }
        let key = record.key();
        ctx.spoil(&record, "{").await?;
        let what = format!("creating over the corrupt {key}");
        let batch = Batch::new().put(record.clone(), Expect::Absent);
        ctx.store.refused(&what, batch, ErrorKind::AlreadyExists, &key).await?;
        let revision = revision_of(&ctx.store.corrupt(&key).await?)?;
        ctx.store
            .commit(
                "a check that a corrupt record is present",
                Batch::new().check(key.clone(), Expect::Present),
            )
            .await?;
        ctx.store.put(&edited(&record, 1), Expect::Revision(revision)).await?;
        ctx.store.holds("after replacing a corrupt record by its revision", &edited(&record, 1)).await?;
        ctx.spoil(&record, "[]").await?;
        ctx.store.put(&record, Expect::Present).await?;
        ctx.store.holds("after replacing a corrupt record", &record).await?;
        ctx.spoil(&record, "\u{fffd}").await?;
        let revision = revision_of(&ctx.store.corrupt(&key).await?)?;
        let effect = ctx.store.delete(&key, Expect::Revision(revision.clone())).await?;
        equal("the effect of deleting a corrupt record: `before`", &effect.before, &Some(revision))?;
        ctx.store.absent("after deleting a corrupt record", &key).await?;
    }
    let broken = Record::from(flag("broken")?);
    ctx.spoil(&broken, "{").await?;
    ctx.store.put(&broken, Expect::Present).await?;
    ctx.store.holds("after replacing a corrupt flag", &broken).await?;
    ctx.spoil(&broken, "{").await?;
    ctx.store.delete(&broken.key(), Expect::Present).await?;
    ctx.store.absent("after deleting a corrupt flag", &broken.key()).await
}

fn revision_of(error: &Error) -> Checked<Revision> {
    match error.revision() {
        Some(revision) => Ok(revision.clone()),
        None => fail!("the error of a corrupt record: expected its revision, came {}", describe(error)),
    }
}

async fn c03_a_check_changes_nothing(ctx: &Context) -> Checked {
    let records = one_of_each("a")?;
    ctx.store.fill(&records).await?;
    let before = ctx.store.contents().await?;
    let batch = records.iter().fold(Batch::new(), |batch, record| batch.check(record.key(), Expect::Present));
    ctx.store.commit("checks alone", batch).await?;
    equal("the contents after checks alone", &ctx.store.contents().await?, &before)
}
