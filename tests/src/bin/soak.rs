//! Many tasks at one store for minutes, over a way that fails now and then, and a client that follows: what
//! is held does not grow.
//!
//! `soak MINUTES [redis-rs|fred]`; `cargo xtask soak` runs it. Needs Linux, whose `/proc` it reads. Fails
//! when the connections, the memory or the open files of the last third of the time are more than those of
//! the second third, give or take.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;
use flags_client::{Client, Startup};
use flags_core::{
    ChangeType, EntityId, EntityType, ErrorKind, Flag, FlagKey, FlagStore, Override, ScheduledChange,
    Storage as _, Timestamp,
};
use flags_redis::Driver;
use flags_tests::live::{seed, until_same, user};
use flags_tests::proxy::Proxy;
use flags_tests::server::{Server, patient, raw};
use flags_tests::trouble::{self, Toll};
use flags_tests::wait::{BOUND, until};
use redis::aio::MultiplexedConnection;
use tokio::task::JoinSet;

const TASKS: usize = 64;
/// Samples in all, whatever the time.
const SAMPLES: u32 = 36;
/// The longest that one fault, and the peace after it, last.
const LONGEST: Duration = Duration::from_secs(2);

/// What is held at one moment.
#[derive(Debug, Clone, Copy)]
struct Sample {
    connections: usize,
    resident: usize,
    files: usize,
}

impl Sample {
    async fn take(raw: &mut MultiplexedConnection) -> Result<Self> {
        let list: String = redis::cmd("CLIENT").arg("LIST").query_async(raw).await?;
        let pages = std::fs::read_to_string("/proc/self/statm").context("a soak needs Linux")?;
        let resident = pages.split(' ').nth(1).context("no resident size")?.parse::<usize>()? * 4096;
        let files = std::fs::read_dir("/proc/self/fd")?.count();
        // But for the connection that asks.
        Ok(Self { connections: list.lines().count() - 1, resident, files })
    }

    /// The most of each.
    fn most(samples: &[Self]) -> Self {
        let most = |of: fn(&Self) -> usize| samples.iter().map(of).max().unwrap_or_default();
        Self {
            connections: most(|s| s.connections),
            resident: most(|s| s.resident),
            files: most(|s| s.files),
        }
    }
}

#[derive(Default)]
struct Counts {
    done: AtomicU64,
    failed: AtomicU64,
    over: AtomicBool,
}

/// One operation of many kinds, on few records: what is stored does not grow.
async fn one(store: &FlagStore, rng: &mut Rng) -> flags_core::Result<()> {
    let key = FlagKey::new(format!("f{}", rng.u8(..40)))?;
    let (kind, id) = (EntityType::new("user")?, EntityId::new(format!("u{}", rng.u8(..20)))?);
    match rng.u8(..12) {
        0 => {
            let _ = store.delete_flag(&key, None).await?;
        }
        1 | 2 => drop(store.create_flag(Flag::new(key)).await?),
        3 => drop(store.get_all_flags().await?),
        4..=6 => {
            let on = rng.bool();
            let edited = store.modify_flag(&key, |flag| {
                flag.default_enabled = on;
                Ok(())
            });
            drop(edited.await?);
        }
        7 => {
            if let Some(flag) = store.get_flag(&key).await? {
                let mut over = Override::new(flag.id, kind, id, rng.bool());
                let life = Duration::from_millis(rng.u64(1..3_000));
                over.expires_at = Some(Timestamp::now().saturating_add(life));
                drop(store.create_override(over).await?);
            }
        }
        8 => {
            if let Some(flag) = store.get_flag(&key).await? {
                let _ = store.delete_override(flag.id, &kind, &id, None).await?;
            }
        }
        9 => {
            if let Some(flag) = store.get_flag(&key).await? {
                let change = ScheduledChange::new(flag.id, ChangeType::Enable, Timestamp::UNIX_EPOCH);
                let change = store.create_scheduled_change(change).await?;
                let _ = store.delete_scheduled_change(change.id, None).await?;
            }
        }
        _ => drop(store.get_flag(&key).await?),
    }
    Ok(())
}

async fn work(store: FlagStore, mut rng: Rng, counts: Arc<Counts>) -> Result<()> {
    while !counts.over.load(Ordering::Relaxed) {
        let outcome = if rng.u8(..50) == 0 {
            // Given up by whoever asked.
            let patience = Duration::from_micros(rng.u64(..3_000));
            tokio::time::timeout(patience, one(&store, &mut rng)).await.unwrap_or(Ok(()))
        } else {
            one(&store, &mut rng).await
        };
        match outcome {
            Ok(()) => counts.done.fetch_add(1, Ordering::Relaxed),
            Err(error) => match error.kind() {
                ErrorKind::NotFound | ErrorKind::AlreadyExists | ErrorKind::Conflict => {
                    counts.done.fetch_add(1, Ordering::Relaxed)
                }
                ErrorKind::Unavailable | ErrorKind::Indeterminate => {
                    counts.failed.fetch_add(1, Ordering::Relaxed)
                }
                _ => return Err(error.into()),
            },
        };
        // Leaves the machine some time for others.
        tokio::time::sleep(Duration::from_millis(rng.u64(1..40))).await;
    }
    Ok(())
}

