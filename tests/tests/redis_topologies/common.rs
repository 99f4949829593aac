//! Stores on groups of servers.

use std::time::Duration;

use anyhow::Result;
use flags_core::{Flag, FlagKey};
use flags_redis::{Driver, RedisBuilder, RedisStorage};
use flags_tests::cluster::Cluster;

pub(crate) const DRIVERS: [Driver; 2] = [Driver::RedisRs, Driver::Fred];
pub(crate) const PREFIX: &str = "{ff}:";

/// One group of servers at a time: each is several processes, and they watch each other's clocks.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

pub(crate) async fn alone() -> tokio::sync::MutexGuard<'static, ()> {
    ALONE.lock().await
}

/// A store that gives up on a silent server soon, and on the whole late.
pub(crate) fn builder(url: &str, driver: Driver) -> Result<RedisBuilder> {
    let builder = RedisStorage::builder(url)?.driver(driver).prefix(PREFIX);
    Ok(builder
        .connect_timeout(Duration::from_secs(1))
        .command_timeout(Duration::from_secs(2))
        .deadline(Duration::from_secs(10)))
}

pub(crate) fn flag(key: &str) -> Flag {
    Flag::new(FlagKey::new(key).expect("a flag key"))
}

/// The node that has the keys of these tests.
pub(crate) async fn owner(cluster: &Cluster) -> Result<(u16, usize)> {
    let slot = cluster.slot_of(PREFIX).await?;
    Ok((slot, cluster.master_of(slot).await?))
}
