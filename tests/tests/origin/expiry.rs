//! Overrides that end, written by either.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use flags_core::storage::{Batch, Expect, Query};
use flags_core::{ErrorKind, Flag, Kind, Override, Record, Storage as _, Versioned};
use serde_json::json;

use crate::common::{Pair, flag, user};

/// How long to wait for the end of something that lasts less than a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// An override of a flag of ours that ends so many milliseconds from now, or ago.
async fn ending(p: &Pair, owner: &Flag, entity: &str, in_ms: i64) -> Result<Override> {
    let mut over = user(owner.id, entity);
    let now = p.now().await?;
    let span = Duration::from_millis(in_ms.unsigned_abs());
    over.expires_at = Some(if in_ms < 0 { now.saturating_sub(span) } else { now.saturating_add(span) });
    Ok(over)
}

impl Pair {
    fn they_find(&mut self, over: &Override) -> Result<Option<Override>> {
        let args = [json!(over.flag_id), json!(over.entity_type), json!(over.entity_id)];
        self.theirs.one("get_override", &args)
    }

    async fn we_find(&self, over: &Override) -> Result<Option<Override>> {
        let found = self.ours.get_override(over.flag_id, &over.entity_type, &over.entity_id).await?;
        Ok(found.map(Versioned::into_value))
    }

    /// Asks us until it is gone: there while it has not ended, never after.
    async fn we_see_it_end(&self, over: &Override) -> Result<()> {
        let due = over.expires_at.context("it ends")?;
        let begun = Instant::now();
        loop {
            let asked = self.now().await?;
            let found = self.we_find(over).await?.is_some();
            let answered = self.now().await?;
            ensure!(found || answered >= due, "gone at {answered}, due at {due}");
            ensure!(!found || asked < due, "there at {asked}, due at {due}");
            if !found {
                return Ok(());
            }
            ensure!(begun.elapsed() < PATIENCE, "it never ends");
        }
    }
}

fn redis_key(over: &Override) -> String {
    format!("P override:{}:{}:{}", over.flag_id, over.entity_type, over.entity_id)
}

#[tokio::test]
async fn an_hour_is_an_hour_to_both() -> Result<()> {
    let mut p = Pair::new().await?;
    let owner = p.ours.create_flag(flag("a")).await?.into_value();
    let over = ending(&p, &owner, "theirs", 3_600_000).await?;
    let theirs = p.theirs.write("create_override", &over)?;
    assert_eq!(p.we_find(&over).await?, Some(theirs.clone()));
    assert_eq!(p.listed(Query::Owned(Kind::Override, owner.id)).await?.len(), 1);
    // Whole seconds, cut off; ours is exact, also when it is theirs rewritten.
    let kept = p.raw::<i64>(&["PTTL", &redis_key(&over)]).await?;
    assert!((3_580_000..=3_599_000).contains(&kept), "{kept}");
    p.ours.create_override(theirs).await?;
    let kept = p.raw::<i64>(&["PTTL", &redis_key(&over)]).await?;
    assert!((3_580_000..=3_600_000).contains(&kept), "{kept}");

    let over = ending(&p, &owner, "ours", 3_600_500).await?;
    let ours = p.ours.create_override(over.clone()).await?.into_value();
    assert_eq!(p.they_find(&over)?, Some(ours.clone()));
    // Rewritten by them it goes on for as long; without an end it goes on for ever.
    p.theirs.write("create_override", &ours)?;
    assert_eq!(p.we_find(&over).await?, Some(ours.clone()));
    p.theirs.write("create_override", &user(owner.id, "ours"))?;
    assert_eq!(p.raw::<i64>(&["PTTL", &redis_key(&over)]).await?, -1);
    assert_eq!(p.we_find(&over).await?.context("there")?.expires_at, None);
    // The index had the end of ours. A later commit does not take that for the truth.
    p.ours.create_flag(flag("b")).await?;
    assert_eq!(p.listed(Query::Owned(Kind::Override, owner.id)).await?.len(), 2);
    assert!(p.theirs.ask("delete_override", &[json!(owner.id), json!("user"), json!("ours")])?);
    assert_eq!(p.we_find(&over).await?, None);
    Ok(())
}

#[tokio::test]
async fn theirs_of_less_than_a_second_ends_to_us_and_to_them() -> Result<()> {
    let mut p = Pair::new().await?;
    let owner = p.ours.create_flag(flag("a")).await?.into_value();
    let over = ending(&p, &owner, "x", 700).await?;
    p.theirs.write("create_override", &over)?;
    assert_eq!(p.raw::<i64>(&["PTTL", &redis_key(&over)]).await?, -1, "they set no time to live");
    p.we_see_it_end(&over).await?;
    assert!(p.keys().await?.iter().any(|key| key.starts_with("override:")), "the value is still there");
    assert!(p.listed(Query::Owned(Kind::Override, owner.id)).await?.is_empty());
    assert!(p.listed(Query::All(Kind::Override)).await?.is_empty());
    let key = Record::from(over.clone()).key();
    let present = Batch::new().check(key.clone(), Expect::Present);
    assert_eq!(p.storage.commit(present).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!p.ours.delete_override(owner.id, &over.entity_type, &over.entity_id, None).await?);
    assert_eq!(p.they_find(&over)?, None);
    // It is no obstacle.
    p.theirs.write("create_override", &over)?;
    p.storage.commit(Batch::new().put(user(owner.id, "x"), Expect::Absent)).await?;
    assert!(p.they_find(&over)?.is_some());
    Ok(())
}

#[tokio::test]
async fn theirs_of_the_past_is_absent_to_us_and_to_them() -> Result<()> {
    let mut p = Pair::new().await?;
    let owner = p.ours.create_flag(flag("a")).await?.into_value();
    let over = ending(&p, &owner, "x", -5_000).await?;
    p.theirs.write("create_override", &over)?;
    assert!(p.keys().await?.iter().any(|key| key.starts_with("override:")), "they store it");
    assert_eq!(p.we_find(&over).await?, None);
    assert!(p.listed(Query::All(Kind::Override)).await?.is_empty());
    assert_eq!(p.they_find(&over)?, None);
    // It goes with its flag.
    p.theirs.write("create_override", &over)?;
    assert!(p.ours.delete_flag(&owner.key, None).await?);
    assert_eq!(p.keys().await?, ["meta"]);
    Ok(())
}

#[tokio::test]
async fn ours_end_on_time_to_both() -> Result<()> {
    let mut p = Pair::new().await?;
    let owner = p.ours.create_flag(flag("a")).await?.into_value();
    let over = ending(&p, &owner, "soon", 700).await?;
    p.ours.create_override(over.clone()).await?;
    let there = p.they_find(&over)?.is_some();
    assert!(there || p.now().await? >= over.expires_at.context("it ends")?);
    p.we_see_it_end(&over).await?;
    assert_eq!(p.they_find(&over)?, None);

    // One of the past removes what is there.
    p.theirs.write("create_override", &user(owner.id, "past"))?;
    let over = ending(&p, &owner, "past", -1).await?;
    p.ours.create_override(over.clone()).await?;
    assert_eq!(p.they_find(&over)?, None);
    assert!(!p.keys().await?.iter().any(|key| key.starts_with("override")));
    Ok(())
}
