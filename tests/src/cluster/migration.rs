//! The move of a slot, step by step: a test may stand in the middle of it.

use anyhow::{Result, ensure};

use super::Cluster;

/// For how many milliseconds the two servers may talk about some keys.
const TIMEOUT: usize = 10_000;

/// A slot on its way. The keys that have moved already are asked for at the old master, which answers ASK.
///
/// Dropped before [`finish`](Self::finish) it leaves the slot in between, as an operator would who was
/// interrupted.
#[derive(Debug)]
#[must_use]
pub struct Migration<'a> {
    cluster: &'a Cluster,
    slot: u16,
    from: usize,
    to: usize,
}

impl Cluster {
    /// Announces to both that the slot is to move to that node, which is a master.
    pub async fn begin_migration(&self, slot: u16, to: usize) -> Result<Migration<'_>> {
        let from = self.master_of(slot).await?;
        ensure!(from != to, "node {to} has the slot already");
        let (old, new) = (&self.ids[from], &self.ids[to]);
        let _: () = self.ask(to, set_slot(slot).arg("IMPORTING").arg(old)).await?;
        let _: () = self.ask(from, set_slot(slot).arg("MIGRATING").arg(new)).await?;
        Ok(Migration { cluster: self, slot, from, to })
    }

    /// Moves a slot and its keys from one master to another.
    pub async fn migrate(&self, slot: u16, to: usize) -> Result<()> {
        self.begin_migration(slot, to).await?.finish().await
    }
}

impl Migration<'_> {
    /// Moves up to that many keys; says how many it were.
    pub async fn move_keys(&self, at_most: usize) -> Result<usize> {
        let mut listing = redis::cmd("CLUSTER");
        listing.arg("GETKEYSINSLOT").arg(self.slot).arg(at_most);
        let keys: Vec<Vec<u8>> = self.cluster.ask(self.from, &listing).await?;
        if !keys.is_empty() {
            let mut migrate = redis::cmd("MIGRATE");
            migrate.arg("127.0.0.1").arg(self.cluster.node(self.to).port()).arg("").arg(0).arg(TIMEOUT);
            // It answers NOKEY where they went away meanwhile.
            let _: String = self.cluster.ask(self.from, migrate.arg("KEYS").arg(&keys)).await?;
        }
        Ok(keys.len())
    }

    /// Calls it off, before any key has moved.
    pub async fn call_off(self) -> Result<()> {
        for node in [self.from, self.to] {
            let _: () = self.cluster.ask(node, set_slot(self.slot).arg("STABLE")).await?;
        }
        Ok(())
    }

    /// Moves the keys that are left, and tells every master whose the slot is.
    pub async fn finish(self) -> Result<()> {
        while self.move_keys(100).await? > 0 {}
        let new = &self.cluster.ids[self.to];
        // The two first, the new one before the old one: in between each still knows where to send others.
        let rest = self.cluster.up().filter(|node| ![self.from, self.to].contains(node));
        for node in [self.to, self.from].into_iter().chain(rest) {
            let role: Vec<redis::Value> = self.cluster.ask(node, &redis::cmd("ROLE")).await?;
            if role.first() == Some(&redis::Value::BulkString(b"master".to_vec())) {
                let _: () = self.cluster.ask(node, set_slot(self.slot).arg("NODE").arg(new)).await?;
            }
        }
        self.cluster.wait_until_settled().await
    }
}

fn set_slot(slot: u16) -> redis::Cmd {
    let mut cmd = redis::cmd("CLUSTER");
    cmd.arg("SETSLOT").arg(slot);
    cmd
}
