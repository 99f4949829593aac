//! The keys that the origin reads and writes.

use anyhow::Result;
use flags_core::storage::{Batch, Expect, Query};
use flags_core::{
    ErrorKind, FlagKey, Key, Kind, Segment, SegmentName, Storage as _, TimeOfDay, TimeSchedule,
};

use crate::common::{Fixture, change, flag, get, list, listed, phase, put, user};

#[tokio::test]
async fn every_key_is_where_the_origin_looks() -> Result<()> {
    let f = Fixture::new().await?;
    let (flag, segment) = (flag("a:b*"), Segment::new(SegmentName::new("beta")?));
    let (id, over) = (flag.id, user(flag.id, "x:y"));
    let (change, phase) = (change(id), phase(id));
    let schedule = TimeSchedule::new(id, "nights", "22:00".parse()?, "06:00".parse()?);
    put(&f.store, flag).await?;
    put(&f.store, over).await?;
    put(&f.store, change.clone()).await?;
    put(&f.store, schedule.clone()).await?;
    put(&f.store, phase.clone()).await?;
    put(&f.store, segment.clone()).await?;

    let mut expected = vec![
        "flag:a:b*".to_owned(),
        "flags".to_owned(),
        format!("override:{id}:user:x:y"),
        format!("schedule:{}", change.id),
        "schedules".to_owned(),
        format!("schedules:flag:{id}"),
        format!("time_schedule:{}", schedule.id),
        "time_schedules".to_owned(),
        format!("time_schedules:flag:{id}"),
        format!("rollout_phase:{}", phase.id),
        format!("rollout_phases:flag:{id}"),
        format!("segment:{}", segment.id),
        "segments".to_owned(),
    ];
    // Ours, which the origin never asks for.
    expected.extend(["ids", "meta", "overrides", "rollout_phases", "segment_names"].map(str::to_owned));
    expected.push(format!("overrides:flag:{id}"));
    expected.sort();
    assert_eq!(f.keys().await?, expected);

    for (set, member) in [
        ("P flags".to_owned(), "a:b*".to_owned()),
        ("P schedules".to_owned(), change.id.to_string()),
        (format!("P schedules:flag:{id}"), change.id.to_string()),
        ("P time_schedules".to_owned(), schedule.id.to_string()),
        (format!("P time_schedules:flag:{id}"), schedule.id.to_string()),
        (format!("P rollout_phases:flag:{id}"), phase.id.to_string()),
    ] {
        assert_eq!(f.raw::<Vec<String>>(&["SMEMBERS", &set]).await?, [member], "{set}");
    }

    // Deleting the flag leaves nothing behind but the segment.
    let batch = Batch::new().delete(Key::Flag(FlagKey::new("a:b*")?), Expect::Present);
    f.store.commit(batch).await?;
    let segment = format!("segment:{}", segment.id);
    assert_eq!(f.keys().await?, ["meta", segment.as_str(), "segment_names", "segments"]);
    Ok(())
}

#[tokio::test]
async fn a_key_of_another_type_stops_a_commit_before_its_first_write() -> Result<()> {
    let f = Fixture::new().await?;
    let owner = flag("owner");
    put(&f.store, owner.clone()).await?;
    let before = f.keys().await?;
    let _: () = f.raw(&["RPUSH", &format!("P schedules:flag:{}", owner.id), "x"]).await?;

    let batch = Batch::new().put(flag("new"), Expect::Any).put(change(owner.id), Expect::Any);
    let error = f.store.commit(batch).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains("schedules:flag:"), "{error}");
    let _: () = f.raw(&["DEL", &format!("P schedules:flag:{}", owner.id)]).await?;
    assert_eq!(f.keys().await?, before);

    // A listing over it ends with an error that nobody takes for one bad record.
    let _: () = f.raw(&["RPUSH", "P segments", "x"]).await?;
    let segments = list(&f.store, Query::All(Kind::Segment)).await;
    assert!(matches!(&segments[..], [Err(e)] if e.kind() == ErrorKind::Unavailable), "{segments:?}");

    let _: () = f.raw(&["RPUSH", "P flag:list", "x"]).await?;
    let error = put(&f.store, flag("list")).await.unwrap_err();
    assert_eq!(error.key().map(ToString::to_string).as_deref(), Some("flag:list"));
    Ok(())
}

