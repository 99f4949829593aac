//! A master, its replicas, and the sentinels that watch over them, as local processes.

use anyhow::{Context as _, Result};
use redis::aio::MultiplexedConnection;

use crate::server::{Role, Server, raw, unused_port};
use crate::wait;

/// By what name the sentinels know the master.
pub const MASTER: &str = "main";

/// How many sentinels there are, and how many of them must take the master for dead.
const SENTINELS: usize = 3;
const QUORUM: usize = 2;

/// After so many milliseconds without a word a sentinel takes a server for dead. With 500, a busy machine
/// sees servers replaced that are well, and sentinels that disagree for ever after two failovers at once.
const SILENCE: u32 = 2_000;
/// How many milliseconds a failover may take; after twice as many it is tried again.
const FAILOVER: u32 = 8_000;

/// A server and its replicas under three sentinels. Killed when it is dropped.
///
/// Servers are named by their position; the first one is the master at the beginning. On a very busy machine
/// the sentinels may replace it although it is well: ask [`master`](Self::master).
#[derive(Debug)]
pub struct Sentinels {
    servers: Vec<Server>,
    sentinels: Vec<Server>,
}

impl Sentinels {
    /// Starts them; ready once every sentinel knows the others and the replicas, which are in step.
    pub async fn start(replicas: usize) -> Result<Self> {
        Self::start_with(replicas, &[]).await
    }

    /// Starts them with these arguments for the master and the replicas.
    pub async fn start_with(replicas: usize, args: &[&str]) -> Result<Self> {
        let mut servers = vec![Server::start(args)?];
        let port = servers[0].port();
        for _ in 0..replicas {
            let following = ["--replicaof", "127.0.0.1", &port.to_string()];
            servers.push(Server::start(&[args, &following].concat())?);
        }
        let config = format!(
            "sentinel monitor {MASTER} 127.0.0.1 {port} {QUORUM}\n\
             sentinel down-after-milliseconds {MASTER} {SILENCE}\n\
             sentinel failover-timeout {MASTER} {FAILOVER}\n"
        );
        let role = Role { port: unused_port, config: Some(&config) };
        let sentinels = (0..SENTINELS).map(|_| Server::start_as(role, || Ok(vec!["--sentinel".to_owned()])));
        let group = Self { servers, sentinels: sentinels.collect::<Result<_>>()? };
        wait::until("the sentinels know each other", async || group.is_complete().await).await?;
        Ok(group)
    }

    /// How many servers there are, the sentinels apart.
    pub fn len(&self) -> usize {
        self.servers.len()
    }

    /// Never.
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// A server; to freeze it and thaw it again.
    pub fn server(&self, server: usize) -> &Server {
        &self.servers[server]
    }

    /// A server; to kill it and run it again. The sentinels make it follow whom they chose meanwhile.
    pub fn server_mut(&mut self, server: usize) -> &mut Server {
        &mut self.servers[server]
    }

    /// A sentinel; to freeze it and thaw it again.
    pub fn sentinel(&self, sentinel: usize) -> &Server {
        &self.sentinels[sentinel]
    }

    /// A sentinel; to kill it and run it again.
    pub fn sentinel_mut(&mut self, sentinel: usize) -> &mut Server {
        &mut self.sentinels[sentinel]
    }

    /// `redis+sentinel://127.0.0.1:PORT,127.0.0.1:PORT,127.0.0.1:PORT/main`
    pub fn url(&self) -> String {
        let hosts: Vec<String> =
            self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port())).collect();
        format!("redis+sentinel://{}/{MASTER}", hosts.join(","))
    }

    /// A plain connection to one server.
    pub async fn raw(&self, server: usize) -> Result<MultiplexedConnection> {
        raw(&self.servers[server].url()).await
    }

    /// Who is the master, once every sentinel that is up names it and it says so itself.
    pub async fn master(&self) -> Result<usize> {
        wait::found("one master", async || self.agreed().await).await
    }

    /// Waits until another server than that one is the master; says which.
    pub async fn wait_for_failover(&self, from: usize) -> Result<usize> {
        let changed = async || Ok(self.agreed().await?.filter(|master| *master != from));
        wait::found("another master", changed).await.with_context(|| self.last_words())
    }

    /// Waits until that server follows the master and is in step.
    pub async fn wait_until_follows(&self, server: usize) -> Result<()> {
        wait::until("the replica is in step", async || {
            Ok(self.role(server).await?.as_deref() == Some("slave") && self.is_in_step(server).await?)
        })
        .await
    }

    /// What the sentinels wrote last, for whoever has to find out why they do not agree.
    fn last_words(&self) -> String {
        self.sentinels.iter().map(Server::last_words).collect::<Vec<_>>().join("\n--\n")
    }

    async fn agreed(&self) -> Result<Option<usize>> {
        let mut named = Vec::new();
        for sentinel in self.sentinels.iter().filter(|sentinel| sentinel.is_up()) {
            let mut asking = redis::cmd("SENTINEL");
            asking.arg("GET-MASTER-ADDR-BY-NAME").arg(MASTER);
            let (_, port): (String, u16) = asking.query_async(&mut raw(&sentinel.url()).await?).await?;
            named.push(port);
        }
        named.dedup();
        let [port] = named[..] else { return Ok(None) };
        let master = self.servers.iter().position(|server| server.port() == port);
        let master = master.context("the sentinels name a stranger")?;
        let agrees = self.servers[master].is_up() && self.role(master).await?.as_deref() == Some("master");
        Ok(agrees.then_some(master))
    }

    async fn role(&self, server: usize) -> Result<Option<String>> {
        let role: Vec<redis::Value> = redis::cmd("ROLE").query_async(&mut self.raw(server).await?).await?;
        Ok(role.into_iter().next().map(redis::from_redis_value).transpose()?)
    }

    async fn is_in_step(&self, server: usize) -> Result<bool> {
        let mut asking = redis::cmd("INFO");
        let info: String = asking.arg("replication").query_async(&mut self.raw(server).await?).await?;
        Ok(info.lines().any(|line| line == "master_link_status:up"))
    }

    async fn is_complete(&self) -> Result<bool> {
        for replica in 1..self.servers.len() {
            if !self.is_in_step(replica).await? {
                return Ok(false);
            }
        }
        for sentinel in &self.sentinels {
            let mut asking = redis::cmd("SENTINEL");
            asking.arg("MASTER").arg(MASTER);
            let facts: std::collections::BTreeMap<String, String> =
                asking.query_async(&mut raw(&sentinel.url()).await?).await?;
            let count = |name: &str| facts.get(name).and_then(|count| count.parse().ok());
            if count("num-slaves") != Some(self.servers.len() - 1)
                || count("num-other-sentinels") != Some(SENTINELS - 1)
                || facts.get("flags").map(String::as_str) != Some("master")
            {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
