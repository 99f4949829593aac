//! A process that counts in one flag of a file beside others: `counter PATH TASKS TIMES`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use flags_core::{FlagKey, FlagStore};
use flags_file::FileStorage;
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let path = args.next().context("no path")?;
    let tasks: usize = args.next().context("no number of tasks")?.parse()?;
    let times: usize = args.next().context("no number of times")?.parse()?;
    let patient = Duration::from_secs(300);
    let storage = Arc::new(FileStorage::builder(path).deadline(patient).open().await?);
    let mut counting = JoinSet::new();
    for _ in 0..tasks {
        let store = FlagStore::new(storage.clone()).with_modify_deadline(patient);
        counting.spawn(async move {
            let key = FlagKey::new("count")?;
            for _ in 0..times {
                store
                    .modify_flag(&key, |flag| {
                        let before: i64 = flag.metadata.to().unwrap_or_default();
                        flag.metadata = (before + 1).into();
                        Ok(())
                    })
                    .await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = counting.join_next().await {
        ended??;
    }
    Ok(())
}
