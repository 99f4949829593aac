//! `cargo xtask ci`: every check that is not a test, in steps that can be run alone.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::workspace::{Package, Workspace};
use crate::{structure, tools};

/// Which checks to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these steps [default: every step, in this order].
    #[arg(long, value_enum, value_name = "STEP")]
    only: Vec<Step>,
}

/// A check. The cheap ones come first, so that a slip is known in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Step {
    /// The sources are formatted.
    Fmt,
    /// No source file is too long.
    FileLength,
    /// Dependencies between our crates point one way.
    Layers,
    /// flags-core knows no runtime and no client library.
    Purity,
    /// Licenses, banned crates and sources of the dependencies.
    Deny,
    /// No warning, each crate with only the features that it asks for itself.
    Clippy,
    /// Each crate compiles with no feature, each feature alone, and all of them.
    Features,
    /// The benchmarks compile.
    Benches,
    /// The documentation builds without a warning.
    Docs,
}

/// Runs the checks; stops at the first that fails, and says how to repeat it.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let all = <Step as clap::ValueEnum>::value_variants();
    let chosen = all.iter().filter(|step| options.only.is_empty() || options.only.contains(step));
    let mut done: Vec<(String, Duration)> = Vec::new();
    for step in chosen {
        let name = step.name();
        println!("\n== {name}");
        let start = Instant::now();
        let result = step.run(workspace);
        done.push((name, start.elapsed()));
        if let Err(error) = result {
            summary(&done, "FAILED");
            return Err(error);
        }
    }
    summary(&done, "ok");
    Ok(())
}

/// `cargo xtask advisories`: apart from the checks, since its answer changes without a change of ours.
pub(crate) fn advisories(workspace: &Workspace) -> Result<()> {
    tools::ensure_cargo_deny()?;
    shown_run(cargo(workspace, "deny").args(["check", "advisories"]))
}

impl Step {
    fn name(self) -> String {
        clap::ValueEnum::to_possible_value(&self)
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn run(self, workspace: &Workspace) -> Result<()> {
        let commands = match self {
            Self::FileLength => return self.ours(structure::file_length(workspace)),
            Self::Layers => return self.ours(structure::layers(workspace)),
            Self::Purity => return self.ours(structure::purity(workspace)),
            Self::Fmt => vec![with(cargo(workspace, "fmt"), &["--all", "--check"])],
            Self::Deny => {
                tools::ensure_cargo_deny()?;
                vec![with(cargo(workspace, "deny"), &["check", "bans", "licenses", "sources"])]
            }
            Self::Clippy => workspace.packages.iter().map(|package| clippy(workspace, package)).collect(),
            Self::Features => {
                workspace.packages.iter().flat_map(|package| features(workspace, package)).collect()
            }
            Self::Benches => benches(workspace),
            Self::Docs => {
                let mut docs = with(cargo(workspace, "doc"), &["--workspace", "--no-deps", "--all-features"]);
                docs.env("RUSTDOCFLAGS", "-D warnings");
                vec![docs]
            }
        };
        commands.into_iter().try_for_each(|mut command| shown_run(&mut command))
    }

    /// The answer of a check of our own, with how to run it alone.
    fn ours(self, result: Result<()>) -> Result<()> {
        result.map_err(|error| anyhow!("{error:#}\nto repeat it: `cargo xtask ci --only {}`", self.name()))
    }
}

/// One crate at a time: in one run for the whole workspace a crate would also get the features that
/// another crate asks for, and what it forgot to ask for itself would go unnoticed.
fn clippy(workspace: &Workspace, package: &Package) -> Command {
    let name = package.name.as_str();
    with(cargo(workspace, "clippy"), &["-p", name, "--all-targets", "--all-features", "--", "-D", "warnings"])
}

fn features(workspace: &Workspace, package: &Package) -> Vec<Command> {
    let check = |args: &[&str]| with(with(cargo(workspace, "check"), &["-p", &package.name]), args);
    let mut checks = vec![check(&["--no-default-features"])];
    let names = package.features.keys().filter(|name| *name != "default");
    checks.extend(names.map(|name| check(&["--no-default-features", "--features", name])));
    if !package.features.is_empty() {
        checks.push(check(&["--all-features"]));
    }
    checks
}

fn benches(workspace: &Workspace) -> Vec<Command> {
    let Some(package) = workspace.in_folder("benches") else {
        println!("there are none yet");
        return Vec::new();
    };
    vec![with(cargo(workspace, "check"), &["-p", &package.name, "--benches"])]
}

fn cargo(workspace: &Workspace, verb: &str) -> Command {
    let mut command = tools::cargo();
    command.current_dir(&workspace.root).arg(verb);
    command
}

fn with(mut command: Command, args: &[&str]) -> Command {
    command.args(args);
    command
}

fn shown_run(command: &mut Command) -> Result<()> {
    println!("$ {}", tools::shown(command));
    tools::run(command)
}

/// The steps that ran and how long each took; the last one ended as given.
fn summary(done: &[(String, Duration)], last: &str) {
    println!("\n== summary");
    for (index, (name, took)) in done.iter().enumerate() {
        let end = if index + 1 == done.len() { last } else { "ok" };
        println!("{name:<12} {:>7.1} s  {end}", took.as_secs_f64());
    }
}
