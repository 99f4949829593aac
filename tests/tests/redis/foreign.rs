//! Living beside the origin, which writes values and indexes by itself.

use anyhow::Result;
use flags_core::storage::{Batch, Expect, Query};
use flags_core::{Alias, ErrorKind, Flag, Kind, Record, Storage as _};

use crate::common::{Fixture, change, flag, get, listed, phase, put, user};

impl Fixture {
    /// What the origin's `create_*` do.
    async fn write_as_origin(&self, record: Record) -> Result<()> {
        let json = String::from_utf8(record.encode()?)?;
        let owned = |kind: &str, id: String, owner: String| {
            (format!("P {kind}:{id}"), vec![format!("P {kind}s"), format!("P {kind}s:flag:{owner}")], id)
        };
        let (key, sets, member) = match &record {
            Record::Flag(r) => (format!("P flag:{}", r.key), vec!["P flags".into()], r.key.to_string()),
            Record::Override(r) => {
                (format!("P override:{}:{}:{}", r.flag_id, r.entity_type, r.entity_id), vec![], String::new())
            }
            Record::ScheduledChange(r) => owned("schedule", r.id.to_string(), r.flag_id.to_string()),
            Record::RolloutPhase(r) => {
                let (key, sets, member) = owned("rollout_phase", r.id.to_string(), r.flag_id.to_string());
                (key, sets[1..].to_vec(), member)
            }
            _ => anyhow::bail!("not in the origin"),
        };
        let _: () = self.raw(&["SET", &key, &json]).await?;
        for set in sets {
            let _: () = self.raw(&["SADD", &set, &member]).await?;
        }
        Ok(())
    }

    async fn foreign_flag(&self, key: &str) -> Result<Flag> {
        let flag = flag(key);
        self.write_as_origin(flag.clone().into()).await?;
        Ok(flag)
    }
}

#[tokio::test]
async fn what_the_origin_wrote_is_listed_once() -> Result<()> {
    let f = Fixture::new().await?;
    let theirs = f.foreign_flag("theirs").await?;
    for record in [user(theirs.id, "x").into(), change(theirs.id).into(), Record::from(phase(theirs.id))] {
        f.write_as_origin(record).await?;
    }
    for record in [user(theirs.id, "y").into(), change(theirs.id).into(), Record::from(phase(theirs.id))] {
        put(&f.store, record).await?;
    }
    for kind in [Kind::Override, Kind::ScheduledChange, Kind::RolloutPhase] {
        assert_eq!(listed(&f.store, Query::All(kind)).await?.len(), 2, "all {kind}");
        assert_eq!(listed(&f.store, Query::Owned(kind, theirs.id)).await?.len(), 2, "{kind} of the flag");
    }
    let indexed = f.indexed().await?;
    assert_eq!(listed(&indexed, Query::All(Kind::Override)).await?.len(), 1);
    f.store.commit(Batch::new().delete(Record::from(theirs).key(), Expect::Present)).await?;
    assert_eq!(f.keys().await?, ["meta"]);
    Ok(())
}

#[tokio::test]
async fn a_foreign_flag_is_found_by_its_id_and_adopted() -> Result<()> {
    let f = Fixture::new().await?;
    let theirs = f.foreign_flag("theirs").await?;
    put(&f.store, user(theirs.id, "x")).await?;
    assert_eq!(f.raw::<String>(&["HGET", "P ids", &theirs.id.to_string()]).await?, "theirs");

    // One that was only read is adopted by the next commit, and its id is defended before.
    let read = f.foreign_flag("read").await?;
    assert!(get(&f.store, &Record::from(read.clone()).key()).await?.is_some());
    let mut thief = flag("thief");
    thief.id = read.id;
    assert_eq!(put(&f.store, thief).await.unwrap_err().kind(), ErrorKind::Conflict);
    put(&f.store, flag("any")).await?;
    assert_eq!(f.raw::<String>(&["HGET", "P ids", &read.id.to_string()]).await?, "read");

    let unread = f.foreign_flag("unread").await?;
    let by_id = listed(&f.another().await?, Query::Alias(Alias::FlagId(unread.id))).await?;
    assert_eq!(by_id, [Record::from(unread).key()]);
    Ok(())
}

#[tokio::test]
async fn a_write_of_the_origin_changes_the_revision() -> Result<()> {
    let f = Fixture::new().await?;
    let mut ours = flag("a");
    let revision = put(&f.store, ours.clone()).await?.after.expect("a revision");
    ours.default_enabled = true;
    f.write_as_origin(ours.clone().into()).await?;
    let batch = Batch::new().put(ours, Expect::Revision(revision));
    assert_eq!(f.store.commit(batch).await.unwrap_err().kind(), ErrorKind::Conflict);
    Ok(())
}

#[tokio::test]
async fn an_owner_that_nobody_has_is_not_found() -> Result<()> {
    let f = Fixture::new().await?;
    let gone = flag("gone");
    let error = put(&f.store, user(gone.id, "x")).await.unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::NotFound, Some("flag_id")));
    // Deleted by the origin after this handle had seen it.
    put(&f.store, gone.clone()).await?;
    let _: () = f.raw(&["DEL", "P flag:gone"]).await?;
    let _: () = f.raw(&["SREM", "P flags", "gone"]).await?;
    assert_eq!(put(&f.store, user(gone.id, "x")).await.unwrap_err().kind(), ErrorKind::NotFound);
    Ok(())
}

