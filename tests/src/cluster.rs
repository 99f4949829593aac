//! A cluster of local processes, and the moves of its slots.

mod migration;
mod view;

use anyhow::{Context as _, Result, ensure};
use redis::aio::MultiplexedConnection;

pub use migration::Migration;

use crate::server::{Role, Server, raw, unused_cluster_port};
use crate::wait;

/// How many slots there are.
pub const SLOTS: u16 = 16_384;

/// After so many milliseconds without a word a node takes another one for dead; a replica takes its master's
/// place soon after.
const NODE_TIMEOUT: &str = "2000";

/// A cluster on loopback ports: the masters first, each with an equal part of the slots, then their replicas.
/// Killed when it is dropped. Nodes are named by their position.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Server>,
    ids: Vec<String>,
}

impl Cluster {
    /// Starts one with that many masters, each with that many replicas; ready once every node sees every slot
    /// served and every replica follows its master.
    pub async fn start(masters: usize, replicas: usize) -> Result<Self> {
        Self::start_with(masters, replicas, &[]).await
    }

    /// Starts one whose nodes have these arguments as well.
    pub async fn start_with(masters: usize, replicas: usize, args: &[&str]) -> Result<Self> {
        ensure!(masters > 0, "a cluster needs a master");
        let role = Role { port: unused_cluster_port, config: None };
        let own = ["--cluster-enabled", "yes", "--cluster-node-timeout", NODE_TIMEOUT];
        // A replica that was cut off for long may take over all the same: there is no other.
        let own = own.into_iter().chain(["--cluster-replica-validity-factor", "0"]);
        let args: Vec<String> = own.chain(args.iter().copied()).map(str::to_owned).collect();
        let nodes = (0..masters * (1 + replicas)).map(|_| Server::start_as(role, || Ok(args.clone())));
        let mut cluster = Self { nodes: nodes.collect::<Result<_>>()?, ids: Vec::new() };
        cluster.meet().await?;
        cluster.deal(masters).await?;
        for node in masters..cluster.nodes.len() {
            let master = &cluster.ids[(node - masters) % masters];
            let _: () = cluster.ask(node, redis::cmd("CLUSTER").arg("REPLICATE").arg(master)).await?;
        }
        for node in 0..cluster.len() {
            let complete = async || cluster.shows_each(node, 1 + replicas).await;
            wait::until("each node sees the replicas", complete).await?;
        }
        cluster.wait_until_settled().await?;
        Ok(cluster)
    }

    /// Makes every node known to every other.
    async fn meet(&mut self) -> Result<()> {
        for node in 0..self.nodes.len() {
            let id = self.ask(node, redis::cmd("CLUSTER").arg("MYID")).await?;
            self.ids.push(id);
            // Different from the start, so that they need not be made so by collisions.
            let _: () = self.ask(node, redis::cmd("CLUSTER").arg("SET-CONFIG-EPOCH").arg(node + 1)).await?;
        }
        for (node, other) in (0..self.nodes.len()).flat_map(|a| (0..a).map(move |b| (a, b))) {
            let port = self.nodes[other].port();
            let _: () = self.ask(node, redis::cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(port)).await?;
        }
        for node in 0..self.nodes.len() {
            wait::until("the nodes know each other", async || Ok(self.knows(node).await? == self.len()))
                .await?;
        }
        Ok(())
    }

    /// Gives each master its part of the slots.
    async fn deal(&self, masters: usize) -> Result<()> {
        let first = |part: usize| usize::from(SLOTS) * part / masters;
        for node in 0..masters {
            // ADDSLOTSRANGE is not in 6.2.
            let slots: Vec<usize> = (first(node)..first(node + 1)).collect();
            let _: () = self.ask(node, redis::cmd("CLUSTER").arg("ADDSLOTS").arg(slots)).await?;
        }
        Ok(())
    }

    /// Waits until every node that is up says that the cluster is ok and agrees about who serves each slot,
    /// and every replica among them is in step with its master.
    pub async fn wait_until_settled(&self) -> Result<()> {
        wait::until("the cluster is ok", async || self.is_settled().await).await
    }

    /// How many nodes it was started with.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// A node; to freeze it and thaw it again.
    pub fn node(&self, node: usize) -> &Server {
        &self.nodes[node]
    }

    /// A node; to kill it and run it again. It comes back as the node that it was.
    pub fn node_mut(&mut self, node: usize) -> &mut Server {
        &mut self.nodes[node]
    }

    /// The URL of every node, as if it were alone.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Server::url).collect()
    }

    /// The whole cluster's: `redis+cluster://127.0.0.1:PORT,127.0.0.1:PORT,...`
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// A plain connection to one node, which follows no redirection.
    pub async fn raw(&self, node: usize) -> Result<MultiplexedConnection> {
        let server = &self.nodes[node];
        ensure!(server.is_up(), "node {node} is not up");
        raw(&server.url()).await.with_context(|| format!("node {node}"))
    }

    async fn ask<T: redis::FromRedisValue>(&self, node: usize, cmd: &redis::Cmd) -> Result<T> {
        cmd.query_async(&mut self.raw(node).await?).await.with_context(|| format!("node {node}"))
    }

    fn up(&self) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].is_up())
    }
}
