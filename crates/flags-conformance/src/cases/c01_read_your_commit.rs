//! C1: after a commit every read on every handle sees it.

use flags_core::storage::{Batch, Capability, Expect, Query};
use flags_core::{Flag, Kind, Record};

use crate::case::cases;
use crate::context::Context;
use crate::records::{
    HOSTILE_JSON, edited, flag, hostile_texts, json, keys, one_of_each, override_of, segment,
};
use crate::stop::{Checked, equal, unexpected};

cases! { C1:
    c01_every_kind_is_read_as_it_was_written,
    c01_an_update_is_read_at_once,
    c01_a_delete_is_read_at_once,
    c01_a_second_handle_reads_it_at_once,
    c01_hostile_names_are_only_names,
    c01_hostile_values_come_back_exactly,
    c01_unknown_members_are_kept,
    c01_an_empty_batch_does_nothing,
    c01_durable_commits_survive_reopening,
}

async fn c01_every_kind_is_read_as_it_was_written(ctx: &Context) -> Checked {
    let records = one_of_each("a")?;
    for record in &records {
        let revision = ctx.store.put(record, Expect::Absent).await?;
        let stored = ctx.store.holds("after creating it", record).await?;
        equal("the revision that get answers", &stored.revision, &revision)?;
        ctx.store.lists("after creating it", Query::All(record.kind()), [record.key()]).await?;
        if let Some(owner) = record.owner() {
            ctx.store.lists("after creating it", Query::Owned(record.kind(), owner), [record.key()]).await?;
        }
        if let Some(alias) = record.alias() {
            ctx.store.lists("after creating it", Query::Alias(alias), [record.key()]).await?;
        }
    }
    Ok(())
}

async fn c01_an_update_is_read_at_once(ctx: &Context) -> Checked {
    let records = one_of_each("a")?;
    ctx.store.fill(&records).await?;
    for n in 0..20 {
        for record in &records {
            let record = edited(record, n);
            ctx.store.put(&record, Expect::Present).await?;
            ctx.store.holds("after updating it", &record).await?;
        }
    }
    Ok(())
}

async fn c01_a_delete_is_read_at_once(ctx: &Context) -> Checked {
    let records = one_of_each("a")?;
    ctx.store.fill(&records).await?;
    for record in records.iter().rev() {
        ctx.store.delete(&record.key(), Expect::Present).await?;
        ctx.store.absent("after deleting it", &record.key()).await?;
        ctx.store.lists("after deleting it", Query::All(record.kind()), []).await?;
        if let Some(alias) = record.alias() {
            ctx.store.lists("after deleting it", Query::Alias(alias), []).await?;
        }
    }
    Ok(())
}

async fn c01_a_second_handle_reads_it_at_once(ctx: &Context) -> Checked {
    let second = ctx.second().await?;
    let records = one_of_each("a")?;
    for record in &records {
        second.absent("before creating it, by the second handle", &record.key()).await?;
        ctx.store.put(record, Expect::Absent).await?;
        second.holds("after creating it by the first handle", record).await?;
        let record = edited(record, 1);
        second.put(&record, Expect::Present).await?;
        ctx.store.holds("after updating it by the second handle", &record).await?;
    }
    second.delete(&records[0].key(), Expect::Present).await?;
    ctx.store.absent("after deleting it by the second handle", &records[0].key()).await?;
    for kind in Kind::OWNED {
        ctx.store.lists("after deleting their flag by the second handle", Query::All(kind), []).await?;
    }
    Ok(())
}

