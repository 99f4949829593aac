//! Eight schedulers in processes of their own, some killed and one frozen in the middle of their work: by the
//! server's own account each change is applied once, and those of a flag in order.

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use flags_client::Scheduler;
use flags_core::storage::{Batch, Expect};
use flags_core::{ChangeType, Flag, Json, ScheduledChange, Storage, Timestamp};
use flags_redis::Driver;
use flags_tests::monitor::{Monitor, Seen};
use flags_tests::server::{Server, raw};
use flags_tests::wait::{BOUND, until};

use crate::common::{PREFIX, number_flag, store};

const FLAGS: usize = 50;
const CHANGES: usize = 2_000;
const SCHEDULERS: usize = 8;
/// After so many changes a scheduler is killed, and another one is started.
const LIFE: usize = 125;

/// One to be killed. Killed when it is dropped.
struct Process(Child);

impl Process {
    fn start(server: &Server, number: usize) -> Result<Self> {
        let driver = if number.is_multiple_of(2) { "redis-rs" } else { "fred" };
        let mut command = Command::new(env!("CARGO_BIN_EXE_scheduler_to_kill"));
        command.args([&server.url(), PREFIX, driver]).stdin(Stdio::null());
        Ok(Self(command.spawn()?))
    }

    fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.0.id().to_string()).status()?;
        ensure!(status.success(), "kill -{name} failed");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL, which also ends a frozen one.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The numbers that each flag is to become, with the change that makes it so.
async fn plan(storage: &dyn Storage) -> Result<HashMap<String, Vec<String>>> {
    let mut planned = HashMap::new();
    for n in 0..FLAGS {
        let flag = number_flag(&format!("f{n}"), -1);
        storage.commit(Batch::new().put(flag.clone(), Expect::Absent)).await?;
        let changes = changes(&flag);
        let batch =
            changes.iter().fold(Batch::new(), |batch, change| batch.put(change.clone(), Expect::Absent));
        storage.commit(batch).await?;
        planned.insert(flag.key.to_string(), changes.iter().map(|change| change.id.to_string()).collect());
    }
    Ok(planned)
}

/// In order; two at each instant, whose ids tell them apart.
fn changes(flag: &Flag) -> Vec<ScheduledChange> {
    let one = |place: u64| {
        let at = Timestamp::UNIX_EPOCH.saturating_add(Duration::from_secs(place / 2));
        ScheduledChange::new(flag.id, ChangeType::UpdateValue, at)
    };
    let mut changes: Vec<_> = (0..(CHANGES / FLAGS) as u64).map(one).collect();
    changes.sort_by_key(|change| (change.scheduled_at, change.id));
    for (place, change) in changes.iter_mut().enumerate() {
        change.new_value = Some(Json::from(place as i64));
    }
    changes
}

/// What the server did, by its own account.
#[derive(Default)]
struct Audit {
    planned: HashMap<String, Vec<String>>,
    /// How far each flag is.
    applied: HashMap<String, usize>,
    /// A flag was written; the change that made it so is next.
    expected: Option<String>,
    count: usize,
}

impl Audit {
    /// Anything but the next change of a flag, once, fails.
    fn take(&mut self, seen: &Seen) -> Result<()> {
        let [command, key, value, ..] = &seen.words[..] else { return Ok(()) };
        let key = String::from_utf8_lossy(key);
        if !seen.by_script || !command.eq_ignore_ascii_case(b"SET") || value.is_empty() {
            return Ok(());
        }
        let Some(key) = key.strip_prefix(PREFIX) else { return Ok(()) };
        let json = || serde_json::from_slice::<serde_json::Value>(value);
        if let Some(flag) = key.strip_prefix("flag:") {
            ensure!(self.expected.is_none(), "{flag} was changed without a change");
            let place = self.applied.entry(flag.to_owned()).or_default();
            let number = json()?["default_value"].as_u64();
            ensure!(number == Some(*place as u64), "{flag} became {number:?} after {place} changes");
            let planned = self.planned.get(flag).context("an unknown flag")?;
            self.expected = Some(planned.get(*place).context("more than there are")?.clone());
            *place += 1;
        } else if let Some(change) = key.strip_prefix("schedule:") {
            let expected = self.expected.take();
            ensure!(expected.as_deref() == Some(change), "{change} was executed, not {expected:?}");
            let json = json()?;
            ensure!(json["executed"] == true && json.get("error").is_none_or(serde_json::Value::is_null));
            self.count += 1;
        }
        Ok(())
    }
}

#[tokio::test]
async fn each_change_is_applied_once_and_in_order() -> Result<()> {
    let server = Server::start(&[])?;
    let storage = store(&server.url(), Driver::RedisRs).await?;
    let mut audit = Audit { planned: plan(&*storage).await?, ..Audit::default() };
    let mut monitor = Monitor::start(server.port()).await?;
    let mut schedulers: Vec<Process> =
        (0..SCHEDULERS).map(|number| Process::start(&server, number)).collect::<Result<_>>()?;
    let (mut kills, mut frozen) = (0, None);
    let mut progress = Instant::now();
    while audit.count < CHANGES {
        let before = audit.count;
        audit.take(&monitor.next().await?)?;
        if audit.count == before {
            ensure!(progress.elapsed() < BOUND, "{before} changes are applied, and no more");
            continue;
        }
        progress = Instant::now();
        if !audit.count.is_multiple_of(LIFE) {
            continue;
        }
        // One is held up with what it has read, and goes on when all of that is long past.
        match audit.count / LIFE {
            3 => {
                schedulers[0].signal("STOP")?;
                frozen = Some(0);
            }
            12 => {
                schedulers[0].signal("CONT")?;
                frozen = None;
            }
            _ => {
                let victim = fastrand::usize(usize::from(frozen.is_some())..SCHEDULERS);
                schedulers[victim] = Process::start(&server, victim + kills)?;
                kills += 1;
            }
        }
    }
    // Let whoever is left find nothing more to do, then go.
    let report = Scheduler::builder(storage).build().run_due(Timestamp::now()).await?;
    ensure!(report.is_empty(), "something was left: {report:?}");
    drop(schedulers);
    let mut raw = raw(&server.url()).await?;
    until("they are gone", async || {
        let list: String = redis::cmd("CLIENT").arg("LIST").query_async(&mut raw.clone()).await?;
        // The store here, this connection and the monitor.
        Ok(list.lines().count() <= 3)
    })
    .await?;
    let _: () = redis::cmd("ECHO").arg("the end").query_async(&mut raw).await?;
    loop {
        let seen = monitor.next().await?;
        if seen.words.last().is_some_and(|word| word == b"the end") {
            break;
        }
        audit.take(&seen)?;
    }
    println!("{} changes of {FLAGS} flags, {SCHEDULERS} schedulers, {kills} kills", audit.count);
    ensure!(audit.count == CHANGES && audit.expected.is_none());
    ensure!(audit.applied.len() == FLAGS);
    if let Some((flag, count)) = audit.applied.iter().find(|(_, count)| **count != CHANGES / FLAGS) {
        bail!("{flag} was changed {count} times");
    }
    ensure!(kills > 10);
    Ok(())
}
