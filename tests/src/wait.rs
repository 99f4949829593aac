//! Waiting for what will be seen, with a bound.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// How long anything that a test waits for may take: far longer than it does, for machines that are busy with
/// other things.
pub const BOUND: Duration = Duration::from_secs(60);
/// How long to leave it alone before asking again.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks until it says yes. An error counts as "not yet", and is what the test fails with past the [`BOUND`].
pub async fn until<F: Future<Output = Result<bool>>>(what: &str, mut ask: impl FnMut() -> F) -> Result<()> {
    found(what, || {
        let asked = ask();
        async { Ok(asked.await?.then_some(())) }
    })
    .await
}

/// Asks until there is an answer; otherwise as [`until`].
pub async fn found<T, F: Future<Output = Result<Option<T>>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> Result<T> {
    let begun = Instant::now();
    loop {
        // One question must not take the time of all.
        let asked = tokio::time::timeout(BOUND, ask()).await.context("no answer").flatten();
        match asked {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) if begun.elapsed() > BOUND => anyhow::bail!("{what}: not within {BOUND:?}"),
            Err(error) if begun.elapsed() > BOUND => {
                return Err(error).with_context(|| format!("{what}: not within {BOUND:?}"));
            }
            Ok(None) | Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
