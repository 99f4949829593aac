//! The chores that people and CI share. `cargo xtask --help` lists them.
//!
//! | module | what |
//! |---|---|
//! | [`mod@test`] | `cargo xtask test`: what the tests need, then the tests |
//! | [`server`] | finds a Redis or Valkey server for them |
//! | [`fetch`] | installs or downloads one where there is none |
//! | [`container`] | finds, pulls or makes the image of one in a container |
//! | [`servers`] | `cargo xtask servers`: the Redis tests on each server that is supported |
//! | [`long`] | `cargo xtask nightly`, `cargo xtask soak`: what takes longer than a merge waits for |
//! | [`origin`] | finds or builds the Python environment of the library whose wire form we share |
//! | [`ci`] | `cargo xtask ci`: every check that is not a test |
//! | [`structure`] | the checks that no other tool makes: who depends on whom, how long a file is |
//! | [`workspace`] | what `cargo metadata` says about this workspace |
//! | [`tools`] | running commands |

mod ci;
mod container;
mod fetch;
mod long;
mod origin;
mod server;
mod servers;
mod structure;
mod test;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Chores of this workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

/// One chore.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Run every test, after making sure of the servers and programs that the tests need.
    Test(test::Options),
    /// Run every check that is not a test; stop at the first that fails.
    Ci(ci::Options),
    /// Run the conformance suite and the Redis tests on each server that is supported, and print a table.
    Servers(servers::Options),
    /// Run the random tests of what is live again and again: by default 50 runs of a minute.
    Nightly(long::Nightly),
    /// Load a store over connections that fail, and see that connections, memory and open files do not grow
    /// (Linux).
    Soak(long::Soak),
    /// Check the dependencies against the advisory database (needs the network).
    Advisories,
}

fn main() -> ExitCode {
    match run(Cli::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        // Its own words: the way `main` prints an error may add a backtrace, which helps nobody here.
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> anyhow::Result<()> {
    let workspace = Workspace::load()?;
    match verb {
        Verb::Test(options) => test::run(&workspace, &options),
        Verb::Ci(options) => ci::run(&workspace, &options),
        Verb::Servers(options) => servers::run(&workspace, &options),
        Verb::Nightly(options) => long::nightly(&workspace, &options),
        Verb::Soak(options) => long::soak(&workspace, &options),
        Verb::Advisories => ci::advisories(&workspace),
    }
}