async fn c01_hostile_names_are_only_names(ctx: &Context) -> Checked {
    let mut records = Vec::<Record>::new();
    for text in hostile_texts() {
        let flag = flag(&text)?;
        records.push(override_of(flag.id, "user", &text)?.into());
        if !text.contains(':') {
            records.push(override_of(flag.id, &text, "")?.into());
        }
        records.push(segment(&text)?.into());
        records.push(flag.into());
    }
    // The length of keys is another clause's.
    records.retain(|record| record.key().text_len() <= ctx.store.limits().key_bytes);
    // Whatever an override may have to wait for is there then.
    records.sort_by_key(|record| record.owner().is_some());
    ctx.store.fill(&records).await?;
    for record in &records {
        ctx.store.holds("among records with hostile names", record).await?;
        if let Some(alias) = record.alias() {
            ctx.store.lists("among records with hostile names", Query::Alias(alias), [record.key()]).await?;
        }
    }
    for kind in [Kind::Flag, Kind::Override, Kind::Segment] {
        let all = records.iter().filter(|record| record.kind() == kind).map(Record::key);
        ctx.store.lists("among records with hostile names", Query::All(kind), all).await?;
    }
    // One goes, with what it owns; its neighbours stay.
    let mut left = records.clone();
    for gone in &records {
        let Record::Flag(flag) = gone else { continue };
        ctx.store.delete(&gone.key(), Expect::Present).await?;
        left.retain(|record| record.key() != gone.key() && record.owner() != Some(flag.id));
    }
    let contents: Vec<_> = ctx.store.contents().await?.into_keys().collect();
    let mut expected = keys(&left);
    expected.sort();
    equal("what is left once every flag is deleted", &contents, &expected)
}

async fn c01_hostile_values_come_back_exactly(ctx: &Context) -> Checked {
    for (n, text) in HOSTILE_JSON.into_iter().enumerate() {
        let mut hostile = flag(&format!("f{n}"))?;
        hostile.default_value = Some(json(text)?);
        hostile.metadata = json(text)?;
        hostile.description = Some("\0\u{1f}\u{7f}\u{2028}</script>".to_owned());
        let hostile = Record::from(hostile);
        ctx.store.put(&hostile, Expect::Absent).await?;
        ctx.store.holds(&format!("after writing the value {text}"), &hostile).await?;
    }
    Ok(())
}

async fn c01_unknown_members_are_kept(ctx: &Context) -> Checked {
    let mut newer: Flag = flag("newer")?;
    for (n, text) in HOSTILE_JSON.into_iter().enumerate() {
        newer.extra.insert(format!("member {n} of a later version"), json(text)?);
    }
    newer.extra.insert("", json("null")?);
    newer.extra.insert("旗\0", json("1e400")?);
    let newer = Record::from(newer);
    ctx.store.put(&newer, Expect::Absent).await?;
    let stored = ctx.store.holds("after writing members of a later version", &newer).await?;
    ctx.store.put(&edited(&stored.record, 1), Expect::Revision(stored.revision)).await?;
    ctx.store.holds("after an edit of what was read", &edited(&newer, 1)).await?;
    Ok(())
}

async fn c01_an_empty_batch_does_nothing(ctx: &Context) -> Checked {
    let records = one_of_each("a")?;
    ctx.store.fill(&records).await?;
    let before = ctx.store.contents().await?;
    ctx.store.commit("an empty batch", Batch::new()).await?;
    equal("the contents after an empty batch", &ctx.store.contents().await?, &before)
}

async fn c01_durable_commits_survive_reopening(ctx: &Context) -> Checked {
    ctx.requires(Capability::Durable)?;
    let mut records = one_of_each("a")?;
    ctx.store.fill(&records).await?;
    ctx.store.put(&edited(&records[0], 1), Expect::Present).await?;
    ctx.store.delete(&records[1].key(), Expect::Present).await?;
    records.remove(1);
    records[0] = edited(&records[0], 1);
    let before = ctx.store.contents().await?;
    ctx.store.handle.close().await.map_err(|error| unexpected("close", &error))?;
    let again = ctx.reopen().await?;
    for record in &records {
        again.holds("after reopening", record).await?;
        if let Some(alias) = record.alias() {
            again.lists("after reopening", Query::Alias(alias), [record.key()]).await?;
        }
    }
    equal("the contents after reopening, with revisions", &again.contents().await?, &before)
}
