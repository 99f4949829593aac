//! Aliases, owners and cascades (C6, C7) where the keys show them.

use anyhow::Result;
use flags_core::storage::{Batch, Expect, Limit, Query};
use flags_core::{Alias, ErrorKind, Key, Kind, Record, Segment, SegmentName, Storage as _};

use crate::common::{Fixture, change, flag, get, listed, phase, put, user};

#[tokio::test]
async fn an_id_hint_is_removed_only_while_it_names_this_flag() -> Result<()> {
    let f = Fixture::new().await?;
    let (a, mut b) = (flag("a"), flag("b"));
    b.id = a.id;
    put(&f.store, a.clone()).await?;
    // A writer of another library renames the flag: same id, another key.
    let json = String::from_utf8(Record::from(b.clone()).encode()?)?;
    let _: () = f.raw(&["SET", "P flag:b", &json]).await?;
    let _: () = f.raw(&["SADD", "P flags", "b"]).await?;
    let _: () = f.raw(&["HSET", "P ids", &a.id.to_string(), "b"]).await?;
    f.store.commit(Batch::new().delete(Record::from(a.clone()).key(), Expect::Present)).await?;
    assert_eq!(f.raw::<String>(&["HGET", "P ids", &a.id.to_string()]).await?, "b");
    let found = listed(&f.store, Query::Alias(Alias::FlagId(a.id))).await?;
    assert_eq!(found, [Record::from(b.clone()).key()]);
    f.store.commit(Batch::new().delete(Record::from(b).key(), Expect::Present)).await?;
    assert_eq!(f.raw::<i64>(&["EXISTS", "P ids"]).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_stale_hint_is_no_obstacle_and_a_true_one_is() -> Result<()> {
    let f = Fixture::new().await?;
    let a = flag("a");
    put(&f.store, a.clone()).await?;
    let mut b = flag("b");
    b.id = a.id;
    for store in [&f.store, &f.another().await?] {
        let error = put(store, b.clone()).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Conflict, Some("id")));
    }
    let mut rebound = a.clone();
    rebound.id = flag("x").id;
    assert_eq!(put(&f.store, rebound).await.unwrap_err().kind(), ErrorKind::Conflict);
    // Deleted behind our back, the flag no longer holds its id.
    let _: () = f.raw(&["DEL", "P flag:a"]).await?;
    put(&f.store, b).await?;
    Ok(())
}

#[tokio::test]
async fn one_batch_hands_an_alias_on() -> Result<()> {
    let f = Fixture::new().await?;
    let (a, mut b) = (flag("a"), flag("b"));
    b.id = a.id;
    put(&f.store, a.clone()).await?;
    put(&f.store, user(a.id, "old")).await?;
    let batch = Batch::new()
        .put(user(a.id, "new"), Expect::Absent)
        .put(b.clone(), Expect::Absent)
        .delete(Record::from(a.clone()).key(), Expect::Present);
    f.store.commit(batch).await?;
    let owned = listed(&f.store, Query::Owned(Kind::Override, a.id)).await?;
    assert_eq!(owned, [Record::from(user(a.id, "new")).key()]);
    assert_eq!(f.raw::<String>(&["HGET", "P ids", &a.id.to_string()]).await?, "b");

    let (mut one, mut two) = (Segment::new(SegmentName::new("one")?), Segment::new(SegmentName::new("two")?));
    f.store.commit(Batch::new().put(one.clone(), Expect::Absent).put(two.clone(), Expect::Absent)).await?;
    assert_eq!(put(&f.store, Segment::new(one.name.clone())).await.unwrap_err().field(), Some("name"));
    std::mem::swap(&mut one.name, &mut two.name);
    f.store.commit(Batch::new().put(one.clone(), Expect::Present).put(two.clone(), Expect::Present)).await?;
    let names: Vec<(String, String)> = {
        let flat: Vec<String> = f.raw(&["HGETALL", "P segment_names"]).await?;
        flat.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
    };
    assert!(names.contains(&("two".into(), one.id.to_string())) && names.len() == 2, "{names:?}");
    let found = listed(&f.store, Query::Alias(Alias::SegmentName(two.name.clone()))).await?;
    assert_eq!(found, [Record::from(two).key()]);
    Ok(())
}

