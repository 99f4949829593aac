//! Ctrl-C, at a moment when the command is certainly in the middle of its work.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use flags_tests::proxy::Proxy;
use flags_tests::server::Server;

use crate::cli::{Cli, many_flags};

/// More than one reply of the server, and more than a pipe takes from a writer that nobody reads.
const FLAGS: usize = 12_000;
const PATIENCE: Duration = Duration::from_secs(120);

fn interrupt(process: &Child) -> Result<()> {
    signal(process, "-INT")
}

fn signal(process: &Child, signal: &str) -> Result<()> {
    let sent = Command::new("kill").args([signal, &process.id().to_string()]).status()?;
    ensure!(sent.success(), "it has ended already");
    Ok(())
}

/// Whether whatever is started here ignores SIGHUP, which is its first bit.
fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.is_none_or(|mask| u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 == 1))
}

/// The end of a process that was interrupted: documented, and with a hint.
fn ended(mut process: Child, hint: &str) -> Result<()> {
    let since = Instant::now();
    while process.try_wait()?.is_none() {
        if since.elapsed() > PATIENCE {
            process.kill()?;
            anyhow::bail!("it does not end");
        }
        thread::sleep(Duration::from_millis(5));
    }
    let mut said = String::new();
    process.stderr.take().context("it has a standard error")?.read_to_string(&mut said)?;
    let code = process.wait()?.code();
    ensure!(code == Some(130) && said.contains("interrupted") && said.contains(hint), "{code:?}: {said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_reads_ends_at_once_and_changes_nothing() -> Result<()> {
    let server = Server::start(&[])?;
    let cli = Cli::on(server.url());
    many_flags(&cli, FLAGS)?;
    let before = cli.quiet(&["export"], "")?.stdout;
    let proxy = Proxy::to(server.port()).await?;
    let slow = cli.through(&proxy);

    // While it reads: an answer that it waits for is kept back.
    let folder = tempfile::tempdir()?;
    let backup = folder.path().join("backup.json");
    std::fs::write(&backup, "the one before")?;
    let backup = backup.to_str().context("a path in UTF-8")?;
    for (args, hint) in [
        (&["flag", "list"][..], "nothing was changed"),
        (&["export"], "the document is not complete"),
        (&["export", "--output", backup], "the document is not complete"),
        (&["doctor"], "nothing was changed"),
    ] {
        proxy.hold_after(500_000);
        let process = slow.command().args(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        tokio::time::timeout(PATIENCE, proxy.held()).await.context("it reads the store")?;
        interrupt(&process)?;
        ended(process, hint).with_context(|| format!("flags {args:?} while it reads"))?;
        proxy.release();
    }

    // By a service manager, or a terminal that is closed: the draft goes too.
    for end in ["-TERM", "-HUP"] {
        if end == "-HUP" && hangups_are_ignored() {
            println!("run under nohup: so is what is started here, and no hangup ends it");
            continue;
        }
        proxy.hold_after(500_000);
        let export = ["export", "--output", backup];
        let process = slow.command().args(export).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        tokio::time::timeout(PATIENCE, proxy.held()).await.context("it reads the store")?;
        ensure!(std::fs::read_dir(folder.path())?.count() == 2, "it has begun a draft");
        signal(&process, end)?;
        ended(process, "the document is not complete").with_context(|| format!("after {end}"))?;
        proxy.release();
    }

    ensure!(std::fs::read_to_string(backup)? == "the one before");
    ensure!(std::fs::read_dir(folder.path())?.count() == 1, "and nothing half written is left");

    // While it writes: nobody takes more than the first bytes from it.
    for (args, hint) in [
        (&["flag", "list", "--json"][..], "nothing was changed"),
        (&["export"], "the document is not complete"),
    ] {
        let mut process = cli.command().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut output = process.stdout.take().context("it has a standard output")?;
        output.read_exact(&mut [0; 100])?;
        interrupt(&process)?;
        ended(process, hint).with_context(|| format!("flags {args:?} while it writes"))?;
    }

    ensure!(cli.quiet(&["doctor"], "")?.code == Some(0), "the store is valid");
    ensure!(cli.quiet(&["export"], "")?.stdout == before, "and as it was");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_interrupted_happened_or_did_not() -> Result<()> {
    let server = Server::start(&[])?;
    let cli = Cli::on(server.url());
    ensure!(cli.quiet(&["flag", "create", "f"], "")?.code == Some(0));
    let proxy = Proxy::to(server.port()).await?;
    let slow = cli.through(&proxy);
    proxy.hold_after(0);
    let process = slow.command().args(["flag", "enable", "f"]).stderr(Stdio::piped()).spawn()?;
    tokio::time::timeout(PATIENCE, proxy.held()).await.context("it talks to the store")?;
    interrupt(&process)?;
    ended(process, "either as it was or as you asked for")?;
    ensure!(cli.quiet(&["doctor"], "")?.code == Some(0));
    Ok(())
}
