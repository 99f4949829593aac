//! What we write, through every method of the origin.

use anyhow::{Context as _, Result};
use flags_core::{Flag, FlagStatus, Record, ScheduledChange, TimeSchedule};
use serde_json::json;

use crate::common::{Pair, USERS, assert_same, by_key, change, family, flag, head, phase, schedule, user};

#[tokio::test]
async fn they_read_list_update_and_delete_what_we_write_by_all_their_methods() -> Result<()> {
    let mut p = Pair::new().await?;
    assert_eq!(p.theirs.offers(), 19);
    let mut written = Vec::new();
    for record in family("ours") {
        written.push(p.we_create(&record).await?);
    }
    let mut sleeping = flag("sleeping");
    sleeping.status = FlagStatus::Inactive;
    let sleeping = p.ours.create_flag(sleeping).await?.into_value();
    let (flag, id) = (head(&written), json!(head(&written).id));

    // get_flag, get_override, get_scheduled_changes, get_time_schedules, get_rollout_phases.
    assert_same(&p.they_see(&flag, &USERS)?, &by_key(written.clone()), "they see");
    assert!(p.theirs.ask("health_check", &[])?);
    let both = [json!([flag.key, sleeping.key, "absent"])];
    let both = p.theirs.all::<Flag>("get_flags", &both)?;
    assert_same(
        &by_key(both.into_iter().map(Record::from)),
        &by_key([flag.clone().into(), sleeping.clone().into()]),
        "by their keys",
    );
    let active = p.theirs.all::<Flag>("get_all_active_flags", &[])?;
    assert_same(&by_key(active.into_iter().map(Record::from)), &by_key([flag.clone().into()]), "active");
    // Over all flags, and only what is pending.
    let pending = p.theirs.all::<ScheduledChange>("get_scheduled_changes", &[json!(null), json!(true)])?;
    assert_eq!(pending.len(), 1);
    assert_eq!(p.theirs.all::<TimeSchedule>("get_time_schedules", &[json!(null)])?.len(), 2);

    // They update.
    let mut edited = flag.clone();
    edited.description = Some("by them".to_owned());
    let edited = p.theirs.write("update_flag", &edited)?;
    assert!(edited.updated_at > flag.updated_at);
    let found = p.ours.get_flag(&flag.key).await?.context("still there")?;
    assert_eq!(found.into_value(), edited);
    let pending = pending.into_iter().next().context("one")?;
    let mut executed = pending.clone();
    executed.executed = true;
    let executed = p.theirs.write("update_scheduled_change", &executed)?;
    let found = p.ours.get_scheduled_change(pending.id).await?.context("still there")?;
    assert_eq!(found.into_value(), executed);

    // They add to a flag of ours, and we list it; theirs replaces an override of ours.
    let mut seen = by_key(written);
    for record in [
        Record::from(user(flag.id, USERS[0])),
        change(flag.id).into(),
        schedule(flag.id, "more").into(),
        phase(flag.id, 3).into(),
    ] {
        let added = p.they_create(&record)?;
        seen.insert(added.key(), added);
    }
    seen.extend(by_key([edited.into(), executed.into()]));
    assert_same(&p.we_see(&flag).await?, &seen, "we see");
    assert_same(&p.they_see(&flag, &USERS)?, &seen, "they see");

    // They delete. What they have no method for, we delete with the flag.
    for user in USERS {
        assert!(p.theirs.ask("delete_override", &[id.clone(), json!("user"), json!(user)])?);
    }
    for schedule in p.theirs.all::<TimeSchedule>("get_time_schedules", std::slice::from_ref(&id))? {
        assert!(p.theirs.ask("delete_time_schedule", &[json!(schedule.id)])?);
    }
    seen.retain(|_, record| !matches!(record, Record::Override(_) | Record::TimeSchedule(_)));
    assert_same(&p.we_see(&flag).await?, &seen, "we see");
    assert!(p.theirs.ask("delete_flag", &[json!(sleeping.key)])?);
    assert!(p.ours.get_flag(&sleeping.key).await?.is_none());
    assert!(p.ours.get_flag_by_id(sleeping.id).await?.is_none());
    assert!(p.ours.delete_flag(&flag.key, None).await?);
    // The hint to the flag that they deleted is the one thing left; it says nothing of itself.
    assert_eq!(p.keys().await?, ["ids", "meta"]);

    // A key that they free can be taken again, by us with another id and by them.
    let again = p.ours.create_flag(crate::common::flag("sleeping")).await?.into_value();
    assert_eq!(p.theirs.one::<Flag>("get_flag", &[json!("sleeping")])?, Some(again));
    p.theirs.write("create_flag", &flag)?;
    assert_eq!(p.ours.get_flag_by_id(flag.id).await?.map(|found| found.id), Some(flag.id));

    p.theirs.call("close", &[])?;
    assert_eq!(p.theirs.uncalled(), [""; 0]);
    Ok(())
}
