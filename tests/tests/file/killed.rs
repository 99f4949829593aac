//! A writer that is killed while it commits leaves the state before or the state after (C2).

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use flags_core::storage::Query;
use flags_core::{Kind, Record, Storage as _};
use flags_file::FileStorage;
use flags_tests::killed;
use flags_tests::steps::{counter, number, records};
use futures_util::TryStreamExt as _;

const KILLS: usize = 100;
/// The longest life of a writer, from its first commit on: as long as a disk takes for some commits.
const LIFE: Duration = Duration::from_millis(40);

/// Lets a writer live for that long, kills it, and returns the last state that it had reached.
fn live_and_die(path: &Path, life: Duration) -> Result<Option<u64>> {
    let mut walker = Command::new(env!("CARGO_BIN_EXE_walker"));
    walker.arg(format!("file:{}", path.display()));
    killed::after(walker, life)
}

/// How many drafts there are.
fn drafts(directory: &Path) -> Result<usize> {
    let mut drafts = 0;
    for entry in std::fs::read_dir(directory)? {
        drafts += usize::from(entry?.file_name().to_string_lossy().starts_with(".flags.json."));
    }
    Ok(drafts)
}

/// Everything that is in the file, in order.
async fn everything(storage: &FileStorage) -> Result<Vec<Record>> {
    let mut all = Vec::new();
    for kind in Kind::ALL {
        let listed: Vec<_> = storage.list(Query::All(kind)).try_collect().await?;
        all.extend(listed.into_iter().map(|stored| stored.record));
    }
    all.sort_by_key(Record::key);
    Ok(all)
}

#[tokio::test]
async fn a_writer_killed_at_any_moment_leaves_the_old_state_or_the_new_one() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("flags.json");
    // One that follows all the time, and one that opens what is left.
    let follower = FileStorage::open(&path).await?;
    let (mut known, mut unanswered, mut leftovers) = (0, 0, 0);
    for _ in 0..KILLS {
        let life = Duration::from_micros(fastrand::u64(..LIFE.as_micros() as u64));
        let reached = live_and_die(&path, life)?.unwrap_or(known);
        let drafts = drafts(directory.path())?;
        ensure!(drafts <= 1, "{drafts} drafts: each writer removes what the one before it left");
        leftovers += drafts;
        let storage = FileStorage::open(&path).await.context("a writer died, and the file is broken")?;
        let found = storage.get(&[counter()]).await?.pop().context("one answer")??;
        let n = found.and_then(|stored| number(&stored.record)).unwrap_or_default();
        ensure!(n == reached || n == reached + 1, "state {reached} was reached, and state {n} is there");
        unanswered += usize::from(n > reached);
        known = n;
        let mut expected = records(n);
        expected.sort_by_key(Record::key);
        ensure!(everything(&storage).await? == expected, "not the whole of state {n}");
        ensure!(everything(&follower).await? == expected, "who follows sees another state than {n}");
    }
    println!(
        "{KILLS} writers reached state {known}; {unanswered} died with an answer on its way, {leftovers} left a draft"
    );
    // A run in which nothing was written would prove nothing.
    ensure!(known > 10, "only {known} commits");
    Ok(())
}
