//! Many processes on one store, and one that is interrupted.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::cli::Cli;

/// Who edits the flag at the same time.
const EDITORS: usize = 20;

#[test]
fn edits_of_twenty_editors_are_all_there() -> Result<()> {
    let cli = Cli::redis()?;
    ensure!(cli.quiet(&["flag", "create", "shared"], "")?.code == Some(0));
    thread::scope(|scope| {
        let editors: Vec<_> = (0..EDITORS)
            .map(|number| {
                scope.spawn({
                    let cli = &cli;
                    move || edit(cli, number)
                })
            })
            .collect();
        editors.into_iter().try_for_each(|editor| editor.join().map_err(|_| anyhow::anyhow!("panicked"))?)
    })?;
    let flag = cli.quiet(&["flag", "get", "shared", "--json"], "")?.stdout;
    for number in 0..EDITORS {
        ensure!(flag.contains(&format!("\"edit-{number}\"")), "edit {number} is lost: {flag}");
    }
    Ok(())
}

/// As a script would: get, edit, update, and again from the start if somebody else was faster.
fn edit(cli: &Cli, number: usize) -> Result<()> {
    let tag = format!("edit-{number}");
    for _ in 0..1_000 {
        let read = cli.quiet(&["flag", "get", "shared", "--json"], "")?.stdout;
        let mut flag: serde_json::Value = serde_json::from_str(&read)?;
        flag["tags"].as_array_mut().context("tags are an array")?.push(tag.as_str().into());
        let edited = flag.to_string();
        match cli.quiet(&["flag", "update", "-f", "-"], &edited)?.code {
            Some(0) => return Ok(()),
            Some(4) => {}
            other => anyhow::bail!("unexpected exit code {other:?}"),
        }
    }
    anyhow::bail!("never the fastest")
}

#[test]
fn an_interrupted_import_is_repeated() -> Result<()> {
    let cli = Cli::redis()?;
    let flags: Vec<String> = (0..5_000).map(|number| format!(
        r#"{{"id":"00000000-0000-4000-8000-{number:012}","key":"flag-{number}","name":"n","flag_type":"boolean","status":"active","default_enabled":false}}"#
    )).collect();
    let document = tempfile::NamedTempFile::new()?;
    std::fs::write(document.path(), format!(r#"{{"version":1,"flags":[{}]}}"#, flags.join(",")))?;
    let path = document.path().to_str().context("a path in UTF-8")?;

    let import = cli.command().args(["import", path]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    // Until it has written something.
    let begun = Instant::now();
    while cli.quiet(&["flag", "get", "flag-0"], "")?.code == Some(3) {
        ensure!(begun.elapsed() < Duration::from_secs(60), "the import never begins");
        thread::sleep(Duration::from_millis(1));
    }
    let interrupted = Command::new("kill").args(["-INT", &import.id().to_string()]).status()?.success();
    let output = import.wait_with_output()?;
    // It may have been faster than the signal.
    if interrupted && output.status.code() == Some(130) {
        let said = String::from_utf8(output.stderr)?;
        ensure!(said.contains("repeat the command"), "{said}");
    }
    ensure!(cli.quiet(&["doctor"], "")?.code == Some(0), "the store is valid in between");
    ensure!(cli.quiet(&["import", path], "")?.code == Some(0));
    let again = cli.quiet(&["import", path, "--json"], "")?.stdout;
    ensure!(again.contains("\"unchanged\":5000"), "{again}");
    Ok(())
}
