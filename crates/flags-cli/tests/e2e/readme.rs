//! The commands in the README, as they are written there.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::cli::{Cli, FLAGS, run};
use crate::scheduler::Scheduler;

const README: &str = include_str!("../../../../README.md");

#[test]
fn every_command_of_the_readme_runs() -> Result<()> {
    let cli = Cli::redis()?;
    let folder = tempfile::tempdir()?;
    let bin = Path::new(FLAGS).parent().context("the binary is in a folder")?;
    let path = format!("{}:{}:{}", bin.display(), std::env::var("PATH")?, folder.path().display());
    stand_in_for_jq(folder.path())?;
    let lines: Vec<&str> = README.lines().filter(|line| is_command(line)).collect();
    ensure!(lines.len() >= 20, "the README shows what the command line can do: {lines:?}");
    for line in lines {
        if line == "flags scheduler" {
            // The one that does not end by itself.
            Scheduler::start(&cli)?.ends_cleanly()?;
            continue;
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(folder.path()).env("PATH", &path);
        cli.environment(&mut shell);
        let ran = run(&mut shell, "")?;
        ensure!(ran.code == Some(0), "{line}: {ran:?}");
    }
    let left = cli.quiet(&["flag", "list", "--json"], "")?.stdout;
    ensure!(left == "[]\n", "the session ends as it began: {left}");
    Ok(())
}

#[test]
fn the_first_command_of_the_readme_runs_as_it_is_written() -> Result<()> {
    let block = README.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next());
    let block = block.context("the README begins with a command")?;
    let said = README.split("```text\n").nth(1).and_then(|rest| rest.split("```").next());
    // The binary is built already: only cargo's own part is left out.
    let command = block.strip_prefix("cargo run -p flags-cli --").context("it runs flags by cargo")?;
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("'{FLAGS}'{command}")]);
    shell.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).env_remove("FLAGS_STORE");
    let ran = run(&mut shell, "")?;
    ensure!(ran.code == Some(0) && Some(ran.stdout.as_str()) == said, "{ran:?} is not what the README shows");
    Ok(())
}

/// Whether a line runs `flags`, by itself or behind a pipe.
fn is_command(line: &str) -> bool {
    line.starts_with("flags ") || (line.starts_with("echo ") && line.contains(" | flags "))
}

/// The README's one edit, found only where there is no jq: the tests need nothing but Rust.
fn stand_in_for_jq(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let jq = folder.join("jq");
    std::fs::write(&jq, "#!/bin/sh\nsed 's/\"tags\": \\[\\]/\"tags\": [\"web\"]/'\n")?;
    std::fs::set_permissions(&jq, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

#[test]
fn the_readme_has_the_exit_codes() -> Result<()> {
    let codes = Cli::on("").quiet(&["exit-codes"], "")?.stdout;
    let codes = codes.lines().filter_map(|line| line.strip_prefix("  ")?.split_once("  "));
    for (code, _) in codes.filter(|(code, _)| code.parse::<u8>().is_ok()) {
        ensure!(README.contains(&format!("| {code} |")), "exit code {code} is not in the README");
    }
    Ok(())
}
