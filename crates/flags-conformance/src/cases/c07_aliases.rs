//! C7: a flag's id and a segment's name are unique.

use flags_core::storage::{Batch, Expect, Query};
use flags_core::{Alias, ErrorKind, Flag, FlagId, Kind, Record, Segment};

use crate::case::cases;
use crate::context::Context;
use crate::records::{edited, flag, one_of_each_owned, override_of, segment, segment_name};
use crate::stop::{Checked, describe, ensure, fail, short};

cases! { C7:
    c07_a_flag_id_is_unique,
    c07_a_flag_id_is_bound_to_its_key,
    c07_a_flag_id_is_free_once_its_flag_is_deleted,
    c07_a_segment_name_is_unique,
    c07_a_segment_may_change_its_name,
    c07_two_segments_swap_names_in_one_batch,
    c07_two_flags_never_swap_ids,
    c07_one_batch_deletes_and_gives_the_alias_to_another,
    c07_two_puts_of_one_batch_cannot_share_an_alias,
    c07_a_conflict_comes_whatever_is_expected,
    c07_unknown_aliases_find_nothing,
    c07_a_foreign_flag_is_adopted_once_read,
    c07_an_alias_stays_with_its_record_whatever_else_claims_it,
}

fn by_id(id: FlagId) -> Query {
    Query::Alias(Alias::FlagId(id))
}

fn by_name(name: &str) -> Checked<Query> {
    segment_name(name).map(|name| Query::Alias(Alias::SegmentName(name)))
}

/// A flag of another key with the same id.
fn twin(of: &Flag, key: &str) -> Checked<Record> {
    let mut twin = flag(key)?;
    twin.id = of.id;
    Ok(twin.into())
}

/// The segment by another name.
fn renamed(segment: &Segment, name: &str) -> Checked<Record> {
    let mut segment = segment.clone();
    segment.name = segment_name(name)?;
    Ok(segment.into())
}

async fn conflict(ctx: &Context, what: &str, record: &Record, expect: Expect) -> Checked {
    let batch = Batch::new().put(record.clone(), expect);
    ctx.store.refused(what, batch, ErrorKind::Conflict, &record.key()).await.map(drop)
}

async fn c07_a_flag_id_is_unique(ctx: &Context) -> Checked {
    let first = flag("first")?;
    ctx.store.put(&first.clone().into(), Expect::Absent).await?;
    for expect in [Expect::Absent, Expect::Any] {
        conflict(ctx, "creating another flag with the same id", &twin(&first, "second")?, expect).await?;
    }
    // Nor can a flag that exists take it.
    let second = flag("second")?;
    ctx.store.put(&second.into(), Expect::Absent).await?;
    conflict(ctx, "giving a flag another one's id", &twin(&first, "second")?, Expect::Present).await?;
    ctx.store.lists("after refused takers", by_id(first.id), [Record::from(first.clone()).key()]).await
}

async fn c07_a_flag_id_is_bound_to_its_key(ctx: &Context) -> Checked {
    let first = flag("f")?;
    let revision = ctx.store.put(&first.clone().into(), Expect::Absent).await?;
    let mut other = first.clone();
    other.id = FlagId::new();
    let other = Record::from(other);
    for expect in [Expect::Any, Expect::Present, Expect::Revision(revision)] {
        conflict(ctx, &format!("giving a flag another id with {expect:?}"), &other, expect).await?;
    }
    ctx.store.lists("after it was refused", by_id(first.id), [other.key()]).await?;
    ctx.store.lists("after it was refused", Query::All(Kind::Flag), [other.key()]).await
}

async fn c07_a_flag_id_is_free_once_its_flag_is_deleted(ctx: &Context) -> Checked {
    let first = flag("first")?;
    let old = Record::from(first.clone());
    ctx.store.put(&old, Expect::Absent).await?;
    ctx.store.delete(&old.key(), Expect::Present).await?;
    ctx.store.lists("after deleting it", by_id(first.id), []).await?;
    let second = twin(&first, "second")?;
    ctx.store.put(&second, Expect::Absent).await?;
    ctx.store.lists("after another flag took its id", by_id(first.id), [second.key()]).await?;
    // The key is free too, for another id.
    ctx.store.put(&flag("first")?.into(), Expect::Absent).await?;
    ctx.store.lists("after its key was taken", by_id(first.id), [second.key()]).await
}

async fn c07_a_segment_name_is_unique(ctx: &Context) -> Checked {
    let first = segment("beta")?;
    ctx.store.put(&first.clone().into(), Expect::Absent).await?;
    for expect in [Expect::Absent, Expect::Any] {
        conflict(ctx, "creating another segment of the same name", &segment("beta")?.into(), expect).await?;
    }
    let second = segment("Beta")?;
    ctx.store.put(&second.clone().into(), Expect::Absent).await?;
    conflict(ctx, "renaming a segment to another one's name", &renamed(&second, "beta")?, Expect::Present)
        .await?;
    ctx.store.lists("after refused takers", by_name("beta")?, [Record::from(first).key()]).await?;
    ctx.store.lists("after refused takers", by_name("Beta")?, [Record::from(second).key()]).await
}