#[tokio::test]
async fn a_record_that_changes_its_owner_leaves_the_old_index() -> Result<()> {
    let f = Fixture::new().await?;
    let (a, b) = (flag("a"), flag("b"));
    f.store.commit(Batch::new().put(a.clone(), Expect::Absent).put(b.clone(), Expect::Absent)).await?;
    let mut moved = change(a.id);
    put(&f.store, moved.clone()).await?;
    moved.flag_id = b.id;
    put(&f.store, moved.clone()).await?;
    assert!(listed(&f.store, Query::Owned(Kind::ScheduledChange, a.id)).await?.is_empty());
    f.store.commit(Batch::new().delete(Record::from(a).key(), Expect::Any)).await?;
    assert!(get(&f.store, &Key::ScheduledChange(moved.id)).await?.is_some());
    f.store.commit(Batch::new().delete(Key::ScheduledChange(moved.id), Expect::Present)).await?;
    assert_eq!(f.raw::<i64>(&["EXISTS", &format!("P schedules:flag:{}", b.id), "P schedules"]).await?, 0);
    Ok(())
}

#[tokio::test]
async fn members_that_change_while_their_number_does_not_are_noticed() -> Result<()> {
    let f = Fixture::new().await?;
    // The writers run against the delete: whatever it misses would be left in the indexes.
    for round in 0..30 {
        let owner = flag(&format!("f{round}"));
        put(&f.store, owner.clone()).await?;
        let mut old = change(owner.id);
        put(&f.store, old.clone()).await?;
        let (writer, id) = (f.another().await?, owner.id);
        let swapping = tokio::spawn(async move {
            for _ in 0..40 {
                let new = change(id);
                let batch = Batch::new()
                    .delete(Key::ScheduledChange(old.id), Expect::Any)
                    .put(new.clone(), Expect::Absent);
                match writer.commit(batch).await {
                    Ok(_) => old = new,
                    Err(error) => return assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
                }
            }
        });
        tokio::time::sleep(std::time::Duration::from_millis(round % 7)).await;
        let delete = || Batch::new().delete(Record::from(owner.clone()).key(), Expect::Any);
        while let Err(error) = f.indexed().await?.commit(delete()).await {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        }
        swapping.await?;
    }
    assert_eq!(f.keys().await?, ["meta"]);
    Ok(())
}

#[tokio::test]
async fn a_cascade_past_the_limit_is_refused_whole() -> Result<()> {
    let f = Fixture::new().await?;
    let owner = flag("big");
    put(&f.store, owner.clone()).await?;
    put(&f.store, phase(owner.id)).await?;
    for chunk in 0..10 {
        let batch: Batch = (0..1_000)
            .map(|n| {
                flags_core::storage::Op::Put(user(owner.id, &format!("{chunk}-{n}")).into(), Expect::Any)
            })
            .collect();
        f.store.commit(batch).await?;
    }
    let key = Record::from(owner.clone()).key();
    let error = f.store.commit(Batch::new().delete(key.clone(), Expect::Any)).await.unwrap_err();
    assert_eq!((error.kind(), error.limit()), (ErrorKind::Invalid, Some(Limit::OwnedPerDelete)));
    assert_eq!(listed(&f.store, Query::Owned(Kind::Override, owner.id)).await?.len(), 10_000);
    let one = Record::from(user(owner.id, "0-0")).key();
    f.store.commit(Batch::new().delete(one, Expect::Present)).await?;
    let begun = std::time::Instant::now();
    f.store.commit(Batch::new().delete(key, Expect::Any)).await?;
    println!("a cascade of 10,000 records: {:?}", begun.elapsed());
    assert_eq!(f.keys().await?, ["meta"]);
    Ok(())
}
