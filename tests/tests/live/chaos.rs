//! Many changes while the way to the server is cut, silenced and held up at random: in the end the replica is
//! the store.
//!
//! `FLAGS_TEST_CHAOS=RUNSxSECONDS` runs it more often and for longer; `cargo xtask nightly` does.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use flags_client::{ClientEvent, Freshness};
use flags_core::{EntityId, EntityType, ErrorKind, Flag, FlagStore, Override, Record, Timestamp};
use flags_redis::Driver;
use flags_tests::live::{seed, until_same, user};
use flags_tests::proxy::Proxy;
use flags_tests::server::{Server, raw};
use flags_tests::trouble::{self, Toll};
use redis::aio::MultiplexedConnection;
use tokio::time::MissedTickBehavior;

use crate::common::{PREFIX, client, override_of, store, text_flag, wary};

const RATE: u32 = 200;
/// So many that most changes are the last of their flag for a while: what is missed shows.
const FLAGS: usize = 200;
const USERS: usize = 6;
/// The longest that one fault is left alone.
const LONGEST: Duration = Duration::from_millis(800);

/// Whoever writes: our own library, and one that knows nothing of us.
struct Writer {
    store: FlagStore,
    raw: MultiplexedConnection,
    flags: Vec<Flag>,
    rng: Rng,
    written: u32,
}

impl Writer {
    async fn new(server: &Server, driver: Driver, rng: Rng) -> Result<Self> {
        let store = FlagStore::new(store(&server.url(), driver).await?);
        let flags: Vec<Flag> = (0..FLAGS).map(|n| text_flag(&format!("f{n:03}"), "0")).collect();
        store.create_flags(flags.clone()).await?;
        Ok(Self { store, raw: raw(&server.url()).await?, flags, rng, written: 0 })
    }