/// Trouble, then peace, for ever.
async fn trouble(proxy: &Proxy, mut rng: Rng, toll: &std::cell::Cell<Toll>) -> Result<()> {
    loop {
        let mut all = toll.get();
        all += trouble::once(proxy, &mut rng, LONGEST).await?;
        toll.set(all);
        tokio::time::sleep(LONGEST.mul_f64(rng.f64())).await;
    }
}

async fn sample(raw: &mut MultiplexedConnection, length: Duration, counts: &Counts) -> Result<Vec<Sample>> {
    let begun = Instant::now();
    println!(
        "{:>8} {:>12} {:>10} {:>6} {:>10} {:>8}",
        "seconds", "connections", "RSS KiB", "files", "done", "failed"
    );
    let mut samples = Vec::new();
    for number in 1..=SAMPLES {
        tokio::time::sleep((length * number / SAMPLES).saturating_sub(begun.elapsed())).await;
        let sample = Sample::take(raw).await?;
        let (done, failed) = (counts.done.load(Ordering::Relaxed), counts.failed.load(Ordering::Relaxed));
        println!(
            "{:>8} {:>12} {:>10} {:>6} {done:>10} {failed:>8}",
            begun.elapsed().as_secs(),
            sample.connections,
            sample.resident / 1024,
            sample.files
        );
        samples.push(sample);
    }
    Ok(samples)
}

/// Compares thirds: the first is for warming up.
fn judge(samples: &[Sample]) -> Result<()> {
    let third = samples.len() / 3;
    let (before, after) = (Sample::most(&samples[third..2 * third]), Sample::most(&samples[2 * third..]));
    println!("second third at most {before:?}, last third at most {after:?}");
    // A connection that is given up and its successor may meet.
    ensure!(after.connections <= before.connections + 2, "connections grow");
    ensure!(after.files <= before.files + 6, "open files grow");
    ensure!(after.resident <= before.resident + before.resident / 10 + (4 << 20), "memory grows");
    Ok(())
}

async fn soak(length: Duration, driver: Driver) -> Result<()> {
    let server = Server::start(&[])?;
    let proxy = Proxy::to(server.port()).await?;
    let mut rng = Rng::with_seed(seed()?);
    let mut raw = raw(&server.url()).await?;
    let second = Duration::from_secs(1);
    let builder = patient(&proxy.url())?.driver(driver).connect_timeout(second).command_timeout(second);
    let storage = Arc::new(builder.deadline(5 * second).open().await?);
    let truth = patient(&server.url())?.driver(driver).open().await?;
    // Never without a flag: an emptied store is another matter.
    FlagStore::new(storage.clone()).create_flag(Flag::new(FlagKey::new("stays")?)).await?;
    let start = Client::builder(storage.clone()).startup(Startup::Wait { deadline: BOUND });
    let client = start.retry_delays(second / 10, second).start().await?;

    let counts = Arc::new(Counts::default());
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        tasks.spawn(work(FlagStore::new(storage.clone()), rng.fork(), Arc::clone(&counts)));
    }
    let toll = std::cell::Cell::default();
    let samples = tokio::select! {
        samples = sample(&mut raw, length, &counts) => samples?,
        failed = trouble(&proxy, rng.fork(), &toll) => bail!("trouble has no end: {failed:?}"),
        Some(ended) = tasks.join_next() => bail!("a task ended: {ended:?}"),
    };
    counts.over.store(true, Ordering::Relaxed);
    proxy.heal().await?;
    proxy.release();
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    let users: Vec<_> = (0..20).map(|n| user(&format!("u{n}"))).collect();
    until_same(&client, &truth, &users).await?;
    println!("{:?}; in the end the replica is the store", toll.get());
    judge(&samples)?;
    let connections = async |most: usize| -> Result<()> {
        until("connections end", async || Ok(Sample::take(&mut raw.clone()).await?.connections <= most)).await
    };
    // One for commands and one for changes; that of the truth beside them.
    connections(3).await?;
    client.close().await;
    storage.close().await?;
    connections(1).await
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let minutes: f64 = args.next().context("no number of minutes")?.parse()?;
    let driver = match args.next().as_deref() {
        None | Some("redis-rs") => Driver::RedisRs,
        Some("fred") => Driver::Fred,
        Some(other) => bail!("no driver {other}"),
    };
    soak(Duration::from_secs_f64(60.0 * minutes), driver).await
}