async fn c07_a_segment_may_change_its_name(ctx: &Context) -> Checked {
    let first = segment("old")?;
    ctx.store.put(&first.clone().into(), Expect::Absent).await?;
    let new = renamed(&first, "new")?;
    ctx.store.put(&new, Expect::Present).await?;
    ctx.store.lists("after the rename", by_name("old")?, []).await?;
    ctx.store.lists("after the rename", by_name("new")?, [new.key()]).await?;
    let heir = Record::from(segment("old")?);
    ctx.store.put(&heir, Expect::Absent).await?;
    ctx.store.lists("after another took the old name", by_name("old")?, [heir.key()]).await?;
    ctx.store.lists("after another took the old name", by_name("new")?, [new.key()]).await?;
    ctx.store.delete(&new.key(), Expect::Present).await?;
    ctx.store.lists("after deleting the renamed", by_name("new")?, []).await?;
    ctx.store.lists("after deleting the renamed", by_name("old")?, [heir.key()]).await
}

async fn c07_two_segments_swap_names_in_one_batch(ctx: &Context) -> Checked {
    let (a, b) = (segment("a")?, segment("b")?);
    for segment in [&a, &b] {
        ctx.store.put(&segment.clone().into(), Expect::Absent).await?;
    }
    let swap = Batch::new().put(renamed(&a, "b")?, Expect::Present).put(renamed(&b, "a")?, Expect::Present);
    ctx.store.commit("swapping the names of two segments", swap).await?;
    ctx.store.lists("after the swap", by_name("a")?, [Record::from(b.clone()).key()]).await?;
    ctx.store.lists("after the swap", by_name("b")?, [Record::from(a.clone()).key()]).await?;
    // A ring of three, where each waits for the next one's name.
    let c = segment("c")?;
    let ring = Batch::new()
        .put(renamed(&b, "b")?, Expect::Present)
        .put(renamed(&a, "c")?, Expect::Present)
        .put(renamed(&c, "a")?, Expect::Absent);
    ctx.store.commit("passing names on in a ring", ring).await?;
    for (name, segment) in [("b", b), ("c", a), ("a", c)] {
        ctx.store.lists("after the ring", by_name(name)?, [Record::from(segment).key()]).await?;
    }
    Ok(())
}

async fn c07_two_flags_never_swap_ids(ctx: &Context) -> Checked {
    let (a, b) = (flag("a")?, flag("b")?);
    for flag in [&a, &b] {
        ctx.store.put(&flag.clone().into(), Expect::Absent).await?;
    }
    let (a_as_b, b_as_a) = (twin(&b, "a")?, twin(&a, "b")?);
    let swap = Batch::new().put(a_as_b.clone(), Expect::Any).put(b_as_a, Expect::Any);
    ctx.store
        .refused("swapping the ids of two flags", swap, ErrorKind::Conflict, &a_as_b.key())
        .await
        .map(drop)
}

async fn c07_one_batch_deletes_and_gives_the_alias_to_another(ctx: &Context) -> Checked {
    for reversed in [false, true] {
        let (old_key, new_key) = (format!("old {reversed}"), format!("new {reversed}"));
        let old = flag(&old_key)?;
        let owned = one_of_each_owned(old.id)?;
        let old_record = Record::from(old.clone());
        ctx.store.put(&old_record, Expect::Absent).await?;
        ctx.store.fill(&owned).await?;
        let heir = twin(&old, &new_key)?;
        let batch = if reversed {
            Batch::new().put(heir.clone(), Expect::Absent).delete(old_record.key(), Expect::Present)
        } else {
            Batch::new().delete(old_record.key(), Expect::Present).put(heir.clone(), Expect::Absent)
        };
        ctx.store.commit("deleting a flag and giving its id to another", batch).await?;
        ctx.store.lists("after it", by_id(old.id), [heir.key()]).await?;
        for record in &owned {
            ctx.store.absent("after the flag that owned it was deleted", &record.key()).await?;
        }
        ctx.store.put(&override_of(old.id, "user", "heir")?.into(), Expect::Absent).await?;

        let first = segment(&old_key)?;
        let second = Record::from(segment(&old_key)?);
        ctx.store.put(&first.clone().into(), Expect::Absent).await?;
        let gone = Record::from(first).key();
        let batch = if reversed {
            Batch::new().put(second.clone(), Expect::Absent).delete(gone, Expect::Present)
        } else {
            Batch::new().delete(gone, Expect::Present).put(second.clone(), Expect::Absent)
        };
        ctx.store.commit("deleting a segment and giving its name to another", batch).await?;
        ctx.store.lists("after it", by_name(&old_key)?, [second.key()]).await?;
    }
    Ok(())
}

