//! What is asked and shown at a terminal.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use flags_tests::proxy::Proxy;
use flags_tests::server::Server;
use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};

use crate::cli::{Cli, many_flags};

/// How long an answer may take, on however busy a machine.
pub(crate) const PATIENCE_MS: u64 = 120_000;

/// Runs it at a terminal.
pub(crate) fn at_a_terminal(cli: &Cli, args: &[&str]) -> Result<PtySession> {
    let mut command = cli.command();
    command.args(args).env("TERM", "xterm");
    Ok(spawn_command(command, Some(PATIENCE_MS))?)
}

/// What is left to read, and the exit code.
pub(crate) fn finish(mut terminal: PtySession) -> Result<(String, i32)> {
    let rest = terminal.exp_eof()?;
    match terminal.process().wait()? {
        WaitStatus::Exited(_, code) => Ok((rest, code)),
        other => anyhow::bail!("{other:?} after {rest}"),
    }
}

fn keys(cli: &Cli) -> Result<Vec<String>> {
    let flags: serde_json::Value = serde_json::from_str(&cli.quiet(&["flag", "list", "--json"], "")?.stdout)?;
    let keys = flags.as_array().into_iter().flatten();
    Ok(keys.filter_map(|flag| flag["key"].as_str().map(str::to_owned)).collect())
}

#[test]
fn several_are_deleted_only_after_a_yes() -> Result<()> {
    let cli = Cli::redis()?;
    ensure!(cli.quiet(&["flag", "create", "-f", "-"], r#"[{"key": "a"}, {"key": "b"}]"#)?.code == Some(0));
    for (answer, code, left) in
        [("n", 2, &["a", "b"][..]), ("", 2, &["a", "b"]), ("nonsense", 2, &["a", "b"]), ("y", 0, &[])]
    {
        let mut terminal = at_a_terminal(&cli, &["flag", "delete", "a", "b"])?;
        terminal.exp_string("About to delete 2 flags, and what belongs to them. Go on? [y/N] ")?;
        ensure!(keys(&cli)? == ["a", "b"], "nothing happens before the answer");
        terminal.send_line(answer)?;
        let (said, ended) = finish(terminal)?;
        ensure!(ended == code, "{answer}: {ended}, {said}");
        ensure!(said.contains("nothing was changed") == (code == 2), "{said}");
        ensure!(keys(&cli)? == left, "{answer}: {said}");
    }
    Ok(())
}

#[test]
fn a_replacing_import_does_what_was_shown_or_nothing() -> Result<()> {
    let document = tempfile::NamedTempFile::new()?;
    document.as_file().write_all(br#"{"version": 1}"#)?;
    let path = document.path().to_str().context("a path in UTF-8")?;
    let ask = |meanwhile: &[&str], answer: &str| -> Result<(i32, String, Vec<String>)> {
        let cli = Cli::redis()?;
        ensure!(
            cli.quiet(&["flag", "create", "-f", "-"], r#"[{"key": "a"}, {"key": "b"}]"#)?.code == Some(0)
        );
        let mut terminal = at_a_terminal(&cli, &["import", path, "--replace"])?;
        terminal.exp_string("About to delete 2 records that the document does not hold. Go on? [y/N] ")?;
        if !meanwhile.is_empty() {
            ensure!(cli.quiet(meanwhile, "")?.code == Some(0));
        }
        terminal.send_line(answer)?;
        let (said, code) = finish(terminal)?;
        Ok((code, said, keys(&cli)?))
    };
    let (code, said, left) = ask(&[], "n")?;
    ensure!(code == 2 && left == ["a", "b"], "{said}");
    let (code, said, left) = ask(&[], "yes")?;
    ensure!(code == 0 && left.is_empty() && said.contains("deleted 2"), "{said}");
    let (code, said, left) = ask(&["flag", "enable", "b"], "y")?;
    ensure!(code == 4 && left == ["a", "b"] && said.contains("repeat the command"), "{said}");
    // It was not there when somebody said yes.
    let (code, said, left) = ask(&["flag", "create", "c"], "y")?;
    ensure!(code == 0 && left == ["c"], "{said}");
    Ok(())
}

#[test]
fn without_a_terminal_it_takes_a_yes_on_the_command_line() -> Result<()> {
    let cli = Cli::redis()?;
    ensure!(cli.quiet(&["flag", "create", "-f", "-"], r#"[{"key": "a"}, {"key": "b"}]"#)?.code == Some(0));
    for args in [&["flag", "delete", "a", "b"][..], &["import", "-", "--replace"]] {
        let refused = cli.quiet(args, r#"{"version": 1}"#)?;
        ensure!(refused.code == Some(2) && refused.stderr.contains("--yes"), "{refused:?}");
        ensure!(keys(&cli)? == ["a", "b"]);
    }
    ensure!(cli.quiet(&["import", "-", "--replace", "--yes"], r#"{"version": 1}"#)?.code == Some(0));
    ensure!(keys(&cli)?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_long_shows_its_progress() -> Result<()> {
    let server = Server::start(&[])?;
    let cli = Cli::on(server.url());
    many_flags(&cli, 3_000)?;
    let proxy = Proxy::to(server.port()).await?;
    // The listing stops halfway for longer than is too short for a bar, however fast the machine.
    proxy.hold_after(100_000);
    let slow = cli.through(&proxy);
    let terminal = at_a_terminal(&slow, &["flag", "list", "--tag", "none"])?;
    tokio::time::timeout(Duration::from_millis(PATIENCE_MS), proxy.held()).await?;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    proxy.release();
    let (said, code) = tokio::task::spawn_blocking(move || finish(terminal)).await??;
    ensure!(code == 0 && said.contains("none"), "{said}");
    ensure!(said.contains(" records read, "), "there was a bar: {said}");

    // Where nobody sees it, there is none.
    let ran = cli.quiet(&["flag", "list", "--json"], "")?;
    ensure!(ran.stderr.is_empty(), "{ran:?}");
    Ok(())
}

#[test]
fn a_table_fits_a_terminal_that_does_not_know_its_width() -> Result<()> {
    let (table, code) = finish(at_a_terminal(&Cli::shop(), &["flag", "list"])?)?;
    ensure!(code == 0 && table.lines().any(|line| line.starts_with("new-checkout ")), "{table}");
    Ok(())
}