    /// So many changes at the usual rate; later, where the machine is slower.
    async fn write(&mut self, changes: u32) -> Result<()> {
        let mut tick = tokio::time::interval(Duration::from_secs(1) / RATE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for _ in 0..changes {
            tick.tick().await;
            self.written += 1;
            self.change().await?;
        }
        Ok(())
    }

    async fn change(&mut self) -> Result<()> {
        let n = self.rng.usize(..FLAGS);
        let mut flag = self.flags[n].clone();
        flag.default_value = Some(self.written.to_string().as_str().into());
        let outcome = match self.rng.u8(..16) {
            0 => self.store.delete_flag(&flag.key, None).await.map(drop),
            1 => return self.raw_delete(&flag).await,
            2..=4 => return self.raw_put(Record::from(flag), None).await,
            5 | 6 => {
                let record = self.some_override(&flag);
                let ttl = record.expires_at.is_some().then_some(1);
                return self.raw_put(record.into(), ttl).await;
            }
            7 | 8 => {
                let record = self.some_override(&flag);
                self.store.create_override(record).await.map(drop)
            }
            9 => {
                let (kind, id) = (EntityType::new("user")?, EntityId::new(self.some_user())?);
                self.store.delete_override(flag.id, &kind, &id, None).await.map(drop)
            }
            _ => self.store.upsert_flag(flag).await.map(drop),
        };
        match outcome {
            // An override of a flag that is gone.
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn some_user(&mut self) -> String {
        format!("u{}", self.rng.usize(..USERS))
    }

    fn some_override(&mut self, flag: &Flag) -> Override {
        let mut record = override_of(flag.id, &self.some_user());
        record.value = flag.default_value.clone();
        if self.rng.bool() {
            let life = Duration::from_millis(self.rng.u64(1..2_000));
            record.expires_at = Some(Timestamp::now().saturating_add(life));
        }
        record
    }

    /// As the origin writes: the value, then the index; the lifetime after the value.
    async fn raw_put(&mut self, record: Record, ttl: Option<u64>) -> Result<()> {
        let key = match &record {
            Record::Override(one) => {
                format!("{PREFIX}override:{}:{}:{}", one.flag_id, one.entity_type, one.entity_id)
            }
            Record::Flag(flag) => format!("{PREFIX}flag:{}", flag.key),
            other => anyhow::bail!("no {} is written here", other.kind()),
        };
        let _: () = redis::cmd("SET").arg(&key).arg(record.encode()?).query_async(&mut self.raw).await?;
        if let Some(ttl) = ttl {
            let _: () = redis::cmd("EXPIRE").arg(&key).arg(ttl).query_async(&mut self.raw).await?;
        }
        if let Record::Flag(flag) = &record {
            self.index("SADD", flag).await?;
        }
        Ok(())
    }

    async fn raw_delete(&mut self, flag: &Flag) -> Result<()> {
        let key = format!("{PREFIX}flag:{}", flag.key);
        let _: () = redis::cmd("DEL").arg(key).query_async(&mut self.raw).await?;
        self.index("SREM", flag).await
    }

    async fn index(&mut self, command: &str, flag: &Flag) -> Result<()> {
        let set = format!("{PREFIX}flags");
        Ok(redis::cmd(command).arg(set).arg(flag.key.as_str()).query_async(&mut self.raw).await?)
    }
}

/// How often something went wrong, and how often the client said so.
async fn run(driver: Driver, seed: u64, changes: u32) -> Result<(usize, usize)> {
    let server = Server::start(&[])?;
    let proxy = Proxy::to(server.port()).await?;
    let mut rng = Rng::with_seed(seed);
    let mut writer = Writer::new(&server, driver, rng.fork()).await?;
    let client = client(wary(&proxy.url(), driver).await?).poll_interval(Duration::from_secs(1));
    let client = client.start().await?;
    let mut events = client.subscribe();
    let staleness = tokio::spawn(async move {
        let mut times = 0;
        while let Some(event) = events.next().await {
            times += usize::from(matches!(event, ClientEvent::Freshness(Freshness::Stale { .. })));
        }
        times
    });

    let mut toll = Toll::default();
    let mut troubled = rng.fork();
    {
        let mut writing = std::pin::pin!(writer.write(changes));
        loop {
            // Trouble ends with the writing; what it had begun is healed below.
            tokio::select! {
                written = &mut writing => break written?,
                had = trouble::once(&proxy, &mut troubled, LONGEST) => toll += had?,
            }
        }
    }
    proxy.heal().await?;
    proxy.release();
    let users: Vec<_> = (0..USERS).map(|n| user(&format!("u{n}"))).collect();
    let truth = Arc::clone(writer.store.storage());
    until_same(&client, &*truth, &users).await.context("after the faults")?;
    // Whoever has been through that still follows.
    writer.write(changes / 5).await?;
    until_same(&client, &*truth, &users).await.context("without faults")?;
    client.close().await;
    let stale = staleness.await?;
    println!("{driver:?}: {} changes, {toll:?}, stale {stale} times", writer.written);
    Ok((toll.met, stale))
}

/// How often, and for how many seconds.
fn size() -> Result<(u32, u32)> {
    let Ok(given) = std::env::var("FLAGS_TEST_CHAOS") else { return Ok((3, 5)) };
    let (runs, seconds) = given.split_once('x').context("FLAGS_TEST_CHAOS is RUNSxSECONDS")?;
    Ok((runs.parse()?, seconds.parse()?))
}

async fn the_replica_is_the_store_in_the_end(driver: Driver) -> Result<()> {
    let (runs, seconds) = size()?;
    let (mut faults, mut told) = (0, 0);
    for number in 1..=runs {
        let seed = seed()?;
        let what = || format!("run {number} of {runs}, FLAGS_TEST_SEED={seed}");
        let (met, stale) = run(driver, seed, RATE * seconds).await.with_context(what)?;
        (faults, told) = (faults + met, told + stale);
    }
    ensure!(faults > 0 && told > 0, "nothing went wrong, which proves nothing");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_replica_is_the_store_in_the_end_over_redis_rs() -> Result<()> {
    the_replica_is_the_store_in_the_end(Driver::RedisRs).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_replica_is_the_store_in_the_end_over_fred() -> Result<()> {
    the_replica_is_the_store_in_the_end(Driver::Fred).await
}
