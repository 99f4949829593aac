//! C6: what a flag owns lives and dies with it.

use flags_core::storage::{Batch, Expect, Query};
use flags_core::{ErrorKind, FlagId, Kind, Record};

use crate::case::cases;
use crate::context::Context;
use crate::records::{edited, flag, given_to, keys, one_of_each, one_of_each_owned, override_of, owned};
use crate::stop::{Checked, equal};

cases! { C6:
    c06_an_owned_record_without_its_flag_is_refused,
    c06_a_flag_and_what_it_owns_are_created_by_one_batch_in_any_order,
    c06_an_owned_record_may_not_outlive_its_flag_in_one_batch,
    c06_an_orphan_can_be_written_again_where_it_is,
    c06_an_orphan_is_neither_made_nor_handed_on,
    c06_a_cascade_takes_every_kind,
    c06_a_cascade_spares_what_others_own,
    c06_a_cascade_takes_what_a_foreign_writer_stored,
    c06_a_recreated_flag_inherits_nothing,
    c06_deleting_what_is_owned_spares_the_flag,
    c06_a_refused_delete_cascades_nothing,
    c06_an_update_keeps_what_is_owned,
    c06_a_cascade_and_other_operations_share_a_batch,
    c06_what_the_batch_puts_stays_where_an_id_changes_hands,
    c06_deleting_a_twin_spares_what_the_flag_owns,
}

async fn c06_an_owned_record_without_its_flag_is_refused(ctx: &Context) -> Checked {
    // A flag is there, though not theirs.
    ctx.store.put(&flag("bystander")?.into(), Expect::Absent).await?;
    for record in one_of_each_owned(FlagId::new())? {
        for expect in [Expect::Any, Expect::Absent] {
            let what = format!("putting a {} of no flag with {expect:?}", record.kind());
            let batch = Batch::new().put(record.clone(), expect);
            let error = ctx.store.refused(&what, batch, ErrorKind::NotFound, &record.key()).await?;
            equal(&format!("{what}: the member that the error names"), &error.field(), &Some("flag_id"))?;
        }
    }
    Ok(())
}

async fn c06_a_flag_and_what_it_owns_are_created_by_one_batch_in_any_order(ctx: &Context) -> Checked {
    for reversed in [false, true] {
        let flag = flag(if reversed { "owned first" } else { "flag first" })?;
        let mut records = one_of_each_owned(flag.id)?;
        records.insert(0, flag.into());
        if reversed {
            records.reverse();
        }
        let batch =
            records.iter().fold(Batch::new(), |batch, record| batch.put(record.clone(), Expect::Absent));
        ctx.store.commit("creating a flag and what it owns", batch).await?;
        for record in &records {
            ctx.store.holds("after creating a flag and what it owns", record).await?;
        }
    }
    Ok(())
}

async fn c06_an_owned_record_may_not_outlive_its_flag_in_one_batch(ctx: &Context) -> Checked {
    let flag = flag("f")?;
    let owned = one_of_each_owned(flag.id)?;
    let flag = Record::from(flag);
    ctx.store.put(&flag, Expect::Absent).await?;
    for stored in [false, true] {
        for record in &owned {
            if stored {
                ctx.store.put(record, Expect::Absent).await?;
            }
            let delete = || Batch::new().delete(flag.key(), Expect::Present);
            let what = format!("deleting a flag and putting its {}", record.kind());
            let after = delete().put(edited(record, 1), Expect::Any);
            ctx.store.refused(&what, after, ErrorKind::NotFound, &record.key()).await?;
            let before = Batch::new().put(edited(record, 1), Expect::Any).delete(flag.key(), Expect::Present);
            ctx.store.refused(&what, before, ErrorKind::NotFound, &record.key()).await?;
            if stored {
                let required = delete().put(edited(record, 1), Expect::Present);
                ctx.store.refused(&what, required, ErrorKind::NotFound, &record.key()).await?;
            }
        }
    }
    Ok(())
}

async fn c06_an_orphan_can_be_written_again_where_it_is(ctx: &Context) -> Checked {
    let nobody = FlagId::new();
    for record in one_of_each_owned(nobody)? {
        // As a writer leaves it that deletes a flag alone.
        ctx.plant_record(&record).await?;
        let what = format!("writing a {} of no flag again", record.kind());
        let revision = ctx.store.put(&edited(&record, 1), Expect::Present).await?;
        ctx.store.holds(&what, &edited(&record, 1)).await?;
        ctx.store.put(&edited(&record, 2), Expect::Revision(revision.clone())).await?;
        ctx.store.holds(&what, &edited(&record, 2)).await?;
        // Conditions hold as they always do.
        let stale = Batch::new().put(edited(&record, 3), Expect::Revision(revision));
        ctx.store.refused(&what, stale, ErrorKind::Conflict, &record.key()).await?;
        let anew = Batch::new().put(edited(&record, 3), Expect::Absent);
        ctx.store.refused(&what, anew, ErrorKind::AlreadyExists, &record.key()).await?;
        ctx.store.lists(&what, Query::Owned(record.kind(), nobody), [record.key()]).await?;
        ctx.store.holds(&what, &edited(&record, 2)).await?;
    }
    Ok(())
}

