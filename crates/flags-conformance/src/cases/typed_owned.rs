//! The typed API: what a flag owns.

use flags_core::store::Pending;
use flags_core::{
    ChangeType, ErrorKind, FlagId, FlagStore, Kind, Override, Record, RolloutPhase, ScheduledChange,
    TimeSchedule,
};

use crate::case::cases;
use crate::context::Context;
use crate::records::{at, flag, one_of_each_owned, override_of};
use crate::stop::{Checked, Stop, equal};

use super::typed_flags::{ok, refused, typed};

cases! { Typed:
    typed_overrides_are_upserted_found_and_deleted,
    typed_overrides_are_listed_by_entity_and_by_flag,
    typed_scheduled_changes_are_listed_by_time,
    typed_time_schedules_are_listed_by_name,
    typed_rollout_phases_are_listed_by_number,
    typed_nothing_is_created_without_its_flag,
}

async fn owner(store: &FlagStore, key: &str) -> Checked<FlagId> {
    let created = ok("create_flag", store.create_flag(flag(key)?)).await?;
    Ok(created.id)
}

fn time_schedule(owner: FlagId, name: &str) -> Checked<TimeSchedule> {
    match crate::records::owned(Kind::TimeSchedule, owner)? {
        Record::TimeSchedule(schedule) => {
            let mut schedule = (*schedule).clone();
            schedule.name = name.to_owned();
            Ok(schedule)
        }
        other => Err(Stop::failed(format!("the suite's own time schedule is {other:?}"))),
    }
}

async fn typed_overrides_are_upserted_found_and_deleted(ctx: &Context) -> Checked {
    let store = typed(ctx);
    let id = owner(&store, "f").await?;
    for entity_id in ["u", "", "a:b", "*"] {
        let mut new: Override = override_of(id, "user", entity_id)?;
        ok("create_override", store.create_override(new.clone())).await?;
        new.enabled = false;
        ok("create_override of one that exists", store.create_override(new.clone())).await?;
        let found = ok("get_override", store.get_override(id, &new.entity_type, &new.entity_id)).await?;
        equal("get_override: enabled", &found.map(|found| found.enabled), &Some(false))?;
        for expected in [true, false] {
            let gone =
                ok("delete_override", store.delete_override(id, &new.entity_type, &new.entity_id, None))
                    .await?;
            equal("delete_override", &gone, &expected)?;
        }
    }
    Ok(())
}

async fn typed_overrides_are_listed_by_entity_and_by_flag(ctx: &Context) -> Checked {
    let store = typed(ctx);
    let (a, b) = (owner(&store, "a").await?, owner(&store, "b").await?);
    for (flag, entity_type, entity_id) in
        [(a, "user", "u2"), (a, "user", "u1"), (a, "tenant", "u1"), (b, "user", "u1"), (b, "user", "u1:x")]
    {
        ok("create_override", store.create_override(override_of(flag, entity_type, entity_id)?)).await?;
    }
    let of_a = ok("get_overrides_for_flag", store.get_overrides_for_flag(a)).await?;
    let names: Vec<_> = of_a.iter().map(|o| (o.entity_type.as_str(), o.entity_id.as_str())).collect();
    equal("get_overrides_for_flag", &names, &vec![("tenant", "u1"), ("user", "u1"), ("user", "u2")])?;
    let u1 = override_of(a, "user", "u1")?;
    let of_u1 = store.get_overrides_for_entity(&u1.entity_type, &u1.entity_id);
    let of_u1 = ok("get_overrides_for_entity", of_u1).await?;
    let mut both = vec![a, b];
    both.sort();
    equal("get_overrides_for_entity: the flags", &of_u1.iter().map(|o| o.flag_id).collect::<Vec<_>>(), &both)
}

