//! `cargo xtask nightly` and `cargo xtask soak`: what takes longer than anybody waits for before a merge.

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{server, tools};

/// How long to soak, and what.
#[derive(Debug, clap::Args)]
pub(crate) struct Soak {
    /// For so many minutes.
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// Over this client library.
    #[arg(long, default_value = "redis-rs", value_parser = ["redis-rs", "fred"])]
    driver: String,
}

/// How much of the random tests.
#[derive(Debug, clap::Args)]
pub(crate) struct Nightly {
    /// So many runs over each client library, at the same time.
    #[arg(long, default_value_t = 50)]
    runs: u32,
    /// Of so many seconds each.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

/// Many tasks at one store over a way that fails: fails when what they hold grows.
pub(crate) fn soak(workspace: &Workspace, options: &Soak) -> Result<()> {
    let found = server::find(&workspace.test_tools())?;
    let mut soak = tools::cargo();
    soak.current_dir(&workspace.root).envs(found.variable());
    soak.args(["run", "--package", "flags-tests", "--bin", "soak", "--", &options.minutes.to_string()]);
    tools::run(soak.arg(&options.driver))
}

/// Changes while connections are cut at random, for long: in the end each replica is its store.
pub(crate) fn nightly(workspace: &Workspace, options: &Nightly) -> Result<()> {
    let found = server::find(&workspace.test_tools())?;
    let mut chaos = tools::cargo();
    chaos.current_dir(&workspace.root).envs(found.variable());
    chaos.env("FLAGS_TEST_CHAOS", format!("{}x{}", options.runs, options.seconds));
    chaos.args(["test", "--package", "flags-tests", "--test", "live", "chaos::", "--", "--nocapture"]);
    tools::run(&mut chaos)
}
