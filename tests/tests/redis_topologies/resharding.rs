//! The slot of a store moves from one node to another.

use anyhow::Result;
use flags_core::storage::{Batch, Expect, Query};
use flags_core::{ErrorKind, Key, Kind, Record, Storage as _};
use flags_redis::Foreign;
use flags_tests::cluster::Cluster;
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::common::{DRIVERS, PREFIX, alone, builder, flag, owner};
use crate::load::Load;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_to_and_fro_loses_no_acknowledged_write() -> Result<()> {
    let _alone = alone().await;
    let cluster = Cluster::start(3, 0).await?;
    for driver in DRIVERS {
        let (slot, from) = owner(&cluster).await?;
        let to = (from + 1) % 3;
        let mut load = Load::start(builder(&cluster.url(), driver)?.open().await?, 16);
        load.go_on(200).await?;
        for target in [to, from, to] {
            let migration = cluster.begin_migration(slot, target).await?;
            // Bit by bit, with writes in between: what exists is changed here or there, what does not waits.
            for _ in 0..5 {
                migration.move_keys(20).await?;
                tokio::task::yield_now().await;
            }
            migration.finish().await?;
            load.go_on(200).await?;
        }
        let failed = load.stop().await?;
        let unsure = failed.iter().filter(|error| error.kind() == ErrorKind::Indeterminate).count();
        println!(
            "{driver:?}: {} acknowledged, {} failed, {unsure} unsure",
            load.acknowledged(),
            failed.len()
        );
        // No connection broke.
        assert_eq!(unsure, 0, "{failed:?}");
        assert_eq!(load.lost(load.store()).await?, 0);
        let fresh = builder(&cluster.url(), driver)?.open().await?;
        assert_eq!(load.lost(&fresh).await?, 0);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_middle_of_a_move_what_has_moved_is_asked_for_where_it_is() -> Result<()> {
    let _alone = alone().await;
    let cluster = Cluster::start(2, 0).await?;
    for driver in DRIVERS {
        let (slot, from) = owner(&cluster).await?;
        let to = 1 - from;
        let store = builder(&cluster.url(), driver)?.open().await?;
        let names: Vec<String> = (0..20).map(|n| format!("{driver:?}-{n}")).collect();
        for name in &names {
            store.commit(Batch::new().put(flag(name), Expect::Any)).await?;
        }
        let migration = cluster.begin_migration(slot, to).await?;
        migration.move_keys(10).await?;
        // Each is on one of the two, and none is taken for absent.
        for name in &names {
            let key = Key::Flag(flag(name).key);
            let found = store.get(std::slice::from_ref(&key)).await?.remove(0)?;
            assert_eq!(found.map(|stored| stored.record.key()), Some(key), "{driver:?}");
        }
        let mut to_node = cluster.raw(to).await?;
        let stats: String = redis::cmd("INFO").arg("commandstats").query_async(&mut to_node).await?;
        assert!(stats.contains("cmdstat_asking"), "{driver:?}: nobody asked there");
        // Keys of both at once can be had from neither: that is told, and it is certain that nothing was
        // done.
        let hasty = builder(&cluster.url(), driver)?.deadline(std::time::Duration::from_millis(800));
        if let Ok(hasty) = hasty.open().await {
            let keys: Vec<Key> = names.iter().map(|name| Key::Flag(flag(name).key)).collect();
            assert_eq!(hasty.get(&keys).await.unwrap_err().kind(), ErrorKind::Unavailable);
        }
        // A listing that scans waits for the end of the move, and then sees all.
        let listing = tokio::spawn(async move {
            let listed: Vec<_> = store.list(Query::All(Kind::Flag)).try_collect().await?;
            let overrides: Vec<_> = store.list(Query::All(Kind::Override)).collect().await;
            Ok::<_, flags_core::Error>((listed.len(), overrides.len()))
        });
        tokio::task::yield_now().await;
        migration.finish().await?;
        let (flags, overrides) = listing.await??;
        assert!(flags >= 20 && overrides == 0, "{driver:?}: {flags} {overrides}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_that_scans_follows_its_slot() -> Result<()> {
    let _alone = alone().await;
    let cluster = Cluster::start(2, 0).await?;
    for driver in DRIVERS {
        let (slot, from) = owner(&cluster).await?;
        let store = builder(&cluster.url(), driver)?.foreign(Foreign::Scan).open().await?;
        let owner = flag("owner");
        store.commit(Batch::new().put(owner.clone(), Expect::Any)).await?;
        // As the origin leaves it: in no index.
        let value = flags_core::Override::new(
            owner.id,
            flags_core::EntityType::new("user")?,
            flags_core::EntityId::new("x")?,
            true,
        );
        let member = format!("{PREFIX}override:{}:user:x", owner.id);
        let json = String::from_utf8(Record::from(value).encode()?)?;
        let mut raw = cluster.raw(from).await?;
        let _: () = redis::cmd("SET").arg(member).arg(json).query_async(&mut raw).await?;
        let query = || Query::Owned(Kind::Override, owner.id);
        assert_eq!(store.list(query()).collect::<Vec<_>>().await.len(), 1);
        cluster.migrate(slot, 1 - from).await?;
        assert_eq!(store.list(query()).collect::<Vec<_>>().await.len(), 1, "{driver:?}");
        store.commit(Batch::new().delete(Key::Flag(owner.key), Expect::Present)).await?;
        let mut raw = cluster.raw(1 - from).await?;
        let left: Vec<String> = redis::cmd("KEYS").arg("*override:*").query_async(&mut raw).await?;
        assert_eq!(left, Vec::<String>::new(), "{driver:?}");
    }
    Ok(())
}
