//! A master dies or freezes while 64 tasks write, and another takes its place.

use anyhow::Result;
use flags_redis::Driver;
use flags_tests::cluster::Cluster;
use flags_tests::sentinel::Sentinels;

use crate::common::{DRIVERS, alone, builder, owner};
use crate::load::Load;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    Dies,
    Freezes,
}

pub(crate) const FATES: [Fate; 2] = [Fate::Dies, Fate::Freezes];

async fn report(load: &mut Load, driver: Driver, what: &str, fate: Fate) -> Result<()> {
    let recovered = load.go_on(1).await?;
    // Also for those that were in the middle of it.
    load.go_on(500).await?;
    let failed = load.stop().await?;
    println!(
        "{what} {fate:?}, {driver:?}: the first write {recovered:?} after the new master was known, {} failed",
        failed.len()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_of_a_cluster_is_replaced_under_load() -> Result<()> {
    for (driver, fate) in DRIVERS.into_iter().flat_map(|driver| FATES.map(|fate| (driver, fate))) {
        let _alone = alone().await;
        let mut cluster = Cluster::start(3, 1).await?;
        let (slot, master) = owner(&cluster).await?;
        let mut load = Load::start(builder(&cluster.url(), driver)?.open().await?, 64);
        load.go_on(500).await?;
        match fate {
            Fate::Dies => cluster.node_mut(master).stop(),
            Fate::Freezes => cluster.node(master).freeze()?,
        }
        cluster.wait_for_failover(slot, master).await?;
        report(&mut load, driver, "cluster", fate).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_under_sentinels_is_replaced_under_load() -> Result<()> {
    for (driver, fate) in DRIVERS.into_iter().flat_map(|driver| FATES.map(|fate| (driver, fate))) {
        let _alone = alone().await;
        let mut group = Sentinels::start(2).await?;
        let master = group.master().await?;
        let mut load = Load::start(builder(&group.url(), driver)?.open().await?, 64);
        load.go_on(500).await?;
        match fate {
            Fate::Dies => group.server_mut(master).stop(),
            Fate::Freezes => group.server(master).freeze()?,
        }
        group.wait_for_failover(master).await?;
        report(&mut load, driver, "sentinel", fate).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_that_do_not_answer_are_passed_over() -> Result<()> {
    let _alone = alone().await;
    let mut group = Sentinels::start(1).await?;
    group.sentinel(0).freeze()?;
    group.sentinel_mut(1).stop();
    for driver in DRIVERS {
        let store = builder(&group.url(), driver)?.open().await?;
        // One that is known by another's word only is enough.
        flags_core::Storage::close(&store).await?;
    }
    group.sentinel(0).thaw()?;
    Ok(())
}
