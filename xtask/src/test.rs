//! `cargo xtask test`: what the tests need, then the tests.

use anyhow::{Result, bail};

use crate::workspace::{Package, Workspace};
use crate::{origin, server, tools};

/// What to test.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only tests whose name contains this.
    filter: Option<String>,
    /// Only tests of these packages [default: every package].
    #[arg(short, long)]
    package: Vec<String>,
    /// For the test binaries, as in `cargo test -- ARGS`.
    #[arg(last = true)]
    args: Vec<String>,
}

/// Runs the tests. Nothing is skipped: what a test needs is there, or this fails.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    for name in &options.package {
        if workspace.named(name).is_none() {
            bail!("no package `{name}` in this workspace; there are {}", names(workspace));
        }
    }
    let selected = |package: Option<&Package>| {
        package.is_some_and(|package| options.package.is_empty() || options.package.contains(&package.name))
    };
    let across_crates = selected(workspace.in_folder("tests"));

    let mut tests = tools::cargo();
    tests.current_dir(&workspace.root).args(["test", "--all-features", "--no-fail-fast"]);
    if options.package.is_empty() {
        tests.arg("--workspace");
    }
    tests.args(options.package.iter().flat_map(|name| ["--package", name]));
    tests.args(&options.filter).arg("--").args(&options.args);

    if across_crates || selected(workspace.named("flags-redis")) || selected(workspace.named("flags-cli")) {
        tests.envs(server::find(&workspace.test_tools())?.variable());
    } else {
        println!("redis: no selected package needs a server");
    }
    if across_crates {
        tests.env(origin::VARIABLE, origin::find(&workspace.test_tools())?);
    } else {
        println!("origin: no selected package needs litestar-flags");
    }
    println!("tests: {}", tools::shown(&tests));
    tools::run(&mut tests)
}

/// The members' names, for an error.
fn names(workspace: &Workspace) -> String {
    workspace.packages.iter().map(|package| package.name.as_str()).collect::<Vec<_>>().join(", ")
}
