//! A writer to be killed while it commits: `walker URL PREFIX`.

use anyhow::{Context as _, Result};
use flags_redis::RedisStorage;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let (url, prefix) = (args.next().context("no URL")?, args.next().context("no prefix")?);
    let storage = RedisStorage::builder(&url)?.prefix(prefix).open().await?;
    flags_tests::steps::walk(&storage).await?;
    Ok(())
}
