//! The Redis backend, beside the raw client moving the same bytes, and beside the origin doing the same job.
//!
//! `cargo bench -p flags-benches --bench redis`, with a word after `--` for the rows whose names hold it
//! alone. Each row times one operation in turns, ours and the raw client's, so that both meet the same
//! machine; read the ratio of the medians. The origin runs in its own process, if `FLAGS_TEST_ORIGIN_PYTHON`
//! names a Python that has it (`cargo xtask test` makes one and prints where).

mod origin;
mod raw;
mod timing;

use std::sync::Arc;

use anyhow::{Context, Result};
use flags_benches::flag;
use flags_core::storage::{Batch, Expect, Query};
use flags_core::{EntityId, EntityType, Flag, FlagKey, FlagStore, Kind, Override, Record};
use flags_redis::{Foreign, RedisStorage};
use flags_tests::server::{Shared, unique_prefix};
use futures_util::StreamExt;

use raw::Raw;
use timing::{Row, Table};

fn main() -> Result<()> {
    // `cargo test` builds and starts benches too, to see that they start.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    // One thread: the client and the server are busy enough with one core each.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}

async fn run() -> Result<()> {
    let server = Shared::get()?;
    let bench = Bench::new(server.url()).await?;
    let mut table = Table::new();
    let word = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let wanted = |name: &str| name.contains(&word);
    if wanted("get_flag") {
        bench.get_flag(&mut table).await?;
        bench.get_flags(&mut table, 100).await?;
    }
    if wanted("list") {
        bench.list(&mut table, 1_000).await?;
        bench.list(&mut table, 10_000).await?;
    }
    if wanted("commit") {
        bench.commit(&mut table).await?;
    }
    if wanted("delete") {
        bench.delete(&mut table, 10_000).await?;
    }
    if word.is_empty() {
        origin::measure(&mut table, &bench.url)?;
    }
    println!("{table}");
    Ok(())
}

/// A store, and the raw client beside it.
struct Bench {
    url: String,
    raw: Raw,
}

impl Bench {
    async fn new(url: String) -> Result<Self> {
        Ok(Self { raw: Raw::connect(&url).await?, url })
    }

    /// An empty store under a prefix of its own.
    async fn store(&self) -> Result<(String, FlagStore)> {
        let prefix = unique_prefix();
        let storage =
            RedisStorage::builder(&self.url)?.prefix(&prefix).foreign(Foreign::Index).open().await?;
        Ok((prefix, FlagStore::new(Arc::new(storage))))
    }

    async fn filled(&self, flags: usize) -> Result<(String, FlagStore)> {
        let (prefix, store) = self.store().await?;
        let flags: Vec<Flag> = (0..flags).map(flag).collect();
        for chunk in flags.chunks(1_000) {
            store.create_flags(chunk.to_vec()).await?;
        }
        Ok((prefix, store))
    }

    async fn get_flag(&self, table: &mut Table) -> Result<()> {
        let (prefix, store) = self.filled(1).await?;
        let key = flag(0).key;
        let mut row = Row::new("get_flag", 200, 50);
        while let Some(mut turn) = row.turn() {
            turn.raw(async || self.raw.get_and_decode(&prefix, &key).await).await?;
            turn.ours(async || store.get_flag(&key).await?.context("it is there")).await?;
        }
        table.add(row);
        Ok(())
    }

    async fn get_flags(&self, table: &mut Table, n: usize) -> Result<()> {
        let (prefix, store) = self.filled(n).await?;
        let keys: Vec<FlagKey> = (0..n).map(|n| flag(n).key).collect();
        let mut row = Row::new(format!("get_flags({n})"), 100, 5);
        while let Some(mut turn) = row.turn() {
            turn.raw(async || self.raw.mget_and_decode(&prefix, &keys).await).await?;
            turn.ours(async || Ok(store.get_flags(&keys).await?)).await?;
        }
        table.add(row);
        Ok(())
    }

    async fn list(&self, table: &mut Table, n: usize) -> Result<()> {
        let (prefix, store) = self.filled(n).await?;
        let storage = store.storage();
        let mut row = Row::new(format!("list {n}"), 20, 1);
        while let Some(mut turn) = row.turn() {
            turn.raw(async || self.raw.sort_and_decode(&prefix).await).await?;
            turn.ours(async || {
                let mut flags = storage.list(Query::All(Kind::Flag));
                let mut listed = Vec::new();
                while let Some(flag) = flags.next().await {
                    listed.push(flag?);
                }
                Ok(listed)
            })
            .await?;
        }
        table.add(row);
        Ok(())
    }

    async fn commit(&self, table: &mut Table) -> Result<()> {
        let (prefix, store) = self.filled(1).await?;
        let storage = store.storage();
        let record = Record::from(flag(0));
        let bytes = record.encode()?;
        let mut row = Row::new("commit one flag", 200, 50);
        while let Some(mut turn) = row.turn() {
            turn.raw(async || self.raw.bare_script(&prefix, &flag(0).key, &bytes).await).await?;
            turn.ours(async || Ok(storage.commit(Batch::new().put(record.clone(), Expect::Present)).await?))
                .await?;
        }
        table.add(row);
        Ok(())
    }

    async fn delete(&self, table: &mut Table, owned: usize) -> Result<()> {
        let (prefix, store) = self.store().await?;
        let mut row = Row::new(format!("delete with {owned} owned"), 5, 1);
        while let Some(mut turn) = row.turn() {
            let keys = self.fill(&prefix, &store, owned).await?;
            turn.raw(async || self.raw.delete(&keys).await).await?;
            store.delete_flag(&flag(0).key, None).await?;
            self.fill(&prefix, &store, owned).await?;
            turn.ours(async || Ok(store.delete_flag(&flag(0).key, None).await?)).await?;
        }
        table.add(row);
        Ok(())
    }

    /// A flag that owns so many overrides; answers their Redis keys.
    async fn fill(&self, prefix: &str, store: &FlagStore, owned: usize) -> Result<Vec<String>> {
        let flag = flag(0);
        store.create_flag(flag.clone()).await?;
        let user = EntityType::new("user")?;
        let mut keys = Vec::with_capacity(owned);
        let mut batch = Batch::new();
        for n in 0..owned {
            let record = Override::new(flag.id, user.clone(), EntityId::new(n.to_string())?, true);
            keys.push(format!("{prefix}override:{}:user:{n}", flag.id));
            batch = batch.put(record, Expect::Absent);
            if batch.len() == 1_000 {
                store.storage().commit(std::mem::take(&mut batch)).await?;
            }
        }
        store.storage().commit(batch).await?;
        Ok(keys)
    }
}
