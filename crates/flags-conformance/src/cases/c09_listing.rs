//! C9: every record is listed exactly once.

use std::collections::HashMap;

use flags_core::storage::{Batch, Expect, Query};
use flags_core::{ErrorKind, FlagId, Key, Kind, Record};
use futures_util::StreamExt;

use crate::case::cases;
use crate::context::Context;
use crate::records::{WORDS_OF_PUSHES, edited, flag, flags, keys, one_of_each, one_of_each_owned, overrides};
use crate::stop::{Checked, Stop, describe, ensure, equal, fail, short};
use crate::store::bounded;

cases! { C9:
    c09_an_empty_store_lists_nothing,
    c09_many_records_are_listed_once_each,
    c09_owned_records_are_listed_by_owner,
    c09_every_kind_is_listed_apart,
    c09_records_that_stay_are_listed_once_while_others_change,
    c09_a_corrupt_record_hides_no_other,
    c09_a_corrupt_record_of_every_kind_is_listed,
    c09_stored_bytes_that_read_like_a_push_hide_no_record,
    c09_two_listings_do_not_disturb_each_other,
}

/// More than one page of any backend.
const MANY: usize = 1_700;

async fn c09_an_empty_store_lists_nothing(ctx: &Context) -> Checked {
    for kind in Kind::ALL {
        ctx.store.lists("of an empty store", Query::All(kind), []).await?;
        ctx.store.lists("of an empty store", Query::Owned(kind, FlagId::new()), []).await?;
    }
    Ok(())
}

async fn c09_many_records_are_listed_once_each(ctx: &Context) -> Checked {
    let records = flags(MANY, "f")?;
    ctx.store.fill(&records).await?;
    ctx.store.lists("of many", Query::All(Kind::Flag), keys(&records)).await?;
    let by_key: HashMap<Key, &Record> = records.iter().map(|record| (record.key(), record)).collect();
    for stored in ctx.store.list(Query::All(Kind::Flag)).await?.records {
        equal("a listed record", &Some(&stored.record), &by_key.get(&stored.record.key()).copied())?;
    }
    Ok(())
}

async fn c09_owned_records_are_listed_by_owner(ctx: &Context) -> Checked {
    let (a, b, c) = (flag("a")?, flag("b")?, flag("c")?);
    ctx.store.fill(&[a.clone().into(), b.clone().into(), c.clone().into()]).await?;
    let (of_a, of_b) = (overrides(MANY, a.id)?, overrides(7, b.id)?);
    ctx.store.fill(&of_a).await?;
    ctx.store.fill(&of_b).await?;
    ctx.store.lists("of an owner of many", Query::Owned(Kind::Override, a.id), keys(&of_a)).await?;
    ctx.store.lists("of an owner of a few", Query::Owned(Kind::Override, b.id), keys(&of_b)).await?;
    ctx.store.lists("of an owner of none", Query::Owned(Kind::Override, c.id), []).await?;
    let all = keys(&of_a).into_iter().chain(keys(&of_b));
    ctx.store.lists("of all owners", Query::All(Kind::Override), all).await
}

async fn c09_every_kind_is_listed_apart(ctx: &Context) -> Checked {
    let (a, b) = (one_of_each("a")?, one_of_each("b")?);
    ctx.store.fill(&a).await?;
    ctx.store.fill(&b).await?;
    for (a, b) in a.iter().zip(&b) {
        ctx.store.lists("of one kind", Query::All(a.kind()), [a.key(), b.key()]).await?;
        if let (Some(of_a), Some(of_b)) = (a.owner(), b.owner()) {
            ctx.store.lists("of one owner", Query::Owned(a.kind(), of_a), [a.key()]).await?;
            ctx.store.lists("of the other owner", Query::Owned(b.kind(), of_b), [b.key()]).await?;
        }
    }
    // No flag owns a flag or a segment.
    for owner in a.iter().filter_map(Record::owner).take(1) {
        for kind in [Kind::Flag, Kind::Segment] {
            ctx.store.lists("of what cannot be owned", Query::Owned(kind, owner), []).await?;
        }
    }
    Ok(())
}

async fn c09_records_that_stay_are_listed_once_while_others_change(ctx: &Context) -> Checked {
    let (staying, mut passing) = (flags(MANY, "staying")?, flags(300, "passing")?);
    ctx.store.fill(&staying).await?;
    ctx.store.fill(&passing).await?;
    let mut times: HashMap<Key, usize> = staying.iter().map(|record| (record.key(), 0)).collect();
    let (mut listing, mut items, mut n) = (ctx.store.handle.list(Query::All(Kind::Flag)), 0_usize, 0_u32);
    while let Some(item) = bounded("a listing amid changes", listing.next()).await? {
        let stored =
            item.map_err(|error| Stop::failed(format!("a listing amid changes: {}", describe(&error))))?;
        times.entry(stored.record.key()).and_modify(|times| *times += 1);
        items += 1;
        if items % 40 == 0 {
            n += 1;
            // Some go, some come, and some that stay are written anew, wherever the listing has got to.
            let mut batch = Batch::new();
            for gone in passing.drain(..5.min(passing.len())) {
                batch = batch.delete(gone.key(), Expect::Any);
            }
            for come in flags(5, &format!("coming {n} "))? {
                batch = batch.put(come, Expect::Absent);
            }
            for record in staying.iter().skip(n as usize).step_by(staying.len() / 5) {
                batch = batch.put(edited(record, n), Expect::Present);
            }
            ctx.store.commit("a change amid a listing", batch).await?;
        }
    }
    let wrong: Vec<_> = times.iter().filter(|(_, times)| **times != 1).collect();
    ensure!(
        wrong.is_empty(),
        "records that stay, amid changes: expected each once, came (with how often) {}",
        short(&wrong)
    );
    ensure!(n > 0, "the suite changed nothing amid the listing");
    Ok(())
}

