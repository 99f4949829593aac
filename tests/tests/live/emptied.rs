//! A store that loses everything while changes wait to be read: no flag that was known is ever
//! lost, and in the end the client says what it found.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use fastrand::Rng;
use flags_client::{Client, Freshness, StaleCause};
use flags_core::storage::{Batch, Expect};
use flags_core::transfer::Document;
use flags_core::{Flag, Storage};
use flags_file::FileStorage;
use flags_redis::Driver;
use flags_tests::live::{seed, user};
use flags_tests::server::{Server, raw};
use flags_tests::wait::until;
use tokio::task::JoinHandle;

use crate::common::{client, store, text_flag, wary};

const FLAGS: usize = 50;
/// How often each way to lose everything is tried, with each load.
const ROUNDS: usize = 4;
/// The longest that the load flows before.
const LONGEST: Duration = Duration::from_millis(300);

/// What waits to be read when the store is emptied.
#[derive(Debug, Clone, Copy)]
enum Load {
    /// Every flag changes at once, again and again, without a pause.
    All,
    /// One after the other changes, 200 times a second.
    Each,
}

/// How the server loses everything.
#[derive(Debug, Clone, Copy)]
enum Loss {
    Flush,
    Restart,
}

fn flags() -> Vec<Flag> {
    (0..FLAGS).map(|n| text_flag(&format!("f{n:02}"), "0")).collect()
}

/// Writes until the store does not have the flags any more, or does not answer.
fn load(storage: Arc<dyn Storage>, mut flags: Vec<Flag>, load: Load) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        for n in 1.. {
            let changed = match load {
                Load::All => &mut flags[..],
                Load::Each => {
                    tick.tick().await;
                    let n = n % FLAGS;
                    &mut flags[n..=n]
                }
            };
            let mut batch = Batch::new();
            for flag in changed {
                flag.default_value = Some(n.to_string().as_str().into());
                batch = batch.put(flag.clone(), Expect::Present);
            }
            if storage.commit(batch).await.is_err() {
                return;
            }
        }
    })
}

/// Looks all the time, and counts how often a flag was not there.
struct Watchman {
    over: Arc<AtomicBool>,
    missed: Arc<AtomicUsize>,
    looking: std::thread::JoinHandle<()>,
}

impl Watchman {
    fn of(client: &Client) -> Self {
        let (over, missed) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let looking = {
            let (client, over, missed) = (client.clone(), over.clone(), missed.clone());
            std::thread::spawn(move || {
                let ann = user("ann");
                while !over.load(Ordering::Relaxed) {
                    missed.fetch_add(FLAGS - client.all(&ann).len(), Ordering::Relaxed);
                    std::thread::yield_now();
                }
            })
        };
        Self { over, missed, looking }
    }

    fn report(self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        self.looking.join().expect("no panic");
        self.missed.load(Ordering::Relaxed)
    }
}

async fn until_emptied(client: &Client) -> Result<()> {
    until("it is told", async || {
        let freshness = client.freshness();
        ensure!(
            matches!(freshness, Freshness::Stale { cause: StaleCause::StoreEmptied, .. }),
            "{freshness:?}"
        );
        Ok(true)
    })
    .await
}

async fn round(server: &mut Server, driver: Driver, how: Load, loss: Loss, rng: &mut Rng) -> Result<()> {
    let writer = store(&server.url(), driver).await?;
    let all = flags();
    let batch = all.iter().fold(Batch::new(), |batch, flag| batch.put(flag.clone(), Expect::Any));
    writer.commit(batch).await?;
    let client = client(wary(&server.url(), driver).await?).start().await?;
    let watchman = Watchman::of(&client);
    let mut admin = raw(&server.url()).await?;
    let loading = load(writer, all, how);
    tokio::time::sleep(LONGEST.mul_f64(rng.f64())).await;
    match loss {
        Loss::Flush => {
            let _: () = redis::cmd("FLUSHALL").query_async(&mut admin).await?;
        }
        Loss::Restart => {
            server.stop();
            tokio::time::sleep(LONGEST.mul_f64(rng.f64())).await;
            server.run()?;
        }
    }
    until_emptied(&client).await?;
    loading.abort();
    let missed = watchman.report();
    ensure!(missed == 0, "{missed} times a flag was not there");
    ensure!(client.all(&user("ann")).len() == FLAGS, "flags are lost");
    client.close().await;
    Ok(())
}

async fn no_flag_is_lost(driver: Driver) -> Result<()> {
    let mut rng = Rng::with_seed(seed()?);
    let mut server = Server::start(&[])?;
    for _ in 0..ROUNDS {
        for loss in [Loss::Flush, Loss::Restart] {
            for how in [Load::All, Load::Each] {
                let outcome = round(&mut server, driver, how, loss, &mut rng).await;
                outcome.map_err(|error| error.context(format!("{loss:?} under {how:?}")))?;
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_flag_is_lost_with_a_store_that_is_emptied_under_load_over_redis_rs() -> Result<()> {
    no_flag_is_lost(Driver::RedisRs).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_flag_is_lost_with_a_store_that_is_emptied_under_load_over_fred() -> Result<()> {
    no_flag_is_lost(Driver::Fred).await
}

/// An edit that takes everything out of a file.
#[tokio::test]
async fn no_flag_is_lost_with_a_file_that_an_edit_empties() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("flags.json");
    let storage = Arc::new(FileStorage::connect(&format!("file:{}", path.display())).await?);
    let batch = flags().into_iter().fold(Batch::new(), |batch, flag| batch.put(flag, Expect::Absent));
    storage.commit(batch).await?;
    let client = Client::builder(storage).start().await?;
    let watchman = Watchman::of(&client);
    std::fs::write(&path, Document::default().to_json()?)?;
    until_emptied(&client).await?;
    ensure!(watchman.report() == 0, "flags are lost");
    Ok(())
}