async fn c06_an_orphan_is_neither_made_nor_handed_on(ctx: &Context) -> Checked {
    let (flag, nobody) = (flag("f")?, FlagId::new());
    ctx.store.put(&flag.clone().into(), Expect::Absent).await?;
    for kind in Kind::OWNED {
        let (orphan, child) = (owned(kind, nobody)?, owned(kind, flag.id)?);
        ctx.plant_record(&orphan).await?;
        let what = format!("putting a {kind} of no flag that is there already, with Any");
        let any = Batch::new().put(edited(&orphan, 1), Expect::Any);
        ctx.store.refused(&what, any, ErrorKind::NotFound, &orphan.key()).await?;
        ctx.store.put(&child, Expect::Absent).await?;
        for record in [&orphan, &child] {
            // The flag of an override is part of its key.
            let Some(handed_on) = given_to(record, FlagId::new()) else { continue };
            let what = format!("handing {} on to no flag", record.key());
            let batch = Batch::new().put(handed_on, Expect::Present);
            ctx.store.refused(&what, batch, ErrorKind::NotFound, &record.key()).await?;
        }
        let Some(adopted) = given_to(&orphan, flag.id) else { continue };
        let what = format!("giving a {kind} of no flag to one");
        ctx.store.put(&adopted, Expect::Present).await?;
        ctx.store.holds(&what, &adopted).await?;
        ctx.store.lists(&what, Query::Owned(kind, nobody), []).await?;
        ctx.store.lists(&what, Query::Owned(kind, flag.id), [child.key(), adopted.key()]).await?;
    }
    Ok(())
}

async fn c06_a_cascade_takes_every_kind(ctx: &Context) -> Checked {
    let flag = flag("f")?;
    let id = flag.id;
    let mut records = one_of_each_owned(id)?;
    records.extend(one_of_each_owned(id)?.into_iter().filter(|record| record.kind() != Kind::Override));
    for (entity_type, entity_id) in
        [("user", ""), ("user", "a:b:c"), ("tenant", "*"), ("[", "]"), ("user", "u2")]
    {
        records.push(override_of(id, entity_type, entity_id)?.into());
    }
    records.insert(0, flag.into());
    ctx.store.fill(&records).await?;
    ctx.store.delete(&records[0].key(), Expect::Present).await?;
    for key in keys(&records) {
        ctx.store.absent("after deleting the flag", &key).await?;
    }
    for kind in Kind::ALL {
        ctx.store.lists("after deleting the flag", Query::All(kind), []).await?;
        ctx.store.lists("after deleting the flag", Query::Owned(kind, id), []).await?;
    }
    Ok(())
}

async fn c06_a_cascade_spares_what_others_own(ctx: &Context) -> Checked {
    let (mut spared, gone) = (one_of_each("a")?, one_of_each("a:b")?);
    ctx.store.fill(&spared).await?;
    ctx.store.fill(&gone).await?;
    ctx.store.delete(&gone[0].key(), Expect::Present).await?;
    // Nobody owns a segment.
    spared.extend(gone.last().cloned());
    for kind in Kind::ALL {
        let left = spared.iter().filter(|record| record.kind() == kind).map(Record::key);
        ctx.store.lists("after deleting another flag", Query::All(kind), left).await?;
    }
    for record in &spared {
        ctx.store.holds("after deleting another flag", record).await?;
    }
    Ok(())
}

async fn c06_a_cascade_takes_what_a_foreign_writer_stored(ctx: &Context) -> Checked {
    let flag = flag("f")?;
    let owned = one_of_each_owned(flag.id)?;
    let flag = Record::from(flag);
    ctx.store.put(&flag, Expect::Absent).await?;
    for record in &owned {
        ctx.plant_record(record).await?;
        ctx.store.holds("after a foreign write", record).await?;
        if let Some(owner) = record.owner() {
            ctx.store
                .lists("after a foreign write", Query::Owned(record.kind(), owner), [record.key()])
                .await?;
        }
    }
    ctx.store.delete(&flag.key(), Expect::Present).await?;
    for key in keys(&owned) {
        ctx.store.absent("after deleting the flag that owned it", &key).await?;
    }
    Ok(())
}

async fn c06_a_recreated_flag_inherits_nothing(ctx: &Context) -> Checked {
    let flag = flag("f")?;
    let owned = one_of_each_owned(flag.id)?;
    for round in 0..3 {
        ctx.store.put(&flag.clone().into(), Expect::Absent).await?;
        let what = format!("after creating the flag, with the same key and id, for the {round}. time again");
        for record in &owned {
            ctx.store.absent(&what, &record.key()).await?;
            ctx.store.lists(&what, Query::Owned(record.kind(), flag.id), []).await?;
        }
        ctx.store.fill(&owned).await?;
        ctx.store.delete(&Record::from(flag.clone()).key(), Expect::Present).await?;
    }
    Ok(())
}

