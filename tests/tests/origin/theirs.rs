//! What the origin writes.

use anyhow::{Context as _, Result};
use flags_core::store::Pending;
use flags_core::{FlagStatus, Record, Versioned};
use serde_json::json;

use crate::common::{Pair, USERS, assert_same, by_key, family, head, names};

#[tokio::test]
async fn we_read_list_and_find_what_they_write() -> Result<()> {
    let mut p = Pair::new().await?;
    let (family, other) = (family("theirs"), family("other"));
    let mut written = Vec::new();
    for record in family.iter().chain(&other) {
        written.push(p.they_create(record)?);
    }
    let (flag, own) = (head(&written), by_key(written[..family.len()].iter().cloned()));
    assert_same(&p.we_see(&flag).await?, &own, "listed");
    for (key, record) in by_key(written.clone()) {
        assert_eq!(p.get(&key).await?.map(|stored| stored.record), Some(record), "{key}");
    }
    assert_eq!(p.ours.get_flag(&flag.key).await?.map(Versioned::into_value), Some(flag.clone()));
    assert_eq!(p.ours.get_flag_by_id(flag.id).await?.map(Versioned::into_value), Some(flag.clone()));
    assert_eq!(p.ours.get_flags(&[flag.key.clone(), head(&other).key]).await?.len(), 2);
    let (entity_type, entity_id) = names("user", USERS[1]);
    assert_eq!(p.ours.get_overrides_for_entity(&entity_type, &entity_id).await?.len(), 2);
    assert_eq!(p.ours.get_overrides_for_flag(flag.id).await?.len(), 2);
    assert_eq!(p.ours.get_scheduled_changes(None, Pending::Only).await?.len(), 2);
    assert_eq!(p.ours.get_scheduled_changes(Some(flag.id), Pending::AndExecuted).await?.len(), 2);
    assert_eq!(p.ours.get_time_schedules(None).await?.len(), 4);
    assert_eq!(p.ours.get_rollout_phases(flag.id).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn we_update_what_they_wrote_and_they_see_it() -> Result<()> {
    let mut p = Pair::new().await?;
    let mut updated = Vec::new();
    for record in family("theirs") {
        let written = p.they_create(&record)?;
        let stored = p.get(&written.key()).await?.context("just written")?;
        let revision = Some(&stored.revision);
        updated.push(match written {
            Record::Flag(r) => {
                let mut r = (*r).clone();
                (r.status, r.description) = (FlagStatus::Archived, None);
                Record::from(p.ours.update_flag(r, revision).await?.into_value())
            }
            Record::Override(r) => {
                let mut r = (*r).clone();
                (r.enabled, r.value) = (false, Some(json!({"to": ["é"]}).into()));
                p.ours.create_override(r).await?.into_value().into()
            }
            Record::ScheduledChange(r) => {
                let mut r = (*r).clone();
                r.executed = !r.executed;
                p.ours.update_scheduled_change(r, revision).await?.into_value().into()
            }
            Record::TimeSchedule(r) => {
                let mut r = (*r).clone();
                (r.name, r.days_of_month) = (format!("{} (renamed)", r.name), Some(vec![31]));
                p.ours.update_time_schedule(r, revision).await?.into_value().into()
            }
            Record::RolloutPhase(r) => {
                let mut r = (*r).clone();
                r.target_percentage = 99;
                p.ours.update_rollout_phase(r, revision).await?.into_value().into()
            }
            other => anyhow::bail!("the origin has no {}", other.kind()),
        });
    }
    let (flag, updated) = (head(&updated), by_key(updated));
    assert_same(&p.they_see(&flag, &USERS)?, &updated, "they see");
    assert_same(&p.we_see(&flag).await?, &updated, "we see");
    Ok(())
}

#[tokio::test]
async fn our_delete_of_their_flag_leaves_nothing() -> Result<()> {
    let mut p = Pair::new().await?;
    for record in family("theirs") {
        p.they_create(&record)?;
    }
    let flag = head(&family("theirs"));
    let flag = p.ours.get_flag(&flag.key).await?.context("their flag")?.into_value();
    assert!(p.ours.delete_flag(&flag.key, None).await?);
    assert!(p.they_see(&flag, &USERS)?.is_empty());
    assert!(p.we_see(&flag).await?.is_empty());
    assert_eq!(p.keys().await?, ["meta"]);
    Ok(())
}

#[tokio::test]
async fn our_deletes_of_single_records_of_theirs_leave_nothing() -> Result<()> {
    let mut p = Pair::new().await?;
    let mut written = Vec::new();
    for record in family("theirs") {
        written.push(p.they_create(&record)?);
    }
    let flag = head(&written);
    // What is owned first, one by one.
    for record in written.iter().rev() {
        assert!(match record {
            Record::Flag(r) => p.ours.delete_flag(&r.key, None).await?,
            Record::Override(r) => {
                p.ours.delete_override(r.flag_id, &r.entity_type, &r.entity_id, None).await?
            }
            Record::ScheduledChange(r) => p.ours.delete_scheduled_change(r.id, None).await?,
            Record::TimeSchedule(r) => p.ours.delete_time_schedule(r.id, None).await?,
            Record::RolloutPhase(r) => p.ours.delete_rollout_phase(r.id, None).await?,
            other => anyhow::bail!("the origin has no {}", other.kind()),
        });
        assert!(!p.they_see(&flag, &USERS)?.contains_key(&record.key()), "{}", record.key());
    }
    assert_eq!(p.keys().await?, ["meta"]);
    Ok(())
}
