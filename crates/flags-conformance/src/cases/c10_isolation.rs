//! C10: what a caller does with a record never changes the store.

use std::sync::Arc;

use flags_core::storage::{Batch, Expect, Query, Revision};
use flags_core::{ErrorKind, Kind, Record};

use crate::case::cases;
use crate::context::Context;
use crate::records::{edited, flag, one_of_each};
use crate::stop::{Checked, equal, fail};

cases! { C10:
    c10_changing_a_record_that_was_put_changes_nothing,
    c10_changing_a_record_that_was_read_changes_nothing,
    c10_changing_a_listed_record_changes_nothing,
    c10_a_refused_write_is_never_read_back,
}

/// Changes the record in place, as far as its sharing allows.
fn scribble(record: &mut Record) -> Checked {
    let Record::Flag(flag) = record else { fail!("the suite's own flag is none") };
    let flag = Arc::make_mut(flag);
    flag.default_enabled = !flag.default_enabled;
    flag.name.push_str(" scribbled on");
    flag.tags.push("scribble".to_owned());
    Ok(())
}

async fn c10_changing_a_record_that_was_put_changes_nothing(ctx: &Context) -> Checked {
    let mut ours = Record::from(flag("f")?);
    let as_put = ours.clone();
    ctx.store.put(&ours, Expect::Absent).await?;
    scribble(&mut ours)?;
    ctx.store.holds("after changing the record that was put", &as_put).await?;
    Ok(())
}

async fn c10_changing_a_record_that_was_read_changes_nothing(ctx: &Context) -> Checked {
    let record = Record::from(flag("f")?);
    let revision = ctx.store.put(&record, Expect::Absent).await?;
    for _ in 0..3 {
        let mut read = ctx.store.holds("after changing the record that was read", &record).await?;
        equal("its revision", &read.revision, &revision)?;
        scribble(&mut read.record)?;
    }
    Ok(())
}

async fn c10_changing_a_listed_record_changes_nothing(ctx: &Context) -> Checked {
    let record = Record::from(flag("f")?);
    ctx.store.put(&record, Expect::Absent).await?;
    for _ in 0..3 {
        for stored in &mut ctx.store.list(Query::All(Kind::Flag)).await?.records {
            equal("a listed record", &stored.record, &record)?;
            scribble(&mut stored.record)?;
        }
    }
    ctx.store.holds("after changing listed records", &record).await?;
    Ok(())
}

async fn c10_a_refused_write_is_never_read_back(ctx: &Context) -> Checked {
    for record in one_of_each("a")? {
        ctx.store.put(&record, Expect::Absent).await?;
        let read = ctx.store.holds("after creating it", &record).await?;
        for (expect, kind) in [
            (Expect::Absent, ErrorKind::AlreadyExists),
            (Expect::Revision(Revision::new("stale")), ErrorKind::Conflict),
        ] {
            let batch = Batch::new().put(edited(&read.record, 1), expect);
            ctx.store.refused("writing a change of what was read", batch, kind, &record.key()).await?;
            let again = ctx.store.holds("after a refused write of a change", &record).await?;
            equal("the revision after a refused write", &again.revision, &read.revision)?;
        }
        let other = Batch::new()
            .put(edited(&read.record, 2), Expect::Present)
            .check(Record::from(flag("missing")?).key(), Expect::Present);
        let missing = Record::from(flag("missing")?).key();
        ctx.store.refused("a change beside a failing check", other, ErrorKind::NotFound, &missing).await?;
        ctx.store.holds("after a refused batch with a change", &record).await?;
    }
    Ok(())
}
