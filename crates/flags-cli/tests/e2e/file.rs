//! A file as the store, and the one that is used where none is named.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::cli::{FLAGS, Ran, run};

fn flags(directory: &Path, line: &str) -> Result<Ran> {
    let mut command = Command::new(FLAGS);
    command.current_dir(directory).env_remove("FLAGS_STORE").env_remove("FLAGS_PREFIX").env("NO_COLOR", "1");
    run(command.args(line.split(' ')), "")
}

#[test]
fn where_no_store_is_named_it_is_a_file_in_the_current_directory() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("flags.json");
    let ran = flags(directory.path(), "flag list --json")?;
    ensure!(ran.code == Some(0) && ran.stdout == "[]\n" && ran.stderr.is_empty(), "{ran:?}");
    ensure!(flags(directory.path(), "flag get new-checkout")?.code == Some(3));
    ensure!(!file.exists(), "reading creates nothing");
    for line in ["flag create new-checkout", "flag enable new-checkout"] {
        let ran = flags(directory.path(), line)?;
        ensure!(ran.code == Some(0), "{line}: {ran:?}");
    }
    let exported = flags(directory.path(), "export")?;
    ensure!(exported.stdout == std::fs::read_to_string(&file)?, "the file is what an export writes");
    let named =
        flags(directory.path(), &format!("flag get new-checkout --json --store file:{}", file.display()))?;
    ensure!(named.stdout.contains("\"default_enabled\": true"), "{named:?}");
    Ok(())
}

#[test]
fn a_broken_file_is_told_by_line_and_column() -> Result<()> {
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("flags.json"), "{\n  \"version\": 1,\n  oops\n}")?;
    let ran = flags(directory.path(), "flag create new-checkout")?;
    ensure!(ran.code == Some(5) && ran.stderr.matches("line 3, column 3").count() == 1, "{ran:?}");
    ensure!(ran.stderr.contains("hint: nothing was changed; the store is the file"), "{ran:?}");
    let ran = flags(directory.path(), "flag list --store file:no/flags.json")?;
    ensure!(ran.code == Some(5) && ran.stderr.contains("create it"), "{ran:?}");
    ensure!(!ran.stderr.contains("store is up") && !ran.stderr.contains("password"), "{ran:?}");
    let ran = flags(directory.path(), "flag list --store file:x?y=1")?;
    ensure!(ran.code == Some(2), "{ran:?}");
    Ok(())
}

#[test]
fn a_prefix_that_is_asked_for_is_not_ignored() -> Result<()> {
    let directory = tempfile::tempdir()?;
    for line in ["flag list --prefix p:", "--prefix p: flag list", "flag list --prefix p: --store memory:"] {
        let ran = flags(directory.path(), line)?;
        ensure!(ran.code == Some(2) && ran.stderr.contains("--prefix"), "{line}: {ran:?}");
    }
    // The variable may be meant for the store that is used otherwise.
    let mut command = Command::new(FLAGS);
    command.current_dir(directory.path()).env_remove("FLAGS_STORE").env("FLAGS_PREFIX", "p:");
    let ran = run(command.args(["flag", "list"]), "")?;
    ensure!(ran.code == Some(0), "{ran:?}");
    Ok(())
}
