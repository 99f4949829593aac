//! C4: two different values have different revisions.

use std::collections::HashMap;

use flags_core::storage::{Batch, Expect, Query, Revision};
use flags_core::{ErrorKind, Record};

use crate::case::cases;
use crate::context::Context;
use crate::records::{edited, flag, one_of_each};
use crate::stop::{Checked, ensure, equal};

cases! { C4:
    c04_different_values_have_different_revisions,
    c04_the_smallest_difference_counts,
    c04_a_revision_survives_a_round_trip_through_text,
    c04_every_read_tells_the_same_revision,
    c04_a_second_handle_tells_the_same_revision,
    c04_a_foreign_write_changes_the_revision,
    c04_a_text_that_no_backend_gave_equals_no_revision,
    c04_a_recreated_record_refuses_the_old_revision,
}

async fn c04_different_values_have_different_revisions(ctx: &Context) -> Checked {
    for record in one_of_each("a")? {
        let mut seen: HashMap<Revision, u32> = HashMap::new();
        for n in 0..100 {
            let revision = ctx.store.put(&edited(&record, n), Expect::Any).await?;
            if let Some(earlier) = seen.insert(revision.clone(), n) {
                ensure!(
                    false,
                    "values {earlier} and {n} of {}: expected two revisions, came {revision}",
                    record.key()
                );
            }
        }
    }
    Ok(())
}

async fn c04_the_smallest_difference_counts(ctx: &Context) -> Checked {
    let mut flag = flag("f")?;
    let mut last: Option<Revision> = None;
    for text in ["1", "1.0", "1.00", "10e-1", "\"1\"", "[1]", "[1.0]", "-0.0", "0.0", "null"] {
        flag.default_value = Some(crate::records::json(text)?);
        let revision = ctx.store.put(&flag.clone().into(), Expect::Any).await?;
        ensure!(
            last.as_ref() != Some(&revision),
            "after writing {text}: expected a new revision, came {revision}"
        );
        last = Some(revision);
    }
    Ok(())
}

async fn c04_a_revision_survives_a_round_trip_through_text(ctx: &Context) -> Checked {
    for record in one_of_each("a")? {
        let revision = ctx.store.put(&record, Expect::Absent).await?;
        let again = Revision::new(revision.to_string());
        equal("a revision made from its text", &again, &revision)?;
        ctx.store.put(&edited(&record, 1), Expect::Revision(again)).await?;
    }
    Ok(())
}

async fn c04_every_read_tells_the_same_revision(ctx: &Context) -> Checked {
    for record in one_of_each("a")? {
        let revision = ctx.store.put(&record, Expect::Absent).await?;
        let mut queries = vec![Query::All(record.kind())];
        queries.extend(record.owner().map(|owner| Query::Owned(record.kind(), owner)));
        queries.extend(record.alias().map(Query::Alias));
        equal("the revision that get tells", &ctx.store.holds("get", &record).await?.revision, &revision)?;
        for query in queries {
            ctx.store.lists("after creating it", query.clone(), [record.key()]).await?;
            for stored in ctx.store.list(query.clone()).await?.records {
                equal(&format!("the revision that listing {query:?} tells"), &stored.revision, &revision)?;
                equal(&format!("the record that listing {query:?} yields"), &stored.record, &record)?;
            }
        }
        let effect =
            ctx.store.commit_one("a check", Batch::new().check(record.key(), Expect::Present)).await?;
        equal("the revision that a check tells", &effect.before, &Some(revision))?;
    }
    Ok(())
}

async fn c04_a_second_handle_tells_the_same_revision(ctx: &Context) -> Checked {
    let second = ctx.second().await?;
    for record in one_of_each("a")? {
        let revision = ctx.store.put(&record, Expect::Absent).await?;
        let there = second.holds("by the second handle", &record).await?;
        equal("the revision that the second handle tells", &there.revision, &revision)?;
        let next = second.put(&edited(&record, 1), Expect::Revision(revision.clone())).await?;
        let what = "the first handle's revision after an update by the second";
        let batch = Batch::new().put(edited(&record, 2), Expect::Revision(revision));
        ctx.store.refused(what, batch, ErrorKind::Conflict, &record.key()).await?;
        ctx.store.put(&edited(&record, 2), Expect::Revision(next)).await?;
    }
    Ok(())
}

async fn c04_a_foreign_write_changes_the_revision(ctx: &Context) -> Checked {
    for record in one_of_each("a")? {
        let ours = ctx.store.put(&record, Expect::Absent).await?;
        ctx.plant_record(&edited(&record, 1)).await?;
        let theirs = ctx.store.holds("after a foreign write", &edited(&record, 1)).await?.revision;
        ensure!(theirs != ours, "the revision after a foreign write: expected a new one, came {theirs}");
        let batch = Batch::new().put(edited(&record, 2), Expect::Revision(ours));
        ctx.store
            .refused("an update by the revision before", batch, ErrorKind::Conflict, &record.key())
            .await?;
        ctx.store.put(&edited(&record, 2), Expect::Revision(theirs.clone())).await?;
        ctx.plant_record(&edited(&record, 3)).await?;
        let again = ctx.store.holds("after another foreign write", &edited(&record, 3)).await?.revision;
        ensure!(
            again != theirs,
            "the revision after another foreign write: expected a new one, came {again}"
        );
    }
    Ok(())
}

async fn c04_a_text_that_no_backend_gave_equals_no_revision(ctx: &Context) -> Checked {
    let record = Record::from(flag("f")?);
    let revision = ctx.store.put(&record, Expect::Absent).await?;
    let padded = format!("{revision} ");
    let upper = revision.to_string().to_uppercase();
    for text in ["", "0", "null", "*", " ", "\0", "旗", padded.as_str(), upper.as_str()] {
        if text == revision.as_str() {
            continue;
        }
        let batch = Batch::new().put(edited(&record, 1), Expect::Revision(Revision::new(text)));
        ctx.store
            .refused(
                &format!("an update by the revision {text:?}"),
                batch,
                ErrorKind::Conflict,
                &record.key(),
            )
            .await?;
    }
    Ok(())
}

async fn c04_a_recreated_record_refuses_the_old_revision(ctx: &Context) -> Checked {
    for record in one_of_each("a")? {
        let old = ctx.store.put(&record, Expect::Absent).await?;
        ctx.store.delete(&record.key(), Expect::Present).await?;
        ctx.store.put(&edited(&record, 1), Expect::Absent).await?;
        let batch = Batch::new().put(edited(&record, 2), Expect::Revision(old));
        ctx.store
            .refused(
                "an update by the revision before the deletion",
                batch,
                ErrorKind::Conflict,
                &record.key(),
            )
            .await?;
    }
    Ok(())
}
