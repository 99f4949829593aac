//! What the origin gets wrong, and what we do in the same place: a case each, the origin first.

use std::time::Duration;

use anyhow::{Context as _, Result};
use flags_client::Scheduler;
use flags_core::storage::Query;
use flags_core::{
    ChangeType, EntityType, ErrorKind, Flag, FlagStore, Key, Kind, Override, Record, RolloutPhase,
    ScheduledChange, Storage as _, TimeSchedule, Timestamp,
};
use flags_tests::origin::Origin;
use flags_tests::proxy::Proxy;
use flags_tests::server::{Server, patient, raw, unique_prefix};
use serde_json::{Value, json};

use crate::common::{Pair, USERS, at, family, flag, flag_key, head, names, raised, schedule, snapshot, user};

/// The value of a flag, as an argument for the origin.
fn text(flag: &Flag) -> Result<[Value; 1]> {
    Ok([json!(serde_json::to_string(flag)?)])
}

#[tokio::test]
async fn a_duplicate_create() -> Result<()> {
    let mut p = Pair::new().await?;
    let (first, second) = (flag("a"), flag("a"));
    // It replaces the first, id and all, and says that all is well.
    p.theirs.write("create_flag", &first)?;
    p.theirs.write("create_flag", &second)?;
    assert_eq!(p.theirs.one::<Flag>("get_flag", &[json!("a")])?.context("there")?.id, second.id);

    let error = p.ours.create_flag(first).await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::AlreadyExists, Some(&Key::Flag(flag_key("a")))));
    assert_eq!(p.ours.get_flag(&flag_key("a")).await?.context("there")?.id, second.id);
    Ok(())
}

