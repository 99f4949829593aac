//! The conformance suite over the Redis backend in a cluster and under sentinels, with each driver.

use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use anyhow::Result;
use flags_redis::Driver;
use flags_tests::cluster::Cluster;
use flags_tests::over_redis::{Site, over};
use flags_tests::sentinel::Sentinels;
use flags_tests::suites;

/// Started once, whoever needs it first, and killed when the last is done.
static CLUSTER: LazyLock<Mutex<Weak<Cluster>>> = LazyLock::new(Mutex::default);
static SENTINELS: LazyLock<Mutex<Weak<Sentinels>>> = LazyLock::new(Mutex::default);

fn shared<T>(place: &Mutex<Weak<T>>, start: impl Future<Output = Result<T>>) -> Result<Arc<T>> {
    let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(there) = place.upgrade() {
        return Ok(there);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let started = Arc::new(runtime.block_on(start)?);
    *place = Arc::downgrade(&started);
    Ok(started)
}

fn cluster() -> Result<Site> {
    Ok(Site::Cluster(shared(&CLUSTER, Cluster::start(3, 0))?))
}

fn sentinels() -> Result<Site> {
    Ok(Site::Sentinels(shared(&SENTINELS, Sentinels::start(1))?))
}

fn main() -> std::process::ExitCode {
    suites::main(vec![
        over("redis-rs-cluster", Driver::RedisRs, cluster),
        over("fred-cluster", Driver::Fred, cluster),
        over("redis-rs-sentinel", Driver::RedisRs, sentinels),
        over("fred-sentinel", Driver::Fred, sentinels),
    ])
}
