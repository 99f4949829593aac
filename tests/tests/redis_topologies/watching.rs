//! Watches of a store whose server becomes another one (C12).

use anyhow::{Context as _, Result};
use flags_core::storage::{Batch, BoxStream, Change, Expect};
use flags_core::{Flag, Json, Key, Record, Storage as _};
use flags_redis::{Driver, RedisStorage};
use flags_tests::cluster::Cluster;
use flags_tests::sentinel::{MASTER, Sentinels};
use flags_tests::server::raw;
use flags_tests::wait::{BOUND, found, until};
use futures_util::StreamExt as _;
use redis::aio::MultiplexedConnection;

use crate::common::{DRIVERS, PREFIX, alone, builder, flag, owner};

/// Somebody who keeps one flag as it was read last, and reads it again when the watch says so and at no other
/// time.
struct Cache {
    store: RedisStorage,
    watch: BoxStream<'static, Change>,
    key: Key,
    flag: Option<Record>,
}

impl Cache {
    /// Writes the flag, and follows it.
    async fn of(store: RedisStorage, flag: Flag) -> Result<Self> {
        let key = Record::from(flag.clone()).key();
        store.commit(Batch::new().put(flag.clone(), Expect::Any)).await?;
        let watch = store.watch().await?;
        let mut cache = Self { store, watch, key, flag: None };
        cache.shows(flag).await?;
        Ok(cache)
    }

    /// Waits until it has that flag.
    async fn shows(&mut self, flag: Flag) -> Result<()> {
        let wanted = Some(Record::from(flag));
        let shown = async {
            while self.flag != wanted {
                match self.watch.next().await.context("the watch has ended")? {
                    Change::Changed(key) if key == self.key => {}
                    Change::Resync => {}
                    _ => continue,
                }
                // While servers change places, reading may have to be tried again.
                let read =
                    async || Ok(Some(self.store.get(std::slice::from_ref(&self.key)).await?.remove(0)?));
                self.flag = found("the flag", read).await?.map(|stored| stored.record.clone());
            }
            Ok(())
        };
        tokio::time::timeout(BOUND, shown).await.context("nobody says that the flag has changed")?
    }
}

/// The flag in that version.
fn version(n: u32) -> Flag {
    let mut flag = flag("watched");
    flag.id = ID.parse().expect("an id");
    flag.metadata = Json::new(&n).expect("a number");
    flag
}

/// Writes it as somebody else does, who knows where.
async fn set(server: &mut MultiplexedConnection, flag: &Flag) -> Result<()> {
    let json = Record::from(flag.clone()).encode()?;
    let mut set = redis::cmd("SET");
    Ok(set.arg(format!("{PREFIX}flag:{}", flag.key)).arg(json).query_async(server).await?)
}

/// Writes it where it has moved already, while others are yet to come.
async fn set_moved(server: &mut MultiplexedConnection, flag: &Flag) -> Result<()> {
    let json = Record::from(flag.clone()).encode()?;
    let mut pipe = redis::pipe();
    pipe.cmd("ASKING").ignore().cmd("SET").arg(format!("{PREFIX}flag:{}", flag.key)).arg(json).ignore();
    Ok(pipe.query_async(server).await?)
}

const ID: &str = "00000000-0000-4000-8000-000000000001";
const USER: &str = "app";
const PASSWORD: &str = "s3cret";

/// A user of every server, beside the one that sentinels and replicas are.
async fn add_user(group: &Sentinels) -> Result<()> {
    for server in 0..group.len() {
        let mut user = redis::cmd("ACL");
        user.arg(&["SETUSER", USER, "on", &format!(">{PASSWORD}"), "~*", "&*", "+@all"]);
        let _: () = user.query_async(&mut group.raw(server).await?).await?;
    }
    Ok(())
}

/// Cuts the server off from sentinels and replicas, and from nobody else.
async fn cut_off(group: &Sentinels, server: usize) -> Result<()> {
    let url = group.server(server).url().replace("://", &format!("://{USER}:{PASSWORD}@"));
    let mut user = redis::cmd("ACL");
    let _: () = user.arg(&["SETUSER", "default", "-@all"]).query_async(&mut raw(&url).await?).await?;
    Ok(())
}

