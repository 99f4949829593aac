//! Who serves what, in the words of the nodes.

use anyhow::{Context as _, Result};
use redis::Value;

use super::Cluster;
use crate::wait;

/// A range of slots, and the ports of those that serve it, the master first.
type Range = (u16, u16, Vec<u16>);

impl Cluster {
    /// The slot of a key.
    pub async fn slot_of(&self, key: &str) -> Result<u16> {
        let node = self.up().next().context("no node is up")?;
        self.ask(node, redis::cmd("CLUSTER").arg("KEYSLOT").arg(key)).await
    }

    /// The master of a slot, once every node that is up agrees.
    pub async fn master_of(&self, slot: u16) -> Result<usize> {
        wait::found("one master of the slot", async || self.agreed(slot).await).await
    }

    /// The nodes that follow the master of a slot, in its own view.
    pub async fn replicas_of(&self, slot: u16) -> Result<Vec<usize>> {
        let mut serving = self.serving(self.master_of(slot).await?, slot).await?;
        serving.remove(0);
        Ok(serving)
    }

    /// Waits until all that are up say that another node than that one is the slot's master, and that the
    /// cluster is ok.
    pub async fn wait_for_failover(&self, slot: u16, from: usize) -> Result<usize> {
        wait::found("another master", async || {
            let master = self.agreed(slot).await?.filter(|master| *master != from);
            Ok(if self.is_settled().await? { master } else { None })
        })
        .await
    }

    async fn agreed(&self, slot: u16) -> Result<Option<usize>> {
        let mut masters = Vec::new();
        for node in self.up() {
            masters.push(self.serving(node, slot).await?.first().copied());
        }
        masters.dedup();
        Ok(if let [Some(master)] = masters[..] { Some(master) } else { None })
    }

    async fn serving(&self, node: usize, slot: u16) -> Result<Vec<usize>> {
        let ranges = self.ranges(node).await?;
        let range = ranges.into_iter().find(|(first, last, _)| (*first..=*last).contains(&slot));
        let ports = range.map(|(.., ports)| ports).unwrap_or_default();
        let at = |port| self.nodes.iter().position(|node| node.port() == port).context("a port of nobody");
        ports.into_iter().map(at).collect()
    }

    async fn ranges(&self, node: usize) -> Result<Vec<Range>> {
        let rows: Vec<Vec<Value>> = self.ask(node, redis::cmd("CLUSTER").arg("SLOTS")).await?;
        let mut ranges = Vec::with_capacity(rows.len());
        for row in rows {
            let [first, last, nodes @ ..] = &row[..] else { anyhow::bail!("CLUSTER SLOTS answered {row:?}") };
            let ports = nodes.iter().map(|node| match node {
                // Host, port, id, and from 7.0 on more.
                Value::Array(facts) => facts.get(1).and_then(number).context("a node without a port"),
                other => Err(anyhow::anyhow!("CLUSTER SLOTS answered {other:?}")),
            });
            let bound = |value| number(value).context("a slot");
            ranges.push((bound(first)?, bound(last)?, ports.collect::<Result<_>>()?));
        }
        Ok(ranges)
    }

    pub(super) async fn knows(&self, node: usize) -> Result<usize> {
        Ok(self.fact(node, "cluster_known_nodes").await?.parse()?)
    }

    /// Whether that node sees so many nodes at each slot.
    pub(super) async fn shows_each(&self, node: usize, serving: usize) -> Result<bool> {
        Ok(self.ranges(node).await?.iter().all(|(.., ports)| ports.len() == serving))
    }

    pub(super) async fn is_settled(&self) -> Result<bool> {
        let mut views = Vec::new();
        for node in self.up() {
            if self.fact(node, "cluster_state").await? != "ok" || !self.is_in_step(node).await? {
                return Ok(false);
            }
            let mut view: Vec<Range> = self.ranges(node).await?;
            // Nodes tell at different times of replicas that came or went.
            view.iter_mut().for_each(|(.., ports)| ports.truncate(1));
            view.sort_unstable();
            views.push(view);
        }
        views.dedup();
        Ok(views.len() == 1)
    }

    /// A replica follows its master; a master is followed by all who say so.
    async fn is_in_step(&self, node: usize) -> Result<bool> {
        let info: String = self.ask(node, redis::cmd("INFO").arg("replication")).await?;
        let says = |line: &str| info.lines().any(|l| l == line);
        Ok(says("role:master") || says("master_link_status:up"))
    }

    async fn fact(&self, node: usize, name: &str) -> Result<String> {
        let info: String = self.ask(node, redis::cmd("CLUSTER").arg("INFO")).await?;
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.map(str::to_owned).with_context(|| format!("CLUSTER INFO without {name}"))
    }
}

fn number(value: &Value) -> Option<u16> {
    match value {
        Value::Int(number) => u16::try_from(*number).ok(),
        _ => None,
    }
}