async fn typed_scheduled_changes_are_listed_by_time(ctx: &Context) -> Checked {
    let store = typed(ctx);
    let (a, b) = (owner(&store, "a").await?, owner(&store, "b").await?);
    let mut ids = Vec::new();
    for (flag, due) in [(a, 3_000), (b, 1_000), (a, 2_000)] {
        let new = ScheduledChange::new(flag, ChangeType::Enable, at(due));
        ids.push(ok("create_scheduled_change", store.create_scheduled_change(new)).await?.id);
    }
    let mut last = ScheduledChange::new(a, ChangeType::Disable, at(1));
    last.executed = true;
    ok("create_scheduled_change", store.create_scheduled_change(last.clone())).await?;
    for (what, flag, pending, expected) in [
        ("of one flag, pending", Some(a), Pending::Only, vec![ids[2], ids[0]]),
        ("of all flags, pending", None, Pending::Only, vec![ids[1], ids[2], ids[0]]),
        ("of one flag", Some(a), Pending::AndExecuted, vec![last.id, ids[2], ids[0]]),
    ] {
        let listed = ok("get_scheduled_changes", store.get_scheduled_changes(flag, pending)).await?;
        equal(what, &listed.iter().map(|change| change.id).collect::<Vec<_>>(), &expected)?;
    }
    let gone = ok("delete_scheduled_change", store.delete_scheduled_change(last.id, None)).await?;
    equal("delete_scheduled_change", &gone, &true)?;
    let update = store.update_scheduled_change(last, None);
    refused("update_scheduled_change of a missing one", ErrorKind::NotFound, update).await.map(drop)
}

async fn typed_time_schedules_are_listed_by_name(ctx: &Context) -> Checked {
    let store = typed(ctx);
    let (a, b) = (owner(&store, "a").await?, owner(&store, "b").await?);
    for (flag, name) in [(a, "weekends"), (b, "holidays"), (a, "nights")] {
        ok("create_time_schedule", store.create_time_schedule(time_schedule(flag, name)?)).await?;
    }
    for (flag, expected) in
        [(Some(a), vec!["nights", "weekends"]), (None, vec!["holidays", "nights", "weekends"])]
    {
        let listed = ok("get_time_schedules", store.get_time_schedules(flag)).await?;
        equal("get_time_schedules", &listed.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), &expected)?;
    }
    let missing = time_schedule(a, "missing")?;
    let update = store.update_time_schedule(missing, None);
    refused("update_time_schedule of a missing one", ErrorKind::NotFound, update).await.map(drop)
}

async fn typed_rollout_phases_are_listed_by_number(ctx: &Context) -> Checked {
    let store = typed(ctx);
    let (a, b) = (owner(&store, "a").await?, owner(&store, "b").await?);
    for (flag, number) in [(a, 3), (a, 1), (b, 1), (a, 2)] {
        let phase = RolloutPhase::new(flag, number, number * 10, at(number));
        ok("create_rollout_phase", store.create_rollout_phase(phase)).await?;
    }
    let listed = ok("get_rollout_phases", store.get_rollout_phases(a)).await?;
    equal(
        "get_rollout_phases",
        &listed.iter().map(|phase| phase.phase_number).collect::<Vec<_>>(),
        &vec![1, 2, 3],
    )?;
    let update = store.update_rollout_phase(RolloutPhase::new(a, 9, 9, at(9)), None);
    refused("update_rollout_phase of a missing one", ErrorKind::NotFound, update).await.map(drop)
}

async fn typed_nothing_is_created_without_its_flag(ctx: &Context) -> Checked {
    let store = typed(ctx);
    for record in one_of_each_owned(FlagId::new())? {
        let what = format!("creating a {} without its flag", record.kind());
        match record {
            Record::Override(r) => {
                refused(&what, ErrorKind::NotFound, store.create_override((*r).clone())).await.map(drop)?;
            }
            Record::ScheduledChange(r) => {
                refused(&what, ErrorKind::NotFound, store.create_scheduled_change((*r).clone()))
                    .await
                    .map(drop)?;
            }
            Record::TimeSchedule(r) => {
                refused(&what, ErrorKind::NotFound, store.create_time_schedule((*r).clone()))
                    .await
                    .map(drop)?;
            }
            Record::RolloutPhase(r) => {
                refused(&what, ErrorKind::NotFound, store.create_rollout_phase((*r).clone()))
                    .await
                    .map(drop)?;
            }
            _ => {}
        }
    }
    Ok(())
}
