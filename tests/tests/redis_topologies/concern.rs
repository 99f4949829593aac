//! Commits that wait for replicas and disks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use flags_core::storage::{Batch, Expect};
use flags_core::{ErrorKind, FlagStore, Key, Storage as _};
use flags_redis::RedisBuilder;
use flags_tests::cluster::Cluster;
use flags_tests::sentinel::Sentinels;
use flags_tests::server::{Server, patient};

use crate::common::{DRIVERS, PREFIX, alone, builder, flag, owner};
use crate::failover::{FATES, Fate};
use crate::load::Load;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_replica_has_every_acknowledged_write() -> Result<()> {
    for driver in DRIVERS {
        let _alone = alone().await;
        let mut cluster = Cluster::start(3, 1).await?;
        let (slot, master) = owner(&cluster).await?;
        let store = builder(&cluster.url(), driver)?.replicas(1, SECOND).open().await?;
        let mut load = Load::start(store, 64);
        load.go_on(500).await?;
        cluster.node_mut(master).stop();
        cluster.wait_for_failover(slot, master).await?;
        // The new master has no replica: nothing is acknowledged, but everything is there.
        let failed = load.stop().await?;
        let plain = builder(&cluster.url(), driver)?.open().await?;
        assert_eq!(load.lost(&plain).await?, 0, "{driver:?}");
        println!("{driver:?}: {} acknowledged, none lost, {} failed", load.acknowledged(), failed.len());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_synced_before_it_is_acknowledged_survives_the_process() -> Result<()> {
    let _alone = alone().await;
    for (driver, fate) in DRIVERS.into_iter().flat_map(|driver| FATES.map(|fate| (driver, fate))) {
        let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"])?;
        let mut load = Load::start(builder(&server.url(), driver)?.open().await?, 64);
        load.go_on(500).await?;
        match fate {
            Fate::Dies => {
                server.stop();
                server.run()?;
            }
            Fate::Freezes => {
                server.freeze()?;
                load.fails().await?;
                server.thaw()?;
            }
        }
        let recovered = load.go_on(1).await?;
        load.go_on(200).await?;
        let failed = load.stop().await?;
        assert_eq!(load.lost(load.store()).await?, 0, "{driver:?}");
        println!(
            "{fate:?}, {driver:?}: the first write {recovered:?} after it was back, {} acknowledged, none lost, {} failed",
            load.acknowledged(),
            failed.len()
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_few_replicas_are_counted_and_hold_up_nobody_else() -> Result<()> {
    let _alone = alone().await;
    let group = Sentinels::start(1).await?;
    let plain = group.server(group.master().await?).url();
    let a = flag("a");
    for driver in DRIVERS {
        let builder = |replicas| -> Result<RedisBuilder> {
            Ok(patient(&plain)?.driver(driver).prefix(PREFIX).replicas(replicas, SECOND))
        };
        let enough = builder(1)?.open().await?;
        enough.commit(Batch::new().put(a.clone(), Expect::Any)).await?;

        let wanting = builder(2)?.open().await?;
        let begun = Instant::now();
        // More than there are connections for this.
        let waiting = futures_util::future::join_all((0..8).map(|n| {
            let put = Batch::new().put(flag(&format!("{driver:?}-{n}")), Expect::Any);
            wanting.commit(put)
        }));
        let others = async {
            tokio::task::yield_now().await;
            let mut reads = 0;
            while begun.elapsed() < SECOND / 2 {
                wanting.get(&[Key::Flag(flag("a").key)]).await?;
                reads += 1;
            }
            Ok::<_, flags_core::Error>(reads)
        };
        let (waited, reads) = tokio::join!(waiting, others);
        assert!(reads? > 10, "reads waited for commits");
        for outcome in waited {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error:?}");
            assert!(error.to_string().contains("1 of 2 replicas"), "{error}");
        }
        // What is refused is refused as ever, and at once.
        let absent = Batch::new().put(flag("a"), Expect::Absent);
        assert_eq!(wanting.commit(absent).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
        // One that is given up holds up nobody either.
        let given_up = wanting.commit(Batch::new().put(flag(&format!("{driver:?}-g")), Expect::Any));
        assert!(tokio::time::timeout(SECOND / 5, given_up).await.is_err());
        let by_url = format!("{plain}?replicas=2&wait_ms=50&prefix={PREFIX}");
        let by_url = FlagStore::new(Arc::new(patient(&by_url)?.driver(driver).open().await?));
        // That it is applied, which the typed API would find by reading it back, is not what was asked.
        let error = by_url.create_flag(flag(&format!("{driver:?}-u"))).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Indeterminate && error.is_unconfirmed(), "{error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_disk_is_waited_for_where_there_is_one() -> Result<()> {
    let _alone = alone().await;
    let a = flag("a");
    let (without, with) = (Server::start(&[])?, Server::start(&["--appendonly", "yes"])?);
    for driver in DRIVERS {
        let open = |server: &Server| {
            Ok::<_, flags_core::Error>(patient(&server.url())?.driver(driver).fsync(SECOND * 5).open())
        };
        let error = open(&without)?.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
        match open(&with)?.await {
            Ok(store) => drop(store.commit(Batch::new().put(a.clone(), Expect::Any)).await?),
            // Before Redis 7.2.
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
                assert!(error.to_string().contains("7.2"), "{error}");
            }
        }
    }
    Ok(())
}
