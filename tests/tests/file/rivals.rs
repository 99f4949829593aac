//! Processes that share a file lose no commit of each other.

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use flags_core::storage::{Batch, Expect};
use flags_core::{Flag, FlagKey, FlagStore, Storage as _};
use flags_file::FileStorage;

const PROCESSES: usize = 2;
const TASKS: usize = 64;
const TIMES: usize = 50;
const BOUND: Duration = Duration::from_secs(300);

/// A process, killed when it is dropped.
struct Counter(Child);

impl Drop for Counter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn two_processes_of_many_tasks_lose_no_update() -> Result<()> {
    // Where there is a disk in memory, the test does not wait for a real one.
    let shm = Path::new("/dev/shm");
    let directory = if shm.is_dir() { tempfile::tempdir_in(shm)? } else { tempfile::tempdir()? };
    let path = directory.path().join("flags.json");
    let storage = FileStorage::open(&path).await?;
    storage.commit(Batch::new().put(Flag::new(FlagKey::new("count")?), Expect::Absent)).await?;
    let counters = (0..PROCESSES).map(|_| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_counter"));
        command.arg(&path).args([TASKS.to_string(), TIMES.to_string()]).spawn().map(Counter)
    });
    let mut counters = counters.collect::<std::io::Result<Vec<_>>>()?;
    // Meanwhile a reader in a third process never sees the number go back.
    let store = FlagStore::new(std::sync::Arc::new(storage));
    let (begun, mut last, mut running) = (Instant::now(), 0, true);
    while running {
        running = false;
        for Counter(counter) in &mut counters {
            match counter.try_wait()? {
                Some(status) => ensure!(status.success(), "{status}"),
                None => running = true,
            }
        }
        let flag = store.get_flag(&FlagKey::new("count")?).await?.context("the flag")?;
        let count = flag.metadata.to::<usize>().unwrap_or_default();
        ensure!(count >= last, "{last} was there, and then {count}");
        last = count;
        ensure!(begun.elapsed() < BOUND, "{last} updates within {BOUND:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!("{last} updates by {PROCESSES} processes in {:?}", begun.elapsed());
    assert_eq!(last, PROCESSES * TASKS * TIMES);
    Ok(())
}
