//! An application that serves what a broken file last held knows that it may be old.

use std::fs;
use std::sync::Arc;

use anyhow::{Result, ensure};
use flags_client::{Client, Freshness};
use flags_core::{Flag, FlagKey, FlagStore};
use flags_engine::EvaluationContext;
use flags_file::FileStorage;
use flags_tests::wait::until;

#[tokio::test]
async fn a_client_says_that_it_is_stale_while_the_file_is_broken_or_gone() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("flags.json");
    let storage = Arc::new(FileStorage::open(&path).await?);
    let key = FlagKey::new("greeting")?;
    FlagStore::new(storage.clone()).create_flag(Flag::new(key)).await?;
    let good = fs::read_to_string(&path)?;
    let on = good.replace("\"default_enabled\": false", "\"default_enabled\": true");
    ensure!(on != good);
    let client = Client::builder(storage).start().await?;
    let nobody = EvaluationContext::builder().build();
    let is = async |what: &str, fresh: bool, value: bool| {
        until(what, async || {
            let freshness = client.freshness();
            let as_said = match freshness {
                Freshness::Fresh => fresh,
                Freshness::Stale { .. } => !fresh,
                _ => false,
            };
            ensure!(as_said, "it is {freshness:?}");
            ensure!(client.bool_value("greeting", !value, &nobody) == value, "it serves another value");
            Ok(true)
        })
        .await
    };
    is("fresh", true, false).await?;
    fs::write(&path, "{")?;
    is("stale while it is broken", false, false).await?;
    fs::write(&path, &on)?;
    is("fresh once it is mended", true, true).await?;
    fs::remove_file(&path)?;
    is("stale while it is gone", false, true).await?;
    fs::write(&path, &good)?;
    is("fresh once it is back", true, false).await?;
    client.close().await;
    Ok(())
}
