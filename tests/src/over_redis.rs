//! The conformance suite's harness over the Redis backend, with each driver, on one server and on groups of
//! them.

use std::sync::Arc;

use crate::cluster::Cluster;
use crate::sentinel::Sentinels;
use crate::server::{Shared, patient, raw, unique_prefix};
use crate::suites::Suite;
use async_trait::async_trait;
use flags_conformance::{Harness, Namespace, Offered};
use flags_core::{BoxError, Key, StorageHandle};
use flags_redis::Driver;
use redis::aio::MultiplexedConnection;

const PASSWORD: &str = "conformance-s3cret";

/// Where the servers are.
#[derive(Debug, Clone)]
pub enum Site {
    /// One, that all tests of the process share.
    One,
    /// Their slots are shared out: each store is on one of them.
    Cluster(Arc<Cluster>),
    /// One of them is the master.
    Sentinels(Arc<Sentinels>),
}

/// A suite of that name, over a store at the site, opened with the driver. A second handle has the other
/// driver.
pub fn over(name: &str, driver: Driver, site: impl FnOnce() -> anyhow::Result<Site> + 'static) -> Suite {
    let harness = move || Ok(Arc::new(OverRedis { driver, site: site()? }) as Arc<dyn Harness>);
    Suite::new(name, harness)
}

struct OverRedis {
    driver: Driver,
    site: Site,
}

/// A site in use.
#[derive(Clone)]
struct Servers {
    site: Site,
    /// Keeps the server that all share.
    shared: Option<Shared>,
}

struct Store {
    driver: Driver,
    servers: Servers,
    prefix: String,
    storage: StorageHandle,
    raw: MultiplexedConnection,
}

impl Servers {
    fn of(site: &Site) -> anyhow::Result<Self> {
        let shared = matches!(site, Site::One).then(Shared::get).transpose()?;
        Ok(Self { site: site.clone(), shared })
    }

    fn url(&self) -> String {
        match (&self.site, &self.shared) {
            (Site::Cluster(cluster), _) => cluster.url(),
            (Site::Sentinels(sentinels), _) => sentinels.url(),
            (Site::One, shared) => shared.as_ref().map(Shared::url).unwrap_or_default(),
        }
    }

    /// A plain connection to the server that has the keys.
    async fn raw(&self, prefix: &str) -> anyhow::Result<MultiplexedConnection> {
        match &self.site {
            Site::Cluster(cluster) => {
                let slot = cluster.slot_of(prefix).await?;
                cluster.raw(cluster.master_of(slot).await?).await
            }
            Site::Sentinels(sentinels) => sentinels.raw(sentinels.master().await?).await,
            Site::One => raw(&self.url()).await,
        }
    }

    /// Plain connections to every server that a store may be opened with.
    async fn all(&self, raw: &MultiplexedConnection) -> anyhow::Result<Vec<MultiplexedConnection>> {
        let mut all = vec![raw.clone()];
        if let Site::Cluster(cluster) = &self.site {
            for node in 0..cluster.len() {
                all.push(cluster.raw(node).await?);
            }
        }
        Ok(all)
    }

    async fn open(&self, driver: Driver, prefix: &str) -> Result<StorageHandle, BoxError> {
        let builder = patient(&self.url())?.prefix(prefix).driver(driver);
        // A user of its own, where the server is ours, so that there is a secret to keep.
        let builder =
            if self.are_ours() { builder.credentials(Some("conformance"), PASSWORD) } else { builder };
        Ok(Arc::new(builder.open().await?))
    }

    fn are_ours(&self) -> bool {
        self.shared.as_ref().is_none_or(Shared::is_ours)
    }
}

#[async_trait]
impl Harness for OverRedis {
    async fn open(&self) -> Result<Box<dyn Namespace>, BoxError> {
        let servers = Servers::of(&self.site)?;
        let prefix = match &self.site {
            Site::Cluster(_) => format!("{{{}}}:", unique_prefix()),
            _ => unique_prefix(),
        };
        let raw = servers.raw(&prefix).await?;
        if servers.are_ours() {
            for mut raw in servers.all(&raw).await? {
                let mut user = redis::cmd("ACL");
                user.arg(&["SETUSER", "conformance", "on", "~*", "&*", "+@all"]).arg(format!(">{PASSWORD}"));
                let _: () = user.query_async(&mut raw).await?;
            }
        }
        let storage = servers.open(self.driver, &prefix).await?;
        Ok(Box::new(Store { driver: self.driver, servers, prefix, storage, raw }))
    }
}

#[async_trait]
impl Namespace for Store {
    fn storage(&self) -> StorageHandle {
        Arc::clone(&self.storage)
    }

    /// Over the other driver: what one writes the other reads.
    async fn second_handle(&self) -> Offered<StorageHandle> {
        let other = if self.driver == Driver::Fred { Driver::RedisRs } else { Driver::Fred };
        self.servers.open(other, &self.prefix).await.map(Some)
    }

    async fn sibling(&self) -> Offered<StorageHandle> {
        self.servers.open(self.driver, &format!("{}x:", self.prefix)).await.map(Some)
    }

    async fn reopen(&self) -> Offered<StorageHandle> {
        self.servers.open(self.driver, &self.prefix).await.map(Some)
    }

    /// What the origin would have written: the value, and the indexes that it keeps itself.
    async fn plant(&self, key: &Key, bytes: &[u8]) -> Offered<()> {
        let (name, index) = match key {
            Key::Flag(key) => (format!("flag:{key}"), Some(("flags", key.to_string()))),
            Key::Override(flag, kind, id) => (format!("override:{flag}:{kind}:{id}"), None),
            Key::ScheduledChange(id) => (format!("schedule:{id}"), Some(("schedules", id.to_string()))),
            Key::TimeSchedule(id) => {
                (format!("time_schedule:{id}"), Some(("time_schedules", id.to_string())))
            }
            Key::RolloutPhase(id) => {
                (format!("rollout_phase:{id}"), Some(("rollout_phases", id.to_string())))
            }
            Key::Segment(id) => (format!("segment:{id}"), Some(("segments", id.to_string()))),
            _ => return Ok(None),
        };
        let owner = serde_json::from_slice::<serde_json::Value>(bytes)
            .ok()
            .and_then(|json| json.get("flag_id")?.as_str().map(str::to_owned));
        let mut commands = redis::pipe();
        commands.set(format!("{}{name}", self.prefix), bytes).ignore();
        if let Some((index, member)) = index {
            commands.sadd(format!("{}{index}", self.prefix), &member).ignore();
            if let Some(owner) = owner {
                commands.sadd(format!("{}{index}:flag:{owner}", self.prefix), &member).ignore();
            }
        }
        let _: () = commands.query_async(&mut self.raw.clone()).await?;
        Ok(Some(()))
    }

    fn secrets(&self) -> Vec<String> {
        vec![PASSWORD.to_owned()]
    }

    async fn clean_up(&self) {
        let mut raw = self.raw.clone();
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(format!("{}*", self.prefix)).arg("COUNT").arg(1_000);
            let Ok((next, keys)) = scan.query_async::<(u64, Vec<Vec<u8>>)>(&mut raw).await else { return };
            if !keys.is_empty() {
                let _: redis::RedisResult<()> = redis::cmd("DEL").arg(keys).query_async(&mut raw).await;
            }
            cursor = next;
            if cursor == 0 {
                return;
            }
        }
    }
}
