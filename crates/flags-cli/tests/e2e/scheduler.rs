//! What is due is executed: once from the command line, or by any number of schedulers, some of which are
//! killed.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use flags_tests::server::Server;
use flags_tests::wait::BOUND;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::Cli;

/// A process that is killed in the end, so that no test waits for ever on it alone.
struct Process(Child);

impl Process {
    /// Sends it a signal, and waits for its end.
    fn signal(&mut self, name: &str) -> Result<ExitStatus> {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status()?;
        ensure!(sent.success(), "it has ended already");
        let since = Instant::now();
        loop {
            match self.0.try_wait()? {
                Some(status) => return Ok(status),
                None if since.elapsed() > BOUND => bail!("it does not end after SIG{name}"),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A scheduler that says what it does.
pub(crate) struct Scheduler {
    process: Process,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    notes: Receiver<String>,
}

impl Scheduler {
    /// Starts one, and waits until it says that it runs.
    pub(crate) fn start(cli: &Cli) -> Result<Self> {
        let mut process =
            cli.command().arg("scheduler").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let lines = BufReader::new(process.stdout.take().context("its output")?).lines();
        let mut notes = BufReader::new(process.stderr.take().context("its notes")?).lines();
        let said = notes.next().context("a note")??;
        ensure!(said.starts_with("executing what is due"), "{said}");
        let (tell, told) = channel();
        // Whether or not anybody is interested: it must not end for want of a reader.
        std::thread::spawn(move || notes.map_while(Result::ok).for_each(|note| drop(tell.send(note))));
        Ok(Self { process: Process(process), lines, notes: told })
    }

    fn line(&mut self) -> Result<String> {
        Ok(self.lines.next().context("the scheduler ended")??)
    }

    /// Ends it as a service manager does, which sees no failure in that.
    pub(crate) fn ends_cleanly(mut self) -> Result<()> {
        let ended = self.signal("TERM")?;
        ensure!(ended.code() == Some(0), "{ended}");
        Ok(())
    }

    fn signal(&mut self, name: &str) -> Result<ExitStatus> {
        self.process.signal(name)
    }
}

fn file() -> Result<(TempDir, Cli)> {
    let dir = tempfile::tempdir()?;
    let cli = Cli::on(format!("file:{}", dir.path().join("flags.json").display()));
    Ok((dir, cli))
}

const PAST: &str = r#"{"change_type": "enable", "scheduled_at": "2026-03-01T09:00:00Z"}"#;
const FUTURE: &str = r#"{"change_type": "disable", "scheduled_at": "2100-01-01T09:00:00Z"}"#;

fn json_lines(text: &str) -> Result<Vec<Value>> {
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

#[test]
fn what_is_due_is_executed_once_and_told() -> Result<()> {
    let (_dir, mut cli) = file()?;
    cli.ok("flag create checkout", "")?;
    cli.ok("schedule create --flag checkout -f -", PAST)?;
    cli.ok("schedule create --flag checkout -f -", FUTURE)?;

    let ran = cli.quiet(&["schedule", "run-due", "--at", "2026-01-01"], "")?;
    ensure!(ran.code == Some(0) && ran.stdout.is_empty(), "nothing is due then: {ran:?}");
    ensure!(ran.stderr.contains("0 records executed; the next is due at 2026-03-01 09:00:00 UTC"), "{ran:?}");

    let ran = cli.quiet(&["schedule", "run-due"], "")?;
    ensure!(ran.code == Some(0) && ran.stdout.contains(" checkout: enable (scheduled_change:"), "{ran:?}");
    ensure!(ran.stderr.contains("1 record executed; the next is due at 2100-01-01 09:00:00 UTC"), "{ran:?}");
    ensure!(cli.ok("flag get checkout --json", "")?.contains("\"default_enabled\": true"));

    let ran = cli.quiet(&["schedule", "run-due", "--json"], "")?;
    ensure!(ran.code == Some(0) && ran.stdout.is_empty() && ran.stderr.is_empty(), "{ran:?}");

    let at = "2100-01-01T09:00:00+00:00";
    let lines = json_lines(&cli.ok(&format!("schedule run-due --json --at {at}"), "")?)?;
    let [line] = &lines[..] else { bail!("one line: {lines:?}") };
    ensure!(line["outcome"] == "applied" && line["flag"] == "checkout" && line["reason"].is_null(), "{line}");
    ensure!(line["record"]["executed"] == true && line["record"]["executed_at"] == at, "{line}");
    ensure!(cli.ok("flag get checkout --json", "")?.contains("\"default_enabled\": false"));
    Ok(())
}

#[test]
fn what_cannot_be_applied_is_refused_with_why_and_blocks_nothing() -> Result<()> {
    let (_dir, cli) = file()?;
    let flag = "00000000-0000-4000-8000-000000000001";
    let change = |number: u32, change_type: &str| {
        json!({
            "id": format!("00000000-0000-4000-8000-00000000010{number}"), "flag_id": flag, "change_type": change_type,
            "scheduled_at": format!("2026-03-01T09:00:0{number}+00:00"), "executed": false
        })
    };
    let document = json!({
        "version": 1,
        "flags": [{
            "id": flag, "key": "checkout", "name": "n", "flag_type": "boolean", "status": "active", "default_enabled": false
        }],
        // How far to roll out is not said.
        "scheduled_changes": [change(1, "update_rollout"), change(2, "enable")],
    });
    let imported = cli.quiet(&["import", "-"], &document.to_string())?;
    ensure!(imported.code == Some(0), "{imported:?}");
    let ran = cli.quiet(&["schedule", "run-due", "--json"], "")?;
    ensure!(ran.code == Some(1), "{ran:?}");
    let lines = json_lines(&ran.stdout)?;
    let refused = lines.iter().find(|line| line["outcome"] == "refused").context("one is refused")?;
    let reason = refused["reason"].as_str().context("a reason")?;
    ensure!(reason.contains("new_rollout_percentage") && refused["record"]["error"] == reason, "{refused}");
    let applied = lines.iter().find(|line| line["outcome"] == "applied").context("the other is applied")?;
    ensure!(applied["record"]["change_type"] == "enable" && lines.len() == 2, "{lines:?}");
    let again = cli.quiet(&["schedule", "run-due"], "")?;
    ensure!(again.code == Some(0) && again.stdout.is_empty(), "it is not tried for ever: {again:?}");
    Ok(())
}

#[test]
fn a_scheduler_executes_what_others_plan_until_it_is_stopped() -> Result<()> {
    let (_dir, mut cli) = file()?;
    cli.ok("flag create checkout", "")?;
    let mut scheduler = Scheduler::start(&cli)?;
    cli.ok("schedule create --flag checkout -f -", PAST)?;
    let line = scheduler.line()?;
    ensure!(line.contains(" checkout: enable (scheduled_change:"), "{line}");
    ensure!(cli.ok("flag get checkout --json", "")?.contains("\"default_enabled\": true"));
    let phase = r#"{"phase_number": 2, "target_percentage": 25, "scheduled_at": "2026-03-01"}"#;
    cli.ok("phase create --flag checkout -f -", phase)?;
    let line = scheduler.line()?;
    ensure!(line.contains(" checkout: phase 2, 25% (rollout_phase:"), "{line}");
    scheduler.ends_cleanly()?;

    let ended = Scheduler::start(&cli)?.signal("INT")?;
    ensure!(ended.code() == Some(130), "{ended}");
    Ok(())
}

#[test]
fn a_scheduler_whose_output_is_closed_ends_and_says_so() -> Result<()> {
    let (_dir, mut cli) = file()?;
    cli.ok("flag create checkout", "")?;
    cli.ok("schedule create --flag checkout -f -", PAST)?;
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    let mut command = cli.command();
    let scheduler = command.args(["scheduler", "--json"]).stdout(writer).stderr(Stdio::piped()).spawn()?;
    let output = scheduler.wait_with_output()?;
    // So that a service manager starts it again.
    ensure!(output.status.code() == Some(1), "{output:?}");
    let said: Value = serde_json::from_slice(&output.stderr)?;
    ensure!(
        said["message"].as_str().is_some_and(|text| text.contains("its output cannot be written")),
        "{said}"
    );
    Ok(())
}

/// A pipe holds some 64 KiB on Linux; a scheduler has more to say than that.
#[cfg(unix)]
#[test]
fn a_scheduler_whose_output_nobody_reads_goes_on_and_can_be_ended() -> Result<()> {
    let server = Server::start(&[])?;
    let cli = Cli::on(server.url());
    let imported = cli.quiet(&["import", "-"], &plan())?;
    ensure!(imported.code == Some(0), "{imported:?}");
    let mut command = cli.command();
    let (kept, writer) = std::io::pipe()?;
    let process = command.args(["scheduler", "--json"]).stdout(writer).stderr(Stdio::null()).spawn()?;
    // The parent's copy of the writing end would keep the pipe open.
    drop(command);
    let pending = || -> Result<usize> {
        let listed = cli.quiet(&["schedule", "list", "--json"], "")?;
        let listed: Value = serde_json::from_str(&listed.stdout)?;
        Ok(listed.as_array().context("an array")?.len())
    };
    let mut scheduler = Process(process);
    let until_none = |what: &str| -> Result<()> {
        let since = Instant::now();
        while pending()? > 0 {
            ensure!(since.elapsed() < BOUND, "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    };
    until_none("it stops at what nobody reads")?;
    let late = r#"{"change_type": "update_value", "new_value": -5, "scheduled_at": "2026-03-02"}"#;
    let planned = cli.quiet(&["schedule", "create", "--flag", "flag-0", "-f", "-"], late)?;
    ensure!(planned.code == Some(0), "{planned:?}");
    until_none("it does not see what is planned later")?;
    ensure!(scheduler.signal("TERM")?.code() == Some(0));
    drop(kept);
    Ok(())
}

const FLAGS: usize = 20;
const CHANGES: usize = 800;
const SCHEDULERS: usize = 4;
/// After how many executions, counted over all, one is killed.
const KILL_EVERY: usize = 60;

/// The id of a change, or of a flag.
fn id(group: u32, number: usize) -> String {
    format!("00000000-0000-4000-800{group}-{number:012}")
}

/// Number flags, and what is planned for each: its value becomes 0, then 1, and so on.
fn plan() -> String {
    let flags: Vec<Value> = (0..FLAGS)
        .map(|flag| {
            json!({
                "id": id(1, flag), "key": format!("flag-{flag}"), "name": "n", "flag_type": "number", "status": "active",
                "default_enabled": false
            })
        })
        .collect();
    let changes: Vec<Value> = (0..CHANGES)
        .map(|number| {
            let (minutes, seconds) = (number / 60, number % 60);
            json!({
                "id": id(2, number), "flag_id": id(1, number % FLAGS), "change_type": "update_value", "executed": false,
                "new_value": number / FLAGS, "scheduled_at": format!("2026-03-01T09:{minutes:02}:{seconds:02}+00:00")
            })
        })
        .collect();
    json!({ "version": 1, "flags": flags, "scheduled_changes": changes }).to_string()
}

/// Schedulers side by side, of which one is killed now and then and replaced.
struct Fleet<'a> {
    cli: &'a Cli,
    running: Vec<Child>,
    killed: usize,
}

impl<'a> Fleet<'a> {
    fn start(cli: &'a Cli) -> Result<Self> {
        let mut fleet = Self { cli, running: Vec::new(), killed: 0 };
        for _ in 0..SCHEDULERS {
            fleet.running.push(fleet.one()?);
        }
        Ok(fleet)
    }

    fn one(&self) -> Result<Child> {
        let mut command = self.cli.command();
        Ok(command.arg("scheduler").stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
    }

    fn replace_one(&mut self) -> Result<()> {
        let next = self.one()?;
        let victim = &mut self.running[self.killed % SCHEDULERS];
        victim.kill()?;
        victim.wait()?;
        *victim = next;
        self.killed += 1;
        Ok(())
    }
}

impl Drop for Fleet<'_> {
    fn drop(&mut self) {
        for process in &mut self.running {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// What the server says of a key that was written: `Ok` of a change, by its number; `Err` of a flag, by its
/// key.
fn written(message: &redis::Msg) -> Result<Result<usize, String>> {
    let channel = message.get_channel_name();
    let name = channel.rsplit(':').next().unwrap_or_default();
    Ok(if channel.contains(":flag:") {
        Err(name.to_owned())
    } else {
        Ok(name.rsplit('-').next().unwrap_or_default().parse()?)
    })
}

/// The server itself says which record was written when: neither a scheduler nor a replica of ours is asked.
#[test]
fn each_change_is_executed_once_and_in_order_by_schedulers_that_are_killed() -> Result<()> {
    const SCHEDULES: &str = "__keyspace@0__:feature_flags:schedule:";
    const END: &str = "__keyspace@0__:feature_flags:schedule:end";
    let server = Server::start(&["--notify-keyspace-events", "K$"])?;
    let cli = Cli::on(server.url());
    let imported = cli.quiet(&["import", "-"], &plan())?;
    ensure!(imported.code == Some(0), "{imported:?}");

    let client = redis::Client::open(server.url())?;
    let mut connection = client.get_connection()?;
    let mut told = connection.as_pubsub();
    told.set_read_timeout(Some(BOUND))?;
    told.psubscribe(&[&format!("{SCHEDULES}*"), "__keyspace@0__:feature_flags:flag:*"])?;

    let mut fleet = Fleet::start(&cli)?;
    let (mut changes, mut flags, mut of_flags) = (Vec::new(), HashMap::<String, usize>::new(), 0);
    while changes.len() < CHANGES || of_flags < CHANGES {
        match written(&told.get_message().context("the schedulers go on")?)? {
            Err(flag) => {
                *flags.entry(flag).or_default() += 1;
                of_flags += 1;
            }
            Ok(number) => {
                changes.push(number);
                if changes.len().is_multiple_of(KILL_EVERY) {
                    // In the middle of its work.
                    fleet.replace_one()?;
                }
            }
        }
    }
    // Whoever would execute one of them again has done it by now.
    let again = cli.quiet(&["schedule", "run-due", "--json"], "")?;
    ensure!(again.code == Some(0) && again.stdout.is_empty(), "{again:?}");
    ensure!(fleet.killed >= CHANGES / KILL_EVERY, "{} were killed", fleet.killed);
    drop(fleet);
    redis::cmd("PUBLISH").arg(END).arg("").exec(&mut client.get_connection()?)?;
    let last = told.get_message()?;
    ensure!(last.get_channel_name() == END, "{} was written again", last.get_channel_name());

    let mut by_flag: HashMap<usize, Vec<usize>> = HashMap::new();
    for number in &changes {
        by_flag.entry(number % FLAGS).or_default().push(*number);
    }
    for flag in 0..FLAGS {
        let planned: Vec<usize> = (0..CHANGES).filter(|number| number % FLAGS == flag).collect();
        ensure!(by_flag.get(&flag) == Some(&planned), "flag-{flag}: {:?}", by_flag.get(&flag));
        ensure!(flags.get(&format!("flag-{flag}")) == Some(&planned.len()), "flag-{flag}: {flags:?}");
    }
    let all: Value = serde_json::from_str(&cli.quiet(&["schedule", "list", "--all", "--json"], "")?.stdout)?;
    let all = all.as_array().context("an array")?;
    ensure!(all.len() == CHANGES, "{} are there", all.len());
    for change in all {
        ensure!(change["executed"] == true && change["error"].is_null(), "{change}");
    }
    let flags: Value = serde_json::from_str(&cli.quiet(&["flag", "list", "--json"], "")?.stdout)?;
    for flag in flags.as_array().context("an array")? {
        ensure!(flag["default_value"] == CHANGES / FLAGS - 1, "{flag}");
    }
    Ok(())
}

#[test]
fn a_scheduler_says_why_a_file_is_not_followed() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("flags.json");
    let mut cli = Cli::on(format!("file:{}", path.display()));
    cli.ok("flag create a", "")?;
    let scheduler = Scheduler::start(&cli)?;
    // At one stroke: a file that is half written is broken too.
    let edit = dir.path().join("edit");
    std::fs::write(&edit, "{\n  oops\n}")?;
    std::fs::rename(&edit, &path)?;
    let why = scheduler.notes.recv_timeout(BOUND).context("it says nothing")?;
    ensure!(why.starts_with("warning: ") && why.contains("line 2, column 3"), "{why}");
    scheduler.ends_cleanly()
}
