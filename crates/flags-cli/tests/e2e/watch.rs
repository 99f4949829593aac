//! Following a store from another process.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::cli::Cli;

/// A watch that ends by itself or is killed, so that no test waits for ever on it alone.
struct Watch {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Watch {
    fn start(cli: &Cli, args: &[&str]) -> Result<Self> {
        let mut command = cli.command();
        let mut child =
            command.arg("watch").args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        Ok(Self { child, lines })
    }

    fn line(&mut self) -> Result<String> {
        Ok(self.lines.next().context("the watch ended")??)
    }

    fn json(&mut self) -> Result<serde_json::Value> {
        Ok(serde_json::from_str(&self.line()?)?)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn file() -> Result<(TempDir, Cli)> {
    let dir = tempfile::tempdir()?;
    let cli = Cli::on(format!("file:{}", dir.path().join("flags.json").display()));
    Ok((dir, cli))
}

#[test]
fn programs_read_each_change_with_its_record() -> Result<()> {
    let (_dir, mut cli) = file()?;
    cli.ok("flag create a", "")?;
    let mut watch = Watch::start(&cli, &["--json", "--count", "4"])?;
    ensure!(watch.json()? == serde_json::json!({"change": "resync"}));

    cli.ok("flag enable a", "")?;
    let enabled = watch.json()?;
    ensure!(enabled["change"] == "changed" && enabled["key"] == "flag:a", "{enabled}");
    ensure!(enabled["record"]["default_enabled"] == true, "{enabled}");
    let revision = enabled["record"]["revision"].as_str().context("a revision")?.to_owned();
    let stored: serde_json::Value = serde_json::from_str(&cli.ok("flag get a --json", "")?)?;
    ensure!(stored["revision"] == revision.as_str(), "{stored}");

    cli.ok("override set a user 42 --enabled false", "")?;
    let set = watch.json()?;
    ensure!(set["record"]["entity_id"] == "42", "{set}");
    cli.ok("flag delete a", "")?;
    // The flag, and what it owned.
    let gone = [watch.json()?, watch.json()?];
    ensure!(gone.iter().all(|change| change["record"].is_null()), "{gone:?}");
    ensure!(watch.lines.next().is_none() && watch.child.wait()?.success(), "it ends after four");
    Ok(())
}

#[test]
fn people_read_what_has_changed() -> Result<()> {
    let (_dir, mut cli) = file()?;
    cli.ok("flag create a", "")?;
    let mut watch = Watch::start(&cli, &["--lines", "--count", "3"])?;
    let mut noted = BufReader::new(watch.child.stderr.take().context("its notes")?).lines();
    let following = noted.next().context("a note")??;
    ensure!(following.starts_with("following 1 flag"), "{following}");
    cli.ok("flag enable a", "")?;
    let line = watch.line()?;
    ensure!(line.ends_with("flag:a: default_enabled false -> true"), "{line}");
    cli.ok("flag create b", "")?;
    let line = watch.line()?;
    ensure!(line.ends_with("flag:b: written"), "{line}");
    cli.ok("flag delete b", "")?;
    let line = watch.line()?;
    ensure!(line.ends_with("flag:b: deleted"), "{line}");
    ensure!(watch.child.wait()?.success());
    Ok(())
}
