//! The client: starting, memory, the cost of a change, and evaluations while changes flow.
//!
//! `FLAGS_BENCH_OVERRIDES` is the number of overrides, 100,000 unless set. Absolute times are the machine's;
//! the last line of each group is a bare operation to compare with.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use flags_benches::flag;
use flags_client::{Client, Scheduler, Startup};
use flags_core::storage::{Batch, BoxStream, Change, Descriptor, Effect, Expect, Health, Query, Stored};
use flags_core::{
    ChangeType, EntityId, EntityType, Flag, Key, Override, Record, ScheduledChange, Storage, StorageHandle,
    Timestamp,
};
use flags_engine::{EvaluationContext, Ruleset, Semantics};
use flags_memory::MemoryStorage;
use futures_util::StreamExt;

const FLAGS: usize = 10_000;
const HOUR: Duration = Duration::from_secs(3600);

/// The memory backend, except that records are read from bytes, as from a store elsewhere: none is shared.
#[derive(Debug)]
struct Elsewhere(MemoryStorage);

fn afresh(stored: Stored) -> flags_core::Result<Stored> {
    let record = Record::decode(&stored.record.key(), &stored.record.encode()?)?;
    Ok(Stored::new(record, stored.revision))
}

#[async_trait]
impl Storage for Elsewhere {
    fn descriptor(&self) -> &Descriptor {
        self.0.descriptor()
    }

    async fn get(&self, keys: &[Key]) -> flags_core::Result<Vec<flags_core::Result<Option<Stored>>>> {
        let answers = self.0.get(keys).await?;
        Ok(answers.into_iter().map(|answer| answer?.map(afresh).transpose()).collect())
    }

    fn list(&self, query: Query) -> BoxStream<'_, flags_core::Result<Stored>> {
        self.0.list(query).map(|item| afresh(item?)).boxed()
    }

    async fn commit(&self, batch: Batch) -> flags_core::Result<Vec<Effect>> {
        self.0.commit(batch).await
    }

    async fn watch(&self) -> flags_core::Result<BoxStream<'static, Change>> {
        self.0.watch().await
    }

    async fn health(&self) -> flags_core::Result<Health> {
        self.0.health().await
    }

    async fn close(&self) -> flags_core::Result<()> {
        self.0.close().await
    }
}

/// Commits the records, as many at once as the store takes.
async fn fill(storage: &MemoryStorage, records: impl Iterator<Item = Record>) -> Result<()> {
    let mut records = records.peekable();
    while records.peek().is_some() {
        let batch = records.by_ref().take(1_000).fold(Batch::new(), |batch, one| batch.put(one, Expect::Any));
        storage.commit(batch).await?;
    }
    Ok(())
}

fn overrides(flags: &[Flag], count: usize) -> impl Iterator<Item = Record> {
    (0..count).map(move |n| {
        let of_flag = &flags[n % flags.len()];
        let user = EntityType::new("user").expect("a type");
        let id = EntityId::new(format!("user-{n:08}")).expect("an id");
        Override::new(of_flag.id, user, id, true).into()
    })
}

/// The memory that the process holds, in bytes; `None` where the system does not say so in `/proc`.
fn resident() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(pages.split(' ').nth(1)?.parse::<usize>().ok()? * 4096)
}

async fn start(storage: &StorageHandle) -> Result<Client> {
    let wait = Startup::Wait { deadline: HOUR };
    Client::builder(storage.clone()).startup(wait).start().await.context("the client starts")
}

/// Returns once that is the decision.
async fn until(client: &Client, flag: &Flag, wanted: bool, context: &EvaluationContext) {
    while client.bool_value(flag.key.as_str(), !wanted, context) != wanted {
        tokio::task::yield_now().await;
    }
}

fn told_percentiles(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |percent: usize| took.get(took.len() * percent / 100).copied().unwrap_or_default();
    println!("{what}, commit to decision: p50 {:.0?}, p99 {:.0?}", at(50), at(99));
}

async fn starting(flags: &[Flag], count: usize) -> Result<()> {
    let memory = MemoryStorage::new();
    fill(&memory, flags.iter().cloned().map(Record::from)).await?;
    let storage: StorageHandle = Arc::new(Elsewhere(memory.clone()));
    let begun = Instant::now();
    drop(start(&storage).await?);
    println!("start, {FLAGS} flags: {:.0?}", begun.elapsed());

    fill(&memory, overrides(flags, count)).await?;
    let before = resident();
    let begun = Instant::now();
    let client = start(&storage).await?;
    println!("start, {FLAGS} flags, {count} overrides: {:.0?}", begun.elapsed());
    if let (Some(before), Some(after)) = (before, resident()) {
        let bytes = after.saturating_sub(before) / count.max(1);
        println!(
            "memory: {bytes} bytes an override, the {FLAGS} flags and what loading left unused included"
        );
    }
    let among = format!("{FLAGS} with {count} overrides");
    changes(&client, &memory, flags.last().context("a flag")?, &among).await?;
    let begun = Instant::now();
    let mut read = 0;
    for kind in flags_core::Kind::ALL {
        read += storage.list(Query::All(kind)).count().await;
    }
    println!("  reading those {read} records without a client: {:.0?}", begun.elapsed());
    drop(client);
    Ok(())
}

