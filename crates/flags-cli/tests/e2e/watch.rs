//! Following a store from another process.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::cli::Cli;
use crate::terminal::{at_a_terminal, finish};

/// How long a line may take, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A watch that is killed once nobody waits for it any more.
struct Watch {
    child: Child,
    lines: Receiver<String>,
    notes: Receiver<String>,
}

impl Watch {
    fn start(cli: &Cli, args: &[&str]) -> Result<Self> {
        let mut command = cli.command();
        let mut child =
            command.arg("watch").args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let lines = lines_of(child.stdout.take().context("its output")?);
        let notes = lines_of(child.stderr.take().context("its notes")?);
        Ok(Self { child, lines, notes })
    }

    fn line(&self) -> Result<String> {
        self.lines.recv_timeout(PATIENCE).context("no line")
    }

    fn note(&self) -> Result<String> {
        self.notes.recv_timeout(PATIENCE).context("no note")
    }

    /// Whether it ended by itself, and well, after what was read.
    fn ended(&mut self) -> Result<()> {
        let more = self.lines.recv_timeout(PATIENCE);
        ensure!(more == Err(RecvTimeoutError::Disconnected), "{more:?}");
        ensure!(self.child.wait()?.success());
        Ok(())
    }

    fn json(&self) -> Result<serde_json::Value> {
        Ok(serde_json::from_str(&self.line()?)?)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a stream, read by a thread: a wait for one can end.
fn lines_of(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (send, lines) = channel();
    std::thread::spawn(move || {
        let read = BufReader::new(stream).lines().map_while(Result::ok);
        // Until nobody listens.
        let _ = read.map(|line| send.send(line)).take_while(Result::is_ok).count();
    });
    lines
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
    watch.ended().context("it ends after four")
}

/// Another library has no limit on the name of an entity.
#[test]
fn a_key_that_is_too_long_to_be_read_is_told_and_ends_nothing() -> Result<()> {
    let cli = Cli::redis()?;
    let created = cli.quiet(&["flag", "create", "a"], "")?;
    ensure!(created.code == Some(0), "{created:?}");
    let mut watch = Watch::start(&cli, &["--json", "--count", "2"])?;
    ensure!(watch.json()? == serde_json::json!({"change": "resync"}));
    let long = format!("override:{}:user:{}", feature_flags::FlagId::new(), "x".repeat(600));
    let mut connection = redis::Client::open(cli.url())?.get_connection()?;
    redis::cmd("SET").arg(format!("{}{long}", cli.prefix())).arg("{}").exec(&mut connection)?;
    let told = watch.json()?;
    ensure!(told["key"] == long.as_str() && told["record"].is_null(), "{told}");
    ensure!(told["error"] == "its key is too long to be read here", "{told}");
    let enabled = cli.quiet(&["flag", "enable", "a"], "")?;
    ensure!(enabled.code == Some(0), "{enabled:?}");
    ensure!(watch.json()?["key"] == "flag:a");
    watch.ended()
}

#[test]
fn people_read_what_has_changed() -> Result<()> {
    let (_dir, mut cli) = file()?;
    cli.ok("flag create a", "")?;
    let mut watch = Watch::start(&cli, &["--lines", "--count", "3"])?;
    let following = watch.note()?;
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
    watch.ended()
}

#[test]
fn why_a_file_is_not_followed_is_said() -> Result<()> {
    let (dir, mut cli) = file()?;
    let path = dir.path().join("flags.json");
    cli.ok("flag create a", "")?;
    let good = std::fs::read_to_string(&path)?;
    let on = good.replace("\"default_enabled\": false", "\"default_enabled\": true");
    let mut watch = Watch::start(&cli, &["--lines", "--count", "1"])?;
    let mut programs = Watch::start(&cli, &["--json", "--count", "1"])?;
    ensure!(watch.note()?.starts_with("following 1 flag"));
    ensure!(programs.json()? == serde_json::json!({"change": "resync"}));

    // At one stroke: a file that is half written is broken too.
    let edit = dir.path().join("edit");
    std::fs::write(&edit, "{\n  oops\n}")?;
    std::fs::rename(&edit, &path)?;
    ensure!(watch.note()?.starts_with("the store is lost"));
    let why = watch.note()?;
    ensure!(why.starts_with("warning: ") && why.contains("line 2, column 3"), "{why}");
    ensure!(programs.json()? == serde_json::json!({"change": "lost"}));
    let why: serde_json::Value = serde_json::from_str(&programs.note()?)?;
    ensure!(why["kind"] == "health", "{why}");
    ensure!(why["message"].as_str().is_some_and(|why| why.contains("line 2, column 3")), "{why}");

    std::fs::write(&path, on)?;
    let line = watch.line()?;
    ensure!(line.ends_with("flag:a: default_enabled false -> true"), "{line}");
    ensure!(programs.json()? == serde_json::json!({"change": "resync"}));
    cli.ok("flag disable a", "")?;
    ensure!(programs.json()?["key"] == "flag:a");
    watch.ended()?;
    programs.ended()
}

/// Of every kind, and not of flags alone.
#[test]
fn what_changed_while_the_store_was_lost_is_told() -> Result<()> {
    let (dir, mut cli) = file()?;
    let path = dir.path().join("flags.json");
    let replace = |text: &str| -> Result<()> {
        let edit = dir.path().join("edit");
        std::fs::write(&edit, text)?;
        Ok(std::fs::rename(&edit, &path)?)
    };
    cli.ok("flag create a", "")?;
    for user in ["changed", "same"] {
        cli.ok(&format!("override set a user {user} --enabled false"), "")?;
    }
    let first = std::fs::read_to_string(&path)?;
    cli.ok("override set a user changed --enabled true", "")?;
    cli.ok("override set a user new --enabled true", "")?;
    cli.ok("segment create -f -", r#"{"name": "staff"}"#)?;
    let second = std::fs::read_to_string(&path)?;
    replace(&first)?;

    let mut watch = Watch::start(&cli, &["--lines", "--count", "6"])?;
    for (text, told) in [
        (&second, [":user:changed: written", ":user:new: written", ": written"]),
        (&first, [":user:changed: written", ":user:new: deleted", ": deleted"]),
    ] {
        ensure!(watch.note()?.starts_with("following 1 flag"));
        replace("oops")?;
        ensure!(watch.note()?.starts_with("the store is lost"));
        ensure!(watch.note()?.starts_with("warning: "));
        replace(text)?;
        for (told, kind) in told.iter().zip([" override:", " override:", " segment:"]) {
            let line = watch.line()?;
            ensure!(line.ends_with(told) && line.contains(kind), "{line}");
        }
    }
    watch.ended()
}

#[test]
fn a_flag_that_cannot_be_read_is_named_and_not_deleted() -> Result<()> {
    let (dir, mut cli) = file()?;
    let path = dir.path().join("flags.json");
    let edit = |from: &str, to: &str| -> Result<()> {
        let document = std::fs::read_to_string(&path)?;
        ensure!(document.contains(from), "{document}");
        let beside = path.with_extension("new");
        std::fs::write(&beside, document.replace(from, to))?;
        Ok(std::fs::rename(beside, &path)?)
    };
    cli.ok("flag create a", "")?;
    cli.ok("flag create b", "")?;
    let as_written = std::fs::read_to_string(&path)?;
    edit("boolean", "of a later version")?;
    let mut watch = Watch::start(&cli, &["--lines", "--count", "3"])?;
    ensure!(watch.note()?.starts_with("following 0 flags"), "neither can be read");
    for _ in 0..2 {
        let (named, hint) = (watch.note()?, watch.note()?);
        ensure!(named.starts_with("warning: flag:") && named.contains("unknown variant"), "{named}");
        ensure!(hint.starts_with("hint: "), "{hint}");
    }

    edit("of a later version", "boolean")?;
    ensure!(std::fs::read_to_string(&path)? == as_written);
    let told = [watch.line()?, watch.line()?];
    ensure!(told.iter().all(|line| line.ends_with(": written")), "{told:?}");
    edit("active", "odd")?;
    let line = watch.line()?;
    ensure!(line.contains(" flag:a: status: the stored record cannot be read"), "{line}");
    ensure!(line.contains("unknown variant `odd`"), "{line}");
    watch.ended()?;
    Ok(())
}

#[test]
fn the_table_at_a_terminal_is_drawn_in_its_place() -> Result<()> {
    let (_dir, mut cli) = file()?;
    cli.ok("flag create a", "")?;
    cli.ok("flag create b", "")?;
    let mut terminal = at_a_terminal(&cli, &["watch"])?;
    let drawn = terminal.exp_string("-- following; Ctrl-C ends")?;
    ensure!(drawn.contains("KEY") && row(&drawn, "a").contains(" off "), "{drawn:?}");

    cli.ok("flag enable a", "")?;
    let drawn = terminal.exp_string("flag:a: default_enabled false -> true")?;
    // A header, two flags and the state were there.
    ensure!(drawn.contains("\u{1b}[4A") && row(&drawn, "a").contains(" on "), "{drawn:?}");
    ensure!(!row(&drawn, "b").is_empty(), "{drawn:?}");

    cli.ok("flag delete b", "")?;
    let drawn = terminal.exp_string("flag:b: deleted")?;
    ensure!(drawn.contains("\u{1b}[5A") && row(&drawn, "b").is_empty(), "{drawn:?}");
    // What was told stays below the table.
    ensure!(drawn.contains("flag:a: default_enabled false -> true"), "{drawn:?}");

    ensure!(cli.quiet(&["flag", "create", "\u{1b}[2Jevil\nforged"], "")?.code == Some(0));
    let drawn = terminal.exp_string(": written")?;
    ensure!(drawn.contains(r"\u{1b}[2Jevil\nforged") && !drawn.contains("\u{1b}[2J"), "{drawn:?}");

    terminal.send_control('c')?;
    let (said, code) = finish(terminal)?;
    ensure!(code == 130 && said.contains("interrupted"), "{code}: {said:?}");
    Ok(())
}

/// The row of a flag in what was drawn.
fn row<'a>(drawn: &'a str, key: &str) -> &'a str {
    let begin = format!("{key}  ");
    drawn
        .lines()
        .map(|line| line.rsplit('\u{1b}').next().unwrap_or(line))
        .find(|line| line.starts_with(&begin))
        .unwrap_or_default()
}