async fn followed(url: &str, driver: Driver) -> Result<Cache> {
    let store = builder(url, driver)?.credentials(Some(USER), PASSWORD).open().await?;
    Cache::of(store, version(0)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_leaves_a_master_that_was_replaced_and_still_answers() -> Result<()> {
    for driver in DRIVERS {
        let _alone = alone().await;
        let group = Sentinels::start(1).await?;
        add_user(&group).await?;
        let former = group.master().await?;
        let mut cache = followed(&group.url(), driver).await?;
        cut_off(&group, former).await?;
        let master = group.wait_for_failover(former).await?;
        // Nobody writes through the store, and no connection of it breaks.
        let changed = version(1);
        set(&mut group.raw(master).await?, &changed).await?;
        cache.shows(changed).await.with_context(|| format!("{driver:?}"))?;
        // It is followed there.
        let changed = version(2);
        set(&mut group.raw(master).await?, &changed).await?;
        cache.shows(changed).await.with_context(|| format!("{driver:?}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_follows_a_failover_that_an_operator_wants() -> Result<()> {
    for driver in DRIVERS {
        let _alone = alone().await;
        let group = Sentinels::start(1).await?;
        add_user(&group).await?;
        let former = group.master().await?;
        let mut cache = followed(&group.url(), driver).await?;
        until("the sentinels begin a failover", async || {
            let mut sentinel = raw(&group.sentinel(0).url()).await?;
            Ok(redis::cmd("SENTINEL").arg("FAILOVER").arg(MASTER).query_async(&mut sentinel).await?)
        })
        .await?;
        let master = group.wait_for_failover(former).await?;
        let changed = version(1);
        set(&mut group.raw(master).await?, &changed).await?;
        cache.shows(changed).await.with_context(|| format!("{driver:?}"))?;
        let changed = version(2);
        cache.store.commit(Batch::new().put(changed.clone(), Expect::Present)).await?;
        cache.shows(changed).await.with_context(|| format!("{driver:?}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_sees_what_changes_where_a_slot_is_moving_to() -> Result<()> {
    let _alone = alone().await;
    let cluster = Cluster::start(2, 0).await?;
    for driver in DRIVERS {
        let (slot, from) = owner(&cluster).await?;
        let to = 1 - from;
        let store = builder(&cluster.url(), driver)?.open().await?;
        let mut cache = Cache::of(store, version(0)).await?;
        let migration = cluster.begin_migration(slot, to).await?;
        while migration.move_keys(100).await? > 0 {}
        let mut importing = cluster.raw(to).await?;
        for n in 1..=5 {
            let changed = version(n);
            set_moved(&mut importing, &changed).await?;
            cache.shows(changed).await.with_context(|| format!("{driver:?}, while it moves, {n}"))?;
        }
        migration.finish().await?;
        for n in 6..=8 {
            let changed = version(n);
            set(&mut importing, &changed).await?;
            cache.shows(changed).await.with_context(|| format!("{driver:?}, when it has moved, {n}"))?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_is_called_off_leaves_nothing_behind() -> Result<()> {
    let _alone = alone().await;
    let cluster = Cluster::start(2, 0).await?;
    let (slot, from) = owner(&cluster).await?;
    let to = 1 - from;
    let connected = async || -> Result<usize> {
        let list: String = redis::cmd("CLIENT").arg("LIST").query_async(&mut cluster.raw(to).await?).await?;
        // But for the one that asks.
        Ok(list.lines().count() - 1)
    };
    for driver in DRIVERS {
        let mut cache = Cache::of(builder(&cluster.url(), driver)?.open().await?, version(0)).await?;
        until("nobody is there", async || Ok(connected().await? == 0)).await?;
        let migration = cluster.begin_migration(slot, to).await?;
        // One to ask by, one to be told by.
        until("the watch is there", async || Ok(connected().await? == 2)).await?;
        migration.call_off().await?;
        until("nobody is there any more", async || Ok(connected().await? == 0)).await?;
        set(&mut cluster.raw(from).await?, &version(1)).await?;
        cache.shows(version(1)).await.with_context(|| format!("{driver:?}"))?;
    }
    Ok(())
}