async fn c07_two_puts_of_one_batch_cannot_share_an_alias(ctx: &Context) -> Checked {
    let first = flag("first")?;
    let pairs: [[Record; 2]; 2] =
        [[first.clone().into(), twin(&first, "second")?], [segment("s")?.into(), segment("s")?.into()]];
    for pair in pairs {
        let batch = pair.iter().fold(Batch::new(), |batch, record| batch.put(record.clone(), Expect::Any));
        let what = format!("creating two records of kind {} with one alias", pair[0].kind());
        let error = ctx.store.refused_with(&what, batch, ErrorKind::Conflict).await?;
        let named = pair.iter().any(|record| error.key() == Some(&record.key()));
        ensure!(named, "{what}: expected the error to name one of them, came {}", describe(&error));
    }
    Ok(())
}

async fn c07_a_conflict_comes_whatever_is_expected(ctx: &Context) -> Checked {
    let (a, b) = (segment("a")?, segment("b")?);
    ctx.store.put(&a.into(), Expect::Absent).await?;
    let revision = ctx.store.put(&b.clone().into(), Expect::Absent).await?;
    for expect in [Expect::Any, Expect::Present, Expect::Revision(revision)] {
        conflict(ctx, &format!("taking a name with {expect:?}"), &renamed(&b, "a")?, expect).await?;
    }
    Ok(())
}

async fn c07_unknown_aliases_find_nothing(ctx: &Context) -> Checked {
    let flag = flag("f")?;
    ctx.store.put(&flag.clone().into(), Expect::Absent).await?;
    ctx.store.put(&segment("s")?.into(), Expect::Absent).await?;
    ctx.store.lists("of nobody", by_id(FlagId::new()), []).await?;
    for name in ["S", "s ", "*", "?", "[a-z]", "f"] {
        ctx.store.lists("of nobody", by_name(name)?, []).await?;
    }
    // A flag's id is no segment's name.
    ctx.store.lists("of nobody", by_name(&flag.id.to_string())?, []).await
}

async fn c07_a_foreign_flag_is_adopted_once_read(ctx: &Context) -> Checked {
    let foreign = flag("foreign")?;
    let record = Record::from(foreign.clone());
    ctx.plant_record(&record).await?;
    ctx.store.holds("after a foreign write", &record).await?;
    ctx.store.lists("after it was read", by_id(foreign.id), [record.key()]).await?;
    conflict(ctx, "taking the id of a foreign flag that was read", &twin(&foreign, "ours")?, Expect::Any)
        .await?;
    for owned in one_of_each_owned(foreign.id)? {
        ctx.store.put(&owned, Expect::Absent).await?;
    }
    ctx.store.put(&edited(&record, 1), Expect::Present).await?;
    let record = Record::from(segment("foreign")?);
    ctx.plant_record(&record).await?;
    ctx.store.holds("after a foreign write", &record).await?;
    ctx.store.lists("after it was read", by_name("foreign")?, [record.key()]).await?;
    let taker = Record::from(segment("foreign")?);
    conflict(ctx, "taking the name of a foreign segment that was read", &taker, Expect::Any).await
}

/// A foreign writer gives others the alias of a record that has it. However they are read, and by whichever
/// handle, it stays where it is; once that record is gone, one of the others has it.
async fn c07_an_alias_stays_with_its_record_whatever_else_claims_it(ctx: &Context) -> Checked {
    let holder = flag("holder")?;
    let of_flags = vec![twin(&holder, "twin 1")?, twin(&holder, "twin 2")?];
    let mut of_segments: Vec<Record> =
        (0..3).map(|_| segment("shared").map(Record::from)).collect::<Checked<_>>()?;
    // A store that is read anew may go by the order of the keys alone.
    of_segments.sort_by_key(Record::key);
    let named = of_segments.remove(0);
    ctx.store.put(&holder.clone().into(), Expect::Absent).await?;
    ctx.store.put(&named, Expect::Absent).await?;
    let second = ctx.second().await?;
    for (record, twins, query) in
        [(Record::from(holder.clone()), of_flags, by_id(holder.id)), (named, of_segments, by_name("shared")?)]
    {
        for twin in twins.iter().rev() {
            ctx.plant_record(twin).await?;
        }
        let all: Vec<_> = std::iter::once(&record).chain(&twins).map(Record::key).collect();
        for handle in [&ctx.store, &second] {
            let what = "where a foreign writer gave other records the alias";
            handle.lists(what, query.clone(), [record.key()]).await?;
            handle.lists(what, Query::All(record.kind()), all.clone()).await?;
            for twin in &twins {
                handle.holds(what, twin).await?;
                handle.lists(&format!("{what}, after one was read"), query.clone(), [record.key()]).await?;
            }
        }
        ctx.store.delete(&record.key(), Expect::Present).await?;
        let what = "after the record that had the alias of others was deleted";
        let listed = ctx.store.list(query.clone()).await?.records;
        let heir = listed.first().map(|stored| stored.record.key());
        let Some(heir) = heir.filter(|heir| twins.iter().any(|twin| twin.key() == *heir)) else {
            fail!("{what}: listing {query:?}: expected one of the others, came {}", short(&listed))
        };
        for handle in [&ctx.store, &second, &ctx.second().await?] {
            handle.lists(what, query.clone(), [heir.clone()]).await?;
        }
    }
    Ok(())
}
