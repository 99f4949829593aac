//! A scheduler to be killed: `scheduler_to_kill URL PREFIX redis-rs|fred`.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use flags_client::Scheduler;
use flags_redis::Driver;
use flags_tests::server::patient;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let url = args.next().context("no URL")?;
    let prefix = args.next().context("no prefix")?;
    let driver = match args.next().context("no driver")?.as_str() {
        "redis-rs" => Driver::RedisRs,
        "fred" => Driver::Fred,
        other => bail!("no driver {other}"),
    };
    let storage = patient(&url)?.prefix(prefix).driver(driver).open().await?;
    Scheduler::builder(Arc::new(storage)).build().run(std::future::pending()).await?;
    Ok(())
}