async fn c06_deleting_what_is_owned_spares_the_flag(ctx: &Context) -> Checked {
    let records = one_of_each("f")?;
    ctx.store.fill(&records).await?;
    for record in records.iter().filter(|record| record.owner().is_some()) {
        ctx.store.delete(&record.key(), Expect::Present).await?;
        ctx.store.holds("after deleting something it owns", &records[0]).await?;
        if let Some(owner) = record.owner() {
            ctx.store.lists("after deleting it", Query::Owned(record.kind(), owner), []).await?;
        }
    }
    Ok(())
}

async fn c06_a_refused_delete_cascades_nothing(ctx: &Context) -> Checked {
    let records = one_of_each("f")?;
    ctx.store.fill(&records).await?;
    let stale = Expect::Revision(flags_core::storage::Revision::new("stale"));
    let delete = Batch::new().delete(records[0].key(), stale);
    ctx.store
        .refused("deleting a flag by a stale revision", delete, ErrorKind::Conflict, &records[0].key())
        .await?;
    for record in &records {
        ctx.store.holds("after a refused delete", record).await?;
    }
    Ok(())
}

async fn c06_an_update_keeps_what_is_owned(ctx: &Context) -> Checked {
    let records = one_of_each("f")?;
    ctx.store.fill(&records).await?;
    ctx.store.put(&edited(&records[0], 1), Expect::Any).await?;
    for record in records.iter().skip(1) {
        ctx.store.holds("after an update of the flag", record).await?;
    }
    Ok(())
}

async fn c06_a_cascade_and_other_operations_share_a_batch(ctx: &Context) -> Checked {
    let (gone, kept) = (one_of_each("gone")?, one_of_each("kept")?);
    ctx.store.fill(&gone).await?;
    ctx.store.fill(&kept).await?;
    let created = one_of_each("created")?;
    let batch = created
        .iter()
        .fold(Batch::new(), |batch, record| batch.put(record.clone(), Expect::Absent))
        .delete(gone[1].key(), Expect::Present)
        .delete(gone[0].key(), Expect::Present)
        .delete(gone[2].key(), Expect::Any)
        .put(edited(&kept[0], 1), Expect::Present);
    ctx.store.commit("a cascade beside creations, an update and deletes of what goes anyway", batch).await?;
    for record in gone.iter().take(5) {
        ctx.store.absent("after it", &record.key()).await?;
    }
    ctx.store.holds("after it", &edited(&kept[0], 1)).await?;
    for record in created.iter().chain(kept.iter().skip(1)) {
        ctx.store.holds("after it", record).await?;
    }
    Ok(())
}

async fn c06_what_the_batch_puts_stays_where_an_id_changes_hands(ctx: &Context) -> Checked {
    let old = flag("old")?;
    let mut new = flag("new")?;
    new.id = old.id;
    let (key, id) = (Record::from(old.clone()).key(), old.id);
    let mut records = one_of_each_owned(id)?;
    records.push(override_of(id, "user", "left behind")?.into());
    ctx.store.put(&old.into(), Expect::Absent).await?;
    ctx.store.fill(&records).await?;
    let kept: Vec<Record> = records.iter().take(Kind::OWNED.len()).map(|record| edited(record, 1)).collect();
    let batch = Batch::new().delete(key.clone(), Expect::Present).put(new.clone(), Expect::Absent);
    let batch = kept.iter().fold(batch, |batch, record| batch.put(record.clone(), Expect::Present));
    let what = "after deleting a flag, giving its id to another, and putting some of what it owned";
    ctx.store.commit(what, batch).await?;
    ctx.store.absent(what, &key).await?;
    ctx.store.holds(what, &new.into()).await?;
    for record in &kept {
        ctx.store.holds(what, record).await?;
        ctx.store.lists(what, Query::Owned(record.kind(), id), [record.key()]).await?;
    }
    ctx.store.absent(what, &records[kept.len()].key()).await
}

async fn c06_deleting_a_twin_spares_what_the_flag_owns(ctx: &Context) -> Checked {
    let flag = flag("flag")?;
    let mut twin = crate::records::flag("twin")?;
    twin.id = flag.id;
    let owned = one_of_each_owned(flag.id)?;
    ctx.store.put(&flag.clone().into(), Expect::Absent).await?;
    ctx.store.fill(&owned).await?;
    // As a foreign writer leaves it that writes a flag under a new key.
    let twin = Record::from(twin);
    ctx.plant_record(&twin).await?;
    let what = "after deleting a flag that a foreign writer gave the id of another";
    ctx.store.delete(&twin.key(), Expect::Present).await?;
    ctx.store.absent(what, &twin.key()).await?;
    for record in owned.iter().chain([&Record::from(flag)]) {
        ctx.store.holds(what, record).await?;
    }
    Ok(())
}