/// From the commit until the decision is another one: edits, an override, a flag that is new.
async fn changes(client: &Client, storage: &MemoryStorage, flag: &Flag, among: &str) -> Result<()> {
    const CHANGES: u32 = 200;
    let mut edit = Flag::new(flag.key.clone());
    edit.id = flag.id;
    let nobody = EvaluationContext::default();
    let mut took = Vec::new();
    for n in 0..CHANGES {
        edit.default_enabled = n % 2 == 0;
        let begun = Instant::now();
        storage.commit(Batch::new().put(edit.clone(), Expect::Any)).await?;
        until(client, &edit, edit.default_enabled, &nobody).await;
        took.push(begun.elapsed());
    }
    told_percentiles(&format!("a change of one flag among {among}"), std::mem::take(&mut took));
    let ann = EvaluationContext::builder().user_id("ann").build();
    for n in 0..CHANGES {
        let (user, id) = (EntityType::new("user")?, EntityId::new("ann")?);
        let begun = Instant::now();
        storage.commit(Batch::new().put(Override::new(flag.id, user, id, n % 2 == 0), Expect::Any)).await?;
        until(client, &edit, n % 2 == 0, &ann).await;
        took.push(begun.elapsed());
    }
    told_percentiles(&format!("a change of one override among {among}"), std::mem::take(&mut took));
    for n in 0..CHANGES {
        let mut new = Flag::new(flags_core::FlagKey::new(format!("{}-new-{n}", flag.key))?);
        new.default_enabled = true;
        let begun = Instant::now();
        storage.commit(Batch::new().put(new.clone(), Expect::Any)).await?;
        until(client, &new, true, &nobody).await;
        took.push(begun.elapsed());
    }
    told_percentiles(&format!("a new flag among {among}"), took);
    Ok(())
}

/// Evaluations a second, all threads together.
fn throughput(threads: usize, evaluate: impl Fn(usize) -> bool + Sync) -> f64 {
    let over = AtomicBool::new(false);
    let begun = Instant::now();
    let count: u64 = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let (over, evaluate) = (&over, &evaluate);
                scope.spawn(move || {
                    let mut count = 0;
                    while !over.load(Ordering::Relaxed) {
                        for n in 0..1_000 {
                            black_box(evaluate(thread * 1_000 + n));
                        }
                        count += 1_000;
                    }
                    count
                })
            })
            .collect();
        std::thread::sleep(Duration::from_secs(1));
        over.store(true, Ordering::Relaxed);
        running.into_iter().map(|thread| thread.join().unwrap_or_default()).sum()
    });
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let count = count as f64;
    count / begun.elapsed().as_secs_f64()
}

async fn evaluations(flags: &[Flag]) -> Result<()> {
    let memory = MemoryStorage::new();
    fill(&memory, flags.iter().cloned().map(Record::from)).await?;
    let client = start(&(Arc::new(memory.clone()) as StorageHandle)).await?;
    changes(&client, &memory, flags.last().context("a flag")?, &format!("{FLAGS}")).await?;
    let context =
        EvaluationContext::builder().targeting_key("ann").country("FR").app_version("3.5.0").build();
    let keys: Vec<&str> = flags.iter().map(|flag| flag.key.as_str()).collect();
    let key = |n: usize| keys.get(n * 7 % keys.len()).copied().unwrap_or_default();
    let told = |what: &str, threads: usize, rate: f64| {
        let nanos = 1e9 / rate;
        println!("{what}, {threads} threads: {:.1} million a second, one each {nanos:.0} ns", rate / 1e6);
    };
    for threads in [1, 2, 4] {
        told("bool_value", threads, throughput(threads, |n| client.bool_value(key(n), false, &context)));
    }
    let over = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (memory, over, mut flag) = (memory, over.clone(), flags.first().context("a flag")?.clone());
        async move {
            while !over.load(Ordering::Relaxed) {
                flag.default_enabled = !flag.default_enabled;
                memory.commit(Batch::new().put(flag.clone(), Expect::Any)).await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok::<(), flags_core::Error>(())
        }
    });
    for threads in [1, 2, 4] {
        let rate = throughput(threads, |n| client.bool_value(key(n), false, &context));
        told("bool_value while 200 changes a second flow", threads, rate);
    }
    over.store(true, Ordering::Relaxed);
    writer.await??;
    let builder = Ruleset::builder(Semantics::Compat);
    let ruleset = flags.iter().fold(builder, |builder, flag| builder.flag(flag.clone())).build();
    let evaluator = ruleset.evaluator(&context, Timestamp::now());
    told("  the engine alone", 1, throughput(1, |n| evaluator.boolean(key(n), false).value));
    Ok(())
}

/// One look of the scheduler, past everything that was executed before.
async fn scheduling(flag: &Flag) -> Result<()> {
    const EXECUTED: usize = 100_000;
    let memory = MemoryStorage::new();
    fill(&memory, std::iter::once(flag.clone().into())).await?;
    let executed = (0..EXECUTED).map(|_| {
        let mut change = ScheduledChange::new(flag.id, ChangeType::Enable, Timestamp::UNIX_EPOCH);
        change.executed = true;
        change.into()
    });
    fill(&memory, executed).await?;
    let scheduler = Scheduler::builder(Arc::new(Elsewhere(memory))).build();
    let begun = Instant::now();
    scheduler.run_due(Timestamp::now()).await?;
    println!("a look at {EXECUTED} executed changes, nothing due: {:.0?}", begun.elapsed());
    Ok(())
}

fn main() -> Result<()> {
    // Cargo passes options to a benchmark, of which this one has none.
    let count = match std::env::var("FLAGS_BENCH_OVERRIDES") {
        Ok(count) => count.parse().context("FLAGS_BENCH_OVERRIDES is a number")?,
        Err(_) => 100_000,
    };
    let flags: Vec<Flag> = (0..FLAGS).map(flag).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(evaluations(&flags))?;
    runtime.block_on(starting(&flags, count))?;
    runtime.block_on(scheduling(flags.first().context("a flag")?))
}