#[tokio::test]
async fn no_index_of_another_type_is_written_to() -> Result<()> {
    let f = Fixture::new().await?;
    let owner = flag("owner");
    let id = owner.id;
    put(&f.store, owner.clone()).await?;
    let window = || TimeSchedule::new(id, "nights", TimeOfDay::MIDNIGHT, TimeOfDay::LAST_MINUTE);
    let everything = || {
        let segment = Segment::new(SegmentName::new("beta").expect("a name"));
        Batch::new()
            .put(flag("new"), Expect::Any)
            .put(user(id, "x"), Expect::Any)
            .put(change(id), Expect::Any)
            .put(window(), Expect::Any)
            .put(phase(id), Expect::Any)
            .put(segment, Expect::Any)
    };
    let mut indexes: Vec<String> =
        ["flags", "ids", "overrides", "schedules", "time_schedules", "rollout_phases", "segments"]
            .into_iter()
            .map(str::to_owned)
            .collect();
    indexes.push("segment_names".to_owned());
    for kind in ["overrides", "schedules", "time_schedules", "rollout_phases"] {
        indexes.push(format!("{kind}:flag:{id}"));
    }
    for index in indexes {
        // What is there is put aside, and a list takes its place.
        let name = format!("P {index}");
        let moved = f.raw::<()>(&["RENAME", &name, "P aside"]).await.is_ok();
        let _: () = f.raw(&["RPUSH", &name, "x"]).await?;
        let before = f.keys().await?;
        let error = f.store.commit(everything()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{index}: {error}");
        assert!(error.to_string().contains(&format!("{index}\"")), "{index}: {error}");
        assert_eq!(f.keys().await?, before, "{index}");
        assert_eq!(f.raw::<Vec<String>>(&["LRANGE", &name, "0", "-1"]).await?, ["x"], "{index}");
        let _: () = f.raw(&["DEL", &name]).await?;
        if moved {
            let _: () = f.raw(&["RENAME", "P aside", &name]).await?;
        }
    }
    f.store.commit(everything()).await?;

    // The marker is written when a store is opened.
    let _: () = f.raw(&["DEL", "P meta"]).await?;
    let _: () = f.raw(&["RPUSH", "P meta", "x"]).await?;
    let error = f.another().await.unwrap_err();
    let error = error.downcast::<flags_core::Error>()?;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("another type"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_corrupt_value_is_named_and_the_rest_is_served() -> Result<()> {
    let f = Fixture::new().await?;
    put(&f.store, flag("good")).await?;
    for (key, value) in [("bad", "{"), ("other", "{\"id\":\"x\"}")] {
        let _: () = f.raw(&["SET", &format!("P flag:{key}"), value]).await?;
        let _: () = f.raw(&["SADD", "P flags", key]).await?;
    }
    let _: () = f.raw(&["SADD", "P flags", "gone"]).await?;
    let all = list(&f.store, Query::All(Kind::Flag)).await;
    assert_eq!(all.len(), 3);
    let corrupt: Vec<_> = all.into_iter().filter_map(Result::err).collect();
    assert!(corrupt.iter().all(|e| e.kind() == ErrorKind::Corrupt && e.revision().is_some()));
    assert_eq!(corrupt.len(), 2);
    let bad = Key::Flag(FlagKey::new("bad")?);
    let revision = get(&f.store, &bad).await.unwrap_err().revision().cloned();
    let batch = Batch::new().put(flag("bad"), Expect::Revision(revision.expect("a revision")));
    f.store.commit(batch).await?;
    assert!(get(&f.store, &bad).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn names_that_patterns_treat_specially_are_names() -> Result<()> {
    let f = Fixture::new().await?;
    let names = ["*", "a?", "[a]", "\\", "a->b", "#", "{x}", "flags", "ü \n\u{0}"];
    for name in names {
        put(&f.store, flag(name)).await?;
    }
    let id = flag("x").id;
    assert!(listed(&f.store, Query::Owned(Kind::Override, id)).await?.is_empty());
    assert_eq!(listed(&f.store, Query::All(Kind::Flag)).await?.len(), names.len());
    Ok(())
}

#[tokio::test]
async fn a_prefix_that_begins_another_sees_nothing_of_it() -> Result<()> {
    let outer = Fixture::new().await?;
    let inner = Fixture::with_prefix(format!("{}x:", outer.prefix)).await?;
    for f in [&outer, &inner] {
        let flag = flag(&f.prefix);
        put(&f.store, flag.clone()).await?;
        put(&f.store, user(flag.id, "1")).await?;
        put(&f.store, phase(flag.id)).await?;
    }
    for f in [&outer, &inner] {
        for kind in [Kind::Flag, Kind::Override, Kind::RolloutPhase] {
            assert_eq!(listed(&f.store, Query::All(kind)).await?.len(), 1, "{kind} under {}", f.prefix);
        }
    }
    Ok(())
}
