//! The commands in the README, as they are written there.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::cli::{Cli, FLAGS, run};

const README: &str = include_str!("../../../../README.md");

#[test]
fn every_command_of_the_readme_runs() -> Result<()> {
    let cli = Cli::redis()?;
    let folder = tempfile::tempdir()?;
    let bin = std::path::Path::new(FLAGS).parent().context("the binary is in a folder")?;
    let path = format!("{}:{}", bin.display(), std::env::var("PATH")?);
    let lines: Vec<&str> = README.lines().filter(|line| line.starts_with("flags ")).collect();
    ensure!(lines.len() >= 8, "the README shows what the command line can do: {lines:?}");
    for line in lines {
        let mut shell = Command::new("bash");
        shell.args(["-e", "-o", "pipefail", "-c", line]).current_dir(folder.path()).env("PATH", &path);
        cli.environment(&mut shell);
        let ran = run(&mut shell, "")?;
        ensure!(ran.code == Some(0), "{line}: {ran:?}");
    }
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
