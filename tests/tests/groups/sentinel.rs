//! Servers under sentinels.

use anyhow::Result;
use flags_tests::sentinel::Sentinels;

#[tokio::test]
async fn a_replica_takes_over_from_a_killed_master() -> Result<()> {
    let mut group = Sentinels::start(1).await?;
    let first = group.master().await?;
    group.server_mut(first).stop();
    let second = group.wait_for_failover(first).await?;
    group.server_mut(first).run()?;
    group.wait_until_follows(first).await?;
    assert_eq!(group.master().await?, second);
    Ok(())
}

#[tokio::test]
async fn a_replica_takes_over_from_a_frozen_master() -> Result<()> {
    let group = Sentinels::start(2).await?;
    let first = group.master().await?;
    group.server(first).freeze()?;
    let second = group.wait_for_failover(first).await?;
    let _: () = redis::cmd("SET").arg("a").arg("1").query_async(&mut group.raw(second).await?).await?;
    group.server(first).thaw()?;
    group.wait_until_follows(first).await?;
    Ok(())
}

#[tokio::test]
async fn one_sentinel_may_be_missing() -> Result<()> {
    let mut group = Sentinels::start(1).await?;
    group.sentinel_mut(0).stop();
    let first = group.master().await?;
    group.server_mut(first).stop();
    let second = group.wait_for_failover(first).await?;
    assert_ne!(first, second);
    // It comes back with what it knew, and learns the rest.
    group.sentinel_mut(0).run()?;
    assert_eq!(group.master().await?, second);
    Ok(())
}
