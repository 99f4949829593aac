//! `cargo xtask test`: what the tests need, then the tests.

use std::process::Command;

use anyhow::{Result, bail};

use crate::server::Server;
use crate::workspace::{Package, Workspace};
use crate::{container, origin, server, tools};

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

    let mut tests = cargo_test(workspace, options);
    tests.args(&options.filter).arg("--").args(&options.args);

    let mut server = None;
    let on_a_server = ["flags-redis", "flags-cli", "flags-examples"];
    if across_crates || on_a_server.iter().any(|name| selected(workspace.named(name))) {
        let found = server::find(&workspace.test_tools())?;
        tests.env_remove(container::VARIABLE).envs(found.variable()).args(found.skipped());
        server = Some(found);
    } else {
        println!("redis: no selected package needs a server");
    }
    if across_crates {
        tests.env(origin::VARIABLE, origin::find(&workspace.test_tools())?);
    } else {
        println!("origin: no selected package needs litestar-flags");
    }
    let containers = container::Run::new();
    tests.envs(containers.variable());
    println!("tests: {}", tools::shown(&tests));
    let ran = tools::run(&mut tests);
    let alone = match (&server, workspace.named("flags-redis")) {
        (Some(server), Some(package)) if selected(Some(package)) => {
            each_driver_alone(workspace, options, server, package)
        }
        _ => Ok(()),
    };
    let contained = match server {
        Some(server) if across_crates => in_a_container(workspace, options, &server, &containers),
        _ => Ok(()),
    };
    ran.and(alone).and(contained)
}

/// The tests of flags-redis itself, in a build that has one driver only: what one client library needs and
/// the other brings, such as TLS, goes unnoticed in a build of both.
fn each_driver_alone(
    workspace: &Workspace,
    options: &Options,
    server: &Server,
    package: &Package,
) -> Result<()> {
    let drivers = package.features.keys().filter(|name| *name != "default");
    let outcomes: Vec<Result<()>> = drivers
        .map(|driver| {
            let mut tests = tools::cargo();
            tests.current_dir(&workspace.root);
            tests.args(["test", "--package", &package.name, "--lib", "--no-default-features"]);
            tests.args(["--features", driver]).args(&options.filter).arg("--").args(&options.args);
            tests.env_remove(container::VARIABLE).envs(server.variable()).args(server.skipped());
            println!("tests: {}", tools::shown(&tests));
            tools::run(&mut tests)
        })
        .collect();
    outcomes.into_iter().collect()
}

/// The conformance suite once more, against a server in a container.
fn in_a_container(
    workspace: &Workspace,
    options: &Options,
    server: &Server,
    containers: &container::Run,
) -> Result<()> {
    if let Server::Image(_) = server {
        println!("container: the conformance suite ran in one");
        return Ok(());
    }
    let image = match container::image(&workspace.test_tools(), server.program())? {
        Ok(image) => image,
        Err(reason) => {
            println!("container: test the conformance suite in a container ... ignored, {reason}");
            return Ok(());
        }
    };
    // Of the same packages as before, so that nothing is built anew.
    let mut suite = cargo_test(workspace, options);
    suite.args(["--test", "redis_conformance"]).args(&options.filter).arg("--").args(&options.args);
    suite.env(container::VARIABLE, image).envs(containers.variable());
    println!("container: {}", tools::shown(&suite));
    tools::run(&mut suite)
}

/// `cargo test` with the selected packages and every feature.
fn cargo_test(workspace: &Workspace, options: &Options) -> Command {
    let mut tests = tools::cargo();
    tests.current_dir(&workspace.root).args(["test", "--all-features", "--no-fail-fast"]);
    if options.package.is_empty() {
        tests.arg("--workspace");
    }
    tests.args(options.package.iter().flat_map(|name| ["--package", name]));
    tests
}

/// The members' names, for an error.
fn names(workspace: &Workspace) -> String {
    workspace.packages.iter().map(|package| package.name.as_str()).collect::<Vec<_>>().join(", ")
}