#[tokio::test]
async fn an_update_of_a_missing_flag() -> Result<()> {
    let mut p = Pair::new().await?;
    // It stores a flag that no listing shows.
    let ghost = p.theirs.write("update_flag", &flag("ghost"))?;
    assert!(p.theirs.all::<Flag>("get_all_active_flags", &[])?.is_empty());
    assert!(p.theirs.one::<Flag>("get_flag", &[json!("ghost")])?.is_some());

    let error = p.ours.update_flag(flag("missing"), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(p.ours.get_flag(&flag_key("missing")).await?.is_none());
    // What it left is a flag to us; writing it puts it into the listings, of both.
    assert_eq!(p.ours.create_flag(flag("ghost")).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    p.ours.update_flag(ghost, None).await?;
    assert_eq!(p.ours.get_all_flags().await?.len(), 1);
    assert_eq!(p.theirs.all::<Flag>("get_all_active_flags", &[])?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn orphans_after_a_delete() -> Result<()> {
    let mut p = Pair::new().await?;
    let (theirs, ours) = (family("theirs"), family("ours"));
    for record in &theirs {
        p.they_create(record)?;
    }
    for record in &ours {
        p.we_create(record).await?;
    }
    // Everything stays but the flag itself.
    assert!(p.theirs.ask("delete_flag", &[json!("theirs")])?);
    assert_eq!(p.they_see(&head(&theirs), &USERS)?.len(), theirs.len() - 1);

    assert!(p.ours.delete_flag(&flag_key("ours"), None).await?);
    assert!(p.they_see(&head(&ours), &USERS)?.is_empty());
    let id = head(&ours).id.to_string();
    let left = p.snapshot().await?;
    assert!(!left.iter().any(|(key, held)| key.contains(&id) || held.iter().any(|v| v.contains(&id))));
    // We add none: an owner that is gone is not found.
    let orphan = p.ours.create_override(user(head(&theirs).id, "new")).await;
    assert_eq!(orphan.unwrap_err().kind(), ErrorKind::NotFound);
    Ok(())
}

#[tokio::test]
async fn what_is_due_of_a_flag_that_is_gone() -> Result<()> {
    let mut p = Pair::new().await?;
    let theirs: Flag = p.theirs.write("create_flag", &flag("theirs"))?;
    let kept = p.ours.create_flag(flag("kept")).await?.into_value();
    let due = at("2026-03-01T09:00:00Z");
    let enable = |flag: &Flag| ScheduledChange::new(flag.id, ChangeType::Enable, due);
    let change: ScheduledChange = p.theirs.write("create_scheduled_change", &enable(&theirs))?;
    p.we_create(&RolloutPhase::new(theirs.id, 1, 50, due).into()).await?;
    p.we_create(&enable(&kept).into()).await?;
    assert!(p.theirs.ask("delete_flag", &[json!("theirs")])?);
    let pending = [json!(theirs.id), json!(true)];
    assert_eq!(p.theirs.all::<ScheduledChange>("get_scheduled_changes", &pending)?.len(), 1);

    // Its own processor would meet them in every round. Ours says once what is wrong, and goes on with the
    // others.
    let storage = p.storage.clone();
    let report = Scheduler::builder(storage).build().run_due(Timestamp::now()).await?;
    assert_eq!((report.refused.len(), report.applied.len()), (2, 1), "{report:?}");
    assert!(p.theirs.all::<ScheduledChange>("get_scheduled_changes", &pending)?.is_empty());
    let all = p.theirs.all::<ScheduledChange>("get_scheduled_changes", &[json!(theirs.id), json!(false)])?;
    assert!(all[0].executed && all[0].executed_at.is_some(), "{all:?}");
    let done = p.ours.get_scheduled_change(change.id).await?.context("there")?;
    assert_eq!(done.error.as_deref(), Some("its flag does not exist"));
    let phases = p.theirs.all::<RolloutPhase>("get_rollout_phases", &[json!(theirs.id)])?;
    assert!(phases[0].executed && phases[0].executed_at.is_some(), "{phases:?}");
    Ok(())
}

#[tokio::test]
async fn an_override_of_less_than_a_second() -> Result<()> {
    let mut p = Pair::new().await?;
    let owner = p.ours.create_flag(flag("a")).await?.into_value();
    let [mut theirs, mut ours] = ["theirs", "ours"].map(|entity| user(owner.id, entity));
    let soon = p.now().await?.saturating_add(Duration::from_millis(900));
    (theirs.expires_at, ours.expires_at) = (Some(soon), Some(soon));
    // A whole second is the least that it can say to Redis: it says nothing, and the key stays for ever.
    p.theirs.write("create_override", &theirs)?;
    assert_eq!(p.raw::<i64>(&["PTTL", &format!("P override:{}:user:theirs", owner.id)]).await?, -1);

    p.ours.create_override(ours).await?;
    let left: i64 = p.raw(&["PTTL", &format!("P override:{}:user:ours", owner.id)]).await?;
    // Gone already, where the machine is slow.
    assert!(left == -2 || (0..900).contains(&left), "{left}");
    Ok(())
}

#[tokio::test]
async fn an_expiry_of_the_past() -> Result<()> {
    let mut p = Pair::new().await?;
    let owner = p.ours.create_flag(flag("a")).await?.into_value();
    let [mut theirs, mut ours] = ["theirs", "ours"].map(|entity| user(owner.id, entity));
    let past = p.now().await?.saturating_sub(Duration::from_secs(60));
    (theirs.expires_at, ours.expires_at) = (Some(past), Some(past));
    // It is stored without an end; only who reads it by its name removes it.
    p.theirs.write("create_override", &theirs)?;
    let name = format!("P override:{}:user:theirs", owner.id);
    assert_eq!(p.raw::<i64>(&["PTTL", &name]).await?, -1);

    p.ours.create_override(ours).await?;
    let name = format!("override:{}:user:ours", owner.id);
    assert!(!p.keys().await?.contains(&name));
    assert!(p.ours.get_overrides_for_flag(owner.id).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn one_corrupt_value_in_a_listing() -> Result<()> {
    let mut p = Pair::new().await?;
    for key in ["a", "b", "c"] {
        p.ours.create_flag(flag(key)).await?;
    }
    for (n, broken) in [
        "{",
        "",
        "not json",
        r#"{"key": "b"}"#,
        r#"{"id": "no id", "key": "b", "name": "b"}"#,
        &text(&flag("b"))?[0].as_str().context("text")?.replace("active", "asleep"),
    ]
    .into_iter()
    .enumerate()
    {
        let _: () = p.raw(&["SET", "P flag:b", broken]).await?;
        // The listing ends, and a service has no flags at all.
        assert!(raised(p.theirs.call("get_all_active_flags", &[])).is_ok(), "case {n}");
        assert!(raised(p.theirs.call("get_flags", &[json!(["a", "b", "c"])])).is_ok(), "case {n}");

        for listing in [p.ours.get_all_flags().await?, p.ours.get_all_active_flags().await?] {
            let keys: Vec<&str> = listing.iter().map(|flag| flag.key.as_str()).collect();
            assert_eq!(keys, ["a", "c"], "case {n}");
            let corrupt: Vec<Option<&Key>> = listing.corrupt.iter().map(flags_core::Error::key).collect();
            assert_eq!(corrupt, [Some(&Key::Flag(flag_key("b")))], "case {n}");
        }
        let some = p.ours.get_flags(&["a", "b", "c"].map(flag_key)).await?;
        assert_eq!(some.values().filter(|found| found.is_ok()).count(), 2, "case {n}");
    }
    // The same for the other kinds.
    let owner = p.ours.get_flag(&flag_key("a")).await?.context("there")?;
    let (good, bad) = (schedule(owner.id, "good"), schedule(owner.id, "bad"));
    p.ours.create_time_schedule(good.clone()).await?;
    p.theirs.write("create_time_schedule", &bad)?;
    let _: () = p.raw(&["SET", &format!("P time_schedule:{}", bad.id), "{}"]).await?;
    assert!(raised(p.theirs.call("get_time_schedules", &[json!(null)])).is_ok());
    let listing = p.ours.get_time_schedules(None).await?;
    assert_eq!((listing.records.len(), listing.corrupt.len()), (1, 1));
    assert_eq!(listing.corrupt[0].key(), Some(&Key::TimeSchedule(bad.id)));
    Ok(())
}

#[tokio::test]
async fn a_colon_in_an_entity_type() -> Result<()> {
    let mut p = Pair::new().await?;
    let owner = p.ours.create_flag(flag("a")).await?.into_value();
    // The override of `b:c` of type `a` is answered for `c` of type `a:b`, and the other way round.
    let mut odd = serde_json::to_value(user(owner.id, "c"))?;
    odd["entity_type"] = json!("a:b");
    p.theirs.call("create_override", &[json!(odd.to_string())])?;
    let args = [json!(owner.id), json!("a"), json!("b:c")];
    let mistaken = p.theirs.call("get_override", &args)?;
    assert!(mistaken.as_str().is_some_and(|text| text.contains(r#""entity_type": "a:b""#)));

    // We have no such type, and what is stored under the name of another entity is nobody's.
    assert!(EntityType::new("a:b").is_err());
    let (entity_type, entity_id) = names("a", "b:c");
    let error = p.ours.get_override(owner.id, &entity_type, &entity_id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    for query in [Query::All(Kind::Override), Query::Owned(Kind::Override, owner.id)] {
        assert!(p.listed(query).await.is_err());
    }
    let listing = p.ours.get_overrides_for_flag(owner.id).await?;
    assert_eq!((listing.records.len(), listing.corrupt.len()), (0, 1));
    // It can be replaced by the one that the name says, and goes with its flag.
    let right = Override::new(owner.id, entity_type.clone(), entity_id.clone(), true);
    p.ours.create_override(right).await?;
    assert!(p.ours.get_override(owner.id, &entity_type, &entity_id).await?.is_some());
    p.theirs.call("create_override", &[json!(odd.to_string())])?;
    assert!(p.ours.delete_flag(&owner.key, None).await?);
    assert_eq!(p.keys().await?, ["meta"]);
    Ok(())
}

/// Round trips are counted between the library and the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_reads_where_one_would_do() -> Result<()> {
    const SCHEDULES: usize = 10;
    let server = Server::start(&[])?;
    let (proxy, prefix) = (Proxy::to(server.port()).await?, unique_prefix());
    let storage = std::sync::Arc::new(patient(&proxy.url())?.prefix(&prefix).open().await?);
    let ours = FlagStore::new(storage.clone());
    let owner = ours.create_flag(flag("a")).await?.into_value();
    for n in 0..SCHEDULES {
        ours.create_time_schedule(schedule(owner.id, &n.to_string())).await?;
    }
    let mut theirs = Origin::start(&proxy.url(), &prefix)?;
    // It makes a connection for its first command; that is not what is counted.
    theirs.ask("health_check", &[])?;
    proxy.take();

    // The overrides that may concern one user: one after the other, for each evaluation.
    let asked = [("user", "u"), ("organization", "o"), ("tenant", "t"), ("targeting_key", "k")];
    for (entity_type, entity_id) in asked {
        theirs.one::<Override>("get_override", &[json!(owner.id), json!(entity_type), json!(entity_id)])?;
    }
    assert_eq!(proxy.take(), 4);
    // Schedules: the index, then one by one.
    assert_eq!(theirs.all::<TimeSchedule>("get_time_schedules", &[json!(owner.id)])?.len(), SCHEDULES);
    assert_eq!(proxy.take(), 1 + SCHEDULES);
    // A delete of nothing but the flag.
    assert!(theirs.ask("delete_flag", &[json!("a")])?);
    assert_eq!(proxy.take(), 3);
    ours.create_flag(owner.clone()).await?;
    proxy.take();

    let keys = asked.map(|(entity_type, entity_id)| {
        let (entity_type, entity_id) = names(entity_type, entity_id);
        Key::Override(owner.id, entity_type, entity_id)
    });
    assert!(storage.get(&keys).await?.into_iter().all(|found| matches!(found, Ok(None))));
    assert_eq!(proxy.take(), 1);
    assert_eq!(ours.get_time_schedules(Some(owner.id)).await?.len(), SCHEDULES);
    assert_eq!(proxy.take(), 1);
    // The flag and what it owns, atomically: to ask, to read what it owns, to scan for theirs, to delete.
    assert!(ours.delete_flag(&owner.key, None).await?);
    assert_eq!(proxy.take(), 4);
    Ok(())
}

/// What `killed` shows of us at random moments, for the origin at a chosen one: its second command is
/// refused.
#[tokio::test]
async fn a_write_that_is_cut_off_half_way() -> Result<()> {
    let server = Server::start(&[])?;
    let prefix = unique_prefix();
    let raw = raw(&server.url()).await?;
    let mut acl = redis::cmd("ACL");
    acl.arg(&["SETUSER", "half", "on", ">secret", "~*", "+@all", "-sadd"]);
    let _: () = acl.query_async(&mut raw.clone()).await?;
    let url = server.url().replace("redis://", "redis://half:secret@");
    // The value is there, and in no index.
    let mut theirs = Origin::start(&url, &prefix)?;
    assert_eq!(raised(theirs.call("create_flag", &text(&flag("a"))?))?, "NoPermissionError");
    assert_eq!(snapshot(&raw, &prefix).await?.into_keys().collect::<Vec<_>>(), ["flag:a"]);

    // We do not begin what could not be ended.
    let error = patient(&url)?.prefix(format!("{prefix}ours:")).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    let left = snapshot(&raw, &prefix).await?;
    assert!(left.into_keys().all(|key| key == "flag:a" || key == "ours:meta"));
    Ok(())
}

#[tokio::test]
async fn a_flag_under_a_new_id() -> Result<()> {
    let mut p = Pair::new().await?;
    let first = p.ours.create_flag(flag("a")).await?.into_value();
    p.ours.create_override(user(first.id, "x")).await?;
    // It takes another id for the same flag, and the override is no longer the flag's.
    let mut renamed = first.clone();
    renamed.id = flag("b").id;
    p.theirs.write("update_flag", &renamed)?;
    assert!(
        p.theirs.one::<Override>("get_override", &[json!(renamed.id), json!("user"), json!("x")])?.is_none()
    );

    // We refuse to, also against the id that the origin has made of it.
    let error = p.ours.update_flag(first.clone(), None).await.unwrap_err();
    assert_eq!((error.kind(), error.is_stale()), (ErrorKind::Conflict, false));
    assert_eq!(p.ours.get_flag_by_id(renamed.id).await?.context("found")?.key, first.key);
    assert!(p.ours.get_flag_by_id(first.id).await?.is_none());
    // Both ids' overrides can be told apart.
    p.ours.create_override(user(renamed.id, "x")).await?;
    assert_eq!(p.ours.create_override(user(first.id, "y")).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(p.ours.delete_flag(&first.key, None).await?);
    assert!(p.listed(Query::Owned(Kind::Override, renamed.id)).await?.is_empty());
    assert_eq!(
        p.get(&Record::from(user(first.id, "x")).key()).await?.map(|s| s.record.kind()),
        Some(Kind::Override)
    );
    Ok(())
}