#[tokio::test]
async fn a_value_that_only_python_reads_is_corrupt_and_can_be_deleted() -> Result<()> {
    let f = Fixture::new().await?;
    let theirs = f.foreign_flag("nan").await?;
    put(&f.store, change(theirs.id)).await?;
    let json = String::from_utf8(Record::from(theirs.clone()).encode()?)?;
    let json = json.replace("\"default_value\":null", "\"default_value\":NaN");
    assert!(json.contains("NaN"));
    let _: () = f.raw(&["SET", "P flag:nan", &json]).await?;
    let key = Record::from(theirs).key();
    assert_eq!(get(&f.store, &key).await.unwrap_err().kind(), ErrorKind::Corrupt);
    f.store.commit(Batch::new().delete(key, Expect::Present)).await?;
    assert_eq!(f.keys().await?, ["meta"]);
    Ok(())
}

#[tokio::test]
async fn members_of_indexes_that_read_like_a_push_are_members_of_indexes() -> Result<()> {
    let f = Fixture::new().await?;
    let words = ["subscribe", "psubscribe", "unsubscribe", "sunsubscribe"];
    for count in 1..=words.len() {
        let owner = flag(&count.to_string());
        put(&f.store, owner.clone()).await?;
        for index in ["schedules", "time_schedules", "rollout_phases"] {
            let index = format!("P {index}:flag:{}", owner.id);
            let _: () = f.raw(&[&["SADD", &index], &words[..count]].concat()).await?;
        }
        for word in &words[..count] {
            let _: () = f.raw(&["ZADD", &format!("P overrides:flag:{}", owner.id), "+inf", word]).await?;
            let _: () = f.raw(&["ZADD", "P overrides", "+inf", word]).await?;
        }
        for kind in Kind::OWNED {
            assert_eq!(listed(&f.store, Query::Owned(kind, owner.id)).await?, [], "{kind}, {count}");
        }
        assert_eq!(listed(&f.store, Query::All(Kind::RolloutPhase)).await?, [], "{count}");
        assert_eq!(listed(&f.store, Query::All(Kind::Override)).await?, [], "{count}");
        put(&f.store, change(owner.id)).await?;
        assert_eq!(listed(&f.store, Query::All(Kind::ScheduledChange)).await?.len(), count);
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_name_in_the_indexes_of_a_flag_goes_with_it() -> Result<()> {
    let f = Fixture::new().await?;
    let (owner, others) = (flag("a"), flag("b"));
    for flag in [&owner, &others] {
        put(&f.store, flag.clone()).await?;
        put(&f.store, change(flag.id)).await?;
        put(&f.store, user(flag.id, "x")).await?;
    }
    // Among them a record's name as nobody of us spells it.
    let shouted = uuid::Uuid::new_v4().to_string().to_uppercase();
    for index in ["schedules", "time_schedules", "rollout_phases"] {
        let index = format!("P {index}:flag:{}", owner.id);
        let _: () = f.raw(&["SADD", &index, "no name", "\u{fffd}", "message", &shouted]).await?;
    }
    let overrides = format!("P overrides:flag:{}", owner.id);
    let _: () = f.raw(&["ZADD", &overrides, "+inf", "no name", "99999999999999", "message"]).await?;
    let bytes = (format!("{}schedules:flag:{}", f.prefix, owner.id), b"\xff\xfe");
    let _: () = redis::cmd("SADD").arg(bytes.0).arg(bytes.1).query_async(&mut f.raw.clone()).await?;
    let deleted = Record::from(owner).key();
    f.store.commit(Batch::new().delete(deleted.clone(), Expect::Present)).await?;
    assert!(get(&f.store, &deleted).await?.is_none());
    f.store.commit(Batch::new().delete(Record::from(others).key(), Expect::Present)).await?;
    assert_eq!(f.keys().await?, ["meta"]);
    Ok(())
}

#[tokio::test]
async fn of_flags_with_one_id_every_handle_finds_the_same() -> Result<()> {
    let f = Fixture::new().await?;
    let mut twins = ["d", "b", "c"].map(flag);
    let id = twins[0].id;
    for twin in &mut twins {
        twin.id = id;
        f.write_as_origin(twin.clone().into()).await?;
    }
    let key = |name: &str| Record::from(flag(name)).key();
    let by_id = || Query::Alias(Alias::FlagId(id));
    // Some have read one of them alone, some all, some none.
    let mut handles = vec![f.another().await?, f.another().await?];
    for name in ["b", "c", "d"] {
        let handle = f.another().await?;
        assert!(get(&handle, &key(name)).await?.is_some());
        handles.push(handle);
    }
    assert_eq!(listed(&handles[0], Query::All(Kind::Flag)).await?.len(), 3);
    let all_find = async |name: &str| -> Result<()> {
        for (number, handle) in handles.iter().enumerate() {
            assert_eq!(listed(handle, by_id()).await?, [key(name)], "{name}, by handle {number}");
        }
        Ok(())
    };
    // The store knows of none of them.
    all_find("b").await?;
    // One has it; then it is gone, and so is another that the hash names though it has never had it.
    f.raw::<()>(&["HSET", "P ids", &id.to_string(), "d"]).await?;
    all_find("d").await?;
    f.store.commit(Batch::new().delete(key("d"), Expect::Present)).await?;
    all_find("b").await?;
    f.raw::<()>(&["HSET", "P ids", &id.to_string(), "nobody"]).await?;
    all_find("b").await?;
    f.raw::<()>(&["DEL", "P flag:b"]).await?;
    all_find("c").await?;
    // Whoever owns something there has it.
    let fresh = f.another().await?;
    put(&fresh, user(id, "x")).await?;
    all_find("c").await
}