async fn c09_a_corrupt_record_hides_no_other(ctx: &Context) -> Checked {
    let records = flags(MANY, "f")?;
    ctx.store.fill(&records).await?;
    let corrupt: Vec<&Record> = records.iter().skip(3).step_by(170).collect();
    for record in &corrupt {
        ctx.spoil(record, "{\"id\":").await?;
    }
    let mut corrupt: Vec<Key> = corrupt.into_iter().map(Record::key).collect();
    corrupt.sort();
    let listed = ctx.store.list(Query::All(Kind::Flag)).await?;
    let mut came: Vec<Key> = listed.corrupt.iter().filter_map(|error| error.key().cloned()).collect();
    came.sort();
    equal("the keys of the corrupt records that a listing names", &came, &corrupt)?;
    let mut sound: Vec<Key> = keys(&records).into_iter().filter(|key| !corrupt.contains(key)).collect();
    sound.sort();
    equal("the sound records that a listing with corrupt ones yields", &listed.keys(), &sound)
}

async fn c09_a_corrupt_record_of_every_kind_is_listed(ctx: &Context) -> Checked {
    for kind in Kind::ALL {
        let (broken, sound) =
            (one_of_each(&format!("broken {kind}"))?, one_of_each(&format!("sound {kind}"))?);
        ctx.store.fill(&broken).await?;
        ctx.store.fill(&sound).await?;
        let Some(broken) = broken.iter().find(|record| record.kind() == kind) else {
            fail!("the suite made no record of kind {kind}")
        };
        let key = broken.key();
        ctx.spoil(broken, "[1, 2").await?;
        let listed = ctx.store.list(Query::All(kind)).await?;
        let errors: Vec<_> = listed.corrupt.iter().map(|error| (error.kind(), error.key())).collect();
        equal("the errors that a listing yields", &errors, &vec![(ErrorKind::Corrupt, Some(&key))])?;
        let found = sound.iter().all(|record| {
            record.kind() != kind || listed.records.iter().any(|stored| stored.record == *record)
        });
        ensure!(
            found,
            "listing {kind} with a corrupt one: expected the sound one as well, came {}",
            short(&listed.records)
        );
        ctx.store.delete(&key, Expect::Present).await?;
        let left = ctx.store.list(Query::All(kind)).await?.corrupt;
        ensure!(left.is_empty(), "listing {kind} after deleting the corrupt one: came {left:?}");
    }
    Ok(())
}

async fn c09_stored_bytes_that_read_like_a_push_hide_no_record(ctx: &Context) -> Checked {
    // Names, and so members of indexes.
    let mut named = Vec::new();
    for word in WORDS_OF_PUSHES {
        let records = one_of_each(word)?;
        ctx.store.fill(&records).await?;
        named.push(records[0].key());
        ctx.store.lists("of flags whose keys are such words", Query::All(Kind::Flag), named.clone()).await?;
        for record in &records {
            if let Some(owner) = record.owner() {
                ctx.store.lists("of one owner", Query::Owned(record.kind(), owner), [record.key()]).await?;
            }
        }
    }
    for key in &named {
        ctx.store.delete(key, Expect::Present).await?;
    }
    // Values.
    for word in WORDS_OF_PUSHES {
        let mut corrupt = Vec::new();
        for record in flags(4, "f")? {
            ctx.plant(&record.key(), word).await?;
            corrupt.push(record.key());
            let listed = ctx.store.list(Query::All(Kind::Flag)).await?;
            let mut came: Vec<Key> = listed.corrupt.iter().filter_map(|error| error.key().cloned()).collect();
            came.sort();
            equal(
                &format!("the corrupt records that a listing names, each of them {word:?}"),
                &came,
                &corrupt,
            )?;
            equal("the records that a listing yields beside them", &listed.keys(), &Vec::new())?;
        }
        for key in &corrupt {
            ctx.store.delete(key, Expect::Present).await?;
        }
    }
    Ok(())
}

async fn c09_two_listings_do_not_disturb_each_other(ctx: &Context) -> Checked {
    let flag = flag("f")?;
    let owned = one_of_each_owned(flag.id)?;
    ctx.store.put(&flag.into(), Expect::Absent).await?;
    ctx.store.fill(&owned).await?;
    ctx.store.fill(&flags(50, "f")?).await?;
    let mut flags = ctx.store.handle.list(Query::All(Kind::Flag));
    let mut again = ctx.store.handle.list(Query::All(Kind::Flag));
    let (mut first, mut second) = (0, 0);
    loop {
        let a = bounded("the first of two listings", flags.next()).await?;
        let b = bounded("the second of two listings", again.next()).await?;
        first += usize::from(a.is_some());
        second += usize::from(b.is_some());
        if a.is_none() && b.is_none() {
            break;
        }
    }
    equal("the items of two listings that are read in turns", &(first, second), &(51, 51))
}
