//! A writer that is killed while it commits leaves the state before or the state after (C2).

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use flags_core::Storage as _;
use flags_core::storage::{Batch, Expect};
use flags_tests::killed;
use flags_tests::server::{Shared, patient, raw, unique_prefix};
use flags_tests::steps::{counter, number, records};

use crate::common::snapshot;

const KILLS: usize = 100;
/// The longest life of a writer, from its first commit on.
const LIFE: Duration = Duration::from_millis(10);

/// Lets a writer live for that long, kills it, and returns the last state that it had reached.
fn live_and_die(url: &str, prefix: &str, life: Duration) -> Result<Option<u64>> {
    let mut walker = Command::new(env!("CARGO_BIN_EXE_walker"));
    walker.args([url, prefix]);
    killed::after(walker, life)
}

#[tokio::test]
async fn a_writer_killed_at_any_moment_leaves_the_old_state_or_the_new_one() -> Result<()> {
    let server = Shared::get()?;
    let (prefix, scratch) = (unique_prefix(), unique_prefix());
    let raw = raw(&server.url()).await?;
    let storage = patient(&server.url())?.prefix(&prefix).open().await?;
    let (mut known, mut mid_commit, mut cut_short) = (0, 0, 0);
    for _ in 0..KILLS {
        let life = Duration::from_micros(fastrand::u64(..LIFE.as_micros() as u64));
        let reached = live_and_die(&server.url(), &prefix, life)?;
        // At one moment: what it had sent may still arrive, and is then there as a whole.
        let mut left = snapshot(&raw, &prefix).await?;
        let found = storage.get(&[counter()]).await?.pop().context("one answer")??;
        let at_least = reached.unwrap_or(known);
        let n = match left.get("flag:left") {
            Some(value) => {
                let json: serde_json::Value = serde_json::from_str(&value[0])?;
                json["metadata"].as_u64().context("a number")?
            }
            None => 0,
        };
        ensure!(n >= at_least, "state {at_least} was reported, and state {n} is there");
        ensure!(n <= at_least + 1, "state {at_least} was reported last, and state {n} is there");
        cut_short += usize::from(n == at_least);
        mid_commit += usize::from(n > at_least);
        let later = found.and_then(|stored| number(&stored.record)).unwrap_or_default();
        ensure!(later == n || later == n + 1, "state {n}, and then state {later}");
        known = later;

        // A store that was brought to this state at one stroke holds the same, key by key.
        let clean = patient(&server.url())?.prefix(&scratch).open().await?;
        let all =
            records(n).into_iter().fold(Batch::new(), |batch, record| batch.put(record, Expect::Absent));
        clean.commit(all).await?;
        let mut there = snapshot(&raw, &scratch).await?;
        // Every store has an id of its own.
        assert_eq!(left.remove("meta").map(|meta| meta.len()), there.remove("meta").map(|meta| meta.len()));
        assert_eq!(left, there, "state {n}");
        let keys: Vec<String> =
            redis::cmd("KEYS").arg(format!("{scratch}*")).query_async(&mut raw.clone()).await?;
        let _: () = redis::cmd("DEL").arg(keys).query_async(&mut raw.clone()).await?;
    }
    println!(
        "{KILLS} writers reached state {known}; {mid_commit} died with an answer on its way, {cut_short} before"
    );
    // A run in which nothing was written would prove nothing.
    ensure!(known > 10, "only {known} commits");
    Ok(())
}
