//! A writer to be killed while it commits: `walker URL PREFIX`, or `walker file:PATH`.

use anyhow::{Context as _, Result};
use flags_file::FileStorage;
use flags_redis::RedisStorage;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let url = args.next().context("no URL")?;
    if url.starts_with("file:") {
        let walk = async { flags_tests::steps::walk(&FileStorage::connect(&url).await?).await };
        walk.await.inspect_err(|error| eprintln!("kind: {}", error.kind()))?;
    } else {
        let prefix = args.next().context("no prefix")?;
        let storage = RedisStorage::builder(&url)?.prefix(prefix).open().await?;
        flags_tests::steps::walk(&storage).await?;
    }
    Ok(())
}
